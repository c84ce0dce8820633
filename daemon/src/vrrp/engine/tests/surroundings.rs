//! Interfaces, cables, source addresses, sockets: what an instance stands on.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::network::{Link, LinkIndex};
use keepalived_core::vrrp::{Cause, Fault, Faults, State};
use keepalived_kernel::fake::FakeNetwork;
use keepalived_kernel::packets::ChannelKind;

use super::rig::{ETH0, ETH1, Rig, VIP, instance, ip, machine, master, one, plain, under, with_addresses};
use crate::vrrp::report::Report;

// keepalived 2.4.3: `vrf` of a unicast instance without interface binds its sockets to the VRF; they are opened when it is there
#[test]
fn an_instance_without_interface_is_in_the_vrf_that_it_names() {
    let mut network = machine();
    let red = Link { vrf: Some(1001), ..FakeNetwork::ethernet(9, "red").unwrap() };
    let lines =
        "unicast_src_ip 192.0.2.1\n unicast_peer {\n 192.0.2.2\n }\n virtual_ipaddress {\n 192.0.2.100 dev eth0\n }";
    let text = |vrf: &str| {
        format!(
            "vrrp_instance A {{\n virtual_router_id 51\n {vrf}\n {lines}\n}}\nglobal_defs {{\n dynamic_interfaces\n}}"
        )
    };
    let links = |rig: &mut Rig| rig.packets().channels().map(|(_, channel)| channel.link).collect::<Vec<_>>();
    assert_eq!(links(&mut Rig::on(machine(), &text(""))), [None]);
    let mut rig = Rig::on(machine(), &text("vrf red"));
    rig.pass(Duration::from_secs(5));
    assert_eq!((rig.state("A"), links(&mut rig)), (State::Fault, vec![]), "it is not there yet");
    network.set_link(red);
    let mut rig = Rig::on(network, &text("vrf red"));
    assert_eq!(links(&mut rig), [Some(LinkIndex(9))]);
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn an_interface_that_appears_while_events_are_lost_is_found() {
    let mut rig = master();
    rig.network().remove_link(ETH0);
    rig.network().overrun();
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().set_link(FakeNetwork::ethernet(9, "eth0").unwrap());
    rig.network().add_address(plain(LinkIndex(9), "192.0.2.1", 24));
    rig.network().overrun();
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn a_pulled_cable_is_a_fault_and_its_return_a_new_beginning() {
    let mut rig = master();
    rig.network().set_running(ETH0, false);
    rig.settle();
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
    assert!(!rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. })));
    rig.network().set_running(ETH0, true);
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn dont_track_primary_ignores_the_cable() {
    let mut rig = Rig::new(&instance("A", 51, "dont_track_primary\n virtual_ipaddress {\n 192.0.2.100\n }"));
    rig.pass(Duration::from_secs(4));
    rig.network().set_running(ETH0, false);
    rig.settle();
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn without_an_address_to_send_from_there_is_a_fault() {
    let mut rig = master();
    rig.network().remove_address(ETH0, ip("192.0.2.1"), 24);
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    let causes: Vec<_> = rig
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::Transition { transition, .. } => Some(transition.cause.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(causes.last(), Some(&Cause::Fault(Faults::NONE.with(Fault::NoSource))));
    rig.network().add_address(plain(ETH0, "192.0.2.5", 24));
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
}

#[test]
fn an_interface_may_vanish_come_back_and_be_renamed() {
    let mut rig = master();
    rig.network().remove_link(ETH0);
    rig.settle();
    assert_eq!((rig.state("A"), rig.packets().channels().count()), (State::Fault, 0));
    rig.network().set_link(FakeNetwork::ethernet(9, "eth9").unwrap());
    rig.network().add_address(plain(LinkIndex(9), "192.0.2.1", 24));
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().rename(LinkIndex(9), InterfaceName::new(b"eth0").unwrap());
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn sockets_that_cannot_be_opened_are_a_fault_that_ends() {
    let mut rig = Rig::new(&one(100));
    rig.packets().refuse_open(Some(105));
    rig.network().remove_link(ETH0);
    rig.settle();
    rig.network().set_link(FakeNetwork::ethernet(2, "eth0").unwrap());
    rig.network().add_address(plain(ETH0, "192.0.2.1", 24));
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    rig.packets().refuse_open(None);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.state("A"), State::Backup);
}

/// Instance A on eth0 with [`VIP`], and `line` among the virtual or the excluded addresses.
fn with_another(block: &str, line: &str) -> String {
    let own = "virtual_ipaddress {\n 192.0.2.100/24\n }";
    let both = match block {
        "virtual_ipaddress" => format!("virtual_ipaddress {{\n 192.0.2.100/24\n {line}\n }}"),
        _ => format!("{own}\n {block} {{\n {line}\n }}"),
    };
    instance("A", 51, &both)
}

/// What can happen to eth1, and how it comes back.
const HARMS: [fn(&mut FakeNetwork, bool); 3] = [
    |network, back| network.set_running(ETH1, back),
    |network, back| match back {
        true => network.set_link(FakeNetwork::ethernet(7, "eth1").unwrap()),
        false => network.remove_link(ETH1),
    },
    |network, back| {
        let name: &[u8] = if back { b"eth1" } else { b"eth9" };
        network.rename(ETH1, InterfaceName::new(name).unwrap());
    },
];

// keepalived 2.2.7, observed: FAULT in 0.6 s, BACKUP when the interface is back; with `no_track` it stays MASTER
#[test]
fn the_interface_of_a_tracked_address_counts_as_the_instances_own() {
    for block in ["virtual_ipaddress", "virtual_ipaddress_excluded"] {
        for (seconds, was) in [(1, State::Backup), (4, State::Master)] {
            for harm in HARMS {
                for (option, expected) in [("", State::Fault), ("no_track", was)] {
                    let text = with_another(block, &format!("198.51.100.7/24 dev eth1 {option}"));
                    let mut rig = Rig::new(&text);
                    rig.pass(Duration::from_secs(seconds));
                    rig.sent(51);
                    harm(rig.network(), false);
                    rig.settle();
                    assert_eq!((rig.state("A"), rig.packets().channels().count()), (expected, 1), "{text}");
                    assert_eq!(rig.has(VIP), expected == State::Master, "{text}");
                    let said = rig.reports.iter().filter(|report| matches!(report, Report::AddressInterface { .. }));
                    assert_eq!(said.count(), usize::from(expected == State::Fault), "{text}");
                    harm(rig.network(), true);
                    rig.settle();
                    let back = if expected == State::Fault { State::Backup } else { was };
                    assert_eq!(rig.state("A"), back, "{text}");
                    rig.pass(Duration::from_secs(4));
                    assert_eq!((rig.state("A"), rig.has(VIP), rig.has("198.51.100.7")), (State::Master, true, true));
                }
            }
        }
    }
}

// keepalived 2.2.7 with `dynamic_interfaces`, observed
#[test]
fn an_interface_of_a_tracked_address_that_is_missing_at_start_is_waited_for() {
    let mut rig = Rig::new(&with_another("virtual_ipaddress", "198.51.100.7/24 dev eth7"));
    rig.pass(Duration::from_secs(10));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
    rig.network().set_link(FakeNetwork::ethernet(7, "eth7").unwrap());
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has("198.51.100.7")), (State::Master, true));
}

