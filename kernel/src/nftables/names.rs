//! What things are called in our table, and by which keys the kernel finds them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_core::balance::{DestinationKey, Entry, Forwarding, Protocol, ServiceKey};
use keepalived_core::vrrp::Family;

use super::packet::Server;

/// nft's numbers of the types of values; six bits each when several make a key.
pub(super) mod kind {
    pub(in super::super) const INTEGER: u32 = 4;
    pub(in super::super) const IPV4: u32 = 7;
    pub(in super::super) const IPV6: u32 = 8;
    pub(in super::super) const PROTOCOL: u32 = 12;
    pub(in super::super) const PORT: u32 = 13;
    pub(in super::super) const MARK: u32 = 19;
}

/// By what a packet finds its service. One map each, in this order, as IPVS looks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Shape {
    /// By its mark.
    Mark,
    /// By protocol, address and port.
    Port,
    /// By protocol and address.
    AnyPort,
}

/// One of our tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Home {
    /// Of both families: services that redirect.
    Nat,
    /// Services with direct routing. The kernel sends copies of packets only in tables of one family.
    Direct(Family),
}

impl Home {
    pub(super) const ALL: [Self; 3] = [Self::Nat, Self::Direct(Family::V4), Self::Direct(Family::V6)];

    /// Where a service is whose servers are these.
    pub(super) fn of(key: &ServiceKey, entry: &Entry) -> Self {
        let direct = entry.destinations.values().any(|server| server.forwarding == Forwarding::Dr);
        if direct { Self::Direct(key.family()) } else { Self::Nat }
    }

    /// The table's name, if ours begin with `name`.
    pub(super) fn table(self, name: &str) -> String {
        match self {
            Self::Nat => name.to_owned(),
            Self::Direct(_) => format!("{name}_direct"),
        }
    }

    /// `NFPROTO_*`
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Nat => 1,
            Self::Direct(Family::V4) => 2,
            Self::Direct(Family::V6) => 10,
        }
    }

    /// How packets get to a server there.
    pub(super) const fn forwarding(self) -> Forwarding {
        match self {
            Self::Nat => Forwarding::Nat,
            Self::Direct(_) => Forwarding::Dr,
        }
    }

    /// The groups of services that it has.
    pub(super) fn kins(self) -> impl Iterator<Item = Kin> {
        let families = [Family::V4, Family::V6].into_iter();
        let here = families.filter(move |family| matches!(self, Self::Nat) || self == Self::Direct(*family));
        here.flat_map(move |family| {
            [Shape::Mark, Shape::Port, Shape::AnyPort].map(|shape| Kin { home: self, family, shape })
        })
    }

    /// The maps from seats to servers, by the family and by whether the servers have a port of their own.
    pub(super) fn seats(self) -> Vec<(Family, bool)> {
        match self {
            Self::Nat => [Family::V4, Family::V6].into_iter().flat_map(|it| [(it, true), (it, false)]).collect(),
            Self::Direct(family) => vec![(family, false)],
        }
    }
}

/// All services of one shape and family in one table: they are in the same maps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Kin {
    pub(super) home: Home,
    pub(super) family: Family,
    pub(super) shape: Shape,
}

impl Kin {
    pub(super) fn of(key: &ServiceKey, home: Home) -> Self {
        let shape = match key {
            ServiceKey::Fwmark { .. } => Shape::Mark,
            ServiceKey::Address { port: 0, .. } => Shape::AnyPort,
            ServiceKey::Address { .. } => Shape::Port,
        };
        Self { home, family: key.family(), shape }
    }

