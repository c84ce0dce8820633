//! Gratuitous ARP and unsolicited neighbour advertisements.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keepalived_core::vrrp::State;
use keepalived_kernel::fake::FakeNetwork;
use keepalived_kernel::network::{Network, Refused};

use super::rig::{ETH0, ETH1, Rig, VIP, instance, ip, machine, master, with_addresses};

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
    let (first, refused, last) =
        (Ipv4Addr::new(192, 0, 2, 100), Ipv4Addr::new(192, 0, 2, 101), Ipv4Addr::new(192, 0, 2, 102));
    let mut network = machine();
    network.refuse(refused.into(), Some(Refused { errno: 12, message: None }));
    let lines = [first, refused, last].map(|address| format!("{address}/24"));
    let mut rig = Rig::on(network, &with_addresses("A", 51, 100, &lines.each_ref().map(String::as_str)));
    rig.pass(Duration::from_secs(10));
    // at once and after garp_master_delay
    assert_eq!((rig.state("A"), rig.announced()), (State::Master, [first, last].repeat(10)));
    rig.network().refuse(refused.into(), None);
    rig.pass(Duration::from_secs(30));
    assert!(rig.has("192.0.2.101"));
    // at once; the second burst is of all that are there
    assert_eq!(rig.announced(), [vec![refused; 5], [first, refused, last].repeat(5)].concat());
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

/// Instance A with an IPv4 address, and an IPv6 address that the kernel refuses (`disable_ipv6`).
const WITH_REFUSED: &str = "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100/24\n }\n virtual_ipaddress_excluded {\n 2001:db8::100/64\n }\n}\n";

#[test]
fn an_address_that_is_refused_silences_no_other() {
    let mut network = machine();
    // EACCES
    let refused = Refused { errno: 13, message: None };
    network.refuse(ip("2001:db8::100"), Some(refused));
    let mut rig = Rig::on(network, WITH_REFUSED);
    rig.pass(Duration::from_secs(4));
    assert!(rig.has(VIP) && !rig.has("2001:db8::100"));
    assert_eq!(rig.announced(), [Ipv4Addr::new(192, 0, 2, 100); 5]);
    rig.network().refuse(ip("2001:db8::100"), None);
    rig.packets().announced.clear();
    rig.pass(Duration::from_secs(40));
    assert!(rig.has("2001:db8::100"));
    let advertised = rig.packets().announced.iter().filter(|frame| frame.octets.len() > 42).count();
    assert!(advertised >= 5, "{advertised}");
}

#[test]
fn an_address_is_announced_again_when_its_link_has_another_mac() {
    let mut rig = master();
    rig.pass(Duration::from_secs(10));
    rig.announced();
    let mut link = FakeNetwork::ethernet(2, "eth0").unwrap();
    link.mac = Some([2, 0, 0, 0, 0, 99]);
    rig.network().set_link(link);
    rig.settle();
    assert_eq!(rig.announced(), [Ipv4Addr::new(192, 0, 2, 100); 5]);
}

#[test]
fn addresses_on_a_link_that_is_made_again_are_announced() {
    let text = "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100/24\n 198.51.100.7/24 dev eth1 no_track\n }\n}\n";
    let mut rig = Rig::new(text);
    rig.pass(Duration::from_secs(4));
    rig.network().remove_link(ETH1);
    rig.settle();
    rig.announced();
    rig.network().set_link(FakeNetwork::ethernet(7, "eth1").unwrap());
    rig.settle();
    assert!(rig.has("198.51.100.7"));
    assert_eq!(rig.announced(), [Ipv4Addr::new(198, 51, 100, 7); 5]);
}

#[test]
fn lost_events_do_not_make_a_router_a_host() {
    let text = "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n fe80::64\n }\n}\n";
    let mut network = machine();
    network.forward_ipv6(ETH0);
    let mut rig = Rig::on(network, text);
    rig.pass(Duration::from_millis(4_000));
    rig.network().overrun();
    rig.settle();
    rig.packets().announced.clear();
    rig.pass(Duration::from_secs(8));
    let flags: Vec<u8> = rig.packets().announced.iter().map(|frame| frame.octets[58] & 0x80).collect();
    // RFC 4861 §4.4: the R flag; garp_master_delay brings the second burst
    assert!(!flags.is_empty() && flags.iter().all(|flag| *flag == 0x80), "{flags:?}");
}

// simulator, seeds 517 and 74
#[test]
fn an_announcement_that_the_kernel_does_not_take_is_owed_while_the_address_is_there() {
    for stays in [true, false] {
        let mut rig = master();
        rig.announced();
        rig.packets().fail_link(ETH0, Some(105));
        rig.reload(&with_addresses("A", 51, 100, &[&format!("{VIP}/24"), "192.0.2.101/24"]));
        rig.pass(Duration::from_millis(500));
        assert!(rig.announced().is_empty());
        if !stays {
            rig.reload(&with_addresses("A", 51, 100, &[&format!("{VIP}/24")]));
        }
        rig.packets().fail_link(ETH0, None);
        rig.pass(Duration::from_millis(200));
        let expected: &[Ipv4Addr] = if stays { &[Ipv4Addr::new(192, 0, 2, 101)] } else { &[] };
        let announced: BTreeSet<Ipv4Addr> = rig.announced().into_iter().filter(|it| it.to_string() != VIP).collect();
        assert_eq!(announced.into_iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn another_mac_that_no_event_told_of_is_announced_after_the_new_reading() {
    let mut rig = master();
    rig.pass(Duration::from_secs(10));
    rig.announced();
    let mut link = rig.network().inventory().unwrap().links.into_iter().find(|link| link.index == ETH0).unwrap();
    link.mac = Some([2, 0, 0, 0, 0, 99]);
    rig.network().set_link(link);
    rig.network().overrun();
    rig.settle();
    assert_eq!(rig.announced(), vec![Ipv4Addr::new(192, 0, 2, 100); 5]);
}

#[test]
fn a_master_announces_its_addresses_once_more_when_it_is_told_to() {
    let lines = "192.0.2.100/24\n 192.0.2.101/24";
    let mut rig = Rig::new(&instance("A", 51, &format!("virtual_ipaddress {{\n {lines}\n }}")));
    rig.engine.announce("A");
    rig.pass(Duration::from_secs(1));
    assert_eq!((rig.state("A"), rig.announced()), (State::Backup, Vec::new()));
    rig.pass(Duration::from_secs(20));
    rig.announced();
    rig.engine.announce("B");
    rig.engine.announce("A");
    rig.pass(Duration::from_secs(20));
    // keepalived 2.4.3 (SendGarp): a single round
    assert_eq!(rig.announced(), [100, 101].map(|last| Ipv4Addr::new(192, 0, 2, last)));
}
