//! What can be asked: keepalivedctl, metrics and the status page, and that nobody who asks harms the daemon.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{Browser, Case, Daemon, Instance, Lab, Running, only_ours, patience, skipped, trial, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PLAIN: Case = Case::PLAIN;
const VRID: u8 = 7;
const PORT: u16 = 9650;

/// The observer's user where there is no user `keepalived` (docs/differences.md).
const NAMELESS: &str = "2100000112";

fn long() -> Duration {
    patience(Duration::from_secs(20))
}

/// A master whose router is called `<b>lb1</b>`.
fn start(lab: &Lab) -> Result<Running> {
    let a = lab.router(0);
    let text = Instance::new(PLAIN, 200).every(Duration::from_millis(300)).alone(a, &[]);
    let more = format!("  router_id \"<b>lb1</b>\"\n  metrics_listen {PORT}\n  control_group nogroup\n");
    ensure!(text.contains("  router_id r0\n"), "{text}");
    let running = a.start(&Daemon::ours(), "a", &text.replace("  router_id r0\n", &more))?;
    wait_until("it is master", long(), || a.has(PLAIN.vip(VRID)))?;
    Ok(running)
}

fn socket(running: &Running) -> PathBuf {
    running.file("pid").with_extension("sock")
}

/// What keepalivedctl says, and its exit status.
fn ctl(lab: &Lab, running: &Running, user: Option<&str>, words: &str) -> Result<(String, i32)> {
    let program = Daemon::ours().program().with_file_name("keepalivedctl");
    let socket = socket(running);
    let mut command =
        lab.router(0).namespace().command(if user.is_some() { PathBuf::from("setpriv") } else { program.clone() });
    if let Some(user) = user {
        command.args(user.split_whitespace()).arg("--").arg(&program);
    }
    let output = command.args(words.split_whitespace()).arg("--socket").arg(socket).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((text, output.status.code().unwrap_or(-1)))
}

fn status(lab: &Lab, running: &Running) -> Result<Value> {
    let (text, _) = ctl(lab, running, None, "status --json")?;
    serde_json::from_str(&text).with_context(|| text.clone())
}

/// The process of the daemon that has this name.
fn process(lab: &Lab, running: &Running, name: &str) -> Result<Option<Pid>> {
    let status = status(lab, running)?;
    let processes = status["daemon"]["processes"].as_array().context("processes")?;
    let pid = processes.iter().find(|process| process["name"] == name).and_then(|process| process["pid"].as_i64());
    Ok(pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)))
}

#[test]
fn status_shows_what_is() {
    if !only_ours() {
        return;
    }
    trial("status", |lab| {
        let running = start(lab)?;
        wait_until("all is well", long(), || Ok(ctl(lab, &running, None, "status")?.1 == 0))?;
        let (text, _) = ctl(lab, &running, None, "status")?;
        ensure!(text.contains("All well") && text.contains("MASTER") && text.contains("this router"), "{text}");
        let seen = status(lab, &running)?;
        let instance = &seen["instances"][0];
        ensure!(instance["state"] == "MASTER" && instance["addresses"][0]["set"] == true, "{seen}");
        ensure!(instance["counters"]["advert_sent"].as_u64() > Some(0), "{seen}");
        let name = instance["name"].as_str().context("name")?.to_owned();
        let (text, code) = ctl(lab, &running, None, &format!("why {name}"))?;
        ensure!(code == 0 && text.contains("no master heard") && text.contains("What would change it"), "{text}");
        let (text, code) = ctl(lab, &running, None, "why nothing")?;
        ensure!(code == 4 && text.contains("nothing is called"), "{text}");

        let (text, _) = ctl(lab, &running, None, "show process")?;
        ensure!(text.contains("vrrp") && text.contains("supervisor") && text.contains("runs"), "{text}");
        for (part, has) in [("process", "daemon"), ("peers", "peers"), ("trackers", "trackers")] {
            let (text, code) = ctl(lab, &running, None, &format!("show {part} --json"))?;
            let shown: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
            ensure!(code == 0 && shown["version"] == 1 && !shown[has].is_null(), "{text}");
        }
        let (text, code) = ctl(lab, &running, None, &format!("why {name} --json"))?;
        let why: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        let (instance, last) = (&why["instances"][0], why["events"].as_array().and_then(|events| events.last()));
        ensure!(code == 0 && instance["name"] == name && instance["state"] == "MASTER", "{text}");
        ensure!(last.is_some_and(|event| event["to"] == "MASTER"), "{text}");
        let (text, _) = ctl(lab, &running, None, "show peers")?;
        ensure!(text.contains("224.0.0.18") && text.contains("this router"), "{text}");

        lab.pull(0, 0)?;
        wait_until("the fault is a problem", long(), || Ok(ctl(lab, &running, None, "status")?.1 == 2))?;
        let (text, _) = ctl(lab, &running, None, "status")?;
        ensure!(text.contains("is in FAULT") && text.contains("1 problem"), "{text}");
        let (text, _) = ctl(lab, &running, None, "events")?;
        ensure!(text.contains("MASTER -> FAULT") && text.contains("BACKUP -> MASTER"), "{text}");
        lab.plug(0, 0)?;
        wait_until("it is well again", long(), || Ok(ctl(lab, &running, None, "status")?.1 == 0))?;

        // a reload that was asked for has ended when the answer comes
        let good = std::fs::read_to_string(running.file("keepalived.conf"))?;
        std::fs::write(running.file("keepalived.conf"), good.replace("priority 200", "priority 150"))?;
        let (text, code) = ctl(lab, &running, None, "reload")?;
        let seen = status(lab, &running)?;
        ensure!(code == 0 && seen["daemon"]["last_reload"]["changes"] == 1, "{text}: {}", seen["daemon"]);
        std::fs::write(running.file("keepalived.conf"), format!("net_namespace other\n{good}"))?;
        let (text, _) = ctl(lab, &running, None, "show config")?;
        ensure!(text.contains("    priority 150\n") && !text.contains("net_namespace"), "{text}");
        let (text, code) = ctl(lab, &running, None, "reload")?;
        ensure!(code == 4 && text.contains("reload refused: "), "{text}");

        let socket = socket(&running);
        // one that others remove is made again; what another daemon puts there is its own
        std::fs::remove_file(&socket)?;
        wait_until("it can be asked again", patience(Duration::from_secs(40)), || Ok(socket.exists()))?;
        ensure!(ctl(lab, &running, None, "show process")?.1 == 0);
        running.stop()?;
        ensure!(!socket.exists(), "the socket is left");
        Ok(())
    });
}

