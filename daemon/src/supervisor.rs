//! The supervisor: reads and checks the configuration, starts the other processes and watches them. It hears nothing from the
//! network.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use keepalived_config::model::Config;
use keepalived_config::{InstanceKey, Severity};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::State;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerState};
use keepalived_kernel::process::{self, Background, PidFileRefused, Roster};
use keepalived_kernel::reactor::{self, Reactor, Ready, Token};
use keepalived_kernel::signal::{self, Signal};
use keepalived_surface::request::Change;
use sd_notify::NotifyState;

use crate::cli::Options;
use crate::configuration::{self, Checked, Verdict};
use crate::exit;
use crate::log::{self, Destinations};
use crate::message::{AfterTelling, Cleanup, ScriptDefault, SessionStanding};
use crate::role::Role;
use crate::secrets::Secrets;

mod abandoned;
mod children;
mod dump;
mod initial_files;
mod introductions;
mod liveness;
mod local_reports;
mod messages;
mod observing;
mod outgoing;
mod overrides;
mod own_scripts;
mod paced_log;
mod pid_files;
mod post;
mod reading;
mod reap;
mod reload;
mod reload_file;
mod reload_time;
mod saved;
mod share;
mod succession;
mod superseded;
mod views;
mod worker;

use abandoned::Sweeper;
use children::Begins;
use dump::{Dump, File, Writer};
use introductions::Introductions;
use local_reports::LocalReports;
use observing::Observing;
use overrides::Overrides;
use own_scripts::OwnScripts;
use paced_log::PacedLog;
use pid_files::PidFiles;
use post::Post;
use reading::Reading;
use reload_time::ReloadTime;
use saved::Saved;
use succession::Succession;
use superseded::Superseded;
use views::Views;

/// The reactor's token of the thread that reads a configuration.
const READING: Token = Token(u64::MAX / 2);

/// keepalived's umask: only the owner may read files. Pid files set their own mode.
const UMASK: u32 = 0o177;

