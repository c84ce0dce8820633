//! Raw sockets for adverts, a packet socket for frames, and two sockets for what neighbours say about their addresses.

pub(crate) mod mmsg;
pub(crate) mod open;
mod overhear;

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_core::vrrp::Family;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::ClockId;
use socket2::Socket;

use self::mmsg::{Control, Departure, MOST_PACKETS, Name, Packet, Receiver, Sender};
pub use self::open::Pair;
pub(crate) use self::open::source_towards;
use crate::packets::{
    BufferSize, Channel, ChannelId, ChannelKind, Frame, Incoming, Listen, Outgoing, Overheard, Packets, Sockets,
};
use crate::reactor::{nanos, now};
use crate::socket_option;
use keepalived_core::network::LinkIndex;

/// [`Packets`] of the namespace that the thread is in.
#[derive(Debug)]
pub struct RawSockets {
    /// Holds the receiving sockets, so that those with nothing to say cost nothing.
    epoll: OwnedFd,
    channels: BTreeMap<ChannelId, Open>,
    next: u32,
    frames: Socket,
    overhearing: open::Overhearing,
    receiver: Receiver,
    sender: Sender,
    /// All channels were empty at some time after this.
    drained: Instant,
}

/// An open channel.
#[derive(Debug)]
struct Open {
    channel: Channel,
    sockets: Pair,
}

impl RawSockets {
    /// Opens what is there for all links; channels come later.
    ///
    /// # Errors
    /// `CAP_NET_RAW` is missing.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let frames = open::frames()?;
        let overhearing = open::Overhearing::open()?;
        let nobody = epoll::EventData::new_u64(u64::MAX);
        epoll::add(&epoll, &overhearing.arp, nobody, epoll::EventFlags::IN)?;
        if let Some(advertisements) = &overhearing.advertisements {
            epoll::add(&epoll, advertisements, nobody, epoll::EventFlags::IN)?;
        }
        Ok(Self {
            epoll,
            channels: BTreeMap::new(),
            next: 0,
            frames,
            overhearing,
            receiver: Receiver::new(),
            sender: Sender::new(),
            drained: now(),
        })
    }

    /// Readable while any channel has something: to be registered with the reactor.
    pub fn poll_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Whether [`Packets::receive`] would deliver something.
    pub fn anything_waiting(&self) -> bool {
        let mut events = [MaybeUninit::uninit(); 1];
        ready(&self.epoll, &mut events).is_ok_and(|ready| !ready.is_empty())
    }
}

fn ready<'a>(epoll: &OwnedFd, events: &'a mut [MaybeUninit<epoll::Event>]) -> Result<&'a mut [epoll::Event], Errno> {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    epoll::wait(epoll, events, Some(&at_once)).map(|(ready, _)| ready)
}

impl Sockets for Pair {
    fn make(channel: &Channel, buffer: BufferSize) -> io::Result<Self> {
        open::pair(channel, buffer)
    }
}

impl Packets for RawSockets {
    type Sockets = Pair;

    fn open(&mut self, channel: &Channel, sockets: Pair) -> io::Result<ChannelId> {
        let id = ChannelId(self.next);
        let data = epoll::EventData::new_u64(id.0.into());
        epoll::add(&self.epoll, &sockets.receive, data, epoll::EventFlags::IN)?;
        self.next = self.next.wrapping_add(1);
        self.channels.insert(id, Open { channel: channel.clone(), sockets });
        Ok(id)
    }

    fn resize(&mut self, channel: ChannelId, buffer: BufferSize) {
        if let Some(open) = self.channels.get(&channel) {
            // what is there goes on working
            let _as_it_was = socket_option::receive_buffer(&open.sockets.receive, buffer);
        }
    }

    fn close(&mut self, channel: ChannelId) -> Option<Pair> {
        let open = self.channels.remove(&channel)?;
        // the sockets live on until the caller drops them
        let _already_out = epoll::delete(&self.epoll, &open.sockets.receive);
        Some(open.sockets)
    }

