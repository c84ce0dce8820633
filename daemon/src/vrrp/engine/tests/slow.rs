//! A kernel that lets us wait: who holds its lock for links holds up every change.

use std::net::Ipv4Addr;
use std::time::Duration;

use keepalived_core::network::{Link, LinkIndex};
use keepalived_core::vrrp::State;
use keepalived_kernel::network::Network;

use super::rig::{ETH0, MILLI, Rig, Slow, VIP, instance, ip, machine, master, one, plain, with_addresses};
use crate::vrrp::lifetime::AtExit;
use crate::vrrp::report::Report;

const LONG: Duration = Duration::from_secs(5);
/// The same, seen a moment later.
const MOMENT_LONGER: Duration = Duration::from_millis(5_001);
/// Both ways of being slow.
const EITHER: [Slow; 2] = [Slow::Kernel(LONG), Slow::Answer(LONG)];

/// A router that became master a moment ago, with the kernel working on its address.
fn fresh_master(slow: Slow) -> Rig {
    let mut rig = Rig::new(&one(100));
    rig.slow = Some(slow);
    rig.pass(Duration::from_millis(3_610));
    assert_eq!((rig.state("A"), rig.sent(51).len()), (State::Master, 1));
    rig
}

fn says_address_lost(rig: &Rig) -> bool {
    rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. }))
}

#[test]
fn adverts_leave_on_time_however_long_a_change_takes() {
    for slow in EITHER {
        let mut rig = fresh_master(slow);
        for second in 1..5 {
            rig.pass(Duration::from_secs(1));
            assert_eq!(rig.sent(51), [100], "in second {second}");
            assert!(rig.announced().is_empty(), "the kernel has not said that it is there");
        }
        rig.pass(MOMENT_LONGER - Duration::from_secs(4));
        assert_eq!((rig.has(VIP), rig.announced()), (true, vec![Ipv4Addr::new(192, 0, 2, 100); 5]));
    }
}

#[test]
fn adverts_leave_on_time_however_long_a_reading_takes() {
    for slow in EITHER {
        let mut rig = master();
        rig.slow = Some(slow);
        rig.network().remove_address(ETH0, ip(VIP), 24);
        rig.network().overrun();
        rig.settle();
        rig.sent(51);
        rig.pass(Duration::from_secs(4));
        assert_eq!((rig.sent(51).len(), rig.has(VIP)), (4, false));
        // read, and then put back
        rig.pass(MOMENT_LONGER * 2 - Duration::from_secs(4));
        assert!(rig.has(VIP));
    }
}

#[test]
fn what_is_granted_too_late_is_given_back_and_never_announced() {
    for slow in EITHER {
        let mut rig = fresh_master(slow);
        rig.hear(&one(200), 200);
        assert_eq!(rig.state("A"), State::Backup);
        rig.hear_for(10, &one(200), 200);
        rig.pass(MILLI * 2);
        assert_eq!((rig.state("A"), rig.has(VIP), rig.announced()), (State::Backup, false, vec![]));
        assert!(!says_address_lost(&rig));
    }
}

#[test]
fn who_is_master_again_before_the_address_is_removed_has_it_in_the_end() {
    for slow in EITHER {
        let mut rig = master();
        rig.slow = Some(slow);
        rig.hear(&one(200), 200);
        rig.hear(&one(200), 0);
        rig.pass(Duration::from_millis(700));
        assert_eq!(rig.state("A"), State::Master);
        rig.announced();
        rig.pass(MOMENT_LONGER * 2);
        assert!(rig.has(VIP));
        assert_eq!(rig.announced().len(), 5);
        assert!(!says_address_lost(&rig));
    }
}

// a label is changed by removing the address and adding it again: the kernel tells of both before it answers
#[test]
fn what_the_kernel_tells_of_a_change_of_ours_before_it_answers_is_not_somebody_elses() {
    for slow in EITHER {
        let mut rig = master();
        // the second burst of announcements is over
        rig.pass(LONG * 2);
        rig.slow = Some(slow);
        rig.reload(&with_addresses("A", 51, 100, &["192.0.2.100/24 label eth0:1"]));
        rig.announced();
        rig.pass(MOMENT_LONGER);
        assert_eq!((rig.has(VIP), rig.announced().len()), (true, 5));
        assert!(!says_address_lost(&rig));
        // and what others do is noticed again
        rig.network().remove_address(ETH0, ip(VIP), 24);
        rig.pass(MOMENT_LONGER);
        assert!(says_address_lost(&rig) && rig.has(VIP));
    }
}

#[test]
fn an_address_that_is_removed_before_the_answer_comes_is_put_back() {
    let mut rig = fresh_master(Slow::Answer(LONG));
    assert!(rig.has(VIP));
    rig.pass(Duration::from_secs(1));
    rig.network().remove_address(ETH0, ip(VIP), 24);
    rig.pass(LONG);
    rig.slow = None;
    rig.pass(LONG);
    assert_eq!((rig.has(VIP), rig.announced().contains(&Ipv4Addr::new(192, 0, 2, 100))), (true, true));
}

