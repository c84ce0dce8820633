//! Our addresses on other machines: what is probed for after a takeover, and what is said.

use anyhow::Result;
use keepalived_lab::{
    Builder, Case, Cast, Daemon, Family, Filter, Instance, Running, Version, only_ours, patience, trial_in, wait_until,
};
use rustix::process::Signal;
use std::time::Duration;

const VRID: u8 = 7;
const PLAIN: Case = Case::PLAIN;
const IPV6: Case = Case { family: Family::V6, cast: Cast::Multicast, version: Version::V3 };
const THREE: Builder = Builder { routers: 3, segments: 1, filter: Filter::Everything };
const FOUND: &str = "is on another machine too";

/// Lines about duplicates.
fn found(daemon: &Running) -> Vec<String> {
    daemon.log().lines().filter(|line| line.contains(FOUND)).map(str::to_owned).collect()
}

fn for_both(test: impl Fn(Case, &str)) {
    for (case, name) in [(PLAIN, "IPv4"), (IPV6, "IPv6")] {
        test(case, name);
    }
}

#[test]
fn an_address_that_a_third_machine_has_is_said_once_and_served() {
    if !only_ours() {
        return;
    }
    for_both(|case, name| {
        trial_in(&format!("duplicate {name}"), THREE, |lab| {
            let (vip, third) = (case.vip(VRID), lab.router(2));
            let (length, nodad) = if vip.is_ipv4() { (16, "") } else { (64, "nodad") };
            third.namespace().run(&format!("ip address add {vip}/{length} dev eth0 {nodad}"))?;
            let [a, b] = [lab.router(0), lab.router(1)];
            let master = a.start(&Daemon::ours(), "d", &Instance::new(case, 200).alone(a, &[]))?;
            let backup = b.start(&Daemon::ours(), "d", &Instance::new(case, 100).alone(b, &[]))?;
            master.wait_for_log(FOUND, patience(Duration::from_secs(6)))?;
            // a series of probes ends 7 s after the takeover
            std::thread::sleep(Duration::from_secs(5));
            let lines = found(&master);
            let mac = third.mac(0).to_string();
            let says = |line: &String| [&mac, &vip.to_string(), "eth0", "(V7)"].iter().all(|it| line.contains(*it));
            assert!(lines.len() == 1 && lines.iter().all(says), "{mac}: {lines:?}");
            assert_eq!(found(&backup), Vec::<String>::new());
            assert_eq!(lab.holders(vip)?, [0, 2], "the master goes on");
            master.signal(Signal::USR1)?;
            wait_until("the data file and the journal in it have it", patience(Duration::from_secs(1)), || {
                let data = std::fs::read_to_string(master.file("keepalived.data")).unwrap_or_default();
                let seen = [format!(" set also on {mac}\n"), format!("(V7) {vip} is on {mac}, too (eth0)\n")];
                Ok(seen.iter().all(|text| data.contains(text)))
            })?;
            lab.capture().judge()
        });
    });
}

#[test]
fn a_handover_between_two_of_ours_finds_no_duplicate() {
    if !only_ours() {
        return;
    }
    for_both(|case, name| {
        trial_in(&format!("no duplicate {name}"), THREE, |lab| {
            let vip = case.vip(VRID);
            let start = |router: usize, priority| -> Result<Running> {
                let router = lab.router(router);
                router.start(&Daemon::ours(), "d", &Instance::new(case, priority).alone(router, &[]))
            };
            let only = |router| {
                let within = patience(Duration::from_secs(2));
                wait_until(&format!("only router {router} has it"), within, || Ok(lab.holders(vip)? == [router]))
            };
            let low = start(1, 100)?;
            only(1)?;
            // preempts, and stops again
            let high = start(0, 200)?;
            only(0)?;
            std::thread::sleep(Duration::from_secs(6));
            let said = found(&high);
            high.stop()?;
            only(1)?;
            std::thread::sleep(Duration::from_secs(6));
            assert_eq!((said, found(&low)), (vec![], vec![]));
            lab.capture().judge()
        });
    });
}
