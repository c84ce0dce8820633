//! The files that signals ask for: ours are those of Debian's keepalived 2.2.7 for the same configuration in the same situation, but
//! for what keepalived changed until 2.4.3, and for what docs/differences.md says. Each row of the tables has to be needed.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{Builder, Daemon, Filter, Lab, Running, only_ours, patience, trial_in, wait_until};
use serde_json::Value;

/// How a line of 2.2.7 became one of 2.4.3.
enum Change {
    /// 2.4.3 has lines that begin like this, 2.2.7 has not.
    New(&'static str),
    /// 2.2.7 has them, 2.4.3 has not.
    Gone(&'static str),
    /// The line has other words.
    Is(&'static str, &'static str),
}
use Change::{Gone, Is, New};

/// As read in the releases between the two, and seen in what both write.
const SINCE_2_2_7: &[Change] = &[
    New(" Replace symlinks in script paths"),
    New(" Don't set supplementary groups for all scripts"),
    New(" Use VRRPv2 checksum for VRRPv3 IPv4 = no"),
    New(" SNMP VS stats update interval = "),
    New(" SNMP RS stats update interval = "),
    New(" DBus no interface name = none"),
    New(" json_version 1"),
    New(" iproute usr directory "),
    New(" iproute etc directory "),
    Is("   Master advert int = 0.50 sec", "   Master advert interval = 500 milli-sec"),
    // the same again, after the interval of its own
    Gone("   Master advert interval = "),
    Gone("   Number of interface and track script faults = "),
    New("   Number of tracker faults = "),
    New("   Flags of interface faults"),
    New("     unspecified"),
    New("     i/f down"),
    New("   Highest other priority = 0"),
    New("   Last advert sent = "),
    New("   VRRPv3 uses VRRPv2 checksum = disabled"),
    New("   Group = 0"),
];

/// What both have and we leave out (docs/differences.md), by how it begins.
const LEFT_OUT: &[&str] = &[
    " libnftnl version",
    "   fd_in ",
    "   Seen up = ",
    "   Delayed state change running = ",
    "   NIC netlink status update",
    "   Reset ARP config counter",
    "   Original arp_ignore",
    "   Original arp_filter",
    "   Original promote_secondaries",
    "   Reset promote_secondaries counter",
];

/// Once it has sent an unsolicited advertisement.
const LEFT_OUT_IF_THERE: &[&str] = &["   Not IPv6 forwarding", "   IPv6 forwarding"];

const SECTION_LEFT_OUT: &str = "------< VRRP Sockpool >------";

/// What only we have.
const OURS: &[&str] = &["   Faults = ", "   Last result = "];

/// In it each tracker has a `Last transition`, which is ours.
const TRACKERS: &str = "------< VRRP Scripts >------";

const CONFIGURATION: &str = "
global_defs {
  router_id lab
  script_user root
  vrrp_garp_master_delay 2
}
vrrp_script good {
  script /usr/bin/true
  interval 1
  weight 3
  rise 2
  fall 3
}
vrrp_script bad {
  script /usr/bin/false
  interval 1
}
track_file number {
  file FOLDER/number
  weight 2
}
vrrp_instance BACK2 {
  interface eth0
  virtual_router_id 51
  virtual_ipaddress {
    10.0.1.51/16
  }
  track_interface {
    eth1 weight 4
  }
  track_script {
    good
  }
}
vrrp_instance BACK3 {
  interface eth0
  version 3
  advert_int 0.5
  virtual_router_id 52
  priority 90
  nopreempt
  virtual_ipaddress {
    10.0.1.52/16
  }
}
vrrp_instance BAD {
  interface eth0
  virtual_router_id 53
  virtual_ipaddress {
    10.0.1.53/16
  }
  track_script {
    bad
  }
  notify_fault \"/usr/bin/true fault\"
}
vrrp_instance HIGH {
  interface eth0
  virtual_router_id 54
  priority 254
  smtp_alert
  virtual_ipaddress {
    10.0.1.54/16 label eth0:x
  }
  virtual_ipaddress_excluded {
    10.0.1.55/16
  }
  virtual_routes {
    10.98.0.0/16 via 10.0.0.251 dev eth0 metric 7
  }
  virtual_rules {
    from 10.0.1.54 lookup 100 priority 700
  }
  track_script {
    good
  }
}
vrrp_instance UNI {
  interface eth0
  virtual_router_id 56
  priority 80
  unicast_src_ip SOURCE
  unicast_peer {
    10.0.0.200
  }
  virtual_ipaddress {
    10.0.1.56
  }
  track_file {
    number
  }
}
vrrp_instance SIX {
  interface eth0
  version 3
  virtual_router_id 57
  priority 70
  virtual_ipaddress {
    fe80::57
    fd00::1:57/64
  }
}
vrrp_sync_group FAULTY {
  group {
    G1
    G2
  }
}
vrrp_instance G1 {
  interface eth0
  virtual_router_id 61
  virtual_ipaddress {
    10.0.1.61/16
  }
}
vrrp_instance G2 {
  interface eth1
  virtual_router_id 62
  virtual_ipaddress {
    10.1.1.62/16
  }
}
";

/// Another router is master of two.
const PEER: &str = "
vrrp_instance BACK2 {
  interface eth0
  virtual_router_id 51
  priority 200
  virtual_ipaddress {
    10.0.1.51/16
  }
}
vrrp_instance BACK3 {
  interface eth0
  version 3
  advert_int 0.5
  virtual_router_id 52
  priority 200
  virtual_ipaddress {
    10.0.1.52/16
  }
}
";

/// What a daemon wrote.
struct Written {
    data: String,
    parent: String,
    statistics: String,
    json: Value,
}

fn soon() -> Duration {
    patience(Duration::from_secs(6))
}

/// Waits for a file that ends as such a file does.
fn file(running: &Running, signal: &str, name: &str, is_whole: impl Fn(&str) -> bool) -> Result<String> {
    let path = running.file(name);
    let pid = running.pid().as_raw_nonzero().to_string();
    ensure!(Command::new("kill").args(["-s", signal, &pid]).status()?.success(), "kill -s {signal}");
    let text = || fs::read_to_string(&path).unwrap_or_default();
    wait_until(&format!("{name} is written"), soon(), || Ok(is_whole(&text()))).with_context(text)?;
    Ok(text())
}

fn written(lab: &Lab, daemon: &Daemon, of_interfaces: &str) -> Result<Written> {
    let a = lab.router(0);
    let folder = lab.folder().display().to_string();
    let text = CONFIGURATION.replace("SOURCE", &a.v4(0).to_string()).replace("FOLDER", &folder);
    let running = a.start_with(daemon, &daemon.to_string(), &text, &["-D"])?;
    for master in ["(HIGH)", "(UNI)", "(SIX)"] {
        running.wait_for_log(&format!("{master} Entering MASTER STATE"), soon())?;
    }
    // each backup has heard the master by then, and each script has run more than once
    std::thread::sleep(Duration::from_secs(3));
    let data = file(&running, "USR1", "keepalived.data", |text| text.contains(of_interfaces))?;
    let parent = file(&running, "USR1", "keepalived_parent.data", |text| text.lines().count() > 60)?;
    let statistics = file(&running, "USR2", "keepalived.stats", |text| text.matches("Priority Zero").count() == 8)?;
    let json = file(&running, "36", "keepalived.json", |text| serde_json::from_str::<Value>(text).is_ok())?;
    running.stop()?;
    Ok(Written { data, parent, statistics, json: serde_json::from_str(&json)? })
}

/// A moment: seconds with six places, and the date in brackets; others have another form and stay.
fn without_moments(line: &str) -> String {
    for key in ["   Last transition = ", "   Read timeout = "] {
        let Some(value) = line.strip_prefix(key) else { continue };
        let Some((number, date)) = value.split_once(" (") else { continue };
        let is_number = |text: &str, most: usize| text.len() <= most && text.chars().all(|c| c.is_ascii_digit());
        let has_form = number.split_once('.').is_some_and(|(a, b)| is_number(a, 10) && b.len() == 6 && is_number(b, 6))
            && date.len() == "Sat Nov 21 04:29:51.702028 2026)".len();
        if has_form {
            return format!("{key}MOMENT");
        }
    }
    line.to_owned()
}

/// Lines of 2.2.7 as 2.4.3 would write them, without those that it has not, and the rows that were needed for it.
fn as_2_4_3(theirs: &str, needed: &mut BTreeSet<usize>) -> Vec<String> {
    let mut section = "";
    let mut out = Vec::new();
    'lines: for line in theirs.lines() {
        if line.starts_with("------<") {
            section = line;
        }
        let is_left_out = LEFT_OUT.iter().chain(LEFT_OUT_IF_THERE).any(|beginning| line.starts_with(beginning));
        if section == SECTION_LEFT_OUT || is_left_out {
            continue;
        }
        for (row, change) in SINCE_2_2_7.iter().enumerate() {
            match change {
                Is(before, after) if *before == line => {
                    needed.insert(row);
                    out.push((*after).to_owned());
                    continue 'lines;
                }
                Gone(beginning) if line.starts_with(beginning) => {
                    needed.insert(row);
                    continue 'lines;
                }
                New(_) | Gone(_) | Is(..) => {}
            }
        }
        out.push(without_moments(line));
    }
    out
}

/// Lines of ours without those that 2.2.7 has not.
fn as_2_2_7(ours: &str, needed: &mut BTreeSet<usize>) -> Vec<String> {
    let mut out = Vec::new();
    let mut section = "";
    let common = ours.split("------< Journal >------").next().unwrap_or_default();
    for line in common.lines() {
        if line.starts_with("------<") {
            section = line;
        }
        let is_new = |(_, change): &(usize, &Change)| matches!(change, New(beginning) if line.starts_with(beginning));
        if let Some((row, _)) = SINCE_2_2_7.iter().enumerate().find(is_new) {
            needed.insert(row);
        } else if !(OURS.iter().any(|beginning| line.starts_with(beginning))
            || section == TRACKERS && line.starts_with("   Last transition = "))
        {
            out.push(without_moments(line));
        }
    }
    out
}

fn compare(name: &str, ours: &[String], theirs: &[String]) -> Result<()> {
    let differs = ours.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
    let around = |lines: &[String]| lines[differs.saturating_sub(6)..lines.len().min(differs + 4)].join("\n");
    ensure!(ours == theirs, "{name}, line {differs}, ours:\n{}\ntheirs:\n{}", around(ours), around(theirs));
    Ok(())
}

/// Adverts that were sent and received differ by a few; all else is the same.
fn counters(text: &str) -> Vec<String> {
    let mut section = "";
    let mut out = Vec::new();
    for line in text.lines() {
        if line.starts_with("  ") && line.ends_with(':') {
            section = line.trim();
        }
        match section {
            // since 2.4
            "Authentication Extension Errors:" => {}
            // ours
            "Checksum Forms:" | "Other Errors:" if line.starts_with("  ") => {}
            "Advertisements:" if line.starts_with("    ") => {
                out.extend(line.split(": ").next().map(str::to_owned));
            }
            _ => out.push(line.to_owned()),
        }
        if line.starts_with("VRRP Instance") {
            section = "";
        }
    }
    out
}

/// Keys in their order are compared by the text; here the values.
fn same_values(ours: &Value, theirs: &Value) -> Result<()> {
    let list = |value: &Value| value.as_array().cloned().context("no list");
    let (ours, theirs) = (list(ours)?, list(theirs)?);
    ensure!(ours.len() == theirs.len() && ours.len() == 8, "{} and {} instances", ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for part in ["data", "stats"] {
            let object = |value: &Value| value[part].as_object().cloned().context("no object");
            let (ours, theirs) = (object(ours)?, object(theirs)?);
            let name = &ours.get("iname").cloned().unwrap_or_default();
            for (key, value) in &theirs {
                let found = ours.get(key).with_context(|| format!("{name}: no {key}"))?;
                let is_moment = ["last_transition", "advert_sent", "advert_rcvd"].contains(&key.as_str());
                ensure!(is_moment || found == value, "{name}: {key} is {found}, theirs {value}");
            }
            for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
                ensure!(key.starts_with("auth_ext_"), "{name}: {key} is not theirs");
            }
        }
    }
    Ok(())
}

