//! `vrrp_instance`: what each keyword means, good and bad. Expected values: keywords.tsv, syntax.md, behaviour.md, and
//! `keepalived -t` 2.2.7 as observed.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::model::{ChecksumForm, InitialState, Preempt, Transport};
use keepalived_config::{AnyInterface, Facts, InterfaceFacts, exit_status, fatal, fatal_without_routers};
use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Authentication, Family, Password, Version};
use support::{VIP, ids, instance, instance_under, text, with_facts};

const NONE: [&str; 0] = [];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn defaults_are_those_of_keepalived() {
    let (found, ids) = instance(VIP);
    assert_eq!(ids, NONE);
    assert_eq!(
        (found.settings.version, found.settings.family, found.settings.priority.get()),
        (Version::V2, Family::V4, 100)
    );
    assert_eq!(
        (found.settings.initial, found.settings.preempt, found.accept),
        (InitialState::Backup, Preempt::Yes, true)
    );
    assert_eq!((found.settings.interval.duration(), found.settings.down_adverts), (Duration::from_secs(1), 3));
    assert_eq!(found.transport, Transport::Multicast { group: ip("224.0.0.18"), source: None });
    assert_eq!((found.settings.garp.delay, found.settings.garp.repeat), (Duration::from_secs(5), 5));
    assert_eq!((found.settings.garp.refresh, found.settings.garp.refresh_repeat), (Duration::ZERO, 1));
    assert_eq!(
        (found.settings.garp.lower_prio_delay, found.settings.garp.lower_prio_repeat),
        (Duration::from_secs(5), 5)
    );
    assert!(!found.settings.strict && !found.settings.lower_prio_no_advert && !found.settings.higher_prio_send_advert);
}

#[test]
fn state_and_priority_set_each_other() {
    let check = |body: &str, priority: u8, initial, expected: &[&str]| {
        let (found, ids) = instance(&format!("{body}\n{VIP}"));
        assert_eq!((found.settings.priority.get(), found.settings.initial), (priority, initial), "{body}");
        assert_eq!(ids, expected, "{body}");
    };
    use InitialState::{Backup, Master};
    check("state MASTER", 255, Master, &[]);
    check("priority 255", 255, Master, &[]);
    check("state BACKUP\npriority 255", 255, Backup, &[]);
    check("state MASTER\npriority 150", 150, Master, &[]);
    check("state SLAVE", 100, Backup, &["state-unknown"]);
    check("state master", 100, Backup, &["state-unknown"]);
    check("priority 10abc", 100, Backup, &["number-invalid"]);
    check("priority 300", 100, Backup, &["number-range"]);
    check("state MASTER\npriority 0", 100, Master, &["number-range"]);
    check("priority 010", 10, Backup, &[]);
    check("priority 10\npriority 20", 20, Backup, &["repeated"]);
    check("strict_mode on\nstate MASTER\npriority 100", 100, Backup, &["state-strict"]);
    check("strict_mode on\nstate MASTER", 255, Master, &[]);
}

#[test]
fn preemption_is_cleared_where_it_cannot_work() {
    let check = |body: &str, preempt, expected: &[&str]| {
        let (found, ids) = instance(&format!("{body}\n{VIP}"));
        assert_eq!(found.settings.preempt, preempt, "{body}");
        assert_eq!(ids, expected, "{body}");
    };
    check("nopreempt", Preempt::No, &[]);
    check("nopreempt\npreempt", Preempt::Yes, &[]);
    check("preempt\nnopreempt", Preempt::No, &[]);
    check("nopreempt off", Preempt::No, &["extra-words"]);
    check("state MASTER\npriority 100\nnopreempt", Preempt::Yes, &["nopreempt-cleared"]);
    check("state BACKUP\npriority 255\nnopreempt", Preempt::Yes, &["nopreempt-cleared"]);
    check("preempt_delay 2.5", Preempt::After(Duration::from_millis(2500)), &[]);
    check("preempt_delay 0", Preempt::Yes, &[]);
    check("preempt_delay 5000", Preempt::Yes, &["number-range"]);
    check("preempt_delay 10\nnopreempt", Preempt::No, &["preempt-delay-cleared"]);
    check("state MASTER\npriority 100\npreempt_delay 10", Preempt::Yes, &["preempt-delay-cleared"]);
    check("strict_mode\npreempt_delay 10", Preempt::Yes, &["preempt-delay-cleared"]);
}

