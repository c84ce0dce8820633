//! What it costs to ask a large daemon how it is, and what that costs its adverts.

use super::balance::{PORT, Site};
use super::figures::Figures;
use super::process;
use super::rig::{Load, MASTER, Rig};
use super::watch::percentile;
use crate::demo;
use crate::listener::{Listener, Service};
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{Daemon, Namespace, Running, Stamp};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where metrics are.
const METRICS: u16 = 9650;
/// Seconds between two checks of a server.
const DELAY: u32 = 10;
/// How often each question is asked.
const QUESTIONS: usize = 20;
/// From one to the next: no answer serves two.
const PAUSE: Duration = Duration::from_millis(1_200);
/// How long adverts are watched.
const LASTS: f64 = 20.0;
/// Pages that are open meanwhile, and scrapes a second.
const PAGES: usize = 100;
const SCRAPES: u32 = 10;

/// With `services` of ten servers each beside the instances.
pub(super) fn observe(load: Load, services: usize, daemon: &Daemon) -> Result<Figures> {
    let mut rig = Rig::new(load, daemon)?;
    let site = Site::tens(services, DELAY);
    rig.balancing = format!("global_defs {{\n metrics_listen {METRICS}\n}}\n{}", site.services_text());
    rig.lab.router(MASTER).namespace().run("ip route add local 10.16.0.0/12 dev lo")?;
    let _listener = rig.lab.router(MASTER).namespace().inside(|| Listener::start(PORT, Service::Close))?;
    let [master, _backup] = rig.settled_pair()?;
    // each server has been asked once
    rig.listen(f64::from(DELAY) + 2.0)?;
    let status: Value = serde_json::from_slice(&ask(&rig, &master)?)?;
    let shown = [&status["instances"], &status["virtual_servers"]].map(|list| list.as_array().map_or(0, Vec::len));
    ensure!(shown == [load.instances, services], "{shown:?} instances and virtual servers are shown");
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..QUESTIONS {
        std::thread::sleep(PAUSE);
        times[0].push(timed(|| ask(&rig, &master).map(drop))?);
        std::thread::sleep(PAUSE);
        times[1].push(timed(|| get(rig.lab.router(MASTER).namespace(), "/metrics").map(drop))?);
    }
    let memory = process::pss_of(observer(&status)?)? / 1024.0;
    let quiet = adverts(&mut rig)?;
    let over = Arc::new(AtomicBool::new(false));
    let askers = askers(rig.lab.router(MASTER).namespace(), &over)?;
    rig.listen(2.0)?;
    let busy = adverts(&mut rig)?;
    over.store(true, Ordering::Relaxed);
    drop(master);
    for asker in askers {
        asker.join().ok();
    }
    let [status, scrape] = times.map(|times| [50, 100].map(|percent| percentile(&times, percent)));
    Ok(vec![
        ("status ms p50", status[0]),
        ("status ms max", status[1]),
        ("scrape ms p50", scrape[0]),
        ("scrape ms max", scrape[1]),
        ("observer MB", memory),
        ("adverts late ms p50, quiet", percentile(&quiet, 50)),
        ("adverts late ms p50, asked", percentile(&busy, 50)),
        ("later by ms", percentile(&busy, 50) - percentile(&quiet, 50)),
        ("later by ms, p99", percentile(&busy, 99) - percentile(&quiet, 99)),
    ])
}

fn timed(act: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    act()?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}

/// `keepalivedctl status --json`, as a user runs it.
fn ask(rig: &Rig, running: &Running) -> Result<Vec<u8>> {
    let program = demo::built()?.with_file_name("keepalivedctl");
    let mut command = rig.lab.router(MASTER).namespace().command(program);
    let socket = running.file("pid").with_extension("sock");
    let output = command.args(["status", "--json", "--socket"]).arg(socket).output()?;
    ensure!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

fn observer(status: &Value) -> Result<u32> {
    let processes = status["daemon"]["processes"].as_array().context("processes")?;
    let observer = processes.iter().find(|process| process["name"] == "observer").context("observer")?;
    Ok(u32::try_from(observer["pid"].as_u64().context("pid")?)?)
}

fn request(namespace: &Namespace, path: &str) -> Result<TcpStream> {
    namespace.inside(|| {
        let mut stream = TcpStream::connect(("127.0.0.1", METRICS))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        Ok(stream)
    })
}

fn get(namespace: &Namespace, path: &str) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    request(namespace, path)?.read_to_end(&mut answer)?;
    ensure!(answer.starts_with(b"HTTP/1.1 200") && answer.len() > 100_000, "{} octets", answer.len());
    Ok(answer)
}

/// By how much the longest silence of each virtual router exceeds its interval, in milliseconds.
fn adverts(rig: &mut Rig) -> Result<Vec<f64>> {
    let (interval, start) = (rig.load.interval(), Stamp::now());
    rig.listen(LASTS)?;
    let end = Stamp::now();
    rig.catch_up()?;
    let silences = rig.watch.silences(|router| router == MASTER, start, end);
    Ok(silences.into_iter().map(|longest| (longest - interval).max(0.0) * 1000.0).collect())
}

/// Open pages that read what they are sent, and one that scrapes.
fn askers(namespace: &Namespace, over: &Arc<AtomicBool>) -> Result<Vec<JoinHandle<()>>> {
    let mut askers = Vec::new();
    for _ in 0..PAGES {
        let mut stream = request(namespace, "/live")?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let over = Arc::clone(over);
        askers.push(std::thread::spawn(move || {
            let mut octets = [0; 1024];
            while !over.load(Ordering::Relaxed) && stream.read(&mut octets).is_ok_and(|count| count > 0) {}
        }));
    }
    let over = Arc::clone(over);
    let scrape = move || {
        while !over.load(Ordering::Relaxed) {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", METRICS)) else { return };
            let mut answer = Vec::new();
            write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok();
            stream.read_to_end(&mut answer).ok();
            std::thread::sleep(Duration::from_secs(1) / SCRAPES);
        }
    };
    // a thread stays in the namespace of the one that starts it
    askers.push(namespace.inside(|| Ok(std::thread::spawn(scrape)))?);
    Ok(askers)
}
