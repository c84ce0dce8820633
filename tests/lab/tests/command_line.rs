//! Exit statuses, messages, pid files and signals.

use anyhow::Result;
use keepalived_lab::{Case, Daemon, Flavour, Instance, Lab, only_ours, patience, sandbox, trial, wait_until};
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

fn status(lab: &Lab, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let a = lab.router(0);
    let output = Daemon::ours().output(a.namespace(), &a.folder().join("once"), arguments)?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
}

fn written(lab: &Lab, name: &str, text: &str) -> Result<String> {
    let path = lab.folder().join(name);
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}

#[test]
fn statuses_are_those_of_keepalived() {
    trial("statuses", |lab| {
        let a = lab.router(0);
        let good = written(lab, "good.conf", &Instance::new(Case::PLAIN, 100).alone(a, &[]))?;
        let bad = written(lab, "bad.conf", &Instance::new(Case::PLAIN, 100).with("no_such_keyword").alone(a, &[]))?;
        let (pid, vrrp) = (format!("-p{}/p", a.folder().display()), format!("-r{}/r", a.folder().display()));
        let missing = "/nonexistent/keepalived.conf";
        for (arguments, wanted) in [
            (vec!["-t", "-f", &good], 0),
            (vec!["-t", "-f", &bad], 5),
            (vec!["-n", "-l", "-f", missing, &pid, &vrrp], 6),
            (vec!["--no-such-option"], 1),
            (vec!["--version"], 0),
            (vec!["--help"], 0),
        ] {
            let (code, text) = status(lab, &arguments)?;
            assert_eq!(code, Some(wanted), "{arguments:?}: {text}");
        }
        let (_, text) = status(lab, &["-t", "-f", &bad])?;
        assert!(text.contains("no_such_keyword") && text.contains("bad.conf"), "{text}");
        let (_, text) = status(lab, &["--version"])?;
        assert!(text.starts_with("Keepalived v2."), "{text}");
        let (code, text) = status(lab, &["--signum=DATA"])?;
        assert_eq!((code, text.trim()), (Some(0), "10"));
        Ok(())
    });
}

#[test]
fn an_interface_that_is_not_there_ends_it_with_status_2() {
    trial("no interface", |lab| {
        let a = lab.router(0);
        let text = Instance::new(Case::PLAIN, 100).alone(a, &[]).replace("eth0", "eth9");
        let mut running = a.start(&Daemon::ours(), "d", &text)?;
        assert_eq!(running.wait(patience(Duration::from_secs(3)))?.code(), Some(2), "{}", running.log());
        assert!(running.log().contains("eth9"), "{}", running.log());
        Ok(())
    });
}

/// As an ordinary user, and as root with fewer capabilities.
#[test]
fn without_permission_it_says_what_to_do() {
    trial("permission", |lab| {
        let a = lab.router(0);
        let text = written(lab, "a.conf", &Instance::new(Case::PLAIN, 100).alone(a, &[]))?;
        let pids = a.folder().join("once");
        std::fs::create_dir_all(&pids)?;
        // writable for everybody, so that the pid files are not what it fails at
        std::fs::set_permissions(&pids, std::fs::Permissions::from_mode(0o777))?;
        let argument = |name: &str| pids.join(name).display().to_string();
        let ordinary = ["--reuid=65534", "--clear-groups", "--inh-caps=-all"];
        let cut_down = ["--bounding-set=-net_admin,-net_raw", "--inh-caps=-all"];
        // there is only one user in a user namespace
        let ways = if sandbox::inside() { vec![&cut_down[..]] } else { vec![&ordinary[..], &cut_down[..]] };
        for way in ways {
            let mut command = a.namespace().command("setpriv");
            command.args(way).args(["timeout", "10"]).arg(Daemon::ours().program()).args(["-n", "-l", "-f", &text]);
            command.args(["-p", &argument("p"), "-r", &argument("r"), "-c", &argument("c")]).env("TMPDIR", &pids);
            let output = command.output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            if !only_ours() {
                continue; // 2.2.7 logs that it cannot, and goes on
            }
            assert_eq!(output.status.code(), Some(4), "{way:?}: {said}");
            assert!(said.contains("as root or with CAP_NET_ADMIN and CAP_NET_RAW"), "{way:?}: {said}");
        }
        Ok(())
    });
}

