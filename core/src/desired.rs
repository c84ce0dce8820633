//! What ought to be in the kernel, and the work it takes to make the kernel agree.
//!
//! One mechanism for start, takeover, reload, crash recovery and "our address was deleted": what is wanted is a set of
//! objects; whatever may differ from it is put on a list; the list is worked off in batches. The machine asks for a
//! batch ([`Desired::batch`]), its owner begins it ([`Desired::begin`]), has the kernel carry it out, and tells what
//! came of it ([`Desired::done`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use crate::time::Instant;

mod queue;
mod under_way;

#[cfg(test)]
mod tests;

use queue::Queue;
use under_way::{Flight, UnderWay};

/// Something that the kernel can have: an address, a route.
pub trait Object: Clone + PartialEq + Debug {
    /// What makes it the same object, whatever it looks like.
    type Key: Copy + Ord + Debug;

    /// How many ranks there are.
    const RANKS: usize;

    /// Which object it is.
    fn key(&self) -> Self::Key;

    /// The place of its kind in the order in which objects come: links before addresses before routes. They go the
    /// other way round. Below [`Object::RANKS`].
    fn rank(key: &Self::Key) -> usize;

    /// The objects that have to be there before the kernel takes this one.
    fn needs(&self) -> Vec<Self::Key>;

    /// Whether this object, as the kernel has it, is what `wish` asks for.
    fn fulfils(&self, wish: &Self) -> bool;

    /// Whether the kernel makes of this object what `wish` asks for, without removing it first.
    fn becomes(&self, wish: &Self) -> bool {
        let _removed_first = wish;
        false
    }
}

/// What the kernel has, as far as we know: kept up to date with its events by the owner, and with what was asked of it
/// by [`Desired`].
pub trait Seen<O: Object> {
    /// The object, if it is there.
    fn get(&self, key: &O::Key) -> Option<O>;

    /// It is there, just so.
    fn put(&mut self, object: O);

    /// It is not there any more. False if it was not known.
    fn take(&mut self, key: &O::Key) -> bool;

    /// Whether the kernel has to be asked to remove this object before others of its kind, which it would remove by
    /// itself.
    fn goes_first(&self, key: &O::Key) -> bool;

    /// Whether the kernel reports it when this object is removed, whoever does it.
    fn hears_of(&self, key: &O::Key) -> bool;
}

/// One change. Both are idempotent: what is already so is success.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change<O: Object> {
    /// Ought to be there, just so.
    Present(O),
    /// Ought not to be there.
    Absent(O::Key),
}

impl<O: Object> Change<O> {
    /// Which object it is about.
    pub fn key(&self) -> O::Key {
        match self {
            Self::Present(object) => object.key(),
            Self::Absent(key) => *key,
        }
    }
}

/// Who wants objects: a number that the owner gives out.
pub type Holder = usize;

/// Something that became of an object. `R` is the kernel's refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<K, R> {
    /// It is there as this holder wants it. Each object is told of on its own.
    Settled {
        /// Who waited for it.
        holder: Holder,
        /// The object.
        key: K,
    },
    /// The kernel refused it; it is tried again.
    Refused {
        /// A holder of it.
        holder: Holder,
        /// The object.
        key: K,
        /// The kernel's words.
        refused: R,
    },
    /// What an earlier run had left is removed.
    LeftOverGone {
        /// Whose it was.
        holder: Holder,
        /// The object.
        key: K,
    },
}

/// Objects that are wanted or were, and the work that they still need.
#[derive(Debug)]
pub struct Desired<O: Object> {
    entries: BTreeMap<O::Key, Entry<O>>,
    /// Objects that may differ from what is wanted, each once.
    dirty: Queue<O::Key>,
    /// Objects that the kernel refused, or that others keep removing, each once; they become dirty again then.
    later: BTreeSet<(Instant, O::Key)>,
    /// Objects that wait for one that they need, or that replaces them, by that.
    parked: BTreeMap<O::Key, BTreeSet<O::Key>>,
    /// What the kernel is being asked for.
    under_way: Option<UnderWay<O>>,
}

