//! Interfaces, cables, source addresses, sockets: what an instance stands on.

use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Cause, Fault, Faults, State};
use keepalived_kernel::fake::FakeNetwork;
use keepalived_kernel::network::LinkIndex;

use super::rig::{ETH0, Rig, VIP, instance, ip, master, one, plain};
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
