//! Makes the kernel's table match the balancer's: at once after a change, again after a refusal, and after others changed it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::time::Duration;

use keepalived_core::balance::{
    Balancer, Change, DestinationEntry, DestinationKey, Entry, Forwarding, ServiceEntry, ServiceId, ServiceKey, Table,
    difference,
};
use keepalived_core::time::Instant;
use keepalived_kernel::director::Director;

use super::report::Report;
use super::unfinished::Where;

mod again;
mod verify;

use again::Again;

/// Virtual servers that one call compares.
const MOST_LOOKED_AT: u32 = 64;

/// Pause before a look: others change a table in several steps.
const THEIR_TURN: Duration = Duration::from_millis(100);

/// Shortest time between two looks: others may change the table all the time, and a look at a large one takes long.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// A server of ours that may be in the table in an unknown form. No configuration has this weight, so the next change writes or removes
/// the server.
const UNKNOWN: DestinationEntry =
    DestinationEntry { weight: u32::MAX, forwarding: Forwarding::Nat, upper_threshold: 0, lower_threshold: 0 };

/// The kernel's table, and our part of it.
#[derive(Debug)]
pub(super) struct Reconciler<D> {
    director: D,
    /// Our part as we wrote it: our virtual servers, and in them our real servers.
    table: Table,
    /// Virtual servers whose entries may have to change.
    dirty: BTreeSet<ServiceId>,
    /// Services that we wrote and no virtual server names any more.
    doomed: BTreeSet<ServiceKey>,
    /// Services that a reload added and no look has compared yet: what others had there before is no damage.
    unseen: BTreeSet<ServiceKey>,
    /// The look that is under way.
    look: Option<Look>,
    /// When the next look begins.
    look_at: Option<Instant>,
    /// When the last look ended.
    looked_at: Instant,
    /// Others have changed the table during the look.
    look_once_more: bool,
    /// `lvs_repair_interval`; zero is never.
    interval: Duration,
    /// Changes that the kernel refused.
    again: Again,
    /// Entries that the kernel did not remove, and whether they have changed since [`Self::has_changed`] was last called.
    unremoved: BTreeSet<Where>,
    has_changed: bool,
    /// The kernel's form of services that it does not keep as we write them.
    unkept: BTreeMap<ServiceKey, Entry>,
    news: Vec<Report>,
}

/// A look at the kernel's table, piece by piece.
#[derive(Debug)]
struct Look {
    /// Entries from when it began that are not compared yet.
    services: BTreeMap<ServiceKey, ServiceEntry>,
    /// Of our virtual servers.
    next: u32,
    /// How many changes repaired the damage so far.
    changes: usize,
    /// Some of the repaired services.
    repaired: Vec<ServiceKey>,
}

