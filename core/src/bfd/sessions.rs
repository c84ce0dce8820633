//! All sessions of a process: which one a packet is for (RFC 5880 §6.3, RFC 5881 §3 and §5, RFC 5883 §4 and §5), and which has something to do.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;

use super::control::{ControlPacket, LENGTH, Malformed};
use super::params::{HopLimits, Params, Reach};
use super::session::{Change, Session, Standing};
use super::types::{Discriminator, Random};
use crate::address::InterfaceName;
use crate::network::LinkIndex;
use crate::time::Instant;

/// The place of a session in the table. It stays the same while the session is configured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub usize);

/// What is configured of a session: its ends and its times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Unique.
    pub name: String,
    /// The neighbour's address.
    pub neighbor: IpAddr,
    /// Our address; `None`: any.
    pub source: Option<IpAddr>,
    /// The interface of a link-local neighbour.
    pub interface: Option<InterfaceName>,
    /// Where the neighbour is.
    pub reach: Reach,
    /// What the TTL of its packets may be.
    pub hop_limits: HopLimits,
    /// The times.
    pub params: Params,
}

/// A datagram that came to one of the ports.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// Which address of ours it was sent to.
    pub destination: IpAddr,
    /// The link that it came through.
    pub link: LinkIndex,
    /// Which port it came to.
    pub reach: Reach,
    /// Its TTL or hop limit.
    pub hop_limit: u8,
    /// What is in it.
    pub octets: &'a [u8],
}

/// Why a datagram was discarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discarded {
    /// It is no packet that may be considered.
    Malformed(Malformed),
    /// No session is with this neighbour, at the port that it came to.
    NoSession,
    /// No session of ours has this discriminator.
    NoDiscriminator(Discriminator),
    /// It came through more routers than it may: it has this TTL or hop limit, and at least the second was wanted.
    HopLimit(SessionId, u8, u8),
    /// It is authenticated, with this type, and we have no authentication.
    Authentication(SessionId, u8),
}

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::NoSession => f.write_str("no bfd_instance has this neighbour"),
            Self::NoDiscriminator(yours) => write!(f, "no session has the discriminator {yours}"),
            Self::HopLimit(_, hop_limit, least) => write!(
                f,
                "it came with a TTL (hop limit) of {hop_limit}, and at least {least} is wanted: set ttl (hoplimit) 255 at the neighbour, or max_hops here"
            ),
            Self::Authentication(_, kind) => write!(
                f,
                "it is authenticated (type {kind}), and keepalived has no authentication for BFD: turn it off at the neighbour"
            ),
        }
    }
}

/// What a datagram did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The session that it was for.
    pub session: SessionId,
    /// What it changed.
    pub change: Option<Change>,
}

/// A session that is configured no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Its place, which another may have now.
    pub id: SessionId,
    /// What to tell its neighbour, if that expects anything.
    pub farewell: Option<[u8; LENGTH]>,
}

/// A session with its settings.
#[derive(Clone, Debug)]
struct Entry {
    settings: Settings,
    hop_limits: HopLimits,
    /// Where a neighbour on the same link is: its interface, if that is configured and there; else where its last packet came from.
    link: Option<LinkIndex>,
    session: Session,
}

/// What tells a session before discriminators are known.
type Addresses = (IpAddr, Reach);

/// What makes a session the same after a reload.
type Ends = (IpAddr, Option<IpAddr>, Option<InterfaceName>, Reach);

impl Settings {
    const fn ends(&self) -> Ends {
        (self.neighbor, self.source, self.interface, self.reach)
    }
}

/// The table.
#[derive(Debug)]
pub struct Sessions {
    entries: Vec<Option<Entry>>,
    by_discriminator: HashMap<Discriminator, SessionId>,
    /// Several sessions may be with one neighbour, from addresses of ours that differ.
    by_addresses: HashMap<Addresses, Vec<SessionId>>,
    random: Random,
}

impl Sessions {
    /// An empty table. Nobody else must be able to guess `seed`: discriminators come from it.
    pub fn new(seed: u64) -> Self {
        Self {
            entries: Vec::new(),
            by_discriminator: HashMap::new(),
            by_addresses: HashMap::new(),
            random: Random::new(seed),
        }
    }

