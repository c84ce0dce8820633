//! What has to be known about the machine to judge a configuration.

use keepalived_core::address::InterfaceName;

/// What matters of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterfaceFacts {
    /// `IFF_MULTICAST`
    pub multicast: bool,
    /// How many octets a packet may have.
    pub mtu: u32,
    /// `IFF_LOOPBACK`
    pub loopback: bool,
}

impl InterfaceFacts {
    /// An ordinary Ethernet.
    pub const ETHERNET: Self = Self { multicast: true, mtu: 1500, loopback: false };
}

/// Answers questions about the machine. The loader asks and never looks for itself.
pub trait Facts {
    /// The interface `name`; `None` if there is none now.
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts>;
}

/// A machine that has every interface: for checking a file that is meant for another machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AnyInterface;

impl Facts for AnyInterface {
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts> {
        Some(InterfaceFacts { loopback: name.as_bytes() == b"lo", ..InterfaceFacts::ETHERNET })
    }
}
