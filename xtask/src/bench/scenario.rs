//! How each figure is come by. The definitions are those of docs/performance.md.

use super::balance::Act;
use super::figures::{Figures, as_float};
use super::gap::Disturbance;
use super::macs::come_and_go;
use super::observe::observe;
use super::parse::{LargeFile, plan};
use super::rig::{BACKUP, Load, MASTER, Rig};
use super::watch::percentile;
use super::{Effort, process};
use super::{around, bfd};
use anyhow::Result;
use keepalived_lab::{Daemon, Flavour, Stamp};
use rustix::process::{Signal, kill_process};
use std::fs::File;
use std::process::Stdio;

/// Something to do to a pair of routers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scenario {
    /// kill -9 of all the master's processes.
    Crash(Load),
    /// SIGTERM to the master.
    Stop(Load),
    /// The master starts while the backup is alone.
    Return(Load),
    /// SIGHUP to the master, its file unchanged.
    Reload(Load),
    /// kill -9 of the master's vrrp process only.
    Respawn(Load),
    /// A pair of routers while something else goes on.
    Gap(Load, Disturbance),
    /// An instance with a virtual MAC each: start and stop.
    Macs(Load),
    /// What instances do besides.
    Around(Load, around::Act),
    /// BFD sessions between two routers.
    Bfd(bfd::Act),
    /// So many virtual servers with ten servers each beside the instances, and many who ask; only ours can be asked.
    Observe(Load, usize),
    /// `-t` of a large file.
    Parse(LargeFile),
    /// A file against one that differs in one thing; only ours can be asked.
    Plan(LargeFile),
    /// A checker process with many servers.
    Balance(Act),
    /// The same on this kernel.
    BalanceHere(Act),
}

impl Scenario {
    pub(super) fn run(self, name: &str, daemon: &Daemon, effort: Effort) -> Result<Figures> {
        match self {
            Self::Crash(load) => Self::on_routers(load, daemon, crash),
            Self::Stop(load) => Self::on_routers(load, daemon, stop),
            Self::Return(load) => Self::on_routers(load, daemon, |rig| come_back(rig, effort)),
            Self::Reload(load) => Self::on_routers(load, daemon, reload),
            Self::Respawn(load) => Self::on_routers(load, daemon, respawn),
            Self::Gap(load, disturbance) => disturbance.run(load, daemon),
            Self::Macs(load) => Self::on_routers(load, daemon, come_and_go),
            Self::Around(load, act) => act.run(load, daemon),
            Self::Bfd(act) => act.run(daemon),
            Self::Observe(load, services) if daemon.flavour() == Flavour::Ours => observe(load, services, daemon),
            Self::Observe(..) => Ok(Vec::new()),
            Self::Parse(file) => file.run(daemon),
            Self::Plan(file) if daemon.flavour() == Flavour::Ours => plan(file),
            Self::Plan(_) => Ok(Vec::new()),
            Self::Balance(act) => act.run(name, daemon),
            Self::BalanceHere(act) => act.run_here(daemon),
        }
    }

    fn on_routers(load: Load, daemon: &Daemon, act: impl Fn(&mut Rig) -> Result<Figures>) -> Result<Figures> {
        let mut rig = Rig::new(load, daemon)?;
        let figures = act(&mut rig)?;
        rig.finish()?;
        Ok(figures)
    }
}

