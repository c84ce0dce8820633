//! `nftables_ipvs`: packets to the addresses of a group get a mark, and the kernel has one service for the mark instead of one for each
//! address and port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::model::{Config, Global, GroupEntry, MOST_SERVICES, Service, VirtualServer, VirtualServerGroup};
use keepalived_core::balance::{Protocol, ServiceKey};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::Family;
use keepalived_kernel::director::Director;
use keepalived_kernel::marks::{MarkedRange, Marks};

use super::report::Report;

/// The marks of groups, by protocol. A group keeps its own across reloads.
pub(super) type Allotted = BTreeMap<(String, Protocol), u32>;

/// First pause before the kernel is asked again for what it refused, or what others have removed once more; then twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Who removes our tables again within this time has to wait for them, and so have we.
const QUIET: Duration = Duration::from_secs(10);

/// `nftables_ipvs`: the table. It is replaced as a whole, so it cannot be the one that the vrrp process filters with.
pub(super) fn table(global: &Global) -> Option<String> {
    let name = global.balancing.table.as_ref()?;
    let of_filter = global.firewall.table.as_deref().unwrap_or("keepalived");
    Some(if name == of_filter { format!("{name}_ipvs") } else { name.clone() })
}

/// The group of `server` if its packets are marked, and the protocol. A group that names marks itself has a service for each of its lines.
fn marked<'a>(
    server: &VirtualServer,
    groups: impl FnOnce(&str) -> Option<&'a VirtualServerGroup>,
) -> Option<(&'a VirtualServerGroup, Protocol)> {
    let Service::Group { name, protocol: Some(protocol), .. } = &server.service else { return None };
    let group = groups(name)?;
    let all_addresses = group.entries.iter().all(|entry| matches!(entry, GroupEntry::Addresses { .. }));
    all_addresses.then_some((group, *protocol))
}

/// Gives each group its mark, from `nftables_ipvs_start_fwmark` up. A mark that stands in the configuration is not taken, nor is one that
/// another group had `before`: packets may still have it.
pub(super) fn allot(config: &Config, before: &Allotted) -> Allotted {
    let balancing = &config.global.balancing;
    if balancing.table.is_none() {
        return Allotted::new();
    }
    let mut taken: BTreeSet<u32> = before.values().copied().collect();
    taken.extend(config.virtual_servers.iter().filter_map(|server| match server.service {
        Service::Fwmark { mark, .. } => Some(mark),
        Service::Address { .. } | Service::Group { .. } => None,
    }));
    let entries = config.virtual_server_groups.iter().flat_map(|group| &group.entries);
    taken.extend(entries.filter_map(|entry| match entry {
        GroupEntry::Fwmark { mark, .. } => Some(*mark),
        GroupEntry::Addresses { .. } => None,
    }));
    let mut free = (balancing.first_mark..=u32::MAX).filter(|mark| !taken.contains(mark));
    let groups: BTreeMap<&str, &VirtualServerGroup> =
        config.virtual_server_groups.iter().map(|group| (group.name.as_str(), group)).collect();
    let mut allotted = Allotted::new();
    for server in &config.virtual_servers {
        let Some((group, protocol)) = marked(server, |name| groups.get(name).copied()) else { continue };
        let key = (group.name.clone(), protocol);
        if !allotted.contains_key(&key)
            && let Some(mark) = before.get(&key).copied().or_else(|| free.next())
        {
            allotted.insert(key, mark);
        }
    }
    allotted
}

/// The services of the kernel for `server` if its packets are marked: one for each family of its addresses.
pub(super) fn keys<'a>(
    server: &VirtualServer,
    groups: impl FnOnce(&str) -> Option<&'a VirtualServerGroup>,
    allotted: &Allotted,
) -> Option<Vec<ServiceKey>> {
    if allotted.is_empty() {
        return None;
    }
    let (group, protocol) = marked(server, groups)?;
    let mark = *allotted.get(&(group.name.clone(), protocol))?;
    let families: BTreeSet<Family> = group.entries.iter().filter_map(GroupEntry::family).collect();
    Some(families.into_iter().map(|family| ServiceKey::Fwmark { mark, family }).collect())
}

