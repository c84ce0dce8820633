//! D-Bus, with dbus-daemon and gdbus. Expected: keepalived 2.4.3 (shared/reference/interfaces.md section 10).

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use keepalived_lab::{
    Case, Daemon, Instance, Lab, Router, Running, only_ours, patience, sandbox, skipped, trial, wait_until,
};

const PLAIN: Case = Case::PLAIN;
const VRID: u8 = 7;
const NAME: &str = "org.keepalived.Vrrp1";
const DAEMON: &str = "/org/keepalived/Vrrp1/Vrrp";
const INSTANCE: &str = "/org/keepalived/Vrrp1/Instance/eth0/7/IPv4";
/// A user who may look and no more.
const STRANGER: &str = "--reuid=65534 --regid=65534 --clear-groups";

fn long() -> Duration {
    patience(Duration::from_secs(20))
}

/// A program that is killed at the end.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Who may send what on a bus.
#[derive(Clone, Copy)]
enum Policy {
    /// As on Debian's system bus, with our policy file.
    Ours,
    /// Everybody may send everything: the daemon itself has to refuse.
    Lenient,
}

/// A message bus on a socket in `folder`.
struct Bus {
    folder: PathBuf,
    policy: Policy,
    daemon: Option<Killed>,
}

impl Bus {
    fn new(lab: &Lab, policy: Policy) -> Result<Self> {
        let folder = lab.folder().join("bus");
        std::fs::create_dir_all(&folder)?;
        // the stranger has to reach it
        for place in folder.ancestors().take(2) {
            std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755))?;
        }
        let mut bus = Self { folder, policy, daemon: None };
        bus.start()?;
        Ok(bus)
    }

    fn start(&mut self) -> Result<()> {
        let socket = self.folder.join("socket");
        std::fs::remove_file(&socket).ok();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/dbus/org.keepalived.Vrrp1.conf");
        let policy = match self.policy {
            Policy::Ours => format!(
                "<policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/><deny send_type=\"method_call\"/>\
                 <allow send_type=\"signal\"/><allow send_requested_reply=\"true\" send_type=\"method_return\"/>\
                 <allow send_requested_reply=\"true\" send_type=\"error\"/><allow receive_type=\"method_call\"/>\
                 <allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow receive_type=\"signal\"/>\
                 <allow send_destination=\"org.freedesktop.DBus\"/></policy><include>{}</include>",
                ours.display()
            ),
            Policy::Lenient => {
                "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\"/><allow receive_sender=\"*\"/>\
                                <allow send_type=\"signal\"/></policy>"
                    .to_owned()
            }
        };
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>system</type>\
             <listen>unix:path={}</listen><auth>EXTERNAL</auth>{policy}</busconfig>\n",
            socket.display()
        );
        let file = self.folder.join("bus.conf");
        std::fs::write(&file, text)?;
        let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
        let mut command = Command::new("dbus-daemon");
        command.args(["--nofork", "--nopidfile", "--nosyslog"]).arg(format!("--config-file={}", file.display()));
        self.daemon = Some(Killed(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?));
        wait_until("the bus listens", long(), || Ok(socket.exists()))
    }

    fn end(&mut self) {
        self.daemon = None;
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.folder.join("socket").display())
    }

    /// What gdbus says: `words` are split at blanks.
    fn gdbus(&self, user: Option<&str>, words: &str) -> Result<(String, bool)> {
        let mut command = Command::new(if user.is_some() { "setpriv" } else { "gdbus" });
        if let Some(user) = user {
            command.args(user.split_whitespace()).arg("gdbus");
        }
        command.args(words.split_whitespace()).env("DBUS_SYSTEM_BUS_ADDRESS", self.address());
        let output = command.stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok((text, output.status.success()))
    }

    /// Calls a method of an object.
    fn call(&self, user: Option<&str>, path: &str, method: &str) -> Result<(String, bool)> {
        self.gdbus(user, &format!("call --system --timeout 20 --dest {NAME} --object-path {path} --method {method}"))
    }

    fn state(&self, user: Option<&str>, path: &str) -> Result<String> {
        let get = "org.freedesktop.DBus.Properties.Get org.keepalived.Vrrp1.Instance State";
        Ok(self.call(user, path, get)?.0)
    }

    /// Everything that goes over the bus, in a file. gdbus would miss what comes before it has looked for the owner of a name.
    fn monitor(&self) -> Result<Monitor> {
        let path = self.folder.join("monitor");
        let mut command = Command::new("dbus-monitor");
        command
            .args(["--address", &self.address()])
            .stdin(Stdio::null())
            .stdout(File::create(&path)?)
            .stderr(File::create(self.folder.join("monitor.errors"))?);
        let mut monitor = Monitor { program: Killed(command.spawn()?), path };
        wait_until("dbus-monitor listens", long(), || {
            // one that the bus has turned away asks again
            if monitor.program.0.try_wait()?.is_some() {
                monitor.program = Killed(command.spawn()?);
            }
            self.gdbus(
                None,
                "call --system --dest org.freedesktop.DBus --object-path / --method org.freedesktop.DBus.GetId",
            )?;
            Ok(std::fs::read_to_string(&monitor.path)?.contains("member=GetId"))
        })?;
        Ok(monitor)
    }

    /// A daemon that is told of this bus.
    fn daemon(&self) -> Daemon {
        Daemon::ours().with("DBUS_SYSTEM_BUS_ADDRESS", self.address().into())
    }
}

