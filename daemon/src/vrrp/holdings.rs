//! Which addresses ought to be where, and the work it takes to make the kernel agree.
//!
//! One mechanism for start, takeover, reload, crash recovery and "somebody deleted our address": what is wanted is a
//! set; whatever may differ from it is put on a list; the list is worked off in batches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::network::{Address, AddressChange, LinkIndex, Refused};

use self::changes::Changes;
use super::landscape::{Landscape, Place};

mod abandoned;
mod changes;
mod under_way;

pub use abandoned::{Removed, Was, remove as remove_abandoned};
pub use changes::{Batch, Changed};
use under_way::{Flight, UnderWay};

/// Addresses that routers hold or held, and what is to be done about them.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    places: BTreeMap<Place, Holding>,
    /// Places that may differ from what is wanted, each once.
    dirty: VecDeque<Place>,
    /// Places that the kernel refused, or that somebody keeps taking away; they become dirty again then.
    later: VecDeque<(Instant, Place)>,
    /// What the kernel is being asked for.
    under_way: Option<UnderWay>,
    /// Links that it was said of: secondary addresses cannot be guarded there.
    unguarded: BTreeSet<LinkIndex>,
}

#[derive(Debug)]
struct Holding {
    /// What it ought to look like.
    address: Address,
    /// Routers that want it here. An address that moves between instances has two for a moment, and none is lost.
    holders: Vec<usize>,
    /// Routers that wait to hear that it is in place.
    waiting: Vec<usize>,
    dirty: bool,
    /// It was there before us, on the owner's interface: it stays when we go.
    foreign: bool,
    /// Deletions of ours that the kernel has still to report, those included that it is being asked for.
    own_removals: u32,
    /// Attempts that failed or were undone, for the pause before the next.
    setbacks: u32,
    lost_at: Option<Instant>,
    /// The router whose address it is, if an earlier run left it and nobody has wanted it since.
    left_over: Option<usize>,
}

/// Something that the holdings found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// This router's address is as it should be (each place reports on its own).
    Settled {
        /// The router that waited.
        slot: usize,
        /// The address.
        place: Place,
    },
    /// The kernel refused an address; it is tried again.
    Refused {
        /// A router that wants it.
        slot: usize,
        /// The address.
        place: Place,
        /// The kernel's words.
        refused: Refused,
    },
    /// What an earlier run had left is removed.
    LeftOverGone {
        /// The router whose address it is.
        slot: usize,
        /// The address.
        place: Place,
    },
    /// Secondary addresses go for a moment when their primary one is removed.
    Unguarded {
        /// On this link.
        link: LinkIndex,
        /// Why they cannot be kept.
        reason: String,
    },
}

/// Pause after the first setback; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Pause at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Losses further apart than this are not a fight.
const QUIET: Duration = Duration::from_secs(1);

impl Holdings {
    /// `slot` wants `address`. Its [`Outcome::Settled`] comes with a later [`Holdings::batch`], or what came of that.
    pub(super) fn hold(&mut self, slot: usize, address: Address, foreign: bool) {
        let place = (address.link, address.address, address.prefix);
        let holding = self.places.entry(place).or_insert_with(|| Holding {
            address: address.clone(),
            holders: Vec::new(),
            waiting: Vec::new(),
            dirty: false,
            foreign,
            own_removals: 0,
            setbacks: 0,
            lost_at: None,
            left_over: None,
        });
        holding.address = address;
        holding.left_over = None;
        if !holding.holders.contains(&slot) {
            holding.holders.push(slot);
        }
        if !holding.waiting.contains(&slot) {
            holding.waiting.push(slot);
        }
        mark(&mut self.dirty, place, holding);
    }

    /// `slot` does not want what is at `place` any more.
    pub(super) fn release(&mut self, slot: usize, place: &Place) {
        let Some(holding) = self.places.get_mut(place) else { return };
        holding.holders.retain(|holder| *holder != slot);
        holding.waiting.retain(|holder| *holder != slot);
        mark(&mut self.dirty, *place, holding);
    }

    /// Whether what is held at `place` is to look like `address`.
    pub(super) fn looks(&self, place: &Place, address: &Address) -> bool {
        self.places.get(place).is_some_and(|holding| holding.address == *address)
    }

    /// Routers that hold `place`.
    pub(super) fn holders(&self, place: &Place) -> Vec<usize> {
        self.places.get(place).map(|holding| holding.holders.clone()).unwrap_or_default()
    }

    /// An address of `slot` is there from an earlier run: removed unless a router asks for it first.
    pub(super) fn left_over(&mut self, slot: usize, address: Address) {
        let place = (address.link, address.address, address.prefix);
        let holding = self.places.entry(place).or_insert_with(|| Holding {
            address,
            holders: Vec::new(),
            waiting: Vec::new(),
            dirty: false,
            foreign: false,
            own_removals: 0,
            setbacks: 0,
            lost_at: None,
            left_over: None,
        });
        holding.left_over = Some(slot);
        mark(&mut self.dirty, place, holding);
    }

