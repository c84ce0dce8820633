//! What a seed stands for: routers, their settings, and what befalls them when.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::bounds::{Bounds, FLOOD};
use crate::clock::{Clock, MOST_PPM, Moment};
use crate::disturbance::{Disturbance, Weather};
use crate::random::Random;
use crate::setting::{
    BfdTimes, Family, Instance, LinkDelays, NodeId, Preempt, SCRIPTS, Segment, Setting, TRACKERS, Track, VirtualId,
};

/// A whole run, before it begins.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it came from; also throws the dice of the network while it runs.
    pub seed: u64,
    /// What each router is set to at first.
    pub settings: Vec<Setting>,
    /// What each router's clock does.
    pub clocks: Vec<Clock>,
    /// What happens, in order.
    pub plan: Vec<(Moment, Disturbance)>,
    /// How long each unit may take.
    pub units: Vec<Bounds>,
    /// When it is over.
    pub end: Moment,
}

impl Scenario {
    /// The scenario of `seed`.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let nodes = random.pick(&[2, 2, 2, 3, 3, 4, 5]);
        let mut settings = settings(&mut random, nodes);
        let clocks = (0..nodes).map(|_| clock(&mut random)).collect();
        // streams of their own: seeds keep the meaning that they had before there were these
        let more = Random::new(seed ^ 0x006b_6572_6e65_6c73);
        let mut late = Random::new(seed ^ 0x7472_6163_6b65_7273);
        sign_and_track(&mut late, &mut settings);
        promote(&mut Random::new(seed ^ 0x7072_6f6d_6f74_6573), &mut settings);
        delay(&mut Random::new(seed ^ 0x0000_6465_6c61_7973), &mut settings);
        track_others(&mut Random::new(seed ^ 0x0066_696c_6573), &mut settings);
        let scenario = Author {
            random,
            more,
            late,
            others: Random::new(seed ^ 0x0000_6f74_6865_7273),
            deluges: Some(Random::new(seed ^ 0x6465_6c75_6765))
                .filter(|_| Random::new(seed ^ 0x0066_6c6f_6f64).percent(12)),
            nodes,
            settings: settings.clone(),
            now: Moment::START,
            plan: Vec::new(),
            readdressed: false,
        }
        .write(seed, settings, clocks);
        scenario.with_virtual_macs(&mut Random::new(seed ^ 0x0076_6d61_6373))
    }

    /// In some worlds some of the virtual routers have a virtual MAC.
    fn with_virtual_macs(mut self, random: &mut Random) -> Self {
        if !random.percent(30) {
            return self;
        }
        let reloads = self.plan.iter_mut().filter_map(|(_, what)| match what {
            Disturbance::Reload(_, setting) => Some(&mut **setting),
            _ => None, // only a reload brings another setting
        });
        let mut all: Vec<&mut Setting> = self.settings.iter_mut().chain(reloads).collect();
        let count = all.first().map_or(0, |setting| setting.instances.len());
        for id in (0..count).filter(|_| random.percent(60)) {
            for instance in all.iter_mut().filter_map(|setting| setting.instances.get_mut(id)) {
                instance.vmac = !instance.unicast;
            }
        }
        self
    }

    /// Settings and plan as given; for tests that know what they want.
    pub fn with(seed: u64, settings: Vec<Setting>, plan: Vec<(Moment, Disturbance)>, end: Moment) -> Self {
        let mut random = Random::new(seed);
        let clocks = settings.iter().map(|_| clock(&mut random)).collect();
        let units = units(&settings, &plan);
        Self { seed, settings, clocks, plan, units, end }
    }
}

fn clock(random: &mut Random) -> Clock {
    let most = MOST_PPM.unsigned_abs();
    let ppm = i64::try_from(random.between(0, 2 * most)).expect("a thousand") - MOST_PPM;
    Clock::new(random.between(1, 1_000_000) * 1_000_000, ppm)
}

