//! One virtual server: which of its real servers are in the table, and with what weight.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::check::Check;
use super::effect::{Effect, Quorum};
use super::params::{Leaving, Place, ServerParams, ServiceId, ServiceParams, Sorry};
use super::table::{DestinationEntry, DestinationKey, Entry, ServiceEntry, ServiceKey};
use super::types::Scheduler;
use crate::time::Instant;

/// The kernel's greatest weight.
const HEAVIEST: i64 = 2_147_483_647;

/// How a server stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    /// As it was last told to others.
    pub(super) up: bool,
    /// With what its checks add.
    pub(super) weight: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) params: ServiceParams,
    /// Of its servers, in their order. Beside them, so that what tens of thousands are told to be is not copied.
    pub(super) standings: Vec<Standing>,
    pub(super) quorum_up: bool,
    /// The weights of all servers that are up.
    live_weight: u64,
    /// Its checks rest.
    pub(super) suspended: bool,
    leaving: Vec<Leaving>,
}

impl Standing {
    /// Whether no check of a server is failed, and its weight with what checks add to it, as the kernel takes it.
    fn of(server: &ServerParams, checks: &[Check]) -> Self {
        let mine = || server.checks.iter().filter_map(|id| id.of(checks));
        let added = mine().fold(0_i64, |sum, check| sum.saturating_add(check.weight()));
        let weight = i64::from(server.weight).saturating_add(added).clamp(0, HEAVIEST);
        Self { up: mine().all(Check::is_up), weight: u32::try_from(weight).unwrap_or(0) }
    }

    /// What a server counts for the quorum.
    fn counted(self) -> u64 {
        if self.up { u64::from(self.weight) } else { 0 }
    }
}

impl Service {
    /// A virtual server whose checks stand as they stand.
    pub(super) fn new(mut params: ServiceParams, checks: &[Check]) -> Self {
        let mut leaving = std::mem::take(&mut params.leaving);
        leaving.retain(|leaving| !params.servers.iter().any(|server| server.place == leaving.place));
        let standings = standings(&params, checks);
        let live_weight = live(&standings);
        let quorum_up = params.serves;
        let mut service = Self { params, standings, quorum_up, live_weight, suspended: false, leaving };
        service.quorum_up = service.has_quorum();
        service
    }

    /// The same virtual server with other parameters; `up` of servers that were there before stays as it was told. Servers that
    /// are gone keep their connections until `leave_until`.
    pub(super) fn succeed(old: &Self, params: ServiceParams, checks: &[Check], leave_until: Option<Instant>) -> Self {
        let mut before: HashMap<Place, _> = old.servers().map(|(server, was)| (server.place, (server, was))).collect();
        let mut standings = standings(&params, checks);
        for (server, standing) in params.servers.iter().zip(&mut standings) {
            if let Some((_, was)) = before.remove(&server.place) {
                standing.up = was.up;
            }
        }
        let mut leaving: Vec<Leaving> = old.leaving.clone();
        if let Some(until) = leave_until {
            let gone = before.into_values().filter(|(_, was)| was.up);
            leaving.extend(gone.map(|(server, _)| Leaving { place: server.place, entry: entry_of(server, 0), until }));
        }
        leaving.retain(|leaving| !params.servers.iter().any(|server| server.place == leaving.place));
        let live_weight = live(&standings);
        Self { params, standings, quorum_up: old.quorum_up, live_weight, suspended: old.suspended, leaving }
    }

    /// Its servers, and how they stand.
    pub(super) fn servers(&self) -> impl Iterator<Item = (&ServerParams, Standing)> {
        self.params.servers.iter().zip(self.standings.iter().copied())
    }

    /// Where servers were that are in `next` no more, and whether they were up.
    pub(super) fn gone(&self, next: &ServiceParams) -> impl Iterator<Item = (Place, bool)> {
        let kept: HashSet<Place> = next.servers.iter().map(|server| server.place).collect();
        self.servers().map(|(server, was)| (server.place, was.up)).filter(move |(place, _)| !kept.contains(place))
    }

    /// Looks at a server again, after a result of a check of it. This virtual server is `id`.
    pub(super) fn look(&mut self, id: ServiceId, server: usize, checks: &[Check]) -> Option<Effect> {
        let standing = self.standings.get_mut(server)?;
        let now = Standing::of(self.params.servers.get(server)?, checks);
        let was = std::mem::replace(standing, now);
        self.live_weight = self.live_weight - was.counted() + now.counted();
        if was.up != now.up {
            return Some(Effect::Server { service: id, server, up: now.up });
        }
        (now.up && was.weight != now.weight).then_some(Effect::Weight { service: id, server, weight: now.weight })
    }

    /// A server goes down because all do.
    pub(super) fn take_down(&mut self, place: usize) -> bool {
        let Some(standing) = self.standings.get_mut(place) else { return false };
        self.live_weight -= standing.counted();
        std::mem::take(&mut standing.up)
    }

