//! The checker process: owns the descriptors, runs the dialogues, and reports to the supervisor.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use keepalived_config::model::{Checker, Config};
use keepalived_core::balance::{CheckResult, Ticket};
use keepalived_core::time::Instant;
use keepalived_kernel::director::Director;
use keepalived_kernel::process::{self, Capability};
use keepalived_kernel::reactor::{self, Interest, Nested, Reactor, Ready, Token};
use keepalived_state::{BalanceChange, Record};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;

use super::dialogue::{self, Dialogue, Judgement};
use super::director::{self, KernelSettings};
use super::engine::{AtExit, DueStep, Engine};
use super::mail::{self, Mailing};
use super::notify;
use super::outside::Outside;
use super::report::Level;
use super::task::Task;
use super::unfinished::Before;
use crate::alerts::Alerts;
use crate::backlog::Backlog;
use crate::changes::ChangeSender;
use crate::child::{self, End, FROM_SUPERVISOR, NotStarted};
use crate::connection::Connection;
use crate::exit;
use crate::log::{self, About};
use crate::message::{self, Cleanup, FromChild, Incoming, SessionResult, Startup, ToChild};
use crate::programs::{Fifos, OrderId, Programs};
use crate::role::Role;
use crate::schedule;

/// NetAdmin for the table, marks and buffers; SysAdmin to enter `net_namespace_ipvs`; Chown and DacOverride for FIFOs, `/proc/sys`
/// and keys; SysNice and IpcLock for a reload that changes scheduling.
const KEPT: [Capability; 8] = [
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::NetBindService,
    Capability::SysAdmin,
    Capability::Chown,
    Capability::DacOverride,
    Capability::SysNice,
    Capability::IpcLock,
];

const FROM_RUNNER: Token = Token(1);
const FROM_BFD: Token = Token(5);
/// The kernel reports what others do to the load balancer's table.
const TABLE: Token = Token(4);
/// The same of what marks packets.
const MARKS: Token = Token(6);

/// Results that are handled before the kernel's table is brought up to date.
const MOST_RESULTS: usize = 4_096;

/// Checks that are due within this time begin together: a wake-up costs as much as a check.
const TOGETHER: Duration = Duration::from_millis(10);

/// Interval of a timer that is always set. It is earlier than the deadlines of checks, so setting one of these costs no system call.
const EARLY: Duration = Duration::from_millis(500);

/// Reports that are handled in one turn: when a large site starts there are tens of thousands.
const MOST_REPORTS: usize = 1_024;

/// Entries of the view in one message: fewer than a millisecond's work.
const MOST_CHANGES: usize = 512;

/// From one such message to the next. Each wakes the process, which handles results of checks in larger batches if it is woken less often.
const CHANGES_PAUSE: Duration = Duration::from_millis(25);

/// The same while one who asked waits for the end of it.
const ASKED_PAUSE: Duration = Duration::from_millis(1);

/// Pause before what did not fit into a pipe is tried again.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Runs the checker process until it is told to stop; returns its exit status.
pub fn run() -> u8 {
    child::run(Process::with, Process::run)
}

/// A step that ended, what it says, and how long it took.
type Results = (Ticket, Judgement, Duration);

struct Process {
    supervisor: Connection,
    /// `None` once the loop has begun.
    reactor: Option<Reactor>,
    engine: Engine<Box<dyn Director>>,
    dialogue: Rc<Dialogue>,
    programs: Programs,
    /// The bfd process, and the last results of its sessions.
    bfd: Option<Connection>,
    sessions: BTreeMap<String, SessionResult>,
    /// Checks whose programs run, and since when.
    run_by_programs: BTreeMap<OrderId, (DueStep, Instant)>,
    fifos: Fifos,
    mailing: Mailing,
    alerts: Alerts,
    outside: Outside,
    kernel_settings: KernelSettings,
    /// What the supervisor remembers for the process after this one.
    cleanup: Cleanup,
    keep_services: bool,
    results: mpsc::UnboundedSender<Results>,
    inbox: mpsc::UnboundedReceiver<Results>,
    /// Checks have begun, and not all of them have had a turn.
    batch_waits: Rc<Cell<bool>>,
    backlog: Backlog<Record>,
    changes: ChangeSender,
    promotion: schedule::Promotion,
    _log: log::Guard,
}

