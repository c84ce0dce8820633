//! `cargo xtask`: everything that a developer runs.

mod bench;
mod check;
mod demo;
mod docs;
mod licences;
mod listener;
mod options;
mod packages;
mod programs;
mod say;
mod soak;

use anyhow::{Result, bail};
use options::{Command, Given};
use say::{complain, say};
use std::process::ExitCode;

type Run = fn(&Given) -> Result<()>;
const COMMANDS: [(Command, Run); 9] = [
    (demo::COMMAND, demo::run),
    (demo::balance::COMMAND, demo::balance::run),
    (demo::bfd::COMMAND, demo::bfd::run),
    (demo::page::COMMAND, demo::page::run),
    (check::COMMAND, check::run),
    (bench::COMMAND, bench::run),
    (soak::COMMAND, soak::run),
    (docs::COMMAND, docs::run),
    (licences::COMMAND, licences::run),
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
    let Some(name) = words.first().filter(|name| !asks(name)) else {
        COMMANDS.iter().for_each(|(command, _)| say!("{}", command.help()));
        return Ok(());
    };
    // of `demo` and `demo balance` the longer one
    let of_command = |command: &Command| {
        let name: Vec<&str> = command.name.split(' ').collect();
        words.starts_with(&name).then_some(name.len())
    };
    let meant = COMMANDS.iter().filter_map(|(command, run)| Some((of_command(command)?, command, run)));
    let Some((length, command, run)) = meant.max_by_key(|(length, ..)| *length) else {
        let names: Vec<_> = COMMANDS.iter().map(|(command, _)| command.name).collect();
        bail!("there is no command {name:?}; there are {}, and --help", names.join(", "));
    };
    let (_, words) = words.split_at(length);
    if words.iter().any(asks) {
        say!("{}", command.help());
        return Ok(());
    }
    run(&command.parse(words)?)
}
