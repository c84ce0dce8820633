use crate::capture::{Capture, Filter, Mac};
use crate::daemon::{Daemon, Running};
use crate::interrupt;
use crate::namespace::{self, Namespace};
use crate::turn::Turn;
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Routers on bridges, and an observer who listens.
///
/// Router `r` has interfaces `eth0`, `eth1`, … one on each segment `s`, with the addresses 10.s.0.(r+1)/16,
/// fd00:s::(r+1)/64 and fe80::(r+1)/64, and the MAC address 02:00:00:00:ss:rr. The observer's side of its cable is
/// called `r{r}s{s}`.
#[derive(Debug)]
pub struct Lab {
    name: String,
    folder: PathBuf,
    // dropped in this order: listeners first, then the routers with all that runs in them
    captures: Vec<Capture>,
    routers: Vec<Router>,
    observer: Namespace,
    _turn: Option<Turn>,
}

/// One router (or client) of a lab.
#[derive(Debug)]
pub struct Router {
    index: usize,
    namespace: Namespace,
    folder: PathBuf,
}

/// What a lab is to have.
#[derive(Debug, Clone, Copy)]
pub struct Builder {
    /// How many routers; clients are routers that run nothing.
    pub routers: usize,
    /// How many bridges, each with every router on it.
    pub segments: usize,
    /// What the observer keeps.
    pub filter: Filter,
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Lab {
    /// Router `index`.
    #[must_use]
    pub fn router(&self, index: usize) -> &Router {
        &self.routers[index]
    }

    /// The observer's namespace, with the bridges `br{s}`.
    #[must_use]
    pub fn observer(&self) -> &Namespace {
        &self.observer
    }

    /// What was heard on the first bridge.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        &self.captures[0]
    }

    /// What was heard, bridge by bridge.
    #[must_use]
    pub fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// Where this lab keeps its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the cable of a router out at the far end, so that it loses its carrier.
    pub fn pull(&self, router: usize, segment: usize) -> Result<()> {
        self.observer.run(&format!("ip link set r{router}s{segment} down")).map(drop)
    }

    /// Puts it back.
    pub fn plug(&self, router: usize, segment: usize) -> Result<()> {
        self.observer.run(&format!("ip link set r{router}s{segment} up")).map(drop)
    }

    /// Separates the given routers from each other. All others, the observer too, go on hearing each of them.
    pub fn part(&self, routers: &[usize], segment: usize, parted: bool) -> Result<()> {
        let word = if parted { "on" } else { "off" };
        routers.iter().try_for_each(|router| {
            self.observer.run(&format!("bridge link set dev r{router}s{segment} isolated {word}")).map(drop)
        })
    }

    /// Loses so many of a hundred packets that a router sends; 100 mutes it, 0 ends it.
    pub fn lose(&self, router: usize, segment: usize, percent: u8) -> Result<()> {
        let port = format!("r{router}s{segment}");
        let mut rules = format!("table netdev {port} {{}}\ndelete table netdev {port}\n");
        if percent > 0 {
            // a random number from 0 to 99 cannot be compared with 100
            let which = if percent < 100 { format!("numgen random mod 100 < {percent} ") } else { String::new() };
            writeln!(
                rules,
                "table netdev {port} {{\n chain in {{\n type filter hook ingress device \"{port}\" priority 0\n \
                 {which}drop\n }}\n}}"
            )?;
        }
        let file = self.folder.join(format!("{port}.nft"));
        std::fs::write(&file, rules)?;
        namespace::checked(self.observer.command("nft").arg("-f").arg(&file)).map(drop)
    }

    /// What it looks like now: the last on the wire, addresses, logs.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("===== lab {}: the last on the wire =====\n", self.name);
        for (segment, capture) in self.captures.iter().enumerate() {
            let events = capture.events().unwrap_or_default();
            for event in events.iter().rev().take(40).rev() {
                text += &format!("br{segment} {event}\n");
            }
        }
        for router in &self.routers {
            let addresses = router.namespace.run("ip -br address").unwrap_or_default();
            text += &format!("===== router {}: addresses =====\n{addresses}", router.index);
            text += &crate::daemon::logs(&router.folder);
        }
        text
    }

    /// Which routers have an address on any interface.
    pub fn holders(&self, address: IpAddr) -> Result<Vec<usize>> {
        let mut holders = Vec::new();
        for router in &self.routers {
            if router.has(address)? {
                holders.push(router.index);
            }
        }
        Ok(holders)
    }
}

