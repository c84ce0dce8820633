//! One suite for every [`Packets`]: raw sockets over a veth pair and the fake.

#![cfg(test)]

mod lab;

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::network::LinkIndex;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::announce::frame::{Router, gratuitous_arp, neighbour_advertisement};
use keepalived_core::vrrp::duplicate::frame::{advertisement_claim, arp_claim, probe};
use keepalived_core::vrrp::duplicate::{Claim, Mac};
use keepalived_core::vrrp::{Family, ipv4};
use keepalived_kernel::fake::{FakePackets, FakeSockets, ReceivedAdvert};
use keepalived_kernel::links_lock;
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::Network;
use keepalived_kernel::packets::{
    BufferSize, Channel, ChannelId, ChannelKind, Frame, Listen, Outgoing, Overheard, Packets, Sockets,
};
use keepalived_kernel::process::NetworkNamespace;
use keepalived_kernel::reactor::now;
use keepalived_kernel::sockets::{Pair, RawSockets};

/// Two machines on one wire.
trait Wire {
    type Packets: Packets;
    /// Left and right, with the link of each.
    fn end(&mut self, side: Side) -> (&mut Self::Packets, LinkIndex);
    /// Opens in the network of that side.
    fn open(&mut self, side: Side, channel: &Channel) -> ChannelId;
    /// Lets everything that was sent arrive.
    fn carry(&mut self);
    /// Pulls the cable of both.
    fn cut(&mut self);
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Left,
    Right,
}

const BUFFER: BufferSize = BufferSize(1024 * 1024);

struct FakeWire {
    left: FakePackets,
    right: FakePackets,
}

const FAKE_LINK: LinkIndex = LinkIndex(7);

impl Wire for FakeWire {
    type Packets = FakePackets;

    fn end(&mut self, side: Side) -> (&mut FakePackets, LinkIndex) {
        match side {
            Side::Left => (&mut self.left, FAKE_LINK),
            Side::Right => (&mut self.right, FAKE_LINK),
        }
    }

    fn open(&mut self, side: Side, channel: &Channel) -> ChannelId {
        let sockets = FakeSockets::make(channel, BUFFER).unwrap();
        self.end(side).0.open(channel, sockets).unwrap()
    }

    fn carry(&mut self) {
        for (from, to) in [(&mut self.left, &mut self.right)] {
            for sent in from.sent.drain(..) {
                to.deliver(&ReceivedAdvert {
                    link: FAKE_LINK,
                    source: sent.source,
                    destination: sent.destination,
                    ttl: sent.hop_limit,
                    received: now(),
                    octets: sent.octets,
                });
            }
            for frame in from.announced.drain(..).chain(from.probed.drain(..)) {
                to.say(frame);
            }
        }
    }

    fn cut(&mut self) {
        self.left.fail_link(FAKE_LINK, Some(libc::ENETDOWN));
    }
}

struct RealWire {
    home: NetworkNamespace,
    far: NetworkNamespace,
    left: (RawSockets, LinkIndex),
    right: (RawSockets, LinkIndex),
}

fn index_of(name: &str) -> LinkIndex {
    let links = Rtnetlink::open(BUFFER).unwrap().inventory().unwrap().links;
    links.iter().find(|link| link.name.as_bytes() == name.as_bytes()).unwrap().index
}

impl RealWire {
    fn new() -> Option<Self> {
        let far = lab::fresh_namespace()?;
        let right_sockets = RawSockets::new().unwrap();
        let home = lab::fresh_namespace()?;
        lab::ip("link add left type veth peer name right");
        let pid = std::process::id();
        // by descriptor: the namespaces have no names
        let number = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&far));
        lab::ip(&format!("link set right netns /proc/{pid}/fd/{number}"));
        let bring_up = |name: &str, v4: &str, v6: &str| {
            lab::ip(&format!("address add {v4}/24 dev {name}"));
            lab::ip(&format!("address add {v6}/64 dev {name} nodad"));
            lab::ip(&format!("link set {name} up"));
            index_of(name)
        };
        let left = bring_up("left", "192.0.2.1", "fe80::1");
        far.enter().unwrap();
        let right = bring_up("right", "192.0.2.2", "fe80::2");
        home.enter().unwrap();
        // IPv6 waits for the carrier
        std::thread::sleep(Duration::from_millis(300));
        Some(Self { home, far, left: (RawSockets::new().unwrap(), left), right: (right_sockets, right) })
    }
}

