//! Many packets in one system call, with what the kernel notes about each.
//!
//! Buffers are made once. What the kernel writes lengths into is made anew for each call, on the stack: a control
//! length left from the last call would cut the next packet's notes short.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::socket_option::{socket_length, zeroed};

/// Packets of one system call.
pub(crate) const MOST_PACKETS: usize = 64;
/// The longest advert there can be is one for 255 IPv6 addresses (8 + 255 × 16 octets).
const LONGEST: usize = 4352;
const CONTROL: usize = 128;

/// Notes about a packet (control messages), aligned as the kernel wants them.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Control {
    octets: [u8; CONTROL],
    length: usize,
}

const NO_NOTES: Control = Control { octets: [0; CONTROL], length: 0 };
/// `struct cmsghdr`: a `size_t` and two `int`s.
const NOTE_HEADER: usize = size_of::<usize>() + 8;

impl Control {
    /// No notes.
    pub(crate) const fn new() -> Self {
        NO_NOTES
    }

    /// Adds a note; one that does not fit is left out.
    pub(crate) fn push(&mut self, level: i32, kind: i32, value: &[u8]) {
        let length = NOTE_HEADER + value.len();
        let end = self.length + length.next_multiple_of(size_of::<usize>());
        let Some(place) = self.octets.get_mut(self.length..end) else { return };
        let note = length.to_ne_bytes().into_iter().chain(level.to_ne_bytes()).chain(kind.to_ne_bytes());
        place.iter_mut().zip(note.chain(value.iter().copied())).for_each(|(to, from)| *to = from);
        self.length = end;
    }

    /// All notes: level, kind, value.
    pub(crate) fn notes(&self) -> impl Iterator<Item = (i32, i32, &[u8])> {
        let mut rest = self.octets.get(..self.length).unwrap_or_default();
        std::iter::from_fn(move || {
            let length = usize::from_ne_bytes(*rest.first_chunk()?);
            let value = rest.get(NOTE_HEADER..length)?;
            let level = i32::from_ne_bytes(*rest.get(size_of::<usize>()..)?.first_chunk()?);
            let kind = i32::from_ne_bytes(*rest.get(size_of::<usize>() + 4..)?.first_chunk()?);
            rest = rest.get(length.next_multiple_of(size_of::<usize>())..).unwrap_or_default();
            Some((level, kind, value))
        })
    }
}

/// A socket address of any family that we use, as the kernel reads it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Name {
    octets: [u8; 28],
    length: u32,
}

impl Name {
    const NONE: Self = Self { octets: [0; 28], length: 0 };

    fn of(parts: &[&[u8]]) -> Self {
        let mut name = Self::NONE;
        let written = parts.iter().flat_map(|part| part.iter());
        name.octets.iter_mut().zip(written).for_each(|(to, from)| *to = *from);
        name.length = parts.iter().map(|part| part.len()).sum::<usize>().try_into().unwrap_or(0);
        name
    }

    /// `sockaddr_in`
    pub(crate) fn v4(address: SocketAddrV4) -> Self {
        let port = address.port().to_be_bytes();
        Self::of(&[&2_u16.to_ne_bytes(), &port, &address.ip().octets(), &[0; 8]])
    }

    /// `sockaddr_in6`
    pub(crate) fn v6(address: SocketAddrV6) -> Self {
        let (port, scope) = (address.port().to_be_bytes(), address.scope_id().to_ne_bytes());
        Self::of(&[&10_u16.to_ne_bytes(), &port, &[0; 4], &address.ip().octets(), &scope])
    }

    /// `sockaddr_ll`: out of this link, with this EtherType.
    pub(crate) fn link(index: u32, ether_type: [u8; 2]) -> Self {
        Self::of(&[&17_u16.to_ne_bytes(), &ether_type, &index.to_ne_bytes(), &[0; 4], &[0; 8]])
    }

    /// The link of a `sockaddr_ll`.
    pub(crate) fn link_index(&self) -> Option<u32> {
        let family = u16::from_ne_bytes(*self.octets.first_chunk()?);
        let index = u32::from_ne_bytes(*self.octets.get(4..)?.first_chunk()?);
        (family == 17).then_some(index)
    }

