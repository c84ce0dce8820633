//! Links, addresses, routes and policy rules of a machine, as its kernel describes them.

use std::net::{IpAddr, Ipv4Addr};

use crate::address::{InterfaceLabel, InterfaceName};
use crate::desired;

pub mod route;
pub mod rule;
mod table;
mod upper;

pub use route::{Hop, Placement, Prefix, Route, RouteKey};
pub use rule::Rule;
pub use table::NetworkTable;
pub use upper::{ArpSetting, ArpSettings, Setting, Siblings, UpperKind, UpperLink};

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
    /// `IFF_UP`: an administrator wants it; it may have no carrier. Routes need no more.
    pub up: bool,
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
    /// `IFLA_VRF_TABLE`: its routing table, if it is a VRF.
    pub vrf: Option<u32>,
    /// `IFLA_LINK`, if that is in this network namespace: the link that it is on, or the other end of a veth.
    pub parent: Option<LinkIndex>,
    /// What it is, if it is a link such as we make on others.
    pub upper: Option<UpperKind>,
    /// `IFLA_GROUP`; 0 is the default one.
    pub group: u32,
    /// `IFLA_MASTER`: the VRF or bridge that it is in.
    pub master: Option<LinkIndex>,
    /// Settings of ARP when the kernel last told of the link: it does not tell of a change.
    pub arp: ArpSettings,
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
    pub const ASKED_FOR: u32 =
        Self::NO_DAD | Self::HOME | Self::MANAGE_TEMPORARIES | Self::NO_PREFIX_ROUTE | Self::AUTOJOIN;

    /// `IFA_F_NODAD`
    pub const NO_DAD: u32 = 0x02;
    /// `IFA_F_HOMEADDRESS`
    pub const HOME: u32 = 0x10;
    /// `IFA_F_MANAGETEMPADDR`
    pub const MANAGE_TEMPORARIES: u32 = 0x100;
    /// `IFA_F_NOPREFIXROUTE`
    pub const NO_PREFIX_ROUTE: u32 = 0x200;
    /// `IFA_F_MCAUTOJOIN`
    pub const AUTOJOIN: u32 = 0x400;

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

    /// Whether the kernel would remove it together with the primary address of its network.
    pub const fn is_secondary(&self) -> bool {
        self.flags & Self::SECONDARY != 0
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
    pub fn fulfils_but_lifetime(&self, wish: &Self) -> bool {
        let same = self.key() == wish.key()
            && self.peer.filter(|peer| *peer != self.address) == wish.peer.filter(|peer| *peer != wish.address)
            && self.flags & Self::ASKED_FOR == wish.flags & Self::ASKED_FOR;
        // of an IPv6 address the kernel works out the scope, and it has neither label nor broadcast
        same && (self.address.is_ipv6()
            || (self.scope, self.label, self.broadcast) == (wish.scope, wish.label, wish.broadcast))
    }
}

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
    /// A route of ours ([`route::OUR_PROTOCOL`]) is new, or changed.
    Route(Box<Route>),
    /// A route of ours is gone. Of IPv4 routes that go with their link or their source address the kernel does not tell.
    RouteRemoved(RouteKey),
    /// A rule of ours is new.
    Rule(Rule),
    /// A rule of ours is gone.
    RuleRemoved(Rule),
    /// `net.ipv4.conf.LINK.rp_filter` has another value; without a link that of `all`.
    ReversePathFilter {
        /// Of this link.
        link: Option<LinkIndex>,
        /// What it is now.
        value: u8,
    },
    /// Something of the table of the packet filter that is ours was removed, or it is not known whether it was.
    FirewallLost(crate::vrrp::Family),
    /// Events were lost (ENOBUFS): read everything again.
    Overrun,
}

/// Everything there is, read in one go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inventory {
    /// Links by ascending index.
    pub links: Vec<Link>,
    /// Addresses of both families.
    pub addresses: Vec<Address>,
    /// Routes of ours, of both families: a machine may have a million others.
    pub routes: Vec<Route>,
    /// Rules of ours, of both families.
    pub rules: Vec<Rule>,
    /// So much changed meanwhile that something may be missing: it had better be read again later.
    pub torn: bool,
}

