//! What routers stand on: interface, source address, sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use keepalived_config::model::Transport;
use keepalived_core::address::InterfaceName;
use keepalived_core::network::{Link, LinkIndex};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Event, Family, Fault, Faults, State};
use keepalived_kernel::network::{Network, Secondaries};
use keepalived_kernel::packets::{Channel, Packets};

use super::super::channels::Buffers;
use super::super::slot::{Slot, Trouble};
use super::super::{lower, report::Report};
use super::Instances;

/// Pause before sockets that could not be opened are tried again.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// Source addresses, found once for all routers that ask.
#[derive(Debug, Default)]
pub(super) struct Sources {
    first: BTreeMap<(LinkIndex, Family), Option<IpAddr>>,
    there: BTreeMap<(IpAddr, Option<LinkIndex>), bool>,
    routed: BTreeMap<(Ipv6Addr, LinkIndex), Option<IpAddr>>,
}

/// What changed.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Links that changed, or whose addresses did. Virtual addresses do not count: they are no source.
    pub(super) links: BTreeSet<LinkIndex>,
    /// Addresses that came, went or changed.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// It is not known what.
    pub(super) all: bool,
}

impl Touched {
    fn is_empty(&self) -> bool {
        self.links.is_empty() && self.addresses.is_empty() && !self.all
    }
}

const fn is_global(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(ip) if !ip.is_unicast_link_local())
}

/// Whether only a route keeps it from having a source address: the kernel does not tell us when one comes.
fn waits_for_route(slot: &Slot) -> bool {
    let routed = slot.link.is_some() && lower::routed_peer(&slot.instance.transport).is_some();
    routed && slot.own_faults.contains(&Fault::NoSource)
}

impl Instances {
    /// Looks again at what the routers stand on that have to do with what changed.
    pub(super) fn refresh(&mut self, now: Instant, mut touched: Touched, network: &mut impl Network) {
        self.expire_links(now, &mut touched);
        if touched.is_empty() {
            return;
        }
        if touched.all || !touched.links.is_empty() {
            self.follow_links();
        }
        let mut concerned = BTreeSet::new();
        for (index, slot) in self.slots.entries() {
            let on =
                |name: InterfaceName| self.table.by_name(&name).is_some_and(|link| touched.links.contains(&link.index));
            // one that is gone, or has another name now, is known by its number only
            let was_on = slot.links.iter().any(|link| touched.links.contains(link));
            let source = lower::configured_source(&slot.instance.transport);
            let from = source.is_some_and(|source| touched.addresses.contains(&source));
            let made = slot.made.iter().any(|made| on(made.name));
            if touched.all || was_on || from || made || lower::interfaces(&slot.instance).any(on) {
                concerned.insert(index);
            }
        }
        let mut sources = Sources::default();
        for index in concerned {
            self.hold_own_links(now, index, network);
            self.stand(now, index, &mut sources, network);
            self.start_waiting(now, index);
            // a device that appeared may take the addresses that wait for it
            if self.slots.get(index).is_some_and(|slot| slot.router.state() == State::Master) {
                self.hold(index);
            }
        }
        self.track_links(now);
        self.follow_up(now);
    }

    /// Tries again to open the sockets that could not be opened, and to find the routes that were not there.
    pub(in super::super) fn reopen(&mut self, now: Instant, network: &mut impl Network) {
        if self.reopen_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let mut sources = Sources::default();
        for index in self.slots.places() {
            let closed = |slot: &Slot| slot.own_faults.contains(&Fault::NoSocket) && slot.opening.is_none();
            let waits = |slot: &Slot| closed(slot) || waits_for_route(slot);
            if self.slots.get(index).is_some_and(waits) {
                self.stand(now, index, &mut sources, network);
            }
        }
    }

