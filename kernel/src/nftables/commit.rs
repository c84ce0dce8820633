//! Hands transactions to the kernel.

use std::io;

use rustix::net::netlink::NETFILTER;

use super::message::Transaction;
use crate::netlink::codec::{self, Answer, Messages};
use crate::netlink::socket::{Received, Socket};
use crate::packets::BufferSize;
use crate::shortage::with_text;
use crate::socket_option;

/// What the kernel did with a transaction.
#[derive(Debug)]
pub(super) enum CommitResult {
    /// All of it is done.
    Done,
    /// Nothing of it is: these messages were refused. They are counted from the first of the transaction.
    Refused(Vec<(u32, Answer)>),
}

/// Octets of a transaction. One datagram carries all of it; the kernel takes what fits into the send buffer, and a
/// gigabyte at most.
const MOST_OCTETS: usize = 64 * 1024 * 1024;
/// Each refused message takes a kilobyte until it is read.
const REFUSALS: BufferSize = BufferSize(4 * 1024 * 1024);
/// How often we try a transaction again because another program's was in the way.
const ATTEMPTS: usize = 20;
/// `ERESTART`, which no program but this kind sees
const RESTART: i32 = 85;

/// A socket for transactions.
#[derive(Debug)]
pub(super) struct Commit {
    socket: Socket,
    sequence: u32,
    room: usize,
    /// How many transactions were carried out.
    done: u32,
}

impl Commit {
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::open(Some(NETFILTER), &[], REFUSALS)?;
        // the kernel doubles it; without privilege it stops at net.core.wmem_max
        socket_option::send_buffer(&socket, i32::try_from(MOST_OCTETS).unwrap_or(i32::MAX))?;
        let room = rustix::net::sockopt::socket_send_buffer_size(&socket)?;
        Ok(Self { socket, sequence: 1, done: 0, room: room.saturating_sub(1024).min(MOST_OCTETS) })
    }

    /// Octets that a transaction may have.
    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// How many transactions were carried out.
    pub(super) const fn done(&self) -> u32 {
        self.done
    }

    /// Starts an empty transaction.
    pub(super) fn begin(&self, transaction: &mut Transaction) {
        transaction.begin(self.sequence);
    }

    /// Has it carried out, all of it or nothing. It is empty afterwards.
    pub(super) fn run(&mut self, transaction: &mut Transaction) -> io::Result<CommitResult> {
        let outcome = self.carry_out(transaction);
        transaction.give_back();
        outcome
    }

    fn carry_out(&mut self, transaction: &mut Transaction) -> io::Result<CommitResult> {
        transaction.end();
        let (first, count) = (self.sequence, transaction.count());
        self.sequence = first.wrapping_add(count);
        let mut attempts = 1;
        loop {
            self.socket.send(transaction.octets())?;
            let refused = self.refusals(first, count)?;
            if refused.is_empty() {
                self.done = self.done.wrapping_add(1);
                return Ok(CommitResult::Done);
            }
            let passing = |answer: &Answer| matches!(answer.errno, libc::EAGAIN | libc::EINTR | RESTART);
            if attempts < ATTEMPTS && refused.iter().any(|(_, answer)| passing(answer)) {
                attempts += 1;
                continue;
            }
            // of the beginning or the end: no message is at fault
            let whole = refused.iter().find(|(at, _)| *at == 0 || at + 1 == count);
            if let Some((_, answer)) = whole {
                return Err(error_of(answer));
            }
            return Ok(CommitResult::Refused(refused));
        }
    }

    /// The kernel has worked through the transaction: what it has to say is there.
    fn refusals(&mut self, first: u32, count: u32) -> io::Result<Vec<(u32, Answer)>> {
        let (mut refused, mut lost) = (Vec::new(), false);
        loop {
            match self.socket.receive()? {
                Received::Nothing if lost && refused.is_empty() => {
                    return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
                }
                Received::Nothing => return Ok(refused),
                Received::Lost => lost = true,
                Received::Datagram(datagram) => {
                    for message in Messages(datagram).flatten().filter(|message| message.kind == codec::ERROR) {
                        let at = message.sequence.wrapping_sub(first);
                        let answer = Answer::read(message);
                        if at < count && answer.errno != 0 {
                            refused.push((at, answer));
                        }
                    }
                }
            }
        }
    }
}

/// A refusal as an error, with the kernel's words if it has any.
pub(super) fn error_of(answer: &Answer) -> io::Error {
    let error = io::Error::from_raw_os_error(answer.errno);
    match &answer.message {
        Some(message) => with_text(&error, format!("{error}: {message}")),
        None => error,
    }
}
