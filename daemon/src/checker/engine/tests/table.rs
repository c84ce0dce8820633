//! The kernel's table follows what checks say.

use std::net::IpAddr;

use keepalived_core::balance::{CheckResult, DestinationKey, Protocol, ServiceKey};
use keepalived_kernel::fake::FakeDirector;

use super::rig::{Rig, SECOND, configuration, from_text, virtual_server};
use crate::checker::engine::AtExit;

#[test]
fn servers_that_answer_are_in_the_table() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2");
    rig.pass(3, &[2]);
    assert_eq!(rig.table(), "10.0.0.1:1");
    rig.pass(3, &[]);
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2");
}

#[test]
fn the_log_has_keepalived_s_words_and_the_cause() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    assert_eq!(rig.said(), ["Starting with quorum up for VS [192.0.2.1]:tcp:80: 3 live of 1"]);
    rig.pass(3, &[1, 2]);
    let said = rig.said();
    for line in [
        "TCP_CHECK on service [10.0.0.1]:tcp:80 failed: connection refused",
        "Removing service [10.0.0.1]:tcp:80 from VS [192.0.2.1]:tcp:80: connection refused",
        "Lost quorum 1-0=1 > 0 for VS [192.0.2.1]:tcp:80",
    ] {
        assert!(said.iter().any(|known| known == line), "{line}: {said:#?}");
    }
}

#[test]
fn entries_of_others_stay() {
    let mut director = FakeDirector::new();
    let other = Rig::new(&virtual_server("192.0.2.9 443", "", &[7])).engine.director().table().clone();
    director.table_mut().extend(other);
    let mut rig = Rig::on(director, &configuration("", &[1]), false);
    assert_eq!(rig.table(), "10.0.0.1:1 | 10.0.0.7:7");
    rig.engine.stop(AtExit::Release, rig.now);
    assert_eq!(rig.table(), "10.0.0.7:7");
}

#[test]
fn the_table_can_stay_at_the_end() {
    let mut rig = Rig::new(&configuration("omega", &[1]));
    rig.said();
    rig.engine.stop(AtExit::Keep, rig.now);
    assert_eq!(rig.table(), "10.0.0.1:1");
    assert!(rig.said().is_empty(), "what goes on being served is not down");
}

#[test]
fn what_others_change_is_repaired_and_said() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    rig.said();
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let entry = rig.engine.director().table_mut().get_mut(&key).unwrap();
    let stranger = DestinationKey { address: IpAddr::from([10, 0, 0, 9]), port: 80 };
    let mine = *entry.destinations.values().next().unwrap();
    entry.destinations.pop_first();
    entry.destinations.insert(stranger, mine);
    rig.begin_look();
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2 10.0.0.9:1");
    let said = rig.said();
    let repaired = "another program changed the load balancer's table; 1 changes were made to repair it";
    assert!(said.iter().any(|line| line == repaired), "{said:#?}");
    rig.engine.director().table_mut().clear();
    rig.begin_look();
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2");
}

#[test]
fn what_checks_have_changed_is_no_repair() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    rig.now += SECOND * 2;
    rig.engine.turn(rig.now);
    let step = rig.engine.due().next().unwrap();
    // the first result of all: nothing is forgiven
    rig.engine.ended(step.ticket, &CheckResult::Failed("connection refused".to_owned()), rig.now);
    rig.pass(31, &[1, 2]);
    let said = rig.said();
    assert!(said.iter().any(|line| line.contains("failed: connection refused")), "{said:?}");
    assert!(!said.iter().any(|line| line.starts_with("another program")), "{said:?}");
}

