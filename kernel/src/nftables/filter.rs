//! The tables of [`Firewall`]: each is replaced as a whole, in one transaction.

use std::io;
use std::net::Ipv6Addr;

use keepalived_core::address::InterfaceName;
use keepalived_core::network::LinkIndex;
use keepalived_core::vrrp::Family;

use super::commit::{Commit, CommitResult, error_of};
use super::expression::{DROP, GOTO, Header, PASS, Register};
use super::message::{Data, Element, Hook, Kind, MAP, Set, Transaction};
use super::table::kind;
use crate::firewall::Firewall;
use crate::netlink::codec::{Answer, Batch};

mod monitor;

pub(crate) use monitor::Monitor;

const IPV4: u8 = 2;
const IPV6: u8 = 10;
/// `NF_INET_LOCAL_IN`, `NF_INET_LOCAL_OUT`
const INPUT: u32 = 1;
const OUTPUT: u32 = 3;
/// `NFT_META_*`
const META_IIF: u32 = 4;
const META_OIF: u32 = 5;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_L4PROTO: u32 = 16;
const META_OIFKIND: u32 = 27;
/// `NFT_SET_CONSTANT`
const CONSTANT: u32 = 0x2;
const IGMP: u8 = 2;
const ICMPV6: u8 = 58;
/// Types of ICMPv6.
const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const MLD2_REPORT: u8 = 143;

const FIRST: Register = Register(0);
/// Behind an IPv4 address, or one octet.
const SECOND: Register = Register(1);
/// Behind an IPv6 address.
const BEHIND: Register = Register(4);

/// Whether packets come or go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    In,
    Out,
}

/// Keeps the tables.
#[derive(Debug, Default)]
pub(crate) struct Tables(Option<Commit>);

impl Tables {
    /// Makes the tables what `wish` says.
    ///
    /// # Errors
    /// The kernel refuses: it may have no nf_tables.
    pub(crate) fn set(&mut self, wish: &Firewall) -> io::Result<()> {
        let commit = match &mut self.0 {
            Some(commit) => commit,
            none => none.insert(Commit::open()?),
        };
        for family in [Family::V4, Family::V6] {
            let mut transaction = Transaction::new(&wish.table);
            commit.begin(&mut transaction);
            transaction.at_table(number(family), &wish.table);
            // one that is there goes, and none has to be there for that
            transaction.new_table();
            transaction.delete_table();
            if !wish.is_empty(family) {
                transaction.new_table();
                match family {
                    Family::V4 => write_v4(&mut transaction, wish),
                    Family::V6 => write_v6(&mut transaction, wish),
                }
            }
            match commit.run(&mut transaction)? {
                CommitResult::Done => {}
                CommitResult::Refused(refused) => {
                    if let Some((_, answer)) = refused.first()
                        && !(wish.is_empty(family) && is_missing(answer))
                    {
                        return Err(error_of(answer));
                    }
                }
            }
        }
        Ok(())
    }
}

/// `NFPROTO_*`
pub(super) const fn number(family: Family) -> u8 {
    match family {
        Family::V4 => IPV4,
        Family::V6 => IPV6,
    }
}

/// Whether the kernel says that it knows nothing of this family.
pub(super) fn is_missing(answer: &Answer) -> bool {
    [libc::EOPNOTSUPP, libc::EAFNOSUPPORT].contains(&answer.errno)
}

fn hook(wish: &Firewall, number: u32) -> Option<Hook> {
    Some(Hook { kind: "filter", number, priority: wish.priority })
}

/// A set with nothing special.
const fn set<'a>(name: &'a str, key: &'a [(u32, usize)]) -> Set<'a> {
    Set { name, flags: 0, key, data: Data::None, most: None, native_key: false, native_data: false, counts: false }
}

const LINK: &[(u32, usize)] = &[(kind::LINK, 4)];

/// Links that are virtual MACs of `family`, and the links below.
fn map_of_macs(to: &mut Transaction, wish: &Firewall, family: Family) {
    let (flags, data) = (MAP, Data::Value(LINK));
    to.new_set(&Set { flags, data, native_key: true, native_data: true, ..set("vmac_map", LINK) });
    let of_family = wish.virtual_macs.iter().filter(|((of, _), _)| *of == family);
    let elements: Vec<Element> = of_family
        .map(|((_, link), below)| Element::Value(link.0.to_ne_bytes().into(), below.0.to_ne_bytes().into()))
        .collect();
    to.elements(Kind::NEW_ELEMENTS, "vmac_map", elements);
}

