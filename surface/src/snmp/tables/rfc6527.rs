//! VRRPV3-MIB (RFC 6527): all instances with addresses, by interface, VRID and family. keepalived shows those of version 2, too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use keepalived_core::vrrp::{Counters, Family, Preempt, State};

use super::below;
use super::rfc2787::{hardware, master, state, takes_part_since};
use crate::snmp::tree::{Column, Rows, Table, columns};
use crate::snmp::value::{address, counter32, counter64, gauge, integer, ticks, truth};
use crate::snmp::world::{InstanceRow, Order, Scene};

pub(super) const TABLES: &[Table] = &[
    Table { entry: below!(mib2, 207, 1, 1, 1, 1), rows: Rows::Listed(order), columns: OPERATIONS },
    Table { entry: below!(mib2, 207, 1, 1, 2, 1), rows: Rows::Listed(addresses), columns: ADDRESSES },
    Table { entry: below!(mib2, 207, 1, 2), rows: Rows::Scalar, columns: TOTALS },
    Table { entry: below!(mib2, 207, 1, 2, 5, 1), rows: Rows::Listed(order), columns: STATISTICS },
];

/// Whether the MIB has room for an instance.
pub(in crate::snmp) fn suits(row: InstanceRow<'_>) -> bool {
    !row.config.addresses.is_empty()
}

/// `ifIndex, vrrpv3OperationsVrId, vrrpv3OperationsInetAddrType`
pub(in crate::snmp) fn index_of(scene: &Scene<'_>, row: InstanceRow<'_>) -> [u32; 3] {
    let family = match row.config.settings.family {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    [scene.index_of(row.config.interface), u32::from(row.config.settings.vrid.get()), family]
}

fn suitable<'s, 'a>(scene: &'s Scene<'a>) -> impl Iterator<Item = (usize, InstanceRow<'a>)> + use<'s, 'a> {
    let rows = (0..scene.config().instances.len()).filter_map(|place| Some((place, scene.instance_at(place)?)));
    rows.filter(|(_, row)| suits(*row))
}

fn order<'s>(scene: &'s Scene<'_>) -> &'s Order {
    scene.rfc6527.get_or_init(|| {
        let mut order: Order = suitable(scene).map(|(place, row)| (index_of(scene, row).to_vec(), place)).collect();
        order.sort();
        order.dedup_by(|(a, _), (b, _)| a == b);
        order
    })
}

/// Addresses as keepalived writes them in an index: without their length, which RFC 6527 wants (docs/differences.md).
fn addresses<'s>(scene: &'s Scene<'_>) -> &'s Order {
    scene.rfc6527_addresses.get_or_init(|| {
        let mut order = Order::new();
        for (place, row) in suitable(scene) {
            for line in &row.config.addresses {
                let mut index = index_of(scene, row).to_vec();
                match line.address {
                    IpAddr::V4(address) => index.extend(address.octets().map(u32::from)),
                    IpAddr::V6(address) => index.extend(address.octets().map(u32::from)),
                }
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

/// The address of the family, or zeros.
fn of_family(row: InstanceRow<'_>, address: Option<IpAddr>) -> IpAddr {
    address.unwrap_or(match row.config.settings.family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    })
}

const OPERATIONS: &[Column] = columns! { row as row in scene;
    3 vrrpv3OperationsMasterIpAddr = address(of_family(row, match row.state() {
        State::Master => scene.primary(row),
        State::Init | State::Backup | State::Fault | State::Stopped => master(row),
    }));
    4 vrrpv3OperationsPrimaryIpAddr = address(of_family(row, scene.primary(row)));
    5 vrrpv3OperationsVirtualMacAddr = hardware(scene, row);
    6 vrrpv3OperationsStatus = state(row.state());
    7 vrrpv3OperationsPriority = gauge(row.settings().priority.get());
    8 vrrpv3OperationsAddrCount = integer(row.config.addresses.len());
    9 vrrpv3OperationsAdvInterval = integer(row.settings().interval.centis().count());
    10 vrrpv3OperationsPreemptMode = truth(row.settings().preempt != Preempt::No);
    11 vrrpv3OperationsAcceptMode = truth(row.config.accept);
    12 vrrpv3OperationsUpTime = ticks(
        takes_part_since(scene, row)
            .and_then(|since| scene.world.now.duration_since(since).ok())
            .unwrap_or(Duration::ZERO),
    );
    13 vrrpv3OperationsRowStatus = integer(1);
};

const ADDRESSES: &[Column] = columns! { address_row as _row in scene;
    2 vrrpv3AssociatedIpAddrRowStatus = integer(1);
};

fn total(scene: &Scene<'_>, which: fn(&Counters) -> u64) -> u64 {
    suitable(scene).fold(0, |sum, (_, row)| sum.wrapping_add(which(&row.counters())))
}

#[expect(clippy::unnecessary_wraps, reason = "what finds a row answers with an option")]
const fn node(_: &Scene<'_>, _: &[u32]) -> Option<()> {
    Some(())
}

const TOTALS: &[Column] = columns! { node as _node in scene;
    1 vrrpv3RouterChecksumErrors = counter64(total(scene, |counters| counters.checksum_err));
    2 vrrpv3RouterVersionErrors = counter64(total(scene, |counters| counters.version_err));
    3 vrrpv3RouterVrIdErrors = counter64(scene.world.snapshot.vrrp.totals.unknown_vrid);
    4 vrrpv3GlobalStatisticsDiscontinuityTime = ticks(Duration::ZERO);
};

const STATISTICS: &[Column] = columns! { row as row in scene;
    1 vrrpv3StatisticsMasterTransitions = counter32(row.counters().become_master);
    2 vrrpv3StatisticsNewMasterReason = integer(scene.memory.master_reason(&row.config.name));
    3 vrrpv3StatisticsRcvdAdvertisements = counter64(row.counters().advert_rcvd);
    4 vrrpv3StatisticsAdvIntervalErrors = counter64(row.counters().advert_interval_err);
    5 vrrpv3StatisticsIpTtlErrors = counter64(row.counters().ip_ttl_err);
    6 vrrpv3StatisticsProtoErrReason = integer(scene.memory.protocol_error(&row.config.name));
    7 vrrpv3StatisticsRcvdPriZeroPackets = counter64(row.counters().pri_zero_rcvd);
    8 vrrpv3StatisticsSentPriZeroPackets = counter64(row.counters().pri_zero_sent);
    9 vrrpv3StatisticsRcvdInvalidTypePackets = counter64(row.counters().invalid_type_rcvd);
    10 vrrpv3StatisticsAddressListErrors = counter64(row.counters().addr_list_err);
    11 vrrpv3StatisticsPacketLengthErrors = counter64(row.counters().packet_len_err);
    12 vrrpv3StatisticsRowDiscontinuityTime = ticks(Duration::ZERO);
    13 vrrpv3StatisticsRefreshRate = gauge(row.settings().interval.duration().as_millis());
};
