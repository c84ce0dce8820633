//! Our table in the kernel's words.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_core::balance::{DestinationKey, Entry, ServiceEntry, ServiceKey};

use super::comment;
use super::message::{DYNAMIC, Data, Element, GOTO, Header, Hook, Kind, MAP, RETURN, Set, TIMEOUT, Transaction};
use super::names::{self, Kin, Lead, Map, address_kind, kind};
use super::numbers::Span;
use super::packet::{
    CT_DIRECTION, CT_STATUS, FIRST, HASHED, META_PROTOCOL, NUMBER, REDIRECTED, SERVER, Server, after_address,
    load_destination, load_server_key, load_service_key, load_source, only_family, only_protocol, put_server, redirect,
    server_parts,
};
use super::persistence::Persistence;
use super::plan::{Draw, Group, Plan};
use crate::netlink::codec::Batch;

/// A service as it is in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) entry: Entry,
    pub(super) clients: Clients,
    /// What is drawn from, if there is a choice.
    pub(super) numbers: Option<Span>,
}

/// Which maps of clients a service has.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Clients {
    /// To servers with a port.
    pub(super) with_port: bool,
    /// To servers that get the port that the client asked for.
    pub(super) without: bool,
}

impl Clients {
    fn wanted(key: &ServiceKey, entry: &Entry) -> Self {
        let has = |with_port| {
            let mut servers = entry.destinations.keys();
            entry.service.persistence.is_some()
                && servers.any(|to| names::effective_port(key, to).is_some() == with_port)
        };
        Self { with_port: has(true), without: has(false) }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (bool, bool)> {
        [(true, self.with_port), (false, self.without)].into_iter()
    }
}

impl Known {
    pub(super) fn of(key: &ServiceKey, entry: Entry, numbers: Option<Span>) -> Self {
        Self { clients: Clients::wanted(key, &entry), entry, numbers }
    }

    /// How many rules each of its chains has.
    pub(super) fn chains(&self, key: &ServiceKey) -> Vec<(String, usize)> {
        let rendered = Rendered::of(key, self);
        let known = self.clients.iter().filter(|(_, has)| *has && self.entry.service.persistence.is_some()).count();
        let mut chains = vec![(names::chain_of(key), known + rendered.rules.draws.len() + 1)];
        chains.extend(rendered.chains().into_iter().map(|server| (names::server_chain_of(key, server), 4)));
        chains
    }

    /// Who has drawn which number: the key, and what it leads to.
    pub(super) fn elements(&self, key: &ServiceKey) -> Vec<(Map, u32, Vec<u8>)> {
        let place = |lead, server: Server| match lead {
            Lead::Servers(_) => names::endpoint(server.0, server.1),
            Lead::Chains => names::server_chain_of(key, server).into_bytes(),
        };
        let numbers = Rendered::of(key, self).numbers.into_iter();
        numbers.map(|((map, number), server)| (map, number, place(map.lead, server))).collect()
    }

