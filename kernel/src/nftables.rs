//! Load balancing without IPVS: tables of nftables of our own, written by netlink.
//!
//! With NAT, new connections are redirected (`dnat`) to a server; conntrack then keeps them there, in both directions. As with
//! IPVS, the servers' way back has to lead through this machine: nothing is changed about where a packet comes from.
//! Connections of this machine itself are balanced, too. With direct routing, a copy (`dup`) of each packet goes to the server,
//! which has the service's address itself and answers the client.
//!
//! # What a packet meets
//!
//! Only the first packet of a connection is looked at. It finds its service in a verdict map, by its mark, by protocol,
//! address and port, or by protocol and address, in this order, and goes to the chain of the service
//! (`tcp-192.0.2.1-80`). There a number is drawn, and a map leads from the number to the server: two lookups, whatever the
//! number of services and servers. Other packets are only counted: one lookup each.
//!
//! # How clients and connections stay with their server
//!
//! A persistent client is remembered in a map that the services share: service and client lead to a *seat*, a number that
//! stands for one server of one service, and the map of seats leads on to the server. No seat is given twice. So a server that is
//! removed is forgotten with one element, by all its clients, and a service with all of its servers; what is left of them in the map
//! of clients leads nowhere, and goes when its time is over.
//!
//! nft 1.0.6 crashes when it lists a rule that looks for what it has found in a map, or puts that into another. So seats pass
//! through the packet's mark, which has its own value again in the same rule: the listing says `meta mark`.
//!
//! # Direct routing
//!
//! The tables `keepalived_balance_direct` (families `ip` and `ip6`, the only ones in which packets can be copied) are there while a service
//! needs them. Their chain sees packets before they are routed and before any address is rewritten (priority -140), after marks
//! are set at -150. First it looks for the packet's connection in a map of connections: that leads to a seat, and with it to the
//! server. A packet that begins a connection (SYN, INIT, any datagram) finds its service as with NAT, is given a server and is
//! remembered; another passes, as with IPVS. The copy goes to the server's address as to a gateway: whose neighbour that is, is the
//! kernel's business; the packet itself goes no further. It takes `nft_dup_ipv4` and `nft_dup_ipv6`: without them these services are
//! refused.
//!
//! - Connections last as IPVS's do: 900 s (TCP, SCTP), 120 s after FIN or RST, 300 s (datagrams), 60 s after their first packet.
//!   `lvs_timeouts` does not change that.
//! - A server of weight 0 keeps its connections. Those of a server that is removed are forgotten: datagrams go to another server
//!   with the next one, packets of TCP connections pass (this machine answers with RST if it has the address). If the server returns they stay
//!   forgotten; IPVS drops the packets, and goes on.
//! - ICMP errors about a packet of a server (too big, unreachable, time exceeded, parameter problem) go to this server, unless the
//!   packet has IPv4 options or IPv6 extension headers.
//! - The copy has a TTL less by one and DF set: the kernel does that. Fragments are put together first; what is then larger than the
//!   way to the server allows does not arrive.
//! - A server may be this machine itself (`127.0.0.1`). Connections that this machine opens are not balanced: to drop their packets
//!   would be an error for who sends them.
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
//! Weights whose ratio takes more than 1024 numbers to express are rounded to it. A hash is taken anew when a server comes or goes: other clients may change servers then, also with `mh`. A server of
//! weight 0 has no share in the hash, as if `sh-fallback` were set. When the number of
//! turns changes, `numgen inc` begins with the first server again.
//!
//! # What is otherwise than in IPVS
//!
//! - A server of weight 0 gets no new connection, except from persistent clients that it has already: this is what IPVS
//!   does unless `expire_quiescent_template` is set.
//! - A persistent client stays with its server for `persistence_timeout` from its last new connection on; IPVS waits for
//!   the end of that connection. When a server is removed, its clients are forgotten. Services of one family by address and port
//!   remember 4194304 clients together, those for all ports and those by mark as many each. New ones beyond that are served, and not remembered.
//! - So many connections are remembered with direct routing, too, and no more are served.
//! - Connections by NAT to a server that is removed go on, as far as the server does: conntrack knows them. IPVS drops their
//!   packets. IPv4 clients that send datagrams are given another server with the next one (this takes Linux 6.9, and 256
//!   servers at most that are removed at once); those of IPv6 when they have been silent until conntrack forgets them.
//! - A service without a server that may get a connection answers with ICMP "port unreachable", as IPVS does. This needs
//!   Linux 5.9.
//! - Not possible: see [`Unsupported`].
//!
//! # What it costs
//!
//! A change is a transaction with a few elements of maps, and rules only if the settings or the sum of the weights change;
//! what is looked up stays. With the last service the table goes. A look at a table while nobody has made a transaction asks for
//! the number of the last one only; otherwise all of it is read and compared.
//!
//! 2,000 services of ten servers take 0.3 s, 10,000 1.5 to 2.5 s (direct routing 0.3 and 1.8 s; services that remember their clients 0.6 and 3 s,
//! and 1 s for 3,700: when each had sets of its own it was 11, 271 and 26 s). A change of one of 10,000 takes up to 60 ms, because the kernel
//! then looks at all chains again. Clients that are remembered make no change slower: none of them is read, and only the chains that services
//! with the same time and mask share look into their map (for each chain that does, the kernel goes through all its elements).
//!
//! # After a crash
//!
//! Nothing has to be done: all settings stand in the tables ([`Nftables::open`] finds the services by their chains, their
//! settings in the comment of the first rule, the weights in a map). Connections, clients and counters stay. A table of
//! another layout, or one that somebody has damaged, is replaced by the next change.

