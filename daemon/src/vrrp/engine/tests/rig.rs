//! The rig that the tests of this folder share.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::Config;
use keepalived_core::network::{Address, LinkIndex};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Authentication, Router, Seal, State, advert};
use keepalived_kernel::fake::{FakeNetwork, FakePackets, FakeSockets, ReceivedAdvert, SentAdvert};
use keepalived_kernel::network::Network;

pub(super) use crate::configuration::from_text as configuration;
use crate::vrrp::engine::Engine;
use crate::vrrp::lifetime::AtExit;
use crate::vrrp::lower;
use crate::vrrp::orders::{Answer, Order};
use crate::vrrp::report::Report;

pub(super) const ETH0: LinkIndex = LinkIndex(2);
pub(super) const ETH1: LinkIndex = LinkIndex(3);
pub(super) const MILLI: Duration = Duration::from_millis(1);

pub(super) fn instance(name: &str, vrid: u8, rest: &str) -> String {
    format!("vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n {rest}\n}}\n")
}

/// Instance A on eth0 with VRID 51 and `lines`, and with [`VIP`] unless they bring addresses; below `globals`.
pub(super) fn under(globals: &str, lines: &str) -> String {
    let addresses = if lines.contains("virtual_ipaddress {") { "" } else { "virtual_ipaddress {\n 192.0.2.100/24\n }" };
    format!("global_defs {{\n {globals}\n}}\n{}", instance("A", 51, &format!("{lines}\n {addresses}")))
}

/// The VRRP message of an advert.
pub(super) fn message(advert: &SentAdvert) -> &[u8] {
    if advert.source.is_ipv4() { &advert.octets[20..] } else { &advert.octets }
}

