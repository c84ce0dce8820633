//! Farewells: stop and FAULT.

use std::time::Duration;

use super::rig::{OURS, Rig, SECOND, THEIRS, params, words};
use crate::vrrp::cause::{Fault, Faults};
use crate::vrrp::params::{Params, Peer, Reach};
use crate::vrrp::router::Event;
use crate::vrrp::types::Version;

// spec: rfc9568/6.4.3-655
#[test]
fn stop_says_farewell_then_releases() {
    let mut rig = Rig::master(params(Version::V3, 100));
    assert_eq!(words(&rig.tell(Event::Stop)), ["advertise 0", "release", "MASTER to STOP"]);
    assert_eq!(rig.tell(Event::Stop), []);
    assert_eq!(rig.router.next_deadline(), None);
    let mut backup = Rig::started(params(Version::V3, 100));
    assert_eq!(words(&backup.tell(Event::Stop)), ["BACKUP to STOP"]);
}

// keepalived sends two (observed)
#[test]
fn a_master_in_fault_says_farewell_once_and_comes_back_as_backup() {
    let mut rig = Rig::master(params(Version::V3, 255));
    let faults = Faults::NONE.with(Fault::InterfaceDown);
    assert_eq!(
        words(&rig.tell(Event::Surroundings { source: Some(OURS), faults })),
        ["advertise 0", "release", "MASTER to FAULT"]
    );
    assert_eq!(rig.router.next_deadline(), None);
    assert_eq!(rig.hear(THEIRS, 100), [], "nothing is heard in FAULT");
    let over = Event::Surroundings { source: Some(OURS), faults: Faults::NONE };
    assert_eq!(words(&rig.tell(over)), ["FAULT to BACKUP"], "an owner waits, too (observed)");
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + SECOND / 256));
}

#[test]
fn a_farewell_leaves_from_the_address_that_was_lost() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.tell(Event::Surroundings { source: None, faults: Faults::NONE.with(Fault::NoSource) });
    assert_eq!(rig.router.source(), Some(OURS));
}

#[test]
fn fault_ends_when_the_last_reason_is_gone() {
    let mut rig = Rig::new(params(Version::V3, 100));
    let both = Faults::NONE.with(Fault::InterfaceDown).with(Fault::NoSource);
    rig.tell(Event::Surroundings { source: None, faults: both });
    assert_eq!(words(&rig.tell(Event::Start)), ["INIT to FAULT"]);
    assert_eq!(rig.tell(Event::Surroundings { source: None, faults: Faults::NONE.with(Fault::NoSource) }), []);
    assert_eq!(words(&rig.tell(Event::Surroundings { source: Some(OURS), faults: Faults::NONE })), ["FAULT to BACKUP"]);
}

#[test]
fn a_unicast_router_announces_its_source_after_a_fault() {
    let peers = vec![Peer { address: THEIRS, min_ttl: 0, max_ttl: 255 }];
    let reach = Reach::Unicast { peers, ttl: 255, check_source: false };
    let mut rig = Rig::new(Params { reach, ..params(Version::V3, 100) });
    rig.tell(Event::Surroundings { source: None, faults: Faults::NONE.with(Fault::InterfaceDown) });
    rig.tell(Event::Start);
    let effects = rig.tell(Event::Surroundings { source: Some(OURS), faults: Faults::NONE });
    assert_eq!(words(&effects), ["announce source", "FAULT to BACKUP"]);
}

// spec: rfc9568/6.4.3: the farewell is a master's alone
#[test]
fn a_router_in_fault_stops_without_a_word() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.tell(Event::Surroundings { source: Some(OURS), faults: Faults::NONE.with(Fault::InterfaceDown) });
    assert_eq!(words(&rig.tell(Event::Stop)), ["FAULT to STOP"]);
}