    /// The maps that its rules look numbers up in.
    pub(super) fn maps(&self, key: &ServiceKey) -> Vec<Map> {
        Rendered::of(key, self).rules.draws.into_iter().map(|(map, _)| map).collect()
    }
}

/// How many numbers a service needs.
pub(super) fn needs(key: &ServiceKey, entry: &Entry) -> u32 {
    let plan = Plan::of(key, entry);
    if entry.service.persistence.is_none() && plan.only().is_some() {
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
/// What must be there for a table to be ours and whole.
pub(super) const CHAINS: [(&str, usize); 6] = [
    (DISPATCH, 1 + Kin::ALL.len()),
    (TRAFFIC, Kin::ALL.len()),
    ("prerouting", 1),
    ("output", 1),
    ("traffic-prerouting", 1),
    ("traffic-output", 1),
];
pub(super) const BALANCED: &str = "balanced";
/// Clients that a service remembers; more are served, and not remembered.
const MOST_CLIENTS: u32 = 1 << 20;
/// So that two directors choose the same server for a client, as `sh` does.
const SEED: u32 = 0x6b61_7276;

/// Every set of a whole table.
pub(super) fn sets() -> BTreeSet<String> {
    let of_kin = Kin::ALL.into_iter().flat_map(|kin| [kin.services(), kin.weights(), kin.traffic()]);
    of_kin.chain([BALANCED.to_owned()]).collect()
}

/// Writes what all services share.
pub(super) fn base(to: &mut Transaction) {
    to.new_table();
    let set = |to: &mut Transaction, name: &str, flags, key: &[(u32, usize)], data, counts| {
        let native_key = matches!(key, [(kind::MARK, _)]);
        let native_data = matches!(data, Data::Value([(kind::MARK, _)]));
        to.new_set(&Set { name, flags, key, data, most: None, native_key, native_data, counts });
    };
    set(to, BALANCED, 0, &[(kind::PROTOCOL, 1)], Data::None, false);
    to.elements(Kind::NEW_ELEMENTS, BALANCED, names::PROTOCOLS.map(|number| Element::Key(vec![number])));
    for kin in Kin::ALL {
        set(to, &kin.services(), MAP, &kin.service_parts(), Data::Verdict, false);
        set(to, &kin.weights(), MAP, &kin.weight_parts(), Data::Value(&[(kind::MARK, 4)]), false);
        set(to, &kin.traffic(), 0, &kin.traffic_parts(), Data::None, true);
    }
    to.new_chain(DISPATCH, None);
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
    for kin in Kin::ALL {
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
    service: &'a ServiceEntry,
    clients: Clients,
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
            Lead::Chains => Data::Verdict,
        };
        to.new_set(&Set {
            name: &self.name(),
            flags: MAP,
            key: &[(kind::INTEGER, 4)],
            data,
            most: None,
            native_key: true,
            native_data: false,
            counts: false,
        });
    }
}

/// All that the kernel is told of a service.
struct Rendered<'a> {
    rules: Rules<'a>,
    /// Who has drawn which number.
    numbers: Numbers,
    weights: BTreeMap<DestinationKey, u32>,
    counted: BTreeSet<Vec<u8>>,
}

impl<'a> Rendered<'a> {
    fn of(key: &ServiceKey, known: &'a Known) -> Self {
        let entry = &known.entry;
        let plan = Plan::of(key, entry);
        let mut lists: Vec<(Map, u32, Vec<Server>)> = Vec::new();
        let page = known.numbers.map_or(0, Span::page);
        let map = |lead| Map { family: key.family(), lead, page };
        if entry.service.persistence.is_some() {
            let all: Vec<_> = plan.groups.iter().flat_map(Group::numbers).collect();
            if let Ok(total @ 1..) = u32::try_from(all.len()) {
                lists.push((map(Lead::Chains), total, all));
            }
        } else if plan.only().is_none() {
            lists.extend(plan.groups.iter().map(|it| (map(Lead::Servers(it.with_port)), it.total, it.numbers())));
        }
        let draws = lists.iter().map(|(map, total, _)| (*map, *total)).collect();
        let first = known.numbers.map_or(0, |span| span.first);
        let numbers = lists
            .into_iter()
            .flat_map(|(map, _, list)| (first..).zip(list).map(move |(number, server)| ((map, number), server)));
        Self {
            rules: Rules {
                service: &entry.service,
                clients: known.clients,
                draws,
                numbers: known.numbers,
                draw: plan.draw,
                any: plan.first(),
            },
            numbers: numbers.collect(),
            weights: entry.destinations.iter().map(|(to, it)| (*to, it.weight)).collect(),
            counted: entry.destinations.keys().map(|to| names::traffic_octets(key, to)).collect(),
        }
    }

