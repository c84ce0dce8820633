//! `cargo xtask bench`: the table of docs/performance.md.

mod around;
mod balance;
mod bfd;
mod figures;
mod gap;
mod macs;
mod observe;
mod parse;
mod process;
mod report;
mod rig;
mod rows;
mod scenario;
mod watch;

use crate::options::{Command, Given, Known};
use crate::say::say;
use crate::{demo, packages};
use anyhow::{Result, bail};
use keepalived_lab::{Daemon, sandbox};
use report::{Results, page_with};
use rows::Part;
use scenario::Scenario;
use std::fmt::Write as _;

/// What it writes.
const PAGE: &str = "docs/performance.md";

/// What `--part` may be.
const PARTS: &str = "all|routers|around|paths|configuration|balancing|observing";

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    runs: usize,
    /// How long nothing may change hands until we believe that nothing will, in seconds.
    quiet: f64,
}

pub(crate) const COMMAND: Command = Command {
    name: "bench",
    about: "ours against the installed keepalived, into docs/performance.md",
    options: &[
        Known { name: "--only", value: "NAME", about: "one row of the table" },
        Known { name: "--part", value: PARTS, about: "one part of the page" },
        Known { name: "--list", value: "", about: "the names of the rows" },
        Known { name: "--quick", value: "", about: "one run of each row, and shorter waits" },
        Known { name: "--runs", value: "N", about: "how often each row is measured; 3 unless said otherwise" },
        Known { name: balance::HERE, value: "NAME", about: "one row of balancing, on this kernel, which has IPVS" },
        Known { name: "--daemon", value: "both|ours|debian", about: "whose keepalived" },
    ],
};

pub(crate) fn run(options: &Given) -> Result<()> {
    if options.has("--list") {
        rows::SCENARIOS.iter().for_each(|(name, _)| say!("{name}"));
        return Ok(());
    }
    if let Some(name) = options.get(balance::HERE) {
        let scenario = rows::SCENARIOS.iter().find(|(known, _)| *known == name);
        let Some((_, Scenario::Balance(act))) = scenario else { bail!("{name} is no row of load balancing") };
        return balance::here(*act, options);
    }
    let quick = options.has("--quick");
    let runs = options.number("--runs")?.unwrap_or(if quick { 1 } else { 3 });
    let effort = Effort { runs, quiet: if quick { 4.0 } else { 10.0 } };
    let which = options.one_of("--daemon", &["both", "ours", "debian"])?;
    let mut daemons = Vec::new();
    if ["both", "ours"].contains(&which) {
        if !sandbox::inside() {
            demo::build()?;
        }
        daemons.push(Daemon::built(demo::built()?));
    }
    if ["both", "debian"].contains(&which) {
        daemons.push(Daemon::debian());
    }
    if !sandbox::inside() {
        packages::ensure_installed(&[
            "keepalived",
            "frr",
            "tcpdump",
            "iproute2",
            "util-linux",
            "time",
            "user-mode-linux",
            "nftables",
            "kmod",
        ])?;
    }
    sandbox::reenter()?;
    for daemon in &daemons {
        daemon.check()?;
        say!("{daemon}: {}", daemon.version());
    }
    let only = options.get("--only");
    if only.is_some_and(|only| rows::SCENARIOS.iter().all(|(name, _)| *name != only)) {
        bail!("no row has that name; cargo xtask bench --list");
    }
    let parts = PARTS.split('|').collect::<Vec<_>>();
    let wanted = options.one_of("--part", &parts)?;
    let whole = only.is_none() && daemons.len() == 2 && !quick;
    for part in Part::ALL.into_iter().filter(|part| wanted == "all" || part.title().eq_ignore_ascii_case(wanted)) {
        let of_part = rows::SCENARIOS.iter().filter(|(name, _)| part.has(name));
        let chosen: Vec<_> = of_part.filter(|(name, _)| only.is_none_or(|only| only == *name)).collect();
        if !chosen.is_empty() {
            measure(part, &chosen, &daemons, runs, effort, whole)?;
        }
    }
    Ok(())
}

fn measure(
    part: Part,
    chosen: &[&(&'static str, Scenario)],
    daemons: &[Daemon],
    runs: usize,
    effort: Effort,
    whole: bool,
) -> Result<()> {
    let mut results = Results::default();
    let versions: Vec<_> = daemons.iter().map(|daemon| format!("{daemon}: {}", daemon.version())).collect();
    for turn in 1..=runs {
        for (name, scenario) in chosen {
            for daemon in daemons {
                // one failed run is a hole in the table, not the end of an hour's work
                match scenario.run(name, daemon, effort) {
                    Ok(figures) => {
                        let mut text = String::new();
                        for (label, value) in &figures {
                            write!(text, "  {label} {}", report::number(*value))?;
                        }
                        say!("{name} {turn}/{runs} {daemon}:{text}");
                        results.add(name, daemon.flavour(), figures);
                    }
                    Err(error) => say!("{name} {turn}/{runs} {daemon}: FAILED: {error:#}"),
                }
            }
        }
        // after each round, so that an interrupted bench leaves what it has measured
        let text = results.section(&versions, Effort { runs: turn, ..effort });
        if whole {
            let page = std::fs::read_to_string(PAGE).unwrap_or_default();
            std::fs::write(PAGE, page_with(&page, part, &text))?;
            say!("\nround {turn} of {runs}: written to {PAGE}");
        } else if turn == runs {
            say!("\n{text}\n({PAGE} is written by a full run only: all rows of a part, both daemons, not --quick)");
        }
    }
    Ok(())
}
