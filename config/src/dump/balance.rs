//! SSL, groups of addresses, virtual and real servers.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::num::NonZeroU16;

use keepalived_core::vrrp::Family;

use super::tracking::shown;
use super::{Page, ServerNow, ServiceNow, decimal, enabled, on, say, yes};
use crate::model::{
    Checker, FileWeight, Forwarding, Granularity, GroupEntry, Pace, Protocol, RealServer, RealServerExtras, Scheduler,
    Service, SorryServer, Tunnel, TunnelChecksum, VirtualServer, VirtualServerGroup, Weight,
};

/// Of the kernel's interface to IPVS (`linux/ip_vs.h`), the same for twenty years.
const IPVS_VERSION: &str = "1.2.1";

pub(super) fn write(page: &mut Page<'_>) {
    let config = page.config;
    ssl(page);
    if config.virtual_servers.is_empty() {
        return;
    }
    say!(page, "------< LVS Topology >------");
    say!(page, " System is compiled with LVS v{IPVS_VERSION}");
    let mut users: HashMap<&str, Vec<&VirtualServer>> = HashMap::new();
    for server in &config.virtual_servers {
        if let Service::Group { name, .. } = &server.service {
            users.entry(name).or_default().push(server);
        }
    }
    for it in &config.virtual_server_groups {
        group(page, it, users.get(it.name.as_str()).map_or(&[], Vec::as_slice));
    }
    for (place, server) in config.virtual_servers.iter().enumerate() {
        service(page, server, page.now.and_then(|now| now.services.get(place)));
    }
}

fn ssl(page: &mut Page<'_>) {
    let Some(ssl) = &page.config.ssl else { return };
    say!(page, "------< SSL definitions >------");
    let files = [("CA-file", &ssl.ca), ("Certificate file", &ssl.certificate), ("Key file", &ssl.key)];
    if ssl.password.is_none() && files.iter().all(|(_, file)| file.is_none()) {
        return say!(page, " Using autogen SSL context");
    }
    if ssl.password.is_some() {
        // deviates: keepalived/dump-ssl-password. It shows the password
        say!(page, " Password : ********");
    }
    for (what, file) in files {
        if let Some(file) = file {
            say!(page, " {what} : {file}");
        }
    }
}

fn number(port: Option<NonZeroU16>) -> u16 {
    port.map_or(0, NonZeroU16::get)
}

fn group(page: &mut Page<'_>, group: &VirtualServerGroup, users: &[&VirtualServer]) {
    let has = |family| yes(group.entries.iter().any(|entry| entry.family() == Some(family)));
    say!(page, " ------< Virtual server group >------");
    let (v4, v6) = (has(Family::V4), has(Family::V6));
    say!(page, " Virtual Server Group = {}, IPv4 = {v4}, IPv6 = {v6}", group.name);
    let of_protocol = |wanted: Protocol| users.iter().filter(|user| protocol(&user.service) == Some(wanted)).count();
    let of_family = |wanted: Family| users.iter().filter(|user| user.service.family() == wanted).count();
    let (marks, addresses): (Vec<&GroupEntry>, Vec<&GroupEntry>) =
        group.entries.iter().partition(|entry| matches!(entry, GroupEntry::Fwmark { .. }));
    for entry in addresses.into_iter().chain(marks) {
        match entry {
            GroupEntry::Addresses { first, last, port } => {
                let what = if first == last { format!("VIP = {first}") } else { format!("VIP Range = {first}-{last}") };
                say!(page, "   {what}, VPORT = {}", number(*port));
                let [tcp, udp, sctp] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(of_protocol);
                say!(page, "     Alive: {tcp} tcp, {udp} udp, {sctp} sctp");
            }
            GroupEntry::Fwmark { mark, family } => {
                let family = family.map(|family| format!(" {family}")).unwrap_or_default();
                say!(page, "   FWMARK = {mark}{family}");
                let (v4, v6) = (of_family(Family::V4), of_family(Family::V6));
                say!(page, "     Alive: {v4} IPv4, {v6} IPv6");
            }
        }
        say!(page, "     reloaded = False");
    }
}

