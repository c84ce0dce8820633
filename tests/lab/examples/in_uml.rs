//! Runs a program in a machine that has IPVS (User-Mode Linux), on this machine's files: `in_uml PROGRAM
//! [ARGUMENT...]`. For trying things; what is written in there is gone afterwards.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (program, rest) = arguments.split_first().context("usage: in_uml PROGRAM [ARGUMENT...]")?;
    let rest: Vec<&OsStr> = rest.iter().map(OsStr::new).collect();
    let outcome = keepalived_lab::uml::run(Path::new(program), &rest, Duration::from_secs(600))?;
    print!("{}", outcome.output);
    std::process::exit(outcome.status.code().unwrap_or(1));
}
