//! Routes, rules and static addresses: what our daemon installs is what Debian's keepalived installs for the same file, as
//! `ip -d -j` shows it.

use anyhow::Result;
use keepalived_lab::{Case, Daemon, Instance, Lab, Router, only_ours, patience, trial, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

const VRID: u8 = 7;
const PLAIN: Case = Case::PLAIN;

/// Lines of routes, by what they are about.
const ROUTES: &[(&str, &[&str])] = &[
    (
        "ways",
        &[
            "10.90.0.0/16 via 10.0.0.250 dev eth0",
            "10.91.0.0/16 via 10.0.0.250",
            "10.92.0.0/16 dev eth0",
            "inet to 10.93.0.0/16 dev eth0",
            "10.94.0.7 dev eth0",
            "default via 10.0.0.250 dev eth0 metric 5",
            "blackhole 10.95.0.0/16",
            "unreachable 10.95.1.0/24",
            "prohibit 10.95.2.0/24",
            "throw 10.95.3.0/24",
            "local 10.96.0.0/16 dev eth0 table 1000 scope host",
            "broadcast 10.97.0.255 dev eth0 table 1000 scope link",
            "anycast 10.97.1.255 dev eth0 table 1000 scope link",
        ],
    ),
    (
        "attributes",
        &[
            "10.90.0.0/16 via 10.0.0.250 dev eth0 src 10.0.1.7",
            "10.91.0.0/16 via 10.0.0.250 dev eth0 tos 0x10",
            "10.92.0.0/16 via 10.0.0.250 dev eth0 table 77",
            "10.93.0.0/16 via 10.0.0.250 dev eth0 table 100000 metric 3",
            "10.93.0.0/16 via 10.0.0.251 dev eth0 table 100000 metric 2",
            "10.94.0.0/16 dev eth0 scope host",
            "10.95.0.0/16 dev eth0 scope global priority 9",
            "10.96.0.0/16 via 10.0.0.250 dev eth0 protocol static no_track table 78",
            "10.97.0.0/16 via 10.0.0.250 dev eth0 no_track",
            "10.98.0.0/16 via 198.18.0.1 dev eth0 onlink",
            "10.99.0.0/16 via 10.0.0.250 dev eth0 add",
            "10.99.0.0/16 via 10.0.0.251 dev eth0 append",
            "10.99.0.0/16 via 10.0.0.252 dev eth0 prepend",
        ],
    ),
    (
        "metrics",
        &[
            "10.90.0.0/16 via 10.0.0.250 dev eth0 mtu 1400 hoplimit 10 advmss 1360",
            "10.91.0.0/16 via 10.0.0.250 dev eth0 mtu lock 1400 advmss lock 1360",
            "10.92.0.0/16 via 10.0.0.250 dev eth0 rtt 300ms rttvar 400ms rto_min 500ms",
            "10.93.0.0/16 via 10.0.0.250 dev eth0 rtt lock 1s rttvar lock 2s rto_min lock 3s",
            "10.94.0.0/16 via 10.0.0.250 dev eth0 reordering 5 window 6 cwnd 7 ssthresh 8",
            "10.95.0.0/16 via 10.0.0.250 dev eth0 reordering lock 5 cwnd lock 7 ssthresh lock 8",
            "10.96.0.0/16 via 10.0.0.250 dev eth0 initcwnd 11 initrwnd 12 quickack 1 fastopen_no_cookie 1",
            "10.97.0.0/16 via 10.0.0.250 dev eth0 features ecn congctl reno",
            "10.98.0.0/16 via 10.0.0.250 dev eth0 congctl lock reno",
        ],
    ),
    (
        "hops",
        &[
            "10.90.0.0/16 nexthop via 10.0.0.250 dev eth0 weight 3 nexthop via 10.0.0.251 dev eth0",
            "10.91.0.0/16 nexthop via 10.0.0.250 nexthop via 198.18.0.1 dev eth0 weight 256 onlink",
        ],
    ),
    (
        "IPv6",
        &[
            "fd90::/64 via fd00::250 dev eth0",
            "fd91::/64 dev eth0",
            "fd92::/64 via fe80::250 dev eth0 metric 5",
            "fd93::/64 via fd00::250 dev eth0 table 77 pref high",
            "fd94::/64 via fd00::250 dev eth0 pref low mtu 1400 hoplimit 10",
            "fd95::/64 via fd00::250 dev eth0 expires 1000",
            "fd96::/64 nexthop via fd00::250 dev eth0 weight 2 nexthop via fd00::251 dev eth0",
            "blackhole fd97::/64",
            "unreachable fd97:1::/64",
            "default6 via fd00::250 dev eth0 metric 5",
        ],
    ),
    (
        "tunnels",
        &[
            "10.90.0.0/16 via 10.0.0.250 dev eth0 encap ip id 7 dst 10.0.0.9 src 10.0.0.8 tos 4 ttl 9",
            "10.91.0.0/16 via 10.0.0.250 dev eth0 encap ip6 id 7 dst fd00::9 src fd00::8 tc 4 hoplimit 9",
            "10.92.0.0/16 via 10.0.0.250 dev eth0 encap mpls 100/200",
        ],
    ),
];

const RULES: &[&str] = &[
    "from 10.90.0.0/16 to 10.91.0.7 table 5 preference 100",
    "from all lookup 6 priority 101",
    "not from 10.90.0.0/16 table 100000 order 102",
    "iif eth0 table 5 preference 103",
    "oif eth0 table 5 preference 104",
    "from all tos 0x10 table 5 preference 105",
    "fwmark 0x10 table 5 preference 106",
    "fwmark 1/0xff table 5 preference 107",
    "from all table 5 suppress_prefixlength 0 preference 108",
    "from all table 5 suppress_ifgroup 3 preference 109",
    "from all tunnel-id 9 table 5 preference 110",
    "uidrange 1000-1999 table 5 preference 111",
    "from all ipproto tcp sport 1024-60000 dport 80-80 table 5 preference 112",
    "from all goto 200 preference 114",
    "from all type nop preference 115",
    "from 10.90.0.0/16 blackhole preference 116",
    "from 10.90.0.0/16 type unreachable preference 117",
    "from 10.90.0.0/16 prohibit preference 118",
    "from all table 5 no_track preference 119",
    "from fd90::/64 table 5 preference 121",
    "to fd90::7 iif eth0 table 5 preference 122",
    "from 10.90.0.0/16 table 5 preference 200",
];

const ADDRESSES: &[&str] = &[
    "10.0.9.1/24 dev eth0",
    "10.0.8.2/24 brd + dev eth0 label eth0:s scope link",
    "10.0.9.3 peer 10.0.9.4 dev eth0",
    "10.0.9.5/24 dev eth0 noprefixroute",
    "fd00:9::1/64 dev eth0",
    "fd00:9::2/128 dev eth0",
];

/// What was asked for, as `ip` shows it; of an address not who set it: keepalived 2.2 does not say.
fn installed(router: &Router) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for family in ["-4", "-6"] {
        for protocol in ["keepalived", "static"] {
            let routes = router.namespace().json(&format!("-d {family} route show table all proto {protocol}"))?;
            found.extend(entries(&routes).map(|route| format!("route {}", without(route, &["expires", "flags"]))));
        }
        let rules = router.namespace().json(&format!("-d {family} rule show"))?;
        let own = |rule: &&Value| rule["priority"] != 0 && rule["priority"].as_u64() < Some(32_766);
        found.extend(entries(&rules).filter(own).map(|rule| format!("rule {rule}")));
    }
    let links = router.namespace().json("-d addr show dev eth0")?;
    let addresses = entries(&links).flat_map(|link| entries(&link["addr_info"]));
    found.extend(addresses.map(|address| format!("address {}", without(address, &["protocol"]))));
    found.sort();
    Ok(found)
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten().filter(|entry| entry.as_object().is_some_and(|fields| !fields.is_empty()))
}

