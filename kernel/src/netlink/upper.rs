//! Links that we make on others (macvlan, ipvlan), and settings of links.
//!
//! The kernel takes most settings of a link only once it is there, and some have to be in force before it is up: a link is made, set,
//! and taken up, all links of a request in one go each.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use keepalived_core::address::InterfaceName;
use keepalived_core::network::{
    ArpSetting, ArpSettings, Change, Key, Link, LinkIndex, NetworkEvent, Object, Setting, Siblings, UpperKind,
    UpperLink,
};
use keepalived_core::vrrp::Family;

use super::Rtnetlink;
use super::codec::{self, Answer, Attributes, Batch, i32_at, u16_at, u32_at};
use super::message::{self, DELETE_LINK, NEW_LINK};
use crate::network::Refused;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;

const MACVLAN_MODE_PRIVATE: u32 = 1;
const IPVLAN_MODE_L2: u16 = 0;
const IPVLAN_PRIVATE: u16 = 1;
const IPVLAN_VEPA: u16 = 2;
/// `IN6_ADDR_GEN_MODE_NONE`
const NO_ADDRESS: u8 = 1;
const IFF_UP: u32 = 1;

/// `IPV4_DEVCONF_*`
const RP_FILTER: u16 = 8;
const ARP_FILTER: u16 = 13;
const ARP_ANNOUNCE: u16 = 18;
const ARP_IGNORE: u16 = 19;
const PROMOTE_SECONDARIES: u16 = 20;
const ACCEPT_LOCAL: u16 = 23;

/// From which number on we look for a group of links that is not in use.
const FIRST_GROUP: u32 = 0x6b61_0000;
/// `/proc/sys` has the settings of IPv4 for each link here.
const IPV4_SETTINGS: &str = "/proc/sys/net/ipv4/conf";

/// Reads what kind of link on another one it is, from `IFLA_LINKINFO`.
pub(super) fn read_kind(information: &[u8]) -> Option<UpperKind> {
    let find = |octets, wanted| Attributes(octets).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let kind = find(information, IFLA_INFO_KIND)?;
    let data = find(information, IFLA_INFO_DATA)?;
    match kind.strip_suffix(&[0]).unwrap_or(kind) {
        b"macvlan" => {
            let mode = u32_at(find(data, IFLA_MACVLAN_MODE)?, 0)?;
            (mode == MACVLAN_MODE_PRIVATE).then_some(UpperKind::Macvlan)
        }
        b"ipvlan" => {
            let mode = u16_at(find(data, IFLA_IPVLAN_MODE)?, 0)?;
            let siblings = match find(data, IFLA_IPVLAN_FLAGS).and_then(|flags| u16_at(flags, 0)).unwrap_or(0) {
                IPVLAN_PRIVATE => Siblings::Private,
                IPVLAN_VEPA => Siblings::Vepa,
                _ => Siblings::Bridge,
            };
            (mode == IPVLAN_MODE_L2).then_some(UpperKind::Ipvlan(siblings))
        }
        _ => None,
    }
}

/// Reads settings of ARP from `IFLA_AF_SPEC`.
pub(super) fn read_settings(specific: &[u8]) -> Option<ArpSettings> {
    let find = |octets, wanted| Attributes(octets).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let values = find(find(specific, AF_INET)?, IFLA_INET_CONF)?;
    let mut settings = ArpSettings::default();
    for setting in ArpSetting::ALL {
        let value = u32_at(values, usize::from(arp_number(setting)).checked_sub(1)? * 4)?;
        settings.set(setting, u8::try_from(value).ok()?);
    }
    Some(settings)
}

/// Its number among the settings of IPv4.
const fn arp_number(setting: ArpSetting) -> u16 {
    match setting {
        ArpSetting::Ignore => ARP_IGNORE,
        ArpSetting::Filter => ARP_FILTER,
        ArpSetting::Announce => ARP_ANNOUNCE,
    }
}

/// `RTM_NEWNETCONF`
pub(super) const NEW_SETTINGS: u16 = 80;
const NETCONFA_IFINDEX: u16 = 1;
const NETCONFA_RP_FILTER: u16 = 3;
/// `NETCONFA_IFINDEX_ALL`
const ALL: i32 = -1;
/// `sizeof(struct netconfmsg)`, aligned.
const SETTINGS_HEADER: usize = 4;

