//! All routers, and what stands between them and the kernel.
//!
//! Nothing here makes a system call except through the kernel traits that are handed in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::{Transport, VipLost, VmacNames};
use keepalived_core::network::{Key, LinkIndex, NetworkTable};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::authentication::header;
use keepalived_core::vrrp::duplicate::Duplicates;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerState, Trackers};
use keepalived_core::vrrp::{Cause, Datagram, Effect, Event, Router, State, Transition};
use keepalived_kernel::packets::{ChannelId, Incoming, Packets};
use keepalived_state::TrackerSettings;

use super::channels::{BufferRule, Channels};
use super::flood::Flood;
use super::lifetime::{AtExit, BorrowedSettings, Inherited};
use super::neighbours::Neighbours;
use super::outbox::{Outbox, Sender};
use super::reconciler::{Outcome, Reconciler};
use super::report::{Report, Said};
use super::reports::Reports;
use super::slot::Trouble;
use super::slots::Slots;
use super::sync_groups::SyncGroups;
use super::unknown_vrids::UnknownVrids;
use crate::deadlines::Deadlines;

mod addresses;
mod configure;
mod duplicates;
mod firewall;
mod look;
mod own_links;
mod promotions;
mod routes;
mod surroundings;
mod tracking;
mod view;

use configure::Evidence;
use firewall::Filter;
pub(crate) use firewall::needs_firewall;
use look::Asked;
use promotions::Sessions;
use routes::Statics;
pub(super) use routes::describe;
use tracking::{LinkBeats, LinkDelays};
use view::{Measures, PendingChanges, shown};

/// Every router with its surroundings.
#[derive(Debug)]
pub(super) struct Instances {
    slots: Slots,
    groups: SyncGroups,
    trackers: Trackers,
    link_delays: LinkDelays,
    link_beats: LinkBeats,
    /// What BFD says of paths.
    sessions: Sessions,
    /// What the process before this one knew, until the trackers are configured.
    known_trackers: BTreeMap<TrackerId, TrackerState>,
    /// What is configured for trackers, for outsiders.
    tracker_settings: BTreeMap<TrackerId, TrackerSettings>,
    channels: Channels,
    table: NetworkTable,
    reconciler: Reconciler,
    neighbours: Neighbours,
    duplicates: Duplicates<LinkIndex>,
    /// What neighbours say about their addresses is kept for us.
    overhears: bool,
    outbox: Outbox,
    deadlines: Deadlines,
    flood: Flood,
    reports: Reports,
    /// What the follower of the view has to be told of.
    pending: PendingChanges,
    measures: Measures,
    effects: Vec<Effect>,
    follow_ups: VecDeque<(usize, FollowUp)>,
    outcomes: Vec<Outcome>,
    /// Objects that the kernel refuses, and its words: they are said once.
    refusals: BTreeMap<Key, String>,
    /// What the kernel is being asked for.
    asked: Option<Asked>,
    /// Masters of the process before this one, until the routers begin.
    masters: BTreeSet<InstanceKey>,
    begun: bool,
    /// Every router has said farewell.
    stopped: bool,
    filter: Filter,
    /// What interfaces that are made are called.
    vmac_names: VmacNames,
    /// What settings were before virtual MACs needed others.
    borrowed: BorrowedSettings,
    at_exit: AtExit,
    statics: Statics,
    vip_lost: VipLost,
    buffer_rule: BufferRule,
    /// Virtual addresses of all instances, which are no source address.
    virtual_addresses: BTreeSet<IpAddr>,
    /// When sockets that could not be opened are tried again.
    reopen_at: Option<Instant>,
    /// When links and addresses are read again.
    reread_at: Option<Instant>,
    unknown_vrids: UnknownVrids,
    overruns: u64,
    /// The time since 1970 at a moment.
    utc: (Instant, Duration),
}

/// What one router's effect means for another.
#[derive(Clone, Copy, Debug)]
enum FollowUp {
    GroupMaster,
    GroupBackup,
    InPlace,
}

