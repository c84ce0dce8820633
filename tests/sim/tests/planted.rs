//! The watch is not blind: each fault that is planted is reported as what it is.

use std::time::Duration;

use keepalived_sim::clock::Moment;
use keepalived_sim::disturbance::Disturbance;
use keepalived_sim::invariant::Invariant;
use keepalived_sim::scenario::{Scenario, address};
use keepalived_sim::setting::{BfdTimes, Family, Instance, LinkDelays, Preempt, Segment, Setting, TRACKERS, Track};
use keepalived_sim::trace::Trace;
use keepalived_sim::world::{Planted, World};

fn instance(priority: u8) -> Instance {
    Instance {
        vrid: 1,
        segment: Segment::Front,
        version: 2,
        family: Family::V4,
        unicast: false,
        password: Some("secret"),
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
    }
}

fn setting(instance: Instance) -> Setting {
    Setting { instances: vec![instance], yields_lost_addresses: false, bfd: None, delays: None }
}

/// Two routers that start at once, one as its setting says, the other as the engine is told behind the watch's back.
fn world(first: Setting, second: Setting, more: &[(u64, Disturbance)]) -> World {
    let start = (0..2).map(|node| (Moment::START, Disturbance::Start(node)));
    let more = more.iter().map(|(seconds, what)| (Moment::START + Duration::from_secs(*seconds), what.clone()));
    let end = Moment::START + Duration::from_secs(60);
    World::new(Scenario::with(1, vec![first, second], start.chain(more).collect(), end), Trace::off())
}

fn broken(world: World) -> Option<Invariant> {
    world.run().0.err().map(|violation| violation.invariant)
}

#[test]
fn two_routers_that_agree_keep_every_promise() {
    assert_eq!(broken(world(setting(instance(200)), setting(instance(100)), &[])), None);
}

#[test]
fn another_password_makes_two_masters() {
    let other = Instance { password: Some("another"), ..instance(100) };
    assert_eq!(broken(world(setting(instance(200)), setting(other), &[])), Some(Invariant::OneMaster));
}

#[test]
fn one_that_signs_beside_one_that_does_not_makes_two_masters() {
    let plain = |priority| Instance { password: None, version: 3, ..instance(priority) };
    let signing = |priority| Instance { signs: true, ..plain(priority) };
    assert_eq!(broken(world(setting(signing(200)), setting(signing(100)), &[])), None);
    assert_eq!(broken(world(setting(signing(200)), setting(plain(100)), &[])), Some(Invariant::OneMaster));
}

fn tracking(priority: u8, tracker: usize, weight: i16) -> Setting {
    setting(Instance { tracks: vec![Track { tracker, weight }], ..instance(priority) })
}

#[test]
fn what_is_tracked_changes_the_priority_or_makes_a_fault() {
    for (tracker, kind) in TRACKERS.into_iter().enumerate() {
        for weight in [0, 100, -100] {
            let fails = [(20, Disturbance::Track(0, tracker, false)), (40, Disturbance::Track(0, tracker, true))];
            let world = world(tracking(120, tracker, weight), tracking(100, tracker, weight), &fails);
            assert_eq!(broken(world), None, "{kind:?}, weight {weight}");
        }
    }
}

fn with_mac(family: Family, priority: u8) -> Instance {
    let addresses = vec![address(1, family, 1)];
    match family {
        Family::V4 => Instance { vmac: true, addresses, ..instance(priority) },
        Family::V6 => Instance { vmac: true, family, version: 3, password: None, addresses, ..instance(priority) },
    }
}

