//! Clients, a balancer and real servers, each in a network namespace of its own; all packets go through the balancer.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{Builder, Daemon, Filter, Lab, Namespace, Running, trial_in, wait_until};
use rustix::net::{AddressFamily, Shutdown, SocketType, bind, connect, shutdown, socket};
use rustix::process::{Pid, Signal, kill_process};

/// The clients' side is 10.0.0.0/16 and fd00::/64, that of the servers 10.1.0.0/16 and fd00:1::/64.
pub(crate) struct Site<'a> {
    lab: &'a Lab,
    servers: BTreeMap<SocketAddr, Server>,
    /// Of the services' own addresses, where packets are routed directly.
    direct: Vec<Server>,
    running: Option<Running>,
    starts: usize,
}

/// How long anything may take that happens with the next check.
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// Addresses of one client each: 10.0.1.1 and so on.
pub(crate) const CLIENTS: u8 = 40;

/// Runs a test when its turn has come.
pub(crate) fn on_site(name: &str, test: impl FnOnce(&mut Site<'_>) -> Result<()>) {
    trial_in(name, Builder { routers: 3, segments: 2, filter: Filter::Heads }, |lab| {
        let mut site = Site { lab, servers: BTreeMap::new(), direct: Vec::new(), running: None, starts: 0 };
        site.wire()?;
        test(&mut site)
    });
}

/// The same with two servers, 10.1.1.1 and 10.1.1.2, in namespaces of their own, which have these addresses of
/// services, too, and answer clients directly; the balancer forwards nothing.
pub(crate) fn on_direct_site(name: &str, services: &[&str], test: impl FnOnce(&mut Site<'_>) -> Result<()>) {
    trial_in(name, Builder { routers: 4, segments: 2, filter: Filter::Heads }, |lab| {
        let mut site = Site { lab, servers: BTreeMap::new(), direct: Vec::new(), running: None, starts: 0 };
        site.wire_directly(services)?;
        test(&mut site)
    });
}

impl Site<'_> {
    fn wire(&self) -> Result<()> {
        self.balancer().run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")?;
        let mut clients =
            "link set eth1 down\nroute add default via 10.0.0.1\nroute add default via fd00::1\n".to_owned();
        for last in 1..=CLIENTS {
            clients += &format!("address add 10.0.1.{last}/16 dev eth0\n");
        }
        self.clients().ip(&clients)?;
        let mut servers = "link set eth0 down\nroute add default via 10.1.0.1\n".to_owned();
        servers += "route add default via fd00:1::1\n";
        for last in 1..=4 {
            servers +=
                &format!("address add 10.1.1.{last}/16 dev eth1\naddress add fd00:1::1:{last}/64 dev eth1 nodad\n");
        }
        self.real().ip(&servers)
    }

    fn wire_directly(&mut self, services: &[&str]) -> Result<()> {
        let mut clients = "route add default via 10.0.0.1\nroute add default via fd00::1\n".to_owned();
        for last in 1..=CLIENTS {
            clients += &format!("address add 10.0.1.{last}/16 dev eth0\n");
        }
        self.clients().ip(&clients)?;
        for number in [1, 2] {
            let namespace = self.lab.router(1 + usize::from(number)).namespace();
            namespace.run("sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2")?;
            let mut lines = format!(
                "link set eth0 down\nroute add default via 10.1.0.2\nroute add default via fd00:1::2\n\
                 address add 10.1.1.{number}/16 dev eth1\naddress add fd00:1::1:{number}/64 dev eth1 nodad\n"
            );
            for service in services {
                let at: SocketAddr = service.parse()?;
                lines += &format!(
                    "address replace {}{}\n",
                    at.ip(),
                    if at.is_ipv4() { "/32 dev lo" } else { "/128 dev lo nodad" }
                );
            }
            namespace.ip(&lines)?;
            for service in services {
                let at = service.parse()?;
                self.direct.push(namespace.inside(|| Server::numbered(at, number))?);
                let own: IpAddr = if at.is_ipv4() {
                    format!("10.1.1.{number}").parse()?
                } else {
                    format!("fd00:1::1:{number}").parse()?
                };
                let own = SocketAddr::new(own, at.port());
                self.servers.insert(own, namespace.inside(|| Server::new(own))?);
            }
        }
        Ok(())
    }

    /// Where the daemon runs.
    pub(crate) fn balancer(&self) -> &Namespace {
        self.lab.router(0).namespace()
    }

    fn clients(&self) -> &Namespace {
        self.lab.router(1).namespace()
    }

    fn real(&self) -> &Namespace {
        self.lab.router(2).namespace()
    }

    /// Opens real servers: each answers every octet of a connection, and every datagram, with the last number of its
    /// address.
    pub(crate) fn open(&mut self, servers: &[&str]) -> Result<()> {
        for at in servers {
            let at: SocketAddr = at.parse()?;
            self.servers.insert(at, self.real().inside(|| Server::new(at))?);
        }
        Ok(())
    }

    /// Closes real servers. Connections that they have go on.
    pub(crate) fn close(&mut self, servers: &[&str]) -> Result<()> {
        servers.iter().try_for_each(|at| self.servers.remove(&at.parse()?).map(drop).context("no such server"))
    }

    /// Starts our daemon.
    pub(crate) fn start(&mut self, configuration: &str, options: &[&str]) -> Result<()> {
        self.starts += 1;
        let options = [&["-D", "-C"], options].concat();
        let name = format!("daemon{}", self.starts);
        self.running = Some(self.lab.router(0).start_with(&Daemon::ours(), &name, configuration, &options)?);
        Ok(())
    }

    /// The daemon that runs.
    pub(crate) fn running(&self) -> Result<&Running> {
        self.running.as_ref().context("no daemon runs")
    }

    /// Stops it.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let status = self.running.take().context("no daemon runs")?.stop()?;
        ensure!(status.success(), "{status}");
        Ok(())
    }

    /// The process that balances.
    pub(crate) fn checker(&self) -> Result<Pid> {
        let path: PathBuf = self.running()?.file("checkers.pid");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        text.trim().parse().ok().and_then(Pid::from_raw).with_context(|| format!("{text:?} is no pid"))
    }

    /// The process that balances is killed. There is another one when it has said that it took over `what` was there.
    pub(crate) fn checker_dies(&self, what: &str) -> Result<()> {
        let checker = self.checker()?;
        kill_process(checker, Signal::KILL)?;
        wait_until("there is another checker process", SOON, || Ok(self.checker().is_ok_and(|it| it != checker)))?;
        wait_until("it has taken over what was there", SOON, || Ok(self.running()?.log().contains(what)))
    }

    /// Kills checker processes as they come, until the next one has to wait for seconds.
    pub(crate) fn wear_checkers_out(&self) -> Result<()> {
        for _ in 0..4 {
            let checker = self.checker()?;
            kill_process(checker, Signal::KILL)?;
            let is_new =
                || Ok(self.checker().is_ok_and(|it| it != checker && rustix::process::test_kill_process(it).is_ok()));
            wait_until("there is another checker process", SOON, is_new)?;
        }
        let log = || -> Result<usize> { Ok(self.running()?.log().matches("dies again and again").count()) };
        let before = log()?;
        kill_process(self.checker()?, Signal::KILL)?;
        wait_until("the supervisor knows", SOON, || Ok(log()? > before))
    }

    /// `nft`, as an administrator types it on the balancer.
    pub(crate) fn nft(&self, line: &str) -> Result<String> {
        self.balancer().run(&format!("nft {line}"))
    }

    /// Which servers answer so many connections, one after the other; 0 where nobody does.
    pub(crate) fn ask(&self, to: &str, count: usize) -> Result<Vec<u8>> {
        let to = to.parse()?;
        self.clients()
            .inside(|| Ok((0..count).map(|_| Connection::open(None, to).map_or(0, |mut it| it.ask())).collect()))
    }

    /// Which server answers each of the clients.
    pub(crate) fn ask_from(&self, clients: &[IpAddr], to: &str) -> Result<Vec<u8>> {
        let to = to.parse()?;
        let ask = |from: &IpAddr| Connection::open(Some(*from), to).map_or(0, |mut it| it.ask());
        self.clients().inside(|| Ok(clients.iter().map(ask).collect()))
    }

    /// Which servers answer so many datagrams, each from a port of its own; 0 where nobody does.
    pub(crate) fn ask_udp(&self, to: &str, count: usize) -> Result<Vec<u8>> {
        let to: SocketAddr = to.parse()?;
        self.clients().inside(|| (0..count).map(|_| Ok(datagram(to).unwrap_or(0))).collect())
    }

    /// A connection that stays open.
    pub(crate) fn connect(&self, to: &str) -> Result<Connection> {
        let to = to.parse()?;
        self.clients().inside(|| Ok(Connection::open(None, to)?))
    }

    /// Waits until connections are answered by exactly these servers, so many times each.
    pub(crate) fn answers(&self, to: &str, expected: &[(u8, usize)]) -> Result<()> {
        self.becomes(to, expected, |count| self.ask(to, count))
    }

    /// The same with datagrams.
    pub(crate) fn answers_udp(&self, to: &str, expected: &[(u8, usize)]) -> Result<()> {
        self.becomes(to, expected, |count| self.ask_udp(to, count))
    }

    fn becomes(&self, to: &str, expected: &[(u8, usize)], ask: impl Fn(usize) -> Result<Vec<u8>>) -> Result<()> {
        let count = expected.iter().map(|(_, count)| count).sum();
        let mut is = BTreeMap::new();
        wait_until(&format!("{to} is answered as {expected:?}"), SOON, || {
            is = tally(&ask(count)?);
            Ok(is == expected.iter().copied().collect())
        })
        .with_context(|| format!("it is {is:?}\n{}", self.nft("-s list ruleset").unwrap_or_default()))
    }

    /// Waits until so many connections in a row go to so many servers.
    pub(crate) fn answers_among(&self, to: &str, servers: usize) -> Result<()> {
        wait_until(&format!("{servers} servers answer"), SOON, || {
            let answers = tally(&self.ask(to, servers * 2)?);
            Ok(!answers.contains_key(&0) && answers.len() == servers)
        })
    }

    /// Does something while clients come one after the other; each of them must be served. Returns how many there were.
    pub(crate) fn while_asking(&self, to: &str, what: impl FnOnce() -> Result<()>) -> Result<usize> {
        let to = to.parse()?;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                self.clients().inside(|| {
                    let mut count = 0;
                    while !over.load(Ordering::Relaxed) || count < 50 {
                        let answer = Connection::open(None, to).and_then(|mut it| it.try_ask());
                        answer.with_context(|| format!("client {count}"))?;
                        count += 1;
                        thread::sleep(Duration::from_millis(1));
                    }
                    Ok(count)
                })
            });
            let done = what();
            over.store(true, Ordering::Relaxed);
            let asked = asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            done.and(asked)
        })
    }

    /// Waits until nobody answers: at once, as from a port that is closed.
    pub(crate) fn refuses(&self, to: &str) -> Result<()> {
        let at: SocketAddr = to.parse()?;
        wait_until(&format!("{to} refuses"), SOON, || {
            let refused = self.clients().inside(|| Ok(Connection::open(None, at).err().map(|error| error.kind())))?;
            Ok(refused == Some(std::io::ErrorKind::ConnectionRefused))
        })
    }
}

