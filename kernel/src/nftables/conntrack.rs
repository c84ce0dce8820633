//! Forgets connections of datagrams. They have no end that a server could bring about: as long as a client goes on
//! sending, it would be sent to a server that is gone. Layouts and numbers: linux/netfilter/nfnetlink_conntrack.h.

use std::io;
use std::net::IpAddr;

use keepalived_core::balance::{DestinationKey, Protocol, ServiceKey};
use keepalived_core::vrrp::Family;

use super::keys::effective_port;
use super::packet::protocol_family;
use crate::netlink::codec::Batch;
use crate::netlink::exchange::Exchange;

/// `NFNL_SUBSYS_CTNETLINK`, `IPCTNL_MSG_CT_DELETE`
const DELETE: u16 = 1 << 8 | 2;
const UDP: u8 = 17;
/// `CTA_FILTER_F_CTA_*`: what a connection is compared in.
const SOURCE: u32 = 1;
const DESTINATION: u32 = 1 << 1;
const PROTOCOL: u32 = 1 << 3;
const SOURCE_PORT: u32 = 1 << 4;
const DESTINATION_PORT: u32 = 1 << 5;

/// Whether a service may have datagrams. Of IPv4 only: Linux (6.18 still) compares the addresses of IPv6 the wrong way
/// round, and would forget all others.
pub(super) fn concerns(key: &ServiceKey) -> bool {
    let datagrams = match key {
        ServiceKey::Address { protocol, .. } => *protocol == Protocol::Udp,
        ServiceKey::Fwmark { .. } => true,
    };
    datagrams && key.family() == Family::V4
}

/// Forgets what the clients of a service have with a server. This takes Linux 6.9; before, the kernel says that it
/// cannot, and such clients are served again when they have been silent for half a minute.
pub(super) fn forget(exchange: &mut Exchange, key: &ServiceKey, to: &DestinationKey) -> io::Result<()> {
    let _refused_before_6_9 = exchange.ask(|batch, flags, sequence| write(batch, flags, sequence, key, to), |_| {})?;
    Ok(())
}

fn write(batch: &mut Batch, flags: u16, sequence: u32, key: &ServiceKey, to: &DestinationKey) {
    batch.begin(DELETE, flags, sequence, &[protocol_family(key.family()), 0, 0, 0]);
    let mut original = 0;
    if let ServiceKey::Address { address, port, .. } = *key {
        original = DESTINATION | PROTOCOL | if port == 0 { 0 } else { DESTINATION_PORT };
        batch.nested(1, |it| {
            it.nested(1, |it| write_address(it, address, true));
            it.nested(2, |it| {
                it.attribute(1, &[UDP]);
                it.attribute(3, &port.to_be_bytes());
            });
        });
    }
    // answers come from the server
    let port = effective_port(key, to);
    let reply = SOURCE | PROTOCOL | port.map_or(0, |_| SOURCE_PORT);
    batch.nested(2, |it| {
        it.nested(1, |it| write_address(it, to.address, false));
        it.nested(2, |it| {
            it.attribute(1, &[UDP]);
            it.attribute(2, &port.unwrap_or(0).to_be_bytes());
        });
    });
    batch.nested(25, |it| {
        it.attribute(1, &u32::to_ne_bytes(original));
        it.attribute(2, &reply.to_ne_bytes());
    });
    batch.end();
}

fn write_address(it: &mut Batch, address: IpAddr, destination: bool) {
    let first = match Family::of(address) {
        Family::V4 => 1,
        Family::V6 => 3,
    };
    let kind = first + u16::from(destination);
    match address {
        IpAddr::V4(ip) => it.attribute(kind, &ip.octets()),
        IpAddr::V6(ip) => it.attribute(kind, &ip.octets()),
    }
}
