//! How long a backup waits, as the RFCs compute it. The machine goes by it, and what explains a configuration.

use std::time::Duration;

use super::types::{AdvertInterval, Priority, Version};

/// Skew_Time: (256 - priority) / 256 of the master's interval (RFC 9568 §6.1), of a second in version 2 (RFC 3768 §6.1).
pub fn skew_time(version: Version, priority: Priority, interval: AdvertInterval) -> Duration {
    let whole = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval.duration(),
    };
    whole * (256 - u32::from(priority.get())) / 256
}

/// Active_Down_Interval: three intervals and the skew (RFC 9568 §6.1); keepalived lets the three, `adverts`, be another number.
pub fn down_interval(version: Version, priority: Priority, interval: AdvertInterval, adverts: u8) -> Duration {
    interval.duration() * u32::from(adverts) + skew_time(version, priority, interval)
}
