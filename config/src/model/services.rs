//! Parts of `global_defs`: what the daemon does beside VRRP, and how its processes run.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use serde::{Deserialize, Serialize};

use super::{Script, ScriptUser};

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

/// Pipes that are told of every change.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Fifos {
    /// `notify_fifo`: everything.
    pub all: Fifo,
    /// `vrrp_notify_fifo`
    pub vrrp: Fifo,
    /// `lvs_notify_fifo`
    pub lvs: Fifo,
    /// `fifo_write_vrrp_states_on_reload`
    pub states_on_reload: bool,
}

/// A pipe, and who reads it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Fifo {
    /// Where it is.
    pub path: Option<String>,
    /// The owner.
    pub user: Option<ScriptUser>,
    /// `*_notify_fifo_script`: started with the path as its last argument.
    pub script: Option<Script>,
}

/// Mail about changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// `smtp_server`; without it there is no mail.
    pub server: Option<MailServer>,
    /// `smtp_helo_name`; the host name if absent.
    pub helo: Option<String>,
    /// `notification_email_from`; a user of the host if absent.
    pub from: Option<String>,
    /// `notification_email`
    pub to: Vec<String>,
    /// `smtp_connect_timeout`
    pub timeout: Duration,
    /// `smtp_alert`: for everything that says nothing itself.
    pub alert: Option<bool>,
    /// `smtp_alert_vrrp`
    pub alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`
    pub alert_checker: Option<bool>,
    /// `no_email_faults`
    pub no_faults: bool,
    /// `no_checker_emails`
    pub no_checkers: bool,
    /// `smtp_tls`, ours.
    pub tls: MailTls,
    /// `smtp_user`, ours: the login at the server.
    pub user: Option<String>,
    /// `smtp_password_file`, ours.
    pub password_file: Option<String>,
}

impl Mail {
    /// Whether there is a server, and a receiver.
    pub fn is_sent(&self) -> bool {
        self.server.is_some() && !self.to.is_empty()
    }
}

/// `smtp_tls none|starttls|tls`, a keyword of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum MailTls {
    /// Everybody on the way can read mail and password.
    #[default]
    None,
    /// By STARTTLS, without which there is no mail.
    StartTls,
    /// From the first octet.
    Tls,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            server: None,
            helo: None,
            from: None,
            to: Vec::new(),
            timeout: Duration::from_secs(30),
            alert: None,
            alert_vrrp: None,
            alert_checker: None,
            no_faults: false,
            no_checkers: false,
            tls: MailTls::None,
            user: None,
            password_file: None,
        }
    }
}

/// `smtp_server HOST [PORT]`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MailServer {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// SNMP, by an AgentX master.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Snmp {
    /// `snmp_socket`: where the master is; the default of net-snmp if absent.
    pub socket: Option<String>,
    /// `enable_traps`
    pub traps: bool,
    /// `enable_snmp_vrrp`
    pub vrrp: bool,
    /// `enable_snmp_rfcv2`, `enable_snmp_rfc`
    pub rfc2787: bool,
    /// `enable_snmp_rfcv3`, `enable_snmp_rfc`
    pub rfc6527: bool,
    /// `enable_snmp_checker`
    pub checker: bool,
    /// `snmp_vs_stats_update_interval`
    pub virtual_server_interval: Duration,
    /// `snmp_rs_stats_update_interval`
    pub real_server_interval: Duration,
}

impl Default for Snmp {
    fn default() -> Self {
        let interval = Duration::from_secs(5);
        Self {
            socket: None,
            traps: false,
            vrrp: false,
            rfc2787: false,
            rfc6527: false,
            checker: false,
            virtual_server_interval: interval,
            real_server_interval: interval,
        }
    }
}

/// D-Bus.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dbus {
    /// `enable_dbus`
    pub enabled: bool,
    /// `dbus_service_name`
    pub service_name: String,
    /// `dbus_no_interface_name`: the part of a path that stands for no interface.
    pub no_interface_name: Option<String>,
}

impl Default for Dbus {
    fn default() -> Self {
        Self { enabled: false, service_name: "org.keepalived.Vrrp1".to_owned(), no_interface_name: None }
    }
}

/// What keeps packets away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Firewall {
    /// `vrrp_iptables`
    pub iptables: Option<Iptables>,
    /// `vrrp_ipsets`: none if it stands without names.
    pub ipsets: Option<Ipsets>,
    /// `nftables`: the table; made as `keepalived` if one is needed and none is named.
    pub table: Option<String>,
    /// `nftables_priority`
    pub priority: i32,
    /// `nftables_ifindex`
    pub by_index: bool,
    /// `nftables_counters`
    pub counters: bool,
    /// `disable_local_igmp`
    pub no_local_igmp: bool,
}

impl Default for Firewall {
    fn default() -> Self {
        Self {
            iptables: None,
            ipsets: Some(Ipsets::default()),
            table: None,
            priority: -1,
            by_index: false,
            counters: false,
            no_local_igmp: false,
        }
    }
}

/// Chains of iptables.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Iptables {
    /// For what comes in.
    pub input: String,
    /// For what goes out; nothing is done there if absent.
    pub output: Option<String>,
}

/// Names of sets for iptables.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "in the order of the words of vrrp_ipsets")]
pub struct Ipsets {
    pub address: String,
    pub address6: String,
    pub address_interface6: String,
    pub igmp: String,
    pub mld: String,
    pub neighbour: String,
}

impl Default for Ipsets {
    fn default() -> Self {
        Self {
            address: "keepalived".to_owned(),
            address6: "keepalived6".to_owned(),
            address_interface6: "keepalived_if6".to_owned(),
            igmp: "keepalived_igmp".to_owned(),
            mld: "keepalived_mld".to_owned(),
            neighbour: "keepalived_nd".to_owned(),
        }
    }
}

/// What holds for all load balancing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Balancing {
    /// `net_namespace_ipvs`
    pub namespace: IpvsNamespace,
    /// `lvs_timeouts tcp`; that of the kernel if absent.
    pub tcp_timeout: Option<Duration>,
    /// `lvs_timeouts tcpfin`
    pub tcp_fin_timeout: Option<Duration>,
    /// `lvs_timeouts udp`
    pub udp_timeout: Option<Duration>,
    /// `lvs_flush`: begin with nothing.
    pub flush: bool,
    /// `lvs_flush_on_stop`
    pub flush_on_stop: FlushOnStop,
    /// `lvs_sync_daemon`
    pub sync_daemon: Option<Box<SyncDaemon>>,
    /// `nftables_ipvs`: the table.
    pub table: Option<String>,
    /// `nftables_ipvs_priority`
    pub priority: i32,
    /// `nftables_ipvs_start_fwmark`
    pub first_mark: u32,
    /// `rs_init_notifies`
    pub initial_notifies: bool,
    /// `checker_log_all_failures`
    pub log_all_failures: bool,
    /// `lvs_backend`, ours.
    pub backend: Backend,
    /// `lvs_drain_timeout`, ours: how long servers that a reload takes away keep their connections; zero is not at all.
    pub drain_timeout: Duration,
    /// `lvs_expire_failed`, ours: whether clients of a server that is out get another one at once; as the kernel has it
    /// if absent.
    pub expire_failed: Option<bool>,
    /// `lvs_repair_interval`, ours: how often the kernel's table is looked at; zero is never.
    pub repair_interval: Duration,
}

/// `lvs_backend`: what balances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Backend {
    /// `ipvs`
    Ipvs,
    /// `nftables`
    Nftables,
    /// `auto`: IPVS where the kernel has it.
    Auto,
}

impl Default for Balancing {
    fn default() -> Self {
        Self {
            namespace: IpvsNamespace::Ours,
            tcp_timeout: None,
            tcp_fin_timeout: None,
            udp_timeout: None,
            flush: false,
            flush_on_stop: FlushOnStop::No,
            sync_daemon: None,
            table: None,
            priority: -1,
            first_mark: 1000,
            initial_notifies: false,
            log_all_failures: false,
            backend: Backend::Auto,
            drain_timeout: Duration::ZERO,
            expire_failed: None,
            repair_interval: Duration::from_secs(30),
        }
    }
}

/// `net_namespace_ipvs`: where the kernel balances.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum IpvsNamespace {
    /// Where the daemon runs.
    Ours,
    /// Where the daemon was started.
    Default,
    /// Another.
    Named(String),
}

/// `lvs_flush_on_stop`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FlushOnStop {
    /// Everything of ours is deleted one by one.
    No,
    /// `VS`: our virtual servers are deleted, which takes their real servers along.
    VirtualServers,
    /// Delete everything, also what others made.
    All,
}

/// `lvs_sync_daemon`: connections are told to the other balancer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SyncDaemon {
    /// Over which interface.
    pub interface: InterfaceName,
    /// `inst`: the instance whose state decides who tells and who listens.
    pub instance: Option<String>,
    /// `id`; the VRID of the instance, or 0, if absent.
    pub id: Option<u8>,
    /// `maxlen`
    pub most_octets: Option<u16>,
    /// `port`
    pub port: Option<u16>,
    /// `ttl`
    pub ttl: Option<u8>,
    /// `group`
    pub group: Option<IpAddr>,
}

/// How a process runs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ProcessSettings {
    /// `*_process_name`
    pub name: Option<String>,
    /// `*_priority`: nice value.
    pub nice: Option<i32>,
    /// `*_rt_priority`
    pub rt_priority: Option<u8>,
    /// `*_no_swap`
    pub no_swap: bool,
    /// `*_rlimit_rttime`, microseconds.
    pub rlimit_rttime: Option<u64>,
    /// `*_cpu_affinity`
    pub cpu_affinity: Vec<u32>,
}

/// `max_auto_priority` and `min_auto_priority_delay`: realtime priority that comes with lateness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AutoPriority {
    /// How far it may rise; 0 is not at all, -1 not at all and without a word about it.
    pub most: i8,
    /// How late a timer must be.
    pub lateness: Duration,
}

impl Default for AutoPriority {
    fn default() -> Self {
        Self { most: 0, lateness: Duration::from_secs(1) }
    }
}

/// Receive buffers of sockets to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Buffers {
    /// `vrrp_netlink_cmd_rcv_bufs`
    pub vrrp_command: Buffer,
    /// `vrrp_netlink_monitor_rcv_bufs`
    pub vrrp_monitor: Buffer,
    /// `process_monitor_rcv_bufs`
    pub process_monitor: Buffer,
    /// `lvs_netlink_cmd_rcv_bufs`
    pub lvs_command: Buffer,
    /// `lvs_netlink_monitor_rcv_bufs`
    pub lvs_monitor: Buffer,
}

/// A receive buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Buffer {
    /// Octets; that of the system if absent.
    pub size: Option<u32>,
    /// `*_force`: beyond the limit of the system.
    pub force: bool,
}

/// How the daemon can be asked; keywords of ours.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Control {
    /// Where keepalivedctl asks.
    pub socket: ControlSocket,
    /// `control_group`: its members may change things, as root may.
    pub group: Option<String>,
    /// `observer_user`: who speaks with others for the daemon.
    pub user: Option<String>,
    /// `page_token_file`: holds the token of those who may change things by the page.
    pub token_file: Option<String>,
    /// `metrics_listen`: where metrics and the status page are.
    pub http: Option<SocketAddr>,
}

/// What is logged, and how; keywords of ours.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Log {
    /// `log_format`
    pub format: LogFormat,
    /// `log_level`, by subsystem ([`SUBSYSTEMS`]).
    pub levels: BTreeMap<String, LogLevel>,
}

/// `log_format`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object in each line.
    Json,
}

/// The least that is logged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum LogLevel {
    /// What does not work.
    Error,
    /// And what is wrong.
    Warning,
    /// And what happens.
    Info,
    /// And details for those who look for a fault.
    Debug,
}

/// What `log_level` can be about: processes, then parts of the observer.
pub const SUBSYSTEMS: [&str; 12] = [
    "supervisor",
    "vrrp",
    "checker",
    "bfd",
    "runner",
    "observer",
    "prober",
    "mail",
    "snmp",
    "dbus",
    "webhook",
    "control",
];

/// `webhook http://HOST[:PORT]/PATH`, or with https
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Webhook {
    /// https
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// 80, or 443 with TLS, if it says nothing.
    pub port: u16,
    /// With the `/`.
    pub path: String,
}

