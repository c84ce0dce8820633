//! The interfaces of a router, and what can leave by them.

use std::collections::BTreeMap;

use keepalived_core::network::{Address, LinkIndex};
use keepalived_kernel::fake::{FakeNetwork, FakePackets};

use super::{Life, Node};
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

    /// The cable of `segment`.
    pub fn plug(&mut self, segment: Segment, plugged: bool) {
        self.plugged.retain(|known| *known != segment);
        if plugged {
            self.plugged.push(segment);
        }
        if self.links.contains_key(&segment) {
            for link in self.all_on(segment) {
                self.network().set_running(link, plugged);
            }
        }
    }

    /// The interface on `segment` is removed.
    pub fn unlink(&mut self, segment: Segment) {
        if let Some(link) = self.links.remove(&segment) {
            self.network().remove_link(link);
            self.see_addresses();
        }
    }

    /// It is made again, with another number.
    pub fn relink(&mut self, segment: Segment) {
        if self.links.contains_key(&segment) {
            return;
        }
        self.remade += 1;
        let link = LinkIndex(segment.remade(self.remade));
        self.links.insert(segment, link);
        let (id, running, mute) = (self.id, self.plugged.contains(&segment), self.mute);
        add_link(self.network(), id, segment, link, running);
        if let Life::Up(engine) = &mut self.life {
            silence(engine.kernel().1, &self.links, mute);
        }
    }

    /// Nothing can be sent, or it can again.
    pub fn set_mute(&mut self, mute: bool) {
        self.mute = mute;
        if let Life::Up(engine) = &mut self.life {
            silence(engine.kernel().1, &self.links, mute);
        }
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
pub(super) fn silence(packets: &mut FakePackets, links: &BTreeMap<Segment, LinkIndex>, mute: bool) {
    for link in links.values() {
        packets.fail_link(*link, mute.then_some(105));
    }
}
