//! Numbers for those who ask: they come with a refresh, and change no decision.

use std::time::Duration;

use keepalived_core::balance::{Counted, Counters, DestinationKey, FailureKind, ServiceKey, Traffic};
use keepalived_state::{BalanceView, ServerView};

use super::rig::{Rig, configuration, virtual_server};
use crate::checker::engine::DueStep;

/// The view of a follower that asks for fresh numbers. Returns in how many steps they came.
fn follow(rig: &mut Rig, view: &mut BalanceView) -> usize {
    rig.engine.request_changes();
    for step in 1..1_000 {
        let told = rig.engine.changes(1);
        told.changes.into_iter().for_each(|change| view.apply(change));
        if told.fresh {
            return step;
        }
    }
    panic!("no end");
}

fn to(last: u8) -> DestinationKey {
    DestinationKey { address: [10, 0, 0, last].into(), port: 80 }
}

fn traffic(connections: u64, active: u32) -> Traffic {
    Traffic { counters: Counters { connections, ..Counters::default() }, active, ..Traffic::default() }
}

fn server(view: &BalanceView, place: usize) -> &ServerView {
    &view.services[0].servers[place]
}

#[test]
fn what_passes_is_told_to_who_asks() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    let mut view = BalanceView::default();
    follow(&mut rig, &mut view);
    assert_eq!(view.totals.counted, Some(Counted::Everything));
    assert_eq!((&view.services[0].traffic, &server(&view, 0).traffic), (&None, &None));
    let service: ServiceKey = *rig.engine.director().table().keys().next().unwrap();
    rig.engine.director().pass(service, to(1), traffic(7, 2));
    rig.engine.director().pass(service, to(2), traffic(5, 0));
    assert!(!rig.engine.has_changes(), "nobody asked");
    follow(&mut rig, &mut view);
    assert_eq!(view.services[0].traffic.as_ref().unwrap().counters.connections, 12);
    assert_eq!(server(&view, 0).traffic.as_deref(), Some(&traffic(7, 2)));
    assert_eq!(server(&view, 1).traffic.as_deref(), Some(&traffic(5, 0)));
    // another weight is no other traffic
    rig.pass(10, &[2]);
    let told = rig.engine.changes(1_000);
    told.changes.into_iter().for_each(|change| view.apply(change));
    assert!(!server(&view, 1).up);
    assert_eq!(server(&view, 1).traffic.as_deref(), Some(&traffic(5, 0)));
    // it is not in the kernel's table any more
    follow(&mut rig, &mut view);
    assert_eq!(server(&view, 1).traffic, None);
}

#[test]
fn traffic_that_cannot_be_read_hinders_nobody() {
    let mut rig = Rig::new(&configuration("", &[1]));
    rig.engine.director().fail_reading(Some(5));
    let mut view = BalanceView::default();
    follow(&mut rig, &mut view);
    assert_eq!(server(&view, 0).traffic, None);
}

#[test]
fn what_cannot_be_read_now_stays_as_it_was() {
    let mut rig = Rig::new(&configuration("", &[1]));
    let service: ServiceKey = *rig.engine.director().table().keys().next().unwrap();
    rig.engine.director().pass(service, to(1), traffic(7, 2));
    let mut view = BalanceView::default();
    follow(&mut rig, &mut view);
    rig.engine.director().pass(service, to(1), traffic(9, 1));
    for refused in [true, false] {
        rig.engine.director().fail_reading(refused.then_some(5));
        follow(&mut rig, &mut view);
        let seen = if refused { traffic(7, 2) } else { traffic(9, 1) };
        assert_eq!(server(&view, 0).traffic.as_deref(), Some(&seen));
        assert_eq!(view.services[0].traffic.as_ref().unwrap().counters, seen.counters);
    }
}

#[test]
fn addresses_of_a_large_group_are_read_a_few_at_a_time() {
    let group = "virtual_server_group many {\n 10.1.0.1-200 80\n}\n";
    let mut rig = Rig::new(&(group.to_owned() + &virtual_server("group many", "", &[1])));
    let services: Vec<ServiceKey> = rig.engine.director().table().keys().copied().collect();
    assert_eq!(services.len(), 200);
    for service in services {
        rig.engine.director().pass(service, to(1), traffic(1, 1));
    }
    let mut view = BalanceView::default();
    assert!(follow(&mut rig, &mut view) >= 200);
    assert_eq!(*server(&view, 0).traffic.as_deref().unwrap(), traffic(200, 200));
    // who asks again in the middle gets all of it, too
    rig.engine.request_changes();
    rig.engine.changes(50);
    follow(&mut rig, &mut view);
    assert_eq!(*server(&view, 0).traffic.as_deref().unwrap(), traffic(200, 200));
}

#[test]
fn checks_are_measured_and_their_failures_counted_by_kind() {
    let mut rig = Rig::new(&configuration("", &[1, 2]));
    rig.now += Duration::from_secs(2);
    rig.engine.turn(rig.now);
    let due: Vec<DueStep> = rig.engine.due().collect();
    assert_eq!(due.len(), 2);
    rig.engine.measured(due[0].ticket, Duration::from_micros(300), None);
    rig.engine.measured(due[1].ticket, Duration::from_secs(1), Some(FailureKind::Timeout));
    let mut view = BalanceView::default();
    follow(&mut rig, &mut view);
    let latencies: Vec<_> = view.services[0].servers.iter().map(|server| server.checks[0].latency).collect();
    assert_eq!(latencies.len(), 2);
    assert!(latencies.contains(&Some(Duration::from_micros(300))) && latencies.contains(&Some(Duration::from_secs(1))));
    let totals = &view.totals.checks["TCP_CHECK"];
    assert_eq!((totals.latency.count(), totals.latency.sum()), (2, Duration::from_micros(1_000_300)));
    assert_eq!(totals.failures.iter().collect::<Vec<_>>(), [(&FailureKind::Timeout, &1)]);
    // a reload that adds a server keeps what is known
    rig.engine.reload(rig.now, super::rig::from_text(&configuration("", &[3, 2]))).unwrap();
    follow(&mut rig, &mut view);
    let kept = view.services[0].servers.iter().filter(|server| server.checks[0].latency.is_some()).count();
    assert_eq!(kept, 1);
    // the ticket is of a check that is gone
    rig.engine.measured(due[0].ticket, Duration::ZERO, None);
}
