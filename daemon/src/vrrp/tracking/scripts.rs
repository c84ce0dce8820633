//! Scripts that are run again and again: which of them begin now, and whose result it is when a program ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use keepalived_config::model::TrackScript;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::script::{Due, Params, ScriptTracker};
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};

use super::Result;
use crate::message::{Blame, HowEnded};
use crate::programs::{OrderId, Programs};

/// Programs that began within [`YOUNG`] and run, at most: a thousand scripts that are due at once are no thousand processes.
const MOST_YOUNG: usize = 64;

/// A program that has run for longer takes no turn away from others: one that hangs must not keep them from running.
const YOUNG: Duration = Duration::from_millis(250);

/// Programs that run, at most, however long they have done so.
const MOST: usize = 1_024;

/// All scripts that instances track.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    scripts: BTreeMap<Arc<str>, Script>,
    /// When each is due. Those that there was no room for are the first.
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// Programs that run, in the order in which they began.
    runs: BTreeMap<OrderId, Run>,
}

#[derive(Debug)]
struct Script {
    settings: TrackScript,
    tracker: ScriptTracker,
    /// The program that runs for it.
    order: Option<OrderId>,
    /// How it ended the last time, as it was logged.
    last: Option<HowEnded>,
    /// That this machine could not run it was said.
    not_run: bool,
}

#[derive(Debug)]
struct Run {
    name: Arc<str>,
    begun: Instant,
}

impl Script {
    fn new(settings: &TrackScript, now: Instant, known: Option<TrackerState>) -> Self {
        let tracker = ScriptTracker::new(params(settings), now, known);
        Self { settings: settings.clone(), tracker, order: None, last: None, not_run: false }
    }

    fn detail(&self) -> Detail {
        self.last.as_ref().map(|how| Detail::Words(how.to_string())).unwrap_or_default()
    }

    /// Takes other settings. Returns the program that runs and whose result says nothing any more.
    fn reconfigure(&mut self, settings: &TrackScript, now: Instant) -> Option<OrderId> {
        let is_same = self.settings.script == settings.script;
        self.settings = settings.clone();
        if is_same {
            self.tracker.reconfigure(now, params(settings));
            return None;
        }
        self.tracker.replace(now, params(settings));
        self.order.take()
    }
}

fn params(settings: &TrackScript) -> Params {
    Params {
        interval: settings.interval,
        rise: settings.rise.max(1),
        fall: settings.fall.max(1),
        init_fail: settings.init_fail,
    }
}

impl Scripts {
    /// Runs `wanted` from now on. A script of the same name as before keeps what is known of it; of others `known` tells what the
    /// process before this one knew. Programs that run for scripts that are gone, or that run another program now, are ended.
    pub(super) fn configure<'a>(
        &mut self,
        now: Instant,
        wanted: impl Iterator<Item = &'a TrackScript>,
        known: &BTreeMap<TrackerId, TrackerState>,
        programs: &mut Programs,
    ) {
        let mut before = std::mem::take(&mut self.scripts);
        let mut useless = Vec::new();
        for settings in wanted {
            let name: Arc<str> = Arc::from(settings.name.as_str());
            let script = match before.remove(&name) {
                Some(mut script) => {
                    useless.extend(script.reconfigure(settings, now));
                    script
                }
                None => {
                    let id = TrackerId::new(TrackerKind::Script, &*settings.name);
                    Script::new(settings, now, known.get(&id).copied())
                }
            };
            self.scripts.insert(name, script);
        }
        useless.extend(before.into_values().filter_map(|script| script.order));
        useless.into_iter().for_each(|order| programs.end(order, Duration::ZERO));
        let deadline = |(name, script): (&Arc<str>, &Script)| (script.tracker.next(), Arc::clone(name));
        self.deadlines = self.scripts.iter().map(deadline).collect();
    }

    /// What is known of each.
    pub(super) fn states(&self) -> impl Iterator<Item = Result> + '_ {
        self.scripts.iter().map(|(name, script)| {
            (TrackerId::new(TrackerKind::Script, &**name), script.tracker.state(), script.detail())
        })
    }

    /// Begins what is due, as far as there is room. Returns when to come again; the end of a program may be sooner.
    pub(super) fn turn(&mut self, now: Instant, programs: &mut Programs) -> Option<Instant> {
        while self.deadlines.first().is_some_and(|(at, _)| *at <= now) {
            let room = self.has_room();
            if room.is_none_or(|at| at > now) {
                return room;
            }
            let Some((_, name)) = self.deadlines.pop_first() else { break };
            let Some(script) = self.scripts.get_mut(&name) else { continue };
            match script.tracker.due(now) {
                Due::Nothing => {}
                Due::Run => {
                    let order = programs.run(&script.settings.script, script.settings.timeout, now);
                    script.order = Some(order);
                    self.runs.insert(order, Run { name: Arc::clone(&name), begun: now });
                }
                Due::StillRuns => {
                    tracing::info!("Script `{name}` still runs: this run is left out");
                }
            }
            self.deadlines.insert((script.tracker.next(), name));
        }
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// When one more may begin; `None` if one has to end first.
    fn has_room(&self) -> Option<Instant> {
        if self.runs.len() >= MOST {
            return None;
        }
        // of those that began last, the first that counts
        let first = self.runs.values().rev().nth(MOST_YOUNG - 1);
        Some(first.map_or(Instant::ZERO, |run| run.begun + YOUNG))
    }

    /// A program has ended. `None` if it is none of these; else its result, if it has one, as far as it counts.
    pub(super) fn ended(&mut self, order: OrderId, how: HowEnded) -> Option<Option<Result>> {
        let Run { name, .. } = self.runs.remove(&order)?;
        // a reload may have taken it away, or may run another program
        let Some(script) = self.scripts.get_mut(&name).filter(|script| script.order == Some(order)) else {
            return Some(None);
        };
        script.order = None;
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
        script.tracker.ended(how == HowEnded::Status(0));
        script.last = Some(how);
        Some(Some((TrackerId::new(TrackerKind::Script, &*name), script.tracker.state(), script.detail())))
    }
}

