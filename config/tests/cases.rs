//! Small configurations, each with one question: `data/cases`. The status is that of keepalived 2.4.3 `-t` as it was
//! seen.

mod support;

use std::path::Path;

use keepalived_config::facts::Inside;
use keepalived_config::model::{OwnLink, Vmac};
use keepalived_config::{Facts, InterfaceFacts, MemorySource, exit_status, fatal, load};
use keepalived_core::address::InterfaceName;
use support::{ids, with_facts};

/// A machine with these interfaces, and a namespace `inner` with the interface in0.
struct Machine(&'static [&'static str]);

const OUTSIDE: Machine = Machine(&["lo", "eth0", "eth1", "eth2", "eth3"]);

impl Facts for Machine {
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts> {
        let is_there = self.0.contains(&"*") || self.0.iter().any(|there| there.as_bytes() == name.as_bytes());
        is_there.then(|| InterfaceFacts { loopback: name.as_bytes() == b"lo", ..InterfaceFacts::ETHERNET })
    }

    fn has_directory(&self, path: &str) -> bool {
        !path.starts_with("/nonexistent")
    }

    fn inside(&self, name: &str) -> Option<Inside> {
        let exists = name == "inner";
        Some(Inside { exists, facts: Box::new(Self(if exists { &["lo", "in0"] } else { &["*"] })) })
    }
}

/// The exit status of `-t`, and the findings that are more than information.
fn check(name: &str, status: u8, found: &[&str]) {
    let path = format!("{}/tests/data/cases/{name}.conf", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("a case");
    let loaded = with_facts(&text, &OUTSIDE);
    assert_eq!((exit_status(&loaded.findings), &ids(&loaded.findings)[..]), (status, found), "{name}");
}

#[test]
fn interfaces_are_those_of_the_namespace() {
    check("namespace-interface-inside", 0, &[]);
    check("namespace-interface-outside", 5, &["interface-unknown"]);
}

/// keepalived ends with 0 here, because it looks at nothing else; we go on, and find the priority.
#[test]
fn a_namespace_that_is_missing_is_said_and_the_rest_is_checked() {
    check("namespace-missing", 5, &["namespace-missing", "number-range"]);
}

/// keepalived changes to the directory of the file, and asks where it is.
#[test]
fn the_directory_of_a_file_is_absolute() {
    struct Elsewhere(MemorySource);
    impl keepalived_config::Source for Elsewhere {
        fn read(&self, path: &Path) -> Result<Vec<u8>, keepalived_config::SourceError> {
            self.0.read(path)
        }
        fn glob(&self, pattern: &str, base: &Path) -> Vec<std::path::PathBuf> {
            self.0.glob(pattern, base)
        }
        fn directory(&self, path: &Path) -> std::path::PathBuf {
            Path::new("/work").join(path.parent().unwrap_or(Path::new("")))
        }
    }
    let source =
        MemorySource::one("k.conf", "global_defs {\nrouter_id ${_PWD}\ninclude d/i.conf\ninclude ${_PWD}/k.conf\n}")
            .with("d/i.conf", "process_name ${_PWD}\n");
    let loaded = load(&Elsewhere(source), Path::new("k.conf"), &OUTSIDE);
    assert_eq!(loaded.config.global.router_id.as_deref(), Some("/work/"));
    assert_eq!(loaded.config.global.process_name.as_deref(), Some("/work/d"));
}

/// The exit status of `-t` for `text`, and the findings that are more than information.
fn status(text: &str) -> (u8, Vec<&'static str>) {
    let loaded = with_facts(text, &OUTSIDE);
    (exit_status(&loaded.findings), ids(&loaded.findings))
}

/// An instance with `inside` and an address.
fn instance(inside: &str) -> String {
    format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 60\n{inside}\nvirtual_ipaddress {{\n192.0.2.60/24\n}}\n}}\n"
    )
}

