//! SNMP: an AgentX sub-agent (RFC 2741) for a master such as net-snmp's `snmpd`.
//!
//! [`Agent`] is the machine. Whoever owns the socket drives it like this:
//!
//! 1. Make an [`Agent`] with the trees that the configuration asks for ([`Trees::of`]). Without any, there is no agent.
//! 2. When [`Agent::next_deadline`] has come, call [`Agent::handle_timeout`]. Carry out every [`Effect`] in order.
//! 3. [`Effect::Connect`]: connect to the master (`snmp_socket`, else [`DEFAULT_SOCKET`]) without waiting, then call
//!    [`Agent::connected`] or [`Agent::lost`].
//! 4. Give every octet that comes to [`Agent::receive`]. At the end of the stream or an error, call [`Agent::lost`].
//! 5. [`Effect::Send`]: append to what waits to be written. If more than [`MOST_UNSENT`] wait, the master does not read: close, and
//!    call [`Agent::lost`].
//! 6. Call [`Agent::update`] when the snapshot changed, and [`Agent::record`] with each record of its journals. These send traps.
//! 7. [`Effect::Write`]: an administrator set something with SNMP. Tell it to the process that has it.
//!
//! Everything that is asked for is answered at once from the [`World`] that the caller passes along: what is known now. Nothing is copied
//! and nothing is kept: a value is looked up by its place in the configuration, so a walk over 20,000 real servers costs what it shows.

mod agent;
pub mod codec;
mod notifications;
mod oid;
mod tables;
mod tree;
mod value;
mod world;

pub use agent::{Agent, Effect, MOST_UNSENT, Note};
pub use notifications::{AuthenticationError, Trap};
pub use oid::Oid;
pub use tree::{Object, Tree, Trees};
pub use value::{Value, VarBind};
pub use world::{Link, Machine, World};

use keepalived_core::vrrp::Priority;

/// Where net-snmp's `snmpd` listens unless it is told otherwise.
pub const DEFAULT_SOCKET: &str = "/var/agentx/master";

/// What an administrator set. The caller has it carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
    /// `vrrpInstanceBasePriority`
    BasePriority {
        /// `vrrp_instance NAME`
        instance: String,
        /// Its new `priority`.
        priority: Priority,
    },
    /// `vrrpInstancePreempt`
    Preempt {
        /// `vrrp_instance NAME`
        instance: String,
        /// Whether it replaces a master with a lower priority.
        preempt: bool,
    },
    /// `realServerWeight`
    RealServerWeight {
        /// The place of the virtual server in the configuration.
        service: usize,
        /// The place of the real server in it.
        server: usize,
        /// Its new `weight`.
        weight: u32,
    },
}