impl Builder {
    /// Makes it. `name` is for people who look on; labs need not differ in it.
    pub fn build(self, name: &str, turn: Option<Turn>) -> Result<Lab> {
        interrupt::tidy_up_on_signals();
        namespace::sweep();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}{}-{number}", namespace::PREFIX, std::process::id());
        let folder = std::env::temp_dir().join(format!("{id}-{}", name.replace(|c: char| !c.is_alphanumeric(), "-")));
        std::fs::create_dir_all(&folder)?;
        let observer = Namespace::create(format!("{id}-obs"))?;
        let mut routers = Vec::new();
        for index in 0..self.routers {
            let folder = folder.join(format!("router{index}"));
            std::fs::create_dir_all(&folder)?;
            routers.push(Router { index, namespace: Namespace::create(format!("{id}-r{index}"))?, folder });
        }
        observer.ip(&self.wiring(&routers)?)?;
        for router in &routers {
            router.namespace.ip(&self.addressing(router)?)?;
        }
        let mut captures = Vec::new();
        for segment in 0..self.segments {
            let file = folder.join(format!("br{segment}.pcap"));
            captures.push(Capture::start(&observer, &format!("br{segment}"), &file, self.filter)?);
        }
        Ok(Lab { name: name.to_owned(), folder, captures, routers, observer, _turn: turn })
    }

    fn wiring(self, routers: &[Router]) -> Result<String> {
        let mut batch = String::new();
        for s in 0..self.segments {
            writeln!(batch, "link add br{s} type bridge mcast_snooping 0 stp_state 0 forward_delay 0")?;
            writeln!(batch, "link set br{s} up")?;
            for router in routers {
                let r = router.index;
                let far = router.namespace.name();
                let mac = router.mac(s);
                writeln!(batch, "link add r{r}s{s} type veth peer name eth{s} address {mac} netns {far}")?;
                writeln!(batch, "link set r{r}s{s} master br{s}\nlink set r{r}s{s} up")?;
            }
        }
        Ok(batch)
    }

    fn addressing(self, router: &Router) -> Result<String> {
        let mut batch = String::new();
        for s in 0..self.segments {
            batch += &router.addressing(s)?;
        }
        Ok(batch)
    }
}

impl Router {
    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its number.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its MAC address on a segment.
    #[must_use]
    pub fn mac(&self, segment: usize) -> Mac {
        let byte = |n: usize| u8::try_from(n).expect("labs are small");
        Mac([2, 0, 0, 0, byte(segment), byte(self.index + 1)])
    }

    /// Its IPv4 address on a segment.
    #[must_use]
    pub fn v4(&self, segment: usize) -> Ipv4Addr {
        let byte = |n: usize| u8::try_from(n).expect("labs are small");
        Ipv4Addr::new(10, byte(segment), 0, byte(self.index + 1))
    }

    /// Its global IPv6 address on a segment.
    #[must_use]
    pub fn v6(&self, segment: usize) -> Ipv6Addr {
        let word = |n: usize| u16::try_from(n).expect("labs are small");
        Ipv6Addr::new(0xfd00, word(segment), 0, 0, 0, 0, 0, word(self.index + 1))
    }

    /// Its link-local address, the same on each segment.
    #[must_use]
    pub fn link_local(&self) -> Ipv6Addr {
        let word = u16::try_from(self.index + 1).expect("labs are small");
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, word)
    }

    /// The `ip` commands that bring up `eth{segment}` and give it its addresses.
    pub fn addressing(&self, segment: usize) -> Result<String> {
        let (r, s) = (self.index + 1, segment);
        let mut batch = format!("link set eth{s} up\naddress add {}/16 dev eth{s}\n", self.v4(s));
        writeln!(batch, "address add fe80::{r:x}/64 dev eth{s} nodad\naddress add {}/64 dev eth{s} nodad", self.v6(s))?;
        Ok(batch)
    }

    /// Starts a daemon with this configuration. `name` tells its files from those of others on the same router.
    pub fn start(&self, daemon: &Daemon, name: &str, configuration: &str) -> Result<Running> {
        self.start_with(daemon, name, configuration, &["-D"])
    }

    /// The same, with these command line options instead of `-D`.
    pub fn start_with(&self, daemon: &Daemon, name: &str, configuration: &str, options: &[&str]) -> Result<Running> {
        Running::start(daemon, &self.namespace, &self.folder.join(name), configuration, options, None)
            .with_context(|| format!("{daemon} on router {}", self.index))
    }

    /// The same, with a stderr that is not its log file.
    pub fn start_on(
        &self,
        console: std::process::Stdio,
        daemon: &Daemon,
        name: &str,
        configuration: &str,
        options: &[&str],
    ) -> Result<Running> {
        Running::start(daemon, &self.namespace, &self.folder.join(name), configuration, options, Some(console))
            .with_context(|| format!("{daemon} on router {}", self.index))
    }

    /// All that `ip -j addr` says about an address; `None` if it is not there.
    pub fn address(&self, address: IpAddr) -> Result<Option<serde_json::Value>> {
        let links = self.namespace.json("address show")?;
        let text = address.to_string();
        for link in links.as_array().into_iter().flatten() {
            for one in link["addr_info"].as_array().into_iter().flatten() {
                if one["local"] == text.as_str() {
                    let mut found = one.clone();
                    found["ifname"] = link["ifname"].clone();
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// All its addresses.
    pub fn addresses(&self) -> Result<Vec<IpAddr>> {
        let links = self.namespace.json("address show")?;
        let all =
            links.as_array().into_iter().flatten().flat_map(|link| link["addr_info"].as_array().into_iter().flatten());
        Ok(all.filter_map(|one| one["local"].as_str()?.parse().ok()).collect())
    }

    /// Whether it has an address.
    pub fn has(&self, address: IpAddr) -> Result<bool> {
        Ok(self.address(address)?.is_some())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("\n{}===== files kept in {} =====", self.describe(), self.folder.display());
        } else if std::env::var_os("LAB_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
