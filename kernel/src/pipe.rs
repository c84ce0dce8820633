//! Messages and descriptors between our processes (`SOCK_SEQPACKET`), and sealed memory for what is larger.

use std::fs::File;
use std::io::{self, BufWriter, IntoInnerError, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::shortage::is_shortage;
use crate::socket_option;

/// The longest message; what is longer goes through [`memory`].
pub const LONGEST_MESSAGE: usize = 64 * 1024;
/// The most descriptors that one message carries.
pub const MOST_DESCRIPTORS: usize = 16;

/// One end of a connection between two processes of ours. Messages arrive whole and in order. Never blocks.
#[derive(Debug)]
pub struct Pipe {
    socket: OwnedFd,
    /// Room for the longest message, so that receiving does not have to guess.
    buffer: Vec<u8>,
}

/// What a receive yielded.
#[derive(Debug)]
pub enum Received<'a> {
    /// A message.
    Message {
        /// What it says.
        octets: &'a [u8],
        /// What came along.
        descriptors: Vec<OwnedFd>,
    },
    /// Nothing for now.
    Nothing,
    /// The other end is gone.
    Closed,
}

/// Makes a connection. Both ends are closed on exec unless handed over (`process::Launch::descriptors`).
///
/// # Errors
/// Out of descriptors.
pub fn pair() -> io::Result<(Pipe, Pipe)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    Ok((Pipe::of(one)?, Pipe::of(other)?))
}

impl Pipe {
    /// Takes the end that another process has made and handed over.
    ///
    /// # Errors
    /// Not such a socket.
    pub fn from_descriptor(socket: OwnedFd) -> io::Result<Self> {
        if rustix::net::sockopt::socket_type(&socket)? != SocketType::SEQPACKET {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a packet socket"));
        }
        rustix::io::ioctl_fionbio(&socket, true)?;
        Self::of(socket)
    }

    fn of(socket: OwnedFd) -> io::Result<Self> {
        // a few of the longest
        socket_option::send_buffer(&socket, 1024 * 1024)?;
        Ok(Self { socket, buffer: vec![0; LONGEST_MESSAGE] })
    }

    /// The same end once more.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Self::of(self.socket.try_clone()?)
    }

    /// Gives the socket back, to be handed to another process.
    pub fn into_descriptor(self) -> OwnedFd {
        self.socket
    }

    /// Sends a message with copies of `descriptors`.
    ///
    /// # Errors
    /// `WouldBlock`: the other process does not read; the message is not sent. `BrokenPipe`: it is gone.
    /// `InvalidInput`: the message is empty (which would look like the end) or above a limit of this module.
    pub fn send(&self, octets: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        if octets.is_empty() || octets.len() > LONGEST_MESSAGE || descriptors.len() > MOST_DESCRIPTORS {
            let what = format!("a message of {} octets and {} descriptors", octets.len(), descriptors.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        loop {
            match rustix::net::sendmsg(&self.socket, &[IoSlice::new(octets)], &mut control, flags) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Takes the next message, if there is one. Descriptors of it will be closed on exec. It comes without them if this process has no
    /// room for more descriptors (or there are more than the limit): whoever needs one says so, and goes on.
    ///
    /// # Errors
    /// A message above a limit of this module, which is lost; a broken socket.
    pub fn receive(&mut self) -> io::Result<Received<'_>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = loop {
            let mut parts = [IoSliceMut::new(&mut self.buffer)];
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            match rustix::net::recvmsg(&self.socket, &mut parts, &mut control, flags) {
                Ok(message) => break message,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                Err(Errno::CONNRESET) => return Ok(Received::Closed),
                Err(error) => return Err(error.into()),
            }
        };
        let mut descriptors = Vec::new();
        for part in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = part {
                descriptors.extend(files);
            }
        }
        if message.flags.contains(ReturnFlags::TRUNC) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message above the limits"));
        }
        match self.buffer.get(..message.bytes) {
            Some(octets) if !octets.is_empty() => Ok(Received::Message { octets, descriptors }),
            _ => Ok(Received::Closed),
        }
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether what failed may succeed later: the other process does not read, too many descriptors are on their way, or
/// this machine is short of something.
pub fn may_pass(error: &io::Error) -> bool {
    is_shortage(error) || Errno::from_io_error(error) == Some(Errno::TOOMANYREFS)
}

/// All seals: no process can change its content or its length.
const SEALED: SealFlags = SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// Memory for another process that no process can change any more; `write` writes its content.
///
/// # Errors
/// Out of memory or descriptors, a NUL in the name (which is only for people to see), or what `write` says.
pub fn memory(name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut writer = BufWriter::new(File::from(memory));
    write(&mut writer)?;
    let file = writer.into_inner().map_err(IntoInnerError::into_error)?;
    rustix::fs::fcntl_add_seals(&file, SEALED)?;
    Ok(file.into())
}

/// Sealed memory that is read from its beginning. Others may read the same at the same time.
#[derive(Debug)]
pub struct Sealed {
    file: File,
    length: usize,
    at: u64,
}

impl Sealed {
    /// What another process has handed over.
    ///
    /// # Errors
    /// Not sealed (it could change while it is read), or longer than `at_most`.
    pub fn open(memory: OwnedFd, at_most: usize) -> io::Result<Self> {
        if !rustix::fs::fcntl_get_seals(&memory)?.contains(SEALED) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the memory is not sealed"));
        }
        let file = File::from(memory);
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if length > at_most {
            let what = format!("{length} octets of sealed memory where at most {at_most} are expected");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Self { file, length, at: 0 })
    }

    /// In octets.
    pub const fn length(&self) -> usize {
        self.length
    }
}