impl Wire for RealWire {
    type Packets = RawSockets;

    fn end(&mut self, side: Side) -> (&mut RawSockets, LinkIndex) {
        let (sockets, link) = match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        };
        (sockets, *link)
    }

    fn open(&mut self, side: Side, channel: &Channel) -> ChannelId {
        if side == Side::Right {
            self.far.enter().unwrap();
        }
        let sockets = Pair::make(channel, BUFFER);
        self.home.enter().unwrap();
        self.end(side).0.open(channel, sockets.unwrap()).unwrap()
    }

    fn carry(&mut self) {
        // a veth delivers before the sender's call returns, or at the next soft interrupt
        std::thread::sleep(Duration::from_millis(20));
    }

    fn cut(&mut self) {
        lab::ip("link set left down");
    }
}

fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => "224.0.0.18".parse().unwrap(),
        Family::V6 => "ff02::12".parse().unwrap(),
    }
}

fn ends(family: Family) -> (IpAddr, IpAddr) {
    match family {
        Family::V4 => ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()),
        Family::V6 => ("fe80::1".parse().unwrap(), "fe80::2".parse().unwrap()),
    }
}

/// A packet as `Outgoing` wants it, whose VRID is `mark`.
fn advert(family: Family, source: IpAddr, destination: IpAddr, mark: u8) -> Vec<u8> {
    let vrrp = [0x31, mark, 100, 1, 0, 100, 0, 0, 192, 0, 2, 10];
    match (family, source, destination) {
        (Family::V4, IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut packet = vec![0x45, 0xc0, 0, 32, 0, 1, 0, 0, 255, 112, 0, 0];
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(vrrp);
            packet
        }
        _ => vrrp.to_vec(),
    }
}

/// What was heard: mark, source, destination, TTL, link, when.
type Heard = Vec<(u8, IpAddr, IpAddr, u8, LinkIndex, Instant)>;

fn hear(packets: &mut impl Packets, family: Family, channel: ChannelId, limit: usize) -> (Heard, bool) {
    let mut heard = Vec::new();
    let all = packets.receive(limit, &mut |incoming| {
        assert_eq!(incoming.channel, channel);
        let message = match family {
            Family::V4 => &incoming.octets[20..],
            Family::V6 => incoming.octets,
        };
        assert_eq!((message.len(), message[0]), (12, 0x31));
        let (source, destination) = (incoming.source, incoming.destination);
        heard.push((message[1], source, destination, incoming.ttl, incoming.link, incoming.received));
    });
    (heard, all)
}

fn send<P: Packets>(
    packets: &mut P,
    family: Family,
    channel: ChannelId,
    to: IpAddr,
    marks: &[u8],
) -> Vec<(usize, i32)> {
    let source = ends(family).0;
    let octets: Vec<_> = marks.iter().map(|mark| advert(family, source, to, *mark)).collect();
    let outgoing: Vec<_> =
        octets.iter().map(|octets| Outgoing { channel, destination: to, source, hop_limit: 255, octets }).collect();
    let mut failed = Vec::new();
    packets.send(&outgoing, &mut failed);
    failed
}

