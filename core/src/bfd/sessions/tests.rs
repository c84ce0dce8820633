use std::num::NonZeroU8;

use super::*;
use crate::bfd::types::{Diagnostic, Micros, SessionState};

fn now() -> Instant {
    Instant::from_nanos(10_000_000_000)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn settings(name: &str, neighbor: &str, source: Option<&str>) -> Settings {
    Settings {
        name: name.to_owned(),
        neighbor: address(neighbor),
        source: source.map(address),
        interface: None,
        reach: Reach::SingleHop,
        hop_limits: HopLimits { least: 255, learns_greatest: false },
        params: Params {
            min_tx: Micros::new(100_000),
            idle_tx: Micros::SECOND,
            min_rx: Micros::new(100_000),
            multiplier: NonZeroU8::new(3).unwrap(),
            passive: false,
        },
    }
}

fn table(wanted: impl IntoIterator<Item = Settings>) -> Sessions {
    let mut sessions = Sessions::new(1);
    assert!(sessions.configure(now(), wanted, &BTreeMap::new()).is_empty());
    sessions
}

fn packet(state: SessionState, yours: Option<Discriminator>) -> [u8; LENGTH] {
    ControlPacket {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        authentication: None,
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        mine: Discriminator::new(77).unwrap(),
        yours,
        desired_min_tx: Micros::new(100_000),
        required_min_rx: Micros::new(100_000),
        required_min_echo_rx: Micros::default(),
    }
    .encode()
}

fn arrival<'a>(source: &str, destination: &str, octets: &'a [u8]) -> Arrival<'a> {
    Arrival {
        source: address(source),
        destination: address(destination),
        link: LinkIndex(3),
        reach: Reach::SingleHop,
        hop_limit: 255,
        octets,
    }
}

fn id_of(sessions: &Sessions, name: &str) -> SessionId {
    sessions.ids().find(|id| sessions.settings(*id).unwrap().name == name).unwrap()
}

#[test]
fn a_first_packet_is_told_by_its_addresses() {
    let mut sessions = table([
        settings("any", "10.0.0.2", None),
        settings("from 1", "10.0.0.2", Some("10.0.0.1")),
        settings("from 9", "10.0.0.2", Some("10.0.0.9")),
    ]);
    let octets = packet(SessionState::Down, None);
    for (destination, name) in [("10.0.0.1", "from 1"), ("10.0.0.9", "from 9"), ("10.0.0.5", "any")] {
        let heard = sessions.receive(now(), &arrival("10.0.0.2", destination, &octets)).unwrap();
        assert_eq!(sessions.settings(heard.session).unwrap().name, name);
    }
    let refused = sessions.receive(now(), &arrival("10.0.0.3", "10.0.0.1", &octets));
    assert_eq!(refused, Err(Discarded::NoSession));
    let at_other_port = Arrival { reach: Reach::Multihop, ..arrival("10.0.0.2", "10.0.0.1", &octets) };
    assert_eq!(sessions.receive(now(), &at_other_port), Err(Discarded::NoSession));
}

/// RFC 5880 §6.3: once it is known only the discriminator counts.
#[test]
fn later_packets_are_told_by_the_discriminator() {
    let mut sessions = table([settings("a", "10.0.0.2", None), settings("b", "10.0.0.3", None)]);
    let b = id_of(&sessions, "b");
    let local = sessions.get(b).unwrap().local();
    let octets = packet(SessionState::Init, Some(local));
    let heard = sessions.receive(now(), &arrival("10.0.0.2", "10.0.0.1", &octets)).unwrap();
    assert_eq!((heard.session, heard.change.unwrap().to), (b, SessionState::Up));
    let unknown = Discriminator::new(local.get() ^ 1).unwrap();
    let octets = packet(SessionState::Up, Some(unknown));
    let refused = sessions.receive(now(), &arrival("10.0.0.3", "10.0.0.1", &octets));
    assert_eq!(refused, Err(Discarded::NoDiscriminator(unknown)));
    let octets = packet(SessionState::Up, Some(local));
    let at_other_port = Arrival { reach: Reach::Multihop, ..arrival("10.0.0.3", "10.0.0.1", &octets) };
    assert_eq!(sessions.receive(now(), &at_other_port), Err(Discarded::NoDiscriminator(local)));
}

