//! The addresses of routers: asked for, let go, put back, announced.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use keepalived_config::model::VipLost;
use keepalived_core::network::{AddressKey, Change, Key, LinkIndex, Object, Setting};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::announce::frame;
use keepalived_core::vrrp::{Event, Family, State};
use keepalived_kernel::network::{Network, Refused};

use super::super::batch::{Batch, Changed};
use super::super::lifetime::AtExit;
use super::super::lower;
use super::super::neighbours::Target;
use super::super::reconciler::Outcome;
use super::super::report::{LeftOver, Report};
use super::super::slot::{Slot, Trouble};
use super::routes::{STATICS, describe};
use super::{FollowUp, Instances};

impl Instances {
    /// Asks for the addresses of `index` that it does not hold yet, and lets go of those it is not to have any more.
    pub(super) fn hold(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let owner = slot.instance.settings.priority.is_owner();
        let name = Arc::clone(&slot.name);
        let old = slot.places.clone();
        let (mut wanted, mut homeless) = (Vec::new(), Vec::new());
        for line in lower::lines(&slot.instance) {
            let device = lower::device(&slot.instance, line, &slot.made);
            match device.and_then(|device| self.table.by_name(&device)) {
                Some(link) => wanted.push(lower::address(line, link.index)),
                None => homeless.push(Report::NoDevice { name: Arc::clone(&name), address: line.address }),
            }
        }
        if !homeless.is_empty() && slot.said.insert(Trouble::NoDevice) {
            self.reports.extend(homeless);
        }
        let places: Vec<AddressKey> =
            wanted.iter().map(|address| (address.link, address.address, address.prefix)).collect();
        let held: BTreeSet<&AddressKey> = old.iter().collect();
        for (address, place) in wanted.into_iter().zip(&places) {
            let there = self.table.address(place);
            let foreign = owner && there.is_some_and(|there| there.protocol != lower::ADDRESS_PROTOCOL);
            let wish = Object::Address(address);
            if held.contains(place) && self.reconciler.desired.looks(&wish) {
                continue;
            }
            self.reconciler.desired.hold(index, wish, foreign);
        }
        let kept: BTreeSet<&AddressKey> = places.iter().collect();
        let gone: Vec<&AddressKey> = old.iter().filter(|place| !kept.contains(place)).collect();
        for place in &gone {
            self.reconciler.desired.release(index, &Key::Address(**place));
        }
        if !gone.is_empty() {
            self.forget_probes(gone.iter().copied());
            let gone = gone.iter().map(|(link, address, _)| (*link, *address)).collect();
            self.neighbours.withdraw(index, &gone);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.places = places;
        }
        self.filter.touch();
        self.hold_routes(index);
        self.mark(index);
    }

    pub(super) fn release(&mut self, index: usize) {
        self.neighbours.cancel(index);
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.unannounced.clear();
        let places = std::mem::take(&mut slot.places);
        self.mark(index);
        self.filter.touch();
        self.forget_probes(&places);
        if self.at_exit == AtExit::Keep {
            return;
        }
        for place in places {
            self.reconciler.desired.release(index, &Key::Address(place));
        }
        self.release_routes(index);
    }

    /// The next request to the kernel, so that it agrees with what is held.
    pub(super) fn change_addresses(&mut self, now: Instant, most: usize, network: &mut impl Network) -> Option<Batch> {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        let batch = self.reconciler.batch(now, most, &mut self.table, &mut outcomes);
        for key in batch.iter().flat_map(Batch::keys) {
            self.mark_holders(&key);
        }
        self.digest(now, outcomes, network);
        batch
    }

