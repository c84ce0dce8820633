//! `RTM_*RULE`: policy rules as the kernel tells them, and how it is asked to change them.

use keepalived_core::address::InterfaceName;
use keepalived_core::network::Prefix;
use keepalived_core::network::rule::{Action, Rule};
use keepalived_core::vrrp::Family;

use super::codec::{self, Attributes, Batch, u16_at, u32_at};
use super::route::{AF_INET, AF_INET6, number, read_ip, write_ip};

/// `RTM_NEWRULE`
pub(crate) const NEW_RULE: u16 = 32;
/// `RTM_DELRULE`
pub(crate) const DELETE_RULE: u16 = 33;
/// `RTM_GETRULE`
const GET_RULE: u16 = 34;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_FLOW: u16 = 11;
const FRA_TUN_ID: u16 = 12;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_L3MDEV: u16 = 19;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;

/// `FIB_RULE_INVERT`
const INVERT: u32 = 2;

/// `FR_ACT_*`
mod act {
    pub(super) const TABLE: u8 = 1;
    pub(super) const GOTO: u8 = 2;
    pub(super) const NOP: u8 = 3;
    pub(super) const BLACKHOLE: u8 = 6;
    pub(super) const UNREACHABLE: u8 = 7;
    pub(super) const PROHIBIT: u8 = 8;
}