/// Runs the daemon; returns its exit status.
pub fn run(options: &Options) -> u8 {
    process::map_large_buffers();
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
    match Supervisor::start(options, *checked, background) {
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
    posts: [Post; Role::ALL.len()],
    /// Last known state of each instance. The next vrrp process resumes from it.
    states: BTreeMap<InstanceKey, State>,
    /// Views of the workers, and the journals, which outlive them.
    views: Views,
    observing: Observing,
    /// What stands in files that the observer cannot read.
    secrets: Secrets,
    /// What was changed while it runs.
    overrides: Overrides,
    /// Changes that wait for the end of a reload, and who asked for each.
    changes: Vec<(u64, Change, String)>,
    /// What each process undoes at its end. It outlives that process.
    cleanup: BTreeMap<Role, Cleanup>,
    /// Results of the trackers of the vrrp process.
    trackers: BTreeMap<TrackerId, TrackerState>,
    /// How BFD sessions stand. The next bfd process goes on with them.
    sessions: BTreeMap<String, SessionStanding>,
    script_default: ScriptDefault,
    sweeper: Sweeper,
    /// What earlier configurations brought and the present one does not, until the vrrp process has taken the present one.
    superseded: Superseded,
    /// The configuration with which the next checker process begins.
    succession: Succession,
    /// The earliest time to remove addresses without adverts: an attempt has just failed.
    abandoned_not_before: Instant,
    /// Writes dumps that show links.
    writer: Writer,
    /// Writes what `config_save_dir` keeps.
    keeper: Writer,
    saved: Saved,
    /// Lines of dumps that are not in the log yet.
    paced_log: PacedLog,
    introductions: Introductions,
    own_scripts: OwnScripts,
    /// Programs to end if the runner dies.
    roster: Option<Roster>,
    reload_time: ReloadTime,
    local_reports: LocalReports,
    /// The configuration that a thread is reading.
    reading: Option<Reading>,
    /// Kernel modules are loaded once: what cannot be loaded now cannot be loaded later.
    modules_are_loaded: bool,
    /// A SIGHUP came while a reload was under way.
    reload_again: bool,
    background: Option<Background>,
    /// The start is over: systemd knows that we run.
    is_up: bool,
    stopping: Option<Stopping>,
    _log: log::Guard,
}

struct Stopping {
    status: u8,
    /// When to kill processes that have not ended.
    kill_at: Instant,
    /// When to stop waiting for processes that were killed. A process that waits in the kernel ends only when the kernel returns, and
    /// changes addresses until then.
    leave_at: Option<Instant>,
}

/// How long to wait for a process that was killed. The systemd unit allows 60 s for the whole stop.
const TO_DIE: Duration = Duration::from_secs(45);

impl Stopping {
    fn next_at(&self) -> Instant {
        self.leave_at.unwrap_or(self.kill_at)
    }
}

impl Supervisor {
    fn start(options: &Options, checked: Checked, background: Background) -> Result<Self, NotStarted> {
        let Checked { config, findings, text, secrets } = checked;
        match Self::prepare(options, config, &findings) {
            Ok(mut supervisor) => {
                let directory = supervisor.config.global.reload.save_directory.clone();
                supervisor.save_text(directory.as_deref(), text.as_ref());
                supervisor.set_text(text);
                supervisor.set_secrets(secrets);
                supervisor.background = Some(background);
                // who wrote the configuration may wait for that
                supervisor.end_reading();
                initial_files::write(&supervisor.config.files);
                supervisor.reload_time.configure(&supervisor.config.global.reload, &mut supervisor.reactor);
                supervisor.name_snapshot();
                supervisor.open_doors();
                supervisor.start_children();
                supervisor.ready_if_all_are();
                process::give_back_memory();
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
        // a closed log pipe must not kill a child
        signal::ignore(Signal::PIPE).map_err(|error| fatal("SIGPIPE", error))?;
        let reactor = Reactor::new(&signals()).map_err(|error| fatal("signals", error))?;
        let mut pid_files = PidFiles::new(options, global);
        pid_files.main().map_err(|refused| match refused {
            PidFileRefused::AlreadyRunning(_) => (exit::OK, "daemon is already running".to_owned()),
            PidFileRefused::Io(error) => fatal("pid file", error),
        })?;
        let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| share::is_needed(*role, options, &config)).collect();
        pid_files.take(&roles).map_err(|(path, refused)| {
            // our number must not stay in a file of the other daemon
            pid_files.remove();
            (exit::OK, format!("daemon is already running: pid file {}: {refused}", path.display()))
        })?;
        let mut destinations = Destinations::new(options);
        for part in [&global.net_namespace, &global.instance].into_iter().flatten() {
            destinations.suffix.push('_');
            destinations.suffix.push_str(part);
        }
        let log =
            log::start(&destinations, log::Speaker { ident: "Keepalived", process: "supervisor", log: &global.log })
                .map_err(|error| {
                    pid_files.remove();
                    fatal("log", error)
                })?;
        tracing::info!("Starting Keepalived v{} (keepalived-rs)", env!("CARGO_PKG_VERSION"));
        say(findings);
        let now = reactor::now();
        let own_scripts = OwnScripts::new(&config, now);
        let local_reports = LocalReports::begin(config.global.firewall.no_local_igmp);
        let mut paced_log = PacedLog::default();
        if options.dump {
            paced_log.add(&dump::configuration(&config), now);
        }
        Ok(Self {
            options: options.clone(),
            config,
            reactor,
            destinations,
            pid_files,
            posts: Role::ALL.map(|role| Post::new(role, now)),
            states: BTreeMap::new(),
            views: Views::default(),
            writer: Writer::default(),
            keeper: Writer::default(),
            saved: Saved::default(),
            observing: Observing::new(),
            secrets: Secrets::default(),
            overrides: Overrides::default(),
            changes: Vec::new(),
            cleanup: BTreeMap::new(),
            trackers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            script_default: ScriptDefault::look(),
            sweeper: Sweeper::new(),
            superseded: Superseded::default(),
            succession: Succession::default(),
            abandoned_not_before: now,
            paced_log,
            introductions: Introductions::default(),
            own_scripts,
            roster: None,
            reload_time: ReloadTime::default(),
            local_reports,
            reading: None,
            modules_are_loaded: false,
            reload_again: false,
            background: None,
            is_up: false,
            stopping: None,
            _log: log,
        })
    }

    fn run(&mut self) -> u8 {
        let mut ready = Vec::new();
        loop {
            let now = reactor::now();
            if let Some(status) = self.on_deadlines(now) {
                return self.end(status);
            }
            ready.clear();
            if let Err(error) = self.reactor.wait(self.next_deadline(), &mut ready) {
                tracing::error!("waiting failed: {error}");
                return self.end(exit::FATAL);
            }
            for ready in std::mem::take(&mut ready) {
                match ready {
                    Ready::Signal(signal) => self.on_signal(signal),
                    Ready::Descriptor { token: READING, .. } => self.has_read(),
                    Ready::Descriptor { token: reload_time::WATCH, .. } => self.look_at_reload_time(),
                    Ready::Descriptor { token: observing::CALLS, .. } => self.call_observer(),
                    // each turn hears it
                    Ready::Descriptor { token: own_scripts::ANSWERS, .. } => {}
                    Ready::Descriptor { token, .. } => match post::source(token) {
                        Some((role, post::Source::Speaks)) => self.listen(role),
                        Some((role, post::Source::Ended)) => {
                            self.reap(role);
                            // orphans that ended behind it in the kernel's list
                            self.reap_orphans();
                        }
                        None => {}
                    },
                    Ready::Deadline => {}
                }
            }
            if let Some(stopping) = &self.stopping
                && self.posts.iter().all(|post| post.worker.is_none())
            {
                let status = stopping.status;
                return self.end(status);
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let kill_at = self.stopping.as_ref().map(Stopping::next_at);
        let now = reactor::now();
        let others = [
            self.paced_log.next_at(),
            kill_at,
            self.abandoned_at(),
            self.catch_up_at(now),
            self.introductions.next_at(),
            self.observing.next_at(),
            self.own_scripts.next_at(now),
            self.reload_time.next_at(now),
        ];
        let of_posts = self.posts.iter().flat_map(Post::next_at);
        others.into_iter().flatten().chain(of_posts).min()
    }

    fn on_deadlines(&mut self, now: Instant) -> Option<u8> {
        if let Some(stopping) = &mut self.stopping
            && stopping.next_at() <= now
        {
            if stopping.leave_at.is_some() {
                let status = stopping.status;
                self.leave_behind(now);
                return Some(status);
            }
            stopping.leave_at = Some(now + TO_DIE);
            for worker in self.workers_mut() {
                tracing::warn!("{} process did not stop in time; killing it", worker.role());
                worker.kill();
            }
        }
        for line in self.paced_log.due(now) {
            tracing::info!("{line}");
        }
        self.look_at_own_scripts(now);
        self.reload_in_time();
        self.remove_due(now);
        self.respawn(now);
        self.try_again(now);
        self.say_hello(now);
        self.open_doors_again(now);
        self.await_client();
        self.observe();
        None
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::HUP => self.reload(),
            Signal::TERM => self.stop(exit::OK),
            Signal::INT if !self.options.ignore_sigint => self.stop(exit::OK),
            Signal::CHLD => {
                Role::ALL.into_iter().for_each(|role| self.reap(role));
                self.reap_orphans();
            }
            Signal::USR1 => self.dump_data(),
            Signal::USR2 => self.dump_statistics(AfterTelling::KeepCounters),
            other if Some(other) == Signal::after_rt_min(2) => self.dump(Role::Vrrp, File::Json),
            other if Some(other) == Signal::before_rt_max(1) => {
                self.dump_statistics(AfterTelling::ClearCounters);
            }
            _ => {}
        }
    }

    /// Has all processes' data written.
    fn dump_data(&mut self) {
        self.dump(Role::Vrrp, File::Data);
        self.dump(Role::Checker, File::CheckerData);
        self.dump(Role::Bfd, File::BfdData);
        self.write_dump(File::ParentData);
    }

    /// Has what instances counted written.
    fn dump_statistics(&mut self, after: AfterTelling) {
        self.ask(Role::Vrrp, Dump::File(File::Statistics), after);
    }

    fn dump(&mut self, role: Role, file: File) {
        self.ask(role, Dump::File(file), AfterTelling::KeepCounters);
    }

    fn ready(&mut self) {
        if let Some(background) = self.background.take() {
            tracing::info!("Startup complete");
            if let Err(error) = background.ready() {
                tracing::warn!("standard streams: {error}");
            }
        }
        self.is_up = true;
        notify(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
    }

    fn stop(&mut self, status: u8) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!("Stopping");
        notify(&[NotifyState::Stopping]);
        // one that waits for its back-off has programs to run now
        self.start_worker(Role::Runner, Begins::After(Duration::ZERO), Duration::ZERO);
        self.stopping =
            Some(Stopping { status, kill_at: reactor::now() + self.config.global.child_wait_time, leave_at: None });
        for post in &mut self.posts {
            post.respawn_at = None;
        }
        self.hurry_startup();
        self.close_control_if_unheard();
        // these may still have programs to run and something to tell
        for worker in self.workers_mut().filter(|worker| !worker.role().serves()) {
            worker.stop();
        }
        self.stop_the_runner();
    }

    fn end(&mut self, status: u8) -> u8 {
        self.remove_all_abandoned();
        self.local_reports.end();
        self.close_control();
        self.pid_files.remove();
        if let Some(background) = self.background.take() {
            background.failed(status);
        }
        for line in self.paced_log.rest() {
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

/// Logs the findings of a configuration.
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
