//! What the checker process watches on this machine: numbers in files (`FILE_CHECK`) and addresses (`ha_suspend`).

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keepalived_config::model::{Checker, Config, FileCheck};
use keepalived_core::balance::CheckResult;
use keepalived_core::network::{AddressKey, NetworkEvent};
use keepalived_core::pace::Pace;
use keepalived_core::time::Instant;
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::Network as _;
use keepalived_kernel::reactor::{Interest, Reactor, Token};
use keepalived_kernel::shortage::is_shortage;
use keepalived_kernel::watch::Watch;

use super::task::Task;

const FILES: Token = Token(2);
const ADDRESSES: Token = Token(3);

/// At or below this a weight means that the server is down.
const FAULT: i64 = -2_147_483_648;

/// How many changes of a file are read at once.
const READS_AT_ONCE: u32 = 5;
/// Interval of reading after that.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// Octets that are read of a file: a number is shorter.
const MOST_READ: u64 = 128;

/// The files and addresses that the configuration names.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// Number of each track file that a check follows.
    numbers: BTreeMap<String, Followed>,
    watch: Option<Watch>,
    addresses: Option<Addresses>,
}

/// A file and what it says.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    /// Its number; none while it has never been read.
    number: Option<i64>,
    /// It has changed since it was read. It is read again when `pace` allows.
    is_unread: bool,
    /// It could not be read for a shortage on this machine, and that was logged.
    is_short: bool,
    /// Bounds how often it is read and logged if it changes without a pause.
    pace: Pace,
    /// Why it could not be read the last time; `None` also if it did not exist.
    problem: Option<String>,
}

#[derive(Debug)]
struct Addresses {
    network: Rtnetlink,
    here: HashSet<AddressKey>,
}

impl Outside {
    /// Begins to watch what `config` needs.
    pub(super) fn new(config: &Config, reactor: &mut Reactor) -> Self {
        let mut outside = Self::default();
        outside.watch_files(config, reactor);
        if config.virtual_servers.iter().any(|server| server.settings.ha_suspend) {
            match watch_addresses(reactor) {
                Ok(addresses) => outside.addresses = Some(addresses),
                Err(error) => tracing::error!("ha_suspend: cannot watch the addresses of this machine: {error}"),
            }
        }
        outside
    }

    fn watch_files(&mut self, config: &Config, reactor: &mut Reactor) {
        let servers = config.virtual_servers.iter().flat_map(|server| &server.real_servers);
        let followed: HashSet<&str> = servers
            .flat_map(|server| &server.checkers)
            .filter_map(|checker| match checker {
                Checker::File(check) => Some(check.track_file.as_str()),
                _ => None,
            })
            .collect();
        if followed.is_empty() {
            return;
        }
        let mut watch = match Watch::new() {
            Ok(watch) => watch,
            Err(error) => return tracing::error!("files cannot be watched: {error}"),
        };
        for file in config.files.iter().filter(|file| followed.contains(file.name.as_str())) {
            let path = PathBuf::from(&file.path);
            if let Err(error) = watch.add(&path) {
                tracing::error!("track_file {}: {} cannot be watched: {error}", file.name, path.display());
            }
            self.numbers.insert(file.name.clone(), Followed::new(path));
        }
        match reactor.register(&watch, FILES, Interest::Read) {
            Ok(()) => self.watch = Some(watch),
            Err(error) => tracing::error!("files cannot be watched: {error}"),
        }
    }

    /// Handles readiness of a descriptor. True if a number or an address has changed.
    pub(super) fn on_ready(&mut self, token: Token, now: Instant) -> bool {
        match token {
            FILES => self.read_files(now),
            ADDRESSES => self.addresses.as_mut().is_some_and(Addresses::listen),
            _ => false,
        }
    }

    fn read_files(&mut self, now: Instant) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        let changed = match watch.changed() {
            Ok(changed) => changed,
            Err(error) => {
                tracing::error!("files cannot be watched: {error}");
                None
            }
        };
        let mut any = false;
        for file in self.numbers.values_mut() {
            if changed.as_ref().is_none_or(|changed| changed.contains(&file.path)) {
                file.is_unread = true;
                any |= file.read(now);
            }
        }
        any
    }

    /// Reads again files that could not be read, or not so soon. True if a number has changed.
    pub(super) fn catch_up(&mut self, now: Instant) -> bool {
        let mut any = false;
        for file in self.numbers.values_mut().filter(|file| file.is_unread) {
            any |= file.read(now);
        }
        any
    }

    /// When [`Self::catch_up`] is due.
    pub(super) fn next_at(&mut self, now: Instant) -> Option<Instant> {
        let unread = self.numbers.values_mut().filter(|file| file.is_unread);
        unread.map(|file| file.pace.next(now).unwrap_or(now + READ_PAUSE)).min()
    }

    /// The result of a check that follows a file; `None` for all others.
    pub(super) fn result(&self, task: Task<'_>) -> Option<CheckResult> {
        let Checker::File(check) = task.checker else { return None };
        let file = self.numbers.get(&check.track_file)?;
        Some(match judge(check, file.number?) {
            Ok(weight) => CheckResult::Passed { weight },
            Err(why) => CheckResult::Failed(format!("{} {why}", file.path.display())),
        })
    }

    /// Whether `address` is on this machine; yes if that is not known.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.addresses.as_ref().is_none_or(|known| known.here.iter().any(|(_, here, _)| *here == address))
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

    /// Reads the file if its pace allows. True if the number has changed.
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
            // a missing file counts as 0
            read => {
                (self.is_unread, self.is_short) = (false, false);
                self.note(read.as_ref().err());
                let number = Some(read.unwrap_or_default());
                std::mem::replace(&mut self.number, number) != number
            }
        }
    }

    /// Logs once why it cannot be read. A missing file is no error.
    fn note(&mut self, error: Option<&io::Error>) {
        let problem = error.filter(|error| error.kind() != io::ErrorKind::NotFound).map(io::Error::to_string);
        if let Some(why) = problem.as_ref().filter(|_| problem != self.problem) {
            tracing::error!("track_file {} cannot be read and counts as 0: {why}", self.path.display());
        }
        self.problem = problem;
    }
}

