//! Load balancing without IPVS: tables of nftables of our own, written by netlink.
//!
//! With NAT, new connections are redirected (`dnat`) to a server; conntrack then keeps them there, in both directions.
//! As with IPVS, the servers' way back has to lead through this machine: nothing is changed about where a packet comes
//! from. Connections of this machine itself are balanced, too. With direct routing, a copy (`dup`) of each packet goes
//! to the server, which has the service's address itself and answers the client.
//!
//! # What a packet meets
//!
//! Only the first packet of a connection is looked at. It finds its service in a verdict map, by its mark, by protocol,
//! address and port, or by protocol and address, in this order, and goes to the chain of the service
//! (`tcp-192.0.2.1-80`). There a number is drawn, and a map leads from the number to the server: two lookups, whatever
//! the number of services and servers. Other packets are only counted: one lookup each.
//!
//! # How clients and connections stay with their server
//!
//! A persistent client is remembered in a map that the services share: service and client lead to a *seat*, a number
//! that stands for one server of one service, and the map of seats leads on to the server. No seat is given twice. So a
//! server that is removed is forgotten with one element, by all its clients, and a service with all of its servers;
//! what is left of them in the map of clients leads nowhere, and goes when its time is over.
//!
//! nft 1.0.6 crashes when it lists a rule that looks for what it has found in a map, or puts that into another. So
//! seats pass through the packet's mark, which has its own value again in the same rule: the listing says `meta mark`.
//!
//! # Direct routing
//!
//! The tables `keepalived_balance_direct` (families `ip` and `ip6`, the only ones in which packets can be copied) are
//! there while a service needs them. Their chain sees packets before they are routed and before any address is
//! rewritten (priority -140), after marks are set at -150. First it looks for the packet's connection in a map of
//! connections: that leads to a seat, and with it to the server. A packet that begins a connection (SYN, INIT, any
//! datagram) finds its service as with NAT, is given a server and is remembered; another passes, as with IPVS. The copy
//! goes to the server's address as to a gateway: whose neighbour that is, is the kernel's business; the packet itself
//! goes no further. It takes `nft_dup_ipv4` and `nft_dup_ipv6`: without them these services are refused.
//!
//! - Connections last as IPVS's do: 900 s (TCP, SCTP), 120 s after FIN or RST, 300 s (datagrams), 60 s after their
//!   first packet. `lvs_timeouts` does not change that.
//! - A server of weight 0 keeps its connections. Those of a server that is removed are forgotten: datagrams go to
//!   another server with the next one, packets of TCP connections pass (this machine answers with RST if it has the
//!   address). If the server returns they stay forgotten; IPVS drops the packets, and goes on.
//! - ICMP errors about a packet of a server (too big, unreachable, time exceeded, parameter problem) go to this server,
//!   unless the packet has IPv4 options or IPv6 extension headers.
//! - The copy has a TTL less by one and DF set: the kernel does that. Fragments are put together first; what is then
//!   larger than the way to the server allows does not arrive.
//! - A server may be this machine itself (`127.0.0.1`). Connections that this machine opens are not balanced: to drop
//!   their packets would be an error for who sends them.
//! - All servers of a service, its sorry server too, are reached by NAT, or all by direct routing.
//!
//! # How the schedulers of IPVS are approximated
//!
//! | `lvs_sched` | here | |
//! |---|---|---|
//! | `rr` | `numgen inc` | every server the same, as in IPVS |
//! | `wrr` | `numgen inc` | exactly by weight, a server's turns as far from each other as they can be |
//! | `lc` | `numgen random` | every server the same; connections are not counted |
//! | `wlc`, `sed`, `nq`, `lblc`, `lblcr`, `twos` | `numgen random` | by weight; connections are not counted |
//! | `sh`, `mh` | `jhash` of the client's address | by weight; with the port if `sh-port` or `mh-port` is set |
//! | `dh` | `jhash` of the address asked for | every server the same, as in IPVS |
//! | `fo`, `ovf` | the first server of the greatest weight | `ovf` never overflows |
//!
//! Weights whose ratio takes more than 1024 numbers to express are rounded to it. A hash is taken anew when a server
//! comes or goes: other clients may change servers then, also with `mh`. A server of weight 0 has no share in the hash,
//! as if `sh-fallback` were set. When the number of turns changes, `numgen inc` begins with the first server again.
//!
//! # What is otherwise than in IPVS
//!
//! - A server of weight 0 gets no new connection, except from persistent clients that it has already: this is what IPVS
//!   does unless `expire_quiescent_template` is set.
//! - A persistent client stays with its server for `persistence_timeout` from its last new connection on; IPVS waits
//!   for the end of that connection. When a server is removed, its clients are forgotten. Services of one family by
//!   address and port remember 4194304 clients together, those for all ports and those by mark as many each. New ones
//!   beyond that are served, and not remembered.
//! - So many connections are remembered with direct routing, too, and no more are served.
//! - Connections by NAT to a server that is removed go on, as far as the server does: conntrack knows them. IPVS drops
//!   their packets. IPv4 clients that send datagrams are given another server with the next one (this takes Linux 6.9,
//!   and 256 servers at most that are removed at once); those of IPv6 when they have been silent until conntrack
//!   forgets them.
//! - A service without a server that may get a connection answers with ICMP "port unreachable", as IPVS does. This
//!   needs Linux 5.9.
//! - Not possible: see [`Unsupported`].
//!
//! # What it costs
//!
//! A change is a transaction with a few elements of maps, and rules only if the settings or the sum of the weights
//! change; what is looked up stays. With the last service the table goes. A look at a table asks for the number of the
//! last transaction. Only if others have made one, it reads and compares everything.
//!
//! 2,000 services of ten servers take 0.3 s, 10,000 1.5 to 2.5 s (direct routing 0.3 and 1.8 s; services that remember
//! their clients 0.6 and 3 s, and 1 s for 3,700: when each had sets of its own it was 11, 271 and 26 s). A change of
//! one of 10,000 takes up to 60 ms, because the kernel then looks at all chains again. Clients that are remembered make
//! no change slower: none of them is read, and only the chains that services with the same time and mask share look
//! into their map (for each chain that does, the kernel goes through all its elements).
//!
//! # After a crash
//!
//! Nothing has to be done: all settings stand in the tables ([`Nftables::open`] finds the services by their chains,
//! their settings in the comment of the first rule, the weights in a map). Connections, clients and counters stay. The
//! next change replaces a table that has another layout, or that others have damaged.

