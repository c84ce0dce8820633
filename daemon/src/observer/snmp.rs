//! Drives the AgentX sub-agent: its connection to the master, and what it is told.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use keepalived_core::time::Instant;
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::Network as _;
use keepalived_kernel::reactor;
use keepalived_surface::request::Change;
use keepalived_surface::snmp::{Agent, DEFAULT_SOCKET, Effect, Link, MOST_UNSENT, Machine, Trees, Write};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::world::{FRESH_FOR, World};
use crate::checker::names;
use crate::local_service::LocalService;
use crate::role::Role;

/// How long a connection to the master may take.
const TO_CONNECT: Duration = Duration::from_secs(5);

/// How old what is known of interfaces may be.
const LINKS_FOR: Duration = Duration::from_secs(30);

/// The port of AgentX masters (RFC 2741 §8.1).
const PORT: u16 = 705;

/// A connection to a master.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

type Connected = io::Result<Box<dyn Stream>>;

/// Serves SNMP for as long as the configuration asks for it.
pub(super) async fn serve(world: Rc<World>) {
    let mut configured = world.configurations();
    loop {
        configured.mark_unchanged();
        if Trees::of(&world.config(), false).any() {
            Session::new(&world).run(&world).await;
        } else if configured.changed().await.is_err() {
            return;
        }
    }
}

/// The agent and its connection to one master.
struct Session {
    agent: Agent,
    machine: Machine,
    reader: Option<ReadHalf<Box<dyn Stream>>>,
    writer: Option<WriteHalf<Box<dyn Stream>>>,
    unsent: Vec<u8>,
    effects: Vec<Effect>,
    last_record: u64,
    /// `snmp_socket`
    socket: Option<String>,
}

impl Session {
    fn new(world: &World) -> Self {
        let snapshot = world.snapshot();
        Self {
            agent: Agent::new(reactor::now(), Trees::of(&world.config(), false)),
            machine: Machine {
                version: format!("Keepalived v{} (keepalived-rs)", env!("CARGO_PKG_VERSION")),
                started: snapshot.daemon.started.unwrap_or_else(SystemTime::now),
                links: BTreeMap::new(),
            },
            reader: None,
            writer: None,
            unsent: Vec::new(),
            effects: Vec::new(),
            last_record: world.last_record(),
            socket: world.config().global.snmp.socket.clone(),
        }
    }

    /// Runs until the configuration wants no agent, or one at another master.
    async fn run(&mut self, world: &Rc<World>) {
        let mut configured = world.configurations();
        configured.mark_unchanged();
        let mut changes = world.changes();
        let mut octets = vec![0; 64 * 1024];
        let mut links_at = reactor::now();
        let mut connecting: Option<JoinHandle<Connected>> = None;
        self.tell(world);
        loop {
            let now = reactor::now();
            if links_at <= now {
                links_at = now + LINKS_FOR;
                if let Ok(Ok(links)) = tokio::task::spawn_blocking(links).await {
                    self.machine.links = links;
                }
            }
            let until = self.agent.next_deadline().min(links_at);
            let came = tokio::select! {
                () = tokio::time::sleep(until.since(now)) => Came::Time,
                connected = end(connecting.as_mut()) => Came::Connection(connected),
                read = read(self.reader.as_mut(), &mut octets) => Came::Octets(read),
                written = write(self.writer.as_mut(), &self.unsent) => Came::Room(written),
                changed = changes.changed() => if changed.is_ok() { Came::Change } else { return },
                changed = configured.changed() => if changed.is_ok() { Came::Configuration } else { return },
            };
            let now = reactor::now();
            match came {
                Came::Time => self.agent.handle_timeout(now, &mut self.effects),
                Came::Change => self.tell(world),
                Came::Connection(connected) => {
                    connecting = None;
                    match connected {
                        Ok(stream) => {
                            let (reader, writer) = tokio::io::split(stream);
                            (self.reader, self.writer) = (Some(reader), Some(writer));
                            self.agent.connected(now, &mut self.effects);
                        }
                        Err(error) => self.agent.lost(now, error.to_string(), &mut self.effects),
                    }
                }
                Came::Octets(Ok(0)) => self.lose("it closed the connection", now),
                Came::Octets(Ok(count)) => {
                    // counters come only to those who ask
                    let intervals = &world.config().global.snmp;
                    let age = intervals.virtual_server_interval.min(intervals.real_server_interval);
                    world.refresh_older(|role| if role == Role::Checker { age } else { FRESH_FOR }).await;
                    let octets = octets.get(..count).unwrap_or_default();
                    let (snapshot, config) = (world.snapshot(), world.config());
                    let known = self.known(&snapshot, &config);
                    let now = reactor::now();
                    let mut effects = std::mem::take(&mut self.effects);
                    self.agent.receive(now, octets, known.borrowed(), &mut effects);
                    self.effects = effects;
                }
                Came::Room(Ok(count)) => drop(self.unsent.drain(..count.min(self.unsent.len()))),
                Came::Octets(Err(error)) | Came::Room(Err(error)) => self.lose(&error.to_string(), now),
                Came::Configuration if self.goes_on(world) => {
                    self.agent.configure(now, Trees::of(&world.config(), false), &mut self.effects);
                    self.tell(world);
                }
                Came::Configuration => {
                    self.agent.stop(&mut self.effects);
                    self.carry_out(world, &mut connecting);
                    self.flush().await;
                    return;
                }
            }
            self.carry_out(world, &mut connecting);
        }
    }

