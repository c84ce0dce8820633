//! Real servers and a balancer that checks them, all in one network namespace: what counts is the verdict.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use keepalived_lab::{Builder, Daemon, Filter, Lab, Namespace, Running, sandbox, trial_in, wait_until};

/// A namespace with the addresses 10.1.1.1 to 10.1.1.4 and fd00:1::1, for servers.
pub(crate) struct Rig<'a> {
    lab: &'a Lab,
    running: Option<Running>,
}

/// How long anything may take that happens with the next check.
const SOON: Duration = Duration::from_secs(30);

/// Runs a test when its turn has come, if these programs are there.
pub(crate) fn with_rig(name: &str, programs: &[&str], test: impl FnOnce(&mut Rig<'_>) -> Result<()>) {
    let missing = sandbox::missing(programs);
    if !missing.is_empty() {
        keepalived_lab::skipped(name, &format!("not installed: {}", missing.join(", ")));
        return;
    }
    trial_in(name, Builder { routers: 1, segments: 0, filter: Filter::Heads }, |lab| {
        let addresses: String = (1..=4).map(|last| format!("address add 10.1.1.{last}/32 dev lo\n")).collect();
        lab.router(0).namespace().ip(&(addresses + "address add fd00:1::1/128 dev lo nodad\n"))?;
        test(&mut Rig { lab, running: None })
    });
}

/// One check of one real server, and what must come of it.
#[derive(Debug)]
pub(crate) struct Case {
    at: String,
    check: String,
    udp: bool,
    /// Why it is taken out; none if it stays in.
    down: Option<String>,
    /// Another real server of the same service, which is well, with its check.
    beside: Option<(String, String)>,
}

/// A check of `kind` that succeeds. It begins with the server down: only success brings it in.
pub(crate) fn up(at: &str, kind: &str, lines: &str) -> Case {
    Case { at: at.into(), check: check(kind, lines), udp: false, down: None, beside: None }
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
    /// Whether it succeeds.
    pub(crate) fn succeeds(&self) -> bool {
        self.down.is_none()
    }

    /// The service is one of datagrams.
    pub(crate) fn udp(self) -> Self {
        Self { udp: true, ..self }
    }

    /// The service has another real server, which this check finds well.
    pub(crate) fn beside(self, at: &str, kind: &str, lines: &str) -> Self {
        Self { beside: Some((at.into(), check(kind, lines))), ..self }
    }

    fn protocol(&self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }

    /// The address of its virtual server; the port tells them apart.
    fn vip(&self) -> &'static str {
        if self.at.starts_with('[') { "2001:db8::1" } else { "198.51.100.1" }
    }

    fn server(&self) -> (&str, &str) {
        words(&self.at)
    }

    /// Its virtual server.
    pub(crate) fn text(&self, port: u16) -> String {
        let (protocol, vip, (address, at)) = (self.protocol().to_uppercase(), self.vip(), self.server());
        let alpha = if self.down.is_none() { "alpha" } else { "" };
        let beside = self.beside.as_ref().map_or(String::new(), |(at, check)| {
            let (address, at) = words(at);
            format!(" real_server {address} {at} {{\n weight 1\n {check}\n }}\n")
        });
        format!(
            "virtual_server {vip} {port} {{\n lb_kind NAT\n lb_algo rr\n protocol {protocol}\n {alpha}\n \
             real_server {address} {at} {{\n weight 1\n {}\n }}\n{beside}}}\n",
            self.check
        )
    }

    /// What the table has of it.
    fn entries(&self, port: u16, served: bool) -> impl Iterator<Item = Entry> {
        let itself = (served && self.down.is_none()).then_some(&self.at);
        let beside = self.beside.as_ref().map(|(at, _)| at);
        itself.into_iter().chain(beside).map(move |at| (port, at.clone()))
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

/// Address and port as keepalived.conf has them.
fn words(at: &str) -> (&str, &str) {
    let (address, port) = at.rsplit_once(':').expect("a port");
    (address.trim_matches(['[', ']']), port)
}

/// The port of a virtual server, and a real server of it.
pub(crate) type Entry = (u16, String);

/// Where servers run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room<'a> {
    /// With their addresses.
    pub(crate) namespace: &'a Namespace,
    /// For their files.
    pub(crate) folder: &'a Path,
}

impl Room<'_> {
    /// Writes a file.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().context("it is in a folder")?)?;
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Starts a server that stays in the foreground, and waits until it listens at all these places.
    pub(crate) fn serve(&self, name: &str, command: &mut Command, at: &[&str]) -> Result<Server> {
        let log = File::options().create(true).append(true).open(self.folder.join(format!("{name}.log")))?;
        command.current_dir(self.folder).stdout(log.try_clone()?).stderr(log);
        let mut server = Server(command.spawn().with_context(|| format!("{command:?}"))?);
        for at in at {
            let at: SocketAddr = at.parse()?;
            wait_until(&format!("{name} listens at {at}"), SOON, || {
                ensure!(server.0.try_wait()?.is_none(), "{name} has ended");
                self.namespace.inside(|| Ok(TcpStream::connect_timeout(&at, SOON).is_ok()))
            })?;
        }
        Ok(server)
    }
}

