//! What a configuration means, after defaults and cross-checks: every value valid, nothing left to look up.
//!
//! The processes receive this (through a sealed memfd) and lower it to their machines' parameters; no machine sees it.

mod global;
mod script;
mod vrrp;

use serde::{Deserialize, Serialize};

pub use global::*;
pub use script::*;
pub use vrrp::*;

/// A whole configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Config {
    /// `global_defs` and the root keywords that stand beside it.
    pub global: Global,
    /// `vrrp_instance` blocks, in the order of the file.
    pub instances: Vec<Instance>,
    /// `vrrp_sync_group` blocks, in the order of the file; only groups with known members.
    pub sync_groups: Vec<SyncGroup>,
    /// `garp_group` blocks.
    pub garp_groups: Vec<GarpGroup>,
}