/// Reads what a message about settings of IPv4 says of the reverse path filter of a link, or of all.
pub(super) fn read_filter(body: &[u8]) -> Option<NetworkEvent> {
    if u16::from(*body.first()?) != AF_INET {
        return None;
    }
    let attributes = body.get(SETTINGS_HEADER..)?;
    let find = |wanted| Attributes(attributes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let link = match i32_at(find(NETCONFA_IFINDEX)?, 0)? {
        ALL => None,
        index => Some(LinkIndex(u32::try_from(index).ok()?)),
    };
    let value = u8::try_from(i32_at(find(NETCONFA_RP_FILTER)?, 0)?).ok()?;
    Some(NetworkEvent::ReversePathFilter { link, value })
}

/// One step of making a link.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It is there, and down.
    Make,
    /// It is in its group and its VRF: an old one may be elsewhere.
    Place,
    /// Settings of IPv4.
    SetV4,
    /// Settings of IPv6; there may be no IPv6.
    SetV6,
    Up,
}

fn write(batch: &mut Batch, flags: u16, sequence: u32, link: &UpperLink, step: Step) {
    let up = matches!(step, Step::Up);
    let flags = if matches!(step, Step::Make) { flags | codec::CREATE | codec::EXCLUSIVE } else { flags };
    batch.begin(NEW_LINK, flags, sequence, &header(None, up));
    name(batch, &link.name);
    match step {
        Step::Make => {
            batch.attribute(IFLA_LINK, &link.parent.0.to_ne_bytes());
            if let Some(mac) = link.mac {
                batch.attribute(IFLA_ADDRESS, &mac);
            }
            batch.attribute(IFLA_GROUP, &link.group.to_ne_bytes());
            batch.nested(IFLA_LINKINFO, |batch| match link.kind {
                UpperKind::Macvlan => {
                    batch.attribute(IFLA_INFO_KIND, b"macvlan\0");
                    batch.nested(IFLA_INFO_DATA, |batch| {
                        batch.attribute(IFLA_MACVLAN_MODE, &MACVLAN_MODE_PRIVATE.to_ne_bytes());
                    });
                }
                UpperKind::Ipvlan(siblings) => {
                    batch.attribute(IFLA_INFO_KIND, b"ipvlan\0");
                    let flags = match siblings {
                        Siblings::Bridge => 0,
                        Siblings::Private => IPVLAN_PRIVATE,
                        Siblings::Vepa => IPVLAN_VEPA,
                    };
                    batch.nested(IFLA_INFO_DATA, |batch| {
                        batch.attribute(IFLA_IPVLAN_MODE, &IPVLAN_MODE_L2.to_ne_bytes());
                        batch.attribute(IFLA_IPVLAN_FLAGS, &flags.to_ne_bytes());
                    });
                }
            });
        }
        Step::Place => {
            batch.attribute(IFLA_GROUP, &link.group.to_ne_bytes());
            batch.attribute(IFLA_MASTER, &link.master.map_or(0, |master| master.0).to_ne_bytes());
        }
        Step::SetV4 => match link.family {
            Family::V4 => {
                write_settings(batch, &[(ARP_IGNORE, 1), (ACCEPT_LOCAL, 1), (RP_FILTER, 0), (PROMOTE_SECONDARIES, 1)])
            }
            Family::V6 => write_settings(batch, &[(ARP_IGNORE, 1)]),
        },
        Step::SetV6 => batch.nested(IFLA_AF_SPEC, |batch| {
            batch.nested(AF_INET6, |batch| batch.attribute(IFLA_INET6_ADDR_GEN_MODE, &[NO_ADDRESS]));
        }),
        Step::Up => {}
    }
    batch.end();
}

fn write_settings(batch: &mut Batch, settings: &[(u16, u32)]) {
    batch.nested(IFLA_AF_SPEC, |batch| {
        batch.nested(AF_INET, |batch| {
            batch.nested(IFLA_INET_CONF, |batch| {
                settings.iter().for_each(|(setting, value)| batch.attribute(*setting, &value.to_ne_bytes()));
            });
        });
    });
}

