//! Our table in the kernel's words.

use std::collections::BTreeSet;
use std::net::IpAddr;

use keepalived_core::balance::{DestinationKey, Entry, Granularity, Protocol, ServiceEntry, ServiceKey};
use keepalived_core::vrrp::Family;

use super::comment;
use super::message::{
    ANONYMOUS, CONSTANT, DYNAMIC, Data, Element, HOST_ORDER, Header, Hook, INTERVAL, Kind, MAP, RETURN, Register, Set,
    TIMEOUT, Transaction,
};
use super::names::{self, Kin, Shape, address_kind, kind};
use super::plan::{Draw, Group, Plan};
use crate::netlink::codec::Batch;

/// A service as it is in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) entry: Entry,
    pub(super) clients: Clients,
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
    pub(super) fn of(key: &ServiceKey, entry: Entry) -> Self {
        Self { clients: Clients::wanted(key, &entry), entry }
    }
}

/// Chains through which everything goes.
pub(super) const DISPATCH: &str = "dispatch";
const TRAFFIC: &str = "traffic";
const PREROUTING: Hook = Hook { kind: "nat", number: 0, priority: -100 };
const OUTPUT: Hook = Hook { kind: "nat", number: 3, priority: -100 };
const COUNT_PREROUTING: Hook = Hook { kind: "filter", number: 0, priority: 0 };
const COUNT_OUTPUT: Hook = Hook { kind: "filter", number: 3, priority: 0 };
/// What must be there for a table to be ours and whole.
pub(super) const CHAINS: [&str; 6] =
    [DISPATCH, TRAFFIC, "prerouting", "output", "traffic-prerouting", "traffic-output"];
const BALANCED: &str = "balanced";
/// Clients that a service remembers; more are served, and not remembered.
const MOST_CLIENTS: u32 = 1 << 20;
/// So that two directors choose the same server for a client, as `sh` does.
const SEED: u32 = 0x6b61_7276;

/// `NFT_META_*`
const META_MARK: u32 = 3;
const META_FAMILY: u32 = 15;
const META_PROTOCOL: u32 = 16;
/// `NFT_CT_*`
const CT_DIRECTION: u32 = 1;
const CT_STATUS: u32 = 2;
const CT_PORT: u32 = 12;
const CT_ADDRESS_4: u32 = 20;
const CT_ADDRESS_6: u32 = 22;
/// `IPS_DST_NAT`
const REDIRECTED: u32 = 1 << 5;

/// Where a rule keeps what it has found.
const CLIENT: Register = Register(0);
const CHOICE: Register = Register(6);
const SERVER: Register = Register(8);

/// Every set of a whole table.
pub(super) fn sets() -> BTreeSet<String> {
    let of_kin = Kin::ALL.into_iter().flat_map(|kin| [kin.services(), kin.weights(), kin.traffic()]);
    of_kin.chain([BALANCED.to_owned()]).collect()
}

/// The `NFPROTO_*` of a family.
fn protocol_family(family: Family) -> u8 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

/// Writes what all services share. `id` names sets within a transaction.
pub(super) fn base(to: &mut Transaction, id: &mut u32) {
    to.new_table();
    let mut set = |to: &mut Transaction, name: &str, flags, key: &[(u32, usize)], data, counts| {
        *id += 1;
        to.new_set(&Set { name, id: *id, flags, key, data, most: None, order: None, counts });
    };
    set(to, BALANCED, 0, &[(kind::PROTOCOL, 1)], Data::None, false);
    to.elements(Kind::NewElements, (BALANCED, 0), names::PROTOCOLS.map(|number| Element::Key(vec![number])));
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
        it.meta(CLIENT, META_PROTOCOL);
        it.in_set((BALANCED, 0), CLIENT, true);
        it.verdict(RETURN, None);
    });
    for kin in Kin::ALL {
        to.new_rule(DISPATCH, None, |it| {
            load_service_key(it, kin, false);
            it.look_up((&kin.services(), 0), CLIENT, None);
        });
        to.new_rule(TRAFFIC, None, |it| {
            let next = load_service_key(it, kin, true);
            load_server_key(it, kin, next);
            it.in_set((&kin.traffic(), 0), CLIENT, false);
            it.verdict(RETURN, None);
        });
    }
    for chain in ["prerouting", "output"] {
        to.new_rule(chain, None, |it| it.verdict(super::message::GOTO, Some(DISPATCH)));
    }
    for chain in ["traffic-prerouting", "traffic-output"] {
        to.new_rule(chain, None, |it| {
            it.connection(CLIENT, CT_DIRECTION, false);
            it.equals(CLIENT, &[0]);
            it.connection(CLIENT, CT_STATUS, false);
            it.mask(CLIENT, &REDIRECTED.to_ne_bytes());
            it.differs(CLIENT, &[0; 4]);
            it.verdict(super::message::GOTO, Some(TRAFFIC));
        });
    }
}

