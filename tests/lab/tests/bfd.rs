//! BFD against Debian's keepalived, FRR's bfdd and BIRD, and what follows from its sessions.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{
    BfdPeer, Builder, Case, Daemon, Filter, Instance, Lab, Neighbor, Router, Running, Times, only_ours, patience,
    skipped, trial, trial_in, wait_until,
};
use rustix::process::{Signal, kill_process};

const FAST: Times = Times { interval: 50, multiplier: 3 };

fn session(name: &str, own: IpAddr, neighbor: IpAddr, times: Times, lines: &str) -> String {
    let Times { interval, multiplier } = times;
    format!(
        "bfd_instance {name} {{\n neighbor_ip {neighbor}\n source_ip {own}\n min_rx {interval}\n min_tx {interval}\n multiplier {multiplier}\n{lines}\n}}\n"
    )
}

/// The addresses of both routers, of a family.
fn addresses(lab: &Lab, v6: bool) -> (IpAddr, IpAddr) {
    let of = |router: &Router| if v6 { IpAddr::from(router.v6(0)) } else { router.v4(0).into() };
    (of(lab.router(0)), of(lab.router(1)))
}

fn start(router: &Router, name: &str, text: &str) -> Result<Running> {
    router.start(&Daemon::ours(), name, text)
}

/// How often a line stands in our log.
fn count(running: &Running, text: &str) -> usize {
    running.log().matches(text).count()
}

fn wait_for(running: &Running, text: &str, times: usize) -> Result<()> {
    let what = format!("{text:?} is in the log {times} times");
    wait_until(&what, patience(Duration::from_secs(15)), || Ok(count(running, text) >= times))
}

const UP: &str = "(B1) Entering Up state";
const DOWN: &str = "Entering Down state";

/// Up; down by silence and up again; down by a stop and a restart of either side.
fn with_peer(lab: &Lab, which: Neighbor, v6: bool) -> Result<()> {
    let (a, b) = addresses(lab, v6);
    let ours = start(lab.router(0), "d", &session("B1", a, b, FAST, ""))?;
    let peer = BfdPeer::start(which, lab.router(1), b, a, FAST)?;
    wait_for(&ours, UP, 1)?;
    peer.wait(true)?;

    lab.pull(1, 0)?;
    wait_for(&ours, DOWN, 1)?;
    ensure!(ours.log().contains("Control Detection Time Expired"), "{}", ours.log());
    peer.wait(false)?;
    lab.plug(1, 0)?;
    if v6 {
        // the link that was down lost what stands on it
        lab.router(1).namespace().ip(&format!("address replace {b}/64 dev eth0 nodad\n"))?;
    }
    wait_for(&ours, UP, 2)?;
    peer.wait(true)?;

    // it dies, and comes back with other discriminators
    peer.crash()?;
    wait_for(&ours, DOWN, 2)?;
    let peer = BfdPeer::start(which, lab.router(1), b, a, FAST)?;
    wait_for(&ours, UP, 3)?;
    peer.wait(true)?;

    // we stop, and it hears so at once
    ours.stop()?;
    peer.wait(false)?;
    let ours = start(lab.router(0), "again", &session("B1", a, b, FAST, ""))?;
    wait_for(&ours, UP, 1)?;
    peer.wait(true)
}

#[test]
fn a_session_with_each_peer_comes_up_and_goes_down_with_the_path() {
    for which in [Neighbor::Debian, Neighbor::Frr, Neighbor::Bird] {
        for v6 in [false, true] {
            if let Some(lack) = which.lack() {
                skipped("BFD with this neighbour", lack);
                continue;
            }
            trial("session", |lab| with_peer(lab, which, v6).with_context(|| format!("{which:?}, IPv6: {v6}")));
        }
    }
}

#[test]
fn what_an_administrator_wants_is_no_failure() {
    if !only_ours() {
        return;
    }
    if let Some(lack) = Neighbor::Frr.lack() {
        skipped("BFD with this neighbour", lack);
        return;
    }
    trial("admin", |lab| {
        let (a, b) = addresses(lab, false);
        let tracked = Instance::new(Case::PLAIN, 200).with("track_bfd {\n    B1\n  }").text(lab.router(0), &[]);
        let ours = start(lab.router(0), "d", &(session("B1", a, b, FAST, "") + &tracked))?;
        let peer = BfdPeer::start(Neighbor::Frr, lab.router(1), b, a, FAST)?;
        wait_for(&ours, "Entering MASTER STATE", 1)?;
        peer.administer(true)?;
        wait_for(&ours, DOWN, 1)?;
        ensure!(ours.log().contains("its administrator wants so"), "{}", ours.log());
        std::thread::sleep(Duration::from_millis(500));
        let faults = count(&ours, "Entering FAULT STATE: tracked BFD session B1 down");
        peer.administer(false)?;
        wait_for(&ours, UP, 2)?;
        ensure!(count(&ours, "Entering FAULT STATE: tracked BFD session B1 down") == faults, "{}", ours.log());
        Ok(())
    });
}

