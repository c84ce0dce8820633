//! Load balancing: results of checks in, the table that the kernel ought to have out.
//!
//! Sources: keepalived as observed (behaviour.md sections 7, 8 and 10), Linux `ip_vs`.

mod balancer;
mod check;
mod effect;
mod few;
mod owners;
mod params;
mod service;
mod table;
mod traffic;
mod types;
mod unsupported;
mod users;

pub use balancer::Balancer;
pub use check::{CheckResult, Meaning, Pace, Steps};
pub use effect::{Effect, Quorum, Removed, Ticket};
pub use few::Few;
pub use owners::Owners;
pub use params::{CheckId, CheckParams, Leaving, Params, Place, ServerParams, ServiceId, ServiceParams, Sorry};
pub use table::{Change, DestinationEntry, DestinationKey, Entry, ServiceEntry, ServiceKey, Table, difference};
pub use traffic::{Counted, Counters, FailureKind, ServiceTraffic, Traffic};
pub use types::{Forwarding, Granularity, Protocol, Scheduler, SchedulerFlags, Tunnel, TunnelChecksum};
pub use unsupported::Unsupported;
