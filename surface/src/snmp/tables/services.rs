//! `check`: load balancing.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use keepalived_config::model::{
    Forwarding, Granularity, GroupEntry, Pace, Protocol, RealServer, RealServerExtras, Scheduler, Service, SyncDaemon,
    Tunnel, TunnelChecksum, VirtualServer, VirtualServerGroup,
};
use keepalived_core::balance::{Counters, Traffic};
use keepalived_core::vrrp::Family;
use keepalived_state::{ServerView, ServiceView};

use super::{below, command, program};
use crate::snmp::Write;
use crate::snmp::tree::{Change, Column, ErrorStatus, Rows, Set, Table, columns};
use crate::snmp::value::{
    Value, address, counter32, counter64, gauge, half, integer, kind, micros, seconds, text, truth,
};
use crate::snmp::world::{Scene, place};

pub(super) const TABLES: &[Table] = &[
    Table {
        entry: below!(keepalived, 3, 1, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| scene.config().virtual_server_groups.len() },
        columns: GROUPS,
    },
    Table {
        entry: below!(keepalived, 3, 2, 1),
        rows: Rows::Places {
            levels: 2,
            first: 1,
            count: |scene, index| match index {
                [] => scene.config().virtual_server_groups.len(),
                index => group(scene, index).map_or(0, |group| group.entries.len()),
            },
        },
        columns: MEMBERS,
    },
    Table {
        entry: below!(keepalived, 3, 3, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| scene.config().virtual_servers.len() },
        columns: SERVICES,
    },
    Table {
        entry: below!(keepalived, 3, 4, 1),
        rows: Rows::Places {
            levels: 2,
            first: 1,
            count: |scene, index| match index {
                [] => scene.config().virtual_servers.len(),
                index => configured(scene, index).map_or(0, |service| {
                    service.real_servers.len().saturating_add(usize::from(service.settings.sorry_server.is_some()))
                }),
            },
        },
        columns: SERVERS,
    },
    Table { entry: below!(keepalived, 3, 6), rows: Rows::Scalar, columns: SYNC_DAEMON },
    Table { entry: below!(keepalived, 3, 7), rows: Rows::Scalar, columns: TIMEOUTS },
];

fn group<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a VirtualServerGroup> {
    scene.config().virtual_server_groups.get(place(*index.first()?)?)
}

/// keepalived counts marks before addresses.
fn member<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a GroupEntry> {
    let entries = &group(scene, index)?.entries;
    let is_mark = |entry: &&GroupEntry| matches!(entry, GroupEntry::Fwmark { .. });
    let marks = entries.iter().filter(is_mark);
    marks.chain(entries.iter().filter(|entry| !is_mark(entry))).nth(place(*index.get(1)?)?)
}

const GROUPS: &[Column] = columns! { group as group in scene;
    2 virtualServerGroupName = text(&group.name);
};

/// First and last address of a line; `None` for a mark.
fn range(entry: &GroupEntry) -> Option<(IpAddr, IpAddr)> {
    match entry {
        GroupEntry::Addresses { first, last, .. } => Some((*first, *last)),
        GroupEntry::Fwmark { .. } => None,
    }
}

const MEMBERS: &[Column] = columns! { member as member in scene;
    2 virtualServerGroupMemberType = integer(match range(member) {
        None => 1,
        Some((first, last)) if first == last => 2,
        Some(_) => 3,
    });
    3 virtualServerGroupMemberFwMark = match member {
        GroupEntry::Fwmark { mark, .. } => Some(gauge(*mark)),
        GroupEntry::Addresses { .. } => None,
    };
    4 virtualServerGroupMemberAddrType = range(member).map(|(first, _)| kind(first));
    5 virtualServerGroupMemberAddress =
        range(member).filter(|(first, last)| first == last).map(|(first, _)| address(first));
    6 virtualServerGroupMemberAddr1 =
        range(member).filter(|(first, last)| first != last).map(|(first, _)| address(first));
    7 virtualServerGroupMemberAddr2 =
        range(member).filter(|(first, last)| first != last).map(|(_, last)| address(last));
    8 virtualServerGroupMemberPort = match member {
        GroupEntry::Addresses { port, .. } => Some(port_number(*port)),
        GroupEntry::Fwmark { .. } => None,
    };
};

