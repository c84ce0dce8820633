//! One session: its state, its timers, its packets (RFC 5880 §6.2 to §6.8).
//!
//! The caller hands over what came and says what time it is; [`Session::deadline`] says when to call [`Session::turn`] at the latest.

use std::fmt;
use std::num::NonZeroU8;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::control::ControlPacket;
use super::counters::Counters;
use super::params::Params;
use super::types::{Diagnostic, Discriminator, Micros, Random, SessionState};
use crate::pace::Pace;
use crate::time::Instant;

/// Packets out of turn (answers to polls, changes of state) at once; then one each `min_tx`. RFC 5880 §6.8.7 allows a limit that is no
/// slower than the interval we advertise.
const MOST_OUT_OF_TURN: u32 = 8;

/// Packets are due on a grid where the jitter leaves room for it: many sessions then share a wake-up. It is a power of two of
/// milliseconds, so that those with different intervals share it, and at most a sixth of what jitter may take away.
const fn grid(interval: Micros) -> u64 {
    match interval.get() {
        0..48_000 => 1_000_000,
        48_000..96_000 => 2_000_000,
        96_000.. => 4_000_000,
    }
}

/// What the neighbour said in its last packet; what stands here before one came, or after a detection time without any, is the RFC's
/// (§6.8.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Remote {
    /// What it calls the session; `None` while it is not heard.
    pub discriminator: Option<Discriminator>,
    /// The state of its session.
    pub state: SessionState,
    /// Why its session went down.
    pub diagnostic: Diagnostic,
    /// So many of its packets may be missing.
    pub multiplier: NonZeroU8,
    /// It sends no faster than this.
    pub desired_min_tx: Micros,
    /// It takes packets no faster than this.
    pub required_min_rx: Micros,
    /// It wants no periodic packets while both sides are up.
    pub demand: bool,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            discriminator: None,
            state: SessionState::Down,
            diagnostic: Diagnostic::NONE,
            multiplier: NonZeroU8::MIN,
            desired_min_tx: Micros::default(),
            required_min_rx: Micros::new(1),
            demand: false,
        }
    }
}

/// What another process needs to go on with a session so that the neighbour does not see that this one died.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// What we call it.
    pub local: Discriminator,
    /// Its state.
    pub state: SessionState,
    /// Why it went down the last time.
    pub diagnostic: Diagnostic,
    /// What the neighbour said.
    pub remote: Remote,
}

/// The state of a session became another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Before.
    pub from: SessionState,
    /// Now.
    pub to: SessionState,
    /// Our reason, if it went down.
    pub diagnostic: Diagnostic,
    /// The neighbour's reason, if its own session was down.
    pub remote_diagnostic: Diagnostic,
    /// The neighbour says that an administrator wants it so: this is no failure of the path.
    pub wanted_by_neighbor: bool,
    /// If the detection time is over: how long nothing came.
    pub silence: Option<Duration>,
}

impl Change {
    /// Whether the session says that the path is gone. What the neighbour's administrator wants is none of that (keepalived tells its
    /// trackers nothing of it either), nor what ours wants.
    pub fn is_failure(&self) -> bool {
        self.from == SessionState::Up && self.to == SessionState::Down && !self.wanted_by_neighbor
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)?;
        if self.to == SessionState::Down && self.diagnostic != Diagnostic::NONE {
            write!(f, ": {}", self.diagnostic)?;
        }
        if let Some(silence) = self.silence {
            write!(f, " after {} ms", silence.as_millis())?;
        }
        if self.wanted_by_neighbor {
            f.write_str(" by its administrator")?;
        } else if self.remote_diagnostic != Diagnostic::NONE {
            write!(f, " (the neighbour: {})", self.remote_diagnostic)?;
        }
        Ok(())
    }
}

/// A poll sequence (RFC 5880 §6.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Poll {
    /// Nothing is asked.
    Idle {
        /// A packet without P has left since the last sequence. One comes between two sequences, so that a late F is not taken for the
        /// answer to the second (RFC 5880 §6.8.3).
        is_parted: bool,
    },
    /// A sequence begins with the next packet that may bear P. No F ends it before: what it asks has not been said.
    Wanted {
        /// As above.
        is_parted: bool,
    },
    /// Periodic packets bear P until one with F comes.
    UnderWay {
        /// What is polled for has changed meanwhile: F may answer a packet with the values before.
        again: bool,
    },
}

