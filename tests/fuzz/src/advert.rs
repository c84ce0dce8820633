//! Adverts: from a datagram of made-up octets to what a router makes of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_core::vrrp::advert::{self, Message};
use keepalived_core::vrrp::authentication::header::{self as authentication_header, PROTOCOL_AH};
use keepalived_core::vrrp::authentication::hmac::{Hmac, HmacKey, HmacMode, Replay, TRAILER_LENGTH};
use keepalived_core::vrrp::{
    Authentication, Datagram, Event, Family, Faults, Params, Password, Peer, Preempt, Reach, Router, Settings, State,
    Version, Vrid, ipv4 as header,
};

const NOW: Instant = Instant::from_nanos(1_000_000_000_000);
/// Bits of the first octet, which says what kind of router hears the rest.
const IS_V6: u8 = 0x01;
const IS_V2: u8 = 0x02;
const IS_UNICAST: u8 = 0x04;
const IS_MASTER: u8 = 0x08;
const HAS_PASSWORD: u8 = 0x10;
const IS_STRICT: u8 = 0x20;
const IS_MODEST: u8 = 0x40;
/// Makes the checksum right, so that what lies behind that check is reached.
const MENDS: u8 = 0x80;

/// One datagram for one router. The first octet says which router, the second is the TTL; the rest is what arrived:
/// over IPv4 from the IP header on, over IPv6 the message.
///
/// # Panics
/// An advert that is refused has an effect, or one that is accepted has one without measure.
pub fn advert(data: &[u8]) {
    let _ = is_heard(data);
}

/// Whether the advert was accepted.
fn is_heard(data: &[u8]) -> bool {
    let Some(([kind, ttl], octets)) = data.split_first_chunk::<2>() else { return false };
    let params = params(*kind);
    let (source, destination) = addresses(*kind);
    let mut octets = octets.to_vec();
    if kind & MENDS != 0 {
        mend(&mut octets, source, destination);
    }
    let (header, message) = match params.settings.family {
        Family::V4 => {
            header::Packet::decode(&octets).map_or((None, &[][..]), |packet| (packet.authentication, packet.payload))
        }
        Family::V6 => (None, octets.as_slice()),
    };
    if let Some(read) = Message::decode(message) {
        for family in [Family::V4, Family::V6] {
            let _ = (read.addresses(family).count(), read.authentication(family));
        }
    }

    let mut router = router(params, kind & IS_MASTER != 0);
    let (state, deadline, counted) = (router.state(), router.next_deadline(), router.counters().advert_rcvd);
    let mut effects = Vec::new();
    let datagram = Datagram { source, destination, ttl: *ttl, received: NOW, utc: Duration::ZERO, header, message };
    router.handle(NOW, Event::Datagram(&datagram), &mut effects);
    assert!(effects.len() < 10, "{effects:?}");
    let heard = router.counters().advert_rcvd > counted;
    if !heard {
        // a refused packet costs a counter and a log line
        assert_eq!((router.state(), router.next_deadline()), (state, deadline));
    }
    let longest = Duration::from_secs(256 * 256);
    assert!(router.next_deadline().is_some_and(|at| at.since(NOW) < longest));
    router.handle_timeout(NOW + Duration::from_secs(1), &mut effects);
    assert!(router.next_deadline().is_some_and(|at| at > NOW), "it goes on");
    heard
}

/// A raw IPv4 packet.
///
/// # Panics
/// What was read cannot have been in the packet.
pub fn ipv4(data: &[u8]) {
    let Some(packet) = header::Packet::decode(data) else { return };
    assert!(packet.payload.len() + header::HEADER_LENGTH <= data.len());
    let payload = u16::try_from(packet.payload.len()).expect("a packet's length has 16 bits");
    let mut again = Vec::new();
    header::encode(&mut again, packet.source, packet.destination, packet.ttl, 1, header::PROTOCOL_VRRP, payload);
    again.extend(packet.payload);
    assert_eq!(header::Packet::decode(&again), Some(header::Packet { authentication: None, ..packet }));
}

/// What a peer of that kind of router sends, as input for [`advert`].
pub fn advert_input(kind: u8, priority: u8) -> Vec<u8> {
    let (source, destination) = addresses(kind);
    let params = params(kind);
    let seal = Router::new(params.clone()).seal(Duration::ZERO).expect("the first of many numbers");
    let mut input = vec![kind, 255];
    advert::encode(&mut input, &params, priority, source, destination, 1, seal);
    input
}

fn router(params: Params, master: bool) -> Router {
    let mut router = Router::new(params);
    let mut effects = Vec::new();
    let (_, own) =
        addresses(if router.params().settings.family == Family::V6 { IS_V6 | IS_UNICAST } else { IS_UNICAST });
    router.handle(NOW, Event::Surroundings { source: Some(own), faults: Faults::NONE }, &mut effects);
    router.handle(NOW, if master { Event::Resume } else { Event::Start }, &mut effects);
    assert_eq!(router.state(), if master { State::Master } else { State::Backup });
    router
}

