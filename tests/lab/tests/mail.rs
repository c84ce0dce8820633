//! Mail about instances, sync groups, real servers and quorums, as a server of aiosmtpd gets it. Words and headers are keepalived's
//! (interfaces.md section 3, `v1.mail`, `p1.mail`), and what concerns VRRP is the same from Debian's keepalived.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{
    Case, Daemon, Flavour, Instance, Lab, Router, Running, crash, only_ours, patience, trial, wait_until,
};

const PLAIN: Case = Case::PLAIN;
const RELAY: &str = include_str!("mail/relay.py");
const PORT: u16 = 2525;

/// A server in the namespace of the first router.
struct Relay {
    child: Child,
    got: PathBuf,
}

/// What it got.
#[derive(Debug, Clone)]
struct Letter {
    session: u64,
    name: String,
    from: String,
    to: Vec<String>,
    content: String,
    encrypted: bool,
    login: bool,
}

impl Relay {
    fn start(lab: &Lab, words: &[&str]) -> Result<Self> {
        let (program, got) = (lab.folder().join("relay.py"), lab.folder().join("mail"));
        fs::write(&program, RELAY)?;
        fs::write(&got, "")?;
        let mut command = lab.router(0).namespace().command("/usr/bin/python3");
        command.arg(&program).arg(PORT.to_string()).arg(&got).args(words);
        let relay = Self { child: command.spawn()?, got };
        wait_until("the relay listens", patience(Duration::from_secs(20)), || {
            let listening = lab.router(0).namespace().run("ss -Hltn")?;
            Ok(listening.contains(&format!(":{PORT} ")))
        })?;
        Ok(relay)
    }

    fn letters(&self) -> Result<Vec<Letter>> {
        let text = fs::read_to_string(&self.got)?;
        let letter = |line: &str| -> Result<Letter> {
            let value: serde_json::Value = serde_json::from_str(line)?;
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            let to = value["to"].as_array().into_iter().flatten();
            Ok(Letter {
                session: value["session"].as_u64().context("no session")?,
                name: text("name"),
                from: text("from"),
                to: to.filter_map(|to| Some(to.as_str()?.to_owned())).collect(),
                content: text("content"),
                encrypted: value["encrypted"].as_bool().context("encrypted")?,
                login: value["login"].as_bool().context("login")?,
            })
        };
        // the last line may be half written
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(letter).collect()
    }

