//! Numbers that decide nothing: how long checks take, how they fail, what passes through the kernel's load balancer.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use keepalived_core::balance::{
    CheckId, Counted, Counters, FailureKind, Forwarding, Place, ServiceId, ServiceKey, ServiceTraffic, Ticket, Traffic,
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
    reading: Reading,
}

/// What the kernel counted for the servers of the virtual server that the follower is told of.
#[derive(Debug, Default)]
struct Reading {
    of: Option<ServiceId>,
    /// How many of its keys were read: a group may have very many.
    keys: usize,
    /// The sums over these.
    servers: Vec<Traffic>,
    sorry: Traffic,
    /// One of them could not be read: the follower keeps what it has of this virtual server.
    failed: bool,
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

    /// Reads some of what the kernel counted for a virtual server and its servers. True once all of it has been read.
    ///
    /// # Errors
    /// Nothing can be read now.
    pub(super) fn read_numbers(&mut self, id: ServiceId) -> io::Result<bool> {
        let director = self.reconciler.director();
        if self.measures.services.is_none() {
            self.measures.services = Some(director.service_traffic()?);
            self.measures.counted = Some(director.counted());
        }
        let number = usize::try_from(id.0).ok();
        let Some(server) = number.and_then(|number| self.config.virtual_servers.get(number)) else { return Ok(true) };
        let reading = &mut self.measures.reading;
        if reading.of != Some(id) {
            let servers = vec![Traffic::default(); server.real_servers.len()];
            *reading = Reading { of: Some(id), servers, ..Reading::default() };
        }
        let keys = self.balancer.keys(id);
        let Some(key) = keys.get(reading.keys) else { return Ok(true) };
        let passed = match director.server_traffic(key) {
            Ok(passed) => passed,
            Err(error) => {
                tracing::debug!("cannot read the load balancer's counters of {key:?}: {error}");
                reading.failed = true;
                return Ok(true);
            }
        };
        let passed_to = |place: Place, forwarding: Forwarding| passed.get(&place.in_service(key, forwarding));
        for (sum, real) in reading.servers.iter_mut().zip(&server.real_servers) {
            *sum += passed_to(task::place(real), real.settings.forwarding).copied().unwrap_or_default();
        }
        if let Some(sorry) = &server.settings.sorry_server {
            let place = Place { address: sorry.address, port: sorry.port };
            reading.sorry += passed_to(place, sorry.forwarding).copied().unwrap_or_default();
        }
        reading.keys += 1;
        Ok(reading.keys >= keys.len())
    }

    /// What was counted for a virtual server since it was added, once that has been read.
    pub(super) fn service_numbers(&self, id: ServiceId, place: u32) -> Option<BalanceChange> {
        if self.measures.reading.failed {
            return None;
        }
        let mut sum = Counters::default();
        let keys = self.balancer.keys(id);
        for counters in keys.iter().filter_map(|key| self.measures.services.as_ref()?.get(key)) {
            sum += *counters;
        }
        let traffic = ServiceTraffic { counters: sum, sorry: self.measures.reading.sorry };
        let traffic = Some(traffic).filter(|it| *it != ServiceTraffic::default()).map(Box::new);
        Some(BalanceChange::Traffic(place, traffic))
    }

    /// The same of a real server, after its virtual server.
    pub(super) fn server_numbers(&self, id: ServiceId, (service, place): (u32, u32)) -> Option<BalanceChange> {
        let number = usize::try_from(place).ok().filter(|_| !self.measures.reading.failed)?;
        let passed = self.measures.reading.servers.get(number).copied()?;
        let traffic = Some(passed).filter(|passed| *passed != Traffic::default()).map(Box::new);
        let latencies = self.balancer.checks(id, number).map(|check| self.measures.latency(check)).collect();
        Some(BalanceChange::Numbers(service, place, traffic, latencies))
    }

    /// The follower has all numbers, or asks anew: what the kernel counted is read once more the next time.
    pub(super) fn forget_numbers(&mut self) {
        (self.measures.services, self.measures.reading) = (None, Reading::default());
    }

    /// What the process counted; programs are not its concern.
    pub(super) fn totals(&self) -> BalanceTotals {
        let (counted, checks) = (self.measures.counted, self.measures.checks.clone());
        BalanceTotals { counted, checks, ..BalanceTotals::default() }
    }
}
