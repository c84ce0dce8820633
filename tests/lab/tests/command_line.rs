//! Exit statuses, messages, pid files and signals.

use anyhow::Result;
use keepalived_lab::{Case, Daemon, Instance, Lab, patience, trial, wait_until};
use rustix::process::Signal;
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

#[test]
fn without_permission_it_says_so() {
    trial("permission", |lab| {
        let a = lab.router(0);
        let text = written(lab, "a.conf", &Instance::new(Case::PLAIN, 100).alone(a, &[]))?;
        let pids = a.folder().join("once");
        std::fs::create_dir_all(&pids)?;
        let argument = |name: &str| pids.join(name).display().to_string();
        let mut command = a.namespace().command("setpriv");
        command.args(["--bounding-set=-net_admin,-net_raw", "--inh-caps=-all", "timeout", "10"]);
        let output = command
            .arg(Daemon::ours().program())
            .args(["-n", "-l", "-f", &text, "-p", &argument("p"), "-r", &argument("r"), "-c", &argument("c")])
            .env("TMPDIR", &pids)
            .output()?;
        let code = output.status.code();
        assert!(matches!(code, Some(1..=4)), "{code:?} {}", String::from_utf8_lossy(&output.stderr));
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
