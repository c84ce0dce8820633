//! States, reasons, and what makes a session go on (RFC 5880 §6.2, §6.8.1, §6.8.16).

use super::*;

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

/// RFC 5880 §6.3: a system may change its discriminator.
#[test]
fn a_neighbour_may_call_the_session_otherwise() {
    let mut rig = Rig::up(params(100, 100, 3));
    assert_eq!(rig.hear(at(10), &ControlPacket { mine: discriminator(8), ..packet(Up) }), None);
    assert_eq!(rig.session.state(), Up);
    assert!(rig.sent_by(at(400)).iter().all(|(_, packet)| packet.yours == Some(discriminator(8))));
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
