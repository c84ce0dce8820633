//! The programs that hold the tests: cargo builds them all at once, we run several at a time.
//!
//! `cargo test` runs one after the other, and with a selection of packages it builds what they share anew, because the
//! selection decides the features.

use crate::say::say;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One program with tests.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The package and what of it: `keepalived-core election`.
    pub(crate) name: String,
    pub(crate) package: String,
    /// Whether it is one of `tests/`, not the library or a program with its unit tests.
    pub(crate) integration: bool,
    file: PathBuf,
    /// Where the tests expect to be run.
    folder: PathBuf,
}

/// Those that last longest, they begin first: the end is when the last one ends.
const LONG: [&str; 7] = ["balancing", "real_servers", "machine", "peers", "frr", "seeds", "smoke"];

/// Builds the tests of all packages, and the programs that they start.
pub(crate) fn build() -> Result<Vec<Program>> {
    let mut command = Command::new(cargo());
    command.args(["test", "--workspace", "--no-run", "--quiet", "--message-format=json-render-diagnostics"]);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut programs = Vec::new();
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).with_context(|| format!("{command:?} says {line:?}"))?;
        programs.extend(program(&message));
    }
    if programs.is_empty() {
        bail!("{command:?} built no tests");
    }
    let place = |program: &Program| LONG.iter().position(|long| program.name.ends_with(long)).unwrap_or(LONG.len());
    programs.sort_by_key(place);
    Ok(programs)
}

/// The program of one of cargo's messages, if it is about one.
fn program(message: &Value) -> Option<Program> {
    let text = |pointer: &str| message.pointer(pointer)?.as_str();
    if text("/reason")? != "compiler-artifact" || !message.pointer("/profile/test")?.as_bool()? {
        return None;
    }
    let file = PathBuf::from(text("/executable")?);
    let folder = Path::new(text("/manifest_path")?).parent()?.to_owned();
    let package = text("/package_id")?;
    // path+file:///…/core#keepalived-core@0.1.0, and without the name if the folder is called so
    let package = package.rsplit_once('#')?.1;
    let package = package.split_once('@').map_or_else(
        || folder.file_name().map(|name| name.to_string_lossy().into_owned()),
        |(name, _version)| Some(name.to_owned()),
    )?;
    let integration = text("/target/kind/0")? == "test";
    Some(Program { name: format!("{package} {}", text("/target/name")?), package, integration, file, folder })
}

/// How programs are run.
pub(crate) struct Manner<'a> {
    /// So many programs at a time.
    pub(crate) at_once: usize,
    /// Arguments of each.
    pub(crate) arguments: &'a [&'a str],
    /// What starts a file.
    pub(crate) start: &'a (dyn Fn(&Path) -> Command + Sync),
}

struct Done {
    name: String,
    status: std::io::Result<ExitStatus>,
    output: String,
    took: Duration,
}

/// Runs them and says of each how it went; of those that failed, all that they said. Fails if one of them does.
pub(crate) fn run(programs: Vec<Program>, manner: &Manner<'_>) -> Result<()> {
    let waiting = Mutex::new(VecDeque::from(programs));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..manner.at_once {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("nothing panics with it").pop_front();
                    let Some(program) = next else { return };
                    let done = run_one(&program, manner);
                    // with the lock, so that lines of two do not mix
                    let mut failed = failed.lock().expect("nothing panics with it");
                    if !tell(&done) {
                        failed.push(done.name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nothing panics with it");
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join(", ")) }
}

fn run_one(program: &Program, manner: &Manner<'_>) -> Done {
    let start = Instant::now();
    let mut command = (manner.start)(&program.file);
    command.args(manner.arguments).current_dir(&program.folder).env("CARGO_MANIFEST_DIR", &program.folder);
    let (status, output) = match command.stdin(Stdio::null()).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            (Ok(output.status), String::from_utf8_lossy(&text).into_owned())
        }
        Err(error) => (Err(error), format!("{command:?}")),
    };
    Done { name: program.name.clone(), status, output, took: start.elapsed() }
}

/// Whether it is well.
fn tell(done: &Done) -> bool {
    let good = done.status.as_ref().is_ok_and(ExitStatus::success);
    let lines = || done.output.lines();
    if good {
        let result = lines().find_map(|line| line.strip_prefix("test result: "));
        say!(
            "{:>6.1} s  {:<40} {}",
            done.took.as_secs_f64(),
            done.name,
            result.unwrap_or("ok. (it has no test harness)")
        );
        lines().filter(|line| line.starts_with("SKIPPED")).for_each(|line| say!("{line}"));
    } else {
        let status = done.status.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        say!("{:>6.1} s  {:<40} FAILED: {status}\n{}", done.took.as_secs_f64(), done.name, done.output);
    }
    good
}

/// The cargo that runs us.
pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
