//! Groups whose packets are marked: `nftables_ipvs`.

use keepalived_core::balance::ServiceKey;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::Family;
use keepalived_kernel::fake::FakeDirector;
use keepalived_kernel::marks::Marks;

use super::rig::{Rig, SECOND, from_text, virtual_server};
use crate::checker::engine::AtExit;

const GLOBAL: &str = "global_defs {\n nftables_ipvs\n}\n";

fn group(name: &str, lines: &str) -> String {
    format!("virtual_server_group {name} {{\n {lines}\n}}\n") + &virtual_server(&format!("group {name}"), "", &[1])
}

fn web() -> String {
    GLOBAL.to_owned() + &group("web", "192.0.2.1-254 80\n 192.0.2.1-254 443")
}

fn services(rig: &mut Rig) -> Vec<ServiceKey> {
    rig.engine.director().table().keys().copied().collect()
}

fn marked(rig: &mut Rig) -> Vec<(String, u32)> {
    let ranges = &rig.engine.director().marks().0.ranges;
    let show = |range: &keepalived_kernel::marks::MarkedRange| {
        let (from, to) = range.ports;
        (format!("{}-{} {from}-{to}", range.first, range.last), range.mark)
    };
    ranges.iter().map(show).collect()
}

fn mark(mark: u32) -> ServiceKey {
    ServiceKey::Fwmark { mark, family: Family::V4 }
}

#[test]
fn a_group_is_one_service_of_its_mark() {
    let mut rig = Rig::new(&web());
    assert_eq!(services(&mut rig), [mark(1000)]);
    let expected = ["80-80", "443-443"].map(|ports| (format!("192.0.2.1-192.0.2.254 {ports}"), 1000));
    assert_eq!(marked(&mut rig), expected);
    let Marks { table, priority, counters, .. } = rig.engine.director().marks().0;
    assert_eq!((table.as_str(), *priority, *counters), ("keepalived_ipvs", -1, false));
    // its servers come and go as in any service
    assert_eq!(rig.table(), "10.0.0.1:1");
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), "");
    rig.engine.stop(AtExit::Release, rig.now);
    assert_eq!((services(&mut rig), marked(&mut rig)), (vec![], vec![]));
}

#[test]
fn the_settings_of_the_table_are_those_of_the_file() {
    let text = "global_defs {\n nftables_ipvs other\n nftables_ipvs_priority -7\n nftables_ipvs_start_fwmark 5\n nftables_counters\n}\n";
    let mut rig = Rig::new(&(text.to_owned() + &group("web", "192.0.2.1 80")));
    let marks = rig.engine.director().marks().0;
    assert_eq!((marks.table.as_str(), marks.priority, marks.counters), ("other", -7, true));
    assert_eq!(services(&mut rig), [mark(5)]);
}

#[test]
fn each_family_has_a_service_of_the_mark() {
    let text = GLOBAL.to_owned()
        + "virtual_server_group both {\n 192.0.2.1 80\n 2001:db8::1 80\n}\nvirtual_server group both {\n lvs_sched rr\n lvs_method TUN\n real_server 10.0.0.1 80 {\n }\n}\n";
    let mut rig = Rig::new(&text);
    assert_eq!(services(&mut rig), [Family::V4, Family::V6].map(|family| ServiceKey::Fwmark { mark: 1000, family }));
}

#[test]
fn groups_with_marks_and_other_virtual_servers_are_as_without_it() {
    let text = |global: &str| {
        global.to_owned() + &group("own", "192.0.2.1-2 80\n fwmark 7") + &virtual_server("192.0.2.9 80", "", &[2])
    };
    let (mut with, mut without) = (Rig::new(&text(GLOBAL)), Rig::new(&text("")));
    assert_eq!(services(&mut with), services(&mut without));
    assert_eq!(marked(&mut with), []);
    assert_eq!(without.engine.director().marks().1, 0, "nobody asked for it");
    assert_eq!(with.engine.director().marks().1, 1, "what an earlier run left goes");
}

