//! A client, a director and servers, each in a network namespace of its own, on threads of this process.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keepalived_kernel::process::NetworkNamespace;

use crate::lab;

/// `192.0.2.0/24` and `2001:db8::/64` are the clients' side, `10.0.0.0/24` and `fd00::/64` that of the servers.
pub(crate) struct World {
    director: NetworkNamespace,
    client: NetworkNamespace,
    over: Arc<AtomicBool>,
}

/// How many servers there are.
const SERVERS: u8 = 4;

impl World {
    /// `None` where namespaces are not permitted. The thread ends up in the director's.
    pub(crate) fn new() -> Option<Self> {
        let director = lab::fresh_namespace()?;
        quiet();
        let client = lab::fresh_namespace()?;
        quiet();
        let client_end = Held::in_namespace();
        let servers = lab::fresh_namespace()?;
        quiet();
        let servers_end = Held::in_namespace();
        let enter = |namespace: &NetworkNamespace| namespace.enter().unwrap();
        enter(&director);
        lab::ip(&format!("link add clients type veth peer name up0 netns {}", client_end.name));
        lab::ip(&format!("link add servers type veth peer name up0 netns {}", servers_end.name));
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        for line in [
            "link set clients up",
            "link set servers up",
            "address add 192.0.2.254/24 dev clients",
            "address add 2001:db8::fe/64 dev clients nodad",
            "address add 10.0.0.254/24 dev servers",
            "address add fd00::fe/64 dev servers nodad",
        ] {
            lab::ip(line);
        }
        enter(&client);
        for line in
            ["link set up0 up", "address add 2001:db8::1/64 dev up0 nodad", "address add 2001:db8::2/64 dev up0 nodad"]
        {
            lab::ip(line);
        }
        for last in 1..=60 {
            lab::ip(&format!("address add 192.0.2.{last}/24 dev up0"));
        }
        lab::ip("route add default via 192.0.2.254");
        lab::ip("route add default via 2001:db8::fe");
        enter(&servers);
        lab::ip("link set up0 up");
        for last in 1..=SERVERS {
            lab::ip(&format!("address add 10.0.0.{last}/24 dev up0"));
            lab::ip(&format!("address add fd00::{last}/64 dev up0 nodad"));
        }
        lab::ip("route add default via 10.0.0.254");
        lab::ip("route add default via fd00::fe");
        let world = Self { director, client, over: Arc::default() };
        for last in 1..=SERVERS {
            for ip in [IpAddr::from([10, 0, 0, last]), format!("fd00::{last}").parse().unwrap()] {
                for port in [80, 81] {
                    serve(SocketAddr::new(ip, port), last, &world.over);
                }
            }
        }
        enter(&world.director);
        Some(world)
    }

    /// Runs something in the client's namespace, on a thread of its own.
    pub(crate) fn as_client<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        inside(&self.client, what)
    }

    /// Which servers answer `count` connections, one after the other.
    pub(crate) fn ask(&self, to: &str, count: usize) -> Vec<u8> {
        let to: SocketAddr = to.parse().unwrap();
        self.as_client(|| (0..count).map(|_| Connection::open(None, to).expect("an answer").ask()).collect())
    }

    /// Which server answers a connection from `from`.
    pub(crate) fn ask_from(&self, from: &str, to: &str) -> u8 {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        self.as_client(|| Connection::open(Some(from), to).expect("an answer").ask())
    }

    /// Which server answers a datagram.
    pub(crate) fn ask_udp(&self, to: &str) -> std::io::Result<u8> {
        self.datagrams(to).ask()
    }

    pub(crate) fn datagrams(&self, to: &str) -> Datagrams {
        self.as_client(|| Datagrams::to(to))
    }

    pub(crate) fn open(&self, to: &str) -> std::io::Result<Connection> {
        let to = to.parse().unwrap();
        // a link that came up while another test holds the kernel's lock for links loses the first questions for its
        // neighbour
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            match self.as_client(|| Connection::open(None, to)) {
                Err(error) if error.kind() == ErrorKind::HostUnreachable && Instant::now() < end => {}
                opened => return opened,
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Runs something in a namespace, on a thread of its own.
pub(crate) fn inside<T: Send>(namespace: &NetworkNamespace, what: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        scope
            .spawn(|| {
                namespace.enter().unwrap();
                what()
            })
            .join()
            .unwrap()
    })
}

