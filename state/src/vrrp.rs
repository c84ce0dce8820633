//! How the virtual routers are: what the vrrp process shows.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::histogram::Histogram;
use keepalived_core::vrrp::duplicate::Mac;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerState, Weight};
use keepalived_core::vrrp::{AdvertInterval, AuthenticationKind, Counters, Faults, Priority, Settings, State};
use serde::{Deserialize, Serialize};

use crate::place::{index, put};
use crate::{Journal, ProgramTotals};

/// What became different about the vrrp process. [`VrrpView::apply`] takes it in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum VrrpChange {
    /// The view begins anew: the process did, or it has another configuration. Instances follow in order.
    Begins,
    /// An instance, by its place in the configuration.
    Instance(u32, Box<InstanceView>),
    /// A tracker, by its place among them.
    Tracker(u32, Box<TrackerView>),
    /// What an instance counted, and its times. They change with each packet, so they are told only to a follower that asks for
    /// fresh numbers.
    Counters(u32, Box<Counters>, PacketTimes),
    /// What the process counted, told on the same condition.
    Totals(Box<VrrpTotals>),
}

/// What the vrrp process counted since it started.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct VrrpTotals {
    /// Adverts for VRIDs that are not configured.
    pub unknown_vrid: u64,
    /// Times the kernel had lost events and everything was read again.
    pub netlink_overruns: u64,
    /// How much later than they were due adverts of masters were sent.
    pub late: Histogram,
    /// How long the masters before had been silent when instances took over from them.
    pub silences: Histogram,
    /// Scripts.
    pub programs: ProgramTotals,
}

/// The vrrp process at one moment.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct VrrpView {
    /// Instances, in the order of the configuration.
    pub instances: Vec<InstanceView>,
    /// What instances track, by kind and name.
    pub trackers: Vec<TrackerView>,
    /// What the process counted.
    pub totals: VrrpTotals,
    /// What happened before. The process leaves it empty: the supervisor, which outlives it, keeps the journal.
    pub journal: Journal,
}

impl VrrpView {
    /// Takes in what became different. The journal stays. An instance whose predecessors have not come is left out: no process of
    /// ours sends one.
    pub fn apply(&mut self, change: VrrpChange) {
        match change {
            VrrpChange::Begins => {
                let journal = std::mem::take(&mut self.journal);
                *self = Self { journal, ..Self::default() };
            }
            VrrpChange::Instance(place, view) => put(&mut self.instances, place, *view),
            VrrpChange::Tracker(place, view) => put(&mut self.trackers, place, *view),
            VrrpChange::Counters(place, counters, times) => {
                if let Some(instance) = self.instances.get_mut(index(place)) {
                    (instance.counters, instance.times) = (*counters, times);
                }
            }
            VrrpChange::Totals(totals) => self.totals = *totals,
        }
    }
}

/// One VRRP instance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InstanceView {
    /// `vrrp_instance NAME`
    pub name: String,
    /// What was configured.
    pub settings: Settings,
    /// Now.
    pub state: State,
    /// When the state began.
    pub since: SystemTime,
    /// What keeps it from taking part.
    pub faults: Faults,
    /// `interface`
    pub interface: Option<InterfaceName>,
    /// Where adverts leave from.
    pub source: Option<IpAddr>,
    /// Multicast group, or nothing.
    pub group: Option<IpAddr>,
    /// Unicast peers.
    pub peers: Vec<IpAddr>,
    /// Priority that counts.
    pub effective_priority: Priority,
    /// The configured priority and all that is added to it: it may be out of bounds.
    pub total_priority: i32,
    /// The master that a backup follows.
    pub master: Option<MasterView>,
    /// Master down time as it is now.
    pub master_down_time: Duration,
    /// `accept`
    pub accept: bool,
    /// How adverts are authenticated.
    pub authentication: AuthenticationKind,
    /// `dont_track_primary`
    pub dont_track_primary: bool,
    /// `promote_secondaries`
    pub promote_secondaries: bool,
    /// `virtual_ipaddress`
    pub addresses: Vec<AddressView>,
    /// `virtual_ipaddress_excluded`
    pub excluded_addresses: Vec<AddressView>,
    /// Virtual MACs and ipvlans that are made for it, then `virtual_routes` and `virtual_rules`.
    pub objects: Vec<ObjectView>,
    /// What was counted.
    pub counters: Counters,
    /// As old as the counters.
    pub times: PacketTimes,
}

