//! How many packets and octets servers have got from clients.

use std::collections::BTreeMap;
use std::io;

use keepalived_core::balance::{Counters, DestinationKey, ServiceKey, Traffic};
use keepalived_core::vrrp::Family;

use super::keys;
use super::names;
use super::read::{self, NamedTable};
use super::render::Known;
use super::table::OurTable;
use super::tables::Tables;
use crate::netlink::exchange::Exchange;

/// What has passed to the servers of each service.
pub(super) type Counts = BTreeMap<ServiceKey, BTreeMap<DestinationKey, Traffic>>;

/// Reads the counters of all services of `tables`, whose names begin with `prefix`. Services for all ports and fwmarks have one counter
/// for servers of the same address.
pub(super) fn all(exchange: &mut Exchange, prefix: &str, tables: &Tables) -> io::Result<Counts> {
    let mut counts = Counts::new();
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
    counts: &mut Counts,
    services: impl Iterator<Item = (&'a ServiceKey, &'a Known)>,
    counted: impl Fn(&ServiceKey, &Known, &DestinationKey) -> Option<(u64, u64)>,
) {
    for (key, known) in services {
        for to in known.entry.destinations.keys() {
            if let Some((packets_in, octets_in)) = counted(key, known, to) {
                let counters = Counters { packets_in, octets_in, ..Counters::default() };
                counts.entry(*key).or_default().insert(*to, Traffic { counters, ..Traffic::default() });
            }
        }
    }
}
