//! `RTM_*LINK` and `RTM_*ADDR`: what the kernel says of links and addresses, and how it is asked to change addresses.
//!
//! No message is refused for one attribute: what cannot be read is as if it were not there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_core::address::{InterfaceLabel, InterfaceName};

use super::codec::{Attributes, Batch, i32_at, u32_at};
use super::upper;
use keepalived_core::network::{Address, ArpSettings, Link, LinkIndex};

/// `RTM_NEWLINK`
pub(crate) const NEW_LINK: u16 = 16;
/// `RTM_DELLINK`
pub(crate) const DELETE_LINK: u16 = 17;
/// `RTM_GETLINK`
pub(crate) const GET_LINK: u16 = 18;
/// `RTM_NEWADDR`
pub(crate) const NEW_ADDRESS: u16 = 20;
/// `RTM_DELADDR`
pub(crate) const DELETE_ADDRESS: u16 = 21;
/// `RTM_GETADDR`
pub(crate) const GET_ADDRESS: u16 = 22;

const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VRF_TABLE: u16 = 1;

const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_RUNNING: u32 = 0x40;
const IFF_MULTICAST: u32 = 0x1000;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;

/// `INFINITY_LIFE_TIME`
const FOR_EVER: u32 = u32::MAX;

/// What an `RTM_*LINK` message says. Without a name it can only say which link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LinkMessage {
    /// Which.
    pub(crate) index: LinkIndex,
    /// The link, if it has a name that can be one.
    pub(crate) link: Option<Link>,
}

/// Reads a link. `None` for one that says something else: a message of a bridge tells of its *port* (and its
/// `RTM_DELLINK` that the port has left the bridge, not that it is gone).
pub(crate) fn link(body: &[u8]) -> Option<LinkMessage> {
    if *body.first()? != AF_UNSPEC {
        return None;
    }
    let index = LinkIndex(u32::try_from(i32_at(body, 4)?).ok().filter(|index| *index != 0)?);
    let flags = u32_at(body, 8)?;
    let (mut name, mut mac, mut mtu, mut vrf) = (None, None, 0, None);
    let (mut parent, mut elsewhere, mut upper, mut group, mut master) = (None, false, None, 0, None);
    let mut settings = ArpSettings::default();
    let number = |value: &[u8]| u32_at(value, 0).filter(|number| *number != 0).map(LinkIndex);
    for (kind, value) in Attributes(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => name = InterfaceName::new(value.strip_suffix(&[0]).unwrap_or(value)),
            IFLA_ADDRESS => mac = value.try_into().ok(),
            IFLA_MTU => mtu = u32_at(value, 0).unwrap_or(0),
            IFLA_LINKINFO => (vrf, upper) = (vrf_table(value), upper::read_kind(value)),
            IFLA_LINK => parent = number(value),
            // the number of its parent means something in that namespace only
            IFLA_LINK_NETNSID => elsewhere = true,
            IFLA_MASTER => master = number(value),
            IFLA_GROUP => group = u32_at(value, 0).unwrap_or(0),
            IFLA_AF_SPEC => settings = upper::read_settings(value).unwrap_or_default(),
            _ => {}
        }
    }
    let link = name.map(|name| Link {
        index,
        name,
        up: flags & IFF_UP != 0,
        running: flags & IFF_UP != 0 && flags & IFF_RUNNING != 0,
        multicast: flags & IFF_MULTICAST != 0,
        loopback: flags & IFF_LOOPBACK != 0,
        mac,
        mtu,
        vrf,
        parent: parent.filter(|_| !elsewhere),
        upper,
        group,
        master,
        arp: settings,
    });
    Some(LinkMessage { index, link })
}

/// The table of a VRF, from what a kind of links says of its own.
fn vrf_table(information: &[u8]) -> Option<u32> {
    let find = |octets, wanted| Attributes(octets).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let kind = find(information, IFLA_INFO_KIND)?;
    if kind.strip_suffix(&[0]).unwrap_or(kind) != b"vrf" {
        return None;
    }
    u32_at(find(find(information, IFLA_INFO_DATA)?, IFLA_VRF_TABLE)?, 0)
}

