//! Our table in the kernel's words.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_core::balance::{DestinationKey, Entry, Protocol, ServiceEntry, ServiceKey};

use super::comment;
use super::direct;
use super::message::{
    DROP, DYNAMIC, Data, Element, GOTO, Header, Hook, JUMP, Kind, MAP, RETURN, Set, TIMEOUT, Transaction,
};
use super::names::{self, Home, Kin, Lead, Map, kind};
use super::numbers::Span;
use super::packet::{
    CT_DIRECTION, CT_STATUS, FIRST, HASHED, META_PROTOCOL, NUMBER, REDIRECTED, SERVER, Seated, Server, after_address,
    load_destination, load_server_key, load_service_key, load_source, only_family, only_protocol, put_server, redirect,
    server_parts,
};
use super::persistence::Persistence;
use super::plan::{Draw, Group, Plan};
use super::seats::{GIVEN, Seats};
use crate::netlink::codec::Batch;

/// A service as it is in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) entry: Entry,
    /// In which table it is.
    pub(super) home: Home,
    /// What is drawn from, if there is a choice.
    pub(super) numbers: Option<Span>,
    /// By what its servers are remembered, if they are.
    pub(super) seats: BTreeMap<Server, u32>,
}

impl Known {
    /// A service that is to be; servers that it had keep their seats.
    pub(super) fn new(
        key: &ServiceKey,
        entry: Entry,
        numbers: Option<Span>,
        have: Option<&Self>,
        seats: &mut Seats,
    ) -> Self {
        let home = Home::of(key, &entry);
        let had = have.filter(|have| have.home == home);
        let seated = |to: &DestinationKey| {
            let server = names::server_of(home, key, to);
            (server, had.and_then(|had| had.seats.get(&server).copied()).unwrap_or_else(|| seats.take()))
        };
        let seats =
            if remembers(home, &entry) { entry.destinations.keys().map(seated).collect() } else { BTreeMap::new() };
        Self { entry, home, numbers, seats }
    }

    pub(super) fn kin(&self, key: &ServiceKey) -> Kin {
        Kin::of(key, self.home)
    }

    /// How many rules its chain has, and that of its persistence.
    pub(super) fn chains(&self, key: &ServiceKey) -> Vec<(String, usize)> {
        let rules = &Rendered::of(key, self).rules;
        let persistence = rules.persistence.iter().map(|it| (it.chain(), it.rules()));
        [(names::chain_of(key), rules.count())].into_iter().chain(persistence).collect()
    }