#[test]
fn intervals_are_rounded_to_what_the_version_can_say() {
    let check = |body: &str, millis, expected: &[&str]| {
        let (found, ids) = instance(&format!("{body}\n{VIP}"));
        assert_eq!(found.settings.interval.duration(), Duration::from_millis(millis), "{body}");
        assert_eq!(ids, expected, "{body}");
    };
    check("advert_int 3", 3000, &[]);
    check("advert_int 0.5", 1000, &["advert-interval-rounded"]);
    check("advert_int 0.1", 1000, &["advert-interval-rounded"]);
    check("advert_int 1.7", 2000, &["advert-interval-rounded"]);
    check("advert_int 255", 255_000, &[]);
    check("version 3\nadvert_int 0.01", 10, &[]);
    check("version 3\nadvert_int .5", 500, &[]);
    check("version 3\nadvert_int 0.125", 130, &["advert-interval-rounded"]);
    check("version 3\nadvert_int 41", 40_950, &["advert-interval-rounded"]);
    check("version 3\nadvert_int 0.005", 1000, &["number-range"]);
    check("version 3\nadvert_int 300", 1000, &["number-range"]);
    check("version 3\nadvert_int 1s", 1000, &["number-invalid"]);
}

#[test]
fn version_and_family() {
    let check = |global: &str, body: &str, version, family, expected: &[&str]| {
        let (found, ids) = instance_under(global, body);
        assert_eq!((found.settings.version, found.settings.family), (version, family), "{body}");
        assert_eq!(ids, expected, "{body}");
    };
    let six = "virtual_ipaddress { fe80::1 }";
    check("", six, Version::V3, Family::V6, &[]);
    check("vrrp_version 2", six, Version::V3, Family::V6, &[]);
    check("vrrp_version 3", VIP, Version::V3, Family::V4, &[]);
    check("vrrp_version 4", VIP, Version::V2, Family::V4, &["number-range"]);
    check("", &format!("version 2\n{six}"), Version::V2, Family::V6, &[]);
    check("vrrp_strict", &format!("version 2\n{six}"), Version::V3, Family::V6, &["version-family"]);
    check("", "native_ipv6\nno_virtual_ipaddress", Version::V3, Family::V6, &[]);
    check("", "unicast_peer { fe80::2 }\nno_virtual_ipaddress", Version::V3, Family::V6, &[]);
    check("", "virtual_ipaddress {\n10.0.0.1\nfe80::1\n}", Version::V2, Family::V4, &["family-mismatch"]);
}

#[test]
fn the_minimum_is_demanded() {
    let check = |body: &str, expected: &[&str]| {
        let loaded = text(body);
        assert_eq!(ids(&loaded.findings), expected, "{body}");
        assert!(fatal(&loaded.findings), "{body}");
        loaded
    };
    let none = check("vrrp_instance A {\ninterface eth0\nvirtual_ipaddress { 10.0.0.1 }\n}", &["vrid-missing"]);
    assert_eq!((none.config.instances.len(), exit_status(&none.findings)), (0, 5));
    check("vrrp_instance A {\nvirtual_router_id 5\nvirtual_ipaddress { 10.0.0.1 }\n}", &["interface-missing"]);
    let lo = "vrrp_instance A {\ninterface lo\nvirtual_router_id 5\nvirtual_ipaddress { 10.0.0.1 }\n}";
    check(lo, &["interface-missing"]);
    for vrid in ["0", "256", "x", "-1"] {
        let body = format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id {vrid}\nvirtual_ipaddress {{ 10.0.0.1 }}\n}}"
        );
        check(&body, &["vrid-range"]);
    }
    check("vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nversion 3\n}", &["no-address-fatal"]);
    let missing = check(
        "vrrp_instance A {\ninterface eth0\nvirtual_router_id\nvirtual_ipaddress { 10.0.0.1 }\n}",
        &["missing-parameter"],
    );
    assert_eq!(exit_status(&missing.findings), 2);
}

