//! Files that hold a number (`track_file`): they are read when they change, for checks and for routers.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keepalived_config::model::TrackFile;
use keepalived_core::pace::Pace;
use keepalived_core::time::Instant;
use keepalived_kernel::reactor::{Interest, Reactor, Token};
use keepalived_kernel::shortage::is_shortage;
use keepalived_kernel::watch::Watch;

/// How often a file is read again at once.
const READS_AT_ONCE: u32 = 5;
/// After that it is read once in this time.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// Octets of a file that are looked at: a number is shorter.
const MOST_READ: u64 = 128;

/// The files that are followed, by their names in the configuration.
#[derive(Debug, Default)]
pub(crate) struct TrackFiles {
    files: BTreeMap<String, Followed>,
    watch: Option<Watch>,
    /// When those that cannot be watched are read again.
    looks_at: Option<Instant>,
}

/// A file and what it says.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    /// Its number; none while it has never been read.
    number: Option<i64>,
    /// It has changed and was not read: the number may be another by now. It is read again as `pace` allows.
    is_unread: bool,
    /// A shortage on this machine kept it from being read, which was said.
    is_short: bool,
    /// Who changes it without a pause must not keep us busy, and the log.
    pace: Pace,
    /// Why it could not be read the last time, unless there was none.
    problem: Option<String>,
}

impl TrackFiles {
    /// Follows `files` from now on, and reads them: `token` is ready when one of them has changed. What a shortage keeps from being read
    /// says what it said before.
    pub(crate) fn configure<'a>(
        &mut self,
        files: impl Iterator<Item = &'a TrackFile>,
        reactor: &mut Reactor,
        token: Token,
    ) {
        let files: Vec<&TrackFile> = files.collect();
        let is_same = files.len() == self.files.len()
            && files.iter().all(|file| self.files.get(&file.name).is_some_and(|old| old.path == Path::new(&file.path)));
        if is_same && (self.watch.is_some() || files.is_empty()) {
            return;
        }
        // the one before goes first: there may be no room for two
        (self.watch, self.looks_at) = (None, None);
        let mut watch = Watch::new();
        let mut before = std::mem::take(&mut self.files);
        for file in files {
            let path = PathBuf::from(&file.path);
            if let Ok(watch) = &mut watch
                && let Err(error) = watch.add(&path)
            {
                tracing::error!(
                    "track_file {}: {} cannot be watched, and is read every second: {error}",
                    file.name,
                    path.display()
                );
            }
            let kept = before.remove(&file.name).filter(|old| old.path == path);
            let followed = match kept {
                Some(mut followed) => {
                    // what happened between the two watches was not told
                    let read = number_in(&followed.path);
                    followed.take(read);
                    followed
                }
                None => Followed::new(path),
            };
            self.files.insert(file.name.clone(), followed);
        }
        if self.files.is_empty() {
            return;
        }
        let watched = watch.and_then(|watch| reactor.register(&watch, token, Interest::Read).map(|()| watch));
        match watched {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => tracing::error!("files cannot be watched, and are read every second: {error}"),
        }
    }

    /// Whether a file may change without a word.
    fn has_to_look(&self) -> bool {
        !self.files.is_empty() && self.watch.as_ref().is_none_or(|watch| !watch.is_complete())
    }

    /// Path and number of a file; no number while it has never been read.
    pub(crate) fn get(&self, name: &str) -> Option<(&Path, Option<i64>)> {
        let file = self.files.get(name)?;
        Some((&file.path, file.number))
    }

    /// All numbers that are known.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (&str, i64)> {
        self.files.iter().filter_map(|(name, file)| Some((name.as_str(), file.number?)))
    }

    /// Reads what has changed. True if any number has.
    pub(crate) fn on_ready(&mut self, now: Instant) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        let changed = match watch.changed() {
            Ok(changed) => changed,
            Err(error) => {
                tracing::error!("files cannot be watched: {error}");
                None
            }
        };
        let mut any = false;
        for file in self.files.values_mut() {
            if changed.as_ref().is_none_or(|changed| changed.contains(&file.path)) {
                file.is_unread = true;
                any |= file.read(now);
            }
        }
        any
    }

    /// Looks again at what could not be read, or not so soon, or is not watched. True if any number has changed.
    pub(crate) fn catch_up(&mut self, now: Instant) -> bool {
        if self.has_to_look() && self.looks_at.is_some_and(|at| at <= now) {
            self.looks_at = None;
            if let Some(watch) = &mut self.watch {
                watch.retry();
            }
            self.files.values_mut().for_each(|file| file.is_unread = true);
        }
        let mut any = false;
        for file in self.files.values_mut().filter(|file| file.is_unread) {
            any |= file.read(now);
        }
        any
    }

    /// When there is something to look at again.
    pub(crate) fn next_at(&mut self, now: Instant) -> Option<Instant> {
        let look = self.has_to_look().then(|| *self.looks_at.get_or_insert(now + READ_PAUSE));
        let unread = self.files.values_mut().filter(|file| file.is_unread);
        unread.map(|file| file.pace.next(now).unwrap_or(now + READ_PAUSE)).chain(look).min()
    }
}