pub(super) fn with_addresses(name: &str, vrid: u8, priority: u8, addresses: &[&str]) -> String {
    let rest = format!("priority {priority}\n virtual_ipaddress {{\n {}\n }}", addresses.join("\n "));
    instance(name, vrid, &rest)
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The time since 1970 at a moment: it is 2026.
pub(super) fn utc(now: Instant) -> Duration {
    Duration::from_secs(1_780_000_000) + now.since(Instant::ZERO)
}

pub(super) fn plain(link: LinkIndex, address: &str, prefix: u8) -> Address {
    Address::plain(link, ip(address), prefix)
}

pub(super) fn machine() -> FakeNetwork {
    let mut network = FakeNetwork::new();
    network.set_link(FakeNetwork::ethernet(2, "eth0").unwrap());
    network.set_link(FakeNetwork::ethernet(3, "eth1").unwrap());
    network.add_address(plain(ETH0, "192.0.2.1", 24));
    let mut link_local = plain(ETH0, "fe80::1", 64);
    link_local.scope = 253;
    network.add_address(link_local);
    network.events(&mut Vec::new());
    network
}

pub(super) struct Rig {
    pub(super) engine: Engine<FakeNetwork, FakePackets>,
    pub(super) now: Instant,
    pub(super) reports: Vec<Report>,
    /// What takes time, if anything does.
    pub(super) slow: Option<Slow>,
    /// By how much the clocks of other routers are ahead of ours.
    pub(super) others_ahead: Duration,
    /// What the kernel was asked for, and when the answer comes.
    asked: Option<(Instant, Asked)>,
}

/// What takes time.
#[derive(Clone, Copy)]
pub(super) enum Slow {
    /// The kernel lets us wait and answers at once.
    Kernel(Duration),
    /// The kernel does at once what it is asked for, and we hear of it late.
    Answer(Duration),
}

enum Asked {
    Order(Order<FakeSockets>),
    Answer(Answer<FakeSockets>),
}

impl Rig {
    pub(super) fn new(text: &str) -> Self {
        Self::on(machine(), text)
    }

    pub(super) fn on(network: FakeNetwork, text: &str) -> Self {
        Self::with(network, text, |_| BTreeSet::new())
    }

    pub(super) fn with(network: FakeNetwork, text: &str, masters: impl Fn(&Config) -> BTreeSet<InstanceKey>) -> Self {
        let now = Instant::from_nanos(1_000_000_000_000);
        let config = configuration(text);
        let mut engine = Engine::new(now, &config, masters(&config), network, FakePackets::new()).unwrap();
        engine.begin(now);
        let mut rig = Self::around(engine, now);
        rig.settle();
        rig
    }

    /// A rig for an engine that has been made, and has not begun.
    pub(super) fn around(engine: Engine<FakeNetwork, FakePackets>, now: Instant) -> Self {
        Self { engine, now, reports: Vec::new(), slow: None, others_ahead: Duration::ZERO, asked: None }
    }

    pub(super) fn network(&mut self) -> &mut FakeNetwork {
        self.engine.kernel().0
    }

    pub(super) fn packets(&mut self) -> &mut FakePackets {
        self.engine.kernel().1
    }

    /// One turn, and what the kernel is asked for: unless it is slow, it answers at once. When the next is due.
    pub(super) fn turn(&mut self) -> Option<Instant> {
        self.engine.set_utc(self.now, utc(self.now));
        let wake = self.engine.turn(self.now);
        let Some(order) = self.engine.order() else {
            return wake.into_iter().chain(self.asked.as_ref().map(|(at, _)| *at)).min();
        };
        let asked = match self.slow {
            None => {
                self.answer(Asked::Order(order));
                return Some(Instant::ZERO);
            }
            Some(Slow::Kernel(time)) => (self.now + time, Asked::Order(order)),
            Some(Slow::Answer(time)) => (self.now + time, Asked::Answer(order.carry_out(self.network()))),
        };
        assert!(self.asked.is_none(), "one at a time");
        let at = self.asked.insert(asked).0;
        wake.into_iter().chain([at]).min()
    }

    fn answer(&mut self, asked: Asked) {
        let answer = match asked {
            Asked::Order(order) => order.carry_out(self.network()),
            Asked::Answer(answer) => answer,
        };
        self.engine.answer(self.now, answer);
    }

    /// Turns until there is nothing left to do right now.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            if let Some((_, asked)) = self.asked.take_if(|(at, _)| *at <= self.now) {
                self.answer(asked);
            }
            let wake = self.turn();
            self.reports.extend(self.engine.reports());
            if wake.is_none_or(|at| at > self.now) {
                return;
            }
        }
        panic!("the engine never rests");
    }

    /// Lets time pass, waking the engine when it asks to be woken.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.turn().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// Stops, as the process does: it waits for the kernel.
    pub(super) fn stop(&mut self, at_exit: AtExit) {
        self.engine.stop(self.now, at_exit);
        while self.engine.owes_removals() {
            let wake = self.turn();
            self.now = wake.map_or(self.now, |at| at.max(self.now));
            self.settle();
        }
    }

    pub(super) fn reload(&mut self, text: &str) {
        self.engine.reload(self.now, &configuration(text));
        self.settle();
    }

    pub(super) fn has(&mut self, address: &str) -> bool {
        self.network().has(ip(address))
    }

    pub(super) fn states(&self) -> Vec<(String, State)> {
        self.engine.states().into_iter().map(|(_, name, state)| (name.to_owned(), state)).collect()
    }

    pub(super) fn state(&self, name: &str) -> State {
        self.states().into_iter().find(|(known, _)| known == name).unwrap().1
    }

    /// Priorities of the adverts that were sent for `vrid` since the last call for any.
    pub(super) fn sent(&mut self, vrid: u8) -> Vec<u8> {
        let sent = std::mem::take(&mut self.packets().sent);
        let messages = sent.iter().map(message);
        messages.filter(|message| message[1] == vrid).map(|message| message[2]).collect()
    }

    /// Addresses that were announced by ARP since the last call.
    pub(super) fn announced(&mut self) -> Vec<Ipv4Addr> {
        let frames = std::mem::take(&mut self.packets().announced);
        frames
            .iter()
            .filter(|frame| frame.octets.len() == 42)
            .map(|frame| Ipv4Addr::from(*frame.octets[28..].first_chunk().unwrap()))
            .collect()
    }

    /// An advert as `text`'s only instance would send it, from 192.0.2.2.
    pub(super) fn hear(&mut self, text: &str, priority: u8) {
        self.hear_only(text, priority);
        self.settle();
    }

    /// The same, but the engine does not get to know yet.
    pub(super) fn hear_only(&mut self, text: &str, priority: u8) {
        let reach = lower::params(&configuration(text).instances[0], 0).reach;
        let keepalived_core::vrrp::Reach::Multicast(group) = reach else { panic!("multicast only") };
        self.hear_at(text, priority, group, 255);
    }

    /// An advert as above, sent to `destination`, that arrives with `ttl`.
    pub(super) fn hear_at(&mut self, text: &str, priority: u8, destination: IpAddr, ttl: u8) {
        let params = lower::params(&configuration(text).instances[0], 0);
        let mut octets = Vec::new();
        let source = ip("192.0.2.2");
        let utc = utc(self.now) + self.others_ahead;
        let seal = match &params.authentication {
            // numbers that grow, whoever sends
            Authentication::Header(_) => Seal::Header(u32::try_from(utc.as_millis() % 100_000_000).unwrap()),
            _ => Router::new(params.clone()).seal(utc).unwrap(),
        };
        advert::encode(&mut octets, &params, priority, source, destination, 1, seal);
        let advert = ReceivedAdvert { link: ETH0, source, destination, ttl, received: self.now, octets };
        assert_eq!(self.packets().deliver(&advert), 1);
    }

    /// Hears it every second for so many seconds.
    pub(super) fn hear_for(&mut self, seconds: u64, text: &str, priority: u8) {
        for _ in 0..seconds {
            self.hear(text, priority);
            self.pass(Duration::from_secs(1));
        }
    }

    /// When so many announcements left in the next `seconds`.
    pub(super) fn series(&mut self, seconds: f64) -> Vec<(f64, usize)> {
        let begin = self.now;
        let mut series = Vec::new();
        let mut note = |rig: &mut Self| {
            let count = std::mem::take(&mut rig.packets().announced).len();
            if count > 0 {
                series.push((rig.now.since(begin).as_secs_f64(), count));
            }
        };
        let end = begin + Duration::from_secs_f64(seconds);
        while let Some(at) = self.turn().filter(|at| *at <= end) {
            note(self);
            self.now = at.max(self.now);
            self.settle();
            note(self);
        }
        self.now = end;
        series
    }
}

pub(super) const VIP: &str = "192.0.2.100";

pub(super) fn one(priority: u8) -> String {
    with_addresses("A", 51, priority, &["192.0.2.100/24"])
}

pub(super) fn master() -> Rig {
    let mut rig = Rig::new(&one(100));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    rig
}
