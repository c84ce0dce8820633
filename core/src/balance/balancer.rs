//! All virtual servers and their checks: results of checks in, effects out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::time::Duration;

use super::check::{Check, CheckResult, Meaning};
use super::effect::{Effect, Quorum, Removed, Ticket};
use super::owners::Owners;
use super::params::{CheckId, CheckParams, Leaving, Params, ServiceId, ServiceParams};
use super::service::Service;
use super::table::{DestinationKey, Entry, ServiceKey};
use super::users::Users;
use crate::time::Instant;

/// Steps that begin at one moment at most. Those that are under way are to get on, too, even when more is due than this machine can do.
const MOST_AT_ONCE: usize = 256;

/// How often steps are looked for whose answer was lost.
const SEARCH: Duration = Duration::from_secs(10);

/// All virtual servers and their checks.
#[derive(Clone, Debug)]
pub struct Balancer {
    checks: Vec<Check>,
    users: Users,
    /// Steps, and whose they are.
    under_way: HashMap<Ticket, CheckId>,
    services: Vec<Service>,
    owners: Owners,
    due: BinaryHeap<Reverse<(Instant, CheckId)>>,
    /// When the first server that leaves is gone.
    departure: Option<Instant>,
    /// When steps are looked for whose answer was lost; only while any is under way.
    search: Option<Instant>,
    last_ticket: u64,
    chance: u64,
}

impl Balancer {
    /// Begins. `seed` decides when within `warmup` each check first runs. That there is a quorum is an effect, and that there is
    /// none if a sorry server takes over, as keepalived has it.
    pub fn new(params: Params, seed: u64, now: Instant, out: &mut impl Extend<Effect>) -> Self {
        let mut balancer = Self {
            checks: Vec::new(),
            users: Users::default(),
            under_way: HashMap::new(),
            services: Vec::new(),
            owners: Owners::default(),
            due: BinaryHeap::new(),
            search: None,
            departure: None,
            last_ticket: 0,
            chance: seed | 1,
        };
        balancer.configure(params, now, out);
        balancer
    }

    /// Goes on with another configuration. What `was` says is the same keeps what is known about it. Returns what is gone.
    pub fn reconfigure(&mut self, params: Params, now: Instant, out: &mut impl Extend<Effect>) -> Vec<Removed> {
        self.configure(params, now, out)
    }

    fn configure(&mut self, params: Params, now: Instant, out: &mut impl Extend<Effect>) -> Vec<Removed> {
        let old_checks = std::mem::take(&mut self.checks);
        let mut tickets: HashMap<CheckId, Ticket> =
            self.under_way.drain().map(|(ticket, check)| (check, ticket)).collect();
        // of exactly the room that they need: they live as long as the configuration
        self.checks = Vec::with_capacity(params.checks.len());
        self.due = BinaryHeap::with_capacity(params.checks.len());
        for (id, params) in (0..).map(CheckId).zip(params.checks) {
            let CheckParams { pace, alpha, was } = params;
            let before = was.and_then(|was| Some((was, was.of(&old_checks)?)));
            let check = match before {
                Some((was, old)) => {
                    // of two that were one, the first keeps the dialogue that is under way
                    let ticket = tickets.remove(&was);
                    self.under_way.extend(ticket.map(|ticket| (ticket, id)));
                    old.clone().at_pace(pace, ticket.is_some(), now)
                }
                None => Check::new(pace, alpha, now, self.chance()),
            };
            if let Some(at) = check.due() {
                self.due.push(Reverse((at, id)));
            }
            self.checks.push(check);
        }
        self.configure_services(params.services, params.drain, now, out)
    }

