//! Facts of this machine that the dump shows beside the configuration.

use std::net::IpAddr;
use std::path::Path;
use std::time::UNIX_EPOCH;

use keepalived_config::dump::{self, LinkNow, Moment};
use keepalived_core::address::InterfaceName;
use keepalived_core::network::{Inventory, Link, LinkIndex, Siblings, UpperKind};
use keepalived_core::vrrp::Family;
use keepalived_kernel::files::read_text;
use keepalived_kernel::local_time::{Civil, to_local};
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
    /// Looks. What cannot be read is not shown. The kernel answers when nobody changes a link.
    pub fn look() -> Self {
        let inventory = Rtnetlink::of_addresses_without_events().and_then(|mut network| network.inventory());
        Self { inventory: inventory.unwrap_or_default(), ..Self::without_links() }
    }

    /// Looks at everything but links and addresses.
    pub fn without_links() -> Self {
        let read = |path: &str| read_text(Path::new(path), LARGEST_TABLE).unwrap_or_default();
        Self { inventory: Inventory::default(), users: read("/etc/passwd"), groups: read("/etc/group") }
    }

    fn link(&self, name: InterfaceName) -> Option<&Link> {
        self.inventory.links.iter().find(|link| link.name == name)
    }

    fn name_of(&self, index: LinkIndex) -> Option<InterfaceName> {
        self.inventory.links.iter().find(|link| link.index == index).map(|link| link.name)
    }

    fn shown(&self, link: &Link) -> LinkNow {
        let addresses = self.inventory.addresses.iter().filter(|address| address.link == link.index);
        let kind = link.upper.map(|kind| match kind {
            UpperKind::Macvlan => "VMAC type private",
            UpperKind::Ipvlan(Siblings::Bridge) => "IPVLAN type L2 bridge",
            UpperKind::Ipvlan(Siblings::Private) => "IPVLAN type L2 private",
            UpperKind::Ipvlan(Siblings::Vepa) => "IPVLAN type L2 vepa",
        });
        let master = link.master.and_then(|index| self.inventory.links.iter().find(|link| link.index == index));
        LinkNow {
            name: link.name,
            index: link.index.0,
            addresses: addresses.map(|address| address.address).collect(),
            mac: link.mac,
            up: link.up,
            running: link.running,
            loopback: link.loopback,
            multicast: link.multicast,
            group: link.group,
            mtu: link.mtu,
            vrf: master.filter(|master| master.vrf.is_some()).map(|master| master.name),
            vrf_table: link.vrf,
            upper: kind.zip(link.parent.and_then(|index| self.name_of(index))),
        }
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

    fn links(&self) -> Vec<LinkNow> {
        self.inventory.links.iter().map(|link| self.shown(link)).collect()
    }

    fn date(&self, time: Moment) -> Option<(String, i32)> {
        let Civil { year, month, day, hour, minute, second } = to_local(UNIX_EPOCH.checked_add(time)?)?;
        let month_name = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month))?;
        let weekday = WEEKDAYS.get(usize::try_from(weekday(year, month, day)).ok()?)?;
        Some((format!("{weekday} {month_name} {day:2} {hour:02}:{minute:02}:{second:02}"), year))
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// The weekday of a date of the Gregorian calendar, 0 for Sunday: January and February count as months of the year before (Zeller).
const fn weekday(year: i32, month: i32, day: i32) -> i32 {
    let (year, month) = if month < 3 { (year - 1, month + 12) } else { (year, month) };
    // Zeller's week begins on Saturday
    let days = day + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400;
    (days + 6).rem_euclid(7)
}

/// A number of the line of `name` in a file like `/etc/passwd`.
fn entry(text: &str, name: &str, field: usize) -> Option<u32> {
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(field)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::weekday;

    #[test]
    fn weekdays_are_those_of_the_calendar() {
        // of ctime(3) in shared/reference/observed: Sat Nov 21 2026; 1970 began on a Thursday
        assert_eq!(weekday(2026, 11, 21), 6);
        assert_eq!(weekday(1970, 1, 1), 4);
        assert_eq!(weekday(2024, 2, 29), 4);
        assert_eq!(weekday(2000, 12, 31), 0);
    }
}