#[test]
fn dont_track_primary_goes_for_an_address_on_the_instances_own_interface_too() {
    let text = instance("A", 51, "dont_track_primary\n virtual_ipaddress {\n 192.0.2.100/24 dev eth0\n }");
    let mut network = machine();
    network.set_running(ETH0, false);
    let mut rig = Rig::on(network, &text);
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
}

/// Instances that cannot work without the source address that is configured: its address, and what it stands on.
const FROM: [(&str, &str, &str); 3] = [
    ("192.0.2.7", "eth0", "unicast_src_ip 192.0.2.7\n unicast_peer {\n 192.0.2.2\n }"),
    // on another interface than the instance's
    ("198.51.100.7", "eth1", "unicast_src_ip 198.51.100.7\n unicast_peer {\n 192.0.2.2\n }"),
    ("fe80::7", "eth0", "mcast_src_ip fe80::7\n virtual_ipaddress {\n fe80::100/64\n }"),
];

// keepalived becomes MASTER instead, and is deaf: both hold the addresses
#[test]
fn a_configured_source_that_is_not_there_is_a_fault_until_it_is() {
    for (source, on, lines) in FROM {
        let text = under("", lines);
        let source = plain(if on == "eth0" { ETH0 } else { ETH1 }, source, if source.contains(':') { 64 } else { 24 });
        let mut rig = Rig::new(&text);
        rig.pass(Duration::from_secs(10));
        assert_eq!(rig.state("A"), State::Fault, "{text}");
        for _ in 0..2 {
            rig.network().add_address(source.clone());
            rig.settle();
            assert_eq!(rig.state("A"), State::Backup, "{text}");
            rig.pass(Duration::from_secs(4));
            assert_eq!(rig.state("A"), State::Master, "{text}");
            rig.sent(51);
            rig.network().remove_address(source.link, source.address, source.prefix);
            rig.settle();
            assert_eq!((rig.state("A"), rig.sent(51)), (State::Fault, vec![0]), "{text}");
            let mut causes = rig.reports.iter().filter_map(|report| match report {
                Report::Transition { transition, .. } => Some(transition.cause.clone()),
                _ => None,
            });
            assert_eq!(causes.next_back(), Some(Cause::Fault(Faults::NONE.with(Fault::NoSource))), "{text}");
        }
    }
}

