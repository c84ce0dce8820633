//! All routers, and what stands between them and the kernel.
//!
//! Nothing here makes a system call except through the kernel traits that are handed in.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::{Transport, VipLost};
use keepalived_core::address::InterfaceName;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Datagram, Effect, Event, Family, Fault, Faults, Router, State};
use keepalived_kernel::network::{LinkIndex, Network, NetworkEvent};
use keepalived_kernel::packets::{BufferSize, Channel, ChannelId, Incoming, Packets};

use super::deadlines::Deadlines;
use super::engine::AtExit;
use super::holdings::{Holdings, Outcome};
use super::landscape::{Landscape, Place};
use super::lower;
use super::neighbours::{Neighbours, Target};
use super::outbox::Outbox;
use super::report::Report;
use super::slot::Slot;

mod configure;
mod view;

/// Every router with its surroundings.
#[derive(Debug)]
pub(super) struct Roster {
    slots: Vec<Option<Slot>>,
    by_key: BTreeMap<InstanceKey, usize>,
    groups: Vec<Vec<usize>>,
    /// Open channels, and how many routers use each.
    channels: BTreeMap<Channel, (ChannelId, usize)>,
    /// Routers by channel and VRID; more than one only for unicast with different peers.
    dispatch: HashMap<(ChannelId, u8), Vec<usize>>,
    landscape: Landscape,
    holdings: Holdings,
    neighbours: Neighbours,
    outbox: Outbox,
    deadlines: Deadlines,
    reports: Vec<Report>,
    effects: Vec<Effect>,
    follow_ups: VecDeque<(usize, FollowUp)>,
    outcomes: Vec<Outcome>,
    /// Masters of the process before this one, until the routers begin.
    masters: BTreeSet<InstanceKey>,
    begun: bool,
    at_exit: AtExit,
    vip_lost: VipLost,
    log_unknown_vrids: bool,
    default_buffer: Option<u32>,
    /// Virtual addresses of all instances, which are no source address.
    virtual_addresses: BTreeSet<IpAddr>,
    /// When sockets that could not be opened are tried again.
    reopen_at: Option<Instant>,
    unknown_vrids: u64,
    unknown_vrids_logged: BTreeSet<(ChannelId, u8)>,
    overruns: u64,
}

/// What one router's effect means for another.
#[derive(Clone, Copy, Debug)]
enum FollowUp {
    GroupMaster,
    GroupBackup,
    InPlace,
}

/// Unknown VRIDs that are logged at most.
const MOST_UNKNOWN_LOGGED: usize = 256;
/// Octets that one waiting advert takes in a socket's buffer, generously (Linux accounts the whole skb).
const OCTETS_PER_ADVERT: u32 = 2_048;
/// Adverts of each instance that a channel's buffer has room for.
const ADVERTS_PER_INSTANCE: u32 = 8;
/// Pause before sockets that could not be opened are tried again.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// A channel's receive buffer at least, and at most.
const BUFFER: std::ops::RangeInclusive<u32> = 262_144..=67_108_864;

impl Roster {
    /// Nobody yet.
    pub(super) fn new(landscape: Landscape, masters: BTreeSet<InstanceKey>) -> Self {
        Self {
            slots: Vec::new(),
            by_key: BTreeMap::new(),
            groups: Vec::new(),
            channels: BTreeMap::new(),
            dispatch: HashMap::new(),
            landscape,
            holdings: Holdings::default(),
            neighbours: Neighbours::default(),
            outbox: Outbox::default(),
            deadlines: Deadlines::default(),
            reports: Vec::new(),
            effects: Vec::new(),
            follow_ups: VecDeque::new(),
            outcomes: Vec::new(),
            masters,
            begun: false,
            at_exit: AtExit::Release,
            vip_lost: VipLost::Restore,
            log_unknown_vrids: false,
            default_buffer: None,
            virtual_addresses: BTreeSet::new(),
            reopen_at: None,
            unknown_vrids: 0,
            unknown_vrids_logged: BTreeSet::new(),
            overruns: 0,
        }
    }

