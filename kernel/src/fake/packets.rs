//! Packets that a test or the simulator carries from one to another.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;

use keepalived_core::time::Instant;
use keepalived_core::vrrp::Family;
use keepalived_core::vrrp::duplicate::frame::probed;

use crate::packets::{
    BufferSize, Channel, ChannelId, ChannelKind, Frame, Incoming, Listen, Outgoing, Overheard, Packets, Sockets,
};
use keepalived_core::network::LinkIndex;

/// Octets of an Ethernet header.
const ETHERNET: usize = 14;
/// Octets of an IPv6 header.
const IPV6: usize = 40;
/// Octets of a neighbour advertisement without options. An ARP frame is shorter than the headers before it.
const SHORTEST_ADVERTISEMENT: usize = 24;

/// An advert that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SentAdvert {
    /// Through this channel.
    pub channel: Channel,
    /// Group or peer.
    pub destination: IpAddr,
    /// Source address.
    pub source: IpAddr,
    /// Hop limit; of IPv4 what stands in the packet.
    pub hop_limit: u8,
    /// As it was handed over: without the checksums that the kernel would fill in.
    pub octets: Vec<u8>,
}

/// A frame that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SentFrame {
    /// Out of this link.
    pub link: LinkIndex,
    /// From the Ethernet header on.
    pub octets: Vec<u8>,
}

/// An advert that arrives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedAdvert {
    /// On this link.
    pub link: LinkIndex,
    /// From this address.
    pub source: IpAddr,
    /// To this address or group.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// When.
    pub received: Instant,
    /// IPv4: from the IP header on. IPv6: from the VRRP header on.
    pub octets: Vec<u8>,
}

/// [`Packets`] in memory. What is sent waits in `sent` and `announced` until it is drained; what is put in with
/// [`FakePackets::deliver`] waits for `receive`.
#[derive(Clone, Debug, Default)]
pub struct FakePackets {
    /// Adverts that were sent, oldest first.
    pub sent: Vec<SentAdvert>,
    /// Frames that were sent, but for probes, oldest first.
    pub announced: Vec<SentFrame>,
    /// Probes for addresses that were sent, oldest first.
    pub probed: Vec<SentFrame>,
    /// What neighbours have said while we listened.
    said: VecDeque<SentFrame>,
    listens: bool,
    inbox: VecDeque<(ChannelId, ReceivedAdvert)>,
    channels: BTreeMap<ChannelId, Channel>,
    buffers: BTreeMap<ChannelId, BufferSize>,
    next: u32,
    refuse_open: Option<i32>,
    failing_links: BTreeMap<LinkIndex, i32>,
    /// Nothing can be sent at all.
    failing: Option<i32>,
    lost: u64,
    /// More arrives than is read: so many of those in the box waited at the last reading.
    flooded: Option<usize>,
    /// Room for packets that are not read yet; `None` is endless.
    room: Option<usize>,
}

impl FakePackets {
    /// How large the receive buffer of a channel was asked to be.
    pub fn buffer(&self, channel: ChannelId) -> Option<BufferSize> {
        self.buffers.get(&channel).copied()
    }

    /// No channel, empty boxes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets an advert arrive: on every open channel that would hear it, and says how many those are.
    pub fn deliver(&mut self, advert: &ReceivedAdvert) -> usize {
        let hearing = self.channels.iter().filter(|(_, channel)| hears(channel, advert));
        let ids: Vec<ChannelId> = hearing.map(|(id, _)| *id).collect();
        for id in &ids {
            if self.room.is_some_and(|room| self.inbox.len() >= room) {
                self.lost = self.lost.saturating_add(1);
            } else {
                self.inbox.push_back((*id, advert.clone()));
            }
        }
        ids.len()
    }

    /// Whether what neighbours say is heard.
    pub const fn is_listening(&self) -> bool {
        self.listens
    }

    /// A neighbour says something about its addresses: an ARP frame, or a frame with a neighbour advertisement. Nobody
    /// hears it who does not listen.
    pub fn say(&mut self, frame: SentFrame) {
        if self.listens {
            self.said.push_back(frame);
        }
    }

    /// Whether `receive` or `overhear` would deliver something.
    pub fn anything_waiting(&self) -> bool {
        !self.inbox.is_empty() || !self.said.is_empty()
    }

    /// Lets at most this many packets wait to be read; further ones are lost, as with a full receive buffer.
    pub fn limit_inbox(&mut self, room: Option<usize>) {
        self.room = room;
    }

    /// From now on more packets arrive than are read: each reading gets what waited at the one before it, and is never the last. The
    /// packets that do it are not there. False ends that.
    pub fn flood(&mut self, flooded: bool) {
        self.flooded = flooded.then_some(self.inbox.len());
    }

    /// How many packets were lost for want of room.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// From now on lets `open` fail with this error number; `None` ends that.
    pub fn refuse_open(&mut self, errno: Option<i32>) {
        self.refuse_open = errno;
    }

    /// From now on nothing can be sent out of this link; `None` ends that.
    pub fn fail_link(&mut self, link: LinkIndex, errno: Option<i32>) {
        match errno {
            Some(errno) => self.failing_links.insert(link, errno),
            None => self.failing_links.remove(&link),
        };
    }

