//! One service in the kernel: its chain, its elements in maps and sets, and how they change.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_core::balance::{DestinationKey, Entry, ServiceKey};

use super::keys::{self, Server};
use super::message::{Element, Kind, Transaction};
use super::names::{self, Lead, Map};
use super::numbers::Span;
use super::persistence::Persistence;
use super::plan::{Group, Plan};
use super::rules::Rules;
use super::seats::Seats;
use super::table::{OurTable, ServiceClass};

/// A service as it is in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) entry: Entry,
    /// In which table it is.
    pub(super) table: OurTable,
    /// What is drawn from, if there is a choice.
    pub(super) numbers: Option<Span>,
    /// By what its servers are remembered, if they are.
    pub(super) seats: BTreeMap<Server, u32>,
}

impl Known {
    /// The next state of a service; servers that it had keep their seats.
    pub(super) fn new(
        key: &ServiceKey,
        entry: Entry,
        numbers: Option<Span>,
        have: Option<&Self>,
        seats: &mut Seats,
    ) -> Self {
        let table = OurTable::of(key, &entry);
        let had = have.filter(|have| have.table == table);
        let seated = |to: &DestinationKey| {
            let server = keys::server_of(table, key, to);
            (server, had.and_then(|had| had.seats.get(&server).copied()).unwrap_or_else(|| seats.take()))
        };
        let seats =
            if remembers(table, &entry) { entry.destinations.keys().map(seated).collect() } else { BTreeMap::new() };
        Self { entry, table, numbers, seats }
    }

    pub(super) fn class(&self, key: &ServiceKey) -> ServiceClass {
        ServiceClass::of(key, self.table)
    }

    /// How many rules its chain has, and that of its persistence.
    pub(super) fn chains(&self, key: &ServiceKey) -> Vec<(String, usize)> {
        let rules = &Rendered::of(key, self).rules;
        let persistence = rules.persistence.iter().map(|it| (it.chain(), it.rules()));
        [(names::chain_of(key), rules.count())].into_iter().chain(persistence).collect()
    }

    /// How its clients stay with their servers.
    pub(super) fn persistence(&self, key: &ServiceKey) -> Option<Persistence> {
        Persistence::of(self.class(key), &self.entry.service)
    }

    /// Who has drawn which number: the key, and what it leads to.
    pub(super) fn elements(&self, key: &ServiceKey) -> Vec<(Map, u32, Vec<u8>)> {
        let numbers = Rendered::of(key, self).numbers.into_iter();
        numbers.map(|((map, number), target)| (map, number, target.octets())).collect()
    }

    /// The maps that its rules look numbers up in.
    pub(super) fn maps(&self, key: &ServiceKey) -> Vec<Map> {
        Rendered::of(key, self).rules.draws.into_iter().map(|(map, _)| map).collect()
    }

    /// Whether exactly its servers have seats.
    pub(super) fn is_seated(&self, key: &ServiceKey) -> bool {
        let servers = self.entry.destinations.keys().map(|to| keys::server_of(self.table, key, to));
        let servers: BTreeSet<_> = servers.filter(|_| remembers(self.table, &self.entry)).collect();
        self.seats.keys().eq(&servers)
    }
}

/// Whether something is to remember its servers.
fn remembers(table: OurTable, entry: &Entry) -> bool {
    entry.service.persistence.is_some() || table != OurTable::Nat
}

/// How many numbers a service needs.
pub(super) fn needs(key: &ServiceKey, entry: &Entry) -> u32 {
    let table = OurTable::of(key, entry);
    let plan = Plan::of(table, key, entry);
    if !remembers(table, entry) && plan.only().is_some() {
        return 0;
    }
    plan.groups.iter().map(|group| group.total).max().unwrap_or(0)
}

/// To what a number leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Server(Server),
    Seat(u32),
}

impl Target {
    fn octets(self) -> Vec<u8> {
        match self {
            Self::Server((address, port)) => keys::endpoint(address, port),
            Self::Seat(seat) => seat.to_ne_bytes().to_vec(),
        }
    }
}

type Numbers = BTreeMap<(Map, u32), Target>;

/// All that the kernel is told of a service.
struct Rendered<'a> {
    class: ServiceClass,
    rules: Rules<'a>,
    /// Who has drawn which number.
    numbers: Numbers,
    /// Keys of sets, and what they lead to.
    elements: BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl<'a> Rendered<'a> {
    fn of(key: &ServiceKey, known: &'a Known) -> Self {
        let (entry, table, class) = (&known.entry, known.table, known.class(key));
        let plan = Plan::of(table, key, entry);
        let mut lists: Vec<(Map, u32, Vec<Target>)> = Vec::new();
        let page = known.numbers.map_or(0, Span::page);
        let map = |lead| Map { table, family: key.family(), lead, page };
        if remembers(table, entry) {
            let all = plan.groups.iter().flat_map(Group::numbers);
            let all: Vec<_> = all.filter_map(|server| known.seats.get(&server).copied().map(Target::Seat)).collect();
            if let Ok(total @ 1..) = u32::try_from(all.len()) {
                lists.push((map(Lead::Seats), total, all));
            }
        }
        if table == OurTable::Nat && plan.only().is_none() {
            let servers = |group: &Group| group.numbers().into_iter().map(Target::Server).collect();
            lists.extend(plan.groups.iter().map(|it| (map(Lead::Servers(it.with_port)), it.total, servers(it))));
        }
        let draws = lists.iter().map(|(map, total, _)| (*map, *total)).collect();
        let first = known.numbers.map_or(0, |span| span.first);
        let numbers = lists
            .into_iter()
            .flat_map(|(map, _, list)| (first..).zip(list).map(move |(number, target)| ((map, number), target)));
        let numbers = numbers.collect();
        let rules = Rules {
            table,
            service: &entry.service,
            persistence: known.persistence(key),
            draws,
            numbers: known.numbers,
            draw: plan.draw,
            any: plan.first(),
        };
        Self { class, rules, numbers, elements: elements(class, key, known) }
    }
}

