//! What is tracked, what is static, and what belongs to instances and groups. Exit statuses: keepalived 2.2.7 -t as
//! observed, and 2.4.3 as read where they differ (syntax.md section 13).

mod support;

use std::path::Path;

use keepalived_config::facts::{
    Facts, InterfaceFacts, IprouteDirectories, Owner, Program, RouteName, Weakness, WeaknessKind,
};
use keepalived_config::model::{Config, Global, Weight};
use keepalived_config::{AnyInterface, MemorySource, exit_status, fatal, load, plan};
use keepalived_core::address::InterfaceName;
use support::{ids, text, with_facts};

const NONE: [&str; 0] = [];

fn instance(name: &str, vrid: u8, body: &str) -> String {
    let address = format!("virtual_ipaddress {{ 10.0.0.{vrid} }}");
    format!("vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{address}\n{body}\n}}\n")
}

const SCRIPT: &str = "vrrp_script s {\nscript /bin/s\nweight 5\n}\n";

/// What is found in `text`, and the exit status of `-t`.
#[track_caller]
fn check(content: &str, expected: &[&str], status: u8) {
    let loaded = text(content);
    assert_eq!(ids(&loaded.findings), expected);
    assert_eq!(exit_status(&loaded.findings), status);
}

#[test]
fn definitions_may_follow_what_tracks_them() {
    let loaded = text(&(instance("A", 1, "track_script {\ns\n}") + SCRIPT));
    assert_eq!(ids(&loaded.findings), NONE);
    let tracks = loaded.config.instances[0].tracks.as_ref().expect("tracks");
    assert_eq!(tracks.scripts[0].weight, Weight { value: 5, reverse: false });
}

/// Ours: keepalived has no probes.
#[test]
fn a_probe_asks_one_address_in_one_way() {
    let probe = |lines: &str| {
        let tracked = instance("A", 1, "track_probe {\nq\n}");
        text(&format!("{tracked}vrrp_track_probe q {{\n{lines}\n}}\n"))
    };
    for good in ["ping 10.0.0.9", "tcp fd00::9 80", "http http://10.0.0.9:8080/a?b", "http https://[fd00::9]"] {
        let loaded = probe(good);
        assert_eq!((ids(&loaded.findings), loaded.config.probes.len()), (NONE.to_vec(), 1), "{good}");
    }
    for bad in
        ["tcp gateway 80", "tcp 10.0.0.9 70000", "http ftp://10.0.0.9/", "http http://web/", "http http://10.0.0.9:x/"]
    {
        let loaded = probe(bad);
        assert_eq!(ids(&loaded.findings), ["tracker-unknown", "tracker-incomplete", "probe-target"], "{bad}");
        assert!(loaded.config.probes.is_empty(), "{bad}");
    }
    let two = probe("ping 10.0.0.9\ntcp 10.0.0.9 80");
    assert_eq!((ids(&two.findings), two.config.probes.len()), (vec!["probe-target"], 1));
    assert_eq!(two.config.probes[0].target.to_string(), "tcp 10.0.0.9 80");
    assert!(ids(&probe("interval 1").findings).contains(&"tracker-incomplete"));
}

#[test]
fn families_stand_anywhere() {
    check(&instance("A", 1, "virtual_routes {\ninet 10.1.0.0/16 dev eth0\n}"), &[], 0);
    check(&instance("A", 1, "virtual_rules {\ninet from all table 5 preference 9\n}"), &[], 0);
    check(&instance("A", 1, "virtual_routes {\ninet6 10.1.0.0/16 dev eth0\n}"), &["route-invalid"], 5);
}

#[test]
fn members_without_group_are_understood() {
    let loaded = text(&("vrrp_sync_group G {\nA\nB\n}\n".to_owned() + &instance("A", 1, "") + &instance("B", 2, "")));
    assert_eq!((ids(&loaded.findings), exit_status(&loaded.findings)), (vec!["group-bare"], 5));
    assert_eq!(loaded.config.sync_groups[0].members, ["A", "B"]);
}

