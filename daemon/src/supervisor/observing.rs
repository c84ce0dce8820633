//! Keeps the observer's snapshot the same as the supervisor's, and has its sockets made: it may not do that itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use keepalived_config::model::ControlSocket;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::State;
use keepalived_kernel::local::{self, FileId};
use keepalived_kernel::reactor::{self, Interest, Token};
use keepalived_state::{DaemonView, ProcessState, ProcessView, ReloadView, Subject};
use keepalived_surface::request::Change;

use super::children::Begins;
use super::dump::Dump;
use super::{Supervisor, overrides};
use crate::configuration;
use crate::message::{AfterTelling, Door, ToChild};
use crate::role::Role;
use crate::seen::Seen;

/// Messages that may wait for an observer. One that is further behind gets the whole snapshot later instead.
const MOST_WAITING: usize = 1_000;

/// Pause before a socket that could not be opened is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// The reactor's token of the control socket.
pub(super) const CALLS: Token = Token(u64::MAX / 2 + 3);

/// From one look at the control socket to the next: what cleans up folders may have removed it.
const LOOK: Duration = Duration::from_secs(30);

/// What the observer has to be told, and what it has.
#[derive(Debug, Default)]
pub(super) struct Observing {
    /// The observer has an old snapshot, or none.
    owes_whole: bool,
    /// Processes whose numbers have become fresh since.
    owes_fresh: BTreeSet<Role>,
    lives: BTreeMap<Role, Life>,
    started: Option<SystemTime>,
    reloads: u64,
    last_reload: Option<ReloadView>,
    /// The text of the configuration that is in force.
    text: Option<OwnedFd>,
    /// Requests for a reload that are answered when it is over.
    reloads_asked: Vec<u64>,
    control: Option<Listening>,
    /// We wait for a client at the control socket: there is no observer that would hear it.
    awaits_client: bool,
    /// A client came to the control socket.
    called: bool,
    http: Option<(SocketAddr, OwnedFd)>,
    /// The log says that the control socket cannot be had there.
    missed: Option<PathBuf>,
    /// When to try again to open a socket.
    again_at: Option<Instant>,
    /// The log says that this address cannot be had.
    complained: Option<SocketAddr>,
}

/// The control socket.
#[derive(Debug)]
struct Listening {
    path: PathBuf,
    socket: OwnedFd,
    /// What is at the path while it is ours.
    file: Option<FileId>,
}

/// What has become of the processes of a role.
#[derive(Clone, Debug)]
struct Life {
    state: ProcessState,
    since: SystemTime,
    deaths: u64,
    last_death: String,
}

impl Observing {
    /// When [`Supervisor::open_doors_again`] is due.
    pub(super) const fn next_at(&self) -> Option<Instant> {
        self.again_at
    }

    pub(super) fn new() -> Self {
        Self { started: Some(SystemTime::now()), ..Self::default() }
    }

    /// A process of `role` has ended, in this way.
    pub(super) fn ended(&mut self, role: Role, how: &str) {
        let life = self.life(role, ProcessState::Waits);
        life.deaths = life.deaths.saturating_add(1);
        how.clone_into(&mut life.last_death);
        if role == Role::Observer {
            self.owes_whole = false;
            self.owes_fresh.clear();
        }
    }

    fn life(&mut self, role: Role, state: ProcessState) -> &mut Life {
        let now = SystemTime::now();
        let life =
            self.lives.entry(role).or_insert_with(|| Life { state, since: now, deaths: 0, last_death: String::new() });
        if life.state != state {
            (life.state, life.since) = (state, now);
        }
        life
    }

    /// A reload has ended.
    pub(super) fn reloaded(&mut self, result: Result<usize, String>) {
        self.reloads = self.reloads.saturating_add(1);
        self.last_reload = Some(ReloadView { at: SystemTime::now(), result });
    }
}

impl Supervisor {
    /// Takes in what a process said or what became of it, and tells the observer.
    pub(super) fn see(&mut self, seen: Seen) {
        let message = ToChild::Seen(seen);
        self.tell_observer(&message);
        if let ToChild::Seen(seen) = message {
            self.views.apply(seen);
        }
    }

    fn tell_observer(&mut self, message: &ToChild) {
        let Some(observer) = self.posts.iter_mut().find(|post| post.role == Role::Observer) else { return };
        let Some(observer) = observer.worker.as_mut().filter(|observer| observer.ready) else { return };
        // an answer does not depend on what was seen
        let is_answer = matches!(message, ToChild::Seen(Seen::Answered(..)));
        if self.observing.owes_whole && !is_answer {
            return;
        }
        if is_answer || observer.connection().waiting() < MOST_WAITING {
            observer.connection().say(message);
        } else {
            self.observing.owes_whole = true;
        }
    }

