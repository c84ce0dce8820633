//! What a master has claimed lately: a network with a loop returns it, and it must not be taken for another router's.

use std::time::Duration;

use crate::time::Instant;

/// The highest priority of the adverts that were sent lately.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claims {
    highest: u8,
    /// When it was last sent.
    at: Instant,
}

impl Claims {
    /// No network returns what was sent earlier than this many of our intervals ago.
    const INTERVALS: u32 = 3;

    /// The first advert, of `priority`, leaves.
    pub(super) const fn first(now: Instant, priority: u8) -> Self {
        Self { highest: priority, at: now }
    }

    /// Another advert leaves, one of a series with this interval.
    pub(super) fn sent(&mut self, now: Instant, priority: u8, interval: Duration) {
        if priority >= self.highest || self.is_over(now, interval) {
            *self = Self { highest: priority, at: now };
        }
    }

    /// Whether an advert of `priority` from our own address may be one of ours.
    pub(super) fn may_be_ours(&self, now: Instant, priority: u8, interval: Duration) -> bool {
        priority <= self.highest && !self.is_over(now, interval)
    }

    fn is_over(&self, now: Instant, interval: Duration) -> bool {
        now.since(self.at) > interval * Self::INTERVALS
    }
}