#[test]
fn a_large_table_is_looked_at_in_pieces() {
    let text = |count: u8| -> String {
        (0..count).map(|last| virtual_server(&format!("192.0.2.{last} 80"), "", &[1, 2])).collect()
    };
    let mut rig = Rig::new(&text(150));
    rig.said();
    let whole = rig.engine.director().table().clone();
    let damage = |rig: &mut Rig| rig.engine.director().table_mut().clear();
    let services = |rig: &mut Rig| rig.engine.director().table().len();
    damage(&mut rig);
    rig.begin_look();
    assert_eq!(services(&mut rig), 64);
    for there in [128, 150, 150] {
        rig.go_on_looking(0);
        assert_eq!(services(&mut rig), there);
    }
    assert_eq!(*rig.engine.director().table(), whole);
    let repaired = |rig: &mut Rig, changes: usize| {
        let said = rig.said();
        let line =
            format!("another program changed the load balancer's table; {changes} changes were made to repair it");
        assert!(said.contains(&line), "{said:#?}");
    };
    repaired(&mut rig, 450);

    // a service that goes while the look is under way is made again, not only its servers
    rig.begin_look();
    damage(&mut rig);
    rig.go_on_looking(0);
    rig.go_on_looking(0);
    assert_eq!(services(&mut rig), 150 - 64, "the others are found by the next look");
    repaired(&mut rig, 258);
    rig.pass(31, &[]);
    assert_eq!(*rig.engine.director().table(), whole);

    // what checks say counts in the middle of a look, too
    rig.pass(1, &[]);
    damage(&mut rig);
    rig.begin_look();
    rig.pass(35, &[2]);
    let table = rig.engine.director().table();
    assert!(table.len() == 150 && table.values().all(|entry| entry.destinations.len() == 1));

    // and what a reload brings
    rig.pass(35, &[]);
    damage(&mut rig);
    rig.pass(29, &[]);
    rig.engine.reload(rig.now, from_text(&text(70))).unwrap();
    rig.pass(1, &[]);
    let table = rig.engine.director().table();
    assert!(table.len() == 70 && table.values().all(|entry| entry.destinations.len() == 2));
}

/// As when nftables' notifications say so: nothing waits for the next look, and nothing is looked at without end.
#[test]
fn what_others_change_is_repaired_as_soon_as_the_kernel_says_so() {
    let mut rig = Rig::new(&("global_defs {\n lvs_repair_interval 0\n}\n".to_owned() + &configuration("", &[1, 2])));
    let whole = rig.table();
    for _ in 0..5 {
        rig.engine.director().table_mut().clear();
        let mut looks = 0;
        for _ in 0..30 {
            rig.engine.table_changed(rig.now);
            rig.now += SECOND / 10;
            rig.engine.turn(rig.now);
            if rig.table() == whole {
                looks += 1;
                rig.engine.director().table_mut().clear();
            }
        }
        assert!((2..=4).contains(&looks), "three seconds, and {looks} looks");
        rig.engine.table_changed(rig.now);
        rig.pass(2, &[]);
        assert_eq!(rig.table(), whole);
    }
}

#[test]
fn a_reload_changes_what_changed() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    rig.pass(3, &[2]);
    let (before, _) = rig.engine.director().work();
    rig.engine.reload(rig.now, from_text(&configuration("", &[1, 2]))).unwrap();
    assert_eq!(rig.engine.director().work().0, before, "nothing");
    rig.engine.reload(rig.now, from_text(&configuration("", &[1, 2, 3]))).unwrap();
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.3:3", "the failed one stays out");
    let other = virtual_server("192.0.2.2 80", "", &[4]);
    rig.engine.reload(rig.now, from_text(&other)).unwrap();
    assert_eq!(rig.table(), "10.0.0.4:4");
}

#[test]
fn another_pace_keeps_the_verdict() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    rig.pass(3, &[2]);
    let text = configuration("", &[1, 2]).replace("retry 1", "retry 5");
    rig.engine.reload(rig.now, from_text(&text)).unwrap();
    assert_eq!(rig.table(), "10.0.0.1:1");
}

