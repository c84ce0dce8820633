//! Advertising, answering, yielding.

use std::time::Duration;

use super::rig::{LOWER_ADDRESS, MILLI, Rig, SECOND, THEIRS, packet, params, reconfigure, with_interval, words};
use crate::time::Instant;
use crate::vrrp::cause::State;
use crate::vrrp::params::{Params, Preempt};
use crate::vrrp::router::{Effect, Event};
use crate::vrrp::types::{Priority, Version};

// spec: rfc9568/6.4.3-700
#[test]
fn a_master_answers_a_farewell_with_an_advert_and_stays() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.skip(Duration::from_millis(10));
    assert_eq!(words(&rig.hear(THEIRS, 0)), ["advertise 100"]);
}

// spec: rfc9568/6.4.3-725
#[test]
fn a_master_yields_to_a_higher_claim() {
    for (source, priority) in [(LOWER_ADDRESS, 101), (THEIRS, 101), (THEIRS, 100)] {
        let mut rig = Rig::master(params(Version::V3, 100));
        rig.skip(Duration::from_millis(10));
        assert_eq!(words(&rig.hear(source, priority)), ["release", "MASTER to BACKUP"], "{source} {priority}");
        assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
        assert_eq!(rig.router.master().map(|master| master.address), Some(source));
    }
}

#[test]
fn a_master_that_yields_learns_the_interval() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.peer = with_interval(rig.peer.clone(), 200);
    rig.skip(Duration::from_millis(10));
    rig.hear(THEIRS, 200);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(6 * SECOND + 1_218_750_000));
}

#[test]
fn higher_prio_send_advert_sends_a_last_one() {
    let mut rig = Rig::master(params(Version::V3, 100).with(|it| it.higher_prio_send_advert = true));
    rig.skip(Duration::from_millis(10));
    assert_eq!(words(&rig.hear(THEIRS, 200)), ["advertise 100", "release", "MASTER to BACKUP"]);
}

// spec: rfc9568/6.4.3-760: discard and send an advert at once
#[test]
fn a_master_answers_a_lower_claim() {
    for (source, priority) in [(THEIRS, 99), (LOWER_ADDRESS, 100)] {
        let mut rig = Rig::master(params(Version::V3, 100));
        rig.skip(Duration::from_millis(10));
        let note = format!("note: {source} is master too, with the lower claim (priority {priority})");
        let words = words(&rig.hear(source, priority));
        assert_eq!(words, [note.split(':').next().unwrap(), "advertise 100", "announce 5"], "{source} {priority}");
        assert_eq!(rig.router.state(), State::Master);
    }
}

#[test]
fn lower_prio_no_advert_is_silent() {
    let mut rig = Rig::master(params(Version::V3, 100).with(|it| it.lower_prio_no_advert = true));
    rig.skip(Duration::from_millis(10));
    assert!(!words(&rig.hear(THEIRS, 99)).contains(&"advertise 100".into()));
}

#[test]
fn a_flood_of_lower_claims_is_answered_once_an_interval_with_announcements() {
    let mut rig = Rig::master(params(Version::V3, 100));
    let mut bursts = 0;
    for _ in 0..1_000 {
        rig.skip(Duration::from_millis(1));
        bursts += words(&rig.hear(THEIRS, 99)).iter().filter(|word| word.starts_with("announce")).count();
    }
    assert_eq!(bursts, 1);
}

#[test]
fn an_advert_that_was_received_before_our_last_needs_no_answer() {
    let mut rig = Rig::master(params(Version::V3, 100));
    let before = Instant::from_nanos(rig.now.as_nanos() - MILLI);
    let octets = packet(&rig.peer, THEIRS, 99);
    assert_eq!(words(&rig.hear_at(before, THEIRS, 255, &octets)), ["note"]);
}

// keepalived 2.4.3: every packet for the VRID restarts its master's advert timer, even a rejected one
#[test]
fn no_packet_moves_a_masters_advert_timer() {
    let mut rig = Rig::master(params(Version::V3, 100));
    let due = rig.router.next_deadline();
    let good = packet(&rig.peer, THEIRS, 99);
    let mut bad = good.clone();
    bad[6] ^= 0xff;
    for _ in 0..50 {
        rig.skip(Duration::from_millis(1));
        rig.hear_octets(THEIRS, 255, &bad);
        rig.hear_octets(THEIRS, 64, &good);
        rig.hear_octets(THEIRS, 255, &[0x31]);
        rig.hear_octets(THEIRS, 255, &good);
    }
    assert_eq!(rig.router.next_deadline(), due);
    let counters = rig.router.counters();
    assert_eq!(
        (counters.checksum_err, counters.ip_ttl_err, counters.packet_len_err, counters.advert_rcvd),
        (50, 50, 50, 50)
    );
}

