//! A configuration comes in: at start, and as a difference at reload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keepalived_config::model::{Config, Instance};
use keepalived_config::{InstanceKey, plan};
use keepalived_core::network::Object;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::Sum;
use keepalived_core::vrrp::{Authentication, Event, Faults, Router};
use keepalived_kernel::network::Network;
use keepalived_kernel::packets::Packets;

use super::super::channels::BufferRule;
use super::super::report::LeftOver;
use super::super::{lower, slot::Slot};
use super::Instances;
use super::surroundings::Sources;

impl Instances {
    /// Makes the routers those of `config`. An instance that is the same as before is not touched; one that changed is
    /// told its new parameters; one that is gone says farewell first.
    pub(in super::super) fn configure(
        &mut self,
        now: Instant,
        config: &Config,
        network: &mut impl Network,
        packets: &mut impl Packets,
    ) {
        self.vip_lost = config.global.vip_lost;
        let groups = config.sync_groups.iter().map(|group| group.name.as_str());
        self.reports.configure(config.instances.iter().map(|instance| instance.name.as_str()).chain(groups));
        self.unknown_vrids.configure(config.global.log_unknown_vrids);
        self.buffer_rule = BufferRule::of(&config.global);
        self.neighbours.set_pace(lower::pace(&config.global, &config.garp_groups));
        self.configure_statics(config);
        self.configure_firewall(config, network);
        self.vmac_names.clone_from(&config.global.vmac_names);
        self.virtual_addresses = config.instances.iter().flat_map(lower::lines).map(|line| line.address).collect();

        let keyed: Keyed<'_> = plan::keyed(&config.instances)
            .enumerate()
            .map(|(position, (key, instance))| (key, (position, instance)))
            .collect();
        let gone: Vec<usize> =
            self.slots.keys().filter(|(key, _)| !keyed.contains_key(key)).map(|(_, slot)| slot).collect();
        // each says farewell itself: the end of one must not silence the others of its sync group
        gone.iter().for_each(|slot| self.groups.part(*slot));
        for slot in &gone {
            self.tell(now, *slot, Event::Remove);
        }
        // the farewells leave before their channels are closed
        self.flush(packets);
        for slot in gone {
            self.forget(slot);
        }

        self.forget_refusals();

        let mut concerned = Vec::new();
        // in the order of the file, so that every run does the same
        for (key, (position, instance)) in sorted_by_position(&keyed) {
            match self.slots.place_of(key) {
                None => concerned.push((self.add(key, position, instance), true)),
                Some(index) => {
                    if self.update(index, position, instance) {
                        concerned.push((index, false));
                    }
                }
            }
        }
        let regrouped = self.regroup(config, &keyed);
        self.configure_trackers(now, config);
        self.begin_view();
        if self.begun {
            concerned.iter().for_each(|(index, _)| self.hold_own_links(now, *index, network));
        } else {
            self.make_own_links(now, network);
            self.set_firewall(now, network);
        }
        let mut sources = Sources::default();
        for (index, new) in concerned {
            self.stand(now, index, &mut sources, network);
            if let Some(slot) = self.slots.get(index).filter(|_| !new) {
                let params = Box::new(lower::params(&slot.instance, index));
                let priority = self.trackers.sum(index).priority(params.settings.priority);
                self.tell(now, index, Event::Reconfigure { params, priority });
            } else if new && self.begun {
                self.start(now, index);
            }
        }
        for index in regrouped {
            self.tell_surroundings(now, index);
        }
        // a sync group that tracks something else concerns members that are as they were
        for index in self.slots.places() {
            self.tell_tracked(now, index);
        }
        let buffers = self.buffers();
        for (channel, id) in self.channels.open() {
            packets.resize(id, buffers.size(channel));
        }
    }

    /// Addresses of an earlier run go, unless an instance is master from the start. An instance that is to resume is asked once
    /// it has: see [`Instances::begin`].
    pub(in super::super) fn adopt_left_overs(&mut self) {
        self.forget_masters_without_numbers();
        self.resume_whole_groups();
        for index in self.slots.places() {
            if self.slots.get(index).is_some_and(|slot| !self.masters.contains(&slot.key)) {
                self.adopt_left_overs_of(index, Evidence::Mark);
            }
        }
    }

    /// With an authentication header a master does not go on: the other routers would refuse numbers that begin at 1.
    fn forget_masters_without_numbers(&mut self) {
        for slot in self.slots.iter() {
            if matches!(slot.instance.authentication, Authentication::Header(_)) {
                self.masters.remove(&slot.key);
            }
        }
    }