fn header(index: Option<LinkIndex>, up: bool) -> [u8; 16] {
    let mut header = [0; 16];
    let index = index.map_or(0, |index| index.0).to_ne_bytes();
    header.iter_mut().skip(4).zip(index).for_each(|(to, from)| *to = from);
    if up {
        let flags = IFF_UP.to_ne_bytes();
        // its wanted form, and what of it changes
        header.iter_mut().skip(8).zip(flags.into_iter().chain(flags)).for_each(|(to, from)| *to = from);
    }
    header
}

fn name(batch: &mut Batch, name: &InterfaceName) {
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    batch.attribute(IFLA_IFNAME, &text);
}

fn refused(answer: Answer) -> Refused {
    Refused { errno: answer.errno, message: answer.message }
}

fn failed(error: &io::Error, what: &Path) -> Refused {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    Refused { errno, message: Some(format!("{}: {error}", what.display())) }
}

/// The path of a setting of IPv4, of a link or of `all`.
fn setting_path(link: &OsStr, setting: &str) -> PathBuf {
    Path::new(IPV4_SETTINGS).join(link).join(setting)
}

fn read_number(path: &Path) -> io::Result<u8> {
    let text = crate::files::read_text(path, 16)?;
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {text}", path.display())))
}

/// `rp_filter` of all links, and of those that come.
pub(super) fn reverse_path_filter() -> io::Result<(u8, u8)> {
    let read = |of: &str| read_number(&setting_path(OsStr::new(of), "rp_filter"));
    Ok((read("all")?, read("default")?))
}

/// No reverse path filter for all links; each has the one that there was for all.
fn move_reverse_path_filter(all: u8, default: u8) -> Result<(), Refused> {
    let set = |path: &Path, value: u8| {
        crate::files::write_setting(path, &format!("{value}\n")).map_err(|error| failed(&error, path))
    };
    if default < all {
        set(&setting_path(OsStr::new("default"), "rp_filter"), all)?;
    }
    let folder = Path::new(IPV4_SETTINGS);
    let entries = std::fs::read_dir(folder).map_err(|error| failed(&error, folder))?;
    for entry in entries.flatten() {
        let path = entry.path().join("rp_filter");
        let is_link = !["all", "default"].contains(&&*entry.file_name().to_string_lossy());
        // one that has gone meanwhile needs none
        if is_link && read_number(&path).is_ok_and(|value| value < all) {
            let _may_be_gone = set(&path, all);
        }
    }
    set(&setting_path(OsStr::new("all"), "rp_filter"), 0)
}

fn restore_reverse_path_filter(all: u8, default: u8) -> Result<(), Refused> {
    for (of, value) in [("all", all), ("default", default)] {
        let path = setting_path(OsStr::new(of), "rp_filter");
        crate::files::write_setting(&path, &format!("{value}\n")).map_err(|error| failed(&error, &path))?;
    }
    Ok(())
}

