//! Who follows what the engines show: with the differences alone it has to see what they show when they are asked.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keepalived_core::time::Instant;
use keepalived_core::vrrp::Counters;
use keepalived_daemon::checker;
use keepalived_daemon::message::AfterTelling;
use keepalived_daemon::vrrp;
use keepalived_kernel::fake::{FakeDirector, FakeNetwork, FakePackets};
use keepalived_state::{BalanceTotals, BalanceView, InstanceView, PacketTimes, VrrpView};

/// Turns from one comparison with all numbers to the next.
const NUMBERS: u64 = 32;
/// Turns from one comparison to the next, if nothing was told.
const COMPARE: u64 = 8;
/// A follower that loses changes loses one of so many.
const LOST: u64 = 5;

/// One follower. It does not always hear everything that there is to tell: what it has not heard changes again meanwhile.
#[derive(Debug, Default)]
pub struct Follower<V> {
    view: V,
    turns: u64,
    heard: u64,
    /// Plants a fault: it loses some of the changes.
    pub loses: bool,
}

impl<V> Follower<V> {
    /// Whether the next change reaches it.
    fn hears(&mut self) -> bool {
        self.heard += 1;
        !self.loses || !self.heard.is_multiple_of(LOST)
    }
}

impl Follower<VrrpView> {
    /// Hears some of what `engine` has to tell. Returns in what it is misled, if it has heard everything.
    pub fn follow(&mut self, engine: &mut vrrp::Engine<FakeNetwork, FakePackets>, now: Instant) -> Option<String> {
        self.turns += 1;
        let numbers = self.turns.is_multiple_of(NUMBERS);
        let clears = self.turns.is_multiple_of(2 * NUMBERS);
        if numbers {
            engine.request_changes(if clears { AfterTelling::ClearCounters } else { AfterTelling::KeepCounters });
        }
        let wall = wall(now);
        let before = self.heard;
        let (mut pieces, mut fresh) = (0, !numbers);
        while engine.has_changes() && (!fresh || pieces < self.turns % 4) {
            pieces += 1;
            let told = engine.changes(now, wall, 3);
            fresh |= told.fresh;
            for change in told.changes {
                if self.hears() {
                    self.view.apply(change);
                }
            }
        }
        if !fresh {
            return Some("it asked for everything, and does not hear that it has it".to_owned());
        }
        let is_due = self.heard != before || self.turns.is_multiple_of(COMPARE);
        if engine.has_changes() || !is_due {
            return None;
        }
        let shown = engine.view(now, wall);
        if clears && shown.instances.iter().any(|instance| instance.counters != Counters::default()) {
            return Some("counters that were told are not cleared".to_owned());
        }
        if numbers && !clears {
            return differs(&self.view, &shown);
        }
        differs(&without_numbers(&self.view), &without_numbers(&shown))
    }
}

impl Follower<BalanceView> {
    /// The same of load balancing.
    pub fn follow(&mut self, engine: &mut checker::Engine<FakeDirector>) -> Option<String> {
        self.turns += 1;
        let asks = self.turns.is_multiple_of(NUMBERS);
        if asks {
            engine.request_changes();
        }
        let before = self.heard;
        let (mut pieces, mut fresh) = (0, !asks);
        while engine.has_changes() && (!fresh || pieces < self.turns % 4) {
            pieces += 1;
            let told = engine.changes(2);
            fresh |= told.fresh;
            for change in told.changes {
                if self.hears() {
                    self.view.apply(change);
                }
            }
        }
        if !fresh {
            return Some("it asked for everything, and does not hear that it has it".to_owned());
        }
        let is_due = self.heard != before || self.turns.is_multiple_of(COMPARE);
        if engine.has_changes() || !is_due {
            return None;
        }
        let shown = engine.view();
        if asks {
            return differs(&self.view, &shown);
        }
        let without_totals = |view: &BalanceView| BalanceView { totals: BalanceTotals::default(), ..view.clone() };
        differs(&without_totals(&self.view), &without_totals(&shown))
    }
}

/// What the wall clock says: it never jumps.
fn wall(now: Instant) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(now.as_nanos())
}

fn without_numbers(view: &VrrpView) -> VrrpView {
    let stripped = |instance: &InstanceView| InstanceView {
        counters: Counters::default(),
        times: PacketTimes::default(),
        ..instance.clone()
    };
    let trackers = view.trackers.clone();
    VrrpView { instances: view.instances.iter().map(stripped).collect(), trackers, ..VrrpView::default() }
}

fn differs<V: PartialEq + Debug>(followed: &V, shown: &V) -> Option<String> {
    (followed != shown).then(|| format!("followed {followed:?}\n  shown {shown:?}"))
}
