//! Links that are made for instances: virtual MACs. Names, addresses and settings are those that Debian's keepalived 2.2.7 was seen to give.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::network::{Address, ArpSettings, Change, Link, LinkIndex, Object, Siblings, UpperKind, UpperLink};
use keepalived_core::vrrp::{Family, State};
use keepalived_kernel::fake::{FakeNetwork, SentFrame};
use keepalived_kernel::network::{Network, Refused};

use super::rig::*;
use crate::vrrp::engine::Engine;
use crate::vrrp::lifetime::{AtExit, Inherited};
use crate::vrrp::report::Report;

const RUN: Duration = Duration::from_secs(4);

fn with_mac(vrid: u8, rest: &str) -> String {
    instance("A", vrid, &format!("use_vmac\n virtual_ipaddress {{\n 192.0.2.100/24\n }}\n {rest}"))
}

fn upper(parent: LinkIndex, name: &str, mac: [u8; 6]) -> Change {
    Change::Present(Object::Upper(Box::new(UpperLink {
        parent,
        name: InterfaceName::new(name.as_bytes()).unwrap(),
        kind: UpperKind::Macvlan,
        mac: Some(mac),
        group: 0,
        master: None,
        family: Family::V4,
        tells_below: false,
    })))
}

fn link<'a>(rig: &'a mut Rig, name: &str) -> Option<&'a Link> {
    rig.network().link(name)
}

/// What the link below an IPv4 virtual MAC has.
const NEEDED: ArpSettings = ArpSettings { ignore: 1, filter: 1, announce: 2 };

/// Made links by name, with the one below and the last three octets of the MAC address.
fn made(rig: &mut Rig) -> Vec<(String, u32, [u8; 3])> {
    let links = rig.network().inventory().unwrap().links.into_iter().filter(|link| link.upper.is_some());
    links
        .map(|link| (link.name.to_string(), link.parent.unwrap().0, *link.mac.unwrap().last_chunk().unwrap()))
        .collect()
}