/// It costs memory that a router can do without.
#[test]
fn an_observer_begins_when_a_client_asks_and_knows_what_was_before() {
    if !only_ours() {
        return;
    }
    trial("observer that is called", |lab| {
        let a = lab.router(0);
        let text = Instance::new(PLAIN, 200).every(Duration::from_millis(300)).alone(a, &[]);
        let running = a.start(&Daemon::ours(), "a", &text)?;
        wait_until("it is master", long(), || a.has(PLAIN.vip(VRID)))?;
        // a connection that says nothing calls it, too, and the next client is heard beside it
        ensure!(running.observer_pid().is_none(), "nobody has asked");
        let _silent = UnixStream::connect(socket(&running))?;
        let (text, code) = ctl(lab, &running, None, "events")?;
        ensure!(code == 0 && text.contains("BACKUP -> MASTER"), "{text}");
        let first = running.observer_pid().context("it was called")?;
        kill_process(first, Signal::KILL)?;
        let another = || Ok(process(lab, &running, "observer").is_ok_and(|now| now.is_some_and(|now| now != first)));
        wait_until("another one answers", long(), another)
    });
}

/// What the daemon answers to a POST; `more` are lines of the head.
fn post(lab: &Lab, path: &str, more: &str, body: &str) -> Result<String> {
    let mut stream = lab.router(0).namespace().inside(|| Ok(TcpStream::connect(("127.0.0.1", PORT))?))?;
    stream.set_read_timeout(Some(long()))?;
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nConnection: close\r\n");
    let length = if more.contains("chunked") { String::new() } else { format!("Content-Length: {length}\r\n") };
    // it may close before it has read everything
    stream.write_all(format!("{head}{length}{more}\r\n{body}").as_bytes()).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn only_who_has_the_token_may_change_things_by_http() {
    if !only_ours() {
        return;
    }
    const TOKEN: &str = "0123456789abcdef-SECRET";
    const HERE: &str = "Host: 127.0.0.1:9650\r\n";
    const JSON: &str = "Content-Type: application/json\r\n";
    trial("token", |lab| {
        let a = lab.router(0);
        let token = lab.folder().join("token");
        std::fs::write(&token, format!("{TOKEN}\n"))?;
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644))?;
        let text = Instance::new(PLAIN, 200).every(Duration::from_millis(300)).alone(a, &[]);
        let with =
            |more: &str| text.replace("  router_id r0\n", &format!("  router_id r0\n  metrics_listen {PORT}\n{more}"));
        let running = a.start(&Daemon::ours(), "a", &with(""))?;
        wait_until("it is master", long(), || a.has(PLAIN.vip(VRID)))?;
        wait_until("all is well", long(), || Ok(ctl(lab, &running, None, "status")?.1 == 0))?;
        let seen = status(lab, &running)?;
        let name = seen["instances"][0]["name"].as_str().context("name")?.to_owned();
        let bearer = format!("{HERE}{JSON}Authorization: Bearer {TOKEN}\r\n");
        let priority = |number: u8| format!("{{\"priority\":{{\"instance\":\"{name}\",\"priority\":{number}}}}}");
        let answers = |head: &str, body: &str, status: u16| -> Result<String> {
            let answer = post(lab, "/change", head, body)?;
            ensure!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status} to {head}{body:.200}: {answer}");
            // no page of elsewhere may read it, or send the token
            ensure!(!answer.to_ascii_lowercase().contains("access-control"), "{answer}");
            Ok(answer)
        };
        let base = || -> Result<Option<u64>> { Ok(status(lab, &running)?["instances"][0]["base_priority"].as_u64()) };

        // without the keyword, and with a file that others may read, it is as if there were no such thing
        answers(&bearer, &priority(150), 405)?;
        ensure!(!get(lab, "/status.json", HERE)?.to_ascii_lowercase().contains("page-actions"));
        let keyword = with(&format!("  page_token_file {}\n", token.display()));
        running.reload(&keyword)?;
        running.wait_for_log("other users may read", long())?;
        answers(&bearer, &priority(150), 405)?;
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600))?;
        let (said, code) = ctl(lab, &running, None, "reload")?;
        ensure!(code == 0, "{said}");
        let allows = || Ok(get(lab, "/status.json", HERE)?.to_ascii_lowercase().contains("page-actions: token"));
        wait_until("the token counts after a reload of the same file", long(), allows)?;

        // of other pages, of other names, without end, and not a change of the page
        for foreign in ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
            answers(&format!("{bearer}{foreign}"), &priority(150), 403)?;
        }
        answers(&bearer.replace("127.0.0.1", "evil.example"), &priority(150), 421)?;
        answers(&bearer, &"x".repeat(5_000), 413)?;
        let endless = format!("10000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x10000));
        answers(&format!("{bearer}Transfer-Encoding: chunked\r\n"), &endless, 413)?;
        answers(&bearer.replace(JSON, "Content-Type: text/plain\r\n"), &priority(150), 415)?;
        answers(&bearer, "{\"pri", 400)?;
        answers(&bearer, "\"print_data\"", 403)?;
        answers(&bearer, "{\"weight\":{\"server\":\"a\\u001b[31m\",\"weight\":0}}", 400)?;
        let why = answers(&bearer, "{\"weight\":{\"server\":\"192.0.2.99\",\"weight\":0}}", 409)?;
        ensure!(why.contains("192.0.2.99"), "{why}");
        for (head, body) in
            [(format!("{HERE}{JSON}"), priority(150)), (bearer.replace("Bearer", "Basic"), priority(150))]
        {
            let refused = answers(&head, &body, 401)?;
            ensure!(refused.to_ascii_lowercase().contains("www-authenticate: bearer"), "{refused}");
        }
        ensure!(base()? == Some(200), "nothing has changed");

        let same = format!("{bearer}Origin: http://127.0.0.1:9650\r\nSec-Fetch-Site: same-origin\r\n");
        ensure!(post(lab, "/token", &same, "")?.starts_with("HTTP/1.1 200 "));
        answers(&same, &priority(150), 200)?;
        wait_until("the priority is another", long(), || Ok(base()? == Some(150)))?;
        let on = |on: bool| format!("{{\"maintenance\":{{\"instance\":\"{name}\",\"on\":{on}}}}}");
        answers(&bearer, &on(true), 200)?;
        wait_until("it stays away", long(), || Ok(!a.has(PLAIN.vip(VRID))?))?;
        answers(&bearer, &on(false), 200)?;
        wait_until("it is back", long(), || a.has(PLAIN.vip(VRID)))?;
        answers(&bearer, "\"reload\"", 200)?;
        running.wait_for_log("reload: asked for by page, from 127.0.0.1", long())?;
        let (events, _) = ctl(lab, &running, None, "events")?;
        ensure!(events.matches("page, from 127.0.0.1").count() == 3, "{events}");

        // guesses are slow, and the right one is not told from them meanwhile
        for _ in 0..5 {
            answers(&bearer.replace("SECRET", "SECREt"), &priority(99), 401)?;
        }
        for head in [bearer.replace("SECRET", "SECREt"), bearer.clone()] {
            let refused = answers(&head, &priority(99), 429)?;
            ensure!(refused.to_ascii_lowercase().contains("retry-after: "), "{refused}");
        }
        ensure!(base()? == Some(150));
        ensure!(running.log().matches("sent a wrong token").count() == 1, "{}", running.log());
        let soon = patience(Duration::from_secs(20));
        wait_until("it is forgiven", soon, || Ok(post(lab, "/token", &bearer, "")?.starts_with("HTTP/1.1 200 ")))?;

        // it stands nowhere else
        let shown = ctl(lab, &running, None, "show config")?.0 + &events + &running.log();
        let asked = get(lab, "/status.json", HERE)? + &get(lab, "/metrics", HERE)? + &get(lab, "/", HERE)?;
        ensure!(shown.contains("page_token_file") && !shown.contains("SECRET") && !asked.contains("SECRET"));
        running.stop()?;
        Ok(())
    });
}