#[derive(Debug)]
struct Entry<O> {
    /// What it ought to look like.
    wish: O,
    /// Who wants it. An object that moves between two has both for a moment, and is never away.
    holders: Vec<Holder>,
    /// Who waits to hear that it is there.
    waiting: Vec<Holder>,
    dirty: bool,
    /// It may be gone, or changed, without a report: the kernel is asked again whatever we know.
    doubtful: bool,
    /// It was there before us: it stays when we go.
    foreign: bool,
    /// Removals of ours that the kernel has still to report, those included that it is being asked for.
    own_removals: u32,
    /// Attempts that failed or were undone, for the pause before the next.
    setbacks: u32,
    lost_at: Option<Instant>,
    /// When it becomes dirty again.
    later: Option<Instant>,
    /// Whose it is, if an earlier run left it and no holder has wanted it since.
    left_over: Option<Holder>,
}

/// Pause after the first setback; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Pause at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Losses further apart than this are not a fight.
const QUIET: Duration = Duration::from_secs(1);

impl<O: Object> Default for Desired<O> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            dirty: Queue::new(O::RANKS),
            later: BTreeSet::new(),
            parked: BTreeMap::new(),
            under_way: None,
        }
    }
}

impl<O: Object> Desired<O> {
    /// `holder` wants `wish`, and hears of it by [`Outcome::Settled`]. `foreign`: it is there, and not ours.
    pub fn hold(&mut self, holder: Holder, wish: O, foreign: bool) {
        let key = wish.key();
        let entry = self.entries.entry(key).or_insert_with(|| Entry::new(wish.clone(), foreign));
        entry.wish = wish;
        entry.left_over = None;
        if !entry.holders.contains(&holder) {
            entry.holders.push(holder);
        }
        if !entry.waiting.contains(&holder) {
            entry.waiting.push(holder);
        }
        mark(&mut self.dirty, key, entry);
    }

    /// `holder` does not want this object any more.
    pub fn release(&mut self, holder: Holder, key: &O::Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.holders.retain(|other| *other != holder);
        entry.waiting.retain(|other| *other != holder);
        mark(&mut self.dirty, *key, entry);
        // what it was to replace goes, too
        self.arrived(key);
    }

    /// `holder` wants the object `by` instead of this one, which goes once that is there, or not wanted any more either. The kernel takes
    /// both beside each other.
    pub fn replace(&mut self, holder: Holder, key: &O::Key, by: O::Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.holders.retain(|other| *other != holder);
        entry.waiting.retain(|other| *other != holder);
        if entry.holders.is_empty() && !entry.dirty {
            self.parked.entry(by).or_default().insert(*key);
        } else {
            mark(&mut self.dirty, *key, entry);
        }
    }

    /// An object of `holder` is there from an earlier run: removed unless it is asked for first.
    pub fn left_over(&mut self, holder: Holder, object: O) {
        let key = object.key();
        let entry = self.entries.entry(key).or_insert_with(|| Entry::new(object, false));
        entry.left_over = Some(holder);
        mark(&mut self.dirty, key, entry);
    }

    /// Whether what is held is to look like `object`.
    pub fn looks(&self, object: &O) -> bool {
        self.entries.get(&object.key()).is_some_and(|entry| entry.wish == *object)
    }

    /// What the object ought to look like, if it is held or was.
    pub fn wish(&self, key: &O::Key) -> Option<&O> {
        self.entries.get(key).map(|entry| &entry.wish)
    }

    /// Who holds the object.
    pub fn holders(&self, key: &O::Key) -> &[Holder] {
        self.entries.get(key).map_or(&[], |entry| entry.holders.as_slice())
    }

    /// Whether `holder` has the object, as far as we know.
    pub fn is_set(&self, holder: Holder, key: &O::Key, seen: &impl Seen<O>) -> bool {
        self.holders(key).contains(&holder) && seen.get(key).is_some()
    }

    /// The kernel reports that an object is there: those that need it may come.
    pub fn arrived(&mut self, key: &O::Key) {
        for parked in self.parked.remove(key).unwrap_or_default() {
            if let Some(entry) = self.entries.get_mut(&parked) {
                mark(&mut self.dirty, parked, entry);
            }
        }
    }

