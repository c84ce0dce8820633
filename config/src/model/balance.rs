//! Load balancing: virtual servers, the real servers behind them, groups of addresses.
//!
//! A large site has tens of thousands of real servers: what most of them do not have stands in a box, and what the
//! virtual server says for all of them is not repeated if it is text (`virtualhost`, see `HttpCheck::host`).

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use keepalived_core::balance::Few;
pub use keepalived_core::balance::{
    Forwarding, Granularity, Protocol, Scheduler, SchedulerFlags, Tunnel, TunnelChecksum,
};
use keepalived_core::vrrp::Family;
use serde::{Deserialize, Serialize};

use super::Script;
use super::check::Checker;

/// One `virtual_server`; there is one with this `service` in a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VirtualServer {
    /// What it answers for; makes it the same one across a reload (behaviour.md section 10).
    pub service: Service,
    /// All that may change in place.
    pub settings: ServiceSettings,
    /// `real_server`: at least one, each address and port once, in the order of the file.
    pub real_servers: Vec<RealServer>,
}

/// What a virtual server answers for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Service {
    /// `virtual_server ADDRESS PORT`
    Address {
        /// The address that clients know.
        address: IpAddr,
        /// `None` is every port, which goes with persistence only.
        port: Option<NonZeroU16>,
        /// `protocol`
        protocol: Protocol,
    },
    /// `virtual_server fwmark N`: packets with this mark of the firewall.
    Fwmark {
        /// The mark; not 0.
        mark: u32,
        /// `ip_family`, or that of the real servers.
        family: Family,
    },
    /// `virtual_server group NAME`
    Group {
        /// A group that exists.
        name: String,
        /// For its addresses; `None` if it has marks only.
        protocol: Option<Protocol>,
        /// Of its addresses, or of the real servers.
        family: Family,
    },
}

impl Service {
    /// The family of the service.
    pub fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Fwmark { family, .. } | Self::Group { family, .. } => *family,
        }
    }

    /// The port of the service; `None` is every port, or the port of each member of the group.
    pub fn port(&self) -> Option<NonZeroU16> {
        match self {
            Self::Address { port, .. } => *port,
            Self::Fwmark { .. } | Self::Group { .. } => None,
        }
    }
}

/// As an administrator writes it: `10.0.0.1 80 TCP`, `fwmark 7`, `group web TCP`.
impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address { address, port: Some(port), protocol } => write!(f, "{address} {port} {protocol}"),
            Self::Address { address, port: None, protocol } => write!(f, "{address} {protocol}"),
            Self::Fwmark { mark, family: Family::V4 } => write!(f, "fwmark {mark}"),
            Self::Fwmark { mark, family: Family::V6 } => write!(f, "fwmark {mark} inet6"),
            Self::Group { name, protocol: Some(protocol), .. } => write!(f, "group {name} {protocol}"),
            Self::Group { name, protocol: None, .. } => write!(f, "group {name}"),
        }
    }
}

/// What a virtual server says beyond its address and its real servers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceSettings {
    /// `lvs_sched`
    pub scheduler: Scheduler,
    /// `flag-1` and its names per scheduler.
    pub flags: SchedulerFlags,
    /// `ops`: each UDP packet is scheduled on its own.
    pub one_packet: bool,
    /// `lvs_method`; each server has its own, which is this unless it says otherwise.
    pub forwarding: Forwarding,
    /// `persistence_timeout`; `None` is off.
    pub persistence_timeout: Option<Duration>,
    /// `persistence_granularity`
    pub persistence_granularity: Option<Granularity>,
    /// `persistence_engine`
    pub persistence_engine: Option<String>,
    /// `quorum`, no more than all weights together.
    pub quorum: u32,
    /// `hysteresis`, less than `quorum` unless that is 0.
    pub hysteresis: u32,
    /// `alpha`: real servers are down until a check says otherwise.
    pub alpha: bool,
    /// `inhibit_on_failure`; each server has its own, which is this unless it says otherwise.
    pub inhibit_on_failure: bool,
    /// What it says for the checks of all its servers.
    pub pace: Pace,
    /// `omega`: a stop counts as going down.
    pub omega: bool,
    /// `ha_suspend`: checks pause while the address is not on this machine.
    pub ha_suspend: bool,
    /// `smtp_alert`, or what holds globally.
    pub smtp_alert: bool,
    /// `sorry_server`
    pub sorry_server: Option<Box<SorryServer>>,
    /// `virtualhost`
    pub virtualhost: Option<String>,
    /// `snmp_name`
    pub snmp_name: Option<String>,
    /// `quorum_up`
    pub quorum_up: Option<Box<Script>>,
    /// `quorum_down`
    pub quorum_down: Option<Box<Script>>,
}