fn port_number(port: Option<NonZeroU16>) -> Value {
    gauge(port.map_or(0, NonZeroU16::get))
}

/// A virtual server.
#[derive(Clone, Copy)]
struct Row<'a> {
    config: &'a VirtualServer,
    view: Option<&'a ServiceView>,
    traffic: Counters,
}

fn configured<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a VirtualServer> {
    scene.config().virtual_servers.get(place(*index.first()?)?)
}

fn service<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<Row<'a>> {
    let place = place(*index.first()?)?;
    let world = scene.world;
    let view = world.snapshot.balance.services.get(place);
    let traffic = view.and_then(|view| view.traffic.as_ref()).map(|traffic| traffic.counters).unwrap_or_default();
    Some(Row { config: world.config.virtual_servers.get(place)?, view, traffic })
}

impl Row<'_> {
    fn pace(&self) -> &Pace {
        &self.config.settings.pace
    }
}

/// `tcp(1), udp(2), sctp(3), none(4)`
fn protocol(service: &Service) -> Option<Value> {
    let protocol = match service {
        Service::Address { protocol, .. } => Some(*protocol),
        Service::Group { protocol, .. } => *protocol,
        Service::Fwmark { .. } => return None,
    };
    Some(integer(match protocol {
        Some(Protocol::Tcp) => 1,
        Some(Protocol::Udp) => 2,
        Some(Protocol::Sctp) => 3,
        None => 4,
    }))
}

/// `fwmark(1), ip(2), group(3)`
pub(in crate::snmp) fn service_type(service: &Service) -> Value {
    integer(match service {
        Service::Fwmark { .. } => 1,
        Service::Address { .. } => 2,
        Service::Group { .. } => 3,
    })
}

const fn scheduler_number(scheduler: Scheduler) -> i32 {
    match scheduler {
        Scheduler::Rr => 1,
        Scheduler::Wrr => 2,
        Scheduler::Lc => 3,
        Scheduler::Wlc => 4,
        Scheduler::Lblc => 5,
        Scheduler::Lblcr => 6,
        Scheduler::Dh => 7,
        Scheduler::Sh => 8,
        Scheduler::Sed => 9,
        Scheduler::Nq => 10,
        Scheduler::Fo => 11,
        Scheduler::Ovf => 12,
        Scheduler::Mh => 13,
        Scheduler::Twos => 14,
    }
}

/// `nat(1), dr(2), tun(3)`
fn method(forwarding: Forwarding) -> Value {
    integer(match forwarding {
        Forwarding::Nat => 1,
        Forwarding::Dr => 2,
        Forwarding::Tun(_) => 3,
    })
}

/// `ipip(1), gue(2), gre(3)`
fn tunnel_type(forwarding: Forwarding) -> Option<Value> {
    let Forwarding::Tun(tunnel) = forwarding else { return None };
    Some(integer(match tunnel {
        Tunnel::Ipip => 1,
        Tunnel::Gue { .. } => 2,
        Tunnel::Gre { .. } => 3,
    }))
}

fn tunnel_port(forwarding: Forwarding) -> Option<Value> {
    match forwarding {
        Forwarding::Tun(Tunnel::Gue { port, .. }) => Some(gauge(port.get())),
        _ => None,
    }
}

/// `nocsum(1), csum(2), remcsum(3)`
fn tunnel_checksum(forwarding: Forwarding) -> Option<Value> {
    let Forwarding::Tun(Tunnel::Gue { checksum, .. } | Tunnel::Gre { checksum }) = forwarding else { return None };
    Some(integer(match checksum {
        TunnelChecksum::None => 1,
        TunnelChecksum::Plain => 2,
        TunnelChecksum::Remote => 3,
    }))
}

