//! What outsiders see of the instances.

use std::time::SystemTime;

use keepalived_config::InstanceKey;
use keepalived_config::model::Transport;
use keepalived_core::address::VirtualAddress;
use keepalived_core::network::{AddressKey, Key};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::State;
use keepalived_state::{AddressView, InstanceView, Journal, MasterView, VrrpView};

use super::super::slot::Slot;
use super::Instances;

impl Instances {
    /// How the instances stand at `now`, which the wall clock calls `wall`.
    pub(in super::super) fn view(&self, now: Instant, wall: SystemTime) -> VrrpView {
        VrrpView {
            instances: self.in_order().into_iter().map(|(index, slot)| self.instance(now, wall, index, slot)).collect(),
            unknown_vrid: self.unknown_vrids,
            netlink_overruns: self.overruns,
            journal: Journal::default(),
        }
    }

    /// State of every instance, in the order of the configuration.
    pub(in super::super) fn states(&self) -> Vec<(&InstanceKey, &str, State)> {
        self.in_order().into_iter().map(|(_, slot)| (&slot.key, &*slot.name, slot.router.state())).collect()
    }

    /// Forgets what was counted.
    pub(in super::super) fn clear_counters(&mut self) {
        self.slots.iter_mut().flatten().for_each(|slot| slot.router.clear_counters());
    }

    fn in_order(&self) -> Vec<(usize, &Slot)> {
        let mut slots: Vec<_> =
            self.slots.iter().enumerate().filter_map(|(index, slot)| Some((index, slot.as_ref()?))).collect();
        slots.sort_by_key(|(_, slot)| slot.position);
        slots
    }

    fn instance(&self, now: Instant, wall: SystemTime, index: usize, slot: &Slot) -> InstanceView {
        let (instance, router) = (&slot.instance, &slot.router);
        let address = |line: &VirtualAddress| {
            let is_set =
                |place: &&AddressKey| self.reconciler.desired.is_set(index, &Key::Address(**place), &self.table);
            let place = place(slot, line).filter(is_set);
            let also_on = place.and_then(|place| self.duplicate_holder(place));
            AddressView { line: line.clone(), set: place.is_some(), also_on }
        };
        let (group, peers) = match &instance.transport {
            Transport::Multicast { group, .. } => (Some(*group), Vec::new()),
            Transport::Unicast { peers, .. } => (None, peers.iter().map(|peer| peer.address).collect()),
        };
        InstanceView {
            name: instance.name.clone(),
            vrid: instance.vrid,
            version: instance.version,
            family: instance.family,
            state: router.state(),
            initial: instance.initial,
            since: wall.checked_sub(now.since(router.since())).unwrap_or(wall),
            faults: router.faults(),
            interface: instance.interface,
            source: router.source(),
            group,
            peers,
            base_priority: instance.priority,
            effective_priority: router.effective_priority(),
            interval: instance.advert_interval,
            master: router.master().map(|master| MasterView {
                address: master.address,
                priority: master.priority,
                interval: master.interval,
            }),
            master_down_time: router.master_down_time(),
            down_timer_adverts: instance.down_timer_adverts,
            preempt: instance.preempt,
            accept: instance.accept,
            strict: instance.strict,
            checksum: instance.checksum,
            has_password: instance.password.is_some(),
            lower_prio_no_advert: instance.lower_prio_no_advert,
            higher_prio_send_advert: instance.higher_prio_send_advert,
            skip_check_adv_addr: instance.skip_check_adv_addr,
            dont_track_primary: instance.dont_track_primary,
            promote_secondaries: instance.promote_secondaries,
            garp_delay: instance.garp.delay,
            garp_repeat: instance.garp.repeat,
            garp_refresh: instance.garp.refresh,
            garp_refresh_repeat: instance.garp.refresh_repeat,
            garp_lower_prio_delay: instance.garp.lower_prio_delay,
            garp_lower_prio_repeat: instance.garp.lower_prio_repeat,
            addresses: instance.addresses.iter().map(address).collect(),
            excluded_addresses: instance.excluded_addresses.iter().map(address).collect(),
            counters: *router.counters(),
        }
    }
}

/// Where `slot` holds, or wants, the address of `line`.
fn place<'a>(slot: &'a Slot, line: &VirtualAddress) -> Option<&'a AddressKey> {
    slot.places.iter().find(|(_, address, prefix)| (*address, *prefix) == (line.address, line.prefix))
}