/// What a virtual or a real server says for the checks in it; `None` leaves it to the kind of check. For those who show
/// it: each check has it already.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Pace {
    /// `delay_loop`
    pub delay_loop: Duration,
    /// `connect_timeout`
    pub connect_timeout: Duration,
    /// `retry`
    pub retry: Option<u32>,
    /// `delay_before_retry`
    pub delay_before_retry: Option<Duration>,
    /// `warmup`
    pub warmup: Option<Duration>,
}

/// `sorry_server`: takes the requests while the quorum is lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SorryServer {
    /// Where it is.
    pub address: IpAddr,
    /// As `RealServer::port`.
    pub port: Option<NonZeroU16>,
    /// `sorry_server_lvs_method`, or the virtual server's.
    pub forwarding: Forwarding,
    /// `sorry_server_inhibit`: kept with weight 0 rather than removed.
    pub inhibit: bool,
}

/// One `real_server`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RealServer {
    /// Where it is; with the port what makes it the same one across a reload.
    pub address: IpAddr,
    /// What the kernel is given: the server's own port with NAT, else the virtual server's. `None` is 0: the port that
    /// the client asked for.
    pub port: Option<NonZeroU16>,
    /// All that may change in place.
    pub settings: RealServerSettings,
    /// It is up if none of these is failed.
    pub checkers: Few<Checker>,
}

/// What a real server says beyond its address and its checkers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RealServerSettings {
    /// `weight`
    pub weight: u32,
    /// `lvs_method`, or the virtual server's.
    pub forwarding: Forwarding,
    /// `uthreshold`; 0 is none.
    pub upper_threshold: u32,
    /// `lthreshold`; 0 is none.
    pub lower_threshold: u32,
    /// `inhibit_on_failure`: weight 0 rather than removal.
    pub inhibit_on_failure: bool,
    /// `alpha`: down until a check says otherwise.
    pub alpha: bool,
    /// `smtp_alert`, or what holds globally.
    pub smtp_alert: bool,
    /// What it says for its checks, if that is not what the virtual server says.
    pub pace: Option<Box<Pace>>,
    /// What few servers have.
    pub extras: Option<Box<RealServerExtras>>,
}

/// What few real servers have.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RealServerExtras {
    /// `virtualhost`
    pub virtualhost: Option<String>,
    /// `snmp_name`
    pub snmp_name: Option<String>,
    /// `notify_up`
    pub notify_up: Option<Script>,
    /// `notify_down`
    pub notify_down: Option<Script>,
}

/// One `virtual_server_group`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VirtualServerGroup {
    /// Unique name.
    pub name: String,
    /// At least one, in the order of the file.
    pub entries: Vec<GroupEntry>,
}

/// A line of a `virtual_server_group`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum GroupEntry {
    /// An address, a range or a prefix.
    Addresses {
        /// The first one.
        first: IpAddr,
        /// The last one, of the same family and not before the first.
        last: IpAddr,
        /// `None` is every port.
        port: Option<NonZeroU16>,
    },
    /// `fwmark N`
    Fwmark {
        /// The mark.
        mark: u32,
        /// `inet` or `inet6`; the virtual server's if absent.
        family: Option<Family>,
    },
}

impl GroupEntry {
    /// The family, if the line has one.
    pub fn family(&self) -> Option<Family> {
        match self {
            Self::Addresses { first, .. } => Some(Family::of(*first)),
            Self::Fwmark { family, .. } => *family,
        }
    }
}
