//! Who is master, what is heard and what is said.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_core::vrrp::State;
use keepalived_kernel::fake::{FakePackets, ReceivedAdvert};

use super::rig::{ETH0, MILLI, Rig, VIP, configuration, instance, ip, machine, master, one, with_addresses};
use crate::vrrp::engine::Engine;
use crate::vrrp::lifetime::AtExit;
use crate::vrrp::lower;

#[test]
fn a_master_advertises_then_holds_then_announces() {
    let mut rig = Rig::new(&one(100));
    assert!(!rig.has(VIP));
    rig.pass(Duration::from_millis(3_609));
    assert_eq!((rig.sent(51), rig.has(VIP)), (vec![], false));
    rig.pass(MILLI);
    assert_eq!((rig.sent(51), rig.has(VIP)), (vec![100], true));
    assert_eq!(rig.announced(), [Ipv4Addr::new(192, 0, 2, 100); 5]);
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.announced().len(), 5, "second burst after garp_master_delay");
}

#[test]
fn a_backup_that_hears_its_master_stays() {
    let mut rig = Rig::new(&one(100));
    for _ in 0..20 {
        rig.pass(Duration::from_secs(1));
        rig.hear(&one(200), 200);
    }
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, false));
}

// the timer never fires on a router that has unread adverts
#[test]
fn what_arrived_while_we_were_not_scheduled_is_heard_before_the_timer_fires() {
    let mut rig = Rig::new(&one(100));
    rig.now += Duration::from_secs(60);
    rig.hear(&one(200), 200);
    assert_eq!(rig.state("A"), State::Backup);
}

#[test]
fn a_master_that_stalled_may_leave_the_addresses_to_the_others() {
    for (line, state) in [
        ("", State::Master),
        ("timer_expired_backup 90", State::Backup),
        ("timer_expired_backup", State::Backup),
        ("thread_timer_expired 90", State::Backup),
    ] {
        let mut rig = Rig::new(&instance("A", 51, &format!("nopreempt\n{line}\nvirtual_ipaddress {{\n {VIP}\n }}")));
        rig.pass(Duration::from_secs(5));
        assert_eq!(rig.state("A"), State::Master, "{line}");
        rig.now += Duration::from_secs(4);
        rig.pass(MILLI);
        assert_eq!((rig.state("A"), rig.has(VIP)), (state, state == State::Master), "{line}");
    }
}

#[test]
fn a_higher_priority_takes_the_addresses_and_the_announcements_away() {
    let mut rig = master();
    rig.announced();
    rig.pass(MILLI);
    rig.hear(&one(200), 200);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, false));
    for _ in 0..10 {
        rig.pass(Duration::from_secs(1));
        rig.hear(&one(200), 200);
    }
    assert!(rig.announced().is_empty());
}

#[test]
fn stop_says_farewell_and_removes() {
    let mut rig = master();
    rig.sent(51);
    rig.stop(AtExit::Release);
    assert_eq!((rig.sent(51), rig.has(VIP), rig.has("192.0.2.1")), (vec![0], false, true));
}

#[test]
fn dont_release_vrrp_keeps_the_addresses() {
    let mut rig = master();
    rig.stop(AtExit::Keep);
    assert!(rig.has(VIP));
}

#[test]
fn ipv6_adverts_leave_from_the_link_local_address() {
    let mut rig = Rig::new(&instance("A", 51, "virtual_ipaddress {\n fe80::100/64\n 2001:db8::100/64\n }"));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    assert!(rig.packets().sent.iter().all(|advert| advert.source == ip("fe80::1") && advert.hop_limit == 255));
    let advertisements: Vec<_> = rig.packets().announced.iter().map(|frame| frame.octets[58]).collect();
    assert_eq!(advertisements, [0x20; 10], "override, and no router");
    let nodad = rig.network().addresses().filter(|address| address.flags & 2 != 0).count();
    assert_eq!(nodad, 2);
}

