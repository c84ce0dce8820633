//! `reload_time_file`: a file with the time of the next reload, which others may write, change and remove.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use keepalived_config::model::Reload;
use keepalived_core::time::Instant;
use keepalived_kernel::files::read_text;
use keepalived_kernel::local_time::{self, Civil};
use keepalived_kernel::reactor::{Interest, Reactor, Token};
use keepalived_kernel::watch::Watch;

use super::Supervisor;

/// The reactor's token of what happens to the file.
pub(super) const WATCH: Token = Token(u64::MAX / 2 + 2);

/// The longest file: a date, a time, a zone.
const LONGEST: u64 = 64;

/// How often the wall clock is looked at: others may set it.
const LOOK: Duration = Duration::from_secs(30);

/// The file, and when it wants a reload.
#[derive(Debug, Default)]
pub(super) struct ReloadTime {
    path: Option<PathBuf>,
    watch: Option<Watch>,
    due: Option<Due>,
    /// `reload_repeat`
    repeats: bool,
}

/// The time in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Due {
    at: SystemTime,
    /// It has no date.
    is_daily: bool,
}

impl ReloadTime {
    /// Does as `reload` says from now on.
    pub(super) fn configure(&mut self, reload: &Reload, reactor: &mut Reactor) {
        self.repeats = reload.repeat;
        let path = reload.time_file.as_ref().map(PathBuf::from);
        if path == self.path {
            // a reload on demand changes nothing about it
            return;
        }
        if let Some(watch) = self.watch.take() {
            reactor.deregister(&watch).ok();
        }
        self.path = path;
        self.due = None;
        let Some(path) = &self.path else { return };
        match watch(path, reactor) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => tracing::error!("reload_time_file {}: {error}; it is read at reloads only", path.display()),
        }
        self.read(SystemTime::now());
    }

    /// The file may be another one.
    fn look(&mut self, now: SystemTime) {
        let changed = self.watch.as_mut().map(Watch::changed);
        if !matches!(changed, Some(Ok(Some(files))) if files.is_empty()) {
            self.read(now);
        }
    }

    fn read(&mut self, now: SystemTime) {
        let Some(path) = &self.path else { return };
        let before = self.due.take();
        match read_text(path, LONGEST) {
            Ok(text) => match parse(text.lines().next().unwrap_or_default(), now) {
                Ok(due) if due.at > now => self.due = Some(due),
                Ok(_) => tracing::warn!("reload_time_file {}: that time is over", path.display()),
                Err(why) => tracing::warn!("reload_time_file {}: {why}", path.display()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!("reload_time_file {}: {error}", path.display()),
        }
        match (before, self.due) {
            (before, Some(due)) if before != self.due => {
                let left = due.at.duration_since(now).unwrap_or_default();
                tracing::info!("A reload is due in {} s (reload_time_file)", left.as_secs());
            }
            (Some(_), None) => tracing::info!("No reload is due any more (reload_time_file)"),
            _ => {}
        }
    }

    /// When to ask whether a reload is due.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        let due = self.due?;
        Some(now + due.at.duration_since(SystemTime::now()).unwrap_or_default().min(LOOK))
    }

    /// Whether a reload is due. Then the file goes, unless it means each day.
    fn is_due(&mut self, now: SystemTime) -> bool {
        let Some(due) = self.due.filter(|due| due.at <= now) else { return false };
        self.due = None;
        if self.repeats && due.is_daily {
            self.read(now);
        } else if let Some(path) = &self.path
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!("reload_time_file {}: {error}", path.display());
        }
        true
    }
}

fn watch(path: &Path, reactor: &mut Reactor) -> io::Result<Watch> {
    let mut watch = Watch::new()?;
    watch.add(path)?;
    reactor.register(&watch, WATCH, Interest::Read)?;
    Ok(watch)
}

impl Supervisor {
    /// Something happened beside the file.
    pub(super) fn look_at_reload_time(&mut self) {
        self.reload_time.look(SystemTime::now());
    }

