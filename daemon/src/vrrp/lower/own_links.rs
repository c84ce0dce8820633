//! Links that are made for instances: which, what they are called, and which addresses come on them.

use std::collections::BTreeSet;

use keepalived_config::model::{Instance, IpvlanMode, OwnLink, VmacNames};
use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::network::{Address, Link, LinkIndex, NetworkTable, Siblings, UpperKind, UpperLink};
use keepalived_core::vrrp::{Family, Vrid};

use super::{ADDRESS_PROTOCOL, lines};

const SCOPE_LINK: u8 = 253;
/// Octets of the longest name of a link.
const LONGEST_NAME: usize = 15;

/// A link that an instance needs on another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Need {
    /// The link that it is on.
    pub(in super::super) base: InterfaceName,
    /// Family of the addresses that come on it.
    pub(in super::super) family: Family,
    /// What it is.
    pub(in super::super) kind: UpperKind,
    /// Its MAC address; `None` is that of `base`.
    pub(in super::super) mac: Option<[u8; 6]>,
    /// The instance runs on it; on another one it has addresses only.
    pub(in super::super) own: bool,
    name: Option<InterfaceName>,
    group: Option<u32>,
    address: Option<std::net::IpAddr>,
    tells_below: bool,
}

impl Need {
    /// Whether the interface below needs settings for it: it is a virtual MAC of IPv4.
    pub(in super::super) fn needs_filters(&self) -> bool {
        self.family == Family::V4 && self.kind == UpperKind::Macvlan
    }
}

/// A link that an instance needs, with its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Made {
    /// What the instance needs.
    pub(in super::super) need: Need,
    /// What it is called.
    pub(in super::super) name: InterfaceName,
}

