//! Which servers are in the table.

use crate::{PACE, side_by_side};

const SERVERS: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

/// `virtual_server` with these lines, and three servers with their weights and these lines.
fn three(lines: &str, server: &str) -> String {
    let servers: String = (1..=3)
        .map(|number| {
            format!(
                "real_server 10.0.0.{number} 80 {{ weight {number}
                    {server}
                    TCP_CHECK {{ }}
                }}\n"
            )
        })
        .collect();
    format!(
        "virtual_server 192.0.2.1 80 {{
            {PACE} lvs_sched wlc
            lvs_method NAT
            {lines}
            {servers}
        }}\n"
    )
}

#[test]
#[ignore = "needs IPVS"]
fn quorum_hysteresis_and_sorry_server() {
    side_by_side(|pair| {
        pair.both(|site| SERVERS.iter().try_for_each(|at| site.listen(at)))?;
        // 6 of 4: lost below 3, regained with 5
        pair.start(&three("quorum 4\n hysteresis 1\n sorry_server 10.0.0.9 80", ""))?;
        pair.close(&SERVERS[2..])?;
        pair.close(&SERVERS[1..2])?;
        pair.both(|site| site.listen(SERVERS[1]))?;
        pair.stays("3 are not enough")?;
        pair.open(&SERVERS[2..])?;
        pair.close(&SERVERS)?;
        pair.open(&SERVERS)?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn quorum_without_sorry_server() {
    side_by_side(|pair| {
        pair.both(|site| SERVERS.iter().try_for_each(|at| site.listen(at)))?;
        pair.start(&three("quorum 5", ""))?;
        pair.close(&SERVERS[2..])?;
        pair.close(&SERVERS[..2])?;
        pair.open(&SERVERS[1..2])?;
        pair.open(&[SERVERS[0], SERVERS[2]])?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn inhibited_servers() {
    side_by_side(|pair| {
        pair.both(|site| SERVERS.iter().try_for_each(|at| site.listen(at)))?;
        pair.start(&three("inhibit_on_failure", ""))?;
        pair.close(&SERVERS[..1])?;
        pair.close(&SERVERS[1..])?;
        pair.open(&SERVERS[1..])?;
        pair.reload("no longer", &three("", ""))?;
        pair.reload("again", &three("inhibit_on_failure", ""))?;
        pair.open(&SERVERS[..1])?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn inhibited_servers_and_an_inhibited_sorry_server() {
    side_by_side(|pair| {
        pair.both(|site| SERVERS.iter().try_for_each(|at| site.listen(at)))?;
        let lines = "quorum 2\n sorry_server 10.0.0.9 80\n sorry_server_inhibit";
        pair.start(&three(lines, "inhibit_on_failure"))?;
        pair.close(&SERVERS[1..])?;
        pair.both(|site| site.close(SERVERS[0]))?;
        pair.stays("a server in a lost quorum")?;
        pair.both(|site| site.listen(SERVERS[0]))?;
        pair.stays("not enough")?;
        pair.open(&SERVERS[1..2])?;
        pair.open(&SERVERS[2..])?;
        pair.close(&SERVERS)?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn alpha() {
    side_by_side(|pair| {
        pair.both(|site| site.listen(SERVERS[0]))?;
        pair.start(&three("alpha\n sorry_server 10.0.0.9 80", ""))?;
        pair.open(&SERVERS[1..])?;
        pair.close(&SERVERS)?;
        pair.open(&SERVERS[2..])?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn alpha_with_inhibited_servers() {
    side_by_side(|pair| {
        pair.both(|site| site.listen(SERVERS[0]))?;
        pair.start(&three("alpha\n inhibit_on_failure", ""))?;
        pair.open(&SERVERS[1..])?;
        pair.close(&SERVERS)?;
        pair.stop()
    });
}
