//! What instances track: scripts, files, processes and interfaces, and what follows from their results.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use keepalived_lab::{
    Builder, Case, Daemon, Event, Filter, Instance, Lab, Router, Running, only_ours, patience, trial, trial_in,
    wait_until,
};
use rustix::process::{Signal, kill_process};

const PLAIN: Case = Case::PLAIN;

fn start(router: &Router, text: &str) -> Result<Running> {
    router.start(&Daemon::ours(), "d", text)
}

fn global() -> String {
    "global_defs {\n  router_id r0\n  script_user root\n}\n".to_owned()
}

fn script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?)
}

/// Waits until the router sends this priority.
fn sends(lab: &Lab, router: &Router, priority: u8) -> Result<()> {
    let mark = lab.capture().mark()?;
    let mac = router.mac(0);
    let is_it = |event: &Event| event.mac == mac && event.advert().is_some_and(|advert| advert.priority == priority);
    lab.capture().wait(&format!("priority {priority}"), mark, patience(Duration::from_secs(10)), is_it)?;
    Ok(())
}

fn holds(router: &Router, holds: bool) -> Result<()> {
    let what = if holds { "it has the address" } else { "it gave the address up" };
    wait_until(what, patience(Duration::from_secs(10)), || Ok(router.has(PLAIN.vip(7))? == holds))
}

#[test]
fn a_script_that_fails_gives_the_address_to_the_other_router() {
    trial("script", |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let (check, status) = (lab.folder().join("check.sh"), lab.folder().join("status"));
        fs::write(&status, "0")?;
        script(&check, &format!("#!/bin/sh\nexit $(cat {})\n", status.display()))?;
        let tracked =
            format!("vrrp_script chk {{\n  script {}\n  interval 1\n  fall 2\n  rise 2\n}}\n", check.display());
        let with = "track_script {\n    chk\n  }";
        let running = start(a, &(global() + &tracked + &Instance::new(PLAIN, 200).with(with).text(a, &[])))?;
        holds(a, true)?;
        let _b = b.start(&Daemon::ours(), "d", &Instance::new(PLAIN, 100).alone(b, &[]))?;
        fs::write(&status, "1")?;
        holds(a, false)?;
        holds(b, true)?;
        running.wait_for_log("Script `chk` now returning 1", patience(Duration::from_secs(1)))?;
        running.wait_for_log("VRRP_Script(chk) failed", patience(Duration::from_secs(1)))?;
        fs::write(&status, "0")?;
        holds(a, true)?;
        holds(b, false)
    });
}

#[test]
fn a_script_that_lasts_too_long_is_ended_with_all_that_it_began() {
    trial("timeout", |lab| {
        let a = lab.router(0);
        let (check, begun) = (lab.folder().join("check.sh"), lab.folder().join("begun"));
        script(&check, &format!("#!/bin/sh\nsleep 1000 &\necho $! >> {}\nwait\n", begun.display()))?;
        let tracked =
            format!("vrrp_script chk {{\n  script {}\n  interval 1\n  timeout 1\n  weight -50\n}}\n", check.display());
        let with = "track_script {\n    chk\n  }";
        let _running = start(a, &(global() + &tracked + &Instance::new(PLAIN, 200).with(with).text(a, &[])))?;
        sends(lab, a, 150)?;
        let begun = fs::read_to_string(&begun)?;
        let first = begun.lines().next().unwrap_or_default().to_owned();
        let is_gone = || {
            let status = fs::read_to_string(format!("/proc/{first}/stat")).unwrap_or_default();
            Ok(status.is_empty() || status.contains(") Z "))
        };
        wait_until("what it began has ended", patience(Duration::from_secs(10)), is_gone)
    });
}

#[test]
fn the_number_in_a_file_is_added_to_the_priority() {
    trial("file", |lab| {
        let a = lab.router(0);
        let number = lab.folder().join("later/number");
        let tracked = format!("track_file f {{\n  file {}\n  weight 2\n}}\n", number.display());
        let with = "track_file {\n    f\n  }";
        let late = only_ours();
        if !late {
            // what keepalived does about folders that come later was not tried
            fs::create_dir_all(number.parent().expect("a folder"))?;
        }
        let running = start(a, &(global() + &tracked + &Instance::new(PLAIN, 100).with(with).text(a, &[])))?;
        holds(a, true)?;
        fs::create_dir_all(number.parent().expect("a folder"))?;
        fs::write(&number, "5\n")?;
        sends(lab, a, 110)?;
        // replaced, as an editor does
        let other = number.with_extension("new");
        fs::write(&other, "-3")?;
        fs::rename(&other, &number)?;
        sends(lab, a, 94)?;
        fs::remove_file(&number)?;
        sends(lab, a, 100)?;
        fs::write(&number, "-128")?;
        holds(a, false)?;
        running.wait_for_log("FAULT", patience(Duration::from_secs(1)))?;
        fs::write(&number, "0")?;
        holds(a, true)
    });
}