#[test]
fn unicast_with_a_source_needs_no_interface() {
    let loaded = text(
        "vrrp_instance A {\nvirtual_router_id 5\nunicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.2 }\nvirtual_ipaddress { 10.0.0.9 }\n}",
    );
    assert_eq!(ids(&loaded.findings), NONE);
    assert_eq!(loaded.config.instances[0].interface, None);
}

#[test]
fn no_address_is_tolerated_in_version_2() {
    assert_eq!(instance("").1, ["no-address"]);
    assert_eq!(instance("no_virtual_ipaddress").1, NONE);
    assert_eq!(instance("version 3\nno_virtual_ipaddress").1, NONE);
    assert_eq!(instance("strict_mode\nno_virtual_ipaddress").1, ["no-address-fatal"]);
}

#[test]
fn unicast() {
    let (found, ids) = instance(&format!(
        "unicast_src_ip 10.0.0.1\nunicast_ttl 64\nunicast_peer {{\n10.0.0.2\n10.0.0.3 min_ttl 254 max_ttl 255\n10.0.0.2\nfe80::1\nx\n}}\n{VIP}"
    ));
    assert_eq!(ids, ["peer-duplicate", "family-mismatch", "address-invalid"]);
    let Transport::Unicast { source, peers, ttl, check_source, fault_without_peer } = found.transport else { panic!() };
    assert_eq!((source, ttl, check_source, fault_without_peer), (Some(ip("10.0.0.1")), Some(64), true, false));
    assert_eq!(
        peers.iter().map(|peer| (peer.address, peer.min_ttl)).collect::<Vec<_>>(),
        [(ip("10.0.0.2"), 0), (ip("10.0.0.3"), 254)]
    );
}

#[test]
fn unicast_that_contradicts_itself() {
    let peers = |line: &str, more: &str| instance(&format!("unicast_peer {{\n{line}\n}}\n{more}\n{VIP}")).1;
    assert_eq!(peers("10.0.0.2 min_ttl 5 max_ttl 3", ""), ["peer-ttl"]);
    assert_eq!(peers("10.0.0.2", "mcast_dst_ip 224.0.0.99"), ["unicast-group"]);
    assert_eq!(peers("10.0.0.2 min_ttl 256", ""), ["number-range"]);
    assert_eq!(peers("10.0.0.2 min_ttl", ""), ["missing-value"]);
}

/// All findings of an instance are reported, also when it cannot run.
#[test]
fn an_instance_that_cannot_run_is_checked_all_the_same() {
    let loaded = text(
        "vrrp_instance A {\ninterface eth0\nadvert_int 0.5\nkernel_rx_buf_size x\nvirtual_ipaddress { 10.0.0.1 }\n}",
    );
    assert_eq!(ids(&loaded.findings), ["vrid-missing", "advert-interval-rounded", "number-invalid"]);
}

#[test]
fn unicast_words_without_peer_mean_multicast() {
    for word in ["unicast_src_ip 10.0.0.1", "unicast_peer {\n}", "check_unicast_src"] {
        let (found, ids) = instance(&format!("{word}\n{VIP}"));
        assert_eq!(ids, ["unicast-without-peer"], "{word}");
        assert!(matches!(found.transport, Transport::Multicast { .. }), "{word}");
    }
    let (found, ids) = instance(&format!("unicast_src_ip 10.0.0.1\nunicast_fault_no_peer\n{VIP}"));
    assert_eq!(ids, NONE);
    assert!(matches!(found.transport, Transport::Unicast { fault_without_peer: true, .. }));
}

