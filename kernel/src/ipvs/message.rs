//! Services and destinations, to and from the attributes of generic netlink (`linux/ip_vs.h`).
//!
//! No answer is refused for one attribute that is new or strange; an entry that cannot be expressed is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::time::Duration;

use keepalived_core::balance::{
    DestinationEntry, DestinationKey, Forwarding, Granularity, Protocol, Scheduler, SchedulerFlags, ServiceEntry,
    ServiceKey, Tunnel, TunnelChecksum,
};
use keepalived_core::vrrp::Family;

use crate::netlink::codec::{Attributes, Batch, u16_at, u32_at};

pub(super) const NEW_SERVICE: u8 = 1;
pub(super) const SET_SERVICE: u8 = 2;
pub(super) const DELETE_SERVICE: u8 = 3;
pub(super) const GET_SERVICE: u8 = 4;
pub(super) const NEW_DESTINATION: u8 = 5;
pub(super) const SET_DESTINATION: u8 = 6;
pub(super) const DELETE_DESTINATION: u8 = 7;
pub(super) const GET_DESTINATION: u8 = 8;
pub(super) const NEW_DAEMON: u8 = 9;
pub(super) const DELETE_DAEMON: u8 = 10;
pub(super) const GET_DAEMON: u8 = 11;
pub(super) const SET_CONFIG: u8 = 12;
pub(super) const GET_CONFIG: u8 = 13;
pub(super) const ZERO: u8 = 16;
pub(super) const FLUSH: u8 = 17;

/// `IPVS_CMD_ATTR_*`
const SERVICE: u16 = 1;
const DESTINATION: u16 = 2;

const SVC_AF: u16 = 1;
const SVC_PROTOCOL: u16 = 2;
const SVC_ADDR: u16 = 3;
const SVC_PORT: u16 = 4;
const SVC_FWMARK: u16 = 5;
const SVC_SCHED_NAME: u16 = 6;
const SVC_FLAGS: u16 = 7;
const SVC_TIMEOUT: u16 = 8;
const SVC_NETMASK: u16 = 9;
const SVC_PE_NAME: u16 = 11;
const SVC_STATS64: u16 = 12;

const DEST_ADDR: u16 = 1;
const DEST_PORT: u16 = 2;
const DEST_FWD_METHOD: u16 = 3;
const DEST_WEIGHT: u16 = 4;
const DEST_U_THRESH: u16 = 5;
const DEST_L_THRESH: u16 = 6;
const DEST_ACTIVE_CONNS: u16 = 7;
const DEST_INACT_CONNS: u16 = 8;
const DEST_PERSIST_CONNS: u16 = 9;
const DEST_ADDR_FAMILY: u16 = 11;
const DEST_STATS64: u16 = 12;
const DEST_TUN_TYPE: u16 = 13;
const DEST_TUN_PORT: u16 = 14;
const DEST_TUN_FLAGS: u16 = 15;

const PERSISTENT: u32 = 0x01;
const ONE_PACKET: u32 = 0x04;
const FLAG_1: u32 = 0x08;
const FLAG_2: u32 = 0x10;
const FLAG_3: u32 = 0x20;

const MASQUERADING: u32 = 0;
const TUNNEL: u32 = 2;
const DIRECT_ROUTE: u32 = 3;

const IPIP: u8 = 0;
const GUE: u8 = 1;
const GRE: u8 = 2;
const CHECKSUM: u16 = 1;
const REMOTE_CHECKSUM: u16 = 2;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

const TCP: u16 = 6;
const UDP: u16 = 17;
const SCTP: u16 = 132;

