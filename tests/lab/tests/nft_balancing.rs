//! Load balancing on nftables, as its clients see it: real connections from clients through the balancer, which runs
//! our daemon, to real servers. It needs no IPVS; what the kernel's table is in detail, `kernel/tests/nftables.rs`
//! looks at.

#![cfg(test)]

#[path = "nft_balancing/site.rs"]
mod site;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::ensure;
use keepalived_lab::wait_until;
use rustix::process::Signal;

use site::{CLIENTS, SOON, Site, on_direct_site, on_site, tally};

/// All that has to be said to begin with; the table is looked at each second.
const GLOBAL: &str = "global_defs {\n lvs_backend nftables\n lvs_repair_interval 1\n}\n";

/// A real server that is checked each second and is down at once.
fn server(at: &str, more: &str) -> String {
    format!(" real_server {} {{\n {more}\n {}\n }}\n", words(at), check("TCP_CHECK"))
}

fn check(kind: &str) -> String {
    format!("{kind} {{\n connect_timeout 1\n retry 0\n delay_loop 1\n warmup 0\n }}")
}

/// Address and port as keepalived.conf has them.
fn words(at: &str) -> String {
    let (address, port) = at.rsplit_once(':').expect("a port");
    format!("{} {port}", address.trim_matches(['[', ']']))
}

/// A virtual server.
fn service(what: &str, lines: &str, servers: &[&str]) -> String {
    let servers: String = servers.iter().map(|at| server(at, "weight 1")).collect();
    format!("{} {{\n lb_kind NAT\n protocol TCP\n {lines}\n{servers}}}\n", named(what))
}

fn named(what: &str) -> String {
    if what.ends_with(|last: char| last.is_ascii_digit()) && what.contains(':') {
        format!("virtual_server {}", words(what))
    } else {
        format!("virtual_server {what}")
    }
}

const VIP: &str = "198.51.100.1:80";
const ONE: &str = "10.1.1.1:80";
const TWO: &str = "10.1.1.2:80";
const THREE: &str = "10.1.1.3:80";
const SORRY: &str = "10.1.1.4:80";

fn client(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 1, last).into()
}

#[test]
fn clients_are_spread_as_the_scheduler_says() {
    on_site("spread", |site| {
        site.open(&[ONE, TWO, THREE])?;
        let weighted = server(ONE, "weight 3") + &server(TWO, "weight 1");
        let text = GLOBAL.to_owned()
            + &service(VIP, "lb_algo rr", &[ONE, TWO, THREE])
            + &format!("virtual_server 198.51.100.1 81 {{\n lb_kind NAT\n protocol TCP\n lb_algo wrr\n{weighted}}}\n")
            + &service("198.51.100.1:82", "lb_algo sh", &[ONE, TWO, THREE]);
        site.start(&text, &[])?;
        site.answers(VIP, &[(1, 10), (2, 10), (3, 10)])?;
        site.answers("198.51.100.1:81", &[(1, 30), (2, 10)])?;
        let clients: Vec<_> = (1..=CLIENTS).map(client).collect();
        let first = site.ask_from(&clients, "198.51.100.1:82")?;
        ensure!(tally(&first).keys().eq(&[1, 2, 3]), "{first:?}");
        for _ in 0..2 {
            ensure!(site.ask_from(&clients, "198.51.100.1:82")? == first, "a client is sent to one server");
        }
        Ok(())
    });
}

#[test]
fn a_server_that_dies_is_left_out_and_returns_and_the_sorry_server_is_the_last() {
    on_site("dies", |site| {
        site.open(&[ONE, TWO, SORRY])?;
        let sorry = format!("lb_algo rr\n sorry_server {}", words(SORRY));
        site.start(&(GLOBAL.to_owned() + &service(VIP, &sorry, &[ONE, TWO])), &[])?;
        site.answers(VIP, &[(1, 5), (2, 5)])?;
        site.close(&[ONE])?;
        site.answers(VIP, &[(2, 10)])?;
        site.close(&[TWO])?;
        site.answers(VIP, &[(4, 10)])?;
        site.open(&[ONE])?;
        site.answers(VIP, &[(1, 10)])?;
        site.open(&[TWO])?;
        site.answers(VIP, &[(1, 5), (2, 5)])
    });
}

