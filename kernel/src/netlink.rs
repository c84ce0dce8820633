//! Links and addresses by rtnetlink.
//!
//! Two sockets: answers come on one, events on the other, so that neither displaces the other.

pub(crate) mod codec;
pub(crate) mod exchange;
pub(crate) mod generic;
mod message;
pub(crate) mod socket;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use keepalived_core::address::InterfaceName;

use self::codec::{Answer, Batch, Message, Messages};
use self::exchange::Exchange;
use self::socket::{Received, Socket};
use crate::network::{MOST_EVENTS, Network, Refused, Secondaries};
use crate::packets::BufferSize;
use keepalived_core::network::{Address, AddressKey, Change, Inventory, Key, Link, LinkIndex, NetworkEvent, Object};

/// [`Network`] of the namespace that the thread was in when it was opened.
#[derive(Debug)]
pub struct Rtnetlink {
    commands: Exchange,
    monitor: Socket,
    /// Tells a chosen label from the default one: the link's name, which every IPv4 address has.
    names: BTreeMap<LinkIndex, InterfaceName>,
}

/// How often a dump is repeated because things changed meanwhile, before the last one is taken as it is.
const MOST_DUMPS: usize = 20;
/// After this none is begun: changes of addresses wait for it. Where thousands of links come and go no dump is of one
/// moment.
const LONGEST_DUMPS: Duration = Duration::from_millis(100);

impl Rtnetlink {
    /// What a burst of some ten thousand events fits into.
    pub const DEFAULT_MONITOR_BUFFER: BufferSize = BufferSize(8 * 1024 * 1024);

    /// Opens both sockets; events are kept from now on, as many as fit into `monitor_buffer`.
    ///
    /// # Errors
    /// Out of descriptors, or no netlink in this kernel.
    pub fn open(monitor_buffer: BufferSize) -> io::Result<Self> {
        let groups = [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR]
            .map(|group| i32::try_from(group).unwrap_or_default());
        Self::with(&groups, monitor_buffer)
    }

    /// Opens both sockets for who asks and is told nothing: [`Network::events`] never has any.
    ///
    /// # Errors
    /// The same.
    pub fn without_events() -> io::Result<Self> {
        Self::with(&[], BufferSize(4096))
    }

    fn with(groups: &[i32], monitor_buffer: BufferSize) -> io::Result<Self> {
        Ok(Self {
            commands: Exchange::open(None)?,
            monitor: Socket::open(None, groups, monitor_buffer)?,
            names: BTreeMap::new(),
        })
    }

    /// Readable when [`Network::events`] has something to say.
    pub fn monitor_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }

    /// Reads all links, and says whether they are all of one moment.
    fn links(&mut self) -> io::Result<(Vec<Link>, bool)> {
        let mut links = BTreeMap::new();
        let consistent = self.commands.dump(message::write_get_links, |answer| {
            if let (message::NEW_LINK, Some(link)) = (answer.kind, message::link(answer.body).and_then(|it| it.link)) {
                links.insert(link.index, link);
            }
        })?;
        self.names = links.values().map(|link| (link.index, link.name)).collect();
        Ok((links.into_values().collect(), consistent))
    }

    fn addresses(&mut self) -> io::Result<(Vec<Address>, bool)> {
        let mut addresses = Vec::new();
        let consistent = self.commands.dump(message::write_get_addresses, |answer| {
            if answer.kind == message::NEW_ADDRESS {
                addresses.extend(message::address(answer.body));
            }
        })?;
        addresses.iter_mut().for_each(|address| forget_default_label(&self.names, address));
        Ok((addresses, consistent))
    }

    /// Reads the addresses on some links, and the names of the links: they tell default labels from chosen ones.
    fn addresses_on(&mut self, links: &BTreeSet<LinkIndex>) -> io::Result<Vec<Address>> {
        let mut addresses = Vec::new();
        for link in links {
            let mut name = None;
            self.commands.ask(
                |batch, flags, sequence| message::write_get_link(batch, flags, sequence, *link),
                |answer| name = name.or(message::link(answer.body).and_then(|it| it.link).map(|link| link.name)),
            )?;
            if let Some(name) = name {
                self.names.insert(*link, name);
            }
            let write = |batch: &mut Batch, flags, sequence| {
                message::write_get_addresses_of(batch, flags, sequence, *link);
            };
            self.commands.dump(write, |answer| {
                if answer.kind == message::NEW_ADDRESS {
                    addresses.extend(message::address(answer.body).filter(|address| address.link == *link));
                }
            })?;
        }
        addresses.iter_mut().for_each(|address| forget_default_label(&self.names, address));
        Ok(addresses)
    }

    /// Sends requests in as few datagrams as possible; one answer for each.
    fn submit(&mut self, requests: &[Request<'_>]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(requests.len());
        while let Some(rest) = requests.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            let outcome = self.commands.submit(rest.len(), |batch, at, flags, sequence| {
                if let Some(request) = rest.get(at) {
                    request.write(batch, flags, sequence);
                }
            });
            match outcome {
                Ok(outcome) => answers.extend(outcome),
                Err(error) => {
                    let errno = error.raw_os_error().unwrap_or(libc::EIO);
                    answers.extend(rest.iter().map(|_| Answer { errno, message: None }));
                }
            }
        }
        answers
    }

    /// What to ask for, now that the first request met an address that is there with other attributes, or (an IPv4
    /// address with a peer) was not recognised.
    fn second_requests<'a>(change: AddressChange<'a>, there: &'a [Address]) -> Vec<Request<'a>> {
        let (link, address, prefix) = change.key();
        let found = there.iter().filter(|it| it.key() == (link, address, prefix));
        let remove = |it: &'a Address| Request::Remove { key: it.key(), peer: it.peer };
        match change {
            AddressChange::Absent(_) => found.map(remove).collect(),
            AddressChange::Present(wish) => {
                let mut requests = Vec::new();
                // IPv4: the kernel would replace the lifetime only and keep label, scope and the rest
                for other in found.filter(|it| it.address.is_ipv4() && !it.fulfils_but_lifetime(wish)) {
                    // the kernel takes two for the same one if their far ends are in one network
                    if other.shares_network(wish) {
                        requests.push(remove(other));
                    }
                }
                requests.push(Request::Add { address: wish, flags: codec::CREATE | codec::REPLACE });
                requests
            }
        }
    }
}