/// Adds the service that a request is about; with `entry`, all of it.
pub(super) fn write_service(batch: &mut Batch, key: &ServiceKey, entry: Option<&ServiceEntry>) {
    batch.nested(SERVICE, |batch| {
        batch.attribute(SVC_AF, &family_number(key.family()).to_ne_bytes());
        match key {
            ServiceKey::Address { address, port, protocol } => {
                batch.attribute(SVC_PROTOCOL, &protocol_number(*protocol).to_ne_bytes());
                batch.attribute(SVC_ADDR, &address_octets(*address));
                batch.attribute(SVC_PORT, &port.to_be_bytes());
            }
            ServiceKey::Fwmark { mark, .. } => batch.attribute(SVC_FWMARK, &mark.to_ne_bytes()),
        }
        let Some(entry) = entry else { return };
        batch.text(SVC_SCHED_NAME, entry.scheduler.name());
        if let Some(engine) = &entry.persistence_engine {
            batch.text(SVC_PE_NAME, engine);
        }
        // all flags are meant, also those that are not set
        let mut flags = [0xff; 8];
        flags.iter_mut().zip(flag_bits(entry).to_ne_bytes()).for_each(|(to, from)| *to = from);
        batch.attribute(SVC_FLAGS, &flags);
        let seconds = entry.persistence.map_or(0, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
        batch.attribute(SVC_TIMEOUT, &seconds.to_ne_bytes());
        batch.attribute(SVC_NETMASK, &mask(key.family(), entry.granularity));
    });
}

/// Adds the destination that a request is about; with `entry`, all of it.
pub(super) fn write_destination(batch: &mut Batch, key: &DestinationKey, entry: Option<&DestinationEntry>) {
    batch.nested(DESTINATION, |batch| {
        batch.attribute(DEST_ADDR_FAMILY, &family_number(Family::of(key.address)).to_ne_bytes());
        batch.attribute(DEST_ADDR, &address_octets(key.address));
        batch.attribute(DEST_PORT, &key.port.to_be_bytes());
        let Some(entry) = entry else { return };
        let (method, (tunnel, port, flags)) = match entry.forwarding {
            Forwarding::Nat => (MASQUERADING, (IPIP, 0, 0)),
            Forwarding::Dr => (DIRECT_ROUTE, (IPIP, 0, 0)),
            Forwarding::Tun(tunnel) => (TUNNEL, tunnel_numbers(tunnel)),
        };
        batch.attribute(DEST_FWD_METHOD, &method.to_ne_bytes());
        batch.attribute(DEST_WEIGHT, &entry.weight.to_ne_bytes());
        batch.attribute(DEST_TUN_TYPE, &[tunnel]);
        batch.attribute(DEST_TUN_PORT, &port.to_be_bytes());
        batch.attribute(DEST_TUN_FLAGS, &flags.to_ne_bytes());
        batch.attribute(DEST_U_THRESH, &entry.upper_threshold.to_ne_bytes());
        batch.attribute(DEST_L_THRESH, &entry.lower_threshold.to_ne_bytes());
    });
}

/// What is said of a service.
pub(super) struct ReadService<'a> {
    pub(super) key: ServiceKey,
    pub(super) entry: ServiceEntry,
    /// Its counters, if the kernel has them with 64 bits.
    pub(super) counters: &'a [u8],
}

