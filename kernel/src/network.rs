//! Links, addresses, routes and policy rules: what there is, what changed, and what ought to be there.

use std::fmt;
use std::net::Ipv6Addr;

use crate::firewall::Firewall;
use keepalived_core::address::InterfaceName;
use keepalived_core::network::{Change, Inventory, Link, LinkIndex, NetworkEvent};

/// What becomes of the secondary addresses of an IPv4 network when their primary one goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secondaries {
    /// The kernel removes them: its default.
    Removed,
    /// One of them becomes the primary address.
    Promoted,
}

/// The kernel's refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Linux error number.
    pub errno: i32,
    /// The kernel's own words, where it has any (extended ack).
    pub message: Option<String>,
}

impl Refused {
    /// The address is there with this prefix length, and cannot be there twice.
    pub(crate) fn other_prefix(prefix: u8) -> Self {
        Self { errno: libc::EEXIST, message: Some(format!("it is there already with the prefix length {prefix}")) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = std::io::Error::from_raw_os_error(self.errno);
        match &self.message {
            Some(message) => write!(f, "{message} ({error})"),
            None => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

/// Events of one call of [`Network::events`]. The caller sends adverts between two calls, and some events take it 60 µs
/// each.
pub const MOST_EVENTS: usize = 128;

/// The number of an interface; `None`: there is none of this name. Does not wait for the kernel's lock for links.
pub fn link_named(name: InterfaceName) -> Option<LinkIndex> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM.cloexec(), None).ok()?;
    let name = std::str::from_utf8(name.as_bytes()).ok()?;
    rustix::net::netdevice::name_to_index(&socket, name).ok().map(LinkIndex)
}

/// Links, addresses, and what is ours among routes and policy rules of the network namespace the process is in.
///
/// A route needs its links to be up, its gateway to be reachable, and its source to be an address of the machine. With these it may go, and
/// come back only if it is asked for again; of that the kernel does not always tell. A rule needs nothing, and stays.
/// A route of ours that is there with other attributes is removed before it is asked for: the kernel may have both.
///
/// A link that is asked for is made, set and taken up; one that is there already is taken over if it is on the same link with the same
/// MAC address, and refused otherwise. It goes with the link that it is on.
///
/// [`Network::inventory`] and [`Network::change`] wait for the kernel's lock for links (RTNL), which others may hold
/// for long. The rest does not.
pub trait Network {
    /// Reads everything, and again if the kernel says that it changed meanwhile, but not for long.
    ///
    /// # Errors
    /// The netlink socket failed.
    fn inventory(&mut self) -> std::io::Result<Inventory>;

    /// Applies `changes` in order, in as few system calls as possible; one result for each, in the same order.
    /// Never blocks for longer than the kernel works.
    fn change(&mut self, changes: &[Change]) -> Vec<Result<(), Refused>>;

    /// Appends what has happened since the last call, at most [`MOST_EVENTS`]; false if there may be more.
    fn events(&mut self, out: &mut Vec<NetworkEvent>) -> bool;

    /// Sets `net.ipv4.conf.LINK.promote_secondaries`, and says what was in force before.
    ///
    /// # Errors
    /// `/proc/sys` could not be read or written.
    fn set_secondaries(&mut self, link: &Link, secondaries: Secondaries) -> std::io::Result<Secondaries>;

    /// Replaces the tables of the packet filter by these. Waits for the kernel.
    ///
    /// # Errors
    /// The kernel refuses: it may have no nf_tables.
    fn set_firewall(&mut self, firewall: &Firewall) -> Result<(), Refused>;

    /// From now on [`Network::events`] says when another program removes something of these tables.
    fn watch_firewall(&mut self, table: &str);

    /// `net.ipv4.conf.all.rp_filter`, and that of `default`.
    ///
    /// # Errors
    /// `/proc/sys` could not be read.
    fn reverse_path_filter(&mut self) -> std::io::Result<(u8, u8)>;

    /// The address that IPv6 packets to `peer` leave `link` from, if there is a route for them.
    fn source_towards(&mut self, peer: Ipv6Addr, link: LinkIndex) -> Option<Ipv6Addr>;

    /// Whether the machine forwards IPv6 packets that come in on `link` (`net.ipv6.conf.LINK.forwarding`); no if that
    /// cannot be read.
    fn forwards_ipv6(&mut self, link: &Link) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_found_by_its_name() {
        let named = |name: &[u8]| link_named(InterfaceName::new(name).unwrap());
        // the first of each network namespace
        assert_eq!(named(b"lo"), Some(LinkIndex(1)));
        assert_eq!(named(b"no-such-link"), None);
    }
}
