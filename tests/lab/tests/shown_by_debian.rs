//! `--dump-conf`: what we log of a configuration is what Debian's keepalived logs of the same file.

use anyhow::Result;
use keepalived_lab::{Daemon, Flavour, Lab, only_ours, patience, trial};
use std::time::Duration;

const CONFIGURATION: &str = "
global_defs {
  router_id lab
  script_user root
  vrrp_garp_master_delay 2
  vrrp_garp_interval 0.01
  vrrp_skip_check_adv_addr
  vrrp_priority -3
  umask 022
  max_auto_priority -1
}
static_routes {
  10.99.0.0/16 via 10.0.0.250 dev eth0
}
vrrp_script check {
  script \"/bin/sh -c 'exit 0'\"
  interval 2
  timeout 1
  weight 5
}
vrrp_track_process sleeper {
  process sleep 4711
  weight 3
}
vrrp_instance ONE {
  interface eth0
  virtual_router_id 7
  priority 150
  advert_int 2
  preempt_delay 5
  authentication {
    auth_type PASS
    auth_pass secret
  }
  virtual_ipaddress {
    10.0.1.7/16
    10.0.1.8/16 label eth0:8
  }
  virtual_ipaddress_excluded {
    10.0.1.9/16 no_track
  }
  virtual_routes {
    10.98.0.0/16 via 10.0.0.251 metric 7
  }
  virtual_rules {
    from 10.0.1.7 lookup 100 priority 700
  }
  track_script {
    check
  }
  track_process {
    sleeper
  }
  garp_lower_prio_repeat 2
}
vrrp_instance TWO {
  interface eth0
  virtual_router_id 8
  version 3
  priority 100
  advert_int 0.5
  nopreempt
  unicast_src_ip SOURCE
  unicast_peer {
    10.0.0.200
    10.0.0.201 min_ttl 64 max_ttl 255
  }
  virtual_ipaddress {
    10.0.1.20
  }
}
vrrp_instance SIX {
  interface eth0
  virtual_router_id 9
  priority 90
  virtual_ipaddress {
    fe80::9
    fd00::9/64
  }
}
vrrp_sync_group BOTH {
  group {
    TWO
    SIX
  }
}
";

/// Lines that only 2.4 has, by how they begin; ours is in its form.
const SINCE_2_4: &[&str] = &[
    " Replace symlinks in script paths",
    " Don't set supplementary groups",
    " Use VRRPv2 checksum for VRRPv3 IPv4",
    " json_version",
    " iproute usr directory",
    " iproute etc directory",
    "   Last advert sent",
    "   VRRPv3 uses VRRPv2 checksum",
    " SNMP VS stats update interval",
    " SNMP RS stats update interval",
    " DBus no interface name",
    "   Highest other priority",
    // 2.2 shows the program that is run in place of the one that is written
    "   Path = ",
    "   Command = ",
];

/// Lines that only Debian's 2.2.7 has: of libraries that it is built with, and a table of a firewall that it makes at
/// once.
const OF_2_2_7: &[&str] =
    &[" libnftnl version", " nftables table name", " nftables base chain", " nftables don't force"];

/// The sections that a configuration alone makes, without the time before each line.
fn sections(log: &str, daemon: &Daemon) -> Vec<String> {
    let text = |line: &str| match daemon.flavour() {
        Flavour::Ours => line.split_once("  INFO ").map(|(_, text)| text.to_owned()),
        // the time as ctime(3) has it, and a colon
        Flavour::Debian => line.get("Sat Nov 21 10:25:35 2026: ".len()..).map(str::to_owned),
    };
    let titles = ["Global definitions", "Static", "VRRP Topology", "VRRP Sync groups", "VRRP Scripts", "VRRP Track"];
    let mut out = Vec::new();
    let mut wanted = false;
    for line in log.lines().filter_map(text) {
        if line.starts_with("------<") {
            // once is enough
            if line.contains("Global definitions") && !out.is_empty() {
                break;
            }
            wanted = titles.iter().any(|title| line.contains(title));
        } else if !line.starts_with(' ') {
            continue;
        }
        let begins = |list: &[&str]| list.iter().any(|beginning| line.starts_with(beginning));
        if wanted && !begins(SINCE_2_4) && !begins(OF_2_2_7) {
            // 2.2 shows the password; it does not track a route without dev, and says where a route is
            let line = line
                .split(" [installed")
                .next()
                .unwrap_or_default()
                .replace("Password = secret", "Password = ********");
            out.push(
                line.strip_suffix(" no_track")
                    .filter(|it| it.contains("10.98.0.0"))
                    .unwrap_or(&line)
                    .trim_end()
                    .to_owned(),
            );
        }
    }
    out
}

fn logged(lab: &Lab, daemon: &Daemon, last: &str) -> Result<Vec<String>> {
    let a = lab.router(0);
    let text = CONFIGURATION.replace("SOURCE", &a.v4(0).to_string());
    let running = a.start_with(daemon, &daemon.to_string(), &text, &["-d"])?;
    running.wait_for_log(last, patience(Duration::from_secs(5)))?;
    let log = running.log();
    running.stop()?;
    Ok(sections(&log, daemon))
}

#[test]
fn the_configuration_is_shown_as_debians_shows_it() {
    trial("dump", |lab| {
        if !only_ours() {
            return Ok(());
        }
        let theirs = logged(lab, &Daemon::debian(), "(ONE) Entering BACKUP STATE")?;
        let ours = logged(lab, &Daemon::ours(), "(ONE) Entering BACKUP STATE")?;
        assert!(theirs.len() > 150, "{} lines", theirs.len());
        assert_eq!(ours, theirs);
        Ok(())
    });
}
