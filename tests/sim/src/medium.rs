//! The network between the routers: which routers hear each other, and how packets fare.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use keepalived_core::vrrp::advert::{self, Message};
use keepalived_core::vrrp::announce::frame;
use keepalived_core::vrrp::authentication::hmac;
use keepalived_core::vrrp::{self, Version};
use keepalived_kernel::fake::SentAdvert;

use crate::bounds::DELAY;
use crate::disturbance::Weather;
use crate::random::Random;
use crate::setting::{Family, NodeId, Segment};

/// Two shared segments that every router is on.
#[derive(Debug, Default)]
pub struct Medium {
    /// How packets fare now.
    pub weather: Weather,
    /// Pairs of routers between which nothing passes: from, to.
    cuts: BTreeSet<(NodeId, NodeId)>,
    /// Who cannot send.
    mute: BTreeSet<NodeId>,
    /// The same as cuts, planted: the watch does not know.
    failures: BTreeSet<(NodeId, NodeId)>,
}

/// What an advert says, for those who watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Said {
    /// `virtual_router_id`
    pub vrid: u8,
    /// 0 is a farewell.
    pub priority: u8,
    /// The sender's interval.
    pub interval: Duration,
    /// Its number, if it is signed: it counts once, and not after a later one.
    pub number: Option<u64>,
}

impl Medium {
    /// Nothing passes from one to the other any more.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cuts.insert((from, to));
    }

    /// It does again.
    pub fn heal(&mut self, from: NodeId, to: NodeId) {
        self.cuts.remove(&(from, to));
    }

    /// Whether a router can send.
    pub fn set_mute(&mut self, node: NodeId, mute: bool) {
        if mute {
            self.mute.insert(node)
        } else {
            self.mute.remove(&node)
        };
    }

    /// Nothing passes from one to the other any more, though [`Medium::passes`] says so.
    pub fn fail(&mut self, from: NodeId, to: NodeId) {
        self.failures.insert((from, to));
    }

    /// Whether packets really arrive.
    pub fn carries(&self, from: NodeId, to: NodeId) -> bool {
        self.passes(from, to) && !self.failures.contains(&(from, to))
    }

    /// Whether packets are to pass from one to the other.
    pub fn passes(&self, from: NodeId, to: NodeId) -> bool {
        !self.cuts.contains(&(from, to)) && !self.mute.contains(&from)
    }

    /// When a packet's copies arrive: none if it is lost.
    pub fn copies(&self, random: &mut Random) -> Vec<Duration> {
        if random.percent(self.weather.loss) {
            return Vec::new();
        }
        let count = if random.percent(self.weather.duplication) { 2 } else { 1 };
        let least = DELAY / 10;
        (0..count).map(|_| least + random.duration(DELAY - least) + random.duration(self.weather.delay)).collect()
    }
}

/// The routers that `advert` of `from` on `segment` is for, of `nodes`.
pub fn recipients(advert: &SentAdvert, segment: Segment, from: NodeId, nodes: usize) -> Vec<NodeId> {
    let family = if advert.destination.is_ipv4() { Family::V4 } else { Family::V6 };
    let others = (0..nodes).filter(|node| *node != from);
    if advert.destination.is_multicast() {
        others.collect()
    } else {
        others.filter(|node| segment.address(*node, family) == advert.destination).collect()
    }
}

/// Reads an advert as its receivers will.
pub fn said(octets: &[u8], source: IpAddr) -> Option<Said> {
    let octets = if source.is_ipv4() { octets.get(20..)? } else { octets };
    let message = Message::decode(octets)?;
    let interval = match message.version {
        2 => Duration::from_secs(u64::from(message.seconds())),
        _ => Duration::from_millis(u64::from(message.centiseconds()) * 10),
    };
    let family = if source.is_ipv4() { vrrp::Family::V4 } else { vrrp::Family::V6 };
    let version = if message.version == 2 { Version::V2 } else { Version::V3 };
    let unsigned = advert::length_with(version, family, usize::from(message.count));
    let trailer = octets.get(unsigned..).filter(|trailer| trailer.len() == hmac::TRAILER_LENGTH);
    let number = trailer.and_then(|trailer| trailer.get(4..12)?.first_chunk());
    let number = number.map(|number| u64::from_be_bytes(*number));
    Some(Said { vrid: message.vrid, priority: message.priority, interval, number })
}

/// What the kernel of a router says to a probe for an address that it has: as RFC 826 and RFC 4861 §7.2.4 want it.
pub fn claim(of: NodeId, address: IpAddr) -> Vec<u8> {
    let mac = [2, 0xff, 0, 0, 0, u8::try_from(of).unwrap_or(u8::MAX)];
    let mut octets = Vec::new();
    match address {
        IpAddr::V4(address) => frame::gratuitous_arp(&mut octets, mac, address),
        IpAddr::V6(address) => frame::neighbour_advertisement(&mut octets, mac, address, frame::Router::No),
    }
    octets
}

/// Address that a gratuitous ARP (RFC 826) or an unsolicited NA (RFC 4861 §4.4) is about.
pub fn announced(frame: &[u8]) -> Option<IpAddr> {
    match frame.get(12..14)? {
        [0x08, 0x06] => frame.get(28..32)?.first_chunk::<4>().map(|octets| IpAddr::V4(Ipv4Addr::from(*octets))),
        [0x86, 0xdd] => frame.get(62..78)?.first_chunk::<16>().map(|octets| IpAddr::V6(Ipv6Addr::from(*octets))),
        _ => None,
    }
}
