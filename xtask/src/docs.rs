//! `cargo xtask docs`: the pages that come from code.

use anyhow::{Result, bail};

pub(crate) fn run() -> Result<()> {
    bail!("keepalived-config does not offer manual(), coverage() and findings_manual() yet");
}
