//! Sync groups.

use std::time::Duration;

use keepalived_core::vrrp::State;

use super::rig::{ETH1, Rig, VIP, machine, one, plain, with_addresses};

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
