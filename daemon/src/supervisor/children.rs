//! Starts the supervisor's children when the configuration needs them, and asks whether they live.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::Instance;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Preempt, State};
use keepalived_kernel::ipvs::Ipvs;
use keepalived_kernel::reactor::{self, Interest};

use super::abandoned::{down_time, unnoticed};
use super::post::{Source, token};
use super::share::{is_needed, uses_ipvs, with_share};
use super::worker::Worker;
use super::{Supervisor, liveness};
use crate::message::Startup;
use crate::role::Role;
use crate::secrets::Secrets;

/// How a child begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begins {
    /// As the first of its role.
    Fresh,
    /// After one that ended, and a gap in which no process did its work.
    After(Duration),
}

/// How long to wait for a kernel module: not longer than an election takes.
const TO_LOAD: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Starts the children that are needed and do not run.
    pub(super) fn start_children(&mut self) {
        self.load_modules();
        let now = reactor::now();
        for role in Role::ALL {
            // a reload starts a child that waits for its back-off at once
            let died = self.post(role).is_some_and(|post| post.respawn_at.take().is_some());
            let gap = self.post(role).map_or(Duration::ZERO, |post| post.gap(now));
            self.start_worker(role, if died { Begins::After(gap) } else { Begins::Fresh }, Duration::ZERO);
        }
    }

    /// Whether there is work for the process of `role`.
    pub(super) fn needs(&self, role: Role) -> bool {
        is_needed(role, &self.options, &self.config) || (role == Role::Observer && self.is_called())
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

    /// Starts the process of `role` if it is needed. It stands by for that long before it begins.
    pub(super) fn start_worker(&mut self, role: Role, begins: Begins, stands_by: Duration) {
        // a checker process also removes what the one before it has left
        let follows = role == Role::Checker && self.succession.is_open();
        let is_needed = follows || self.needs(role);
        let may_start = role == Role::Runner || self.own_scripts.has_started();
        // to the end there may be programs to run
        let is_over = self.stopping.is_some() && role != Role::Runner;
        if !is_needed || !may_start || self.worker(role).is_some() || is_over {
            return;
        }
        let masters = match begins {
            Begins::Fresh => BTreeSet::new(),
            // once another router may be master, instances that may not preempt listen first
            Begins::After(gap) => {
                let unnoticed = unnoticed(&self.config);
                let in_time = |name: &str| unnoticed.get(name).is_some_and(|time| gap + stands_by < *time);
                self.masters(|instance| instance.settings.preempt == Preempt::Yes || in_time(&instance.name))
            }
        };
        let script_default = self.script_default;
        let interval = self.hello_interval(role);
        let cleanup = self.cleanup.get(&role).cloned().unwrap_or_default();
        let trackers = if role == Role::Vrrp { self.trackers.clone() } else { BTreeMap::new() };
        let sessions = if role == Role::Bfd { self.sessions.clone() } else { BTreeMap::new() };
        let secrets = if role == Role::Observer { self.secrets.clone() } else { Secrets::default() };
        let sessions_file = (role == Role::Bfd).then(|| self.pid_files.sessions());
        let (log, options) = (self.destinations.clone(), &self.options);
        let present = &mut self.config;
        let first = if follows { self.succession.first(present) } else { present };
        let started = with_share(first, role, options.checker, |config| {
            let startup = Startup {
                config,
                masters,
                trackers,
                sessions,
                sessions_file,
                resumes: begins != Begins::Fresh,
                script_default,
                stands_by,
                cleanup,
                log,
                secrets,
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
                    tracing::error!("cannot watch the {role} process: {error}");
                }
                self.pid_files.child(role, worker.pid());
                if let Some(post) = self.post(role) {
                    post.worker = Some(worker);
                }
                self.introduce(role);
                if role == Role::Runner {
                    self.share_roster();
                    self.connect_runner();
                }
                if role == Role::Observer {
                    self.hand_over_doors();
                    self.hand_over_text();
                }
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

    /// Loads kernel modules: the children give up the right to do so.
    fn load_modules(&mut self) {
        let needs_it = !self.modules_are_loaded
            && uses_ipvs(&self.config)
            && [Role::Checker, Role::Vrrp].into_iter().any(|role| self.needs(role));
        if needs_it {
            self.modules_are_loaded = true;
            if let Err(error) = Ipvs::load(TO_LOAD) {
                // the process that needs it says what follows from that
                tracing::info!("IPVS: {error}");
            }
        }
    }

    /// Instances whose last known state is MASTER, and for which `such` holds.
    fn masters(&self, such: impl Fn(&Instance) -> bool) -> BTreeSet<InstanceKey> {
        keepalived_config::plan::keyed(&self.config.instances)
            .filter(|(key, instance)| self.states.get(key) == Some(&State::Master) && such(instance))
            .map(|(key, _)| key)
            .collect()
    }

    /// Asks whether the children live, each when it is due.
    pub(super) fn say_hello(&mut self, now: Instant) {
        let stopping = self.stopping.is_some();
        let workers = self.posts.iter_mut().filter_map(|post| post.worker.as_mut());
        for worker in workers.filter(|worker| worker.hello_at() <= now) {
            // a stop has its own time limit
            if !worker.hello(now) && !stopping && worker.kill() {
                tracing::error!("{} process does not answer; killing it and starting another", worker.role());
            }
        }
    }

    /// How often to ask whether a child lives: the supervisor notices a frozen master before other routers take over.
    pub(super) fn hello_interval(&self, role: Role) -> Duration {
        let shortest = (role == Role::Vrrp).then(|| self.config.instances.iter().map(down_time).min()).flatten();
        liveness::interval(shortest)
    }

    /// Sends what a child did not take, hands over configurations and connects processes, where that failed before.
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

    /// When to send children what they did not take.
    pub(super) fn catch_up_at(&self, now: Instant) -> Option<Instant> {
        self.workers().filter_map(|worker| worker.catch_up_at(now)).min()
    }

    /// Stops the observer once the processes have ended that it serves, and the runner once all others have and the shutdown script has
    /// run: until then there may be programs to run.
    pub(super) fn stop_the_runner(&mut self) {
        if self.workers().any(|worker| !worker.role().serves()) {
            return;
        }
        if let Some(observer) = self.worker_mut(Role::Observer) {
            observer.stop();
        } else if !self.is_shutting_down() {
            self.workers_mut().for_each(Worker::stop);
        }
    }
}
