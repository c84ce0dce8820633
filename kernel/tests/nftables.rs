//! What the balancing table of nftables does to real connections, and what `nft` says that it is.

#![cfg(test)]

mod lab;
#[path = "nftables/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use keepalived_core::balance::{
    Change, DestinationEntry, DestinationKey, Entry, Forwarding, Granularity, Protocol, Scheduler, SchedulerFlags,
    ServiceEntry, ServiceKey, Table, difference,
};
use keepalived_core::vrrp::Family;
use keepalived_kernel::director::Director;
use keepalived_kernel::nftables::Nftables;

use world::{World, nft};

fn key(text: &str, protocol: Protocol) -> ServiceKey {
    let at: std::net::SocketAddr = text.parse().unwrap();
    ServiceKey::Address { address: at.ip(), port: at.port(), protocol }
}

fn tcp(text: &str) -> ServiceKey {
    key(text, Protocol::Tcp)
}

fn service(scheduler: Scheduler) -> ServiceEntry {
    ServiceEntry {
        scheduler,
        flags: SchedulerFlags::default(),
        one_packet: false,
        persistence: None,
        granularity: None,
        persistence_engine: None,
    }
}

fn nat(weight: u32) -> DestinationEntry {
    DestinationEntry { weight, forwarding: Forwarding::Nat, upper_threshold: 0, lower_threshold: 0 }
}

fn at(text: &str) -> DestinationKey {
    let at: std::net::SocketAddr = text.parse().unwrap();
    DestinationKey { address: at.ip(), port: at.port() }
}

fn entry(service: ServiceEntry, servers: &[(&str, u32)]) -> Entry {
    let destinations = servers.iter().map(|(text, weight)| (at(text), nat(*weight))).collect();
    Entry { service, destinations }
}

/// Makes one service what it ought to be; nothing may be refused.
fn set(director: &mut Nftables, key: ServiceKey, want: Option<&Entry>) {
    let have = director.read().unwrap();
    let mut changes = Vec::new();
    difference(key, have.get(&key), want, &mut changes);
    let refused = director.change(&changes).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(director.read().unwrap().get(&key), want);
}

fn tally(answers: &[u8]) -> BTreeMap<u8, usize> {
    let mut tally = BTreeMap::new();
    answers.iter().for_each(|answer| *tally.entry(*answer).or_default() += 1);
    tally
}

const VIP: &str = "198.51.100.1:80";

#[test]
fn round_robin_takes_turns_and_ignores_weights() {
    let Some(world) = World::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    let want = entry(service(Scheduler::Rr), &[("10.0.0.1:80", 5), ("10.0.0.2:80", 1), ("10.0.0.3:81", 1)]);
    set(&mut director, tcp(VIP), Some(&want));
    println!("{}", nft("list ruleset"));
    assert_eq!(tally(&world.ask(VIP, 30)), BTreeMap::from([(1, 10), (2, 10), (3, 10)]));
}
