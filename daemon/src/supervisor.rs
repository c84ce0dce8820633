//! The supervisor: reads and checks the configuration, starts the vrrp process and watches it. It hears nothing from the
//! network.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use keepalived_config::model::{Config, Instance};
use keepalived_config::{InstanceKey, Severity};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Preempt, State};
use keepalived_kernel::process::{self, Background, Exit, PidFileRefused};
use keepalived_kernel::reactor::{self, Interest, Reactor, Ready, Token};
use keepalived_kernel::signal::{self, Signal};
use keepalived_state::{Journal, Snapshot};
use sd_notify::NotifyState;

use crate::cli::Options;
use crate::configuration::{self, Verdict};
use crate::exit;
use crate::log::{self, Destinations};
use crate::message::{self, FromVrrp, Incoming, Startup, ToVrrp};

mod backoff;
mod dump;
mod pid_files;
mod telling;
mod worker;

use backoff::Backoff;
use dump::{Dump, File};
use pid_files::PidFiles;
use telling::Telling;
pub use worker::ARGUMENT as WORKER_ARGUMENT;
use worker::Worker;

const WORKER_SPEAKS: Token = Token(0);
const WORKER_ENDED: Token = Token(1);

/// How often the worker is asked whether it is there; one interval later it has to have answered.
const HELLO_INTERVAL: Duration = Duration::from_secs(5);

/// keepalived's: files are for their owner alone. Pid files say otherwise themselves.
const UMASK: u32 = 0o177;

/// Runs the daemon; returns its exit status.
pub fn run(options: &Options) -> u8 {
    let checked = match configuration::check(options) {
        Verdict::Usable(checked) => checked,
        Verdict::Unusable { text, status } => {
            eprint_all(&text);
            return status;
        }
    };
    let background = match go_to_background(options) {
        Ok(background) => background,
        Err(error) => {
            eprint_all(&format!("keepalived: cannot go into the background: {error}\n"));
            return exit::FATAL;
        }
    };
    match Supervisor::start(options, checked.config, &checked.findings, background) {
        Ok(mut supervisor) => supervisor.run(),
        Err(NotStarted { status, reason, background }) => {
            eprint_all(&format!("keepalived: {reason}\n"));
            background.failed(status);
            status
        }
    }
}

#[expect(clippy::print_stderr, reason = "before logging there is only the terminal")]
pub(crate) fn eprint_all(text: &str) {
    eprint!("{text}");
}

fn go_to_background(options: &Options) -> io::Result<Background> {
    if options.foreground { Ok(Background::none()) } else { process::daemonise() }
}

struct NotStarted {
    status: u8,
    reason: String,
    background: Background,
}

struct Supervisor {
    options: Options,
    config: Config,
    reactor: Reactor,
    destinations: Destinations,
    pid_files: PidFiles,
    worker: Option<Worker>,
    /// Last state of each instance that the worker told of: what the next one resumes.
    states: BTreeMap<InstanceKey, State>,
    /// What happened and why; it outlives the workers.
    journal: Journal,
    backoff: Backoff,
    respawn_at: Option<Instant>,
    /// When the last worker stopped working, as far as we know.
    idle_since: Instant,
    hello_at: Instant,
    dumps: Vec<Dump>,
    /// Of dumps into the log, what is not there yet.
    telling: Telling,
    /// A SIGHUP came while a reload was under way.
    reload_again: bool,
    background: Option<Background>,
    stopping: Option<Stopping>,
    _log: log::Guard,
}

/// Under what circumstances a vrrp process begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Begins {
    /// There was none before it.
    Fresh,
    /// The one before it ended, and for this long nobody did its work.
    After(Duration),
}

struct Stopping {
    status: u8,
    kill_at: Instant,
}

