//! The checker process without its descriptors: runs the balancer, and makes the kernel's table match its decisions.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;

use keepalived_config::model::{Config, FlushOnStop, RealServer, Service, VirtualServer};
use keepalived_core::balance::{
    Balancer, Change, CheckId, CheckResult, Effect, Entry, Leaving, Meaning, Params, Removed, ServiceId, ServiceKey,
    Table, Ticket,
};
use keepalived_core::time::Instant;
use keepalived_kernel::director::Director;

use super::lower::Lowered;
use super::marks::{self, Allotted, Keeper};
use super::names;
use super::reconciler::Reconciler;
use super::report::Report;
use super::shortage::Shortage;
use super::task::{Held, Spot, Task};
use super::unfinished::{self, Before, Unfinished};

mod measures;
mod view;

use measures::Measures;
use view::PendingChanges;

/// What a stop does to the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtExit {
    /// Remove our virtual servers; with `lvs_flush_on_stop`, all.
    Release,
    /// Leave it (`--dont-release-ipvs`).
    Keep,
}

/// A step of a check that is due.
#[derive(Clone, Debug)]
pub struct DueStep {
    /// Names it in [`Engine::ended`].
    pub ticket: Ticket,
    /// What to do.
    pub task: Held,
    /// Which url.
    pub step: u16,
}

/// All load balancing on one kernel.
#[derive(Debug)]
pub struct Engine<D> {
    reconciler: Reconciler<D>,
    config: Rc<Config>,
    lowered: Lowered,
    balancer: Balancer,
    effects: Vec<Effect>,
    due: Vec<DueStep>,
    reports: VecDeque<Report>,
    /// Changes of the view that its follower does not know.
    pending: PendingChanges,
    measures: Measures,
    shortage: Shortage,
    starting: bool,
    /// Whether servers that leave may have changed since [`Self::unfinished`] was last called.
    leaving_changed: bool,
    /// When the first server that drains was due to go at that time.
    departure: Option<Instant>,
    /// Which packets are marked (`nftables_ipvs`).
    marks: Keeper,
}

impl<D: Director> Engine<D> {
    /// Takes over what is in the kernel's table, and adds the rest. After a process that died, a server that is not in the table counts
    /// as failed until a check succeeds, since that process had removed it. What that process left unfinished goes on.
    ///
    /// # Errors
    /// The kernel's table cannot be read, or the configuration has too many entries.
    pub fn new(now: Instant, config: Config, mut director: D, before: &Before, seed: u64) -> io::Result<Self> {
        let nothing = Unfinished::default();
        let (resumes, unfinished) = match before {
            Before::Nothing => (false, &nothing),
            Before::Process(unfinished) => (true, unfinished),
        };
        let marks = if director.can_mark() {
            marks::allot(&config, &unfinished.marks.iter().cloned().collect())
        } else {
            Allotted::new()
        };
        let mut lowered = Lowered::of(&config, None, marks)?;
        let mut there = director.read()?;
        if config.global.balancing.flush && !resumes {
            let everything: Vec<Change> = std::mem::take(&mut there).into_keys().map(Change::RemoveService).collect();
            director.change(&everything)?;
        }
        adopt(&mut lowered, &there, resumes);
        drain_on(&mut lowered, &config, unfinished);
        let params = std::mem::take(&mut lowered.params);
        let mut measures = Measures::default();
        measures.reconfigure(params.checks.iter().map(|check| check.was));
        let mut effects = Vec::new();
        let balancer = Balancer::new(params, seed, now, &mut effects);
        let mut reconciler = Reconciler::new(director, config.global.balancing.repair_interval, now);
        reconciler.take_over(there, &unfinished.unremoved, &balancer, now);
        let mut pending = PendingChanges::default();
        pending.begin(&config);
        let mut engine = Self {
            reconciler,
            config: Rc::new(config),
            lowered,
            balancer,
            effects,
            due: Vec::new(),
            reports: VecDeque::new(),
            pending,
            measures,
            shortage: Shortage::default(),
            starting: true,
            leaving_changed: true,
            departure: None,
            marks: Keeper::default(),
        };
        engine.apply_effects("", now);
        engine.mark(now);
        engine.starting = false;
        if engine.config.global.balancing.initial_notifies && !resumes {
            engine.report_all_up();
        }
        engine.take_news();
        Ok(engine)
    }

