//! Routes: those of `static_routes` with the first index 0, then those of each instance; and their hops.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::model::{
    Encapsulation, EncapsulationHeader, Hop, Lockable, Realms, Route, RouteKind, RouteMetrics,
};
use keepalived_core::vrrp::{Family, State};

use super::{below, scope};
use crate::snmp::tree::{Column, Rows, Table, columns};
use crate::snmp::value::{Value, address, counter64, gauge, integer, kind, text, truth};
use crate::snmp::world::{Scene, place};

pub(super) const TABLES: &[Table] = &[
    Table {
        entry: below!(keepalived, 2, 7, 1),
        rows: Rows::Places {
            levels: 2,
            first: 0,
            count: |scene, index| match index {
                [] => scene.config().instances.len().saturating_add(1),
                [owner, ..] => routes(scene, *owner).map_or(0, |(routes, _)| routes.len()),
            },
        },
        columns: ROUTES,
    },
    Table {
        entry: below!(keepalived, 2, 11, 1),
        rows: Rows::Places {
            levels: 3,
            first: 0,
            count: |scene, index| match index {
                [] => scene.config().instances.len().saturating_add(1),
                [owner] => routes(scene, *owner).map_or(0, |(routes, _)| routes.len()),
                index => route(scene, index).map_or(0, |row| hops(row.route).len()),
            },
        },
        columns: HOPS,
    },
];

#[derive(Clone, Copy)]
struct Row<'a> {
    route: &'a Route,
    set: bool,
}

/// The routes of an owner, and whether they are in place. Static ones always are; the others while their instance is master.
fn routes<'a>(scene: &Scene<'a>, owner: u32) -> Option<(&'a [Route], bool)> {
    let Some(place) = place(owner) else { return Some((&scene.config().static_routes, true)) };
    let instance = scene.instance_at(place)?;
    Some((&instance.config.routes, instance.state() == State::Master))
}

fn route<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<Row<'a>> {
    let [owner, number, ..] = index else { return None };
    let (routes, set) = routes(scene, *owner)?;
    Some(Row { route: routes.get(place(*number)?)?, set })
}

/// The hops of a multipath route. The first gateway of `or` stands in the route itself.
fn hops(route: &Route) -> &[Hop] {
    &route.hops
}

fn hop<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a Hop> {
    let route = route(scene, index)?.route;
    route.hops.get(place(*index.get(2)?)?)
}

fn metric<'a, T>(row: Row<'a>, which: fn(&RouteMetrics) -> &Option<Lockable<T>>) -> Option<&'a Lockable<T>> {
    which(row.route.metrics.as_deref()?).as_ref()
}

fn number(row: Row<'_>, which: fn(&RouteMetrics) -> &Option<Lockable<u32>>) -> Option<Value> {
    metric(row, which).map(|metric| gauge(metric.value))
}

fn millis(row: Row<'_>, which: fn(&RouteMetrics) -> &Option<Lockable<Duration>>) -> Option<Value> {
    metric(row, which).map(|metric| gauge(metric.value.as_millis()))
}

fn lock<T>(row: Row<'_>, which: fn(&RouteMetrics) -> &Option<Lockable<T>>) -> Option<Value> {
    metric(row, which).map(|metric| truth(metric.locked))
}

fn plain(row: Row<'_>, which: fn(&RouteMetrics) -> Option<u32>) -> Option<Value> {
    row.route.metrics.as_deref().and_then(which).map(gauge)
}

/// `default` has no destination in keepalived's tables.
fn destination(row: Row<'_>) -> Option<IpAddr> {
    let destination = row.route.destination;
    (!(destination.address.is_unspecified() && destination.length == 0)).then_some(destination.address)
}

fn to(realms: Option<Realms>) -> Option<Value> {
    realms.map(|realms| gauge(realms.to))
}

fn from(realms: Option<Realms>) -> Option<Value> {
    realms.filter(|realms| realms.from != 0).map(|realms| gauge(realms.from))
}

