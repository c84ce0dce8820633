//! Waiting for the master to fall silent, and following it.

use std::time::Duration;

use super::rig::{LOWER_ADDRESS, Rig, SECOND, THEIRS, packet, params, reconfigure, with_interval, words};
use crate::vrrp::cause::{Cause, State};
use crate::vrrp::params::Preempt;
use crate::vrrp::router::{Effect, Event, Group};
use crate::vrrp::types::Version;

/// Adds what was taken from a 16-bit word to the checksum, in one's complement (RFC 1624).
fn fix_checksum(octets: &mut [u8], taken: u16) {
    let field = u16::from_be_bytes([octets[6], octets[7]]);
    let (sum, carry) = field.overflowing_add(taken);
    octets[6..8].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
}

// spec: rfc9568/6.4.2-420
#[test]
fn a_farewell_shortens_the_wait_to_the_skew() {
    for preempt in [Preempt::Yes, Preempt::No] {
        let mut rig = Rig::started(params(Version::V3, 100).with(|it| it.preempt = preempt));
        rig.hear(THEIRS, 200);
        assert_eq!(rig.hear(THEIRS, 0), []);
        assert_eq!(rig.until_deadline(), Duration::from_nanos(609_375_000));
        rig.skip(rig.until_deadline());
        let effects = rig.expire();
        let Some(Effect::Transition(transition)) = effects.get(1) else { panic!("{effects:?}") };
        assert_eq!(transition.cause, Cause::MasterLeft { master: THEIRS });
    }
}

// spec: rfc9568/6.4.2-440: interval learnt, skew and down interval computed from it
#[test]
fn a_backup_goes_by_the_masters_interval() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.peer = with_interval(rig.peer.clone(), 300);
    rig.hear(THEIRS, 200);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(9 * SECOND + 1_828_125_000));
    assert_eq!(rig.router.master().map(|master| master.interval.centis().count()), Some(300));
    // a farewell teaches nothing: the skew is that of the master which leaves
    rig.peer = with_interval(rig.peer.clone(), 10);
    rig.hear(THEIRS, 0);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(1_828_125_000));
}

#[test]
fn a_backup_does_not_wait_for_a_master_that_bfd_has_lost() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.hear(THEIRS, 200);
    let patient = rig.until_deadline();
    rig.tell(Event::PathLost(LOWER_ADDRESS));
    assert_eq!(rig.until_deadline(), patient, "that router is not the master");
    // 20 ms x 156 / 256
    let promoted = Duration::from_nanos(12_187_500);
    rig.tell(Event::PathLost(THEIRS));
    assert_eq!(rig.until_deadline(), promoted);
    rig.hear(THEIRS, 200);
    assert_eq!(rig.until_deadline(), patient, "the master is heard: only BFD has lost it");
    rig.tell(Event::PathLost(THEIRS));
    rig.skip(rig.until_deadline());
    let effects = rig.expire();
    let Some(Effect::Transition(transition)) = effects.get(1) else { panic!("{effects:?}") };
    assert_eq!(transition.cause, Cause::PathLost { master: THEIRS });
    // it was a mistake: the master with the higher claim is still there
    rig.hear(THEIRS, 200);
    assert_eq!((rig.router.state(), rig.until_deadline()), (State::Backup, patient));
}

// keepalived 2.4.3 keeps a learnt interval in its timers after becoming master, unless it logs in detail
#[test]
fn a_learnt_interval_ends_with_the_backup_state() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.peer = with_interval(rig.peer.clone(), 300);
    rig.hear(THEIRS, 200);
    rig.skip(rig.until_deadline());
    rig.expire();
    assert_eq!(rig.router.state(), State::Master);
    assert!(rig.until_deadline() <= Duration::from_secs(1));
    rig.tell(Event::AddressLost);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(609_375_000), "the quick return goes by our own interval");
}

// keepalived 2.4.3 accepts an interval of 0 in version 3, which makes its master down time 0
#[test]
fn an_interval_of_zero_is_refused() {
    let mut rig = Rig::started(params(Version::V3, 100));
    let before = rig.router.next_deadline();
    let mut octets = packet(&rig.peer, THEIRS, 200);
    // the interval's 100 (0x64) is added to the checksum field instead
    (octets[4], octets[5]) = (0, 0);
    fix_checksum(&mut octets, 100);
    assert_eq!(words(&rig.hear_octets(THEIRS, 255, &octets)).len(), 1);
    assert_eq!(rig.router.counters().zero_interval_err, 1);
    assert_eq!(rig.router.next_deadline(), before);
}

// spec: rfc9568/6.4.2-450
#[test]
fn lower_adverts_are_discarded_and_the_timer_runs_on() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.skip(Duration::from_secs(1));
    let before = rig.router.next_deadline();
    assert_eq!(rig.hear(THEIRS, 99), []);
    assert_eq!(rig.router.next_deadline(), before);
    rig.skip(rig.until_deadline());
    let effects = rig.expire();
    let Some(Effect::Transition(transition)) = effects.get(1) else { panic!("{effects:?}") };
    assert_eq!(transition.cause, Cause::Preempted { master: THEIRS, priority: 99 });
}

