//! UDP sockets of BFD: one that hears at a port for each family, and one for each session that speaks (RFC 5881 §4, RFC 5883 §5).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};

use keepalived_core::network::LinkIndex;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::Family;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::packets::BufferSize;
use crate::socket_option::{receive_buffer, set};
use crate::sockets::mmsg::{MOST_PACKETS, Packet, Receiver};
use crate::sockets::open::SO_TIMESTAMPNS_NEW;
use crate::sockets::{Clock, STAMP, wall_clock};

/// `TC_PRIO_CONTROL`: first in line at the default queue.
const CONTROL_PRIORITY: u32 = 6;
/// Internetwork control.
const TRAFFIC_CLASS: i32 = 0xc0;
/// Room for some thousand packets that come while this process sleeps.
const RECEIVE_BUFFER: BufferSize = BufferSize(4 * 1024 * 1024);

/// A datagram that has come.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// Which address of ours it was sent to.
    pub destination: IpAddr,
    /// The link that it came through.
    pub link: LinkIndex,
    /// Its TTL or hop limit; 0 if the kernel did not say.
    pub hop_limit: u8,
    /// When the kernel had it.
    pub received: Instant,
    /// What is in it.
    pub octets: &'a [u8],
}

/// Buffers for what is heard.
#[derive(Debug)]
pub struct Buffers(Receiver);

impl Default for Buffers {
    fn default() -> Self {
        Self(Receiver::new())
    }
}

/// Hears at a port.
#[derive(Debug)]
pub struct Ear {
    socket: Socket,
    family: Family,
}

impl Ear {
    /// Hears at `port` of all addresses of `family`.
    ///
    /// # Errors
    /// Another program has the port, or this machine does not have the family.
    pub fn open(family: Family, port: u16) -> io::Result<Self> {
        let socket = socket(family)?;
        receive_buffer(&socket, RECEIVE_BUFFER)?;
        set(&socket, libc::SOL_SOCKET, SO_TIMESTAMPNS_NEW, 1)?;
        match family {
            Family::V4 => {
                set(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
                set(&socket, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
            }
            Family::V6 => {
                socket.set_only_v6(true)?;
                set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
                set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            }
        }
        let any: IpAddr = match family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        socket.bind(&SocketAddr::new(any, port).into())?;
        Ok(Self { socket, family })
    }

    /// Delivers at most `limit` datagrams that wait. True if none is left of those that came before this call. The ear was empty at
    /// `emptied`: nothing that waits came before.
    pub fn receive(
        &self,
        buffers: &mut Buffers,
        limit: usize,
        emptied: Instant,
        mut deliver: impl FnMut(Datagram<'_>),
    ) -> bool {
        let clock = Clock::read(emptied);
        let mut left = limit;
        while left > 0 {
            // an error is one that was waiting, such as a message of ICMP: it is told once
            let Ok(count) = buffers.0.receive(self.socket.as_fd(), left) else {
                left -= 1;
                continue;
            };
            let packets = (0..count).filter_map(|at| buffers.0.packet(at));
            packets.filter_map(|packet| datagram(self.family, &packet, &clock)).for_each(&mut deliver);
            if count < left.min(MOST_PACKETS) {
                return true;
            }
            left = left.saturating_sub(count);
        }
        false
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Speaks for one session.
#[derive(Debug)]
pub struct Voice {
    socket: Socket,
    /// Where to, if the socket does not know.
    destination: Option<SockAddr>,
}

/// From where and to where a session speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// Our address; `None`: the kernel's choice.
    pub source: Option<IpAddr>,
    /// The port that it sends from.
    pub source_port: u16,
    /// The neighbour.
    pub neighbor: IpAddr,
    /// The neighbour's port.
    pub port: u16,
    /// The link of link-local addresses.
    pub link: Option<LinkIndex>,
    /// TTL or hop limit of its packets.
    pub hop_limit: u8,
}

impl Voice {
    /// Opens the socket of a session.
    ///
    /// # Errors
    /// `AddrInUse`: another socket has this port. `AddrNotAvailable`: the source address is not there.
    pub fn open(way: &Way) -> io::Result<Self> {
        let family = Family::of(way.neighbor);
        let socket = socket(family)?;
        let hop_limit = i32::from(way.hop_limit);
        match family {
            Family::V4 => {
                set(&socket, libc::IPPROTO_IP, libc::IP_TTL, hop_limit)?;
                set(&socket, libc::IPPROTO_IP, libc::IP_TOS, TRAFFIC_CLASS)?;
            }
            Family::V6 => {
                socket.set_only_v6(true)?;
                set(&socket, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, hop_limit)?;
                set(&socket, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, TRAFFIC_CLASS)?;
            }
        }
        socket.set_priority(CONTROL_PRIORITY)?;
        // it never reads: nothing may pile up
        receive_buffer(&socket, BufferSize(0))?;
        let any: IpAddr = match family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local: SockAddr = match way.source.unwrap_or(any) {
            IpAddr::V4(ip) => SocketAddrV4::new(ip, way.source_port).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, way.source_port, 0, scope(ip, way.link)).into(),
        };
        socket.bind(&local)?;
        let destination: SockAddr = match way.neighbor {
            IpAddr::V4(ip) => SocketAddrV4::new(ip, way.port).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, way.port, 0, scope(ip, way.link)).into(),
        };
        // a socket that is connected remembers the route, and looks again when routes change. It would remember our address, too, where the
        // kernel chooses that; and without a route yet there is nothing to remember
        let is_connected = way.source.is_some() && socket.connect(&destination).is_ok();
        Ok(Self { socket, destination: (!is_connected).then_some(destination) })
    }

    /// Sends a packet.
    ///
    /// # Errors
    /// The kernel did not take it.
    pub fn send(&self, octets: &[u8]) -> io::Result<()> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let send = || match &self.destination {
            Some(destination) => self.socket.send_to_with_flags(octets, destination, flags),
            None => self.socket.send_with_flags(octets, flags),
        };
        match send() {
            // what ICMP said of the packet before: this one has not been sent
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => send().map(drop),
            sent => sent.map(drop),
        }
    }
}

fn socket(family: Family) -> io::Result<Socket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))
}

