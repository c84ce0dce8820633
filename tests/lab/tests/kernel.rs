//! The daemon makes the kernel match, whatever others do to addresses and interfaces.

use anyhow::{Context as _, Result};
use keepalived_lab::{Case, Daemon, Instance, Router, Running, only_ours, patience, trial, wait_until};
use std::net::IpAddr;
use std::time::Duration;

const VRID: u8 = 7;
const PLAIN: Case = Case::PLAIN;

fn start(router: &Router, instance: &Instance) -> Result<Running> {
    router.start(&Daemon::ours(), "d", &instance.alone(router, &[]))
}

fn comes(router: &Router, vip: IpAddr) -> Result<()> {
    wait_until(&format!("{vip} is there"), patience(Duration::from_secs(2)), || router.has(vip))
}

fn goes(router: &Router, vip: IpAddr) -> Result<()> {
    wait_until(&format!("{vip} is gone"), patience(Duration::from_secs(2)), || Ok(!router.has(vip)?))
}

#[test]
fn an_address_that_somebody_deletes_is_put_back() {
    // keepalived goes to BACKUP instead: docs/differences.md
    if !only_ours() {
        return;
    }
    trial("deleted address", |lab| {
        let (a, vip, wire) = (lab.router(0), PLAIN.vip(VRID), lab.capture());
        let _a = start(a, &Instance::new(PLAIN, 200))?;
        comes(a, vip)?;
        std::thread::sleep(Duration::from_millis(500));
        let mark = wire.mark()?;
        a.namespace().run(&format!("ip address del {vip}/16 dev eth0"))?;
        comes(a, vip)?;
        wire.wait("it is announced again", mark, patience(Duration::from_secs(1)), |event| {
            event.announces() == Some(vip)
        })?;
        std::thread::sleep(PLAIN.interval() * 8);
        let adverts: Vec<_> = wire.since(mark)?.into_iter().filter(|event| event.advert().is_some()).collect();
        let gaps = adverts.windows(2).map(|pair| pair[1].at.since(pair[0].at));
        assert!(gaps.fold(0.0, f64::max) < 3.0 * PLAIN.interval().as_secs_f64(), "it never stopped being master");
        Ok(())
    });
}

#[test]
fn a_left_over_address_goes_when_somebody_else_is_master() {
    trial("left-over", |lab| {
        let (a, b, vip) = (lab.router(0), lab.router(1), PLAIN.vip(VRID));
        let running = start(a, &Instance::new(PLAIN, 200))?;
        comes(a, vip)?;
        running.crash()?;
        assert!(a.has(vip)?, "a crash leaves it behind");
        let _b = start(b, &Instance::new(PLAIN, 250))?;
        comes(b, vip)?;
        let _a = start(a, &Instance::new(PLAIN, 200))?;
        goes(a, vip)?;
        assert_eq!(lab.holders(vip)?, [1]);
        Ok(())
    });
}

// keepalived takes it away together with the virtual address that was there first
#[test]
fn an_own_address_that_came_second_stays() {
    if !only_ours() {
        return;
    }
    trial("own address", |lab| {
        let (a, vip, own) = (lab.router(0), "198.51.100.100".parse()?, "198.51.100.1".parse()?);
        let running = start(a, &Instance::new(PLAIN, 200).addresses(&["198.51.100.100/24 dev eth0"]))?;
        comes(a, vip)?;
        a.namespace().run("ip address add 198.51.100.1/24 dev eth0")?;
        running.stop()?;
        assert_eq!((a.has(vip)?, a.has(own)?), (false, true));
        Ok(())
    });
}

#[test]
fn attributes_of_an_address_are_those_of_the_configuration() {
    trial("attributes", |lab| {
        let a = lab.router(0);
        let instance = Instance::new(PLAIN, 200).addresses(&[
            "10.0.1.7/24 dev eth0 label eth0:vip scope link",
            "10.0.1.8 peer 10.0.1.9 dev eth0",
            "10.0.1.10/16 brd 10.0.255.255 dev eth0",
        ]);
        let _a = start(a, &instance)?;
        let get = |text: &str| -> Result<serde_json::Value> {
            let vip = text.parse()?;
            comes(a, vip)?;
            a.address(vip)?.context("seen above")
        };
        let one = get("10.0.1.7")?;
        assert_eq!((&one["label"], &one["scope"], &one["prefixlen"]), (&"eth0:vip".into(), &"link".into(), &24.into()));
        let two = get("10.0.1.8")?;
        assert_eq!((&two["address"], &two["prefixlen"]), (&"10.0.1.9".into(), &32.into()));
        let three = get("10.0.1.10")?;
        assert_eq!((&three["broadcast"], &three["prefixlen"]), (&"10.0.255.255".into(), &16.into()));
        Ok(())
    });
}

#[test]
fn an_address_without_a_prefix_is_a_host_address() {
    trial("host prefix", |lab| {
        let a = lab.router(0);
        let _a = start(a, &Instance::new(PLAIN, 200).addresses(&["10.0.1.7"]))?;
        comes(a, PLAIN.vip(VRID))?;
        assert_eq!(a.address(PLAIN.vip(VRID))?.context("seen above")?["prefixlen"], 32);
        Ok(())
    });
}

#[test]
fn an_interface_may_go_and_come_back() {
    trial("dynamic interface", |lab| {
        let (a, vip) = (lab.router(0), PLAIN.vip(VRID));
        let text = format!("global_defs {{\n dynamic_interfaces\n}}\n{}", Instance::new(PLAIN, 200).text(a, &[]));
        let _a = a.start(&Daemon::ours(), "d", &text)?;
        comes(a, vip)?;
        lab.observer().run("ip link del r0s0")?;
        goes(a, vip)?;
        let (mac, far) = (a.mac(0), a.namespace().name());
        lab.observer().ip(&format!(
            "link add r0s0 type veth peer name eth0 address {mac} netns {far}\nlink set r0s0 master br0\nlink set r0s0 up\n"
        ))?;
        a.namespace().ip(&a.addressing(0)?)?;
        comes(a, vip)
    });
}

#[test]
fn an_interface_may_be_there_late() {
    trial("late interface", |lab| {
        let (a, vip) = (lab.router(0), PLAIN.vip(VRID));
        a.namespace().ip("link set eth0 down\nlink set eth0 name other\n")?;
        let text = format!("global_defs {{\n dynamic_interfaces\n}}\n{}", Instance::new(PLAIN, 200).text(a, &[]));
        let mut running = a.start(&Daemon::ours(), "d", &text)?;
        std::thread::sleep(Duration::from_secs(1));
        assert!(running.is_running()? && !a.has(vip)?);
        a.namespace().ip("link set other name eth0\n")?;
        a.namespace().ip("link set eth0 up\naddress replace 10.0.0.1/16 dev eth0\n")?;
        comes(a, vip)
    });
}

#[test]
fn a_pulled_cable_is_a_fault_and_a_plugged_one_ends_it() {
    trial("cable", |lab| {
        let (a, b, vip) = (lab.router(0), lab.router(1), PLAIN.vip(VRID));
        let _a = start(a, &Instance::new(PLAIN, 200))?;
        let _b = start(b, &Instance::new(PLAIN, 100))?;
        comes(a, vip)?;
        lab.pull(0, 0)?;
        goes(a, vip)?;
        comes(b, vip)?;
        lab.plug(0, 0)?;
        comes(a, vip)?;
        goes(b, vip)
    });
}
