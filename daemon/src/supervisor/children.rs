//! The supervisor's children: started when there is something for them to do, watched, and started anew when they die.

use std::collections::BTreeSet;
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::{Backend, Checker, Config, Instance};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Preempt, State};
use keepalived_kernel::ipvs::Ipvs;
use keepalived_kernel::process::{self, Exit, Pid};
use keepalived_kernel::reactor::{self, Interest, Token};
use keepalived_kernel::signal::Signal;
use keepalived_state::Event;
use sd_notify::NotifyState;

use super::abandoned::{down_time, unnoticed};
use super::dump::Dump;
use super::liveness;
use super::worker::Worker;
use super::{Supervisor, eprint_all, notify};
use crate::backoff::Backoff;
use crate::changes::Changes;
use crate::cli::Options;
use crate::configuration;
use crate::exit;
use crate::message::{AfterTelling, FromChild, Incoming, Startup, ToChild};
use crate::role::Role;

/// A place for a child, taken or not.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) role: Role,
    pub(super) worker: Option<Worker>,
    backoff: Backoff,
    pub(super) respawn_at: Option<Instant>,
    /// The worker could not take a configuration; it gets it again then.
    give_at: Option<Instant>,
    give_backoff: Backoff,
    /// Since when nobody does its work, as far as we know; `None` while a worker does.
    pub(super) idle_since: Option<Instant>,
    /// A worker of it has run: what keeps the next one from it may pass.
    has_run: bool,
}

impl Post {
    pub(super) fn new(role: Role, now: Instant) -> Self {
        Self {
            role,
            worker: None,
            backoff: Backoff::default(),
            respawn_at: None,
            give_at: None,
            give_backoff: Backoff::default(),
            idle_since: Some(now),
            has_run: false,
        }
    }

    /// When there is something to do about it.
    pub(super) fn next_at(&self) -> impl Iterator<Item = Instant> {
        let hello_at = self.worker.as_ref().map(Worker::hello_at);
        [self.respawn_at, self.give_at, hello_at].into_iter().flatten()
    }

    /// For how long nobody has done its work.
    fn gap(&self, now: Instant) -> Duration {
        self.idle_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

/// Why a descriptor of a child is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// It said something.
    Speaks,
    /// It ended.
    Ended,
}

/// What the reactor calls a descriptor of a child.
fn token(role: Role, source: Source) -> Token {
    let place = (0..).zip(Role::ALL).find(|(_, known)| *known == role).map_or(0, |(place, _)| place);
    Token(place * 2 + u64::from(source == Source::Ended))
}

/// Whose descriptor it is.
pub(super) fn source(ready: Token) -> Option<(Role, Source)> {
    let all = Role::ALL.into_iter().flat_map(|role| [(role, Source::Speaks), (role, Source::Ended)]);
    all.into_iter().find(|(role, source)| token(*role, *source) == ready)
}

/// Under what circumstances a child begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Begins {
    /// There was none before it.
    Fresh,
    /// The one before it ended, and for this long nobody did its work.
    After(Duration),
}

/// How long a kernel module is waited for: no router waits longer than for its election.
const TO_LOAD: Duration = Duration::from_secs(2);

/// Whether IPVS may be asked for something.
fn uses_ipvs(config: &Config) -> bool {
    let balancing = &config.global.balancing;
    balancing.sync_daemon.is_some() || (balancing.backend != Backend::Nftables && !config.virtual_servers.is_empty())
}

impl Supervisor {
    fn post(&mut self, role: Role) -> Option<&mut Post> {
        self.posts.iter_mut().find(|post| post.role == role)
    }

    pub(super) fn worker(&self, role: Role) -> Option<&Worker> {
        self.posts.iter().find(|post| post.role == role)?.worker.as_ref()
    }

    pub(super) fn worker_mut(&mut self, role: Role) -> Option<&mut Worker> {
        self.post(role)?.worker.as_mut()
    }