/// One line of `/proc/PID/status` of the observer of `running`.
fn field(running: &Running, name: &str) -> Result<Vec<String>> {
    let observer = running.observer_pid().context("no observer")?.as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{observer}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).context("no such line")?;
    Ok(line.split_whitespace().map(str::to_owned).collect())
}

#[test]
fn it_is_another_user_and_has_no_capability() {
    if !only_ours() {
        return;
    }
    trial("observer user", |lab| {
        let usual = keepalived_kernel::process::find_user("keepalived")?;
        let usual = usual.map_or_else(|| NAMELESS.to_owned(), |user| user.uid.to_string());
        let a = lab.router(0);
        let text = Instance::new(PLAIN, 200).every(Duration::from_millis(300)).alone(a, &[]);
        let all = format!(
            "enable_snmp_vrrp\n  snmp_socket unix:{0}/agentx\n  enable_dbus\n  smtp_server 127.0.0.1 2525\n  smtp_alert\n  \
             smtp_user lb\n  smtp_password_file {0}/password\n  notification_email {{\n a@example.org\n }}\n",
            lab.folder().display()
        );
        let wanted = [
            ("", usual.as_str()),
            (all.as_str(), usual.as_str()),
            ("observer_user nobody\n", "65534"),
            ("observer_user no_such_user\n", NAMELESS),
            ("observer_user root\n", "0"),
        ];
        for (number, (more, user)) in wanted.into_iter().enumerate() {
            let more = format!("  router_id r0\n  metrics_listen {PORT}\n  {more}");
            let name = format!("d{number}");
            let running = a.start(&Daemon::ours(), &name, &text.replace("  router_id r0\n", &more))?;
            wait_until("it is master", long(), || a.has(PLAIN.vip(VRID)))?;
            wait_until("it answers", long(), || Ok(status(lab, &running).is_ok()))?;
            let four = vec![user.to_owned(); 4];
            ensure!(field(&running, "Uid")? == four && field(&running, "Gid")? == four, "{more}");
            ensure!(field(&running, "Groups")?.is_empty(), "{more}");
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                ensure!(field(&running, set)? == ["0000000000000000"], "{more}: {set}");
            }
            ensure!(field(&running, "NoNewPrivs")? == ["1"] && field(&running, "Seccomp")? == ["2"], "{more}");
            // the log file is root's, and was open before
            let says = running.log().contains("observer_user: there is no user no_such_user");
            ensure!(says == more.contains("no_such_user"), "{}", running.log());
            let page = get(lab, "/", "Host: localhost\r\n")?;
            ensure!(page.contains(" 200 OK") && page.contains("/page.js"), "{page}");
            ensure!(get(lab, "/metrics", "Host: localhost\r\n")?.contains("keepalived_vrrp_state"), "no metrics");
            let (text, code) = ctl(lab, &running, None, "show config")?;
            ensure!(code == 0 && text.contains("metrics_listen"), "{text}");
            let (text, code) = ctl(lab, &running, None, "reload")?;
            ensure!(code == 0, "{text}");
            let observer = running.observer_pid().context("no observer")?;
            running.stop()?;
            ensure!(!std::path::Path::new(&format!("/proc/{}", observer.as_raw_nonzero())).exists(), "it is left");
        }
        Ok(())
    });
}