    fn configure_services(
        &mut self,
        params: Vec<ServiceParams>,
        drain: Duration,
        now: Instant,
        out: &mut impl Extend<Effect>,
    ) -> Vec<Removed> {
        self.users = Users::new(self.checks.len(), &params);
        self.owners = Owners::new(params.iter().map(|params| params.keys.as_slice()));
        let leave_until = (!drain.is_zero()).then(|| now + drain);
        let mut old: Vec<Option<Service>> = std::mem::take(&mut self.services).into_iter().map(Some).collect();
        self.services = Vec::with_capacity(params.len());
        let mut removed = Vec::new();
        for (number, params) in (0..).zip(params) {
            let id = ServiceId(number);
            let was = params.was.and_then(|was| Some((was, old.get_mut(index(was))?.take()?)));
            let service = match was {
                None => {
                    let service = Service::new(params, &self.checks);
                    // keepalived's way: that there is none is only said if a sorry server takes over for it
                    if service.quorum_up || service.params.sorry.is_some() {
                        out.extend([Effect::Quorum { service: id, quorum: service.quorum() }]);
                    }
                    service
                }
                Some((was, before)) => {
                    let gone = before.gone(&params);
                    removed.extend(gone.map(|(place, up)| Removed::Server { service: was, place, up }));
                    Service::succeed(&before, params, &self.checks, leave_until)
                }
            };
            self.services.push(service);
            self.look_again(id, out);
            out.extend([Effect::Table(id)]);
        }
        self.wake_needed(now);
        self.departure = self.services.iter().filter_map(Service::next_departure).min();
        removed.extend(
            (0..).zip(&old).filter(|(_, left)| left.is_some()).map(|(number, _)| Removed::Service(ServiceId(number))),
        );
        removed
    }

