//! Tasks of checks. They refer to the configuration and copy nothing of it: large sites have tens of thousands.

use std::rc::Rc;

use keepalived_config::model::{Checker, Config, RealServer, VirtualServer};
use keepalived_core::balance::Place;

/// Where a check is in a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spot {
    pub(super) service: u32,
    pub(super) server: u32,
    pub(super) checker: u32,
}

/// A check, its real server and its virtual server. A check that several virtual servers share belongs to the first one.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The virtual server.
    pub service: &'a VirtualServer,
    /// The server that it checks.
    pub server: &'a RealServer,
    /// Its settings.
    pub checker: &'a Checker,
}

impl<'a> Task<'a> {
    pub(super) fn at(config: &'a Config, spot: Spot) -> Option<Self> {
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let service = config.virtual_servers.get(place(spot.service))?;
        let server = service.real_servers.get(place(spot.server))?;
        Some(Self { service, server, checker: server.checkers.get(place(spot.checker))? })
    }

    /// Where the server is.
    pub fn place(&self) -> Place {
        place(self.server)
    }

    /// The host that a step asks for; `None` is the address.
    pub fn host(&self, step: usize) -> Option<&'a str> {
        match self.checker {
            Checker::Http(check) => check.host(check.urls.get(step)?, self.server, self.service),
            Checker::Grpc(check) => check.host(self.server, self.service),
            _ => None,
        }
    }

    /// All hosts that it asks for.
    pub(super) fn hosts(&self) -> impl Iterator<Item = Option<&'a str>> {
        let count = match self.checker {
            Checker::Http(check) => check.urls.len(),
            Checker::Grpc(_) => 1,
            _ => 0,
        };
        (0..count).map(|step| self.host(step))
    }
}

/// A task that outlives a change of the configuration.
#[derive(Clone, Debug)]
pub struct Held {
    config: Rc<Config>,
    spot: Spot,
}

impl Held {
    pub(super) fn new(config: &Rc<Config>, spot: Spot) -> Self {
        Self { config: Rc::clone(config), spot }
    }

    /// The task; there always is one.
    pub fn task(&self) -> Option<Task<'_>> {
        Task::at(&self.config, self.spot)
    }
}

/// Where a real server is.
pub(super) fn place(real: &RealServer) -> Place {
    Place { address: real.address, port: real.port }
}
