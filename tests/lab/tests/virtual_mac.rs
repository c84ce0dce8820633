//! Virtual MACs and the firewall: what our daemon makes is what Debian's keepalived makes for the same file, as `ip -d -j`, `nft list ruleset`
//! and `/proc/sys` show it; clients do not notice a failover.

use anyhow::Result;
use keepalived_lab::{Case, Daemon, Instance, Lab, Mac, Router, only_ours, patience, trial, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

const PLAIN: Case = Case::PLAIN;
const VRID: u8 = 7;
const NAME: &str = "vrrp.7";
const MAC: Mac = Mac([0, 0, 0x5e, 0, 1, VRID]);

/// What is there, in lines.
fn there(router: &Router) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let links = router.namespace().json("-d addr show")?;
    let mut names = Vec::new();
    for link in links.as_array().into_iter().flatten().filter(|link| link["ifname"] != "lo") {
        let mut link = link.clone();
        let name = link["ifname"].as_str().unwrap_or_default().to_owned();
        let addresses = link["addr_info"].take();
        if let Some(fields) = link.as_object_mut() {
            fields.retain(|field, _| !["ifindex", "addr_info", "link_index"].contains(&field.as_str()));
        }
        found.push(format!("link {link}"));
        for mut address in addresses.as_array().cloned().unwrap_or_default() {
            // keepalived 2.2 does not say who set it
            if let Some(fields) = address.as_object_mut() {
                fields.remove("protocol");
            }
            found.push(format!("{name} has {address}"));
        }
        names.push(name);
    }
    names.extend(["all".to_owned(), "default".to_owned()]);
    for name in names {
        // links below a virtual MAC have the filter that was for all: ours more of them than Debian's
        let settings = ["arp_ignore", "arp_filter", "accept_local", "promote_secondaries"].into_iter();
        let below = name.starts_with("eth") || name.starts_with("far");
        for setting in settings.chain((!below).then_some("rp_filter")) {
            let path = format!("/proc/sys/net/ipv4/conf/{name}/{setting}");
            found.push(format!("{path}: {}", router.namespace().run(&format!("cat {path}"))?.trim()));
        }
        let path = format!("/proc/sys/net/ipv6/conf/{name}/addr_gen_mode");
        found.push(format!("{path}: {}", router.namespace().run(&format!("cat {path}"))?.trim()));
    }
    found.push(rules(router)?);
    found.sort();
    Ok(found)
}

/// Rules of the packet filter, without what they have counted.
fn rules(router: &Router) -> Result<String> {
    let text = router.namespace().run("nft list ruleset")?;
    let mut words = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let after = |what: &str| words.last().is_some_and(|last: &&str| last.trim() == what);
        let is_number = word.trim().bytes().all(|octet| octet.is_ascii_digit()) && !word.trim().is_empty();
        words.push(if is_number && (after("packets") || after("bytes")) { "N " } else { word });
    }
    Ok(without_what_came_later(&words.concat()))
}

/// keepalived 2.4 has the set `parent_link_local` and a rule that looks into it; Debian's has not.
fn without_what_came_later(rules: &str) -> String {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in rules.lines() {
        inside |= line.trim().starts_with("set parent_link_local");
        if !inside && !line.contains("@parent_link_local") {
            lines.push(line);
        }
        // with the empty line behind it
        inside &= !line.trim().is_empty();
    }
    lines.join("\n")
}

fn run(router: &Router, daemon: &Daemon, text: &str, address: &str) -> Result<(Vec<String>, Vec<String>)> {
    let running = router.start(daemon, &daemon.to_string(), text)?;
    wait_until("the address is there", patience(Duration::from_secs(8)), || router.has(address.parse()?))?;
    let mut before = Vec::new();
    wait_until("it has come to rest", patience(Duration::from_secs(8)), || {
        std::thread::sleep(Duration::from_millis(300));
        let now = there(router)?;
        let same = now == before;
        before = now;
        Ok(same)
    })?;
    running.stop()?;
    Ok((before, there(router)?))
}

