//! What the observer asks of the kernel, seen by strace.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_kernel::process::allowed_calls;
use keepalived_lab::{Case, Daemon, Instance, Lab, Running, only_ours, patience, skipped, trial, wait_until};
use rustix::process::{Pid, Signal, kill_process};

const PORT: u16 = 9650;

fn long() -> Duration {
    patience(Duration::from_secs(30))
}

/// What a program says in the router's namespace.
fn ctl(lab: &Lab, running: &Running, words: &str) -> Result<String> {
    let program = Daemon::ours().program().with_file_name("keepalivedctl");
    let mut command = lab.router(0).namespace().command(program);
    let socket = running.file("pid").with_extension("sock");
    let output = command.args(words.split_whitespace()).arg("--socket").arg(socket).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Traces a process and all that it starts, each thread into a file of its own.
fn trace(pid: Pid, folder: &Path) -> Result<Child> {
    let number = pid.as_raw_nonzero().to_string();
    let mut command = Command::new("strace");
    command.args(["-ff", "-qq", "-o"]).arg(folder.join("trace")).args(["-p", &number]).stderr(Stdio::null());
    let child = command.spawn().context("strace")?;
    let traced = || {
        let status = std::fs::read_to_string(format!("/proc/{number}/status"))?;
        Ok(!status.contains("TracerPid:\t0\n"))
    };
    wait_until("the daemon is traced", long(), traced)?;
    Ok(child)
}

/// The calls of a process, and of the threads that it started, after it gave up the others; and those among them that failed as not
/// there.
fn calls(folder: &Path, pid: &str) -> Result<[BTreeSet<String>; 2]> {
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    let mut threads = vec![(pid.to_owned(), false)];
    while let Some((thread, mut is_confined)) = threads.pop() {
        let text = std::fs::read(folder.join(format!("trace.{thread}")))?;
        for line in String::from_utf8_lossy(&text).lines() {
            if is_confined {
                let Some((name, _)) = line.split_once('(') else { continue };
                // the C library asks for the newer call first, and takes the older one
                if name == "clone3" && line.contains("ENOSYS") {
                    continue;
                }
                if name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_') {
                    seen[0].insert(name.to_owned());
                    if line.contains("ENOSYS") {
                        seen[1].insert(line.to_owned());
                    }
                }
            }
            is_confined |= line.starts_with("seccomp(") || line.contains("PR_SET_SECCOMP");
            if let Some((_, number)) = line.rsplit_once(" = ").filter(|_| line.contains("CLONE_THREAD")) {
                threads.push((number.to_owned(), is_confined));
            }
        }
    }
    Ok(seen)
}

#[test]
fn the_observer_makes_these_calls_and_no_others() {
    if !only_ours() {
        return;
    }
    if keepalived_lab::sandbox::find("strace").is_none() {
        return skipped("calls of the observer", "strace is not installed");
    }
    trial("seccomp", |lab| {
        let a = lab.router(0);
        let text = Instance::new(Case::PLAIN, 200).every(Duration::from_millis(300)).alone(a, &[]);
        let more = format!(
            "  router_id r0\n  metrics_listen {PORT}\n  control_group nogroup\n  enable_dbus\n  enable_snmp_vrrp\n  smtp_server \
             localhost 2525\n  smtp_alert\n  notification_email {{\n a@example.org\n }}\n  notification_email_from \
             b@example.org\n"
        );
        let running = a.start(&Daemon::ours(), "a", &text.replace("  router_id r0\n", &more))?;
        wait_until("it is master", long(), || a.has(Case::PLAIN.vip(7)))?;
        let observer = || -> Result<String> {
            let status: serde_json::Value = serde_json::from_str(&ctl(lab, &running, "status --json")?)?;
            let processes = status["daemon"]["processes"].as_array().context("processes")?;
            let observer = processes.iter().find(|process| process["name"] == "observer").context("observer")?;
            Ok(observer["pid"].to_string())
        };
        let folder = running.file("trace");
        std::fs::create_dir_all(&folder)?;
        let first = observer()?;
        let mut tracer = trace(running.pid(), &folder)?;
        // the next one is traced from its first call
        kill_process(Pid::from_raw(first.parse()?).context("pid")?, Signal::KILL)?;
        wait_until("another observer answers", long(), || Ok(observer().is_ok_and(|now| now != first)))?;
        let second = observer()?;
        for words in ["status", "show config", "why nothing", "events", "reload"] {
            ctl(lab, &running, words)?;
        }
        for path in ["/", "/metrics", "/status.json"] {
            let mut stream = a.namespace().inside(|| Ok(TcpStream::connect(("127.0.0.1", PORT))?))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
        }
        // mail, to a server that is not there
        lab.pull(0, 0)?;
        wait_until("the fault is known", long(), || Ok(ctl(lab, &running, "events")?.contains("-> FAULT")))?;
        running.stop()?;
        tracer.wait()?;
        let [seen, missing] = calls(&folder, &second)?;
        ensure!(missing.is_empty(), "calls that the observer wants and has not: {missing:#?}");
        let [usual, seldom] = allowed_calls();
        let others: Vec<_> =
            seen.iter().filter(|call| !usual.contains(&call.as_str()) && !seldom.contains(&call.as_str())).collect();
        ensure!(others.is_empty(), "not in the list, and not refused: {others:?}");
        let unused: Vec<_> = usual.iter().filter(|call| !seen.contains(**call)).collect();
        ensure!(unused.is_empty(), "in the list, and made by nobody: {unused:?} among {seen:?}");
        Ok(())
    });
}
