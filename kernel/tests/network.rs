//! One suite for every [`Network`]: the kernel's and the fake.

#![cfg(test)]

mod lab;
mod routes;
mod uppers;

use std::time::{Duration, Instant};

use keepalived_core::address::{InterfaceLabel, InterfaceName};
use keepalived_core::network::{Address, Change, Hop, Key, Link, LinkIndex, NetworkEvent, Object, Prefix, Route, Rule};
use keepalived_kernel::fake::FakeNetwork;
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::{MOST_EVENTS, Network, Secondaries};
use keepalived_kernel::packets::BufferSize;

/// A machine to which things happen.
trait Machine {
    type Network: Network;
    fn network(&mut self) -> &mut Self::Network;
    fn add_link(&mut self, name: &str);
    fn remove_link(&mut self, name: &str);
    fn rename(&mut self, from: &str, to: &str);
    fn cable(&mut self, name: &str, plugged: bool);
    fn take_down(&mut self, name: &str);
    fn bring_up(&mut self, name: &str);
    fn remove_address(&mut self, name: &str, address: &Address);
    fn remove_route(&mut self, route: &Route);
    fn remove_rule(&mut self, rule: &Rule);
    /// Takes the rules out of the packet filter's tables of this name.
    fn flush_firewall(&mut self, table: &str);
    /// One that an administrator made.
    fn add_foreign_route(&mut self, name: &str, destination: &str, gateway: &str);
    fn has_foreign_route(&mut self, destination: &str) -> bool;

    fn link(&mut self, name: &str) -> Link {
        let links = self.network().inventory().unwrap().links;
        let found = links.into_iter().find(|link| link.name.as_bytes() == name.as_bytes());
        found.unwrap_or_else(|| panic!("no link {name}"))
    }

    fn address(&mut self, wish: &Address) -> Option<Address> {
        self.network().inventory().unwrap().addresses.into_iter().find(|address| address.key() == wish.key())
    }