/// What one turn of a session gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Turn {
    /// The state became another.
    pub change: Option<Change>,
    /// To be sent now.
    pub packet: Option<ControlPacket>,
}

/// One session.
#[derive(Clone, Debug)]
pub struct Session {
    params: Params,
    local: Discriminator,
    state: SessionState,
    diagnostic: Diagnostic,
    remote: Remote,
    poll: Poll,
    /// Our minimal interval of transmission that counts; another that is configured waits for the end of a poll sequence.
    tx_in_force: Micros,
    /// The same for what we require to receive.
    rx_in_force: Micros,
    last_heard: Instant,
    last_sent: Option<Instant>,
    /// How much the jitter takes away before the next periodic packet: such a part of 2^32 of what it may.
    jitter: u32,
    /// What our last packet said; answers to polls do not count.
    said: Option<ControlPacket>,
    /// When the next periodic packet is due; `None` while there are none.
    periodic_at: Option<Instant>,
    /// When a packet out of turn is due.
    out_of_turn_at: Option<Instant>,
    /// An answer to a poll is owed.
    owes_final: bool,
    out_of_turn: Pace,
    since: Instant,
    counters: Counters,
}

impl Session {
    /// A new session, which is down. An active one sends its first packet at once.
    pub fn new(now: Instant, params: Params, local: Discriminator) -> Self {
        let mut session = Self {
            local,
            state: SessionState::Down,
            diagnostic: Diagnostic::NONE,
            remote: Remote::default(),
            poll: Poll::Idle { is_parted: true },
            tx_in_force: params.idle(),
            rx_in_force: params.min_rx,
            last_heard: now,
            last_sent: None,
            jitter: 0,
            said: None,
            periodic_at: None,
            out_of_turn_at: None,
            owes_final: false,
            out_of_turn: pace(&params),
            since: now,
            counters: Counters::default(),
            params,
        };
        if session.may_send_periodically() {
            session.periodic_at = Some(now);
        }
        session
    }

    /// Goes on where another process stopped. The neighbour hears from us at once, and has a detection time from now.
    pub fn resumed(now: Instant, params: Params, standing: Standing) -> Self {
        let mut session = Self::new(now, params, standing.local);
        (session.state, session.diagnostic, session.remote) = (standing.state, standing.diagnostic, standing.remote);
        session.tx_in_force = session.desired_min_tx();
        // whether the process before this one had ended its poll sequence is not known
        session.start_poll();
        session.periodic_at = session.may_send_periodically().then_some(now);
        session
    }

    /// For a process after this one.
    pub const fn standing(&self) -> Standing {
        Standing { local: self.local, state: self.state, diagnostic: self.diagnostic, remote: self.remote }
    }

    /// What we call it.
    pub const fn local(&self) -> Discriminator {
        self.local
    }

    /// Its state.
    pub const fn state(&self) -> SessionState {
        self.state
    }

    /// Since when it has this state.
    pub const fn since(&self) -> Instant {
        self.since
    }

    /// Why it went down the last time.
    pub const fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    /// What the neighbour said.
    pub const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// What is configured.
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// What it has counted.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The same, to be changed by who sees packets before a session does.
    pub(super) const fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// When a packet of the neighbour came last, if any did.
    pub fn last_heard(&self) -> Option<Instant> {
        (self.counters.received > 0).then_some(self.last_heard)
    }

    /// Whether a poll sequence is under way.
    pub fn polls(&self) -> bool {
        match self.poll {
            Poll::Idle { .. } => false,
            // a neighbour in demand mode gets no packet between: the next comes an interval later
            Poll::Wanted { is_parted } => is_parted || self.is_demanded(),
            Poll::UnderWay { .. } => true,
        }
    }

    /// `bfd.DesiredMinTxInterval`: what our packets say (RFC 5880 §6.8.3).
    pub fn desired_min_tx(&self) -> Micros {
        if self.state == SessionState::Up { self.params.min_tx } else { self.params.idle() }
    }

    /// What passes from one periodic packet of ours to the next, without jitter (RFC 5880 §6.8.2).
    pub fn tx_interval(&self) -> Micros {
        self.tx_in_force.max(self.remote.required_min_rx)
    }

    /// What passes between two of the neighbour, without its jitter.
    pub fn remote_tx_interval(&self) -> Micros {
        self.rx_in_force.max(self.remote.desired_min_tx)
    }

