//! What the kernel is asked for in the background. It may let us wait: who changes a link or an address anywhere on the machine
//! holds the kernel's lock for all of them (RTNL).
//!
//! The engine hands an [`Order`] out, its owner carries it out, and the engine gets the [`Answer`]. One at a time.

use std::io;

use keepalived_core::network::Inventory;
use keepalived_kernel::firewall::Firewall;
use keepalived_kernel::network::{Network, Refused};
use keepalived_kernel::packets::{BufferSize, Channel, Sockets};

use super::batch::{Batch, Changed};

/// What the kernel is asked for; `S` is what channels are made of.
#[derive(Debug)]
pub enum Order<S> {
    /// Addresses come and go.
    Change(Batch),
    /// Make the sockets of channels.
    Open(Vec<(Channel, BufferSize)>),
    /// Drop the sockets of channels that were closed.
    Close(Vec<S>),
    /// Read all links and addresses: events were lost.
    Read,
    /// Set the packet filter up.
    Filter(Box<Firewall>),
}

/// What came of an order.
#[derive(Debug)]
pub enum Answer<S> {
    /// Of [`Order::Change`].
    Changed(Changed),
    /// Of [`Order::Open`].
    Opened(Vec<(Channel, io::Result<S>)>),
    /// Of [`Order::Close`].
    Closed,
    /// Of [`Order::Read`].
    Read(io::Result<Inventory>),
    /// Of [`Order::Filter`].
    Filtered(Result<(), Refused>),
}

impl<S: Sockets> Order<S> {
    /// Asks the kernel, and waits for it.
    pub fn carry_out(self, network: &mut impl Network) -> Answer<S> {
        match self {
            Self::Change(batch) => Answer::Changed(batch.carry_out(network)),
            Self::Open(channels) => Answer::Opened(
                channels
                    .into_iter()
                    .map(|(channel, buffer)| {
                        let made = S::make(&channel, buffer);
                        (channel, made)
                    })
                    .collect(),
            ),
            Self::Close(sockets) => {
                drop(sockets);
                Answer::Closed
            }
            Self::Read => Answer::Read(network.inventory()),
            Self::Filter(firewall) => Answer::Filtered(network.set_firewall(&firewall)),
        }
    }
}
