//! What a vrrp process begins with, and what it leaves.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_config::InstanceKey;
use keepalived_core::address::InterfaceName;
use keepalived_core::network::ArpSettings;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerState};
use serde::{Deserialize, Serialize};

/// What the daemon's command line says about addresses at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtExit {
    /// Remove them.
    Release,
    /// Leave them (`--dont-release-vrrp`).
    Keep,
}

/// What the vrrp process before this one knew when it died.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Inherited {
    /// Instances that were master.
    pub masters: BTreeSet<InstanceKey>,
    /// Results of trackers.
    pub trackers: BTreeMap<TrackerId, TrackerState>,
    /// What settings were before it changed them.
    pub borrowed: BorrowedSettings,
}

/// What settings of links were before virtual MACs needed others: they are put back at the end.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct BorrowedSettings {
    /// Those of ARP of a link, by its name.
    pub arp: BTreeMap<InterfaceName, ArpSettings>,
    /// `net.ipv4.conf.all.rp_filter`, and that of `default`.
    pub reverse_path_filter: Option<(u8, u8)>,
}

impl From<BTreeSet<InstanceKey>> for Inherited {
    fn from(masters: BTreeSet<InstanceKey>) -> Self {
        Self { masters, ..Self::default() }
    }
}