/// How often each number is among them.
pub(crate) fn tally(answers: &[u8]) -> BTreeMap<u8, usize> {
    let mut tally = BTreeMap::new();
    answers.iter().for_each(|answer| *tally.entry(*answer).or_default() += 1);
    tally
}

const PATIENCE: Duration = Duration::from_secs(4);

/// A connection that stays open.
pub(crate) struct Connection(TcpStream);

impl Connection {
    fn open(from: Option<IpAddr>, to: SocketAddr) -> std::io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let stream = match from {
            Some(from) => {
                let socket = socket(family, SocketType::STREAM, None)?;
                bind(&socket, &SocketAddr::new(from, 0))?;
                connect(&socket, &to)?;
                socket.into()
            }
            None => TcpStream::connect_timeout(&to, PATIENCE)?,
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Who is at the other end; 0 if nobody is.
    pub(crate) fn ask(&mut self) -> u8 {
        self.try_ask().unwrap_or(0)
    }

    fn try_ask(&mut self) -> std::io::Result<u8> {
        let mut octet = [0];
        self.0.write_all(b"?")?;
        self.0.read_exact(&mut octet)?;
        Ok(octet[0])
    }
}

fn datagram(to: SocketAddr) -> std::io::Result<u8> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.connect(to)?;
    socket.send(b"?")?;
    let mut octet = [0];
    socket.recv(&mut octet)?;
    Ok(octet[0])
}

