//! Addresses, routes and rules: static ones, and those that move.

use std::fmt::Write as _;
use std::net::IpAddr;

use keepalived_core::address::{Broadcast, Scope, VirtualAddress};
use keepalived_core::vrrp::Family;

use super::{Page, RouterNow, decimal, say};
use crate::model::{
    Encapsulation, EncapsulationHeader, GarpGroup, Hop, Instance, Lockable, OwnLink, Placement, PolicyRule, Prefix,
    Realms, Route, RouteKind, RouteMetrics, RuleAction,
};

/// `RT_TABLE_MAIN`
const MAIN: u32 = 254;

pub(super) fn write_static(page: &mut Page<'_>) {
    garp_groups(page);
    let config = page.config;
    if !config.static_addresses.is_empty() {
        say!(page, "------< Static Addresses >------");
    }
    for it in &config.static_addresses {
        let device = it.address.device.map(|device| device.to_string());
        say!(page, "     {}", address(&it.address, device, it.track_group.as_deref()));
    }
    if !config.static_routes.is_empty() {
        say!(page, "------< Static Routes >------");
    }
    for it in &config.static_routes {
        say!(page, "     {}", route(it));
    }
    if !config.static_rules.is_empty() {
        say!(page, "------< Static Rules >------");
    }
    for it in &config.static_rules {
        say!(page, "     {}", rule(it));
    }
    if !config.track_groups.is_empty() {
        say!(page, "------< Static Track groups >------");
    }
    for group in &config.track_groups {
        say!(page, " Static Track Group = {}", group.name);
        if !group.members.is_empty() {
            say!(page, "   VRRP member instances :");
        }
        for member in &group.members {
            say!(page, "     {member}");
        }
    }
}

/// `garp_group`
fn garp_groups(page: &mut Page<'_>) {
    let config = page.config;
    if !config.garp_groups.is_empty() {
        say!(page, "------< Gratuitous ARP delays >------");
    }
    for GarpGroup { interfaces, garp_interval, gna_interval } in &config.garp_groups {
        say!(page, "------< GARP delay group >------");
        if let Some(interval) = garp_interval {
            say!(page, " GARP interval = {}", decimal(*interval));
        }
        if let Some(interval) = gna_interval {
            say!(page, " GNA interval = {}", decimal(*interval));
        }
        if garp_interval.is_none() && gna_interval.is_none() {
            say!(page, " No configuration");
        }
        say!(page, " Interfaces");
        for interface in interfaces {
            say!(page, "  {interface}");
        }
    }
}

/// The name of the interface that is made for it: written, or from the VRID.
pub(super) fn own_link(page: &Page<'_>, instance: &Instance) -> Option<String> {
    let written = match instance.own_link.as_deref()? {
        OwnLink::Vmac(vmac) => vmac.name,
        OwnLink::Ipvlan(ipvlan) => ipvlan.name,
    };
    let prefix = &page.config.global.vmac_names.prefix;
    let made = || match instance.settings.family {
        Family::V4 => format!("{prefix}.{}", instance.settings.vrid),
        Family::V6 => format!("{prefix}6.{}", instance.settings.vrid),
    };
    Some(written.map_or_else(made, |name| name.to_string()))
}

/// The addresses of an instance, and the excluded ones, each with what is so now.
pub(super) fn address_lines(
    page: &Page<'_>,
    instance: &Instance,
    now: Option<&RouterNow>,
) -> (Vec<String>, Vec<String>) {
    let interface = instance.interface.map(|name| name.to_string());
    // on the interface of its own, which is on the configured one
    let own = own_link(page, instance).zip(interface.clone()).map(|(own, base)| format!("{own}@{base}"));
    let usual = own.or(interface);
    let shown = |line: &VirtualAddress| {
        let elsewhere = line.device.filter(|device| Some(*device) != instance.interface);
        address(line, elsewhere.map(|device| device.to_string()).or_else(|| usual.clone()), None)
    };
    let lines = |lines: &[VirtualAddress], behind: &[String]| -> Vec<String> {
        let behind = behind.iter().map(String::as_str).chain(std::iter::repeat(""));
        lines.iter().zip(behind).map(|(line, behind)| shown(line) + behind).collect()
    };
    let (behind, behind_excluded) = now.map_or((&[][..], &[][..]), |now| (&*now.addresses, &*now.excluded_addresses));
    (lines(&instance.addresses, behind), lines(&instance.excluded_addresses, behind_excluded))
}

