//! What our tables have in the kernel, and the transactions that change it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use keepalived_core::balance::{DestinationKey, ServiceKey};

use super::commit::{self, Commit, CommitResult};
use super::message::Transaction;
use super::names::Map;
use super::numbers::Numbers;
use super::read::Found;
use super::render::Known;
use super::seats::Seats;
use super::table::OurTable;
use super::wish::Wish;
use super::{conntrack, direct, layout, render};
use crate::netlink::codec::Answer;

/// Our tables as we know them, with the socket that changes them.
#[derive(Debug)]
pub(super) struct Tables {
    commit: Commit,
    transaction: Transaction,
    /// The tables that exist.
    states: BTreeMap<OurTable, TableState>,
    services: BTreeMap<ServiceKey, Known>,
    numbers: Numbers,
    seats: Seats,
    /// The tables in which the kernel can send copies of packets, as far as it has said so.
    can_direct: BTreeSet<OurTable>,
    /// Servers that were removed, and may have clients that send datagrams.
    removed: Vec<(ServiceKey, DestinationKey)>,
}

/// A table that exists.
#[derive(Debug, Default)]
struct TableState {
    /// Whether it has all that services share.
    whole: bool,
    /// Maps from numbers.
    maps: BTreeSet<Map>,
    /// Chains for known clients.
    persistence: BTreeSet<String>,
}

/// What a transaction adds to a table.
#[derive(Debug, Default)]
struct Addition {
    /// The transaction makes the table anew.
    anew: bool,
    maps: BTreeSet<Map>,
    persistence: BTreeSet<String>,
    /// Below which number seats were given.
    given: Option<u32>,
}

/// The next state of one service, and the changes of the caller that lead to it.
#[derive(Debug)]
pub(super) struct ServiceChange {
    key: ServiceKey,
    want: Option<Known>,
    pub(super) changes: Vec<usize>,
}

impl Tables {
    /// Tables whose names begin with `prefix`; [`Self::adopt`] tells what is in them.
    pub(super) fn open(prefix: &str) -> io::Result<Self> {
        Ok(Self {
            commit: Commit::open()?,
            transaction: Transaction::new(prefix),
            states: BTreeMap::new(),
            services: BTreeMap::new(),
            numbers: Numbers::default(),
            seats: Seats::default(),
            can_direct: BTreeSet::new(),
            removed: Vec::new(),
        })
    }

    /// The services in the kernel.
    pub(super) fn services(&self) -> &BTreeMap<ServiceKey, Known> {
        &self.services
    }

    /// How many transactions were carried out.
    pub(super) const fn done(&self) -> u32 {
        self.commit.done()
    }

    /// Takes over what a reading of each table found.
    pub(super) fn adopt(&mut self, tables: impl IntoIterator<Item = (OurTable, Found)>) {
        let (mut states, mut services) = (BTreeMap::new(), BTreeMap::new());
        for (table, mut found) in tables {
            // in two tables: the change from one to the other was not ours
            found.whole &= !found.services.keys().any(|key| services.contains_key(key));
            self.seats.found(table, found.given.filter(|_| found.whole));
            if found.whole {
                services.extend(found.services);
            }
            if found.exists {
                let Found { whole, maps, persistence, .. } = found;
                states.insert(table, TableState { whole, maps, persistence });
            }
        }
        (self.states, self.services) = (states, services);
        self.numbers.set(self.services.values().filter_map(|known| known.numbers));
    }

    /// Forgets the services, and returns them: the next reading finds them again.
    pub(super) fn take_services(&mut self) -> BTreeMap<ServiceKey, Known> {
        std::mem::take(&mut self.services)
    }

    /// Has the next transaction make every table anew. Returns the services that were known.
    pub(super) fn rebuild(&mut self) -> BTreeMap<ServiceKey, Known> {
        self.states.values_mut().for_each(|state| state.whole = false);
        self.numbers = Numbers::default();
        self.take_services()
    }

    /// Asks the kernel, until it says so, whether it can send copies of packets in this table.
    pub(super) fn can_direct(&mut self, table: OurTable) -> io::Result<bool> {
        if self.can_direct.contains(&table) {
            return Ok(true);
        }
        self.commit.begin(&mut self.transaction);
        self.transaction.at_passing(table);
        self.transaction.new_table();
        direct::write_trial(&mut self.transaction);
        self.transaction.delete_table();
        let outcome = self.commit.run(&mut self.transaction);
        self.transaction.at(table);
        let can = matches!(outcome?, CommitResult::Done);
        if can {
            self.can_direct.insert(table);
        }
        Ok(can)
    }

