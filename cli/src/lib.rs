//! `keepalivedctl`: what an administrator asks. Answers about configurations come from config/, this reads files and prints; answers about
//! a daemon that runs come from its observer.
#![forbid(unsafe_code)]
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use keepalived_config::Style;
use serde::Serialize;

mod ask;
mod check;
mod diff;
mod expand;
mod explain;
mod fmt;
mod input;
mod watch;

/// Asks a keepalived that runs how it is; checks, explains, formats and compares configurations.
#[derive(Clone, Debug, Parser)]
#[command(name = "keepalivedctl", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Colour::Auto, global = true)]
    color: Colour,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    Status(ask::Status),
    Why(ask::Why),
    Events(ask::Events),
    Watch(watch::Arguments),
    Show(ask::Show),
    Reload(ask::Reload),
    Drain(ask::Drain),
    Enable(ask::Enable),
    Weight(ask::Weight),
    Priority(ask::Priority),
    Maintenance(ask::Maintenance),
    Garp(ask::Garp),
    ClearCounters(ask::ClearCounters),
    /// Say what is wrong with a configuration; with several files, each is a node of one cluster, and they are compared
    Check(check::Arguments),
    /// Say what a configuration leads to: times to fail over, sizes of adverts, arithmetic of quorums
    Explain(explain::Arguments),
    /// Lay files out: four spaces a block, one statement a line
    Fmt(fmt::Arguments),
    /// Write includes, definitions and sequences out
    Expand(expand::Arguments),
    /// Say what a reload from one configuration to another would change
    Diff(diff::Arguments),
}

/// Its command line, for the manual page and completions.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// The program: `arguments` with the zeroth; returns the exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let status = if error.use_stderr() { status::USAGE } else { status::GOOD };
            error.print().ok();
            return status;
        }
    };
    let style = style(arguments.color);
    let answer = match &arguments.command {
        Command::Status(arguments) => return ask::status(arguments, style),
        Command::Why(arguments) => return ask::why(arguments, style),
        Command::Events(arguments) => return ask::events(arguments, style),
        Command::Watch(arguments) => return watch::run(arguments, style),
        Command::Show(arguments) => return ask::show(arguments, style),
        Command::Reload(arguments) => return ask::reload(arguments, style),
        Command::Drain(arguments) => return ask::drain(arguments, style),
        Command::Enable(arguments) => return ask::enable(arguments, style),
        Command::Weight(arguments) => return ask::weight(arguments, style),
        Command::Priority(arguments) => return ask::priority(arguments, style),
        Command::Maintenance(arguments) => return ask::maintenance(arguments, style),
        Command::Garp(arguments) => return ask::garp(arguments, style),
        Command::ClearCounters(arguments) => return ask::clear_counters(arguments, style),
        Command::Check(arguments) => check::run(arguments, style),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Fmt(arguments) => fmt::run(arguments),
        Command::Expand(arguments) => expand::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
    };
    let (text, status) = answer.unwrap_or_else(|Failure(message)| {
        eprint_all(&format!("keepalivedctl: {message}\n"));
        (Vec::new(), status::FAILED)
    });
    // a reader that has seen enough, as `head` does, is no failure
    io::stdout().lock().write_all(&text).ok();
    status
}

/// Text for standard output and an exit status, or why there is none.
type Answer = Result<(Vec<u8>, u8), Failure>;

/// Why a command could not do its work; what to do is in the text.
#[derive(Debug)]
struct Failure(String);

/// What keepalivedctl exits with, beyond the statuses of `keepalived -t`.
mod status {
    /// Nothing to complain about.
    pub(crate) const GOOD: u8 = 0;
    /// `diff --exit-code`: something would change.
    pub(crate) const DIFFERENT: u8 = 1;
    /// The work could not be done.
    pub(crate) const FAILED: u8 = 1;
    /// The command line is wrong: EX_USAGE of sysexits(3), which is none of those that say how a configuration or a daemon is.
    pub(crate) const USAGE: u8 = 64;
}

/// `value` as an administrator's other programs read it.
fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure(error.to_string()))?;
    Ok(text + "\n")
}

fn style(colour: Colour) -> Style {
    let wanted = match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    if wanted { Style::Colour } else { Style::Plain }
}

fn eprint_all(text: &str) {
    io::stderr().lock().write_all(text.as_bytes()).ok();
}