/// Debian's keepalived ends with the same status.
#[test]
fn what_cannot_run_ends_with_status_2() {
    trial("cannot run", |lab| {
        let a = lab.router(0);
        let text = Instance::new(Case::PLAIN, 100).alone(a, &[]).replace("virtual_router_id 7", "");
        for (name, daemon) in [("ours", Daemon::ours()), ("debian", Daemon::debian())] {
            let mut running = a.start(&daemon, name, &text)?;
            assert_eq!(running.wait(patience(Duration::from_secs(3)))?.code(), Some(2), "{name}: {}", running.log());
        }
        let log = std::fs::read_to_string(a.folder().join("ours/log"))?;
        assert!(Daemon::ours().flavour() == Flavour::Debian || log.contains("virtual_router_id is missing"), "{log}");
        Ok(())
    });
}

#[test]
fn messages_have_file_line_column_and_a_caret() {
    if !only_ours() {
        return;
    }
    trial("messages", |lab| {
        let a = lab.router(0);
        let inner = written(lab, "inner.conf", "  pirority 100\n")?;
        let instance = Instance::new(Case::PLAIN, 100).with(&format!("include {inner}")).with("garp_master_delay x");
        let outer = written(lab, "outer.conf", &instance.alone(a, &[]))?;
        let (code, text) = status(lab, &["-t", "-f", &outer])?;
        assert_eq!(code, Some(5), "{text}");
        assert!(text.contains(&format!("{inner}:1:3")) && text.contains("did you mean priority?"), "{text}");
        let line = std::fs::read_to_string(&outer)?.lines().position(|line| line.contains("garp_master")).unwrap_or(0);
        assert!(text.contains(&format!("{outer}:{}:", line + 1)), "{text}");
        let mut lines = text.lines();
        let shown = lines.find(|line| line.contains("pirority 100")).expect("the line is shown");
        let below = lines.next().expect("and a line below it");
        assert_eq!(below.find("^^^^^^^^"), shown.find("pirority"), "{text}");
        Ok(())
    });
}

#[test]
fn guides_have_nothing_to_complain_about() {
    trial("guides -t", |lab| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guides");
        let mut number = 0;
        for entry in std::fs::read_dir(folder)? {
            // their interfaces are eth0
            let path = entry?.path().display().to_string();
            let (code, text) = status(lab, &["-t", "-f", &path])?;
            assert_eq!(code, Some(0), "{path}: {text}");
            number += 1;
        }
        assert_eq!(number, 4);
        Ok(())
    });
}

#[test]
fn pid_files_and_dumps() {
    trial("pid files", |lab| {
        let a = lab.router(0);
        let running = a.start(&Daemon::ours(), "d", &Instance::new(Case::PLAIN, 200).alone(a, &[]))?;
        let (pid, vrrp) = (running.file("pid"), running.file("vrrp.pid"));
        wait_until("pid files are there", patience(Duration::from_secs(2)), || Ok(pid.exists() && vrrp.exists()))?;
        assert_eq!(std::fs::read_to_string(&pid)?, format!("{}\n", running.pid().as_raw_nonzero()));
        assert!(running.processes().contains(&running.vrrp_pid()?));
        wait_until("it is master", patience(Duration::from_secs(2)), || a.has(Case::PLAIN.vip(7)))?;

        let data = running.file("keepalived.data");
        running.signal(Signal::USR1)?;
        let full = || std::fs::read_to_string(&data).is_ok_and(|text| text.contains("10.0.1.7"));
        wait_until("the data is written", patience(Duration::from_secs(2)), || Ok(full()))?;
        assert!(std::fs::read_to_string(&data)?.contains("VRRP Instance = V7"));

        assert_eq!(running.stop()?.code(), Some(0));
        assert!(!pid.exists() && !vrrp.exists(), "it takes its pid files along");
        assert!(!a.has(Case::PLAIN.vip(7))?);
        Ok(())
    });
}

