//! Links, addresses, routes and rules of a machine that is not there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr};

use keepalived_core::address::InterfaceName;

use crate::firewall::Firewall;
use crate::network::{MOST_EVENTS, Network, Refused, Secondaries};
use keepalived_core::network::route::OUR_PROTOCOL;
use keepalived_core::network::{
    Address, AddressKey, ArpSettings, Change, Inventory, Key, Link, LinkIndex, NetworkEvent, Object, Route, RouteKey,
    Rule,
};
use keepalived_core::vrrp::Family;

mod routes;
mod uppers;

/// `IFA_F_PERMANENT`, which the kernel puts on addresses without an end.
const PERMANENT: u32 = 0x80;
/// `IFA_F_TENTATIVE`
const TENTATIVE: u32 = 0x40;
/// `IFA_F_DEPRECATED`
const DEPRECATED: u32 = 0x20;

/// [`Network`] in memory. Tests do what an administrator or a cable would; it answers as the kernel would.
#[derive(Clone, Debug, Default)]
pub struct FakeNetwork {
    links: BTreeMap<LinkIndex, Link>,
    addresses: BTreeMap<AddressKey, Address>,
    routes: BTreeMap<RouteKey, Route>,
    rules: BTreeSet<Rule>,
    events: VecDeque<NetworkEvent>,
    refusals: BTreeMap<IpAddr, Refused>,
    inventory_fails: Option<i32>,
    torn: bool,
    /// Links whose secondary addresses are promoted.
    promotes: BTreeSet<LinkIndex>,
    secondaries_set: Vec<(LinkIndex, Secondaries)>,
    secondaries_fail: Option<i32>,
    forwarding: BTreeSet<LinkIndex>,
    /// Links with a default route for IPv6.
    gateways: BTreeSet<LinkIndex>,
    /// The highest number that a link has had.
    last_link: u32,
    link_refusals: BTreeMap<InterfaceName, Refused>,
    /// Links with which it tells of the one below.
    tells_below: BTreeSet<InterfaceName>,
    firewall: Firewall,
    firewall_refused: Option<Refused>,
    watches_firewall: bool,
    /// How often the packet filter was set up.
    firewall_calls: usize,
    /// Of all links, and of those that come.
    reverse_path_filter: (u8, u8),
    /// Of links where it was set.
    filters: BTreeMap<LinkIndex, u8>,
    changes: usize,
    /// Of these, all but links that were as wished already.
    altered: usize,
    batches: usize,
}

impl FakeNetwork {
    /// A machine without links.
    pub fn new() -> Self {
        Self::default()
    }

    /// A usual Ethernet link that is up, for [`FakeNetwork::set_link`]. `None` if the kernel would refuse the name.
    pub fn ethernet(index: u32, name: &str) -> Option<Link> {
        let [.., a, b] = index.to_be_bytes();
        Some(Link {
            index: LinkIndex(index),
            name: InterfaceName::new(name.as_bytes())?,
            up: true,
            running: true,
            multicast: true,
            loopback: false,
            mac: Some([2, 0, 0, 0, a, b]),
            mtu: 1500,
            vrf: None,
            parent: None,
            upper: None,
            group: 0,
            master: None,
            arp: ArpSettings::default(),
        })
    }

    /// Adds the link, or changes it (name, up or down, MAC). A link that stops running keeps its addresses, as one
    /// whose cable is pulled does; see [`FakeNetwork::take_down`].
    pub fn set_link(&mut self, link: Link) {
        let index = link.index;
        let goes_down = !link.up && self.links.get(&index).is_some_and(|before| before.up);
        self.last_link = self.last_link.max(index.0);
        self.links.insert(index, link.clone());
        if goes_down {
            self.lose_routes_on(index, None);
        }
        let running = link.running;
        self.events.push_back(NetworkEvent::Link(link));
        for upper in self.uppers(index).into_iter().filter(|upper| upper.up && upper.running != running) {
            self.set_link(Link { running, ..upper });
        }
    }

    /// Plugs the cable in or out. Nothing happens to links that are not there.
    pub fn set_running(&mut self, index: LinkIndex, running: bool) {
        if let Some(link) = self.links.get(&index).filter(|link| link.running != running) {
            self.set_link(Link { running, up: link.up || running, ..link.clone() });
        }
    }

    /// Renames a link.
    pub fn rename(&mut self, index: LinkIndex, name: InterfaceName) {
        if let Some(link) = self.links.get(&index) {
            self.set_link(Link { name, ..link.clone() });
        }
    }

