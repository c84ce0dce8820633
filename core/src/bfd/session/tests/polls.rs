//! Poll sequences and what they ask for (RFC 5880 §6.5, §6.8.3).

use super::*;

/// RFC 5880 §6.5 and §6.8.7: an answer at once, with F and without P, whatever the timers say.
#[test]
fn a_poll_is_answered_at_once() {
    let mut rig = Rig::up(params(100, 100, 3));
    assert!(rig.session.polls());
    rig.hear(at(3), &ControlPacket { poll: true, ..packet(Up) });
    let sent = rig.sent_by(at(3));
    assert!(matches!(sent.as_slice(), [(when, answer)] if *when == at(3) && answer.is_final && !answer.poll));
    // the periodic packet is not put off by it
    assert!(!rig.sent_by(at(303)).is_empty());
}

#[test]
fn polls_without_end_get_answers_with_an_end() {
    let mut rig = Rig::up(params(100, 100, 3));
    let mut answers = 0;
    for turn in 0..10_000_u64 {
        let now = at(0) + Duration::from_micros(turn * 100);
        rig.hear(now, &ControlPacket { poll: true, ..packet(Up) });
        answers += rig.sent_by(now).iter().filter(|(_, packet)| packet.is_final).count();
    }
    // a second: 8 at once and one each 100 ms
    assert!((10..=20).contains(&answers), "{answers}");
}

/// RFC 5880 §6.8.3: coming up changes what we want, so that the neighbour is polled; observed with keepalived as well.
#[test]
fn coming_up_polls_until_the_answer() {
    let mut rig = Rig::new(params(100, 100, 3));
    rig.hear(at(0), &packet(Down));
    rig.hear(at(5), &packet(Init));
    let sent = rig.sent_by(at(800));
    assert!(sent.len() >= 2 && sent.iter().all(|(_, packet)| packet.poll && packet.desired_min_tx == millis(100)));
    rig.final_of_neighbor(at(800));
    let sent = rig.sent_by(at(1600));
    assert!(sent.len() >= 2 && sent.iter().all(|(_, packet)| !packet.poll));
}

/// RFC 5880 §6.8.3: we do not send less often before the neighbour knows.
#[test]
fn a_longer_interval_waits_for_the_answer() {
    let mut rig = Rig::settled(params(300, 100, 3));
    rig.session.configure(at(310), params(900, 100, 3));
    assert_eq!(rig.session.tx_interval(), millis(300));
    let sent = rig.sent_by(at(310));
    assert!(
        matches!(sent.as_slice(), [(_, packet)] if packet.poll && packet.desired_min_tx == millis(900)),
        "{sent:?}"
    );
    rig.final_of_neighbor(at(320));
    assert_eq!(rig.session.tx_interval(), millis(900));
}

/// RFC 5880 §6.8.3: we do not miss the neighbour before it knows that it has to send more often.
#[test]
fn a_shorter_detection_time_waits_for_the_answer() {
    let mut rig = Rig::settled(params(300, 800, 3));
    rig.session.configure(at(310), params(300, 100, 3));
    assert_eq!(rig.session.detection_time(), Duration::from_millis(2400));
    assert!(rig.sent_by(at(310))[0].1.poll);
    rig.final_of_neighbor(at(320));
    assert_eq!(rig.session.detection_time(), Duration::from_millis(900));
    // the other way it counts at once
    rig.session.configure(at(330), params(300, 800, 3));
    assert_eq!(rig.session.detection_time(), Duration::from_millis(2400));
}

/// RFC 5880 §6.5: F may be the answer to a packet before the second change.
#[test]
fn a_change_during_a_poll_sequence_gets_one_of_its_own() {
    let mut rig = Rig::settled(params(300, 100, 3));
    rig.session.configure(at(310), params(600, 100, 3));
    rig.sent_by(at(310));
    rig.session.configure(at(311), params(900, 100, 3));
    rig.final_of_neighbor(at(312));
    assert_eq!(rig.session.tx_interval(), millis(300), "the answer was to 600 ms");
    let sent = rig.sent_by(at(1150));
    assert!(!sent[0].1.poll, "a packet without P parts the two sequences");
    assert!(sent.len() >= 3 && sent[1..].iter().all(|(_, packet)| packet.poll));
    rig.final_of_neighbor(at(1150));
    assert_eq!(rig.session.tx_interval(), millis(900));
}

