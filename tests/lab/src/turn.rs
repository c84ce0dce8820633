use crate::capture::Filter;
use crate::daemon::{Daemon, Flavour};
use crate::network::{Builder, Lab};
use crate::sandbox::{self, Rights};
use anyhow::Result;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::Duration;

/// The right to run one lab; at most three are held at a time on the whole machine.
#[derive(Debug)]
pub struct Turn {
    // the lock ends when the file is closed
    _slot: File,
}

const SLOTS: usize = 3;

/// Says that a test was not run, where the test harness does not hide it. With `CI` set that is a failure.
pub fn skipped(what: &str, lack: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} cannot run, and with CI set that is a failure: {lack}");
    let _ = writeln!(std::io::stderr(), "SKIPPED, NOTHING WAS TESTED: {what}: {lack}");
}

/// Whether the daemon under test is ours. If it is Debian's (`LAB_DAEMON=debian`, the self-test of the lab), says that the test passes
/// over what only ours does.
#[must_use]
pub fn only_ours() -> bool {
    let is_ours = Daemon::ours().flavour() == Flavour::Ours;
    if !is_ours {
        let thread = std::thread::current();
        let _ = writeln!(std::io::stderr(), "SKIPPED, ONLY OURS DOES IT: {}", thread.name().unwrap_or("a test"));
    }
    is_ours
}

/// Waits for a free slot. `None` if this machine cannot have labs: the test must return then. With `CI` set that is a failure.
#[must_use]
pub fn turn() -> Option<Turn> {
    let lack = if sandbox::rights() != Rights::Here {
        Some("neither root nor inside a user namespace (cargo xtask test arranges for that)".to_owned())
    } else {
        let missing = sandbox::missing(&["ip", "nft", "tcpdump", "nsenter", "unshare", "keepalived"]);
        (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(", ")))
    };
    if let Some(lack) = lack {
        skipped("lab test", &lack);
        return None;
    }
    let slots = std::env::var("LAB_SLOTS").ok().and_then(|n| n.parse().ok()).unwrap_or(SLOTS);
    let folder = std::env::temp_dir();
    loop {
        for slot in 0..slots {
            let path = folder.join(format!("keepalived-lab.slot{slot}"));
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if file.try_lock().is_ok() {
                return Some(Turn { _slot: file });
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a test in a lab of two routers and one bridge, when its turn has come. What went wrong is said while the lab is still
/// there to show its logs.
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
