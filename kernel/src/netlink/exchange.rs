//! Requests and their answers, on a socket of their own.

use std::io;
use std::time::Duration;

use rustix::net::Protocol;

use super::codec::{self, Answer, Batch, Message, Messages};
use super::socket::{Received, Socket};
use crate::packets::BufferSize;

/// Requests in one datagram. Each refusal takes a kilobyte of the receive buffer until it is read.
pub(crate) const MOST_REQUESTS: usize = 256;
/// Octets of requests in one datagram.
const MOST_OCTETS: usize = 32 * 1024;
/// Room for the answers to a batch, and for a dump.
const BUFFER: BufferSize = BufferSize(4 * 1024 * 1024);
/// The kernel answers at once; this is for a machine that stands still.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket for requests, and what it takes to tell their answers apart.
#[derive(Debug)]
pub(crate) struct Exchange {
    socket: Socket,
    sequence: u32,
    batch: Batch,
}

impl Exchange {
    /// Opens the socket in the network namespace that the thread is in. Protocol `None` is `NETLINK_ROUTE`.
    pub(crate) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        Ok(Self { socket: Socket::open(protocol, &[], BUFFER)?, sequence: 1, batch: Batch::default() })
    }

    /// Asks for a list; false if it is not of one moment and should be asked for again.
    ///
    /// # Errors
    /// The kernel refuses, or is silent.
    pub(crate) fn dump(
        &mut self,
        write: impl FnOnce(&mut Batch, u16, u32),
        mut each: impl FnMut(Message<'_>),
    ) -> io::Result<bool> {
        let sequence = self.next_sequence();
        self.batch.clear();
        write(&mut self.batch, codec::REQUEST | codec::DUMP, sequence);
        self.socket.send(self.batch.octets())?;
        let mut consistent = true;
        loop {
            let datagram = match self.socket.receive()? {
                Received::Datagram(datagram) => datagram,
                // read on to the end all the same: until then the kernel refuses another dump
                Received::Lost => {
                    consistent = false;
                    continue;
                }
                Received::Nothing => {
                    if self.socket.wait(PATIENCE)? {
                        continue;
                    }
                    return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
                }
            };
            for answer in Messages(datagram) {
                let Ok(answer) = answer else {
                    consistent = false;
                    continue;
                };
                if answer.sequence != sequence {
                    continue;
                }
                consistent &= answer.flags & codec::DUMP_INTERRUPTED == 0;
                match answer.kind {
                    codec::DONE => return Ok(consistent),
                    codec::ERROR => match Answer::read(answer).errno {
                        0 => {}
                        errno => return Err(io::Error::from_raw_os_error(errno)),
                    },
                    _ => each(answer),
                }
            }
        }
    }

    /// Asks one question; `each` gets what is said before the acknowledgement.
    ///
    /// # Errors
    /// The kernel is silent. A refusal is an answer.
    pub(crate) fn ask(
        &mut self,
        write: impl FnOnce(&mut Batch, u16, u32),
        each: impl FnMut(Message<'_>),
    ) -> io::Result<Answer> {
        let sequence = self.next_sequence();
        self.batch.clear();
        write(&mut self.batch, codec::REQUEST | codec::ACK, sequence);
        self.socket.send(self.batch.octets())?;
        let answers = self.collect(sequence, 1, each)?;
        let lost = Answer { errno: libc::ENOBUFS, message: None };
        Ok(answers.and_then(|answers| answers.into_iter().next()).unwrap_or(lost))
    }

    /// Sends the first of `count` requests, as many as one datagram should hold, and says how each went. `write` is told
    /// which request to write, with what flags and number.
    ///
    /// # Errors
    /// The kernel is silent, or has more to say than the socket holds; how much was done is not known.
    pub(crate) fn submit(
        &mut self,
        count: usize,
        mut write: impl FnMut(&mut Batch, usize, u16, u32),
    ) -> io::Result<Vec<Answer>> {
        const ATTEMPTS: usize = 3;
        let first = self.sequence;
        let most = count.min(MOST_REQUESTS);
        let mut taken = 0;
        self.batch.clear();
        while taken < most {
            // an acknowledgement of the last will do: refusals come unasked, and in order
            let last = taken + 1 == most || self.batch.octets().len() >= MOST_OCTETS;
            let flags = codec::REQUEST | if last { codec::ACK } else { 0 };
            let sequence = self.next_sequence();
            write(&mut self.batch, taken, flags, sequence);
            taken += 1;
            if last {
                break;
            }
        }
        if taken == 0 {
            return Ok(Vec::new());
        }
        for _ in 0..ATTEMPTS {
            self.socket.send(self.batch.octets())?;
            if let Some(answers) = self.collect(first, taken, |_| {})? {
                return Ok(answers);
            }
            // Refusals were lost. Every request may be made twice.
        }
        Err(io::Error::from_raw_os_error(libc::ENOBUFS))
    }

    /// `None` if answers were lost.
    fn collect(
        &mut self,
        first: u32,
        count: usize,
        mut each: impl FnMut(Message<'_>),
    ) -> io::Result<Option<Vec<Answer>>> {
        let mut answers = vec![Answer { errno: 0, message: None }; count];
        let mut lost = false;
        loop {
            match self.socket.receive()? {
                Received::Lost => lost = true,
                // what was lost may have been the last
                Received::Nothing if lost => return Ok(None),
                Received::Nothing => {
                    if !self.socket.wait(PATIENCE)? {
                        return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
                    }
                }
                Received::Datagram(datagram) => {
                    let mut complete = false;
                    for answer in Messages(datagram).flatten() {
                        // numbers of earlier batches wrap to beyond the end
                        let Ok(at) = usize::try_from(answer.sequence.wrapping_sub(first)) else { continue };
                        let Some(place) = answers.get_mut(at) else { continue };
                        if answer.kind != codec::ERROR {
                            each(answer);
                            continue;
                        }
                        *place = Answer::read(answer);
                        complete |= at + 1 == count;
                    }
                    if complete && !lost {
                        return Ok(Some(answers));
                    }
                }
            }
        }
    }

    fn next_sequence(&mut self) -> u32 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        sequence
    }
}