/// There is no observer then that would hear it.
#[test]
fn who_asks_during_a_stop_hears_that_the_daemon_does_not_run() {
    if !only_ours() {
        return;
    }
    trial("asked during a stop", |lab| {
        let a = lab.router(0);
        let (script, go) = (lab.folder().join("slow.sh"), lab.folder().join("go"));
        std::fs::write(&script, format!("#!/bin/sh\nuntil [ -e {} ]; do sleep 0.1; done\n", go.display()))?;
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let text = Instance::new(PLAIN, 200).alone(a, &[]).replacen(
            "global_defs {\n",
            &format!("global_defs {{\n  script_user root\n  shutdown_script {}\n", script.display()),
            1,
        );
        let mut running = a.start(&Daemon::ours(), "a", &text)?;
        wait_until("it is master", long(), || a.has(PLAIN.vip(VRID)))?;
        ensure!(socket(&running).exists() && running.observer_pid().is_none(), "it waits for a client");
        running.signal(Signal::TERM)?;
        wait_until("it does not listen", long(), || Ok(!socket(&running).exists()))?;
        ensure!(running.is_running()?, "it still has a script to run");
        let (text, code) = ctl(lab, &running, None, "status")?;
        ensure!(code == 3 && text.contains("does not run"), "{code}: {text}");
        std::fs::write(go, "")?;
        running.wait(long())?;
        Ok(())
    });
}

#[test]
fn the_death_of_the_observer_is_noticed_by_nobody_else() {
    if !only_ours() {
        return;
    }
    trial("no-observer", |lab| {
        let running = start(lab)?;
        let vrrp = running.vrrp_pid()?;
        for _ in 0..3 {
            let first = process(lab, &running, "observer")?.context("no observer")?;
            kill_process(first, Signal::KILL)?;
            let another =
                || Ok(process(lab, &running, "observer").is_ok_and(|now| now.is_some_and(|now| now != first)));
            wait_until("another observer answers", long(), another)?;
        }
        ensure!(running.vrrp_pid()? == vrrp && lab.router(0).has(PLAIN.vip(VRID))?);
        let seen = status(lab, &running)?;
        ensure!(seen["instances"][0]["state"] == "MASTER", "{seen}");
        // one that hangs is replaced, too
        let first = process(lab, &running, "observer")?.context("no observer")?;
        kill_process(first, Signal::STOP)?;
        // two reloads do not wait for it
        let text = std::fs::read_to_string(running.file("keepalived.conf"))?;
        for priority in ["priority 190", "priority 180"] {
            running.reload(&text.replace("priority 200", priority))?;
            let sent = format!("priority {}", priority.rsplit_once(' ').context("number")?.1);
            lab.capture().wait(&sent, lab.capture().mark()?, long(), |event| {
                event.advert().is_some_and(|advert| priority.ends_with(&advert.priority.to_string()))
            })?;
        }
        running.wait_for_log("observer process does not answer", patience(Duration::from_secs(40)))?;
        wait_until("another observer answers", long(), || {
            Ok(process(lab, &running, "observer").is_ok_and(|now| now != Some(first)))
        })?;
        ensure!(running.vrrp_pid()? == vrrp);
        Ok(())
    });
}