impl Instances {
    /// None, on the machine of `table`. `inherited` is from the process before this one.
    pub(super) fn new(table: NetworkTable, inherited: Inherited) -> Self {
        Self {
            slots: Slots::default(),
            groups: SyncGroups::default(),
            trackers: Trackers::default(),
            link_delays: LinkDelays::default(),
            link_beats: LinkBeats::default(),
            sessions: Sessions::default(),
            known_trackers: inherited.trackers,
            tracker_settings: BTreeMap::new(),
            channels: Channels::default(),
            table,
            reconciler: Reconciler::default(),
            neighbours: Neighbours::default(),
            duplicates: Duplicates::default(),
            overhears: false,
            outbox: Outbox::default(),
            deadlines: Deadlines::default(),
            flood: Flood::default(),
            reports: Reports::default(),
            pending: PendingChanges::default(),
            measures: Measures::default(),
            effects: Vec::new(),
            follow_ups: VecDeque::new(),
            outcomes: Vec::new(),
            refusals: BTreeMap::new(),
            asked: None,
            masters: inherited.masters,
            begun: false,
            stopped: false,
            filter: Filter::default(),
            vmac_names: VmacNames::default(),
            borrowed: inherited.borrowed,
            at_exit: AtExit::Release,
            statics: Statics::default(),
            vip_lost: VipLost::Restore,
            buffer_rule: BufferRule::default(),
            virtual_addresses: BTreeSet::new(),
            reopen_at: None,
            reread_at: None,
            unknown_vrids: UnknownVrids::default(),
            overruns: 0,
            utc: (Instant::ZERO, Duration::ZERO),
        }
    }

