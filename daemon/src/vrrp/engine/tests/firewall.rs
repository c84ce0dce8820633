//! What the packet filter does for routers.

use std::collections::BTreeSet;
use std::time::Duration;

use keepalived_core::vrrp::State;
use keepalived_kernel::firewall::Firewall;
use keepalived_kernel::network::{Network as _, Refused};

use super::rig::*;
use crate::vrrp::engine::Engine;
use crate::vrrp::lifetime::AtExit;
use crate::vrrp::orders::Order;

const RUN: Duration = Duration::from_secs(4);

fn closed(rig: &mut Rig) -> Vec<String> {
    let firewall = rig.network().firewall();
    let v6 = firewall.closed_v6.iter().map(|(ip, link)| match link {
        Some((_, name)) => format!("{ip}%{name}"),
        None => ip.to_string(),
    });
    firewall.closed_v4.iter().map(ToString::to_string).chain(v6).collect()
}

#[test]
fn addresses_are_closed_while_we_are_master_unless_they_accept_packets() {
    let excluded =
        "virtual_ipaddress {\n 192.0.2.100/24\n }\n virtual_ipaddress_excluded {\n 2001:db8::1\n fe80::9\n }";
    for (globals, lines, expected) in [
        ("", format!("no_accept\n {excluded}"), vec!["192.0.2.100", "2001:db8::1", "fe80::9%eth0"]),
        ("", "no_accept".to_owned(), vec!["192.0.2.100"]),
        ("", String::new(), vec![]),
        ("vrrp_strict", String::new(), vec!["192.0.2.100"]),
        ("vrrp_strict", "accept".to_owned(), vec![]),
        ("", "no_accept\n priority 255".to_owned(), vec![]),
    ] {
        let version = if globals.is_empty() { "" } else { "version 3" };
        let mut rig = Rig::new(&under(globals, &format!("{version}\n {lines}")));
        if !lines.contains("255") {
            assert_eq!(closed(&mut rig), [""; 0], "as backup");
        }
        rig.pass(RUN);
        assert_eq!(
            (rig.state("A"), closed(&mut rig)),
            (State::Master, expected.iter().map(ToString::to_string).collect())
        );
        rig.stop(AtExit::Release);
        assert_eq!(closed(&mut rig), [""; 0]);
    }
}

#[test]
fn they_are_closed_before_they_come_and_open_after_they_have_gone() {
    let text = under("", "no_accept");
    let mut rig = Rig::new(&text);
    rig.now += RUN;
    rig.engine.turn(rig.now);
    let Some(Order::Filter(firewall)) = rig.engine.order() else { panic!("first the filter") };
    assert_eq!(firewall.closed_v4.len(), 1);
    let answer = Order::Filter(firewall).carry_out(rig.network());
    rig.engine.answer(rig.now, answer);
    rig.settle();
    assert!(rig.has(VIP));
    rig.network().set_running(ETH0, false);
    rig.engine.turn(rig.now);
    let Some(order @ Order::Change(_)) = rig.engine.order() else { panic!("first the address") };
    let answer = order.carry_out(rig.network());
    rig.engine.answer(rig.now, answer);
    assert_eq!(closed(&mut rig), [VIP]);
    rig.settle();
    assert_eq!(closed(&mut rig), [""; 0]);
}

#[test]
fn what_a_virtual_mac_says_of_groups_leaves_from_the_link_below() {
    let mut rig = Rig::new(&under("nftables mine\n nftables_priority 7", "use_vmac"));
    let own = rig.network().link("vrrp.51").unwrap().index;
    let firewall = rig.network().firewall().clone();
    assert_eq!(
        firewall.virtual_macs.into_iter().map(|((_, link), below)| (link, below)).collect::<Vec<_>>(),
        [(own, ETH0)]
    );
    assert_eq!((firewall.table.as_str(), firewall.priority), ("mine", 7));
    rig.network().remove_link(own);
    rig.settle();
    let own = rig.network().link("vrrp.51").unwrap().index;
    assert!(rig.network().firewall().virtual_macs.keys().all(|(_, link)| *link == own));
    rig.reload(&under("nftables mine\n nftables_priority 7", ""));
    assert!(rig.network().firewall().virtual_macs.is_empty());
}

/// The kernel would tell neighbours that the link-local address of the link below is at the virtual MAC, which has it too (keepalived 2.4.3).
#[test]
fn neighbours_do_not_learn_that_the_address_of_the_link_below_is_at_the_virtual_mac() {
    let v6 = "use_vmac\n virtual_ipaddress {\n fe80::7\n 2001:db8::7/64\n }";
    let mut rig = Rig::new(&instance("A", 51, v6));
    let shared = |rig: &mut Rig| {
        let all = rig.network().firewall().shared_link_local.clone();
        all.into_iter().map(|(address, (_, name))| format!("{address}%{name}")).collect::<Vec<_>>()
    };
    let expected = "fe80::1%vrrp.51".to_owned();
    assert_eq!(shared(&mut rig), *std::slice::from_ref(&expected), "from the start");
    rig.pass(RUN);
    assert_eq!((rig.state("A"), shared(&mut rig)), (State::Master, vec![expected]));
    rig.stop(AtExit::Release);
    assert_eq!(shared(&mut rig), [""; 0]);
    // that of an IPv4 one is not shared
    let mut rig = Rig::new(&instance("A", 51, "use_vmac\n virtual_ipaddress {\n 192.0.2.100/24\n }"));
    assert_eq!(shared(&mut rig), [""; 0]);
}