    pub(super) fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.posts.iter().filter_map(|post| post.worker.as_ref())
    }

    pub(super) fn workers_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.posts.iter_mut().filter_map(|post| post.worker.as_mut())
    }

    /// Starts those that are needed and not there.
    pub(super) fn start_children(&mut self) {
        self.load_modules();
        let now = reactor::now();
        for role in Role::ALL {
            // a reload does not let one wait that died
            let died = self.post(role).is_some_and(|post| post.respawn_at.take().is_some());
            let gap = self.post(role).map_or(Duration::ZERO, |post| post.gap(now));
            self.start_worker(role, if died { Begins::After(gap) } else { Begins::Fresh }, Duration::ZERO);
        }
    }

    /// The children give up the right to load kernel modules.
    fn load_modules(&mut self) {
        let needs_it = !self.modules_are_loaded
            && uses_ipvs(&self.config)
            && [Role::Checker, Role::Vrrp].into_iter().any(|role| is_needed(role, &self.options, &self.config));
        if needs_it {
            self.modules_are_loaded = true;
            if let Err(error) = Ipvs::load(TO_LOAD) {
                // whoever needs it says what follows from that
                tracing::info!("IPVS: {error}");
            }
        }
    }

    pub(super) fn respawn(&mut self, now: Instant) {
        for role in Role::ALL {
            let Some(post) = self.post(role) else { continue };
            if post.respawn_at.take_if(|at| *at <= now).is_some() {
                let gap = post.gap(now);
                self.start_worker(role, Begins::After(gap), Duration::ZERO);
            }
        }
    }

    /// Does again what could not be done before.
    pub(super) fn try_again(&mut self, now: Instant) {
        for role in Role::ALL {
            let Some(post) = self.post(role) else { continue };
            let give = post.give_at.take_if(|at| *at <= now).is_some();
            if let Some(worker) = &mut post.worker {
                worker.connection().catch_up();
            }
            if give {
                self.give(role);
            }
        }
        self.introduce_again(now);
    }

    /// When to send a child what it did not take before.
    pub(super) fn catch_up_at(&self, now: Instant) -> Option<Instant> {
        self.workers().filter_map(|worker| worker.catch_up_at(now)).min()
    }

    /// Asks those children that are due whether they live.
    pub(super) fn say_hello(&mut self, now: Instant) {
        let stopping = self.stopping.is_some();
        let workers = self.posts.iter_mut().filter_map(|post| post.worker.as_mut());
        for worker in workers.filter(|worker| worker.hello_at() <= now) {
            // one that stops has its time from elsewhere
            if !worker.hello(now) && !stopping && worker.kill() {
                tracing::error!("{} process does not answer; killing it and starting another", worker.role());
            }
        }
    }

    /// Hands the new configuration to the children.
    pub(super) fn apply(&mut self) {
        let keys: BTreeSet<InstanceKey> =
            keepalived_config::plan::keyed(&self.config.instances).map(|(key, _)| key).collect();
        self.states.retain(|key, _| keys.contains(key));
        let intervals = Role::ALL.map(|role| self.hello_interval(role));
        for (worker, interval) in self.posts.iter_mut().map(|post| post.worker.as_mut()).zip(intervals) {
            if let Some(worker) = worker {
                worker.set_interval(interval);
            }
        }
        Role::ALL.into_iter().for_each(|role| self.give(role));
        self.start_children();
    }

    /// Hands the configuration to one child.
    fn give(&mut self, role: Role) {
        let Some(worker) = self.posts.iter_mut().find(|post| post.role == role).and_then(|post| post.worker.as_mut())
        else {
            return;
        };
        let say = |share: &Config| worker.connection().say_with(&ToChild::Reload, share);
        match with_share(&mut self.config, role, say) {
            Ok(()) => {
                worker.reloading = true;
                if let Some(post) = self.post(role) {
                    post.give_at = None;
                }
            }
            Err(error) => self.give_again(role, &error.to_string()),
        }
    }

    /// A child does not have the configuration, for want of something: what it does goes on, and it gets it later.
    fn give_again(&mut self, role: Role, why: &str) {
        let now = reactor::now();
        let Some(post) = self.post(role) else { return };
        let pause = post.give_backoff.next(now).max(Duration::from_secs(1));
        post.give_at = Some(now + pause);
        tracing::error!("{role} process has not got the configuration ({why}); trying again in {} s", pause.as_secs());
    }

    /// How often a child is asked whether it lives: masters that are frozen have to be noticed before others take over.
    fn hello_interval(&self, role: Role) -> Duration {
        let shortest = (role == Role::Vrrp).then(|| self.config.instances.iter().map(down_time).min()).flatten();
        liveness::interval(shortest)
    }

    /// Starts the process of `role`, if it is needed; it stands by for so long before it begins.
    fn start_worker(&mut self, role: Role, begins: Begins, stands_by: Duration) {
        // a checker process is needed as well to take away what the one before has left
        let follows = role == Role::Checker && self.succession.is_open();
        let is_needed = follows || is_needed(role, &self.options, &self.config);
        if !is_needed || self.worker(role).is_some() || self.stopping.is_some() {
            return;
        }
        let masters = match begins {
            Begins::Fresh => BTreeSet::new(),
            // once another router may be master, those that may not preempt it have to listen first
            Begins::After(gap) => {
                let unnoticed = unnoticed(&self.config);
                let in_time = |name: &str| unnoticed.get(name).is_some_and(|time| gap + stands_by < *time);
                self.masters(|instance| instance.preempt == Preempt::Yes || in_time(&instance.name))
            }
        };
        let script_default = self.script_default;
        let interval = self.hello_interval(role);
        let (debts, log, options) = (self.debts.clone(), self.destinations.clone(), &self.options);
        let present = &mut self.config;
        let first = if follows { self.succession.first(present) } else { present };
        let started = with_share(first, role, |config| {
            let startup = Startup {
                config,
                masters,
                resumes: begins != Begins::Fresh,
                script_default,
                stands_by,
                debts,
                log,
                keep_addresses: options.keep_addresses,
                keep_services: options.keep_services,
            };
            Worker::start(role, &startup, options, interval)
        });
        match started {
            Ok(mut worker) => {
                let registered = self
                    .reactor
                    .register(&*worker.connection(), token(role, Source::Speaks), Interest::Read)
                    .and_then(|()| self.reactor.register(worker.child(), token(role, Source::Ended), Interest::Read));
                if let Err(error) = registered {
                    tracing::error!("{role} process cannot be watched: {error}");
                }
                self.pid_files.child(role, worker.pid());
                if let Some(post) = self.post(role) {
                    post.worker = Some(worker);
                }
                self.introduce(role);
                if follows {
                    self.give(role);
                }
            }
            Err(error) => {
                tracing::error!("cannot start the {role} process: {error}");
                let now = reactor::now();
                if let Some(post) = self.post(role) {
                    post.respawn_at = Some(now + post.backoff.next(now));
                }
            }
        }
    }

    /// The runner stops after the others, which may still want programs run.
    pub(super) fn stop_the_runner(&mut self) {
        if self.workers().all(|worker| worker.role() == Role::Runner) {
            self.workers_mut().for_each(Worker::stop);
        }
    }

    /// Instances that were master when the worker was last heard of, and are `such`.
    fn masters(&self, such: impl Fn(&Instance) -> bool) -> BTreeSet<InstanceKey> {
        keepalived_config::plan::keyed(&self.config.instances)
            .filter(|(key, instance)| self.states.get(key) == Some(&State::Master) && such(instance))
            .map(|(key, _)| key)
            .collect()
    }

    pub(super) fn listen(&mut self, role: Role) {
        loop {
            let Some(worker) = self.worker_mut(role) else { return };
            match worker.receive() {
                Ok(Incoming::Message(message, _)) => self.on_message(role, message),
                Ok(Incoming::Nothing) => return,
                Ok(Incoming::Closed) => {
                    // its descriptor tells how it ended
                    let post = self.posts.iter_mut().find(|post| post.role == role);
                    if let Some(worker) = post.and_then(|post| post.worker.as_mut()) {
                        self.reactor.deregister(&*worker.connection()).ok();
                    }
                    return;
                }
                Err(error) => {
                    tracing::error!("message from the {role} process: {error}");
                    worker.kill();
                    return;
                }
            }
        }
    }

    fn on_message(&mut self, role: Role, message: FromChild) {
        match message {
            FromChild::StandsBy => {
                if let Some(worker) = self.worker_mut(role) {
                    worker.stands_by = true;
                }
            }
            FromChild::Ready => {
                if let Some(worker) = self.worker_mut(role) {
                    worker.has_started(reactor::now());
                }
                if let Some(post) = self.post(role) {
                    post.idle_since = None;
                    post.has_run = true;
                }
                self.ready_if_all_are();
                if self.options.dump {
                    self.ask(role, Dump::Log, AfterTelling::KeepCounters);
                }
                self.request(role);
            }
            FromChild::Reloaded => {
                match role {
                    Role::Vrrp => self.superseded.clear(),
                    Role::Checker => self.succession.taken(),
                    Role::Runner => {}
                }
                self.has_answered_the_reload(role);
            }
            FromChild::NotReloaded(why) => {
                self.give_again(role, &why);
                self.has_answered_the_reload(role);
            }
            FromChild::Hello(number) => {
                if let Some(worker) = self.worker_mut(role) {
                    worker.answered(number);
                }
            }
            FromChild::Transitions(records) => {
                for (key, record) in records {
                    if let Event::Transition(transition) = &record.event {
                        self.states.insert(key, transition.to);
                    }
                    if let Some(journal) = self.views.journal(role) {
                        journal.push(record);
                    }
                }
            }
            FromChild::Happened(records) => {
                if let Some(journal) = self.views.journal(role) {
                    records.into_iter().for_each(|record| journal.push(record));
                }
            }
            FromChild::Owes(debts) => self.debts = debts,
            FromChild::VrrpChanges(Changes { changes, fresh }) => {
                self.views.apply_vrrp(changes);
                self.write_dumps(role, fresh);
            }
            FromChild::BalanceChanges(Changes { changes, fresh }) => {
                self.views.apply_balance(changes);
                self.write_dumps(role, fresh);
            }
            FromChild::Signal(number) => {
                if let Some(signal) = Signal::from_number(number) {
                    self.on_signal(signal);
                }
            }
            FromChild::CannotRun(reason) => {
                tracing::error!("{role} process cannot run: {reason}");
                if self.background.is_some() && !self.destinations.console {
                    eprint_all(&format!("keepalived: {reason}\n"));
                }
            }
        }
    }

    fn has_answered_the_reload(&mut self, role: Role) {
        if let Some(worker) = self.worker_mut(role) {
            worker.has_reloaded(reactor::now());
        }
        self.reload_is_over();
    }

    /// Writes the dumps that waited for a process, if what it told is `fresh`, and asks for those that came since.
    fn write_dumps(&mut self, role: Role, fresh: bool) {
        if fresh {
            let global = &self.config.global;
            let router_id = global.router_id.clone().unwrap_or_else(configuration::host_name);
            self.views.write(role, router_id, global, &mut self.paced_log, reactor::now());
            self.request(role);
        }
    }

    /// Processes that were killed and do not end are left behind: nobody does their work any more.
    pub(super) fn leave_behind(&mut self, now: Instant) {
        for post in self.posts.iter_mut().filter(|post| post.worker.is_some()) {
            tracing::error!("{} process does not end", post.role);
            post.worker = None;
            post.idle_since.get_or_insert(now);
        }
    }

    /// What scripts leave in the background becomes ours when they end, and would stay as a zombie.
    pub(super) fn reap_orphans(&self) {
        let own: Vec<Pid> = self.workers().map(Worker::pid).collect();
        if let Err(error) = process::reap_orphans(&own) {
            tracing::warn!("orphans of scripts cannot be reaped: {error}");
        }
    }

    /// Finds out whether a child has ended, and starts it anew where that makes sense.
    pub(super) fn reap(&mut self, role: Role) {
        let Some(worker) = self.worker(role) else { return };
        let Ok(Some(ended)) = worker.ended() else { return };
        let pid = worker.pid();
        // what it said last
        self.listen(role);
        let was_stuck = self.worker(role).is_some_and(Worker::was_stuck);
        let now = reactor::now();
        let was_reloading = self.worker(role).is_some_and(|worker| worker.reloading);
        let Some(post) = self.post(role) else { return };
        let had_run = post.has_run;
        let had_lived = post.worker.as_ref().is_some_and(Worker::has_lived);
        // one that never got to its work leaves it undone for as long as before
        post.idle_since.get_or_insert(if was_stuck { Instant::ZERO } else { now });
        // the next one starts with the configuration as it is
        post.give_at = None;
        if let Some(mut worker) = post.worker.take() {
            self.reactor.deregister(&*worker.connection()).ok();
            self.reactor.deregister(worker.child()).ok();
        }
        self.views.ended(role);
        if role == Role::Vrrp {
            self.remove_superseded();
        }
        if self.stopping.is_some() {
            if role == Role::Vrrp && ended == Exit::Status(exit::OK.into()) {
                // it took back what it had
                self.states.clear();
            }
            self.stop_the_runner();
            return;
        }
        match ended {
            // later, what keeps it from its work may pass: memory that is short, a descriptor too many
            Exit::Status(status) if exit::is_permanent(status) && !had_run => {
                tracing::error!("{role} process({pid}) {ended}: it cannot run; stopping");
                self.stop(u8::try_from(status).unwrap_or(exit::FATAL));
            }
            ended if self.options.no_respawn => {
                tracing::error!("{role} child process({pid}) {ended}: stopping (--dont-respawn)");
                self.stop(exit::FATAL);
            }
            ended => {
                tracing::error!("{role} child process({pid}) died ({ended}): Respawning");
                let Some(post) = self.post(role) else { return };
                let pause = post.backoff.next(now);
                let gap = post.gap(now);
                if !pause.is_zero() {
                    tracing::warn!("{role} process dies again and again; the next starts in {} s", pause.as_secs());
                }
                if pause.is_zero() || (role == Role::Vrrp && had_lived) {
                    // if the supervisor dies, too, addresses without adverts need somebody who removes them
                    self.start_worker(role, Begins::After(gap), pause);
                } else {
                    post.respawn_at = Some(now + pause);
                }
                // the one that died may have been the last to be waited for; its successor has the new configuration
                if was_reloading {
                    self.reload_is_over();
                }
            }
        }
    }

    /// Once no child is at a configuration any more: a SIGHUP that came meanwhile gets its turn.
    pub(super) fn reload_is_over(&mut self) {
        if self.reading.is_some() || self.workers().any(|worker| worker.reloading) {
            return;
        }
        notify(&[NotifyState::Ready]);
        if std::mem::take(&mut self.reload_again) {
            self.reload();
        }
    }

    /// Has a dump written once a process has told everything.
    pub(super) fn ask(&mut self, role: Role, dump: Dump, after: AfterTelling) {
        if self.worker(role).is_some() {
            self.views.ask(role, dump, after);
            self.request(role);
        }
    }

    /// Asks a process for what the dumps need that wait for it, if it is ready.
    fn request(&mut self, role: Role) {
        if self.worker(role).is_some_and(|worker| worker.ready)
            && let Some(request) = self.views.request(role)
            && let Some(worker) = self.worker_mut(role)
        {
            worker.connection().say(&request);
        }
    }

    /// The start is over when all children that are needed run.
    pub(super) fn ready_if_all_are(&mut self) {
        let runs = |role| self.worker(role).is_some_and(|worker| worker.ready);
        if Role::ALL.into_iter().all(|role| runs(role) || !is_needed(role, &self.options, &self.config)) {
            self.ready();
        }
    }
}

