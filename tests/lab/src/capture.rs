use crate::namespace::{Namespace, checked};
use crate::wait::{patience, wait_until};
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

mod decode;
mod pcap;

/// All that passes a bridge, with the kernel's time stamps. tcpdump writes it, we read along.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Mutex<Child>,
    file: PathBuf,
    complaints: PathBuf,
    program: PathBuf,
    read: Mutex<Reading>,
}

#[derive(Debug, Default)]
struct Reading {
    file: Option<File>,
    pcap: pcap::Pcap,
    events: Vec<Event>,
}

/// What the observer keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Whole frames: for tests, where tcpdump decodes them once more.
    Everything,
    /// The heads of VRRP, ARP and neighbour advertisements, some thousands a second.
    Heads,
    /// The same for tens of thousands a second: the kernel hands them over in blocks, and at a low rate seconds late.
    HeadsInBlocks,
}

/// Time since 1970, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The time now, of the clock that the kernel stamps packets with.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_nanos()).expect("not before the year 2554"))
    }

    /// How many seconds later than `earlier` this is; negative if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "differences of minutes, wanted to the microsecond")]
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        if self >= earlier { seconds(self.0 - earlier.0) } else { -seconds(earlier.0 - self.0) }
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One packet of interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When the bridge had it.
    pub at: Stamp,
    /// Who sent it.
    pub mac: Mac,
    /// The receiver.
    pub to: Mac,
    /// What it is.
    pub kind: Kind,
}

/// The packets that the observer knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A VRRP advertisement.
    Advert(Advert),
    /// A gratuitous ARP.
    Garp(Garp),
    /// A neighbour advertisement.
    Na(Na),
    /// An ICMP or ICMPv6 echo request or reply.
    Echo {
        /// Whether it is the answer.
        reply: bool,
        /// Who sends it.
        source: IpAddr,
        /// Its sequence number.
        sequence: u16,
    },
}

/// A VRRP advertisement as it was on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub hops: u8,
    /// 2 or 3.
    pub version: u8,
    /// Virtual router identifier.
    pub vrid: u8,
    /// 0 says goodbye.
    pub priority: u8,
    /// The interval in centiseconds, v2's seconds converted.
    pub centis: u16,
    /// v2: 0 none, 1 simple password, 2 header.
    pub auth_type: u8,
    /// v2 over IPv4: the password.
    pub auth: Vec<u8>,
    /// The addresses; empty when the observer keeps heads only.
    pub addresses: Vec<IpAddr>,
}

/// A gratuitous ARP: sender and target address are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// The address it is about.
    pub address: IpAddr,
    /// The MAC address that has it.
    pub sender: Mac,
    /// No particular receiver.
    pub target: Mac,
}

/// A neighbour advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Na {
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub destination: IpAddr,
    /// The address it is about.
    pub target: IpAddr,
    /// Flag: it answers a question.
    pub solicited: bool,
    /// Flag: caches must believe it.
    pub overrides: bool,
    /// Flag: the sender forwards.
    pub router: bool,
    /// The target link-layer address option.
    pub link: Option<Mac>,
}

impl Event {
    /// The advert, if it is one.
    #[must_use]
    pub fn advert(&self) -> Option<&Advert> {
        if let Kind::Advert(advert) = &self.kind { Some(advert) } else { None }
    }

    /// The address that a gratuitous ARP or an unsolicited neighbour advertisement announces.
    #[must_use]
    pub fn announces(&self) -> Option<IpAddr> {
        match &self.kind {
            Kind::Garp(garp) => Some(garp.address),
            Kind::Na(na) if !na.solicited => Some(na.target),
            Kind::Na(_) | Kind::Advert(_) | Kind::Echo { .. } => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.at.0 / 1_000_000_000 % 1000, self.at.0 % 1_000_000_000);
        write!(f, "{seconds:03}.{:06} {} ", nanos / 1000, self.mac)?;
        match &self.kind {
            Kind::Advert(a) => write!(
                f,
                "advert v{} vrid {} priority {} every {} cs, {} > {} {:?}",
                a.version, a.vrid, a.priority, a.centis, a.source, a.destination, a.addresses
            ),
            Kind::Garp(garp) => write!(f, "garp {}", garp.address),
            Kind::Na(na) => write!(f, "na {} from {}", na.target, na.source),
            Kind::Echo { reply, source, sequence } => {
                write!(f, "echo {} {sequence} from {source}", if *reply { "reply" } else { "request" })
            }
        }
    }
}

