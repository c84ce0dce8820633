//! One router: the engine that ships, on a kernel in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::Config;
use keepalived_core::network::LinkIndex;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerState};
use keepalived_core::vrrp::{State, Transition};
use keepalived_daemon::vrrp::{BorrowedSettings, Engine, Report};
use keepalived_kernel::fake::{FakeNetwork, FakePackets, ReceivedAdvert, SentAdvert, SentFrame};
use keepalived_state::VrrpView;

use crate::bounds::TURN;
use crate::clock::{Clock, Moment};
use crate::follower::Follower;
use crate::medium::announced;
use crate::scenario::is_virtual;
use crate::setting::{self, NodeId, Segment, Setting, TRACKERS, VirtualId};

mod addresses;
mod kernel;
mod links;
mod process;
mod sessions;

use addresses::remove_virtual;
use kernel::{Asked, excuse_those_without_sockets};
use links::{first_links, machine};
pub use sessions::ControlSent;

/// An engine on a kernel in memory.
type FakeEngine = Engine<FakeNetwork, FakePackets>;

/// Rounds at one moment after which an engine counts as one that never rests.
const MOST_TURNS: usize = 2_000;

/// One router.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    /// What its file says.
    file: Setting,
    /// What it is: the file, and what its trackers make of it.
    pub setting: Setting,
    /// Which trackers are well.
    trackers: [bool; TRACKERS.len()],
    /// What the supervisor knows of them.
    known_trackers: Vec<(TrackerId, TrackerState)>,
    /// When they last changed the setting.
    pub tracked_at: Moment,
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
    /// When it was scheduled again.
    pub resumed_at: Moment,
    plugged: Vec<Segment>,
    /// The interfaces, with their numbers.
    links: BTreeMap<Segment, LinkIndex>,
    /// Since when interfaces are down, or not there.
    down_since: BTreeMap<Segment, Moment>,
    /// How often an interface was made again.
    remade: u32,
    /// Addresses that the kernel refuses to change, and those that it refused: until then nothing is promised of them.
    refused: BTreeMap<IpAddr, Option<Moment>>,
    /// Since when more packets arrive than it can read.
    deluged_at: Option<Moment>,
    /// By how much it may be late, since that has happened.
    pub lag: Duration,
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
    /// What settings of links were before it changed them, for the next one.
    borrowed: BorrowedSettings,
    /// Until then a master may be without an address.
    restored_by: Moment,
    /// When it is scheduled next: of several planned turns, only this one counts.
    pub next_turn: Option<Moment>,
    /// How each virtual router is here.
    pub views: Vec<View>,
    network_changes: usize,
    turns_in_a_row: usize,
    present: Vec<IpAddr>,
    /// Virtual addresses on other interfaces than their virtual routers are on.
    misplaced: Vec<IpAddr>,
    /// Its bfd process, and how often it was started.
    bfd: Option<sessions::BfdProcess>,
    bfd_starts: u64,
    /// When the bfd process is scheduled next: of several planned turns, only this one counts.
    pub next_control: Option<Moment>,
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
    /// The last number of each sender of signed adverts that the engine has been given to hear.
    pub numbers: BTreeMap<IpAddr, u64>,
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
        let trackers = [true; TRACKERS.len()];
        let (file, setting) = (setting.clone(), setting.with_trackers(trackers));
        let view = View {
            state: State::Stopped,
            since: Moment::START,
            last_advert: Moment::START,
            without_sockets: false,
            heard: Heard::default(),
            numbers: BTreeMap::new(),
        };
        let views = vec![view; setting.instances.len()];
        let plugged = Segment::ALL.to_vec();
        let life = Life::Down(Box::new(machine(id, &plugged)));
        Self {
            id,
            file,
            setting,
            config,
            trackers,
            known_trackers: Vec::new(),
            tracked_at: Moment::START,
            clock,
            life,
            slowness: Duration::ZERO,
            asked: None,
            orders: 0,
            takes_back: false,
            paused: false,
            resumed_at: Moment::START,
            plugged,
            links: first_links(),
            down_since: BTreeMap::new(),
            remade: 0,
            refused: BTreeMap::new(),
            deluged_at: None,
            lag: Duration::ZERO,
            mute: false,
            announced: BTreeSet::new(),
            unannounced: BTreeMap::new(),
            widowed_at: None,
            room: None,
            adopts: BTreeSet::new(),
            borrowed: BorrowedSettings::default(),
            restored_by: Moment::START,
            next_turn: None,
            views,
            network_changes: 0,
            turns_in_a_row: 0,
            present: Vec::new(),
            misplaced: Vec::new(),
            bfd: None,
            bfd_starts: 0,
            next_control: None,
            follower: Follower::default(),
        }
    }

    /// Whether a process runs, paused or not.
    pub const fn is_up(&self) -> bool {
        matches!(self.life, Life::Up(_))
    }

    /// Whether packets that arrive find less room than they should.
    pub const fn is_cramped(&self) -> bool {
        self.room.is_some()
    }

    /// It is scheduled again.
    pub fn resume(&mut self, now: Moment) {
        self.paused = false;
        self.resumed_at = now;
        self.next_turn = None;
        self.next_control = None;
        // what its kernel did meanwhile it hears of now
        self.unannounced.clear();
    }

    /// Lets the engine work: until it rests, or, if its turns are to take time, for one. Unless it `announces`, its
    /// announcements are lost.
    pub fn turn(&mut self, now: Moment, pace: Pace, announces: bool) -> Deeds {
        let mut deeds = Deeds::default();
        let is_deluged = self.deluged_at.is_some();
        let Life::Up(engine) = &mut self.life else { return deeds };
        let shown = self.clock.show(now);
        deeds.heard = self.views.iter().map(|view| view.heard).collect();
        excuse_those_without_sockets(now, engine, &self.setting, &self.links, self.asked.is_some(), &mut self.views);
        match self.asked.take() {
            Some((_, Asked::Answered(answer))) => engine.answer(shown, answer),
            other => self.asked = other,
        }
        engine.set_utc(shown, now.utc());
        loop {
            let wake = engine.turn(shown);
            take_reports(engine, &mut deeds);
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
            self.turns_in_a_row = if deeds.busy && !is_deluged { self.turns_in_a_row + 1 } else { 0 };
            deeds.restless = self.turns_in_a_row > MOST_TURNS;
            if !deeds.busy || deeds.restless || pace == Pace::Slow || is_deluged {
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

    /// Another setting; the addresses stay.
    pub fn reload(&mut self, now: Moment, nodes: usize, mut setting: Setting) {
        for (new, old) in setting.instances.iter_mut().zip(&self.setting.instances) {
            new.addresses.clone_from(&old.addresses);
        }
        self.set(now, nodes, setting);
    }

    /// Other addresses.
    pub fn readdress(&mut self, now: Moment, nodes: usize, lists: &[Vec<IpAddr>]) {
        let mut setting = self.file.clone();
        for (instance, list) in setting.instances.iter_mut().zip(lists) {
            instance.addresses.clone_from(list);
        }
        self.set(now, nodes, setting);
    }

    fn set(&mut self, now: Moment, nodes: usize, setting: Setting) {
        self.config = setting::configuration(&setting::text(&setting, self.id, nodes));
        self.file = setting;
        let before = std::mem::replace(&mut self.setting, self.file.with_trackers(self.trackers));
        let changed = before != self.setting;
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
            // an administrator who changes the file of a dead router removes the addresses that the new process will
            // not know
            Life::Down(network) if changed => remove_virtual(network, |_| true),
            Life::Down(_) => {}
        }
        // a tracker that no instance followed before has a result soon
        self.tell_trackers(now);
    }

    /// A tracker is well, or is not, from now on. Returns whether that concerns an instance.
    pub fn track(&mut self, now: Moment, tracker: usize, succeeds: bool) -> bool {
        if let Some(state) = self.trackers.get_mut(tracker) {
            *state = succeeds;
        }
        let before = std::mem::replace(&mut self.setting, self.file.with_trackers(self.trackers));
        self.tell_trackers(now);
        let changed = before != self.setting;
        if changed {
            self.tracked_at = now;
            let fresh = self.clock.show(now);
            for view in &mut self.views {
                view.heard = Heard { fresh, ..Heard::default() };
            }
        }
        changed
    }

    /// Tells the engine how all trackers are.
    pub(in crate::node) fn tell_trackers(&mut self, now: Moment) {
        let (shown, states) = (self.clock.show(now), self.tracker_states());
        if let Life::Up(engine) = &mut self.life {
            engine.set_utc(shown, now.utc());
            for (id, state) in states {
                engine.track(shown, &id, state, String::new());
            }
        }
    }

    /// How all trackers are, as the engine names them.
    pub(in crate::node) fn tracker_states(&self) -> Vec<(TrackerId, TrackerState)> {
        let all = TRACKERS.into_iter().zip(self.trackers).enumerate();
        let named = |(tracker, (kind, is_well))| {
            (TrackerId::new(kind, setting::tracker_name(tracker)), setting::tracker_state(kind, is_well))
        };
        all.map(named).collect()
    }

    /// Plants a fault: the engine is configured with `setting`, and the watch is not told. For a router that is down.
    pub fn tell_engine_otherwise(&mut self, nodes: usize, setting: &Setting) {
        self.config = setting::configuration(&setting::text(setting, self.id, nodes));
    }

    /// The kernel loses events.
    pub fn overrun(&mut self) {
        self.network().overrun();
    }

    /// Room for packets that wait.
    pub fn limit(&mut self, room: Option<usize>) {
        self.room = room;
        if let Life::Up(engine) = &mut self.life {
            engine.kernel().1.limit_inbox(room);
        }
    }

    /// From now on more packets arrive than it can read, or not any more.
    pub fn deluge(&mut self, now: Moment, begins: bool) {
        self.deluged_at = begins.then(|| self.deluged_at.unwrap_or(now));
        self.lag = TURN;
        if let Life::Up(engine) = &mut self.life {
            engine.kernel().1.flood(begins);
        }
    }

    /// For how long more packets have arrived than it can read, if they do.
    pub fn deluged_for(&self, now: Moment) -> Option<Duration> {
        self.deluged_at.map(|since| now.since(since))
    }

    /// A packet arrives. Each interface hears what is for a group. Returns whether it waits to be read, and whether the
    /// instance of `vrid` will hear it.
    pub fn deliver(&mut self, segment: Segment, mut advert: ReceivedAdvert, vrid: Option<u8>) -> (bool, bool) {
        let own = vrid.and_then(|vrid| self.own_link(vrid));
        let links = self.all_on(segment);
        let Life::Up(engine) = &mut self.life else { return (false, false) };
        let packets = engine.kernel().1;
        let (mut waits, mut heard) = (false, false);
        for link in links {
            let lost = packets.lost();
            advert.link = link;
            let all = packets.deliver(&advert);
            let has_room = packets.lost() == lost;
            waits |= all > 0 && has_room;
            heard |= own == Some(link) && all > 0 && has_room;
        }
        (waits, heard)
    }

    /// A neighbour on `segment` says something about its addresses.
    pub fn say(&mut self, segment: Segment, octets: &[u8]) {
        for link in self.all_on(segment) {
            if let Life::Up(engine) = &mut self.life {
                engine.kernel().1.say(SentFrame { link, octets: octets.to_vec() });
            }
        }
    }

    /// Changes that this process asked its kernel for. Links that it takes over are set once more.
    pub fn changes(&mut self) -> usize {
        self.network().altered().saturating_sub(self.network_changes)
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
    take_reports(engine, deeds);
    let packets = engine.kernel().1;
    deeds.sent = std::mem::take(&mut packets.sent);
    deeds.probed = std::mem::take(&mut packets.probed);
}

/// What it says. Each turn of a process takes it: lines that were left out make the engine wake it.
fn take_reports(engine: &mut FakeEngine, deeds: &mut Deeds) {
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
