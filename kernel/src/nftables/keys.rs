//! The keys by which the kernel finds services, servers and seats: octets as they lie in registers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_core::balance::{DestinationKey, Protocol, ServiceKey};
use keepalived_core::vrrp::Family;

use super::table::{FoundBy, OurTable, ServiceClass};

/// Where a server is; without a port the client's stays.
pub(super) type Server = (IpAddr, Option<u16>);

/// The number of a protocol in a packet.
fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

/// Protocols that are balanced, by their number in a packet.
pub(super) const PROTOCOLS: [u8; 3] = [6, 17, 132];

fn push_address(octets: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(ip) => octets.extend(ip.octets()),
        IpAddr::V6(ip) => octets.extend(ip.octets()),
    }
}

fn push_port(octets: &mut Vec<u8>, port: u16) {
    octets.extend(port.to_be_bytes());
    octets.extend([0; 2]);
}

/// An address, and a port if there is one, as they lie in registers.
pub(super) fn endpoint(address: IpAddr, port: Option<u16>) -> Vec<u8> {
    let mut octets = Vec::with_capacity(20);
    push_address(&mut octets, address);
    if let Some(port) = port {
        push_port(&mut octets, port);
    }
    octets
}

/// What a packet's registers hold if it is for the service.
pub(super) fn service_octets(key: &ServiceKey) -> Vec<u8> {
    let mut octets = Vec::with_capacity(48);
    match *key {
        ServiceKey::Fwmark { mark, .. } => octets.extend(mark.to_ne_bytes()),
        ServiceKey::Address { address, port, protocol } => {
            octets.extend([number(protocol), 0, 0, 0]);
            push_address(&mut octets, address);
            if port != 0 {
                push_port(&mut octets, port);
            }
        }
    }
    octets
}

/// The key of a server among the weights.
pub(super) fn weight_octets(key: &ServiceKey, to: &DestinationKey) -> Vec<u8> {
    let mut octets = service_octets(key);
    octets.extend(endpoint(to.address, Some(to.port)));
    octets
}

/// The key of a server among the counters.
pub(super) fn traffic_octets(key: &ServiceKey, to: &DestinationKey) -> Vec<u8> {
    let mut octets = service_octets(key);
    let has_port = ServiceClass::of(key, OurTable::Nat).found_by == FoundBy::Port;
    octets.extend(endpoint(to.address, effective_port(key, to).filter(|_| has_port)));
    octets
}

/// The port to which packets to `to` are sent; `None` is the port that the client asked for, which may be any.
pub(super) fn effective_port(key: &ServiceKey, to: &DestinationKey) -> Option<u16> {
    let service = match key {
        ServiceKey::Address { port, .. } => *port,
        ServiceKey::Fwmark { .. } => 0,
    };
    [to.port, service].into_iter().find(|port| *port != 0)
}

/// The key of a server's place among the seats.
pub(super) fn seat_octets(key: &ServiceKey, (address, port): Server) -> Vec<u8> {
    weight_octets(key, &DestinationKey { address, port: port.unwrap_or(0) })
}

/// The server that `to` is: where its packets are sent. With direct routing they keep their port.
pub(super) fn server_of(table: OurTable, key: &ServiceKey, to: &DestinationKey) -> Server {
    (to.address, effective_port(key, to).filter(|_| table == OurTable::Nat))
}

/// Reads what [`weight_octets`] wrote.
pub(super) fn read_weight(class: ServiceClass, octets: &[u8]) -> Option<(ServiceKey, DestinationKey)> {
    let mut rest = octets;
    let key = match class.found_by {
        FoundBy::Mark => ServiceKey::Fwmark { mark: u32::from_ne_bytes(take(&mut rest)?), family: class.family },
        FoundBy::Port | FoundBy::AnyPort => {
            let [protocol, ..] = take::<4>(&mut rest)?;
            let protocol =
                [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|it| number(*it) == protocol)?;
            let address = take_address(class.family, &mut rest)?;
            let port = if class.found_by == FoundBy::Port { take_port(&mut rest)? } else { 0 };
            ServiceKey::Address { address, port, protocol }
        }
    };
    let address = take_address(class.family, &mut rest)?;
    let port = take_port(&mut rest)?;
    rest.is_empty().then_some((key, DestinationKey { address, port }))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

fn take_address(family: Family, rest: &mut &[u8]) -> Option<IpAddr> {
    Some(match family {
        Family::V4 => Ipv4Addr::from(take::<4>(rest)?).into(),
        Family::V6 => Ipv6Addr::from(take::<16>(rest)?).into(),
    })
}

fn take_port(rest: &mut &[u8]) -> Option<u16> {
    let [high, low, ..] = take::<4>(rest)?;
    Some(u16::from_be_bytes([high, low]))
}

/// What was counted, by the key of the counter.
pub(super) type Counts = BTreeMap<Vec<u8>, (u64, u64)>;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Vec<ServiceKey> {
        let address =
            |text: &str, port, protocol| ServiceKey::Address { address: text.parse().unwrap(), port, protocol };
        vec![
            address("192.0.2.1", 80, Protocol::Tcp),
            address("192.0.2.1", 0, Protocol::Sctp),
            address("2001:db8::1", 53, Protocol::Udp),
            address("::", 0, Protocol::Tcp),
            address("::ffff:192.0.2.1", 65535, Protocol::Tcp),
            ServiceKey::Fwmark { mark: u32::MAX, family: Family::V4 },
            ServiceKey::Fwmark { mark: 7, family: Family::V6 },
        ]
    }

    #[test]
    fn a_key_leads_back_to_its_server() {
        for key in keys() {
            let address = if key.family() == Family::V4 { "10.0.0.1" } else { "fd00::1" };
            for port in [0, 8080] {
                let to = DestinationKey { address: address.parse().unwrap(), port };
                let octets = weight_octets(&key, &to);
                assert_eq!(
                    octets.len(),
                    ServiceClass::of(&key, OurTable::Nat)
                        .weight_parts()
                        .iter()
                        .map(|(_, length)| length)
                        .sum::<usize>()
                );
                assert_eq!(read_weight(ServiceClass::of(&key, OurTable::Nat), &octets), Some((key, to)));
                for length in 0..octets.len() {
                    assert_eq!(read_weight(ServiceClass::of(&key, OurTable::Nat), &octets[..length]), None);
                }
                let counted = traffic_octets(&key, &to).len();
                assert_eq!(
                    counted,
                    ServiceClass::of(&key, OurTable::Nat)
                        .traffic_parts()
                        .iter()
                        .map(|(_, length)| length)
                        .sum::<usize>()
                );
            }
        }
    }
}