impl Rig<'_> {
    /// Where everything runs.
    pub(crate) fn namespace(&self) -> &Namespace {
        self.lab.router(0).namespace()
    }

    /// For files.
    pub(crate) fn folder(&self) -> &Path {
        self.lab.router(0).folder()
    }

    /// The room that it is in.
    pub(crate) fn room(&self) -> Room<'_> {
        Room { namespace: self.namespace(), folder: self.folder() }
    }

    /// Starts our daemon with these cases, and more lines of configuration, and waits until each has come out as it
    /// must.
    pub(crate) fn expect(&mut self, global: &str, cases: &[Case]) -> Result<()> {
        self.start_with(global, cases)?;
        self.come_out(cases)
    }

    /// Starts our daemon with these cases.
    pub(crate) fn start_with(&mut self, global: &str, cases: &[Case]) -> Result<()> {
        let text: String = (1..).zip(cases).map(|(port, case)| case.text(port)).collect();
        self.start(&format!("global_defs {{\n lvs_backend nftables\n}}\n{global}\n{text}"))
    }

    /// Starts our daemon.
    pub(crate) fn start(&mut self, text: &str) -> Result<()> {
        // else the next one takes over what this one has left in the table
        if let Some(running) = self.running.take() {
            running.stop()?;
        }
        let name = format!("daemon{}", std::fs::read_dir(self.folder())?.count());
        self.running = Some(self.lab.router(0).start_with(&Daemon::ours(), &name, text, &["-C"])?);
        Ok(())
    }

    /// The daemon that runs.
    pub(crate) fn running(&self) -> Result<&Running> {
        self.running.as_ref().context("no daemon runs")
    }

    /// Waits until each has come out as it must, and stays so.
    fn come_out(&self, cases: &[Case]) -> Result<()> {
        self.come_out_within(cases, SOON).map(drop)
    }

    /// Waits so long until each has come out as it must, and stays so. Says how long each took.
    pub(crate) fn come_out_within(&self, cases: &[Case], within: Duration) -> Result<Vec<Duration>> {
        let begin = Instant::now();
        let mut took = vec![None; cases.len()];
        let all = || {
            let log = self.running()?.log();
            for (port, (case, took)) in (1..).zip(cases.iter().zip(&mut took)) {
                if took.is_none() && case.said(port, &log) {
                    *took = Some(begin.elapsed());
                }
            }
            Ok(took.iter().all(Option::is_some))
        };
        wait_until("every check has come out as it must", within, all).with_context(|| {
            let silent = cases.iter().zip(&took).filter(|(_, took)| took.is_none());
            let said: String =
                silent.map(|(case, _)| format!("\nat {}, wanted {:?}\n{}", case.at, case.down, case.check)).collect();
            format!("not so:{said}\nthe log:\n{}", self.running().map_or(String::new(), Running::log))
        })?;
        self.stays(cases)?;
        Ok(took.into_iter().flatten().collect())
    }

    /// The table is as the cases say, and after the next round of checks, too.
    fn stays(&self, cases: &[Case]) -> Result<()> {
        self.has(cases)?;
        std::thread::sleep(Duration::from_millis(1200));
        self.has(cases)
    }

    /// The table is as the cases say.
    pub(crate) fn has(&self, cases: &[Case]) -> Result<()> {
        let (table, expected) = (self.table()?, entries(cases, true));
        ensure!(table == expected, "the table has {table:?}, wanted {expected:?}");
        Ok(())
    }

    /// Waits until the table has the cases that succeed, or none of them.
    pub(crate) fn becomes(&self, cases: &[Case], served: bool) -> Result<()> {
        let expected = entries(cases, served);
        self.holds("what is expected", |table| *table == expected)
    }

    /// Waits until the table is so.
    pub(crate) fn holds(&self, what: &str, wanted: impl Fn(&BTreeSet<Entry>) -> bool) -> Result<()> {
        let mut table = BTreeSet::new();
        wait_until(&format!("the table has {what}"), SOON, || {
            table = self.table()?;
            Ok(wanted(&table))
        })
        .with_context(|| format!("it has {table:?}"))
    }

    /// What real servers there are in the kernel.
    fn table(&self) -> Result<BTreeSet<Entry>> {
        let listed = self.namespace().run("nft -j list table inet keepalived_balance")?;
        let listed: serde_json::Value = serde_json::from_str(&listed)?;
        let mut entries = BTreeSet::new();
        for object in listed["nftables"].as_array().context("a list")? {
            let map = &object["map"];
            if !map["name"].as_str().is_some_and(|name| name.starts_with("weights")) {
                continue;
            }
            // [{"concat": [protocol, address, port, server, port]}, weight]
            for element in map["elem"].as_array().map_or(&[][..], Vec::as_slice) {
                let parts = &element[0]["concat"];
                let port = parts[2].as_u64().with_context(|| format!("a port in {element}"))?;
                let address: IpAddr = parts[3].as_str().context("an address")?.parse()?;
                let at = SocketAddr::new(address, parts[4].as_u64().context("a port")?.try_into()?);
                entries.insert((port.try_into()?, at.to_string()));
            }
        }
        Ok(entries)
    }
}

fn entries(cases: &[Case], served: bool) -> BTreeSet<Entry> {
    (1..).zip(cases).flat_map(|(port, case)| case.entries(port, served)).collect()
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
