//! How load balancing is, for those who show it: all of it, and what became different.

use keepalived_config::model::{Config, VirtualServer};
use keepalived_core::balance::{CheckId, ServiceId};
use keepalived_kernel::director::Director;
use keepalived_state::{BalanceChange, BalanceView, CheckView, ServerView, ServiceView};

use super::super::{names, task};
use super::Engine;
use crate::changes::{ChangeQueue, NextChange};
use crate::message::Changes;

/// Numbers of real servers that make as much work as an entry of the view.
const NUMBERS_OF_ENTRY: usize = 16;

/// What its follower has to be told of. Entries are numbered through: each virtual server, then its real servers.
#[derive(Debug, Default)]
pub(super) struct PendingChanges {
    queue: ChangeQueue,
    /// Number of each virtual server, and how many entries there are.
    numbers: Vec<u32>,
}

/// What an entry is about: a virtual server, or a real server of it.
type About = (u32, Option<u32>);

impl PendingChanges {
    /// Everything, by another configuration.
    pub(super) fn begin(&mut self, config: &Config) {
        let counts = config.virtual_servers.iter().map(|server| server.real_servers.len().saturating_add(1));
        let mut next = 0_u32;
        self.numbers = std::iter::once(0)
            .chain(counts.map(|count| {
                next = next.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                next
            }))
            .collect();
        self.queue.begin(next);
    }

    /// A virtual server is different.
    pub(super) fn service(&mut self, id: ServiceId) {
        if let Some(number) = self.numbers.get(position(id.0)) {
            self.queue.mark(*number);
        }
    }

    /// A real server is different.
    pub(super) fn server(&mut self, id: ServiceId, place: usize) {
        if let (Some(number), Ok(place)) = (self.numbers.get(position(id.0)), u32::try_from(place)) {
            self.queue.mark(number.saturating_add(place).saturating_add(1));
        }
    }

    fn about(&self, entry: u32) -> Option<About> {
        let service = self.numbers.partition_point(|number| *number <= entry).checked_sub(1)?;
        let server = entry.checked_sub(*self.numbers.get(service)?)?;
        Some((u32::try_from(service).ok()?, server.checked_sub(1)))
    }
}

fn position(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl<D: Director> Engine<D> {
    /// How load balancing is; the journal is the supervisor's.
    pub fn view(&self) -> BalanceView {
        let mut view = BalanceView { totals: self.totals(), ..BalanceView::default() };
        for (id, server) in (0..).map(ServiceId).zip(&self.config.virtual_servers) {
            let Some(service) = self.service_view(id, server) else { continue };
            let servers = (0..server.real_servers.len()).filter_map(|place| self.server_view(id, server, place));
            view.services.push(ServiceView { servers: servers.collect(), ..service });
        }
        view
    }

    /// What became different about [`Self::view`] since the last call: `most` entries of it, or what makes as much work.
    pub fn changes(&mut self, most: usize) -> Changes<BalanceChange> {
        let mut told = Changes { changes: Vec::new(), fresh: false };
        let mut work = 0;
        while work < most.saturating_mul(NUMBERS_OF_ENTRY)
            && let Some(next) = self.pending.queue.take()
        {
            match next {
                NextChange::Begins => told.changes.push(BalanceChange::Begins),
                NextChange::Entry(entry) => {
                    work += NUMBERS_OF_ENTRY;
                    told.changes.extend(self.change(entry));
                }
                NextChange::Numbers(entry) => match self.pending.about(entry) {
                    // these are read from the kernel
                    Some((service, None)) => {
                        work += NUMBERS_OF_ENTRY;
                        match self.read_numbers(ServiceId(service)) {
                            Ok(true) => told.changes.extend(self.service_numbers(ServiceId(service), service)),
                            Ok(false) => self.pending.queue.put_back(entry),
                            Err(error) => {
                                tracing::debug!("cannot read the load balancer's counters: {error}");
                                self.pending.queue.leave_out_numbers();
                            }
                        }
                    }
                    Some((service, Some(place))) => {
                        work += 1;
                        told.changes.extend(self.server_numbers(ServiceId(service), (service, place)));
                    }
                    None => {}
                },
                NextChange::Fresh => {
                    self.forget_numbers();
                    told.changes.push(BalanceChange::Totals(Box::new(self.totals())));
                    told.fresh = true;
                    break;
                }
            }
        }
        told
    }

    /// Whether [`Self::changes`] has something.
    pub fn has_changes(&self) -> bool {
        !self.pending.queue.is_empty()
    }

    /// Whether a follower waits for fresh numbers.
    pub const fn is_asked(&self) -> bool {
        self.pending.queue.is_requested()
    }

    /// A follower wants fresh numbers, and to hear when it has everything as it is now.
    pub fn request_changes(&mut self) {
        self.forget_numbers();
        self.pending.queue.request(self.pending.numbers.last().copied().unwrap_or_default());
    }

    fn change(&self, entry: u32) -> Option<BalanceChange> {
        let (service, place) = self.pending.about(entry)?;
        let id = ServiceId(service);
        let server = self.virtual_server(id)?;
        Some(match place {
            None => BalanceChange::Service(service, Box::new(self.service_view(id, server)?)),
            Some(place) => {
                let view = self.server_view(id, server, position(place))?;
                BalanceChange::Server(service, place, Box::new(view))
            }
        })
    }

    /// Without its real servers.
    fn service_view(&self, id: ServiceId, server: &VirtualServer) -> Option<ServiceView> {
        let quorum = self.balancer.quorum(id)?;
        Some(ServiceView {
            name: names::of_service(&server.service),
            quorum_up: quorum.up,
            quorum: quorum.quorum,
            hysteresis: quorum.hysteresis,
            weight: quorum.weight,
            ..ServiceView::default()
        })
    }

    fn server_view(&self, id: ServiceId, server: &VirtualServer, place: usize) -> Option<ServerView> {
        let real = server.real_servers.get(place)?;
        let (up, weight) = self.balancer.server(id, place)?;
        let checks = self.balancer.checks(id, place).filter_map(|check| self.check_view(check)).collect();
        let name = names::of_server(server, task::place(real));
        Some(ServerView { name, up, weight, checks, ..ServerView::default() })
    }

    fn check_view(&self, check: CheckId) -> Option<CheckView> {
        let (has_run, up) = self.balancer.check(check)?;
        let keyword = self.task(check)?.checker.keyword().to_owned();
        Some(CheckView { keyword, has_run, up, latency: self.measures.latency(check) })
    }
}
