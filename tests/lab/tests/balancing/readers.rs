//! Programs that read the named pipes: `lvs_notify_fifo_script`, and `notify_fifo_script` where there is a checker
//! process.

use crate::alone::{checker, kill_the_checker};
use crate::{PACE, alone, side_by_side};
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::balancing::Site;
use keepalived_lab::{patience, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// As an administrator writes one who knows keepalived's: the path comes last, and what is read is written to
/// `said-NAME`.
const READER: &str = r#"#!/bin/sh
for path; do :; done
said=${0%/*}/said-$1
trap 'echo "asked to end" >> "$said"; exit 0' TERM
# it begins when the pipe is open: what is written before its last writer closes it is heard then
exec 3< "$path"
echo "begins as $(id -un) with $#" >> "$said"
while read -r line; do
    echo "$line" >> "$said"
done <&3
echo "end of file" >> "$said"
"#;

const AT: &str = "10.0.0.1:80";
const UP: &str = "RS [10.0.0.1]:tcp:80 [192.0.2.1]:tcp:80 UP\nVS [192.0.2.1]:tcp:80 UP\n";
const DOWN: &str = "RS [10.0.0.1]:tcp:80 [192.0.2.1]:tcp:80 DOWN\nVS [192.0.2.1]:tcp:80 DOWN\n";
const BEGINS: &str = "begins as root with 2\n";
const ASKED: &str = "asked to end\n";

/// A virtual server with one real server, and these pipes.
fn text(pipes: &str, lines: &str) -> String {
    format!(
        "global_defs {{\n script_user root\n {pipes}\n }}
        virtual_server 192.0.2.1 80 {{ {PACE} lvs_sched rr\n lvs_method NAT\n {lines}
            real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }}
        }}\n"
    )
}

fn lvs(name: &str) -> String {
    format!("lvs_notify_fifo FOLDER/fifo\n lvs_notify_fifo_script \"FOLDER/reader {name}\"\n")
}

fn all(name: &str) -> String {
    format!("notify_fifo FOLDER/all\n notify_fifo_script \"FOLDER/reader {name}\"\n")
}

fn prepare(site: &mut Site) -> Result<()> {
    site.write("reader", READER)?;
    std::fs::set_permissions(site.folder().join("reader"), std::fs::Permissions::from_mode(0o755))?;
    site.listen(AT)
}

/// What the readers of this name have said.
fn said(site: &Site, name: &str) -> String {
    site.read(&format!("said-{name}")).replace('\0', "")
}

fn wait_for(site: &Site, name: &str, whole: &[&str]) -> Result<()> {
    let wanted = whole.concat();
    let is_so = || Ok(said(site, name) == wanted);
    wait_until(&format!("{name} says {wanted:?}"), patience(Duration::from_secs(10)), is_so)
        .with_context(|| format!("it says {:?}\n{}", said(site, name), log(site)))
}

fn log(site: &Site) -> String {
    site.read("daemon/log")
}

/// Processes of the site with this in their command line.
fn processes(site: &Site, what: &str) -> Vec<Pid> {
    let is_it = |pid: &Pid| {
        let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(what)
    };
    site.namespace().pids().into_iter().filter(is_it).collect()
}

fn readers(site: &Site, name: &str) -> Vec<Pid> {
    processes(site, &format!("reader {name} "))
}

/// Waits until there is one reader of this name, which is none of `before`.
fn one(site: &Site, name: &str, before: &[Pid]) -> Result<Pid> {
    let mut now = Vec::new();
    wait_until(&format!("there is another reader {name}"), patience(Duration::from_secs(10)), || {
        now = readers(site, name);
        Ok(now.len() == 1 && now.iter().all(|pid| !before.contains(pid)))
    })
    .with_context(|| format!("there are {now:?}\n{}", log(site)))?;
    now.first().copied().context("just seen")
}

#[test]
#[ignore = "needs IPVS"]
fn a_reader_hears_everything_and_is_always_there() {
    alone(|site| {
        prepare(site)?;
        let pipes = |lvs_name: &str| lvs(lvs_name) + &all("all");
        site.start(&text(&pipes("one"), "omega"), &[])?;
        wait_for(site, "one", &[BEGINS, "VS [192.0.2.1]:tcp:80 UP\n"])?;
        let first = one(site, "one", &[])?;
        site.close(AT)?;
        let heard = [BEGINS, "VS [192.0.2.1]:tcp:80 UP\n", DOWN].concat();
        wait_for(site, "one", &[&heard])?;
        wait_for(site, "all", &[&heard])?;

        // it dies; what happens before the next one reads waits in the pipe
        kill_process(first, Signal::KILL)?;
        site.listen(AT)?;
        wait_for(site, "one", &[&heard, BEGINS, UP])?;
        let second = one(site, "one", &[first])?;

        // a reload of something else leaves it alone
        site.reload(&text(&pipes("one"), "omega\n lvs_sched wrr"))?;
        site.wait_for("reload", "-A -t 192.0.2.1:80 -s wrr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n")?;
        ensure!(readers(site, "one") == [second], "another reader after a reload that did not change it");

        // another script for the same pipe
        site.reload(&text(&pipes("two"), "omega"))?;
        let third = one(site, "two", &[])?;
        wait_for(site, "one", &[&heard, BEGINS, UP, ASKED])?;
        ensure!(readers(site, "one").is_empty());
        site.close(AT)?;
        wait_for(site, "two", &[BEGINS, DOWN])?;
        site.listen(AT)?;
        wait_for(site, "two", &[BEGINS, DOWN, UP])?;

        // the checker process dies: there is one reader again, and none of before
        let others = readers(site, "all");
        kill_the_checker(site)?;
        one(site, "two", &[third])?;
        one(site, "all", &others)?;
        // that one was asked to end, unless it saw the end first: the pipe had lost its other end, too
        wait_until("the next checker's reader has heard of it", patience(Duration::from_secs(10)), || {
            let ways = [ASKED, "end of file\n"];
            let heard = ways.map(|way| [BEGINS, DOWN, UP, way, BEGINS, "VS [192.0.2.1]:tcp:80 UP\n"].concat());
            Ok(heard.contains(&said(site, "two")))
        })
        .with_context(|| said(site, "two"))?;
        let heard = said(site, "two");

        // so does the runner: its readers are killed with it, and the next runner starts them
        let (fourth, runner) = (readers(site, "two"), processes(site, "--runner-process-of"));
        kill_process(*runner.first().context("no runner")?, Signal::KILL)?;
        one(site, "two", &fourth)?;
        wait_for(site, "two", &[&heard, BEGINS])?;

        // the last lines are heard, too, and nothing is left
        let heard = said(site, "two");
        site.stop()?;
        wait_for(site, "two", &[&heard, DOWN, "end of file\n"])?;
        for name in ["one", "two", "all"] {
            ensure!(readers(site, name).is_empty(), "{name} is still there");
        }
        for name in ["fifo", "all"] {
            ensure!(!site.folder().join(name).exists(), "{name} is still there");
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs IPVS"]
fn readers_come_and_go_with_the_configuration() {
    alone(|site| {
        prepare(site)?;
        site.start(&text("", ""), &[])?;
        site.wait_for("start", "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n")?;
        let before = checker(site);
        // there was no runner until now
        site.reload(&text(&lvs("one"), ""))?;
        wait_for(site, "one", &[BEGINS])?;
        site.close(AT)?;
        wait_for(site, "one", &[BEGINS, DOWN])?;
        site.reload(&text("", ""))?;
        wait_for(site, "one", &[BEGINS, DOWN, "end of file\n"])?;
        wait_until("the pipe is gone", patience(Duration::from_secs(5)), || Ok(!site.folder().join("fifo").exists()))?;
        // one that reads on after the end is asked, and then made to end
        let stubborn = READER.replace("exit 0' TERM", "' TERM") + "while :; do sleep 1; done\n";
        site.write("reader", &stubborn)?;
        site.reload(&text(&lvs("two"), ""))?;
        wait_for(site, "two", &[BEGINS])?;
        site.stop()?;
        wait_for(site, "two", &[BEGINS, "end of file\n", ASKED])?;
        ensure!(readers(site, "two").is_empty());
        ensure!(before.is_some());
        Ok(())
    });
}

#[test]
#[ignore = "needs IPVS"]
fn a_reader_hears_what_debians_hears() {
    side_by_side(|pair| {
        pair.both(prepare)?;
        pair.start(&text(&(lvs("one") + &all("all")), ""))?;
        let both = |site: &Site| [said(site, "one"), said(site, "all")].concat();
        pair.agree_when("start", both, |said| said.matches("UP").count() == 2);
        pair.close(&[AT])?;
        pair.agree_when("failure", both, |said| said.matches("RS ").count() == 2);
        pair.open(&[AT])?;
        pair.agree_when("recovery", both, |said| said.matches("UP").count() == 6);
        pair.stop()
    });
}
