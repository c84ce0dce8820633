//! The vrrp process: owns the descriptors, turns readiness into turns of the engine, and tells the supervisor.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use keepalived_config::model::{Config, Global};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerKind, TrackerState};
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::packets::BufferSize;
use keepalived_kernel::process::{self, Capability};
use keepalived_kernel::reactor::{self, Interest, Reactor, Ready, Token};
use keepalived_kernel::shortage::with_text;
use keepalived_kernel::sockets::{Pair, RawSockets};
use keepalived_state::{Event, Record, Subject, VrrpChange};

use super::engine::Engine;
use super::kernel_thread::{Gone, KernelThread, NICE};
use super::lifetime::{AtExit, Inherited};
use super::mail::Mailing;
use super::notify::Notifications;
use super::report::{Level, Report, Said};
use super::stand_by::stand_by;
use super::sync_daemon::Sync;
use super::tracking::{self, Tracking};
use crate::alerts::Alerts;
use crate::backlog::Backlog;
use crate::changes::ChangeSender;
use crate::child::{self, End, FROM_SUPERVISOR, NotStarted};
use crate::connection::Connection;
use crate::exit;
use crate::log::{self, About};
use crate::message::{self, Cleanup, FromChild, Incoming, SessionResult, Startup, ToChild};
use crate::programs::Programs;
use crate::role::Role;
use crate::schedule;
use keepalived_config::InstanceKey;

const NETWORK: Token = Token(1);
const PACKETS: Token = Token(2);
const ANSWERS: Token = Token(3);
const FROM_RUNNER: Token = Token(4);
const FROM_BFD: Token = Token(5);
const FROM_PROBER: Token = Token(6);

/// How soon what did not fit into a pipe is tried again.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Addresses of instances that are told in one message, in which an instance counts as one more: some 0.1 ms of work.
const MOST_CHANGES: usize = 64;

/// From one such message to the next.
const CHANGES_PAUSE: Duration = Duration::from_millis(2);

/// How long the end of this process waits for addresses to be removed. What is left then the supervisor removes.
const LAST_PATIENCE: Duration = Duration::from_secs(4);

/// The same, when there is no supervisor.
const ALONE_PATIENCE: Duration = Duration::from_secs(60);

/// Runs the vrrp process until it is told to stop; returns its exit status.
pub fn run() -> u8 {
    child::run(Process::with, Process::run)
}

struct Process {
    supervisor: Connection,
    reactor: Reactor,
    engine: Engine<Rtnetlink, RawSockets>,
    /// Asks the kernel for what takes time, and waits for it.
    kernel_thread: KernelThread<Pair>,
    /// When the routers may begin, until they have.
    begins: Option<Instant>,
    keep_addresses: bool,
    /// A configuration was taken, and the supervisor is told once the addresses are gone that it does not have: until then it
    /// would look after them if this process died.
    takes_back: bool,
    promotion: schedule::Promotion,
    sync: Option<Sync>,
    programs: Programs,
    /// The bfd process.
    bfd: Option<Connection>,
    notifications: Notifications,
    mailing: Mailing,
    alerts: Alerts,
    tracking: Tracking,
    /// What the supervisor was told to remember.
    cleanup: Cleanup,
    writes_states_on_reload: bool,
    /// Transitions that the supervisor could not be told yet.
    backlog: Backlog<(InstanceKey, Record)>,
    changes: ChangeSender,
    _log: log::Guard,
}

