//! A time as the file gives it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whole microseconds, which is how exactly keepalived takes times: half the size of a `Duration`, and checks have
/// several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Micros(u64);

impl Micros {
    /// As a `Duration`.
    pub const fn get(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

/// Cuts off what is less than a microsecond; what does not fit is the longest time there is, half a million years.
impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