/// Every IPv4 address has a label: the link's name, unless it was given another one.
fn forget_default_label(names: &BTreeMap<LinkIndex, InterfaceName>, address: &mut Address) {
    let name = names.get(&address.link);
    if address.label.is_some_and(|label| name.is_some_and(|name| name.as_bytes() == label.as_bytes())) {
        address.label = None;
    }
}

/// A change, borrowed.
#[derive(Clone, Copy, Debug)]
enum AddressChange<'a> {
    Present(&'a Address),
    Absent(AddressKey),
}

impl<'a> AddressChange<'a> {
    const fn of(change: &'a Change) -> Self {
        match change {
            Change::Present(Object::Address(address)) => Self::Present(address),
            Change::Absent(Key::Address(key)) => Self::Absent(*key),
        }
    }

    fn key(self) -> AddressKey {
        match self {
            Self::Present(address) => address.key(),
            Self::Absent(key) => key,
        }
    }
}

/// One request for the kernel.
#[derive(Clone, Copy, Debug)]
enum Request<'a> {
    Add { address: &'a Address, flags: u16 },
    Remove { key: AddressKey, peer: Option<IpAddr> },
}

impl<'a> Request<'a> {
    fn first(change: AddressChange<'a>) -> Self {
        match change {
            // not "replace": what that leaves as it was would go unnoticed
            AddressChange::Present(address) => Self::Add { address, flags: codec::CREATE | codec::EXCLUSIVE },
            AddressChange::Absent(key) => Self::Remove { key, peer: None },
        }
    }

    fn write(&self, batch: &mut Batch, flags: u16, sequence: u32) {
        match self {
            Self::Add { address, flags: more } => message::write_new_address(batch, flags | more, sequence, address),
            Self::Remove { key, peer } => message::write_delete_address(batch, flags, sequence, *key, *peer),
        }
    }
}

/// The kernel has an IPv6 address once on a link: asked for it with another prefix length, it would keep the one that
/// it has.
fn refused_for_prefix(change: AddressChange<'_>, there: &[Address]) -> Option<Refused> {
    let AddressChange::Present(wish) = change else { return None };
    let other = there.iter().find(|it| it.address.is_ipv6() && it.prefix != wish.prefix)?;
    Some(Refused::other_prefix(other.prefix))
}

/// How the first request for a change went.
enum First {
    Done,
    /// There is something of that address: look closer.
    LookCloser,
    Refused(Refused),
}

fn judge(change: AddressChange<'_>, answer: Answer) -> First {
    match (change, answer.errno) {
        (_, 0) | (AddressChange::Absent(_), libc::ENODEV) => First::Done,
        // IPv4: it may be there with a peer
        (AddressChange::Absent((_, address, _)), libc::EADDRNOTAVAIL) if address.is_ipv6() => First::Done,
        (AddressChange::Absent(_), libc::EADDRNOTAVAIL) | (AddressChange::Present(_), libc::EEXIST) => {
            First::LookCloser
        }
        (_, errno) => First::Refused(Refused { errno, message: answer.message }),
    }
}

