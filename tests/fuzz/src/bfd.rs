//! BFD: packets of made-up octets for a table of sessions, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use keepalived_core::bfd::{
    Arrival, ControlPacket, Diagnostic, Discriminator, HopLimits, Micros, Params, Reach, SessionId, SessionState,
    Sessions, Settings,
};
use keepalived_core::network::LinkIndex;
use keepalived_core::time::Instant;

const START: Instant = Instant::from_nanos(1_000_000_000_000);
/// Sessions of the table: IPv4, the same passive, several hops, IPv6.
const COUNT: usize = 4;
/// Our interval; what is sent out of turn comes no faster.
const INTERVAL: Duration = Duration::from_millis(100);
/// Each step begins with so many octets: what it does, the TTL, the time before it in 10 ms, the length of the packet.
const STEP: usize = 4;
/// Bits of the first: whose packet it is.
const WHO: u8 = 0x03;
/// It comes from an address that no session has.
const IS_STRANGER: u8 = 0x04;
/// Your Discriminator becomes that of the session in the bits above.
const KNOWS_US: u8 = 0x08;
/// What is no packet: an administrator, other times, the path.
const IS_OTHER: u8 = 0xc0;

/// Steps one after the other; see [`bfd_input`].
///
/// # Panics
/// A session came up without a packet that had its discriminator, sent more than its time allows, or did not come to rest.
pub fn bfd(data: &[u8]) {
    let _ = run(data);
}

/// The states of the sessions at the end.
fn run(data: &[u8]) -> Vec<SessionState> {
    let mut sessions = Sessions::new(7);
    sessions.configure(START, (0..COUNT).map(|place| settings(place, 100)), &BTreeMap::new());
    let (mut now, mut rest) = (START, data);
    let mut known = BTreeSet::new();
    let mut sent = [0_u128; COUNT];
    // other times fill the bucket of packets out of turn
    let mut reloads = 0;
    rounds(&mut sessions, now, &mut sent);
    while let Some(([what, hop_limit, gap, length], following)) = rest.split_first_chunk::<STEP>() {
        let (octets, following) = following.split_at(usize::from(*length).min(following.len()));
        rest = following;
        let end = now + Duration::from_millis(10) * u32::from(*gap);
        while let Some(at) = next(&sessions).filter(|at| *at <= end) {
            now = at.max(now);
            rounds(&mut sessions, now, &mut sent);
        }
        now = end;
        let place = usize::from(what & WHO);
        if what & IS_OTHER == IS_OTHER {
            reloads += 1;
            other(&mut sessions, now, *what, SessionId(place));
        } else {
            let mut octets = octets.to_vec();
            let whose = SessionId(usize::from(what >> 4 & WHO));
            let local = sessions.get(whose).map(keepalived_core::bfd::Session::local);
            if let (true, Some(field), Some(local)) = (what & KNOWS_US != 0, octets.get_mut(8..12), local) {
                field.copy_from_slice(&local.get().to_be_bytes());
            }
            known.extend(octets.get(8..12).and_then(<[u8]>::first_chunk).map(|octets| u32::from_be_bytes(*octets)));
            hear(&mut sessions, now, place, what & IS_STRANGER != 0, *hop_limit, &octets);
        }
        rounds(&mut sessions, now, &mut sent);
        for id in sessions.ids() {
            let Some(session) = sessions.get(id) else { continue };
            assert!(session.state() != SessionState::Up || known.contains(&session.local().get()), "up unasked");
        }
    }
    let pauses = now.since(START).as_nanos() / INTERVAL.as_nanos();
    // periodic packets come up to a quarter early, and others are 8 at once and then one in each interval
    let most = 12 + pauses + pauses * 4 / 3 + 8 * reloads;
    assert!(sent.iter().all(|sent| *sent <= most), "{sent:?} packets, {most} allowed");
    sessions.ids().filter_map(|id| sessions.get(id)).map(keepalived_core::bfd::Session::state).collect()
}

fn hear(sessions: &mut Sessions, now: Instant, place: usize, is_strange: bool, hop_limit: u8, octets: &[u8]) {
    let settings = settings(place, 100);
    let source = if is_strange { IpAddr::from([192, 0, 2, 99]) } else { settings.neighbor };
    let Some(destination) = settings.source else { return };
    let arrival = Arrival { source, destination, link: LinkIndex(2), reach: settings.reach, hop_limit, octets };
    let _ = sessions.receive(now, &arrival);
}

fn other(sessions: &mut Sessions, now: Instant, what: u8, id: SessionId) {
    let kind = what >> 2 & 7;
    if kind == 7 {
        let gone = sessions.configure(now, (0..COUNT).map(|place| settings(place, 100)), &BTreeMap::new());
        assert!(gone.is_empty());
        return;
    }
    let Some(session) = sessions.get_mut(id) else { return };
    let params = *session.params();
    match kind {
        0 => drop(session.administer(now, true)),
        1 => drop(session.administer(now, false)),
        2 => drop(session.path_down(now)),
        3 => session.configure(now, Params { multiplier: NonZeroU8::MAX, ..params }),
        4 => session.configure(now, settings(id.0, 500).params),
        5 => session.configure(now, Params { min_rx: Micros::new(20_000), ..params }),
        _ => session.repeat(now),
    }
}