fn milliseconds(seconds: Vec<f64>, labels: [&'static str; 3]) -> Figures {
    let values: Vec<f64> = seconds.into_iter().map(|value| value * 1000.0).collect();
    [50, 99, 100].into_iter().zip(labels).map(|(percent, label)| (label, percentile(&values, percent))).collect()
}

fn crash(rig: &mut Rig) -> Result<Figures> {
    let [master, _backup] = rig.settled_pair()?;
    let memory = process::pss(&master)?;
    let killed = Stamp::now();
    master.kill();
    let load = rig.load;
    rig.listen(4.0 * load.interval() + load.skew() + 2.0)?;
    let (mut waits, mut bursts) = (Vec::new(), Vec::new());
    for (key, heard) in &rig.watch.adverts {
        let first = heard.iter().find(|one| one.router == BACKUP && one.at > killed);
        let last = heard.iter().rfind(|one| one.router == MASTER);
        let (Some(first), Some(last)) = (first, last) else {
            // never taken over: shows as an endless wait
            waits.push(f64::INFINITY);
            continue;
        };
        waits.push(first.at.since(last.at) - 3.0 * load.interval() - load.skew());
        let garps = rig.watch.garps.get(key).map(Vec::as_slice).unwrap_or_default();
        let of_burst = |at: Stamp, router: usize| router == BACKUP && at > killed && at.since(first.at) < 1.0;
        let last_garp = garps.iter().filter(|(at, router)| of_burst(*at, *router)).map(|(at, _)| at.since(first.at));
        bursts.push(last_garp.fold(f64::NAN, f64::max));
    }
    let mut figures = milliseconds(waits, ["p50", "p99", "max"]);
    figures.extend(milliseconds(bursts, ["burst p50", "burst p99", "burst max"]));
    figures.push(("MB", memory));
    Ok(figures)
}

fn stop(rig: &mut Rig) -> Result<Figures> {
    let [master, _backup] = rig.settled_pair()?;
    master.signal(Signal::TERM)?;
    let load = rig.load;
    rig.listen(2.0 * load.interval() + load.skew() + 1.0)?;
    let waits = rig.watch.adverts.values().map(|heard| {
        let goodbye = heard.iter().find(|one| one.router == MASTER && one.priority == 0);
        let first = goodbye.and_then(|goodbye| heard.iter().find(|one| one.router == BACKUP && one.at > goodbye.at));
        let pair = goodbye.zip(first);
        pair.map_or(f64::INFINITY, |(goodbye, first)| first.at.since(goodbye.at) - load.skew())
    });
    let figures = milliseconds(waits.collect(), ["p50", "p99", "max"]);
    Ok(figures)
}

/// The longest wait until all is settled.
const WATCHED: f64 = 40.0;

fn come_back(rig: &mut Rig, effort: Effort) -> Result<Figures> {
    let load = rig.load;
    let backup = rig.start(BACKUP)?;
    rig.all_held_by(BACKUP, 20.0 + 5.0 * load.interval())?;
    rig.listen(5.0 + 4.0 * load.interval())?;
    let start = Stamp::now();
    let master = rig.start(MASTER)?;
    let quiet = effort.quiet.max(10.0 * load.interval()).min(12.0);
    let last_change =
        |rig: &Rig| rig.watch.changes(start).into_values().flatten().max().map_or(0.0, |at| at.since(start));
    loop {
        rig.listen(1.0)?;
        let now = Stamp::now().since(start);
        if now > WATCHED || (rig.watch.held_by(MASTER) == load.instances && now > last_change(rig) + quiet) {
            break;
        }
    }
    let changes = rig.watch.changes(start);
    let taken = rig.watch.held_by(MASTER);
    let at_peace = taken == load.instances && Stamp::now().since(start) > last_change(rig) + 3.0;
    let garps: usize = rig.watch.garps.values().map(|all| all.iter().filter(|(at, _)| *at > start).count()).sum();
    let (before, from) = ([process::cpu(&master)?, process::cpu(&backup)?], Stamp::now());
    rig.listen(10.0)?;
    let (after, until) = ([process::cpu(&master)?, process::cpu(&backup)?], Stamp::now());
    rig.catch_up()?;
    let elapsed = until.since(from);
    let due = as_float(load.instances) * elapsed / load.interval();
    Ok(vec![
        ("s", if at_peace { last_change(rig) } else { f64::INFINITY }),
        ("changes", as_float(changes.values().map(Vec::len).sum())),
        ("taken back", as_float(taken)),
        ("worst flaps", as_float(changes.values().map(Vec::len).max().unwrap_or(0))),
        ("garps", as_float(garps)),
        ("% of due adverts", 100.0 * as_float(rig.watch.sent(MASTER, from, until)) / due),
        ("% cpu master", 100.0 * (after[MASTER] - before[MASTER]) / elapsed),
        ("% cpu backup", 100.0 * (after[BACKUP] - before[BACKUP]) / elapsed),
        ("MB", process::pss(&master)?),
    ])
}

fn reload(rig: &mut Rig) -> Result<Figures> {
    let [master, _backup] = rig.settled_pair()?;
    let load = rig.load;
    let start = Stamp::now();
    master.signal(Signal::HUP)?;
    rig.listen(4.0 * load.interval())?;
    let end = Stamp::now();
    rig.catch_up()?;
    let silences =
        rig.watch.silences(|_| true, start, end).into_iter().map(|longest| (longest - load.interval()) * 1000.0);
    let silences: Vec<f64> = silences.collect();
    let changes: usize = rig.watch.changes(start).values().map(Vec::len).sum();
    Ok(vec![
        ("max ms", percentile(&silences, 100)),
        ("p50 ms", percentile(&silences, 50)),
        ("changes", as_float(changes)),
    ])
}

fn respawn(rig: &mut Rig) -> Result<Figures> {
    let [master, _backup] = rig.settled_pair()?;
    let file = rig.lab.folder().join("addresses");
    let mut monitor = rig.lab.router(MASTER).namespace().command("ip");
    let mut monitor =
        monitor.args(["-o", "monitor", "address"]).stdout(File::create(&file)?).stderr(Stdio::null()).spawn()?;
    rig.listen(0.5)?;
    let start = Stamp::now();
    kill_process(master.vrrp_pid()?, Signal::KILL)?;
    rig.listen(8.0 * rig.load.interval())?;
    let end = Stamp::now();
    rig.catch_up()?;
    monitor.kill()?;
    monitor.wait()?;
    let removed = std::fs::read_to_string(&file)?.lines().filter(|line| line.starts_with("Deleted")).count();
    let silences =
        rig.watch.silences(|_| true, start, end).into_iter().map(|longest| (longest - rig.load.interval()) * 1000.0);
    let changes: usize = rig.watch.changes(start).values().map(Vec::len).sum();
    Ok(vec![
        ("max ms", silences.fold(0.0, f64::max)),
        ("addresses removed", as_float(removed)),
        ("changes", as_float(changes)),
    ])
}