#[test]
fn adverts_for_unknown_vrids_are_counted() {
    let mut rig = master();
    rig.hear(&with_addresses("X", 99, 200, &["192.0.2.100/24"]), 200);
    let view = rig.engine.view(rig.now, std::time::SystemTime::UNIX_EPOCH);
    assert_eq!((view.totals.unknown_vrid, view.instances.len()), (1, 1));
    assert!(view.instances[0].addresses[0].set);
}

// the traps: lengths from the wire, an IP header taken for 20 octets, `unreachable!` on a peer's packet
#[test]
fn octets_that_are_no_advert_change_nothing() {
    let mut rig = Rig::new(&one(100));
    let due = rig.engine.turn(rig.now);
    let params = lower::params(&configuration(&one(200)).instances[0], 0);
    let (source, destination) = (ip("192.0.2.2"), ip("224.0.0.18"));
    let mut good = Vec::new();
    keepalived_core::vrrp::advert::encode(
        &mut good,
        &params,
        200,
        source,
        destination,
        1,
        keepalived_core::vrrp::Seal::None,
    );
    let truncated = (0..good.len()).map(|length| good[..length].to_vec());
    let first_octet = (0..=255).filter(|octet| *octet != 0x45).map(|octet| [&[octet], &good[1..]].concat());
    let total_length = (0..=255).filter(|octet| usize::from(*octet) != good.len()).map(|octet| {
        let mut wrong = good.clone();
        wrong[3] = octet;
        wrong
    });
    for octets in truncated.chain(first_octet).chain(total_length) {
        let received = rig.now;
        rig.packets().deliver(&ReceivedAdvert { link: ETH0, source, destination, ttl: 255, received, octets });
        rig.settle();
    }
    assert_eq!((rig.state("A"), rig.engine.turn(rig.now)), (State::Backup, due));
}

// keepalived, observed: adverts are not read until the delay ends; ours lets an owner advertise at its end
#[test]
fn until_the_routers_begin_nothing_is_heard_and_nothing_is_said() {
    let now = Instant::from_nanos(1_000_000_000_000);
    let config = configuration(&with_addresses("A", 51, 255, &["192.0.2.100/24"]));
    let engine = Engine::new(now, &config, BTreeSet::new(), machine(), FakePackets::new()).unwrap();
    let mut rig = Rig::around(engine, now);
    rig.hear(&one(100), 0);
    rig.pass(Duration::from_secs(60));
    assert_eq!((rig.state("A"), rig.sent(51), rig.has(VIP)), (State::Init, vec![], false));
    let now = rig.now;
    rig.engine.begin(now);
    rig.settle();
    assert_eq!((rig.state("A"), rig.sent(51), rig.has(VIP)), (State::Master, vec![255], true));
}

#[test]
fn a_flood_that_never_drains_keeps_no_master_from_sending() {
    let mut text = one(100);
    for vrid in 60..100 {
        text.push_str(&with_addresses(&format!("B{vrid}"), vrid, 50, &[&format!("198.51.100.{vrid}/24")]));
    }
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_millis(3_700));
    assert_eq!((rig.state("A"), rig.state("B60")), (State::Master, State::Backup));
    rig.sent(51);
    // the others' deadlines come, all at once, and more arrives than can be read
    let flood = |rig: &mut Rig| {
        for _ in 0..40_000 {
            rig.hear_only(&one(100).replace("router_id 51", "router_id 7"), 100);
        }
    };
    rig.now += Duration::from_millis(900);
    flood(&mut rig);
    rig.engine.turn(rig.now);
    assert_eq!(rig.sent(51).len(), 1, "the master's advert has left");
    assert_eq!(rig.state("B60"), State::Backup, "there may be an advert of its master among what is unread");
    rig.now += Duration::from_millis(1_001);
    flood(&mut rig);
    rig.engine.turn(rig.now);
    assert!(rig.states().iter().any(|(name, state)| name != "A" && *state == State::Master), "that has its end");
}