#[cfg(test)]
mod tests {
    use keepalived_config::model::Config;

    use super::*;

    /// A script of a configuration, tracked by its instance.
    const TEXT: &str = "vrrp_script chk {\n script \"/bin/chk one\"\n interval 2\n fall 2\n rise 2\n}\n\
        vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100/24\n }\n \
        track_script {\n chk\n }\n}\n";

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    fn at(seconds: u64) -> Instant {
        START + Duration::from_secs(seconds)
    }

    /// Scripts, and what orders their programs.
    struct World {
        scripts: Scripts,
        programs: Programs,
    }

    impl World {
        fn new(text: &str, known: &BTreeMap<TrackerId, TrackerState>) -> Self {
            let mut world = Self { scripts: Scripts::default(), programs: Programs::default() };
            world.configure(START, &crate::configuration::from_text(text), known);
            world
        }

        fn configure(&mut self, now: Instant, config: &Config, known: &BTreeMap<TrackerId, TrackerState>) {
            self.scripts.configure(now, config.scripts.iter(), known, &mut self.programs);
        }

        fn reload(&mut self, seconds: u64, text: &str) {
            self.configure(at(seconds), &crate::configuration::from_text(text), &BTreeMap::new());
        }

        fn state(&self) -> TrackerState {
            self.scripts.states().next().unwrap().1
        }

        /// The program that began last, by then.
        fn run(&mut self, seconds: u64) -> OrderId {
            self.scripts.turn(at(seconds), &mut self.programs);
            *self.scripts.runs.keys().next_back().unwrap()
        }

        fn ended(&mut self, order: OrderId, status: i32) -> Option<Option<Result>> {
            self.scripts.ended(order, HowEnded::Status(status))
        }
    }

    #[test]
    fn what_a_script_comes_to_is_told_with_how_it_ended() {
        let mut world = World::new(TEXT, &BTreeMap::new());
        assert_eq!(world.state(), TrackerState::Initial);
        let order = world.run(0);
        let (id, up, detail) = world.ended(order, 0).flatten().unwrap();
        assert_eq!(
            (id.to_string().as_str(), up, detail.to_string().as_str()),
            ("script chk", TrackerState::Up, "exited with status 0")
        );
        assert_eq!(world.ended(order, 0), None, "told once");
        let ends = [
            (2, HowEnded::Signal(9), TrackerState::Up, "was ended by signal 9"),
            (4, HowEnded::TimedOut, TrackerState::Down, "was asked to end"),
        ];
        for (seconds, how, state, why) in ends {
            let order = world.run(seconds);
            let (_, told, detail) = world.scripts.ended(order, how).flatten().unwrap();
            assert_eq!((told, detail.to_string().as_str()), (state, why));
        }
        assert_eq!(world.state(), TrackerState::Down);
    }