const ROUTES: &[Column] = columns! { route as row in scene;
    2 vrrpRouteAddressType = truth(row.route.family == Family::V4);
    3 vrrpRouteDestination = destination(row).map(address);
    4 vrrpRouteDestinationMask = destination(row).map(|_| gauge(row.route.destination.length));
    5 vrrpRouteGateway = row.route.hop.gateway.map(address);
    6 vrrpRouteSecondaryGateway = match hops(row.route) {
        [hop] if hop.encapsulation.is_none() => hop.gateway.map(address),
        _ => None,
    };
    7 vrrpRouteSource = row.route.source.map(address);
    8 vrrpRouteMetric = gauge(row.route.metric.unwrap_or(0));
    9 vrrpRouteScope = scope(row.route.scope.unwrap_or(0));
    10 vrrpRouteType = integer(if hops(row.route).is_empty() { kind_number(row.route.kind) } else { 2 });
    11 vrrpRouteIfIndex = row.route.hop.device.map(|device| integer(scene.index_of(Some(device))));
    12 vrrpRouteIfName = row.route.hop.device.map(|device| text(device.as_bytes()));
    13 vrrpRouteRoutingTable = gauge(row.route.table);
    14 vrrpRouteStatus = truth(row.set);
    15 vrrpRouteFromAddress = row.route.from.map(|from| address(from.address));
    16 vrrpRouteFromAddressMask = row.route.from.map(|from| gauge(from.length));
    17 vrrpRouteTos = (row.route.tos != 0).then(|| gauge(row.route.tos));
    18 vrrpRouteProtocol = row.route.protocol.map(|protocol| integer(u16::from(protocol).saturating_add(1)));
    19 vrrpRouteECN = truth(row.route.metrics.as_ref().is_some_and(|metrics| metrics.ecn));
    20 vrrpRouteQuickAck = truth(row.route.metrics.as_ref().is_some_and(|metrics| metrics.quickack.is_some()));
    21 vrrpRouteExpires = row.route.expires.map(integer);
    22 vrrpRouteMTU = number(row, |metrics| &metrics.mtu);
    23 vrrpRouteMTULock = lock(row, |metrics| &metrics.mtu);
    24 vrrpRouteHopLimit = plain(row, |metrics| metrics.hoplimit.map(u32::from));
    25 vrrpRouteAdvmss = number(row, |metrics| &metrics.advmss);
    26 vrrpRouteAdvmssLock = lock(row, |metrics| &metrics.advmss);
    27 vrrpRouteRTT = millis(row, |metrics| &metrics.rtt);
    28 vrrpRouteRTTLock = lock(row, |metrics| &metrics.rtt);
    29 vrrpRouteRTTvar = millis(row, |metrics| &metrics.rttvar);
    30 vrrpRouteRTTvarLock = lock(row, |metrics| &metrics.rttvar);
    31 vrrpRouteReordering = number(row, |metrics| &metrics.reordering);
    32 vrrpRouteReorderingLock = lock(row, |metrics| &metrics.reordering);
    33 vrrpRouteWindow = plain(row, |metrics| metrics.window);
    34 vrrpRouteCwnd = number(row, |metrics| &metrics.cwnd);
    35 vrrpRouteCwndLock = lock(row, |metrics| &metrics.cwnd);
    36 vrrpRouteSSthresh = number(row, |metrics| &metrics.ssthresh);
    37 vrrpRouteSSthreshLock = lock(row, |metrics| &metrics.ssthresh);
    38 vrrpRouteRTOMin = millis(row, |metrics| &metrics.rto_min);
    39 vrrpRouteRTOMinLock = lock(row, |metrics| &metrics.rto_min);
    40 vrrpRouteInitCwnd = plain(row, |metrics| metrics.initcwnd);
    41 vrrpRouteInitRwnd = plain(row, |metrics| metrics.initrwnd);
    42 vrrpRouteCongCtl = metric(row, |metrics| &metrics.congestion_control).map(|metric| text(&metric.value));
    // ICMPV6_ROUTER_PREF_*: medium is 0, high is 1, low is 3
    43 vrrpRoutePref = row.route.preference.map(|preference| integer(match preference {
        0 => 2,
        1 => 3,
        3 => 1,
        _ => 0,
    }));
    44 vrrpRouteRealmDst = to(row.route.hop.realms);
    45 vrrpRouteRealmSrc = from(row.route.hop.realms);
    46 vrrpRouteEncapType = encapsulation_type(&row.route.hop);
    47 vrrpRouteEncapMplsLabels = labels(&row.route.hop);
    48 vrrpRouteEncapId = header(&row.route.hop).and_then(|header| header.id).map(counter64);
    49 vrrpRouteEncapDstAddress = header(&row.route.hop).and_then(|header| header.destination).map(address);
    50 vrrpRouteEncapSrcAddress = header(&row.route.hop).and_then(|header| header.source).map(address);
    51 vrrpRouteEncapTOS = header(&row.route.hop).and_then(|header| header.tos).map(gauge);
    52 vrrpRouteEncapTTL = header(&row.route.hop).and_then(|header| header.ttl).map(gauge);
    53 vrrpRouteEncapFlags = header(&row.route.hop).and_then(|header| header.flags).map(gauge);
    54 vrrpRouteEncapIlaLocator = locator(&row.route.hop);
    55 vrrpRouteFastOpenNoCookie =
        row.route.metrics.as_ref().and_then(|metrics| metrics.fastopen_no_cookie).map(truth);
};

