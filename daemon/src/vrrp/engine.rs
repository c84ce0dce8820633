//! The vrrp process without its descriptors: the engine that ships and that the simulator runs.
//!
//! [`Engine::turn`] is one round: hear everything that has arrived, then let deadlines fire, then send what they made,
//! then decide on a bounded piece of what is owed to the kernel ([`Engine::order`]), and send one of what is owed to neighbours.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use keepalived_config::InstanceKey;
use keepalived_config::model::Config;
use keepalived_core::network::{NetworkEvent, NetworkTable};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerState};
use keepalived_core::vrrp::{State, ipv4};
use keepalived_kernel::network::Network;
use keepalived_kernel::packets::{Incoming, Packets};
use keepalived_state::{VrrpChange, VrrpView};

use super::instances::Instances;
use super::lifetime::{AtExit, BorrowedSettings, Inherited};
use super::orders::{Answer, Order};
use super::report::Report;
use super::tracking::Beats;
use crate::message::{AfterTelling, Changes};

/// Packets that are read before anything else is looked at.
const MOST_PACKETS: usize = 4_096;
/// Deadlines that fire before the sockets are read again. Few: what a new master says must not find us on our way to
/// contradict it, and asking whether something has arrived costs a fraction of an advert.
const DEADLINES_AT_ONCE: usize = 16;
/// Deadlines that fire in one turn.
const MOST_DEADLINES: usize = 256;
/// Addresses that are changed at once: about a millisecond of the kernel's time, unless it lets us wait. The first are announced
/// while the next are changed.
const MOST_CHANGES: usize = 32;
/// The same while no advert waits: before the routers begin, and after they have said farewell. Links go faster together.
pub(super) const MOST_AT_ONCE: usize = 1_024;
/// Announcements that are sent in one turn.
const MOST_ANNOUNCEMENTS: usize = 256;

/// Pieces of events that are passed over at the start: if there are more, they come without end.
const MOST_PASSED_OVER: usize = 1_000;

/// All instances on one kernel.
#[derive(Debug)]
pub struct Engine<N, P: Packets> {
    network: N,
    packets: P,
    instances: Instances,
    /// The next request to the kernel, until the owner takes it.
    order: Option<Order<P::Sockets>>,
    events: Vec<NetworkEvent>,
    /// When it was last told the time.
    now: Instant,
}

impl<N: Network, P: Packets> Engine<N, P> {
    /// Reads what the kernel has, opens the sockets that `config` needs, and removes what an earlier run left behind,
    /// except for the instances that `inherited` says were master, which go on as masters once [`Engine::begin`] is called.
    ///
    /// # Errors
    /// The kernel could not be read.
    pub fn new(
        now: Instant,
        config: &Config,
        inherited: impl Into<Inherited>,
        mut network: N,
        mut packets: P,
    ) -> std::io::Result<Self> {
        pass_over_events(&mut network);
        let table = NetworkTable::new(network.inventory()?);
        let mut instances = Instances::new(table, inherited.into());
        // first: an address of these may be what adverts leave from
        instances.set_statics(now, config, MOST_CHANGES, &mut network);
        instances.configure(now, config, &mut network, &mut packets);
        let mut engine = Self { network, packets, instances, order: None, events: Vec::new(), now };
        // no advert waits for it yet, and no router starts without its channel
        while let Some(order) = engine.instances.sockets(&mut engine.packets) {
            let answer = order.carry_out(&mut engine.network);
            engine.answer(now, answer);
        }
        engine.instances.adopt_left_overs();
        Ok(engine)
    }

    /// Lets the routers begin: at once, or when `vrrp_startup_delay` is over.
    pub fn begin(&mut self, now: Instant) {
        self.now = now;
        self.instances.begin(now);
        self.flush();
    }

    /// Tells it the time since 1970, for adverts that are authenticated with it.
    pub fn set_utc(&mut self, now: Instant, utc: Duration) {
        self.instances.set_utc(now, utc);
    }

    /// One round. Returns when the next is due; [`Instant::ZERO`] if there is work left.
    pub fn turn(&mut self, now: Instant) -> Option<Instant> {
        self.now = now;
        let more_events = self.look(now);
        self.instances.reopen(now, &mut self.network);
        let all_heard = self.hear_and_expire(now);
        if self.order.is_none() {
            self.order = self.instances.decide(now, MOST_CHANGES, &mut self.network, &mut self.packets);
        }
        self.flush();
        self.instances.announce(now, MOST_ANNOUNCEMENTS, &mut self.packets);
        let all_overheard = self.instances.look_for_duplicates(now, &mut self.packets);
        if more_events || !all_heard || !all_overheard { Some(Instant::ZERO) } else { self.instances.next_wake(now) }
    }

    /// The next request to the kernel, if the last turn decided on one. It is the caller's to have it carried out
    /// ([`Order::carry_out`]), by whoever may wait. There is no other until [`Engine::answer`].
    pub fn order(&mut self) -> Option<Order<P::Sockets>> {
        self.order.take()
    }

    /// What came of the order. A turn follows.
    pub fn answer(&mut self, now: Instant, answer: Answer<P::Sockets>) {
        self.now = now;
        self.instances.answer(now, answer, &mut self.network, &mut self.packets);
    }

    /// Applies a configuration that has been validated, as a difference to the one before.
    pub fn reload(&mut self, now: Instant, config: &Config) {
        self.now = now;
        self.instances.configure(now, config, &mut self.network, &mut self.packets);
        self.flush();
    }

