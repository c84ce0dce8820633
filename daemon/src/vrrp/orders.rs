//! What the kernel is asked for in the background. It may let us wait: who changes a link or an address anywhere on the machine
//! holds the kernel's lock for all of them (RTNL).
//!
//! The engine hands an [`Order`] out, its owner carries it out, and the engine gets the [`Answer`]. One at a time.

use std::io;

use keepalived_kernel::network::{Inventory, Network};

use super::holdings::{Batch, Changed};

/// What the kernel is asked for.
#[derive(Clone, Debug)]
pub enum Order {
    /// Addresses come and go.
    Change(Batch),
    /// Read all links and addresses: events were lost.
    Read,
}

/// What came of an order.
#[derive(Debug)]
pub enum Answer {
    /// Of [`Order::Change`].
    Changed(Changed),
    /// Of [`Order::Read`].
    Read(io::Result<Inventory>),
}

impl Order {
    /// Asks the kernel, and waits for it.
    pub fn carry_out(self, network: &mut impl Network) -> Answer {
        match self {
            Self::Change(batch) => Answer::Changed(batch.carry_out(network)),
            Self::Read => Answer::Read(network.inventory()),
        }
    }
}