const HOPS: &[Column] = columns! { hop as hop in scene;
    2 vrrpRouteNextHopAddressType = hop.gateway.map(kind);
    3 vrrpRouteNextHopAddress = hop.gateway.map(address);
    4 vrrpRouteNextHopIfIndex = hop.device.map(|device| integer(scene.index_of(Some(device))));
    5 vrrpRouteNextHopIfName = hop.device.map(|device| text(device.as_bytes()));
    6 vrrpRouteNextHopWeight = hop.weight.map(gauge);
    7 vrrpRouteNextHopOnlink = truth(hop.onlink);
    8 vrrpRouteNextHopRealmDst = to(hop.realms);
    9 vrrpRouteNextHopRealmSrc = from(hop.realms);
    10 vrrpRouteNextHopEncapType = encapsulation_type(hop);
    11 vrrpRouteNextHopEncapMplsLabels = labels(hop);
    12 vrrpRouteNextHopEncapId = header(hop).and_then(|header| header.id).map(counter64);
    13 vrrpRouteNextHopEncapDstAddress = header(hop).and_then(|header| header.destination).map(address);
    14 vrrpRouteNextHopEncapSrcAddress = header(hop).and_then(|header| header.source).map(address);
    15 vrrpRouteNextHopEncapTOS = header(hop).and_then(|header| header.tos).map(gauge);
    16 vrrpRouteNextHopEncapTTL = header(hop).and_then(|header| header.ttl).map(gauge);
    17 vrrpRouteNextHopEncapFlags = header(hop).and_then(|header| header.flags).map(gauge);
    18 vrrpRouteNextHopEncapIlaLocator = locator(hop);
};

const fn kind_number(kind: RouteKind) -> i32 {
    match kind {
        RouteKind::Unicast | RouteKind::Local => 1,
        RouteKind::Blackhole => 3,
        RouteKind::Anycast => 4,
        RouteKind::Multicast => 5,
        RouteKind::Broadcast => 6,
        RouteKind::Unreachable => 7,
        RouteKind::Prohibit => 8,
        RouteKind::Throw => 9,
        RouteKind::Nat => 10,
        RouteKind::Xresolve => 11,
    }
}

/// `LWTUNNEL_ENCAP_*` plus 1.
fn encapsulation_type(hop: &Hop) -> Option<Value> {
    Some(integer(match hop.encapsulation.as_deref()? {
        Encapsulation::Mpls(_) => 2,
        Encapsulation::Ip(_) => 3,
        Encapsulation::Ila(_) => 4,
        Encapsulation::Ip6(_) => 5,
    }))
}

fn header(hop: &Hop) -> Option<&EncapsulationHeader> {
    match hop.encapsulation.as_deref()? {
        Encapsulation::Ip(header) | Encapsulation::Ip6(header) => Some(header),
        Encapsulation::Mpls(_) | Encapsulation::Ila(_) => None,
    }
}

fn labels(hop: &Hop) -> Option<Value> {
    match hop.encapsulation.as_deref()? {
        Encapsulation::Mpls(labels) => Some(text(labels.iter().map(u32::to_string).collect::<Vec<_>>().join("/"))),
        Encapsulation::Ip(_) | Encapsulation::Ip6(_) | Encapsulation::Ila(_) => None,
    }
}

fn locator(hop: &Hop) -> Option<Value> {
    match hop.encapsulation.as_deref()? {
        Encapsulation::Ila(locator) => Some(counter64(*locator)),
        Encapsulation::Ip(_) | Encapsulation::Ip6(_) | Encapsulation::Mpls(_) => None,
    }
}
