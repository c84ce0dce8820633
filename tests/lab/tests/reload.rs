//! SIGHUP: only the difference, and nothing at all if there is something wrong.

use anyhow::Result;
use keepalived_lab::{
    Case, Daemon, Event, Flavour, Instance, Lab, Router, Running, only_ours, patience, trial, wait_until,
};
use rustix::process::{Signal, kill_process};
use std::net::IpAddr;
use std::time::Duration;

const VRID: u8 = 7;
const PLAIN: Case = Case::PLAIN;

fn start(router: &Router, text: &str) -> Result<Running> {
    router.start(&Daemon::ours(), "d", text)
}

fn comes(router: &Router, vip: IpAddr) -> Result<()> {
    wait_until(&format!("{vip} is there"), patience(Duration::from_secs(2)), || router.has(vip))
}

/// The longest time between adverts after a mark, in intervals, and who sent them.
fn heard(lab: &Lab, mark: usize) -> Result<(f64, Vec<Event>)> {
    let events: Vec<_> = lab.capture().since(mark)?.into_iter().filter(|event| event.advert().is_some()).collect();
    let longest = events.windows(2).map(|pair| pair[1].at.since(pair[0].at)).fold(0.0, f64::max);
    Ok((longest / PLAIN.interval().as_secs_f64(), events))
}

#[test]
fn an_unchanged_file_changes_nothing() {
    trial("unchanged", |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let text = Instance::new(PLAIN, 200).alone(a, &[]);
        let running = start(a, &text)?;
        let _b = start(b, &Instance::new(PLAIN, 100).alone(b, &[]))?;
        comes(a, PLAIN.vip(VRID))?;
        std::thread::sleep(Duration::from_secs(1));
        let mark = lab.capture().mark()?;
        for _ in 0..3 {
            running.signal(Signal::HUP)?;
            std::thread::sleep(Duration::from_millis(700));
        }
        let (longest, events) = heard(lab, mark)?;
        assert!(longest < 3.0, "silent for {longest} intervals");
        assert!(events.iter().all(|event| event.mac == a.mac(0)), "nobody else had cause to speak");
        assert_eq!(lab.holders(PLAIN.vip(VRID))?, [0]);
        // it did read the file, each time
        let word = if Daemon::ours().flavour() == Flavour::Ours { "Reload: nothing changed" } else { "Reloading" };
        let read = || running.log().lines().filter(|line| line.contains(word)).count();
        wait_until("the file was read three times", patience(Duration::from_secs(5)), || Ok(read() >= 3))
    });
}

#[test]
fn a_reload_that_comes_during_another_is_not_lost() {
    if !only_ours() {
        return; // keepalived may take the second signal for the first one
    }
    trial("twice", |lab| {
        let a = lab.router(0);
        let with = |last: u8| Instance::new(PLAIN, 200).addresses(&[&format!("10.0.1.{last}/16")]).alone(a, &[]);
        let address = |last: u8| IpAddr::from([10, 0, 1, last]);
        let running = start(a, &with(10))?;
        comes(a, address(10))?;
        for last in 11..21 {
            running.reload(&with(last))?;
        }
        wait_until("the last file counts", patience(Duration::from_secs(5)), || a.has(address(20)))?;
        // a process that dies with a configuration in its hands
        for last in 21..26 {
            let first = running.vrrp_pid()?;
            running.reload(&with(last))?;
            running.wait_for_log("Reloading", patience(Duration::from_secs(5)))?;
            kill_process(first, Signal::KILL)?;
            wait_until("the new file counts", patience(Duration::from_secs(40)), || a.has(address(last)))?;
        }
        let left: Vec<u8> = (10..25).filter(|last| a.has(address(*last)).unwrap_or(true)).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        Ok(())
    });
}

#[test]
fn addresses_come_and_go() {
    trial("addresses", |lab| {
        let a = lab.router(0);
        let with = |lines: &[&str]| Instance::new(PLAIN, 200).addresses(lines).alone(a, &[]);
        let running = start(a, &with(&["10.0.1.7/16", "10.0.1.8/16"]))?;
        comes(a, "10.0.1.8".parse()?)?;
        running.reload(&with(&["10.0.1.7/16", "10.0.1.9/16"]))?;
        comes(a, "10.0.1.9".parse()?)?;
        wait_until("the other is gone", patience(Duration::from_secs(2)), || Ok(!a.has("10.0.1.8".parse()?)?))?;
        assert!(a.has("10.0.1.7".parse()?)?);
        Ok(())
    });
}

