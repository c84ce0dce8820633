use proptest::prelude::*;

use super::SessionState::{AdminDown, Down, Init, Up};
use super::*;

fn millis(count: u32) -> Micros {
    Micros::new(count * 1000)
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(10_000_000_000) + Duration::from_millis(millis)
}

fn params(min_tx: u32, min_rx: u32, multiplier: u8) -> Params {
    Params {
        min_tx: millis(min_tx),
        idle_tx: millis(1000),
        min_rx: millis(min_rx),
        multiplier: NonZeroU8::new(multiplier).unwrap(),
        passive: false,
    }
}

fn discriminator(number: u32) -> Discriminator {
    Discriminator::new(number).unwrap()
}

/// A packet of the neighbour, which calls the session 7 and wants 300 ms in both directions, multiplier 3.
fn packet(state: SessionState) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        authentication: None,
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        mine: discriminator(7),
        yours: Some(discriminator(1)),
        desired_min_tx: millis(300),
        required_min_rx: millis(300),
        required_min_echo_rx: Micros::default(),
    }
}

/// One session and its random numbers.
struct Rig {
    session: Session,
    random: Random,
}

impl Rig {
    fn new(params: Params) -> Self {
        Self { session: Session::new(at(0), params, discriminator(1)), random: Random::new(1) }
    }

    /// One that has come up at 0 ms, and has sent what it had to say then.
    fn up(params: Params) -> Self {
        let mut rig = Self::new(params);
        rig.session.receive(at(0), &packet(Down));
        rig.session.receive(at(0), &packet(Init));
        assert_eq!(rig.session.state(), Up);
        rig.sent_by(at(0));
        rig
    }

    /// The same with its poll answered and a packet without P sent after that, by 300 ms.
    fn settled(params: Params) -> Self {
        let mut rig = Self::up(params);
        rig.final_of_neighbor(at(1));
        assert!(rig.sent_by(at(300)).iter().any(|(_, packet)| !packet.poll));
        rig
    }

    /// What it sends until then, with the time of each; what it hears of the neighbour is nothing.
    fn sent_by(&mut self, end: Instant) -> Vec<(Instant, ControlPacket)> {
        let mut sent = Vec::new();
        while self.session.deadline() <= end {
            let now = self.session.deadline().max(at(0));
            if let Some(packet) = self.session.turn(now, now, &mut self.random).packet {
                sent.push((now, packet));
            }
        }
        sent
    }

    fn hear(&mut self, now: Instant, packet: &ControlPacket) -> Option<Change> {
        self.session.receive(now, packet)
    }

    fn final_of_neighbor(&mut self, now: Instant) {
        self.hear(now, &ControlPacket { is_final: true, ..packet(Up) });
    }
}

/// RFC 5880 §6.8.6 and the diagram of §6.2.
#[test]
fn each_state_follows_each_state_of_the_neighbour() {
    let table = [
        (Down, [Down, Init, Up, Down]),
        (Init, [Down, Init, Up, Up]),
        (Up, [Down, Down, Up, Up]),
        (AdminDown, [AdminDown, AdminDown, AdminDown, AdminDown]),
    ];
    for (before, after) in table {
        for (heard, expected) in [AdminDown, Down, Init, Up].into_iter().zip(after) {
            let mut rig = Rig::new(params(100, 100, 3));
            match before {
                AdminDown => drop(rig.session.administer(at(0), true)),
                Down => {}
                Init => drop(rig.hear(at(0), &packet(Down))),
                Up => rig = Rig::up(params(100, 100, 3)),
            }
            assert_eq!(rig.session.state(), before);
            let change = rig.hear(at(1), &packet(heard));
            assert_eq!(rig.session.state(), expected, "{before} hears {heard}");
            assert_eq!(
                change.map(|change| (change.from, change.to)),
                (before != expected).then_some((before, expected))
            );
        }
    }
}

