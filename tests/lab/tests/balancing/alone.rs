//! What only ours does.

use crate::{PACE, alone};
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::balancing::Site;
use keepalived_lab::{patience, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Two servers, the second with this weight; others after them.
fn configuration(weight: u32, others: &str) -> String {
    format!(
        "global_defs {{
            lvs_repair_interval 1
        }}
        virtual_server 192.0.2.1 80 {{ {PACE} lvs_sched wrr\n lvs_method NAT
            real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }}
            real_server 10.0.0.2 80 {{ weight {weight}\n TCP_CHECK {{ }} }}
            {others}
        }}\n"
    )
}

const SERVICE: &str = "-A -t 192.0.2.1:80 -s wrr\n";
const FIRST: &str = "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n";
const SECOND: &str = "-a -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 2\n";
const FOREIGN: &str = "-a -t 192.0.2.1:80 -r 10.0.0.9:80 -m -w 9\n";

#[test]
#[ignore = "needs IPVS"]
fn what_somebody_else_changes_is_repaired() {
    alone(|site| {
        site.listen("10.0.0.1:80")?;
        site.listen("10.0.0.2:80")?;
        site.start(&configuration(2, ""), &[])?;
        let both = [SERVICE, FIRST, SECOND].concat();
        site.wait_for("start", &both)?;
        for line in [
            "-d -t 192.0.2.1:80 -r 10.0.0.2:80",
            "-e -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 77",
            "-e -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 1",
            "-E -t 192.0.2.1:80 -s rr -p 9",
            "-D -t 192.0.2.1:80",
            "-C",
        ] {
            site.ipvsadm(line)?;
            site.wait_for(line, &both)?;
        }
        // what is of others stays
        site.ipvsadm("-a -t 192.0.2.1:80 -r 10.0.0.9:80 -m -w 9")?;
        site.ipvsadm("-d -t 192.0.2.1:80 -r 10.0.0.1:80")?;
        site.wait_for("a foreign server", &[SERVICE, FIRST, SECOND, FOREIGN].concat())?;
        site.stop()?;
        site.wait_for("stop", "")
    });
}

#[test]
#[ignore = "needs IPVS"]
fn what_is_there_becomes_what_the_file_says() {
    alone(|site| {
        for line in [
            "-A -t 192.0.2.1:80 -s dh -p 7",
            "-a -t 192.0.2.1:80 -r 10.0.0.9:80 -m -w 9",
            "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 7",
        ] {
            site.ipvsadm(line)?;
        }
        site.listen("10.0.0.1:80")?;
        site.listen("10.0.0.2:80")?;
        site.start(&configuration(2, ""), &[])?;
        site.wait_for("start", &[SERVICE, FIRST, SECOND, FOREIGN].concat())?;
        site.stop()?;
        site.wait_for("stop", "")
    });
}

#[test]
#[ignore = "needs IPVS"]
fn a_group_changes() {
    alone(|site| {
        let text = |members: &str| {
            format!(
                "virtual_server_group g {{\n {members}\n }}
                virtual_server group g {{ {PACE} lvs_sched rr\n lvs_method NAT\n sorry_server 10.0.0.9 8080
                    real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }}
                }}\n"
            )
        };
        let table = |services: &[&str], server: &str| -> String {
            let line = |what: &'static str, end: String| services.iter().map(move |key| format!("{what} {key}{end}\n"));
            line("-A", " -s rr".to_owned()).chain(line("-a", format!(" -r {server} -m -w 1"))).collect()
        };
        let (all, left) =
            (["-f 7", "-t 192.0.2.1:80", "-t 192.0.2.2:80", "-t 192.0.2.3:80"], ["-f 6", "-t 192.0.2.2:80"]);
        site.start(&text("192.0.2.1-3 80\n fwmark 7"), &[])?;
        site.wait_for("start", &table(&all, "10.0.0.9:8080"))?;
        site.reload(&text("192.0.2.2 80\n fwmark 6"))?;
        site.wait_for("reload", &table(&left, "10.0.0.9:8080"))?;
        site.listen("10.0.0.1:80")?;
        site.wait_for("the server is there", &table(&left, "10.0.0.1:80"))?;
        site.stop()?;
        site.wait_for("stop", "")
    });
}