impl Process {
    fn with(startup: Startup, reactor: Reactor, mut supervisor: Connection) -> Result<Self, NotStarted> {
        let global = &startup.config.global;
        child::name(global.checker.name.as_deref().or(global.process_name.as_deref()));
        schedule::apply("checker", &global.checker, None);
        let mut promotion = schedule::Promotion::default();
        promotion.configure(global, &global.checker);
        process::raise_descriptor_limit().ok();
        process::drop_capabilities(&KEPT)?;
        // before this process has another thread: capabilities belong to threads
        let log = log::start_anyway(
            &startup.log,
            log::Speaker { ident: "Keepalived_healthcheckers", process: "checker", log: &startup.config.global.log },
        );
        if pings(&startup.config)
            && let Err(error) = keepalived_kernel::dial::allow_ping(0)
        {
            tracing::warn!("PING_CHECK may fail: cannot change net.ipv4.ping_group_range: {error}");
        }
        let director = director::open(&startup.config)?;
        let mut kernel_settings = KernelSettings::new(&startup.cleanup);
        let mut cleanup = startup.cleanup;
        // as with keepalived a NUL follows each line
        let fifos = Fifos::new(cleanup.pipes.clone(), "\0");
        kernel_settings.look(&global.balancing);
        tell_cleanup(&mut supervisor, &mut cleanup, |cleanup| kernel_settings.add_to(cleanup));
        kernel_settings.apply(&global.balancing);
        let dialogue = Rc::new(Dialogue::new(&startup.config));
        let now = reactor::now();
        let seed = global.random_seed.map_or_else(|| now.as_nanos(), u64::from);
        let before = if startup.resumes { Before::Process(cleanup.unfinished.clone()) } else { Before::Nothing };
        let engine = Engine::new(now, startup.config, director, &before, seed)?;
        process::give_back_memory();
        let (results, inbox) = mpsc::unbounded_channel();
        Ok(Self {
            supervisor,
            reactor: Some(reactor),
            engine,
            dialogue,
            programs: Programs::default(),
            bfd: None,
            sessions: BTreeMap::new(),
            run_by_programs: BTreeMap::new(),
            fifos,
            mailing: Mailing::default(),
            alerts: Alerts::default(),
            outside: Outside::default(),
            kernel_settings,
            cleanup,
            keep_services: startup.keep_services,
            results,
            inbox,
            batch_waits: Rc::default(),
            backlog: Backlog::default(),
            changes: ChangeSender::default(),
            promotion,
            _log: log,
        })
    }

