//! What people are told.

use std::net::IpAddr;
use std::time::Duration;

use super::rig::{LOWER_ADDRESS, OURS, Rig, THEIRS, packet, params, reconfigure, with_interval, words};
use crate::time::Instant;
use crate::vrrp::cause::State;
use crate::vrrp::note::Note;
use crate::vrrp::params::{ChecksumForm, Params};
use crate::vrrp::receive::Refusal;
use crate::vrrp::router::Effect;
use crate::vrrp::types::Version;

#[test]
fn each_kind_of_refusal_is_noted_once_until_the_state_changes() {
    let mut rig = Rig::started(params(Version::V3, 100));
    let octets = packet(&rig.peer, THEIRS, 200);
    let note = Effect::Note(Note::Refused { source: THEIRS, refusal: Refusal::Ttl(254) });
    assert_eq!(rig.hear_octets(THEIRS, 254, &octets), [note]);
    assert_eq!(rig.hear_octets(THEIRS, 253, &octets), []);
    rig.skip(rig.until_deadline());
    rig.expire();
    assert_eq!(rig.hear_octets(THEIRS, 254, &octets).len(), 1);
    assert_eq!(rig.router.counters().ip_ttl_err, 3);
}

// spec: rfc9568/8.3.2: a second owner is logged
#[test]
fn two_owners_are_noted_and_the_lower_address_yields() {
    let mut rig = Rig::started(params(Version::V3, 255));
    rig.skip(Duration::from_millis(10));
    assert_eq!(words(&rig.hear(THEIRS, 255)), ["note", "release", "MASTER to BACKUP"].map(String::from));
    let mut other = Rig::started(params(Version::V3, 255));
    other.skip(Duration::from_millis(10));
    let effects = other.hear(LOWER_ADDRESS, 255);
    assert!(matches!(effects.first(), Some(Effect::Note(Note::SecondOwner { .. }))), "{effects:?}");
    assert_eq!(other.router.state(), State::Master);
}

#[test]
fn our_own_advert_from_our_own_address_is_a_warning_only() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.skip(Duration::from_millis(10));
    let effects = rig.hear(OURS, 100);
    assert_eq!(effects, [Effect::Note(Note::OwnAddress { source: OURS })]);
}

// spec: rfc9568/7.1: a different interval should be logged, at a bounded rate
#[test]
fn what_differs_in_an_accepted_advert_is_noted_and_then_known() {
    let mut rig = Rig::started(params(Version::V3, 100));
    let peer = with_interval(rig.peer.clone(), 200);
    let theirs = peer.settings.interval;
    let addresses = [peer.addresses.clone(), vec![OURS]].concat();
    rig.peer = Params { addresses, ..peer.with(|it| it.checksum = ChecksumForm::Plain) };
    assert_eq!(
        rig.hear(THEIRS, 200),
        [
            Effect::Note(Note::ChecksumForm { source: THEIRS, theirs: ChecksumForm::Plain }),
            Effect::Note(Note::AddressesDiffer { source: THEIRS }),
            Effect::Note(Note::IntervalDiffers { source: THEIRS, theirs }),
        ]
    );
    for _ in 0..10 {
        assert_eq!(rig.hear(THEIRS, 200), []);
    }
    assert_eq!((rig.router.counters().addr_list_err, rig.router.counters().checksum_plain), (11, 11));
}

// keepalived, observed: claims are compared whatever the address; an equal one from an equal address is a warning only
#[test]
fn routers_that_share_a_source_address_yield_to_the_higher_priority() {
    let mut lower = Rig::master(params(Version::V3, 100));
    lower.skip(Duration::from_millis(10));
    assert_eq!(words(&lower.hear(OURS, 250)), ["release", "MASTER to BACKUP"].map(String::from));
    assert_eq!(lower.router.master().map(|master| master.address), Some(OURS));
    let mut higher = Rig::master(params(Version::V3, 100));
    higher.skip(Duration::from_millis(10));
    assert!(matches!(higher.hear(OURS, 99)[..], [Effect::Note(_), Effect::Advertise { priority: 100 }, ..]));
    assert_eq!(words(&higher.hear(OURS, 0)), ["advertise 100"]);
    let mut backup = Rig::started(params(Version::V3, 100));
    backup.hear(OURS, 250);
    assert_eq!(backup.router.master().map(|master| master.address), Some(OURS));
}

// RFC 9568 §6.4.3 does not think of it: a network may return to us what we sent before our priority fell
#[test]
fn what_we_may_have_sent_ourselves_makes_no_master_yield() {
    let mut rig = Rig::master(params(Version::V3, 200));
    for priority in [150, 100] {
        rig.tell(reconfigure(params(Version::V3, priority)));
        rig.skip(Duration::from_secs(1));
        rig.expire();
        rig.skip(Duration::from_millis(10));
        assert!(rig.hear(OURS, 200).iter().all(|effect| matches!(effect, Effect::Note(Note::OwnAddress { .. }))));
        assert_eq!(rig.router.state(), State::Master);
    }
    // what is heard after three intervals is not ours any more
    rig.skip(Duration::from_secs(3));
    rig.expire();
    rig.skip(Duration::from_millis(10));
    rig.hear(OURS, 200);
    assert_eq!(rig.router.state(), State::Backup);
    // nor is more than we ever said
    let mut rig = Rig::master(params(Version::V3, 200));
    rig.tell(reconfigure(params(Version::V3, 100)));
    rig.skip(Duration::from_millis(10));
    rig.hear(OURS, 201);
    assert_eq!(rig.router.state(), State::Backup);
}