/// What stands in the sets that all services share, but for the way to the chain.
fn elements(class: ServiceClass, key: &ServiceKey, known: &Known) -> BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>> {
    let servers = &known.entry.destinations;
    let weights = servers.iter().map(|(to, it)| (keys::weight_octets(key, to), it.weight.to_ne_bytes().to_vec()));
    let mut elements: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::from([(class.weights(), weights.collect())]);
    if class.table == OurTable::Nat {
        let counted = servers.keys().map(|to| (keys::traffic_octets(key, to), Vec::new()));
        elements.insert(class.traffic(), counted.collect());
    }
    for (server, seat) in &known.seats {
        let seat = seat.to_ne_bytes().to_vec();
        elements.entry(class.seats_of()).or_default().insert(keys::seat_octets(key, *server), seat.clone());
        let seats = names::seats(class.table, class.family, server.1.is_some()).to_owned();
        elements.entry(seats).or_default().insert(seat, keys::endpoint(server.0, server.1));
    }
    elements
}

/// Writes the difference between two states of a service. What is removed is taken from what is known to be there.
pub(super) fn service(to: &mut Transaction, key: &ServiceKey, have: Option<&Known>, want: Option<&Known>) {
    if let (Some(had), Some(wanted)) = (have, want)
        && had.table != wanted.table
    {
        service(to, key, have, None);
        return service(to, key, None, want);
    }
    let Some(table) = want.or(have).map(|known| known.table) else { return };
    to.at(table);
    let chain = names::chain_of(key);
    let services = ServiceClass::of(key, table).services();
    let (old, new) = (have.map(|it| Rendered::of(key, it)), want.map(|it| Rendered::of(key, it)));
    match (&old, &new) {
        (None, Some(_)) => to.new_chain(&chain, None),
        (Some(_), None) => {
            to.elements(Kind::DELETE_ELEMENTS, &services, [Element::Key(keys::service_octets(key))]);
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
    let same_rules = old.as_ref().map(|it| &it.rules) == new.as_ref().map(|it| &it.rules);
    if !same_rules {
        to.empty_chain(&chain);
    }
    remove_numbers(to, old.as_ref(), new.as_ref());
    servers(to, old.as_ref(), new.as_ref());
    if let Some(new) = &new {
        add_numbers(to, old.as_ref(), new);
        if !same_rules {
            new.rules.write(to, key, &chain, new.class);
        }
    }
    match (have, want) {
        (None, Some(_)) => {
            to.elements(Kind::NEW_ELEMENTS, &services, [Element::Chain(keys::service_octets(key), chain)]);
        }
        (Some(_), None) => to.delete_chain(&chain),
        (None, None) | (Some(_), Some(_)) => {}
    }
}

/// The numbers of `all` that are not the same in `other`, map by map.
fn changed(all: &Numbers, other: Option<&Numbers>) -> BTreeMap<Map, Vec<(u32, Target)>> {
    let mut changed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (at @ (map, number), target) in all {
        if other.and_then(|other| other.get(at)) != Some(target) {
            changed.entry(*map).or_default().push((*number, *target));
        }
    }
    changed
}

fn remove_numbers(to: &mut Transaction, old: Option<&Rendered<'_>>, new: Option<&Rendered<'_>>) {
    let Some(old) = old else { return };
    for (map, gone) in changed(&old.numbers, new.map(|new| &new.numbers)) {
        let gone = gone.into_iter().map(|(number, _)| Element::Key(number.to_ne_bytes().to_vec()));
        to.elements(Kind::DELETE_ELEMENTS, &map.name(), gone);
    }
}

fn add_numbers(to: &mut Transaction, old: Option<&Rendered<'_>>, new: &Rendered<'_>) {
    for (map, come) in changed(&new.numbers, old.map(|old| &old.numbers)) {
        let come =
            come.into_iter().map(|(number, target)| Element::Value(number.to_ne_bytes().to_vec(), target.octets()));
        to.elements(Kind::NEW_ELEMENTS, &map.name(), come);
    }
}

/// Weights, counters and seats: what stays is not touched.
fn servers(to: &mut Transaction, old: Option<&Rendered<'_>>, new: Option<&Rendered<'_>>) {
    let none = BTreeMap::new();
    let (had, has) = (old.map_or(&none, |it| &it.elements), new.map_or(&none, |it| &it.elements));
    let nothing = BTreeMap::new();
    for (set, had) in had {
        let has = has.get(set).unwrap_or(&nothing);
        let gone = had.iter().filter(|(key, value)| has.get(*key) != Some(value));
        to.elements(Kind::DELETE_ELEMENTS, set, gone.map(|(key, _)| Element::Key(key.clone())));
    }
    for (set, has) in has {
        let had = had.get(set).unwrap_or(&nothing);
        let come = has.iter().filter(|(key, value)| had.get(*key) != Some(value));
        let element = |(key, value): (&Vec<u8>, &Vec<u8>)| {
            if value.is_empty() { Element::Key(key.clone()) } else { Element::Value(key.clone(), value.clone()) }
        };
        to.elements(Kind::NEW_ELEMENTS, set, come.map(element));
    }
}