impl Read for Sealed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // by position: the offset is shared by all who have the descriptor
        let count = self.file.read_at(buffer, self.at)?;
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(pipe: &mut Pipe) -> (Vec<u8>, Vec<OwnedFd>) {
        match pipe.receive().unwrap() {
            Received::Message { octets, descriptors } => (octets.to_vec(), descriptors),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn messages_stay_whole_and_in_order() {
        let (one, mut other) = pair().unwrap();
        assert!(matches!(other.receive().unwrap(), Received::Nothing));
        let longest = vec![7; LONGEST_MESSAGE];
        for octets in [b"first".as_slice(), b"second", &longest] {
            one.send(octets, &[]).unwrap();
        }
        for octets in [b"first".as_slice(), b"second", &longest] {
            assert_eq!(message(&mut other).0, octets);
        }
        drop(one);
        assert!(matches!(other.receive().unwrap(), Received::Closed));
        let gone = other.send(b"x", &[]).unwrap_err();
        assert!(gone.kind() == io::ErrorKind::BrokenPipe && !may_pass(&gone));
    }

    #[test]
    fn limits_are_refused_before_they_are_sent() {
        let (one, _other) = pair().unwrap();
        assert!(one.send(&[], &[]).is_err());
        assert!(one.send(&vec![0; LONGEST_MESSAGE + 1], &[]).is_err());
        assert!(one.send(b"x", &[one.as_fd(); MOST_DESCRIPTORS + 1]).is_err());
    }

    #[test]
    fn a_reader_that_does_not_read_blocks_nobody() {
        let (one, _other) = pair().unwrap();
        let refused = (0..100_000).find_map(|_| one.send(&[0; 4096], &[]).err()).unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(may_pass(&refused));
    }

    #[test]
    fn sealed_memory_travels_and_is_read_by_both() {
        let (one, mut other) = pair().unwrap();
        let sealed = memory("config", |writer| writer.write_all(b"the configuration")).unwrap();
        let read = |descriptor: &OwnedFd| {
            let mut octets = Vec::new();
            Sealed::open(descriptor.try_clone()?, 17)?.read_to_end(&mut octets).map(|_| octets)
        };
        one.send(b"here", &[sealed.as_fd(), one.as_fd()]).unwrap();
        let (_, descriptors) = message(&mut other);
        assert_eq!(descriptors.len(), 2);
        for descriptor in [&sealed, &descriptors[0], &descriptors[0]] {
            assert_eq!(read(descriptor).unwrap(), b"the configuration");
        }
        assert!(Sealed::open(sealed.try_clone().unwrap(), 16).is_err(), "longer than allowed");
        assert!(rustix::io::write(&sealed, b"x").is_err(), "sealed");
        assert!(Pipe::from_descriptor(sealed).is_err());
    }

    #[test]
    fn memory_that_could_still_change_is_not_read() {
        let open = rustix::fs::memfd_create("open", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        assert_eq!(Sealed::open(open, 100).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
