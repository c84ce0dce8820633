//! The world's time, and what each router takes it for.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use keepalived_core::time::Instant;

/// A point of the world's time, in nanoseconds since it began. No router ever sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The beginning.
    pub const START: Self = Self(0);

    /// `nanos` nanoseconds after the beginning.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time since 1970, which all routers agree on: it is 2026 when the world begins.
    pub const fn utc(self) -> Duration {
        Duration::from_nanos(self.0).saturating_add(Duration::from_secs(1_780_000_000))
    }

    /// How long after `earlier`; zero if it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4}.{:06}", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A router's monotonic clock: it has an origin of its own, and runs a little too fast or too slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    origin: u64,
    /// Millionths by which it runs too fast.
    ppm: i64,
}

/// Drift at most, in either direction. What NTP slews with; quartz is better.
pub const MOST_PPM: i64 = 500;

const MILLION: i128 = 1_000_000;

impl Clock {
    /// A clock that showed `origin` nanoseconds when the world began.
    pub const fn new(origin: u64, ppm: i64) -> Self {
        Self { origin, ppm }
    }

    /// What it shows at `moment`.
    pub fn show(&self, moment: Moment) -> Instant {
        let gained = i128::from(moment.0) * i128::from(self.ppm) / MILLION;
        let shown = i128::from(self.origin) + i128::from(moment.0) + gained;
        Instant::from_nanos(u64::try_from(shown).unwrap_or(0))
    }

    /// The first moment at which it shows `instant` or later.
    pub fn moment(&self, instant: Instant) -> Moment {
        let passed = i128::from(instant.as_nanos()) - i128::from(self.origin);
        let guess = passed * MILLION / (MILLION + i128::from(self.ppm));
        let mut moment = Moment(u64::try_from(guess).unwrap_or(0));
        while self.show(moment) < instant {
            moment = Moment(moment.0.saturating_add(1));
        }
        moment
    }

    /// By how many millionths it runs too fast.
    pub const fn ppm(&self) -> i64 {
        self.ppm
    }
}

/// The longest that `local`, measured by any router's clock, may take in the world's time.
pub fn stretched(local: Duration) -> Duration {
    local + local * 2 / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_found_again() {
        for ppm in [-MOST_PPM, -1, 0, 1, MOST_PPM] {
            let clock = Clock::new(5_000_000_000, ppm);
            for nanos in [0, 1, 999, 1_000_000_007, 60_000_000_001] {
                let shown = clock.show(Moment(nanos));
                let found = clock.moment(shown);
                assert!(clock.show(found) >= shown && found.0 <= nanos, "{ppm} {nanos}");
                assert!(nanos - found.0 <= 1);
            }
        }
    }
}
