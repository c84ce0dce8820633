//! Pauses before a process or a program that died is started again.

use std::time::Duration;

use keepalived_core::time::Instant;

/// Deaths further apart than this are not a series.
const SERIES: Duration = Duration::from_secs(60);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// The first pause that is one, unless what starts again is awaited sooner.
const FIRST: Duration = Duration::from_secs(1);

/// None the first time, then doubling from one second to a minute while deaths come in a series (keepalived's
/// `calc_restart_delay`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    last: Option<Instant>,
    pause: Duration,
}

impl Backoff {
    /// A process died at `now`: the pause before the next start.
    pub fn next(&mut self, now: Instant) -> Duration {
        self.next_from(now, FIRST)
    }

    /// The same, doubling from another pause than a second.
    pub fn next_from(&mut self, now: Instant, first: Duration) -> Duration {
        let in_series = self.last.is_some_and(|last| now.since(last) < SERIES + self.pause);
        self.last = Some(now);
        self.pause = if in_series { (self.pause * 2).clamp(first, LONGEST) } else { Duration::ZERO };
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn at_once_then_one_second_doubling_to_a_minute() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..9).map(|second| backoff.next(at(100 + second)).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn what_is_awaited_soon_starts_again_sooner() {
        let mut backoff = Backoff::default();
        let first = Duration::from_millis(10);
        let pauses: Vec<u128> = (0..7).map(|second| backoff.next_from(at(100 + second), first).as_millis()).collect();
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 320]);
    }

    #[test]
    fn a_quiet_time_ends_the_series() {
        let mut backoff = Backoff::default();
        backoff.next(at(100));
        assert_eq!(backoff.next(at(101)).as_secs(), 1);
        assert_eq!(backoff.next(at(300)).as_secs(), 0);
    }
}
