//! All sessions: what is heard, what is due, and what others are told. Nothing here makes a system call: packets on their way out
//! go to who calls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use keepalived_config::model::{BfdInstance, Config};
use keepalived_core::address::InterfaceName;
use keepalived_core::bfd::control::LENGTH;
use keepalived_core::bfd::{Arrival, Change, Discarded, Gone, Session, SessionId, SessionState, Sessions};
use keepalived_core::network::LinkIndex;
use keepalived_core::pace::Pace;
use keepalived_core::time::Instant;
use keepalived_state::{BfdChange, Event, Record, SessionView, Subject};

use super::lower;
use super::report::Report;
use super::sessions_file::Saved;
use crate::changes::{ChangeQueue, NextChange};
use crate::deadlines::Deadlines;
use crate::message::{Changes, SessionResult, SessionStanding};

/// Lines about packets that were discarded: so many at once, then one each so often.
const DISCARDED: (u32, Duration) = (5, Duration::from_secs(10));

/// Lines about one session: so many at once, then one each so often. Its neighbour decides how often its state and its times change.
const LINES: (u32, Duration) = (20, Duration::from_secs(1));

/// Deadlines that fire in one turn, before what has arrived meanwhile is heard.
const MOST_DUE: usize = 512;

/// What the engine keeps of a session beside the machine.
#[derive(Debug)]
struct Kept {
    /// Its place in the configuration.
    place: usize,
    /// The last result that followers were told.
    is_up: bool,
    why: String,
    source_port: Option<u16>,
    /// Why it cannot send.
    silent: Option<String>,
    /// What the supervisor knows of it.
    told: Option<SessionStanding>,
    detection_time: Duration,
    /// Lines about its state, and about its detection time.
    lines: [Pace; 2],
    /// Changes of its state that got no line since the last one.
    silently: u64,
}

/// All sessions.
#[derive(Debug)]
pub struct Engine {
    instances: Vec<BfdInstance>,
    sessions: Sessions,
    deadlines: Deadlines,
    kept: BTreeMap<SessionId, Kept>,
    /// The session at each place of the configuration.
    by_place: Vec<SessionId>,
    /// Who hears of each session: the vrrp process, the checker process.
    followers: BTreeMap<String, (bool, bool)>,
    reports: Vec<Report>,
    records: Vec<(String, Change)>,
    /// The last of each session.
    results: BTreeMap<String, SessionResult>,
    /// Sessions that may stand in another way than the supervisor knows.
    restless: BTreeSet<SessionId>,
    /// Sessions that are gone, and that the supervisor still knows.
    gone: Vec<String>,
    discarded: Pace,
    discarded_silently: u64,
    changes: ChangeQueue,
    /// Sessions stand in another way than [`Self::take_saved`] has said.
    is_unsaved: bool,
}

/// Something that a caller does about sockets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reconfigured {
    /// Sessions that are not there any more.
    pub gone: Vec<Gone>,
}

impl Engine {
    /// The sessions of `config`; those that `standings` knows go on. Nobody else must be able to guess `seed`.
    pub fn new(now: Instant, config: &Config, standings: &BTreeMap<String, SessionStanding>, seed: u64) -> Self {
        let mut engine = Self {
            instances: Vec::new(),
            sessions: Sessions::new(seed),
            deadlines: Deadlines::default(),
            kept: BTreeMap::new(),
            by_place: Vec::new(),
            followers: BTreeMap::new(),
            reports: Vec::new(),
            records: Vec::new(),
            results: BTreeMap::new(),
            restless: BTreeSet::new(),
            gone: Vec::new(),
            discarded: Pace::new(DISCARDED.0, DISCARDED.1),
            discarded_silently: 0,
            changes: ChangeQueue::default(),
            is_unsaved: true,
        };
        engine.configure(now, config, standings);
        engine
    }

    /// Another configuration. Sessions with the same name and addresses go on.
    pub fn reload(&mut self, now: Instant, config: &Config) -> Reconfigured {
        self.configure(now, config, &BTreeMap::new())
    }

