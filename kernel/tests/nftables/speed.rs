//! What many services cost.

use std::time::{Duration, Instant};

use keepalived_core::balance::{
    Change, DestinationEntry, DestinationKey, Entry, Forwarding, Scheduler, ServiceKey, Table, difference,
};
use keepalived_kernel::director::Director as _;
use keepalived_kernel::nftables::Nftables;

use crate::world::nft;
use crate::{at, lab, nat, service, tcp};

/// Services of ten servers each, whose weights are 1, or 1 to 10.
fn many(count: u32, weighted: bool) -> Table {
    let entry = |number: u32| {
        let weight = |last: u32| nat(if weighted { last } else { 1 });
        let servers = (1..=10).map(|last| (at(&format!("10.0.{}.{last}:80", number % 250)), weight(last))).collect();
        Entry { service: service(if weighted { Scheduler::Wlc } else { Scheduler::Rr }), destinations: servers }
    };
    let vip = |number: u32| tcp(&format!("{}:80", std::net::Ipv4Addr::from(0xc633_0000 + number)));
    (0..count).map(|number| (vip(number), entry(number))).collect()
}

/// How long it takes is printed; that it does not take minutes is tested by its end.
#[test]
fn ten_thousand_services_of_ten_servers() {
    for (count, weighted) in [(2_500, false), (3_700, false), (5_000, false), (10_000, false), (10_000, true)] {
        time(many(count, weighted), if weighted { "with weights" } else { "" });
    }
}

#[test]
fn ten_thousand_services_that_remember_their_clients() {
    for count in [2_000, 3_700, 10_000] {
        let mut table = many(count, false);
        table.values_mut().for_each(|entry| entry.service.persistence = Some(Duration::from_secs(300)));
        time(table, "with persistence");
    }
}

#[test]
fn ten_thousand_services_with_direct_routing() {
    for count in [2_000, 10_000] {
        let mut table = many(count, false);
        let servers = table.values_mut().flat_map(|entry| entry.destinations.values_mut());
        servers.for_each(|server| server.forwarding = Forwarding::Dr);
        time(table, "with direct routing");
    }
}

fn time(table: Table, kind: &str) {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    let count = table.len();
    let forwarding = table.values().next().unwrap().destinations.values().next().unwrap().forwarding;
    let nat = |weight| DestinationEntry { forwarding, ..nat(weight) };
    let mut changes = Vec::new();
    table.iter().for_each(|(key, entry)| difference(*key, None, Some(entry), &mut changes));
    println!("{count} services {kind}");
    let timed = |what: &str, start: Instant| println!("  {what}: {:?}", start.elapsed());
    let make = |what: &str, director: &mut Nftables, changes: &[Change]| {
        let start = Instant::now();
        assert!(director.change(changes).unwrap().is_empty());
        timed(what, start);
    };
    make("all at once", &mut director, &changes);
    let start = Instant::now();
    assert!(director.read().unwrap() == table);
    timed("read what nobody else changed", start);
    let start = Instant::now();
    assert!(Nftables::open(Nftables::TABLE).unwrap().read().unwrap() == table);
    timed("taken over", start);
    let start = Instant::now();
    if table.len() < 3000 && table.values().any(|entry| entry.service.persistence.is_some()) {
        remember_clients(&table);
        timed("nft has told the kernel of a hundred thousand clients", start);
    }
    let (first, _) = table.first_key_value().unwrap();
    let to = *table[first].destinations.keys().next().unwrap();
    make("one weight changed", &mut director, &[Change::EditDestination(*first, to, nat(11))]);
    make("one server removed", &mut director, &[Change::RemoveDestination(*first, to)]);
    make("one server added", &mut director, &[Change::AddDestination(*first, to, nat(1))]);
    let thousand: Vec<_> =
        table.keys().take(1000).map(|key| Change::RemoveDestination(*key, dead(&table, key))).collect();
    make("a thousand servers removed", &mut director, &thousand);
    let start = Instant::now();
    let services = director.service_traffic().unwrap();
    let servers = services.keys().map(|key| director.server_traffic(key).unwrap().len());
    assert_eq!(servers.sum::<usize>(), count * 10 - 1000);
    timed("counters", start);
    let changes: Vec<_> = table.keys().take(1000).map(|key| Change::RemoveService(*key)).collect();
    make("a thousand services removed", &mut director, &changes);
    let changes: Vec<_> = table.keys().map(|key| Change::RemoveService(*key)).collect();
    make("all removed", &mut director, &changes);
}

fn dead(table: &Table, key: &ServiceKey) -> DestinationKey {
    *table[key].destinations.keys().last().unwrap()
}

/// As if a hundred thousand clients had come: none of them has a server now.
fn remember_clients(table: &Table) {
    let mut lines = String::from("add element inet keepalived_balance clients4 {\n");
    for (key, client) in table.keys().cycle().zip(0..100_000) {
        let ServiceKey::Address { address, port, .. } = key else { unreachable!() };
        let client = std::net::Ipv4Addr::from(0x0b00_0000 + client);
        lines += &format!("tcp . {address} . {port} . {client} timeout 1h : 0xffffffff,\n");
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clients-{}", std::process::id()));
    std::fs::write(&path, lines + "}\n").unwrap();
    nft(&format!("-f {}", path.display()));
    std::fs::remove_file(&path).unwrap();
}