/// The addresses of an instance.
pub(super) fn virtual_addresses(page: &mut Page<'_>, instance: &Instance, now: Option<&RouterNow>) {
    let (addresses, excluded) = address_lines(page, instance, now);
    if !addresses.is_empty() {
        say!(page, "   Virtual IP ({}):", addresses.len());
    }
    for line in addresses {
        say!(page, "     {line}");
    }
    if !excluded.is_empty() {
        say!(page, "   Virtual IP Excluded :");
    }
    for line in excluded {
        say!(page, "     {line}");
    }
}

/// The routes and rules of an instance.
pub(super) fn virtual_routes(page: &mut Page<'_>, instance: &Instance) {
    if !instance.routes.is_empty() {
        say!(page, "   Virtual Routes :");
    }
    for it in &instance.routes {
        say!(page, "     {}", route(it));
    }
    if !instance.rules.is_empty() {
        say!(page, "   Virtual Rules :");
    }
    for it in &instance.rules {
        say!(page, "     {}", rule(it));
    }
}

fn prefix(address: IpAddr, length: u8) -> String {
    let whole = if address.is_ipv4() { 32 } else { 128 };
    if length == whole { address.to_string() } else { format!("{address}/{length}") }
}

/// Pieces of a line, one after the other. Writing to a `String` cannot fail.
#[derive(Default)]
struct Line(String);

impl Line {
    fn add(&mut self, piece: std::fmt::Arguments<'_>) {
        self.0.write_fmt(piece).ok();
    }

    fn say<T: std::fmt::Display>(&mut self, word: &str, value: Option<T>) {
        if let Some(value) = value {
            self.add(format_args!(" {word} {value}"));
        }
    }

    fn flag(&mut self, word: &str, is_on: bool) {
        if is_on {
            self.add(format_args!(" {word}"));
        }
    }
}

fn address(line: &VirtualAddress, device: Option<String>, track_group: Option<&str>) -> String {
    let mut text = Line::default();
    text.add(format_args!("{}", prefix(line.address, line.prefix)));
    text.say("brd", broadcast(line));
    match device {
        Some(device) => text.say("dev", Some(device)),
        None => text.say("dev", Some("(none)@NOWHERE")),
    }
    text.flag("use_vmac", line.use_vmac);
    text.say("scope", Some(Scope(line.scope)));
    text.say("label", line.label);
    if let Some(peer) = line.peer {
        text.add(format_args!(" peer {peer}/{}", line.prefix));
    }
    text.flag("home", line.flags.home);
    text.flag("-nodad", line.flags.run_dad);
    text.flag("mngtmpaddr", line.flags.manage_temporaries);
    text.flag("noprefixroute", line.flags.no_prefix_route);
    text.flag("autojoin", line.flags.autojoin);
    text.flag("no_track", !line.tracked);
    text.say("track_group", track_group);
    if line.address.is_ipv6() {
        match line.preferred_lifetime {
            Some(0) => text.flag("deprecated", true),
            None => text.flag("preferred_lft forever", true),
            Some(seconds) => text.say("preferred_lft", Some(seconds)),
        }
    }
    text.0
}

fn broadcast(line: &VirtualAddress) -> Option<std::net::Ipv4Addr> {
    let IpAddr::V4(address) = line.address else { return None };
    let host = u32::MAX.checked_shr(u32::from(line.prefix)).unwrap_or_default();
    match line.broadcast {
        Broadcast::None => None,
        Broadcast::AllOnes => Some((address.to_bits() | host).into()),
        Broadcast::AllZeros => Some((address.to_bits() & !host).into()),
        Broadcast::Address(address) => Some(address),
    }
}

fn via(address: IpAddr) -> String {
    format!("{} {address}", if address.is_ipv4() { "inet" } else { "inet6" })
}