    fn has_quorum(&self) -> bool {
        let (quorum, hysteresis) = (u64::from(self.params.quorum), u64::from(self.params.hysteresis));
        let weight = self.live_weight;
        let needed = if self.quorum_up { quorum.saturating_sub(hysteresis) } else { quorum + hysteresis };
        // keepalived's is lost without any weight, and gained with it if all weights are 0: it comes and goes with each check
        weight > 0 && weight >= needed
    }

    /// Looks at the weights again. True if the quorum was lost or gained.
    pub(super) fn judge(&mut self) -> bool {
        let up = self.has_quorum();
        std::mem::replace(&mut self.quorum_up, up) != up
    }

    pub(super) fn quorum(&self) -> Quorum {
        let ServiceParams { quorum, hysteresis, .. } = self.params;
        Quorum { up: self.quorum_up, quorum, hysteresis, weight: self.live_weight }
    }

    /// Servers that are not configured any more and are not gone yet.
    pub(super) fn leaving(&self) -> &[Leaving] {
        &self.leaving
    }

    /// When the first server that leaves is gone.
    pub(super) fn next_departure(&self) -> Option<Instant> {
        self.leaving.iter().map(|leaving| leaving.until).min()
    }

    /// Lets go of servers whose time is over. True if there were any.
    pub(super) fn depart(&mut self, now: Instant) -> bool {
        let before = self.leaving.len();
        self.leaving.retain(|leaving| leaving.until > now);
        self.leaving.len() != before
    }

    /// What the kernel ought to have for one of its keys that no other virtual server names.
    pub(super) fn entry(&self, key: &ServiceKey) -> Entry {
        Self::together(&[self], key)
    }

    /// What the kernel ought to have for a key that all of these name, as two blocks of one virtual server are joined: the first
    /// says how clients are spread, and of two that name one server the first counts. A sorry server takes over when none of them
    /// has its quorum.
    pub(super) fn together(sharers: &[&Self], key: &ServiceKey) -> Entry {
        let serves = sharers.iter().any(|service| service.quorum_up);
        let mut destinations = BTreeMap::new();
        let mut named = HashSet::new();
        let is_shared = sharers.len() > 1;
        for service in sharers {
            let takes_over = service.params.sorry.filter(|_| !service.quorum_up);
            let sorry = service.params.sorry.map(|sorry| sorry.place.in_service(key, sorry.forwarding));
            for (server, standing) in service.servers() {
                let to = server.place.in_service(key, server.forwarding);
                // named by one before
                if is_shared && named.contains(&to) {
                    continue;
                }
                if standing.up && takes_over.is_none() {
                    destinations.insert(to, entry_of(server, standing.weight));
                } else if server.inhibit {
                    destinations.insert(to, entry_of(server, 0));
                }
            }
            // it may be one of the real servers: then it stands there once, and while it is needed as the sorry server
            if let Some((to, sorry)) = sorry.zip(service.params.sorry).filter(|(to, _)| !named.contains(to)) {
                match takes_over {
                    Some(_) if !serves => drop(destinations.insert(to, sorry.entry(1))),
                    _ if sorry.inhibit => drop(destinations.entry(to).or_insert(sorry.entry(0))),
                    _ => {}
                }
            }
            if is_shared {
                let servers = service.params.servers.iter();
                named.extend(servers.map(|server| server.place.in_service(key, server.forwarding)));
            }
        }
        for leaving in sharers.iter().flat_map(|service| &service.leaving) {
            let to = leaving.place.in_service(key, leaving.entry.forwarding);
            if !named.contains(&to) {
                destinations.entry(to).or_insert(leaving.entry);
            }
        }
        let service = sharers.first().map(|first| first.params.service.clone());
        // there is always one
        Entry { service: service.unwrap_or_else(|| ServiceEntry::new(Scheduler::Wlc)), destinations }
    }

    /// Where its servers are behind one of its keys, whether they are up, down or about to leave.
    pub(super) fn places(&self, key: &ServiceKey) -> impl Iterator<Item = DestinationKey> {
        let sorry = self.params.sorry.map(|sorry| sorry.place.in_service(key, sorry.forwarding));
        let servers = self.params.servers.iter().map(|server| server.place.in_service(key, server.forwarding));
        let leaving = self.leaving.iter().map(|leaving| leaving.place.in_service(key, leaving.entry.forwarding));
        servers.chain(sorry).chain(leaving)
    }
}

impl Sorry {
    const fn entry(&self, weight: u32) -> DestinationEntry {
        DestinationEntry { weight, forwarding: self.forwarding, upper_threshold: 0, lower_threshold: 0 }
    }
}

/// Initial state of each server that no result is known of.
fn standings(params: &ServiceParams, checks: &[Check]) -> Vec<Standing> {
    params.servers.iter().map(|server| Standing::of(server, checks)).collect()
}

fn live(standings: &[Standing]) -> u64 {
    standings.iter().map(|standing| standing.counted()).sum()
}

fn entry_of(params: &ServerParams, weight: u32) -> DestinationEntry {
    DestinationEntry {
        weight,
        forwarding: params.forwarding,
        upper_threshold: params.upper_threshold,
        lower_threshold: params.lower_threshold,
    }
}