/// The addresses of `server` if its packets are marked.
pub(super) fn addresses(config: &Config, server: &VirtualServer, allotted: &Allotted) -> Option<Vec<ServiceKey>> {
    let find = |name: &str| config.virtual_server_groups.iter().find(|group| group.name == name);
    keys(server, find, allotted)?;
    server.service.keys(find, MOST_SERVICES)
}

/// Which packets get a mark. If groups share an address and port, the first virtual server has it.
pub(super) fn of(config: &Config, allotted: &Allotted) -> Marks {
    let balancing = &config.global.balancing;
    let groups: BTreeMap<&str, &VirtualServerGroup> =
        config.virtual_server_groups.iter().map(|group| (group.name.as_str(), group)).collect();
    let mut ports: BTreeMap<(Protocol, IpAddr), BTreeMap<u16, u32>> = BTreeMap::new();
    for server in &config.virtual_servers {
        let find = |name: &str| groups.get(name).copied();
        let mark = marked(server, find).and_then(|(group, protocol)| allotted.get(&(group.name.clone(), protocol)));
        let Some(mark) = mark else { continue };
        for key in server.service.keys(find, MOST_SERVICES).unwrap_or_default() {
            if let ServiceKey::Address { address, port, protocol } = key {
                ports.entry((protocol, address)).or_default().entry(port).or_insert(*mark);
            }
        }
    }
    let ranges = joined(ports.iter().map(|(place, ports)| (*place, spans(ports))));
    let (table, priority) = (table(&config.global).unwrap_or_default(), balancing.priority);
    Marks { table, priority, counters: config.global.firewall.counters, ranges }
}

/// The ports of an address, from the first to the last, with the same mark.
type Span = (u16, u16, u32);

/// The marks of an address. Port 0 stands for all ports that have no mark of their own.
fn spans(ports: &BTreeMap<u16, u32>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let any = ports.get(&0).copied();
    let mut free = Some(0);
    for (port, mark) in ports.iter().filter(|(port, _)| **port != 0) {
        if let (Some(mark), Some(free)) = (any, free)
            && free < *port
        {
            spans.push((free, port.saturating_sub(1), mark));
        }
        spans.push((*port, *port, *mark));
        free = port.checked_add(1);
    }
    if let (Some(mark), Some(free)) = (any, free) {
        spans.push((free, u16::MAX, mark));
    }
    spans.dedup_by(|next, before| {
        let follows = before.2 == next.2 && before.1.checked_add(1) == Some(next.0);
        if follows {
            before.1 = next.1;
        }
        follows
    });
    spans
}

/// Neighbouring addresses with the same marks.
struct Run {
    protocol: Protocol,
    first: IpAddr,
    last: IpAddr,
    spans: Vec<Span>,
}

/// Makes ranges of neighbouring addresses that have the same marks.
fn joined(places: impl Iterator<Item = ((Protocol, IpAddr), Vec<Span>)>) -> Vec<MarkedRange> {
    let mut runs: Vec<Run> = Vec::new();
    for ((protocol, address), spans) in places {
        match runs.last_mut() {
            Some(run) if run.protocol == protocol && next(run.last) == Some(address) && run.spans == spans => {
                run.last = address;
            }
            _ => runs.push(Run { protocol, first: address, last: address, spans }),
        }
    }
    let ranges = |run: Run| {
        let Run { protocol, first, last, spans } = run;
        spans.into_iter().map(move |(from, to, mark)| MarkedRange { protocol, first, last, ports: (from, to), mark })
    };
    runs.into_iter().flat_map(ranges).collect()
}

fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(ip) => ip.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(ip) => ip.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}

/// Keeps the kernel's marks right.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    wanted: Marks,
    /// The kernel does not have what is wanted, or that is not known.
    dirty: bool,
    again_at: Option<Instant>,
    /// Refusals and losses, for the pause.
    setbacks: u32,
    refused: bool,
    lost_at: Option<Instant>,
}

impl Keeper {
    /// Which packets are marked from now on. The first time, the tables of a process before this one are replaced.
    pub(super) fn want(&mut self, marks: Marks) {
        if marks != self.wanted {
            self.wanted = marks;
            (self.dirty, self.again_at) = (true, None);
        }
    }

