//! Processes of this machine that trackers count: the kernel's proc connector tells of them. Where it does not (another network or PID
//! namespace), `/proc` is read again and again for those that come, and pidfds tell at once of those that end.
//!
//! All of this is done by a thread ([`super::lookout`]): with many processes it takes long, and no advert waits for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use keepalived_config::model::{ParameterMatch, TrackProcess};
use keepalived_core::pace::Pace;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::TrackerState;
use keepalived_core::vrrp::tracking::process::{Parameters, Params, Pattern, ProcessTracker};
use keepalived_kernel::packets::BufferSize;
use keepalived_kernel::process::{self, ProcessEvent, ProcessEvents, Watched};
use keepalived_kernel::reactor::{Interest, Reactor, Token};

use super::lookout::Lookout;

/// Events that are dealt with in one turn.
const MOST_EVENTS: usize = 128;
/// Processes that are looked at in one turn, when all have to be: events are heard meanwhile.
const MOST_LOOKED_AT: usize = 64;
/// Where nothing tells of processes that come, they are looked for this often.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Of the processes that count, those whose end is told at once where we look ourselves: each takes a descriptor. The next look finds
/// that the others have ended.
const MOST_WATCHED: usize = 256;
/// Octets of events that the kernel keeps for us, unless `process_monitor_rcv_bufs` says otherwise.
const BUFFER: u32 = 1 << 20;
/// How often a tracker may change its state at once, and how often after that: who starts and ends processes without a pause must not keep
/// the routers busy.
const CHANGES_AT_ONCE: u32 = 20;
const CHANGE_PAUSE: Duration = Duration::from_millis(100);
/// How often another number of processes is told that makes no other state.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// Where the proc connector announces itself.
const EVENTS: Token = Token(2);
/// The first token of processes that end: the number of the process is added.
const ENDS: u64 = 1 << 32;

/// What the file tracks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    pub(super) processes: Vec<TrackProcess>,
    /// `process_monitor_rcv_bufs`
    pub(super) buffer: Option<u32>,
}

/// A change: which tracker, its state, and how many processes there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) state: TrackerState,
    pub(super) count: usize,
}

/// What tells of processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// The kernel, of each.
    Kernel,
    /// Nothing: we look.
    Look,
}

/// All processes that are tracked.
#[derive(Debug, Default)]
pub(super) struct Processes {
    tracked: BTreeMap<String, Tracked>,
    source: Option<Source>,
    buffer: Option<u32>,
    /// Processes that are still to be looked at.
    unseen: VecDeque<u32>,
    /// All have to be looked at once more after that.
    again: bool,
    events: Vec<ProcessEvent>,
}

#[derive(Debug)]
struct Tracked {
    settings: TrackProcess,
    pattern: Pattern,
    tracker: ProcessTracker,
    /// State and number that were told last.
    told: Option<(TrackerState, usize)>,
    changes: Pace,
    counts: Pace,
}

/// What tells of processes, with what it takes.
#[derive(Debug)]
enum Source {
    /// The proc connector tells of everything.
    Connector(ProcessEvents),
    /// We look ourselves.
    Look {
        /// When again.
        next: Instant,
        /// Those that count.
        watched: HashMap<u32, Watched>,
    },
}

impl Lookout for Processes {
    type Wanted = Wanted;
    type News = (Vec<Change>, Way);
    const NAME: &'static str = "processes";

    fn configure(&mut self, now: Instant, wanted: Wanted, reactor: &mut Reactor) {
        self.track(now, wanted, reactor);
    }

    fn turn(&mut self, now: Instant, reactor: &mut Reactor) -> (Option<Self::News>, Option<Instant>) {
        let (changes, next) = self.look(now, reactor);
        ((!changes.is_empty()).then(|| (changes, self.way())), next)
    }

    fn on_ready(&mut self, token: Token, now: Instant) {
        self.ready(token, now);
    }
}