#[test]
fn a_killed_bfd_process_is_not_noticed() {
    if !only_ours() {
        return;
    }
    trial("killed", |lab| {
        let (a, b) = addresses(lab, false);
        // time enough for a busy machine
        let times = Times { interval: 200, multiplier: 10 };
        let ours = start(lab.router(0), "d", &session("B1", a, b, times, ""))?;
        let peer = BfdPeer::start(Neighbor::Debian, lab.router(1), b, a, times)?;
        wait_for(&ours, UP, 1)?;
        peer.wait(true)?;
        let first = ours.bfd_pid()?;
        kill_process(first, Signal::KILL)?;
        wait_until("another bfd process", patience(Duration::from_secs(5)), || {
            Ok(ours.bfd_pid().is_ok_and(|pid| pid != first))
        })?;
        std::thread::sleep(Duration::from_secs(3));
        ensure!(peer.is_up()?, "the neighbour noticed");
        ensure!((count(&ours, UP), count(&ours, DOWN)) == (1, 0), "{}", ours.log());
        Ok(())
    });
}

/// All processes are killed. Another daemon starts, which knows of the first one only what that has left.
#[test]
fn a_killed_daemon_is_not_noticed_if_another_starts_in_time() {
    if !only_ours() {
        return;
    }
    trial("succeeded", |lab| {
        let (a, b) = addresses(lab, false);
        let times = Times { interval: 200, multiplier: 25 };
        let text = session("B1", a, b, times, "");
        let mut first = start(lab.router(0), "d", &text)?;
        let peer = BfdPeer::start(Neighbor::Debian, lab.router(1), b, a, times)?;
        wait_for(&first, UP, 1)?;
        peer.wait(true)?;
        // until the neighbour knows its times
        std::thread::sleep(Duration::from_secs(2));
        first.kill();
        first.wait(Duration::from_secs(5))?;
        let second = start(lab.router(0), "d", &text)?;
        second
            .wait_for_log("BFD goes on where a daemon stopped that was killed (sessions: 1)", Duration::from_secs(5))?;
        std::thread::sleep(Duration::from_secs(7));
        ensure!(peer.is_up()?, "the neighbour noticed");
        // a daemon that was stopped leaves nothing to go on with
        second.stop()?;
        peer.wait(false)?;
        let third = start(lab.router(0), "d", &text)?;
        // all three write to one log
        wait_for(&third, UP, 2)?;
        ensure!((count(&third, "BFD goes on"), count(&third, DOWN)) == (1, 0), "{}", third.log());
        Ok(())
    });
}

#[test]
fn a_reload_keeps_sessions_and_changes_their_times() {
    if !only_ours() {
        return;
    }
    trial("reload", |lab| {
        let (a, b) = addresses(lab, false);
        let ours = start(lab.router(0), "d", &session("B1", a, b, FAST, ""))?;
        let peer = BfdPeer::start(Neighbor::Debian, lab.router(1), b, a, FAST)?;
        wait_for(&ours, UP, 1)?;
        peer.wait(true)?;
        for interval in [100, 300, 60, 20, 200] {
            let times = Times { interval, multiplier: 5 };
            // keepalived's receive interval is 50 ms
            let detection = format!("is {} us", 3 * 1000 * interval.max(50));
            let before = count(&ours, &detection);
            ours.reload(&session("B1", a, b, times, ""))?;
            wait_for(&ours, &detection, before + 1)?;
        }
        ensure!((count(&ours, UP), count(&ours, DOWN)) == (1, 0), "{}", ours.log());
        // another session beside it, and then none
        let other = session("B2", a, "10.0.0.77".parse()?, FAST, "");
        ours.reload(&(other + &session("B1", a, b, FAST, "")))?;
        ours.wait_for_log("Reload: ", patience(Duration::from_secs(5)))?;
        std::thread::sleep(Duration::from_millis(500));
        ensure!(peer.is_up()?, "the neighbour noticed");
        Ok(())
    });
}

