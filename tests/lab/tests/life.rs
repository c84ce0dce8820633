//! What an init system, a log reader and a monitoring script see of a daemon from its start to its end.

use anyhow::{Context as _, Result};
use keepalived_lab::{Case, Daemon, Flavour, Instance, Lab, Running, only_ours, patience, trial, wait_until};
use rustix::process::Signal;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PLAIN: Case = Case::PLAIN;
const VRID: u8 = 7;

fn soon() -> Duration {
    patience(Duration::from_secs(2))
}

fn text(lab: &Lab) -> String {
    Instance::new(PLAIN, 200).alone(lab.router(0), &[])
}

fn master(lab: &Lab) -> Result<()> {
    wait_until("it is master", soon(), || lab.router(0).has(PLAIN.vip(VRID)))
}

#[test]
fn as_a_daemon_it_returns_when_it_is_ready_and_tidies_up_at_its_end() {
    trial("daemon", |lab| {
        let a = lab.router(0);
        let folder = a.folder().join("once");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("c"), text(lab))?;
        let file = |name: &str| folder.join(name);
        let (pid, vrrp) = (file("pid"), file("vrrp.pid"));
        let argument = |path: &Path| path.display().to_string();
        let arguments = ["-f", &argument(&file("c")), "-p", &argument(&pid), "-r", &argument(&vrrp)];
        // into a file: if it kept a pipe open, whoever reads the pipe would wait for ever
        let console = std::fs::File::create(file("console"))?;
        let mut command = a.namespace().command(Daemon::ours().program());
        command.args(arguments).env("TMPDIR", &folder).stdout(console.try_clone()?).stderr(console);
        let status = command.status()?;
        assert!(status.success(), "{status} {}", std::fs::read_to_string(file("console"))?);
        if Daemon::ours().flavour() == Flavour::Ours {
            assert!(pid.exists() && vrrp.exists(), "ready means that there are pid files");
        }
        wait_until("pid files are there", soon(), || Ok(pid.exists() && vrrp.exists()))?;
        master(lab)?;
        for pid in a.namespace().pids() {
            for number in 0..3 {
                let path = format!("/proc/{}/fd/{number}", pid.as_raw_nonzero());
                assert_eq!(std::fs::read_link(&path)?, Path::new("/dev/null"), "{path}: it holds its caller's console");
            }
        }

        // once more: it says that it runs already, and disturbs nothing
        let output = Daemon::ours().output(a.namespace(), &folder, &[&["-n", "-l"], arguments.as_slice()].concat())?;
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stderr).contains("already running"), "{output:?}");
        assert!(pid.exists() && a.has(PLAIN.vip(VRID))?);

        let number = std::fs::read_to_string(&pid)?;
        a.namespace().run(&format!("kill -TERM {number}"))?;
        let gone = || Ok(!pid.exists() && !vrrp.exists() && !a.has(PLAIN.vip(VRID))?);
        wait_until("pid files and address are gone", soon(), gone)
    });
}

/// Waits for a file that is complete.
fn dump(running: &Running, name: &str, signal: &str, complete: impl Fn(&str) -> bool) -> Result<String> {
    let path = running.file(name);
    let mut text = String::new();
    assert!(Command::new("kill").args([signal, &running.pid().as_raw_nonzero().to_string()]).status()?.success());
    wait_until(&format!("{name} is written"), soon(), || {
        text = std::fs::read_to_string(&path).unwrap_or_default();
        Ok(complete(&text))
    })
    .with_context(|| text.clone())?;
    Ok(text)
}

#[test]
fn dumps_say_what_is_and_what_led_to_it() {
    if !only_ours() {
        return; // Debian's has no journal
    }
    trial("dumps", |lab| {
        let a = lab.router(0);
        let running = a.start(&Daemon::ours(), "d", &text(lab))?;
        master(lab)?;
        let data = dump(&running, "keepalived.data", "-USR1", |text| text.contains("Network events"))?;
        let journal = data.split_once("Journal").context("no journal")?.1;
        assert!(journal.contains("INIT -> BACKUP") && journal.contains(": started"), "{journal}");
        assert!(journal.contains("BACKUP -> MASTER") && journal.contains("no master heard"), "{journal}");

        let stats = dump(&running, "keepalived.stats", "-USR2", |text| text.contains("Unknown Key"))?;
        for words in ["VRRP Instance: V7", "Advertisements:", "Became master: 1", "Released master: 0"] {
            assert!(stats.contains(words), "{stats}");
        }

        let json =
            dump(&running, "keepalived.json", "-36", |text| serde_json::from_str::<serde_json::Value>(text).is_ok())?;
        let json: serde_json::Value = serde_json::from_str(&json)?;
        assert_eq!((&json[0]["data"]["iname"], &json[0]["data"]["state"]), (&"V7".into(), &2.into()));
        assert_eq!(json[0]["stats"]["become_master"], 1);
        Ok(())
    });
}