    /// Something happened with which the kernel may have removed or changed an object, and it does not report that.
    pub fn doubt(&mut self, key: &O::Key) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.doubtful = true;
            mark(&mut self.dirty, *key, entry);
        }
    }

    /// An object that was there as it is wanted may be otherwise now, without a report: if so it is made right again. Of one that is being
    /// asked for, or waits, there is nothing new.
    pub fn check(&mut self, now: Instant, key: &O::Key, seen: &impl Seen<O>) {
        let Some(entry) = self.entries.get(key) else { return };
        let rests = !entry.dirty && entry.waiting.is_empty() && !entry.holders.is_empty();
        let asked = self.under_way.as_ref().is_some_and(|it| it.concerns(key));
        if rests && !asked && !seen.get(key).is_some_and(|there| there.fulfils(&entry.wish)) {
            self.restore(now, key);
        }
    }

    /// What the kernel refused may be granted now: these objects do not wait any longer.
    pub fn hurry(&mut self, which: impl Fn(&O::Key) -> bool) {
        for (_, key) in self.later.extract_if(.., |(_, key)| which(key)) {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.later = None;
                mark(&mut self.dirty, key, entry);
            }
        }
    }

    /// The kernel reports that an object is gone. Returns who held it; `None` if the report is about a removal of ours,
    /// after which it can be there again.
    pub fn lost(&mut self, key: &O::Key) -> Option<Vec<Holder>> {
        let Some(entry) = self.entries.get_mut(key) else { return Some(Vec::new()) };
        if entry.own_removals > 0 {
            entry.own_removals -= 1;
            let under_way = self.under_way.as_ref().is_some_and(|it| it.concerns(key));
            if entry.is_over() && !under_way {
                self.entries.remove(key);
            }
            return None;
        }
        if let Some(under_way) = &mut self.under_way {
            under_way.contradict(key);
            if under_way.endangers(key) {
                // the kernel removed it with another, which we have asked it to remove
                mark(&mut self.dirty, *key, entry);
                return Some(Vec::new());
            }
        }
        Some(entry.holders.clone())
    }

    /// Whether the kernel has still to report a removal of ours: what it reports of the object before that is old.
    pub fn awaits_removal(&self, key: &O::Key) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.own_removals > 0)
    }

    /// Puts an object back: at once, or after a pause if others keep removing it.
    pub fn restore(&mut self, now: Instant, key: &O::Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let fight = entry.lost_at.is_some_and(|at| now.since(at) < QUIET);
        entry.lost_at = Some(now);
        for holder in &entry.holders {
            if !entry.waiting.contains(holder) {
                entry.waiting.push(*holder);
            }
        }
        if fight {
            entry.setbacks = entry.setbacks.saturating_add(1);
            put_off(&mut self.later, *key, entry, now + pause(entry.setbacks).min(QUIET));
        } else {
            entry.setbacks = 0;
            mark(&mut self.dirty, *key, entry);
        }
    }

    /// These objects are gone with what they were on, and so is who wanted them: a link was removed.
    pub fn forget(&mut self, gone: impl Fn(&O::Key) -> bool) {
        self.entries.retain(|key, _| !gone(key));
        self.dirty.retain(|key| !gone(key));
        self.later.retain(|(_, key)| !gone(key));
        self.parked.values_mut().for_each(|parked| parked.retain(|key| !gone(key)));
        // what comes back has another key
        for (_, parked) in self.parked.extract_if(.., |needed, _| gone(needed)) {
            for key in parked {
                // what it was to replace
                if let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.holders.is_empty()) {
                    mark(&mut self.dirty, key, entry);
                }
            }
        }
        self.parked.retain(|_, parked| !parked.is_empty());
        if let Some(under_way) = &mut self.under_way {
            under_way.forget(gone);
        }
    }

    /// Reports were lost, and everything was read anew: returns the objects that are held and not there.
    pub fn resync(&mut self, seen: &impl Seen<O>) -> Vec<O::Key> {
        self.entries.values_mut().for_each(|entry| entry.own_removals = 0);
        let missing = self
            .entries
            .iter()
            .filter(|(key, entry)| !entry.holders.is_empty() && !entry.dirty && seen.get(key).is_none());
        missing.map(|(key, _)| *key).collect()
    }

    /// When [`Desired::batch`] has something to do next, if none is under way.
    pub fn next(&self) -> Option<Instant> {
        if self.dirty.is_empty() { self.later.first().map(|(at, _)| *at) } else { Some(Instant::ZERO) }
    }

    /// Whether something has to be changed right now, or is being changed.
    pub fn is_busy(&self) -> bool {
        self.is_waiting() || !self.dirty.is_empty()
    }

    /// Whether something is to go and is still there, also if the kernel has refused to remove it and is asked again
    /// later.
    pub fn owes_removals(&self, seen: &impl Seen<O>) -> bool {
        let goes = |key: &O::Key| {
            let entry = self.entries.get(key);
            entry.is_some_and(|entry| entry.holders.is_empty() && !entry.foreign) && seen.get(key).is_some()
        };
        self.is_busy() || self.later.iter().any(|(_, key)| goes(key))
    }

    /// Whether the kernel is being asked for a batch.
    pub const fn is_waiting(&self) -> bool {
        self.under_way.is_some()
    }

    /// The next request to the kernel, about at most `most` objects; empty if there is none, or while one is under way.
    /// It is begun at once, or these changes are never made.
    pub fn batch<R>(
        &mut self,
        now: Instant,
        most: usize,
        seen: &impl Seen<O>,
        out: &mut Vec<Outcome<O::Key, R>>,
    ) -> Vec<Change<O>> {
        if self.is_waiting() {
            return Vec::new();
        }
        self.wake(now);
        let (mut go, mut come) = (Vec::new(), Vec::new());
        for _ in 0..most {
            let Some(key) = self.dirty.pop() else { break };
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.dirty = false;
            match (entry.holders.is_empty(), seen.get(&key)) {
                (false, Some(there)) if there.fulfils(&entry.wish) && !entry.doubtful => {
                    settle(key, entry, out);
                    self.arrived(&key);
                }
                (false, there) => {
                    let missing = entry.wish.needs().into_iter().find(|needed| seen.get(needed).is_none());
                    if let Some(missing) = missing {
                        self.parked.entry(missing).or_default().insert(key);
                        continue;
                    }
                    if there.is_some_and(|there| !there.fulfils(&entry.wish) && !there.becomes(&entry.wish)) {
                        // the kernel does not change everything in place
                        go.push(key);
                    }
                    come.push(entry.wish.clone());
                }
                (true, there) if !entry.foreign && (there.is_some() || entry.doubtful) => go.push(key),
                (true, _) => {
                    if entry.is_over() {
                        self.entries.remove(&key);
                    }
                }
            }
        }
        go.sort_by_key(|key| (std::cmp::Reverse(O::rank(key)), !seen.goes_first(key)));
        come.sort_by_key(|wish| O::rank(&wish.key()));
        go.into_iter().map(Change::Absent).chain(come.into_iter().map(Change::Present)).collect()
    }

    /// The kernel is asked for this batch. What is to go counts as gone from here on, what is to come as there when
    /// [`Desired::done`] says so. With what goes the kernel may remove `endangered`, which are held: that is nobody
    /// else's doing.
    pub fn begin(
        &mut self,
        changes: &[Change<O>],
        endangered: impl IntoIterator<Item = O::Key>,
        seen: &mut impl Seen<O>,
    ) {
        let flights = changes.iter().map(|change| Flight::of(change, seen)).collect();
        for change in changes {
            if let Change::Absent(key) = change
                && seen.take(key)
                && seen.hears_of(key)
                && let Some(entry) = self.entries.get_mut(key)
            {
                entry.own_removals = entry.own_removals.saturating_add(1);
            }
        }
        self.under_way = Some(UnderWay::new(flights, endangered.into_iter().collect()));
    }

    /// The kernel has removed what the batch under way endangers and `is_gone` says.
    pub fn taken_along(&mut self, seen: &mut impl Seen<O>, is_gone: impl Fn(&O::Key) -> bool) {
        let Some(under_way) = &self.under_way else { return };
        for key in under_way.endangered().filter(|key| is_gone(key)) {
            if let Some(entry) = self.entries.get_mut(key)
                && seen.take(key)
            {
                entry.own_removals = entry.own_removals.saturating_add(1);
                mark(&mut self.dirty, *key, entry);
            }
        }
    }

    /// The kernel has worked through the batch that was under way: a result for each change, in its order.
    pub fn done<R>(
        &mut self,
        now: Instant,
        results: impl IntoIterator<Item = Result<(), R>>,
        seen: &mut impl Seen<O>,
        out: &mut Vec<Outcome<O::Key, R>>,
    ) {
        let Some(under_way) = self.under_way.take() else { return };
        for (flight, result) in under_way.into_flights().into_iter().zip(results) {
            self.landed(now, flight, result, seen, out);
        }
    }

    fn landed<R>(
        &mut self,
        now: Instant,
        flight: Flight<O>,
        result: Result<(), R>,
        seen: &mut impl Seen<O>,
        out: &mut Vec<Outcome<O::Key, R>>,
    ) {
        let Flight { key, wish, before, contradicted } = flight;
        let Some(entry) = self.entries.get_mut(&key) else { return };
        match (result, wish) {
            // the reports say what happened, and when
            _ if contradicted => mark(&mut self.dirty, key, entry),
            (Ok(()), Some(wish)) => {
                entry.doubtful = false;
                // the kernel's own report, with what it adds, may have come before
                if !seen.get(&key).is_some_and(|there| there.fulfils(&wish)) {
                    seen.put(wish);
                }
                if !entry.dirty {
                    settle(key, entry, out);
                }
                self.arrived(&key);
            }
            (Ok(()), None) => {
                entry.doubtful = false;
                if let Some(holder) = entry.left_over.take() {
                    out.push(Outcome::LeftOverGone { holder, key });
                }
                if entry.is_over() {
                    self.entries.remove(&key);
                }
            }
            (Err(refused), _) => {
                let heard = seen.hears_of(&key);
                if let Some(before) = before.filter(|_| entry.own_removals > 0 || !heard) {
                    entry.own_removals = entry.own_removals.saturating_sub(u32::from(heard));
                    seen.put(before);
                }
                entry.setbacks = entry.setbacks.saturating_add(1);
                put_off(&mut self.later, key, entry, now + pause(entry.setbacks));
                if let Some(holder) = entry.holders.first() {
                    out.push(Outcome::Refused { holder: *holder, key, refused });
                }
            }
        }
    }

    /// Makes what has paused long enough dirty again.
    fn wake(&mut self, now: Instant) {
        while let Some((at, key)) = self.later.pop_first() {
            if at > now {
                self.later.insert((at, key));
                return;
            }
            if let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.later == Some(at)) {
                entry.later = None;
                mark(&mut self.dirty, key, entry);
            }
        }
    }
}

