//! What the results of checks mean, worked out once more: as keepalived.conf(5) has it, and without a line of the
//! balancer's code.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keepalived_core::balance::{DestinationEntry, DestinationKey, Entry, ServiceEntry, ServiceKey, Table, Ticket};
use keepalived_daemon::checker::Report;

use super::setting::{self, FileRule, Kind, Service, Setting, Target};
use crate::clock::Moment;

mod check;

pub use check::Answer;
use check::{Check, Identity, Phase};

/// What a notification tells of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Told {
    /// A server of a service went up or down.
    Server(String, String, bool),
    /// A server of a service has another weight.
    Weight(String, String, u32),
    /// A service gained or lost its quorum.
    Quorum(String, bool),
    /// A service is not configured any more.
    Gone(String),
}

impl Told {
    /// What a report tells of.
    pub fn of(report: &Report) -> Option<Self> {
        Some(match report {
            Report::Server { name, service_name, up, .. } => Self::Server(service_name.clone(), name.clone(), *up),
            Report::Weight { name, service_name, weight } => Self::Weight(service_name.clone(), name.clone(), *weight),
            Report::Quorum { service_name, quorum, .. } => Self::Quorum(service_name.clone(), quorum.up),
            Report::ServiceRemoved { service_name } => Self::Gone(service_name.clone()),
            // for the journal, not for scripts
            _ => return None,
        })
    }

    /// The service it belongs to.
    pub fn service(&self) -> &str {
        match self {
            Self::Server(service, ..) | Self::Weight(service, ..) | Self::Quorum(service, _) | Self::Gone(service) => {
                service
            }
        }
    }
}

/// All that is known since the checker began.
#[derive(Clone, Debug)]
pub struct Model {
    /// What is in force.
    pub setting: Setting,
    checks: Vec<Check>,
    services: Vec<Balance>,
}

/// The state of a virtual server.
#[derive(Clone, Debug, Default)]
struct Balance {
    quorum_up: bool,
    servers: Vec<ServerState>,
    /// Servers that a reload took away and that keep their connections.
    leaving: BTreeMap<DestinationKey, Moment>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct ServerState {
    up: bool,
    weight: u32,
    /// A reload has brought it, and no script was told.
    is_new: bool,
}

/// How often lost answers are looked for.
const SEARCH: Duration = Duration::from_secs(10);

impl Model {
    /// A checker that begins on a kernel that has `there`; `resumes` if another one ran before. And what it tells.
    pub fn new(setting: Setting, there: &Table, resumes: bool, now: Moment) -> (Self, Vec<Told>) {
        let mut model = Self { setting, checks: Vec::new(), services: Vec::new() };
        model.configure(None, now);
        for check in &mut model.checks {
            let places = check.users.iter().filter_map(|(service, server)| {
                let service = model.setting.services.get(*service)?;
                let entries: Vec<&Entry> = service.keys().filter_map(|key| there.get(&key)).collect();
                let server = service.servers.get(*server)?;
                let weights = entries.iter().filter_map(|entry| Some(entry.destinations.get(&server.key())?.weight));
                (!entries.is_empty()).then(|| (weights.max().unwrap_or(0) > 0, server.weight > 0))
            });
            let places: Vec<(bool, bool)> = places.collect();
            if places.iter().any(|(is_there, _)| *is_there) {
                check.up = true;
            } else if resumes && places.iter().any(|(_, has_weight)| *has_weight) {
                check.up = false;
            }
        }
        for (service, balance) in model.setting.services.iter().zip(&mut model.services) {
            let serves = |server: &setting::Server, entry: &Entry| {
                let is_sorry = service.sorry.is_some() && service.sorry_key() == server.key();
                !is_sorry && entry.destinations.get(&server.key()).is_some_and(|entry| entry.weight > 0)
            };
            let mut entries = service.keys().filter_map(|key| there.get(&key));
            balance.quorum_up = entries.any(|entry| service.servers.iter().any(|server| serves(server, entry)));
        }
        let told = (0..model.services.len()).filter_map(|at| model.begin_service(at)).collect();
        (model, told)
    }

    /// What the checker before had to finish goes on.
    pub fn inherit(&mut self, before: &Self) {
        for (balance, old) in self.services.iter_mut().zip(&before.services) {
            balance.leaving.clone_from(&old.leaving);
        }
    }

    /// Another configuration. Returns what is told.
    pub fn reload(&mut self, setting: Setting, now: Moment) -> Vec<Told> {
        let before = self.clone();
        self.setting = setting;
        self.configure(Some(&before), now)
    }