fn suite<W: Wire>(wire: &mut W) {
    for family in [Family::V4, Family::V6] {
        for multicast in [true, false] {
            adverts_arrive_in_order_with_their_circumstances(wire, family, multicast);
        }
        a_closed_channel_sends_and_hears_nothing(wire, family);
    }
    what_a_channel_is_not_for_it_does_not_hear(wire);
    a_channel_of_any_address_hears_no_group(wire);
    neighbours_are_overheard_while_somebody_listens(wire);
    a_link_that_is_down_is_told_for_each_advert(wire);
}

fn channels<W: Wire>(wire: &mut W, family: Family, multicast: bool) -> (ChannelId, ChannelId, IpAddr) {
    let (left, right) = ends(family);
    let mut open = |side, local| {
        let link = Some(wire.end(side).1);
        let kind = match multicast {
            true => ChannelKind::Multicast { group: group(family) },
            false => ChannelKind::Unicast { local },
        };
        wire.open(side, &Channel { family, link, kind, protocol: ipv4::PROTOCOL_VRRP })
    };
    (open(Side::Left, left), open(Side::Right, right), if multicast { group(family) } else { right })
}

fn adverts_arrive_in_order_with_their_circumstances<W: Wire>(wire: &mut W, family: Family, multicast: bool) {
    let (left, right, to) = channels(wire, family, multicast);
    let before = now();
    // more than go into one system call
    let marks: Vec<u8> = (1..=200).collect();
    assert_eq!(send(wire.end(Side::Left).0, family, left, to, &marks), []);
    wire.carry();
    let (sockets, link) = wire.end(Side::Right);
    let (mut heard, all) = hear(sockets, family, right, 150);
    assert_eq!((heard.len(), all), (150, false));
    let (rest, all) = hear(sockets, family, right, 1000);
    assert!(all);
    heard.extend(rest);
    assert_eq!(heard.iter().map(|it| it.0).collect::<Vec<_>>(), marks);
    for (_, source, destination, ttl, on, received) in heard {
        assert_eq!((source, destination, ttl, on), (ends(family).0, to, 255, link));
        assert!(received >= before && received <= now(), "{before:?} <= {received:?} <= {:?}", now());
    }
    assert_eq!(hear(sockets, family, right, 10), (vec![], true));
    let (own, _) = wire.end(Side::Left);
    assert_eq!(hear(own, family, left, 10), (vec![], true), "a router does not hear itself");
    assert!(own.close(left).is_some() && wire.end(Side::Right).0.close(right).is_some());
}

fn a_closed_channel_sends_and_hears_nothing<W: Wire>(wire: &mut W, family: Family) {
    let (left, right, to) = channels(wire, family, true);
    let source = ends(family).0;
    let octets = advert(family, source, to, 9);
    let one = Outgoing { channel: left, destination: to, source, hop_limit: 255, octets: &octets };
    let closed = Outgoing { channel: ChannelId(4_000_000), ..one };
    let mut failed = Vec::new();
    wire.end(Side::Left).0.send(&[one, closed, closed, one], &mut failed);
    assert_eq!(failed, [(1, libc::EBADF), (2, libc::EBADF)]);
    wire.carry();
    let sockets = wire.end(Side::Right).0;
    assert_eq!(hear(sockets, family, right, 10).0.len(), 2);
    assert!(sockets.close(right).is_some() && sockets.close(right).is_none());
    wire.end(Side::Left).0.send(&[one], &mut failed);
    wire.carry();
    assert_eq!(hear(wire.end(Side::Right).0, family, right, 10), (vec![], true));
    wire.end(Side::Left).0.close(left);
}

