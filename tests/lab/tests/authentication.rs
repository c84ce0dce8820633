//! Adverts that are authenticated: by AH beside Debian's keepalived, by auth_hmac between two of ours (2.2.7 has none).

use anyhow::Result;
use keepalived_lab::{Case, Cast, Daemon, Family, Instance, Lab, Version, patience, trial, wait_until};

const VRID: u8 = 7;

fn held_by(lab: &Lab, case: Case, routers: &[usize]) -> Result<()> {
    wait_until(&format!("the routers {routers:?} have the address"), patience(case.interval() * 6), || {
        Ok(lab.holders(case.vip(VRID))? == routers)
    })
}

/// Both understand each other: the lower priority yields, stays silent, and takes over from a router that dies.
fn understand_each_other(lab: &Lab, case: Case, lines: &str, daemons: [&Daemon; 2]) -> Result<()> {
    let [a, b] = [lab.router(0), lab.router(1)];
    let [high, low] = [Instance::new(case, 200).with(lines), Instance::new(case, 100).with(lines)];
    let _b = b.start(daemons[1], "d", &low.alone(b, &[a]))?;
    held_by(lab, case, &[1])?;
    let running_a = a.start(daemons[0], "d", &high.alone(a, &[b]))?;
    held_by(lab, case, &[0])?;
    std::thread::sleep(case.interval() * 6);
    assert_eq!(lab.holders(case.vip(VRID))?, [0], "the lower priority hears the higher one");
    // it leaves politely, comes back, and is heard again
    running_a.stop()?;
    held_by(lab, case, &[1])?;
    let running_a = a.start(daemons[0], "d", &high.alone(a, &[b]))?;
    held_by(lab, case, &[0])?;
    running_a.crash()?;
    wait_until("the backup takes over", patience(case.interval() * 6), || b.has(case.vip(VRID)))
}

/// Neither believes the other.
fn misunderstand(lab: &Lab, case: Case, lines: [&str; 2], daemons: [&Daemon; 2]) -> Result<()> {
    let [a, b] = [lab.router(0), lab.router(1)];
    let _a = a.start(daemons[0], "d", &Instance::new(case, 200).with(lines[0]).alone(a, &[b]))?;
    let _b = b.start(daemons[1], "d", &Instance::new(case, 100).with(lines[1]).alone(b, &[a]))?;
    held_by(lab, case, &[0, 1])
}

const fn case(family: Family, cast: Cast, version: Version) -> Case {
    Case { family, cast, version }
}

const AH: &str = "authentication {\nauth_type AH\nauth_pass secret\n}";
const OTHER_AH: &str = "authentication {\nauth_type AH\nauth_pass another\n}";
const V2: Case = case(Family::V4, Cast::Multicast, Version::V2);

#[test]
fn debian_yields_to_our_header() {
    trial("ah our master", |lab| understand_each_other(lab, V2, AH, [&Daemon::ours(), &Daemon::debian()]));
}

#[test]
fn we_yield_to_the_header_of_debian() {
    trial("ah our backup", |lab| understand_each_other(lab, V2, AH, [&Daemon::debian(), &Daemon::ours()]));
}

#[test]
fn headers_over_unicast_are_understood_both_ways() {
    let unicast = case(Family::V4, Cast::Unicast, Version::V2);
    trial("ah unicast", |lab| understand_each_other(lab, unicast, AH, [&Daemon::ours(), &Daemon::debian()]));
}

#[test]
fn another_password_in_the_header_makes_two_masters() {
    trial("ah other password", |lab| misunderstand(lab, V2, [AH, OTHER_AH], [&Daemon::ours(), &Daemon::debian()]));
}

const HMAC: &str = "auth_hmac {\nkey 1 0123456789abcdef0123456789abcdef\nactive_key 1\n}";
const OTHER_HMAC: &str = "auth_hmac {\nkey 1 fedcba9876543210fedcba9876543210\nactive_key 1\n}";

#[test]
fn signatures_are_understood_over_both_families() {
    for (name, case) in [
        ("hmac ipv4", Case::PLAIN),
        ("hmac ipv4 v2", V2),
        ("hmac ipv6", case(Family::V6, Cast::Multicast, Version::V3)),
        ("hmac ipv6 unicast", case(Family::V6, Cast::Unicast, Version::V3)),
    ] {
        trial(name, |lab| understand_each_other(lab, case, HMAC, [&Daemon::ours(), &Daemon::ours()]));
    }
}

#[test]
fn another_key_makes_two_masters() {
    let ours = [&Daemon::ours(), &Daemon::ours()];
    trial("hmac other key", |lab| misunderstand(lab, Case::PLAIN, [HMAC, OTHER_HMAC], ours));
}
