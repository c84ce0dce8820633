//! `--dump-conf`: what we log of a configuration is what Debian's keepalived logs of the same file.

use anyhow::Result;
use keepalived_lab::{Daemon, Flavour, Lab, patience, trial};
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
];

/// Lines that only Debian's 2.2.7 has: of libraries that it is built with, and a table of a firewall that it makes at once.
const OF_2_2_7: &[&str] =
    &[" libnftnl version", " nftables table name", " nftables base chain", " nftables don't force"];

/// The sections that a configuration alone makes, without the time before each line.
fn sections(log: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut wanted = false;
    for line in log.lines() {
        let Some((_, text)) = ["------<", "  ", ": "].iter().find_map(|mark| split(line, mark)) else { continue };
        if text.starts_with("------<") {
            wanted =
                ["Global definitions", "Static", "VRRP Topology", "VRRP Sync groups", "VRRP Scripts", "VRRP Track"]
                    .iter()
                    .any(|title| text.contains(title));
            // once is enough: ours goes on with how things are
            if text.contains("Global definitions") && !out.is_empty() {
                break;
            }
        } else if !text.starts_with(' ') {
            continue;
        }
        let other = |list: &[&str]| list.iter().any(|beginning| text.starts_with(beginning));
        if wanted && !other(SINCE_2_4) && !other(OF_2_2_7) {
            out.push(text.trim_end().to_owned());
        }
    }
    out
}

/// The time before a line, which ends with `: ` or spaces, and the line.
fn split<'a>(line: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let _ = mark;
    let at = line.find("------<").or_else(|| line.find(": ").map(|at| at + 2))?;
    line.split_at_checked(at)
}

fn logged(lab: &Lab, daemon: &Daemon, last: &str) -> Result<Vec<String>> {
    let a = lab.router(0);
    let text = CONFIGURATION.replace("SOURCE", &a.v4(0).to_string());
    let running = a.start_with(daemon, &daemon.to_string(), &text, &["-d"])?;
    running.wait_for_log(last, patience(Duration::from_secs(5)))?;
    let log = running.log();
    running.stop()?;
    Ok(sections(&log))
}

#[test]
fn the_configuration_is_shown_as_debians_shows_it() {
    trial("dump", |lab| {
        if Daemon::ours().flavour() != Flavour::Ours {
            return Ok(());
        }
        let theirs = logged(lab, &Daemon::debian(), "(ONE) Entering BACKUP")?;
        let ours = logged(lab, &Daemon::ours(), "Wrote nothing")?;
        assert!(theirs.len() > 150, "{} lines", theirs.len());
        assert_eq!(ours, theirs);
        Ok(())
    });
}
