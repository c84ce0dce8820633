//! How long the protocol may take, derived from what is configured.
//!
//! All of it is about one *unit*: a virtual router, or all those of a sync group. Let, over all routers of the unit and
//! all settings that they ever have in a run,
//!
//! - `I` be the longest advertisement interval. In version 3 a backup goes by its master's, so the timers of all
//!   routers may have come from the slowest.
//! - `T` be the longest master down time: `down_timer_adverts × I` and the whole of the skew's unit (`I`, in version 2
//!   a second), which no priority's skew reaches.
//! - `P` be the longest `preempt_delay`.
//! - [`HOP`] be the time from sending to having heard, in fair weather: delay of the network and of the scheduler.
//!
//! Count from the last disturbance:
//!
//! - Every master advertises within `I`, and a master that hears a higher claim leaves at once. So by `I + HOP` all
//!   masters that there were have been reduced to one. New ones come from timers that were set before; the last of
//!   these fires by `T`, and a master that should not be is corrected by the right one's next advert, `I` later at most
//!   (with `lower_prio_no_advert` it does not answer any earlier). Without a master a router's timer has fired by `T`.
//!   Hence [`Bounds::one`] `= T + I` and a few hops.
//! - A higher priority that hears a lower one lets its timer run out: `T` after the last advert that it followed. Those
//!   it follows for `P`, counted from the first. Hence [`Bounds::settled`] `= one + P + T` and a few hops: after that,
//!   nothing may change any more.
//! - A handover overlaps: the new master sends before the old one knows. [`Bounds::GRACE`] is how long.
//!
//! Clocks drift ([`crate::clock::stretched`]).

use std::time::Duration;

use crate::clock::stretched;
use crate::setting::{Instance, Setting, VirtualId};

/// Longest delay of the network in fair weather.
pub const DELAY: Duration = Duration::from_micros(400);
/// Longest time from being due to being scheduled.
pub const LATENESS: Duration = Duration::from_micros(100);
/// From sending to having heard.
pub const HOP: Duration = Duration::from_micros(500);

/// Longest turn of a router at which more packets arrive than it reads.
pub const TURN: Duration = Duration::from_millis(2);
/// How long such a flood may keep backups from taking over.
pub const FLOOD: Duration = Duration::from_secs(1);

/// Virtual routers that change hands together, and how long that may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Virtual routers of the unit.
    pub members: Vec<VirtualId>,
    /// From the last disturbance to one master.
    pub one: Duration,
    /// From the last disturbance to the right master.
    pub settled: Duration,
}

impl Bounds {
    /// How long two may be master while one hands over to the other.
    pub const GRACE: Duration = Duration::from_millis(1);

    /// From an address being in place to its announcement, wherever it was refused a moment ago.
    pub const ANNOUNCED: Duration = Duration::from_millis(110);

    /// From the death of a vrrp process to the removal of its addresses: the master down time without the skew, which
    /// is not its own (RFC 9568 section 6.1); for a sync group, the shortest of its members'.
    pub fn abandoned(instance: &Instance, setting: &Setting) -> Duration {
        let down = |instance: &Instance| instance.advert_interval() * instance.down_adverts;
        let others = setting.instances.iter().filter(|other| instance.grouped && other.grouped);
        others.map(down).fold(down(instance), Duration::min)
    }

    /// The same where a takeover may also come `detection` after a disturbance, when BFD notices it.
    #[must_use]
    pub fn and(self, detection: Duration) -> Self {
        let more = if detection.is_zero() { detection } else { stretched(detection) + HOP * 4 };
        Self { one: self.one + more, settled: self.settled + more, ..self }
    }

    /// The bounds of the unit `members`, whose routers are set like one of `settings` at any time.
    pub fn of<'a>(members: Vec<VirtualId>, settings: impl Iterator<Item = &'a Instance>) -> Self {
        let (mut interval, mut adverts, mut unit, mut delay) = (Duration::ZERO, 0, Duration::ZERO, Duration::ZERO);
        for instance in settings {
            interval = interval.max(instance.advert_interval());
            adverts = adverts.max(instance.down_adverts);
            delay = delay.max(instance.preempt_delay());
            if instance.version == 2 {
                unit = Duration::from_secs(1);
            }
        }
        let down = interval * adverts + unit.max(interval);
        let one = stretched(down + interval) + HOP * 4;
        Self { members, one, settled: one + stretched(delay + down) + HOP * 4 }
    }
}