pub(super) fn route(route: &Route) -> String {
    let mut line = Line::default();
    line.add(format_args!(
        "{}",
        match route.placement {
            Placement::Prepend => "prepend ",
            Placement::Add => "add ",
            Placement::Append => "append ",
        }
    ));
    if route.kind != RouteKind::Unicast {
        line.add(format_args!("{} ", kind(route.kind)));
    }
    let Prefix { address, length } = route.destination;
    line.add(format_args!("{}", prefix(address, length)));
    line.say("from", route.from.map(|from| prefix(from.address, from.length)));
    line.say("src", route.source);
    line.say("tos", Some(route.tos).filter(|tos| *tos != 0));
    encapsulation(&mut line, route.hop.encapsulation.as_deref());
    line.say("via", route.hop.gateway.map(via));
    line.say("dev", route.hop.device);
    line.say("table", Some(route.table).filter(|table| *table != MAIN));
    line.say("proto", route.protocol);
    line.say("scope", route.scope);
    line.say("metric", route.metric);
    line.flag("onlink", route.family == Family::V4 && route.hop.onlink);
    realms(&mut line, route.hop.realms);
    if let Some(seconds) = route.expires {
        line.add(format_args!(" expires {seconds}sec"));
    }
    if let Some(metrics) = &route.metrics {
        connections(&mut line, metrics);
    }
    let preference = route.preference.map(|preference| match preference {
        0 => "medium",
        1 => "high",
        3 => "low",
        _ => "unknown",
    });
    line.say("pref", preference);
    line.say("fastopen_no_cookie", route.metrics.as_ref().and_then(|it| it.fastopen_no_cookie).map(u8::from));
    line.say("ttl-propagate", route.ttl_propagate.map(|on| if on { "enabled" } else { "disabled" }));
    for hop in &route.hops {
        next_hop(&mut line, hop);
    }
    line.flag("no_track", !route.tracked);
    line.say("track_group", route.track_group.as_ref());
    line.0
}

fn kind(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Unicast => "unicast",
        RouteKind::Local => "local",
        RouteKind::Broadcast => "broadcast",
        RouteKind::Anycast => "anycast",
        RouteKind::Multicast => "multicast",
        RouteKind::Blackhole => "blackhole",
        RouteKind::Unreachable => "unreachable",
        RouteKind::Prohibit => "prohibit",
        RouteKind::Throw => "throw",
        RouteKind::Nat => "nat",
        RouteKind::Xresolve => "xresolve",
    }
}

fn next_hop(line: &mut Line, hop: &Hop) {
    line.flag("nexthop", true);
    line.say("via", hop.gateway.map(via));
    line.say("dev", hop.device);
    line.say("weight", hop.weight);
    line.flag("onlink", hop.onlink);
    realms(line, hop.realms);
    encapsulation(line, hop.encapsulation.as_deref());
}

fn realms(line: &mut Line, realms: Option<Realms>) {
    match realms {
        None => {}
        Some(Realms { from: 0, to }) => line.say("realm", Some(to)),
        Some(Realms { from, to }) => line.add(format_args!(" realms {from}/{to}")),
    }
}

fn encapsulation(line: &mut Line, encapsulation: Option<&Encapsulation>) {
    match encapsulation {
        None => {}
        Some(Encapsulation::Ip(it)) => header(line, "ip", it, ["tos", "ttl"]),
        Some(Encapsulation::Ip6(it)) => header(line, "ip6", it, ["tc", "hoplimit"]),
        Some(Encapsulation::Mpls(labels)) => {
            // as it is on the wire: the label, and a bit that the last one has
            let last = labels.len().saturating_sub(1);
            let entry = |(index, label): (usize, &u32)| format!("{:x}", label << 12 | u32::from(index == last) << 8);
            let entries: Vec<String> = labels.iter().enumerate().map(entry).collect();
            line.add(format_args!(" encap mpls {}", entries.join("/")));
        }
        // its octets as a number of this machine
        Some(Encapsulation::Ila(locator)) => line.add(format_args!(" encap ila {}", locator.to_be())),
    }
}

fn header(line: &mut Line, kind: &str, header: &EncapsulationHeader, [tos, ttl]: [&str; 2]) {
    line.say("encap", Some(kind));
    line.say("id", header.id);
    line.say("dst", header.destination);
    line.say("src", header.source);
    line.say(tos, header.tos);
    line.say(ttl, header.ttl);
    line.say("flags", header.flags.map(|flags| format!("0x{flags:x}")));
}

