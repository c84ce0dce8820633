//! A new configuration while it runs.

use std::time::Duration;

use keepalived_core::vrrp::State;

use super::rig::{Rig, VIP, ip, master, one, with_addresses};

#[test]
fn an_unchanged_file_changes_nothing() {
    let mut rig = master();
    rig.sent(51);
    let due = rig.engine.turn(rig.now);
    let (changes, _) = rig.network().work();
    rig.reload(&one(100));
    assert_eq!((rig.sent(51), rig.engine.turn(rig.now)), (vec![], due));
    assert_eq!(rig.network().work().0, changes);
}

// keepalived 2.4.3 loses the address when it moves to an instance that stands earlier in the file
#[test]
fn an_address_that_moves_between_instances_is_never_away() {
    let (x, y, z) = ("192.0.2.101/24", "192.0.2.102/24", "192.0.2.103/24");
    let both = |a: &[&str], b: &[&str]| with_addresses("A", 51, 100, a) + &with_addresses("B", 52, 100, b);
    for (before, after) in [(both(&[x], &[y, z]), both(&[x, z], &[y])), (both(&[x, z], &[y]), both(&[x], &[y, z]))] {
        let mut rig = Rig::new(&before);
        rig.pass(Duration::from_secs(4));
        let (changes, _) = rig.network().work();
        rig.reload(&after);
        assert!(rig.has("192.0.2.103"));
        assert_eq!(rig.network().work().0, changes, "not even for a moment");
        rig.reload(&after);
        assert!(rig.has("192.0.2.103"));
    }
}

#[test]
fn a_reload_adds_removes_and_changes_addresses() {
    let mut rig = Rig::new(&with_addresses("A", 51, 100, &["192.0.2.101/24", "192.0.2.102/24"]));
    rig.pass(Duration::from_secs(20));
    rig.announced();
    rig.reload(&with_addresses("A", 51, 100, &["192.0.2.101/24"]));
    assert!(rig.has("192.0.2.101") && !rig.has("192.0.2.102"));
    assert!(rig.announced().is_empty(), "keepalived, observed: none if none was added");
    rig.reload(&with_addresses("A", 51, 100, &["192.0.2.101/24 label eth0:1", "192.0.2.103/24"]));
    assert!(rig.has("192.0.2.101") && rig.has("192.0.2.103"));
    let label = rig
        .network()
        .addresses()
        .find(|address| address.address == ip("192.0.2.101"))
        .and_then(|address| address.label);
    assert_eq!(label.map(|label| label.to_string()), Some("eth0:1".to_owned()));
    assert_eq!(rig.announced().len(), 10, "all of the instance");
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn an_instance_that_is_removed_says_farewell_and_a_new_one_begins_as_at_first() {
    let mut rig = master();
    rig.sent(51);
    rig.reload(&with_addresses("B", 52, 100, &["192.0.2.102/24"]));
    assert_eq!(rig.sent(51), [0]);
    assert_eq!((rig.has(VIP), rig.states()), (false, vec![("B".to_owned(), State::Backup)]));
}

// keepalived, observed: matched by VRID and interface, not by name
#[test]
fn a_renamed_instance_keeps_its_state() {
    let mut rig = master();
    rig.reload(&with_addresses("Z", 51, 100, &["192.0.2.100/24"]));
    assert_eq!(rig.states(), [("Z".to_owned(), State::Master)]);
    assert!(rig.has(VIP));
}

#[test]
fn a_reload_forgets_no_announcement_that_waits_for_its_turn() {
    let paced = |rest: &str| format!("global_defs {{\n vrrp_garp_interval 1\n {rest}\n}}\n{}", one(100));
    let mut rig = Rig::new(&paced(""));
    rig.pass(Duration::from_millis(4_000));
    rig.announced();
    rig.reload(&paced("vip_lost backup"));
    rig.pass(Duration::from_millis(4_500));
    assert_eq!(rig.announced().len(), 4, "one at once, four a second apart");
}