    fn configure(&mut self, before: Option<&Self>, now: Moment) -> Vec<Told> {
        self.configure_checks(before, now);
        let mut told = Vec::new();
        let mut known = Vec::new();
        for service in &self.setting.services {
            let old = before.and_then(|before| {
                before.successor(before.place(&service.name())?, service, self.setting.drain, now, &mut told)
            });
            known.push(old);
        }
        let is_new: Vec<bool> = known.iter().map(Option::is_none).collect();
        self.services = known.into_iter().map(Option::unwrap_or_default).collect();
        for (at, is_new) in is_new.into_iter().enumerate() {
            if is_new {
                told.extend(self.begin_service(at));
            } else {
                told.extend(self.look_at_all(at));
            }
        }
        for gone in before.iter().flat_map(|before| &before.setting.services) {
            if self.place(&gone.name()).is_none() {
                told.push(Told::Gone(gone.name()));
            }
        }
        told
    }

    fn configure_checks(&mut self, before: Option<&Self>, now: Moment) {
        let mut all: Vec<(Identity, Vec<(usize, usize)>)> = Vec::new();
        for (at, service) in self.setting.services.iter().enumerate() {
            for (place, server) in service.servers.iter().enumerate() {
                for check in &server.checks {
                    let identity = Identity::of(server, check);
                    match all.iter_mut().find(|(known, _)| *known == identity) {
                        Some((_, users)) => users.push((at, place)),
                        None => all.push((identity, vec![(at, place)])),
                    }
                }
            }
        }
        let mut kept: Vec<usize> = Vec::new();
        let mut checks = Vec::new();
        for (identity, users) in all {
            let was = before.and_then(|before| Some((before, before.predecessor(&identity, &users, &self.setting)?)));
            let Some((old, was)) = was.and_then(|(before, was)| Some((before.checks.get(was)?, was))) else {
                checks.push(Check::new(identity, users, now));
                continue;
            };
            // of two that were one, the first keeps the step that is under way
            let keeps_step = !kept.contains(&was);
            kept.push(was);
            checks.push(old.clone().succeed(identity, users, keeps_step, now));
        }
        self.checks = checks;
    }

    /// Which check of this configuration one of the next was: the same, or one with another pace.
    fn predecessor(&self, identity: &Identity, users: &[(usize, usize)], next: &Setting) -> Option<usize> {
        let same = self.checks.iter().position(|check| check.identity == *identity);
        same.or_else(|| {
            users.iter().find_map(|(service, _)| {
                let place = self.place(&next.services.get(*service)?.name())?;
                self.checks.iter().position(|check| {
                    check.identity.server == identity.server
                        && check.identity.check.target == identity.check.target
                        && check.users.iter().any(|(service, _)| *service == place)
                })
            })
        })
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.setting.services.iter().position(|service| service.name() == name)
    }

    /// How a service goes on: servers that stay are as they were told to be.
    fn successor(
        &self,
        place: usize,
        next: &Service,
        drain: u64,
        now: Moment,
        told: &mut Vec<Told>,
    ) -> Option<Balance> {
        let (old, balance) = (self.setting.services.get(place)?, self.services.get(place)?);
        let mut leaving = balance.leaving.clone();
        let mut before = BTreeMap::new();
        for (server, state) in old.servers.iter().zip(&balance.servers) {
            before.insert(server.number, *state);
            if next.servers.iter().all(|kept| kept.number != server.number) && state.up {
                told.push(Told::Server(old.name(), old.name_of(server), false));
                if drain > 0 {
                    leaving.insert(server.key(), now + Duration::from_secs(drain));
                }
            }
        }
        leaving.retain(|key, _| next.servers.iter().all(|server| server.key() != *key));
        // a new one is what its checks say, and no script is told
        let servers = next.servers.iter().map(|server| {
            let was = before.get(&server.number).copied();
            was.unwrap_or(ServerState { up: true, weight: 0, is_new: true })
        });
        Some(Balance { quorum_up: balance.quorum_up, servers: servers.collect(), leaving })
    }

    fn begin_service(&mut self, at: usize) -> Option<Told> {
        let service = self.setting.services.get(at)?;
        let servers: Vec<ServerState> = (0..service.servers.len()).map(|place| self.state(at, place)).collect();
        let balance = self.services.get_mut(at)?;
        balance.servers = servers;
        balance.quorum_up = balance.has_quorum(service);
        // without a quorum nothing is said, unless a sorry server takes over: as keepalived was observed
        (balance.quorum_up || service.sorry.is_some()).then(|| Told::Quorum(service.name(), balance.quorum_up))
    }