/// A client that sends from one port.
pub(crate) struct Datagrams(UdpSocket);

impl Datagrams {
    pub(crate) fn to(to: &str) -> Self {
        let to: SocketAddr = to.parse().unwrap();
        let unspecified: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        let socket = UdpSocket::bind((unspecified, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        socket.connect(to).unwrap();
        Self(socket)
    }

    /// The client's address and port, and those of the service.
    pub(crate) fn ends(&self) -> (SocketAddr, SocketAddr) {
        (self.0.local_addr().unwrap(), self.0.peer_addr().unwrap())
    }

    pub(crate) fn ask(&self) -> std::io::Result<u8> {
        let mut octet = [0];
        self.0.send(b"?")?;
        self.0.recv(&mut octet)?;
        Ok(octet[0])
    }
}

/// A connection that stays open.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) fn open(from: Option<IpAddr>, to: SocketAddr) -> std::io::Result<Self> {
        let domain = socket2::Domain::for_address(to);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        if let Some(from) = from {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        socket.connect_timeout(&to.into(), Duration::from_secs(5))?;
        let stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Opens one from this port, asks, and has it end at once.
    pub(crate) fn reset(from: SocketAddr, to: SocketAddr) -> std::io::Result<u8> {
        let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_linger(Some(Duration::ZERO))?;
        socket.bind(&from.into())?;
        socket.connect_timeout(&to.into(), Duration::from_secs(5))?;
        let stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        Self(stream).try_ask()
    }

    pub(crate) fn ask(&mut self) -> u8 {
        self.try_ask().expect("an answer")
    }

    pub(crate) fn try_ask(&mut self) -> std::io::Result<u8> {
        self.0.write_all(b"?")?;
        let mut octet = [0];
        self.0.read_exact(&mut octet)?;
        Ok(octet[0])
    }
}

/// Answers each line, and each datagram, with the server's number. Called in the server's namespace.
pub(crate) fn serve(at: SocketAddr, number: u8, over: &Arc<AtomicBool>) {
    let listener = TcpListener::bind(at).unwrap();
    let datagrams = UdpSocket::bind(at).unwrap();
    datagrams.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    listener.set_nonblocking(true).unwrap();
    let here = Arc::clone(over);
    thread::spawn(move || {
        while !here.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((stream, _)) => {
                    thread::spawn(move || talk(stream, number));
                }
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
    });
    let over = Arc::clone(over);
    thread::spawn(move || {
        let mut octets = [0; 16];
        while !over.load(Ordering::Relaxed) {
            if let Ok((_, from)) = datagrams.recv_from(&mut octets) {
                datagrams.send_to(&[number], from).unwrap();
            }
        }
    });
}

fn talk(mut stream: TcpStream, number: u8) {
    stream.set_nonblocking(false).unwrap();
    let mut octet = [0];
    while matches!(stream.read(&mut octet), Ok(1)) {
        if stream.write_all(&[number]).is_err() {
            return;
        }
    }
}

fn thread_id() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// A thread that stays in the namespace in which it was made; its number names the namespace for `ip`.
pub(crate) struct Held {
    pub(crate) name: u32,
    _until: std::sync::mpsc::Sender<()>,
}

impl Held {
    pub(crate) fn in_namespace() -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        let (until, over) = std::sync::mpsc::channel::<()>();
        thread::spawn(move || {
            tell.send(thread_id()).unwrap();
            let _over = over.recv();
        });
        Self { name: told.recv().unwrap(), _until: until }
    }
}

/// Addresses are usable at once: the kernel does not ask first who has them.
pub(crate) fn quiet() {
    lab::ip("link set lo up");
    for file in ["accept_dad", "dad_transmits"] {
        for which in ["all", "default"] {
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{which}/{file}"), "0").unwrap();
        }
    }
}

/// What `nft` says.
pub(crate) fn nft(arguments: &str) -> String {
    let done = Command::new("nft").args(arguments.split(' ')).output().expect("nftables is installed");
    assert!(done.status.success(), "nft {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