/// Reads a service. `None` if it is of a kind that [`ServiceKey`] or [`ServiceEntry`] cannot express.
pub(super) fn read_service(attributes: &[u8]) -> Option<ReadService<'_>> {
    let (_, service) = Attributes(attributes).find(|(kind, _)| *kind == SERVICE)?;
    let (mut family, mut protocol, mut address, mut port, mut mark) = (None, None, None, None, None);
    let (mut scheduler, mut engine, mut flags, mut timeout) = (None, None, 0, 0);
    let (mut netmask, mut counters) = (None, [].as_slice());
    for (kind, value) in Attributes(service) {
        match kind {
            SVC_AF => family = read_family(value),
            SVC_PROTOCOL => protocol = read_protocol(value),
            SVC_ADDR => address = Some(value),
            SVC_PORT => port = read_port(value),
            SVC_FWMARK => mark = u32_at(value, 0),
            SVC_SCHED_NAME => scheduler = read_text(value).and_then(Scheduler::named),
            SVC_PE_NAME => engine = read_text(value).filter(|name| !name.is_empty()),
            SVC_FLAGS => flags = u32_at(value, 0)?,
            SVC_TIMEOUT => timeout = u32_at(value, 0)?,
            SVC_NETMASK => netmask = value.first_chunk(),
            SVC_STATS64 => counters = value,
            _ => {}
        }
    }
    let family = family?;
    let key = match mark {
        Some(mark) => ServiceKey::Fwmark { mark, family },
        None => ServiceKey::Address { address: read_address(family, address?)?, port: port?, protocol: protocol? },
    };
    let persistent = flags & PERSISTENT != 0;
    let entry = ServiceEntry {
        scheduler: scheduler?,
        flags: SchedulerFlags {
            flag_1: flags & FLAG_1 != 0,
            flag_2: flags & FLAG_2 != 0,
            flag_3: flags & FLAG_3 != 0,
            // every service is, so it says nothing
            hashed: false,
        },
        one_packet: flags & ONE_PACKET != 0,
        persistence: persistent.then(|| Duration::from_secs(timeout.into())),
        granularity: netmask.and_then(|netmask| read_mask(family, *netmask)),
        persistence_engine: engine.map(str::to_owned),
    };
    Some(ReadService { key, entry, counters })
}

/// What is said of a destination.
pub(super) struct ReadDestination<'a> {
    pub(super) key: DestinationKey,
    pub(super) entry: DestinationEntry,
    /// Active, inactive, persistent.
    pub(super) connections: [u32; 3],
    /// Its counters, if the kernel has them with 64 bits.
    pub(super) counters: &'a [u8],
}

/// Reads a destination of a service of that family. `None` if it is of a kind that [`DestinationEntry`] cannot express.
pub(super) fn read_destination(service: Family, attributes: &[u8]) -> Option<ReadDestination<'_>> {
    let (_, destination) = Attributes(attributes).find(|(kind, _)| *kind == DESTINATION)?;
    let (mut family, mut address, mut port, mut method, mut weight) = (Some(service), None, None, None, None);
    let (mut upper_threshold, mut lower_threshold) = (0, 0);
    let (mut tunnel, mut tunnel_port, mut tunnel_flags) = (IPIP, 0, 0);
    let (mut connections, mut counters) = ([0; 3], [].as_slice());
    let [active, inactive, persistent] = &mut connections;
    for (kind, value) in Attributes(destination) {
        match kind {
            // kernels before 3.18 do not say
            DEST_ADDR_FAMILY => family = read_family(value),
            DEST_ADDR => address = Some(value),
            DEST_PORT => port = read_port(value),
            DEST_FWD_METHOD => method = u32_at(value, 0),
            DEST_WEIGHT => weight = u32_at(value, 0),
            DEST_U_THRESH => upper_threshold = u32_at(value, 0)?,
            DEST_L_THRESH => lower_threshold = u32_at(value, 0)?,
            DEST_ACTIVE_CONNS => *active = u32_at(value, 0)?,
            DEST_INACT_CONNS => *inactive = u32_at(value, 0)?,
            DEST_PERSIST_CONNS => *persistent = u32_at(value, 0)?,
            DEST_TUN_TYPE => tunnel = *value.first()?,
            DEST_TUN_PORT => tunnel_port = read_port(value)?,
            DEST_TUN_FLAGS => tunnel_flags = u16_at(value, 0)?,
            DEST_STATS64 => counters = value,
            _ => {}
        }
    }
    let forwarding = match method? {
        MASQUERADING => Forwarding::Nat,
        DIRECT_ROUTE => Forwarding::Dr,
        TUNNEL => Forwarding::Tun(read_tunnel(tunnel, tunnel_port, tunnel_flags)?),
        _ => return None,
    };
    Some(ReadDestination {
        key: DestinationKey { address: read_address(family?, address?)?, port: port? },
        entry: DestinationEntry { weight: weight?, forwarding, upper_threshold, lower_threshold },
        connections,
        counters,
    })
}

