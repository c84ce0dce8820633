//! Addresses: those of `static_ipaddress` with the first index 0, then those of each instance.

use std::net::{IpAddr, Ipv4Addr};

use keepalived_core::address::{Broadcast, InterfaceName, VirtualAddress};

use super::{below, scope};
use crate::snmp::tree::{Column, Rows, Table, columns};
use crate::snmp::value::{address, gauge, integer, kind, text, truth};
use crate::snmp::world::{Scene, place};

pub(super) const TABLES: &[Table] = &[Table {
    entry: below!(keepalived, 2, 6, 1),
    rows: Rows::Places {
        levels: 2,
        first: 0,
        count: |scene, index| match index {
            [] => scene.config().instances.len().saturating_add(1),
            [0, ..] => scene.config().static_addresses.len(),
            [instance, ..] => place(*instance)
                .and_then(|place| scene.config().instances.get(place))
                .map_or(0, |instance| instance.addresses.len().saturating_add(instance.excluded_addresses.len())),
        },
    },
    columns: ADDRESSES,
}];

#[derive(Clone, Copy)]
struct Row<'a> {
    line: &'a VirtualAddress,
    interface: Option<InterfaceName>,
    set: bool,
    advertised: bool,
}

fn row<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<Row<'a>> {
    let [owner, number, ..] = index else { return None };
    let number = place(*number)?;
    let Some(owner) = place(*owner) else {
        let line = &scene.config().static_addresses.get(number)?.address;
        return Some(Row { line, interface: line.device, set: true, advertised: false });
    };
    let instance = scene.instance_at(owner)?;
    let advertised = instance.config.addresses.get(number);
    let excluded = number.checked_sub(instance.config.addresses.len());
    let (line, view) = match (advertised, excluded) {
        (Some(line), _) => (line, instance.view.and_then(|view| view.addresses.get(number))),
        (None, excluded) => (
            instance.config.excluded_addresses.get(excluded?)?,
            instance.view.and_then(|view| view.excluded_addresses.get(excluded?)),
        ),
    };
    let interface = line.device.or_else(|| scene.interface(instance.config));
    Some(Row { line, interface, set: view.is_some_and(|view| view.set), advertised: advertised.is_some() })
}

const ADDRESSES: &[Column] = columns! { row as row in scene;
    2 vrrpAddressType = kind(row.line.address);
    3 vrrpAddressValue = address(row.line.address);
    4 vrrpAddressBroadcast = broadcast(row.line).map(|broadcast| address(IpAddr::V4(broadcast)));
    5 vrrpAddressMask = gauge(row.line.prefix);
    6 vrrpAddressScope = scope(row.line.scope);
    7 vrrpAddressIfIndex = integer(scene.index_of(row.interface));
    8 vrrpAddressIfName = row.interface.map(|name| text(name.as_bytes()));
    9 vrrpAddressIfAlias = row.line.label.map(|label| text(label.as_bytes()));
    10 vrrpAddressStatus = truth(row.set);
    11 vrrpAddressAdvertising = truth(row.advertised);
    12 vrrpAddressPeer = row.line.peer.map(address);
};

/// The broadcast address; zeros if there is none.
fn broadcast(line: &VirtualAddress) -> Option<Ipv4Addr> {
    let IpAddr::V4(own) = line.address else { return None };
    let hosts = u32::MAX.checked_shr(u32::from(line.prefix)).unwrap_or(0);
    Some(match line.broadcast {
        Broadcast::None => Ipv4Addr::UNSPECIFIED,
        Broadcast::AllOnes => Ipv4Addr::from_bits(own.to_bits() | hosts),
        Broadcast::AllZeros => Ipv4Addr::from_bits(own.to_bits() & !hosts),
        Broadcast::Address(address) => address,
    })
}