fn only_family(it: &mut Batch, family: Family) {
    it.meta(CLIENT, META_FAMILY);
    it.equals(CLIENT, &[protocol_family(family)]);
}

/// Loads what a packet finds its service by, `original` as it was before it was redirected. Returns the next free register.
fn load_service_key(it: &mut Batch, kin: Kin, original: bool) -> u32 {
    only_family(it, kin.family);
    if kin.shape == Shape::Mark {
        it.meta(CLIENT, META_MARK);
        return 1;
    }
    it.meta(CLIENT, META_PROTOCOL);
    let next = match (kin.family, original) {
        (Family::V4, true) => {
            it.connection(Register(1), CT_ADDRESS_4, true);
            2
        }
        (Family::V6, true) => {
            it.connection(Register(1), CT_ADDRESS_6, true);
            5
        }
        (family, false) => load_destination(it, family, Register(1)),
    };
    if kin.shape == Shape::AnyPort {
        return next;
    }
    if original {
        it.connection(Register(next), CT_PORT, true);
    } else {
        it.payload(Register(next), Header::Transport, 2, 2);
    }
    next + 1
}

/// Loads where a packet goes, as the counters know it.
fn load_server_key(it: &mut Batch, kin: Kin, next: u32) {
    let next = load_destination(it, kin.family, Register(next));
    if kin.shape == Shape::Port {
        it.payload(Register(next), Header::Transport, 2, 2);
    }
}

fn load_destination(it: &mut Batch, family: Family, to: Register) -> u32 {
    let (offset, octets) = match family {
        Family::V4 => (16, 4),
        Family::V6 => (24, 16),
    };
    it.payload(to, Header::Network, offset, octets);
    to.0 + octets / 4
}

/// Loads the client's address; returns its octets.
fn load_source(it: &mut Batch, family: Family, to: Register) -> u32 {
    let (offset, octets) = match family {
        Family::V4 => (12, 4),
        Family::V6 => (8, 16),
    };
    it.payload(to, Header::Network, offset, octets);
    octets
}

/// Writes the difference between two states of a service. What is removed is taken from what is known to be there.
pub(super) fn service(
    to: &mut Transaction,
    id: &mut u32,
    key: &ServiceKey,
    have: Option<&Known>,
    want: Option<&Known>,
) {
    let (kin, chain) = (Kin::of(key), names::chain_of(key));
    let services = kin.services();
    match (have, want) {
        (None, None) => return,
        (None, Some(_)) => to.new_chain(&chain, None),
        (Some(_), None) => {
            to.elements(Kind::DeleteElements, (&services, 0), [Element::Key(names::service_octets(key))]);
        }
        (Some(_), Some(_)) => {}
    }
    to.empty_chain(&chain);
    let (had, has) = (have.map(|it| it.clients).unwrap_or_default(), want.map(|it| it.clients).unwrap_or_default());
    for ((with_port, had), (_, has)) in had.iter().zip(has.iter()) {
        let name = names::clients_of(key, with_port);
        match (had, has) {
            (false, true) => new_clients(to, id, kin.family, &name, with_port),
            (true, false) => to.delete_set(&name),
            (true, true) | (false, false) => {}
        }
    }
    if let Some(want) = want {
        rules(to, id, key, &chain, want);
        if have.is_none() {
            let element = Element::Chain(names::service_octets(key), &chain);
            to.elements(Kind::NewElements, (&services, 0), [element]);
        }
    } else {
        to.delete_chain(&chain);
    }
    servers(to, key, have.map(|it| &it.entry), want.map(|it| &it.entry));
}

fn new_clients(to: &mut Transaction, id: &mut u32, family: Family, name: &str, with_port: bool) {
    *id += 1;
    to.new_set(&Set {
        name,
        id: *id,
        flags: MAP | TIMEOUT | DYNAMIC,
        key: &[address_kind(family)],
        data: Data::Value(server_parts(family, with_port)),
        most: Some(MOST_CLIENTS),
        order: None,
        counts: false,
    });
}