    fn look_at_all(&mut self, at: usize) -> Vec<Told> {
        let mut told = Vec::new();
        let count = self.setting.services.get(at).map_or(0, |service| service.servers.len());
        for place in 0..count {
            let now = self.state(at, place);
            let Some(service) = self.setting.services.get(at) else { continue };
            let Some(state) = self.services.get_mut(at).and_then(|balance| balance.servers.get_mut(place)) else {
                continue;
            };
            let was = std::mem::replace(state, now);
            if let Some(server) = service.servers.get(place).filter(|_| !was.is_new && was.up != now.up) {
                told.push(Told::Server(service.name(), service.name_of(server), now.up));
            }
        }
        told.extend(self.judge(at));
        told
    }

    /// The state of a server, as its checks say.
    fn state(&self, service: usize, server: usize) -> ServerState {
        let mine = self.checks.iter().filter(|check| check.users.contains(&(service, server)));
        let base = self.setting.services.get(service).and_then(|service| service.servers.get(server));
        let (mut up, mut weight) = (true, base.map_or(0, |server| i64::from(server.weight)));
        for check in mine {
            up &= check.up;
            weight = weight.saturating_add(check.weight);
        }
        ServerState { up, weight: u32::try_from(weight.clamp(0, 2_147_483_647)).expect("within bounds"), is_new: false }
    }

    fn judge(&mut self, at: usize) -> Option<Told> {
        let service = self.setting.services.get(at)?;
        let balance = self.services.get_mut(at)?;
        let up = balance.has_quorum(service);
        let was = std::mem::replace(&mut balance.quorum_up, up);
        (was != up).then(|| Told::Quorum(service.name(), up))
    }

    /// The check of `target` of a server of a service, all by their numbers.
    pub fn check(&self, service: u8, server: u8, place: usize) -> Option<usize> {
        let service = self.setting.services.iter().find(|known| known.number == service)?;
        let server = service.servers.iter().find(|known| known.number == server)?;
        let identity = Identity::of(server, server.checks.get(place)?);
        self.checks.iter().position(|check| check.identity == identity)
    }

    /// What a check asks.
    pub fn target(&self, check: usize) -> Option<Target> {
        self.checks.get(check).map(|check| check.identity.check.target)
    }

    /// Weight of the server of a check, as it is configured.
    pub fn weight(&self, check: usize) -> u32 {
        self.checks.get(check).and_then(|check| check.identity.weight).unwrap_or(0)
    }

    /// A step of a check begins.
    ///
    /// # Errors
    /// It should not.
    pub fn begins(&mut self, check: usize, step: u16, ticket: Ticket, now: Moment) -> Result<(), String> {
        let Some(check) = self.checks.get_mut(check) else { return Err("a check that is not configured".to_owned()) };
        if let Phase::Runs { since, .. } = check.phase
            && now.since(since) < check.identity.check.target.given_up()
        {
            return Err(format!("{} is asked a second time while the first goes on", check.identity));
        }
        if check.phase == Phase::Rests {
            return Err(format!("{} is asked while it rests", check.identity));
        }
        if step != check.step {
            return Err(format!("{}: step {step} in place of {}", check.identity, check.step));
        }
        check.phase = Phase::Runs { ticket, since: now };
        Ok(())
    }

    /// Whether a step takes so long that its answer may not count any longer.
    pub fn is_late(&self, ticket: Ticket, now: Moment) -> bool {
        self.running(ticket).and_then(|at| self.checks.get(at)).is_some_and(|check| {
            matches!(check.phase, Phase::Runs { since, .. } if now.since(since) >= check.identity.check.target.given_up())
        })
    }

    fn running(&self, ticket: Ticket) -> Option<usize> {
        let is_it = |check: &Check| matches!(check.phase, Phase::Runs { ticket: known, .. } if known == ticket);
        self.checks.iter().position(is_it)
    }

    /// A step ends. Returns what scripts are told. A step that is not awaited counts for nothing.
    pub fn ends(&mut self, ticket: Ticket, answer: Answer, now: Moment) -> Vec<Told> {
        let Some(check) = self.running(ticket).and_then(|at| self.checks.get_mut(at)) else { return Vec::new() };
        check.hear(answer);
        check.wait(now);
        let users = check.users.clone();
        self.look_at_users(users)
    }

    fn look_at_users(&mut self, users: Vec<(usize, usize)>) -> Vec<Told> {
        let mut told = Vec::new();
        for (service, server) in users {
            told.extend(self.look_at(service, server));
            told.extend(self.judge(service));
        }
        told
    }