    /// Every router starts, or resumes what it was.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.begun {
            return;
        }
        self.begun = true;
        let masters = std::mem::take(&mut self.masters);
        for slot in 0..self.slots.len() {
            let resumes = self.slot(slot).is_some_and(|slot| masters.contains(&slot.key));
            self.tell(now, slot, if resumes { Event::Resume } else { Event::Start });
            if resumes {
                // one that lost its interface meanwhile does not hold them: then they go
                self.adopt_left_overs_of(slot);
            }
        }
    }

    /// A packet arrived.
    pub(super) fn hear(&mut self, now: Instant, incoming: &Incoming<'_>, message: &[u8]) {
        let Some(vrid) = message.get(1) else { return };
        let Some(slot) = self.addressee(incoming.channel, *vrid, incoming.source) else {
            self.unknown_vrid(incoming, *vrid);
            return;
        };
        let datagram = Datagram {
            source: incoming.source,
            destination: incoming.destination,
            ttl: incoming.ttl,
            received: incoming.received,
            message,
        };
        self.tell(now, slot, Event::Datagram(&datagram));
    }

    /// Whom a packet is for: where several routers share VRID and address, the one that has its sender as a peer.
    fn addressee(&self, channel: ChannelId, vrid: u8, source: IpAddr) -> Option<usize> {
        let candidates = self.dispatch.get(&(channel, vrid))?;
        let has_peer = |slot: &&usize| {
            self.slot(**slot).is_some_and(|slot| match &slot.instance.transport {
                Transport::Unicast { peers, .. } => peers.iter().any(|peer| peer.address == source),
                Transport::Multicast { .. } => true,
            })
        };
        candidates.iter().find(has_peer).or_else(|| candidates.first()).copied()
    }

    fn unknown_vrid(&mut self, incoming: &Incoming<'_>, vrid: u8) {
        self.unknown_vrids = self.unknown_vrids.saturating_add(1);
        if self.log_unknown_vrids
            && self.unknown_vrids_logged.len() < MOST_UNKNOWN_LOGGED
            && self.unknown_vrids_logged.insert((incoming.channel, vrid))
        {
            self.reports.push(Report::UnknownVrid { vrid, source: incoming.source });
        }
    }

    /// Lets at most `most` deadlines fire, and says how many did. With unread adverts about (`all_heard` false) no backup believes in silence.
    pub(super) fn expire(&mut self, now: Instant, most: usize, all_heard: bool) -> usize {
        let (mut fired, mut waits) = (0, Vec::new());
        for _ in 0..most {
            let Some(index) = self.deadlines.pop(now) else { break };
            fired += 1;
            if !all_heard && self.slot(index).is_some_and(|slot| slot.router.state() == State::Backup) {
                waits.push(index);
                continue;
            }
            self.with_router(index, |router, effects| router.handle_timeout(now, effects));
            self.act(index);
            self.follow_up(now);
        }
        for index in waits {
            let deadline = self.slot(index).and_then(|slot| slot.router.next_deadline());
            self.deadlines.set(index, deadline);
        }
        fired
    }

    /// Looks at what changed about links and addresses.
    pub(super) fn look(
        &mut self,
        now: Instant,
        events: &mut Vec<NetworkEvent>,
        network: &mut impl Network,
        packets: &mut impl Packets,
    ) {
        let mut touched = BTreeSet::new();
        let mut lost: Vec<(Place, Vec<usize>)> = Vec::new();
        for event in events.drain(..) {
            match event {
                NetworkEvent::Link(link) => {
                    let index = link.index;
                    if self.landscape.link(link) {
                        touched.insert(index);
                    }
                }
                NetworkEvent::LinkRemoved(index) => {
                    self.landscape.unlink(index);
                    self.holdings.unlink(index);
                    touched.insert(index);
                }
                NetworkEvent::Address(address) => {
                    if !self.virtual_addresses.contains(&address.address) {
                        touched.insert(address.link);
                    }
                    self.landscape.add(address);
                }
                NetworkEvent::AddressRemoved { link, address, prefix } => {
                    let place = (link, address, prefix);
                    if !self.virtual_addresses.contains(&address) {
                        touched.insert(link);
                    }
                    if let Some(holders) = self.holdings.lost(&place) {
                        self.landscape.remove(&place);
                        lost.push((place, holders));
                    }
                }
                NetworkEvent::Overrun => {
                    self.overruns = self.overruns.saturating_add(1);
                    self.reports.push(Report::Overrun);
                    if let Ok(inventory) = network.inventory() {
                        self.landscape = Landscape::new(inventory);
                        let missing = self.holdings.resync(&self.landscape);
                        lost.extend(missing.into_iter().map(|place| (place, self.holdings.holders(&place))));
                        touched.extend(self.slots.iter().flatten().filter_map(|slot| slot.link));
                    }
                }
            }
        }
        self.reground(now, &touched, network, packets);
        for (place, holders) in lost {
            self.lost(now, place, &holders);
        }
    }

    /// Somebody else took away what is at `place`; those of `holders` that still want it decide.
    fn lost(&mut self, now: Instant, place: Place, holders: &[usize]) {
        let (_, address, _) = place;
        let mut restore = false;
        for index in holders {
            let Some(slot) = self.slot(*index) else { continue };
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
            for index in self.holdings.restore(now, &place) {
                if let Some(slot) = self.slot_mut(index) {
                    slot.pending += 1;
                }
            }
        }
    }

    /// Looks again at what the routers on `links` stand on.
    fn reground(
        &mut self,
        now: Instant,
        links: &BTreeSet<LinkIndex>,
        network: &mut impl Network,
        packets: &mut impl Packets,
    ) {
        if links.is_empty() {
            return;
        }
        let mut concerned = BTreeSet::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(slot) = slot else { continue };
            let on =
                |name: InterfaceName| self.landscape.by_name(&name).is_some_and(|link| links.contains(&link.index));
            let was_on = slot.link.is_some_and(|link| links.contains(&link));
            let tracks = slot.instance.track_src_ip || slot.instance.interface.is_none();
            let holds = slot.places.iter().any(|(link, _, _)| links.contains(link));
            if was_on || tracks || holds || lower::interfaces(&slot.instance).any(on) {
                concerned.insert(index);
            }
        }
        let mut sources = BTreeMap::new();
        for index in concerned {
            self.stand(now, index, &mut sources, network, packets);
            // a device that appeared may take the addresses that wait for it
            if self.slot(index).is_some_and(|slot| slot.router.state() == State::Master) {
                self.hold(index);
            }
        }
        self.follow_up(now);
    }

    /// Tries again to open the sockets that could not be opened.
    pub(super) fn reopen(&mut self, now: Instant, network: &mut impl Network, packets: &mut impl Packets) {
        if self.reopen_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let mut sources = BTreeMap::new();
        for index in 0..self.slots.len() {
            if self.slot(index).is_some_and(|slot| slot.own_faults.contains(Fault::NoSocket)) {
                self.stand(now, index, &mut sources, network, packets);
            }
        }
    }

    /// Finds out what `index` stands on, opens or closes its channel, and tells it.
    fn stand(
        &mut self,
        now: Instant,
        index: usize,
        sources: &mut BTreeMap<(LinkIndex, Family), Option<IpAddr>>,
        network: &mut impl Network,
        packets: &mut impl Packets,
    ) {
        let Some(slot) = self.slot(index) else { return };
        let (link, mut faults) = self.link_of(slot);
        let source = self.source_of(slot, link, sources);
        if source.is_none() {
            faults = faults.with(Fault::NoSource);
        }
        if let Transport::Unicast { peers, fault_without_peer: true, .. } = &slot.instance.transport
            && peers.is_empty()
        {
            faults = faults.with(Fault::NoPeer);
        }
        let missing = faults.contains(Fault::InterfaceMissing);
        let wanted = source.filter(|_| !missing).map(|source| Channel {
            family: slot.instance.family,
            link,
            kind: lower::channel_kind(&slot.instance.transport, source),
        });
        if slot.instance.promote_secondaries
            && slot.link != link
            && let Some(link) = link.and_then(|link| self.landscape.by_index(link))
            && let Err(error) = network.promote_secondaries(link)
        {
            let name = Arc::clone(&slot.name);
            self.reports.push(Report::NoChannel { name, reason: format!("promote_secondaries: {error}") });
        }
        let keep = wanted.is_none() && !missing;
        if !keep && !self.open(index, wanted, packets) {
            faults = faults.with(Fault::NoSocket);
            self.reopen_at.get_or_insert(now + REOPEN_PAUSE);
        }
        if let Some(slot) = self.slot_mut(index) {
            slot.link = link;
            slot.source = source;
            slot.own_faults = faults;
        }
        self.tell_ground(now, index);
    }

    /// Tells a router, and those of its sync group, what they stand on.
    fn tell_ground(&mut self, now: Instant, index: usize) {
        let Some(slot) = self.slot(index) else { return };
        let members = slot.group.and_then(|group| self.groups.get(group)).cloned().unwrap_or_else(|| vec![index]);
        let in_fault = |member: usize| self.slot(member).is_some_and(|slot| !slot.own_faults.is_empty());
        let any = members.iter().any(|member| in_fault(*member));
        for member in members {
            let Some(slot) = self.slot(member) else { continue };
            let faults =
                if any && slot.own_faults.is_empty() { slot.own_faults.with(Fault::Group) } else { slot.own_faults };
            let source = slot.source;
            if member == index || slot.router.faults() != faults {
                self.tell(now, member, Event::Ground { source, faults });
            }
        }
    }

    fn link_of(&self, slot: &Slot) -> (Option<LinkIndex>, Faults) {
        let Some(name) = &slot.instance.interface else { return (None, Faults::NONE) };
        match self.landscape.by_name(name) {
            None => (None, Faults::NONE.with(Fault::InterfaceMissing)),
            Some(link) if !link.running && !slot.instance.dont_track_primary => {
                (Some(link.index), Faults::NONE.with(Fault::InterfaceDown))
            }
            Some(link) => (Some(link.index), Faults::NONE),
        }
    }

    fn source_of(
        &self,
        slot: &Slot,
        link: Option<LinkIndex>,
        sources: &mut BTreeMap<(LinkIndex, Family), Option<IpAddr>>,
    ) -> Option<IpAddr> {
        let instance = &slot.instance;
        if let Some(source) = lower::configured_source(&instance.transport) {
            return (!instance.track_src_ip || self.landscape.has(source)).then_some(source);
        }
        let link = link?;
        let family = instance.family;
        let found = *sources.entry((link, family)).or_insert_with(|| {
            self.landscape.source(link, family, |address| self.virtual_addresses.contains(&address))
        });
        // the owner's own address is the virtual one
        found.or_else(
            || if instance.priority.is_owner() { self.landscape.source(link, family, |_| false) } else { None },
        )
    }

    /// Puts `index` on the channel that it wants. False if that could not be opened.
    fn open(&mut self, index: usize, wanted: Option<Channel>, packets: &mut impl Packets) -> bool {
        let Some(slot) = self.slot_mut(index) else { return true };
        let vrid = slot.instance.vrid.get();
        let name = Arc::clone(&slot.name);
        if slot.channel.as_ref().map(|(channel, _)| channel) == wanted.as_ref() {
            return true;
        }
        if let Some((channel, id)) = slot.channel.take() {
            if let Some(listed) = self.dispatch.get_mut(&(id, vrid)) {
                listed.retain(|listed| *listed != index);
            }
            if let Some((_, users)) = self.channels.get_mut(&channel) {
                *users -= 1;
                if *users == 0 {
                    self.channels.remove(&channel);
                    packets.close(id);
                }
            }
        }
        let Some(channel) = wanted else { return true };
        let id = match self.channels.get_mut(&channel) {
            Some((id, users)) => {
                *users += 1;
                *id
            }
            None => match packets.open(&channel, self.buffer_size(&channel)) {
                Ok(id) => {
                    self.channels.insert(channel.clone(), (id, 1));
                    id
                }
                Err(error) => {
                    self.reports.push(Report::NoChannel { name, reason: error.to_string() });
                    return false;
                }
            },
        };
        self.dispatch.entry((id, vrid)).or_default().push(index);
        if let Some(slot) = self.slot_mut(index) {
            slot.channel = Some((channel, id));
        }
        true
    }

    /// Room for a burst of every instance at once: default buffers overflow with 250, and what is lost there looks like
    /// a silent master.
    fn buffer_size(&self, channel: &Channel) -> BufferSize {
        let on_channel = self.slots.iter().flatten().filter(|slot| {
            slot.instance.family == channel.family
                && (channel.link.is_none() || slot.link.is_none() || slot.link == channel.link)
        });
        let (mut count, mut configured) = (0_u32, 0_u32);
        for slot in on_channel {
            count = count.saturating_add(1);
            configured = configured.saturating_add(slot.instance.rx_buffer.unwrap_or(0));
        }
        let enough =
            count.saturating_mul(OCTETS_PER_ADVERT * ADVERTS_PER_INSTANCE).clamp(*BUFFER.start(), *BUFFER.end());
        BufferSize(match (self.default_buffer, configured) {
            (None, 0) => enough,
            (default, configured) => default.unwrap_or(0).saturating_add(configured).max(*BUFFER.start()),
        })
    }

    /// Tells a router something, and does what it wants.
    fn tell(&mut self, now: Instant, index: usize, event: Event<'_>) {
        self.with_router(index, |router, effects| router.handle(now, event, effects));
        self.act(index);
        self.follow_up(now);
    }

    fn with_router(&mut self, index: usize, with: impl FnOnce(&mut Router, &mut Vec<Effect>)) {
        if let Some(Some(slot)) = self.slots.get_mut(index) {
            with(&mut slot.router, &mut self.effects);
        }
    }

    /// Does what a router wants, in its order.
    fn act(&mut self, index: usize) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Advertise { priority } => self.advertise(index, priority),
                Effect::Hold => self.hold(index),
                Effect::Release => self.release(index),
                Effect::Announce { rounds } => {
                    let targets = self.targets(index);
                    self.neighbours.announce(index, targets, rounds);
                }
                Effect::AnnounceSource => self.announce_source(index),
                Effect::AsksGroup => self.group_asked(index),
                Effect::Transition(transition) => {
                    let Some(slot) = self.slot(index) else { continue };
                    let (key, name) = (slot.key.clone(), Arc::clone(&slot.name));
                    if transition.from == State::Master {
                        self.group_left(index);
                    }
                    self.reports.push(Report::Transition { key, name, transition });
                }
                Effect::Note(note) => {
                    if let Some(slot) = self.slot(index) {
                        let name = Arc::clone(&slot.name);
                        self.reports.push(Report::Note { name, note });
                    }
                }
            }
        }
        // keeps its capacity for the next router
        self.effects = effects;
        let deadline = self.slot(index).and_then(|slot| slot.router.next_deadline());
        self.deadlines.set(index, deadline);
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
            self.act(index);
        }
    }

    fn advertise(&mut self, index: usize, priority: u8) {
        if let Some(Some(slot)) = self.slots.get_mut(index)
            && let Some((_, channel)) = slot.channel
            && let Some(source) = slot.router.source()
        {
            self.outbox.push(index, channel, source, slot.router.params(), priority, &mut slot.identification);
        }
    }

    /// All members that ask have waited; if all ask, the one whose timer ended goes first.
    fn group_asked(&mut self, index: usize) {
        let Some(members) = self.slot(index).and_then(|slot| slot.group).and_then(|group| self.groups.get(group))
        else {
            self.follow_ups.push_back((index, FollowUp::GroupMaster));
            return;
        };
        let asks = |member: &usize| self.slot(*member).is_some_and(|slot| slot.router.asks_group());
        if members.iter().all(asks) {
            self.follow_ups.push_back((index, FollowUp::GroupMaster));
            let others = members.iter().filter(|member| **member != index);
            self.follow_ups.extend(others.map(|member| (*member, FollowUp::GroupMaster)));
        }
    }

    /// A member left master: the others do.
    fn group_left(&mut self, index: usize) {
        if let Some(members) = self.slot(index).and_then(|slot| slot.group).and_then(|group| self.groups.get(group)) {
            let others = members.iter().filter(|member| **member != index);
            self.follow_ups.extend(others.map(|member| (*member, FollowUp::GroupBackup)));
        }
    }

    /// Asks for the addresses of `index` that it does not hold yet, and lets go of those it is not to have any more.
    fn hold(&mut self, index: usize) {
        let Some(Some(slot)) = self.slots.get(index) else { return };
        let owner = slot.instance.priority.is_owner();
        let name = Arc::clone(&slot.name);
        let old = slot.places.clone();
        let mut wanted = Vec::new();
        for line in lower::lines(&slot.instance) {
            let device = line.device.or(slot.instance.interface);
            match device.and_then(|device| self.landscape.by_name(&device)) {
                Some(link) => wanted.push(lower::address(line, link.index)),
                None => self.reports.push(Report::NoDevice { name: Arc::clone(&name), address: line.address }),
            }
        }
        let places: Vec<Place> = wanted.iter().map(|address| (address.link, address.address, address.prefix)).collect();
        let held: BTreeSet<&Place> = old.iter().collect();
        let (mut begun, mut given_up) = (0, 0);
        for (address, place) in wanted.into_iter().zip(&places) {
            let there = self.landscape.address(place);
            let foreign = owner && there.is_some_and(|there| there.protocol != lower::ADDRESS_PROTOCOL);
            if held.contains(place) && self.holdings.looks(place, &address) {
                continue;
            }
            begun += usize::from(self.holdings.hold(index, address, foreign));
        }
        let kept: BTreeSet<&Place> = places.iter().collect();
        for place in old.iter().filter(|place| !kept.contains(place)) {
            given_up += usize::from(self.holdings.release(index, place));
        }
        if let Some(slot) = self.slot_mut(index) {
            slot.places = places;
            slot.pending = (slot.pending + begun).saturating_sub(given_up);
        }
    }

    fn release(&mut self, index: usize) {
        self.neighbours.cancel(index);
        let Some(slot) = self.slot_mut(index) else { return };
        slot.pending = 0;
        let places = std::mem::take(&mut slot.places);
        if self.at_exit == AtExit::Keep {
            return;
        }
        for place in places {
            self.holdings.release(index, &place);
        }
    }

    /// Makes the kernel agree with a piece of what is held.
    pub(super) fn change_addresses(&mut self, now: Instant, most: usize, network: &mut impl Network) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        self.holdings.work(now, most, &mut self.landscape, network, &mut outcomes);
        for outcome in outcomes.drain(..) {
            match outcome {
                Outcome::Settled { slot } => {
                    let Some(slot_of) = self.slot_mut(slot) else { continue };
                    slot_of.pending = slot_of.pending.saturating_sub(1);
                    if slot_of.pending == 0 {
                        self.follow_ups.push_back((slot, FollowUp::InPlace));
                    }
                }
                Outcome::Refused { slot, place: (_, address, _), refused } => {
                    let Some(slot) = self.slot(slot) else { continue };
                    let name = Arc::clone(&slot.name);
                    self.reports.push(Report::AddressRefused { name, address, reason: refused.to_string() });
                }
            }
        }
        self.outcomes = outcomes;
        self.follow_up(now);
    }

    /// Whether the kernel still has to be told something right now.
    pub(super) fn owes_changes(&self) -> bool {
        self.holdings.next() == Some(Instant::ZERO)
    }

    /// Sends a piece of the announcements that are due.
    pub(super) fn announce(&mut self, now: Instant, most: usize, packets: &mut impl Packets) {
        self.neighbours.work(now, most, packets);
    }

    /// Where to announce what for `index`.
    fn targets(&self, index: usize) -> Vec<Target> {
        let Some(slot) = self.slot(index) else { return Vec::new() };
        let target = |(link, address, _): &Place| {
            let link = self.landscape.by_index(*link)?;
            Some(Target { link: link.index, name: link.name, mac: link.mac?, address: *address })
        };
        slot.places.iter().filter_map(target).collect()
    }

    fn announce_source(&mut self, index: usize) {
        let Some(slot) = self.slot(index) else { return };
        let link = slot.link.and_then(|link| self.landscape.by_index(link));
        if let (Some(link), Some(address)) = (link, slot.source)
            && let Some(mac) = link.mac
        {
            let target = Target { link: link.index, name: link.name, mac, address };
            self.neighbours.announce(index, vec![target], 1);
        }
    }

    /// Sends the adverts that were made.
    pub(super) fn flush(&mut self, packets: &mut impl Packets) {
        let (slots, reports) = (&self.slots, &mut self.reports);
        self.outbox.flush(packets, |unsent| {
            if let Some(Some(slot)) = slots.get(unsent.slot) {
                reports.push(Report::Unsent { name: Arc::clone(&slot.name), errno: unsent.errno });
            }
        });
    }

    /// Every router stops, in the order of the configuration.
    pub(super) fn stop(&mut self, now: Instant, at_exit: AtExit) {
        self.at_exit = at_exit;
        for slot in 0..self.slots.len() {
            self.tell(now, slot, Event::Stop);
        }
    }

    /// When something is due next.
    pub(super) fn next_wake(&mut self) -> Option<Instant> {
        [self.deadlines.next(), self.holdings.next(), self.neighbours.next(), self.reopen_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// What there is to tell since the last call.
    pub(super) fn reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    fn slot(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index)?.as_ref()
    }

    fn slot_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)?.as_mut()
    }
}
