//! Worlds of a balancer, and the faults that each promise catches.

use std::time::Duration;

use keepalived_core::balance::Scheduler;
use keepalived_sim::balance::disturbance::{Condition, Disturbance, Meddling};
use keepalived_sim::balance::scenario::Scenario;
use keepalived_sim::balance::setting::{Check, FileRule, Kind, MARKS, Named, Server, Service, Setting, Target};
use keepalived_sim::balance::world::{Planted, World, run};
use keepalived_sim::clock::Moment;
use keepalived_sim::invariant::Invariant;
use keepalived_sim::soak::soak;
use keepalived_sim::trace::Trace;

/// `SIM_SEEDS=100000 cargo test -p keepalived-sim --test balance` for more.
#[test]
fn every_promise_is_kept_in_many_worlds() {
    let seeds = std::env::var("SIM_SEEDS").ok().map_or(500, |text| text.parse().expect("SIM_SEEDS is a number"));
    let outcome = soak(0..seeds, run);
    for violation in &outcome.violations {
        println!("{violation}");
    }
    println!("{} seeds; {}", outcome.seeds, outcome.total);
    assert!(outcome.violations.is_empty(), "{} of {} seeds failed", outcome.violations.len(), outcome.seeds);
    // the worlds are worth looking at: servers come and go
    assert!(u64::try_from(outcome.total.told).is_ok_and(|told| told > 4 * seeds));
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
}

fn check(kind: Kind) -> Check {
    Check {
        target: Target { kind, timeout: 1 },
        delay_loop: 2,
        retry: 1,
        delay_before_retry: 1,
        warmup: 0,
        alpha: false,
    }
}

fn server(number: u8) -> Server {
    Server { number, weight: 1, inhibit: false, checks: vec![check(Kind::Tcp)] }
}

fn setting() -> Setting {
    let service = Service {
        number: 1,
        named: Named::Address,
        ha_suspend: false,
        scheduler: Scheduler::Rr,
        quorum: 1,
        hysteresis: 0,
        omega: false,
        sorry: None,
        sorry_is: None,
        servers: vec![server(1), server(2)],
    };
    Setting { repair_interval: 30, drain: 0, flush: false, flush_on_stop: false, services: vec![service] }
}

/// What becomes of a world of `setting` that starts at once, and in which `plan` happens, by seconds.
fn broken(setting: Setting, plan: &[(u64, Disturbance)], planted: Option<Planted>) -> Option<Invariant> {
    let after = |seconds: u64| Moment::START + Duration::from_secs(seconds);
    let start = [(Moment::START, Disturbance::Start)];
    let plan = start.into_iter().chain(plan.iter().map(|(seconds, what)| (after(*seconds), what.clone())));
    let scenario = Scenario { seed: 1, setting, notifies: false, plan: plan.collect(), end: after(200) };
    let mut world = World::new(scenario, Trace::off());
    if let Some(planted) = planted {
        world.plant(planted);
    }
    world.run().0.err().map(|violation| violation.invariant)
}

/// The world keeps every promise, and with the fault it does not keep this one.
fn finds(invariant: Invariant, planted: Planted, plan: &[(u64, Disturbance)]) {
    assert_eq!(broken(setting(), plan, None), None, "{planted:?}");
    assert_eq!(broken(setting(), plan, Some(planted)), Some(invariant), "{planted:?}");
}

#[test]
fn a_checker_that_hears_only_good_news_is_found() {
    finds(Invariant::Told, Planted::Deaf, &[(20, Disturbance::Condition(2, Condition::Refuses))]);
}

#[test]
fn a_change_that_is_told_twice_or_not_at_all_is_found() {
    let fails = [(20, Disturbance::Condition(2, Condition::Refuses))];
    finds(Invariant::Told, Planted::Twice, &fails);
    finds(Invariant::Told, Planted::Mute, &fails);
}

#[test]
fn a_supervisor_that_loses_changes_of_the_view_is_found() {
    finds(Invariant::CheckerFollowed, Planted::LostChanges, &[(20, Disturbance::Condition(2, Condition::Refuses))]);
}