    pub(super) fn suffix(self) -> &'static str {
        match (self.family, self.shape) {
            (Family::V4, Shape::Mark) => "4-fwmark",
            (Family::V4, Shape::Port) => "4",
            (Family::V4, Shape::AnyPort) => "4-any-port",
            (Family::V6, Shape::Mark) => "6-fwmark",
            (Family::V6, Shape::Port) => "6",
            (Family::V6, Shape::AnyPort) => "6-any-port",
        }
    }

    /// The map from packets to the chains of services.
    pub(super) fn services(self) -> String {
        format!("services{}", self.suffix())
    }

    /// The map from servers to their weights; nothing looks into it but us.
    pub(super) fn weights(self) -> String {
        format!("weights{}", self.suffix())
    }

    /// The set of servers, with counters.
    pub(super) fn traffic(self) -> String {
        format!("traffic{}", self.suffix())
    }

    /// The map from servers to their seats; nothing looks into it but us.
    pub(super) fn seats_of(self) -> String {
        format!("seats-of{}", self.suffix())
    }

    /// The map in which persistent services remember the seats of their clients' servers.
    pub(super) fn clients(self) -> String {
        format!("clients{}", self.suffix())
    }

    fn address(self) -> (u32, usize) {
        address_kind(self.family)
    }

    /// Of what the key of a service consists: kinds, and octets in registers.
    pub(super) fn service_parts(self) -> Vec<(u32, usize)> {
        match self.shape {
            Shape::Mark => vec![(kind::MARK, 4)],
            Shape::Port => vec![(kind::PROTOCOL, 4), self.address(), (kind::PORT, 4)],
            Shape::AnyPort => vec![(kind::PROTOCOL, 4), self.address()],
        }
    }

    /// The same of a client of a service.
    pub(super) fn client_parts(self) -> Vec<(u32, usize)> {
        let mut parts = self.service_parts();
        parts.push(self.address());
        parts
    }

    /// The same of a server.
    pub(super) fn weight_parts(self) -> Vec<(u32, usize)> {
        let mut parts = self.service_parts();
        parts.extend([self.address(), (kind::PORT, 4)]);
        parts
    }

    /// The same of what is counted together: a server, and where services of this shape have a port of their own, its port.
    pub(super) fn traffic_parts(self) -> Vec<(u32, usize)> {
        match self.shape {
            Shape::Port => self.weight_parts(),
            Shape::Mark | Shape::AnyPort => {
                let mut parts = self.service_parts();
                parts.push(self.address());
                parts
            }
        }
    }
}

/// nft's number of an address, and its octets.
pub(super) fn address_kind(family: Family) -> (u32, usize) {
    match family {
        Family::V4 => (kind::IPV4, 4),
        Family::V6 => (kind::IPV6, 16),
    }
}

/// The name of a service's chain, which nft's grammar accepts: `tcp-192.0.2.1-80`, `udp-2001_db8__1-any`, `fwmark-7-ipv4`.
pub(super) fn chain_of(key: &ServiceKey) -> String {
    match *key {
        ServiceKey::Address { address, port, protocol } => {
            let protocol = protocol.to_string().to_ascii_lowercase();
            let address = address.to_string().replace(':', "_");
            match port {
                0 => format!("{protocol}-{address}-any"),
                port => format!("{protocol}-{address}-{port}"),
            }
        }
        ServiceKey::Fwmark { mark, family: Family::V4 } => format!("fwmark-{mark}-ipv4"),
        ServiceKey::Fwmark { mark, family: Family::V6 } => format!("fwmark-{mark}-ipv6"),
    }
}

/// The service whose chain is called `name`.
pub(super) fn service_of(name: &str) -> Option<ServiceKey> {
    let (first, rest) = name.split_once('-')?;
    let (middle, last) = rest.rsplit_once('-')?;
    let key = if first == "fwmark" {
        let family = match last {
            "ipv4" => Family::V4,
            "ipv6" => Family::V6,
            _ => return None,
        };
        ServiceKey::Fwmark { mark: middle.parse().ok()?, family }
    } else {
        let protocol = match first {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => return None,
        };
        let port = if last == "any" { 0 } else { last.parse().ok()? };
        ServiceKey::Address { address: middle.replace('_', ":").parse().ok()?, port, protocol }
    };
    // "+80" is a number, too, but no name of ours
    (chain_of(&key) == name).then_some(key)
}

/// To what numbers lead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Lead {
    /// Servers, with a port or without.
    Servers(bool),
    /// Their seats.
    Seats,
}

impl Lead {
    pub(super) const ALL: [Self; 3] = [Self::Servers(true), Self::Servers(false), Self::Seats];

    fn prefix(self, family: Family) -> &'static str {
        match (family, self) {
            (Family::V4, Self::Servers(true)) => "servers4-",
            (Family::V4, Self::Servers(false)) => "servers-same-port4-",
            (Family::V4, Self::Seats) => "drawn-seats4-",
            (Family::V6, Self::Servers(true)) => "servers6-",
            (Family::V6, Self::Servers(false)) => "servers-same-port6-",
            (Family::V6, Self::Seats) => "drawn-seats6-",
        }
    }
}