// seed 1295 of the simulator
#[test]
fn another_pace_keeps_the_verdict_of_a_check_that_was_shared() {
    let on = |head: &str, pace: &str| virtual_server(head, "", &[1, 2]).replace("retry 1", pace);
    let shared = on("192.0.2.1 80", "retry 1") + &on("192.0.2.2 80", "retry 1");
    let out = "10.0.0.1:1 | 10.0.0.1:1";
    let mut rig = Rig::new(&shared);
    rig.pass(3, &[2]);
    assert_eq!(rig.table(), out);
    for text in [
        on("192.0.2.1 80", "retry 1") + &on("192.0.2.2 80", "retry 5"),
        on("192.0.2.1 80", "retry 5") + &on("192.0.2.2 80", "retry 1"),
        shared,
    ] {
        rig.engine.reload(rig.now, from_text(&text)).unwrap();
        assert_eq!(rig.table(), out, "{text}");
    }
    // the first one that has it is new
    let text = on("192.0.2.3 80", "retry 4") + &on("192.0.2.2 80", "retry 4");
    rig.engine.reload(rig.now, from_text(&text)).unwrap();
    assert_eq!(rig.table(), out);
}

// seed 20377 of the simulator
#[test]
fn a_check_among_several_of_one_target_goes_on_as_the_first_of_them() {
    let with = |checks: &[&str]| {
        let checks: String =
            checks.iter().map(|lines| format!("TCP_CHECK {{\n connect_timeout 1\n {lines}\n }}\n")).collect();
        configuration("", &[1, 2]).replacen("TCP_CHECK {\n connect_timeout 1\n }\n", &checks, 1)
    };
    let mut rig = Rig::new(&with(&["retry 1", "warmup 600"]));
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), "10.0.0.2:2");
    rig.engine.reload(rig.now, from_text(&with(&["warmup 600", "retry 3"]))).unwrap();
    assert_eq!(rig.table(), "10.0.0.2:2", "what has failed goes on, not what was never asked");
}

#[test]
fn a_removed_server_drains() {
    let globals = "global_defs {\n lvs_drain_timeout 60\n}\n";
    let mut rig = Rig::new(&(globals.to_owned() + &configuration("", &[1, 2])));
    rig.engine.reload(rig.now, from_text(&(globals.to_owned() + &configuration("", &[1])))).unwrap();
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:0");
    rig.pass(61, &[]);
    assert_eq!(rig.table(), "10.0.0.1:1");
}

#[test]
fn equal_checks_on_one_server_run_once() {
    let text = configuration("", &[1]) + &virtual_server("192.0.2.2 80", "", &[1]);
    let mut rig = Rig::new(&text);
    assert_eq!(rig.tasks().len(), 1);
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), " | ", "the verdict goes to both");
}

#[test]
fn what_the_kernel_refuses_is_said_and_tried_again() {
    let mut director = FakeDirector::new();
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let server = DestinationKey { address: IpAddr::from([10, 0, 0, 2]), port: 80 };
    director.refuse(key, Some(server), Some(12));
    let mut rig = Rig::on(director, &configuration("", &[1, 2]), false);
    assert_eq!(rig.table(), "10.0.0.1:1");
    let said = rig.said();
    let line = "the kernel refused to add 10.0.0.2 80 to virtual server 192.0.2.1 80 TCP: ";
    assert!(said.iter().any(|known| known.starts_with(line)), "{said:#?}");
    rig.pass(20, &[]);
    let said = rig.said();
    assert!(!said.iter().any(|known| known.starts_with(line)), "once is enough: {said:#?}");
    rig.engine.director().refuse(key, Some(server), None);
    rig.pass(17, &[]);
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2");
    assert!(rig.said().iter().any(|known| known.starts_with("the kernel did what it had refused: add 10.0.0.2 80")));
}

