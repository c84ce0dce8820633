//! What the configuration says reaches the kernel's table and the checks.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keepalived_config::model::{Checker, Schedule};
use keepalived_core::balance::{
    CheckResult, DestinationEntry, DestinationKey, Forwarding, Granularity, Protocol, Scheduler, ServiceEntry,
    ServiceKey, Tunnel, TunnelChecksum,
};
use keepalived_core::vrrp::Family;

use super::rig::{Rig, configuration, virtual_server};
use crate::checker::Task;

/// The only virtual server that the kernel has been given, and its only real server.
fn made(text: &str) -> (ServiceKey, ServiceEntry, DestinationKey, DestinationEntry) {
    let mut rig = Rig::new(text);
    let table = rig.engine.director().table();
    assert_eq!(table.len(), 1, "{text}");
    let (key, entry) = table.first_key_value().unwrap();
    let (to, destination) = entry.destinations.first_key_value().unwrap();
    (*key, entry.service.clone(), *to, *destination)
}

/// A virtual server with one real server; `head` is what stands after `virtual_server`.
fn one(head: &str, lines: &str, server: &str) -> String {
    format!("virtual_server {head} {{\n {lines}\n real_server 10.0.0.1 80 {{\n {server}\n }}\n}}\n")
}

fn service(lines: &str) -> ServiceEntry {
    made(&one("192.0.2.1 80", &format!("protocol TCP\nlvs_method NAT\n{lines}"), "")).1
}

fn destination(lines: &str, server: &str) -> DestinationEntry {
    made(&one("192.0.2.1 80", &format!("protocol TCP\nlvs_sched rr\n{lines}"), server)).3
}

#[test]
fn how_a_service_spreads_its_clients() {
    for (line, scheduler) in
        [("lvs_sched rr", Scheduler::Rr), ("lb_algo wrr", Scheduler::Wrr), ("lvs_sched mh", Scheduler::Mh)]
    {
        assert_eq!(service(line).scheduler, scheduler, "{line}");
    }
    for (line, flags) in [
        ("lvs_sched rr", [false, false, false]),
        ("lvs_sched rr\nflag-1", [true, false, false]),
        ("lvs_sched rr\nflag-2", [false, true, false]),
        ("lvs_sched rr\nflag-3", [false, false, true]),
        ("lvs_sched sh\nsh-fallback", [true, false, false]),
        ("lvs_sched sh\nsh-port", [false, true, false]),
        ("lvs_sched mh\nmh-fallback", [true, false, false]),
        ("lvs_sched mh\nmh-port", [false, true, false]),
        ("lvs_sched rr\nhashed", [false, false, false]),
    ] {
        let made = service(line).flags;
        assert_eq!([made.flag_1, made.flag_2, made.flag_3], flags, "{line}");
        assert!(!made.hashed, "the kernel sets it itself");
    }
}

#[test]
fn datagrams_may_be_scheduled_one_by_one() {
    let text = |ops: &str| one("192.0.2.1 80", &format!("protocol UDP\nlvs_sched rr\nlvs_method NAT\n{ops}"), "");
    assert_eq!((made(&text("")).1.one_packet, made(&text("ops")).1.one_packet), (false, true));
}

#[test]
fn clients_may_stay_with_their_server() {
    let plain = service("lvs_sched rr");
    assert_eq!((plain.persistence, plain.granularity, plain.persistence_engine), (None, None, None));
    let entry = service("lvs_sched rr\npersistence_timeout 600\npersistence_granularity 255.255.255.0");
    assert_eq!(entry.persistence, Some(Duration::from_secs(600)));
    assert_eq!(entry.granularity, Some(Granularity::V4(Ipv4Addr::new(255, 255, 255, 0))));
    let entry = service("lvs_sched rr\npersistence_timeout 600\npersistence_engine sip");
    assert_eq!(entry.persistence_engine.as_deref(), Some("sip"));
}

#[test]
fn how_packets_reach_a_server() {
    let gue = Tunnel::Gue { port: 6080.try_into().unwrap(), checksum: TunnelChecksum::Plain };
    for (line, forwarding) in [
        ("lvs_method NAT", Forwarding::Nat),
        ("lb_kind DR", Forwarding::Dr),
        ("lvs_method TUN", Forwarding::Tun(Tunnel::Ipip)),
        ("lvs_method TUN type gue port 6080 csum", Forwarding::Tun(gue)),
        ("lvs_method TUN type gre", Forwarding::Tun(Tunnel::Gre { checksum: TunnelChecksum::None })),
    ] {
        assert_eq!(destination(line, "").forwarding, forwarding, "{line}");
    }
    assert_eq!(destination("lvs_method NAT", "lvs_method DR").forwarding, Forwarding::Dr, "its own counts");
}

