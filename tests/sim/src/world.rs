//! Routers, the network between them, one clock over all, and what happens in order.

mod sessions;

use std::fmt;
use std::net::IpAddr;
use std::ops::Add;
use std::time::Duration;

use keepalived_core::network::LinkIndex;
use keepalived_core::vrrp::State;
use keepalived_core::vrrp::duplicate::frame::probed;
use keepalived_kernel::fake::{ReceivedAdvert, SentAdvert, SentFrame};

use crate::bounds::{Bounds, DELAY, FLOOD, LATENESS, TURN};
use crate::clock::{Moment, stretched};
use crate::disturbance::{Disturbance, Weather};
use crate::invariant::{Broken, Invariant, Violation};
use crate::medium::{self, Medium, Said};
use crate::node::{ControlSent, Deeds, Node, Pace};
use crate::queue::Queue;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::setting::{Family, Instance, LinkDelays, NodeId, Segment, VirtualId};
use crate::trace::Trace;
use crate::watch::Watch;

/// A run.
#[derive(Debug)]
pub struct World {
    seed: u64,
    now: Moment,
    end: Moment,
    /// The routers.
    nodes: Vec<Node>,
    medium: Medium,
    random: Random,
    /// How long kernels take.
    kernel: Random,
    pace: Pace,
    watch: Watch,
    trace: Trace,
    queue: Queue<Event>,
    statistics: Statistics,
    /// Something that a router has sent, for strangers to imitate.
    overheard: Option<(Segment, SentAdvert)>,
    planted: Option<Planted>,
    /// The dice of BFD: others keep falling as they did before there was any.
    random_control: Random,
    dead_paths: sessions::DeadPaths,
    /// Until then packets arrive that left in worse weather.
    late_until: Moment,
}

/// How much happened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Statistics {
    /// Things that happened.
    pub events: usize,
    /// Times that a router became master.
    pub takeovers: usize,
    /// Adverts sent.
    pub adverts: usize,
    /// Times that an address was said to be on another machine, too.
    pub duplicates: usize,
    /// Time that passed in the world.
    pub time: Duration,
}

impl Add for Statistics {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            takeovers: self.takeovers + other.takeovers,
            adverts: self.adverts + other.adverts,
            duplicates: self.duplicates + other.duplicates,
            time: self.time + other.time,
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, takeovers, adverts, duplicates, time } = self;
        write!(
            f,
            "{:.1} h of virtual time, {events} events, {adverts} adverts, {takeovers} takeovers, {duplicates} duplicates",
            time.as_secs_f64() / 3600.0
        )
    }
}

/// A fault that is planted to see whether the watch finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// No supervisor removes what a dead vrrp process has left.
    NoSweep,
    /// No farewell leaves a router that stops.
    NoFarewell,
    /// No announcement leaves a router.
    NoAnnouncement,
    /// A stranger answers each probe.
    Stranger,
    /// BFD sessions take all silence for their own.
    PatientSessions,
    /// Routers do nothing else while packets wait to be read.
    ReadsAll,
    /// What engines show changes, and their followers do not hear all of it.
    LostChanges,
}

#[derive(Debug)]
enum Event {
    Happens(Disturbance),
    Arrives {
        from: NodeId,
        to: NodeId,
        segment: Segment,
        advert: Box<ReceivedAdvert>,
        said: Option<Said>,
    },
    /// A router hears from another one that has an address.
    Claimed {
        to: NodeId,
        segment: Segment,
        octets: Vec<u8>,
    },
    /// Nothing passes any more, and the watch does not know.
    Fails(NodeId, NodeId),
    /// The supervisor of a dead vrrp process looks after its addresses.
    Sweep(NodeId),
    /// A router is scheduled, if this is still the plan.
    Turn(NodeId),
    /// A kernel carries out what it was asked for under this number.
    CarriesOut(NodeId, u64),
    /// What came of it reaches the process that asked.
    Answers(NodeId, u64),
    /// A bfd process is scheduled, if this is still the plan.
    ControlTurn(NodeId),
    /// A control packet of BFD reaches a router.
    ControlArrives {
        to: NodeId,
        segment: Segment,
        packet: ControlSent,
    },
}

