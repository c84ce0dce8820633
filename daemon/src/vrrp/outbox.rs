//! Adverts on their way out: collected while machines are told things, sent in one go.

use std::net::IpAddr;
use std::ops::Range;

use keepalived_core::vrrp::{Params, Reach, Seal, advert};
use keepalived_kernel::packets::{ChannelId, Outgoing, Packets};

/// Adverts that wait for [`Outbox::flush`].
#[derive(Debug, Default)]
pub(super) struct Outbox {
    octets: Vec<u8>,
    adverts: Vec<Waiting>,
    failed: Vec<(usize, i32)>,
}

#[derive(Debug)]
struct Waiting {
    slot: usize,
    channel: ChannelId,
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    octets: Range<usize>,
}

/// Where an advert comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sender {
    /// Slot of its router.
    pub(super) slot: usize,
    /// What it leaves through.
    pub(super) channel: ChannelId,
    /// Its source address.
    pub(super) source: IpAddr,
    /// What authenticates it.
    pub(super) seal: Seal,
}

/// An advert that the kernel did not take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unsent {
    /// Whose it was.
    pub(super) slot: usize,
    /// Linux error number.
    pub(super) errno: i32,
}

impl Outbox {
    /// Adds an advert of a router with `params`, one for each destination; `id` is that of its last packet.
    pub(super) fn push(&mut self, sender: Sender, params: &Params, priority: u8, id: &mut u16) {
        let Sender { slot, channel, source, seal } = sender;
        let hop_limit = advert::ttl(params);
        let mut add = |destination: IpAddr| {
            // 0 would let the kernel choose
            *id = id.checked_add(1).unwrap_or(1);
            let start = self.octets.len();
            advert::encode(&mut self.octets, params, priority, source, destination, *id, seal);
            let octets = start..self.octets.len();
            self.adverts.push(Waiting { slot, channel, source, destination, hop_limit, octets });
        };
        match &params.reach {
            Reach::Multicast(group) => add(*group),
            Reach::Unicast { peers, .. } => peers.iter().for_each(|peer| add(peer.address)),
        }
    }

    /// Sends everything; calls `unsent` for each that the kernel did not take.
    pub(super) fn flush(&mut self, packets: &mut impl Packets, mut unsent: impl FnMut(Unsent)) {
        if self.adverts.is_empty() {
            return;
        }
        // one system call takes neighbours of one channel; within a channel the order stays
        self.adverts.sort_by_key(|advert| advert.channel);
        let outgoing: Vec<Outgoing<'_>> = self
            .adverts
            .iter()
            .map(|advert| Outgoing {
                channel: advert.channel,
                destination: advert.destination,
                source: advert.source,
                hop_limit: advert.hop_limit,
                octets: self.octets.get(advert.octets.clone()).unwrap_or_default(),
            })
            .collect();
        self.failed.clear();
        packets.send(&outgoing, &mut self.failed);
        for (position, errno) in &self.failed {
            if let Some(advert) = self.adverts.get(*position) {
                unsent(Unsent { slot: advert.slot, errno: *errno });
            }
        }
        self.adverts.clear();
        self.octets.clear();
    }
}