    /// Every event until `wanted` is among them.
    fn until(&mut self, wanted: impl Fn(&NetworkEvent) -> bool) -> Vec<NetworkEvent> {
        let patience = Instant::now() + Duration::from_secs(5);
        let mut events = Vec::new();
        loop {
            while !self.network().events(&mut events) {}
            if events.iter().any(&wanted) {
                return events;
            }
            assert!(Instant::now() < patience, "only {events:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Fake(FakeNetwork);

impl Fake {
    fn index(&mut self, name: &str) -> LinkIndex {
        self.link(name).index
    }
}

impl Machine for Fake {
    type Network = FakeNetwork;

    fn network(&mut self) -> &mut FakeNetwork {
        &mut self.0
    }

    fn add_link(&mut self, name: &str) {
        let index = self.0.inventory().unwrap().links.len() + 10;
        self.0.set_link(FakeNetwork::ethernet(index.try_into().unwrap(), name).unwrap());
    }

    fn remove_link(&mut self, name: &str) {
        let index = self.index(name);
        self.0.remove_link(index);
    }

    fn rename(&mut self, from: &str, to: &str) {
        let index = self.index(from);
        self.0.rename(index, InterfaceName::new(to.as_bytes()).unwrap());
    }

    fn cable(&mut self, name: &str, plugged: bool) {
        let index = self.index(name);
        self.0.set_running(index, plugged);
    }

    fn remove_address(&mut self, name: &str, address: &Address) {
        let index = self.index(name);
        self.0.remove_address(index, address.address, address.prefix);
    }

    fn take_down(&mut self, name: &str) {
        let index = self.index(name);
        self.0.take_down(index);
    }

    fn bring_up(&mut self, name: &str) {
        let index = self.index(name);
        self.0.set_running(index, true);
    }

    fn remove_route(&mut self, route: &Route) {
        self.0.remove_route(&route.key());
    }

    fn remove_rule(&mut self, rule: &Rule) {
        self.0.remove_rule(rule);
    }

    fn flush_firewall(&mut self, _: &str) {
        self.0.flush_firewall();
    }

    fn add_foreign_route(&mut self, name: &str, destination: &str, gateway: &str) {
        let index = self.index(name);
        let (address, length) = destination.split_once('/').unwrap();
        let destination = Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() };
        let hop = Hop { gateway: gateway.parse().ok(), link: Some(index), ..Hop::default() };
        assert!(self.0.add_route(&Route { protocol: 4, ..Route::plain(destination, hop) }));
    }

    fn has_foreign_route(&mut self, destination: &str) -> bool {
        self.0.routes().any(|route| route.protocol == 4 && route.destination.to_string() == destination)
    }
}

struct Real(Rtnetlink);

impl Machine for Real {
    type Network = Rtnetlink;

    fn network(&mut self) -> &mut Rtnetlink {
        &mut self.0
    }

    fn add_link(&mut self, name: &str) {
        lab::ip(&format!("link add {name} type veth peer name {name}.far"));
        lab::ip(&format!("link set {name} up"));
        lab::ip(&format!("link set {name}.far up"));
    }

    fn remove_link(&mut self, name: &str) {
        lab::ip(&format!("link del {name}"));
    }

    fn rename(&mut self, from: &str, to: &str) {
        lab::ip(&format!("link set {from} name {to}"));
    }

    fn cable(&mut self, name: &str, plugged: bool) {
        lab::ip(&format!("link set {name}.far {}", if plugged { "up" } else { "down" }));
    }

    fn remove_address(&mut self, name: &str, address: &Address) {
        lab::ip(&format!("address del {}/{} dev {name}", address.address, address.prefix));
    }

    fn take_down(&mut self, name: &str) {
        lab::ip(&format!("link set {name} down"));
    }

    fn bring_up(&mut self, name: &str) {
        // the link of the contract keeps its IPv6 addresses away from duplicate address detection
        lab::ip(&format!("link set {name} up"));
    }

    fn remove_route(&mut self, route: &Route) {
        lab::ip(&format!("route del {} table {} proto keepalived", route.destination, route.table));
    }

    fn remove_rule(&mut self, rule: &Rule) {
        let family = if rule.family == keepalived_core::vrrp::Family::V4 { "-4" } else { "-6" };
        lab::ip(&format!("{family} rule del preference {}", rule.preference));
    }

    fn flush_firewall(&mut self, table: &str) {
        let done = std::process::Command::new("nft").args(["flush", "table", "ip", table]).status();
        assert!(done.unwrap().success());
    }

    fn add_foreign_route(&mut self, name: &str, destination: &str, gateway: &str) {
        lab::ip(&format!("route add {destination} via {gateway} dev {name} proto static"));
    }

    fn has_foreign_route(&mut self, destination: &str) -> bool {
        !lab::ip_says(&format!("route show {destination} proto static")).is_empty()
    }
}

fn wish(link: LinkIndex, text: &str) -> Address {
    let (address, prefix) = text.split_once('/').unwrap();
    Address {
        link,
        address: address.parse().unwrap(),
        prefix: prefix.parse().unwrap(),
        scope: 0,
        flags: if text.contains(':') { libc::IFA_F_NODAD } else { 0 },
        label: None,
        broadcast: None,
        peer: None,
        protocol: 18,
        preferred_lifetime: None,
    }
}

/// Several of every kind.
fn wishes(link: LinkIndex) -> Vec<Address> {
    vec![
        wish(link, "192.0.2.1/32"),
        wish(link, "198.51.100.1/24"),
        wish(link, "198.51.100.2/24"),
        Address {
            scope: 253,
            label: InterfaceLabel::new(b"red:1"),
            broadcast: Some("203.0.113.255".parse().unwrap()),
            flags: libc::IFA_F_NOPREFIXROUTE,
            ..wish(link, "203.0.113.1/24")
        },
        Address { peer: Some("192.0.2.99".parse().unwrap()), ..wish(link, "192.0.2.50/32") },
        wish(link, "2001:db8::1/64"),
        Address { preferred_lifetime: Some(0), ..wish(link, "2001:db8::2/128") },
        Address { preferred_lifetime: Some(1000), ..wish(link, "2001:db8::3/64") },
        Address { peer: Some("2001:db8::99".parse().unwrap()), ..wish(link, "2001:db8::50/128") },
    ]
}

fn present(wishes: &[Address]) -> Vec<Change> {
    wishes.iter().cloned().map(Object::Address).map(Change::Present).collect()
}

fn absent(address: &Address) -> Change {
    Change::Absent(Key::Address(address.key()))
}

fn must(machine: &mut impl Machine, changes: &[Change]) {
    for (change, outcome) in changes.iter().zip(machine.network().change(changes)) {
        assert_eq!(outcome, Ok(()), "{change:?}");
    }
}

fn assert_there(machine: &mut impl Machine, wishes: &[Address]) {
    for wish in wishes {
        let there = machine.address(wish).unwrap_or_else(|| panic!("missing: {wish:?}"));
        assert!(there.fulfils(wish), "{there:?}\n is not {wish:?}");
        assert_eq!(there.protocol, 18);
    }
}

fn suite(machine: &mut impl Machine) {
    machine.add_link("red0");
    // the carrier comes a moment after the link
    machine.until(|event| is_link(event, "red0", true));
    let link = machine.link("red0");
    assert!(link.running && link.multicast && !link.loopback && link.mac.is_some());
    assert_eq!(link.mtu, 1500);

    addresses_come_as_wished_and_wishing_again_is_success(machine, link.index);
    an_address_with_other_attributes_is_made_right(machine, link.index);
    addresses_go_and_those_that_are_gone_are_success(machine, link.index);
    changes_are_applied_in_order(machine, link.index);
    an_ipv6_address_is_there_with_one_prefix_length(machine, link.index);
    a_route_says_which_source_leads_to_a_peer(machine, link.index);
    one_refusal_does_not_stop_the_others(machine, link.index);
    a_thousand_addresses_come_and_go_in_one_call(machine, link.index);
    events_tell_what_we_and_others_do(machine, link.index);
    many_events_come_in_pieces_and_in_order(machine, link.index);
    links_come_change_and_go(machine);
    uppers::suite(machine, &link);
    routes::suite(machine, link.index);
    secondary_addresses_go_with_their_primary_or_are_promoted(machine, &link);
}

fn secondary_addresses_go_with_their_primary_or_are_promoted(machine: &mut impl Machine, link: &Link) {
    let (first, second) = (wish(link.index, "198.51.100.2/24"), wish(link.index, "198.51.100.1/24"));
    let elsewhere = wish(link.index, "198.51.100.3/32");
    let flag = |machine: &mut _, wish: &Address| {
        Machine::address(machine, wish).map(|there: Address| there.flags & Address::SECONDARY)
    };
    for (wanted, before, left) in [
        (Secondaries::Removed, Secondaries::Promoted, None),
        (Secondaries::Promoted, Secondaries::Removed, Some(0)),
        (Secondaries::Promoted, Secondaries::Promoted, Some(0)),
    ] {
        assert_eq!(machine.network().set_secondaries(link, wanted).unwrap(), before);
        must(machine, &present(&[first.clone(), second.clone(), elsewhere.clone()]));
        let flags = [&first, &second, &elsewhere].map(|wish| flag(machine, wish));
        assert_eq!(flags, [Some(0), Some(Address::SECONDARY), Some(0)]);
        must(machine, &[absent(&first)]);
        let gone = |wish: &Address| NetworkEvent::AddressRemoved {
            link: link.index,
            address: wish.address,
            prefix: wish.prefix,
        };
        let events = machine.until(|event| *event == gone(&first));
        assert_eq!(events.contains(&gone(&second)), left.is_none(), "{events:?}");
        assert_eq!([&first, &second].map(|wish| flag(machine, wish)), [None, left]);
        assert!(machine.address(&elsewhere).is_some());
        must(machine, &[absent(&second), absent(&elsewhere)]);
        machine.until(|event| *event == gone(&elsewhere));
    }
}

fn addresses_come_as_wished_and_wishing_again_is_success(machine: &mut impl Machine, link: LinkIndex) {
    let wishes = wishes(link);
    for _ in 0..2 {
        must(machine, &present(&wishes));
        assert_there(machine, &wishes);
    }
    assert_eq!(ours(machine), wishes.len());
}

fn an_address_with_other_attributes_is_made_right(machine: &mut impl Machine, link: LinkIndex) {
    let mut other = wishes(link);
    for address in &mut other {
        address.preferred_lifetime = match address.preferred_lifetime {
            None => Some(0),
            Some(_) => None,
        };
        if address.address.is_ipv4() {
            address.label = if address.label.is_some() { None } else { InterfaceLabel::new(b"red:2") };
            address.scope = 253 - address.scope;
            address.broadcast = if address.broadcast.is_some() { None } else { "192.0.2.255".parse().ok() };
            address.flags ^= libc::IFA_F_NOPREFIXROUTE;
        }
    }
    must(machine, &present(&other));
    assert_there(machine, &other);
    let wishes = wishes(link);
    must(machine, &present(&wishes));
    assert_there(machine, &wishes);
}

fn addresses_go_and_those_that_are_gone_are_success(machine: &mut impl Machine, link: LinkIndex) {
    let wishes = wishes(link);
    let mut changes: Vec<_> = wishes.iter().map(absent).collect();
    changes.push(absent(&wish(LinkIndex(4_000_000), "192.0.2.1/32")));
    changes.push(absent(&wish(LinkIndex(4_000_000), "2001:db8::1/64")));
    // else the kernel removes 198.51.100.2 together with 198.51.100.1
    let red = machine.link("red0");
    machine.network().set_secondaries(&red, Secondaries::Promoted).unwrap();
    must(machine, &changes[..2]);
    assert_there(machine, &wishes[2..]);
    for _ in 0..2 {
        must(machine, &changes);
        assert!(wishes.iter().all(|wish| machine.address(wish).is_none()));
    }
}

fn changes_are_applied_in_order(machine: &mut impl Machine, link: LinkIndex) {
    for text in ["192.0.2.1/32", "2001:db8::1/64"] {
        let address = wish(link, text);
        let there = Change::Present(Object::Address(address.clone()));
        let gone = absent(&address);
        must(machine, &[there.clone(), gone.clone()]);
        assert_eq!(machine.address(&address), None);
        must(machine, &[gone.clone(), there.clone()]);
        assert_there(machine, std::slice::from_ref(&address));
        must(machine, &[there, gone]);
        assert_eq!(machine.address(&address), None, "it was there before the first");
    }
}

// asked for with another one the kernel keeps the one that is there, and says that all is well
fn an_ipv6_address_is_there_with_one_prefix_length(machine: &mut impl Machine, link: LinkIndex) {
    let (old, new) = (wish(link, "2001:db8:7::1/64"), wish(link, "2001:db8:7::1/120"));
    must(machine, &present(std::slice::from_ref(&old)));
    let outcome = machine.network().change(&present(std::slice::from_ref(&new)));
    let refused = outcome[0].clone().unwrap_err();
    assert_eq!(refused.errno, libc::EEXIST);
    assert!(refused.to_string().contains("prefix length 64"), "{refused}");
    assert_there(machine, std::slice::from_ref(&old));
    must(machine, &[absent(&old), Change::Present(Object::Address(new.clone()))]);
    assert_there(machine, std::slice::from_ref(&new));
    must(machine, &[absent(&new)]);
    machine.network().events(&mut Vec::new());
}

fn a_route_says_which_source_leads_to_a_peer(machine: &mut impl Machine, link: LinkIndex) {
    let peer = "2001:db8::f2".parse().unwrap();
    assert_eq!(machine.network().source_towards(peer, link), None, "no route");
    // nearer to the peer, and not for new traffic: RFC 6724 §5, rule 3
    let over = Address { preferred_lifetime: Some(0), ..wish(link, "2001:db8::f3/64") };
    let wishes = [wish(link, "2001:db8::1/64"), over, wish(link, "2001:db8:1::1/64")];
    must(machine, &present(&wishes));
    assert_eq!(machine.network().source_towards(peer, link), "2001:db8::1".parse().ok());
    assert_eq!(machine.network().source_towards("2001:db8:2::1".parse().unwrap(), link), None, "no default route");
    must(machine, &wishes.iter().map(absent).collect::<Vec<_>>());
}

fn one_refusal_does_not_stop_the_others(machine: &mut impl Machine, link: LinkIndex) {
    let nowhere = LinkIndex(4_000_000);
    let wishes = [
        wish(link, "192.0.2.1/32"),
        wish(nowhere, "192.0.2.2/32"),
        wish(link, "192.0.2.3/33"),
        wish(nowhere, "2001:db8::2/64"),
        wish(link, "2001:db8::3/64"),
    ];
    let outcome = machine.network().change(&present(&wishes));
    let errnos: Vec<_> = outcome.iter().map(|outcome| outcome.as_ref().err().map(|refused| refused.errno)).collect();
    assert_eq!(errnos, [None, Some(libc::ENODEV), Some(libc::EINVAL), Some(libc::ENODEV), None]);
    let there = [wishes[0].clone(), wishes[4].clone()];
    assert_there(machine, &there);
    must(machine, &there.iter().map(absent).collect::<Vec<_>>());
}

fn a_thousand_addresses_come_and_go_in_one_call(machine: &mut impl Machine, link: LinkIndex) {
    let wishes: Vec<_> = (0..1000)
        .map(|n| match n % 2 {
            0 => wish(link, &format!("10.0.{}.{}/32", n / 250, n % 250)),
            _ => wish(link, &format!("2001:db8:1::{n:x}/128")),
        })
        .collect();
    must(machine, &present(&wishes));
    assert_eq!(ours(machine), 1000);
    must(machine, &present(&wishes));
    must(machine, &wishes.iter().map(absent).collect::<Vec<_>>());
    assert_eq!(ours(machine), 0);
}

fn ours(machine: &mut impl Machine) -> usize {
    machine.network().inventory().unwrap().addresses.iter().filter(|address| address.protocol == 18).count()
}

fn events_tell_what_we_and_others_do(machine: &mut impl Machine, link: LinkIndex) {
    let mut before = Vec::new();
    while !machine.network().events(&mut before) {}
    let wishes =
        [Address { label: InterfaceLabel::new(b"red:1"), ..wish(link, "192.0.2.1/24") }, wish(link, "2001:db8::1/64")];
    for wish in &wishes {
        let gone = NetworkEvent::AddressRemoved { link, address: wish.address, prefix: wish.prefix };
        must(machine, &present(std::slice::from_ref(wish)));
        machine.until(|event| matches!(event, NetworkEvent::Address(address) if address.fulfils(wish)));
        machine.remove_address("red0", wish);
        machine.until(|event| *event == gone);
        must(machine, &present(std::slice::from_ref(wish)));
        must(machine, &[absent(wish)]);
        // IPv6: added and removed at once, it is not always announced before
        machine.until(|event| *event == gone);
    }
}

/// Whoever hears events has other things to do between two calls, adverts to send above all.
fn many_events_come_in_pieces_and_in_order(machine: &mut impl Machine, link: LinkIndex) {
    while !machine.network().events(&mut Vec::new()) {}
    let wishes: Vec<_> = (0..500).map(|n| wish(link, &format!("10.1.{}.{}/32", n / 250, n % 250))).collect();
    must(machine, &present(&wishes));
    must(machine, &wishes.iter().map(absent).collect::<Vec<_>>());
    let (mut heard, mut is_all) = (Vec::new(), false);
    while !is_all {
        let before = heard.len();
        is_all = machine.network().events(&mut heard);
        assert!(heard.len() - before <= MOST_EVENTS, "{} in one call", heard.len() - before);
    }
    let came = heard.iter().filter_map(|event| match event {
        // the far end of the link has its own by now
        NetworkEvent::Address(address) if address.link == link => Some(address.address),
        _ => None,
    });
    let went = heard.iter().filter_map(|event| match event {
        NetworkEvent::AddressRemoved { address, .. } => Some(*address),
        _ => None,
    });
    assert!(came.eq(wishes.iter().map(|wish| wish.address)), "{heard:?}");
    assert!(went.eq(wishes.iter().map(|wish| wish.address)), "{heard:?}");
}

fn is_link(event: &NetworkEvent, name: &str, running: bool) -> bool {
    matches!(event, NetworkEvent::Link(link) if link.name.as_bytes() == name.as_bytes() && link.running == running)
}

fn links_come_change_and_go(machine: &mut impl Machine) {
    machine.add_link("blue0");
    let blue = machine.link("blue0");
    machine.until(|event| is_link(event, "blue0", true));
    let address = wish(blue.index, "192.0.2.7/24");
    must(machine, &present(std::slice::from_ref(&address)));
    machine.cable("blue0", false);
    machine.until(|event| is_link(event, "blue0", false));
    assert!(!machine.link("blue0").running);
    assert_there(machine, std::slice::from_ref(&address));
    machine.cable("blue0", true);
    machine.until(|event| is_link(event, "blue0", true));
    machine.rename("blue0", "green0");
    machine.until(|event| is_link(event, "green0", true));
    assert_eq!(machine.link("green0").index, blue.index);
    // the label follows the name
    assert_there(machine, std::slice::from_ref(&address));
    machine.remove_link("green0");
    let events = machine.until(|event| *event == NetworkEvent::LinkRemoved(blue.index));
    let gone = |event: &NetworkEvent| matches!(event, NetworkEvent::AddressRemoved { link, .. } if *link == blue.index);
    assert!(events.iter().any(gone), "{events:?}");
    assert_eq!(machine.address(&address), None);
    let outcome = machine.network().change(&[Change::Present(Object::Address(address))]);
    assert_eq!(outcome.first().and_then(|it| it.as_ref().err()).map(|refused| refused.errno), Some(libc::ENODEV));
}

#[test]
fn the_fake_keeps_the_contract() {
    suite(&mut Fake(FakeNetwork::new()));
}

#[test]
fn the_kernel_keeps_the_contract() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    suite(&mut Real(Rtnetlink::open(Rtnetlink::DEFAULT_MONITOR_BUFFER).unwrap()));
}

#[test]
fn routes_through_tunnels_are_as_wished_where_the_kernel_has_them() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let mut machine = Real(Rtnetlink::open(Rtnetlink::DEFAULT_MONITOR_BUFFER).unwrap());
    machine.add_link("red0");
    let link = machine.link("red0").index;
    eprintln!("{} of 3 kinds of tunnels", routes::tunnels(&mut machine, link));
}

#[test]
fn promoted_secondaries_survive_their_primary() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let mut machine = Real(Rtnetlink::open(Rtnetlink::DEFAULT_MONITOR_BUFFER).unwrap());
    machine.add_link("red0");
    let link = machine.link("red0");
    machine.network().set_secondaries(&link, Secondaries::Promoted).unwrap();
    let value = std::fs::read_to_string("/proc/sys/net/ipv4/conf/red0/promote_secondaries").unwrap();
    assert_eq!(value.trim(), "1");
    let gone = Link { name: InterfaceName::new(b"gone0").unwrap(), ..link };
    let error = machine.network().set_secondaries(&gone, Secondaries::Promoted).unwrap_err();
    assert!(error.to_string().contains("gone0"), "{error}");
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let mut machine = Real(Rtnetlink::open(Rtnetlink::DEFAULT_MONITOR_BUFFER).unwrap());
    machine.add_link("red0");
    lab::ip("link add br0 type bridge");
    lab::ip("link set red0 master br0");
    lab::ip("link set red0 nomaster");
    machine.add_link("last0");
    let events = machine.until(|event| matches!(event, NetworkEvent::Link(link) if link.name.as_bytes() == b"last0"));
    assert!(!events.iter().any(|event| matches!(event, NetworkEvent::LinkRemoved(_))), "{events:?}");
}