    /// A sync group resumes as a whole or not at all: a member may have been silent for longer than another router waits.
    fn resume_whole_groups(&mut self) {
        for members in self.groups.each() {
            let keys: Vec<_> = members.iter().filter_map(|index| Some(self.slots.get(*index)?.key.clone())).collect();
            if keys.iter().any(|key| !self.masters.contains(key)) {
                self.masters.retain(|key| !keys.contains(key));
            }
        }
    }

    /// The same, for one instance. What nothing says to be ours stays: it may be the machine's only address.
    pub(super) fn adopt_left_overs_of(&mut self, index: usize, evidence: Evidence) {
        let Some(slot) = self.slots.get(index) else { return };
        let owner = slot.instance.settings.priority.is_owner();
        // an older kernel does not say who set an address: one that we can do without is taken for ours
        let untold = slot.source.is_some() && !self.table.tells_who();
        let mut stay = Vec::new();
        for line in lower::lines(&slot.instance) {
            let device = lower::device(&slot.instance, line, &slot.made);
            let Some(link) = device.and_then(|name| self.table.by_name(&name)) else { continue };
            let place = (link.index, line.address, line.prefix);
            // the file has another prefix length now
            let others = self.table.with_any_prefix(link.index, line.address).filter(|there| there.key() != place);
            for other in others.filter(|there| there.protocol == lower::ADDRESS_PROTOCOL) {
                self.reconciler.desired.left_over(index, Object::Address(other.clone()));
            }
            let Some(there) = self.table.address(&place) else { continue };
            let ours = there.protocol == lower::ADDRESS_PROTOCOL;
            if ours || (!owner && (untold || evidence == Evidence::Journal)) {
                self.reconciler.desired.left_over(index, Object::Address(there.clone()));
            } else if !owner {
                stay.push(place);
            }
        }
        for place in stay {
            self.report_left_over(index, place, LeftOver::Stays);
        }
        self.adopt_left_over_routes(index, evidence);
    }

    /// The router of `index` starts: once its channel is open, if that is being opened.
    pub(super) fn start(&mut self, now: Instant, index: usize) {
        let must_wait = self.must_wait(index);
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.starts_later = must_wait;
        if !must_wait {
            self.tell(now, index, Event::Start);
        }
    }

    fn add(&mut self, key: &InstanceKey, position: usize, instance: &Instance) -> usize {
        self.slots.add(|index| Slot {
            key: key.clone(),
            name: Arc::from(instance.name.as_str()),
            instance: instance.clone(),
            router: Router::new(lower::params(instance, index)),
            position,
            link: None,
            carrier: None,
            made: Vec::new(),
            own_keys: Vec::new(),
            waits_for_link: false,
            links: Vec::new(),
            channel: None,
            opening: None,
            starts_later: false,
            own_faults: Faults::NONE,
            tracked: Sum::default(),
            source: None,
            places: Vec::new(),
            held: Vec::new(),
            unannounced: Vec::new(),
            said: BTreeSet::new(),
            identification: 0,
        })
    }

    /// False if nothing about it changed that its router or its surroundings know of.
    fn update(&mut self, index: usize, position: usize, instance: &Instance) -> bool {
        let Some(slot) = self.slots.get_mut(index) else { return false };
        slot.position = position;
        if slot.instance == *instance {
            return false;
        }
        slot.name = Arc::from(instance.name.as_str());
        slot.instance = instance.clone();
        true
    }

    fn forget(&mut self, index: usize) {
        self.enter(index, None);
        self.release_own_links(index);
        self.trackers.unfollow(index);
        self.neighbours.cancel(index);
        self.deadlines.remove(index);
        self.slots.remove(index);
    }

    /// Puts the members of each sync group together. Returns those that are in a group now or were before: what one of
    /// them stands on concerns the others, or does not any more.
    fn regroup(&mut self, config: &Config, keyed: &Keyed<'_>) -> BTreeSet<usize> {
        let by_name: BTreeMap<&str, usize> = keyed
            .iter()
            .filter_map(|(key, (_, instance))| Some((instance.name.as_str(), self.slots.place_of(key)?)))
            .collect();
        let concerned = self.groups.configure(config, &by_name);
        for (index, slot) in self.slots.entries_mut() {
            slot.router.set_group(self.groups.kind(index));
        }
        concerned
    }
}

/// What says that an address is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Evidence {
    /// Its protocol.
    Mark,
    /// The instance was master in the process before this one.
    Journal,
}

/// Instances and their positions, by what makes them the same.
type Keyed<'a> = BTreeMap<InstanceKey, (usize, &'a Instance)>;

fn sorted_by_position<'a>(keyed: &'a Keyed<'a>) -> Vec<(&'a InstanceKey, (usize, &'a Instance))> {
    let mut sorted: Vec<_> = keyed.iter().map(|(key, place)| (key, *place)).collect();
    sorted.sort_by_key(|(_, (position, _))| *position);
    sorted
}
