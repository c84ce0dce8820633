//! Our addresses on other machines.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use keepalived_core::vrrp::State;
use keepalived_core::vrrp::announce::frame::{Router, gratuitous_arp, neighbour_advertisement};
use keepalived_core::vrrp::duplicate::{Mac, frame};
use keepalived_kernel::fake::SentFrame;
use keepalived_kernel::network::Network;
use keepalived_state::AddressView;

use super::rig::{ETH1, MILLI, Rig, instance, one};
use crate::vrrp::report::{Level, Report};

const OTHER: Mac = Mac([2, 0, 0, 0, 0, 9]);
const BOTH: &str = "virtual_ipaddress {\n 192.0.2.100/24\n }\n virtual_ipaddress_excluded {\n 2001:db8::100/64\n }";

/// For so many milliseconds, another machine answers the probes for all addresses, if `answers`; returns what was probed for, and when.
fn answered(rig: &mut Rig, millis: u32, mac: Mac, answers: impl Fn(u32) -> bool) -> Vec<(u32, IpAddr)> {
    const STEP: u32 = 100;
    let mut probes = Vec::new();
    for at in (0..millis).step_by(100) {
        for SentFrame { link, octets } in std::mem::take(&mut rig.packets().probed) {
            let address = frame::probed(&octets).unwrap();
            probes.push((at, address));
            let mut octets = Vec::new();
            match address {
                IpAddr::V4(address) => gratuitous_arp(&mut octets, mac.0, address),
                IpAddr::V6(address) => neighbour_advertisement(&mut octets, mac.0, address, Router::No),
            }
            if answers(at) {
                rig.packets().say(SentFrame { link, octets });
            }
        }
        rig.pass(MILLI * STEP);
    }
    probes
}

fn new_master(lines: &str) -> Rig {
    let mut rig = Rig::new(&instance("A", 51, lines));
    while rig.state("A") != State::Master {
        rig.pass(MILLI * 100);
    }
    rig
}

fn found(rig: &mut Rig) -> Vec<(IpAddr, Mac)> {
    let reports = std::mem::take(&mut rig.reports);
    let duplicates = reports.iter().filter_map(|report| match report {
        Report::Duplicate { address, interface, holder, .. } => {
            let text = report.to_string();
            assert!(
                ["(A) ", &address.to_string(), &holder.to_string(), &interface.to_string()]
                    .iter()
                    .all(|it| text.contains(it))
            );
            assert_eq!(report.level(), Level::Warning);
            Some((*address, *holder))
        }
        _ => None,
    });
    duplicates.collect()
}

fn seen(rig: &Rig) -> Vec<(bool, Option<Mac>)> {
    let view = rig.engine.view(rig.now, SystemTime::UNIX_EPOCH);
    let instance = &view.instances[0];
    let both = instance.addresses.iter().chain(&instance.excluded_addresses);
    both.map(|AddressView { set, also_on, .. }| (*set, *also_on)).collect()
}

#[test]
fn an_address_that_another_machine_has_is_said_once_and_served() {
    let mut rig = new_master(BOTH);
    answered(&mut rig, 10_000, OTHER, |_| true);
    let addresses = ["192.0.2.100", "2001:db8::100"].map(super::rig::ip);
    assert_eq!(found(&mut rig), addresses.map(|address| (address, OTHER)));
    assert_eq!(seen(&rig), [(true, Some(OTHER)); 2]);
    rig.sent(51);
    answered(&mut rig, 300_000, OTHER, |_| true);
    assert_eq!((found(&mut rig), rig.state("A")), (vec![], State::Master));
    assert!(rig.sent(51).len() >= 299 && rig.has("192.0.2.100") && rig.has("2001:db8::100"));
    // until the other one gives it up
    answered(&mut rig, 100_000, OTHER, |_| false);
    assert_eq!((found(&mut rig), seen(&rig)), (vec![], vec![(true, None); 2]));
    assert!(!rig.packets().is_listening());
}

// RFC 5227 §2.1.1 has three probes before an address is used; here they follow a takeover
#[test]
fn probes_wait_for_the_master_that_leaves_and_end() {
    let mut rig = new_master(BOTH);
    // it answers once more
    let probes = answered(&mut rig, 60_000, OTHER, |at| at < 1_500);
    let times: Vec<u32> = probes.iter().map(|(at, _)| at / 1_000).collect();
    assert_eq!(times, [1, 1, 3, 3, 5, 5]);
    assert_eq!((found(&mut rig), seen(&rig)), (vec![], vec![(true, None); 2]));
    assert!(!rig.packets().is_listening());
}

#[test]
fn another_interface_of_this_machine_is_no_other_machine() {
    let mut rig = new_master(BOTH);
    let links = rig.network().inventory().unwrap().links;
    let own = links.iter().find(|link| link.index == ETH1).unwrap().mac.unwrap();
    answered(&mut rig, 60_000, Mac(own), |_| true);
    assert_eq!(found(&mut rig), []);
}

#[test]
fn a_router_that_left_master_probes_no_more() {
    let mut rig = new_master("virtual_ipaddress {\n 192.0.2.100/24\n }");
    rig.pass(MILLI * 500);
    rig.hear(&one(100), 200);
    for _ in 0..20 {
        rig.hear(&one(100), 200);
        rig.pass(Duration::from_secs(1));
    }
    assert_eq!((rig.state("A"), rig.packets().probed.len()), (State::Backup, 0));
    assert!(!rig.packets().is_listening());
}

#[test]
fn a_link_that_comes_up_again_may_lead_to_others() {
    let mut rig = new_master("virtual_ipaddress {\n 198.51.100.1/24 dev eth1 no_track\n }");
    rig.pass(Duration::from_secs(30));
    rig.packets().probed.clear();
    rig.network().set_running(ETH1, false);
    rig.pass(Duration::from_secs(1));
    rig.network().set_running(ETH1, true);
    rig.pass(Duration::from_secs(30));
    let links: Vec<_> = rig.packets().probed.iter().map(|frame| frame.link).collect();
    assert_eq!((rig.state("A"), links), (State::Master, vec![ETH1; 3]));
}