#[test]
fn a_neighbour_that_says_down_is_the_reason() {
    let mut rig = Rig::up(params(100, 100, 3));
    let down = ControlPacket { diagnostic: Diagnostic::TIME_EXPIRED, ..packet(Down) };
    let change = rig.hear(at(50), &down).unwrap();
    assert_eq!(
        (change.diagnostic, change.remote_diagnostic),
        (Diagnostic::NEIGHBOR_SIGNALED_DOWN, Diagnostic::TIME_EXPIRED)
    );
    assert!(!change.wanted_by_neighbor);
    let said = rig.sent_by(at(50));
    assert_eq!(said.len(), 1, "it says so at once");
    assert_eq!((said[0].1.state, said[0].1.diagnostic), (Down, Diagnostic::NEIGHBOR_SIGNALED_DOWN));
}

#[test]
fn what_an_administrator_of_the_neighbour_wants_is_told_from_a_failure() {
    let mut rig = Rig::up(params(100, 100, 3));
    let change = rig.hear(at(50), &packet(AdminDown)).unwrap();
    assert_eq!((change.to, change.wanted_by_neighbor), (Down, true));
}

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

/// RFC 5880 §6.8.16
#[test]
fn an_administrator_brings_it_down_and_up() {
    let mut rig = Rig::up(params(100, 100, 3));
    let change = rig.session.administer(at(5), true).unwrap();
    assert_eq!((change.from, change.to, change.diagnostic), (Up, AdminDown, Diagnostic::ADMINISTRATIVELY_DOWN));
    let sent = rig.sent_by(at(5));
    assert_eq!((sent[0].1.state, sent[0].1.diagnostic), (AdminDown, Diagnostic::ADMINISTRATIVELY_DOWN));
    assert_eq!(rig.session.administer(at(6), true), None);
    rig.hear(at(7), &ControlPacket { poll: true, ..packet(Down) });
    assert!(rig.sent_by(at(7)).is_empty(), "what is heard is discarded");
    assert!(rig.sent_by(at(5000)).len() >= 4, "the neighbour goes on being told");
    assert_eq!(rig.session.administer(at(5000), false).unwrap().to, Down);
    rig.hear(at(5001), &packet(Down));
    assert_eq!(rig.session.state(), Init);
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

#[test]
fn an_interface_that_is_down_needs_no_detection_time() {
    let mut rig = Rig::up(params(100, 100, 3));
    let change = rig.session.path_down(at(5)).unwrap();
    assert_eq!((change.to, change.diagnostic, change.wanted_by_neighbor), (Down, Diagnostic::PATH_DOWN, false));
    assert_eq!(rig.session.path_down(at(6)), None);
}

#[test]
fn a_process_after_this_one_goes_on_with_the_session() {
    let mut first = Rig::up(params(100, 100, 3));
    first.hear(at(100), &packet(Up));
    let standing = first.session.standing();
    let mut second = Rig { session: Session::resumed(at(130), params(100, 100, 3), standing), random: Random::new(2) };
    let sent = second.sent_by(at(130));
    assert_eq!(sent.len(), 1);
    let packet_now = sent[0].1;
    assert_eq!((packet_now.state, packet_now.mine, packet_now.yours), (Up, discriminator(1), Some(discriminator(7))));
    // the neighbour is given a detection time
    assert_eq!(second.session.deadline().max(at(1029)), at(1029));
    let end = second.sent_by(at(1030));
    assert_eq!((second.session.state(), end.last().map(|_| ())), (Down, Some(())));
}

#[test]
fn a_reload_keeps_a_session_up() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.session.configure(at(10), Params { multiplier: NonZeroU8::new(9).unwrap(), ..params(100, 100, 3) });
    assert_eq!(rig.session.state(), Up);
    assert_eq!(rig.sent_by(at(10))[0].1.detect_multiplier.get(), 9);
    rig.session.configure(at(20), Params { multiplier: NonZeroU8::new(9).unwrap(), ..params(100, 100, 3) });
    assert!(rig.sent_by(at(20)).is_empty(), "nothing changed");
}

