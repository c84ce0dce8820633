//! The rules of one service.

use keepalived_core::balance::{Protocol, ServiceEntry, ServiceKey};

use super::comment;
use super::direct;
use super::expression::{DROP, Header, JUMP};
use super::keys::Server;
use super::message::Transaction;
use super::names::{Lead, Map};
use super::numbers::Span;
use super::packet::{
    HASHED, NUMBER, SERVER, Seated, after_address, load_destination, load_source, only_family, only_protocol,
    put_server, redirect,
};
use super::persistence::Persistence;
use super::plan::Draw;
use super::table::{OurTable, ServiceClass};
use crate::netlink::codec::Batch;

/// So that two directors choose the same server for a client, as `sh` does.
const SEED: u32 = 0x6b61_7276;

/// What the rules of a service depend on, besides its name.
#[derive(PartialEq, Eq)]
pub(super) struct Rules<'a> {
    pub(super) table: OurTable,
    pub(super) service: &'a ServiceEntry,
    pub(super) persistence: Option<Persistence>,
    /// Which maps numbers are looked up in, and from how many they are drawn; none if there is no choice.
    pub(super) draws: Vec<(Map, u32)>,
    pub(super) numbers: Option<Span>,
    pub(super) draw: Draw,
    /// Some server. A packet that is on its way through the rules while numbers are exchanged may find its own gone.
    pub(super) any: Option<Server>,
}

impl Rules<'_> {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        let persistent = usize::from(self.persistence.is_some());
        match (self.table, self.any) {
            (OurTable::Direct(_), Some(_)) => persistent + self.draws.len() * (2 + persistent) + 1,
            (OurTable::Nat | OurTable::Direct(_), _) => persistent + self.draws.len() + 1,
        }
    }

    /// Fills a service's chain, which is empty.
    pub(super) fn write(&self, to: &mut Transaction, key: &ServiceKey, chain: &str, class: ServiceClass) {
        let remark = comment::write(self.service, self.numbers);
        let mut remark = Some(remark.as_str());
        if let Some(persistence) = &self.persistence {
            // a client that is known stays where it is, and is known for longer
            to.new_rule(chain, remark.take(), |it| it.verdict(JUMP, Some(&persistence.chain())));
        }
        for (map, total) in &self.draws {
            match map.lead {
                Lead::Servers(with_port) => to.new_rule(chain, remark.take(), |it| {
                    only_protocol(it, key, with_port);
                    self.draw(it, *total, *map);
                    it.look_up(&map.name(), NUMBER, Some(SERVER));
                    redirect(it, map.family, SERVER, with_port);
                }),
                Lead::Seats => {
                    to.new_rule(chain, remark.take(), |it| {
                        self.remember(it, key, (*map, *total), class, self.persistence.as_ref());
                    });
                    if self.table != OurTable::Nat && self.persistence.is_some() {
                        // no more clients can be remembered
                        to.new_rule(chain, None, |it| self.remember(it, key, (*map, *total), class, None));
                    }
                    if self.table != OurTable::Nat {
                        // its number has just gone
                        to.new_rule(chain, None, |it| self.remember(it, key, (*map, 1), class, None));
                    }
                }
            }
        }
        match (self.any, class.table) {
            (Some(server), OurTable::Nat) => to.new_rule(chain, remark.take(), |it| {
                only_protocol(it, key, server.1.is_some());
                put_server(it, SERVER, server);
                redirect(it, key.family(), SERVER, server.1.is_some());
            }),
            // no more connections can be remembered
            (Some(_), OurTable::Direct(_)) => to.new_rule(chain, remark.take(), |it| it.verdict(DROP, None)),
            (None, table) => to.new_rule(chain, remark.take(), |it| it.reject(table)),
        }
    }

    /// Draws a seat and remembers it.
    fn remember(
        &self,
        it: &mut Batch,
        key: &ServiceKey,
        (map, total): (Map, u32),
        class: ServiceClass,
        persistence: Option<&Persistence>,
    ) {
        let seated = Seated::of(class.table);
        self.draw(it, total, map);
        it.look_up(&map.name(), NUMBER, Some(seated.seat));
        it.through_mark(seated.seat, seated.spare);
        if let Some(persistence) = persistence {
            persistence.remember(it, seated.seat);
            if class.table == OurTable::Nat {
                // another processor may have chosen for another packet of this client
                it.verdict(JUMP, Some(&persistence.chain()));
                return;
            }
        }
        let datagrams = !matches!(key, ServiceKey::Address { protocol: Protocol::Tcp | Protocol::Sctp, .. });
        direct::begin(it, class.family, seated.seat, datagrams);
    }

    /// Draws a number.
    fn draw(&self, it: &mut Batch, total: u32, Map { table, family, lead, .. }: Map) {
        let only_family = |it: &mut Batch| {
            if table == OurTable::Nat {
                only_family(it, family);
            }
        };
        // another seed: who is here has a hash that the group before had no server for
        let seed = if lead == Lead::Servers(false) { !SEED } else { SEED };
        let numbers = (self.numbers.map_or(0, |span| span.first), total);
        match self.draw {
            Draw::Turn => it.generate(NUMBER, numbers, false),
            Draw::Chance => it.generate(NUMBER, numbers, true),
            Draw::Source { port } => {
                only_family(it);
                let octets = load_source(it, family, HASHED);
                if port {
                    it.payload(after_address(family, HASHED), Header::Transport, 0, 2);
                }
                it.hash((HASHED, octets + if port { 4 } else { 0 }), NUMBER, numbers, seed);
            }
            Draw::Destination => {
                only_family(it);
                let next = load_destination(it, family, HASHED);
                it.hash((HASHED, (next - HASHED.0) * 4), NUMBER, numbers, seed);
            }
        }
    }
}