#[test]
fn the_log_says_when_another_observer_begins_that_only_clients_need() {
    if !only_ours() {
        return;
    }
    trial("observer without work", |lab| {
        let running = start(lab)?;
        wait_until("there is an observer", long(), || Ok(running.observer_pid().is_some()))?;
        let text = std::fs::read_to_string(running.file("keepalived.conf"))?;
        running.reload(&text.replace(&format!("  metrics_listen {PORT}\n"), ""))?;
        running.wait_for_log("Reload: 1 changes", long())?;
        let first = running.observer_pid().context("it goes on")?;
        kill_process(first, Signal::KILL)?;
        let log = running.wait_for_log("observer child process", long())?;
        ensure!(log.contains("the next client starts another") && !log.contains("Respawning"), "{log}");
        // that it died is a warning of `status`
        let another = || Ok(process(lab, &running, "observer").is_ok_and(|now| now.is_some_and(|now| now != first)));
        wait_until("another one answers", long(), another)
    });
}

#[test]
fn rubbish_harms_nobody() {
    if !only_ours() {
        return;
    }
    trial("rubbish", |lab| {
        let running = start(lab)?;
        let mut idle = Vec::new();
        let large = format!("{{\"ask\":\"{}", "x".repeat(100_000));
        for words in [
            "\n",
            "{}\n",
            "GET / HTTP/1.1\r\n\r\n",
            "{\"ask\":\"status\"}\n",
            "\0\0\0\n",
            "{\"ask\":{\"why\":{\"name\":\"\u{1b}[31m\"}}}\n",
            &large,
        ] {
            let mut stream = UnixStream::connect(socket(&running))?;
            stream.write_all(words.as_bytes()).ok();
            stream.shutdown(std::net::Shutdown::Write).ok();
            stream.set_read_timeout(Some(long()))?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok();
            ensure!(answer.contains("\"error\""), "{words:.40}: {answer}");
            // and some that say nothing, or do not read
            let mut silent = UnixStream::connect(socket(&running))?;
            silent.write_all(b"{\"ask\":{\"events\":{\"follow\":true}}}\n").ok();
            idle.push(silent);
            idle.push(UnixStream::connect(socket(&running))?);
        }
        // those who followed and have gone leave their places to others
        for _ in 0..100 {
            let mut follower = UnixStream::connect(socket(&running))?;
            follower.write_all(b"{\"ask\":{\"events\":{\"name\":\"nothing\",\"follow\":true}}}\n").ok();
        }
        wait_until("it answers", long(), || Ok(ctl(lab, &running, None, "status")?.1 == 0))?;
        ensure!(!running.log().contains("panicked"), "{}", running.log());
        Ok(())
    });
}

#[test]
fn only_root_and_the_group_may_change_things() {
    if !only_ours() {
        return;
    }
    trial("may-change", |lab| {
        let running = start(lab)?;
        let stranger = Some("--reuid=65534 --regid=65533 --clear-groups");
        let (text, code) = ctl(lab, &running, stranger, "status")?;
        ensure!(code == 0 && text.contains("All well"), "everybody may ask: {text}");
        let (text, code) = ctl(lab, &running, stranger, "reload")?;
        ensure!(code == 4 && text.contains("only root may do that"), "{text}");
        ensure!(!running.log().contains("Reloading"), "{}", running.log());
        let (text, code) = ctl(lab, &running, stranger, "show config")?;
        ensure!(code == 4 && text.contains("only root may see that"), "{text}");
        // nogroup is 65534
        let (text, code) = ctl(lab, &running, Some("--reuid=65533 --regid=65533 --groups=65534"), "reload")?;
        ensure!(code == 0, "{text}");
        running.wait_for_log("Reload: nothing changed", long())?;
        running.wait_for_log("reload: asked for by user 65533", long())?;
        let (text, code) = ctl(lab, &running, None, "reload")?;
        ensure!(code == 0, "{text}");
        wait_until("both reloads are counted", long(), || Ok(status(lab, &running)?["daemon"]["reloads"] == 2))?;
        Ok(())
    });
}

