//! What the configuration makes of elections, announcements and addresses: each keyword against its default.

use std::time::{Duration, SystemTime};

use keepalived_core::network::Address;
use keepalived_core::vrrp::{Fault, State};
use keepalived_kernel::network::Secondaries;
use keepalived_state::InstanceView;

use super::rig::{ETH0, ETH1, MILLI, Rig, VIP, ip, machine, master, one, plain, under, with_addresses};
use crate::vrrp::report::Report;

fn master_with(globals: &str, lines: &str) -> Rig {
    let mut rig = Rig::new(&under(globals, lines));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master, "{globals} {lines}");
    rig.sent(51);
    rig.pass(MILLI);
    rig
}

fn view(rig: &Rig) -> InstanceView {
    rig.engine.view(rig.now, SystemTime::UNIX_EPOCH).instances.remove(0)
}

#[test]
fn preemption_can_be_put_off_or_given_up() {
    for (lines, after_5, after_15) in [
        ("", State::Master, State::Master),
        ("nopreempt", State::Backup, State::Backup),
        ("nopreempt\n preempt", State::Master, State::Master),
        ("preempt_delay 10", State::Backup, State::Master),
    ] {
        let mut rig = Rig::new(&under("", lines));
        rig.hear_for(5, &one(50), 50);
        assert_eq!(rig.state("A"), after_5, "{lines}");
        rig.hear_for(10, &one(50), 50);
        assert_eq!(rig.state("A"), after_15, "{lines}");
    }
}

// RFC 3768 §6.1: so many intervals, and the skew of priority 100
#[test]
fn a_master_is_waited_for_as_many_adverts_as_configured() {
    for (globals, lines, adverts) in
        [("", "", 3), ("vrrp_down_timer_adverts 5", "", 5), ("vrrp_down_timer_adverts 5", "down_timer_adverts 2", 2)]
    {
        let mut rig = Rig::new(&under(globals, lines));
        rig.pass(Duration::from_millis(adverts * 1_000 + 609));
        assert_eq!(rig.state("A"), State::Backup, "{globals} {lines}");
        rig.pass(MILLI);
        assert_eq!(rig.state("A"), State::Master, "{globals} {lines}");
    }
}

#[test]
fn an_owner_that_is_to_begin_as_backup_does() {
    for (lines, state) in [("priority 255", State::Master), ("priority 255\n state BACKUP", State::Backup)] {
        assert_eq!(Rig::new(&under("", lines)).state("A"), state, "{lines}");
    }
    assert_eq!(Rig::new(&under("", "state MASTER")).state("A"), State::Master, "without a priority it is an owner");
}

#[test]
fn a_lower_claim_may_be_left_unanswered() {
    for (globals, lines, answers) in [
        ("", "", 1),
        ("", "lower_prio_no_advert", 0),
        ("vrrp_lower_prio_no_advert", "", 0),
        ("vrrp_lower_prio_no_advert", "lower_prio_no_advert off", 1),
        ("vrrp_strict", "", 0),
        ("", "strict_mode", 0),
    ] {
        let mut rig = master_with(globals, lines);
        rig.hear(&one(50), 50);
        assert_eq!((rig.sent(51).len(), rig.state("A")), (answers, State::Master), "{globals} {lines}");
    }
}

#[test]
fn a_higher_claim_may_be_told_of_ours() {
    for (globals, lines, last) in [
        ("", "", &[][..]),
        ("", "higher_prio_send_advert", &[100]),
        ("vrrp_higher_prio_send_advert", "", &[100]),
        ("vrrp_higher_prio_send_advert", "higher_prio_send_advert off", &[]),
    ] {
        let mut rig = master_with(globals, lines);
        rig.hear(&one(200), 200);
        assert_eq!((&rig.sent(51)[..], rig.state("A")), (last, State::Backup), "{globals} {lines}");
    }
}

// without it the owner with the lower address yields
#[test]
fn an_owner_may_be_told_to_ignore_adverts() {
    for (globals, lines, state) in [
        ("", "", State::Backup),
        ("", "owner_ignore_adverts", State::Master),
        ("vrrp_owner_ignore_adverts", "", State::Master),
        ("vrrp_strict", "", State::Master),
    ] {
        let mut rig = Rig::new(&under(globals, &format!("priority 255\n {lines}")));
        rig.pass(MILLI);
        rig.hear(&one(255), 255);
        assert_eq!(rig.state("A"), state, "{globals} {lines}");
    }
}

