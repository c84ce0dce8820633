//! The session with a master: connect, open, register, answer; and again when the master is gone.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Counters, State};
use keepalived_state::{Event, Record, Subject};

use super::Write;
use super::codec::{Body, HEADER, Header, Pdu, Range, Refusal};
use super::notifications::{self, AuthenticationError, Trap};
use super::oid::Oid;
use super::tree::{Change, ErrorStatus, Tree, Trees};
use super::value::{Value, VarBind};
use super::world::{Scene, World, group_state};

/// Octets that may wait to be written. The caller closes a session that has more: the master does not read.
pub const MOST_UNSENT: usize = 4 << 20;

/// How long connecting, and an answer of the master, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so long without a word from the master it is asked whether it lives. keepalived asks every two minutes.
const SILENCE: Duration = Duration::from_secs(60);
/// The first pause before another attempt; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Sets that wait for their commit, and commits that may be taken back.
const MOST_TRANSACTIONS: usize = 16;
/// Traps that wait for a master; the oldest make room.
const MOST_TRAPS: usize = 256;
/// A bulk response has no more octets of values than fit into the longest datagram.
const MOST_ANSWER: usize = 64 << 10;
/// What the master is given to answer a manager, in seconds; 0 leaves it to the master.
const TIMEOUT: u8 = 0;
/// RFC 2741 §6.2.3: the usual priority of a registration.
const PRIORITY: u8 = 127;
/// `reasonShutdown`
const SHUTDOWN: u8 = 5;

/// What the caller does for an agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Connect to the master.
    Connect,
    /// Send these octets.
    Send(Vec<u8>),
    /// Close the connection.
    Disconnect,
    /// Have this carried out.
    Write(Write),
    /// Worth a line in the log.
    Note(Note),
}

impl Effect {
    /// How many octets wait to be sent.
    fn octets(&self) -> usize {
        match self {
            Self::Send(octets) => octets.len(),
            Self::Connect | Self::Disconnect | Self::Write(_) | Self::Note(_) => 0,
        }
    }
}

/// What is worth a line in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// The master takes requests to us.
    Ready,
    /// There is no master, or no longer; said once until there is one.
    Lost(String),
    /// The master refused a tree.
    Refused {
        /// Which.
        tree: &'static str,
        /// `res.error`
        error: u16,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("SNMP: the AgentX master takes requests to us"),
            Self::Lost(why) => write!(f, "SNMP: no AgentX master: {why}. It is tried again and again"),
            Self::Refused { tree, error } => write!(
                f,
                "SNMP: the AgentX master refuses the tree {tree} with error {error}. Does another keepalived serve it?"
            ),
        }
    }
}

/// What is remembered of what is only told once.
#[derive(Debug, Default)]
pub(super) struct Memory {
    instances: BTreeMap<String, Remembered>,
    groups: BTreeMap<String, State>,
}

#[derive(Debug, Default)]
struct Remembered {
    since: Option<SystemTime>,
    master_reason: i32,
    protocol_error: i32,
    counters: Option<Counters>,
}

impl Memory {
    /// Since when an instance takes part.
    pub(super) fn since(&self, instance: &str) -> Option<SystemTime> {
        self.instances.get(instance)?.since
    }

    /// Why it became master the last time.
    pub(super) fn master_reason(&self, instance: &str) -> i32 {
        self.instances.get(instance).map_or(0, |remembered| remembered.master_reason)
    }

    /// What was wrong with the last advert that was refused.
    pub(super) fn protocol_error(&self, instance: &str) -> i32 {
        self.instances.get(instance).map_or(0, |remembered| remembered.protocol_error)
    }
}

/// Where a session is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    /// It connects at this time.
    Pause { until: Instant },
    /// The caller connects.
    Connecting { until: Instant },
    /// The master was asked for a session.
    Opening { until: Instant },
    /// The master answers.
    Ready {
        /// When it was heard last.
        heard: Instant,
        /// When an answer to a ping is due.
        ping: Option<Instant>,
    },
}