fn file(globals: &str, interface: &str, lines: &str) -> String {
    format!(
        "global_defs {{\n {globals}\n}}\nvrrp_instance A {{\n interface {interface}\n virtual_router_id {VRID}\n priority 200\n {lines}\n}}\n"
    )
}

#[test]
fn what_we_make_is_what_keepalived_makes() {
    if !only_ours() {
        return;
    }
    trial("vmac", |lab| {
        let router = lab.router(0);
        router.namespace().ip(
            "link add eth5 type veth peer name far5\nlink set eth5 up\nlink set far5 up\naddress add 198.51.100.1/24 dev eth5\n",
        )?;
        router.namespace().run("sysctl -qw net.ipv4.conf.all.rp_filter=1")?;
        std::thread::sleep(Duration::from_secs(2));
        let usual = "virtual_ipaddress {\n 10.0.1.7/16\n 10.0.1.8 dev eth0\n }";
        let elsewhere =
            "virtual_ipaddress {\n 10.0.1.7/16\n 198.51.100.7/24 dev eth5\n 198.51.100.8 dev eth5 use_vmac\n }";
        let six = "virtual_ipaddress {\n fe80::107\n fd00::107/64\n }";
        let closed = "virtual_ipaddress {\n 10.0.1.7/16\n }\n virtual_ipaddress_excluded {\n fd00::107/64\n fe80::107\n }\n no_accept";
        let cases = [
            ("plain", String::new(), format!("use_vmac\n {usual}")),
            ("named", String::new(), format!("use_vmac foo 02:00:00:00:aa\n {usual}")),
            ("base", "vmac_prefix much_too_long_a_name".to_owned(), format!("use_vmac\n vmac_xmit_base\n {usual}")),
            ("elsewhere", String::new(), format!("use_vmac\n {elsewhere}")),
            ("all elsewhere", "vmac_addr_prefix va".to_owned(), format!("use_vmac\n use_vmac_addr\n {elsewhere}")),
            ("none of its own", String::new(), format!("use_vmac_addr\n {elsewhere}")),
            ("IPv6", String::new(), format!("use_vmac\n {six}")),
            ("no_accept", "nftables_ifindex".to_owned(), closed.to_owned()),
            (
                "no_accept with a virtual MAC",
                "nftables foo\n nftables_priority -7\n nftables_counters\n nftables_ifindex".to_owned(),
                format!("use_vmac\n no_accept\n {usual}"),
            ),
            ("no_accept IPv6", "nftables_ifindex".to_owned(), format!("use_vmac\n no_accept\n {six}")),
        ];
        let clean = there(router)?;
        let mut found = Vec::new();
        for (about, globals, lines) in cases {
            let text = file(&globals, "eth0", &lines);
            let address = if lines.contains("fe80::107\n fd00") && !lines.contains("10.0.1.7") {
                "fd00::107"
            } else {
                "10.0.1.7"
            };
            let (ours, rest) = run(router, &Daemon::ours(), &text, address)?;
            let (theirs, _) = run(router, &Daemon::debian(), &text, address)?;
            // Debian's leaves these; and 2.4 sets them on an IPv6 one, too
            for link in ["eth0", "eth5"] {
                let path = format!("net.ipv4.conf.{link}.arp_");
                router
                    .namespace()
                    .run(&format!("sysctl -qw {path}ignore=0 {path}filter=0 net.ipv4.conf.{link}.rp_filter=0"))?;
            }
            let of_ipv6 = |line: &&String| !(line.contains("arp_ignore") && lines.contains("fe80::107\n fd00"));
            let differ = |what, one: &[String], other: &[String]| -> Vec<String> {
                let only = one.iter().filter(|line| !other.contains(line)).filter(of_ipv6);
                only.map(|line| format!("{about}: {what}: {line}")).collect()
            };
            found.extend(differ("Debian's only", &theirs, &ours));
            found.extend(differ("ours only", &ours, &theirs));
            // rp_filter of links stays as strict as that of all was
            let rest: Vec<String> = rest.into_iter().filter(|line| !line.contains("rp_filter")).collect();
            found.extend(differ("left by ours", &rest, &clean));
        }
        assert!(found.is_empty(), "{found:#?}");
        Ok(())
    });
}

