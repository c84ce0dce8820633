//! What rules find in a packet, and where they keep it.

use keepalived_core::balance::{Protocol, ServiceKey};
use keepalived_core::vrrp::Family;

use super::expression::{Header, Register};
use super::keys::{self, Server};
use super::table::{FoundBy, OurTable, ServiceClass, kind};
use crate::netlink::codec::Batch;

/// `NFT_META_*`
pub(super) const META_MARK: u32 = 3;
pub(super) const META_FAMILY: u32 = 15;
pub(super) const META_PROTOCOL: u32 = 16;
/// `NFT_CT_*`
pub(super) const CT_DIRECTION: u32 = 1;
pub(super) const CT_STATUS: u32 = 2;
pub(super) const CT_PORT: u32 = 12;
pub(super) const CT_ADDRESS_4: u32 = 20;
pub(super) const CT_ADDRESS_6: u32 = 22;
/// `IPS_DST_NAT`
pub(super) const REDIRECTED: u32 = 1 << 5;

/// Where a rule keeps what it has found.
pub(super) const FIRST: Register = Register(0);
/// A server: address and port.
pub(super) const SERVER: Register = Register(0);
pub(super) const NUMBER: Register = Register(5);
pub(super) const HASHED: Register = Register(8);

/// Where rules keep a seat beside the key of a client, or of a connection, and the server that has it. With IPv6 all
/// sixteen registers are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seated {
    pub(super) seat: Register,
    /// What [`Batch::through_mark`] needs.
    pub(super) spare: Register,
    pub(super) server: Register,
}

impl Seated {
    pub(super) const fn of(table: OurTable) -> Self {
        match table {
            OurTable::Nat => Self { seat: Register(10), spare: Register(11), server: Register(11) },
            OurTable::Direct(_) => Self { seat: Register(15), spare: Register(14), server: Register(11) },
        }
    }

    /// Looks for the seat that `key` leads to, and for the server that has it.
    pub(super) fn look_up(self, it: &mut Batch, map: &str, key: Register, seats: &str) {
        it.look_up(map, key, Some(self.seat));
        it.through_mark(self.seat, self.spare);
        it.look_up(seats, self.seat, Some(self.server));
    }
}

/// The `NFPROTO_*` of a family.
pub(super) fn protocol_family(family: Family) -> u8 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

pub(super) fn only_family(it: &mut Batch, family: Family) {
    only_meta(it, META_FAMILY, &[protocol_family(family)]);
}

/// Goes on only if something about the packet has this value.
pub(super) fn only_meta(it: &mut Batch, key: u32, value: &[u8]) {
    it.meta(FIRST, key);
    it.equals(FIRST, value);
}

pub(super) fn only_protocol_number(it: &mut Batch, number: u8) {
    only_meta(it, META_PROTOCOL, &[number]);
}

/// Loads what a packet finds its service by, `original` as it was before it was redirected. Returns the next free
/// register.
pub(super) fn load_service_key(it: &mut Batch, class: ServiceClass, original: bool) -> u32 {
    if class.table == OurTable::Nat {
        only_family(it, class.family);
    }
    if class.found_by == FoundBy::Mark {
        it.meta(FIRST, META_MARK);
        return 1;
    }
    it.meta(FIRST, META_PROTOCOL);
    let next = match (class.family, original) {
        (Family::V4, true) => {
            it.connection(Register(1), CT_ADDRESS_4, true);
            2
        }
        (Family::V6, true) => {
            it.connection(Register(1), CT_ADDRESS_6, true);
            5
        }
        (family, false) => load_destination(it, family, Register(1)),
    };
    if class.found_by == FoundBy::AnyPort {
        return next;
    }
    if original {
        it.connection(Register(next), CT_PORT, true);
    } else {
        it.payload(Register(next), Header::Transport, 2, 2);
    }
    next + 1
}

/// Loads where a packet goes, as the counters know it.
pub(super) fn load_server_key(it: &mut Batch, class: ServiceClass, next: u32) {
    let next = load_destination(it, class.family, Register(next));
    if class.found_by == FoundBy::Port {
        it.payload(Register(next), Header::Transport, 2, 2);
    }
}

pub(super) fn load_destination(it: &mut Batch, family: Family, to: Register) -> u32 {
    let (offset, octets) = match family {
        Family::V4 => (16, 4),
        Family::V6 => (24, 16),
    };
    it.payload(to, Header::Network, offset, octets);
    to.0 + octets / 4
}

/// Loads the client's address; returns its octets.
pub(super) fn load_source(it: &mut Batch, family: Family, to: Register) -> u32 {
    let (offset, octets) = match family {
        Family::V4 => (12, 4),
        Family::V6 => (8, 16),
    };
    it.payload(to, Header::Network, offset, octets);
    octets
}

/// Of what a server's place consists.
pub(super) fn server_parts(family: Family, with_port: bool) -> &'static [(u32, usize)] {
    match (family, with_port) {
        (Family::V4, true) => &[(kind::IPV4, 4), (kind::PORT, 4)],
        (Family::V4, false) => &[(kind::IPV4, 4)],
        (Family::V6, true) => &[(kind::IPV6, 16), (kind::PORT, 4)],
        (Family::V6, false) => &[(kind::IPV6, 16)],
    }
}

/// Tells nft what a port is of; the packet has passed the map of services already.
pub(super) fn only_protocol(it: &mut Batch, key: &ServiceKey, with_port: bool) {
    let ServiceKey::Address { protocol, .. } = key else { return };
    if with_port {
        let [tcp, udp, sctp] = keys::PROTOCOLS;
        let number = match protocol {
            Protocol::Tcp => tcp,
            Protocol::Udp => udp,
            Protocol::Sctp => sctp,
        };
        only_protocol_number(it, number);
    }
}

pub(super) fn after_address(family: Family, address: Register) -> Register {
    match family {
        Family::V4 => Register(address.0 + 1),
        Family::V6 => Register(address.0 + 4),
    }
}

pub(super) fn redirect(it: &mut Batch, family: Family, server: Register, with_port: bool) {
    let port = with_port.then(|| after_address(family, server));
    it.redirect(protocol_family(family), server, port);
}

pub(super) fn put_server(it: &mut Batch, to: Register, (address, port): Server) {
    it.put(to, &keys::endpoint(address, None));
    if let Some(port) = port {
        it.put(after_address(Family::of(address), to), &port.to_be_bytes());
    }
}
