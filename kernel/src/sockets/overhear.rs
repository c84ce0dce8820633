//! What neighbours say about the addresses they have.

use std::os::fd::AsFd;

use keepalived_core::vrrp::Family;

use super::mmsg::MOST_PACKETS;
use super::{Clock, RawSockets, incoming};
use crate::packets::{ChannelId, Listen, Overheard};
use keepalived_core::network::LinkIndex;

/// Calls that throw away what is left in a socket that takes no more: far more than its buffer holds.
const MOST_CALLS: usize = 64;

impl RawSockets {
    pub(super) fn switch(&mut self, listen: Listen) {
        // a filter that cannot be set leaves the one before: we hear nothing, or frames that no prober waits for
        let _as_it_was = match listen {
            Listen::Yes => self.overhearing.listen(),
            Listen::No => self.overhearing.deafen(),
        };
        if listen == Listen::No {
            for _ in 0..MOST_CALLS {
                if self.overhear_both(MOST_PACKETS, &mut |_| {}) {
                    break;
                }
            }
        }
    }

    /// Hands over at most about `limit` from each of the two; false if there may be more.
    pub(super) fn overhear_both(&mut self, limit: usize, deliver: &mut dyn FnMut(Overheard<'_>)) -> bool {
        let asked = limit.min(MOST_PACKETS);
        // an error, such as that of an interface that is down, is told once
        let arps = self.receiver.receive(self.overhearing.arp.as_fd(), asked).unwrap_or(0);
        for packet in (0..arps).filter_map(|at| self.receiver.packet(at)) {
            if let Some(link) = packet.sender.link_index() {
                deliver(Overheard::Arp { link: LinkIndex(link), octets: packet.octets });
            }
        }
        let Some(socket) = &self.overhearing.advertisements else { return arps < asked };
        let advertisements = self.receiver.receive(socket.as_fd(), asked).unwrap_or(0);
        let clock = Clock::read(self.drained);
        for packet in (0..advertisements).filter_map(|at| self.receiver.packet(at)) {
            // RFC 4861 §7.1.2: what was forwarded is no neighbour's
            match incoming(ChannelId(0), Family::V6, &packet, &clock) {
                Some(message) if message.ttl == 255 => {
                    deliver(Overheard::Advertisement { link: message.link, octets: message.octets });
                }
                _ => {}
            }
        }
        arps < asked && advertisements < asked
    }
}
