//! Routes and policy rules: `static_routes`, `static_rules`, and those that move with an instance.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::vrrp::Family;
use serde::{Deserialize, Serialize};

/// A line of `static_ipaddress`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StaticAddress {
    /// The address; its `device` is set.
    pub address: VirtualAddress,
    /// `track_group`: whose instances its deletion concerns.
    pub track_group: Option<String>,
}

/// `track_group`: instances that suffer when something static is deleted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrackGroup {
    /// Unique name.
    pub name: String,
    /// Names of instances that exist.
    pub members: Vec<String>,
}

/// An address and how many of its bits count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Prefix {
    /// As it is written.
    pub address: IpAddr,
    /// 0 to 32 or 128.
    pub length: u8,
}

/// A line of `virtual_routes` or `static_routes`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Of everything in it; IPv4 if nothing tells.
    pub family: Family,
    /// What becomes of a packet; unicast unless it is said.
    pub kind: RouteKind,
    /// Where to; all zeros with length 0 for `default`.
    pub destination: Prefix,
    /// `via`, `dev` and what belongs to them; all absent if there are `hops`.
    pub hop: Hop,
    /// `nexthop`, and the two gateways of `or`.
    pub hops: Vec<Hop>,
    /// `src`: the preferred source.
    pub source: Option<IpAddr>,
    /// `from`: IPv6 only.
    pub from: Option<Prefix>,
    /// `tos`
    pub tos: u8,
    /// `table`; 254 is `main`. With `vrf`, that of the device.
    pub table: u32,
    /// `vrf`
    pub vrf: Option<InterfaceName>,
    /// `protocol`; 18 is keepalived's own, which everything that is tracked has.
    pub protocol: Option<u8>,
    /// `scope`, `RT_SCOPE_*`.
    pub scope: Option<u8>,
    /// `metric`
    pub metric: Option<u32>,
    /// `expires`: seconds, IPv6 only.
    pub expires: Option<u32>,
    /// `pref`: `ICMPV6_ROUTER_PREF_*`, IPv6 only.
    pub preference: Option<u8>,
    /// `ttl-propagate`
    pub ttl_propagate: Option<bool>,
    /// `add`, `prepend` or `append`.
    pub placement: Placement,
    /// What connections over it are told; absent if nothing is said.
    pub metrics: Option<Box<RouteMetrics>>,
    /// Not `no_track`: whether its deletion concerns the instance.
    pub tracked: bool,
    /// `track_group`: static routes only.
    pub track_group: Option<String>,
}

/// `RTN_*` of Linux.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of ip-route(8)")]
pub enum RouteKind {
    Unicast,
    Local,
    Broadcast,
    Anycast,
    Multicast,
    Blackhole,
    Unreachable,
    Prohibit,
    Throw,
    Nat,
    Xresolve,
}

/// Where among routes to the same place a new one goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Placement {
    /// Before them.
    Prepend,
    /// Nowhere if there is one already.
    Add,
    /// After them.
    Append,
}

/// A way to the next router.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Hop {
    /// `via`
    pub gateway: Option<IpAddr>,
    /// `dev`
    pub device: Option<InterfaceName>,
    /// `weight`, 1 to 256; only among several.
    pub weight: Option<u16>,
    /// `onlink`: the gateway is reachable although no prefix says so.
    pub onlink: bool,
    /// `encap`
    pub encapsulation: Option<Box<Encapsulation>>,
    /// `realms`: IPv4 only.
    pub realms: Option<Realms>,
}

/// `realms [FROM/]TO`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Realms {
    /// 0 is none.
    pub from: u16,
    /// The realm of the destination.
    pub to: u16,
}

/// `encap`: a lightweight tunnel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Encapsulation {
    /// `ip`
    Ip(EncapsulationHeader),
    /// `ip6`
    Ip6(EncapsulationHeader),
    /// `mpls`: labels, outermost first.
    Mpls(Vec<u32>),
    /// `ila`: the locator.
    Ila(u64),
}

