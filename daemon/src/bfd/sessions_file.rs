//! Sessions in a file, for the bfd process of another daemon: this one may be killed together with its supervisor.
//!
//! Neighbours do not notice if the other one goes on within their detection time, with the same discriminators. So the file says when this
//! process lived last, too. It is the process that writes it, whatever right it has given up: it opened it before.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use std::collections::BTreeMap;

use keepalived_config::model::{BfdInstance, Config};
use keepalived_core::address::InterfaceName;
use keepalived_core::bfd::{SOURCE_PORTS, SessionState};
use keepalived_core::time::Instant;
use keepalived_kernel::files::{Existing, create_regular, read_regular, read_text};
use serde::{Deserialize, Serialize};

use crate::message::SessionStanding;

/// How precisely it is known when this process lived last.
const BEAT: Duration = Duration::from_millis(10);

/// From one writing of all sessions to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// What is longer is no file of ours: 16,384 sessions take less.
const LARGEST: u64 = 8 * 1024 * 1024;

/// The form of the file.
const MAGIC: &[u8; 8] = b"KA-BFD-1";
/// The number that Linux gives to each start of the machine.
const BOOT: usize = 36;
const ALIVE_AT: usize = MAGIC.len() + BOOT;
const CHECKSUM_AT: usize = ALIVE_AT + 8;
const HEADER: usize = CHECKSUM_AT + 8;

/// A session in the file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    name: String,
    neighbor: IpAddr,
    source: Option<IpAddr>,
    interface: Option<InterfaceName>,
    multihop: bool,
    known: SessionStanding,
}

impl Saved {
    pub(super) fn of(instance: &BfdInstance, known: SessionStanding) -> Self {
        let BfdInstance { name, neighbor, source, interface, multihop, .. } = instance;
        Self {
            name: name.clone(),
            neighbor: *neighbor,
            source: *source,
            interface: *interface,
            multihop: *multihop,
            known,
        }
    }

