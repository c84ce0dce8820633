//! How packets reach a server, and how the kernel is to choose one.

use crate::{PACE, side_by_side};
use keepalived_lab::balancing::Pair;

const SERVERS: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:8080"];
const SERVERS_V6: [&str; 3] = ["[fd00::1]:80", "[fd00::2]:80", "[fd00::3]:8080"];

/// A virtual server with three servers. One listens on another port where that is possible.
fn forwarded(address: &str, method: &str, servers: [&str; 3]) -> String {
    let [a, b, c] = servers;
    let port = if method == "NAT" { "8080" } else { "80" };
    format!(
        "virtual_server {address} 80 {{
            {PACE} lvs_sched wrr
            lvs_method {method}
            real_server {a} 80 {{ weight 3
                TCP_CHECK {{ }} }}
            real_server {b} 80 {{ weight 70000
                uthreshold 100
                lthreshold 50
                TCP_CHECK {{ }} }}
            real_server {c} {port} {{ weight 0
                TCP_CHECK {{ connect_port 8080
                }} }}
        }}\n"
    )
}

fn life(pair: &mut Pair, servers: [&str; 3], configuration: &str, changed: &str) -> anyhow::Result<()> {
    pair.both(|site| servers.iter().try_for_each(|at| site.listen(at)))?;
    pair.start(configuration)?;
    pair.stays("all servers are there")?;
    pair.close(&servers[..1])?;
    pair.close(&servers[2..])?;
    pair.open(&[servers[0], servers[2]])?;
    pair.reload("other weights", changed)?;
    pair.stop()
}

#[test]
#[ignore = "needs IPVS"]
fn nat_dr_and_tunnels() {
    side_by_side(|pair| {
        let methods = [
            ("192.0.2.1", "NAT"),
            ("192.0.2.2", "DR"),
            ("192.0.2.3", "TUN"),
            ("192.0.2.4", "TUN type ipip"),
            ("192.0.2.5", "TUN type gue port 6080"),
            ("192.0.2.6", "TUN type gue port 6080 csum"),
            ("192.0.2.7", "TUN type gue port 6081 remcsum"),
            ("192.0.2.8", "TUN type gre"),
            ("192.0.2.9", "TUN type gre csum"),
        ];
        let of = |(address, method): &(&str, &str)| forwarded(address, method, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        let text: String = methods.iter().map(of).collect();
        life(pair, SERVERS, &text, &text.replace("weight 3", "weight 5").replace("weight 70000", "weight 7"))
    });
}

#[test]
#[ignore = "needs IPVS"]
fn nat_dr_and_tunnels_of_ipv6() {
    side_by_side(|pair| {
        let methods = [
            ("2001:db8::1", "NAT"),
            ("2001:db8::2", "DR"),
            ("2001:db8::3", "TUN"),
            ("2001:db8::5", "TUN type gue port 6080 nocsum"),
            ("2001:db8::6", "TUN type gue port 6080 csum"),
            ("2001:db8::8", "TUN type gre"),
            // a tunnel may lead to the other family
            ("192.0.2.1", "TUN"),
        ];
        let of = |(address, method): &(&str, &str)| forwarded(address, method, ["fd00::1", "fd00::2", "fd00::3"]);
        let text: String = methods.iter().map(of).collect();
        life(pair, SERVERS_V6, &text, &text.replace("weight 3", "weight 5").replace("weight 70000", "weight 7"))
    });
}

#[test]
#[ignore = "needs IPVS"]
fn methods_of_single_servers() {
    side_by_side(|pair| {
        pair.both(|site| SERVERS.iter().try_for_each(|at| site.listen(at)))?;
        let text = format!(
            "virtual_server 192.0.2.1 80 {{
                {PACE} lvs_sched rr
                lvs_method DR
                sorry_server 10.0.0.9 8000
                sorry_server_lvs_method NAT
                real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }}
                real_server 10.0.0.2 80 {{ lvs_method TUN
                    TCP_CHECK {{ }} }}
                real_server 10.0.0.3 8080 {{ lvs_method NAT
                    TCP_CHECK {{ }} }}
            }}
            virtual_server 192.0.2.2 80 {{
                {PACE} lvs_sched rr
                lvs_method NAT
                sorry_server 10.0.0.9
                real_server 10.0.0.1 {{ TCP_CHECK {{ connect_port 80
                    }} }}
                real_server 10.0.0.3 8080 {{ lvs_method TUN type gre
                    TCP_CHECK {{ connect_port 8080
                    }} }}
            }}\n"
        );
        pair.start(&text)?;
        pair.close(&SERVERS)?;
        pair.open(&SERVERS[2..])?;
        pair.open(&SERVERS[..2])?;
        pair.reload("another method", &text.replace("lvs_method TUN\n", "lvs_method DR\n"))?;
        pair.stop()
    });
}

