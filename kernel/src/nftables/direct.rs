//! Direct routing: a copy of the packet goes to the server as it is, neighbours being the kernel's business, and the
//! packet itself no further. Conntrack knows nothing of it: which server has a connection is remembered in a map of our
//! own.

use keepalived_core::vrrp::Family;

use super::expression::{DROP, GOTO, Header, PASS, Register};
use super::message::Transaction;
use super::names::{self, BALANCED, DISPATCH};
use super::packet::{
    FIRST, META_PROTOCOL, Seated, load_destination, load_service_key, load_source, only_meta, only_protocol_number,
};
use super::table::{self, OurTable, kind};
use crate::netlink::codec::Batch;

/// Connections, and the seats of their servers.
pub(super) const CONNECTIONS: &str = "connections";
/// Connections that one end has closed.
pub(super) const CLOSING: &str = "closing";
/// The chain that sends a packet to the server of its connection.
pub(super) const SEND: &str = "send";

/// IPVS's timeouts, in milliseconds: `lvs_timeouts` is of IPVS only.
const ESTABLISHED: u64 = 900_000;
const CLOSED: u64 = 120_000;
const DATAGRAMS: u64 = 300_000;
/// Of a connection after its first packet.
const BEGUN: u64 = 60_000;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
/// `NFT_META_IIFTYPE`, `ARPHRD_LOOPBACK`
const META_INTERFACE_TYPE: u32 = 8;
const LOOPBACK: u16 = 772;

/// How many rules the chains of a table have that all services share.
pub(super) fn chains(family: Family) -> [(&'static str, usize); 3] {
    [("prerouting", 2 + errors(family).len()), (DISPATCH, 9 + 3), (SEND, 2)]
}

/// ICMP errors that concern connections, by greatest type: all from 1 on with IPv6.
fn errors(family: Family) -> &'static [u8] {
    match family {
        // destination unreachable, time exceeded, parameter problem
        Family::V4 => &[3, 11, 12],
        Family::V6 => &[4],
    }
}

/// Of what the key of a connection consists: the client, the service, the protocol.
pub(super) fn connection_parts(family: Family) -> [(u32, usize); 5] {
    let address = table::address_kind(family);
    [address, (kind::PORT, 4), address, (kind::PORT, 4), (kind::PROTOCOL, 4)]
}

fn load_connection(it: &mut Batch, family: Family) {
    let words = load_source(it, family, FIRST) / 4;
    it.payload(Register(words), Header::Transport, 0, 2);
    let next = load_destination(it, family, Register(words + 1));
    it.payload(Register(next), Header::Transport, 2, 2);
    it.meta(Register(next + 1), META_PROTOCOL);
}

/// Loads the connection that an ICMP error is about: it quotes a packet of the server's, whose header has no options.
fn load_quoted(it: &mut Batch, family: Family) {
    const ICMP: u32 = 8;
    let (source, destination, octets, protocol, header) = match family {
        Family::V4 => (12, 16, 4, 9, 20),
        Family::V6 => (8, 24, 16, 6, 40),
    };
    let words = octets / 4;
    it.payload(FIRST, Header::Transport, ICMP + destination, octets);
    it.payload(Register(words), Header::Transport, ICMP + header + 2, 2);
    it.payload(Register(words + 1), Header::Transport, ICMP + source, octets);
    it.payload(Register(2 * words + 1), Header::Transport, ICMP + header, 2);
    it.payload(Register(2 * words + 2), Header::Transport, ICMP + protocol, 1);
}

/// Remembers the server of this packet's connection.
pub(super) fn remember(it: &mut Batch, family: Family, seat: Register, milliseconds: u64) {
    load_connection(it, family);
    it.remember(CONNECTIONS, FIRST, Some(seat), milliseconds);
}

/// The same of a new connection, and sends the packet.
pub(super) fn begin(it: &mut Batch, family: Family, seat: Register, datagrams: bool) {
    remember(it, family, seat, if datagrams { DATAGRAMS } else { BEGUN });
    it.verdict(GOTO, Some(SEND));
}

fn send(it: &mut Batch) {
    it.duplicate(Seated::of(OurTable::Direct(Family::V4)).server);
    it.verdict(DROP, None);
}

/// Goes on only with the first packet of a TCP connection, or with any other.
fn only_first(it: &mut Batch, first: bool) {
    const SYN_RST_ACK: u8 = 0x16;
    const SYN: u8 = 0x02;
    only_protocol_number(it, TCP);
    it.payload(FIRST, Header::Transport, 13, 1);
    it.mask(FIRST, FIRST, &[SYN_RST_ACK]);
    if first { it.equals(FIRST, &[SYN]) } else { it.differs(FIRST, &[SYN]) }
}

