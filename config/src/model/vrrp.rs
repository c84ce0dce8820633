//! Virtual routers and their groups.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::vrrp::{AdvertInterval, Family, Password, Priority, Version, Vrid};
pub use keepalived_core::vrrp::{ChecksumForm, InitialState, Peer, Preempt};
use serde::{Deserialize, Serialize};

/// One `vrrp_instance`, with all global defaults and the consequences of strict mode applied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Instance {
    /// Unique name.
    pub name: String,
    /// `interface`; absent only for unicast with a source address.
    pub interface: Option<InterfaceName>,
    /// `virtual_router_id`
    pub vrid: Vrid,
    /// `version`, or what the family asks for.
    pub version: Version,
    /// Of the addresses, peers, source or `native_ipv6`.
    pub family: Family,
    /// `priority`
    pub priority: Priority,
    /// `state`: only `MASTER` with priority 255 becomes master at once.
    pub initial: InitialState,
    /// `advert_int`
    pub advert_interval: AdvertInterval,
    /// `down_timer_adverts`
    pub down_timer_adverts: u8,
    /// `nopreempt`, after what clears it.
    pub preempt: Preempt,
    /// `accept`, `no_accept` (the firewall rules are another issue).
    pub accept: bool,
    /// Where adverts go and come from.
    pub transport: Transport,
    /// `virtual_ipaddress`: advertised, in this order.
    pub addresses: Vec<VirtualAddress>,
    /// `virtual_ipaddress_excluded`
    pub excluded_addresses: Vec<VirtualAddress>,
    /// `auth_type PASS`; version 2 only.
    pub password: Option<Password>,
    /// `v3_checksum_as_v2` and `old_unicast_checksum`
    pub checksum: ChecksumForm,
    /// Strict protocol compliance.
    pub strict: bool,
    /// `skip_check_adv_addr`
    pub skip_check_adv_addr: bool,
    /// `lower_prio_no_advert`
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`
    pub owner_ignore_adverts: bool,
    /// `dont_track_primary`
    pub dont_track_primary: bool,
    /// `track_src_ip`
    pub track_src_ip: bool,
    /// `promote_secondaries`
    pub promote_secondaries: bool,
    /// `kernel_rx_buf_size`, octets
    pub rx_buffer: Option<u32>,
    /// Gratuitous ARP and unsolicited NA.
    pub garp: Garp,
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

/// Announcements to the neighbours' caches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Garp {
    /// `garp_master_delay`: from becoming master to the second burst; zero is no second burst.
    pub delay: Duration,
    /// `garp_master_repeat`: rounds in a burst.
    pub repeat: u32,
    /// `garp_master_refresh`: period while master; zero is never.
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`
    pub refresh_repeat: u32,
    /// `garp_lower_prio_delay`
    pub lower_prio_delay: Duration,
    /// `garp_lower_prio_repeat`
    pub lower_prio_repeat: u32,
    /// `garp_extra_if` (virtual MACs are another issue)
    pub extra_interface: Duration,
}

/// `vrrp_sync_group`: instances that change state together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SyncGroup {
    /// Unique name.
    pub name: String,
    /// Names of instances that exist.
    pub members: Vec<String>,
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
