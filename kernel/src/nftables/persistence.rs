//! How a client stays with its server.

use keepalived_core::balance::{Granularity, ServiceEntry};
use keepalived_core::vrrp::Family;

use super::direct;
use super::expression::{DROP, Register};
use super::message::Transaction;
use super::names;
use super::packet::{FIRST, Seated, load_service_key, load_source, redirect};
use super::table::{FoundBy, OurTable, ServiceClass};
use crate::netlink::codec::Batch;

/// What services remember their clients by. All of a class remember in one map, `clients4`: service and client lead to
/// the server's seat. A seat is a number that no other server ever gets. It goes from the map of seats with its server:
/// all clients that remember the seat lose their server, and nothing searches for them.
///
/// Services with the same time and mask share a chain (`persistent4-300`) that serves clients which are known. It alone
/// looks into these maps: for each chain with a rule that does, the kernel goes through all their elements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Persistence {
    class: ServiceClass,
    seconds: u64,
    granularity: Option<Granularity>,
}

/// A connection that a known client opens is remembered at first for so long.
const NEW_CONNECTION: u64 = 60_000;

impl Persistence {
    pub(super) fn of(class: ServiceClass, service: &ServiceEntry) -> Option<Self> {
        Some(Self { class, seconds: service.persistence?.as_secs(), granularity: service.granularity })
    }

    /// The chain for clients that are known.
    pub(super) fn chain(&self) -> String {
        let Self { class, seconds, granularity } = self;
        let suffix = class.suffix();
        match granularity {
            None => format!("persistent{suffix}-{seconds}"),
            Some(Granularity::V4(mask)) => format!("persistent{suffix}-{seconds}-{mask}"),
            Some(Granularity::V6(prefix)) => format!("persistent{suffix}-{seconds}-{prefix}"),
        }
    }

    /// How many rules that chain has.
    pub(super) fn rules(&self) -> usize {
        self.ports().len() + 1
    }

    /// Whether servers have a port of their own: each of the maps of seats that the server may be in.
    fn ports(&self) -> &'static [bool] {
        match (self.class.table, self.class.found_by) {
            (OurTable::Nat, FoundBy::Port) => &[true],
            (OurTable::Nat, FoundBy::Mark | FoundBy::AnyPort) => &[true, false],
            (OurTable::Direct(_), _) => &[false],
        }
    }

    /// Makes the chain, or makes it anew.
    pub(super) fn write(&self, to: &mut Transaction) {
        let (chain, ServiceClass { table, family, .. }) = (self.chain(), self.class);
        to.new_chain(&chain, None);
        to.empty_chain(&chain);
        let seated = Seated::of(table);
        for with_port in self.ports() {
            to.new_rule(&chain, None, |it| {
                self.load_client(it);
                seated.look_up(it, &self.class.clients(), FIRST, names::seats(table, family, *with_port));
                self.remember_loaded(it, seated.seat);
                match table {
                    OurTable::Nat => redirect(it, family, seated.server, *with_port),
                    OurTable::Direct(_) => {
                        direct::remember(it, family, seated.seat, NEW_CONNECTION);
                        it.duplicate(seated.server);
                        it.verdict(DROP, None);
                    }
                }
            });
        }
        // its server is gone: the old entry would be in the way of the new one
        to.new_rule(&chain, None, |it| {
            self.load_client(it);
            it.forget(&self.class.clients(), FIRST, Some(FIRST));
        });
    }

    fn load_client(&self, it: &mut Batch) {
        let client = Register(load_service_key(it, self.class, false));
        load_source(it, self.class.family, client);
        let mask = match (self.granularity, self.class.family) {
            (Some(Granularity::V4(mask)), Family::V4) => mask.octets().to_vec(),
            (Some(Granularity::V6(prefix)), Family::V6) if prefix < 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                mask.to_be_bytes().to_vec()
            }
            _ => return,
        };
        it.mask(client, client, &mask);
    }

    /// Remembers the client's server.
    pub(super) fn remember(&self, it: &mut Batch, seat: Register) {
        self.load_client(it);
        self.remember_loaded(it, seat);
    }

    fn remember_loaded(&self, it: &mut Batch, seat: Register) {
        // no time at all would be for ever
        let milliseconds = self.seconds.saturating_mul(1000).max(1);
        it.remember(&self.class.clients(), FIRST, Some(seat), milliseconds);
    }
}
