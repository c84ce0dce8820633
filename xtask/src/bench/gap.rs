//! How long a master is silent while something else goes on.

use super::balance::{Faked, PORT, Site};
use super::figures::{Figures, as_float};
use super::rig::{BACKUP, Load, MASTER, Rig};
use super::watch::percentile;
use crate::listener::{Listener, Service};
use anyhow::Result;
use keepalived_lab::{Daemon, Flavour, Namespace, Stamp};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Where adverts go.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// What goes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Disturbance {
    /// So many valid adverts of a lower priority a second, for all VRIDs.
    Adverts(u32),
    /// So many links, removed and made again without a pause.
    Links(usize),
    /// A reload of so many virtual servers with ten servers each, all of them checked.
    Reload(usize),
}

/// For how long it goes on.
const LASTS: f64 = 20.0;
/// The router that sends foreign adverts.
const STRANGER: usize = 2;
/// Seconds between two checks of a server.
const DELAY: u32 = 20;

impl Disturbance {
    pub(super) fn run(self, load: Load, daemon: &Daemon) -> Result<Figures> {
        match self {
            Self::Adverts(rate) => during_adverts(rate, load, daemon),
            Self::Links(count) => during_churn(count, load, daemon),
            Self::Reload(services) => during_reload(services, load, daemon),
        }
    }
}

fn during_adverts(rate: u32, load: Load, daemon: &Daemon) -> Result<Figures> {
    let mut rig = Rig::with_routers(load, daemon, 3)?;
    let _pair = rig.settled_pair()?;
    let over = Arc::new(AtomicBool::new(false));
    let stranger = rig.lab.router(STRANGER);
    let (source, ended) = (stranger.v4(0), Arc::clone(&over));
    // a thread stays in the namespace of the one that starts it
    let flood = stranger.namespace().inside(|| Ok(std::thread::spawn(move || flood(source, rate, &ended))))?;
    let figures = measure(&mut rig, || Ok(()));
    over.store(true, Ordering::Relaxed);
    let sent = flood.join().expect("it does not panic")?;
    Ok([figures?, vec![("foreign adverts/s", sent)]].concat())
}

fn during_churn(count: usize, load: Load, daemon: &Daemon) -> Result<Figures> {
    let mut rig = Rig::with_routers(load, daemon, 2)?;
    let _pair = rig.settled_pair()?;
    let rounds = rig.lab.folder().join("rounds");
    let mut churn = churn(rig.lab.router(MASTER).namespace(), rig.lab.folder(), &rounds, count)?;
    let figures = measure(&mut rig, || Ok(()));
    churn.kill()?;
    churn.wait()?;
    let rounds = std::fs::read_to_string(&rounds).unwrap_or_default().lines().count();
    Ok([figures?, vec![("rounds", as_float(rounds))]].concat())
}

fn during_reload(services: usize, load: Load, daemon: &Daemon) -> Result<Figures> {
    let mut rig = Rig::with_routers(load, daemon, 2)?;
    if daemon.flavour() == Flavour::Debian {
        let folder = rig.lab.folder().join("faked");
        std::fs::create_dir(&folder)?;
        rig.daemon = Faked::build(&folder)?.preloaded(daemon);
    }
    let site = Site::tens(services, DELAY);
    rig.balancing = site.services_text();
    let namespace = rig.lab.router(MASTER).namespace();
    // all servers are this machine
    namespace.run("ip route add local 10.16.0.0/12 dev lo")?;
    let _listener = namespace.inside(|| Listener::start(PORT, Service::Close))?;
    let [master, _backup] = rig.settled_pair()?;
    // each has been asked once
    rig.listen(f64::from(DELAY))?;
    rig.balancing = site.with_last_weight(7).services_text();
    let configuration = rig.configuration(MASTER);
    measure(&mut rig, || master.reload(&configuration))
}

/// The longest silences of the master from now on, beyond its interval.
fn measure(rig: &mut Rig, begin: impl FnOnce() -> Result<()>) -> Result<Figures> {
    let interval = rig.load.interval();
    let start = Stamp::now();
    begin()?;
    rig.listen(LASTS)?;
    let end = Stamp::now();
    rig.catch_up()?;
    rig.finish()?;
    let silences = rig.watch.silences(|router| router == MASTER, start, end);
    let silences: Vec<f64> = silences.into_iter().map(|longest| (longest - interval).max(0.0) * 1000.0).collect();
    let takeovers = rig.watch.sent(BACKUP, start, end);
    Ok(vec![
        ("max ms", percentile(&silences, 100)),
        ("p50 ms", percentile(&silences, 50)),
        ("adverts of the backup", as_float(takeovers)),
    ])
}

/// Sends adverts at a rate until it is over; says how many a second it were.
fn flood(source: Ipv4Addr, rate: u32, over: &AtomicBool) -> Result<f64> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
    socket.set_multicast_if_v4(&source)?;
    socket.set_multicast_ttl_v4(255)?;
    let group = SocketAddrV4::new(GROUP, 0).into();
    let packets: Vec<_> = (1..=255).map(|vrid| advert(source, vrid)).collect();
    let start = Instant::now();
    let mut sent = 0_u32;
    while !over.load(Ordering::Relaxed) {
        let due = start.elapsed().as_secs_f64() * f64::from(rate);
        while f64::from(sent) < due {
            let index = usize::try_from(sent)? % packets.len();
            // a full queue is a slower flood
            let _ = socket.send_to(&packets[index], &group);
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok(f64::from(sent) / start.elapsed().as_secs_f64())
}

/// An advert of version 3 with a priority that no router yields to (RFC 9568 section 5.1).
fn advert(source: Ipv4Addr, vrid: u8) -> Vec<u8> {
    const PRIORITY: u8 = 50;
    let address = [10, 0, 1, vrid];
    let mut octets = vec![0x31, vrid, PRIORITY, 1, 0, 100, 0, 0];
    octets.extend(address);
    let length = u8::try_from(octets.len()).expect("a short one");
    let pseudo = [source.octets(), GROUP.octets(), [0, 112, 0, length]].concat();
    let words = pseudo.chunks(2).chain(octets.chunks(2));
    let sum: u32 = words.map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded");
    octets[6..8].copy_from_slice(&checksum.to_be_bytes());
    octets
}

/// Has `ip` make and remove links until it is killed; each round writes a line.
fn churn(namespace: &Namespace, folder: &Path, rounds: &Path, count: usize) -> Result<Child> {
    let batch = |verb: &str, rest: &dyn Fn(usize) -> String| {
        (0..count / 2).map(|pair| format!("link {verb} a{pair}{}\n", rest(pair))).collect::<String>()
    };
    let (make, remove) = (folder.join("make"), folder.join("remove"));
    std::fs::write(&make, batch("add", &|pair| format!(" type veth peer name b{pair}")))?;
    std::fs::write(&remove, batch("del", &|_| String::new()))?;
    let script = "while :; do ip -force -batch \"$0\"; ip -force -batch \"$1\"; echo >>\"$2\"; done";
    let mut command = namespace.command("sh");
    command.arg("-c").arg(script).args([&make, &remove]).arg(rounds);
    Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}
