//! What a dump shows of a moment, besides the configuration.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerState};
use keepalived_core::vrrp::{AdvertInterval, Faults, Priority, State};

/// A time of the wall clock: since the beginning of 1970.
pub type Moment = Duration;

/// How things are. What is missing has not begun.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Now {
    /// Routers, by the names of their instances.
    pub routers: HashMap<String, RouterNow>,
    /// What they track.
    pub trackers: BTreeMap<TrackerId, TrackerNow>,
    /// Virtual servers, in the order of the configuration.
    pub services: Vec<ServiceNow>,
}

/// A router.
#[derive(Clone, PartialEq, Debug)]
pub struct RouterNow {
    /// `State`
    pub state: State,
    /// When the state began.
    pub since: Moment,
    /// What keeps it from taking part.
    pub faults: Faults,
    /// Scripts without weight that have no result yet.
    pub waits_for: usize,
    /// The master that a backup follows.
    pub master: Option<MasterNow>,
    /// `Master down timer`
    pub master_down_time: Duration,
    /// When it sends or takes over if no advert comes; `None` outside MASTER and BACKUP.
    pub read_timeout: Option<Moment>,
    /// When it sent its last advert.
    pub last_advert: Option<Moment>,
    /// Where adverts leave from.
    pub source: Option<IpAddr>,
    /// The priority that counts.
    pub effective_priority: Priority,
    /// The same before it is bounded.
    pub total_priority: i32,
    /// What is said behind each address, such as `set`.
    pub addresses: Vec<String>,
    /// The same of excluded ones.
    pub excluded_addresses: Vec<String>,
}

/// The master that a backup follows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MasterNow {
    /// Its address.
    pub address: IpAddr,
    /// Its priority.
    pub priority: u8,
    /// Its interval.
    pub interval: AdvertInterval,
}

/// Something that is tracked.
#[derive(Clone, PartialEq, Debug)]
pub struct TrackerNow {
    /// Its result.
    pub state: TrackerState,
    /// When it got this result.
    pub since: Moment,
    /// Why.
    pub detail: Detail,
}

/// A virtual server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceNow {
    /// Whether there is a quorum.
    pub quorum: bool,
    /// Its real servers, in the order of the configuration.
    pub servers: Vec<ServerNow>,
}

/// A real server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerNow {
    /// Whether no check of it is failed.
    pub up: bool,
    /// With what checks add to it.
    pub weight: u32,
    /// Its checks, each with its keyword.
    pub checks: Vec<(String, CheckNow)>,
}

/// A check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckNow {
    /// Whether a result has come.
    pub has_run: bool,
    /// Whether it is not failed.
    pub up: bool,
}

/// A link of this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkNow {
    /// Its name.
    pub name: InterfaceName,
    /// Its number.
    pub index: u32,
    /// Its addresses, in the order of the kernel.
    pub addresses: Vec<IpAddr>,
    /// Its Ethernet address.
    pub mac: Option<[u8; 6]>,
    /// `IFF_UP`
    pub up: bool,
    /// `IFF_UP` and `IFF_RUNNING`
    pub running: bool,
    /// `IFF_LOOPBACK`
    pub loopback: bool,
    /// `IFF_MULTICAST`
    pub multicast: bool,
    /// `IFLA_GROUP`
    pub group: u32,
    /// `IFLA_MTU`
    pub mtu: u32,
    /// The VRF that it is in.
    pub vrf: Option<InterfaceName>,
    /// Its table, if it is a VRF.
    pub vrf_table: Option<u32>,
    /// What it is and which link it is on, if it is a macvlan or an ipvlan in a mode that we make.
    pub upper: Option<(&'static str, InterfaceName)>,
}

/// Seconds and microseconds since 1970, as keepalived writes times.
pub fn seconds(time: Moment) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}