/// Reads an address with the label as the kernel has it. `None` for other families and where there is no address.
pub(crate) fn address(body: &[u8]) -> Option<Address> {
    let [family, prefix, low_flags, scope] = *body.first_chunk()?;
    if !matches!(family, AF_INET | AF_INET6) {
        return None;
    }
    let link = LinkIndex(u32_at(body, 4).filter(|index| *index != 0)?);
    let (mut local, mut far) = (None, None);
    let mut address = Address {
        link,
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        prefix,
        scope,
        flags: u32::from(low_flags),
        label: None,
        broadcast: None,
        peer: None,
        protocol: 0,
        preferred_lifetime: None,
    };
    for (kind, value) in Attributes(body.get(8..)?) {
        match kind {
            IFA_LOCAL => local = ip(family, value),
            IFA_ADDRESS => far = ip(family, value),
            IFA_LABEL => address.label = InterfaceLabel::new(value.strip_suffix(&[0]).unwrap_or(value)),
            IFA_BROADCAST => address.broadcast = <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from),
            IFA_FLAGS => address.flags = u32_at(value, 0).unwrap_or(address.flags),
            IFA_CACHEINFO => address.preferred_lifetime = u32_at(value, 0).filter(|seconds| *seconds != FOR_EVER),
            IFA_PROTO => address.protocol = value.first().copied().unwrap_or(0),
            _ => {}
        }
    }
    if address.flags & libc::IFA_F_DEPRECATED != 0 {
        // an IPv4 address that is valid for ever is said to be preferred for ever, too, even if it is not at all
        address.preferred_lifetime = Some(0);
    }
    address.address = local.or(far)?;
    address.peer = far.filter(|far| *far != address.address);
    Some(address)
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => <[u8; 4]>::try_from(value).ok().map(|octets| Ipv4Addr::from(octets).into()),
        _ => <[u8; 16]>::try_from(value).ok().map(|octets| Ipv6Addr::from(octets).into()),
    }
}

/// Asks for all links, without their counters.
pub(crate) fn write_get_links(batch: &mut Batch, flags: u16, sequence: u32) {
    const SKIP_STATS: u32 = 1 << 3;
    batch.begin(GET_LINK, flags, sequence, &[0; 16]);
    batch.attribute(IFLA_EXT_MASK, &SKIP_STATS.to_ne_bytes());
    batch.end();
}

/// Asks for one link.
pub(crate) fn write_get_link(batch: &mut Batch, flags: u16, sequence: u32, link: LinkIndex) {
    let mut header = [0; 16];
    header.iter_mut().skip(4).zip(link.0.to_ne_bytes()).for_each(|(to, from)| *to = from);
    batch.begin(GET_LINK, flags, sequence, &header);
    batch.end();
}

/// Asks for the addresses of both families on one link. Kernels before 4.20 tell of all links.
pub(crate) fn write_get_addresses_of(batch: &mut Batch, flags: u16, sequence: u32, link: LinkIndex) {
    let mut header = [0; 8];
    header.iter_mut().skip(4).zip(link.0.to_ne_bytes()).for_each(|(to, from)| *to = from);
    batch.begin(GET_ADDRESS, flags, sequence, &header);
    batch.end();
}

/// Asks for all addresses of both families.
pub(crate) fn write_get_addresses(batch: &mut Batch, flags: u16, sequence: u32) {
    batch.begin(GET_ADDRESS, flags, sequence, &[0; 8]);
    batch.end();
}

/// Asks for `address` to be there.
pub(crate) fn write_new_address(batch: &mut Batch, flags: u16, sequence: u32, address: &Address) {
    batch.begin(NEW_ADDRESS, flags, sequence, &header(address.link, address.address, address.prefix, address.scope));
    write_ends(batch, address.address, address.peer);
    batch.attribute(IFA_FLAGS, &address.flags.to_ne_bytes());
    if address.address.is_ipv4() {
        if let Some(broadcast) = address.broadcast {
            batch.attribute(IFA_BROADCAST, &broadcast.octets());
        }
        if let Some(label) = address.label {
            let mut text = label.as_bytes().to_vec();
            text.push(0);
            batch.attribute(IFA_LABEL, &text);
        }
    }
    let mut lifetimes = [0; 16];
    let (preferred, valid) = (address.preferred_lifetime.unwrap_or(FOR_EVER), FOR_EVER);
    lifetimes.iter_mut().zip(preferred.to_ne_bytes().into_iter().chain(valid.to_ne_bytes())).for_each(|(to, from)| {
        *to = from;
    });
    batch.attribute(IFA_CACHEINFO, &lifetimes);
    if address.protocol != 0 {
        // kernels before 5.18 pass over it
        batch.attribute(IFA_PROTO, &[address.protocol]);
    }
    batch.end();
}