#[test]
fn routers_with_virtual_macs_keep_every_promise() {
    for family in [Family::V4, Family::V6] {
        let router = |priority| setting(with_mac(family, priority));
        let trouble = [
            (15, Disturbance::Unlink(0, Segment::Front)),
            (20, Disturbance::Relink(0, Segment::Front)),
            (30, Disturbance::KillWorker(0)),
            (31, Disturbance::Respawn(0)),
            (40, Disturbance::Pull(0, Segment::Front)),
            (50, Disturbance::Plug(0, Segment::Front)),
            (58, Disturbance::Stop(0)),
        ];
        assert_eq!(broken(world(router(120), router(100), &trouble)), None, "{family:?}");
    }
}

// RFC 9568 section 7.3
#[test]
fn an_engine_without_the_virtual_mac_is_found() {
    for family in [Family::V4, Family::V6] {
        let router = |priority| setting(with_mac(family, priority));
        let mut world = world(router(120), router(100), &[]);
        world.node_mut(0).tell_engine_otherwise(2, &setting(Instance { vmac: false, ..with_mac(family, 120) }));
        assert_eq!(broken(world), Some(Invariant::VirtualMac), "{family:?}");
    }
}

fn delayed(priority: u8, down: u64, up: u64) -> Setting {
    Setting { delays: Some(LinkDelays { down, up }), ..setting(instance(priority)) }
}

fn pulls() -> [(u64, Disturbance); 4] {
    [
        (20, Disturbance::Pull(0, Segment::Front)),
        (21, Disturbance::Plug(0, Segment::Front)),
        (40, Disturbance::Pull(0, Segment::Front)),
        (50, Disturbance::Plug(0, Segment::Front)),
    ]
}

// behaviour.md: an interface that comes or goes counts once that has lasted
#[test]
fn interfaces_with_delays_break_no_promise() {
    for (down, up) in [(50, 0), (0, 50), (30, 200)] {
        assert_eq!(broken(world(delayed(120, down, up), delayed(100, down, up), &pulls())), None, "{down} {up}");
    }
}

#[test]
fn an_engine_with_other_delays_is_found() {
    let others = [
        (setting(instance(120)), Invariant::DownForLong),
        (delayed(120, 10, 50), Invariant::DownForLong),
        (delayed(120, 900, 50), Invariant::FaultWhileTracked),
        (delayed(120, 50, 900), Invariant::FaultWhileTracked),
    ];
    for (other, expected) in others {
        let mut world = world(delayed(120, 50, 50), delayed(100, 50, 50), &pulls());
        world.node_mut(0).tell_engine_otherwise(2, &other);
        assert_eq!(broken(world), Some(expected), "{:?}", other.delays);
    }
}

#[test]
fn a_router_that_does_not_know_what_it_tracks_is_found() {
    for (tracker, kind) in TRACKERS.into_iter().enumerate() {
        for (weight, expected) in [(0, Invariant::FaultWhileTracked), (-100, Invariant::PriorityOnTheWire)] {
            let fails = [(20, Disturbance::Track(0, tracker, false))];
            let mut world = world(tracking(120, tracker, weight), tracking(100, tracker, weight), &fails);
            world.node_mut(0).tell_engine_otherwise(2, &setting(instance(120)));
            assert_eq!(broken(world), Some(expected), "{kind:?}, weight {weight}");
        }
    }
}

#[test]
fn another_vrid_makes_two_masters() {
    let other = Instance { vrid: 2, ..instance(100) };
    assert_eq!(broken(world(setting(instance(200)), setting(other), &[])), Some(Invariant::OneMaster));
}

#[test]
fn a_cut_that_nobody_told_the_watch_of_makes_two_masters() {
    let mut world = world(setting(instance(200)), setting(instance(100)), &[]);
    world.cut_unnoticed(Moment::START, 0, 1);
    assert_eq!(broken(world), Some(Invariant::OneMaster));
}

#[test]
fn without_anybody_who_wants_to_be_master_there_is_none() {
    let mut world = world(setting(instance(200)), setting(instance(100)), &[]);
    for node in 0..2 {
        let idle = Setting { instances: Vec::new(), yields_lost_addresses: false, bfd: None, delays: None };
        world.node_mut(node).tell_engine_otherwise(2, &idle);
    }
    assert_eq!(broken(world), Some(Invariant::SomeMaster));
}