/// The first four are what keepalived 2.4.3 reports; of a priority it says nothing.
#[test]
fn a_keyword_that_stands_twice_is_said() {
    check("url-path-twice", 5, &["said-again"]);
    let server = |virtual_server: &str, check: &str| {
        format!(
            "virtual_server 192.0.2.60 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{virtual_server}\n\
             real_server 192.0.2.100 80 {{\n{check}\n}}\n}}\n"
        )
    };
    assert_eq!(status(&server("virtualhost a\nvirtualhost b", "TCP_CHECK {\n}")), (5, vec!["said-again"]));
    assert_eq!(status(&server("", "SMTP_CHECK {\nhelo_name a\nhelo_name b\n}")), (5, vec!["said-again"]));
    assert_eq!(status("SSL {\nkey /a\nkey /b\n}"), (5, vec!["said-again"]));
    assert_eq!(status(&server("quorum_up /bin/a\nquorum_up /bin/b", "TCP_CHECK {\n}")).0, 5);
    assert_eq!(status(&instance("priority 100\npriority 150")), (0, vec!["repeated"]));
    // global_defs is one, however many blocks it has
    let text = "global_defs {\nrouter_id a\n}\nglobal_defs {\nrouter_id b\n}\n";
    assert_eq!(status(text), (0, vec!["repeated"]));
    // a list goes on in a second block
    let lists = "virtual_ipaddress {\n192.0.2.61\n}\nvirtual_routes {\n10.0.0.0/8 dev eth0\n}\nvirtual_routes {\n10.1.0.0/16 dev eth0\n}";
    assert_eq!(status(&instance(lists)), (0, vec![]));
}

#[test]
fn words_before_a_block_are_said() {
    check("word-after-block", 5, &["block-words"]);
    for list in ["track_interface", "virtual_routes", "virtual_ipaddress_excluded"] {
        let (status, found) = status(&instance(&format!("{list} junk {{\n}}")));
        assert_eq!((status, found[0]), (5, "block-words"), "{list}");
    }
    // of blocks of keywords keepalived says nothing
    assert_eq!(status("global_defs junk {\n}\n"), (0, vec!["extra-words"]));
    assert_eq!(status(&instance("authentication junk {\n}")).1[0], "extra-words");
    assert_eq!(status("vrrp_track_process p junk {\nprocess p\n}\n"), (0, vec!["tracker-unused", "extra-words"]));
}

/// What stands after the value is said whatever the value is made of, and whether it has an effect yet or not.
#[test]
fn words_after_a_statement_are_said() {
    for line in ["state MASTER junk", "priority 100 junk", "vrf junk more", "accept junk", "smtp_alert on junk"] {
        let (_, found) = status(&instance(line));
        assert!(found.contains(&"extra-words"), "{line}: {found:?}");
    }
    let (status, found) = status("global_defs {\nstate_dump_file /tmp/a b\n}\n");
    assert_eq!((status, found), (5, vec!["single-word"]));
}

/// 2 is what keepalived exits with where it misses a word.
#[test]
fn a_block_without_a_name_is_what_keepalived_makes_of_it() {
    check("script-without-name", 2, &["missing-parameter"]);
    for (block, expected) in [
        ("vrrp_script", 2),
        ("vrrp_track_process", 2),
        ("track_file", 2),
        ("vrrp_track_file", 2),
        ("virtual_server", 2),
        ("virtual_server_group", 2),
        ("vrrp_instance", 5),
        ("vrrp_sync_group", 5),
        ("track_group", 5),
    ] {
        assert_eq!(status(&format!("{block} {{\n}}\n")).0, expected, "{block}");
    }
}

#[test]
fn an_address_with_a_peer_has_no_prefix() {
    check("peer-with-prefix", 5, &["address-option"]);
    let prefix = |text: &str| {
        let loaded = with_facts(text, &OUTSIDE);
        let addresses = loaded.config.instances.first().map(|instance| &instance.excluded_addresses);
        let address = addresses
            .unwrap_or(&loaded.config.static_addresses.iter().map(|it| it.address.clone()).collect())[0]
            .clone();
        (exit_status(&loaded.findings), address.prefix)
    };
    let excluded = |line: &str| instance(&format!("virtual_ipaddress_excluded {{\n{line}\n}}"));
    assert_eq!(prefix(&excluded("192.0.2.62/24 peer 192.0.2.61")), (5, 32));
    assert_eq!(prefix(&excluded("192.0.2.62/32 peer 192.0.2.61")), (0, 32));
    assert_eq!(prefix(&excluded("192.0.2.62 peer 192.0.2.61")), (0, 32));
    assert_eq!(prefix(&excluded("2001:db8::9/64 peer 2001:db8::1")), (5, 128));
    assert_eq!(prefix("static_ipaddress {\n192.0.2.70/24 peer 192.0.2.71 dev eth0\n}\n"), (5, 32));
    // keepalived leaves the line out
    assert_eq!(status(&excluded("192.0.2.62 peer 192.0.2.61 peer 192.0.2.63")), (5, vec!["address-invalid"]));
}