#[test]
fn what_instances_track_brings_a_fault_and_another_priority() {
    trial("tracked", |lab| {
        let (a, b) = addresses(lab, false);
        let named = session("B1", a, b, FAST, "weight -50").replace("neighbor_ip", "neighbour_ip");
        let weighted = Instance::new(Case::PLAIN, 200).with("track_bfd {\n    B1\n  }").text(lab.router(0), &[]);
        let faulty =
            Instance::new(Case::PLAIN, 150).vrid(8).with("track_bfd {\n    B1 weight 0\n  }").text(lab.router(0), &[]);
        // the order in the file does not matter to us; keepalived wants the session first
        let text = if only_ours() { weighted + &faulty + &named } else { named + &weighted + &faulty };
        let ours = start(lab.router(0), "d", &text)?;
        let peer = BfdPeer::start(Neighbor::Debian, lab.router(1), b, a, FAST)?;
        let sends = |vrid, priority| -> Result<()> {
            let mark = lab.capture().mark()?;
            let mac = lab.router(0).mac(0);
            let is_it = |event: &keepalived_lab::Event| {
                let advert = event.advert();
                event.mac == mac && advert.is_some_and(|advert| (advert.vrid, advert.priority) == (vrid, priority))
            };
            lab.capture().wait(
                &format!("VRID {vrid}, priority {priority}"),
                mark,
                patience(Duration::from_secs(10)),
                is_it,
            )?;
            Ok(())
        };
        sends(7, 200)?;
        sends(8, 150)?;
        peer.freeze(true)?;
        sends(7, 150)?;
        wait_until("the address is given up", patience(Duration::from_secs(5)), || {
            Ok(!lab.router(0).has(Case::PLAIN.vip(8))?)
        })?;
        peer.freeze(false)?;
        sends(7, 200)?;
        sends(8, 150)?;
        drop(ours);
        Ok(())
    });
}

#[test]
fn a_real_server_follows_a_session() {
    if !only_ours() {
        return;
    }
    trial("check", |lab| {
        let (a, b) = addresses(lab, false);
        let server = |lines: &str| {
            format!(
                "global_defs {{\n lvs_backend nftables\n}}\nvirtual_server 192.0.2.80 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n real_server {b} 80 {{\n  BFD_CHECK {{\n   name B1\n{lines}\n  }}\n }}\n}}\n"
            )
        };
        let table = || lab.router(0).namespace().run("nft list ruleset").map(|text| text.contains(&b.to_string()));
        // alpha: down until the session is up. The vrrp process is told nothing.
        let ours = start(lab.router(0), "d", &(server("   alpha") + &session("B1", a, b, FAST, "checker")))?;
        std::thread::sleep(Duration::from_millis(300));
        ensure!(!table()?, "the server is in the table before its session is up");
        let peer = BfdPeer::start(Neighbor::Debian, lab.router(1), b, a, FAST)?;
        let in_table = |is: bool| {
            let what = if is { "the server is in the table" } else { "the server is out of the table" };
            wait_until(what, patience(Duration::from_secs(10)), || Ok(table()? == is))
        };
        in_table(true)?;
        peer.freeze(true)?;
        in_table(false)?;
        peer.freeze(false)?;
        in_table(true)?;
        drop(ours);
        Ok(())
    });
}

/// Router 0 and router 2 are on different links; router 1 is between them.
#[test]
fn a_neighbour_behind_a_router_is_reached() {
    if !only_ours() {
        return;
    }
    trial_in("multihop", Builder { routers: 3, segments: 2, filter: Filter::Everything }, |lab| {
        let (a, c): (IpAddr, IpAddr) = (lab.router(0).v4(0).into(), lab.router(2).v4(1).into());
        lab.router(1).namespace().run("sysctl -qw net.ipv4.ip_forward=1")?;
        let via = |router: &Router, other: usize, away: usize| {
            let gateway = lab.router(1).v4(other);
            router.namespace().ip(&format!("link set eth{away} down\nroute add 10.{away}.0.0/16 via {gateway}\n"))
        };
        via(lab.router(0), 0, 1)?;
        via(lab.router(2), 1, 0)?;
        let near = start(lab.router(0), "d", &session("B1", a, c, FAST, "multihop\nmax_hops 1"))?;
        let far = start(lab.router(2), "d", &session("B1", c, a, FAST, "multihop\nmax_hops 1"))?;
        wait_for(&near, UP, 1)?;
        wait_for(&far, UP, 1)?;
        // too near a limit: what came through a router is discarded, and the log says what to do
        near.reload(&session("B1", a, c, FAST, "multihop"))?;
        wait_for(&near, DOWN, 1)?;
        near.wait_for_log("it came with a TTL (hop limit) of 254, and at least 255 is wanted", Duration::from_secs(5))?;
        Ok(())
    });
}

#[test]
fn the_signal_for_data_shows_sessions() {
    if !only_ours() {
        return;
    }
    trial("data", |lab| {
        let (a, b) = addresses(lab, false);
        let ours = start(lab.router(0), "d", &session("B1", a, b, FAST, ""))?;
        let _peer = BfdPeer::start(Neighbor::Debian, lab.router(1), b, a, FAST)?;
        wait_for(&ours, UP, 1)?;
        ours.signal(Signal::USR1)?;
        let file = ours.file("keepalived_bfd.data");
        wait_until("the data file", patience(Duration::from_secs(5)), || Ok(file.exists()))?;
        let text = std::fs::read_to_string(file)?;
        for line in [" BFD Instance = B1", "   local state = Up", "   times up = 1"] {
            ensure!(text.contains(line), "{line:?} is missing:\n{text}");
        }
        // RFC 5880 §6.2: by Init, or straight if the neighbour was in Init
        let is_up = |line: &str| line.contains("BFD session B1: ") && line.ends_with("-> Up");
        ensure!(text.lines().any(is_up), "{text}");
        Ok(())
    });
}