/// Virtual routers that change hands together.
fn units(settings: &[Setting], plan: &[(Moment, Disturbance)]) -> Vec<Bounds> {
    let reloads = plan.iter().filter_map(|(_, what)| match what {
        Disturbance::Reload(_, setting) => Some(setting.as_ref()),
        _ => None, // only a reload brings another setting
    });
    let all: Vec<&Setting> = settings.iter().chain(reloads).collect();
    let first = settings.first().expect("a world has routers");
    let mut units: Vec<Vec<VirtualId>> = Vec::new();
    let mut group = Vec::new();
    for (id, instance) in first.instances.iter().enumerate() {
        if instance.grouped { group.push(id) } else { units.push(vec![id]) }
    }
    units.extend((!group.is_empty()).then_some(group));
    let of = |members: Vec<VirtualId>| {
        let instances =
            all.iter().flat_map(|setting| members.iter().filter_map(|member| setting.instances.get(*member)));
        let detection = first.bfd.map(BfdTimes::detection).unwrap_or_default();
        Bounds::of(members.clone(), instances).and(detection)
    };
    units.into_iter().map(of).collect()
}

/// What holds for a virtual router on every router.
fn settings(random: &mut Random, nodes: usize) -> Vec<Setting> {
    let base = random.pick(&[1, 2, 5, 10, 20, 50, 100, 100, 100, 200]);
    let count = random.pick(&[1, 1, 1, 2, 2, 3, 4]);
    let grouped = count > 1 && random.percent(40);
    let yields = random.percent(20);
    let mut all =
        vec![Setting { instances: Vec::new(), yields_lost_addresses: yields, bfd: None, delays: None }; nodes];
    // one order of priorities for all members of a group: with opposite ones neither router can have its way, and two
    // that leave for each other at the same moment also come back at the same moment, for ever
    let shared = ranks(random, nodes);
    for id in 0..count {
        let ranks = if grouped { shared.clone() } else { ranks(random, nodes) };
        let common = common(random, id, base, grouped);
        for (setting, rank) in all.iter_mut().zip(ranks) {
            setting.instances.push(Instance { priority: rank.priority, preempt: rank.preempt, ..common.clone() });
        }
        // version 3 lets each router have its own interval; version 2 refuses another than its own
        if common.version == 3 && !grouped && random.percent(15) {
            for setting in &mut all {
                let interval = base * random.pick(&[1, 1, 2]);
                if let Some(instance) = setting.instances.last_mut() {
                    instance.interval = interval;
                }
            }
        }
    }
    all
}

#[derive(Clone)]
struct Rank {
    priority: u8,
    preempt: Preempt,
}

fn ranks(random: &mut Random, nodes: usize) -> Vec<Rank> {
    let equal = random.percent(15);
    let one_preempt = random.percent(50).then(|| preempt(random));
    let common = priority(random);
    let owner = random.percent(10).then(|| random.index(nodes));
    let ranks = (0..nodes).map(|node| Rank {
        priority: if owner == Some(node) {
            u8::MAX
        } else if equal {
            common
        } else {
            priority(random)
        },
        preempt: one_preempt.unwrap_or_else(|| preempt(random)),
    });
    // keepalived ignores these for an owner
    ranks.map(|rank| if rank.priority == u8::MAX { Rank { preempt: Preempt::Yes, ..rank } } else { rank }).collect()
}

fn priority(random: &mut Random) -> u8 {
    u8::try_from(random.between(1, 254)).expect("below 255")
}

fn preempt(random: &mut Random) -> Preempt {
    match random.below(10) {
        0..5 => Preempt::Yes,
        5..8 => Preempt::No,
        _ => Preempt::After(random.between(1, 30)),
    }
}