/// What connections over a route are told.
fn connections(line: &mut Line, metrics: &RouteMetrics) {
    line.say("congctl", metrics.congestion_control.as_ref().map(|it| locked(it, &it.value)));
    for (name, time) in [("rtt", &metrics.rtt), ("rttvar", &metrics.rttvar), ("rto_min", &metrics.rto_min)] {
        line.say(name, time.as_ref().map(|it| locked(it, &seconds(it.value))));
    }
    line.flag("features ecn", metrics.ecn);
    line.say("mtu", metrics.mtu.as_ref().map(|it| locked(it, &it.value)));
    line.say("window", metrics.window);
    line.say("ssthresh", metrics.ssthresh.as_ref().map(|it| locked(it, &it.value)));
    line.say("cwnd", metrics.cwnd.as_ref().map(|it| locked(it, &it.value)));
    line.say("advmss", metrics.advmss.as_ref().map(|it| locked(it, &it.value)));
    line.say("reordering", metrics.reordering.as_ref().map(|it| locked(it, &it.value)));
    line.say("hoplimit", metrics.hoplimit);
    line.say("initcwnd", metrics.initcwnd);
    line.say("initrwnd", metrics.initrwnd);
    line.say("quickack", metrics.quickack.map(u8::from));
}

fn locked<T>(metric: &Lockable<T>, shown: &dyn std::fmt::Display) -> String {
    if metric.locked { format!("lock {shown}") } else { shown.to_string() }
}

fn seconds(time: std::time::Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 { format!("{seconds}s") } else { format!("{}ms", seconds * 1000.0) }
}

pub(super) fn rule(rule: &PolicyRule) -> String {
    let mut line = Line::default();
    if rule.from.is_none() && rule.to.is_none() && rule.family == Family::V6 {
        line.add(format_args!("inet6 "));
    }
    if rule.inverted {
        line.add(format_args!("not "));
    }
    let from = rule.from.map_or_else(|| "all".to_owned(), |from| prefix(from.address, from.length));
    line.add(format_args!("from {from}"));
    line.say("to", rule.to.map(|to| prefix(to.address, to.length)));
    line.say("priority", Some(rule.preference));
    line.add(format_args!(" tos 0x{:x}", rule.tos));
    if let Some(mark) = rule.mark {
        line.add(format_args!(" fwmark 0x{:x}", mark.value));
        if let Some(mask) = mark.mask.filter(|mask| *mask != u32::MAX) {
            line.add(format_args!("/0x{mask:x}"));
        }
    }
    line.say("iif", rule.input);
    line.say("oif", rule.output);
    line.say("suppress_prefixlen", rule.suppress_prefix_length);
    line.say("suppress_ifgroup", rule.suppress_group);
    let selectors = rule.selectors.as_deref();
    line.say("tunnel-id", selectors.and_then(|it| it.tunnel_id).filter(|id| *id != 0));
    line.say("uidrange", selectors.and_then(|it| it.users).map(|(first, last)| format!("{first}-{last}")));
    line.flag("l3mdev", rule.action == RuleAction::L3mdev);
    line.say("protocol", rule.protocol);
    line.say("ipproto", selectors.and_then(|it| it.ip_protocol));
    let range = |(first, last): (u16, u16)| format!("{first}-{last}");
    line.say("sport", selectors.and_then(|it| it.source_ports).map(range));
    line.say("dport", selectors.and_then(|it| it.destination_ports).map(range));
    line.say("realms", rule.realms.map(|it| format!("{}/{}", it.from, it.to)));
    match rule.action {
        RuleAction::Table(table) => line.say("lookup", Some(table)),
        RuleAction::L3mdev => line.say("lookup", Some(0)),
        RuleAction::Goto(preference) => line.say("goto", Some(preference)),
        RuleAction::Nop => line.flag("nop", true),
        RuleAction::Blackhole => line.say("type", Some("blackhole")),
        RuleAction::Unreachable => line.say("type", Some("unreachable")),
        RuleAction::Prohibit => line.say("type", Some("prohibit")),
    }
    line.flag("no_track", !rule.tracked);
    line.say("track_group", rule.track_group.as_ref());
    line.0
}
