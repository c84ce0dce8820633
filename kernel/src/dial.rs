//! Sockets that health checks talk through: made, bound and sent on their way without ever waiting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;

use keepalived_core::address::InterfaceName;
use rustix::net::RecvFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{files, socket_option};

/// Where a socket is to come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// The source address; of the family of the target.
    pub address: Option<IpAddr>,
    /// The source port; 0 is any.
    pub port: u16,
    /// The device that it is bound to.
    pub interface: Option<InterfaceName>,
    /// The mark of its packets; 0 is none.
    pub mark: u32,
}

/// A TCP socket on its way.
#[derive(Debug)]
pub enum Dialled {
    /// It is connected.
    Connected(TcpStream),
    /// It is writable when connecting has come to an end, and then `SO_ERROR` says to which.
    UnderWay(TcpStream),
}

/// Begins to connect.
///
/// A server of this machine has answered before the kernel returns from the first look: a second one saves waiting for
/// what is there already, which costs more than connecting.
///
/// # Errors
/// The kernel has no route, or refuses what `origin` asks for.
pub fn tcp(target: SocketAddr, origin: Option<&Origin>) -> io::Result<Dialled> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    leave_from(&socket, target, origin)?;
    let target = target.into();
    let first = socket.connect(&target);
    let result = if under_way(&first) { socket.connect(&target) } else { first };
    match result {
        result if under_way(&result) => Ok(Dialled::UnderWay(socket.into())),
        result => result.map(|()| Dialled::Connected(socket.into())),
    }
}

fn under_way(result: &io::Result<()>) -> bool {
    let errno = result.as_ref().err().and_then(io::Error::raw_os_error);
    matches!(errno, Some(libc::EINPROGRESS | libc::EALREADY))
}

/// A UDP socket that hears `target` only, and what ICMP says of it.
///
/// # Errors
/// As [`tcp`].
pub fn udp(target: SocketAddr, origin: Option<&Origin>) -> io::Result<UdpSocket> {
    datagram(target, origin, Protocol::UDP)
}

/// An ICMP socket for echo requests to `target` and their replies. The kernel fills in identifier and checksum;
/// messages begin with the ICMP header.
///
/// # Errors
/// As [`tcp`]; none of our groups is in `ping_group_range`, see [`allow_ping`].
pub fn ping(target: IpAddr, origin: Option<&Origin>) -> io::Result<UdpSocket> {
    let protocol = if target.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    // the source port of such a socket is the identifier of its requests
    let origin = origin.map(|origin| Origin { port: 0, ..*origin });
    datagram(SocketAddr::new(target, 0), origin.as_ref(), protocol)
}

fn datagram(target: SocketAddr, origin: Option<&Origin>, protocol: Protocol) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(target), Type::DGRAM.nonblocking(), Some(protocol))?;
    // else only "port unreachable" would reach us
    let (level, name) = match target {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    socket_option::set(&socket, level, name, 1)?;
    leave_from(&socket, target, origin)?;
    socket.connect(&target.into())?;
    Ok(socket.into())
}

fn leave_from(socket: &Socket, target: SocketAddr, origin: Option<&Origin>) -> io::Result<()> {
    let Some(origin) = origin else { return Ok(()) };
    if origin.mark != 0 {
        socket.set_mark(origin.mark)?;
    }
    if let Some(interface) = &origin.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if origin.address.is_none() && origin.port == 0 {
        return Ok(());
    }
    if origin.port == 0 {
        // the port is chosen when connecting: one may serve many targets, so that they do not run out
        socket_option::set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
    } else {
        // the last check's connection may still be in TIME_WAIT
        socket.set_reuse_address(true)?;
    }
    let any = || match target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    socket.bind(&SocketAddr::new(origin.address.unwrap_or_else(any), origin.port).into())
}

/// Whether an error of [`tcp`], [`udp`] or [`ping`] says something of the target or of the way to it; all others are
/// this machine's affair. The division is keepalived's.
pub fn concerns_target(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::ECONNRESET
                | libc::ECONNABORTED
                | libc::ETIMEDOUT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
        )
    )
}

/// Takes a datagram, or the error that ICMP has reported, without waiting. What does not fit into `buffer` is cut off.
///
/// # Errors
/// `WouldBlock`, or what ICMP says.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (length, _) = rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?;
    Ok(length)
}

const PING_GROUPS: &str = "/proc/sys/net/ipv4/ping_group_range";

/// Widens the groups of this network namespace that may open [`ping`] sockets by `group`. Idempotent.
///
/// # Errors
/// Not ours to change.
pub fn allow_ping(group: u32) -> io::Result<()> {
    let text = files::read_text(Path::new(PING_GROUPS), 256)?;
    match widened(&text, group) {
        Some(range) => files::write_setting(Path::new(PING_GROUPS), &range),
        None => Ok(()),
    }
}

/// The range in `text` with `group` in it; `None` if it has it already. First greater than last means no group.
fn widened(text: &str, group: u32) -> Option<String> {
    let mut bounds = text.split_ascii_whitespace().map(str::parse::<u32>);
    match (bounds.next(), bounds.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first <= last => {
            let wide = (first.min(group), last.max(group));
            (wide != (first, last)).then(|| format!("{} {}", wide.0, wide.1))
        }
        _ => Some(format!("{group} {group}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_groups_are_widened_only_if_needed() {
        assert_eq!(widened("1\t0\n", 0).as_deref(), Some("0 0"));
        assert_eq!(widened("0\t2147483647\n", 0), None);
        assert_eq!(widened("5\t9\n", 0).as_deref(), Some("0 9"));
        assert_eq!(widened("5\t9\n", 12).as_deref(), Some("5 12"));
    }
}
