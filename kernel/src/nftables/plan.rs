//! How each of IPVS's schedulers is approximated.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::balance::{
    DestinationEntry, Entry, Granularity, Scheduler, SchedulerFlags, ServiceEntry, ServiceKey, Unsupported,
};
use keepalived_core::vrrp::Family;

use super::keys;
use super::table::OurTable;

/// Whether nftables can do what this service asks for.
///
/// # Errors
/// It cannot; says what, and the way out.
pub fn supports_service(service: &ServiceEntry) -> Result<(), Unsupported> {
    Unsupported::in_service(service.one_packet, service.persistence_engine.as_deref()).map_or(Ok(()), Err)
}

/// Whether nftables can do what this service asks for, with this server.
///
/// # Errors
/// It cannot; says what, and the way out.
pub fn supports(service: &ServiceEntry, destination: &DestinationEntry) -> Result<(), Unsupported> {
    supports_service(service)?;
    supports_destination(destination)
}

/// Whether nftables can do what this server asks for, whatever the service.
pub(super) fn supports_destination(destination: &DestinationEntry) -> Result<(), Unsupported> {
    let DestinationEntry { weight: _, forwarding, upper_threshold, lower_threshold } = *destination;
    Unsupported::in_server(forwarding, [upper_threshold, lower_threshold]).map_or(Ok(()), Err)
}

/// The settings as they are kept, which is as IPVS keeps them.
pub(super) fn kept(family: Family, service: &ServiceEntry) -> io::Result<ServiceEntry> {
    let granularity = match (family, service.granularity) {
        (Family::V6, Some(Granularity::V6(prefix))) if !(1..=128).contains(&prefix) => return Err(invalid()),
        (Family::V4, Some(Granularity::V4(_))) | (Family::V6, Some(Granularity::V6(_))) => {
            service.granularity.filter(|granularity| !granularity.is_whole())
        }
        _ => None,
    };
    Ok(ServiceEntry {
        scheduler: service.scheduler,
        flags: SchedulerFlags { hashed: false, ..service.flags },
        one_packet: false,
        persistence: service.persistence.map(|time| Duration::from_secs(time.as_secs())),
        granularity,
        persistence_engine: None,
    })
}

/// Whether connections can be sent there; what IPVS refuses is refused.
pub(super) fn check_server(family: Family, address: IpAddr, weight: u32) -> io::Result<()> {
    let is_one = match address {
        IpAddr::V4(ip) => !(ip.is_multicast() || ip.is_broadcast() || ip.octets().starts_with(&[0])),
        IpAddr::V6(ip) => !(ip.is_multicast() || ip.is_unspecified() || ip.is_unicast_link_local()),
    };
    if Family::of(address) != family || !is_one {
        return Err(invalid());
    }
    i32::try_from(weight).map(drop).map_err(|_too_heavy| io::Error::from_raw_os_error(libc::ERANGE))
}

fn invalid() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

/// By what a number is drawn for a new connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Draw {
    /// One after the other.
    Turn,
    /// At random.
    Chance,
    /// By the client's address, and its port.
    Source {
        /// The port as well.
        port: bool,
    },
    /// By the address that the client asked for.
    Destination,
}

/// Servers that have a port of their own, or those that get the port that the client asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Group {
    /// Whether they have.
    pub(super) with_port: bool,
    /// Where they are, and of how many numbers each is the winner; none is 0.
    pub(super) servers: Vec<((IpAddr, Option<u16>), u32)>,
    /// Servers that win numbers of the other group come after them: up to here.
    pub(super) total: u32,
}

/// How new connections are spread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) draw: Draw,
    /// Without any, no client is served.
    pub(super) groups: Vec<Group>,
}

