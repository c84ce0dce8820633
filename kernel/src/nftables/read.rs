//! Finds in the kernel what we put there: how a table is taken over from a process that is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use keepalived_core::balance::{DestinationEntry, Entry, ServiceKey};

use super::comment;
use super::keys::{self, Counts, Server};
use super::layout;
use super::message::Kind;
use super::names::{self, BALANCED, DISPATCH, Map};
use super::numbers::Span;
use super::render::Known;
use super::seats::GIVEN;
use super::table::OurTable;
use crate::netlink::codec::{Attributes, Batch, Message, u64_at};
use crate::netlink::exchange::Exchange;

/// What is in one of our tables.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whether there is a table of that name.
    pub(super) exists: bool,
    /// Whether it has all that we build on.
    pub(super) whole: bool,
    pub(super) services: BTreeMap<ServiceKey, Known>,
    /// Maps from numbers, used or not.
    pub(super) maps: BTreeSet<Map>,
    /// Chains of persistence, as services use them.
    pub(super) persistence: BTreeSet<String>,
    /// Below which number seats were given.
    pub(super) given: Option<u32>,
}

/// A table of ours by its name in the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamedTable<'a> {
    pub(super) table: OurTable,
    /// What the names of all our tables begin with.
    pub(super) prefix: &'a str,
}

impl NamedTable<'_> {
    fn name(self) -> String {
        self.table.name(self.prefix)
    }
}

/// How often we repeat a dump because another program changed something meanwhile.
const MOST_DUMPS: usize = 20;
/// What follows the header of a message: family, version, number.
const HEADER: usize = 4;

fn interrupted() -> io::Error {
    io::Error::from_raw_os_error(libc::EINTR)
}

/// Whether the same again may succeed: something changed, or went away, between two steps.
fn passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::ENOENT | libc::EAGAIN | libc::EBUSY))
}

/// Reads a whole table.
pub(super) fn all(exchange: &mut Exchange, at: NamedTable<'_>) -> io::Result<Found> {
    let mut attempts = 1;
    loop {
        match once(exchange, at) {
            Err(error) if passing(&error) && attempts < MOST_DUMPS => attempts += 1,
            other => return other,
        }
    }
}

/// What the chains of services say: settings, and how many rules each chain has.
#[derive(Default)]
struct Rules {
    layout: bool,
    entries: BTreeMap<ServiceKey, (Entry, Option<Span>)>,
    counts: BTreeMap<String, usize>,
}

impl Rules {
    fn read(exchange: &mut Exchange, at: NamedTable<'_>) -> io::Result<Self> {
        let mut read = Self::default();
        let table = at.name();
        dump(exchange, Kind::GET_RULE, at, &[], |body| {
            // 1: table, 2: chain, 7: remarks; on the first rule of a chain only
            let (true, Some(chain)) = (text(body, 1) == Some(&table), text(body, 2)) else { return };
            *read.counts.entry(chain.to_owned()).or_default() += 1;
            let Some(remark) = attribute(body, 7).and_then(comment::among) else { return };
            if chain == DISPATCH {
                read.layout |= remark == comment::LAYOUT;
            } else if let (Some(key), Some((service, numbers))) = (names::service_of(chain), comment::read(remark)) {
                read.entries.entry(key).or_insert((Entry { service, destinations: BTreeMap::new() }, numbers));
            }
        })?;
        Ok(read)
    }

    fn has(&self, chain: &str, count: usize) -> bool {
        self.counts.get(chain).is_some_and(|rules| *rules == count)
    }
}

fn once(exchange: &mut Exchange, at: NamedTable<'_>) -> io::Result<Found> {
    let mut found = Found::default();
    let table = at.name();
    let mut chain_names = BTreeSet::new();
    dump(exchange, Kind::GET_CHAIN, at, &[], |body| {
        // 1: table, 3: name; of all tables
        if text(body, 1) == Some(&table) {
            chain_names.extend(text(body, 3).map(str::to_owned));
        }
    })?;
    // a table without chains is none of ours, and is asked for when it is made
    found.exists = !chain_names.is_empty();
    if !found.exists {
        return Ok(found);
    }
    let mut rules = Rules::read(exchange, at)?;
    let mut missing = layout::sets(at.table);
    dump(exchange, Kind::GET_SET, at, &[], |body| {
        // 1: table, 2: name
        let (true, Some(name)) = (text(body, 1) == Some(&table), text(body, 2)) else { return };
        missing.remove(name);
        found.maps.extend(Map::named(at.table, name));
    })?;
    found.whole = rules.layout && missing.is_empty();
    found.whole &= layout::chains(at.table).iter().all(|(chain, count)| rules.has(chain, *count));
    if found.whole {
        let seats = entries(exchange, at, &mut rules.entries)?;
        services(&mut found, at.table, &mut rules, seats);
        found.whole = found.whole && is_as_it_says(exchange, at, &mut found)?;
    }
    if !found.whole {
        found = Found { exists: true, ..Found::default() };
    }
    Ok(found)
}