/// By HTTP in the router's namespace: the head and the body.
fn get(lab: &Lab, path: &str, more: &str) -> Result<String> {
    lab.router(0).namespace().inside(|| {
        let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
        stream.set_read_timeout(Some(long()))?;
        // by HTTP/1.0: the body is in one piece
        write!(stream, "GET {path} HTTP/1.0\r\n{more}Connection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}

#[test]
fn metrics_are_read_by_a_parser_that_is_not_ours() {
    if !only_ours() {
        return;
    }
    trial("metrics", |lab| {
        let running = start(lab)?;
        wait_until("all is well", long(), || Ok(ctl(lab, &running, None, "status")?.1 == 0))?;
        let answer = get(lab, "/metrics", "Host: 127.0.0.1\r\n")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
        ensure!(head.contains("application/openmetrics-text"), "{head}");
        let file = running.file("metrics.txt");
        std::fs::write(&file, body)?;
        let script = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
                      for family in read(open(sys.argv[1]).read()):\n  for sample in family.samples:\n    print(sample.name, sorted(sample.labels.items()), sample.value)\n";
        let output = std::process::Command::new("/usr/bin/python3").args(["-c", script]).arg(&file).output()?;
        let read = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{}\n{body}", String::from_utf8_lossy(&output.stderr));
        // as mehdy/keepalived-exporter calls them
        for name in [
            "keepalived_up [] 1",
            "keepalived_vrrp_state [",
            "keepalived_advertisements_sent_total [",
            "keepalived_become_master_total [",
            // ours
            "keepalived_adverts_late_seconds_bucket [('le', '+Inf')]",
            "keepalived_takeover_silence_seconds_count [] 0",
        ] {
            ensure!(read.contains(name), "{name}: {read}");
        }
        ensure!(read.contains("('router_id', '<b>lb1</b>')"), "{read}");
        // one who was led here by a name of its own
        let answer = get(lab, "/metrics", "Host: evil.example\r\n")?;
        ensure!(answer.starts_with("HTTP/1.0 421"), "{answer}");
        Ok(())
    });
}

#[test]
fn a_browser_draws_the_page() {
    if !only_ours() {
        return;
    }
    trial("page", |lab| {
        let running = start(lab)?;
        wait_until("all is well", long(), || Ok(ctl(lab, &running, None, "status")?.1 == 0))?;
        let mut browser = Browser::start(lab.router(0).namespace(), &running.file("chromium"))?;
        browser.open(&format!("http://127.0.0.1:{PORT}/?still"))?;
        browser.wait("it is drawn", "document.querySelectorAll('.sheet').length > 1")?;
        let page = browser.evaluate("document.documentElement.outerHTML")?;
        let page = page.as_str().unwrap_or_default();
        for text in ["All well", "MASTER", "this router", "&lt;b&gt;lb1&lt;/b&gt;", "BACKUP -&gt; MASTER"] {
            ensure!(page.contains(text), "{text}: {page}");
        }
        ensure!(browser.complaints().is_empty(), "{:?}", browser.complaints());
        // it may speak with nobody else
        browser.evaluate("fetch('http://192.0.2.1/').catch(() => null).then(() => null)")?;
        let complaints = browser.complaints();
        ensure!(complaints.iter().any(|text| text.contains("Content Security Policy")), "{complaints:?}");
        Ok(())
    });
}

#[test]
fn a_terminal_shows_everything_until_q() {
    if !only_ours() {
        return;
    }
    trial("watch", |lab| {
        let running = start(lab)?;
        let program = Daemon::ours().program().with_file_name("keepalivedctl");
        let seen = running.file("screen");
        let words = format!("{} watch --color never --socket {}", program.display(), socket(&running).display());
        // script gives it a terminal
        let mut command = lab.router(0).namespace().command("script");
        command.args(["--quiet", "--flush", "--return", "--command", &words]).arg(&seen);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
        let mut watching = command.spawn()?;
        let shows = |word: &str| Ok(std::fs::read_to_string(&seen).is_ok_and(|screen| screen.contains(word)));
        wait_until("the screen shows the router", long(), || Ok(shows("ROUTER")? && shows("MASTER")?))?;
        // what happens is on it without a key
        lab.pull(0, 0)?;
        wait_until("the screen shows the fault", long(), || shows("is in FAULT"))?;
        watching.stdin.take().context("piped")?.write_all(b"q")?;
        let status = watching.wait()?;
        let screen = std::fs::read_to_string(&seen)?;
        ensure!(status.success(), "{status}: {screen}");
        ensure!(screen.contains("\x1b[?1049h") && screen.contains("\x1b[?1049l"), "{screen}");
        let (text, code) = ctl(lab, &running, None, "watch")?;
        ensure!(code != 0 && text.contains("needs a terminal"), "{text}");
        // one that is told to end leaves the terminal as it was, even while the daemon says nothing
        kill_process(process(lab, &running, "observer")?.context("no observer")?, Signal::STOP)?;
        std::fs::write(&seen, "")?;
        let mut watching = command.spawn()?;
        wait_until("the screen is there", long(), || shows("\x1b[?1049h"))?;
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", watching.id()))?;
        let status = std::process::Command::new("kill").arg("-TERM").args(children.split_whitespace()).status()?;
        ensure!(status.success(), "{children:?}");
        watching.wait()?;
        ensure!(shows("\x1b[?1049l")?, "{}", std::fs::read_to_string(&seen)?);
        Ok(())
    });
}

#[test]
fn the_alert_rules_are_what_prometheus_takes() {
    if keepalived_lab::sandbox::find("promtool").is_none() {
        return skipped("alert rules", "promtool is not installed (package prometheus)");
    }
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/prometheus/keepalived.rules.yml");
    let output = std::process::Command::new("promtool").args(["check", "rules", rules]).output();
    let said = output.map(|output| (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()));
    assert!(matches!(&said, Ok((true, text)) if text.contains("14 rules found")), "{said:?}");
}

/// Whether a router has the address.
fn has(lab: &Lab, router: usize) -> Result<bool> {
    lab.router(router).has(PLAIN.vip(VRID))
}

#[test]
fn a_router_in_maintenance_hands_over_and_stays_away() {
    if !only_ours() {
        return;
    }
    trial("maintenance", |lab| {
        let interval = Duration::from_millis(300);
        let [a, b] = [lab.router(0), lab.router(1)];
        let first = a.start(&Daemon::ours(), "a", &Instance::new(PLAIN, 200).every(interval).alone(a, &[b]))?;
        wait_until("a is master", long(), || has(lab, 0))?;
        let second = b.start(&Daemon::ours(), "b", &Instance::new(PLAIN, 100).every(interval).alone(b, &[a]))?;
        second.wait_for_log("Entering BACKUP STATE", long())?;
        let (text, code) = ctl(lab, &first, None, "maintenance on")?;
        ensure!(code == 0, "{text}");
        wait_until("b is master", long(), || Ok(has(lab, 1)? && !has(lab, 0)?))?;
        // it left with a farewell: b did not wait for the master down time
        ensure!(second.log().contains("said farewell"), "{}", second.log());
        let (text, _) = ctl(lab, &first, None, "status")?;
        ensure!(text.contains("is in FAULT: maintenance"), "{text}");
        let (text, _) = ctl(lab, &first, None, "events")?;
        ensure!(text.contains("maintenance of all instances: on, asked for by user 0"), "{text}");
        // neither a reload nor the death of the process ends it
        ctl(lab, &first, None, "reload")?;
        first.wait_for_log("Reload: nothing changed", long())?;
        let vrrp = first.vrrp_pid()?;
        kill_process(vrrp, Signal::KILL)?;
        wait_until("another vrrp process runs", long(), || Ok(first.vrrp_pid().is_ok_and(|now| now != vrrp)))?;
        wait_until("it stays away", long(), || Ok(status(lab, &first)?["instances"][0]["faults"][0] == "maintenance"))?;
        ensure!(has(lab, 1)? && !has(lab, 0)?);
        let (text, code) = ctl(lab, &first, None, "maintenance off")?;
        ensure!(code == 0, "{text}");
        wait_until("a is master again", long(), || Ok(has(lab, 0)? && !has(lab, 1)?))?;
        // and by its priority
        let (text, code) = ctl(lab, &first, None, "priority V7 50")?;
        ensure!(code == 0, "{text}");
        wait_until("b is master by its priority", long(), || Ok(has(lab, 1)? && !has(lab, 0)?))?;
        let (text, code) = ctl(lab, &first, None, "priority V7 255")?;
        ensure!(code == 4 && text.contains("1 to 254"), "{text}");
        let (text, code) = ctl(lab, &first, None, "priority V7 configured")?;
        ensure!(code == 0, "{text}");
        wait_until("a is master by its priority", long(), || Ok(has(lab, 0)? && !has(lab, 1)?))
    });
}

#[test]
fn a_server_is_drained_and_comes_back() {
    if !only_ours() {
        return;
    }
    trial("drain", |lab| {
        let a = lab.router(0);
        let text = "global_defs {\n lvs_backend nftables\n}\nvirtual_server 10.0.1.7 80 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n\
                    real_server 10.0.0.1 80 {\n weight 3\n }\n real_server 10.0.0.2 80 {\n weight 3\n }\n}\n";
        let running = a.start(&Daemon::ours(), "a", text)?;
        let weights = || -> Result<Vec<Value>> {
            let seen = status(lab, &running)?;
            let servers = seen["virtual_servers"][0]["real_servers"].as_array().cloned().unwrap_or_default();
            Ok(servers.into_iter().map(|server| server["weight"].clone()).collect())
        };
        // the control socket comes a moment after the start
        wait_until("both serve", long(), || Ok(weights().is_ok_and(|weights| weights == [3, 3])))?;
        let both = a.namespace().run("nft list ruleset")?;
        let (text, code) = ctl(lab, &running, None, "drain 10.0.0.1:80")?;
        ensure!(code == 0, "{text}");
        wait_until("one drains", long(), || Ok(weights()? == [0, 3]))?;
        wait_until("the kernel has it", long(), || Ok(a.namespace().run("nft list ruleset")? != both))?;
        let (text, _) = ctl(lab, &running, None, "status")?;
        ensure!(text.contains("draining"), "{text}");
        let (text, code) = ctl(lab, &running, None, "drain 10.0.0.9")?;
        ensure!(code == 4 && text.contains("no real server is called"), "{text}");
        let (text, code) = ctl(lab, &running, None, "enable 10.0.0.1")?;
        ensure!(code == 0, "{text}");
        wait_until("both serve again", long(), || Ok(weights()? == [3, 3]))?;
        let (text, code) = ctl(lab, &running, None, "weight 10.0.0.2 7 --of 10.0.1.7")?;
        ensure!(code == 0, "{text}");
        wait_until("it has another weight", long(), || Ok(weights()? == [3, 7]))
    });
}

#[test]
fn what_passes_and_how_long_checks_take_is_shown() {
    if !only_ours() {
        return;
    }
    trial("numbers", |lab| {
        let a = lab.router(0);
        a.namespace().run("ip address add 198.51.100.9/32 dev lo")?;
        let listener = a.namespace().inside(|| Ok(std::net::TcpListener::bind(("127.0.0.1", 8080))?))?;
        // it ends with this program
        std::thread::spawn(move || listener.incoming().flatten().for_each(|mut peer| drop(peer.write_all(b"x"))));
        let text = format!(
            "global_defs {{\n lvs_backend nftables\n metrics_listen {PORT}\n}}\nvirtual_server 198.51.100.9 80 {{\n protocol TCP\n \
             delay_loop 1\n lvs_sched rr\n lvs_method NAT\n real_server 127.0.0.1 8080 {{\n TCP_CHECK {{\n connect_timeout 1\n }}\n }}\n \
             real_server 127.0.0.1 8081 {{\n TCP_CHECK {{\n connect_timeout 1\n retry 0\n }}\n }}\n}}\n"
        );
        let running = a.start(&Daemon::ours(), "a", &text)?;
        let server_of = |place: usize| -> Result<Value> {
            Ok(status(lab, &running)?["virtual_servers"][0]["real_servers"][place].clone())
        };
        wait_until("a check was measured", long(), || {
            Ok(server_of(0).is_ok_and(|server| server["checks"][0]["latency"].as_f64() > Some(0.0)))
        })?;
        wait_until("the other one is out", long(), || Ok(server_of(1)?["up"] == false))?;
        ensure!(server_of(0)?["traffic"]["packets_in"] == 0, "{}", server_of(0)?);
        a.namespace().inside(|| {
            let mut stream = TcpStream::connect(("198.51.100.9", 80))?;
            stream.set_read_timeout(Some(long()))?;
            Ok(stream.read_exact(&mut [0])?)
        })?;
        wait_until("the connection was counted", long(), || {
            Ok(server_of(0)?["traffic"]["packets_in"].as_u64() >= Some(3))
        })?;
        let metrics = get(lab, "/metrics", "Host: 127.0.0.1\r\n")?;
        for line in [
            "keepalived_check_duration_seconds_bucket{check=\"TCP_CHECK\",le=\"0.0001\"}",
            "keepalived_check_failures_total{check=\"TCP_CHECK\",cause=\"connection\"}",
            "keepalived_real_server_packets_in_total{virtual_server=\"[198.51.100.9]:tcp:80\",real_server=\"[127.0.0.1]:tcp:8080\"}",
        ] {
            ensure!(metrics.contains(line), "{line}: {metrics}");
        }
        let (text, _) = ctl(lab, &running, None, "status")?;
        let is_shown = |line: &str| line.contains("[127.0.0.1]:tcp:8080") && line.trim_end().ends_with(" ms");
        ensure!(text.contains("LATENCY") && text.lines().any(is_shown), "{text}");
        Ok(())
    });
}

/// A program that is killed at the end.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Debian's `snmpd` as AgentX master, on sockets in `folder`.
fn snmpd(lab: &Lab, folder: &std::path::Path) -> Result<Killed> {
    let at = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "com2secunix all default public\ngroup all v2c all\nview everything included .1\n\
         access all \"\" any noauth exact everything everything none\nmaster agentx\nagentXSocket {}\n",
        at("agentx")
    );
    std::fs::write(folder.join("snmpd.conf"), text)?;
    for old in ["snmp", "agentx"] {
        std::fs::remove_file(folder.join(old)).ok();
    }
    let mut command = lab.router(0).namespace().command("snmpd");
    command.args(["-f", "-Lf", &at("snmpd.log"), "-C", "-c", &at("snmpd.conf"), "-p", &at("snmpd.pid")]);
    command.arg(format!("unix:{}", at("snmp"))).env("MIBS", "").env("SNMP_PERSISTENT_DIR", folder);
    Ok(Killed(command.stdin(std::process::Stdio::null()).spawn()?))
}

fn snmp(folder: &std::path::Path, tool: &str, words: &str) -> Result<String> {
    let mut command = std::process::Command::new(tool);
    command.args(["-v2c", "-c", "public", "-On", "-t", "5", "-r", "0"]).env("MIBS", "");
    command.arg(format!("unix:{}", folder.join("snmp").display())).args(words.split_whitespace());
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn an_snmp_master_is_told_and_may_change_things() {
    if !only_ours() {
        return;
    }
    // KEEPALIVED-MIB (shared/reference/snmp-oids.tsv): state, base priority and effective priority of the first instance
    const STATE: &str = ".1.3.6.1.4.1.9586.100.5.2.3.1.4.1";
    const EFFECTIVE: &str = ".1.3.6.1.4.1.9586.100.5.2.3.1.8.1";
    const BASE: &str = ".1.3.6.1.4.1.9586.100.5.2.3.1.7.1";
    trial("snmp", |lab| {
        let a = lab.router(0);
        let folder = a.folder().join("snmpd");
        std::fs::create_dir_all(&folder)?;
        let text = Instance::new(PLAIN, 200).every(Duration::from_millis(300)).alone(a, &[]);
        let more =
            format!("  router_id r0\n  enable_snmp_vrrp\n  snmp_socket unix:{}\n", folder.join("agentx").display());
        let running = a.start(&Daemon::ours(), "a", &text.replace("  router_id r0\n", &more))?;
        wait_until("it is master", long(), || a.has(PLAIN.vip(VRID)))?;
        // two masters, one after the other
        for _ in 0..2 {
            let master = snmpd(lab, &folder)?;
            let is = |oid: &str, value: &str| Ok(snmp(&folder, "snmpget", oid)?.contains(value));
            wait_until("SNMP says master", patience(Duration::from_secs(40)), || is(STATE, "INTEGER: 2"))?;
            drop(master);
        }
        let _master = snmpd(lab, &folder)?;
        let is = |oid: &str, value: &str| Ok(snmp(&folder, "snmpget", oid)?.contains(value));
        wait_until("SNMP says the priority", patience(Duration::from_secs(40)), || is(EFFECTIVE, "200"))?;
        let set = snmp(&folder, "snmpset", &format!("{BASE} i 90"))?;
        ensure!(set.contains(": 90"), "{set}");
        wait_until("the priority is another", long(), || is(EFFECTIVE, ": 90"))?;
        ensure!(status(lab, &running)?["instances"][0]["base_priority"] == 90);
        let walk = snmp(&folder, "snmpwalk", ".1.3.6.1.4.1.9586.100.5")?;
        ensure!(walk.lines().count() > 50 && !walk.contains("Timeout"), "{walk}");
        Ok(())
    });
}