    /// The numbers in the files are these. Returns what is told.
    pub fn reads(&mut self, files: &BTreeMap<u8, i64>) -> Vec<Told> {
        let mut told = Vec::new();
        for at in 0..self.checks.len() {
            let Some(check) = self.checks.get_mut(at) else { break };
            let Kind::File(rule) = check.identity.check.target.kind else { continue };
            check.hear(found(rule, files.get(&rule.file).copied().unwrap_or(0)));
            let users = check.users.clone();
            told.extend(self.look_at_users(users));
        }
        told
    }

    /// These addresses are not on this machine. A check rests if only virtual servers with `ha_suspend` need it, and
    /// none of their addresses is here.
    pub fn suspend(&mut self, gone: &BTreeSet<u8>, now: Moment) {
        let is_here = |number: &u8| *number >= setting::MARKS || !gone.contains(number);
        let services = self.setting.services.iter();
        let suspended: Vec<bool> =
            services.map(|service| service.ha_suspend && !service.numbers().iter().any(is_here)).collect();
        for check in &mut self.checks {
            let rests = check.users.iter().all(|(service, _)| suspended.get(*service) == Some(&true));
            check.rest(rests, now);
        }
    }

    fn look_at(&mut self, at: usize, place: usize) -> Option<Told> {
        let now = self.state(at, place);
        let service = self.setting.services.get(at)?;
        let state = self.services.get_mut(at)?.servers.get_mut(place)?;
        let was = std::mem::replace(state, now);
        let (service, server) = (service.name(), service.name_of(service.servers.get(place)?));
        if was.up != now.up {
            return Some(Told::Server(service, server, now.up));
        }
        (now.up && was.weight != now.weight).then_some(Told::Weight(service, server, now.weight))
    }

    /// The checker is told to stop. Returns what is told.
    pub fn stop(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for (service, balance) in self.setting.services.iter().zip(&mut self.services).filter(|(it, _)| it.omega) {
            for (server, state) in service.servers.iter().zip(&mut balance.servers) {
                if std::mem::take(&mut state.up) {
                    told.push(Told::Server(service.name(), service.name_of(server), false));
                }
            }
            if std::mem::take(&mut balance.quorum_up) {
                told.push(Told::Quorum(service.name(), false));
            }
        }
        told
    }

    /// A check that should have been asked by `now`, had it had a turn since `awake`.
    pub fn overdue(&self, awake: Moment, now: Moment, slack: Duration) -> Option<String> {
        let late = self.checks.iter().find(|check| {
            let latest = match check.phase {
                Phase::Waits { latest } => latest.max(awake),
                // it rests once its answer is given up
                Phase::Runs { .. } if check.rests => return false,
                Phase::Runs { since, .. } => {
                    let given_up = since + check.identity.check.target.given_up() + SEARCH;
                    given_up.max(awake) + check.identity.check.longest_pause()
                }
                Phase::Rests => return false,
            };
            now > latest + slack
        })?;
        Some(format!("{} should have been asked: {:?}", late.identity, late.phase))
    }

    /// When a server that leaves has to be gone.
    pub fn departures(&self) -> impl Iterator<Item = Moment> + '_ {
        self.services.iter().flat_map(|service| service.leaving.values().copied())
    }

    /// Servers whose time is over leave.
    pub fn depart(&mut self, now: Moment) {
        for service in &mut self.services {
            service.leaving.retain(|_, until| *until > now);
        }
    }

    /// Where our servers are in the kernel's table, whether they are up or not.
    pub fn places(&self) -> BTreeMap<ServiceKey, Vec<DestinationKey>> {
        let mut all: BTreeMap<ServiceKey, Vec<DestinationKey>> = BTreeMap::new();
        for service in &self.setting.services {
            let sorry = service.sorry.map(|_| service.sorry_key());
            for key in service.keys() {
                all.entry(key).or_default().extend(service.servers.iter().map(setting::Server::key).chain(sorry));
            }
        }
        all
    }