fn scope(ip: Ipv6Addr, link: Option<LinkIndex>) -> u32 {
    if ip.is_unicast_link_local() { link.map_or(0, |link| link.0) } else { 0 }
}

fn datagram<'a>(family: Family, packet: &Packet<'a>, clock: &Clock) -> Option<Datagram<'a>> {
    let (mut link, mut destination, mut hop_limit, mut stamp) = (0, None, 0, None);
    for (level, kind, value) in packet.control.notes() {
        let number = |at: usize| value.get(at..)?.first_chunk().map(|octets| u32::from_ne_bytes(*octets));
        match (level, kind) {
            (libc::SOL_SOCKET, STAMP) => stamp = wall_clock(value),
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                link = number(0).unwrap_or(0);
                // the address in the packet, not the one that the kernel would answer from
                let octets = value.get(8..).and_then(|rest| rest.first_chunk::<4>());
                destination = octets.map(|octets| IpAddr::from(*octets));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                destination = value.first_chunk::<16>().map(|octets| IpAddr::from(*octets));
                link = number(16).unwrap_or(0);
            }
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                hop_limit = number(0).and_then(|limit| u8::try_from(limit).ok()).unwrap_or(0);
            }
            _ => {}
        }
    }
    let source = match family {
        Family::V4 => packet.sender.ipv4()?.into(),
        Family::V6 => packet.sender.ipv6()?.into(),
    };
    let (link, received) = (LinkIndex(link), clock.received(stamp));
    Some(Datagram { source, destination: destination?, link, hop_limit, received, octets: packet.octets })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reactor::{Interest, Reactor, Token, now};

    fn heard(ear: &Ear) -> Vec<(IpAddr, IpAddr, u8, Vec<u8>)> {
        let mut reactor = Reactor::new(&[]).unwrap();
        reactor.register(ear, Token(1), Interest::Read).unwrap();
        reactor.wait(Some(now() + Duration::from_secs(5)), &mut Vec::new()).unwrap();
        let mut heard = Vec::new();
        let empty = ear.receive(&mut Buffers::default(), 100, Instant::ZERO, |datagram| {
            assert!(datagram.received <= now());
            assert_ne!(datagram.link.0, 0);
            heard.push((datagram.source, datagram.destination, datagram.hop_limit, datagram.octets.to_vec()));
        });
        assert!(empty);
        heard
    }

    #[test]
    fn what_is_said_is_heard_with_its_addresses_and_its_hop_limit() {
        for (family, address) in [(Family::V4, "127.0.0.1"), (Family::V6, "::1")] {
            let address: IpAddr = address.parse().unwrap();
            let ear = Ear::open(family, 0).unwrap();
            let port = ear.socket.local_addr().unwrap().as_socket().unwrap().port();
            let way =
                Way { source: Some(address), source_port: 0, neighbor: address, port, link: None, hop_limit: 255 };
            let voice = Voice::open(&way).unwrap();
            voice.send(b"one").unwrap();
            Voice::open(&Way { hop_limit: 7, source: None, ..way }).unwrap().send(b"two").unwrap();
            let all = [(address, address, 255, b"one".to_vec()), (address, address, 7, b"two".to_vec())];
            assert_eq!(heard(&ear), all);
        }
    }

    /// The time is that of the arrival, not of the reading.
    #[test]
    fn a_datagram_says_when_it_came() {
        let ear = Ear::open(Family::V4, 0).unwrap();
        let port = ear.socket.local_addr().unwrap().as_socket().unwrap().port();
        let neighbor = "127.0.0.1".parse().unwrap();
        let way = Way { source: Some(neighbor), source_port: 0, neighbor, port, link: None, hop_limit: 255 };
        let voice = Voice::open(&way).unwrap();
        // the kernel begins to note times a moment after the first socket wants them
        let in_time = (0..100).any(|_| {
            let before = now();
            voice.send(b"x").unwrap();
            let sent = now();
            std::thread::sleep(Duration::from_millis(20));
            let mut received = Vec::new();
            assert!(ear.receive(&mut Buffers::default(), 64, before, |datagram| received.push(datagram.received)));
            // the clocks are read one after the other
            let slack = Duration::from_millis(5);
            received[0] >= before && received[0] <= sent + slack
        });
        assert!(in_time);
    }

    /// A neighbour that does not listen yet answers with ICMP; that must not cost the next packet.
    #[test]
    fn a_refusal_of_the_last_packet_does_not_stop_the_next() {
        let gone = Ear::open(Family::V4, 0).unwrap();
        let port = gone.socket.local_addr().unwrap().as_socket().unwrap().port();
        drop(gone);
        let neighbor = "127.0.0.1".parse().unwrap();
        let way = Way { source: Some(neighbor), source_port: 0, neighbor, port, link: None, hop_limit: 255 };
        let voice = Voice::open(&way).unwrap();
        voice.send(b"nobody hears it").unwrap();
        let ear = Ear::open(Family::V4, port).unwrap();
        voice.send(b"one").unwrap();
        assert_eq!(heard(&ear).into_iter().map(|(.., octets)| octets).collect::<Vec<_>>(), [b"one".to_vec()]);
    }

    #[test]
    fn a_port_has_one_owner_and_a_source_has_to_be_there() {
        let first = Ear::open(Family::V4, 0).unwrap();
        let port = first.socket.local_addr().unwrap().as_socket().unwrap().port();
        assert_eq!(Ear::open(Family::V4, port).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let neighbor = "127.0.0.1".parse().unwrap();
        let source = Some("192.0.2.77".parse().unwrap());
        let way = Way { source, source_port: 0, neighbor, port, link: None, hop_limit: 255 };
        assert_eq!(Voice::open(&way).unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
        let taken = Way { source: None, source_port: port, ..way };
        assert_eq!(Voice::open(&taken).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