fn granularity(row: Row<'_>) -> Granularity {
    let whole = match row.config.service.family() {
        Family::V4 => Granularity::V4(std::net::Ipv4Addr::BROADCAST),
        Family::V6 => Granularity::V6(128),
    };
    row.config.settings.persistence_granularity.unwrap_or(whole)
}

const SERVICES: &[Column] = columns! { service as row in scene;
    2 virtualServerType = service_type(&row.config.service);
    3 virtualServerNameOfGroup = match &row.config.service {
        Service::Group { name, .. } => Some(text(name)),
        Service::Address { .. } | Service::Fwmark { .. } => None,
    };
    4 virtualServerFwMark = match &row.config.service {
        Service::Fwmark { mark, .. } => Some(gauge(*mark)),
        Service::Address { .. } | Service::Group { .. } => None,
    };
    5 virtualServerAddrType = truth(row.config.service.family() == Family::V4);
    6 virtualServerAddress = match &row.config.service {
        Service::Address { address: own, .. } => Some(address(*own)),
        Service::Fwmark { .. } | Service::Group { .. } => None,
    };
    7 virtualServerPort = match &row.config.service {
        Service::Address { port, .. } => Some(port_number(*port)),
        Service::Fwmark { .. } | Service::Group { .. } => None,
    };
    8 virtualServerProtocol = protocol(&row.config.service);
    9 virtualServerLoadBalancingAlgo = integer(scheduler_number(row.config.settings.scheduler));
    10 virtualServerLoadBalancingKind = method(row.config.settings.forwarding);
    11 virtualServerStatus = truth(row.view.is_some());
    12 virtualServerVirtualHost = row.config.settings.virtualhost.as_ref().map(text);
    13 virtualServerPersist = truth(row.config.settings.persistence_timeout.is_some());
    14 virtualServerPersistTimeout = row.config.settings.persistence_timeout.map(seconds);
    15 virtualServerPersistGranularity = match granularity(row) {
        Granularity::V4(mask) => Some(address(IpAddr::V4(mask))),
        Granularity::V6(_) => None,
    };
    16 virtualServerDelayLoop = seconds(row.pace().delay_loop);
    17 virtualServerHaSuspend = truth(row.config.settings.ha_suspend);
    18 virtualServerAlpha = truth(row.config.settings.alpha);
    19 virtualServerOmega = truth(row.config.settings.omega);
    20 virtualServerRealServersTotal = gauge(row.config.real_servers.len());
    21 virtualServerRealServersUp = gauge(row.view.map_or(0, up));
    22 virtualServerQuorum = gauge(row.config.settings.quorum);
    23 virtualServerQuorumStatus = truth(row.view.is_some_and(|view| view.quorum_up));
    24 virtualServerQuorumUp = command(row.config.settings.quorum_up.as_deref());
    25 virtualServerQuorumDown = command(row.config.settings.quorum_down.as_deref());
    26 virtualServerHysteresis = gauge(row.config.settings.hysteresis);
    27 virtualServerStatsConns = half(row.traffic.connections, 0);
    28 virtualServerStatsInPkts = counter32(row.traffic.packets_in);
    29 virtualServerStatsOutPkts = counter32(row.traffic.packets_out);
    30 virtualServerStatsInBytes = counter64(row.traffic.octets_in);
    31 virtualServerStatsOutBytes = counter64(row.traffic.octets_out);
    32 virtualServerRateCps = half(row.traffic.connection_rate, 0);
    33 virtualServerRateInPPS = half(row.traffic.packet_rate_in, 0);
    34 virtualServerRateOutPPS = half(row.traffic.packet_rate_out, 0);
    35 virtualServerRateInBPS = half(row.traffic.octet_rate_in, 0);
    36 virtualServerRateOutBPS = half(row.traffic.octet_rate_out, 0);
    37 virtualServerOPS = truth(row.config.settings.one_packet);
    38 virtualServerStatsConns64 = counter64(row.traffic.connections);
    39 virtualServerStatsInPkts64 = counter64(row.traffic.packets_in);
    40 virtualServerStatsOutPkts64 = counter64(row.traffic.packets_out);
    41 virtualServerRateCpsLow = half(row.traffic.connection_rate, 0);
    42 virtualServerRateCpsHigh = half(row.traffic.connection_rate, 32);
    43 virtualServerRateInPPSLow = half(row.traffic.packet_rate_in, 0);
    44 virtualServerRateInPPSHigh = half(row.traffic.packet_rate_in, 32);
    45 virtualServerRateOutPPSLow = half(row.traffic.packet_rate_out, 0);
    46 virtualServerRateOutPPSHigh = half(row.traffic.packet_rate_out, 32);
    47 virtualServerRateInBPSLow = half(row.traffic.octet_rate_in, 0);
    48 virtualServerRateInBPSHigh = half(row.traffic.octet_rate_in, 32);
    49 virtualServerRateOutBPSLow = half(row.traffic.octet_rate_out, 0);
    50 virtualServerRateOutBPSHigh = half(row.traffic.octet_rate_out, 32);
    51 virtualServerPersistGranularity6 = match granularity(row) {
        Granularity::V4(_) => None,
        Granularity::V6(length) => Some(gauge(length)),
    };
    52 virtualServerHashed = truth(row.config.settings.flags.hashed);
    // keepalived says what flags are set, whatever the scheduler: flag-1 is the fallback of both
    53 virtualServerSHFallback = truth(row.config.settings.flags.flag_1);
    54 virtualServerSHPort = truth(row.config.settings.flags.flag_2);
    55 virtualServerSched3 = truth(row.config.settings.flags.flag_3);
    56 virtualServerActionWhenDown = truth(!row.config.settings.inhibit_on_failure);
    57 virtualServerRetry = gauge(row.pace().retry.unwrap_or(0));
    58 virtualServerDelayBeforeRetry = seconds(row.pace().delay_before_retry.unwrap_or_default());
    59 virtualServerWarmup = seconds(row.pace().warmup.unwrap_or_default());
    60 virtualServerWeight = integer(1);
    61 virtualServerSmtpAlert = truth(row.config.settings.smtp_alert);
    62 virtualServerMHFallback = truth(row.config.settings.flags.flag_1);
    63 virtualServerMHPort = truth(row.config.settings.flags.flag_2);
    64 virtualServerDelayLoopUsec = micros(row.pace().delay_loop);
    65 virtualServerDelayBeforeRetrUsec = micros(row.pace().delay_before_retry.unwrap_or_default());
    66 virtualServerWarmupUsec = micros(row.pace().warmup.unwrap_or_default());
    67 virtualServerConnTimeoutUsec = micros(row.pace().connect_timeout);
    68 virtualServerTunnelType = tunnel_type(row.config.settings.forwarding);
    69 virtualServerTunnelPort = tunnel_port(row.config.settings.forwarding);
    70 virtualServerTunnelCsum = tunnel_checksum(row.config.settings.forwarding);
    71 virtualServerName = row.config.settings.snmp_name.as_ref().map(text);
    72 virtualServerQuorumUpPath = program(row.config.settings.quorum_up.as_deref());
    73 virtualServerQuorumDownPath = program(row.config.settings.quorum_down.as_deref());
    74 virtualServerRateCps64 = counter64(row.traffic.connection_rate);
    75 virtualServerRateInPPS64 = counter64(row.traffic.packet_rate_in);
    76 virtualServerRateOutPPS64 = counter64(row.traffic.packet_rate_out);
    77 virtualServerRateInBPS64 = counter64(row.traffic.octet_rate_in);
    78 virtualServerRateOutBPS64 = counter64(row.traffic.octet_rate_out);
};

