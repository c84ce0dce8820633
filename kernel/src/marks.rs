//! Marks on packets, so that one service of the load balancer answers for many addresses and ports.

use std::io;
use std::net::IpAddr;

use keepalived_core::balance::Protocol;
use keepalived_core::vrrp::Family;

pub use crate::nftables::marking::Marking;

/// A table of nftables with the chain and the maps of keepalived. Without ranges there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// Name of the tables, one for each family.
    pub table: String,
    /// Priority of the chains: before IPVS sees a packet, which is at 98.
    pub priority: i32,
    /// Each element counts.
    pub counters: bool,
    /// Which packets get a mark. No packet is in two of these.
    pub ranges: Vec<MarkedRange>,
}

/// Packets that get a mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MarkedRange {
    /// Of the packets.
    pub protocol: Protocol,
    /// From this address on.
    pub first: IpAddr,
    /// To this one, of the same family.
    pub last: IpAddr,
    /// The first port and the last.
    pub ports: (u16, u16),
    /// The mark; not 0.
    pub mark: u32,
}

impl Marks {
    /// The ranges of `family`.
    pub fn of(&self, family: Family) -> impl Iterator<Item = &MarkedRange> {
        self.ranges.iter().filter(move |range| Family::of(range.first) == family)
    }

    /// Whether there is nothing to do for `family`.
    pub fn is_empty(&self, family: Family) -> bool {
        self.of(family).next().is_none()
    }
}

/// Removes the tables named `table` of the network namespace that the thread is in; there may be none.
///
/// # Errors
/// The kernel has no nftables, or refuses.
pub fn remove(table: &str) -> io::Result<()> {
    Marking::open(table)?.set(&Marks { table: table.to_owned(), ..Marks::default() })
}
