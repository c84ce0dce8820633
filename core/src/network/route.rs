//! Routes as the kernel has them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AddressKey, LinkIndex};
use crate::vrrp::Family;

/// `RTPROT_KEEPALIVED`: the mark of what is ours among routes and rules.
pub const OUR_PROTOCOL: u8 = 18;

/// An address and how many of its bits count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix {
    /// As the kernel is told: the destination of a route has zeros behind `length`.
    pub address: IpAddr,
    /// 0 to 32 or 128.
    pub length: u8,
}

impl Prefix {
    /// Everything of one family.
    pub const fn everything(family: Family) -> Self {
        let address = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Self { address, length: 0 }
    }

    /// The same with zeros behind `length`.
    pub fn masked(self) -> Self {
        let address = match self.address {
            IpAddr::V4(ip) => {
                let host = u32::MAX.checked_shr(self.length.into()).unwrap_or(0);
                Ipv4Addr::from_bits(ip.to_bits() & !host).into()
            }
            IpAddr::V6(ip) => {
                let host = u128::MAX.checked_shr(self.length.into()).unwrap_or(0);
                Ipv6Addr::from_bits(ip.to_bits() & !host).into()
            }
        };
        Self { address, ..self }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            0 => f.write_str("default"),
            length => write!(f, "{}/{length}", self.address),
        }
    }
}

/// What tells one route from another. The kernel compares more where several routes lead to one place: the ways that
/// they lead. Of several ways of one route the first counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouteKey {
    /// Where to.
    pub destination: Prefix,
    /// Of packets from there only; IPv6.
    pub from: Option<Prefix>,
    /// Number of the table.
    pub table: u32,
    /// Of packets with this TOS only; IPv4.
    pub tos: u8,
    /// `RTA_PRIORITY`
    pub metric: u32,
    /// `RTN_*`
    pub kind: u8,
    /// `RTPROT_*`
    pub protocol: u8,
    /// `RT_SCOPE_*`; 0 for IPv6. Without it a removal of the route by a link alone could meet one by a gateway.
    pub scope: u8,
    /// Whether it has several ways: of IPv6 ones each can be removed alone.
    pub several: bool,
    /// Gateway of the first way.
    pub gateway: Option<IpAddr>,
    /// Link of the first way. Absent with a gateway that says it: the kernel may have found the link itself.
    pub link: Option<LinkIndex>,
}

impl RouteKey {
    /// The family of everything in it.
    pub const fn family(&self) -> Family {
        Family::of(self.destination.address)
    }

    /// The same for routes that lead to one place by one gateway each, and differ by that alone.
    pub fn without_gateway(&self) -> Option<Self> {
        let by_gateway = self.gateway.is_some() && !self.several;
        by_gateway.then_some(Self { gateway: None, link: None, ..*self })
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            kind::BLACKHOLE => f.write_str("blackhole ")?,
            kind::UNREACHABLE => f.write_str("unreachable ")?,
            kind::PROHIBIT => f.write_str("prohibit ")?,
            kind::THROW => f.write_str("throw ")?,
            _ => {}
        }
        self.destination.fmt(f)?;
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        if self.table != MAIN_TABLE {
            write!(f, " table {}", self.table)?;
        }
        if self.metric != default_metric(self.family()) {
            write!(f, " metric {}", self.metric)?;
        }
        Ok(())
    }
}

/// `RT_TABLE_MAIN`
pub const MAIN_TABLE: u32 = 254;

/// The metric of a route for which none is given.
pub const fn default_metric(family: Family) -> u32 {
    match family {
        Family::V4 => 0,
        // `IP6_RT_PRIO_USER`
        Family::V6 => 1024,
    }
}

/// `RTN_*`: what becomes of a packet.
#[expect(missing_docs, reason = "the words of ip-route(8)")]
pub mod kind {
    pub const UNICAST: u8 = 1;
    pub const LOCAL: u8 = 2;
    pub const BROADCAST: u8 = 3;
    pub const ANYCAST: u8 = 4;
    pub const MULTICAST: u8 = 5;
    pub const BLACKHOLE: u8 = 6;
    pub const UNREACHABLE: u8 = 7;
    pub const PROHIBIT: u8 = 8;
    pub const THROW: u8 = 9;
    pub const NAT: u8 = 10;
    pub const XRESOLVE: u8 = 11;

    /// Whether it leads nowhere, so that it has no way.
    pub const fn leads_nowhere(kind: u8) -> bool {
        matches!(kind, BLACKHOLE | UNREACHABLE | PROHIBIT | THROW)
    }
}