impl<D: Director> Reconciler<D> {
    /// Begins; a look follows after each `interval`.
    pub(super) fn new(director: D, interval: Duration, now: Instant) -> Self {
        Self {
            director,
            table: Table::new(),
            dirty: BTreeSet::new(),
            doomed: BTreeSet::new(),
            unseen: BTreeSet::new(),
            look: None,
            look_at: None,
            looked_at: now,
            look_once_more: false,
            interval,
            again: Again::default(),
            unremoved: BTreeSet::new(),
            has_changed: false,
            unkept: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// Takes over our entries of the table. The process before this one had still to remove `unremoved`.
    pub(super) fn take_over(&mut self, there: Table, unremoved: &[Where], balancer: &Balancer, now: Instant) {
        self.know_all(there, unremoved, balancer);
        self.dirty = balancer.services().collect();
        self.program(balancer, now);
        self.look_at = self.next_look(now);
    }

    /// Takes another configuration: removes services that it does not name, updates all others, and begins a look.
    pub(super) fn reconfigure(&mut self, balancer: &Balancer, interval: Duration, now: Instant) {
        self.look = None;
        self.doomed.extend(self.table.keys().copied());
        let named = balancer.services().flat_map(|id| balancer.keys(id).iter().copied());
        self.unseen.extend(named.filter(|key| !self.table.contains_key(key)));
        self.dirty = balancer.services().collect();
        self.interval = interval;
        self.program(balancer, now);
        self.look_at = Some(now);
    }

    /// The entries of a virtual server may have to change.
    pub(super) fn changed(&mut self, id: ServiceId) {
        self.dirty.insert(id);
    }

    /// Writes what has changed. If it is time, tries again what was refused, and compares a piece of the table. Returns when to call it
    /// again.
    pub(super) fn tend(&mut self, balancer: &Balancer, now: Instant) -> Option<Instant> {
        // changes that checks cause are no repair
        self.program(balancer, now);
        if self.again.is_due(now) {
            self.try_again(balancer, now);
        }
        if self.look_at.is_some_and(|at| at <= now) {
            match self.look(balancer, now) {
                Ok(true) => self.look_at = Some(now),
                Ok(false) => {
                    self.looked_at = now;
                    self.look_at = self.next_look(now);
                    if std::mem::take(&mut self.look_once_more) {
                        self.look_soon(now);
                    }
                }
                Err(error) => {
                    let pause = self.again.unreadable(&error, now, &mut self.news);
                    // once it can be read again, what others did meanwhile is repaired as soon as at any other time
                    self.look_at = Some(now + pause).into_iter().chain(self.next_look(now)).min();
                }
            }
        }
        self.look_at.into_iter().chain(self.again.at()).min()
    }

    /// Others have changed the table: a look begins as soon as they are done, and not too soon after the last one.
    pub(super) fn look_soon(&mut self, now: Instant) {
        let soon = (now + THEIR_TURN).max(self.looked_at + BETWEEN_LOOKS);
        if self.look.is_none() {
            self.look_at = Some(self.look_at.map_or(soon, |at| at.min(soon)));
        } else {
            // they may have changed what the look has compared already
            self.look_once_more = true;
        }
    }

    fn next_look(&self, now: Instant) -> Option<Instant> {
        (!self.interval.is_zero()).then(|| now + self.interval)
    }

    /// Compares a piece of the kernel's table with the balancer's, and repairs what others have changed. What others have added stays.
    /// Returns whether the next call has more to compare: checks go on meanwhile.
    fn look(&mut self, balancer: &Balancer, now: Instant) -> io::Result<bool> {
        let mut look = match self.look.take() {
            Some(look) => look,
            None => self.begin_look()?,
        };
        let all = u32::try_from(balancer.services().len()).unwrap_or(u32::MAX);
        let end = look.next.saturating_add(MOST_LOOKED_AT).min(all);
        for id in (look.next..end).map(ServiceId) {
            self.look_at(id, balancer, &mut look.services)?;
        }
        let changes = self.program_and_note(balancer, now, &mut look.repaired);
        look.changes += changes;
        look.next = end;
        if end < all {
            self.look = Some(look);
            return Ok(true);
        }
        self.again.readable();
        self.unseen.clear();
        self.end_look(&look, balancer);
        Ok(false)
    }

    fn begin_look(&mut self) -> io::Result<Look> {
        Ok(Look { services: self.director.services()?, next: 0, changes: 0, repaired: Vec::new() })
    }

    fn end_look(&mut self, look: &Look, balancer: &Balancer) {
        if look.changes == 0 {
            return;
        }
        // if repairs never hold and no other program changes the table, the fault is ours
        let unkept = self.verify(&look.repaired, balancer);
        if unkept < look.changes {
            self.news.push(Report::Repaired { changes: look.changes });
        }
    }

    /// Reads the entries of a virtual server; `services` were there when the look began.
    fn look_at(
        &mut self,
        id: ServiceId,
        balancer: &Balancer,
        services: &mut BTreeMap<ServiceKey, ServiceEntry>,
    ) -> io::Result<()> {
        let is_empty = |entry: &Entry| entry.destinations.is_empty();
        for (key, places) in balancer.places(id) {
            let there = match services.remove(&key) {
                Some(service) => Some(Entry { service, destinations: self.director.destinations(&key)? }),
                None => None,
            };
            let made = self.table.remove(&key);
            // a service without servers may be gone by now: writing it again does no harm
            let there = there.filter(|there| !is_empty(there) || made.as_ref().is_none_or(is_empty));
            if let Some(there) = there {
                self.know(key, there, &places, made);
            }
        }
        self.dirty.insert(id);
        Ok(())
    }

    /// Our part of `there`: our virtual servers, in them the places of our real servers, and `unremoved`.
    fn know_all(&mut self, mut there: Table, unremoved: &[Where], balancer: &Balancer) {
        let mut doomed: BTreeMap<ServiceKey, HashSet<DestinationKey>> = BTreeMap::new();
        for (key, to) in unremoved {
            doomed.entry(*key).or_default().extend(to);
        }
        for id in balancer.services() {
            for (key, mut places) in balancer.places(id) {
                places.extend(doomed.remove(&key).unwrap_or_default());
                if let Some(entry) = there.remove(&key) {
                    self.know(key, entry, &places, None);
                }
            }
        }
        let whole = unremoved.iter().filter(|(_, to)| to.is_none());
        for (key, entry) in whole.filter_map(|(key, _)| there.remove_entry(key)) {
            self.table.insert(key, entry);
            self.doomed.insert(key);
        }
        let servers = self.table.values().map(|entry| entry.destinations.len()).sum();
        if !self.table.is_empty() {
            self.news.push(Report::Adopted { services: self.table.len(), servers });
        }
    }

    /// Our part of a virtual server in the table: the `places` of our real servers, and what we had `made`.
    fn know(&mut self, key: ServiceKey, mut there: Entry, places: &HashSet<DestinationKey>, made: Option<Entry>) {
        ours(&mut there, places, made.as_ref());
        // the kernel's own form of what we write counts as right
        let entry = match made {
            Some(made) if self.unkept.get(&key) == Some(&there) => made,
            _ => there,
        };
        self.table.insert(key, entry);
    }

    pub(super) fn program(&mut self, balancer: &Balancer, now: Instant) {
        self.program_and_note(balancer, now, &mut Vec::new());
    }

    /// Makes the kernel's table match where it may differ. Returns how many changes only others can have caused, and notes some of the
    /// services concerned.
    fn program_and_note(&mut self, balancer: &Balancer, now: Instant, noted: &mut Vec<ServiceKey>) -> usize {
        let mut made = 0;
        let mut changes = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            if changes.len() >= self.director.worth_together() {
                self.make(&changes, now);
                changes.clear();
            }
            for (key, want) in balancer.entries(id) {
                self.doomed.remove(&key);
                self.is_removed((key, None));
                let before = changes.len();
                difference(key, self.table.get(&key), Some(&want), &mut changes);
                let more = changes.len().saturating_sub(before);
                if more > 0 {
                    self.unkept.remove(&key);
                    // a difference that a refusal left was not made by others
                    if !self.again.concerns(&key) && !self.unseen.contains(&key) {
                        made += more;
                        verify::note(noted, key);
                    }
                }
                self.table.insert(key, want);
            }
        }
        for key in std::mem::take(&mut self.doomed) {
            self.unkept.remove(&key);
            difference(key, self.table.get(&key), None, &mut changes);
        }
        self.make(&changes, now);
        made
    }

    fn make(&mut self, changes: &[Change], now: Instant) {
        if changes.is_empty() {
            return;
        }
        match self.director.change(changes) {
            Ok(refused) => {
                self.again.answered(changes, &refused, now, &mut self.news);
                let refused: BTreeSet<usize> = refused.iter().map(|refused| refused.index).collect();
                for (at, change) in changes.iter().enumerate() {
                    match change {
                        change if refused.contains(&at) => self.forget(change),
                        Change::RemoveService(key) => {
                            self.table.remove(key);
                            self.is_removed((*key, None));
                        }
                        change => self.is_removed(again::place(change)),
                    }
                }
            }
            Err(error) => {
                self.again.unanswered(changes, &error, now, &mut self.news);
                // the entry may still be there, and it is ours
                let is_removal =
                    |change: &&Change| matches!(change, Change::RemoveDestination(..) | Change::RemoveService(_));
                changes.iter().filter(is_removal).for_each(|change| self.forget(change));
            }
        }
    }

    /// After a refused change the old entry is still in the table, and stays ours. The next attempt reads first in what form.
    fn forget(&mut self, change: &Change) {
        match change {
            Change::AddService(key, _) => drop(self.table.remove(key)),
            Change::AddDestination(key, to, _) => {
                if let Some(entry) = self.table.get_mut(key) {
                    entry.destinations.remove(to);
                }
            }
            Change::RemoveDestination(key, to) => {
                if let Some(entry) = self.table.get_mut(key) {
                    entry.destinations.insert(*to, UNKNOWN);
                }
                self.has_changed |= self.unremoved.insert((*key, Some(*to)));
            }
            Change::RemoveService(key) => self.has_changed |= self.unremoved.insert((*key, None)),
            Change::EditDestination(..) | Change::EditService(..) => {}
        }
    }

    /// The entry is gone, or is wanted again.
    fn is_removed(&mut self, place: Where) {
        self.has_changed |= self.unremoved.remove(&place);
    }

    /// Entries that the kernel did not remove.
    pub(super) fn unremoved(&self) -> impl Iterator<Item = Where> + '_ {
        self.unremoved.iter().copied()
    }