/// The seats of servers, by service.
type Seats = BTreeMap<ServiceKey, BTreeMap<Server, u32>>;

/// Finds the servers of `entries`.
fn entries(
    exchange: &mut Exchange,
    at: NamedTable<'_>,
    entries: &mut BTreeMap<ServiceKey, (Entry, Option<Span>)>,
) -> io::Result<Seats> {
    let number = |octets: &[u8]| Some(u32::from_ne_bytes(*octets.first_chunk()?));
    let mut seats = Seats::new();
    for class in at.table.classes() {
        elements(exchange, at, &class.weights(), |element| {
            let server = element.key.and_then(|octets| keys::read_weight(class, octets));
            let (Some((key, to)), Some(weight)) = (server, element.value.and_then(number)) else { return };
            if let Some((entry, _)) = entries.get_mut(&key) {
                let forwarding = at.table.forwarding();
                let server = DestinationEntry { weight, forwarding, upper_threshold: 0, lower_threshold: 0 };
                entry.destinations.insert(to, server);
            }
        })?;
        elements(exchange, at, &class.seats_of(), |element| {
            let server = element.key.and_then(|octets| keys::read_weight(class, octets));
            let (Some((key, to)), Some(seat)) = (server, element.value.and_then(number)) else { return };
            let port = Some(to.port).filter(|port| *port != 0);
            seats.entry(key).or_default().insert((to.address, port), seat);
        })?;
    }
    Ok(seats)
}

/// Puts services together.
fn services(found: &mut Found, table: OurTable, rules: &mut Rules, mut seats: Seats) {
    for (key, (entry, numbers)) in std::mem::take(&mut rules.entries) {
        let known = Known { entry, table, numbers, seats: seats.remove(&key).unwrap_or_default() };
        found.whole &=
            known.is_seated(&key) && known.chains(&key).iter().all(|(chain, count)| rules.has(chain, *count));
        found.persistence.extend(known.persistence(&key).map(|persistence| persistence.chain()));
        found.services.insert(key, known);
    }
    found.whole &= seats.is_empty();
}

/// Whether packets find what the settings and weights say: others may have changed the table.
fn is_as_it_says(exchange: &mut Exchange, at: NamedTable<'_>, found: &mut Found) -> io::Result<bool> {
    let balanced = keys::PROTOCOLS.iter().map(|number| (vec![*number], Vec::new()));
    if !has(exchange, at, BALANCED, balanced)? {
        return Ok(false);
    }
    for class in at.table.classes() {
        let keys = found.services.iter().filter(|(key, known)| known.class(key) == class);
        let expected = keys.map(|(key, _)| (keys::service_octets(key), names::chain_of(key).into_bytes()));
        if !has(exchange, at, &class.services(), expected)? {
            return Ok(false);
        }
    }
    elements(exchange, at, GIVEN, |element| {
        found.given = element.key.and_then(|key| Some(u32::from_ne_bytes(*key.first_chunk()?)));
    })?;
    for (family, with_port) in at.table.seats() {
        let services = found.services.iter().filter(|(key, _)| key.family() == family);
        let seated = services.flat_map(|(_, known)| &known.seats);
        let here = seated.filter(|((_, port), _)| port.is_some() == with_port);
        let expected =
            here.map(|((address, port), seat)| (seat.to_ne_bytes().to_vec(), keys::endpoint(*address, *port)));
        if !has(exchange, at, names::seats(at.table, family, with_port), expected)? {
            return Ok(false);
        }
    }
    let mut seats = found.services.values().flat_map(|known| known.seats.values());
    if !seats.all(|seat| found.given.is_some_and(|given| *seat < given)) {
        return Ok(false);
    }
    let mut numbers: BTreeMap<Map, Vec<Leads>> = BTreeMap::new();
    for (key, known) in &found.services {
        for (map, number, target) in known.elements(key) {
            numbers.entry(map).or_default().push((number.to_ne_bytes().to_vec(), target));
        }
    }
    for map in &found.maps {
        if !has(exchange, at, &map.name(), numbers.remove(map).unwrap_or_default().into_iter())? {
            return Ok(false);
        }
    }
    Ok(numbers.is_empty())
}

/// A key, and to what it leads.
type Leads = (Vec<u8>, Vec<u8>);

/// Whether a set has these elements and no others.
fn has(
    exchange: &mut Exchange,
    at: NamedTable<'_>,
    set: &str,
    expected: impl Iterator<Item = Leads>,
) -> io::Result<bool> {
    let mut rest: BTreeMap<_, _> = expected.collect();
    let mut all_expected = true;
    elements(exchange, at, set, |element| {
        let expected = element.key.and_then(|key| rest.remove(key));
        all_expected &= expected.is_some_and(|expected| expected == element.value.unwrap_or_default());
    })?;
    Ok(all_expected && rest.is_empty())
}