/// How many real servers are up.
pub(in crate::snmp) fn up(view: &ServiceView) -> usize {
    view.servers.iter().filter(|server| server.up).count()
}

/// A real server, or the sorry server, which is the first row of its virtual server.
#[derive(Clone, Copy)]
struct ServerRow<'a> {
    address: IpAddr,
    port: Option<NonZeroU16>,
    forwarding: Forwarding,
    traffic: Traffic,
    regular: Option<Regular<'a>>,
}

/// What a sorry server has not.
#[derive(Clone, Copy)]
struct Regular<'a> {
    config: &'a RealServer,
    pace: &'a Pace,
    view: Option<&'a ServerView>,
}

fn server<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<ServerRow<'a>> {
    let service = configured(scene, index)?;
    let (of, number) = (place(*index.first()?)?, place(*index.get(1)?)?);
    let of = scene.world.snapshot.balance.services.get(of);
    let number = match &service.settings.sorry_server {
        Some(sorry) if number == 0 => {
            let traffic = of.and_then(|of| of.traffic.as_ref()).map(|traffic| traffic.sorry).unwrap_or_default();
            let (address, port, forwarding) = (sorry.address, sorry.port, sorry.forwarding);
            return Some(ServerRow { address, port, forwarding, traffic, regular: None });
        }
        Some(_) => number.checked_sub(1)?,
        None => number,
    };
    let config = service.real_servers.get(number)?;
    let view = of.and_then(|of| of.servers.get(number));
    let pace = config.settings.pace.as_deref().unwrap_or(&service.settings.pace);
    Some(ServerRow {
        address: config.address,
        port: config.port,
        forwarding: config.settings.forwarding,
        traffic: view.and_then(|view| view.traffic.as_deref()).copied().unwrap_or_default(),
        regular: Some(Regular { config, pace, view }),
    })
}