// seeds 34, 62 and 156 of the simulator
#[test]
fn what_the_kernel_did_not_do_was_changed_by_nobody_else() {
    let blames = |rig: &mut Rig| rig.said().iter().any(|line| line.starts_with("another program"));
    let every_second = "global_defs {\n lvs_repair_interval 1\n}\n".to_owned();
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let server = DestinationKey { address: IpAddr::from([10, 0, 0, 2]), port: 80 };
    let mut rig = Rig::new(&(every_second.clone() + &configuration("", &[1, 2])));
    for refused in [None, Some(server)] {
        rig.engine.director().refuse(key, refused, Some(5));
        let text = configuration("", &[1, 2]).replace("lvs_sched rr", "lvs_sched lc").replace("weight 2", "weight 7");
        rig.engine.reload(rig.now, from_text(&(every_second.clone() + &text))).unwrap();
        rig.pass(20, &[]);
        rig.engine.director().refuse(key, refused, None);
        rig.pass(60, &[]);
        assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:7");
        assert!(!blames(&mut rig), "{refused:?}");
        rig.engine.reload(rig.now, from_text(&(every_second.clone() + &configuration("", &[1, 2])))).unwrap();
    }
    rig.engine.director().fail(Some(5));
    rig.pass(2, &[2]);
    rig.engine.director().fail(None);
    rig.pass(60, &[2]);
    assert_eq!(rig.table(), "10.0.0.1:1");
    assert!(!blames(&mut rig), "no answer");
    rig.engine.director().table_mut().clear();
    rig.pass(2, &[2]);
    assert!(blames(&mut rig), "but this was another program");
}

#[test]
fn what_is_refused_is_tried_again_even_if_the_table_is_never_looked_at() {
    let never = "global_defs {\n lvs_repair_interval 0\n}\n".to_owned();
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let server = DestinationKey { address: IpAddr::from([10, 0, 0, 2]), port: 80 };
    for refused in [None, Some(server)] {
        let mut director = FakeDirector::new();
        director.refuse(key, refused, Some(12));
        let mut rig = Rig::on(director, &(never.clone() + &configuration("", &[1, 2])), false);
        rig.engine.director().refuse(key, refused, None);
        rig.pass(2, &[]);
        assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2", "adding {refused:?}");

        rig.engine.director().refuse(key, refused, Some(12));
        let other = virtual_server(if refused.is_some() { "192.0.2.1 80" } else { "192.0.2.2 80" }, "", &[1]);
        rig.engine.reload(rig.now, from_text(&(never.clone() + &other))).unwrap();
        rig.engine.director().refuse(key, refused, None);
        rig.pass(2, &[]);
        assert_eq!(rig.table(), "10.0.0.1:1", "removing {refused:?}");
    }
    let mut rig = Rig::new(&(never + &configuration("", &[1, 2])));
    rig.engine.director().fail(Some(105));
    rig.pass(3, &[2]);
    rig.pass(20, &[2]);
    rig.engine.director().fail(None);
    rig.pass(33, &[2]);
    assert_eq!(rig.table(), "10.0.0.1:1", "and what was not answered");
    let said = rig.said();
    assert_eq!(said.iter().filter(|line| line.starts_with("the kernel refused")).count(), 2, "{said:#?}");
}

// seed 6160 of the simulator
#[test]
fn what_was_there_before_a_reload_named_it_was_changed_by_nobody_else() {
    let blames = |rig: &mut Rig| rig.said().iter().any(|line| line.starts_with("another program"));
    let (one, other) = (configuration("sorry_server 10.0.0.9 80", &[1]), virtual_server("192.0.2.2 80", "", &[3]));
    let mut left = Rig::new(&one);
    left.pass(3, &[1]);
    assert_eq!(left.table(), "10.0.0.9:1");
    let mut rig = Rig::on(left.engine.director().clone(), &other, false);
    rig.engine.reload(rig.now, from_text(&(one + &other))).unwrap();
    rig.pass(3, &[]);
    assert_eq!(rig.table(), "10.0.0.1:1 | 10.0.0.3:3");
    assert!(!blames(&mut rig), "it was there before");
    rig.engine.director().table_mut().clear();
    rig.pass(61, &[]);
    assert!(blames(&mut rig), "but this was another program");
}

