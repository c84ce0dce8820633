//! Facts of this machine that the dump shows beside the configuration.

use std::net::IpAddr;
use std::path::Path;

use keepalived_config::dump;
use keepalived_core::address::InterfaceName;
use keepalived_core::network::{Inventory, Link};
use keepalived_core::vrrp::Family;
use keepalived_kernel::files::read_text;
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::Network;

use crate::configuration::host_name;

/// The longest user database that is read.
const LARGEST_TABLE: u64 = 16 * 1024 * 1024;

/// `RT_SCOPE_LINK`
const LINK_LOCAL: u8 = 253;

/// This machine at the time of the last look.
#[derive(Clone, Debug)]
pub struct Host {
    inventory: Inventory,
    users: String,
    groups: String,
}

impl Host {
    /// Looks. What cannot be read is not shown.
    pub fn look() -> Self {
        let inventory = Rtnetlink::of_addresses_without_events().and_then(|mut network| network.inventory());
        let read = |path: &str| read_text(Path::new(path), LARGEST_TABLE).unwrap_or_default();
        Self { inventory: inventory.unwrap_or_default(), users: read("/etc/passwd"), groups: read("/etc/group") }
    }

    fn link(&self, name: InterfaceName) -> Option<&Link> {
        self.inventory.links.iter().find(|link| link.name == name)
    }
}

impl dump::Host for Host {
    fn name(&self) -> Option<String> {
        Some(host_name()).filter(|name| !name.is_empty())
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        Some((entry(&self.users, name, 2)?, entry(&self.users, name, 3)?))
    }

    fn group(&self, name: &str) -> Option<u32> {
        entry(&self.groups, name, 2)
    }

    fn source(&self, interface: InterfaceName, family: Family) -> Option<IpAddr> {
        let link = self.link(interface)?;
        let usable = |scope: u8| family == Family::V4 || scope == LINK_LOCAL;
        let mut found = self.inventory.addresses.iter();
        let found = found.find(|it| it.link == link.index && Family::of(it.address) == family && usable(it.scope));
        found.map(|it| it.address)
    }

    fn program(&self, path: &str) -> Option<String> {
        let target = std::fs::canonicalize(Path::new(path)).ok().filter(|_| path.starts_with('/'))?;
        let target = target.into_os_string().into_string().ok()?;
        (target != path).then_some(target)
    }

    fn index(&self, interface: InterfaceName) -> Option<u32> {
        self.link(interface).map(|link| link.index.0)
    }
}

/// A number of the line of `name` in a file like `/etc/passwd`.
fn entry(text: &str, name: &str, field: usize) -> Option<u32> {
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(field)?.parse().ok()
}
