//! Our tables, and the classes of services in them.

use keepalived_core::balance::{Entry, Forwarding, ServiceKey};
use keepalived_core::vrrp::Family;

/// nft's numbers of the types of values; six bits each when several make a key.
pub(super) mod kind {
    pub(in super::super) const INTEGER: u32 = 4;
    pub(in super::super) const IPV4: u32 = 7;
    pub(in super::super) const IPV6: u32 = 8;
    pub(in super::super) const PROTOCOL: u32 = 12;
    pub(in super::super) const PORT: u32 = 13;
    pub(in super::super) const MARK: u32 = 19;
    pub(in super::super) const LINK: u32 = 20;
    pub(in super::super) const ICMPV6: u32 = 29;
    pub(in super::super) const LINK_NAME: u32 = 41;
}

/// By what a packet finds its service. Each has one map; packets try them in this order, as IPVS does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum FoundBy {
    /// By its mark.
    Mark,
    /// By protocol, address and port.
    Port,
    /// By protocol and address.
    AnyPort,
}

/// One of our tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum OurTable {
    /// Of both families: services that redirect.
    Nat,
    /// Services with direct routing. The kernel sends copies of packets only in tables of one family.
    Direct(Family),
}

impl OurTable {
    pub(super) const ALL: [Self; 3] = [Self::Nat, Self::Direct(Family::V4), Self::Direct(Family::V6)];

    /// The table of the service `key` with the servers of `entry`.
    pub(super) fn of(key: &ServiceKey, entry: &Entry) -> Self {
        let direct = entry.destinations.values().any(|server| server.forwarding == Forwarding::Dr);
        if direct { Self::Direct(key.family()) } else { Self::Nat }
    }

    /// The table's name; the names of all our tables begin with `prefix`.
    pub(super) fn name(self, prefix: &str) -> String {
        match self {
            Self::Nat => prefix.to_owned(),
            Self::Direct(_) => format!("{prefix}_direct"),
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

    /// The classes of services that it has.
    pub(super) fn classes(self) -> impl Iterator<Item = ServiceClass> {
        let families = [Family::V4, Family::V6].into_iter();
        let here = families.filter(move |family| matches!(self, Self::Nat) || self == Self::Direct(*family));
        here.flat_map(move |family| {
            [FoundBy::Mark, FoundBy::Port, FoundBy::AnyPort].map(|found_by| ServiceClass {
                table: self,
                family,
                found_by,
            })
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

/// Services of one table that have the same family and are found in the same way: they are in the same maps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ServiceClass {
    pub(super) table: OurTable,
    pub(super) family: Family,
    pub(super) found_by: FoundBy,
}

impl ServiceClass {
    pub(super) fn of(key: &ServiceKey, table: OurTable) -> Self {
        let found_by = match key {
            ServiceKey::Fwmark { .. } => FoundBy::Mark,
            ServiceKey::Address { port: 0, .. } => FoundBy::AnyPort,
            ServiceKey::Address { .. } => FoundBy::Port,
        };
        Self { table, family: key.family(), found_by }
    }

    pub(super) fn suffix(self) -> &'static str {
        match (self.family, self.found_by) {
            (Family::V4, FoundBy::Mark) => "4-fwmark",
            (Family::V4, FoundBy::Port) => "4",
            (Family::V4, FoundBy::AnyPort) => "4-any-port",
            (Family::V6, FoundBy::Mark) => "6-fwmark",
            (Family::V6, FoundBy::Port) => "6",
            (Family::V6, FoundBy::AnyPort) => "6-any-port",
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
        match self.found_by {
            FoundBy::Mark => vec![(kind::MARK, 4)],
            FoundBy::Port => vec![(kind::PROTOCOL, 4), self.address(), (kind::PORT, 4)],
            FoundBy::AnyPort => vec![(kind::PROTOCOL, 4), self.address()],
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

    /// The same of what is counted together: a server, and where services of this class have a port of their own, its
    /// port.
    pub(super) fn traffic_parts(self) -> Vec<(u32, usize)> {
        match self.found_by {
            FoundBy::Port => self.weight_parts(),
            FoundBy::Mark | FoundBy::AnyPort => {
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