// seeds 1643 and 3265 of the simulator: it counted as a server of others, and stayed for ever
#[test]
fn a_server_that_the_kernel_does_not_let_drain_goes_when_the_kernel_does() {
    let globals = "global_defs {\n lvs_drain_timeout 5\n}\n".to_owned();
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let server = DestinationKey { address: IpAddr::from([10, 0, 0, 2]), port: 80 };
    let mut rig = Rig::new(&(globals.clone() + &configuration("", &[1, 2])));
    rig.engine.director().refuse(key, Some(server), Some(5));
    rig.engine.reload(rig.now, from_text(&(globals + &configuration("", &[1])))).unwrap();
    rig.pass(20, &[]);
    rig.engine.director().refuse(key, Some(server), None);
    rig.pass(60, &[]);
    assert_eq!(rig.table(), "10.0.0.1:1");
}

#[test]
fn what_a_service_still_has_that_the_kernel_did_not_remove_is_ours_when_the_service_comes_back() {
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let other = virtual_server("192.0.2.2 80", "", &[3]);
    for is_silent in [true, false] {
        let refuse = |errno: Option<i32>, rig: &mut Rig| {
            let director = rig.engine.director();
            if is_silent { director.fail(errno) } else { director.refuse(key, None, errno) }
        };
        let mut rig = Rig::new(&(configuration("", &[1, 2]) + &other));
        refuse(Some(5), &mut rig);
        rig.engine.reload(rig.now, from_text(&other)).unwrap();
        refuse(None, &mut rig);
        rig.engine.reload(rig.now, from_text(&(configuration("", &[1]) + &other))).unwrap();
        rig.pass(60, &[]);
        assert_eq!(rig.table(), "10.0.0.1:1 | 10.0.0.3:3");
    }
}

/// A removal is not answered (or refused); then the services of the table can be read, but not their servers.
#[test]
fn a_server_stays_ours_while_the_servers_of_its_service_cannot_be_read() {
    let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
    let server = DestinationKey { address: IpAddr::from([10, 0, 0, 2]), port: 80 };
    // an inhibited server stands in the table as one that has to go: with weight 0
    for (is_silent, lines) in [(true, ""), (false, ""), (true, "inhibit_on_failure")] {
        let refuse = |errno: Option<i32>, rig: &mut Rig| {
            let director = rig.engine.director();
            if is_silent { director.fail(errno) } else { director.refuse(key, Some(server), errno) }
        };
        let never = "global_defs {\n lvs_repair_interval 0\n}\n".to_owned();
        let with = |servers: &[u8]| never.clone() + &configuration(lines, servers);
        let mut rig = Rig::new(&with(&[1, 2, 3]));
        rig.said();
        refuse(Some(5), &mut rig);
        rig.engine.director().fail_reading_servers(Some(5));
        rig.engine.reload(rig.now, from_text(&with(&[1, 3]))).unwrap();
        rig.pass(3, &[3]);
        refuse(None, &mut rig);
        rig.pass(90, &[3]);
        rig.engine.director().fail_reading_servers(None);
        rig.pass(90, &[3]);
        assert_eq!(rig.table(), if lines.is_empty() { "10.0.0.1:1" } else { "10.0.0.1:1 10.0.0.3:0" });
        assert!(!rig.said().iter().any(|line| line.starts_with("another program")));
    }
}

#[test]
fn a_table_that_others_have_changed_is_looked_at_when_a_reload_comes() {
    let text = "global_defs {\n lvs_repair_interval 0\n}\n".to_owned() + &configuration("", &[1, 2]);
    let mut rig = Rig::new(&text);
    rig.engine.director().table_mut().clear();
    rig.pass(100, &[]);
    assert_eq!(rig.table(), "", "nobody looks");
    rig.engine.reload(rig.now, from_text(&text)).unwrap();
    rig.engine.turn(rig.now);
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2");
}

