//! What every [`Director`] promises. Written against what all of them can: NAT, round robin, address and mark, both
//! families.

use std::collections::BTreeMap;
use std::time::Duration;

use keepalived_core::balance::{
    Change, DestinationEntry, DestinationKey, Entry, Forwarding, Protocol, Scheduler, ServiceEntry, ServiceKey, Table,
    difference,
};
use keepalived_core::vrrp::Family;
use keepalived_kernel::director::Director;

use crate::ipvs::cases::cases;

/// A service by address, TCP.
pub(crate) fn service(address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { address: address.parse().unwrap(), port, protocol: Protocol::Tcp }
}

/// A server.
pub(crate) fn server(address: &str, port: u16) -> DestinationKey {
    DestinationKey { address: address.parse().unwrap(), port }
}

/// A service with nothing special.
pub(crate) fn plain(scheduler: Scheduler) -> ServiceEntry {
    ServiceEntry::new(scheduler)
}

/// A server with nothing special.
pub(crate) fn nat(weight: u32) -> DestinationEntry {
    DestinationEntry { weight, forwarding: Forwarding::Nat, upper_threshold: 0, lower_threshold: 0 }
}

/// Makes changes; the kernel may refuse none of them.
pub(crate) fn must(director: &mut impl Director, changes: &[Change]) {
    let refused = director.change(changes).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
}

/// The changes from nothing to `table`, or back.
pub(crate) fn to(table: &Table) -> Vec<Change> {
    let mut changes = Vec::new();
    table.iter().for_each(|(key, entry)| difference(*key, None, Some(entry), &mut changes));
    changes
}

pub(crate) fn from(table: &Table) -> Vec<Change> {
    table.keys().copied().map(Change::RemoveService).collect()
}

fn a_table() -> Table {
    let keys = [
        service("192.0.2.1", 80),
        service("192.0.2.1", 443),
        service("2001:db8::1", 80),
        ServiceKey::Address { address: "192.0.2.1".parse().unwrap(), port: 80, protocol: Protocol::Udp },
        ServiceKey::Fwmark { mark: 7, family: Family::V4 },
        ServiceKey::Fwmark { mark: 7, family: Family::V6 },
        ServiceKey::Fwmark { mark: u32::MAX, family: Family::V4 },
    ];
    let entry = |key: ServiceKey| {
        let servers = match key.family() {
            Family::V4 => [server("198.51.100.1", 8080), server("198.51.100.2", 8080)],
            Family::V6 => [server("2001:db8:1::1", 8080), server("2001:db8:1::2", 8080)],
        };
        let weights = [nat(1), nat(0)];
        Entry { service: plain(Scheduler::Wrr), destinations: servers.into_iter().zip(weights).collect() }
    };
    keys.map(|key| (key, entry(key))).into()
}

/// All of it, on one whose table is empty; it is empty afterwards. What it says that it cannot do must be refused.
pub(crate) fn suite(director: &mut impl Director, can: impl Fn(&Entry) -> bool) {
    assert_eq!(director.read().unwrap(), Table::new());
    a_table_is_made_and_read_and_made_again(director);
    entries_change_in_place(director);
    whether_it_is_there_does_not_matter(director);
    changes_are_made_in_order(director);
    one_refusal_does_not_stop_the_others(director);
    others_are_left_alone(director);
    many_changes_in_one_call(director);
    entries_of_every_kind(director, can);
    assert_eq!(director.read().unwrap(), Table::new());
}

fn a_table_is_made_and_read_and_made_again(director: &mut impl Director) {
    let table = a_table();
    must(director, &[]);
    for _ in 0..2 {
        must(director, &to(&table));
        assert_eq!(director.read().unwrap(), table);
    }
    for _ in 0..2 {
        must(director, &from(&table));
        assert_eq!(director.read().unwrap(), Table::new());
    }
}

fn entries_change_in_place(director: &mut impl Director) {
    let (key, one, two) = (service("192.0.2.1", 80), server("198.51.100.1", 80), server("198.51.100.2", 80));
    let mut want = Entry { service: plain(Scheduler::Rr), destinations: [(one, nat(1))].into() };
    let mut have = None;
    let mut reach = |want: &Entry| {
        let mut changes = Vec::new();
        difference(key, have.as_ref(), Some(want), &mut changes);
        must(director, &changes);
        assert_eq!(director.read().unwrap(), [(key, want.clone())].into());
        have = Some(want.clone());
    };
    reach(&want);
    want.service.scheduler = Scheduler::Wrr;
    reach(&want);
    want.service.persistence = Some(Duration::from_secs(50));
    reach(&want);
    want.service.persistence = None;
    want.destinations.insert(two, nat(2_147_483_647));
    reach(&want);
    want.destinations.insert(one, nat(0));
    reach(&want);
    want.destinations = [(two, nat(3))].into();
    reach(&want);
    want.destinations.clear();
    reach(&want);
    must(director, &[Change::RemoveService(key)]);
}

