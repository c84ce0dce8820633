//! Keywords of the process: names, scheduling, files, delays, namespaces.

use anyhow::{Context as _, Result};
use keepalived_lab::{Case, Daemon, Instance, Router, Running, only_ours, patience, trial, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

const PLAIN: Case = Case::PLAIN;
const VRID: u8 = 7;

/// Starts a daemon with `globals` in `global_defs` and waits for its vrrp process.
fn start(router: &Router, name: &str, globals: &str) -> Result<Running> {
    let text = format!("global_defs {{\n{globals}\n}}\n{}", Instance::new(PLAIN, 200).text(router, &[]));
    let running = router.start(&Daemon::ours(), name, &text)?;
    wait_until("the vrrp process runs", patience(Duration::from_secs(2)), || Ok(running.vrrp_pid().is_ok()))?;
    Ok(running)
}

/// The same, until it is master.
fn master(router: &Router, name: &str, globals: &str) -> Result<Running> {
    let running = start(router, name, globals)?;
    comes(router)?;
    Ok(running)
}

fn comes(router: &Router) -> Result<()> {
    wait_until("it is master", patience(Duration::from_secs(2)), || router.has(PLAIN.vip(VRID)))
}

fn of_process(pid: Pid, file: &str) -> Result<String> {
    let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
    Ok(std::fs::read_to_string(&path).context(path)?.trim_end().to_owned())
}

/// The value of a line of `/proc/PID/status`.
fn status(pid: Pid, name: &str) -> Result<String> {
    let text = of_process(pid, "status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.context(name.to_owned())?.trim().to_owned())
}

/// A field of `/proc/PID/stat`, counted as proc(5) counts.
fn stat(pid: Pid, field: usize) -> Result<i64> {
    field_of(&of_process(pid, "stat")?, field)
}

/// The same, of the process's thread of this name.
fn thread_stat(pid: Pid, name: &str, field: usize) -> Result<i64> {
    for task in std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()))? {
        let text = std::fs::read_to_string(task?.path().join("stat"))?;
        if text.contains(&format!("({name})")) {
            return field_of(&text, field);
        }
    }
    anyhow::bail!("there is no thread {name}")
}

fn field_of(text: &str, field: usize) -> Result<i64> {
    // the second, the name, is in parentheses
    let rest = text.rsplit(')').next().context("no stat")?;
    Ok(rest.split_whitespace().nth(field - 3).context("too short")?.parse()?)
}

