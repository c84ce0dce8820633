//! What the kernel said about links, addresses and what is ours among routes and rules, kept up to date by its events.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Address, AddressKey, Inventory, Key, Link, LinkIndex, NetworkEvent, Object, Route, RouteKey, Rule, Setting,
    UpperLink, route,
};
use crate::address::InterfaceName;
use crate::desired::Seen;
use crate::vrrp::Family;

/// `IFA_F_DADFAILED` and `IFA_F_TENTATIVE`: an address that nothing can be sent from.
const NOT_USABLE: u32 = 0x08 | 0x40;
/// `RT_SCOPE_LINK`
const SCOPE_LINK: u8 = 253;

/// A mirror of the kernel's tables.
#[derive(Debug, Default)]
pub struct NetworkTable {
    links: BTreeMap<LinkIndex, Link>,
    names: BTreeMap<InterfaceName, LinkIndex>,
    addresses: BTreeMap<AddressKey, Address>,
    /// Routes that bear our mark, and those that were asked for without it: of these the kernel tells us nothing.
    routes: BTreeMap<RouteKey, Route>,
    /// The same of rules.
    rules: BTreeSet<Rule>,
    /// Links that forwarded IPv6 packets when that was last looked at.
    forwarding: BTreeSet<LinkIndex>,
    /// Settings of all links that were asked for: the kernel tells nothing of them.
    settings: BTreeSet<Setting>,
}

impl NetworkTable {
    /// The mirror of `inventory`.
    pub fn new(inventory: Inventory) -> Self {
        let mut table = Self::default();
        for link in inventory.links {
            table.link(link);
        }
        for address in inventory.addresses {
            table.add(address);
        }
        for route in inventory.routes {
            table.add_route(route);
        }
        table.rules.extend(inventory.rules);
        table
    }

    /// Takes over what the kernel has now, after events were lost. Whether a link forwards is no part of the inventory, nor are
    /// routes and rules without our mark, so these stay known.
    pub fn reread(&mut self, inventory: Inventory) {
        let mut forwarding = std::mem::take(&mut self.forwarding);
        let (routes, rules) = (std::mem::take(&mut self.routes), std::mem::take(&mut self.rules));
        let settings = std::mem::take(&mut self.settings);
        *self = Self::new(inventory);
        self.settings = settings;
        self.routes.extend(routes.into_iter().filter(|(key, _)| key.protocol != route::OUR_PROTOCOL));
        self.rules.extend(rules.into_iter().filter(|rule| rule.protocol != route::OUR_PROTOCOL));
        forwarding.retain(|link| self.links.contains_key(link));
        self.forwarding = forwarding;
    }