/// RFC 5881 §5, RFC 5883 §5
#[test]
fn what_came_from_afar_is_discarded_and_counted() {
    let mut sessions = table([settings("a", "10.0.0.2", None)]);
    let octets = packet(SessionState::Down, None);
    let id = id_of(&sessions, "a");
    for hop_limit in [0, 1, 64, 254] {
        let far = Arrival { hop_limit, ..arrival("10.0.0.2", "10.0.0.1", &octets) };
        assert_eq!(sessions.receive(now(), &far), Err(Discarded::HopLimit(id, hop_limit, 255)));
    }
    assert_eq!(sessions.get(id).unwrap().counters().hop_limit_errors, 4);
    assert_eq!(sessions.get(id).unwrap().state(), SessionState::Down);
    sessions.receive(now(), &arrival("10.0.0.2", "10.0.0.1", &octets)).unwrap();
    assert_eq!(sessions.get(id).unwrap().state(), SessionState::Init);
}

#[test]
fn a_neighbour_that_sends_255_is_held_to_it() {
    let learns = HopLimits { least: 64, learns_greatest: true };
    let mut sessions = table([Settings { hop_limits: learns, ..settings("a", "fd00::2", None) }]);
    let octets = packet(SessionState::Down, None);
    let mut hear = |hop_limit| {
        let arrival = Arrival { hop_limit, ..arrival("fd00::2", "fd00::1", &octets) };
        sessions.receive(now(), &arrival).is_ok()
    };
    assert_eq!([63, 64, 255, 64, 254, 255].map(&mut hear), [false, true, true, false, false, true]);
}

#[test]
fn authentication_is_refused_and_counted() {
    let mut sessions = table([settings("a", "10.0.0.2", None)]);
    let mut octets = packet(SessionState::Down, None).to_vec();
    octets[1] |= 4;
    octets[3] = 28;
    octets.extend([1, 4, 1, b'x']);
    let id = id_of(&sessions, "a");
    let refused = sessions.receive(now(), &arrival("10.0.0.2", "10.0.0.1", &octets));
    assert_eq!(refused, Err(Discarded::Authentication(id, 1)));
    assert_eq!(sessions.get(id).unwrap().counters().authentication_errors, 1);
}

fn eth(number: u8) -> InterfaceName {
    InterfaceName::new(format!("eth{number}").as_bytes()).unwrap()
}

#[test]
fn a_link_local_neighbour_is_told_by_its_link() {
    let on = |name, number| Settings { interface: Some(eth(number)), ..settings(name, "fe80::2", None) };
    let mut sessions = table([on("three", 3), on("four", 4), on("missing", 6)]);
    sessions.set_interface(now(), eth(3), Some(LinkIndex(3)));
    sessions.set_interface(now(), eth(4), Some(LinkIndex(4)));
    let octets = packet(SessionState::Down, None);
    for (link, name) in [(3, "three"), (4, "four")] {
        let arrival = Arrival { link: LinkIndex(link), ..arrival("fe80::2", "fe80::1", &octets) };
        let heard = sessions.receive(now(), &arrival).unwrap();
        assert_eq!(sessions.settings(heard.session).unwrap().name, name);
    }
    let elsewhere = Arrival { link: LinkIndex(5), ..arrival("fe80::2", "fe80::1", &octets) };
    assert_eq!(sessions.receive(now(), &elsewhere), Err(Discarded::NoSession));
    // the interface is made again, and has another number
    sessions.set_interface(now(), eth(4), None);
    let four = Arrival { link: LinkIndex(4), ..arrival("fe80::2", "fe80::1", &octets) };
    assert_eq!(sessions.receive(now(), &four), Err(Discarded::NoSession));
    sessions.set_interface(now(), eth(4), Some(LinkIndex(5)));
    assert_eq!(sessions.receive(now(), &elsewhere).unwrap().session, id_of(&sessions, "four"));
}

#[test]
fn an_interface_that_is_made_again_takes_its_sessions_along() {
    let mut sessions = table([Settings { interface: Some(eth(3)), ..settings("local", "fe80::2", None) }]);
    assert_eq!(sessions.set_interface(now(), eth(3), Some(LinkIndex(3))), []);
    bring_up(&mut sessions, "local", 3);
    assert_eq!(sessions.set_interface(now(), eth(3), Some(LinkIndex(3))), [], "the same one");
    let moved = sessions.set_interface(now(), eth(3), Some(LinkIndex(9)));
    assert!(matches!(moved.as_slice(), [(_, change)] if change.diagnostic == Diagnostic::PATH_DOWN));
}

