//! Lines of routes and rules as the kernel is to have them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keepalived_config::model;
use keepalived_core::address::InterfaceName;
use keepalived_core::network::route::{Encapsulation, Tunnel, default_metric, kind};
use keepalived_core::network::rule::Action;
use keepalived_core::network::{AddressKey, Hop, LinkIndex, Placement, Prefix, Route, Rule};
use keepalived_core::vrrp::Family;

/// `RT_SCOPE_UNIVERSE`, `RT_SCOPE_LINK`, `RT_SCOPE_HOST`
const UNIVERSE: u8 = 0;
const LINK: u8 = 253;
const HOST: u8 = 254;

/// A link by name: its number, and its table if it is a VRF.
pub(in super::super) type FindLink<'a> = dyn Fn(&InterfaceName) -> Option<(LinkIndex, Option<u32>)> + 'a;

/// A route line. `ours` are the addresses that the same holder wants.
///
/// # Errors
/// There is no interface of this name.
pub(in super::super) fn route(
    line: &model::Route,
    find: &FindLink<'_>,
    ours: &[AddressKey],
) -> Result<Route, InterfaceName> {
    let kind = number(line.kind);
    let lines: Vec<&model::Hop> = if line.hops.is_empty() { vec![&line.hop] } else { line.hops.iter().collect() };
    let hops: Result<Vec<Hop>, InterfaceName> = lines.into_iter().map(|line| hop(line, find)).collect();
    let hops = if kind::leads_nowhere(kind) { Vec::new() } else { hops? };
    let table = match &line.vrf {
        Some(name) => find(name).and_then(|(_, table)| table).ok_or(*name)?,
        None => line.table,
    };
    let family = line.family;
    let v4 = family == Family::V4;
    let usual_scope = match kind {
        kind::LOCAL | kind::NAT => HOST,
        kind::BROADCAST | kind::MULTICAST | kind::ANYCAST => LINK,
        // keepalived, observed: also without a gateway, where `ip route` says link
        _ => UNIVERSE,
    };
    let (metrics, congestion_control) = line.metrics.as_deref().map(metrics).unwrap_or_default();
    Ok(Route {
        destination: destination(line.destination),
        from: line.from.map(prefix).filter(|from| from.length > 0),
        table,
        tos: line.tos,
        metric: line.metric.filter(|metric| *metric != 0).unwrap_or(default_metric(family)),
        kind,
        protocol: line.protocol.unwrap_or(super::ADDRESS_PROTOCOL),
        scope: if v4 { line.scope.unwrap_or(usual_scope) } else { UNIVERSE },
        source: line.source,
        hops,
        metrics,
        congestion_control,
        preference: line.preference.unwrap_or(0),
        expires: line.expires,
        ttl_propagate: line.ttl_propagate,
        placement: match line.placement {
            model::Placement::Prepend => Placement::Prepend,
            model::Placement::Add => Placement::Add,
            model::Placement::Append => Placement::Append,
        },
        source_at: line.source.and_then(|source| ours.iter().find(|(_, address, _)| *address == source).copied()),
    })
}

/// The interfaces that a route line names.
pub(in super::super) fn interfaces(line: &model::Route) -> impl Iterator<Item = InterfaceName> + '_ {
    let hops = line.hops.iter().filter_map(|hop| hop.device);
    line.hop.device.into_iter().chain(hops).chain(line.vrf)
}

const fn prefix(prefix: model::Prefix) -> Prefix {
    Prefix { address: prefix.address, length: prefix.length }
}

/// IPv6: the kernel clears the bits behind the length. IPv4: it refuses such a route.
fn destination(line: model::Prefix) -> Prefix {
    let prefix = prefix(line);
    if prefix.address.is_ipv6() { prefix.masked() } else { prefix }
}

const fn number(line: model::RouteKind) -> u8 {
    match line {
        model::RouteKind::Unicast => kind::UNICAST,
        model::RouteKind::Local => kind::LOCAL,
        model::RouteKind::Broadcast => kind::BROADCAST,
        model::RouteKind::Anycast => kind::ANYCAST,
        model::RouteKind::Multicast => kind::MULTICAST,
        model::RouteKind::Blackhole => kind::BLACKHOLE,
        model::RouteKind::Unreachable => kind::UNREACHABLE,
        model::RouteKind::Prohibit => kind::PROHIBIT,
        model::RouteKind::Throw => kind::THROW,
        model::RouteKind::Nat => kind::NAT,
        model::RouteKind::Xresolve => kind::XRESOLVE,
    }
}

fn hop(line: &model::Hop, find: &FindLink<'_>) -> Result<Hop, InterfaceName> {
    let link = match &line.device {
        Some(name) => Some(find(name).ok_or(*name)?.0),
        None => None,
    };
    Ok(Hop {
        gateway: line.gateway,
        link,
        hops: line.weight.and_then(|weight| u8::try_from(weight.saturating_sub(1)).ok()).unwrap_or(0),
        onlink: line.onlink,
        encapsulation: line.encapsulation.as_deref().map(encapsulation),
        realms: realms(line.realms),
    })
}

fn realms(line: Option<model::Realms>) -> Option<u32> {
    line.map(|realms| u32::from(realms.from) << 16 | u32::from(realms.to)).filter(|realms| *realms != 0)
}