    fn wait(&self, count: usize) -> Result<Vec<Letter>> {
        let there = || Ok(self.letters()?.len() >= count);
        wait_until("mail comes", patience(Duration::from_secs(15)), there)
            .with_context(|| format!("{:?}", self.letters()))?;
        // nothing more comes
        std::thread::sleep(Duration::from_millis(300));
        self.letters()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Letter {
    /// Its subject without the router's name, and its body.
    fn says(&self) -> String {
        let subject = self.content.lines().find_map(|line| line.strip_prefix("Subject: [r0] ")).unwrap_or("no subject");
        let body = self.content.split("\r\n\r\n").nth(1).unwrap_or("no body").trim();
        format!("{subject}: {body}")
    }

    /// All of it but the lines that differ from mail to mail.
    fn constant(&self) -> String {
        let varies = |line: &&str| line.starts_with("Date: ") || line.starts_with("Message-ID: ");
        self.content.split_inclusive('\n').filter(|line| !varies(line)).collect()
    }
}

fn said(letters: &[Letter]) -> Vec<String> {
    let mut said: Vec<String> = letters.iter().map(Letter::says).collect();
    said.sort();
    said
}

fn global(lines: &str) -> String {
    format!(
        "global_defs {{\n  router_id r0\n  smtp_server 127.0.0.1 {PORT}\n  smtp_helo_name lb.example\n  \
         notification_email {{\n    ops@example.net\n    \"Second <second@example.net>\"\n  }}\n  \
         notification_email_from \"KA <ka@example.net>\"\n  {lines}\n}}\n"
    )
}

fn start(router: &Router, text: &str) -> Result<Running> {
    router.start(&Daemon::ours(), "d", text)
}

/// 2.2.7, which Debian has, takes names before addresses for a part of them, and writes all recipients in a line.
fn as_it_knows_addresses(text: &str) -> String {
    if Daemon::ours().flavour() == Flavour::Ours {
        return text.to_owned();
    }
    let text = text.replace('"', "").replace(",\r\n ", ", ");
    text.replace("KA <ka@example.net>", "ka@example.net").replace("Second <second@example.net>", "second@example.net")
}

const GROUP: &str = "vrrp_sync_group G {\n  group {\n    V7\n    V8\n  }\n}\n";

#[test]
fn instances_and_groups_are_mailed_in_keepalived_s_words() {
    trial("vrrp mail", |lab| {
        let (a, relay) = (lab.router(0), Relay::start(lab, &[])?);
        let instance = |vrid| Instance::new(PLAIN, 200).vrid(vrid).text(a, &[]);
        let text = global("smtp_alert") + GROUP + &instance(7) + &instance(8) + &instance(9);
        let running = start(a, &as_it_knows_addresses(&text))?;
        // each instance and the group: BACKUP, MASTER
        let letters = relay.wait(8)?;
        let body = |state: &str| if state == "MASTER" { "now owning" } else { "no longer owning" };
        let line = |name: &str, state: &str| {
            format!("VRRP Instance {name} - Entering {state} state: => VRRP Instance is {} VRRP VIPs <=", body(state))
        };
        let group = |state: &str| {
            format!("VRRP Group G - Entering {state} state: => All VRRP group instances are now in {state} state <=")
        };
        let of = |state: &str| vec![line("V7", state), line("V8", state), line("V9", state), group(state)];
        let mut expected = [of("BACKUP"), of("MASTER")].concat();
        expected.sort();
        assert_eq!(said(&letters), expected);
        for letter in &letters {
            assert_eq!((letter.from.as_str(), letter.name.as_str()), ("ka@example.net", "lb.example"));
            assert_eq!(letter.to, ["ops@example.net", "second@example.net"]);
            assert!(!letter.encrypted && !letter.login);
        }
        let of_group =
            letters.iter().find(|letter| letter.says() == group("MASTER")).context("no mail of the group")?;
        assert_eq!(
            of_group.constant(),
            as_it_knows_addresses(
                "From: KA <ka@example.net>\r\nSubject: [r0] VRRP Group G - Entering MASTER state\r\n\
                 X-Mailer: Keepalived\r\nTo: ops@example.net,\r\n Second <second@example.net>\r\n\r\n\
                 => All VRRP group instances are now in MASTER state <=\r\n\r\n"
            )
        );
        lab.pull(0, 0)?;
        let letters = relay.wait(12)?;
        let mut expected = of("FAULT");
        expected.sort();
        assert_eq!(said(&letters[8..]), expected);
        running.stop()?;
        Ok(())
    });
}

#[test]
fn each_switch_decides_what_is_mailed() {
    if !only_ours() {
        return; // Debian's was compared above
    }
    trial("mail switches", |lab| {
        let a = lab.router(0);
        let all = ["V7 - Entering BACKUP", "V7 - Entering FAULT", "V7 - Entering MASTER"];
        let group = ["Group G - Entering BACKUP", "Group G - Entering FAULT", "Group G - Entering MASTER"];
        for (globals, of_instance, of_group, expected) in [
            ("smtp_alert_vrrp", "", "smtp_alert off", &all[..]),
            ("", "smtp_alert", "", &all),
            ("smtp_alert off", "smtp_alert on", "", &all),
            ("smtp_alert", "smtp_alert off", "", &group),
            ("smtp_alert\nsmtp_alert_vrrp off", "", "smtp_alert", &group),
            ("smtp_alert_vrrp\nno_email_faults", "", "smtp_alert off", &[all[0], all[2]]),
        ] {
            let relay = Relay::start(lab, &[])?;
            let instance = Instance::new(PLAIN, 200).with(of_instance).text(a, &[]);
            let text =
                global(globals) + &format!("vrrp_sync_group G {{\ngroup {{\nV7\n}}\n{of_group}\n}}\n") + &instance;
            let running = start(a, &text)?;
            wait_until("it is master", patience(Duration::from_secs(10)), || a.has(PLAIN.vip(7)))?;
            lab.pull(0, 0)?;
            let letters = relay.wait(expected.len())?;
            let said = said(&letters);
            ensure!(said.len() == expected.len(), "{globals:?} {of_instance:?} {of_group:?}: {said:?}");
            for (said, expected) in said.iter().zip(expected) {
                ensure!(said.contains(expected), "{globals:?} {of_instance:?} {of_group:?}: {said:?}, not {expected}");
            }
            lab.plug(0, 0)?;
            running.stop()?;
        }
        Ok(())
    });
}

/// A virtual server of two real ones, on ports of this machine.
fn balanced(lines: [&str; 2]) -> String {
    let [of_service, of_server] = lines;
    let real = |port: u16| {
        format!("real_server 127.0.0.1 {port} {{\n{of_server}\nTCP_CHECK {{\nconnect_timeout 1\nretry 0\n}}\n}}\n")
    };
    format!(
        "virtual_server 192.0.2.80 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\ndelay_loop 1\n{of_service}\n{}{}}}\n",
        real(81),
        real(82)
    )
}

/// Something that listens on a port of the first router.
struct Listener(Child);

impl Listener {
    fn start(lab: &Lab, port: u16) -> Result<Self> {
        let script =
            format!("import socket,time\ns=socket.create_server(('127.0.0.1',{port}),backlog=99)\ntime.sleep(999)");
        let mut command: Command = lab.router(0).namespace().command("/usr/bin/python3");
        command.args(["-c", &script]);
        let listener = Self(command.spawn()?);
        wait_until("it listens", patience(Duration::from_secs(20)), || {
            Ok(lab.router(0).namespace().run("ss -Hltn")?.contains(&format!("127.0.0.1:{port} ")))
        })?;
        Ok(listener)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// `p1.mail`, sessions 1795234767.492 (start), …785.519 (loss), …793.001 (gain), …799.980 (a reload removes a server).
#[test]
fn servers_and_quorums_are_mailed_in_keepalived_s_words() {
    if !only_ours() {
        return; // Debian's needs IPVS
    }
    trial("checker mail", |lab| {
        let (a, relay) = (lab.router(0), Relay::start(lab, &[])?);
        let text = |body: &str| global("lvs_backend nftables\nsmtp_alert_checker") + body;
        let (one, two) = (Listener::start(lab, 81)?, Listener::start(lab, 82)?);
        let running = start(a, &text(&balanced(["", ""])))?;
        let of_server = |port: u16, state: &str, what: &str| {
            format!("Realserver [127.0.0.1]:tcp:{port} of virtual server [192.0.2.80]:tcp:80 - {state}: => {what} <=")
        };
        let of_service = |state: &str, what: &str| format!("Virtualserver [192.0.2.80]:tcp:80 - {state}: => {what} <=");
        let failed = "TCP CHECK failed on service";
        let expect = |from: usize, mut expected: Vec<String>| -> Result<()> {
            let letters = relay.wait(from + expected.len())?;
            expected.sort();
            assert_eq!(said(&letters[from..]), expected);
            Ok(())
        };
        expect(0, vec![of_service("UP", "Starting with quorum up 1+0=1 <= 2")])?;
        drop(one);
        expect(1, vec![of_server(81, "DOWN", failed)])?;
        drop(two);
        expect(2, vec![of_server(82, "DOWN", failed), of_service("DOWN", "Lost quorum 1+0=1 <= 0")])?;
        let _two = Listener::start(lab, 82)?;
        let gained = of_service("UP", "Gained quorum 1+0=1 <= 1");
        expect(4, vec![of_server(82, "UP", "TCP CHECK succeed on service"), gained])?;
        let all = balanced(["", ""]);
        let second = all.rfind("real_server").context("no server")?;
        running.reload(&text(&format!("{}}}\n{}", &all[..second], "")))?;
        expect(6, vec![of_server(82, "DOWN", "Removing"), of_service("DOWN", "Lost quorum 1+0=1 <= 0")])?;
        running.stop()?;
        Ok(())
    });
}

#[test]
fn each_switch_decides_what_is_mailed_of_servers() {
    if !only_ours() {
        return; // Debian's needs IPVS
    }
    trial("checker switches", |lab| {
        let a = lab.router(0);
        let (server, service) = ("Realserver", "Virtualserver");
        for (globals, lines, expected) in [
            // real servers are mailed about unless something says otherwise
            ("", ["", ""], &[server, server][..]),
            ("smtp_alert_checker off", ["smtp_alert", ""], &[service, service]),
            ("smtp_alert off", ["", "smtp_alert"], &[server, server]),
            ("smtp_alert\nno_checker_emails", ["smtp_alert off", ""], &[server, server]),
        ] {
            let relay = Relay::start(lab, &[])?;
            let text = global(&format!("lvs_backend nftables\n{globals}")) + &balanced(lines);
            let running = start(a, &text)?;
            let said = said(&relay.wait(expected.len())?);
            ensure!(said.len() == expected.len(), "{globals:?} {lines:?}: {said:?}");
            ensure!(
                said.iter().zip(expected).all(|(said, begin)| said.starts_with(begin)),
                "{globals:?} {lines:?}: {said:?}"
            );
            running.stop()?;
        }
        Ok(())
    });
}

#[test]
fn a_burst_is_one_connection_and_a_stop_is_mailed() {
    if !only_ours() {
        return; // keepalived makes a connection for each mail, and ends before it speaks
    }
    trial("burst", |lab| {
        let (a, relay) = (lab.router(0), Relay::start(lab, &[])?);
        let instances: String = (1..=50).map(|vrid| Instance::new(PLAIN, 200).vrid(vrid).text(a, &[])).collect();
        let running = start(a, &(global("smtp_alert") + &instances))?;
        let letters = relay.wait(100)?;
        // all begin together, and become master in a second or so
        let sessions = letters.last().context("no mail")?.session;
        assert!(sessions <= 4, "{sessions} connections for 100 mails");
        running.stop()?;
        let letters = relay.wait(150)?;
        assert!(letters[149].says().ends_with(" - Stopping: => VRRP Instance stopping <="), "{:?}", letters[149]);
        Ok(())
    });
}

#[test]
fn a_dead_relay_costs_one_line_and_what_waits_is_sent_later() {
    if !only_ours() {
        return; // keepalived tries once
    }
    trial("dead relay", |lab| {
        let a = lab.router(0);
        let silent = Relay::start(lab, &["silent"])?;
        let text = global("smtp_alert\nsmtp_connect_timeout 1") + &Instance::new(PLAIN, 200).text(a, &[]);
        let running = start(a, &text)?;
        wait_until("it is master", patience(Duration::from_secs(10)), || a.has(PLAIN.vip(7)))?;
        let lines = || running.log().lines().filter(|line| line.contains("mail")).count();
        wait_until("the log says so", patience(Duration::from_secs(20)), || Ok(lines() > 0))?;
        drop(silent);
        // nobody listens now
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(lines(), 1, "{}", running.log());
        let relay = Relay::start(lab, &[])?;
        let letters = relay.wait(2)?;
        assert_eq!(letters.len(), 2);
        wait_until("the log says so", patience(Duration::from_secs(20)), || {
            Ok(running.log().contains("mail is sent again; 0 messages were lost"))
        })?;
        running.stop()?;
        Ok(())
    });
}

#[test]
fn a_hostile_relay_ends_nothing_and_gets_the_mail_in_the_end() {
    if !only_ours() {
        return; // keepalived tries once
    }
    trial("hostile relay", |lab| {
        let (a, relay) = (lab.router(0), Relay::start(lab, &["hostile"])?);
        let text = global("smtp_alert\nsmtp_connect_timeout 1") + &Instance::new(PLAIN, 200).text(a, &[]);
        let running = start(a, &text)?;
        let mut first = None;
        wait_until("the observer runs", patience(Duration::from_secs(5)), || {
            first = running.observer_pid();
            Ok(first.is_some())
        })?;
        let letters = relay.wait(2)?;
        let mut said = said(&letters);
        // the one whose answer was lost may have come twice, were it not for a server that forgot it
        said.dedup();
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(running.observer_pid(), first, "{}", running.log());
        let lines = running.log().lines().filter(|line| line.contains("mail")).count();
        assert_eq!(lines, 2, "that mail does not go, and that it goes again: {}", running.log());
        running.stop()?;
        Ok(())
    });
}

#[test]
fn an_observer_that_dies_is_replaced_and_what_happens_then_is_mailed() {
    if !only_ours() {
        return; // keepalived has none
    }
    trial("observer dies", |lab| {
        let (a, relay) = (lab.router(0), Relay::start(lab, &[])?);
        let running = start(a, &(global("smtp_alert") + &Instance::new(PLAIN, 200).text(a, &[])))?;
        relay.wait(2)?;
        let vrrp = running.vrrp_pid()?;
        for _ in 0..3 {
            let killed = running.observer_pid().context("no observer")?;
            crash(killed);
            // what happens while none runs waits for the next one; what reaches one that is dying is lost with it
            let died = format!("observer child process({}) died", killed.as_raw_nonzero());
            running.wait_for_log(&died, patience(Duration::from_secs(10)))?;
            let before = relay.letters()?.len();
            lab.pull(0, 0)?;
            wait_until("it is in fault", patience(Duration::from_secs(10)), || Ok(!a.has(PLAIN.vip(7))?))?;
            lab.plug(0, 0)?;
            wait_until("it is master", patience(Duration::from_secs(10)), || a.has(PLAIN.vip(7)))?;
            let letters = relay.wait(before + 3)?;
            let states: Vec<bool> = ["FAULT", "BACKUP", "MASTER"]
                .map(|state| {
                    letters[before..].iter().any(|letter| letter.says().contains(&format!("Entering {state}")))
                })
                .to_vec();
            assert_eq!(states, [true; 3], "{:?}", said(&letters[before..]));
        }
        assert_eq!(running.vrrp_pid()?, vrrp);
        running.stop()?;
        Ok(())
    });
}

#[test]
fn a_relay_that_wants_tls_and_a_login_gets_them() {
    if !only_ours() {
        return; // keepalived knows neither
    }
    trial("mail by tls", |lab| {
        let a = lab.router(0);
        let file = |name: &str| lab.folder().join(name).display().to_string();
        // the observer is another user, who has to reach the certificate, and not the password
        fs::set_permissions(lab.folder(), fs::Permissions::from_mode(0o755))?;
        let (certificate, key, password) = (file("certificate"), file("key"), file("password"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &key, "-out", &certificate])
            .output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(&password, "secret word\n")?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
        let login = format!("smtp_user lb\nsmtp_password_file {password}");
        let text = |tls: &str| {
            global(&format!("smtp_alert\nsmtp_tls {tls}\n{login}")) + &Instance::new(PLAIN, 200).text(a, &[])
        };
        for (mode, trusted) in [("starttls", true), ("tls", true), ("tls", false)] {
            let relay = Relay::start(lab, &[mode, &certificate, &key, "lb", "secret word"])?;
            let nobody = if trusted { &certificate } else { "/dev/null" };
            let daemon =
                Daemon::ours().with("SSL_CERT_FILE", nobody.into()).with("SSL_CERT_DIR", "/nonexistent".into());
            let running = a.start(&daemon, "d", &text(mode))?;
            if trusted {
                let letters = relay.wait(2).with_context(|| running.log())?;
                assert!(letters.iter().all(|letter| letter.encrypted && letter.login), "{mode}: {letters:?}");
                assert!(!is_root(&running)?);
            } else {
                wait_until("it says why", patience(Duration::from_secs(10)), || Ok(running.log().contains("mail: ")))?;
                assert!(relay.letters()?.is_empty());
            }
            running.stop()?;
        }
        Ok(())
    });
}

/// Whether the observer of `running` is root.
fn is_root(running: &Running) -> Result<bool> {
    let observer = running.observer_pid().context("no observer")?.as_raw_nonzero();
    Ok(fs::read_to_string(format!("/proc/{observer}/status"))?.contains("\nUid:\t0\t"))
}

#[test]
fn another_password_is_used_after_a_reload() {
    if !only_ours() {
        return; // keepalived knows no password
    }
    trial("mail password", |lab| {
        let a = lab.router(0);
        let password = lab.folder().join("password");
        fs::write(&password, "old\n")?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
        let relay = Relay::start(lab, &["login", "", "", "lb", "new"])?;
        let login = format!("smtp_alert\nsmtp_user lb\nsmtp_password_file {}", password.display());
        let text = global(&login) + &Instance::new(PLAIN, 200).text(a, &[]);
        let running = a.start(&Daemon::ours(), "d", &text)?;
        wait_until("it says why", patience(Duration::from_secs(10)), || Ok(running.log().contains("mail: ")))?;
        assert!(relay.letters()?.is_empty());
        // nothing else is different, and what waits is sent at once
        fs::write(&password, "new\n")?;
        running.reload(&text)?;
        let letters = relay.wait(2).with_context(|| running.log())?;
        assert!(letters.iter().all(|letter| letter.login), "{letters:?}");
        assert!(!is_root(&running)?);
        running.stop()?;
        Ok(())
    });
}