    /// Finds out what `index` stands on, asks for its channel or gives it up, and tells it.
    pub(super) fn stand(&mut self, now: Instant, index: usize, sources: &mut Sources, network: &mut impl Network) {
        let Some(slot) = self.slots.get(index) else { return };
        let (link, mut faults) = self.link_of(slot);
        if let Some(unserved) = self.unserved(slot) {
            faults = faults.with(Fault::AddressInterface);
            if !slot.own_faults.contains(&Fault::AddressInterface) {
                self.reports.push(unserved);
            }
        }
        let Some(slot) = self.slots.get(index) else { return };
        let source = self.source_of(slot, link, sources, network);
        if source.is_none() {
            faults = faults.with(Fault::NoSource);
        }
        if let Transport::Unicast { peers, fault_without_peer: true, .. } = &slot.instance.transport
            && peers.is_empty()
        {
            faults = faults.with(Fault::NoPeer);
        }
        if slot.instance.maintenance {
            faults = faults.with(Fault::Maintenance);
        }
        let missing = faults.contains(&Fault::InterfaceMissing);
        let vrf = slot.instance.vrf.and_then(|vrf| self.table.by_name(&vrf)).map(|link| link.index);
        let carrier = if lower::transmits_base(&slot.instance) { self.base_of(slot) } else { link.or(vrf) };
        let wanted = source.filter(|_| !missing).map(|source| Channel {
            family: slot.instance.settings.family,
            link: carrier,
            kind: lower::channel_kind(&slot.instance.transport, source),
            protocol: lower::protocol(&slot.instance.authentication),
        });
        if slot.instance.promote_secondaries
            && slot.link != link
            && let Some(link) = link.and_then(|link| self.table.by_index(link))
            && let Err(error) = network.set_secondaries(link, Secondaries::Promoted)
        {
            let name = Arc::clone(&slot.name);
            self.reports.push(Report::NotPromoted { name, reason: error.to_string() });
        }
        // without a source address it goes on hearing what it heard
        let keep = wanted.is_none() && !missing;
        if !keep && !self.enter(index, wanted) {
            faults = faults.with(Fault::NoSocket);
        }
        let links = self.slots.get(index).map(|slot| self.links_of(slot)).unwrap_or_default();
        // its interface was removed and made again between two looks, and what had arrived there is lost: a backup listens anew
        let made_again = |slot: &Slot| slot.link.is_some() && link.is_some() && slot.link != link;
        if let Some(slot) = self.slots.get_mut(index)
            && made_again(slot)
            && slot.router.state() == State::Backup
        {
            slot.own_faults = faults.clone().with(Fault::InterfaceMissing);
            self.tell_surroundings(now, index);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.link = link;
            slot.carrier = carrier;
            slot.links = links;
            slot.source = source;
            slot.own_faults = faults;
            if waits_for_route(slot) {
                self.reopen_at.get_or_insert(now + REOPEN_PAUSE);
            }
        }
        self.tell_surroundings(now, index);
    }

    /// Tells a router, and those of its sync group, what they stand on.
    pub(super) fn tell_surroundings(&mut self, now: Instant, index: usize) {
        let members = self.groups.members(index);
        let any = members.iter().any(|member| self.slots.get(*member).is_some_and(Slot::is_in_fault));
        for member in members {
            let Some(slot) = self.slots.get(member) else { continue };
            let own = slot.faults();
            let faults = if any && own.is_empty() { own.with(Fault::Group) } else { own };
            let source = slot.source;
            if member == index || *slot.router.faults() != faults {
                self.tell(now, member, Event::Surroundings { source, faults });
            }
        }
    }

    fn link_of(&self, slot: &Slot) -> (Option<LinkIndex>, Faults) {
        let Some((own, base)) = Self::homes(slot) else {
            // without interface it may be in a VRF, which has to be there for its sockets
            let missing = slot.instance.vrf.is_some_and(|vrf| self.table.by_name(&vrf).is_none());
            let faults = if missing { Faults::NONE.with(Fault::InterfaceMissing) } else { Faults::NONE };
            return (None, faults);
        };
        let runs = self.is_running(own) && self.is_running(base);
        let below = self.table.by_name(&base).map(|link| link.index);
        // another link may have its name
        let is_it = |link: &&Link| own == base || (link.upper.is_some() && link.parent == below);
        match self.table.by_name(&own).filter(|_| below.is_some()).filter(is_it) {
            None => (None, Faults::NONE.with(Fault::InterfaceMissing)),
            Some(link) if !slot.instance.dont_track_primary && !runs => {
                (Some(link.index), Faults::NONE.with(Fault::InterfaceDown))
            }
            Some(link) => (Some(link.index), Faults::NONE),
        }
    }

    /// The interface that is configured, below the one that was made.
    fn base_of(&self, slot: &Slot) -> Option<LinkIndex> {
        self.table.by_name(&slot.instance.interface?).map(|link| link.index)
    }

    /// All links that an instance has to do with.
    fn links_of(&self, slot: &Slot) -> Vec<LinkIndex> {
        let made = slot.made.iter().map(|made| made.name);
        let names = lower::interfaces(&slot.instance).chain(made);
        names.filter_map(|name| Some(self.table.by_name(&name)?.index)).collect()
    }

    /// The first tracked address whose interface, another than the instance's own, cannot serve it.
    fn unserved(&self, slot: &Slot) -> Option<Report> {
        lower::lines(&slot.instance).filter(|line| line.tracked).find_map(|line| {
            let (own, base) = Self::homes(slot).unzip();
            let interface = lower::device(&slot.instance, line, &slot.made);
            let interface = interface.filter(|device| Some(*device) != own && Some(*device) != base)?;
            let there = self.table.by_name(&interface).is_some();
            let (name, address, serves) = (Arc::clone(&slot.name), line.address, self.is_running(interface));
            (!serves).then_some(Report::AddressInterface { name, address, interface, there })
        })
    }