impl Rtnetlink {
    /// Makes links, or makes those that are there right.
    pub(super) fn make_links(&mut self, changes: &[Change]) -> Vec<Result<(), Refused>> {
        let links: Vec<&UpperLink> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Present(Object::Upper(link)) => Some(&**link),
                _ => None,
            })
            .collect();
        let mut outcome: Vec<Result<(), Refused>> = links.iter().map(|_| Ok(())).collect();
        let made = self.step(&links, &mut outcome, Step::Make, |_| true);
        let (mut old, mut fresh) = (Vec::new(), BTreeSet::new());
        for (at, answer) in made {
            let (Some(link), Some(place)) = (links.get(at), outcome.get_mut(at)) else { continue };
            match answer.errno {
                0 => {
                    fresh.insert(at);
                    old.push(link.master.is_some());
                }
                libc::EEXIST => {
                    old.push(true);
                    *place = self.adopt(link);
                }
                _ => {
                    old.push(false);
                    *place = Err(refused(answer));
                }
            }
        }
        let placed = self.step(&links, &mut outcome, Step::Place, |at| old.get(at).copied().unwrap_or(false));
        note(&mut outcome, placed, |_| true);
        // an ipvlan has no MAC address of its own, so these do not concern it
        let is_macvlan = |at: usize| links.get(at).is_some_and(|link| link.kind == UpperKind::Macvlan);
        let set = self.step(&links, &mut outcome, Step::SetV4, is_macvlan);
        note(&mut outcome, set, |_| true);
        let set = self.step(&links, &mut outcome, Step::SetV6, is_macvlan);
        note(&mut outcome, set, |errno| ![libc::EAFNOSUPPORT, libc::EOPNOTSUPP].contains(&errno));
        for (link, place) in links.iter().zip(&mut outcome) {
            if place.is_ok() && link.family == Family::V4 {
                *place = without_ipv6(&link.name);
            }
        }
        let up = self.step(&links, &mut outcome, Step::Up, |_| true);
        note(&mut outcome, up, |_| true);
        self.links_below(&links, &outcome, &fresh);
        outcome
    }

    /// Has the kernel tell of the links below those that are new and want that, and remembers for their end who wants it.
    fn links_below(&mut self, links: &[&UpperLink], outcome: &[Result<(), Refused>], fresh: &BTreeSet<usize>) {
        let mut concerned = BTreeSet::new();
        for (at, (link, _)) in links.iter().zip(outcome).enumerate().filter(|(_, (_, outcome))| outcome.is_ok()) {
            if link.tells_below {
                self.tells_below.insert(link.name, link.parent);
                concerned.extend(fresh.contains(&at).then_some(link.parent));
            } else {
                self.tells_below.remove(&link.name);
            }
        }
        self.tell_of(&concerned);
    }

    /// The same when links have gone.
    fn links_below_gone(&mut self, names: &[InterfaceName]) {
        let concerned = names.iter().filter_map(|name| self.tells_below.remove(name)).collect();
        self.tell_of(&concerned);
    }

    /// Has the kernel tell all who listen of links, by putting each into the group that it is in. One that is gone has told.
    fn tell_of(&mut self, links: &BTreeSet<LinkIndex>) {
        for index in links {
            let there = self.link_of(|batch, flags, sequence| {
                batch.begin(message::GET_LINK, flags, sequence, &header(Some(*index), false));
                batch.end();
            });
            if let Ok(Some(link)) = there {
                self.submit_all(1, |batch, _, flags, sequence| {
                    batch.begin(NEW_LINK, flags, sequence, &header(Some(*index), false));
                    batch.attribute(IFLA_GROUP, &link.group.to_ne_bytes());
                    batch.end();
                });
            }
        }
    }

    /// Takes the step with those links that went well so far and `which` says; returns their positions and answers.
    fn step(
        &mut self,
        links: &[&UpperLink],
        outcome: &mut [Result<(), Refused>],
        step: Step,
        which: impl Fn(usize) -> bool,
    ) -> Vec<(usize, Answer)> {
        let steps: Vec<(usize, &UpperLink)> = links
            .iter()
            .zip(outcome.iter())
            .enumerate()
            .filter(|(at, (_, so_far))| so_far.is_ok() && which(*at))
            .map(|(at, (link, _))| (at, *link))
            .collect();
        let write = |batch: &mut Batch, at: usize, flags, sequence| {
            if let Some((_, link)) = steps.get(at) {
                write(batch, flags, sequence, link, step);
            }
        };
        let answers = self.submit_all(steps.len(), write);
        steps.into_iter().map(|(at, _)| at).zip(answers).collect()
    }

    /// A link of that name is there: it is an earlier one of ours, or another program's.
    fn adopt(&mut self, wish: &UpperLink) -> Result<(), Refused> {
        let there = self.link_of(|batch, flags, sequence| {
            batch.begin(message::GET_LINK, flags, sequence, &[0; 16]);
            name(batch, &wish.name);
            batch.end();
        });
        let same = |link: &Link| {
            link.parent == Some(wish.parent)
                && link.upper.is_some_and(|kind| kind.is_like(wish.kind))
                && (wish.mac.is_none() || link.mac == wish.mac)
        };
        match there {
            Ok(Some(link)) if same(&link) => Ok(()),
            Ok(_) => Err(Refused { errno: libc::EEXIST, message: Some("another link has that name".into()) }),
            Err(error) => Err(failed(&error, Path::new("link"))),
        }
    }

    fn link_of(&mut self, write: impl FnOnce(&mut Batch, u16, u32)) -> io::Result<Option<Link>> {
        let mut found = None;
        self.commands.ask(write, |answer| {
            found = found.take().or(message::link(answer.body).and_then(|it| it.link));
        })?;
        Ok(found)
    }

    /// Removes links: several are put into a group of their own, and that is removed. The kernel waits for all processors after
    /// each removal, and once for all that it removes at once.
    pub(super) fn remove_links(&mut self, changes: &[Change]) -> Vec<Result<(), Refused>> {
        let names: Vec<InterfaceName> = changes
            .iter()
            .filter_map(|change| match change.key() {
                Key::Upper(_, name) => Some(name),
                _ => None,
            })
            .collect();
        let group = match names.len() {
            0 | 1 => None,
            _ => self.free_group().ok(),
        };
        let gone = |answer: Answer| match answer.errno {
            0 | libc::ENODEV => Ok(()),
            _ => Err(refused(answer)),
        };
        let Some(group) = group else {
            let answers: Vec<Answer> = self.submit_all(names.len(), |batch, at, flags, sequence| {
                if let Some(link) = names.get(at) {
                    batch.begin(DELETE_LINK, flags, sequence, &[0; 16]);
                    name(batch, link);
                    batch.end();
                }
            });
            self.links_below_gone(&names);
            return answers.into_iter().map(gone).collect();
        };
        let answers = self.submit_all(names.len(), |batch, at, flags, sequence| {
            if let Some(link) = names.get(at) {
                batch.begin(NEW_LINK, flags, sequence, &[0; 16]);
                name(batch, link);
                batch.attribute(IFLA_GROUP, &group.to_ne_bytes());
                batch.end();
            }
        });
        let mut outcome: Vec<Result<(), Refused>> = answers.into_iter().map(gone).collect();
        let removed = self.submit_all(1, |batch, _, flags, sequence| {
            batch.begin(DELETE_LINK, flags, sequence, &[0; 16]);
            batch.attribute(IFLA_GROUP, &group.to_ne_bytes());
            batch.end();
        });
        for answer in removed {
            if let Err(refused) = gone(answer) {
                outcome.iter_mut().filter(|place| place.is_ok()).for_each(|place| *place = Err(refused.clone()));
            }
        }
        self.links_below_gone(&names);
        outcome
    }

    /// A group that no link is in.
    fn free_group(&mut self) -> io::Result<u32> {
        let (links, _) = self.links()?;
        let mut group = FIRST_GROUP;
        while links.iter().any(|link| link.group == group) {
            group = group.wrapping_add(1);
        }
        Ok(group)
    }

    /// Changes a setting, or puts back what it was.
    pub(super) fn set(&mut self, change: &Change) -> Result<(), Refused> {
        let Key::Setting(setting) = change.key() else { return Ok(()) };
        let comes = matches!(change, Change::Present(_));
        let (link, number, value) = match setting {
            Setting::Arp { link, setting, before } => {
                (link, arp_number(setting), if comes { setting.needed() } else { before })
            }
            Setting::NoReversePathFilter { all, default } if comes => return move_reverse_path_filter(all, default),
            Setting::NoReversePathFilter { all, default } => return restore_reverse_path_filter(all, default),
        };
        let answers = self.submit_all(1, |batch, _, flags, sequence| {
            batch.begin(NEW_LINK, flags, sequence, &header(Some(link), false));
            write_settings(batch, &[(number, value.into())]);
            batch.end();
        });
        match answers.into_iter().next() {
            Some(answer) if answer.errno == libc::ENODEV && !comes => Ok(()),
            Some(answer) if answer.errno != 0 => Err(refused(answer)),
            _ => Ok(()),
        }
    }

    fn submit_all(&mut self, count: usize, mut write: impl FnMut(&mut Batch, usize, u16, u32)) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(count);
        while answers.len() < count {
            let done = answers.len();
            let some = self.commands.submit(count - done, |batch, at, flags, sequence| {
                write(batch, done + at, flags, sequence);
            });
            match some {
                Ok(some) => answers.extend(some),
                Err(error) => {
                    let errno = error.raw_os_error().unwrap_or(libc::EIO);
                    answers.resize(count, Answer { errno, message: None });
                }
            }
        }
        answers
    }
}