/// An AgentX sub-agent, without socket and without clock.
pub struct Agent {
    trees: Trees,
    tree: Tree,
    stage: Stage,
    pause: Duration,
    is_lost: bool,
    session: u32,
    packet: u32,
    registrations: BTreeMap<u32, &'static str>,
    received: Vec<u8>,
    sets: BTreeMap<u32, Vec<Change>>,
    traps: VecDeque<Trap>,
    memory: Memory,
}

impl Agent {
    /// An agent that serves these trees, and connects at once.
    pub fn new(now: Instant, trees: Trees) -> Self {
        Self {
            trees,
            tree: Tree::new(trees),
            stage: Stage::Pause { until: now },
            pause: FIRST_PAUSE,
            is_lost: false,
            session: 0,
            packet: 0,
            registrations: BTreeMap::new(),
            received: Vec::new(),
            sets: BTreeMap::new(),
            traps: VecDeque::new(),
            memory: Memory::default(),
        }
    }

    /// Whether the master takes requests to us.
    pub const fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready { .. })
    }

    /// When [`Self::handle_timeout`] is next due.
    pub fn next_deadline(&self) -> Instant {
        match self.stage {
            Stage::Pause { until } | Stage::Connecting { until } | Stage::Opening { until } => until,
            Stage::Ready { heard, ping } => ping.unwrap_or(heard + SILENCE),
        }
    }

    /// Applies what has come due.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if now < self.next_deadline() {
            return;
        }
        match self.stage {
            Stage::Pause { .. } => {
                self.stage = Stage::Connecting { until: now + PATIENCE };
                out.push(Effect::Connect);
            }
            Stage::Connecting { .. } | Stage::Opening { .. } | Stage::Ready { ping: Some(_), .. } => {
                out.push(Effect::Disconnect);
                self.lost(now, "it does not answer", out);
            }
            Stage::Ready { heard, ping: None } => {
                self.stage = Stage::Ready { heard, ping: Some(now + PATIENCE) };
                self.send(0, Body::Ping, out);
            }
        }
    }

    /// There is a connection.
    pub fn connected(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.forget_session();
        self.stage = Stage::Opening { until: now + PATIENCE };
        let description = b"Keepalived".to_vec();
        self.send(0, Body::Open { timeout: TIMEOUT, id: Oid::default(), description }, out);
    }

    /// There is no connection, or no longer.
    pub fn lost(&mut self, now: Instant, why: impl Into<String>, out: &mut Vec<Effect>) {
        self.forget_session();
        self.stage = Stage::Pause { until: now + self.pause };
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        if !std::mem::replace(&mut self.is_lost, true) {
            out.push(Effect::Note(Note::Lost(why.into())));
        }
    }

    /// The daemon stops: what to send before the connection is closed.
    pub fn stop(&mut self, out: &mut Vec<Effect>) {
        if self.is_ready() {
            self.send(0, Body::Close { reason: SHUTDOWN }, out);
        }
        out.push(Effect::Disconnect);
    }

    /// The configuration asks for other trees. The session begins anew.
    pub fn configure(&mut self, now: Instant, trees: Trees, out: &mut Vec<Effect>) {
        if trees == self.trees {
            return;
        }
        let serves_the_same = trees.roots() == self.trees.roots();
        self.trees = trees;
        if serves_the_same {
            return;
        }
        self.tree = Tree::new(trees);
        if !matches!(self.stage, Stage::Pause { .. }) {
            self.stop(out);
        }
        self.forget_session();
        self.pause = FIRST_PAUSE;
        self.stage = Stage::Pause { until: now };
    }

    fn forget_session(&mut self) {
        self.session = 0;
        self.registrations.clear();
        self.received.clear();
        self.sets.clear();
    }

    /// Sends a PDU of our own. Returns its number.
    fn send(&mut self, transaction: u32, body: Body, out: &mut Vec<Effect>) -> u32 {
        self.packet = self.packet.wrapping_add(1);
        let pdu = Pdu { session: self.session, transaction, packet: self.packet, context: None, body };
        out.push(Effect::Send(pdu.encode()));
        self.packet
    }

    /// Octets came from the master.
    pub fn receive(&mut self, now: Instant, octets: &[u8], world: World<'_>, out: &mut Vec<Effect>) {
        self.received.extend_from_slice(octets);
        if let Stage::Ready { heard, ping } = &mut self.stage {
            (*heard, *ping) = (now, None);
        }
        let mut received = std::mem::take(&mut self.received);
        let mut read = 0;
        let (mut unsent, mut counted) = (0, out.len());
        while let Some(rest) = received.get(read..) {
            let Some((header, _)) = rest.split_first_chunk::<HEADER>() else { break };
            let header = match Header::decode(header) {
                Ok(header) => header,
                Err(refusal) => return self.give_up(now, refusal, out),
            };
            let end = HEADER.saturating_add(header.length);
            let Some(payload) = rest.get(HEADER..end) else { break };
            read = read.saturating_add(end);
            match Pdu::decode(&header, payload) {
                Ok(pdu) => self.handle(now, pdu, world, out),
                // RFC 2741 §7.1: a request that cannot be parsed gets an answer that says so
                Err(_) if header.kind != 18 => {
                    self.answer(header.transaction, header.packet, (ErrorStatus::ParseError, 0), Vec::new(), out);
                }
                Err(refusal) => return self.give_up(now, refusal, out),
            }
            if matches!(self.stage, Stage::Pause { .. }) {
                return;
            }
            let new = out.get(counted..).unwrap_or_default();
            unsent = new.iter().map(Effect::octets).fold(unsent, usize::saturating_add);
            counted = out.len();
            if unsent > MOST_UNSENT {
                out.push(Effect::Disconnect);
                return self.lost(now, "it asks faster than it reads", out);
            }
        }
        received.drain(..read.min(received.len()));
        self.received = received;
    }

    fn give_up(&mut self, now: Instant, refusal: Refusal, out: &mut Vec<Effect>) {
        out.push(Effect::Disconnect);
        self.lost(now, format!("it sent {refusal}"), out);
    }

    fn handle(&mut self, now: Instant, pdu: Pdu, world: World<'_>, out: &mut Vec<Effect>) {
        let Pdu { session, transaction, packet, context, body } = pdu;
        match body {
            Body::Response { error, .. } => self.handle_response(now, (session, packet, error), out),
            Body::Close { .. } => {
                out.push(Effect::Disconnect);
                self.lost(now, "it closed the session", out);
            }
            Body::CleanupSet => {
                self.sets.remove(&transaction);
            }
            body => {
                let (error, binds) = match context {
                    Some(_) => ((ErrorStatus::UnsupportedContext, 0), Vec::new()),
                    None => self.handle_request(transaction, body, world, out),
                };
                self.answer(transaction, packet, error, binds, out);
            }
        }
    }

    fn handle_response(&mut self, now: Instant, (session, packet, error): (u32, u32, u16), out: &mut Vec<Effect>) {
        if let Stage::Opening { .. } = self.stage {
            if error != 0 {
                out.push(Effect::Disconnect);
                return self.lost(now, format!("it refuses a session with error {error}"), out);
            }
            self.session = session;
            self.stage = Stage::Ready { heard: now, ping: None };
            self.pause = FIRST_PAUSE;
            self.is_lost = false;
            self.register(out);
            out.push(Effect::Note(Note::Ready));
            for trap in std::mem::take(&mut self.traps) {
                self.send(0, Body::Notify(trap.variables()), out);
            }
            return;
        }
        if let Some(tree) = self.registrations.remove(&packet).filter(|_| error != 0) {
            out.push(Effect::Note(Note::Refused { tree, error }));
        }
    }

    /// Registers every tree, and says so in `sysORTable` as keepalived does.
    fn register(&mut self, out: &mut Vec<Effect>) {
        for (root, name) in self.trees.roots() {
            let subtree = Oid::new(root);
            let id = subtree.clone();
            let body = Body::Register { timeout: TIMEOUT, priority: PRIORITY, range: 0, subtree, upper: None };
            let packet = self.send(0, body, out);
            self.registrations.insert(packet, name);
            let description = format!("The MIB module for {name}").into_bytes();
            self.send(0, Body::AddAgentCaps { id, description }, out);
        }
    }

    fn answer(
        &mut self,
        transaction: u32,
        packet: u32,
        (error, index): (ErrorStatus, u16),
        binds: Vec<VarBind>,
        out: &mut Vec<Effect>,
    ) {
        let body = Body::Response { uptime: 0, error: error.number(), index, binds };
        let pdu = Pdu { session: self.session, transaction, packet, context: None, body };
        out.push(Effect::Send(pdu.encode()));
    }

    fn handle_request(
        &mut self,
        transaction: u32,
        body: Body,
        world: World<'_>,
        out: &mut Vec<Effect>,
    ) -> ((ErrorStatus, u16), Vec<VarBind>) {
        let scene = Scene::new(world, &self.memory);
        let fine = (ErrorStatus::NoError, 0);
        match body {
            Body::Get(ranges) => {
                let get = |range: Range| VarBind { value: self.tree.get(&scene, &range.start), name: range.start };
                (fine, ranges.into_iter().map(get).collect())
            }
            Body::GetNext(ranges) => (fine, ranges.iter().map(|range| self.next(&scene, range)).collect()),
            Body::GetBulk { non_repeaters, max_repetitions, ranges } => {
                (fine, self.bulk(&scene, usize::from(non_repeaters), max_repetitions, ranges))
            }
            Body::TestSet(binds) => {
                let mut changes = Vec::new();
                for (place, bind) in (1..).zip(&binds) {
                    match self.tree.set(&scene, bind) {
                        Ok(change) => changes.push(change),
                        Err(error) => return ((error, place), Vec::new()),
                    }
                }
                self.sets.insert(transaction, changes);
                while self.sets.len() > MOST_TRANSACTIONS {
                    self.sets.pop_first();
                }
                (fine, Vec::new())
            }
            Body::CommitSet => {
                let Some(changes) = self.sets.get(&transaction) else {
                    return ((ErrorStatus::CommitFailed, 1), Vec::new());
                };
                out.extend(changes.iter().map(|change| Effect::Write(change.write.clone())));
                (fine, Vec::new())
            }
            Body::UndoSet => {
                let changes = self.sets.remove(&transaction).unwrap_or_default();
                out.extend(changes.into_iter().rev().map(|change| Effect::Write(change.undo)));
                (fine, Vec::new())
            }
            // a master sends none of these
            _ => ((ErrorStatus::ParseError, 0), Vec::new()),
        }
    }

    fn next(&self, scene: &Scene<'_>, range: &Range) -> VarBind {
        let found = self.tree.next(scene, &range.start, range.included, &range.end);
        found.unwrap_or_else(|| VarBind { name: range.start.clone(), value: Value::EndOfMibView })
    }

    /// RFC 2741 §7.2.3.3. A response may have fewer repetitions than were asked for.
    fn bulk(&self, scene: &Scene<'_>, non_repeaters: usize, repetitions: u16, mut ranges: Vec<Range>) -> Vec<VarBind> {
        let repeaters = ranges.split_off(non_repeaters.min(ranges.len()));
        let mut binds: Vec<_> = ranges.iter().map(|range| self.next(scene, range)).collect();
        let mut repeaters = repeaters;
        let mut size = 0_usize;
        for _ in 0..repetitions {
            let mut is_over = true;
            for range in &mut repeaters {
                let bind = self.next(scene, range);
                size = size.saturating_add(size_of(&bind));
                is_over &= bind.value == Value::EndOfMibView;
                (range.start, range.included) = (bind.name.clone(), false);
                binds.push(bind);
            }
            if is_over || size > MOST_ANSWER {
                break;
            }
        }
        binds
    }

    /// The snapshot changed.
    pub fn update(&mut self, world: World<'_>, out: &mut Vec<Effect>) {
        let mut traps = Vec::new();
        self.look_at_instances(world, &mut traps);
        self.look_at_groups(world, &mut traps);
        self.send_traps(traps, out);
    }

    fn look_at_instances(&mut self, world: World<'_>, traps: &mut Vec<Trap>) {
        let views = &world.snapshot.vrrp.instances;
        let configured = &world.config.instances;
        // a view that begins anew is empty for a moment: what is configured is remembered
        if self.memory.instances.len() > configured.len() {
            self.memory.instances.retain(|name, _| configured.iter().any(|instance| instance.name == *name));
        }
        let mut refused = Vec::new();
        for (place, view) in views.iter().enumerate() {
            let remembered = self.memory.instances.entry(view.name.clone()).or_default();
            let takes_part = matches!(view.state, State::Backup | State::Master);
            remembered.since = takes_part.then(|| remembered.since.unwrap_or(view.since));
            let before = remembered.counters.replace(view.counters);
            if view.state == State::Master && remembered.master_reason == 0 {
                // it was master before anything was told
                remembered.master_reason = 3;
            }
            let reason = before.and_then(|before| protocol_error(&before, &view.counters));
            if let Some(reason) = reason {
                remembered.protocol_error = reason;
                refused.push((place, reason));
            }
        }
        let scene = Scene::new(world, &self.memory);
        let trap = |(place, reason)| {
            let row = scene.instance_at(place)?;
            notifications::protocol(&scene, self.trees, row, reason)
        };
        traps.extend(refused.into_iter().filter_map(trap));
    }

    /// Groups have no records: what they are follows from their members.
    fn look_at_groups(&mut self, world: World<'_>, traps: &mut Vec<Trap>) {
        let groups = &world.config.sync_groups;
        self.memory.groups.retain(|name, _| groups.iter().any(|group| group.name == *name));
        for group in groups {
            let Some(state) = group_state(world, group) else { continue };
            let before = self.memory.groups.insert(group.name.clone(), state);
            if before.is_some_and(|before| before != state) && self.trees.vrrp {
                traps.push(notifications::group(world, &group.name, state));
            }
        }
    }

    /// Something happened: a new record of a journal of the snapshot.
    pub fn record(&mut self, world: World<'_>, record: &Record, out: &mut Vec<Effect>) {
        if let (Subject::Instance(name), Event::Transition(transition)) = (&record.subject, &record.event) {
            let remembered = self.memory.instances.entry(name.clone()).or_default();
            match transition.to {
                State::Master => remembered.master_reason = notifications::master_reason(&transition.cause),
                State::Init | State::Fault | State::Stopped => remembered.since = None,
                State::Backup => {}
            }
        }
        let traps = notifications::of_record(&Scene::new(world, &self.memory), self.trees, record);
        self.send_traps(traps, out);
    }

    /// An advert of version 2 was refused because of its authentication.
    pub fn authentication_failed(
        &mut self,
        world: World<'_>,
        instance: &str,
        refused: (Ipv4Addr, AuthenticationError),
        out: &mut Vec<Effect>,
    ) {
        let scene = Scene::new(world, &self.memory);
        let row = scene.instance_named(instance);
        let trap = row.and_then(|row| notifications::authentication(&scene, self.trees, row, refused));
        self.send_traps(trap.into_iter().collect(), out);
    }

    fn send_traps(&mut self, traps: Vec<Trap>, out: &mut Vec<Effect>) {
        if !self.trees.traps {
            return;
        }
        for trap in traps {
            if self.is_ready() {
                self.send(0, Body::Notify(trap.variables()), out);
            } else {
                self.traps.push_back(trap);
                if self.traps.len() > MOST_TRAPS {
                    self.traps.pop_front();
                }
            }
        }
    }
}

/// About what a variable takes in a response.
fn size_of(bind: &VarBind) -> usize {
    let value = match &bind.value {
        Value::OctetString(octets) | Value::Opaque(octets) => octets.len(),
        Value::ObjectIdentifier(oid) => oid.subids().len().saturating_mul(4),
        _ => 8,
    };
    bind.name.subids().len().saturating_mul(4).saturating_add(value)
}

/// `ipTtlError(1), versionError(2), checksumError(3)`: what was refused since `before`.
const fn protocol_error(before: &Counters, now: &Counters) -> Option<i32> {
    if now.ip_ttl_err > before.ip_ttl_err {
        Some(1)
    } else if now.version_err > before.version_err {
        Some(2)
    } else if now.checksum_err > before.checksum_err {
        Some(3)
    } else {
        None
    }
}
