//! What outsiders see of the instances: all of it, and what became different.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use keepalived_config::InstanceKey;
use keepalived_config::model::Transport;
use keepalived_core::address::VirtualAddress;
use keepalived_core::histogram::Histogram;
use keepalived_core::network::{AddressKey, Key, LinkIndex, Object};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::TrackerId;
use keepalived_core::vrrp::{AdvertInterval, Faults, Priority, Router, State};
use keepalived_state::{
    AddressView, FollowerView, InstanceView, Journal, MasterView, ObjectKind, ObjectView, PacketTimes, ProgramTotals,
    TrackerSettings, TrackerView, VrrpChange, VrrpTotals, VrrpView,
};

use super::super::lower;
use super::super::slot::{Held, Slot};
use super::Instances;
use super::routes::wanted;
use crate::changes::{ChangeQueue, NextChange};
use crate::message::{AfterTelling, Changes};

/// What the follower of the view has to be told of. Entries are places in the configuration.
#[derive(Debug, Default)]
pub(super) struct PendingChanges {
    queue: ChangeQueue,
    /// Which slot is in which place.
    slots: Vec<usize>,
    /// The trackers, whose places follow those of the instances.
    trackers: Vec<TrackerId>,
    /// Counters begin at zero once they are told.
    clears: bool,
}

impl PendingChanges {
    /// The instance in this place is different.
    pub(super) fn mark(&mut self, place: usize) {
        // what has no such number is in no view either
        if let Ok(place) = u32::try_from(place) {
            self.queue.mark(place);
        }
    }

    fn tracker(&self, number: u32) -> Option<&TrackerId> {
        self.trackers.get(usize::try_from(number).ok()?)
    }

    fn slot(&self, place: u32) -> Option<usize> {
        self.slots.get(usize::try_from(place).ok()?).copied()
    }
}

/// How long things took, for those who ask.
#[derive(Clone, Default, Debug)]
pub(super) struct Measures {
    /// How much later than they were due adverts of masters were sent.
    pub(super) late: Histogram,
    /// How long the master before had been silent when an instance took over.
    pub(super) silences: Histogram,
}

/// What the view shows of a router, besides its parameters and its counters.
type Shown = (State, Instant, Faults, Option<IpAddr>, Priority, Option<(IpAddr, u8, AdvertInterval)>, Duration);

/// What the view shows of `router`: if that is different, its follower is told.
pub(super) fn shown(router: &Router) -> Shown {
    let master = router.master().map(|master| (master.address, master.priority, master.interval));
    let (faults, source, priority) = (router.faults(), router.source(), router.effective_priority());
    (router.state(), router.since(), faults.clone(), source, priority, master, router.master_down_time())
}

impl Instances {
    /// The view begins anew: other instances are in it, or in other places.
    pub(super) fn begin_view(&mut self) {
        self.pending.slots = self.in_order().into_iter().map(|(index, _)| index).collect();
        self.pending.trackers = self.trackers.iter().map(|(id, _)| id.clone()).collect();
        let trackers = u32::try_from(self.pending.trackers.len()).unwrap_or(u32::MAX);
        self.pending.queue.begin(self.instances_shown().saturating_add(trackers));
    }

    fn instances_shown(&self) -> u32 {
        u32::try_from(self.pending.slots.len()).unwrap_or(u32::MAX)
    }

    /// What the view shows of `index` is different.
    pub(super) fn mark(&mut self, index: usize) {
        if let Some(slot) = self.slots.get(index) {
            self.pending.mark(slot.position);
        }
    }

    /// The same of a tracker.
    pub(super) fn mark_tracker(&mut self, id: &TrackerId) {
        if let Ok(place) = self.pending.trackers.binary_search(id) {
            self.pending.mark(self.pending.slots.len().saturating_add(place));
        }
    }

    /// The kernel has an object, or has it no more: who holds it is shown otherwise.
    pub(super) fn mark_holders(&mut self, key: &Key) {
        for holder in self.reconciler.desired.holders(key) {
            if let Some(slot) = self.slots.get(*holder) {
                self.pending.mark(slot.position);
            }
        }
    }

    /// The same for all objects on a link.
    pub(super) fn mark_on(&mut self, link: LinkIndex) {
        self.mark_those(|slot| slot.places.iter().any(|(on, _, _)| *on == link));
    }

    /// The same for a link that is made for instances.
    pub(super) fn mark_made(&mut self, link: LinkIndex) {
        if let Some(key) = self.table.upper_key(link) {
            self.mark_holders(&key);
        }
    }

    pub(super) fn mark_all(&mut self) {
        self.mark_those(|_| true);
    }

    fn mark_those(&mut self, such: impl Fn(&Slot) -> bool) {
        for slot in self.slots.iter().filter(|slot| such(slot)) {
            self.pending.mark(slot.position);
        }
    }