#[test]
fn lines_that_cannot_be_understood_are_left_out() {
    let route = |line: &str| instance("A", 1, &format!("virtual_routes {{\n{line}\n}}"));
    for line in ["via 10.0.0.1", "10.1.0.0/33 dev eth0", "10.1.0.0/16 dev eth0 table foo", "10.1.0.0/16 via fe80::1"] {
        check(&route(line), &["route-invalid"], 5);
    }
    check(&route("10.1.0.0/16 dev eth0 table"), &["missing-parameter"], 2);
    check(&route("10.1.0.0/16 gw 10.0.0.1"), &["deprecated"], 5);
    check(&route("10.1.0.0/16 dev eth0 protocol static"), &["route-protocol"], 5);
    check(&route("10.1.0.0/16 dev eth0 rtt 1000"), &["number-adjusted"], 5);
    let policy = |line: &str| instance("A", 1, &format!("virtual_rules {{\n{line}\n}}"));
    for line in ["from 10.1.0.0/16", "from all table 0 preference 9", "from all goto 5 preference 9", "l3mdev table 5"]
    {
        check(&policy(line), &["rule-invalid"], 5);
    }
    check(&policy("from all table 5"), &["rule-preference"], 5);
}

#[test]
fn what_is_tracked_must_exist_and_stand_once() {
    let script = |lines: &str| SCRIPT.to_owned() + &instance("A", 1, &format!("track_script {{\n{lines}\n}}"));
    check(&script("s"), &[], 0);
    check(&script("t"), &["script-unused", "tracker-unknown"], 5);
    check(&script("s\ns"), &["track-line"], 5);
    check(&script("s weight 254"), &["number-adjusted"], 5);
    check(&script("s weight 300"), &["number-range"], 5);
    check(&script("s prio 3"), &["track-line"], 5);
    check(&instance("A", 1, "track_interface {\neth0\n}"), &["track-own-interface"], 5);
    check(&(SCRIPT.to_owned() + &instance("A", 1, "")), &["script-unused"], 5);
    let incomplete = "vrrp_script s {\ninterval 1\n}\n".to_owned() + &instance("A", 1, "");
    check(&incomplete, &["tracker-incomplete"], 5);
}

#[test]
fn a_command_that_begins_with_a_redirection_is_a_shell_s() {
    let script = |command: &str| {
        format!("vrrp_script s {{\nscript \"{command}\"\n}}\n") + &instance("A", 1, "track_script {\ns\n}")
    };
    for (command, is_said) in [
        ("</run/healthy", true),
        ("</run/healthy /bin/grep yes", true),
        // we connect ourselves
        ("</dev/tcp/127.0.0.1/80", false),
        ("/bin/s </run/healthy", false),
    ] {
        let loaded = text(&script(command));
        assert_eq!(ids(&loaded.findings), NONE, "{command}");
        let said = loaded.findings.iter().any(|finding| finding.rule.id == "script-shell");
        assert_eq!((said, exit_status(&loaded.findings)), (is_said, 0), "{command}");
    }
}

#[test]
fn weights_that_cannot_count_are_taken_away() {
    let group = |more: &str| format!("vrrp_sync_group G {{\ngroup {{\nA B\n}}\n{more}\n}}\n");
    let members = instance("A", 1, "track_interface {\neth1 weight 5\n}") + &instance("B", 2, "");
    let loaded = text(&(group("") + &members));
    assert_eq!((ids(&loaded.findings), exit_status(&loaded.findings)), (vec!["weight-in-group"], 5));
    let tracks = loaded.config.instances[0].tracks.as_ref().expect("tracks");
    assert_eq!(tracks.interfaces[0].weight.value, 0);
    check(&(group("sync_group_tracking_weight") + &members), &[], 0);
    let owner = instance("A", 1, "priority 255\ntrack_interface {\neth1 weight 5\n}");
    let loaded = text(&owner);
    assert_eq!((ids(&loaded.findings), exit_status(&loaded.findings)), (vec!["weight-of-owner"], 5));
    assert_eq!(loaded.config.instances[0].tracks, None);
    let stuck = instance("A", 1, "priority 254\ntrack_interface {\neth1 weight 5\n}");
    check(&stuck, &["weight-without-effect"], 0);
}