/// Tried after public reports: only the last one's servers were in the table, and each look found "another program".
#[test]
fn a_service_that_is_named_twice_has_one_owner() {
    let group = |name: &str, lines: &str| format!("virtual_server_group {name} {{\n {lines}\n}}\n");
    let (a, b) = (virtual_server("group A", "", &[1]), virtual_server("group B", "", &[2]));
    let marks = |text: String| text.replace("192.0.2.1 80", "fwmark 7").replace("192.0.2.1-3 80", "fwmark 7\nfwmark 8");
    let alone = virtual_server("192.0.2.1 80", "", &[2]);
    for (first, second) in [
        (group("A", "192.0.2.1 80") + &a, group("B", "192.0.2.1-3 80") + &b),
        (group("A", "192.0.2.1 80") + &a, alone),
        (marks(group("A", "192.0.2.1 80") + &a), marks(group("B", "192.0.2.1-3 80") + &b)),
        (group("A", "192.0.2.1 80\n192.0.2.0-2 80") + &a, group("B", "192.0.2.1-3 80") + &b),
    ] {
        let text = first.clone() + &second;
        let mut rig = Rig::new(&text);
        assert!(rig.table().contains("10.0.0.1:1 10.0.0.2:2"), "{text}: {}", rig.table());
        rig.pass(100, &[]);
        let said = rig.said();
        assert!(!said.iter().any(|line| line.contains("another program")), "{text}{said:#?}");
        rig.pass(3, &[2]);
        assert!(!rig.table().contains("10.0.0.2"), "{text}: {}", rig.table());
        rig.pass(3, &[]);
        for (left, server) in [(&second, "10.0.0.2:2"), (&first, "10.0.0.1:1")] {
            rig.engine.reload(rig.now, from_text(&text)).unwrap();
            rig.engine.reload(rig.now, from_text(left)).unwrap();
            let table = rig.table();
            assert!(table.contains(server) && !table.contains(' ') || table.contains(" | "), "{left}: {table}");
            assert!(table.split(" | ").all(|service| service == server), "{left}: {table}");
        }
    }
}

#[test]
fn a_repair_that_does_not_hold_is_called_our_own_fault() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    rig.said();
    let server = DestinationKey { address: IpAddr::from([10, 0, 0, 2]), port: 80 };
    rig.engine.director().keep_otherwise(server, 7);
    rig.engine.director().table_mut().clear();
    rig.begin_look();
    let said = rig.said();
    let ours = |line: &String| line.contains("192.0.2.1 80 TCP") && line.contains("a fault of keepalived-rs");
    assert!(said.iter().any(ours), "{said:#?}");
    for _ in 0..3 {
        rig.begin_look();
        assert_eq!(rig.said(), [""; 0], "it is said once, and nothing is repaired");
    }
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), "10.0.0.2:7", "checks count as ever");
}

/// One line, whatever the shortage and however many checks it concerns; the table stays, and checks go on when it is over.
#[test]
fn what_this_machine_lacks_changes_no_table() {
    let mut rig = Rig::new(&configuration("", &[1, 2, 3, 4]));
    rig.pass(3, &[]);
    rig.said();
    let before = rig.table();
    for reason in ["too many open files", "cannot run /bin/check: Resource temporarily unavailable", "out of memory"] {
        for _ in 0..20 {
            rig.now += SECOND;
            rig.engine.turn(rig.now);
            for step in rig.engine.due().collect::<Vec<_>>() {
                rig.engine.ended(step.ticket, &CheckResult::Unknown(reason.to_owned()), rig.now);
            }
        }
        let said = rig.said();
        assert!(said.len() == 1 && said[0].contains("which changes nothing"), "{said:#?}");
        assert_eq!(rig.table(), before);
    }
    rig.pass(4, &[2]);
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.3:3 10.0.0.4:4");
}