// RFC 9568 §5.2.5, erratum 8299
#[test]
fn strict_mode_refuses_adverts_without_addresses() {
    let bare = "vrrp_instance X {\n interface eth0\n virtual_router_id 51\n no_virtual_ipaddress\n}\n";
    for (globals, lines, state) in [
        ("", "", State::Backup),
        ("vrrp_strict", "", State::Master),
        ("", "strict_mode", State::Master),
        ("vrrp_strict", "strict_mode off", State::Backup),
    ] {
        let mut rig = Rig::new(&under(globals, lines));
        rig.hear_for(5, bare, 200);
        assert_eq!(rig.state("A"), state, "{globals} {lines}");
    }
}

#[test]
fn the_addresses_of_a_known_master_may_be_taken_on_trust() {
    let other = with_addresses("X", 51, 200, &["192.0.2.200"]);
    for (globals, lines, differing) in
        [("", "", 3), ("", "skip_check_adv_addr", 1), ("vrrp_skip_check_adv_addr", "", 1)]
    {
        let mut rig = Rig::new(&under(globals, lines));
        rig.hear_for(3, &other, 200);
        assert_eq!(view(&rig).counters.addr_list_err, differing, "{globals} {lines}");
    }
}

/// State after five seconds of adverts from 192.0.2.2 that arrive with `ttl`.
fn heard_by_unicast(globals: &str, peer: &str, lines: &str, ttl: u8) -> State {
    let mut rig = Rig::new(&under(globals, &format!("{lines}\n unicast_peer {{\n {peer}\n }}")));
    for _ in 0..5 {
        rig.hear_at(&one(200), 200, ip("192.0.2.1"), ttl);
        rig.settle();
        rig.pass(Duration::from_secs(1));
    }
    rig.state("A")
}

#[test]
fn only_peers_are_heard_if_that_is_asked_for() {
    assert_eq!(heard_by_unicast("", "192.0.2.3", "", 255), State::Backup);
    assert_eq!(heard_by_unicast("", "192.0.2.3", "check_unicast_src", 255), State::Master);
    assert_eq!(heard_by_unicast("vrrp_check_unicast_src", "192.0.2.3", "", 255), State::Master);
    assert_eq!(heard_by_unicast("", "192.0.2.2", "check_unicast_src", 255), State::Backup);
}

#[test]
fn a_peer_is_heard_within_its_range_of_ttl() {
    for (range, ttl, state) in [
        ("", 1, State::Backup),
        ("min_ttl 254", 254, State::Backup),
        ("min_ttl 254", 253, State::Master),
        ("max_ttl 64", 64, State::Backup),
        ("max_ttl 64", 65, State::Master),
    ] {
        assert_eq!(heard_by_unicast("", &format!("192.0.2.2 {range}"), "", ttl), state, "{range} {ttl}");
    }
}

#[test]
fn what_is_missing_can_be_made_a_fault() {
    for (lines, fault) in [
        ("unicast_src_ip 192.0.2.1\n unicast_fault_no_peer", Some(Fault::NoPeer)),
        ("mcast_src_ip 192.0.2.9", None),
        ("mcast_src_ip 192.0.2.9\n track_src_ip", Some(Fault::NoSource)),
        ("mcast_src_ip 192.0.2.1\n track_src_ip", None),
    ] {
        let rig = Rig::new(&under("", lines));
        let expected = if fault.is_some() { State::Fault } else { State::Backup };
        assert_eq!(rig.state("A"), expected, "{lines}");
        assert!(fault.is_none_or(|fault| view(&rig).faults.contains(&fault)), "{lines}");
    }
}

/// Announcements from the moment it becomes master on.
fn announcements(globals: &str, lines: &str, seconds: f64) -> Vec<(f64, usize)> {
    let mut rig = Rig::new(&under(globals, &format!("advert_int 1\n {lines}")));
    rig.pass(Duration::from_micros(3_609_374));
    rig.now += Duration::from_micros(1);
    rig.series(seconds)
}

#[test]
fn announcements_are_timed_and_counted_as_configured() {
    let each = |prefix: &str| {
        format!(
            "{prefix}garp_master_repeat 2\n {prefix}garp_master_delay 3\n \
             {prefix}garp_master_refresh 10\n {prefix}garp_master_refresh_repeat 4"
        )
    };
    let expected = [(0.0, 2), (3.0, 2), (13.0, 4), (23.0, 4)];
    assert_eq!(announcements("", "", 30.0), [(0.0, 5), (5.0, 5)]);
    assert_eq!(announcements("", &each(""), 30.0), expected);
    assert_eq!(announcements(&each("vrrp_"), "", 30.0), expected);
    assert_eq!(announcements("vrrp_min_garp", "", 30.0), [(0.0, 1)]);
}

