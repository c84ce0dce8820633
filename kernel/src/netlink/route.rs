//! `RTM_*ROUTE`: routes as the kernel tells them, and how it is asked to change them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_core::network::route::{Encapsulation, Hop, Placement, Prefix, Route, RouteKey, Tunnel, kind};
use keepalived_core::network::{LinkIndex, route};
use keepalived_core::vrrp::Family;

use super::codec::{self, Attributes, Batch, u16_at, u32_at};

/// `RTM_NEWROUTE`
pub(crate) const NEW_ROUTE: u16 = 24;
/// `RTM_DELROUTE`
pub(crate) const DELETE_ROUTE: u16 = 25;
/// `RTM_GETROUTE`
const GET_ROUTE: u16 = 26;

pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_FLOW: u16 = 11;
const RTA_CACHEINFO: u16 = 12;
const RTA_TABLE: u16 = 15;
const RTA_PREF: u16 = 20;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTA_EXPIRES: u16 = 23;
const RTA_TTL_PROPAGATE: u16 = 26;

/// `RTAX_CC_ALGO`
const CONGESTION_CONTROL: u16 = 16;
/// `RTNH_F_ONLINK`
const ONLINK: u8 = 4;

const ENCAP_MPLS: u16 = 1;
const ENCAP_IP: u16 = 2;
const ENCAP_ILA: u16 = 3;
const ENCAP_IP6: u16 = 4;
const MPLS_DST: u16 = 1;
const ILA_LOCATOR: u16 = 1;
const TUNNEL_ID: u16 = 1;
const TUNNEL_DST: u16 = 2;
const TUNNEL_SRC: u16 = 3;
/// `LWTUNNEL_IP_TTL`, `LWTUNNEL_IP6_HOPLIMIT`
const TUNNEL_TTL: u16 = 4;
/// `LWTUNNEL_IP_TOS`, `LWTUNNEL_IP6_TC`
const TUNNEL_TOS: u16 = 5;
const TUNNEL_FLAGS: u16 = 6;

/// `AF_*` of a family.
pub(super) const fn number(family: Family) -> u8 {
    match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    }
}

pub(super) fn write_ip(batch: &mut Batch, kind: u16, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => batch.attribute(kind, &ip.octets()),
        IpAddr::V6(ip) => batch.attribute(kind, &ip.octets()),
    }
}

pub(super) fn read_ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => <[u8; 4]>::try_from(value).ok().map(|octets| Ipv4Addr::from(octets).into()),
        _ => <[u8; 16]>::try_from(value).ok().map(|octets| Ipv6Addr::from(octets).into()),
    }
}

/// Asks for the routes of one family that bear our mark. The kernel looks for them among all it has and sends these alone: so
/// a machine with a full BGP table costs us a walk of the kernel through it, and neither memory nor reading.
pub(crate) fn write_get_ours(batch: &mut Batch, flags: u16, sequence: u32, family: Family) {
    let header = [number(family), 0, 0, 0, 0, route::OUR_PROTOCOL, 0, 0, 0, 0, 0, 0];
    batch.begin(GET_ROUTE, flags, sequence, &header);
    batch.end();
}