impl Network for Rtnetlink {
    fn inventory(&mut self) -> io::Result<Inventory> {
        let mut inventory = Inventory::default();
        let begin = crate::reactor::now();
        for _ in 0..MOST_DUMPS {
            let (links, links_consistent) = self.links()?;
            let (addresses, addresses_consistent) = self.addresses()?;
            inventory = Inventory { links, addresses, torn: !(links_consistent && addresses_consistent) };
            // taken as it is in the end: what changed meanwhile is among the events
            if !inventory.torn || crate::reactor::now().since(begin) > LONGEST_DUMPS {
                break;
            }
        }
        Ok(inventory)
    }

    fn change(&mut self, changes: &[Change]) -> Vec<Result<(), Refused>> {
        let changes: Vec<AddressChange<'_>> = changes.iter().map(AddressChange::of).collect();
        let requests: Vec<_> = changes.iter().copied().map(Request::first).collect();
        let answers = self.submit(&requests);
        let mut doubtful = Vec::new();
        let mut outcome = Vec::with_capacity(changes.len());
        for (at, (change, answer)) in changes.iter().copied().zip(answers).enumerate() {
            outcome.push(match judge(change, answer) {
                First::Done => Ok(()),
                First::LookCloser => {
                    doubtful.push((at, change));
                    Ok(())
                }
                First::Refused(refused) => Err(refused),
            });
        }
        if doubtful.is_empty() {
            return outcome;
        }

        // a later wish for the same address has been granted already and must not be undone
        let last: BTreeMap<_, _> = changes.iter().enumerate().map(|(at, change)| (change.key(), at)).collect();
        doubtful.retain(|(at, change)| last.get(&change.key()) == Some(at));
        // not everything there is: with thousands of links that would hold up the adverts
        let links: BTreeSet<LinkIndex> = doubtful.iter().map(|(_, change)| change.key().0).collect();
        let there = match self.addresses_on(&links) {
            Ok(there) => there,
            Err(error) => {
                let refused = Refused { errno: error.raw_os_error().unwrap_or(libc::EIO), message: None };
                for (at, _) in doubtful {
                    if let Some(place) = outcome.get_mut(at) {
                        *place = Err(refused.clone());
                    }
                }
                return outcome;
            }
        };
        let mut by_address: BTreeMap<(LinkIndex, IpAddr), Vec<Address>> = BTreeMap::new();
        for address in there {
            by_address.entry((address.link, address.address)).or_default().push(address);
        }
        let mut requests = Vec::new();
        for (at, change) in &doubtful {
            let (link, address, _) = change.key();
            let there = by_address.get(&(link, address)).map(Vec::as_slice).unwrap_or_default();
            if let (Some(refused), Some(place)) = (refused_for_prefix(*change, there), outcome.get_mut(*at)) {
                *place = Err(refused);
                continue;
            }
            requests.extend(Self::second_requests(*change, there).into_iter().map(|request| (*at, request)));
        }
        // removals first: without promote_secondaries one can take other addresses with it
        requests.sort_by_key(|(_, request)| matches!(request, Request::Add { .. }));
        let (of, requests): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        for ((at, request), answer) in of.into_iter().zip(&requests).zip(self.submit(&requests)) {
            let refused = match (request, answer.errno) {
                (_, 0) | (Request::Remove { .. }, libc::EADDRNOTAVAIL | libc::ENODEV) => continue,
                (_, errno) => Refused { errno, message: answer.message },
            };
            if let Some(place) = outcome.get_mut(at) {
                *place = Err(refused);
            }
        }
        outcome
    }

    fn events(&mut self, out: &mut Vec<NetworkEvent>) -> bool {
        let enough = out.len().saturating_add(MOST_EVENTS);
        while out.len() < enough {
            match self.monitor.receive() {
                Ok(Received::Nothing) => return true,
                Ok(Received::Lost) => out.push(NetworkEvent::Overrun),
                Ok(Received::Datagram(datagram)) => read_events(&mut self.names, datagram, out),
                Err(_) => {
                    // not known to happen; what was missed is found by reading everything again
                    out.push(NetworkEvent::Overrun);
                    return true;
                }
            }
        }
        false
    }

