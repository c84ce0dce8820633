//! Load balancing: each row, for each daemon, in a machine of its own that has IPVS (User-Mode Linux).

mod acts;
mod faked;
mod site;

pub(super) use faked::Faked;
pub(super) use site::{PORT, Site};

use super::figures::Figures;
use crate::demo;
use crate::options::Given;
use crate::say::say;
use anyhow::{Context as _, Result, ensure};
use keepalived_kernel::process::NetworkNamespace;
use keepalived_lab::{Daemon, uml};
use std::ffi::OsStr;
use std::time::Duration;

/// How servers are checked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Tcp,
    Http,
}

/// Where the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// A machine of its own, with IPVS.
    Machine,
    /// A network namespace, with nftables or with a table that is faked.
    Namespace,
}

/// What is done to a checker process.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// So many servers are checked each second: what a check costs.
    Cost(Kind, usize),
    /// So many servers are checked every ten seconds: how late, and how much memory.
    Crowd(usize),
    /// So many servers fail at once.
    Fail(usize),
    /// So many services with ten servers each at the start.
    Program(usize),
    /// A reload of so many services with ten servers each, with one change; then a stop.
    Reload(usize),
}

/// What the option is called that runs a row where one is.
pub(super) const HERE: &str = "--here";
/// No row takes longer; boot and end come on top.
const LIMIT: Duration = Duration::from_secs(300);
const FIGURE: &str = "figure ";
/// Of what a machine said before something went wrong.
const MOST_LINES: usize = 25;

impl Act {
    /// Boots a machine and does it in there.
    pub(super) fn run(self, name: &str, daemon: &Daemon) -> Result<Figures> {
        let me = std::env::current_exe()?;
        let daemon = daemon.to_string();
        let arguments = ["bench", HERE, name, "--daemon", &daemon].map(OsStr::new);
        let outcome = uml::run(&me, &arguments, LIMIT)?;
        let lines: Vec<&str> = outcome.output.lines().collect();
        let end = || lines[lines.len().saturating_sub(MOST_LINES)..].join("\n");
        ensure!(outcome.status.success(), "{}: {}", outcome.status, end());
        let figures = lines.iter().filter_map(|line| line.strip_prefix(FIGURE));
        figures.map(|line| self.figure(line)).collect()
    }

    /// Does it in a network namespace of this kernel: ours by rules of nftables, keepalived with a table that is faked.
    pub(super) fn run_here(self, daemon: &Daemon) -> Result<Figures> {
        let daemon = daemon.clone();
        let run = move || {
            NetworkNamespace::fresh()?;
            acts::run(self, &daemon, Ground::Namespace)
        };
        std::thread::spawn(run).join().expect("it does not panic")
    }

    fn figure(self, line: &str) -> Result<(&'static str, f64)> {
        let (value, label) = line.split_once(' ').context("a figure without a name")?;
        let known = acts::LABELS.iter().find(|known| **known == label);
        Ok((known.with_context(|| format!("no figure is called {label:?}"))?, value.parse()?))
    }
}

/// The other half of [`Act::run`]: does it here, and prints its figures.
pub(super) fn here(act: Act, options: &Given) -> Result<()> {
    let daemon = match options.one_of("--daemon", &["ours", "debian"])? {
        "ours" => Daemon::built(demo::built()?),
        _debian => Daemon::debian(),
    };
    for (label, value) in acts::run(act, &daemon, Ground::Machine)? {
        say!("{FIGURE}{value} {label}");
    }
    Ok(())
}