#[test]
fn nobody_is_left_and_there_is_no_sorry_server() {
    on_site("nobody", |site| {
        site.open(&[ONE])?;
        site.start(&(GLOBAL.to_owned() + &service(VIP, "lb_algo rr", &[ONE])), &[])?;
        site.answers(VIP, &[(1, 2)])?;
        site.close(&[ONE])?;
        let running = site.running()?;
        wait_until("it is left out", SOON, || Ok(running.log().contains("Lost quorum")))?;
        site.refuses(VIP)?;
        site.open(&[ONE])?;
        let running = site.running()?;
        wait_until("it returns", SOON, || Ok(running.log().contains("Gained quorum")))?;
        site.answers(VIP, &[(1, 2)])?;
        // all of it is in the data file, with the causes
        running.signal(Signal::USR1)?;
        let data = running.file("keepalived_check.data");
        let text = || std::fs::read_to_string(&data).unwrap_or_default();
        wait_until("there is a journal", SOON, || Ok(text().contains("Journal")))?;
        let text = text();
        let journal: Vec<&str> = text.lines().skip_while(|line| !line.contains("Journal")).skip(1).collect();
        let events: Vec<&str> =
            journal.iter().filter_map(|line| line.trim_start().split_once(' ')).map(|it| it.1).collect();
        let (service, server) = ("VS [198.51.100.1]:tcp:80", "VS [198.51.100.1]:tcp:80 [10.1.1.1]:tcp:80");
        let expected = [
            format!("{server}: down: connection refused"),
            format!("{service}: quorum lost with a weight of 0"),
            format!("{server}: up"),
            format!("{service}: quorum gained with a weight of 1"),
        ];
        ensure!(events == expected, "{text}");
        Ok(())
    });
}

#[test]
fn a_server_that_is_inhibited_keeps_its_connections_and_gets_no_new_ones() {
    on_site("inhibit", |site| {
        site.open(&[ONE, TWO])?;
        site.start(&(GLOBAL.to_owned() + &service(VIP, "lb_algo rr\n inhibit_on_failure", &[ONE, TWO])), &[])?;
        site.answers(VIP, &[(1, 5), (2, 5)])?;
        let mut open = [site.connect(VIP)?, site.connect(VIP)?];
        let before = open.each_mut().map(|it| it.ask());
        ensure!(before[0] != before[1], "{before:?}");
        site.close(&[ONE])?;
        site.answers(VIP, &[(2, 10)])?;
        let listed = site.nft("list map inet keepalived_balance weights4")?;
        ensure!(listed.contains("10.1.1.1 . 80 : 0x00000000"), "{listed}");
        ensure!(open.each_mut().map(|it| it.ask()) == before, "established connections go on");
        site.open(&[ONE])?;
        site.answers(VIP, &[(1, 5), (2, 5)])
    });
}

#[test]
fn a_persistent_client_stays_until_its_server_dies() {
    on_site("persistent", |site| {
        site.open(&[ONE, TWO])?;
        let text = service(VIP, "lb_algo rr\n persistence_timeout 60", &[ONE, TWO]);
        site.start(&(GLOBAL.to_owned() + &text), &[])?;
        let both = |site: &Site<'_>| {
            let weights = site.nft("list map inet keepalived_balance weights4");
            Ok(weights.is_ok_and(|weights| weights.matches(": 0x").count() == 2))
        };
        wait_until("both are there", SOON, || both(site))?;
        let clients = [1, 2, 3, 4].map(client);
        let first = site.ask_from(&clients, VIP)?;
        ensure!(tally(&first).into_iter().eq([(1, 2), (2, 2)]), "{first:?}");
        for _ in 0..5 {
            ensure!(site.ask_from(&clients, VIP)? == first, "each stays where it was");
        }
        site.close(&[ONE])?;
        wait_until("all are with the other", SOON, || Ok(site.ask_from(&clients, VIP)? == [2; 4]))?;
        // who was sent elsewhere stays there
        site.open(&[ONE])?;
        wait_until("it is back", SOON, || both(site))?;
        ensure!(site.ask_from(&clients, VIP)? == [2; 4], "nobody goes back");
        Ok(())
    });
}

