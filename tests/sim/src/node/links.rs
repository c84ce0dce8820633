//! The interfaces of a router, and what can leave by them.

use std::collections::BTreeMap;
use std::time::Duration;

use keepalived_core::network::{Address, LinkIndex};
use keepalived_kernel::fake::{FakeNetwork, FakePackets};

use super::{Life, Node};
use crate::clock::Moment;
use crate::setting::{Family, NodeId, Segment};

impl Node {
    /// Whether its cable is in.
    pub fn is_plugged(&self, segment: Segment) -> bool {
        self.plugged.contains(&segment) && self.links.contains_key(&segment)
    }

    /// The kernel's number of the interface on `segment`; that of the first one if there is none.
    pub fn link(&self, segment: Segment) -> LinkIndex {
        self.links.get(&segment).copied().unwrap_or(LinkIndex(segment.link()))
    }

    /// The segment that the interface `link` is on.
    pub fn segment(&mut self, link: LinkIndex) -> Option<Segment> {
        let below = base(self.network(), link);
        self.links.iter().find(|(_, known)| **known == below).map(|(segment, _)| *segment)
    }

    /// The interface on `segment`, and the virtual MACs on that.
    pub(super) fn all_on(&mut self, segment: Segment) -> Vec<LinkIndex> {
        let link = self.link(segment);
        let uppers = self.network().uppers(link).into_iter().map(|upper| upper.index);
        std::iter::once(link).chain(uppers).collect()
    }

    /// The link that the instance of `vrid` runs on, if there is one.
    pub fn own_link(&mut self, vrid: u8) -> Option<LinkIndex> {
        let instance = self.setting.instances.iter().find(|instance| instance.vrid == vrid)?;
        let (below, mac) = (self.links.get(&instance.segment).copied()?, instance.virtual_mac());
        own(self.network(), below, mac)
    }

    /// The cable of `segment`.
    pub fn plug(&mut self, now: Moment, segment: Segment, plugged: bool) {
        self.plugged.retain(|known| *known != segment);
        if plugged {
            self.plugged.push(segment);
        }
        self.note_down(now, segment);
        if self.links.contains_key(&segment) {
            for link in self.all_on(segment) {
                self.network().set_running(link, plugged);
            }
        }
    }

    /// The interface on `segment` is removed.
    pub fn unlink(&mut self, now: Moment, segment: Segment) {
        if let Some(link) = self.links.remove(&segment) {
            self.note_down(now, segment);
            self.network().remove_link(link);
            self.see_addresses();
        }
    }

    /// It is made again, with another number.
    pub fn relink(&mut self, now: Moment, segment: Segment) {
        if self.links.contains_key(&segment) {
            return;
        }
        self.remade += 1;
        let link = LinkIndex(segment.remade(self.remade));
        self.links.insert(segment, link);
        self.note_down(now, segment);
        let (id, running) = (self.id, self.plugged.contains(&segment));
        add_link(self.network(), id, segment, link, running);
    }

    /// Nothing can be sent, or it can again.
    pub fn set_mute(&mut self, mute: bool) {
        self.mute = mute;
        if let Life::Up(engine) = &mut self.life {
            silence(engine.kernel().1, mute);
        }
    }

    /// Remembers since when an interface is down.
    pub(super) fn note_down(&mut self, now: Moment, segment: Segment) {
        if self.is_plugged(segment) {
            self.down_since.remove(&segment);
        } else {
            self.down_since.entry(segment).or_insert(now);
        }
    }

    /// How long an interface has been down, if it is.
    pub fn down_for(&self, now: Moment, segment: Segment) -> Option<Duration> {
        self.down_since.get(&segment).map(|since| now.since(*since))
    }

    /// Whether a link with a virtual MAC is left of an instance that the file has.
    pub fn has_virtual_mac(&mut self) -> bool {
        let with_mac = self.setting.instances.iter().filter(|instance| instance.vmac && !instance.absent);
        let vrids: Vec<u8> = with_mac.map(|instance| instance.vrid).collect();
        vrids.into_iter().any(|vrid| self.own_link(vrid).is_some())
    }

    /// Whether it can send.
    pub const fn is_mute(&self) -> bool {
        self.mute
    }
}

/// The link that `link` is on, or itself.
pub(super) fn base(network: &FakeNetwork, link: LinkIndex) -> LinkIndex {
    network.link_at(link).and_then(|link| link.parent).unwrap_or(link)
}

/// The link that an instance runs on: `below`, or the one on that with its virtual `mac`, if it is there.
pub(super) fn own(network: &FakeNetwork, below: LinkIndex, mac: Option<[u8; 6]>) -> Option<LinkIndex> {
    match mac {
        None => Some(below),
        Some(_) => network.uppers(below).into_iter().find(|upper| upper.mac == mac).map(|upper| upper.index),
    }
}

/// A machine with two networks, and an interface that is none of our business.
pub(super) fn machine(id: NodeId, plugged: &[Segment]) -> FakeNetwork {
    let mut network = FakeNetwork::new();
    for (segment, link) in first_links() {
        add_link(&mut network, id, segment, link, plugged.contains(&segment));
    }
    network.set_link(FakeNetwork::ethernet(9, "docker0").expect("the name is short"));
    network
}

pub(super) fn first_links() -> BTreeMap<Segment, LinkIndex> {
    Segment::ALL.into_iter().map(|segment| (segment, LinkIndex(segment.link()))).collect()
}

/// The interface on `segment` with the addresses that the machine itself has there.
fn add_link(network: &mut FakeNetwork, id: NodeId, segment: Segment, link: LinkIndex, running: bool) {
    network.set_link(FakeNetwork::ethernet(link.0, segment.interface()).expect("the name is short"));
    network.set_running(link, running);
    network.add_address(Address::plain(link, segment.address(id, Family::V4), 24));
    let link_local = Address::plain(link, segment.address(id, Family::V6), 64);
    network.add_address(Address { scope: 253, ..link_local });
}

/// Lets nothing leave, or everything.
pub(super) fn silence(packets: &mut FakePackets, mute: bool) {
    packets.fail(mute.then_some(105));
}
