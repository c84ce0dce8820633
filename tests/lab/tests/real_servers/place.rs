//! Real servers and a balancer that checks them, all in one network namespace: what counts is the verdict.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use keepalived_lab::{Builder, Daemon, Filter, Lab, Namespace, Running, sandbox, trial_in, wait_until};

/// A namespace with the addresses 10.1.1.1 to 10.1.1.4 and fd00:1::1, for servers.
pub(crate) struct Place<'a> {
    lab: &'a Lab,
    running: Option<Running>,
}

/// How long anything may take that happens with the next check.
const SOON: Duration = Duration::from_secs(30);

/// Runs a test when its turn has come, if these programs are there.
pub(crate) fn at_place(name: &str, programs: &[&str], test: impl FnOnce(&mut Place<'_>) -> Result<()>) {
    let missing = sandbox::missing(programs);
    if !missing.is_empty() {
        keepalived_lab::skipped(name, &format!("not installed: {}", missing.join(", ")));
        return;
    }
    trial_in(name, Builder { routers: 1, segments: 0, filter: Filter::Heads }, |lab| {
        let addresses: String = (1..=4).map(|last| format!("address add 10.1.1.{last}/32 dev lo\n")).collect();
        lab.router(0).namespace().ip(&(addresses + "address add fd00:1::1/128 dev lo nodad\n"))?;
        test(&mut Place { lab, running: None })
    });
}

/// One check of one real server, and what must come of it.
pub(crate) struct Case {
    at: String,
    check: String,
    udp: bool,
    /// Why it is taken out; none if it stays in.
    down: Option<String>,
}

/// A check of `kind` that succeeds. It begins with the server down: only success brings it in.
pub(crate) fn up(at: &str, kind: &str, lines: &str) -> Case {
    Case { at: at.into(), check: check(kind, lines), udp: false, down: None }
}

/// A check of `kind` that fails, with this in its reason.
pub(crate) fn down(at: &str, kind: &str, lines: &str, reason: &str) -> Case {
    Case { down: Some(reason.into()), ..up(at, kind, lines) }
}

/// The page that a url asks for, and what it says beside.
pub(crate) fn url(path: &str, lines: &str) -> String {
    format!("url {{\n path {path}\n {lines}\n }}")
}

/// Each second, failing at once. The time is for a machine that is busy with something else.
fn check(kind: &str, lines: &str) -> String {
    let timeout = if lines.contains("connect_timeout") { "" } else { "connect_timeout 5\n " };
    format!("{kind} {{\n {timeout}retry 0\n delay_before_retry 1\n delay_loop 1\n warmup 0\n {lines}\n }}")
}

impl Case {
    /// The service is one of datagrams.
    pub(crate) fn udp(self) -> Self {
        Self { udp: true, ..self }
    }

    fn protocol(&self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }

    /// The address of its virtual server; the port tells them apart.
    fn vip(&self) -> &'static str {
        if self.at.starts_with('[') { "2001:db8::1" } else { "198.51.100.1" }
    }

    fn server(&self) -> (&str, &str) {
        let (address, port) = self.at.rsplit_once(':').expect("a port");
        (address.trim_matches(['[', ']']), port)
    }

    fn text(&self, port: u16) -> String {
        let (protocol, vip, (address, at)) = (self.protocol().to_uppercase(), self.vip(), self.server());
        let alpha = if self.down.is_none() { "alpha" } else { "" };
        format!(
            "virtual_server {vip} {port} {{\n lb_kind NAT\n lb_algo rr\n protocol {protocol}\n {alpha}\n \
             real_server {address} {at} {{\n weight 1\n {}\n }}\n}}\n",
            self.check
        )
    }

    /// What is said of it, as [`keepalived`] words it.
    ///
    /// [`keepalived`]: https://keepalived.org/doc/case_study_healthcheck.html
    fn said(&self, port: u16, log: &str) -> bool {
        let (protocol, vip, (address, at)) = (self.protocol(), self.vip(), self.server());
        let server = format!("service [{address}]:{protocol}:{at}");
        let service = format!("VS [{vip}]:{protocol}:{port}");
        match &self.down {
            None => log.contains(&format!("Adding {server} to {service}")),
            Some(reason) => {
                let removed = format!("Removing {server} from {service}: ");
                log.lines().any(|line| line.split_once(&removed).is_some_and(|(_, why)| why.contains(reason.as_str())))
            }
        }
    }
}

