//! The kernel's own thread that tells another balancer of the connections, or hears of its.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_core::address::InterfaceName;

use crate::netlink::codec::{Attributes, Batch, u16_at, u32_at};

/// Which of the two; one of each may run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SyncRole {
    /// Tells.
    Master,
    /// Hears.
    Backup,
}

/// `lvs_sync_daemon`. While one runs, the kernel refuses servers of another family than their service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyncDaemon {
    /// Which.
    pub role: SyncRole,
    /// Through which interface.
    pub interface: InterfaceName,
    /// Those of the same number belong together; 0 in a backup hears all.
    pub sync_id: u8,
    /// Longest message; `None` leaves it to the kernel (the interface's MTU).
    pub max_length: Option<u16>,
    /// The address that it sends to; `None` is 224.0.0.81.
    pub group: Option<IpAddr>,
    /// UDP port; `None` is 8848.
    pub port: Option<u16>,
    /// Time to live; `None` is 1.
    pub ttl: Option<u8>,
}

impl SyncDaemon {
    /// Whether this daemon, as the kernel has it, is what `wish` asks for; what that leaves to the kernel is as it is.
    pub fn fulfils(&self, wish: &Self) -> bool {
        fn left_or_same<T: PartialEq>(have: Option<T>, wish: Option<T>) -> bool {
            wish.is_none() || have == wish
        }
        (self.role, self.interface, self.sync_id) == (wish.role, wish.interface, wish.sync_id)
            && left_or_same(self.max_length, wish.max_length)
            && left_or_same(self.group, wish.group)
            && left_or_same(self.port, wish.port)
            && left_or_same(self.ttl, wish.ttl)
    }
}

const DAEMON: u16 = 3;

const STATE: u16 = 1;
const INTERFACE: u16 = 2;
const SYNC_ID: u16 = 3;
const MAX_LENGTH: u16 = 4;
const GROUP: u16 = 5;
const GROUP6: u16 = 6;
const PORT: u16 = 7;
const TTL: u16 = 8;

const MASTER: u32 = 1;
const BACKUP: u32 = 2;

/// Adds what a daemon to be started is told.
pub(super) fn write(batch: &mut Batch, daemon: &SyncDaemon) {
    batch.nested(DAEMON, |batch| {
        batch.attribute(STATE, &number(daemon.role).to_ne_bytes());
        let mut name = daemon.interface.as_bytes().to_vec();
        name.push(0);
        batch.attribute(INTERFACE, &name);
        batch.attribute(SYNC_ID, &u32::from(daemon.sync_id).to_ne_bytes());
        if let Some(length) = daemon.max_length {
            batch.attribute(MAX_LENGTH, &length.to_ne_bytes());
        }
        if let Some(port) = daemon.port {
            batch.attribute(PORT, &port.to_ne_bytes());
        }
        if let Some(ttl) = daemon.ttl {
            batch.attribute(TTL, &[ttl]);
        }
        match daemon.group {
            Some(IpAddr::V4(group)) => batch.attribute(GROUP, &group.octets()),
            Some(IpAddr::V6(group)) => batch.attribute(GROUP6, &group.octets()),
            None => {}
        }
    });
}

/// Adds which daemon to stop.
pub(super) fn write_role(batch: &mut Batch, role: SyncRole) {
    batch.nested(DAEMON, |batch| batch.attribute(STATE, &number(role).to_ne_bytes()));
}

/// Reads a daemon that runs. `None` if there is no telling which it is.
pub(super) fn read(attributes: &[u8]) -> Option<SyncDaemon> {
    let (_, daemon) = Attributes(attributes).find(|(kind, _)| *kind == DAEMON)?;
    let (mut role, mut interface, mut sync_id) = (None, None, 0);
    let (mut max_length, mut group, mut port, mut ttl) = (None, None, None, None);
    for (kind, value) in Attributes(daemon) {
        match kind {
            STATE => role = read_role(value),
            INTERFACE => {
                let end = value.iter().position(|octet| *octet == 0).unwrap_or(value.len());
                interface = InterfaceName::new(value.get(..end)?);
            }
            SYNC_ID => sync_id = u32_at(value, 0).and_then(|id| u8::try_from(id).ok())?,
            MAX_LENGTH => max_length = u16_at(value, 0),
            GROUP => group = <[u8; 4]>::try_from(value).ok().map(|octets| Ipv4Addr::from(octets).into()),
            GROUP6 => group = <[u8; 16]>::try_from(value).ok().map(|octets| Ipv6Addr::from(octets).into()),
            PORT => port = u16_at(value, 0),
            TTL => ttl = value.first().copied(),
            _ => {}
        }
    }
    Some(SyncDaemon { role: role?, interface: interface?, sync_id, max_length, group, port, ttl })
}

fn number(role: SyncRole) -> u32 {
    match role {
        SyncRole::Master => MASTER,
        SyncRole::Backup => BACKUP,
    }
}

fn read_role(value: &[u8]) -> Option<SyncRole> {
    match u32_at(value, 0)? {
        MASTER => Some(SyncRole::Master),
        BACKUP => Some(SyncRole::Backup),
        _ => None,
    }
}