    fn configure(
        &mut self,
        now: Instant,
        config: &Config,
        standings: &BTreeMap<String, SessionStanding>,
    ) -> Reconfigured {
        let before = standings.iter().map(|(name, known)| (name.clone(), known.standing)).collect();
        let gone = self.sessions.configure(now, config.bfd_instances.iter().map(lower::settings), &before);
        for Gone { id, .. } in &gone {
            self.deadlines.remove(id.0);
            if let Some(kept) = self.kept.remove(id)
                && let Some(old) = self.instances.get(kept.place)
            {
                self.gone.push(old.name.clone());
            }
        }
        let followers = config.bfd_instances.iter().map(|it| (it.name.clone(), (it.tells_vrrp, it.tells_checkers)));
        self.followers = followers.collect();
        let places: BTreeMap<&str, usize> =
            (0..).zip(&config.bfd_instances).map(|(place, instance)| (instance.name.as_str(), place)).collect();
        let mut by_place: Vec<(usize, SessionId)> = Vec::new();
        for id in self.sessions.ids().collect::<Vec<_>>() {
            let Some(settings) = self.sessions.settings(id) else { continue };
            let Some(place) = places.get(settings.name.as_str()).copied() else { continue };
            by_place.push((place, id));
            let known = standings.get(&settings.name);
            let kept = self.kept.entry(id).or_insert_with(|| Kept {
                place,
                is_up: known.is_some_and(|known| known.is_up),
                why: String::new(),
                source_port: known.and_then(|known| known.source_port),
                silent: None,
                told: None,
                detection_time: Duration::ZERO,
                lines: [Pace::new(LINES.0, LINES.1); 2],
                silently: 0,
            });
            if let Some(old) = self.instances.get(kept.place).filter(|old| old.name != settings.name) {
                // it goes on under another name
                self.gone.push(old.name.clone());
                kept.told = None;
            }
            kept.place = place;
            self.set_restless(id);
            if let Some(session) = self.sessions.get(id) {
                self.deadlines.set(id.0, Some(session.deadline()));
            }
        }
        self.instances.clone_from(&config.bfd_instances);
        by_place.sort_unstable();
        self.by_place = by_place.into_iter().map(|(_, id)| id).collect();
        // one that is there again is not gone
        let names: BTreeSet<&str> = self.instances.iter().map(|instance| instance.name.as_str()).collect();
        self.gone.retain(|name| !names.contains(name.as_str()));
        self.changes.begin(u32::try_from(self.by_place.len()).unwrap_or(u32::MAX));
        Reconfigured { gone }
    }

