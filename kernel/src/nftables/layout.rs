//! What all services of a table share: its sets, its maps, the chains through which every packet goes.

use std::collections::BTreeSet;

use super::comment;
use super::direct;
use super::expression::{GOTO, RETURN};
use super::keys;
use super::message::{DYNAMIC, Data, Element, Hook, Kind, MAP, Set, TIMEOUT, Transaction};
use super::names::{self, BALANCED, DISPATCH, Lead, Map};
use super::packet::{
    CT_DIRECTION, CT_STATUS, FIRST, META_PROTOCOL, REDIRECTED, load_server_key, load_service_key, server_parts,
};
use super::seats::GIVEN;
use super::table::{OurTable, ServiceClass, kind};

/// The chain that counts packets of connections.
const TRAFFIC: &str = "traffic";
const PREROUTING: Hook = Hook { kind: "nat", number: 0, priority: -100 };
const OUTPUT: Hook = Hook { kind: "nat", number: 3, priority: -100 };
const COUNT_PREROUTING: Hook = Hook { kind: "filter", number: 0, priority: 0 };
const COUNT_OUTPUT: Hook = Hook { kind: "filter", number: 3, priority: 0 };
/// After marks are set, before addresses are rewritten.
const DIRECT_PREROUTING: Hook = Hook { kind: "filter", number: 0, priority: -140 };
/// Clients that all services of a class remember: more are served, and not remembered. Connections by direct routing:
/// no more are served.
const MOST_REMEMBERED: u32 = 1 << 22;
/// Chains that must be there for a table to be ours and whole, and how many rules they have.
pub(super) fn chains(table: OurTable) -> Vec<(&'static str, usize)> {
    match table {
        OurTable::Nat => vec![
            (DISPATCH, 1 + table.classes().count()),
            (TRAFFIC, table.classes().count()),
            ("prerouting", 1),
            ("output", 1),
            ("traffic-prerouting", 1),
            ("traffic-output", 1),
        ],
        OurTable::Direct(family) => direct::chains(family).to_vec(),
    }
}

/// Every set that must be there, too.
pub(super) fn sets(table: OurTable) -> BTreeSet<String> {
    let of_class = |class: ServiceClass| {
        let traffic = (table == OurTable::Nat).then(|| class.traffic());
        [class.services(), class.weights(), class.seats_of(), class.clients()].into_iter().chain(traffic)
    };
    let seats = table.seats().into_iter().map(|(family, with_port)| names::seats(table, family, with_port).to_owned());
    let connections = [direct::CONNECTIONS, direct::CLOSING].into_iter().filter(|_| table != OurTable::Nat);
    let others = [BALANCED, GIVEN].into_iter().chain(connections).map(str::to_owned);
    table.classes().flat_map(of_class).chain(seats).chain(others).collect()
}

/// A set without options.
const fn set<'a>(name: &'a str, flags: u32, key: &'a [(u32, usize)], data: Data<'a>) -> Set<'a> {
    let native_key = matches!(key, [(kind::MARK, _)]);
    let native_data = matches!(data, Data::Value([(kind::MARK, _)]));
    Set { name, flags, key, data, most: None, native_key, native_data, counts: false }
}

const SEAT: (u32, usize) = (kind::MARK, 4);

/// Writes what all services of a table share.
pub(super) fn write(to: &mut Transaction, table: OurTable) {
    to.new_table();
    to.new_set(&set(BALANCED, 0, &[(kind::PROTOCOL, 1)], Data::None));
    to.elements(Kind::NEW_ELEMENTS, BALANCED, keys::PROTOCOLS.map(|number| Element::Key(vec![number])));
    to.new_set(&set(GIVEN, 0, &[SEAT], Data::None));
    let remembered = |to: &mut Transaction, name: &str, key: &[_], seat| {
        let (flags, data) = if seat { (MAP, Data::Value(&[SEAT])) } else { (0, Data::None) };
        to.new_set(&Set { most: Some(MOST_REMEMBERED), ..set(name, TIMEOUT | DYNAMIC | flags, key, data) });
    };
    for class in table.classes() {
        to.new_set(&set(&class.services(), MAP, &class.service_parts(), Data::Verdict));
        to.new_set(&set(&class.weights(), MAP, &class.weight_parts(), Data::Value(&[(kind::MARK, 4)])));
        to.new_set(&set(&class.seats_of(), MAP, &class.weight_parts(), Data::Value(&[SEAT])));
        remembered(to, &class.clients(), &class.client_parts(), true);
        if table == OurTable::Nat {
            to.new_set(&Set { counts: true, ..set(&class.traffic(), 0, &class.traffic_parts(), Data::None) });
        }
    }
    for (family, with_port) in table.seats() {
        let place = Data::Value(server_parts(family, with_port));
        // with NAT, `traffic` counts
        let counts = table != OurTable::Nat;
        to.new_set(&Set { counts, ..set(names::seats(table, family, with_port), MAP, &[SEAT], place) });
    }
    to.new_chain(DISPATCH, None);
    match table {
        OurTable::Nat => redirecting(to, table),
        OurTable::Direct(family) => {
            let parts = direct::connection_parts(family);
            remembered(to, direct::CONNECTIONS, &parts, true);
            remembered(to, direct::CLOSING, &parts, false);
            to.new_chain(direct::SEND, None);
            to.new_chain("prerouting", Some(DIRECT_PREROUTING));
            direct::write(to, table, family, comment::LAYOUT);
        }
    }
}

fn redirecting(to: &mut Transaction, table: OurTable) {
    to.new_chain(TRAFFIC, None);
    to.new_chain("prerouting", Some(PREROUTING));
    to.new_chain("output", Some(OUTPUT));
    to.new_chain("traffic-prerouting", Some(COUNT_PREROUTING));
    to.new_chain("traffic-output", Some(COUNT_OUTPUT));
    to.new_rule(DISPATCH, Some(comment::LAYOUT), |it| {
        it.meta(FIRST, META_PROTOCOL);
        it.in_set(BALANCED, FIRST, true);
        it.verdict(RETURN, None);
    });
    for class in table.classes() {
        to.new_rule(DISPATCH, None, |it| {
            load_service_key(it, class, false);
            it.look_up(&class.services(), FIRST, None);
        });
        to.new_rule(TRAFFIC, None, |it| {
            let next = load_service_key(it, class, true);
            load_server_key(it, class, next);
            it.in_set(&class.traffic(), FIRST, false);
            it.verdict(RETURN, None);
        });
    }
    for chain in ["prerouting", "output"] {
        to.new_rule(chain, None, |it| it.verdict(GOTO, Some(DISPATCH)));
    }
    for chain in ["traffic-prerouting", "traffic-output"] {
        to.new_rule(chain, None, |it| {
            it.connection(FIRST, CT_DIRECTION, false);
            it.equals(FIRST, &[0]);
            it.connection(FIRST, CT_STATUS, false);
            it.mask(FIRST, FIRST, &REDIRECTED.to_ne_bytes());
            it.differs(FIRST, &[0; 4]);
            it.verdict(GOTO, Some(TRAFFIC));
        });
    }
}

impl Map {
    /// Makes it.
    pub(super) fn make(self, to: &mut Transaction) {
        let data = match self.lead {
            Lead::Servers(with_port) => Data::Value(server_parts(self.family, with_port)),
            Lead::Seats => Data::Value(&[SEAT]),
        };
        to.new_set(&Set { native_key: true, ..set(&self.name(), MAP, &[(kind::INTEGER, 4)], data) });
    }
}
