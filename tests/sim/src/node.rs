//! One router: the engine that ships, on a kernel in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::{self as config, Config};
use keepalived_core::network::{Address, LinkIndex};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{State, Transition};
use keepalived_daemon::vrrp::{AtExit, Engine, Report, Was, remove_abandoned};
use keepalived_kernel::fake::{FakeNetwork, FakePackets, ReceivedAdvert, SentAdvert, SentFrame};
use keepalived_kernel::network::{Network, Refused};
use keepalived_state::VrrpView;

use crate::bounds::{Bounds, LATENESS};
use crate::clock::{Clock, Moment, stretched};
use crate::follower::Follower;
use crate::medium::announced;
use crate::scenario::is_virtual;
use crate::setting::{self, Family, NodeId, Segment, Setting, VirtualId, prefix};

mod kernel;

use kernel::{Asked, excuse_those_without_sockets};

/// An engine on a kernel in memory.
type FakeEngine = Engine<FakeNetwork, FakePackets>;

/// Rounds at one moment after which an engine counts as one that never rests.
const MOST_TURNS: usize = 2_000;
/// How long a master may be without an address that somebody took: the engine's pause in a fight over it.
const RESTORED: Duration = Duration::from_millis(1_100);

/// How long the engine may wait before it tries again what the kernel refused.
const RETRIED: Duration = Duration::from_secs(31);

/// One router.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    /// What it is set to.
    pub setting: Setting,
    config: Config,
    /// What it takes for the time.
    pub clock: Clock,
    life: Life,
    /// How long the kernel takes for an order at most.
    slowness: Duration,
    /// What the engine has asked its kernel for, by number.
    asked: Option<(u64, Asked)>,
    /// Orders so far.
    orders: u64,
    /// There may be addresses that the setting before this one had.
    takes_back: bool,
    /// Whether it is scheduled.
    pub paused: bool,
    plugged: Vec<Segment>,
    /// The interfaces that there are, with their numbers.
    links: BTreeMap<Segment, LinkIndex>,
    /// How often an interface was made again.
    remade: u32,
    /// Addresses that the kernel refuses to change, and those that it refused: until then nothing is promised of them.
    refused: BTreeMap<IpAddr, Option<Moment>>,
    /// Nothing can be sent.
    mute: bool,
    /// Addresses that were announced since they are here.
    announced: BTreeSet<IpAddr>,
    /// Since when addresses are here, of a master that can send, without having been announced.
    unannounced: BTreeMap<IpAddr, Moment>,
    /// Since when the vrrp process is dead and its supervisor lives.
    widowed_at: Option<Moment>,
    room: Option<usize>,
    /// Masters of the killed process, for the next one.
    adopts: BTreeSet<InstanceKey>,
    /// Until then a master may be without an address.
    restored_by: Moment,
    /// When it is to be scheduled next, and which of several plans that is.
    pub next_turn: Option<Moment>,
    /// How each virtual router is here.
    pub views: Vec<View>,
    network_changes: usize,
    turns_in_a_row: usize,
    present: Vec<IpAddr>,
    /// Its supervisor, as far as that hears what the engine shows.
    pub follower: Follower<VrrpView>,
}

#[derive(Debug)]
enum Life {
    Up(Box<FakeEngine>),
    /// No process; the kernel remains.
    Down(Box<FakeNetwork>),
}

/// How a virtual router is on one router.
#[derive(Clone, Debug)]
pub struct View {
    /// As its engine says.
    pub state: State,
    /// Since then.
    pub since: Moment,
    /// When its last advert was sent, or it became able to send.
    pub last_advert: Moment,
    /// Its kernel has still to make its sockets, and lets it wait: it cannot send.
    pub without_sockets: bool,
    /// What the engine has been given to hear.
    pub heard: Heard,
}

/// What has reached a backup's socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// Receive stamp of the last advert that restarts its timer, and the interval that it named.
    pub followed: Option<(Instant, Duration)>,
    /// Receive stamp of the last farewell.
    pub farewell: Option<Instant>,
    /// Before this moment of its own clock nothing counts: it was something else, or was told to be something else.
    pub fresh: Instant,
}