fn without(entry: &Value, fields: &[&str]) -> Value {
    let mut entry = entry.clone();
    if let Some(object) = entry.as_object_mut() {
        fields.iter().for_each(|field| drop(object.remove(*field)));
    }
    entry
}

/// Runs `daemon` until it has its address and what it installs has come to rest; then what is there, and what is left after its end.
fn run(router: &Router, daemon: &Daemon, text: &str) -> Result<(Vec<String>, Vec<String>)> {
    let running = router.start(daemon, &daemon.to_string(), text)?;
    wait_until("the address is there", patience(Duration::from_secs(6)), || router.has(PLAIN.vip(VRID)))?;
    let mut before = Vec::new();
    wait_until("it has come to rest", patience(Duration::from_secs(6)), || {
        std::thread::sleep(Duration::from_millis(300));
        let now = installed(router)?;
        let same = now == before;
        before = now;
        Ok(same)
    })?;
    running.stop()?;
    Ok((before, installed(router)?))
}

/// Where what ours installs for `text` differs from what Debian's does, and what ours leaves behind.
fn differences(lab: &Lab, about: &str, text: &str) -> Result<Vec<String>> {
    let router = lab.router(0);
    let clean = installed(router)?;
    // first: Debian's leaves an address that has a peer
    let (ours, our_rest) = run(router, &Daemon::ours(), text)?;
    let (theirs, _their_rest) = run(router, &Daemon::debian(), text)?;
    let only = |what, one: &[String], other: &[String]| -> Vec<String> {
        one.iter().filter(|line| !other.contains(line)).map(|line| format!("{about}: {what}: {line}")).collect()
    };
    anyhow::ensure!(ours.len() > clean.len() + 1, "{about}: nothing was installed");
    let lists = [
        only("Debian's only", &theirs, &ours),
        only("ours only", &ours, &theirs),
        only("left by ours", &our_rest, &clean),
    ];
    Ok(lists.concat())
}

