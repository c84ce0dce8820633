//! Links, addresses, routes and policy rules by rtnetlink.
//!
//! Two sockets: answers come on one, events on the other, so that neither displaces the other.

mod change;
pub(crate) mod codec;
pub(crate) mod exchange;
pub(crate) mod generic;
mod message;
mod route;
mod rule;
pub(crate) mod socket;
mod upper;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::network::route::OUR_PROTOCOL;
use keepalived_core::vrrp::Family;
use socket2::SockFilter;

use self::change::{First, Met, Request};
use self::codec::{Answer, Batch, Message, Messages};
use self::exchange::Exchange;
use self::socket::{Received, Socket};
use crate::firewall::Firewall;
use crate::network::{MOST_EVENTS, Network, Refused, Secondaries};
use crate::nftables::filter::{self, Tables};
use crate::packets::BufferSize;
use crate::shortage::with_text;
use keepalived_core::network::{Address, Change, Inventory, Key, Link, LinkIndex, NetworkEvent, Object, Route, Rule};

/// [`Network`] of the namespace that the thread was in when it was opened.
#[derive(Debug)]
pub struct Rtnetlink {
    commands: Exchange,
    monitor: Socket,
    /// Tells a chosen label from the default one: the link's name, which every IPv4 address has.
    names: BTreeMap<LinkIndex, InterfaceName>,
    reads: Reads,
    filter: Tables,
    filter_monitor: Option<filter::Monitor>,
    /// Links that we made, each with the link below it. When one comes or goes, we have the kernel tell of the link below.
    tells_below: BTreeMap<InterfaceName, LinkIndex>,
}

/// What [`Rtnetlink`] reads and hears of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reads {
    Addresses,
    /// Routes and rules of ours, too.
    Everything,
}

