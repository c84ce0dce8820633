//! The same file gets the same verdict from our `-t` and from the installed keepalived's: accepted, accepted with complaints,
//! refused. Each difference has a row in docs/differences.md.

use anyhow::{Context as _, Result};
use keepalived_lab::{Daemon, Lab, trial};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Interfaces that the files name; both daemons see the same ones.
const INTERFACES: &[&str] = &["eth1", "eth2", "eth3", "enp0s3", "enp0s8", "ens33", "bond0", "br0", "wlan0"];

/// Exit statuses of `-t` fall into three kinds: 2 is for a file that stops the daemon while it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Complaints,
    Refused,
}

impl Verdict {
    fn of(status: Option<i32>) -> Self {
        match status {
            Some(0) => Self::Accepted,
            Some(4..=6) => Self::Complaints,
            _ => Self::Refused,
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every configuration in the data of the tests, by the name that docs/differences.md uses.
fn files() -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for folder in ["samples", "guides"] {
        let directory = root().join("config/tests/data").join(folder);
        for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().context("a name")?.to_string_lossy().into_owned();
            if name.contains(".conf") {
                files.insert(format!("{folder}/{name}"), path);
            }
        }
    }
    Ok(files)
}

/// The files whose verdicts differ on purpose: the first cells of the table "Verdicts".
fn excused() -> Result<BTreeSet<String>> {
    let page = std::fs::read_to_string(root().join("docs/differences.md"))?;
    let section = page.split("\n## Verdicts").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let cell = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    Ok(section.lines().filter_map(cell).collect())
}

fn verdict(lab: &Lab, daemon: &Daemon, file: &Path) -> Result<(Verdict, String)> {
    let a = lab.router(0);
    let path = file.display().to_string();
    let output = daemon.output(a.namespace(), &a.folder().join("once"), &["-t", "-f", &path])?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((Verdict::of(output.status.code()), said))
}

#[test]
fn samples_and_guides_get_the_verdict_of_keepalived() {
    trial("verdicts", |lab| {
        for (number, interface) in INTERFACES.iter().enumerate() {
            lab.router(0).namespace().run(&format!("ip link add {interface} type veth peer name peer{number}"))?;
        }
        let files = files()?;
        assert!(files.len() > 30, "{}", files.len());
        let excused = excused()?;
        let mut wrong = Vec::new();
        let mut differing = BTreeSet::new();
        for (name, path) in &files {
            let (theirs, their_words) = verdict(lab, &Daemon::debian(), path)?;
            let (ours, our_words) = verdict(lab, &Daemon::ours(), path)?;
            if theirs == ours {
                continue;
            }
            differing.insert(name.clone());
            if !excused.contains(name) {
                wrong.push(format!("{name}: theirs {theirs:?}, ours {ours:?}\n{their_words}---\n{our_words}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        let stale: Vec<_> = excused.difference(&differing).collect();
        assert!(stale.is_empty(), "docs/differences.md has rows for what does not differ: {stale:?}");
        Ok(())
    });
}