fn whether_it_is_there_does_not_matter(director: &mut impl Director) {
    let (key, place) = (service("192.0.2.1", 80), server("198.51.100.1", 80));
    let entry = Entry { service: plain(Scheduler::Rr), destinations: [(place, nat(2))].into() };
    // changing what is not there adds it
    must(director, &[Change::EditService(key, entry.service.clone()), Change::EditDestination(key, place, nat(2))]);
    assert_eq!(director.read().unwrap(), [(key, entry.clone())].into());
    // adding what is there changes it, and a service keeps its servers
    must(director, &[Change::AddService(key, plain(Scheduler::Wrr)), Change::AddDestination(key, place, nat(5))]);
    let changed = Entry { service: plain(Scheduler::Wrr), destinations: [(place, nat(5))].into() };
    assert_eq!(director.read().unwrap(), [(key, changed)].into());
    // a server of a service that is there already
    let other = server("198.51.100.2", 80);
    must(director, &[Change::EditDestination(key, other, nat(1)), Change::RemoveDestination(key, place)]);
    assert_eq!(director.read().unwrap()[&key].destinations, BTreeMap::from([(other, nat(1))]));
    // removing what is not there is success
    for _ in 0..2 {
        must(director, &[Change::RemoveDestination(key, other), Change::RemoveDestination(key, place)]);
    }
    for _ in 0..2 {
        must(director, &[Change::RemoveService(key), Change::RemoveDestination(key, place)]);
    }
}