// the kernel granted it after the link was made again, or before: it says which by its events
#[test]
fn an_answer_about_a_link_that_is_gone_counts_for_nothing() {
    let mut rig = fresh_master(Slow::Answer(LONG));
    let link = rig.network().inventory().unwrap().links.into_iter().find(|link| link.index == ETH0).unwrap();
    rig.pass(Duration::from_secs(1));
    rig.network().remove_link(ETH0);
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().set_link(link);
    rig.network().add_address(plain(ETH0, "192.0.2.1", 24));
    rig.pass(LONG);
    rig.slow = None;
    rig.pass(LONG);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn what_happens_while_links_are_read_is_not_forgotten() {
    let mut rig = master();
    rig.slow = Some(Slow::Answer(LONG));
    rig.network().overrun();
    rig.settle();
    rig.network().set_running(ETH0, false);
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    // what was read says that it runs
    rig.pass(MOMENT_LONGER * 2);
    assert_eq!(rig.state("A"), State::Fault);
}

#[test]
fn a_stop_waits_for_the_kernel() {
    for slow in EITHER {
        let mut rig = Rig::new(&with_addresses("A", 51, 100, &["192.0.2.100/24", "192.0.2.101/24"]));
        rig.slow = Some(slow);
        // in the middle of a change
        rig.pass(Duration::from_secs(4));
        rig.sent(51);
        rig.engine.stop(rig.now, AtExit::Release);
        assert_eq!((rig.sent(51), rig.engine.owes_changes()), (vec![0], true), "the farewell does not wait");
        rig.stop(AtExit::Release);
        assert_eq!((rig.has(VIP), rig.has("192.0.2.101"), rig.engine.owes_changes()), (false, false, false));
    }
}

fn transitions(rig: &mut Rig) -> Vec<(String, State)> {
    let reports = std::mem::take(&mut rig.reports);
    let transition = |report| match report {
        Report::Transition { name, transition, .. } => Some((name.to_string(), transition.to)),
        _ => None,
    };
    reports.into_iter().filter_map(transition).collect()
}

fn second() -> String {
    "vrrp_instance B {\n interface eth1\n virtual_router_id 52\n mcast_src_ip 192.0.2.1\n}\n".into()
}

#[test]
fn adverts_leave_on_time_however_long_sockets_take_and_who_is_new_waits_for_its_own() {
    for slow in EITHER {
        let mut rig = master();
        rig.slow = Some(slow);
        rig.reports.clear();
        rig.sent(51);
        rig.reload(&(one(100) + &second()));
        rig.pass(Duration::from_secs(4));
        assert_eq!((rig.sent(51).len(), rig.state("B"), transitions(&mut rig)), (4, State::Init, vec![]));
        rig.pass(MOMENT_LONGER - Duration::from_secs(4));
        assert_eq!(transitions(&mut rig), [("B".to_owned(), State::Backup)]);
        // and they close as slowly
        rig.sent(51);
        rig.reload(&one(100));
        rig.pass(Duration::from_secs(4));
        assert_eq!((rig.sent(51).len(), rig.packets().channels().count()), (4, 1));
    }
}

#[test]
fn one_that_is_gone_before_its_sockets_are_made_leaves_nothing_behind() {
    for slow in EITHER {
        let mut rig = master();
        rig.slow = Some(slow);
        rig.reload(&(one(100) + &second()));
        rig.pass(Duration::from_secs(1));
        rig.reload(&one(100));
        rig.pass(MOMENT_LONGER * 3);
        assert_eq!((rig.packets().channels().count(), rig.states().len()), (1, 1));
        // it takes the channel that is open already, or about to be closed
        rig.reload(&(one(100) + &second()));
        rig.reload(&one(100));
        rig.reload(&(one(100) + &second()));
        rig.pass(MOMENT_LONGER * 3);
        assert_eq!((rig.packets().channels().count(), rig.state("B")), (2, State::Master));
    }
}

#[test]
fn a_backup_hears_through_its_old_channel_until_the_new_one_is_open() {
    let peers = "unicast_peer {\n 192.0.2.2\n }";
    let text = instance("A", 51, &format!("{peers}\n virtual_ipaddress {{\n {VIP}\n }}"));
    for slow in EITHER {
        let mut network = machine();
        network.add_address(plain(ETH0, "198.51.100.9", 24));
        network.events(&mut Vec::new());
        let mut rig = Rig::on(network, &text);
        rig.slow = Some(slow);
        rig.network().remove_address(ETH0, ip("192.0.2.1"), 24);
        rig.settle();
        for _ in 0..5 {
            rig.hear_at(&text, 200, ip("192.0.2.1"), 255);
            rig.settle();
            rig.pass(Duration::from_secs(1));
        }
        rig.pass(MILLI * 2);
        rig.hear_at(&text, 200, ip("198.51.100.9"), 255);
        rig.settle();
        rig.pass(Duration::from_secs(3));
        assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, false));
        assert_eq!(transitions(&mut rig), [("A".to_owned(), State::Backup)], "it only started");
    }
}

#[test]
fn a_backup_whose_link_is_made_again_takes_part_when_it_can_hear() {
    for slow in EITHER {
        let mut rig = Rig::new(&one(100));
        rig.slow = Some(slow);
        let link = rig.network().inventory().unwrap().links.into_iter().find(|link| link.index == ETH0).unwrap();
        rig.network().remove_link(ETH0);
        rig.network().set_link(Link { index: LinkIndex(9), ..link });
        rig.network().add_address(plain(LinkIndex(9), "192.0.2.1", 24));
        rig.settle();
        rig.pass(Duration::from_secs(4));
        assert_eq!(rig.state("A"), State::Fault);
        rig.pass(MOMENT_LONGER - Duration::from_secs(4));
        assert_eq!(rig.state("A"), State::Backup);
        rig.pass(LONG * 2);
        assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    }
}