#[test]
fn an_interface_of_its_own_is_what_the_instance_lets_it_be() {
    check("vmac-promote-secondaries", 5, &["own-link-promotion"]);
    check("vmac-unicast-no-xmit-base", 5, &["own-link-transmit"]);
    check("vmac-without-interface", 5, &["own-link-base"]);
    assert_eq!(status(&instance("use_ipvlan 192.0.2.9\npromote_secondaries")), (5, vec!["own-link-promotion"]));
    let own = |inside: &str| with_facts(&instance(inside), &OUTSIDE).config.instances[0].own_link.clone();
    let unicast = own("use_vmac\nunicast_peer {\n192.0.2.3\n}");
    assert!(matches!(unicast.as_deref(), Some(OwnLink::Vmac(Vmac { transmit_base: true, .. }))), "{unicast:?}");
    let with_base = "use_vmac\nvmac_xmit_base\nunicast_peer {\n192.0.2.3\n}";
    assert_eq!(status(&instance(with_base)), (0, vec![]));
}

#[test]
fn a_sorry_server_that_is_a_real_server_follows_it() {
    check("sorry-server-inhibit-differs", 5, &["sorry-inhibit"]);
    let servers = |inside: &str| {
        let head = "virtual_server 192.0.2.60 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\ndelay_loop 5\n";
        let loaded = with_facts(&format!("{head}{inside}\n}}\n"), &OUTSIDE);
        let sorry = loaded.config.virtual_servers[0].settings.sorry_server.clone().expect("a sorry server");
        (exit_status(&loaded.findings), sorry.inhibit)
    };
    let real = |inside: &str| format!("real_server 192.0.2.100 80 {{\n{inside}\nTCP_CHECK {{\n}}\n}}");
    let sorry = "sorry_server 192.0.2.100 80\n";
    assert_eq!(servers(&format!("{sorry}{}", real("inhibit_on_failure"))), (5, true));
    assert_eq!(servers(&format!("{sorry}sorry_server_inhibit\n{}", real(""))), (5, false));
    assert_eq!(servers(&format!("inhibit_on_failure\n{sorry}{}", real(""))), (5, true));
    assert_eq!(servers(&format!("{sorry}{}", real(""))), (0, false));
    assert_eq!(servers(&format!("sorry_server 192.0.2.100\n{}", real("inhibit_on_failure"))), (0, false));
}

/// keepalived leaves it out; we keep it for those who make the directory later, and say so.
#[test]
fn a_track_file_without_its_directory_is_said_and_kept() {
    check("track-file-no-directory", 5, &["track-file-directory"]);
    let text = "track_file f {\nfile /nonexistent/dir/f\n}\n";
    assert_eq!(with_facts(text, &OUTSIDE).config.files.len(), 1);
}

/// What a power cut leaves of a file must not take the place of what runs.
#[test]
fn a_file_with_nul_octets_cannot_be_used() {
    let loaded = with_facts(&(instance("") + "\0\0\0\n"), &OUTSIDE);
    assert!(fatal(&loaded.findings));
    assert_eq!((exit_status(&loaded.findings), ids(&loaded.findings)), (5, vec!["nul-octet"]));
    // a power cut leaves as many as the disk has in a block, or more
    let loaded = with_facts(&(instance("") + &"\0".repeat(70_000)), &OUTSIDE);
    assert!(fatal(&loaded.findings));
    assert_eq!((exit_status(&loaded.findings), ids(&loaded.findings)), (5, vec!["nul-octet"]));
}

#[test]
fn a_group_has_at_most_a_million_addresses() {
    let group = |line: &str| status(&format!("virtual_server_group G {{\n{line}\n}}\n")).1;
    assert_eq!(group("10.0.0.0/12 80"), Vec::<&str>::new());
    assert_eq!(group("10.0.0.0/12 80\n10.16.0.1 80"), ["server-group-large"]);
    assert_eq!(group("2001:db8::/64 80"), ["server-group-large"]);
    assert_eq!(group("0.0.0.1-255.255.255.254 80"), ["server-group-large"]);
}

