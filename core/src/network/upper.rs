//! Links that we make on others, for virtual MACs, and the settings that come with them.

use serde::{Deserialize, Serialize};

use super::{Key, LinkIndex};
use crate::address::InterfaceName;
use crate::vrrp::Family;

/// What a link on another one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpperKind {
    /// A macvlan in mode `private`: it has a MAC address of its own, and those on one link do not see each other.
    Macvlan,
    /// An ipvlan in mode `l2`: it has the MAC address of the link that it is on.
    Ipvlan(Siblings),
}

impl UpperKind {
    /// Whether both are made the same way. How ipvlans see each other is the same for all of a link, and the last one says.
    pub const fn is_like(self, other: Self) -> bool {
        matches!((self, other), (Self::Macvlan, Self::Macvlan) | (Self::Ipvlan(_), Self::Ipvlan(_)))
    }
}

/// How the ipvlans on one link see each other. The kernel has one answer for all of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Siblings {
    /// Directly.
    Bridge,
    /// Not at all.
    Private,
    /// By a switch outside.
    Vepa,
}

/// A link that we make on another one, and keep up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpperLink {
    /// The link that it is on.
    pub parent: LinkIndex,
    /// Its name.
    pub name: InterfaceName,
    /// What it is.
    pub kind: UpperKind,
    /// Its MAC address; `None` is the one of its parent.
    pub mac: Option<[u8; 6]>,
    /// Group of links.
    pub group: u32,
    /// The VRF that it is in.
    pub master: Option<LinkIndex>,
    /// The family of the addresses that come on it: settings of the link follow from that (`sysctl`s, which the kernel does not tell of).
    /// A macvlan has no address of the kernel's choice.
    pub family: Family,
    /// The kernel tells of the link below when this one comes and when it goes, though nothing about it that it would tell of has changed
    /// (`netlink_notify_msg`).
    pub tells_below: bool,
}

impl UpperLink {
    /// Which object it is.
    pub const fn key(&self) -> Key {
        Key::Upper(self.parent, self.name)
    }

    /// Whether this link, as the kernel has it, is what `wish` asks for. One that an administrator has taken down stays down.
    pub(super) fn fulfils(&self, wish: &Self) -> bool {
        self.becomes(wish) && (self.group, self.master) == (wish.group, wish.master)
    }

    /// Whether the kernel can make this link what `wish` asks for.
    pub(super) fn becomes(&self, wish: &Self) -> bool {
        (self.parent, self.name) == (wish.parent, wish.name)
            && self.kind.is_like(wish.kind)
            && (wish.mac.is_none() || self.mac == wish.mac)
    }
}

/// What a link says and answers in ARP (`net.ipv4.conf.LINK`), as far as virtual MACs on it need it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ArpSetting {
    /// `arp_ignore` 1: requests for an address are answered only by the link that has it.
    Ignore,
    /// `arp_filter` 1: requests are answered only by the link that the answer would leave by.
    Filter,
    /// `arp_announce` 2: requests name an address of the link that they leave by. Those that go before replies from a virtual address leave by
    /// the link below the virtual MAC, and would tell the neighbours that the virtual address has the MAC address of that link.
    Announce,
}

impl ArpSetting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ignore, Self::Filter, Self::Announce];

    /// The value that a virtual MAC needs.
    pub const fn needed(self) -> u8 {
        match self {
            Self::Ignore | Self::Filter => 1,
            Self::Announce => 2,
        }
    }

    /// What Linux calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignore => "arp_ignore",
            Self::Filter => "arp_filter",
            Self::Announce => "arp_announce",
        }
    }
}

/// The values of all [`ArpSetting`]s of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ArpSettings {
    /// `arp_ignore`
    pub ignore: u8,
    /// `arp_filter`
    pub filter: u8,
    /// `arp_announce`
    pub announce: u8,
}

impl ArpSettings {
    /// One of them.
    pub const fn get(&self, setting: ArpSetting) -> u8 {
        match setting {
            ArpSetting::Ignore => self.ignore,
            ArpSetting::Filter => self.filter,
            ArpSetting::Announce => self.announce,
        }
    }

    /// Another value for one of them.
    pub const fn set(&mut self, setting: ArpSetting, value: u8) {
        match setting {
            ArpSetting::Ignore => self.ignore = value,
            ArpSetting::Filter => self.filter = value,
            ArpSetting::Announce => self.announce = value,
        }
    }
}

/// A setting that stays while a virtual MAC needs it, with the value that it had before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Setting {
    /// A setting of ARP has the value that a virtual MAC needs.
    Arp {
        /// Of this link.
        link: LinkIndex,
        /// Which.
        setting: ArpSetting,
        /// What it was.
        before: u8,
    },
    /// `net.ipv4.conf.all.rp_filter` is 0, and `default` and each link have the value that `all` had, or a stricter one. Otherwise a
    /// virtual MAC would drop what it receives: there is no route by way of it.
    NoReversePathFilter {
        /// What it was for all.
        all: u8,
        /// What it was for links that come.
        default: u8,
    },
}

impl Setting {
    /// The link that it is of; `None`: all of them.
    pub const fn link(&self) -> Option<LinkIndex> {
        match self {
            Self::Arp { link, .. } => Some(*link),
            Self::NoReversePathFilter { .. } => None,
        }
    }
}