#[test]
fn how_much_a_server_may_carry() {
    assert_eq!(destination("lvs_method NAT", "").weight, 1);
    assert_eq!(destination("lvs_method NAT\nweight 5", "").weight, 5);
    assert_eq!(destination("lvs_method NAT\nweight 5", "weight 7").weight, 7);
    let entry = destination("lvs_method NAT", "uthreshold 100\nlthreshold 80");
    assert_eq!((entry.upper_threshold, entry.lower_threshold), (100, 80));
}

#[test]
fn what_a_service_answers_for() {
    let address = IpAddr::from([192, 0, 2, 1]);
    let lines = "lvs_sched rr\nlvs_method NAT";
    for (protocol, expected) in [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)] {
        let text = one("192.0.2.1 80", &format!("{lines}\nprotocol {protocol}"), "");
        assert_eq!(made(&text).0, ServiceKey::Address { address, port: 80, protocol: expected });
    }
    assert_eq!(made(&one("fwmark 7", lines, "")).0, ServiceKey::Fwmark { mark: 7, family: Family::V4 });
    let text =
        "virtual_server fwmark 7 {\nip_family inet6\nlvs_sched rr\nlvs_method TUN\nreal_server 10.0.0.1 {\n}\n}\n";
    assert_eq!(made(text).0, ServiceKey::Fwmark { mark: 7, family: Family::V6 });
    let group = "virtual_server_group G {\nfwmark 9\n}\n".to_owned() + &one("group G", lines, "");
    assert_eq!(made(&group).0, ServiceKey::Fwmark { mark: 9, family: Family::V4 });
}

#[test]
fn the_sorry_server_takes_over() {
    for (lines, before, after) in [
        ("sorry_server 10.0.0.9 80", "10.0.0.1:1", "10.0.0.9:1"),
        ("sorry_server 10.0.0.9 80\nsorry_server_inhibit", "10.0.0.1:1 10.0.0.9:0", "10.0.0.9:1"),
    ] {
        let mut rig = Rig::new(&configuration(lines, &[1]));
        assert_eq!(rig.table(), before);
        rig.pass(3, &[1]);
        assert_eq!(rig.table(), after);
    }
    let mut rig = Rig::new(&configuration("sorry_server 10.0.0.9 80\nsorry_server_lvs_method DR", &[1]));
    rig.pass(3, &[1]);
    let entry = rig.engine.director().table().values().next().unwrap();
    assert_eq!(entry.destinations.values().next().unwrap().forwarding, Forwarding::Dr);
}

#[test]
fn the_quorum_decides_who_serves() {
    let mut rig = Rig::new(&configuration("quorum 5\nhysteresis 1\nsorry_server 10.0.0.9 80", &[1, 2, 3]));
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), "10.0.0.2:2 10.0.0.3:3", "5 are not less than 5 - 1");
    rig.pass(6, &[1, 3]);
    assert_eq!(rig.table(), "10.0.0.9:1", "2 are");
    rig.pass(6, &[1]);
    assert_eq!(rig.table(), "10.0.0.9:1", "5 are not 5 + 1");
    rig.pass(6, &[]);
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2 10.0.0.3:3");
}

#[test]
fn a_failed_server_may_stay_with_weight_0() {
    let mut rig = Rig::new(&configuration("inhibit_on_failure", &[1, 2]));
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), "10.0.0.1:0 10.0.0.2:2");
    let text = configuration("", &[1, 2]).replace("weight 1", "weight 1\ninhibit_on_failure");
    let mut rig = Rig::new(&text);
    rig.pass(3, &[1, 2]);
    assert_eq!(rig.table(), "10.0.0.1:0");
}

#[test]
fn servers_may_have_to_prove_themselves_first() {
    let mut rig = Rig::new(&configuration("alpha", &[1, 2]));
    assert_eq!(rig.table(), "");
    rig.pass(3, &[1]);
    assert_eq!(rig.table(), "10.0.0.2:2");
    let mut rig = Rig::new(&configuration("", &[1, 2]).replace("weight 1", "weight 1\nalpha"));
    assert_eq!(rig.table(), "10.0.0.2:2");
    let mut rig = Rig::new(&configuration("", &[1, 2]).replace("connect_timeout 1", "connect_timeout 1\nalpha"));
    assert_eq!(rig.table(), "");
}

