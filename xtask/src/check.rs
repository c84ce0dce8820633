//! `cargo xtask test`: what CI runs, a step at a time.

use crate::licences::{self, Advisories};
use crate::options::{Command as Spec, Given, Known};
use crate::packages;
use crate::programs::{self, Manner, Program};
use crate::say::say;
use anyhow::{Context as _, Result, bail};
use keepalived_lab::sandbox::{self, Rights};
use keepalived_lab::uml::{self, IpvsMachine};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) const COMMAND: Spec = Spec {
    name: "test",
    about: "all that CI runs: format, lints, unit, property, simulator and lab tests",
    options: &[Known {
        name: "--debian",
        value: "",
        about: "the lab against Debian's keepalived: that is how the lab itself is tested",
    }],
};

/// By which we know that OpenSSL can be built against.
const OPENSSL: &str = "/usr/include/openssl/ssl.h";

pub(crate) fn run(options: &Given) -> Result<()> {
    let ci = std::env::var_os("CI").is_some();
    let debian = options.has("--debian");
    let mut steps = Steps::default();
    steps.run("packages", || match packages::ensure_installed(&[]) {
        Ok(()) => Ok(StepResult::Good),
        Err(error) if ci => Err(error),
        Err(error) => Ok(StepResult::Skipped(format!("{error:#}"))),
    });
    steps.run("a kernel with IPVS", || match uml::ipvs() {
        Ok(IpvsMachine::Here) => Ok(StepResult::Good),
        Ok(IpvsMachine::Inside) => {
            say!("not this machine's; tests that need one boot User-Mode Linux");
            Ok(StepResult::Good)
        }
        Err(lack) if ci => bail!("{lack}"),
        Err(lack) => Ok(StepResult::Skipped(format!("NO TEST THAT NEEDS IPVS WILL RUN: {lack}"))),
    });
    steps.run("format", || cargo(&["fmt", "--all", "--check"]));
    steps.run("lints", || cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]));
    steps.run("licences", || {
        if licences::is_installed() {
            match licences::check()? {
                Advisories::Checked => Ok(StepResult::Good),
                // what the network keeps from being known says nothing about this code
                Advisories::Unknown(why) => Ok(StepResult::Skipped(why)),
            }
        } else {
            Ok(StepResult::Skipped("cargo-deny is not installed: cargo xtask licences installs it and checks".into()))
        }
    });
    let mut programs = Vec::new();
    steps.run("build", || {
        programs = programs::build()?;
        Ok(StepResult::Good)
    });
    let (lab_tests, others): (Vec<_>, Vec<_>) =
        programs.into_iter().partition(|program| program.package == "keepalived-lab" && program.integration);
    steps.run("unit, property, simulator", || {
        if others.is_empty() {
            bail!("nothing was built");
        }
        let manner = Manner { at_once: 2, arguments: &["--quiet"], start: &|file| Command::new(file) };
        programs::run(others, &manner)?;
        cargo(&["test", "--workspace", "--doc", "--quiet"])
    });
    steps.run("TLS by OpenSSL", || {
        if !Path::new(OPENSSL).exists() {
            return Ok(StepResult::Skipped(format!("the feature openssl needs libssl-dev ({OPENSSL} is not there)")));
        }
        // the workspace, or what the packages share would be built anew
        let feature = ["--workspace", "--features", "keepalived-checks/openssl", "--quiet"];
        cargo(&[["clippy"].as_slice(), &feature, &["--lib", "--test", "dialogues", "--", "-D", "warnings"]].concat())?;
        cargo(&[["test"].as_slice(), &feature, &["--test", "dialogues"]].concat())
    });
    steps.run("lab", || lab(lab_tests, ci, debian));
    steps.summary()
}

fn lab(tests: Vec<Program>, ci: bool, debian: bool) -> Result<StepResult> {
    let rights = sandbox::rights();
    if rights == Rights::None {
        if ci {
            bail!("no lab without root or unprivileged user namespaces, and with CI set that is a failure");
        }
        return Ok(StepResult::Skipped("NO LAB TEST WAS RUN: neither root nor unprivileged user namespaces".into()));
    }
    if tests.is_empty() {
        bail!("nothing was built");
    }
    let start = |file: &Path| {
        let mut command = match rights {
            Rights::Enclosed => sandbox::enclose(file.as_os_str()),
            Rights::Here | Rights::None => Command::new(file),
        };
        if debian {
            command.env("LAB_DAEMON", "debian");
        }
        command
    };
    // waiting is most of what a lab does: more threads than cores; how many labs there are at once, the lab itself
    // bounds
    programs::run(tests, &Manner { at_once: 3, arguments: &["--quiet", "--test-threads=4"], start: &start })?;
    Ok(StepResult::Good)
}

fn cargo(arguments: &[&str]) -> Result<StepResult> {
    let mut command = Command::new(programs::cargo());
    let status = command.args(arguments).status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(StepResult::Good)
}

enum StepResult {
    Good,
    Skipped(String),
}

#[derive(Default)]
struct Steps {
    done: Vec<(&'static str, Duration, Result<StepResult>)>,
}

impl Steps {
    fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<StepResult>) {
        say!("--- {name}");
        let start = Instant::now();
        let outcome = step();
        self.done.push((name, start.elapsed(), outcome));
    }

    fn summary(self) -> Result<()> {
        say!("\n{:<28} {:>8}  outcome", "step", "seconds");
        let mut failed = Vec::new();
        for (name, took, outcome) in &self.done {
            let text = match outcome {
                Ok(StepResult::Good) => "passed".to_owned(),
                Ok(StepResult::Skipped(why)) => format!("SKIPPED: {why}"),
                Err(error) => {
                    failed.push(*name);
                    format!("FAILED: {error:#}")
                }
            };
            say!("{name:<28} {:>8.1}  {text}", took.as_secs_f64());
        }
        if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
    }
}