fn common(random: &mut Random, id: VirtualId, base: u64, grouped: bool) -> Instance {
    let version = if base >= 100 && random.percent(40) { 2 } else { 3 };
    let family = if random.percent(60) { Family::V4 } else { Family::V6 };
    let vrid = u8::try_from(id + 1).expect("few virtual routers");
    let addresses = (1..=random.pick(&[1, 1, 2, 3])).map(|number| address(vrid, family, number)).collect();
    let password = version == 2 && family == Family::V4 && random.percent(50);
    Instance {
        vrid,
        segment: random.pick(&Segment::ALL),
        version,
        family,
        unicast: random.percent(40),
        password: password.then_some("secret"),
        signs: false,
        vmac: false,
        grouped,
        priority: 1,
        interval: base * random.pick(&[1, 1, 1, 2]),
        // with 1, the margin for jitter is the skew alone, and a high priority has next to none
        down_adverts: random.pick(&[2, 3, 3, 3, 3, 4, 5]),
        preempt: Preempt::Yes,
        lower_prio_no_advert: random.percent(20),
        higher_prio_send_advert: random.percent(20),
        refresh: random.pick(&[0, 0, 1, 3]),
        addresses,
        absent: false,
        tracks: Vec::new(),
        promoted: false,
        fault: false,
    }
}

/// In some worlds BFD runs beside VRRP, and some of the virtual routers do not wait for a master that it has lost.
fn promote(random: &mut Random, settings: &mut [Setting]) {
    // control packets are most of what happens in such a world: few of them
    if !random.percent(12) {
        return;
    }
    let times = BfdTimes { interval: random.pick(&[30, 100, 300]), multiplier: random.pick(&[2, 3, 3, 5]) };
    let count = settings.first().map_or(0, |setting| setting.instances.len());
    let promoted: Vec<bool> = (0..count).map(|_| random.percent(70)).collect();
    if promoted.contains(&true) {
        for setting in settings {
            setting.bfd = Some(times);
            setting.instances.iter_mut().zip(&promoted).for_each(|(instance, promoted)| instance.promoted = *promoted);
        }
    }
}

/// Some virtual routers sign their adverts, and some track scripts.
fn sign_and_track(random: &mut Random, settings: &mut [Setting]) {
    let count = settings.first().map_or(0, |setting| setting.instances.len());
    for id in 0..count {
        let (signs, tracks) = (random.percent(25), random.percent(35));
        let track =
            |tracker, random: &mut Random| Track { tracker, weight: random.pick(&[0, 0, 2, 100, -2, -100, 250]) };
        let tracked: Vec<Track> = (0..SCRIPTS).filter(|_| tracks).map(|tracker| track(tracker, random)).collect();
        for setting in settings.iter_mut() {
            let Some(instance) = setting.instances.get_mut(id) else { continue };
            instance.signs = signs && instance.password.is_none();
            // keepalived ignores what an owner tracks; members of a group need one order of priorities
            let is_owner = instance.priority == u8::MAX;
            let may = |track: &&Track| !is_owner && (track.weight == 0 || !instance.grouped);
            instance.tracks = tracked.iter().filter(may).copied().collect();
        }
    }
}

/// In some worlds an interface that comes or goes counts only once that has lasted.
fn delay(random: &mut Random, settings: &mut [Setting]) {
    if random.percent(15) {
        let delays = LinkDelays { down: random.pick(&[0, 5, 50, 200]), up: random.pick(&[0, 5, 50, 200]) };
        settings.iter_mut().for_each(|setting| setting.delays = Some(delays));
    }
}

/// Some track files, processes or probes, too.
fn track_others(random: &mut Random, settings: &mut [Setting]) {
    let count = settings.first().map_or(0, |setting| setting.instances.len());
    for id in 0..count {
        for tracker in SCRIPTS..TRACKERS.len() {
            if !random.percent(15) {
                continue;
            }
            let weight = random.pick(&[0, 0, 2, 100, -2, -100, 250]);
            for instance in settings.iter_mut().filter_map(|setting| setting.instances.get_mut(id)) {
                if instance.priority != u8::MAX && (weight == 0 || !instance.grouped) {
                    instance.tracks.push(Track { tracker, weight });
                }
            }
        }
    }
}