/// What an engine did in one round of the world.
#[derive(Debug, Default)]
pub struct Deeds {
    /// Adverts.
    pub sent: Vec<SentAdvert>,
    /// How many announcements.
    pub announced: usize,
    /// One that only another router should have made.
    pub stray: Option<IpAddr>,
    /// Transitions, by virtual router.
    pub transitions: Vec<(VirtualId, Transition)>,
    /// What each virtual router had been given to hear before.
    pub heard: Vec<Heard>,
    /// It has asked its kernel for something that takes time, under this number.
    pub order: Option<u64>,
    /// Probes for addresses.
    pub probed: Vec<SentFrame>,
    /// Virtual routers with an address that it says is on another machine.
    pub duplicates: Vec<(VirtualId, IpAddr)>,
    /// Everything else it said.
    pub remarks: Vec<String>,
    /// When it wants to be woken; `None`: only when something arrives.
    pub wake: Option<Moment>,
    /// It has more to do right now.
    pub busy: bool,
    /// It has had more to do for so many turns that it will never rest.
    pub restless: bool,
    /// In what its follower is misled.
    pub misled: Option<String>,
}

/// Whether the turns of an engine take time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// None: it works until it rests, and nothing happens meanwhile.
    Instant,
    /// Some: packets arrive, and kernels are changed, between one turn and the next.
    Slow,
}

impl Node {
    /// A router of a world of `nodes` that has not been switched on.
    pub fn new(id: NodeId, nodes: usize, setting: Setting, clock: Clock) -> Self {
        let config = setting::configuration(&setting::text(&setting, id, nodes));
        let view = View {
            state: State::Stopped,
            since: Moment::START,
            last_advert: Moment::START,
            without_sockets: false,
            heard: Heard::default(),
        };
        let views = vec![view; setting.instances.len()];
        let plugged = Segment::ALL.to_vec();
        let life = Life::Down(Box::new(machine(id, &plugged)));
        Self {
            id,
            setting,
            config,
            clock,
            life,
            slowness: Duration::ZERO,
            asked: None,
            orders: 0,
            takes_back: false,
            paused: false,
            plugged,
            links: first_links(),
            remade: 0,
            refused: BTreeMap::new(),
            mute: false,
            announced: BTreeSet::new(),
            unannounced: BTreeMap::new(),
            widowed_at: None,
            room: None,
            adopts: BTreeSet::new(),
            restored_by: Moment::START,
            next_turn: None,
            views,
            network_changes: 0,
            turns_in_a_row: 0,
            present: Vec::new(),
            follower: Follower::default(),
        }
    }

    /// Whether a process runs, paused or not.
    pub const fn is_up(&self) -> bool {
        matches!(self.life, Life::Up(_))
    }

    /// Whether its cable is in.
    pub fn is_plugged(&self, segment: Segment) -> bool {
        self.plugged.contains(&segment) && self.links.contains_key(&segment)
    }

    /// The kernel's number of the interface on `segment`; that of the first one if there is none.
    pub fn link(&self, segment: Segment) -> LinkIndex {
        self.links.get(&segment).copied().unwrap_or(LinkIndex(segment.link()))
    }

    /// Whether packets that arrive find less room than they should.
    pub const fn is_cramped(&self) -> bool {
        self.room.is_some()
    }