#[test]
fn the_multicast_group_can_be_chosen() {
    let group = |global: &str, body: &str| {
        let (found, ids) = instance_under(global, &format!("{body}\n{VIP}"));
        (matches!(found.transport, Transport::Multicast { group, .. } if group == ip("224.0.0.99")), ids)
    };
    assert_eq!(group("", "mcast_dst_ip 224.0.0.99"), (true, vec![]));
    assert_eq!(group("vrrp_mcast_group4 224.0.0.99", ""), (true, vec![]));
    assert_eq!(group("", "mcast_dst_ip 1.2.3.4"), (false, vec!["address-invalid"]));
    assert_eq!(group("vrrp_mcast_group4 1.2.3.4", ""), (false, vec!["address-invalid"]));
    assert_eq!(group("", "mcast_src_ip fe80::5"), (false, vec!["family-mismatch"]));
    assert_eq!(group("", "mcast_src_ip 10.9.0.2/24"), (false, vec![]));
}

#[test]
fn pass_authentication() {
    let check = |body: &str, octets: Option<&[u8; 8]>, expected: &[&str]| {
        let (found, ids) = instance(&format!("{body}\n{VIP}"));
        let password = octets.map(|octets| Authentication::Password(Password::truncated(octets)));
        assert_eq!(found.authentication, password.unwrap_or_default(), "{body}");
        assert_eq!(ids, expected, "{body}");
    };
    check("authentication {\nauth_type PASS\nauth_pass pass1234\n}", Some(b"pass1234"), &[]);
    check("authentication {\nauth_type PASS\nauth_pass 1111\n}", Some(b"1111\0\0\0\0"), &[]);
    check("authentication {\nauth_type PASS\nauth_pass 123456789\n}", Some(b"12345678"), &["password-truncated"]);
    check("authentication {\nauth_type PASS;\nauth_pass 1234\n}", None, &["auth-type-unknown"]);
    check("authentication {\nauth_type PASS\n}", None, &["authentication-ignored"]);
    check("authentication {\nauth_pass 1234\n}", None, &[]);
    check("authentication {\n}", None, &[]);
    check("version 3\nauthentication {\nauth_type PASS\nauth_pass 1234\n}", None, &["authentication-ignored"]);
    check("strict_mode\nauthentication {\nauth_type PASS\nauth_pass 1234\n}", None, &["authentication-ignored"]);
}

#[test]
fn announcements() {
    let (found, ids) = instance_under("vrrp_garp_master_delay 1\nvrrp_garp_master_repeat 2", VIP);
    assert_eq!(ids, NONE);
    assert_eq!((found.settings.garp.delay.as_secs(), found.settings.garp.repeat), (1, 2));
    assert_eq!((found.settings.garp.lower_prio_delay.as_secs(), found.settings.garp.lower_prio_repeat), (1, 2));
    let (found, ids) = instance_under("vrrp_min_garp", VIP);
    assert_eq!(
        (found.settings.garp.delay.as_secs(), found.settings.garp.repeat, found.settings.garp.refresh_repeat, ids),
        (0, 1, 0, vec![])
    );
    let (found, _) =
        instance_under("vrrp_min_garp\nvrrp_garp_master_repeat 4", &format!("garp_master_refresh 60\n{VIP}"));
    assert_eq!((found.settings.garp.repeat, found.settings.garp.refresh.as_secs()), (4, 60));
    let (found, ids) = instance(&format!("garp_master_repeat 0\ngarp_master_delay 5000\ngarp_extra_if all 30\n{VIP}"));
    assert_eq!(ids, ["number-adjusted", "number-range"]);
    assert_eq!(
        (
            found.settings.garp.repeat,
            found.settings.garp.delay.as_secs(),
            found.settings.garp.extra_interface.as_secs()
        ),
        (1, 5, 30)
    );
    let (found, ids) = instance(&format!("vmac_garp_intvl all 40\n{VIP}"));
    assert_eq!((found.settings.garp.extra_interface.as_secs(), ids), (40, vec!["deprecated"]));
    // without `all` virtual MACs only
    let (found, ids) = instance(&format!("garp_extra_if 40\n{VIP}"));
    assert_eq!((found.settings.garp.extra_interface.as_secs(), ids), (0, vec![]));
}

