//! What guides tell people to type, as it is but for the subnet (tests/guides/ has the pages' text).

use anyhow::Result;
use keepalived_lab::{Daemon, Lab, patience, trial, wait_until};
use std::net::IpAddr;
use std::time::Duration;

fn long() -> Duration {
    patience(Duration::from_secs(5))
}

fn only(lab: &Lab, router: usize, vip: IpAddr) -> Result<()> {
    wait_until(&format!("only router {router} has {vip}"), long(), || Ok(lab.holders(vip)? == [router]))
}

fn archwiki(lab: &Lab, daemons: [&Daemon; 2]) -> Result<()> {
    let text = |page: &str| page.replace("172.16.0.100", "10.0.1.100");
    let [text_a, text_b] =
        [text(include_str!("guides/archwiki-failover-a.conf")), text(include_str!("guides/archwiki-failover-b.conf"))];
    let vip = "10.0.1.100".parse()?;
    let wire = lab.capture();
    let [a, b] = [lab.router(0), lab.router(1)];
    let _running_b = b.start(daemons[1], "d", &text_b)?;
    let running_a = a.start(daemons[0], "d", &text_a)?;
    // state MASTER with priority 255 owns the address: no waiting
    wire.wait_advert(0, a.mac(0), 101, long())?;
    only(lab, 0, vip)?;
    assert!(
        !wire.events()?.iter().any(|event| event.mac == b.mac(0) && event.advert().is_some()),
        "the backup had no cause"
    );
    let advert = wire.wait_advert(0, a.mac(0), 101, long())?;
    let advert = advert.advert().expect("asked for one");
    assert_eq!(
        (advert.version, advert.priority, advert.auth_type, advert.auth.as_slice()),
        (2, 255, 1, b"pass1234".as_slice())
    );

    let mark = wire.mark()?;
    running_a.crash()?;
    wire.wait_advert(mark, b.mac(0), 101, long())?;
    wait_until("b has the address", long(), || b.has(vip))?;
    let running_a = a.start(daemons[0], "d", &text_a)?;
    only(lab, 0, vip)?;
    running_a.stop()?;
    only(lab, 1, vip)?;
    wire.judge()
}

#[test]
fn archwiki_pair() {
    trial("archwiki", |lab| archwiki(lab, [&Daemon::ours(), &Daemon::ours()]));
}

#[test]
fn archwiki_pair_half_migrated() {
    trial("archwiki half", |lab| archwiki(lab, [&Daemon::ours(), &Daemon::debian()]));
}

/// The page's own experiment: pull the cable, put it back, raise the backup's priority, restart.
fn astlinux(lab: &Lab, daemons: [&Daemon; 2]) -> Result<()> {
    let text = |page: &str| {
        page.replace("10.10.50.62", "10.0.0.1").replace("10.10.50.65", "10.0.0.2").replace("10.10.50.244", "10.0.1.244")
    };
    let [text_a, text_b] =
        [text(include_str!("guides/astlinux-master.conf")), text(include_str!("guides/astlinux-backup.conf"))];
    let vip = "10.0.1.244".parse()?;
    let [a, b] = [lab.router(0), lab.router(1)];
    let running_a = a.start(daemons[0], "d", &text_a)?;
    let running_b = b.start(daemons[1], "d", &text_b)?;
    only(lab, 0, vip)?;
    assert_eq!(a.address(vip)?.expect("it is there")["label"], "eth0:10");

    lab.pull(0, 0)?;
    only(lab, 1, vip)?;
    lab.plug(0, 0)?;
    only(lab, 0, vip)?;

    running_b.reload(&text_b.replace("priority 99", "priority 101"))?;
    only(lab, 1, vip)?;
    assert_eq!(running_b.stop()?.code(), Some(0));
    only(lab, 0, vip)?;
    let _running_b = b.start(daemons[1], "d", &text_b.replace("priority 99", "priority 101"))?;
    only(lab, 1, vip)?;
    drop(running_a);
    lab.capture().judge()
}

#[test]
fn astlinux_pair() {
    trial("astlinux", |lab| astlinux(lab, [&Daemon::ours(), &Daemon::ours()]));
}

#[test]
fn astlinux_pair_half_migrated() {
    trial("astlinux half", |lab| astlinux(lab, [&Daemon::ours(), &Daemon::debian()]));
}