    /// Whether the configuration wants an agent at this master.
    fn goes_on(&self, world: &World) -> bool {
        let config = world.config();
        Trees::of(&config, false).any() && config.global.snmp.socket == self.socket
    }

    fn lose(&mut self, why: &str, now: Instant) {
        (self.reader, self.writer) = (None, None);
        self.unsent.clear();
        self.agent.lost(now, why, &mut self.effects);
    }

    /// Tells the agent what is different.
    fn tell(&mut self, world: &World) {
        let (snapshot, config) = (world.snapshot(), world.config());
        let known = self.known(&snapshot, &config);
        let mut effects = std::mem::take(&mut self.effects);
        self.agent.update(known.borrowed(), &mut effects);
        let (records, last) = world.records_after(self.last_record);
        for record in &records {
            self.agent.record(known.borrowed(), record, &mut effects);
        }
        self.last_record = last;
        self.effects = effects;
    }

    fn known<'a>(
        &self,
        snapshot: &'a keepalived_state::Snapshot,
        config: &'a keepalived_config::model::Config,
    ) -> Known<'a> {
        Known { snapshot, config, machine: self.machine.clone(), now: SystemTime::now() }
    }

    fn carry_out(&mut self, world: &Rc<World>, connecting: &mut Option<JoinHandle<Connected>>) {
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                match effect {
                    Effect::Connect => {
                        *connecting = Some(tokio::task::spawn_local(connect(Rc::clone(world))));
                    }
                    Effect::Send(octets) => self.unsent.extend(octets),
                    Effect::Disconnect => (self.reader, self.writer) = (None, None),
                    Effect::Note(note) => tracing::info!("{note}"),
                    Effect::Write(written) => {
                        if let Some(change) = change_of(written, world) {
                            let world = Rc::clone(world);
                            tokio::task::spawn_local(async move {
                                // the log of the supervisor says why not
                                world.change(change, "SNMP".to_owned()).await.ok();
                            });
                        }
                    }
                }
            }
            if self.unsent.len() > MOST_UNSENT {
                self.lose("it does not read", reactor::now());
            }
        }
    }

    /// The last words: what the kernel takes at once.
    async fn flush(&mut self) {
        if let Some(writer) = &mut self.writer {
            tokio::time::timeout(Duration::from_millis(200), writer.write_all(&self.unsent)).await.ok();
        }
    }
}

/// What the agent looks at.
struct Known<'a> {
    snapshot: &'a keepalived_state::Snapshot,
    config: &'a keepalived_config::model::Config,
    machine: Machine,
    now: SystemTime,
}

impl Known<'_> {
    const fn borrowed(&self) -> keepalived_surface::snmp::World<'_> {
        keepalived_surface::snmp::World {
            snapshot: self.snapshot,
            config: self.config,
            machine: &self.machine,
            now: self.now,
        }
    }
}

/// What a turn is about.
enum Came {
    Time,
    Change,
    Connection(Connected),
    Octets(io::Result<usize>),
    Room(io::Result<usize>),
    Configuration,
}

async fn end(connecting: Option<&mut JoinHandle<Connected>>) -> Connected {
    match connecting {
        Some(task) => task.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())),
        None => std::future::pending().await,
    }
}

async fn read(reader: Option<&mut ReadHalf<Box<dyn Stream>>>, into: &mut [u8]) -> io::Result<usize> {
    match reader {
        Some(reader) => reader.read(into).await,
        None => std::future::pending().await,
    }
}

async fn write(writer: Option<&mut WriteHalf<Box<dyn Stream>>>, octets: &[u8]) -> io::Result<usize> {
    match writer {
        Some(writer) if !octets.is_empty() => writer.write(octets).await,
        _ => std::future::pending().await,
    }
}

