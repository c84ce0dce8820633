//! Raw packets: adverts out and in, announcements and probes for addresses out, what neighbours say about theirs in.

use std::net::IpAddr;

use keepalived_core::time::Instant;
use keepalived_core::vrrp::Family;

use keepalived_core::network::LinkIndex;

/// A pair of advert sockets: one to receive, one to send.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Channel {
    /// Of the adverts.
    pub family: Family,
    /// Interface it is bound to; absent only for unicast without `interface`.
    pub link: Option<LinkIndex>,
    /// What it receives.
    pub kind: ChannelKind,
    /// IP protocol of the packets: VRRP, or over IPv4 the authentication header in front of it.
    pub protocol: u8,
}

/// What a channel receives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ChannelKind {
    /// Adverts to this group.
    Multicast {
        /// The group that is joined.
        group: IpAddr,
    },
    /// Adverts to this address of ours (FREEBIND: it may appear later).
    Unicast {
        /// The address the receiving socket is bound to; `::` hears all addresses of ours, and no group.
        local: IpAddr,
    },
}

/// Names an open channel; valid until it is closed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelId(pub u32);

/// An advert to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Through this channel.
    pub channel: ChannelId,
    /// Group or peer.
    pub destination: IpAddr,
    /// Source address. IPv4: only for accounting, it stands in the packet. IPv6: put on by the kernel (pktinfo).
    pub source: IpAddr,
    /// IPv6 hop limit; the IPv4 TTL stands in the packet.
    pub hop_limit: u8,
    /// IPv4: whole packet with IP header (the kernel fills the header checksum). IPv6: VRRP message (the kernel fills
    /// its checksum).
    pub octets: &'a [u8],
}

/// A received advert, lent to the callback.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Channel it came through.
    pub channel: ChannelId,
    /// Interface it came through; 0 if the kernel did not say.
    pub link: LinkIndex,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// When the kernel received it, on the monotonic clock; never later than now.
    pub received: Instant,
    /// IPv4: from the IP header on. IPv6: from the VRRP header on.
    pub octets: &'a [u8],
}

/// A frame for the neighbours: gratuitous ARP, unsolicited NA, or a probe for an address, from the Ethernet header on.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Out of this link.
    pub link: LinkIndex,
    /// From the Ethernet header on.
    pub octets: &'a [u8],
}

/// What a neighbour says about the addresses it has, lent to the callback.
#[derive(Clone, Copy, Debug)]
pub enum Overheard<'a> {
    /// A frame, from the Ethernet header on.
    Arp {
        /// Link it came through.
        link: LinkIndex,
        /// The frame.
        octets: &'a [u8],
    },
    /// A neighbour advertisement whose checksum is right and whose hop limit was 255, from the ICMPv6 header on.
    Advertisement {
        /// Link it came through.
        link: LinkIndex,
        /// The message.
        octets: &'a [u8],
    },
}

/// Whether what neighbours say about their addresses is kept until it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listen {
    /// It is.
    Yes,
    /// It is not; what was kept is thrown away.
    No,
}

/// How large a channel's receive buffer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BufferSize(pub u32);

/// The sockets of a channel, before it is opened and after it was closed.
pub trait Sockets: Sized + Send + std::fmt::Debug {
    /// Makes the sockets of `channel`, with multicast loop-back off, or `multicast_all` off, as fits its kind. Joining
    /// a group waits for the kernel's lock for links (RTNL), and so does dropping the sockets after that.
    ///
    /// # Errors
    /// No permission, no such link, no such address.
    fn make(channel: &Channel, buffer: BufferSize) -> std::io::Result<Self>;
}

/// Raw packets. Nothing here waits for the kernel.
pub trait Packets {
    /// What channels are made of.
    type Sockets: Sockets;

    /// Opens `channel` on the sockets that were made for it.
    ///
    /// # Errors
    /// The kernel is short of something.
    fn open(&mut self, channel: &Channel, sockets: Self::Sockets) -> std::io::Result<ChannelId>;

    /// Makes a channel's receive buffer another size; unknown ids are ignored, and so is a refusal.
    fn resize(&mut self, channel: ChannelId, buffer: BufferSize);

    /// Closes a channel, and returns its sockets; unknown ids have none.
    fn close(&mut self, channel: ChannelId) -> Option<Self::Sockets>;

    /// Sends in order, in as few system calls as possible. `failed` gets the position and error number of each that
    /// could not be sent; the others are tried all the same.
    fn send(&mut self, adverts: &[Outgoing<'_>], failed: &mut Vec<(usize, i32)>);

    /// Hands over what has arrived on all channels, at most about `limit` packets; false if there may be more.
    fn receive(&mut self, limit: usize, deliver: &mut dyn FnMut(Incoming<'_>)) -> bool;

    /// Sends frames in order, in as few system calls as possible; `failed` as in [`Packets::send`].
    fn announce(&mut self, frames: &[Frame<'_>], failed: &mut Vec<(usize, i32)>);

    /// Listens on all links to what neighbours say about the addresses they have, or does not; at first it does not.
    /// What the kernel refuses hears nothing.
    fn listen(&mut self, listen: Listen);

    /// Hands over what neighbours have said, at most about `limit` times; false if there may be more.
    fn overhear(&mut self, limit: usize, deliver: &mut dyn FnMut(Overheard<'_>)) -> bool;
}
