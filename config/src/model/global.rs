//! What holds for the whole daemon: `global_defs` and the root keywords beside it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use serde::{Deserialize, Serialize};

use super::{Script, ScriptUser};

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
    /// What holds for scripts, and those of the daemon itself.
    pub scripts: Scripts,
}

/// What holds for all scripts, and the scripts that run once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scripts {
    /// `script_user`; `keepalived_script` if there is such a user, else ours.
    pub user: Option<ScriptUser>,
    /// `enable_script_security`: no script runs as root that others may write.
    pub security: bool,
    /// `startup_script`
    pub startup: Option<Script>,
    /// `startup_script_timeout`
    pub startup_timeout: Duration,
    /// `shutdown_script`
    pub shutdown: Option<Script>,
    /// `shutdown_script_timeout`
    pub shutdown_timeout: Duration,
    /// `use_symlink_paths`: a script is run by the path that is written, not by what its links lead to.
    pub symlink_paths: bool,
    /// `set_supplementary_groups`: every script has the supplementary groups of its user.
    pub supplementary_groups: bool,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            user: None,
            security: false,
            startup: None,
            startup_timeout: Duration::from_secs(10),
            shutdown: None,
            shutdown_timeout: Duration::from_secs(10),
            symlink_paths: false,
            supplementary_groups: false,
        }
    }
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
            default_interface: None,
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
            scripts: Scripts::default(),
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
