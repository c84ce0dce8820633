//! How many labs run at a time, and whether this machine can have one.

use crate::sandbox::{self, Rights};
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

/// Waits for a free slot. `None` if this machine cannot have labs: the test must return then. With `CI` set that is a
/// failure.
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
