use proptest::prelude::*;

use super::*;
use std::net::Ipv4Addr;

fn key() -> ServiceKey {
    ServiceKey::Fwmark { mark: 7, family: Family::V4 }
}

fn entry(scheduler: Scheduler, servers: &[(u8, u32)]) -> Entry {
    let destination = |(last, weight): &(u8, u32)| {
        let key = DestinationKey { address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, *last)), port: 80 };
        let entry =
            DestinationEntry { weight: *weight, forwarding: Forwarding::Nat, upper_threshold: 0, lower_threshold: 0 };
        (key, entry)
    };
    Entry { service: ServiceEntry::new(scheduler), destinations: servers.iter().map(destination).collect() }
}

/// What a kernel would make of it, strictly: nothing is added twice, nothing that is not there is changed.
fn apply(table: &mut Table, change: &Change) {
    let told = format!("{change:?}");
    match change.clone() {
        Change::AddService(key, service) => {
            assert!(table.insert(key, Entry { service, destinations: BTreeMap::new() }).is_none(), "{told}");
        }
        Change::EditService(key, service) => table.get_mut(&key).expect(&told).service = service,
        Change::RemoveService(key) => assert!(table.remove(&key).is_some(), "{told}"),
        Change::AddDestination(key, to, entry) => {
            assert!(table.get_mut(&key).expect(&told).destinations.insert(to, entry).is_none(), "{told}");
        }
        Change::EditDestination(key, to, entry) => {
            assert!(table.get_mut(&key).expect(&told).destinations.insert(to, entry).is_some(), "{told}");
        }
        Change::RemoveDestination(key, to) => {
            assert!(table.get_mut(&key).expect(&told).destinations.remove(&to).is_some(), "{told}");
        }
    }
}

fn entries() -> impl Strategy<Value = Option<Entry>> {
    let servers = prop::collection::btree_map(0_u8..6, 0_u32..3, 0..5);
    prop::option::of((any::<bool>(), servers).prop_map(|(rr, servers)| {
        let servers: Vec<(u8, u32)> = servers.into_iter().collect();
        entry(if rr { Scheduler::Rr } else { Scheduler::Wlc }, &servers)
    }))
}

proptest! {
    #[test]
    fn the_difference_leads_from_one_to_the_other(have in entries(), want in entries()) {
        let mut changes = Vec::new();
        difference(key(), have.as_ref(), want.as_ref(), &mut changes);
        prop_assert_eq!(changes.is_empty(), have == want);
        let mut table: Table = have.clone().map(|entry| (key(), entry)).into_iter().collect();
        let keeps_some = |table: &Table| table.get(&key()).is_some_and(|entry| !entry.destinations.is_empty());
        let had_some = keeps_some(&table);
        let wants_some = want.as_ref().is_some_and(|entry| !entry.destinations.is_empty());
        for change in &changes {
            apply(&mut table, change);
            prop_assert!(!had_some || !wants_some || keeps_some(&table), "no moment without a server");
        }
        prop_assert_eq!(table.remove(&key()), want);
    }
}
