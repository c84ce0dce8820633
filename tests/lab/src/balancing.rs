//! Load balancing, of one daemon or of two side by side: each in a network namespace of its own with the same real
//! servers, on the same kernel. What counts is the kernel's table.
//!
//! It needs IPVS: see [`crate::uml`].

mod servers;

use crate::daemon::{Daemon, Running};
use crate::namespace::Namespace;
use crate::wait::wait_until;
use anyhow::{Context as _, Result, bail, ensure};
use servers::Server;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a table that has changed must stay as it is to count: checks come each second.
const SETTLED: Duration = Duration::from_millis(1300);
/// How long a table must stay as it is if it is not to change.
const UNMOVED: Duration = Duration::from_millis(2500);
/// How long two daemons may take to come to the same.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the table is looked at.
const GLANCE: Duration = Duration::from_millis(200);
/// So much of `/proc/net/ip_vs` the kernel gives in one piece; a second one may have gaps where there are other
/// namespaces.
const WHOLE: usize = 3800;

/// Where real servers are: each namespace has these from the start.
const NETWORKS: [[u8; 3]; 3] = [[10, 0, 0], [192, 168, 100], [172, 16, 1]];
const ADDRESSES: [&str; 3] = ["fd00::1", "fd00::2", "fd00::3"];

static COUNT: AtomicUsize = AtomicUsize::new(0);

fn is_local(address: &str) -> bool {
    let of = |[a, b, c]: &[u8; 3]| address.starts_with(&format!("{a}.{b}.{c}."));
    ADDRESSES.contains(&address) || NETWORKS.iter().any(of)
}

/// One daemon and its real servers.
#[derive(Debug)]
pub struct Site {
    // dropped in this order
    running: Option<Running>,
    servers: BTreeMap<SocketAddr, Server>,
    namespace: Namespace,
    aside: Option<Namespace>,
    folder: PathBuf,
    glance: File,
    daemon: Daemon,
    fifo: Arc<Mutex<Vec<u8>>>,
}