fn a_channel_of_any_address_hears_no_group<W: Wire>(wire: &mut W) {
    let family = Family::V6;
    let (left, in_group, group) = channels(wire, family, true);
    let kind = ChannelKind::Unicast { local: "::".parse().unwrap() };
    let link = Some(wire.end(Side::Right).1);
    let any = wire.open(Side::Right, &Channel { family, link, kind, protocol: ipv4::PROTOCOL_VRRP });
    for (mark, to) in [(1, group), (2, ends(family).1)] {
        assert_eq!(send(wire.end(Side::Left).0, family, left, to, &[mark]), []);
    }
    wire.carry();
    let mut heard = Vec::new();
    let sockets = wire.end(Side::Right).0;
    assert!(sockets.receive(10, &mut |incoming| heard.push((incoming.octets[1], incoming.channel))));
    heard.sort_unstable();
    assert_eq!(heard, [(1, in_group), (2, any)]);
    for channel in [in_group, any] {
        sockets.close(channel);
    }
    wire.end(Side::Left).0.close(left);
}

fn what_a_channel_is_not_for_it_does_not_hear<W: Wire>(wire: &mut W) {
    let family = Family::V4;
    let (group_left, group_right, group) = channels(wire, family, true);
    let (unicast_left, unicast_right, right) = channels(wire, family, false);
    assert_eq!(send(wire.end(Side::Left).0, family, group_left, group, &[1]), []);
    wire.carry();
    assert_eq!(hear(wire.end(Side::Right).0, family, group_right, 10).0.len(), 1);
    assert_eq!(send(wire.end(Side::Left).0, family, unicast_left, right, &[2]), []);
    wire.carry();
    assert_eq!(hear(wire.end(Side::Right).0, family, unicast_right, 10).0.len(), 1);
    for (side, ids) in [(Side::Left, [group_left, unicast_left]), (Side::Right, [group_right, unicast_right])] {
        ids.into_iter().for_each(|id| drop(wire.end(side).0.close(id)));
    }
}

/// Who claims addresses in the tests; the kernels at both ends talk, too.
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// What that machine claims; `link` is where.
fn claims(packets: &mut impl Packets, limit: usize, link: LinkIndex) -> (Vec<Claim>, bool) {
    let mut claims = Vec::new();
    let all = packets.overhear(limit, &mut |overheard| {
        let (on, claim) = match overheard {
            Overheard::Arp { link, octets } => (link, arp_claim(octets)),
            Overheard::Advertisement { link, octets } => (link, advertisement_claim(octets)),
        };
        assert_eq!(on, link);
        claims.extend(claim.filter(|claim| claim.holder == Mac(MAC)));
    });
    (claims, all)
}

fn neighbours_are_overheard_while_somebody_listens<W: Wire>(wire: &mut W) {
    let say = |wire: &mut W, count: u8| {
        let (left, link) = wire.end(Side::Left);
        let mut frames = Vec::new();
        for last in 0..count {
            let mut write = |write: &dyn Fn(&mut Vec<u8>)| {
                let mut octets = Vec::new();
                write(&mut octets);
                frames.push(octets);
            };
            write(&|octets| gratuitous_arp(octets, MAC, [192, 0, 2, last].into()));
            write(&|octets| {
                neighbour_advertisement(octets, MAC, [0xfe80, 0, 0, 0, 0, 0, 7, last.into()].into(), Router::No)
            });
            // asks, and claims nothing
            write(&|octets| probe(octets, MAC, [192, 0, 2, last].into()));
            write(&|octets| probe(octets, MAC, [0xfe80, 0, 0, 0, 0, 0, 7, last.into()].into()));
        }
        let frames: Vec<_> = frames.iter().map(|octets| Frame { link, octets }).collect();
        let mut failed = Vec::new();
        left.announce(&frames, &mut failed);
        assert_eq!(failed, []);
        wire.carry();
    };
    say(wire, 1);
    let (right, link) = wire.end(Side::Right);
    assert_eq!(claims(right, 10, link), (vec![], true));
    right.listen(Listen::Yes);
    wire.end(Side::Left).0.listen(Listen::Yes);
    say(wire, 20);
    let (right, link) = wire.end(Side::Right);
    let (mut heard, mut all) = claims(right, 8, link);
    assert!(!all && heard.len() < 40);
    while !all {
        let (more, rest) = claims(right, 8, link);
        heard.extend(more);
        all = rest;
    }
    let mut addresses: Vec<_> = heard.iter().map(|claim| claim.address).collect();
    addresses.sort_unstable();
    let expected = (0..20).map(|last| IpAddr::from([192, 0, 2, last]));
    let expected: Vec<_> = expected.chain((0..20).map(|last| IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 7, last]))).collect();
    assert_eq!(addresses, expected);
    // nobody overhears itself
    let (left, link) = wire.end(Side::Left);
    assert_eq!(claims(left, 100, link), (vec![], true));
    left.listen(Listen::No);
    // what was kept is thrown away
    say(wire, 20);
    let (right, link) = wire.end(Side::Right);
    right.listen(Listen::No);
    assert_eq!(claims(right, 100, link), (vec![], true));
    right.listen(Listen::Yes);
    assert_eq!(claims(right, 100, link), (vec![], true));
    right.listen(Listen::No);
}

