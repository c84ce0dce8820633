//! A daemon with many virtual servers, and the kernel's table.

use super::faked::Faked;
use super::{Ground, Kind};
use anyhow::{Context as _, Result, bail, ensure};
use keepalived_core::balance::{Protocol, ServiceKey};
use keepalived_kernel::director::Director as _;
use keepalived_kernel::ipvs::Ipvs;
use keepalived_lab::{Daemon, Flavour, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where those servers listen that never fail.
pub(in crate::bench) const PORT: u16 = 80;
/// Where those listen that do.
pub(super) const FRAIL: u16 = 81;

/// Many virtual servers.
#[derive(Debug, Clone, Copy)]
pub(in crate::bench) struct Site {
    pub(super) services: usize,
    /// Of each.
    pub(super) servers: usize,
    /// Of them, how many listen on [`FRAIL`].
    pub(super) frail: usize,
    pub(super) kind: Kind,
    /// Seconds.
    pub(super) delay_loop: u32,
    /// Of the very last server.
    pub(super) last_weight: u32,
}

impl Site {
    pub(in crate::bench) fn tens(services: usize, delay_loop: u32) -> Self {
        Self { services, servers: 10, frail: 0, kind: Kind::Tcp, delay_loop, last_weight: 1 }
    }

    /// The same with another weight of the very last server.
    pub(in crate::bench) fn with_last_weight(self, last_weight: u32) -> Self {
        Self { last_weight, ..self }
    }

    pub(super) fn all_servers(self) -> usize {
        self.services * self.servers
    }

    /// Where a real server is, of all.
    pub(super) fn server(self, number: usize) -> Ipv4Addr {
        address(10, number)
    }

    pub(super) fn last(self) -> ServiceKey {
        let address = IpAddr::V4(address(172, self.services - 1));
        ServiceKey::Address { address, port: PORT, protocol: Protocol::Tcp }
    }

    pub(super) fn text(self) -> String {
        format!("global_defs {{\n    router_id bench\n}}\n{}", self.services_text())
    }

    /// The virtual servers alone.
    pub(in crate::bench) fn services_text(self) -> String {
        let mut text = String::new();
        for service in 0..self.services {
            let Self { delay_loop, .. } = self;
            writeln!(
                text,
                "virtual_server {} {PORT} {{\n    delay_loop {delay_loop}\n    lvs_sched rr\n    lvs_method NAT\n    \
                 protocol TCP",
                address(172, service)
            )
            .expect("a String takes everything");
            for server in 0..self.servers {
                let number = service * self.servers + server;
                let port = if server < self.frail { FRAIL } else { PORT };
                let weight = if number + 1 == self.all_servers() { self.last_weight } else { 1 };
                let check = match self.kind {
                    Kind::Tcp => "TCP_CHECK {\n            connect_timeout 5\n            retry 0\n        }",
                    Kind::Http => {
                        "HTTP_GET {\n            url {\n                path /\n                status_code 200\n            \
                         }\n            connect_timeout 5\n            retry 0\n        }"
                    }
                };
                writeln!(
                    text,
                    "    real_server {} {port} {{\n        weight {weight}\n        {check}\n    }}",
                    self.server(number)
                )
                .expect("a String takes everything");
            }
            text.push_str("}\n");
        }
        text
    }
}

fn address(first: u8, number: usize) -> Ipv4Addr {
    let octet = |value: usize| u8::try_from(value).expect("below 256");
    Ipv4Addr::new(first, octet(16 + number / 62_500), octet(number / 250 % 250), octet(number % 250 + 1))
}

/// The daemon, with its checker process only.
pub(super) struct Balancer {
    child: Child,
    folder: PathBuf,
    faked: Option<Faked>,
}

impl Balancer {
    pub(super) fn start(daemon: &Daemon, site: Site, ground: Ground) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("keepalived-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let file = |name: &str| folder.join(name);
        std::fs::write(file("conf"), site.text())?;
        let log = File::create(file("log"))?;
        let mut command = Command::new(daemon.program());
        command.args(["-n", "-l", "-G", "-C", "-f"]).arg(file("conf"));
        command.arg("-p").arg(file("pid")).arg("-c").arg(file("checkers.pid")).arg("-r").arg(file("vrrp.pid"));
        let needs_table = ground == Ground::Namespace && daemon.flavour() != Flavour::Ours;
        let faked = needs_table.then(|| Faked::build(&folder)).transpose()?;
        if let Some(faked) = &faked {
            faked.preload(&mut command);
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self { child: child.with_context(|| format!("{command:?}"))?, folder, faked })
    }

    /// Whether there is no table.
    pub(super) fn has_faked_table(&self) -> bool {
        self.faked.is_some()
    }

    /// How many servers the kernel was told, where it has no table; else 0.
    pub(super) fn told_servers(&self) -> Result<u64> {
        self.faked.as_ref().map_or(Ok(0), Faked::servers)
    }

    /// Waits until all servers were told to the kernel of this machine.
    pub(super) fn wait_told(&mut self, site: Site, limit: Duration) -> Result<()> {
        let Some(faked) = self.faked.clone() else { return self.wait_for("Startup complete", limit) };
        let all = u64::try_from(site.all_servers())?;
        self.wait("all servers are told", limit, || Ok(faked.servers()? == all))
    }

    /// Waits until the kernel was told that a server has changed, where it has no table.
    pub(super) fn wait_change(&mut self, limit: Duration) -> Result<()> {
        let faked = self.faked.clone().context("the table is a real one")?;
        self.wait("a server is changed", limit, || Ok(faked.changes()? > 0))
    }

    /// Waits until all servers are in the table.
    pub(super) fn wait_complete(&mut self, site: Site, limit: Duration) -> Result<()> {
        let mut ipvs = Ipvs::open()?;
        let last = site.last();
        self.wait("the last service is complete", limit, || Ok(ipvs.destinations(&last)?.len() == site.servers))?;
        self.wait("the table is complete", limit, || Ok(table()? == (site.services, site.all_servers())))
    }

    /// Asks until the answer is yes, while the daemon runs.
    pub(super) fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let end = std::time::Instant::now() + limit;
        while !condition()? {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended: {status}\n{}", self.log());
            }
            ensure!(std::time::Instant::now() < end, "waited {limit:?} in vain until {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until it has logged something.
    pub(super) fn wait_for(&mut self, words: &str, limit: Duration) -> Result<()> {
        let path = self.folder.join("log");
        self.wait(words, limit, || Ok(String::from_utf8_lossy(&std::fs::read(&path)?).contains(words)))
    }

    pub(super) fn rewrite(&self, site: Site) -> Result<()> {
        std::fs::write(self.folder.join("conf"), site.text())?;
        Ok(())
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    pub(super) fn wait_end(&mut self, limit: Duration) -> Result<()> {
        let end = std::time::Instant::now() + limit;
        while self.child.try_wait()?.is_none() {
            ensure!(std::time::Instant::now() < end, "it did not end within {limit:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn checker(&self) -> Result<u32> {
        let path = self.folder.join("checkers.pid");
        let mut pid = None;
        wait_until("the checker process says who it is", Duration::from_secs(10), || {
            pid = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            Ok(pid.is_some())
        })?;
        pid.context("no pid")
    }

    /// CPU time of the checker process, in milliseconds.
    pub(super) fn cpu(&self) -> Result<f64> {
        crate::bench::process::cpu_of(self.checker()?).map(|seconds| seconds * 1000.0)
    }

    /// Proportional set size of the checker process, in kilobytes.
    pub(super) fn memory(&self) -> Result<f64> {
        crate::bench::process::pss_of(self.checker()?)
    }

    /// The end of what it has logged.
    pub(super) fn log(&self) -> String {
        let text = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            keepalived_lab::crash(Pid::from_child(&self.child));
            let _ = self.child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How many services and servers the kernel has.
pub(super) fn table() -> Result<(usize, usize)> {
    let text = std::fs::read_to_string("/proc/net/ip_vs")?;
    let services = text.lines().filter(|line| line.starts_with("TCP")).count();
    let servers = text.lines().filter(|line| line.starts_with("  -> ") && !line.contains("Remote")).count();
    Ok((services, servers))
}