    /// The observer is ready: it begins with the whole.
    pub(super) const fn observer_is_ready(&mut self) {
        self.observing.owes_whole = true;
    }

    /// Has a process send fresh numbers for the observer.
    pub(super) fn refresh(&mut self, role: Role) {
        if self.worker(role).is_some() {
            self.ask(role, Dump::Observer, AfterTelling::KeepCounters);
        } else {
            self.is_fresh(role);
        }
    }

    /// Does what `who` asked for by the control socket; the observer has seen that they may.
    pub(super) fn change(&mut self, number: u64, change: Change, who: String) {
        tracing::info!("{change}: asked for by {who}");
        match change {
            Change::Reload => {
                self.observing.reloads_asked.push(number);
                self.reload();
            }
            Change::ClearCounters => {
                self.ask(Role::Vrrp, Dump::Observer, AfterTelling::ClearCounters);
                self.answer(number, Ok(()));
            }
            Change::Garp { ref instance } => {
                let made = self.announce(instance);
                match &made {
                    Ok(()) => {
                        let record = overrides::record(Subject::Instance(instance.clone()), &change, &who);
                        self.see(Seen::Happened(Role::Vrrp, vec![record]));
                    }
                    Err(why) => tracing::warn!("{change}: {why}"),
                }
                self.answer(number, made);
            }
            Change::PrintData => {
                self.dump_data();
                self.answer(number, Ok(()));
            }
            Change::PrintStatistics { clear } => {
                self.dump_statistics(if clear { AfterTelling::ClearCounters } else { AfterTelling::KeepCounters });
                self.answer(number, Ok(()));
            }
            Change::Priority { .. } | Change::Preempt { .. } | Change::Maintenance { .. } | Change::Weight { .. } => {
                self.changes.push((number, change, who));
                self.make_changes();
            }
        }
    }

    /// A reload is over: tells those who asked for it how it ended.
    pub(super) fn answer_reloads(&mut self) {
        let result = match &self.observing.last_reload {
            Some(ReloadView { result: Err(why), .. }) => Err(format!("reload refused: {why}; the log says more")),
            _ => Ok(()),
        };
        let asked = std::mem::take(&mut self.observing.reloads_asked);
        if !asked.is_empty() {
            // who asks next sees the reload
            self.observe();
        }
        for number in asked {
            self.answer(number, result.clone());
        }
    }

    /// Says what became of a change.
    fn answer(&mut self, number: u64, made: Result<(), String>) {
        self.tell_observer(&ToChild::Seen(Seen::Answered(number, made)));
    }

    /// Has the addresses of an instance announced that is MASTER.
    fn announce(&mut self, instance: &str) -> Result<(), String> {
        let instances = &self.views.snapshot().vrrp.instances;
        let Some(found) = instances.iter().find(|view| view.name == instance) else {
            return Err(format!("no instance is called {instance:?}"));
        };
        if found.state != State::Master {
            return Err(format!("{instance} is {}: only a MASTER has addresses to announce", found.state));
        }
        let worker = self.worker_mut(Role::Vrrp).filter(|worker| worker.ready);
        let worker = worker.ok_or("the vrrp process is being started: try again")?;
        worker.connection().say(&ToChild::Announce(instance.to_owned()));
        Ok(())
    }

    /// Makes the changes that were asked for, unless a reload is under way: then its end calls this.
    pub(super) fn make_changes(&mut self) {
        if self.stopping.is_some() || self.is_reloading() {
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return;
        }
        let mut config = self.config.clone();
        let mut answers = Vec::new();
        for (number, change, who) in changes {
            let made = match self.overrides.change(&change, &mut config) {
                Ok(concerned) => {
                    for (role, subject) in concerned {
                        self.see(Seen::Happened(role, vec![overrides::record(subject, &change, &who)]));
                    }
                    Ok(())
                }
                Err(why) => {
                    tracing::error!("{change}: {why}");
                    Err(why)
                }
            };
            answers.push((number, made));
        }
        match keepalived_config::plan(&self.config, &config) {
            Err(refusal) => {
                tracing::error!("what was asked for is refused: {refusal}");
                answers.iter_mut().for_each(|(_, answer)| *answer = Err(refusal.to_string()));
            }
            Ok(plan) if plan.is_empty() => {}
            Ok(_) => {
                self.supersede(config);
                self.apply();
            }
        }
        for (number, answer) in answers {
            self.answer(number, answer);
        }
    }