    /// Writes what has changed. Returns when to call it again.
    pub(super) fn tend(
        &mut self,
        director: &mut impl Director,
        now: Instant,
        news: &mut impl Extend<Report>,
    ) -> Option<Instant> {
        if !self.dirty || self.again_at.is_some_and(|at| at > now) {
            return self.again_at.filter(|_| self.dirty);
        }
        match director.mark(&self.wanted) {
            Ok(()) => {
                (self.dirty, self.again_at) = (false, None);
                if std::mem::take(&mut self.refused) {
                    self.setbacks = 0;
                    news.extend([Report::Granted { what: self.name() }]);
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.refused, true) {
                    news.extend([Report::Refused { what: self.name(), error: error.to_string() }]);
                }
                self.set_back(now);
            }
        }
        self.again_at
    }

    /// Others have taken something away.
    pub(super) fn lost(&mut self, now: Instant, news: &mut impl Extend<Report>) {
        if self.dirty {
            return;
        }
        let fight = self.lost_at.replace(now).is_some_and(|at| now.since(at) < QUIET);
        if fight {
            self.set_back(now);
        } else {
            (self.dirty, self.setbacks, self.again_at) = (true, 0, None);
            news.extend([Report::MarksLost { table: self.wanted.table.clone() }]);
        }
    }

    fn set_back(&mut self, now: Instant) {
        let doublings = self.setbacks.min(16);
        self.setbacks = self.setbacks.saturating_add(1);
        self.again_at = Some(now + (FIRST_PAUSE * 2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE));
        self.dirty = true;
    }

    fn name(&self) -> String {
        format!("mark packets of groups (table {} of nftables)", self.wanted.table)
    }

