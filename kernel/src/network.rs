//! Links and addresses: what there is, what changed, and what ought to be there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_core::address::{InterfaceLabel, InterfaceName};

/// Kernel's number of a link; never 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkIndex(pub u32);

/// A network interface as the kernel describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Kernel's number.
    pub index: LinkIndex,
    /// `IFLA_IFNAME`
    pub name: InterfaceName,
    /// `IFF_UP` and `IFF_RUNNING`: adverts can pass.
    pub running: bool,
    /// `IFF_MULTICAST`
    pub multicast: bool,
    /// `IFF_LOOPBACK`
    pub loopback: bool,
    /// Ethernet address; `None` for links without one of six octets.
    pub mac: Option<[u8; 6]>,
    /// `IFLA_MTU`
    pub mtu: u32,
}

/// An address on a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// Where it is.
    pub link: LinkIndex,
    /// `IFA_LOCAL` (or `IFA_ADDRESS` where there is no local one).
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// `RT_SCOPE_*`
    pub scope: u8,
    /// `IFA_F_*`
    pub flags: u32,
    /// `IFA_LABEL`; `None` where it is the link's name, as it is for every IPv4 address without one of its own.
    pub label: Option<InterfaceLabel>,
    /// `IFA_BROADCAST`
    pub broadcast: Option<Ipv4Addr>,
    /// Other end, if it differs from `address`.
    pub peer: Option<IpAddr>,
    /// `IFA_PROTO`; 18 is keepalived's. 0 where the kernel does not say.
    pub protocol: u8,
    /// Preferred lifetime in seconds; `None` is for ever.
    pub preferred_lifetime: Option<u32>,
}

/// What tells one address of a machine from another: link, address, prefix length.
pub type AddressKey = (LinkIndex, IpAddr, u8);

impl Address {
    /// An address with nothing out of the ordinary: global, without flags, label, broadcast, other end, origin or end.
    pub const fn plain(link: LinkIndex, address: IpAddr, prefix: u8) -> Self {
        Self {
            link,
            address,
            prefix,
            scope: 0,
            flags: 0,
            label: None,
            broadcast: None,
            peer: None,
            protocol: 0,
            preferred_lifetime: None,
        }
    }

    /// `IFA_F_*` that are asked for; the others are the kernel's own remarks (permanent, tentative, secondary …).
    pub const ASKED_FOR: u32 = libc::IFA_F_NODAD
        | libc::IFA_F_HOMEADDRESS
        | libc::IFA_F_MANAGETEMPADDR
        | libc::IFA_F_NOPREFIXROUTE
        | IFA_F_MCAUTOJOIN;

    /// `IFA_F_SECONDARY`: there was another address of its network before it. Only for IPv4.
    pub const SECONDARY: u32 = 0x01;

    /// Whether this IPv4 address and `other` are on one link and in one network: the later of them is a secondary address of
    /// the earlier.
    pub fn shares_network(&self, other: &Self) -> bool {
        (self.link, self.prefix) == (other.link, other.prefix)
            && self.network().is_some_and(|network| Some(network) == other.network())
    }

    /// The network that its far end is in.
    fn network(&self) -> Option<u32> {
        match self.peer.unwrap_or(self.address) {
            IpAddr::V4(ip) => Some(ip.to_bits().checked_shr(32_u32.saturating_sub(self.prefix.into())).unwrap_or(0)),
            IpAddr::V6(_) => None,
        }
    }

    /// Which address it is.
    pub fn key(&self) -> AddressKey {
        (self.link, self.address, self.prefix)
    }

    /// Whether this address, as the kernel has it, is what `wish` asks for. A lifetime that runs is as good as another;
    /// who put it there (`protocol`) does not matter.
    pub fn fulfils(&self, wish: &Self) -> bool {
        self.fulfils_but_lifetime(wish) && kind_of(self.preferred_lifetime) == kind_of(wish.preferred_lifetime)
    }