/// A machine with eth0 and one program.
struct Small;

impl Facts for Small {
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts> {
        (name.as_bytes() == b"eth0").then_some(InterfaceFacts::ETHERNET)
    }

    fn route_name(&self, kind: RouteName, name: &str, _: IprouteDirectories<'_>) -> Option<u32> {
        if name == "blue" { Some(77) } else { kind.well_known(name) }
    }

    fn knows_user(&self, name: &str) -> bool {
        name == "root"
    }

    fn knows_group(&self, name: &str) -> bool {
        name == "root"
    }

    fn program(&self, path: &str, _owner: Owner<'_>) -> Program {
        match path {
            "/bin/s" => Program::Present,
            "/tmp/mine" => Program::Insecure(Weakness {
                path: "/tmp".into(),
                kind: WeaknessKind::Writable { mode: 0o777, group: 0 },
            }),
            _ => Program::Missing,
        }
    }
}

/// It is judged again each time that it is made, and fails; keepalived leaves it out, and the server counts as live.
#[test]
fn a_check_that_is_not_safe_is_not_left_out() {
    let head = "global_defs {\nenable_script_security\nscript_user root\n}\n";
    let server = "real_server 10.0.0.1 80 {\nMISC_CHECK {\nmisc_path /tmp/mine\n}\nnotify_up /tmp/mine\n}\n";
    let service = format!("virtual_server 192.0.2.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{server}}}\n");
    let loaded = with_facts(&(head.to_owned() + &service), &Small);
    assert_eq!(ids(&loaded.findings), ["script-unusable", "script-unusable"]);
    let real = &loaded.config.virtual_servers[0].real_servers[0];
    assert_eq!(real.checkers.iter().count(), 1);
    assert!(
        real.settings.extras.as_ref().is_none_or(|extras| extras.notify_up.is_none()),
        "a notification is left out"
    );
}

#[test]
fn what_the_machine_has_decides() {
    let status = |content: &str| {
        let loaded = with_facts(content, &Small);
        (ids(&loaded.findings), exit_status(&loaded.findings), fatal(&loaded.findings))
    };
    let tracked = instance("A", 1, "track_script {\ns\n}");
    assert_eq!(status(&(SCRIPT.to_owned() + &tracked)), (vec!["script-security"], 6, false));
    let secure = "global_defs {\nenable_script_security\nscript_user root\n}\n";
    assert_eq!(status(&(secure.to_owned() + SCRIPT + &tracked)), (vec![], 0, false));
    let missing = SCRIPT.replace("/bin/s", "/bin/t");
    assert_eq!(status(&(missing + &tracked)), (vec!["script-missing"], 5, false));
    assert_eq!(status(&instance("A", 1, "notify /bin/t")), (vec!["script-unusable"], 0, false));
    assert_eq!(status("linkbeat_interfaces {\neth9\n}\n"), (vec!["interface-absent"], 4, true));
    assert_eq!(status("interface_up_down_delays {\neth9 1\n}\n"), (vec!["interface-absent"], 4, true));
    let named = with_facts(&instance("A", 1, "virtual_routes {\n10.1.0.0/16 dev eth0 table blue\n}"), &Small);
    assert_eq!(named.config.instances[0].routes[0].table, 77);
}

/// The machine on which `tracking/observed.txt` was observed.
struct Observed;

impl Facts for Observed {
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts> {
        let loopback = name.as_bytes() == b"lo";
        let exists = loopback || matches!(name.as_bytes(), b"eth0" | b"eth1");
        exists.then_some(InterfaceFacts { loopback, ..InterfaceFacts::ETHERNET })
    }

    fn knows_user(&self, name: &str) -> bool {
        name == "root"
    }

    fn knows_group(&self, name: &str) -> bool {
        name == "root"
    }

    fn program(&self, path: &str, _owner: Owner<'_>) -> Program {
        if path.starts_with("/usr/bin/") { Program::Present } else { Program::Missing }
    }
}