    /// Starts a process. Returns whether it adopted addresses that nothing should have happened to.
    pub fn start(&mut self, now: Moment) -> bool {
        let Life::Down(network) = &mut self.life else { return false };
        let mut network = std::mem::take(&mut **network);
        // a new process has a new socket, which tells nothing of what was before
        while !network.events(&mut Vec::new()) {}
        let mut packets = FakePackets::new();
        packets.limit_inbox(self.room);
        silence(&mut packets, &self.links, self.mute);
        let masters = std::mem::take(&mut self.adopts);
        let quiet = !masters.is_empty() && self.refused.is_empty() && self.is_complete(&masters, &network);
        self.network_changes = network.work().0;
        let shown = self.clock.show(now);
        let mut engine = Engine::new(shown, &self.config, masters, network, packets)
            .expect("the kernel in memory can always be read");
        engine.begin(shown);
        self.life = Life::Up(Box::new(engine));
        self.paused = false;
        self.widowed_at = None;
        // a new process announces what it adopts
        self.announced.clear();
        for view in &mut self.views {
            view.heard = Heard { fresh: shown, ..Heard::default() };
            view.last_advert = now;
        }
        quiet
    }

    /// Whether the kernel has just what a process that adopts `masters` will want.
    fn is_complete(&self, masters: &BTreeSet<InstanceKey>, network: &FakeNetwork) -> bool {
        let mut wanted = BTreeSet::new();
        for (key, instance) in keepalived_config::plan::keyed(&self.config.instances) {
            if masters.contains(&key) {
                wanted.extend(instance.addresses.iter().map(|line| line.address));
            } else if instance.settings.priority.is_owner() {
                // becomes master at once
                return false;
            }
        }
        let present = network.addresses().map(|address| address.address).filter(|it| is_virtual(*it));
        Segment::ALL.into_iter().all(|segment| self.is_plugged(segment)) && present.collect::<BTreeSet<_>>() == wanted
    }

    /// Ends the process without a word. `adopts`: its supervisor lives, and knows who was master.
    pub fn kill(&mut self, now: Moment, adopts: bool) {
        let was_up = self.is_up();
        self.leave_kernel();
        if let Life::Up(engine) = &mut self.life {
            let states = engine.states();
            let masters = states.into_iter().filter(|(_, _, state)| *state == State::Master);
            self.adopts = masters.map(|(key, _, _)| key.clone()).collect();
            let network = engine.kernel().0.clone();
            self.life = Life::Down(Box::new(network));
        }
        if !adopts {
            self.adopts.clear();
        }
        self.widowed_at = if adopts && was_up { Some(now) } else { self.widowed_at.filter(|_| adopts) };
        self.gone(now);
    }

    /// Ends the process as SIGTERM does.
    pub fn stop(&mut self, now: Moment) -> Deeds {
        let Life::Up(engine) = &mut self.life else { return Deeds::default() };
        engine.stop(self.clock.show(now), AtExit::Release);
        self.wait_for_kernel(now);
        let mut deeds = Deeds::default();
        if let Life::Up(engine) = &mut self.life {
            collect(engine, &mut deeds);
        }
        self.kill(now, false);
        deeds
    }

    /// Switches the machine off: its kernel forgets.
    pub fn cut_power(&mut self, now: Moment) {
        self.kill(now, false);
        self.life = Life::Down(Box::new(machine(self.id, &self.plugged)));
        self.links = first_links();
        self.refused.clear();
        self.see_addresses();
    }

    /// The supervisor removes the addresses of the dead process that are due at `now`.
    pub fn sweep(&mut self, now: Moment) {
        let Some(since) = self.widowed_at else { return };
        let due: BTreeSet<VirtualId> = self
            .setting
            .instances
            .iter()
            .enumerate()
            .filter(|(_, instance)| now.since(since) >= Bounds::abandoned(instance, &self.setting))
            .map(|(id, _)| id)
            .collect();
        let is_due = |instance: &config::Instance| setting::id(&instance.name).is_some_and(|id| due.contains(&id));
        let adopts = &self.adopts;
        let was = |key: &InstanceKey| if adopts.contains(key) { Was::Master } else { Was::Other };
        let keys: Vec<_> = keepalived_config::plan::keyed(&self.config.instances)
            .filter(|(_, instance)| is_due(instance))
            .map(|(key, instance)| (was(&key), key, instance.clone()))
            .collect();
        if let Life::Down(network) = &mut self.life {
            let removed = remove_abandoned(&mut **network, keys.iter().map(|(was, _, instance)| (instance, *was)));
            removed.expect("the kernel in memory can always be read");
        }
        for (_, key, _) in keys {
            self.adopts.remove(&key);
        }
        self.see_addresses();
    }

