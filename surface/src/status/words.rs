//! Times and colours in words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keepalived_core::balance::Traffic;
use keepalived_state::ServiceView;

use super::Look;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `3 d 4 h`, `4 min 12 s`, `38 s`: two units at most.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let two = |large: u64, small: u64, names: [&str; 2]| {
        let rest = seconds % large / small;
        let whole = format!("{} {}", seconds / large, names[0]);
        if rest == 0 { whole } else { format!("{whole} {rest} {}", names[1]) }
    };
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => two(MINUTE, 1, ["min", "s"]),
        HOUR..DAY => two(HOUR, MINUTE, ["h", "min"]),
        _ => two(DAY, HOUR, ["d", "h"]),
    }
}

/// How long ago `since` is; a clock that was set back makes it 0.
pub(super) fn ago(now: SystemTime, since: SystemTime) -> String {
    span(now.duration_since(since).unwrap_or_default())
}

/// `02:10:22`, on the clocks of this machine; with the date if that is another day than `now`.
pub(super) fn clock(at: SystemTime, now: SystemTime, ahead: i64) -> String {
    let local = |time: SystemTime| {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(ahead)
    };
    let day = i64::try_from(DAY).unwrap_or(i64::MAX);
    let (there, here) = (local(at), local(now));
    let of_day = there.rem_euclid(day);
    let time = format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60);
    if there.div_euclid(day) == here.div_euclid(day) {
        time
    } else {
        let (year, month, of_month) = date(there.div_euclid(day));
        format!("{year}-{month:02}-{of_month:02} {time}")
    }
}

/// Year, month and day of a day since 1970 (the proleptic Gregorian calendar).
fn date(days: i64) -> (i64, i64, i64) {
    // years begin in March: the day that comes and goes is the last one
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Seconds since 1970, with parts of them.
pub(super) fn unix(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A colour of terminals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Colour {
    Red,
    Yellow,
    Green,
    Dim,
    Bold,
}

impl Look {
    /// `text` in `colour`.
    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => "31",
            Colour::Yellow => "33",
            Colour::Green => "32",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// How many servers of a virtual server are up.
pub(super) fn up(service: &ServiceView) -> usize {
    service.servers.iter().filter(|server| server.up).count()
}

/// Connections to a server that are there now: active, inactive, and clients that stay with it.
pub(super) fn present(traffic: &Traffic) -> [u64; 3] {
    [traffic.active, traffic.inactive, traffic.persistent].map(u64::from)
}

/// The same of all servers of a virtual server.
pub(super) fn present_of_all(service: &ServiceView) -> [u64; 3] {
    let sorry = service.traffic.as_ref().map(|traffic| &traffic.sorry);
    let all = service.servers.iter().filter_map(|server| server.traffic.as_deref()).chain(sorry);
    all.map(present).fold([0; 3], |[a, b, c], [d, e, f]| [a + d, b + e, c + f])
}

/// `2.1 ms`, `38 ms`, `1.2 s`
pub(super) fn latency(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        ..10.0 => format!("{millis:.1} ms"),
        10.0..1_000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1e3),
    }
}

/// `1 problem`, `2 problems`
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let said = [0, 38, 60, 252, 3_600, 3_661, 90_000, 273_600].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(said, ["0 s", "38 s", "1 min", "4 min 12 s", "1 h", "1 h 1 min", "1 d 1 h", "3 d 4 h"]);
    }

    #[test]
    fn latencies_have_two_digits() {
        let said = [300, 2_140, 38_200, 1_240_000].map(|micros| latency(Duration::from_micros(micros)));
        assert_eq!(said, ["0.3 ms", "2.1 ms", "38 ms", "1.2 s"]);
    }

    #[test]
    fn clocks_are_those_of_this_machine() {
        // date -u -d @1795235391: 2026-11-21 04:29:51
        let at = UNIX_EPOCH + Duration::from_secs(1_795_235_391);
        assert_eq!(clock(at, at, 0), "04:29:51");
        assert_eq!(clock(at, at, 3_600), "05:29:51");
        assert_eq!(clock(at, at + Duration::from_secs(DAY), 0), "2026-11-21 04:29:51");
        // date -u -d @951782400: 2000-02-29
        assert_eq!(clock(UNIX_EPOCH + Duration::from_secs(951_782_400), at, 0), "2000-02-29 00:00:00");
    }
}
