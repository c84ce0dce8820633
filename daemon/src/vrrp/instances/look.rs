//! What is known of links and addresses: the kernel's events, and a new reading after some of them were lost.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use keepalived_core::desired::{Object as _, Seen as _};
use keepalived_core::network::{Inventory, Key, Link, LinkIndex, NetworkEvent, Object};
use keepalived_core::time::Instant;
use keepalived_kernel::network::Network;
use keepalived_kernel::packets::{Channel, Packets};

use super::super::engine::MOST_AT_ONCE;
use super::super::orders::{Answer, Order};
use super::super::report::Report;
use super::Instances;
use super::firewall::When;
use super::surroundings::Touched;

/// Pause before links and addresses are read again, if something may be missing or they could not be read.
const REREAD_PAUSE: Duration = Duration::from_secs(30);
/// Events that are remembered at most while links and addresses are being read.
const MOST_SINCE: usize = 16_384;

/// Channels that are opened at once: joining a group takes some 20 µs, unless the kernel lets us wait.
const MOST_CHANNELS: usize = 64;

/// What the kernel is being asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// Addresses.
    Addresses,
    /// To make or drop sockets.
    Sockets,
    /// What the packet filter does.
    Firewall,
    /// What links and addresses there are.
    Inventory(Since),
}

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

impl Instances {
    /// Looks at what changed about links and addresses.
    pub(in super::super) fn look(&mut self, now: Instant, events: &mut Vec<NetworkEvent>, network: &mut impl Network) {
        let mut touched = Touched::default();
        let mut lost: Vec<(Key, Vec<usize>)> = Vec::new();
        let mut renewed = BTreeSet::new();
        for event in events.drain(..) {
            if let Some(Asked::Inventory(since)) = &mut self.asked {
                since.note(&event);
            }
            match event {
                NetworkEvent::Link(link) => {
                    let index = link.index;
                    let before = self.table.by_index(index);
                    if before.is_some_and(|old| is_renewed(old, &link)) {
                        renewed.insert(index);
                    }
                    let (was_up, is_up) = (before.is_some_and(|old| old.up), link.up);
                    self.mark_made(index);
                    if self.table.link(link) {
                        touched.links.insert(index);
                    }
                    self.mark_made(index);
                    match (was_up, is_up) {
                        (true, false) => self.doubt_routes_on(index, None),
                        (false, true) => self.link_came_up(index),
                        (true, true) | (false, false) => {}
                    }
                }
                NetworkEvent::LinkRemoved(index) => {
                    self.doubt_routes_on(index, None);
                    self.mark_on(index);
                    self.mark_made(index);
                    let made = self.table.upper_key(index);
                    self.forget_settings_of(index);
                    self.table.unlink(index);
                    self.reconciler.desired.forget(|key| key.is_on(index));
                    if let Some(key) = made
                        && let Some(holders) = self.reconciler.desired.lost(&key)
                    {
                        lost.push((key, holders));
                    }
                    touched.links.insert(index);
                }
                NetworkEvent::Address(address) => {
                    if !self.virtual_addresses.contains(&address.address) {
                        touched.links.insert(address.link);
                    }
                    touched.addresses.insert(address.address);
                    // one that we have removed meanwhile: the news of that is still to come
                    let key = Key::Address(address.key());
                    if !self.reconciler.desired.awaits_removal(&key) {
                        self.mark_holders(&key);
                        self.table.add(address);
                        self.reconciler.desired.arrived(&key);
                        self.hurry_routes();
                    }
                }
                NetworkEvent::AddressRemoved { link, address, prefix } => {
                    let place = (link, address, prefix);
                    if !self.virtual_addresses.contains(&address) {
                        touched.links.insert(link);
                    }
                    touched.addresses.insert(address);
                    self.mark_holders(&Key::Address(place));
                    if let Some(holders) = self.reconciler.desired.lost(&Key::Address(place)) {
                        self.table.remove(&place);
                        lost.push((Key::Address(place), holders));
                    }
                    self.doubt_routes_from(place);
                }
                NetworkEvent::Route(route) => self.appeared(Object::Route(route)),
                NetworkEvent::Rule(rule) => self.appeared(Object::Rule(rule)),
                NetworkEvent::RouteRemoved(route) => lost.extend(self.disappeared(Key::Route(route))),
                NetworkEvent::RuleRemoved(rule) => lost.extend(self.disappeared(Key::Rule(rule))),
                NetworkEvent::ReversePathFilter { link, value } => self.filter_changed(now, link, value, network),
                NetworkEvent::FirewallLost(family) => self.firewall_lost(now, family),
                NetworkEvent::Overrun => {
                    self.overruns = self.overruns.saturating_add(1);
                    self.reports.push(Report::Overrun);
                    self.reread_at = Some(now);
                }
            }
        }
        if !touched.links.is_empty() {
            self.filter.touch();
        }
        self.refresh(now, touched, network);
        self.all_lost(now, lost);
        self.announce_on(now, &renewed);
    }

    /// The kernel reports a route or a rule.
    fn appeared(&mut self, object: Object) {
        let key = object.key();
        // one that we have removed meanwhile: the news of that is still to come
        if !self.reconciler.desired.awaits_removal(&key) {
            self.mark_holders(&key);
            self.table.put(object);
            self.reconciler.desired.arrived(&key);
        }
    }

    /// The kernel reports that a route or a rule is gone: it and who held it, unless we removed it.
    fn disappeared(&mut self, key: Key) -> Option<(Key, Vec<usize>)> {
        self.mark_holders(&key);
        let holders = self.reconciler.desired.lost(&key)?;
        self.table.take(&key);
        Some((key, holders))
    }