/// `encap ip` and `encap ip6`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct EncapsulationHeader {
    /// `id`
    pub id: Option<u64>,
    /// `dst`
    pub destination: Option<IpAddr>,
    /// `src`
    pub source: Option<IpAddr>,
    /// `tos`, or `tc` for IPv6.
    pub tos: Option<u8>,
    /// `ttl`, or `hoplimit` for IPv6.
    pub ttl: Option<u8>,
    /// `flags`
    pub flags: Option<u16>,
}

/// A metric, and whether the kernel may learn a better one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lockable<T> {
    /// The metric.
    pub value: T,
    /// `lock`
    pub locked: bool,
}

/// `RTAX_*` of Linux.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RouteMetrics {
    /// `mtu`
    pub mtu: Option<Lockable<u32>>,
    /// `advmss`
    pub advmss: Option<Lockable<u32>>,
    /// `rtt`
    pub rtt: Option<Lockable<Duration>>,
    /// `rttvar`
    pub rttvar: Option<Lockable<Duration>>,
    /// `rto_min`
    pub rto_min: Option<Lockable<Duration>>,
    /// `reordering`
    pub reordering: Option<Lockable<u32>>,
    /// `cwnd`
    pub cwnd: Option<Lockable<u32>>,
    /// `ssthresh`
    pub ssthresh: Option<Lockable<u32>>,
    /// `window`
    pub window: Option<u32>,
    /// `initcwnd`
    pub initcwnd: Option<u32>,
    /// `initrwnd`
    pub initrwnd: Option<u32>,
    /// `hoplimit`
    pub hoplimit: Option<u8>,
    /// `features ecn`
    pub ecn: bool,
    /// `quickack`
    pub quickack: Option<bool>,
    /// `fastopen_no_cookie`
    pub fastopen_no_cookie: Option<bool>,
    /// `congctl`
    pub congestion_control: Option<Lockable<String>>,
}

/// A line of `virtual_rules` or `static_rules`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PolicyRule {
    /// Of its addresses; IPv4 if nothing tells.
    pub family: Family,
    /// `not`
    pub inverted: bool,
    /// `from`
    pub from: Option<Prefix>,
    /// `to`
    pub to: Option<Prefix>,
    /// `iif`
    pub input: Option<InterfaceName>,
    /// `oif`
    pub output: Option<InterfaceName>,
    /// What becomes of a packet that it matches.
    pub action: RuleAction,
    /// `preference`
    pub preference: u32,
    /// `tos`
    pub tos: u8,
    /// `fwmark`
    pub mark: Option<Mark>,
    /// `realms`: IPv4 only.
    pub realms: Option<Realms>,
    /// `suppress_prefixlength`
    pub suppress_prefix_length: Option<u32>,
    /// `suppress_ifgroup`
    pub suppress_group: Option<u32>,
    /// What is rarely matched; absent if nothing of it is.
    pub selectors: Option<Box<RareSelectors>>,
    /// `protocol`; 18 is keepalived's own, which everything that is tracked has.
    pub protocol: Option<u8>,
    /// Not `no_track`: whether its deletion concerns the instance.
    pub tracked: bool,
    /// `track_group`: static rules only.
    pub track_group: Option<String>,
}

/// Selectors of a rule that few rules have.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RareSelectors {
    /// `tunnel-id`
    pub tunnel_id: Option<u64>,
    /// `uidrange`
    pub users: Option<(u32, u32)>,
    /// `ipproto`
    pub ip_protocol: Option<u8>,
    /// `sport`
    pub source_ports: Option<(u16, u16)>,
    /// `dport`
    pub destination_ports: Option<(u16, u16)>,
}

/// `fwmark MARK[/MASK]`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// What the mark is.
    pub value: u32,
    /// The bits of it that count; all if absent.
    pub mask: Option<u32>,
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RuleAction {
    /// `table`
    Table(u32),
    /// `l3mdev`: the table of the device's VRF.
    L3mdev,
    /// `goto`: on with the rule of this preference.
    Goto(u32),
    /// `nop`
    Nop,
    /// `blackhole`
    Blackhole,
    /// `unreachable`
    Unreachable,
    /// `prohibit`
    Prohibit,
}