impl Processes {
    /// Tracks `wanted` from now on. Of what is tracked as before the processes and the delays that run stay; of the others it is known at
    /// once how many there are. All are told again.
    fn track(&mut self, now: Instant, wanted: Wanted, reactor: &mut Reactor) {
        if wanted.buffer != self.buffer {
            // another buffer takes another socket, and what happens until that is open is not heard
            self.source = None;
            self.look_at_all();
        }
        self.buffer = wanted.buffer;
        // before the first look: what comes meanwhile is told
        if self.source.is_none() {
            self.source = Some(Source::open(now, wanted.buffer, reactor));
        }
        let mut before = std::mem::take(&mut self.tracked);
        let mut new = Vec::new();
        for settings in wanted.processes {
            let pattern = pattern(&settings);
            let kept = before.remove(&settings.name).filter(|old| old.pattern == pattern);
            if let Some(mut tracked) = kept {
                tracked.tracker.reconfigure(params(&settings));
                (tracked.settings, tracked.told) = (settings, None);
                self.tracked.insert(tracked.settings.name.clone(), tracked);
            } else {
                new.push((settings, pattern));
            }
        }
        if new.is_empty() {
            return;
        }
        let described: Vec<_> =
            all().into_iter().filter_map(|pid| describe(pid, new.iter().map(|(_, pattern)| pattern))).collect();
        for (settings, pattern) in new {
            let counts = described.iter().filter(|found| found.counts_for(&pattern));
            let tracker = ProcessTracker::new(params(&settings), counts.map(|found| found.pid).collect());
            self.tracked.insert(settings.name.clone(), Tracked::new(settings, pattern, tracker));
        }
        self.watch_those_that_count(reactor);
    }

    /// What tells of processes.
    const fn way(&self) -> Way {
        match self.source {
            Some(Source::Connector(_)) => Way::Kernel,
            Some(Source::Look { .. }) | None => Way::Look,
        }
    }

    /// The proc connector has something to tell, or a process has ended.
    fn ready(&mut self, token: Token, now: Instant) {
        let ended = token.0.checked_sub(ENDS).and_then(|pid| u32::try_from(pid).ok());
        let Some(pid) = ended else { return self.hear(now) };
        self.count(now, pid, |_| false);
        // its descriptor stays readable
        if let Some(Source::Look { watched, .. }) = &mut self.source {
            watched.remove(&pid);
        }
    }

    fn hear(&mut self, now: Instant) {
        let Some(Source::Connector(connector)) = &mut self.source else { return };
        let mut events = std::mem::take(&mut self.events);
        connector.events(MOST_EVENTS, &mut events);
        for event in events.drain(..) {
            match event {
                ProcessEvent::Forked { parent, child } => {
                    // it runs what its parent runs
                    self.count(now, child, |tracker| tracker.tracker.pids().contains(&parent));
                }
                ProcessEvent::Changed(pid) => self.look_at(now, pid),
                ProcessEvent::Ended(pid) => self.count(now, pid, |_| false),
                ProcessEvent::Lost => {
                    tracing::warn!("the kernel lost events about processes: all are looked at again");
                    self.look_at_all();
                }
            }
        }
        self.events = events;
    }

    /// All have to be looked at: those that are there, and those that counted and may have ended.
    fn look_at_all(&mut self) {
        // to begin anew each time would never come to the last ones while events are lost again and again
        if !self.unseen.is_empty() {
            self.again = true;
            return;
        }
        let counted = self.tracked.values().flat_map(|tracked| tracked.tracker.pids().iter().copied());
        let pids: BTreeSet<u32> = all().into_iter().chain(counted).collect();
        self.unseen = pids.into_iter().collect();
    }

    fn look_at(&mut self, now: Instant, pid: u32) {
        let found = describe(pid, self.tracked.values().map(|tracked| &tracked.pattern));
        self.count(now, pid, |tracked| found.as_ref().is_some_and(|found| found.counts_for(&tracked.pattern)));
    }

    fn count(&mut self, now: Instant, pid: u32, counts: impl Fn(&Tracked) -> bool) {
        for tracked in self.tracked.values_mut() {
            let counts = counts(tracked);
            if counts != tracked.tracker.pids().contains(&pid) {
                tracked.tracker.set(now, pid, counts);
            }
        }
    }

    /// What is due. Returns what is new, and when to come again.
    fn look(&mut self, now: Instant, reactor: &mut Reactor) -> (Vec<Change>, Option<Instant>) {
        if let Some(Source::Look { next, .. }) = &mut self.source
            && *next <= now
            && self.unseen.is_empty()
        {
            *next = now + LOOK_PAUSE;
            self.look_at_all();
        }
        let looked = self.unseen.len().min(MOST_LOOKED_AT);
        for pid in self.unseen.drain(..looked).collect::<Vec<_>>() {
            self.look_at(now, pid);
        }
        if looked > 0 {
            self.watch_those_that_count(reactor);
        }
        if self.unseen.is_empty() && std::mem::take(&mut self.again) {
            self.look_at_all();
        }
        let (mut changes, mut next) = (Vec::new(), (!self.unseen.is_empty()).then_some(now));
        if let Some(Source::Look { next: look, .. }) = &self.source {
            next = next.into_iter().chain([*look]).min();
        }
        for tracked in self.tracked.values_mut() {
            tracked.tracker.expire(now);
            changes.extend(tracked.news(now));
            next = next.into_iter().chain(tracked.next(now)).min();
        }
        (changes, next)
    }