    /// Goes on with another configuration. What is the same in both keeps its state.
    ///
    /// # Errors
    /// The configuration has too many entries; the old one goes on.
    pub fn reload(&mut self, now: Instant, config: Config) -> io::Result<()> {
        let marks = if self.reconciler.director().can_mark() {
            marks::allot(&config, &self.lowered.marks)
        } else {
            Allotted::new()
        };
        let mut lowered = Lowered::of(&config, Some((&self.config, &self.lowered)), marks)?;
        let params = std::mem::take(&mut lowered.params);
        self.lowered = lowered;
        self.measures.reconfigure(params.checks.iter().map(|check| check.was));
        self.pending.begin(&config);
        // a refresh that is under way begins anew, too
        self.forget_numbers();
        let old = std::mem::replace(&mut self.config, Rc::new(config));
        let mut effects = Vec::new();
        let removed = self.balancer.reconfigure(params, now, &mut effects);
        for removed in removed {
            self.report_removed(&old, removed);
        }
        self.effects.append(&mut effects);
        self.apply_effects("", now);
        // places of virtual servers have changed: compare everything again
        self.reconciler.reconfigure(&self.balancer, self.config.global.balancing.repair_interval, now);
        self.mark(now);
        self.leaving_changed = true;
        self.take_news();
        Ok(())
    }

    /// What a process after this one would have to remove; `None` if that has not changed since the last call.
    pub fn unfinished(&mut self) -> Option<Unfinished> {
        let departure = self.balancer.next_departure();
        let leaving_changed = std::mem::take(&mut self.leaving_changed) || self.departure != departure;
        self.departure = departure;
        if !self.reconciler.has_changed() && !leaving_changed {
            return None;
        }
        let mut room = unfinished::MOST;
        let mut draining = Vec::new();
        for (id, leaving) in self.balancer.leaving() {
            let leaving: Vec<Leaving> = leaving.iter().take(room).copied().collect();
            room -= leaving.len();
            if let Some(server) = self.virtual_server(id).filter(|_| !leaving.is_empty()) {
                draining.push((server.service.clone(), leaving));
            }
        }
        let unremoved = self.reconciler.unremoved().take(unfinished::MOST).collect();
        let marks = self.lowered.marks.iter().map(|(group, mark)| (group.clone(), *mark));
        Some(Unfinished { draining, unremoved, marks: marks.take(unfinished::MOST).collect() })
    }

    /// Does what is due, and brings the kernel's table up to date. Returns when to call it again.
    pub fn turn(&mut self, now: Instant) -> Option<Instant> {
        let mut effects = std::mem::take(&mut self.effects);
        self.balancer.handle_timeout(now, &mut effects);
        self.effects = effects;
        let table = self.settle(now);
        self.balancer.next_deadline().into_iter().chain(table).min()
    }

    /// Brings the kernel's table up to date; no check begins. Returns when to call it again for that.
    pub fn settle(&mut self, now: Instant) -> Option<Instant> {
        self.apply_effects("", now);
        let next = self.reconciler.tend(&self.balancer, now);
        let marks = self.marks.tend(self.reconciler.director(), now, &mut self.reports);
        self.take_news();
        next.into_iter().chain(marks).min()
    }

    fn take_news(&mut self) {
        self.reports.extend(self.reconciler.news());
    }