    fn set_secondaries(&mut self, link: &Link, secondaries: Secondaries) -> io::Result<Secondaries> {
        let name = std::ffi::OsStr::from_bytes(link.name.as_bytes());
        let path = |of| Path::new("/proc/sys/net/ipv4/conf").join(of).join("promote_secondaries");
        let own = path(name);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", own.display()));
        let is_set = |path: &Path| Ok(crate::files::read_regular(path, 16)?.first() == Some(&b'1'));
        let before = is_set(&own).map_err(named)?;
        let wanted = secondaries == Secondaries::Promoted;
        if before != wanted {
            crate::files::write_setting(&own, if wanted { "1\n" } else { "0\n" }).map_err(named)?;
        }
        // the one for all links counts for each
        let promoted = before || is_set(&path(std::ffi::OsStr::new("all"))).unwrap_or(false);
        Ok(if promoted { Secondaries::Promoted } else { Secondaries::Removed })
    }

    fn source_towards(&mut self, peer: Ipv6Addr, link: LinkIndex) -> Option<Ipv6Addr> {
        crate::sockets::source_towards(peer, link).ok()
    }

    fn forwards_ipv6(&mut self, link: &Link) -> bool {
        let name = std::ffi::OsStr::from_bytes(link.name.as_bytes());
        let path = Path::new("/proc/sys/net/ipv6/conf").join(name).join("forwarding");
        // 2 is "forwards, and accepts router advertisements all the same"
        crate::files::read_regular(&path, 16).is_ok_and(|value| matches!(value.first(), Some(b'1' | b'2')))
    }
}

/// Appends what a datagram of the monitor socket says.
fn read_events(names: &mut BTreeMap<LinkIndex, InterfaceName>, datagram: &[u8], out: &mut Vec<NetworkEvent>) {
    for message in Messages(datagram) {
        let Ok(Message { kind, body, .. }) = message else {
            out.push(NetworkEvent::Overrun);
            return;
        };
        match kind {
            message::NEW_LINK => {
                if let Some(link) = message::link(body).and_then(|it| it.link) {
                    names.insert(link.index, link.name);
                    out.push(NetworkEvent::Link(link));
                }
            }
            message::DELETE_LINK => {
                if let Some(gone) = message::link(body) {
                    names.remove(&gone.index);
                    out.push(NetworkEvent::LinkRemoved(gone.index));
                }
            }
            message::NEW_ADDRESS => {
                if let Some(mut address) = message::address(body) {
                    forget_default_label(names, &mut address);
                    out.push(NetworkEvent::Address(address));
                }
            }
            message::DELETE_ADDRESS => {
                if let Some(Address { link, address, prefix, .. }) = message::address(body) {
                    out.push(NetworkEvent::AddressRemoved { link, address, prefix });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram() -> Vec<u8> {
        let address = |text: &str| Address { protocol: 18, ..Address::plain(LinkIndex(3), text.parse().unwrap(), 24) };
        let mut batch = Batch::default();
        message::write_new_address(&mut batch, 0, 0, &address("192.0.2.1"));
        message::write_delete_address(&mut batch, 0, 0, address("2001:db8::1").key(), None);
        batch.octets().to_vec()
    }

    fn read(datagram: &[u8]) -> Vec<NetworkEvent> {
        let mut events = Vec::new();
        read_events(&mut BTreeMap::new(), datagram, &mut events);
        events
    }

    #[test]
    fn what_cannot_be_read_to_its_end_is_an_overrun() {
        let whole = datagram();
        assert_eq!(read(&whole).len(), 2);
        let first = usize::try_from(codec::u32_at(&whole, 0).unwrap()).unwrap();
        for length in 1..whole.len() {
            let lost = read(&whole[..length]).last() == Some(&NetworkEvent::Overrun);
            assert_eq!(lost, length != first, "{length}");
        }
    }

    #[test]
    fn no_changed_octet_panics() {
        let whole = datagram();
        for position in 0..whole.len() {
            for octet in [0, 1, 3, 4, 0x10, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[position] = octet;
                let _whatever_it_says = read(&changed);
            }
        }
    }

    #[test]
    fn far_ends_in_one_network_are_one_address_to_the_kernel() {
        let with = |peer: &str, prefix| Address {
            peer: peer.parse().ok(),
            ..Address::plain(LinkIndex(3), "192.0.2.1".parse().unwrap(), prefix)
        };
        for (one, other, prefix, same) in [
            ("", "192.0.2.1", 32, true),
            ("192.0.2.2", "192.0.2.3", 32, false),
            ("192.0.2.2", "192.0.2.3", 24, true),
            ("10.0.0.1", "192.0.2.3", 0, true),
        ] {
            assert_eq!(with(one, prefix).shares_network(&with(other, prefix)), same, "{one} {other}/{prefix}");
        }
    }
}