/// Asks for `route` to be there.
pub(crate) fn write_new(batch: &mut Batch, flags: u16, sequence: u32, route: &Route) {
    let placed = match route.placement {
        Placement::Prepend => codec::CREATE,
        Placement::Add => codec::CREATE | codec::EXCLUSIVE,
        Placement::Append => codec::CREATE | codec::APPEND,
    };
    let one = if let [hop] = route.hops.as_slice() { Some(hop) } else { None };
    let onlink = one.is_some_and(|hop| hop.onlink);
    begin(batch, (NEW_ROUTE, flags | placed, sequence), &route.key(), route.scope, if onlink { ONLINK } else { 0 });
    if let Some(source) = route.source {
        write_ip(batch, RTA_PREFSRC, source);
    }
    match one {
        Some(hop) => write_hop(batch, hop),
        None if route.hops.is_empty() => {}
        None => batch.nested(RTA_MULTIPATH, |batch| {
            route.hops.iter().for_each(|hop| {
                let flags = if hop.onlink { ONLINK } else { 0 };
                batch.next_hop(flags, hop.hops, hop.link.map_or(0, |link| link.0), |batch| {
                    write_way(batch, hop);
                });
            });
        }),
    }
    if !route.metrics.is_empty() || route.congestion_control.is_some() {
        batch.nested(RTA_METRICS, |batch| {
            route.metrics.iter().for_each(|(metric, value)| batch.attribute(*metric, &value.to_ne_bytes()));
            if let Some(name) = &route.congestion_control {
                batch.text(CONGESTION_CONTROL, name);
            }
        });
    }
    if route.family() == Family::V6 {
        if let Some(seconds) = route.expires {
            batch.attribute(RTA_EXPIRES, &seconds.to_ne_bytes());
        }
        if route.preference != 0 {
            batch.attribute(RTA_PREF, &[route.preference]);
        }
    }
    if let Some(propagate) = route.ttl_propagate {
        batch.attribute(RTA_TTL_PROPAGATE, &[propagate.into()]);
    }
    batch.end();
}

/// Asks for a route to be gone.
pub(crate) fn write_delete(batch: &mut Batch, flags: u16, sequence: u32, key: &RouteKey) {
    begin(batch, (DELETE_ROUTE, flags, sequence), key, key.scope, 0);
    // of an IPv6 route with several ways the kernel would remove this way only
    if key.family() == Family::V4 || !key.several {
        if let Some(gateway) = key.gateway {
            write_ip(batch, RTA_GATEWAY, gateway);
        }
        if let Some(link) = key.link {
            batch.attribute(RTA_OIF, &link.0.to_ne_bytes());
        }
    }
    batch.end();
}

/// What all messages about a route have.
fn begin(batch: &mut Batch, (what, flags, sequence): (u16, u16, u32), key: &RouteKey, scope: u8, route_flags: u8) {
    let from = key.from.map_or(0, |from| from.length);
    // the low octet of a number that does not fit says "see the attribute"
    let table = u8::try_from(key.table).unwrap_or(0);
    let scope = if key.family() == Family::V4 { scope } else { 0 };
    let family = number(key.family());
    let header =
        [family, key.destination.length, from, key.tos, table, key.protocol, scope, key.kind, route_flags, 0, 0, 0];
    batch.begin(what, flags, sequence, &little_endian_flags(header));
    if key.destination.length > 0 {
        write_ip(batch, RTA_DST, key.destination.address);
    }
    if let Some(from) = key.from {
        write_ip(batch, RTA_SRC, from.address);
    }
    batch.attribute(RTA_TABLE, &key.table.to_ne_bytes());
    if key.metric != 0 {
        batch.attribute(RTA_PRIORITY, &key.metric.to_ne_bytes());
    }
}

/// `rtm_flags` are a number of 32 bits in the machine's order; we use the low octet only.
fn little_endian_flags(mut header: [u8; 12]) -> [u8; 12] {
    let flags = header.get(8).copied().unwrap_or(0);
    header.iter_mut().skip(8).zip(u32::from(flags).to_ne_bytes()).for_each(|(to, from)| *to = from);
    header
}

fn write_hop(batch: &mut Batch, hop: &Hop) {
    if let Some(link) = hop.link {
        batch.attribute(RTA_OIF, &link.0.to_ne_bytes());
    }
    write_way(batch, hop);
}

