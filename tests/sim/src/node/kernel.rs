//! What an engine asks its kernel for in the background, and when the kernel does it.

use std::collections::BTreeMap;
use std::time::Duration;

use keepalived_core::network::{Address, LinkIndex};
use keepalived_core::vrrp::Family;
use keepalived_daemon::vrrp::{Answer, Order};
use keepalived_kernel::fake::FakeSockets;
use keepalived_kernel::packets::Channel;

use super::addresses::remove_virtual;
use super::links::own;
use super::{FakeEngine, Life, Node, View};
use crate::clock::Moment;
use crate::setting::{self, Instance, Segment, Setting};

/// What the engine has asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// The kernel lets it wait.
    Order(Order<FakeSockets>),
    /// The kernel has done it.
    Done(Answer<FakeSockets>),
    /// The answer has reached the process.
    Answered(Answer<FakeSockets>),
}

impl Node {
    /// From now on the kernel takes up to `slowness` for an order, and the answer as long to reach the process.
    pub fn slow_down(&mut self, slowness: Duration) {
        self.slowness = slowness;
    }

    /// From a wish of the engine until the kernel has fulfilled it and the engine knows, at most: an order before it, a
    /// reading, and a second attempt may come first.
    pub fn slack(&self) -> Duration {
        self.slowness * 8
    }

    /// Whether the engine waits for its kernel: until then nothing is promised of addresses.
    pub const fn waits(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether the engine has asked for addresses to be changed.
    pub const fn asks_for_changes(&self) -> bool {
        matches!(self.asked, Some((_, Asked::Order(Order::Change(_)))))
    }

    /// The kernel carries the order of this number out, if that still stands.
    pub fn carry_out(&mut self, now: Moment, number: u64) {
        let Life::Up(engine) = &mut self.life else { return };
        match self.asked.take() {
            Some((of, Asked::Order(order))) if of == number => {
                self.asked = Some((of, Asked::Done(order.carry_out(engine.kernel().0))));
            }
            other => self.asked = other,
        }
        self.see_addresses();
        self.note_unannounced(now);
    }

    /// What came of it has reached the process.
    pub fn let_answer(&mut self, number: u64) {
        self.asked = match self.asked.take() {
            Some((of, Asked::Done(answer))) if of == number => Some((of, Asked::Answered(answer))),
            other => other,
        };
    }

    /// The process waits for its kernel until nothing is left to change: it stops.
    pub(super) fn wait_for_kernel(&mut self, now: Moment) {
        let Life::Up(engine) = &mut self.life else { return };
        let shown = self.clock.show(now);
        engine.set_utc(shown, now.utc());
        while engine.owes_changes() {
            match self.asked.take() {
                Some((_, Asked::Order(order))) => {
                    let answer = order.carry_out(engine.kernel().0);
                    engine.answer(shown, answer);
                }
                Some((_, Asked::Done(answer) | Asked::Answered(answer))) => engine.answer(shown, answer),
                None => {}
            }
            engine.turn(shown);
            self.asked = engine.order().map(|order| (0, Asked::Order(order)));
        }
        self.takes_back = false;
    }

    /// The process dies. What it has asked for the kernel does before it is gone, or never.
    pub(super) fn leave_kernel(&mut self) {
        let Life::Up(engine) = &mut self.life else { return };
        if let Some((number, Asked::Order(order))) = self.asked.take()
            && number.is_multiple_of(2)
        {
            order.carry_out(engine.kernel().0);
        }
        if std::mem::take(&mut self.takes_back) {
            // the supervisor remembers what the file had before, or the administrator who changed the file removes it
            let (setting, links) = (&self.setting, &self.links);
            let network = engine.kernel().0.clone();
            let stays = |place: &Address| {
                let is_own = |it: &Instance| {
                    let below = links.get(&it.segment).copied();
                    below.and_then(|below| own(&network, below, it.virtual_mac())) == Some(place.link)
                };
                let has = |it: &Instance| !it.absent && it.addresses.contains(&place.address) && is_own(it);
                setting.instances.iter().any(has)
            };
            remove_virtual(engine.kernel().0, |place| !stays(place));
        }
    }
}

/// The adverts of instances whose sockets are still to be made by a kernel that lets us wait (`waits`) are late from
/// here on.
pub(super) fn excuse_those_without_sockets(
    now: Moment,
    engine: &mut FakeEngine,
    setting: &Setting,
    links: &BTreeMap<Segment, LinkIndex>,
    waits: bool,
    views: &mut [View],
) {
    for (view, instance) in views.iter_mut().zip(&setting.instances) {
        let link = links.get(&instance.segment).copied();
        let family = match instance.family {
            setting::Family::V4 => Family::V4,
            setting::Family::V6 => Family::V6,
        };
        let (network, packets) = engine.kernel();
        let link = link.and_then(|link| own(network, link, instance.virtual_mac()));
        let open = |(_, channel): (_, &Channel)| (channel.family, channel.link) == (family, link);
        let without = waits && !packets.channels().any(open);
        if without || view.without_sockets {
            view.last_advert = now;
        }
        view.without_sockets = without;
    }
}
