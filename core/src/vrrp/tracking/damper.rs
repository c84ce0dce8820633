//! What has to last before it counts: an interface that goes up and down (`interface_up_down_delays`), processes that come and go
//! (`fork_delay`, `terminate_delay`).

use std::time::Duration;

use crate::time::Instant;

/// Something that is or is not, and counts only once it has lasted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damper {
    counts: bool,
    changes_at: Option<Instant>,
    rise: Duration,
    fall: Duration,
}

impl Damper {
    /// It is so from the start: `counts`. True has to last for `rise`, false for `fall`.
    pub const fn new(counts: bool, rise: Duration, fall: Duration) -> Self {
        Self { counts, changes_at: None, rise, fall }
    }

    /// One with the same delays, which counts as the same from the start.
    #[must_use]
    pub const fn another(&self) -> Self {
        Self::new(self.counts, self.rise, self.fall)
    }

    /// Its delays are those of `other` now. A change that waits goes on waiting as long as it was told.
    pub const fn follow(&mut self, other: &Self) {
        self.reconfigure(other.rise, other.fall);
    }

    /// Whether it counts as true.
    pub const fn counts(&self) -> bool {
        self.counts
    }

    /// The delays are others now. A change that waits goes on waiting as long as it was told.
    pub const fn reconfigure(&mut self, rise: Duration, fall: Duration) {
        (self.rise, self.fall) = (rise, fall);
    }

    /// It is so now. True if that counts at once, and is another than before.
    pub fn set(&mut self, now: Instant, is: bool) -> bool {
        if is == self.counts {
            self.changes_at = None;
            return false;
        }
        let delay = if is { self.rise } else { self.fall };
        self.changes_at.get_or_insert(now + delay);
        self.expire(now)
    }

    /// True if a change has lasted long enough by `now`: it counts from here on.
    pub fn expire(&mut self, now: Instant) -> bool {
        let changes = self.changes_at.take_if(|at| *at <= now).is_some();
        self.counts ^= changes;
        changes
    }

    /// When [`Damper::expire`] has something to say.
    pub const fn next(&self) -> Option<Instant> {
        self.changes_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    fn at(millis: u64) -> Instant {
        START + Duration::from_millis(millis)
    }

    #[test]
    fn what_does_not_last_does_not_count() {
        let mut link = Damper::new(true, Duration::from_millis(300), Duration::from_millis(100));
        assert!(!link.set(at(0), false) && link.counts());
        assert_eq!(link.next(), Some(at(100)));
        assert!(!link.set(at(50), false), "told twice: the first one counts");
        assert_eq!(link.next(), Some(at(100)));
        assert!(!link.set(at(99), true) && link.next().is_none(), "it was nothing");
        assert!(!link.set(at(200), false));
        assert!(!link.expire(at(299)));
        assert!(link.expire(at(300)) && !link.counts() && link.next().is_none());
        assert!(!link.set(at(400), true));
        assert!(link.expire(at(700)) && link.counts());
    }

    #[test]
    fn without_a_delay_it_counts_at_once() {
        let mut link = Damper::new(false, Duration::ZERO, Duration::ZERO);
        assert!(link.set(START, true) && link.counts() && link.next().is_none());
        assert!(!link.set(START, true));
        assert!(link.set(START, false) && !link.counts());
    }
}
