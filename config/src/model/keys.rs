//! What the kernel has for a virtual server: a service for each address and mark of its group.

use std::collections::HashSet;
use std::net::IpAddr;
use std::num::NonZeroU16;

use keepalived_core::balance::ServiceKey;

use super::{GroupEntry, Service, VirtualServerGroup};

/// The most services of the kernel that a configuration may name: a prefix of IPv6 must not fill the memory.
pub const MOST_SERVICES: usize = 1 << 20;

impl Service {
    /// The services of the kernel that it stands for, each once, in the order of the file. `group` finds the group of a
    /// name. `None` if there are more than `most`.
    pub fn keys<'a>(
        &self,
        group: impl FnOnce(&str) -> Option<&'a VirtualServerGroup>,
        most: usize,
    ) -> Option<Vec<ServiceKey>> {
        let mut keys = Vec::new();
        match self {
            Self::Address { address, port, protocol } => {
                keys.push(ServiceKey::Address { address: *address, port: number(*port), protocol: *protocol });
            }
            Self::Fwmark { mark, family } => keys.push(ServiceKey::Fwmark { mark: *mark, family: *family }),
            Self::Group { name, protocol, family } => {
                let entries: &[GroupEntry] = group(name).map(|group| group.entries.as_slice()).unwrap_or_default();
                if entries.iter().map(GroupEntry::count).fold(0, u128::saturating_add) > most.try_into().ok()? {
                    return None;
                }
                for entry in entries {
                    match (entry, *protocol) {
                        (GroupEntry::Fwmark { mark, family: own }, _) => {
                            keys.push(ServiceKey::Fwmark { mark: *mark, family: own.unwrap_or(*family) });
                        }
                        (GroupEntry::Addresses { first, last, port }, Some(protocol)) => {
                            let port = number(*port);
                            keys.extend(range(*first, *last).map(|address| ServiceKey::Address {
                                address,
                                port,
                                protocol,
                            }));
                        }
                        (GroupEntry::Addresses { .. }, None) => {}
                    }
                }
                // ranges of one group may overlap
                let mut known = HashSet::with_capacity(keys.len());
                keys.retain(|key| known.insert(*key));
            }
        }
        (keys.len() <= most).then_some(keys)
    }
}

impl From<ServiceKey> for Service {
    fn from(key: ServiceKey) -> Self {
        match key {
            ServiceKey::Address { address, port, protocol } => {
                Self::Address { address, port: NonZeroU16::new(port), protocol }
            }
            ServiceKey::Fwmark { mark, family } => Self::Fwmark { mark, family },
        }
    }
}

impl GroupEntry {
    /// How many services of the kernel the line stands for.
    pub fn count(&self) -> u128 {
        match self {
            Self::Addresses { first, last, .. } => bits(*last).saturating_sub(bits(*first)).saturating_add(1),
            Self::Fwmark { .. } => 1,
        }
    }
}

/// As the kernel writes it: 0 is every port.
fn number(port: Option<NonZeroU16>) -> u16 {
    port.map_or(0, NonZeroU16::get)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// All addresses from `first` to `last`, which are of one family.
fn range(first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
    (bits(first)..=bits(last)).map(move |bits| match first {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits).unwrap_or_default().into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    })
}
