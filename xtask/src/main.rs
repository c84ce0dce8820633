//! `cargo xtask`: everything that a developer runs.

mod bench;
mod check;
mod demo;
mod docs;
mod listener;
mod options;
mod packages;
mod say;
mod soak;

use anyhow::{Result, bail};
use options::{Command, Given};
use say::{complain, say};
use std::process::ExitCode;

type Run = fn(&Given) -> Result<()>;
const COMMANDS: [(Command, Run); 5] = [
    (demo::COMMAND, demo::run),
    (check::COMMAND, check::run),
    (bench::COMMAND, bench::run),
    (soak::COMMAND, soak::run),
    (docs::COMMAND, docs::run),
];

fn main() -> ExitCode {
    keepalived_lab::interrupt::tidy_up_on_signals();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("Error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // from wherever it is called, we work at the root of the workspace
    std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))?;
    let asks = |word: &&str| ["help", "--help", "-h"].contains(word);
    let (name, words) = match words.split_first() {
        Some((name, words)) if !asks(name) => (*name, words),
        Some(_) | None => {
            COMMANDS.iter().for_each(|(command, _)| say!("{}", command.help()));
            return Ok(());
        }
    };
    let Some((command, run)) = COMMANDS.iter().find(|(command, _)| command.name == name) else {
        let names: Vec<_> = COMMANDS.iter().map(|(command, _)| command.name).collect();
        bail!("there is no command {name:?}; there are {}, and --help", names.join(", "));
    };
    if words.iter().any(asks) {
        say!("{}", command.help());
        return Ok(());
    }
    run(&command.parse(words)?)
}