#[test]
fn a_stop_may_count_as_going_down() {
    let stopped = |lines: &str| {
        let mut rig = Rig::new(&configuration(lines, &[1]));
        rig.said();
        rig.engine.stop(crate::checker::AtExit::Release, rig.now);
        rig.said().len()
    };
    assert_eq!((stopped(""), stopped("omega")), (0, 2));
}

/// The only check.
fn checker(text: &str) -> Checker {
    let rig = Rig::new(text);
    let [task] = rig.tasks()[..] else { panic!("{text}") };
    task.checker.clone()
}

fn schedule(text: &str) -> Schedule {
    checker(text).schedule().unwrap().clone()
}

#[test]
fn the_pace_of_checks_is_that_of_the_nearest_block() {
    let text = |service: &str, server: &str, check: &str| {
        let server = format!("{server}\nTCP_CHECK {{\n {check}\n }}");
        one("192.0.2.1 80", &format!("protocol TCP\nlvs_sched rr\nlvs_method NAT\n{service}"), &server)
    };
    let lines = "delay_loop 7\nretry 4\ndelay_before_retry 3\nwarmup 2\nconnect_timeout 9";
    for text in [
        text(lines, "", ""),
        text("", lines, ""),
        text("", "", lines),
        text("delay_loop 99\nretry 99", "retry 9", lines),
    ] {
        let schedule = schedule(&text);
        let seconds =
            [schedule.delay_loop, schedule.delay_before_retry, schedule.warmup].map(|time| time.get().as_secs());
        assert_eq!((seconds, schedule.retry), ([7, 3, 2], 4), "{text}");
        assert_eq!(checker(&text).endpoint().unwrap().connect_timeout.get().as_secs(), 9);
    }
    assert!(schedule(&text("", "", "log_all_failures")).log_all_failures);
    let globally = "global_defs {\nchecker_log_all_failures\n}\n".to_owned() + &text("", "", "");
    assert!(schedule(&globally).log_all_failures);
    let old = text("", "", "").replace("TCP_CHECK {", "HTTP_GET {\nnb_get_retry 6\nurl {\npath /\n}");
    assert_eq!(schedule(&old).retry, 6);
}

#[test]
fn a_page_is_asked_for_with_the_nearest_host() {
    let text = |service: &str, server: &str, check: &str, url: &str| {
        let check = format!("{server}\nHTTP_GET {{\n{check}\nurl {{\npath /\n{url}\n}}\n}}");
        one("192.0.2.1 80", &format!("protocol TCP\nlvs_sched rr\nlvs_method NAT\n{service}"), &check)
    };
    let host = |name: &str| format!("virtualhost {name}");
    for (text, expected) in [
        (text("", "", "", ""), None),
        (text(&host("vs"), "", "", ""), Some("vs")),
        (text(&host("vs"), &host("rs"), "", ""), Some("rs")),
        (text(&host("vs"), &host("rs"), &host("check"), ""), Some("check")),
        (text(&host("vs"), &host("rs"), &host("check"), &host("url")), Some("url")),
    ] {
        let rig = Rig::new(&text);
        assert_eq!(rig.tasks()[0].host(0), expected, "{text}");
    }
}

#[test]
fn each_kind_of_check_is_run_as_written() {
    for (block, keyword) in [
        ("TCP_CHECK {\n}", "TCP_CHECK"),
        ("HTTP_GET {\nurl {\npath /\n}\n}", "HTTP_GET"),
        ("SSL_GET {\nurl {\npath /\n}\n}", "SSL_GET"),
        ("SMTP_CHECK {\n}", "SMTP_CHECK"),
        ("DNS_CHECK {\n}", "DNS_CHECK"),
        ("PING_CHECK {\n}", "PING_CHECK"),
        ("UDP_CHECK {\n}", "UDP_CHECK"),
        ("MISC_CHECK {\nmisc_path /bin/true\n}", "MISC_CHECK"),
    ] {
        let lines = "protocol TCP\nlvs_sched rr\nlvs_method NAT";
        let mut rig = Rig::new(&one("192.0.2.1 80", lines, block));
        assert_eq!(rig.tasks()[0].checker.keyword(), keyword);
        rig.pass(20, &[1]);
        assert_eq!(rig.table(), "", "{keyword} is run and failed");
    }
}

