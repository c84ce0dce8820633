//! What a configuration means, after defaults and cross-checks: every value valid, nothing left to look up.
//!
//! The processes receive this (through a sealed memfd) and lower it to their machines' parameters; no machine sees it.

mod balance;
mod bfd;
mod check;
mod global;
mod keys;
mod micros;
mod routing;
mod script;
mod services;
mod track;
mod virtualhost;
mod vrrp;

use serde::{Deserialize, Serialize};

pub use balance::*;
pub use bfd::*;
pub use check::*;
pub use global::*;
pub use keys::*;
pub use micros::*;
pub use routing::*;
pub use script::*;
pub use services::*;
pub use track::*;
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
    /// `vrrp_script` blocks.
    pub scripts: Vec<TrackScript>,
    /// `track_file` blocks.
    pub files: Vec<TrackFile>,
    /// `vrrp_track_process` blocks.
    pub processes: Vec<TrackProcess>,
    /// `vrrp_track_probe` blocks.
    pub probes: Vec<TrackProbe>,
    /// `track_group` blocks.
    pub track_groups: Vec<TrackGroup>,
    /// `static_ipaddress`
    pub static_addresses: Vec<StaticAddress>,
    /// `static_routes`
    pub static_routes: Vec<Route>,
    /// `static_rules`
    pub static_rules: Vec<PolicyRule>,
    /// `linkbeat_interfaces`
    pub linkbeats: Vec<Linkbeat>,
    /// `interface_up_down_delays`
    pub interface_delays: Vec<InterfaceDelays>,
}
