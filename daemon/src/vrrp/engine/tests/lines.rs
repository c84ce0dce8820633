//! What is logged, however much happens.

use std::time::Duration;

use keepalived_core::vrrp::State;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerKind, TrackerState};

use super::rig::{Rig, with_addresses};
use crate::vrrp::report::{Level, Report};

/// Instance `name` with an interval of 10 ms, so that states may change a hundred times a second.
fn fast(name: &str, vrid: u8, priority: u8) -> String {
    let address = format!("198.51.100.{vrid}/24");
    with_addresses(name, vrid, priority, &[&address]).replace("priority", "version 3\n advert_int 0.01\n priority")
}

fn logged(rig: &Rig) -> usize {
    rig.reports.iter().filter(|report| report.level() != Level::Silent).count()
}

/// What the reports say that was logged, and left out, of transitions and notes.
fn accounted(rig: &Rig) -> u64 {
    let count = |report: &Report| match report {
        Report::LeftOut { count, .. } => *count,
        Report::Transition { .. } if report.level() == Level::Silent => 0,
        Report::Transition { .. } | Report::Note { .. } => 1,
        _ => 0,
    };
    rig.reports.iter().map(count).sum()
}

#[test]
fn a_sender_cannot_make_us_log_without_end() {
    let mut rig = Rig::new(&fast("A", 51, 100));
    let sender = fast("A", 51, 250);
    for step in 0..1_500 {
        rig.hear(&sender, if step % 2 == 0 { 250 } else { 0 });
        rig.pass(Duration::from_millis(40));
    }
    let transitions = rig.reports.iter().filter(|report| matches!(report, Report::Transition { .. })).count();
    assert!(transitions > 1_000, "the journal has them all: {transitions}");
    // a minute: twenty, and one in three seconds
    assert!((20..=20 + 60 / 3 + 1).contains(&logged(&rig)), "{}", logged(&rig));
    // when it is over, what was left out is summed up
    rig.pass(Duration::from_secs(10));
    let Some(Report::LeftOut { state, .. }) =
        rig.reports.iter().rev().find(|report| matches!(report, Report::LeftOut { .. }))
    else {
        panic!("nothing says that lines are missing")
    };
    assert_eq!(*state, State::Master);
    let notes = rig.reports.iter().filter(|report| matches!(report, Report::Note { .. })).count();
    assert!(accounted(&rig) >= u64::try_from(transitions + notes).unwrap());
}

#[test]
fn one_that_is_loud_does_not_silence_the_others() {
    let text = fast("A", 51, 100) + &fast("B", 52, 100);
    let mut rig = Rig::new(&text);
    for step in 0..500 {
        rig.hear(&fast("A", 51, 250), if step % 2 == 0 { 250 } else { 0 });
        rig.pass(Duration::from_millis(40));
    }
    rig.reports.clear();
    rig.hear(&fast("B", 52, 250), 250);
    let said = rig.reports.iter().filter(|report| {
        matches!(report, Report::Transition { name, .. } if &**name == "B") && report.level() != Level::Silent
    });
    assert_eq!(said.count(), 1);
}

// all of them at once, as at a start
#[test]
fn many_routers_that_start_are_all_logged() {
    let text: String = (1..=250).map(|vrid| fast(&format!("R{vrid}"), vrid, 100)).collect();
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(1));
    assert_eq!((rig.reports.len(), logged(&rig)), (500, 500));
}

// who may start processes decides how often the result of a `vrrp_track_process` changes
#[test]
fn results_of_trackers_are_logged_now_and_then() {
    let text = "track_file f {\n file /number\n weight 1\n}\n".to_owned()
        + &fast("A", 51, 100).replace("priority", "track_file {\n f\n }\n priority");
    let mut rig = Rig::new(&text);
    let id = TrackerId::new(TrackerKind::File, "f");
    for step in 0..600 {
        rig.engine.track(rig.now, &id, TrackerState::Number(step % 7), String::new());
        rig.pass(Duration::from_millis(100));
    }
    let count = |rig: &Rig, is_it: fn(&Report) -> bool| rig.reports.iter().filter(|report| is_it(report)).count();
    assert_eq!(count(&rig, |report| matches!(report, Report::Tracker { .. })), 599, "all are handed on");
    assert_eq!(count(&rig, |report| matches!(report, Report::Priority { .. })), 599);
    // a minute: twenty of the tracker and of the instance, and one of each in three seconds
    assert!(logged(&rig) <= 2 * (20 + 60 / 3 + 1), "{}", logged(&rig));
}
