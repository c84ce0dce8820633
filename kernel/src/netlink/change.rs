//! Changes as requests to the kernel, and what its answers to them mean.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keepalived_core::network::route::OUR_PROTOCOL;
use keepalived_core::network::{Address, AddressKey, Change, Key, LinkIndex, Object, Placement, Route, RouteKey, Rule};
use keepalived_core::vrrp::Family;

use super::codec::{self, Answer, Batch};
use super::{message, route, rule};
use crate::network::Refused;

/// One request for the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    AddAddress { address: &'a Address, flags: u16 },
    RemoveAddress { key: AddressKey, peer: Option<IpAddr> },
    AddRoute(&'a Route),
    RemoveRoute(RouteKey),
    AddRule(&'a Rule),
    RemoveRule(&'a Rule),
}

impl<'a> Request<'a> {
    /// The first attempt at a change; `None` if it is of a kind that nobody asks the kernel for.
    pub(super) const fn first(change: &'a Change) -> Option<Self> {
        Some(match change {
            // not "replace": what that leaves as it was would go unnoticed
            Change::Present(Object::Address(address)) => {
                Self::AddAddress { address, flags: codec::CREATE | codec::EXCLUSIVE }
            }
            Change::Present(Object::Route(route)) => Self::AddRoute(route),
            Change::Present(Object::Rule(rule)) => Self::AddRule(rule),
            Change::Absent(Key::Address(key)) => Self::RemoveAddress { key: *key, peer: None },
            Change::Absent(Key::Route(key)) => Self::RemoveRoute(*key),
            Change::Absent(Key::Rule(rule)) => Self::RemoveRule(rule),
            Change::Present(Object::Link(_) | Object::Upper(_) | Object::Setting(_))
            | Change::Absent(Key::Link(_) | Key::Upper(..) | Key::Setting(_)) => return None,
        })
    }

    pub(super) fn write(&self, batch: &mut Batch, flags: u16, sequence: u32) {
        match self {
            Self::AddAddress { address, flags: more } => {
                message::write_new_address(batch, flags | more, sequence, address);
            }
            Self::RemoveAddress { key, peer } => message::write_delete_address(batch, flags, sequence, *key, *peer),
            Self::AddRoute(wish) => route::write_new(batch, flags, sequence, wish),
            Self::RemoveRoute(key) => route::write_delete(batch, flags, sequence, key),
            Self::AddRule(wish) => rule::write_new(batch, flags, sequence, wish),
            Self::RemoveRule(wish) => rule::write_delete(batch, flags, sequence, wish),
        }
    }

    pub(super) const fn adds(&self) -> bool {
        matches!(self, Self::AddAddress { .. } | Self::AddRoute(_) | Self::AddRule(_))
    }

    /// What the answer to a first request means.
    pub(super) fn judge(&self, answer: Answer) -> First {
        match (self, answer.errno) {
            (_, 0) => First::Done,
            (Self::RemoveAddress { .. } | Self::RemoveRoute(_), libc::ENODEV)
            | (Self::RemoveRoute(_) | Self::RemoveRule(_), libc::ESRCH | libc::ENOENT) => First::Done,
            // IPv4: there is no such route
            (Self::RemoveRoute(key), libc::EINVAL) if key.destination != key.destination.masked() => First::Done,
            // IPv4: it may be there with a peer
            (Self::RemoveAddress { key: (_, address, _), .. }, libc::EADDRNOTAVAIL) if address.is_ipv6() => First::Done,
            (Self::RemoveAddress { .. }, libc::EADDRNOTAVAIL) => First::LookCloser,
            // IPv4: the kernel compares all of it, and has routes beside each other that differ
            (Self::AddRoute(wish), libc::EEXIST) if wish.family() == Family::V4 && wish.placement != Placement::Add => {
                First::Done
            }
            // what does not bear our mark cannot be told from what others have
            (Self::AddRoute(Route { protocol, .. }) | Self::AddRule(Rule { protocol, .. }), libc::EEXIST)
                if *protocol != OUR_PROTOCOL =>
            {
                First::Done
            }
            (Self::AddAddress { .. } | Self::AddRoute(_) | Self::AddRule(_), libc::EEXIST) => First::LookCloser,
            (_, errno) => First::Refused(Refused { errno, message: answer.message }),
        }
    }
}

/// How the first request for a change went.
pub(super) enum First {
    Done,
    /// There is something of that key: look closer.
    LookCloser,
    Refused(Refused),
}

/// What there is where a first request met something.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) addresses: BTreeMap<(LinkIndex, IpAddr), Vec<Address>>,
    pub(super) routes: BTreeMap<RouteKey, Route>,
    pub(super) rules: Vec<Rule>,
}

impl Met {
    /// What to ask for, now that this is known.
    ///
    /// # Errors
    /// What is there keeps the wish from being granted.
    pub(super) fn second<'a>(&'a self, change: &'a Change) -> Result<Vec<Request<'a>>, Refused> {
        let taken = || Refused { errno: libc::EEXIST, message: Some("another program has set the same one".into()) };
        match change {
            Change::Present(Object::Address(wish)) => self.second_address(wish),
            Change::Absent(Key::Address(key)) => {
                Ok(self.at(*key).map(|it| Request::RemoveAddress { key: it.key(), peer: it.peer }).collect())
            }
            Change::Present(Object::Route(wish)) => match self.routes.get(&wish.key()) {
                // IPv6: beside others to the same place it is a way of one route
                None if self.routes.values().any(|there| there.contains(wish)) => Ok(Vec::new()),
                None => Err(taken()),
                Some(there) if there.fulfils(wish) => Ok(Vec::new()),
                Some(_) => Ok(vec![Request::RemoveRoute(wish.key()), Request::AddRoute(wish)]),
            },
            Change::Present(Object::Rule(wish)) if self.rules.contains(wish) => Ok(Vec::new()),
            Change::Present(Object::Rule(_)) => Err(taken()),
            Change::Present(Object::Link(_) | Object::Upper(_) | Object::Setting(_))
            | Change::Absent(Key::Link(_) | Key::Upper(..) | Key::Setting(_) | Key::Route(_) | Key::Rule(_)) => {
                Ok(Vec::new())
            }
        }
    }

    fn at(&self, (link, address, prefix): AddressKey) -> impl Iterator<Item = &Address> {
        let there = self.addresses.get(&(link, address)).map(Vec::as_slice).unwrap_or_default();
        there.iter().filter(move |it| it.prefix == prefix)
    }

    /// The address is there with other attributes, or (IPv4, with a peer) was not recognised.
    fn second_address<'a>(&'a self, wish: &'a Address) -> Result<Vec<Request<'a>>, Refused> {
        // the kernel has an IPv6 address once on a link: asked for it with another prefix length, it would keep the one it has
        let there = self.addresses.get(&(wish.link, wish.address)).map(Vec::as_slice).unwrap_or_default();
        if let Some(other) = there.iter().find(|it| it.address.is_ipv6() && it.prefix != wish.prefix) {
            return Err(Refused::other_prefix(other.prefix));
        }
        let mut requests = Vec::new();
        // IPv4: the kernel would replace the lifetime only and keep label, scope and the rest
        for other in self.at(wish.key()).filter(|it| it.address.is_ipv4() && !it.fulfils_but_lifetime(wish)) {
            // the kernel takes two for the same one if their far ends are in one network
            if other.shares_network(wish) {
                requests.push(Request::RemoveAddress { key: other.key(), peer: other.peer });
            }
        }
        requests.push(Request::AddAddress { address: wish, flags: codec::CREATE | codec::REPLACE });
        Ok(requests)
    }
}
