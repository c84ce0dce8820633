//! The checker process without its descriptors: what the balancer decides, and the kernel's table made to match.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::io;
use std::rc::Rc;

use keepalived_config::model::{Config, FlushOnStop, VirtualServer};
use keepalived_core::balance::{
    Balancer, Change, CheckId, DestinationKey, Effect, Entry, Meaning, Outcome, Removed, ServiceEntry, ServiceId,
    ServiceKey, Table, Ticket, difference,
};
use keepalived_core::time::Instant;
use keepalived_kernel::director::Director;

use super::lower::Lowered;
use super::names;
use super::report::Report;
use super::task::{Held, Spot, Task};

/// What happens to the table at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtExit {
    /// Our virtual servers are removed; with `lvs_flush_on_stop`, all.
    Release,
    /// It stays (`--dont-release-ipvs`).
    Keep,
}

/// A step that is to be run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// To say how it ended.
    pub ticket: Ticket,
    /// What to do.
    pub task: Held,
    /// Which url.
    pub step: u16,
}

/// How a step of a check ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As it should; this much is added to the server's weight.
    Passed(i64),
    /// Not as it should: why.
    Failed(String),
    /// This machine could not ask: why. That says nothing about the server.
    Unknown(String),
}

impl Verdict {
    fn outcome(&self) -> (Outcome, &str) {
        match self {
            Self::Passed(weight) => (Outcome::Passed { weight: *weight }, ""),
            Self::Failed(reason) => (Outcome::Failed, reason),
            Self::Unknown(reason) => (Outcome::Unknown, reason),
        }
    }
}

/// All load balancing on one kernel.
#[derive(Debug)]
pub struct Engine<D> {
    director: D,
    config: Rc<Config>,
    lowered: Lowered,
    balancer: Balancer,
    /// What we have made of the kernel's table: our virtual servers, and in them our real servers.
    table: Table,
    /// Virtual servers whose part of the table may have to change.
    dirty: BTreeSet<ServiceId>,
    /// Which keys each of them has in the table.
    keys: BTreeMap<ServiceId, Vec<ServiceKey>>,
    effects: Vec<Effect>,
    due: Vec<Ran>,
    reports: VecDeque<Report>,
    /// How far the look at the kernel's table has come that is under way.
    look: Option<Look>,
    starting: bool,
}

/// A look at the kernel's table, piece by piece.
#[derive(Debug)]
struct Look {
    /// What there was when it began, and was not looked at yet.
    services: BTreeMap<ServiceKey, ServiceEntry>,
    /// Of our virtual servers.
    next: u32,
    /// What it took to repair what was looked at.
    changes: usize,
}

/// Virtual servers that are looked at together.
const MOST_LOOKED_AT: u32 = 64;

impl<D: Director> Engine<D> {
    /// Begins: takes over what is in the kernel's table, and makes the rest. If it `resumes`, servers that are not in the table are
    /// taken for failed until a check says otherwise: the process before this one has taken them out.
    ///
    /// # Errors
    /// The kernel's table cannot be read, or the configuration is more than anybody has.
    pub fn new(now: Instant, config: Config, mut director: D, resumes: bool, seed: u64) -> io::Result<Self> {
        let mut lowered = Lowered::of(&config, None)?;
        let mut there = director.read()?;
        if config.global.balancing.flush && !resumes {
            let everything: Vec<Change> = std::mem::take(&mut there).into_keys().map(Change::RemoveService).collect();
            director.change(&everything)?;
        }
        adopt(&mut lowered, &there, resumes);
        let params = std::mem::take(&mut lowered.params);
        let mut effects = Vec::new();
        let balancer = Balancer::new(params, seed, now, &mut effects);
        let mut engine = Self {
            director,
            config: Rc::new(config),
            lowered,
            balancer,
            table: Table::new(),
            dirty: BTreeSet::new(),
            keys: BTreeMap::new(),
            effects,
            due: Vec::new(),
            reports: VecDeque::new(),
            look: None,
            starting: true,
        };
        engine.apply_effects("");
        engine.starting = false;
        if engine.config.global.balancing.initial_notifies && !resumes {
            engine.report_all_up();
        }
        engine.know_all(there);
        engine.program();
        Ok(engine)
    }

