//! How dense traffic is: where packets come every other moment, a wake-up for each costs more than to read them together.
//!
//! That a packet is read later does not move detection times: it bears the time of its arrival. What a neighbour says is followed
//! [`TOGETHER`] later at most.

use std::time::Duration;

use keepalived_core::time::Instant;

/// How long packets are counted.
const WINDOW: Duration = Duration::from_millis(100);

/// More packets than this in a window make traffic dense: two thousand each second.
const MOST_SPARSE: usize = 200;

/// Packets of so long are read together. Packets of ours are due on such a grid, too.
const TOGETHER: u64 = 4_000_000;

/// The count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    begun: Instant,
    heard: usize,
    /// Packets are read together.
    pub(super) is_dense: bool,
}

impl Traffic {
    /// So many packets came. True if traffic has become dense, or is dense no more.
    pub(super) fn count(&mut self, now: Instant, heard: usize) -> bool {
        self.heard += heard;
        let passed = now.since(self.begun);
        if passed < WINDOW {
            return false;
        }
        // of a longer time it is the mean that counts
        let windows = usize::try_from(passed.as_nanos() / WINDOW.as_nanos()).unwrap_or(usize::MAX).max(1);
        let is_dense = self.heard / windows > MOST_SPARSE;
        (self.begun, self.heard) = (now, 0);
        std::mem::replace(&mut self.is_dense, is_dense) != is_dense
    }

    /// When to read what has come, if packets do not wake us.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        let next = (now.as_nanos() / TOGETHER + 1) * TOGETHER;
        self.is_dense.then(|| Instant::from_nanos(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(1_000_000 + millis)
    }

    #[test]
    fn packets_that_come_often_are_read_together() {
        let mut traffic = Traffic::default();
        assert!(!traffic.count(at(0), 1));
        assert_eq!(traffic.next_at(at(0)), None);
        let changed: Vec<bool> = (1..=200).map(|turn| traffic.count(at(turn), 3)).collect();
        assert_eq!(changed.iter().filter(|changed| **changed).count(), 1, "it stays so");
        assert_eq!(traffic.next_at(at(1)), Some(at(4)));
        assert_eq!(traffic.next_at(at(4)), Some(at(8)));
    }

    #[test]
    fn when_they_come_seldom_each_wakes_us_again() {
        let mut traffic = Traffic { is_dense: true, begun: at(0), heard: 0 };
        assert!(!traffic.count(at(50), 30));
        assert!(traffic.count(at(100), 30));
        assert!(!traffic.is_dense);
        // a burst after a long silence
        assert!(!traffic.count(at(60_000), 1000));
    }
}
