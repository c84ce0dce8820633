//! All virtual servers and their checks: results in, what is to be done out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use super::check::{Check, Meaning, Outcome, Pace};
use super::service::{News, Place, Quorum, Service, ServiceId, ServiceParams};
use super::table::{DestinationKey, Entry, ServiceKey};
use crate::time::Instant;

/// A configuration of load balancing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Params {
    /// All checks; servers name them by their places here. One that several servers name runs once for all of them.
    pub checks: Vec<CheckParams>,
    /// All virtual servers.
    pub services: Vec<ServiceParams>,
    /// `lvs_drain_timeout`: how long servers that a reload takes away keep their connections; zero is not at all.
    pub drain: Duration,
}

/// What a check is told to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckParams {
    /// How it goes about it.
    pub pace: Rc<Pace>,
    /// `alpha`: failed until it first succeeds.
    pub alpha: bool,
    /// Which check of the configuration before it was: what it found out goes on.
    pub was: Option<CheckId>,
}

/// Steps that begin at one moment at most. Those that are under way are to get on, too, even when more is due than this machine can do.
const MOST_AT_ONCE: usize = 256;

/// A check, by its place in the parameters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CheckId(pub u32);

impl CheckId {
    /// Its place.
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    pub(super) fn of(self, checks: &[Check]) -> Option<&Check> {
        checks.get(self.index())
    }
}

/// A step that is under way; it is valid across reloads, and forgotten with its check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(u64);

/// What is to be done, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Begin a step of a check and say how it ended, by its ticket.
    Run {
        /// Which check.
        check: CheckId,
        /// Which of its steps.
        step: u16,
        /// To name it by.
        ticket: Ticket,
    },
    /// Something came of a check that is worth saying.
    Found {
        /// Which check.
        check: CheckId,
        /// What.
        meaning: Meaning,
    },
    /// A real server went up or down.
    Server {
        /// Of this virtual server.
        service: ServiceId,
        /// Its place among the servers.
        server: usize,
        /// Up or down.
        up: bool,
    },
    /// A real server that is up has another weight.
    Weight {
        /// Of this virtual server.
        service: ServiceId,
        /// Its place among the servers.
        server: usize,
        /// The new one.
        weight: u32,
    },
    /// A quorum was gained or lost, or is said at the start.
    Quorum {
        /// Of this virtual server.
        service: ServiceId,
        /// How it stands.
        quorum: Quorum,
    },
    /// The table of this virtual server may have changed.
    Table(ServiceId),
}

/// What a reload leaves out: it is told with the names of the configuration before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removed {
    /// A virtual server, and all servers of it.
    Service(ServiceId),
    /// A real server of a virtual server that stays.
    Server {
        /// Of this virtual server.
        service: ServiceId,
        /// Where it is.
        place: Place,
        /// Whether it was up.
        up: bool,
    },
}

/// Who uses a check.
type User = (ServiceId, u32);

/// Who uses each check, all in one piece: there are tens of thousands, and most have one.
#[derive(Clone, Debug, Default)]
struct Users {
    /// Where those of each check begin; one more for the end.
    starts: Vec<u32>,
    all: Vec<User>,
}

impl Users {
    fn new(checks: usize, services: &[ServiceParams]) -> Self {
        let uses = || {
            (0..).map(ServiceId).zip(services).flat_map(|(service, params)| {
                let servers = (0..).zip(&params.servers);
                servers
                    .flat_map(move |(place, server)| server.checks.iter().map(move |check| (*check, (service, place))))
            })
        };
        // how many there are of each, then where the first of each stands
        let mut starts = vec![0_u32; checks.saturating_add(1)];
        for (check, _) in uses() {
            if let Some(count) = starts.get_mut(check.index().saturating_add(1)) {
                *count = count.saturating_add(1);
            }
        }
        let mut sum = 0_u32;
        for start in &mut starts {
            sum = sum.saturating_add(*start);
            *start = sum;
        }
        let mut next = starts.clone();
        let mut all = vec![(ServiceId(0), 0); usize::try_from(sum).unwrap_or(0)];
        for (check, user) in uses() {
            if let Some(at) = next.get_mut(check.index())
                && let Some(slot) = all.get_mut(usize::try_from(*at).unwrap_or(usize::MAX))
            {
                *slot = user;
                *at = at.saturating_add(1);
            }
        }
        Self { starts, all }
    }

    fn places(&self, check: CheckId) -> std::ops::Range<usize> {
        let place = |index: usize| self.starts.get(index).and_then(|at| usize::try_from(*at).ok());
        let (first, end) = (place(check.index()), place(check.index().saturating_add(1)));
        first.zip(end).map_or(0..0, |(first, end)| first..end)
    }

    fn of(&self, check: CheckId) -> &[User] {
        self.all.get(self.places(check)).unwrap_or_default()
    }
}

