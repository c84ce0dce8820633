//! `vrrp_track_probe` (ours): servers and gateways that are asked without a program.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use keepalived_lab::{
    Builder, Case, Daemon, Event, Filter, Instance, Kind, Lab, Router, Running, only_ours, patience, trial_in,
    wait_until,
};
use rustix::process::{Pid, Signal, kill_process};

const PLAIN: Case = Case::PLAIN;
const TWO: Builder = Builder { routers: 2, segments: 1, filter: Filter::Everything };
const THREE: Builder = Builder { routers: 3, segments: 1, filter: Filter::Everything };

fn start(router: &Router, text: &str) -> Result<Running> {
    router.start(&Daemon::ours(), "d", text)
}

fn holds(router: &Router, holds: bool) -> Result<()> {
    let what = if holds { "it has the address" } else { "it gave the address up" };
    wait_until(what, patience(Duration::from_secs(10)), || Ok(router.has(PLAIN.vip(7))? == holds))
}

/// Waits until the router sends this priority.
fn sends(lab: &Lab, router: &Router, priority: u8) -> Result<()> {
    let mark = lab.capture().mark()?;
    let mac = router.mac(0);
    let is_it = |event: &Event| event.mac == mac && event.advert().is_some_and(|advert| advert.priority == priority);
    lab.capture().wait(&format!("priority {priority}"), mark, patience(Duration::from_secs(15)), is_it)?;
    Ok(())
}

/// The gateway is the third router.
fn gateway(lab: &Lab) -> String {
    let ping = format!("ping {}", lab.router(2).v4(0));
    format!("vrrp_track_probe gw {{\n  {ping}\n  interval 0.3\n  timeout 0.5\n  fall 2\n}}\n")
}

fn tracked(lab: &Lab) -> String {
    let with = "track_probe {\n    gw\n  }";
    gateway(lab) + &Instance::new(PLAIN, 200).with(with).alone(lab.router(0), &[])
}

#[test]
fn a_gateway_that_does_not_answer_gives_the_address_to_the_other_router() {
    if !only_ours() {
        return;
    }
    trial_in("gateway", THREE, |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let running = start(a, &tracked(lab))?;
        holds(a, true)?;
        let _b = start(b, &Instance::new(PLAIN, 100).alone(b, &[]))?;
        lab.pull(2, 0)?;
        holds(a, false)?;
        holds(b, true)?;
        running.wait_for_log("VRRP_Track_Probe(gw) does not answer", patience(Duration::from_secs(1)))?;
        running.wait_for_log("tracked probe gw does not answer", patience(Duration::from_secs(1)))?;
        // a reload keeps what is known
        running.reload(&tracked(lab).replace("fall 2", "fall 3"))?;
        running.wait_for_log("Reload: 1 changes", patience(Duration::from_secs(5)))?;
        std::thread::sleep(Duration::from_secs(1));
        assert!(!a.has(PLAIN.vip(7))?);
        lab.plug(2, 0)?;
        holds(a, true)?;
        holds(b, false)?;
        running.signal(Signal::USR1)?;
        wait_until("the data file has it", patience(Duration::from_secs(2)), || {
            let data = fs::read_to_string(running.file("keepalived.data")).unwrap_or_default();
            Ok(["VRRP Track probe = gw", "   Status = up", "Last result = answered"]
                .iter()
                .all(|text| data.contains(text)))
        })?;
        running.stop()?;
        Ok(())
    });
}

/// A server inside a router, until it is dropped.
struct Server<'a> {
    port: u16,
    ends: &'a AtomicBool,
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

/// Serves each connection by `serve`, which is called again and again until it says that it is done.
fn serve<'scope, 'env>(
    scope: &'scope std::thread::Scope<'scope, 'env>,
    router: &Router,
    ends: &'env AtomicBool,
    serve: impl Fn(&mut TcpStream) -> bool + Send + 'env,
) -> Result<Server<'env>> {
    let listener = router.namespace().inside(|| Ok(TcpListener::bind((router.v4(0), 0))?))?;
    let port = listener.local_addr()?.port();
    listener.set_nonblocking(true)?;
    scope.spawn(move || {
        let mut clients: Vec<TcpStream> = Vec::new();
        while !ends.load(Ordering::Relaxed) {
            while let Ok((client, _)) = listener.accept() {
                client.set_nonblocking(true).ok();
                clients.push(client);
            }
            clients.retain_mut(|client| !serve(client));
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    Ok(Server { port, ends })
}

#[test]
fn ports_and_pages_are_asked() {
    if !only_ours() {
        return;
    }
    trial_in("pages", TWO, |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let (ends, is_well) = (AtomicBool::new(false), AtomicBool::new(true));
        std::thread::scope(|scope| {
            let server = serve(scope, b, &ends, |client| {
                let mut room = [0; 2048];
                match client.read(&mut room) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
                    Ok(1..) => {
                        let status = if is_well.load(Ordering::Relaxed) { "200 OK" } else { "503 Busy" };
                        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                        client.write_all(answer.as_bytes()).ok();
                        true
                    }
                    _ => true,
                }
            })?;
            let place = format!("{}:{}", b.v4(0), server.port);
            let pace = "interval 0.2\n  timeout 2";
            let probes = format!(
                "vrrp_track_probe port {{\n  tcp {}\n  weight -10\n  {pace}\n}}\n\
                 vrrp_track_probe page {{\n  http http://{place}/well\n  weight -20\n  {pace}\n}}\n",
                place.replace(':', " ")
            );
            let with = "track_probe {\n    port\n    page\n  }";
            let _running = start(a, &(probes + &Instance::new(PLAIN, 100).with(with).alone(a, &[])))?;
            sends(lab, a, 100)?;
            is_well.store(false, Ordering::Relaxed);
            sends(lab, a, 80)?;
            drop(server);
            sends(lab, a, 70)
        })
    });
}