impl Plan {
    /// The plan for an entry: only servers whose weight is not 0 take part.
    pub(super) fn of(table: OurTable, key: &ServiceKey, entry: &Entry) -> Self {
        let port = entry.service.flags.flag_2;
        let (draw, share) = match entry.service.scheduler {
            Scheduler::Rr => (Draw::Turn, Share::Equal),
            Scheduler::Wrr => (Draw::Turn, Share::Weight),
            Scheduler::Lc => (Draw::Chance, Share::Equal),
            Scheduler::Wlc | Scheduler::Lblc | Scheduler::Lblcr | Scheduler::Sed | Scheduler::Nq | Scheduler::Twos => {
                (Draw::Chance, Share::Weight)
            }
            Scheduler::Sh | Scheduler::Mh => (Draw::Source { port }, Share::Weight),
            Scheduler::Dh => (Draw::Destination, Share::Equal),
            Scheduler::Fo | Scheduler::Ovf => (Draw::Turn, Share::Greatest),
        };
        let able = entry.destinations.iter().filter(|(_, it)| it.weight > 0);
        let mut servers: Vec<_> = able.map(|(to, it)| (keys::server_of(table, key, to), it.weight)).collect();
        share.apply(&mut servers);
        let (with, without): (Vec<_>, Vec<_>) = servers.into_iter().partition(|((_, port), _)| port.is_some());
        let sum = |servers: &[(_, u32)]| servers.iter().fold(0_u32, |sum, (_, share)| sum.saturating_add(*share));
        let (first, second) = (sum(&with), sum(&without));
        let groups = [(true, with, first.saturating_add(second)), (false, without, second)];
        let groups = groups.into_iter().map(|(with_port, servers, total)| Group { with_port, servers, total });
        Self { draw, groups: groups.filter(|group| !group.servers.is_empty()).collect() }
    }

    /// All servers, if there is no choice.
    pub(super) fn only(&self) -> Option<(IpAddr, Option<u16>)> {
        match self.groups.as_slice() {
            [group] => match group.servers.as_slice() {
                [(server, _)] => Some(*server),
                _ => None,
            },
            _ => None,
        }
    }

    /// Some server.
    pub(super) fn first(&self) -> Option<(IpAddr, Option<u16>)> {
        self.groups.first().and_then(|group| group.servers.first()).map(|(server, _)| *server)
    }
}

/// Numbers that are drawn from. Each is an element of a map; weights whose ratio needs more are rounded to it (a server
/// has one at least). What is lost is at most a two-thousandth of all connections.
const MOST_NUMBERS: u64 = 1024;

impl Group {
    /// Who has drawn which number, from 0 on. Turns of one server are as far from each other as they can be.
    pub(super) fn numbers(&self) -> Vec<(IpAddr, Option<u16>)> {
        let total: u64 = self.servers.iter().map(|(_, share)| u64::from(*share)).sum();
        let mut turns: Vec<_> = self
            .servers
            .iter()
            .zip(0_u32..)
            .flat_map(|((server, share), place)| {
                let share = u64::from(*share);
                (0..share).map(move |turn| ((2 * turn + 1) * total / (2 * share), place, *server))
            })
            .collect();
        turns.sort_unstable_by_key(|(at, place, _)| (*at, *place));
        turns.into_iter().map(|(_, _, server)| server).collect()
    }
}

/// What a server's share depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Share {
    Equal,
    Weight,
    /// All goes to the first of those with the greatest weight.
    Greatest,
}

impl Share {
    /// Makes shares of weights.
    fn apply<T>(self, servers: &mut Vec<(T, u32)>) {
        match self {
            Self::Equal => servers.iter_mut().for_each(|(_, share)| *share = 1),
            Self::Greatest => {
                let greatest = servers.iter().map(|(_, weight)| *weight).max();
                let mut found = false;
                servers.retain(|(_, weight)| Some(*weight) == greatest && !std::mem::replace(&mut found, true));
                servers.iter_mut().for_each(|(_, share)| *share = 1);
            }
            Self::Weight => {
                let divisor = servers.iter().fold(0, |divisor, (_, weight)| greatest_common_divisor(divisor, *weight));
                let sum: u64 = servers.iter().map(|(_, weight)| u64::from(weight / divisor.max(1))).sum();
                for (_, share) in servers {
                    *share /= divisor.max(1);
                    if sum > MOST_NUMBERS {
                        let part = (u64::from(*share) * MOST_NUMBERS + sum / 2) / sum;
                        *share = u32::try_from(part).unwrap_or(u32::MAX).max(1);
                    }
                }
            }
        }
    }
}