fn encapsulation(line: &model::Encapsulation) -> Encapsulation {
    let tunnel = |line: &model::EncapsulationHeader| {
        let said = |address: Option<IpAddr>| address.filter(|address| !address.is_unspecified());
        Tunnel {
            id: line.id.unwrap_or(0),
            destination: said(line.destination),
            source: said(line.source),
            tos: line.tos.unwrap_or(0),
            ttl: line.ttl.unwrap_or(0),
            flags: line.flags.unwrap_or(0),
        }
    };
    match line {
        model::Encapsulation::Ip(line) => Encapsulation::Ip(tunnel(line)),
        model::Encapsulation::Ip6(line) => Encapsulation::Ip6(tunnel(line)),
        model::Encapsulation::Mpls(labels) => Encapsulation::Mpls(labels.clone()),
        model::Encapsulation::Ila(locator) => Encapsulation::Ila(*locator),
    }
}

/// `RTAX_*`
mod rtax {
    pub(super) const LOCK: u16 = 1;
    pub(super) const MTU: u16 = 2;
    pub(super) const WINDOW: u16 = 3;
    pub(super) const RTT: u16 = 4;
    pub(super) const RTTVAR: u16 = 5;
    pub(super) const SSTHRESH: u16 = 6;
    pub(super) const CWND: u16 = 7;
    pub(super) const ADVMSS: u16 = 8;
    pub(super) const REORDERING: u16 = 9;
    pub(super) const HOPLIMIT: u16 = 10;
    pub(super) const INITCWND: u16 = 11;
    pub(super) const FEATURES: u16 = 12;
    pub(super) const RTO_MIN: u16 = 13;
    pub(super) const INITRWND: u16 = 14;
    pub(super) const QUICKACK: u16 = 15;
    pub(super) const CC_ALGO: u16 = 16;
    pub(super) const FASTOPEN_NO_COOKIE: u16 = 17;
    /// `RTAX_FEATURE_ECN`
    pub(super) const ECN: u32 = 1;
}

fn metrics(line: &model::RouteMetrics) -> (BTreeMap<u16, u32>, Option<String>) {
    // the kernel counts round trips in eighths, their variance in quarters of a millisecond
    let units = |time: &Option<model::Lockable<std::time::Duration>>, unit: u128| {
        let count = |time: &model::Lockable<std::time::Duration>| model::Lockable {
            value: u32::try_from(time.value.as_micros() / unit).unwrap_or(u32::MAX),
            locked: time.locked,
        };
        time.as_ref().map(count)
    };
    let mut lock = 0;
    let mut said = BTreeMap::new();
    let lockable = [
        (rtax::MTU, line.mtu.clone()),
        (rtax::RTT, units(&line.rtt, 125)),
        (rtax::RTTVAR, units(&line.rttvar, 250)),
        (rtax::SSTHRESH, line.ssthresh.clone()),
        (rtax::CWND, line.cwnd.clone()),
        (rtax::ADVMSS, line.advmss.clone()),
        (rtax::REORDERING, line.reordering.clone()),
        (rtax::RTO_MIN, units(&line.rto_min, 1000)),
    ];
    for (metric, value) in lockable {
        if let Some(value) = value {
            lock |= u32::from(value.locked) << metric;
            said.insert(metric, value.value);
        }
    }
    let plain = [
        (rtax::WINDOW, line.window),
        (rtax::HOPLIMIT, line.hoplimit.map(u32::from)),
        (rtax::INITCWND, line.initcwnd),
        (rtax::FEATURES, line.ecn.then_some(rtax::ECN)),
        (rtax::INITRWND, line.initrwnd),
        (rtax::QUICKACK, line.quickack.map(u32::from)),
        (rtax::FASTOPEN_NO_COOKIE, line.fastopen_no_cookie.map(u32::from)),
    ];
    said.extend(plain.into_iter().filter_map(|(metric, value)| Some((metric, value?))));
    let congestion_control = line.congestion_control.as_ref().map(|name| {
        lock |= u32::from(name.locked) << rtax::CC_ALGO;
        name.value.clone()
    });
    if lock != 0 {
        said.insert(rtax::LOCK, lock);
    }
    // the kernel does not tell a metric that is 0
    said.retain(|_, value| *value != 0);
    (said, congestion_control)
}

/// A rule line.
pub(in super::super) fn rule(line: &model::PolicyRule) -> Rule {
    let rare = line.selectors.as_deref().cloned().unwrap_or_default();
    let some = |it: Option<model::Prefix>| it.map(prefix).filter(|prefix| prefix.length > 0);
    Rule {
        family: line.family,
        preference: line.preference,
        action: match line.action {
            model::RuleAction::Table(table) => Action::Table(table),
            model::RuleAction::L3mdev => Action::L3mdev,
            model::RuleAction::Goto(preference) => Action::Goto(preference),
            model::RuleAction::Nop => Action::Nop,
            model::RuleAction::Blackhole => Action::Blackhole,
            model::RuleAction::Unreachable => Action::Unreachable,
            model::RuleAction::Prohibit => Action::Prohibit,
        },
        inverted: line.inverted,
        from: some(line.from),
        to: some(line.to),
        input: line.input,
        output: line.output,
        tos: line.tos,
        mark: line.mark.and_then(mark),
        realms: realms(line.realms),
        suppress_prefix_length: line.suppress_prefix_length,
        suppress_group: line.suppress_group,
        tunnel_id: rare.tunnel_id.filter(|id| *id != 0),
        users: rare.users,
        ip_protocol: rare.ip_protocol.filter(|protocol| *protocol != 0),
        source_ports: rare.source_ports,
        destination_ports: rare.destination_ports,
        // keepalived, observed: a rule that is not tracked bears no mark
        protocol: line.protocol.unwrap_or(0),
    }
}

/// Without a mask all bits count; a mark of 0 without a mask says nothing.
fn mark(line: model::Mark) -> Option<(u32, u32)> {
    let mask = line.mask.unwrap_or(if line.value == 0 { 0 } else { u32::MAX });
    ((line.value, mask) != (0, 0)).then_some((line.value, mask))
}