#[test]
fn datagrams_go_to_servers_that_do_not_refuse_them() {
    on_site("udp", |site| {
        let (vip, one, two) = ("198.51.100.1:53", "10.1.1.1:53", "10.1.1.2:53");
        site.open(&[one, two])?;
        let servers: String =
            [one, two].map(|at| format!(" real_server {} {{\n {}\n }}\n", words(at), check("UDP_CHECK"))).concat();
        let text = format!("virtual_server {} {{\n lb_kind NAT\n lb_algo rr\n protocol UDP\n{servers}}}\n", words(vip));
        site.start(&(GLOBAL.to_owned() + &text), &[])?;
        site.answers_udp(vip, &[(1, 5), (2, 5)])?;
        site.close(&[two])?;
        site.answers_udp(vip, &[(1, 10)])?;
        site.open(&[two])?;
        site.answers_udp(vip, &[(1, 5), (2, 5)])
    });
}

#[test]
fn ipv6_is_balanced() {
    on_site("ipv6", |site| {
        let (vip, one, two) = ("[2001:db8::1]:80", "[fd00:1::1:1]:80", "[fd00:1::1:2]:80");
        site.open(&[one, two])?;
        site.start(&(GLOBAL.to_owned() + &service(vip, "lb_algo rr", &[one, two])), &[])?;
        site.answers(vip, &[(1, 5), (2, 5)])?;
        let mut open = [site.connect(vip)?, site.connect(vip)?];
        let before = open.each_mut().map(|it| it.ask());
        site.close(&[two])?;
        site.answers(vip, &[(1, 10)])?;
        ensure!(open.each_mut().map(|it| it.ask()) == before, "established connections go on");
        site.open(&[two])?;
        site.answers(vip, &[(1, 5), (2, 5)])
    });
}

#[test]
fn what_a_firewall_has_marked_is_balanced() {
    on_site("fwmark", |site| {
        site.open(&[ONE, TWO])?;
        site.nft("add table inet marks")?;
        site.nft("add chain inet marks pre { type filter hook prerouting priority -150 ; }")?;
        site.nft("add rule inet marks pre ip daddr 198.51.100.0/24 tcp dport 8000-8999 meta mark set 7")?;
        let servers = [ONE, TWO];
        site.start(&(GLOBAL.to_owned() + &service("fwmark 7", "lb_algo rr", &servers)), &[])?;
        site.answers("198.51.100.9:8123", &[(1, 5), (2, 5)])?;
        site.close(&[ONE])?;
        site.answers("198.51.100.10:8999", &[(2, 10)])
    });
}

#[test]
fn a_group_is_balanced_at_each_of_its_addresses() {
    on_site("group", |site| {
        let six = ["[fd00:1::1:1]:80"];
        site.open(&[ONE, TWO, six[0]])?;
        site.nft("add table inet marks")?;
        site.nft("add chain inet marks pre { type filter hook prerouting priority -150 ; }")?;
        site.nft("add rule inet marks pre ip daddr 198.51.100.99 meta mark set 5")?;
        let group = "virtual_server_group WEB {\n 198.51.100.1-3 80\n 198.51.100.9 81\n fwmark 5\n}\n\
                     virtual_server_group SIX {\n 2001:db8::1-2 80\n}\n";
        let text = service("group WEB", "lb_algo rr", &[ONE, TWO]) + &service("group SIX", "lb_algo rr", &six);
        site.start(&(GLOBAL.to_owned() + group + &text), &[])?;
        let vips = [VIP, "198.51.100.2:80", "198.51.100.3:80", "198.51.100.9:81", "198.51.100.99:1234"];
        vips.iter().try_for_each(|vip| site.answers(vip, &[(1, 2), (2, 2)]))?;
        ["[2001:db8::1]:80", "[2001:db8::2]:80"].iter().try_for_each(|vip| site.answers(vip, &[(1, 2)]))?;
        site.close(&[ONE])?;
        vips.iter().try_for_each(|vip| site.answers(vip, &[(2, 4)]))
    });
}

