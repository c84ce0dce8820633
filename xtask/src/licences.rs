//! `cargo xtask licences`: what deny.toml says of the crates from outside, by cargo-deny.

use crate::options::{Command, Given};
use crate::programs;
use crate::say::say;
use anyhow::{Context as _, Result, bail, ensure};
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
        cargo(&["install", "--locked", "cargo-deny"]).context(
            "cargo-deny cannot be installed: run this where crates.io can be reached, or put a cargo-deny of another machine into ~/.cargo/bin",
        )?;
    }
    match check()? {
        Advisories::Checked => Ok(()),
        Advisories::Unknown(why) => bail!("{why}"),
    }
}

/// What is known of advisories.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advisories {
    /// There is none that is not in deny.toml.
    Checked,
    /// The database cannot be fetched; why, and what to do.
    Unknown(String),
}

/// Asks cargo-deny, which is installed. What needs no network comes first.
pub(crate) fn check() -> Result<Advisories> {
    cargo(&["deny", "--log-level", "error", "check", "licenses", "bans", "sources"])?;
    let arguments = ["deny", "--log-level", "error", "check", "advisories"];
    let output = std::process::Command::new(programs::cargo()).args(arguments).output().context("cargo deny")?;
    if output.status.success() {
        return Ok(Advisories::Checked);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    match not_fetched(&text) {
        Some(why) => Ok(Advisories::Unknown(why)),
        None => bail!("cargo deny check advisories: {}\n{text}", output.status),
    }
}

/// If cargo-deny says in `text` that it has no database: what that means, and what to do.
fn not_fetched(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains("failed to fetch advisory database"))?;
    let fatal = text.lines().find(|line| line.starts_with("fatal:")).unwrap_or(line);
    Some(format!(
        "licences, duplicates and sources are as deny.toml says; advisories were not checked, because their database cannot be fetched \
         ({fatal}). Run cargo xtask licences where https://github.com/RustSec/advisory-db can be reached"
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As cargo-deny 0.20.2 was seen to say it on a machine that cannot reach github.com.
    #[test]
    fn a_database_that_cannot_be_fetched_is_no_bad_crate() {
        let text = "2026-11-29 16:52:35 [ERROR] failed to fetch advisory database https://github.com/RustSec/advisory-db with cli: \
                    failed to clone\nCloning into 'x'...\nfatal: unable to access 'https://github.com/RustSec/advisory-db/': Could \
                    not resolve host: github.com\n";
        let why = not_fetched(text).unwrap();
        assert!(
            why.contains("Could not resolve host: github.com") && why.contains("Run cargo xtask licences"),
            "{why}"
        );
        assert_eq!(not_fetched("error[vulnerability]: something is wrong\n"), None);
    }
}
