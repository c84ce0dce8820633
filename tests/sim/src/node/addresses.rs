//! The addresses in the kernel of a router, and what may keep them from being right.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::network::{Address, LinkIndex};
use keepalived_core::vrrp::State;
use keepalived_kernel::fake::FakeNetwork;
use keepalived_kernel::network::Refused;

use super::links::own;
use super::{Life, Node};
use crate::bounds::Bounds;
use crate::clock::Moment;
use crate::scenario::is_virtual;
use crate::setting::{VirtualId, prefix};

/// How long a master may be without an address that others removed: the engine's pause in a fight over it.
const RESTORED: Duration = Duration::from_millis(1_100);
/// How long the engine may wait before it tries again what the kernel refused.
const RETRIED: Duration = Duration::from_secs(31);

impl Node {
    /// Whether `address` is in its kernel.
    pub fn has(&self, address: IpAddr) -> bool {
        match &self.life {
            // as it was when the engine came to rest
            Life::Up(_) => self.present.contains(&address),
            Life::Down(network) => network.has(address),
        }
    }

    /// Virtual addresses in its kernel.
    pub fn present(&self) -> &[IpAddr] {
        &self.present
    }

    pub(super) fn see_addresses(&mut self) {
        let mut present = std::mem::take(&mut self.present);
        present.clear();
        present.extend(self.network().addresses().map(|address| address.address).filter(|it| is_virtual(*it)));
        self.present = present;
        self.misplaced = self.see_misplaced();
    }

    fn see_misplaced(&mut self) -> Vec<IpAddr> {
        if !self.setting.instances.iter().any(|instance| instance.vmac) {
            return Vec::new();
        }
        let instances = self.setting.instances.iter().filter(|instance| !instance.absent);
        let with_links = instances.filter_map(|instance| {
            Some((self.links.get(&instance.segment).copied()?, instance.virtual_mac(), instance.addresses.clone()))
        });
        let with_links: Vec<_> = with_links.collect();
        let network = self.network();
        let is_right = |there: &Address| {
            let has = |(below, mac, addresses): &(LinkIndex, Option<[u8; 6]>, Vec<IpAddr>)| {
                addresses.contains(&there.address) && own(network, *below, *mac) == Some(there.link)
            };
            with_links.iter().any(has)
        };
        let wrong = network.addresses().filter(|there| is_virtual(there.address) && !is_right(there));
        wrong.map(|there| there.address).collect()
    }

    /// Virtual addresses that are on other interfaces than their virtual routers are on.
    pub fn misplaced(&self) -> &[IpAddr] {
        &self.misplaced
    }

    /// An address of a master that should have been announced by now.
    pub fn unannounced(&self, now: Moment) -> Option<(IpAddr, Duration)> {
        let found = self.unannounced.iter().find(|(_, since)| now.since(**since) > Bounds::ANNOUNCED + self.slack());
        found.map(|(address, since)| (*address, now.since(*since)))
    }

    /// Brings up to date which addresses of masters wait to be announced.
    pub(super) fn note_unannounced(&mut self, now: Moment) {
        let present: BTreeSet<IpAddr> = self.present.iter().copied().collect();
        self.announced.retain(|address| present.contains(address));
        let pairs = self.views.iter().zip(&self.setting.instances);
        let masters = pairs.filter(|(view, _)| view.state == State::Master && !self.mute);
        let owed: BTreeSet<IpAddr> = masters
            .flat_map(|(_, instance)| &instance.addresses)
            .copied()
            .filter(|address| present.contains(address) && !self.announced.contains(address))
            .collect();
        self.unannounced.retain(|address, _| owed.contains(address));
        for address in owed {
            self.unannounced.entry(address).or_insert(now);
        }
    }

    /// Another program removes the first address of `id`. False if it was not there.
    pub fn delete_address(&mut self, now: Moment, id: VirtualId) -> bool {
        let Some(instance) = self.setting.instances.get(id) else { return false };
        let Some(address) = instance.addresses.first().copied() else { return false };
        let there = self.network().addresses().find(|there| there.address == address).map(|there| there.link);
        let Some(link) = there else { return false };
        self.network().remove_address(link, address, prefix(address));
        self.restored_by = now + RESTORED + self.slack();
        self.see_addresses();
        true
    }

    /// Whether a master may be without an address, because another program removed it a moment ago.
    pub fn may_lack(&self, now: Moment) -> bool {
        now < self.restored_by
    }

    /// The kernel refuses to change the first address of `id`, or does not any more.
    pub fn refuse(&mut self, now: Moment, id: VirtualId, refuse: bool) {
        let Some(address) = self.setting.instances.get(id).and_then(|it| it.addresses.first().copied()) else { return };
        if !refuse && !self.refused.contains_key(&address) {
            return;
        }
        let refused = Refused { errno: 12, message: None };
        self.network().refuse(address, refuse.then_some(refused));
        self.refused.insert(address, (!refuse).then(|| now + RETRIED + self.slack()));
    }

    /// Whether nothing is promised of `address` here, because the kernel refuses it or did a short while ago.
    pub fn is_excused(&self, address: IpAddr, now: Moment) -> bool {
        self.refused.get(&address).is_some_and(|until| until.is_none_or(|until| now < until))
    }

    /// Foreign addresses come and go.
    pub fn churn(&mut self, many: u8) {
        let network = self.network();
        for round in 0..4_u8 {
            for number in 0..many {
                let address = IpAddr::from([172, 17, round, number]);
                network.add_address(Address::plain(LinkIndex(9), address, 24));
                network.remove_address(LinkIndex(9), address, 24);
            }
        }
    }
}

/// Removes the virtual addresses that are `unwanted`.
pub(super) fn remove_virtual(network: &mut FakeNetwork, unwanted: impl Fn(&Address) -> bool) {
    let gone = |address: &&Address| is_virtual(address.address) && unwanted(address);
    let all: Vec<_> = network.addresses().filter(gone).map(Address::key).collect();
    for (link, address, prefix) in all {
        network.remove_address(link, address, prefix);
    }
}
