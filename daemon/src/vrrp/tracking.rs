//! What trackers look at beside interfaces: scripts that are run, servers that are asked, files that are read, processes that are counted. Results go to the
//! engine.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

mod files;
mod linkbeat;
mod lookout;
mod probes;
mod processes;
mod scripts;

use keepalived_config::model::{Config, TrackFile};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};
use keepalived_kernel::reactor::{Interest, Reactor, Token};

use files::{Files, Numbers};
pub(super) use linkbeat::Beats;
use linkbeat::LinkThread;
pub(super) use lookout::Gone;
use lookout::Post;
use probes::Probes;
use processes::{Change, Processes, Wanted, Way};
use scripts::Scripts;

use crate::connection::Connection;
use crate::message::HowEnded;
use crate::programs::{OrderId, Programs};

/// A result of a tracker: which, what, and why.
pub(super) type Result = (TrackerId, TrackerState, Detail);

/// All scripts, files and processes that instances track.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    scripts: Scripts,
    files: Post<Files>,
    numbers: Numbers,
    /// Routers run.
    has_begun: bool,
    processes: Post<Processes>,
    links: Option<LinkThread>,
    probes: Probes,
}

/// Where files announce themselves to the event loop.
const FILES: Token = Token(16);
/// The same for processes.
const PROCESSES: Token = Token(17);
/// The same for links that are asked about.
const LINKS: Token = Token(18);

/// How long to wait for the first look at files before any router begins, with their numbers.
const AT_THE_START: Duration = Duration::from_secs(1);
/// The same at a reload: adverts wait meanwhile.
const AT_A_RELOAD: Duration = Duration::from_millis(50);

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
        self.follow_files(now, files.cloned().collect(), reactor);
        let probes = config.probes.iter().filter(|probe| is_tracked(TrackerKind::Probe, &probe.name));
        self.probes.configure(now, probes, known);
        let processes = config.processes.iter().filter(|process| is_tracked(TrackerKind::Process, &process.name));
        let buffer = config.global.buffers.process_monitor.size;
        let processes: Vec<_> = processes.cloned().collect();
        let wanted = (!processes.is_empty()).then_some(Wanted { processes, buffer });
        // what is found comes later
        let _none = self.processes.want(now, wanted, Duration::ZERO, (&mut *reactor, PROCESSES));
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

    fn follow_files(&mut self, now: Instant, files: Vec<TrackFile>, reactor: &mut Reactor) {
        let is_known = self.numbers.configure(&files);
        let patience = match std::mem::replace(&mut self.has_begun, true) {
            _ if is_known => Duration::ZERO,
            false => AT_THE_START,
            true => AT_A_RELOAD,
        };
        let told = self.files.want(now, (!files.is_empty()).then_some(files), patience, (reactor, FILES));
        self.numbers.told(told.unwrap_or_default());
        for path in self.numbers.unread() {
            tracing::warn!("track_file {path} has not been read yet: its file system may hang");
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
        self.numbers.all().map(|(name, number)| {
            (TrackerId::new(TrackerKind::File, name), TrackerState::Number(number), Detail::Nothing)
        })
    }

    /// Runs what is due. Returns when to come again.
    pub(super) fn turn(&mut self, now: Instant, programs: &mut Programs, reactor: &mut Reactor) -> Option<Instant> {
        let scripts = self.scripts.turn(now, programs);
        let probes = self.probes.turn(now);
        let files = self.files.turn(now, (&mut *reactor, FILES));
        let processes = self.processes.turn(now, (reactor, PROCESSES));
        [scripts, probes, files, processes].into_iter().flatten().min()
    }

    /// Files have changed, or processes came or went.
    ///
    /// # Errors
    /// The thread that looks at them has failed.
    pub(super) fn on_ready(&mut self, token: Token) -> std::result::Result<Vec<Result>, Gone> {
        match token {
            FILES => {
                for numbers in self.files.news()? {
                    self.numbers.told(numbers);
                }
                Ok(self.numbers().collect())
            }
            PROCESSES => {
                let news = self.processes.news()?.into_iter();
                Ok(news.flat_map(|(changes, way)| changes.into_iter().map(move |it| of_process(it, way))).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// A program of this process has ended. `None` if it is none of a tracker's; else its result, if it has one.
    pub(super) fn ended(&mut self, order: OrderId, how: HowEnded) -> Option<Option<Result>> {
        self.scripts.ended(order, how)
    }
}

fn of_process(Change { name, state, count }: Change, way: Way) -> Result {
    let detail = Detail::Processes { count, kernel_tells: way == Way::Kernel };
    (TrackerId::new(TrackerKind::Process, name), state, detail)
}