impl<O> Entry<O> {
    const fn new(wish: O, foreign: bool) -> Self {
        Self {
            wish,
            holders: Vec::new(),
            waiting: Vec::new(),
            dirty: false,
            doubtful: false,
            foreign,
            own_removals: 0,
            setbacks: 0,
            lost_at: None,
            later: None,
            left_over: None,
        }
    }

    /// Whether nothing is left to be done about it.
    const fn is_over(&self) -> bool {
        self.own_removals == 0 && self.holders.is_empty() && !self.dirty
    }
}

fn mark<O: Object>(dirty: &mut Queue<O::Key>, key: O::Key, entry: &mut Entry<O>) {
    if !entry.dirty {
        entry.dirty = true;
        dirty.push(key, O::rank(&key), !entry.holders.is_empty());
    }
}

fn put_off<O, K: Copy + Ord>(later: &mut BTreeSet<(Instant, K)>, key: K, entry: &mut Entry<O>, at: Instant) {
    if let Some(before) = entry.later.replace(at) {
        later.remove(&(before, key));
    }
    later.insert((at, key));
}

fn settle<O: Object, R>(key: O::Key, entry: &mut Entry<O>, out: &mut Vec<Outcome<O::Key, R>>) {
    out.extend(entry.waiting.drain(..).map(|holder| Outcome::Settled { holder, key }));
}

fn pause(setbacks: u32) -> Duration {
    let doublings = setbacks.saturating_sub(1).min(16);
    (FIRST_PAUSE * 2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE)
}