/// Goes on only if the packet leaves by a macvlan.
fn leaves_by_macvlan(it: &mut Batch, register: Register) {
    it.meta(register, META_OIFKIND);
    it.equals(register, b"macvlan\0\0\0\0\0\0\0\0\0");
}

fn end(it: &mut Batch, wish: &Firewall, code: i32, chain: Option<&str>) {
    if wish.counters {
        it.count();
    }
    it.verdict(code, chain);
}

fn write_v4(to: &mut Transaction, wish: &Firewall) {
    let has_macs = wish.virtual_macs.keys().any(|(of, _)| *of == Family::V4);
    if has_macs {
        map_of_macs(to, wish, Family::V4);
    }
    if !wish.closed_v4.is_empty() {
        to.new_set(&set("vips", &[(kind::IPV4, 4)]));
        let elements: Vec<Element> = wish.closed_v4.iter().map(|ip| Element::Key(ip.octets().into())).collect();
        to.elements(Kind::NEW_ELEMENTS, "vips", elements);
    }
    to.new_chain("out", hook(wish, OUTPUT));
    if has_macs {
        to.new_rule("out", None, |it| {
            it.payload(FIRST, Header::Network, 9, 1);
            it.equals(FIRST, &[IGMP]);
            it.payload(FIRST, Header::Network, 16, 4);
            leaves_by_macvlan(it, BEHIND);
            it.meta(SECOND, META_OIF);
            it.look_up("vmac_map", SECOND, Some(SECOND));
            it.duplicate_out_of(FIRST, SECOND);
            end(it, wish, DROP, None);
        });
    }
    if !wish.closed_v4.is_empty() {
        to.new_chain("in", hook(wish, INPUT));
        for (chain, offset) in [("out", 12), ("in", 16)] {
            to.new_rule(chain, None, |it| {
                it.payload(FIRST, Header::Network, offset, 4);
                it.in_set("vips", FIRST, false);
                end(it, wish, DROP, None);
            });
        }
    }
}

fn write_v6(to: &mut Transaction, wish: &Firewall) {
    let has_macs = wish.virtual_macs.keys().any(|(of, _)| *of == Family::V6);
    if has_macs {
        map_of_macs(to, wish, Family::V6);
        to.new_set(&Set { native_key: true, ..set("vmac_set", LINK) });
        let links = wish.virtual_macs.keys().filter(|(of, _)| *of == Family::V6);
        let elements: Vec<Element> = links.map(|(_, link)| Element::Key(link.0.to_ne_bytes().into())).collect();
        to.elements(Kind::NEW_ELEMENTS, "vmac_set", elements);
    }
    if !wish.closed_v6.is_empty() {
        sets_of_closed_v6(to, wish);
    }
    to.new_chain("out", hook(wish, OUTPUT));
    if !wish.shared_link_local.is_empty() {
        keep_shared_link_local(to, wish);
    }
    if has_macs {
        let icmp = |it: &mut Batch, number: u8| {
            it.meta(FIRST, META_L4PROTO);
            it.equals(FIRST, &[ICMPV6]);
            it.payload(FIRST, Header::Transport, 0, 1);
            it.equals(FIRST, &[number]);
        };
        to.new_rule("out", None, |it| {
            icmp(it, MLD2_REPORT);
            it.payload(FIRST, Header::Network, 24, 16);
            leaves_by_macvlan(it, BEHIND);
            it.meta(BEHIND, META_OIF);
            it.look_up("vmac_map", BEHIND, Some(BEHIND));
            it.duplicate_out_of(FIRST, BEHIND);
            end(it, wish, DROP, None);
        });
        to.new_rule("out", None, |it| {
            icmp(it, ROUTER_SOLICITATION);
            leaves_by_macvlan(it, BEHIND);
            it.meta(BEHIND, META_OIF);
            it.in_set("vmac_set", BEHIND, false);
            end(it, wish, DROP, None);
        });
    }
    if !wish.closed_v6.is_empty() {
        rules_of_closed_v6(to, wish);
    }
}

