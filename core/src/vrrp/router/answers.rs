//! How often a master answers routers that should not be master.

use std::time::Duration;

use crate::time::Instant;

/// Adverts of a master that answer others, in each of its intervals. The first answer leaves at once (RFC 9568 §6.4.3);
/// more than a few tell the network nothing new, and a flood of lower claims must not become a flood of ours.
const MOST: u8 = 3;

/// Answers that were given in the present interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    given: u8,
    until: Instant,
}

impl Answers {
    /// Whether one more answer may leave; it counts as given then.
    pub(super) fn take(&mut self, now: Instant, interval: Duration) -> bool {
        if now >= self.until {
            *self = Self { given: 0, until: now + interval };
        }
        let may = self.given < MOST;
        self.given += u8::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gets_a_few_answers_an_interval_and_the_first_at_once() {
        let (mut answers, second) = (Answers::default(), Duration::from_secs(1));
        let start = Instant::from_nanos(5_000_000_000);
        assert!(answers.take(start, second));
        // 10,000 lower claims in ten seconds
        let given = (0..10_000).filter(|n| answers.take(start + Duration::from_millis(*n), second)).count();
        assert_eq!(given, 10 * usize::from(MOST) - 1);
    }
}