/// The checker process, from its pid file.
pub(crate) fn checker(site: &Site) -> Option<Pid> {
    site.read("daemon/checkers.pid").trim().parse().ok().and_then(Pid::from_raw)
}

/// Kills the checker process; it is there again on return.
pub(crate) fn kill_the_checker(site: &Site) -> Result<()> {
    let killed = checker(site).context("no checker process")?;
    kill_process(killed, Signal::KILL)?;
    wait_until("there is another checker process", patience(Duration::from_secs(2)), || {
        Ok(checker(site).is_some_and(|pid| pid != killed))
    })
}

#[test]
#[ignore = "needs IPVS"]
fn the_death_of_the_checker_changes_nothing_in_the_table() {
    alone(|site| {
        site.listen("10.0.0.1:80")?;
        site.listen("10.0.0.2:80")?;
        site.start(&configuration(2, ""), &[])?;
        site.wait_for("start", &[SERVICE, FIRST, SECOND].concat())?;
        site.close("10.0.0.1:80")?;
        site.wait_for("a failed server", &[SERVICE, SECOND].concat())?;
        let reports = std::thread::scope(|scope| {
            let killer = scope.spawn(|| kill_the_checker(site));
            // looks all the while
            let stays = site.stays("the checker died");
            killer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(stays)
        });
        reports?;
        site.listen("10.0.0.1:80")?;
        site.wait_for("it is back", &[SERVICE, FIRST, SECOND].concat())?;
        site.close("10.0.0.2:80")?;
        site.wait_for("the other one failed", &[SERVICE, FIRST].concat())?;
        site.stop()?;
        site.wait_for("stop", "")
    });
}

/// A client of the virtual server.
struct Client {
    stream: TcpStream,
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Client {
    fn connect(site: &Site, to: &str) -> Result<Self> {
        let stream = site.namespace().inside(|| Ok(TcpStream::connect(to)?))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let lines = BufReader::new(stream.try_clone()?).lines();
        Ok(Self { stream, lines })
    }

    /// Says something, and hears it from this server.
    fn talks(&mut self, label: &str, server: &str) -> Result<()> {
        self.stream.write_all(format!("{label}\n").as_bytes())?;
        let answer =
            self.lines.next().with_context(|| format!("{label}: closed"))?.with_context(|| label.to_owned())?;
        ensure!(answer == format!("{server} {label}"), "{label}: {answer}");
        Ok(())
    }
}

/// A virtual server, its address, and its two real servers.
struct Served {
    service: &'static str,
    address: &'static str,
    servers: [&'static str; 2],
}

impl Served {
    /// The second server with this weight, and this scheduler.
    fn text(&self, weight: u32, scheduler: &str) -> String {
        let words = |at: &str| {
            let (address, port) = at.rsplit_once(':').expect("a port");
            format!("{} {port}", address.trim_matches(['[', ']']))
        };
        let [first, second] = self.servers.map(words);
        format!(
            "virtual_server {} {{ {PACE} lvs_sched {scheduler}\n lvs_method NAT
                real_server {first} {{ TCP_CHECK {{ }} }}
                real_server {second} {{ weight {weight}\n TCP_CHECK {{ }} }}
            }}\n",
            words(self.service)
        )
    }

    /// The table with these weights.
    fn table(&self, weights: &[u32], scheduler: &str) -> String {
        let service = format!("-A -t {} -s {scheduler}\n", self.service);
        let servers = self.servers.iter().zip(weights);
        let lines = servers.map(|(at, weight)| format!("-a -t {} -r {at} -m -w {weight}\n", self.service));
        service + &lines.collect::<String>()
    }
}