    /// Other machines have addresses that they did not have, or have them no more.
    fn mark_duplicates(&mut self) {
        let changed = self.duplicates.take_changed();
        if !changed.is_empty() {
            let places: BTreeSet<_> = changed.into_iter().collect();
            self.mark_those(|slot| slot.places.iter().any(|(on, address, _)| places.contains(&(*on, *address))));
        }
    }

    /// Whether [`Self::changes`] has something.
    pub(in super::super) fn has_changes(&self) -> bool {
        !self.pending.queue.is_empty() || self.duplicates.has_changed()
    }

    /// A follower wants fresh numbers, and to hear when it has everything as it is now.
    pub(in super::super) fn request_changes(&mut self, after: AfterTelling) {
        self.mark_duplicates();
        self.pending.clears = after == AfterTelling::ClearCounters;
        self.pending.queue.request(self.instances_shown());
    }

    /// What became different since the last call, as [`super::super::Engine::changes`] says.
    pub(in super::super) fn changes(&mut self, now: Instant, wall: SystemTime, most: usize) -> Changes<VrrpChange> {
        self.mark_duplicates();
        let mut told = Changes { changes: Vec::new(), fresh: false };
        let mut work = 0;
        while work < most
            && let Some(next) = self.pending.queue.take()
        {
            work += 1;
            match next {
                NextChange::Begins => told.changes.push(VrrpChange::Begins),
                NextChange::Entry(place) => {
                    if let Some(number) = place.checked_sub(self.instances_shown()) {
                        if let Some(view) = self.pending.tracker(number).and_then(|id| self.tracker(now, wall, id)) {
                            work += view.followers.len();
                            told.changes.push(VrrpChange::Tracker(number, Box::new(view)));
                        }
                    } else if let Some(view) = self.pending.slot(place).and_then(|index| self.one(now, wall, index)) {
                        work += view.addresses.len() + view.excluded_addresses.len() + view.objects.len();
                        told.changes.push(VrrpChange::Instance(place, Box::new(view)));
                    }
                }
                NextChange::Numbers(place) => {
                    let slot = self.pending.slot(place);
                    if let Some(slot) = slot.and_then(|index| self.slots.get_mut(index)) {
                        let times = times(now, wall, &slot.router);
                        told.changes.push(VrrpChange::Counters(place, Box::new(*slot.router.counters()), times));
                        if self.pending.clears {
                            slot.router.clear_counters();
                        }
                    }
                }
                NextChange::Fresh => {
                    told.changes.push(VrrpChange::Totals(Box::new(self.totals())));
                    told.fresh = true;
                    break;
                }
            }
        }
        told
    }

    /// What was counted; programs are not its concern.
    fn totals(&self) -> VrrpTotals {
        let Measures { late, silences } = self.measures.clone();
        let (unknown_vrid, netlink_overruns) = (self.unknown_vrids.count(), self.overruns);
        VrrpTotals { unknown_vrid, netlink_overruns, late, silences, programs: ProgramTotals::default() }
    }

    fn tracker(&self, now: Instant, wall: SystemTime, id: &TrackerId) -> Option<TrackerView> {
        let tracker = self.trackers.get(id)?;
        let follower = |index: usize| {
            let followed = self.trackers.followed(index).iter().find(|(followed, _)| followed == id)?;
            Some(FollowerView { instance: self.slots.get(index)?.name.to_string(), weight: followed.1 })
        };
        Some(TrackerView {
            id: id.clone(),
            settings: self.tracker_settings.get(id).cloned().unwrap_or(TrackerSettings::Plain),
            state: tracker.state,
            since: wall.checked_sub(now.since(tracker.since)).unwrap_or(wall),
            detail: tracker.detail.clone(),
            followers: self.trackers.followers(id).filter_map(follower).collect(),
        })
    }

    fn one(&self, now: Instant, wall: SystemTime, index: usize) -> Option<InstanceView> {
        Some(self.instance(now, wall, index, self.slots.get(index)?))
    }

    /// How the instances stand at `now`, which the wall clock calls `wall`.
    pub(in super::super) fn view(&self, now: Instant, wall: SystemTime) -> VrrpView {
        VrrpView {
            instances: self.in_order().into_iter().map(|(index, slot)| self.instance(now, wall, index, slot)).collect(),
            trackers: self.trackers.iter().filter_map(|(id, _)| self.tracker(now, wall, id)).collect(),
            totals: self.totals(),
            journal: Journal::default(),
        }
    }

    /// State of every instance, in the order of the configuration.
    pub(in super::super) fn states(&self) -> Vec<(&InstanceKey, &str, State)> {
        self.in_order().into_iter().map(|(_, slot)| (&slot.key, &*slot.name, slot.router.state())).collect()
    }