#[test]
fn a_check_whose_answer_is_lost_runs_again() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    rig.pass(3, &[]);
    rig.said();
    let before = rig.table();
    for _ in 0..4 {
        rig.now += SECOND;
        rig.engine.turn(rig.now);
        assert!(rig.engine.due().count() <= 2, "and nothing answers");
    }
    rig.pass(120, &[2]);
    assert_eq!((before.as_str(), rig.table().as_str()), ("10.0.0.1:1 10.0.0.2:2", "10.0.0.1:1"));
}

#[test]
fn checks_of_a_suspended_service_rest() {
    let mut rig = Rig::new(&configuration("ha_suspend", &[1]));
    rig.engine.suspend(|_| false, rig.now);
    rig.pass(10, &[1]);
    assert_eq!(rig.table(), "10.0.0.1:1");
    rig.engine.suspend(|address| address == IpAddr::from([192, 0, 2, 1]), rig.now);
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), "");
}

#[test]
fn a_group_stands_for_its_addresses() {
    let text = "virtual_server_group G {\n 192.0.2.1-2 80\n 192.0.2.9 81\n}\n".to_owned()
        + &virtual_server("group G", "", &[1]);
    let mut rig = Rig::new(&text);
    assert_eq!(rig.table(), "10.0.0.1:1 | 10.0.0.1:1 | 10.0.0.1:1");
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), " |  | ");
}

#[test]
fn the_table_can_be_emptied_first_and_last() {
    let others = || {
        let mut director = FakeDirector::new();
        let other = Rig::new(&virtual_server("192.0.2.9 443", "", &[7])).engine.director().table().clone();
        director.table_mut().extend(other);
        director
    };
    let with = |globals: &str| format!("global_defs {{\n {globals}\n}}\n") + &configuration("", &[1]);
    let mut rig = Rig::on(others(), &with("lvs_flush"), false);
    assert_eq!(rig.table(), "10.0.0.1:1");
    let mut rig = Rig::on(others(), &with("lvs_flush"), true);
    assert_eq!(rig.table(), "10.0.0.1:1 | 10.0.0.7:7", "not when a checker comes back");
    for (globals, left) in [
        ("lvs_flush_on_stop", ""),
        ("lvs_flush_onstop", ""),
        ("lvs_flush_on_stop VS", "10.0.0.7:7"),
        ("", "10.0.0.7:7"),
    ] {
        let mut rig = Rig::on(others(), &with(globals), false);
        rig.engine.stop(AtExit::Release, rig.now);
        assert_eq!(rig.table(), left, "{globals}");
    }
}

#[test]
fn servers_that_are_up_at_the_start_may_be_told() {
    let mut rig = Rig::new(&configuration("", &[1]));
    assert_eq!(rig.said().len(), 1);
    let mut rig = Rig::new(&("global_defs {\n rs_init_notifies\n}\n".to_owned() + &configuration("", &[1])));
    let said = rig.said();
    assert!(said.iter().any(|line| line == "Adding service [10.0.0.1]:tcp:80 to VS [192.0.2.1]:tcp:80"), "{said:?}");
}

#[test]
fn what_happened_can_be_told_in_pieces() {
    let text = || -> String {
        let servers = |last| virtual_server(&format!("192.0.2.{last} 80"), "", &[1]);
        (1..=5).map(servers).collect()
    };
    let all = Rig::new(&text()).said();
    assert_eq!(all.len(), 5);
    let mut engine = Rig::new(&text()).engine;
    let mut told = Vec::new();
    for left in [true, true, false] {
        told.extend(engine.reports(2).map(|report| report.to_string()));
        assert_eq!(engine.has_reports(), left);
    }
    assert_eq!(told, all);
}