    /// These sessions are configured, and no others. One that was there goes on, whatever its place in the list and its name, if it is
    /// with the same neighbour from the same address; a new one goes on from its standing, if there is one. Returns those that are gone.
    pub fn configure(
        &mut self,
        now: Instant,
        wanted: impl IntoIterator<Item = Settings>,
        standings: &BTreeMap<String, Standing>,
    ) -> Vec<Gone> {
        let mut before: HashMap<Ends, Vec<SessionId>> = HashMap::new();
        for id in self.ids() {
            if let Some(settings) = self.settings(id) {
                before.entry(settings.ends()).or_default().push(id);
            }
        }
        let mut fresh = Vec::new();
        for settings in wanted {
            let same = before.get_mut(&settings.ends()).and_then(|ids| {
                let has_name = |id: &SessionId| self.settings(*id).is_some_and(|old| old.name == settings.name);
                let at = ids.iter().position(has_name).unwrap_or(0);
                (at < ids.len()).then(|| ids.swap_remove(at))
            });
            match same {
                Some(id) => {
                    if let Some(entry) = self.entry_mut(id) {
                        if entry.settings.hop_limits != settings.hop_limits {
                            entry.hop_limits = settings.hop_limits;
                        }
                        entry.session.configure(now, settings.params);
                        entry.settings = settings;
                    }
                }
                None => fresh.push(settings),
            }
        }
        let gone = before.into_values().flatten();
        let gone = gone.map(|id| Gone { id, farewell: self.remove(now, id) }).collect();
        for settings in fresh {
            let standing = standings.get(&settings.name).copied();
            self.add(now, settings, standing);
        }
        gone
    }

    /// All that there are.
    pub fn ids(&self) -> impl Iterator<Item = SessionId> {
        self.entries.iter().enumerate().filter_map(|(place, entry)| entry.as_ref().map(|_| SessionId(place)))
    }

    /// What is configured of one.
    pub fn settings(&self, id: SessionId) -> Option<&Settings> {
        self.entry(id).map(|entry| &entry.settings)
    }