    /// The same, whatever the lifetime.
    pub(crate) fn fulfils_but_lifetime(&self, wish: &Self) -> bool {
        let same = self.key() == wish.key()
            && self.peer.filter(|peer| *peer != self.address) == wish.peer.filter(|peer| *peer != wish.address)
            && self.flags & Self::ASKED_FOR == wish.flags & Self::ASKED_FOR;
        // of an IPv6 address the kernel works out the scope, and it has neither label nor broadcast
        same && (self.address.is_ipv6()
            || (self.scope, self.label, self.broadcast) == (wish.scope, wish.label, wish.broadcast))
    }
}

const IFA_F_MCAUTOJOIN: u32 = 0x400;

/// Kinds of lifetime: for ever, over, running.
fn kind_of(lifetime: Option<u32>) -> u8 {
    match lifetime {
        None => 0,
        Some(0) => 1,
        Some(_) => 2,
    }
}

/// What the kernel tells without being asked, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NetworkEvent {
    /// New, or something about it changed (renamed, up, down, other MAC).
    Link(Link),
    /// Gone.
    LinkRemoved(LinkIndex),
    /// New, or changed.
    Address(Address),
    /// Gone.
    AddressRemoved {
        /// From this link.
        link: LinkIndex,
        /// The address.
        address: IpAddr,
        /// With this prefix.
        prefix: u8,
    },
    /// Events were lost (ENOBUFS): read everything again.
    Overrun,
}

/// One wish. Both are idempotent: what is already so is success.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AddressChange {
    /// Ought to be there, just so.
    Present(Address),
    /// Ought not to be there.
    Absent {
        /// On this link.
        link: LinkIndex,
        /// The address.
        address: IpAddr,
        /// With this prefix.
        prefix: u8,
    },
}

impl AddressChange {
    /// Which address it is about.
    pub fn key(&self) -> AddressKey {
        match self {
            Self::Present(address) => address.key(),
            Self::Absent { link, address, prefix } => (*link, *address, *prefix),
        }
    }
}

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

/// Everything there is, read in one go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inventory {
    /// Links by ascending index.
    pub links: Vec<Link>,
    /// Addresses of both families.
    pub addresses: Vec<Address>,
    /// So much changed meanwhile that something may be missing: it had better be read again later.
    pub torn: bool,
}

/// Events of one call of [`Network::events`]. The caller sends adverts between two calls, and some events take it 60 µs each.
pub const MOST_EVENTS: usize = 128;

/// Links and addresses of the network namespace the process is in.
///
/// [`Network::inventory`] and [`Network::change`] wait for the kernel's lock for links (RTNL), which others may hold for long. The
/// rest does not.
pub trait Network {
    /// Reads everything, and again if the kernel says that it changed meanwhile, but not for long.
    ///
    /// # Errors
    /// The netlink socket failed.
    fn inventory(&mut self) -> std::io::Result<Inventory>;

    /// Applies `changes` in order, in as few system calls as possible; one result for each, in the same order.
    /// Never blocks for longer than the kernel works.
    fn change(&mut self, changes: &[AddressChange]) -> Vec<Result<(), Refused>>;

    /// Appends what has happened since the last call, at most [`MOST_EVENTS`]; false if there may be more.
    fn events(&mut self, out: &mut Vec<NetworkEvent>) -> bool;

    /// Sets `net.ipv4.conf.LINK.promote_secondaries`, and says what was in force before.
    ///
    /// # Errors
    /// `/proc/sys` could not be read or written.
    fn set_secondaries(&mut self, link: &Link, secondaries: Secondaries) -> std::io::Result<Secondaries>;

    /// The address that IPv6 packets to `peer` leave `link` from, if there is a route for them.
    fn source_towards(&mut self, peer: Ipv6Addr, link: LinkIndex) -> Option<Ipv6Addr>;

    /// Whether the machine forwards IPv6 packets that come in on `link` (`net.ipv6.conf.LINK.forwarding`); no if that
    /// cannot be read.
    fn forwards_ipv6(&mut self, link: &Link) -> bool;
}