    /// Whether [`Self::unremoved`] has changed since the last call.
    pub(super) fn has_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Reads the services that have refused changes, and makes them match.
    fn try_again(&mut self, balancer: &Balancer, now: Instant) {
        let mut services = match self.director.services() {
            Ok(services) => services,
            Err(error) => {
                self.again.unreadable(&error, now, &mut self.news);
                return;
            }
        };
        let keys = self.again.begin();
        // what is still there is refused again, or goes
        let before = self.unremoved.len();
        self.unremoved.retain(|(key, _)| !keys.contains(key));
        self.has_changed |= self.unremoved.len() < before;
        let is_named = |id: &ServiceId| balancer.keys(*id).iter().any(|key| keys.contains(key));
        let mut gone = keys.clone();
        for id in balancer.services().filter(is_named) {
            // its other services are as we know them
            for (key, places) in balancer.places(id).filter(|(key, _)| keys.contains(key)) {
                gone.remove(&key);
                let made = self.table.remove(&key);
                if let Some(entry) = self.read_one(key, made.as_ref(), &mut services) {
                    self.know(key, entry, &places, made);
                }
            }
            self.dirty.insert(id);
        }
        for key in gone {
            let made = self.table.remove(&key);
            if let Some(entry) = self.read_one(key, made.as_ref(), &mut services) {
                self.table.insert(key, entry);
                self.doomed.insert(key);
            }
        }
        self.program(balancer, now);
        self.again.end();
    }