#[test]
fn a_server_that_is_not_asked_any_more_is_found() {
    finds(Invariant::Asked, Planted::Idle, &[]);
}

#[test]
fn a_check_that_runs_twice_at_once_is_found() {
    finds(Invariant::Asked, Planted::Eager, &[]);
}

#[test]
fn a_table_that_is_not_repaired_is_found() {
    let removed = [(20, Disturbance::Meddle(Meddling::RemoveServer(1, 2)))];
    finds(Invariant::Table, Planted::Unwatched, &removed);
    assert_eq!(broken(Setting { repair_interval: 0, ..setting() }, &removed, None), Some(Invariant::Table));
}

#[test]
fn a_message_that_blames_others_without_cause_is_found() {
    finds(Invariant::NoBlame, Planted::Framed, &[(20, Disturbance::Meddle(Meddling::Flush))]);
}

#[test]
fn what_others_have_and_lose_is_found() {
    let theirs = [(20, Disturbance::Meddle(Meddling::AddService(1))), (30, Disturbance::Stop(false))];
    finds(Invariant::OthersStay, Planted::Greedy, &theirs);
}

#[test]
fn a_stop_that_leaves_the_table_is_found() {
    finds(Invariant::Leaves, Planted::Untidy, &[(20, Disturbance::Stop(false))]);
}

#[test]
fn a_checker_that_takes_servers_out_when_it_comes_back_is_found() {
    finds(Invariant::TakesOver, Planted::Forgetful, &[(120, Disturbance::Kill), (121, Disturbance::Respawn)]);
}

/// A setting without its second server, as a reload.
fn without_the_second(setting: &Setting) -> Disturbance {
    let mut without = setting.clone();
    without.services.iter_mut().for_each(|service| service.servers.truncate(1));
    Disturbance::Reload(Box::new(without))
}

#[test]
fn a_checker_that_does_not_know_what_the_one_before_it_had_is_found() {
    let fails = (20, Disturbance::Condition(2, Condition::Refuses));
    let begins = |setting: &Setting| {
        let reload = without_the_second(setting);
        [fails.clone(), (120, Disturbance::Kill), (121, reload), (122, Disturbance::Respawn)]
    };
    finds(Invariant::Told, Planted::Heirless, &begins(&setting())[1..]);
    // nothing is told of a server that is down
    let mut inhibits = setting();
    inhibits.services[0].servers[1].inhibit = true;
    let plan = begins(&inhibits);
    assert_eq!(broken(inhibits.clone(), &plan, None), None);
    assert_eq!(broken(inhibits, &plan, Some(Planted::Heirless)), Some(Invariant::Table));
}

#[test]
fn a_supervisor_that_forgets_what_drains_or_was_refused_is_found() {
    let dies = |at| [(at, Disturbance::Kill), (at + 1, Disturbance::Respawn)];
    let refused = [(20, Disturbance::Refuse(1, Some(2))), (21, without_the_second(&setting()))];
    let granted = [(23, Disturbance::Grant(1, Some(2)))];
    finds(Invariant::Table, Planted::Forgiven, &[&refused[..], &dies(22), &granted].concat());

    let drains = Setting { drain: 20, ..setting() };
    let plan = [&[(20, without_the_second(&drains))][..], &dies(30)].concat();
    assert_eq!(broken(drains.clone(), &plan, None), None);
    assert_eq!(broken(drains, &plan, Some(Planted::Forgiven)), Some(Invariant::Table));
}

/// `setting` keeps every promise, and with the fault it does not keep this one.
fn finds_in(setting: Setting, invariant: Invariant, planted: Planted, plan: &[(u64, Disturbance)]) {
    assert_eq!(broken(setting.clone(), plan, None), None, "{planted:?}");
    assert_eq!(broken(setting, plan, Some(planted)), Some(invariant), "{planted:?}");
}

