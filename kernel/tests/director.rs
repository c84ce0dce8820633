//! One suite for every load balancer: IPVS, nftables and the fake. And what IPVS alone can, compared with ipvsadm.
//!
//! What needs IPVS runs in a machine that has it (`keepalived_lab::uml`), all in one.

#![cfg(test)]

mod contract;
mod ipvs;
mod lab;

use std::time::Duration;

use keepalived_core::balance::{Change, DestinationEntry, Entry, Forwarding, Scheduler, Table};
use keepalived_kernel::director::Director;
use keepalived_kernel::fake::FakeDirector;
use keepalived_kernel::nftables::{Nftables, supports, supports_service};

use crate::contract::{must, nat, plain, server, service, suite};

#[test]
fn the_fake_keeps_the_contract() {
    suite(&mut FakeDirector::new(), |_| true);
}

/// Whether nftables says that it can.
fn can(entry: &Entry) -> bool {
    let mut servers = entry.destinations.values();
    supports_service(&entry.service).is_ok() && servers.all(|server| supports(&entry.service, server).is_ok())
}

#[test]
fn nftables_keeps_the_contract() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    suite(&mut Nftables::open(Nftables::TABLE).unwrap(), can);
}

/// What the configuration may contain becomes the same entries with both, or is refused by both: otherwise each look
/// would find something to repair.
#[test]
fn nftables_keeps_doubtful_entries_as_ipvs_does() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    for (changes, name) in ipvs::cases::doubtful() {
        let possible = changes.iter().all(|change| match change {
            Change::AddService(_, service) | Change::EditService(_, service) => supports_service(service).is_ok(),
            Change::AddDestination(_, _, server) | Change::EditDestination(_, _, server) => {
                supports(&plain(Scheduler::Rr), server).is_ok()
            }
            Change::RemoveService(_) | Change::RemoveDestination(..) => true,
        });
        if !possible {
            continue;
        }
        let (mut nftables, mut fake) = (Nftables::open(Nftables::TABLE).unwrap(), FakeDirector::new());
        let refused = |director: &mut dyn Director| {
            director.change(&changes).unwrap().iter().map(|refused| refused.index).collect::<Vec<_>>()
        };
        assert_eq!(refused(&mut nftables), refused(&mut fake), "{name}");
        assert_eq!(nftables.read().unwrap(), *fake.table(), "{name}");
        let taken_over = Nftables::open(Nftables::TABLE).unwrap().read().unwrap();
        assert_eq!(taken_over, *fake.table(), "{name}: read by another process");
        nftables.clear().unwrap();
    }
}

/// Another process that looks at the table must find it undamaged, whatever was made of it.
#[test]
fn senseless_changes_end_alike_in_the_fake_and_in_nftables() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    for forwarding in [Forwarding::Nat, Forwarding::Dr] {
        senseless_changes(forwarding);
    }
}

fn senseless_changes(forwarding: Forwarding) {
    let (mut nftables, mut fake) = (Nftables::open(Nftables::TABLE).unwrap(), FakeDirector::new());
    for seed in 0..150 {
        let mut changes = ipvs::cases::senseless(seed, if seed % 20 == 0 { 300 } else { 9 });
        for (number, change) in changes.iter_mut().enumerate() {
            match change {
                Change::AddService(_, service) | Change::EditService(_, service) => {
                    service.persistence = (number % 3 == 0).then_some(Duration::from_secs(9));
                }
                Change::AddDestination(_, _, server) | Change::EditDestination(_, _, server) => {
                    *server = DestinationEntry { forwarding, ..nat(server.weight) };
                }
                Change::RemoveService(_) | Change::RemoveDestination(..) => {}
            }
        }
        let refused = |director: &mut dyn Director| {
            director.change(&changes).unwrap().iter().map(|refused| refused.index).collect::<Vec<_>>()
        };
        assert_eq!(refused(&mut nftables), refused(&mut fake), "seed {seed}");
        assert_eq!(nftables.read().unwrap(), *fake.table(), "seed {seed}");
        let taken_over = Nftables::open(Nftables::TABLE).unwrap().read().unwrap();
        assert_eq!(taken_over, *fake.table(), "seed {seed}: read by another process");
    }
    nftables.clear().unwrap();
}

#[test]
fn what_needs_ipvs_works() {
    keepalived_lab::uml::ignored_tests(Duration::from_secs(240));
}

#[test]
fn a_fake_refuses_fails_and_tells_what_it_was_asked() {
    let mut fake = FakeDirector::new();
    let (key, place) = (service("192.0.2.1", 80), server("198.51.100.1", 80));
    let changes = [Change::AddService(key, plain(Scheduler::Rr)), Change::AddDestination(key, place, nat(1))];
    fake.refuse(key, Some(place), Some(libc::EPERM));
    let refused = fake.change(&changes).unwrap();
    assert_eq!(
        refused.iter().map(|it| (it.index, it.error.raw_os_error())).collect::<Vec<_>>(),
        [(1, Some(libc::EPERM))]
    );
    fake.refuse(key, Some(place), None);
    must(&mut fake, &changes);
    assert_eq!((fake.work(), fake.history().len()), ((4, 2), 4));
    fake.fail(Some(libc::ETIMEDOUT));
    assert!(fake.read().is_err() && fake.change(&changes).is_err());
    fake.fail(None);
    fake.table_mut().clear();
    assert_eq!(fake.read().unwrap(), Table::new());
}