    /// Goes on with another configuration: what is the same keeps what is known about it.
    ///
    /// # Errors
    /// The configuration is more than anybody has; the old one goes on.
    pub fn reload(&mut self, now: Instant, config: Config) -> io::Result<()> {
        let mut lowered = Lowered::of(&config, Some((&self.config, &self.lowered)))?;
        let params = std::mem::take(&mut lowered.params);
        self.lowered = lowered;
        // it went by the virtual servers that were
        self.look = None;
        let old = std::mem::replace(&mut self.config, Rc::new(config));
        let mut effects = Vec::new();
        let removed = self.balancer.reconfigure(params, now, &mut effects);
        for removed in removed {
            self.report_removed(&old, removed);
        }
        self.effects.append(&mut effects);
        // places among the virtual servers have changed: everything is looked at again
        let old_keys: BTreeSet<ServiceKey> = std::mem::take(&mut self.keys).into_values().flatten().collect();
        self.apply_effects("");
        self.dirty.extend(self.balancer.services());
        self.program_with(old_keys);
        Ok(())
    }

    /// Lets everything happen that is due, and brings the kernel's table up to date. Returns when to come again.
    pub fn turn(&mut self, now: Instant) -> Option<Instant> {
        let mut effects = std::mem::take(&mut self.effects);
        self.balancer.handle_timeout(now, &mut effects);
        self.effects = effects;
        self.settle();
        self.balancer.next_deadline()
    }

    /// Brings the kernel's table up to date, and lets nothing begin.
    pub fn settle(&mut self) {
        self.apply_effects("");
        self.program();
    }