impl<'a> ServerRow<'a> {
    /// A value that a sorry server has not.
    fn of(&self, get: impl FnOnce(Regular<'a>) -> Value) -> Option<Value> {
        self.regular.map(get)
    }

    fn extras(&self) -> Option<&'a RealServerExtras> {
        self.regular?.config.settings.extras.as_deref()
    }

    fn time(&self, get: fn(&Pace) -> Option<Duration>) -> Duration {
        self.regular.and_then(|regular| get(regular.pace)).unwrap_or_default()
    }
}

/// A threshold; 0 is none.
fn threshold(number: u32) -> Option<Value> {
    (number != 0).then(|| gauge(number))
}

const SERVERS: &[Column] = columns! { server as row in scene;
    2 realServerType = truth(row.regular.is_some());
    3 realServerAddrType = kind(row.address);
    4 realServerAddress = address(row.address);
    5 realServerPort = port_number(row.port);
    6 realServerStatus = row.of(|own| truth(own.view.is_some_and(|view| view.up)));
    7 realServerWeight [Set::Yes(set_weight)] =
        row.of(|own| integer(own.view.map_or(own.config.settings.weight, |view| view.weight)));
    8 realServerUpperConnectionLimit =
        row.regular.and_then(|own| threshold(own.config.settings.upper_threshold));
    9 realServerLowerConnectionLimit =
        row.regular.and_then(|own| threshold(own.config.settings.lower_threshold));
    10 realServerActionWhenDown = row.of(|own| truth(!own.config.settings.inhibit_on_failure));
    11 realServerNotifyUp = command(row.extras().and_then(|extras| extras.notify_up.as_ref()));
    12 realServerNotifyDown = command(row.extras().and_then(|extras| extras.notify_down.as_ref()));
    13 realServerFailedChecks =
        row.of(|own| gauge(own.view.map_or(0, |view| view.checks.iter().filter(|check| !check.up).count())));
    14 realServerStatsConns = half(row.traffic.counters.connections, 0);
    15 realServerStatsActiveConns = gauge(row.traffic.active);
    16 realServerStatsInactiveConns = gauge(row.traffic.inactive);
    17 realServerStatsPersistentConns = gauge(row.traffic.persistent);
    18 realServerStatsInPkts = counter32(row.traffic.counters.packets_in);
    19 realServerStatsOutPkts = counter32(row.traffic.counters.packets_out);
    20 realServerStatsInBytes = counter64(row.traffic.counters.octets_in);
    21 realServerStatsOutBytes = counter64(row.traffic.counters.octets_out);
    22 realServerRateCps = half(row.traffic.counters.connection_rate, 0);
    23 realServerRateInPPS = half(row.traffic.counters.packet_rate_in, 0);
    24 realServerRateOutPPS = half(row.traffic.counters.packet_rate_out, 0);
    25 realServerRateInBPS = half(row.traffic.counters.octet_rate_in, 0);
    26 realServerRateOutBPS = half(row.traffic.counters.octet_rate_out, 0);
    27 realServerStatsConns64 = counter64(row.traffic.counters.connections);
    28 realServerStatsInPkts64 = counter64(row.traffic.counters.packets_in);
    29 realServerStatsOutPkts64 = counter64(row.traffic.counters.packets_out);
    30 realServerRateCpsLow = half(row.traffic.counters.connection_rate, 0);
    31 realServerRateCpsHigh = half(row.traffic.counters.connection_rate, 32);
    32 realServerRateInPPSLow = half(row.traffic.counters.packet_rate_in, 0);
    33 realServerRateInPPSHigh = half(row.traffic.counters.packet_rate_in, 32);
    34 realServerRateOutPPSLow = half(row.traffic.counters.packet_rate_out, 0);
    35 realServerRateOutPPSHigh = half(row.traffic.counters.packet_rate_out, 32);
    36 realServerRateInBPSLow = half(row.traffic.counters.octet_rate_in, 0);
    37 realServerRateInBPSHigh = half(row.traffic.counters.octet_rate_in, 32);
    38 realServerRateOutBPSLow = half(row.traffic.counters.octet_rate_out, 0);
    39 realServerRateOutBPSHigh = half(row.traffic.counters.octet_rate_out, 32);
    40 realServerForwardingMethod = method(row.forwarding);
    41 realServerVirtualHost = row.extras().and_then(|extras| extras.virtualhost.as_ref()).map(text);
    42 realServerAlpha = truth(row.regular.is_some_and(|own| own.config.settings.alpha));
    43 realServerRetry = gauge(row.regular.and_then(|own| own.pace.retry).unwrap_or(0));
    44 realServerDelayBeforeRetry = seconds(row.time(|pace| pace.delay_before_retry));
    45 realServerWarmup = seconds(row.time(|pace| pace.warmup));
    46 realServerDelayLoop = seconds(row.time(|pace| Some(pace.delay_loop)));
    47 realServerSmtpAlert = truth(row.regular.is_some_and(|own| own.config.settings.smtp_alert));
    48 realServerDelayBeforeRetryUsec = micros(row.time(|pace| pace.delay_before_retry));
    49 realServerWarmupUsec = micros(row.time(|pace| pace.warmup));
    50 realServerDelayLoopUsec = micros(row.time(|pace| Some(pace.delay_loop)));
    51 realServerConnTimeoutUsec = micros(row.time(|pace| Some(pace.connect_timeout)));
    52 realServerTunnelType = tunnel_type(row.forwarding);
    53 realServerTunnelPort = tunnel_port(row.forwarding);
    54 realServerTunnelCsum = tunnel_checksum(row.forwarding);
    55 realServerName = row.extras().and_then(|extras| extras.snmp_name.as_ref()).map(text);
    56 realServerNotifyUpPath = program(row.extras().and_then(|extras| extras.notify_up.as_ref()));
    57 realServerNotifyDownPath = program(row.extras().and_then(|extras| extras.notify_down.as_ref()));
    58 realServerRateCps64 = counter64(row.traffic.counters.connection_rate);
    59 realServerRateInPPS64 = counter64(row.traffic.counters.packet_rate_in);
    60 realServerRateOutPPS64 = counter64(row.traffic.counters.packet_rate_out);
    61 realServerRateInBPS64 = counter64(row.traffic.counters.octet_rate_in);
    62 realServerRateOutBPS64 = counter64(row.traffic.counters.octet_rate_out);
    63 realServerNotRunCheckers = gauge(row.regular.and_then(|own| own.view).map_or(0, |view| {
        view.checks.iter().filter(|check| !check.has_run).count()
    }));
};

