//! What is done inside the machine, and what is measured of it.

use super::site::{Balancer, FRAIL, PORT, Site, table};
use super::{Act, Ground, Kind};
use crate::bench::figures::Figures;
use crate::bench::watch::percentile;
use crate::listener::{Listener, Service};
use anyhow::{Context as _, Result, ensure};
use keepalived_core::balance::{Change, difference};
use keepalived_kernel::director::Director as _;
use keepalived_kernel::ipvs::Ipvs;
use keepalived_kernel::nftables::Nftables;
use keepalived_kernel::process::NetworkNamespace;
use keepalived_lab::Daemon;
use rustix::process::Signal;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What figures are called.
pub(super) const LABELS: &[&str] = &[
    "cpu ms per check",
    "cpu ms of the kernel",
    "checks/s",
    "late ms p99",
    "late ms max",
    "kB per server",
    "ms after the last failure",
    "s",
    "s of the kernel",
    "reload s",
    "stop s",
    "left",
];

/// No daemon takes longer to do anything.
const PATIENCE: Duration = Duration::from_secs(200);
/// A reload that takes longer is not waited for.
const ENOUGH: Duration = Duration::from_secs(60);
/// What a reload changes the weight of one server to.
const WEIGHT: u32 = 7;
/// From which on a check is due but at random moments.
const NEVER: u32 = 600;

pub(super) fn run(act: Act, daemon: &Daemon, ground: Ground) -> Result<Figures> {
    addresses()?;
    for (name, value) in [("core/somaxconn", "16384"), ("ipv4/ip_local_port_range", "1024 65000")] {
        std::fs::write(format!("/proc/sys/net/{name}"), value).context(name)?;
    }
    match act {
        Act::Cost(kind, servers) => cost(kind, servers, daemon, ground),
        Act::Crowd(servers) => crowd(servers, daemon, ground),
        Act::Fail(servers) => fail(servers, daemon),
        Act::Program(services) => program(services, daemon),
        Act::Reload(services) => match ground {
            Ground::Machine => reload(services, daemon),
            Ground::Namespace => reload_here(services, daemon),
        },
    }
}

/// All servers are this machine: on the loopback interface every address of a prefix is.
fn addresses() -> Result<()> {
    for words in ["link set lo up", "address add 10.0.0.1/8 dev lo"] {
        let status = Command::new("ip").args(words.split(' ')).status()?;
        ensure!(status.success(), "ip {words}: {status}");
    }
    Ok(())
}

fn cost(kind: Kind, servers: usize, daemon: &Daemon, ground: Ground) -> Result<Figures> {
    let service = match kind {
        Kind::Tcp => Service::Close,
        Kind::Http => Service::Http("ok\n"),
    };
    let listener = Listener::start(PORT, service)?;
    let site = Site { kind, ..Site::tens(servers / 10, 1) };
    let mut balancer = Balancer::start(daemon, site, ground)?;
    begun(&mut balancer, site, ground)?;
    // the first second and the second in which all checks are made for the first time
    sleep(Duration::from_secs(4));
    let before = (Instant::now(), balancer.cpu()?, listener.count());
    sleep(Duration::from_secs(10));
    let after = (balancer.cpu()?, listener.count());
    let elapsed = before.0.elapsed().as_secs_f64();
    let checks = as_float(after.1 - before.2);
    ensure!(checks > 0.0, "nothing was checked\n{}", balancer.log());
    drop(balancer);
    Ok(vec![
        ("cpu ms per check", (after.0 - before.1) / checks),
        ("cpu ms of the kernel", kernel_alone(kind, site)?),
        ("checks/s", checks / elapsed),
    ])
}

/// What the same dialogues take a program that does nothing else, and waits where it must: in milliseconds of this
/// thread, for each.
fn kernel_alone(kind: Kind, site: Site) -> Result<f64> {
    const BURSTS: usize = 400;
    const BURST: usize = 5;
    let spent = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(now).map(|spent| spent.as_secs_f64() * 1000.0)
    };
    let before = spent()?;
    for burst in 0..BURSTS {
        sleep(Duration::from_millis(10));
        for place in 0..BURST {
            let server = (burst * BURST + place) % site.all_servers();
            let mut stream = TcpStream::connect((site.server(server), PORT))?;
            if let Kind::Http = kind {
                stream.write_all(b"GET / HTTP/1.0\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
                ensure!(stream.read(&mut [0; 1024])? > 0, "no answer");
            }
        }
    }
    Ok((spent()? - before) / as_float(u64::try_from(BURSTS * BURST)?))
}

