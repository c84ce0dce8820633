//! What trackers look at beside interfaces: scripts that are run, files that are read, processes that are counted. Results go to the
//! engine.

use std::collections::BTreeMap;

mod processes;

use keepalived_config::model::{Config, TrackScript};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::script::{Due, Params, ScriptTracker};
use keepalived_core::vrrp::tracking::{TrackerId, TrackerKind, TrackerState};
use keepalived_kernel::reactor::{Reactor, Token};

use processes::{Processes, Tokens};

use crate::message::{Blame, HowEnded};
use crate::programs::{OrderId, Programs};
use crate::track_files::TrackFiles;

/// A result of a tracker: which, what, and why in words.
pub(super) type Result = (TrackerId, TrackerState, String);

/// All scripts and files that instances track.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    scripts: BTreeMap<String, Script>,
    runs: BTreeMap<OrderId, String>,
    files: TrackFiles,
    processes: Processes,
}

/// Where files announce themselves to the event loop.
const FILES: Token = Token(16);
/// The same for processes.
const PROCESSES: Tokens = Tokens { events: Token(17), ends: 1 << 32 };

#[derive(Debug)]
struct Script {
    settings: TrackScript,
    tracker: ScriptTracker,
    /// How it ended the last time, as it was logged.
    last: Option<HowEnded>,
    /// That this machine could not run it was said.
    not_run: bool,
}

impl Script {
    fn new(settings: &TrackScript, now: Instant, known: Option<TrackerState>) -> Self {
        let tracker = ScriptTracker::new(params(settings), now, known);
        Self { settings: settings.clone(), tracker, last: None, not_run: false }
    }
}

fn of_process((name, state, detail): processes::Change) -> Result {
    (TrackerId::new(TrackerKind::Process, name), state, detail)
}

fn params(settings: &TrackScript) -> Params {
    Params {
        interval: settings.interval,
        rise: settings.rise.max(1),
        fall: settings.fall.max(1),
        init_fail: settings.init_fail,
    }
}

impl Tracking {
    /// Looks at what `config` says and `is_tracked` by any instance. A script that is the same as before keeps its results; of others
    /// `known` tells what the process before this one knew.
    pub(super) fn configure(
        &mut self,
        now: Instant,
        config: &Config,
        is_tracked: impl Fn(TrackerKind, &str) -> bool,
        known: &BTreeMap<TrackerId, TrackerState>,
        reactor: &mut Reactor,
    ) {
        let mut before = std::mem::take(&mut self.scripts);
        for script in config.scripts.iter().filter(|script| is_tracked(TrackerKind::Script, &script.name)) {
            let kept = before.remove(&script.name).filter(|old| old.settings.script == script.script).map(|mut old| {
                old.tracker.reconfigure(now, params(script));
                old.settings = script.clone();
                old
            });
            let known = || known.get(&TrackerId::new(TrackerKind::Script, &*script.name)).copied();
            let kept = kept.unwrap_or_else(|| Script::new(script, now, known()));
            self.scripts.insert(script.name.clone(), kept);
        }
        // what was watched before is closed first
        self.files = TrackFiles::default();
        let tracked = config.files.iter().filter(|file| is_tracked(TrackerKind::File, &file.name));
        self.files = TrackFiles::watch(tracked, reactor, FILES);
        self.processes = Processes::default();
        let tracked = config.processes.iter().filter(|process| is_tracked(TrackerKind::Process, &process.name));
        self.processes = Processes::new(now, tracked, config, reactor, PROCESSES);
    }

    /// What is known of all that is looked at here.
    pub(super) fn states(&self) -> Vec<Result> {
        let scripts = self.scripts.iter().map(|(name, script)| {
            (TrackerId::new(TrackerKind::Script, &**name), script.tracker.state(), String::new())
        });
        scripts.chain(self.numbers()).chain(self.processes.states().into_iter().map(of_process)).collect()
    }