/// The master is gone at once: the backup has the address long before the master down time is over.
#[test]
fn a_backup_takes_over_when_bfd_loses_the_master() {
    if !only_ours() {
        return;
    }
    trial("promoted", |lab| {
        let (a, b) = addresses(lab, false);
        // 3.6 s without BFD
        let every = Duration::from_secs(1);
        let master = Instance::new(Case::PLAIN, 200).every(every).text(lab.router(0), &[]);
        let backup = Instance::new(Case::PLAIN, 100).every(every).with("bfd_promotes B1").text(lab.router(1), &[]);
        let first = start(lab.router(0), "d", &(session("B1", a, b, FAST, "") + &master))?;
        let second = start(lab.router(1), "d", &(session("B1", b, a, FAST, "") + &backup))?;
        wait_for(&first, "Entering MASTER STATE", 1)?;
        wait_for(&second, UP, 1)?;
        lab.capture().wait_advert(lab.capture().mark()?, lab.router(0).mac(0), 7, patience(Duration::from_secs(5)))?;
        let mark = lab.capture().mark()?;
        let last = lab.capture().wait_advert(mark, lab.router(0).mac(0), 7, patience(Duration::from_secs(5)))?;
        lab.pull(0, 0)?;
        let mark = lab.capture().mark()?;
        let first_of_second =
            lab.capture().wait_advert(mark, lab.router(1).mac(0), 7, patience(Duration::from_secs(10)))?;
        let log = second
            .wait_for_log("Entering MASTER STATE: BFD says that the path to 10.0.0.1 is gone", Duration::from_secs(5));
        let took = first_of_second.at.since(last.at);
        log.with_context(|| format!("it took {took} s"))?;
        // the master comes back, and is master again
        lab.plug(0, 0)?;
        let mark = lab.capture().mark()?;
        lab.capture().wait_advert(mark, lab.router(0).mac(0), 7, patience(Duration::from_secs(10)))?;
        wait_until("the backup is a backup again", patience(Duration::from_secs(10)), || {
            Ok(!lab.router(1).has(Case::PLAIN.vip(7))?)
        })
    });
}

/// A detection time of ten seconds, which nobody waits for.
#[test]
fn an_interface_that_goes_down_takes_its_session_along() {
    if !only_ours() {
        return;
    }
    trial("link", |lab| {
        let (a, b) = addresses(lab, false);
        let times = Times { interval: 1000, multiplier: 10 };
        let ours = start(lab.router(0), "d", &session("B1", a, b, times, ""))?;
        let peer = BfdPeer::start(Neighbor::Debian, lab.router(1), b, a, times)?;
        wait_for(&ours, UP, 1)?;
        peer.wait(true)?;
        lab.pull(0, 0)?;
        ours.wait_for_log("(B1) Entering Down state (Local diagnostic - Path Down,", Duration::from_secs(8))?;
        lab.plug(0, 0)?;
        wait_for(&ours, UP, 2)
    });
}

/// Both sides of one link, each called by what its own machine calls it; and an interface that comes later.
#[test]
fn link_local_neighbours_are_reached_through_their_interface() {
    if !only_ours() {
        return;
    }
    trial("local", |lab| {
        let own = |at: usize| IpAddr::from(lab.router(at).link_local());
        let text = |from: usize, to: usize, lines: &str| {
            let text = session("B1", own(from), own(to), FAST, lines);
            text.replace(&format!("neighbor_ip {}", own(to)), &format!("neighbor_ip {}%eth0", own(to)))
        };
        let ours = start(lab.router(0), "d", &text(0, 1, ""))?;
        let theirs = start(lab.router(1), "d", &text(1, 0, ""))?;
        wait_for(&ours, UP, 1)?;
        wait_for(&theirs, UP, 1)?;
        // another name, and back
        let name = |from: &str, to: &str| {
            lab.router(0)
                .namespace()
                .ip(&format!("link set {from} down\nlink set {from} name {to}\nlink set {to} up\n"))
        };
        name("eth0", "other")?;
        ours.wait_for_log(
            "(B1) the interface eth0 is not on this machine; the session waits for it",
            Duration::from_secs(8),
        )?;
        name("other", "eth0")?;
        // the link that was down lost what stands on it
        lab.router(0).namespace().ip(&format!("address add {}/64 dev eth0 nodad\n", own(0)))?;
        wait_for(&ours, UP, 2)
    });
}