// the way out is another VRID, not the same addresses
#[test]
fn a_router_without_any_address_of_ours_is_called_another_virtual_router() {
    let mut rig = Rig::started(params(Version::V3, 100));
    let ours = rig.peer.addresses.clone();
    let four: Vec<IpAddr> = (1..=4).map(|last| IpAddr::from([203, 0, 113, last])).collect();
    rig.peer.addresses = four.clone();
    let vrid = rig.peer.settings.vrid;
    let note = Note::OtherRouter { source: THEIRS, vrid, addresses: four[..3].to_vec() };
    let text = note.to_string();
    assert!(text.contains("VRID 51") && text.contains("203.0.113.1") && text.contains("another virtual_router_id"));
    assert_eq!(rig.hear(THEIRS, 200), [Effect::Note(note)]);
    // one address in common, or none at all, is a list to be put right
    for addresses in [[four, ours].concat(), vec![]] {
        let mut rig = Rig::started(params(Version::V3, 100));
        rig.peer.addresses = addresses;
        assert_eq!(rig.hear(THEIRS, 200), [Effect::Note(Note::AddressesDiffer { source: THEIRS })]);
    }
}

/// The time of silence after which a router of priority 100 with an interval of a second takes over: RFC 9568 §6.1.
const DOWN: Duration = Duration::from_nanos(3_609_375_000);

/// Bounds of what `seconds` of any packets may cause: takeovers, and lines for people.
fn bounds(time: Duration) -> (usize, usize) {
    let takeovers = 10 + usize::try_from(time.as_nanos() / DOWN.as_nanos()).unwrap() + 1;
    // each is left again; notes are of few kinds, each three times and then once in ten seconds
    let notes = 8 * (4 + usize::try_from(time.as_secs() / 10).unwrap());
    (takeovers, 2 * takeovers + 2 + notes)
}

/// Lets deadlines fire up to `until`.
fn run(rig: &mut Rig, until: Instant, out: &mut Vec<Effect>) {
    while let Some(at) = rig.router.next_deadline().filter(|at| *at <= until) {
        rig.now = rig.now.max(at);
        out.extend(rig.expire());
    }
    rig.now = until;
}

fn lines(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Transition(_) | Effect::Note(_))).count()
}

fn takeovers(effects: &[Effect]) -> usize {
    let to_master =
        |effect: &&Effect| matches!(effect, Effect::Transition(transition) if transition.to == State::Master);
    effects.iter().filter(to_master).count()
}

// 25,876 lines and 32,060 gratuitous ARPs in six seconds, when it was not bounded
#[test]
fn a_sender_that_alternates_between_250_and_0_makes_us_master_no_oftener_than_silence_could() {
    let mut rig = Rig::started(params(Version::V3, 100));
    // its own interval of 10 ms makes our skew 6 ms
    rig.peer = with_interval(rig.peer.clone(), 1);
    let (start, mut effects) = (rig.now, Vec::new());
    for step in 0..6_000 {
        let until = start + Duration::from_millis(step * 10);
        run(&mut rig, until, &mut effects);
        effects.extend(rig.hear(THEIRS, if step % 2 == 0 { 250 } else { 0 }));
    }
    let (most, most_lines) = bounds(Duration::from_secs(60));
    assert!((10..=most).contains(&takeovers(&effects)), "{}", takeovers(&effects));
    assert!(lines(&effects) <= most_lines, "{}", lines(&effects));
    let rounds: u32 =
        effects.iter().map(|effect| if let Effect::Announce { rounds } = effect { *rounds } else { 0 }).sum();
    assert!(rounds <= 5 * u32::try_from(most).unwrap(), "{rounds}");
}

proptest::proptest! {
    #[test]
    fn any_packets_cause_a_bounded_number_of_lines_in_time(
        steps in proptest::collection::vec((0_u64..50, 0_usize..6, proptest::bool::ANY, proptest::bool::ANY), 1..800)
    ) {
        let mut rig = Rig::started(params(Version::V3, 100));
        let (slow, fast) = (rig.peer.clone(), with_interval(rig.peer.clone(), 1));
        let (start, mut effects) = (rig.now, Vec::new());
        for (gap, priority, is_fast, other) in steps {
            let until = rig.now + Duration::from_millis(gap);
            run(&mut rig, until, &mut effects);
            rig.peer = if is_fast { fast.clone() } else { slow.clone() };
            let source = if other { LOWER_ADDRESS } else { THEIRS };
            effects.extend(rig.hear(source, [0, 1, 100, 101, 250, 255][priority]));
        }
        let (most, most_lines) = bounds(rig.now.since(start));
        proptest::prop_assert!(takeovers(&effects) <= most, "{} takeovers", takeovers(&effects));
        proptest::prop_assert!(lines(&effects) <= most_lines, "{} lines", lines(&effects));
    }
}