/// A scheduler and its flags.
fn scheduled(number: usize, lines: &str) -> String {
    format!(
        "virtual_server 192.0.2.{number} 80 {{
            {PACE} lvs_method NAT
            {lines}
            real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }}
            real_server 10.0.0.2 80 {{ TCP_CHECK {{ }} }}
        }}\n"
    )
}

#[test]
#[ignore = "needs IPVS"]
fn schedulers_and_their_flags() {
    side_by_side(|pair| {
        let schedulers = [
            "lvs_sched rr",
            "lvs_sched wrr",
            "lvs_sched lc",
            "lvs_sched wlc",
            "lvs_sched lblc",
            "lvs_sched lblcr",
            "lvs_sched dh",
            "lvs_sched sed",
            "lvs_sched nq",
            "lvs_sched fo",
            "lvs_sched ovf",
            "lvs_sched sh",
            "lvs_sched sh\n sh-port",
            "lvs_sched sh\n sh-fallback",
            "lvs_sched sh\n sh-fallback\n sh-port",
            "lvs_sched mh",
            "lvs_sched mh\n mh-port",
            "lvs_sched mh\n mh-fallback\n mh-port",
            "lvs_sched rr\n flag-1",
            "lvs_sched wrr\n flag-2\n flag-3",
            "lvs_sched sh\n flag-1",
            "",
        ];
        let text = |shift: usize| -> String {
            let one = |(number, _)| scheduled(number + 1, schedulers[(number + shift) % schedulers.len()]);
            schedulers.iter().enumerate().map(one).collect()
        };
        pair.both(|site| ["10.0.0.1:80", "10.0.0.2:80"].iter().try_for_each(|at| site.listen(at)))?;
        pair.start(&text(0))?;
        pair.close(&["10.0.0.1:80"])?;
        pair.reload("everybody has the scheduler of the next", &text(1))?;
        pair.open(&["10.0.0.1:80"])?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn persistence_and_one_packet() {
    side_by_side(|pair| {
        pair.both(|site| ["10.0.0.1:80", "[fd00::1]:80"].iter().try_for_each(|at| site.listen(at)))?;
        let service = |address: &str, server: &str, lines: &str| {
            format!(
                "virtual_server {address} {{
                    {PACE} lvs_sched rr
                    lvs_method NAT
                    {lines}
                    real_server {server} 80 {{ TCP_CHECK {{ }} }}
                }}\n"
            )
        };
        let text = |timeout: &str, mask: &str| {
            let of_v4 = [
                ("192.0.2.1 80", "persistence_timeout"),
                ("192.0.2.2 80", timeout),
                ("192.0.2.3 80", &format!("{timeout}\n persistence_granularity {mask}")),
                ("192.0.2.4 80", "persistence_granularity 255.255.255.255"),
                // without a port persistence comes by itself
                ("192.0.2.5", ""),
                ("192.0.2.6 80", "persistence_timeout 0"),
                ("192.0.2.7 5060", "persistence_timeout 30\n persistence_engine sip\n protocol UDP"),
                ("192.0.2.8 53", "protocol UDP\n ops"),
                ("192.0.2.9 53", "protocol UDP\n ops\n persistence_timeout 20"),
                ("192.0.2.10 80", "protocol SCTP"),
            ]
            .map(|(address, lines)| service(address, "10.0.0.1", lines));
            let of_v6 = [
                ("2001:db8::1 80", "persistence_timeout 70\n persistence_granularity 64"),
                ("2001:db8::2 80", "persistence_granularity 128"),
                ("2001:db8::3 80", timeout),
            ]
            .map(|(address, lines)| service(address, "fd00::1", lines));
            [of_v4.concat(), of_v6.concat()].concat()
        };
        pair.start(&text("persistence_timeout 60", "255.255.255.0"))?;
        pair.reload("other times and masks", &text("persistence_timeout 61", "255.255.0.0"))?;
        pair.close(&["10.0.0.1:80", "[fd00::1]:80"])?;
        pair.reload("no persistence", &text("", "255.255.255.255"))?;
        pair.stop()
    });
}