    /// The address of a `sockaddr_in`.
    pub(crate) fn ipv4(&self) -> Option<Ipv4Addr> {
        let family = u16::from_ne_bytes(*self.octets.first_chunk()?);
        let octets: &[u8; 4] = self.octets.get(4..)?.first_chunk()?;
        (family == 2).then(|| Ipv4Addr::from(*octets))
    }

    /// The address of a `sockaddr_in6`.
    pub(crate) fn ipv6(&self) -> Option<Ipv6Addr> {
        let family = u16::from_ne_bytes(*self.octets.first_chunk()?);
        let octets: &[u8; 16] = self.octets.get(8..)?.first_chunk()?;
        (family == 10).then(|| Ipv6Addr::from(*octets))
    }
}

/// A packet as it was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) octets: &'a [u8],
    pub(crate) sender: &'a Name,
    pub(crate) control: &'a Control,
}

/// Receives.
#[derive(Debug)]
pub(crate) struct Receiver {
    buffers: Vec<[u8; LONGEST]>,
    lengths: Vec<usize>,
    senders: Vec<Name>,
    controls: Vec<Control>,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            buffers: vec![[0; LONGEST]; MOST_PACKETS],
            lengths: vec![0; MOST_PACKETS],
            senders: vec![Name::NONE; MOST_PACKETS],
            controls: vec![NO_NOTES; MOST_PACKETS],
        }
    }

    /// Takes at most `most` packets and says how many there were.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
        let most = most.min(MOST_PACKETS);
        let mut vectors = [NO_VECTOR; MOST_PACKETS];
        let mut headers: [libc::mmsghdr; MOST_PACKETS] = std::array::from_fn(|_| zeroed());
        let places = self.buffers.iter_mut().zip(&mut self.senders).zip(&mut self.controls);
        for ((header, vector), ((buffer, sender), control)) in headers.iter_mut().zip(&mut vectors).zip(places) {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: LONGEST };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = number(1);
            header.msg_hdr.msg_name = sender.octets.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = socket_length::<[u8; 28]>();
            header.msg_hdr.msg_control = control.octets.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = number(CONTROL);
        }
        let count = libc::c_uint::try_from(most).unwrap_or(0);
        let flags = number_of(libc::MSG_DONTWAIT);
        let got = loop {
            // SAFETY: each of the first `count` headers points to one vector, one name and one control buffer of the
            // lengths given; all of them outlive the call and nothing else refers to them during it.
            let got =
                unsafe { libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, flags, std::ptr::null_mut()) };
            match usize::try_from(got) {
                Ok(got) => break got,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    match error.kind() {
                        io::ErrorKind::Interrupted => {}
                        io::ErrorKind::WouldBlock => return Ok(0),
                        _ => return Err(error),
                    }
                }
            }
        };
        let noted = self.lengths.iter_mut().zip(&mut self.controls).zip(&headers);
        for ((length, control), header) in noted.take(got) {
            *length = usize::try_from(header.msg_len).unwrap_or(0).min(LONGEST);
            control.length = number_from(header.msg_hdr.msg_controllen).min(CONTROL);
        }
        Ok(got)
    }

    /// The packet at `position` of those that the last call took.
    pub(crate) fn packet(&self, position: usize) -> Option<Packet<'_>> {
        Some(Packet {
            octets: self.buffers.get(position)?.get(..*self.lengths.get(position)?)?,
            sender: self.senders.get(position)?,
            control: self.controls.get(position)?,
        })
    }
}

/// A packet to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure<'a> {
    pub(crate) octets: &'a [u8],
    pub(crate) destination: Name,
    pub(crate) control: Control,
}

/// Sends.
#[derive(Debug)]
pub(crate) struct Sender {
    destinations: Vec<Name>,
    controls: Vec<Control>,
}

impl Sender {
    pub(crate) fn new() -> Self {
        Self { destinations: vec![Name::NONE; MOST_PACKETS], controls: vec![NO_NOTES; MOST_PACKETS] }
    }

