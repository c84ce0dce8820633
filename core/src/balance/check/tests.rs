//! Expected: behaviour.md section 8, observed on keepalived 2.4.3.

use super::*;

const FAILED: CheckResult = CheckResult::Failed(String::new());
const UNKNOWN: CheckResult = CheckResult::Unknown(String::new());

fn pace() -> Pace {
    Pace {
        delay_loop: Duration::from_secs(6),
        delay_before_retry: Duration::from_secs(2),
        warmup: Duration::from_secs(4),
        retry: 0,
        steps: Steps::Single,
        limit: Duration::from_secs(60),
    }
}

/// Runs steps that end as `outcomes` says (`.` passed, `x` failed), each as soon as it is due and in no time. Returns a letter for
/// each: `U`p, `D`own, `C`onfirmed, `f`orgiven, blank; and the seconds at which they ran.
fn run(mut check: Check, outcomes: &str) -> (String, Vec<u64>) {
    let mut letters = String::new();
    let mut times = Vec::new();
    for outcome in outcomes.chars() {
        let now = check.due().expect("a check that ended is due again");
        assert!(check.begin(now).is_some());
        times.push(now.since(Instant::ZERO).as_secs());
        let result = if outcome == '.' { CheckResult::Passed { weight: 0 } } else { FAILED };
        letters.push(match check.end(now, &result) {
            Meaning::Same => ' ',
            Meaning::Forgiven { .. } => 'f',
            Meaning::Confirmed => 'C',
            Meaning::Up => 'U',
            Meaning::Down { .. } => 'D',
            Meaning::Weight => 'W',
        });
    }
    (letters, times)
}

fn check(pace: Pace, outcomes: &str, letters: &str, times: &[u64]) {
    assert_eq!(run(begun(pace), outcomes), (letters.to_owned(), times.to_vec()), "{outcomes}");
}

fn begun(pace: Pace) -> Check {
    Check::new(Rc::new(pace), false, Instant::ZERO, 0)
}

fn begun_failed(pace: Pace) -> Check {
    Check::new(Rc::new(pace), true, Instant::ZERO, 0)
}

#[test]
fn one_failure_is_enough_at_first() {
    check(Pace { retry: 3, ..pace() }, "xx.", "D U", &[1, 7, 13]);
}

#[test]
fn a_failure_is_tried_again_before_it_counts() {
    check(Pace { retry: 2, ..pace() }, ".xxxx.", "CffD U", &[1, 7, 9, 11, 17, 23]);
    check(Pace { retry: 2, ..pace() }, ".xx.xx.", "Cff ff ", &[1, 7, 9, 11, 17, 19, 21]);
}

#[test]
fn under_alpha_a_first_success_brings_it_up() {
    let letters = |pace, outcomes| run(begun_failed(pace), outcomes).0;
    assert_eq!(letters(Pace { retry: 1, ..pace() }, "x."), "DU");
    assert_eq!(letters(pace(), "."), "U");
}

#[test]
fn urls_are_asked_one_after_another() {
    let urls = Pace { steps: Steps::Urls { count: 3, fast_recovery: false }, retry: 1, ..pace() };
    check(urls, "......", "  C   ", &[1, 7, 13, 19, 25, 31]);
}

#[test]
fn a_url_that_failed_is_asked_alone_then_all_again() {
    let urls = Pace { steps: Steps::Urls { count: 2, fast_recovery: false }, retry: 1, ..pace() };
    check(urls, "...xxx...", " C fD   U", &[1, 7, 13, 19, 21, 27, 33, 39, 45]);
}

#[test]
fn fast_recovery_leaves_out_the_pauses() {
    let urls = Pace { steps: Steps::Urls { count: 2, fast_recovery: true }, ..pace() };
    check(urls, "..x...", " CD  U", &[1, 1, 7, 13, 13, 13]);
}

#[test]
fn the_first_check_comes_within_the_warmup() {
    let at = |chance| Check::new(Rc::new(pace()), false, Instant::ZERO, chance).due();
    assert_eq!(at(0), Some(Instant::ZERO + Duration::from_secs(1)));
    assert_eq!(at(u32::MAX), Some(Instant::ZERO + Duration::from_secs(5)));
}

#[test]
fn what_a_success_adds_to_the_weight_is_told() {
    let mut check = begun(pace());
    let now = Instant::ZERO;
    assert_eq!(check.end(now, &CheckResult::Passed { weight: 3 }), Meaning::Confirmed);
    assert_eq!((check.weight(), check.end(now, &CheckResult::Passed { weight: 3 })), (3, Meaning::Same));
    assert_eq!((check.end(now, &CheckResult::Passed { weight: -1 }), check.weight()), (Meaning::Weight, -1));
    assert_eq!((check.end(now, &FAILED), check.weight()), (Meaning::Down { forgiven: 0 }, 0));
}

#[test]
fn a_suspended_check_rests_and_keeps_its_verdict() {
    let mut check = begun(pace());
    let now = Instant::ZERO + Duration::from_secs(1);
    check.begin(now);
    check.suspend(true, now);
    check.end(now, &FAILED);
    assert_eq!((check.due(), check.is_up()), (None, false));
    check.suspend(false, now);
    assert_eq!(check.due(), Some(now));
}

#[test]
fn what_others_tell_is_never_due() {
    let mut check = begun(Pace { steps: Steps::Told, retry: 3, ..pace() });
    assert_eq!(check.due(), None);
    assert_eq!(check.end(Instant::ZERO, &FAILED), Meaning::Down { forgiven: 0 });
    check.suspend(false, Instant::ZERO);
    assert_eq!(check.due(), None);
}

#[test]
fn what_could_not_be_asked_changes_nothing() {
    let mut check = begun(Pace { retry: 1, ..pace() });
    let now = Instant::ZERO;
    for _ in 0..3 {
        assert_eq!(check.end(now, &UNKNOWN), Meaning::Same);
        assert_eq!(check.due(), Some(now + Duration::from_secs(6)));
    }
    assert_eq!(check.end(now, &FAILED), Meaning::Down { forgiven: 0 }, "still the first result");
}

#[test]
fn another_pace_keeps_what_was_found_out() {
    let mut check = begun(Pace { retry: 3, ..pace() });
    let now = Instant::ZERO + Duration::from_secs(1);
    for result in [CheckResult::Passed { weight: 0 }, FAILED, FAILED] {
        check.end(now, &result);
    }
    // two failures were forgiven; with one only, the next counts
    let mut check = check.at_pace(Rc::new(Pace { retry: 1, ..pace() }), false, now);
    assert_eq!(check.end(now, &FAILED), Meaning::Down { forgiven: 1 });
}

// what is in the kernel's table when a checker begins is up whatever `alpha` says, and what the one before took out is not
#[test]
fn another_pace_changes_nothing_before_the_first_result() {
    for (check, is_up) in [(begun(pace()), true), (begun_failed(pace()), false)] {
        let check = check.at_pace(Rc::new(Pace { retry: 1, ..pace() }), false, Instant::ZERO);
        assert_eq!(check.is_up(), is_up);
    }
}
