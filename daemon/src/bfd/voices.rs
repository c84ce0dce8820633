//! The sockets that sessions send from. One that cannot be opened now is tried again: its address may come later.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::model::BfdInstance;
use keepalived_core::bfd::{MULTIHOP_PORT, SINGLE_HOP_PORT, SOURCE_PORTS, SessionId};
use keepalived_core::network::LinkIndex;
use keepalived_core::time::Instant;
use keepalived_kernel::datagrams::{Voice, Way};
use keepalived_kernel::shortage::{is_shortage, too_many};

use super::lower;

/// From one attempt to the next.
const RETRY: Duration = Duration::from_secs(1);

/// Where a session sends from and to. Another socket is needed if it changes.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Ends {
    source: Option<IpAddr>,
    neighbor: IpAddr,
    multihop: bool,
    hop_limit: u8,
    /// Of a link-local neighbour.
    link: Option<LinkIndex>,
}

/// A session that wants to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) id: SessionId,
    pub(super) instance: &'a BfdInstance,
    /// The port that it had before.
    pub(super) port: Option<u16>,
    /// The number of its interface, if it names one that is there.
    pub(super) link: Option<LinkIndex>,
}

impl Ends {
    fn of(wish: &Wish<'_>) -> Self {
        let Wish { instance, link, .. } = *wish;
        let hop_limit = lower::hop_limit(instance);
        // who learns the link from packets sends where the routes lead
        let link = link.filter(|_| instance.interface.is_some());
        Self { source: instance.source, neighbor: instance.neighbor, multihop: instance.multihop, hop_limit, link }
    }
}

#[derive(Debug)]
struct Open {
    ends: Ends,
    port: u16,
    voice: Voice,
    /// The kernel did not take the last packet: this was said.
    fails: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Voices {
    open: BTreeMap<SessionId, Open>,
    ports: BTreeSet<u16>,
    next_port: u16,
    /// Sessions without a socket, and what was said about it.
    waiting: BTreeMap<SessionId, String>,
    /// A shortage keeps sockets from being opened: this was said.
    is_short: bool,
    /// So many sockets may be open; `None`: any number.
    most: Option<usize>,
    again_at: Option<Instant>,
}

impl Voices {
    /// Ports are given out from a place that `seed` chooses, so that they cannot be guessed. At most `most` sockets are opened.
    pub(super) fn new(seed: u64, most: Option<usize>) -> Self {
        let (first, last) = (*SOURCE_PORTS.start(), *SOURCE_PORTS.end());
        let room = u64::from(last - first) + 1;
        let next_port = u16::try_from(seed % room).map_or(first, |offset| first + offset);
        Self { next_port, most, ..Self::default() }
    }

    /// When to call [`Self::open_all`] again.
    pub(super) const fn next_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// Forgets a session.
    pub(super) fn close(&mut self, id: SessionId) {
        self.waiting.remove(&id);
        self.hang_up(id);
    }

    fn hang_up(&mut self, id: SessionId) {
        if let Some(open) = self.open.remove(&id) {
            self.ports.remove(&open.port);
        }
    }

    /// Opens what is not open, and anew what has other ends. `tell` hears of each that changed: its port, or why it cannot send. Returns
    /// lines for the log. A shortage is met once: no other socket is tried then.
    pub(super) fn open_all<'a>(
        &mut self,
        now: Instant,
        wishes: impl Iterator<Item = Wish<'a>>,
        mut tell: impl FnMut(SessionId, Result<u16, String>),
    ) -> Vec<String> {
        self.again_at = None;
        let mut lines = Vec::new();
        let mut shortage: Option<(io::Error, usize)> = None;
        for wish in wishes {
            let Wish { id, instance, port, .. } = wish;
            let ends = Ends::of(&wish);
            if self.open.get(&id).is_some_and(|open| open.ends == ends) {
                continue;
            }
            self.hang_up(id);
            let error = match &mut shortage {
                Some((error, count)) => {
                    *count += 1;
                    copy(error)
                }
                None => match self.open(id, instance, ends, port) {
                    Ok(port) => {
                        self.waiting.remove(&id);
                        tell(id, Ok(port));
                        continue;
                    }
                    Err(error) => error,
                },
            };
            self.again_at = Some(now + RETRY);
            let why = explain(instance, &error);
            let is_news = self.waiting.get(&id) != Some(&why);
            if is_news {
                self.waiting.insert(id, why.clone());
                tell(id, Err(why.clone()));
            }
            if !is_shortage(&error) {
                if is_news {
                    lines.push(format!("({}) {why}", instance.name));
                }
            } else if shortage.is_none() {
                shortage = Some((error, 1));
            }
        }
        if let (Some((error, count)), false) = (&shortage, self.is_short) {
            lines.push(format!(
                "BFD has no socket for {count} sessions ({error}); they stay down, and it is tried again each second. Raise the limit of open files (LimitNOFILE of the unit, ulimit -n)"
            ));
        }
        self.is_short = shortage.is_some();
        lines
    }

