//! Numbers that decide nothing: how long checks take, how they fail, what passes through the kernel's load balancer.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use keepalived_core::balance::{
    CheckId, Counted, Counters, DestinationKey, FailureKind, Forwarding, Place, ServiceId, ServiceKey, ServiceTraffic,
    Ticket, Traffic,
};
use keepalived_kernel::director::Director;
use keepalived_state::{BalanceChange, BalanceTotals, CheckTotals};

use super::super::task;
use super::Engine;

/// What is measured, besides what the kernel counts.
#[derive(Debug, Default)]
pub(super) struct Measures {
    /// How long each check took the last time, in microseconds; 0 if it did not run.
    latencies: Vec<u32>,
    /// By the keyword of the check.
    checks: BTreeMap<String, CheckTotals>,
    counted: Option<Counted>,
    /// What the kernel counted for each service, while a follower is told of it.
    services: Option<BTreeMap<ServiceKey, Counters>>,
    /// What it counted for the servers of the virtual server that the follower is told of.
    servers: BTreeMap<ServiceKey, BTreeMap<DestinationKey, Traffic>>,
}

impl Measures {
    /// Goes on with other checks; for each, which of those before it was.
    pub(super) fn reconfigure(&mut self, was: impl Iterator<Item = Option<CheckId>>) {
        let before = std::mem::take(&mut self.latencies);
        self.latencies = was.map(|was| was.and_then(|was| before.get(was.index()).copied()).unwrap_or(0)).collect();
    }

    /// How long a check took the last time.
    pub(super) fn latency(&self, check: CheckId) -> Option<Duration> {
        let micros = self.latencies.get(check.index()).copied().filter(|micros| *micros > 0)?;
        Some(Duration::from_micros(micros.into()))
    }

    fn count(&mut self, keyword: &str, check: CheckId, took: Duration, failure: Option<FailureKind>) {
        if let Some(latency) = self.latencies.get_mut(check.index()) {
            *latency = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        }
        if !self.checks.contains_key(keyword) {
            self.checks.insert(keyword.to_owned(), CheckTotals::default());
        }
        let Some(totals) = self.checks.get_mut(keyword) else { return };
        totals.latency.add(took);
        if let Some(kind) = failure {
            let count = totals.failures.entry(kind).or_default();
            *count = count.saturating_add(1);
        }
    }
}

impl<D: Director> Engine<D> {
    /// The step of `ticket` took so long to ask a server, and failed in this way. Told before [`Self::ended`].
    pub fn measured(&mut self, ticket: Ticket, took: Duration, failure: Option<FailureKind>) {
        let Some(check) = self.balancer.asks(ticket) else { return };
        let Some(keyword) = self.task(check).map(|task| task.checker.keyword()) else { return };
        self.measures.count(keyword, check, took, failure);
    }

    /// What was counted for a virtual server since it was added.
    pub(super) fn service_numbers(&mut self, id: ServiceId, place: u32) -> BalanceChange {
        let keys = self.balancer.keys(id);
        if self.measures.services.is_none() {
            let read = self.reconciler.director().service_traffic();
            self.measures.services = Some(readable(read));
            self.measures.counted = Some(self.reconciler.director().counted());
        }
        let mut sum = Counters::default();
        for counters in keys.iter().filter_map(|key| self.measures.services.as_ref()?.get(key)) {
            sum += *counters;
        }
        let director = self.reconciler.director();
        self.measures.servers = keys.iter().map(|key| (*key, readable(director.server_traffic(key)))).collect();
        let sorry = self.virtual_server(id).and_then(|server| server.settings.sorry_server.as_ref());
        let sorry = sorry.map(|sorry| (Place { address: sorry.address, port: sorry.port }, sorry.forwarding));
        let sorry = sorry.map(|(place, forwarding)| self.passed(place, forwarding)).unwrap_or_default();
        let traffic = ServiceTraffic { counters: sum, sorry };
        BalanceChange::Traffic(place, Some(traffic).filter(|it| *it != ServiceTraffic::default()).map(Box::new))
    }

    /// What was counted for a server of the virtual server that the follower is told of.
    fn passed(&self, place: Place, forwarding: Forwarding) -> Traffic {
        let mut sum = Traffic::default();
        for (key, servers) in &self.measures.servers {
            if let Some(traffic) = servers.get(&place.in_service(key, forwarding)) {
                sum += *traffic;
            }
        }
        sum
    }

    /// The same of a real server, after its virtual server.
    pub(super) fn server_numbers(&self, id: ServiceId, (service, place): (u32, u32)) -> Option<BalanceChange> {
        let number = usize::try_from(place).ok()?;
        let real = self.virtual_server(id)?.real_servers.get(number)?;
        let passed = self.passed(task::place(real), real.settings.forwarding);
        let traffic = Some(passed).filter(|passed| *passed != Traffic::default()).map(Box::new);
        let latencies = self.balancer.checks(id, number).map(|check| self.measures.latency(check)).collect();
        Some(BalanceChange::Numbers(service, place, traffic, latencies))
    }

    /// The follower has all numbers: what the kernel counted is read anew for the next one.
    pub(super) fn numbers_are_told(&mut self) {
        self.measures.services = None;
        self.measures.servers = BTreeMap::new();
    }

    /// What the process counted; programs are not its concern.
    pub(super) fn totals(&self) -> BalanceTotals {
        let (counted, checks) = (self.measures.counted, self.measures.checks.clone());
        BalanceTotals { counted, checks, ..BalanceTotals::default() }
    }
}

/// What was read. What cannot be read now is read when it is asked for again.
fn readable<T: Default>(read: io::Result<T>) -> T {
    read.inspect_err(|error| tracing::debug!("cannot read the load balancer's counters: {error}")).unwrap_or_default()
}
