//! A netlink socket that hears the kernel only.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendFlags, SocketFlags, SocketType,
};

use socket2::{SockFilter, SockRef};

use crate::packets::BufferSize;
use crate::socket_option;

/// Non-blocking.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedFd,
    /// For one datagram; grows when one did not fit.
    buffer: Vec<u8>,
}

/// What a receive yielded.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// Messages of the kernel.
    Datagram(&'a [u8]),
    /// Nothing more for now.
    Nothing,
    /// Something was lost: the receive buffer was full, or a datagram did not fit (the next of its size will).
    Lost,
}

/// Kernel dumps come in pieces of up to this.
const FIRST_BUFFER: usize = 64 * 1024;
/// Nothing that the kernel sends is as long.
const LARGEST_BUFFER: usize = 16 * 1024 * 1024;

impl Socket {
    /// Opens a socket that hears `groups`. Protocol `None` is `NETLINK_ROUTE`.
    pub(crate) fn open(protocol: Option<Protocol>, groups: &[i32], buffer: BufferSize) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let descriptor = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        socket_option::receive_buffer(&descriptor, buffer)?;
        let level = libc::SOL_NETLINK;
        // conveniences of newer kernels; without them there are no words with a refusal
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
            let _older_kernel = socket_option::set(&descriptor, level, option, 1);
        }
        rustix::net::bind(&descriptor, &SocketAddrNetlink::new(0, 0))?;
        let socket = Self { descriptor, buffer: vec![0; FIRST_BUFFER] };
        socket.join(groups)?;
        Ok(socket)
    }

    /// Hears these groups, too.
    pub(crate) fn join(&self, groups: &[i32]) -> io::Result<()> {
        for group in groups {
            socket_option::set(&self.descriptor, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, *group)?;
        }
        Ok(())
    }

    /// Lets the kernel drop what this program does not take, before it takes room in the receive buffer or wakes us.
    pub(crate) fn filter(&self, program: &[SockFilter]) -> io::Result<()> {
        SockRef::from(&self.descriptor).attach_filter(program)
    }

    /// Hands requests to the kernel, which has worked through them when this returns.
    pub(crate) fn send(&self, octets: &[u8]) -> io::Result<()> {
        let sent = loop {
            match rustix::net::send(&self.descriptor, octets, SendFlags::empty()) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        if sent == octets.len() { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EMSGSIZE)) }
    }

    /// Takes one datagram, if there is one.
    pub(crate) fn receive(&mut self) -> io::Result<Received<'_>> {
        loop {
            let mut parts = [IoSliceMut::new(&mut self.buffer)];
            let mut no_control = RecvAncillaryBuffer::default();
            let got = rustix::net::recvmsg(&self.descriptor, &mut parts, &mut no_control, RecvFlags::DONTWAIT);
            let message = match got {
                Ok(message) => message,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                Err(Errno::NOBUFS) => return Ok(Received::Lost),
                Err(error) => return Err(error.into()),
            };
            if message.flags.contains(ReturnFlags::TRUNC) {
                let larger = self.buffer.len().saturating_mul(2).min(LARGEST_BUFFER);
                self.buffer.resize(larger, 0);
                return Ok(Received::Lost);
            }
            // any process may send to us; port 0 is the kernel
            let sender = message.address.and_then(|address| SocketAddrNetlink::try_from(address).ok());
            if sender.is_some_and(|sender| sender.pid() == 0) {
                return Ok(Received::Datagram(self.buffer.get(..message.bytes).unwrap_or_default()));
            }
        }
    }

    /// Waits until there is something to receive; false if it took too long.
    pub(crate) fn wait(&self, at_most: Duration) -> io::Result<bool> {
        let timeout = Timespec {
            tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        let mut poll = [PollFd::new(&self.descriptor, PollFlags::IN)];
        match rustix::event::poll(&mut poll, Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