    /// These objects are gone, and we did not remove them.
    fn all_lost(&mut self, now: Instant, lost: Vec<(Key, Vec<usize>)>) {
        for (key, holders) in lost {
            match key {
                Key::Address(place) => self.lost(now, place, &holders),
                Key::Upper(..) => self.lost_link(now, &key, &holders),
                Key::Link(_) | Key::Setting(_) | Key::Route(_) | Key::Rule(_) => self.lost_route(now, &key, &holders),
            }
        }
    }

    /// Decides what the kernel is asked for next, if it is not being asked: at most `most` addresses; if these are as they should
    /// be, sockets; or a new reading where events were lost.
    pub(in super::super) fn decide<P: Packets>(
        &mut self,
        now: Instant,
        most: usize,
        network: &mut impl Network,
        packets: &mut P,
    ) -> Option<Order<P::Sockets>> {
        if self.asked.is_some() {
            return None;
        }
        if let Some(firewall) = self.next_firewall(now, When::Before) {
            self.asked = Some(Asked::Firewall);
            return Some(Order::Filter(Box::new(firewall)));
        }
        let most = if self.stopped { MOST_AT_ONCE } else { most };
        if let Some(batch) = self.change_addresses(now, most, network) {
            self.asked = Some(Asked::Addresses);
            return Some(Order::Change(batch));
        }
        if let Some(firewall) = self.next_firewall(now, When::After) {
            self.asked = Some(Asked::Firewall);
            return Some(Order::Filter(Box::new(firewall)));
        }
        let sockets = self.sockets(packets);
        if sockets.is_none() && self.reread_at.take_if(|at| *at <= now).is_some() {
            self.asked = Some(Asked::Inventory(Since::default()));
            return Some(Order::Read);
        }
        sockets
    }

    /// The next sockets to make or drop, if there are any.
    pub(in super::super) fn sockets<P: Packets>(&mut self, packets: &mut P) -> Option<Order<P::Sockets>> {
        let wanted = self.channels.take_wanted(MOST_CHANNELS);
        let order = if wanted.is_empty() {
            let closed = self.channels.take_unused().into_iter().filter_map(|channel| packets.close(channel));
            let sockets: Vec<_> = closed.collect();
            (!sockets.is_empty()).then_some(Order::Close(sockets))
        } else {
            let buffers = self.buffers();
            let sized = |channel: Channel| {
                let size = buffers.size(&channel);
                (channel, size)
            };
            Some(Order::Open(wanted.into_iter().map(sized).collect()))
        };
        if order.is_some() {
            self.asked = Some(Asked::Sockets);
        }
        order
    }

    /// When [`Instances::decide`] has something to do next: `None` while the kernel is being asked, whose answer wakes us.
    pub(super) fn next_order(&self) -> Option<Instant> {
        if self.asked.is_some() {
            return None;
        }
        let channels = self.channels.owe_work().then_some(Instant::ZERO);
        [self.reconciler.desired.next(), channels, self.reread_at, self.next_filter()].into_iter().flatten().min()
    }

    /// The kernel has done what it was asked for.
    pub(in super::super) fn answer<P: Packets>(
        &mut self,
        now: Instant,
        answer: Answer<P::Sockets>,
        network: &mut impl Network,
        packets: &mut P,
    ) {
        let asked = self.asked.take();
        match (answer, asked) {
            (Answer::Changed(changed), _) => self.changed(now, changed, network),
            (Answer::Opened(opened), _) => self.opened(now, opened, network, packets),
            (Answer::Filtered(result), _) => self.firewall_answered(now, result),
            (Answer::Read(read), Some(Asked::Inventory(since))) => self.reread(now, read, since, network),
            (Answer::Read(_) | Answer::Closed, _) => {}
        }
    }

    /// Takes over what the kernel had when it was read, and what has happened since.
    fn reread(&mut self, now: Instant, read: io::Result<Inventory>, since: Since, network: &mut impl Network) {
        let inventory = read.ok().filter(|_| !since.incomplete);
        if inventory.as_ref().is_none_or(|inventory| inventory.torn) {
            self.reread_at.get_or_insert(now + REREAD_PAUSE);
        }
        let Some(inventory) = inventory else { return };
        self.mark_all();
        let before: Vec<Link> = self.table.links().cloned().collect();
        self.table.reread(inventory);
        for event in since.events {
            self.table.replay(event);
        }
        let desired = &mut self.reconciler.desired;
        let gone: Vec<LinkIndex> =
            before.iter().map(|link| link.index).filter(|index| self.table.by_index(*index).is_none()).collect();
        desired.forget(|key| gone.iter().any(|link| key.is_on(*link)));
        let missing = desired.resync(&self.table).into_iter();
        let lost: Vec<(Key, Vec<usize>)> = missing.map(|key| (key, desired.holders(&key).to_vec())).collect();
        let was_up: BTreeSet<LinkIndex> = before.iter().filter(|link| link.up).map(|link| link.index).collect();
        let came_up = self.table.links().filter(|link| link.up && !was_up.contains(&link.index));
        let came_up: Vec<LinkIndex> = came_up.map(|link| link.index).collect();
        came_up.into_iter().for_each(|link| self.link_came_up(link));
        self.refresh(now, Touched { all: true, ..Touched::default() }, network);
        self.all_lost(now, lost);
        let renewed =
            before.iter().filter(|old| self.table.by_index(old.index).is_some_and(|link| is_renewed(old, link)));
        let renewed = renewed.map(|link| link.index).collect();
        self.announce_on(now, &renewed);
    }
}

/// Whether the neighbours on a link have to hear of its addresses again.
fn is_renewed(before: &Link, now: &Link) -> bool {
    before.mac != now.mac || (now.running && !before.running)
}
