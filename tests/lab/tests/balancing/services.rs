//! What a virtual server answers for, and what else is in the table.

use crate::{PACE, side_by_side};

fn server(address: &str, lines: &str) -> String {
    format!(
        "real_server {address} 80 {{ {lines}
            TCP_CHECK {{ }}
        }}\n"
    )
}

#[test]
#[ignore = "needs IPVS"]
fn groups() {
    side_by_side(|pair| {
        pair.both(|site| ["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"].iter().try_for_each(|at| site.listen(at)))?;
        let servers = [server("10.0.0.1", ""), server("10.0.0.2", "weight 2")].concat();
        let text = |members: &str| {
            format!(
                "virtual_server_group mixed {{
                    {members}
                }}
                virtual_server_group tunnelled {{
                    192.0.2.100 80
                    2001:db8::100 80
                    fwmark 9 inet
                    fwmark 9 inet6
                }}
                virtual_server_group modern {{
                    2001:db8::1-3 80
                    2001:db8::8 443
                    fwmark 8
                }}
                virtual_server group mixed {{
                    {PACE} lvs_sched rr
                    lvs_method NAT
                    sorry_server 10.0.0.9 8080
                    {servers}
                }}
                virtual_server group tunnelled {{
                    {PACE} lvs_sched rr
                    lvs_method TUN
                    {servers}
                }}
                virtual_server group modern {{
                    {PACE} lvs_sched wlc
                    lvs_method DR
                    quorum 1
                    {}
                }}\n",
                server("fd00::1", "inhibit_on_failure")
            )
        };
        let members = "192.0.2.1 80\n 192.0.2.2 443\n 192.0.2.10-13 80\n 192.0.2.32/30 80\n fwmark 7";
        pair.start(&text(members))?;
        pair.close(&["10.0.0.1:80", "[fd00::1]:80"])?;
        pair.close(&["10.0.0.2:80"])?;
        pair.open(&["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"])?;
        pair.stop()
    });
}

/// Members that leave, and marks of both families at a reload, are another matter: `alone::a_group_changes`.
#[test]
#[ignore = "needs IPVS"]
fn addresses_join_a_group() {
    side_by_side(|pair| {
        pair.both(|site| site.listen("10.0.0.1:80"))?;
        let text = |members: &str| {
            format!(
                "virtual_server_group g {{\n {members}\n }}
                virtual_server group g {{ {PACE} lvs_sched rr\n lvs_method NAT\n sorry_server 10.0.0.9 8080\n {} }}\n",
                server("10.0.0.1", "")
            )
        };
        pair.start(&text("192.0.2.1 80\n fwmark 7"))?;
        pair.reload("more members", &text("192.0.2.1 80\n fwmark 7\n 192.0.2.3 443\n 192.0.2.20-21 80\n fwmark 6"))?;
        pair.close(&["10.0.0.1:80"])?;
        // at the end Debian's leaves those that joined
        pair.open(&["10.0.0.1:80"])
    });
}

#[test]
#[ignore = "needs IPVS"]
fn firewall_marks_of_both_families() {
    side_by_side(|pair| {
        let at = ["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"];
        pair.both(|site| at.iter().try_for_each(|at| site.listen(at)))?;
        let service = |mark: u8, lines: &str, address: &str| {
            let pace = PACE.replace("protocol TCP", "");
            format!("virtual_server fwmark {mark} {{ {pace} lvs_sched rr\n {lines}\n {} }}\n", server(address, ""))
        };
        let text = [
            service(1, "lvs_method NAT", "10.0.0.1"),
            service(2, "lvs_method DR\n persistence_timeout 50", "10.0.0.1"),
            service(3, "lvs_method NAT\n sorry_server 10.0.0.9 80", "10.0.0.2"),
            service(4, "lvs_method NAT", "fd00::1"),
            service(5, "lvs_method TUN\n ip_family inet6", "10.0.0.2"),
            service(6, "lvs_method TUN\n ops", "10.0.0.2"),
        ]
        .concat();
        pair.start(&text)?;
        pair.close(&at)?;
        pair.reload("other marks", &text.replace("fwmark 4", "fwmark 14").replace("fwmark 5", "fwmark 15"))?;
        pair.open(&at)?;
        pair.stop()
    });
}