    /// `ip link set down`: it stops running and loses its routes and its IPv6 addresses.
    pub fn take_down(&mut self, index: LinkIndex) {
        if let Some(link) = self.links.get(&index).filter(|link| link.up) {
            self.set_link(Link { up: false, running: false, ..link.clone() });
        }
        self.lose(|address| address.link == index && address.address.is_ipv6());
    }

    /// Removes the link and its addresses.
    pub fn remove_link(&mut self, index: LinkIndex) {
        for upper in self.uppers(index) {
            self.remove_link(upper.index);
        }
        if self.links.remove(&index).is_some() {
            self.lose_routes_on(index, None);
            self.lose(|address| address.link == index);
            self.events.push_back(NetworkEvent::LinkRemoved(index));
        }
    }

    /// Adds or changes an address as another program would.
    pub fn add_address(&mut self, address: Address) {
        let outcome = self.apply(&Change::Present(Object::Address(address)));
        debug_assert!(outcome.is_ok(), "an address on a link that there is");
    }

    /// Adds an IPv6 address whose duplicate address detection goes on; [`FakeNetwork::add_address`] ends that.
    pub fn add_tentative(&mut self, address: Address) {
        let key = address.key();
        self.add_address(address);
        if let Some(there) = self.addresses.get_mut(&key) {
            there.flags |= TENTATIVE;
            self.events.push_back(NetworkEvent::Address(there.clone()));
        }
    }

    /// Removes an address as another program would. One that is not there is fine.
    pub fn remove_address(&mut self, link: LinkIndex, address: IpAddr, prefix: u8) {
        let Some(gone) = self.addresses.get(&(link, address, prefix)).cloned() else { return };
        let secondary = |it: &Address| it.flags & Address::SECONDARY != 0 && it.shares_network(&gone);
        if gone.flags & Address::SECONDARY == 0 && !self.promotes.contains(&link) {
            // the kernel tells of these first
            self.lose(secondary);
        }
        self.lose(|it| it.key() == (link, address, prefix));
        if gone.flags & Address::SECONDARY == 0
            && let Some(heir) = self.addresses.values_mut().find(|it| secondary(it))
        {
            heir.flags &= !Address::SECONDARY;
            self.events.push_back(NetworkEvent::Address(heir.clone()));
        }
    }

    /// From now on refuses to add or remove this address, or routes to it; `None` ends that.
    pub fn refuse(&mut self, address: IpAddr, refused: Option<Refused>) {
        match refused {
            Some(refused) => self.refusals.insert(address, refused),
            None => self.refusals.remove(&address),
        };
    }

    /// From now on lets `inventory` fail with this error number; `None` ends that.
    pub fn fail_inventory(&mut self, errno: Option<i32>) {
        self.inventory_fails = errno;
    }

    /// From now on lets `inventory` be torn, as it is where links come and go without end; false ends that.
    pub fn tear_inventory(&mut self, torn: bool) {
        self.torn = torn;
    }

    /// Loses all events that are not read yet, as a full receive buffer does.
    pub fn overrun(&mut self) {
        self.events.clear();
        self.events.push_back(NetworkEvent::Overrun);
    }

    /// Whether `events` has something to say.
    pub fn anything_waiting(&self) -> bool {
        !self.events.is_empty()
    }

