//! What a balancer is set to, and how that is written for the daemon.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::balance::{DestinationEntry, DestinationKey, Forwarding, Protocol, Scheduler, ServiceKey};
use keepalived_core::vrrp::Family;

/// The port of all services and servers.
pub const PORT: u16 = 80;

/// A configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// `lvs_repair_interval`, in seconds; 0 is never.
    pub repair_interval: u64,
    /// `lvs_drain_timeout`, in seconds; 0 is not at all.
    pub drain: u64,
    /// `lvs_flush`
    pub flush: bool,
    /// `lvs_flush_on_stop`
    pub flush_on_stop: bool,
    /// The virtual servers, each number once.
    pub services: Vec<Service>,
}

/// What a virtual server answers for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// Its own address.
    Address,
    /// Its own firewall mark.
    Mark,
    /// A group: its own address and these keys, which others may name, too.
    Group(Vec<u8>),
}

/// Keys from this number on are firewall marks; those below are addresses.
pub const MARKS: u8 = 100;

/// What the kernel calls the key of this number.
pub fn key(number: u8) -> ServiceKey {
    if number < MARKS {
        ServiceKey::Address { address: IpAddr::from([192, 0, 2, number]), port: PORT, protocol: Protocol::Tcp }
    } else {
        ServiceKey::Fwmark { mark: u32::from(number), family: Family::V4 }
    }
}

/// A virtual server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// Makes its address; stays across reloads.
    pub number: u8,
    /// What it answers for.
    pub named: Named,
    /// `ha_suspend`
    pub ha_suspend: bool,
    /// `lvs_sched`
    pub scheduler: Scheduler,
    /// `quorum`
    pub quorum: u32,
    /// `hysteresis`
    pub hysteresis: u32,
    /// `omega`
    pub omega: bool,
    /// `sorry_server`; true with `sorry_server_inhibit`.
    pub sorry: Option<bool>,
    /// Its sorry server is this real server.
    pub sorry_is: Option<u8>,
    /// Its real servers, each number once.
    pub servers: Vec<Server>,
}

/// A real server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Makes its address: the same one in all virtual servers that name it.
    pub number: u8,
    /// `weight`
    pub weight: u32,
    /// `inhibit_on_failure`
    pub inhibit: bool,
    /// How it is checked.
    pub checks: Vec<Check>,
}

/// A check. Two that are equal are one if they ask the same real server; programs are told apart by its weight, too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What is asked.
    pub target: Target,
    /// `delay_loop`, in seconds.
    pub delay_loop: u64,
    /// `retry`
    pub retry: u32,
    /// `delay_before_retry`, in seconds.
    pub delay_before_retry: u64,
    /// `warmup`, in seconds.
    pub warmup: u64,
    /// `alpha`
    pub alpha: bool,
}

/// What a check asks, and how long it waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// How.
    pub kind: Kind,
    /// `connect_timeout` or `misc_timeout`, in seconds.
    pub timeout: u64,
}

/// How a check asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `TCP_CHECK`
    Tcp,
    /// `HTTP_GET` of so many urls.
    Http(u16),
    /// `MISC_CHECK`; true with `misc_dynamic`.
    Misc(bool),
    /// `FILE_CHECK`
    File(FileRule),
}

/// What the number in a file means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRule {
    /// The file: 1 or 2.
    pub file: u8,
    /// `weight`
    pub multiplier: i32,
    /// `reverse`
    pub reverse: bool,
}

/// All files.
pub const FILES: [u8; 2] = [1, 2];

impl Service {
    /// The numbers of its keys, each once.
    pub fn numbers(&self) -> Vec<u8> {
        match &self.named {
            Named::Address => vec![self.number],
            Named::Mark => vec![MARKS + self.number],
            Named::Group(others) => {
                let mut all = vec![self.number];
                for other in others {
                    if !all.contains(other) {
                        all.push(*other);
                    }
                }
                all
            }
        }
    }

    /// What the kernel calls it.
    pub fn keys(&self) -> impl Iterator<Item = ServiceKey> {
        self.numbers().into_iter().map(key)
    }

    /// What log lines and scripts call it.
    pub fn name(&self) -> String {
        match self.named {
            Named::Address => format!("[192.0.2.{}]:tcp:{PORT}", self.number),
            Named::Mark => format!("FWM {}", MARKS + self.number),
            Named::Group(_) => format!("[g{}]:0", self.number),
        }
    }

    /// What log lines and scripts call a real server of it.
    pub fn name_of(&self, server: &Server) -> String {
        let protocol = if self.named == Named::Mark { "none" } else { "tcp" };
        format!("[{}]:{protocol}:{PORT}", server.address())
    }

    /// Whether the sorry server waits in the table with weight 0. Of one that is a real server, too, what that one says
    /// counts.
    pub fn sorry_waits(&self) -> bool {
        let same = self.servers.iter().find(|server| Some(server.number) == self.sorry_is);
        self.sorry.is_some_and(|inhibit| same.map_or(inhibit, |server| server.inhibit))
    }

    fn sorry_address(&self) -> IpAddr {
        self.sorry_is.map_or(IpAddr::from([10, 0, 1, self.number]), |server| IpAddr::from([10, 0, 0, server]))
    }

    /// What the kernel calls its sorry server.
    pub fn sorry_key(&self) -> DestinationKey {
        DestinationKey { address: self.sorry_address(), port: PORT }
    }
}

impl Server {
    /// What the kernel calls it.
    pub fn key(&self) -> DestinationKey {
        DestinationKey { address: self.address(), port: PORT }
    }

