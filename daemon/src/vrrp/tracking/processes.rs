//! Processes of this machine that trackers count: the kernel's proc connector tells of them. Where it does not (another network or PID
//! namespace), `/proc` is read again and again for those that come, and pidfds tell at once of those that end.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use keepalived_config::model::{Config, ParameterMatch, TrackProcess};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::TrackerState;
use keepalived_core::vrrp::tracking::process::{Parameters, Params, Pattern, ProcessTracker};
use keepalived_kernel::packets::BufferSize;
use keepalived_kernel::process::{self, ProcessEvent, ProcessEvents, Watched};
use keepalived_kernel::reactor::{Interest, Reactor, Token};

/// Events that are dealt with in one turn: each may cost two reads in `/proc`, and adverts wait for them.
const MOST_EVENTS: usize = 128;
/// Processes that are looked at in one turn, when all have to be.
const MOST_LOOKED_AT: usize = 64;
/// Where nothing tells of processes that come, they are looked for this often.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Octets of events that the kernel keeps for us, unless `process_monitor_rcv_bufs` says otherwise.
const BUFFER: u32 = 1 << 20;

/// A change: which tracker, its state, and how many processes there are.
pub(super) type Change = (String, TrackerState, String);

/// All processes that are tracked.
#[derive(Debug, Default)]
pub(super) struct Processes {
    tracked: BTreeMap<String, Tracked>,
    source: Option<Source>,
    /// Processes that are still to be looked at.
    unseen: VecDeque<u32>,
    events: Vec<ProcessEvent>,
}

#[derive(Debug)]
struct Tracked {
    pattern: Pattern,
    tracker: ProcessTracker,
}

/// What tells of processes.
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

/// Where processes announce themselves to the event loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    /// The proc connector.
    pub(super) events: Token,
    /// The first of those for processes that end: the number of the process is added.
    pub(super) ends: u64,
}