#[test]
fn processes_are_called_as_configured() {
    if !only_ours() {
        return;
    }
    trial("names", |lab| {
        let a = lab.router(0);
        for (name, globals, own, vrrp) in [
            ("default", "", "keepalived", "keepalived"),
            ("usual", "process_names", "keepalived", "keepalived_vrrp"),
            ("both", "process_name lb", "lb", "lb"),
            ("each", "process_name lb\nvrrp_process_name lb_vrrp", "lb", "lb_vrrp"),
        ] {
            let running = master(a, name, globals)?;
            assert_eq!(of_process(running.pid(), "comm")?, own, "{globals}");
            assert_eq!(of_process(running.vrrp_pid()?, "comm")?, vrrp, "{globals}");
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn the_vrrp_process_is_scheduled_as_configured() {
    if !only_ours() {
        return;
    }
    trial("scheduling", |lab| {
        const NICE: usize = 19;
        const RT_PRIORITY: usize = 40;
        const POLICY: usize = 41;
        let a = lab.router(0);
        let limit = |running: &Running| -> Result<String> {
            let limits = of_process(running.vrrp_pid()?, "limits")?;
            let line = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"));
            Ok(line.context("no limit")?.split_whitespace().next().context("no value")?.to_owned())
        };

        let running = master(a, "nice", "vrrp_priority 5\nvrrp_cpu_affinity 0")?;
        let vrrp = running.vrrp_pid()?;
        assert_eq!((stat(vrrp, NICE)?, status(vrrp, "Cpus_allowed_list")?.as_str()), (5, "0"));
        assert_eq!((stat(vrrp, POLICY)?, limit(&running)?.as_str()), (0, "unlimited"));
        assert_eq!(status(vrrp, "VmLck")?, "0 kB");
        // the thread that changes addresses keeps pace, also with a reload
        assert_eq!(thread_stat(vrrp, "addresses", NICE)?, 5);
        let text = |globals| format!("global_defs {{\n{globals}\n}}\n{}", Instance::new(PLAIN, 200).text(a, &[]));
        running.reload(&text("vrrp_priority 3"))?;
        wait_until("both threads have another nice value", patience(Duration::from_secs(5)), || {
            Ok((stat(vrrp, NICE)?, thread_stat(vrrp, "addresses", NICE)?) == (3, 3))
        })?;
        running.stop()?;

        for (name, spelling) in [("realtime", "vrrp_rlimit_rttime"), ("old", "vrrp_rlimit_rtime")] {
            let running = master(a, name, &format!("vrrp_rt_priority 20\n{spelling} 50000\nvrrp_no_swap"))?;
            let vrrp = running.vrrp_pid()?;
            // a container may not allow it: then the log says which keyword is without effect
            let refused = |keyword: &str| running.log().contains(&format!("{keyword}: "));
            if !refused("vrrp_rt_priority") {
                const ROUND_ROBIN: i64 = 2;
                assert_eq!((stat(vrrp, POLICY)?, stat(vrrp, RT_PRIORITY)?), (ROUND_ROBIN, 20));
                assert_eq!(thread_stat(vrrp, "addresses", POLICY)?, ROUND_ROBIN);
                assert_eq!(limit(&running)?, "50000", "{spelling}");
            }
            if !refused("vrrp_no_swap") {
                assert_ne!(status(vrrp, "VmLck")?, "0 kB");
            }
            running.stop()?;
        }
        Ok(())
    });
}

/// Sizes of the receive buffers of the netlink sockets in the namespace of a router.
fn netlink_buffers(router: &Router) -> Result<Vec<u32>> {
    let text = router.namespace().run("ss -Hf netlink -am")?;
    let size = |line: &str| line.split(",rb").nth(1)?.split(',').next()?.parse().ok();
    Ok(text.lines().filter_map(size).collect())
}

#[test]
fn netlink_buffers_are_as_large_as_configured() {
    if !only_ours() {
        return; // keepalived's other sockets have other sizes
    }
    trial("netlink buffers", |lab| {
        let a = lab.router(0);
        // more than the system's limit for who may not force it; the kernel counts double
        for force in ["", "vrrp_netlink_monitor_rcv_bufs_force\nvrrp_netlink_cmd_rcv_bufs_force"] {
            let sizes = format!("vrrp_netlink_monitor_rcv_bufs 3000000\nvrrp_netlink_cmd_rcv_bufs 2000000\n{force}");
            let running = master(a, "vrrp", &sizes)?;
            let sizes = netlink_buffers(a)?;
            assert!(sizes.contains(&6_000_000), "{sizes:?}");
            // one socket for the thread that changes addresses, one for the thread that sends adverts
            assert_eq!(sizes.iter().filter(|size| **size == 4_000_000).count(), 2, "{sizes:?}");
            running.stop()?;
        }
        for force in ["", "lvs_netlink_monitor_rcv_bufs_force\nlvs_netlink_cmd_rcv_bufs_force"] {
            let sizes = format!("lvs_netlink_monitor_rcv_bufs 3000000\nlvs_netlink_cmd_rcv_bufs 2000000\n{force}");
            let text = balancing(&sizes).replace("protocol TCP", "protocol TCP\nha_suspend");
            let running = a.start(&Daemon::ours(), "checker", &text)?;
            wait_until("the checker listens", patience(Duration::from_secs(10)), || {
                let sizes = netlink_buffers(a)?;
                Ok(sizes.contains(&6_000_000) && sizes.contains(&4_000_000))
            })
            .with_context(|| format!("{force:?}: {:?}", netlink_buffers(a)))?;
            running.stop()?;
        }
        Ok(())
    });
}

// keepalived 2.4.3 writes 0 into the setting at the start and 1 at the end, if it was 1
#[test]
fn igmp_reports_for_local_groups_can_be_turned_off() {
    trial("IGMP reports", |lab| {
        let a = lab.router(0);
        let setting = || a.namespace().run("sysctl -n net.ipv4.igmp_link_local_mcast_reports");
        for (keyword, before, meanwhile) in
            [("disable_local_igmp", 1, "0"), ("", 1, "1"), ("disable_local_igmp", 0, "0")]
        {
            a.namespace().run(&format!("sysctl -w net.ipv4.igmp_link_local_mcast_reports={before}"))?;
            let running = master(a, "igmp", keyword)?;
            assert_eq!(setting()?.trim(), meanwhile, "{keyword} {before}");
            running.stop()?;
            assert_eq!(setting()?.trim(), before.to_string(), "{keyword} {before}");
        }
        Ok(())
    });
}

#[test]
fn the_bfd_process_is_scheduled_as_configured() {
    if !only_ours() {
        return;
    }
    trial("bfd scheduling", |lab| {
        const NICE: usize = 19;
        const RT_PRIORITY: usize = 40;
        const POLICY: usize = 41;
        let a = lab.router(0);
        let start = |name: &str, globals: &str| -> Result<Running> {
            let text = format!("global_defs {{\n{globals}\n}}\nbfd_instance B1 {{\n neighbor_ip 10.0.0.2\n}}\n");
            let running = a.start(&Daemon::ours(), name, &text)?;
            running.wait_for_log("Startup complete", patience(Duration::from_secs(5)))?;
            Ok(running)
        };
        let running = start("nice", "bfd_priority 5\nbfd_cpu_affinity 0\nbfd_process_name path")?;
        let bfd = running.bfd_pid()?;
        assert_eq!((stat(bfd, NICE)?, status(bfd, "Cpus_allowed_list")?.as_str()), (5, "0"));
        assert_eq!(of_process(bfd, "comm")?, "path");
        assert_eq!(status(bfd, "CapPrm")?, "0000000000000000", "it has no right any more");
        running.stop()?;
        for (name, spelling) in [("realtime", "bfd_rlimit_rttime"), ("old", "bfd_rlimit_rtime")] {
            let running = start(name, &format!("bfd_rt_priority 20\n{spelling} 50000\nbfd_no_swap"))?;
            let bfd = running.bfd_pid()?;
            // a container may not allow it: then the log says which keyword is without effect
            let refused = |keyword: &str| running.log().contains(&format!("{keyword}: "));
            if !refused("bfd_rt_priority") {
                const ROUND_ROBIN: i64 = 2;
                assert_eq!((stat(bfd, POLICY)?, stat(bfd, RT_PRIORITY)?), (ROUND_ROBIN, 20));
                let limits = of_process(bfd, "limits")?;
                let line = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"));
                let limit = line.context("no limit")?.split_whitespace().next().context("no value")?;
                assert_eq!(limit, "50000", "{spelling}");
            }
            if !refused("bfd_no_swap") {
                assert_ne!(status(bfd, "VmLck")?, "0 kB");
            }
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn a_process_that_is_late_raises_itself() {
    if !only_ours() {
        return;
    }
    trial("auto priority", |lab| {
        const RT_PRIORITY: usize = 40;
        let a = lab.router(0);
        let globals = "max_auto_priority 2\nmin_auto_priority_delay 50000";
        let running = master(a, "d", globals)?;
        let vrrp = running.vrrp_pid()?;
        assert_eq!(stat(vrrp, RT_PRIORITY)?, 0);
        let late = || -> Result<()> {
            kill_process(vrrp, Signal::STOP)?;
            std::thread::sleep(Duration::from_millis(350));
            kill_process(vrrp, Signal::CONT)?;
            std::thread::sleep(Duration::from_millis(300));
            Ok(())
        };
        // an idle machine may be late by itself; but no higher than the limit
        let mut reached = 0;
        for _ in 0..6 {
            late()?;
            reached = stat(vrrp, RT_PRIORITY)?;
            if reached == 2 || running.log().contains("max_auto_priority: ") {
                break;
            }
        }
        assert!(reached == 2 || running.log().contains("max_auto_priority: "), "{reached}: {}", running.log());
        late()?;
        assert!(stat(vrrp, RT_PRIORITY)? <= 2);
        running.stop()?;
        Ok(())
    });
}

/// The configuration of a daemon that only balances.
fn balancing(globals: &str) -> String {
    format!(
        "global_defs {{\nlvs_backend nftables\n{globals}\n}}\nvirtual_server 192.0.2.80 80 {{\nlvs_sched rr\nlvs_method NAT\n\
         protocol TCP\nreal_server 127.0.0.1 80 {{\nTCP_CHECK {{\n}}\n}}\n}}\n"
    )
}

#[test]
fn the_checker_process_runs_as_configured() {
    if !only_ours() {
        return;
    }
    trial("checker process", |lab| {
        const NICE: usize = 19;
        const POLICY: usize = 41;
        let a = lab.router(0);
        let start = |name: &str, globals: &str| -> Result<(Running, Pid)> {
            let running = a.start(&Daemon::ours(), name, &balancing(globals))?;
            let checker = || {
                let text = std::fs::read_to_string(running.file("checkers.pid")).unwrap_or_default();
                text.trim().parse().ok().and_then(Pid::from_raw)
            };
            // it has given up its other rights when it begins to balance
            let begun = || running.log().contains("Startup complete");
            wait_until("the checker process begins", patience(Duration::from_secs(5)), || Ok(begun()))?;
            let pid = checker().context("no pid file")?;
            Ok((running, pid))
        };

        let (running, checker) = start("nice", "checker_process_name lb\nchecker_priority 5\nchecker_cpu_affinity 0")?;
        assert_eq!(of_process(checker, "comm")?, "lb");
        assert_eq!((stat(checker, NICE)?, status(checker, "Cpus_allowed_list")?.as_str()), (5, "0"));
        assert_eq!((stat(checker, POLICY)?, status(checker, "VmLck")?.as_str()), (0, "0 kB"));
        // CAP_SYS_PTRACE and CAP_SETUID are not among those that it keeps
        let held = u64::from_str_radix(&status(checker, "CapPrm")?, 16)?;
        assert_eq!(held & (1 << 19 | 1 << 7), 0, "{held:x}");
        running.stop()?;

        for (name, spelling) in [("realtime", "checker_rlimit_rttime"), ("old", "checker_rlimit_rtime")] {
            let globals = format!("lvs_process_name lb\nchecker_rt_priority 20\n{spelling} 500000\nchecker_no_swap");
            let (running, checker) = start(name, &globals)?;
            assert_eq!(of_process(checker, "comm")?, "lb");
            let refused = |keyword: &str| running.log().contains(&format!("{keyword}: "));
            if !refused("checker_rt_priority") {
                const ROUND_ROBIN: i64 = 2;
                assert_eq!(stat(checker, POLICY)?, ROUND_ROBIN);
                let limits = of_process(checker, "limits")?;
                let limit =
                    limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout")).unwrap_or_default();
                assert!(limit.trim_start().starts_with("500000 "), "{spelling}: {limit}");
            }
            if !refused("checker_no_swap") {
                assert_ne!(status(checker, "VmLck")?, "0 kB");
            }
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn files_are_made_with_the_umask_that_is_configured() {
    trial("umask", |lab| {
        let a = lab.router(0);
        for (name, globals, umask) in [("default", "", "0177"), ("own", "umask 0027", "0027")] {
            let running = master(a, name, globals)?;
            assert_eq!(status(running.pid(), "Umask")?, umask, "{globals}");
            assert_eq!(status(running.vrrp_pid()?, "Umask")?, umask, "{globals}");
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn a_dump_names_the_router() {
    trial("router id", |lab| {
        let a = lab.router(0);
        for (name, globals) in [("new", "router_id lb-one"), ("old", "lvs_id lb-one")] {
            if name == "old" && !only_ours() {
                continue;
            }
            let running = master(a, name, globals)?;
            running.signal(Signal::USR1)?;
            let data = running.file("keepalived.data");
            let named = || std::fs::read_to_string(&data).is_ok_and(|text| text.contains("Router ID = lb-one"));
            wait_until("the dump names it", patience(Duration::from_secs(2)), || Ok(named()))?;
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn a_start_can_be_delayed() {
    if !only_ours() {
        return;
    }
    trial("startup delay", |lab| {
        let a = lab.router(0);
        let begin = Instant::now();
        let _running = start(a, "d", "vrrp_startup_delay 3")?;
        comes(a)?;
        // with 0.2 s between adverts it would be master after 0.7 s
        assert!(begin.elapsed() > Duration::from_secs(3), "{:?}", begin.elapsed());
        Ok(())
    });
}

#[test]
fn it_can_run_in_a_network_namespace() {
    if !only_ours() {
        return;
    }
    trial("namespace", |lab| {
        let (a, b) = (lab.router(0), lab.router(1));
        let inside = format!("net_namespace {}\n{}", b.namespace().name(), Instance::new(PLAIN, 200).text(b, &[]));
        let running = a.start(&Daemon::ours(), "d", &inside)?;
        comes(b)?;
        assert!(!a.has(PLAIN.vip(VRID))?);
        running.stop()?;
        assert!(!b.has(PLAIN.vip(VRID))?);
        Ok(())
    });
}

#[test]
fn a_process_that_does_not_stop_is_waited_for_as_long_as_configured() {
    if !only_ours() {
        return;
    }
    trial("child_wait_time", |lab| {
        let a = lab.router(0);
        let text = format!("child_wait_time 60\n{}", Instance::new(PLAIN, 200).alone(a, &[]));
        let mut running = a.start(&Daemon::ours(), "d", &text)?;
        comes(a)?;
        let vrrp = running.vrrp_pid()?;
        kill_process(vrrp, Signal::STOP)?;
        running.signal(Signal::TERM)?;
        std::thread::sleep(Duration::from_secs(7));
        assert!(running.is_running()?, "the default is 5 s");
        kill_process(vrrp, Signal::CONT)?;
        assert_eq!(running.wait(patience(Duration::from_secs(2)))?.code(), Some(0));
        assert!(!a.has(PLAIN.vip(VRID))?, "it had the time to tidy up");

        let text = text.replace("child_wait_time 60", "child_wait_time 1");
        let mut running = a.start(&Daemon::ours(), "e", &text)?;
        comes(a)?;
        kill_process(running.vrrp_pid()?, Signal::STOP)?;
        running.signal(Signal::TERM)?;
        running.wait(patience(Duration::from_secs(2)))?;
        assert!(running.log().contains("did not stop in time"), "{}", running.log());
        Ok(())
    });
}