fn text(lab: &Lab, router: usize, more: &str) -> String {
    let priority = if router == 0 { 200 } else { 100 };
    Instance::new(PLAIN, priority).with("use_vmac").with(more).alone(lab.router(router), &[])
}

/// The MAC address that `client` has for the virtual address.
fn neighbour(lab: &Lab) -> Result<String> {
    let entries = lab.observer().json("neigh show dev br0 to 10.0.1.7")?;
    Ok(entries[0]["lladdr"].as_str().unwrap_or_default().to_owned())
}

fn reaches(lab: &Lab) -> bool {
    lab.observer().run("ping -c 1 -W 1 -n 10.0.1.7").is_ok()
}

#[test]
fn a_client_notices_no_failover() {
    if !only_ours() {
        return;
    }
    for more in ["", "vmac_xmit_base"] {
        trial("vmac-failover", |lab| {
            let (a, b) = (lab.router(0), lab.router(1));
            lab.observer().ip("address add 10.0.0.99/16 dev br0\n")?;
            let first = a.start(&Daemon::ours(), "d", &text(lab, 0, more))?;
            let _second = b.start(&Daemon::ours(), "d", &text(lab, 1, more))?;
            let vip = PLAIN.vip(VRID);
            wait_until("a is master", patience(Duration::from_secs(8)), || Ok(lab.holders(vip)? == [0]))?;
            wait_until("it answers", patience(Duration::from_secs(4)), || Ok(reaches(lab)))?;
            assert_eq!(neighbour(lab)?, MAC.to_string());
            let adverts = lab.capture().events()?;
            let from = if more.is_empty() { MAC } else { a.mac(0) };
            let adverts: Vec<_> = adverts.iter().filter(|event| event.advert().is_some()).collect();
            assert!(adverts.iter().all(|event| event.mac == from), "{adverts:#?}");
            let announced = lab.capture().events()?;
            let announced: Vec<_> = announced.iter().filter(|event| event.announces() == Some(vip)).collect();
            // replies leave by the interface below, as with keepalived, and a request that goes before one must not name the virtual address: the
            // client would learn the MAC address of that interface
            a.namespace().ip("neigh flush dev eth0\n")?;
            assert!(reaches(lab));
            assert!(!announced.is_empty() && announced.iter().all(|event| event.mac == MAC), "{announced:#?}");
            // the host's own address stays where it is, and has its own MAC address
            assert!(lab.observer().run("ping -c 1 -W 1 -n 10.0.0.1").is_ok());
            let own = lab.observer().json("neigh show dev br0 to 10.0.0.1")?;
            assert_eq!(own[0]["lladdr"], a.mac(0).to_string().as_str());
            let mark = lab.capture().mark()?;
            first.stop()?;
            wait_until("b is master", patience(Duration::from_secs(8)), || Ok(lab.holders(vip)? == [1]))?;
            wait_until("it answers", patience(Duration::from_secs(4)), || Ok(reaches(lab)))?;
            assert_eq!(neighbour(lab)?, MAC.to_string());
            let asked = lab.capture().since(mark)?;
            assert!(asked.iter().all(|event| event.announces() != Some(vip) || event.mac == MAC), "{asked:#?}");
            Ok(())
        });
    }
}

fn index(router: &Router, name: &str) -> Option<u64> {
    let links = router.namespace().json(&format!("link show dev {name}")).ok()?;
    links[0]["ifindex"].as_u64()
}

fn setting(router: &Router, what: &str) -> Result<String> {
    Ok(router.namespace().run(&format!("cat /proc/sys/net/ipv4/conf/{what}"))?.trim().to_owned())
}

