//! What a configuration means, after defaults and cross-checks: every value valid, nothing left to look up.
//!
//! The processes receive this (through a sealed memfd) and lower it to their machines' parameters; no machine sees it.

mod balance;
mod bfd;
mod check;
mod global;
mod script;
mod vrrp;

use serde::{Deserialize, Serialize};

pub use balance::*;
pub use bfd::*;
pub use check::*;
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
    /// `virtual_server` blocks, each service once, in the order of the file; only those that can run.
    pub virtual_servers: Vec<VirtualServer>,
    /// `virtual_server_group` blocks with entries, each name once.
    pub virtual_server_groups: Vec<VirtualServerGroup>,
    /// `SSL`
    pub ssl: Option<Ssl>,
    /// `bfd_instance` blocks that can run, in the order of the file.
    pub bfd_instances: Vec<BfdInstance>,
}