impl Supervisor {
    fn start(
        options: &Options,
        config: Config,
        findings: &[(Severity, String)],
        background: Background,
    ) -> Result<Self, NotStarted> {
        match Self::prepare(options, config, findings) {
            Ok(mut supervisor) => {
                supervisor.background = Some(background);
                supervisor.start_worker(Begins::Fresh);
                if supervisor.worker.is_none() {
                    supervisor.ready();
                }
                Ok(supervisor)
            }
            Err((status, reason)) => Err(NotStarted { status, reason, background }),
        }
    }

    fn prepare(options: &Options, config: Config, findings: &[(Severity, String)]) -> Result<Self, (u8, String)> {
        let fatal = |what: &str, error: io::Error| (exit::FATAL, format!("{what}: {error}"));
        let global = &config.global;
        process::set_umask(options.umask.or(global.umask).unwrap_or(UMASK));
        if options.core_dump {
            process::limit_core(None).map_err(|error| fatal("core dump limit", error))?;
        }
        if let Some(namespace) = options.namespace.as_ref().or(global.net_namespace.as_ref()) {
            process::enter_network_namespace(namespace)
                .map_err(|error| fatal(&format!("network namespace {namespace}"), error))?;
        }
        let name = global.process_name.as_deref().unwrap_or("keepalived");
        process::set_name(name).map_err(|error| fatal("process name", error))?;
        process::adopt_orphans().map_err(|error| fatal("child subreaper", error))?;
        // children must not die of a reader that went away
        signal::ignore(Signal::PIPE).map_err(|error| fatal("SIGPIPE", error))?;
        let reactor = Reactor::new(&signals()).map_err(|error| fatal("signals", error))?;
        let mut pid_files = PidFiles::new(options, global);
        pid_files.main().map_err(|refused| match refused {
            PidFileRefused::AlreadyRunning(_) => (exit::OK, "daemon is already running".to_owned()),
            PidFileRefused::Io(error) => fatal("pid file", error),
        })?;
        let mut destinations = Destinations::new(options);
        for part in [&global.net_namespace, &global.instance].into_iter().flatten() {
            destinations.suffix.push('_');
            destinations.suffix.push_str(part);
        }
        let log = log::start(&destinations, "Keepalived").map_err(|error| fatal("log", error))?;
        tracing::info!("Starting Keepalived v{} (keepalived-rs)", env!("CARGO_PKG_VERSION"));
        say(findings);
        let now = reactor::now();
        let mut telling = Telling::default();
        if options.dump {
            telling.add(&dump::configuration(&config), now);
        }
        Ok(Self {
            options: options.clone(),
            config,
            reactor,
            destinations,
            pid_files,
            worker: None,
            states: BTreeMap::new(),
            journal: Journal::default(),
            backoff: Backoff::default(),
            respawn_at: None,
            idle_since: now,
            hello_at: now + HELLO_INTERVAL,
            dumps: Vec::new(),
            telling,
            reload_again: false,
            background: None,
            stopping: None,
            _log: log,
        })
    }