#[test]
fn systemd_is_told_of_ready_reloading_and_stopping() {
    trial("systemd", |lab| {
        if !only_ours() {
            return Ok(()); // tells systemd only if it is its child
        }
        let path = lab.folder().join("notify");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(soon()))?;
        let mut heard = String::new();
        let mut hear = |wanted: &str| -> Result<()> {
            let mut buffer = [0; 4096];
            loop {
                let length =
                    socket.recv(&mut buffer).with_context(|| format!("{wanted} never came after {heard:?}"))?;
                let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
                heard += &message;
                if message.lines().any(|line| line == wanted) {
                    return Ok(());
                }
            }
        };
        let daemon = Daemon::ours().with("NOTIFY_SOCKET", path.clone());
        let running = lab.router(0).start(&daemon, "d", &text(lab))?;
        hear("READY=1")?;
        running.signal(Signal::HUP)?;
        hear("RELOADING=1")?;
        hear("READY=1")?;
        running.signal(Signal::TERM)?;
        hear("STOPPING=1")
    });
}

// units that start after this one would find no address
#[test]
fn a_reload_while_the_startup_script_runs_does_not_end_the_start() {
    if !only_ours() {
        return; // tells systemd only if it is its child
    }
    trial("early reload", |lab| {
        let path = lab.folder().join("early.sock");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(soon()))?;
        let receive = || -> Result<String> {
            let mut octets = [0; 512];
            let length = socket.recv(&mut octets)?;
            Ok(String::from_utf8_lossy(octets.get(..length).unwrap_or_default()).into_owned())
        };
        let globals = "global_defs {\n  script_user root\n  startup_script \"/bin/sleep 2\"\n}\n";
        let text = format!("{globals}{}", text(lab));
        let daemon = Daemon::ours().with("NOTIFY_SOCKET", path.clone());
        let running = lab.router(0).start(&daemon, "d", &text)?;
        running.wait_for_log("Running startup_script", soon())?;
        running.signal(Signal::HUP)?;
        loop {
            let said = receive()?;
            assert!(!said.contains("RELOADING"), "{said}");
            if said.contains("READY=1") {
                break;
            }
        }
        // the vrrp process starts after the script; the log may be written later than systemd is told
        assert!(running.vrrp_pid().is_ok(), "{}", running.log());
        running.wait_for_log("Startup complete", soon())?;
        running.stop()?;
        Ok(())
    });
}

#[test]
fn the_log_file_gets_lines_and_json_if_asked() {
    if !only_ours() {
        return; // Debian's is built without a log file
    }
    trial("log file", |lab| {
        let a = lab.router(0);
        let [plain, json] = ["plain.log", "json.log"].map(|name| a.folder().join(name));
        let option = format!("--log-file={}", plain.display());
        let running = a.start_with(&Daemon::ours(), "one", &text(lab), &["-G", &option])?;
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        wait_until("the file has it", soon(), || Ok(read(&plain).contains("Entering MASTER STATE")))?;
        assert!(running.stop()?.success());

        let option = format!("-g{}", json.display());
        let running = a.start_with(&Daemon::ours(), "two", &text(lab), &["-G", &option, "--log-json"])?;
        wait_until("the file has it", soon(), || Ok(read(&json).contains("Entering MASTER STATE")))?;
        for line in read(&json).lines().chain(running.log().lines()) {
            let line: serde_json::Value = serde_json::from_str(line).context(line.to_owned())?;
            assert!(line["message"].is_string() && line["level"].is_string(), "{line}");
        }
        Ok(())
    });
}

/// The longest time between its adverts while its log goes nowhere, and 20 reloads and dumps give it something to log.
fn unhindered(lab: &Lab, running: &Running) -> Result<()> {
    master(lab)?;
    let mark = lab.capture().mark()?;
    for _ in 0..20 {
        running.signal(Signal::HUP)?;
        running.signal(Signal::USR1)?;
        std::thread::sleep(Duration::from_millis(150));
    }
    let adverts: Vec<_> = lab.capture().since(mark)?.into_iter().filter(|event| event.advert().is_some()).collect();
    let longest = adverts.windows(2).map(|pair| pair[1].at.since(pair[0].at)).fold(0.0, f64::max);
    assert!(adverts.len() >= 10 && longest < 2.5 * PLAIN.interval().as_secs_f64(), "silent for {longest} s");
    Ok(())
}

#[test]
fn a_console_that_nobody_reads_delays_nothing() {
    if !only_ours() {
        return;
    }
    trial("stuck console", |lab| {
        // the pipe is full before the daemon says its first word
        let (reader, mut writer) = std::io::pipe()?;
        let full = writer.try_clone()?;
        std::thread::spawn(move || writer.write_all(&[b'.'; 1 << 20]));
        std::thread::sleep(Duration::from_millis(300));
        let running = lab.router(0).start_on(full.into(), &Daemon::ours(), "d", &text(lab), &["-D"])?;
        unhindered(lab, &running)?;
        // and it can be stopped
        let mut running = running;
        running.signal(Signal::TERM)?;
        let status = running.wait(soon())?;
        assert!(status.success(), "{status}");
        drop(reader);
        Ok(())
    });
}

#[test]
fn a_log_file_that_is_a_named_pipe_is_refused_at_once() {
    if !only_ours() {
        return;
    }
    trial("no log file", |lab| {
        let a = lab.router(0);
        let fifo = a.folder().join("fifo");
        a.namespace().run(&format!("mkfifo {}", fifo.display()))?;
        let option = format!("--log-file={}", fifo.display());
        let mut running = a.start_with(&Daemon::ours(), "d", &text(lab), &["-D", &option])?;
        let status = running.wait(soon())?;
        assert!(!status.success(), "nobody reads the pipe: opening it would hang for ever");
        Ok(())
    });
}
