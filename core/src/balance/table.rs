//! The table of a kernel's load balancer, and the difference between two of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::types::{Forwarding, Granularity, Protocol, Scheduler, SchedulerFlags};
use crate::vrrp::Family;

/// What a service answers for: one of these is there once in a kernel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ServiceKey {
    /// Packets to an address.
    Address {
        /// The address that clients know.
        address: IpAddr,
        /// 0 is every port.
        port: u16,
        /// Of the packets.
        protocol: Protocol,
    },
    /// Packets that the firewall has marked.
    Fwmark {
        /// The mark; not 0.
        mark: u32,
        /// Of the packets.
        family: Family,
    },
}

impl ServiceKey {
    /// The family of the packets.
    pub fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Fwmark { family, .. } => *family,
        }
    }
}

/// How a service spreads its clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceEntry {
    /// Which server gets a new connection.
    pub scheduler: Scheduler,
    /// What the scheduler is told besides; `hashed` does not count, the kernel sets it itself.
    pub flags: SchedulerFlags,
    /// Each UDP packet is scheduled on its own.
    pub one_packet: bool,
    /// How long a client stays with its server, in whole seconds; `None` is not at all.
    pub persistence: Option<Duration>,
    /// Which part of a client's address counts for that; `None` is all of it.
    pub granularity: Option<Granularity>,
    /// What else of a client counts for that, by the name that the kernel knows (`sip`).
    pub persistence_engine: Option<String>,
}

impl ServiceEntry {
    /// A service with a scheduler and nothing else.
    pub fn new(scheduler: Scheduler) -> Self {
        Self {
            scheduler,
            flags: SchedulerFlags::default(),
            one_packet: false,
            persistence: None,
            granularity: None,
            persistence_engine: None,
        }
    }
}

/// Which server of a service: one of these is there once in a service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DestinationKey {
    /// Where it is.
    pub address: IpAddr,
    /// 0 is the port that the client asked for.
    pub port: u16,
}

/// How a server gets its share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct DestinationEntry {
    /// 0 to 2147483647; 0 gets no new connection and keeps those that it has.
    pub weight: u32,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// From so many connections on it gets no new one; 0 is no limit.
    pub upper_threshold: u32,
    /// Below so many it gets new ones again; 0 leaves that to the kernel.
    pub lower_threshold: u32,
}

/// A service and its servers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// How it spreads its clients.
    pub service: ServiceEntry,
    /// Its servers.
    pub destinations: BTreeMap<DestinationKey, DestinationEntry>,
}

/// All services of a kernel, or those of one configuration.
pub type Table = BTreeMap<ServiceKey, Entry>;

/// One step from one table to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A service, as yet without servers.
    AddService(ServiceKey, ServiceEntry),
    /// A service spreads its clients otherwise; its servers and connections stay.
    EditService(ServiceKey, ServiceEntry),
    /// A service goes, and all servers in it.
    RemoveService(ServiceKey),
    /// A server of a service.
    AddDestination(ServiceKey, DestinationKey, DestinationEntry),
    /// A server gets another share; its connections stay.
    EditDestination(ServiceKey, DestinationKey, DestinationEntry),
    /// A server goes.
    RemoveDestination(ServiceKey, DestinationKey),
}

impl Change {
    /// The service that it is about.
    pub fn service(&self) -> ServiceKey {
        match self {
            Self::AddService(key, _)
            | Self::EditService(key, _)
            | Self::RemoveService(key)
            | Self::AddDestination(key, _, _)
            | Self::EditDestination(key, _, _)
            | Self::RemoveDestination(key, _) => *key,
        }
    }
}

/// The changes that lead from `have` to `want` for the service `key`; `None` is no service. New servers come before old ones go,
/// so that a service that had a server never is without one on the way. Linear in the servers of both.
pub fn difference(key: ServiceKey, have: Option<&Entry>, want: Option<&Entry>, changes: &mut Vec<Change>) {
    let (have, want) = match (have, want) {
        (None, None) => return,
        (Some(_), None) => return changes.push(Change::RemoveService(key)),
        (None, Some(want)) => {
            changes.push(Change::AddService(key, want.service.clone()));
            changes.extend(want.destinations.iter().map(|(to, entry)| Change::AddDestination(key, *to, *entry)));
            return;
        }
        (Some(have), Some(want)) => (have, want),
    };
    if have.service != want.service {
        changes.push(Change::EditService(key, want.service.clone()));
    }
    for (to, entry) in &want.destinations {
        match have.destinations.get(to) {
            None => changes.push(Change::AddDestination(key, *to, *entry)),
            Some(old) if old != entry => changes.push(Change::EditDestination(key, *to, *entry)),
            Some(_) => {}
        }
    }
    let gone = have.destinations.keys().filter(|to| !want.destinations.contains_key(*to));
    changes.extend(gone.map(|to| Change::RemoveDestination(key, *to)));
}

#[cfg(test)]
mod tests;