#[test]
fn strict_mode_has_its_way() {
    let body = format!(
        "down_timer_adverts 4\nlower_prio_no_advert off\nhigher_prio_send_advert\ngarp_lower_prio_repeat 3\naccept\n{VIP}"
    );
    let (found, ids) = instance_under("vrrp_strict", &body);
    assert_eq!(ids, ["strict-conflict"; 5]);
    assert_eq!((found.settings.strict, found.settings.down_adverts, found.accept), (true, 3, false));
    assert!(found.settings.lower_prio_no_advert && !found.settings.higher_prio_send_advert);
    assert_eq!((found.settings.garp.lower_prio_delay.as_secs(), found.settings.garp.lower_prio_repeat), (0, 0));
    let (found, _) = instance_under("vrrp_strict", &format!("strict_mode off\n{VIP}"));
    assert!(!found.settings.strict && found.accept);
    let (found, _) = instance_under("vrrp_strict", &format!("version 3\naccept\n{VIP}"));
    assert!(found.accept);
    let (found, _) = instance_under("vrrp_strict", &format!("priority 255\n{VIP}"));
    assert!(found.accept && found.settings.owner_ignore_adverts);
    let (_, ids) = instance_under("vrrp_strict", &format!("unicast_peer {{ 10.0.0.2 }}\n{VIP}"));
    assert_eq!(ids, ["strict-unicast"]);
    let (_, ids) = instance_under("vrrp_strict", "virtual_ipaddress { 2001:db8::1 }");
    assert_eq!(ids, ["strict-link-local"]);
}

#[test]
fn switches_and_globals() {
    let (found, ids) = instance_under(
        "vrrp_lower_prio_no_advert\nvrrp_higher_prio_send_advert yes\nvrrp_down_timer_adverts 5\nvrrp_skip_check_adv_addr on",
        VIP,
    );
    assert_eq!(ids, NONE);
    assert!(
        found.settings.lower_prio_no_advert
            && found.settings.higher_prio_send_advert
            && found.settings.skip_check_adv_addr
    );
    assert_eq!(found.settings.down_adverts, 5);
    let (found, ids) = instance_under("vrrp_lower_prio_no_advert", &format!("lower_prio_no_advert off\n{VIP}"));
    assert!(!found.settings.lower_prio_no_advert && ids.is_empty());
    for word in ["YES", "On", "1"] {
        assert_eq!(instance(&format!("strict_mode {word}\n{VIP}")).1, ["bool-invalid"], "{word}");
    }
    let (found, _) =
        instance(&format!("dont_track_primary\ntrack_src_ip\npromote_secondaries\nkernel_rx_buf_size 4096\n{VIP}"));
    assert!(found.dont_track_primary && found.track_src_ip && found.promote_secondaries);
    assert_eq!(found.rx_buffer, Some(4096));
}

#[test]
fn checksum_forms() {
    let form = |global: &str, body: &str| instance_under(global, &format!("{body}\n{VIP}")).0.settings.checksum;
    assert_eq!(form("", "version 3"), ChecksumForm::PseudoHeader);
    assert_eq!(form("v3_checksum_as_v2", "version 3"), ChecksumForm::Plain);
    assert_eq!(form("v3_checksum_as_v2", "version 3\nv3_checksum_as_v2 off"), ChecksumForm::PseudoHeader);
    assert_eq!(form("v3_checksum_as_v2", "version 2"), ChecksumForm::PseudoHeader);
    assert_eq!(form("", "version 3\nold_unicast_checksum\nunicast_peer { 10.0.0.2 }"), ChecksumForm::OldUnicast);
    assert_eq!(
        form("", "version 3\nold_unicast_checksum never\nunicast_peer { 10.0.0.2 }"),
        ChecksumForm::PseudoHeader
    );
    assert_eq!(
        instance(&format!("old_unicast_checksum sometimes\nunicast_peer {{ 10.0.0.2 }}\n{VIP}")).1,
        ["word-invalid"]
    );
}