    /// How its clients stay with their servers.
    pub(super) fn persistence(&self, key: &ServiceKey) -> Option<Persistence> {
        Persistence::of(self.kin(key), &self.entry.service)
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

    /// Whether its servers that are remembered are those that there are.
    pub(super) fn is_seated(&self, key: &ServiceKey) -> bool {
        let servers = self.entry.destinations.keys().map(|to| names::server_of(self.home, key, to));
        let servers: BTreeSet<_> = servers.filter(|_| remembers(self.home, &self.entry)).collect();
        self.seats.keys().eq(&servers)
    }
}

/// Whether something is to remember its servers.
fn remembers(home: Home, entry: &Entry) -> bool {
    entry.service.persistence.is_some() || home != Home::Nat
}

/// How many numbers a service needs.
pub(super) fn needs(key: &ServiceKey, entry: &Entry) -> u32 {
    let home = Home::of(key, entry);
    let plan = Plan::of(home, key, entry);
    if !remembers(home, entry) && plan.only().is_some() {
        return 0;
    }
    plan.groups.iter().map(|group| group.total).max().unwrap_or(0)
}

/// Chains through which everything goes.
pub(super) const DISPATCH: &str = "dispatch";
const TRAFFIC: &str = "traffic";
const PREROUTING: Hook = Hook { kind: "nat", number: 0, priority: -100 };
const OUTPUT: Hook = Hook { kind: "nat", number: 3, priority: -100 };
const COUNT_PREROUTING: Hook = Hook { kind: "filter", number: 0, priority: 0 };
const COUNT_OUTPUT: Hook = Hook { kind: "filter", number: 3, priority: 0 };
/// After marks are set, before addresses are rewritten.
const DIRECT_PREROUTING: Hook = Hook { kind: "filter", number: 0, priority: -140 };
pub(super) const BALANCED: &str = "balanced";
/// Clients that all services of a kin remember: more are served, and not remembered. Connections by direct routing: no more are
/// served.
const MOST_REMEMBERED: u32 = 1 << 22;
/// So that two directors choose the same server for a client, as `sh` does.
const SEED: u32 = 0x6b61_7276;

/// Chains that must be there for a table to be ours and whole, and how many rules they have.
pub(super) fn chains(home: Home) -> Vec<(&'static str, usize)> {
    match home {
        Home::Nat => vec![
            (DISPATCH, 1 + home.kins().count()),
            (TRAFFIC, home.kins().count()),
            ("prerouting", 1),
            ("output", 1),
            ("traffic-prerouting", 1),
            ("traffic-output", 1),
        ],
        Home::Direct(family) => direct::chains(family).to_vec(),
    }
}

/// Every set that must be there, too.
pub(super) fn sets(home: Home) -> BTreeSet<String> {
    let of_kin = |kin: Kin| {
        let traffic = (home == Home::Nat).then(|| kin.traffic());
        [kin.services(), kin.weights(), kin.seats_of(), kin.clients()].into_iter().chain(traffic)
    };
    let seats = home.seats().into_iter().map(|(family, with_port)| names::seats(home, family, with_port).to_owned());
    let connections = [direct::CONNECTIONS, direct::CLOSING].into_iter().filter(|_| home != Home::Nat);
    let others = [BALANCED, GIVEN].into_iter().chain(connections).map(str::to_owned);
    home.kins().flat_map(of_kin).chain(seats).chain(others).collect()
}

/// A set of which nothing special is asked.
const fn set<'a>(name: &'a str, flags: u32, key: &'a [(u32, usize)], data: Data<'a>) -> Set<'a> {
    let native_key = matches!(key, [(kind::MARK, _)]);
    let native_data = matches!(data, Data::Value([(kind::MARK, _)]));
    Set { name, flags, key, data, most: None, native_key, native_data, counts: false }
}

const SEAT: (u32, usize) = (kind::MARK, 4);

/// Writes what all services of a table share.
pub(super) fn base(to: &mut Transaction, home: Home) {
    to.new_table();
    to.new_set(&set(BALANCED, 0, &[(kind::PROTOCOL, 1)], Data::None));
    to.elements(Kind::NEW_ELEMENTS, BALANCED, names::PROTOCOLS.map(|number| Element::Key(vec![number])));
    to.new_set(&set(GIVEN, 0, &[SEAT], Data::None));
    let remembered = |to: &mut Transaction, name: &str, key: &[_], seat| {
        let (flags, data) = if seat { (MAP, Data::Value(&[SEAT])) } else { (0, Data::None) };
        to.new_set(&Set { most: Some(MOST_REMEMBERED), ..set(name, TIMEOUT | DYNAMIC | flags, key, data) });
    };
    for kin in home.kins() {
        to.new_set(&set(&kin.services(), MAP, &kin.service_parts(), Data::Verdict));
        to.new_set(&set(&kin.weights(), MAP, &kin.weight_parts(), Data::Value(&[(kind::MARK, 4)])));
        to.new_set(&set(&kin.seats_of(), MAP, &kin.weight_parts(), Data::Value(&[SEAT])));
        remembered(to, &kin.clients(), &kin.client_parts(), true);
        if home == Home::Nat {
            to.new_set(&Set { counts: true, ..set(&kin.traffic(), 0, &kin.traffic_parts(), Data::None) });
        }
    }
    for (family, with_port) in home.seats() {
        let place = Data::Value(server_parts(family, with_port));
        // with NAT, `traffic` counts
        let counts = home != Home::Nat;
        to.new_set(&Set { counts, ..set(names::seats(home, family, with_port), MAP, &[SEAT], place) });
    }
    to.new_chain(DISPATCH, None);
    match home {
        Home::Nat => redirecting(to, home),
        Home::Direct(family) => {
            let parts = direct::connection_parts(family);
            remembered(to, direct::CONNECTIONS, &parts, true);
            remembered(to, direct::CLOSING, &parts, false);
            to.new_chain(direct::SEND, None);
            to.new_chain("prerouting", Some(DIRECT_PREROUTING));
            direct::write(to, home, family, comment::LAYOUT);
        }
    }
}