    /// All addresses by link, address and prefix.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.values()
    }

    /// Whether this address is on any link.
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.keys().any(|(_, it, _)| *it == address)
    }

    /// What the packet filter does.
    pub const fn firewall(&self) -> &Firewall {
        &self.firewall
    }

    /// From now on refuses to set the packet filter up, as a kernel without nf_tables does; `None` ends that.
    pub fn refuse_firewall(&mut self, refused: Option<Refused>) {
        self.firewall_refused = refused;
    }

    /// Removes all tables of the packet filter, as `nft flush ruleset` does.
    pub fn flush_firewall(&mut self) {
        self.firewall = Firewall::default();
        if self.watches_firewall {
            self.events.extend([Family::V4, Family::V6].map(NetworkEvent::FirewallLost));
        }
    }

    /// How often the packet filter was set up, or that was refused.
    pub const fn firewall_calls(&self) -> usize {
        self.firewall_calls
    }

    /// How many changes were asked for so far, and in how many calls.
    pub fn work(&self) -> (usize, usize) {
        (self.changes, self.batches)
    }

    /// How many changes were asked for, but for links that were as wished already.
    pub const fn altered(&self) -> usize {
        self.altered
    }

    /// Lets the machine forward IPv6 packets that come in on this link.
    pub fn forward_ipv6(&mut self, link: LinkIndex) {
        self.forwarding.insert(link);
    }

    /// Gives the machine a default route for IPv6 by way of this link.
    pub fn set_gateway(&mut self, link: LinkIndex) {
        self.gateways.insert(link);
    }

    /// What was asked with `set_secondaries`, in that order.
    pub fn secondaries(&self) -> &[(LinkIndex, Secondaries)] {
        &self.secondaries_set
    }

    /// From now on lets `set_secondaries` fail with this error number, as a `/proc/sys` that is mounted read-only does;
    /// `None` ends that.
    pub fn fail_secondaries(&mut self, errno: Option<i32>) {
        self.secondaries_fail = errno;
    }

    fn lose(&mut self, which: impl Fn(&Address) -> bool) {
        let (gone, kept) = std::mem::take(&mut self.addresses).into_iter().partition(|(_, address)| which(address));
        self.addresses = kept;
        let gone: BTreeMap<AddressKey, Address> = gone;
        self.events.extend(gone.into_keys().map(|(link, address, prefix)| NetworkEvent::AddressRemoved {
            link,
            address,
            prefix,
        }));
        self.lose_routes_without_addresses();
    }

    fn apply(&mut self, change: &Change) -> Result<(), Refused> {
        let about = match change.key() {
            Key::Address((_, address, _)) => Some(address),
            Key::Route(route) => Some(route.destination.address),
            Key::Rule(_) | Key::Link(_) | Key::Upper(..) | Key::Setting(_) => None,
        };
        if let Some(refused) = about.and_then(|address| self.refusals.get(&address)) {
            return Err(refused.clone());
        }
        match change {
            Change::Present(Object::Link(_)) | Change::Absent(Key::Link(_)) => {
                return Err(Refused { errno: libc::EOPNOTSUPP, message: Some("it cannot be asked for".into()) });
            }
            Change::Present(Object::Upper(wish)) => self.make_upper(wish)?,
            Change::Absent(Key::Upper(parent, name)) => self.remove_upper(*parent, name)?,
            Change::Present(Object::Setting(setting)) => self.apply_setting(setting, true)?,
            Change::Absent(Key::Setting(setting)) => self.apply_setting(setting, false)?,
            Change::Present(Object::Route(wish)) => self.apply_route(wish)?,
            Change::Absent(Key::Route(key)) => self.remove_route(key),
            Change::Present(Object::Rule(rule)) => self.add_rule(*rule),
            Change::Absent(Key::Rule(rule)) => self.remove_rule(rule),
            Change::Absent(Key::Address((link, address, prefix))) => self.remove_address(*link, *address, *prefix),
            Change::Present(Object::Address(wish)) => {
                let link = self.links.get(&wish.link).ok_or(Refused { errno: libc::ENODEV, message: None })?;
                let longest = if wish.address.is_ipv4() { 32 } else { 128 };
                if wish.prefix > longest {
                    return Err(Refused { errno: libc::EINVAL, message: None });
                }
                let once =
                    |it: &&Address| (it.link, it.address) == (wish.link, wish.address) && it.prefix != wish.prefix;
                if let Some(other) = self.addresses.values().filter(|it| it.address.is_ipv6()).find(once) {
                    return Err(Refused::other_prefix(other.prefix));
                }
                let mut address = as_the_kernel_keeps_it(link, wish);
                let primary = |it: &&Address| it.flags & Address::SECONDARY == 0 && it.key() != wish.key();
                if self.addresses.values().filter(primary).any(|it| it.shares_network(wish)) {
                    address.flags |= Address::SECONDARY;
                }
                if self.addresses.get(&wish.key()) != Some(&address) {
                    self.events.push_back(NetworkEvent::Address(address.clone()));
                    self.addresses.insert(wish.key(), address);
                }
            }
        }
        Ok(())
    }
}

fn as_the_kernel_keeps_it(link: &Link, wish: &Address) -> Address {
    let remark = if wish.preferred_lifetime == Some(0) { DEPRECATED } else { 0 };
    let v4 = wish.address.is_ipv4();
    Address {
        flags: wish.flags & Address::ASKED_FOR | PERMANENT | remark,
        label: wish.label.filter(|label| v4 && label.as_bytes() != link.name.as_bytes()),
        broadcast: wish.broadcast.filter(|_| v4),
        peer: wish.peer.filter(|peer| *peer != wish.address),
        scope: if v4 { wish.scope } else { scope_of(wish.address) },
        ..wish.clone()
    }
}