fn begun(balancer: &mut Balancer, site: Site, ground: Ground) -> Result<()> {
    match ground {
        Ground::Machine => balancer.wait_complete(site, PATIENCE),
        Ground::Namespace => balancer.wait_told(site, PATIENCE),
    }
}

fn crowd(servers: usize, daemon: &Daemon, ground: Ground) -> Result<Figures> {
    const DELAY: u32 = 10;
    let listener = Listener::start(PORT, Service::Note)?;
    let site = Site::tens(servers / 10, DELAY);
    let mut balancer = Balancer::start(daemon, site, ground)?;
    begun(&mut balancer, site, ground)?;
    sleep(Duration::from_secs(14));
    listener.notes();
    let begun = Instant::now();
    sleep(Duration::from_secs(35));
    let (elapsed, notes) = (begun.elapsed().as_secs_f64(), listener.notes());
    let checks: usize = notes.values().map(Vec::len).sum();
    let late = lateness(&notes, servers, DELAY);
    Ok(vec![
        ("late ms p99", percentile(&late, 99)),
        ("late ms max", percentile(&late, 100)),
        ("kB per server", balancer.memory()? / as_float(u64::try_from(servers)?)),
        ("checks/s", as_float(u64::try_from(checks)?) / elapsed),
    ])
}

/// By how many milliseconds each check came later than `delay` seconds after the one before it. A server that was not
/// asked in all the time is late without end.
fn lateness(notes: &HashMap<IpAddr, Vec<Instant>>, servers: usize, delay: u32) -> Vec<f64> {
    let late = notes.values().flat_map(|asked| asked.windows(2)).filter_map(|pair| match pair {
        [one, next] => Some((next.duration_since(*one).as_secs_f64() - f64::from(delay)) * 1000.0),
        _ => None,
    });
    late.chain((notes.len()..servers).map(|_| f64::INFINITY)).collect()
}

fn fail(servers: usize, daemon: &Daemon) -> Result<Figures> {
    let _sound = Listener::start(PORT, Service::Close)?;
    let frail = Listener::start(FRAIL, Service::Close)?;
    // one of each service stays
    let site = Site { servers: 11, frail: 10, ..Site::tens(servers / 10, 2) };
    let mut balancer = Balancer::start(daemon, site, Ground::Machine)?;
    balancer.wait_complete(site, PATIENCE)?;
    sleep(Duration::from_secs(6));
    ensure!(table()?.1 == site.all_servers(), "servers are missing\n{}", balancer.log());
    let refused = refusals()?;
    let closed = Instant::now();
    frail.close()?;
    let wanted = refused + u64::try_from(servers)?;
    balancer.wait("all have failed", PATIENCE, || Ok(refusals()? >= wanted))?;
    let last = Instant::now();
    balancer.wait("the table is right", PATIENCE, || Ok(table()? == (site.services, site.services)))?;
    Ok(vec![
        ("ms after the last failure", last.elapsed().as_secs_f64() * 1000.0),
        ("s", closed.elapsed().as_secs_f64()),
    ])
}

fn program(services: usize, daemon: &Daemon) -> Result<Figures> {
    let _listener = Listener::start(PORT, Service::Close)?;
    let site = Site::tens(services, NEVER);
    let mut ipvs = Ipvs::open()?;
    let mut balancer = Balancer::start(daemon, site, Ground::Machine)?;
    let begun = Instant::now();
    let last = site.last();
    balancer.wait("the last service is there", PATIENCE, || Ok(ipvs.destinations(&last)?.len() == site.servers))?;
    let mut seconds = begun.elapsed().as_secs_f64();
    // in any order
    if table()? != (site.services, site.all_servers()) {
        balancer.wait_complete(site, PATIENCE)?;
        seconds = begun.elapsed().as_secs_f64();
    }
    let wish = ipvs.read()?;
    drop(balancer);
    // elsewhere: here the kernel would search all that it has just thrown away for each server that it is given
    NetworkNamespace::fresh()?;
    addresses()?;
    let mut ipvs = Ipvs::open()?;
    let mut changes: Vec<Change> = Vec::new();
    wish.iter().for_each(|(key, entry)| difference(*key, None, Some(entry), &mut changes));
    let begun = Instant::now();
    let refused = ipvs.change(&changes)?;
    ensure!(refused.is_empty(), "{} refused: {:?}", refused.len(), refused.first());
    Ok(vec![("s", seconds), ("s of the kernel", begun.elapsed().as_secs_f64())])
}