#[test]
fn what_others_damage_is_repaired() {
    on_site("repair", |site| {
        site.open(&[ONE, TWO])?;
        site.start(&(GLOBAL.to_owned() + &service(VIP, "lb_algo rr", &[ONE, TWO])), &[])?;
        site.answers(VIP, &[(1, 5), (2, 5)])?;
        let intact = site.nft("-s list table inet keepalived_balance")?;
        let damages = [
            "delete table inet keepalived_balance",
            "flush ruleset",
            "flush chain inet keepalived_balance prerouting",
            "flush chain inet keepalived_balance dispatch",
            "flush chain inet keepalived_balance tcp-198.51.100.1-80",
            "flush map inet keepalived_balance services4",
            "flush map inet keepalived_balance servers4-0",
            "add element inet keepalived_balance servers4-0 { 77 : 10.1.1.1 . 80 }",
            "delete element inet keepalived_balance balanced { tcp }",
            "insert rule inet keepalived_balance tcp-198.51.100.1-80 drop",
            "delete element inet keepalived_balance weights4 { tcp . 198.51.100.1 . 80 . 10.1.1.2 . 80 }",
        ];
        for (damage, repairs) in damages.iter().zip(1..) {
            site.nft(damage)?;
            let repaired = || Ok(site.nft("-s list table inet keepalived_balance").is_ok_and(|now| now == intact));
            wait_until(&format!("{damage}: it is repaired"), Duration::from_secs(5), repaired)?;
            let said = || Ok(site.running()?.log().matches("another program changed").count() == repairs);
            wait_until(&format!("{damage}: it is said"), SOON, said)?;
            site.answers(VIP, &[(1, 5), (2, 5)])?;
        }
        Ok(())
    });
}

/// As when systemd stops all processes of the daemon at once: the supervisor decides, and what is told last takes its
/// time.
#[test]
fn what_is_told_at_the_stop_is_told_to_the_end() {
    on_site("last", |site| {
        site.open(&[ONE])?;
        let said = std::env::temp_dir().join(format!("keepalived-lab-last-{}", std::process::id()));
        let global = GLOBAL.replace("{\n", "{\n script_user root\n");
        let script = format!("omega\n quorum_down \"/bin/sh -c 'sleep 1.5; echo down > {}'\"", said.display());
        site.start(&(global + &service(VIP, &format!("lb_algo rr\n {script}"), &[ONE])), &[])?;
        site.answers(VIP, &[(1, 1)])?;
        let checker = site.checker()?;
        rustix::process::kill_process(checker, Signal::TERM)?;
        site.answers(VIP, &[(1, 1)])?;
        ensure!(site.checker()? == checker, "it goes on");
        site.stop()?;
        let text = std::fs::read_to_string(&said)?;
        std::fs::remove_file(&said)?;
        ensure!(text == "down\n", "{text}");
        Ok(())
    });
}

/// Nothing but the kernel's notifications can bring this about: the table is never looked at.
#[test]
fn the_kernel_tells_what_others_damage() {
    on_site("told", |site| {
        site.open(&[ONE, TWO])?;
        let global = GLOBAL.replace("lvs_repair_interval 1", "lvs_repair_interval 0");
        ensure!(global != GLOBAL, "{GLOBAL}");
        site.start(&(global + &service(VIP, "lb_algo rr", &[ONE, TWO])), &[])?;
        site.answers(VIP, &[(1, 5), (2, 5)])?;
        let intact = site.nft("-s list table inet keepalived_balance")?;
        for damage in ["flush ruleset", "flush map inet keepalived_balance servers4-0", "flush ruleset"] {
            site.nft(damage)?;
            let repaired = || Ok(site.nft("-s list table inet keepalived_balance").is_ok_and(|now| now == intact));
            wait_until(&format!("{damage}: it is repaired"), SOON, repaired)?;
        }
        // what concerns others is not looked at, or it would be said
        site.nft("add table inet theirs")?;
        site.stop()
    });
}