impl Place<'_> {
    /// Where everything runs.
    pub(crate) fn namespace(&self) -> &Namespace {
        self.lab.router(0).namespace()
    }

    /// For files.
    pub(crate) fn folder(&self) -> &Path {
        self.lab.router(0).folder()
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().context("it is in a folder")?)?;
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Starts a server that stays in the foreground, and waits until it listens at all these places.
    pub(crate) fn serve(&self, name: &str, command: &mut Command, at: &[&str]) -> Result<Server> {
        let log = File::options().create(true).append(true).open(self.folder().join(format!("{name}.log")))?;
        command.current_dir(self.folder()).stdout(log.try_clone()?).stderr(log);
        let mut server = Server(command.spawn().with_context(|| format!("{command:?}"))?);
        for at in at {
            let at: SocketAddr = at.parse()?;
            wait_until(&format!("{name} listens at {at}"), SOON, || {
                ensure!(server.0.try_wait()?.is_none(), "{name} has ended");
                self.namespace().inside(|| Ok(TcpStream::connect_timeout(&at, SOON).is_ok()))
            })?;
        }
        Ok(server)
    }

    /// What a program says inside.
    pub(crate) fn output(&self, line: &str) -> Result<String> {
        self.namespace().run(line)
    }

    /// Starts our daemon with these cases, and more lines of configuration, and waits until each has come out as it must.
    pub(crate) fn expect(&mut self, global: &str, cases: &[Case]) -> Result<()> {
        let text: String = (1..).zip(cases).map(|(port, case)| case.text(port)).collect();
        let text = format!("global_defs {{\n lvs_backend nftables\n}}\n{global}\n{text}");
        self.start(&text)?;
        self.come_out(cases)?;
        self.stays(cases)
    }

    /// Starts our daemon.
    pub(crate) fn start(&mut self, text: &str) -> Result<()> {
        // else the next one takes over what this one has left in the table
        if let Some(running) = self.running.take() {
            running.stop()?;
        }
        let name = format!("daemon{}", std::fs::read_dir(self.folder())?.count());
        self.running = Some(self.lab.router(0).start_with(&Daemon::ours(), &name, text, &["-D", "-C"])?);
        Ok(())
    }

    /// The daemon that runs.
    pub(crate) fn running(&self) -> Result<&Running> {
        self.running.as_ref().context("no daemon runs")
    }

    /// Waits until all is said.
    fn come_out(&self, cases: &[Case]) -> Result<()> {
        let mut silent = String::new();
        let all = || {
            let log = self.running()?.log();
            silent.clear();
            for (port, case) in (1..).zip(cases).filter(|(port, case)| !case.said(*port, &log)) {
                let wanted = case.down.as_deref().map_or("up".into(), |reason| format!("down: {reason}"));
                write!(silent, "\n{port} at {}, wanted {wanted}\n{}", case.at, case.check)?;
            }
            Ok(silent.is_empty())
        };
        let waited = wait_until("every check has come out as it must", SOON, all);
        waited.with_context(|| {
            format!("not so:{silent}\nthe log:\n{}", self.running().map_or(String::new(), Running::log))
        })
    }

    /// The table is as the cases say, and after the next round of checks, too.
    fn stays(&self, cases: &[Case]) -> Result<()> {
        let expected = ports(cases, |case| case.down.is_none());
        for pause in [0, 1200] {
            std::thread::sleep(Duration::from_millis(pause));
            let table = self.table()?;
            ensure!(table == expected, "the table has {table:?}, wanted {expected:?}");
        }
        Ok(())
    }

    /// Waits until the table has the cases that succeed, or none of them.
    pub(crate) fn becomes(&self, cases: &[Case], served: bool) -> Result<()> {
        let expected = ports(cases, |case| served && case.down.is_none());
        let mut table = BTreeSet::new();
        wait_until(&format!("the table has {expected:?}"), SOON, || {
            table = self.table()?;
            Ok(table == expected)
        })
        .with_context(|| format!("it has {table:?}"))
    }

    /// The ports of the virtual servers that have a real server.
    pub(crate) fn table(&self) -> Result<BTreeSet<u16>> {
        let listed = self.namespace().run("nft -j list table inet keepalived_balance")?;
        let listed: serde_json::Value = serde_json::from_str(&listed)?;
        let mut ports = BTreeSet::new();
        for object in listed["nftables"].as_array().context("a list")? {
            let map = &object["map"];
            if !map["name"].as_str().is_some_and(|name| name.starts_with("weights")) {
                continue;
            }
            // [{"concat": [protocol, address, port, server, port]}, weight]
            for element in map["elem"].as_array().map_or(&[][..], Vec::as_slice) {
                let port = element[0]["concat"][2].as_u64().with_context(|| format!("a port in {element}"))?;
                ports.insert(port.try_into()?);
            }
        }
        Ok(ports)
    }
}

fn ports(cases: &[Case], which: impl Fn(&Case) -> bool) -> BTreeSet<u16> {
    (1..).zip(cases).filter(|(_, case)| which(case)).map(|(port, _)| port).collect()
}

/// A server that ends with this value.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// Runs a program of the host that needs no network.
pub(crate) fn tool(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