fn a_link_that_is_down_is_told_for_each_advert<W: Wire>(wire: &mut W) {
    let (left, right, to) = channels(wire, Family::V4, true);
    wire.cut();
    let failed = send(wire.end(Side::Left).0, Family::V4, left, to, &[1, 2, 3]);
    assert_eq!(failed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 2]);
    let link = wire.end(Side::Left).1;
    let mut failed = Vec::new();
    let frame = Frame { link, octets: &[0xff; 60] };
    wire.end(Side::Left).0.announce(&[frame, frame], &mut failed);
    assert_eq!(failed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1]);
    // and the channel can be opened although the link is down
    let link = Some(link);
    let kind = ChannelKind::Multicast { group: group(Family::V6) };
    let id = wire.open(Side::Left, &Channel { family: Family::V6, link, kind, protocol: ipv4::PROTOCOL_VRRP });
    wire.end(Side::Left).0.close(id);
    wire.end(Side::Left).0.close(left);
    wire.end(Side::Right).0.close(right);
}

#[test]
fn the_fake_keeps_the_contract() {
    suite(&mut FakeWire { left: FakePackets::new(), right: FakePackets::new() });
}

#[test]
fn the_kernel_keeps_the_contract() {
    let Some(mut wire) = RealWire::new() else { return };
    suite(&mut wire);
}

