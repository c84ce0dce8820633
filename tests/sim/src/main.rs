//! Replays a seed, or plays many.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "showing what happens is what this program is for")]

use std::fmt::Display;
use std::ops::{Add, Range};
use std::process::ExitCode;

use keepalived_sim::invariant::Violation;
use keepalived_sim::scenario::Scenario;
use keepalived_sim::trace::Trace;
use keepalived_sim::world::World;
use keepalived_sim::{balance, soak};

const USAGE: &str = "usage: keepalived-sim [--balance] --seed N         replay one seed and print what happens
       keepalived-sim [--balance] --seeds FROM..TO play many, and print those that fail
routers, or with --balance a balancer";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--seed", seed] => seed
            .parse()
            .map_or_else(|_| usage(), |seed| replay(seed, World::new(Scenario::of(seed), Trace::on()).run())),
        ["--seeds", range] => parse(range).map_or_else(usage, |seeds| play(seeds, soak::run)),
        ["--balance", "--seed", seed] => seed.parse().map_or_else(
            |_| usage(),
            |seed| replay(seed, balance::world::World::new(balance::scenario::Scenario::of(seed), Trace::on()).run()),
        ),
        ["--balance", "--seeds", range] => parse(range).map_or_else(usage, |seeds| play(seeds, balance::world::run)),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn parse(range: &str) -> Option<Range<u64>> {
    let (from, to) = range.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

fn replay(seed: u64, (result, trace): (Result<impl Display, Box<Violation>>, Trace)) -> ExitCode {
    for line in trace.lines() {
        println!("{line}");
    }
    match result {
        Ok(statistics) => {
            println!("seed {seed}: every promise was kept ({statistics})");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}

fn play<S>(seeds: Range<u64>, run: impl Fn(u64) -> Result<S, Box<Violation>> + Sync) -> ExitCode
where
    S: Add<Output = S> + Copy + Default + Display + Send,
{
    let start = std::time::Instant::now();
    let outcome = soak::soak(seeds, run);
    for violation in &outcome.violations {
        println!("{violation}");
    }
    let failed = outcome.violations.len();
    println!("{} seeds in {:.1?}, {failed} failed; {}", outcome.seeds, start.elapsed(), outcome.total);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