mod comment;
mod commit;
mod conntrack;
mod counters;
mod direct;
mod expression;
pub(crate) mod filter;
mod keys;
mod layout;
pub(crate) mod marking;
mod message;
mod monitor;
mod names;
mod numbers;
mod packet;
mod persistence;
mod plan;
mod read;
mod render;
mod rules;
mod seats;
mod table;
mod tables;
mod wish;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

#[cfg(doc)]
use keepalived_core::balance::Unsupported;
use keepalived_core::balance::{
    Change, Counted, Counters, DestinationEntry, DestinationKey, ServiceEntry, ServiceKey, Table, Traffic,
};
use rustix::net::netlink::NETFILTER;

use self::counters::Counts;
use self::monitor::Monitor;
pub use self::plan::{supports, supports_service};
use self::read::NamedTable;
use self::table::OurTable;
use self::tables::{Tables, disagrees, wish_again};
use crate::director::{Director, Refused};
use crate::netlink::exchange::Exchange;

/// Tables of nftables that balance. Others' tables are never touched.
#[derive(Debug)]
pub struct Nftables {
    exchange: Exchange,
    /// None if the kernel does not tell what others do.
    monitor: Option<Monitor>,
    /// What the names of our tables begin with.
    prefix: String,
    tables: Tables,
    /// As long as others make no transaction, `tables` is what a reading would find.
    seen: Option<Seen>,
    /// A change ended in an error: the next one has to read first what is there.
    unknown: bool,
    /// What was counted and has not been told yet.
    counts: Counts,
}

/// Removed servers of one call whose clients the kernel forgets: for each, it looks at every connection.
const MOST_REMOVED: usize = 256;

/// A moment at which our view was right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    /// The kernel's count of all transactions.
    generation: u32,
    /// Our own count of ours.
    done: u32,
}

impl Nftables {
    /// The usual name of the table.
    pub const TABLE: &str = "keepalived_balance";

    /// Opens the table `table` (family `inet`) of the network namespace that the thread is in, and those for direct
    /// routing (`table` with `_direct`, families `ip` and `ip6`), and finds what is there. Nothing is changed.
    ///
    /// # Errors
    /// No nftables in this kernel, or no permission to look.
    pub fn open(table: &str) -> io::Result<Self> {
        let mut nftables = Self {
            exchange: Exchange::open(Some(NETFILTER))?,
            tables: Tables::open(table)?,
            monitor: Monitor::open().ok(),
            prefix: table.to_owned(),
            seen: None,
            unknown: true,
            counts: Counts::new(),
        };
        nftables.read()?;
        Ok(nftables)
    }