    /// Reloads if the file says so.
    pub(super) fn reload_in_time(&mut self) {
        if self.reload_time.is_due(SystemTime::now()) {
            tracing::info!("Reloading, as reload_time_file says");
            self.reload();
        }
    }
}

/// `HH:MM:SS`, `YY-MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, in local time, or in UTC with a `Z` behind. A time alone is the next one
/// after `now`.
fn parse(text: &str, now: SystemTime) -> Result<Due, String> {
    let wrong = || format!("{text:?} is no time such as 23:59:59, 2026-12-31 23:59:59, or one of these with Z for UTC");
    let (text, is_utc) = text.strip_suffix('Z').map_or((text, false), |text| (text, true));
    let moment = |civil| if is_utc { local_time::from_utc(civil) } else { local_time::from_local(civil) };
    let (date, time) = text.split_once(' ').map_or((None, text), |(date, time)| (Some(date), time));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2]).ok_or_else(wrong)?;
    if hour > 23 || minute > 59 || second > 60 {
        return Err(wrong());
    }
    if let Some(date) = date {
        let [year, month, day] =
            numbers(date, '-', [4, 2, 2]).or_else(|| numbers(date, '-', [2, 2, 2])).ok_or_else(wrong)?;
        let year = if year < 100 { year + 2000 } else { year };
        let days = match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return Err(wrong()),
        };
        if day == 0 || day > days {
            return Err(wrong());
        }
        let at = moment(Civil { year, month, day, hour, minute, second }).ok_or_else(wrong)?;
        return Ok(Due { at, is_daily: false });
    }
    let mut civil = if is_utc { local_time::to_utc(now) } else { local_time::to_local(now) }.ok_or_else(wrong)?;
    (civil.hour, civil.minute, civil.second) = (hour, minute, second);
    let mut at = moment(civil).ok_or_else(wrong)?;
    if at <= now {
        civil.day += 1;
        at = moment(civil).ok_or_else(wrong)?;
    }
    Ok(Due { at, is_daily: true })
}

/// Three numbers of so many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i32; 3]> {
    let mut words = text.split(separator);
    let mut out = [0; 3];
    for (number, digits) in out.iter_mut().zip(digits) {
        let word = words.next()?;
        if word.len() != digits || !word.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        *number = word.parse().ok()?;
    }
    words.next().is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// 2026-11-21 04:29:04 UTC
    fn now() -> SystemTime {
        at(1_795_235_344)
    }

    #[test]
    fn a_time_is_the_next_one_and_a_date_is_that_day() {
        let check = |text: &str, seconds, is_daily| {
            assert_eq!(parse(text, now()), Ok(Due { at: at(seconds), is_daily }), "{text}");
        };
        check("04:29:05Z", 1_795_235_345, true);
        // tomorrow
        check("04:29:04Z", 1_795_235_344 + 86_400, true);
        check("00:00:00Z", 1_795_305_600, true);
        check("2026-11-21 04:29:04Z", 1_795_235_344, false);
        check("26-11-22 04:29:04Z", 1_795_235_344 + 86_400, false);
        check("2024-02-29 00:00:00Z", 1_709_164_800, false);
        // in whatever zone this runs
        let Due { at, is_daily } = parse("12:00:00", now()).unwrap();
        assert!(is_daily && at > now() && at.duration_since(now()).unwrap() <= Duration::from_secs(90_000));
    }

    #[test]
    fn nothing_else_is_a_time() {
        for text in [
            "",
            "Z",
            "4:29:04",
            "04:29",
            "04:29:04 ",
            " 04:29:04",
            "04:29:04ZZ",
            "24:00:00",
            "00:60:00",
            "2026-13-01 00:00:00",
            "2026-02-29 00:00:00",
            "2026-11-00 00:00:00",
            "2026-11-21  04:29:04",
            "126-11-21 04:29:04",
            "+4:29:04",
            "04:29:04z",
            "2026-11-21T04:29:04Z",
        ] {
            assert!(parse(text, now()).is_err(), "{text:?}");
        }
    }
}