#[test]
fn an_address_may_move_to_an_instance_that_stands_earlier() {
    if !only_ours() {
        return; // keepalived loses it: behaviour.md section 10
    }
    trial("moved earlier", |lab| {
        let a = lab.router(0);
        let text = |first: &[&str], second: &[&str]| {
            let one = Instance::new(PLAIN, 200).addresses(first).text(a, &[]);
            one + &Instance::new(PLAIN, 200).vrid(8).addresses(second).text(a, &[])
        };
        let moving = "10.0.1.30".parse()?;
        let running = start(a, &text(&["10.0.1.7/16"], &["10.0.1.8/16", "10.0.1.30/16"]))?;
        comes(a, moving)?;
        running.reload(&text(&["10.0.1.7/16", "10.0.1.30/16"], &["10.0.1.8/16"]))?;
        let advertised = |event: &Event| {
            event.advert().is_some_and(|advert| advert.vrid == VRID && advert.addresses.contains(&moving))
        };
        lab.capture().wait("it is advertised by the other", 0, patience(Duration::from_secs(1)), advertised)?;
        std::thread::sleep(Duration::from_secs(1));
        assert!(a.has(moving)?);
        Ok(())
    });
}

/// The old configuration goes on without a pause, the address stays, and the log says why.
fn refused(name: &str, spoil: impl Fn(&str) -> String, complaint: &str) {
    trial(name, |lab| {
        let a = lab.router(0);
        let text = Instance::new(PLAIN, 200).alone(a, &[]);
        let mut running = start(a, &text)?;
        comes(a, PLAIN.vip(VRID))?;
        std::thread::sleep(Duration::from_secs(1));
        let mark = lab.capture().mark()?;
        running.reload(&spoil(&text))?;
        running.wait_for_log(complaint, patience(Duration::from_secs(1)))?;
        std::thread::sleep(Duration::from_secs(1));
        let (longest, events) = heard(lab, mark)?;
        assert!(longest < 2.5 && events.len() > 3, "silent for {longest} intervals");
        assert!(events.iter().all(|event| event.advert().is_some_and(|advert| advert.priority == 200)));
        assert!(running.is_running()? && a.has(PLAIN.vip(VRID))?);
        Ok(())
    });
}

#[test]
fn a_duplicate_vrid_changes_nothing() {
    if only_ours() {
        refused("duplicate", |text| text.to_owned() + &text.replace("vrrp_instance V7", "vrrp_instance W7"), "W7");
    }
}

#[test]
fn a_missing_brace_changes_nothing() {
    if only_ours() {
        refused("brace", |text| text.trim_end().trim_end_matches('}').to_owned(), "keepalived.conf");
    }
}

/// Perhaps the file was cut off, or an include is missing: keepalived says nothing either way.
#[test]
fn a_reload_that_leaves_nothing_takes_effect_with_a_warning() {
    if !only_ours() {
        return;
    }
    trial("nothing left", |lab| {
        let a = lab.router(0);
        let text = Instance::new(PLAIN, 200).alone(a, &[]);
        let mut running = start(a, &text)?;
        comes(a, PLAIN.vip(VRID))?;
        running.reload("global_defs {\n}\n")?;
        let warning =
            "Reload: the new configuration has no instance, no virtual server and no BFD session: 1 instance stops";
        running.wait_for_log(warning, patience(Duration::from_secs(5)))?;
        wait_until("the address is gone", patience(Duration::from_secs(5)), || Ok(!a.has(PLAIN.vip(VRID))?))?;
        assert!(running.is_running()?);
        running.reload(&text)?;
        comes(a, PLAIN.vip(VRID))
    });
}

