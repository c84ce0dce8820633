//! VRRP-MIB (RFC 2787): instances of version 2 with IPv4 addresses, by interface and VRID.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keepalived_core::vrrp::{Authentication, Counters, Family, Preempt, State, Version};

use super::below;
use crate::snmp::tree::{Column, Rows, Table, columns};
use crate::snmp::value::{Value, counter32, integer, text, ticks, truth};
use crate::snmp::world::{InstanceRow, Order, Scene};

pub(super) const TABLES: &[Table] = &[
    Table { entry: below!(mib2, 68, 1), rows: Rows::Scalar, columns: NODE },
    Table { entry: below!(mib2, 68, 1, 3, 1), rows: Rows::Listed(order), columns: OPERATION },
    Table { entry: below!(mib2, 68, 1, 4, 1), rows: Rows::Listed(addresses), columns: ADDRESSES },
    Table { entry: below!(mib2, 68, 2), rows: Rows::Scalar, columns: TOTALS },
    Table { entry: below!(mib2, 68, 2, 4, 1), rows: Rows::Listed(order), columns: STATISTICS },
];

/// Whether the MIB has room for an instance.
pub(in crate::snmp) fn suits(row: InstanceRow<'_>) -> bool {
    let settings = &row.config.settings;
    settings.version == Version::V2 && settings.family == Family::V4 && !row.config.addresses.is_empty()
}

/// `ifIndex, vrrpOperVrId`
pub(in crate::snmp) fn index_of(scene: &Scene<'_>, row: InstanceRow<'_>) -> [u32; 2] {
    [scene.index_of(row.config.interface), u32::from(row.config.settings.vrid.get())]
}

fn suitable<'s, 'a>(scene: &'s Scene<'a>) -> impl Iterator<Item = (usize, InstanceRow<'a>)> + use<'s, 'a> {
    let rows = (0..scene.config().instances.len()).filter_map(|place| Some((place, scene.instance_at(place)?)));
    rows.filter(|(_, row)| suits(*row))
}

fn order<'s>(scene: &'s Scene<'_>) -> &'s Order {
    scene.rfc2787.get_or_init(|| {
        let mut order: Order = suitable(scene).map(|(place, row)| (index_of(scene, row).to_vec(), place)).collect();
        order.sort();
        order.dedup_by(|(a, _), (b, _)| a == b);
        order
    })
}

fn addresses<'s>(scene: &'s Scene<'_>) -> &'s Order {
    scene.rfc2787_addresses.get_or_init(|| {
        let mut order = Order::new();
        for (place, row) in suitable(scene) {
            for line in &row.config.addresses {
                let IpAddr::V4(address) = line.address else { continue };
                let mut index = index_of(scene, row).to_vec();
                index.extend(address.octets().map(u32::from));
                order.push((index, place));
            }
        }
        order.sort();
        order.dedup_by(|(a, _), (b, _)| a == b);
        order
    })
}

fn at<'a>(scene: &Scene<'a>, order: &Order, index: &[u32]) -> Option<InstanceRow<'a>> {
    let found = order.binary_search_by(|(own, _)| own.as_slice().cmp(index)).ok()?;
    scene.instance_at(order.get(found)?.1)
}

fn row<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<InstanceRow<'a>> {
    at(scene, order(scene), index)
}

fn address_row<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<InstanceRow<'a>> {
    at(scene, addresses(scene), index)
}

#[expect(clippy::unnecessary_wraps, reason = "what finds a row answers with an option")]
const fn node(_: &Scene<'_>, _: &[u32]) -> Option<()> {
    Some(())
}

const NODE: &[Column] = columns! { node as _node in scene;
    1 vrrpNodeVersion = integer(2);
    2 vrrpNotificationCntl = truth(scene.config().global.snmp.traps);
};

/// `initialize(1), backup(2), master(3)`
pub(super) fn state(state: State) -> Value {
    integer(match state {
        State::Init | State::Fault | State::Stopped => 1,
        State::Backup => 2,
        State::Master => 3,
    })
}

/// The address of a master that is heard; none while this router is master itself.
pub(super) fn master(row: InstanceRow<'_>) -> Option<IpAddr> {
    row.view.and_then(|view| view.master).map(|master| master.address)
}