/// Times of an instance that change with each packet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct PacketTimes {
    /// When it sends or takes over unless it hears something; `None` outside MASTER and BACKUP.
    pub read_timeout: Option<SystemTime>,
    /// When it sent its last advert as the master that it is.
    pub last_advert: Option<SystemTime>,
}

/// The master that a backup follows.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct MasterView {
    /// Its address.
    pub address: IpAddr,
    /// Its priority.
    pub priority: u8,
    /// Its interval.
    pub interval: AdvertInterval,
}

/// One address of an instance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AddressView {
    /// As configured.
    pub line: VirtualAddress,
    /// Whether we have it in place now.
    pub set: bool,
    /// Another machine that has it, too, as far as probes have found out.
    pub also_on: Option<Mac>,
}

/// Something of an instance in the kernel that is no address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObjectView {
    /// What it is.
    pub kind: ObjectKind,
    /// Which one, in the words of `ip`: `10.0.0.0/8 via 192.0.2.254`.
    pub what: String,
    /// Whether we have it in place now.
    pub set: bool,
}

/// A sort of object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ObjectKind {
    /// A virtual MAC, or an ipvlan: it is there whoever is master.
    Link,
    /// A route.
    Route,
    /// A rule.
    Rule,
}

impl ObjectKind {
    /// In the words of `ip`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Route => "route",
            Self::Rule => "rule",
        }
    }
}

/// Something that instances track, and its result.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TrackerView {
    /// What it is called.
    pub id: TrackerId,
    /// What is configured.
    pub settings: TrackerSettings,
    /// Its result.
    pub state: TrackerState,
    /// When it got this result.
    pub since: SystemTime,
    /// Why, as of the last look.
    pub detail: Detail,
    /// Instances that follow it.
    pub followers: Vec<FollowerView>,
}

/// An instance that follows a tracker, itself or through its sync group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FollowerView {
    /// `vrrp_instance NAME`
    pub instance: String,
    /// What the tracker does to it.
    pub weight: Weight,
}

/// What is configured for a tracker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TrackerSettings {
    /// An interface, or a BFD session: nothing.
    Plain,
    /// `vrrp_script`
    Script {
        /// Its words, quoted.
        command: String,
        /// From one start to the next.
        interval: Duration,
        /// How long a run may take.
        timeout: Duration,
        /// Of instances that say none.
        weight: Weight,
        /// Successes that make it up.
        rise: u32,
        /// Failures that make it down.
        fall: u32,
    },
    /// `track_file`
    File {
        /// Where it is.
        path: String,
        /// Of instances that say none.
        weight: Weight,
    },
    /// `vrrp_track_probe`
    Probe {
        /// What is asked, as it is configured.
        target: String,
        /// From one question to the next.
        interval: Duration,
        /// How long an answer may take.
        timeout: Duration,
        /// Of instances that say none.
        weight: Weight,
        /// Answers that make it up.
        rise: u32,
        /// Failures that make it down.
        fall: u32,
    },
    /// `vrrp_track_process`
    Process {
        /// The program.
        process: String,
        /// Its parameters; empty: whatever they are.
        parameters: Vec<String>,
        /// Of instances that say none.
        weight: Weight,
        /// At least so many.
        quorum: u32,
        /// At most so many.
        quorum_max: Option<u32>,
        /// How long too few are forgiven.
        terminate_delay: Duration,
        /// How long enough must last.
        fork_delay: Duration,
        /// The command line counts, not the short name.
        full_command: bool,
    },
}
