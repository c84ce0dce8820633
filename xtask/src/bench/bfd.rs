//! What BFD costs, how late its packets are, and how late it notices that a neighbour is silent.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{BfdPeer, Builder, Daemon, Filter, Flavour, Lab, Neighbor, Router, Running, Times};
use rustix::process::{Pid, Signal, kill_process};

use super::figures::{Figures, as_float};
use super::process;
use super::watch::percentile;
use crate::demo;

/// What is done with sessions between two routers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// All of them stay up for a minute.
    Hold { sessions: usize, interval: u32, multiplier: u8 },
    /// The same while each twentieth packet is lost on its way to the measured daemon. (Of packets that are lost at random three in a row
    /// are missing 0.2 times a minute: the RFC's arithmetic wants the session down then.)
    Lose { sessions: usize, interval: u32, multiplier: u8 },
    /// The neighbour falls silent.
    Notice { sessions: usize, interval: u32, multiplier: u8 },
}

/// How long sessions are held.
const HELD: Duration = Duration::from_secs(60);
/// For how long packets are looked at.
const LOOKED: Duration = Duration::from_secs(10);
/// Until then all sessions must have come up.
const LIMIT: Duration = Duration::from_secs(120);
/// The router whose daemon is measured, and its neighbour, which is ours.
const MEASURED: usize = 0;
const NEIGHBOR: usize = 1;

const UP: &str = "Entering Up state";
const DOWN: &str = "Entering Down state";

impl Act {
    pub(super) fn run(self, daemon: &Daemon) -> Result<Figures> {
        let lab = Builder { routers: 2, segments: 1, filter: Filter::Heads }.build("bfd", None)?;
        match self {
            Self::Hold { sessions, interval, multiplier } => {
                let mut figures = hold(&lab, daemon, sessions, Times { interval, multiplier })?;
                if daemon.flavour() == Flavour::Debian && Neighbor::Frr.lack().is_none() {
                    let bfdd = hold_bfdd(&lab, sessions, Times { interval, multiplier })?;
                    figures = beside(figures, bfdd);
                }
                Ok(figures)
            }
            Self::Lose { sessions, interval, multiplier } => {
                lose(&lab)?;
                hold(&lab, daemon, sessions, Times { interval, multiplier })
            }
            Self::Notice { sessions, interval, multiplier } => {
                notice(&lab, daemon, sessions, Times { interval, multiplier })
            }
        }
    }
}

/// The figures of keepalived, with those of bfdd: what ours is compared with is the CPU of the better one.
fn beside(keepalived: Figures, bfdd: Figures) -> Figures {
    let other = bfdd.iter().find(|(label, _)| *label == "bfdd % cpu").map_or(f64::INFINITY, |(_, cpu)| *cpu);
    let mut all = Figures::new();
    for (label, value) in keepalived {
        if label == "% cpu" {
            all.push(("% cpu", value.min(other)));
            all.push(("keepalived % cpu", value));
        } else {
            all.push((label, value));
        }
    }
    all.extend(bfdd);
    all
}

/// Pairs of addresses: each session has one of its own, and few addresses make many pairs.
fn pairs(sessions: usize) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let side = (1_usize..).find(|side| side * side >= sessions).unwrap_or(1);
    let one = |net: u8, place: usize| Ipv4Addr::new(10, 0, net, u8::try_from(place + 1).expect("few addresses"));
    let all = (0..side).flat_map(|near| (0..side).map(move |far| (one(2, near), one(3, far))));
    all.take(sessions).collect()
}

fn give_addresses(router: &Router, addresses: impl Iterator<Item = Ipv4Addr>) -> Result<()> {
    let mut known: Vec<Ipv4Addr> = addresses.collect();
    known.sort_unstable();
    known.dedup();
    let mut batch = String::new();
    for address in known {
        writeln!(batch, "address replace {address}/16 dev eth0")?;
    }
    router.namespace().ip(&batch)
}

/// The file of one side.
fn text(ends: impl Iterator<Item = (Ipv4Addr, Ipv4Addr)>, times: Times) -> Result<String> {
    let Times { interval, multiplier } = times;
    let mut text = String::new();
    for (number, (own, other)) in ends.enumerate() {
        writeln!(text, "bfd_instance B{number} {{\n neighbor_ip {other}\n source_ip {own}\n min_rx {interval}")?;
        writeln!(text, " min_tx {interval}\n multiplier {multiplier}\n}}")?;
    }
    Ok(text)
}

fn count(running: &Running, text: &str) -> usize {
    running.log().matches(text).count()
}

fn neighbor(lab: &Lab, sessions: usize, times: Times) -> Result<Running> {
    let pairs = pairs(sessions);
    give_addresses(lab.router(MEASURED), pairs.iter().map(|(near, _)| *near))?;
    give_addresses(lab.router(NEIGHBOR), pairs.iter().map(|(_, far)| *far))?;
    let theirs = text(pairs.iter().map(|(near, far)| (*far, *near)), times)?;
    lab.router(NEIGHBOR).start_with(&Daemon::built(demo::built()?), "neighbor", &theirs, &[])
}

fn both(lab: &Lab, daemon: &Daemon, sessions: usize, times: Times) -> Result<[Running; 2]> {
    let neighbor = neighbor(lab, sessions, times)?;
    let ours = text(pairs(sessions).into_iter(), times)?;
    let measured = lab.router(MEASURED).start_with(daemon, "measured", &ours, &[])?;
    let begun = Instant::now();
    while count(&measured, UP) < sessions || count(&neighbor, UP) < sessions {
        let up = (count(&measured, UP), count(&neighbor, UP));
        ensure!(begun.elapsed() < LIMIT, "{up:?} of {sessions} sessions are up");
        std::thread::sleep(Duration::from_millis(200));
    }
    // intervals are agreed upon by now
    std::thread::sleep(Duration::from_secs(5));
    Ok([measured, neighbor])
}