    #[test]
    fn that_this_machine_could_not_run_it_says_nothing() {
        let mut world = World::new(TEXT, &BTreeMap::new());
        let order = world.run(0);
        let short = HowEnded::NotRun(Blame::Machine, "no processes".into());
        assert_eq!(world.scripts.ended(order, short), Some(None));
        assert_eq!(world.state(), TrackerState::Initial);
        let order = world.run(2);
        let missing = HowEnded::NotRun(Blame::Program, "not found".into());
        assert!(world.scripts.ended(order, missing).flatten().is_some(), "a program that is missing has failed");
        assert_eq!(world.state(), TrackerState::Down);
    }

    #[test]
    fn a_reload_keeps_what_is_known() {
        let mut world = World::new(TEXT, &BTreeMap::new());
        let order = world.run(0);
        world.ended(order, 0);
        world.reload(1, &TEXT.replace("interval 2", "interval 5"));
        assert_eq!(world.state(), TrackerState::Up);
        world.reload(1, &TEXT.replace("chk one", "chk two"));
        assert_eq!(world.state(), TrackerState::Up, "another command: until it has a result");
        let order = world.run(1);
        world.ended(order, 1);
        assert_eq!(world.state(), TrackerState::Down, "which decides");
    }

    #[test]
    fn what_ran_before_a_reload_says_nothing_about_another_command() {
        let mut world = World::new(TEXT, &BTreeMap::new());
        let old = world.run(0);
        world.reload(1, &TEXT.replace("chk one", "chk two"));
        let new = world.run(1);
        assert_ne!(old, new, "the new command begins at once");
        assert_eq!(world.ended(old, 0), Some(None));
        assert_eq!(world.state(), TrackerState::Initial);
        assert_eq!(world.run(2), new, "it still runs");
        assert!(world.ended(new, 1).flatten().is_some());
    }

    #[test]
    fn what_ran_for_a_script_that_is_gone_is_ended() {
        let mut world = World::new(TEXT, &BTreeMap::new());
        // no runner has the order yet, so its end is reported at once
        let old = world.run(0);
        world.configure(at(1), &Config::default(), &BTreeMap::new());
        assert_eq!(world.programs.ended(), [(old, HowEnded::TimedOut)]);
        world.reload(1, TEXT);
        assert_eq!(world.ended(old, 1), Some(None), "the script of that name is another one");
        assert_eq!(world.state(), TrackerState::Initial);
    }

    #[test]
    fn another_process_begins_with_what_this_one_knew() {
        let known = BTreeMap::from([(TrackerId::new(TrackerKind::Script, "chk"), TrackerState::Down)]);
        assert_eq!(World::new(TEXT, &known).state(), TrackerState::Down);
    }

    fn many(count: usize) -> World {
        let one = crate::configuration::from_text(TEXT).scripts.remove(0);
        let named = |number: usize| TrackScript { name: number.to_string(), ..one.clone() };
        let config = Config { scripts: (0..count).map(named).collect(), ..Config::default() };
        let mut world = World::new("", &BTreeMap::new());
        world.configure(START, &config, &BTreeMap::new());
        world
    }

    #[test]
    fn many_that_are_due_at_once_take_turns() {
        let mut world = many(1_000);
        let (mut turns, mut begun) = (0, 0);
        while begun < 1_000 {
            world.run(0);
            let runs: Vec<OrderId> = world.scripts.runs.keys().copied().collect();
            assert!(runs.len() <= MOST_YOUNG);
            (turns, begun) = (turns + 1, begun + runs.len());
            runs.into_iter().for_each(|order| drop(world.ended(order, 0)));
        }
        assert_eq!(turns, 1_000_usize.div_ceil(MOST_YOUNG));
        assert_eq!(world.scripts.turn(at(0), &mut world.programs), Some(at(2)), "each had one turn");
    }

    #[test]
    fn those_that_hang_keep_no_others_from_running() {
        let mut world = many(2_000);
        let mut now = START;
        for turn in 1..=MOST / MOST_YOUNG {
            let next = world.scripts.turn(now, &mut world.programs);
            assert_eq!(world.scripts.runs.len(), turn * MOST_YOUNG);
            now = next.unwrap_or(now);
        }
        assert_eq!(world.scripts.turn(now + YOUNG, &mut world.programs), None, "one has to end");
        let first = *world.scripts.runs.keys().next().unwrap();
        world.ended(first, 0);
        world.scripts.turn(now + YOUNG, &mut world.programs);
        assert_eq!(world.scripts.runs.len(), MOST);
    }
}
