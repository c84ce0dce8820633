//! How many packets and octets servers have got.

use std::io;

use keepalived_core::balance::{DestinationKey, ServiceKey};
use keepalived_core::vrrp::Family;

use super::keys;
use super::names;
use super::read::{self, NamedTable};
use super::render::Known;
use super::table::OurTable;
use super::tables::Tables;
use crate::netlink::exchange::Exchange;

/// How many packets and octets a server has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    /// Of this service. Services for all ports and fwmarks have one counter for servers of the same address.
    pub service: ServiceKey,
    /// The server.
    pub destination: DestinationKey,
    /// Packets from clients.
    pub packets: u64,
    /// What they had, from the IP header on.
    pub octets: u64,
}

/// Reads the counters of all services of `tables`, whose names begin with `prefix`.
pub(super) fn all(exchange: &mut Exchange, prefix: &str, tables: &Tables) -> io::Result<Vec<Count>> {
    let mut counts = Vec::new();
    for class in OurTable::Nat.classes() {
        let mut services = tables.services().iter().filter(|(key, known)| known.class(key) == class).peekable();
        if services.peek().is_none() {
            continue;
        }
        let at = NamedTable { table: class.table, prefix };
        let counted = read::counts(exchange, at, &class.traffic())?;
        count(&mut counts, services, |key, _, to| counted.get(&keys::traffic_octets(key, to)).copied());
    }
    for table in [OurTable::Direct(Family::V4), OurTable::Direct(Family::V6)] {
        let mut services = tables.services().iter().filter(|(_, known)| known.table == table).peekable();
        let [(family, with_port)] = *table.seats() else { continue };
        if services.peek().is_none() {
            continue;
        }
        let at = NamedTable { table, prefix };
        let counted = read::counts(exchange, at, names::seats(table, family, with_port))?;
        count(&mut counts, services, |key, known, to| {
            let seat = known.seats.get(&keys::server_of(table, key, to))?;
            counted.get(seat.to_ne_bytes().as_slice()).copied()
        });
    }
    Ok(counts)
}

/// Adds what the servers of `services` have counted.
fn count<'a>(
    counts: &mut Vec<Count>,
    services: impl Iterator<Item = (&'a ServiceKey, &'a Known)>,
    counted: impl Fn(&ServiceKey, &Known, &DestinationKey) -> Option<(u64, u64)>,
) {
    for (key, known) in services {
        for to in known.entry.destinations.keys() {
            if let Some((packets, octets)) = counted(key, known, to) {
                counts.push(Count { service: *key, destination: *to, packets, octets });
            }
        }
    }
}
