//! What instances do around the election: routes and rules, scripts, tracked processes, notifications, signed adverts.

use super::figures::Figures;
use super::process;
use super::rig::{BACKUP, Load, MASTER, Rig};
use super::watch::percentile;
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{Daemon, Flavour, Running, Stamp};
use rustix::process::Signal;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Ten routes and ten rules in each instance come with a takeover.
    Routes,
    /// So many scripts run each second.
    Scripts(usize),
    /// A tracked process dies, so many times.
    Process(usize),
    /// All instances change state at once, each with a notify script.
    Notify,
    /// Adverts with `auth_hmac` against adverts without; only ours can do that.
    Signed,
}

/// After this it is not waited for any more.
const LIMIT: Duration = Duration::from_secs(60);
/// Routes, and rules, of an instance.
const OF_INSTANCE: usize = 10;
/// How long CPU is looked at.
const LOOKED: f64 = 20.0;

impl Act {
    pub(super) fn run(self, load: Load, daemon: &Daemon) -> Result<Figures> {
        let mut rig = Rig::new(load, daemon)?;
        let figures = match self {
            Self::Routes => routes(&mut rig)?,
            Self::Scripts(count) => scripts(&mut rig, count)?,
            Self::Process(rounds) => tracked(&mut rig, rounds)?,
            Self::Notify => notify(&mut rig)?,
            Self::Signed if daemon.flavour() == Flavour::Ours => signed(load, daemon)?,
            Self::Signed => Vec::new(),
        };
        rig.finish()?;
        Ok(figures)
    }
}

fn routes_of(number: usize) -> String {
    let (high, low) = (number / 250, number % 250);
    let mut text = String::from("  virtual_routes {\n");
    for each in 0..OF_INSTANCE {
        writeln!(text, "    10.{}.{low}.{each}/32 dev eth{high} table 100", 64 + high).ok();
    }
    text += "  }\n  virtual_rules {\n";
    for each in 0..OF_INSTANCE {
        let priority = 10_000 + number * OF_INSTANCE + each;
        writeln!(text, "    from 10.{}.{low}.{each}/32 table 100 priority {priority}", 96 + high).ok();
    }
    text + "  }\n"
}

fn routes(rig: &mut Rig) -> Result<Figures> {
    rig.lines = Box::new(routes_of);
    let wanted = rig.load.instances * OF_INSTANCE;
    let begun = Instant::now();
    let running = rig.start(MASTER)?;
    let count = |rig: &Rig, what: &str, has: &str| -> Result<usize> {
        let text = rig.lab.router(MASTER).namespace().run(what)?;
        Ok(text.lines().filter(|line| line.contains(has)).count())
    };
    let at = loop {
        rig.listen(0.05)?;
        // a table that is empty is an error of `ip`
        let routes = count(rig, "ip -4 route show table 100", "10.").unwrap_or_default();
        if routes == wanted && count(rig, "ip -4 rule show", "lookup 100")? == wanted {
            break Stamp::now();
        }
        ensure!(begun.elapsed() < LIMIT, "after {} s there are {routes} of {wanted} routes", LIMIT.as_secs());
    };
    rig.listen(2.0 * rig.load.interval())?;
    let end = Stamp::now();
    rig.catch_up()?;
    let first = rig.watch.adverts.values().filter_map(|heard| heard.first()).map(|one| one.at).min();
    let first = first.context("no advert was heard")?;
    let figures = vec![("s", at.since(first)), ("max ms", lateness(rig, MASTER, first, end))];
    drop(running);
    Ok(figures)
}

/// The longest silence of a router beyond its interval, in milliseconds.
fn lateness(rig: &Rig, router: usize, start: Stamp, end: Stamp) -> f64 {
    let silences = rig.watch.silences(|sender| sender == router, start, end);
    (silences.into_iter().fold(0.0, f64::max) - rig.load.interval()).max(0.0) * 1000.0
}

/// The processes of a daemon, without the programs that it runs at this moment.
fn own(running: &Running, daemon: &Daemon) -> Vec<u32> {
    let pids = running.processes().into_iter().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    let program = fs::canonicalize(daemon.program()).ok();
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).ok() == program).collect()
}

/// Processes that were started on this machine since its start.
fn forks() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let count = text.lines().find_map(|line| line.strip_prefix("processes ")).context("no count of processes")?;
    Ok(count.trim().parse()?)
}

fn scripts(rig: &mut Rig, count: usize) -> Result<Figures> {
    let mut blocks = String::from("global_defs {\n  script_user root\n}\n");
    let mut tracked = String::from("  track_script {\n");
    for number in 0..count {
        writeln!(blocks, "vrrp_script s{number} {{\n  script /usr/bin/true\n  interval 1\n}}").ok();
        writeln!(tracked, "    s{number}").ok();
    }
    tracked += "  }\n";
    rig.lines = Box::new(move |_| tracked.clone());
    rig.blocks = blocks;
    let running = rig.start(MASTER)?;
    rig.all_held_by(MASTER, 30.0)?;
    rig.listen(5.0)?;
    let (pids, start, forked) = (own(&running, &rig.daemon), Instant::now(), forks()?);
    let cpu = |pid: &u32| process::cpu_of(*pid).ok();
    let before: Vec<Option<f64>> = pids.iter().map(cpu).collect();
    rig.listen(LOOKED)?;
    let (elapsed, forked) = (start.elapsed().as_secs_f64(), forks()? - forked);
    // a copy of the daemon that was about to become a script is no process of it
    let used = before.into_iter().zip(pids.iter().map(cpu)).filter_map(|(before, after)| Some(after? - before?));
    Ok(vec![("% cpu", used.sum::<f64>() / elapsed * 100.0), ("processes/s", forked / elapsed)])
}