/// The greatest `weight` that keepalived.conf takes.
const MOST_WEIGHT: i32 = 65_535;

fn set_weight(scene: &Scene<'_>, index: &[u32], value: &Value) -> Result<Change, ErrorStatus> {
    let row = server(scene, index).and_then(|row| row.regular).ok_or(ErrorStatus::NotWritable)?;
    let Value::Integer(number) = value else { return Err(ErrorStatus::WrongType) };
    let weight = u32::try_from((*number).min(MOST_WEIGHT.saturating_add(1))).unwrap_or(u32::MAX);
    if !(0..=MOST_WEIGHT).contains(number) {
        return Err(ErrorStatus::WrongValue);
    }
    let [service, number, ..] = index else { return Err(ErrorStatus::NotWritable) };
    let (service, number) = place(*service).zip(place(*number)).ok_or(ErrorStatus::NotWritable)?;
    let has_sorry = configured(scene, index).is_some_and(|service| service.settings.sorry_server.is_some());
    let server = number.saturating_sub(usize::from(has_sorry));
    let write = |weight| Write::RealServerWeight { service, server, weight };
    let before = row.view.map_or(row.config.settings.weight, |view| view.weight);
    Ok(Change { write: write(weight), undo: write(before) })
}

/// `lvs_sync_daemon`, in an `Option` of its own: the row is there without it.
fn sync_daemon<'a>(scene: &Scene<'a>, _: &[u32]) -> Option<Option<&'a SyncDaemon>> {
    Some(scene.config().global.balancing.sync_daemon.as_deref())
}

