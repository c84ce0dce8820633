use super::*;

const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

fn weight(value: i16) -> Weight {
    Weight { value, reverse: false }
}

fn reverse(value: i16) -> Weight {
    Weight { value, reverse: true }
}

/// interfaces.md section 9.
#[test]
fn a_weight_counts_while_up_or_while_down() {
    use Influence::{Adds, Fault, None, Waits};
    for (weight, initial, up, down) in [
        (weight(0), Waits, None, Fault),
        (reverse(0), Waits, Fault, None),
        (weight(10), None, Adds(10), None),
        (weight(-10), None, None, Adds(-10)),
        (reverse(10), None, Adds(-10), None),
        (reverse(-10), None, None, Adds(10)),
    ] {
        let influence = |state| weight.influence(state);
        let found = [influence(TrackerState::Initial), influence(TrackerState::Up), influence(TrackerState::Down)];
        assert_eq!(found, [initial, up, down], "{weight:?}");
    }
}

/// interfaces.md section 7; -128 with weight 2 is FAULT (behaviour.md section 6, observed).
#[test]
fn the_number_in_a_file_is_multiplied() {
    let number = |weight: Weight, number| weight.influence(TrackerState::Number(number));
    assert_eq!([number(weight(0), 0), number(weight(0), 7)], [Influence::None, Influence::Fault]);
    assert_eq!([number(reverse(0), 0), number(reverse(0), 7)], [Influence::Fault, Influence::None]);
    assert_eq!(number(weight(2), 3), Influence::Adds(6));
    assert_eq!(number(reverse(2), 3), Influence::Adds(-6));
    assert_eq!(number(weight(2), -128), Influence::Fault);
    assert_eq!(number(weight(2), -126), Influence::Adds(-252));
    assert_eq!(number(weight(1), i64::MAX), Influence::Adds(253));
    assert_eq!(number(reverse(254), i64::MAX), Influence::Fault);
}

fn id(name: &str) -> TrackerId {
    TrackerId::new(TrackerKind::Script, name)
}

#[test]
fn trackers_add_up() {
    let mut trackers = Trackers::default();
    let names = ["a", "b", "c"];
    trackers.configure(NOW, names.map(|name| (id(name), TrackerState::Initial)));
    trackers.follow(7, vec![(id("a"), weight(10)), (id("b"), weight(-20)), (id("c"), weight(0))]);
    trackers.follow(8, vec![(id("b"), weight(0)), (id("unknown"), weight(0))]);
    assert_eq!(trackers.sum(7), Sum { waits: true, ..Sum::default() });
    let mut set = |name, state| trackers.set(NOW, &id(name), state, Detail::Nothing);
    assert_eq!(set("a", TrackerState::Up), Some(vec![7]));
    assert_eq!(set("a", TrackerState::Up), None);
    assert_eq!(set("b", TrackerState::Down), Some(vec![7, 8]));
    assert_eq!(set("c", TrackerState::Up), Some(vec![7]));
    assert_eq!(set("unknown", TrackerState::Up), None);
    assert_eq!(trackers.sum(7), Sum { weight: -10, ..Sum::default() });
    let fault = Fault::Tracker { tracker: id("b"), state: TrackerState::Down };
    assert_eq!(trackers.sum(8).faults, Faults::NONE.with(fault));
    assert_eq!(trackers.sum(9), Sum::default());
}

#[test]
fn priorities_stay_between_1_and_254_and_an_owner_has_his_own() {
    let priority = |base, weight| Sum { weight, ..Sum::default() }.priority(Priority::new(base).unwrap()).get();
    assert_eq!([priority(100, -10), priority(100, 10)], [90, 110]);
    assert_eq!([priority(100, -200), priority(100, 200), priority(100, i32::MAX)], [1, 254, 254]);
    assert_eq!([priority(255, -10), priority(255, 10)], [255, 255]);
}

#[test]
fn a_reload_keeps_what_is_known() {
    let mut trackers = Trackers::default();
    trackers.configure(NOW, [(id("a"), TrackerState::Initial), (id("b"), TrackerState::Initial)]);
    trackers.follow(1, vec![(id("a"), weight(0)), (id("b"), weight(0))]);
    trackers.set(NOW, &id("a"), TrackerState::Up, Detail::Nothing);
    trackers.configure(NOW, [(id("a"), TrackerState::Initial), (id("c"), TrackerState::Down)]);
    trackers.follow(1, vec![(id("a"), weight(0)), (id("c"), weight(0))]);
    assert_eq!(trackers.get(&id("a")).map(|tracker| tracker.state), Some(TrackerState::Up));
    assert_eq!(trackers.get(&id("b")), None);
    assert_eq!(trackers.set(NOW, &id("a"), TrackerState::Down, Detail::Nothing), Some(vec![1]));
    assert_eq!(trackers.sum(1).faults.iter().count(), 2);
    trackers.unfollow(1);
    assert_eq!(trackers.set(NOW, &id("a"), TrackerState::Up, Detail::Nothing), Some(vec![]));
}
