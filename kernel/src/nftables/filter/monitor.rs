//! Whether others take the tables of the packet filter away, or a part of them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use keepalived_core::vrrp::Family;
use rustix::net::netlink::NETFILTER;

use super::super::message::Kind;
use super::{IPV4, IPV6};
use crate::netlink::codec::{Attributes, Messages};
use crate::netlink::socket::{Received, Socket};
use crate::packets::BufferSize;

/// `NFNLGRP_NFTABLES`
const GROUP: i32 = 7;
/// Length of `struct nfgenmsg`, which begins with the family.
const HEADER: usize = 4;
/// The name of the table, in all messages that are read here.
const TABLE: u16 = 1;
/// Each table and each set has one message when it goes; of elements that go with their set there is none.
const ROOM: BufferSize = BufferSize(1024 * 1024);
/// Datagrams that are read at a time; if there are more, it is the next time's turn.
const MOST_READ: usize = 64;
/// What others may take out of a table.
const REMOVALS: [Kind; 5] =
    [Kind::DELETE_TABLE, Kind::DELETE_CHAIN, Kind::DELETE_RULE, Kind::DELETE_SET, Kind::DELETE_ELEMENTS];

/// Hears of all transactions, ours too.
#[derive(Debug)]
pub(crate) struct Monitor {
    socket: Socket,
    table: String,
}

impl Monitor {
    /// Begins to hear of the tables `table`.
    pub(crate) fn open(table: &str) -> io::Result<Self> {
        Ok(Self { socket: Socket::open(Some(NETFILTER), &[GROUP], ROOM)?, table: table.to_owned() })
    }

    /// Which tables.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// Reads all messages: the families whose table lacks something that it had when it was last made, or both if messages were lost. A
    /// transaction of ours that leaves a family without a table counts, too.
    pub(crate) fn gone(&mut self) -> Vec<Family> {
        let mut gone = Gone::default();
        for _ in 0..MOST_READ {
            match self.socket.receive() {
                Ok(Received::Datagram(datagram)) => gone.read(datagram, &self.table),
                Ok(Received::Lost) => gone.unknown = true,
                Ok(Received::Nothing) | Err(_) => break,
            }
        }
        let families = [(Family::V4, gone.v4), (Family::V6, gone.v6)];
        families.into_iter().filter(|(_, is_gone)| *is_gone || gone.unknown).map(|(family, _)| family).collect()
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What is gone, by family.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Gone {
    v4: bool,
    v6: bool,
    unknown: bool,
}

impl Gone {
    /// A transaction of ours removes a table and makes it again: then nothing is gone.
    fn read(&mut self, datagram: &[u8], table: &str) {
        for message in Messages(datagram).flatten() {
            let family = match message.body.first() {
                Some(&IPV4) => &mut self.v4,
                Some(&IPV6) => &mut self.v6,
                _ => continue,
            };
            let is_removal = REMOVALS.iter().any(|kind| kind.number() == message.kind);
            if (is_removal || message.kind == Kind::NEW_TABLE.number()) && is_about(message.body, table) {
                *family = is_removal;
            }
        }
    }
}

fn is_about(body: &[u8], table: &str) -> bool {
    let name = body.get(HEADER..).and_then(|rest| Attributes(rest).find(|(kind, _)| *kind == TABLE));
    name.is_some_and(|(_, name)| name.strip_suffix(&[0]).unwrap_or(name) == table.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::codec::Batch;

    fn gone(messages: &[(Kind, u8, &str)]) -> (bool, bool) {
        let mut batch = Batch::default();
        for (kind, family, name) in messages {
            batch.begin(kind.number(), 0, 0, &[*family, 0, 0, 0]);
            batch.text(TABLE, name);
            batch.end();
        }
        let mut gone = Gone::default();
        gone.read(batch.octets(), "ours");
        let octets = batch.octets();
        for length in 0..octets.len() {
            Gone::default().read(&octets[..length], "ours");
        }
        (gone.v4, gone.v6)
    }

    #[test]
    fn what_is_made_again_is_not_gone() {
        let (new, table, rule) = (Kind::NEW_TABLE, Kind::DELETE_TABLE, Kind::DELETE_RULE);
        assert_eq!(
            gone(&[(new, IPV4, "ours"), (rule, IPV4, "ours"), (table, IPV4, "ours"), (new, IPV4, "ours")]),
            (false, false)
        );
        assert_eq!(gone(&[(table, IPV4, "ours")]), (true, false));
        assert_eq!(gone(&[(new, IPV6, "ours"), (rule, IPV6, "ours"), (new, IPV4, "ours")]), (false, true));
        assert_eq!(gone(&[(table, IPV4, "other"), (rule, IPV6, "ours2"), (table, 1, "ours")]), (false, false));
    }
}