impl Followed {
    fn new(path: PathBuf) -> Self {
        let pace = Pace::new(READS_AT_ONCE, READ_PAUSE);
        let mut file = Self { path, number: None, is_unread: false, is_short: false, pace, problem: None };
        let read = number_in(&file.path);
        file.take(read);
        file
    }

    /// Reads it, if its pace allows. True if the number is another now.
    fn read(&mut self, now: Instant) -> bool {
        self.pace.take(now) && self.take(number_in(&self.path))
    }

    fn take(&mut self, read: io::Result<i64>) -> bool {
        match read {
            Err(error) if is_shortage(&error) => {
                self.is_unread = true;
                if !std::mem::replace(&mut self.is_short, true) {
                    tracing::warn!("{} cannot be read for now, which changes nothing: {error}", self.path.display());
                }
                false
            }
            // what is not there, or no file, is 0
            read => {
                (self.is_unread, self.is_short) = (false, false);
                self.note(read.as_ref().err());
                let number = Some(read.unwrap_or_default());
                std::mem::replace(&mut self.number, number) != number
            }
        }
    }

    /// Says once what is wrong. That there is no file yet is nothing wrong.
    fn note(&mut self, error: Option<&io::Error>) {
        let problem = error.filter(|error| error.kind() != io::ErrorKind::NotFound).map(io::Error::to_string);
        if let Some(why) = problem.as_ref().filter(|_| problem != self.problem) {
            tracing::error!("track_file {} cannot be read and counts as 0: {why}", self.path.display());
        }
        self.problem = problem;
    }
}

/// The number at the start of a file, whatever follows it.
fn number_in(path: &Path) -> io::Result<i64> {
    use std::io::Read as _;
    let mut octets = Vec::new();
    keepalived_kernel::files::open_regular(path)?.take(MOST_READ).read_to_end(&mut octets)?;
    Ok(number(&String::from_utf8_lossy(&octets)))
}

