//! What is tracked beside the election, and what it does to a router: FAULT, or another priority.
//!
//! Sources: keepalived as observed (reference: interfaces.md sections 7 to 9, behaviour.md section 6).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::cause::{Fault, Faults};
pub use super::tracker::{Detail, TrackerId, TrackerKind, TrackerState};
use super::types::Priority;
use crate::time::Instant;

pub mod damper;
pub mod process;
pub mod script;

/// `weight N [reverse]`: what a tracker does to the priority of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Weight {
    /// -254 to 254; 0 is FAULT instead of another priority.
    pub value: i16,
    /// `reverse`: up and down change places.
    pub reverse: bool,
}

/// The least sum that the number in a file can add; at this, the instance is in FAULT.
const LEAST: i64 = -254;
/// The greatest.
const GREATEST: i64 = 253;

impl Weight {
    /// What a tracker with this weight does while it is in `state`.
    pub fn influence(self, state: TrackerState) -> Influence {
        let fault_if = |ill: bool| if ill { Influence::Fault } else { Influence::None };
        match (state, self.value) {
            (TrackerState::Initial, 0) => Influence::Waits,
            (TrackerState::Initial, _) => Influence::None,
            (TrackerState::Up, 0) => fault_if(self.reverse),
            (TrackerState::Down, 0) => fault_if(!self.reverse),
            (TrackerState::Number(number), 0) => fault_if((number != 0) != self.reverse),
            (TrackerState::Up, 1..) | (TrackerState::Down, ..0) => Influence::Adds(i32::from(self.signed())),
            (TrackerState::Up, ..0) | (TrackerState::Down, 1..) => Influence::None,
            (TrackerState::Number(number), _) => {
                let product = number.saturating_mul(i64::from(self.signed())).clamp(LEAST, GREATEST);
                if product == LEAST { Influence::Fault } else { Influence::Adds(i32::try_from(product).unwrap_or(0)) }
            }
        }
    }

    const fn signed(self) -> i16 {
        if self.reverse { self.value.saturating_neg() } else { self.value }
    }
}

/// What one tracker does to an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Influence {
    /// Nothing.
    None,
    /// An instance that has not started waits for its first result.
    Waits,
    /// It keeps the instance in FAULT.
    Fault,
    /// It adds this to the priority.
    Adds(i32),
}

/// One tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tracker {
    /// What is known of it.
    pub state: TrackerState,
    /// Since when.
    pub since: Instant,
    /// Why: an exit status, how many processes there are.
    pub detail: Detail,
    followers: BTreeSet<usize>,
}

/// What all trackers of an instance come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// Each tracker that keeps it in FAULT.
    pub faults: Faults,
    /// An unweighted tracker has had no result.
    pub waits: bool,
    /// What is added to the configured priority.
    pub weight: i32,
}

impl Sum {
    /// The configured priority and all that is added to it, without bounds.
    pub fn total(&self, base: Priority) -> i32 {
        let weight = if base.is_owner() { 0 } else { self.weight };
        i32::from(base.get()).saturating_add(weight)
    }

    /// The priority that counts in an election: 1 to 254. An owner has no other than 255.
    pub fn priority(&self, base: Priority) -> Priority {
        if base.is_owner() {
            return base;
        }
        let sum = self.total(base).clamp(1, 254);
        u8::try_from(sum).ok().and_then(Priority::new).unwrap_or(base)
    }
}

/// All trackers, and the instances that follow them. Instances are numbers that the caller gives them.
#[derive(Debug, Default)]
pub struct Trackers {
    trackers: BTreeMap<TrackerId, Tracker>,
    followed: BTreeMap<usize, Vec<(TrackerId, Weight)>>,
}

impl Trackers {
    /// There are these trackers, with their state if nothing is known of them yet. Those that were there before keep what is known;
    /// others are forgotten.
    pub fn configure(&mut self, now: Instant, trackers: impl IntoIterator<Item = (TrackerId, TrackerState)>) {
        let mut before = std::mem::take(&mut self.trackers);
        let new = |state| Tracker { state, since: now, detail: Detail::Nothing, followers: BTreeSet::new() };
        for (id, state) in trackers {
            let tracker = before.remove(&id).unwrap_or_else(|| new(state));
            self.trackers.insert(id, tracker);
        }
    }

    /// `instance` follows these, each with its weight; and none of those before.
    pub fn follow(&mut self, instance: usize, followed: Vec<(TrackerId, Weight)>) {
        self.unfollow(instance);
        for (id, _) in &followed {
            if let Some(tracker) = self.trackers.get_mut(id) {
                tracker.followers.insert(instance);
            }
        }
        if !followed.is_empty() {
            self.followed.insert(instance, followed);
        }
    }

    /// `instance` follows none.
    pub fn unfollow(&mut self, instance: usize) {
        for (id, _) in self.followed.remove(&instance).unwrap_or_default() {
            if let Some(tracker) = self.trackers.get_mut(&id) {
                tracker.followers.remove(&instance);
            }
        }
    }

    /// A tracker has a result. Returns its followers if the result is another than before; `detail` counts in any case.
    pub fn set(&mut self, now: Instant, id: &TrackerId, state: TrackerState, detail: Detail) -> Option<Vec<usize>> {
        let tracker = self.trackers.get_mut(id)?;
        tracker.detail = detail;
        if tracker.state == state {
            return None;
        }
        (tracker.state, tracker.since) = (state, now);
        Some(tracker.followers.iter().copied().collect())
    }

    /// What the trackers of `instance` come to.
    pub fn sum(&self, instance: usize) -> Sum {
        let mut sum = Sum::default();
        for (id, weight) in self.followed(instance) {
            // a name that nothing has was reported when the configuration was read
            let Some(tracker) = self.trackers.get(id) else { continue };
            match weight.influence(tracker.state) {
                Influence::None => {}
                Influence::Waits => sum.waits = true,
                Influence::Fault => {
                    let fault = Fault::Tracker { tracker: id.clone(), state: tracker.state };
                    sum.faults = std::mem::take(&mut sum.faults).with(fault);
                }
                Influence::Adds(weight) => sum.weight = sum.weight.saturating_add(weight),
            }
        }
        sum
    }

    /// What `instance` follows, with its weights.
    pub fn followed(&self, instance: usize) -> &[(TrackerId, Weight)] {
        self.followed.get(&instance).map(Vec::as_slice).unwrap_or_default()
    }

    /// Who follows it.
    pub fn followers(&self, id: &TrackerId) -> impl Iterator<Item = usize> {
        self.trackers.get(id).into_iter().flat_map(|tracker| tracker.followers.iter().copied())
    }

    /// A tracker.
    pub fn get(&self, id: &TrackerId) -> Option<&Tracker> {
        self.trackers.get(id)
    }

    /// All trackers.
    pub fn iter(&self) -> impl Iterator<Item = (&TrackerId, &Tracker)> {
        self.trackers.iter()
    }
}

#[cfg(test)]
mod tests;