    /// Where we look ourselves: the end of those that count is told at once.
    fn watch_those_that_count(&mut self, reactor: &mut Reactor) {
        let Some(Source::Look { watched, .. }) = &mut self.source else { return };
        let pids: BTreeSet<u32> =
            self.tracked.values().flat_map(|tracked| tracked.tracker.pids().iter().copied()).collect();
        watched.retain(|pid, _| pids.contains(pid));
        for pid in pids {
            if watched.len() >= MOST_WATCHED {
                return;
            }
            if watched.contains_key(&pid) {
                continue;
            }
            // one that cannot be watched is found to have ended by the next look
            if let Ok(process) = Watched::new(pid)
                && reactor.register(&process, Token(ENDS + u64::from(pid)), Interest::Read).is_ok()
            {
                watched.insert(pid, process);
            }
        }
    }
}

impl Source {
    fn open(now: Instant, buffer: Option<u32>, reactor: &mut Reactor) -> Self {
        let connector = ProcessEvents::open(BufferSize(buffer.unwrap_or(BUFFER)))
            .and_then(|connector| reactor.register(&connector, EVENTS, Interest::Read).map(|()| connector));
        match connector {
            Ok(connector) => Self::Connector(connector),
            Err(error) => {
                tracing::info!(
                    "the kernel does not tell of processes here ({error}): /proc is read every second for processes that come"
                );
                Self::Look { next: now + LOOK_PAUSE, watched: HashMap::new() }
            }
        }
    }
}

impl Tracked {
    const fn new(settings: TrackProcess, pattern: Pattern, tracker: ProcessTracker) -> Self {
        let (changes, counts) = (Pace::new(CHANGES_AT_ONCE, CHANGE_PAUSE), Pace::new(1, COUNT_PAUSE));
        Self { settings, pattern, tracker, told: None, changes, counts }
    }

    fn pace(&mut self) -> Option<&mut Pace> {
        let (state, count) = self.told?;
        if state != self.tracker.state() {
            Some(&mut self.changes)
        } else {
            (count != self.tracker.count()).then_some(&mut self.counts)
        }
    }

    /// Results to tell now.
    fn news(&mut self, now: Instant) -> Option<Change> {
        let is_known = self.told.is_some();
        let may = self.pace().map(|pace| pace.take(now));
        if is_known && may != Some(true) {
            return None;
        }
        let (state, count) = (self.tracker.state(), self.tracker.count());
        self.told = Some((state, count));
        Some(Change { name: self.settings.name.clone(), state, count })
    }

    /// When there is something to be told, or to count.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        let tell = self.pace().and_then(|pace| pace.next(now));
        tell.into_iter().chain(self.tracker.next()).min()
    }
}

/// A process that is alive.
struct Found {
    pid: u32,
    short_name: Vec<u8>,
    command_line: Vec<u8>,
}

impl Found {
    fn counts_for(&self, pattern: &Pattern) -> bool {
        pattern.matches(&self.short_name, &self.command_line)
    }
}

fn all() -> Vec<u32> {
    process::list().unwrap_or_else(|error| {
        tracing::error!("/proc cannot be read: {error}");
        Vec::new()
    })
}

fn describe<'a>(pid: u32, mut patterns: impl Iterator<Item = &'a Pattern>) -> Option<Found> {
    let short_name = process::short_name(pid)?;
    let needed = patterns.any(Pattern::reads_command_line);
    let command_line = if needed { process::command_line(pid)? } else { Vec::new() };
    Some(Found { pid, short_name, command_line })
}

fn pattern(settings: &TrackProcess) -> Pattern {
    let compare = match settings.parameter_match {
        ParameterMatch::None => Parameters::Any,
        ParameterMatch::Exact => Parameters::Exact,
        ParameterMatch::Initial => Parameters::Begin,
        ParameterMatch::Partial => Parameters::First,
    };
    Pattern::new(&settings.process, &settings.parameters, compare, settings.full_command)
}