#[test]
fn what_others_have_of_their_own_does_not_concern_us() {
    on_site("others", |site| {
        site.open(&[ONE])?;
        site.start(&(GLOBAL.to_owned() + &service(VIP, "lb_algo rr", &[ONE])), &[])?;
        site.answers(VIP, &[(1, 1)])?;
        site.nft("add table inet theirs")?;
        site.nft("add chain inet theirs mine { type filter hook forward priority 0 ; }")?;
        // two looks
        std::thread::sleep(Duration::from_millis(2200));
        let log = site.running()?.log();
        ensure!(!log.contains("another program changed"), "{log}");
        site.stop()?;
        let left = site.nft("list ruleset")?;
        ensure!(left.contains("table inet theirs") && !left.contains("keepalived"), "{left}");
        Ok(())
    });
}

#[test]
fn connections_survive_reload_crash_and_restart() {
    on_site("survive", |site| {
        site.open(&[ONE, TWO, THREE])?;
        let text = |servers: &[&str]| GLOBAL.to_owned() + &service(VIP, "lb_algo rr", servers);
        site.start(&text(&[ONE, TWO]), &[])?;
        site.answers(VIP, &[(1, 5), (2, 5)])?;
        let mut open = [site.connect(VIP)?, site.connect(VIP)?];
        let before = open.each_mut().map(|it| it.ask());
        ensure!(before[0] != before[1], "{before:?}");
        let mut all_go_on = |when: &str| {
            let now = open.each_mut().map(|it| it.ask());
            ensure!(now == before, "{when}: {now:?}");
            Ok(())
        };

        let asked = site.while_asking(VIP, || {
            site.running()?.reload(&text(&[ONE, TWO, THREE]))?;
            site.answers_among(VIP, 3)
        })?;
        all_go_on("after a reload")?;

        let more = site.while_asking(VIP, || site.checker_dies("took over 1 virtual servers and 3 real servers"))?;
        all_go_on("after a crash of the checker")?;
        site.answers_among(VIP, 3)?;
        println!("{asked} clients during a reload, {more} during a crash");
        site.stop()?;
        ensure!(site.nft("list ruleset")?.is_empty(), "nothing is left");
        Ok(())
    });
}

/// The checker process is dead while a reload takes away a real server, or the virtual server.
#[test]
fn what_a_reload_takes_away_while_no_checker_runs_goes_from_the_table() {
    on_site("dead", |site| {
        site.open(&[ONE, TWO, THREE])?;
        let other = "198.51.100.1:81";
        let text = |servers: &[&str], others: &[&str]| {
            let others = others.iter().map(|what| service(what, "lb_algo rr", &[THREE])).collect::<String>();
            GLOBAL.to_owned() + &service(VIP, "lb_algo rr", servers) + &others
        };
        site.start(&text(&[ONE, TWO], &[other]), &[])?;
        site.answers(VIP, &[(1, 5), (2, 5)])?;
        site.answers(other, &[(3, 2)])?;
        site.wear_checkers_out()?;
        let died = site.checker()?;
        // a reload that no process takes is not forgotten for the next one
        site.running()?.reload(&text(&[TWO], &[]))?;
        site.answers(VIP, &[(2, 10)])?;
        ensure!(site.checker()? != died);
        let listed = || site.nft("-s list ruleset");
        wait_until("the virtual server is gone", SOON, || Ok(!listed()?.contains("10.1.1.3")))?;
        ensure!(!listed()?.contains("10.1.1.1 . 80"), "{}", listed()?);
        site.stop()?;
        ensure!(site.nft("list ruleset")?.is_empty(), "nothing is left");
        Ok(())
    });
}

#[test]
fn with_dont_release_ipvs_clients_are_served_while_no_daemon_runs() {
    on_site("restart", |site| {
        site.open(&[ONE, TWO])?;
        let text = GLOBAL.to_owned() + &service(VIP, "lb_algo rr", &[ONE, TWO]);
        site.start(&text, &["-I"])?;
        site.answers(VIP, &[(1, 5), (2, 5)])?;
        let mut open = [site.connect(VIP)?, site.connect(VIP)?];
        let before = open.each_mut().map(|it| it.ask());
        let table = site.nft("-s list ruleset")?;
        site.stop()?;
        ensure!(site.nft("-s list ruleset")? == table, "it stays as it is");
        site.answers(VIP, &[(1, 5), (2, 5)])?;
        site.start(&text, &["-I"])?;
        let took_over = || Ok(site.running()?.log().contains("took over 1 virtual servers and 2 real servers"));
        wait_until("it has taken over what was there", SOON, took_over)?;
        ensure!(site.nft("-s list ruleset")? == table, "it stays as it is");
        ensure!(open.each_mut().map(|it| it.ask()) == before, "connections go on");
        site.answers(VIP, &[(1, 5), (2, 5)])
    });
}