fn tracked(rig: &mut Rig, rounds: usize) -> Result<Figures> {
    let program = rig.lab.folder().join("kl-tracked");
    fs::copy("/bin/sleep", &program)?;
    rig.blocks = "vrrp_track_process tracked {\n  process kl-tracked\n}\n".to_owned();
    rig.lines = Box::new(|_| "  track_process {\n    tracked\n  }\n".to_owned());
    let running = rig.start(MASTER)?;
    let mut waits = Vec::new();
    for _ in 0..rounds {
        let mut child = rig.lab.router(MASTER).namespace().command(&program).arg("1000").spawn()?;
        let (begun, started) = (Instant::now(), Stamp::now());
        // it is master again
        let claims = |rig: &Rig| rig.watch.sent(MASTER, started, Stamp::now());
        while claims(rig) < 2 {
            ensure!(begun.elapsed() < LIMIT, "it does not become master");
            rig.listen(0.1)?;
        }
        rig.listen(0.3)?;
        let killed = Stamp::now();
        child.kill()?;
        child.wait()?;
        rig.listen(1.0)?;
        rig.catch_up()?;
        let all = rig.watch.adverts.values().flatten();
        let farewell = all.filter(|one| one.priority == 0 && one.at >= killed).map(|one| one.at).min();
        waits.push(farewell.map_or(f64::INFINITY, |at| at.since(killed) * 1000.0));
    }
    drop(running);
    Ok([50, 99, 100].into_iter().zip(["p50", "p99", "max"]).map(|(p, label)| (label, percentile(&waits, p))).collect())
}

/// A script that writes the state that it is told of into a file, and that file.
fn notifier(folder: &Path) -> Result<[PathBuf; 2]> {
    let [script, told] = ["notify.sh", "told"].map(|name| folder.join(name));
    fs::write(&script, format!("#!/bin/sh\necho \"$3\" >> {}\n", told.display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok([script, told])
}

fn notify(rig: &mut Rig) -> Result<Figures> {
    let [script, told] = notifier(rig.lab.folder())?;
    rig.blocks = "global_defs {\n  script_user root\n}\n".to_owned();
    rig.lines = Box::new(move |_| format!("  notify {}\n", script.display()));
    let [master, _backup] = rig.settled_pair()?;
    rig.listen(5.0)?;
    fs::write(&told, "")?;
    let killed = Stamp::now();
    let begun = Instant::now();
    // it says farewell for all at once: a master that is killed is missed by each at its own time, within a second
    master.signal(Signal::TERM)?;
    let at = loop {
        rig.listen(0.02)?;
        let all = fs::read_to_string(&told)?;
        if all.lines().filter(|line| *line == "MASTER").count() >= rig.load.instances {
            break Stamp::now();
        }
        ensure!(begun.elapsed() < LIMIT, "after {} s {} scripts have run", LIMIT.as_secs(), all.lines().count());
    };
    rig.listen(3.0 * rig.load.interval())?;
    let end = Stamp::now();
    rig.catch_up()?;
    let taken = |heard: &Vec<super::watch::Heard>| {
        heard.iter().find(|one| one.router == BACKUP && one.at > killed).map(|one| one.at)
    };
    let first = rig.watch.adverts.values().filter_map(taken).min().context("nobody took over")?;
    // from the first advert of each on
    let late = rig.watch.adverts.values().flat_map(|heard| {
        let of_backup: Vec<Stamp> =
            heard.iter().filter(|one| one.router == BACKUP && one.at > killed).map(|one| one.at).collect();
        let silences: Vec<f64> = of_backup.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        silences.into_iter().chain(of_backup.last().map(|last| end.since(*last)))
    });
    let late = (late.fold(0.0, f64::max) - rig.load.interval()).max(0.0) * 1000.0;
    Ok(vec![("s", at.since(first)), ("max ms", late)])
}

/// CPU of the master, in percent of a core.
fn cpu_of_master(load: Load, daemon: &Daemon, lines: &'static str) -> Result<f64> {
    let mut rig = Rig::new(load, daemon)?;
    rig.lines = Box::new(move |_| lines.to_owned());
    let [master, _backup] = rig.settled_pair()?;
    let (before, begun) = (process::cpu(&master)?, Instant::now());
    rig.listen(LOOKED)?;
    let used = (process::cpu(&master)? - before) / begun.elapsed().as_secs_f64() * 100.0;
    drop(master);
    rig.finish()?;
    Ok(used)
}

fn signed(load: Load, daemon: &Daemon) -> Result<Figures> {
    const SIGNED: &str = "  auth_hmac {\n    key 1 0123456789abcdef0123456789abcdef\n    active_key 1\n  }\n";
    let [without, with] = ["", SIGNED].map(|lines| cpu_of_master(load, daemon, lines));
    let (without, with) = (without?, with?);
    Ok(vec![("% cpu without", without), ("% cpu with", with), ("times", with / without)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_routes_and_rules_of_its_own() {
        let all: String = [0, 1, 250, 499].into_iter().map(routes_of).collect();
        let lines: std::collections::BTreeSet<&str> = all.lines().filter(|line| line.contains("table 100")).collect();
        assert_eq!(lines.len(), 4 * 2 * OF_INSTANCE);
    }

    #[test]
    fn processes_are_counted() {
        let before = forks().unwrap();
        std::process::Command::new("/bin/true").status().unwrap();
        assert!(forks().unwrap() > before);
    }
}
