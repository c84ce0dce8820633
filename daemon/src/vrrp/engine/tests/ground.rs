//! Interfaces, cables, source addresses, sockets: what an instance stands on.

use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Cause, Fault, Faults, State};
use keepalived_kernel::fake::FakeNetwork;
use keepalived_kernel::network::LinkIndex;

use super::rig::{ETH0, ETH1, Rig, VIP, instance, ip, machine, master, one, plain};
use crate::vrrp::report::Report;

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