    /// The numbers of a process are fresh.
    pub(super) fn is_fresh(&mut self, role: Role) {
        if self.observing.owes_whole {
            self.observing.owes_fresh.insert(role);
        }
        self.tell_observer(&ToChild::Seen(Seen::Fresh(role)));
    }

    /// Tells the observer how the daemon itself is, if that is different, and what it has not been told while it was slow.
    pub(super) fn observe(&mut self) {
        let view = self.daemon_view();
        if view != self.views.snapshot().daemon {
            self.see(Seen::Daemon(Box::new(view)));
        }
        let Some(observer) = self.posts.iter_mut().find(|post| post.role == Role::Observer) else { return };
        let Some(observer) = observer.worker.as_mut().filter(|observer| observer.ready) else { return };
        if !self.observing.owes_whole || observer.connection().is_behind() {
            return;
        }
        match observer.connection().say_with(&ToChild::Seen(Seen::Whole), self.views.snapshot()) {
            Ok(()) => {
                self.observing.owes_whole = false;
                for role in std::mem::take(&mut self.observing.owes_fresh) {
                    observer.connection().say(&ToChild::Seen(Seen::Fresh(role)));
                }
            }
            // the next turn tries again
            Err(error) => tracing::debug!("the observer has no snapshot yet: {error}"),
        }
    }