#[test]
fn it_comes_back_whatever_happens_to_it_and_nothing_is_left() {
    if !only_ours() {
        return;
    }
    trial("vmac-hard", |lab| {
        let a = lab.router(0);
        let vip = PLAIN.vip(VRID);
        a.namespace().run("sysctl -qw net.ipv4.conf.all.rp_filter=2")?;
        let mut running = a.start(&Daemon::ours(), "d", &text(lab, 0, "no_accept"))?;
        let long = patience(Duration::from_secs(10));
        let holds = |lab: &Lab| -> Result<bool> {
            let address = lab.router(0).address(vip)?;
            Ok(address.is_some_and(|address: Value| address["ifname"] == NAME))
        };
        wait_until("it is master", long, || holds(lab))?;
        a.namespace().run(&format!("ip link del {NAME}"))?;
        wait_until("it is gone for a moment", long, || Ok(!holds(lab)?))?;
        wait_until("it is master again", long, || holds(lab))?;
        let before = index(a, NAME);
        // the next process takes it over
        keepalived_lab::crash(running.vrrp_pid()?);
        wait_until("another process is there", long, || {
            Ok(running.log().contains("died") || running.vrrp_pid().is_ok())
        })?;
        std::thread::sleep(Duration::from_millis(500));
        assert!(holds(lab)?);
        assert_eq!(index(a, NAME), before);
        lab.pull(0, 0)?;
        wait_until("it is gone", long, || Ok(!holds(lab)?))?;
        lab.plug(0, 0)?;
        wait_until("it is master again", long, || holds(lab))?;
        let ruleset = rules(a)?;
        assert!(ruleset.contains("vmac_map") && ruleset.contains("@vips drop"), "{ruleset}");
        assert_eq!(setting(a, "all/rp_filter")?, "0");
        running.signal(Signal::KILL)?;
        running.wait(long)?;
        wait_until("nothing is left", long, || Ok(index(a, NAME).is_none() && rules(a)?.trim().is_empty()))?;
        wait_until("settings are as before", long, || {
            let settings = ["all/rp_filter", "eth0/arp_ignore", "eth0/arp_filter", "eth0/arp_announce"]
                .map(|what| setting(a, what));
            Ok(settings.into_iter().collect::<Result<Vec<_>>>()? == ["2", "0", "0", "0"])
        })?;
        Ok(())
    });
}

// as when a host driver is loaded anew
#[test]
fn it_follows_an_interface_that_is_made_again() {
    if !only_ours() {
        return;
    }
    trial("vmac-again", |lab| {
        let a = lab.router(0);
        let make = "link add eth5 type veth peer name far5\nlink set eth5 up\nlink set far5 up\naddress add 10.9.0.1/16 dev eth5\n";
        a.namespace().ip(make)?;
        let config = file("dynamic_interfaces", "eth5", "use_vmac\n virtual_ipaddress {\n 10.9.1.7/16\n }");
        let running = a.start(&Daemon::ours(), "d", &config)?;
        let vip = "10.9.1.7".parse()?;
        let long = patience(Duration::from_secs(10));
        wait_until("it is master", long, || a.has(vip))?;
        a.namespace().ip("link del eth5\n")?;
        wait_until("the address is gone", long, || Ok(!a.has(vip)?))?;
        std::thread::sleep(Duration::from_millis(300));
        a.namespace().ip(make)?;
        wait_until("it is master again", long, || a.has(vip))?;
        assert_eq!(a.address(vip)?.map(|address| address["ifname"].clone()), Some(NAME.into()));
        running.stop()?;
        assert_eq!(index(a, NAME), None);
        Ok(())
    });
}

// the supervisor removes what no vrrp process does
#[test]
fn a_daemon_that_stops_without_its_vrrp_process_takes_the_links_along() {
    if !only_ours() {
        return;
    }
    trial("vmac-worn-out", |lab| {
        let a = lab.router(0);
        let running = a.start(&Daemon::ours(), "d", &text(lab, 0, ""))?;
        let long = patience(Duration::from_secs(10));
        wait_until("it is master", long, || a.has(PLAIN.vip(VRID)))?;
        for _ in 0..5 {
            let pid = running.vrrp_pid()?;
            rustix::process::kill_process(pid, Signal::KILL)?;
            std::thread::sleep(Duration::from_millis(400));
        }
        let status = running.stop()?;
        assert!(status.success(), "{status}");
        assert_eq!((index(a, NAME), rules(a)?.trim()), (None, ""));
        assert_eq!(setting(a, "eth0/arp_ignore")?, "0");
        Ok(())
    });
}
