//! A test in a lab of its own.

use crate::capture::Filter;
use crate::daemon::{Daemon, Flavour};
use crate::network::{Builder, Lab};
use crate::turn::turn;
use anyhow::Result;
use std::io::Write as _;

/// Runs a test in a lab of two routers and one bridge, when its turn has come. What went wrong is said while the lab is
/// still there to show its logs.
pub fn trial(name: &str, test: impl FnOnce(&Lab) -> Result<()>) {
    trial_in(name, Builder { routers: 2, segments: 1, filter: Filter::Everything }, test);
}

/// The same in another lab.
pub fn trial_in(name: &str, builder: Builder, test: impl FnOnce(&Lab) -> Result<()>) {
    let Some(turn) = turn() else { return };
    let lab = builder.build(name, Some(turn)).unwrap_or_else(|error| panic!("no lab: {error:#}"));
    if let Err(error) = test(&lab) {
        panic!("{name}: {error:#}");
    }
}

/// Whether the daemon under test is ours. If it is Debian's (`LAB_DAEMON=debian`, the self-test of the lab), says that
/// the test passes over what only ours does.
#[must_use]
pub fn only_ours() -> bool {
    let is_ours = Daemon::ours().flavour() == Flavour::Ours;
    if !is_ours {
        let thread = std::thread::current();
        let _ = writeln!(std::io::stderr(), "SKIPPED, ONLY OURS DOES IT: {}", thread.name().unwrap_or("a test"));
    }
    is_ours
}