/// A way, but for its link.
fn write_way(batch: &mut Batch, hop: &Hop) {
    if let Some(gateway) = hop.gateway {
        write_ip(batch, RTA_GATEWAY, gateway);
    }
    if let Some(realms) = hop.realms {
        batch.attribute(RTA_FLOW, &realms.to_ne_bytes());
    }
    if let Some(encapsulation) = &hop.encapsulation {
        let kind = match encapsulation {
            Encapsulation::Ip(_) => ENCAP_IP,
            Encapsulation::Ip6(_) => ENCAP_IP6,
            Encapsulation::Mpls(_) => ENCAP_MPLS,
            Encapsulation::Ila(_) => ENCAP_ILA,
        };
        batch.attribute(RTA_ENCAP_TYPE, &kind.to_ne_bytes());
        batch.nested(RTA_ENCAP, |batch| write_encapsulation(batch, encapsulation));
    }
}

fn write_encapsulation(batch: &mut Batch, encapsulation: &Encapsulation) {
    match encapsulation {
        Encapsulation::Ip(tunnel) | Encapsulation::Ip6(tunnel) => {
            batch.attribute(TUNNEL_ID, &tunnel.id.to_be_bytes());
            if let Some(destination) = tunnel.destination {
                write_ip(batch, TUNNEL_DST, destination);
            }
            if let Some(source) = tunnel.source {
                write_ip(batch, TUNNEL_SRC, source);
            }
            batch.attribute(TUNNEL_TTL, &[tunnel.ttl]);
            batch.attribute(TUNNEL_TOS, &[tunnel.tos]);
            if tunnel.flags != 0 {
                batch.attribute(TUNNEL_FLAGS, &tunnel.flags.to_be_bytes());
            }
        }
        Encapsulation::Mpls(labels) => {
            // RFC 3032 §2.1: label, traffic class, bottom of stack, TTL
            let last = labels.len().saturating_sub(1);
            let entry = |(at, label): (usize, &u32)| (label << 12 | u32::from(at == last) << 8).to_be_bytes();
            let stack: Vec<u8> = labels.iter().enumerate().flat_map(entry).collect();
            batch.attribute(MPLS_DST, &stack);
        }
        Encapsulation::Ila(locator) => batch.attribute(ILA_LOCATOR, &locator.to_be_bytes()),
    }
}

/// Reads a route. `None` for other families, and for what the kernel has learnt about single destinations.
pub(crate) fn read(body: &[u8]) -> Option<Route> {
    /// `RTM_F_CLONED`
    const CLONED: u32 = 0x200;
    let [family, length, from_length, tos, table, protocol, scope, kind] = *body.first_chunk()?;
    let flags = u32_at(body, 8)?;
    let family = match family {
        AF_INET => Family::V4,
        AF_INET6 => Family::V6,
        _ => return None,
    };
    if flags & CLONED != 0 {
        return None;
    }
    let everything = Prefix::everything(family);
    let mut route = Route {
        destination: Prefix { length, ..everything },
        from: (from_length > 0).then_some(Prefix { length: from_length, ..everything }),
        table: table.into(),
        tos,
        metric: 0,
        kind,
        protocol,
        scope: if family == Family::V4 { scope } else { 0 },
        source: None,
        hops: Vec::new(),
        metrics: BTreeMap::new(),
        congestion_control: None,
        preference: 0,
        expires: None,
        ttl_propagate: None,
        placement: Placement::Prepend,
        source_at: None,
    };
    let mut hop = Hop { onlink: flags & u32::from(ONLINK) != 0, ..Hop::default() };
    for (what, value) in Attributes(body.get(12..)?) {
        match what {
            RTA_DST => route.destination.address = read_ip(value)?,
            RTA_SRC => {
                if let Some(from) = &mut route.from {
                    from.address = read_ip(value)?;
                }
            }
            RTA_TABLE => route.table = u32_at(value, 0)?,
            RTA_PRIORITY => route.metric = u32_at(value, 0)?,
            RTA_PREFSRC => route.source = read_ip(value),
            RTA_OIF => hop.link = u32_at(value, 0).filter(|index| *index != 0).map(LinkIndex),
            RTA_METRICS => read_metrics(&mut route, value),
            RTA_MULTIPATH => route.hops = NextHops(value).collect(),
            // the kernel says when it is over, in its own units
            RTA_CACHEINFO => route.expires = u32_at(value, 8).filter(|ticks| *ticks != 0),
            RTA_PREF => route.preference = value.first().copied().unwrap_or(0),
            _ => {}
        }
    }
    read_way(&mut hop, body.get(12..)?);
    if route.hops.is_empty() && !kind::leads_nowhere(kind) {
        route.hops.push(hop);
    }
    Some(route)
}