impl Processes {
    /// Begins to track `wanted`: at once it is known how many there are.
    pub(super) fn new<'a>(
        now: Instant,
        wanted: impl Iterator<Item = &'a TrackProcess>,
        config: &Config,
        reactor: &mut Reactor,
        tokens: Tokens,
    ) -> Self {
        let mut wanted = wanted.peekable();
        if wanted.peek().is_none() {
            return Self::default();
        }
        // before the first look: what comes meanwhile is told
        let buffer = BufferSize(config.global.buffers.process_monitor.size.unwrap_or(BUFFER));
        let connector = ProcessEvents::open(buffer)
            .and_then(|connector| reactor.register(&connector, tokens.events, Interest::Read).map(|()| connector));
        let source = match connector {
            Ok(connector) => Source::Connector(connector),
            Err(error) => {
                tracing::info!(
                    "the kernel does not tell of processes here ({error}): /proc is read every second for processes that come"
                );
                Source::Look { next: now + LOOK_PAUSE, watched: HashMap::new() }
            }
        };
        let patterns: Vec<_> = wanted.map(|settings| (settings, pattern(settings))).collect();
        let described: Vec<_> =
            all().into_iter().filter_map(|pid| describe(pid, patterns.iter().map(|(_, pattern)| pattern))).collect();
        let tracked = patterns.into_iter().map(|(settings, pattern)| {
            let counts = described.iter().filter(|found| found.counts_for(&pattern));
            let pids = counts.map(|found| found.pid).collect();
            let tracker = ProcessTracker::new(params(settings), pids);
            (settings.name.clone(), Tracked { pattern, tracker })
        });
        let tracked = tracked.collect();
        let mut processes = Self { tracked, source: Some(source), unseen: VecDeque::new(), events: Vec::new() };
        processes.watch_those_that_count(reactor, tokens);
        processes
    }

    /// How all trackers stand.
    pub(super) fn states(&self) -> Vec<Change> {
        self.tracked.iter().map(|(name, tracked)| tracked.change(name)).collect()
    }

    /// The proc connector has something to tell, or a process has ended.
    pub(super) fn on_ready(&mut self, token: Token, now: Instant, tokens: Tokens) -> Vec<Change> {
        let ended = token.0.checked_sub(tokens.ends).and_then(|pid| u32::try_from(pid).ok());
        let Some(pid) = ended else { return self.hear(now) };
        let changes = self.count(now, pid, |_| false);
        // its descriptor stays readable
        if let Some(Source::Look { watched, .. }) = &mut self.source {
            watched.remove(&pid);
        }
        changes
    }

    fn hear(&mut self, now: Instant) -> Vec<Change> {
        let Some(Source::Connector(connector)) = &mut self.source else { return Vec::new() };
        let mut events = std::mem::take(&mut self.events);
        connector.events(MOST_EVENTS, &mut events);
        let mut changes = Vec::new();
        for event in events.drain(..) {
            match event {
                ProcessEvent::Forked { parent, child } => {
                    // it runs what its parent runs
                    let counts = |tracker: &Tracked| tracker.tracker.pids().contains(&parent);
                    changes.extend(self.count(now, child, counts));
                }
                ProcessEvent::Changed(pid) => changes.extend(self.look_at(now, pid)),
                ProcessEvent::Ended(pid) => changes.extend(self.count(now, pid, |_| false)),
                ProcessEvent::Lost => {
                    tracing::warn!("the kernel lost events about processes: all are looked at again");
                    self.look_at_all();
                }
            }
        }
        self.events = events;
        changes
    }

    /// All have to be looked at: those that are there, and those that counted and may have ended.
    fn look_at_all(&mut self) {
        let counted = self.tracked.values().flat_map(|tracked| tracked.tracker.pids().iter().copied());
        let pids: BTreeSet<u32> = all().into_iter().chain(counted).collect();
        self.unseen = pids.into_iter().collect();
    }

    fn look_at(&mut self, now: Instant, pid: u32) -> Vec<Change> {
        let found = describe(pid, self.tracked.values().map(|tracked| &tracked.pattern));
        self.count(now, pid, |tracked| found.as_ref().is_some_and(|found| found.counts_for(&tracked.pattern)))
    }

    fn count(&mut self, now: Instant, pid: u32, counts: impl Fn(&Tracked) -> bool) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, tracked) in &mut self.tracked {
            let counts = counts(tracked);
            if counts != tracked.tracker.pids().contains(&pid) && tracked.tracker.set(now, pid, counts) {
                changes.push(tracked.change(name));
            }
        }
        changes
    }

    /// What is due. Returns what is new, and when to come again.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        reactor: &mut Reactor,
        tokens: Tokens,
    ) -> (Vec<Change>, Option<Instant>) {
        let mut changes = Vec::new();
        if let Some(Source::Look { next, .. }) = &mut self.source
            && *next <= now
            && self.unseen.is_empty()
        {
            *next = now + LOOK_PAUSE;
            self.look_at_all();
        }
        let looked = self.unseen.len().min(MOST_LOOKED_AT);
        for pid in self.unseen.drain(..looked).collect::<Vec<_>>() {
            changes.extend(self.look_at(now, pid));
        }
        if looked > 0 {
            self.watch_those_that_count(reactor, tokens);
        }
        for (name, tracked) in &mut self.tracked {
            if tracked.tracker.expire(now) {
                changes.push(tracked.change(name));
            }
        }
        let more = (!self.unseen.is_empty()).then_some(now);
        let look = match &self.source {
            Some(Source::Look { next, .. }) => Some(*next),
            Some(Source::Connector(_)) | None => None,
        };
        let delays = self.tracked.values().filter_map(|tracked| tracked.tracker.next());
        (changes, delays.chain(more).chain(look).min())
    }

    /// Where we look ourselves: the end of those that count is told at once.
    fn watch_those_that_count(&mut self, reactor: &mut Reactor, tokens: Tokens) {
        let Some(Source::Look { watched, .. }) = &mut self.source else { return };
        let pids: BTreeSet<u32> =
            self.tracked.values().flat_map(|tracked| tracked.tracker.pids().iter().copied()).collect();
        watched.retain(|pid, _| pids.contains(pid));
        for pid in pids {
            if watched.contains_key(&pid) {
                continue;
            }
            // one that cannot be watched is found to have ended by the next look
            if let Ok(process) = Watched::new(pid)
                && reactor.register(&process, Token(tokens.ends + u64::from(pid)), Interest::Read).is_ok()
            {
                watched.insert(pid, process);
            }
        }
    }
}

impl Tracked {
    fn change(&self, name: &str) -> Change {
        let count = self.tracker.count();
        let processes = if count == 1 { "process" } else { "processes" };
        (name.to_owned(), self.tracker.state(), format!("{count} {processes}"))
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