/// An address that only virtual routers have.
pub fn address(vrid: u8, family: Family, number: u16) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(198, 18, vrid, u8::try_from(number).expect("few addresses"))),
        // RFC 9568 §5.2.9: the first is link-local
        Family::V6 if number == 1 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x5d, u16::from(vrid))),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, u16::from(vrid), 0, 0, 0, number)),
    }
}

/// Whether [`address`] gives it.
pub fn is_virtual(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets().starts_with(&[198, 18]),
        IpAddr::V6(address) => {
            let [first, .., group, _] = address.segments();
            first == 0x2001 || group == 0x5d
        }
    }
}

/// Writes a plan: routers start; then, a few times, trouble and a time of rest that is long enough for every promise.
struct Author {
    random: Random,
    /// For kernels that refuse, and strangers.
    more: Random,
    /// For trackers.
    late: Random,
    /// For trackers that are no scripts.
    others: Random,
    /// For floods that never drain, in worlds that have them.
    deluges: Option<Random>,
    nodes: usize,
    settings: Vec<Setting>,
    now: Moment,
    plan: Vec<(Moment, Disturbance)>,
    /// At most once a trouble: who reloads first is chance, and all must end with the same.
    readdressed: bool,
}

impl Author {
    fn write(mut self, seed: u64, settings: Vec<Setting>, clocks: Vec<Clock>) -> Scenario {
        let unit = self.longest_interval();
        for node in 0..self.nodes {
            let at = self.now + self.random.duration(unit * 2);
            self.plan.push((at, Disturbance::Start(node)));
        }
        self.now = self.now + unit * 2;
        for _ in 0..self.random.between(1, 3) {
            self.rest();
            self.trouble(unit);
        }
        self.rest();
        self.plan.sort_by_key(|(at, _)| *at);
        let units = units(&settings, &self.plan);
        Scenario { seed, settings, clocks, plan: self.plan, units, end: self.now }
    }

    fn longest_interval(&self) -> Duration {
        let instances = self.settings.iter().flat_map(|setting| &setting.instances);
        instances.map(Instance::advert_interval).max().unwrap_or_default()
    }

    /// Until everything must have settled, and then a little longer.
    fn rest(&mut self) {
        let settled = units(&self.settings, &self.plan).iter().map(|unit| unit.settled).max().unwrap_or_default();
        let delays = self.settings.iter().filter_map(|setting| setting.delays).map(LinkDelays::longest).max();
        let flood = if self.deluges.is_some() { FLOOD } else { Duration::ZERO };
        self.now = self.now + settled + self.longest_interval() * 3 + delays.unwrap_or_default() + flood;
    }

    fn trouble(&mut self, unit: Duration) {
        self.readdressed = false;
        let from = self.now;
        let window = unit * u32::try_from(self.random.between(1, 8)).expect("up to 8");
        let mut until = from + window;
        for _ in 0..self.random.between(1, 4) {
            let at = from + self.random.duration(window);
            let shortly = self.random.duration(unit / 2);
            let a_while = self.random.duration(unit * 6);
            let lasting = if self.random.percent(40) { shortly } else { a_while };
            until = until.max(at + lasting);
            self.one(at, at + lasting);
        }
        for _ in 0..self.late.between(0, 3) {
            let at = from + self.late.duration(until.since(from));
            let (node, tracker) = (self.late.index(self.nodes), self.late.index(SCRIPTS));
            self.plan.push((at, Disturbance::Track(node, tracker, self.late.percent(50))));
        }
        let is_other = |track: &Track| track.tracker >= SCRIPTS;
        let tracks_others =
            self.settings.iter().flat_map(|setting| &setting.instances).any(|it| it.tracks.iter().any(is_other));
        for _ in 0..if tracks_others { self.others.between(0, 3) } else { 0 } {
            let at = from + self.others.duration(until.since(from));
            let tracker = SCRIPTS + self.others.index(TRACKERS.len() - SCRIPTS);
            self.plan.push((at, Disturbance::Track(self.others.index(self.nodes), tracker, self.others.percent(50))));
        }
        for _ in 0..self.more.between(0, 2) {
            let at = from + self.more.duration(until.since(from));
            let end = at + self.more.duration(until.since(at));
            self.kernel_or_stranger(at, end);
        }
        if let Some(random) = &mut self.deluges {
            for _ in 0..random.between(0, 2) {
                let at = from + random.duration(until.since(from));
                let (node, lasts) = (random.index(self.nodes), random.pick(&[300, 1_500, 4_000]));
                self.plan.push((at, Disturbance::Deluge(node)));
                self.plan.push((at + Duration::from_millis(lasts), Disturbance::Ebb(node)));
            }
        }
        self.now = until;
    }