    /// From now on nothing can be sent at all; `None` ends that.
    pub const fn fail(&mut self, errno: Option<i32>) {
        self.failing = errno;
    }

    /// Open channels by their ids.
    pub fn channels(&self) -> impl Iterator<Item = (ChannelId, &Channel)> {
        self.channels.iter().map(|(id, channel)| (*id, channel))
    }

    fn failure_of(&self, link: Option<LinkIndex>) -> Option<i32> {
        self.failing.or_else(|| self.failing_links.get(&link?).copied())
    }
}

fn hears(channel: &Channel, advert: &ReceivedAdvert) -> bool {
    let family = if advert.destination.is_ipv4() { Family::V4 } else { Family::V6 };
    let to = match channel.kind {
        ChannelKind::Multicast { group } => group == advert.destination,
        ChannelKind::Unicast { local } if local.is_unspecified() => !advert.destination.is_multicast(),
        ChannelKind::Unicast { local } => local == advert.destination,
    };
    // over IPv6 there is no authentication header
    let protocol = advert.octets.get(9).filter(|_| family == Family::V4);
    let is_for_it = protocol.is_none_or(|protocol| *protocol == channel.protocol);
    channel.family == family && to && is_for_it && channel.link.is_none_or(|link| link == advert.link)
}

/// What [`FakePackets`] needs to know of the sockets of a channel.
#[derive(Clone, Copy, Debug)]
pub struct FakeSockets(BufferSize);

impl Sockets for FakeSockets {
    fn make(channel: &Channel, buffer: BufferSize) -> io::Result<Self> {
        if channel.link.is_none() && matches!(channel.kind, ChannelKind::Multicast { .. }) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "multicast needs an interface"));
        }
        Ok(Self(buffer))
    }
}

impl Packets for FakePackets {
    type Sockets = FakeSockets;

    fn open(&mut self, channel: &Channel, sockets: FakeSockets) -> io::Result<ChannelId> {
        if let Some(errno) = self.refuse_open {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let id = ChannelId(self.next);
        self.next = self.next.wrapping_add(1);
        self.channels.insert(id, channel.clone());
        self.buffers.insert(id, sockets.0);
        Ok(id)
    }

    fn resize(&mut self, channel: ChannelId, buffer: BufferSize) {
        if self.channels.contains_key(&channel) {
            self.buffers.insert(channel, buffer);
        }
    }

    fn close(&mut self, channel: ChannelId) -> Option<FakeSockets> {
        self.channels.remove(&channel)?;
        self.inbox.retain(|(id, _)| *id != channel);
        self.buffers.remove(&channel).map(FakeSockets)
    }

    fn send(&mut self, adverts: &[Outgoing<'_>], failed: &mut Vec<(usize, i32)>) {
        for (at, advert) in adverts.iter().enumerate() {
            let Some(channel) = self.channels.get(&advert.channel) else {
                failed.push((at, libc::EBADF));
                continue;
            };
            if let Some(errno) = self.failure_of(channel.link) {
                failed.push((at, errno));
                continue;
            }
            let ttl_in_packet = advert.octets.get(8).copied().filter(|_| channel.family == Family::V4);
            self.sent.push(SentAdvert {
                channel: channel.clone(),
                destination: advert.destination,
                source: advert.source,
                hop_limit: ttl_in_packet.unwrap_or(advert.hop_limit),
                octets: advert.octets.to_vec(),
            });
        }
    }

    fn receive(&mut self, limit: usize, deliver: &mut dyn FnMut(Incoming<'_>)) -> bool {
        let some = self.inbox.len().min(limit).min(self.flooded.unwrap_or(limit));
        for (channel, advert) in self.inbox.drain(..some) {
            deliver(Incoming {
                channel,
                link: advert.link,
                source: advert.source,
                destination: advert.destination,
                ttl: advert.ttl,
                received: advert.received,
                octets: &advert.octets,
            });
        }
        if self.flooded.is_some() {
            self.flooded = Some(self.inbox.len());
            return false;
        }
        self.inbox.is_empty()
    }

    fn announce(&mut self, frames: &[Frame<'_>], failed: &mut Vec<(usize, i32)>) {
        for (at, frame) in frames.iter().enumerate() {
            match self.failure_of(Some(frame.link)) {
                Some(errno) => failed.push((at, errno)),
                None => {
                    let sent = SentFrame { link: frame.link, octets: frame.octets.to_vec() };
                    match probed(frame.octets) {
                        Some(_) => self.probed.push(sent),
                        None => self.announced.push(sent),
                    }
                }
            }
        }
    }

    fn listen(&mut self, listen: Listen) {
        self.listens = listen == Listen::Yes;
        self.said.clear();
    }

    fn overhear(&mut self, limit: usize, deliver: &mut dyn FnMut(Overheard<'_>)) -> bool {
        let some = self.said.len().min(limit);
        for SentFrame { link, octets } in self.said.drain(..some) {
            match octets.get(ETHERNET + IPV6..) {
                Some(octets) if octets.len() >= SHORTEST_ADVERTISEMENT => {
                    deliver(Overheard::Advertisement { link, octets });
                }
                _ => deliver(Overheard::Arp { link, octets: &octets }),
            }
        }
        self.said.is_empty()
    }
}
