//! So many at once, then one in each pause: what keeps others from making us do a thing without end.

use std::time::Duration;

use crate::time::Instant;

/// A bucket of tokens. In any time `T` it grants at most `burst + T / pause + 1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    burst: u32,
    pause: Duration,
    /// Tokens that have not come back yet.
    spent: u32,
    /// When the next of them comes back.
    back: Instant,
}

impl Pace {
    /// A full bucket of `burst` tokens. `pause` brings one back.
    pub const fn new(burst: u32, pause: Duration) -> Self {
        Self { burst, pause, spent: 0, back: Instant::ZERO }
    }

    /// Whether it may be done now; it counts as done then.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        if self.spent >= self.burst {
            return false;
        }
        if self.spent == 0 {
            self.back = now + self.pause;
        }
        self.spent += 1;
        true
    }

    /// When it may be done again, if not now.
    pub fn next(&mut self, now: Instant) -> Option<Instant> {
        self.refill(now);
        (self.spent >= self.burst).then_some(self.back)
    }

    /// Whether nothing counts as done any more.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.spent == 0
    }

    fn refill(&mut self, now: Instant) {
        let pause = self.pause.max(Duration::from_nanos(1));
        if self.spent == 0 || now < self.back {
            return;
        }
        let pauses = now.since(self.back).as_nanos() / pause.as_nanos();
        let more = u32::try_from(pauses).unwrap_or(u32::MAX);
        self.spent = self.spent.saturating_sub(more.saturating_add(1));
        self.back = self.back + pause * more + pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAUSE: Duration = Duration::from_millis(100);

    #[test]
    fn so_many_at_once_and_then_one_in_each_pause() {
        let mut pace = Pace::new(3, PAUSE);
        let at = |millis: u64| Instant::from_nanos(5_000_000_000) + Duration::from_millis(millis);
        let granted: Vec<u64> = (0..500).filter(|millis| pace.take(at(*millis))).collect();
        assert_eq!(granted, [0, 1, 2, 100, 200, 300, 400]);
        assert_eq!(pace.next(at(499)), Some(at(500)));
        assert_eq!(pace.next(at(500)), None);
        // a long rest fills the bucket, not more
        assert_eq!((100_000..100_050).filter(|millis| pace.take(at(*millis))).count(), 3);
    }

    proptest! {
        #[test]
        fn no_sequence_gets_more_than_its_time_allows(gaps in prop::collection::vec(0_u64..300, 1..500), burst in 1_u32..20) {
            let mut pace = Pace::new(burst, PAUSE);
            let mut now = Instant::from_nanos(5_000_000_000);
            let mut granted = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if pace.take(now) {
                    granted.push(now);
                }
            }
            for (position, first) in granted.iter().enumerate() {
                for (count, last) in granted.iter().skip(position).enumerate() {
                    let pauses = last.since(*first).as_nanos() / PAUSE.as_nanos();
                    let most = u128::from(burst) + pauses + 1;
                    prop_assert!(u128::try_from(count).unwrap() < most);
                }
            }
        }
    }
}
