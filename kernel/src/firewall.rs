//! What the packet filter does for virtual routers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use keepalived_core::address::InterfaceName;
use keepalived_core::network::LinkIndex;
use keepalived_core::vrrp::Family;

/// Tables of nftables with the names, chains and sets of keepalived. Nothing in it: no tables.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Firewall {
    /// Name of the tables, one for each family.
    pub table: String,
    /// Priority of the chains.
    pub priority: i32,
    /// Links stand in sets by their numbers, not by their names.
    pub by_index: bool,
    /// Rules count.
    pub counters: bool,
    /// Virtual MACs by family, and the link below each: what the kernel says of groups (IGMP, MLD) on a virtual MAC leaves by the link
    /// below, or switches would learn that the virtual MAC is here.
    pub virtual_macs: BTreeMap<(Family, LinkIndex), LinkIndex>,
    /// Virtual MACs of IPv6, and the link-local address that each shares with the link below. Neighbours must not learn from the kernel that
    /// the address of the link below is at the virtual MAC.
    pub shared_link_local: BTreeSet<(Ipv6Addr, (LinkIndex, InterfaceName))>,
    /// Addresses that take and send no packets, of IPv4.
    pub closed_v4: BTreeSet<Ipv4Addr>,
    /// The same of IPv6, but for neighbour discovery. A link-local one means something on its link only.
    pub closed_v6: BTreeSet<(Ipv6Addr, Option<(LinkIndex, InterfaceName)>)>,
}

impl Firewall {
    /// Whether there is nothing to do for `family`.
    pub fn is_empty(&self, family: Family) -> bool {
        let closes = match family {
            Family::V4 => !self.closed_v4.is_empty(),
            Family::V6 => !self.closed_v6.is_empty(),
        };
        let shares = family == Family::V6 && !self.shared_link_local.is_empty();
        !closes && !shares && !self.virtual_macs.keys().any(|(of, _)| *of == family)
    }

    /// Whether it does something that `before` does not: that comes before the addresses.
    pub fn exceeds(&self, before: &Self) -> bool {
        let macs = self.virtual_macs.iter().any(|(link, below)| before.virtual_macs.get(link) != Some(below));
        let shares = !self.shared_link_local.is_subset(&before.shared_link_local);
        macs || shares || !self.closed_v4.is_subset(&before.closed_v4) || !self.closed_v6.is_subset(&before.closed_v6)
    }
}