/// Of what a server's place consists.
fn server_parts(family: Family, with_port: bool) -> &'static [(u32, usize)] {
    match (family, with_port) {
        (Family::V4, true) => &[(kind::IPV4, 4), (kind::PORT, 4)],
        (Family::V4, false) => &[(kind::IPV4, 4)],
        (Family::V6, true) => &[(kind::IPV6, 16), (kind::PORT, 4)],
        (Family::V6, false) => &[(kind::IPV6, 16)],
    }
}

/// Weights and counters: those of a server that stays are not touched.
fn servers(to: &mut Transaction, key: &ServiceKey, have: Option<&Entry>, want: Option<&Entry>) {
    let kin = Kin::of(key);
    let weights = |entry: Option<&Entry>| -> BTreeSet<(DestinationKey, u32)> {
        entry.into_iter().flat_map(|entry| entry.destinations.iter().map(|(to, it)| (*to, it.weight))).collect()
    };
    let (old, new) = (weights(have), weights(want));
    let gone = old.difference(&new).map(|(to, _)| Element::Key(names::weight_octets(key, to)));
    to.elements(Kind::DeleteElements, (&kin.weights(), 0), gone);
    let come = new
        .difference(&old)
        .map(|(to, weight)| Element::Value(names::weight_octets(key, to), weight.to_ne_bytes().to_vec()));
    to.elements(Kind::NewElements, (&kin.weights(), 0), come);
    let counted = |servers: &BTreeSet<(DestinationKey, u32)>| -> BTreeSet<Vec<u8>> {
        servers.iter().map(|(to, _)| names::traffic_octets(key, to)).collect()
    };
    let (old, new) = (counted(&old), counted(&new));
    let gone = old.difference(&new).cloned().map(Element::Key);
    to.elements(Kind::DeleteElements, (&kin.traffic(), 0), gone);
    let come = new.difference(&old).cloned().map(Element::Key);
    to.elements(Kind::NewElements, (&kin.traffic(), 0), come);
}

/// The rules of a service's chain, which is empty.
fn rules(to: &mut Transaction, id: &mut u32, key: &ServiceKey, chain: &str, known: &Known) {
    let entry = &known.entry;
    let plan = Plan::of(key, entry);
    let remark = comment::write(&entry.service);
    let mut remark = Some(remark.as_str());
    let persistence = Persistence::of(key, &entry.service);
    if let Some(persistence) = &persistence {
        for (with_port, _) in known.clients.iter().filter(|(_, has)| *has) {
            // a client that is known stays where it is, and is known for longer
            to.new_rule(chain, remark.take(), |it| {
                only_protocol(it, key, with_port);
                persistence.find(it, with_port);
                persistence.remember(it, with_port, true);
                redirect(it, key.family(), with_port);
            });
        }
        for group in &plan.groups {
            let map = numbered(to, id, key.family(), group);
            to.new_rule(chain, remark.take(), |it| {
                choose(it, key.family(), plan.draw, group, &map);
                persistence.load_client(it);
                persistence.remember(it, group.with_port, false);
            });
            // not what has just been chosen: another processor may have chosen for another packet of this client
            to.new_rule(chain, None, |it| {
                only_protocol(it, key, group.with_port);
                persistence.find(it, group.with_port);
                redirect(it, key.family(), group.with_port);
            });
        }
    }
    if plan.only().is_none() {
        for group in &plan.groups {
            let map = numbered(to, id, key.family(), group);
            to.new_rule(chain, remark.take(), |it| {
                only_protocol(it, key, group.with_port);
                choose(it, key.family(), plan.draw, group, &map);
                redirect(it, key.family(), group.with_port);
            });
        }
    }
    // A packet that is here while the rules are exchanged may find the map of the rules before empty.
    match plan.first() {
        Some((address, port)) => to.new_rule(chain, remark.take(), |it| {
            only_protocol(it, key, port.is_some());
            put_server(it, address, port);
        }),
        None => to.new_rule(chain, remark.take(), Batch::reject),
    }
}

/// Tells nft what a port is of; the packet has passed the map of services already.
fn only_protocol(it: &mut Batch, key: &ServiceKey, with_port: bool) {
    let ServiceKey::Address { protocol, .. } = key else { return };
    if with_port {
        let [tcp, udp, sctp] = names::PROTOCOLS;
        let number = match protocol {
            Protocol::Tcp => tcp,
            Protocol::Udp => udp,
            Protocol::Sctp => sctp,
        };
        it.meta(CLIENT, META_PROTOCOL);
        it.equals(CLIENT, &[number]);
    }
}

fn after_address(family: Family, address: Register) -> Register {
    match family {
        Family::V4 => Register(address.0 + 1),
        Family::V6 => Register(address.0 + 4),
    }
}

