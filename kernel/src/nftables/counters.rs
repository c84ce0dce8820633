//! What servers have got.

use std::io;

use keepalived_core::balance::{DestinationKey, ServiceKey};
use keepalived_core::vrrp::Family;

use super::Nftables;
use super::names::{self, Home};
use super::read::{self, Place};
use super::render::Known;

/// What a server has got.
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

impl Nftables {
    /// What each server has got so far.
    ///
    /// # Errors
    /// The kernel does not answer, or the table is gone.
    pub fn counters(&mut self) -> io::Result<Vec<Count>> {
        let mut counts = Vec::new();
        for kin in Home::Nat.kins() {
            let mut services = self.services.iter().filter(|(key, known)| known.kin(key) == kin).peekable();
            if services.peek().is_none() {
                continue;
            }
            let place = Place { home: kin.home, name: &self.table };
            let counted = read::counts(&mut self.exchange, place, &kin.traffic())?;
            count(&mut counts, services, |key, _, to| counted.get(&names::traffic_octets(key, to)).copied());
        }
        for home in [Home::Direct(Family::V4), Home::Direct(Family::V6)] {
            let mut services = self.services.iter().filter(|(_, known)| known.home == home).peekable();
            let [(family, with_port)] = *home.seats() else { continue };
            if services.peek().is_none() {
                continue;
            }
            let place = Place { home, name: &self.table };
            let counted = read::counts(&mut self.exchange, place, names::seats(home, family, with_port))?;
            count(&mut counts, services, |key, known, to| {
                let seat = known.seats.get(&names::server_of(home, key, to))?;
                counted.get(seat.to_ne_bytes().as_slice()).copied()
            });
        }
        Ok(counts)
    }
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