/// dbus-monitor.
struct Monitor {
    program: Killed,
    path: PathBuf,
}

impl Monitor {
    /// Our signals: `PATH MEMBER`, and the state of those that have one.
    fn signals(&self) -> Result<Vec<String>> {
        let text = std::fs::read_to_string(&self.path)?;
        let mut signals = Vec::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if !line.starts_with("signal ") || !line.contains("interface=org.keepalived.Vrrp1.") {
                continue;
            }
            let part = |name: &str| {
                line.split_once(name).and_then(|(_, rest)| rest.split([';', ' ']).next()).unwrap_or_default()
            };
            let state =
                lines.peek().and_then(|next| next.trim().strip_prefix("uint32 ")).map(|number| format!(" {number}"));
            signals.push(format!("{} {}{}", part("path="), part("member="), state.unwrap_or_default()));
        }
        Ok(signals)
    }

    fn has(&self, signal: &str) -> Result<bool> {
        Ok(self.signals()?.iter().any(|seen| seen == signal))
    }
}

fn text(router: &Router, more: &str) -> String {
    let text = Instance::new(PLAIN, 200).every(Duration::from_millis(300)).alone(router, &[]);
    text.replace("global_defs {\n", &format!("global_defs {{\n  enable_dbus\n{more}"))
}

fn is_missing(test: &str) -> bool {
    let missing = ["dbus-daemon", "dbus-monitor", "gdbus"].into_iter().find(|program| sandbox::find(program).is_none());
    if let Some(program) = missing {
        skipped(test, &format!("{program} is not installed"));
    }
    missing.is_some()
}

fn ctl(lab: &Lab, running: &Running, words: &str) -> Result<(String, i32)> {
    let program = Daemon::ours().program().with_file_name("keepalivedctl");
    let socket = running.file("pid").with_extension("sock");
    let output = lab
        .router(0)
        .namespace()
        .command(program)
        .args(words.split_whitespace())
        .arg("--socket")
        .arg(socket)
        .output()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((text, output.status.code().unwrap_or(-1)))
}