    fn send(&mut self, adverts: &[Outgoing<'_>], failed: &mut Vec<(usize, i32)>) {
        let mut start = 0;
        for run in adverts.chunk_by(|one, next| one.channel == next.channel) {
            let mut fail = |at: usize, errno| failed.push((start + at, errno));
            match run.first().and_then(|first| self.channels.get(&first.channel)) {
                Some(open) => {
                    let packets = run.iter().map(|advert| departure(&open.channel, advert));
                    self.sender.send(open.sockets.send.as_fd(), packets, fail);
                }
                None => (0..run.len()).for_each(|at| fail(at, libc::EBADF)),
            }
            start += run.len();
        }
    }

    fn receive(&mut self, limit: usize, deliver: &mut dyn FnMut(Incoming<'_>)) -> bool {
        let clock = Clock::read(self.drained);
        let mut left = limit;
        loop {
            let mut events = [MaybeUninit::uninit(); MOST_PACKETS];
            let ready = match ready(&self.epoll, &mut events) {
                Ok(ready) => ready,
                Err(Errno::INTR) => continue,
                Err(_) => return true,
            };
            // the kernel puts those that it has named at the end of its list: no channel is starved
            let mut more = ready.len() == MOST_PACKETS;
            for event in ready {
                if left == 0 {
                    return false;
                }
                let epoll::Event { data, .. } = *event;
                let id = ChannelId(u32::try_from(data.u64()).unwrap_or(u32::MAX));
                let Some(open) = self.channels.get(&id) else { continue };
                let asked = left.min(MOST_PACKETS);
                let Ok(count) = self.receiver.receive(open.sockets.receive.as_fd(), asked) else {
                    // such as ENETDOWN: told once, and then there may be packets behind it
                    left -= 1;
                    more = true;
                    continue;
                };
                left -= count;
                more |= count == asked;
                for packet in (0..count).filter_map(|at| self.receiver.packet(at)) {
                    // a raw socket of `::` hears every group that the machine is in
                    let unicast = matches!(open.channel.kind, ChannelKind::Unicast { .. });
                    match incoming(id, open.channel.family, &packet, &clock) {
                        Some(incoming) if !(unicast && incoming.destination.is_multicast()) => deliver(incoming),
                        _ => {}
                    }
                }
            }
            if !more {
                self.drained = clock.monotonic;
                return true;
            }
        }
    }

    fn announce(&mut self, frames: &[Frame<'_>], failed: &mut Vec<(usize, i32)>) {
        let packets = frames.iter().map(|frame| {
            let ether_type = frame.octets.get(12..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
            Departure {
                octets: frame.octets,
                destination: Name::link(frame.link.0, ether_type),
                control: Control::new(),
            }
        });
        self.sender.send(self.frames.as_fd(), packets, |at, errno| failed.push((at, errno)));
    }

    fn listen(&mut self, listen: Listen) {
        self.switch(listen);
    }

    fn overhear(&mut self, limit: usize, deliver: &mut dyn FnMut(Overheard<'_>)) -> bool {
        self.overhear_both(limit, deliver)
    }
}

fn departure<'a>(channel: &Channel, advert: &Outgoing<'a>) -> Departure<'a> {
    let mut control = Control::new();
    let destination = match advert.destination {
        IpAddr::V4(ip) => Name::v4(SocketAddrV4::new(ip, 0)),
        IpAddr::V6(ip) => {
            let source = match advert.source {
                IpAddr::V6(source) => source,
                IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED,
            };
            let mut information = [0; 20];
            let link = channel.link.map_or(0, |link| link.0).to_ne_bytes();
            let written = source.octets().into_iter().chain(link);
            information.iter_mut().zip(written).for_each(|(to, from)| *to = from);
            control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &information);
            let hop_limit = i32::from(advert.hop_limit);
            control.push(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &hop_limit.to_ne_bytes());
            Name::v6(SocketAddrV6::new(ip, 0, 0, open::scope_of(ip, channel.link)))
        }
    };
    Departure { octets: advert.octets, destination, control }
}

/// Turns the kernel's receive stamps, which follow the wall clock, into the monotonic clock's.
pub(crate) struct Clock {
    monotonic: Instant,
    wall: u64,
    /// Nothing that is still to be read came before this, however the wall clock was set meanwhile.
    earliest: Instant,
}

impl Clock {
    pub(crate) fn read(earliest: Instant) -> Self {
        let wall = nanos(rustix::time::clock_gettime(ClockId::Realtime));
        Self { monotonic: now(), wall, earliest }
    }

    pub(crate) fn received(&self, stamp: Option<u64>) -> Instant {
        let age = stamp.map_or(0, |stamp| self.wall.saturating_sub(stamp));
        self.monotonic.before(Duration::from_nanos(age)).max(self.earliest)
    }
}

/// `SCM_TIMESTAMPNS_NEW`
pub(crate) const STAMP: i32 = 64;

/// `None` for what cannot be a packet of this family (the kernel hands over no such thing).
fn incoming<'a>(id: ChannelId, family: Family, packet: &Packet<'a>, clock: &Clock) -> Option<Incoming<'a>> {
    let (mut stamp, mut link, mut destination, mut hop_limit) = (None, 0, None, None);
    for (level, kind, value) in packet.control.notes() {
        let number = |at: usize| value.get(at..)?.first_chunk().map(|octets| u32::from_ne_bytes(*octets));
        match (level, kind) {
            (libc::SOL_SOCKET, STAMP) => stamp = wall_clock(value),
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => link = number(0).unwrap_or(0),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                destination = value.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets));
                link = number(16).unwrap_or(0);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => hop_limit = number(0),
            _ => {}
        }
    }
    let ipv4 = |at: usize| packet.octets.get(at..)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets));
    let (source, destination, ttl) = match family {
        Family::V4 => (ipv4(12)?.into(), ipv4(16)?.into(), *packet.octets.get(8)?),
        // without the note it is taken for one that was forwarded
        Family::V6 => {
            let ttl = hop_limit.and_then(|limit| limit.try_into().ok()).unwrap_or(0);
            (packet.sender.ipv6()?.into(), destination?.into(), ttl)
        }
    };
    Some(Incoming {
        channel: id,
        link: LinkIndex(link),
        source,
        destination,
        ttl,
        received: clock.received(stamp),
        octets: packet.octets,
    })
}

/// Nanoseconds of a stamp: two 64-bit numbers.
pub(crate) fn wall_clock(stamp: &[u8]) -> Option<u64> {
    let seconds = i64::from_ne_bytes(*stamp.first_chunk()?);
    let rest = i64::from_ne_bytes(*stamp.get(8..)?.first_chunk()?);
    let (seconds, rest) = (u64::try_from(seconds).ok()?, u64::try_from(rest).ok()?);
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_never_later_than_now_nor_earlier_than_the_last_look() {
        let clock = Clock { monotonic: Instant::from_nanos(1_000), wall: 5_000, earliest: Instant::from_nanos(700) };
        for (stamp, received) in [(Some(5_000), 1_000), (Some(4_900), 900), (Some(6_000), 1_000), (Some(1), 700)] {
            assert_eq!(clock.received(stamp), Instant::from_nanos(received), "{stamp:?}");
        }
        assert_eq!(clock.received(None), Instant::from_nanos(1_000));
    }
}