fn read_metrics(route: &mut Route, octets: &[u8]) {
    for (metric, value) in Attributes(octets) {
        if metric == CONGESTION_CONTROL {
            let name = value.strip_suffix(&[0]).unwrap_or(value);
            route.congestion_control = Some(String::from_utf8_lossy(name).into_owned());
        } else if let Some(value) = u32_at(value, 0) {
            route.metrics.insert(metric, value);
        }
    }
}

/// Reads a way, but for its link.
fn read_way(hop: &mut Hop, octets: &[u8]) {
    let (mut tunnel_kind, mut tunnel) = (0, &[][..]);
    for (what, value) in Attributes(octets) {
        match what {
            RTA_GATEWAY => hop.gateway = read_ip(value),
            RTA_FLOW => hop.realms = u32_at(value, 0).filter(|realms| *realms != 0),
            RTA_ENCAP_TYPE => tunnel_kind = u16_at(value, 0).unwrap_or(0),
            RTA_ENCAP => tunnel = value,
            _ => {}
        }
    }
    hop.encapsulation = match tunnel_kind {
        ENCAP_IP => Some(Encapsulation::Ip(read_tunnel(tunnel))),
        ENCAP_IP6 => Some(Encapsulation::Ip6(read_tunnel(tunnel))),
        ENCAP_MPLS => Some(Encapsulation::Mpls(read_labels(tunnel))),
        ENCAP_ILA => Some(Encapsulation::Ila(read_locator(tunnel))),
        _ => None,
    };
}

fn read_tunnel(octets: &[u8]) -> Tunnel {
    let said = |ip: IpAddr| Some(ip).filter(|ip| !ip.is_unspecified());
    let mut tunnel = Tunnel::default();
    for (what, value) in Attributes(octets) {
        match what {
            TUNNEL_ID => tunnel.id = value.first_chunk().map_or(0, |id| u64::from_be_bytes(*id)),
            TUNNEL_DST => tunnel.destination = read_ip(value).and_then(said),
            TUNNEL_SRC => tunnel.source = read_ip(value).and_then(said),
            TUNNEL_TTL => tunnel.ttl = value.first().copied().unwrap_or(0),
            TUNNEL_TOS => tunnel.tos = value.first().copied().unwrap_or(0),
            TUNNEL_FLAGS => tunnel.flags = value.first_chunk().map_or(0, |flags| u16::from_be_bytes(*flags)),
            _ => {}
        }
    }
    tunnel
}

fn read_labels(octets: &[u8]) -> Vec<u32> {
    let stack = Attributes(octets).find(|(what, _)| *what == MPLS_DST).map(|(_, value)| value).unwrap_or_default();
    let entries = stack.chunks_exact(4).filter_map(|entry| entry.first_chunk());
    entries.map(|entry| u32::from_be_bytes(*entry) >> 12).collect()
}

fn read_locator(octets: &[u8]) -> u64 {
    let locator = Attributes(octets).find(|(what, _)| *what == ILA_LOCATOR).map(|(_, value)| value);
    locator.and_then(|value| value.first_chunk()).map_or(0, |value| u64::from_be_bytes(*value))
}

/// `struct rtnexthop`, each with attributes; ends at the first that is malformed.
struct NextHops<'a>(&'a [u8]);