    /// A kernel that refuses, a process that stays dead, or a stranger, from `at` to `until`.
    fn kernel_or_stranger(&mut self, at: Moment, until: Moment) {
        let node = self.more.index(self.nodes);
        let segment = self.more.pick(&Segment::ALL);
        let which = self.more.index(self.settings.first().map_or(0, |setting| setting.instances.len()));
        let for_ever = self.more.percent(20);
        let (begin, end) = match self.more.below(100) {
            0..25 => (Disturbance::Refuse(node, which), (!for_ever).then_some(Disturbance::Grant(node, which))),
            25..45 => (Disturbance::Unlink(node, segment), Some(Disturbance::Relink(node, segment))),
            45..60 => (Disturbance::Mute(node), Some(Disturbance::Unmute(node))),
            60..75 => (Disturbance::KillWorker(node), Some(Disturbance::Respawn(node))),
            _ => {
                let many = self.more.pick(&[1, 20, 500, 3_000]);
                (Disturbance::Flood(node, segment, many), None)
            }
        };
        self.plan.push((at, begin));
        self.plan.extend(end.map(|end| (until, end)));
    }

    /// One disturbance at `at`; what has an end ends at `until`, unless it is to last until after the next rest.
    fn one(&mut self, at: Moment, until: Moment) {
        let node = self.random.index(self.nodes);
        let segment = self.random.pick(&Segment::ALL);
        let virtuals = self.settings.first().map_or(0, |setting| setting.instances.len());
        let (begin, end) = match self.random.below(100) {
            0..8 => (Disturbance::PowerCut(node), Some(Disturbance::Start(node))),
            8..14 => (Disturbance::Kill(node), Some(Disturbance::Start(node))),
            14..24 => {
                let soon = at + self.random.duration(Duration::from_millis(100));
                self.plan.push((soon, Disturbance::Respawn(node)));
                (Disturbance::KillWorker(node), None)
            }
            24..30 => (Disturbance::Stop(node), Some(Disturbance::Start(node))),
            30..42 => (Disturbance::Pause(node), Some(Disturbance::Resume(node))),
            42..50 => (Disturbance::Pull(node, segment), Some(Disturbance::Plug(node, segment))),
            50..55 => (Disturbance::DeleteAddress(node, self.random.index(virtuals)), None),
            55..58 => (Disturbance::Overrun(node), None),
            58..60 => (Disturbance::Churn(node, self.random.pick(&[10, 250])), None),
            60..66 => return self.split(at, until),
            66..70 => {
                let other = self.random.index(self.nodes);
                (Disturbance::Cut(node, other), Some(Disturbance::Heal(node, other)))
            }
            70..80 => {
                // it always ends: nothing can be promised while packets are lost
                self.plan.push((until, Disturbance::Weather(Weather::FAIR)));
                (Disturbance::Weather(self.weather()), None)
            }
            80..86 => {
                let room = usize::try_from(self.random.between(0, 3)).expect("up to 3");
                self.plan.push((at, Disturbance::Pause(node)));
                self.plan.push((until, Disturbance::Resume(node)));
                self.plan.push((until, Disturbance::Buffer(node, None)));
                (Disturbance::Buffer(node, Some(room)), None)
            }
            86..94 => (self.reload(node), None),
            _ if !self.readdressed => return self.readdress(at),
            _ => (Disturbance::Overrun(node), None),
        };
        self.plan.push((at, begin));
        if let Some(end) = end {
            let lasts = self.random.percent(15);
            self.plan.push((if lasts { until + Duration::from_secs(3) } else { until }, end));
        }
    }