/// Lends `config` without what is large and none of `role`'s business.
fn with_share<R>(config: &mut Config, role: Role, lend: impl FnOnce(&Config) -> R) -> R {
    let instances = (role != Role::Vrrp).then(|| std::mem::take(&mut config.instances));
    let servers = (role != Role::Checker).then(|| std::mem::take(&mut config.virtual_servers));
    let result = lend(config);
    if let Some(instances) = instances {
        config.instances = instances;
    }
    if let Some(servers) = servers {
        config.virtual_servers = servers;
    }
    result
}

/// Whether there is something for `role` to do.
pub(super) fn is_needed(role: Role, options: &Options, config: &Config) -> bool {
    let has_servers = options.checker && !config.virtual_servers.is_empty();
    match role {
        Role::Runner => has_servers && runs_programs(config),
        Role::Checker => has_servers,
        Role::Vrrp => options.vrrp && (!config.instances.is_empty() || options.all),
    }
}

/// Whether the checker process will want programs run.
fn runs_programs(config: &Config) -> bool {
    let fifos = &config.global.fifos;
    let of_fifo = [&fifos.all, &fifos.lvs].into_iter().any(|fifo| fifo.script.is_some());
    let servers = || config.virtual_servers.iter().flat_map(|service| &service.real_servers);
    let of_service = config
        .virtual_servers
        .iter()
        .any(|service| service.settings.quorum_up.is_some() || service.settings.quorum_down.is_some());
    of_fifo
        || of_service
        || servers().any(|server| {
            let extras = server.settings.extras.as_ref();
            extras.is_some_and(|extras| extras.notify_up.is_some() || extras.notify_down.is_some())
                || server.checkers.iter().any(|checker| matches!(checker, Checker::Misc(_)))
        })
}
