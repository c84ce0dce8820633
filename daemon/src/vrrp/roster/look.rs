//! What is known of links and addresses: the kernel's events, and a new reading after some of them were lost.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::network::{Inventory, Network, NetworkEvent};
use keepalived_kernel::packets::Packets;

use super::super::landscape::Place;
use super::super::orders::{Answer, Order};
use super::super::report::Report;
use super::Roster;
use super::ground::Touched;

/// Pause before links and addresses are read again, if something may be missing or they could not be read.
const REREAD_PAUSE: Duration = Duration::from_secs(30);
/// Events that are remembered at most while links and addresses are being read.
const MOST_SINCE: usize = 16_384;

/// What has happened since links and addresses are being read: what was read may be older.
#[derive(Debug, Default)]
pub(super) struct Since {
    events: Vec<NetworkEvent>,
    /// There were more.
    incomplete: bool,
}

impl Since {
    fn note(&mut self, event: &NetworkEvent) {
        if self.events.len() < MOST_SINCE {
            self.events.push(event.clone());
        } else {
            self.incomplete = true;
        }
    }
}

impl Roster {
    /// Looks at what changed about links and addresses.
    pub(in super::super) fn look(
        &mut self,
        now: Instant,
        events: &mut Vec<NetworkEvent>,
        network: &mut impl Network,
        packets: &mut impl Packets,
    ) {
        let mut touched = Touched::default();
        let mut lost: Vec<(Place, Vec<usize>)> = Vec::new();
        let mut renewed = BTreeSet::new();
        for event in events.drain(..) {
            if let Some(since) = &mut self.reading {
                since.note(&event);
            }
            match event {
                NetworkEvent::Link(link) => {
                    let index = link.index;
                    let before = self.landscape.by_index(index);
                    if before.is_some_and(|old| old.mac != link.mac || (link.running && !old.running)) {
                        renewed.insert(index);
                    }
                    if self.landscape.link(link) {
                        touched.links.insert(index);
                    }
                }
                NetworkEvent::LinkRemoved(index) => {
                    self.landscape.unlink(index);
                    self.holdings.unlink(index);
                    touched.links.insert(index);
                }
                NetworkEvent::Address(address) => {
                    if !self.virtual_addresses.contains(&address.address) {
                        touched.links.insert(address.link);
                    }
                    touched.addresses.insert(address.address);
                    // one that we have removed meanwhile: the news of that is still to come
                    if !self.holdings.awaits_removal(&address.key()) {
                        self.landscape.add(address);
                    }
                }
                NetworkEvent::AddressRemoved { link, address, prefix } => {
                    let place = (link, address, prefix);
                    if !self.virtual_addresses.contains(&address) {
                        touched.links.insert(link);
                    }
                    touched.addresses.insert(address);
                    if let Some(holders) = self.holdings.lost(&place) {
                        self.landscape.remove(&place);
                        lost.push((place, holders));
                    }
                }
                NetworkEvent::Overrun => {
                    self.overruns = self.overruns.saturating_add(1);
                    self.reports.push(Report::Overrun);
                    self.reread_at = Some(now);
                }
            }
        }
        self.reground(now, &touched, network, packets);
        for (place, holders) in lost {
            self.lost(now, place, &holders);
        }
        self.announce_on(now, &renewed);
    }

    /// Decides what the kernel is asked for next: at most `most` addresses, or, if these are as they should be, a new reading
    /// where events were lost.
    pub(in super::super) fn decide(&mut self, now: Instant, most: usize, network: &mut impl Network) {
        if self.is_waiting() {
            return;
        }
        self.order = self.change_addresses(now, most, network).map(Order::Change);
        if self.order.is_none() && self.reread_at.take_if(|at| *at <= now).is_some() {
            self.reading = Some(Since::default());
            self.order = Some(Order::Read);
        }
    }

    /// The next request to the kernel, once.
    pub(in super::super) fn order(&mut self) -> Option<Order> {
        self.order.take()
    }

    /// Whether the kernel is being asked for something.
    pub(super) const fn is_waiting(&self) -> bool {
        self.holdings.is_waiting() || self.reading.is_some()
    }

    /// When [`Roster::decide`] has something to do next.
    pub(super) fn next_order(&self) -> Option<Instant> {
        self.holdings.next().into_iter().chain(self.reread_at).min()
    }

    /// The kernel has done what it was asked for.
    pub(in super::super) fn answer(
        &mut self,
        now: Instant,
        answer: Answer,
        network: &mut impl Network,
        packets: &mut impl Packets,
    ) {
        match answer {
            Answer::Changed(changed) => self.changed(now, changed, network),
            Answer::Read(read) => self.reread(now, read, network, packets),
        }
    }

    /// Takes over what the kernel had when it was read, and what has happened since.
    fn reread(
        &mut self,
        now: Instant,
        read: io::Result<Inventory>,
        network: &mut impl Network,
        packets: &mut impl Packets,
    ) {
        let Some(since) = self.reading.take() else { return };
        let inventory = read.ok().filter(|_| !since.incomplete);
        if inventory.as_ref().is_none_or(|inventory| inventory.torn) {
            self.reread_at.get_or_insert(now + REREAD_PAUSE);
        }
        let Some(inventory) = inventory else { return };
        self.landscape.reread(inventory);
        for event in since.events {
            self.landscape.replay(event);
        }
        let missing = self.holdings.resync(&self.landscape);
        let lost: Vec<_> = missing.into_iter().map(|place| (place, self.holdings.holders(&place))).collect();
        self.reground(now, &Touched { all: true, ..Touched::default() }, network, packets);
        for (place, holders) in lost {
            self.lost(now, place, &holders);
        }
    }
}