/// Brings a session up by a packet that comes through `link`.
fn bring_up(sessions: &mut Sessions, name: &str, link: u32) -> SessionId {
    let id = id_of(sessions, name);
    let (neighbor, reach) = sessions.settings(id).map(|it| (it.neighbor, it.reach)).unwrap();
    let octets = packet(SessionState::Init, Some(sessions.get(id).unwrap().local()));
    let there = Arrival { source: neighbor, link: LinkIndex(link), reach, ..arrival("::", "10.0.0.1", &octets) };
    sessions.receive(now(), &there).unwrap();
    assert_eq!(sessions.get(id).unwrap().state(), SessionState::Up);
    id
}

/// RFC 5880 §4.1 (diagnostic 5); RFC 5883 §1: the way to a neighbour behind routers is not one link.
#[test]
fn a_link_that_is_down_takes_the_sessions_along_that_are_on_it() {
    let mut sessions = table([
        settings("three", "10.0.0.2", None),
        settings("four", "10.0.0.3", None),
        Settings { reach: Reach::Multihop, ..settings("behind", "10.9.0.2", None) },
        Settings { interface: Some(eth(3)), ..settings("local", "fe80::2", None) },
    ]);
    sessions.set_interface(now(), eth(3), Some(LinkIndex(3)));
    let three = bring_up(&mut sessions, "three", 3);
    bring_up(&mut sessions, "four", 4);
    bring_up(&mut sessions, "behind", 3);
    let local = bring_up(&mut sessions, "local", 3);
    let down = sessions.link_down(now(), LinkIndex(3));
    assert_eq!(down.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [three, local]);
    for (_, change) in &down {
        assert_eq!(
            (change.from, change.to, change.diagnostic),
            (SessionState::Up, SessionState::Down, Diagnostic::PATH_DOWN)
        );
        assert!(change.is_failure());
    }
    assert_eq!(sessions.link_down(now(), LinkIndex(3)), [], "said once");
    // what the neighbour sent before it knew brings nothing up
    let octets = packet(SessionState::Up, Some(sessions.get(three).unwrap().local()));
    assert_eq!(sessions.receive(now(), &arrival("10.0.0.2", "10.0.0.1", &octets)).unwrap().change, None);
}

#[test]
fn a_session_goes_with_its_neighbour_to_another_link() {
    let mut sessions = table([settings("a", "10.0.0.2", None)]);
    let id = bring_up(&mut sessions, "a", 3);
    let octets = packet(SessionState::Up, Some(sessions.get(id).unwrap().local()));
    let there = Arrival { link: LinkIndex(4), ..arrival("10.0.0.2", "10.0.0.1", &octets) };
    sessions.receive(now(), &there).unwrap();
    assert_eq!(sessions.link_down(now(), LinkIndex(3)), []);
    assert_eq!(sessions.link_down(now(), LinkIndex(4)).len(), 1);
}

#[test]
fn a_reload_keeps_what_is_with_the_same_neighbour() {
    let mut sessions = table([settings("a", "10.0.0.2", None), settings("b", "10.0.0.3", None)]);
    let local = |sessions: &Sessions, name: &str| sessions.get(id_of(sessions, name)).unwrap().local();
    let before = local(&sessions, "b");
    let gone =
        sessions.configure(now(), [settings("c", "10.0.0.4", None), settings("b", "10.0.0.3", None)], &BTreeMap::new());
    assert_eq!((gone.len(), local(&sessions, "b")), (1, before));
    let octets = packet(SessionState::Down, None);
    assert!(sessions.receive(now(), &arrival("10.0.0.2", "10.0.0.1", &octets)).is_err(), "a is gone");
    assert!(sessions.receive(now(), &arrival("10.0.0.4", "10.0.0.1", &octets)).is_ok());
    // the same name with another neighbour is another session
    let gone = sessions.configure(now(), [settings("b", "10.0.0.9", None)], &BTreeMap::new());
    assert_eq!(gone.len(), 2);
    assert_ne!(local(&sessions, "b"), before);
}

#[test]
fn a_process_after_this_one_keeps_discriminators() {
    let mut first = table([settings("a", "10.0.0.2", None)]);
    let id = id_of(&first, "a");
    let octets = packet(SessionState::Init, Some(first.get(id).unwrap().local()));
    first.receive(now(), &arrival("10.0.0.2", "10.0.0.1", &octets)).unwrap();
    let standing = first.get(id).unwrap().standing();
    let mut second = Sessions::new(2);
    second.configure(now(), [settings("a", "10.0.0.2", None)], &BTreeMap::from([("a".to_owned(), standing)]));
    let id = id_of(&second, "a");
    assert_eq!(second.get(id).unwrap().standing(), standing);
    let (_, sent) = second.turn(now(), now(), id);
    assert_eq!(ControlPacket::decode(&sent.unwrap()).unwrap().state, SessionState::Up);
}