// duplicate address detection may still say no
#[test]
fn a_source_that_is_tentative_is_not_there_yet() {
    let (_, _, lines) = FROM[2];
    let mut network = machine();
    let mut source = plain(ETH0, "fe80::7", 64);
    (source.scope, source.flags) = (253, 0x40);
    network.add_tentative(source.clone());
    let mut rig = Rig::on(network, &under("", lines));
    assert_eq!(rig.state("A"), State::Fault);
    source.flags = 0;
    rig.network().add_address(source);
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
}

// the link-local address of another interface is another address
#[test]
fn a_link_local_source_has_to_be_on_the_interface() {
    let (_, _, lines) = FROM[2];
    let mut network = machine();
    network.add_address(plain(ETH1, "fe80::7", 64));
    assert_eq!(Rig::on(network, &under("", lines)).state("A"), State::Fault);
}

// IPv4 multicast with a foreign source works with keepalived, and with us
#[test]
fn multicast_over_ipv4_may_come_from_anywhere() {
    let mut rig = Rig::new(&under("", "mcast_src_ip 203.0.113.9"));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
}

// nothing else makes sense of it; keepalived would hear nobody
#[test]
fn a_virtual_address_of_another_instance_is_a_source_while_it_is_here() {
    let from_b = "unicast_src_ip 192.0.2.102\n unicast_peer {\n 192.0.2.2\n }";
    let text = under("", from_b) + &with_addresses("B", 52, 100, &["192.0.2.102/24"]);
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(1));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Fault, State::Backup));
    rig.pass(Duration::from_secs(3));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Master));
}

/// Instance A over IPv6 with these peers and no source address.
fn towards(peers: &str) -> String {
    under("", &format!("unicast_peer {{\n {peers}\n }}\n virtual_ipaddress {{\n 2001:db8::100/64\n }}"))
}

/// Where the adverts of a second leave from.
fn sources(rig: &mut Rig) -> Vec<IpAddr> {
    rig.packets().sent.clear();
    rig.pass(Duration::from_secs(1));
    let mut sources: Vec<_> = rig.packets().sent.iter().map(|advert| advert.source).collect();
    sources.dedup();
    sources
}

// keepalived sends from its link-local address, and neither hears the other
#[test]
fn ipv6_unicast_leaves_from_where_the_route_to_the_peer_says() {
    for (peers, own, gateway, expected) in [
        ("2001:db8::2", "2001:db8::7", false, "2001:db8::7"),
        ("2001:db8:9::2", "2001:db8::7", true, "2001:db8::7"),
        ("fe80::2\n 2001:db8::2", "2001:db8::7", false, "2001:db8::7"),
        ("fe80::2", "2001:db8::7", false, "fe80::1"),
    ] {
        let mut network = machine();
        network.add_address(plain(ETH0, own, 64));
        if gateway {
            network.set_gateway(ETH0);
        }
        let mut rig = Rig::on(network, &towards(peers));
        rig.pass(Duration::from_secs(4));
        assert_eq!((rig.state("A"), sources(&mut rig)), (State::Master, vec![ip(expected)]), "{peers}");
        // the virtual address is nearer to the peer now; other news of the link changes nothing
        rig.network().add_address(plain(ETH0, "192.0.2.55", 24));
        rig.settle();
        assert_eq!(sources(&mut rig), [ip(expected)], "{peers}");
    }
}

#[test]
fn ipv6_unicast_hears_what_is_sent_to_any_address_of_the_interface() {
    let mut network = machine();
    network.add_address(plain(ETH0, "2001:db8::7", 64));
    let mut rig = Rig::on(network, &towards("2001:db8::2"));
    let kinds: Vec<_> = rig.packets().channels().map(|(_, channel)| (channel.link, channel.kind)).collect();
    assert_eq!(kinds, [(Some(ETH0), ChannelKind::Unicast { local: ip("::") })]);
}

#[test]
fn without_a_route_to_its_peer_a_router_waits_for_one() {
    let mut rig = Rig::new(&towards("2001:db8:9::2"));
    rig.network().add_address(plain(ETH0, "2001:db8::7", 64));
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.state("A"), State::Fault);
    // the kernel tells nothing of that
    rig.network().set_gateway(ETH0);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.state("A"), State::Backup);
}
// simulator, seed 179: what had arrived at the old interface is lost
#[test]
fn a_backup_whose_interface_was_made_again_between_two_looks_listens_anew() {
    let mut rig = Rig::new(&one(100));
    rig.hear_for(5, &one(200), 200);
    assert_eq!(rig.state("A"), State::Backup);
    rig.network().remove_link(ETH0);
    rig.network().set_link(FakeNetwork::ethernet(12, "eth0").unwrap());
    rig.network().add_address(plain(LinkIndex(12), "192.0.2.1", 24));
    // the process was not scheduled for as long as its timer runs
    rig.now += Duration::from_secs(30);
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
}