#[test]
fn raw_sockets_say_when_there_is_something_to_read() {
    let Some(mut wire) = RealWire::new() else { return };
    let (left, right, to) = channels(&mut wire, Family::V4, true);
    assert!(!wire.right.0.anything_waiting());
    send(&mut wire.left.0, Family::V4, left, to, &[1]);
    wire.carry();
    let mut poll = [rustix::event::PollFd::from_borrowed_fd(wire.right.0.poll_fd(), rustix::event::PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut poll, Some(&rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap(), 1);
    assert!(wire.right.0.anything_waiting());
    assert_eq!(hear(&mut wire.right.0, Family::V4, right, 10).0.len(), 1);
    assert!(!wire.right.0.anything_waiting());
}

#[test]
fn the_kernel_fills_in_the_checksums() {
    let Some(mut wire) = RealWire::new() else { return };
    let (left, _right, to) = channels(&mut wire, Family::V6, true);
    send(&mut wire.left.0, Family::V6, left, to, &[1]);
    wire.carry();
    let mut sums = Vec::new();
    wire.right.0.receive(10, &mut |incoming| sums.push(incoming.octets[6..8].to_vec()));
    // fe80::1 -> ff02::12, length 12, protocol 112, and the message of `advert`
    assert_eq!(sums, [ipv6_checksum().to_be_bytes().to_vec()]);
}

fn ipv6_checksum() -> u16 {
    let message = advert(Family::V6, ends(Family::V6).0, group(Family::V6), 1);
    let mut words: Vec<u16> = vec![0xfe80, 1, 0xff02, 0x12, 12, 112];
    words.extend(message.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.iter().map(|word| u32::from(*word)).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).unwrap()
}

#[test]
fn frames_leave_as_they_are() {
    let Some(mut wire) = RealWire::new() else { return };
    wire.far.enter().unwrap();
    let arp = socket2::Protocol::from(i32::from(0x0806_u16.to_be()));
    let watch = socket2::Socket::new(socket2::Domain::PACKET, socket2::Type::RAW.nonblocking(), Some(arp)).unwrap();
    wire.home.enter().unwrap();
    let mut octets = vec![0xff; 6];
    octets.extend([0, 0, 0x5e, 0, 1, 51, 8, 6]);
    octets.extend([0xa5; 46]);
    let link = wire.left.1;
    let frames = [Frame { link, octets: &octets }; 100];
    let (mut failed, mut heard) = (Vec::new(), 0);
    wire.left.0.announce(&frames, &mut failed);
    assert_eq!(failed, []);
    wire.carry();
    let mut buffer = [0; 100];
    while let Ok(length) = std::io::Read::read(&mut &watch, &mut buffer) {
        assert_eq!(buffer[..length], octets);
        heard += 1;
    }
    assert_eq!(heard, 100);
}

#[test]
fn an_address_that_is_not_there_yet_can_be_listened_on() {
    let Some(mut wire) = RealWire::new() else { return };
    let later: IpAddr = "192.0.2.3".parse().unwrap();
    let kind = ChannelKind::Unicast { local: later };
    for link in [None, Some(wire.right.1)] {
        let right = wire.open(Side::Right, &Channel { family: Family::V4, link, kind, protocol: ipv4::PROTOCOL_VRRP });
        let local = ends(Family::V4).0;
        let left = wire.open(
            Side::Left,
            &Channel {
                family: Family::V4,
                link: None,
                kind: ChannelKind::Unicast { local },
                protocol: ipv4::PROTOCOL_VRRP,
            },
        );
        wire.far.enter().unwrap();
        lab::ip("address add 192.0.2.3/24 dev right");
        wire.home.enter().unwrap();
        assert_eq!(send(&mut wire.left.0, Family::V4, left, later, &[5]), []);
        wire.carry();
        assert_eq!(hear(&mut wire.right.0, Family::V4, right, 10).0.len(), 1, "{link:?}");
        wire.far.enter().unwrap();
        lab::ip("address del 192.0.2.3/24 dev right");
        wire.home.enter().unwrap();
        wire.left.0.close(left);
        wire.right.0.close(right);
    }
}

#[test]
fn a_link_that_is_not_there_is_an_error_that_says_what_was_tried() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let kind = ChannelKind::Multicast { group: group(Family::V4) };
    let channel = Channel { family: Family::V4, link: Some(LinkIndex(4242)), kind, protocol: ipv4::PROTOCOL_VRRP };
    let error = Pair::make(&channel, BUFFER).unwrap_err();
    assert!(error.to_string().contains("4242") && error.to_string().contains("224.0.0.18"), "{error}");
}

// the thread that sends adverts does all of this
#[test]
fn overhearing_waits_for_nobody_who_changes_links() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let held = match links_lock::hold() {
        Ok(held) => held,
        Err(error) => return eprintln!("skipped: nobody can hold the kernel's lock for links here ({error})"),
    };
    let mut change = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).spawn().unwrap();
    let work = std::thread::spawn(|| {
        let mut sockets = RawSockets::new().unwrap();
        for listen in [Listen::Yes, Listen::No, Listen::Yes] {
            sockets.listen(listen);
            sockets.overhear(10, &mut |_| {});
        }
    });
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while !work.is_finished() && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(work.is_finished() && held.is_held());
    work.join().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(change.try_wait().unwrap(), None, "who changes a link does wait");
    drop(held);
    assert!(change.wait().unwrap().success());
}