fn flag_bits(entry: &ServiceEntry) -> u32 {
    let ServiceEntry { flags, one_packet, persistence, .. } = entry;
    [
        (persistence.is_some(), PERSISTENT),
        (*one_packet, ONE_PACKET),
        (flags.flag_1, FLAG_1),
        (flags.flag_2, FLAG_2),
        (flags.flag_3, FLAG_3),
    ]
    .into_iter()
    .filter_map(|(set, bit)| set.then_some(bit))
    .sum()
}

/// A mask for IPv4, and for IPv6 the length of a prefix in the machine's order.
fn mask(family: Family, granularity: Option<Granularity>) -> [u8; 4] {
    match (family, granularity) {
        (Family::V4, Some(Granularity::V4(mask))) => mask.octets(),
        (Family::V6, Some(Granularity::V6(prefix))) => u32::from(prefix).to_ne_bytes(),
        (Family::V4, _) => [0xff; 4],
        (Family::V6, _) => 128_u32.to_ne_bytes(),
    }
}

fn read_mask(family: Family, value: [u8; 4]) -> Option<Granularity> {
    match family {
        Family::V4 if value == [0xff; 4] => None,
        Family::V4 => Some(Granularity::V4(Ipv4Addr::from(value))),
        Family::V6 => {
            let prefix = u8::try_from(u32::from_ne_bytes(value)).ok()?;
            (1..128).contains(&prefix).then_some(Granularity::V6(prefix))
        }
    }
}

fn tunnel_numbers(tunnel: Tunnel) -> (u8, u16, u16) {
    let flags = |checksum| match checksum {
        TunnelChecksum::None => 0,
        TunnelChecksum::Plain => CHECKSUM,
        TunnelChecksum::Remote => REMOTE_CHECKSUM,
    };
    match tunnel {
        Tunnel::Ipip => (IPIP, 0, 0),
        Tunnel::Gue { port, checksum } => (GUE, port.get(), flags(checksum)),
        Tunnel::Gre { checksum } => (GRE, 0, flags(checksum)),
    }
}

fn read_tunnel(kind: u8, port: u16, flags: u16) -> Option<Tunnel> {
    let checksum = match flags {
        _ if flags & REMOTE_CHECKSUM != 0 => TunnelChecksum::Remote,
        _ if flags & CHECKSUM != 0 => TunnelChecksum::Plain,
        _ => TunnelChecksum::None,
    };
    match kind {
        IPIP => Some(Tunnel::Ipip),
        GUE => Some(Tunnel::Gue { port: NonZeroU16::new(port)?, checksum }),
        GRE => Some(Tunnel::Gre { checksum }),
        _ => None,
    }
}

fn family_number(family: Family) -> u16 {
    match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    }
}

fn read_family(value: &[u8]) -> Option<Family> {
    match u16_at(value, 0)? {
        AF_INET => Some(Family::V4),
        AF_INET6 => Some(Family::V6),
        _ => None,
    }
}

fn protocol_number(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => UDP,
        Protocol::Sctp => SCTP,
    }
}

fn read_protocol(value: &[u8]) -> Option<Protocol> {
    match u16_at(value, 0)? {
        TCP => Some(Protocol::Tcp),
        UDP => Some(Protocol::Udp),
        SCTP => Some(Protocol::Sctp),
        _ => None,
    }
}

/// An IPv4 address takes the first four.
fn address_octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets.iter_mut().zip(address.octets()).for_each(|(to, from)| *to = from);
            octets
        }
        IpAddr::V6(address) => address.octets(),
    }
}

fn read_address(family: Family, value: &[u8]) -> Option<IpAddr> {
    match family {
        Family::V4 => value.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
        Family::V6 => value.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into()),
    }
}

fn read_port(value: &[u8]) -> Option<u16> {
    value.first_chunk().map(|octets| u16::from_be_bytes(*octets))
}

fn read_text(value: &[u8]) -> Option<&str> {
    let end = value.iter().position(|octet| *octet == 0).unwrap_or(value.len());
    std::str::from_utf8(value.get(..end)?).ok()
}

#[cfg(test)]
mod tests;
