//! `webhook`, a keyword of ours: what a receiver gets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{Case, Daemon, Instance, Lab, only_ours, patience, trial, wait_until};
use serde_json::Value;

const PLAIN: Case = Case::PLAIN;

fn long() -> Duration {
    patience(Duration::from_secs(30))
}

/// A receiver in a router's namespace.
#[derive(Clone, Default)]
struct Receiver {
    /// The first line of each request and its body.
    got: Arc<Mutex<Vec<(String, Value)>>>,
    /// What it answers, from the last to the first; 204 after that.
    answers: Arc<Mutex<Vec<&'static str>>>,
}

impl Receiver {
    fn start(lab: &Lab, port: u16, answers: &[&'static str]) -> Result<Self> {
        let listener = lab.router(0).namespace().inside(|| Ok(TcpListener::bind(("127.0.0.1", port))?))?;
        let receiver = Self::default();
        receiver.answers.lock().expect("no panic").extend(answers.iter().rev());
        let serves = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serves.serve(stream).ok();
            }
        });
        Ok(receiver)
    }

    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim().to_ascii_lowercase();
            if let Some(number) = line.strip_prefix("content-length:") {
                length = number.trim().parse()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = self.answers.lock().expect("no panic").pop().unwrap_or("204 No Content");
        self.got.lock().expect("no panic").push((format!("{} {answer}", first.trim()), serde_json::from_slice(&body)?));
        // a body without end: what is not needed is not read
        write!(stream, "HTTP/1.1 {answer}\r\nLocation: http://127.0.0.1:9/elsewhere\r\n\r\n{}", "x".repeat(100_000))
            .ok();
        Ok(())
    }

    /// `KIND NAME TO` of what was taken or answered so.
    fn got(&self, answer: &str) -> Vec<String> {
        let got = self.got.lock().expect("no panic");
        let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let with = got.iter().filter(|(line, _)| line.ends_with(answer));
        with.map(|(_, body)| ["kind", "name", "to"].map(|name| word(&body[name])).join(" ")).collect()
    }
}

/// What a receiver answers that does not mean well: it is called once a request has come.
type Trick = fn(&mut TcpStream) -> std::io::Result<()>;

/// Says nothing, and holds the connection.
fn silent(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}

/// An answer that never begins.
fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    loop {
        stream.write_all("HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000).as_bytes())?;
    }
}

/// A head without end.
fn huge(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 204 No Content\r\n")?;
    loop {
        stream.write_all("X: y\r\n".repeat(1_000).as_bytes())?;
    }
}

/// What is no HTTP, and would write to a terminal.
fn rubbish(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"\x1b[31mSSH-2.0-OpenSSH\r\n\r\n")
}

/// An answer that comes an octet a second.
fn slow(stream: &mut TcpStream) -> std::io::Result<()> {
    for octet in b"HTTP/1.1 204 No Content\r\n\r\n" {
        stream.write_all(&[*octet])?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// A receiver that does not mean well.
fn play(lab: &Lab, port: u16, trick: Trick) -> Result<()> {
    let listener = lab.router(0).namespace().inside(|| Ok(TcpListener::bind(("127.0.0.1", port))?))?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // the request comes in one piece, or enough of it does
            std::thread::spawn(move || stream.read(&mut [0; 4096]).and_then(|_| trick(&mut stream)));
        }
    });
    Ok(())
}

