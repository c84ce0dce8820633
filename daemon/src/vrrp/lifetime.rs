//! What a vrrp process begins with, and what it leaves.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_config::InstanceKey;
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
}

impl From<BTreeSet<InstanceKey>> for Inherited {
    fn from(masters: BTreeSet<InstanceKey>) -> Self {
        Self { masters, trackers: BTreeMap::new() }
    }
}