/// What does not fit one advert is managed but not advertised (behaviour.md section 1).
#[test]
fn too_many_addresses_become_excluded() {
    let lines: String = (0..300).map(|n| format!("10.0.{}.{}\n", n / 250, n % 250 + 1)).collect();
    let (found, ids) = instance(&format!("virtual_ipaddress {{\n{lines}}}\nvirtual_ipaddress_excluded {{ fe80::1 }}"));
    assert_eq!(ids, ["too-many-addresses"]);
    assert_eq!((found.addresses.len(), found.excluded_addresses.len()), (255, 46));
    let lines: String = (1..=100).map(|n| format!("2001:db8::{n}\n")).collect();
    let (found, _) = instance(&format!("virtual_ipaddress {{\n{lines}}}"));
    // (1500 - 40 - 8) / 16
    assert_eq!(found.addresses.len(), 90);
}

/// A machine with eth0 only.
struct OnlyEth0;

impl Facts for OnlyEth0 {
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts> {
        (name.as_bytes() == b"eth0").then_some(InterfaceFacts::ETHERNET)
    }
}

#[test]
fn a_missing_interface_is_fatal_unless_dynamic() {
    let body = "vrrp_instance A {\ninterface eth1\nvirtual_router_id 5\nvirtual_ipaddress { 10.0.0.1 dev eth2 }\n}\n";
    let loaded = with_facts(body, &OnlyEth0);
    assert_eq!(ids(&loaded.findings), ["interface-unknown", "interface-unknown"]);
    assert_eq!((exit_status(&loaded.findings), fatal(&loaded.findings)), (5, true));
    // `-C`: nobody looks at instances
    assert!(!fatal_without_routers(&loaded.findings));
    let loaded = with_facts(&format!("{body}global_defs {{ dynamic_interfaces }}"), &OnlyEth0);
    assert_eq!(ids(&loaded.findings), NONE);
    assert_eq!(loaded.config.instances[0].interface.unwrap().as_bytes(), b"eth1");
}

#[test]
fn names_and_vrids_are_unique() {
    let block = |name: &str, interface: &str, vrid: u8, more: &str| {
        format!("vrrp_instance {name} {{\ninterface {interface}\nvirtual_router_id {vrid}\n{more}\n}}\n")
    };
    let check = |blocks: &[String], expected: &[&str], left: usize| {
        let loaded = support::files(&[("/k", &blocks.concat())], &AnyInterface);
        let found: Vec<_> = ids(&loaded.findings).into_iter().filter(|id| *id != "address-shared").collect();
        assert_eq!(found, expected);
        assert_eq!(loaded.config.instances.len(), left);
    };
    check(&[block("A", "eth0", 5, VIP), block("A", "eth1", 6, VIP)], &["duplicate-name"], 1);
    check(&[block("A", "eth0", 5, VIP), block("B", "eth0", 5, VIP)], &["duplicate-vrid"], 2);
    check(&[block("A", "eth0", 5, VIP), block("B", "eth1", 5, VIP)], &[], 2);
    check(&[block("A", "eth0", 5, VIP), block("B", "eth0", 5, "virtual_ipaddress { fe80::1 }")], &[], 2);
    check(&[block("A", "eth0", 5, VIP), block("B", "eth0", 5, &format!("mcast_dst_ip 224.0.0.99\n{VIP}"))], &[], 2);
    let peer = |peer: &str| format!("unicast_src_ip 10.0.0.1\nunicast_peer {{\n10.0.0.7\n{peer}\n}}\n{VIP}");
    check(
        &[block("A", "eth0", 5, &peer("10.0.0.2")), block("B", "eth0", 5, &peer("10.0.0.3"))],
        &["duplicate-vrid"],
        2,
    );
    check(&[block("A B", "eth0", 5, VIP)], &["block-name"], 0);
    check(&[block("", "eth0", 5, VIP)], &["block-name"], 0);
}