    /// Reads all tables.
    fn read(&mut self) -> io::Result<()> {
        let before = read::generation(&mut self.exchange)?;
        let mut found = Vec::new();
        for table in OurTable::ALL {
            found.push((table, read::all(&mut self.exchange, NamedTable { table, prefix: &self.prefix })?));
        }
        let after = read::generation(&mut self.exchange)?;
        self.tables.adopt(found);
        self.unknown = false;
        let done = self.tables.done();
        self.seen = after.filter(|_| before == after).map(|generation| Seen { generation, done });
        Ok(())
    }

    /// Whether all transactions since the last reading were ours.
    fn undisturbed(&mut self) -> io::Result<bool> {
        let now = read::generation(&mut self.exchange)?;
        let done = self.tables.done();
        let only_ours = |(seen, now): (Seen, u32)| now.wrapping_sub(seen.generation) == done.wrapping_sub(seen.done);
        Ok(self.seen.zip(now).is_some_and(only_ours))
    }

    /// Removes the tables with all that is in them. If there is no other NAT on this machine the kernel stops
    /// translating then: connections end, as they do with IPVS.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn clear(&mut self) -> io::Result<()> {
        self.tables.clear()
    }

    /// Carries out `changes`, in as few transactions as possible. What the kernel refuses is tried again: after a
    /// reading, because others may have changed our tables, then with tables that are made anew.
    fn carry_out(&mut self, changes: &[Change]) -> io::Result<Vec<Refused>> {
        let mut refused = Vec::new();
        let mut wishes = wish::of(changes, self.tables.services(), &mut refused);
        wish::refuse_impossible(&mut wishes, |table| self.tables.can_direct(table), &mut refused);
        self.tables.clear_if_unwanted(&wishes)?;
        let mut denied = self.tables.fulfil(wishes)?;
        if !denied.is_empty() {
            let before = self.tables.take_services();
            self.read()?;
            denied = self.tables.fulfil(wish_again(before, denied))?;
        }
        if denied.iter().any(|(_, answer)| disagrees(answer)) {
            let before = self.tables.rebuild();
            denied = self.tables.fulfil(wish_again(before, denied))?;
        }
        self.tables.remove_empty()?;
        for (key, to) in self.tables.take_removed().iter().take(MOST_REMOVED) {
            conntrack::forget(&mut self.exchange, key, to)?;
        }
        for (change, answer) in denied {
            refused.extend(change.changes.into_iter().map(|index| Refused { index, error: commit::error_of(&answer) }));
        }
        refused.sort_by_key(|refused| refused.index);
        Ok(refused)
    }
}

impl Director for Nftables {
    fn services(&mut self) -> io::Result<BTreeMap<ServiceKey, ServiceEntry>> {
        if self.unknown || !self.undisturbed()? {
            self.read()?;
        }
        Ok(self.tables.services().iter().map(|(key, known)| (*key, known.entry.service.clone())).collect())
    }

    /// As they were found with the services.
    fn destinations(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, DestinationEntry>> {
        Ok(self.tables.services().get(service).map(|known| known.entry.destinations.clone()).unwrap_or_default())
    }

    fn reread(&mut self, services: &[ServiceKey]) -> io::Result<Table> {
        self.read()?;
        let known = self.tables.services();
        let wanted = services.iter().filter_map(|key| Some((*key, known.get(key)?.entry.clone())));
        Ok(wanted.collect())
    }

    fn monitor(&self) -> Option<BorrowedFd<'_>> {
        self.monitor.as_ref().map(AsFd::as_fd)
    }

    fn was_disturbed(&mut self) -> bool {
        self.monitor.as_mut().is_some_and(|monitor| monitor.is_about(&self.prefix))
    }

    fn change(&mut self, changes: &[Change]) -> io::Result<Vec<Refused>> {
        if self.unknown {
            self.read()?;
        }
        if let Some(monitor) = &self.monitor {
            monitor.mute();
        }
        let outcome = self.carry_out(changes);
        self.unknown = outcome.is_err();
        if let Some(monitor) = &self.monitor
            && monitor.unmute().is_err()
        {
            self.monitor = None;
        }
        outcome
    }

    fn counted(&self) -> Counted {
        Counted::Incoming
    }

    /// Reads everything: the kernel tells the counters of a map together.
    fn service_traffic(&mut self) -> io::Result<BTreeMap<ServiceKey, Counters>> {
        self.counts = counters::all(&mut self.exchange, &self.prefix, &self.tables)?;
        let sum = |servers: &BTreeMap<DestinationKey, Traffic>| {
            let mut sum = Counters::default();
            servers.values().for_each(|traffic| sum += traffic.counters);
            sum
        };
        Ok(self.counts.iter().map(|(key, servers)| (*key, sum(servers))).collect())
    }

    fn server_traffic(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, Traffic>> {
        Ok(self.counts.remove(service).unwrap_or_default())
    }
}
