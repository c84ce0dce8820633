//! Virtual routers and their groups.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::vrrp::Authentication;
pub use keepalived_core::vrrp::announce::Garp;
pub use keepalived_core::vrrp::{ChecksumForm, InitialState, Peer, Preempt, Settings};
use serde::{Deserialize, Serialize};

use super::{PolicyRule, Route, Script, Tracks};

/// One `vrrp_instance`, with all global defaults and the consequences of strict mode applied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Instance {
    /// Unique name.
    pub name: String,
    /// `interface`; absent only for unicast with a source address.
    pub interface: Option<InterfaceName>,
    /// An administrator has it stay away. No keyword says so: the supervisor does while it runs.
    pub maintenance: bool,
    /// What its router obeys.
    pub settings: Settings,
    /// `accept`, `no_accept` (the firewall rules are another issue).
    pub accept: bool,
    /// Where adverts go and come from.
    pub transport: Transport,
    /// `virtual_ipaddress`: advertised, in this order.
    pub addresses: Vec<VirtualAddress>,
    /// `virtual_ipaddress_excluded`
    pub excluded_addresses: Vec<VirtualAddress>,
    /// `authentication`, `auth_hmac`
    pub authentication: Authentication,
    /// `dont_track_primary`
    pub dont_track_primary: bool,
    /// `track_src_ip`
    pub track_src_ip: bool,
    /// `promote_secondaries`
    pub promote_secondaries: bool,
    /// `kernel_rx_buf_size`, octets
    pub rx_buffer: Option<u32>,
    /// `use_vmac`, `use_ipvlan`: the interface of its own that it runs on.
    pub own_link: Option<Box<OwnLink>>,
    /// `use_vmac_addr`: addresses on other interfaces get a virtual MAC there.
    pub vmac_addresses: bool,
    /// `vrf`: where the sockets of an instance without interface are.
    pub vrf: Option<InterfaceName>,
    /// What it tracks.
    pub tracks: Option<Box<Tracks>>,
    /// `bfd_promotes`: as backup it does not wait for a master that this session has lost.
    pub promoting: Option<PromotingSession>,
    /// What is run when its state changes.
    pub notify: Option<Box<Notify>>,
    /// `virtual_routes`
    pub routes: Vec<Route>,
    /// `virtual_rules`
    pub rules: Vec<PolicyRule>,
    /// `smtp_alert`, here or in `global_defs`.
    pub mail: bool,
    /// `notify_priority_changes`, here, in its sync group or in `global_defs`.
    pub notify_priority_changes: bool,
    /// `lvs_sync_daemon_interface`
    pub lvs_sync_interface: Option<InterfaceName>,
    /// `linkbeat_use_polling`: the link of its interface is asked for again and again.
    pub linkbeat: bool,
    /// `debug`: 0 to 4.
    pub debug: u8,
}

/// A BFD session with the routers that may be master.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PromotingSession {
    /// Its `bfd_instance`.
    pub session: String,
    /// The neighbour's address.
    pub neighbor: IpAddr,
}

/// An interface that is made for an instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OwnLink {
    /// `use_vmac`
    Vmac(Vmac),
    /// `use_ipvlan`
    Ipvlan(Ipvlan),
}

/// `use_vmac`: a macvlan with a virtual MAC.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Vmac {
    /// Its name; made from `vmac_prefix` and the VRID if absent.
    pub name: Option<InterfaceName>,
    /// Its address; that of the RFC if absent. Of five octets, the VRID is the sixth.
    pub mac: Option<[u8; 6]>,
    /// `netlink_notify_msg`
    pub netlink_notify: bool,
    /// `group` of interfaces; that of the parent if absent.
    pub group: Option<u32>,
    /// `vmac_xmit_base`: adverts go and come over the parent.
    pub transmit_base: bool,
}

/// `use_ipvlan`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Ipvlan {
    /// Its name; made from `vmac_prefix` and the VRID if absent.
    pub name: Option<InterfaceName>,
    /// Its address, which adverts come from; needed for IPv4.
    pub address: Option<IpAddr>,
    /// How it and its siblings see each other.
    pub mode: IpvlanMode,
    /// `group` of interfaces; that of the parent if absent.
    pub group: Option<u32>,
}

/// How ipvlan interfaces of one parent see each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum IpvlanMode {
    /// Directly.
    #[default]
    Bridge,
    /// Not at all.
    Private,
    /// By a switch outside.
    Vepa,
}

/// What is run when the state changes, of an instance or a sync group.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Notify {
    /// `notify_backup`
    pub backup: Option<Script>,
    /// `notify_master`
    pub master: Option<Script>,
    /// `notify_fault`
    pub fault: Option<Script>,
    /// `notify_stop`
    pub stop: Option<Script>,
    /// `notify_deleted`: an instance that a reload removes is DELETED, not FAULT.
    pub says_deleted: bool,
    /// The command of `notify_deleted`.
    pub deleted: Option<Script>,
    /// `notify_master_rx_lower_pri`
    pub master_rx_lower_priority: Option<Script>,
    /// `notify`: after the specific one, with four more arguments.
    pub any: Option<Script>,
}

/// Where adverts go and come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Transport {
    /// To the group.
    Multicast {
        /// `mcast_dst_ip`, or the global group of the family.
        group: IpAddr,
        /// `mcast_src_ip`; the interface's primary address if absent.
        source: Option<IpAddr>,
    },
    /// To each peer.
    Unicast {
        /// `unicast_src_ip`; the interface's primary address if absent.
        source: Option<IpAddr>,
        /// `unicast_peer`
        peers: Vec<Peer>,
        /// `unicast_ttl`
        ttl: Option<u8>,
        /// `check_unicast_src`, or a TTL range on any peer.
        check_source: bool,
        /// `unicast_fault_no_peer` with an empty peer list: stay in FAULT.
        fault_without_peer: bool,
    },
}

/// `vrrp_sync_group`: instances that change state together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SyncGroup {
    /// Unique name.
    pub name: String,
    /// Names of instances that exist.
    pub members: Vec<String>,
    /// What it tracks for all members.
    pub tracks: Option<Box<Tracks>>,
    /// What is run when its state changes.
    pub notify: Option<Box<Notify>>,
    /// `smtp_alert`, here or in `global_defs`.
    pub mail: bool,
    /// `notify_priority_changes`, which the members follow that say nothing themselves.
    pub notify_priority_changes: Option<bool>,
    /// `sync_group_tracking_weight`: members may have other priorities than each other.
    pub tracking_weight: bool,
}

/// `garp_group`: interfaces that share one pace of announcements.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GarpGroup {
    /// `interface`, `interfaces`
    pub interfaces: Vec<InterfaceName>,
    /// `garp_interval`
    pub garp_interval: Option<Duration>,
    /// `gna_interval`
    pub gna_interval: Option<Duration>,
}