/// How many bits at the beginning of both are the same.
fn common_bits(one: Ipv6Addr, other: Ipv6Addr) -> u32 {
    (one.to_bits() ^ other.to_bits()).leading_zeros()
}

/// The scope of an IPv6 address follows from the address.
fn scope_of(address: IpAddr) -> u8 {
    const LINK: u8 = 253;
    const HOST: u8 = 254;
    match address {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => LINK,
        IpAddr::V6(ip) if ip.is_loopback() => HOST,
        _ => 0,
    }
}

impl Network for FakeNetwork {
    fn inventory(&mut self) -> io::Result<Inventory> {
        match self.inventory_fails {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(Inventory {
                links: self.links.values().cloned().collect(),
                addresses: self.addresses.values().cloned().collect(),
                routes: self.routes.values().filter(|route| route.protocol == OUR_PROTOCOL).cloned().collect(),
                rules: self.rules.iter().filter(|rule| rule.protocol == OUR_PROTOCOL).copied().collect(),
                torn: self.torn,
            }),
        }
    }

    fn change(&mut self, changes: &[Change]) -> Vec<Result<(), Refused>> {
        self.batches += 1;
        self.changes += changes.len();
        let mut results = Vec::with_capacity(changes.len());
        for change in changes {
            let told = self.events.len();
            results.push(self.apply(change));
            // the kernel tells of a link that it has altered
            self.altered += usize::from(!matches!(change.key(), Key::Upper(..)) || self.events.len() > told);
        }
        results
    }

    fn events(&mut self, out: &mut Vec<NetworkEvent>) -> bool {
        let some = self.events.len().min(MOST_EVENTS);
        out.extend(self.events.drain(..some));
        self.events.is_empty()
    }

    fn set_secondaries(&mut self, link: &Link, secondaries: Secondaries) -> io::Result<Secondaries> {
        if let Some(errno) = self.secondaries_fail {
            return Err(io::Error::from_raw_os_error(errno));
        }
        if !self.links.contains_key(&link.index) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.secondaries_set.push((link.index, secondaries));
        let before = match secondaries {
            Secondaries::Promoted => !self.promotes.insert(link.index),
            Secondaries::Removed => self.promotes.remove(&link.index),
        };
        Ok(if before { Secondaries::Promoted } else { Secondaries::Removed })
    }

    fn set_firewall(&mut self, firewall: &Firewall) -> Result<(), Refused> {
        self.firewall_calls += 1;
        if let Some(refused) = &self.firewall_refused {
            return Err(refused.clone());
        }
        self.firewall.clone_from(firewall);
        // the kernel tells of tables that are made and removed in one transaction
        let empty = [Family::V4, Family::V6].into_iter().filter(|family| firewall.is_empty(*family));
        if self.watches_firewall {
            self.events.extend(empty.map(NetworkEvent::FirewallLost));
        }
        Ok(())
    }

    fn watch_firewall(&mut self, _: &str) {
        self.watches_firewall = true;
    }

    fn reverse_path_filter(&mut self) -> io::Result<(u8, u8)> {
        self.told_reverse_path_filter()
    }

    fn source_towards(&mut self, peer: Ipv6Addr, link: LinkIndex) -> Option<Ipv6Addr> {
        let here = self.addresses.values().filter(|address| address.link == link && address.flags & TENTATIVE == 0);
        let global: Vec<(&Address, Ipv6Addr)> = here
            .filter_map(|address| match address.address {
                IpAddr::V6(ip) if !ip.is_unicast_link_local() => Some((address, ip)),
                IpAddr::V4(_) | IpAddr::V6(_) => None,
            })
            .collect();
        let on_link = global.iter().any(|(address, ip)| common_bits(*ip, peer) >= u32::from(address.prefix));
        if !on_link && !self.gateways.contains(&link) {
            return None;
        }
        // RFC 6724 §5, rules 3 and 8
        let best = |(address, ip): &(&Address, Ipv6Addr)| {
            (address.preferred_lifetime == Some(0), Reverse(common_bits(*ip, peer)), *ip)
        };
        global.into_iter().min_by_key(best).map(|(_, ip)| ip)
    }

    fn forwards_ipv6(&mut self, link: &Link) -> bool {
        self.forwarding.contains(&link.index)
    }
}