/// A real server; it closes with this value, connections that it has taken do not.
struct Server {
    listener: Arc<TcpListener>,
    datagrams: Arc<UdpSocket>,
}

impl Server {
    /// One that answers with the last number of its address.
    fn new(at: SocketAddr) -> Result<Self> {
        let number = match at.ip() {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(ip) => ip.octets()[15],
        };
        Self::numbered(at, number)
    }

    fn numbered(at: SocketAddr, number: u8) -> Result<Self> {
        // the threads of one that was closed may have its sockets still
        let mut sockets = None;
        wait_until(&format!("{at} is free"), PATIENCE, || {
            sockets = TcpListener::bind(at).and_then(|listener| Ok((listener, UdpSocket::bind(at)?))).ok();
            Ok(sockets.is_some())
        })?;
        let (listener, datagrams) = sockets.context("bound above")?;
        let (listener, datagrams) = (Arc::new(listener), Arc::new(datagrams));
        let server = Self { listener: Arc::clone(&listener), datagrams: Arc::clone(&datagrams) };
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                thread::spawn(move || {
                    let mut octet = [0];
                    while matches!(stream.read(&mut octet), Ok(1)) && stream.write_all(&[number]).is_ok() {}
                });
            }
        });
        thread::spawn(move || {
            let mut octets = [0; 64];
            // an empty one is not a question: it is what a socket that is shut down has for us
            while let Ok((1.., from)) = datagrams.recv_from(&mut octets) {
                let _gone = datagrams.send_to(&[number], from);
            }
        });
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // wakes the threads, and closes a listener at once
        let _ = shutdown(self.listener.as_fd(), Shutdown::Both);
        let _ = shutdown(self.datagrams.as_fd(), Shutdown::Both);
    }
}