    fn weather(&mut self) -> Weather {
        Weather {
            loss: self.random.pick(&[0, 5, 20, 50, 90]),
            duplication: self.random.pick(&[0, 0, 10, 50]),
            delay: self.random.pick(&[Duration::ZERO, Duration::from_millis(5), self.longest_interval() * 3 / 2]),
        }
    }

    /// Some of the routers do not hear the others, nor the others them.
    fn split(&mut self, at: Moment, until: Moment) {
        let sides: Vec<bool> = (0..self.nodes).map(|_| self.random.percent(50)).collect();
        for (from, side) in sides.iter().enumerate() {
            for (to, other) in sides.iter().enumerate() {
                if side != other {
                    self.plan.push((at, Disturbance::Cut(from, to)));
                    self.plan.push((until, Disturbance::Heal(from, to)));
                }
            }
        }
    }

    fn reload(&mut self, node: NodeId) -> Disturbance {
        let change = self.random.below(4);
        let which = self.random.index(self.settings.first().map_or(0, |setting| setting.instances.len()));
        let new = priority(&mut self.random);
        let factor = self.random.pick(&[1, 2]);
        let setting = self.settings.get_mut(node).expect("one of the routers");
        let grouped = setting.instances.iter().any(|instance| instance.grouped);
        for (id, instance) in setting.instances.iter_mut().enumerate() {
            match change {
                0 => {}
                // a group keeps its members
                3 if id == which && !instance.grouped => instance.absent = !instance.absent,
                // all instances: a group keeps one order; an owner stays one, so that there are not two
                1 if instance.priority != u8::MAX => instance.priority = new,
                2 if instance.version == 3 && !grouped => instance.interval = (instance.interval * factor).min(200),
                _ => {}
            }
        }
        Disturbance::Reload(node, Box::new(setting.clone()))
    }

    /// Addresses move between instances, or come, or go; on every router, one after the other.
    fn readdress(&mut self, at: Moment) {
        self.readdressed = true;
        let first = self.settings.first().expect("a world has routers");
        let mut lists: Vec<Vec<IpAddr>> = first.instances.iter().map(|instance| instance.addresses.clone()).collect();
        let families: Vec<(u8, Family)> =
            first.instances.iter().map(|instance| (instance.vrid, instance.family)).collect();
        let (from, to) = (self.random.index(lists.len()), self.random.index(lists.len()));
        let may_move = families.get(from).map(|of| of.1) == families.get(to).map(|of| of.1)
            && lists.get(from).is_some_and(|list| list.len() > 1);
        if from != to && may_move {
            let moved = lists.get_mut(from).and_then(Vec::pop);
            if let Some(list) = lists.get_mut(to) {
                list.extend(moved);
            }
        } else if let (Some(list), Some((vrid, family))) = (lists.get_mut(from), families.get(from)) {
            let number = u16::try_from(self.random.between(4, 200)).expect("up to 200");
            let new = address(*vrid, *family, number);
            if list.len() > 1 && self.random.percent(50) {
                list.pop();
            } else if !list.contains(&new) {
                list.push(new);
            }
        }
        for node in 0..self.nodes {
            let shortly = self.random.duration(Duration::from_millis(50));
            self.plan.push((at + shortly, Disturbance::Readdress(node, lists.clone())));
        }
        for setting in &mut self.settings {
            for (instance, list) in setting.instances.iter_mut().zip(&lists) {
                instance.addresses.clone_from(list);
            }
        }
    }
}