    /// Every router starts, or resumes what it was.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.begun {
            return;
        }
        self.begun = true;
        let masters = std::mem::take(&mut self.masters);
        for slot in self.slots.places() {
            let resumes = self.slots.get(slot).is_some_and(|slot| masters.contains(&slot.key));
            if resumes {
                self.tell(now, slot, Event::Resume);
                // one that lost its interface meanwhile does not hold them: then they go
                self.adopt_left_overs_of(slot, Evidence::Journal);
            } else {
                self.start(now, slot);
            }
        }
    }

    /// A packet arrived.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        incoming: &Incoming<'_>,
        header: Option<header::Received<'_>>,
        message: &[u8],
    ) {
        let Some(vrid) = message.get(1) else { return };
        let Some(slot) = self.addressee(incoming.channel, *vrid, incoming.source) else {
            if !self.channels.is_unused(incoming.channel) {
                self.reports.extend(self.unknown_vrids.count_one(incoming, *vrid));
            }
            return;
        };
        let datagram = Datagram {
            source: incoming.source,
            destination: incoming.destination,
            ttl: incoming.ttl,
            received: incoming.received,
            utc: self.utc(now).saturating_sub(now.since(incoming.received)),
            header,
            message,
        };
        self.tell(now, slot, Event::Datagram(&datagram));
    }

    /// The router that a packet is for: where several routers share VRID and address, the one that has its sender as a peer.
    fn addressee(&self, channel: ChannelId, vrid: u8, source: IpAddr) -> Option<usize> {
        let candidates = self.channels.listeners(channel, vrid);
        let has_peer = |slot: &&usize| {
            self.slots.get(**slot).is_some_and(|slot| match &slot.instance.transport {
                Transport::Unicast { peers, .. } => peers.iter().any(|peer| peer.address == source),
                Transport::Multicast { .. } => true,
            })
        };
        candidates.iter().find(has_peer).or_else(|| candidates.first()).copied()
    }

    /// Lets at most `most` deadlines fire, and says how many did. With unread adverts about (`all_heard` false) no backup believes in silence.
    pub(super) fn expire(&mut self, now: Instant, most: usize, all_heard: bool) -> usize {
        let mut fired = 0;
        while fired < most {
            let Some(index) = self.deadlines.pop(now) else { break };
            if !all_heard && self.slots.get(index).is_some_and(|slot| slot.router.state() == State::Backup) {
                self.flood.postpone(index);
                continue;
            }
            fired += 1;
            if let Some(due) = self.slots.get(index).and_then(|slot| slot.router.advert_due()).filter(|due| *due <= now)
            {
                self.measures.late.add(now.since(due));
            }
            self.with_router(index, |router, effects| router.handle_timeout(now, effects));
            self.act(now, index);
            self.follow_up(now);
        }
        fired
    }

    /// Whether backups may believe in silence in this turn.
    pub(super) fn may_believe(&mut self, now: Instant, all_heard: bool) -> bool {
        self.flood.may_believe(now, all_heard)
    }

    /// Gives the postponed backups their deadlines back, at the end of a turn: within the turn each is passed over once.
    pub(super) fn resume_postponed(&mut self) {
        for index in self.flood.take_postponed() {
            let deadline = self.slots.get(index).and_then(|slot| slot.router.next_deadline());
            self.deadlines.set(index, deadline);
        }
    }

    /// Tells a router something, and does what it wants.
    fn tell(&mut self, now: Instant, index: usize, event: Event<'_>) {
        self.with_router(index, |router, effects| router.handle(now, event, effects));
        self.act(now, index);
        self.follow_up(now);
    }

    fn with_router(&mut self, index: usize, with: impl FnOnce(&mut Router, &mut Vec<Effect>)) {
        if let Some(slot) = self.slots.get_mut(index) {
            let before = shown(&slot.router);
            with(&mut slot.router, &mut self.effects);
            if shown(&slot.router) != before {
                self.pending.mark(slot.position);
            }
        }
    }

    /// Does what a router wants, in its order.
    fn act(&mut self, now: Instant, index: usize) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Advertise { priority } => self.advertise(now, index, priority),
                Effect::Hold => self.hold(index),
                Effect::Release => self.release(index),
                Effect::Announce { rounds } => {
                    let targets = self.targets(index);
                    self.neighbours.announce(index, targets, rounds);
                }
                Effect::AnnounceNew { rounds } => self.announce_new(index, rounds),
                Effect::AnnounceElsewhere => self.announce_elsewhere(index),
                Effect::AnnounceSource => self.announce_source(index),
                Effect::AsksGroup => self.group_asked(index),
                Effect::Transition(transition) => self.transition(index, transition),
                Effect::Priority { before, priority, .. } => {
                    if let Some(slot) = self.slots.get(index) {
                        let (key, name) = (slot.key.clone(), Arc::clone(&slot.name));
                        let state = slot.router.state();
                        let said = Said::Yes;
                        self.reports.push(Report::Priority { key, name, before, priority, state, said });
                    }
                }
                Effect::LowerPriority { source, priority } => {
                    if let Some(slot) = self.slots.get(index) {
                        let (name, ours) = (Arc::clone(&slot.name), slot.router.effective_priority());
                        self.reports.push(Report::LowerPriority { name, source, priority, ours });
                    }
                }
                Effect::Note(note) => {
                    if let Some(slot) = self.slots.get(index) {
                        let name = Arc::clone(&slot.name);
                        self.reports.push(Report::Note { name, note });
                    }
                }
            }
        }
        // keeps its capacity for the next router
        self.effects = effects;
        let deadline = self.slots.get(index).and_then(|slot| slot.router.next_deadline());
        self.deadlines.set(index, deadline);
    }

    fn transition(&mut self, index: usize, transition: Transition) {
        if let (State::Master, Cause::MasterSilent { master: Some(_), silence }) = (transition.to, &transition.cause) {
            self.measures.silences.add(*silence);
        }
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.said.clear();
        let (key, name) = (slot.key.clone(), Arc::clone(&slot.name));
        // a member that leaves because another did has nothing to add: all of them have been told
        let told = transition.cause == Cause::GroupBackup;
        // and in a fault all of them are, at once, as with keepalived: `tell_surroundings` says so
        if transition.from == State::Master && transition.to != State::Fault && !told {
            self.group_left(index);
        }
        let (state, cause) = (transition.to, transition.cause.clone());
        let of_group = |name| Report::Group { name, state, cause: cause.clone(), said: Said::Yes };
        self.reports.extend(self.groups.begins(index, state).map(of_group));
        self.reports.push(Report::Transition { key, name, transition, said: Said::Yes });
        let slots = &self.slots;
        let state_of = |index: usize| slots.get(index).map_or(State::Init, |slot| slot.router.state());
        self.reports.extend(self.groups.reached(index, state, state_of).map(of_group));
    }

    /// Does what effects meant for other routers. Bounded: a follow-up changes a state, and a state changes once.
    fn follow_up(&mut self, now: Instant) {
        while let Some((index, follow_up)) = self.follow_ups.pop_front() {
            let event = match follow_up {
                FollowUp::GroupMaster => Event::GroupMaster,
                FollowUp::GroupBackup => Event::GroupBackup,
                FollowUp::InPlace => Event::InPlace,
            };
            self.with_router(index, |router, effects| router.handle(now, event, effects));
            self.act(now, index);
        }
    }

    fn advertise(&mut self, now: Instant, index: usize, priority: u8) {
        let utc = self.utc(now);
        if let Some(slot) = self.slots.get_mut(index)
            && let Some((_, channel)) = slot.channel
            && let Some(source) = slot.router.source()
            && let Some(seal) = slot.router.seal(utc)
        {
            let sender = Sender { slot: index, channel, source, seal };
            self.outbox.push(sender, slot.router.params(), priority, &mut slot.identification);
        }
    }

    /// Notes the time since 1970.
    pub(super) const fn set_utc(&mut self, now: Instant, utc: Duration) {
        self.utc = (now, utc);
    }

    /// The time since 1970.
    fn utc(&self, now: Instant) -> Duration {
        let (at, utc) = self.utc;
        utc.saturating_add(now.since(at))
    }

    /// All members that ask have waited; if all ask, the one whose timer ended goes first.
    fn group_asked(&mut self, index: usize) {
        let members = self.groups.members(index);
        let asks = |member: &usize| self.slots.get(*member).is_some_and(|slot| slot.router.asks_group());
        if members.iter().all(asks) {
            self.follow_ups.push_back((index, FollowUp::GroupMaster));
            let others = members.iter().filter(|member| **member != index);
            self.follow_ups.extend(others.map(|member| (*member, FollowUp::GroupMaster)));
        }
    }

    /// A member left master: the others do.
    fn group_left(&mut self, index: usize) {
        let others = self.groups.members(index).into_iter().filter(|member| *member != index);
        self.follow_ups.extend(others.map(|member| (member, FollowUp::GroupBackup)));
    }

    /// Sends a piece of the announcements that are due.
    pub(super) fn announce(&mut self, now: Instant, most: usize, packets: &mut impl Packets) {
        self.neighbours.work(now, most, packets);
    }

    /// Sends the adverts that were made.
    pub(super) fn flush(&mut self, packets: &mut impl Packets) {
        let (slots, reports) = (&mut self.slots, &mut self.reports);
        self.outbox.flush(packets, |unsent| {
            // the farewell of one whose interface is gone: its fault says so
            if let Some(slot) = slots.get_mut(unsent.slot)
                && slot.router.state() != State::Fault
                && slot.said.insert(Trouble::Unsent)
            {
                reports.push(Report::Unsent { name: Arc::clone(&slot.name), errno: unsent.errno });
            }
        });
    }

    /// Every router stops, in the order of the configuration.
    pub(super) fn stop(&mut self, now: Instant, at_exit: AtExit) {
        self.at_exit = at_exit;
        if at_exit == AtExit::Release {
            // those that were to resume and have not
            for key in std::mem::take(&mut self.masters) {
                if let Some(slot) = self.slots.place_of(&key) {
                    self.adopt_left_overs_of(slot, Evidence::Journal);
                }
            }
        }
        // each says farewell itself: the end of one must not silence the others of its sync group
        for slot in self.slots.places() {
            self.groups.part(slot);
            self.tell(now, slot, Event::Stop);
        }
        let of_group = |name| Report::Group { name, state: State::Stopped, cause: Cause::Stopped, said: Said::Yes };
        self.reports.extend(self.groups.stop().into_iter().map(of_group));
        self.release_statics();
        self.stopped = true;
        self.filter.touch();
        if at_exit == AtExit::Release {
            self.slots.places().for_each(|slot| self.release_own_links(slot));
        }
    }

    /// When something is due next.
    pub(super) fn next_wake(&mut self, now: Instant) -> Option<Instant> {
        let lines = self.reports.next(now);
        let order = self.next_order();
        let probes = self.duplicates.next();
        [self.deadlines.next(), order, self.neighbours.next(), self.reopen_at, lines, probes, self.next_link()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What there is to tell since the last call.
    pub(super) fn reports(&mut self, now: Instant) -> Vec<Report> {
        let (slots, groups) = (&self.slots, &self.groups);
        let state = |name: &str| {
            let named = slots.iter().find(|slot| &*slot.name == name);
            named.map(|slot| slot.router.state()).or_else(|| groups.state(name))
        };
        self.reports.take(now, state)
    }
}

#[cfg(test)]
mod tests;
