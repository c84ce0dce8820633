//! `lvs_flush`, `lvs_flush_on_stop`, `-I`: what becomes of what is there, ours and that of others.

use crate::{PACE, side_by_side};
use anyhow::{Result, ensure};
use keepalived_lab::balancing::{Pair, Site};

const SERVERS: [&str; 2] = ["10.0.0.1:80", "10.0.0.2:80"];

fn text(global: &str) -> String {
    let service = |head: &str| {
        format!(
            "virtual_server {head} {{ {PACE} lvs_sched rr\n lvs_method NAT\n omega\n sorry_server 10.0.0.9 80
                real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }}
                real_server 10.0.0.2 80 {{ inhibit_on_failure\n TCP_CHECK {{ }} }}
            }}\n"
        )
    };
    [
        &format!("global_defs {{\n lvs_notify_fifo FOLDER/fifo\n {global}\n }}\n"),
        "virtual_server_group g {\n 192.0.2.2-3 80\n fwmark 7\n }\n",
        &service("192.0.2.1 80"),
        &service("group g"),
    ]
    .concat()
}

/// A service of another program, one of ours with a server of theirs, and one that a start of ours would make
/// otherwise.
fn others(site: &mut Site) -> Result<()> {
    for line in [
        "-A -t 198.51.100.9:443 -s wrr",
        "-a -t 198.51.100.9:443 -r 10.0.0.7:443 -m -w 7",
        "-A -t 192.0.2.1:80 -s rr",
        "-a -t 192.0.2.1:80 -r 10.0.0.8:80 -m -w 8",
    ] {
        site.ipvsadm(line)?;
    }
    Ok(())
}

/// With `global` and these options: start beside what others have, a failure, a reload, the stop.
fn life(pair: &mut Pair, global: &str, options: &[&str]) -> Result<()> {
    pair.both(|site| {
        site.fifo("fifo")?;
        SERVERS.iter().try_for_each(|at| site.listen(at))?;
        others(site)
    })?;
    pair.start_with(&text(global), options)?;
    pair.close(&SERVERS[1..])?;
    let reloaded = text(global).replace("lvs_sched rr", "lvs_sched rr\n quorum 1");
    pair.both(|site| {
        site.ipvsadm("-A -t 198.51.100.8:443 -s wrr")?;
        site.reload(&reloaded)
    })?;
    pair.changes("reload")?;
    pair.agree("lines", told);
    pair.stop()?;
    // with a flush, Debian's says nothing of servers, whatever `omega` says
    let of_servers = |line: &&str| line.starts_with("RS ");
    let of_services = |site: &Site| told(site).lines().filter(|line| !of_servers(line)).collect::<Vec<_>>().join("\n");
    if global.contains("stop") {
        pair.agree("lines about services at the stop", of_services);
    } else {
        pair.agree("lines at the stop", told);
    }
    let [ours, _] = pair.sites();
    let servers_down = told(ours).lines().filter(of_servers).count();
    let wanted = if options.is_empty() { 4 } else { 2 };
    ensure!(servers_down == wanted, "{servers_down} lines about servers:\n{}", told(ours));
    Ok(())
}

/// Lines of the pipe; the order of two services is chance.
fn told(site: &Site) -> String {
    let text = String::from_utf8_lossy(&site.told()).replace('\0', "");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
#[ignore = "needs IPVS"]
fn what_is_there_may_be_flushed_at_the_start() {
    side_by_side(|pair| life(pair, "lvs_flush", &[]));
}

#[test]
#[ignore = "needs IPVS"]
fn what_is_there_may_be_flushed_at_the_stop() {
    side_by_side(|pair| life(pair, "lvs_flush_on_stop", &[]));
}

#[test]
#[ignore = "needs IPVS"]
fn our_virtual_servers_may_be_flushed_at_the_stop() {
    side_by_side(|pair| life(pair, "lvs_flush_on_stop VS", &[]));
}

#[test]
#[ignore = "needs IPVS"]
fn the_old_word_flushes_as_well() {
    side_by_side(|pair| life(pair, "lvs_flush\n lvs_flush_onstop", &[]));
}

#[test]
#[ignore = "needs IPVS"]
fn nothing_is_flushed_unless_it_is_wanted() {
    side_by_side(|pair| life(pair, "", &[]));
}

#[test]
#[ignore = "needs IPVS"]
fn a_table_that_is_kept_is_not_flushed() {
    side_by_side(|pair| life(pair, "lvs_flush_on_stop", &["-I"]));
}
