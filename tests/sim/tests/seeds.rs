//! Ten thousand worlds.

use keepalived_sim::soak::{run, soak};

/// `SIM_SEEDS=100000 cargo test -p keepalived-sim --test seeds` for more.
#[test]
fn every_promise_is_kept_in_ten_thousand_worlds() {
    let seeds = std::env::var("SIM_SEEDS").ok().map_or(10_000, |text| text.parse().expect("SIM_SEEDS is a number"));
    let outcome = soak(0..seeds, run);
    for violation in &outcome.violations {
        println!("{violation}");
    }
    println!("{} seeds; {}", outcome.seeds, outcome.total);
    assert!(outcome.violations.is_empty(), "{} of {} seeds failed", outcome.violations.len(), outcome.seeds);
    // the worlds are worth looking at: people get to be master, again and again
    assert!(u64::try_from(outcome.total.takeovers).is_ok_and(|takeovers| takeovers > 2 * seeds));
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
}
