//! The same file gets the same verdict from our `-t` and from the installed keepalived's: accepted, accepted with
//! complaints, refused. Each difference has a row in docs/differences.md.

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

/// Every configuration in the data of the tests, by the name that docs/differences.md uses. What stands in pages about
/// mistakes is written to `scratch`.
fn files(scratch: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = mistakes(scratch)?;
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

/// The configurations in the pages of `config/tests/messages`, by page and heading.
fn mistakes(scratch: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("config/tests/messages"))? {
        let page = entry?.path();
        let name = page.file_stem().context("a name")?.to_string_lossy().into_owned();
        let directory = scratch.join(&name);
        std::fs::create_dir_all(&directory)?;
        for (number, section) in std::fs::read_to_string(&page)?.split("\n## ").skip(1).enumerate() {
            let (title, rest) = section.split_once('\n').context("a heading")?;
            let text = rest.split_once("```conf\n").context("a configuration")?.1;
            let text = text.split_once("```").context("its end")?.0;
            let path = directory.join(format!("{number}.conf"));
            std::fs::write(&path, text)?;
            files.insert(format!("{name}/{title}"), path);
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
    let (status, said) = status(lab, daemon, file)?;
    Ok((Verdict::of(status), said))
}

/// The exit status of `-t`, and what it said.
fn status(lab: &Lab, daemon: &Daemon, file: &Path) -> Result<(Option<i32>, String)> {
    let a = lab.router(0);
    let path = file.display().to_string();
    let output = daemon.output(a.namespace(), &a.folder().join("once"), &["-t", "-f", &path])?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((output.status.code(), said))
}

#[test]
fn the_same_text_gets_the_verdict_of_keepalived() {
    trial("verdicts", |lab| {
        for (number, interface) in INTERFACES.iter().enumerate() {
            lab.router(0).namespace().run(&format!("ip link add {interface} type veth peer name peer{number}"))?;
        }
        let files = files(&lab.router(0).folder().join("mistakes"))?;
        assert!(files.len() > 100, "{}", files.len());
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

const ROUTER: &str =
    "vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress { 10.0.0.1 }\nLINE\n}\n";
const SERVER: &str =
    "virtual_server 10.0.0.9 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\nreal_server 10.0.0.10 80 {\nLINE\n}\n}\n";
const SECURE: &str = "global_defs {\nenable_script_security\nscript_user root\n}\n";
const UNOWNED: &str = "global_defs {\nenable_script_security\n}\n";

/// Configurations that run `program`, each with a name.
fn runs(program: &str) -> Vec<(&'static str, String)> {
    let router = |line: &str| ROUTER.replace("LINE", line);
    let server = |line: &str| SERVER.replace("LINE", line);
    let tracked = format!("vrrp_script s {{\nscript \"{program}\"\n}}\n{}", router("track_script {\ns\n}"));
    let notify = router(&format!("notify \"{program}\""));
    let check = server(&format!("MISC_CHECK {{\nmisc_path \"{program}\"\n}}"));
    let fifo = format!("global_defs {{\nnotify_fifo /tmp/x\nnotify_fifo_script \"{program}\"\n}}\n");
    vec![
        ("tracked, secure", SECURE.to_owned() + &tracked),
        ("tracked", tracked),
        ("notify, secure", SECURE.to_owned() + &notify),
        ("notify", notify),
        ("check, secure", SECURE.to_owned() + &check),
        ("check", check),
        ("up", server(&format!("notify_up \"{program}\""))),
        ("startup", format!("global_defs {{\nstartup_script \"{program}\"\n}}\n")),
        ("fifo without reader", fifo.clone()),
        ("fifo", fifo + &router("")),
    ]
}

/// Configurations that name users and groups which do not exist, and some that do.
fn users() -> Vec<(&'static str, String)> {
    let router = |line: &str| ROUTER.replace("LINE", line);
    let server = |line: &str| SERVER.replace("LINE", line);
    let tracked = |user: &str| {
        let script = format!("vrrp_script s {{\nscript /usr/bin/true\n{user}\n}}\n");
        script + &router("track_script {\ns\n}")
    };
    let global = |lines: &str| format!("global_defs {{\nenable_script_security\n{lines}\n}}\n");
    vec![
        ("script_user", global("script_user nosuchuser")),
        ("script_user and group", global("script_user root nosuchgroup")),
        ("user", SECURE.to_owned() + &tracked("user nosuchuser")),
        ("user and group", SECURE.to_owned() + &tracked("user root nosuchgroup")),
        ("user by number", SECURE.to_owned() + &tracked("user 0")),
        ("user of a check", SECURE.to_owned() + &server("MISC_CHECK {\nmisc_path /usr/bin/true\nuser nosuchuser\n}")),
        ("startup", global("script_user root\nstartup_script /usr/bin/true nosuchuser")),
        ("shutdown", global("script_user root\nshutdown_script /usr/bin/true root nosuchgroup")),
        ("fifo", global("script_user root\nnotify_fifo /tmp/x nosuchuser")),
        ("notify", SECURE.to_owned() + &router("notify /usr/bin/true nosuchuser")),
        ("notify that takes an argument for a user", router("notify /usr/bin/true --all")),
        ("nobody for notify", UNOWNED.to_owned() + &router("notify /usr/bin/true")),
        ("nobody for a tracked script", UNOWNED.to_owned() + &tracked("")),
        ("nobody for a check", UNOWNED.to_owned() + &server("MISC_CHECK {\nmisc_path /usr/bin/true\n}")),
        ("nobody for a fifo", global("notify_fifo /tmp/x") + &router("")),
        ("nobody is needed", UNOWNED.to_owned() + &tracked("user root")),
        (
            "a router without VRID",
            "vrrp_instance B {\ninterface eth0\n}\n".to_owned() + &router("notify /usr/bin/true"),
        ),
        ("an interface that is missing", tracked("").replace("interface eth0", "interface nosuch0")),
    ]
}

/// Not a link to a directory, and no other user than root: 2.2.7 does not know the one, and the other kills it.
#[test]
fn scripts_and_users_get_the_exit_status_of_keepalived() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    trial("scripts", |lab| {
        let folder = lab.router(0).folder().join("programs");
        std::fs::create_dir_all(&folder)?;
        let program = |name: &str, mode: u32| -> Result<String> {
            let path = folder.join(name);
            std::fs::write(&path, "#!/bin/sh\n")?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
            Ok(path.display().to_string())
        };
        let others = program("of-another", 0o755)?;
        chown(&others, Some(1), None)?;
        let programs = [
            "/usr/bin/true".to_owned(),
            "true".to_owned(),
            "/no/such".to_owned(),
            "no-such-program".to_owned(),
            "</dev/tcp/127.0.0.1/80".to_owned(),
            "/usr/bin".to_owned(),
            "/usr/lib/../bin/true".to_owned(),
            program("good", 0o755)?,
            program("writable", 0o777)?,
            program("plain", 0o644)?,
            others,
        ];
        let mut cases = users();
        let mut names: Vec<String> = cases.iter().map(|(name, _)| (*name).to_owned()).collect();
        for program in &programs {
            let more = runs(program);
            names.extend(more.iter().map(|(name, _)| format!("{name}: {program}")));
            cases.extend(more);
        }
        let file = folder.join("keepalived.conf");
        let mut wrong = Vec::new();
        for (name, (_, text)) in names.iter().zip(&cases) {
            std::fs::write(&file, text)?;
            let (theirs, their_words) = status(lab, &Daemon::debian(), &file)?;
            let (ours, our_words) = status(lab, &Daemon::ours(), &file)?;
            if theirs != ours {
                wrong.push(format!("{name}: theirs {theirs:?}, ours {ours:?}\n{their_words}---\n{our_words}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        Ok(())
    });
}