mod comment;
mod commit;
mod conntrack;
mod counters;
mod direct;
mod message;
mod monitor;
mod names;
mod numbers;
mod packet;
mod persistence;
mod plan;
mod read;
mod render;
mod seats;
mod wish;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

#[cfg(doc)]
use keepalived_core::balance::Unsupported;
use keepalived_core::balance::{Change, DestinationEntry, DestinationKey, ServiceEntry, ServiceKey};
use rustix::net::netlink::NETFILTER;

use self::commit::{Commit, Outcome};
pub use self::counters::Count;
use self::message::Transaction;
use self::monitor::Monitor;
use self::names::{Home, Map};
use self::numbers::Numbers;
pub use self::plan::{supports, supports_service};
use self::read::Place;
use self::render::Known;
use self::seats::Seats;
use self::wish::Wish;
use crate::director::{Director, Refused};
use crate::netlink::codec::Answer;
use crate::netlink::exchange::Exchange;

/// Tables of nftables that balance. Others' tables are never touched.
#[derive(Debug)]
pub struct Nftables {
    exchange: Exchange,
    commit: Commit,
    /// None if the kernel does not tell what others do.
    monitor: Option<Monitor>,
    transaction: Transaction,
    table: String,
    tables: BTreeMap<Home, Held>,
    services: BTreeMap<ServiceKey, Known>,
    numbers: Numbers,
    seats: Seats,
    /// Where the kernel has said that it can do direct routing.
    can_direct: BTreeSet<Home>,
    /// Until somebody else makes a transaction, `services` is what a look would find.
    seen: Option<Seen>,
    /// A change ended in an error: what is there has to be looked up before the next.
    unknown: bool,
    /// Servers that are no more, whose datagrams are to go elsewhere.
    gone: Vec<(ServiceKey, DestinationKey)>,
}

/// A table of ours that is there.
#[derive(Debug, Default)]
struct Held {
    /// Whether it has all that the services stand on.
    whole: bool,
    /// Maps from numbers that are there.
    maps: BTreeSet<Map>,
    /// Chains for clients that are known.
    persistence: BTreeSet<String>,
}