    /// Something happened, before or after what was read: the last that happened to a link or an address counts.
    pub fn replay(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Link(link) => {
                self.link(link);
            }
            NetworkEvent::LinkRemoved(index) => self.unlink(index),
            NetworkEvent::Address(address) => self.add(address),
            NetworkEvent::AddressRemoved { link, address, prefix } => {
                self.remove(&(link, address, prefix));
            }
            NetworkEvent::Route(route) => self.add_route(*route),
            NetworkEvent::RouteRemoved(key) => {
                self.routes.remove(&key);
            }
            NetworkEvent::Rule(rule) => {
                self.rules.insert(rule);
            }
            NetworkEvent::RuleRemoved(rule) => {
                self.rules.remove(&rule);
            }
            // they are read once more; of filters nothing is read
            NetworkEvent::Overrun | NetworkEvent::ReversePathFilter { .. } | NetworkEvent::FirewallLost(_) => {}
        }
    }

    /// A link is new, or changed. False if nothing that we look at did.
    pub fn link(&mut self, link: Link) -> bool {
        let (index, name) = (link.index, link.name);
        let old = self.links.insert(index, link);
        if old.as_ref() == self.links.get(&index) {
            return false;
        }
        if let Some(old) = old
            && old.name != name
            && self.names.get(&old.name) == Some(&index)
        {
            self.names.remove(&old.name);
        }
        self.names.insert(name, index);
        true
    }

    /// A link is gone, and its addresses and routes with it.
    pub fn unlink(&mut self, index: LinkIndex) {
        if let Some(old) = self.links.remove(&index)
            && self.names.get(&old.name) == Some(&index)
        {
            self.names.remove(&old.name);
        }
        self.addresses.retain(|(link, _, _), _| *link != index);
        self.routes.retain(|_, route| !route.is_on(index));
    }

    /// A route is new, or changed.
    pub fn add_route(&mut self, route: Route) {
        self.routes.insert(route.key(), route);
    }

    /// Routes that go by `link`, of one family or both.
    pub fn routes_on(&self, link: LinkIndex, family: Option<Family>) -> Vec<RouteKey> {
        let on = |route: &&Route| route.is_on(link) && family.is_none_or(|family| family == route.family());
        self.routes.values().filter(on).map(Route::key).collect()
    }

    /// Routes that `source` is the preferred source of.
    pub fn routes_from(&self, source: IpAddr) -> Vec<RouteKey> {
        self.routes.values().filter(|route| route.source == Some(source)).map(Route::key).collect()
    }

    /// Whether there is an IPv4 address on `link` besides those that `goes` says. The kernel removes the IPv4 routes of a link
    /// without one.
    pub fn has_ipv4_on(&self, link: LinkIndex, goes: impl Fn(&AddressKey) -> bool) -> bool {
        let from = (link, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let here = self.addresses.range(from..).map(|(key, _)| key);
        here.take_while(|(on, address, _)| *on == link && address.is_ipv4()).any(|key| !goes(key))
    }

    /// Routes of ours.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.values()
    }

    /// Rules of ours.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// An address is new, or changed.
    pub fn add(&mut self, address: Address) {
        self.addresses.insert(address.key(), address);
    }

    /// An address is gone. False if it was not known.
    pub fn remove(&mut self, key: &AddressKey) -> bool {
        self.addresses.remove(key).is_some()
    }

    /// The address at `key`, if it is there.
    pub fn address(&self, key: &AddressKey) -> Option<&Address> {
        self.addresses.get(key)
    }

    /// An address on a link, with whatever prefix lengths it is there.
    pub fn with_any_prefix(&self, link: LinkIndex, address: IpAddr) -> impl Iterator<Item = &Address> {
        self.addresses.range((link, address, 0)..=(link, address, u8::MAX)).map(|(_, address)| address)
    }

    /// Whether this kernel says who set an address (Linux 5.18 does): it says so of its own on the loopback interface, and of
    /// link-local ones.
    pub fn tells_who(&self) -> bool {
        self.addresses.values().any(|address| address.protocol != 0)
    }

    /// The IPv4 addresses on the link and in the network of `address`, without itself.
    pub fn beside<'a>(&'a self, address: &'a Address) -> impl Iterator<Item = &'a Address> + 'a {
        let from = (address.link, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let here = self.addresses.range(from..).map(|(_, other)| other).take_while(|other| other.link == address.link);
        here.filter(|other| other.shares_network(address) && other.key() != address.key())
    }

    /// A link by name.
    pub fn by_name(&self, name: &InterfaceName) -> Option<&Link> {
        self.links.get(self.names.get(name)?)
    }

    /// A link as one that we make on another, if it is such a one.
    fn upper(&self, parent: LinkIndex, name: &InterfaceName) -> Option<UpperLink> {
        let link = self.by_name(name).filter(|link| link.parent == Some(parent))?;
        // what it was made for cannot be seen
        let family = Family::V4;
        let (kind, group, master) = (link.upper?, link.group, link.master);
        let (mac, tells_below) = (link.mac, false);
        Some(UpperLink { parent, name: link.name, kind, mac, group, master, family, tells_below })
    }

    /// The key of a link that is on another, as one that we make.
    pub fn upper_key(&self, index: LinkIndex) -> Option<Key> {
        let link = self.by_index(index)?;
        self.upper(link.parent?, &link.name).map(|upper| upper.key())
    }

    fn setting(&self, setting: &Setting) -> bool {
        match setting {
            Setting::Arp { link, setting, .. } => {
                self.by_index(*link).is_some_and(|link| link.arp.get(*setting) == setting.needed())
            }
            Setting::NoReversePathFilter { .. } => self.settings.contains(setting),
        }
    }

    /// A setting has another value. False if it had that before.
    fn set(&mut self, setting: Setting, holds: bool) -> bool {
        let was = self.setting(&setting);
        match setting {
            Setting::Arp { link, setting, before } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.arp.set(setting, if holds { setting.needed() } else { before });
                }
            }
            Setting::NoReversePathFilter { .. } if holds => drop(self.settings.insert(setting)),
            Setting::NoReversePathFilter { .. } => drop(self.settings.remove(&setting)),
        }
        was != holds
    }

    /// All links.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// A link by number.
    pub fn by_index(&self, index: LinkIndex) -> Option<&Link> {
        self.links.get(&index)
    }

    /// Whether a link has this MAC address.
    pub fn has_mac(&self, mac: [u8; 6]) -> bool {
        self.links.values().any(|link| link.mac == Some(mac))
    }

    /// Whether `link` forwards is noted: neighbours are told (the R flag), and who is told no drops its default route.
    pub fn note_forwarding(&mut self, link: LinkIndex, forwards: bool) {
        if forwards {
            self.forwarding.insert(link);
        } else {
            self.forwarding.remove(&link);
        }
    }

    /// Whether `link` forwards IPv6 packets.
    pub fn forwards(&self, link: LinkIndex) -> bool {
        self.forwarding.contains(&link)
    }

    /// Whether `address` is there, and usable: on `link` if it means something on one link only, else on any.
    pub fn has(&self, address: IpAddr, link: Option<LinkIndex>) -> bool {
        let on = link.filter(|_| matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local()));
        let there = |known: &Address| known.address == address && on.is_none_or(|on| on == known.link);
        self.addresses.values().any(|known| there(known) && known.flags & NOT_USABLE == 0)
    }

    /// The first IPv6 address on `link` that means something beyond it, is usable and `is_own`.
    pub fn global(&self, link: LinkIndex, is_own: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let from = (link, IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
        let here = self.addresses.range(from..).map(|(_, address)| address).take_while(|address| address.link == link);
        let mut usable = here.filter(|address| address.flags & NOT_USABLE == 0 && address.scope != SCOPE_LINK);
        usable.find(|address| is_own(address.address)).map(|address| address.address)
    }

    /// The first address of `family` on `link` that adverts can leave from and that is none `but_not` says it is:
    /// an IPv4 address, or an IPv6 link-local address.
    pub fn source(&self, link: LinkIndex, family: Family, but_not: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let from = (link, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let until = (LinkIndex(link.0.saturating_add(1)), IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let usable = self.addresses.range(from..until).map(|(_, address)| address).filter(|address| {
            Family::of(address.address) == family
                && address.flags & NOT_USABLE == 0
                && (family == Family::V4 || address.scope == SCOPE_LINK)
                && !but_not(address.address)
        });
        // of several the kernel's primary comes first
        usable
            .min_by_key(|address| (address.flags & Address::SECONDARY, address.address))
            .map(|address| address.address)
    }
}

impl Seen<Object> for NetworkTable {
    fn get(&self, key: &Key) -> Option<Object> {
        match key {
            Key::Link(index) => self.by_index(*index).filter(|link| link.up).cloned().map(Object::Link),
            Key::Upper(parent, name) => self.upper(*parent, name).map(Box::new).map(Object::Upper),
            Key::Setting(setting) => self.setting(setting).then_some(Object::Setting(*setting)),
            Key::Address(key) => self.address(key).cloned().map(Object::Address),
            Key::Route(key) => self.routes.get(key).cloned().map(Box::new).map(Object::Route),
            Key::Rule(rule) => self.rules.get(rule).copied().map(Object::Rule),
        }
    }

    fn put(&mut self, object: Object) {
        match object {
            Object::Link(link) => {
                self.link(link);
            }
            // its number is the kernel's to say
            Object::Upper(_) => {}
            Object::Setting(setting) => drop(self.set(setting, true)),
            Object::Address(address) => self.add(address),
            Object::Route(route) => self.add_route(*route),
            Object::Rule(rule) => {
                self.rules.insert(rule);
            }
        }
    }

    fn take(&mut self, key: &Key) -> bool {
        match key {
            // it goes when the kernel says so
            Key::Link(_) => false,
            Key::Upper(parent, name) => {
                let index = self.upper(*parent, name).and_then(|_| self.names.get(name).copied());
                index.is_some_and(|index| {
                    self.unlink(index);
                    true
                })
            }
            Key::Setting(setting) => self.set(*setting, false),
            Key::Address(key) => self.remove(key),
            Key::Route(key) => self.routes.remove(key).is_some(),
            Key::Rule(rule) => self.rules.remove(rule),
        }
    }

    // the kernel removes the secondary addresses of an IPv4 network with their primary one
    fn goes_first(&self, key: &Key) -> bool {
        match key {
            Key::Address(key) => self.address(key).is_some_and(Address::is_secondary),
            Key::Link(_) | Key::Upper(..) | Key::Setting(_) | Key::Route(_) | Key::Rule(_) => false,
        }
    }

    // of a million routes we hear of those that bear our mark
    fn hears_of(&self, key: &Key) -> bool {
        match key {
            Key::Link(_) | Key::Address(_) => true,
            // a removal of ours is over when it is asked for: what the kernel reports is the number of a link that we know no more
            Key::Upper(..) | Key::Setting(_) => false,
            Key::Route(route) => route.protocol == route::OUR_PROTOCOL,
            Key::Rule(rule) => rule.protocol == route::OUR_PROTOCOL,
        }
    }
}
