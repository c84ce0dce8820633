//! `global_defs`, root keywords, groups. Expected values: keywords.tsv, and `keepalived -t` 2.2.7 as observed.

mod support;

use std::time::Duration;

use keepalived_config::model::{BufferPolicy, VipLost};
use keepalived_config::{exit_status, keywords};
use support::{global, ids, text};

const NONE: [&str; 0] = [];

#[test]
fn process_settings() {
    let (found, ids) = global(
        "vrrp_process_name abc\nvrrp_priority -20\nvrrp_rt_priority 50\nvrrp_no_swap\nvrrp_cpu_affinity 0 2\nvrrp_rlimit_rtime 5000",
    );
    assert_eq!(ids, NONE);
    assert_eq!(
        (found.vrrp.name.as_deref(), found.vrrp.nice, found.vrrp.rt_priority),
        (Some("abc"), Some(-20), Some(50))
    );
    assert_eq!((found.vrrp.no_swap, found.vrrp.cpu_affinity, found.vrrp.rlimit_rttime), (true, vec![0, 2], Some(5000)));
    let (found, ids) =
        global("process_name abcdefghijklmnopqrst\nvrrp_rt_priority 200\nvrrp_priority -30\nvrrp_rlimit_rttime 1");
    assert_eq!(ids, ["name-too-long", "number-adjusted", "number-range"]);
    assert_eq!((found.process_name.as_deref(), found.vrrp.rt_priority), (Some("abcdefghijklmno"), Some(99)));
    assert_eq!((found.vrrp.nice, found.vrrp.rlimit_rttime), (None, Some(2)));
    assert_eq!(global("process_names").0.vrrp.name.as_deref(), Some("keepalived_vrrp"));
}

#[test]
fn umask_is_a_number_or_bits() {
    let mask = |text: &str| global(&format!("umask {text}"));
    for (text, value) in
        [("0177", 0o177), ("0x1f", 0x1f), ("8", 8), ("IRWXO", 7), ("IXUSR|IRWXG|IRWXO", 0o177), ("IWGRP | IWOTH", 0o22)]
    {
        assert_eq!(
            mask(text),
            (keepalived_config::model::Global { umask: Some(value), ..Default::default() }, vec![]),
            "{text}"
        );
    }
    for text in ["01000", "IFOO", "x", "IRUSR|", "IRWXUSR", "IRU"] {
        assert_eq!((mask(text).0.umask, mask(text).1), (None, vec!["word-invalid"]), "{text}");
    }
}

#[test]
fn pacing_and_delays() {
    let (found, ids) =
        global("vrrp_garp_interval 0.001\nvrrp_gna_interval 0.5\nvrrp_startup_delay 5.5\nvrrp_delay_after_boot 60");
    assert_eq!(ids, NONE);
    assert_eq!((found.garp_interval, found.gna_interval), (Duration::from_millis(1), Duration::from_millis(500)));
    assert_eq!((found.startup_delay, found.delay_after_boot), (Duration::from_millis(5500), Duration::from_secs(60)));
    // copied from the old sample by many (users.md section 3)
    let loaded = text("global_defs {\nvrrp_garp_interval 0\nvrrp_gna_interval 0\n}");
    assert_eq!((support::ids(&loaded.findings), exit_status(&loaded.findings)), (vec!["number-range"; 2], 5));
    assert_eq!(global("vrrp_startup_delay 1.0000001").1, ["decimals"]);
}

#[test]
fn ours_and_files() {
    let (found, ids) = global("vip_lost backup\nstate_dump_file /tmp/x\njson_version 2\nrouter_id \"lb one\"");
    assert_eq!(ids, NONE);
    assert_eq!(
        (found.vip_lost, found.state_dump_file.as_deref(), found.json_version),
        (VipLost::Backup, Some("/tmp/x"), 2)
    );
    assert_eq!(found.router_id.as_deref(), Some("lb one"));
    assert_eq!(global("").0.vip_lost, VipLost::Restore);
    assert_eq!(global("vip_lost never").1, ["word-invalid"]);
    assert_eq!(global("json_version 3").1, ["number-range"]);
}

#[test]
fn receive_buffers() {
    assert_eq!(global("vrrp_rx_bufs_policy 65536").0.vrrp_rx_buffer, Some(65536));
    let (mtu, found) = global("vrrp_rx_bufs_policy Mtu");
    assert_eq!((mtu.vrrp_rx_buffer, mtu.vrrp_rx_policy, found), (None, Some(BufferPolicy::Mtu), vec![]));
    assert_eq!(global("vrrp_rx_bufs_policy ADVERT").0.vrrp_rx_policy, Some(BufferPolicy::Advert));
    assert_eq!(global("vrrp_rx_bufs_policy MTU ADVERT"), (mtu, vec!["buffer-policy"]));
    assert_eq!(global("vrrp_mcast_group6 ff05::5").1, ["group-scope"]);
    assert_eq!(global("vrrp_rx_bufs_policy other").1, ["number-invalid"]);
}

#[test]
fn root_keywords() {
    let loaded = text(
        "instance one\nnet_namespace ns1\nchild_wait_time 7\nglobal_defs {\nrouter_id a\n}\nglobal_defs {\nrouter_id b\n}",
    );
    let global = &loaded.config.global;
    assert_eq!(ids(&loaded.findings), ["repeated"]);
    assert_eq!(
        (global.instance.as_deref(), global.net_namespace.as_deref(), global.use_pid_dir),
        (Some("one"), Some("ns1"), true)
    );
    assert_eq!((global.child_wait_time, global.router_id.as_deref()), (Duration::from_secs(7), Some("b")));
}

fn instance(name: &str, vrid: u8) -> String {
    let address = format!("virtual_ipaddress {{ 10.0.0.{vrid} }}");
    format!("vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{address}\n}}\n")
}

#[test]
fn sync_groups_keep_members_that_exist() {
    let instances = instance("A", 1) + &instance("B", 2) + &instance("C", 3);
    // groups first: order must not matter
    let loaded = text(&format!(
        "vrrp_sync_group G {{\ngroup {{\nA B\nX\n}}\n}}\nvrrp_sync_group H {{\ngroup {{\nA\n C\n}}\n}}\nvrrp_sync_group I {{\n}}\nvrrp_sync_group G {{\ngroup {{ C }}\n}}\n{instances}"
    ));
    assert_eq!(ids(&loaded.findings), ["group-member-unknown", "group-member-twice", "group-empty", "duplicate-name"]);
    let groups: Vec<_> =
        loaded.config.sync_groups.iter().map(|group| (group.name.as_str(), group.members.join(" "))).collect();
    assert_eq!(groups, [("G", "A B".to_owned()), ("H", "C".to_owned())]);
}

#[test]
fn garp_groups() {
    let loaded = text(
        "garp_group {\ngarp_interval 0.5\ninterface eth0\ninterfaces {\neth1 eth2\neth0\n}\n}\ngarp_group {\ninterface eth3\n}",
    );
    assert_eq!(ids(&loaded.findings), ["garp-group", "garp-group"]);
    assert_eq!(loaded.config.garp_groups.len(), 1);
    assert_eq!(loaded.config.garp_groups[0].interfaces.len(), 3);
}

/// A keyword that is read and does nothing is worse than one that is refused.
#[test]
fn no_keyword_is_without_effect() {
    let idle: Vec<_> = keywords::all().filter(|keyword| !keyword.is_effective()).collect();
    assert!(idle.is_empty(), "{idle:#?}");
}