/// All virtual servers and their checks.
#[derive(Clone, Debug)]
pub struct Balancer {
    checks: Vec<Check>,
    users: Users,
    /// Steps, and whose they are.
    under_way: HashMap<Ticket, CheckId>,
    services: Vec<Service>,
    due: BinaryHeap<Reverse<(Instant, CheckId)>>,
    /// When the first server that leaves is gone.
    departure: Option<Instant>,
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
            due: BinaryHeap::new(),
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
                    old.clone().at_pace(pace, alpha, ticket.is_some(), now)
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
            out.extend([Effect::Run { check: id, step, ticket }]);
        }
        if self.departure.is_some_and(|at| at <= now) {
            for (id, service) in (0..).map(ServiceId).zip(&mut self.services) {
                if service.depart(now) {
                    out.extend([Effect::Table(id)]);
                }
            }
            self.departure = self.services.iter().filter_map(Service::next_departure).min();
        }
    }

    /// When [`Self::handle_timeout`] is next due: a moment that has passed if it left something.
    pub fn next_deadline(&self) -> Option<Instant> {
        let check = self.due.peek().map(|Reverse((at, _))| *at);
        check.into_iter().chain(self.departure).min()
    }

    /// A step ended. Returns whose it was; `None` if its check is gone.
    pub fn ended(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
        now: Instant,
        out: &mut impl Extend<Effect>,
    ) -> Option<CheckId> {
        let id = self.under_way.remove(&ticket)?;
        self.conclude(id, outcome, now, out);
        Some(id)
    }

    /// Somebody else tells the result of a check that does not run by itself.
    pub fn told(&mut self, id: CheckId, outcome: Outcome, now: Instant, out: &mut impl Extend<Effect>) {
        self.conclude(id, outcome, now, out);
    }

    fn conclude(&mut self, id: CheckId, outcome: Outcome, now: Instant, out: &mut impl Extend<Effect>) {
        let Some(check) = self.checks.get_mut(id.index()) else { return };
        let meaning = check.end(now, outcome);
        if let Some(at) = check.due() {
            self.due.push(Reverse((at, id)));
        }
        if meaning == Meaning::Same {
            return;
        }
        out.extend([Effect::Found { check: id, meaning }]);
        if !matches!(meaning, Meaning::Forgiven { .. }) {
            for at in self.users.places(id) {
                let Some((service, place)) = self.users.all.get(at).copied() else { break };
                self.server_changed(service, place, out);
            }
        }
    }

    fn server_changed(&mut self, id: ServiceId, place: u32, out: &mut impl Extend<Effect>) {
        let Some(service) = self.services.get_mut(index(id)) else { return };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let Some(news) = service.look(place, &self.checks) else { return };
        out.extend([tell(id, place, news)]);
        if service.judge() {
            out.extend([Effect::Quorum { service: id, quorum: service.quorum() }]);
        }
        out.extend([Effect::Table(id)]);
    }

    /// After a reload: servers whose checks stand otherwise than was told, and the quorum.
    fn look_again(&mut self, id: ServiceId, out: &mut impl Extend<Effect>) {
        let Some(service) = self.services.get_mut(index(id)) else { return };
        for place in 0..service.standings.len() {
            out.extend(service.look(place, &self.checks).map(|news| tell(id, place, news)));
        }
        if service.judge() {
            out.extend([Effect::Quorum { service: id, quorum: service.quorum() }]);
        }
    }

    /// `ha_suspend`: the checks of a virtual server rest, or go on. A check that others use too goes on.
    pub fn suspend(&mut self, id: ServiceId, suspended: bool, now: Instant) {
        let Some(service) = self.services.get_mut(index(id)) else { return };
        service.suspended = suspended;
        let mine: Vec<CheckId> =
            service.params.servers.iter().flat_map(|server| server.checks.iter().copied()).collect();
        for check in mine {
            let mut users = self.users.of(check).iter();
            let is_needed =
                users.any(|(user, _)| self.services.get(index(*user)).is_some_and(|service| !service.suspended));
            let Some(slot) = self.checks.get_mut(check.index()) else { continue };
            slot.suspend(!is_needed, now);
            if let Some(at) = slot.due() {
                self.due.push(Reverse((at, check)));
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

    /// What the kernel ought to have for a virtual server.
    pub fn entries(&self, id: ServiceId) -> impl Iterator<Item = (ServiceKey, Entry)> {
        self.services.get(index(id)).into_iter().flat_map(|service| service.entries())
    }

    /// Where the servers of a virtual server are behind each of its keys, whether they are up or not.
    pub fn places(&self, id: ServiceId) -> impl Iterator<Item = (ServiceKey, HashSet<DestinationKey>)> {
        self.services.get(index(id)).into_iter().flat_map(Service::places)
    }

    /// All virtual servers.
    pub fn services(&self) -> impl Iterator<Item = ServiceId> + use<> {
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

fn tell(service: ServiceId, server: usize, news: News) -> Effect {
    match news {
        News::Up(up) => Effect::Server { service, server, up },
        News::Weight(weight) => Effect::Weight { service, server, weight },
    }
}

fn index(id: ServiceId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
