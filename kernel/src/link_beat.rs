//! Asks a driver whether its link is up (linkbeat), for drivers that do not tell the kernel: by MII registers or by ethtool.
//!
//! A question may wait for whoever changes a link on this machine: not for threads that must not wait.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr;

use keepalived_core::address::InterfaceName;
use rustix::ioctl::{Opcode, Updater, ioctl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// How a driver is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// `SIOCGMIIREG`: the registers of its transceiver.
    Mii,
    /// `ETHTOOL_GLINK`
    Ethtool,
}

const SIOCETHTOOL: Opcode = 0x8946;
const SIOCGMIIPHY: Opcode = 0x8947;
const SIOCGMIIREG: Opcode = 0x8948;
const ETHTOOL_GLINK: u32 = 0x0a;

/// IEEE 802.3, 22.2.4.1: control and status.
const CONTROL: u16 = 0;
const STATUS: u16 = 1;
/// Bit 1.2: Link Status. It stays 0 after a loss until it has been read.
const LINK_STATUS: u16 = 1 << 2;
/// No transceiver answers: all lines are high.
const NOTHING: u16 = 0xffff;

/// Room for a name, with its NUL.
const NAME: usize = 16;

/// `struct ifreq`, or longer.
#[repr(C)]
struct Request {
    name: [u8; NAME],
    content: Content,
}

#[repr(C)]
union Content {
    mii: Mii,
    ethtool: *mut Ethtool,
    room: [usize; 4],
}

/// `struct mii_ioctl_data`
#[repr(C)]
#[derive(Clone, Copy)]
struct Mii {
    transceiver: u16,
    register: u16,
    to_write: u16,
    read: u16,
}

/// `struct ethtool_value`
#[repr(C)]
struct Ethtool {
    command: u32,
    data: u32,
}

/// Asks drivers, in the network namespace of the thread that made it.
#[derive(Debug)]
pub struct Drivers(OwnedFd);

impl Drivers {
    /// Ready to ask.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self(socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?))
    }

    /// Whether the driver of `interface` says that its link is up.
    ///
    /// # Errors
    /// It cannot be asked in this way, or the interface is not there.
    pub fn link_is_up(&self, interface: InterfaceName, way: Way) -> io::Result<bool> {
        let mut name = [0; NAME];
        let text = interface.to_string();
        name.iter_mut().zip(text.bytes().take(NAME - 1)).for_each(|(to, from)| *to = from);
        match way {
            Way::Mii => self.by_registers(name),
            Way::Ethtool => self.by_ethtool(name),
        }
    }

    fn by_registers(&self, name: [u8; NAME]) -> io::Result<bool> {
        let nothing = Mii { transceiver: 0, register: 0, to_write: 0, read: 0 };
        let transceiver = self.mii::<SIOCGMIIPHY>(name, nothing)?.transceiver;
        let read = |register| {
            let question = Mii { transceiver, register, ..nothing };
            Ok::<u16, io::Error>(self.mii::<SIOCGMIIREG>(name, question)?.read)
        };
        if read(CONTROL)? == NOTHING {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (before, now) = (read(STATUS)?, read(STATUS)?);
        if before == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((before | now) & LINK_STATUS != 0)
    }

    fn mii<const WHAT: Opcode>(&self, name: [u8; NAME], question: Mii) -> io::Result<Mii> {
        let mut request = Request { name, content: Content { room: [0; 4] } };
        request.content.mii = question;
        self.ask::<WHAT>(&mut request)?;
        // SAFETY: its octets were written above, and any octets are a `Mii`.
        Ok(unsafe { request.content.mii })
    }

    fn by_ethtool(&self, name: [u8; NAME]) -> io::Result<bool> {
        let mut value = Ethtool { command: ETHTOOL_GLINK, data: 0 };
        let mut request = Request { name, content: Content { room: [0; 4] } };
        request.content.ethtool = ptr::from_mut(&mut value);
        self.ask::<SIOCETHTOOL>(&mut request)?;
        Ok(value.data != 0)
    }

    fn ask<const WHAT: Opcode>(&self, request: &mut Request) -> io::Result<()> {
        // SAFETY: these opcodes read and write a `struct ifreq`, and a `Request` is as long. What it points to, with SIOCETHTOOL, is a
        // `struct ethtool_value` that outlives the call.
        let what = unsafe { Updater::<WHAT, Request>::new(request) };
        // SAFETY: as above.
        Ok(unsafe { ioctl(&self.0, what) }?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loopback interface says by ethtool that it is up; it has no registers.
    #[test]
    fn the_loopback_interface_is_asked_by_ethtool() {
        let drivers = Drivers::new().unwrap();
        let name = |text: &str| InterfaceName::new(text.as_bytes()).unwrap();
        assert!(drivers.link_is_up(name("lo"), Way::Ethtool).unwrap());
        assert!(drivers.link_is_up(name("lo"), Way::Mii).is_err());
        let missing = drivers.link_is_up(name("no-such-link"), Way::Ethtool).unwrap_err();
        assert_eq!(missing.raw_os_error(), Some(libc::ENODEV));
    }
}