    /// A service as the kernel has it. If its servers cannot be read, those that we `made` stay ours, and are written again.
    fn read_one(
        &mut self,
        key: ServiceKey,
        made: Option<&Entry>,
        services: &mut BTreeMap<ServiceKey, ServiceEntry>,
    ) -> Option<Entry> {
        let service = services.remove(&key)?;
        let made = || made.into_iter().flat_map(|made| made.destinations.keys());
        let destinations = self.director.destinations(&key);
        let destinations = destinations.unwrap_or_else(|_| made().map(|to| (*to, UNKNOWN)).collect());
        Some(Entry { service, destinations })
    }

    /// Removes our entries, or `everything`: the process ends.
    pub(super) fn clear(&mut self, everything: bool, now: Instant) {
        let mut doomed: BTreeSet<ServiceKey> = std::mem::take(&mut self.table).into_keys().collect();
        doomed.append(&mut self.again.begin());
        if everything {
            match self.director.read() {
                Ok(there) => doomed.extend(there.into_keys()),
                Err(error) => {
                    self.again.unreadable(&error, now, &mut self.news);
                }
            }
        }
        let changes: Vec<Change> = doomed.into_iter().map(Change::RemoveService).collect();
        self.make(&changes, now);
    }

    /// Takes the reports.
    pub(super) fn news(&mut self) -> impl Iterator<Item = Report> + '_ {
        self.news.drain(..)
    }

    /// The kernel's load balancer.
    pub(super) fn director(&mut self) -> &mut D {
        &mut self.director
    }
}

/// Keeps of the servers in the table those at `places` of ours, and those that we had `made`.
fn ours(there: &mut Entry, places: &HashSet<DestinationKey>, made: Option<&Entry>) {
    let is_made = |to: &DestinationKey| made.is_some_and(|made| made.destinations.contains_key(to));
    there.destinations.retain(|to, _| places.contains(to) || is_made(to));
}
