//! A client, a director and servers on one segment, each in a network namespace of its own. The servers have the
//! addresses of the services themselves, and answer the client directly: the director forwards nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keepalived_kernel::process::NetworkNamespace;

use crate::lab;
use crate::world::{Connection, Datagrams, Held, inside, quiet, serve};

/// The segment is `192.0.2.0/24` and `2001:db8::/64`; the client has `.1` to `.60`, the servers `.101` and so on.
pub(crate) struct Segment {
    director: NetworkNamespace,
    client: NetworkNamespace,
    servers: Vec<NetworkNamespace>,
    _switch: NetworkNamespace,
    over: Arc<AtomicBool>,
}

/// How many servers there are.
const SERVERS: u8 = 3;
/// What services may have, at the ports 80 and 81.
const SERVICES: [&str; 3] = ["198.51.100.1", "198.51.100.7", "2001:db8:1::1"];

impl Segment {
    /// `None` where namespaces are not permitted. The thread ends up in the director's.
    pub(crate) fn new() -> Option<Self> {
        let switch = lab::fresh_namespace()?;
        quiet();
        lab::ip("link add bridge type bridge");
        lab::ip("link set bridge up");
        let plug = |last: u8| {
            let namespace = lab::fresh_namespace().expect("the first was permitted");
            quiet();
            let end = Held::in_namespace();
            switch.enter().unwrap();
            lab::ip(&format!("link add port{last} type veth peer name up0 netns {}", end.name));
            lab::ip(&format!("link set port{last} master bridge up"));
            namespace.enter().unwrap();
            lab::ip("link set up0 up");
            lab::ip(&format!("address add 192.0.2.{last}/24 dev up0"));
            lab::ip(&format!("address add 2001:db8::{last}/64 dev up0 nodad"));
            namespace
        };
        let over = Arc::default();
        let servers = (101..101 + SERVERS).zip(1..).map(|(last, number)| {
            let namespace = plug(last);
            for which in ["all", "up0"] {
                std::fs::write(format!("/proc/sys/net/ipv4/conf/{which}/arp_ignore"), "1").unwrap();
                std::fs::write(format!("/proc/sys/net/ipv4/conf/{which}/arp_announce"), "2").unwrap();
            }
            for service in SERVICES {
                let ip: IpAddr = service.parse().unwrap();
                lab::ip(&format!(
                    "address add {service}{} ",
                    if ip.is_ipv4() { "/32 dev lo" } else { "/128 dev lo nodad" }
                ));
                [80, 81].into_iter().for_each(|port| serve(SocketAddr::new(ip, port), number, &over));
            }
            namespace
        });
        let servers = servers.collect::<Vec<_>>();
        let client = plug(1);
        for last in 2..=60 {
            lab::ip(&format!("address add 192.0.2.{last}/24 dev up0"));
        }
        lab::ip("address add 2001:db8::2/64 dev up0 nodad");
        lab::ip("route add 198.51.100.0/24 via 192.0.2.254");
        lab::ip("route add 2001:db8:1::/64 via 2001:db8::254");
        let director = plug(254);
        for service in SERVICES {
            let ip: IpAddr = service.parse().unwrap();
            lab::ip(&format!(
                "address add {service}{} ",
                if ip.is_ipv4() { "/32 dev lo" } else { "/128 dev lo nodad" }
            ));
        }
        Some(Self { director, client, servers, _switch: switch, over })
    }

    pub(crate) fn as_client<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        inside(&self.client, what)
    }

    /// Runs something where a server is: 1, 2 and so on.
    pub(crate) fn as_server<T: Send>(&self, number: usize, what: impl FnOnce() -> T + Send) -> T {
        inside(&self.servers[number - 1], what)
    }

    /// Serves on the director itself.
    pub(crate) fn serve_here(&self, at: &str, number: u8) {
        inside(&self.director, || serve(at.parse().unwrap(), number, &self.over));
    }

    /// Which servers answer `count` connections, one after the other.
    pub(crate) fn ask(&self, to: &str, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.open(to).expect("a connection").ask()).collect()
    }

    /// Which server answers a connection from `from`.
    pub(crate) fn ask_from(&self, from: &str, to: &str) -> u8 {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        self.as_client(|| Connection::open(Some(from), to).expect("a connection").ask())
    }

    pub(crate) fn open(&self, to: &str) -> std::io::Result<Connection> {
        let to = to.parse().unwrap();
        self.as_client(|| Connection::open(None, to))
    }

    pub(crate) fn datagrams(&self, to: &str) -> Datagrams {
        self.as_client(|| Datagrams::to(to))
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
