//! How load balancing is: what the checker process shows.

use serde::{Deserialize, Serialize};

use crate::Journal;
use crate::place::{index, put};

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
}

/// The checker process at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct BalanceView {
    /// Virtual servers, in the order of the configuration.
    pub services: Vec<ServiceView>,
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
                let servers = self.services.get_mut(index(place)).map(|there| std::mem::take(&mut there.servers));
                put(&mut self.services, place, ServiceView { servers: servers.unwrap_or_default(), ..*view });
            }
            BalanceChange::Server(service, place, view) => {
                if let Some(service) = self.services.get_mut(index(service)) {
                    put(&mut service.servers, place, *view);
                }
            }
        }
    }
}

/// One virtual server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// Its real servers, in the order of the configuration.
    pub servers: Vec<ServerView>,
}

/// One real server of a virtual server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServerView {
    /// `[10.0.0.1]:tcp:80`
    pub name: String,
    /// Whether no check of it is failed.
    pub up: bool,
    /// With what checks add to it.
    pub weight: u32,
    /// Its checks.
    pub checks: Vec<CheckView>,
}

/// One check of a real server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckView {
    /// `TCP_CHECK`
    pub keyword: String,
    /// Whether a result has come.
    pub has_run: bool,
    /// Whether it is not failed.
    pub up: bool,
}