fn protocol(service: &Service) -> Option<Protocol> {
    match service {
        Service::Address { protocol, .. } => Some(*protocol),
        Service::Fwmark { .. } => None,
        Service::Group { protocol, .. } => *protocol,
    }
}

/// A virtual server where another thing refers to it.
pub(super) fn named(service: &Service) -> String {
    match service {
        Service::Address { address, port, protocol } => trio(*address, *port, Some(*protocol)),
        Service::Fwmark { mark, .. } => format!("FWM {mark}"),
        Service::Group { name, .. } => format!("[{name}]:0"),
    }
}

/// A real server of `service` where another thing refers to it.
pub(super) fn real_named(real: &RealServer, service: &Service) -> String {
    trio(real.address, real.port, protocol(service))
}

fn trio(address: IpAddr, port: Option<NonZeroU16>, protocol: Option<Protocol>) -> String {
    let protocol = match protocol {
        None => "none",
        Some(Protocol::Tcp) => "tcp",
        Some(Protocol::Udp) => "udp",
        Some(Protocol::Sctp) => "sctp",
    };
    format!("[{address}]:{protocol}:{}", number(port))
}

/// Whether the servers are enough together: now, or at start.
struct Standing {
    quorum: bool,
}

impl Standing {
    fn of(server: &VirtualServer, now: Option<&ServiceNow>) -> Self {
        if let Some(now) = now {
            return Self { quorum: now.quorum };
        }
        let alive = server.real_servers.iter().filter(|real| is_up(real));
        let weights: u64 = alive.map(|real| u64::from(real.settings.weight)).sum();
        let settings = &server.settings;
        Self { quorum: weights >= u64::from(settings.quorum).saturating_add(u64::from(settings.hysteresis)) }
    }
}

/// Whether nothing has to happen first: no check of it begins as failed.
fn is_up(real: &RealServer) -> bool {
    !real.checkers.iter().any(begins_failed)
}

pub(super) fn begins_failed(checker: &Checker) -> bool {
    match checker {
        Checker::Bfd(check) => check.alpha,
        _ => checker.schedule().is_some_and(|schedule| schedule.alpha),
    }
}

fn service(page: &mut Page<'_>, server: &VirtualServer, now: Option<&ServiceNow>) {
    let VirtualServer { service, settings, real_servers } = server;
    say!(page, " ------< Virtual server >------");
    match service {
        Service::Address { address, port, .. } => say!(page, " VS VIP = {address}, VPORT = {}", number(*port)),
        Service::Fwmark { mark, .. } => say!(page, " VS FWMARK = {mark}"),
        Service::Group { .. } => say!(page, " VS GROUP = {}", named(service)),
    }
    if let Some(host) = &settings.virtualhost {
        say!(page, "   VirtualHost = {host}");
    }
    if let Some(name) = &settings.snmp_name {
        say!(page, "   SNMP name = '{name}'");
    }
    say!(page, "   Address family = {}", family(service));
    say!(page, "   connection timeout = {}", decimal(settings.pace.connect_timeout));
    say!(page, "   delay_loop = {}", decimal(settings.pace.delay_loop));
    scheduling(page, server);
    say!(page, "   alpha is {}", on(settings.alpha));
    say!(page, "   omega is {}", on(settings.omega));
    retries(page, &settings.pace);
    say!(page, "   Inhibit on failure is {}", on(settings.inhibit_on_failure));
    say!(page, "   quorum = {}, hysteresis = {}", settings.quorum, settings.hysteresis);
    for (state, script) in [("up", &settings.quorum_up), ("down", &settings.quorum_down)] {
        if let Some(script) = script {
            say!(page, "   Quorum {state} notify script = {}", page.whole_command(script));
        }
    }
    if settings.ha_suspend {
        say!(page, "   Using HA suspend");
    }
    say!(page, "   Using smtp notification = {}", yes(settings.smtp_alert));
    forwarding(page, "   default ", settings.forwarding);
    let standing = Standing::of(server, now);
    if let Some(sorry) = &settings.sorry_server {
        sorry_server(page, sorry, server, &standing);
    }
    say!(page, "   VS alive = {}", u8::from(!settings.ha_suspend));
    say!(page, "   quorum_state_up = {}", u8::from(standing.quorum));
    say!(page, "   reloaded = 0");
    for (place, real) in real_servers.iter().enumerate() {
        real_server(page, real, server, now.and_then(|now| now.servers.get(place)));
    }
}