/// Who sends, and to what address.
fn addresses(kind: u8) -> (IpAddr, IpAddr) {
    let v6 = |host: u16| IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host));
    match (kind & IS_V6 != 0, kind & IS_UNICAST != 0) {
        (true, true) => (v6(2), v6(1)),
        (true, false) => (v6(2), IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12))),
        (false, true) => (Ipv4Addr::new(192, 0, 2, 2).into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (false, false) => (Ipv4Addr::new(192, 0, 2, 2).into(), Ipv4Addr::new(224, 0, 0, 18).into()),
    }
}

fn params(kind: u8) -> Params {
    let version = if kind & IS_V2 != 0 { Version::V2 } else { Version::V3 };
    let (source, destination) = addresses(kind);
    let peers = vec![Peer { address: source, min_ttl: 0, max_ttl: 255 }];
    let vip = if kind & IS_V6 != 0 {
        IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100))
    } else {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100))
    };
    let family = if kind & IS_V6 != 0 { Family::V6 } else { Family::V4 };
    let settings = Settings {
        preempt: if kind & IS_MODEST != 0 { Preempt::No } else { Preempt::Yes },
        strict: kind & IS_STRICT != 0,
        lower_prio_no_advert: kind & IS_MODEST != 0,
        higher_prio_send_advert: kind & IS_STRICT != 0,
        ..Settings::new(Vrid::new(51).expect("not zero"), version, family)
    };
    let is_strict = kind & IS_STRICT != 0;
    Params {
        settings,
        reach: if kind & IS_UNICAST != 0 {
            Reach::Unicast { peers, ttl: 255, check_source: true }
        } else {
            Reach::Multicast(destination)
        },
        addresses: vec![vip],
        // a password has a place in the packet of version 2 over IPv4 only; the configuration sees to that
        authentication: match kind & (HAS_PASSWORD | IS_V2 | IS_V6) {
            kind if kind & HAS_PASSWORD == 0 => Authentication::None,
            kind if kind != HAS_PASSWORD | IS_V2 => Authentication::Hmac(Box::new(hmac())),
            _ if is_strict => Authentication::Header(Password::truncated(b"secret")),
            _ => Authentication::Password(Password::truncated(b"secret")),
        },
        phase: 0,
    }
}

/// Believes adverts without trailer, too, so that what lies behind is reached.
fn hmac() -> Hmac {
    let keys = vec![HmacKey { id: 1, secret: vec![7; 32] }];
    Hmac { keys, active: 1, replay: Replay::Monotonic, mode: HmacMode::Permissive }
}

/// Puts the checksum in that makes the message right.
fn mend(octets: &mut [u8], source: IpAddr, destination: IpAddr) {
    let (start, pseudo) = match (source, destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            (0, [source.octets().as_slice(), &destination.octets(), &[0, header::PROTOCOL_VRRP]].concat())
        }
        // the form without pseudo-header serves both versions
        _ if octets.get(9) == Some(&PROTOCOL_AH) => (header::HEADER_LENGTH + authentication_header::LENGTH, Vec::new()),
        _ => (header::HEADER_LENGTH, Vec::new()),
    };
    let Some(message) = octets.get_mut(start..) else { return };
    // over IPv4 the checksum does not cover a trailer
    let plain = match *message {
        [first, _, _, count, ..] if start > 0 => 8 + 4 * usize::from(count) + if first >> 4 == 2 { 8 } else { 0 },
        _ => message.len(),
    };
    let plain = if message.len() == plain + TRAILER_LENGTH { plain } else { message.len() };
    let message = message.get_mut(..plain).unwrap_or_default();
    let Some(field) = message.get_mut(6..8) else { return };
    field.fill(0);
    let length = if start == 0 { u64::try_from(message.len()).unwrap_or(0) } else { 0 };
    let words = pseudo.chunks(2).chain(message.chunks(2)).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(u16::from_be_bytes([high, 0])),
        _ => 0,
    });
    let mut total = words.sum::<u64>() + length;
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    let checksum = !u16::try_from(total).expect("folded above");
    if let Some(field) = message.get_mut(6..8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // or the targets would look at refusals only
    #[test]
    fn what_a_peer_sends_is_heard_also_with_a_mended_checksum() {
        for kind in 0..=u8::MAX {
            assert!(is_heard(&advert_input(kind, 100)), "{kind:#x}");
            let mut input = advert_input(kind, 100);
            *input.last_mut().unwrap() ^= 1;
            assert_eq!(is_heard(&input), kind & MENDS != 0 && kind & HAS_PASSWORD == 0, "{kind:#x}");
        }
    }
}