    /// Sends a packet of a session. False if there is no socket, or the kernel does not take the packet.
    ///
    /// # Errors
    /// The kernel did not take it, and took the one before: to be said once.
    pub(super) fn send(&mut self, id: SessionId, octets: &[u8]) -> io::Result<bool> {
        let Some(open) = self.open.get_mut(&id) else { return Ok(false) };
        match open.voice.send(octets) {
            Ok(()) => {
                open.fails = false;
                Ok(true)
            }
            Err(error) if !std::mem::replace(&mut open.fails, true) => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn open(&mut self, id: SessionId, instance: &BfdInstance, ends: Ends, wish: Option<u16>) -> io::Result<u16> {
        if instance.interface.is_some() && ends.link.is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.most.is_some_and(|most| self.open.len() >= most) {
            return Err(too_many());
        }
        let port = if ends.multihop { MULTIHOP_PORT } else { SINGLE_HOP_PORT };
        let way = |source_port| Way {
            source: ends.source,
            source_port,
            neighbor: ends.neighbor,
            port,
            link: ends.link,
            hop_limit: ends.hop_limit,
        };
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        let mut wish = wish;
        for _ in 0..=SOURCE_PORTS.len() {
            let source_port = wish.take().unwrap_or_else(|| self.another_port());
            // each session has a port of its own (RFC 5881 §4)
            if self.ports.contains(&source_port) {
                continue;
            }
            match Voice::open(&way(source_port)) {
                Ok(voice) => {
                    self.ports.insert(source_port);
                    self.open.insert(id, Open { ends, port: source_port, voice, fails: false });
                    return Ok(source_port);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    const fn another_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = if port == *SOURCE_PORTS.end() { *SOURCE_PORTS.start() } else { port + 1 };
        port
    }
}

/// The same error once more.
fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// Why there is no socket, and what to do.
fn explain(instance: &BfdInstance, error: &io::Error) -> String {
    match (error.kind(), instance.source, instance.interface) {
        (io::ErrorKind::NotFound, _, Some(interface)) => {
            format!("the interface {interface} is not on this machine; the session waits for it")
        }
        (io::ErrorKind::AddrNotAvailable, Some(source), Some(interface)) => {
            format!("the source address {source} is not on {interface}; the session waits for it")
        }
        (io::ErrorKind::AddrNotAvailable, Some(source), None) => {
            format!("the source address {source} is not on this machine; the session waits for it")
        }
        _ => format!("cannot open a socket to {}: {error}; trying again", instance.neighbor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    /// RFC 5881 §4
    #[test]
    fn each_session_sends_from_a_port_of_its_own_and_keeps_it() {
        let each =
            |last: u8| format!("bfd_instance B{last} {{\n neighbor_ip 127.0.0.{last}\n source_ip 127.0.0.1\n}}\n");
        let instances = from_text(&(2..=40).map(each).collect::<String>()).bfd_instances;
        let sessions =
            || (0..).map(SessionId).zip(&instances).map(|(id, instance)| Wish { id, instance, port: None, link: None });
        let mut voices = Voices::new(7, None);
        let mut ports = BTreeMap::new();
        voices.open_all(Instant::ZERO, sessions(), |id, voice| {
            ports.insert(id, voice.unwrap());
        });
        assert_eq!((ports.len(), voices.next_at()), (instances.len(), None));
        assert!(ports.values().all(|port| SOURCE_PORTS.contains(port)), "{ports:?}");
        assert_eq!(ports.values().collect::<BTreeSet<_>>().len(), instances.len());
        voices.open_all(Instant::ZERO, sessions(), |_, _| panic!("opened again"));
        // another process asks for what this one had
        let ports: Vec<_> = ports.into_iter().collect();
        drop(voices);
        let mut voices = Voices::new(99, None);
        let wished = sessions().zip(&ports).map(|(wish, (_, port))| Wish { port: Some(*port), ..wish });
        let mut again = Vec::new();
        voices.open_all(Instant::ZERO, wished, |id, voice| again.push((id, voice.unwrap())));
        assert_eq!(again, ports);
    }

    /// What is said of one session that cannot be opened, in three attempts.
    fn said_of(text: &str, link: Option<LinkIndex>) -> (Voices, Vec<String>) {
        let instances = from_text(text).bfd_instances;
        let mut voices = Voices::new(7, None);
        let mut said = Vec::new();
        for _ in 0..3 {
            let wish = Wish { id: SessionId(0), instance: &instances[0], port: None, link };
            said.extend(voices.open_all(Instant::ZERO, [wish].into_iter(), |_, voice| assert!(voice.is_err())));
        }
        (voices, said)
    }

    #[test]
    fn a_source_that_is_not_there_is_said_once_and_looked_for() {
        let text = "bfd_instance B {\n neighbor_ip 127.0.0.1\n source_ip 192.0.2.77\n}\n";
        let (mut voices, said) = said_of(text, None);
        assert_eq!(said, ["(B) the source address 192.0.2.77 is not on this machine; the session waits for it"]);
        assert_eq!(voices.next_at(), Some(Instant::ZERO + RETRY));
        assert!(!voices.send(SessionId(0), b"x").unwrap());
    }

    #[test]
    fn a_link_local_neighbour_needs_its_interface() {
        let text = "bfd_instance B {\n neighbor_ip fe80::2%eth7\n source_ip fe80::1\n}\n";
        let (voices, said) = said_of(text, None);
        assert_eq!(said, ["(B) the interface eth7 is not on this machine; the session waits for it"]);
        assert_eq!(voices.next_at(), Some(Instant::ZERO + RETRY));
        // the loopback interface, which has no such address
        let (_, said) = said_of(text, Some(LinkIndex(1)));
        assert_eq!(said, ["(B) the source address fe80::1 is not on eth7; the session waits for it"]);
    }

    #[test]
    fn a_shortage_is_met_and_said_once_for_all() {
        let each =
            |last: u8| format!("bfd_instance B{last} {{\n neighbor_ip 127.0.0.{last}\n source_ip 127.0.0.1\n}}\n");
        let instances = from_text(&(2..=40).map(each).collect::<String>()).bfd_instances;
        let wishes =
            || (0..).map(SessionId).zip(&instances).map(|(id, instance)| Wish { id, instance, port: None, link: None });
        let mut voices = Voices::new(7, Some(9));
        let (mut open, mut told) = (0, 0);
        let mut again = |voices: &mut Voices| {
            let lines = voices.open_all(Instant::ZERO, wishes(), |_, voice| match voice {
                Ok(_) => open += 1,
                Err(why) => {
                    assert!(why.contains("Too many open files"), "{why}");
                    told += 1;
                }
            });
            (lines.len(), lines.first().is_some_and(|line| line.starts_with("BFD has no socket for 30 sessions")))
        };
        assert_eq!([again(&mut voices), again(&mut voices)], [(1, true), (0, false)]);
        assert_eq!(voices.next_at(), Some(Instant::ZERO + RETRY));
        voices.most = None;
        assert_eq!(again(&mut voices), (0, false));
        assert_eq!((open, told, voices.next_at()), (39, 30, None));
    }
}
