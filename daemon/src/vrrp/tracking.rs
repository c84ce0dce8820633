//! What trackers look at beside interfaces: scripts that are run, servers that are asked, files that are read, processes that are counted. Results go to the
//! engine.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

mod linkbeat;
mod probes;
mod process_thread;
mod processes;
mod scripts;

use keepalived_config::model::Config;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};
use keepalived_kernel::reactor::{Interest, Reactor, Token};

pub(super) use linkbeat::Beats;
use linkbeat::LinkThread;
use probes::Probes;
pub(super) use process_thread::Gone;
use process_thread::ProcessThread;
use processes::{Change, Wanted, Way};
use scripts::Scripts;

use crate::connection::Connection;
use crate::message::HowEnded;
use crate::programs::{OrderId, Programs};
use crate::track_files::TrackFiles;

/// A result of a tracker: which, what, and why.
pub(super) type Result = (TrackerId, TrackerState, Detail);

/// All scripts, files and processes that instances track.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    scripts: Scripts,
    files: TrackFiles,
    processes: Option<ProcessThread>,
    /// Processes to track, where that could not begin, and when it is tried again.
    processes_later: Option<(Instant, Wanted)>,
    links: Option<LinkThread>,
    probes: Probes,
}

/// Where files announce themselves to the event loop.
const FILES: Token = Token(16);
/// The same for processes.
const PROCESSES: Token = Token(17);
/// The same for links that are asked about.
const LINKS: Token = Token(18);

/// Pause before what a shortage kept from beginning is tried again.
const RETRY: Duration = Duration::from_secs(1);

impl Tracking {
    /// Looks at what `config` says and `is_tracked` by any instance. A tracker that is the same as before keeps its results; of others
    /// `known` tells what the process before this one knew.
    pub(super) fn configure(
        &mut self,
        now: Instant,
        config: &Config,
        is_tracked: impl Fn(TrackerKind, &str) -> bool,
        known: &BTreeMap<TrackerId, TrackerState>,
        (programs, reactor): (&mut Programs, &mut Reactor),
    ) {
        let scripts = config.scripts.iter().filter(|script| is_tracked(TrackerKind::Script, &script.name));
        self.scripts.configure(now, scripts, known, programs);
        let files = config.files.iter().filter(|file| is_tracked(TrackerKind::File, &file.name));
        self.files.configure(files, reactor, FILES);
        let probes = config.probes.iter().filter(|probe| is_tracked(TrackerKind::Probe, &probe.name));
        self.probes.configure(now, probes, known);
        let processes = config.processes.iter().filter(|process| is_tracked(TrackerKind::Process, &process.name));
        let buffer = config.global.buffers.process_monitor.size;
        self.track_processes(now, Wanted { processes: processes.cloned().collect(), buffer }, reactor);
        if let Err(error) = self.ask_links(config, reactor) {
            tracing::error!("linkbeat: links cannot be asked about, and count as the kernel says: {error}");
        }
    }

    fn ask_links(&mut self, config: &Config, reactor: &mut Reactor) -> io::Result<()> {
        let wanted = linkbeat::wanted(config);
        match &self.links {
            // with nothing to do it says so, and forgets what it said
            Some(thread) => thread.ask(wanted),
            None if wanted.is_empty() => {}
            None => {
                let thread = LinkThread::start(wanted)?;
                reactor.register(&thread, LINKS, Interest::Read)?;
                self.links = Some(thread);
            }
        }
        Ok(())
    }

    /// What drivers say of their links, if that is new.
    ///
    /// # Errors
    /// The thread that asks them has failed.
    pub(super) fn link_news(&mut self, token: Token) -> std::result::Result<Option<Beats>, Gone> {
        match &mut self.links {
            Some(thread) if token == LINKS => thread.news(),
            Some(_) | None => Ok(None),
        }
    }

    fn track_processes(&mut self, now: Instant, wanted: Wanted, reactor: &mut Reactor) {
        let is_retry = self.processes_later.take().is_some();
        if wanted.processes.is_empty() {
            self.processes = None;
            return;
        }
        if self.processes.is_none() {
            let begun = ProcessThread::start()
                .and_then(|thread| reactor.register(&thread, PROCESSES, Interest::Read).map(|()| thread));
            match begun {
                Ok(thread) => self.processes = Some(thread),
                Err(error) => {
                    if !is_retry {
                        tracing::error!("processes cannot be tracked for now, which changes nothing: {error}");
                    }
                    self.processes_later = Some((now + RETRY, wanted));
                    return;
                }
            }
        }
        if let Some(thread) = &mut self.processes {
            thread.track(wanted);
        }
    }

    /// Asks through this prober from now on.
    pub(super) fn connect(&mut self, prober: Connection) {
        self.probes.connect(prober);
    }

    /// What the prober answers.
    pub(super) fn hear_prober(&mut self) -> Vec<Result> {
        self.probes.hear()
    }

    /// What is known of scripts, probes and files. That of processes comes later.
    pub(super) fn states(&self) -> Vec<Result> {
        self.scripts.states().chain(self.probes.states()).chain(self.numbers()).collect()
    }

    fn numbers(&self) -> impl Iterator<Item = Result> + '_ {
        self.files.numbers().map(|(name, number)| {
            (TrackerId::new(TrackerKind::File, name), TrackerState::Number(number), Detail::Nothing)
        })
    }

    /// Runs what is due, and reads files that could not be read before. Returns what is new, and when to come again.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        programs: &mut Programs,
        reactor: &mut Reactor,
    ) -> (Vec<Result>, Option<Instant>) {
        let scripts = self.scripts.turn(now, programs);
        let probes = self.probes.turn(now);
        let results: Vec<Result> = if self.files.catch_up(now) { self.numbers().collect() } else { Vec::new() };
        if let Some((_, wanted)) = self.processes_later.take_if(|(at, _)| *at <= now) {
            self.processes_later = Some((now, Wanted::default()));
            self.track_processes(now, wanted, reactor);
        }
        let later = self.processes_later.as_ref().map(|(at, _)| *at);
        (results, [scripts, probes, self.files.next_at(now), later].into_iter().flatten().min())
    }

    /// Files have changed, or processes came or went.
    ///
    /// # Errors
    /// The thread that counts processes has failed.
    pub(super) fn on_ready(&mut self, token: Token, now: Instant) -> std::result::Result<Vec<Result>, Gone> {
        match token {
            FILES => Ok(if self.files.on_ready(now) { self.numbers().collect() } else { Vec::new() }),
            PROCESSES => {
                let Some(thread) = &mut self.processes else { return Ok(Vec::new()) };
                let (changes, way) = thread.news()?;
                Ok(changes.into_iter().map(|change| of_process(change, way)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// A program of this process has ended. `None` if it is none of a tracker's; else its result, if it has one.
    pub(super) fn ended(&mut self, order: OrderId, how: HowEnded) -> Option<Option<Result>> {
        self.scripts.ended(order, how)
    }
}

fn of_process(Change { name, state, count }: Change, way: Option<Way>) -> Result {
    let detail = Detail::Processes { count, kernel_tells: way == Some(Way::Kernel) };
    (TrackerId::new(TrackerKind::Process, name), state, detail)
}
