//! When: the times that the RFCs compute, and the phase that ours fall into.

use std::time::Duration;

use super::super::cause::Cause;
use super::super::params::Params;
use super::super::types::{AdvertInterval, Priority, Version};
use super::super::wait;
use super::Backup;
use crate::time::Instant;

/// Interval that the timers of a backup go by: in version 3 the one that its master advertises (RFC 9568 §6.1).
pub(super) fn followed_interval(params: &Params, backup: &Backup) -> AdvertInterval {
    match (params.settings.version, backup.master) {
        (Version::V3, Some(master)) => master.interval,
        (Version::V2, _) | (Version::V3, None) => params.settings.interval,
    }
}

/// The skew of a router with `params` and `priority` behind a master with `interval`.
pub(super) fn skew_time(params: &Params, priority: Priority, interval: AdvertInterval) -> Duration {
    wait::skew_time(params.settings.version, priority, interval)
}

/// The longest skew of a router that BFD promotes. It only keeps several of them from beginning in the same moment: one that is not the
/// best yields to the better one's first advert.
const PROMOTION_SKEW: Duration = Duration::from_millis(20);

/// How long it waits after BFD said that the path to its master is gone.
pub(super) fn promotion_skew(params: &Params, priority: Priority, interval: AdvertInterval) -> Duration {
    let later = PROMOTION_SKEW * (256 - u32::from(priority.get())) / 256;
    later.min(skew_time(params, priority, interval))
}

/// How long it waits for that master's next advert.
pub(super) fn down_time(params: &Params, priority: Priority, interval: AdvertInterval) -> Duration {
    wait::down_interval(params.settings.version, priority, interval, params.settings.down_adverts)
}

/// The next point of time with our phase. It is at most an interval away.
pub(super) fn next_in_phase(now: Instant, params: &Params) -> Instant {
    let interval = params.settings.interval.duration().as_nanos();
    let phase = interval * u128::from(params.phase) / 65_536;
    let into = (u128::from(now.as_nanos()) + interval - phase) % interval;
    now + Duration::from_nanos(u64::try_from(interval - into).unwrap_or(u64::MAX))
}

/// How near to a takeover an advert of the master that is replaced counts as crossing: this near, or a tenth of its
/// interval if that is less.
const CROSSING: Duration = Duration::from_millis(3);

/// When a takeover that is due now had better happen: if an advert of the lower-priority master is expected at this very
/// moment, a little later, so that it does not cross ours and look as if that router had taken the addresses back.
pub(super) fn after_crossing(now: Instant, backup: &Backup) -> Option<Instant> {
    let rival = backup.rival.filter(|_| backup.left.is_none())?;
    let interval = rival.interval.duration();
    let margin = (interval / 10).min(CROSSING);
    let expected = rival.at + interval;
    let crosses = expected.before(margin) <= now && now < expected + margin;
    crosses.then(|| expected + margin)
}

pub(super) fn takeover_cause(now: Instant, backup: &Backup) -> Cause {
    if let Some(master) = backup.cut_off {
        return Cause::PathLost { master };
    }
    match (backup.left, backup.rival) {
        (Some(master), _) => Cause::MasterLeft { master },
        (None, Some(rival)) => Cause::Preempted { master: rival.address, priority: rival.priority },
        (None, None) => Cause::MasterSilent {
            master: backup.master.map(|master| master.address),
            silence: now.since(backup.heard_at),
        },
    }
}