#[test]
fn a_router_that_secretly_has_a_lower_priority_is_not_the_best_master() {
    let mut world = world(setting(instance(200)), setting(instance(100)), &[]);
    world.node_mut(0).tell_engine_otherwise(2, &setting(instance(50)));
    assert_eq!(broken(world), Some(Invariant::Priority));
}

#[test]
fn a_nopreempt_router_whose_engine_preempts_is_found_out() {
    let modest = Instance { preempt: Preempt::No, ..instance(200) };
    let start = [(30, Disturbance::Pull(0, Segment::Front)), (40, Disturbance::Plug(0, Segment::Front))];
    let mut world = world(setting(modest), setting(instance(100)), &start);
    world.node_mut(0).tell_engine_otherwise(2, &setting(instance(200)));
    assert_eq!(broken(world), Some(Invariant::NoPreempt));
}

#[test]
fn an_engine_with_a_shorter_down_time_does_not_hear_first() {
    let patient = Instance { down_adverts: 10, ..instance(100) };
    let stop = [(20, Disturbance::PowerCut(0))];
    let mut world = world(setting(instance(200)), setting(patient), &stop);
    world.node_mut(1).tell_engine_otherwise(2, &setting(instance(100)));
    assert_eq!(broken(world), Some(Invariant::HearsFirst));
}

#[test]
fn an_engine_with_a_longer_interval_is_not_punctual() {
    let eager = Instance { version: 3, password: None, interval: 50, ..instance(200) };
    let lazy = Instance { interval: 100, ..eager.clone() };
    let mut world = world(setting(eager.clone()), setting(Instance { priority: 100, ..eager }), &[]);
    world.node_mut(0).tell_engine_otherwise(2, &setting(lazy));
    assert_eq!(broken(world), Some(Invariant::Punctual));
}

#[test]
fn an_engine_with_another_address_does_not_hold_what_it_should() {
    let mut world = world(setting(instance(200)), setting(instance(100)), &[]);
    let other = Instance { addresses: vec![address(1, Family::V4, 2)], ..instance(200) };
    world.node_mut(0).tell_engine_otherwise(2, &setting(other));
    assert_eq!(broken(world), Some(Invariant::MasterHolds));
}

#[test]
fn an_engine_with_an_address_too_many_is_not_its_master() {
    let mut world = world(setting(instance(200)), setting(instance(100)), &[]);
    let other = Instance { addresses: vec![address(1, Family::V4, 1), address(1, Family::V4, 2)], ..instance(200) };
    world.node_mut(0).tell_engine_otherwise(2, &setting(other));
    assert_eq!(broken(world), Some(Invariant::OthersDoNot));
}

#[test]
fn a_cut_in_a_time_of_rest_that_nobody_told_the_watch_of_is_no_steady_world() {
    let mut world = world(setting(instance(200)), setting(instance(100)), &[]);
    let at = Moment::START + Duration::from_secs(40);
    world.cut_unnoticed(at, 0, 1);
    assert_eq!(broken(world), Some(Invariant::Steady));
}

#[test]
fn an_engine_without_the_group_lets_its_members_part() {
    let member = |vrid, segment, grouped| Instance {
        vrid,
        segment,
        grouped,
        addresses: vec![address(vrid, Family::V4, 1)],
        ..instance(200)
    };
    let both = |grouped| Setting {
        instances: vec![member(1, Segment::Front, grouped), member(2, Segment::Back, grouped)],
        yields_lost_addresses: false,
        bfd: None,
        delays: None,
    };
    let pulled = [(30, Disturbance::Pull(0, Segment::Back))];
    let mut world = world(both(true), both(true), &pulled);
    world.node_mut(0).tell_engine_otherwise(2, &both(false));
    assert_eq!(broken(world), Some(Invariant::GroupTogether));
}