/// A route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Where to.
    pub destination: Prefix,
    /// Of packets from there only; IPv6.
    pub from: Option<Prefix>,
    /// Number of the table.
    pub table: u32,
    /// Of packets with this TOS only; IPv4.
    pub tos: u8,
    /// `RTA_PRIORITY`
    pub metric: u32,
    /// `RTN_*`, see [`kind`].
    pub kind: u8,
    /// `RTPROT_*`
    pub protocol: u8,
    /// `RT_SCOPE_*`; 0 for IPv6.
    pub scope: u8,
    /// `RTA_PREFSRC`
    pub source: Option<IpAddr>,
    /// Ways to the next router: none for a route that leads nowhere, usually one.
    pub hops: Vec<Hop>,
    /// `RTAX_*` and their values, as the kernel has them; `RTAX_LOCK` holds a bit for each that is locked.
    pub metrics: BTreeMap<u16, u32>,
    /// `RTAX_CC_ALGO`
    pub congestion_control: Option<String>,
    /// `RTA_PREF`: `ICMPV6_ROUTER_PREF_*`; 0 is medium.
    pub preference: u8,
    /// `RTA_EXPIRES`: seconds; IPv6.
    pub expires: Option<u32>,
    /// `RTA_TTL_PROPAGATE`; the kernel does not tell it of IP routes.
    pub ttl_propagate: Option<bool>,
    /// Where among others to the same place it is put; the kernel does not tell.
    pub placement: Placement,
    /// The address of ours that `source` is: without it the kernel refuses the route.
    pub source_at: Option<AddressKey>,
}

/// Where among routes to the same place a new one is put.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Placement {
    /// Before them.
    #[default]
    Prepend,
    /// Nowhere if there is one.
    Add,
    /// After them.
    Append,
}

/// A way to the next router.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hop {
    /// `RTA_GATEWAY`
    pub gateway: Option<IpAddr>,
    /// `RTA_OIF`; absent: the kernel finds it by the gateway.
    pub link: Option<LinkIndex>,
    /// Weight less one, as the kernel has it (`rtnh_hops`).
    pub hops: u8,
    /// `RTNH_F_ONLINK`
    pub onlink: bool,
    /// `RTA_ENCAP`
    pub encapsulation: Option<Encapsulation>,
    /// `RTA_FLOW`: realms, FROM in the upper 16 bits; IPv4.
    pub realms: Option<u32>,
}

/// `encap`: a lightweight tunnel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Encapsulation {
    /// `LWTUNNEL_ENCAP_IP`
    Ip(Tunnel),
    /// `LWTUNNEL_ENCAP_IP6`
    Ip6(Tunnel),
    /// `LWTUNNEL_ENCAP_MPLS`: labels, outermost first.
    Mpls(Vec<u32>),
    /// `LWTUNNEL_ENCAP_ILA`: the locator.
    Ila(u64),
}

/// What an IP tunnel puts around a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tunnel {
    /// `LWTUNNEL_IP_ID`
    pub id: u64,
    /// `LWTUNNEL_IP_DST`; absent: none.
    pub destination: Option<IpAddr>,
    /// `LWTUNNEL_IP_SRC`; absent: none.
    pub source: Option<IpAddr>,
    /// `LWTUNNEL_IP_TOS` or `LWTUNNEL_IP6_TC`
    pub tos: u8,
    /// `LWTUNNEL_IP_TTL` or `LWTUNNEL_IP6_HOPLIMIT`
    pub ttl: u8,
    /// `LWTUNNEL_IP_FLAGS`
    pub flags: u16,
}

impl Route {
    /// A unicast route of ours with nothing out of the ordinary.
    pub fn plain(destination: Prefix, hop: Hop) -> Self {
        let family = Family::of(destination.address);
        Self {
            destination,
            from: None,
            table: MAIN_TABLE,
            tos: 0,
            metric: default_metric(family),
            kind: kind::UNICAST,
            protocol: OUR_PROTOCOL,
            scope: if family == Family::V4 && hop.gateway.is_none() { 253 } else { 0 },
            source: None,
            hops: vec![hop],
            metrics: BTreeMap::new(),
            congestion_control: None,
            preference: 0,
            expires: None,
            ttl_propagate: None,
            placement: Placement::Prepend,
            source_at: None,
        }
    }

