//! When the neighbours are told where the addresses are now: gratuitous ARP and unsolicited neighbour advertisements.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

pub mod frame;

/// How often and when a router announces its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Garp {
    /// `garp_master_delay`: from becoming master to the second burst; zero is no second burst.
    pub delay: Duration,
    /// `garp_master_repeat`: rounds in a burst.
    pub repeat: u32,
    /// `garp_master_refresh`: period while master; zero is never.
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`: rounds in a refresh.
    pub refresh_repeat: u32,
    /// `garp_lower_prio_delay`: from hearing a lower claim to the second burst it causes; zero is none.
    pub lower_prio_delay: Duration,
    /// `garp_lower_prio_repeat`: rounds in each of those bursts; 0 is none.
    pub lower_prio_repeat: u32,
    /// `garp_extra_if all`: period of announcements on interfaces other than the router's own, one address each; zero is never.
    pub extra_interface: Duration,
    /// `garp_extra_if`: the same on other interfaces with a virtual MAC only.
    pub extra_vmac: Duration,
}

impl Default for Garp {
    fn default() -> Self {
        let delay = Duration::from_secs(5);
        Self {
            delay,
            repeat: 5,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_delay: delay,
            lower_prio_repeat: 5,
            extra_interface: Duration::ZERO,
            extra_vmac: Duration::ZERO,
        }
    }
}

/// Rounds that one burst may have at most, whatever is configured: 2^32 frames would never end.
pub const MOST_ROUNDS: u32 = 1_000;

/// The announcements that a master still has to make. Dropping it cancels them all, so that a router which left master
/// announces nothing, and one that returns has one series, not two (keepalived 2.4.3 has two).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Schedule {
    second: Option<(Instant, u32)>,
    refresh: Option<Instant>,
    lower: Option<Instant>,
    extra: Option<Instant>,
}

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// Rounds over all addresses; 0 if none.
    pub rounds: u32,
    /// Whether the router announces one address on each other interface.
    pub extra: bool,
}

impl Schedule {
    /// Some addresses are in place: returns the rounds to announce them now, and plans what is not planned already. An address
    /// that comes and goes puts nothing off.
    pub fn in_place(&mut self, now: Instant, garp: &Garp) -> u32 {
        let first = |planned: Option<Instant>, period: Duration, after: Duration| {
            planned.or_else(|| (!period.is_zero()).then(|| now + after))
        };
        self.second = self.second.or_else(|| (!garp.delay.is_zero()).then(|| (now + garp.delay, garp.repeat)));
        self.refresh = first(self.refresh, garp.refresh, garp.delay + garp.refresh);
        self.extra = first(self.extra, garp.extra_vmac, garp.extra_vmac);
        garp.repeat.min(MOST_ROUNDS)
    }

    /// The parameters are others now: what comes every so often begins, ends, or comes as often as they say.
    pub fn reconfigure(&mut self, now: Instant, old: &Garp, new: &Garp) {
        let planned = |planned: Option<Instant>, old: Duration, new: Duration| {
            let next = (!new.is_zero()).then(|| now + new);
            match (planned, next) {
                // nothing is in place yet
                (None, _) if !old.is_zero() => None,
                (Some(at), Some(next)) => Some(at.min(next)),
                (_, next) => next,
            }
        };
        self.refresh = planned(self.refresh, old.refresh, new.refresh);
        self.extra = planned(self.extra, old.extra_vmac, new.extra_vmac);
    }

    /// A lower claim was heard: returns the rounds to announce now. At most one burst an interval, so that a rival
    /// cannot turn each of its packets into many of ours.
    pub fn lower_claim(&mut self, now: Instant, interval: Duration, garp: &Garp) -> u32 {
        if self.lower.is_some_and(|until| now < until) || garp.lower_prio_repeat == 0 {
            return 0;
        }
        self.lower = Some(now + interval);
        if !garp.lower_prio_delay.is_zero() {
            self.second = Some((now + garp.lower_prio_delay, garp.lower_prio_repeat));
        }
        garp.lower_prio_repeat.min(MOST_ROUNDS)
    }

    /// What is due by `now`.
    pub fn due(&mut self, now: Instant, garp: &Garp) -> Due {
        let mut rounds = 0;
        if let Some((_, repeat)) = self.second.take_if(|(at, _)| *at <= now) {
            rounds = repeat;
        }
        if again(&mut self.refresh, now, garp.refresh) {
            rounds = rounds.max(garp.refresh_repeat);
        }
        Due { rounds: rounds.min(MOST_ROUNDS), extra: again(&mut self.extra, now, garp.extra_vmac) }
    }

    /// When [`Schedule::due`] has something next.
    pub fn next(&self) -> Option<Instant> {
        let second = self.second.map(|(at, _)| at);
        [second, self.refresh, self.extra].into_iter().flatten().min()
    }
}

/// Whether something that comes every `period` is due; if so, the next time is set. A stall is not made up for by a
/// series.
fn again(at: &mut Option<Instant>, now: Instant, period: Duration) -> bool {
    let Some(due) = at.take_if(|due| *due <= now) else { return false };
    let next = due + period;
    *at = Some(if next <= now { now + period } else { next });
    true
}

/// Keeps a least time between announcements that leave through one interface, or one `garp_group`.
///
/// Bounded: see [`Pacer::MOST_WAITING`].
#[derive(Clone, Debug)]
pub struct Pacer<T> {
    gap: Duration,
    free: Instant,
    waiting: std::collections::VecDeque<T>,
    dropped: u64,
}

impl<T> Pacer<T> {
    /// Announcements that wait at most; more are dropped and counted, and the refresh or the next burst makes up for it.
    pub const MOST_WAITING: usize = 100_000;

    /// A pace of one announcement every `gap`.
    pub fn new(gap: Duration) -> Self {
        Self { gap, free: Instant::ZERO, waiting: std::collections::VecDeque::new(), dropped: 0 }
    }

    /// Queues an announcement.
    pub fn push(&mut self, item: T) {
        if self.waiting.len() < Self::MOST_WAITING {
            self.waiting.push_back(item);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Takes the announcements that may leave by `now`: one for each gap that has passed.
    pub fn take(&mut self, now: Instant) -> Option<T> {
        if self.gap.is_zero() {
            return self.waiting.pop_front();
        }
        if now < self.free {
            return None;
        }
        let item = self.waiting.pop_front()?;
        // a late wake-up does not let two leave together
        self.free = now + self.gap;
        Some(item)
    }

    /// When [`Pacer::take`] may have something next.
    pub fn next(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.free)
    }

    /// Forgets what waits and does not satisfy `keep`: its router left master.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.waiting.retain(keep);
    }

    /// How many announcements found the queue full.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests;