fn changes_are_made_in_order(director: &mut impl Director) {
    let (key, one, two) = (service("192.0.2.1", 80), server("198.51.100.1", 80), server("198.51.100.2", 80));
    let add = |scheduler| Change::AddService(key, plain(scheduler));
    let edit = |scheduler| Change::EditService(key, plain(scheduler));
    let server = |place, weight| Change::AddDestination(key, place, nat(weight));
    let weigh = |place, weight| Change::EditDestination(key, place, nat(weight));
    let gone = |place| Change::RemoveDestination(key, place);
    let end = Change::RemoveService(key);
    let (rr, wrr) = (Scheduler::Rr, Scheduler::Wrr);
    /// Changes, and what is there after them.
    type Case<'a> = (&'a [Change], Option<(Scheduler, &'a [(DestinationKey, u32)])>);
    let cases: &[Case<'_>] = &[
        (&[add(rr), end.clone()], None),
        (&[end.clone(), add(rr), add(wrr)], Some((wrr, &[]))),
        (&[edit(rr), edit(wrr), edit(rr)], Some((rr, &[]))),
        (&[add(wrr), server(one, 1), server(one, 2), weigh(one, 3)], Some((wrr, &[(one, 3)]))),
        // the service is there from before
        (&[add(rr), server(one, 4), gone(one), server(two, 5)], Some((rr, &[(two, 5)]))),
        (&[server(two, 6), gone(two)], Some((rr, &[]))),
        (&[gone(one), server(one, 7), end.clone(), add(wrr)], Some((wrr, &[]))),
        (&[add(rr), add(wrr), end.clone(), edit(rr), weigh(one, 8), server(two, 9)], Some((rr, &[(one, 8), (two, 9)]))),
        (&[add(wrr), weigh(one, 1), end.clone()], None),
        (&[edit(rr), weigh(one, 1), end.clone()], None),
        (&[edit(rr), end.clone(), add(wrr), server(one, 1), end.clone()], None),
        (&[edit(rr), server(one, 1), gone(one), weigh(two, 2), edit(wrr)], Some((wrr, &[(two, 2)]))),
        (&[end], None),
    ];
    for (at, (changes, expected)) in cases.iter().enumerate() {
        must(director, changes);
        let expected = expected.map(|(scheduler, servers)| {
            let destinations = servers.iter().map(|(place, weight)| (*place, nat(*weight))).collect();
            (key, Entry { service: plain(scheduler), destinations })
        });
        assert_eq!(director.read().unwrap(), expected.into_iter().collect(), "case {at}: {changes:?}");
    }
}

fn one_refusal_does_not_stop_the_others(director: &mut impl Director) {
    let (key, none) = (service("192.0.2.1", 80), service("192.0.2.9", 80));
    let (one, two) = (server("198.51.100.1", 80), server("198.51.100.2", 80));
    let changes = [
        Change::AddService(key, plain(Scheduler::Rr)),
        Change::AddDestination(none, one, nat(1)),
        Change::AddDestination(key, one, nat(1)),
        // an address of the other family, without a tunnel
        Change::AddDestination(key, server("2001:db8::1", 80), nat(1)),
        Change::EditDestination(none, two, nat(1)),
        Change::EditDestination(key, two, nat(2)),
        Change::AddDestination(key, one, nat(0x8000_0000)),
        Change::RemoveDestination(none, one),
    ];
    let refused = director.change(&changes).unwrap();
    assert_eq!(refused.iter().map(|refused| refused.index).collect::<Vec<_>>(), [1, 3, 4, 6], "{refused:?}");
    assert!(refused.iter().all(|refused| !refused.to_string().is_empty()));
    let expected = Entry { service: plain(Scheduler::Rr), destinations: [(one, nat(1)), (two, nat(2))].into() };
    assert_eq!(director.read().unwrap(), [(key, expected)].into());
    must(director, &[Change::RemoveService(key)]);
}

fn others_are_left_alone(director: &mut impl Director) {
    let all = a_table();
    must(director, &to(&all));
    let key = service("192.0.2.1", 80);
    must(director, &[Change::RemoveService(key)]);
    let mut rest = all.clone();
    rest.remove(&key);
    assert_eq!(director.read().unwrap(), rest);
    must(director, &from(&all));
}

fn many_changes_in_one_call(director: &mut impl Director) {
    let table = many(1000, 3);
    must(director, &to(&table));
    assert_eq!(director.read().unwrap(), table);
    // all of them are there, and still there in the end
    must(director, &to(&table));
    assert_eq!(director.read().unwrap(), table);
    let mut changes = Vec::new();
    for (key, entry) in &table {
        let mut other = entry.clone();
        let first = *other.destinations.keys().next().unwrap();
        other.destinations.remove(&first);
        other.destinations.values_mut().for_each(|server| server.weight = 9);
        difference(*key, Some(entry), Some(&other), &mut changes);
    }
    must(director, &changes);
    let read = director.read().unwrap();
    assert!(read.values().all(|entry| entry.destinations.values().map(|it| it.weight).eq([9, 9])));
    must(director, &from(&table));
}

fn entries_of_every_kind(director: &mut impl Director, can: impl Fn(&Entry) -> bool) {
    let all: Table = cases().into_iter().map(|(_, key, entry)| (key, entry)).collect();
    let (possible, rest): (Table, Table) = all.into_iter().partition(|(_, entry)| can(entry));
    assert!(possible.len() > 70, "most can be done: {}", possible.len());
    let service_only = |entry: &Entry| Entry { destinations: BTreeMap::new(), ..entry.clone() };
    for (key, entry) in rest {
        let changes = to(&[(key, entry.clone())].into());
        let first = usize::from(can(&service_only(&entry)));
        let refused: Vec<_> = director.change(&changes).unwrap().iter().map(|refused| refused.index).collect();
        assert_eq!(refused, (first..changes.len()).collect::<Vec<_>>(), "{changes:?}");
        must(director, &[Change::RemoveService(key)]);
    }
    must(director, &to(&possible));
    let read = director.read().unwrap();
    possible.iter().for_each(|(key, entry)| assert_eq!(read.get(key), Some(entry), "{key:?}"));
    assert_eq!(read.len(), possible.len());
    must(director, &from(&possible));
}

/// So many services with so many servers each.
pub(crate) fn many(services: u32, servers: u32) -> Table {
    let entry = |n: u32| Entry {
        service: plain(Scheduler::Rr),
        destinations: (0..servers)
            .map(|m| {
                let address = std::net::Ipv4Addr::from(0x0a00_0001 + n * servers + m).into();
                (DestinationKey { address, port: 80 }, nat(1))
            })
            .collect(),
    };
    let key = |n: u32| {
        let address = std::net::Ipv4Addr::from(0xc612_0000 + n / 100).into();
        let port = 1000 + u16::try_from(n % 100).unwrap();
        ServiceKey::Address { address, port, protocol: Protocol::Tcp }
    };
    (0..services).map(|n| (key(n), entry(n))).collect()
}
