//! A checker that begins on a table that another one has left.

use std::net::IpAddr;

use keepalived_core::balance::{DestinationKey, Protocol, ServiceKey};

use super::rig::{Rig, configuration, from_text, virtual_server};
use crate::checker::Unfinished;

/// What a checker with `text` makes of the table that another one has left after three seconds in which `failing` failed.
fn taken_over(text: &str, failing: &[u8], resumes: bool) -> Rig {
    let mut first = Rig::new(text);
    first.pass(3, failing);
    Rig::on(first.engine.director().clone(), text, resumes)
}

#[test]
fn what_was_in_the_table_is_taken_over_without_a_change() {
    let text = configuration("alpha", &[1, 2]);
    let mut first = Rig::new(&text);
    first.pass(3, &[2]);
    let director = first.engine.director().clone();
    let (made, _) = director.work();
    let mut second = Rig::on(director, &text, false);
    assert_eq!((second.table(), second.engine.director().work().0), ("10.0.0.1:1".into(), made));
    second.pass(3, &[]);
    assert_eq!(second.table(), "10.0.0.1:1 10.0.0.2:2");
}

#[test]
fn a_checker_that_died_leaves_failed_servers_out() {
    let mut second = taken_over(&configuration("", &[1, 2]), &[2], true);
    assert_eq!(second.table(), "10.0.0.1:1", "it was taken out for a reason");
    second.pass(3, &[]);
    assert_eq!(second.table(), "10.0.0.1:1 10.0.0.2:2");
}

// seeds 33, 60 and 148 of the simulator
#[test]
fn a_reload_before_the_first_check_changes_nothing_that_was_taken_over() {
    for lines in ["", "alpha"] {
        let text = configuration(lines, &[1, 2]);
        let mut second = taken_over(&text, &[2], true);
        second.engine.reload(second.now, from_text(&text)).unwrap();
        assert_eq!(second.table(), "10.0.0.1:1", "{lines}");
    }
}

// seed 38: the sorry server took over, for ever if quorum and hysteresis are more than all weights together
#[test]
fn a_quorum_that_only_its_hysteresis_keeps_is_taken_over() {
    let text = configuration("quorum 3\n hysteresis 2\n sorry_server 10.0.0.9 80", &[1, 2, 3]);
    let mut second = taken_over(&text, &[3], true);
    assert_eq!(second.table(), "10.0.0.1:1 10.0.0.2:2");
    second.pass(3, &[1, 2, 3]);
    assert_eq!(second.table(), "10.0.0.9:1");
    // and one that is lost stays lost until there is enough again
    let mut second = taken_over(&text, &[1, 2, 3], true);
    second.pass(3, &[1, 3]);
    assert_eq!(second.table(), "10.0.0.9:1");
}

#[test]
fn a_server_that_one_of_two_virtual_servers_has_is_up() {
    let with_sorry = virtual_server("192.0.2.2 80", "quorum 5\n sorry_server 10.0.0.9 80", &[1, 5]);
    for (text, table) in [
        (configuration("", &[1, 2]) + &with_sorry, "10.0.0.1:1 10.0.0.2:2 | 10.0.0.9:1"),
        (with_sorry.clone() + &configuration("", &[1, 2]), "10.0.0.1:1 10.0.0.2:2 | 10.0.0.9:1"),
    ] {
        assert_eq!(taken_over(&text, &[5], true).table(), table, "{text}");
    }
}

#[test]
fn a_server_that_drained_when_the_checker_died_goes_when_its_time_is_over() {
    let with = |servers: &[u8]| "global_defs {\n lvs_drain_timeout 60\n}\n".to_owned() + &configuration("", servers);
    let mut first = Rig::new(&with(&[1, 2]));
    first.engine.reload(first.now, from_text(&with(&[1]))).unwrap();
    first.pass(20, &[]);
    let mut second = first.succeeded(&with(&[1]));
    second.pass(20, &[]);
    assert_eq!(second.table(), "10.0.0.1:1 10.0.0.2:0", "its connections go on");
    let mut third = second.succeeded(&with(&[1]));
    assert_eq!(third.table(), "10.0.0.1:1 10.0.0.2:0");
    third.pass(21, &[]);
    assert_eq!(third.table(), "10.0.0.1:1");
    // it is over, and so is what is remembered of it
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let server = DestinationKey { address: IpAddr::from([10, 0, 0, 2]), port: 80 };
    let table = third.engine.director().table_mut();
    let destinations = &mut table.get_mut(&key).unwrap().destinations;
    let of_others = *destinations.values().next().unwrap();
    destinations.insert(server, of_others);
    let mut fourth = third.succeeded(&with(&[1]));
    fourth.pass(90, &[]);
    assert_eq!(fourth.table(), "10.0.0.1:1 10.0.0.2:1");
}

#[test]
fn a_server_that_drained_while_no_checker_ran_goes_at_once() {
    let with = |servers: &[u8]| "global_defs {\n lvs_drain_timeout 60\n}\n".to_owned() + &configuration("", servers);
    let mut first = Rig::new(&with(&[1, 2]));
    first.engine.reload(first.now, from_text(&with(&[1]))).unwrap();
    let told = first.engine.unfinished();
    assert!(told.is_some_and(|told| told != Unfinished::default()));
    assert_eq!(first.engine.unfinished(), None, "it has not changed");
    first.engine.reload(first.now, from_text(&with(&[1]))).unwrap();
    first.now += std::time::Duration::from_secs(120);
    let mut second = first.succeeded(&with(&[1]));
    second.pass(1, &[]);
    assert_eq!(second.table(), "10.0.0.1:1");
}

#[test]
fn what_the_kernel_did_not_remove_before_the_checker_died_goes_after() {
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let server = DestinationKey { address: IpAddr::from([10, 0, 0, 2]), port: 80 };
    let other = virtual_server("192.0.2.2 80", "", &[3]);
    for is_silent in [true, false] {
        for (left, place, table) in [
            (configuration("", &[1]) + &other, Some(server), "10.0.0.1:1 | 10.0.0.3:3"),
            (other.clone(), None, "10.0.0.3:3"),
        ] {
            let refuse = |errno: Option<i32>, rig: &mut Rig| {
                let director = rig.engine.director();
                if is_silent { director.fail(errno) } else { director.refuse(key, place, errno) }
            };
            let mut first = Rig::new(&(configuration("", &[1, 2]) + &other));
            refuse(Some(5), &mut first);
            first.engine.reload(first.now, from_text(&left)).unwrap();
            refuse(None, &mut first);
            let mut second = first.succeeded(&left);
            second.pass(2, &[]);
            assert_eq!(second.table(), table, "{is_silent}");
            assert_eq!(second.engine.unfinished(), Some(Unfinished::default()));
        }
    }
}