    /// Servers of ours that get clients in `there`, and do not wait for a program to say their weight.
    pub fn serving(&self, there: &Table) -> Vec<(ServiceKey, DestinationKey)> {
        let is_fixed = |server: &&setting::Server| {
            let is_fixed = |kind: Kind| !matches!(kind, Kind::Misc(true) | Kind::File(_));
            server.weight > 0 && server.checks.iter().all(|check| is_fixed(check.target.kind))
        };
        let is_alone = |key: &ServiceKey| self.sharers(key).count() == 1;
        let mut serving = Vec::new();
        for service in &self.setting.services {
            if !service.servers.iter().all(|server| is_fixed(&server)) {
                continue;
            }
            for key in service.keys().filter(is_alone) {
                let Some(entry) = there.get(&key) else { continue };
                let has_clients =
                    |to: &DestinationKey| entry.destinations.get(to).is_some_and(|entry| entry.weight > 0);
                let is_sorry = |to: &DestinationKey| service.sorry.is_some() && service.sorry_key() == *to;
                let servers = service.servers.iter().map(setting::Server::key).filter(|to| !is_sorry(to));
                serving.extend(servers.filter(has_clients).map(|to| (key, to)));
            }
        }
        serving
    }

    /// What of the kernel's table is ours.
    pub fn table(&self) -> Table {
        let keys: BTreeSet<ServiceKey> = self.setting.services.iter().flat_map(Service::keys).collect();
        keys.into_iter().filter_map(|key| Some((key, self.entry(&key)?))).collect()
    }

    /// The virtual servers that name a key, in their order.
    fn sharers(&self, key: &ServiceKey) -> impl Iterator<Item = (&Service, &Balance)> {
        let services = self.setting.services.iter().zip(&self.services);
        services.filter(move |(service, _)| service.keys().any(|known| known == *key))
    }

    /// What the kernel has for a key: the first that names it says how clients are spread, and of two that name a
    /// server the first counts. A sorry server takes over when none of them has its quorum.
    fn entry(&self, key: &ServiceKey) -> Option<Entry> {
        let sharers: Vec<(&Service, &Balance)> = self.sharers(key).collect();
        let (first, _) = sharers.first()?;
        let serves = sharers.iter().any(|(_, balance)| balance.quorum_up);
        let mut destinations = BTreeMap::new();
        let mut named: BTreeSet<DestinationKey> = BTreeSet::new();
        for (service, balance) in &sharers {
            let mine = balance.destinations(service, serves);
            destinations.extend(mine.into_iter().filter(|(to, _)| !named.contains(to)));
            named.extend(service.servers.iter().map(setting::Server::key));
        }
        for (_, balance) in &sharers {
            for to in balance.leaving.keys().filter(|to| !named.contains(to)) {
                destinations.entry(*to).or_insert(setting::entry(0));
            }
        }
        Some(Entry { service: ServiceEntry::new(first.scheduler), destinations })
    }
}

/// What the number in a file says: with weight 0 any but 0 is a failure (`reverse`: 0 is), else it is multiplied and
/// added to the weight; the least of 32 bits, or less, is a failure.
pub(super) fn found(rule: FileRule, number: i64) -> Answer {
    if rule.multiplier == 0 {
        return if (number == 0) == rule.reverse { Answer::Ill } else { Answer::Well(0) };
    }
    let sign = if rule.reverse { -1 } else { 1 };
    let added = number * i64::from(rule.multiplier) * sign;
    if added <= i64::from(i32::MIN) { Answer::Ill } else { Answer::Well(added) }
}

impl Balance {
    /// Of all servers that are up.
    fn weight(&self) -> u64 {
        self.servers.iter().filter(|state| state.up).map(|state| u64::from(state.weight)).sum()
    }

    /// A quorum of more than all weights together is lowered to them, and hysteresis is less than the quorum.
    fn has_quorum(&self, service: &Service) -> bool {
        let all: u64 = service.servers.iter().map(|server| u64::from(server.weight)).sum();
        let quorum = all.min(u64::from(service.quorum));
        let hysteresis = quorum.saturating_sub(1).min(u64::from(service.hysteresis));
        let needed = if self.quorum_up { quorum - hysteresis } else { quorum + hysteresis };
        self.weight() > 0 && self.weight() >= needed
    }

    /// What it wants to have there; one of those that name the same key `serves`.
    fn destinations(&self, service: &Service, serves: bool) -> BTreeMap<DestinationKey, DestinationEntry> {
        let mut destinations = BTreeMap::new();
        let sorry = service.sorry.filter(|_| !self.quorum_up);
        for (server, state) in service.servers.iter().zip(&self.servers) {
            if state.up && sorry.is_none() {
                destinations.insert(server.key(), setting::entry(state.weight));
            } else if server.inhibit {
                destinations.insert(server.key(), setting::entry(0));
            }
        }
        if sorry.is_some() && !serves {
            destinations.insert(service.sorry_key(), setting::entry(1));
        } else if service.sorry_waits() {
            destinations.entry(service.sorry_key()).or_insert(setting::entry(0));
        }
        destinations
    }
}