/// Asks for all rules of one family: the kernel does not look for protocols, and there are few.
pub(crate) fn write_get(batch: &mut Batch, flags: u16, sequence: u32, family: Family) {
    batch.begin(GET_RULE, flags, sequence, &[number(family), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    batch.end();
}

/// Asks for `rule` to be there; the kernel refuses to have it twice.
pub(crate) fn write_new(batch: &mut Batch, flags: u16, sequence: u32, rule: &Rule) {
    write(batch, NEW_RULE, flags | codec::CREATE | codec::EXCLUSIVE, sequence, rule);
}

/// Asks for `rule` to be gone.
pub(crate) fn write_delete(batch: &mut Batch, flags: u16, sequence: u32, rule: &Rule) {
    write(batch, DELETE_RULE, flags, sequence, rule);
}

fn write(batch: &mut Batch, what: u16, flags: u16, sequence: u32, rule: &Rule) {
    let length = |prefix: Option<Prefix>| prefix.map_or(0, |prefix| prefix.length);
    let (action, table) = match rule.action {
        Action::Table(table) => (act::TABLE, table),
        Action::L3mdev => (act::TABLE, 0),
        Action::Goto(_) => (act::GOTO, 0),
        Action::Nop => (act::NOP, 0),
        Action::Blackhole => (act::BLACKHOLE, 0),
        Action::Unreachable => (act::UNREACHABLE, 0),
        Action::Prohibit => (act::PROHIBIT, 0),
    };
    // the low octet of a number that does not fit says "see the attribute"
    let low = u8::try_from(table).unwrap_or(0);
    let [a, b, c, d] = if rule.inverted { INVERT } else { 0_u32 }.to_ne_bytes();
    let header = [number(rule.family), length(rule.to), length(rule.from), rule.tos, low, 0, 0, action, a, b, c, d];
    batch.begin(what, flags, sequence, &header);
    let mut attribute = |what: u16, value: &[u8]| batch.attribute(what, value);
    attribute(FRA_PRIORITY, &rule.preference.to_ne_bytes());
    if table != 0 {
        attribute(FRA_TABLE, &table.to_ne_bytes());
    }
    match rule.action {
        Action::Goto(preference) => attribute(FRA_GOTO, &preference.to_ne_bytes()),
        Action::L3mdev => attribute(FRA_L3MDEV, &[1]),
        Action::Table(_) | Action::Nop | Action::Blackhole | Action::Unreachable | Action::Prohibit => {}
    }
    if let Some((mark, mask)) = rule.mark {
        attribute(FRA_FWMARK, &mark.to_ne_bytes());
        attribute(FRA_FWMASK, &mask.to_ne_bytes());
    }
    for (what, number) in [
        (FRA_FLOW, rule.realms),
        (FRA_SUPPRESS_PREFIXLEN, rule.suppress_prefix_length),
        (FRA_SUPPRESS_IFGROUP, rule.suppress_group),
    ] {
        if let Some(number) = number {
            attribute(what, &number.to_ne_bytes());
        }
    }
    if let Some(id) = rule.tunnel_id {
        attribute(FRA_TUN_ID, &id.to_be_bytes());
    }
    if let Some((first, last)) = rule.users {
        attribute(FRA_UID_RANGE, &[first.to_ne_bytes(), last.to_ne_bytes()].concat());
    }
    if let Some(protocol) = rule.ip_protocol {
        attribute(FRA_IP_PROTO, &[protocol]);
    }
    for (what, ports) in [(FRA_SPORT_RANGE, rule.source_ports), (FRA_DPORT_RANGE, rule.destination_ports)] {
        if let Some((first, last)) = ports {
            attribute(what, &[first.to_ne_bytes(), last.to_ne_bytes()].concat());
        }
    }
    if rule.protocol != 0 {
        attribute(FRA_PROTOCOL, &[rule.protocol]);
    }
    for (what, name) in [(FRA_IIFNAME, rule.input), (FRA_OIFNAME, rule.output)] {
        if let Some(name) = name {
            let octets: Vec<u8> = name.as_bytes().iter().copied().chain([0]).collect();
            attribute(what, &octets);
        }
    }
    for (what, prefix) in [(FRA_SRC, rule.from), (FRA_DST, rule.to)] {
        if let Some(prefix) = prefix {
            write_ip(batch, what, prefix.address);
        }
    }
    batch.end();
}

/// Reads a rule. `None` for other families, and for actions that no rule of ours has.
pub(crate) fn read(body: &[u8]) -> Option<Rule> {
    let [family, to_length, from_length, tos, table, _, _, action] = *body.first_chunk()?;
    let flags = u32_at(body, 8)?;
    let family = match family {
        AF_INET => Family::V4,
        AF_INET6 => Family::V6,
        _ => return None,
    };
    let mut rule = Rule { tos, inverted: flags & INVERT != 0, protocol: 0, ..Rule::plain(family, 0, Action::Nop) };
    let (mut table, mut target, mut l3mdev) = (u32::from(table), 0, false);
    let (mut mark, mut mask) = (0, 0);
    let prefix = |value, length| read_ip(value).map(|address| Prefix { address, length });
    let name = |value: &[u8]| InterfaceName::new(value.strip_suffix(&[0]).unwrap_or(value));
    for (what, value) in Attributes(body.get(12..)?) {
        match what {
            FRA_DST => rule.to = prefix(value, to_length),
            FRA_SRC => rule.from = prefix(value, from_length),
            FRA_IIFNAME => rule.input = name(value),
            FRA_OIFNAME => rule.output = name(value),
            FRA_GOTO => target = u32_at(value, 0)?,
            FRA_PRIORITY => rule.preference = u32_at(value, 0)?,
            FRA_FWMARK => mark = u32_at(value, 0)?,
            FRA_FWMASK => mask = u32_at(value, 0)?,
            FRA_FLOW => rule.realms = u32_at(value, 0).filter(|realms| *realms != 0),
            FRA_TUN_ID => {
                rule.tunnel_id = value.first_chunk().map(|id| u64::from_be_bytes(*id)).filter(|id| *id != 0);
            }
            // all bits set: none
            FRA_SUPPRESS_IFGROUP => rule.suppress_group = u32_at(value, 0).filter(|group| *group != u32::MAX),
            FRA_SUPPRESS_PREFIXLEN => {
                rule.suppress_prefix_length = u32_at(value, 0).filter(|length| *length != u32::MAX);
            }
            FRA_TABLE => table = u32_at(value, 0)?,
            FRA_L3MDEV => l3mdev = value.first() == Some(&1),
            FRA_UID_RANGE => rule.users = Some((u32_at(value, 0)?, u32_at(value, 4)?)),
            FRA_PROTOCOL => rule.protocol = *value.first()?,
            FRA_IP_PROTO => rule.ip_protocol = value.first().copied().filter(|protocol| *protocol != 0),
            FRA_SPORT_RANGE => rule.source_ports = ports(value),
            FRA_DPORT_RANGE => rule.destination_ports = ports(value),
            _ => {}
        }
    }
    rule.mark = ((mark, mask) != (0, 0)).then_some((mark, mask));
    rule.action = match action {
        act::TABLE if l3mdev => Action::L3mdev,
        act::TABLE => Action::Table(table),
        act::GOTO => Action::Goto(target),
        act::NOP => Action::Nop,
        act::BLACKHOLE => Action::Blackhole,
        act::UNREACHABLE => Action::Unreachable,
        act::PROHIBIT => Action::Prohibit,
        _ => return None,
    };
    Some(rule)
}

fn ports(value: &[u8]) -> Option<(u16, u16)> {
    Some((u16_at(value, 0)?, u16_at(value, 2)?)).filter(|ports| *ports != (0, 0))
}

#[cfg(test)]
mod tests {
    use super::super::codec::{Messages, REQUEST};
    use super::*;

    /// A rule with everything that one of its family can have.
    fn full(family: Family, action: Action) -> Rule {
        let prefix = |v4: &str, v6: &str| {
            let text = if family == Family::V4 { v4 } else { v6 };
            let (address, length) = text.split_once('/').unwrap();
            Some(Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() })
        };
        Rule {
            inverted: true,
            from: prefix("192.0.2.0/24", "2001:db8::/32"),
            to: prefix("198.51.100.7/32", "2001:db8:1::7/128"),
            input: InterfaceName::new(b"eth0"),
            output: InterfaceName::new(b"eth1"),
            tos: 8,
            mark: Some((0x10, 0xff)),
            realms: (family == Family::V4).then_some(0x0003_0004),
            suppress_prefix_length: Some(0),
            suppress_group: Some(3),
            tunnel_id: Some(5),
            users: Some((1000, 1999)),
            ip_protocol: Some(6),
            source_ports: Some((1024, 65535)),
            destination_ports: Some((80, 80)),
            ..Rule::plain(family, 100, action)
        }
    }

    fn body_of(rule: &Rule) -> Vec<u8> {
        let mut batch = Batch::default();
        write_new(&mut batch, REQUEST, 1, rule);
        Messages(batch.octets()).next().unwrap().unwrap().body.to_vec()
    }

    #[test]
    fn a_rule_is_read_as_it_was_written() {
        let actions = [
            Action::Table(5),
            Action::Table(100_000),
            Action::L3mdev,
            Action::Goto(200),
            Action::Nop,
            Action::Blackhole,
            Action::Unreachable,
            Action::Prohibit,
        ];
        for family in [Family::V4, Family::V6] {
            for action in actions {
                for rule in [full(family, action), Rule::plain(family, 0, action)] {
                    assert_eq!(read(&body_of(&rule)), Some(rule));
                }
            }
        }
    }

    #[test]
    fn no_truncation_and_no_changed_octet_panics() {
        let body = body_of(&full(Family::V4, Action::Goto(200)));
        for length in 0..body.len() {
            let _may_be_less = read(&body[..length]);
            for octet in [0, 1, 4, 0x7f, 0xff] {
                let mut changed = body.clone();
                changed[length] = octet;
                let _may_be_other = read(&changed);
            }
        }
    }
}
