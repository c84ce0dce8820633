//! `cargo xtask soak`: many seeds of the simulator, then real routers on a real kernel under random disturbance.

mod chaos;
mod disturbance;
mod instances;
mod random;
mod stage;

use crate::options::{Command as Spec, Given, Known};
use crate::say::say;
use crate::{demo, packages};
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{Daemon, sandbox};
use std::process::Command;
use std::time::Duration;

pub(crate) const COMMAND: Spec = Spec {
    name: "soak",
    about: "the simulator, then three real routers: everything goes wrong at random, and nothing may stay wrong",
    options: &[
        Known {
            name: "--minutes",
            value: "N",
            about: "how long the real routers suffer; 10 unless said otherwise, 0: not",
        },
        Known {
            name: "--seeds",
            value: "FROM..TO",
            about: "seeds of the simulator; 10000..30000, or none with --seed",
        },
        Known { name: "--seed", value: "N", about: "the round of the real routers with this seed, again and again" },
        Known { name: "--keep-going", value: "", about: "a failed round does not end it" },
    ],
};

const SEEDS: &str = "10000..30000";

pub(crate) fn run(options: &Given) -> Result<()> {
    let minutes = options.number::<f64>("--minutes")?.unwrap_or(10.0);
    ensure!((0.0..100_000.0).contains(&minutes), "--minutes {minutes}: that is no length of time");
    let seed = options.number::<u64>("--seed")?;
    let seeds = options.get("--seeds").or(seed.is_none().then_some(SEEDS));
    // the second time round, inside a user namespace, this part is done
    if !sandbox::inside() {
        if let Some(seeds) = seeds {
            simulate(seeds)?;
        }
        if minutes > 0.0 {
            demo::build()?;
            packages::ensure_installed(&["tcpdump", "iproute2", "nftables", "util-linux"])?;
        }
    }
    if minutes == 0.0 {
        return Ok(());
    }
    sandbox::reenter()?;
    let daemon = Daemon::built(demo::built()?);
    daemon.check()?;
    chaos::run(&daemon, Duration::from_secs_f64(minutes * 60.0), seed, options.has("--keep-going"))
}

fn simulate(seeds: &str) -> Result<()> {
    let numbers =
        seeds.split_once("..").and_then(|(from, to)| Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?)));
    ensure!(numbers.is_some_and(|(from, to)| from < to), "--seeds {seeds}: it is FROM..TO, such as {SEEDS}");
    for of in [&[][..], &["--balance"]] {
        say!("simulator {}, seeds {seeds} ...", of.concat());
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["run", "--quiet", "--release", "--package", "keepalived-sim", "--"]).args(of);
        let status = command.args(["--seeds", seeds]).status().with_context(|| format!("{command:?}"))?;
        ensure!(status.success(), "the simulator found something (above): {status}");
    }
    Ok(())
}
