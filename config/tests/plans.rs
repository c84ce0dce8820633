//! What a reload has to do. Expected values: behaviour.md section 10.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fmt::Write as _;
use std::net::IpAddr;

use keepalived_config::model::Config;
use keepalived_config::plan::{Edit, RealServerEdit, VirtualServerChange, VirtualServerEdit, leaves_nothing};
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
        Change::Added(instance) => format!("+{}", instance.settings.vrid),
        Change::GlobalChanged => "global".to_owned(),
        Change::SyncGroupsChanged => "sync".to_owned(),
        Change::GarpGroupsChanged => "garp".to_owned(),
        Change::TrackersChanged => "trackers".to_owned(),
        Change::StaticsChanged => "statics".to_owned(),
        Change::LinksChanged => "links".to_owned(),
        Change::SslChanged => "ssl".to_owned(),
        Change::BfdInstance(edit) => edited(edit, |instance| format!("bfd {}", instance.name)),
        Change::VirtualServerGroup(edit) => edited(edit, |group| format!("group {}", group.name)),
        Change::VirtualServer(edit) => match edit.as_ref() {
            VirtualServerEdit::Removed(server) => format!("-[{}]", server.service),
            VirtualServerEdit::Added(server) => format!("+[{}]", server.service),
            VirtualServerEdit::Changed(change) => changed_server(change),
        },
    });
    assert_eq!(shown.collect::<Vec<_>>().join(" "), expected);
}

fn edited<T>(edit: &Edit<T>, name: impl Fn(&T) -> String) -> String {
    match edit {
        Edit::Removed(old) => format!("-{}", name(old)),
        Edit::Changed { old, new } if name(old) == name(new) => format!("~{}", name(new)),
        Edit::Changed { old, new } => format!("~{}={}", name(old), name(new)),
        Edit::Added(new) => format!("+{}", name(new)),
    }
}

/// `*` settings; of real servers the last part of the address, with `*` and its checks.
fn changed_server(change: &VirtualServerChange) -> String {
    let settings = if change.settings.is_some() { "*" } else { "" };
    let last = |address: IpAddr| address.to_string().rsplit('.').next().unwrap().to_owned();
    let servers = change.real_servers.iter().map(|edit| match edit {
        RealServerEdit::Removed(server) => format!("-{}", last(server.address)),
        RealServerEdit::Added(server) => format!("+{}", last(server.address)),
        RealServerEdit::Changed(change) => {
            let settings = if change.settings.is_some() { "*" } else { "" };
            let checks = change.checkers.iter().map(|edit| edited(edit, |check| check.keyword().to_owned()));
            format!("~{}{settings}({})", last(change.address), checks.collect::<Vec<_>>().join(" "))
        }
    });
    format!("~[{}]{settings}<{}>", change.service, servers.collect::<Vec<_>>().join(" "))
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
    let changes = [
        ("", "net_namespace a"),
        ("net_namespace a", ""),
        ("instance a", "instance b"),
        ("", "net_namespace_ipvs a"),
        ("net_namespace_ipvs", "net_namespace_ipvs a"),
        ("", "global_defs {\nnftables_ipvs\n}"),
        ("", "global_defs {\nlvs_backend nftables\n}"),
    ];
    for (old, new) in changes {
        let refusal = plan(&config(old), &config(new)).unwrap_err();
        assert!(refusal.to_string().contains("without a restart"));
    }
}

fn server(head: &str, inside: &str) -> String {
    format!("virtual_server {head} {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{inside}\n}}\n")
}

fn real(number: u32, inside: &str) -> String {
    format!("real_server 10.0.{}.{} 80 {{\n{inside}\n}}\n", number >> 8, number & 255)
}

#[test]
fn virtual_servers_are_matched_by_what_they_answer_for() {
    let (a, b) = (server("10.0.0.1 80", &real(1, "")), server("10.0.0.2 80", &real(1, "")));
    let both = a.clone() + &b;
    check(&both, &(b.clone() + &a), "");
    check(&both, &a, "-[10.0.0.2 80 TCP]");
    check(&a, &both, "+[10.0.0.2 80 TCP]");
    check(&a, &server("10.0.0.1 81", &real(1, "")), "-[10.0.0.1 80 TCP] +[10.0.0.1 81 TCP]");
    let udp = server("10.0.0.1 80", &format!("protocol UDP\n{}", real(1, "")));
    check(&a, &udp, "-[10.0.0.1 80 TCP] +[10.0.0.1 80 UDP]");
    check(&a, &server("10.0.0.1 80", &format!("lvs_sched wrr\n{}", real(1, ""))), "~[10.0.0.1 80 TCP]*<>");
}

#[test]
fn real_servers_are_matched_by_address_and_port() {
    let of = |inside: &str| server("10.0.0.1 80", inside);
    let old = of(&(real(1, "") + &real(2, "") + &real(3, "")));
    check(&old, &of(&(real(3, "") + &real(1, "") + &real(2, "# the same"))), "");
    check(&old, &of(&(real(3, "") + &real(4, "") + &real(1, "weight 5"))), "~[10.0.0.1 80 TCP]<-2 ~1*() +4>");
    // a setting of the virtual server reaches those that do not say otherwise
    let weighted = of(&format!("weight 7\n{}{}{}", real(1, ""), real(2, "weight 1"), real(3, "")));
    check(&old, &weighted, "~[10.0.0.1 80 TCP]<~1*() ~3*()>");
}