impl Process {
    fn with(mut startup: Startup, mut reactor: Reactor, mut supervisor: Connection) -> Result<Self, NotStarted> {
        let global = &startup.config.global;
        child::name(global.vrrp.name.as_deref().or(global.process_name.as_deref()));
        schedule::apply("vrrp", &global.vrrp, Some(NICE));
        let buffer = global.buffers.vrrp_monitor.size.map_or(Rtnetlink::DEFAULT_MONITOR_BUFFER, BufferSize);
        let answers = global.buffers.vrrp_command.size.map(BufferSize);
        let network = Rtnetlink::open(buffer)
            .and_then(|network| network.size_answers(answers))
            .map_err(|error| child::cannot_open("netlink", error))?;
        let packets = RawSockets::new().map_err(|error| child::cannot_open("packet sockets", error))?;
        reactor.register(network.monitor_fd(), NETWORK, Interest::Read)?;
        reactor.register(packets.poll_fd(), PACKETS, Interest::Read)?;
        if !process::holds(Capability::NetAdmin) || !process::holds(Capability::NetRaw) {
            return Err(NotStarted {
                status: exit::NO_PERMISSION,
                reason: "VRRP needs the capabilities CAP_NET_ADMIN and CAP_NET_RAW: run keepalived as root, or grant them (systemd: AmbientCapabilities=)".into(),
            });
        }
        // SysNice and IpcLock are for a reload that changes scheduling; DacOverride for /proc/sys; Chown for named pipes
        let keep = [
            Capability::NetAdmin,
            Capability::NetRaw,
            Capability::SysNice,
            Capability::IpcLock,
            Capability::DacOverride,
            Capability::Chown,
        ];
        process::drop_capabilities(&keep)?;
        // before this process has another thread: capabilities belong to threads
        let log = log::start_anyway(
            &startup.log,
            log::Speaker { ident: "Keepalived_vrrp", process: "vrrp", log: &startup.config.global.log },
        );
        let stood_by = stand_by(&mut startup, &mut reactor, &mut supervisor)?;
        let global = &startup.config.global;
        let now = reactor::now();
        let mut promotion = schedule::Promotion::default();
        promotion.configure(global, &global.vrrp);
        let kernel_thread = Rtnetlink::without_events()
            .and_then(|network| network.size_answers(answers))
            .map_err(|error| child::cannot_open("netlink", error))
            .and_then(|network| {
                let short = |error: io::Error| with_text(&error, format!("cannot start a thread: {error}"));
                KernelThread::start(network).map_err(short)
            })?;
        kernel_thread.schedule(&global.vrrp);
        reactor.register(&kernel_thread, ANSWERS, Interest::Read)?;
        let borrowed = startup.cleanup.settings.clone();
        let inherited = Inherited { masters: startup.masters.clone(), trackers: startup.trackers.clone(), borrowed };
        let mut engine = Engine::new(now, &startup.config, inherited, network, packets)?;
        let mut programs = Programs::default();
        if stood_by.runner.is_some() {
            programs.connect(meet(&mut reactor, stood_by.runner, FROM_RUNNER)?);
        }
        let bfd = stood_by.bfd.map(|bfd| meet(&mut reactor, Some(bfd), FROM_BFD)).transpose()?;
        let mut tracking = Tracking::default();
        if stood_by.prober.is_some() {
            tracking.connect(meet(&mut reactor, stood_by.prober, FROM_PROBER)?);
        }
        let tracked = engine.tracked();
        let is_tracked = |kind, name: &str| tracked.contains(&TrackerId::new(kind, name));
        tracking.configure(now, &startup.config, is_tracked, &startup.trackers, (&mut programs, &mut reactor));
        for (tracker, state, detail) in tracking.states() {
            engine.track(now, &tracker, state, detail);
        }
        let mut notifications = Notifications::new(startup.cleanup.pipes.clone());
        notifications.configure(&startup.config, &mut programs);
        let mut mailing = Mailing::default();
        mailing.add(&startup.config);
        let mut alerts = Alerts::default();
        if stood_by.observer.is_some() {
            alerts.connect(stood_by.observer)?;
        }
        let delay = if startup.resumes { Duration::ZERO } else { startup_delay(global, process::uptime()) };
        if !delay.is_zero() {
            tracing::info!("Delaying startup for {:.3} s", delay.as_secs_f64());
        }
        Ok(Self {
            supervisor,
            reactor,
            engine,
            kernel_thread,
            begins: Some(now + delay),
            keep_addresses: startup.keep_addresses,
            takes_back: stood_by.was_given,
            promotion,
            sync: Sync::start(&startup.config, None),
            programs,
            bfd,
            notifications,
            mailing,
            alerts,
            tracking,
            cleanup: startup.cleanup,
            writes_states_on_reload: startup.config.global.fifos.states_on_reload,
            backlog: Backlog::default(),
            changes: ChangeSender::default(),
            _log: log,
        })
    }

    fn run(&mut self) -> u8 {
        self.tell_pipes();
        self.tell_settings();
        self.supervisor.say(&FromChild::Ready);
        process::give_back_memory();
        let mut ready = Vec::new();
        loop {
            let wake = self.turn();
            ready.clear();
            if let Err(error) = self.reactor.wait(wake, &mut ready) {
                tracing::error!("waiting failed: {error}");
                return exit::FATAL;
            }
            self.promotion.woke(wake, reactor::now());
            match self.on_ready(&ready) {
                Ok(None) => {}
                Ok(Some(End::Stop)) => return self.stop(Some(LAST_PATIENCE)),
                // no other process would remove what this one does not
                Ok(Some(End::SupervisorGone)) => return self.stop(None),
                Err(Gone) => {
                    tracing::error!("a thread of this process has failed; please report this");
                    return exit::FATAL;
                }
            }
        }
    }