    fn run(&mut self) -> u8 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = runtime.and_then(|runtime| LocalSet::new().block_on(&runtime, self.serve()));
        match ended {
            Ok(status) => status,
            Err(error) => {
                tracing::error!("waiting failed: {error}");
                exit::FATAL
            }
        }
    }

    async fn serve(&mut self) -> io::Result<u8> {
        let reactor = self.reactor.take().ok_or(io::ErrorKind::NotConnected)?;
        let mut reactor = Nested::new(reactor)?;
        self.open_fifos();
        self.tell_cleanup();
        self.look_outside(reactor.reactor());
        if let Some(monitor) = self.engine.director().monitor()
            && let Err(error) = reactor.reactor().register(monitor, TABLE, Interest::Read)
        {
            tracing::warn!("cannot watch the load balancer's table: {error}");
        }
        if let Some(monitor) = self.engine.director().marks_monitor()
            && let Err(error) = reactor.reactor().register(monitor, MARKS, Interest::Read)
        {
            tracing::warn!("cannot watch what marks packets of groups: {error}");
        }
        self.supervisor.say(&FromChild::Ready);
        let mut ready = Vec::new();
        let mut results = Vec::new();
        let mut early = tokio::time::interval(EARLY);
        early.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake = self.turn();
            ready.clear();
            tokio::select! {
                // messages, such as Stop, come first
                biased;
                came = reactor.ready(&mut ready) => came?,
                _ = self.inbox.recv_many(&mut results, MOST_RESULTS) => {}
                () = until(wake) => {}
                _ = early.tick() => {}
            }
            self.promotion.woke(wake, reactor::now());
            for (ticket, judgement, took) in results.drain(..) {
                self.ended(ticket, &judgement, took, reactor::now());
            }
            for ready in &ready {
                if self.on_ready(*ready, reactor.reactor()).is_some() {
                    return Ok(self.stop().await);
                }
            }
        }
    }

    /// One turn: does what is due. Returns when the next one is due.
    fn turn(&mut self) -> Option<Instant> {
        let now = reactor::now();
        let programs = self.look_at_programs(now);
        self.supervisor.catch_up();
        if self.outside.catch_up(now) {
            self.hear_outside();
        }
        let wake = if self.batch_waits.get() {
            self.engine.settle(now);
            Some(now)
        } else {
            self.engine.turn(now)
        };
        self.tell_unfinished();
        self.begin_due(now);
        self.deliver(MOST_REPORTS);
        self.alerts.send();
        let is_behind = self.programs.is_behind() || self.supervisor.is_behind() || self.alerts.is_behind();
        let catch_up = (is_behind || !self.backlog.is_empty()).then(|| now + CATCH_UP);
        let more = self.engine.has_reports().then_some(now);
        let changes = self.tell_changes(now);
        let next = [wake, programs, self.outside.next_at(now), catch_up, more, changes].into_iter().flatten().min();
        next.map(|at| at.max(now + TOGETHER))
    }

    /// Handles the ends of programs that the runner ran for us. Returns when to look again.
    fn look_at_programs(&mut self, now: Instant) -> Option<Instant> {
        let lost = self.programs.turn(now);
        for (id, how) in self.programs.ended() {
            if let Some((due, since)) = self.run_by_programs.remove(&id) {
                if let Some(Task { checker: Checker::Misc(check), server, .. }) = due.task.task() {
                    let judgement = dialogue::judge_program(check, server.settings.weight, how);
                    self.ended(due.ticket, &judgement, now.since(since), now);
                }
            } else {
                self.fifos.ended(id, &how, now, &mut self.programs);
            }
        }
        let reader = self.fifos.turn(now, &mut self.programs);
        [lost, reader].into_iter().flatten().min()
    }

    /// A step of a check ended. What this machine could not ask was not measured.
    fn ended(&mut self, ticket: Ticket, judgement: &Judgement, took: Duration, now: Instant) {
        if !matches!(judgement.result, CheckResult::Unknown(_)) {
            self.engine.measured(ticket, took, judgement.failure);
        }
        self.engine.ended(ticket, &judgement.result, now);
    }

    /// Begins the checks that are due. Tasks run in their order, and the last one says that all have had a turn. No others begin before:
    /// they would pile up on a machine that is too slow.
    fn begin_due(&mut self, now: Instant) {
        let mut any = false;
        for due in self.engine.due() {
            any = true;
            match due.task.task() {
                Some(Task { checker: Checker::Misc(check), .. }) => {
                    let id = self.programs.run(&check.script, check.timeout, now);
                    self.run_by_programs.insert(id, (due, now));
                }
                _ => begin(due, Rc::clone(&self.dialogue), self.results.clone()),
            }
        }
        if any {
            self.batch_waits.set(true);
            let batch_waits = Rc::clone(&self.batch_waits);
            tokio::task::spawn_local(async move { batch_waits.set(false) });
        }
    }

    fn deliver(&mut self, most: usize) {
        let reports: Vec<_> = self.engine.reports(most).collect();
        for report in reports {
            let About { subject, cause } = About::of(|| report.about());
            match report.level() {
                Level::Error => tracing::error!(subject, cause, "{report}"),
                Level::Warning => tracing::warn!(subject, cause, "{report}"),
                Level::Info => tracing::info!(subject, cause, "{report}"),
                Level::Detail => tracing::debug!(subject, cause, "{report}"),
            }
            notify::tell(&report, self.engine.config(), &mut self.programs, &mut self.fifos);
            let engine = &self.engine;
            let kind = |check| engine.task(check).map(|task| mail::kind(task.checker));
            let alerts = self.mailing.alerts(&report, engine.config(), kind, |check| engine.users(check));
            alerts.into_iter().for_each(|alert| self.alerts.push(alert));
            if let Some(record) = report.record(SystemTime::now()) {
                self.backlog.push(record);
            }
        }
        self.backlog.tell(&mut self.supervisor, FromChild::Happened);
    }

    /// Tells the supervisor some of what became different. Returns when to do so again.
    fn tell_changes(&mut self, now: Instant) -> Option<Instant> {
        let (engine, programs) = (&mut self.engine, &self.programs);
        let pause = if engine.is_asked() { ASKED_PAUSE } else { CHANGES_PAUSE };
        let pause = engine.has_changes().then_some(pause);
        let next = || {
            let mut told = engine.changes(MOST_CHANGES);
            if let Some(BalanceChange::Totals(totals)) = told.changes.last_mut() {
                totals.programs = programs.totals();
            }
            Some(FromChild::BalanceChanges(told))
        };
        self.changes.send(now, &mut self.supervisor, pause, next)
    }

    fn on_ready(&mut self, ready: Ready, reactor: &mut Reactor) -> Option<End> {
        match ready {
            Ready::Signal(signal) => child::on_signal(signal, &mut self.supervisor),
            Ready::Descriptor { token: FROM_SUPERVISOR, .. } => self.listen(reactor),
            Ready::Descriptor { token: FROM_RUNNER, .. } => {
                // a pipe that is closed is not reported again
                self.programs.listen();
                None
            }
            Ready::Descriptor { token: FROM_BFD, .. } => {
                self.hear_of_sessions();
                None
            }
            Ready::Descriptor { token: TABLE, .. } => {
                if self.engine.director().was_disturbed() {
                    self.engine.table_changed(reactor::now());
                }
                None
            }
            Ready::Descriptor { token: MARKS, .. } => {
                if self.engine.director().marks_were_disturbed() {
                    self.engine.marks_lost(reactor::now());
                }
                None
            }
            Ready::Descriptor { token, .. } => {
                if self.outside.on_ready(token, reactor::now()) {
                    self.hear_outside();
                }
                None
            }
            Ready::Deadline => None,
        }
    }

    /// Results of BFD sessions become those of checks. If the bfd process is gone they stay as they are until the next one tells.
    fn hear_of_sessions(&mut self) {
        let before = self.sessions.clone();
        while let Some(bfd) = &mut self.bfd {
            match bfd.hear::<SessionResult>() {
                Ok(Incoming::Message(result, _)) => drop(self.sessions.insert(result.session.clone(), result)),
                Ok(Incoming::Nothing) => break,
                Ok(Incoming::Closed) => self.bfd = None,
                Err(error) => {
                    tracing::error!("message from the bfd process: {error}");
                    self.bfd = None;
                }
            }
        }
        if self.sessions != before {
            self.hear_outside();
        }
    }

    fn listen(&mut self, reactor: &mut Reactor) -> Option<End> {
        let take = |process: &mut Self, message, descriptor| process.on_message(message, descriptor, reactor);
        child::listen(self, |process| &mut process.supervisor, take)
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>, reactor: &mut Reactor) -> io::Result<()> {
        match message {
            ToChild::Reload => {
                let reloaded = message::content(descriptor).and_then(|config| self.reload(config, reactor));
                child::answer_reload(&mut self.supervisor, reloaded);
            }
            ToChild::Refresh(_) => self.engine.request_changes(),
            ToChild::Peer(Role::Runner) => {
                let runner = child::peer(descriptor)?;
                reactor.register(&runner, FROM_RUNNER, Interest::Read)?;
                self.programs.connect(runner);
            }
            ToChild::Peer(Role::Bfd) => {
                let bfd = child::peer(descriptor)?;
                reactor.register(&bfd, FROM_BFD, Interest::Read)?;
                self.bfd = Some(bfd);
            }
            ToChild::Peer(Role::Observer) => self.alerts.connect(descriptor)?,
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
            | ToChild::Connected(..)
            | ToChild::Announce(_) => {}
        }
        Ok(())
    }

    fn reload(&mut self, config: Config, reactor: &mut Reactor) -> io::Result<()> {
        // the reports are about the configuration that is still in force
        self.deliver(usize::MAX);
        log::configure(&config.global.log);
        let now = reactor::now();
        schedule::apply("checker", &config.global.checker, None);
        self.promotion.configure(&config.global, &config.global.checker);
        self.dialogue = Rc::new(Dialogue::new(&config));
        self.engine.reload(now, config)?;
        self.tell_unfinished();
        self.kernel_settings.look(&self.engine.config().global.balancing);
        self.tell_cleanup();
        self.kernel_settings.apply(&self.engine.config().global.balancing);
        process::give_back_memory();
        self.open_fifos();
        self.tell_cleanup();
        self.look_outside(reactor);
        Ok(())
    }

    fn open_fifos(&mut self) {
        let global = &self.engine.config().global;
        let wanted = [&global.fifos.all, &global.fifos.lvs];
        self.fifos.reload(wanted, global.scripts.user.as_ref(), &mut self.programs);
    }

    /// Watches the files and addresses of the configuration, instead of those before.
    fn look_outside(&mut self, reactor: &mut Reactor) {
        // closes the old watches first
        self.outside = Outside::default();
        self.outside = Outside::new(self.engine.config(), reactor);
        self.hear_outside();
    }

    /// Passes on the numbers in files and the addresses of this machine.
    fn hear_outside(&mut self) {
        let now = reactor::now();
        let (outside, sessions) = (&self.outside, &self.sessions);
        self.engine.told(|task| outside.result(task).or_else(|| result_of_session(task, sessions)), now);
        self.engine.suspend(|address| outside.has(address), now);
    }

    /// Tells the supervisor what the end of this process undoes, if that has changed.
    fn tell_cleanup(&mut self) {
        let kernel_settings = &self.kernel_settings;
        let pipes = self.fifos.made();
        tell_cleanup(&mut self.supervisor, &mut self.cleanup, |cleanup| {
            kernel_settings.add_to(cleanup);
            cleanup.pipes = pipes;
        });
    }

    /// Tells the supervisor what a process after this one would have to remove from the table, if it has changed.
    fn tell_unfinished(&mut self) {
        if let Some(unfinished) = self.engine.unfinished() {
            tell_cleanup(&mut self.supervisor, &mut self.cleanup, |cleanup| cleanup.unfinished = unfinished);
        }
    }

    async fn stop(&mut self) -> u8 {
        let at_exit = if self.keep_services { AtExit::Keep } else { AtExit::Release };
        self.fifos.stop();
        self.engine.stop(at_exit, reactor::now());
        self.kernel_settings.end(&self.engine.config().global.balancing);
        self.deliver(usize::MAX);
        std::mem::take(&mut self.fifos).close(&mut self.programs);
        self.programs.finish();
        self.alerts.finish();
        self.backlog.tell_all(&mut self.supervisor, FromChild::Happened);
        tracing::info!("Stopped");
        exit::OK
    }
}

