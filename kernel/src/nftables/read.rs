//! Finds in the kernel what we put there: how a table is taken over from a process that is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use keepalived_core::balance::{DestinationEntry, Entry, Forwarding, ServiceKey};

use super::comment;
use super::message::{INET, Kind};
use super::names::{self, Counts, Kin, Map};
use super::numbers::Span;
use super::render::{BALANCED, CHAINS, DISPATCH, Known, sets};
use crate::netlink::codec::{Attributes, Batch, Message, u64_at};
use crate::netlink::exchange::Exchange;

/// What is in our table.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whether there is a table of that name.
    pub(super) exists: bool,
    /// Whether it has all that we build on.
    pub(super) whole: bool,
    pub(super) services: BTreeMap<ServiceKey, Known>,
    /// Maps from numbers, used or not.
    pub(super) maps: BTreeSet<Map>,
}

/// How often a dump is repeated because somebody changed something meanwhile.
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

/// Reads the whole table.
pub(super) fn all(exchange: &mut Exchange, table: &str) -> io::Result<Found> {
    let mut attempts = 1;
    loop {
        match once(exchange, table) {
            Err(error) if passing(&error) && attempts < MOST_DUMPS => attempts += 1,
            other => return other,
        }
    }
}

fn once(exchange: &mut Exchange, table: &str) -> io::Result<Found> {
    let mut found = Found::default();
    let mut chains = BTreeSet::new();
    dump(exchange, Kind::GET_CHAIN, table, &[], |body| {
        // 1: table, 3: name; of all tables
        if text(body, 1) == Some(table) {
            chains.extend(text(body, 3).map(str::to_owned));
        }
    })?;
    // a table without chains is none of ours, and is asked for when it is made
    found.exists = !chains.is_empty();
    if !found.exists {
        return Ok(found);
    }
    let mut layout = false;
    let mut entries: BTreeMap<ServiceKey, (Entry, Option<Span>)> = BTreeMap::new();
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    dump(exchange, Kind::GET_RULE, table, &[], |body| {
        // 1: table, 2: chain, 7: remarks; on the first rule of a chain only
        let (true, Some(chain)) = (text(body, 1) == Some(table), text(body, 2)) else { return };
        *rules.entry(chain.to_owned()).or_default() += 1;
        let Some(remark) = attribute(body, 7).and_then(comment::among) else { return };
        if chain == DISPATCH {
            layout |= remark == comment::LAYOUT;
        } else if let (Some(key), Some((service, numbers))) = (names::service_of(chain), comment::read(remark)) {
            entries.entry(key).or_insert((Entry { service, destinations: BTreeMap::new() }, numbers));
        }
    })?;
    let mut missing = sets();
    let mut clients = BTreeSet::new();
    dump(exchange, Kind::GET_SET, table, &[], |body| {
        // 1: table, 2: name
        let (true, Some(name)) = (text(body, 1) == Some(table), text(body, 2)) else { return };
        missing.remove(name);
        found.maps.extend(Map::named(name));
        clients.extend(names::service_of_clients(name));
    })?;
    let has_rules = |chain: &str, count: usize| rules.get(chain).is_some_and(|rules| *rules == count);
    found.whole = layout && missing.is_empty() && CHAINS.iter().all(|(chain, count)| has_rules(chain, *count));
    if !found.whole {
        found.maps.clear();
        return Ok(found);
    }
    for kin in Kin::ALL {
        elements(exchange, table, &kin.weights(), |element| {
            let server = element.key.and_then(|octets| names::read_weight(kin, octets));
            let weight = element.value.and_then(|octets| Some(u32::from_ne_bytes(*octets.first_chunk()?)));
            let (Some((key, to)), Some(weight)) = (server, weight) else { return };
            if let Some((entry, _)) = entries.get_mut(&key) {
                let server =
                    DestinationEntry { weight, forwarding: Forwarding::Nat, upper_threshold: 0, lower_threshold: 0 };
                entry.destinations.insert(to, server);
            }
        })?;
    }
    for (key, (entry, numbers)) in entries {
        let known = Known::of(&key, entry, numbers);
        let has_clients = [known.clients.with_port, known.clients.without];
        found.whole &= [true, false].map(|with_port| clients.contains(&(key, with_port))) == has_clients;
        found.whole &= known.chains(&key).iter().all(|(chain, count)| has_rules(chain, *count));
        found.services.insert(key, known);
    }
    found.whole = found.whole && is_as_it_says(exchange, table, &found)?;
    if !found.whole {
        found.services.clear();
        found.maps.clear();
    }
    Ok(found)
}