fn metrics(lab: &Lab) -> Result<String> {
    lab.router(0).namespace().inside(|| {
        let mut stream = TcpStream::connect(("127.0.0.1", 9650))?;
        stream.set_read_timeout(Some(long()))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}

fn text(lab: &Lab, more: &str) -> String {
    let text = Instance::new(PLAIN, 200).every(Duration::from_millis(300)).alone(lab.router(0), &[]);
    let group = "vrrp_sync_group G {\n group {\n V7\n }\n}\n";
    text.replace("global_defs {\n", &format!("global_defs {{\n  metrics_listen 9650\n{more}")) + group
}

#[test]
fn each_event_is_posted_once() {
    if !only_ours() {
        return;
    }
    trial("webhook", |lab| {
        // the first one has to be sent twice, the second one is sent elsewhere, which is not followed
        let receiver = Receiver::start(lab, 8080, &["503 Busy", "204 No Content", "302 Found"])?;
        let running =
            lab.router(0).start(&Daemon::ours(), "a", &text(lab, "  webhook http://127.0.0.1:8080/hook?key=1\n"))?;
        let master = ["instance V7 MASTER", "sync_group G MASTER"];
        wait_until("it was told of the master", long(), || {
            Ok(receiver.got("204 No Content").ends_with(&master.map(str::to_owned)))
        })?;
        let first = receiver.got.lock().expect("no panic").first().cloned().context("nothing came")?;
        ensure!(first.0 == "POST /hook?key=1 HTTP/1.1 503 Busy" && first.1["router_id"] == "r0", "{first:?}");
        ensure!(receiver.got("503 Busy").len() == 1 && receiver.got("302 Found").len() == 1);
        // each once
        let mut taken = receiver.got("204 No Content");
        let all = taken.len();
        taken.sort();
        taken.dedup();
        ensure!(taken.len() == all, "{:?}", receiver.got("204 No Content"));
        lab.pull(0, 0)?;
        wait_until("it was told of the fault", long(), || {
            let taken = receiver.got("204 No Content");
            Ok(["instance V7 FAULT", "sync_group G FAULT"].iter().all(|wanted| taken.iter().any(|got| got == wanted)))
        })?;
        let seen = metrics(lab)?;
        ensure!(
            seen.contains("keepalived_webhook_lost_total 1\n") && seen.contains("keepalived_webhook_failed_total 2\n"),
            "{seen}"
        );
        // the end is told, too
        running.stop()?;
        ensure!(
            receiver.got("204 No Content").iter().any(|got| got == "instance V7 STOP"),
            "{:?}",
            receiver.got("204 No Content")
        );
        Ok(())
    });
}

/// The observer begins with the webhook: nothing else needs it.
#[test]
fn a_webhook_is_told_nothing_from_before_the_reload_that_brought_it() {
    if !only_ours() {
        return;
    }
    trial("late webhook", |lab| {
        let a = lab.router(0);
        let receiver = Receiver::start(lab, 8080, &[])?;
        let without = text(lab, "").replace("  metrics_listen 9650\n", "");
        let running = a.start(&Daemon::ours(), "a", &without)?;
        wait_until("it is master", long(), || a.has(PLAIN.vip(7)))?;
        ensure!(running.observer_pid().is_none(), "nothing needs it");
        let with = without.replace("global_defs {\n", "global_defs {\n  webhook http://127.0.0.1:8080/hook\n");
        running.reload(&with)?;
        wait_until("there is an observer", long(), || Ok(running.observer_pid().is_some()))?;
        lab.pull(0, 0)?;
        let got = || receiver.got("204 No Content");
        wait_until("it is told", long(), || Ok(got().iter().any(|got| got == "instance V7 FAULT")))?;
        ensure!(!got().iter().any(|got| got == "instance V7 MASTER"), "{:?}", got());
        Ok(())
    });
}

#[test]
fn a_dead_receiver_costs_a_counter_and_no_more() {
    if !only_ours() {
        return;
    }
    trial("webhook-dead", |lab| {
        let running = lab.router(0).start(&Daemon::ours(), "a", &text(lab, "  webhook http://127.0.0.1:8080/\n"))?;
        wait_until("it is counted", long(), || {
            let seen = metrics(lab).unwrap_or_default();
            let failed = seen.lines().find_map(|line| line.strip_prefix("keepalived_webhook_failed_total "));
            Ok(failed.and_then(|number| number.parse::<u64>().ok()) > Some(1)
                && seen.contains("keepalived_webhook_waiting 4\n"))
        })?;
        ensure!(running.log().matches("webhook: ").count() == 1, "{}", running.log());
        // it comes back, and has all in order
        let receiver = Receiver::start(lab, 8080, &[])?;
        wait_until("it has all", long(), || Ok(receiver.got("204 No Content").len() == 4))?;
        let wanted = ["instance V7 BACKUP", "sync_group G BACKUP", "instance V7 MASTER", "sync_group G MASTER"];
        ensure!(receiver.got("204 No Content") == wanted, "{:?}", receiver.got("204 No Content"));
        // without the keyword nothing is counted
        running.reload(&text(lab, ""))?;
        wait_until("it is gone from metrics", long(), || Ok(!metrics(lab)?.contains("webhook")))?;
        ensure!(!running.log().contains("are lost"), "{}", running.log());
        Ok(())
    });
}

#[test]
fn a_receiver_that_does_not_mean_well_delays_nobody_and_the_next_one_gets_all() {
    if !only_ours() {
        return;
    }
    trial("webhook-tricks", |lab| {
        let tricks: [(u16, Trick, &str); 5] = [
            (8081, silent, "does not answer for 10 s"),
            (8082, endless, "says too much"),
            (8083, huge, "127.0.0.1 port 8083: "),
            (8084, rubbish, "127.0.0.1 port 8084: "),
            (8085, slow, "127.0.0.1 port 8085 does not answer for 10 s"),
        ];
        for (port, trick, _) in tricks {
            play(lab, port, trick)?;
        }
        let at = |port: u16| text(lab, &format!("  webhook http://127.0.0.1:{port}/\n"));
        let running = lab.router(0).start(&Daemon::ours(), "a", &at(8081))?;
        let mut previous = 8081;
        for (port, _, said) in tricks {
            if port != previous {
                running.reload(&at(port))?;
                previous = port;
            }
            // whoever else asks the observer is answered meanwhile
            wait_until("four events wait", long(), || {
                Ok(metrics(lab).is_ok_and(|all| all.contains("keepalived_webhook_waiting 4\n")))
            })?;
            running.wait_for_log(said, long()).with_context(|| running.log())?;
        }
        ensure!(!running.log().contains('\x1b'), "{}", running.log());
        let receiver = Receiver::start(lab, 8086, &[])?;
        running.reload(&at(8086))?;
        wait_until("it has all", long(), || Ok(receiver.got("204 No Content").len() == 4))?;
        let wanted = ["instance V7 BACKUP", "sync_group G BACKUP", "instance V7 MASTER", "sync_group G MASTER"];
        ensure!(receiver.got("204 No Content") == wanted, "{:?}", receiver.got("204 No Content"));
        ensure!(metrics(lab)?.contains("keepalived_webhook_lost_total 0\n"), "{}", metrics(lab)?);
        running.stop()?;
        // the end waits for nobody
        let running = lab.router(0).start(&Daemon::ours(), "b", &at(8081))?;
        wait_until("four events wait", long(), || {
            Ok(metrics(lab).is_ok_and(|all| all.contains("keepalived_webhook_waiting 4\n")))
        })?;
        let log = running.file("log");
        running.stop()?;
        let log = std::fs::read_to_string(log)?;
        ensure!(log.contains("events were not sent before the end"), "{log}");
        Ok(())
    });
}

#[test]
fn many_events_at_once_come_one_by_one() {
    if !only_ours() {
        return;
    }
    trial("webhook-many", |lab| {
        const MANY: u8 = 100;
        let receiver = Receiver::start(lab, 8080, &[])?;
        let a = lab.router(0);
        let instance = |vrid: u8| Instance::new(PLAIN, 200).vrid(vrid).every(Duration::from_millis(500));
        let first = instance(1).alone(a, &[]);
        let more = "global_defs {\n  metrics_listen 9650\n  webhook http://127.0.0.1:8080/\n";
        let others: String = (2..=MANY).map(|vrid| instance(vrid).text(a, &[])).collect();
        let running = a.start(&Daemon::ours(), "a", &(first.replace("global_defs {\n", more) + &others))?;
        let masters = || receiver.got("204 No Content").iter().filter(|got| got.ends_with(" MASTER")).count();
        wait_until("it was told of all masters", long(), || Ok(masters() == usize::from(MANY)))?;
        lab.pull(0, 0)?;
        let faults = || receiver.got("204 No Content").iter().filter(|got| got.ends_with(" FAULT")).count();
        wait_until("it was told of all faults", long(), || Ok(faults() == usize::from(MANY)))?;
        let mut all = receiver.got("204 No Content");
        let count = all.len();
        all.sort();
        all.dedup();
        ensure!(all.len() == count, "some came twice: {count}, {}", all.len());
        ensure!(metrics(lab)?.contains("keepalived_webhook_lost_total 0\n"));
        running.stop()?;
        Ok(())
    });
}

/// A receiver that speaks TLS; it writes the bodies into a file, a line each.
const BY_TLS: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        with open(sys.argv[3], 'ab') as got:
            got.write(self.headers['host'].encode() + b' ' + body + b'\n')
        self.send_response(204)
        self.end_headers()
server = http.server.ThreadingHTTPServer(('127.0.0.1', 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// Ends with this value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn https_is_spoken_with_whoever_has_a_certificate_that_is_believed() {
    if !only_ours() {
        return;
    }
    trial("webhook-tls", |lab| {
        let a = lab.router(0);
        let file = |name: &str| lab.folder().join(name).display().to_string();
        // the observer is another user, who has to reach the certificate
        std::fs::set_permissions(lab.folder(), std::fs::Permissions::from_mode(0o755))?;
        let (certificate, key, got) = (file("certificate"), file("key"), file("got"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hook"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &key, "-out", &certificate])
            .output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut command = a.namespace().command("/usr/bin/python3");
        command.args(["-c", BY_TLS, &certificate, &key, &got]).stderr(Stdio::null()).stdout(Stdio::null());
        let _server = Killed(command.spawn()?);
        wait_until("the receiver listens", long(), || {
            Ok(a.namespace().inside(|| Ok(TcpStream::connect(("127.0.0.1", 8443))?)).is_ok())
        })?;
        let text = text(lab, "  webhook https://127.0.0.1:8443/hook\n");
        for is_trusted in [false, true] {
            let nobody = if is_trusted { &certificate } else { "/dev/null" };
            let daemon =
                Daemon::ours().with("SSL_CERT_FILE", nobody.into()).with("SSL_CERT_DIR", "/nonexistent".into());
            let running = a.start(&daemon, "a", &text)?;
            if is_trusted {
                let all = || std::fs::read_to_string(&got).unwrap_or_default();
                wait_until("it was told of the master", long(), || {
                    Ok(all().lines().any(|line| line.contains("\"sync_group\"") && line.contains("\"MASTER\"")))
                })?;
                ensure!(all().starts_with("127.0.0.1:8443 {"), "{}", all());
            } else {
                running.wait_for_log("invalid peer certificate", long()).with_context(|| running.log())?;
                ensure!(!std::path::Path::new(&got).exists(), "events were sent");
            }
            running.stop()?;
        }
        Ok(())
    });
}