    /// Removes all tables.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.remove(&OurTable::ALL)?;
        (self.services, self.numbers) = (BTreeMap::new(), Numbers::default());
        Ok(())
    }

    fn remove(&mut self, tables: &[OurTable]) -> io::Result<()> {
        self.commit.begin(&mut self.transaction);
        for table in tables {
            self.transaction.at(*table);
            // one that is not there cannot be removed
            self.transaction.new_table();
            self.transaction.delete_table();
        }
        match self.commit.run(&mut self.transaction)? {
            CommitResult::Done => {
                for table in tables {
                    self.states.remove(table);
                    self.seats.said(*table, None);
                }
                Ok(())
            }
            CommitResult::Refused(refused) => Err(first_error(&refused)),
        }
    }

    /// Removes the tables for direct routing that have no services.
    pub(super) fn remove_empty(&mut self) -> io::Result<()> {
        let mut empty: Vec<_> = self.states.keys().copied().filter(|table| *table != OurTable::Nat).collect();
        empty.retain(|table| !self.services.values().any(|known| known.table == *table));
        if empty.is_empty() { Ok(()) } else { self.remove(&empty) }
    }

    /// Removes everything at once if no service remains: how most processes end.
    pub(super) fn clear_if_unwanted(&mut self, wishes: &BTreeMap<ServiceKey, Wish>) -> io::Result<()> {
        let is_wanted = |key: &ServiceKey| wishes.get(key).is_none_or(|wish| wish.entry.is_some());
        if self.states.is_empty()
            || self.services.keys().any(is_wanted)
            || wishes.values().any(|wish| wish.entry.is_some())
        {
            return Ok(());
        }
        let services = std::mem::take(&mut self.services);
        self.clear()?;
        for (key, have) in services {
            self.note_removed(key, &have);
        }
        Ok(())
    }

    /// Makes wishes true, in as few transactions as possible. Returns what the kernel refuses.
    pub(super) fn fulfil(&mut self, wishes: BTreeMap<ServiceKey, Wish>) -> io::Result<Vec<(ServiceChange, Answer)>> {
        let mut refused = Vec::new();
        let mut rest = self.service_changes(wishes)?;
        while !rest.is_empty() {
            let (ends, additions) = self.fill(&rest);
            match self.commit.run(&mut self.transaction)? {
                CommitResult::Done => {
                    self.added(additions);
                    let later = rest.split_off(ends.len().saturating_sub(1).min(rest.len()));
                    for change in std::mem::replace(&mut rest, later) {
                        self.carried_out(change);
                    }
                }
                CommitResult::Refused(answers) => {
                    // the first end is that of what all services share
                    let mut at_fault = BTreeMap::new();
                    for (at, answer) in &answers {
                        match ends.partition_point(|end| end <= at) {
                            0 => return Err(commit::error_of(answer)),
                            service => at_fault.entry(service - 1).or_insert_with(|| answer.clone()),
                        };
                    }
                    let mut index = 0;
                    let (bad, good): (Vec<_>, Vec<_>) = rest.into_iter().partition(|_| {
                        index += 1;
                        at_fault.contains_key(&(index - 1))
                    });
                    if bad.is_empty() {
                        return Err(first_error(&answers));
                    }
                    bad.iter().for_each(|change| self.take_back(change));
                    refused.extend(bad.into_iter().zip(at_fault.into_values()));
                    rest = good;
                }
            }
        }
        Ok(refused)
    }

    /// The services that differ from their wishes, each with the numbers that it will draw from.
    fn service_changes(&mut self, wishes: BTreeMap<ServiceKey, Wish>) -> io::Result<Vec<ServiceChange>> {
        let mut out = Vec::new();
        for (key, wish) in wishes {
            let have = self.services.get(&key);
            if have.map(|known| &known.entry) == wish.entry.as_ref() {
                continue;
            }
            let have = have.and_then(|known| known.numbers);
            let want = match wish.entry {
                None => None,
                Some(entry) => {
                    let numbers = self.numbers.allot(have, render::needs(&key, &entry))?;
                    Some(Known::new(&key, entry, numbers, self.services.get(&key), &mut self.seats))
                }
            };
            out.push(ServiceChange { key, want, changes: wish.changes });
        }
        Ok(out)
    }

    /// Writes as many changes as a transaction holds. Returns where the part that all services share ends, where each
    /// change ends, and what the transaction adds to each table.
    fn fill(&mut self, changes: &[ServiceChange]) -> (Vec<u32>, BTreeMap<OurTable, Addition>) {
        let to = &mut self.transaction;
        self.commit.begin(to);
        let mut additions: BTreeMap<OurTable, Addition> = BTreeMap::new();
        let (had, wanted) = (self.services.values(), changes.iter().filter_map(|change| change.want.as_ref()));
        let tables = had.chain(wanted).map(|known| known.table).chain(self.states.keys().copied());
        for table in tables.collect::<BTreeSet<_>>() {
            let addition = additions.entry(table).or_default();
            to.at(table);
            addition.anew = !self.states.get(&table).is_some_and(|state| state.whole);
            if addition.anew {
                // what is there goes
                to.new_table();
                to.delete_table();
                self.seats.said(table, None);
                layout::write(to, table);
            }
            addition.given = self.seats.say(to, table);
        }
        let mut ends = vec![to.count()];
        for ServiceChange { key, want, .. } in changes {
            if let Some(want) = want {
                to.at(want.table);
                let addition = additions.entry(want.table).or_default();
                let none = TableState::default();
                let state = self.states.get(&want.table).filter(|_| !addition.anew).unwrap_or(&none);
                for map in want.maps(key) {
                    if !state.maps.contains(&map) && addition.maps.insert(map) {
                        map.make(to);
                    }
                }
                if let Some(persistence) = want.persistence(key) {
                    let chain = persistence.chain();
                    if !state.persistence.contains(&chain) && addition.persistence.insert(chain) {
                        persistence.write(to);
                    }
                }
            }
            render::service(to, key, self.services.get(key), want.as_ref());
            ends.push(to.count());
            if to.octets().len() >= self.commit.room() / 2 {
                break;
            }
        }
        (ends, additions)
    }

    /// The transaction with these additions was carried out.
    fn added(&mut self, additions: BTreeMap<OurTable, Addition>) {
        for (table, Addition { anew, maps, persistence, given }) in additions {
            if anew {
                self.states.insert(table, TableState::default());
            }
            let state = self.states.entry(table).or_default();
            state.whole = true;
            state.maps.extend(maps);
            state.persistence.extend(persistence);
            self.seats.said(table, given);
        }
    }

    fn carried_out(&mut self, ServiceChange { key, want, .. }: ServiceChange) {
        let numbers = want.as_ref().and_then(|want| want.numbers);
        let have = match want {
            Some(want) => self.services.insert(key, want),
            None => self.services.remove(&key),
        };
        let Some(have) = have else { return };
        if let Some(free) = have.numbers.filter(|had| numbers != Some(*had)) {
            self.numbers.give_back(free);
        }
        self.note_removed(key, &have);
    }

    /// A change that was refused needs no other numbers.
    fn take_back(&mut self, change: &ServiceChange) {
        let have = self.services.get(&change.key).and_then(|known| known.numbers);
        let given = change.want.as_ref().and_then(|want| want.numbers);
        if let Some(given) = given.filter(|given| have != Some(*given)) {
            self.numbers.give_back(given);
        }
    }

    /// Remembers the servers of `have` that the service has no longer, if they may have clients that send datagrams.
    fn note_removed(&mut self, key: ServiceKey, have: &Known) {
        if conntrack::concerns(&key) && have.table == OurTable::Nat {
            let now = self.services.get(&key).map(|known| &known.entry.destinations);
            let removed = have.entry.destinations.keys().filter(|to| now.is_none_or(|now| !now.contains_key(*to)));
            self.removed.extend(removed.map(|to| (key, *to)));
        }
    }

    /// The servers that were removed since the last call, and may have clients that send datagrams.
    pub(super) fn take_removed(&mut self) -> Vec<(ServiceKey, DestinationKey)> {
        std::mem::take(&mut self.removed)
    }
}

/// The wish for the services that there were, and for those that the kernel refused.
pub(super) fn wish_again(
    before: BTreeMap<ServiceKey, Known>,
    refused: Vec<(ServiceChange, Answer)>,
) -> BTreeMap<ServiceKey, Wish> {
    let same = |(key, known): (ServiceKey, Known)| (key, Wish { entry: Some(known.entry), changes: Vec::new() });
    let refused = refused.into_iter().map(|(ServiceChange { key, want, changes }, _)| {
        let entry = want.map(|want| want.entry);
        (key, Wish { entry, changes })
    });
    before.into_iter().map(same).chain(refused).collect()
}

/// Whether the kernel's table is not what we take it for, even after a reading: others damaged what we do not read.
pub(super) fn disagrees(answer: &Answer) -> bool {
    matches!(answer.errno, libc::ENOENT | libc::EEXIST | libc::EBUSY)
}

fn first_error(refused: &[(u32, Answer)]) -> io::Error {
    refused.first().map_or_else(|| io::ErrorKind::Other.into(), |(_, answer)| commit::error_of(answer))
}
