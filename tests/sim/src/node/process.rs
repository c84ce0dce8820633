//! The life of a router's vrrp process: it starts, stops, is killed; the supervisor looks after the addresses of a dead
//! one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model as config;
use keepalived_core::vrrp::State;
use keepalived_daemon::vrrp::{AtExit, BorrowedSettings, Engine, Inherited, Was, remove_abandoned};
use keepalived_kernel::fake::{FakeNetwork, FakePackets};
use keepalived_kernel::network::Network as _;

use super::links::{first_links, machine, own, silence};
use super::{Deeds, Heard, Life, Node, collect};
use crate::bounds::{Bounds, LATENESS};
use crate::clock::{Moment, stretched};
use crate::scenario::is_virtual;
use crate::setting::{self, Segment, VirtualId};

impl Node {
    /// Starts a process. Returns whether it adopted addresses that nothing should have happened to.
    pub fn start(&mut self, now: Moment) -> bool {
        let Life::Down(network) = &mut self.life else { return false };
        let mut network = std::mem::take(&mut **network);
        // a new process has a new socket, which tells nothing of what was before
        while !network.events(&mut Vec::new()) {}
        let mut packets = FakePackets::new();
        packets.limit_inbox(self.room);
        packets.flood(self.deluged_at.is_some());
        silence(&mut packets, self.mute);
        let masters = std::mem::take(&mut self.adopts);
        let quiet = !masters.is_empty() && self.refused.is_empty() && self.is_complete(&masters, &network);
        self.network_changes = network.altered();
        let shown = self.clock.show(now);
        let trackers = std::mem::take(&mut self.known_trackers);
        let quiet = quiet && trackers == self.tracker_states();
        let (trackers, borrowed) = (trackers.into_iter().collect(), std::mem::take(&mut self.borrowed));
        let inherited = Inherited { masters, trackers, borrowed };
        let mut engine = Engine::new(shown, &self.config, inherited, network, packets)
            .expect("the kernel in memory can always be read");
        engine.set_utc(shown, now.utc());
        self.life = Life::Up(Box::new(engine));
        // what was found out before the routers begin
        self.tell_trackers(now);
        if let Life::Up(engine) = &mut self.life {
            engine.begin(shown);
        }
        self.start_sessions(now);
        self.paused = false;
        self.widowed_at = None;
        // a new process announces what it adopts, and has its time for that, whatever the one before it left undone (seeds 3021308, 3021811)
        self.announced.clear();
        self.unannounced.clear();
        for view in &mut self.views {
            view.heard = Heard { fresh: shown, ..Heard::default() };
            view.last_advert = now;
            view.numbers.clear();
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
        // an interface that was made again has lost what was on it (seed 22403)
        let has_link = |it: &setting::Instance| own(network, self.link(it.segment), it.virtual_mac()).is_some();
        let has_links = self.setting.instances.iter().filter(|it| !it.absent).all(has_link);
        has_links
            && Segment::ALL.into_iter().all(|segment| self.is_plugged(segment))
            && present.collect::<BTreeSet<_>>() == wanted
    }

    /// Ends the process without a word. `adopts`: its supervisor lives, and knows who was master.
    pub fn kill(&mut self, now: Moment, adopts: bool) {
        let was_up = self.is_up();
        self.leave_kernel();
        if let Life::Up(engine) = &mut self.life {
            let states = engine.states();
            let masters = states.into_iter().filter(|(_, _, state)| *state == State::Master);
            self.adopts = masters.map(|(key, _, _)| key.clone()).collect();
            self.borrowed = engine.borrowed().clone();
            let network = engine.kernel().0.clone();
            self.life = Life::Down(Box::new(network));
        }
        if !adopts {
            self.bfd = None;
            self.next_control = None;
        }
        // the supervisor knows how they were
        if !adopts {
            self.known_trackers.clear();
        } else if was_up {
            self.known_trackers = self.tracker_states();
        }
        if !adopts {
            self.adopts.clear();
            self.borrowed = BorrowedSettings::default();
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
        for segment in Segment::ALL {
            self.note_down(now, segment);
        }
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

    /// An address that should not be here any more, and for how long no process has sent adverts for it.
    pub fn abandoned(&self, now: Moment) -> Option<(IpAddr, Duration)> {
        let since = self.widowed_at.filter(|_| !self.is_up())?;
        let silence = now.since(since);
        let bound = |it: &setting::Instance| stretched(Bounds::abandoned(it, &self.setting)) + LATENESS * 2;
        let late = self.setting.instances.iter().filter(|instance| silence > bound(instance));
        let mut addresses = late.flat_map(|instance| instance.addresses.iter().copied());
        let left = addresses.find(|address| self.has(*address) && !self.is_excused(*address, now))?;
        Some((left, silence))
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
}