/// RFC 5880 §6.8.1: what a session knows before it has heard anything.
#[test]
fn a_new_session_has_the_values_of_the_rfc() {
    let session = Session::new(at(0), params(100, 50, 3), discriminator(1));
    assert_eq!((session.state(), session.diagnostic()), (Down, Diagnostic::NONE));
    let remote = session.remote();
    assert_eq!((remote.discriminator, remote.state, remote.demand), (None, Down, false));
    assert_eq!(remote.required_min_rx, Micros::new(1));
    assert_eq!(session.desired_min_tx(), millis(1000));
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

/// RFC 5880 §6.3: a system may change its discriminator.
#[test]
fn a_neighbour_may_call_the_session_otherwise() {
    let mut rig = Rig::up(params(100, 100, 3));
    assert_eq!(rig.hear(at(10), &ControlPacket { mine: discriminator(8), ..packet(Up) }), None);
    assert_eq!(rig.session.state(), Up);
    assert!(rig.sent_by(at(400)).iter().all(|(_, packet)| packet.yours == Some(discriminator(8))));
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

/// RFC 5880 §4.1 and §6.8.1: the reason stays until the session is up again.
#[test]
fn a_reason_is_shown_until_the_session_is_up() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.hear(at(1), &packet(Down));
    rig.hear(at(2), &packet(Down));
    assert_eq!((rig.session.state(), rig.session.diagnostic()), (Init, Diagnostic::NEIGHBOR_SIGNALED_DOWN));
    rig.hear(at(3), &packet(Init));
    assert_eq!((rig.session.state(), rig.session.diagnostic()), (Up, Diagnostic::NONE));
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

/// A packet that asks and answers at once (RFC 5880 §6.5 forbids it) gets what both deserve.
#[test]
fn poll_and_final_together_are_answered_once() {
    let mut rig = Rig::up(params(100, 100, 3));
    rig.hear(at(1), &ControlPacket { poll: true, is_final: true, ..packet(Up) });
    let sent = rig.sent_by(at(1));
    assert!(matches!(sent.as_slice(), [(_, answer)] if answer.is_final && !answer.poll));
    assert!(!rig.session.polls());
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

/// What can be done to a pair of sessions.
#[derive(Clone, Copy, Debug)]
enum Act {
    Pass(u64),
    Cut(bool),
    Lose(u8),
    Configure(bool, u32, u32, u8),
    Restart(bool),
    Resume(bool),
    Administer(bool, bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (1_u64..3000).prop_map(Act::Pass),
        2 => any::<bool>().prop_map(Act::Cut),
        1 => (0_u8..30).prop_map(Act::Lose),
        2 => (any::<bool>(), 10_u32..2000, 10_u32..2000, 2_u8..10).prop_map(|(side, tx, rx, multiplier)| Act::Configure(side, tx, rx, multiplier)),
        1 => any::<bool>().prop_map(Act::Restart),
        1 => any::<bool>().prop_map(Act::Resume),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(side, down)| Act::Administer(side, down)),
    ];
    prop::collection::vec(act, 1..40)
}

/// Two sessions and what is between them.
struct Pair {
    now: Instant,
    sides: [Session; 2],
    random: Random,
    is_cut: bool,
    loss: u8,
    /// Packets under way: when they arrive, at which side.
    flying: Vec<(Instant, usize, ControlPacket)>,
    cut_since: Instant,
    numbers: u32,
}

impl Pair {
    fn new() -> Self {
        let now = at(0);
        let side = |number| Session::new(now, params(100, 100, 3), discriminator(number));
        Self {
            now,
            sides: [side(1), side(2)],
            random: Random::new(9),
            is_cut: false,
            loss: 0,
            flying: Vec::new(),
            cut_since: now,
            numbers: 2,
        }
    }

    fn run(&mut self, length: Duration) -> Result<(), TestCaseError> {
        let end = self.now + length;
        loop {
            let wake = self.sides.iter().map(Session::deadline).chain(self.flying.iter().map(|(when, ..)| *when)).min();
            let Some(wake) = wake.filter(|wake| *wake <= end) else { break };
            self.now = wake.max(self.now);
            let now = self.now;
            self.flying.sort_by_key(|(when, ..)| *when);
            while self.flying.first().is_some_and(|(when, ..)| *when <= now) {
                let (_, side, packet) = self.flying.remove(0);
                let is_for_it = packet.yours.is_none_or(|yours| yours == self.sides[side].local());
                if is_for_it {
                    self.sides[side].receive(now, &packet);
                }
            }
            for side in 0..2 {
                if self.sides[side].deadline() > now {
                    continue;
                }
                let turn = self.sides[side].turn(now, now, &mut self.random);
                if let Some(packet) = turn.packet {
                    prop_assert!(ControlPacket::decode(&packet.encode()) == Ok(packet));
                    prop_assert!(!(packet.poll && packet.is_final));
                    let lost = self.is_cut || self.random.up_to(99) < u32::from(self.loss);
                    if !lost {
                        self.flying.push((now + Duration::from_micros(200), 1 - side, packet));
                    }
                }
            }
            self.judge()?;
        }
        self.now = end;
        self.judge()
    }

    /// A session is not up longer than its detection time after the path is gone.
    fn judge(&self) -> Result<(), TestCaseError> {
        for session in &self.sides {
            let allowed = session.detection_time() + Duration::from_millis(1);
            let dead = self.is_cut && self.now.since(self.cut_since) > allowed;
            prop_assert!(!(dead && session.state() == Up), "up {:?} after the cut", self.now.since(self.cut_since));
        }
        Ok(())
    }

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        let now = self.now;
        match act {
            Act::Pass(time) => return self.run(Duration::from_millis(time)),
            Act::Cut(is_cut) => {
                if is_cut && !self.is_cut {
                    self.cut_since = now;
                }
                self.is_cut = is_cut;
            }
            Act::Lose(percent) => self.loss = percent,
            Act::Configure(side, tx, rx, multiplier) => {
                self.sides[usize::from(side)].configure(now, params(tx, rx, multiplier));
            }
            Act::Restart(side) => {
                self.numbers += 1;
                let old = *self.sides[usize::from(side)].params();
                self.sides[usize::from(side)] = Session::new(now, old, discriminator(self.numbers));
            }
            Act::Resume(side) => {
                let old = &self.sides[usize::from(side)];
                // what was heard before the process died is not known any more
                if !self.is_cut {
                    self.sides[usize::from(side)] = Session::resumed(now, *old.params(), old.standing());
                }
            }
            Act::Administer(side, down) => drop(self.sides[usize::from(side)].administer(now, down)),
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn two_sessions_notice_a_dead_path_and_come_up_on_a_good_one(acts in acts()) {
        let mut pair = Pair::new();
        for act in acts {
            pair.act(act)?;
        }
        for side in 0..2 {
            pair.sides[side].administer(pair.now, false);
        }
        pair.act(Act::Cut(false))?;
        pair.act(Act::Lose(0))?;
        // longest detection time: 9 x 2 s; then the handshake at a second each
        pair.run(Duration::from_secs(30))?;
        prop_assert_eq!([pair.sides[0].state(), pair.sides[1].state()], [Up, Up]);
        prop_assert!(!pair.sides[0].polls() && !pair.sides[1].polls());
        let downs = [pair.sides[0].counters().downs, pair.sides[1].counters().downs];
        pair.run(Duration::from_secs(60))?;
        prop_assert_eq!([pair.sides[0].counters().downs, pair.sides[1].counters().downs], downs, "no flap on a good path");
    }
}