#[test]
fn where_nothing_can_be_marked_each_address_is_a_service() {
    let mut director = FakeDirector::new();
    director.cannot_mark();
    let mut rig = Rig::on(director, &(GLOBAL.to_owned() + &group("web", "192.0.2.1-3 80")), false);
    assert_eq!(services(&mut rig).len(), 3);
    rig.engine.stop(AtExit::Release, rig.now);
    assert_eq!((services(&mut rig).len(), rig.engine.director().marks().1), (0, 0));
}

#[test]
fn marks_follow_a_reload_and_groups_keep_theirs() {
    let mut rig = Rig::new(&web());
    let text = GLOBAL.to_owned() + &group("mail", "192.0.2.7 25") + &group("web", "192.0.2.1-2 80");
    rig.engine.reload(rig.now, from_text(&text)).unwrap();
    assert_eq!(services(&mut rig), [mark(1000), mark(1001)]);
    let expected = [("192.0.2.1-192.0.2.2 80-80".to_owned(), 1000), ("192.0.2.7-192.0.2.7 25-25".to_owned(), 1001)];
    assert_eq!(marked(&mut rig), expected);
    let text = GLOBAL.to_owned() + &group("mail", "192.0.2.7 25");
    rig.engine.reload(rig.now, from_text(&text)).unwrap();
    assert_eq!(services(&mut rig), [mark(1001)]);
    assert_eq!(marked(&mut rig), expected[1..]);
    // and the process after this one goes on with the same
    let mut next = rig.succeeded(&text);
    assert_eq!(services(&mut next), [mark(1001)]);
    assert_eq!(marked(&mut next), expected[1..]);
}

#[test]
fn services_are_there_before_their_packets_are_marked() {
    // a kernel that refuses the marks has the services all the same
    let mut director = FakeDirector::new();
    director.refuse_marks(Some(1));
    let mut rig = Rig::on(director, &web(), false);
    assert_eq!((services(&mut rig), marked(&mut rig)), (vec![mark(1000)], vec![]));
    let said = rig.said();
    assert!(said.iter().any(|line| line.contains("keepalived_ipvs") && line.contains("refused")), "{said:?}");
    rig.pass(20, &[]);
    let asked = rig.engine.director().marks().1;
    assert!((3..=6).contains(&asked), "asked {asked} times in 20 s");
    assert!(!rig.said().iter().any(|line| line.contains("keepalived_ipvs")), "said once");
    rig.engine.director().refuse_marks(None);
    rig.pass(30, &[]);
    assert_eq!(marked(&mut rig).len(), 2);
    assert!(rig.said().iter().any(|line| line.contains("keepalived_ipvs")), "and when it is over");
}

#[test]
fn what_others_take_away_is_made_again_and_nobody_fights_without_pause() {
    let mut rig = Rig::new(&web());
    let (asked, lose) = (rig.engine.director().marks().1, |rig: &mut Rig| {
        rig.engine.director().lose_marks();
        rig.engine.marks_lost(rig.now);
        rig.engine.turn(rig.now);
    });
    lose(&mut rig);
    assert_eq!((marked(&mut rig).len(), rig.engine.director().marks().1), (2, asked + 1));
    assert!(rig.said().iter().any(|line| line.contains("keepalived_ipvs")));
    // once more within ten seconds: with a pause
    let since: Instant = rig.now;
    lose(&mut rig);
    assert_eq!(marked(&mut rig).len(), 0);
    rig.now = since + SECOND;
    rig.engine.turn(rig.now);
    assert_eq!(marked(&mut rig).len(), 2);
}

#[test]
fn a_group_rests_while_none_of_its_addresses_is_here() {
    let text = GLOBAL.to_owned()
        + "virtual_server_group web {\n 192.0.2.1-3 80\n}\n"
        + &virtual_server("group web", "ha_suspend", &[1]);
    let mut rig = Rig::new(&text);
    let is_suspended = |rig: &Rig| rig.engine.balancer().is_suspended(keepalived_core::balance::ServiceId(0));
    rig.engine.suspend(|_| false, rig.now);
    assert!(is_suspended(&rig));
    rig.engine.suspend(|address| address.to_string() == "192.0.2.3", rig.now);
    assert!(!is_suspended(&rig));
}