    /// Steps that are to be run.
    pub fn due(&mut self) -> impl Iterator<Item = Ran> + '_ {
        self.due.drain(..)
    }

    /// A step ended.
    pub fn ended(&mut self, ticket: Ticket, verdict: &Verdict, now: Instant) {
        let (outcome, reason) = verdict.outcome();
        let mut effects = std::mem::take(&mut self.effects);
        let check = self.balancer.ended(ticket, outcome, now, &mut effects);
        self.effects = effects;
        self.apply_effects(reason);
        if let (Some(check), Verdict::Unknown(reason)) = (check, verdict) {
            self.reports.push_back(Report::NotAsked { name: self.name_of(check), reason: reason.clone() });
        }
    }

    /// Somebody else knows how checks that do not run by themselves stand.
    pub fn told(&mut self, which: impl Fn(Task<'_>) -> Option<Verdict>, now: Instant) {
        let config = Rc::clone(&self.config);
        let verdict = |spot: &Spot| which(Task::at(&config, *spot)?);
        let verdicts =
            (0..).zip(&self.lowered.spots).filter_map(|(number, spot)| Some((CheckId(number), verdict(spot)?)));
        for (check, verdict) in verdicts.collect::<Vec<_>>() {
            let (outcome, reason) = verdict.outcome();
            let mut effects = std::mem::take(&mut self.effects);
            self.balancer.told(check, outcome, now, &mut effects);
            self.effects = effects;
            self.apply_effects(reason);
        }
    }

    /// The checks of virtual servers with `ha_suspend` rest unless their address is on this machine.
    pub fn suspend(&mut self, is_here: impl Fn(std::net::IpAddr) -> bool, now: Instant) {
        for (id, server) in (0..).map(ServiceId).zip(&self.config.virtual_servers) {
            if !server.settings.ha_suspend {
                continue;
            }
            let keys = self.keys.get(&id).map(Vec::as_slice).unwrap_or_default();
            let here = keys.iter().any(|key| match key {
                ServiceKey::Address { address, .. } => is_here(*address),
                ServiceKey::Fwmark { .. } => true,
            });
            self.balancer.suspend(id, !here, now);
        }
    }

    /// Compares a piece of the kernel's table with what it ought to be, and repairs what others have changed. What others have added
    /// stays. Returns whether there is more to look at, in the next call: checks have to go on meanwhile.
    ///
    /// # Errors
    /// The kernel's table cannot be read; the next look begins anew.
    pub fn look(&mut self) -> io::Result<bool> {
        // what checks have changed is no repair
        self.program();
        let mut look = match self.look.take() {
            Some(look) => look,
            None => Look { services: self.director.services()?, next: 0, changes: 0 },
        };
        let all = u32::try_from(self.config.virtual_servers.len()).unwrap_or(u32::MAX);
        let end = look.next.saturating_add(MOST_LOOKED_AT).min(all);
        for id in (look.next..end).map(ServiceId) {
            self.look_at(id, &mut look.services)?;
        }
        look.changes += self.program();
        look.next = end;
        if end < all {
            self.look = Some(look);
            return Ok(true);
        }
        if look.changes > 0 {
            self.reports.push_back(Report::Repaired { changes: look.changes });
        }
        Ok(false)
    }

    /// Finds out what there is of a virtual server; `services` were there when the look began.
    fn look_at(&mut self, id: ServiceId, services: &mut BTreeMap<ServiceKey, ServiceEntry>) -> io::Result<()> {
        let is_empty = |entry: &Entry| entry.destinations.is_empty();
        let places: Vec<_> = self.balancer.places(id).collect();
        for (key, places) in places {
            let there = match services.remove(&key) {
                Some(service) => Some(Entry { service, destinations: self.director.destinations(&key)? }),
                None => None,
            };
            let made = self.table.remove(&key);
            // one whose servers are all gone may be gone itself by now: it is made again, which is no harm if it is not
            let there = there.filter(|there| !is_empty(there) || made.as_ref().is_none_or(is_empty));
            if let Some(there) = there {
                self.know(key, there, &places, made.as_ref());
            }
        }
        self.dirty.insert(id);
        Ok(())
    }

    /// Ends.
    pub fn stop(&mut self, at_exit: AtExit) {
        if at_exit == AtExit::Keep {
            // what goes on being served is not down, whatever `omega` says
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.balancer.stop(&mut effects);
        self.effects = effects;
        self.apply_effects("Shutting down");
        let mut doomed: BTreeSet<ServiceKey> = std::mem::take(&mut self.table).into_keys().collect();
        if self.config.global.balancing.flush_on_stop == FlushOnStop::All {
            match self.director.read() {
                Ok(there) => doomed.extend(there.into_keys()),
                Err(error) => {
                    let what = "say what there is to flush".to_owned();
                    self.reports.push_back(Report::Refused { what, error: error.to_string() });
                }
            }
        }
        let changes: Vec<Change> = doomed.into_iter().map(Change::RemoveService).collect();
        self.make(&changes);
    }

    /// What happened and was not asked for yet, in order; `most` of it.
    pub fn reports(&mut self, most: usize) -> impl Iterator<Item = Report> + '_ {
        let most = most.min(self.reports.len());
        self.reports.drain(..most)
    }

    /// Whether there is more to report.
    pub fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// What is in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How everything stands.
    pub const fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// What a check has to do.
    pub fn task(&self, check: CheckId) -> Option<Task<'_>> {
        Task::at(&self.config, *self.lowered.spots.get(check.index())?)
    }

    /// The kernel's load balancer.
    pub fn director(&mut self) -> &mut D {
        &mut self.director
    }

    fn apply_effects(&mut self, reason: &str) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Run { check, step, ticket } => {
                    if let Some(spot) = self.lowered.spots.get(check.index()) {
                        self.due.push(Ran { ticket, task: Held::new(&self.config, *spot), step });
                    }
                }
                Effect::Table(service) => drop(self.dirty.insert(service)),
                Effect::Found { check, meaning } => self.report_check(check, meaning, reason),
                Effect::Server { service, server, up } => self.report_server(service, server, up, reason),
                Effect::Weight { service, server, weight } => self.report_weight(service, server, weight),
                Effect::Quorum { service, quorum } => {
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
            name: names::of_server(virtual_server, super::lower::place(real)),
            service_name: names::of_service(&virtual_server.service),
            up,
            inhibit: real.settings.inhibit_on_failure,
            reason: if up { String::new() } else { reason.to_owned() },
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
        let name = names::of_server(virtual_server, super::lower::place(real));
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
                    self.reports.push_back(Report::Server {
                        service,
                        server: None,
                        name: names::of_server(server, place),
                        service_name: names::of_service(&server.service),
                        up: false,
                        inhibit: false,
                        reason: "it is not configured any more".into(),
                    });
                }
            }
        }
    }

    /// Of what is there, what is ours: our virtual servers, and in them the places of our real servers.
    fn know_all(&mut self, mut there: Table) {
        for id in self.balancer.services() {
            let places: Vec<_> = self.balancer.places(id).collect();
            for (key, places) in places {
                if let Some(entry) = there.remove(&key) {
                    self.know(key, entry, &places, None);
                }
            }
        }
        let servers = self.table.values().map(|entry| entry.destinations.len()).sum();
        if !self.table.is_empty() {
            self.reports.push_back(Report::Adopted { services: self.table.len(), servers });
        }
    }

    /// Of a virtual server that is there, the `places` of our real servers and what we had `made`.
    fn know(&mut self, key: ServiceKey, mut there: Entry, places: &HashSet<DestinationKey>, made: Option<&Entry>) {
        let is_made = |to: &DestinationKey| made.is_some_and(|made| made.destinations.contains_key(to));
        there.destinations.retain(|to, _| places.contains(to) || is_made(to));
        self.table.insert(key, there);
    }

    /// Makes the kernel's table what it ought to be, where that may have changed. Returns how many changes it took.
    fn program(&mut self) -> usize {
        self.program_with(BTreeSet::new())
    }

    /// The same; of `old_keys` those that nobody wants any more are removed.
    fn program_with(&mut self, mut old_keys: BTreeSet<ServiceKey>) -> usize {
        let mut made = 0;
        let mut changes = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            if changes.len() >= self.director.worth_together() {
                made += changes.len();
                self.make(&changes);
                changes.clear();
            }
            let mut keys = Vec::new();
            for (key, want) in self.balancer.entries(id) {
                old_keys.remove(&key);
                keys.push(key);
                difference(key, self.table.get(&key), Some(&want), &mut changes);
                self.table.insert(key, want);
            }
            self.keys.insert(id, keys);
        }
        for key in old_keys {
            difference(key, self.table.remove(&key).as_ref(), None, &mut changes);
        }
        self.make(&changes);
        made + changes.len()
    }

    fn make(&mut self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        match self.director.change(changes) {
            Ok(refused) => {
                for refused in refused {
                    let Some(change) = changes.get(refused.index) else { continue };
                    self.forget(change);
                    self.reports
                        .push_back(Report::Refused { what: in_words(change), error: refused.error.to_string() });
                }
            }
            Err(error) => {
                // what was done is not known; the next look finds out
                let what = format!("make {} changes", changes.len());
                self.reports.push_back(Report::Refused { what, error: error.to_string() });
            }
        }
    }

    /// A change that was refused is not in the table: the next look at this virtual server tries again.
    fn forget(&mut self, change: &Change) {
        match change {
            Change::AddService(key, _) => drop(self.table.remove(key)),
            Change::AddDestination(key, to, _) | Change::EditDestination(key, to, _) => {
                if let Some(entry) = self.table.get_mut(key) {
                    entry.destinations.remove(to);
                }
            }
            Change::EditService(..) | Change::RemoveService(_) | Change::RemoveDestination(..) => {}
        }
    }
}

