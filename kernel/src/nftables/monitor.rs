//! What others do to our tables, as the kernel tells it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::netlink::NETFILTER;

use super::table::OurTable;
use crate::netlink::codec::{Attributes, Messages};
use crate::netlink::socket::{Received, Socket};
use crate::packets::BufferSize;
use crate::socket_option;

/// `NFNLGRP_NFTABLES`
const GROUP: i32 = 7;
/// Length of `struct nfgenmsg`.
const HEADER: usize = 4;
/// In messages about tables, chains, rules, sets, elements and objects alike: the name of the table.
const TABLE: u16 = 1;
/// What does not fit says as much as what does: something happened.
const ROOM: BufferSize = BufferSize(64 * 1024);
/// Datagrams that are read at a time; if there are more, it is the next time's turn.
const MOST_READ: usize = 64;

/// Hears of transactions, except of those between [`Self::mute`] and [`Self::unmute`].
#[derive(Debug)]
pub(super) struct Monitor {
    socket: Socket,
}

impl Monitor {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { socket: Socket::open(Some(NETFILTER), &[GROUP], ROOM)? })
    }

    /// Hears nothing: what follows is our own, and the kernel would write a message for each element of it. What others
    /// do meanwhile is found by the next look.
    pub(super) fn mute(&self) {
        // if that fails our own is heard, and looked at in vain
        let _heard = socket_option::set(&self.socket, libc::SOL_NETLINK, libc::NETLINK_DROP_MEMBERSHIP, GROUP);
    }

    /// Ends [`Self::mute`].
    pub(super) fn unmute(&self) -> io::Result<()> {
        socket_option::set(&self.socket, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, GROUP)
    }

    /// Reads all messages: whether one is about `table`, or messages were lost.
    pub(super) fn is_about(&mut self, table: &str) -> bool {
        let mut any = false;
        for _ in 0..MOST_READ {
            match self.socket.receive() {
                Ok(Received::Datagram(datagram)) => {
                    let mut messages = Messages(datagram).flatten();
                    any |= messages.any(|message| concerns(message.body, table));
                }
                Ok(Received::Lost) => any = true,
                Ok(Received::Nothing) | Err(_) => break,
            }
        }
        any
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a message is about a table of ours.
fn concerns(body: &[u8], table: &str) -> bool {
    let Some((_, name)) = body.get(HEADER..).and_then(|rest| Attributes(rest).find(|(kind, _)| *kind == TABLE)) else {
        return false;
    };
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    OurTable::ALL.into_iter().any(|ours| ours.name(table).as_bytes() == name)
}
