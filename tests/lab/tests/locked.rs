//! Another program holds the kernel's lock for links for seconds, as when it removes thousands of links: no stop leaves
//! addresses.

use anyhow::Result;
use keepalived_kernel::links_lock::{HeldLock, hold};
use keepalived_lab::{Case, Daemon, Instance, Lab, Running, only_ours, patience, skipped, trial, wait_until};
use rustix::process::Signal;
use std::time::Duration;

const PLAIN: Case = Case::PLAIN;
const VRID: u8 = 7;

fn long() -> Duration {
    patience(Duration::from_secs(20))
}

fn start(lab: &Lab, router: usize, priority: u8) -> Result<Running> {
    let router = lab.router(router);
    router.start(&Daemon::ours(), "d", &Instance::new(PLAIN, priority).alone(router, &[]))
}

fn only(lab: &Lab, router: usize) -> Result<()> {
    wait_until(&format!("only router {router} has it"), long(), || Ok(lab.holders(PLAIN.vip(VRID))? == [router]))
}

/// Runs a test that can hold the lock; nobody may call `ip` while it is held.
fn locked(name: &str, test: impl FnOnce(&Lab) -> Result<()>) {
    if !only_ours() {
        return;
    }
    match hold() {
        Ok(held) => drop(held),
        Err(error) => return skipped(name, &format!("the kernel's lock for links cannot be held: {error}")),
    }
    trial(name, test);
}

/// Waits until the vrrp process has given up waiting for the kernel, and the supervisor has taken over; the lock is
/// held meanwhile.
fn outlast(held: &HeldLock, running: &Running) -> Result<()> {
    running.wait_for_log("the kernel takes long to remove addresses", long())?;
    assert!(held.is_held());
    Ok(())
}

#[test]
fn a_stop_leaves_no_address_though_the_kernel_removes_none_for_seconds() {
    locked("a stop, locked", |lab| {
        let mut running = start(lab, 0, 200)?;
        only(lab, 0)?;
        let mark = lab.capture().mark()?;
        let held = hold()?;
        running.signal(Signal::TERM)?;
        let within = patience(Duration::from_secs(1));
        wait_until("the others hear the farewell at once", within, || {
            let events = lab.capture().since(mark)?;
            Ok(events.iter().filter_map(|event| event.advert()).any(|advert| advert.priority == 0))
        })?;
        outlast(&held, &running)?;
        assert!(running.is_running()?, "it waits until the address is gone");
        drop(held);
        running.wait(long())?;
        assert_eq!(lab.holders(PLAIN.vip(VRID))?, Vec::<usize>::new());
        Ok(())
    });
}

#[test]
fn a_takeover_waits_for_its_address_and_a_stop_in_between_leaves_none() {
    locked("a takeover, locked", |lab| {
        let master = start(lab, 0, 200)?;
        only(lab, 0)?;
        let mut backup = start(lab, 1, 100)?;
        backup.wait_for_log("Entering BACKUP STATE", long())?;
        let mark = lab.capture().mark()?;
        let held = hold()?;
        master.kill();
        let advert = lab.capture().wait_advert(mark, lab.router(1).mac(0), VRID, long())?;
        assert_eq!(advert.advert().map(|advert| advert.priority), Some(100));
        // it goes on sending while it waits for its address
        let mark = lab.capture().mark()?;
        lab.capture().wait_advert(mark, lab.router(1).mac(0), VRID, long())?;
        backup.signal(Signal::TERM)?;
        outlast(&held, &backup)?;
        drop(held);
        backup.wait(long())?;
        // what the killed daemon left is another matter
        assert!(!lab.router(1).has(PLAIN.vip(VRID))?);
        Ok(())
    });
}