    /// The kernel reports that what was at `place` is gone. Returns the routers that held it; `None` if the report is
    /// about a removal of ours, after which it may well be there again.
    pub(super) fn lost(&mut self, place: &Place) -> Option<Vec<usize>> {
        let Some(holding) = self.places.get_mut(place) else { return Some(Vec::new()) };
        if holding.own_removals > 0 {
            holding.own_removals -= 1;
            let under_way = self.under_way.as_ref().is_some_and(|it| it.concerns(place));
            if holding.own_removals == 0 && holding.holders.is_empty() && !holding.dirty && !under_way {
                self.places.remove(place);
            }
            return None;
        }
        if let Some(under_way) = &mut self.under_way {
            under_way.contradict(place);
            if under_way.endangers(place) {
                // the kernel removed it with its primary address, which we have asked it to remove
                mark(&mut self.dirty, *place, holding);
                return Some(Vec::new());
            }
        }
        Some(holding.holders.clone())
    }

    /// Whether the kernel has still to report a removal of ours at `place`: what it reports before that is old.
    pub(super) fn awaits_removal(&self, place: &Place) -> bool {
        self.places.get(place).is_some_and(|holding| holding.own_removals > 0)
    }

    /// Puts back what is at `place`: at once, or after a pause if somebody keeps taking it away.
    pub(super) fn restore(&mut self, now: Instant, place: &Place) {
        let Some(holding) = self.places.get_mut(place) else { return };
        let fight = holding.lost_at.is_some_and(|at| now.since(at) < QUIET);
        holding.lost_at = Some(now);
        for holder in &holding.holders {
            if !holding.waiting.contains(holder) {
                holding.waiting.push(*holder);
            }
        }
        if fight {
            holding.setbacks = holding.setbacks.saturating_add(1);
            let pause = pause(holding.setbacks).min(QUIET);
            self.later.push_back((now + pause, *place));
        } else {
            holding.setbacks = 0;
            mark(&mut self.dirty, *place, holding);
        }
    }

    /// A link is gone: nothing on it needs to be removed any more.
    pub(super) fn unlink(&mut self, link: LinkIndex) {
        self.places.retain(|(on, _, _), _| *on != link);
        self.dirty.retain(|(on, _, _)| *on != link);
        self.later.retain(|(_, (on, _, _))| *on != link);
        if let Some(under_way) = &mut self.under_way {
            under_way.unlink(link);
        }
    }

    /// Events were lost, and `landscape` was read anew: returns the places that are held and not there.
    pub(super) fn resync(&mut self, landscape: &Landscape) -> Vec<Place> {
        let gone: Vec<LinkIndex> =
            self.places.keys().map(|(link, _, _)| *link).filter(|link| landscape.by_index(*link).is_none()).collect();
        for link in gone {
            self.unlink(link);
        }
        for holding in self.places.values_mut() {
            holding.own_removals = 0;
        }
        let missing = self.places.iter().filter(|(place, holding)| {
            !holding.holders.is_empty() && !holding.dirty && landscape.address(place).is_none()
        });
        missing.map(|(place, _)| *place).collect()
    }

    /// Whether `slot` has what it wants at `place`, as far as we know.
    pub(super) fn is_set(&self, slot: usize, place: &Place, landscape: &Landscape) -> bool {
        self.places.get(place).is_some_and(|holding| holding.holders.contains(&slot))
            && landscape.address(place).is_some()
    }