    fn run(&mut self) -> u8 {
        let mut ready = Vec::new();
        loop {
            let now = reactor::now();
            if let Some(status) = self.attend_deadlines(now) {
                return self.end(status);
            }
            ready.clear();
            if let Err(error) = self.reactor.wait(Some(self.next_deadline()), &mut ready) {
                tracing::error!("waiting failed: {error}");
                return self.end(exit::FATAL);
            }
            for ready in std::mem::take(&mut ready) {
                match ready {
                    Ready::Signal(signal) => self.on_signal(signal),
                    Ready::Descriptor { token: WORKER_SPEAKS, .. } => self.listen(),
                    Ready::Descriptor { .. } => self.reap(),
                    Ready::Deadline => {}
                }
            }
            if let Some(stopping) = &self.stopping
                && self.worker.is_none()
            {
                let status = stopping.status;
                return self.end(status);
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let kill_at = self.stopping.as_ref().map(|stopping| stopping.kill_at);
        let others = [self.respawn_at, self.telling.next_at(), kill_at];
        others.into_iter().flatten().fold(self.hello_at, Instant::min)
    }

    fn attend_deadlines(&mut self, now: Instant) -> Option<u8> {
        if let Some(stopping) = &self.stopping
            && stopping.kill_at <= now
        {
            tracing::warn!("vrrp process did not stop in time; killing it");
            let status = stopping.status;
            if let Some(worker) = &self.worker {
                worker.kill();
            }
            return Some(status);
        }
        for line in self.telling.due(now) {
            tracing::info!("{line}");
        }
        if self.respawn_at.take_if(|at| *at <= now).is_some() {
            self.start_worker(Begins::After(now.since(self.idle_since)));
        }
        if self.hello_at <= now {
            self.hello_at = now + HELLO_INTERVAL;
            if self.stopping.is_none()
                && let Some(worker) = &mut self.worker
                && !worker.hello()
            {
                tracing::error!("vrrp process does not answer; killing it and starting another");
                worker.kill();
            }
        }
        None
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::HUP => self.reload(),
            Signal::TERM => self.stop(exit::OK),
            Signal::INT if !self.options.ignore_sigint => self.stop(exit::OK),
            Signal::CHLD => self.reap(),
            Signal::USR1 => self.dump(Dump::File(File::Data)),
            Signal::USR2 => self.dump(Dump::File(File::Statistics)),
            other if Some(other) == Signal::after_rt_min(2) => self.dump(Dump::File(File::Json)),
            other if Some(other) == Signal::before_rt_max(1) => {
                self.dump(Dump::File(File::Statistics));
                self.send(&ToVrrp::ClearCounters);
            }
            _ => {}
        }
    }

    /// Reads the configuration anew. Whatever is wrong with it, what runs goes on.
    fn reload(&mut self) {
        if self.worker.as_ref().is_some_and(|worker| worker.reloading) {
            self.reload_again = true;
            return;
        }
        notify(&[NotifyState::Reloading]);
        tracing::info!("Reloading");
        match configuration::check_politely(&self.options) {
            Verdict::Unusable { text, .. } => {
                tracing::error!("{}", text.trim_end());
                tracing::error!("Reload refused: the configuration cannot be used; the old one goes on");
            }
            Verdict::Usable(checked) => {
                say(&checked.findings);
                match keepalived_config::plan(&self.config, &checked.config) {
                    Err(refusal) => tracing::error!("Reload refused: {refusal}; the old configuration goes on"),
                    Ok(plan) if plan.is_empty() => tracing::info!("Reload: nothing changed"),
                    Ok(plan) => {
                        tracing::info!("Reload: {} changes", plan.changes.len());
                        self.config = checked.config;
                        if self.options.dump {
                            self.telling.add(&dump::configuration(&self.config), reactor::now());
                        }
                        self.apply();
                    }
                }
            }
        }
        if self.worker.as_ref().is_none_or(|worker| !worker.reloading) {
            notify(&[NotifyState::Ready]);
        }
    }

    fn apply(&mut self) {
        let keys: BTreeSet<InstanceKey> =
            keepalived_config::plan::keyed(&self.config.instances).map(|(key, _)| key).collect();
        self.states.retain(|key, _| keys.contains(key));
        match &mut self.worker {
            Some(worker) => match message::send_with(worker.pipe(), &ToVrrp::Reload, &self.config) {
                Ok(()) => worker.reloading = true,
                Err(error) => {
                    // the next one starts with the new configuration and resumes the masters
                    tracing::error!("vrrp process does not take the configuration ({error}); starting it anew");
                    worker.kill();
                }
            },
            None => self.start_worker(Begins::Fresh),
        }
    }

    /// Starts the vrrp process if there is something for it to do.
    fn start_worker(&mut self, begins: Begins) {
        let needed = self.options.vrrp && (!self.config.instances.is_empty() || self.options.all);
        if !needed || self.worker.is_some() || self.stopping.is_some() {
            return;
        }
        let masters = match begins {
            Begins::Fresh => BTreeSet::new(),
            // once another router may be master, those that may not preempt it have to listen first
            Begins::After(gap) => self.masters(|instance| {
                let unnoticed = instance.advert_interval.duration() * u32::from(instance.down_timer_adverts);
                instance.preempt == Preempt::Yes || gap < unnoticed
            }),
        };
        let startup = Startup {
            config: self.config.clone(),
            masters,
            resumes: begins != Begins::Fresh,
            log: self.destinations.clone(),
            keep_addresses: self.options.keep_addresses,
        };
        match Worker::start(&startup, &self.options) {
            Ok(worker) => {
                let registered = self
                    .reactor
                    .register(worker.pipe(), WORKER_SPEAKS, Interest::Read)
                    .and_then(|()| self.reactor.register(worker.child(), WORKER_ENDED, Interest::Read));
                if let Err(error) = registered {
                    tracing::error!("vrrp process cannot be watched: {error}");
                }
                self.pid_files.vrrp(worker.pid());
                self.worker = Some(worker);
            }
            Err(error) => {
                tracing::error!("cannot start the vrrp process: {error}");
                self.respawn_at = Some(reactor::now() + self.backoff.next(reactor::now()));
            }
        }
    }

    /// Instances that were master when the worker was last heard of, and are `such`.
    fn masters(&self, such: impl Fn(&Instance) -> bool) -> BTreeSet<InstanceKey> {
        keepalived_config::plan::keyed(&self.config.instances)
            .filter(|(key, instance)| self.states.get(key) == Some(&State::Master) && such(instance))
            .map(|(key, _)| key)
            .collect()
    }

    fn listen(&mut self) {
        loop {
            let Some(worker) = &mut self.worker else { return };
            match worker.receive() {
                Ok(Incoming::Message(message, memory)) => {
                    if let Err(error) = self.on_message(message, memory) {
                        tracing::error!("message from the vrrp process: {error}");
                    }
                }
                Ok(Incoming::Nothing) => return,
                Ok(Incoming::Closed) => {
                    // its descriptor tells how it ended
                    self.reactor.deregister(worker.pipe()).ok();
                    return;
                }
                Err(error) => {
                    tracing::error!("message from the vrrp process: {error}");
                    worker.kill();
                    return;
                }
            }
        }
    }

    fn on_message(&mut self, message: FromVrrp, memory: Option<std::os::fd::OwnedFd>) -> io::Result<()> {
        match message {
            FromVrrp::Ready => {
                self.ready();
                if self.options.dump {
                    self.dump(Dump::Log);
                }
            }
            FromVrrp::Reloaded => {
                if let Some(worker) = &mut self.worker {
                    worker.reloading = false;
                }
                notify(&[NotifyState::Ready]);
                if std::mem::take(&mut self.reload_again) {
                    self.reload();
                }
            }
            FromVrrp::Hello(number) => {
                if let Some(worker) = &mut self.worker {
                    worker.answered(number);
                }
            }
            FromVrrp::Transitions(records) => {
                for (key, record) in records {
                    self.states.insert(key, record.transition.to);
                    self.journal.push(record);
                }
            }
            FromVrrp::Snapshot => {
                let mut snapshot: Snapshot = message::content(memory)?;
                snapshot.journal = self.journal.clone();
                snapshot.router_id = self.config.global.router_id.clone().unwrap_or_else(configuration::host_name);
                for dump in std::mem::take(&mut self.dumps) {
                    match dump {
                        Dump::File(kind) => kind.write(&self.config.global, &snapshot),
                        Dump::Log => self.telling.add(&keepalived_surface::data(&snapshot), reactor::now()),
                    }
                }
            }
            FromVrrp::Signal(number) => {
                if let Some(signal) = Signal::from_number(number) {
                    self.on_signal(signal);
                }
            }
            FromVrrp::CannotRun(reason) => {
                tracing::error!("vrrp process cannot run: {reason}");
                if self.background.is_some() && !self.destinations.console {
                    eprint_all(&format!("keepalived: {reason}\n"));
                }
            }
        }
        Ok(())
    }

    /// Finds out whether the worker has ended, and starts it anew where that makes sense.
    fn reap(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        let Ok(Some(ended)) = worker.ended() else { return };
        let pid = worker.pid();
        // what it said last
        self.listen();
        let was_stuck = self.worker.as_ref().is_some_and(Worker::was_stuck);
        if let Some(worker) = self.worker.take() {
            self.reactor.deregister(worker.pipe()).ok();
            self.reactor.deregister(worker.child()).ok();
        }
        if self.stopping.is_some() {
            return;
        }
        match ended {
            Exit::Status(status) if exit::is_permanent(status) => {
                tracing::error!("vrrp process({pid}) {ended}: it cannot run; stopping");
                self.stop(u8::try_from(status).unwrap_or(exit::FATAL));
            }
            ended if self.options.no_respawn => {
                tracing::error!("vrrp child process({pid}) {ended}: stopping (--dont-respawn)");
                self.stop(exit::FATAL);
            }
            ended => {
                let now = reactor::now();
                let pause = self.backoff.next(now);
                tracing::error!("vrrp child process({pid}) died ({ended}): Respawning");
                self.idle_since = if was_stuck { Instant::ZERO } else { now };
                if pause.is_zero() {
                    self.start_worker(Begins::After(now.since(self.idle_since)));
                } else {
                    tracing::warn!("vrrp process dies again and again; the next starts in {} s", pause.as_secs());
                    self.respawn_at = Some(now + pause);
                }
            }
        }
    }

    fn dump(&mut self, dump: Dump) {
        if self.worker.is_some() {
            self.dumps.push(dump);
            self.send(&ToVrrp::Report);
        }
    }

    fn send(&self, message: &ToVrrp) {
        if let Some(worker) = &self.worker
            && let Err(error) = message::send(worker.pipe(), message)
        {
            tracing::warn!("vrrp process does not listen: {error}");
        }
    }

    fn ready(&mut self) {
        if let Some(background) = self.background.take() {
            tracing::info!("Startup complete");
            if let Err(error) = background.ready() {
                tracing::warn!("standard streams: {error}");
            }
        }
        notify(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
    }

    fn stop(&mut self, status: u8) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!("Stopping");
        notify(&[NotifyState::Stopping]);
        self.stopping = Some(Stopping { status, kill_at: reactor::now() + self.config.global.child_wait_time });
        self.respawn_at = None;
        if let Some(worker) = &self.worker {
            worker.stop();
        }
    }

    fn end(&mut self, status: u8) -> u8 {
        self.pid_files.remove();
        if let Some(background) = self.background.take() {
            background.failed(status);
        }
        for line in self.telling.rest() {
            tracing::info!("{line}");
        }
        tracing::info!("Stopped Keepalived v{} (keepalived-rs)", env!("CARGO_PKG_VERSION"));
        status
    }
}

fn signals() -> Vec<Signal> {
    let ordinary = [Signal::HUP, Signal::TERM, Signal::INT, Signal::CHLD, Signal::USR1, Signal::USR2];
    let real_time = [Signal::before_rt_max(1), Signal::after_rt_min(2), Signal::before_rt_max(0)];
    ordinary.into_iter().chain(real_time.into_iter().flatten()).collect()
}

/// Logs what was found in the configuration.
fn say(findings: &[(Severity, String)]) {
    for (severity, text) in findings {
        let text = text.trim_end();
        match severity {
            Severity::Error => tracing::error!("{text}"),
            Severity::Warning => tracing::warn!("{text}"),
            Severity::Info => tracing::info!("{text}"),
        }
    }
}

/// Tells systemd, if it listens.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd: {error}");
    }
}
