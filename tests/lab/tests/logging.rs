//! `log_format` and `log_level`, keywords of ours.

use std::time::Duration;

use anyhow::{Result, ensure};
use keepalived_lab::{Case, Daemon, Instance, only_ours, patience, trial, wait_until};
use rustix::process::Signal;
use serde_json::Value;

const PLAIN: Case = Case::PLAIN;

fn long() -> Duration {
    patience(Duration::from_secs(20))
}

#[test]
fn format_and_levels_follow_a_reload() {
    if !only_ours() {
        return;
    }
    trial("logging", |lab| {
        let a = lab.router(0);
        let text = |more: &str| {
            let text = Instance::new(PLAIN, 200).every(Duration::from_millis(300)).alone(a, &[]);
            text.replace("global_defs {\n", &format!("global_defs {{\n{more}"))
        };
        let running = a.start(&Daemon::ours(), "a", &text(""))?;
        running.wait_for_log("INFO (V7) Entering MASTER STATE", long())?;

        // from text to JSON: all processes
        running.reload(&text("  log_format json\n"))?;
        running.wait_for_log("INFO Reload: 1 changes", long())?;
        // another reload begins when all have taken this one
        running.signal(Signal::HUP)?;
        running.wait_for_log("\"message\":\"Reload: nothing changed\"", long())?;
        lab.pull(0, 0)?;
        let fault = |value: &Value| value["message"].as_str().is_some_and(|text| text.contains("Entering FAULT STATE"));
        let objects =
            || running.log().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>();
        wait_until("the fault is logged", long(), || Ok(objects().iter().any(fault)))?;
        let said = objects().into_iter().find(fault).unwrap_or_default();
        ensure!(said["process"] == "vrrp" && said["level"] == "WARN" && said["subject"] == "instance V7", "{said}");
        ensure!(
            said["cause"] == "interface down" && said["time"].as_str().is_some_and(|time| time.ends_with('Z')),
            "{said}"
        );
        ensure!(objects().iter().any(|line| line["process"] == "supervisor"), "{}", running.log());
        lab.plug(0, 0)?;
        wait_until("it is master again", long(), || a.has(PLAIN.vip(7)))?;

        // back to text, and less of it from one process
        running.reload(&text("  log_level vrrp error\n"))?;
        running.wait_for_log("\"message\":\"Reload: 1 changes\"", long())?;
        running.signal(Signal::HUP)?;
        running.wait_for_log("INFO Reload: nothing changed", long())?;
        let before = running.log().len();
        lab.pull(0, 0)?;
        wait_until("it gave the address up", long(), || Ok(!a.has(PLAIN.vip(7))?))?;
        lab.plug(0, 0)?;
        wait_until("it has the address again", long(), || a.has(PLAIN.vip(7)))?;
        running.signal(Signal::HUP)?;
        let since = || -> Result<String> { Ok(running.log().split_off(before)) };
        wait_until("the supervisor goes on", long(), || Ok(since()?.contains("Reload: nothing changed")))?;
        ensure!(!since()?.contains("STATE"), "{}", since()?);
        // and more: what the runner or the vrrp process say for one who looks for a fault
        running.reload(&text("  log_level debug\n  log_level supervisor warning\n"))?;
        let vrrp = || -> Result<bool> { Ok(since()?.contains("WARN (V7) Entering FAULT STATE")) };
        wait_until("the vrrp process has taken it", long(), || {
            lab.pull(0, 0)?;
            std::thread::sleep(Duration::from_millis(500));
            let is_logged = vrrp()?;
            lab.plug(0, 0)?;
            std::thread::sleep(Duration::from_millis(500));
            Ok(is_logged)
        })?;
        // warnings of the supervisor only: a reload is none
        let before = running.log().len();
        running.signal(Signal::HUP)?;
        lab.pull(0, 0)?;
        let since = || running.log().split_off(before);
        wait_until("another fault is logged", long(), || Ok(since().contains("Entering FAULT STATE")))?;
        std::thread::sleep(Duration::from_millis(500));
        ensure!(!since().contains("Reload"), "{}", since());
        Ok(())
    });
}