/// RFC 5880 §6.3 and §6.8.1
#[test]
fn discriminators_are_unique_and_differ_each_time() {
    let all = |seed| {
        let mut sessions = Sessions::new(seed);
        let wanted = (0..=255_u8).map(|last| settings(&format!("s{last}"), &format!("10.0.0.{last}"), None));
        sessions.configure(now(), wanted, &BTreeMap::new());
        sessions.ids().map(|id| sessions.get(id).unwrap().local()).collect::<std::collections::BTreeSet<_>>()
    };
    let (one, other) = (all(1), all(2));
    assert_eq!((one.len(), other.len()), (256, 256));
    assert!(one.is_disjoint(&other));
}

/// RFC 5880 §6.8.6: an echo interval, the bit of a BFD that outlives its control plane, and diagnostics without a meaning change nothing.
#[test]
fn what_we_do_not_use_is_accepted() {
    let mut sessions = table([settings("a", "10.0.0.2", None)]);
    let mut octets = packet(SessionState::Down, None);
    octets[0] |= 0x1f;
    octets[1] |= 0x08;
    octets[20..].copy_from_slice(&50_000_u32.to_be_bytes());
    let heard = sessions.receive(now(), &arrival("10.0.0.2", "10.0.0.1", &octets)).unwrap();
    assert_eq!(heard.change.unwrap().to, SessionState::Init);
    let (_, sent) = sessions.turn(now(), now(), heard.session);
    let sent = ControlPacket::decode(&sent.unwrap()).unwrap();
    assert_eq!((sent.required_min_echo_rx, sent.control_plane_independent), (Micros::default(), false));
}

/// RFC 5881 §6: where packets go is what is configured, wherever the neighbour's come from.
#[test]
fn a_neighbour_that_sends_from_another_address_stays_where_it_is_configured() {
    let mut sessions = table([settings("a", "10.0.0.2", None)]);
    let id = id_of(&sessions, "a");
    let octets = packet(SessionState::Init, Some(sessions.get(id).unwrap().local()));
    let heard = sessions.receive(now(), &arrival("192.0.2.9", "10.0.0.1", &octets)).unwrap();
    assert_eq!((heard.session, heard.change.unwrap().to), (id, SessionState::Up));
    assert_eq!(sessions.settings(id).unwrap().neighbor, address("10.0.0.2"));
}

#[test]
fn a_session_that_gets_another_name_goes_on() {
    let mut sessions = table([settings("a", "10.0.0.2", None), settings("b", "10.0.0.3", None)]);
    let local = |sessions: &Sessions, name: &str| sessions.get(id_of(sessions, name)).unwrap().local();
    let (a, b) = (local(&sessions, "a"), local(&sessions, "b"));
    let swapped = [settings("a", "10.0.0.3", None), settings("b", "10.0.0.2", None)];
    assert_eq!(sessions.configure(now(), swapped, &BTreeMap::new()), []);
    assert_eq!((local(&sessions, "a"), local(&sessions, "b")), (b, a));
    let renamed = [settings("c", "10.0.0.3", None), settings("b", "10.0.0.2", None)];
    assert_eq!(sessions.configure(now(), renamed, &BTreeMap::new()), []);
    assert_eq!(local(&sessions, "c"), b);
}

#[test]
fn the_neighbour_of_a_session_that_is_configured_no_more_is_told_so() {
    let mut sessions = table([settings("a", "10.0.0.2", None), settings("b", "10.0.0.3", None)]);
    let id = id_of(&sessions, "a");
    let octets = packet(SessionState::Init, Some(sessions.get(id).unwrap().local()));
    sessions.receive(now(), &arrival("10.0.0.2", "10.0.0.1", &octets)).unwrap();
    let mut gone = sessions.configure(now(), [], &BTreeMap::new());
    gone.sort_by_key(|gone| gone.id);
    let farewells: Vec<_> =
        gone.iter().map(|gone| gone.farewell.map(|octets| ControlPacket::decode(&octets))).collect();
    let [Some(Ok(farewell)), None] = farewells.as_slice() else { panic!("{farewells:?}") };
    assert_eq!((farewell.state, farewell.yours), (SessionState::AdminDown, Discriminator::new(77)));
    assert_eq!(farewell.diagnostic, Diagnostic::ADMINISTRATIVELY_DOWN);
}