fn note(outcome: &mut [Result<(), Refused>], answers: Vec<(usize, Answer)>, counts: impl Fn(i32) -> bool) {
    for (at, answer) in answers {
        if answer.errno != 0
            && counts(answer.errno)
            && let Some(place) = outcome.get_mut(at)
        {
            *place = Err(refused(answer));
        }
    }
}

/// An IPv4 virtual MAC says nothing over IPv6. A kernel without IPv6 has no such setting.
fn without_ipv6(link: &InterfaceName) -> Result<(), Refused> {
    let path = Path::new("/proc/sys/net/ipv6/conf").join(OsStr::from_bytes(link.as_bytes())).join("disable_ipv6");
    match crate::files::write_setting(&path, "1\n") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&error, &path)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::{Messages, REQUEST};
    use super::*;

    fn upper(kind: UpperKind) -> UpperLink {
        UpperLink {
            tells_below: false,
            parent: LinkIndex(7),
            name: InterfaceName::new(b"vrrp.51").unwrap(),
            kind,
            mac: Some([0, 0, 0x5e, 0, 1, 51]),
            group: 9,
            master: None,
            family: Family::V4,
        }
    }

    #[test]
    fn a_link_is_read_as_it_is_asked_for() {
        let siblings = [Siblings::Bridge, Siblings::Private, Siblings::Vepa];
        for kind in siblings.map(UpperKind::Ipvlan).into_iter().chain([UpperKind::Macvlan]) {
            let mut batch = Batch::default();
            write(&mut batch, REQUEST, 1, &upper(kind), Step::Make);
            let mut body = Messages(batch.octets()).next().unwrap().unwrap().body.to_vec();
            body[4] = 8;
            let link = message::link(&body).unwrap().link.unwrap();
            assert_eq!((link.upper, link.parent, link.group), (Some(kind), Some(LinkIndex(7)), 9));
            assert_eq!((link.mac, link.name), (Some([0, 0, 0x5e, 0, 1, 51]), upper(kind).name));
            for length in 0..body.len() {
                let _may_be_less = message::link(&body[..length]);
            }
        }
    }

    // uapi/linux/netconf.h
    #[test]
    fn filters_of_links_and_of_all_are_read() {
        let body = |family: u8, index: i32, filter: Option<i32>| {
            let mut batch = Batch::default();
            batch.begin(NEW_SETTINGS, 0, 0, &[family, 0, 0, 0]);
            batch.attribute(1, &index.to_ne_bytes());
            batch.attribute(2, &1_i32.to_ne_bytes());
            filter.into_iter().for_each(|value| batch.attribute(3, &value.to_ne_bytes()));
            batch.end();
            Messages(batch.octets()).next().unwrap().unwrap().body.to_vec()
        };
        let event =
            |link: Option<u32>, value| Some(NetworkEvent::ReversePathFilter { link: link.map(LinkIndex), value });
        assert_eq!(read_filter(&body(2, 7, Some(1))), event(Some(7), 1));
        assert_eq!(read_filter(&body(2, -1, Some(2))), event(None, 2));
        // of links that come
        assert_eq!(read_filter(&body(2, -2, Some(2))), None);
        assert_eq!(read_filter(&body(2, 7, None)), None);
        assert_eq!(read_filter(&body(10, 7, Some(1))), None);
        let whole = body(2, 7, Some(1));
        for length in 0..whole.len() {
            let _may_be_less = read_filter(&whole[..length]);
        }
    }

    // uapi/linux/if_link.h: other modes are not ours
    #[test]
    fn a_macvlan_in_another_mode_is_not_ours() {
        let mut batch = Batch::default();
        batch.begin(NEW_LINK, 0, 0, &[]);
        batch.attribute(IFLA_INFO_KIND, b"macvlan\0");
        batch.nested(IFLA_INFO_DATA, |batch| batch.attribute(IFLA_MACVLAN_MODE, &4_u32.to_ne_bytes()));
        batch.end();
        let body = Messages(batch.octets()).next().unwrap().unwrap().body;
        assert_eq!(read_kind(body), None);
    }
}