    /// Takes the steps that are due.
    pub fn due(&mut self) -> impl Iterator<Item = DueStep> + '_ {
        self.due.drain(..)
    }

    /// A step ended with this result.
    pub fn ended(&mut self, ticket: Ticket, result: &CheckResult, now: Instant) {
        let mut effects = std::mem::take(&mut self.effects);
        let check = self.balancer.ended(ticket, result, now, &mut effects);
        self.effects = effects;
        self.apply_effects(result.reason(), now);
        if let (Some(check), CheckResult::Unknown(reason)) = (check, result) {
            self.not_asked(check, reason, now);
        }
    }

    fn not_asked(&mut self, check: CheckId, reason: &str, now: Instant) {
        if let Some(more) = self.shortage.is_worth_saying(reason, now) {
            self.reports.push_back(Report::NotAsked { name: self.name_of(check), reason: reason.to_owned(), more });
        }
    }

    /// Files and BFD sessions give the results of checks that do not run by themselves.
    pub fn told(&mut self, which: impl Fn(Task<'_>) -> Option<CheckResult>, now: Instant) {
        let config = Rc::clone(&self.config);
        let result = |spot: &Spot| which(Task::at(&config, *spot)?);
        let results =
            (0..).zip(&self.lowered.spots).filter_map(|(number, spot)| Some((CheckId(number), result(spot)?)));
        for (check, result) in results.collect::<Vec<_>>() {
            let mut effects = std::mem::take(&mut self.effects);
            self.balancer.told(check, &result, now, &mut effects);
            self.effects = effects;
            self.apply_effects(result.reason(), now);
        }
    }

    /// Suspends the checks of virtual servers with `ha_suspend` while their addresses are not on this machine.
    pub fn suspend(&mut self, is_here: impl Fn(std::net::IpAddr) -> bool, now: Instant) {
        for (id, server) in (0..).map(ServiceId).zip(&self.config.virtual_servers) {
            let may_rest = server.settings.ha_suspend;
            // a suspended virtual server may have lost the keyword in a reload
            if !may_rest && !self.balancer.is_suspended(id) {
                continue;
            }
            let here = |keys: &[ServiceKey]| {
                keys.iter().any(|key| match key {
                    ServiceKey::Address { address, .. } => is_here(*address),
                    ServiceKey::Fwmark { .. } => true,
                })
            };
            let here = match marks::addresses(&self.config, server, &self.lowered.marks) {
                Some(addresses) => here(&addresses),
                None => here(self.balancer.keys(id)),
            };
            self.balancer.suspend(id, may_rest && !here, now);
        }
    }

    /// Another program may have changed the kernel's table.
    pub fn table_changed(&mut self, now: Instant) {
        self.reconciler.look_soon(now);
    }

    /// Others have taken away what marks packets.
    pub fn marks_lost(&mut self, now: Instant) {
        self.marks.lost(now, &mut self.reports);
    }

    /// Has packets marked as the configuration says, once the services for the marks are there.
    fn mark(&mut self, now: Instant) {
        if self.marks_packets() {
            self.marks.want(marks::of(&self.config, &self.lowered.marks));
            self.marks.tend(self.reconciler.director(), now, &mut self.reports);
        }
    }

    fn marks_packets(&mut self) -> bool {
        self.config.global.balancing.table.is_some() && self.reconciler.director().can_mark()
    }

    /// Ends, and leaves the table as `at_exit` says.
    pub fn stop(&mut self, at_exit: AtExit, now: Instant) {
        if at_exit == AtExit::Keep {
            // a service that stays in the table is not down, whatever `omega` says
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.balancer.stop(&mut effects);
        self.effects = effects;
        self.apply_effects(super::mail::SHUTTING_DOWN, now);
        if self.marks_packets() {
            self.marks.clear(self.reconciler.director(), now, &mut self.reports);
        }
        self.reconciler.clear(self.config.global.balancing.flush_on_stop == FlushOnStop::All, now);
        self.take_news();
    }

    /// Takes at most `most` reports, in order.
    pub fn reports(&mut self, most: usize) -> impl Iterator<Item = Report> + '_ {
        let most = most.min(self.reports.len());
        self.reports.drain(..most)
    }

    /// Whether [`Self::reports`] has more.
    pub fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The balancer, with the states of all servers.
    pub const fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// What a check has to do.
    pub fn task(&self, check: CheckId) -> Option<Task<'_>> {
        Task::at(&self.config, *self.lowered.spots.get(check.index())?)
    }

    /// The kernel's load balancer.
    pub fn director(&mut self) -> &mut D {
        self.reconciler.director()
    }

    fn apply_effects(&mut self, reason: &str, now: Instant) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Run { check, step, ticket } => {
                    if let Some(spot) = self.lowered.spots.get(check.index()) {
                        self.due.push(DueStep { ticket, task: Held::new(&self.config, *spot), step });
                    }
                }
                Effect::Table(service) => self.reconciler.changed(service),
                Effect::Lost { check, .. } => self.not_asked(check, "no answer came in time", now),
                Effect::Found { check, meaning } => {
                    for (service, server) in self.balancer.users(check) {
                        self.pending.server(service, server);
                    }
                    self.report_check(check, meaning, reason);
                }
                Effect::Server { service, server, up } => {
                    // the virtual server has another weight
                    self.pending.service(service);
                    self.pending.server(service, server);
                    self.report_server(service, server, up, reason);
                }
                Effect::Weight { service, server, weight } => {
                    self.pending.service(service);
                    self.pending.server(service, server);
                    self.report_weight(service, server, weight);
                }
                Effect::Quorum { service, quorum } => {
                    self.pending.service(service);
                    if let Some(server) = self.virtual_server(service) {
                        let service_name = names::of_service(&server.service);
                        self.reports.push_back(Report::Quorum {
                            service,
                            service_name,
                            quorum,
                            starting: self.starting,
                        });
                    }
                }
            }
        }
    }

    fn virtual_server(&self, id: ServiceId) -> Option<&VirtualServer> {
        self.config.virtual_servers.get(usize::try_from(id.0).ok()?)
    }

    fn report_check(&mut self, check: CheckId, meaning: Meaning, reason: &str) {
        let name = self.name_of(check);
        let Some(task) = self.task(check) else { return };
        let all_failures = task.checker.schedule().is_some_and(|schedule| schedule.log_all_failures);
        self.reports.push_back(Report::Check { check, name, meaning, reason: reason.to_owned(), all_failures });
    }

    /// The real servers for which a check is made, and whether each is up.
    pub(super) fn users(&self, check: CheckId) -> Vec<super::mail::User> {
        let is_up = |(id, place)| (id, place, self.balancer.server(id, place).is_some_and(|(up, _)| up));
        self.balancer.users(check).map(is_up).collect()
    }

    /// `TCP_CHECK on service [10.0.0.1]:tcp:80`
    fn name_of(&self, check: CheckId) -> String {
        let Some(task) = self.task(check) else { return String::new() };
        let user = self.balancer.users(check).next().and_then(|(id, _)| self.virtual_server(id));
        let server = user.map_or_else(|| task.server.address.to_string(), |user| names::of_server(user, task.place()));
        format!("{} on service {server}", task.checker.keyword())
    }

    fn report_server(&mut self, service: ServiceId, server: usize, up: bool, reason: &str) {
        let Some(virtual_server) = self.virtual_server(service) else { return };
        let Some(real) = virtual_server.real_servers.get(server) else { return };
        let report = Report::Server {
            service,
            server: Some(server),
            name: names::of_server(virtual_server, super::task::place(real)),
            service_name: names::of_service(&virtual_server.service),
            up,
            inhibit: real.settings.inhibit_on_failure,
            reason: if up { String::new() } else { reason.to_owned() },
            mail: real.settings.smtp_alert,
        };
        self.reports.push_back(report);
    }

    /// `rs_init_notifies`
    fn report_all_up(&mut self) {
        for id in self.balancer.services() {
            let count = self.virtual_server(id).map_or(0, |server| server.real_servers.len());
            for place in 0..count {
                if self.balancer.server(id, place).is_some_and(|(up, _)| up) {
                    self.report_server(id, place, true, "");
                }
            }
        }
    }

    fn report_weight(&mut self, service: ServiceId, server: usize, weight: u32) {
        let Some(virtual_server) = self.virtual_server(service) else { return };
        let Some(real) = virtual_server.real_servers.get(server) else { return };
        let name = names::of_server(virtual_server, super::task::place(real));
        let service_name = names::of_service(&virtual_server.service);
        self.reports.push_back(Report::Weight { name, service_name, weight });
    }

    fn report_removed(&mut self, old: &Config, removed: Removed) {
        let of = |id: ServiceId| old.virtual_servers.get(usize::try_from(id.0).ok()?);
        match removed {
            Removed::Service(id) => {
                if let Some(server) = of(id) {
                    self.reports.push_back(Report::ServiceRemoved { service_name: names::of_service(&server.service) });
                }
            }
            Removed::Server { service, place, up } => {
                if let Some(server) = of(service).filter(|_| up) {
                    let is_it = |real: &&RealServer| super::task::place(real) == place;
                    let real = server.real_servers.iter().find(is_it);
                    self.reports.push_back(Report::Server {
                        service,
                        server: None,
                        name: names::of_server(server, place),
                        service_name: names::of_service(&server.service),
                        up: false,
                        inhibit: false,
                        reason: "it is not configured any more".into(),
                        mail: real.is_some_and(|real| real.settings.smtp_alert),
                    });
                }
            }
        }
    }
}

