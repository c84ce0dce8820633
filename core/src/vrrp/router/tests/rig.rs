//! The rig that the tests of this folder share.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::time::{Centis, Instant};
use crate::vrrp::authentication::Seal;
use crate::vrrp::cause::{Faults, State};
use crate::vrrp::params::{InitialState, Params};
use crate::vrrp::receive::Datagram;
use crate::vrrp::router::{Effect, Event, Router};
use crate::vrrp::types::{AdvertInterval, Priority, Version};
use crate::vrrp::{advert, ipv4};

pub(super) const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(super) const LOWER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 1, 255));
pub(super) const THEIRS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
pub(super) const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

pub(super) fn params(version: Version, priority: u8) -> Params {
    Params::example(version).with(|it| {
        it.priority = Priority::new(priority).unwrap();
        it.initial = if priority == 255 { InitialState::Master } else { InitialState::Backup };
    })
}

/// A router and a clock: each step returns what the router wants, as short words.
pub(super) struct Rig {
    pub(super) router: Router,
    pub(super) now: Instant,
    pub(super) peer: Params,
}

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const MILLI: u64 = 1_000_000;

impl Rig {
    /// Started at 1000.5 s, so that a phase of 0 falls half a second later.
    pub(super) fn new(params: Params) -> Self {
        let peer = params.clone();
        Self { router: Router::new(params), now: Instant::from_nanos(1_000 * SECOND + SECOND / 2), peer }
    }

    pub(super) fn started(params: Params) -> Self {
        let mut rig = Self::new(params);
        rig.tell(Event::Surroundings { source: Some(OURS), faults: Faults::NONE });
        rig.tell(Event::Start);
        rig
    }

    /// A router that has just become master by silence.
    pub(super) fn master(params: Params) -> Self {
        let mut rig = Self::started(params);
        rig.skip(rig.until_deadline());
        rig.expire();
        assert_eq!(rig.router.state(), State::Master);
        rig
    }

    pub(super) fn tell(&mut self, event: Event<'_>) -> Vec<Effect> {
        let mut out = Vec::new();
        self.router.handle(self.now, event, &mut out);
        out
    }

    pub(super) fn expire(&mut self) -> Vec<Effect> {
        let mut out = Vec::new();
        self.router.handle_timeout(self.now, &mut out);
        out
    }

    pub(super) fn skip(&mut self, time: Duration) {
        self.now += time;
    }

    pub(super) fn until_deadline(&self) -> Duration {
        self.router.next_deadline().unwrap().since(self.now)
    }

    /// An advert of `priority` from `source` with the peer's parameters arrives now.
    pub(super) fn hear(&mut self, source: IpAddr, priority: u8) -> Vec<Effect> {
        let octets = packet(&self.peer, source, priority);
        self.hear_octets(source, 255, &octets)
    }

    pub(super) fn hear_octets(&mut self, source: IpAddr, ttl: u8, octets: &[u8]) -> Vec<Effect> {
        self.hear_at(self.now, source, ttl, octets)
    }

    pub(super) fn hear_at(&mut self, received: Instant, source: IpAddr, ttl: u8, octets: &[u8]) -> Vec<Effect> {
        let datagram =
            Datagram { source, destination: GROUP, ttl, received, utc: Duration::ZERO, header: None, message: octets };
        self.tell(Event::Datagram(&datagram))
    }
}

/// The message alone, as a machine gets it.
pub(super) fn packet(params: &Params, source: IpAddr, priority: u8) -> Vec<u8> {
    let mut octets = Vec::new();
    advert::encode(&mut octets, params, priority, source, GROUP, 1, Seal::None);
    octets.split_off(ipv4::HEADER_LENGTH)
}

pub(super) fn words(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            // the tests of the engine have it
            Effect::LowerPriority { .. } => None,
            effect => Some(word(effect)),
        })
        .collect()
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::LowerPriority { .. } => "lower priority".into(),
        Effect::Priority { priority, .. } => format!("priority {priority}"),
        Effect::Advertise { priority } => format!("advertise {priority}"),
        Effect::Hold => "hold".into(),
        Effect::Release => "release".into(),
        Effect::Announce { rounds } | Effect::AnnounceNew { rounds } => format!("announce {rounds}"),
        Effect::AnnounceElsewhere => "announce elsewhere".into(),
        Effect::AnnounceSource => "announce source".into(),
        Effect::AsksGroup => "asks".into(),
        Effect::Transition(transition) => format!("{} to {}", transition.from, transition.to),
        Effect::Note(note) => format!("note: {note}").split(':').next().unwrap_or_default().into(),
    }
}

pub(super) fn with_interval(mut params: Params, centis: u16) -> Params {
    params.settings.interval = AdvertInterval::new(params.settings.version, Centis::new(centis)).unwrap();
    params
}

/// Another configuration, with nothing that trackers add.
pub(super) fn reconfigure(params: Params) -> Event<'static> {
    let priority = params.settings.priority;
    Event::Reconfigure { params: Box::new(params), priority }
}
