//! How the sockets of a channel are set up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use keepalived_core::vrrp::Family;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, SockFilter, Socket, Type};

use crate::packets::{BufferSize, Channel, ChannelKind};
use crate::shortage::with_text;
use crate::socket_option::{receive_buffer, send_buffer, set};
use keepalived_core::network::LinkIndex;

const VRRP: i32 = 112;
/// `TC_PRIO_CONTROL`: first in line at the default queue.
const CONTROL_PRIORITY: u32 = 6;
/// Internetwork control (RFC 9568 does not ask for it; keepalived does it so).
const TRAFFIC_CLASS: i32 = 0xc0;
/// `SO_TIMESTAMPNS_NEW`, whose stamp is two 64-bit numbers whatever the C library.
pub(crate) const SO_TIMESTAMPNS_NEW: i32 = 64;
/// `SO_BINDTOIFINDEX`: unlike a name, an index cannot become another link's meanwhile.
const SO_BINDTOIFINDEX: i32 = 62;
/// A few thousand adverts or frames on their way out.
const SEND_BUFFER: i32 = 2 * 1024 * 1024;

/// The two sockets of a channel.
#[derive(Debug)]
pub struct Pair {
    pub(crate) receive: Socket,
    pub(crate) send: Socket,
}

/// Opens both sockets. The link may be down.
pub(crate) fn pair(channel: &Channel, buffer: BufferSize) -> io::Result<Pair> {
    let described = |error: io::Error| {
        let on = channel.link.map(|link| format!(" on link {}", link.0)).unwrap_or_default();
        let what = match channel.kind {
            ChannelKind::Multicast { group } => format!("group {group}"),
            ChannelKind::Unicast { local } => format!("address {local}"),
        };
        with_text(&error, format!("cannot open VRRP sockets{on} for {what}: {error}"))
    };
    let open = || {
        let receive = receiver(channel, buffer)?;
        Ok(Pair { receive, send: sender(channel)? })
    };
    open().map_err(described)
}

fn receiver(channel: &Channel, buffer: BufferSize) -> io::Result<Socket> {
    let socket = raw(channel.family, i32::from(channel.protocol))?;
    receive_buffer(&socket, buffer)?;
    bind_to(&socket, channel.link)?;
    set(&socket, libc::SOL_SOCKET, SO_TIMESTAMPNS_NEW, 1)?;
    match channel.family {
        Family::V4 => {
            set(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
            // else the socket hears groups that others have joined
            socket.set_multicast_all_v4(false)?;
        }
        Family::V6 => {
            set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
            set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            socket.set_multicast_all_v6(false)?;
            // no IPV6_CHECKSUM: the kernel would drop wrong adverts, and we could not count them
        }
    }
    match (channel.kind, channel.link) {
        (ChannelKind::Multicast { group }, Some(link)) => {
            bind(&socket, group, channel.link)?;
            match group {
                IpAddr::V4(group) => {
                    socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(link.0))?;
                }
                IpAddr::V6(group) => socket.join_multicast_v6(&group, link.0)?,
            }
        }
        (ChannelKind::Multicast { .. }, None) => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "multicast needs an interface"));
        }
        (ChannelKind::Unicast { local }, link) => {
            free_bind(&socket, channel.family)?;
            bind(&socket, local, link)?;
        }
    }
    Ok(socket)
}

fn sender(channel: &Channel) -> io::Result<Socket> {
    let socket = match channel.family {
        // hears nothing (its own protocol number never arrives) and implies IP_HDRINCL
        Family::V4 => raw(Family::V4, libc::IPPROTO_RAW)?,
        Family::V6 => {
            // has to be of protocol 112 for the kernel to work out the checksum, and would hear every advert
            let socket = raw(Family::V6, VRRP)?;
            socket.attach_filter(&[DROP])?;
            socket.set_multicast_all_v6(false)?;
            socket
        }
    };
    send_buffer(&socket, SEND_BUFFER)?;
    bind_to(&socket, channel.link)?;
    socket.set_priority(CONTROL_PRIORITY)?;
    match channel.family {
        Family::V4 => {
            socket.set_header_included_v4(true)?;
            socket.set_multicast_loop_v4(false)?;
            if let Some(link) = channel.link {
                let any = Ipv4Addr::UNSPECIFIED;
                rustix::net::sockopt::set_ip_multicast_if_with_ifindex(&socket, &any, &any, link.0)?;
            }
            if let ChannelKind::Unicast { local } = channel.kind {
                // rules of policy routing see the source
                free_bind(&socket, channel.family)?;
                bind(&socket, local, channel.link)?;
            }
        }
        Family::V6 => {
            const CHECKSUM_AT: i32 = 6;
            set(&socket, libc::IPPROTO_IPV6, libc::IPV6_CHECKSUM, CHECKSUM_AT)?;
            set(&socket, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, TRAFFIC_CLASS)?;
            socket.set_multicast_loop_v6(false)?;
            if let Some(link) = channel.link {
                socket.set_multicast_if_v6(link.0)?;
            }
        }
    }
    Ok(socket)
}

