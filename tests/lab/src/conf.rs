use crate::network::Router;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The family of an instance's adverts and addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How adverts travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// To the group.
    Multicast,
    /// To `unicast_peer`.
    Unicast,
}

/// The version of VRRP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RFC 3768.
    V2,
    /// RFC 9568.
    V3,
}

/// One of the eight ways to talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Multicast or unicast.
    pub cast: Cast,
    /// 2 or 3.
    pub version: Version,
}

impl Case {
    /// The plainest: IPv4, multicast, version 3 for its short intervals.
    pub const PLAIN: Self = Self { family: Family::V4, cast: Cast::Multicast, version: Version::V3 };

    /// What the address of a virtual router is, on the first segment.
    #[must_use]
    pub fn vip(self, vrid: u8) -> IpAddr {
        match self.family {
            Family::V4 => Ipv4Addr::new(10, 0, 1, vrid).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, vrid.into()).into(),
        }
    }

    /// All addresses of a virtual router: an IPv6 one has a link-local address first, as RFC 9568 wants it.
    #[must_use]
    pub fn vips(self, vrid: u8) -> Vec<IpAddr> {
        match self.family {
            Family::V4 => vec![self.vip(vrid)],
            Family::V6 => vec![Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, vrid.into()).into(), self.vip(vrid)],
        }
    }

    /// The address of a router that its adverts come from when `unicast_src_ip` says so.
    #[must_use]
    pub fn source(self, router: &Router) -> IpAddr {
        match self.family {
            Family::V4 => router.v4(0).into(),
            Family::V6 => router.v6(0).into(),
        }
    }

    /// The shortest interval that makes sense for a test.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_millis(match self.version {
            Version::V2 => 1000,
            Version::V3 => 200,
        })
    }

    /// 2 or 3.
    #[must_use]
    pub fn version_number(self) -> u8 {
        match self.version {
            Version::V2 => 2,
            Version::V3 => 3,
        }
    }
}

/// A `vrrp_instance` of a test.
#[derive(Debug, Clone)]
pub struct Instance {
    case: Case,
    vrid: u8,
    priority: u8,
    lines: Vec<String>,
    addresses: Option<Vec<String>>,
    interval: Duration,
}

impl Instance {
    /// VRID 7 with its usual addresses.
    #[must_use]
    pub fn new(case: Case, priority: u8) -> Self {
        Self { case, vrid: 7, priority, lines: Vec::new(), addresses: None, interval: case.interval() }
    }

    /// Another VRID.
    #[must_use]
    pub fn vrid(mut self, vrid: u8) -> Self {
        self.vrid = vrid;
        self
    }

    /// Another interval.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// One more line in the block.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// These lines in `virtual_ipaddress` instead of the usual addresses.
    #[must_use]
    pub fn addresses(mut self, lines: &[&str]) -> Self {
        self.addresses = Some(lines.iter().map(|&line| line.to_owned()).collect());
        self
    }

    /// Its text in the configuration of `me`, whose peers, for unicast, are `others`.
    #[must_use]
    pub fn text(&self, me: &Router, others: &[&Router]) -> String {
        let Self { case, vrid, priority, .. } = self;
        let mut text = format!("vrrp_instance V{vrid} {{\n  interface eth0\n  virtual_router_id {vrid}\n");
        let mut line = |line: std::fmt::Arguments<'_>| writeln!(text, "  {line}").expect("a String takes everything");
        line(format_args!("version {}", case.version_number()));
        line(format_args!("priority {priority}"));
        line(format_args!("advert_int {}", self.interval.as_secs_f64()));
        if case.cast == Cast::Unicast {
            line(format_args!("unicast_src_ip {}", case.source(me)));
            let peers: Vec<_> = others.iter().map(|other| format!("\n    {}", case.source(other))).collect();
            line(format_args!("unicast_peer {{{}\n  }}", peers.concat()));
        }
        for extra in &self.lines {
            line(format_args!("{extra}"));
        }
        let length = if case.family == Family::V4 { 16 } else { 64 };
        let usual = || case.vips(*vrid).iter().map(|vip| format!("{vip}/{length}")).collect();
        let addresses: Vec<String> = self.addresses.clone().unwrap_or_else(usual);
        line(format_args!("virtual_ipaddress {{\n    {}\n  }}", addresses.join("\n    ")));
        text + "}\n"
    }

    /// A configuration of this instance alone.
    #[must_use]
    pub fn alone(&self, me: &Router, others: &[&Router]) -> String {
        format!("global_defs {{\n  router_id r{}\n}}\n{}", me.index(), self.text(me, others))
    }
}