#[test]
fn checks_are_matched_by_what_they_look_at() {
    let of = |inside: &str| server("10.0.0.1 80", &real(1, inside));
    let tcp = "TCP_CHECK {\n}\n";
    let http = |path: &str, more: &str| format!("HTTP_GET {{\nurl {{\npath {path}\n{more}\n}}\n}}\n");
    let old = of(&(tcp.to_owned() + &http("/", "")));
    check(&old, &of(&(http("/", "") + tcp)), "");
    let slow = "TCP_CHECK {\nretry 7\n}\n";
    check(
        &old,
        &of(&(slow.to_owned() + &http("/", "status_code 200"))),
        "~[10.0.0.1 80 TCP]<~1(~TCP_CHECK ~HTTP_GET)>",
    );
    let elsewhere = "TCP_CHECK {\nconnect_port 81\n}\n";
    check(&old, &of(&(elsewhere.to_owned() + &http("/", ""))), "~[10.0.0.1 80 TCP]<~1(-TCP_CHECK +TCP_CHECK)>");
    check(&old, &of(&(tcp.to_owned() + &http("/b", ""))), "~[10.0.0.1 80 TCP]<~1(-HTTP_GET +HTTP_GET)>");
    // of two that are alike one goes
    check(&of(&tcp.repeat(2)), &of(tcp), "~[10.0.0.1 80 TCP]<~1(-TCP_CHECK)>");
}

#[test]
fn sessions_groups_and_certificates() {
    let bfd = |name: &str, more: &str| format!("bfd_instance {name} {{\nneighbor_ip 10.0.0.2\n{more}\n}}\n");
    check(&bfd("a", ""), &bfd("b", ""), "~bfd a=bfd b");
    check(&bfd("a", ""), &bfd("a", "source_ip 10.0.0.1"), "-bfd a +bfd a");
    let group = |lines: &str| format!("virtual_server_group G {{\n{lines}\n}}\n") + &server("group G", &real(1, ""));
    check(&group("10.0.0.1 80"), &group("10.0.0.1-2 80"), "~group G");
    check("", "SSL {\nca /etc/ca.pem\n}", "ssl");
}

/// 50,000 real servers, each with a check, in 500 virtual servers.
fn large(except: &str) -> Config {
    let mut out = String::new();
    for service in 0..500 {
        let reals: String = (0..100).fold(String::new(), |mut reals, number| {
            let more = if (service, number) == (250, 50) { except } else { "" };
            write!(reals, "real_server 10.1.{}.{number} 80 {{\n{more}\nTCP_CHECK {{\n}}\n}}\n", service & 255).unwrap();
            reals
        });
        out += &server(&format!("10.0.0.1 {}", 1000 + service), &reals);
    }
    config(&out)
}

#[test]
fn one_in_fifty_thousand_is_found() {
    let (old, new) = (large(""), large("weight 5"));
    let found = plan(&old, &new).unwrap();
    let [Change::VirtualServer(edit)] = found.changes.as_slice() else { panic!("one change") };
    let VirtualServerEdit::Changed(change) = edit.as_ref() else { panic!("of what stays") };
    assert_eq!((change.settings.is_none(), change.real_servers.len()), (true, 1));
    let mut turned = new.clone();
    turned.virtual_servers.reverse();
    turned.virtual_servers.iter_mut().for_each(|server| server.real_servers.reverse());
    assert_eq!(plan(&new, &turned).unwrap().changes, []);
}

#[test]
fn a_reload_that_leaves_nothing_is_told_from_others() {
    let server = |port: u16| {
        format!(
            "virtual_server 10.0.0.1 {port} {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n\
             real_server 10.0.1.1 80 {{\n}}\n}}\n"
        )
    };
    let says = |old: &str, new: &str| leaves_nothing(&config(old), &config(new)).unwrap_or_default();
    let (one, two) = (instance("A", 1, ""), instance("B", 2, ""));
    let all = format!("{one}{two}{}", server(80));
    let nothing = "global_defs {\n}\n";
    let none = "the new configuration has no instance, no virtual server and no BFD session";
    let session = "bfd_instance S {\nneighbor_ip 10.0.0.9\n}\n";
    assert_eq!(says(&all, nothing), format!("{none}: 2 instances and 1 virtual server stop"));
    assert_eq!(says(&one, ""), format!("{none}: 1 instance stops"));
    assert_eq!(says(&(server(80) + &server(81)), nothing), format!("{none}: 2 virtual servers stop"));
    assert_eq!(says(session, ""), format!("{none}: 1 BFD session stops"));
    assert_eq!(says(&all, session), "");
    for (old, new) in [(all.as_str(), two.as_str()), (&one, &server(80)), (nothing, ""), ("", &all), (&all, &all)] {
        assert_eq!(says(old, new), "");
    }
}