/// Every case of `tracking/observed.txt`: the status is keepalived's, or ours where the file says so.
#[test]
fn the_exit_status_is_that_of_keepalived() {
    let mut wrong = Vec::new();
    for case in include_str!("tracking/observed.txt").split("=== ").skip(1) {
        let (head, content) = case.split_once('\n').expect("a line");
        let mut words = head.split(' ');
        let (name, observed) = (words.next().expect("a name"), words.next().expect("a status"));
        let expected = words.nth(1).unwrap_or(observed);
        let source = MemorySource::one("/k.conf", content);
        let status = exit_status(&load(&source, Path::new("/k.conf"), &Observed).findings).to_string();
        if status != expected {
            wrong.push(format!("{name}: {status}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keys_of_hmac() {
    let hmac = |body: &str| instance("A", 1, &format!("auth_hmac {{\n{body}\n}}"));
    let key = "k".repeat(32);
    let ids_of = |content: &str| ids(&text(content).findings);
    assert_eq!(ids_of(&hmac(&format!("key 1 {key}\nactive_key 1"))), NONE);
    assert_eq!(ids_of(&hmac("key 1 short\nactive_key 1")), ["hmac-key"]);
    assert_eq!(ids_of(&hmac(&format!("key 1 {key}\nkey 1 {key}\nactive_key 1"))), ["hmac-key"]);
    assert_eq!(ids_of(&hmac(&format!("key 1 {key}"))), ["hmac-active"]);
}

/// What holds without a word: the column `default` of keywords.tsv.
#[test]
fn defaults_are_those_of_keepalived() {
    let config: Config = text(&instance("A", 1, "")).config;
    let Global { mail, snmp, balancing, firewall, auto_priority, scripts, .. } = &config.global;
    assert_eq!((mail.timeout.as_secs(), snmp.virtual_server_interval.as_secs()), (30, 5));
    assert_eq!((balancing.first_mark, balancing.priority, firewall.priority), (1000, -1, -1));
    assert_eq!((auto_priority.most, auto_priority.lateness.as_micros()), (0, 1_000_000));
    assert_eq!((scripts.startup_timeout.as_secs(), scripts.shutdown_timeout.as_secs()), (10, 10));
    assert_eq!((config.global.child_wait_time.as_secs(), config.global.vrrp_rx_multiplier), (5, 3));
    assert_eq!(config.global.vmac_names.prefix, "vrrp");
    let instance = &config.instances[0];
    assert_eq!((instance.settings.priority.get(), instance.debug, instance.mail), (100, 0, false));
    assert_eq!(
        (instance.settings.garp.delay.as_secs(), instance.settings.garp.repeat, instance.settings.garp.refresh_repeat),
        (5, 5, 1)
    );
    let loaded = text(&(SCRIPT.replace("weight 5\n", "") + "track_file f {\nfile /run/f\n}\n"));
    let script = &loaded.config.scripts[0];
    assert_eq!((script.interval, script.timeout, script.rise, script.fall), (script.timeout, script.interval, 1, 1));
    assert_eq!((script.weight.value, loaded.config.files[0].weight.value), (0, 1));
}

/// Four thousand of them are in memory, twice during a reload.
#[test]
fn an_instance_stays_small() {
    let size = size_of::<keepalived_config::model::Instance>();
    assert!(size <= 640, "{size}");
}

#[test]
fn what_is_static_is_compared_by_plans() {
    let config = |text_of: &str| text(text_of).config;
    let (none, route) = (config(""), config("static_routes {\n10.1.0.0/16 dev eth0\n}"));
    let count = |old: &Config, new: &Config| plan(old, new).expect("possible").changes.len();
    assert_eq!((count(&none, &route), count(&route, &route)), (1, 0));
    assert_eq!(count(&none, &config("track_file f {\nfile /run/f\n}")), 1);
    assert_eq!(count(&none, &config("linkbeat_interfaces {\neth0\n}")), 1);
    let table = config("global_defs {\nnftables other\n}");
    assert_eq!(plan(&none, &table).expect_err("refused").keyword, "nftables");
    assert!(AnyInterface.interface(InterfaceName::new(b"eth0").expect("a name")).is_some());
}