/// Connects to the master as net-snmp names it: a path, `unix:PATH`, `tcp:HOST:PORT` or `HOST:PORT`.
async fn connect(world: Rc<World>) -> Connected {
    let config = world.config();
    let connect = async {
        if LocalService::SnmpMaster.path(&config.global).is_some() {
            let (socket, _) = world.reach(LocalService::SnmpMaster).await?;
            let stream: Box<dyn Stream> = Box::new(UnixStream::from_std(socket.into())?);
            return Ok(stream);
        }
        let name = config.global.snmp.socket.as_deref().unwrap_or(DEFAULT_SOCKET);
        let (transport, rest) = name.split_once(':').unwrap_or(("", name));
        let stream: Box<dyn Stream> = match (transport, rest) {
            ("tcp" | "tcp6", place) => Box::new(TcpStream::connect(host_and_port(place)).await?),
            ("udp" | "udp6", _) => return Err(io::Error::other("AgentX by UDP is not understood: use tcp: or unix:")),
            _ => Box::new(TcpStream::connect(host_and_port(name)).await?),
        };
        Ok(stream)
    };
    tokio::time::timeout(TO_CONNECT, connect).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn host_and_port(place: &str) -> (String, u16) {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.starts_with('[') => (host, port.parse().unwrap_or(PORT)),
        _ => (place, PORT),
    };
    (host.trim_matches(['[', ']']).to_owned(), port)
}

/// What was set, as a change.
fn change_of(written: Write, world: &World) -> Option<Change> {
    Some(match written {
        Write::BasePriority { instance, priority } => Change::Priority { instance, priority: Some(priority.get()) },
        Write::Preempt { instance, preempt } => Change::Preempt { instance, preempt },
        Write::RealServerWeight { service, server, weight } => {
            let config = world.config();
            let service = config.virtual_servers.get(service)?;
            let real = service.real_servers.get(server)?;
            let place = keepalived_core::balance::Place { address: real.address, port: real.port };
            Change::Weight {
                server: names::of_server(service, place),
                service: Some(names::of_service(&service.service)),
                weight: Some(weight),
            }
        }
    })
}

/// The interfaces of this machine.
fn links() -> io::Result<BTreeMap<keepalived_core::address::InterfaceName, Link>> {
    let inventory = Rtnetlink::without_events()?.inventory()?;
    let first = |link: &keepalived_core::network::Link, wanted: fn(IpAddr) -> bool| {
        let here = inventory.addresses.iter().filter(|address| address.link == link.index);
        here.map(|address| address.address).find(|address| wanted(*address))
    };
    let known = inventory.links.iter().map(|link| {
        let ipv4 = first(link, |address| address.is_ipv4());
        let ipv6 = first(link, |address| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
        let entry = Link {
            index: link.index.0,
            hardware: link.mac.map(Vec::from).unwrap_or_default(),
            ipv4: ipv4.and_then(|address| if let IpAddr::V4(v4) = address { Some(v4) } else { None }),
            ipv6: ipv6.and_then(|address| if let IpAddr::V6(v6) = address { Some(v6) } else { None }),
        };
        (link.name, entry)
    });
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    #[test]
    fn each_keyword_brings_its_tree() {
        let trees = |globals: &str| {
            let config = from_text(&format!(
                "global_defs {{\n{globals}\n}}\nvrrp_instance A {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{\n 192.0.2.1\n }}\n}}\n\
                 virtual_server 192.0.2.1 80 {{\n protocol TCP\n real_server 10.0.0.1 80 {{\n }}\n}}\n"
            ));
            let Trees { vrrp, checker, rfc2787, rfc6527, traps } = Trees::of(&config, false);
            [vrrp, checker, rfc2787, rfc6527, traps]
        };
        assert_eq!(trees(""), [false; 5]);
        assert_eq!(trees("enable_snmp_vrrp"), [true, false, false, false, false]);
        assert_eq!(trees("enable_snmp_keepalived"), [true, false, false, false, false]);
        assert_eq!(trees("enable_snmp_checker"), [false, true, false, false, false]);
        assert_eq!(trees("enable_snmp_rfc"), [false, false, true, true, false]);
        assert_eq!(trees("enable_snmp_rfcv2"), [false, false, true, false, false]);
        assert_eq!(trees("enable_snmp_rfcv3\nenable_traps"), [false, false, false, true, true]);
    }

    #[test]
    fn masters_are_named_as_net_snmp_names_them() {
        let named = ["127.0.0.1:705", "localhost", "[::1]:7050", "::1"].map(host_and_port);
        let wanted = [("127.0.0.1", 705), ("localhost", 705), ("::1", 7050), ("::1", 705)];
        assert_eq!(named, wanted.map(|(host, port)| (host.to_owned(), port)));
    }
}
