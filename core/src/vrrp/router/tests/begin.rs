//! The first moments of a router.

use std::time::Duration;

use super::rig::{OURS, Rig, SECOND, THEIRS, params, with_interval, words};
use crate::vrrp::cause::{Fault, Faults, State};
use crate::vrrp::counters::Counters;
use crate::vrrp::params::InitialState;
use crate::vrrp::router::Event;
use crate::vrrp::types::Version;

// spec: rfc9568/6.4.1
#[test]
fn an_owner_is_master_at_once() {
    let mut rig = Rig::new(params(Version::V3, 255));
    rig.tell(Event::Surroundings { source: Some(OURS), faults: Faults::NONE });
    assert_eq!(words(&rig.tell(Event::Start)), ["advertise 255", "INIT to MASTER", "hold"]);
}

// keepalived, observed: state MASTER with a priority below 255 waits as well
#[test]
fn everybody_else_waits_the_master_down_time() {
    for initial in [InitialState::Master, InitialState::Backup] {
        let mut rig = Rig::started(params(Version::V2, 100).with(|it| it.initial = initial));
        // RFC 3768 §6.1: 3 * 1 s + (256 - 100) / 256 s
        assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
        rig.skip(rig.until_deadline());
        assert_eq!(words(&rig.expire()), ["advertise 100", "BACKUP to MASTER", "hold"]);
    }
}

// keepalived, observed: 255 with state BACKUP waits too
#[test]
fn an_owner_that_begins_as_backup_waits() {
    let rig = Rig::started(params(Version::V3, 255).with(|it| it.initial = InitialState::Backup));
    assert_eq!(rig.router.state(), State::Backup);
}

// spec: rfc9568/6.1 (Skew_Time from the interval; the trap of Holo: centiseconds taken as seconds, skew truncated)
#[test]
fn skew_follows_the_interval_in_version_3_and_a_second_in_version_2() {
    let skew_of = |version, centis, priority| {
        let params = with_interval(params(version, priority), centis);
        Rig::started(params.clone()).until_deadline() - params.settings.interval.duration() * 3
    };
    assert_eq!(skew_of(Version::V3, 50, 100), Duration::from_nanos(304_687_500));
    assert_eq!(skew_of(Version::V3, 300, 100), Duration::from_nanos(1_828_125_000));
    assert_eq!(skew_of(Version::V3, 1, 254), Duration::from_nanos(78_125));
    assert_eq!(skew_of(Version::V2, 300, 100), Duration::from_nanos(609_375_000));
}

#[test]
fn down_timer_adverts_replaces_the_three() {
    let rig = Rig::started(params(Version::V2, 100).with(|it| it.down_adverts = 5));
    assert_eq!(rig.until_deadline(), Duration::from_nanos(5 * SECOND + 609_375_000));
}

#[test]
fn a_process_that_comes_back_goes_on_as_master() {
    let mut rig = Rig::new(params(Version::V3, 100));
    rig.tell(Event::Surroundings { source: Some(OURS), faults: Faults::NONE });
    assert_eq!(words(&rig.tell(Event::Resume)), ["advertise 100", "INIT to MASTER", "hold"]);
    let mut down = Rig::new(params(Version::V3, 100));
    down.tell(Event::Surroundings { source: None, faults: Faults::NONE.with(Fault::InterfaceDown) });
    assert_eq!(words(&down.tell(Event::Resume)), ["INIT to FAULT"]);
}

// the trap of Holo: a packet for a VRID that has not begun reaches `unreachable!`
#[test]
fn a_router_that_has_not_begun_ignores_packets() {
    let mut rig = Rig::new(params(Version::V3, 100));
    assert_eq!(rig.hear(THEIRS, 200), []);
    assert_eq!(rig.router.counters(), &Counters::default());
}