#[test]
fn a_checker_that_does_not_hear_what_is_in_a_file_is_found() {
    let mut of_file = setting();
    let kind = Kind::File(FileRule { file: 1, multiplier: 2, reverse: false });
    let target = Target { kind, timeout: 0 };
    let check = Check { target, delay_loop: 0, retry: 0, delay_before_retry: 0, ..check(kind) };
    of_file.services[0].servers[1].checks.push(check);
    let fails = Disturbance::Writes(1, i64::from(i32::MIN));
    finds_in(of_file.clone(), Invariant::Told, Planted::Unread, &[(20, fails)]);
    finds_in(of_file, Invariant::Told, Planted::Unread, &[(20, Disturbance::Writes(1, 5))]);
}

#[test]
fn a_checker_that_asks_servers_of_a_suspended_virtual_server_is_found() {
    let mut suspends = setting();
    suspends.services[0].ha_suspend = true;
    let plan = [(20, Disturbance::Leaves(1)), (40, Disturbance::Comes(1))];
    finds_in(suspends, Invariant::Asked, Planted::Waking, &plan);
}

#[test]
fn a_checker_that_forgets_a_key_of_a_group_is_found() {
    for other in [2, MARKS + 1] {
        let mut group = setting();
        group.services[0].named = Named::Group(vec![other]);
        finds_in(group, Invariant::Table, Planted::Short, &[]);
    }
}

#[test]
fn a_checker_that_gives_a_service_that_is_named_twice_to_one_virtual_server_alone_is_found() {
    let mut twice = setting();
    let second = Service { number: 2, named: Named::Group(vec![1]), ..twice.services[0].clone() };
    let (first, second_server) = (Server { number: 3, ..server(3) }, server(4));
    twice.services.push(Service { servers: vec![first, second_server], ..second });
    finds_in(twice, Invariant::Table, Planted::Sole, &[]);
}

fn kept(setting: Setting, plan: &[(u64, Disturbance)]) {
    assert_eq!(broken(setting, plan, None), None, "{plan:?}");
}

// seeds 1643 and 3265 of 2026-11: what the kernel refused to change counted as an entry of others
#[test]
fn a_server_that_the_kernel_does_not_let_drain_goes_when_the_kernel_does() {
    let drains = Setting { drain: 5, ..setting() };
    let reload = without_the_second(&drains);
    kept(drains, &[(20, Disturbance::Refuse(1, Some(2))), (21, reload), (40, Disturbance::Grant(1, Some(2)))]);
}

// seed 2289 of 2026-11: the watch took for an entry of others what the configuration names again
#[test]
fn a_virtual_server_that_a_killed_daemon_left_is_ours_once_it_is_configured_again() {
    let mut both = setting();
    both.services.extend(setting().services.into_iter().map(|service| Service { number: 2, ..service }));
    let reload = |setting: &Setting| Disturbance::Reload(Box::new(setting.clone()));
    let (without, with) = (reload(&setting()), reload(&both));
    kept(both, &[(20, Disturbance::KillAll), (21, without), (22, Disturbance::Start), (60, with)]);
}

// seed 6393 of 2026-11: the watch expected unchanged what others have, even when they change it themselves
#[test]
fn others_may_change_what_a_killed_daemon_has_left_to_them() {
    let drains = Setting { drain: 40, ..setting() };
    let reload = without_the_second(&drains);
    let reweigh = Disturbance::Meddle(Meddling::Reweigh(1, 2, 3));
    kept(drains, &[(20, reload), (21, Disturbance::KillAll), (22, Disturbance::Start), (60, reweigh)]);
}

// seed 2178 of 2026-11: the watch expected a check to be asked again that rests
#[test]
fn a_check_whose_answer_is_lost_may_rest_after_that() {
    let mut suspends = setting();
    suspends.services[0].ha_suspend = true;
    kept(suspends, &[(20, Disturbance::Lose), (22, Disturbance::Leaves(1)), (120, Disturbance::Deliver)]);
}

// seeds 23397 and 28712 of 2026-11: the next look came after the pause that had grown while the table could not be read
#[test]
fn what_others_do_to_a_table_that_can_be_read_again_is_repaired_in_time() {
    let flush = Disturbance::Meddle(Meddling::Flush);
    let often = Setting { repair_interval: 5, ..setting() };
    kept(often, &[(20, Disturbance::Dimness), (40, Disturbance::Sight), (41, flush)]);
}
