//! Its links on others, and settings of links.

use std::collections::BTreeSet;
use std::io;

use keepalived_core::address::InterfaceName;
use keepalived_core::network::{ArpSettings, Link, LinkIndex, NetworkEvent, Setting, UpperKind, UpperLink};
use keepalived_core::vrrp::Family;

use super::FakeNetwork;
use crate::network::Refused;

impl FakeNetwork {
    /// `net.ipv4.conf.all.rp_filter`, and that of `default`.
    pub fn set_reverse_path_filter(&mut self, all: u8, default: u8) {
        self.reverse_path_filter = (all, default);
    }

    /// Sets `net.ipv4.conf.all.rp_filter`, or that of a link, as another program does.
    pub fn change_reverse_path_filter(&mut self, link: Option<LinkIndex>, value: u8) {
        match link {
            None => self.reverse_path_filter.0 = value,
            Some(link) => drop(self.filters.insert(link, value)),
        }
        self.events.push_back(NetworkEvent::ReversePathFilter { link, value });
    }

    /// `net.ipv4.conf.LINK.rp_filter`, if that was set.
    pub fn reverse_path_filter_of(&self, link: LinkIndex) -> Option<u8> {
        self.filters.get(&link).copied()
    }

    /// Links with which it tells of the one below, when they come and when they go.
    pub const fn tells_below(&self) -> &BTreeSet<InterfaceName> {
        &self.tells_below
    }

    /// The link of this number.
    pub fn link_at(&self, index: LinkIndex) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The link of this name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name.as_bytes() == name.as_bytes())
    }

    /// From now on refuses to make or remove links with this name; `None` ends that.
    pub fn refuse_link(&mut self, name: InterfaceName, refused: Option<Refused>) {
        match refused {
            Some(refused) => self.link_refusals.insert(name, refused),
            None => self.link_refusals.remove(&name),
        };
    }

    pub(super) fn make_upper(&mut self, wish: &UpperLink) -> Result<(), Refused> {
        if let Some(refused) = self.link_refusals.get(&wish.name) {
            return Err(refused.clone());
        }
        let Some(parent) = self.links.get(&wish.parent).cloned() else {
            return Err(Refused { errno: libc::ENODEV, message: None });
        };
        let mac = match wish.kind {
            UpperKind::Macvlan => wish.mac.or(parent.mac),
            UpperKind::Ipvlan(_) => parent.mac,
        };
        let there = self.links.values().find(|link| link.name == wish.name).cloned();
        let is_double = |link: &&Link| link.upper == Some(UpperKind::Macvlan) && link.mac == mac && link.up;
        let double = self.uppers(wish.parent).iter().any(|link| is_double(&link) && link.name != wish.name);
        let link = match there {
            None => Link {
                index: LinkIndex(self.last_link.saturating_add(1)),
                name: wish.name,
                mac,
                parent: Some(wish.parent),
                upper: Some(wish.kind),
                vrf: None,
                arp: ArpSettings { ignore: 1, ..ArpSettings::default() },
                ..parent.clone()
            },
            Some(link) if (link.parent, link.upper, link.mac) == (Some(wish.parent), Some(wish.kind), mac) => link,
            Some(_) => {
                return Err(Refused { errno: libc::EEXIST, message: Some("another link has that name".into()) });
            }
        };
        let is_new = !self.links.contains_key(&link.index);
        let up = !(double && wish.kind == UpperKind::Macvlan);
        if wish.kind == UpperKind::Macvlan && wish.family == Family::V4 {
            self.filters.insert(link.index, 0);
        }
        let link = Link { up, running: up && parent.running, group: wish.group, master: wish.master, ..link };
        if self.links.get(&link.index) != Some(&link) {
            self.set_link(link);
        }
        if wish.tells_below && up {
            self.tells_below.insert(wish.name);
            if is_new {
                self.events.push_back(NetworkEvent::Link(parent));
            }
        }
        // the kernel has made it, and does not take it up
        if up { Ok(()) } else { Err(Refused { errno: libc::EADDRINUSE, message: None }) }
    }

    pub(super) fn remove_upper(&mut self, parent: LinkIndex, name: &InterfaceName) -> Result<(), Refused> {
        if let Some(refused) = self.link_refusals.get(name) {
            return Err(refused.clone());
        }
        let is_it = |link: &&Link| link.name == *name && link.parent == Some(parent);
        if let Some(index) = self.links.values().find(is_it).map(|link| link.index) {
            self.remove_link(index);
        }
        if self.tells_below.remove(name)
            && let Some(parent) = self.links.get(&parent)
        {
            self.events.push_back(NetworkEvent::Link(parent.clone()));
        }
        Ok(())
    }

    /// Links that are on `parent`.
    pub fn uppers(&self, parent: LinkIndex) -> Vec<Link> {
        self.links.values().filter(|link| link.parent == Some(parent) && link.upper.is_some()).cloned().collect()
    }

    pub(super) fn apply_setting(&mut self, setting: &Setting, comes: bool) -> Result<(), Refused> {
        let (link, setting, before) = match setting {
            Setting::Arp { link, setting, before } => (*link, *setting, *before),
            Setting::NoReversePathFilter { all, default } => {
                self.reverse_path_filter = if comes { (0, (*default).max(*all)) } else { (*all, *default) };
                if comes {
                    self.filters.values_mut().for_each(|value| *value = (*value).max(*all));
                }
                let value = self.reverse_path_filter.0;
                self.events.push_back(NetworkEvent::ReversePathFilter { link: None, value });
                return Ok(());
            }
        };
        let value = if comes { setting.needed() } else { before };
        match self.links.get_mut(&link) {
            Some(there) => {
                there.arp.set(setting, value);
                self.events.push_back(NetworkEvent::Link(there.clone()));
                Ok(())
            }
            None if comes => Err(Refused { errno: libc::ENODEV, message: None }),
            None => Ok(()),
        }
    }

    pub(super) const fn told_reverse_path_filter(&self) -> io::Result<(u8, u8)> {
        Ok(self.reverse_path_filter)
    }
}