/// The virtual MAC of RFC 9568 section 7.3.
const fn virtual_mac(family: Family, vrid: Vrid) -> [u8; 6] {
    let family = match family {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    [0, 0, 0x5e, 0, family, vrid.get()]
}

/// Whether some virtual router has this MAC address.
const fn is_virtual_mac(mac: &[u8; 6]) -> bool {
    matches!(mac, [0, 0, 0x5e, 0, 1 | 2, _])
}

/// Links that `instance` needs: first the one that it runs on.
pub(in super::super) fn needs(instance: &Instance) -> Vec<Need> {
    let (family, vrid) = (instance.settings.family, instance.settings.vrid);
    let mut needs = Vec::new();
    if let (Some(own), Some(base)) = (instance.own_link.as_deref(), instance.interface) {
        let need = Need {
            base,
            family,
            kind: UpperKind::Macvlan,
            mac: Some(virtual_mac(family, vrid)),
            own: true,
            name: None,
            group: None,
            address: None,
            tells_below: false,
        };
        needs.push(match own {
            OwnLink::Vmac(vmac) => {
                let (mac, tells_below) = (vmac.mac.or(need.mac), vmac.netlink_notify);
                Need { mac, name: vmac.name, group: vmac.group, tells_below, ..need }
            }
            OwnLink::Ipvlan(ipvlan) => {
                let siblings = match ipvlan.mode {
                    IpvlanMode::Bridge => Siblings::Bridge,
                    IpvlanMode::Private => Siblings::Private,
                    IpvlanMode::Vepa => Siblings::Vepa,
                };
                let (kind, address) = (UpperKind::Ipvlan(siblings), ipvlan.address);
                Need { kind, mac: None, name: ipvlan.name, group: ipvlan.group, address, ..need }
            }
        });
    }
    for line in lines(instance).filter(|line| has_virtual_mac(instance, line)) {
        let Some(base) = line.device.or(instance.interface) else { continue };
        let family = Family::of(line.address);
        if !needs.iter().any(|need| (need.base, need.family) == (base, family)) {
            let mac = Some(virtual_mac(family, vrid));
            let (kind, own) = (UpperKind::Macvlan, false);
            let (name, group, address, tells_below) = (None, None, None, false);
            needs.push(Need { base, family, kind, mac, own, name, group, address, tells_below });
        }
    }
    needs
}

/// Whether any link is made for `instance`.
pub(in super::super) fn makes_links(instance: &Instance) -> bool {
    !needs(instance).is_empty()
}

/// Whether an address comes on a virtual MAC beside the one that the instance runs on.
fn has_virtual_mac(instance: &Instance, line: &VirtualAddress) -> bool {
    let is_home = line.device.is_none_or(|device| Some(device) == instance.interface);
    let elsewhere = !is_home || Family::of(line.address) != instance.settings.family;
    line.use_vmac || (instance.vmac_addresses && elsewhere)
}

/// Whether an address of `instance` comes on a link that is made for it.
pub(crate) fn is_on_made(instance: &Instance, line: &VirtualAddress) -> bool {
    let place = (line.device.or(instance.interface), Family::of(line.address));
    let serves = |need: &Need| {
        let is_own = need.own && need.kind == UpperKind::Macvlan;
        (Some(need.base), need.family) == place && (is_own || has_virtual_mac(instance, line))
    };
    needs(instance).iter().any(serves)
}

/// The interface that an address of `instance` comes on, which needs the links `made`. With an ipvlan it is the one below, as with keepalived.
pub(in super::super) fn device(instance: &Instance, line: &VirtualAddress, made: &[Made]) -> Option<InterfaceName> {
    let base = line.device.or(instance.interface)?;
    let place = (base, Family::of(line.address));
    let serves = |made: &&Made| {
        let is_own = made.need.own && made.need.kind == UpperKind::Macvlan;
        (made.need.base, made.need.family) == place && (is_own || has_virtual_mac(instance, line))
    };
    Some(made.iter().find(serves).map_or(base, |made| made.name))
}

/// What the links that an instance needs are called. A link that is there already keeps its name, whatever that is: it is told by its
/// MAC address. `taken` are the names that others have.
pub(in super::super) fn names(
    instance: &Instance,
    before: &[Made],
    prefixes: &VmacNames,
    table: &NetworkTable,
    others: &[&Made],
    reserved: &BTreeSet<InterfaceName>,
) -> Vec<Made> {
    let mut made: Vec<Made> = Vec::new();
    for need in needs(instance) {
        let is_it = |it: &Made| (it.need.base, it.need.kind, it.need.mac) == (need.base, need.kind, need.mac);
        let known = before.iter().chain(others.iter().copied()).find(|it| need.mac.is_some() && is_it(it));
        let mine = before.iter().find(|it| it.need.own && need.own && is_it(it));
        let name =
            need.name.or_else(|| known.or(mine).map(|it| it.name)).or_else(|| there(&need, table)).or_else(|| {
                let prefix = match &prefixes.address_prefix {
                    Some(prefix) if !need.own => prefix,
                    _ => &prefixes.prefix,
                };
                let is_free = |name: &InterfaceName| {
                    let others = others.iter().copied().chain(&made).any(|it| it.name == *name);
                    // one that an earlier run left for it; a virtual MAC may have got another address since
                    let left = |link: &Link| {
                        let below = table.by_name(&need.base).map(|link| link.index);
                        let alike = link.upper.is_some_and(|kind| kind.is_like(need.kind));
                        let of_other = need.mac.is_some() && link.mac.is_some_and(|mac| is_virtual_mac(&mac));
                        alike && link.parent == below && !of_other
                    };
                    !others && !reserved.contains(name) && table.by_name(name).is_none_or(left)
                };
                candidates(prefix, need.family, instance.settings.vrid).find(is_free)
            });
        if let Some(name) = name {
            made.push(Made { need, name });
        }
    }
    made
}

/// The links that are there for an instance.
pub(in super::super) fn found(instance: &Instance, table: &NetworkTable) -> Vec<Made> {
    let name = |need: &Need| {
        let parent = table.by_name(&need.base)?.index;
        let called = need.name.and_then(|name| table.by_name(&name));
        let alike = |kind: UpperKind| kind.is_like(need.kind);
        let called = called.filter(|link| link.parent == Some(parent) && link.upper.is_some_and(alike));
        called.map(|link| link.name).or_else(|| there(need, table)).or_else(|| with_own_address(need, table))
    };
    needs(instance).into_iter().filter_map(|need| name(&need).map(|name| Made { need, name })).collect()
}

/// The name of an ipvlan, which has no MAC address of its own: it has the address that only the instance has, and that we have set.
fn with_own_address(need: &Need, table: &NetworkTable) -> Option<InterfaceName> {
    let parent = table.by_name(&need.base)?.index;
    let own = need.address?;
    let set = |link: &&Link| {
        let mut there = table.with_any_prefix(link.index, own);
        there.any(|address| address.protocol == ADDRESS_PROTOCOL)
    };
    let alike = |link: &&Link| link.parent == Some(parent) && link.upper.is_some_and(|kind| kind.is_like(need.kind));
    table.links().filter(alike).find(set).map(|link| link.name)
}

/// The name of the link that is needed, if an earlier run left it.
fn there(need: &Need, table: &NetworkTable) -> Option<InterfaceName> {
    let parent = table.by_name(&need.base)?.index;
    let mac = need.mac?;
    let is_it = |link: &&Link| (link.parent, link.upper, link.mac) == (Some(parent), Some(need.kind), Some(mac));
    table.links().find(is_it).map(|link| link.name)
}

/// The name that the link that is needed has now, if it is there: a link with a MAC address of its own is told by that, another one by its
/// number `index`.
pub(in super::super) fn renamed(need: &Need, index: Option<LinkIndex>, table: &NetworkTable) -> Option<InterfaceName> {
    if need.mac.is_some() {
        return there(need, table);
    }
    let parent = table.by_name(&need.base)?.index;
    let is_it = |link: &&Link| link.parent == Some(parent) && link.upper.is_some_and(|kind| kind.is_like(need.kind));
    table.by_index(index?).filter(is_it).map(|link| link.name)
}

/// `vrrp.51`, then (IPv6) `vrrp6.51`, then `vrrp1.51`, `vrrp2.51` …: the prefix as long as it fits.
fn candidates(prefix: &str, family: Family, vrid: Vrid) -> impl Iterator<Item = InterfaceName> + '_ {
    let six = (family == Family::V6).then(|| "6".to_owned());
    let numbers = (1..10_000).map(|number: u32| number.to_string());
    std::iter::once(String::new()).chain(six).chain(numbers).filter_map(move |number| {
        let end = format!("{number}.{vrid}");
        let room = LONGEST_NAME.checked_sub(end.len())?;
        let mut name: Vec<u8> = prefix.bytes().take(room).collect();
        name.extend(end.bytes());
        InterfaceName::new(&name)
    })
}