/// Neighbour advertisements that the kernel would send from a virtual MAC for the address of the link below go no further.
fn keep_shared_link_local(to: &mut Transaction, wish: &Firewall) {
    const NAME: &str = "parent_link_local";
    to.new_set(&set(NAME, &on_links(wish)));
    let elements = wish.shared_link_local.iter().map(|(ip, link)| on_link(wish, *ip, link));
    to.elements(Kind::NEW_ELEMENTS, NAME, elements.collect::<Vec<_>>());
    to.new_rule("out", None, |it| {
        it.meta(FIRST, META_L4PROTO);
        it.equals(FIRST, &[ICMPV6]);
        it.payload(FIRST, Header::Transport, 0, 1);
        it.equals(FIRST, &[NEIGHBOUR_ADVERTISEMENT]);
        leaves_by_macvlan(it, BEHIND);
        it.payload(FIRST, Header::Network, 8, 16);
        it.meta(BEHIND, if wish.by_index { META_OIF } else { META_OIFNAME });
        it.in_set(NAME, FIRST, false);
        end(it, wish, DROP, None);
    });
}

/// The key of a set of addresses that mean something on a link only.
const fn on_links(wish: &Firewall) -> [(u32, usize); 2] {
    [(kind::IPV6, 16), if wish.by_index { (kind::LINK, 4) } else { (kind::LINK_NAME, 16) }]
}

fn of_links(wish: &Firewall) -> (&'static str, [(u32, usize); 2]) {
    (if wish.by_index { "vips_link_local" } else { "vips_link_local_name" }, on_links(wish))
}

fn on_link(wish: &Firewall, address: Ipv6Addr, (index, name): &(LinkIndex, InterfaceName)) -> Element {
    let mut key = address.octets().to_vec();
    if wish.by_index {
        key.extend(index.0.to_ne_bytes());
    } else {
        let mut octets = [0; 16];
        octets.iter_mut().zip(name.as_bytes()).for_each(|(to, from)| *to = *from);
        key.extend(octets);
    }
    Element::Key(key)
}

fn sets_of_closed_v6(to: &mut Transaction, wish: &Firewall) {
    to.new_set(&set("vips", &[(kind::IPV6, 16)]));
    let everywhere = wish.closed_v6.iter().filter(|(_, link)| link.is_none());
    let elements: Vec<Element> = everywhere.map(|(ip, _)| Element::Key(ip.octets().into())).collect();
    to.elements(Kind::NEW_ELEMENTS, "vips", elements);
    to.new_set(&Set { flags: CONSTANT, ..set("neighbor-discovery", &[(kind::ICMPV6, 1)]) });
    let discovery = [NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT].map(|number| Element::Key(vec![number]));
    to.elements(Kind::NEW_ELEMENTS, "neighbor-discovery", discovery);
    let (name, key) = of_links(wish);
    to.new_set(&set(name, &key));
    let elements = wish.closed_v6.iter().filter_map(|(ip, link)| Some(on_link(wish, *ip, link.as_ref()?)));
    let elements: Vec<Element> = elements.collect();
    to.elements(Kind::NEW_ELEMENTS, name, elements);
}

fn rules_of_closed_v6(to: &mut Transaction, wish: &Firewall) {
    /// `fe80::/10`
    const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
    const OF_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xffc0, 0, 0, 0, 0, 0, 0, 0);
    to.new_chain("in", hook(wish, INPUT));
    to.new_chain("in_link_local", None);
    to.new_chain("out_link_local", None);
    for (chain, link_local, offset, way) in
        [("out", "out_link_local", 8, Way::Out), ("in", "in_link_local", 24, Way::In)]
    {
        to.new_rule(chain, None, |it| {
            it.meta(FIRST, META_L4PROTO);
            it.equals(FIRST, &[ICMPV6]);
            it.payload(FIRST, Header::Transport, 0, 1);
            it.in_set("neighbor-discovery", FIRST, false);
            end(it, wish, PASS, None);
        });
        to.new_rule(chain, None, |it| {
            it.payload(FIRST, Header::Network, offset, 16);
            it.mask(FIRST, FIRST, &OF_LINK_LOCAL.octets());
            it.equals(FIRST, &LINK_LOCAL.octets());
            end(it, wish, GOTO, Some(link_local));
        });
        to.new_rule(chain, None, |it| {
            it.payload(FIRST, Header::Network, offset, 16);
            it.in_set("vips", FIRST, false);
            end(it, wish, DROP, None);
        });
        to.new_rule(link_local, None, |it| {
            it.payload(FIRST, Header::Network, offset, 16);
            it.meta(
                BEHIND,
                match (way, wish.by_index) {
                    (Way::In, true) => META_IIF,
                    (Way::Out, true) => META_OIF,
                    (Way::In, false) => META_IIFNAME,
                    (Way::Out, false) => META_OIFNAME,
                },
            );
            it.in_set(of_links(wish).0, FIRST, false);
            end(it, wish, DROP, None);
        });
    }
}