fn redirecting(to: &mut Transaction, home: Home) {
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
    for kin in home.kins() {
        to.new_rule(DISPATCH, None, |it| {
            load_service_key(it, kin, false);
            it.look_up(&kin.services(), FIRST, None);
        });
        to.new_rule(TRAFFIC, None, |it| {
            let next = load_service_key(it, kin, true);
            load_server_key(it, kin, next);
            it.in_set(&kin.traffic(), FIRST, false);
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

/// What the rules of a service depend on, besides its name.
#[derive(PartialEq, Eq)]
struct Rules<'a> {
    home: Home,
    service: &'a ServiceEntry,
    persistence: Option<Persistence>,
    /// Which maps numbers are looked up in, and from how many they are drawn; none if there is no choice.
    draws: Vec<(Map, u32)>,
    numbers: Option<Span>,
    draw: Draw,
    /// Some server. A packet that is on its way through the rules while numbers are exchanged may find its own gone.
    any: Option<Server>,
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

/// To what a number leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Server(Server),
    Seat(u32),
}

impl Target {
    fn octets(self) -> Vec<u8> {
        match self {
            Self::Server((address, port)) => names::endpoint(address, port),
            Self::Seat(seat) => seat.to_ne_bytes().to_vec(),
        }
    }
}

type Numbers = BTreeMap<(Map, u32), Target>;

/// All that the kernel is told of a service.
struct Rendered<'a> {
    kin: Kin,
    rules: Rules<'a>,
    /// Who has drawn which number.
    numbers: Numbers,
    /// Keys of sets, and what they lead to.
    elements: BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl<'a> Rendered<'a> {
    fn of(key: &ServiceKey, known: &'a Known) -> Self {
        let (entry, home, kin) = (&known.entry, known.home, known.kin(key));
        let plan = Plan::of(home, key, entry);
        let mut lists: Vec<(Map, u32, Vec<Target>)> = Vec::new();
        let page = known.numbers.map_or(0, Span::page);
        let map = |lead| Map { home, family: key.family(), lead, page };
        if remembers(home, entry) {
            let all = plan.groups.iter().flat_map(Group::numbers);
            let all: Vec<_> = all.filter_map(|server| known.seats.get(&server).copied().map(Target::Seat)).collect();
            if let Ok(total @ 1..) = u32::try_from(all.len()) {
                lists.push((map(Lead::Seats), total, all));
            }
        }
        if home == Home::Nat && plan.only().is_none() {
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
            home,
            service: &entry.service,
            persistence: known.persistence(key),
            draws,
            numbers: known.numbers,
            draw: plan.draw,
            any: plan.first(),
        };
        Self { kin, rules, numbers, elements: elements(kin, key, known) }
    }
}

/// What stands in the sets that all services share, but for the way to the chain.
fn elements(kin: Kin, key: &ServiceKey, known: &Known) -> BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>> {
    let servers = &known.entry.destinations;
    let weights = servers.iter().map(|(to, it)| (names::weight_octets(key, to), it.weight.to_ne_bytes().to_vec()));
    let mut elements: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::from([(kin.weights(), weights.collect())]);
    if kin.home == Home::Nat {
        let counted = servers.keys().map(|to| (names::traffic_octets(key, to), Vec::new()));
        elements.insert(kin.traffic(), counted.collect());
    }
    for (server, seat) in &known.seats {
        let seat = seat.to_ne_bytes().to_vec();
        elements.entry(kin.seats_of()).or_default().insert(names::seat_octets(key, *server), seat.clone());
        let seats = names::seats(kin.home, kin.family, server.1.is_some()).to_owned();
        elements.entry(seats).or_default().insert(seat, names::endpoint(server.0, server.1));
    }
    elements
}

/// Writes the difference between two states of a service. What is removed is taken from what is known to be there.
pub(super) fn service(to: &mut Transaction, key: &ServiceKey, have: Option<&Known>, want: Option<&Known>) {
    if let (Some(had), Some(wanted)) = (have, want)
        && had.home != wanted.home
    {
        service(to, key, have, None);
        return service(to, key, None, want);
    }
    let Some(home) = want.or(have).map(|known| known.home) else { return };
    to.at(home);
    let chain = names::chain_of(key);
    let services = Kin::of(key, home).services();
    let (old, new) = (have.map(|it| Rendered::of(key, it)), want.map(|it| Rendered::of(key, it)));
    match (&old, &new) {
        (None, Some(_)) => to.new_chain(&chain, None),
        (Some(_), None) => {
            to.elements(Kind::DELETE_ELEMENTS, &services, [Element::Key(names::service_octets(key))]);
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
            new.rules.write(to, key, &chain, new.kin);
        }
    }
    match (have, want) {
        (None, Some(_)) => {
            to.elements(Kind::NEW_ELEMENTS, &services, [Element::Chain(names::service_octets(key), chain)]);
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

impl Rules<'_> {
    /// How many there are.
    fn count(&self) -> usize {
        let persistent = usize::from(self.persistence.is_some());
        match (self.home, self.any) {
            (Home::Direct(_), Some(_)) => persistent + self.draws.len() * (2 + persistent) + 1,
            (Home::Nat | Home::Direct(_), _) => persistent + self.draws.len() + 1,
        }
    }

    /// Fills a service's chain, which is empty.
    fn write(&self, to: &mut Transaction, key: &ServiceKey, chain: &str, kin: Kin) {
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
                        self.remember(it, key, (*map, *total), kin, self.persistence.as_ref());
                    });
                    if self.home != Home::Nat && self.persistence.is_some() {
                        // no more clients can be remembered
                        to.new_rule(chain, None, |it| self.remember(it, key, (*map, *total), kin, None));
                    }
                    if self.home != Home::Nat {
                        // its number has just gone
                        to.new_rule(chain, None, |it| self.remember(it, key, (*map, 1), kin, None));
                    }
                }
            }
        }
        match (self.any, kin.home) {
            (Some(server), Home::Nat) => to.new_rule(chain, remark.take(), |it| {
                only_protocol(it, key, server.1.is_some());
                put_server(it, SERVER, server);
                redirect(it, key.family(), SERVER, server.1.is_some());
            }),
            // no more connections can be remembered
            (Some(_), Home::Direct(_)) => to.new_rule(chain, remark.take(), |it| it.verdict(DROP, None)),
            (None, home) => to.new_rule(chain, remark.take(), |it| it.reject(home)),
        }
    }

    /// Draws a seat and remembers it.
    fn remember(
        &self,
        it: &mut Batch,
        key: &ServiceKey,
        (map, total): (Map, u32),
        kin: Kin,
        persistence: Option<&Persistence>,
    ) {
        let seated = Seated::of(kin.home);
        self.draw(it, total, map);
        it.look_up(&map.name(), NUMBER, Some(seated.seat));
        it.through_mark(seated.seat, seated.spare);
        if let Some(persistence) = persistence {
            persistence.remember(it, seated.seat);
            if kin.home == Home::Nat {
                // another processor may have chosen for another packet of this client
                it.verdict(JUMP, Some(&persistence.chain()));
                return;
            }
        }
        let datagrams = !matches!(key, ServiceKey::Address { protocol: Protocol::Tcp | Protocol::Sctp, .. });
        direct::begin(it, kin.family, seated.seat, datagrams);
    }

    /// Draws a number.
    fn draw(&self, it: &mut Batch, total: u32, Map { home, family, lead, .. }: Map) {
        let only_family = |it: &mut Batch| {
            if home == Home::Nat {
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