impl Capture {
    pub(crate) fn start(observer: &Namespace, interface: &str, file: &Path, filter: Filter) -> Result<Self> {
        let complaints = file.with_extension("tcpdump");
        let mut command = observer.command("tcpdump");
        command.args(["-i", interface, "-U", "-n", "-Z", "root", "--time-stamp-precision=nano"]);
        match filter {
            Filter::Everything => {
                // at once, because tests wait for what is in the file
                command.args(["--immediate-mode", "-B", "8192"]).arg("-w").arg(file);
            }
            Filter::Heads | Filter::HeadsInBlocks => {
                if filter == Filter::Heads {
                    command.arg("--immediate-mode");
                }
                command.args(["-s", "96", "-B", "65536"]).arg("-w").arg(file);
                command.arg("ip proto 112 or ip6 proto 112 or arp or (icmp6 and ip6[40] == 136)");
            }
        }
        let child = command.stdout(Stdio::null()).stderr(File::create(&complaints)?).spawn()?;
        let capture = Self {
            tcpdump: Mutex::new(child),
            file: file.to_owned(),
            complaints,
            program: crate::namespace::program("tcpdump"),
            read: Mutex::default(),
        };
        wait_until("tcpdump listens", patience(Duration::from_secs(1)), || {
            Ok(capture.complaints()?.contains("listening on"))
        })
        .with_context(|| capture.complaints().unwrap_or_default())?;
        Ok(capture)
    }

    fn complaints(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.complaints)?)
    }

    fn read(&self) -> Result<std::sync::MutexGuard<'_, Reading>> {
        let mut reading = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let reading_now = &mut *reading;
        if reading_now.file.is_none() {
            reading_now.file = Some(File::open(&self.file).with_context(|| self.file.display().to_string())?);
        }
        if let Some(file) = &mut reading_now.file {
            let mut fresh = Vec::new();
            file.read_to_end(&mut fresh)?;
            reading_now.pcap.feed(&fresh);
        }
        while let Some((at, frame)) = reading_now.pcap.next()? {
            reading_now.events.extend(decode::frame(at, &frame));
        }
        Ok(reading)
    }

    /// All that was heard so far.
    pub fn events(&self) -> Result<Vec<Event>> {
        Ok(self.read()?.events.clone())
    }

    /// What was heard since this was last asked, without keeping it: for millions of packets.
    pub fn take(&self) -> Result<Vec<Event>> {
        Ok(std::mem::take(&mut self.read()?.events))
    }

    /// How many there are so far: a mark for [`Capture::since`].
    pub fn mark(&self) -> Result<usize> {
        Ok(self.read()?.events.len())
    }

    /// What was heard after a mark.
    pub fn since(&self, mark: usize) -> Result<Vec<Event>> {
        Ok(self.read()?.events.get(mark..).unwrap_or_default().to_vec())
    }

    /// Waits for a packet after a mark.
    pub fn wait(&self, what: &str, mark: usize, within: Duration, wanted: impl Fn(&Event) -> bool) -> Result<Event> {
        let mut found = None;
        wait_until(what, within, || {
            found = self.since(mark)?.into_iter().find(|event| wanted(event));
            Ok(found.is_some())
        })?;
        found.context("found above")
    }

    /// Waits for an advert of `vrid` from `mac` after a mark.
    pub fn wait_advert(&self, mark: usize, mac: Mac, vrid: u8, within: Duration) -> Result<Event> {
        self.wait(&format!("{mac} sends an advert of VRID {vrid}"), mark, within, |event| {
            event.mac == mac && event.advert().is_some_and(|advert| advert.vrid == vrid && advert.priority > 0)
        })
    }

    /// Ends the listening; how many packets the kernel had to drop, which ought to be none.
    pub fn finish(&self) -> Result<u64> {
        let mut child = self.tcpdump.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&child), Signal::INT)?;
            child.wait()?;
        }
        let complaints = self.complaints()?;
        let dropped = complaints.lines().find_map(|line| line.strip_suffix("dropped by kernel"));
        let number = dropped.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("tcpdump does not say what was dropped: {complaints}"))
    }

    /// Has tcpdump decode all of it; fails if it finds a bad checksum, a truncated packet or one that it cannot read.
    pub fn judge(&self) -> Result<()> {
        let dropped = self.finish()?;
        if dropped > 0 {
            bail!("the observer itself lost {dropped} packets");
        }
        let text = checked(std::process::Command::new(&self.program).args(["-n", "-vvv", "-r"]).arg(&self.file))?;
        // one packet is a line and its indented continuation
        let mut packet = String::new();
        for line in text.lines().chain(["end"]) {
            if line.starts_with(char::is_whitespace) {
                packet.push_str(line);
                continue;
            }
            let vrrp = packet.contains("VRRP") || packet.contains("vrrp");
            // tcpdump leaves the pseudo header out for version 2 over IPv6, a form no RFC defines; the kernel puts it
            // in
            packet = if packet.contains("IP6") && packet.contains("VRRPv2") {
                packet.replace("(bad vrrp cksum", "")
            } else {
                packet
            };
            let bad = ["bad ", "truncated", "[|", "invalid", "unknown type", "wrong"];
            if (vrrp || packet.contains("ARP")) && bad.iter().any(|word| packet.contains(word)) {
                bail!("tcpdump finds fault with {packet}");
            }
            packet = line.to_owned();
        }
        Ok(())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let child = self.tcpdump.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}