    /// After so long without a packet the session is down (RFC 5880 §6.8.4). Zero before the first packet.
    pub fn detection_time(&self) -> Duration {
        if self.remote.discriminator.is_none() {
            return Duration::ZERO;
        }
        self.remote_tx_interval().duration() * u32::from(self.remote.multiplier.get())
    }

    /// After so long without a packet of ours the neighbour says that the session is down.
    pub fn remote_detection_time(&self) -> Duration {
        self.tx_interval().duration() * u32::from(self.params.multiplier.get())
    }

    /// When [`Session::turn`] has something to do.
    pub fn deadline(&self) -> Instant {
        let times = [self.expires_at(), self.periodic_at, self.out_of_turn_at];
        times.into_iter().flatten().min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// What follows from what is configured now. The session stays as it is.
    pub fn configure(&mut self, now: Instant, params: Params) {
        if params == self.params {
            return;
        }
        let before = (self.desired_min_tx(), self.params.min_rx);
        self.out_of_turn = pace(&params);
        self.params = params;
        if before != (self.desired_min_tx(), self.params.min_rx) {
            self.start_poll();
        }
        self.adopt_intervals();
        self.say_at_once(now);
        self.arrange(now);
    }

    /// An administrator wants the session down, or no longer (RFC 5880 §6.8.16).
    pub fn administer(&mut self, now: Instant, wants_down: bool) -> Option<Change> {
        match (wants_down, self.state) {
            (true, SessionState::AdminDown) => None,
            (true, _) => self.enter(now, SessionState::AdminDown, Diagnostic::ADMINISTRATIVELY_DOWN),
            (false, SessionState::AdminDown) => self.enter(now, SessionState::Down, Diagnostic::NONE),
            (false, _) => None,
        }
    }

    /// The session is configured no more: what to tell the neighbour, which would take our silence for a failure of the path.
    pub fn farewell(&mut self, now: Instant) -> Option<ControlPacket> {
        // of a session that is not up the neighbour expects nothing
        if self.state != SessionState::Up {
            return None;
        }
        self.administer(now, true);
        Some(self.contents())
    }

    /// Sends its state once more, out of turn.
    pub const fn repeat(&mut self, now: Instant) {
        self.say_at_once(now);
    }

    /// The path is known to be gone.
    pub fn path_down(&mut self, now: Instant) -> Option<Change> {
        if !matches!(self.state, SessionState::Init | SessionState::Up) {
            return None;
        }
        // what the neighbour said is kept for a detection time (RFC 5880 §6.8.1)
        self.enter(now, SessionState::Down, Diagnostic::PATH_DOWN)
    }

    /// A packet came for this session, and may be considered (RFC 5880 §6.8.6, from where `bfd.RemoteDiscr` is set).
    pub fn receive(&mut self, now: Instant, packet: &ControlPacket) -> Option<Change> {
        self.counters.received += 1;
        self.remote = Remote {
            discriminator: Some(packet.mine),
            state: packet.state,
            diagnostic: packet.diagnostic,
            multiplier: packet.detect_multiplier,
            desired_min_tx: packet.desired_min_tx,
            required_min_rx: packet.required_min_rx,
            demand: packet.demand,
        };
        self.last_heard = now;
        if packet.is_final {
            self.end_poll();
        }
        if self.state == SessionState::AdminDown {
            // not even an answer (RFC 5880 §6.8.6)
            self.arrange(now);
            return None;
        }
        let change = self.follow(now, packet.state);
        if packet.poll {
            self.owes_final = true;
            self.out_of_turn_at = Some(now);
        }
        self.arrange(now);
        change
    }

    /// Does what is due. One packet at most: [`Session::deadline`] has come again if there is another. All packets that came until
    /// `heard_until` have been handed over: silence after it may be that of the caller.
    pub fn turn(&mut self, now: Instant, heard_until: Instant, random: &mut Random) -> Turn {
        let change = self.expire(now, heard_until);
        Turn { change, packet: self.due(now, random) }
    }

    /// The kernel did not take a packet.
    pub const fn send_failed(&mut self) {
        self.counters.sent = self.counters.sent.saturating_sub(1);
        self.counters.send_errors += 1;
    }

    /// The state machine (RFC 5880 §6.2, §6.8.6).
    fn follow(&mut self, now: Instant, remote: SessionState) -> Option<Change> {
        use SessionState::{AdminDown, Down, Init, Up};
        let signaled = Diagnostic::NEIGHBOR_SIGNALED_DOWN;
        match (self.state, remote) {
            (AdminDown, _) => None,
            (Init | Up, AdminDown) | (Up, Down) => self.enter(now, Down, signaled),
            (Down, Down) => self.enter(now, Init, Diagnostic::NONE),
            (Down, Init) | (Init, Init | Up) => self.enter(now, Up, Diagnostic::NONE),
            (Down, AdminDown | Up) | (Init, Down) | (Up, Init | Up) => None,
        }
    }

    fn expires_at(&self) -> Option<Instant> {
        self.remote.discriminator.map(|_| self.last_heard + self.detection_time())
    }

    fn expire(&mut self, now: Instant, heard_until: Instant) -> Option<Change> {
        let at = self.expires_at()?;
        if heard_until < at {
            return None;
        }
        let silence = now.since(self.last_heard);
        self.remote = Remote { diagnostic: self.remote.diagnostic, ..Remote::default() };
        self.poll = Poll::Idle { is_parted: true };
        self.owes_final = false;
        let change = match self.state {
            SessionState::Init | SessionState::Up => self.enter(now, SessionState::Down, Diagnostic::TIME_EXPIRED),
            SessionState::AdminDown | SessionState::Down => None,
        };
        self.arrange(now);
        change.map(|change| Change { silence: Some(silence), ..change })
    }

    fn enter(&mut self, now: Instant, to: SessionState, diagnostic: Diagnostic) -> Option<Change> {
        let from = self.state;
        let before = self.desired_min_tx();
        self.state = to;
        self.since = now;
        // a reason is kept while the session comes up, and gone once it is (keepalived does so; RFC 5880 leaves it open)
        if to != SessionState::Init {
            self.diagnostic = diagnostic;
        }
        match (from, to) {
            (_, SessionState::Up) => self.counters.ups += 1,
            (SessionState::Up, _) => self.counters.downs += 1,
            _ => {}
        }
        if self.desired_min_tx() != before {
            self.start_poll();
        }
        self.adopt_intervals();
        self.say_at_once(now);
        self.arrange(now);
        let wanted_by_neighbor = self.remote.discriminator.is_some() && self.remote.state == SessionState::AdminDown;
        let remote_diagnostic = self.remote.diagnostic;
        Some(Change { from, to, diagnostic, remote_diagnostic, wanted_by_neighbor, silence: None })
    }

    /// A neighbour that is not heard is not asked.
    const fn start_poll(&mut self) {
        if self.remote.discriminator.is_some() {
            self.poll = match self.poll {
                Poll::Idle { is_parted } | Poll::Wanted { is_parted } => Poll::Wanted { is_parted },
                Poll::UnderWay { .. } => Poll::UnderWay { again: true },
            };
        }
    }

    fn end_poll(&mut self) {
        if let Poll::UnderWay { again } = self.poll {
            if again {
                self.poll = Poll::Wanted { is_parted: false };
            } else {
                self.poll = Poll::Idle { is_parted: false };
                (self.tx_in_force, self.rx_in_force) = (self.desired_min_tx(), self.params.min_rx);
            }
        }
    }

    /// Intervals count at once unless the neighbour has to know of them before (RFC 5880 §6.8.3): it must not miss us when we send less
    /// often, and must have begun to send more often before we miss it.
    fn adopt_intervals(&mut self) {
        let (tx, rx) = (self.desired_min_tx(), self.params.min_rx);
        let is_up = self.state == SessionState::Up && self.remote.discriminator.is_some();
        if !is_up || tx < self.tx_in_force {
            self.tx_in_force = tx;
        }
        if !is_up || rx > self.rx_in_force {
            self.rx_in_force = rx;
        }
    }

    /// What packets say has changed (RFC 5880 §6.8.7: the neighbour should know before the next periodic one).
    const fn say_at_once(&mut self, now: Instant) {
        self.out_of_turn_at = Some(now);
    }

    /// Whether the neighbour is in demand mode (RFC 5880 §6.6).
    fn is_demanded(&self) -> bool {
        self.remote.demand && self.state == SessionState::Up && self.remote.state == SessionState::Up
    }

    /// RFC 5880 §6.8.7
    fn may_send_periodically(&self) -> bool {
        let waits = self.params.passive && self.remote.discriminator.is_none();
        let demanded = self.is_demanded() && !self.polls();
        !waits && self.remote.required_min_rx != Micros::default() && !demanded
    }

    /// After anything that has to do with what is sent and when: the next periodic packet comes as the interval says that counts now.
    fn arrange(&mut self, now: Instant) {
        // who is in demand mode hears of a change by a poll sequence alone (RFC 5880 §6.6)
        if self.is_demanded() && self.said != Some(self.contents()) {
            self.start_poll();
        }
        let due = self.last_sent.map_or(now, |sent| sent + self.jittered(sent)).max(now);
        self.periodic_at = self.may_send_periodically().then_some(due);
    }

    fn due(&mut self, now: Instant, random: &mut Random) -> Option<ControlPacket> {
        if self.out_of_turn_at.is_some_and(|at| at <= now) {
            let passes = self.params.passive && self.remote.discriminator.is_none();
            if !self.owes_final && (passes || self.remote.required_min_rx == Micros::default()) {
                self.out_of_turn_at = None;
            } else if self.out_of_turn.take(now) {
                return Some(self.send_out_of_turn(now, random));
            } else {
                self.out_of_turn_at = self.out_of_turn.next(now);
            }
        }
        self.periodic_at.filter(|at| *at <= now)?;
        Some(self.send_periodic(now, random))
    }

    fn send_out_of_turn(&mut self, now: Instant, random: &mut Random) -> ControlPacket {
        self.out_of_turn_at = None;
        if !std::mem::take(&mut self.owes_final) {
            // it takes the place of the periodic packet
            return self.send_periodic(now, random);
        }
        self.counters.sent += 1;
        let answer = ControlPacket { is_final: true, ..self.contents() };
        self.poll = self.poll.after(&answer);
        answer
    }

    fn send_periodic(&mut self, now: Instant, random: &mut Random) -> ControlPacket {
        self.counters.sent += 1;
        let contents = self.contents();
        let packet = ControlPacket { poll: self.polls(), ..contents };
        self.poll = self.poll.after(&packet);
        (self.said, self.last_sent, self.jitter) = (Some(contents), Some(now), random.up_to(u32::MAX));
        self.arrange(now);
        packet
    }

    /// A packet that neither asks nor answers.
    fn contents(&self) -> ControlPacket {
        ControlPacket {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: false,
            is_final: false,
            // a restart of this daemon is a restart of BFD
            control_plane_independent: false,
            demand: false,
            authentication: None,
            detect_multiplier: self.params.multiplier,
            mine: self.local,
            yours: self.remote.discriminator,
            desired_min_tx: self.desired_min_tx(),
            required_min_rx: self.params.min_rx,
            required_min_echo_rx: Micros::default(),
        }
    }

    /// What passes after a packet that was sent then: the interval less 0 to 25 %, and at least 10 % if one missing packet is too many
    /// (RFC 5880 §6.8.7).
    fn jittered(&self, sent: Instant) -> Duration {
        let interval = self.tx_interval().get();
        let least = if self.params.multiplier.get() == 1 { interval.div_ceil(10) } else { 0 };
        let most = interval / 4;
        let part = (u64::from(self.jitter) * (u64::from(most.saturating_sub(least)) + 1)) >> 32;
        let less = least.saturating_add(u32::try_from(part).unwrap_or(most));
        let at = sent + Micros::new(interval.saturating_sub(less)).duration();
        let within = |less: u32| sent + Micros::new(interval.saturating_sub(less)).duration();
        let (earliest, latest) = (within(most), within(least));
        let grid = grid(self.tx_interval());
        let nearest = Instant::from_nanos((at.as_nanos() + grid / 2) / grid * grid);
        if (earliest..=latest).contains(&nearest) { nearest.since(sent) } else { at.since(sent) }
    }
}

impl Poll {
    /// After a packet has left.
    const fn after(self, packet: &ControlPacket) -> Self {
        match (self, packet.poll) {
            (Self::Wanted { .. }, true) => Self::UnderWay { again: false },
            (Self::Wanted { .. }, false) => Self::Wanted { is_parted: true },
            (Self::Idle { .. }, false) => Self::Idle { is_parted: true },
            (Self::UnderWay { .. } | Self::Idle { .. }, _) => self,
        }
    }
}

/// No slower than what our packets say, whatever the state (RFC 5880 §6.8.7).
fn pace(params: &Params) -> Pace {
    Pace::new(MOST_OUT_OF_TURN, params.min_tx.min(params.idle()).duration())
}

#[cfg(test)]
mod tests;