#[test]
fn what_a_dead_process_leaves_and_nobody_removes_is_found() {
    let killed = [(20, Disturbance::KillWorker(0)), (30, Disturbance::Respawn(0))];
    let world_of = || world(setting(instance(200)), setting(instance(100)), &killed);
    assert_eq!(broken(world_of()), None);
    let mut planted = world_of();
    planted.plant(Planted::NoSweep);
    assert_eq!(broken(planted), Some(Invariant::NotAbandoned));
}

#[test]
fn a_stop_without_a_farewell_is_found() {
    let stopped = [(20, Disturbance::Stop(0))];
    let world_of = || world(setting(instance(200)), setting(instance(100)), &stopped);
    assert_eq!(broken(world_of()), None);
    let mut planted = world_of();
    planted.plant(Planted::NoFarewell);
    assert_eq!(broken(planted), Some(Invariant::Farewell));
}

#[test]
fn a_master_that_does_not_announce_is_found() {
    let mut planted = world(setting(instance(200)), setting(instance(100)), &[]);
    planted.plant(Planted::NoAnnouncement);
    assert_eq!(broken(planted), Some(Invariant::Announces));
}

#[test]
fn the_address_of_a_frozen_master_is_a_duplicate_and_that_of_one_that_stops_is_none() {
    let duplicates = |what| {
        let world = world(setting(instance(200)), setting(instance(100)), &[(20, what)]);
        world.run().0.unwrap().duplicates
    };
    // its kernel answers for the address as long as nobody removes it
    for what in [Disturbance::Pause(0), Disturbance::Kill(0)] {
        assert_eq!(duplicates(what.clone()), 1, "{what}");
    }
    for what in [Disturbance::Stop(0), Disturbance::KillWorker(0), Disturbance::PowerCut(0)] {
        assert_eq!(duplicates(what.clone()), 0, "{what}");
    }
}

#[test]
fn a_duplicate_that_is_none_is_found() {
    let mut planted = world(setting(instance(200)), setting(instance(100)), &[]);
    planted.plant(Planted::Stranger);
    assert_eq!(broken(planted), Some(Invariant::NoFalseDuplicate));
}

#[test]
fn a_router_that_reads_packets_and_does_nothing_else_is_found() {
    // the master goes on, and a backup takes over though it never sees the end of the packets
    let cases = [
        (vec![(20, Disturbance::Deluge(0))], Invariant::Punctual),
        (vec![(20, Disturbance::Deluge(1)), (30, Disturbance::PowerCut(0))], Invariant::SomeMaster),
    ];
    for (plan, expected) in cases {
        let world_of = || world(setting(instance(200)), setting(instance(100)), &plan);
        assert_eq!(broken(world_of()), None, "{plan:?}");
        let mut planted = world_of();
        planted.plant(Planted::ReadsAll);
        assert_eq!(broken(planted), Some(expected), "{plan:?}");
    }
}

#[test]
fn a_follower_that_loses_changes_is_misled() {
    let mut world = world(setting(instance(200)), setting(instance(100)), &[]);
    world.plant(Planted::LostChanges);
    assert_eq!(broken(world), Some(Invariant::Followed));
}

/// Two routers whose sessions are up; then the path is cut.
fn with_sessions() -> World {
    let with = |priority| Setting {
        bfd: Some(BfdTimes { interval: 100, multiplier: 3 }),
        ..setting(Instance { promoted: true, ..instance(priority) })
    };
    world(with(200), with(100), &[(20, Disturbance::Cut(0, 1)), (20, Disturbance::Cut(1, 0))])
}

#[test]
fn a_session_that_does_not_see_a_dead_path_is_found() {
    assert_eq!(broken(with_sessions()), None);
    let mut world = with_sessions();
    world.plant(Planted::PatientSessions);
    assert_eq!(broken(world), Some(Invariant::SeesDeadPath));
}
