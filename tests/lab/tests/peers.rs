//! Two routers from first start to last stop: ours with ours, and with the keepalived that we did not write.

use anyhow::Result;
use keepalived_lab::{Case, Cast, Daemon, Family, Instance, Kind, Lab, Mac, Version, patience, trial, wait_until};
use std::net::IpAddr;
use std::time::Duration;

const VRID: u8 = 7;

/// Router 0 has priority 200, router 1 has 100.
fn life_of_a_pair(lab: &Lab, case: Case, daemons: [&Daemon; 2]) -> Result<()> {
    let [a, b] = [lab.router(0), lab.router(1)];
    let (wire, wait) = (lab.capture(), patience(case.interval() * 5));
    let [conf_a, conf_b] = [Instance::new(case, 200).alone(a, &[b]), Instance::new(case, 100).alone(b, &[a])];

    // alone, the lower priority does
    let running_b = b.start(daemons[1], "d", &conf_b)?;
    wire.wait_advert(0, b.mac(0), VRID, wait)?;
    settled(lab, case, 1)?;

    // preemption
    let mark = wire.mark()?;
    let running_a = a.start(daemons[0], "d", &conf_a)?;
    wire.wait_advert(mark, a.mac(0), VRID, wait)?;
    settled(lab, case, 0)?;
    announced(lab, case, mark, a.mac(0))?;

    // crash: no goodbye, and the addresses stay behind on the dead router
    let mark = wire.mark()?;
    running_a.crash()?;
    wire.wait_advert(mark, b.mac(0), VRID, wait)?;
    wait_until("the backup has the addresses", wait, || b.has(case.vip(VRID)))?;
    announced(lab, case, mark, b.mac(0))?;
    let goodbye = |mac: Mac| {
        move |event: &keepalived_lab::Event| event.mac == mac && event.advert().is_some_and(|a| a.priority == 0)
    };
    assert!(!wire.since(mark)?.iter().any(goodbye(a.mac(0))), "the dead say nothing");

    // it comes back among its own left-overs
    let mark = wire.mark()?;
    let running_a = a.start(daemons[0], "d", &conf_a)?;
    wire.wait_advert(mark, a.mac(0), VRID, wait)?;
    settled(lab, case, 0)?;

    // clean stop: goodbye, then the other after its skew, well before it would have noticed by itself
    let mark = wire.mark()?;
    assert!(running_a.stop()?.success());
    let last = wire.wait("the master says goodbye", mark, wait, goodbye(a.mac(0)))?;
    let first = wire.wait_advert(mark, b.mac(0), VRID, wait)?;
    assert!(first.at.since(last.at) < 3.0 * case.interval().as_secs_f64(), "goodbye was not heard");
    settled(lab, case, 1)?;

    let mark = wire.mark()?;
    assert!(running_b.stop()?.success());
    wire.wait("the last says goodbye too", mark, wait, goodbye(b.mac(0)))?;
    assert_eq!(lab.holders(case.vip(VRID))?, [0usize; 0]);
    adverts_are_right(lab, case)?;
    wire.judge()
}

fn settled(lab: &Lab, case: Case, router: usize) -> Result<()> {
    wait_until(&format!("only router {router} has the addresses"), patience(case.interval() * 4), || {
        for vip in case.vips(VRID) {
            if lab.holders(vip)? != [router] {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// `mac` has told everybody where each address is now.
fn announced(lab: &Lab, case: Case, mark: usize, mac: Mac) -> Result<()> {
    for vip in case.vips(VRID) {
        let event =
            lab.capture().wait(&format!("{mac} announces {vip}"), mark, patience(Duration::from_secs(1)), |event| {
                event.mac == mac && event.announces() == Some(vip)
            })?;
        match event.kind {
            Kind::Garp(garp) => {
                assert_eq!(
                    (garp.operation, garp.sender, garp.target, event.to),
                    (1, mac, Mac([255; 6]), Mac([255; 6]))
                );
            }
            Kind::Na(na) => {
                assert_eq!((na.overrides, na.solicited, na.link), (true, false, Some(mac)));
                assert_eq!(na.destination, "ff02::1".parse::<IpAddr>()?);
            }
            Kind::Advert(_) | Kind::Echo { .. } => unreachable!("these announce nothing"),
        }
    }
    Ok(())
}

/// Each advert that anybody sent has the fields that the configuration asks for.
fn adverts_are_right(lab: &Lab, case: Case) -> Result<()> {
    let events = lab.capture().events()?;
    for (router, priority) in [(lab.router(0), 200), (lab.router(1), 100)] {
        let own = events.iter().filter(|event| event.mac == router.mac(0)).filter_map(|event| event.advert());
        for advert in own {
            assert_eq!((advert.version, advert.vrid), (case.version_number(), VRID), "{advert:?}");
            // keepalived 2.2.7 leaves IPv6 unicast at the system's 64
            if case.cast == Cast::Multicast || case.family == Family::V4 {
                assert_eq!(advert.hops, 255, "{advert:?}");
            }
            assert_eq!(u128::from(advert.centis) * 10, case.interval().as_millis(), "{advert:?}");
            assert!([0, priority].contains(&advert.priority), "{advert:?}");
            assert_eq!(advert.addresses, case.vips(VRID));
            let destination: IpAddr = match (case.cast, case.family) {
                (Cast::Multicast, Family::V4) => "224.0.0.18".parse()?,
                (Cast::Multicast, Family::V6) => "ff02::12".parse()?,
                (Cast::Unicast, _) => case.source(lab.router(1 - router.index())),
            };
            assert_eq!(advert.destination, destination);
            match (case.cast, case.family) {
                (Cast::Unicast, _) | (_, Family::V4) => assert_eq!(advert.source, case.source(router)),
                (Cast::Multicast, Family::V6) => {
                    assert_eq!(advert.source, format!("fe80::{}", router.index() + 1).parse::<IpAddr>()?)
                }
            }
        }
    }
    Ok(())
}

macro_rules! pairs {
    ($($name:ident: $family:ident $cast:ident $version:ident;)*) => {
        mod ours_and_ours { use super::*; $(#[test] fn $name() {
            let case = Case { family: Family::$family, cast: Cast::$cast, version: Version::$version };
            trial(stringify!($name), |lab| life_of_a_pair(lab, case, [&Daemon::ours(), &Daemon::ours()]));
        })* }
        mod our_master { use super::*; $(#[test] fn $name() {
            let case = Case { family: Family::$family, cast: Cast::$cast, version: Version::$version };
            trial(stringify!($name), |lab| life_of_a_pair(lab, case, [&Daemon::ours(), &Daemon::debian()]));
        })* }
        mod our_backup { use super::*; $(#[test] fn $name() {
            let case = Case { family: Family::$family, cast: Cast::$cast, version: Version::$version };
            trial(stringify!($name), |lab| life_of_a_pair(lab, case, [&Daemon::debian(), &Daemon::ours()]));
        })* }
    };
}

pairs! {
    ipv4_multicast_v2: V4 Multicast V2;
    ipv4_multicast_v3: V4 Multicast V3;
    ipv4_unicast_v2: V4 Unicast V2;
    ipv4_unicast_v3: V4 Unicast V3;
    ipv6_multicast_v2: V6 Multicast V2;
    ipv6_multicast_v3: V6 Multicast V3;
    ipv6_unicast_v2: V6 Unicast V2;
    ipv6_unicast_v3: V6 Unicast V3;
}