/// Removed servers of one call whose clients are looked for: for each, the kernel looks at every connection.
const MOST_GONE: usize = 256;

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

    /// Opens the table `table` (family `inet`) of the network namespace that the thread is in, and those for direct routing
    /// (`table` with `_direct`, families `ip` and `ip6`), and finds what is there. Nothing is changed.
    ///
    /// # Errors
    /// No nftables in this kernel, or no permission to look.
    pub fn open(table: &str) -> io::Result<Self> {
        let mut nftables = Self {
            exchange: Exchange::open(Some(NETFILTER))?,
            commit: Commit::open()?,
            monitor: Monitor::open().ok(),
            transaction: Transaction::new(table),
            table: table.to_owned(),
            tables: BTreeMap::new(),
            services: BTreeMap::new(),
            numbers: Numbers::default(),
            seats: Seats::default(),
            can_direct: BTreeSet::new(),
            seen: None,
            unknown: true,
            gone: Vec::new(),
        };
        nftables.find()?;
        Ok(nftables)
    }

    fn find(&mut self) -> io::Result<()> {
        let before = read::generation(&mut self.exchange)?;
        let (mut tables, mut services) = (BTreeMap::new(), BTreeMap::new());
        for home in Home::ALL {
            let mut found = read::all(&mut self.exchange, Place { home, name: &self.table })?;
            // in two tables: the change from one to the other was not ours
            found.whole &= !found.services.keys().any(|key| services.contains_key(key));
            self.seats.found(home, found.given.filter(|_| found.whole));
            if found.whole {
                services.extend(found.services);
            }
            if found.exists {
                tables.insert(home, Held { whole: found.whole, maps: found.maps, persistence: found.persistence });
            }
        }
        let after = read::generation(&mut self.exchange)?;
        (self.tables, self.services) = (tables, services);
        self.numbers.set(self.services.values().filter_map(|known| known.numbers));
        self.unknown = false;
        let done = self.commit.done();
        self.seen = after.filter(|_| before == after).map(|generation| Seen { generation, done });
        Ok(())
    }

    /// Whether all transactions since the last look were ours.
    fn undisturbed(&mut self) -> io::Result<bool> {
        let now = read::generation(&mut self.exchange)?;
        Ok(self
            .seen
            .zip(now)
            .is_some_and(|(seen, now)| now.wrapping_sub(seen.generation) == self.commit.done().wrapping_sub(seen.done)))
    }

    /// Removes the tables with all that is in them. If there is no other NAT on this machine the kernel stops translating then:
    /// connections end, as they do with IPVS.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn clear(&mut self) -> io::Result<()> {
        self.remove(&Home::ALL)?;
        (self.services, self.numbers) = (BTreeMap::new(), Numbers::default());
        Ok(())
    }

    /// Removes tables.
    fn remove(&mut self, homes: &[Home]) -> io::Result<()> {
        self.commit.begin(&mut self.transaction);
        for home in homes {
            self.transaction.at(*home);
            // one that is not there cannot be removed
            self.transaction.new_table();
            self.transaction.delete_table();
        }
        match self.commit.run(&mut self.transaction)? {
            Outcome::Done => {
                for home in homes {
                    self.tables.remove(home);
                    self.seats.said(*home, None);
                }
                Ok(())
            }
            Outcome::Refused(refused) => Err(first_error(&refused)),
        }
    }

    /// Makes wishes true, in as few transactions as possible. Returns what is refused.
    fn grant(&mut self, wishes: BTreeMap<ServiceKey, Wish>) -> io::Result<Vec<(Order, Answer)>> {
        let mut refused = Vec::new();
        let mut rest = Vec::new();
        for (key, wish) in wishes {
            let have = self.services.get(&key);
            if have.map(|known| &known.entry) == wish.entry.as_ref() {
                continue;
            }
            let have = have.and_then(|known| known.numbers);
            let want = match wish.entry {
                None => None,
                Some(entry) => {
                    let numbers = self.numbers.allot(have, render::needs(&key, &entry))?;
                    Some(Known::new(&key, entry, numbers, self.services.get(&key), &mut self.seats))
                }
            };
            rest.push(Order { key, want, changes: wish.changes });
        }
        while !rest.is_empty() {
            let (ends, made) = self.fill(&rest);
            match self.commit.run(&mut self.transaction)? {
                Outcome::Done => {
                    self.made(made);
                    let later = rest.split_off(ends.len().saturating_sub(1).min(rest.len()));
                    for order in std::mem::replace(&mut rest, later) {
                        self.granted(order);
                    }
                }
                Outcome::Refused(answers) => {
                    // the first end is that of what all services share
                    let mut at_fault = BTreeMap::new();
                    for (at, answer) in &answers {
                        match ends.partition_point(|end| end <= at) {
                            0 => return Err(commit::error_of(answer)),
                            service => at_fault.entry(service - 1).or_insert_with(|| answer.clone()),
                        };
                    }
                    let mut place = 0;
                    let (bad, good): (Vec<_>, Vec<_>) = rest.into_iter().partition(|_| {
                        place += 1;
                        at_fault.contains_key(&(place - 1))
                    });
                    if bad.is_empty() {
                        return Err(first_error(&answers));
                    }
                    bad.iter().for_each(|order| self.take_back(order));
                    refused.extend(bad.into_iter().zip(at_fault.into_values()));
                    rest = good;
                }
            }
        }
        Ok(refused)
    }

    /// Writes as many wishes as a transaction holds; where each of them ends, after what comes before the first, and what of
    /// the tables it makes.
    fn fill(&mut self, orders: &[Order]) -> (Vec<u32>, BTreeMap<Home, Made>) {
        let to = &mut self.transaction;
        self.commit.begin(to);
        let mut made: BTreeMap<Home, Made> = BTreeMap::new();
        let (had, wanted) = (self.services.values(), orders.iter().filter_map(|order| order.want.as_ref()));
        for home in
            had.chain(wanted).map(|known| known.home).chain(self.tables.keys().copied()).collect::<BTreeSet<_>>()
        {
            let made = made.entry(home).or_default();
            to.at(home);
            made.anew = !self.tables.get(&home).is_some_and(|table| table.whole);
            if made.anew {
                // whatever is there goes
                to.new_table();
                to.delete_table();
                self.seats.said(home, None);
                render::base(to, home);
            }
            made.given = self.seats.say(to, home);
        }
        let mut ends = vec![to.count()];
        for Order { key, want, .. } in orders {
            if let Some(want) = want {
                to.at(want.home);
                let made = made.entry(want.home).or_default();
                let none = Held::default();
                let table = self.tables.get(&want.home).filter(|_| !made.anew).unwrap_or(&none);
                for map in want.maps(key) {
                    if !table.maps.contains(&map) && made.maps.insert(map) {
                        map.make(to);
                    }
                }
                if let Some(persistence) = want.persistence(key) {
                    let chain = persistence.chain();
                    if !table.persistence.contains(&chain) && made.persistence.insert(chain) {
                        persistence.write(to);
                    }
                }
            }
            render::service(to, key, self.services.get(key), want.as_ref());
            ends.push(to.count());
            if to.octets().len() >= self.commit.room() / 2 {
                break;
            }
        }
        (ends, made)
    }

    /// A transaction was carried out.
    fn made(&mut self, made: BTreeMap<Home, Made>) {
        for (home, Made { anew, maps, persistence, given }) in made {
            if anew {
                self.tables.insert(home, Held::default());
            }
            let table = self.tables.entry(home).or_default();
            table.whole = true;
            table.maps.extend(maps);
            table.persistence.extend(persistence);
            self.seats.said(home, given);
        }
    }

    /// Removes the tables for direct routing that have no services.
    fn tidy(&mut self) -> io::Result<()> {
        let mut empty: Vec<_> = self.tables.keys().copied().filter(|home| *home != Home::Nat).collect();
        empty.retain(|home| !self.services.values().any(|known| known.home == *home));
        if empty.is_empty() { Ok(()) } else { self.remove(&empty) }
    }

    /// An order that was not carried out needs no other numbers.
    fn take_back(&mut self, order: &Order) {
        let have = self.services.get(&order.key).and_then(|known| known.numbers);
        let given = order.want.as_ref().and_then(|want| want.numbers);
        if let Some(given) = given.filter(|given| have != Some(*given)) {
            self.numbers.give_back(given);
        }
    }

    fn granted(&mut self, Order { key, want, .. }: Order) {
        let numbers = want.as_ref().and_then(|want| want.numbers);
        let have = match want {
            Some(want) => self.services.insert(key, want),
            None => self.services.remove(&key),
        };
        let Some(have) = have else { return };
        if let Some(free) = have.numbers.filter(|had| numbers != Some(*had)) {
            self.numbers.give_back(free);
        }
        self.note_gone(key, &have);
    }

    /// Remembers servers of datagrams that are no more.
    fn note_gone(&mut self, key: ServiceKey, have: &Known) {
        if conntrack::concerns(&key) && have.home == Home::Nat {
            let now = self.services.get(&key).map(|known| &known.entry.destinations);
            let gone = have.entry.destinations.keys().filter(|to| now.is_none_or(|now| !now.contains_key(*to)));
            self.gone.extend(gone.map(|to| (key, *to)));
        }
    }

    /// Removes everything at once if nobody wishes for anything: how most processes end.
    fn end(&mut self, wishes: &BTreeMap<ServiceKey, Wish>) -> io::Result<()> {
        let is_wanted = |key: &ServiceKey| wishes.get(key).is_none_or(|wish| wish.entry.is_some());
        if self.tables.is_empty()
            || self.services.keys().any(is_wanted)
            || wishes.values().any(|wish| wish.entry.is_some())
        {
            return Ok(());
        }
        let services = std::mem::take(&mut self.services);
        self.clear()?;
        for (key, have) in services {
            self.note_gone(key, &have);
        }
        Ok(())
    }
}