    /// Which route it is.
    pub fn key(&self) -> RouteKey {
        let first = self.hops.first();
        let gateway = first.and_then(|hop| hop.gateway);
        let link_alone = gateway.is_none_or(|ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
        RouteKey {
            destination: self.destination,
            from: self.from,
            table: self.table,
            tos: self.tos,
            metric: self.metric,
            kind: self.kind,
            protocol: self.protocol,
            scope: self.scope,
            several: self.hops.len() > 1,
            gateway,
            link: first.and_then(|hop| hop.link).filter(|_| link_alone),
        }
    }

    /// The family of everything in it.
    pub const fn family(&self) -> Family {
        Family::of(self.destination.address)
    }

    /// Whether one of its ways goes by `link`.
    pub fn is_on(&self, link: LinkIndex) -> bool {
        self.hops.iter().any(|hop| hop.link == Some(link))
    }

    /// Whether this route, as the kernel has it, is what `wish` asks for.
    pub fn fulfils(&self, wish: &Self) -> bool {
        self.key() == wish.key()
            && self.source == wish.source
            && self.metrics == wish.metrics
            && self.congestion_control == wish.congestion_control
            && self.preference == wish.preference
            && self.expires.is_some() == wish.expires.is_some()
            && self.hops.len() == wish.hops.len()
            && self.hops.iter().zip(&wish.hops).all(|(there, wish)| there.fulfils(wish))
    }
}

impl Route {
    /// Whether this route of several ways, as the kernel has it, holds the route of one way that `wish` asks for: IPv6 routes to one place make
    /// one.
    pub fn contains(&self, wish: &Self) -> bool {
        let all = self.key();
        let same = RouteKey { several: false, gateway: None, link: None, ..all };
        all.several
            && Some(same) == wish.key().without_gateway()
            && wish.hops.iter().all(|wish| self.hops.iter().any(|there| there.fulfils(wish)))
    }
}

impl Hop {
    fn fulfils(&self, wish: &Self) -> bool {
        let link = wish.link.or(self.link);
        Self { link, ..self.clone() } == Self { link, ..wish.clone() }
            && (wish.link.is_none() || self.link == wish.link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
    }

    fn by(gateway: Option<&str>, link: Option<u32>) -> Hop {
        Hop { gateway: gateway.map(|ip| ip.parse().unwrap()), link: link.map(LinkIndex), ..Hop::default() }
    }

    #[test]
    fn bits_behind_the_length_are_cleared() {
        for (text, masked) in [
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("192.0.2.77/32", "192.0.2.77/32"),
            ("192.0.2.77/0", "0.0.0.0/0"),
            ("2001:db8::7/64", "2001:db8::/64"),
            ("2001:db8::7/128", "2001:db8::7/128"),
            ("2001:db8::7/0", "::/0"),
        ] {
            assert_eq!(prefix(text).masked(), prefix(masked), "{text}");
        }
    }

    // the kernel tells the link that it found by the gateway
    #[test]
    fn a_route_by_a_gateway_is_the_same_whatever_its_link() {
        let route = |gateway, link| Route::plain(prefix("10.0.0.0/8"), by(gateway, link));
        let (wish, there) = (route(Some("192.0.2.254"), None), route(Some("192.0.2.254"), Some(3)));
        assert_eq!(wish.key(), there.key());
        assert!(there.fulfils(&wish));
        assert!(!there.fulfils(&route(Some("192.0.2.254"), Some(4))), "its link was said");
        assert_ne!(route(None, Some(3)).key(), route(None, Some(4)).key());
        let link_local = |link| Route::plain(prefix("2001:db8::/32"), by(Some("fe80::1"), Some(link)));
        assert_ne!(link_local(3).key(), link_local(4).key());
    }

    #[test]
    fn each_attribute_counts() {
        let wish = Route::plain(prefix("10.0.0.0/8"), by(Some("192.0.2.254"), Some(3)));
        let other = |change: fn(&mut Route)| {
            let mut there = wish.clone();
            change(&mut there);
            there
        };
        let changes: [fn(&mut Route); 5] = [
            |route| route.source = "192.0.2.1".parse().ok(),
            |route| route.metrics = [(2, 1400)].into(),
            |route| route.congestion_control = Some("reno".into()),
            |route| route.hops[0].onlink = true,
            |route| route.hops[0].realms = Some(3),
        ];
        for change in changes {
            let there = other(change);
            assert_eq!(there.key(), wish.key());
            assert!(!there.fulfils(&wish), "{there:?}");
        }
        assert!(other(|route| route.placement = Placement::Append).fulfils(&wish), "the kernel does not tell");
    }

    #[test]
    fn a_key_is_written_as_a_line_of_ip_route() {
        let plain = Route::plain(prefix("0.0.0.0/0"), by(Some("192.0.2.254"), None));
        let nowhere = Route {
            kind: kind::BLACKHOLE,
            hops: Vec::new(),
            table: 100,
            metric: 7,
            ..Route::plain(prefix("2001:db8::/32"), Hop::default())
        };
        assert_eq!(plain.key().to_string(), "default via 192.0.2.254");
        assert_eq!(nowhere.key().to_string(), "blackhole 2001:db8::/32 table 100 metric 7");
    }
}
