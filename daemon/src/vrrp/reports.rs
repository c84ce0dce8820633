//! What the routers report, and how much of it is logged.
//!
//! Other routers decide how often states change, and other programs how often addresses come back: what they can make
//! us log is bounded in time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keepalived_core::pace::Pace;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::State;
use keepalived_core::vrrp::tracking::TrackerId;

use super::report::{Report, Said};

/// Lines about one router that may follow one upon the other.
const OF_A_ROUTER: u32 = 20;
/// One more after each of these.
const PAUSE: Duration = Duration::from_secs(3);
/// Lines about all routers that may follow one upon the other, and some for each router: all of them may start at once.
const OF_ALL: u32 = 200;
const FOR_EACH: u32 = 4;
/// One more after each of these.
const PAUSE_OF_ALL: Duration = Duration::from_millis(50);

/// Reports that wait, and what may still be logged.
#[derive(Debug)]
pub(super) struct Reports {
    waiting: Vec<Report>,
    all: Pace,
    routers: HashMap<Arc<str>, Pace>,
    trackers: HashMap<TrackerId, Pace>,
    /// Lines that were left out, and that nothing was said of yet.
    left_out: BTreeMap<Arc<str>, u64>,
}

impl Default for Reports {
    fn default() -> Self {
        let all = Pace::new(OF_ALL, PAUSE_OF_ALL);
        let (routers, trackers) = (HashMap::new(), HashMap::new());
        Self { waiting: Vec::new(), all, routers, trackers, left_out: BTreeMap::new() }
    }
}

impl Extend<Report> for Reports {
    fn extend<I: IntoIterator<Item = Report>>(&mut self, reports: I) {
        self.waiting.extend(reports);
    }
}

impl Reports {
    /// Adds one.
    pub(super) fn push(&mut self, report: Report) {
        self.waiting.push(report);
    }

    /// Takes all that wait, without what is too much; `state` is that of an instance or a group.
    pub(super) fn take(&mut self, now: Instant, state: impl Fn(&str) -> Option<State>) -> Vec<Report> {
        let mut reports = std::mem::take(&mut self.waiting);
        self.thin(now, &mut reports, state);
        reports
    }

    /// These are the routers from now on.
    pub(super) fn configure<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let names: BTreeSet<&str> = names.collect();
        self.routers.retain(|name, _| names.contains(&**name));
        self.left_out.retain(|name, _| names.contains(&**name));
        self.trackers.clear();
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        self.all = Pace::new(OF_ALL.saturating_add(count.saturating_mul(FOR_EACH)), PAUSE_OF_ALL);
    }

    /// Takes out of `reports` what is too much. What others hear of, too, stays, and is not logged.
    fn thin(&mut self, now: Instant, reports: &mut Vec<Report>, state: impl Fn(&str) -> Option<State>) {
        self.sum_up(now, reports, state);
        reports.retain_mut(|report| {
            if let Report::Tracker { tracker, said, .. } = report {
                if !self.may_of(now, tracker) {
                    *said = Said::No;
                }
                return true;
            }
            let Some(name) = caused_by_others(report) else { return true };
            if self.may(now, &name) {
                return true;
            }
            *self.left_out.entry(name).or_default() += 1;
            match report {
                Report::Transition { said, .. } | Report::Group { said, .. } | Report::Priority { said, .. } => {
                    *said = Said::No;
                    true
                }
                _ => false,
            }
        });
    }

    /// When there is something to sum up.
    pub(super) fn next(&mut self, now: Instant) -> Option<Instant> {
        let all = self.all.next(now);
        let (routers, names) = (&mut self.routers, self.left_out.keys());
        let next = names.map(|name| routers.get_mut(name).and_then(|pace| pace.next(now)).max(all).unwrap_or(now));
        next.min()
    }

    /// Says how many lines were left out of routers that may say something again.
    fn sum_up(&mut self, now: Instant, reports: &mut Vec<Report>, state: impl Fn(&str) -> Option<State>) {
        for (name, count) in std::mem::take(&mut self.left_out) {
            if !self.may(now, &name) {
                self.left_out.insert(name, count);
            } else if let Some(state) = state(&name) {
                reports.push(Report::LeftOut { name, count, state });
            }
        }
    }

    /// Whether a line about a tracker may be logged; what follows from its results is said, and summed up, of the routers.
    fn may_of(&mut self, now: Instant, tracker: &TrackerId) -> bool {
        let pace = self.trackers.entry(tracker.clone()).or_insert_with(|| Pace::new(OF_A_ROUTER, PAUSE));
        pace.next(now).is_none() && self.all.take(now) && pace.take(now)
    }

    /// Whether a line about `name` may be logged; it counts as logged then.
    fn may(&mut self, now: Instant, name: &Arc<str>) -> bool {
        let router = self.routers.entry(Arc::clone(name)).or_insert_with(|| Pace::new(OF_A_ROUTER, PAUSE));
        // no token of one without one of the other
        router.next(now).is_none() && self.all.take(now) && router.take(now)
    }
}

/// The router that a report is about, if others decide how often it comes.
fn caused_by_others(report: &Report) -> Option<Arc<str>> {
    match report {
        Report::Transition { name, .. }
        | Report::Group { name, .. }
        | Report::Note { name, .. }
        | Report::Priority { name, .. }
        | Report::Unsent { name, .. }
        | Report::AddressLost { name, .. }
        | Report::AddressRefused { name, .. }
        | Report::RouteLost { name, .. }
        | Report::RouteRefused { name, .. }
        | Report::Duplicate { name, .. } => Some(Arc::clone(name)),
        Report::LeftOut { .. }
        | Report::LowerPriority { .. }
        | Report::LeftOver { .. }
        | Report::Unguarded { .. }
        | Report::AddressInterface { .. }
        | Report::NoDevice { .. }
        | Report::RouteLeftOver { .. }
        | Report::Tracker { .. }
        | Report::WithoutDevice { .. }
        | Report::NotPromoted { .. }
        | Report::NoChannel { .. }
        | Report::UnknownVrid { .. }
        | Report::Overrun
        | Report::FirewallRefused { .. }
        | Report::FirewallLost => None,
    }
}