    fn source_of(
        &self,
        slot: &Slot,
        link: Option<LinkIndex>,
        sources: &mut Sources,
        network: &mut impl Network,
    ) -> Option<IpAddr> {
        let instance = &slot.instance;
        if let Some(source) = lower::configured_source(&instance.transport) {
            let mut there = || *sources.there.entry((source, link)).or_insert_with(|| self.table.has(source, link));
            return (!lower::needs_its_source(instance) || there()).then_some(source);
        }
        let link = link?;
        if let Some(source) = lower::ipvlan_source(instance) {
            return self.table.has(source, Some(link)).then_some(source);
        }
        // a virtual MAC has an address of its own with IPv6 only
        let below = instance.settings.family == Family::V4 || lower::transmits_base(instance);
        let link = if below { self.base_of(slot).unwrap_or(link) } else { link };
        if let Some(peer) = lower::routed_peer(&instance.transport) {
            return self.source_towards(slot, peer, link, sources, network);
        }
        let family = instance.settings.family;
        let found = *sources
            .first
            .entry((link, family))
            .or_insert_with(|| self.table.source(link, family, |address| self.virtual_addresses.contains(&address)));
        // the owner's own address is the virtual one
        found.or_else(|| {
            if instance.settings.priority.is_owner() { self.table.source(link, family, |_| false) } else { None }
        })
    }

    /// Where adverts to `peer` leave from: as before while that address is there, else where the kernel's route says. Never
    /// from a virtual address, which the kernel may choose once it is ours.
    fn source_towards(
        &self,
        slot: &Slot,
        peer: Ipv6Addr,
        link: LinkIndex,
        sources: &mut Sources,
        network: &mut impl Network,
    ) -> Option<IpAddr> {
        let is_own =
            |address: IpAddr| slot.instance.settings.priority.is_owner() || !self.virtual_addresses.contains(&address);
        let stays = |source: &IpAddr| is_own(*source) && is_global(*source) && self.table.has(*source, None);
        if let Some(source) = slot.source.filter(stays) {
            return Some(source);
        }
        let ask = || network.source_towards(peer, link).map(IpAddr::V6);
        let routed = *sources.routed.entry((peer, link)).or_insert_with(ask);
        routed.and_then(|source| if is_own(source) { Some(source) } else { self.table.global(link, is_own) })
    }

    /// Puts `index` on the channel that it wants, or has that opened. False if it takes part and would be deaf until then.
    pub(super) fn enter(&mut self, index: usize, wanted: Option<Channel>) -> bool {
        let Some(slot) = self.slots.get_mut(index) else { return true };
        slot.opening = None;
        if slot.channel.as_ref().map(|(channel, _)| channel) == wanted.as_ref() {
            return true;
        }
        let vrid = slot.instance.settings.vrid.get();
        let entered = wanted.as_ref().and_then(|channel| self.channels.enter(index, vrid, channel));
        // what it hears through until the new one is open: on another link that would be others
        let serves = |(old, _): &(Channel, _)| {
            entered.is_none() && wanted.as_ref().is_some_and(|wanted| wanted.link == old.link)
        };
        if let Some((old, _)) = slot.channel.take_if(|channel| !serves(channel)) {
            self.channels.leave(index, vrid, &old);
        }
        let Some(channel) = wanted else { return true };
        if let Some(id) = entered {
            slot.channel = Some((channel, id));
            return true;
        }
        self.channels.want(index, &channel);
        slot.opening = Some(channel);
        // a master goes on: its addresses are used. One that has not started waits for the channel.
        slot.channel.is_some() || matches!(slot.router.state(), State::Init | State::Master)
    }

    /// Sockets were made for channels, or could not be.
    pub(super) fn opened<P: Packets>(
        &mut self,
        now: Instant,
        made: Vec<(Channel, io::Result<P::Sockets>)>,
        network: &mut impl Network,
        packets: &mut P,
    ) {
        let mut sources = Sources::default();
        for (channel, made) in made {
            let opened = made.and_then(|sockets| packets.open(&channel, sockets));
            for index in self.channels.opened(&channel, opened.as_ref().ok().copied()) {
                if self.slots.get(index).is_none_or(|slot| slot.opening.as_ref() != Some(&channel)) {
                    continue;
                }
                match &opened {
                    Ok(_) => self.stand(now, index, &mut sources, network),
                    Err(error) => self.not_opened(now, index, error),
                }
                self.start_waiting(now, index);
            }
        }
    }

    /// The channel of `index` could not be opened: it is tried again later.
    fn not_opened(&mut self, now: Instant, index: usize, error: &io::Error) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.opening = None;
        slot.own_faults = std::mem::take(&mut slot.own_faults).with(Fault::NoSocket);
        if slot.said.insert(Trouble::NoChannel) {
            self.reports.push(Report::NoChannel { name: Arc::clone(&slot.name), reason: error.to_string() });
        }
        if let Some((old, _)) = slot.channel.take() {
            let vrid = slot.instance.settings.vrid.get();
            self.channels.leave(index, vrid, &old);
        }
        self.reopen_at.get_or_insert(now + REOPEN_PAUSE);
        self.tell_surroundings(now, index);
    }

    /// Sizes of the receive buffers of all channels.
    pub(super) fn buffers(&self) -> Buffers {
        Buffers::of(self.buffer_rule, self.slots.iter(), &self.table)
    }
}
