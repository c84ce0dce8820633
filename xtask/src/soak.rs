//! `cargo xtask soak`: not written yet.

use crate::options::{Command, Given};
use anyhow::{Result, bail};

pub(crate) const COMMAND: Command = Command { name: "soak", about: "not yet", options: &[] };

pub(crate) fn run(_options: &Given) -> Result<()> {
    bail!("not written yet")
}
