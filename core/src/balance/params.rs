//! What the configuration says about load balancing.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{Check, Pace};
use super::few::Few;
use super::table::{DestinationEntry, DestinationKey, ServiceEntry, ServiceKey};
use super::types::Forwarding;
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
    /// `alpha`: failed until it first succeeds. Counts for a check that begins.
    pub alpha: bool,
    /// Which check of the configuration before it was: what it found out goes on.
    pub was: Option<CheckId>,
}

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

/// What a virtual server is told to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceParams {
    /// Which virtual server of the configuration before it was; what is known about it goes on.
    pub was: Option<ServiceId>,
    /// What it answers for: one, or each address and mark of its group.
    pub keys: Vec<ServiceKey>,
    /// How the kernel spreads its clients.
    pub service: ServiceEntry,
    /// `quorum`
    pub quorum: u32,
    /// `hysteresis`
    pub hysteresis: u32,
    /// `omega`: a stop counts as going down.
    pub omega: bool,
    /// Real servers of it get clients in the kernel's table already: it has its quorum until it loses it.
    pub serves: bool,
    /// `sorry_server`
    pub sorry: Option<Sorry>,
    /// Its real servers, each place once.
    pub servers: Vec<ServerParams>,
    /// Servers that the process before this one let drain. Only a service that begins takes them over.
    pub leaving: Vec<Leaving>,
}

/// `sorry_server`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sorry {
    /// Where it is.
    pub place: Place,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// `sorry_server_inhibit`
    pub inhibit: bool,
}

/// Where a real server is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Its address.
    pub address: IpAddr,
    /// With NAT, its port; `None` is the port that the client asked for. Without NAT the port of the service counts.
    pub port: Option<NonZeroU16>,
}

impl Place {
    /// What the kernel calls a server at this place behind `key`.
    pub fn in_service(self, key: &ServiceKey, forwarding: Forwarding) -> DestinationKey {
        let own = self.port.map_or(0, NonZeroU16::get);
        let port = match key {
            _ if forwarding.translates_ports() => own,
            ServiceKey::Address { port, .. } => *port,
            ServiceKey::Fwmark { .. } => 0,
        };
        DestinationKey { address: self.address, port }
    }
}

/// What a real server is told to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerParams {
    /// Where it is: makes it the same one across a reload.
    pub place: Place,
    /// `weight`
    pub weight: u32,
    /// `lvs_method`
    pub forwarding: Forwarding,
    /// `uthreshold`
    pub upper_threshold: u32,
    /// `lthreshold`
    pub lower_threshold: u32,
    /// `inhibit_on_failure`
    pub inhibit: bool,
    /// It is up if none of these is failed.
    pub checks: Few<CheckId>,
}

/// A virtual server, by its place in the parameters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServiceId(pub u32);

/// A server that is not configured any more and keeps its connections for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Leaving {
    /// Where it is.
    pub place: Place,
    /// What the kernel has of it, with weight 0.
    pub entry: DestinationEntry,
    /// When it goes.
    pub until: Instant,
}