impl Addresses {
    fn listen(&mut self) -> bool {
        let mut events = Vec::new();
        let mut any = false;
        loop {
            let is_all = self.network.events(&mut events);
            for event in events.drain(..) {
                any = true;
                match event {
                    NetworkEvent::Address(address) => drop(self.here.insert(address.key())),
                    NetworkEvent::AddressRemoved { link, address, prefix } => {
                        self.here.remove(&(link, address, prefix));
                    }
                    NetworkEvent::Overrun => match self.network.inventory() {
                        Ok(inventory) => self.here = inventory.addresses.iter().map(|address| address.key()).collect(),
                        Err(error) => tracing::error!("cannot read the addresses of this machine: {error}"),
                    },
                    NetworkEvent::Link(_) | NetworkEvent::LinkRemoved(_) => {}
                }
            }
            if is_all {
                return any;
            }
        }
    }
}

fn watch_addresses(reactor: &mut Reactor) -> io::Result<Addresses> {
    let mut network = Rtnetlink::open(Rtnetlink::DEFAULT_MONITOR_BUFFER)?;
    reactor.register(network.monitor_fd(), ADDRESSES, Interest::Read)?;
    let here = network.inventory()?.addresses.iter().map(|address| address.key()).collect();
    Ok(Addresses { network, here })
}

/// What a number means: with weight 0 any but 0 is a failure (`reverse`: 0 is), else its product is added to the server's weight.
fn judge(check: &FileCheck, number: i64) -> Result<i64, String> {
    if check.weight.multiplier == 0 {
        let fails = (number != 0) != check.weight.reverse;
        return if fails { Err(format!("holds {number}")) } else { Ok(0) };
    }
    let product = number.saturating_mul(i64::from(check.weight.multiplier));
    let product = if check.weight.reverse { product.saturating_neg() } else { product };
    if product <= FAULT { Err(format!("holds {number}")) } else { Ok(product) }
}

/// The number at the start of a file.
fn number_in(path: &Path) -> io::Result<i64> {
    use std::io::Read as _;
    let mut text = String::new();
    keepalived_kernel::files::open_regular(path)?.take(MOST_READ).read_to_string(&mut text)?;
    Ok(number(&text))
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
    use keepalived_config::model::FileWeight;

    use super::*;

    fn check(multiplier: i32, reverse: bool) -> FileCheck {
        FileCheck { track_file: "f".into(), weight: FileWeight { multiplier, reverse } }
    }

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

    #[test]
    fn a_file_that_changes_without_a_pause_is_read_now_and_then_and_at_the_end() {
        let path = std::env::temp_dir().join(format!("keepalived-followed-{}", std::process::id()));
        let mut outside = Outside::default();
        outside.numbers.insert("n".into(), followed(path.to_str().unwrap()));
        let start = Instant::from_nanos(1_000_000_000_000);
        let mut changes = 0;
        for step in 0..1_000_u32 {
            std::fs::write(&path, step.to_string()).unwrap();
            let now = start + Duration::from_millis(step.into());
            // as if the kernel had reported it
            let file = outside.numbers.get_mut("n").unwrap();
            file.is_unread = true;
            changes += u32::from(file.read(now));
        }
        assert_eq!(changes, READS_AT_ONCE);
        let again = outside.next_at(start + Duration::from_millis(999)).unwrap();
        assert!(outside.catch_up(again), "what it says in the end counts");
        assert_eq!(outside.numbers["n"].number, Some(999));
        assert_eq!(outside.next_at(again), None);
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

    /// behaviour.md section 8: value 3 gives +3, weight 2 gives +6.
    #[test]
    fn a_number_adds_to_the_weight_or_fails() {
        assert_eq!(judge(&check(1, false), 3), Ok(3));
        assert_eq!(judge(&check(2, false), 3), Ok(6));
        assert_eq!(judge(&check(2, true), 3), Ok(-6));
        assert!(judge(&check(1, false), FAULT).is_err());
        assert_eq!(judge(&check(0, false), 0), Ok(0));
        assert!(judge(&check(0, false), 1).is_err());
        assert!(judge(&check(0, true), 0).is_err());
    }
}