    fn turn(&mut self) -> Option<Instant> {
        let now = reactor::now();
        // a clock that stands before 1970 is wrong, whatever it says
        self.engine.set_utc(now, SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        if self.begins.is_some_and(|at| at <= now) {
            self.begins = None;
            self.engine.begin(now);
        }
        let wake = self.engine.turn(now);
        let programs = self.look_at_programs(now);
        if let Some(order) = self.engine.order() {
            self.kernel_thread.give(order);
        }
        if self.takes_back && !self.engine.owes_changes() {
            self.takes_back = false;
            self.supervisor.say(&FromChild::Reloaded);
        }
        self.deliver();
        self.supervisor.catch_up();
        let changes = self.tell_changes(now);
        let retry = (!self.backlog.is_empty()).then(|| now + Duration::from_millis(100));
        self.alerts.send();
        let catch_up = (self.programs.is_behind() || self.alerts.is_behind()).then(|| now + CATCH_UP);
        [wake, programs, self.begins, retry, catch_up, self.supervisor.next_at(now), changes]
            .into_iter()
            .flatten()
            .min()
    }

    /// Tells the supervisor some of what became different. Returns when to do so again.
    fn tell_changes(&mut self, now: Instant) -> Option<Instant> {
        let (engine, programs) = (&mut self.engine, &self.programs);
        let pause = engine.has_changes().then_some(CHANGES_PAUSE);
        let next = || {
            let mut told = engine.changes(now, SystemTime::now(), MOST_CHANGES);
            if let Some(VrrpChange::Totals(totals)) = told.changes.last_mut() {
                totals.programs = programs.totals();
            }
            Some(FromChild::VrrpChanges(told))
        };
        self.changes.send(now, &mut self.supervisor, pause, next)
    }

    /// What became of the programs that the runner runs for us, and what is due. Returns when to look again.
    fn look_at_programs(&mut self, now: Instant) -> Option<Instant> {
        let lost = self.programs.turn(now);
        for (order, how) in self.programs.ended() {
            match self.tracking.ended(order, how.clone()) {
                Some(result) => self.track(now, result),
                None => self.notifications.ended(order, &how, now, &mut self.programs),
            }
        }
        let readers = self.notifications.turn(now, &mut self.programs);
        let due = self.tracking.turn(now, &mut self.programs, &mut self.reactor);
        [lost, readers, due].into_iter().flatten().min()
    }

    fn track(&mut self, now: Instant, results: impl IntoIterator<Item = tracking::Result>) {
        for (tracker, state, detail) in results {
            self.engine.track(now, &tracker, state, detail);
        }
    }

    /// Gives the engine what came of its order, if that is known within `patience`.
    fn take_answer(&mut self, patience: Duration) -> Result<(), Gone> {
        if let Some(answer) = self.kernel_thread.wait(patience)? {
            self.engine.answer(reactor::now(), answer);
        }
        Ok(())
    }

    fn on_ready(&mut self, ready: &[Ready]) -> Result<Option<End>, Gone> {
        for ready in ready {
            let end = match ready {
                Ready::Signal(signal) => child::on_signal(*signal, &mut self.supervisor),
                Ready::Descriptor { token: FROM_SUPERVISOR, .. } => self.listen(),
                Ready::Descriptor { token: ANSWERS, .. } => {
                    self.take_answer(Duration::ZERO)?;
                    None
                }
                Ready::Descriptor { token: FROM_RUNNER, .. } => {
                    // a pipe that is closed is not reported again
                    self.programs.listen();
                    None
                }
                Ready::Descriptor { token: FROM_BFD, .. } => {
                    self.hear_of_sessions();
                    None
                }
                Ready::Descriptor { token: FROM_PROBER, .. } => {
                    let results = self.tracking.hear_prober();
                    self.track(reactor::now(), results);
                    None
                }
                // the engine reads them in each turn
                Ready::Descriptor { token: NETWORK | PACKETS, .. } | Ready::Deadline => None,
                Ready::Descriptor { token, .. } => {
                    let now = reactor::now();
                    if let Some(beats) = self.tracking.link_news(*token).map_err(|tracking::Gone| Gone)? {
                        self.engine.link_beats(beats);
                    }
                    let results = self.tracking.on_ready(*token).map_err(|tracking::Gone| Gone)?;
                    self.track(now, results);
                    None
                }
            };
            if end.is_some() {
                return Ok(end);
            }
        }
        Ok(None)
    }

    /// Results of BFD sessions become those of trackers. If the bfd process is gone they stay as they are until the next one tells.
    fn hear_of_sessions(&mut self) {
        while let Some(bfd) = &mut self.bfd {
            match bfd.hear::<SessionResult>() {
                Ok(Incoming::Message(SessionResult { session, is_up, why }, _)) => {
                    let state = if is_up { TrackerState::Up } else { TrackerState::Down };
                    let now = reactor::now();
                    self.engine.session_result(now, &session, is_up);
                    self.engine.track(now, &TrackerId::new(TrackerKind::Bfd, session), state, why);
                }
                Ok(Incoming::Nothing) => return,
                Ok(Incoming::Closed) => self.bfd = None,
                Err(error) => {
                    tracing::error!("message from the bfd process: {error}");
                    self.bfd = None;
                }
            }
        }
    }

    fn listen(&mut self) -> Option<End> {
        child::listen(self, |process| &mut process.supervisor, Self::on_message)
    }

    fn on_message(&mut self, message: ToChild, memory: Option<OwnedFd>) -> io::Result<()> {
        match message {
            ToChild::Peer(Role::Runner) => self.programs.connect(meet(&mut self.reactor, memory, FROM_RUNNER)?),
            ToChild::Peer(Role::Bfd) => self.bfd = Some(meet(&mut self.reactor, memory, FROM_BFD)?),
            ToChild::Peer(Role::Observer) => self.alerts.connect(memory)?,
            ToChild::Peer(Role::Prober) => self.tracking.connect(meet(&mut self.reactor, memory, FROM_PROBER)?),
            ToChild::Hello(_)
            | ToChild::Start
            | ToChild::Peer(_)
            | ToChild::Orders
            | ToChild::Roster
            | ToChild::Stop
            | ToChild::Seen(_)
            | ToChild::Door(_)
            | ToChild::Text
            | ToChild::Secrets(_)
            | ToChild::Connected(..) => {}
            ToChild::Reload => {
                // the supervisor hears of a success once addresses are gone that the configuration does not have
                match message::content::<Config>(memory) {
                    Ok(config) => self.apply(&config),
                    Err(error) => self.supervisor.say(&FromChild::NotReloaded(error.to_string())),
                }
            }
            ToChild::Refresh(after) => self.engine.request_changes(after),
            ToChild::Announce(instance) => self.engine.announce(&instance),
        }
        Ok(())
    }

    fn apply(&mut self, config: &Config) {
        log::configure(&config.global.log);
        schedule::apply("vrrp", &config.global.vrrp, Some(NICE));
        self.kernel_thread.schedule(&config.global.vrrp);
        self.promotion.configure(&config.global, &config.global.vrrp);
        // what happened is told as the configuration says that is still in force
        self.deliver();
        let now = reactor::now();
        self.notifications.add(config);
        self.mailing.add(config);
        self.engine.reload(now, config);
        self.deliver();
        let tracked = self.engine.tracked();
        let is_tracked = |kind, name: &str| tracked.contains(&TrackerId::new(kind, name));
        let by = (&mut self.programs, &mut self.reactor);
        self.tracking.configure(now, config, is_tracked, &BTreeMap::new(), by);
        self.track(now, self.tracking.states());
        self.notifications.configure(config, &mut self.programs);
        self.mailing.configure(config);
        self.writes_states_on_reload = config.global.fifos.states_on_reload;
        if self.writes_states_on_reload {
            for (name, state, priority) in self.engine.standing() {
                self.notifications.write_state(name, state, priority);
            }
        }
        self.tell_pipes();
        self.resync(config);
        self.takes_back = true;
    }

    /// `lvs_sync_daemon` after a reload: another one is started anew, and hears how its instance stands.
    fn resync(&mut self, config: &Config) {
        let wanted = config.global.balancing.sync_daemon.as_deref();
        if self.sync.as_ref().map(Sync::settings) == wanted {
            return;
        }
        self.sync = Sync::start(config, self.sync.take());
        if let Some(sync) = &self.sync {
            self.engine.states().into_iter().for_each(|(_, name, state)| sync.follow(name, state));
        }
    }

    /// Tells the supervisor which named pipes it removes if this process dies, unless it knows them.
    fn tell_pipes(&mut self) {
        let pipes = self.notifications.pipes();
        if pipes != self.cleanup.pipes {
            self.cleanup.pipes = pipes;
            self.supervisor.say(&FromChild::Cleanup(self.cleanup.clone()));
        }
    }

    /// Tells the supervisor which settings it puts back if this process dies, unless it knows them.
    fn tell_settings(&mut self) {
        if *self.engine.borrowed() != self.cleanup.settings {
            self.cleanup.settings.clone_from(self.engine.borrowed());
            self.supervisor.say(&FromChild::Cleanup(self.cleanup.clone()));
        }
    }

    /// Logs what the engine reports, and tells the supervisor of transitions.
    fn deliver(&mut self) {
        self.tell_settings();
        for report in self.engine.reports() {
            self.notifications.tell(&report, &mut self.programs);
            if let Some(alert) = self.mailing.alert(&report) {
                self.alerts.push(alert);
            }
            let About { subject, cause } = About::of(|| report.about());
            match report.level() {
                Level::Error => tracing::error!(subject, cause, "{report}"),
                Level::Warning => tracing::warn!(subject, cause, "{report}"),
                Level::Info => tracing::info!(subject, cause, "{report}"),
                Level::Silent => {}
            }
            let (key, name, event) = match report {
                Report::Transition { key, name, transition, .. } => {
                    if let Some(sync) = &self.sync {
                        sync.follow(&name, transition.to);
                    }
                    (key, name, Event::Transition(transition))
                }
                Report::Duplicate { key, name, address, interface, holder } => {
                    (key, name, Event::Duplicate { address, interface, holder })
                }
                Report::Tracker { tracker, before, state, detail, said } => {
                    self.supervisor.say(&FromChild::Tracked(tracker.clone(), state));
                    // one that changes without a pause must not displace what the routers did
                    if said == Said::Yes {
                        let (subject, event) = (Subject::Tracker(tracker), Event::Tracked { before, state, detail });
                        let record = Record { at: SystemTime::now(), subject, event };
                        self.supervisor.say(&FromChild::Happened(vec![record]));
                    }
                    continue;
                }
                // the journal tells how instances stand; the rest is in the log
                _ => continue,
            };
            let subject = Subject::Instance(name.to_string());
            self.backlog.push((key, Record { at: SystemTime::now(), subject, event }));
        }
        self.backlog.tell(&mut self.supervisor, FromChild::Transitions);
    }

    /// Ends, and waits for `patience` at most ([`ALONE_PATIENCE`] without one) until the kernel has removed the addresses.
    fn stop(&mut self, patience: Option<Duration>) -> u8 {
        self.begins = None;
        let at_exit = if self.keep_addresses { AtExit::Keep } else { AtExit::Release };
        self.notifications.stop();
        self.engine.stop(reactor::now(), at_exit);
        self.deliver();
        self.notifications.close(&mut self.programs);
        self.programs.finish();
        let released = self.release(patience);
        // last: no observer keeps addresses here while others take over
        self.alerts.finish();
        self.backlog.tell_all(&mut self.supervisor, FromChild::Transitions);
        if let Some(sync) = self.sync.take() {
            sync.stop();
        }
        tracing::info!("Stopped");
        // the supervisor looks after what is left
        if released { exit::OK } else { exit::FATAL }
    }

    /// Waits until the addresses are removed that no router holds any more. False if some may be left.
    fn release(&mut self, patience: Option<Duration>) -> bool {
        let deadline = reactor::now() + patience.unwrap_or(ALONE_PATIENCE);
        while self.engine.owes_removals() {
            let wake = self.turn();
            let now = reactor::now();
            let left = deadline.since(now);
            let pause = wake.map_or(left, |at| at.since(now).min(left));
            if left.is_zero() || self.take_answer(pause).is_err() {
                tracing::warn!("the kernel takes long to remove addresses; the supervisor removes the rest");
                return false;
            }
        }
        true
    }
}

/// Another process of the daemon: what it says announces itself by `token`.
fn meet(reactor: &mut Reactor, descriptor: Option<OwnedFd>, token: Token) -> io::Result<Connection> {
    let peer = child::peer(descriptor)?;
    reactor.register(&peer, token, Interest::Read)?;
    Ok(peer)
}

/// `vrrp_startup_delay`, or what is left of `vrrp_delay_after_boot`, whichever is longer.
fn startup_delay(global: &Global, uptime: Duration) -> Duration {
    global.startup_delay.max(global.delay_after_boot.saturating_sub(uptime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_delay_counts() {
        let delay = |text: &str, uptime| {
            let global = crate::configuration::from_text(&format!("global_defs {{\n{text}\n}}\n")).global;
            startup_delay(&global, Duration::from_secs(uptime)).as_secs()
        };
        assert_eq!((delay("", 0), delay("vrrp_startup_delay 5", 100)), (0, 5));
        assert_eq!((delay("vrrp_delay_after_boot 60", 20), delay("vrrp_delay_after_boot 60", 100)), (40, 0));
        let both = "vrrp_startup_delay 5\nvrrp_delay_after_boot 60";
        assert_eq!((delay(both, 20), delay(both, 58)), (40, 5));
    }
}
