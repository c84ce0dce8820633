//! Load balancing on IPVS: our daemon side by side with Debian's on the same configuration in the same kernel, with the
//! same happening to both; what `ipvsadm -Sn` says must be the same after each step. And what only ours does.
//!
//! All of it runs in one machine that has IPVS (`uml`), several tests at a time.

#![cfg(test)]

#[path = "balancing/alone.rs"]
mod alone;
#[path = "balancing/checks.rs"]
mod checks;
#[path = "balancing/decisions.rs"]
mod decisions;
#[path = "balancing/flush.rs"]
mod flush;
#[path = "balancing/forwarding.rs"]
mod forwarding;
#[path = "balancing/guides.rs"]
mod guides;
#[path = "balancing/machine.rs"]
mod machine;
#[path = "balancing/marks.rs"]
mod marks;
#[path = "balancing/readers.rs"]
mod readers;
#[path = "balancing/services.rs"]
mod services;

use anyhow::Result;
use keepalived_lab::Daemon;
use keepalived_lab::balancing::{Pair, Site};
use std::time::Duration;

/// Most of a test is waiting for the next check.
const AT_ONCE: usize = 8;

#[test]
fn what_needs_ipvs_works() {
    keepalived_lab::uml::ignored_tests_at_once(Duration::from_secs(600), AT_ONCE);
}

/// Runs a test on two sites.
fn side_by_side(test: impl FnOnce(&mut Pair) -> Result<()>) {
    let mut pair = Pair::new().unwrap_or_else(|error| panic!("no sites: {error:#}"));
    let done = test(&mut pair);
    if let Err(error) = pair.finish(done) {
        panic!("{error:#}");
    }
}

/// Runs a test of our daemon.
fn alone(test: impl FnOnce(&mut Site) -> Result<()>) {
    let mut site = Site::new(Daemon::ours()).unwrap_or_else(|error| panic!("no site: {error:#}"));
    if let Err(error) = test(&mut site) {
        panic!("{error:#}");
    }
}

/// What most virtual servers of these tests have: checks each second, the first at once, and second tries follow soon.
const PACE: &str = "delay_loop 1\n warmup 0\n retry 1\n delay_before_retry 0.1\n protocol TCP\n";
