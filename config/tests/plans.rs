//! What a reload has to do. Expected values: behaviour.md section 10.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use keepalived_config::model::Config;
use keepalived_config::{Change, plan};
use support::text;

fn config(text_: &str) -> Config {
    text(text_).config
}

fn instance(name: &str, vrid: u8, more: &str) -> String {
    format!(
        "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{more}\nvirtual_ipaddress {{ 10.0.0.{vrid} }}\n}}\n"
    )
}

/// `-` removed, `~` changed, `+` added, with VRIDs, in the order of the plan.
fn check(old: &str, new: &str, expected: &str) {
    let plan = plan(&config(old), &config(new)).unwrap();
    let shown = plan.changes.iter().map(|change| match change {
        Change::Removed(key) => format!("-{}", key.vrid),
        Change::Changed { key, .. } => format!("~{}", key.vrid),
        Change::Added(instance) => format!("+{}", instance.vrid),
        Change::GlobalChanged => "global".to_owned(),
        Change::SyncGroupsChanged => "sync".to_owned(),
        Change::GarpGroupsChanged => "garp".to_owned(),
    });
    assert_eq!(shown.collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn the_same_text_changes_nothing() {
    let both = instance("A", 1, "") + &instance("B", 2, "");
    check(&both, &both, "");
    check(&both, &(instance("B", 2, "") + &instance("A", 1, "# moved")), "");
}

#[test]
fn only_what_differs_changes() {
    let old = instance("A", 1, "") + &instance("B", 2, "");
    check(&old, &(instance("A", 1, "priority 50") + &instance("C", 3, "")), "-2 ~1 +3");
}

#[test]
fn a_rename_keeps_the_instance_and_a_new_vrid_does_not() {
    check(&instance("A", 1, ""), &instance("B", 1, ""), "~1");
    check(&instance("A", 1, ""), &instance("A", 2, ""), "-1 +2");
}

#[test]
fn another_channel_is_another_instance() {
    let unicast = "unicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.2 }";
    check(&instance("A", 1, ""), &instance("A", 1, unicast), "-1 +1");
    check(&instance("A", 1, unicast), &instance("A", 1, "unicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.3 }"), "~1");
    check(&instance("A", 1, ""), &instance("A", 1, "mcast_dst_ip 224.0.0.99"), "-1 +1");
}

#[test]
fn globals_reach_instances() {
    let one = instance("A", 1, "");
    check(&one, &format!("{one}global_defs {{ vrrp_garp_master_delay 1 }}"), "~1");
    check(&one, &format!("{one}global_defs {{ router_id x }}"), "global");
    let both = one + &instance("B", 2, "");
    check(&both, &format!("{both}vrrp_sync_group G {{\ngroup {{\nA\nB\n}}\n}}"), "sync");
}

#[test]
fn what_cannot_change_is_refused() {
    for (old, new) in [("", "net_namespace a"), ("net_namespace a", ""), ("instance a", "instance b")] {
        let refusal = plan(&config(old), &config(new)).unwrap_err();
        assert!(refusal.to_string().contains("without a restart"));
    }
}