#[test]
fn adverts_keep_their_phase() {
    let mut rig = Rig::master(Params { phase: 16_384, ..params(Version::V3, 100) });
    for _ in 0..5 {
        let due = rig.router.next_deadline().unwrap();
        assert_eq!(due.as_nanos() % SECOND, SECOND / 4);
        assert!(rig.until_deadline() <= Duration::from_secs(1));
        // a wake-up that is a little late does not shift the next
        rig.now = due + Duration::from_millis(3);
        assert_eq!(words(&rig.expire()).first().map(String::as_str), Some("advertise 100"));
    }
}

#[test]
fn a_stall_is_not_made_up_for_by_a_series_of_adverts() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.skip(Duration::from_secs(10));
    rig.expire();
    assert!(rig.router.next_deadline().unwrap() > rig.now);
}

// keepalived 2.4.3 (timer_expired_backup): three intervals and the skew of the highest other priority after the last advert
#[test]
fn a_master_that_was_not_scheduled_may_leave_the_addresses_to_who_took_over() {
    let takeover = Duration::from_secs(3) + Duration::from_secs(1) * (256 - 200) / 256;
    for (other, late, state) in [
        (None, Duration::from_secs(60), State::Master),
        (Some(200), takeover - Duration::from_millis(1), State::Master),
        (Some(200), takeover, State::Backup),
    ] {
        for hears in [false, true] {
            let params = params(Version::V3, 100).with(|it| {
                it.preempt = Preempt::No;
                it.timer_expired_backup = other.and_then(Priority::new);
            });
            let mut rig = Rig::master(params);
            rig.skip(late);
            // the one that took over has the lower priority: a master that answered it would take the addresses back
            let effects = if hears { rig.hear(THEIRS, 50) } else { rig.expire() };
            assert_eq!(rig.router.state(), state, "{other:?} {late:?} {hears}");
            if state == State::Backup {
                assert_eq!(words(&effects), ["release", "MASTER to BACKUP"]);
                assert_eq!(rig.router.master().map(|master| master.address), hears.then_some(THEIRS));
            }
        }
    }
}

// keepalived 2.4.3: a second series of refreshes after each return to master, none of them cancelled
#[test]
fn announcements_end_with_the_master_state_and_do_not_add_up() {
    let mut params = params(Version::V3, 100);
    params.settings.garp.refresh = Duration::from_secs(10);
    let mut rig = Rig::master(params);
    for _ in 0..3 {
        rig.tell(Event::InPlace);
        rig.skip(Duration::from_millis(10));
        rig.hear(THEIRS, 200);
        assert_eq!(rig.tell(Event::InPlace), [], "what comes late is nothing to a backup");
        rig.skip(rig.until_deadline());
        rig.expire();
    }
    assert_eq!(words(&rig.tell(Event::InPlace)), ["announce 5"]);
    let begin = rig.now;
    let mut announced = Vec::new();
    while rig.now.since(begin) < Duration::from_secs(36) {
        rig.skip(rig.until_deadline());
        for effect in rig.expire() {
            if let Effect::Announce { rounds } = effect {
                announced.push((rig.now.since(begin).as_secs(), rounds));
            }
        }
    }
    // second burst after 5 s, refreshes every 10 s from then on
    assert_eq!(announced, [(5, 5), (15, 1), (25, 1), (35, 1)]);
}

// keepalived, observed: a master stays master whatever its priority becomes
#[test]
fn a_reconfigured_master_advertises_at_once() {
    let mut rig = Rig::master(params(Version::V2, 100));
    assert_eq!(words(&rig.tell(reconfigure(params(Version::V2, 50)))), ["advertise 50", "hold"]);
    assert_eq!(rig.router.state(), State::Master);
}

// spec: rfc3768/6.4.3, rfc9568/6.4.3: an owner is no exception
#[test]
fn an_owner_answers_a_lower_claim_and_stays() {
    let mut rig = Rig::started(params(Version::V3, 255));
    rig.skip(Duration::from_millis(10));
    assert_eq!(words(&rig.hear(THEIRS, 254))[1..], ["advertise 255", "announce 5"]);
    assert_eq!(rig.router.state(), State::Master);
}
