//! Processes that die at the worst time: no address stays behind without adverts, and the daemon goes on.

use anyhow::Result;
use keepalived_lab::{Case, Daemon, Instance, Lab, Running, only_ours, patience, trial, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::time::Duration;

const PLAIN: Case = Case::PLAIN;
const VRID: u8 = 7;

/// Three of them are a second at most: shorter than the pauses between starts.
const INTERVAL: Duration = Duration::from_millis(300);

fn long() -> Duration {
    patience(Duration::from_secs(20))
}

fn has(lab: &Lab) -> Result<bool> {
    lab.router(0).has(PLAIN.vip(VRID))
}

fn is_there(pid: Pid) -> bool {
    Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists()
}

/// A master whose address nobody else takes.
fn start(lab: &Lab) -> Result<Running> {
    let a = lab.router(0);
    let running = a.start(&Daemon::ours(), "a", &Instance::new(PLAIN, 200).every(INTERVAL).alone(a, &[]))?;
    wait_until("it is master", long(), || has(lab))?;
    Ok(running)
}

/// Kills the vrrp process, and waits for the next one.
fn replace(running: &Running) -> Result<()> {
    let pid = running.vrrp_pid()?;
    kill_process(pid, Signal::KILL)?;
    let another = || Ok(running.vrrp_pid().is_ok_and(|now| now != pid && is_there(now)));
    wait_until("another vrrp process is there", long(), another)
}

/// Kills vrrp processes as they come, until the next one has to wait for seconds.
fn wear_out(running: &Running) -> Result<()> {
    for _ in 0..4 {
        replace(running)?;
    }
    Ok(kill_process(running.vrrp_pid()?, Signal::KILL)?)
}

#[test]
fn a_vrrp_process_that_dies_again_and_again_leaves_no_address_without_adverts() {
    if !only_ours() {
        return;
    }
    trial("worn-out", |lab| {
        let running = start(lab)?;
        wear_out(&running)?;
        wait_until("the address is gone", long(), || Ok(!has(lab)?))?;
        running.wait_for_log("no vrrp process sends adverts for them", long())?;
        wait_until("it is master again when the next process runs", long(), || has(lab))
    });
}

#[test]
fn a_daemon_that_stops_without_its_vrrp_process_takes_the_addresses_along() {
    if !only_ours() {
        return;
    }
    trial("stop-worn-out", |lab| {
        let running = start(lab)?;
        wear_out(&running)?;
        let status = running.stop()?;
        assert!(status.success(), "{status}");
        assert!(!has(lab)?);
        Ok(())
    });
}

#[test]
fn the_death_of_the_supervisor_leaves_no_address() {
    if !only_ours() {
        return;
    }
    trial("orphans", |lab| {
        let running = start(lab)?;
        running.signal(Signal::KILL)?;
        wait_until("the address is gone", long(), || Ok(!has(lab)?))
    });
}

// each of the two kills leaves an address that only the other could remove
#[test]
fn a_supervisor_that_dies_while_the_next_vrrp_process_has_to_wait_leaves_no_address() {
    if !only_ours() {
        return;
    }
    trial("wait-orphaned", |lab| {
        let running = start(lab)?;
        for _ in 0..2 {
            wait_until("it is master", long(), || has(lab))?;
            replace(&running)?;
        }
        running.wait_for_log("the next starts in 1 s", long())?;
        running.signal(Signal::KILL)?;
        wait_until("the address is gone", long(), || Ok(!has(lab)?))
    });
}

// the one that waited began with the configuration of those before it, and put back what the reload had taken away
#[test]
fn a_reload_while_the_next_vrrp_process_has_to_wait_is_where_it_begins() {
    if !only_ours() {
        return;
    }
    trial("wait-reloaded", |lab| {
        let a = lab.router(0);
        let text = Instance::new(PLAIN, 200).every(INTERVAL).alone(a, &[]);
        let more = "virtual_ipaddress_excluded {\n 192.0.2.77/32\n }\n virtual_ipaddress {";
        let running = a.start(&Daemon::ours(), "a", &text.replacen("virtual_ipaddress {", more, 1))?;
        wait_until("it is master", long(), || has(lab))?;
        for _ in 0..2 {
            replace(&running)?;
        }
        running.wait_for_log("the next starts in 1 s", long())?;
        running.reload(&text)?;
        running.wait_for_log("Reload: ", long())?;
        // whether it resumes or begins anew: the supervisor may have removed the addresses meanwhile
        wait_until("it is master again", long(), || has(lab))?;
        wait_until("the other address is gone", long(), || Ok(!a.has("192.0.2.77".parse()?)?))?;
        assert!(!running.log().contains("another program removed"), "{}", running.log());
        assert!(has(lab)?);
        Ok(())
    });
}

#[test]
fn a_supervisor_that_dies_while_the_next_vrrp_process_starts_leaves_no_address() {
    if !only_ours() {
        return;
    }
    trial("start-orphaned", |lab| {
        for _ in 0..5 {
            let running = start(lab)?;
            // the supervisor starts another at once
            kill_process(running.vrrp_pid()?, Signal::KILL)?;
            let first = running.vrrp_pid()?;
            while running.vrrp_pid().is_ok_and(|now| now == first) {
                std::hint::spin_loop();
            }
            running.signal(Signal::KILL)?;
            wait_until("the address is gone", long(), || Ok(!has(lab)?))?;
        }
        Ok(())
    });
}

#[test]
fn a_frozen_vrrp_process_is_replaced() {
    if !only_ours() {
        return;
    }
    trial("frozen", |lab| {
        let running = start(lab)?;
        let first = running.vrrp_pid()?;
        kill_process(first, Signal::STOP)?;
        wait_until("the frozen process is replaced", long(), || Ok(running.vrrp_pid().is_ok_and(|now| now != first)))?;
        running.wait_for_log("vrrp process does not answer", long())?;
        wait_until("it is master", long(), || has(lab))
    });
}

#[test]
fn a_shortage_that_keeps_the_vrrp_process_from_starting_leaves_no_address_and_ends_nothing() {
    if !only_ours() {
        return;
    }
    trial("shortage", |lab| {
        let running = start(lab)?;
        let supervisor = running.pid().as_raw_nonzero();
        let limit =
            |files: &str| lab.router(0).namespace().run(&format!("prlimit --pid {supervisor} --nofile={files}"));
        // what the supervisor has it keeps; its children inherit the limit
        for files in ["3:4096", "16:4096"] {
            limit(files)?;
            kill_process(running.vrrp_pid()?, Signal::KILL)?;
            wait_until(&format!("the address is gone ({files} descriptors)"), long(), || Ok(!has(lab)?))?;
            limit("1024:4096")?;
            wait_until("it is master again", patience(Duration::from_secs(70)), || has(lab))?;
        }
        Ok(())
    });
}