fn redirect(it: &mut Batch, family: Family, with_port: bool) {
    let port = with_port.then(|| after_address(family, SERVER));
    it.redirect(protocol_family(family), SERVER, port);
}

fn put_server(it: &mut Batch, address: IpAddr, port: Option<u16>) {
    let family = Family::of(address);
    it.put(SERVER, &names::endpoint(address, None));
    if let Some(port) = port {
        it.put(after_address(family, SERVER), &port.to_be_bytes());
    }
    redirect(it, family, port.is_some());
}

/// Which server wins which number.
struct Numbered {
    id: u32,
    intervals: bool,
}

/// The kernel gives it a name.
const NAMELESS: &str = "__map%d";

/// Makes the map from numbers to servers that the next rule looks into.
fn numbered(to: &mut Transaction, id: &mut u32, family: Family, group: &Group) -> Numbered {
    *id += 1;
    let intervals = group.servers.iter().any(|(_, share)| *share != 1);
    let mut elements = Vec::with_capacity(group.servers.len() + 1);
    let mut number = 0_u32;
    for ((address, port), share) in &group.servers {
        let key = if intervals { number.to_be_bytes() } else { number.to_ne_bytes() };
        elements.push(Element::Value(key.to_vec(), names::endpoint(*address, *port)));
        number = number.saturating_add(*share);
    }
    if intervals {
        elements.push(Element::End(number.to_be_bytes().to_vec()));
    }
    to.new_set(&Set {
        name: NAMELESS,
        id: *id,
        flags: ANONYMOUS | CONSTANT | MAP | if intervals { INTERVAL } else { 0 },
        key: &[(kind::INTEGER, 4)],
        data: Data::Value(server_parts(family, group.with_port)),
        most: u32::try_from(elements.len()).ok(),
        order: Some(HOST_ORDER),
        counts: false,
    });
    to.elements(Kind::NewElements, (NAMELESS, *id), elements);
    Numbered { id: *id, intervals }
}

/// Chooses a server; goes on only if it is one of this group.
fn choose(it: &mut Batch, family: Family, draw: Draw, group: &Group, map: &Numbered) {
    // another seed: who is here has a hash that the group before had no server for
    let seed = if group.with_port { SEED } else { !SEED };
    match draw {
        Draw::Turn => it.generate(CHOICE, group.total, false),
        Draw::Chance => it.generate(CHOICE, group.total, true),
        Draw::Source { port } => {
            only_family(it, family);
            let octets = load_source(it, family, CLIENT);
            if port {
                it.payload(after_address(family, CLIENT), Header::Transport, 0, 2);
            }
            it.hash(CLIENT, octets + if port { 4 } else { 0 }, CHOICE, group.total, seed);
        }
        Draw::Destination => {
            only_family(it, family);
            let words = load_destination(it, family, CLIENT);
            it.hash(CLIENT, words * 4, CHOICE, group.total, seed);
        }
    }
    if map.intervals {
        it.to_network_order(CHOICE);
    }
    it.look_up((NAMELESS, map.id), CHOICE, Some(SERVER));
}

/// How a service remembers its clients.
struct Persistence<'a> {
    key: &'a ServiceKey,
    milliseconds: u64,
    mask: Option<Vec<u8>>,
}

impl<'a> Persistence<'a> {
    fn of(key: &'a ServiceKey, service: &ServiceEntry) -> Option<Self> {
        let milliseconds = u64::try_from(service.persistence?.as_millis()).unwrap_or(u64::MAX);
        let mask = match (service.granularity, key.family()) {
            (Some(Granularity::V4(mask)), Family::V4) => Some(mask.octets().to_vec()),
            (Some(Granularity::V6(prefix)), Family::V6) if prefix < 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Some(mask.to_be_bytes().to_vec())
            }
            _ => None,
        };
        Some(Self { key, milliseconds, mask })
    }

    fn load_client(&self, it: &mut Batch) {
        let family = self.key.family();
        only_family(it, family);
        load_source(it, family, CLIENT);
        if let Some(mask) = &self.mask {
            it.mask(CLIENT, mask);
        }
    }

    /// Goes on only if the client is known.
    fn find(&self, it: &mut Batch, with_port: bool) {
        self.load_client(it);
        it.look_up((&names::clients_of(self.key, with_port), 0), CLIENT, Some(SERVER));
    }

    fn remember(&self, it: &mut Batch, with_port: bool, refresh: bool) {
        it.remember(&names::clients_of(self.key, with_port), (CLIENT, SERVER), self.milliseconds, refresh);
    }
}