#[test]
fn a_kernel_without_a_packet_filter_keeps_no_address() {
    let mut network = machine();
    network.refuse_firewall(Some(Refused { errno: 95, message: None }));
    let mut rig = Rig::on(network, &under("", "no_accept"));
    rig.pass(RUN);
    assert!(rig.has(VIP));
    rig.pass(Duration::from_secs(100));
    let said = rig.reports.iter().filter(|report| report.to_string().contains("does not take rules of nftables"));
    assert_eq!(said.count(), 1, "{:?}", rig.reports);
    rig.network().refuse_firewall(None);
    rig.pass(Duration::from_secs(31));
    assert_eq!(closed(&mut rig), [VIP]);
}

// a table that lasts is no reason to wake up
#[test]
fn what_was_refused_and_is_not_wanted_any_more_is_not_asked_for() {
    let mut rig = Rig::new(&under("", "no_accept"));
    rig.network().refuse_firewall(Some(Refused { errno: 95, message: None }));
    rig.pass(RUN);
    assert!(rig.has(VIP));
    rig.network().set_running(ETH0, false);
    rig.pass(Duration::from_secs(100));
    let calls = rig.network().firewall_calls();
    assert!(calls < 10, "{calls}");
    rig.network().refuse_firewall(None);
    rig.pass(Duration::from_secs(31));
    let calls = rig.network().firewall_calls();
    rig.pass(Duration::from_secs(100));
    assert_eq!(rig.network().firewall_calls(), calls);
}

// `nft flush ruleset`, as services that load rules begin with
#[test]
fn rules_that_others_remove_are_put_back() {
    let mut rig = Rig::new(&under("", "no_accept\n use_vmac"));
    rig.pass(RUN);
    let before = rig.network().firewall().clone();
    assert_eq!((closed(&mut rig), before.virtual_macs.len()), (vec![VIP.to_owned()], 1));
    rig.network().flush_firewall();
    rig.settle();
    assert_eq!(*rig.network().firewall(), before);
    let said = |rig: &Rig| {
        let lines = rig.reports.iter().filter(|report| report.to_string().contains("removed rules of ours"));
        lines.count()
    };
    assert_eq!(said(&rig), 1);
    let calls = rig.network().firewall_calls();
    for _ in 0..1_000 {
        rig.network().flush_firewall();
        rig.pass(MILLI);
    }
    assert_eq!(said(&rig), 1);
    assert!(rig.network().firewall_calls() < calls + 3, "who fights has to wait");
    rig.pass(Duration::from_secs(31));
    assert_eq!(*rig.network().firewall(), before);
    rig.stop(AtExit::Release);
    assert_eq!(closed(&mut rig), [""; 0]);
}

// what the process before this one has left is not known: it may close addresses that we do not have
#[test]
fn tables_of_an_earlier_process_do_not_stay() {
    for lines in ["no_accept", "use_vmac"] {
        let mut network = machine();
        let left = Firewall { closed_v4: ["192.0.2.9".parse().unwrap()].into(), ..Firewall::default() };
        network.set_firewall(&left).unwrap();
        let mut rig = Rig::on(network, &under("", lines));
        assert_eq!(closed(&mut rig), [""; 0], "{lines}");
        rig.stop(AtExit::Release);
    }
    // a family may have been refused alone
    let mut rig = Rig::new(&under("", "no_accept"));
    rig.network().refuse_firewall(Some(Refused { errno: 12, message: None }));
    rig.pass(RUN);
    rig.network().refuse_firewall(None);
    let left = Firewall { closed_v4: ["192.0.2.100".parse().unwrap()].into(), ..Firewall::default() };
    rig.network().set_firewall(&left).unwrap();
    rig.network().set_running(ETH0, false);
    rig.pass(Duration::from_secs(31));
    assert_eq!(closed(&mut rig), [""; 0]);
}

#[test]
fn what_a_master_closes_stays_closed_until_the_next_process_goes_on() {
    for lines in ["no_accept", "no_accept\n use_vmac"] {
        let text = under("", lines);
        let mut rig = Rig::new(&text);
        rig.pass(RUN);
        let mut network = rig.network().clone();
        while !network.events(&mut Vec::new()) {}
        let config = configuration(&text);
        let masters: BTreeSet<_> = keepalived_config::plan::keyed(&config.instances).map(|(key, _)| key).collect();
        let packets = keepalived_kernel::fake::FakePackets::new();
        let engine = Engine::new(rig.now, &config, masters, network, packets).unwrap();
        let mut rig = Rig::around(engine, rig.now);
        rig.settle();
        assert_eq!(closed(&mut rig), [VIP], "{lines}");
        let now = rig.now;
        rig.engine.begin(now);
        rig.settle();
        assert_eq!((rig.state("A"), closed(&mut rig)), (State::Master, vec![VIP.to_owned()]), "{lines}");
        rig.stop(AtExit::Release);
        assert_eq!(closed(&mut rig), [""; 0]);
    }
}

// the kernel tells of the table of the other family, which our transaction has made and removed
#[test]
fn what_we_remove_ourselves_is_no_loss() {
    let mut rig = Rig::new(&under("", "no_accept\n use_vmac"));
    assert_eq!(rig.network().firewall().virtual_macs.len(), 1);
    rig.pass(RUN);
    assert_eq!(closed(&mut rig), [VIP]);
    assert!(
        !rig.reports.iter().any(|report| report.to_string().contains("removed rules of ours")),
        "{:?}",
        rig.reports
    );
    let calls = rig.network().firewall_calls();
    rig.pass(Duration::from_secs(100));
    assert_eq!(rig.network().firewall_calls(), calls);
}
