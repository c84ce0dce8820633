//! Links that routers run on and that are made for them: virtual MACs, and the settings that come with these. They are there while the
//! instance is configured, whatever its state.

use std::collections::BTreeSet;

use keepalived_config::model::VipLost;
use keepalived_core::address::InterfaceName;
use keepalived_core::desired::{Object as _, Seen as _};
use keepalived_core::network::{ArpSetting, Key, LinkIndex, Object, Setting};
use keepalived_core::time::Instant;
use keepalived_kernel::network::Network;

use super::super::engine::MOST_AT_ONCE;
use super::super::lifetime::BorrowedSettings;
use super::super::lower;
use super::super::report::Report;
use super::super::slot::Slot;
use super::Instances;
use super::routes::describe;

impl Instances {
    /// Names the links that `index` needs, and asks for them and for what belongs to them; lets go of those that it needs no more.
    pub(super) fn hold_own_links(&mut self, now: Instant, index: usize, network: &mut impl Network) {
        let Some(slot) = self.slots.get(index).filter(|_| !self.stopped) else { return };
        let needs_any = slot.instance.own_link.is_some()
            || slot.instance.vmac_addresses
            || lower::lines(&slot.instance).any(|line| line.use_vmac);
        if !needs_any && slot.made.is_empty() {
            return;
        }
        let unchanged = lower::needs(&slot.instance).iter().eq(slot.made.iter().map(|made| &made.need));
        let made = if unchanged { self.present_names_of(slot) } else { self.names_of(slot) };
        let misnamed = if unchanged { Vec::new() } else { self.misnamed(&made) };
        let (mut wanted, mut waits) = (Vec::new(), false);
        for made in &made {
            let Some(upper) = lower::upper(made, &self.table) else { continue };
            let parent = upper.parent;
            let with_filters = made.need.needs_filters();
            waits |= self.table.by_name(&made.name).is_none();
            wanted.push(Object::Upper(Box::new(upper)));
            if with_filters {
                wanted.extend(self.settings_for(parent, network).into_iter().map(Object::Setting));
            }
            let is_virtual = |address| self.virtual_addresses.contains(&address);
            wanted.extend(lower::own_address(made, &self.table, is_virtual).map(Object::Address));
        }
        let keys: Vec<Key> = wanted.iter().map(Object::key).collect();
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.made = made;
        let old = std::mem::replace(&mut slot.own_keys, keys.clone());
        let new = keys.iter().any(|key| matches!(key, Key::Upper(..)) && !old.contains(key));
        slot.waits_for_link = (slot.waits_for_link || new) && waits;
        let desired = &mut self.reconciler.desired;
        misnamed.into_iter().for_each(|link| desired.left_over(index, link));
        for wish in wanted {
            let key = wish.key();
            if old.contains(&key) && desired.looks(&wish) {
                // others may have changed it
                if matches!(key, Key::Upper(..) | Key::Setting(_)) {
                    desired.check(now, &key, &self.table);
                }
                continue;
            }
            desired.hold(index, wish, false);
            if matches!(key, Key::Upper(..)) {
                // one that an earlier run left has its settings made right, and is taken up
                desired.doubt(&key);
            }
        }
        for gone in old.iter().filter(|key| !keys.contains(key)) {
            desired.release(index, gone);
        }
    }

    fn names_of(&self, slot: &Slot) -> Vec<lower::Made> {
        let of_others = self.slots.iter().filter(|other| other.key != slot.key);
        let others: Vec<&lower::Made> = of_others.clone().flat_map(|other| &other.made).collect();
        let configured = self.slots.iter().flat_map(|slot| lower::configured_names(&slot.instance));
        let reserved: BTreeSet<InterfaceName> = configured.collect();
        lower::names(&slot.instance, &slot.made, &self.vmac_names, &self.table, &others, &reserved)
    }

    /// What its links are called now: another program may have renamed one, which stays as it is.
    fn present_names_of(&self, slot: &Slot) -> Vec<lower::Made> {
        let mut all = slot.made.clone();
        for made in all.iter_mut().filter(|made| self.table.by_name(&made.name).is_none()) {
            let own = slot.link.filter(|_| made.need.own);
            made.name = lower::renamed(&made.need, own, &self.table).unwrap_or(made.name);
        }
        all
    }

    /// Links that an earlier run has left under other names than those that are configured for `made`. Of two links with one MAC address
    /// the kernel takes up one.
    fn misnamed(&self, made: &[lower::Made]) -> Vec<Object> {
        let is_ours = |name: InterfaceName| self.slots.iter().flat_map(|slot| &slot.made).any(|it| it.name == name);
        let missing = made.iter().filter(|made| self.table.by_name(&made.name).is_none());
        let others = missing.filter_map(|made| {
            let name = lower::renamed(&made.need, None, &self.table).filter(|name| !is_ours(*name))?;
            let parent = self.table.by_name(&made.need.base)?.index;
            self.table.get(&Key::Upper(parent, name))
        });
        others.collect()
    }