/// Asks for an address to be gone. IPv4: the kernel compares the peer as well.
pub(crate) fn write_delete_address(
    batch: &mut Batch,
    flags: u16,
    sequence: u32,
    (link, address, prefix): (LinkIndex, IpAddr, u8),
    peer: Option<IpAddr>,
) {
    batch.begin(DELETE_ADDRESS, flags, sequence, &header(link, address, prefix, 0));
    write_ends(batch, address, peer);
    batch.end();
}

fn header(link: LinkIndex, address: IpAddr, prefix: u8, scope: u8) -> [u8; 8] {
    let family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
    let [a, b, c, d] = link.0.to_ne_bytes();
    [family, prefix, 0, scope, a, b, c, d]
}

fn write_ends(batch: &mut Batch, address: IpAddr, peer: Option<IpAddr>) {
    let mut write = |kind, ip| match ip {
        IpAddr::V4(ip) => batch.attribute(kind, &ip.octets()),
        IpAddr::V6(ip) => batch.attribute(kind, &ip.octets()),
    };
    write(IFA_LOCAL, address);
    write(IFA_ADDRESS, peer.unwrap_or(address));
}

#[cfg(test)]
mod tests {
    use super::super::codec::{Messages, REQUEST};
    use super::*;

    fn full(address: IpAddr) -> Address {
        let v4 = address.is_ipv4();
        Address {
            link: LinkIndex(7),
            address,
            prefix: 24,
            scope: 253,
            flags: 0x202,
            label: InterfaceLabel::new(b"eth0:1").filter(|_| v4),
            broadcast: v4.then_some(Ipv4Addr::new(192, 0, 2, 255)),
            peer: Some(if v4 { "192.0.2.9".parse().unwrap() } else { "2001:db8::9".parse().unwrap() }),
            protocol: 18,
            preferred_lifetime: Some(0),
        }
    }

    fn body_of(address: &Address) -> Vec<u8> {
        let mut batch = Batch::default();
        write_new_address(&mut batch, REQUEST, 1, address);
        Messages(batch.octets()).next().unwrap().unwrap().body.to_vec()
    }

    #[test]
    fn an_address_is_read_as_it_was_written() {
        for text in ["192.0.2.1", "2001:db8::1"] {
            let mut wish = full(text.parse().unwrap());
            assert_eq!(address(&body_of(&wish)), Some(wish.clone()));
            (wish.peer, wish.preferred_lifetime) = (None, None);
            assert_eq!(address(&body_of(&wish)), Some(wish));
        }
    }

    #[test]
    fn a_link_is_read_with_a_name_that_is_not_utf_8() {
        let mut batch = Batch::default();
        let mut header = [0; 16];
        header[4..8].copy_from_slice(&9_u32.to_ne_bytes());
        header[8..12].copy_from_slice(&(IFF_UP | IFF_RUNNING | IFF_MULTICAST).to_ne_bytes());
        batch.begin(NEW_LINK, 0, 0, &header);
        batch.attribute(IFLA_IFNAME, b"eth\xff\0");
        batch.attribute(IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1]);
        batch.attribute(IFLA_MTU, &[1]);
        batch.nested(IFLA_LINKINFO, |batch| {
            batch.attribute(IFLA_INFO_KIND, b"vrf\0");
            batch.nested(IFLA_INFO_DATA, |batch| batch.attribute(IFLA_VRF_TABLE, &1001_u32.to_ne_bytes()));
        });
        batch.end();
        let body = Messages(batch.octets()).next().unwrap().unwrap().body;
        let read = link(body).unwrap().link.unwrap();
        assert_eq!(read.name.as_bytes(), b"eth\xff");
        assert_eq!((read.up, read.vrf), (true, Some(1001)));
        assert_eq!((read.running, read.multicast, read.loopback), (true, true, false));
        assert_eq!((read.mac, read.mtu), (Some([2, 0, 0, 0, 0, 1]), 0), "a short MTU does not cost the link");
        for length in 0..body.len() {
            let _may_be_less = link(&body[..length]);
        }
        let mut of_a_bridge = body.to_vec();
        of_a_bridge[0] = 7;
        assert_eq!(link(&of_a_bridge), None);
    }

    #[test]
    fn no_truncation_and_no_changed_octet_panics() {
        for text in ["192.0.2.1", "2001:db8::1"] {
            let body = body_of(&full(text.parse().unwrap()));
            for length in 0..body.len() {
                let _may_be_less = address(&body[..length]);
                for octet in [0, 1, 0x7f, 0xff] {
                    let mut changed = body.clone();
                    changed[length] = octet;
                    let _may_be_other = (address(&changed), link(&changed));
                }
            }
        }
    }
}