/// A map from numbers: `servers4-3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Map {
    pub(super) home: Home,
    pub(super) family: Family,
    pub(super) lead: Lead,
    pub(super) page: u32,
}

impl Map {
    pub(super) fn name(self) -> String {
        format!("{}{}", self.lead.prefix(self.family), self.page)
    }

    /// The map of this name.
    pub(super) fn named(home: Home, name: &str) -> Option<Self> {
        let all = Lead::ALL.into_iter().flat_map(|lead| [Family::V4, Family::V6].map(|family| (family, lead)));
        let mut maps = all.filter_map(|(family, lead)| {
            let page = name.strip_prefix(lead.prefix(family))?.parse().ok()?;
            Some(Self { home, family, lead, page })
        });
        maps.next().filter(|map| map.name() == name)
    }
}

/// The map from seats to servers: with a port of their own, or without.
pub(super) fn seats(home: Home, family: Family, with_port: bool) -> &'static str {
    match (home, family, with_port) {
        (Home::Nat, Family::V4, true) | (Home::Direct(_), Family::V4, _) => "seats4",
        (Home::Nat, Family::V4, false) => "seats-same-port4",
        (Home::Nat, Family::V6, true) | (Home::Direct(_), Family::V6, _) => "seats6",
        (Home::Nat, Family::V6, false) => "seats-same-port6",
    }
}

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
    let has_port = Kin::of(key, Home::Nat).shape == Shape::Port;
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
pub(super) fn server_of(home: Home, key: &ServiceKey, to: &DestinationKey) -> Server {
    (to.address, effective_port(key, to).filter(|_| home == Home::Nat))
}

/// Reads what [`weight_octets`] wrote.
pub(super) fn read_weight(kin: Kin, octets: &[u8]) -> Option<(ServiceKey, DestinationKey)> {
    let mut rest = octets;
    let key = match kin.shape {
        Shape::Mark => ServiceKey::Fwmark { mark: u32::from_ne_bytes(take(&mut rest)?), family: kin.family },
        Shape::Port | Shape::AnyPort => {
            let [protocol, ..] = take::<4>(&mut rest)?;
            let protocol =
                [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|it| number(*it) == protocol)?;
            let address = take_address(kin.family, &mut rest)?;
            let port = if kin.shape == Shape::Port { take_port(&mut rest)? } else { 0 };
            ServiceKey::Address { address, port, protocol }
        }
    };
    let address = take_address(kin.family, &mut rest)?;
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
    fn a_person_can_read_the_names() {
        let names: Vec<_> = keys().iter().map(chain_of).collect();
        let expected = [
            "tcp-192.0.2.1-80",
            "sctp-192.0.2.1-any",
            "udp-2001_db8__1-53",
            "tcp-__-any",
            "tcp-__ffff_192.0.2.1-65535",
            "fwmark-4294967295-ipv4",
            "fwmark-7-ipv6",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_name_leads_back_to_its_service() {
        for key in keys() {
            assert_eq!(service_of(&chain_of(&key)), Some(key));
        }
        for other in [
            "",
            "dispatch",
            "tcp-",
            "tcp-1.2.3.4",
            "tcp-1.2.3.4-+80",
            "tcp-1.2.3.4-080",
            "fwmark-7-ip",
            "tcp-1.2.3.4-0",
        ] {
            assert_eq!(service_of(other), None, "{other}");
        }
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
                    Kin::of(&key, Home::Nat).weight_parts().iter().map(|(_, length)| length).sum::<usize>()
                );
                assert_eq!(read_weight(Kin::of(&key, Home::Nat), &octets), Some((key, to)));
                for length in 0..octets.len() {
                    assert_eq!(read_weight(Kin::of(&key, Home::Nat), &octets[..length]), None);
                }
                let counted = traffic_octets(&key, &to).len();
                assert_eq!(
                    counted,
                    Kin::of(&key, Home::Nat).traffic_parts().iter().map(|(_, length)| length).sum::<usize>()
                );
            }
        }
    }
}