    fn daemon_view(&mut self) -> DaemonView {
        let mut processes = Vec::new();
        for role in Role::ALL {
            let worker = self.worker(role).map(|worker| (worker.pid(), worker.ready));
            let state = match worker {
                Some((_, true)) => ProcessState::Runs,
                Some((_, false)) => ProcessState::Starts,
                None if self.needs(role) => ProcessState::Waits,
                None => ProcessState::NotNeeded,
            };
            let Life { state, since, deaths, last_death } = self.observing.life(role, state).clone();
            let pid = worker.and_then(|(pid, _)| u32::try_from(pid.0).ok());
            processes.push(ProcessView { name: role.to_string(), pid, state, since, deaths, last_death });
        }
        DaemonView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.observing.started,
            configuration: self.options.config.display().to_string(),
            processes,
            reloads: self.observing.reloads,
            last_reload: self.observing.last_reload.clone(),
        }
    }

    /// What this router is called may be different.
    pub(super) fn name_snapshot(&mut self) {
        let name = self.config.global.router_id.clone().unwrap_or_else(configuration::host_name);
        if name != self.views.snapshot().router_id {
            self.views.name(name);
            self.observing.owes_whole = true;
        }
    }

    /// Opens the sockets that the configuration wants, and closes others. Without one the daemon runs, and cannot be asked there.
    pub(super) fn open_doors(&mut self) {
        let path = self.control_path();
        // one that others have removed is made again
        let is_there = |control: &Listening| control.file.is_some() && control.file == local::file_id(&control.path);
        let there = self.observing.control.as_ref().filter(|control| is_there(control)).map(|control| &control.path);
        if there != path.as_ref() {
            self.close_control();
            self.observing.control = path.and_then(|path| match local::listen(&path) {
                Ok(socket) => Some(Listening { file: local::file_id(&path), path, socket }),
                Err(error) => {
                    if self.observing.missed.as_ref() != Some(&path) {
                        let path = path.display();
                        tracing::warn!(
                            "control_socket {path}: {error}; keepalivedctl cannot ask this daemon; trying again"
                        );
                    }
                    self.observing.missed = Some(path);
                    None
                }
            });
            self.hand_over(Door::Control);
            if self.observing.control.is_some() {
                self.observing.missed = None;
            }
        }
        if self.observing.again_at.is_none() && (self.observing.control.is_some() || self.observing.missed.is_some()) {
            self.observing.again_at = Some(reactor::now() + LOOK);
        }
        let address = self.config.global.control.http;
        if self.observing.http.as_ref().map(|(address, _)| *address) != address {
            // the observer has a copy, which keeps the port
            self.observing.http = None;
            self.hand_over(Door::Http);
            self.observing.http = address.and_then(|address| match local::listen_at(address) {
                Ok(socket) => Some((address, socket)),
                Err(error) => {
                    self.observing.again_at = Some(reactor::now() + PAUSE);
                    if self.observing.complained != Some(address) {
                        self.observing.complained = Some(address);
                        tracing::error!(
                            "metrics_listen {address}: {error}; there are no metrics and no status page yet; trying again"
                        );
                    }
                    None
                }
            });
            if self.observing.http.is_some() {
                self.observing.complained = None;
                self.hand_over(Door::Http);
            }
        }
    }

    /// Tries again to open what could not be opened.
    pub(super) fn open_doors_again(&mut self, now: Instant) {
        if self.observing.again_at.take_if(|at| *at <= now).is_some() && self.stopping.is_none() {
            self.open_doors();
        }
    }

    /// Whether a client of the control socket has called the observer. It stays from then on.
    pub(super) fn is_called(&self) -> bool {
        self.observing.called && self.config.global.control.socket != ControlSocket::None
    }

    /// Waits for the first client at the control socket, as long as there is no observer for another reason: it costs memory that most
    /// routers can do without.
    pub(super) fn await_client(&mut self) {
        let nobody_hears = self.worker(Role::Observer).is_none() && !self.needs(Role::Observer);
        let Some(control) = self.observing.control.as_ref().filter(|_| nobody_hears && self.stopping.is_none()) else {
            self.await_no_client();
            return;
        };
        if !self.observing.awaits_client {
            match self.reactor.register(&control.socket, CALLS, Interest::Read) {
                Ok(()) => self.observing.awaits_client = true,
                // one that runs in vain is better than one that is missing
                Err(_) => self.call_observer(),
            }
        }
    }

    /// The observer has a copy of the socket, and the reactor would go on telling of it.
    fn await_no_client(&mut self) {
        if let Some(control) = &self.observing.control
            && std::mem::take(&mut self.observing.awaits_client)
        {
            self.reactor.deregister(&control.socket).ok();
        }
    }

    /// A client has come to the control socket.
    pub(super) fn call_observer(&mut self) {
        self.observing.called = true;
        self.await_no_client();
        self.start_worker(Role::Observer, Begins::Fresh, Duration::ZERO);
    }

    /// During a stop no observer begins: if there is none, clients hear at once that the daemon does not run.
    pub(super) fn close_control_if_unheard(&mut self) {
        if self.stopping.is_some() && self.worker(Role::Observer).is_none() {
            self.close_control();
        }
    }

    /// Removes the control socket from the file system.
    pub(super) fn close_control(&mut self) {
        self.await_no_client();
        let Some(Listening { path, file, .. }) = self.observing.control.take() else { return };
        // another daemon may have put its own there
        if file.is_some() && file == local::file_id(&path) {
            std::fs::remove_file(path).ok();
        }
    }

    /// Gives a new observer its sockets.
    pub(super) fn hand_over_doors(&mut self) {
        for door in [Door::Control, Door::Http] {
            self.hand_over(door);
        }
    }

    /// Another text is that of the configuration that is in force.
    pub(super) fn set_text(&mut self, text: Option<OwnedFd>) {
        self.observing.text = text;
        self.hand_over_text();
    }

    /// Gives the observer the text of the configuration.
    pub(super) fn hand_over_text(&mut self) {
        let text = self.observing.text.as_ref().and_then(|text| text.try_clone().ok());
        let Some(observer) = self.posts.iter_mut().find(|post| post.role == Role::Observer) else { return };
        let Some(observer) = &mut observer.worker else { return };
        match text {
            Some(text) => observer.connection().hand_over(&ToChild::Text, text),
            None => observer.connection().say(&ToChild::Text),
        }
    }

    /// Gives the observer the socket of a door; none if it is closed.
    fn hand_over(&mut self, door: Door) {
        let Observing { control, http, .. } = &self.observing;
        let socket = match door {
            Door::Control => control.as_ref().map(|control| &control.socket),
            Door::Http => http.as_ref().map(|(_, socket)| socket),
        };
        let socket = socket.map(|socket| socket.as_fd().try_clone_to_owned()).transpose();
        let Some(observer) = self.posts.iter_mut().find(|post| post.role == Role::Observer) else { return };
        let Some(observer) = &mut observer.worker else { return };
        match socket {
            Ok(Some(socket)) => observer.connection().hand_over(&ToChild::Door(door), socket),
            Ok(None) => observer.connection().say(&ToChild::Door(door)),
            Err(error) => tracing::error!("the observer does not get its socket: {error}"),
        }
    }

    /// Where the control socket is: as configured, else beside the pid file.
    fn control_path(&self) -> Option<PathBuf> {
        match &self.config.global.control.socket {
            ControlSocket::Usual => Some(self.pid_files.control_socket()),
            ControlSocket::Path(path) => Some(Path::new(path).to_owned()),
            ControlSocket::None => None,
        }
    }
}