#[test]
fn a_file_begins_with_the_number_that_is_configured() {
    trial("initial file", |lab| {
        let a = lab.router(0);
        let number = lab.folder().join("number");
        let with = "track_file {\n    f\n  }";
        let text = |initial: &str| {
            let file = format!("track_file f {{\n  file {}\n  init_file {initial}\n}}\n", number.display());
            global() + &file + &Instance::new(PLAIN, 100).with(with).text(a, &[])
        };
        let running = start(a, &text("7"))?;
        sends(lab, a, 107)?;
        assert_eq!(fs::read_to_string(&number)?, "7\n");
        fs::remove_file(&number)?;
        sends(lab, a, 100)?;
        running.reload(&text("9 overwrite"))?;
        wait_until("it was reloaded", patience(Duration::from_secs(5)), || Ok(running.log().contains("Reload")))?;
        sends(lab, a, 100)?;
        assert!(!number.exists(), "a reload writes none");
        running.stop()?;
        fs::write(&number, "3")?;
        let running = start(a, &text("9"))?;
        sends(lab, a, 103)?;
        running.stop()?;
        let running = start(a, &text("9 overwrite"))?;
        sends(lab, a, 109)?;
        running.stop()?;
        Ok(())
    });
}

#[test]
fn a_script_runs_as_its_user() {
    trial("user", |lab| {
        let a = lab.router(0);
        let check = lab.folder().join("check.sh");
        script(&check, "#!/bin/sh\ntest \"$(id -un):$(id -gn)\" = $1\n")?;
        fs::set_permissions(lab.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let text = |expected: &str| {
            let script = format!("script \"{} {expected}\"\n  user nobody nogroup", check.display());
            let tracked = format!("vrrp_script chk {{\n  {script}\n  interval 1\n  weight 20\n}}\n");
            let with = "track_script {\n    chk\n  }";
            global() + &tracked + &Instance::new(PLAIN, 100).with(with).text(a, &[])
        };
        let running = start(a, &text("nobody:nogroup"))?;
        sends(lab, a, 120)?;
        running.reload(&text("root:root"))?;
        sends(lab, a, 100)?;
        running.stop()?;
        Ok(())
    });
}

/// The kernel tells of no processes in a network namespace: ours looks itself, keepalived tracks nothing there.
#[test]
fn a_process_that_dies_is_noticed_at_once_and_one_that_comes_soon() {
    if !only_ours() {
        return; // behaviour.md section 6
    }
    trial("process", |lab| {
        let a = lab.router(0);
        // a name of its own, whatever else runs on this machine
        let program = lab.folder().join(format!("kt{}", std::process::id()));
        fs::copy("/bin/sleep", &program)?;
        let name = program.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let run = || std::process::Command::new(&program).arg("1000").spawn();
        let tracked = format!("vrrp_track_process p {{\n  process {name}\n  quorum 1\n  weight 0\n}}\n");
        let with = "track_process {\n    p\n  }";
        let mut first = run()?;
        let _running = start(a, &(global() + &tracked + &Instance::new(PLAIN, 200).with(with).text(a, &[])))?;
        holds(a, true)?;
        let mark = lab.capture().mark()?;
        kill_process(rustix::process::Pid::from_child(&first), Signal::KILL)?;
        let farewell = |event: &Event| event.advert().is_some_and(|advert| advert.priority == 0);
        lab.capture().wait("a farewell", mark, patience(Duration::from_secs(5)), farewell)?;
        first.wait()?;
        holds(a, false)?;
        let mut second = run()?;
        let back = holds(a, true);
        second.kill()?;
        second.wait()?;
        back
    });
}

#[test]
fn an_interface_that_is_tracked_counts() {
    let builder = Builder { routers: 1, segments: 2, filter: Filter::Everything };
    trial_in("interface", builder, |lab| {
        let a = lab.router(0);
        let with = |weight: &str| {
            let lines = format!("track_interface {{\n    eth1 {weight}\n  }}");
            global() + &Instance::new(PLAIN, 100).with(&lines).text(a, &[])
        };
        let running = start(a, &with("weight -30"))?;
        holds(a, true)?;
        lab.pull(0, 1)?;
        sends(lab, a, 70)?;
        lab.plug(0, 1)?;
        sends(lab, a, 100)?;
        running.reload(&with("weight 0"))?;
        lab.pull(0, 1)?;
        holds(a, false)?;
        lab.plug(0, 1)?;
        holds(a, true)
    });
}

/// The kernel tells of these links, too: that the driver is asked shows in the log only. (ethtool; veth has no MII registers.)
#[test]
fn a_driver_is_asked_whether_its_link_is_up() {
    let builder = Builder { routers: 1, segments: 2, filter: Filter::Everything };
    trial_in("linkbeat", builder, |lab| {
        let a = lab.router(0);
        let text = |interfaces: &str| {
            let with = "track_interface {\n    eth1\n  }";
            global() + interfaces + &Instance::new(PLAIN, 100).with(with).text(a, &[])
        };
        let running = start(a, &text("linkbeat_interfaces {\n  eth1 MII\n}\n"))?;
        holds(a, true)?;
        running.wait_for_log("(eth1): Configured linkbeat type", patience(Duration::from_secs(3)))?;
        lab.pull(0, 1)?;
        holds(a, false)?;
        running.wait_for_log("Linkbeat reports eth1 down", patience(Duration::from_secs(3)))?;
        lab.plug(0, 1)?;
        holds(a, true)?;
        running.wait_for_log("Linkbeat reports eth1 up", patience(Duration::from_secs(3)))?;
        running.stop()?;
        let running = start(a, &("linkbeat_use_polling\n".to_owned() + &text("")))?;
        holds(a, true)?;
        lab.pull(0, 0)?;
        holds(a, false)?;
        if only_ours() {
            running.wait_for_log("Linkbeat reports eth0 down", patience(Duration::from_secs(3)))?;
        }
        lab.plug(0, 0)?;
        holds(a, true)?;
        running.stop()?;
        Ok(())
    });
}

#[test]
fn a_static_route_may_track_a_group() {
    let builder = Builder { routers: 1, segments: 2, filter: Filter::Everything };
    trial_in("track group", builder, |lab| {
        let a = lab.router(0);
        let lines = "track_group G {\n  group {\n    VI_1\n  }\n}\n\
                     static_routes {\n  10.90.0.0/16 dev eth1 track_group G\n}\n";
        let text = Instance::new(PLAIN, 100).text(a, &[]);
        let name = text.split_whitespace().nth(1).expect("vrrp_instance NAME");
        let running = start(a, &(global() + &lines.replace("VI_1", name) + &text))?;
        holds(a, true)?;
        let is_there = || {
            let routes = a.namespace().json("route show proto keepalived")?;
            Ok(routes.as_array().is_some_and(|routes| routes.iter().any(|route| route["dst"] == "10.90.0.0/16")))
        };
        wait_until("the route is there", patience(Duration::from_secs(5)), is_there)?;
        a.namespace().run("ip route del 10.90.0.0/16")?;
        wait_until("the route is there again", patience(Duration::from_secs(5)), is_there)?;
        holds(a, true)?;
        lab.pull(0, 1)?;
        holds(a, false)?;
        lab.plug(0, 1)?;
        holds(a, true)?;
        wait_until("the route is there", patience(Duration::from_secs(5)), is_there)?;
        running.stop()?;
        Ok(())
    });
}

/// A vrrp process that dies takes no result of a tracker with it: the next one sends the same priority from its first advert.
#[test]
fn another_vrrp_process_knows_what_the_one_before_it_knew() {
    if !only_ours() {
        return; // keepalived's next process is a backup that asks anew
    }
    trial("respawn", |lab| {
        let a = lab.router(0);
        let check = lab.folder().join("check.sh");
        script(&check, "#!/bin/sh\nsleep 0.5\n")?;
        let tracked = format!("vrrp_script chk {{\n  script {}\n  interval 1\n  weight 20\n}}\n", check.display());
        let with = "track_script {\n    chk\n  }";
        let running = start(a, &(global() + &tracked + &Instance::new(PLAIN, 100).with(with).text(a, &[])))?;
        sends(lab, a, 120)?;
        let mark = lab.capture().mark()?;
        let first = running.vrrp_pid()?;
        kill_process(first, Signal::KILL)?;
        wait_until("there is another", patience(Duration::from_secs(5)), || {
            Ok(running.vrrp_pid().is_ok_and(|pid| pid != first))
        })?;
        std::thread::sleep(Duration::from_secs(1));
        let events = lab.capture().since(mark)?;
        let priorities: Vec<u8> = events.iter().filter_map(Event::advert).map(|advert| advert.priority).collect();
        assert!(priorities.len() > 2 && priorities.iter().all(|priority| *priority == 120), "{priorities:?}");
        Ok(())
    });
}