    /// Servers that have a chain of their own.
    fn chains(&self) -> BTreeSet<Server> {
        self.numbers.iter().filter(|((map, _), _)| map.lead == Lead::Chains).map(|(_, server)| *server).collect()
    }
}

/// Writes the difference between two states of a service. What is removed is taken from what is known to be there.
pub(super) fn service(to: &mut Transaction, key: &ServiceKey, have: Option<&Known>, want: Option<&Known>) {
    let (kin, chain) = (Kin::of(key), names::chain_of(key));
    let services = kin.services();
    let (old, new) = (have.map(|it| Rendered::of(key, it)), want.map(|it| Rendered::of(key, it)));
    match (&old, &new) {
        (None, Some(_)) => to.new_chain(&chain, None),
        (Some(_), None) => {
            to.elements(Kind::DELETE_ELEMENTS, &services, [Element::Key(names::service_octets(key))]);
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
    let same_rules = old.as_ref().map(|it| &it.rules) == new.as_ref().map(|it| &it.rules);
    let chains = |it: Option<&Rendered<'_>>| it.map(Rendered::chains).unwrap_or_default();
    let (old_chains, new_chains) = (chains(old.as_ref()), chains(new.as_ref()));
    if !same_rules {
        to.empty_chain(&chain);
    }
    for server in old_chains.iter().filter(|server| !same_rules || !new_chains.contains(*server)) {
        to.empty_chain(&names::server_chain_of(key, *server));
    }
    remove_numbers(to, old.as_ref(), new.as_ref());
    sets_of_clients(to, key, have, want);
    if let Some(new) = &new {
        for server in new_chains.iter().filter(|server| !same_rules || !old_chains.contains(*server)) {
            let chain = names::server_chain_of(key, *server);
            to.new_chain(&chain, None);
            to.empty_chain(&chain);
            new.rules.write_server(to, key, &chain, *server);
        }
        add_numbers(to, key, old.as_ref(), new);
        if !same_rules {
            new.rules.write(to, key, &chain);
        }
    }
    for server in old_chains.difference(&new_chains) {
        to.delete_chain(&names::server_chain_of(key, *server));
    }
    servers(to, key, old.as_ref(), new.as_ref());
    match (have, want) {
        (None, Some(_)) => {
            to.elements(Kind::NEW_ELEMENTS, &services, [Element::Chain(names::service_octets(key), chain)]);
        }
        (Some(_), None) => to.delete_chain(&chain),
        (None, None) | (Some(_), Some(_)) => {}
    }
}

/// Makes and removes sets; no rule of the service looks into any now that is to go.
fn sets_of_clients(to: &mut Transaction, key: &ServiceKey, have: Option<&Known>, want: Option<&Known>) {
    let (had, has) = (have.map(|it| it.clients).unwrap_or_default(), want.map(|it| it.clients).unwrap_or_default());
    for ((with_port, had), (_, has)) in had.iter().zip(has.iter()) {
        let names = [names::clients_of(key, with_port), names::recent_of(key, with_port)];
        let place = [Data::Value(server_parts(key.family(), with_port)), Data::None];
        for (name, data) in names.iter().zip(place) {
            if has && !had {
                to.new_set(&Set {
                    name,
                    flags: TIMEOUT | DYNAMIC | if matches!(data, Data::None) { 0 } else { MAP },
                    key: &[address_kind(key.family())],
                    data,
                    most: Some(MOST_CLIENTS),
                    native_key: false,
                    native_data: false,
                    counts: false,
                });
            } else if had && !has {
                to.delete_set(name);
            }
        }
    }
}

type Numbers = BTreeMap<(Map, u32), Server>;

/// The numbers of `all` that are not the same in `other`, map by map.
fn changed(all: &Numbers, other: Option<&Numbers>) -> BTreeMap<Map, Vec<(u32, Server)>> {
    let mut changed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (at @ (map, number), server) in all {
        if other.and_then(|other| other.get(at)) != Some(server) {
            changed.entry(*map).or_default().push((*number, *server));
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

fn add_numbers(to: &mut Transaction, key: &ServiceKey, old: Option<&Rendered<'_>>, new: &Rendered<'_>) {
    for (map, come) in changed(&new.numbers, old.map(|old| &old.numbers)) {
        let come = come.into_iter().map(|(number, server)| {
            let number = number.to_ne_bytes().to_vec();
            match map.lead {
                Lead::Servers(_) => Element::Value(number, names::endpoint(server.0, server.1)),
                // to a packet that is on its way while rules are exchanged, a new chain may have no rules yet
                Lead::Chains => Element::Jump(number, names::server_chain_of(key, server)),
            }
        });
        to.elements(Kind::NEW_ELEMENTS, &map.name(), come);
    }
}

/// Weights and counters: what stays is not touched.
fn servers(to: &mut Transaction, key: &ServiceKey, old: Option<&Rendered<'_>>, new: Option<&Rendered<'_>>) {
    let kin = Kin::of(key);
    let none = BTreeMap::new();
    let (had, has) = (old.map_or(&none, |it| &it.weights), new.map_or(&none, |it| &it.weights));
    let gone = had.iter().filter(|(to, weight)| has.get(to) != Some(weight));
    let gone = gone.map(|(to, _)| Element::Key(names::weight_octets(key, to)));
    to.elements(Kind::DELETE_ELEMENTS, &kin.weights(), gone);
    let come = has.iter().filter(|(to, weight)| had.get(to) != Some(weight));
    let come = come.map(|(to, weight)| Element::Value(names::weight_octets(key, to), weight.to_ne_bytes().to_vec()));
    to.elements(Kind::NEW_ELEMENTS, &kin.weights(), come);
    let nothing = BTreeSet::new();
    let (had, has) = (old.map_or(&nothing, |it| &it.counted), new.map_or(&nothing, |it| &it.counted));
    to.elements(Kind::DELETE_ELEMENTS, &kin.traffic(), had.difference(has).cloned().map(Element::Key));
    to.elements(Kind::NEW_ELEMENTS, &kin.traffic(), has.difference(had).cloned().map(Element::Key));
}

impl Rules<'_> {
    /// Fills a service's chain, which is empty.
    fn write(&self, to: &mut Transaction, key: &ServiceKey, chain: &str) {
        let remark = comment::write(self.service, self.numbers);
        let mut remark = Some(remark.as_str());
        if let Some(persistence) = Persistence::of(key, self.service) {
            for (with_port, _) in self.clients.iter().filter(|(_, has)| *has) {
                // a client that is known stays where it is, and is known for longer
                to.new_rule(chain, remark.take(), |it| persistence.known(it, with_port, self.any));
            }
        }
        for (map, total) in &self.draws {
            to.new_rule(chain, remark.take(), |it| {
                if let Lead::Servers(with_port) = map.lead {
                    only_protocol(it, key, with_port);
                }
                self.draw(it, *total, *map);
                match map.lead {
                    Lead::Servers(with_port) => {
                        it.look_up(&map.name(), NUMBER, Some(SERVER));
                        redirect(it, map.family, with_port);
                    }
                    Lead::Chains => it.look_up(&map.name(), NUMBER, None),
                }
            });
        }
        match self.any {
            Some(server) => to.new_rule(chain, remark.take(), |it| {
                only_protocol(it, key, server.1.is_some());
                put_server(it, SERVER, server);
                redirect(it, key.family(), server.1.is_some());
            }),
            None => to.new_rule(chain, remark.take(), Batch::reject),
        }
    }

    /// Fills the chain of a server of a persistent service, which is empty.
    fn write_server(&self, to: &mut Transaction, key: &ServiceKey, chain: &str, server: Server) {
        let with_port = server.1.is_some();
        if let Some(persistence) = Persistence::of(key, self.service) {
            to.new_rule(chain, None, |it| {
                persistence.load_client(it);
                persistence.remember_recent(it, with_port);
            });
            to.new_rule(chain, None, |it| {
                persistence.load_client(it);
                persistence.remember(it, with_port, server);
            });
            // another processor may have chosen for another packet of this client
            to.new_rule(chain, None, |it| persistence.redirect(it, with_port));
        }
        // no more clients can be remembered
        to.new_rule(chain, None, |it| {
            only_protocol(it, key, with_port);
            put_server(it, SERVER, server);
            redirect(it, key.family(), with_port);
        });
    }

    /// Draws a number.
    fn draw(&self, it: &mut Batch, total: u32, Map { family, lead, .. }: Map) {
        // another seed: who is here has a hash that the group before had no server for
        let seed = if lead == Lead::Servers(false) { !SEED } else { SEED };
        let numbers = (self.numbers.map_or(0, |span| span.first), total);
        match self.draw {
            Draw::Turn => it.generate(NUMBER, numbers, false),
            Draw::Chance => it.generate(NUMBER, numbers, true),
            Draw::Source { port } => {
                only_family(it, family);
                let octets = load_source(it, family, HASHED);
                if port {
                    it.payload(after_address(family, HASHED), Header::Transport, 0, 2);
                }
                it.hash((HASHED, octets + if port { 4 } else { 0 }), NUMBER, numbers, seed);
            }
            Draw::Destination => {
                only_family(it, family);
                let next = load_destination(it, family, HASHED);
                it.hash((HASHED, (next - HASHED.0) * 4), NUMBER, numbers, seed);
            }
        }
    }
}
