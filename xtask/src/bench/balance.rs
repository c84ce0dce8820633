//! Load balancing: each row, for each daemon, in a machine of its own that has IPVS (User-Mode Linux).

mod acts;
mod site;

use super::rows::SCENARIOS;
use super::scenario::{Figures, Scenario};
use crate::demo;
use crate::options::Given;
use crate::say::say;
use anyhow::{Context as _, Result, bail, ensure};
use keepalived_lab::{Daemon, Flavour, uml};
use std::ffi::OsStr;
use std::time::Duration;

/// How servers are checked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Tcp,
    Http,
}

/// What is done to a checker process.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// So many servers are checked each second: what a check costs.
    Cost(Kind, usize),
    /// The same, ours alone and on this kernel.
    CostHere(Kind, usize),
    /// So many servers are checked every ten seconds: how late, and how much memory.
    Crowd(usize),
    /// So many servers fail at once.
    Fail(usize),
    /// So many services with ten servers each at the start.
    Program(usize),
    /// A reload of so many services with ten servers each, one of which has changed; then a stop.
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
        match (self, daemon.flavour()) {
            (Self::CostHere(kind, rate), Flavour::Ours) => return cost_here(kind, rate),
            (Self::CostHere(..), Flavour::Debian) => return Ok(Vec::new()),
            _ => {}
        }
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

    fn figure(self, line: &str) -> Result<(&'static str, f64)> {
        let (value, label) = line.split_once(' ').context("a figure without a name")?;
        let known = acts::LABELS.iter().find(|known| **known == label);
        Ok((known.with_context(|| format!("no figure is called {label:?}"))?, value.parse()?))
    }
}

/// The other half of [`Act::run`]: does one row here, and prints its figures.
pub(super) fn here(name: &str, options: &Given) -> Result<()> {
    let scenario = SCENARIOS.iter().find(|(known, _)| *known == name);
    let Some((_, Scenario::Balance(act))) = scenario else { bail!("{name} is no row of load balancing") };
    let daemon = match options.one_of("--daemon", &["ours", "debian"])? {
        "ours" => Daemon::built(demo::built()?),
        _debian => Daemon::debian(),
    };
    for (label, value) in acts::run(*act, &daemon)? {
        say!("{FIGURE}{value} {label}");
    }
    Ok(())
}

/// `checks/examples/check_cost.rs`: checks of ours without a daemon around them.
fn cost_here(kind: Kind, rate: usize) -> Result<Figures> {
    let kind = match kind {
        Kind::Tcp => "tcp",
        Kind::Http => "http",
    };
    let mut command = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--release", "--quiet", "-p", "keepalived-checks", "--example", "check_cost", "--"]);
    let output = command.args([kind, &rate.to_string(), "10"]).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let (_, cost) = said.split_once("CPU per check ").context("no cost")?;
    let late = said.lines().find(|line| line.trim_start().starts_with("late:")).context("no lateness")?;
    let (_, late) = late.rsplit_once("max ").context("no maximum")?;
    Ok(vec![
        ("cpu ms per check", milliseconds(cost.lines().next().unwrap_or_default())?),
        ("late ms max", milliseconds(late)?),
    ])
}

/// A `Duration` as Rust prints it.
fn milliseconds(text: &str) -> Result<f64> {
    let text = text.trim();
    let units = [("ms", 1.0), ("µs", 0.001), ("ns", 0.000_001), ("s", 1000.0)];
    let (number, factor) = units
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
        .with_context(|| format!("{text:?} is no time"))?;
    Ok(number.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_duration_is_read() {
        for duration in [1_234_567_u64, 12, 5_000, 2_500_000_000].map(Duration::from_nanos) {
            let read = milliseconds(&format!("{duration:?}")).expect("it is one");
            assert!((read - duration.as_secs_f64() * 1000.0).abs() < 1e-9, "{duration:?}");
        }
    }
}
