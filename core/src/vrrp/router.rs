//! One virtual router: RFC 9568 §6.4, RFC 3768 §6.4, with keepalived's FAULT beside the three states.

use std::net::IpAddr;
use std::time::Duration;

mod answers;
mod claims;
mod differences;
mod event;
mod timing;

use answers::Answers;
use claims::Claims;
pub use event::{Effect, Event, Seen};
use timing::{after_crossing, down_time, followed_interval, next_in_phase, promotion_skew, skew_time, takeover_cause};

use super::advert::FAREWELL;
use super::announce::Schedule;
use super::authentication::{Authenticator, Seal};
use super::cause::{Cause, Faults, State, Transition};
use super::counters::{Counters, count};
use super::note::{Note, NotePace};
use super::params::{InitialState, Params, Preempt, Reach};
use super::receive::{self, Accepted, Circumstances, Datagram};
use super::types::{Priority, Version};
use crate::pace::Pace;
use crate::time::Instant;

/// Takeovers that may follow one upon the other. After these, one in each master down time that our own interval makes,
/// whatever interval and farewells others send.
const TAKEOVERS: u32 = 10;

/// The sync group that a router is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// None: it decides alone.
    None,
    /// All members own their addresses: they are master from the start.
    OfOwners,
    /// Any other: all begin as backup, and become master together.
    Mixed,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Router {
    params: Params,
    role: Role,
    since: Instant,
    /// What the configuration says and trackers add to it.
    priority: Priority,
    source: Option<IpAddr>,
    faults: Faults,
    counters: Counters,
    /// Kinds of notes that were emitted since the state, or the master heard, last changed.
    noted: u32,
    /// What keeps senders from making us note without end: each can have our state, or the master we hear, change.
    note_pace: NotePace,
    /// What keeps senders from making us master without end: each can fall silent, or say farewell, as often as it likes.
    takeovers: Pace,
    group: Group,
    authenticator: Authenticator,
}

#[derive(Clone, Debug)]
enum Role {
    Init,
    Backup(Backup),
    Master(Master),
    Fault,
    Stopped,
}

#[derive(Clone, Debug)]
struct Backup {
    /// When the master counts as down.
    down_at: Instant,
    /// When the timer was last set by an advert, or the state began.
    heard_at: Instant,
    /// The master that is followed.
    master: Option<Seen>,
    /// A master with a lower priority that is not followed.
    rival: Option<Seen>,
    /// The master that said farewell.
    left: Option<IpAddr>,
    /// The master that BFD says there is no path to.
    cut_off: Option<IpAddr>,
    /// The timer has ended, and one advert of the rival is let pass.
    lets_pass: bool,
    hold: Hold,
    /// Its timer ended, and its sync group did not agree yet.
    asks: bool,
}

/// `preempt_delay`
#[derive(Clone, Copy, Debug)]
enum Hold {
    /// No lower priority was heard.
    Idle,
    /// Until then a lower priority is followed.
    Until(Instant),
}

#[derive(Clone, Debug)]
struct Master {
    next_advert: Instant,
    last_advert: Instant,
    schedule: Schedule,
    answers: Answers,
    claims: Claims,
    /// From then on a lower claim is told again.
    tells_lower_from: Instant,
}

impl Router {
    /// A router in INIT, in no sync group.
    pub fn new(params: Params) -> Self {
        let priority = params.settings.priority;
        let takeovers = Pace::new(TAKEOVERS, down_time(&params, priority, params.settings.interval));
        Self {
            params,
            priority,
            role: Role::Init,
            since: Instant::ZERO,
            source: None,
            faults: Faults::NONE,
            counters: Counters::default(),
            noted: 0,
            note_pace: NotePace::default(),
            takeovers,
            group: Group::None,
            authenticator: Authenticator::default(),
        }
    }