#[test]
fn a_program_is_given_its_time_and_its_user() {
    let text = one(
        "192.0.2.1 80",
        "protocol TCP\nlvs_sched rr\nlvs_method NAT\ndelay_loop 8",
        "MISC_CHECK {\nmisc_path \"/bin/true x\"\nmisc_timeout 3\nmisc_dynamic\nuser root\n}",
    );
    let Checker::Misc(check) = checker(&text) else { panic!("{text}") };
    assert_eq!(check.script.argv, ["/bin/true", "x"]);
    assert_eq!((check.script.user.as_deref(), check.timeout.as_secs(), check.dynamic), (Some("root"), 3, true));
}

#[test]
fn a_number_in_a_file_adds_to_the_weight() {
    let file = "track_file F {\nfile /tmp/number\n}\n";
    let check = "weight 5\nFILE_CHECK {\ntrack_file F\nweight 2\n}";
    let text = file.to_owned() + &one("192.0.2.1 80", "protocol TCP\nlvs_sched rr\nlvs_method NAT", check);
    let mut rig = Rig::new(&text);
    assert_eq!(rig.table(), "10.0.0.1:5");
    let of_file = |task: Task<'_>| matches!(task.checker, Checker::File(_));
    rig.engine.told(|task| of_file(task).then_some(CheckResult::Passed { weight: 6 }), rig.now);
    rig.engine.turn(rig.now);
    assert_eq!(rig.table(), "10.0.0.1:11");
    rig.engine.told(|task| of_file(task).then_some(CheckResult::Failed("holds 1".into())), rig.now);
    rig.engine.turn(rig.now);
    assert_eq!(rig.table(), "");
}

/// As keepalived 2.4.3 was seen to begin, before its BFD process says anything.
#[test]
fn a_server_is_up_until_its_bfd_session_is_said_to_be_down() {
    let session = |name: &str, last: u8| {
        format!("bfd_instance {name} {{\nneighbor_ip 192.0.2.{last}\nsource_ip 192.0.2.200\n}}\n")
    };
    let server = |last: u8, lines: &str| {
        format!("real_server 10.0.0.{last} 80 {{\nweight {last}\nBFD_CHECK {{\n{lines}\n}}\n}}\n")
    };
    let service = virtual_server("192.0.2.1 80", &(server(1, "name plain") + &server(2, "name late\nalpha")), &[]);
    let mut rig = Rig::new(&[session("plain", 201), session("late", 202), service].concat());
    assert_eq!(rig.table(), "10.0.0.1:1", "with alpha it is down until the session is up");
    rig.pass(10, &[]);
    assert_eq!(rig.table(), "10.0.0.1:1", "nothing runs by itself");
    let is = |task: Task<'_>, name: &str| matches!(task.checker, Checker::Bfd(check) if check.instance == name);
    rig.engine.told(|task| is(task, "late").then_some(CheckResult::Passed { weight: 0 }), rig.now);
    rig.engine.turn(rig.now);
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:2");
    rig.engine.told(|task| is(task, "plain").then_some(CheckResult::Failed("session down".into())), rig.now);
    rig.engine.turn(rig.now);
    assert_eq!(rig.table(), "10.0.0.2:2");
}

#[test]
fn a_service_without_ports_keeps_those_of_its_clients() {
    let text = virtual_server("192.0.2.1 0", "persistence_timeout 60", &[1]).replace("10.0.0.1 80", "10.0.0.1");
    let (key, _, to, _) = made(&text.replace("TCP_CHECK {", "TCP_CHECK {\nconnect_port 80"));
    assert!(matches!(key, ServiceKey::Address { port: 0, .. }));
    assert_eq!(to.port, 0);
}

#[test]
fn hosts_of_an_smtp_check_are_checks_of_their_own() {
    let check = "SMTP_CHECK {\nhost {\nconnect_ip 10.0.0.5\n}\nhost {\nconnect_ip 10.0.0.6\n}\n}";
    let rig = Rig::new(&one("192.0.2.1 25", "protocol TCP\nlvs_sched rr\nlvs_method NAT", check));
    let targets: Vec<String> = rig
        .tasks()
        .iter()
        .filter_map(|task| task.checker.endpoint().map(|endpoint| endpoint.address.to_string()))
        .collect();
    assert_eq!(targets, ["10.0.0.5", "10.0.0.6"]);
}