    /// A tracker has a result; `detail` says why.
    pub fn track(&mut self, now: Instant, tracker: &TrackerId, state: TrackerState, detail: impl Into<Detail>) {
        self.now = now;
        self.instances.track(now, tracker, state, detail.into());
        self.flush();
    }

    /// A BFD session has a result. Backups that name it in `bfd_promotes` act at once; who tracks it hears of it by [`Engine::track`].
    pub fn session_result(&mut self, now: Instant, session: &str, is_up: bool) {
        self.now = now;
        self.instances.session_result(now, session, is_up);
        self.flush();
    }

    /// What drivers say of their links (`linkbeat_interfaces`): the next turn acts.
    pub fn link_beats(&mut self, beats: Beats) {
        self.instances.link_beats(beats);
    }

    /// The trackers that any instance follows.
    pub fn tracked(&self) -> BTreeSet<TrackerId> {
        self.instances.tracked()
    }

    /// Says farewell for every master. Turns remove the addresses, as long as [`Engine::owes_removals`].
    pub fn stop(&mut self, now: Instant, at_exit: AtExit) {
        self.now = now;
        self.instances.stop(now, at_exit);
        self.flush();
    }

    /// Whether addresses are still to be changed right now, or are being changed.
    pub fn owes_changes(&self) -> bool {
        self.instances.owes_changes()
    }

    /// The same, and whether addresses that are to go are still there because the kernel has refused to remove them.
    pub fn owes_removals(&self) -> bool {
        self.instances.owes_removals()
    }

    /// What there is to tell since the last call.
    pub fn reports(&mut self) -> Vec<Report> {
        self.instances.reports(self.now)
    }

    /// How the instances stand at `now`, which the wall clock calls `wall`; the journal is the supervisor's.
    pub fn view(&self, now: Instant, wall: SystemTime) -> VrrpView {
        self.instances.view(now, wall)
    }

    /// What became different about [`Self::view`] since the last call: instances with `most` addresses, in which each instance counts
    /// as one more, and at least one instance.
    pub fn changes(&mut self, now: Instant, wall: SystemTime, most: usize) -> Changes<VrrpChange> {
        self.instances.changes(now, wall, most)
    }

    /// Whether [`Self::changes`] has something.
    pub fn has_changes(&self) -> bool {
        self.instances.has_changes()
    }

    /// Someone wants the neighbours to hear of the addresses of `instance` once more. Only a master has any.
    pub fn announce(&mut self, instance: &str) {
        self.instances.announce_once_more(instance);
    }

    /// A follower wants fresh numbers, and to hear when it has everything as it is now.
    pub fn request_changes(&mut self, after: AfterTelling) {
        self.instances.request_changes(after);
    }

    /// State of every instance, in the order of the configuration.
    pub fn states(&self) -> Vec<(&InstanceKey, &str, State)> {
        self.instances.states()
    }

    /// Name, state and effective priority of every instance, in the order of the configuration.
    pub fn standing(&self) -> Vec<(&str, State, u8)> {
        self.instances.standing()
    }

    /// What settings of links were before it changed them.
    pub const fn borrowed(&self) -> &BorrowedSettings {
        self.instances.borrowed()
    }

    /// The kernel's side, for tests and for registering descriptors.
    pub const fn kernel(&mut self) -> (&mut N, &mut P) {
        (&mut self.network, &mut self.packets)
    }

    /// Lets deadlines fire, a few at a time, and none before everything that has arrived was heard. False if there was too
    /// much to hear.
    fn hear_and_expire(&mut self, now: Instant) -> bool {
        let mut fired = 0;
        loop {
            let all_heard = self.hear(now);
            let believe = self.instances.may_believe(now, all_heard);
            let some = self.instances.expire(now, DEADLINES_AT_ONCE, believe);
            self.flush();
            fired += some;
            if some < DEADLINES_AT_ONCE || fired >= MOST_DEADLINES {
                self.instances.resume_postponed();
                return all_heard;
            }
        }
    }

    /// Hears everything that has arrived; false if there was too much for one turn.
    fn hear(&mut self, now: Instant) -> bool {
        let instances = &mut self.instances;
        self.packets.receive(MOST_PACKETS, &mut |incoming: Incoming<'_>| match incoming.source {
            IpAddr::V6(_) => instances.hear(now, &incoming, None, incoming.octets),
            IpAddr::V4(_) => {
                if let Some(packet) = ipv4::Packet::decode(incoming.octets) {
                    instances.hear(now, &incoming, packet.authentication, packet.payload);
                }
            }
        })
    }

    /// Looks at what changed about links and addresses; true if there may be more.
    fn look(&mut self, now: Instant) -> bool {
        self.events.clear();
        let all = self.network.events(&mut self.events);
        let due = self.instances.next_link().is_some_and(|at| at <= now) || self.instances.has_new_link_beats();
        if !self.events.is_empty() || due {
            self.instances.look(now, &mut self.events, &mut self.network);
        }
        !all
    }

    fn flush(&mut self) {
        self.instances.flush(&mut self.packets);
    }
}

/// Passes over events from before the first reading: one that tells of the removal of an address, for a router that goes on as master,
/// would count as a removal after that.
fn pass_over_events(network: &mut impl Network) {
    let mut old = Vec::new();
    for _ in 0..MOST_PASSED_OVER {
        if network.events(&mut old) {
            return;
        }
        old.clear();
    }
}

#[cfg(test)]
mod tests;