/// What a transaction makes of a table.
#[derive(Debug, Default)]
struct Made {
    /// All of it.
    anew: bool,
    maps: BTreeSet<Map>,
    persistence: BTreeSet<String>,
    /// Below which number seats were given.
    given: Option<u32>,
}

/// What is to become of a service, and by which changes.
#[derive(Debug)]
struct Order {
    key: ServiceKey,
    want: Option<Known>,
    changes: Vec<usize>,
}

/// The wish for what there was, with what was denied.
fn again(before: BTreeMap<ServiceKey, Known>, denied: Vec<(Order, Answer)>) -> BTreeMap<ServiceKey, Wish> {
    let same = |(key, known): (ServiceKey, Known)| (key, Wish { entry: Some(known.entry), changes: Vec::new() });
    let denied = denied.into_iter().map(|(Order { key, want, changes }, _)| {
        let entry = want.map(|want| want.entry);
        (key, Wish { entry, changes })
    });
    before.into_iter().map(same).chain(denied).collect()
}

/// Whether the kernel's table is not what we take it for, even after a look: somebody has damaged what we do not read.
fn disagrees(answer: &Answer) -> bool {
    matches!(answer.errno, libc::ENOENT | libc::EEXIST | libc::EBUSY)
}

fn first_error(refused: &[(u32, Answer)]) -> io::Error {
    refused.first().map_or_else(|| io::ErrorKind::Other.into(), |(_, answer)| commit::error_of(answer))
}