/// RFC 5880 §6.8.7: a limit of answers is no slower than the interval that they show.
#[test]
fn answers_come_as_often_as_the_packets_say() {
    let mut rig = Rig::new(Params { min_tx: millis(10_000), ..params(100, 100, 3) });
    let mut answers = Vec::new();
    for turn in 0..500_u64 {
        let now = at(turn * 20);
        rig.hear(now, &ControlPacket { poll: true, ..packet(AdminDown) });
        answers.extend(rig.sent_by(now).into_iter().filter(|(_, packet)| packet.is_final));
    }
    assert!(answers.iter().all(|(_, packet)| packet.desired_min_tx == millis(1000)));
    // 8 at once, then one each second
    assert!((15..=20).contains(&answers.len()), "{}", answers.len());
}

/// RFC 5880 §6.8.3: F may come twice, for two packets of the sequence that it ended.
#[test]
fn two_poll_sequences_are_parted_by_a_packet_without_poll() {
    let mut rig = Rig::up(params(300, 100, 3));
    rig.final_of_neighbor(at(1));
    rig.session.configure(at(2), params(600, 100, 3));
    rig.final_of_neighbor(at(2));
    assert_eq!(rig.session.tx_interval(), millis(300), "a late answer");
    let sent = rig.sent_by(at(850));
    assert!(!sent[0].1.poll && sent.len() > 1 && sent[1..].iter().all(|(_, packet)| packet.poll), "{sent:?}");
    rig.final_of_neighbor(at(850));
    assert_eq!(rig.session.tx_interval(), millis(600));
}

/// RFC 5880 §6.8.6: F ends a sequence that is being sent, no other.
#[test]
fn what_was_not_asked_yet_is_not_answered() {
    let mut rig = Rig::settled(params(300, 100, 3));
    rig.session.configure(at(301), params(600, 100, 3));
    rig.final_of_neighbor(at(301));
    assert_eq!(rig.session.tx_interval(), millis(300));
    assert!(rig.sent_by(at(301))[0].1.poll);
    rig.final_of_neighbor(at(302));
    assert_eq!(rig.session.tx_interval(), millis(600));
}

/// RFC 5880 §6.6: whatever packets say otherwise than before.
#[test]
fn a_neighbour_in_demand_mode_is_polled_about_every_change() {
    let mut rig = Rig::up(params(100, 100, 3));
    let demand = ControlPacket { demand: true, desired_min_tx: millis(10_000), ..packet(Up) };
    rig.hear(at(1), &ControlPacket { is_final: true, ..demand });
    assert!(rig.sent_by(at(2000)).is_empty());
    let nine = Params { multiplier: NonZeroU8::new(9).unwrap(), ..params(100, 100, 3) };
    rig.session.configure(at(2000), nine);
    let sent = rig.sent_by(at(4000));
    assert!(sent.len() >= 4, "until the answer: {}", sent.len());
    assert!(sent.iter().all(|(_, packet)| packet.poll && packet.detect_multiplier.get() == 9), "{sent:?}");
    rig.hear(at(4000), &ControlPacket { is_final: true, ..demand });
    assert!(rig.sent_by(at(6000)).is_empty());
    // it calls the session otherwise, which our packets say as well
    rig.hear(at(6000), &ControlPacket { mine: discriminator(8), ..demand });
    let sent = rig.sent_by(at(7000));
    assert!(sent.len() >= 4 && sent.iter().all(|(_, packet)| packet.poll && packet.yours == Some(discriminator(8))));
}

/// A packet that asks and answers at once (RFC 5880 §6.5 forbids it) gets what both deserve.
#[test]
fn poll_and_final_together_are_answered_once() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.hear(at(1), &ControlPacket { poll: true, is_final: true, ..packet(Up) });
    let sent = rig.sent_by(at(1));
    assert!(matches!(sent.as_slice(), [(_, answer)] if answer.is_final && !answer.poll));
    assert!(!rig.session.polls());
}