fn family(service: &Service) -> &'static str {
    match service.family() {
        Family::V4 => "inet",
        Family::V6 => "inet6",
    }
}

fn scheduling(page: &mut Page<'_>, server: &VirtualServer) {
    let settings = &server.settings;
    say!(page, "   lvs_sched = {}", settings.scheduler.name());
    let flags = settings.flags;
    let able = |is_on: bool| if is_on { "enabled" } else { "disabled" };
    say!(page, "   Hashed = {}", able(flags.hashed));
    match settings.scheduler {
        Scheduler::Sh | Scheduler::Mh => {
            let name = settings.scheduler.name();
            say!(page, "   {name}-port = {}", able(flags.flag_2));
            say!(page, "   {name}-fallback = {}", able(flags.flag_1));
        }
        // no other scheduler has names for them
        _ => {
            for (flag, is_on) in [("flag-1", flags.flag_1), ("flag-2", flags.flag_2), ("flag-3", flags.flag_3)] {
                say!(page, "   {flag} = {}", able(is_on));
            }
        }
    }
    let protocol = protocol(&server.service);
    let idle = if settings.one_packet && protocol != Some(Protocol::Udp) { " (inactive due to not UDP)" } else { "" };
    say!(page, "   One packet scheduling = {}{idle}", enabled(settings.one_packet));
    if let Some(timeout) = settings.persistence_timeout {
        say!(page, "   persistence timeout = {}", timeout.as_secs());
    }
    match settings.persistence_granularity {
        Some(Granularity::V4(mask)) => say!(page, "   persistence granularity = {mask}"),
        Some(Granularity::V6(length)) => say!(page, "   persistence granularity = {length}"),
        None => {}
    }
    match protocol {
        Some(protocol) => say!(page, "   protocol = {protocol}"),
        None => say!(page, "   protocol = none"),
    }
}

fn retries(page: &mut Page<'_>, pace: &Pace) {
    if let Some(retry) = pace.retry {
        say!(page, "   Retry count = {retry}");
    }
    if let Some(delay) = pace.delay_before_retry {
        say!(page, "   Retry delay = {}", decimal(delay));
    }
    if let Some(warmup) = pace.warmup {
        say!(page, "   Warmup = {}", decimal(warmup));
    }
}

/// `before` is left out for tunnels other than IPIP, as keepalived has it.
fn forwarding(page: &mut Page<'_>, before: &str, forwarding: Forwarding) {
    let sum = |checksum| match checksum {
        TunnelChecksum::None => ", no checksum",
        TunnelChecksum::Plain => ", checksum",
        TunnelChecksum::Remote => ", remote checksum",
    };
    match forwarding {
        Forwarding::Nat => say!(page, "{before}forwarding method = NAT"),
        Forwarding::Dr => say!(page, "{before}forwarding method = DR"),
        Forwarding::Tun(Tunnel::Ipip) => say!(page, "{before}forwarding method = TUN, type = IPIP"),
        Forwarding::Tun(Tunnel::Gue { port, checksum }) => {
            say!(page, "   forwarding method = TUN, type = GUE, port = {port}{}", sum(checksum));
        }
        Forwarding::Tun(Tunnel::Gre { checksum }) => {
            say!(page, "   forwarding method = TUN, type = GRE{}", sum(checksum));
        }
    }
}