#[test]
fn what_we_install_is_what_keepalived_installs() {
    if !only_ours() {
        return;
    }
    trial("routes", |lab| {
        let router = lab.router(0);
        let mut found = Vec::new();
        for (about, lines) in ROUTES {
            let block = format!("virtual_routes {{\n {}\n }}", lines.join("\n "));
            found.extend(differences(lab, about, &Instance::new(PLAIN, 200).with(&block).alone(router, &[]))?);
        }
        let block = format!("virtual_rules {{\n {}\n }}", RULES.join("\n "));
        found.extend(differences(lab, "rules", &Instance::new(PLAIN, 200).with(&block).alone(router, &[]))?);
        assert!(found.is_empty(), "{found:#?}");
        Ok(())
    });
}

#[test]
fn what_is_static_is_what_keepalived_installs() {
    if !only_ours() {
        return;
    }
    trial("static", |lab| {
        let router = lab.router(0);
        let routes = ["10.90.0.0/16 via 10.0.0.250 dev eth0 src 10.0.9.1", "10.91.0.0/16 dev eth0 table 7"];
        let text = format!(
            "static_ipaddress {{\n {}\n}}\nstatic_routes {{\n {}\n}}\nstatic_rules {{\n {}\n}}\n",
            ADDRESSES.join("\n "),
            routes.join("\n "),
            RULES.join("\n ")
        );
        let found = differences(lab, "static", &(Instance::new(PLAIN, 200).alone(router, &[]) + &text))?;
        assert!(found.is_empty(), "{found:#?}");
        Ok(())
    });
}

/// Destinations of the routes of ours, and preferences of the rules.
fn ours(router: &Router) -> Result<Vec<String>> {
    let routes = router.namespace().json("route show table all proto keepalived")?;
    let rules = router.namespace().json("rule show")?;
    let destinations = entries(&routes).map(|route| route["dst"].as_str().unwrap_or_default().to_owned());
    let own = |rule: &&Value| rule["priority"] != 0 && rule["priority"].as_u64() < Some(32_766);
    Ok(destinations.chain(entries(&rules).filter(own).map(|rule| rule["priority"].to_string())).collect())
}

const BOTH: &str = "virtual_routes {\n 10.90.0.0/16 via 10.0.0.250 dev eth0 src 10.0.1.7\n }\n virtual_rules {\n from 10.90.0.0/16 table 5 preference 100\n }";

fn comes(router: &Router, expected: &[&str]) -> Result<()> {
    wait_until(&format!("{expected:?} are there"), patience(Duration::from_secs(4)), || Ok(ours(router)? == expected))
}

#[test]
fn they_follow_the_master_and_return_whatever_happens_to_them() {
    if !only_ours() {
        return;
    }
    trial("follow", |lab| {
        let (a, b) = (lab.router(0), lab.router(1));
        let text = |router| {
            Instance::new(PLAIN, if router == 0 { 200 } else { 100 }).with(BOTH).alone(lab.router(router), &[])
        };
        let running = a.start(&Daemon::ours(), "d", &text(0))?;
        let _b = b.start(&Daemon::ours(), "d", &text(1))?;
        let there = ["10.90.0.0/16", "100"];
        comes(a, &there)?;
        assert!(ours(b)?.is_empty());
        for line in [
            "ip route del 10.90.0.0/16 proto keepalived",
            "ip rule del preference 100",
            "ip address del 10.0.1.7/16 dev eth0",
        ] {
            a.namespace().run(line)?;
            comes(a, &there)?;
        }
        // the vrrp process dies, and the next one has them
        keepalived_lab::crash(running.vrrp_pid()?);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(ours(a)?, there);
        a.namespace().ip("link set eth0 down\n")?;
        comes(b, &there)?;
        comes(a, &[])?;
        a.namespace().ip("link set eth0 up\n")?;
        comes(a, &there)?;
        comes(b, &[])?;
        running.stop()?;
        assert!(ours(a)?.is_empty());
        comes(b, &there)
    });
}

#[test]
fn a_dead_daemon_leaves_neither_routes_nor_rules() {
    if !only_ours() {
        return;
    }
    trial("dead", |lab| {
        let a = lab.router(0);
        let statics =
            "static_ipaddress {\n 10.0.9.1/24 dev eth0\n}\nstatic_routes {\n 10.91.0.0/16 via 10.0.0.250 dev eth0\n}\n";
        let text = statics.to_owned() + &Instance::new(PLAIN, 200).with(BOTH).alone(a, &[]);
        let mut running = a.start(&Daemon::ours(), "d", &text)?;
        comes(a, &["10.90.0.0/16", "10.91.0.0/16", "100"])?;
        running.signal(Signal::KILL)?;
        running.wait(patience(Duration::from_secs(5)))?;
        comes(a, &[])?;
        assert!(!a.has("10.0.9.1".parse()?)?);
        Ok(())
    });
}