#[test]
fn a_bus_has_our_objects_and_hears_of_our_states() {
    if !only_ours() || is_missing("a bus has our objects") {
        return;
    }
    trial("dbus", |lab| {
        let a = lab.router(0);
        let mut bus = Bus::new(lab, Policy::Ours)?;
        let monitor = bus.monitor()?;
        let said = |line: &str| monitor.has(line);
        let status = |number: u32| format!("{INSTANCE} VrrpStatusChange {number}");
        let running = a.start(&bus.daemon(), "a", &text(a, "  vrrp_garp_master_delay 0\n"))?;
        wait_until("D-Bus says master", long(), || Ok(bus.state(None, INSTANCE)? == "(<(uint32 2, 'Master')>,)\n"))?;
        wait_until("it was signalled", long(), || said(&status(2)))?;
        let signals = monitor.signals()?;
        ensure!(signals.first() == Some(&format!("{DAEMON} VrrpStarted")), "{signals:?}");

        // everybody may look
        let (seen, _) =
            bus.gdbus(Some(STRANGER), &format!("introspect --system --dest {NAME} --object-path / --recurse"))?;
        for part in [
            "node /org/keepalived/Vrrp1/Instance/eth0/7/IPv4 {",
            "node /org/keepalived/Vrrp1/Vrrp {",
            "interface org.keepalived.Vrrp1.Instance {",
            "SendGarp();",
            "VrrpStatusChange(u status);",
            "readonly (s) Name = ('V7',);",
            "readonly (us) State = (2, 'Master');",
            "PrintData();",
            "PrintStats();",
            "PrintStatsClear();",
            "ReloadConfig();",
            "VrrpStarted();",
            "VrrpReloaded();",
            "VrrpStopped();",
        ] {
            ensure!(seen.contains(part), "{part}: {seen}");
        }

        // root may do what keepalived's methods do, others may not
        let vip = PLAIN.vip(VRID);
        let announced = |mark| -> Result<usize> {
            Ok(lab.capture().since(mark)?.iter().filter(|event| event.announces() == Some(vip)).count())
        };
        // those of its takeover: garp_master_repeat
        wait_until("the takeover is announced", long(), || Ok(announced(0)? == 5))?;
        let mark = lab.capture().mark()?;
        let garp = "org.keepalived.Vrrp1.Instance.SendGarp";
        let (answer, done) = bus.call(Some(STRANGER), INSTANCE, garp)?;
        ensure!(!done && answer.contains("AccessDenied"), "{answer}");
        let (answer, done) = bus.call(None, INSTANCE, garp)?;
        ensure!(done && answer == "()\n", "{answer}");
        let (answer, code) = ctl(lab, &running, "garp V7")?;
        ensure!(code == 0, "{answer}");
        wait_until("each is one announcement", long(), || Ok(announced(mark)? == 2))?;
        let (events, _) = ctl(lab, &running, "events V7")?;
        ensure!(events.contains("announcement of the addresses of V7, asked for by user 0 (D-Bus :"), "{events}");
        let (answer, done) = bus.call(None, DAEMON, "org.keepalived.Vrrp1.Vrrp.PrintData")?;
        ensure!(done, "{answer}");
        wait_until("the data is written", long(), || Ok(running.file("keepalived.data").exists()))?;
        let (answer, done) = bus.call(None, DAEMON, "org.keepalived.Vrrp1.Vrrp.PrintStatsClear")?;
        ensure!(done, "{answer}");
        wait_until("the statistics are written", long(), || Ok(running.file("keepalived.stats").exists()))?;
        // a build option of keepalived that Debian does not set
        let (answer, done) = bus.call(None, DAEMON, "org.keepalived.Vrrp1.Vrrp.CreateInstance x eth0 9 4")?;
        ensure!(!done && answer.contains("UnknownMethod"), "{answer}");

        // a transition, there and back
        lab.pull(0, 0)?;
        wait_until("FAULT is signalled", long(), || said(&status(3)))?;
        ensure!(bus.state(Some(STRANGER), INSTANCE)?.contains("(uint32 3, 'Fault')"));
        let (answer, done) = bus.call(None, INSTANCE, garp)?;
        ensure!(!done && answer.contains("only a MASTER has addresses to announce"), "{answer}");
        let (answer, code) = ctl(lab, &running, "garp V7")?;
        ensure!(code == 4 && answer.contains("only a MASTER"), "{answer}");
        lab.plug(0, 0)?;
        wait_until("it is master again", long(), || Ok(bus.state(None, INSTANCE)?.contains("Master")))?;

        // keepalived 2.2.7 (observed): a reload is signalled, whatever it changes; other changes are none
        let (answer, code) = ctl(lab, &running, "priority V7 190")?;
        ensure!(code == 0, "{answer}");
        let reloaded = format!("{DAEMON} VrrpReloaded");
        ensure!(!said(&reloaded)?, "{:?}", monitor.signals()?);
        let (answer, code) = ctl(lab, &running, "reload")?;
        ensure!(code == 0, "{answer}");
        wait_until("the reload is signalled", long(), || said(&reloaded))?;

        // objects come and go
        let another = "/org/keepalived/Vrrp1/Instance/eth0/8/IPv4";
        let more = Instance::new(PLAIN, 200).vrid(8).every(Duration::from_millis(300)).text(a, &[]);
        std::fs::write(running.file("keepalived.conf"), text(a, "") + &more)?;
        let (answer, done) = bus.call(None, DAEMON, "org.keepalived.Vrrp1.Vrrp.ReloadConfig")?;
        ensure!(done, "{answer}");
        wait_until("the other one is master", long(), || Ok(bus.state(None, another)?.contains("Master")))?;
        let reloads = |count| Ok(monitor.signals()?.iter().filter(|signal| **signal == reloaded).count() == count);
        wait_until("that reload is signalled, too", long(), || reloads(2))?;
        running.reload(&text(a, ""))?;
        wait_until("it is gone", long(), || Ok(bus.state(None, another)?.contains("UnknownObject")))?;
        // keepalived 2.4.3: FAULT, unless notify_deleted is set
        wait_until("that is signalled", long(), || said(&status(3).replace("/7/", "/8/")))?;

        // a bus that is started again has us again
        let vrrp = running.vrrp_pid()?;
        bus.end();
        running.wait_for_log("trying again", long())?;
        bus.start()?;
        let monitor = bus.monitor()?;
        let again = patience(Duration::from_secs(40));
        wait_until("we are there again", again, || Ok(bus.state(None, INSTANCE)?.contains("Master")))?;
        ensure!(running.vrrp_pid()? == vrrp && a.has(vip)?);
        running.stop()?;
        let last = format!("{DAEMON} VrrpStopped");
        wait_until("the end is signalled", long(), || monitor.has(&last))?;
        let signals = monitor.signals()?;
        ensure!(signals.ends_with(&[status(98), last]), "{signals:?}");
        Ok(())
    });
}