#[test]
fn a_daemon_that_reads_a_large_file_stops_when_it_is_told_to() {
    if !only_ours() {
        return; // keepalived reads in the process that moves addresses
    }
    trial("large-file", |lab| {
        let a = lab.router(0);
        let small = Instance::new(PLAIN, 200).alone(a, &[]);
        let running = start(a, &small)?;
        comes(a, PLAIN.vip(VRID))?;
        // seconds of work for a thread that gives way
        let servers: String = (0..100_000)
            .map(|at| format!("  real_server 10.{}.{}.{} 80 {{\n  }}\n", at >> 16, (at >> 8) & 255, at & 255))
            .collect();
        running.reload(&format!("{small}virtual_server 192.0.2.1 80 {{\n{servers}}}\n"))?;
        running.wait_for_log("Reloading", patience(Duration::from_secs(5)))?;
        running.signal(Signal::TERM)?;
        let log = running.file("log");
        assert!(running.stop()?.success());
        let log = std::fs::read_to_string(log)?;
        assert!(log.contains("Stopped Keepalived") && !log.contains("Reload: "), "it did not wait for the file: {log}");
        assert!(!a.has(PLAIN.vip(VRID))?);
        Ok(())
    });
}

#[test]
fn the_death_of_the_vrrp_process_moves_no_address() {
    if !only_ours() {
        return; // keepalived's restarted process waits as at its first start, and the backup takes over
    }
    trial("respawn", |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let interval = Duration::from_secs(1);
        let running = start(a, &Instance::new(PLAIN, 200).every(interval).alone(a, &[]))?;
        let _b = start(b, &Instance::new(PLAIN, 100).every(interval).alone(b, &[]))?;
        let vip = PLAIN.vip(VRID);
        wait_until("router 0 is master", patience(Duration::from_secs(5)), || Ok(lab.holders(vip)? == [0]))?;
        std::thread::sleep(Duration::from_secs(2));
        let mark = lab.capture().mark()?;
        let first = running.vrrp_pid()?;
        kill_process(first, Signal::KILL)?;
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(lab.holders(vip)?, [0], "the address never goes away");
        }
        assert_ne!(running.vrrp_pid()?, first);
        let (_, events) = heard(lab, mark)?;
        assert!(
            events.len() >= 2 && events.iter().all(|event| event.mac == a.mac(0)),
            "no change of roles: {events:?}"
        );
        Ok(())
    });
}

#[test]
fn a_vrrp_process_that_does_not_answer_is_replaced() {
    if !only_ours() {
        return; // keepalived watches for the death of its child only
    }
    trial("stuck", |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let interval = Duration::from_secs(1);
        let running = start(a, &Instance::new(PLAIN, 200).every(interval).alone(a, &[]))?;
        let _b = start(b, &Instance::new(PLAIN, 100).every(interval).alone(b, &[]))?;
        let vip = PLAIN.vip(VRID);
        wait_until("router 0 is master", patience(Duration::from_secs(5)), || Ok(lab.holders(vip)? == [0]))?;
        let first = running.vrrp_pid()?;
        kill_process(first, Signal::STOP)?;
        let replaced = || Ok(running.vrrp_pid().is_ok_and(|now| now != first));
        wait_until("the stuck process is replaced", patience(Duration::from_secs(20)), replaced)?;
        wait_until("router 0 alone is master", patience(Duration::from_secs(10)), || Ok(lab.holders(vip)? == [0]))
    });
}

/// `globals` in `global_defs`, and an instance of this priority.
fn with(router: &Router, globals: &str, priority: u8) -> String {
    format!("global_defs {{\n{globals}\n}}\n{}", Instance::new(PLAIN, priority).text(router, &[]))
}