    /// The kernel has worked through it.
    pub(super) fn changed(&mut self, now: Instant, changed: Changed, network: &mut impl Network) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        for (change, _) in &changed.results {
            self.mark_holders(&change.key());
        }
        for (link, _) in &changed.unguarded {
            self.mark_on(*link);
        }
        let filters = |(change, result): &(Change, Result<(), Refused>)| result.is_ok() && moves_filters(change);
        let moved = changed.results.iter().any(filters);
        for (link, reason) in self.reconciler.changed(now, changed, &mut self.table, &mut outcomes) {
            if let Some(link) = self.table.by_index(link) {
                self.reports.push(Report::Unguarded { interface: link.name, reason });
            }
        }
        if moved {
            self.doubt_made_links();
        }
        for link in self.reconciler.take_emptied() {
            self.doubt_routes_on(link, Some(Family::V4));
        }
        self.digest(now, outcomes, network);
    }

    /// Does what follows from `outcomes`.
    fn digest(&mut self, now: Instant, mut outcomes: Vec<Outcome>, network: &mut impl Network) {
        let mut seen = BTreeSet::new();
        for outcome in outcomes.drain(..) {
            let is_new = self.note_refusal(&outcome);
            match outcome {
                // no neighbour is told of what is static, nor of what has no address
                Outcome::Settled { holder: STATICS, .. } => {}
                Outcome::Settled { holder, key } if self.is_of_own_link(holder, &key) => {}
                Outcome::Settled { holder, key: Key::Address(place) } => {
                    if place.1.is_ipv6() && seen.insert(place.0) {
                        self.note_forwarding(place.0, network);
                    }
                    self.owe_announcement(holder, place);
                    self.probe_for(now, place);
                }
                Outcome::LeftOverGone { holder, key: Key::Address(place) } => {
                    self.report_left_over(holder, place, LeftOver::Removed);
                }
                Outcome::Refused { holder, key: Key::Address((_, address, _)), refused } => {
                    let Some(name) = self.holder_name(holder).filter(|_| is_new) else { continue };
                    self.reports.push(Report::AddressRefused { name, address, reason: refused.to_string() });
                }
                Outcome::Settled { .. } => {}
                Outcome::LeftOverGone { holder, key } => {
                    let Some(name) = self.holder_name(holder) else { continue };
                    self.reports.push(Report::RouteLeftOver { name, what: describe(&key) });
                }
                Outcome::Refused { holder, key, refused } => {
                    let Some(name) = self.holder_name(holder) else { continue };
                    if is_new {
                        let (what, reason) = (describe(&key), refused.to_string());
                        self.reports.push(Report::RouteRefused { name, what, reason });
                    }
                    if matches!(key, Key::Upper(..)) {
                        let holders = self.reconciler.desired.holders(&key).to_vec();
                        holders.into_iter().for_each(|index| self.link_refused(now, index));
                    }
                }
            }
        }
        // keeps its capacity
        self.outcomes = outcomes;
        self.follow_up(now);
    }

    /// Whether this is the address that a link made for `index` has whoever is master. Neighbours know it from the link below, and with the
    /// MAC address of that.
    fn is_of_own_link(&self, index: usize, key: &Key) -> bool {
        let Key::Address(place) = key else { return false };
        self.slots.get(index).is_some_and(|slot| slot.own_keys.contains(key) && !slot.places.contains(place))
    }

    /// Notes what the kernel refuses; false if it has refused that with the same words before, and not granted it since.
    fn note_refusal(&mut self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Refused { key, refused, .. } => {
                let reason = refused.to_string();
                let before = self.refusals.insert(*key, reason);
                before.as_ref() != self.refusals.get(key)
            }
            Outcome::Settled { key, .. } | Outcome::LeftOverGone { key, .. } => {
                self.refusals.remove(key);
                true
            }
        }
    }

    /// Forgets refusals of what nobody wants any more.
    pub(super) fn forget_refusals(&mut self) {
        let desired = &self.reconciler.desired;
        self.refusals.retain(|key, _| !desired.holders(key).is_empty());
    }

    pub(super) fn report_left_over(&mut self, index: usize, (link, address, prefix): AddressKey, fate: LeftOver) {
        if let (Some(slot), Some(link)) = (self.slots.get(index), self.table.by_index(link)) {
            let (name, interface) = (Arc::clone(&slot.name), link.name);
            self.reports.push(Report::LeftOver { name, address, prefix, interface, fate });
        }
    }

    /// Whether addresses are still to be changed right now, or are being changed.
    pub(in super::super) fn owes_changes(&self) -> bool {
        self.reconciler.desired.is_busy()
    }

    /// The same, and whether addresses that are to go are still there because the kernel has refused to remove them.
    pub(in super::super) fn owes_removals(&self) -> bool {
        self.reconciler.desired.owes_removals(&self.table) || self.owes_firewall()
    }

    /// Another program took away what is at `place`; those of `holders` that still want it decide.
    pub(super) fn lost(&mut self, now: Instant, place: AddressKey, holders: &[usize]) {
        let (_, address, _) = place;
        let mut restore = false;
        for index in holders {
            if *index == STATICS {
                let name = self.holder_name(STATICS).unwrap_or_default();
                self.reports.push(Report::AddressLost { name, address, answer: VipLost::Restore });
                restore = true;
            }
            let Some(slot) = self.slots.get(*index) else { continue };
            if slot.own_keys.contains(&Key::Address(place)) {
                let (name, what) = (Arc::clone(&slot.name), describe(&Key::Address(place)));
                self.reports.push(Report::RouteLost { name, what, answer: VipLost::Restore });
                restore = true;
                continue;
            }
            if !slot.places.contains(&place) {
                continue;
            }
            let tracked = lower::lines(&slot.instance).any(|line| line.address == address && line.tracked);
            let answer = if tracked { self.vip_lost } else { VipLost::Restore };
            let name = Arc::clone(&slot.name);
            self.reports.push(Report::AddressLost { name, address, answer });
            match answer {
                VipLost::Restore => restore = true,
                VipLost::Backup => self.tell(now, *index, Event::AddressLost),
            }
        }
        if restore {
            self.reconciler.desired.restore(now, &Key::Address(place));
        }
    }

    /// What is at `place` is there for `index`: its router is told once for all places of a batch, and announces them.
    fn owe_announcement(&mut self, index: usize, place: AddressKey) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.unannounced.push(place);
        if slot.unannounced.len() == 1 {
            self.follow_ups.push_back((index, FollowUp::InPlace));
        }
    }

    /// `links` came up, or have another MAC address: the neighbours have to hear of the addresses there again.
    pub(super) fn announce_on(&mut self, now: Instant, links: &BTreeSet<LinkIndex>) {
        if links.is_empty() {
            return;
        }
        for index in self.slots.places() {
            let Some(slot) = self.slots.get(index).filter(|slot| slot.router.state() == State::Master) else {
                continue;
            };
            let there = |place: &&AddressKey| links.contains(&place.0) && self.table.address(place).is_some();
            let places: Vec<AddressKey> = slot.places.iter().filter(there).copied().collect();
            for place in places {
                self.owe_announcement(index, place);
                self.probe_for(now, place);
            }
        }
        self.follow_up(now);
    }

    /// Announces what came into place for `index` since it last did.
    pub(super) fn announce_new(&mut self, index: usize, rounds: u32) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let places = std::mem::take(&mut slot.unannounced);
        let targets = places.iter().filter_map(|(link, address, _)| self.target(*link, *address)).collect();
        self.neighbours.announce(index, targets, rounds);
    }

    /// Where to announce what for `index`: all its addresses that are in place.
    pub(super) fn targets(&self, index: usize) -> Vec<Target> {
        let Some(slot) = self.slots.get(index) else { return Vec::new() };
        let there = |place: &&AddressKey| self.table.address(place).is_some();
        slot.places.iter().filter(there).filter_map(|(link, address, _)| self.target(*link, *address)).collect()
    }

    /// Announces the addresses of the master called `name`, in one round.
    pub(in super::super) fn announce_once_more(&mut self, name: &str) {
        let is_it = |slot: &Slot| *slot.name == *name && slot.router.state() == State::Master;
        let Some((index, _)) = self.slots.entries().find(|(_, slot)| is_it(slot)) else { return };
        let targets = self.targets(index);
        self.neighbours.announce(index, targets, 1);
    }

    /// Announces the address that adverts leave from.
    pub(super) fn announce_source(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        // nobody is a neighbour on a VRF
        if slot.instance.vrf.is_none()
            && let (Some(link), Some(source)) = (slot.carrier, slot.source)
            && let Some(target) = self.target(link, source)
        {
            self.neighbours.announce(index, vec![target], 1);
        }
    }

    /// Announces one address on each interface that is not the router's own: on virtual MACs only, if nothing is said of all.
    pub(super) fn announce_elsewhere(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        let all = !slot.instance.settings.garp.extra_interface.is_zero();
        let is_made = |link| self.table.by_index(link).is_some_and(|link| link.upper.is_some());
        let elsewhere: BTreeMap<LinkIndex, IpAddr> = slot
            .places
            .iter()
            .rev()
            .filter(|(link, _, _)| Some(*link) != slot.link && (all || is_made(*link)))
            .map(|(link, address, _)| (*link, *address))
            .collect();
        let targets = elsewhere.into_iter().filter_map(|(link, address)| self.target(link, address)).collect();
        self.neighbours.announce(index, targets, 1);
    }

    fn target(&self, link: LinkIndex, address: IpAddr) -> Option<Target> {
        let router = if self.table.forwards(link) { frame::Router::Yes } else { frame::Router::No };
        let link = self.table.by_index(link)?;
        Some(Target { link: link.index, name: link.name, mac: link.mac?, address, router })
    }

    /// Finds out whether `link` forwards: it may have changed since.
    fn note_forwarding(&mut self, link: LinkIndex, network: &mut impl Network) {
        if let Some(known) = self.table.by_index(link) {
            let forwards = network.forwards_ipv6(known);
            self.table.note_forwarding(link, forwards);
        }
    }
}

/// Whether it gives every link a reverse path filter of its own, virtual MACs that are there too.
const fn moves_filters(change: &Change) -> bool {
    matches!(change, Change::Present(Object::Setting(Setting::NoReversePathFilter { .. })))
}