fn next(sessions: &Sessions) -> Option<Instant> {
    sessions.ids().filter_map(|id| sessions.get(id)).map(keepalived_core::bfd::Session::deadline).min()
}

/// Lets everything happen that is due. A session comes to rest after a packet of each kind.
fn rounds(sessions: &mut Sessions, now: Instant, sent: &mut [u128; COUNT]) {
    for (id, sent) in (0..COUNT).map(SessionId).zip(sent) {
        for _ in 0..4 {
            if sessions.get(id).is_none_or(|session| session.deadline() > now) {
                break;
            }
            let (_, octets) = sessions.turn(now, now, id);
            if let Some(octets) = octets {
                *sent += 1;
                let packet = ControlPacket::decode(&octets).expect("we send what may be taken");
                assert!(!(packet.demand || packet.poll && packet.is_final) && packet.authentication.is_none());
            }
        }
        assert!(sessions.get(id).is_none_or(|session| session.deadline() > now), "no rest");
    }
}

fn settings(place: usize, millis: u32) -> Settings {
    let v6 = |host: u16| IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host));
    let v4 = |host: u8| IpAddr::V4(Ipv4Addr::new(192, 0, 2, host));
    let (neighbor, source) = if place == 3 { (v6(2), v6(1)) } else { (v4(2), v4(1)) };
    let neighbor = if place == 1 { v4(3) } else { neighbor };
    Settings {
        name: format!("B{place}"),
        neighbor,
        source: Some(source),
        interface: None,
        reach: if place == 2 { Reach::Multihop } else { Reach::SingleHop },
        hop_limits: HopLimits { least: if place == 2 { 250 } else { 255 }, learns_greatest: place == 3 },
        params: Params {
            min_tx: Micros::new(millis * 1000),
            idle_tx: Micros::SECOND,
            min_rx: Micros::new(50_000),
            multiplier: NonZeroU8::new(3).unwrap_or(NonZeroU8::MIN),
            passive: place == 1,
        },
    }
}

/// What a neighbour of one session says that comes up, goes on, and does what `kind` says then. Input for [`bfd`].
pub fn bfd_input(who: u8, kind: u8) -> Vec<u8> {
    use SessionState::{AdminDown, Down, Init, Up};
    let who = who & WHO;
    let mut input = Vec::new();
    let mut say = |what: u8, gap: u8, packet: ControlPacket| {
        input.extend([what, 255, gap, 24]);
        input.extend(packet.encode());
    };
    let knows = who | KNOWS_US | who << 4;
    let plain = packet(Down);
    say(who, 5, plain);
    say(knows, 1, packet(Init));
    say(knows, 9, packet(Up));
    let last = match kind {
        0 => packet(Up),
        1 => packet(Down),
        2 => packet(AdminDown),
        3 => ControlPacket { poll: true, ..packet(Up) },
        4 => ControlPacket { is_final: true, ..packet(Up) },
        5 => ControlPacket { demand: true, is_final: true, ..packet(Up) },
        6 => ControlPacket { required_min_rx: Micros::new(0), ..packet(Up) },
        _ => ControlPacket {
            desired_min_tx: Micros::new(u32::MAX),
            required_min_rx: Micros::new(u32::MAX),
            detect_multiplier: NonZeroU8::MAX,
            ..packet(Up)
        },
    };
    say(knows, 10, last);
    say(knows, 100, ControlPacket { poll: true, ..last });
    // everything that is no packet
    for what in 0..8_u8 {
        input.extend([IS_OTHER | what << 2 | who, 0, 7, 0]);
    }
    input
}

fn packet(state: SessionState) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        authentication: None,
        detect_multiplier: NonZeroU8::new(3).unwrap_or(NonZeroU8::MIN),
        mine: Discriminator::new(77).expect("not zero"),
        yours: None,
        desired_min_tx: Micros::new(100_000),
        required_min_rx: Micros::new(100_000),
        required_min_echo_rx: Micros::new(0),
    }
}

#[cfg(test)]
mod tests {
    use keepalived_core::bfd::control::LENGTH;

    use super::*;

    // or the target would look at refusals only
    #[test]
    fn what_a_neighbour_says_brings_each_session_up() {
        for who in 0..4_u8 {
            let input = bfd_input(who, 0);
            let until_up = &input[..3 * (STEP + LENGTH)];
            assert_eq!(run(until_up)[usize::from(who)], SessionState::Up, "{who}");
            let mut ignorant = until_up.to_vec();
            for step in 0..3 {
                ignorant[step * (STEP + LENGTH)] = who;
            }
            assert_ne!(run(&ignorant)[usize::from(who)], SessionState::Up, "{who}");
        }
    }
}