#[test]
fn a_lower_claim_is_announced_against_as_configured() {
    let each = |prefix: &str| format!("{prefix}garp_lower_prio_repeat 3\n {prefix}garp_lower_prio_delay 2");
    for (globals, lines, expected) in [
        (String::new(), String::new(), [(0.0, 5), (5.0, 5)]),
        (String::new(), each(""), [(0.0, 3), (2.0, 3)]),
        (each("vrrp_"), String::new(), [(0.0, 3), (2.0, 3)]),
    ] {
        let mut rig = master_with(&globals, &lines);
        rig.pass(Duration::from_secs(10));
        rig.announced();
        rig.hear_only(&one(50), 50);
        assert_eq!(rig.series(20.0), expected, "{globals} {lines}");
    }
}

#[test]
fn announcements_keep_the_distance_that_is_configured() {
    let four = "garp_master_repeat 4\n garp_master_delay 0";
    let six = format!("{four}\n virtual_ipaddress {{\n fe80::100/64\n }}");
    let paced = [(0.0, 1), (0.5, 1), (1.0, 1), (1.5, 1)];
    assert_eq!(announcements("", four, 9.0), [(0.0, 4)]);
    assert_eq!(announcements("vrrp_garp_interval 0.5", four, 9.0), paced);
    assert_eq!(announcements("vrrp_gna_interval 0.5", four, 9.0), [(0.0, 4)]);
    assert_eq!(announcements("vrrp_gna_interval 0.5", &six, 9.0), paced);
    assert_eq!(announcements("vrrp_garp_interval 0.5", &six, 9.0), [(0.0, 4)]);
}

#[test]
fn interfaces_of_a_group_share_its_distance() {
    let addresses = "virtual_ipaddress {\n 192.0.2.100/24\n 198.51.100.1/24 dev eth1\n }";
    let lines = format!("garp_master_repeat 2\n garp_master_delay 0\n {addresses}");
    let series = |groups: &str| {
        let mut rig = Rig::new(&(under("", &lines) + groups));
        rig.pass(Duration::from_micros(3_609_374));
        rig.now += Duration::from_micros(1);
        rig.series(9.0)
    };
    let shared = [(0.0, 1), (0.5, 1), (1.0, 1), (1.5, 1)];
    assert_eq!(series(""), [(0.0, 4)]);
    assert_eq!(series("garp_group {\n garp_interval 0.5\n interfaces {\n eth0\n eth1\n }\n}\n"), shared);
    assert_eq!(series("garp_group {\n garp_interval 0.5\n interface eth1\n}\n"), [(0.0, 3), (0.5, 1)]);
    assert_eq!(series("garp_group {\n gna_interval 0.5\n interface eth1\n}\n"), [(0.0, 4)]);
}

#[test]
fn the_distance_of_a_group_is_for_neighbour_advertisements_too() {
    let lines = "garp_master_repeat 2\n garp_master_delay 0\n virtual_ipaddress {\n fe80::100/64\n }";
    let group = "garp_group {\n gna_interval 0.5\n interface eth0\n}\n";
    let mut rig = Rig::new(&(under("", lines) + group));
    rig.pass(Duration::from_secs(3));
    let times = rig.series(9.0);
    assert_eq!(times.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 1]);
    assert!((times[1].0 - times[0].0 - 0.5).abs() < 0.001, "{times:?}");
}

#[test]
fn other_interfaces_are_announced_on_as_often_as_configured() {
    let addresses = "virtual_ipaddress {\n 192.0.2.100/24\n 198.51.100.1/24 dev eth1\n }";
    for (globals, lines, often) in [
        ("", "", 0),
        ("", "garp_extra_if all 10", 2),
        ("", "vmac_garp_intvl all 10", 2),
        ("vrrp_garp_extra_if all 10", "", 2),
        ("vrrp_vmac_garp_intvl all 10", "", 2),
        // without `all` it is for virtual MACs
        ("", "garp_extra_if 10", 0),
    ] {
        let mut rig = master_with(globals, &format!("garp_master_delay 0\n {lines}\n {addresses}"));
        rig.announced();
        rig.pass(Duration::from_secs(20));
        assert_eq!(rig.announced().len(), often, "{globals} {lines}");
    }
}

#[test]
fn unknown_vrids_are_said_if_that_is_asked_for() {
    for (globals, said) in [("", 0), ("log_unknown_vrids", 1)] {
        let mut rig = Rig::new(&under(globals, ""));
        rig.hear_for(3, &with_addresses("X", 99, 200, &["192.0.2.200"]), 200);
        let reports = rig.reports.iter().filter(|report| matches!(report, Report::UnknownVrid { vrid: 99, .. }));
        assert_eq!(reports.count(), said, "{globals}");
    }
}

