//! What a configuration means, after defaults and cross-checks: every value valid, nothing left to look up.
//!
//! The processes receive this (through a sealed memfd) and lower it to their machines' parameters; no machine sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::vrrp::{AdvertInterval, Family, Password, Priority, Version, Vrid};
pub use keepalived_core::vrrp::{ChecksumForm, InitialState, Peer, Preempt};
use serde::{Deserialize, Serialize};

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

/// What holds for the whole daemon.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Global {
    /// `router_id`; the host name if absent.
    pub router_id: Option<String>,
    /// `instance`
    pub instance: Option<String>,
    /// `net_namespace`
    pub net_namespace: Option<String>,
    /// `use_pid_dir`
    pub use_pid_dir: bool,
    /// `child_wait_time`
    pub child_wait_time: Duration,
    /// `process_names` and `process_name`, `vrrp_process_name`
    pub process_name: Option<String>,
    /// Name of the vrrp process, if one is configured.
    pub vrrp_process_name: Option<String>,
    /// `dynamic_interfaces`: interfaces may be missing at start.
    pub dynamic_interfaces: bool,
    /// `vrrp_mcast_group4`
    pub mcast_group4: Ipv4Addr,
    /// `vrrp_mcast_group6`
    pub mcast_group6: Ipv6Addr,
    /// `vrrp_garp_interval`: least time between two gratuitous ARPs on one interface; zero is none.
    pub garp_interval: Duration,
    /// `vrrp_gna_interval`
    pub gna_interval: Duration,
    /// `vrrp_startup_delay`
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot`
    pub delay_after_boot: Duration,
    /// `log_unknown_vrids`
    pub log_unknown_vrids: bool,
    /// `vip_lost`, ours: what to do when somebody else deletes an address on the master.
    pub vip_lost: VipLost,
    /// `vrrp_priority`: nice value
    pub vrrp_nice: Option<i32>,
    /// `vrrp_rt_priority`
    pub vrrp_rt_priority: Option<u8>,
    /// `vrrp_no_swap`
    pub vrrp_no_swap: bool,
    /// `vrrp_rlimit_rttime`, microseconds
    pub vrrp_rlimit_rttime: Option<u64>,
    /// `vrrp_cpu_affinity`
    pub vrrp_cpu_affinity: Vec<u32>,
    /// `vrrp_rx_bufs_policy NUMBER`, octets; `None` leaves the size to us (docs/differences.md).
    pub vrrp_rx_buffer: Option<u32>,
    /// `umask`
    pub umask: Option<u32>,
    /// `state_dump_file`
    pub state_dump_file: Option<String>,
    /// `stats_dump_file`
    pub stats_dump_file: Option<String>,
    /// `json_dump_file`
    pub json_dump_file: Option<String>,
    /// `json_version`: 1 or 2
    pub json_version: u8,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            router_id: None,
            instance: None,
            net_namespace: None,
            use_pid_dir: false,
            child_wait_time: Duration::from_secs(5),
            process_name: None,
            vrrp_process_name: None,
            dynamic_interfaces: false,
            mcast_group4: Ipv4Addr::new(224, 0, 0, 18),
            mcast_group6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            startup_delay: Duration::ZERO,
            delay_after_boot: Duration::ZERO,
            log_unknown_vrids: false,
            vip_lost: VipLost::Restore,
            vrrp_nice: None,
            vrrp_rt_priority: None,
            vrrp_no_swap: false,
            vrrp_rlimit_rttime: None,
            vrrp_cpu_affinity: Vec::new(),
            vrrp_rx_buffer: None,
            umask: None,
            state_dump_file: None,
            stats_dump_file: None,
            json_dump_file: None,
            json_version: 1,
        }
    }
}

/// `vip_lost restore|backup`, a keyword of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VipLost {
    /// Put the address back and announce it.
    Restore,
    /// Give up mastership for a moment, as keepalived does.
    Backup,
}

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
