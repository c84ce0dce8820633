//! What one router is configured to be, and the text that says so.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use keepalived_config::model::Config;
use keepalived_config::{AnyInterface, MemorySource, fatal, load};

/// Number of a router in its world.
pub type NodeId = usize;
/// Number of a virtual router; the same on every router.
pub type VirtualId = usize;

/// A whole configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// One for each virtual router, in the order of [`VirtualId`].
    pub instances: Vec<Instance>,
    /// `vip_lost backup`
    pub yields_lost_addresses: bool,
    /// `bfd_instance` with each other router on each network where any instance has `bfd_promotes`.
    pub bfd: Option<BfdTimes>,
}

/// The times of all BFD sessions of a router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BfdTimes {
    /// `min_tx` and `min_rx`, milliseconds.
    pub interval: u32,
    /// `multiplier`
    pub multiplier: u8,
}

impl BfdTimes {
    /// How long a path is gone before a session says so, if both sides are set like this.
    pub fn detection(self) -> Duration {
        Duration::from_millis(u64::from(self.interval)) * u32::from(self.multiplier)
    }
}

/// One `vrrp_instance`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// `virtual_router_id`
    pub vrid: u8,
    /// Which of the two networks.
    pub segment: Segment,
    /// `version`
    pub version: u8,
    /// Of adverts and addresses.
    pub family: Family,
    /// `unicast_peer` with all other routers.
    pub unicast: bool,
    /// `auth_pass`
    pub password: Option<&'static str>,
    /// `auth_hmac` with the one key of this world.
    pub signs: bool,
    /// Member of the sync group.
    pub grouped: bool,
    /// `priority`
    pub priority: u8,
    /// `advert_int`, in hundredths of a second.
    pub interval: u64,
    /// `down_timer_adverts`
    pub down_adverts: u32,
    /// `nopreempt`, `preempt_delay`
    pub preempt: Preempt,
    /// `lower_prio_no_advert`
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`
    pub higher_prio_send_advert: bool,
    /// `garp_master_refresh`, seconds.
    pub refresh: u64,
    /// `virtual_ipaddress`
    pub addresses: Vec<IpAddr>,
    /// The file does not have it now.
    pub absent: bool,
    /// `track_script`
    pub tracks: Vec<Track>,
    /// `bfd_promotes`: the session with the router after this one, by their numbers.
    pub promoted: bool,
    /// A tracker without weight keeps it in FAULT. No file says so: see [`Setting::with_trackers`].
    pub fault: bool,
}

/// How many scripts each router tracks.
pub const TRACKERS: usize = 2;

/// One line of `track_script`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Track {
    /// Which script.
    pub tracker: usize,
    /// `weight`; 0 is FAULT.
    pub weight: i16,
}

/// Name of a script.
pub fn tracker_name(tracker: usize) -> String {
    format!("T{tracker}")
}

/// What two routers have to agree on, or each refuses the other's adverts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    version: u8,
    password: Option<&'static str>,
    signs: bool,
    interval: u64,
}

impl Terms {
    /// Whether a router with these terms believes one with `other`.
    pub fn accepts(self, other: Self) -> bool {
        let interval = self.version == 3 || self.interval == other.interval;
        self.version == other.version && self.password == other.password && self.signs == other.signs && interval
    }
}

/// When a lower priority is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preempt {
    /// At once.
    Yes,
    /// After so many tenths of a second.
    After(u64),
    /// `nopreempt`
    No,
}

/// Address family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

/// One of the two networks that every router is on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Segment {
    /// eth0
    Front,
    /// eth1
    Back,
}

impl Segment {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Front, Self::Back];

    /// The interface on it.
    pub const fn interface(self) -> &'static str {
        match self {
            Self::Front => "eth0",
            Self::Back => "eth1",
        }
    }

    /// The kernel's number of that interface.
    pub const fn link(self) -> u32 {
        match self {
            Self::Front => 2,
            Self::Back => 3,
        }
    }

    /// Whether `index` is the number of that interface, which ends in the same digit however often it is made again.
    pub const fn is(self, index: u32) -> bool {
        index % 10 == self.link()
    }

    /// The address that `node` has on it.
    pub fn address(self, node: NodeId, family: Family) -> IpAddr {
        let host = u8::try_from(node + 1).expect("a world has few routers");
        let net = if self == Self::Front { 0 } else { 1 };
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 0, net, host)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, u16::from(net), u16::from(host))),
        }
    }
}

impl Setting {
    /// What becomes of it while these scripts succeed: as keepalived.conf(5) says, and without a line of our own code.
    #[must_use]
    pub fn with_trackers(&self, succeed: [bool; TRACKERS]) -> Self {
        let mut setting = self.clone();
        for instance in &mut setting.instances {
            let mut sum = i16::from(instance.priority);
            for track in &instance.tracks {
                let succeeds = succeed.get(track.tracker) == Some(&true);
                match track.weight {
                    0 => instance.fault |= !succeeds,
                    1.. if succeeds => sum += track.weight,
                    ..0 if !succeeds => sum += track.weight,
                    _ => {}
                }
            }
            if instance.priority != u8::MAX {
                instance.priority = u8::try_from(sum.clamp(1, 254)).expect("within bounds");
            }
        }
        setting
    }
}

impl Instance {
    /// `advert_int` as a time.
    pub const fn advert_interval(&self) -> Duration {
        Duration::from_millis(self.interval * 10)
    }

    /// What others have to agree on.
    pub const fn terms(&self) -> Terms {
        Terms { version: self.version, password: self.password, signs: self.signs, interval: self.interval }
    }

    /// `preempt_delay`
    pub const fn preempt_delay(&self) -> Duration {
        match self.preempt {
            Preempt::After(tenths) => Duration::from_millis(tenths * 100),
            Preempt::Yes | Preempt::No => Duration::ZERO,
        }
    }

    /// What the RFCs make of it when the master advertises every `interval` (RFC 9568 §6.1, RFC 3768 §6.1).
    pub fn down_time(&self, interval: Duration) -> Duration {
        let whole = if self.version == 2 { Duration::from_secs(1) } else { interval };
        interval * self.down_adverts + whole * (256 - u32::from(self.priority)) / 256
    }
}

/// Name of a virtual router's instance.
pub fn name(id: VirtualId) -> String {
    format!("I{id}")
}

/// The virtual router of a name that [`name`] gave.
pub fn id(name: &str) -> Option<VirtualId> {
    name.strip_prefix('I')?.parse().ok()
}

/// Name of the session with `peer` on a network.
pub fn session_name(segment: Segment, family: Family, peer: NodeId) -> String {
    format!("B{}{}-{peer}", segment.interface(), if family == Family::V4 { 4 } else { 6 })
}

/// `bfd_instance` blocks: one for each other router on each network where an instance is promoted.
fn write_sessions(text: &mut String, setting: &Setting, node: NodeId, nodes: usize) -> std::fmt::Result {
    let Some(times) = setting.bfd else { return Ok(()) };
    let mut networks: Vec<(Segment, Family)> = Vec::new();
    for instance in setting.instances.iter().filter(|instance| instance.promoted) {
        if !networks.contains(&(instance.segment, instance.family)) {
            networks.push((instance.segment, instance.family));
        }
    }
    for (segment, family) in networks {
        for peer in (0..nodes).filter(|peer| *peer != node) {
            let (name, own) = (session_name(segment, family, peer), segment.address(node, family));
            writeln!(text, "bfd_instance {name} {{\n  neighbor_ip {}", segment.address(peer, family))?;
            writeln!(text, "  source_ip {own}\n  min_tx {0}\n  min_rx {0}", times.interval)?;
            writeln!(text, "  multiplier {}\n}}", times.multiplier)?;
        }
    }
    Ok(())
}

/// The configuration as an administrator of `node` would write it, in a world of `nodes` routers.
pub fn text(setting: &Setting, node: NodeId, nodes: usize) -> String {
    let mut text = String::new();
    if setting.yields_lost_addresses {
        text.push_str("global_defs {\n  vip_lost backup\n}\n");
    }
    write_sessions(&mut text, setting, node, nodes).expect("a string takes everything");
    let grouped: Vec<VirtualId> =
        setting.instances.iter().enumerate().filter(|(_, instance)| instance.grouped).map(|(id, _)| id).collect();
    if !grouped.is_empty() {
        text.push_str("vrrp_sync_group G {\n  group {\n");
        for id in grouped {
            writeln!(text, "    {}", name(id)).expect("a string takes everything");
        }
        text.push_str("  }\n}\n");
    }
    if setting.instances.iter().any(|instance| !instance.tracks.is_empty()) {
        for tracker in 0..TRACKERS {
            writeln!(text, "vrrp_script {} {{\n  script /bin/true\n}}", tracker_name(tracker))
                .expect("a string takes everything");
        }
    }
    for (id, instance) in setting.instances.iter().enumerate().filter(|(_, instance)| !instance.absent) {
        write_instance(&mut text, id, instance, node, nodes).expect("a string takes everything");
    }
    text
}

fn write_instance(
    text: &mut String,
    id: VirtualId,
    instance: &Instance,
    node: NodeId,
    nodes: usize,
) -> std::fmt::Result {
    writeln!(text, "vrrp_instance {} {{\n  interface {}", name(id), instance.segment.interface())?;
    writeln!(text, "  virtual_router_id {}\n  version {}", instance.vrid, instance.version)?;
    writeln!(text, "  priority {}", instance.priority)?;
    writeln!(text, "  state {}", if instance.priority == u8::MAX { "MASTER" } else { "BACKUP" })?;
    writeln!(text, "  advert_int {}.{:02}", instance.interval / 100, instance.interval % 100)?;
    writeln!(text, "  down_timer_adverts {}", instance.down_adverts)?;
    match instance.preempt {
        Preempt::Yes => {}
        Preempt::After(tenths) => writeln!(text, "  preempt_delay {}.{}", tenths / 10, tenths % 10)?,
        Preempt::No => writeln!(text, "  nopreempt")?,
    }
    if instance.lower_prio_no_advert {
        writeln!(text, "  lower_prio_no_advert")?;
    }
    if instance.higher_prio_send_advert {
        writeln!(text, "  higher_prio_send_advert")?;
    }
    writeln!(text, "  garp_master_refresh {}", instance.refresh)?;
    if let Some(password) = instance.password {
        writeln!(text, "  authentication {{\n    auth_type PASS\n    auth_pass {password}\n  }}")?;
    }
    if instance.signs {
        writeln!(text, "  auth_hmac {{\n    key 1 a-key-of-32-octets-for-this-world\n    active_key 1\n  }}")?;
    }
    if !instance.tracks.is_empty() {
        writeln!(text, "  track_script {{")?;
        for track in &instance.tracks {
            writeln!(text, "    {} weight {}", tracker_name(track.tracker), track.weight)?;
        }
        writeln!(text, "  }}")?;
    }
    if instance.promoted {
        let peer = (node + 1) % nodes;
        writeln!(text, "  bfd_promotes {}", session_name(instance.segment, instance.family, peer))?;
    }
    if instance.unicast {
        writeln!(text, "  unicast_peer {{")?;
        for peer in (0..nodes).filter(|peer| *peer != node) {
            writeln!(text, "    {}", instance.segment.address(peer, instance.family))?;
        }
        writeln!(text, "  }}")?;
    }
    writeln!(text, "  virtual_ipaddress {{")?;
    for address in &instance.addresses {
        writeln!(text, "    {address}/{}", prefix(*address))?;
    }
    writeln!(text, "  }}\n}}")
}

/// Prefix length of every address of that family here.
pub const fn prefix(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 24,
        IpAddr::V6(_) => 64,
    }
}

/// Reads `text` as the daemon does.
///
/// # Panics
/// It is not usable: then the scenarios are wrong.
pub fn configuration(text: &str) -> Config {
    let loaded = load(&MemorySource::one("/k.conf", text), Path::new("/k.conf"), &AnyInterface);
    assert!(!fatal(&loaded.findings), "{:?}\n{text}", loaded.findings);
    loaded.config
}
