//! The tables of [`Marks`]: each is replaced as a whole, in one transaction, so that no packet goes without its mark meanwhile.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use keepalived_core::balance::Protocol;
use keepalived_core::vrrp::Family;
use rustix::net::netlink::NETFILTER;

use super::commit::{Commit, CommitResult, error_of};
use super::expression::{Header, META_MARK, RETURN, Register};
use super::filter::{self, Monitor};
use super::message::{CONCATENATED, Data, Element, Hook, INTERVAL, Kind, MAP, Set, Transaction};
use super::read;
use super::table::{address_kind, kind};
use crate::marks::{MarkedRange, Marks};
use crate::netlink::exchange::Exchange;

const CHAIN: &str = "in";
/// `NF_INET_LOCAL_IN`
const INPUT: u32 = 1;
/// `NFT_META_L4PROTO`
const META_L4PROTO: u32 = 16;
const FIRST: Register = Register(0);

/// Keeps the tables of the network namespace that the thread was in when it was opened.
#[derive(Debug)]
pub struct Marking {
    commit: Commit,
    monitor: Option<Monitor>,
    /// Families that have a table of ours.
    there: Vec<Family>,
}

impl Marking {
    /// Opens tables named `table`. Nothing is changed.
    ///
    /// # Errors
    /// The kernel has no nftables.
    pub fn open(table: &str) -> io::Result<Self> {
        if read::generation(&mut Exchange::open(Some(NETFILTER))?)?.is_none() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self { commit: Commit::open()?, monitor: Monitor::open(table).ok(), there: Vec::new() })
    }

    /// Makes the tables what `marks` says.
    ///
    /// # Errors
    /// The kernel refuses. One family may have its table, and the other not.
    pub fn set(&mut self, marks: &Marks) -> io::Result<()> {
        self.there.clear();
        for family in [Family::V4, Family::V6] {
            let is_empty = marks.is_empty(family);
            let mut transaction = Transaction::new(&marks.table);
            self.commit.begin(&mut transaction);
            transaction.at_table(filter::number(family), &marks.table);
            // one that is there goes, and none has to be there for that
            transaction.new_table();
            transaction.delete_table();
            if !is_empty {
                transaction.new_table();
                write(&mut transaction, marks, family);
            }
            let outcome = self.commit.run(&mut transaction)?;
            match outcome {
                CommitResult::Refused(refused) => {
                    if let Some((_, answer)) = refused.first()
                        && !(is_empty && filter::is_missing(answer))
                    {
                        return Err(error_of(answer));
                    }
                }
                CommitResult::Done if !is_empty => self.there.push(family),
                CommitResult::Done => {}
            }
        }
        Ok(())
    }

    /// Readable when anybody has made a transaction; none if the kernel does not tell.
    pub fn monitor(&self) -> Option<BorrowedFd<'_>> {
        self.monitor.as_ref().map(AsFd::as_fd)
    }

    /// Whether others have taken away something of ours.
    pub fn was_disturbed(&mut self) -> bool {
        let gone = self.monitor.as_mut().map(Monitor::gone).unwrap_or_default();
        gone.iter().any(|family| self.there.contains(family))
    }
}

fn protocol_number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

fn map_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp_map",
        Protocol::Udp => "udp_map",
        Protocol::Sctp => "sctp_map",
    }
}

/// A chain, and for each protocol a map from addresses and ports to marks, with the rule that looks into it.
fn write(to: &mut Transaction, marks: &Marks, family: Family) {
    to.new_chain(CHAIN, Some(Hook { kind: "filter", number: INPUT, priority: marks.priority }));
    let key = [address_kind(family), (kind::PORT, 4)];
    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
        let mut ranges = marks.of(family).filter(|range| range.protocol == protocol).peekable();
        if ranges.peek().is_none() {
            continue;
        }
        let map = map_name(protocol);
        to.new_set(&Set {
            name: map,
            flags: MAP | INTERVAL | CONCATENATED,
            key: &key,
            data: Data::Value(&[(kind::MARK, 4)]),
            most: None,
            native_key: false,
            native_data: true,
            counts: marks.counters,
        });
        to.elements(Kind::NEW_ELEMENTS, map, ranges.map(element));
        let (offset, octets) = match family {
            Family::V4 => (16, 4),
            Family::V6 => (24, 16),
        };
        to.new_rule(CHAIN, None, |it| {
            it.meta(FIRST, META_L4PROTO);
            it.equals(FIRST, &[protocol_number(protocol)]);
            it.payload(FIRST, Header::Network, offset, octets);
            // behind the address; the port has the same place in all three
            it.payload(Register(octets / 4), Header::Transport, 2, 2);
            it.look_up(map, FIRST, Some(FIRST));
            it.set_meta(META_MARK, FIRST);
            it.count();
            it.verdict(RETURN, None);
        });
    }
}

fn element(range: &MarkedRange) -> Element {
    let key = |address: IpAddr, port: u16| {
        let mut octets = match address {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        octets.extend(port.to_be_bytes());
        octets.extend([0, 0]);
        octets
    };
    let (first, last) = (key(range.first, range.ports.0), key(range.last, range.ports.1));
    Element::Range(first, last, range.mark.to_ne_bytes().to_vec())
}
