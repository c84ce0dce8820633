//! `cargo xtask licences`: what deny.toml says of the crates from outside, by cargo-deny.

use crate::options::{Command, Given};
use crate::programs;
use crate::say::say;
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::sandbox;
use std::path::{Path, PathBuf};

pub(crate) const COMMAND: Command = Command {
    name: "licences",
    about: "licences, advisories and sources of the crates from outside (deny.toml); installs cargo-deny where it is missing",
    options: &[],
};

pub(crate) fn run(_options: &Given) -> Result<()> {
    if !is_installed() {
        say!("cargo-deny is missing; it is built now, which takes minutes");
        cargo(&["install", "--locked", "cargo-deny"])?;
    }
    check()
}

/// Asks cargo-deny, which is installed.
pub(crate) fn check() -> Result<()> {
    cargo(&["deny", "--log-level", "error", "check"])
}

/// Whether cargo finds cargo-deny.
pub(crate) fn is_installed() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")));
    sandbox::find("cargo-deny").is_some() || home.is_some_and(|home| home.join("bin/cargo-deny").is_file())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    let mut command = std::process::Command::new(programs::cargo());
    let status = command.args(arguments).status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