#[test]
fn with_direct_routing_servers_answer_clients_themselves_and_connections_survive() {
    let (six, udp) = ("[2001:db8::1]:80", "198.51.100.1:53");
    on_direct_site("direct", &[VIP, six, udp], |site| {
        let of = |servers: &[&str]| servers.iter().map(|at| server(at, "weight 1")).collect::<String>();
        let direct = |vip: &str, lines: &str, servers: &str| {
            format!("virtual_server {} {{\n lb_kind DR\n lb_algo rr\n {lines}\n{servers}}}\n", words(vip))
        };
        let datagrams =
            [ONE, TWO].map(|at| of(&[at]).replace(" 80 {", " 53 {").replace("TCP_CHECK", "UDP_CHECK")).concat();
        let text = |lines: &str| {
            GLOBAL.to_owned()
                + &direct(VIP, &format!("protocol TCP\n inhibit_on_failure\n {lines}"), &of(&[ONE, TWO]))
                + &direct(six, "protocol TCP", &of(&["[fd00:1::1:1]:80", "[fd00:1::1:2]:80"]))
                + &direct(udp, "protocol UDP", &datagrams)
        };
        site.start(&text(""), &[])?;
        for vip in [VIP, six] {
            site.answers(vip, &[(1, 5), (2, 5)])?;
        }
        site.answers_udp(udp, &[(1, 5), (2, 5)])?;
        let mut open = [site.connect(VIP)?, site.connect(VIP)?, site.connect(six)?, site.connect(six)?];
        let before = open.each_mut().map(|it| it.ask());
        ensure!(before[0] != before[1] && before[2] != before[3], "{before:?}");
        let mut all_go_on = |when: &str| {
            let now = open.each_mut().map(|it| it.ask());
            ensure!(now == before, "{when}: {now:?}");
            Ok(())
        };

        // inhibited: it keeps its connections
        site.close(&[ONE])?;
        site.answers(VIP, &[(2, 10)])?;
        all_go_on("inhibited")?;
        site.open(&[ONE])?;
        site.answers(VIP, &[(1, 5), (2, 5)])?;

        let asked = site.while_asking(VIP, || {
            site.running()?.reload(&text("lb_algo wlc"))?;
            let listed = || site.nft("list chain ip keepalived_balance_direct tcp-198.51.100.1-80");
            wait_until("it is another scheduler", SOON, || Ok(listed()?.contains("wlc")))
        })?;
        all_go_on("after a reload")?;
        let more = site.while_asking(VIP, || site.checker_dies("took over 3 virtual servers and 6 real servers"))?;
        all_go_on("after a crash of the checker")?;
        println!("{asked} clients during a reload, {more} during a crash");
        site.stop()?;
        ensure!(site.nft("list ruleset")?.is_empty(), "nothing is left");
        Ok(())
    });
}

#[test]
fn auto_takes_nftables_where_there_is_no_ipvs() {
    on_site("auto", |site| {
        if std::path::Path::new("/proc/net/ip_vs").exists() {
            return Ok(());
        }
        site.open(&[ONE, TWO])?;
        let text = "global_defs {\n lvs_backend auto\n}\n".to_owned() + &service(VIP, "lb_algo wlc", &[ONE, TWO]);
        site.start(&text, &[])?;
        wait_until("both serve", SOON, || Ok(tally(&site.ask(VIP, 20)?).keys().eq(&[1, 2])))?;
        let log = site.running()?.log();
        ensure!(log.contains("nftables"), "it says so: {log}");
        site.stop()?;
        ensure!(site.nft("list ruleset")?.is_empty(), "nothing is left");
        Ok(())
    });
}
