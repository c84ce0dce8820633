//! Requests and their answers, on a socket of their own.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::net::Protocol;

use super::codec::{self, Answer, Batch, Message, Messages};
use super::socket::{Received, Socket};
use crate::packets::BufferSize;
use crate::socket_option;

/// Requests in one datagram. Each refusal takes a kilobyte of the receive buffer until it is read.
const MOST_REQUESTS: usize = 256;
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
        Self::with_buffer(protocol, BUFFER)
    }

    /// Lets `buffer` octets of answers wait. If they do not fit, requests are sent in smaller batches.
    pub(crate) fn resize(&self, buffer: BufferSize) -> io::Result<()> {
        socket_option::receive_buffer(self.socket.as_fd(), buffer)
    }

    fn with_buffer(protocol: Option<Protocol>, buffer: BufferSize) -> io::Result<Self> {
        Ok(Self { socket: Socket::open(protocol, &[], buffer)?, sequence: 1, batch: Batch::default() })
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

    /// Sends the first of `count` requests, as many as one datagram should hold, and says how each went. `write` is
    /// told which request to write, with what flags and number; it may be told so more than once, and then the request
    /// may be made more than once.
    ///
    /// # Errors
    /// The kernel is silent; how much was done is not known.
    pub(crate) fn submit(
        &mut self,
        count: usize,
        mut write: impl FnMut(&mut Batch, usize, u16, u32),
    ) -> io::Result<Vec<Answer>> {
        let mut most = count.min(MOST_REQUESTS);
        while most > 0 {
            let first = self.sequence;
            let taken = self.fill(most, &mut write);
            self.socket.send(self.batch.octets())?;
            if let Some(answers) = self.collect(first, taken, |_| {})? {
                return Ok(answers);
            }
            // refusals were lost: there will be half as many
            most = taken / 2;
        }
        match count {
            0 => Ok(Vec::new()),
            _ => Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
        }
    }

    /// Writes a datagram of at most so many requests.
    fn fill(&mut self, most: usize, write: &mut impl FnMut(&mut Batch, usize, u16, u32)) -> usize {
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
        taken
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::generic;

    /// The family that every kernel has, which has no such command.
    const CONTROL: u16 = 16;
    const NO_COMMAND: u8 = 99;

    fn refused(exchange: &mut Exchange, count: usize) -> (Vec<i32>, usize) {
        let mut written = 0;
        let answers = exchange.submit(count, |batch, _, flags, sequence| {
            written += 1;
            generic::begin(batch, CONTROL, NO_COMMAND, flags, sequence);
            batch.end();
        });
        (answers.unwrap().into_iter().map(|answer| answer.errno).collect(), written)
    }

    #[test]
    fn every_request_of_a_datagram_has_its_answer() {
        let mut exchange = Exchange::open(Some(rustix::net::netlink::GENERIC)).unwrap();
        assert_eq!(refused(&mut exchange, 0), (vec![], 0));
        for _ in 0..3 {
            assert_eq!(refused(&mut exchange, 10_000), (vec![libc::EOPNOTSUPP; MOST_REQUESTS], MOST_REQUESTS));
        }
    }

    #[test]
    fn what_is_lost_for_want_of_room_is_asked_again_in_smaller_pieces() {
        let mut exchange = Exchange::with_buffer(Some(rustix::net::netlink::GENERIC), BufferSize(4096)).unwrap();
        let (answers, written) = refused(&mut exchange, 10_000);
        assert!(!answers.is_empty() && answers.len() < MOST_REQUESTS, "{}", answers.len());
        assert!(written > answers.len());
        assert!(answers.iter().all(|errno| *errno == libc::EOPNOTSUPP));
        let (again, _) = refused(&mut exchange, answers.len());
        assert_eq!(again, answers, "nothing of the first is left over");
    }
}
