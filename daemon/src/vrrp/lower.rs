//! From what the configuration says to what machines and kernel are told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_config::model::{Firewall as Settings, GarpGroup, Global, Instance, OwnLink, Transport};
use keepalived_core::address::{Broadcast, InterfaceName, VirtualAddress};
use keepalived_core::network::{Address, LinkIndex};
use keepalived_core::vrrp::authentication::header;
use keepalived_core::vrrp::{AdvertInterval, Authentication, Family, Params, Reach, ipv4};
use keepalived_kernel::firewall::Firewall;
use keepalived_kernel::packets::ChannelKind;

use super::neighbours::Pace;

mod own_links;
mod routes;

pub(crate) use own_links::is_on_made;
pub(super) use own_links::{
    Made, Need, address as own_address, device, found, ipvlan_source, makes_links, names, needs, renamed,
    transmits_base, upper,
};
pub(super) use routes::{interfaces as route_interfaces, route, rule};

/// Protocol of the addresses that we add, keepalived's in iproute2's `rt_addrprotos`.
pub(super) const ADDRESS_PROTOCOL: u8 = 18;

const IFA_F_NODAD: u32 = 0x02;
const IFA_F_HOMEADDRESS: u32 = 0x10;
const IFA_F_MANAGETEMPADDR: u32 = 0x100;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;
const IFA_F_MCAUTOJOIN: u32 = 0x400;

/// Wake-ups that the adverts of many instances are spread over in an interval, at most.
const MOST_PHASES: u16 = 64;

/// The parameters of an instance's router. `number` tells instances apart, for their phase.
pub(super) fn params(instance: &Instance, number: usize) -> Params {
    Params {
        settings: instance.settings,
        reach: reach(&instance.transport),
        addresses: instance.addresses.iter().map(|line| line.address).collect(),
        authentication: instance.authentication.clone(),
        phase: phase(instance.settings.interval, number),
    }
}

/// Instances are dealt to phases at least a millisecond apart. Those of one phase share a wake-up and a system call:
/// few enough that the last is not late, many enough that a thousand instances do not wake us a thousand times.
fn phase(interval: AdvertInterval, number: usize) -> u16 {
    let milliseconds = interval.centis().count().saturating_mul(10);
    let phases = milliseconds.clamp(1, MOST_PHASES);
    let mine = u16::try_from(number % usize::from(phases)).unwrap_or(0);
    u16::try_from(u32::from(mine) * 65_536 / u32::from(phases)).unwrap_or(0)
}

fn reach(transport: &Transport) -> Reach {
    match transport {
        Transport::Multicast { group, .. } => Reach::Multicast(*group),
        Transport::Unicast { peers, ttl, check_source, .. } => {
            Reach::Unicast { peers: peers.clone(), ttl: ttl.unwrap_or(255), check_source: *check_source }
        }
    }
}

/// The source address that is configured.
pub(super) const fn configured_source(transport: &Transport) -> Option<IpAddr> {
    match transport {
        Transport::Multicast { source, .. } | Transport::Unicast { source, .. } => *source,
    }
}

/// The peer whose route says what source address adverts leave from: IPv6, unicast, and no address is configured. Peers with
/// link-local addresses hear ours.
pub(super) fn routed_peer(transport: &Transport) -> Option<Ipv6Addr> {
    let Transport::Unicast { source: None, peers, .. } = transport else { return None };
    peers.iter().find_map(|peer| match peer.address {
        IpAddr::V6(ip) if !ip.is_unicast_link_local() => Some(ip),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    })
}

/// Whether an instance is of no use while the source address that is configured is not there: its peers' adverts would not
/// arrive, or its own not leave. IPv4 multicast works with any, unless `track_src_ip` asks for more.
pub(super) fn needs_its_source(instance: &Instance) -> bool {
    let unicast = matches!(instance.transport, Transport::Unicast { .. });
    unicast || instance.settings.family == Family::V6 || instance.track_src_ip
}