/// The number of the last transaction, whosever it was, in this network namespace.
pub(super) fn generation(exchange: &mut Exchange) -> io::Result<Option<u32>> {
    let mut generation = None;
    let write = |batch: &mut Batch, flags, sequence| {
        batch.begin(Kind::GET_GENERATION.number(), flags, sequence, &[0; HEADER]);
        batch.end();
    };
    let answer = exchange.ask(write, |message: Message<'_>| {
        generation = attribute(message.body, 1).and_then(|value| Some(u32::from_be_bytes(*value.first_chunk()?)));
    })?;
    // to be asked again is as good as to be told something new
    Ok(generation.filter(|_| answer.errno == 0))
}

/// Repeats what was not of one moment; gives up with what is known to be wrong.
fn repeated<T>(mut once: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut attempts = 1;
    loop {
        match once() {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) && attempts < MOST_DUMPS => attempts += 1,
            other => return other,
        }
    }
}

/// Packets and octets by the key of the counter.
pub(super) fn counts(exchange: &mut Exchange, at: NamedTable<'_>, set: &str) -> io::Result<Counts> {
    repeated(|| {
        let mut counts = Counts::new();
        elements(exchange, at, set, |element| {
            if let (Some(key), Some(count)) = (element.key, element.count) {
                counts.insert(key.to_vec(), count);
            }
        })?;
        Ok(counts)
    })
}

/// An element of a set, as far as it concerns us.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct ElementRead<'a> {
    key: Option<&'a [u8]>,
    /// A chain's name if it leads to one.
    value: Option<&'a [u8]>,
    count: Option<(u64, u64)>,
}

impl<'a> ElementRead<'a> {
    fn of(attributes: &'a [u8]) -> Self {
        let mut read = Self::default();
        for (kind, value) in Attributes(attributes) {
            match kind {
                1 => read.key = find(value, 1),
                2 => read.value = find(value, 1).or_else(|| find(find(value, 2)?, 2)?.strip_suffix(&[0])),
                7 => read.count = count(value),
                _ => {}
            }
        }
        read
    }
}

fn count(expression: &[u8]) -> Option<(u64, u64)> {
    if find(expression, 1)? != b"counter\0" {
        return None;
    }
    let data = find(expression, 2)?;
    let number = |kind| u64_at(find(data, kind)?, 0).map(u64::from_be);
    Some((number(2)?, number(1)?))
}

fn elements(
    exchange: &mut Exchange,
    at: NamedTable<'_>,
    set: &str,
    mut each: impl FnMut(ElementRead<'_>),
) -> io::Result<()> {
    dump(exchange, Kind::GET_ELEMENTS, at, &[(2, set)], |body| {
        let Some(list) = attribute(body, 3) else { return };
        for (_, element) in Attributes(list) {
            each(ElementRead::of(element));
        }
    })
}

/// Asks for a list of things in our table. It is of one moment, or the error says `EINTR`.
fn dump(
    exchange: &mut Exchange,
    kind: Kind,
    at: NamedTable<'_>,
    names: &[(u16, &str)],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let write = |batch: &mut Batch, flags, sequence| {
        batch.begin(kind.number(), flags, sequence, &[at.table.number(), 0, 0, 0]);
        batch.text(1, &at.name());
        for (attribute, name) in names {
            batch.text(*attribute, name);
        }
        batch.end();
    };
    let consistent = exchange.dump(write, |message: Message<'_>| each(message.body))?;
    if consistent { Ok(()) } else { Err(interrupted()) }
}

fn attribute(body: &[u8], kind: u16) -> Option<&[u8]> {
    find(body.get(HEADER..)?, kind)
}

fn text(body: &[u8], kind: u16) -> Option<&str> {
    std::str::from_utf8(attribute(body, kind)?.strip_suffix(&[0])?).ok()
}

fn find(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    Attributes(attributes).find(|(it, _)| *it == kind).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element() -> Vec<u8> {
        let mut batch = Batch::default();
        batch.begin(0, 0, 0, &[]);
        batch.nested(1, |it| it.attribute(1, b"key!"));
        batch.nested(2, |it| it.attribute(1, b"data"));
        batch.nested(7, |it| {
            it.text(1, "counter");
            it.nested(2, |it| {
                it.attribute(1, &1500_u64.to_be_bytes());
                it.attribute(2, &3_u64.to_be_bytes());
            });
        });
        batch.end();
        batch.octets()[16..].to_vec()
    }

    #[test]
    fn an_element_is_read_with_its_counter() {
        let octets = element();
        let expected = ElementRead { key: Some(b"key!"), value: Some(b"data"), count: Some((3, 1500)) };
        assert_eq!(ElementRead::of(&octets), expected);
    }

    #[test]
    fn no_truncation_and_no_changed_octet_panics() {
        let whole = element();
        for position in 0..whole.len() {
            let _may_be_less = ElementRead::of(&whole[..position]);
            for octet in [0, 1, 4, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[position] = octet;
                let _may_be_other = (ElementRead::of(&changed), text(&changed, 1), attribute(&changed, 7));
            }
        }
    }
}