fn ipv4(address: Option<IpAddr>) -> Value {
    Value::IpAddress(match address {
        Some(IpAddr::V4(address)) => address,
        Some(IpAddr::V6(_)) | None => Ipv4Addr::UNSPECIFIED,
    })
}

/// When it began to take part, if it does.
pub(super) fn takes_part_since(scene: &Scene<'_>, row: InstanceRow<'_>) -> Option<std::time::SystemTime> {
    let view = row.view.filter(|view| matches!(view.state, State::Backup | State::Master))?;
    Some(scene.memory.since(&view.name).unwrap_or(view.since))
}

const OPERATION: &[Column] = columns! { row as row in scene;
    2 vrrpOperVirtualMacAddr = hardware(scene, row);
    3 vrrpOperState = state(row.state());
    4 vrrpOperAdminState = integer(1);
    5 vrrpOperPriority = integer(row.settings().priority.get());
    6 vrrpOperIpAddrCount = integer(row.config.addresses.len());
    7 vrrpOperMasterIpAddr = ipv4(master(row));
    8 vrrpOperPrimaryIpAddr = row.config.interface.map(|_| ipv4(scene.primary(row)));
    9 vrrpOperAuthType = integer(match row.config.authentication {
        Authentication::None | Authentication::Hmac(_) => 1,
        Authentication::Password(_) => 2,
        Authentication::Header(_) => 3,
    });
    11 vrrpOperAdvertisementInterval = integer(row.settings().interval.duration().as_secs());
    12 vrrpOperPreemptMode = truth(row.settings().preempt != Preempt::No);
    13 vrrpOperVirtualRouterUpTime = ticks(
        takes_part_since(scene, row)
            .and_then(|since| since.duration_since(scene.world.machine.started).ok())
            .unwrap_or(Duration::ZERO),
    );
    14 vrrpOperProtocol = integer(1);
    15 vrrpOperRowStatus = integer(1);
};

/// The hardware address that neighbours see.
pub(super) fn hardware(scene: &Scene<'_>, row: InstanceRow<'_>) -> Option<Value> {
    let link = scene.link(scene.interface(row.config)).or_else(|| scene.link(row.config.interface));
    link.map(|link| text(&link.hardware))
}

const ADDRESSES: &[Column] = columns! { address_row as _row in scene;
    2 vrrpAssoIpAddrRowStatus = integer(1);
};

fn total(scene: &Scene<'_>, which: fn(&Counters) -> u64) -> Value {
    counter32(suitable(scene).fold(0, |sum, (_, row)| sum.wrapping_add(which(&row.counters()))))
}

const TOTALS: &[Column] = columns! { node as _node in scene;
    1 vrrpRouterChecksumErrors = total(scene, |counters| counters.checksum_err);
    2 vrrpRouterVersionErrors = total(scene, |counters| counters.version_err);
    3 vrrpRouterVrIdErrors = counter32(scene.world.snapshot.vrrp.totals.unknown_vrid);
};

const STATISTICS: &[Column] = columns! { row as row in scene;
    1 vrrpStatsBecomeMaster = counter32(row.counters().become_master);
    2 vrrpStatsAdvertiseRcvd = counter32(row.counters().advert_rcvd);
    3 vrrpStatsAdvertiseIntervalErrors = counter32(row.counters().advert_interval_err);
    4 vrrpStatsAuthFailures = counter32(row.counters().auth_failure);
    5 vrrpStatsIpTtlErrors = counter32(row.counters().ip_ttl_err);
    6 vrrpStatsPriorityZeroPktsRcvd = counter32(row.counters().pri_zero_rcvd);
    7 vrrpStatsPriorityZeroPktsSent = counter32(row.counters().pri_zero_sent);
    8 vrrpStatsInvalidTypePktsRcvd = counter32(row.counters().invalid_type_rcvd);
    9 vrrpStatsAddressListErrors = counter32(row.counters().addr_list_err);
    10 vrrpStatsInvalidAuthType = counter32(row.counters().invalid_authtype);
    11 vrrpStatsAuthTypeMismatch = counter32(row.counters().authtype_mismatch);
    12 vrrpStatsPacketLengthErrors = counter32(row.counters().packet_len_err);
};
