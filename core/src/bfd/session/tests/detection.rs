//! Silence (RFC 5880 §6.8.4).

use super::*;

/// RFC 5880 §6.8.4: the neighbour's multiplier times the larger of what we require and what it wants. Not ours.
#[test]
fn the_detection_time_is_the_neighbours() {
    for (min_rx, desired, multiplier, expected) in
        [(50, 300, 3, 900), (500, 300, 3, 1500), (50, 10, 5, 250), (50, 50, 1, 50)]
    {
        let mut rig = Rig::up(params(10, min_rx, 200));
        let heard = ControlPacket {
            desired_min_tx: millis(desired),
            detect_multiplier: NonZeroU8::new(multiplier).unwrap(),
            // the poll of our coming up is answered, so that what is configured counts
            is_final: true,
            ..packet(Up)
        };
        rig.hear(at(100), &heard);
        assert_eq!(rig.session.detection_time(), Duration::from_millis(expected));
        let end = at(100 + expected);
        while rig.session.deadline() < end {
            let now = rig.session.deadline();
            assert_eq!(rig.session.turn(now, now, &mut rig.random).change, None);
        }
        let change = rig.session.turn(end, end, &mut rig.random).change.unwrap();
        assert_eq!((change.to, change.diagnostic), (Down, Diagnostic::TIME_EXPIRED));
        assert_eq!(change.silence, Some(Duration::from_millis(expected)));
        assert_eq!(rig.session.remote().discriminator, None, "RFC 5880 §6.8.1");
        assert_eq!(rig.session.remote().required_min_rx, Micros::new(1));
    }
}

/// RFC 5880 §6.8.1: the neighbour's discriminator is forgotten in any state.
#[test]
fn a_neighbour_that_is_silent_while_the_session_is_down_is_forgotten() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.hear(at(10), &packet(AdminDown));
    assert_eq!(rig.session.state(), Down);
    rig.sent_by(at(909));
    assert!(rig.session.remote().discriminator.is_some());
    let sent = rig.sent_by(at(5000));
    assert!(rig.session.remote().discriminator.is_none());
    assert_eq!(sent.last().unwrap().1.yours, None);
}

/// Packets that this process had no time to read are no silence of the neighbour.
#[test]
fn silence_counts_until_everything_was_heard() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.final_of_neighbor(at(1));
    let late = rig.session.turn(at(5000), at(900), &mut rig.random);
    assert_eq!(late.change, None);
    assert_eq!(rig.session.turn(at(5000), at(901), &mut rig.random).change.unwrap().to, Down);
}

/// RFC 5880 §6.8.1, §6.8.18: only silence makes us forget the neighbour.
#[test]
fn who_is_heard_is_not_forgotten_while_an_administrator_keeps_us_down() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.session.administer(at(0), true);
    for turn in 1..50_u64 {
        rig.hear(at(turn * 100), &packet(Down));
        let sent = rig.sent_by(at(turn * 100));
        assert!(sent.iter().all(|(_, packet)| packet.state == AdminDown && packet.yours == Some(discriminator(7))));
    }
    assert!(rig.session.remote().discriminator.is_some());
    rig.sent_by(at(10_000));
    assert!(rig.session.remote().discriminator.is_none());
}

/// RFC 5880 §6.8.1: a detection time, whatever the state.
#[test]
fn what_was_heard_is_kept_for_a_detection_time() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.session.path_down(at(5));
    assert!(rig.sent_by(at(5)).iter().all(|(_, packet)| packet.yours == Some(discriminator(7))));
    rig.sent_by(at(899));
    assert!(rig.session.remote().discriminator.is_some());
    rig.sent_by(at(900));
    assert!(rig.session.remote().discriminator.is_none());
}

/// RFC 5880 §6.8.4: a session that waits for an answer fails, too.
#[test]
fn silence_ends_init() {
    let mut rig = Rig::new(params(100, 100, 3));
    rig.hear(at(0), &packet(Down));
    assert_eq!(rig.session.state(), Init);
    rig.sent_by(at(899));
    assert_eq!(rig.session.state(), Init);
    rig.sent_by(at(900));
    assert_eq!((rig.session.state(), rig.session.diagnostic()), (Down, Diagnostic::TIME_EXPIRED));
}

/// RFC 5880 §4.1: times at the edges of what a packet can say.
#[test]
fn the_longest_times_are_taken_as_they_are() {
    let mut rig = Rig::up(params(100, 100, 255));
    rig.final_of_neighbor(at(1));
    let longest = ControlPacket {
        desired_min_tx: Micros::new(u32::MAX),
        required_min_rx: Micros::new(u32::MAX),
        detect_multiplier: NonZeroU8::MAX,
        ..packet(Up)
    };
    rig.hear(at(2), &longest);
    assert_eq!(rig.session.detection_time(), Duration::from_micros(u64::from(u32::MAX)) * 255);
    let day = rig.sent_by(at(86_400_000));
    assert!((20..=28).contains(&day.len()), "one in 54 to 72 minutes: {}", day.len());
    assert_eq!(rig.session.state(), Up);
}
