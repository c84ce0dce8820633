//! What it costs to read a large configuration: `-t` on a generated file, wall clock and largest memory.

use super::figures::Figures;
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::Daemon;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A file with much of one thing.
#[derive(Debug, Clone, Copy)]
pub(super) enum LargeFile {
    /// So many virtual servers with ten real servers each, each with a TCP check.
    Servers(usize),
    /// So many instances with an address each.
    Instances(usize),
}

/// How often a file is read; the middle one counts, because one reading is short.
const TIMES: usize = 5;

impl LargeFile {
    /// The configuration; `changed` has another weight for the last real server, or another priority for the last
    /// instance.
    pub(super) fn text(self, changed: bool) -> String {
        let mut text = String::from("global_defs {\n    router_id bench\n    dynamic_interfaces\n}\n");
        match self {
            Self::Servers(count) => {
                (0..count).for_each(|number| server(&mut text, number, changed && number + 1 == count))
            }
            Self::Instances(count) => {
                (0..count).for_each(|number| instance(&mut text, number, changed && number + 1 == count));
            }
        }
        text
    }

    /// Has `daemon` check it.
    pub(super) fn run(self, daemon: &Daemon) -> Result<Figures> {
        let file = Temporary::write(&self.text(false))?;
        let mut runs = Vec::new();
        for _ in 0..TIMES {
            runs.push(check(daemon.program(), &file.0)?);
        }
        runs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (milliseconds, _) = *runs.get(TIMES / 2).context("no runs")?;
        let megabytes = runs.iter().map(|(_, megabytes)| *megabytes).fold(0.0, f64::max);
        Ok(vec![("ms", milliseconds), ("MB", megabytes)])
    }
}

fn server(text: &mut String, number: usize, changed: bool) {
    let (high, low) = (number / 250, number % 250 + 1);
    writeln!(
        text,
        "virtual_server 10.{high}.{low}.1 80 {{\n    delay_loop 10\n    lvs_sched wrr\n    lvs_method NAT\n    protocol TCP\n"
    )
    .expect("a String takes everything");
    for real in 1..=10 {
        let weight = if changed && real == 10 { 7 } else { 1 };
        writeln!(
            text,
            "    real_server 10.{}.{low}.{real} 80 {{\n        weight {weight}\n        TCP_CHECK {{\n            \
             connect_timeout 3\n            connect_port 80\n        }}\n    }}",
            high + 128
        )
        .expect("a String takes everything");
    }
    text.push_str("}\n");
}

fn instance(text: &mut String, number: usize, changed: bool) {
    let (link, vrid) = (number / 250, number % 250 + 1);
    let priority = if changed { 90 } else { 100 };
    writeln!(
        text,
        "vrrp_instance VI_{number} {{\n    state BACKUP\n    interface eth{link}\n    virtual_router_id {vrid}\n    \
         priority {priority}\n    advert_int 1\n    virtual_ipaddress {{\n        10.{link}.{vrid}.100/24\n    }}\n}}"
    )
    .expect("a String takes everything");
}

/// Milliseconds and megabytes of one `-t`.
fn check(program: &Path, file: &Path) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let output = Command::new("time").args(["-f", "%M"]).arg(program).arg("-t").arg("-f").arg(file).output()?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", output.status);
    let kilobytes: f64 = said.lines().last().context("time says nothing")?.trim().parse()?;
    Ok((milliseconds, kilobytes / 1024.0))
}

/// Parse and plan in milliseconds, as `config/examples/plan_cost.rs` measures them in one process of a release build.
pub(super) fn plan(file: LargeFile) -> Result<Figures> {
    let (old, new) = (Temporary::write(&file.text(false))?, Temporary::write(&file.text(true))?);
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--release", "--quiet", "-p", "keepalived-config", "--example", "plan_cost", "--"]);
    let output = command.arg(&old.0).arg(&new.0).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let number = |word: &str| -> Result<f64> {
        let line = said.lines().find_map(|line| line.strip_prefix(word)).context("a line is missing")?;
        Ok(line.trim().parse()?)
    };
    let (parse, plan) = (number("parse")?, number("plan")?);
    Ok(vec![("parse ms", parse), ("plan ms", plan), ("plan / parse", plan / parse)])
}

/// A file that is gone afterwards.
struct Temporary(PathBuf);

impl Temporary {
    fn write(text: &str) -> Result<Self> {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("keepalived-bench-{}-{number}.conf", std::process::id()));
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