const SYNC_DAEMON: &[Column] = columns! { sync_daemon as daemon in scene;
    1 lvsSyncDaemonEnabled = truth(daemon.is_some());
    2 lvsSyncDaemonInterface = daemon.map(|daemon| text(daemon.interface.as_bytes()));
    3 lvsSyncDaemonVrrpInstance = daemon.and_then(|daemon| daemon.instance.as_ref()).map(text);
    4 lvsSyncDaemonSyncId = daemon.map(|daemon| integer(daemon.id.unwrap_or(0)));
    5 lvsSyncDaemonMaxLen = daemon.map(|daemon| integer(daemon.most_octets.unwrap_or(0)));
    6 lvsSyncDaemonPort = daemon.map(|daemon| integer(daemon.port.unwrap_or(0)));
    7 lvsSyncDaemonTTL = daemon.map(|daemon| integer(daemon.ttl.unwrap_or(0)));
    8 lvsSyncDaemonMcastGroupAddrType = daemon.and_then(|daemon| daemon.group).map(kind);
    9 lvsSyncDaemonMcastGroupAddrValue = daemon.and_then(|daemon| daemon.group).map(address);
};

/// `lvs_timeouts`
fn timeouts<'a>(scene: &Scene<'a>, _: &[u32]) -> Option<&'a keepalived_config::model::Balancing> {
    Some(&scene.config().global.balancing)
}

const TIMEOUTS: &[Column] = columns! { timeouts as balancing in scene;
    1 lvsTimeoutTcp = balancing.tcp_timeout.map(|time| integer(time.as_secs()));
    2 lvsTimeoutTcpFin = balancing.tcp_fin_timeout.map(|time| integer(time.as_secs()));
    3 lvsTimeoutUdp = balancing.udp_timeout.map(|time| integer(time.as_secs()));
};
