//! Messages of the children, and requests to them.

use std::mem;

use keepalived_config::model::Config;
use keepalived_kernel::reactor;
use keepalived_kernel::signal::Signal;
use keepalived_state::{Event, Snapshot};

use super::dump::{Dump, File};
use super::share::has_tracker;
use super::superseded::Superseded;
use super::{Supervisor, eprint_all};
use crate::host::Host;
use crate::message::{AfterTelling, Changes, FromChild, Incoming};
use crate::role::Role;
use crate::seen::Seen;

impl Supervisor {
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
            FromChild::NotMet(other) => self.introduce_later(role, other),
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
                if role == Role::Observer {
                    self.observer_is_ready();
                }
                self.request(role);
            }
            FromChild::Reloaded => {
                match role {
                    Role::Vrrp => {
                        self.superseded = Superseded::default();
                        let config = &self.config;
                        self.trackers.retain(|tracker, _| has_tracker(config, tracker));
                    }
                    Role::Checker => self.succession.taken(),
                    Role::Runner | Role::Observer | Role::Bfd | Role::Prober => {}
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
                for (key, record) in &records {
                    if let Event::Transition(transition) = &record.event {
                        self.states.insert(key.clone(), transition.to);
                    }
                }
                self.see(Seen::Happened(role, records.into_iter().map(|(_, record)| record).collect()));
            }
            FromChild::Happened(records) => self.see(Seen::Happened(role, records)),
            FromChild::Tracked(tracker, state) => drop(self.trackers.insert(tracker, state)),
            FromChild::Sessions(standings) => {
                for (name, standing) in standings {
                    match standing {
                        Some(standing) => drop(self.sessions.insert(name, standing)),
                        None => drop(self.sessions.remove(&name)),
                    }
                }
            }
            FromChild::Cleanup(cleanup) => drop(self.cleanup.insert(role, cleanup)),
            FromChild::VrrpChanges(Changes { changes, fresh }) => {
                self.see(Seen::Vrrp(changes));
                self.write_dumps(role, fresh);
            }
            FromChild::BalanceChanges(Changes { changes, fresh }) => {
                self.see(Seen::Balance(changes));
                self.write_dumps(role, fresh);
            }
            FromChild::BfdChanges(Changes { changes, fresh }) => {
                self.see(Seen::Bfd(changes));
                self.write_dumps(role, fresh);
            }
            FromChild::Change { number, change, who } => self.change(number, change, who),
            FromChild::Refresh(of) => self.refresh(of),
            FromChild::Connect(service) => self.reach(service),
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

    /// Writes the dumps that waited for a process, if what it told is `fresh`, and asks for those that came since.
    fn write_dumps(&mut self, role: Role, fresh: bool) {
        if fresh {
            for dump in self.views.due(role) {
                match dump {
                    Dump::File(file) => self.write_dump(file),
                    Dump::After(file) => self.save_state(role, file, "post"),
                    Dump::Observer => self.is_fresh(role),
                }
            }
            self.request(role);
        }
    }

    /// Writes a file of what is known now.
    pub(super) fn write_dump(&mut self, file: File) {
        let path = file.path(&self.config.global);
        if file.shows_links() {
            let (config, snapshot) = self.routers();
            self.writer.write(&path.clone(), move || file.write(&path, &config, &snapshot, &Host::look()));
        } else {
            file.write(&path, &self.config, self.views.snapshot(), &Host::without_links());
        }
    }

    /// The configuration with the instances of routers, and how these are, for a file that shows links.
    pub(super) fn routers(&mut self) -> (Box<Config>, Box<Snapshot>) {
        // virtual servers are in no file that shows links, and may be many
        let servers = mem::take(&mut self.config.virtual_servers);
        let config = self.config.clone();
        self.config.virtual_servers = servers;
        let vrrp = self.views.snapshot().vrrp.clone();
        (Box::new(config), Box::new(Snapshot { vrrp, ..Snapshot::default() }))
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
        let has_started = self.own_scripts.has_started();
        // the observer serves: nothing depends on it
        let has_to_run = |role| role != Role::Observer && self.needs(role);
        if has_started && Role::ALL.into_iter().all(|role| runs(role) || !has_to_run(role)) {
            self.ready();
        }
    }
}