/// A link as the kernel is to have it, while the one that it is on is there.
pub(in super::super) fn upper(made: &Made, table: &NetworkTable) -> Option<UpperLink> {
    let parent = table.by_name(&made.need.base)?;
    let in_vrf = |master: &LinkIndex| table.by_index(*master).is_some_and(|link| link.vrf.is_some());
    Some(UpperLink {
        parent: parent.index,
        name: made.name,
        kind: made.need.kind,
        mac: made.need.mac,
        group: made.need.group.unwrap_or(parent.group),
        master: parent.master.filter(in_vrf),
        family: made.need.family,
        tells_below: made.need.tells_below,
    })
}

/// The address that a made link has whoever is master: for IPv6 the link-local one of its base, an ipvlan its own.
pub(in super::super) fn address(
    made: &Made,
    table: &NetworkTable,
    is_virtual: impl Fn(std::net::IpAddr) -> bool,
) -> Option<Address> {
    let link = table.by_name(&made.name).filter(|link| link.upper.is_some())?.index;
    if let Some(own) = made.need.address {
        let prefix = if own.is_ipv4() { 32 } else { 128 };
        return Some(Address { protocol: ADDRESS_PROTOCOL, ..Address::plain(link, own, prefix) });
    }
    // an ipvlan gets its link-local address from the kernel
    if made.need.family == Family::V4 || made.need.kind != UpperKind::Macvlan {
        return None;
    }
    let base = table.by_name(&made.need.base)?.index;
    let address = table.source(base, Family::V6, is_virtual)?;
    Some(Address {
        scope: SCOPE_LINK,
        flags: Address::NO_DAD,
        protocol: ADDRESS_PROTOCOL,
        preferred_lifetime: Some(0),
        ..Address::plain(link, address, 64)
    })
}

/// The address that the adverts of an instance with an ipvlan leave from.
pub(in super::super) fn ipvlan_source(instance: &Instance) -> Option<std::net::IpAddr> {
    match instance.own_link.as_deref() {
        Some(OwnLink::Ipvlan(ipvlan)) => ipvlan.address,
        Some(OwnLink::Vmac(_)) | None => None,
    }
}

/// Whether adverts go and come over the interface below the one that an instance has of its own.
pub(in super::super) fn transmits_base(instance: &Instance) -> bool {
    matches!(instance.own_link.as_deref(), Some(OwnLink::Vmac(vmac)) if vmac.transmit_base)
}