/// Whether packets find what the settings and weights say: somebody else may have been here.
fn is_as_it_says(exchange: &mut Exchange, table: &str, found: &Found) -> io::Result<bool> {
    let balanced = names::PROTOCOLS.iter().map(|number| (vec![*number], Vec::new()));
    if !has(exchange, table, BALANCED, balanced)? {
        return Ok(false);
    }
    for kin in Kin::ALL {
        let keys = found.services.keys().filter(|key| Kin::of(key) == kin);
        let expected = keys.map(|key| (names::service_octets(key), names::chain_of(key).into_bytes()));
        if !has(exchange, table, &kin.services(), expected)? {
            return Ok(false);
        }
    }
    let mut numbers: BTreeMap<Map, Vec<Leads>> = BTreeMap::new();
    for (key, known) in &found.services {
        for (map, number, place) in known.elements(key) {
            numbers.entry(map).or_default().push((number.to_ne_bytes().to_vec(), place));
        }
    }
    for map in &found.maps {
        if !has(exchange, table, &map.name(), numbers.remove(map).unwrap_or_default().into_iter())? {
            return Ok(false);
        }
    }
    Ok(numbers.is_empty())
}

/// A key, and to what it leads.
type Leads = (Vec<u8>, Vec<u8>);

/// Whether a set has these elements and no others.
fn has(exchange: &mut Exchange, table: &str, set: &str, expected: impl Iterator<Item = Leads>) -> io::Result<bool> {
    let mut rest: BTreeMap<_, _> = expected.collect();
    let mut all_expected = true;
    elements(exchange, table, set, |element| {
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
pub(super) fn counts(exchange: &mut Exchange, table: &str, kin: Kin) -> io::Result<Counts> {
    repeated(|| {
        let mut counts = Counts::new();
        elements(exchange, table, &kin.traffic(), |element| {
            if let (Some(key), Some(count)) = (element.key, element.count) {
                counts.insert(key.to_vec(), count);
            }
        })?;
        Ok(counts)
    })
}

/// The clients that a map has, and the places of their servers.
pub(super) fn clients(exchange: &mut Exchange, table: &str, map: &str) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    repeated(|| {
        let mut clients = BTreeMap::new();
        elements(exchange, table, map, |element| {
            clients.extend(element.key.zip(element.value).map(|(key, value)| (key.to_vec(), value.to_vec())));
        })?;
        Ok(clients)
    })
}

/// The clients that a set has.
pub(super) fn recent(exchange: &mut Exchange, table: &str, set: &str) -> io::Result<BTreeSet<Vec<u8>>> {
    repeated(|| {
        let mut recent = BTreeSet::new();
        elements(exchange, table, set, |element| recent.extend(element.key.map(<[u8]>::to_vec)))?;
        Ok(recent)
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

fn elements(exchange: &mut Exchange, table: &str, set: &str, mut each: impl FnMut(ElementRead<'_>)) -> io::Result<()> {
    dump(exchange, Kind::GET_ELEMENTS, table, &[(2, set)], |body| {
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
    table: &str,
    names: &[(u16, &str)],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let write = |batch: &mut Batch, flags, sequence| {
        batch.begin(kind.number(), flags, sequence, &[INET, 0, 0, 0]);
        batch.text(1, table);
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