    /// Sends in order; `failed` is told the position and error number of each that could not be sent.
    pub(crate) fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        packets: impl ExactSizeIterator<Item = Departure<'a>>,
        mut failed: impl FnMut(usize, i32),
    ) {
        let total = packets.len();
        let mut packets = packets.fuse();
        let mut position = 0;
        while position < total {
            let mut vectors = [NO_VECTOR; MOST_PACKETS];
            let mut headers: [libc::mmsghdr; MOST_PACKETS] = std::array::from_fn(|_| zeroed());
            let mut count = 0;
            let places = self.destinations.iter_mut().zip(&mut self.controls);
            for ((header, vector), (destination, control)) in headers.iter_mut().zip(&mut vectors).zip(places) {
                let Some(packet) = packets.next() else { break };
                (*destination, *control) = (packet.destination, packet.control);
                // the kernel only reads what it sends
                *vector =
                    libc::iovec { iov_base: packet.octets.as_ptr().cast_mut().cast(), iov_len: packet.octets.len() };
                header.msg_hdr.msg_iov = vector;
                header.msg_hdr.msg_iovlen = number(1);
                header.msg_hdr.msg_name = destination.octets.as_mut_ptr().cast();
                header.msg_hdr.msg_namelen = destination.length;
                if control.length > 0 {
                    header.msg_hdr.msg_control = control.octets.as_mut_ptr().cast();
                    header.msg_hdr.msg_controllen = number(control.length);
                }
                count += 1;
            }
            let Some(filled) = headers.get_mut(..count).filter(|filled| !filled.is_empty()) else { return };
            if !send_all(socket, filled, |at, errno| failed(position + at, errno)) {
                // no room in the socket's buffer, and none for the rest either
                (position + count..total).for_each(|at| failed(at, libc::EAGAIN));
                return;
            }
            position += count;
        }
    }
}

/// False when the socket's buffer was full; those that were left have been reported then.
///
/// The headers have to be complete: each points to one vector, a name and perhaps notes, which nothing else changes.
fn send_all(socket: BorrowedFd<'_>, headers: &mut [libc::mmsghdr], mut failed: impl FnMut(usize, i32)) -> bool {
    let mut at = 0;
    while let Some(rest) = headers.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let count = libc::c_uint::try_from(rest.len()).unwrap_or(0);
        let flags = number_of(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        // SAFETY: `rest` has `count` headers; what they point to was set by `Sender::send`, is borrowed there until
        // after this call, and is only read.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), count, flags) };
        if let Ok(sent) = usize::try_from(sent) {
            at += sent;
            continue;
        }
        let error = io::Error::last_os_error();
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => {
                (at..headers.len()).for_each(|at| failed(at, errno));
                return false;
            }
            _ => {
                failed(at, errno);
                at += 1;
            }
        }
    }
    true
}

const NO_VECTOR: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };

/// A small length in the type that this C library gives the field.
fn number<T: TryFrom<usize> + Default>(value: usize) -> T {
    T::try_from(value).unwrap_or_default()
}

/// Flags in the type that this C library gives the argument.
fn number_of<T: TryFrom<i32> + Default>(value: i32) -> T {
    T::try_from(value).unwrap_or_default()
}

/// The other way.
fn number_from(value: impl TryInto<usize>) -> usize {
    value.try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let mut control = Control::new();
        control.push(41, 50, &[7; 20]);
        control.push(41, 52, &255_i32.to_ne_bytes());
        let read: Vec<_> = control.notes().collect();
        assert_eq!(read, [(41, 50, [7; 20].as_slice()), (41, 52, 255_i32.to_ne_bytes().as_slice())]);
    }

    #[test]
    fn notes_that_are_cut_short_or_lie_about_their_length_end_the_reading() {
        let mut control = Control::new();
        control.push(41, 50, &[7; 20]);
        let whole = control.length;
        for length in 0..whole {
            control.length = length;
            assert_eq!(control.notes().count(), usize::from(length >= NOTE_HEADER + 20), "{length}");
        }
        control.length = whole;
        for lie in [0, 1, NOTE_HEADER - 1, CONTROL + 1, usize::MAX - 6, usize::MAX] {
            control.octets[..size_of::<usize>()].copy_from_slice(&lie.to_ne_bytes());
            assert_eq!(control.notes().count(), 0, "{lie}");
        }
    }

    #[test]
    fn a_note_that_does_not_fit_is_left_out() {
        let mut control = Control::new();
        control.push(1, 1, &[0; CONTROL]);
        assert_eq!(control.notes().count(), 0);
    }
}