    fn numbers(&self) -> impl Iterator<Item = Result> + '_ {
        self.files.numbers().map(|(name, number)| {
            (TrackerId::new(TrackerKind::File, name), TrackerState::Number(number), String::new())
        })
    }

    /// Runs what is due, and reads files that could not be read before. Returns what is new, and when to come again.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        programs: &mut Programs,
        reactor: &mut Reactor,
    ) -> (Vec<Result>, Option<Instant>) {
        for (name, script) in &mut self.scripts {
            match script.tracker.due(now) {
                Due::Nothing => {}
                Due::Run => {
                    let order = programs.run(&script.settings.script, script.settings.timeout, now);
                    self.runs.insert(order, name.clone());
                }
                Due::StillRuns => {
                    tracing::info!("Script `{name}` still runs: this run is left out");
                }
            }
        }
        let mut results: Vec<Result> = if self.files.catch_up(now) { self.numbers().collect() } else { Vec::new() };
        let (changes, processes) = self.processes.turn(now, reactor, PROCESSES);
        results.extend(changes.into_iter().map(of_process));
        let scripts = self.scripts.values().map(|script| script.tracker.next());
        (results, scripts.chain(self.files.next_at(now)).chain(processes).min())
    }

    /// Files have changed, or processes came or went.
    pub(super) fn on_ready(&mut self, token: Token, now: Instant) -> Vec<Result> {
        if token != FILES {
            return self.processes.on_ready(token, now, PROCESSES).into_iter().map(of_process).collect();
        }
        if self.files.on_ready(now) { self.numbers().collect() } else { Vec::new() }
    }

    /// A program of this process has ended. `None` if it is none of a tracker's; else what is new.
    pub(super) fn ended(&mut self, order: OrderId, how: HowEnded) -> Option<Option<Result>> {
        let name = self.runs.remove(&order)?;
        // a reload may have taken it away
        let Some(script) = self.scripts.get_mut(&name) else { return Some(None) };
        if let HowEnded::NotRun(Blame::Machine, why) = &how {
            script.tracker.not_run();
            if !std::mem::replace(&mut script.not_run, true) {
                tracing::warn!("Script `{name}` could not be run, which changes nothing: {why}");
            }
            return Some(None);
        }
        script.not_run = false;
        if script.last.as_ref() != Some(&how) {
            match &how {
                // a first success is told when it counts
                HowEnded::Status(0) if script.last.is_none() => {}
                HowEnded::Status(status) => tracing::info!("Script `{name}` now returning {status}"),
                HowEnded::TimedOut => tracing::warn!("Script `{name}` timed out"),
                HowEnded::Signal(_) | HowEnded::NotRun(..) => tracing::warn!("Script `{name}` {how}"),
            }
        }
        let success = how == HowEnded::Status(0);
        let detail = how.to_string();
        script.last = Some(how);
        let changed = script.tracker.ended(success);
        Some(changed.then(|| (TrackerId::new(TrackerKind::Script, name), script.tracker.state(), detail)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A script of a configuration, tracked by its instance.
    const TEXT: &str = "vrrp_script chk {\n script \"/bin/chk one\"\n interval 2\n fall 2\n rise 2\n}\n\
        vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100/24\n }\n \
        track_script {\n chk\n }\n}\n";

    fn tracking(text: &str, known: &BTreeMap<TrackerId, TrackerState>) -> Tracking {
        let mut tracking = Tracking::default();
        reload(&mut tracking, text, known);
        tracking
    }

    fn reload(tracking: &mut Tracking, text: &str, known: &BTreeMap<TrackerId, TrackerState>) {
        let config = crate::configuration::from_text(text);
        let mut reactor = Reactor::new(&[]).unwrap();
        tracking.configure(START, &config, |_, _| true, known, &mut reactor);
    }

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    fn state(tracking: &Tracking) -> TrackerState {
        tracking.states()[0].1
    }

    fn run(tracking: &mut Tracking, seconds: u64) -> OrderId {
        let now = START + std::time::Duration::from_secs(seconds);
        tracking.turn(now, &mut Programs::default(), &mut Reactor::new(&[]).unwrap());
        *tracking.runs.keys().next_back().unwrap()
    }

    #[test]
    fn what_a_script_comes_to_is_told_once_it_counts() {
        let mut tracking = tracking(TEXT, &BTreeMap::new());
        assert_eq!(state(&tracking), TrackerState::Initial);
        let order = run(&mut tracking, 0);
        let (id, up, detail) = tracking.ended(order, HowEnded::Status(0)).flatten().unwrap();
        assert_eq!(
            (id.to_string().as_str(), up, detail.as_str()),
            ("script chk", TrackerState::Up, "exited with status 0")
        );
        assert_eq!(tracking.ended(order, HowEnded::Status(0)), None, "told once");
        for (seconds, how, counts) in [(2, HowEnded::Signal(9), false), (4, HowEnded::TimedOut, true)] {
            let order = run(&mut tracking, seconds);
            assert_eq!(tracking.ended(order, how).flatten().is_some(), counts);
        }
        assert_eq!(state(&tracking), TrackerState::Down);
    }

    #[test]
    fn that_this_machine_could_not_run_it_says_nothing() {
        let mut tracking = tracking(TEXT, &BTreeMap::new());
        let order = run(&mut tracking, 0);
        assert_eq!(tracking.ended(order, HowEnded::NotRun(Blame::Machine, "no processes".into())), Some(None));
        assert_eq!(state(&tracking), TrackerState::Initial);
        let order = run(&mut tracking, 2);
        let missing = HowEnded::NotRun(Blame::Program, "not found".into());
        assert!(tracking.ended(order, missing).flatten().is_some(), "a program that is missing has failed");
        assert_eq!(state(&tracking), TrackerState::Down);
    }

    #[test]
    fn a_reload_keeps_the_results_of_the_same_script() {
        let mut tracking = tracking(TEXT, &BTreeMap::new());
        let order = run(&mut tracking, 0);
        tracking.ended(order, HowEnded::Status(0));
        reload(&mut tracking, &TEXT.replace("interval 2", "interval 5"), &BTreeMap::new());
        assert_eq!(state(&tracking), TrackerState::Up);
        reload(&mut tracking, &TEXT.replace("chk one", "chk two"), &BTreeMap::new());
        assert_eq!(state(&tracking), TrackerState::Initial, "another command");
    }

    #[test]
    fn another_process_begins_with_what_this_one_knew() {
        let known = BTreeMap::from([(TrackerId::new(TrackerKind::Script, "chk"), TrackerState::Down)]);
        assert_eq!(state(&tracking(TEXT, &known)), TrackerState::Down);
    }
}