/// What the instance's channel receives, once the address it sends from is known.
pub(super) const fn channel_kind(transport: &Transport, source: IpAddr) -> ChannelKind {
    match transport {
        Transport::Multicast { group, .. } => ChannelKind::Multicast { group: *group },
        // peers know this router by any of its addresses
        Transport::Unicast { source: None, .. } if source.is_ipv6() => {
            ChannelKind::Unicast { local: IpAddr::V6(Ipv6Addr::UNSPECIFIED) }
        }
        Transport::Unicast { .. } => ChannelKind::Unicast { local: source },
    }
}

/// IP protocol of an instance's adverts.
pub(super) const fn protocol(authentication: &Authentication) -> u8 {
    match authentication {
        Authentication::Header(_) => header::PROTOCOL_AH,
        Authentication::None | Authentication::Password(_) | Authentication::Hmac(_) => ipv4::PROTOCOL_VRRP,
    }
}

/// An address line as the kernel is to have it, on `link`.
pub(super) fn address(line: &VirtualAddress, link: LinkIndex) -> Address {
    let flag = |set: bool, bit: u32| if set { bit } else { 0 };
    let flags = flag(line.address.is_ipv6() && !line.flags.run_dad, IFA_F_NODAD)
        | flag(line.flags.home, IFA_F_HOMEADDRESS)
        | flag(line.flags.manage_temporaries, IFA_F_MANAGETEMPADDR)
        | flag(line.flags.no_prefix_route, IFA_F_NOPREFIXROUTE)
        | flag(line.flags.autojoin, IFA_F_MCAUTOJOIN);
    Address {
        link,
        address: line.address,
        prefix: line.prefix,
        scope: line.scope,
        flags,
        label: line.label,
        broadcast: broadcast(line),
        peer: line.peer,
        protocol: ADDRESS_PROTOCOL,
        preferred_lifetime: line.preferred_lifetime,
    }
}

fn broadcast(line: &VirtualAddress) -> Option<Ipv4Addr> {
    let IpAddr::V4(address) = line.address else { return None };
    let host_bits = u32::MAX.checked_shr(u32::from(line.prefix)).unwrap_or(0);
    match line.broadcast {
        Broadcast::None => None,
        Broadcast::AllOnes => Some(Ipv4Addr::from_bits(address.to_bits() | host_bits)),
        Broadcast::AllZeros => Some(Ipv4Addr::from_bits(address.to_bits() & !host_bits)),
        Broadcast::Address(address) => Some(address),
    }
}

/// Interfaces that an instance has to do with.
pub(super) fn interfaces(instance: &Instance) -> impl Iterator<Item = InterfaceName> + '_ {
    let devices = lines(instance).filter_map(|line| line.device);
    let of_routes = instance.routes.iter().flat_map(route_interfaces);
    instance.interface.into_iter().chain(instance.vrf).chain(devices).chain(of_routes)
}

/// Names of links that are made for an instance, as far as they are configured.
pub(super) fn configured_names(instance: &Instance) -> Option<InterfaceName> {
    match instance.own_link.as_deref()? {
        OwnLink::Vmac(vmac) => vmac.name,
        OwnLink::Ipvlan(ipvlan) => ipvlan.name,
    }
}

/// All addresses of an instance: the advertised ones, then the excluded ones.
pub(crate) fn lines(instance: &Instance) -> impl Iterator<Item = &VirtualAddress> {
    instance.addresses.iter().chain(&instance.excluded_addresses)
}

/// The packet filter with nothing to do.
pub(super) fn firewall(settings: &Settings) -> Firewall {
    Firewall {
        table: settings.table.clone().unwrap_or_else(|| "keepalived".to_owned()),
        priority: settings.priority,
        by_index: settings.by_index,
        counters: settings.counters,
        ..Firewall::default()
    }
}

/// How fast announcements may leave.
pub(super) fn pace(global: &Global, groups: &[GarpGroup]) -> Pace {
    let mut pace = Pace { garp: global.garp_interval, gna: global.gna_interval, ..Pace::default() };
    for (number, group) in groups.iter().enumerate() {
        for interface in &group.interfaces {
            // no interface can have this name
            let lane = format!("garp_group/{number}");
            pace.groups.insert(*interface, (lane, group.garp_interval, group.gna_interval));
        }
    }
    pace
}