fn sorry_server(page: &mut Page<'_>, sorry: &SorryServer, server: &VirtualServer, standing: &Standing) {
    let same = server.real_servers.iter().any(|real| (real.address, real.port) == (sorry.address, sorry.port));
    let name = trio(sorry.address, sorry.port, protocol(&server.service));
    say!(page, "   sorry server {}= {name}", if same { "(duplicates rs) " } else { "" });
    forwarding(page, "     ", sorry.forwarding);
    say!(page, "     Inhibit on failure is {}", on(sorry.inhibit));
    let needed = u8::from(!standing.quorum);
    say!(page, "     set = {}", u8::from(sorry.inhibit).max(needed));
    say!(page, "     alive = {needed}");
}

fn real_server(page: &mut Page<'_>, real: &RealServer, server: &VirtualServer, now: Option<&ServerNow>) {
    let settings = &real.settings;
    let weight = settings.weight;
    say!(page, "   ------< Real server >------");
    let (address, port) = (real.address, number(real.port));
    let effective = now.map_or_else(|| weight, |now| now.weight);
    say!(page, "   RIP = {address}, RPORT = {port}, WEIGHT = {effective} EFF WEIGHT = {effective}");
    forwarding(page, "   ", settings.forwarding);
    say!(page, "   Alpha is {}", on(settings.alpha));
    let pace = settings.pace.as_deref().unwrap_or(&server.settings.pace);
    say!(page, "   connection timeout = {}", decimal(pace.connect_timeout));
    say!(page, "   connection limit range = {} -> {}", settings.lower_threshold, settings.upper_threshold);
    say!(page, "   Delay loop = {}", decimal(pace.delay_loop));
    retries(page, pace);
    say!(page, "   Inhibit on failure is {}", on(settings.inhibit_on_failure));
    if let Some(extras) = settings.extras.as_deref() {
        let RealServerExtras { virtualhost, snmp_name, notify_up, notify_down } = extras;
        for (state, script) in [("up", notify_up), ("down", notify_down)] {
            if let Some(script) = script {
                say!(page, "   RS {state} notify script = {}", page.whole_command(script));
            }
        }
        if let Some(host) = virtualhost {
            say!(page, "    VirtualHost = '{host}'");
        }
        if let Some(name) = snmp_name {
            say!(page, "   SNMP name = {name}");
        }
    }
    say!(page, "   Using smtp notification = {}", yes(settings.smtp_alert));
    say!(page, "   initial weight = {weight}");
    say!(page, "   effective weight = {effective}");
    say!(page, "   previous effective_weight = 0");
    let up = now.map_or_else(|| is_up(real), |now| now.up);
    say!(page, "   alive = {}", u8::from(up));
    let failed = match now {
        Some(now) => now.checks.iter().filter(|(_, check)| !check.up).count(),
        None => real.checkers.iter().filter(|checker| begins_failed(checker)).count(),
    };
    say!(page, "   num failed checkers = {failed}");
    say!(page, "   RS set = {}", u8::from(up || settings.inhibit_on_failure));
    say!(page, "   reloaded = 0");
    tracked(page, real);
}

fn tracked(page: &mut Page<'_>, real: &RealServer) {
    let files = real.checkers.iter().filter_map(|checker| match checker {
        Checker::File(check) => Some(check),
        _ => None,
    });
    for (index, check) in files.enumerate() {
        if index == 0 {
            say!(page, "   Tracked Files");
        }
        say!(page, "     {}, weight {}", check.track_file, file_weight(check.weight));
    }
    let mut sessions = HashSet::new();
    for checker in &real.checkers {
        let Checker::Bfd(check) = checker else { continue };
        if sessions.is_empty() {
            say!(page, "   Tracked BFDs");
        }
        if sessions.insert(&check.instance) {
            say!(page, "     {}", check.instance);
        }
    }
}

pub(super) fn file_weight(weight: FileWeight) -> String {
    match i16::try_from(weight.multiplier) {
        Ok(value) => shown(Weight { value, reverse: weight.reverse }),
        Err(_) => format!("{}{}", weight.multiplier, if weight.reverse { " reverse" } else { "" }),
    }
}
