//! One suite for every load balancer: IPVS and the fake. And what IPVS alone can, compared with ipvsadm.
//!
//! What needs IPVS runs in a machine that has it (`keepalived_lab::uml`), all in one.

#![cfg(test)]

mod contract;
mod ipvs;
mod lab;

use std::time::Duration;

use keepalived_core::balance::{Change, Scheduler, Table};
use keepalived_kernel::director::Director;
use keepalived_kernel::fake::FakeDirector;

use crate::contract::{must, nat, plain, server, service, suite};

#[test]
fn the_fake_keeps_the_contract() {
    suite(&mut FakeDirector::new());
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