/// Servers in the kernel's table are up until a check fails, even with `alpha`. After a process that died, servers that are not in the
/// table are down. A shared check is up if one of its users is in the table.
fn adopt(lowered: &mut Lowered, there: &Table, resumes: bool) {
    let Params { services, checks, .. } = &mut lowered.params;
    let mut up = Vec::new();
    for service in services {
        let entries: Vec<&Entry> = service.keys.iter().filter_map(|key| there.get(key)).collect();
        if entries.is_empty() {
            continue;
        }
        for server in &service.servers {
            let is_there = service.keys.iter().any(|key| {
                let to = server.place.in_service(key, server.forwarding);
                there.get(key).and_then(|entry| entry.destinations.get(&to)).is_some_and(|entry| entry.weight > 0)
            });
            if is_there {
                // a sorry server may be there because there is no quorum
                service.serves |= service.sorry.is_none_or(|sorry| sorry.place != server.place);
                up.extend(server.checks.iter().copied());
                continue;
            }
            for check in server.checks.iter() {
                let Some(check) = checks.get_mut(check.index()) else { continue };
                check.alpha |= resumes && server.weight > 0;
            }
        }
    }
    for check in up {
        if let Some(check) = checks.get_mut(check.index()) {
            check.alpha = false;
        }
    }
}

/// Lets servers go on draining that drained when the process before this one died.
fn drain_on(lowered: &mut Lowered, config: &Config, unfinished: &Unfinished) {
    let draining: HashMap<&Service, &Vec<Leaving>> =
        unfinished.draining.iter().map(|(service, leaving)| (service, leaving)).collect();
    if draining.is_empty() {
        return;
    }
    for (params, server) in lowered.params.services.iter_mut().zip(&config.virtual_servers) {
        params.leaving = draining.get(&server.service).copied().cloned().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