#[test]
fn a_file_is_there_until_the_configuration_has_been_read() {
    trial("reload file", |lab| {
        let a = lab.router(0);
        let path = lab.folder().join("reloading");
        for (name, globals, path) in [
            ("named", format!("reload_file {}", path.display()), path.clone()),
            // beside the pid file
            ("usual", "reload_file".to_owned(), a.folder().join("usual/keepalived.reload")),
        ] {
            let running = a.start(&Daemon::ours(), name, &with(a, &globals, 200))?;
            comes(a, PLAIN.vip(VRID))?;
            for text in [with(a, &globals, 150), "no configuration {".to_owned()] {
                // as the manual has it: who changes the configuration makes the file, and waits until it is gone
                std::fs::write(&path, "mine")?;
                running.reload(&text)?;
                wait_until("the file is gone", patience(Duration::from_secs(5)), || Ok(!path.exists()))?;
            }
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn a_reload_may_be_set_for_a_time() {
    trial("reload time", |lab| {
        let a = lab.router(0);
        let path = lab.folder().join("at");
        let soon = |form: &str| -> Result<String> {
            let output = std::process::Command::new("date").args(["-u", "-d", "now + 3 seconds", form]).output()?;
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        for (name, globals, form, stays) in
            [("once", "", "+%Y-%m-%d %H:%M:%SZ", false), ("daily", "reload_repeat", "+%H:%M:%SZ", true)]
        {
            let globals = format!("reload_time_file {}\n{globals}", path.display());
            let running = a.start(&Daemon::ours(), name, &with(a, &globals, 200))?;
            comes(a, PLAIN.vip(VRID))?;
            std::fs::write(running.file("keepalived.conf"), with(a, &globals, 150))?;
            let mark = lab.capture().mark()?;
            std::fs::write(&path, soon(form)? + "\n")?;
            let heard = || -> Result<bool> {
                let events = lab.capture().since(mark)?;
                Ok(events.iter().filter_map(Event::advert).any(|advert| advert.priority == 150))
            };
            wait_until("the new priority is there", patience(Duration::from_secs(10)), heard)?;
            assert_eq!(path.exists(), stays, "{name}");
            std::fs::remove_file(&path).ok();
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn what_is_wrong_with_a_new_configuration_is_written_where_that_is_wanted() {
    if !only_ours() {
        return; // the words are ours
    }
    trial("check log", |lab| {
        let a = lab.router(0);
        let path = lab.folder().join("check.log");
        let globals = format!("reload_check_config {}", path.display());
        let running = start(a, &with(a, &globals, 200))?;
        comes(a, PLAIN.vip(VRID))?;
        running.reload(&with(a, &globals, 200).replace("virtual_router_id 7", "virtual_router_id 700"))?;
        let says = || Ok(std::fs::read_to_string(&path).unwrap_or_default().contains("vrid-range"));
        wait_until("the log says what is wrong", patience(Duration::from_secs(5)), says)?;
        wait_until("it is refused", patience(Duration::from_secs(5)), || Ok(running.log().contains("Reload refused")))?;
        assert!(a.has(PLAIN.vip(VRID))?);
        running.reload(&with(a, &globals, 150))?;
        wait_until("the log is empty", patience(Duration::from_secs(5)), || Ok(std::fs::metadata(&path)?.len() == 0))?;
        running.stop()?;
        Ok(())
    });
}

#[test]
fn what_was_read_and_what_was_is_kept_around_a_reload() {
    trial("kept", |lab| {
        let a = lab.router(0);
        let folder = a.folder().join("kept");
        let with = |priority: u8| {
            let text = Instance::new(PLAIN, priority).alone(a, &[]);
            assert!(text.contains("global_defs {\n"), "{text}");
            text.replacen("global_defs {\n", &format!("global_defs {{\n  config_save_dir {}\n", folder.display()), 1)
        };
        let running = start(a, &with(200))?;
        comes(a, PLAIN.vip(VRID))?;
        let vrrp = running.vrrp_pid()?.as_raw_nonzero();
        running.reload(&with(150))?;
        let read = |name: String| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let [before, after] = ["pre", "post"].map(|when| format!("keepalived_vrrp.{vrrp}.1.{when}"));
        wait_until("both are kept", patience(Duration::from_secs(10)), || {
            Ok(read(before.clone()).contains("Priority = 200") && read(after.clone()).contains("Priority = 150"))
        })?;
        // our umask is for files: the owner of the folder can enter it
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&folder)?.permissions());
        anyhow::ensure!(mode & 0o777 == 0o700, "{mode:o}");
        let daemon = running.pid().as_raw_nonzero();
        for (number, priority) in [(0, "priority 200"), (1, "priority 150")] {
            let text = read(format!("keepalived.conf.{daemon}.{number}"));
            anyhow::ensure!(text.contains(priority), "{number}: {text}");
        }
        Ok(())
    });
}
