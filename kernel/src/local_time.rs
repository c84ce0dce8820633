//! The wall clock as the zone of this machine reads it.

use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A date and a time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Civil {
    /// Such as 2026.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31; more is in the next month.
    pub day: i32,
    /// 0 to 23.
    pub hour: i32,
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 60.
    pub second: i32,
}

/// How far the clocks of this machine are ahead of UTC at `at`, in seconds; 0 if that is not known.
pub fn seconds_ahead(at: SystemTime) -> i64 {
    local(at).map_or(0, |time| time.tm_gmtoff)
}

/// What the clocks of this machine show at `at`.
pub fn to_local(at: SystemTime) -> Option<Civil> {
    civil(local(at)?)
}

/// What clocks in UTC show at `at`.
pub fn to_utc(at: SystemTime) -> Option<Civil> {
    let seconds = seconds(at)?;
    let mut out = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are to values that outlive the call.
    let found = unsafe { libc::gmtime_r(&raw const seconds, out.as_mut_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: gmtime_r has written it.
    civil(unsafe { out.assume_init() })
}

fn civil(time: libc::tm) -> Option<Civil> {
    Some(Civil {
        year: time.tm_year.checked_add(1900)?,
        month: time.tm_mon + 1,
        day: time.tm_mday,
        hour: time.tm_hour,
        minute: time.tm_min,
        second: time.tm_sec,
    })
}

/// When the clocks of this machine show `civil`. If they do so twice or never, a moment near it.
pub fn from_local(civil: Civil) -> Option<SystemTime> {
    let mut time = broken_down(civil)?;
    // SAFETY: `time` is a whole `tm` that outlives the call.
    system_time(unsafe { libc::mktime(&raw mut time) })
}

/// When it is `civil` in UTC.
pub fn from_utc(civil: Civil) -> Option<SystemTime> {
    let mut time = broken_down(civil)?;
    // SAFETY: `time` is a whole `tm` that outlives the call.
    system_time(unsafe { libc::timegm(&raw mut time) })
}

fn local(at: SystemTime) -> Option<libc::tm> {
    let seconds = seconds(at)?;
    let mut out = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are to values that outlive the call.
    let found = unsafe { libc::localtime_r(&raw const seconds, out.as_mut_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: localtime_r has written it.
    Some(unsafe { out.assume_init() })
}

fn seconds(at: SystemTime) -> Option<libc::time_t> {
    libc::time_t::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

fn broken_down(civil: Civil) -> Option<libc::tm> {
    // SAFETY: a `tm` is numbers and a pointer that may be null.
    let mut time: libc::tm = unsafe { std::mem::zeroed() };
    time.tm_year = civil.year.checked_sub(1900)?;
    time.tm_mon = civil.month - 1;
    time.tm_mday = civil.day;
    time.tm_hour = civil.hour;
    time.tm_min = civil.minute;
    time.tm_sec = civil.second;
    // the zone says whether summer time applies
    time.tm_isdst = -1;
    Some(time)
}

fn system_time(seconds: libc::time_t) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clocks_show_leads_back_to_the_moment() {
        // none is in an hour that a change of summer time repeats
        for seconds in [0, 951_782_400, 1_709_251_199, 1_795_235_344] {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(from_local(to_local(at).unwrap()), Some(at));
        }
    }

    #[test]
    fn a_date_in_utc_is_a_moment() {
        // date -u -d '2026-11-21 04:29:04' +%s
        let civil = Civil { year: 2026, month: 11, day: 21, hour: 4, minute: 29, second: 4 };
        assert_eq!(from_utc(civil), Some(UNIX_EPOCH + Duration::from_secs(1_795_235_344)));
        assert_eq!(to_utc(from_utc(civil).unwrap()), Some(civil));
        // the day after the last of a month
        let next = Civil { day: 31, ..civil };
        assert_eq!(from_utc(next), from_utc(Civil { month: 12, day: 1, ..civil }));
    }
}