#[test]
fn the_files_of_a_daemon_are_debians_in_the_form_of_2_4_3() {
    if !only_ours() {
        return;
    }
    trial_in("dumps by Debian's", Builder { routers: 2, segments: 2, filter: Filter::Heads }, |lab| {
        fs::write(lab.folder().join("number"), "7\n")?;
        lab.pull(0, 1)?;
        let peer = lab.router(1).start_with(&Daemon::debian(), "peer", PEER, &["-D"])?;
        for master in ["(BACK2)", "(BACK3)"] {
            peer.wait_for_log(&format!("{master} Entering MASTER STATE"), soon())?;
        }
        let theirs = written(lab, &Daemon::debian(), " Name = eth1\n")?;
        let ours = written(lab, &Daemon::ours(), "Network events")?;

        let mut needed = BTreeSet::new();
        compare("data", &as_2_2_7(&ours.data, &mut needed), &as_2_4_3(&theirs.data, &mut needed))?;
        for (row, change) in SINCE_2_2_7.iter().enumerate() {
            let (New(words) | Gone(words) | Is(words, _)) = change;
            ensure!(needed.contains(&row), "nothing needs the row of {words:?}");
        }
        for words in LEFT_OUT.iter().chain([&SECTION_LEFT_OUT]) {
            ensure!(theirs.data.contains(words) && !ours.data.contains(words), "nothing needs {words:?}");
        }

        // a parent has not worked out what its vrrp process has
        let parent = theirs.parent.replace(" = 4294967295", " = 2");
        let parent = parent.replace("repeat = 2\n", "repeat = 5\n");
        compare("parent", &as_2_2_7(&ours.parent, &mut needed), &as_2_4_3(&parent, &mut needed))?;
        compare("statistics", &counters(&ours.statistics), &counters(&theirs.statistics))?;
        same_values(&ours.json, &theirs.json)
    });
}