#[test]
fn the_daemon_itself_asks_who_calls() {
    if !only_ours() || is_missing("the daemon itself asks who calls") {
        return;
    }
    trial("dbus-policy", |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let bus = Bus::new(lab, Policy::Lenient)?;
        let first = a.start(
            &bus.daemon(),
            "a",
            &text(a, "  dbus_service_name org.keepalived.Vrrp1\n  dbus_no_interface_name nix\n"),
        )?;
        wait_until("D-Bus says master", long(), || Ok(bus.state(None, INSTANCE)?.contains("Master")))?;
        for (path, method) in [
            (INSTANCE, "org.keepalived.Vrrp1.Instance.SendGarp"),
            (DAEMON, "org.keepalived.Vrrp1.Vrrp.ReloadConfig"),
            (DAEMON, "org.keepalived.Vrrp1.Vrrp.PrintData"),
        ] {
            let (answer, done) = bus.call(Some(STRANGER), path, method)?;
            ensure!(!done && answer.contains("AccessDenied") && answer.contains("only root may do that"), "{answer}");
        }
        ensure!(!first.file("keepalived.data").exists() && !first.log().contains("Reloading"), "{}", first.log());
        // a long call is not looked at
        let long_name = "x".repeat(100_000);
        let get = format!("org.freedesktop.DBus.Properties.Get {long_name} State");
        let (answer, done) = bus.call(Some(STRANGER), INSTANCE, &get)?;
        ensure!(!done && answer.contains("LimitsExceeded"), "{answer:.300}");
        // many at once keep nobody out
        let calls = (0..40).map(|_| {
            let mut command = Command::new("setpriv");
            command.args(STRANGER.split_whitespace()).args(["gdbus", "call", "--system", "--dest", NAME]);
            command.args(["--object-path", INSTANCE, "--method", "org.keepalived.Vrrp1.Instance.SendGarp"]);
            command
                .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            Ok(Killed(command.spawn()?))
        });
        let calls = calls.collect::<Result<Vec<_>>>()?;
        ensure!(bus.state(None, INSTANCE)?.contains("Master"));
        drop(calls);
        let (answer, done) = bus.call(None, INSTANCE, "org.keepalived.Vrrp1.Instance.SendGarp")?;
        ensure!(done, "{answer}");

        // there is one name: another daemon waits for it
        let second = b.start(
            &bus.daemon(),
            "b",
            &Instance::new(PLAIN, 100)
                .with("nopreempt")
                .alone(b, &[a])
                .replace("global_defs {\n", "global_defs {\n  enable_dbus\n"),
        )?;
        second.wait_for_log("another program has the name org.keepalived.Vrrp1", long())?;
        first.stop()?;
        wait_until("the second one has the name", patience(Duration::from_secs(60)), || {
            Ok(second.log().contains("D-Bus: we are org.keepalived.Vrrp1"))
        })?;
        wait_until("and is master", long(), || Ok(bus.state(None, INSTANCE)?.contains("Master")))
    });
}
