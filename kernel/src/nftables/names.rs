//! The names of chains, sets and maps in our tables.

use keepalived_core::balance::{Protocol, ServiceKey};
use keepalived_core::vrrp::Family;

use super::table::OurTable;

/// The chain that finds the service of a packet.
pub(super) const DISPATCH: &str = "dispatch";
/// The set of protocols that are balanced.
pub(super) const BALANCED: &str = "balanced";

/// The name of a service's chain, which nft's grammar accepts: `tcp-192.0.2.1-80`, `udp-2001_db8__1-any`,
/// `fwmark-7-ipv4`.
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
    pub(super) table: OurTable,
    pub(super) family: Family,
    pub(super) lead: Lead,
    pub(super) page: u32,
}

impl Map {
    pub(super) fn name(self) -> String {
        format!("{}{}", self.lead.prefix(self.family), self.page)
    }

    /// The map of this name.
    pub(super) fn named(table: OurTable, name: &str) -> Option<Self> {
        let all = Lead::ALL.into_iter().flat_map(|lead| [Family::V4, Family::V6].map(|family| (family, lead)));
        let mut maps = all.filter_map(|(family, lead)| {
            let page = name.strip_prefix(lead.prefix(family))?.parse().ok()?;
            Some(Self { table, family, lead, page })
        });
        maps.next().filter(|map| map.name() == name)
    }
}

/// The map from seats to servers: with a port of their own, or without.
pub(super) fn seats(table: OurTable, family: Family, with_port: bool) -> &'static str {
    match (table, family, with_port) {
        (OurTable::Nat, Family::V4, true) | (OurTable::Direct(_), Family::V4, _) => "seats4",
        (OurTable::Nat, Family::V4, false) => "seats-same-port4",
        (OurTable::Nat, Family::V6, true) | (OurTable::Direct(_), Family::V6, _) => "seats6",
        (OurTable::Nat, Family::V6, false) => "seats-same-port6",
    }
}

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
}
