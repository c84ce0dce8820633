//! Gratuitous ARP and unsolicited neighbour advertisements.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keepalived_core::vrrp::State;
use keepalived_kernel::network::Network;

use super::rig::{ETH0, Rig, VIP, instance, ip, machine, one};

// a neighbour that is told "no router" drops its default route through that address
#[test]
fn a_machine_that_forwards_says_so_to_its_ipv6_neighbours() {
    let mut network = machine();
    network.forward_ipv6(ETH0);
    let mut rig = Rig::on(network, &instance("A", 51, "virtual_ipaddress {\n fe80::100/64\n }"));
    rig.pass(Duration::from_secs(4));
    let advertisements: Vec<_> = rig.packets().announced.iter().map(|frame| frame.octets[58]).collect();
    assert_eq!(advertisements, [0xa0; 5]);
}

// spec: rfc9568/6.4.1: one announcement for each address; keepalived, observed: round by round, excluded ones last
#[test]
fn every_address_is_announced_round_by_round() {
    let body = "priority 100\n virtual_ipaddress {\n 192.0.2.101/24\n 192.0.2.100/24\n }\n \
                virtual_ipaddress_excluded {\n 192.0.2.99/24\n }";
    let mut rig = Rig::new(&instance("A", 51, body));
    rig.pass(Duration::from_secs(4));
    let round = [101, 100, 99].map(|last| Ipv4Addr::new(192, 0, 2, last));
    assert_eq!(rig.announced(), round.repeat(5));
}

// spec: rfc9568/8.2.2, errata 7947: source and target are the address itself, override is set, the option carries our MAC
#[test]
fn ipv6_addresses_are_announced_from_themselves() {
    let mut rig = Rig::new(&instance("A", 51, "virtual_ipaddress {\n fe80::100/64\n 2001:db8::100/64\n }"));
    rig.pass(Duration::from_secs(4));
    let mac =
        rig.engine.kernel().0.inventory().unwrap().links.iter().find(|link| link.index == ETH0).unwrap().mac.unwrap();
    let frames = std::mem::take(&mut rig.packets().announced);
    assert_eq!(frames.len(), 10);
    for (frame, address) in frames.iter().zip(["fe80::100", "2001:db8::100"].map(ip).iter().cycle()) {
        let IpAddr::V6(address) = address else { panic!("IPv6 only") };
        let octets = &frame.octets;
        assert_eq!((&octets[22..38], &octets[62..78]), (&address.octets()[..], &address.octets()[..]));
        assert_eq!((octets[58] & 0x20, &octets[80..86]), (0x20, &mac[..]));
    }
}

// spec: rfc9568/8.1.2, 8.2.2: no announcement before the address is in place
#[test]
fn nothing_is_announced_before_it_is_in_place() {
    let mut network = machine();
    network.refuse(ip(VIP), Some(keepalived_kernel::network::Refused { errno: 12, message: None }));
    let mut rig = Rig::on(network, &one(100));
    rig.pass(Duration::from_secs(10));
    assert_eq!((rig.state("A"), rig.announced()), (State::Master, vec![]));
    rig.network().refuse(ip(VIP), None);
    rig.pass(Duration::from_secs(30));
    assert!(rig.has(VIP) && !rig.announced().is_empty());
}

#[test]
fn addresses_elsewhere_are_announced_one_an_interface() {
    let lines = "192.0.2.100/24\n 198.51.100.1/24 dev eth1\n 198.51.100.2/24 dev eth1";
    let text = instance("A", 51, &format!("garp_extra_if all 10\n virtual_ipaddress {{\n {lines}\n }}"));
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(10));
    rig.announced();
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.announced(), [Ipv4Addr::new(198, 51, 100, 1)]);
}
