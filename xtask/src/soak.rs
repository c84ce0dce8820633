//! `cargo xtask soak`: not written yet.

use anyhow::{Result, bail};

pub(crate) fn run(_options: &[&str]) -> Result<()> {
    bail!("not written yet")
}
