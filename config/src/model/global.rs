//! What holds for the whole daemon: `global_defs` and the root keywords beside it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::Version;
use serde::{Deserialize, Serialize};

use super::{
    AutoPriority, Balancing, Buffers, Control, Dbus, Fifos, Firewall, Garp, Log, Mail, ProcessSettings, Reload,
    Scripts, Snmp, VmacNames, Webhook,
};

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
    /// `process_name`
    pub process_name: Option<String>,
    /// `dynamic_interfaces`: interfaces may be missing at start.
    pub dynamic_interfaces: bool,
    /// `default_interface`: where static addresses go that name none; `eth0` unless it is said.
    pub default_interface: Option<InterfaceName>,
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
    /// `vip_lost`, ours: what to do when others delete an address on the master.
    pub vip_lost: VipLost,
    /// `vrrp_rx_bufs_policy NUMBER`, octets; `None` leaves the size to us (docs/differences.md).
    pub vrrp_rx_buffer: Option<u32>,
    /// `vrrp_rx_bufs_policy MTU` or `ADVERT`: said, and left to us all the same.
    pub vrrp_rx_policy: Option<BufferPolicy>,
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
    /// `data_use_instance`: names of dumps say the network namespace and the instance.
    pub data_use_instance: bool,
    /// `random_seed`; the time if absent.
    pub random_seed: Option<u32>,
    /// `iproute_usr_dir`
    pub iproute_usr_dir: Option<String>,
    /// `iproute_etc_dir`
    pub iproute_etc_dir: Option<String>,
    /// `linkbeat_use_polling`: links of all interfaces are asked for again and again.
    pub linkbeat_use_polling: bool,
    /// `namespace_with_ipsets`
    pub namespace_with_ipsets: bool,
    /// `dynamic_interfaces allow_if_changes`
    pub allow_interface_changes: bool,
    /// `vrrp_rx_bufs_multiplier`
    pub vrrp_rx_multiplier: u32,
    /// What instances have been given that say nothing themselves.
    pub routers: RouterDefaults,
    /// What holds for scripts, and those of the daemon itself.
    pub scripts: Scripts,
    /// Pipes that are told of every change.
    pub fifos: Fifos,
    /// Mail about changes.
    pub mail: Mail,
    /// How it can be asked.
    pub control: Control,
    /// SNMP.
    pub snmp: Snmp,
    /// D-Bus.
    pub dbus: Dbus,
    /// What is logged, and how.
    pub log: Log,
    /// `webhook`
    pub webhook: Option<Webhook>,
    /// What keeps packets away.
    pub firewall: Firewall,
    /// What holds for all load balancing.
    pub balancing: Balancing,
    /// How the vrrp process runs.
    pub vrrp: ProcessSettings,
    /// How the checker process runs.
    pub checker: ProcessSettings,
    /// How the BFD process runs.
    pub bfd: ProcessSettings,
    /// Realtime priority that comes with lateness.
    pub auto_priority: AutoPriority,
    /// Receive buffers of sockets to the kernel.
    pub buffers: Buffers,
    /// What a reload does besides reading.
    pub reload: Reload,
    /// What interfaces that we make are called.
    pub vmac_names: VmacNames,
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
            dynamic_interfaces: false,
            default_interface: None,
            mcast_group4: Ipv4Addr::new(224, 0, 0, 18),
            mcast_group6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            startup_delay: Duration::ZERO,
            delay_after_boot: Duration::ZERO,
            log_unknown_vrids: false,
            vip_lost: VipLost::Restore,
            vrrp_rx_buffer: None,
            vrrp_rx_policy: None,
            umask: None,
            state_dump_file: None,
            stats_dump_file: None,
            json_dump_file: None,
            json_version: 1,
            data_use_instance: false,
            random_seed: None,
            iproute_usr_dir: None,
            iproute_etc_dir: None,
            linkbeat_use_polling: false,
            namespace_with_ipsets: false,
            allow_interface_changes: false,
            vrrp_rx_multiplier: 3,
            routers: RouterDefaults::default(),
            scripts: Scripts::default(),
            fifos: Fifos::default(),
            mail: Mail::default(),
            control: Control::default(),
            snmp: Snmp::default(),
            dbus: Dbus::default(),
            log: Log::default(),
            webhook: None,
            firewall: Firewall::default(),
            balancing: Balancing::default(),
            vrrp: ProcessSettings::default(),
            checker: ProcessSettings::default(),
            bfd: ProcessSettings::default(),
            auto_priority: AutoPriority::default(),
            buffers: Buffers::default(),
            reload: Reload::default(),
            vmac_names: VmacNames::default(),
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

/// `vrrp_rx_bufs_policy`, unless it is a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BufferPolicy {
    /// `MTU`
    Mtu,
    /// `ADVERT`
    Advert,
}

/// What an instance has unless it says otherwise. For those who show it: each instance has it already.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouterDefaults {
    /// `vrrp_version`; IPv4 only.
    pub version: Version,
    /// `vrrp_strict`
    pub strict: bool,
    /// `vrrp_check_unicast_src`
    pub check_unicast_src: bool,
    /// `vrrp_skip_check_adv_addr`
    pub skip_check_adv_addr: bool,
    /// `v3_checksum_as_v2`
    pub v3_checksum_as_v2: bool,
    /// `vrrp_lower_prio_no_advert`
    pub lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`
    pub higher_prio_send_advert: bool,
    /// `vrrp_owner_ignore_adverts`
    pub owner_ignore_adverts: bool,
    /// `vrrp_down_timer_adverts`
    pub down_timer_adverts: u8,
    /// `vrrp_garp_*`
    pub garp: Garp,
    /// `vrrp_notify_priority_changes`
    pub notify_priority_changes: bool,
}

impl Default for RouterDefaults {
    fn default() -> Self {
        Self {
            version: Version::V2,
            strict: false,
            check_unicast_src: false,
            skip_check_adv_addr: false,
            v3_checksum_as_v2: false,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            down_timer_adverts: 3,
            garp: Garp::default(),
            notify_priority_changes: false,
        }
    }
}