    /// The settings that an IPv4 virtual MAC on `parent` needs and that differ.
    fn settings_for(&mut self, parent: LinkIndex, network: &mut impl Network) -> Vec<Setting> {
        let Some(link) = self.table.by_index(parent) else { return Vec::new() };
        let arp = *self.borrowed.arp.entry(link.name).or_insert(link.arp);
        // what cannot be read cannot be put back
        let filters =
            *self.borrowed.reverse_path_filter.get_or_insert_with(|| network.reverse_path_filter().unwrap_or_default());
        let differ = ArpSetting::ALL.into_iter().filter(|setting| arp.get(*setting) != setting.needed());
        let of_arp = |setting| Setting::Arp { link: parent, setting, before: arp.get(setting) };
        let mut settings: Vec<Setting> = differ.map(of_arp).collect();
        if let (all @ 1.., default) = filters {
            settings.push(Setting::NoReversePathFilter { all, default });
        }
        settings
    }

    /// `rp_filter` of `link`, or of all links, is `value` now. With another one than 0, virtual MACs of IPv4 receive nothing: there is no
    /// route by way of them. Programs that set what an administrator has configured do so again for each new link, and for all.
    pub(super) fn filter_changed(
        &mut self,
        now: Instant,
        link: Option<LinkIndex>,
        value: u8,
        network: &mut impl Network,
    ) {
        if value == 0 {
            return;
        }
        let all = self.slots.iter().flat_map(|slot| &slot.made).filter(|made| made.need.needs_filters());
        let concerned = all
            .map(|made| made.name)
            .filter(|name| link.is_none_or(|link| self.table.by_name(name).is_some_and(|there| there.index == link)));
        let concerned: BTreeSet<InterfaceName> = concerned.collect();
        if concerned.is_empty() {
            return;
        }
        if let Some(link) = link {
            if let Some(key) = self.table.upper_key(link) {
                self.reconciler.desired.doubt(&key);
            }
            return;
        }
        let known = self.borrowed.reverse_path_filter.unwrap_or_default();
        if let (before @ 1.., default) = known {
            let key = Key::Setting(Setting::NoReversePathFilter { all: before, default });
            if self.table.take(&key) {
                self.reconciler.desired.check(now, &key, &self.table);
            }
            return;
        }
        let (_, default) = known;
        self.borrowed.reverse_path_filter = Some((value, default));
        for index in self.slots.places() {
            self.hold_own_links(now, index, network);
        }
    }

    /// Links that were made are set again: the kernel has given each link a reverse path filter.
    pub(super) fn doubt_made_links(&mut self) {
        let keys = self.slots.iter().flat_map(|slot| &slot.own_keys);
        let links: Vec<Key> = keys.filter(|key| matches!(key, Key::Upper(..))).copied().collect();
        links.iter().for_each(|key| self.reconciler.desired.doubt(key));
    }

    /// Makes the links of all instances, and waits for the kernel: no router has begun.
    pub(super) fn make_own_links(&mut self, now: Instant, network: &mut impl Network) {
        // an address that belongs to a link waits until that is there
        for _ in 0..2 {
            for index in self.slots.places() {
                self.hold_own_links(now, index, network);
            }
            let mut any = false;
            while let Some(batch) = self.change_addresses(now, MOST_AT_ONCE, network) {
                any = true;
                let changed = batch.carry_out(network);
                self.changed(now, changed, network);
            }
            if !any {
                return;
            }
            // a thousand links cause more events than there is room for
            let mut old = Vec::new();
            while !network.events(&mut old) {
                old.clear();
            }
            if let Ok(inventory) = network.inventory() {
                self.table.reread(inventory);
            }
        }
    }

    /// Lets go of the links of `index`.
    pub(super) fn release_own_links(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.made.clear();
        for key in std::mem::take(&mut slot.own_keys) {
            self.reconciler.desired.release(index, &key);
        }
    }

    /// The interface that `slot` runs on, and the one below it.
    pub(super) fn homes(slot: &Slot) -> Option<(InterfaceName, InterfaceName)> {
        let base = slot.instance.interface?;
        let own = slot.made.iter().find(|made| made.need.own).map_or(base, |made| made.name);
        Some((own, base))
    }

    /// A link that was made is gone, and we did not remove it.
    pub(super) fn lost_link(&mut self, now: Instant, key: &Key, holders: &[usize]) {
        let Key::Upper(parent, _) = key else { return };
        if self.table.by_index(*parent).is_none() || holders.is_empty() {
            return;
        }
        // who holds it by another name now has lost nothing
        let holds = |index: &&usize| self.slots.get(**index).is_some_and(|slot| slot.own_keys.contains(key));
        let holders: Vec<usize> = holders.iter().filter(holds).copied().collect();
        for index in &holders {
            if let Some(name) = self.holder_name(*index) {
                self.reports.push(Report::RouteLost { name, what: describe(key), answer: VipLost::Restore });
            }
        }
        self.reconciler.desired.restore(now, key);
    }

    /// The kernel did not make a link: who waits for it starts without, in FAULT.
    pub(super) fn link_refused(&mut self, now: Instant, index: usize) {
        if let Some(slot) = self.slots.get_mut(index)
            && std::mem::replace(&mut slot.waits_for_link, false)
        {
            self.start_waiting(now, index);
        }
    }

    /// `link` goes: its settings with it.
    pub(super) fn forget_settings_of(&mut self, link: LinkIndex) {
        if let Some(link) = self.table.by_index(link) {
            self.borrowed.arp.remove(&link.name);
        }
    }

    /// What settings were before.
    pub(in super::super) const fn borrowed(&self) -> &BorrowedSettings {
        &self.borrowed
    }
}
