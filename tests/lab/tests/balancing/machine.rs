//! What balancing has to do with the rest of the machine: its addresses, its namespaces, and who is master.

use crate::{PACE, side_by_side};
use keepalived_lab::balancing::{Pair, Site};

const SERVERS: [&str; 2] = ["10.0.0.1:80", "10.0.0.2:80"];

/// A virtual server with these lines.
fn service(lines: &str) -> String {
    format!(
        "virtual_server 192.0.2.1 80 {{ {PACE} lvs_sched rr\n lvs_method NAT\n {lines}
            real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }}
            real_server 10.0.0.2 80 {{ TCP_CHECK {{ }} }}
        }}\n"
    )
}

/// An instance that is backup at first, and in fault while eth0 is down.
const INSTANCE: &str = "vrrp_instance V {
        interface eth0
        virtual_router_id 51
        priority 200
        advert_int 1
        virtual_ipaddress {
            192.0.2.1/32 dev lo
        }
    }
";

fn links(pair: &mut Pair) -> anyhow::Result<()> {
    pair.both(|site| site.namespace().ip("address add 10.1.0.1/24 dev eth0\nlink set eth0 multicast on arp on\n"))
}

/// What the kernel exchanges with other balancers.
fn exchange(site: &Site) -> String {
    site.ipvsadm("--list --daemon").unwrap_or_default()
}

#[test]
#[ignore = "needs IPVS"]
fn the_exchange_of_connections_and_checks_follow_the_master() {
    side_by_side(|pair| {
        links(pair)?;
        pair.both(|site| {
            site.fifo("fifo")?;
            SERVERS.iter().try_for_each(|at| site.listen(at))
        })?;
        let global = "global_defs {
                lvs_sync_daemon eth0 V id 7 maxlen 1400 port 8850 ttl 3 group 224.0.0.90
                notify_fifo FOLDER/fifo
            }\n";
        pair.both(|site| site.start_all(&[global, INSTANCE, &service("ha_suspend")].concat(), &[]))?;
        // they do not start in the same moment, and are backup for three seconds only: see below
        pair.agree_when("master", exchange, |said| said.contains("master"));
        pair.both(|site| site.close(SERVERS[0]))?;
        pair.changes("checks run where the address is")?;
        pair.both(|site| site.namespace().ip("link set eth0 down\n"))?;
        pair.agree_when("fault", exchange, |said| said.contains("backup"));
        pair.both(|site| site.listen(SERVERS[0]))?;
        pair.stays("checks rest where it is not")?;
        pair.both(|site| site.namespace().ip("link set eth0 up\n"))?;
        pair.agree_when("master again", exchange, |said| said.contains("master"));
        pair.changes("checks run again")?;
        pair.stop()?;
        // those about the instance are another matter
        let told = |site: &Site| {
            let text = String::from_utf8_lossy(&site.told()).replace('\0', "");
            text.lines().filter(|line| !line.contains("INSTANCE")).collect::<Vec<_>>().join("\n")
        };
        pair.agree("lines about services", told);
        pair.agree_when("end", exchange, str::is_empty);
        Ok(())
    });
}

#[test]
#[ignore = "needs IPVS"]
fn connections_are_exchanged_both_ways_without_an_instance() {
    side_by_side(|pair| {
        links(pair)?;
        let text = ["global_defs {\n lvs_sync_daemon eth0 id 9\n }\n", INSTANCE, &service("")].concat();
        pair.both(|site| site.start_all(&text, &[]))?;
        pair.agree_when("both run", exchange, |said| said.contains("backup") && said.contains("master"));
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn checks_rest_while_the_address_is_elsewhere() {
    side_by_side(|pair| {
        pair.both(|site| site.listen(SERVERS[0]))?;
        pair.start(&service("ha_suspend"))?;
        pair.stays("the address is not here")?;
        pair.both(|site| site.own(&["192.0.2.1"]))?;
        pair.changes("it is")?;
        pair.both(|site| site.namespace().ip("address del 192.0.2.1/32 dev lo\n"))?;
        pair.both(|site| site.close(SERVERS[0]))?;
        pair.stays("the address is gone")?;
        pair.both(|site| site.own(&["192.0.2.1"]))?;
        pair.changes("it is here again")?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn timeouts() {
    side_by_side(|pair| {
        let said = |site: &Site| site.ipvsadm("-l --timeout").unwrap_or_default();
        let text = |timeouts: &str| format!("global_defs {{\n {timeouts}\n }}\n{}", service(""));
        pair.start(&text("lvs_timeouts tcp 1000 tcpfin 50 udp 25"))?;
        pair.agree_when("start", said, |said| said.contains("1000 50 25"));
        pair.both(|site| site.reload(&text("lvs_timeouts tcpfin 60 udp 26")))?;
        pair.agree_when("reload", said, |said| said.contains("60 26"));
        pair.both(|site| site.reload(&text("")))?;
        pair.stays("reload: none")?;
        pair.agree("reload: none", said);
        pair.stop()?;
        pair.agree("stop", said);
        Ok(())
    });
}

#[test]
#[ignore = "needs IPVS"]
fn the_table_may_be_that_of_another_namespace() {
    side_by_side(|pair| {
        pair.both(|site| {
            site.step_aside()?;
            SERVERS.iter().try_for_each(|at| site.listen(at))
        })?;
        pair.start(&["net_namespace_ipvs ASIDE\n", &service("")].concat())?;
        pair.close(&SERVERS[..1])?;
        pair.open(&SERVERS[..1])?;
        pair.agree("this one's", |site| {
            site.ipvsadm("-Sn").map_or_else(|error| error.to_string(), |said| format!("[{said}]"))
        });
        pair.stop()
    });
}