/// Changes `told`, and tells the supervisor if it is different.
fn tell_cleanup(supervisor: &mut Connection, told: &mut Cleanup, change: impl FnOnce(&mut Cleanup)) {
    let mut cleanup = told.clone();
    change(&mut cleanup);
    if cleanup != *told {
        supervisor.say(&FromChild::Cleanup(cleanup.clone()));
        *told = cleanup;
    }
}

/// The result of a check that follows a BFD session; `None` for all others.
fn result_of_session(task: Task<'_>, sessions: &BTreeMap<String, SessionResult>) -> Option<CheckResult> {
    let Checker::Bfd(check) = task.checker else { return None };
    let result = sessions.get(&check.instance)?;
    Some(if result.is_up {
        CheckResult::Passed { weight: 0 }
    } else {
        CheckResult::Failed(format!("BFD session {}: {}", result.session, result.why))
    })
}

fn pings(config: &Config) -> bool {
    let servers = config.virtual_servers.iter().flat_map(|server| &server.real_servers);
    servers.flat_map(|server| &server.checkers).any(|checker| matches!(checker, Checker::Ping(_)))
}

/// Sleeps until `wake`; for ever without it.
async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep(at.since(reactor::now())).await,
        None => std::future::pending().await,
    }
}

fn begin(due: DueStep, dialogue: Rc<Dialogue>, results: mpsc::UnboundedSender<Results>) {
    tokio::task::spawn_local(async move {
        let since = reactor::now();
        let judgement = match due.task.task() {
            None => Judgement { result: CheckResult::Unknown("there is no such check".into()), failure: None },
            Some(task) => dialogue.run(task, due.step).await,
        };
        // the receiver is gone at the end of the process
        results.send((due.ticket, judgement, reactor::now().since(since))).ok();
    });
}