/// The source address that the kernel would use towards `peer`: connecting a datagram socket asks its routing table,
/// and sends nothing.
pub(crate) fn source_towards(peer: Ipv6Addr, link: LinkIndex) -> io::Result<Ipv6Addr> {
    // any port
    const DISCARD: u16 = 9;
    let socket = Socket::new(Domain::IPV6, Type::DGRAM.nonblocking().cloexec(), None)?;
    bind_to(&socket, Some(link))?;
    let peer = SocketAddrV6::new(peer, DISCARD, 0, scope_of(peer, Some(link)));
    socket.connect(&SockAddr::from(peer))?;
    let own = socket.local_addr()?.as_socket_ipv6();
    own.map(|own| *own.ip()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// For frames of any protocol; receives nothing.
pub(crate) fn frames() -> io::Result<Socket> {
    let open = || {
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
        socket.set_priority(CONTROL_PRIORITY)?;
        send_buffer(&socket, SEND_BUFFER)?;
        Ok(socket)
    };
    open().map_err(|error: io::Error| {
        with_text(&error, format!("cannot open a packet socket (CAP_NET_RAW is needed): {error}"))
    })
}

/// `BPF_RET | BPF_K`: so many octets are taken.
const RETURN: u16 = 0x06;
const TAKE: SockFilter = SockFilter::new(RETURN, 0, 0, 0xffff);
const DROP: SockFilter = SockFilter::new(RETURN, 0, 0, 0);

/// Where neighbours are overheard that say which addresses they have.
///
/// Both sockets are for all links and stay open: none of their calls waits for the kernel's lock for links, which
/// others may hold for seconds. A packet socket takes it only to be a member of something (`PACKET_ADD_MEMBERSHIP`),
/// and a raw one only to join a group; all nodes are in the group that answers go to anyway. But closing a packet
/// socket waits until all processors have passed it by (`synchronize_net`), some 10 ms. So it is a filter that makes
/// them deaf.
#[derive(Debug)]
pub(crate) struct Overhearing {
    pub(crate) arp: Socket,
    /// Absent on a machine without IPv6.
    pub(crate) advertisements: Option<Socket>,
}

impl Overhearing {
    /// Opens both, deaf.
    pub(crate) fn open() -> io::Result<Self> {
        let kind = Type::RAW.nonblocking().cloexec();
        let arp = Socket::new(Domain::PACKET, kind, Some(Protocol::from(i32::from(ETH_P_ARP.to_be()))))?;
        let advertisements = Socket::new(Domain::IPV6, kind, Some(Protocol::ICMPV6)).and_then(|socket| {
            set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
            set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            Ok(socket)
        });
        let sockets = Self { arp, advertisements: advertisements.ok() };
        sockets.deafen()?;
        Ok(sockets)
    }

    /// Lets both take what claims an address.
    pub(crate) fn listen(&self) -> io::Result<()> {
        // the sender's address, of a frame from the Ethernet header on: a probe has none
        let arp = [SockFilter::new(LOAD_WORD, 0, 0, 28), SockFilter::new(EQUALS, 0, 1, 0), DROP, TAKE];
        self.arp.attach_filter(&arp)?;
        // the type: neighbour advertisement
        let advertisement = [SockFilter::new(LOAD_OCTET, 0, 0, 0), SockFilter::new(EQUALS, 1, 0, 136), DROP, TAKE];
        self.advertisements.as_ref().map_or(Ok(()), |socket| socket.attach_filter(&advertisement))
    }

    /// Lets both take nothing more. What they have stays in them.
    pub(crate) fn deafen(&self) -> io::Result<()> {
        self.arp.attach_filter(&[DROP])?;
        self.advertisements.as_ref().map_or(Ok(()), |socket| socket.attach_filter(&[DROP]))
    }
}

const ETH_P_ARP: u16 = 0x0806;
/// `BPF_LD | BPF_W | BPF_ABS`
const LOAD_WORD: u16 = 0x20;
/// `BPF_LD | BPF_B | BPF_ABS`
const LOAD_OCTET: u16 = 0x30;
/// `BPF_JMP | BPF_JEQ | BPF_K`
const EQUALS: u16 = 0x15;

fn raw(family: Family, protocol: i32) -> io::Result<Socket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    Socket::new(domain, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(protocol)))
}

fn bind_to(socket: &Socket, link: Option<LinkIndex>) -> io::Result<()> {
    match link {
        Some(link) => set(socket, libc::SOL_SOCKET, SO_BINDTOIFINDEX, link.0.cast_signed()),
        None => Ok(()),
    }
}

/// Allows binding to an address that is not there yet.
fn free_bind(socket: &Socket, family: Family) -> io::Result<()> {
    match family {
        Family::V4 => set(socket, libc::IPPROTO_IP, libc::IP_FREEBIND, 1),
        Family::V6 => set(socket, libc::IPPROTO_IPV6, libc::IPV6_FREEBIND, 1),
    }
}

fn bind(socket: &Socket, address: IpAddr, link: Option<LinkIndex>) -> io::Result<()> {
    let address: SocketAddr = match address {
        IpAddr::V4(ip) => SocketAddrV4::new(ip, 0).into(),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, 0, 0, scope_of(ip, link)).into(),
    };
    socket.bind(&SockAddr::from(address))
}

/// The link, for addresses that mean something on one link only; else 0.
pub(crate) fn scope_of(ip: Ipv6Addr, link: Option<LinkIndex>) -> u32 {
    match link {
        Some(link) if ip.is_unicast_link_local() || ip.is_multicast() => link.0,
        _ => 0,
    }
}