/// MISC_CHECK and FILE_CHECK obey them.
#[test]
fn what_a_check_obeys_is_not_called_without_effect() {
    let text =
        "global_defs {\nscript_user nobody\nenable_script_security\n}\ntrack_file f {\nfile /run/f\nweight 2\n}\n";
    let loaded = with_facts(text, &OUTSIDE);
    assert!(!loaded.findings.iter().any(|finding| finding.rule.id == "not-effective"), "{:?}", loaded.findings);
}

/// Statuses: Debian's 2.2.7. Of all keywords, each with a word more than it takes, these are the ones that look at it.
#[test]
fn a_word_more_is_an_error_where_keepalived_reads_it() {
    let server = |method: &str| {
        status(&format!(
            "virtual_server 10.0.0.1 80 {{\nlvs_sched rr\n{method}\nprotocol TCP\n\
             real_server 10.0.1.1 80 {{\n{method}\nTCP_CHECK {{\n}}\n}}\n}}\n"
        ))
    };
    for options in ["word", "csum", "port 5", "type foo", "type", "type gre remcsum"] {
        for method in ["NAT", "DR"] {
            assert_eq!(server(&format!("lvs_method {method} {options}")).0, 5, "{method} {options}");
        }
    }
    for options in ["", "type ipip", "type gre csum", "type gue port 5", "nocsum"] {
        assert_eq!(server(&format!("lvs_method DR {options}")).0, 0, "{options}");
    }
    let global = |line: &str| status(&format!("global_defs {{\n{line}\n}}\n{}", instance(""))).0;
    for extra in ["all 40 word", "40 word", "word", "all"] {
        assert_eq!(status(&instance(&format!("garp_extra_if {extra}"))).0, 5, "{extra}");
        assert_eq!(global(&format!("vrrp_garp_extra_if {extra}")), 5, "{extra}");
    }
    for extra in ["all 40", "40", "all 40 40", "40 all"] {
        assert_eq!(status(&instance(&format!("garp_extra_if {extra}"))).0, 0, "{extra}");
        assert_eq!(global(&format!("vrrp_garp_extra_if {extra}")), 0, "{extra}");
    }
    assert_eq!(global("vrrp_rx_bufs_multiplier 5 word"), 5);
    assert_eq!(global("vrrp_rx_bufs_multiplier 5"), 0);
}

/// Debian's 2.2.7 takes the last one and says nothing.
#[test]
fn an_option_that_stands_twice_in_a_line_is_said_and_the_last_counts() {
    let route = |options: &str| instance(&format!("virtual_routes {{\n10.5.0.0/16 {options}\n}}"));
    let rule = |options: &str| instance(&format!("virtual_rules {{\nfrom 10.5.0.0/16 {options}\n}}"));
    for text in [
        route("dev eth0 table 100 table 200"),
        route("dev eth0 metric 1 metric 2"),
        route("via 192.0.2.1 via 192.0.2.2"),
        route("dev eth0 mtu 1400 mtu lock 1300"),
        rule("table 100 priority 5 priority 6"),
        rule("table 100 priority 5 fwmark 1 fwmark 2"),
    ] {
        assert_eq!(status(&text), (0, vec!["repeated"]), "{text}");
    }
    for text in [
        route("dev eth0 table 100 metric 2"),
        route("src 192.0.2.60 encap ip id 5 dst 192.0.2.9 src 192.0.2.8 via 192.0.2.1"),
        route("nexthop via 192.0.2.1 weight 1 nexthop via 192.0.2.2 weight 2"),
        rule("table 100 priority 5"),
    ] {
        assert_eq!(status(&text), (0, vec![]), "{text}");
    }
    let loaded = with_facts(&route("dev eth0 table 100 table 200"), &OUTSIDE);
    assert_eq!(loaded.config.instances[0].routes[0].table, 200);
    let loaded = with_facts(&rule("table 100 priority 5 priority 6"), &OUTSIDE);
    assert_eq!(loaded.config.instances[0].rules[0].preference, 6);
}