/// How long kernels take for an order at most, so that every kind of world has them quick and slow: a moment is shorter
/// than a handover, and seconds are longer than most masters are silent.
fn slowness(seed: u64) -> Duration {
    match seed % 8 {
        1 => Duration::from_micros(300),
        3 | 4 => Duration::from_millis(30),
        5 => Duration::from_secs(2),
        _ => Duration::ZERO,
    }
}

impl World {
    /// The world of `scenario` before anything has happened.
    pub fn new(scenario: Scenario, trace: Trace) -> Self {
        let Scenario { seed, settings, clocks, plan, units, end } = scenario;
        let count = settings.len();
        let nodes: Vec<Node> = settings
            .into_iter()
            .zip(clocks)
            .enumerate()
            .map(|(id, (setting, clock))| Node::new(id, count, setting, clock))
            .map(|mut node| {
                node.slow_down(slowness(seed));
                node
            })
            .collect();
        // what an interface does counts later, by so much
        let delays = nodes.iter().filter_map(|node| node.setting.delays).map(LinkDelays::longest).max();
        let slack = nodes.first().map(Node::slack).unwrap_or_default() + stretched(delays.unwrap_or_default());
        let deluges = plan.iter().any(|(_, what)| matches!(what, Disturbance::Deluge(_)));
        // what has arrived is read a turn later
        let lag = if deluges { TURN * 3 } else { Duration::ZERO };
        let slack = slack + lag + if deluges { stretched(FLOOD) } else { Duration::ZERO };
        let mut world = Self {
            seed,
            now: Moment::START,
            end,
            nodes,
            medium: Medium::default(),
            random: Random::new(seed ^ 0x006e_6574_776f_726b),
            kernel: Random::new(seed ^ 0x6b65_726e_656c),
            pace: if seed.is_multiple_of(2) { Pace::Instant } else { Pace::Slow },
            watch: Watch::new(units, count, slack, lag),
            trace,
            queue: Queue::default(),
            statistics: Statistics::default(),
            overheard: None,
            planted: None,
            random_control: Random::new(seed ^ 0x0063_6f6e_7472_6f6c),
            dead_paths: sessions::DeadPaths::new(),
            late_until: Moment::START,
        };
        for node in 0..world.nodes.len() {
            let node = world.node(node);
            let line = format!("clock {:+} ppm, {:?}", node.clock.ppm(), node.setting);
            world.trace.note(Moment::START, || line);
        }
        for (at, disturbance) in plan {
            world.plan(at, Event::Happens(disturbance));
        }
        world
    }

    /// Plants a fault: packets stop passing at `at`, and the watch takes the network for whole.
    pub fn cut_unnoticed(&mut self, at: Moment, from: NodeId, to: NodeId) {
        self.plan(at, Event::Fails(from, to));
    }

    /// Plants a fault in all routers.
    pub fn plant(&mut self, fault: Planted) {
        self.planted = Some(fault);
        for node in &mut self.nodes {
            node.follower.loses = fault == Planted::LostChanges;
        }
    }

    /// Runs it to its end, or to the first promise that is not kept.
    pub fn run(mut self) -> (Result<Statistics, Box<Violation>>, Trace) {
        let result = self.run_all();
        let (seed, at) = (self.seed, self.now);
        let statistics = Statistics { time: at.since(Moment::START), ..self.statistics };
        (
            result
                .map(|()| statistics)
                .map_err(|(invariant, detail)| Box::new(Violation { invariant, seed, at, detail })),
            self.trace,
        )
    }