    /// An address that should not be here any more: nobody has sent adverts for it since `since`.
    pub fn abandoned(&self, now: Moment) -> Option<(IpAddr, Duration)> {
        let since = self.widowed_at.filter(|_| !self.is_up())?;
        let silence = now.since(since);
        let bound = |it: &setting::Instance| stretched(Bounds::abandoned(it, &self.setting)) + LATENESS * 2;
        let late = self.setting.instances.iter().filter(|instance| silence > bound(instance));
        let mut addresses = late.flat_map(|instance| instance.addresses.iter().copied());
        let left = addresses.find(|address| self.has(*address) && !self.is_excused(*address, now))?;
        Some((left, silence))
    }

    /// An address of a master that should have been announced by now.
    pub fn unannounced(&self, now: Moment) -> Option<(IpAddr, Duration)> {
        let found = self.unannounced.iter().find(|(_, since)| now.since(**since) > Bounds::ANNOUNCED + self.slack());
        found.map(|(address, since)| (*address, now.since(*since)))
    }

    /// The kernel refuses to change the first address of `id`, or does not any more.
    pub fn refuse(&mut self, now: Moment, id: VirtualId, refuse: bool) {
        let Some(address) = self.setting.instances.get(id).and_then(|it| it.addresses.first().copied()) else { return };
        if !refuse && !self.refused.contains_key(&address) {
            return;
        }
        let refused = Refused { errno: 12, message: None };
        self.network().refuse(address, refuse.then_some(refused));
        self.refused.insert(address, (!refuse).then(|| now + RETRIED + self.slack()));
    }

    /// Whether nothing is promised of `address` here, because the kernel refuses it or did a short while ago.
    pub fn is_excused(&self, address: IpAddr, now: Moment) -> bool {
        self.refused.get(&address).is_some_and(|until| until.is_none_or(|until| now < until))
    }

    /// The interface on `segment` is removed.
    pub fn unlink(&mut self, segment: Segment) {
        if let Some(link) = self.links.remove(&segment) {
            self.network().remove_link(link);
            self.see_addresses();
        }
    }

    /// It is made again, with another number.
    pub fn relink(&mut self, segment: Segment) {
        if self.links.contains_key(&segment) {
            return;
        }
        self.remade += 1;
        let link = LinkIndex(segment.link() + 10 * self.remade);
        self.links.insert(segment, link);
        let (id, running, mute) = (self.id, self.plugged.contains(&segment), self.mute);
        add_link(self.network(), id, segment, link, running);
        if let Life::Up(engine) = &mut self.life {
            silence(engine.kernel().1, &self.links, mute);
        }
    }

    /// Nothing can be sent, or it can again.
    pub fn set_mute(&mut self, mute: bool) {
        self.mute = mute;
        if let Life::Up(engine) = &mut self.life {
            silence(engine.kernel().1, &self.links, mute);
        }
    }

    /// Whether it can send.
    pub const fn is_mute(&self) -> bool {
        self.mute
    }

    /// It is scheduled again.
    pub fn resume(&mut self) {
        self.paused = false;
        self.next_turn = None;
        // what its kernel did meanwhile it hears of now
        self.unannounced.clear();
    }

    /// No process, no states.
    fn gone(&mut self, now: Moment) {
        self.next_turn = None;
        for view in &mut self.views {
            if view.state != State::Stopped {
                view.state = State::Stopped;
                view.since = now;
            }
        }
        self.see_addresses();
    }

