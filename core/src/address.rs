//! Interface names, and the addresses that a virtual router moves.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Name of a network interface: 1 to 15 octets, no `/`, no white space (Linux `dev_valid_name`).
///
/// The kernel does not ask for UTF-8; a name that is not is shown with replacement characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InterfaceName {
    octets: [u8; 15],
    length: u8,
}

impl InterfaceName {
    /// `None` if the kernel would refuse it as a name.
    pub fn new(name: &[u8]) -> Option<Self> {
        let length = u8::try_from(name.len()).ok().filter(|length| (1..=15).contains(length))?;
        if matches!(name, b"." | b"..")
            || name.iter().any(|octet| matches!(octet, 0 | b'/' | b':') || octet.is_ascii_whitespace())
        {
            return None;
        }
        let mut octets = [0; 15];
        octets.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        Some(Self { octets, length })
    }

    /// The name without padding.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What `brd` says in an address line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Broadcast {
    /// No broadcast address; keepalived's default.
    #[default]
    None,
    /// `brd +`: the highest address of the subnet.
    AllOnes,
    /// `brd -`: the lowest address of the subnet.
    AllZeros,
    /// Written out.
    Address(std::net::Ipv4Addr),
}

/// The words of an address line that are single flags (`IFA_F_*` of Linux).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct AddressFlags {
    /// `home`
    pub home: bool,
    /// `-nodad`: let duplicate address detection run; without it IPv6 addresses are added NODAD.
    pub run_dad: bool,
    /// `mngtmpaddr`
    pub manage_temporaries: bool,
    /// `noprefixroute`
    pub no_prefix_route: bool,
    /// `autojoin`
    pub autojoin: bool,
}

/// One line of `virtual_ipaddress` or `virtual_ipaddress_excluded`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// The address that moves.
    pub address: IpAddr,
    /// Prefix length; 32 or 128 unless written.
    pub prefix: u8,
    /// `dev`; the instance's interface if absent.
    pub device: Option<InterfaceName>,
    /// `scope`: `RT_SCOPE_*`, 0 is global. IPv4 only.
    pub scope: u8,
    /// `label`. IPv4 only.
    pub label: Option<InterfaceLabel>,
    /// `brd`. IPv4 only.
    pub broadcast: Broadcast,
    /// `peer`: the other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// Single-word flags.
    pub flags: AddressFlags,
    /// `preferred_lft` in seconds; `None` is for ever. IPv6 /128 defaults to 0 (deprecated: never a source).
    pub preferred_lifetime: Option<u32>,
    /// `no_track` clears it: whether losing the address concerns the instance.
    pub tracked: bool,
}

impl VirtualAddress {
    /// `address` as a line with nothing but the address gives it: host prefix, defaults of keepalived.
    pub fn host(address: IpAddr) -> Self {
        let (prefix, preferred_lifetime) = match address {
            IpAddr::V4(_) => (32, None),
            IpAddr::V6(_) => (128, Some(0)),
        };
        Self {
            address,
            prefix,
            device: None,
            scope: 0,
            label: None,
            broadcast: Broadcast::None,
            peer: None,
            flags: AddressFlags::default(),
            preferred_lifetime,
            tracked: true,
        }
    }
}

/// An address label such as `eth0:10`: 1 to 15 octets without NUL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InterfaceLabel {
    octets: [u8; 15],
    length: u8,
}

impl InterfaceLabel {
    /// `None` if it does not fit the kernel's 15 octets, is empty or holds a NUL.
    pub fn new(label: &[u8]) -> Option<Self> {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=15).contains(length))?;
        if label.contains(&0) {
            return None;
        }
        let mut octets = [0; 15];
        octets.iter_mut().zip(label).for_each(|(to, from)| *to = *from);
        Some(Self { octets, length })
    }

    /// The label without padding.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Display for InterfaceLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for InterfaceLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