    fn run_all(&mut self) -> Result<(), Broken> {
        while let Some((at, event)) = self.queue.pop() {
            if at > self.end {
                break;
            }
            self.now = at;
            self.statistics.events += 1;
            self.watch.stand(at, &self.nodes)?;
            self.judge_sessions()?;
            match event {
                Event::Happens(disturbance) => self.happen(disturbance)?,
                Event::Arrives { from, to, segment, advert, said } => {
                    self.arrive(from, to, segment, *advert, said);
                }
                Event::Claimed { to, segment, octets } => {
                    if self.node(to).is_plugged(segment) {
                        self.node_mut(to).say(segment, &octets);
                        self.schedule(to, at);
                    }
                }
                Event::Turn(node) => {
                    let current = self.node(node).next_turn == Some(at);
                    if current && !self.node(node).paused {
                        self.turn(node)?;
                    }
                }
                Event::Sweep(node) => {
                    self.node_mut(node).sweep(at);
                }
                Event::CarriesOut(node, number) => {
                    self.node_mut(node).carry_out(at, number);
                    self.schedule(node, at);
                }
                Event::Answers(node, number) => {
                    self.node_mut(node).let_answer(number);
                    self.schedule(node, at);
                }
                Event::Fails(from, to) => self.medium.fail(from, to),
                Event::ControlTurn(node) => {
                    let current = self.node(node).next_control == Some(at);
                    if current && !self.node(node).paused {
                        self.control_turn(node);
                    }
                }
                Event::ControlArrives { to, segment, packet } => self.control_arrives(to, segment, &packet),
            }
        }
        self.now = self.end;
        self.watch.stand(self.now, &self.nodes)
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id).expect("one of the routers")
    }

    /// A router, for a fault to be planted.
    ///
    /// # Panics
    /// There is none of that number.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(id).expect("one of the routers")
    }

    fn plan(&mut self, at: Moment, event: Event) {
        self.queue.plan(at, event);
    }

    /// Has `id` scheduled shortly after `at`, if that is not to happen earlier anyway.
    fn schedule(&mut self, id: NodeId, at: Moment) {
        let at = at.max(self.now) + self.random.duration(LATENESS);
        let now = self.now;
        let node = self.node_mut(id);
        // who has more to read than it can has its next turn when this one is over
        let is_busy = node.deluged_for(now).is_some() && node.next_turn.is_some();
        if !node.is_up() || node.paused || is_busy || node.next_turn.is_some_and(|next| next <= at) {
            return;
        }
        node.next_turn = Some(at);
        self.plan(at, Event::Turn(id));
    }

    fn turn(&mut self, id: NodeId) -> Result<(), Broken> {
        let (now, pace) = (self.now, self.pace);
        let announces = self.planted != Some(Planted::NoAnnouncement);
        let reads_all = self.planted == Some(Planted::ReadsAll);
        let node = self.node_mut(id);
        let is_deluged = node.deluged_for(now).is_some();
        node.next_turn = None;
        if is_deluged && reads_all {
            self.node_mut(id).next_turn = Some(now + TURN);
            self.plan(now + TURN, Event::Turn(id));
            return Ok(());
        }
        let node = self.node_mut(id);
        let deeds = node.turn(now, pace, announces);
        if deeds.restless {
            return Err((Invariant::Rests, format!("router {id} wants to be woken at once, again and again")));
        }
        if let Some(misled) = deeds.misled {
            return Err((Invariant::Followed, format!("router {id}: {misled}")));
        }
        self.account(id, &deeds);
        if let Some(number) = deeds.order {
            let most = slowness(self.seed);
            let done = now + self.kernel.duration(most);
            let heard = done + self.kernel.duration(most);
            self.plan(done, Event::CarriesOut(id, number));
            self.plan(heard, Event::Answers(id, number));
        }
        self.watch.did(now, id, &deeds, &self.nodes, &self.medium)?;
        if deeds.busy {
            let longest = if is_deluged { TURN } else { LATENESS };
            let at = now + longest / 10 + self.random.duration(longest - longest / 10);
            self.node_mut(id).next_turn = Some(at);
            self.plan(at, Event::Turn(id));
        } else if let Some(wake) = deeds.wake {
            self.schedule(id, wake);
        }
        self.send(id, deeds.sent)?;
        self.ask(id, &deeds.probed);
        Ok(())
    }

    /// Probes reach the kernels of the other routers: those that have the address say so, even if no process runs.
    fn ask(&mut self, from: NodeId, probes: &[SentFrame]) {
        for probe in probes {
            let (Some(address), Some(segment)) = (probed(&probe.octets), self.node_mut(from).segment(probe.link))
            else {
                continue;
            };
            let hear_each_other = |to| self.medium.carries(from, to) && self.medium.carries(to, from);
            let plugged = |to| self.node(to).is_plugged(segment);
            let holders: Vec<NodeId> = (0..self.nodes.len())
                .filter(|to| {
                    *to != from && plugged(from) && plugged(*to) && hear_each_other(*to) && self.node(*to).has(address)
                })
                .collect();
            self.trace.note(self.now, || format!("router {from}: probe for {address}, answered by {holders:?}"));
            let stranger = (self.planted == Some(Planted::Stranger)).then_some(self.nodes.len());
            for holder in holders.into_iter().chain(stranger) {
                let octets = medium::claim(holder, address);
                self.plan(self.now + DELAY, Event::Claimed { to: from, segment, octets });
            }
        }
    }

    fn account(&mut self, id: NodeId, deeds: &Deeds) {
        let now = self.now;
        self.statistics.adverts += deeds.sent.len();
        self.statistics.duplicates += deeds.duplicates.len();
        let masters = deeds.transitions.iter().filter(|(_, transition)| transition.to.number() == 2);
        self.statistics.takeovers += masters.count();
        for remark in &deeds.remarks {
            self.trace.note(now, || format!("router {id}: {remark}"));
        }
        if deeds.announced > 0 {
            self.trace.note(now, || format!("router {id}: {} announcements", deeds.announced));
        }
    }

    fn send(&mut self, from: NodeId, sent: Vec<SentAdvert>) -> Result<(), Broken> {
        let now = self.now;
        for advert in sent {
            let said = medium::said(&advert.octets, advert.source);
            let segment = advert.channel.link.and_then(|link| self.node_mut(from).segment(link));
            let Some(segment) = segment else { continue };
            let to = medium::recipients(&advert, segment, from, self.nodes.len());
            if let Some(said) = said {
                let to = if to.len() == 1 { format!(" for {to:?}") } else { String::new() };
                self.trace.note(now, || format!("router {from}: advert {} of VRID {}{to}", said.priority, said.vrid));
                Watch::advertised(now, self.node_mut(from), said, advert.channel.link)?;
            }
            if !self.node(from).is_plugged(segment) {
                continue;
            }
            self.overheard = Some((segment, advert.clone()));
            for to in to {
                if !self.medium.carries(from, to) {
                    continue;
                }
                let copies = self.medium.copies(&mut self.random);
                if copies.is_empty() {
                    self.trace.note(now, || format!("    lost on its way to router {to}"));
                }
                for delay in copies {
                    let received = ReceivedAdvert {
                        link: LinkIndex(segment.link()),
                        source: advert.source,
                        destination: advert.destination,
                        ttl: advert.hop_limit,
                        received: keepalived_core::time::Instant::ZERO,
                        octets: advert.octets.clone(),
                    };
                    let advert = Box::new(received);
                    self.plan(now + delay, Event::Arrives { from, to, segment, advert, said });
                }
            }
        }
        Ok(())
    }

    fn arrive(&mut self, from: NodeId, to: NodeId, segment: Segment, mut advert: ReceivedAdvert, said: Option<Said>) {
        let now = self.now;
        let instances = &self.node(from).setting.instances;
        let terms =
            said.and_then(|said| instances.iter().find(|instance| instance.vrid == said.vrid)).map(Instance::terms);
        let node = self.node_mut(to);
        if !node.is_plugged(segment) || !node.is_up() {
            return;
        }
        let received = node.clock.show(now);
        let source = advert.source;
        advert.received = received;
        let (waits, heard) = node.deliver(segment, advert, said.map(|said| said.vrid));
        if !waits {
            self.trace.note(now, || format!("    no room for it at router {to}"));
            return;
        }
        if let (true, Some(said), Some(terms)) = (heard, said, terms)
            && Watch::is_later(node, source, said)
        {
            Watch::heard(node, terms, said, received);
        }
        self.schedule(to, now);
    }

    fn happen(&mut self, disturbance: Disturbance) -> Result<(), Broken> {
        let (now, count) = (self.now, self.nodes.len());
        self.trace.note(now, || format!("== {disturbance}"));
        let mut unsettles = true;
        match disturbance.clone() {
            Disturbance::Start(id) | Disturbance::Respawn(id) => {
                if self.node(id).is_up() {
                    return Ok(());
                }
                let quiet = self.node_mut(id).start(now);
                self.schedule_control(id, now);
                self.turn(id)?;
                let changes = self.node_mut(id).changes();
                if quiet && (changes > 0 || self.node(id).asks_for_changes()) {
                    return Err((
                        Invariant::AdoptionIsQuiet,
                        format!("router {id} changed {changes} addresses when it was started again"),
                    ));
                }
            }
            Disturbance::Stop(id) => {
                if self.node(id).paused || !self.node(id).is_up() {
                    return Ok(());
                }
                let last_words = self.node_mut(id).stop_sessions(now);
                self.send_control(id, &last_words);
                let masters = self.masters_that_can_send(id);
                let mut deeds = self.node_mut(id).stop(now);
                self.account(id, &deeds);
                if self.planted == Some(Planted::NoFarewell) {
                    deeds.sent.clear();
                }
                let says = deeds.sent.iter().filter_map(|advert| medium::said(&advert.octets, advert.source));
                let farewells: Vec<u8> = says.filter(|said| said.priority == 0).map(|said| said.vrid).collect();
                if let Some(vrid) = masters.into_iter().find(|vrid| !farewells.contains(vrid)) {
                    let text = format!("router {id} stopped and was master of VRID {vrid}");
                    return Err((Invariant::Farewell, text));
                }
                self.send(id, deeds.sent)?;
                self.watch.stopped(now, self.node(id))?;
                Watch::left_links(self.node_mut(id))?;
            }
            Disturbance::PowerCut(id) => self.node_mut(id).cut_power(now),
            Disturbance::Kill(id) => self.node_mut(id).kill(now, false),
            Disturbance::KillWorker(id) => {
                self.node_mut(id).kill(now, true);
                let setting = &self.node(id).setting;
                let waits: Vec<_> = setting.instances.iter().map(|it| Bounds::abandoned(it, setting)).collect();
                if self.planted != Some(Planted::NoSweep) {
                    waits.into_iter().for_each(|wait| self.plan(now + wait, Event::Sweep(id)));
                }
            }
            Disturbance::Pause(id) => {
                if !self.node(id).is_up() {
                    return Ok(());
                }
                self.node_mut(id).paused = true;
            }
            Disturbance::Resume(id) => self.resume(id),
            Disturbance::Pull(id, segment) => self.plug(id, segment, false),
            Disturbance::Plug(id, segment) => self.plug(id, segment, true),
            Disturbance::DeleteAddress(id, which) => unsettles = self.delete(id, which),
            Disturbance::Overrun(id) => {
                unsettles = false;
                self.node_mut(id).overrun();
                self.schedule(id, now);
            }
            Disturbance::Churn(id, many) => {
                unsettles = false;
                self.node_mut(id).churn(many);
                self.schedule(id, now);
            }
            Disturbance::Refuse(id, which) | Disturbance::Grant(id, which) => {
                unsettles = false;
                let refuse = matches!(disturbance, Disturbance::Refuse(..));
                self.node_mut(id).refuse(now, which, refuse);
                self.schedule(id, now);
            }
            Disturbance::Unlink(id, segment) => {
                self.node_mut(id).unlink(now, segment);
                self.schedule(id, now);
            }
            Disturbance::Relink(id, segment) => {
                self.node_mut(id).relink(now, segment);
                // an advert that was due while there was no socket is not sent (seed 31294)
                self.excuse_silence(id);
                self.schedule(id, now);
            }
            Disturbance::Mute(id) | Disturbance::Unmute(id) => {
                let mute = disturbance == Disturbance::Mute(id);
                self.medium.set_mute(id, mute);
                self.node_mut(id).set_mute(mute);
                // what it tried to send meanwhile was not sent
                self.excuse_silence(id);
            }
            Disturbance::Flood(id, segment, many) => {
                unsettles = false;
                self.flood(id, segment, many);
            }
            Disturbance::Deluge(id) | Disturbance::Ebb(id) => {
                unsettles = false;
                self.schedule(id, now);
                self.node_mut(id).deluge(now, matches!(disturbance, Disturbance::Deluge(_)));
            }
            Disturbance::Cut(from, to) => self.medium.cut(from, to),
            Disturbance::Heal(from, to) => self.medium.heal(from, to),
            Disturbance::Weather(weather) => self.change_weather(weather),
            Disturbance::Buffer(id, room) => self.node_mut(id).limit(room),
            Disturbance::Reload(id, setting) => {
                if self.node(id).paused {
                    return Ok(());
                }
                let before = self.node(id).setting.clone();
                self.node_mut(id).reload(now, count, *setting);
                unsettles = before != self.node(id).setting;
                self.excuse_silence(id);
                self.schedule(id, now);
            }
            Disturbance::Track(id, tracker, succeeds) => {
                // a process that is not scheduled hears of it later, and no script runs without it
                if self.node(id).paused {
                    return Ok(());
                }
                unsettles = self.node_mut(id).track(now, tracker, succeeds);
                self.schedule(id, now);
            }
            Disturbance::Readdress(id, lists) => {
                unsettles = false;
                // an administrator repeats it once the router answers again
                if self.node(id).paused {
                    self.resume(id);
                    unsettles = true;
                }
                self.node_mut(id).readdress(now, count, &lists);
                self.schedule(id, now);
            }
        }
        self.watch.disturbed(now, &disturbance, unsettles, &self.nodes, &self.medium);
        Ok(())
    }

    /// VRIDs that a router is master of and can say farewell for.
    fn masters_that_can_send(&self, id: NodeId) -> Vec<u8> {
        let node = self.node(id);
        let pairs = node.views.iter().zip(&node.setting.instances);
        let masters = pairs.filter(|(view, instance)| {
            let sends = node.is_plugged(instance.segment) && !node.is_mute() && !view.without_sockets;
            view.state == State::Master && sends
        });
        masters.map(|(_, instance)| instance.vrid).collect()
    }

    /// A stranger's packets arrive, and no router believes one of them: a bit of an advert is wrong, or all of them
    /// are.
    fn flood(&mut self, id: NodeId, segment: Segment, many: u16) {
        let now = self.now;
        for _ in 0..many {
            let known = self.random.percent(50).then(|| self.overheard.clone()).flatten();
            let known = known.filter(|(on, _)| *on == segment);
            let (source, destination, mut octets) = match known {
                Some((_, advert)) => (advert.source, advert.destination, advert.octets),
                None => {
                    let octets = (0..self.random.between(0, 120)).map(|_| self.octet()).collect();
                    (segment.address(98, Family::V4), std::net::Ipv4Addr::new(224, 0, 0, 18).into(), octets)
                }
            };
            let header = if source.is_ipv4() { 20 } else { 0 };
            // what it has heard may come again as it was, if it is signed: its number shows it
            let again = self.random.percent(50) && self.knows(id, source, &octets);
            // one wrong bit of the message: its checksum shows it (RFC 1071)
            if let Some(message) = octets.get_mut(header..).filter(|message| !message.is_empty() && !again) {
                let place = self.random.index(message.len());
                let bit = self.random.below(8);
                if let Some(octet) = message.get_mut(place) {
                    *octet ^= 1_u8 << bit;
                }
            }
            let node = self.node_mut(id);
            if !node.is_plugged(segment) || !node.is_up() {
                return;
            }
            let received = node.clock.show(now);
            let link = node.link(segment);
            node.deliver(segment, ReceivedAdvert { link, source, destination, ttl: 255, received, octets }, None);
        }
        self.schedule(id, now);
    }

    /// Whether the process has heard this signed advert.
    fn knows(&self, id: NodeId, source: IpAddr, octets: &[u8]) -> bool {
        let said = medium::said(octets, source).filter(|said| said.number.is_some());
        said.is_some_and(|said| Watch::knows(self.node(id), source, said))
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.random.below(256)).expect("below 256")
    }

    fn resume(&mut self, id: NodeId) {
        let now = self.now;
        self.node_mut(id).resume(now);
        self.excuse_silence(id);
        self.schedule(id, now);
        self.schedule_control(id, now);
    }

    /// Its adverts must be punctual from now on.
    fn excuse_silence(&mut self, id: NodeId) {
        let now = self.now;
        for view in &mut self.node_mut(id).views {
            view.last_advert = now;
        }
    }

    fn plug(&mut self, id: NodeId, segment: Segment, plugged: bool) {
        let now = self.now;
        self.node_mut(id).plug(now, segment, plugged);
        self.schedule(id, now);
    }

    /// True if mastership may change because of it.
    fn delete(&mut self, id: NodeId, which: VirtualId) -> bool {
        let now = self.now;
        let deleted = self.node_mut(id).delete_address(now, which);
        self.schedule(id, now);
        deleted && self.node(id).setting.yields_lost_addresses
    }

    fn change_weather(&mut self, weather: Weather) {
        // what is under way arrives late
        let under_way = self.medium.weather.delay;
        self.medium.weather = weather;
        self.late_until = self.late_until.max(self.now + under_way);
        self.watch.late_packets(self.now + under_way);
    }
}
