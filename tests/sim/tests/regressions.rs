//! What seeds have found, each shrunk to what it takes, under the name of the promise that was not kept.

use std::time::Duration;

use keepalived_sim::clock::Moment;
use keepalived_sim::disturbance::Disturbance::{self, KillWorker, Plug, Pull, Respawn, Start};
use keepalived_sim::scenario::{Scenario, address};
use keepalived_sim::setting::{Family, Instance, Preempt, Segment, Setting};
use keepalived_sim::trace::Trace;
use keepalived_sim::world::World;

fn setting(priority: u8) -> Setting {
    let instance = Instance {
        vrid: 1,
        segment: Segment::Front,
        version: 3,
        family: Family::V4,
        unicast: false,
        password: None,
        signs: false,
        vmac: false,
        grouped: false,
        priority,
        interval: 100,
        down_adverts: 3,
        preempt: Preempt::Yes,
        lower_prio_no_advert: false,
        higher_prio_send_advert: false,
        refresh: 0,
        addresses: vec![address(1, Family::V4, 1)],
        absent: false,
        tracks: Vec::new(),
        promoted: false,
        fault: false,
    };
    Setting { instances: vec![instance], yields_lost_addresses: false, bfd: None, delays: None }
}

/// Two routers that start at once, and what happens to them, by milliseconds.
fn check(plan: &[(u64, Disturbance)]) {
    let start = [(0, Start(0)), (0, Start(1))];
    let at = |(millis, what): &(u64, Disturbance)| (Moment::START + Duration::from_millis(*millis), what.clone());
    let plan = start.iter().chain(plan).map(at).collect();
    let end = Moment::START + Duration::from_secs(60);
    let (result, trace) = World::new(Scenario::with(1, vec![setting(200), setting(100)], plan, end), Trace::on()).run();
    assert!(result.is_ok(), "{result:?}\n{}", trace.lines().join("\n"));
}

// seed 3178 of 2026-11: what its predecessor had left stayed in the kernel for ever
#[test]
fn a_vrrp_process_that_comes_back_without_its_cable_removes_its_addresses() {
    check(&[
        (20_000, KillWorker(0)),
        (20_010, Pull(0, Segment::Front)),
        (20_020, Respawn(0)),
        (40_000, Plug(0, Segment::Front)),
    ]);
}