    /// Name, state and effective priority of every instance, in the order of the configuration.
    pub(in super::super) fn standing(&self) -> Vec<(&str, State, u8)> {
        let standing = |slot: &'_ Slot| (slot.router.state(), slot.router.effective_priority().get());
        self.in_order()
            .into_iter()
            .map(|(_, slot)| {
                let (state, priority) = standing(slot);
                (&*slot.name, state, priority)
            })
            .collect()
    }

    fn in_order(&self) -> Vec<(usize, &Slot)> {
        let mut slots: Vec<_> = self.slots.entries().collect();
        slots.sort_by_key(|(_, slot)| slot.position);
        slots
    }

    fn objects(&self, index: usize, slot: &Slot) -> Vec<ObjectView> {
        let is_set = |key: &Key| self.reconciler.desired.is_set(index, key, &self.table);
        let link = |made: &lower::Made| {
            let below = self.table.by_name(&made.need.base).map(|link| link.index);
            let set = below.is_some_and(|below| is_set(&Key::Upper(below, made.name)));
            let what = format!("{} on {}", made.name, made.need.base);
            ObjectView { kind: ObjectKind::Link, what, set }
        };
        let wanted = wanted(&self.table, &slot.instance.routes, &slot.instance.rules, &slot.places);
        let there = |(object, held): (Object, Held)| {
            let (kind, what) = match object {
                Object::Rule(rule) => (ObjectKind::Rule, rule.to_string()),
                Object::Route(route) => (ObjectKind::Route, route.key().to_string()),
                Object::Link(_) | Object::Upper(_) | Object::Setting(_) | Object::Address(_) => return None,
            };
            Some(ObjectView { kind, what, set: is_set(&held.key) })
        };
        let homeless = wanted.homeless.into_iter().map(|(what, _)| {
            let what = what.trim_start_matches("route ").to_owned();
            ObjectView { kind: ObjectKind::Route, what, set: false }
        });
        let mut objects: Vec<ObjectView> = slot.made.iter().map(link).collect();
        objects.extend(wanted.objects.into_iter().filter_map(there).chain(homeless));
        objects.sort_by_key(|object| object.kind);
        objects
    }

    fn instance(&self, now: Instant, wall: SystemTime, index: usize, slot: &Slot) -> InstanceView {
        let (instance, router) = (&slot.instance, &slot.router);
        // in the order of the lines: an instance may have thousands
        let mut places = slot.places.iter().peekable();
        let mut address = |line: &VirtualAddress| {
            let is_set =
                |place: &&AddressKey| self.reconciler.desired.is_set(index, &Key::Address(**place), &self.table);
            let place = places.next_if(|place| is_for(place, line));
            let place = place.or_else(|| slot.places.iter().find(|place| is_for(place, line))).filter(is_set);
            let also_on = place.and_then(|place| self.duplicate_holder(place));
            AddressView { line: line.clone(), set: place.is_some(), also_on }
        };
        let (group, peers) = match &instance.transport {
            Transport::Multicast { group, .. } => (Some(*group), Vec::new()),
            Transport::Unicast { peers, .. } => (None, peers.iter().map(|peer| peer.address).collect()),
        };
        InstanceView {
            name: instance.name.clone(),
            settings: instance.settings,
            state: router.state(),
            since: wall.checked_sub(now.since(router.since())).unwrap_or(wall),
            faults: router.faults().clone(),
            interface: instance.interface,
            source: router.source(),
            group,
            peers,
            effective_priority: router.effective_priority(),
            total_priority: self.trackers.sum(index).total(instance.settings.priority),
            master: router.master().map(|master| MasterView {
                address: master.address,
                priority: master.priority,
                interval: master.interval,
            }),
            master_down_time: router.master_down_time(),
            accept: instance.accept,
            authentication: instance.authentication.kind(),
            dont_track_primary: instance.dont_track_primary,
            promote_secondaries: instance.promote_secondaries,
            addresses: instance.addresses.iter().map(&mut address).collect(),
            excluded_addresses: instance.excluded_addresses.iter().map(&mut address).collect(),
            objects: self.objects(index, slot),
            counters: *router.counters(),
            times: times(now, wall, router),
        }
    }
}

/// When `router` has sent, and when it will.
fn times(now: Instant, wall: SystemTime, router: &Router) -> PacketTimes {
    let read_timeout = router.read_timeout().and_then(|at| wall.checked_add(at.since(now))?.checked_sub(now.since(at)));
    let last_advert = router.last_advert().and_then(|at| wall.checked_sub(now.since(at)));
    PacketTimes { read_timeout, last_advert }
}

/// Whether an instance holds, or wants, the address of `line` there.
fn is_for((_, address, prefix): &AddressKey, line: &VirtualAddress) -> bool {
    (*address, *prefix) == (line.address, line.prefix)
}