/// Has the kernel send a copy of a packet that there never is, in a table that is to go at once: an error if it cannot.
pub(super) fn write_trial(to: &mut Transaction) {
    to.new_chain(SEND, None);
    to.new_rule(SEND, None, |it| {
        load_source(it, Family::V6, FIRST);
        it.duplicate(FIRST);
    });
}

/// Fills the chains that all services share.
pub(super) fn write(to: &mut Transaction, table: OurTable, family: Family, layout: &str) {
    let (seats, seated) = (names::seats(table, family, false), Seated::of(table));
    let look_up = |it: &mut Batch| seated.look_up(it, CONNECTIONS, FIRST, seats);
    // what we send to a server that is this machine comes in again
    to.new_rule("prerouting", None, |it| {
        only_meta(it, META_INTERFACE_TYPE, &LOOPBACK.to_ne_bytes());
        it.verdict(PASS, None);
    });
    for kind in errors(family) {
        to.new_rule("prerouting", None, |it| {
            only_protocol_number(it, if family == Family::V4 { 1 } else { 58 });
            it.payload(FIRST, Header::Transport, 0, 1);
            match family {
                Family::V4 => it.equals(FIRST, &[*kind]),
                Family::V6 => it.at_most(FIRST, &[*kind]),
            }
            load_quoted(it, family);
            look_up(it);
            send(it);
        });
    }
    to.new_rule("prerouting", None, |it| {
        it.meta(FIRST, META_PROTOCOL);
        it.in_set(BALANCED, FIRST, false);
        it.verdict(GOTO, Some(DISPATCH));
    });
    // a client that takes its port again opens another connection
    to.new_rule(DISPATCH, Some(layout), |it| {
        only_first(it, true);
        load_connection(it, family);
        it.in_set(CLOSING, FIRST, false);
        it.forget(CLOSING, FIRST, None);
        it.forget(CONNECTIONS, FIRST, Some(FIRST));
    });
    to.new_rule(DISPATCH, None, |it| {
        const FIN_RST: u8 = 0x05;
        only_protocol_number(it, TCP);
        it.payload(FIRST, Header::Transport, 13, 1);
        it.mask(FIRST, FIRST, &[FIN_RST]);
        it.differs(FIRST, &[0]);
        load_connection(it, family);
        look_up(it);
        it.remember(CONNECTIONS, FIRST, Some(seated.seat), CLOSED);
        it.remember(CLOSING, FIRST, None, CLOSED);
        send(it);
    });
    to.new_rule(DISPATCH, None, |it| {
        only_protocol_number(it, TCP);
        load_connection(it, family);
        it.in_set(CLOSING, FIRST, false);
        look_up(it);
        it.remember(CONNECTIONS, FIRST, Some(seated.seat), CLOSED);
        send(it);
    });
    for (protocol, milliseconds) in [(TCP, ESTABLISHED), (UDP, DATAGRAMS), (SCTP, ESTABLISHED)] {
        to.new_rule(DISPATCH, None, |it| {
            only_protocol_number(it, protocol);
            load_connection(it, family);
            look_up(it);
            it.remember(CONNECTIONS, FIRST, Some(seated.seat), milliseconds);
            send(it);
        });
    }
    // what does not begin a connection is not for us, as with IPVS
    to.new_rule(DISPATCH, None, |it| {
        only_first(it, false);
        it.verdict(PASS, None);
    });
    to.new_rule(DISPATCH, None, |it| {
        const INIT: u8 = 1;
        only_protocol_number(it, SCTP);
        it.payload(FIRST, Header::Transport, 12, 1);
        it.differs(FIRST, &[INIT]);
        it.verdict(PASS, None);
    });
    // its server is gone: the old entry would be in the way of the new one
    to.new_rule(DISPATCH, None, |it| {
        load_connection(it, family);
        it.forget(CONNECTIONS, FIRST, Some(FIRST));
    });
    for class in table.classes() {
        to.new_rule(DISPATCH, None, |it| {
            load_service_key(it, class, false);
            it.look_up(&class.services(), FIRST, None);
        });
    }
    to.new_rule(SEND, None, |it| {
        load_connection(it, family);
        look_up(it);
        send(it);
    });
    // it went this moment
    to.new_rule(SEND, None, |it| it.verdict(DROP, None));
}