fn greatest_common_divisor(one: u32, other: u32) -> u32 {
    let (mut one, mut other) = (one, other);
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use keepalived_core::balance::{DestinationKey, Forwarding, Protocol, Tunnel};

    use super::*;

    const NAT: DestinationEntry =
        DestinationEntry { weight: 1, forwarding: Forwarding::Nat, upper_threshold: 0, lower_threshold: 0 };

    fn entry(scheduler: Scheduler, servers: &[(u16, u32)]) -> Entry {
        let service = ServiceEntry::new(scheduler);
        let destinations: BTreeMap<_, _> = servers
            .iter()
            .zip(1..)
            .map(|((port, weight), last)| {
                let to = DestinationKey { address: IpAddr::from([10, 0, 0, last]), port: *port };
                (to, DestinationEntry { weight: *weight, ..NAT })
            })
            .collect();
        Entry { service, destinations }
    }

    fn shares(scheduler: Scheduler, weights: &[u32]) -> Vec<(u8, u32)> {
        let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
        let servers: Vec<_> = weights.iter().map(|weight| (80, *weight)).collect();
        let plan = Plan::of(OurTable::Nat, &key, &entry(scheduler, &servers));
        plan.groups
            .iter()
            .flat_map(|group| &group.servers)
            .map(|((address, _), share)| match address {
                IpAddr::V4(ip) => (ip.octets()[3], *share),
                IpAddr::V6(_) => unreachable!(),
            })
            .collect()
    }

    #[test]
    fn weights_count_where_ipvs_lets_them_and_zero_never_takes_part() {
        assert_eq!(shares(Scheduler::Rr, &[3, 0, 1]), [(1, 1), (3, 1)]);
        assert_eq!(shares(Scheduler::Dh, &[3, 0, 1]), [(1, 1), (3, 1)]);
        assert_eq!(shares(Scheduler::Lc, &[3, 0, 1]), [(1, 1), (3, 1)]);
        for scheduler in [Scheduler::Wrr, Scheduler::Wlc, Scheduler::Sh, Scheduler::Mh, Scheduler::Twos] {
            assert_eq!(shares(scheduler, &[30, 0, 10]), [(1, 3), (3, 1)]);
        }
        assert_eq!(shares(Scheduler::Fo, &[1, 5, 5]), [(2, 1)]);
        assert_eq!(shares(Scheduler::Rr, &[0, 0]), []);
    }

    #[test]
    fn great_weights_are_rounded_and_nobody_is_left_out() {
        assert_eq!(shares(Scheduler::Wlc, &[2_147_483_647, 2_147_483_646, 1]), [(1, 512), (2, 512), (3, 1)]);
        assert_eq!(shares(Scheduler::Wlc, &[1000, 24]), [(1, 125), (2, 3)]);
        assert_eq!(shares(Scheduler::Wlc, &[1000, 23]), [(1, 1000), (2, 23)]);
    }

    #[test]
    fn turns_are_far_from_each_other() {
        let key = ServiceKey::Address { address: IpAddr::from([192, 0, 2, 1]), port: 80, protocol: Protocol::Tcp };
        let plan = Plan::of(OurTable::Nat, &key, &entry(Scheduler::Wrr, &[(80, 5), (80, 1), (80, 2)]));
        let turns: String = plan.groups[0]
            .numbers()
            .iter()
            .map(|(address, _)| match address {
                IpAddr::V4(ip) => char::from(b'`' + ip.octets()[3]),
                IpAddr::V6(_) => unreachable!(),
            })
            .collect();
        assert_eq!(turns, "aacabaca");
    }

    #[test]
    fn a_service_for_all_ports_may_have_servers_with_and_without_one() {
        let key = ServiceKey::Fwmark { mark: 1, family: Family::V4 };
        let plan = Plan::of(OurTable::Nat, &key, &entry(Scheduler::Wrr, &[(80, 2), (0, 3), (81, 5)]));
        let groups: Vec<_> = plan.groups.iter().map(|it| (it.with_port, it.servers.len(), it.total)).collect();
        assert_eq!(groups, [(true, 2, 10), (false, 1, 3)]);
    }

    #[test]
    fn what_cannot_be_done_is_said_with_a_way_out() {
        let service = entry(Scheduler::Rr, &[]).service;
        assert_eq!(supports(&service, &NAT), Ok(()));
        assert_eq!(supports(&service, &DestinationEntry { forwarding: Forwarding::Dr, ..NAT }), Ok(()));
        let (tunnel, expected) = (Forwarding::Tun(Tunnel::Ipip), Unsupported::Tunnel);
        assert_eq!(supports(&service, &DestinationEntry { forwarding: tunnel, ..NAT }), Err(expected));
        for unsupported in [expected, Unsupported::DirectRouting, Unsupported::Mixed] {
            assert!(unsupported.way_out().contains("lvs_backend ipvs"));
        }
        assert_eq!(supports(&service, &DestinationEntry { upper_threshold: 1, ..NAT }), Err(Unsupported::Thresholds));
        let once = ServiceEntry { one_packet: true, ..service.clone() };
        assert_eq!(supports(&once, &NAT), Err(Unsupported::OnePacket));
        let sip = ServiceEntry { persistence_engine: Some("sip".into()), ..service };
        assert_eq!(supports_service(&sip), Err(Unsupported::PersistenceEngine));
    }
}