    /// Lets the engine work: until it rests, or, if its turns are to take time, for one. Unless it `announces`, its announcements are
    /// lost.
    pub fn turn(&mut self, now: Moment, pace: Pace, announces: bool) -> Deeds {
        let mut deeds = Deeds::default();
        let Life::Up(engine) = &mut self.life else { return deeds };
        let shown = self.clock.show(now);
        deeds.heard = self.views.iter().map(|view| view.heard).collect();
        excuse_those_without_sockets(now, engine, &self.setting, &self.links, self.asked.is_some(), &mut self.views);
        match self.asked.take() {
            Some((_, Asked::Answered(answer))) => engine.answer(shown, answer),
            other => self.asked = other,
        }
        loop {
            let wake = engine.turn(shown);
            // announcing is the last that a turn does: the states are those that they were sent in
            deeds.stray = deeds.stray.or_else(|| stray(engine, &self.setting));
            let announced_now = std::mem::take(&mut engine.kernel().1.announced);
            deeds.announced += announced_now.len();
            self.announced
                .extend(announced_now.iter().filter(|_| announces).filter_map(|frame| announced(&frame.octets)));
            let mut answered = false;
            match engine.order() {
                Some(order) if self.slowness.is_zero() => {
                    let answer = order.carry_out(engine.kernel().0);
                    engine.answer(shown, answer);
                    answered = true;
                }
                Some(order) => {
                    self.orders += 1;
                    deeds.order = Some(self.orders);
                    self.asked = Some((self.orders, Asked::Order(order)));
                }
                None => {}
            }
            deeds.busy = answered || wake.is_some_and(|wake| wake <= shown);
            self.turns_in_a_row = if deeds.busy { self.turns_in_a_row + 1 } else { 0 };
            deeds.restless = self.turns_in_a_row > MOST_TURNS;
            if !deeds.busy || deeds.restless || pace == Pace::Slow {
                deeds.wake = wake.filter(|_| !deeds.busy).map(|wake| self.clock.moment(wake));
                break;
            }
        }
        excuse_those_without_sockets(now, engine, &self.setting, &self.links, self.asked.is_some(), &mut self.views);
        collect(engine, &mut deeds);
        deeds.misled = self.follower.follow(engine, shown);
        self.takes_back &= engine.owes_changes();
        // an instance that is not in the file has no state
        let mut states = vec![State::Stopped; self.views.len()];
        for (_, name, current) in engine.states() {
            if let Some(state) = setting::id(name).and_then(|id| states.get_mut(id)) {
                *state = current;
            }
        }
        for (view, state) in self.views.iter_mut().zip(states).filter(|(view, state)| view.state != *state) {
            view.heard = Heard { fresh: shown, ..Heard::default() };
            view.state = state;
            view.since = now;
            view.last_advert = now;
        }
        self.see_addresses();
        self.note_unannounced(now);
        deeds
    }

    /// Brings up to date which addresses of masters wait to be announced.
    fn note_unannounced(&mut self, now: Moment) {
        let present: BTreeSet<IpAddr> = self.present.iter().copied().collect();
        self.announced.retain(|address| present.contains(address));
        let pairs = self.views.iter().zip(&self.setting.instances);
        let masters = pairs.filter(|(view, _)| view.state == State::Master && !self.mute);
        let owed: BTreeSet<IpAddr> = masters
            .flat_map(|(_, instance)| &instance.addresses)
            .copied()
            .filter(|address| present.contains(address) && !self.announced.contains(address))
            .collect();
        self.unannounced.retain(|address, _| owed.contains(address));
        for address in owed {
            self.unannounced.entry(address).or_insert(now);
        }
    }

    /// Another setting; the addresses stay.
    pub fn reload(&mut self, now: Moment, nodes: usize, mut setting: Setting) {
        for (new, old) in setting.instances.iter_mut().zip(&self.setting.instances) {
            new.addresses.clone_from(&old.addresses);
        }
        self.set(now, nodes, setting);
    }

    /// Other addresses.
    pub fn readdress(&mut self, now: Moment, nodes: usize, lists: &[Vec<IpAddr>]) {
        let mut setting = self.setting.clone();
        for (instance, list) in setting.instances.iter_mut().zip(lists) {
            instance.addresses.clone_from(list);
        }
        self.set(now, nodes, setting);
    }

