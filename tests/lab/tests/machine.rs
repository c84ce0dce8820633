//! The machine for what needs another kernel: what the other tests rely on.

use anyhow::{Result, ensure};
use keepalived_lab::{skipped, uml};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

fn shell(script: &str, limit: Duration) -> Option<Result<uml::MachineRun>> {
    if let Err(lack) = uml::available() {
        skipped("machine of User-Mode Linux", &lack);
        return None;
    }
    Some(uml::run(Path::new("/bin/sh"), &[OsStr::new("-c"), OsStr::new(script)], limit))
}

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn it_has_what_the_kernel_of_this_machine_may_lack() -> Result<()> {
    let script = "set -e
        ipvsadm -A -t 192.0.2.1:80 -s mh -b mh-fallback
        ipvsadm -Sn
        for kind in dummy 'vrf table 10' bridge; do ip link add type $kind; done
        ip link add link dummy0 type ipvlan
        unshare --net true
        stat -f -c %T /tmp";
    let Some(outcome) = shell(script, LIMIT) else { return Ok(()) };
    let outcome = outcome?;
    ensure!(outcome.status.success(), "{outcome:?}");
    assert_eq!(outcome.output, "-A -t 192.0.2.1:80 -s mh -b mh-fallback\noverlayfs\n");
    Ok(())
}

#[test]
fn status_and_output_of_a_program_come_back_and_what_it_writes_does_not() -> Result<()> {
    let file = std::env::temp_dir().join(format!("kl-uml-written-{}", std::process::id()));
    let script = format!("echo one; echo two >&2; echo three > {0}; cat {0}; pwd; exit 7", file.display());
    let Some(outcome) = shell(&script, LIMIT) else { return Ok(()) };
    let outcome = outcome?;
    assert_eq!(outcome.status.code(), Some(7));
    assert_eq!(outcome.output, format!("one\ntwo\nthree\n{}\n", std::env::current_dir()?.display()));
    assert!(!file.exists());
    Ok(())
}

#[test]
fn a_program_that_never_ends_is_ended() -> Result<()> {
    let Some(outcome) = shell("echo waiting; sleep 1000", Duration::from_secs(1)) else { return Ok(()) };
    let outcome = outcome?;
    assert_eq!(outcome.status.code(), Some(124));
    assert_eq!(outcome.output, "waiting\nkeepalived-lab: not done after 1 seconds\n");
    assert!(outcome.took < Duration::from_secs(30), "{:?}", outcome.took);
    Ok(())
}

#[test]
fn a_program_outlives_an_orphan_that_ends_beside_a_stopped_process() -> Result<()> {
    let script = "sleep 1000 & kill -STOP $!; (sleep 0.3 &); sleep 1; echo alive; kill -KILL $!";
    let Some(outcome) = shell(script, LIMIT) else { return Ok(()) };
    let outcome = outcome?;
    ensure!(outcome.status.success(), "{outcome:?}");
    assert_eq!(outcome.output, "alive\n");
    Ok(())
}

#[test]
fn a_kernel_that_crashes_is_an_error_that_says_of_what() -> Result<()> {
    let Some(outcome) = shell("echo c > /proc/sysrq-trigger; sleep 5", LIMIT) else { return Ok(()) };
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("crashed") && error.contains("Kernel panic"), "{error}");
    Ok(())
}