fn two(lines: &str, servers: &[&str]) -> String {
    let servers: String = servers.iter().map(|address| server(address, "")).collect();
    format!("virtual_server 192.0.2.1 80 {{ {PACE} {lines}\n {servers} }}\n")
}

#[test]
#[ignore = "needs IPVS"]
fn reload_with_changes() {
    side_by_side(|pair| {
        let at = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
        pair.both(|site| at.iter().try_for_each(|at| site.listen(at)))?;
        let other = two("lvs_sched rr\n lvs_method NAT", &["10.0.0.3"]).replace("192.0.2.1", "192.0.2.2");
        pair.start(&two("lvs_sched rr\n lvs_method NAT", &["10.0.0.1", "10.0.0.2"]))?;
        let first = ["10.0.0.2", "10.0.0.3"];
        pair.reload("one server for another", &two("lvs_sched rr\n lvs_method NAT", &first))?;
        pair.reload("another scheduler", &two("lvs_sched wlc\n lvs_method NAT", &first))?;
        pair.reload("another service", &[two("lvs_sched wlc\n lvs_method NAT", &first), other.clone()].concat())?;
        pair.close(&["10.0.0.3:80"])?;
        let heavy = [two("lvs_sched wlc\n lvs_method NAT\n weight 5", &first), other.clone()].concat();
        pair.both(|site| site.reload(&heavy))?;
        pair.changes("another weight for all, while one is failed")?;
        pair.both(|site| site.reload(&heavy))?;
        pair.stays("an unchanged file")?;
        pair.reload(
            "persistence",
            &[two("lvs_sched wlc\n lvs_method NAT\n persistence_timeout 9", &first), other].concat(),
        )?;
        pair.reload("one service less", &two("lvs_sched wlc\n lvs_method NAT", &first))?;
        pair.open(&["10.0.0.3:80"])?;
        pair.reload("no longer a sorry server", &two("lvs_sched wlc\n lvs_method DR\n quorum 1", &first))?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn entries_of_others() {
    side_by_side(|pair| {
        let at = ["10.0.0.1:80", "10.0.0.2:80"];
        pair.both(|site| at.iter().try_for_each(|at| site.listen(at)))?;
        let before = [
            "-A -t 192.0.2.77:80 -s rr",
            "-a -t 192.0.2.77:80 -r 10.0.0.77:80 -m",
            "-A -f 77 -s wlc",
            // what is not as the file says is another matter: `alone::what_is_there_becomes_what_the_file_says`
            "-A -t 192.0.2.1:80 -s rr",
            "-a -t 192.0.2.1:80 -r 10.0.0.77:80 -g -w 7",
            "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1",
        ];
        pair.both(|site| before.iter().try_for_each(|line| site.ipvsadm(line).map(drop)))?;
        let text = two("lvs_sched rr\n lvs_method NAT", &["10.0.0.1", "10.0.0.2"]);
        pair.start(&text)?;
        pair.close(&at[..1])?;
        pair.both(|site| {
            site.ipvsadm("-a -t 192.0.2.1:80 -r 10.0.0.78:80 -m -w 8")?;
            site.ipvsadm("-A -u 192.0.2.78:53 -s rr").map(drop)
        })?;
        pair.changes("others came while we ran")?;
        pair.open(&at[..1])?;
        pair.reload("another scheduler", &text.replace("sched rr", "sched wrr"))?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn the_table_stays_at_a_stop_if_that_is_wanted() {
    side_by_side(|pair| {
        let at = ["10.0.0.1:80", "10.0.0.2:80"];
        pair.both(|site| at.iter().try_for_each(|at| site.listen(at)))?;
        let text = two("lvs_sched rr\n lvs_method NAT\n inhibit_on_failure", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        pair.start_with(&text, &["-I"])?;
        pair.close(&at[..1])?;
        pair.stop()?;
        pair.both(|site| site.start(&text, &[]))?;
        pair.stays("another start")?;
        pair.open(&at[..1])?;
        pair.stop()
    });
}