    /// Applies one event. Never blocks, never fails, never reads a clock.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Effect>) {
        match event {
            Event::Start => self.start(now, out),
            Event::Resume => self.resume(now, out),
            Event::Surroundings { source, faults } => self.surroundings(now, source, faults, out),
            Event::Datagram(datagram) => self.datagram(now, datagram, out),
            Event::InPlace => self.in_place(now, out),
            Event::AddressLost => self.yield_for_a_moment(now, out),
            Event::PathLost(neighbor) => self.path_lost(now, neighbor),
            Event::GroupMaster => {
                if matches!(self.role, Role::Backup(_)) {
                    self.become_master(now, Cause::GroupMaster, out);
                }
            }
            Event::GroupBackup => {
                if matches!(self.role, Role::Master(_)) {
                    self.become_backup(now, Cause::GroupBackup, out);
                }
            }
            Event::Priority(priority) => self.prioritise(now, priority, out),
            Event::Reconfigure { params, priority } => self.reconfigure(now, *params, priority, out),
            Event::Stop => self.stop(now, Cause::Stopped, out),
            Event::Remove => self.stop(now, Cause::Removed, out),
        }
    }

    /// Applies every deadline that has come by `now`. The caller has delivered every advert that had arrived by then.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.yield_after_stall(now, out);
        match &mut self.role {
            Role::Init | Role::Fault | Role::Stopped => {}
            Role::Backup(backup) => {
                if backup.down_at > now {
                    return;
                }
                if let Some(later) = after_crossing(now, backup) {
                    backup.down_at = later;
                    backup.lets_pass = true;
                    return;
                }
                if let Some(later) = self.takeovers.next(now) {
                    backup.down_at = later;
                    return;
                }
                self.takeovers.take(now);
                if self.group != Group::None {
                    backup.asks = true;
                    backup.down_at =
                        now + down_time(&self.params, self.priority, followed_interval(&self.params, backup));
                    out.push(Effect::AsksGroup);
                } else {
                    let cause = takeover_cause(now, backup);
                    self.become_master(now, cause, out);
                }
            }
            Role::Master(master) => {
                if master.next_advert <= now {
                    master.next_advert = next_in_phase(now, &self.params);
                    self.advertise(now, out);
                }
                if let Role::Master(master) = &mut self.role {
                    let due = master.schedule.due(now, &self.params.settings.garp);
                    if due.rounds > 0 {
                        out.push(Effect::Announce { rounds: due.rounds });
                    }
                    if due.extra {
                        out.push(Effect::AnnounceElsewhere);
                    }
                }
            }
        }
    }

    /// When `handle_timeout` is next due; `None` while only an event can wake it.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.role {
            Role::Init | Role::Fault | Role::Stopped => None,
            Role::Backup(backup) => Some(backup.down_at),
            Role::Master(master) => {
                Some(master.schedule.next().map_or(master.next_advert, |at| at.min(master.next_advert)))
            }
        }
    }

    /// When the next advert of a master is due.
    pub const fn advert_due(&self) -> Option<Instant> {
        match &self.role {
            Role::Master(master) => Some(master.next_advert),
            Role::Init | Role::Fault | Role::Stopped | Role::Backup(_) => None,
        }
    }

    /// When it sends or takes over unless it hears something; `None` outside MASTER and BACKUP.
    pub const fn read_timeout(&self) -> Option<Instant> {
        match &self.role {
            Role::Init | Role::Fault | Role::Stopped => None,
            Role::Backup(backup) => Some(backup.down_at),
            Role::Master(master) => Some(master.next_advert),
        }
    }

    /// When it sent its last advert as the master that it is.
    pub const fn last_advert(&self) -> Option<Instant> {
        match &self.role {
            Role::Master(master) => Some(master.last_advert),
            Role::Init | Role::Backup(_) | Role::Fault | Role::Stopped => None,
        }
    }

    /// Its state.
    pub const fn state(&self) -> State {
        match self.role {
            Role::Init => State::Init,
            Role::Backup(_) => State::Backup,
            Role::Master(_) => State::Master,
            Role::Fault => State::Fault,
            Role::Stopped => State::Stopped,
        }
    }

    /// When the state began.
    pub const fn since(&self) -> Instant {
        self.since
    }

    /// What it was told to be.
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Priority that counts in an election.
    pub const fn effective_priority(&self) -> Priority {
        self.priority
    }

    /// What it counted.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Forgets what it counted.
    pub fn clear_counters(&mut self) {
        self.counters = Counters::default();
    }

    /// What keeps it from taking part.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Address its adverts leave from.
    pub const fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// The master a backup follows.
    pub const fn master(&self) -> Option<Seen> {
        match &self.role {
            Role::Backup(backup) => backup.master,
            Role::Init | Role::Master(_) | Role::Fault | Role::Stopped => None,
        }
    }

    /// Whether its timer ended and it waits for its sync group.
    pub const fn asks_group(&self) -> bool {
        match &self.role {
            Role::Backup(backup) => backup.asks,
            Role::Master(_) => true,
            Role::Init | Role::Fault | Role::Stopped => false,
        }
    }

    /// Time of silence after which it takes the master it follows for down.
    pub fn master_down_time(&self) -> Duration {
        let interval = match &self.role {
            Role::Backup(backup) => followed_interval(&self.params, backup),
            Role::Init | Role::Master(_) | Role::Fault | Role::Stopped => self.params.settings.interval,
        };
        down_time(&self.params, self.priority, interval)
    }

    /// The seal of the advert that it asks for now, for all its copies; `utc` is the time since 1970. `None`: there is
    /// no number left for it, and it is not sent.
    pub fn seal(&mut self, utc: Duration) -> Option<Seal> {
        self.authenticator.next(&self.params, utc)
    }

    /// Tells it what kind of sync group it is in.
    pub const fn set_group(&mut self, group: Group) {
        self.group = group;
    }

    fn start(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if !matches!(self.role, Role::Init) {
            return;
        }
        if !self.faults.is_empty() {
            self.change(now, Role::Fault, Cause::Fault(self.faults.clone()), out);
        } else if self.params.settings.priority.is_owner()
            && self.params.settings.initial == InitialState::Master
            && self.group != Group::Mixed
        {
            // RFC 9568 §6.4.1 (110)
            self.become_master(now, Cause::OwnerStarted, out);
        } else {
            self.become_backup(now, Cause::Started, out);
        }
    }

    fn resume(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if !matches!(self.role, Role::Init) {
            return;
        }
        if self.faults.is_empty() {
            self.become_master(now, Cause::Resumed, out);
        } else {
            self.start(now, out);
        }
    }

    fn surroundings(&mut self, now: Instant, source: Option<IpAddr>, faults: Faults, out: &mut Vec<Effect>) {
        // a farewell needs the address that is about to be forgotten
        let had = (!faults.is_empty()).then_some(self.source).flatten();
        self.source = source.or(had);
        let is_well = faults.is_empty();
        self.faults = faults;
        match (&self.role, is_well) {
            (Role::Init | Role::Stopped, _) | (Role::Fault, false) | (Role::Backup(_) | Role::Master(_), true) => {}
            (Role::Backup(_), false) => self.change(now, Role::Fault, Cause::Fault(self.faults.clone()), out),
            (Role::Master(_), false) => {
                self.leave_master(out);
                self.change(now, Role::Fault, Cause::Fault(self.faults.clone()), out);
            }
            (Role::Fault, true) => {
                if matches!(self.params.reach, Reach::Unicast { .. }) {
                    out.push(Effect::AnnounceSource);
                }
                self.become_backup(now, Cause::FaultCleared, out);
            }
        }
    }

    fn datagram(&mut self, now: Instant, datagram: &Datagram<'_>, out: &mut Vec<Effect>) {
        // before it is heard: a master that answers would take the addresses back from the one that took over
        self.yield_after_stall(now, out);
        let known_master = match &self.role {
            Role::Init | Role::Fault | Role::Stopped => return,
            Role::Backup(backup) => backup.master.map(|master| master.address),
            Role::Master(_) => None,
        };
        let (authenticator, counters) = (&mut self.authenticator, &mut self.counters);
        match receive::check(&self.params, Circumstances { known_master }, datagram, authenticator, counters) {
            Err(refusal) => self.note(now, Note::Refused { source: datagram.source, refusal }, out),
            // sent by ourselves and returned by the network, or by a router that shares our `mcast_src_ip`: only one that
            // claims more than we do can be told from us, and a master yields to it as to any other
            Ok(advert) if self.may_be_our_own(now, &advert) => {
                count(&mut self.counters.unknown_source);
                self.note(now, Note::OwnAddress { source: advert.source }, out);
            }
            Ok(advert) => {
                match self.role {
                    Role::Init | Role::Fault | Role::Stopped => {}
                    Role::Backup(_) => self.backup_hears(&advert),
                    Role::Master(_) => self.master_hears(now, &advert, out),
                }
                // after it was taken in: a new master or a new state makes everything worth saying again, once
                self.note_differences(now, &advert, datagram, out);
            }
        }
    }

    fn may_be_our_own(&self, now: Instant, advert: &Accepted) -> bool {
        let Role::Master(master) = &self.role else { return false };
        let (ours, theirs) = (self.priority.get(), advert.priority);
        let lately = theirs > ours && master.claims.may_be_ours(now, theirs, self.params.settings.interval.duration());
        Some(advert.source) == self.source && (theirs == ours || lately)
    }

    /// RFC 9568 §6.4.2 (400 to 450), with keepalived's `nopreempt` and `preempt_delay`.
    fn backup_hears(&mut self, advert: &Accepted) {
        let Role::Backup(backup) = &mut self.role else { return };
        if advert.priority == FAREWELL {
            // the skew is that of the master that leaves: a farewell teaches nothing
            let interval = followed_interval(&self.params, backup);
            backup.down_at = advert.received + skew_time(&self.params, self.priority, interval);
            backup.left = Some(advert.source);
            return;
        }
        let seen =
            Seen { address: advert.source, priority: advert.priority, interval: advert.interval, at: advert.received };
        let lower = advert.priority < self.priority.get();
        let follow = match (self.params.settings.preempt, lower) {
            (_, false) => {
                backup.hold = Hold::Idle;
                true
            }
            (Preempt::No, true) => true,
            (Preempt::Yes, true) => false,
            (Preempt::After(delay), true) => match backup.hold {
                Hold::Idle => {
                    backup.hold = Hold::Until(advert.received + delay);
                    true
                }
                Hold::Until(until) => advert.received < until,
            },
        };
        if !follow {
            backup.rival = Some(seen);
            if backup.lets_pass {
                // the advert that the takeover waited for
                backup.down_at = advert.received;
            }
            return;
        }
        if backup.master.is_none_or(|master| master.address != seen.address) {
            self.noted = 0;
        }
        let interval = match self.params.settings.version {
            Version::V2 => self.params.settings.interval,
            Version::V3 => advert.interval,
        };
        *backup = Backup {
            down_at: advert.received + down_time(&self.params, self.priority, interval),
            heard_at: advert.received,
            master: Some(seen),
            rival: None,
            lets_pass: false,
            left: None,
            cut_off: None,
            hold: backup.hold,
            asks: false,
        };
    }

    /// RFC 9568 §6.4.3 (700 to 790).
    fn master_hears(&mut self, now: Instant, advert: &Accepted, out: &mut Vec<Effect>) {
        let ours = self.priority.get();
        let Role::Master(master) = &mut self.role else { return };
        // an advert that was on its way when we sent our last one has been answered by that
        let unanswered = advert.received >= master.last_advert;
        if advert.priority == FAREWELL {
            if unanswered && master.answers.take(now, self.params.settings.interval.duration()) {
                self.advertise(now, out);
            }
            return;
        }
        let (source, priority) = (advert.source, advert.priority);
        if priority == u8::MAX && ours == u8::MAX {
            self.note(now, Note::SecondOwner { source }, out);
        }
        match priority.cmp(&ours).then_with(|| Some(source).cmp(&self.source)) {
            std::cmp::Ordering::Greater => {
                if self.params.settings.higher_prio_send_advert {
                    self.advertise(now, out);
                }
                self.become_backup(now, Cause::HigherClaim { by: source, priority }, out);
                self.backup_hears(advert);
            }
            // our own address: `datagram` has refused it
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => {
                self.note(now, Note::LowerClaim { source, priority }, out);
                if !unanswered {
                    return;
                }
                let interval = self.params.settings.interval.duration();
                let Role::Master(master) = &mut self.role else { return };
                let tells = now >= master.tells_lower_from;
                if tells {
                    master.tells_lower_from = now + interval;
                }
                if !self.params.settings.lower_prio_no_advert && master.answers.take(now, interval) {
                    self.advertise(now, out);
                }
                let Role::Master(master) = &mut self.role else { return };
                let rounds = master.schedule.lower_claim(now, interval, &self.params.settings.garp);
                if rounds > 0 {
                    out.push(Effect::Announce { rounds });
                }
                if tells {
                    out.push(Effect::LowerPriority { source, priority });
                }
            }
        }
    }

    fn in_place(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if let Role::Master(master) = &mut self.role {
            let rounds = master.schedule.in_place(now, &self.params.settings.garp);
            out.push(Effect::AnnounceNew { rounds });
        }
    }

    /// keepalived's answer to an address that another program deleted: farewell, and back after the skew time.
    fn yield_for_a_moment(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if !matches!(self.role, Role::Master(_)) {
            return;
        }
        self.leave_master(out);
        self.become_backup(now, Cause::AddressLost, out);
        let skew = skew_time(&self.params, self.priority, self.params.settings.interval);
        if let Role::Backup(backup) = &mut self.role {
            backup.down_at = now + skew;
        }
    }

    /// `timer_expired_backup`: a master that was not scheduled for so long that another one may serve leaves it the addresses.
    fn yield_after_stall(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Role::Master(master) = &self.role else { return };
        let Some(other) = self.params.settings.timer_expired_backup else { return };
        let silence = now.since(master.last_advert);
        if silence >= down_time(&self.params, other, self.params.settings.interval) {
            self.become_backup(now, Cause::Stalled { silence }, out);
        }
    }

    /// A backup does not wait for a master that BFD says there is no path to. An advert of that master, or of another one that it follows,
    /// takes this back: the path of adverts is good then.
    fn path_lost(&mut self, now: Instant, neighbor: IpAddr) {
        let Role::Backup(backup) = &mut self.role else { return };
        if backup.master.is_none_or(|master| master.address != neighbor) {
            return;
        }
        let at = now + promotion_skew(&self.params, self.priority, followed_interval(&self.params, backup));
        if at < backup.down_at {
            backup.down_at = at;
            backup.cut_off = Some(neighbor);
        }
    }

    /// Trackers add another sum. A backup waits as long as its new priority says; a master sends it with its next advert.
    fn prioritise(&mut self, now: Instant, priority: Priority, out: &mut Vec<Effect>) {
        let before = std::mem::replace(&mut self.priority, priority);
        if before == priority {
            return;
        }
        if let Role::Backup(backup) = &mut self.role {
            let interval = followed_interval(&self.params, backup);
            let was = down_time(&self.params, before, interval);
            backup.down_at = backup.down_at.before(was) + down_time(&self.params, priority, interval);
        }
        if !matches!(self.role, Role::Init | Role::Stopped) {
            out.push(Effect::Priority { at: now, before, priority });
        }
    }

    fn reconfigure(&mut self, now: Instant, params: Params, priority: Priority, out: &mut Vec<Effect>) {
        let old = std::mem::replace(&mut self.params, params);
        let old_priority = std::mem::replace(&mut self.priority, priority);
        let (before, after) = (&old.settings, &self.params.settings);
        if (before.interval, before.down_adverts, old_priority) != (after.interval, after.down_adverts, priority) {
            self.takeovers = Pace::new(TAKEOVERS, down_time(&self.params, priority, after.interval));
        }
        match &mut self.role {
            Role::Init | Role::Fault | Role::Stopped => {}
            Role::Backup(backup) => {
                // a running timer goes on; only what the new values make of it is added or taken away
                let interval = |params: &Params| followed_interval(params, backup);
                let before = down_time(&old, old_priority, interval(&old));
                let after = down_time(&self.params, priority, interval(&self.params));
                backup.down_at = backup.down_at.before(before) + after;
            }
            Role::Master(master) => {
                master.next_advert = next_in_phase(now, &self.params);
                master.schedule.reconfigure(now, &old.settings.garp, &self.params.settings.garp);
                self.advertise(now, out);
                out.push(Effect::Hold);
            }
        }
    }

    fn stop(&mut self, now: Instant, cause: Cause, out: &mut Vec<Effect>) {
        match self.role {
            Role::Stopped => return,
            Role::Master(_) => self.leave_master(out),
            Role::Init | Role::Backup(_) | Role::Fault => {}
        }
        self.change(now, Role::Stopped, cause, out);
    }

    /// Farewell: the others need not wait for the master down time (RFC 9568 §6.4.3 (660)).
    fn leave_master(&mut self, out: &mut Vec<Effect>) {
        count(&mut self.counters.advert_sent);
        count(&mut self.counters.pri_zero_sent);
        out.push(Effect::Advertise { priority: FAREWELL });
    }

    fn become_master(&mut self, now: Instant, cause: Cause, out: &mut Vec<Effect>) {
        debug_assert!(self.faults.is_empty(), "a router in fault may not become master");
        let role = Role::Master(Master {
            next_advert: next_in_phase(now, &self.params),
            last_advert: now,
            schedule: Schedule::default(),
            answers: Answers::default(),
            tells_lower_from: now,
            claims: Claims::first(now, self.effective_priority().get()),
        });
        count(&mut self.counters.become_master);
        self.authenticator.begin_as_master();
        // before the addresses: the others must hear us first, the neighbours have time
        self.advertise(now, out);
        self.change(now, role, cause, out);
        out.push(Effect::Hold);
    }

    fn become_backup(&mut self, now: Instant, cause: Cause, out: &mut Vec<Effect>) {
        let backup = Backup {
            down_at: now + down_time(&self.params, self.priority, self.params.settings.interval),
            heard_at: now,
            master: None,
            rival: None,
            lets_pass: false,
            left: None,
            cut_off: None,
            hold: Hold::Idle,
            asks: false,
        };
        self.change(now, Role::Backup(backup), cause, out);
    }

    /// Puts `role` in place; leaving master releases the addresses.
    fn change(&mut self, now: Instant, role: Role, cause: Cause, out: &mut Vec<Effect>) {
        let from = self.state();
        self.role = role;
        self.since = now;
        self.noted = 0;
        let to = self.state();
        if from == State::Master {
            count(&mut self.counters.release_master);
            out.push(Effect::Release);
        }
        out.push(Effect::Transition(Transition { at: now, from, to, cause, priority: self.effective_priority() }));
    }

    fn advertise(&mut self, now: Instant, out: &mut Vec<Effect>) {
        count(&mut self.counters.advert_sent);
        let priority = self.effective_priority().get();
        if let Role::Master(master) = &mut self.role {
            master.last_advert = now;
            master.claims.sent(now, priority, self.params.settings.interval.duration());
        }
        out.push(Effect::Advertise { priority });
    }

    fn note(&mut self, now: Instant, note: Note, out: &mut Vec<Effect>) {
        let kind = note.kind();
        if self.noted & kind == 0 && self.note_pace.may(now, kind) {
            self.noted |= kind;
            out.push(Effect::Note(note));
        }
    }
}

#[cfg(test)]
mod tests;