    fn set(&mut self, now: Moment, nodes: usize, setting: Setting) {
        let changed = setting != self.setting;
        self.config = setting::configuration(&setting::text(&setting, self.id, nodes));
        self.setting = setting;
        match &mut self.life {
            Life::Up(engine) => {
                let shown = self.clock.show(now);
                engine.reload(shown, &self.config);
                self.takes_back = true;
                if changed {
                    for view in &mut self.views {
                        view.heard = Heard { fresh: shown, ..Heard::default() };
                    }
                }
            }
            // whoever changes the file of a router that left addresses behind removes what the new one will not know
            Life::Down(network) if changed => remove_virtual(network, |_| true),
            Life::Down(_) => {}
        }
    }

    /// Plants a fault: the engine is configured with `setting`, and the watch is not told. For a router that is down.
    pub fn tell_engine_otherwise(&mut self, nodes: usize, setting: &Setting) {
        self.config = setting::configuration(&setting::text(setting, self.id, nodes));
    }

    /// The cable of `segment`.
    pub fn plug(&mut self, segment: Segment, plugged: bool) {
        self.plugged.retain(|known| *known != segment);
        if plugged {
            self.plugged.push(segment);
        }
        if let Some(link) = self.links.get(&segment).copied() {
            self.network().set_running(link, plugged);
        }
    }

    /// Somebody removes the first address of `id`. False if it was not there.
    pub fn delete_address(&mut self, now: Moment, id: VirtualId) -> bool {
        let Some(instance) = self.setting.instances.get(id) else { return false };
        let Some(address) = instance.addresses.first().copied() else { return false };
        let link = self.link(instance.segment);
        if !self.network().has(address) {
            return false;
        }
        self.network().remove_address(link, address, prefix(address));
        self.restored_by = now + RESTORED + self.slack();
        self.see_addresses();
        true
    }

    /// The kernel loses events.
    pub fn overrun(&mut self) {
        self.network().overrun();
    }

    /// Foreign addresses come and go.
    pub fn churn(&mut self, many: u8) {
        let network = self.network();
        for round in 0..4_u8 {
            for number in 0..many {
                let address = IpAddr::from([172, 17, round, number]);
                network.add_address(Address::plain(LinkIndex(9), address, 24));
                network.remove_address(LinkIndex(9), address, 24);
            }
        }
    }

    /// Room for packets that wait.
    pub fn limit(&mut self, room: Option<usize>) {
        self.room = room;
        if let Life::Up(engine) = &mut self.life {
            engine.kernel().1.limit_inbox(room);
        }
    }

    /// A packet arrives; true if it will be heard.
    pub fn deliver(&mut self, segment: Segment, mut advert: ReceivedAdvert) -> bool {
        advert.link = self.link(segment);
        let Life::Up(engine) = &mut self.life else { return false };
        let packets = engine.kernel().1;
        let lost = packets.lost();
        packets.deliver(&advert) > 0 && packets.lost() == lost
    }

    /// A neighbour on `segment` says something about its addresses.
    pub fn say(&mut self, segment: Segment, octets: Vec<u8>) {
        let link = self.link(segment);
        if let Life::Up(engine) = &mut self.life {
            engine.kernel().1.say(SentFrame { link, octets });
        }
    }

    /// The segment that the interface `link` is on.
    pub fn segment(&self, link: LinkIndex) -> Option<Segment> {
        self.links.iter().find(|(_, known)| **known == link).map(|(segment, _)| *segment)
    }

    /// Changes that this process asked its kernel for.
    pub fn changes(&mut self) -> usize {
        self.network().work().0.saturating_sub(self.network_changes)
    }

    /// Whether a master may be without an address, because somebody took it a moment ago.
    pub fn may_lack(&self, now: Moment) -> bool {
        now < self.restored_by
    }

    /// Whether `address` is in its kernel.
    pub fn has(&self, address: IpAddr) -> bool {
        match &self.life {
            // as it was when the engine came to rest
            Life::Up(_) => self.present.contains(&address),
            Life::Down(network) => network.has(address),
        }
    }