/// The namespace is that of the file, or the one on the command line; without it the rest is checked all the same.
#[test]
fn interfaces_are_looked_for_where_the_daemon_will_run() {
    trial("-t namespace", |lab| {
        let (a, b) = (lab.router(0), lab.router(1));
        b.namespace().ip("link add in0 type veth peer name in1\n")?;
        let text = Instance::new(Case::PLAIN, 100).alone(a, &[]);
        let inner = text.replace("eth0", "in0");
        let named = |name: &str, text: &str| written(lab, "n.conf", &format!("net_namespace {name}\n{text}"));
        let name = b.namespace().name();
        let there = ["-t", "-f", &named(name, &inner)?];
        assert_eq!(status(lab, &there)?.0, Some(0), "{:?}", status(lab, &there)?);
        assert_eq!(status(lab, &["-t", "-f", &written(lab, "o.conf", &inner)?])?.0, Some(5));
        let elsewhere = named(name, &inner.replace("in0", "in9"))?;
        assert_eq!(status(lab, &["-t", "-f", &elsewhere])?.0, Some(5));
        if !only_ours() {
            return Ok(()); // 2.2.7 checks nothing in a namespace that is missing, and nothing with -s
        }
        assert_eq!(status(lab, &["-t", "-s", name, "-f", &written(lab, "o.conf", &inner)?])?.0, Some(0));
        let bad = inner.replace("priority 100", "priority 300");
        for arguments in [
            vec!["-t", "-f", &named("nowhere", &bad)?],
            vec!["-t", "-s", "nowhere", "-f", &written(lab, "o.conf", &bad)?],
        ] {
            let (code, said) = status(lab, &arguments)?;
            assert_eq!(code, Some(5), "{said}");
            assert!(said.contains("no network namespace nowhere") && said.contains("not 300"), "{said}");
        }
        Ok(())
    });
}

/// keepalived works in the directory of the file, and asks the system where that is.
// keepalived.conf(5): iproute_usr_dir, iproute_etc_dir
#[test]
fn names_of_tables_may_be_in_other_directories() {
    if !only_ours() {
        return; // since 2.3.2
    }
    trial("names of tables", |lab| {
        let a = lab.router(0);
        written(lab, "rt_tables", "100 lab_table\n")?;
        std::fs::create_dir_all(lab.folder().join("rt_tables.d"))?;
        written(lab, "rt_tables.d/more.conf", "101 lab_other\n")?;
        let folder = lab.folder().display().to_string();
        for (keyword, found) in [("iproute_etc_dir", true), ("iproute_usr_dir", true), ("# iproute_etc_dir", false)] {
            let routes = "static_routes {\n 198.51.100.0/24 dev eth0 table lab_table\n 203.0.113.0/24 dev eth0 table lab_other\n}\n";
            let text = format!("global_defs {{\n{keyword} {folder}\n}}\n{routes}");
            let text = text + &Instance::new(Case::PLAIN, 100).alone(a, &[]);
            let running = a.start(&Daemon::ours(), &keyword.replace("# ", "no-"), &text)?;
            wait_until("a master", patience(Duration::from_secs(10)), || Ok(running.log().contains("MASTER")))?;
            for (table, place) in [("100", "198.51.100.0/24"), ("101", "203.0.113.0/24")] {
                let routes = a.namespace().run("ip -N route show table all")?;
                let line = routes.lines().any(|line| line.contains(place) && line.contains(&format!("table {table} ")));
                assert_eq!(line, found, "{keyword}: {routes}\n{}", running.log());
            }
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn the_directory_of_a_relative_file_is_absolute() {
    trial("relative file", |lab| {
        let a = lab.router(0);
        let folder = std::fs::canonicalize(lab.folder())?;
        let script = folder.join("s.sh");
        std::fs::write(&script, "#!/bin/sh\n")?;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
        let globals = "global_defs {\nscript_user root\nenable_script_security\n}\n";
        let instance = Instance::new(Case::PLAIN, 100).with("notify_master ${_PWD}/s.sh").alone(a, &[]);
        written(lab, "k.conf", &format!("{globals}{instance}"))?;
        let name = folder.file_name().expect("a folder").to_string_lossy().into_owned();
        for (directory, file) in [(&*folder, "k.conf".to_owned()), (&*folder, format!("../{name}/k.conf"))] {
            let mut command = a.namespace().command(Daemon::ours().program());
            let output = command.args(["-t", "-f", &file]).current_dir(directory).output()?;
            assert_eq!(output.status.code(), Some(0), "{file}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    });
}
