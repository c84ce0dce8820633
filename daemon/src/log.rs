//! Where log lines go: console, file, syslog. None of them can make a process wait; what does not fit is dropped.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use keepalived_kernel::files::{Existing, create_regular};
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::Options;

mod syslog;

/// How many lines wait for a slow console or file.
const MOST_WAITING: usize = 4_096;

/// The destinations of a process's log. The supervisor passes them to its children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destinations {
    /// Standard error.
    pub console: bool,
    /// A file that is appended to.
    pub file: Option<PathBuf>,
    /// Syslog with this facility code.
    pub syslog: Option<u8>,
    /// Console and file get JSON lines.
    pub json: bool,
    /// The level of detail: 0 is for administrators.
    pub detail: u8,
    /// Added to the name that syslog shows, as keepalived does for namespaces and instances.
    pub suffix: String,
}

impl Destinations {
    /// The destinations of the command line. The console works in the foreground only, as with keepalived.
    pub fn new(options: &Options) -> Self {
        let default_file = || crate::files::temporary_directory().join("keepalived.log");
        Self {
            console: options.console && options.foreground,
            file: options.log_file.as_ref().map(|file| file.clone().unwrap_or_else(default_file)),
            syslog: (!options.no_syslog).then_some(options.facility.0),
            json: options.log_json,
            detail: options.detail,
            suffix: String::new(),
        }
    }
}

/// Keeps the writers alive. Dropping it writes the lines that wait.
#[derive(Debug)]
#[must_use = "dropping it ends logging to console and file"]
pub struct Guard(#[expect(dead_code, reason = "held for its drop")] Vec<WorkerGuard>);

/// Sets up logging of this process under the name `ident`.
///
/// # Errors
/// The log file cannot be opened, or the writer's thread cannot be started.
pub fn start(destinations: &Destinations, ident: &str) -> io::Result<Guard> {
    let file = destinations.file.as_deref().map(open).transpose()?;
    let (guard, problem) = begin(destinations, file, ident);
    problem.map_or(Ok(guard), Err)
}

/// The same for a child, which runs even if the log file cannot be opened.
pub fn start_anyway(destinations: &Destinations, ident: &str) -> Guard {
    let opened = destinations.file.as_deref().map(open).transpose();
    let (file, not_opened) = match opened {
        Ok(file) => (file, None),
        Err(error) => (None, Some(error)),
    };
    let (guard, not_begun) = begin(destinations, file, ident);
    for problem in [not_opened, not_begun].into_iter().flatten() {
        tracing::error!("{problem}; going on without it");
    }
    guard
}

fn open(path: &Path) -> io::Result<File> {
    create_regular(path, Existing::Append, 0o666)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot open the log file {}: {error}", path.display())))
}

/// Begins to log. Also returns why console or file are left out, if they are.
fn begin(destinations: &Destinations, file: Option<File>, ident: &str) -> (Guard, Option<io::Error>) {
    let (mut guards, mut problem) = (Vec::new(), None);
    let mut keep = |begun: io::Result<(NonBlocking, WorkerGuard)>| match begun {
        Ok((writer, guard)) => {
            guards.push(guard);
            Some(writer)
        }
        Err(error) => {
            problem = Some(error);
            None
        }
    };
    // libraries log details for their developers (HTTP/2: each frame), which do not concern an administrator
    let level = if destinations.detail > 0 { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let ours = Targets::new().with_target("keepalived", level).with_default(LevelFilter::WARN);
    let console = destinations.console.then(io::stderr).and_then(|console| keep(non_blocking(console)));
    let file = file.and_then(|file| keep(non_blocking(file)));
    let syslog =
        destinations.syslog.map(|facility| syslog::Syslog::new(facility, &format!("{ident}{}", destinations.suffix)));
    let json = destinations.json;
    tracing_subscriber::registry()
        .with(console.map(|writer| lines(writer, json)))
        .with(file.map(|writer| lines(writer, json)))
        .with(syslog)
        .with(ours)
        // a second start in one process (tests) keeps the first
        .try_init()
        .ok();
    // a daemon has no standard error for the message of a panic
    std::panic::set_hook(Box::new(|panic| tracing::error!("internal error: {panic}; please report this")));
    (Guard(guards), problem)
}

fn non_blocking(writer: impl io::Write + Send + 'static) -> io::Result<(NonBlocking, WorkerGuard)> {
    // each line is written at once and whole: other processes write to the same file
    let writer = io::BufWriter::with_capacity(64 * 1024, writer);
    let builder = NonBlockingBuilder::default().buffered_lines_limit(MOST_WAITING).lossy(true).thread_name("log");
    // the crate panics if no thread can be started; our hook for panics is set after this
    std::panic::set_hook(Box::new(|_| {}));
    catch_unwind(AssertUnwindSafe(|| builder.finish(writer)))
        .map_err(|_| io::Error::new(io::ErrorKind::WouldBlock, "cannot start the thread that writes the log"))
}

fn lines<S>(writer: NonBlocking, json: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    if json { Box::new(layer.json().flatten_event(true)) } else { Box::new(layer.with_ansi(false)) }
}