    /// All sessions, in the order of the configuration, with what is configured.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &BfdInstance)> {
        self.by_place.iter().copied().zip(&self.instances)
    }

    /// One session.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// The port that a session sent from before.
    pub(super) fn source_port(&self, id: SessionId) -> Option<u16> {
        self.kept.get(&id)?.source_port
    }

    /// What became of a session's socket: the port that it sends from, or why it cannot send.
    pub(super) fn set_voice(&mut self, id: SessionId, voice: Result<u16, String>) {
        let Some(kept) = self.kept.get_mut(&id) else { return };
        match voice {
            Ok(port) => (kept.source_port, kept.silent) = (Some(port), None),
            Err(why) => kept.silent = Some(why),
        }
        self.set_restless(id);
        self.mark(id);
    }

    /// The interfaces that sessions name.
    pub fn interfaces(&self) -> BTreeSet<InterfaceName> {
        self.instances.iter().filter_map(|instance| instance.interface).collect()
    }

    /// The link that a session is on, if it is known.
    pub(super) fn link(&self, id: SessionId) -> Option<LinkIndex> {
        self.sessions.link(id)
    }

    /// This is the link of the sessions that name an interface; `None`: there is no such interface.
    pub fn set_interface(&mut self, now: Instant, interface: InterfaceName, link: Option<LinkIndex>) {
        for (id, change) in self.sessions.set_interface(now, interface, link) {
            self.follow(now, id, Some(change));
        }
    }

    /// Nothing passes through a link any more.
    pub fn link_down(&mut self, now: Instant, link: LinkIndex) {
        for (id, change) in self.sessions.link_down(now, link) {
            self.follow(now, id, Some(change));
        }
    }

    /// A datagram came.
    pub fn receive(&mut self, now: Instant, arrival: &Arrival<'_>) {
        match self.sessions.receive(now, arrival) {
            Ok(heard) => self.follow(now, heard.session, heard.change),
            Err(why) => {
                if let Discarded::HopLimit(id, ..) | Discarded::Authentication(id, _) = why {
                    self.mark(id);
                }
                if self.discarded.take(now) {
                    let silently = std::mem::take(&mut self.discarded_silently);
                    self.reports.push(Report::Discarded { source: arrival.source, why: why.to_string(), silently });
                } else {
                    self.discarded_silently += 1;
                }
            }
        }
    }

    /// Lets deadlines fire, and hands what is due to `send`, which says whether the kernel took it. All packets that came until
    /// `heard_until` have been handed over. False if more is due.
    pub fn turn(
        &mut self,
        now: Instant,
        heard_until: Instant,
        mut send: impl FnMut(SessionId, &[u8; LENGTH]) -> bool,
    ) -> bool {
        let mut again = Vec::new();
        for _ in 0..MOST_DUE {
            let Some(place) = self.deadlines.pop(now) else { break };
            let id = SessionId(place);
            let (change, octets) = self.sessions.turn(now, heard_until, id);
            if let Some(octets) = octets
                && !send(id, &octets)
                && let Some(session) = self.sessions.get_mut(id)
            {
                session.send_failed();
            }
            if change.is_some() {
                self.follow(now, id, change);
            }
            again.push(id);
        }
        for id in &again {
            if let Some(session) = self.sessions.get(*id) {
                self.deadlines.set(id.0, Some(session.deadline()));
            }
        }
        again.len() < MOST_DUE
    }

    fn set_restless(&mut self, id: SessionId) {
        self.restless.insert(id);
        self.is_unsaved = true;
    }

    /// Whether sessions stand in another way than [`Self::take_saved`] has said.
    pub(super) const fn is_unsaved(&self) -> bool {
        self.is_unsaved
    }

    /// How all sessions stand, for another daemon.
    pub(super) fn take_saved(&mut self) -> Vec<Saved> {
        self.is_unsaved = false;
        let all = self.sessions().filter_map(|(id, instance)| {
            let (session, kept) = (self.sessions.get(id)?, self.kept.get(&id)?);
            Some(Saved::of(instance, standing(session, kept)))
        });
        all.collect()
    }

    /// When something is due.
    pub fn next_due(&mut self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Tells every neighbour that an administrator wants the sessions down: this daemon stops. The neighbours do not take it for a failure of
    /// the path then.
    pub fn stop(&mut self, now: Instant) {
        for id in self.by_place.clone() {
            if let Some(session) = self.sessions.get_mut(id) {
                // of a session that is not up the neighbour expects nothing
                if session.state() == SessionState::Up {
                    session.administer(now, true);
                    self.deadlines.set(id.0, Some(session.deadline()));
                }
            }
        }
    }

    /// Whether a neighbour has not yet answered what [`Self::stop`] sent: it still says that its session is up.
    pub fn owes_farewells(&self) -> bool {
        self.sessions.ids().filter_map(|id| self.sessions.get(id)).any(owes_farewell)
    }

    /// Sends again what [`Self::stop`] sent: a packet may be lost.
    pub(super) fn repeat(&mut self, now: Instant) {
        for id in self.by_place.clone() {
            if let Some(session) = self.sessions.get_mut(id)
                && owes_farewell(session)
            {
                session.repeat(now);
                self.deadlines.set(id.0, Some(session.deadline()));
            }
        }
    }

    /// A session may be in another state.
    fn follow(&mut self, now: Instant, id: SessionId, change: Option<Change>) {
        let Some(session) = self.sessions.get(id) else { return };
        self.deadlines.set(id.0, Some(session.deadline().max(now)));
        let (standing, detection_time) = (session.standing(), session.detection_time());
        let Some(kept) = self.kept.get_mut(&id) else { return };
        let before = std::mem::replace(&mut kept.detection_time, detection_time);
        let name = || self.instances.get(kept.place).map(|instance| instance.name.clone()).unwrap_or_default();
        if let Some(change) = change {
            let is_up = match change.to {
                SessionState::Up => true,
                _ => kept.is_up && !change.is_failure(),
            };
            kept.why = change.to_string();
            if is_up != kept.is_up {
                kept.is_up = is_up;
                let result = SessionResult { session: name(), is_up, why: kept.why.clone() };
                self.results.insert(name(), result);
            }
            let [lines, _] = &mut kept.lines;
            if lines.take(now) {
                let silently = std::mem::take(&mut kept.silently);
                self.reports.push(Report::Changed { name: name(), change, detection_time: before, silently });
                if change.from == SessionState::Up || change.to == SessionState::Up {
                    self.records.push((name(), change));
                }
            } else {
                kept.silently += 1;
            }
        }
        let [_, lines] = &mut kept.lines;
        if detection_time != before && standing.state == SessionState::Up && lines.take(now) {
            self.reports.push(Report::DetectionTime { name: name(), now: detection_time, before });
        }
        if kept.told.is_none_or(|told| told.standing != standing) {
            self.set_restless(id);
            self.mark(id);
        }
    }

    /// Results that have changed since the last call.
    pub fn results(&mut self) -> Vec<SessionResult> {
        std::mem::take(&mut self.results).into_values().collect()
    }

    /// All results of sessions that `which` wants, for a process that has just begun.
    pub fn all_results(&self, which: impl Fn(&BfdInstance) -> bool) -> Vec<SessionResult> {
        let all = self.sessions().filter(|(_, instance)| which(instance));
        all.filter_map(|(id, instance)| {
            let kept = self.kept.get(&id)?;
            Some(SessionResult { session: instance.name.clone(), is_up: kept.is_up, why: kept.why.clone() })
        })
        .collect()
    }

    /// Who hears of a session: the vrrp process, the checker process.
    pub(super) fn tells(&self, session: &str) -> (bool, bool) {
        self.followers.get(session).copied().unwrap_or_default()
    }

    /// Lines for the log.
    pub(super) fn reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Records for the journal.
    pub(super) fn records(&mut self, at: SystemTime) -> Vec<Record> {
        let records = std::mem::take(&mut self.records).into_iter();
        records
            .map(|(name, change)| Record { at, subject: Subject::Session(name), event: Event::Session(change) })
            .collect()
    }

    /// How sessions stand that stand in another way than the supervisor knows; at most so many.
    pub(super) fn standings(&mut self, most: usize) -> Vec<(String, Option<SessionStanding>)> {
        let mut news: Vec<_> = self.gone.drain(..self.gone.len().min(most)).map(|name| (name, None)).collect();
        while news.len() < most {
            let Some(id) = self.restless.pop_first() else { break };
            let (Some(session), Some(kept)) = (self.sessions.get(id), self.kept.get_mut(&id)) else { continue };
            let now = standing(session, kept);
            if kept.told != Some(now)
                && let Some(instance) = self.instances.get(kept.place)
            {
                kept.told = Some(now);
                news.push((instance.name.clone(), Some(now)));
            }
        }
        news
    }

    /// What became different about the view, `most` entries of it.
    pub(super) fn view_changes(&mut self, now: Instant, wall: SystemTime, most: usize) -> Changes<BfdChange> {
        let mut told = Changes { changes: Vec::new(), fresh: false };
        for _ in 0..most {
            match self.changes.take() {
                None => break,
                Some(NextChange::Begins) => told.changes.push(BfdChange::Begins),
                Some(NextChange::Entry(place)) => {
                    let view = self.session_view(place, now, wall);
                    told.changes.extend(view.map(|view| BfdChange::Session(place, Box::new(view))));
                }
                Some(NextChange::Numbers(place)) => {
                    let session = self.by_place.get(usize::try_from(place).unwrap_or(usize::MAX));
                    if let Some(session) = session.and_then(|id| self.sessions.get(*id)) {
                        let heard = session.last_heard().map(|at| wall.checked_sub(now.since(at)).unwrap_or(wall));
                        told.changes.push(BfdChange::Counters(place, Box::new(*session.counters()), heard));
                    }
                }
                Some(NextChange::Fresh) => {
                    told.fresh = true;
                    break;
                }
            }
        }
        told
    }

    /// Whether [`Self::view_changes`] has something.
    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// A follower wants everything as it is now, numbers included.
    pub(super) fn request_changes(&mut self) {
        self.changes.request(u32::try_from(self.by_place.len()).unwrap_or(u32::MAX));
    }

    fn mark(&mut self, id: SessionId) {
        if let Some(place) = self.kept.get(&id).and_then(|kept| u32::try_from(kept.place).ok()) {
            self.changes.mark(place);
        }
    }

    fn session_view(&self, place: u32, now: Instant, wall: SystemTime) -> Option<SessionView> {
        let place = usize::try_from(place).ok()?;
        let (id, instance) = (self.by_place.get(place)?, self.instances.get(place)?);
        let (session, kept) = (self.sessions.get(*id)?, self.kept.get(id)?);
        let settings = self.sessions.settings(*id)?;
        let wall_of = |at: Instant| wall.checked_sub(now.since(at)).unwrap_or(wall);
        Some(SessionView {
            name: instance.name.clone(),
            neighbor: settings.neighbor,
            source: settings.source,
            interface: settings.interface,
            reach: settings.reach,
            hop_limit: lower::hop_limit(instance),
            max_hops: instance.max_hops,
            params: settings.params,
            tells: (instance.tells_vrrp, instance.tells_checkers),
            silent: kept.silent.clone(),
            source_port: kept.source_port,
            state: session.state(),
            since: wall_of(session.since()),
            discriminator: session.local(),
            diagnostic: session.diagnostic(),
            remote: *session.remote(),
            polls: session.polls(),
            tx_interval: session.tx_interval(),
            remote_tx_interval: session.remote_tx_interval(),
            detection_time: session.detection_time(),
            remote_detection_time: session.remote_detection_time(),
            last_heard: session.last_heard().map(wall_of),
            counters: *session.counters(),
        })
    }
}

fn standing(session: &Session, kept: &Kept) -> SessionStanding {
    SessionStanding { standing: session.standing(), source_port: kept.source_port, is_up: kept.is_up }
}

/// Its neighbour was told AdminDown, and does not say yet that it knows.
fn owes_farewell(session: &Session) -> bool {
    let remote = session.remote();
    session.state() == SessionState::AdminDown && remote.discriminator.is_some() && remote.state == SessionState::Up
}

#[cfg(test)]
mod tests;
