//! `keepalivedctl fmt`: one layout for all files.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use keepalived_config::format;
use keepalived_daemon::files::{read, rewrite};

use crate::{Answer, Failure, status};

/// What `fmt` is given.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files to write anew, each by itself: what it includes is left alone. Without any, standard input goes to
    /// standard output
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing; name the files whose layout is another, and exit with 1 if there is one
    #[arg(long)]
    check: bool,
}

/// Largest input.
const LARGEST: u64 = 64 * 1024 * 1024;

pub(crate) fn run(arguments: &Arguments) -> Answer {
    if arguments.files.is_empty() {
        return filter(arguments.check);
    }
    let mut named = String::new();
    for path in &arguments.files {
        let text = read(path, LARGEST).map_err(|error| failure("read", path, &error))?;
        let laid_out = format(&text);
        if laid_out == text {
            continue;
        }
        // writing to a String cannot fail
        writeln!(named, "{}", path.display()).ok();
        if !arguments.check {
            rewrite(path, &laid_out).map_err(|error| failure("write", path, &error))?;
        }
    }
    let status = if arguments.check && !named.is_empty() { status::DIFFERENT } else { status::GOOD };
    Ok((named.into_bytes(), status))
}

fn filter(check: bool) -> Answer {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().take(LARGEST).read_to_end(&mut text);
    read.map_err(|error| Failure(format!("cannot read standard input: {error}")))?;
    let laid_out = format(&text);
    if check {
        let status = if laid_out == text { status::GOOD } else { status::DIFFERENT };
        return Ok((Vec::new(), status));
    }
    Ok((laid_out, status::GOOD))
}

fn failure(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("cannot {what} {}: {error}", path.display()))
}