impl Iterator for NextHops<'_> {
    type Item = Hop;

    fn next(&mut self) -> Option<Hop> {
        let length = usize::from(u16_at(self.0, 0)?);
        let [flags, hops] = *self.0.get(2..)?.first_chunk()?;
        let link = u32_at(self.0, 4)?;
        let attributes = self.0.get(8..length)?;
        let mut hop = Hop {
            link: Some(link).filter(|index| *index != 0).map(LinkIndex),
            hops,
            onlink: flags & ONLINK != 0,
            ..Hop::default()
        };
        read_way(&mut hop, attributes);
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(hop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::{Messages, REQUEST};
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
    }

    /// A route with everything that one of its family can have.
    fn full(destination: &str) -> Route {
        let destination = prefix(destination);
        let v4 = destination.address.is_ipv4();
        let gateway = |n: u8| if v4 { format!("192.0.2.{n}") } else { format!("2001:db8::{n}") }.parse().ok();
        let tunnel = Tunnel { id: 7, destination: gateway(9), source: None, tos: 4, ttl: 64, flags: 1 };
        let hop = |n: u8, encapsulation| Hop {
            gateway: gateway(n),
            link: Some(LinkIndex(n.into())),
            hops: n,
            onlink: n == 1,
            encapsulation: Some(encapsulation),
            realms: v4.then_some(0x0003_0004),
        };
        Route {
            from: (!v4).then(|| prefix("2001:db8:1::/48")),
            table: 1000,
            tos: if v4 { 8 } else { 0 },
            metric: 77,
            scope: if v4 { 253 } else { 0 },
            source: gateway(200),
            hops: vec![
                hop(1, Encapsulation::Mpls(vec![100, 1_048_575])),
                hop(2, if v4 { Encapsulation::Ip(tunnel) } else { Encapsulation::Ip6(tunnel) }),
                hop(3, Encapsulation::Ila(0x0123_4567_89ab_cdef)),
            ],
            metrics: [(1, 4), (2, 1400), (10, 64)].into(),
            congestion_control: Some("reno".into()),
            preference: if v4 { 0 } else { 3 },
            ..Route::plain(destination, Hop::default())
        }
    }

    fn body_of(route: &Route) -> Vec<u8> {
        let mut batch = Batch::default();
        write_new(&mut batch, REQUEST, 1, route);
        Messages(batch.octets()).next().unwrap().unwrap().body.to_vec()
    }

    #[test]
    fn a_route_is_read_as_it_was_written() {
        for destination in ["10.0.0.0/8", "0.0.0.0/0", "2001:db8:2::/48", "::/0"] {
            let mut wish = full(destination);
            assert_eq!(read(&body_of(&wish)), Some(wish.clone()));
            wish.hops.truncate(1);
            wish.hops[0].hops = 0;
            (wish.table, wish.metric) = (254, 0);
            assert_eq!(read(&body_of(&wish)), Some(wish.clone()));
            (wish.kind, wish.hops) = (kind::BLACKHOLE, Vec::new());
            assert_eq!(read(&body_of(&wish)), Some(wish));
        }
    }

    #[test]
    fn a_removal_names_its_route() {
        let mut wish = full("10.0.0.0/8");
        wish.hops.truncate(1);
        let mut batch = Batch::default();
        write_delete(&mut batch, REQUEST, 1, &wish.key());
        let message = Messages(batch.octets()).next().unwrap().unwrap();
        assert_eq!((message.kind, read(message.body).unwrap().key()), (DELETE_ROUTE, wish.key()));
    }

    #[test]
    fn no_truncation_and_no_changed_octet_panics() {
        for destination in ["10.0.0.0/8", "2001:db8:2::/48"] {
            let body = body_of(&full(destination));
            for length in 0..body.len() {
                let _may_be_less = read(&body[..length]);
                for octet in [0, 1, 4, 0x7f, 0xff] {
                    let mut changed = body.clone();
                    changed[length] = octet;
                    let _may_be_other = read(&changed);
                }
            }
        }
    }
}