    /// Virtual addresses in its kernel.
    pub fn present(&self) -> &[IpAddr] {
        &self.present
    }

    fn see_addresses(&mut self) {
        let mut present = std::mem::take(&mut self.present);
        present.clear();
        present.extend(self.network().addresses().map(|address| address.address).filter(|it| is_virtual(*it)));
        self.present = present;
    }

    fn network(&mut self) -> &mut FakeNetwork {
        match &mut self.life {
            Life::Up(engine) => engine.kernel().0,
            Life::Down(network) => network,
        }
    }
}

/// What the engine did, taken from where it left it.
fn collect(engine: &mut FakeEngine, deeds: &mut Deeds) {
    for report in engine.reports() {
        if let Report::Transition { name, transition, .. } = &report
            && let Some(id) = setting::id(name)
        {
            deeds.transitions.push((id, transition.clone()));
        }
        if let Report::Duplicate { name, address, .. } = &report
            && let Some(id) = setting::id(name)
        {
            deeds.duplicates.push((id, *address));
        }
        deeds.remarks.push(report.to_string());
    }
    let packets = engine.kernel().1;
    deeds.sent = std::mem::take(&mut packets.sent);
    deeds.probed = std::mem::take(&mut packets.probed);
}

/// An address that the engine has announced though it is not its master, of those announced since the last look.
fn stray(engine: &mut FakeEngine, setting: &Setting) -> Option<IpAddr> {
    let announced = engine.kernel().1.announced.iter().map(|frame| announced(&frame.octets));
    // a frame that is no announcement is a stray one, too
    let announced: BTreeSet<IpAddr> =
        announced.map(|address| address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))).collect();
    if announced.is_empty() {
        return None;
    }
    let states = engine.states();
    let masters = states.iter().filter(|(_, _, state)| *state == State::Master);
    let instances = masters.filter_map(|(_, name, _)| setting.instances.get(setting::id(name)?));
    let own: Vec<IpAddr> = instances.flat_map(|instance| instance.addresses.iter().copied()).collect();
    announced.into_iter().find(|address| (is_virtual(*address) || address.is_unspecified()) && !own.contains(address))
}

/// A machine with two networks, and an interface that is none of our business.
fn machine(id: NodeId, plugged: &[Segment]) -> FakeNetwork {
    let mut network = FakeNetwork::new();
    for (segment, link) in first_links() {
        add_link(&mut network, id, segment, link, plugged.contains(&segment));
    }
    network.set_link(FakeNetwork::ethernet(9, "docker0").expect("the name is short"));
    network
}

fn first_links() -> BTreeMap<Segment, LinkIndex> {
    Segment::ALL.into_iter().map(|segment| (segment, LinkIndex(segment.link()))).collect()
}

/// The interface on `segment` with the addresses that the machine itself has there.
fn add_link(network: &mut FakeNetwork, id: NodeId, segment: Segment, link: LinkIndex, running: bool) {
    network.set_link(FakeNetwork::ethernet(link.0, segment.interface()).expect("the name is short"));
    network.set_running(link, running);
    network.add_address(Address::plain(link, segment.address(id, Family::V4), 24));
    let link_local = Address::plain(link, segment.address(id, Family::V6), 64);
    network.add_address(Address { scope: 253, ..link_local });
}

/// Lets nothing leave, or everything.
fn silence(packets: &mut FakePackets, links: &BTreeMap<Segment, LinkIndex>, mute: bool) {
    for link in links.values() {
        packets.fail_link(*link, mute.then_some(105));
    }
}

/// Removes the virtual addresses that are `unwanted`.
fn remove_virtual(network: &mut FakeNetwork, unwanted: impl Fn(&Address) -> bool) {
    let gone = |address: &&Address| is_virtual(address.address) && unwanted(address);
    let all: Vec<_> = network.addresses().filter(gone).map(Address::key).collect();
    for (link, address, prefix) in all {
        network.remove_address(link, address, prefix);
    }
}
