//! Where log lines go: console, file, syslog. None of them can make a process wait; what does not fit is dropped. What they look like, and
//! which there are, follows the configuration while the process runs.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use keepalived_config::model::{Log, LogFormat, LogLevel};
use keepalived_kernel::files::{Existing, create_regular};
use keepalived_kernel::shortage::with_text;
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

use crate::cli::Options;

mod line;
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
    /// Console and file get JSON lines, whatever the configuration says.
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

/// How this process logs, beside where to.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// What syslog shows.
    pub ident: &'static str,
    /// What it is called in `log_level` and in JSON lines.
    pub process: &'static str,
    /// As configured.
    pub log: &'a Log,
}

/// Sets up logging of this process.
///
/// # Errors
/// The log file cannot be opened, or the writer's thread cannot be started.
pub fn start(destinations: &Destinations, speaker: Speaker<'_>) -> io::Result<Guard> {
    let file = open_file(destinations)?;
    let (guard, problem) = begin(destinations, file, speaker);
    problem.map_or(Ok(guard), Err)
}

/// The same for a child, which runs even if the log file cannot be opened.
pub fn start_anyway(destinations: &Destinations, speaker: Speaker<'_>) -> Guard {
    start_with(open_file(destinations), destinations, speaker)
}

/// Opens the log file, if there is one, for [`start_with`].
///
/// # Errors
/// It cannot be opened.
pub fn open_file(destinations: &Destinations) -> io::Result<Option<File>> {
    destinations.file.as_deref().map(open).transpose()
}

/// The same with a log file that was opened before: by one who had the right to do so.
pub fn start_with(opened: io::Result<Option<File>>, destinations: &Destinations, speaker: Speaker<'_>) -> Guard {
    let (file, not_opened) = match opened {
        Ok(file) => (file, None),
        Err(error) => (None, Some(error)),
    };
    let (guard, not_begun) = begin(destinations, file, speaker);
    for problem in [not_opened, not_begun].into_iter().flatten() {
        tracing::error!("{problem}; going on without it");
    }
    guard
}

/// What follows the configuration.
struct Switch {
    /// `--log-json`
    always_json: bool,
    /// `-D`
    detail: u8,
    process: &'static str,
    filter: Box<dyn Fn(Targets) + Send + Sync>,
}

static SWITCH: OnceLock<Switch> = OnceLock::new();

/// Whether console and file get JSON now.
static JSON: AtomicBool = AtomicBool::new(false);

/// What a line is about, and why.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct About {
    /// `instance NAME`, `server NAME of NAME`, …
    pub subject: Option<String>,
    /// In words.
    pub cause: Option<String>,
}

impl About {
    /// What lines in JSON have; nothing for others, which say so in words.
    pub fn of(about: impl FnOnce() -> Self) -> Self {
        if JSON.load(Ordering::Relaxed) { about() } else { Self::default() }
    }
}

/// Another configuration is in force.
pub fn configure(log: &Log) {
    if let Some(switch) = SWITCH.get() {
        JSON.store(switch.always_json || log.format == LogFormat::Json, Ordering::Relaxed);
        (switch.filter)(targets(log, switch.process, switch.detail));
    }
}

/// Parts of the observer that have a level of their own, and where their code is.
const PARTS: [(&str, &[&str]); 5] = [
    ("mail", &["keepalived_daemon::observer::outbox", "keepalived_surface::mail"]),
    ("snmp", &["keepalived_daemon::observer::snmp", "keepalived_surface::snmp"]),
    ("dbus", &["keepalived_daemon::observer::dbus"]),
    ("webhook", &["keepalived_daemon::observer::webhook"]),
    ("control", &["keepalived_daemon::observer::control", "keepalived_daemon::observer::http"]),
];

/// What `process` logs.
fn targets(log: &Log, process: &str, detail: u8) -> Targets {
    let usual = if detail > 0 { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let level = |name: &str| log.levels.get(name).map(|level| filter(*level));
    // libraries log details for their developers (HTTP/2: each frame), which do not concern an administrator
    let mut targets = Targets::new().with_default(LevelFilter::WARN);
    targets = targets.with_target("keepalived", level(process).unwrap_or(usual));
    for (part, places) in PARTS {
        if let Some(level) = level(part) {
            targets = targets.with_targets(places.iter().map(|place| (*place, level)));
        }
    }
    targets
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

fn open(path: &Path) -> io::Result<File> {
    create_regular(path, Existing::Append, 0o666)
        .map_err(|error| with_text(&error, format!("cannot open the log file {}: {error}", path.display())))
}

/// Begins to log. Also returns why console or file are left out, if they are.
fn begin(destinations: &Destinations, file: Option<File>, speaker: Speaker<'_>) -> (Guard, Option<io::Error>) {
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
    let Speaker { ident, process, log } = speaker;
    let (ours, handle) = reload::Layer::new(targets(log, process, destinations.detail));
    let console = destinations.console.then(io::stderr).and_then(|console| keep(non_blocking(console)));
    let file = file.and_then(|file| keep(non_blocking(file)));
    let syslog =
        destinations.syslog.map(|facility| syslog::Syslog::new(facility, &format!("{ident}{}", destinations.suffix)));
    tracing_subscriber::registry()
        .with(console.map(|writer| lines(writer, process)))
        .with(file.map(|writer| lines(writer, process)))
        .with(syslog)
        .with(ours)
        // a second start in one process (tests) keeps the first
        .try_init()
        .ok();
    let filter = Box::new(move |targets| {
        // only a subscriber that is gone refuses
        handle.reload(targets).ok();
    });
    SWITCH.set(Switch { always_json: destinations.json, detail: destinations.detail, process, filter }).ok();
    configure(log);
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

fn lines<S>(writer: NonBlocking, process: &'static str) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let form = line::Form { process, json: &JSON };
    tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).event_format(form)
}

#[cfg(test)]
mod tests;