    /// Steps that are due, 256 of them at most, and every server whose time to leave has come.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut impl Extend<Effect>) {
        let mut left = MOST_AT_ONCE;
        while let Some(Reverse((at, id))) = self.due.peek().copied()
            && at <= now
            && left > 0
        {
            self.due.pop();
            let Some(check) = self.checks.get_mut(id.index()) else { continue };
            // entries of checks that were suspended or reconfigured meanwhile are stale
            let Some(step) = check.begin(now) else { continue };
            left -= 1;
            self.last_ticket += 1;
            let ticket = Ticket(self.last_ticket);
            self.under_way.insert(ticket, id);
            self.search.get_or_insert(now + SEARCH);
            out.extend([Effect::Run { check: id, step, ticket }]);
        }
        if self.search.is_some_and(|at| at <= now) {
            self.find_lost(now, out);
        }
        if self.departure.is_some_and(|at| at <= now) {
            for (id, service) in (0..).map(ServiceId).zip(&mut self.services) {
                if service.depart(now) {
                    tell_table(&self.owners, id, out);
                }
            }
            self.departure = self.services.iter().filter_map(Service::next_departure).min();
        }
    }

    /// Gives up steps that take longer than they may: whoever was to answer is gone, or the answer is. It says nothing about the
    /// server, and the check is due again.
    fn find_lost(&mut self, now: Instant, out: &mut impl Extend<Effect>) {
        let checks = &self.checks;
        let is_overdue = |id: CheckId| id.of(checks).is_some_and(|check| check.is_overdue(now));
        let mut lost: Vec<(Ticket, CheckId)> =
            self.under_way.iter().filter(|(_, id)| is_overdue(**id)).map(|(ticket, id)| (*ticket, *id)).collect();
        lost.sort_unstable();
        for (ticket, check) in lost {
            self.under_way.remove(&ticket);
            out.extend([Effect::Lost { check, ticket }]);
            self.conclude(check, &CheckResult::Unknown(String::new()), now, out);
        }
        self.search = (!self.under_way.is_empty()).then(|| now + SEARCH);
    }

    /// When [`Self::handle_timeout`] is next due: a moment that has passed if it left something.
    pub fn next_deadline(&self) -> Option<Instant> {
        let check = self.due.peek().map(|Reverse((at, _))| *at);
        check.into_iter().chain(self.departure).chain(self.search).min()
    }

    /// Whose step is under way by this ticket.
    pub fn asks(&self, ticket: Ticket) -> Option<CheckId> {
        self.under_way.get(&ticket).copied()
    }

    /// A step ended. Returns whose it was; `None` if its check is gone.
    pub fn ended(
        &mut self,
        ticket: Ticket,
        result: &CheckResult,
        now: Instant,
        out: &mut impl Extend<Effect>,
    ) -> Option<CheckId> {
        let id = self.under_way.remove(&ticket)?;
        self.conclude(id, result, now, out);
        Some(id)
    }

    /// The checker process tells the result of a check that does not run by itself.
    pub fn told(&mut self, id: CheckId, result: &CheckResult, now: Instant, out: &mut impl Extend<Effect>) {
        self.conclude(id, result, now, out);
    }

    fn conclude(&mut self, id: CheckId, result: &CheckResult, now: Instant, out: &mut impl Extend<Effect>) {
        let Some(check) = self.checks.get_mut(id.index()) else { return };
        let meaning = check.end(now, result);
        if let Some(at) = check.due() {
            self.due.push(Reverse((at, id)));
        }
        if meaning == Meaning::Same {
            return;
        }
        out.extend([Effect::Found { check: id, meaning }]);
        if !matches!(meaning, Meaning::Forgiven { .. }) {
            for at in self.users.places(id) {
                let Some((service, place)) = self.users.at(at) else { break };
                self.server_changed(service, place, out);
            }
        }
    }

    fn server_changed(&mut self, id: ServiceId, place: u32, out: &mut impl Extend<Effect>) {
        let Some(service) = self.services.get_mut(index(id)) else { return };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let Some(effect) = service.look(id, place, &self.checks) else { return };
        out.extend([effect]);
        if service.judge() {
            out.extend([Effect::Quorum { service: id, quorum: service.quorum() }]);
        }
        tell_table(&self.owners, id, out);
    }

    /// After a reload: servers whose checks stand otherwise than was told, and the quorum.
    fn look_again(&mut self, id: ServiceId, out: &mut impl Extend<Effect>) {
        let Some(service) = self.services.get_mut(index(id)) else { return };
        for place in 0..service.standings.len() {
            out.extend(service.look(id, place, &self.checks));
        }
        if service.judge() {
            out.extend([Effect::Quorum { service: id, quorum: service.quorum() }]);
        }
    }

    /// Checks that rest may have got a user that needs them.
    fn wake_needed(&mut self, now: Instant) {
        let resting = (0..).map(CheckId).zip(&self.checks).filter(|(_, check)| check.is_suspended());
        let needed: Vec<CheckId> = resting.map(|(id, _)| id).filter(|id| self.is_needed(*id)).collect();
        for id in needed {
            self.rest(id, false, now);
        }
    }

    fn is_needed(&self, check: CheckId) -> bool {
        let mut users = self.users.of(check).iter();
        users.any(|(user, _)| self.services.get(index(*user)).is_some_and(|service| !service.suspended))
    }

    fn rest(&mut self, id: CheckId, rests: bool, now: Instant) {
        let Some(check) = self.checks.get_mut(id.index()) else { return };
        check.suspend(rests, now);
        if let Some(at) = check.due() {
            self.due.push(Reverse((at, id)));
        }
    }

    /// `ha_suspend`: the checks of a virtual server rest, or go on. A check that others use too goes on.
    pub fn suspend(&mut self, id: ServiceId, suspended: bool, now: Instant) {
        let Some(service) = self.services.get_mut(index(id)) else { return };
        service.suspended = suspended;
        let mine: Vec<CheckId> =
            service.params.servers.iter().flat_map(|server| server.checks.iter().copied()).collect();
        for check in mine {
            let rests = !self.is_needed(check);
            // one that is in order is not due once more
            if self.checks.get(check.index()).is_some_and(|known| known.is_suspended() != rests) {
                self.rest(check, rests, now);
            }
        }
    }

    /// Ends: under `omega` every server that is up goes down, and its quorum.
    pub fn stop(&mut self, out: &mut impl Extend<Effect>) {
        for (id, service) in (0..).map(ServiceId).zip(&mut self.services).filter(|(_, service)| service.params.omega) {
            for place in 0..service.standings.len() {
                if service.take_down(place) {
                    out.extend([Effect::Server { service: id, server: place, up: false }]);
                }
            }
            if std::mem::take(&mut service.quorum_up) {
                out.extend([Effect::Quorum { service: id, quorum: service.quorum() }]);
            }
        }
    }

    /// What the kernel ought to have of what a virtual server owns. Each service of the kernel has one owner: the first virtual
    /// server that names it.
    pub fn entries(&self, id: ServiceId) -> impl Iterator<Item = (ServiceKey, Entry)> {
        self.owned(id).map(move |(key, service)| {
            let entry = match self.sharers(&key) {
                Some(sharers) => Service::together(&sharers, &key),
                None => service.entry(&key),
            };
            (key, entry)
        })
    }

    /// Where servers are behind each service that a virtual server owns, whether they are up, down or about to leave.
    pub fn places(&self, id: ServiceId) -> impl Iterator<Item = (ServiceKey, HashSet<DestinationKey>)> {
        self.owned(id).map(move |(key, service)| {
            let places = match self.sharers(&key) {
                Some(sharers) => sharers.into_iter().flat_map(|service| service.places(&key)).collect(),
                None => service.places(&key).collect(),
            };
            (key, places)
        })
    }

    fn owned(&self, id: ServiceId) -> impl Iterator<Item = (ServiceKey, &Service)> {
        let service = self.services.get(index(id)).into_iter();
        let named = service.flat_map(|service| service.params.keys.iter().map(move |key| (*key, service)));
        named.filter(move |(key, _)| self.owners.owns(id, key))
    }

    fn sharers(&self, key: &ServiceKey) -> Option<Vec<&Service>> {
        let sharers = self.owners.sharers(key)?;
        Some(sharers.iter().filter_map(|id| self.services.get(index(*id))).collect())
    }

    /// What a virtual server names, whoever owns it.
    pub fn keys(&self, id: ServiceId) -> &[ServiceKey] {
        self.services.get(index(id)).map(|service| service.params.keys.as_slice()).unwrap_or_default()
    }

    /// Servers that are not configured any more and keep their connections, of each virtual server that has any.
    pub fn leaving(&self) -> impl Iterator<Item = (ServiceId, &[Leaving])> {
        let all = (0..).map(ServiceId).zip(&self.services);
        all.map(|(id, service)| (id, service.leaving())).filter(|(_, leaving)| !leaving.is_empty())
    }

    /// When the first of [`Self::leaving`] goes.
    pub const fn next_departure(&self) -> Option<Instant> {
        self.departure
    }

    /// Whether the checks of a virtual server rest.
    pub fn is_suspended(&self, id: ServiceId) -> bool {
        self.services.get(index(id)).is_some_and(|service| service.suspended)
    }

    /// All virtual servers.
    pub fn services(&self) -> impl ExactSizeIterator<Item = ServiceId> + use<> {
        (0..u32::try_from(self.services.len()).unwrap_or(u32::MAX)).map(ServiceId)
    }

    /// How the quorum of a virtual server stands.
    pub fn quorum(&self, id: ServiceId) -> Option<Quorum> {
        Some(self.services.get(index(id))?.quorum())
    }

    /// Whether a real server is up, and its weight.
    pub fn server(&self, id: ServiceId, place: usize) -> Option<(bool, u32)> {
        let standing = self.services.get(index(id))?.standings.get(place)?;
        Some((standing.up, standing.weight))
    }

    /// The checks of a real server.
    pub fn checks(&self, id: ServiceId, place: usize) -> impl Iterator<Item = CheckId> {
        let server = self.services.get(index(id)).and_then(|service| service.params.servers.get(place));
        server.into_iter().flat_map(|server| server.checks.iter().copied())
    }

    /// How a check stands: whether it has run, and whether it is up.
    pub fn check(&self, id: CheckId) -> Option<(bool, bool)> {
        id.of(&self.checks).map(|check| (check.has_run(), check.is_up()))
    }

    /// Who uses a check: virtual servers, and places among their servers.
    pub fn users(&self, id: CheckId) -> impl Iterator<Item = (ServiceId, usize)> {
        self.users.of(id).iter().map(|(service, place)| (*service, usize::try_from(*place).unwrap_or(usize::MAX)))
    }

    /// xorshift: good enough to spread checks, and the same for the same seed.
    fn chance(&mut self) -> u32 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        u32::try_from(self.chance >> 32).unwrap_or(0)
    }
}

/// What a virtual server owns may have changed, and what it names and others own.
fn tell_table(owners: &Owners, id: ServiceId, out: &mut impl Extend<Effect>) {
    out.extend([Effect::Table(id)]);
    out.extend(owners.besides(id).iter().copied().map(Effect::Table));
}

fn index(id: ServiceId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