// keepalived, observed: equal priority is accepted whatever the address
#[test]
fn equal_priority_is_followed_by_a_backup() {
    for source in [THEIRS, LOWER_ADDRESS] {
        let mut rig = Rig::started(params(Version::V3, 100));
        rig.skip(Duration::from_secs(2));
        rig.hear(source, 100);
        assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
    }
}

// spec: rfc9568/6.4.2-440 (Preempt_Mode false)
#[test]
fn nopreempt_follows_a_lower_master_for_ever() {
    let mut rig = Rig::started(params(Version::V2, 200).with(|it| it.preempt = Preempt::No));
    for _ in 0..100 {
        rig.skip(Duration::from_secs(1));
        assert_eq!(rig.expire(), []);
        rig.hear(THEIRS, 1);
    }
    assert_eq!(rig.router.state(), State::Backup);
}

// keepalived, observed: delay 3 s, master after 6 s
#[test]
fn preempt_delay_begins_with_the_first_lower_advert() {
    let mut rig = Rig::started(params(Version::V2, 200).with(|it| it.preempt = Preempt::After(Duration::from_secs(3))));
    let start = rig.now;
    while rig.router.state() == State::Backup {
        rig.skip(Duration::from_millis(100));
        rig.expire();
        if rig.router.state() == State::Backup && (rig.now.since(start).as_millis()) % 1_000 == 500 {
            rig.hear(THEIRS, 100);
        }
        assert!(rig.now.since(start) < Duration::from_secs(10));
    }
    // heard first at 0.5 s; followed until 3.5 s, last at 2.5 s; then the down time of 3.21875 s
    assert_eq!(rig.now.since(start).as_millis(), 5_800);
}

#[test]
fn preempt_delay_is_cancelled_by_an_equal_or_higher_master() {
    let mut rig = Rig::started(params(Version::V2, 100).with(|it| it.preempt = Preempt::After(Duration::from_secs(3))));
    rig.hear(THEIRS, 50);
    rig.skip(Duration::from_secs(2));
    rig.hear(THEIRS, 100);
    rig.skip(Duration::from_secs(2));
    // without the cancellation the delay would be over
    rig.hear(THEIRS, 50);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
}

// keepalived, observed: with silence the instance is master after the plain master down time
#[test]
fn preempt_delay_does_not_delay_after_silence() {
    let rig = Rig::started(params(Version::V2, 100).with(|it| it.preempt = Preempt::After(Duration::from_secs(300))));
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
}

#[test]
fn a_changed_priority_moves_the_running_timer_by_the_difference_of_skew() {
    let mut rig = Rig::started(params(Version::V2, 100));
    rig.skip(Duration::from_secs(1));
    rig.tell(reconfigure(params(Version::V2, 228)));
    assert_eq!(rig.until_deadline(), Duration::from_nanos(2 * SECOND + SECOND * 28 / 256));
}

#[test]
fn a_grouped_router_asks_and_waits_another_down_time() {
    let mut rig = Rig::started(params(Version::V2, 100));
    rig.router.set_group(Group::Mixed);
    rig.skip(rig.until_deadline());
    assert_eq!(words(&rig.expire()), ["asks"]);
    assert!(rig.router.asks_group());
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
    assert_eq!(words(&rig.tell(Event::GroupMaster)), ["advertise 100", "BACKUP to MASTER", "hold"]);
    assert_eq!(words(&rig.tell(Event::GroupBackup)), ["release", "MASTER to BACKUP"]);
}

// spec: rfc9568/6.4.2-440: without preemption a lower master is followed, in its interval
#[test]
fn a_lower_master_that_is_followed_teaches_its_interval() {
    let mut rig = Rig::started(params(Version::V3, 100).with(|it| it.preempt = Preempt::No));
    rig.peer = with_interval(rig.peer.clone(), 50);
    rig.hear(THEIRS, 1);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(SECOND * 3 / 2 + 304_687_500));
    // one that is not followed teaches nothing
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.peer = with_interval(rig.peer.clone(), 50);
    rig.hear(THEIRS, 1);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
}

/// A router of priority 200 whose timer ends while the next advert of a master of priority 100 is on its way.
fn about_to_cross() -> Rig {
    let mut rig = Rig::started(params(Version::V3, 200));
    let down_at = rig.until_deadline();
    rig.skip(down_at - Duration::from_secs(1) + Duration::from_millis(1));
    rig.hear(THEIRS, 100);
    rig.skip(Duration::from_millis(999));
    assert_eq!(rig.expire(), [], "the advert that is expected in a millisecond may pass");
    rig
}

#[test]
fn a_takeover_does_not_cross_an_advert_of_the_master_it_replaces() {
    let mut rig = about_to_cross();
    rig.skip(Duration::from_millis(1));
    rig.hear(THEIRS, 100);
    assert_eq!(rig.until_deadline(), Duration::ZERO);
    assert_eq!(words(&rig.expire()), ["advertise 200", "BACKUP to MASTER", "hold"]);
}

#[test]
fn an_advert_that_does_not_come_delays_a_takeover_by_milliseconds() {
    let mut rig = about_to_cross();
    assert_eq!(rig.until_deadline(), Duration::from_millis(4));
    rig.skip(rig.until_deadline());
    assert_eq!(rig.expire().len(), 3);
    assert_eq!(rig.router.state(), State::Master);
}