fn connections_survive(served: &Served) {
    alone(|site| {
        let [at, other] = served.servers;
        site.own(&[served.address])?;
        site.echo(at)?;
        site.start(&served.text(0, "wrr"), &["-I"])?;
        site.wait_for("the only server that answers", &served.table(&[1], "wrr"))?;
        let mut client = Client::connect(site, served.service)?;
        client.talks("start", at)?;
        site.listen(other)?;
        site.wait_for("another server", &served.table(&[1, 0], "wrr"))?;
        client.talks("another server", at)?;
        site.reload(&served.text(2, "rr"))?;
        let after = served.table(&[1, 2], "rr");
        site.wait_for("reload", &after)?;
        client.talks("reload", at)?;
        kill_the_checker(site)?;
        client.talks("crash", at)?;
        site.stop()?;
        site.wait_for("stop with -I", &after)?;
        client.talks("stop with -I", at)?;
        site.start(&served.text(2, "rr"), &[])?;
        site.stays("start on what is there")?;
        site.wait_for("start on what is there", &after)?;
        client.talks("another start", at)?;
        site.stop()?;
        site.wait_for("stop", "")
    });
}

#[test]
#[ignore = "needs IPVS"]
fn connections_survive_reload_crash_and_restart() {
    connections_survive(&Served {
        service: "192.0.2.1:80",
        address: "192.0.2.1",
        servers: ["10.0.0.1:80", "10.0.0.2:80"],
    });
}

#[test]
#[ignore = "needs IPVS"]
fn connections_over_ipv6_survive_reload_crash_and_restart() {
    connections_survive(&Served {
        service: "[2001:db8::1]:80",
        address: "2001:db8::1",
        servers: ["[fd00::1]:80", "[fd00::2]:80"],
    });
}

/// `lvs_expire_failed`: the kernel's settings follow a reload, and are what they were after the stop and a death.
#[test]
#[ignore = "needs IPVS"]
fn clients_of_a_server_that_is_out_get_another_one() {
    alone(|site| {
        let folder = "/proc/sys/net/ipv4/vs";
        let both = format!("cat {folder}/expire_nodest_conn {folder}/expire_quiescent_template");
        let becomes = |site: &Site, label: &str, values: &str| {
            let are = || Ok(site.namespace().run(&both)?.split_whitespace().eq(values.split(' ')));
            wait_until(label, patience(Duration::from_secs(5)), are)
        };
        let text = |lines: &str| format!("global_defs {{\n {lines}\n }}\n{}", configuration(2, ""));
        site.namespace().run("sysctl -qw net.ipv4.vs.expire_quiescent_template=1")?;
        becomes(site, "before", "0 1")?;
        site.listen("10.0.0.1:80")?;
        site.start(&text("lvs_expire_failed"), &[])?;
        becomes(site, "start", "1 1")?;
        site.reload(&text("lvs_expire_failed off"))?;
        becomes(site, "reload: off", "0 1")?;
        site.reload(&text("lvs_expire_failed on"))?;
        becomes(site, "reload: on", "1 1")?;
        kill_the_checker(site)?;
        site.wait_for("the next one has begun", &[SERVICE, FIRST].concat())?;
        becomes(site, "after the death", "1 1")?;
        site.stop()?;
        becomes(site, "stop", "0 1")
    });
}

/// The supervisor knows what the kernel had before the checker process that died.
#[test]
#[ignore = "needs IPVS"]
fn timeouts_come_back_after_the_death_of_the_checker() {
    alone(|site| {
        let timeouts = |site: &Site| site.ipvsadm("-l --timeout");
        let before = timeouts(site)?;
        let text = |lines: &str| format!("global_defs {{\n {lines}\n }}\n{}", configuration(2, ""));
        let set = |site: &Site, label: &str, numbers: &str| {
            wait_until(label, patience(Duration::from_secs(5)), || Ok(timeouts(site)?.contains(numbers)))
        };
        site.listen("10.0.0.1:80")?;
        site.start(&text("lvs_timeouts tcp 1000 tcpfin 50 udp 25"), &[])?;
        set(site, "start", "1000 50 25")?;
        kill_the_checker(site)?;
        site.reload(&text("lvs_timeouts tcp 2000 tcpfin 50 udp 25"))?;
        set(site, "a reload after the death", "2000 50 25")?;
        kill_the_checker(site)?;
        site.wait_for("the next one has begun", &[SERVICE, FIRST].concat())?;
        set(site, "the second death", "2000 50 25")?;
        site.stop()?;
        ensure!(timeouts(site)? == before, "{} instead of {before}", timeouts(site)?);
        Ok(())
    });
}