    /// Whether `instance` is this session, and its neighbour has not missed us after a silence of `gap`.
    fn lives(&self, instance: &BfdInstance, gap: Duration) -> bool {
        let same = *self == Self::of(instance, self.known);
        let interval = instance.min_tx.max(self.known.standing.remote.required_min_rx.duration());
        let has_port = self.known.source_port.is_none_or(|port| SOURCE_PORTS.contains(&port));
        let is_up = self.known.standing.state == SessionState::Up && self.known.is_up;
        same && has_port && is_up && gap < interval.saturating_mul(instance.multiplier.into())
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct SessionsFile {
    file: File,
    boot: [u8; BOOT],
    alive_at: Instant,
    saved_at: Instant,
}

impl SessionsFile {
    /// Opens it, and makes it if there is none. No link is followed, and nothing else in its place is opened.
    ///
    /// # Errors
    /// It cannot be opened, or written.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = create_regular(path, Existing::Keep, 0o600)?;
        Ok(Self { file, boot: boot(), alive_at: Instant::ZERO, saved_at: Instant::ZERO })
    }

    /// The sessions of `config` that a daemon before this one had, if their neighbours wait for them still. Whatever else stands in the
    /// file says nothing.
    pub(super) fn read(path: &Path, now: Instant, config: &Config) -> BTreeMap<String, SessionStanding> {
        let octets = read_regular(path, LARGEST).unwrap_or_default();
        let Some((alive_at, saved)) = decode(&octets, &boot()) else { return BTreeMap::new() };
        // of a time to come nothing is known
        let Some(gap) = (alive_at <= now).then(|| now.since(alive_at)) else { return BTreeMap::new() };
        let instances: BTreeMap<&str, &BfdInstance> =
            config.bfd_instances.iter().map(|instance| (instance.name.as_str(), instance)).collect();
        let lives =
            |saved: &Saved| instances.get(saved.name.as_str()).is_some_and(|instance| saved.lives(instance, gap));
        saved.into_iter().filter(lives).map(|saved| (saved.name, saved.known)).collect()
    }

    /// This process lives.
    pub(super) fn beat(&mut self, now: Instant) {
        if now.since(self.alive_at) >= BEAT {
            self.alive_at = now;
            // what cannot be written now is written soon
            self.file.write_all_at(&now.as_nanos().to_le_bytes(), position(ALIVE_AT)).ok();
        }
    }

    /// When all sessions may be written again.
    pub(super) fn next_at(&self) -> Instant {
        self.saved_at + PAUSE
    }

    /// Writes all sessions.
    pub(super) fn save(&mut self, now: Instant, sessions: &[Saved]) {
        (self.alive_at, self.saved_at) = (now, now);
        let octets = encode(&self.boot, now, sessions);
        let written = self.file.write_all_at(&octets, 0).and_then(|()| self.file.set_len(position(octets.len())));
        if let Err(error) = written {
            tracing::debug!("sessions cannot be written for another daemon: {error}");
            self.clear();
        }
    }

    /// Nobody shall go on with what stands in it.
    pub(super) fn clear(&self) {
        self.file.set_len(0).ok();
    }
}

fn position(at: usize) -> u64 {
    u64::try_from(at).unwrap_or(u64::MAX)
}

fn boot() -> [u8; BOOT] {
    let text = read_text(Path::new("/proc/sys/kernel/random/boot_id"), 64).unwrap_or_default();
    text.as_bytes().first_chunk().copied().unwrap_or([0; BOOT])
}

fn encode(boot: &[u8; BOOT], alive_at: Instant, sessions: &[Saved]) -> Vec<u8> {
    let contents = postcard::to_stdvec(sessions).unwrap_or_default();
    let mut octets = Vec::with_capacity(HEADER + contents.len());
    octets.extend(MAGIC);
    octets.extend(boot);
    octets.extend(alive_at.as_nanos().to_le_bytes());
    octets.extend(checksum(&contents).to_le_bytes());
    octets.extend(contents);
    octets
}

/// `None` for what is no file of ours, of another start of the machine, or half written.
fn decode(octets: &[u8], boot: &[u8; BOOT]) -> Option<(Instant, Vec<Saved>)> {
    let (header, contents) = octets.split_first_chunk::<HEADER>()?;
    let number = |at: usize| Some(u64::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let is_ours = header.starts_with(MAGIC) && header.get(MAGIC.len()..ALIVE_AT)? == boot;
    if !is_ours || number(CHECKSUM_AT)? != checksum(contents) {
        return None;
    }
    Some((Instant::from_nanos(number(ALIVE_AT)?), postcard::from_bytes(contents).ok()?))
}

/// Against halves, not against malice: who may write the file may do everything.
fn checksum(contents: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(contents);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use keepalived_core::bfd::{Diagnostic, Discriminator, Micros, Remote, Standing};

    use super::*;
    use crate::configuration::from_text;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(1_000_000 + millis)
    }

    /// One session, with a detection time of 300 ms at its neighbour.
    fn config() -> Config {
        from_text("bfd_instance A {\n neighbor_ip 10.0.0.2\n source_ip 10.0.0.1\n min_tx 50\n multiplier 3\n}\n")
    }

    fn known() -> SessionStanding {
        let remote = Remote {
            discriminator: Discriminator::new(7),
            state: SessionState::Up,
            required_min_rx: Micros::new(100_000),
            ..Remote::default()
        };
        let standing = Standing {
            local: Discriminator::new(1).unwrap(),
            state: SessionState::Up,
            diagnostic: Diagnostic::NONE,
            remote,
        };
        SessionStanding { standing, source_port: Some(50_000), is_up: true }
    }

    fn saved() -> Saved {
        Saved::of(&config().bfd_instances[0], known())
    }

    /// The path of a file that is gone after the test.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("keepalived-{name}-{}.sessions", std::process::id())))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    /// Which sessions are found in `octets`, 100 ms after the last sign of life at 0.
    fn found(name: &str, octets: &[u8]) -> usize {
        let place = Place::new(name);
        std::fs::write(&place.0, octets).unwrap();
        SessionsFile::read(&place.0, at(100), &config()).len()
    }

    #[test]
    fn another_daemon_goes_on_while_neighbours_wait() {
        let place = Place::new("on");
        let mut file = SessionsFile::open(&place.0).unwrap();
        assert_eq!(SessionsFile::read(&place.0, at(0), &config()), BTreeMap::new());
        file.save(at(0), &[saved()]);
        file.beat(at(5));
        file.beat(at(200));
        let read = |millis, config: &Config| SessionsFile::read(&place.0, at(millis), config);
        assert_eq!(read(499, &config()), BTreeMap::from([("A".to_owned(), known())]));
        // 3 x 100 ms after its last sign of life
        assert_eq!(read(500, &config()), BTreeMap::new());
        assert_eq!(read(100, &config()), BTreeMap::new(), "it lived later than now");
        let other =
            from_text("bfd_instance A {\n neighbor_ip 10.0.0.9\n source_ip 10.0.0.1\n min_tx 50\n multiplier 3\n}\n");
        assert_eq!(read(300, &other), BTreeMap::new(), "the same name with another neighbour");
        file.clear();
        assert_eq!(read(300, &config()), BTreeMap::new());
    }

    #[test]
    fn what_no_daemon_has_written_is_nothing() {
        let whole = encode(&boot(), at(0), &[saved()]);
        assert_eq!(found("whole", &whole), 1);
        for length in 0..whole.len() {
            assert_eq!(found("cut", &whole[..length]), 0, "{length}");
        }
        for place in (0..whole.len()).filter(|place| !(ALIVE_AT..CHECKSUM_AT).contains(place)) {
            let mut octets = whole.clone();
            octets[place] ^= 0x10;
            assert_eq!(found("flipped", &octets), 0, "{place}");
        }
        assert_eq!(found("boot", &encode(&[b'x'; BOOT], at(0), &[saved()])), 0);
        // a list that says to be endless
        let endless = [0xff; 9];
        let mut octets = whole[..CHECKSUM_AT].to_vec();
        octets.extend(checksum(&endless).to_le_bytes());
        octets.extend(endless);
        assert_eq!(found("endless", &octets), 0);
    }

    #[test]
    fn only_what_a_daemon_of_ours_would_do_is_gone_on_with() {
        let with = |change: fn(&mut SessionStanding)| {
            let mut saved = saved();
            change(&mut saved.known);
            found("odd", &encode(&boot(), at(0), &[saved]))
        };
        assert_eq!(with(|_| {}), 1);
        assert_eq!(with(|known| known.source_port = Some(53)), 0);
        assert_eq!(with(|known| known.standing.state = SessionState::Down), 0);
        assert_eq!(with(|known| known.is_up = false), 0);
    }

    #[test]
    fn nothing_else_in_the_place_of_the_file_is_written_to() {
        let (target, link) = (Place::new("precious"), Place::new("link"));
        std::fs::write(&target.0, "precious").unwrap();
        std::os::unix::fs::symlink(&target.0, &link.0).unwrap();
        assert!(SessionsFile::open(&link.0).is_err());
        assert_eq!(std::fs::read_to_string(&target.0).unwrap(), "precious");
    }
}