    /// When [`Holdings::batch`] has something to do next, if none is under way.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.dirty.is_empty() { self.later.iter().map(|(at, _)| *at).min() } else { Some(Instant::ZERO) }
    }

    /// Whether the kernel is being asked for a batch.
    pub(super) const fn is_waiting(&self) -> bool {
        self.under_way.is_some()
    }

    /// The next request to the kernel, about at most `most` places. What is to go counts as gone from here on, what
    /// is to come as there when [`Holdings::changed`] says so. `None` while a batch is under way.
    pub(super) fn batch(
        &mut self,
        now: Instant,
        most: usize,
        landscape: &mut Landscape,
        out: &mut Vec<Outcome>,
    ) -> Option<Batch> {
        if self.is_waiting() {
            return None;
        }
        self.wake(now);
        let mut changes = Changes::default();
        for _ in 0..most {
            let Some(place) = self.dirty.pop_front() else { break };
            let Some(holding) = self.places.get_mut(&place) else { continue };
            holding.dirty = false;
            let wanted = !holding.holders.is_empty();
            match (wanted, landscape.address(&place)) {
                (true, Some(there)) if there.fulfils(&holding.address) => settle(place, holding, out),
                (true, there) => {
                    if there.is_some() {
                        // the kernel does not change label, scope or peer in place
                        changes.remove(place);
                    }
                    changes.add(holding.address.clone());
                }
                (false, Some(_)) if !holding.foreign => changes.remove(place),
                (false, _) => {
                    if holding.own_removals == 0 {
                        self.places.remove(&place);
                    }
                }
            }
        }
        if changes.is_empty() {
            return None;
        }
        changes.secondaries_first(landscape);
        let flights = changes.list().iter().map(|change| Flight::of(change, landscape)).collect();
        let is_held = |place: &Place| self.places.get(place).is_some_and(|holding| !holding.holders.is_empty());
        let list = changes.list().to_vec();
        let (batch, endangered) = changes.into_batch(landscape, is_held);
        for change in list {
            if let AddressChange::Absent { .. } = change
                && landscape.remove(&change.key())
                && let Some(holding) = self.places.get_mut(&change.key())
            {
                holding.own_removals = holding.own_removals.saturating_add(1);
            }
        }
        self.under_way = Some(UnderWay::new(flights, endangered));
        Some(batch)
    }

    /// The kernel has worked through the batch that was under way.
    pub(super) fn changed(
        &mut self,
        now: Instant,
        changed: Changed,
        landscape: &mut Landscape,
        out: &mut Vec<Outcome>,
    ) {
        let Some(under_way) = self.under_way.take() else { return };
        for (link, reason) in changed.unguarded {
            for place in under_way.endangered_on(link) {
                self.taken_along(place, landscape);
            }
            if self.unguarded.insert(link) {
                out.push(Outcome::Unguarded { link, reason });
            }
        }
        for (flight, (_, result)) in under_way.into_flights().into_iter().zip(changed.results) {
            self.applied(now, flight, result, landscape, out);
        }
    }

    /// The kernel has removed what is at `place` together with its primary address: it is put back with the next batch.
    fn taken_along(&mut self, place: &Place, landscape: &mut Landscape) {
        if let Some(holding) = self.places.get_mut(place)
            && landscape.remove(place)
        {
            holding.own_removals = holding.own_removals.saturating_add(1);
            mark(&mut self.dirty, *place, holding);
        }
    }

    fn applied(
        &mut self,
        now: Instant,
        flight: Flight,
        result: Result<(), Refused>,
        landscape: &mut Landscape,
        out: &mut Vec<Outcome>,
    ) {
        let Flight { place, wish, before, contradicted } = flight;
        let Some(holding) = self.places.get_mut(&place) else { return };
        match (result, wish) {
            // the landscape knows what happened, and when
            _ if contradicted => mark(&mut self.dirty, place, holding),
            (Ok(()), Some(wish)) => {
                // the kernel's own report, with what it adds, may have come before
                if !landscape.address(&place).is_some_and(|there| there.fulfils(&wish)) {
                    landscape.add(wish);
                }
                if !holding.dirty {
                    settle(place, holding, out);
                }
            }
            (Ok(()), None) => {
                if let Some(slot) = holding.left_over.take() {
                    out.push(Outcome::LeftOverGone { slot, place });
                }
                if holding.own_removals == 0 && holding.holders.is_empty() && !holding.dirty {
                    self.places.remove(&place);
                }
            }
            (Err(refused), _) => {
                if let Some(before) = before.filter(|_| holding.own_removals > 0) {
                    holding.own_removals -= 1;
                    landscape.add(before);
                }
                holding.setbacks = holding.setbacks.saturating_add(1);
                self.later.push_back((now + pause(holding.setbacks), place));
                if let Some(slot) = holding.holders.first() {
                    out.push(Outcome::Refused { slot: *slot, place, refused });
                }
            }
        }
    }

    /// Makes what has paused long enough dirty again.
    fn wake(&mut self, now: Instant) {
        for _ in 0..self.later.len() {
            let Some((at, place)) = self.later.pop_front() else { break };
            if at > now {
                self.later.push_back((at, place));
            } else if let Some(holding) = self.places.get_mut(&place) {
                mark(&mut self.dirty, place, holding);
            }
        }
    }
}

fn mark(dirty: &mut VecDeque<Place>, place: Place, holding: &mut Holding) {
    if !holding.dirty {
        holding.dirty = true;
        dirty.push_back(place);
    }
}

fn settle(place: Place, holding: &mut Holding, out: &mut Vec<Outcome>) {
    out.extend(holding.waiting.drain(..).map(|slot| Outcome::Settled { slot, place }));
}

fn pause(setbacks: u32) -> Duration {
    let doublings = setbacks.saturating_sub(1).min(16);
    (FIRST_PAUSE * 2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE)
}