/// What a router wants the kernel to have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Object {
    /// A link that is up. It is there or it is not: others need it, and it is not asked for.
    Link(Link),
    /// A link on another one, that we make.
    Upper(Box<UpperLink>),
    /// A setting of a link, or of all of them.
    Setting(Setting),
    /// An address.
    Address(Address),
    /// A route.
    Route(Box<Route>),
    /// A policy rule.
    Rule(Rule),
}

/// Which object it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// A link that is up.
    Link(LinkIndex),
    /// A link on this one, by its name.
    Upper(LinkIndex, InterfaceName),
    /// A setting.
    Setting(Setting),
    /// An address.
    Address(AddressKey),
    /// A route.
    Route(RouteKey),
    /// A policy rule.
    Rule(Rule),
}

impl Key {
    /// The key of an address, if it is one.
    pub const fn address(self) -> Option<AddressKey> {
        match self {
            Self::Address(key) => Some(key),
            Self::Link(_) | Self::Upper(..) | Self::Setting(_) | Self::Route(_) | Self::Rule(_) => None,
        }
    }

    /// Whether the object goes with this link for good: nothing with that number comes back.
    pub fn is_on(&self, link: LinkIndex) -> bool {
        match self {
            Self::Link(index) | Self::Address((index, _, _)) | Self::Upper(index, _) => *index == link,
            Self::Setting(setting) => setting.link() == Some(link),
            Self::Route(route) => route.link == Some(link),
            Self::Rule(_) => false,
        }
    }
}

/// One change of what the kernel has.
pub type Change = desired::Change<Object>;

impl desired::Object for Object {
    type Key = Key;

    const RANKS: usize = 5;

    fn key(&self) -> Key {
        match self {
            Self::Link(link) => Key::Link(link.index),
            Self::Upper(link) => link.key(),
            Self::Setting(setting) => Key::Setting(*setting),
            Self::Address(address) => Key::Address(address.key()),
            Self::Route(route) => Key::Route(route.key()),
            Self::Rule(rule) => Key::Rule(*rule),
        }
    }

    fn rank(key: &Key) -> usize {
        match key {
            Key::Link(_) | Key::Upper(..) => 0,
            Key::Setting(_) => 1,
            Key::Address(_) => 2,
            Key::Route(_) => 3,
            Key::Rule(_) => 4,
        }
    }

    fn needs(&self) -> Vec<Key> {
        match self {
            // the number of its link says that this is there; a rule may name links and tables that are not there
            Self::Link(_) | Self::Upper(_) | Self::Setting(_) | Self::Address(_) | Self::Rule(_) => Vec::new(),
            Self::Route(route) => {
                let links = route.hops.iter().filter_map(|hop| hop.link).map(Key::Link);
                links.chain(route.source_at.map(Key::Address)).collect()
            }
        }
    }

    fn fulfils(&self, wish: &Self) -> bool {
        match (self, wish) {
            (Self::Link(there), Self::Link(wish)) => there.index == wish.index,
            (Self::Upper(there), Self::Upper(wish)) => there.fulfils(wish),
            (Self::Setting(there), Self::Setting(wish)) => there == wish,
            (Self::Address(there), Self::Address(wish)) => there.fulfils(wish),
            (Self::Route(there), Self::Route(wish)) => there.fulfils(wish),
            (Self::Rule(there), Self::Rule(wish)) => there == wish,
            (
                Self::Link(_) | Self::Upper(_) | Self::Setting(_) | Self::Address(_) | Self::Route(_) | Self::Rule(_),
                _,
            ) => false,
        }
    }

    fn becomes(&self, wish: &Self) -> bool {
        matches!((self, wish), (Self::Upper(there), Self::Upper(wish)) if there.becomes(wish))
    }
}
