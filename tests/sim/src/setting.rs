//! What one router is configured to be, and the text that says so.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use keepalived_config::model::Config;
use keepalived_config::{AnyInterface, MemorySource, fatal, load};
use keepalived_core::vrrp::tracking::{TrackerKind, TrackerState};

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
    /// `interface_up_down_delays` of both interfaces.
    pub delays: Option<LinkDelays>,
}

/// How long an interface must be down, or up, before that counts, in hundredths of a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkDelays {
    /// Down.
    pub down: u64,
    /// Up.
    pub up: u64,
}

impl LinkDelays {
    /// The longer one.
    pub fn longest(self) -> Duration {
        Duration::from_millis(self.down.max(self.up) * 10)
    }
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
    /// `use_vmac`
    pub vmac: bool,
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
    /// `track_script`, `track_file`, `track_process` and `track_probe`
    pub tracks: Vec<Track>,
    /// `bfd_promotes`: the session with the router after this one, by their numbers.
    pub promoted: bool,
    /// A tracker without weight keeps it in FAULT. No file says so: see [`Setting::with_trackers`].
    pub fault: bool,
}

/// What each router tracks, by number. A file holds 0 while it is well, else 1.
pub const TRACKERS: [TrackerKind; 5] =
    [TrackerKind::Script, TrackerKind::Script, TrackerKind::File, TrackerKind::Process, TrackerKind::Probe];
/// How many of them are scripts.
pub const SCRIPTS: usize = 2;

/// The block that defines it, and the one that tracks it.
const fn blocks(kind: TrackerKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        TrackerKind::File => ("track_file", "file /run/number", "track_file"),
        TrackerKind::Process => ("vrrp_track_process", "process program", "track_process"),
        TrackerKind::Probe => ("vrrp_track_probe", "ping 10.0.0.200", "track_probe"),
        // what is no script has no place in this world
        TrackerKind::Script | TrackerKind::Interface | TrackerKind::Bfd => {
            ("vrrp_script", "script /bin/true", "track_script")
        }
    }
}

/// What a tracker says that is well, or is not.
pub fn tracker_state(kind: TrackerKind, is_well: bool) -> TrackerState {
    match (kind, is_well) {
        (TrackerKind::File, true) => TrackerState::Number(0),
        (TrackerKind::File, false) => TrackerState::Number(1),
        (_, true) => TrackerState::Up,
        (_, false) => TrackerState::Down,
    }
}

/// One line of such a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Track {
    /// Which one.
    pub tracker: usize,
    /// `weight`; 0 is FAULT.
    pub weight: i16,
}

/// Name of a tracker.
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

    /// The number of that interface when it has been made again so often.
    pub const fn remade(self, times: u32) -> u32 {
        // links that routers make have numbers in between
        self.link() + 10_000 * times
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
    /// What becomes of it while these trackers are well: as keepalived.conf(5) says, and without a line of our own code.
    #[must_use]
    pub fn with_trackers(&self, well: [bool; TRACKERS.len()]) -> Self {
        let mut setting = self.clone();
        for instance in &mut setting.instances {
            let mut sum = i16::from(instance.priority);
            for track in &instance.tracks {
                let is_well = well.get(track.tracker) == Some(&true);
                let is_file = TRACKERS.get(track.tracker) == Some(&TrackerKind::File);
                match track.weight {
                    0 => instance.fault |= !is_well,
                    // the product of the weight and 1, or 0
                    _ if is_file && !is_well => sum += track.weight,
                    1.. if is_well && !is_file => sum += track.weight,
                    ..0 if !is_well => sum += track.weight,
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

    /// The MAC address that it brings along (RFC 9568 section 7.3).
    pub const fn virtual_mac(&self) -> Option<[u8; 6]> {
        let family = match self.family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        if self.vmac { Some([0, 0, 0x5e, 0, family, self.vrid]) } else { None }
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
    if let Some(LinkDelays { down, up }) = setting.delays {
        let seconds = |centis: u64| format!("{}.{:02}", centis / 100, centis % 100);
        let line = |segment: Segment| format!("  {} {} {}\n", segment.interface(), seconds(down), seconds(up));
        let lines: String = Segment::ALL.map(line).concat();
        writeln!(text, "interface_up_down_delays {{\n{lines}}}").expect("a string takes everything");
    }
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
        for (tracker, kind) in TRACKERS.into_iter().enumerate() {
            let (block, line, _) = blocks(kind);
            writeln!(text, "{block} {} {{\n  {line}\n}}", tracker_name(tracker)).expect("a string takes everything");
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
    if instance.vmac {
        writeln!(text, "  use_vmac")?;
    }
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
    for kind in [TrackerKind::Script, TrackerKind::File, TrackerKind::Process, TrackerKind::Probe] {
        let of_kind = |track: &&Track| TRACKERS.get(track.tracker) == Some(&kind);
        let mut lines = instance.tracks.iter().filter(of_kind).peekable();
        if lines.peek().is_none() {
            continue;
        }
        let (_, _, block) = blocks(kind);
        writeln!(text, "  {block} {{")?;
        for track in lines {
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