/// Addresses on a link.
fn on(rig: &mut Rig, name: &str) -> BTreeSet<String> {
    let index = link(rig, name).unwrap().index;
    let addresses = rig.network().addresses().filter(|address| address.link == index);
    addresses.map(|address| format!("{}/{}", address.address, address.prefix)).collect()
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

fn transitions(rig: &Rig) -> Vec<State> {
    let to = |report: &Report| match report {
        Report::Transition { transition, .. } => Some(transition.to),
        _ => None,
    };
    rig.reports.iter().filter_map(to).collect()
}

#[test]
fn the_kernel_tells_of_the_link_below_when_a_virtual_mac_comes_and_goes_if_asked() {
    // keepalived 2.4.3 does so by setting the group of the link below when it has made or removed the virtual MAC
    let asked = |text: &str| Rig::new(text).network().tells_below().clone();
    let loud = with_mac(51, "").replace("use_vmac", "use_vmac netlink_notify_msg");
    assert_eq!(asked(&with_mac(51, "")), BTreeSet::new());
    assert_eq!(asked(&loud), [InterfaceName::new(b"vrrp.51").unwrap()].into());
}

#[test]
fn a_virtual_mac_is_there_from_the_start_and_goes_at_the_end() {
    let mut network = machine();
    network.set_reverse_path_filter(2, 1);
    let mut rig = Rig::on(network, &with_mac(51, ""));
    assert_eq!(made(&mut rig), [("vrrp.51".to_owned(), 2, [0, 1, 51])]);
    let own = link(&mut rig, "vrrp.51").unwrap().clone();
    assert_eq!((own.mac, own.up), (Some([0, 0, 0x5e, 0, 1, 51]), true));
    assert_eq!(transitions(&rig), [State::Backup], "no FAULT on the way");
    let eth0 = link(&mut rig, "eth0").unwrap();
    assert_eq!(eth0.arp, NEEDED);
    assert_eq!(rig.network().reverse_path_filter().unwrap(), (0, 2));
    rig.pass(RUN);
    assert_eq!(on(&mut rig, "vrrp.51"), set(["192.0.2.100/24"]));
    assert_eq!(on(&mut rig, "eth0"), set(["192.0.2.1/24", "fe80::1/64"]));
    let sent = rig.packets().sent.last().unwrap().clone();
    assert_eq!((sent.channel.link, sent.source), (Some(own.index), ip("192.0.2.1")));
    let frame = rig.packets().announced.last().unwrap().clone();
    assert_eq!((frame.link, &frame.octets[6..12]), (own.index, &own.mac.unwrap()[..]));
    rig.stop(AtExit::Release);
    assert_eq!(made(&mut rig), []);
    let eth0 = link(&mut rig, "eth0").unwrap();
    assert_eq!(eth0.arp, ArpSettings::default());
    assert_eq!(rig.network().reverse_path_filter().unwrap(), (2, 1));
}

#[test]
fn with_xmit_base_adverts_go_over_the_link_below() {
    let mut rig = Rig::new(&with_mac(51, "vmac_xmit_base"));
    rig.pass(RUN);
    assert_eq!(rig.packets().sent.last().unwrap().channel.link, Some(ETH0));
    assert_eq!(on(&mut rig, "vrrp.51"), set(["192.0.2.100/24"]));
    let own = link(&mut rig, "vrrp.51").unwrap().index;
    assert_eq!(rig.packets().announced.last().unwrap().link, own);
}

#[test]
fn an_ipv6_virtual_mac_has_the_link_local_address_of_the_link_below() {
    let text = instance("A", 51, "use_vmac\n virtual_ipaddress {\n fe80::100\n 2001:db8::100/64\n }");
    let mut rig = Rig::new(&text);
    assert_eq!(made(&mut rig), [("vrrp.51".to_owned(), 2, [0, 2, 51])]);
    assert_eq!(on(&mut rig, "vrrp.51"), set(["fe80::1/64"]));
    assert_eq!(transitions(&rig), [State::Backup]);
    let there = |address: &&Address| address.address == ip("fe80::1") && address.link != ETH0;
    let own = rig.network().addresses().find(there).unwrap().clone();
    assert_eq!((own.preferred_lifetime, own.flags & Address::NO_DAD), (Some(0), Address::NO_DAD));
    rig.pass(RUN);
    assert_eq!(on(&mut rig, "vrrp.51"), set(["fe80::1/64", "fe80::100/128", "2001:db8::100/64"]));
    let sent = rig.packets().sent.last().unwrap().clone();
    assert_eq!((sent.channel.link, sent.source), (Some(own.link), ip("fe80::1")));
    assert_eq!(link(&mut rig, "eth0").unwrap().arp.ignore, 0, "no IPv4 there");
    rig.network().remove_address(ETH0, ip("fe80::1"), 64);
    rig.pass(MILLI);
    assert_eq!(rig.state("A"), State::Fault);
    rig.stop(AtExit::Release);
    assert_eq!(made(&mut rig), []);
}

// RFC 9568 section 6.4.1: for each IPv6 address of the virtual router. Neighbours know that of the link below from there
#[test]
fn an_ipv6_owner_with_a_virtual_mac_announces_its_addresses_and_not_that_of_the_link_below() {
    let rest = "priority 255\n use_vmac\n virtual_ipaddress {\n fe80::100\n 2001:db8::100/64\n }";
    let mut rig = Rig::new(&instance("A", 51, rest));
    rig.pass(RUN);
    assert_eq!(rig.state("A"), State::Master);
    let about = |frame: &SentFrame| Ipv6Addr::from(*frame.octets[62..].first_chunk::<16>().unwrap());
    let mut announced = || -> BTreeSet<Ipv6Addr> {
        let frames = std::mem::take(&mut rig.packets().announced);
        let own = link(&mut rig, "vrrp.51").unwrap().index;
        rig.network().remove_address(own, ip("fe80::1"), 64);
        rig.pass(RUN);
        frames.iter().map(about).collect()
    };
    let all: BTreeSet<Ipv6Addr> = ["fe80::100", "2001:db8::100"].map(|text| text.parse().unwrap()).into();
    assert_eq!(announced(), all);
    // the address of its own was put back; without it the router had no source, and was not master
    assert_eq!(announced(), all);
}

// keepalived 2.4.3, vrrp.c: a virtual MAC has the delays of the interface that it is on
#[test]
fn a_virtual_mac_counts_as_down_with_the_interface_below() {
    let delays = "interface_up_down_delays {\n eth0 1 2\n}\n";
    let text = delays.to_owned() + &with_mac(51, "");
    let mut rig = Rig::new(&text);
    rig.pass(RUN);
    let (millis, both) = (Duration::from_millis, [ETH0, link(&mut rig, "vrrp.51").unwrap().index]);
    let steps = [
        (false, millis(900), State::Master),
        (true, RUN, State::Master),
        (false, millis(1_100), State::Fault),
        (true, millis(1_900), State::Fault),
        (true, millis(200), State::Backup),
    ];
    for (runs, passes, state) in steps {
        both.into_iter().for_each(|link| rig.network().set_running(link, runs));
        rig.pass(passes / 2);
        // a reload changes nothing about that
        rig.reload(&(text.clone() + &instance("B", 52, "virtual_ipaddress {\n 192.0.2.52/24\n }")));
        rig.pass(passes / 2);
        assert_eq!(rig.state("A"), state, "{runs} for {passes:?}");
    }
}

#[test]
fn addresses_come_on_the_virtual_mac_of_their_interface_and_family() {
    let addresses = "virtual_ipaddress {\n 192.0.2.100/24\n 192.0.2.101 dev eth0\n 198.51.100.100/24 dev eth1\n \
                     198.51.100.101/24 dev eth1 use_vmac\n }\n virtual_ipaddress_excluded {\n 2001:db8::100/64\n }";
    let mut rig = Rig::new(&instance("A", 51, &format!("use_vmac\n {addresses}")));
    rig.pass(RUN);
    assert_eq!(made(&mut rig), [("vrrp.51".to_owned(), 2, [0, 1, 51]), ("vrrp1.51".to_owned(), 3, [0, 1, 51])]);
    assert_eq!(on(&mut rig, "vrrp.51"), set(["192.0.2.100/24", "192.0.2.101/32"]));
    assert_eq!(on(&mut rig, "vrrp1.51"), set(["198.51.100.101/24"]));
    assert!(on(&mut rig, "eth1").contains("198.51.100.100/24"));
    assert!(on(&mut rig, "eth0").contains("2001:db8::100/64"));

    let text = format!(
        "global_defs {{\n vmac_addr_prefix va\n}}\n{}",
        instance("A", 51, &format!("use_vmac\n use_vmac_addr\n {addresses}"))
    );
    let mut rig = Rig::new(&text);
    rig.pass(RUN);
    let names: Vec<String> = made(&mut rig).into_iter().map(|(name, _, _)| name).collect();
    assert_eq!(names, ["vrrp.51", "va.51", "va6.51"]);
    assert_eq!(on(&mut rig, "va.51"), set(["198.51.100.100/24", "198.51.100.101/24"]));
    assert_eq!(on(&mut rig, "va6.51"), set(["2001:db8::100/64", "fe80::1/64"]));
}

/// keywords.tsv: "all = non-VMAC too".
#[test]
fn without_all_other_virtual_macs_are_announced_on_and_no_other_interface() {
    let addresses = "virtual_ipaddress {\n 192.0.2.100/24\n 198.51.100.100/24 dev eth1\n \
                     198.51.100.101/24 dev eth1 use_vmac\n }";
    for (line, expected) in [
        ("", &[][..]),
        ("garp_extra_if 10", &["198.51.100.101"; 2]),
        ("garp_extra_if all 10", &["198.51.100.100", "198.51.100.100", "198.51.100.101", "198.51.100.101"]),
    ] {
        let lines = format!("use_vmac\n garp_master_delay 0\n {line}\n {addresses}");
        let mut rig = Rig::new(&instance("A", 51, &lines));
        rig.pass(RUN);
        rig.announced();
        rig.pass(Duration::from_secs(20));
        let mut seen: Vec<String> = rig.announced().iter().map(ToString::to_string).collect();
        seen.sort();
        assert_eq!(seen, expected, "{line}");
    }
}

#[test]
fn names_are_free_ones_and_fit() {
    let mut network = machine();
    network.set_link(FakeNetwork::ethernet(9, "vrrp.51").unwrap());
    let six =
        "vrrp_instance C {\n interface eth0\n virtual_router_id 52\n use_vmac\n virtual_ipaddress {\n fe80::9\n }\n}\n";
    let text = format!(
        "{}{}{six}{}",
        with_mac(51, ""),
        instance("B", 52, "use_vmac foo 02:00:00:00:aa\n virtual_ipaddress {\n 192.0.2.9\n }"),
        instance("D", 52, "use_vmac\n virtual_ipaddress {\n 192.0.2.8\n }\n mcast_dst_ip 224.0.0.19")
    );
    let mut rig = Rig::on(network, &text);
    let expected =
        [("vrrp1.51", [0, 1, 51]), ("foo", [0, 0xaa, 52]), ("vrrp.52", [0, 2, 52]), ("vrrp1.52", [0, 1, 52])];
    let seen = made(&mut rig);
    let seen: Vec<(&str, [u8; 3])> = seen.iter().map(|(name, _, mac)| (name.as_str(), *mac)).collect();
    assert_eq!(seen, expected);
    let long = format!("global_defs {{\n vmac_prefix a_very_long_prefix\n}}\n{}", with_mac(251, ""));
    let mut rig = Rig::new(&long);
    assert_eq!(made(&mut rig)[0].0, "a_very_long.251");
}

#[test]
fn one_that_is_there_is_taken_over_whatever_its_name() {
    let mut network = machine();
    network.change(&[upper(ETH0, "left", [0, 0, 0x5e, 0, 1, 51]), upper(ETH0, "vrrp.51", [2, 0, 0, 0, 0, 1])]);
    let mut rig = Rig::on(network, &with_mac(51, ""));
    let names: Vec<String> = made(&mut rig).into_iter().map(|(name, _, _)| name).collect();
    assert_eq!(names, ["left", "vrrp.51"]);
    rig.pass(RUN);
    assert_eq!(on(&mut rig, "left"), set(["192.0.2.100/24"]));
    rig.stop(AtExit::Release);
    let names: Vec<String> = made(&mut rig).into_iter().map(|(name, _, _)| name).collect();
    assert_eq!(names, ["vrrp.51"], "it is not ours");
}

#[test]
fn one_that_is_deleted_by_hand_comes_back_and_so_does_the_master() {
    let mut rig = Rig::new(&with_mac(51, ""));
    rig.pass(RUN);
    let before = link(&mut rig, "vrrp.51").unwrap().index;
    rig.reports.clear();
    rig.network().remove_link(before);
    rig.pass(MILLI);
    assert_ne!(link(&mut rig, "vrrp.51").unwrap().index, before);
    assert_eq!(transitions(&rig), [State::Fault, State::Backup]);
    assert!(rig.reports.iter().any(|report| report.to_string().contains("removed link vrrp.51; it is put back")));
    rig.pass(RUN);
    assert_eq!(on(&mut rig, "vrrp.51"), set(["192.0.2.100/24"]));
}

// else the instance has no source address, and stays in FAULT
#[test]
fn the_address_of_its_own_is_put_back() {
    let six = instance("A", 51, "use_vmac\n virtual_ipaddress {\n fe80::100\n 2001:db8::100/64\n }");
    let ipvlan = instance("A", 51, "use_ipvlan vrrp.51 192.0.2.51\n virtual_ipaddress {\n 192.0.2.100/24\n }");
    for (text, address, prefix) in [(six, "fe80::1", 64), (ipvlan, "192.0.2.51", 32)] {
        let mut rig = Rig::new(&text);
        rig.pass(RUN);
        let own = link(&mut rig, "vrrp.51").unwrap().index;
        rig.network().remove_address(own, ip(address), prefix);
        rig.pass(RUN + RUN);
        assert_eq!(rig.state("A"), State::Master, "{address}");
        assert!(on(&mut rig, "vrrp.51").contains(&format!("{address}/{prefix}")));
        let said = format!("removed address {address}/{prefix}; it is put back");
        assert!(rig.reports.iter().any(|report| report.to_string().contains(&said)), "{:?}", rig.reports);
        rig.stop(AtExit::Release);
        assert_eq!(made(&mut rig), []);
    }
}

// with it go its IPv6 addresses
#[test]
fn an_ipv6_one_that_was_taken_down_works_again_when_it_is_up() {
    let mut rig = Rig::new(&instance("A", 51, "use_vmac\n virtual_ipaddress {\n fe80::100\n }"));
    rig.pass(RUN);
    let own = link(&mut rig, "vrrp.51").unwrap().index;
    rig.network().take_down(own);
    rig.pass(RUN);
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().set_running(own, true);
    rig.pass(RUN + RUN);
    assert_eq!(rig.state("A"), State::Master);
    assert_eq!(on(&mut rig, "vrrp.51"), set(["fe80::1/64", "fe80::100/128"]));
}

#[test]
fn one_that_is_renamed_goes_on_and_goes_at_the_end() {
    let six = instance("A", 51, "use_vmac\n virtual_ipaddress {\n fe80::100\n }");
    let named = instance("A", 51, "use_vmac vrrp.51\n virtual_ipaddress {\n 192.0.2.100/24\n }");
    let ipvlan = instance("A", 51, "use_ipvlan vrrp.51 192.0.2.51\n virtual_ipaddress {\n 192.0.2.100/24\n }");
    for text in [with_mac(51, ""), with_mac(51, "vmac_xmit_base"), six, named, ipvlan] {
        let mut rig = Rig::new(&text);
        rig.pass(RUN);
        rig.reports.clear();
        let before = made(&mut rig);
        let own = link(&mut rig, "vrrp.51").unwrap().index;
        rig.network().rename(own, InterfaceName::new(b"other").unwrap());
        rig.pass(RUN);
        assert_eq!((rig.state("A"), transitions(&rig)), (State::Master, vec![]), "{text}");
        rig.network().remove_link(own);
        rig.pass(RUN + RUN);
        let renamed: Vec<_> = before.into_iter().map(|(_, parent, mac)| ("other".to_owned(), parent, mac)).collect();
        assert_eq!((rig.state("A"), made(&mut rig)), (State::Master, renamed), "{text}");
        rig.stop(AtExit::Release);
        assert_eq!(made(&mut rig), [], "{text}");
    }
}

// neighbours would learn a MAC address that does not move, and both links would answer them
#[test]
fn what_others_change_about_it_is_made_right() {
    let vrf = Link { vrf: Some(10), ..FakeNetwork::ethernet(8, "blue").unwrap() };
    let changes: [fn(Link) -> Link; 3] = [
        |it| Link { mac: Some([2, 0, 0, 0, 9, 9]), ..it },
        |it| Link { group: 7, ..it },
        |it| Link { master: Some(LinkIndex(8)), ..it },
    ];
    for change in changes {
        let mut network = machine();
        network.set_link(vrf.clone());
        let mut rig = Rig::on(network, &with_mac(51, ""));
        rig.pass(RUN);
        let before = link(&mut rig, "vrrp.51").unwrap().clone();
        rig.network().set_link(change(before.clone()));
        rig.pass(RUN + RUN);
        let after = link(&mut rig, "vrrp.51").unwrap().clone();
        assert_eq!((after.mac, after.group, after.master), (before.mac, before.group, before.master));
        assert_eq!((rig.state("A"), on(&mut rig, "vrrp.51")), (State::Master, set(["192.0.2.100/24"])));
        // another program that does so again and again has no peace, and neither has the kernel
        for _ in 0..20 {
            let now = link(&mut rig, "vrrp.51").unwrap().clone();
            rig.network().set_link(change(now));
            rig.pass(MILLI);
        }
        rig.pass(RUN + RUN);
        assert_eq!(link(&mut rig, "vrrp.51").unwrap().group, before.group);
        rig.stop(AtExit::Release);
        assert_eq!(made(&mut rig), []);
    }
    let mut rig = Rig::new(&with_mac(51, ""));
    let eth0 = link(&mut rig, "eth0").unwrap().clone();
    rig.network().set_link(Link { arp: ArpSettings { ignore: 0, filter: 2, announce: 1 }, ..eth0 });
    rig.pass(MILLI);
    let eth0 = link(&mut rig, "eth0").unwrap();
    assert_eq!(eth0.arp, NEEDED);
    rig.stop(AtExit::Release);
    let eth0 = link(&mut rig, "eth0").unwrap();
    assert_eq!(eth0.arp, ArpSettings::default());
}

// keepalived 2.4.3 removes one of that name that has another MAC address or type, and makes its own
#[test]
fn one_whose_mac_address_changed_while_no_process_ran_is_made_right() {
    for (mac, ours) in [([2, 0, 0, 0, 0, 9], true), ([0, 0, 0x5e, 0, 2, 51], false)] {
        let mut network = machine();
        network.change(&[upper(ETH0, "vrrp.51", mac)]);
        let mut rig = Rig::on(network, &with_mac(51, ""));
        rig.pass(RUN);
        let there: Vec<_> = made(&mut rig).into_iter().map(|(name, _, end)| (name, end)).collect();
        let own = |name: &str| (name.to_owned(), [0, 1, 51]);
        let expected =
            if ours { vec![own("vrrp.51")] } else { vec![("vrrp.51".to_owned(), [0, 2, 51]), own("vrrp1.51")] };
        assert_eq!(there, expected);
        rig.stop(AtExit::Release);
        assert_eq!(made(&mut rig).len(), usize::from(!ours), "that of another virtual router stays");
    }
}

// udev has systemd-sysctl set for each new link what the administrator has configured; `sysctl --system` sets it for all
#[test]
fn reverse_path_filters_that_others_set_do_not_stay() {
    for before in [0, 2] {
        let mut network = machine();
        network.set_reverse_path_filter(before, 1);
        let mut rig = Rig::on(network, &with_mac(51, ""));
        rig.pass(RUN);
        let own = link(&mut rig, "vrrp.51").unwrap().index;
        rig.network().change_reverse_path_filter(Some(own), 1);
        rig.settle();
        assert_eq!(rig.network().reverse_path_filter_of(own), Some(0));
        for _ in 0..3 {
            rig.network().change_reverse_path_filter(None, 1);
            rig.pass(RUN);
            assert_eq!(
                (rig.network().reverse_path_filter().unwrap().0, rig.network().reverse_path_filter_of(own)),
                (0, Some(0))
            );
        }
        assert_eq!(rig.state("A"), State::Master);
        rig.network().change_reverse_path_filter(Some(ETH1), 1);
        rig.settle();
        assert_eq!(rig.network().reverse_path_filter_of(ETH1), Some(1), "it is no link of ours");
        rig.stop(AtExit::Release);
        // as before, or as others have set it since
        assert_eq!(rig.network().reverse_path_filter().unwrap().0, if before == 0 { 1 } else { before });
    }
    // without a virtual MAC it is not our business
    let mut rig = Rig::new(&instance("A", 51, "virtual_ipaddress {\n 192.0.2.100/24\n }"));
    rig.network().change_reverse_path_filter(None, 1);
    rig.pass(RUN);
    assert_eq!(rig.network().reverse_path_filter().unwrap().0, 1);
}

// the kernel takes up one link of one MAC address
#[test]
fn one_that_an_earlier_run_has_left_under_another_name_makes_room() {
    let mut network = machine();
    network.change(&[upper(ETH0, "left", [0, 0, 0x5e, 0, 1, 51])]);
    let named = instance("A", 51, "use_vmac mine\n virtual_ipaddress {\n 192.0.2.100/24\n }");
    let mut rig = Rig::on(network, &named);
    assert_eq!(made(&mut rig), [("mine".to_owned(), 2, [0, 1, 51])]);
    assert_eq!(transitions(&rig), [State::Backup]);
    rig.stop(AtExit::Release);
    assert_eq!(made(&mut rig), []);
}

#[test]
fn one_that_is_taken_down_stays_down() {
    let mut rig = Rig::new(&with_mac(51, ""));
    rig.pass(RUN);
    let own = link(&mut rig, "vrrp.51").unwrap().index;
    rig.network().take_down(own);
    rig.pass(RUN);
    assert!(!link(&mut rig, "vrrp.51").unwrap().up);
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().set_running(own, true);
    rig.pass(RUN);
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn it_follows_the_link_below() {
    let mut rig = Rig::new(&with_mac(51, ""));
    rig.pass(RUN);
    rig.network().set_running(ETH0, false);
    rig.pass(MILLI);
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().set_running(ETH0, true);
    rig.pass(RUN);
    assert_eq!(rig.state("A"), State::Master);
    rig.network().remove_link(ETH0);
    rig.pass(RUN);
    assert_eq!((rig.state("A"), made(&mut rig)), (State::Fault, vec![]));
    rig.network().set_link(FakeNetwork::ethernet(20, "eth0").unwrap());
    rig.network().add_address(plain(LinkIndex(20), "192.0.2.1", 24));
    rig.pass(RUN + RUN);
    assert_eq!(rig.state("A"), State::Master);
    assert_eq!(made(&mut rig), [("vrrp.51".to_owned(), 20, [0, 1, 51])]);
    assert_eq!(on(&mut rig, "vrrp.51"), set(["192.0.2.100/24"]));
    assert_eq!(link(&mut rig, "eth0").unwrap().arp.ignore, 1);
    rig.stop(AtExit::Release);
    assert_eq!(link(&mut rig, "eth0").unwrap().arp.ignore, 0);
}

#[test]
fn dont_track_primary_counts_for_both_links() {
    let mut rig = Rig::new(&with_mac(51, "dont_track_primary"));
    rig.pass(RUN);
    rig.network().set_running(ETH0, false);
    rig.pass(MILLI);
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn a_name_that_another_link_has_is_a_fault_until_it_is_free() {
    let mut network = machine();
    network.set_link(FakeNetwork::ethernet(9, "mine").unwrap());
    let mut rig = Rig::on(network, &instance("A", 51, "use_vmac mine\n virtual_ipaddress {\n 192.0.2.100\n }"));
    assert_eq!(rig.state("A"), State::Fault);
    let said = "the kernel does not take link mine: another link has that name";
    assert!(rig.reports.iter().any(|report| report.to_string().contains(said)), "{:?}", rig.reports);
    rig.network().remove_link(LinkIndex(9));
    rig.pass(Duration::from_secs(20));
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn a_reload_makes_and_removes_links_and_nobody_is_in_fault_meanwhile() {
    let plain = instance("B", 52, "virtual_ipaddress {\n 192.0.2.9\n }");
    let mut rig = Rig::new(&plain);
    rig.pass(RUN);
    rig.reports.clear();
    rig.reload(&format!("{plain}{}", with_mac(51, "")));
    assert_eq!(made(&mut rig).len(), 1);
    assert_eq!(transitions(&rig), [State::Backup]);
    rig.pass(RUN);
    assert_eq!(on(&mut rig, "vrrp.51"), set(["192.0.2.100/24"]));
    rig.reload(&format!("{plain}{}", with_mac(51, "priority 120")));
    assert_eq!(made(&mut rig).len(), 1);
    rig.reload(&plain);
    assert_eq!(made(&mut rig), []);
    assert_eq!(link(&mut rig, "eth0").unwrap().arp.ignore, 0);
    // refused, it does not wait for ever
    rig.network().refuse_link(InterfaceName::new(b"vrrp.51").unwrap(), Some(Refused { errno: 1, message: None }));
    rig.reload(&format!("{plain}{}", with_mac(51, "")));
    assert_eq!(rig.state("A"), State::Fault);
}

#[test]
fn another_name_is_another_link() {
    let named =
        |name: &str| instance("A", 51, &format!("use_vmac {name}\n virtual_ipaddress {{\n 192.0.2.100/24\n }}"));
    let mut rig = Rig::new(&named("one"));
    rig.pass(RUN);
    rig.reload(&named("two"));
    rig.pass(RUN);
    assert_eq!(made(&mut rig), [("two".to_owned(), 2, [0, 1, 51])]);
    assert_eq!(on(&mut rig, "two"), set(["192.0.2.100/24"]));
    assert_eq!(rig.state("A"), State::Master);
}

// the links of a dead process and their addresses are never away
#[test]
fn a_process_that_resumes_takes_links_and_settings_over() {
    let text = with_mac(51, "");
    let mut rig = Rig::new(&text);
    rig.pass(RUN);
    let before = link(&mut rig, "vrrp.51").unwrap().index;
    let mut network = rig.network().clone();
    while !network.events(&mut Vec::new()) {}
    let config = configuration(&text);
    let inherited = Inherited {
        masters: keepalived_config::plan::keyed(&config.instances).map(|(key, _)| key).collect(),
        borrowed: rig.engine.borrowed().clone(),
        ..Inherited::default()
    };
    let now = rig.now;
    let mut engine =
        Engine::new(now, &config, inherited, network, keepalived_kernel::fake::FakePackets::new()).unwrap();
    engine.begin(now);
    let mut rig = Rig::around(engine, now);
    rig.settle();
    assert_eq!(rig.state("A"), State::Master);
    assert_eq!(link(&mut rig, "vrrp.51").unwrap().index, before);
    let mut events = Vec::new();
    rig.network().events(&mut events);
    assert!(rig.has("192.0.2.100"));
    rig.stop(AtExit::Release);
    assert_eq!(made(&mut rig), []);
    let eth0 = link(&mut rig, "eth0").unwrap();
    assert_eq!(eth0.arp, ArpSettings::default(), "as before the first process");
}

#[test]
fn an_ipvlan_has_its_address_whoever_is_master() {
    let text = instance("A", 51, "use_ipvlan ipv.51 192.0.2.51 vepa\n virtual_ipaddress {\n 192.0.2.100/24\n }");
    let mut rig = Rig::new(&text);
    let own = link(&mut rig, "ipv.51").unwrap().clone();
    assert_eq!((own.upper, own.mac), (Some(UpperKind::Ipvlan(Siblings::Vepa)), link(&mut rig, "eth0").unwrap().mac));
    assert_eq!(on(&mut rig, "ipv.51"), set(["192.0.2.51/32"]));
    rig.pass(RUN);
    assert_eq!(on(&mut rig, "ipv.51"), set(["192.0.2.51/32"]));
    assert_eq!(on(&mut rig, "eth0"), set(["192.0.2.1/24", "192.0.2.100/24", "fe80::1/64"]));
    let sent = rig.packets().sent.last().unwrap().clone();
    assert_eq!((sent.channel.link, sent.source), (Some(own.index), ip("192.0.2.51")));
    rig.stop(AtExit::Release);
    assert_eq!(made(&mut rig), []);
}

#[test]
fn groups_and_vrfs_are_those_of_the_link_below() {
    let mut network = machine();
    let vrf = Link { vrf: Some(10), ..FakeNetwork::ethernet(8, "blue").unwrap() };
    network.set_link(vrf);
    network.set_link(Link { group: 7, master: Some(LinkIndex(8)), ..FakeNetwork::ethernet(2, "eth0").unwrap() });
    let mut rig = Rig::on(network, &with_mac(51, ""));
    let own = link(&mut rig, "vrrp.51").unwrap();
    assert_eq!((own.group, own.master), (7, Some(LinkIndex(8))));
    let mut rig = Rig::new(&instance("A", 51, "use_vmac group 9\n virtual_ipaddress {\n 192.0.2.100\n }"));
    assert_eq!(link(&mut rig, "vrrp.51").unwrap().group, 9);
}