/// Drops each twentieth packet for BFD at the measured router.
fn lose(lab: &Lab) -> Result<()> {
    let rules = "table netdev loss {\n chain in {\n type filter hook ingress device eth0 priority 0;\n \
                 udp dport 3784 numgen random mod 20 0 drop\n }\n}\n";
    let file = lab.folder().join("loss.nft");
    std::fs::write(&file, rules)?;
    lab.router(MEASURED).namespace().run(&format!("nft -f {}", file.display()))?;
    Ok(())
}

fn hold(lab: &Lab, daemon: &Daemon, sessions: usize, times: Times) -> Result<Figures> {
    let [measured, neighbor] = both(lab, daemon, sessions, times)?;
    let (downs, before, begun) = (count(&measured, DOWN), process::cpu(&measured)?, Instant::now());
    let of_neighbor = count(&neighbor, DOWN);
    std::thread::sleep(HELD);
    let cpu = (process::cpu(&measured)? - before) / begun.elapsed().as_secs_f64() * 100.0;
    let flaps = count(&measured, DOWN) - downs + count(&neighbor, DOWN) - of_neighbor;
    let late = lateness(lab, times)?;
    let memory = process::pss(&measured)?;
    Ok(vec![
        ("% cpu", cpu),
        ("flaps", as_float(flaps)),
        ("late ms p99", percentile(&late, 99)),
        ("late ms max", percentile(&late, 100)),
        ("MB", memory),
    ])
}

/// The same with FRR's bfdd as what is measured.
fn hold_bfdd(lab: &Lab, sessions: usize, times: Times) -> Result<Figures> {
    let neighbor = neighbor(lab, sessions, times)?;
    let ends: Vec<_> = pairs(sessions).into_iter().map(|(near, far)| (near.into(), far.into())).collect();
    let bfdd = BfdPeer::start_many(Neighbor::Frr, lab.router(MEASURED), &ends, times)?;
    let begun = Instant::now();
    while count(&neighbor, UP) < sessions {
        ensure!(begun.elapsed() < LIMIT, "bfdd: {} of {sessions} sessions are up", count(&neighbor, UP));
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(5));
    let pid = bfdd.pid().context("bfdd runs")?;
    let number = pid.as_raw_nonzero().get().unsigned_abs();
    let (downs, before, begun) = (count(&neighbor, DOWN), process::cpu_of(number)?, Instant::now());
    std::thread::sleep(HELD);
    let cpu = (process::cpu_of(number)? - before) / begun.elapsed().as_secs_f64() * 100.0;
    let flaps = count(&neighbor, DOWN) - downs;
    let late = lateness(lab, times)?;
    Ok(vec![("bfdd % cpu", cpu), ("bfdd flaps", as_float(flaps)), ("bfdd late ms p99", percentile(&late, 99))])
}

/// By how much packets of the measured router come later than the interval after the one before, in milliseconds.
fn lateness(lab: &Lab, times: Times) -> Result<Vec<f64>> {
    let file = lab.folder().join("control.txt");
    let mut command = lab.router(NEIGHBOR).namespace().command("tcpdump");
    command.args(["-i", "eth0", "-Q", "in", "-tt", "-nn", "-B", "65536", "-s", "96", "udp", "dst", "port", "3784"]);
    let mut tcpdump: Child =
        command.stdout(std::fs::File::create(&file)?).stderr(Stdio::null()).spawn().context("tcpdump")?;
    std::thread::sleep(LOOKED);
    kill_process(Pid::from_child(&tcpdump), Signal::INT)?;
    tcpdump.wait()?;
    let interval = f64::from(times.interval) / 1000.0;
    let (mut last, mut late) = (HashMap::<String, f64>::new(), Vec::new());
    for line in std::fs::read_to_string(&file)?.lines() {
        let mut words = line.split_whitespace();
        let (Some(at), Some(_), Some(source)) = (words.next(), words.next(), words.next()) else { continue };
        let Ok(at) = at.parse::<f64>() else { continue };
        if let Some(before) = last.insert(source.to_owned(), at) {
            late.push((at - before - interval).max(0.0) * 1000.0);
        }
    }
    ensure!(!late.is_empty(), "no control packet was seen");
    Ok(late)
}

fn notice(lab: &Lab, daemon: &Daemon, sessions: usize, times: Times) -> Result<Figures> {
    let [measured, neighbor] = both(lab, daemon, sessions, times)?;
    let before = measured.log().len();
    for pid in neighbor.processes() {
        kill_process(pid, Signal::STOP)?;
    }
    std::thread::sleep(Duration::from_secs(3));
    let log = measured.log();
    let overdue = |line: &str| line.split_once("ms (")?.1.split_once(" usec overdue")?.0.parse::<f64>().ok();
    let late: Vec<f64> = log.get(before..).unwrap_or_default().lines().filter_map(overdue).collect();
    ensure!(late.len() >= sessions, "{} of {sessions} sessions noticed", late.len());
    let milli: Vec<f64> = late.into_iter().map(|micros| micros / 1000.0).collect();
    Ok(vec![("p50", percentile(&milli, 50)), ("p99", percentile(&milli, 99)), ("max", percentile(&milli, 100))])
}