    /// Removes the tables: the process ends.
    pub(super) fn clear(&mut self, director: &mut impl Director, now: Instant, news: &mut impl Extend<Report>) {
        self.wanted.ranges.clear();
        (self.dirty, self.again_at) = (true, None);
        self.tend(director, now, news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    fn config(groups: &[(&str, &str)], servers: &[(&str, &str)], more: &str) -> Config {
        let group = |(name, lines): &(&str, &str)| format!("virtual_server_group {name} {{\n{lines}\n}}\n");
        let server = |(name, protocol): &(&str, &str)| {
            format!(
                "virtual_server group {name} {{\nlvs_sched rr\nlvs_method NAT\nprotocol {protocol}\nreal_server 10.0.0.1 80 {{\n}}\n}}\n"
            )
        };
        let groups: String = groups.iter().map(group).collect();
        let servers: String = servers.iter().map(server).collect();
        from_text(&format!("global_defs {{\nnftables_ipvs\n}}\n{groups}{servers}{more}"))
    }

    /// `TCP 192.0.2.1-192.0.2.3 80-80: 1000`
    fn shown(config: &Config, allotted: &Allotted) -> Vec<String> {
        let show = |range: &MarkedRange| {
            let MarkedRange { protocol, first, last, ports: (from, to), mark } = range;
            format!("{protocol} {first}-{last} {from}-{to}: {mark}")
        };
        of(config, allotted).ranges.iter().map(show).collect()
    }

    #[test]
    fn each_group_has_a_mark_for_each_protocol_and_keeps_it() {
        let (a, b, c) = (("a", "192.0.2.1 80"), ("b", "192.0.2.2 80"), ("c", "192.0.2.3 80"));
        let first = config(&[a, b], &[("a", "TCP"), ("a", "UDP"), ("b", "TCP")], "");
        let marks = allot(&first, &Allotted::new());
        // keepalived counts from 1000 up, in the order of the virtual servers
        let of = |name: &str, protocol| marks.get(&(name.to_owned(), protocol)).copied();
        assert_eq!(
            (of("a", Protocol::Tcp), of("a", Protocol::Udp), of("b", Protocol::Tcp)),
            (Some(1000), Some(1001), Some(1002))
        );
        // packets with the mark of a group that goes may still be on their way
        let second = config(&[b, c], &[("c", "TCP"), ("b", "TCP")], "");
        let then = allot(&second, &marks);
        let expected =
            [(("b".to_owned(), Protocol::Tcp), 1002), (("c".to_owned(), Protocol::Tcp), 1003)].into_iter().collect();
        assert_eq!(then, expected);
    }

    #[test]
    fn marks_of_the_configuration_are_not_given_away() {
        let more = "virtual_server fwmark 1000 {\nlvs_sched rr\nlvs_method NAT\nreal_server 10.0.0.1 80 {\n}\n}\n";
        let config = config(
            &[("own", "fwmark 1001\n192.0.2.9 80"), ("a", "192.0.2.1 80")],
            &[("own", "TCP"), ("a", "TCP")],
            more,
        );
        let marks = allot(&config, &Allotted::new());
        // a group with a mark of its own has a service for each line, as with keepalived
        assert_eq!(marks, [(("a".to_owned(), Protocol::Tcp), 1002)].into_iter().collect());
        assert_eq!(shown(&config, &marks), ["TCP 192.0.2.1-192.0.2.1 80-80: 1002"]);
    }

    #[test]
    fn neighbours_with_the_same_marks_are_one_range() {
        let check = |lines: &str, expected: &[&str]| {
            let config = config(&[("a", lines)], &[("a", "TCP")], "");
            let marks = allot(&config, &Allotted::new());
            assert_eq!(shown(&config, &marks), expected, "{lines}");
        };
        check("192.0.2.1-20 80", &["TCP 192.0.2.1-192.0.2.20 80-80: 1000"]);
        check(
            "192.0.2.1-20 80\n192.0.2.1-20 443",
            &["TCP 192.0.2.1-192.0.2.20 80-80: 1000", "TCP 192.0.2.1-192.0.2.20 443-443: 1000"],
        );
        check("192.0.2.1-20 80\n192.0.2.1-20 81", &["TCP 192.0.2.1-192.0.2.20 80-81: 1000"]);
        check(
            "192.0.2.1-3 80\n192.0.2.2 443",
            &[
                "TCP 192.0.2.1-192.0.2.1 80-80: 1000",
                "TCP 192.0.2.2-192.0.2.2 80-80: 1000",
                "TCP 192.0.2.2-192.0.2.2 443-443: 1000",
                "TCP 192.0.2.3-192.0.2.3 80-80: 1000",
            ],
        );
        check(
            "192.0.2.1 80\n192.0.2.3 80",
            &["TCP 192.0.2.1-192.0.2.1 80-80: 1000", "TCP 192.0.2.3-192.0.2.3 80-80: 1000"],
        );
    }

    #[test]
    fn the_table_is_not_that_of_the_packet_filter() {
        let named = |lines: &str| table(&from_text(&format!("global_defs {{\n{lines}\n}}\n")).global);
        let check = |lines: &str, expected: Option<&str>| assert_eq!(named(lines).as_deref(), expected, "{lines}");
        check("", None);
        check("nftables_ipvs", Some("keepalived_ipvs"));
        check("nftables_ipvs mine", Some("mine"));
        check("nftables_ipvs keepalived", Some("keepalived_ipvs"));
        check("nftables mine\nnftables_ipvs mine", Some("mine_ipvs"));
    }

    #[test]
    fn port_0_is_every_port_without_a_mark_of_its_own() {
        let spans = |ports: &[(u16, u32)]| spans(&ports.iter().copied().collect());
        assert_eq!(spans(&[(0, 7)]), [(0, u16::MAX, 7)]);
        assert_eq!(spans(&[(0, 7), (80, 8)]), [(0, 79, 7), (80, 80, 8), (81, u16::MAX, 7)]);
        assert_eq!(spans(&[(0, 7), (80, 7)]), [(0, u16::MAX, 7)]);
        assert_eq!(
            spans(&[(0, 7), (1, 8), (u16::MAX, 8)]),
            [(0, 0, 7), (1, 1, 8), (2, 65534, 7), (u16::MAX, u16::MAX, 8)]
        );
        assert_eq!(spans(&[(80, 8), (443, 9)]), [(80, 80, 8), (443, 443, 9)]);
    }

    #[test]
    fn the_first_virtual_server_has_an_address_that_groups_share() {
        let config = config(&[("a", "192.0.2.1-3 80"), ("b", "192.0.2.3-4 80")], &[("a", "TCP"), ("b", "TCP")], "");
        let marks = allot(&config, &Allotted::new());
        assert_eq!(
            shown(&config, &marks),
            ["TCP 192.0.2.1-192.0.2.3 80-80: 1000", "TCP 192.0.2.4-192.0.2.4 80-80: 1001"]
        );
    }
}