fn reload(services: usize, daemon: &Daemon) -> Result<Figures> {
    let _listener = Listener::start(PORT, Service::Close)?;
    let site = Site::tens(services, NEVER);
    let mut ipvs = Ipvs::open()?;
    let mut balancer = Balancer::start(daemon, site, Ground::Machine)?;
    balancer.wait_complete(site, PATIENCE)?;
    sleep(Duration::from_secs(3));
    balancer.rewrite(Site { last_weight: WEIGHT, ..site })?;
    let begun = Instant::now();
    balancer.signal(Signal::HUP)?;
    let last = site.last();
    let changed = balancer.wait("the change is in the table", ENOUGH, || {
        Ok(ipvs.destinations(&last)?.values().any(|server| server.weight == WEIGHT))
    });
    let reloaded = if changed.is_ok() { begun.elapsed().as_secs_f64() } else { f64::INFINITY };
    ensure!(
        changed.is_err() || table()? == (site.services, site.all_servers()),
        "servers are missing\n{}",
        balancer.log()
    );
    sleep(Duration::from_secs(3));
    let begun = Instant::now();
    balancer.signal(Signal::TERM)?;
    balancer.wait_end(PATIENCE)?;
    let stopped = begun.elapsed().as_secs_f64();
    let (services, servers) = table()?;
    Ok(vec![("reload s", reloaded), ("stop s", stopped), ("left", as_float(u64::try_from(services + servers)?))])
}

/// To read the whole table takes too long to do it again and again: nft says when something is changed in it. Checks go
/// on meanwhile, and none is to come late.
fn reload_here(services: usize, daemon: &Daemon) -> Result<Figures> {
    const DELAY: u32 = 20;
    let listener = Listener::start(PORT, Service::Note)?;
    let site = Site::tens(services, DELAY);
    let mut balancer = Balancer::start(daemon, site, Ground::Namespace)?;
    balancer.wait_told(site, PATIENCE)?;
    // each has been asked once
    sleep(Duration::from_secs(u64::from(DELAY) + 4));
    balancer.rewrite(Site { last_weight: WEIGHT, ..site })?;
    let monitor = if balancer.has_faked_table() { None } else { Some(changes_of_table()?) };
    // it reads the whole table first
    sleep(Duration::from_secs(8));
    listener.notes();
    let begun = Instant::now();
    balancer.signal(Signal::HUP)?;
    let changed = match &monitor {
        Some((_, told)) => told.recv_timeout(ENOUGH).is_ok(),
        None => balancer.wait_change(ENOUGH).is_ok(),
    };
    let reloaded = if changed { begun.elapsed().as_secs_f64() } else { f64::INFINITY };
    if let Some((mut monitor, _)) = monitor {
        monitor.kill()?;
        monitor.wait()?;
    }
    sleep(Duration::from_secs(u64::from(DELAY) * 2));
    let late = lateness(&listener.notes(), site.all_servers(), DELAY);
    let begun = Instant::now();
    balancer.signal(Signal::TERM)?;
    balancer.wait_end(PATIENCE)?;
    let stopped = begun.elapsed().as_secs_f64();
    let left = if balancer.has_faked_table() {
        balancer.told_servers()?
    } else {
        u64::try_from(Nftables::open(Nftables::TABLE)?.read()?.len())?
    };
    Ok(vec![
        ("reload s", reloaded),
        ("late ms max", percentile(&late, 100)),
        ("stop s", stopped),
        ("left", as_float(left)),
    ])
}

/// Says of each change of a set or map of nftables that it was made.
fn changes_of_table() -> Result<(Child, Receiver<()>)> {
    let mut monitor = Command::new("stdbuf").args(["-oL", "nft", "monitor"]).stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(monitor.stdout.take().context("piped")?).lines();
    let (tell, told) = channel();
    // ends with the monitor
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|_| tell.send(())));
    Ok((monitor, told))
}

/// How many attempts to connect have failed on this machine: the kernel's count for all programs.
fn refusals() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/snmp")?;
    let mut rows = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (rows.next().context("no names")?, rows.next().context("no values")?);
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, value) = pairs.find(|(name, _)| *name == "AttemptFails").context("no AttemptFails")?;
    Ok(value.parse()?)
}

fn as_float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
