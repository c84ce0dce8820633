//! Sync groups.

use std::time::Duration;

use keepalived_core::vrrp::State;

use super::rig::{ETH0, ETH1, Rig, VIP, machine, message, one, plain, with_addresses};
use crate::vrrp::lifetime::AtExit;

#[test]
fn a_group_becomes_master_together_and_leaves_together() {
    let group = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";
    let text = one(100) + &with_addresses("B", 52, 100, &["192.0.2.102/24"]) + group;
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(2));
    rig.hear(&one(200), 200);
    rig.pass(Duration::from_secs(3));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Backup), "A still hears a master");
    rig.pass(Duration::from_secs(5));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Master, State::Master));
    rig.hear(&one(200), 200);
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Backup));
    assert!(!rig.has(VIP) && !rig.has("192.0.2.102"));
}

const GROUP: &str = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";

fn two() -> String {
    one(100) + &with_addresses("B", 52, 100, &["192.0.2.102/24"]) + GROUP
}

/// VRID and priority of the adverts since the last call.
fn said(rig: &mut Rig) -> Vec<(u8, u8)> {
    let sent = std::mem::take(&mut rig.packets().sent);
    sent.iter().map(message).map(|message| (message[1], message[2])).collect()
}

// RFC 9568 section 6.4.3 (655): shutdown; simulator, seed 108
#[test]
fn each_member_says_farewell_at_the_stop_and_when_the_file_has_it_no_more() {
    let mut rig = Rig::new(&two());
    rig.pass(Duration::from_secs(10));
    said(&mut rig);
    rig.stop(AtExit::Release);
    assert_eq!(said(&mut rig), [(51, 0), (52, 0)]);

    let mut rig = Rig::new(&two());
    rig.pass(Duration::from_secs(10));
    said(&mut rig);
    rig.reload("global_defs {\n}\n");
    assert_eq!(said(&mut rig), [(51, 0), (52, 0)]);
}

#[test]
fn a_member_that_the_file_has_no_more_does_not_take_the_others_along() {
    let mut rig = Rig::new(&two());
    rig.pass(Duration::from_secs(10));
    rig.reload(&one(100));
    assert_eq!((rig.state("A"), rig.has(VIP), rig.has("192.0.2.102")), (State::Master, true, false));
}

// simulator, seed 172: one of them was silent for longer than its routers wait
#[test]
fn a_group_resumes_as_a_whole_or_not_at_all() {
    let mut network = machine();
    let mut ours = plain(ETH0, VIP, 24);
    ours.protocol = 18;
    network.add_address(ours);
    let only = |name: &'static str| {
        move |config: &keepalived_config::model::Config| {
            let keyed = keepalived_config::plan::keyed(&config.instances);
            keyed.filter(|(_, instance)| instance.name == name).map(|(key, _)| key).collect()
        }
    };
    let mut rig = Rig::with(network, &two(), only("A"));
    assert_eq!((rig.state("A"), rig.state("B"), rig.has(VIP)), (State::Backup, State::Backup, false));
}

#[test]
fn a_fault_of_one_is_a_fault_of_its_group() {
    let group = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";
    let b =
        "vrrp_instance B {\n interface eth1\n virtual_router_id 52\n virtual_ipaddress {\n 198.51.100.9/24\n }\n}\n";
    let mut network = machine();
    network.add_address(plain(ETH1, "198.51.100.1", 24));
    let mut rig = Rig::on(network, &(one(100) + b + group));
    rig.pass(Duration::from_secs(10));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Master, State::Master));
    rig.network().set_running(ETH1, false);
    rig.settle();
    assert_eq!((rig.state("A"), rig.state("B")), (State::Fault, State::Fault));
    rig.network().set_running(ETH1, true);
    rig.settle();
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Backup));
}

#[test]
fn a_reload_that_changes_groups_changes_whose_fault_counts() {
    let group = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";
    let b =
        "vrrp_instance B {\n interface eth1\n virtual_router_id 52\n virtual_ipaddress {\n 198.51.100.9/24\n }\n}\n";
    let apart = one(100) + b;
    let together = apart.clone() + group;
    // eth1 has no address: B is in fault
    let mut rig = Rig::new(&together);
    assert_eq!((rig.state("A"), rig.state("B")), (State::Fault, State::Fault));
    rig.reload(&apart);
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Fault));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    rig.reload(&together);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
}
