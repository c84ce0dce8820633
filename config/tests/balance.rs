//! Load balancing: defaults, mistakes, and what keepalived was seen to do with small configurations.
#![expect(clippy::indexing_slicing, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::Path;
use std::time::Duration;

use keepalived_config::facts::{Facts, InterfaceFacts};
use keepalived_config::model::{
    BfdCheck, Checker, Config, DnsQuery, Endpoint, Forwarding, HttpProtocol, RealServer, Regex, Schedule, Scheduler,
    Sni, StatusRange, UdpReply, VirtualServer,
};
use keepalived_config::{AnyInterface, Loaded, MemorySource, exit_status, load};
use keepalived_core::address::InterfaceName;
use support::{ids, text};

const OBSERVED: &str = include_str!("balance/observed.txt");

fn quietly(text: &str) -> Loaded {
    load(&MemorySource::one("/k.conf", text), Path::new("/k.conf"), &AnyInterface)
}

/// Every case of `balance/observed.txt`: the status is keepalived's, or ours where the file says so.
#[test]
fn the_exit_status_is_that_of_keepalived() {
    let mut wrong = Vec::new();
    let cases = OBSERVED.split("=== ").skip(1);
    for case in cases {
        let (head, text) = case.split_once('\n').unwrap();
        let (head, rules) = head.split_once(" [").unwrap();
        let mut words = head.split(' ');
        let (name, observed) = (words.next().unwrap(), words.next().unwrap());
        let expected = words.nth(1).unwrap_or(observed);
        let loaded = quietly(text);
        let mut found: Vec<&str> = loaded.findings.iter().map(|finding| finding.rule.id).collect();
        found.retain(|id| *id != "not-effective" && *id != "clients-stay");
        found.sort_unstable();
        found.dedup();
        let status = exit_status(&loaded.findings).to_string();
        if status != expected || found.join(" ") != rules.trim_end_matches(']') {
            wrong.push(format!("{name}: {status}, not {expected}; {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// keepalived 2.4.3: the first one counts, after lvs_sync_daemon; its syncid is 0
#[test]
fn an_instance_may_name_the_interface_of_the_sync_daemon() {
    let instance = |name: &str, vrid: u8, line: &str| {
        let rest = format!("virtual_router_id {vrid}\nvirtual_ipaddress {{\n10.0.0.{vrid}\n}}");
        format!("vrrp_instance {name} {{\ninterface eth0\n{line}\n{rest}\n}}\n")
    };
    let instances = instance("A", 1, "")
        + &instance("B", 2, "lvs_sync_daemon_interface eth5")
        + &instance("C", 3, "lvs_sync_daemon_interface eth6");
    let daemon = |text: &str| quietly(text).config.global.balancing.sync_daemon.unwrap();
    let found = daemon(&instances);
    assert_eq!((found.interface.to_string(), found.instance.as_deref(), found.id), ("eth5".into(), Some("B"), Some(0)));
    let found = daemon(&("global_defs {\nlvs_sync_daemon eth7 A\n}\n".to_owned() + &instances));
    assert_eq!((found.interface.to_string(), found.instance.as_deref(), found.id), ("eth7".into(), Some("A"), None));
}

fn server(inside: &str) -> String {
    format!("virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{inside}\n}}\n")
}

fn only(config: &Config) -> (&VirtualServer, &RealServer) {
    (&config.virtual_servers[0], &config.virtual_servers[0].real_servers[0])
}

fn checks(inside: &str) -> Vec<Checker> {
    let loaded = text(&server(&format!("real_server 10.0.1.1 8080 {{\n{inside}\n}}")));
    assert_eq!(ids(&loaded.findings), Vec::<&str>::new());
    only(&loaded.config).1.checkers.to_vec()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Expected values: the column `default` of keywords.tsv, and keepalived.conf(5).
#[test]
fn a_virtual_server_that_says_nothing() {
    let loaded = text("virtual_server 10.0.0.1 53 {\nreal_server 10.0.1.1 {\n}\n}\n");
    assert_eq!(ids(&loaded.findings), ["protocol-missing", "scheduler-missing", "forwarding-missing"]);
    let (server, real) = only(&loaded.config);
    assert_eq!(server.service.to_string(), "10.0.0.1 53 UDP");
    let settings = &server.settings;
    assert_eq!((settings.scheduler, settings.forwarding), (Scheduler::Wlc, Forwarding::Nat));
    assert_eq!((settings.quorum, settings.hysteresis), (1, 0));
    assert_eq!((settings.persistence_timeout, settings.persistence_granularity), (None, None));
    assert!(
        ![settings.one_packet, settings.alpha, settings.omega, settings.ha_suspend, settings.smtp_alert]
            .contains(&true)
    );
    assert_eq!(settings.sorry_server, None);
    let settings = &real.settings;
    assert_eq!((real.port, settings.weight, settings.forwarding), (NonZeroU16::new(53), 1, Forwarding::Nat));
    assert_eq!((settings.upper_threshold, settings.lower_threshold), (0, 0));
    assert_eq!((settings.alpha, settings.inhibit_on_failure, settings.smtp_alert), (false, false, true));
    assert!(real.checkers.is_empty() && settings.extras.is_none());
}

/// Expected values as above: retry 1 (DNS 3, MISC 0); delay_before_retry 1 (HTTP and SSL 3, DNS delay_loop); delay_loop
/// 60.
#[test]
fn checks_that_say_nothing() {
    let checkers = checks(
        "TCP_CHECK {\n}\nHTTP_GET {\nurl {\npath /\n}\n}\nSSL_GET {\nurl {\npath /\n}\n}\nSMTP_CHECK {\n}\nDNS_CHECK {\n}\n\
         MISC_CHECK {\nmisc_path /bin/true\n}\nPING_CHECK {\n}\nUDP_CHECK {\nrequire_reply\n}",
    );
    let paces = checkers.iter().map(|checker| {
        let Schedule { delay_loop, delay_before_retry, warmup, retry, alpha, log_all_failures } =
            checker.schedule().unwrap().clone();
        assert_eq!((delay_loop.get(), warmup.get(), alpha, log_all_failures), (seconds(60), seconds(60), false, false));
        (checker.keyword(), retry, delay_before_retry.get().as_secs())
    });
    let expected = [
        ("TCP_CHECK", 1, 1),
        ("HTTP_GET", 1, 3),
        ("SSL_GET", 1, 3),
        ("SMTP_CHECK", 1, 1),
        ("DNS_CHECK", 3, 60),
        ("MISC_CHECK", 0, 1),
        ("PING_CHECK", 1, 1),
        ("UDP_CHECK", 1, 1),
    ];
    assert_eq!(paces.collect::<Vec<_>>(), expected);
    let address: IpAddr = "10.0.1.1".parse().unwrap();
    let expected = Endpoint { address, port: NonZeroU16::new(8080), connect_timeout: seconds(5).into(), origin: None };
    assert!(checkers.iter().filter_map(Checker::endpoint).all(|endpoint| *endpoint == expected));
    for checker in &checkers {
        match checker {
            Checker::Http(check) => {
                assert_eq!((check.protocol, &check.sni), (HttpProtocol::V1_0, &Sni::Off));
                assert_eq!(check.urls[0].status_codes, [StatusRange { first: 200, last: 299 }]);
                assert!(!check.fast_recovery && !check.tls_compliant && check.urls[0].regex.is_none());
            }
            Checker::Smtp(check) => assert_eq!(check.helo_name, "smtpchecker.keepalived.org"),
            Checker::Dns(check) => assert_eq!((check.query, check.name.as_str()), (DnsQuery::Soa, ".")),
            Checker::Misc(check) => assert_eq!((check.timeout, check.dynamic), (seconds(60), false)),
            Checker::Udp(check) => {
                let reply = UdpReply { pattern: Vec::new(), min_length: 0, max_length: 255 };
                assert_eq!((&check.payload, check.reply.as_ref()), (&None, Some(&reply)));
            }
            Checker::Tcp(_) | Checker::Ping(_) | Checker::Grpc(_) | Checker::File(_) | Checker::Bfd(_) => {}
        }
    }
}

#[test]
fn a_session_that_says_nothing() {
    let loaded = text("bfd_instance a {\nneighbor_ip 10.0.0.2\n}\nbfd_instance b {\nneighbor_ip 2001:db8::2\n}\n");
    let [four, six] = loaded.config.bfd_instances.as_slice() else { panic!("two sessions") };
    assert_eq!((four.min_rx, four.min_tx, four.idle_tx), (seconds(1) / 100, seconds(1) / 100, seconds(1)));
    assert_eq!((four.multiplier, four.max_hops, four.weight), (5, 0, 0));
    assert_eq!((four.ttl, six.ttl), (None, None));
    assert_eq!((four.passive, four.multihop, four.reverse), (false, false, false));
    assert_eq!((four.tells_vrrp, four.tells_checkers, four.source), (true, true, None));
}

/// keepalived.conf(5): the virtual server's setting is the default for real servers, theirs for checkers.
#[test]
fn what_is_said_further_out_holds_further_in() {
    let loaded = text(&server(
        "delay_loop 7\nretry 5\ndelay_before_retry 6\nconnect_timeout 9\nwarmup 4\nalpha\nweight 3\nlvs_method DR\n\
         real_server 10.0.1.1 80 {\nTCP_CHECK {\n}\nDNS_CHECK {\nretry 0\ndelay_loop 11\nconnect_timeout 1\nalpha off\n}\n}\n\
         real_server 10.0.1.2 80 {\nretry 2\nwarmup 0\nalpha no\nweight 0\nlvs_method TUN\nTCP_CHECK {\n}\nMISC_CHECK {\nmisc_path /bin/true\n}\n}",
    ));
    let [one, two] = loaded.config.virtual_servers[0].real_servers.as_slice() else { panic!("two servers") };
    let shown = |checker: &Checker| {
        let schedule = checker.schedule().unwrap();
        let times =
            [schedule.delay_loop, schedule.delay_before_retry, schedule.warmup].map(|time| time.get().as_secs());
        let timeout = checker.endpoint().map_or(0, |endpoint| endpoint.connect_timeout.get().as_secs());
        (times, schedule.retry, schedule.alpha, timeout)
    };
    assert_eq!(shown(&one.checkers[0]), ([7, 6, 4], 5, true, 9));
    assert_eq!(shown(&one.checkers[1]), ([11, 6, 4], 0, false, 1));
    assert_eq!(shown(&two.checkers[0]), ([7, 6, 0], 2, false, 9));
    assert_eq!(shown(&two.checkers[1]), ([7, 6, 0], 2, false, 0));
    assert_eq!((one.settings.weight, two.settings.weight), (3, 0));
    assert_eq!((one.settings.alpha, two.settings.alpha), (true, false));
    assert!(one.settings.forwarding == Forwarding::Dr && two.settings.forwarding.crosses_families());
}

/// Seen with 2.4.3 (behaviour.md section 7): only NAT keeps a port of its own; checks go where the file says.
#[test]
fn ports_of_servers() {
    let port = |head: &str, method: &str, real: &str| {
        let loaded = quietly(&format!(
            "virtual_server_group G {{\n10.0.0.1 80\n}}\nvirtual_server {head} {{\nlvs_method {method}\nprotocol TCP\n\
             persistence_timeout 9\nreal_server 10.0.1.1 {real} {{\nTCP_CHECK {{\n}}\n}}\n}}\n"
        ));
        let real = only(&loaded.config).1;
        let number = |port: Option<NonZeroU16>| port.map_or(0, NonZeroU16::get);
        (number(real.port), number(real.checkers[0].endpoint().unwrap().port))
    };
    assert_eq!(port("10.0.0.1 80", "NAT", "8080"), (8080, 8080));
    assert_eq!(port("10.0.0.1 80", "NAT", ""), (80, 80));
    assert_eq!(port("10.0.0.1 80", "NAT", "0"), (80, 80));
    assert_eq!(port("10.0.0.1 80", "DR", "8080"), (80, 8080));
    assert_eq!(port("10.0.0.1 80", "TUN", ""), (80, 80));
    assert_eq!(port("10.0.0.1", "NAT", "8080"), (8080, 8080));
    assert_eq!(port("fwmark 1", "NAT", "8080"), (8080, 8080));
    assert_eq!(port("fwmark 1", "DR", "8080"), (0, 8080));
    assert_eq!(port("group G", "NAT", ""), (0, 0));
    assert_eq!(port("group G", "DR", "8080"), (0, 8080));
}

/// Seen with 2.2.7 (`ipvsadm -Sn`): a sorry server without a port keeps that of the client under NAT.
#[test]
fn ports_of_sorry_servers() {
    let port = |method: &str, sorry: &str| {
        let loaded = quietly(&format!(
            "virtual_server 10.0.0.1 80 {{\nlvs_method {method}\nprotocol TCP\nsorry_server 10.0.1.9 {sorry}\n\
             real_server 10.0.1.1 80 {{\n}}\n}}\n"
        ));
        let sorry = only(&loaded.config).0.settings.sorry_server.clone();
        sorry.expect("it can be used").port.map_or(0, NonZeroU16::get)
    };
    assert_eq!([port("NAT", "8080"), port("NAT", "80"), port("NAT", "")], [8080, 80, 0]);
    assert_eq!([port("DR", "8080"), port("DR", "80"), port("DR", "")], [80, 80, 80]);
}

#[test]
fn order_in_the_file_does_not_matter() {
    let forward = text(&server(
        "lvs_sched sh\nsh-port\nsorry_server 10.0.1.9 80\nsorry_server_inhibit\nquorum 2\nweight 2\n\
         real_server 10.0.1.1 80 {\nTCP_CHECK {\n}\n}\ndelay_loop 9",
    ));
    let backward = text(&server(
        "delay_loop 9\nreal_server 10.0.1.1 80 {\nTCP_CHECK {\n}\n}\nweight 2\nquorum 2\nsorry_server_inhibit\n\
         sorry_server 10.0.1.9 80\nsh-port\nlvs_sched sh",
    ));
    assert_eq!(forward.config, backward.config);
    assert!(forward.config.virtual_servers[0].settings.sorry_server.as_ref().unwrap().inhibit);
    let bfd = "bfd_instance b {\nneighbor_ip 10.0.0.2\n}\n";
    let follower = server("real_server 10.0.1.1 80 {\nBFD_CHECK {\nname b\n}\n}");
    assert_eq!(text(&(follower.clone() + bfd)).config, text(&(bfd.to_owned() + &follower)).config);
}

#[test]
fn quorum_and_hysteresis_are_what_can_be_reached() {
    let fitted = |inside: &str| {
        let loaded =
            quietly(&server(&format!("{inside}\nreal_server 10.0.1.1 80 {{\n}}\nreal_server 10.0.1.2 80 {{\n}}")));
        let settings = &loaded.config.virtual_servers[0].settings;
        (settings.quorum, settings.hysteresis)
    };
    assert_eq!(fitted("quorum 2"), (2, 0));
    assert_eq!(fitted("quorum 9\nhysteresis 20"), (2, 1));
    assert_eq!(fitted("hysteresis 1"), (1, 0));
    assert_eq!(fitted("weight 5\nquorum 9\nhysteresis 3"), (9, 3));
    let weightless = quietly(&server("real_server 10.0.1.1 80 {\nweight 0\n}"));
    let settings = &weightless.config.virtual_servers[0].settings;
    assert_eq!((settings.quorum, settings.hysteresis), (0, 0));
}

#[test]
fn two_blocks_for_one_service_become_one() {
    let loaded = text(
        &(server("weight 4\nquorum 5\nreal_server 10.0.1.1 80 {\n}")
            + &server("lvs_sched wrr\nreal_server 10.0.1.1 80 {\nweight 9\n}\nreal_server 10.0.1.2 80 {\n}")),
    );
    assert_eq!(ids(&loaded.findings), ["virtual-server-twice", "repeated"]);
    let [server] = loaded.config.virtual_servers.as_slice() else { panic!("one service") };
    let weights: Vec<u32> = server.real_servers.iter().map(|real| real.settings.weight).collect();
    // together they have the weight for the quorum of the first
    assert_eq!((server.settings.scheduler, server.settings.quorum, weights), (Scheduler::Rr, 5, vec![4, 1]));
}

#[test]
fn hosts_of_a_mail_check_are_checks() {
    let loaded = text(&server(
        "real_server 10.0.1.1 25 {\nSMTP_CHECK {\nretry 9\nhelo_name a\nconnect_timeout 2\nhost {\nconnect_ip 10.0.1.2\n}\nhost {\nconnect_port 26\nretry 8\n}\n}\n}",
    ));
    let shown = only(&loaded.config).1.checkers.iter().map(|checker| {
        let (schedule, endpoint) = (checker.schedule().unwrap(), checker.endpoint().unwrap());
        format!("{} {} {} {:?}", endpoint.address, endpoint.port.unwrap(), schedule.retry, endpoint.connect_timeout)
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["10.0.1.2 25 9 2s", "10.0.1.1 26 8 2s"]);
}

/// behaviour.md section 8: url, check, real server, virtual server.
#[test]
fn the_host_that_is_asked_for() {
    let host = |service: &str, real: &str, check: &str, url: &str| {
        let loaded = text(&server(&format!(
            "{service}\nreal_server 10.0.1.1 80 {{\n{real}\nHTTP_GET {{\n{check}\nurl {{\npath /\n{url}\n}}\n}}\n}}"
        )));
        let (service, real) = only(&loaded.config);
        let Checker::Http(check) = &real.checkers[0] else { panic!("an HTTP check") };
        check.host(&check.urls[0], real, service).unwrap_or("-").to_owned()
    };
    assert_eq!(host("", "", "", ""), "-");
    assert_eq!(host("virtualhost a", "", "", ""), "a");
    assert_eq!(host("virtualhost a", "virtualhost b", "", ""), "b");
    assert_eq!(host("virtualhost a", "virtualhost b", "virtualhost c", ""), "c");
    assert_eq!(host("virtualhost a", "virtualhost b", "virtualhost c", "virtualhost d"), "d");
}

/// Mail: what the server says, else `smtp_alert_checker`, else `smtp_alert`, else off for services and on for servers.
#[test]
fn who_gets_mail() {
    let mail = |global: &str, service: &str, real: &str| {
        let loaded = quietly(&format!(
            "global_defs {{\n{global}\n}}\n{}",
            server(&format!("{service}\nreal_server 10.0.1.1 80 {{\n{real}\n}}"))
        ));
        let (service, real) = only(&loaded.config);
        (service.settings.smtp_alert, real.settings.smtp_alert)
    };
    assert_eq!(mail("", "", ""), (false, true));
    assert_eq!(mail("smtp_alert", "", ""), (true, true));
    assert_eq!(mail("smtp_alert\nsmtp_alert_checker off", "", ""), (false, false));
    assert_eq!(mail("smtp_alert off", "smtp_alert", "smtp_alert on"), (true, true));
    assert_eq!(mail("smtp_alert on", "smtp_alert off", "smtp_alert off"), (false, false));
}

/// Ours: `tls` is off, the host is named in the handshake unless that is unwanted, `tls_verify` of SSL holds for those
/// that do not say it and speak TLS.
#[test]
fn http2_and_grpc_and_certificates() {
    let ask = |ssl: &str, check: &str| {
        let real = format!("real_server 10.0.1.1 8443 {{\n{check}\n}}");
        let loaded = text(&format!("{ssl}\n{}", server(&real)));
        let checker = only(&loaded.config).1.checkers[0].clone();
        let schedule = checker.schedule().unwrap();
        let pace = (schedule.retry, schedule.delay_before_retry.get().as_secs());
        let (secure, verify, sni) = match &checker {
            Checker::Http(check) => (check.secure, check.verify, check.sni.clone()),
            Checker::Grpc(check) => (check.secure, check.verify, check.sni.clone()),
            _ => panic!("{checker:?}"),
        };
        (checker.keyword(), pace, secure, verify, sni, ids(&loaded.findings))
    };
    let url = "url {\npath /\n}";
    let none = Vec::<&str>::new();
    let verifies = "SSL {\ntls_verify\n}";
    assert_eq!(ask("", "GRPC_CHECK {\n}"), ("GRPC_CHECK", (1, 1), false, false, Sni::Host, none.clone()));
    assert_eq!(ask(verifies, "GRPC_CHECK {\n}"), ("GRPC_CHECK", (1, 1), false, false, Sni::Host, none.clone()));
    let said = ask(verifies, "GRPC_CHECK {\ntls\nenable_sni off\nretry 2\n}");
    assert_eq!(said, ("GRPC_CHECK", (2, 1), true, true, Sni::Off, none.clone()));
    let said = ask("", "GRPC_CHECK {\ntls_verify\n}");
    assert_eq!(said, ("GRPC_CHECK", (1, 1), false, false, Sni::Host, vec!["check-tls"]));
    let said = ask("", &format!("HTTP2_GET {{\ntls\nsni_name a.example\n{url}\n}}"));
    assert_eq!(said, ("HTTP2_GET", (1, 3), true, false, Sni::Name("a.example".into()), none.clone()));
    assert_eq!(ask("", &format!("SSL_GET {{\n{url}\n}}")), ("SSL_GET", (1, 3), true, false, Sni::Off, none.clone()));
    let said = ask("", &format!("SSL_GET {{\ntls_verify\n{url}\n}}"));
    assert_eq!(said, ("SSL_GET", (1, 3), true, true, Sni::Host, none.clone()));
    let said = ask(verifies, &format!("SSL_GET {{\ntls_verify off\n{url}\n}}"));
    assert_eq!(said, ("SSL_GET", (1, 3), true, false, Sni::Off, none));
}

/// PCRE2 is asked where there is one; options that it cannot be given are named.
#[test]
fn a_regex_that_cannot_be_used_is_named() {
    struct Pcre;
    impl Facts for Pcre {
        fn interface(&self, _: InterfaceName) -> Option<InterfaceFacts> {
            Some(InterfaceFacts::ETHERNET)
        }
        fn regex(&self, regex: &Regex) -> Result<(), String> {
            if regex.pattern == "(a" { Err("missing closing parenthesis".into()) } else { Ok(()) }
        }
    }
    let read = |lines: &str| {
        let text = server(&format!("real_server 10.0.1.1 80 {{\nHTTP_GET {{\nurl {{\npath /\n{lines}\n}}\n}}\n}}"));
        let loaded = load(&MemorySource::one("/k.conf", text), Path::new("/k.conf"), &Pcre);
        let Checker::Http(check) = &only(&loaded.config).1.checkers[0] else { panic!("an HTTP check") };
        (ids(&loaded.findings), check.urls[0].regex.as_ref().map(|regex| regex.options.clone()))
    };
    assert_eq!(read("regex a\nregex_options caseless"), (vec![], Some(vec!["caseless".into()])));
    assert_eq!(
        read("regex a\nregex_options dollar_endonly dotall"),
        (vec!["regex-option"], Some(vec!["dotall".into()]))
    );
    assert_eq!(read("regex (a"), (vec!["regex-invalid"], None));
}

#[test]
fn who_is_asked_by_grpc() {
    let loaded = text(&server("virtualhost a\nreal_server 10.0.1.1 80 {\nGRPC_CHECK {\nservice shop.Cart\n}\n}"));
    let (service, real) = only(&loaded.config);
    let Checker::Grpc(check) = &real.checkers[0] else { panic!("a gRPC check") };
    assert_eq!((check.service.as_str(), check.host(real, service)), ("shop.Cart", Some("a")));
}

/// What the kernel's rules cannot do is left out where they are demanded, and not where the kernel has not been asked.
#[test]
fn a_backend_is_not_asked_for_what_it_cannot_do() {
    let left_out = |backend: &str, inside: &str, real: &str| {
        let service = server(&format!("{inside}\nreal_server 10.0.1.1 80 {{\n{real}\n}}"));
        let loaded = quietly(&format!("global_defs {{\nlvs_backend {backend}\n}}\n{service}"));
        let refused = ids(&loaded.findings).contains(&"backend-unsupported");
        assert_eq!(refused, loaded.config.virtual_servers.is_empty());
        refused
    };
    let cases = [
        ("", "", false),
        ("persistence_timeout 60", "inhibit_on_failure", false),
        ("lvs_method DR", "", false),
        ("lvs_method DR\nsorry_server 10.0.1.9 80", "", false),
        ("", "lvs_method DR", false),
        ("", "lvs_method DR\n}\nreal_server 10.0.1.2 80 {", true),
        ("lvs_method DR", "lthreshold 1\nuthreshold 10", true),
        ("", "lvs_method TUN", true),
        ("protocol UDP\nops", "", true),
        ("persistence_timeout 60\npersistence_engine sip\nprotocol UDP", "", true),
        ("", "uthreshold 10", true),
        ("sorry_server 10.0.1.9 80\nsorry_server_lvs_method DR", "", true),
    ];
    for (service, real, refused) in cases {
        assert_eq!(left_out("nftables", service, real), refused, "{service} {real}");
        assert!(!left_out("auto", service, real) && !left_out("ipvs", service, real), "{service} {real}");
    }
}

#[test]
fn the_family_of_a_mark() {
    let family = |inside: &str| {
        let loaded = quietly(&format!("virtual_server fwmark 1 {{\nlvs_sched rr\n{inside}\n}}\n"));
        loaded.config.virtual_servers.first().map(|server| server.service.to_string())
    };
    let (four, six) = ("real_server 10.0.1.1 {\n}\n", "real_server 2001:db8::1 {\n}\n");
    assert_eq!(family(&format!("lvs_method NAT\n{six}")).unwrap(), "fwmark 1 inet6");
    assert_eq!(family(&format!("lvs_method NAT\n{four}{six}")).unwrap(), "fwmark 1");
    // man page: of tunnels that do not agree, IPv4
    assert_eq!(family(&format!("lvs_method TUN\n{six}{four}")).unwrap(), "fwmark 1");
    assert_eq!(family(&format!("lvs_method TUN\n{six}")).unwrap(), "fwmark 1 inet6");
    assert_eq!(family(&format!("lvs_method TUN\nip_family inet6\n{four}")).unwrap(), "fwmark 1 inet6");
    assert_eq!(family(&format!("lvs_method TUN\npersistence_granularity 64\n{four}")).unwrap(), "fwmark 1 inet6");
    assert_eq!(family(&format!("lvs_method NAT\nip_family inet6\n{four}")), None);
}

/// 50,000 real servers with a TCP check each fit into 8 MB.
#[test]
fn a_real_server_is_small() {
    let loaded = quietly(&server("virtualhost a\nreal_server 10.0.1.1 80 {\nTCP_CHECK {\nconnect_timeout 3\n}\n}"));
    let real = only(&loaded.config).1;
    assert!(real.settings.extras.is_none());
    assert!(matches!(&real.checkers[0], Checker::Tcp(check) if check.endpoint.origin.is_none()));
    let size = size_of::<RealServer>();
    let check: *const Checker = &raw const real.checkers[0];
    let inside = (&raw const *real).addr()..(&raw const *real).addr() + size;
    assert!(inside.contains(&check.addr()), "its check needs no memory of its own");
    assert!(size * 50_000 < 8_000_000, "{size} octets");
    println!("{size} octets for a real server with a check");
}

#[test]
fn a_check_may_follow_a_session() {
    let loaded = text(
        &("bfd_instance b {\nneighbor_ip 10.0.0.2\nchecker\n}\n".to_owned()
            + &server("real_server 10.0.1.1 80 {\nalpha\nBFD_CHECK {\nname b\n}\n}")),
    );
    let expected = BfdCheck { instance: "b".to_owned(), alpha: true };
    assert_eq!(*only(&loaded.config).1.checkers, [Checker::Bfd(Box::new(expected))]);
}

/// Observed with Debian's 2.2.7: of the samples about load balancing one ends with 5 for a protocol with a mark, one
/// for its vrrp_instance.
#[test]
fn the_samples_of_keepalived_load() {
    let samples = [
        "HTTP_GET.port",
        "IPv6",
        "PING_CHECK",
        "SMTP_CHECK",
        "SSL_GET",
        "UDP_CHECK",
        "fwmark",
        "inhibit",
        "misc_check",
        "misc_check_arg",
        "quorum",
        "sample",
        "status_code",
        "virtual_server_group",
        "virtualhost",
    ];
    for name in samples {
        let path = format!("{}/tests/data/samples/keepalived.conf.{name}", env!("CARGO_MANIFEST_DIR"));
        let loaded = text(&std::fs::read_to_string(path).unwrap());
        let loud: Vec<&str> = ids(&loaded.findings);
        let expected: &[&str] = match name {
            "fwmark" => &["protocol-fwmark"],
            "SSL_GET" => &["ah-master"],
            _ => &[],
        };
        assert_eq!(loud, expected, "{name}");
        assert_eq!(exit_status(&loaded.findings), if expected.is_empty() { 0 } else { 5 }, "{name}");
        assert!(!loaded.config.virtual_servers.is_empty(), "{name}");
        assert!(loaded.config.virtual_servers.iter().any(|server| !server.real_servers.is_empty()), "{name}");
    }
}

/// behaviour.md section 8: a check has its track file's weight, and is told by `checker_log_all_failures` what it is
/// not told itself.
#[test]
fn what_is_said_elsewhere_holds_for_checks() {
    let loaded = text(
        &("track_file f {\nfile /run/f\nweight 5 reverse\n}\nglobal_defs {\nchecker_log_all_failures\n}\n".to_owned()
            + &server(
                "real_server 10.0.1.1 80 {\nFILE_CHECK {\ntrack_file f\n}\nFILE_CHECK {\ntrack_file f\nweight 7 noreverse\n}\n\
                 TCP_CHECK {\n}\nTCP_CHECK {\nlog_all_failures no\n}\n}",
            )),
    );
    let checkers = &only(&loaded.config).1.checkers;
    let weights = checkers.iter().filter_map(|checker| match checker {
        Checker::File(check) => Some((check.weight.multiplier, check.weight.reverse)),
        _ => None,
    });
    assert_eq!(weights.collect::<Vec<_>>(), [(5, true), (7, false)]);
    let logged = checkers.iter().filter_map(Checker::schedule).map(|schedule| schedule.log_all_failures);
    assert_eq!(logged.collect::<Vec<_>>(), [true, false]);
}

/// A keyword that is missing because it is misspelt is one mistake, and names are suggested.
#[test]
fn what_was_perhaps_meant() {
    let help = |text_: &str| {
        let loaded = text(text_);
        let help = loaded.findings.iter().filter_map(|finding| finding.help.clone());
        (ids(&loaded.findings), help.filter(|help| help.starts_with("did you mean")).collect::<Vec<_>>().join("; "))
    };
    let misspelt =
        "virtual_server 10.0.0.1 80 {\nlvs_sched rr\nlvs_method NAT\nprotocal TCP\nreal_server 10.0.1.1 80 {\n}\n}\n";
    assert_eq!(help(misspelt), (vec!["protocol-missing"], "did you mean protocol?".to_owned()));
    let group = "virtual_server_group web {\n10.0.0.1 80\n}\nvirtual_server group wbe {\n}\n";
    assert_eq!(help(group), (vec!["server-group-unknown"], "did you mean web?".to_owned()));
    let session = "bfd_instance north {\nneighbor_ip 10.0.0.2\n}\n".to_owned()
        + &server("real_server 10.0.1.1 80 {\nBFD_CHECK {\nname norht\n}\n}");
    assert_eq!(help(&session), (vec!["check-unknown"], "did you mean north?".to_owned()));
    let method = server("real_server 10.0.1.1 80 {\nlvs_method nat\n}");
    // the message lists all there are
    assert_eq!(help(&method), (vec!["word-invalid"], String::new()));
}

/// What is said about services that several virtual servers name: message, the line of each place.
fn shared(groups: &[(&str, &str)], servers: &[&str]) -> (u8, Vec<(String, Vec<usize>)>) {
    let mut file = String::new();
    for (name, line) in groups {
        file += &format!("virtual_server_group {name} {{\n{line}\n}}\n");
    }
    for (at, server) in (1..).zip(servers) {
        let (head, protocol) = server.split_once(", ").unwrap_or((server, ""));
        let real = format!("real_server 10.0.1.{at} {{\n}}");
        file += &format!("virtual_server {head} {{\nlvs_sched rr\nlvs_method TUN\n{protocol}\n{real}\n}}\n");
    }
    let loaded = text(&file);
    let found = loaded.findings.iter().filter(|finding| finding.rule.id == "service-shared");
    let line = |mark: &keepalived_config::finding::Mark| loaded.files().position(mark.span).line;
    let found = found.map(|finding| {
        let places = finding.primary.iter().chain(&finding.secondary).map(line).collect();
        (finding.message.clone(), places)
    });
    (exit_status(&loaded.findings), found.collect())
}

/// What `core` decides when it runs: `a_service_that_is_named_twice_has_one_owner`.
#[test]
fn a_service_of_two_virtual_servers_is_said() {
    let (tcp, udp) = (", protocol TCP", ", protocol UDP");
    let server = |name: &str, protocol: &str| format!("{name}{protocol}");
    let check = |groups: &[(&str, &str)], servers: &[String], expected: &[(&str, [usize; 2])]| {
        let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
        let (status, found) = shared(groups, &servers);
        let found: Vec<(&str, &[usize])> =
            found.iter().map(|(text, lines)| (text.as_str(), lines.as_slice())).collect();
        let expected: Vec<(&str, &[usize])> = expected.iter().map(|(text, lines)| (*text, lines.as_slice())).collect();
        assert_eq!(found, expected);
        assert_eq!(status, if expected.is_empty() { 0 } else { 5 });
    };
    let two = [("A", "10.0.0.1 80"), ("B", "10.0.0.1 80")];
    let (a, b) = (server("group A", tcp), server("group B", tcp));
    check(
        &two,
        &[a.clone(), b.clone()],
        &[("virtual servers group A TCP and group B TCP both have 10.0.0.1 80 TCP", [14, 7])],
    );
    // alone and in a group, whichever comes first
    let alone = server("10.0.0.1 80", tcp);
    let message = "virtual servers group A TCP and 10.0.0.1 80 TCP both have 10.0.0.1 80 TCP";
    check(&two[..1], &[a.clone(), alone.clone()], &[(message, [11, 4])]);
    let message = "virtual servers 10.0.0.1 80 TCP and group A TCP both have 10.0.0.1 80 TCP";
    check(&two[..1], &[alone, a.clone()], &[(message, [11, 4])]);
    // ranges: 10.0.0.8, .9 and .10
    let ranges = [("A", "10.0.0.1-10 80"), ("B", "10.0.0.8-20 80")];
    let message = "virtual servers group A TCP and group B TCP both have 10.0.0.8 80 TCP and 2 more";
    check(&ranges, &[a.clone(), b.clone()], &[(message, [14, 7])]);
    let marks = [("A", "fwmark 7"), ("B", "fwmark 7")];
    let (marked_a, marked_b) = (server("group A", ""), server("group B", ""));
    check(
        &marks,
        &[marked_a.clone(), marked_b.clone()],
        &[("virtual servers group A and group B both have fwmark 7", [14, 7])],
    );
    let alone = server("fwmark 7", "");
    check(&marks[..1], &[alone, marked_a], &[("virtual servers fwmark 7 and group A both have fwmark 7", [11, 4])]);
    // another port, protocol or family, a group that nobody uses, and a range within one group
    check(&[("A", "10.0.0.1 80"), ("B", "10.0.0.1 81")], &[a.clone(), b.clone()], &[]);
    check(&two, &[a.clone(), server("group B", udp)], &[]);
    check(&[("A", "fwmark 7 inet"), ("B", "fwmark 7 inet6")], &[server("group A", ""), marked_b], &[]);
    check(&two, std::slice::from_ref(&a), &[]);
    check(&[("A", "10.0.0.1-10 80\n10.0.0.5 80")], &[a], &[]);
}

/// Each group alone may be used, and the kernel would have two million services.
#[test]
fn groups_have_at_most_a_million_addresses_together() {
    let halves = [("A", "10.0.0.0/13 80"), ("B", "10.8.0.0/13 80")];
    assert_eq!(shared(&halves, &["group A, protocol TCP", "group B, protocol TCP"]).0, 0);
    let all = [("A", "10.0.0.0/12 80"), ("B", "10.16.0.1 80")];
    assert_eq!(shared(&all, &["group A, protocol TCP", "group B, protocol TCP"]).0, 5);
}

/// What Linux's IPVS does (`ip_vs_in`, `ip_vs_check_template`), and what is said of it.
#[test]
fn clients_that_stay_with_a_failed_server_are_said_once() {
    let server = |port: u16, lines: &str, real: &str| {
        let real = format!("real_server 10.0.1.1 80 {{\n{real}\n}}");
        format!("virtual_server 10.0.0.1 {port} {{\nlvs_sched rr\nlvs_method NAT\n{lines}\n{real}\n}}\n")
    };
    let said = |text_: &str| {
        let loaded = text(text_);
        assert_eq!(exit_status(&loaded.findings), 0);
        let said = loaded.findings.iter().filter(|finding| finding.rule.id == "clients-stay");
        said.map(|finding| [std::slice::from_ref(&finding.message), finding.notes.as_slice()].concat().join("; "))
            .collect::<Vec<_>>()
    };
    let udp = server(53, "protocol UDP", "");
    let no_answer = "UDP clients of a failed server get no answer until IPVS forgets their connections";
    assert_eq!(said(&udp), [format!("virtual server 10.0.0.1 53 UDP: {no_answer}")]);
    let inhibited = server(80, "protocol TCP\npersistence_timeout 60", "inhibit_on_failure");
    let stay = "clients of a failed server stay with it until persistence_timeout is over";
    assert_eq!(said(&inhibited), [format!("virtual server 10.0.0.1 80 TCP: {stay}")]);
    let all = format!("{udp}{inhibited}{}", server(54, "protocol UDP", ""));
    let first = format!("virtual server 10.0.0.1 53 UDP: {no_answer}; it is the first of 3 such virtual servers");
    assert_eq!(said(&all), [first]);
    for quiet in [
        server(80, "protocol TCP", ""),
        server(80, "protocol TCP", "inhibit_on_failure"),
        server(80, "protocol TCP\npersistence_timeout 60", ""),
        server(53, "protocol UDP\nops", ""),
        format!("global_defs {{\nlvs_expire_failed\n}}\n{all}"),
        format!("global_defs {{\nlvs_expire_failed off\n}}\n{all}"),
        format!("global_defs {{\nlvs_backend nftables\n}}\n{all}"),
    ] {
        assert_eq!(said(&quiet), Vec::<String>::new(), "{quiet}");
    }
}