/// The number at the start of a text, as C reads it (`0x`, leading `0`); 0 if there is none.
fn number(text: &str) -> i64 {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(rest) => (16, rest),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let digits = digits.chars().map_while(|letter| letter.to_digit(radix));
    let value =
        digits.fold(0_i64, |value, digit| value.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit)));
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value) in [
            ("3\n", 3),
            (" -7 apples", -7),
            ("0x1f", 31),
            ("010", 8),
            ("", 0),
            ("none", 0),
            ("+5", 5),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(number(text), value, "{text:?}");
        }
    }

    fn followed(path: &str) -> Followed {
        let pace = Pace::new(READS_AT_ONCE, READ_PAUSE);
        Followed { path: path.into(), number: None, is_unread: false, is_short: false, pace, problem: None }
    }

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("keepalived-followed-{name}-{}", std::process::id()))
    }

    #[test]
    fn what_follows_the_number_does_not_matter() {
        let path = temporary("octets");
        // the last octet that is read is half a letter
        let long = format!("6 {}é", " ".repeat(125));
        for (octets, value) in [(&b"7\xff\n"[..], 7), (b"8\x005", 8), (b"\xff9", 0), (long.as_bytes(), 6)] {
            std::fs::write(&path, octets).unwrap();
            assert_eq!(number_in(&path).unwrap(), value, "{octets:?}");
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_watched_is_read_every_second() {
        let path = temporary("unwatched");
        let mut files = TrackFiles::default();
        files.files.insert("n".into(), followed(path.to_str().unwrap()));
        let start = Instant::from_nanos(1_000_000_000_000);
        let mut next = files.next_at(start).unwrap();
        for number in 1..10 {
            std::fs::write(&path, number.to_string()).unwrap();
            assert!(files.catch_up(next));
            assert_eq!(files.files["n"].number, Some(number));
            next = files.next_at(next).unwrap();
        }
        assert_eq!(next, start + 10 * READ_PAUSE);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_reload_keeps_the_number_of_a_file_and_reads_others() {
        let (path, other) = (temporary("kept"), temporary("new"));
        let line = |name: &str, path: &Path| format!("track_file {name} {{\n file {}\n}}\n", path.display());
        let (one, two) = (line("one", &path), line("two", &other));
        let mut reactor = Reactor::new(&[]).unwrap();
        let mut files = TrackFiles::default();
        let mut configure = |files: &mut TrackFiles, text: &str| {
            let config = crate::configuration::from_text(text);
            files.configure(config.files.iter(), &mut reactor, Token(16));
        };
        std::fs::write(&path, "1").unwrap();
        std::fs::write(&other, "2").unwrap();
        configure(&mut files, &one);
        // whatever is told is told by the watch that is there
        let shortage = Err(io::Error::from_raw_os_error(24));
        files.files.get_mut("one").unwrap().take(shortage);
        configure(&mut files, &one);
        assert!(files.files["one"].is_unread, "nothing was touched");
        configure(&mut files, &(one.clone() + &two));
        let numbers: Vec<_> = files.numbers().map(|(name, number)| (name.to_owned(), number)).collect();
        assert_eq!(numbers, [("one".to_owned(), 1), ("two".to_owned(), 2)]);
        configure(&mut files, &two);
        assert_eq!(files.numbers().count(), 1);
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(&other).unwrap();
    }

    #[test]
    fn a_file_that_changes_without_a_pause_is_read_now_and_then_and_at_the_end() {
        let path = temporary("busy");
        let mut files = TrackFiles { watch: Some(Watch::new().unwrap()), ..TrackFiles::default() };
        files.files.insert("n".into(), followed(path.to_str().unwrap()));
        let start = Instant::from_nanos(1_000_000_000_000);
        let mut changes = 0;
        for step in 0..1_000_u32 {
            std::fs::write(&path, step.to_string()).unwrap();
            let now = start + Duration::from_millis(step.into());
            // as if the kernel had told of it
            let file = files.files.get_mut("n").unwrap();
            file.is_unread = true;
            changes += u32::from(file.read(now));
        }
        assert_eq!(changes, READS_AT_ONCE);
        let again = files.next_at(start + Duration::from_millis(999)).unwrap();
        assert!(files.catch_up(again), "what it says in the end counts");
        assert_eq!(files.files["n"].number, Some(999));
        assert_eq!(files.next_at(again), None);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_shortage_says_nothing_about_a_file() {
        let shortage = || Err(io::Error::from_raw_os_error(24));
        let mut file = followed("/number");
        assert!(!file.take(shortage()) && file.is_unread && file.number.is_none());
        assert!(file.take(Ok(7)) && !file.is_unread && file.number == Some(7));
        assert!(!file.take(shortage()) && file.is_unread && file.number == Some(7), "it stays what it was");
        assert!(file.take(Err(io::ErrorKind::NotFound.into())) && file.number == Some(0), "no file is 0, as in C");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_remembered_until_it_is_right() {
        let mut file = followed("/number");
        let pipe = || Err(io::Error::new(io::ErrorKind::InvalidInput, "/number is a named pipe"));
        assert!(file.take(pipe()) && file.number == Some(0));
        assert_eq!(file.problem.as_deref(), Some("/number is a named pipe"));
        assert!(file.take(Ok(7)) && file.problem.is_none());
        file.take(Err(io::ErrorKind::NotFound.into()));
        assert!(file.problem.is_none(), "a file that is not there yet");
    }
}