/// It takes each connection; some get nothing, others an octet now and then, without end.
#[test]
fn a_server_that_never_ends_its_answer_delays_no_advert() {
    if !only_ours() {
        return;
    }
    trial_in("hostile", TWO, |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let ends = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let server = serve(scope, b, &ends, |client| {
                let says = client.peer_addr().is_ok_and(|peer| peer.port() % 4 < 2);
                says && client.write_all(b"H").is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
            })?;
            let url = format!("http://{}:{}/", b.v4(0), server.port);
            let names: Vec<String> = (0..50).map(|number| format!("p{number}")).collect();
            let probe = |name: &String| {
                format!("vrrp_track_probe {name} {{\n  http {url}\n  weight -1\n  interval 0.1\n  timeout 0.3\n}}\n")
            };
            let probes: String = names.iter().map(probe).collect();
            let with = format!("track_probe {{\n    {}\n  }}", names.join("\n    "));
            let instance = |priority| Instance::new(PLAIN, priority).every(Duration::from_secs(1));
            let running = start(a, &(probes + &instance(200).with(&with).alone(a, &[])))?;
            sends(lab, a, 150)?;
            let backup = start(b, &instance(100).alone(b, &[]))?;
            backup.wait_for_log("Entering BACKUP STATE", patience(Duration::from_secs(5)))?;
            std::thread::sleep(Duration::from_secs(6));
            assert!(!backup.log().contains("Entering MASTER STATE"), "{}", backup.log());
            // nothing piles up, and what fails again and again is said once
            let lines = running.log().lines().filter(|line| line.contains("has no good answer")).count();
            assert!(lines <= names.len(), "{lines}");
            drop(server);
            running.stop()?;
            Ok(())
        })
    });
}

fn prober(running: &Running) -> Result<Pid> {
    let is_it = |pid: &Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        line.windows(8).any(|words| words == b"--prober")
    };
    running.processes().into_iter().find(is_it).context("there is no prober")
}

/// While there is no prober, what is known stays; the next one goes on.
#[test]
fn a_prober_that_is_killed_changes_nothing_and_another_one_asks() {
    if !only_ours() {
        return;
    }
    trial_in("prober", THREE, |lab| {
        let a = lab.router(0);
        let running = start(a, &tracked(lab))?;
        holds(a, true)?;
        let first = prober(&running)?;
        kill_process(first, Signal::KILL)?;
        wait_until("there is another", patience(Duration::from_secs(5)), || {
            Ok(prober(&running).is_ok_and(|pid| pid != first))
        })?;
        std::thread::sleep(Duration::from_secs(1));
        assert!(!running.log().contains("FAULT"), "{}", running.log());
        lab.pull(2, 0)?;
        holds(a, false)?;
        // what is not tracked any more is no fault
        running.reload(&Instance::new(PLAIN, 200).alone(a, &[]))?;
        holds(a, true)?;
        // nothing has to be asked: the prober ends, and the next configuration that needs one has one
        wait_until("there is no prober", patience(Duration::from_secs(5)), || Ok(prober(&running).is_err()))?;
        running.wait_for_log("nothing has to be asked any more", patience(Duration::from_secs(5)))?;
        running.reload(&tracked(lab))?;
        wait_until("there is one", patience(Duration::from_secs(5)), || Ok(prober(&running).is_ok()))?;
        holds(a, false)?;
        lab.plug(2, 0)?;
        holds(a, true)
    });
}

#[test]
fn a_gateway_is_asked_through_an_interface_and_from_an_address() {
    if !only_ours() {
        return;
    }
    trial_in("origin", THREE, |lab| {
        let [a, gateway] = [lab.router(0), lab.router(2)];
        a.namespace().ip("address add 10.0.0.77/16 dev eth0\n")?;
        let local = gateway.link_local();
        let pace = "interval 0.3\n  timeout 0.5\n  fall 2";
        let probes = format!(
            "vrrp_track_probe local {{\n  ping {local}\n  interface eth0\n  {pace}\n}}\n\
             vrrp_track_probe from {{\n  ping {}\n  source 10.0.0.77\n  {pace}\n}}\n",
            gateway.v4(0)
        );
        let with = "track_probe {\n    local\n    from\n  }";
        let running = start(a, &(probes + &Instance::new(PLAIN, 200).with(with).alone(a, &[])))?;
        holds(a, true)?;
        let mark = lab.capture().mark()?;
        let from: std::net::IpAddr = "10.0.0.77".parse()?;
        let asks = |event: &Event| matches!(event.kind, Kind::Echo { reply: false, source, .. } if source == from);
        lab.capture().wait("it asks from there", mark, patience(Duration::from_secs(5)), asks)?;
        lab.pull(2, 0)?;
        holds(a, false)?;
        running.wait_for_log("VRRP_Track_Probe(local) does not answer", patience(Duration::from_secs(5)))?;
        running.wait_for_log("VRRP_Track_Probe(from) does not answer", patience(Duration::from_secs(5)))?;
        lab.plug(2, 0)?;
        holds(a, true)?;
        running.stop()?;
        Ok(())
    });
}