#[test]
fn events_that_did_not_fit_are_told_as_an_overrun_and_found_by_reading_again() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let mut machine = Real(Rtnetlink::open(BufferSize(4096)).unwrap());
    machine.add_link("red0");
    let link = machine.link("red0").index;
    let wishes: Vec<_> = (0..200).map(|n| wish(link, &format!("192.0.2.{n}/32"))).collect();
    must(&mut machine, &present(&wishes));
    machine.until(|event| *event == NetworkEvent::Overrun);
    assert_there(&mut machine, &wishes[190..]);
    let mut after = Vec::new();
    assert!(machine.network().events(&mut after), "an overrun is told once: {after:?}");
    must(&mut machine, &[absent(&wishes[0])]);
    machine.until(|event| matches!(event, NetworkEvent::AddressRemoved { .. }));
}

#[test]
fn a_fake_refuses_and_fails_as_told() {
    let mut fake = Fake(FakeNetwork::new());
    fake.add_link("red0");
    let link = fake.link("red0").index;
    let address = wish(link, "192.0.2.1/24");
    let refused = keepalived_kernel::network::Refused { errno: libc::EPERM, message: Some("no".into()) };
    fake.0.refuse(address.address, Some(refused.clone()));
    assert_eq!(fake.0.change(&[Change::Present(Object::Address(address.clone()))]), [Err(refused)]);
    fake.0.refuse(address.address, None);
    must(&mut fake, &[Change::Present(Object::Address(address.clone()))]);
    fake.0.overrun();
    let mut events = Vec::new();
    assert!(fake.0.events(&mut events));
    assert_eq!(events, [NetworkEvent::Overrun]);
    fake.0.fail_inventory(Some(libc::EBUSY));
    assert!(fake.0.inventory().is_err());
}