    fn address(&self) -> IpAddr {
        IpAddr::from([10, 0, 0, self.number])
    }
}

impl Check {
    /// From the end of a step to the next one at most.
    pub fn longest_pause(&self) -> Duration {
        Duration::from_secs(self.delay_loop.max(self.delay_before_retry))
    }
}

impl Target {
    /// A check whose server says nothing ends after this.
    pub const fn patience(self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// A step whose answer was lost is given up after this (ARCHITECTURE.md, Load balancing): four times its
    /// `connect_timeout` and ten seconds for a dialogue, ten seconds more than its own time for a program, and half a
    /// minute more for both.
    pub const fn given_up(self) -> Duration {
        let own = match self.kind {
            Kind::Tcp | Kind::Http(_) => 4 * self.timeout,
            Kind::Misc(_) => self.timeout,
            Kind::File(_) => 0,
        };
        Duration::from_secs(own + 40)
    }
}

/// What the kernel has of a server with this weight.
pub const fn entry(weight: u32) -> DestinationEntry {
    DestinationEntry { weight, forwarding: Forwarding::Nat, upper_threshold: 0, lower_threshold: 0 }
}

/// keepalived.conf.
pub fn text(setting: &Setting) -> String {
    let mut text = String::new();
    write_setting(&mut text, setting).expect("a string takes everything");
    text
}

fn write_setting(text: &mut String, setting: &Setting) -> std::fmt::Result {
    let Setting { repair_interval, drain, flush, flush_on_stop, services } = setting;
    writeln!(text, "global_defs {{\n  lvs_repair_interval {repair_interval}")?;
    if *drain > 0 {
        writeln!(text, "  lvs_drain_timeout {drain}")?;
    }
    if *flush {
        writeln!(text, "  lvs_flush")?;
    }
    if *flush_on_stop {
        writeln!(text, "  lvs_flush_on_stop")?;
    }
    writeln!(text, "}}")?;
    FILES.iter().try_for_each(|file| writeln!(text, "track_file f{file} {{\n  file /f{file}\n}}"))?;
    services.iter().try_for_each(|service| write_group(text, service))?;
    services.iter().try_for_each(|service| write_service(text, service))
}

fn write_group(text: &mut String, service: &Service) -> std::fmt::Result {
    let Named::Group(_) = service.named else { return Ok(()) };
    writeln!(text, "virtual_server_group g{} {{", service.number)?;
    for key in service.keys() {
        match key {
            ServiceKey::Address { address, port, .. } => writeln!(text, "  {address} {port}")?,
            ServiceKey::Fwmark { mark, .. } => writeln!(text, "  fwmark {mark}")?,
        }
    }
    writeln!(text, "}}")
}

fn write_service(text: &mut String, service: &Service) -> std::fmt::Result {
    match service.named {
        Named::Address => writeln!(text, "virtual_server 192.0.2.{} {PORT} {{", service.number)?,
        Named::Mark => writeln!(text, "virtual_server fwmark {} {{", MARKS + service.number)?,
        Named::Group(_) => writeln!(text, "virtual_server group g{} {{", service.number)?,
    }
    writeln!(text, "  lvs_sched {}\n  lvs_method NAT", service.scheduler.name())?;
    if service.named != Named::Mark {
        writeln!(text, "  protocol TCP")?;
    }
    if service.ha_suspend {
        writeln!(text, "  ha_suspend")?;
    }
    writeln!(text, "  quorum {}\n  hysteresis {}", service.quorum, service.hysteresis)?;
    if service.omega {
        writeln!(text, "  omega")?;
    }
    if let Some(inhibit) = service.sorry {
        writeln!(text, "  sorry_server {} {PORT}", service.sorry_key().address)?;
        if inhibit {
            writeln!(text, "  sorry_server_inhibit")?;
        }
    }
    for server in &service.servers {
        writeln!(text, "  real_server {} {PORT} {{\n    weight {}", server.address(), server.weight)?;
        if server.inhibit {
            writeln!(text, "    inhibit_on_failure")?;
        }
        server.checks.iter().try_for_each(|check| write_check(text, check))?;
        writeln!(text, "  }}")?;
    }
    writeln!(text, "}}")
}

fn write_check(text: &mut String, check: &Check) -> std::fmt::Result {
    let Target { kind, timeout } = check.target;
    if let Kind::File(FileRule { file, multiplier, reverse }) = kind {
        let reverse = if reverse { "reverse" } else { "noreverse" };
        return writeln!(
            text,
            "    FILE_CHECK {{\n      track_file f{file}\n      weight {multiplier} {reverse}\n    }}"
        );
    }
    match kind {
        Kind::File(_) => {}
        Kind::Tcp => writeln!(text, "    TCP_CHECK {{\n      connect_timeout {timeout}")?,
        Kind::Http(urls) => {
            writeln!(text, "    HTTP_GET {{\n      connect_timeout {timeout}")?;
            (0..urls).try_for_each(|url| writeln!(text, "      url {{\n        path /{url}\n      }}"))?;
        }
        Kind::Misc(dynamic) => {
            writeln!(text, "    MISC_CHECK {{\n      misc_path /bin/true\n      misc_timeout {timeout}")?;
            if dynamic {
                writeln!(text, "      misc_dynamic")?;
            }
        }
    }
    let Check { delay_loop, retry, delay_before_retry, warmup, alpha, .. } = check;
    writeln!(text, "      delay_loop {delay_loop}\n      retry {retry}")?;
    writeln!(text, "      delay_before_retry {delay_before_retry}\n      warmup {warmup}")?;
    if *alpha {
        writeln!(text, "      alpha")?;
    }
    writeln!(text, "    }}")
}
