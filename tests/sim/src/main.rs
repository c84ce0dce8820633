//! Replays a seed, or plays many.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "showing what happens is what this program is for")]

use std::ops::Range;
use std::process::ExitCode;

use keepalived_sim::scenario::Scenario;
use keepalived_sim::soak::soak;
use keepalived_sim::trace::Trace;
use keepalived_sim::world::World;

const USAGE: &str = "usage: keepalived-sim --seed N         replay one seed and print what happens
       keepalived-sim --seeds FROM..TO play many, and print those that fail";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--seed", seed] => seed.parse().map_or_else(|_| usage(), replay),
        ["--seeds", range] => parse(range).map_or_else(usage, play),
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

fn replay(seed: u64) -> ExitCode {
    let (result, trace) = World::new(Scenario::of(seed), Trace::on()).run();
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

fn play(seeds: Range<u64>) -> ExitCode {
    let start = std::time::Instant::now();
    let outcome = soak(seeds);
    for violation in &outcome.violations {
        println!("{violation}");
    }
    let failed = outcome.violations.len();
    println!("{} seeds in {:.1?}, {failed} failed; {}", outcome.seeds, start.elapsed(), outcome.total);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