impl Site {
    /// A namespace for this daemon, with a device `eth0` that leads nowhere.
    pub fn new(daemon: Daemon) -> Result<Self> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Namespace::create(format!("{}{}-b{number}", crate::namespace::PREFIX, std::process::id()))?;
        let mut batch = "link add eth0 type dummy\nlink set eth0 up\n".to_owned();
        // at once: each program costs such a machine more than all that a test does
        NETWORKS.iter().try_for_each(|[a, b, c]| writeln!(batch, "route add local {a}.{b}.{c}.0/24 dev lo"))?;
        ADDRESSES.iter().try_for_each(|address| writeln!(batch, "address add {address}/128 dev lo"))?;
        namespace.ip(&batch)?;
        let folder = std::env::temp_dir().join(namespace.name());
        std::fs::create_dir_all(&folder)?;
        let (glance, fifo) = (table_of(&namespace)?, Arc::default());
        Ok(Self { running: None, servers: BTreeMap::new(), namespace, aside: None, folder, glance, daemon, fifo })
    }

    /// From now on its table is the one of another namespace: `ASIDE` in a configuration.
    pub fn step_aside(&mut self) -> Result<()> {
        let aside = Namespace::create(format!("{}-aside", self.namespace.name()))?;
        self.glance = table_of(&aside)?;
        self.aside = Some(aside);
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its files; `FOLDER` in a configuration.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Gives the namespace these addresses, unless it has them; with the same again nothing happens.
    pub fn own(&self, addresses: &[&str]) -> Result<()> {
        let mut batch = String::new();
        for address in addresses.iter().filter(|address| !is_local(address)) {
            let length = if address.contains(':') { 128 } else { 32 };
            writeln!(batch, "address replace {address}/{length} dev lo")?;
        }
        if batch.is_empty() { Ok(()) } else { self.namespace.ip(&batch) }
    }

    /// A server that takes connections and says nothing.
    pub fn listen(&mut self, at: &str) -> Result<()> {
        self.open(at, Server::silent)
    }

    /// A server that sends each line back, with its own address before it.
    pub fn echo(&mut self, at: &str) -> Result<()> {
        self.open(at, Server::echo)
    }

    /// A server of web pages; it has none yet, and says 404.
    pub fn web(&mut self, at: &str) -> Result<()> {
        self.open(at, Server::web)
    }

    /// A server that takes mail.
    pub fn mail(&mut self, at: &str) -> Result<()> {
        self.open(at, Server::mail)
    }

    /// A name server, over UDP; it knows nothing.
    pub fn names(&mut self, at: &str) -> Result<()> {
        self.open(at, Server::names)
    }

    /// A TLS server of the files of the folder, to the end of the site.
    pub fn tls(&mut self, at: &str) -> Result<()> {
        let at: SocketAddr = at.parse().with_context(|| at.to_owned())?;
        self.own(&[&at.ip().to_string()])?;
        let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out certificate -subj /CN=lab";
        let serve = format!("s_server -WWW -quiet -accept {at} -key key -cert certificate");
        let openssl = |line: &str| {
            let mut command = self.namespace.command("openssl");
            command.args(line.split_whitespace()).current_dir(&self.folder);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        ensure!(openssl(make).status()?.success(), "openssl {make}");
        // it ends with the namespace
        openssl(&serve).spawn()?;
        let is_open = || self.namespace.inside(|| Ok(TcpStream::connect(at).is_ok()));
        wait_until("the TLS server answers", Duration::from_secs(10), is_open)
    }

    fn open(&mut self, at: &str, server: impl FnOnce(SocketAddr) -> Result<Server> + Send) -> Result<()> {
        let at: SocketAddr = at.parse().with_context(|| at.to_owned())?;
        self.own(&[&at.ip().to_string()])?;
        // the old one has to be gone
        self.servers.remove(&at);
        let server = self.namespace.inside(|| server(at)).with_context(|| at.to_string())?;
        self.servers.insert(at, server);
        Ok(())
    }

    /// Closes a server.
    pub fn close(&mut self, at: &str) -> Result<()> {
        self.servers.remove(&at.parse()?).map(drop).with_context(|| format!("no server at {at}"))
    }

    /// A page of a web server: its status and what it says.
    pub fn page(&mut self, at: &str, path: &str, status: u16, text: &str) -> Result<()> {
        let server = self.servers.get(&at.parse()?).with_context(|| format!("no server at {at}"))?;
        server.page(path, status, text);
        Ok(())
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.join(name), text)?)
    }

    /// Writes a program of the folder, which may be running: it ends with this status.
    pub fn ends_with(&self, name: &str, status: &str) -> Result<()> {
        let (new, path) = (self.folder.join(format!("{name}.new")), self.folder.join(name));
        std::fs::write(&new, format!("#!/bin/sh\nexit {status}\n"))?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755))?;
        Ok(std::fs::rename(new, path)?)
    }

    /// Makes a named pipe in the folder, and from now on keeps all that is written to it.
    pub fn fifo(&self, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        self.namespace.run(&format!("mkfifo {}", path.display()))?;
        // for writing, too: then it has no end
        let mut pipe = File::options().read(true).write(true).open(path)?;
        let kept = Arc::clone(&self.fifo);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count) = pipe.read(&mut piece) {
                kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(&piece[..count]);
            }
        });
        Ok(())
    }

    /// What was written to the named pipe, NULs and all.
    #[must_use]
    pub fn told(&self) -> Vec<u8> {
        self.fifo.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// A file of the folder; empty if it is not there.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// Starts the daemon.
    pub fn start(&mut self, configuration: &str, options: &[&str]) -> Result<()> {
        self.start_all(configuration, &[&["-C"], options].concat())
    }

    /// The same with its vrrp process.
    pub fn start_all(&mut self, configuration: &str, options: &[&str]) -> Result<()> {
        let (text, folder) = (self.own_text(configuration), self.folder.join("daemon"));
        let all = [&["-D", "-G"], options].concat();
        self.running = Some(Running::start(&self.daemon, &self.namespace, &folder, &text, &all, None)?);
        Ok(())
    }

    /// Has it read another configuration.
    pub fn reload(&self, configuration: &str) -> Result<()> {
        self.running()?.reload(&self.own_text(configuration))
    }

    fn own_text(&self, configuration: &str) -> String {
        let aside = self.aside.as_ref().map_or("none", Namespace::name);
        configuration.replace("FOLDER", &self.folder.display().to_string()).replace("ASIDE", aside)
    }

    /// The daemon that runs.
    pub fn running(&self) -> Result<&Running> {
        self.running.as_ref().context("no daemon runs")
    }

    fn runs(&mut self) -> Result<()> {
        let running = self.running.as_mut().context("no daemon runs")?;
        ensure!(running.is_running()?, "{}: has ended", self.daemon);
        Ok(())
    }

    /// Stops it.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.running.take().context("no daemon runs")?.stop()?;
        ensure!(status.success(), "{}: {status}", self.daemon);
        Ok(())
    }

    /// `ipvsadm`, as an administrator types it; what it says.
    pub fn ipvsadm(&self, line: &str) -> Result<String> {
        self.namespace.run(&format!("ipvsadm {line}"))
    }

    /// What `ipvsadm -Sn` says, sorted.
    pub fn table(&self) -> Result<String> {
        let text = self.aside.as_ref().unwrap_or(&self.namespace).run("ipvsadm -Sn")?;
        let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.sort_unstable();
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    }

    /// The table as it is quickly had, for comparison with an earlier one: without what changes by itself. A process of
    /// its own for each look would keep such a machine busy.
    fn glance(&mut self) -> Result<String> {
        let mut octets = vec![0; 65_536];
        self.glance.rewind()?;
        let count = self.glance.read(&mut octets)?;
        if count > WHOLE {
            return self.table();
        }
        let text = String::from_utf8_lossy(&octets[..count]).into_owned();
        let line = |line: &str| {
            let server: Vec<&str> = line.split_whitespace().collect();
            if server.first() == Some(&"->") { server[..server.len().min(4)].join(" ") } else { line.to_owned() }
        };
        Ok(text.lines().map(|text| line(text) + "\n").collect())
    }

    /// Waits until [`Self::table`] is this.
    pub fn wait_for(&self, label: &str, table: &str) -> Result<()> {
        let mut is = String::new();
        wait_until(label, PATIENCE, || {
            is = self.table()?;
            // each look is a program
            std::thread::sleep(if is == table { Duration::ZERO } else { GLANCE });
            Ok(is == table)
        })
        .with_context(|| format!("{label}: it is\n{is}and ought to be\n{table}{}", self.log()))
    }

    /// The table must stay as it is for a while.
    pub fn stays(&self, label: &str) -> Result<()> {
        let (before, end) = (self.table()?, Instant::now() + UNMOVED);
        while Instant::now() < end {
            let is = self.table()?;
            ensure!(is == before, "{label}: it was\n{before}and is\n{is}{}", self.log());
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("daemon/log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default();
        format!("----- log of {}\n{}\n", self.daemon, last.join("\n"))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.running = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The table of a namespace, as text.
fn table_of(namespace: &Namespace) -> Result<File> {
    // what is opened stays the one of the namespace that it was opened in
    namespace.inside(|| Ok(File::open("/proc/thread-self/net/ip_vs")?))
}

/// What an event is to do to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Changes,
    Stays,
}

/// Our daemon and Debian's, each on a site of its own, with the same happening to both.
#[derive(Debug)]
pub struct Pair {
    ours: Site,
    theirs: Site,
    before: [String; 2],
    differences: Vec<String>,
    stages: usize,
}

impl Pair {
    /// Two sites.
    pub fn new() -> Result<Self> {
        let mut ours = Site::new(Daemon::ours())?;
        let mut theirs = Site::new(Daemon::debian())?;
        ours.daemon.check()?;
        theirs.daemon.check()?;
        let before = [ours.glance()?, theirs.glance()?];
        Ok(Self { ours, theirs, before, differences: Vec::new(), stages: 0 })
    }

    /// Does the same on both.
    pub fn both(&mut self, mut what: impl FnMut(&mut Site) -> Result<()>) -> Result<()> {
        what(&mut self.ours)?;
        what(&mut self.theirs)
    }

    /// Ours, and Debian's.
    #[must_use]
    pub fn sites(&self) -> [&Site; 2] {
        [&self.ours, &self.theirs]
    }

    /// Starts both, and compares.
    pub fn start(&mut self, configuration: &str) -> Result<()> {
        self.start_with(configuration, &[])
    }

    /// The same with options.
    pub fn start_with(&mut self, configuration: &str, options: &[&str]) -> Result<()> {
        self.both(|site| site.start(configuration, options))?;
        self.stage("start", Then::Changes)
    }

    /// Opens servers that take connections, and compares; the table is to change.
    pub fn open(&mut self, servers: &[&str]) -> Result<()> {
        self.both(|site| servers.iter().try_for_each(|at| site.listen(at)))?;
        self.stage(&format!("{servers:?} opened"), Then::Changes)
    }

    /// Closes servers, and compares; the table is to change.
    pub fn close(&mut self, servers: &[&str]) -> Result<()> {
        self.both(|site| servers.iter().try_for_each(|at| site.close(at)))?;
        self.stage(&format!("{servers:?} closed"), Then::Changes)
    }

    /// Has both read another configuration, and compares; the table is to change.
    pub fn reload(&mut self, label: &str, configuration: &str) -> Result<()> {
        self.both(|site| site.reload(configuration))?;
        self.stage(&format!("reload: {label}"), Then::Changes)
    }

    /// Stops both, and compares.
    pub fn stop(&mut self) -> Result<()> {
        self.both(Site::stop)?;
        self.compare("stop", &[self.ours.table()?, self.theirs.table()?]);
        self.before = [self.ours.glance()?, self.theirs.glance()?];
        Ok(())
    }

    /// After something happened that changes the table: waits until both have changed and are settled, and compares.
    pub fn changes(&mut self, label: &str) -> Result<()> {
        self.stage(label, Then::Changes)
    }

    /// After something happened that does not change the table: both must stay as they are, and are compared.
    pub fn stays(&mut self, label: &str) -> Result<()> {
        self.stage(label, Then::Stays)
    }

    fn stage(&mut self, label: &str, then: Then) -> Result<()> {
        let (start, long) = (Instant::now(), if then == Then::Changes { SETTLED } else { UNMOVED });
        let mut last = self.before.clone();
        let (mut since, mut compare_at) = (start, start);
        loop {
            std::thread::sleep(GLANCE);
            self.both(|site| site.runs())?;
            let now = [self.ours.glance()?, self.theirs.glance()?];
            if now != last {
                since = Instant::now();
                last = now;
            }
            let has_changed = last.iter().zip(&self.before).all(|(now, before)| now != before);
            let is_over = start.elapsed() > PATIENCE;
            let is_settled = since.elapsed() > long && (then == Then::Stays || has_changed);
            if !(is_over || is_settled && Instant::now() >= compare_at) {
                continue;
            }
            let tables = [self.ours.table()?, self.theirs.table()?];
            if !is_over && tables[0] != tables[1] {
                compare_at = Instant::now() + Duration::from_secs(1);
                continue;
            }
            // what is compared next must not begin with what was seen before the last change
            if !is_over && [self.ours.glance()?, self.theirs.glance()?] != last {
                continue;
            }
            if then == Then::Changes && !has_changed {
                self.differences.push(format!("{label}: ought to change something\n"));
            }
            if then == Then::Stays && last != self.before {
                let [ours, theirs] = &self.before;
                self.differences.push(format!("{label}: ought to change nothing; before it was\n{ours}\n{theirs}"));
            }
            self.before = last;
            self.compare(label, &tables);
            return Ok(());
        }
    }

    fn compare(&mut self, label: &str, [ours, theirs]: &[String; 2]) {
        self.stages += 1;
        self.same(label, ours, theirs);
    }

    /// Compares something else.
    fn same(&mut self, label: &str, ours: &str, theirs: &str) {
        if ours != theirs {
            self.differences.push(format!("{label}:\n----- ours\n{ours}----- debian\n{theirs}"));
        }
    }

    /// What `what` finds on both must become the same, and not empty.
    pub fn agree(&mut self, label: &str, what: impl Fn(&Site) -> String) {
        self.agree_when(label, what, |said| !said.is_empty());
    }

    /// What `what` finds on both must become the same, and such.
    pub fn agree_when(&mut self, label: &str, what: impl Fn(&Site) -> String, such: impl Fn(&str) -> bool) {
        self.stages += 1;
        let start = Instant::now();
        let (mut ours, mut theirs) = (what(&self.ours), what(&self.theirs));
        while start.elapsed() < PATIENCE && !(ours == theirs && such(&ours)) {
            std::thread::sleep(GLANCE);
            (ours, theirs) = (what(&self.ours), what(&self.theirs));
        }
        if ours != theirs || !such(&ours) {
            self.differences.push(format!("{label}:\n----- ours\n{ours}----- debian\n{theirs}"));
        }
    }

    /// The end: fails if `done` has or if there was any difference.
    pub fn finish(mut self, done: Result<()>) -> Result<()> {
        ensure!(self.stages > 0 || done.is_err(), "nothing was compared");
        self.differences.extend(done.err().map(|error| format!("{error:#}\n")));
        if self.differences.is_empty() {
            return Ok(());
        }
        bail!("{}\n{}{}", self.differences.join("\n"), self.ours.log(), self.theirs.log())
    }
}