/// `control_socket`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum ControlSocket {
    /// Beside the pid file.
    #[default]
    Usual,
    /// There.
    Path(String),
    /// There is none.
    None,
}

/// What a reload does besides reading.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reload {
    /// `reload_check_config`: check first; what is wrong goes to the file, if one is named.
    pub check: bool,
    /// The file of `reload_check_config`.
    pub check_log: Option<String>,
    /// `reload_time_file`: holds a time at which to reload.
    pub time_file: Option<String>,
    /// `reload_repeat`: again each day.
    pub repeat: bool,
    /// `reload_file`: there while the configuration is being read.
    pub file: ReloadFile,
    /// `config_save_dir`: where copies of what was read go.
    pub save_directory: Option<String>,
    /// `tmp_config_directory`
    pub temporary_directory: Option<String>,
}

/// `reload_file`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum ReloadFile {
    /// None.
    #[default]
    None,
    /// `keepalived.reload` beside the pid files.
    Usual,
    /// Another.
    Path(String),
}

/// What interfaces that we make are called.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VmacNames {
    /// `vmac_prefix`
    pub prefix: String,
    /// `vmac_addr_prefix`; `prefix` if absent.
    pub address_prefix: Option<String>,
}

impl Default for VmacNames {
    fn default() -> Self {
        Self { prefix: "vrrp".to_owned(), address_prefix: None }
    }
}