impl Director for Nftables {
    fn services(&mut self) -> io::Result<BTreeMap<ServiceKey, ServiceEntry>> {
        if self.unknown || !self.undisturbed()? {
            self.find()?;
        }
        Ok(self.services.iter().map(|(key, known)| (*key, known.entry.service.clone())).collect())
    }

    /// As they were found with the services.
    fn destinations(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, DestinationEntry>> {
        Ok(self.services.get(service).map(|known| known.entry.destinations.clone()).unwrap_or_default())
    }

    fn reread(&mut self, services: &[ServiceKey]) -> io::Result<keepalived_core::balance::Table> {
        self.find()?;
        let wanted = services.iter().filter_map(|key| Some((*key, self.services.get(key)?.entry.clone())));
        Ok(wanted.collect())
    }

    fn monitor(&self) -> Option<BorrowedFd<'_>> {
        self.monitor.as_ref().map(AsFd::as_fd)
    }

    fn was_disturbed(&mut self) -> bool {
        self.monitor.as_mut().is_some_and(|monitor| monitor.is_about(&self.table))
    }

    fn change(&mut self, changes: &[Change]) -> io::Result<Vec<Refused>> {
        if self.unknown {
            self.find()?;
        }
        if let Some(monitor) = &self.monitor {
            monitor.mute();
        }
        let outcome = self.make(changes);
        self.unknown = outcome.is_err();
        if let Some(monitor) = &self.monitor
            && monitor.unmute().is_err()
        {
            self.monitor = None;
        }
        outcome
    }
}

impl Nftables {
    fn make(&mut self, changes: &[Change]) -> io::Result<Vec<Refused>> {
        let mut refused = Vec::new();
        let wishes = self.wishes(changes, &mut refused);
        self.end(&wishes)?;
        let mut denied = self.grant(wishes)?;
        if !denied.is_empty() {
            // somebody may have been at our table: look again, then make what we had, and what was denied, once more
            let before = std::mem::take(&mut self.services);
            self.find()?;
            denied = self.grant(again(before, denied))?;
        }
        if denied.iter().any(|(_, answer)| disagrees(answer)) {
            let before = std::mem::take(&mut self.services);
            self.tables.values_mut().for_each(|table| table.whole = false);
            self.numbers = Numbers::default();
            denied = self.grant(again(before, denied))?;
        }
        self.tidy()?;
        for (key, to) in std::mem::take(&mut self.gone).iter().take(MOST_GONE) {
            conntrack::forget(&mut self.exchange, key, to)?;
        }
        for (order, answer) in denied {
            refused.extend(order.changes.into_iter().map(|index| Refused { index, error: commit::error_of(&answer) }));
        }
        refused.sort_by_key(|refused| refused.index);
        Ok(refused)
    }
}
