//! Interface names, and the addresses that a virtual router moves.

use std::fmt;
use std::net::IpAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Up to 15 octets that the kernel calls a name. Shown with replacement characters where they are no UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ShortName {
    octets: [u8; 15],
    length: u8,
}

/// What people may read (JSON) has the text, which is lossy if it is no UTF-8; frames between our processes have the octets.
impl Serialize for ShortName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&String::from_utf8_lossy(self.as_bytes()));
        }
        (self.octets, self.length).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShortName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = if deserializer.is_human_readable() {
            Self::new(String::deserialize(deserializer)?.as_bytes())
        } else {
            let (octets, length) = <([u8; 15], u8)>::deserialize(deserializer)?;
            octets.get(..usize::from(length)).and_then(Self::new)
        };
        name.ok_or_else(|| D::Error::custom("a name has 1 to 15 octets"))
    }
}

impl ShortName {
    fn new(name: &[u8]) -> Option<Self> {
        let length = u8::try_from(name.len()).ok().filter(|length| (1..=15).contains(length))?;
        let mut octets = [0; 15];
        octets.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        Some(Self { octets, length })
    }

    fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Name of a network interface: 1 to 15 octets, no `/`, no `:`, no white space (Linux `dev_valid_name`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InterfaceName(ShortName);

impl InterfaceName {
    /// `None` if the kernel would refuse it as a name.
    pub fn new(name: &[u8]) -> Option<Self> {
        let forbidden = |octet: &u8| matches!(octet, 0 | b'/' | b':') || octet.is_ascii_whitespace();
        if matches!(name, b"." | b"..") || name.iter().any(forbidden) {
            return None;
        }
        ShortName::new(name).map(Self)
    }

    /// The name without padding.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// An address label such as `eth0:10`: 1 to 15 octets without NUL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InterfaceLabel(ShortName);

impl InterfaceLabel {
    /// `None` if it does not fit the kernel's 15 octets, is empty or holds a NUL.
    pub fn new(label: &[u8]) -> Option<Self> {
        if label.contains(&0) { None } else { ShortName::new(label).map(Self) }
    }

    /// The label without padding.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

macro_rules! shows_its_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&String::from_utf8_lossy(self.as_bytes()))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

shows_its_text!(InterfaceName, InterfaceLabel);

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
    /// `use_vmac`: it is put on a virtual MAC of its `device`.
    pub use_vmac: bool,
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
            use_vmac: false,
        }
    }
}

/// `RT_SCOPE_*`: the names that iproute2 and keepalived know without any file.
const SCOPES: [(&str, u8); 5] = [("global", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)];

/// The scope that is called `name`.
pub fn scope_named(name: &[u8]) -> Option<u8> {
    SCOPES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, number)| *number)
}

/// A scope by its name, or by its number if it has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope(pub u8);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SCOPES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_kernel_takes() {
        for good in ["e", "eth0", "vrrp.51", "fifteen-octets-"] {
            assert_eq!(InterfaceName::new(good.as_bytes()).map(|name| name.to_string()).as_deref(), Some(good));
        }
        for bad in ["", ".", "..", "a/b", "a b", "a:1", "sixteen-octets--", "nul\0"] {
            assert_eq!(InterfaceName::new(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn labels_may_have_a_colon_and_names_any_octets() {
        assert_eq!(InterfaceLabel::new(b"eth0:10").map(|label| label.to_string()).as_deref(), Some("eth0:10"));
        assert_eq!(InterfaceLabel::new(b""), None);
        assert_eq!(InterfaceName::new(b"\xff0").map(|name| name.to_string()).as_deref(), Some("\u{fffd}0"));
    }
}