/// Servers that are in the kernel's table are up until a check says otherwise, whatever `alpha` says; and when we resume, those that
/// are not there are down.
fn adopt(lowered: &mut Lowered, there: &Table, resumes: bool) {
    for service in &lowered.params.services {
        let entries: Vec<&Entry> = service.keys.iter().filter_map(|key| there.get(key)).collect();
        if entries.is_empty() {
            continue;
        }
        for server in &service.servers {
            let is_there = service.keys.iter().any(|key| {
                let to = server.place.in_service(key, server.forwarding);
                there.get(key).and_then(|entry| entry.destinations.get(&to)).is_some_and(|entry| entry.weight > 0)
            });
            for check in server.checks.iter() {
                let Some(check) = lowered.params.checks.get_mut(check.index()) else { continue };
                check.alpha = if is_there { false } else { check.alpha || (resumes && server.weight > 0) };
            }
        }
    }
}

fn in_words(change: &Change) -> String {
    let key = |key: &ServiceKey| match key {
        ServiceKey::Address { address, port, protocol } => format!("{address} {port} {protocol}"),
        ServiceKey::Fwmark { mark, .. } => format!("fwmark {mark}"),
    };
    match change {
        Change::AddService(to, entry) => format!("add virtual server {} ({})", key(to), entry.scheduler.name()),
        Change::EditService(to, entry) => format!("change virtual server {} ({})", key(to), entry.scheduler.name()),
        Change::RemoveService(to) => format!("remove virtual server {}", key(to)),
        Change::AddDestination(of, to, _) => format!("add {} {} to virtual server {}", to.address, to.port, key(of)),
        Change::EditDestination(of, to, _) => {
            format!("change {} {} of virtual server {}", to.address, to.port, key(of))
        }
        Change::RemoveDestination(of, to) => {
            format!("remove {} {} from virtual server {}", to.address, to.port, key(of))
        }
    }
}

#[cfg(test)]
mod tests;
