//! When packets leave (RFC 5880 §6.8.2, §6.8.7).

use super::*;

/// RFC 5880 §6.8.1, §6.8.3 and §6.8.7: a new session.
#[test]
fn an_active_session_begins_at_once_and_says_a_second() {
    let mut rig = Rig::new(params(100, 50, 3));
    let sent = rig.sent_by(at(0));
    assert_eq!(sent.len(), 1);
    let first = sent[0].1;
    assert_eq!(
        (first.state, first.yours, first.desired_min_tx, first.required_min_rx),
        (Down, None, millis(1000), millis(50))
    );
    assert!(!first.poll && !first.is_final && !first.demand && !first.control_plane_independent);
    assert_eq!(first.required_min_echo_rx, Micros::default());
    let sent = rig.sent_by(at(10_000));
    for pair in sent.windows(2) {
        let gap = pair[1].0.since(pair[0].0);
        assert!((Duration::from_millis(750)..=Duration::from_millis(1000)).contains(&gap), "{gap:?}");
    }
    assert!((10..=14).contains(&sent.len()), "{}", sent.len());
}

#[test]
fn an_idle_interval_of_less_than_a_second_does_not_count() {
    let mut rig = Rig::new(Params { idle_tx: millis(10), ..params(100, 50, 3) });
    assert_eq!(rig.sent_by(at(0))[0].1.desired_min_tx, millis(1000));
}

/// RFC 5880 §6.8.7: a passive system waits for the neighbour.
#[test]
fn a_passive_session_says_nothing_until_it_hears() {
    let mut rig = Rig::new(Params { passive: true, ..params(100, 100, 3) });
    assert_eq!(rig.session.deadline(), Instant::FAR_FUTURE);
    rig.hear(at(5000), &packet(Down));
    assert_eq!(rig.sent_by(at(5000)).len(), 1);
    // and again when the neighbour has been silent for a detection time: 3 x 300 ms
    assert!(rig.sent_by(at(5900)).iter().all(|(when, _)| *when <= at(5900)));
    assert!(rig.sent_by(at(60_000)).is_empty());
}

/// RFC 5880 §6.8.2 and §6.8.7: the larger of what we want and what the neighbour takes, less 0 to 25 %.
#[test]
fn packets_come_as_often_as_both_sides_want() {
    for (min_tx, required, interval) in [(100, 300, 300), (400, 300, 400), (20, 10, 20)] {
        let mut rig = Rig::up(params(min_tx, 100, 3));
        let mut gaps = Vec::new();
        let mut last = None;
        for turn in 0..2000_u64 {
            let now = at(turn * 10);
            rig.hear(now, &ControlPacket { required_min_rx: millis(required), is_final: true, ..packet(Up) });
            for (when, _) in rig.sent_by(now + Duration::from_millis(9)) {
                gaps.extend(last.map(|last| when.since(last)));
                last = Some(when);
            }
        }
        let gaps = &gaps[1..];
        let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
        let interval = Duration::from_millis(interval);
        assert!(*least >= interval * 3 / 4 && *most <= interval, "{least:?} {most:?} {interval:?}");
        // it is jitter, not another interval
        assert!(*least <= interval * 4 / 5 && *most >= interval * 19 / 20, "{least:?} {most:?} {interval:?}");
    }
}

/// RFC 5880 §6.8.7: with a multiplier of 1, 75 to 90 %.
#[test]
fn where_one_packet_may_not_be_missing_jitter_is_at_least_a_tenth() {
    let mut rig = Rig::new(params(100, 100, 1));
    let sent = rig.sent_by(at(200_000));
    for pair in sent.windows(2) {
        let gap = pair[1].0.since(pair[0].0);
        assert!((Duration::from_millis(750)..=Duration::from_millis(900)).contains(&gap), "{gap:?}");
    }
}

/// RFC 5880 §6.8.7
#[test]
fn a_neighbour_that_takes_no_packets_gets_none_but_answers() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.final_of_neighbor(at(1));
    let none = ControlPacket { required_min_rx: Micros::default(), desired_min_tx: millis(10_000), ..packet(Up) };
    rig.hear(at(2), &none);
    assert!(rig.sent_by(at(20_000)).is_empty());
    rig.hear(at(20_000), &ControlPacket { poll: true, ..none });
    let sent = rig.sent_by(at(20_000));
    assert_eq!(sent.len(), 1);
    assert!(sent[0].1.is_final);
}

/// RFC 5880 §6.6 and §6.8.7: the neighbour is in demand mode.
#[test]
fn a_neighbour_in_demand_mode_gets_no_periodic_packets_while_both_are_up() {
    let mut rig = Rig::up(params(100, 100, 3));
    let demand = ControlPacket { demand: true, desired_min_tx: millis(10_000), ..packet(Up) };
    rig.hear(at(10), &demand);
    let sent = rig.sent_by(at(2000));
    assert!(!sent.is_empty() && sent.iter().all(|(_, packet)| packet.poll), "a poll sequence goes on");
    rig.hear(at(2000), &ControlPacket { is_final: true, ..demand });
    assert!(rig.sent_by(at(20_000)).is_empty());
    // it polls, and gets an answer
    rig.hear(at(20_000), &ControlPacket { poll: true, ..demand });
    assert!(
        matches!(rig.sent_by(at(20_000)).as_slice(), [(_, answer)] if answer.is_final && !answer.poll && !answer.demand)
    );
    // it is up no more
    rig.hear(at(20_001), &ControlPacket { demand: true, ..packet(Down) });
    assert!(rig.sent_by(at(22_000)).len() >= 2);
}

/// RFC 5880 §6.8.3, §6.8.18: changes on either side count at once, the longer interval, too.
#[test]
fn a_neighbour_that_takes_fewer_packets_gets_fewer_from_now_on() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.final_of_neighbor(at(1));
    let slow = ControlPacket { required_min_rx: millis(10_000), desired_min_tx: millis(10_000), ..packet(Up) };
    rig.hear(at(2), &slow);
    assert!(rig.sent_by(at(7_499)).is_empty(), "at least 75 % of its interval");
    let sent = rig.sent_by(at(10_000));
    assert_eq!(sent.len(), 1);
    // and the shorter one
    let last = sent[0].0;
    let now = last + Duration::from_millis(50);
    rig.hear(now, &ControlPacket { required_min_rx: millis(10), ..slow });
    let next = rig.sent_by(last + Duration::from_millis(100));
    assert_eq!(next.len(), 1, "100 ms is what we want");
}
