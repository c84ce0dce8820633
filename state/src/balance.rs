//! How load balancing is: what the checker process shows.

use std::collections::BTreeMap;
use std::time::Duration;

use keepalived_core::balance::{Counted, FailureKind, ServiceTraffic, Traffic};
use keepalived_core::histogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::place::{index, put};
use crate::{Journal, ProgramTotals};

/// What became different about the checker process. [`BalanceView::apply`] takes it in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BalanceChange {
    /// The view begins anew: the process did, or it has another configuration. Virtual servers follow in order, each before its real
    /// servers.
    Begins,
    /// A virtual server, by its place in the configuration. Its real servers come by themselves, so it has none here.
    Service(u32, Box<ServiceView>),
    /// A real server, by the place of its virtual server and its own place in that.
    Server(u32, u32, Box<ServerView>),
    /// What has passed to a virtual server. It changes all the time, so it is told only to a follower that asks for fresh numbers.
    Traffic(u32, Option<Box<ServiceTraffic>>),
    /// The same of a real server, and how long its checks took the last time, in their order.
    Numbers(u32, u32, Option<Box<Traffic>>, Vec<Option<Duration>>),
    /// What the process counted, told on the same condition.
    Totals(Box<BalanceTotals>),
}

impl BalanceChange {
    /// Whether it is only numbers that are counted.
    pub const fn is_number(&self) -> bool {
        matches!(self, Self::Traffic(..) | Self::Numbers(..) | Self::Totals(_))
    }
}

/// The checker process at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct BalanceView {
    /// Virtual servers, in the order of the configuration.
    pub services: Vec<ServiceView>,
    /// What the process counted.
    pub totals: BalanceTotals,
    /// What happened before. The process leaves it empty: the supervisor, which outlives it, keeps the journal.
    pub journal: Journal,
}

impl BalanceView {
    /// Takes in what became different. The journal stays. An entry whose predecessors have not come is left out: no process of ours
    /// sends one.
    pub fn apply(&mut self, change: BalanceChange) {
        match change {
            BalanceChange::Begins => {
                let journal = std::mem::take(&mut self.journal);
                *self = Self { journal, ..Self::default() };
            }
            BalanceChange::Service(place, view) => {
                let there = self.services.get_mut(index(place));
                let (servers, traffic) =
                    there.map(|there| (std::mem::take(&mut there.servers), there.traffic.take())).unwrap_or_default();
                put(&mut self.services, place, ServiceView { servers, traffic, ..*view });
            }
            BalanceChange::Server(service, place, mut view) => {
                if let Some(service) = self.services.get_mut(index(service)) {
                    if let Some(there) = service.servers.get_mut(index(place)) {
                        view.traffic = there.traffic.take();
                    }
                    put(&mut service.servers, place, *view);
                }
            }
            BalanceChange::Traffic(service, counters) => {
                if let Some(service) = self.services.get_mut(index(service)) {
                    service.traffic = counters;
                }
            }
            BalanceChange::Numbers(service, place, traffic, latencies) => {
                let service = self.services.get_mut(index(service));
                if let Some(server) = service.and_then(|service| service.servers.get_mut(index(place))) {
                    server.traffic = traffic;
                    for (check, latency) in server.checks.iter_mut().zip(latencies) {
                        check.latency = latency;
                    }
                }
            }
            BalanceChange::Totals(totals) => self.totals = *totals,
        }
    }
}

/// What the checker process counted since it started.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct BalanceTotals {
    /// What the kernel's load balancer counts; `None` before it was asked.
    pub counted: Option<Counted>,
    /// How checks went, by their keyword.
    pub checks: BTreeMap<String, CheckTotals>,
    /// Programs of checks and notifications.
    pub programs: ProgramTotals,
}

/// How the checks of one keyword went.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct CheckTotals {
    /// How long they took.
    pub latency: Histogram,
    /// Those that failed, by the kind of the failure.
    pub failures: BTreeMap<FailureKind, u64>,
}

/// One virtual server.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct ServiceView {
    /// `[192.0.2.1]:tcp:80`
    pub name: String,
    /// Whether there is a quorum.
    pub quorum_up: bool,
    /// `quorum`
    pub quorum: u32,
    /// `hysteresis`
    pub hysteresis: u32,
    /// Of all real servers that are up.
    pub weight: u64,
    /// What has passed to it; `None` is nothing.
    pub traffic: Option<Box<ServiceTraffic>>,
    /// Its real servers, in the order of the configuration.
    pub servers: Vec<ServerView>,
}

/// One real server of a virtual server.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct ServerView {
    /// `[10.0.0.1]:tcp:80`
    pub name: String,
    /// Whether no check of it is failed.
    pub up: bool,
    /// With what checks add to it.
    pub weight: u32,
    /// What has passed to it; `None` is nothing.
    pub traffic: Option<Box<Traffic>>,
    /// Its checks.
    pub checks: Vec<CheckView>,
}

/// One check of a real server.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct CheckView {
    /// `TCP_CHECK`
    pub keyword: String,
    /// Whether a result has come.
    pub has_run: bool,
    /// Whether it is not failed.
    pub up: bool,
    /// How long it took the last time.
    pub latency: Option<Duration>,
}
