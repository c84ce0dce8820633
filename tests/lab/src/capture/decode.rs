//! Just enough of Ethernet, ARP, IP, ICMP and VRRP to say what a lab wants to know. Written apart from `core`, so that
//! a lab does not judge our adverts by our own decoder.

use super::{Advert, Event, Garp, Kind, Mac, Na, Stamp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const VRRP: u8 = 112;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

pub(super) fn frame(at: Stamp, bytes: &[u8]) -> Option<Event> {
    let to = mac(bytes, 0)?;
    let from = mac(bytes, 6)?;
    let payload = bytes.get(14..)?;
    let kind = match (bytes.get(12)?, bytes.get(13)?) {
        (8, 6) => arp(payload)?,
        (8, 0) => ipv4(payload)?,
        (0x86, 0xdd) => ipv6(payload)?,
        _ => return None,
    };
    Some(Event { at, mac: from, to, kind })
}

fn arp(packet: &[u8]) -> Option<Kind> {
    let sender = v4(packet, 14)?;
    if sender != v4(packet, 24)? {
        return None;
    }
    let operation = short(packet, 6)?;
    Some(Kind::Garp(Garp { operation, address: sender, sender: mac(packet, 8)?, target: mac(packet, 18)? }))
}

fn ipv4(packet: &[u8]) -> Option<Kind> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    let total = usize::from(short(packet, 2)?).min(packet.len());
    let (source, destination, hops) = (v4(packet, 12)?, v4(packet, 16)?, *packet.get(8)?);
    let payload = packet.get(header..total)?;
    match *packet.get(9)? {
        VRRP => advert(payload, source, destination, hops).map(Kind::Advert),
        ICMP => echo(payload, source, 8, 0),
        _ => None,
    }
}

fn ipv6(packet: &[u8]) -> Option<Kind> {
    let (source, destination, hops) = (v6(packet, 8)?, v6(packet, 24)?, *packet.get(7)?);
    let end = (40 + usize::from(short(packet, 4)?)).min(packet.len());
    let payload = packet.get(40..end)?;
    match *packet.get(6)? {
        VRRP => advert(payload, source, destination, hops).map(Kind::Advert),
        ICMPV6 if payload.first() == Some(&136) => neighbour(payload, source, destination),
        ICMPV6 => echo(payload, source, 128, 129),
        _ => None,
    }
}

fn echo(message: &[u8], source: IpAddr, request: u8, reply: u8) -> Option<Kind> {
    let kind = *message.first()?;
    let known = kind == request || kind == reply;
    known.then_some(Kind::Echo { reply: kind == reply, source, sequence: short(message, 6)? })
}

fn neighbour(message: &[u8], source: IpAddr, destination: IpAddr) -> Option<Kind> {
    let flags = *message.get(4)?;
    Some(Kind::Na(Na {
        source,
        destination,
        target: v6(message, 8)?,
        router: flags & 0x80 != 0,
        solicited: flags & 0x40 != 0,
        overrides: flags & 0x20 != 0,
        link: if message.get(24) == Some(&2) { mac(message, 26) } else { None },
    }))
}

fn advert(message: &[u8], source: IpAddr, destination: IpAddr, hops: u8) -> Option<Advert> {
    let version = message.first()? >> 4;
    let count = usize::from(*message.get(3)?);
    let (auth_type, centis) = if version == 2 {
        (*message.get(4)?, u16::from(*message.get(5)?) * 100)
    } else {
        (0, short(message, 4)? & 0xfff)
    };
    let size = if source.is_ipv4() { 4 } else { 16 };
    let one = |index: usize| if size == 4 { v4(message, 8 + index * size) } else { v6(message, 8 + index * size) };
    Some(Advert {
        source,
        destination,
        hops,
        version,
        vrid: *message.get(1)?,
        priority: *message.get(2)?,
        centis,
        auth_type,
        auth: message.get(8 + count * size..).unwrap_or_default().to_vec(),
        addresses: (0..count).map_while(one).collect(),
    })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn mac(bytes: &[u8], at: usize) -> Option<Mac> {
    Some(Mac(bytes.get(at..at + 6)?.try_into().ok()?))
}

fn v4(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets).into())
}

fn v6(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets).into())
}