// keepalived 2.4.3: an instance adds kernel_rx_buf_size, else what the policy says; the MTU is 1500, and the advert (version 2, one
// address) has 40 octets with its IP header
#[test]
fn the_receive_buffer_can_be_sized() {
    for (globals, lines, size) in [
        ("", "", 262_144),
        ("vrrp_rx_bufs_policy 500000", "", 500_000),
        ("", "kernel_rx_buf_size 1000000", 1_000_000),
        ("vrrp_rx_bufs_policy 500000", "kernel_rx_buf_size 1000000", 1_000_000),
        ("vrrp_rx_bufs_policy MTU", "", 262_144),
        ("vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_multiplier 1000", "", 1_500_000),
        ("vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_multiplier 1000", "kernel_rx_buf_size 1000000", 1_000_000),
        ("vrrp_rx_bufs_policy ADVERT\nvrrp_rx_bufs_multiplier 100000", "", 4_000_000),
        ("vrrp_rx_bufs_policy 500000\nvrrp_rx_bufs_multiplier 1000", "", 500_000),
    ] {
        let mut rig = Rig::new(&under(globals, lines));
        let id = rig.packets().channels().next().map(|(id, _)| id).unwrap();
        assert_eq!(rig.packets().buffer(id).unwrap().0, size, "{globals} {lines}");
    }
}

#[test]
fn promotion_of_secondary_addresses_can_be_asked_for() {
    assert_eq!(Rig::new(&under("", "")).network().secondaries(), []);
    let mut rig = Rig::new(&under("", "promote_secondaries"));
    assert_eq!(rig.network().secondaries(), [(ETH0, Secondaries::Promoted)]);
}

/// What the kernel is told of an address line.
fn told(line: &str) -> Address {
    let mut rig = master_with("", &format!("virtual_ipaddress {{\n {line}\n }}"));
    let address = line.split([' ', '/']).next().unwrap();
    let found = rig.network().addresses().find(|it| it.address == ip(address)).cloned();
    found.unwrap_or_else(|| panic!("{line}"))
}

// IFA_F_… of linux/if_addr.h
#[test]
fn options_of_an_address_reach_the_kernel() {
    let plainest = told("198.51.100.7");
    assert_eq!((plainest.link, plainest.prefix, plainest.scope, plainest.label), (ETH0, 32, 0, None));
    assert_eq!((plainest.broadcast, plainest.peer, plainest.preferred_lifetime), (None, None, None));
    assert_eq!((told("198.51.100.7/24").prefix, told("198.51.100.7/24 dev eth1").link), (24, ETH1));
    assert_eq!(told("198.51.100.7/24 scope link").scope, 253);
    assert_eq!(told("198.51.100.7/24 label eth0:vip").label.unwrap().as_bytes(), b"eth0:vip");
    for (word, broadcast) in [("+", "198.51.100.255"), ("-", "198.51.100.0"), ("198.51.100.9", "198.51.100.9")] {
        for keyword in ["brd", "broadcast"] {
            let told = told(&format!("198.51.100.7/24 {keyword} {word}"));
            assert_eq!(told.broadcast.map(|address| address.to_string()).as_deref(), Some(broadcast));
        }
    }
    assert_eq!(told("198.51.100.7 peer 198.51.100.8").peer, Some(ip("198.51.100.8")));
    let v6 = |options: &str| told(&format!("2001:db8::7/64 {options}")).flags;
    let flag = |options: &str| v6(options) ^ v6("");
    assert_eq!((v6("") & 0x02, flag("-nodad")), (0x02, 0x02));
    assert_eq!(
        (flag("home"), flag("mngtmpaddr"), flag("noprefixroute"), flag("autojoin")),
        (0x10, 0x100, 0x200, 0x400)
    );
    assert_eq!(told("2001:db8::7/64 preferred_lft 60").preferred_lifetime, Some(60));
    assert_eq!(told("2001:db8::7").preferred_lifetime, Some(0), "so that it is not chosen as a source");
    assert_eq!(told("2001:db8::7 preferred_lft forever").preferred_lifetime, None);
}

#[test]
fn an_address_that_is_not_tracked_concerns_nobody() {
    for (option, state) in [("", State::Backup), ("no_track", State::Master)] {
        let mut rig = master_with("vip_lost backup", &format!("virtual_ipaddress {{\n 192.0.2.100/24 {option}\n }}"));
        rig.network().remove_address(ETH0, ip(VIP), 24);
        rig.settle();
        assert_eq!((rig.state("A"), rig.has(VIP)), (state, state == State::Master), "{option}");
    }
}

#[test]
fn an_instance_stands_on_its_interface() {
    let text = one(100).replace("eth0", "eth1");
    let mut network = machine();
    network.add_address(plain(ETH1, "198.51.100.1", 24));
    let mut rig = Rig::on(network, &text);
    rig.network().set_running(ETH0, false);
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    assert!(rig.packets().sent.iter().all(|advert| advert.channel.link == Some(ETH1)));
    assert!(master().packets().sent.iter().all(|advert| advert.channel.link == Some(ETH0)));
}
