//! Links and addresses: what there is, what changed, and what ought to be there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

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
    /// `IFA_LABEL`
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
}

/// Links and addresses of the network namespace the process is in.
pub trait Network {
    /// Reads everything, repeating for as long as the kernel says that it changed meanwhile.
    ///
    /// # Errors
    /// The netlink socket failed.
    fn inventory(&mut self) -> std::io::Result<Inventory>;

    /// Applies `changes` in order, in as few system calls as possible; one result for each, in the same order.
    /// Never blocks for longer than the kernel works.
    fn change(&mut self, changes: &[AddressChange]) -> Vec<Result<(), Refused>>;

    /// Appends what has happened since the last call, at most about 1,000 events; false if there may be more.
    fn events(&mut self, out: &mut Vec<NetworkEvent>) -> bool;

    /// Sets `net.ipv4.conf.LINK.promote_secondaries`.
    ///
    /// # Errors
    /// `/proc/sys` could not be written.
    fn promote_secondaries(&mut self, link: &Link) -> std::io::Result<()>;
}