const fn params(settings: &TrackProcess) -> Params {
    Params {
        quorum: settings.quorum,
        quorum_max: settings.quorum_max,
        rise: settings.fork_delay,
        fall: settings.terminate_delay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

    fn wanted(name: &str, more: &str) -> Wanted {
        let text = format!("vrrp_track_process p {{\n process {name}\n {more}\n}}\n");
        let config = crate::configuration::from_text(&text);
        Wanted { processes: config.processes, buffer: None }
    }

    fn states(changes: &[Change]) -> Vec<(TrackerState, usize)> {
        changes.iter().map(|change| (change.state, change.count)).collect()
    }

    /// No process has this name, and nothing tells of any: tests tell.
    fn nobody(more: &str) -> (Processes, Reactor) {
        let mut reactor = Reactor::new(&[]).unwrap();
        let source = Some(Source::Look { next: NOW + Duration::from_secs(1_000), watched: HashMap::new() });
        let mut processes = Processes { source, ..Processes::default() };
        processes.track(NOW, wanted("no-such-program", more), &mut reactor);
        (processes, reactor)
    }

    #[test]
    fn a_reload_keeps_the_processes_and_the_delays_that_run() {
        let (mut processes, mut reactor) = nobody("terminate_delay 2");
        assert_eq!(states(&processes.look(NOW, &mut reactor).0), [(TrackerState::Down, 0)]);
        processes.count(NOW, 7, |_| true);
        assert_eq!(states(&processes.look(NOW, &mut reactor).0), [(TrackerState::Up, 1)]);
        processes.count(NOW, 7, |_| false);
        processes.track(NOW, wanted("no-such-program", "terminate_delay 2\n weight 3"), &mut reactor);
        let (all, next) = processes.look(NOW, &mut reactor);
        assert_eq!(states(&all), [(TrackerState::Up, 0)], "all are told again");
        let over = NOW + Duration::from_secs(2);
        assert_eq!(next, Some(over));
        assert_eq!(states(&processes.look(over, &mut reactor).0), [(TrackerState::Down, 0)]);
    }

    #[test]
    fn who_starts_and_ends_processes_without_a_pause_is_told_of_now_and_then_and_at_the_end() {
        let (mut processes, mut reactor) = nobody("");
        let mut told = Vec::new();
        for step in 0..1_001_u64 {
            let now = NOW + Duration::from_micros(step * 100);
            processes.count(now, 7, |_| step % 2 == 0);
            told.extend(processes.look(now, &mut reactor).0);
        }
        assert!(told.len() <= 22, "{}", told.len());
        while let Some(next) = processes.tracked.values_mut().find_map(|tracked| tracked.next(NOW)) {
            told.extend(processes.look(next, &mut reactor).0);
        }
        assert_eq!(told.last().map(|change| (change.state, change.count)), Some((TrackerState::Up, 1)));
    }

    #[test]
    fn events_that_are_lost_again_and_again_keep_no_process_from_being_looked_at() {
        let (mut processes, mut reactor) = nobody("");
        processes.unseen = (1_000_000..1_000_100).collect();
        let mut turns = 0;
        while processes.unseen.iter().any(|pid| *pid >= 1_000_000) {
            processes.look_at_all();
            processes.look(NOW, &mut reactor);
            turns += 1;
            assert!(turns <= 2);
        }
        assert!(!processes.unseen.is_empty(), "and all of them once more");
    }

    // socket(7): the kernel doubles the value
    #[test]
    fn the_buffer_for_events_is_as_large_as_configured() {
        let mut reactor = Reactor::new(&[]).unwrap();
        let mut processes = Processes::default();
        for force in ["", "process_monitor_rcv_bufs_force"] {
            for octets in [300_000, 3_000_000] {
                let global = format!("global_defs {{\nprocess_monitor_rcv_bufs {octets}\n{force}\n}}\n");
                let buffer = crate::configuration::from_text(&global).global.buffers.process_monitor.size;
                processes.track(NOW, Wanted { buffer, ..wanted("no-such-program", "") }, &mut reactor);
                match &processes.source {
                    Some(Source::Connector(events)) => assert_eq!(events.buffer().unwrap(), octets * 2),
                    Some(Source::Look { .. }) => eprintln!("skipped: no proc connector here"),
                    None => panic!("nothing tells of processes"),
                }
            }
        }
    }

    #[test]
    fn this_process_is_counted_at_once() {
        let name = String::from_utf8(process::short_name(std::process::id()).unwrap()).unwrap();
        let mut reactor = Reactor::new(&[]).unwrap();
        let mut processes = Processes::default();
        processes.track(NOW, wanted(&name, ""), &mut reactor);
        let (first, _) = processes.look(NOW, &mut reactor);
        assert!(first[0].count > 0 && first[0].state == TrackerState::Up);
    }
}