    /// One session.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.entry(id).map(|entry| &entry.session)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.entry_mut(id).map(|entry| &mut entry.session)
    }

    /// A datagram came.
    ///
    /// # Errors
    /// It was discarded; the reason says which session counted it, if any did.
    pub fn receive(&mut self, now: Instant, arrival: &Arrival<'_>) -> Result<Heard, Discarded> {
        let packet = ControlPacket::decode(arrival.octets).map_err(Discarded::Malformed)?;
        let id = self.find(&packet, arrival)?;
        let Some(entry) = self.entry_mut(id) else { return Err(Discarded::NoSession) };
        let least = entry.hop_limits.least;
        if !entry.hop_limits.admit(arrival.hop_limit) {
            entry.session.counters_mut().hop_limit_errors += 1;
            return Err(Discarded::HopLimit(id, arrival.hop_limit, least));
        }
        if let Some(kind) = packet.authentication {
            entry.session.counters_mut().authentication_errors += 1;
            return Err(Discarded::Authentication(id, kind));
        }
        if entry.settings.reach == Reach::SingleHop {
            entry.link = Some(arrival.link);
        }
        Ok(Heard { session: id, change: entry.session.receive(now, &packet) })
    }

    /// This is the link of the sessions that name `interface`; `None`: there is no such interface. The path of those that were on another
    /// one is gone.
    pub fn set_interface(
        &mut self,
        now: Instant,
        interface: InterfaceName,
        link: Option<LinkIndex>,
    ) -> Vec<(SessionId, Change)> {
        let entries =
            (0..).zip(&mut self.entries).filter_map(|(place, entry)| Some((SessionId(place), entry.as_mut()?)));
        let named = entries.filter(|(_, entry)| entry.settings.interface == Some(interface));
        let moved = named.filter_map(|(id, entry)| {
            let before = std::mem::replace(&mut entry.link, link);
            let change = before.filter(|before| Some(*before) != link).and_then(|_| entry.session.path_down(now));
            Some((id, change?))
        });
        moved.collect()
    }

    /// The link that a session is on, if it is known.
    pub fn link(&self, id: SessionId) -> Option<LinkIndex> {
        self.entry(id)?.link
    }

    /// Nothing passes through `link` any more: the neighbours on it cannot be reached (RFC 5880 §4.1, diagnostic 5). A neighbour behind
    /// routers may be reached another way.
    pub fn link_down(&mut self, now: Instant, link: LinkIndex) -> Vec<(SessionId, Change)> {
        let entries =
            (0..).zip(&mut self.entries).filter_map(|(place, entry)| Some((SessionId(place), entry.as_mut()?)));
        let on_it = entries.filter(|(_, entry)| entry.link == Some(link));
        on_it.filter_map(|(id, entry)| Some((id, entry.session.path_down(now)?))).collect()
    }

    /// Does what one session has to do now, as [`Session::turn`]: the change of its state, and the octets that it sends.
    pub fn turn(
        &mut self,
        now: Instant,
        heard_until: Instant,
        id: SessionId,
    ) -> (Option<Change>, Option<[u8; LENGTH]>) {
        let Some(entry) = self.entries.get_mut(id.0).and_then(Option::as_mut) else { return (None, None) };
        let turn = entry.session.turn(now, heard_until, &mut self.random);
        (turn.change, turn.packet.map(|packet| packet.encode()))
    }

    fn entry(&self, id: SessionId) -> Option<&Entry> {
        self.entries.get(id.0)?.as_ref()
    }

    fn entry_mut(&mut self, id: SessionId) -> Option<&mut Entry> {
        self.entries.get_mut(id.0)?.as_mut()
    }

    /// RFC 5880 §6.8.6: by discriminator if the neighbour knows it, by addresses otherwise.
    fn find(&self, packet: &ControlPacket, arrival: &Arrival<'_>) -> Result<SessionId, Discarded> {
        let fits = |id: SessionId| {
            self.settings(id).is_some_and(|settings| {
                let is_there = settings.interface.is_none() || self.link(id) == Some(arrival.link);
                settings.reach == arrival.reach && is_there
            })
        };
        if let Some(yours) = packet.yours {
            let found = self.by_discriminator.get(&yours).copied().filter(|id| fits(*id));
            return found.ok_or(Discarded::NoDiscriminator(yours));
        }
        let with = self.by_addresses.get(&(arrival.source, arrival.reach)).map(Vec::as_slice).unwrap_or_default();
        let source_is = |id: SessionId, source| self.settings(id).is_some_and(|settings| settings.source == source);
        let by = |source| with.iter().copied().find(|id| fits(*id) && source_is(*id, source));
        by(Some(arrival.destination)).or_else(|| by(None)).ok_or(Discarded::NoSession)
    }

    fn add(&mut self, now: Instant, settings: Settings, standing: Option<Standing>) {
        let standing = standing.filter(|standing| !self.by_discriminator.contains_key(&standing.local));
        let session = match standing {
            Some(standing) => Session::resumed(now, settings.params, standing),
            None => Session::new(now, settings.params, self.unused_discriminator()),
        };
        let free = self.entries.iter().position(Option::is_none).unwrap_or(self.entries.len());
        let id = SessionId(free);
        self.by_discriminator.insert(session.local(), id);
        self.by_addresses.entry((settings.neighbor, settings.reach)).or_default().push(id);
        let entry = Some(Entry { hop_limits: settings.hop_limits, link: None, settings, session });
        match self.entries.get_mut(free) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
    }

    fn remove(&mut self, now: Instant, id: SessionId) -> Option<[u8; LENGTH]> {
        let mut entry = self.entries.get_mut(id.0).and_then(Option::take)?;
        self.by_discriminator.remove(&entry.session.local());
        let addresses = (entry.settings.neighbor, entry.settings.reach);
        if let Some(with) = self.by_addresses.get_mut(&addresses) {
            with.retain(|other| *other != id);
            if with.is_empty() {
                self.by_addresses.remove(&addresses);
            }
        }
        entry.session.farewell(now).map(|packet| packet.encode())
    }

    fn unused_discriminator(&mut self) -> Discriminator {
        loop {
            let number = self.random.up_to(u32::MAX);
            if let Some(unused) = Discriminator::new(number).filter(|one| !self.by_discriminator.contains_key(one)) {
                return unused;
            }
        }
    }
}

#[cfg(test)]
mod tests;
