//! FRR's vrrpd as the peer, multicast only, as it is.

use anyhow::{Context as _, Result};
use keepalived_lab::{
    Case, Cast, Daemon, Family, Frr, Instance, Lab, Mac, Version, patience, skipped, trial, wait_until,
};
use std::time::{Duration, SystemTime};

const VRID: u8 = 7;

/// FRR sends from the protocol's own MAC address.
fn frr_mac(case: Case) -> Mac {
    Mac([0, 0, 0x5e, 0, if case.family == Family::V4 { 1 } else { 2 }, VRID])
}

/// We on router 0 with `priority`, FRR on router 1 with 100.
fn both_ways(lab: &Lab, case: Case) -> Result<()> {
    let (wire, wait) = (lab.capture(), patience(case.interval() * 5));
    let [a, b] = [lab.router(0), lab.router(1)];
    let daemon = Daemon::ours();
    let goodbye = |event: &keepalived_lab::Event| event.advert().is_some_and(|advert| advert.priority == 0);

    // FRR alone, then we preempt it
    let frr = Frr::start(b, case, VRID, 100)?;
    wire.wait_advert(0, frr_mac(case), VRID, wait)?;
    let mark = wire.mark()?;
    let ours = a.start(&daemon, "d", &Instance::new(case, 200).alone(a, &[b]))?;
    wire.wait_advert(mark, a.mac(0), VRID, wait)?;
    silent(lab, frr_mac(case), case)?;
    assert!(a.has(case.vip(VRID))?);

    // we die, it takes over; we come back
    let mark = wire.mark()?;
    ours.crash()?;
    wire.wait_advert(mark, frr_mac(case), VRID, wait)?;
    let mark = wire.mark()?;
    let ours = a.start(&daemon, "d", &Instance::new(case, 200).alone(a, &[b]))?;
    wire.wait_advert(mark, a.mac(0), VRID, wait)?;
    silent(lab, frr_mac(case), case)?;

    // we leave politely
    let mark = wire.mark()?;
    let told = SystemTime::now();
    ours.stop()?;
    wire.wait("we say goodbye", mark, wait, goodbye)?;
    wire.wait_advert(mark, frr_mac(case), VRID, wait)?;
    let decided = frr.became_master(told).context("vrrpd does not say when it became master")?;
    assert!(decided < 3 * case.interval(), "goodbye was not heard: vrrpd became master after {decided:?}");

    // we as its backup: silent while it lives, master when it dies
    let mark = wire.mark()?;
    let _ours = a.start(&daemon, "d", &Instance::new(case, 50).alone(a, &[b]))?;
    std::thread::sleep(case.interval() * 5);
    assert!(
        !wire.since(mark)?.iter().any(|event| event.mac == a.mac(0) && event.advert().is_some()),
        "a backup keeps quiet"
    );
    let mark = wire.mark()?;
    frr.crash()?;
    b.namespace().run(&format!("ip link del vrrp{VRID}"))?;
    wire.wait_advert(mark, a.mac(0), VRID, wait)?;
    wait_until("we have the address", wait, || a.has(case.vip(VRID)))?;

    // it comes back with more, and leaves politely
    let mark = wire.mark()?;
    let frr = Frr::start(b, case, VRID, 100)?;
    wire.wait_advert(mark, frr_mac(case), VRID, wait)?;
    silent(lab, a.mac(0), case)?;
    wait_until("we have given the address back", wait, || Ok(!a.has(case.vip(VRID))?))?;
    let mark = wire.mark()?;
    frr.stop()?;
    wire.wait_advert(mark, a.mac(0), VRID, wait)?;
    wire.judge()
}

/// This sender says nothing for three intervals.
fn silent(lab: &Lab, mac: Mac, case: Case) -> Result<()> {
    let wire = lab.capture();
    wait_until(&format!("{mac} is silent"), patience(Duration::from_secs(4)), || {
        let mark = wire.mark()?;
        std::thread::sleep(case.interval() * 3);
        Ok(!wire.since(mark)?.iter().any(|event| event.mac == mac && event.advert().is_some()))
    })
}

fn with_frr(name: &str, case: Case) {
    match Frr::lack() {
        Some(lack) => skipped(name, lack),
        None => trial(name, |lab| both_ways(lab, case)),
    }
}

const fn multicast(family: Family, version: Version) -> Case {
    Case { family, cast: Cast::Multicast, version }
}

#[test]
fn ipv4_v2() {
    with_frr("frr ipv4 v2", multicast(Family::V4, Version::V2));
}

#[test]
fn ipv4_v3() {
    with_frr("frr ipv4 v3", multicast(Family::V4, Version::V3));
}

#[test]
fn ipv6_v3() {
    with_frr("frr ipv6 v3", multicast(Family::V6, Version::V3));
}