const ADDRESS_GROUPS: [u32; 3] = [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR];
/// `RTNLGRP_IPV4_NETCONF`: settings of IPv4.
const SETTING_GROUP: u32 = 24;
const ROUTE_GROUPS: [u32; 4] =
    [libc::RTNLGRP_IPV4_ROUTE, libc::RTNLGRP_IPV6_ROUTE, libc::RTNLGRP_IPV4_RULE, libc::RTNLGRP_IPV6_RULE];

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
        let network = Self::with(&ADDRESS_GROUPS, monitor_buffer, Reads::Everything)?;
        // before the groups are joined: a machine that learns routes by BGP would fill the buffer with what is not ours
        network.monitor.filter(&only_our_routes())?;
        network.monitor.join(&ROUTE_GROUPS.map(group_number))?;
        network.monitor.join(&[group_number(SETTING_GROUP)])?;
        Ok(network)
    }

    /// Opens both sockets for who needs links and addresses only, and has no business with routes and rules.
    ///
    /// # Errors
    /// The same.
    pub fn of_addresses(monitor_buffer: BufferSize) -> io::Result<Self> {
        Self::with(&ADDRESS_GROUPS, monitor_buffer, Reads::Addresses)
    }

    /// Opens both sockets for who wants to hear of links only.
    ///
    /// # Errors
    /// The same.
    pub fn of_links(monitor_buffer: BufferSize) -> io::Result<Self> {
        Self::with(&[libc::RTNLGRP_LINK], monitor_buffer, Reads::Addresses)
    }

    /// Opens both sockets for who asks and is told nothing: [`Network::events`] never has any.
    ///
    /// # Errors
    /// The same.
    pub fn without_events() -> io::Result<Self> {
        Self::with(&[], BufferSize(4096), Reads::Everything)
    }

    /// The same for who needs links and addresses only.
    ///
    /// # Errors
    /// The same.
    pub fn of_addresses_without_events() -> io::Result<Self> {
        Self::with(&[], BufferSize(4096), Reads::Addresses)
    }

    /// Lets `buffer` octets of answers to requests wait, instead of as many as most machines need.
    ///
    /// # Errors
    /// The kernel refuses the size.
    pub fn size_answers(self, buffer: Option<BufferSize>) -> io::Result<Self> {
        buffer.map_or(Ok(()), |buffer| self.commands.resize(buffer))?;
        Ok(self)
    }

    fn with(groups: &[u32], monitor_buffer: BufferSize, reads: Reads) -> io::Result<Self> {
        let groups: Vec<i32> = groups.iter().copied().map(group_number).collect();
        Ok(Self {
            commands: Exchange::open(None)?,
            monitor: Socket::open(None, &groups, monitor_buffer)?,
            names: BTreeMap::new(),
            reads,
            filter: Tables::default(),
            filter_monitor: None,
            tells_below: BTreeMap::new(),
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

    /// Reads routes of ours. Whether they are all of one moment does not matter: what changes meanwhile is among the events. On a
    /// machine whose routes change all the time they never are.
    fn routes(&mut self, family: Family) -> io::Result<Vec<Route>> {
        let mut routes = Vec::new();
        let read = self.commands.dump(
            |batch, flags, sequence| route::write_get_ours(batch, flags, sequence, family),
            |answer| {
                // kernels before 4.20 send those of others, too
                let ours = |route: &Route| route.protocol == OUR_PROTOCOL && route.family() == family;
                if answer.kind == route::NEW_ROUTE {
                    routes.extend(route::read(answer.body).filter(ours));
                }
            },
        );
        or_not_there(read)?;
        Ok(routes)
    }

    /// Reads rules of ours.
    fn rules(&mut self, family: Family) -> io::Result<Vec<Rule>> {
        let mut rules = Vec::new();
        let read = self.commands.dump(
            |batch, flags, sequence| rule::write_get(batch, flags, sequence, family),
            |answer| {
                let ours = |rule: &Rule| rule.protocol == OUR_PROTOCOL && rule.family == family;
                if answer.kind == rule::NEW_RULE {
                    rules.extend(rule::read(answer.body).filter(ours));
                }
            },
        );
        or_not_there(read)?;
        Ok(rules)
    }

    /// Reads what there is where these changes met something.
    fn look_closer(&mut self, doubtful: &[(usize, &Change)]) -> io::Result<Met> {
        let mut met = Met::default();
        // not everything there is: with thousands of links that would hold up the adverts
        let mut links = BTreeSet::new();
        let (mut routes, mut rules) = (BTreeSet::new(), BTreeSet::new());
        for (_, change) in doubtful {
            match change.key() {
                Key::Address((link, _, _)) => drop(links.insert(link)),
                Key::Route(route) => drop(routes.insert(route.family())),
                Key::Rule(rule) => drop(rules.insert(rule.family)),
                Key::Link(_) | Key::Upper(..) | Key::Setting(_) => {}
            }
        }
        for address in self.addresses_on(&links)? {
            met.addresses.entry((address.link, address.address)).or_default().push(address);
        }
        for family in routes {
            met.routes.extend(self.routes(family)?.into_iter().map(|route| (route.key(), route)));
        }
        for family in rules {
            met.rules.extend(self.rules(family)?);
        }
        Ok(met)
    }

    /// Makes changes that are one request each, unless something is in the way.
    fn request(&mut self, changes: &[Change]) -> Vec<Result<(), Refused>> {
        let not_made = || Refused { errno: libc::EOPNOTSUPP, message: Some("it cannot be asked for".into()) };
        let mut outcome: Vec<Result<(), Refused>> = changes.iter().map(|_| Err(not_made())).collect();
        let first = changes.iter().enumerate().filter_map(|(at, change)| Some((at, Request::first(change)?)));
        let (of, requests): (Vec<usize>, Vec<_>) = first.unzip();
        let answers = self.submit(&requests);
        let mut doubtful = Vec::new();
        for ((at, request), answer) in of.into_iter().zip(requests).zip(answers) {
            let (Some(place), Some(change)) = (outcome.get_mut(at), changes.get(at)) else { continue };
            *place = match request.judge(answer) {
                First::Done => Ok(()),
                First::LookCloser => {
                    doubtful.push((at, change));
                    Ok(())
                }
                First::Refused(refused) => Err(refused),
            };
        }
        if doubtful.is_empty() {
            return outcome;
        }

        // a later wish for the same object has been granted already and must not be undone
        let last: BTreeMap<_, _> = changes.iter().enumerate().map(|(at, change)| (change.key(), at)).collect();
        doubtful.retain(|(at, change)| last.get(&change.key()) == Some(at));
        let met = match self.look_closer(&doubtful) {
            Ok(met) => met,
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
        let mut requests = Vec::new();
        for (at, change) in &doubtful {
            match (met.second(change), outcome.get_mut(*at)) {
                (Ok(second), _) => requests.extend(second.into_iter().map(|request| (*at, request))),
                (Err(refused), Some(place)) => *place = Err(refused),
                (Err(_), None) => {}
            }
        }
        // removals first: without promote_secondaries one can take other addresses with it
        requests.sort_by_key(|(_, request)| request.adds());
        let (of, requests): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        for ((at, request), answer) in of.into_iter().zip(&requests).zip(self.submit(&requests)) {
            let gone = [libc::EADDRNOTAVAIL, libc::ENODEV, libc::ESRCH, libc::ENOENT].contains(&answer.errno);
            if answer.errno == 0 || (gone && !request.adds()) {
                continue;
            }
            if let Some(place) = outcome.get_mut(at) {
                *place = Err(Refused { errno: answer.errno, message: answer.message });
            }
        }
        outcome
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
}

/// How the kernel is asked for a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    MakeLinks,
    RemoveLinks,
    Set,
    Request,
}

impl Way {
    const fn of(change: &Change) -> Self {
        match change {
            Change::Present(Object::Upper(_)) => Self::MakeLinks,
            Change::Absent(Key::Upper(..)) => Self::RemoveLinks,
            Change::Present(Object::Setting(_)) | Change::Absent(Key::Setting(_)) => Self::Set,
            Change::Present(Object::Link(_) | Object::Address(_) | Object::Route(_) | Object::Rule(_))
            | Change::Absent(Key::Link(_) | Key::Address(_) | Key::Route(_) | Key::Rule(_)) => Self::Request,
        }
    }
}

fn group_number(group: u32) -> i32 {
    i32::try_from(group).unwrap_or_default()
}

/// A kernel without a family, or without policy rules, has nothing of it.
fn or_not_there(read: io::Result<bool>) -> io::Result<()> {
    match read {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT)) => Ok(()),
        read => read.map(drop),
    }
}

/// Of messages about routes lets those pass that bear our mark, and all others pass.
fn only_our_routes() -> [SockFilter; 7] {
    /// `BPF_LD | BPF_H | BPF_ABS`, which takes what it loads for big-endian.
    const LOAD_HALF: u16 = 0x28;
    /// `BPF_LD | BPF_B | BPF_ABS`
    const LOAD_OCTET: u16 = 0x30;
    /// `BPF_JMP | BPF_JEQ | BPF_K`
    const EQUALS: u16 = 0x15;
    /// `BPF_RET | BPF_K`
    const RETURN: u16 = 0x06;
    /// `nlmsg_type`
    const KIND: u32 = 4;
    /// `rtm_protocol`, behind the header of 16 octets.
    const PROTOCOL: u32 = 16 + 5;
    let kind = |kind: u16| u32::from(u16::from_be_bytes(kind.to_ne_bytes()));
    [
        SockFilter::new(LOAD_HALF, 0, 0, KIND),
        SockFilter::new(EQUALS, 1, 0, kind(route::NEW_ROUTE)),
        SockFilter::new(EQUALS, 0, 2, kind(route::DELETE_ROUTE)),
        SockFilter::new(LOAD_OCTET, 0, 0, PROTOCOL),
        SockFilter::new(EQUALS, 0, 1, OUR_PROTOCOL.into()),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// Every IPv4 address has a label: the link's name, unless it was given another one.
fn forget_default_label(names: &BTreeMap<LinkIndex, InterfaceName>, address: &mut Address) {
    let name = names.get(&address.link);
    if address.label.is_some_and(|label| name.is_some_and(|name| name.as_bytes() == label.as_bytes())) {
        address.label = None;
    }
}

impl Network for Rtnetlink {
    fn inventory(&mut self) -> io::Result<Inventory> {
        let mut inventory = Inventory::default();
        let begin = crate::reactor::now();
        for _ in 0..MOST_DUMPS {
            let (links, links_consistent) = self.links()?;
            let (addresses, addresses_consistent) = self.addresses()?;
            let torn = !(links_consistent && addresses_consistent);
            inventory = Inventory { links, addresses, torn, ..Inventory::default() };
            // taken as it is in the end: what changed meanwhile is among the events
            if !inventory.torn || crate::reactor::now().since(begin) > LONGEST_DUMPS {
                break;
            }
        }
        if self.reads == Reads::Everything {
            for family in [Family::V4, Family::V6] {
                inventory.routes.extend(self.routes(family)?);
                inventory.rules.extend(self.rules(family)?);
            }
        }
        Ok(inventory)
    }

    fn change(&mut self, changes: &[Change]) -> Vec<Result<(), Refused>> {
        let mut outcome = Vec::with_capacity(changes.len());
        for run in changes.chunk_by(|one, next| Way::of(one) == Way::of(next)) {
            match run.first().map(Way::of) {
                Some(Way::MakeLinks) => outcome.extend(self.make_links(run)),
                Some(Way::RemoveLinks) => outcome.extend(self.remove_links(run)),
                Some(Way::Set) => outcome.extend(run.iter().map(|change| self.set(change)).collect::<Vec<_>>()),
                Some(Way::Request) | None => outcome.extend(self.request(run)),
            }
        }
        outcome
    }

    fn events(&mut self, out: &mut Vec<NetworkEvent>) -> bool {
        let enough = out.len().saturating_add(MOST_EVENTS);
        while out.len() < enough {
            match self.monitor.receive() {
                Ok(Received::Nothing) => {
                    let gone = self.filter_monitor.as_mut().map(filter::Monitor::gone);
                    out.extend(gone.into_iter().flatten().map(NetworkEvent::FirewallLost));
                    return true;
                }
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
        let named = |error: io::Error| with_text(&error, format!("{}: {error}", own.display()));
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

    fn set_firewall(&mut self, firewall: &Firewall) -> Result<(), Refused> {
        self.filter.set(firewall).map_err(|error| Refused {
            errno: error.raw_os_error().unwrap_or(libc::EIO),
            message: error.raw_os_error().is_none().then(|| error.to_string()),
        })
    }

    fn watch_firewall(&mut self, table: &str) {
        if self.filter_monitor.as_ref().is_none_or(|monitor| monitor.table() != table) {
            // a kernel without nf_tables loses nothing; it says so when it is asked for rules
            self.filter_monitor = filter::Monitor::open(table).ok();
        }
    }

    fn reverse_path_filter(&mut self) -> io::Result<(u8, u8)> {
        upper::reverse_path_filter()
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
            route::NEW_ROUTE | route::DELETE_ROUTE => {
                let ours = route::read(body).filter(|route| route.protocol == OUR_PROTOCOL);
                out.extend(ours.map(|route| match kind {
                    route::NEW_ROUTE => NetworkEvent::Route(Box::new(route)),
                    _ => NetworkEvent::RouteRemoved(route.key()),
                }));
            }
            upper::NEW_SETTINGS => out.extend(upper::read_filter(body)),
            rule::NEW_RULE | rule::DELETE_RULE => {
                let ours = rule::read(body).filter(|rule| rule.protocol == OUR_PROTOCOL);
                out.extend(ours.map(|rule| match kind {
                    rule::NEW_RULE => NetworkEvent::Rule(rule),
                    _ => NetworkEvent::RuleRemoved(rule),
                }));
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
