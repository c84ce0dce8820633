//! `cargo xtask demo balance`: a client is served while servers die and return.

mod client;
mod clock;
mod told;

use super::{build, built, keep};
use crate::listener::{Listener, Service};
use crate::options::{Command as Spec, Given};
use crate::packages;
use crate::say::say;
use anyhow::{Context as _, Result, ensure};
use client::Client;
use clock::now;
use keepalived_kernel::nftables::Nftables;
use keepalived_kernel::process::NetworkNamespace;
use keepalived_lab::{Builder, Daemon, Filter, Lab, Running, patience, sandbox, wait_until};
use std::time::Duration;
use told::Told;

const CONFIGURATION: &str = "docs/examples/balancer/keepalived.conf";
// what the example configuration says
const ADDRESS: &str = "10.0.0.100";
const SERVERS: [&str; 4] = ["server a", "server b", "server c", "server d"];
const SORRY: usize = 3;

// who is who among the routers of the lab; on segment 0 are the clients, on segment 1 the servers
const CLIENT: usize = 0;
const BALANCER: usize = 1;
const FIRST_SERVER: usize = 2;

pub(crate) const COMMAND: Spec = Spec {
    name: "demo balance",
    about: "a balancer and three servers: they die and return, and you watch a client",
    options: &[keep::OPTION],
};

pub(crate) fn run(options: &Given) -> Result<()> {
    if !sandbox::inside() {
        build()?;
        packages::ensure_installed(&["tcpdump", "iproute2", "nftables", "util-linux"])?;
    }
    sandbox::reenter()?;
    let daemon = Daemon::built(built()?);
    daemon.check()?;
    let lab = Builder { routers: 6, segments: 2, filter: Filter::Everything }.build("demo-balance", None)?;
    wire(&lab)?;
    say!("A client, a balancer, three web servers and a fourth that takes over when all three are dead:");
    for (server, name) in SERVERS.into_iter().enumerate() {
        say!(
            "   {name} {}{}",
            lab.router(FIRST_SERVER + server).v4(1),
            if server == SORRY { ", the sorry server" } else { "" }
        );
    }
    say!("The balancer is {}, with {CONFIGURATION}.", daemon.version());
    say!("The client asks http://{ADDRESS}/ about 20 times a second, and waits 0.2 s for an answer.\n");
    let mut servers = Vec::new();
    for server in 0..SERVERS.len() {
        servers.push(Some(serve(&lab, server)?));
    }
    let keeps = options.has(keep::OPTION.name);
    let configuration = std::fs::read_to_string(CONFIGURATION).context(CONFIGURATION)?;
    let configuration = if keeps { keep::with_page(&configuration) } else { configuration };
    let started = now();
    let running = lab.router(BALANCER).start(&daemon, "keepalived", &configuration)?;
    wait_until("the balancer has started", patience(Duration::from_secs(5)), || {
        Ok(running.log().contains("Startup complete"))
    })
    .with_context(|| running.log())?;
    let client = Client::start(lab.router(CLIENT).namespace().name(), ADDRESS)?;
    let mut told = Told::new(started, &running, &client);
    play(&lab, &mut told, &mut servers)?;
    told.print_sum();
    drop(client);
    show_table(&lab)?;
    if keeps {
        return keep::until_interrupted(&lab, &[(BALANCER, "the balancer")]);
    }
    stop(&lab, running)
}

/// The balancer forwards between the two segments; the client is on the one only, the servers are on the other.
fn wire(lab: &Lab) -> Result<()> {
    let balancer = lab.router(BALANCER);
    balancer.namespace().ip(&format!("address add {ADDRESS}/32 dev eth0"))?;
    let forward = balancer.namespace().command("sh").args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]).status()?;
    ensure!(forward.success(), "this machine does not let us forward packets: net.ipv4.ip_forward cannot be changed");
    lab.router(CLIENT).namespace().ip("link set eth1 down")?;
    for server in 0..SERVERS.len() {
        let gateway = balancer.v4(1);
        let server = lab.router(FIRST_SERVER + server).namespace();
        server.ip(&format!("link set eth0 down\nroute add default via {gateway}"))?;
    }
    Ok(())
}

/// Starts the web server of a server.
fn serve(lab: &Lab, server: usize) -> Result<Listener> {
    let namespace = NetworkNamespace::named(lab.router(FIRST_SERVER + server).namespace().name())?;
    let serve = move || {
        namespace.enter()?;
        // what it starts stays in there
        Listener::start(80, Service::Http(SERVERS[server]))
    };
    std::thread::spawn(serve).join().expect("it does not panic")
}

fn play(lab: &Lab, told: &mut Told<'_>, servers: &mut [Option<Listener>]) -> Result<()> {
    let [a, b, c] = [0, 1, 2];
    let address = |server: usize| lab.router(FIRST_SERVER + server).v4(1).to_string();
    let wait = |seconds| std::thread::sleep(Duration::from_secs_f64(seconds));
    wait(2.0);
    told.died(SERVERS[b], address(b), "ITS PROGRAM DIES: connections to it are refused");
    kill(&mut servers[b])?;
    wait(3.0);
    told.died(SERVERS[c], address(c), "ITS CABLE IS OUT: nothing comes back from it");
    lab.pull(FIRST_SERVER + c, 1)?;
    wait(4.0);
    told.died(SERVERS[a], address(a), "ITS PROGRAM DIES, too: it was the last");
    kill(&mut servers[a])?;
    wait(3.0);
    told.did(SERVERS[b], "COMES BACK");
    servers[b] = Some(serve(lab, b)?);
    wait(2.5);
    told.did("servers a and c", "COME BACK");
    servers[a] = Some(serve(lab, a)?);
    lab.plug(FIRST_SERVER + c, 1)?;
    wait(4.0);
    told.catch_up();
    Ok(())
}

fn kill(server: &mut Option<Listener>) -> Result<()> {
    server.take().map_or(Ok(()), Listener::close)
}

/// What the kernel holds, and has counted.
fn show_table(lab: &Lab) -> Result<()> {
    let balancer = lab.router(BALANCER).namespace();
    let table = Nftables::TABLE;
    if balancer.run("nft list tables")?.contains(table) {
        let chain = format!("nft list chain inet {table} tcp-{ADDRESS}-80");
        let counters = format!("nft list set inet {table} traffic4");
        for command in [chain, counters] {
            say!("\nOn the balancer: {command}\n{}", balancer.run(&command)?.trim_end());
        }
        say!(
            "The first is how new connections are dealt out, the second what each server got since it was last added."
        );
    } else {
        let command = "cat /proc/net/ip_vs_stats /proc/net/ip_vs";
        say!("\nOn the balancer, whose kernel has IPVS: {command}\n{}", balancer.run(command)?.trim_end());
    }
    Ok(())
}

fn stop(lab: &Lab, running: Running) -> Result<()> {
    let balancer = lab.router(BALANCER).namespace();
    let status = running.stop()?;
    ensure!(status.success(), "the balancer ended with {status}");
    let left = balancer.run("nft list ruleset")?;
    ensure!(!left.contains(ADDRESS), "the virtual server is still there: {left}");
    say!("\nThe balancer was stopped: its virtual server is gone from the kernel's table.");
    Ok(())
}
