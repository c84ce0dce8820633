//! Policy rules as the kernel has them.

use std::fmt;

use super::route::{OUR_PROTOCOL, Prefix};
use crate::address::InterfaceName;
use crate::vrrp::Family;

/// A rule. All of it tells it from another: the kernel has rules that differ in one selector beside each other, and none of
/// them changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule {
    /// Of its addresses.
    pub family: Family,
    /// `FRA_PRIORITY`
    pub preference: u32,
    /// What becomes of a packet that it matches.
    pub action: Action,
    /// `FIB_RULE_INVERT`
    pub inverted: bool,
    /// `FRA_SRC`; absent: all.
    pub from: Option<Prefix>,
    /// `FRA_DST`; absent: all.
    pub to: Option<Prefix>,
    /// `FRA_IIFNAME`: the link need not be there.
    pub input: Option<InterfaceName>,
    /// `FRA_OIFNAME`
    pub output: Option<InterfaceName>,
    /// TOS; 0: all.
    pub tos: u8,
    /// `FRA_FWMARK` and `FRA_FWMASK`
    pub mark: Option<(u32, u32)>,
    /// `FRA_FLOW`: realms, FROM in the upper 16 bits; IPv4.
    pub realms: Option<u32>,
    /// `FRA_SUPPRESS_PREFIXLEN`
    pub suppress_prefix_length: Option<u32>,
    /// `FRA_SUPPRESS_IFGROUP`
    pub suppress_group: Option<u32>,
    /// `FRA_TUN_ID`
    pub tunnel_id: Option<u64>,
    /// `FRA_UID_RANGE`: first and last.
    pub users: Option<(u32, u32)>,
    /// `FRA_IP_PROTO`
    pub ip_protocol: Option<u8>,
    /// `FRA_SPORT_RANGE`: first and last.
    pub source_ports: Option<(u16, u16)>,
    /// `FRA_DPORT_RANGE`: first and last.
    pub destination_ports: Option<(u16, u16)>,
    /// `FRA_PROTOCOL`; 0 where nothing is said.
    pub protocol: u8,
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// `FR_ACT_TO_TBL`: looks into this table.
    Table(u32),
    /// The table of the device's VRF (`FRA_L3MDEV`).
    L3mdev,
    /// `FR_ACT_GOTO`: on with the rule of this preference.
    Goto(u32),
    /// `FR_ACT_NOP`
    Nop,
    /// `FR_ACT_BLACKHOLE`
    Blackhole,
    /// `FR_ACT_UNREACHABLE`
    Unreachable,
    /// `FR_ACT_PROHIBIT`
    Prohibit,
}

impl Rule {
    /// A rule of ours without selectors.
    pub const fn plain(family: Family, preference: u32, action: Action) -> Self {
        Self {
            family,
            preference,
            action,
            inverted: false,
            from: None,
            to: None,
            input: None,
            output: None,
            tos: 0,
            mark: None,
            realms: None,
            suppress_prefix_length: None,
            suppress_group: None,
            tunnel_id: None,
            users: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            protocol: OUR_PROTOCOL,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.preference)?;
        if self.inverted {
            f.write_str(" not")?;
        }
        match self.from {
            Some(from) => write!(f, " from {from}")?,
            None => f.write_str(" from all")?,
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        if let Some((mark, mask)) = self.mark {
            write!(f, " fwmark {mark:#x}/{mask:#x}")?;
        }
        if let Some(input) = self.input {
            write!(f, " iif {input}")?;
        }
        if let Some(output) = self.output {
            write!(f, " oif {output}")?;
        }
        match self.action {
            Action::Table(table) => write!(f, " lookup {table}"),
            Action::L3mdev => f.write_str(" lookup l3mdev"),
            Action::Goto(preference) => write!(f, " goto {preference}"),
            Action::Nop => f.write_str(" nop"),
            Action::Blackhole => f.write_str(" blackhole"),
            Action::Unreachable => f.write_str(" unreachable"),
            Action::Prohibit => f.write_str(" prohibit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_as_a_line_of_ip_rule() {
        let plain = Rule::plain(Family::V4, 100, Action::Table(5));
        assert_eq!(plain.to_string(), "100: from all lookup 5");
        let selective = Rule {
            inverted: true,
            from: Some(Prefix { address: "192.0.2.0".parse().unwrap(), length: 24 }),
            mark: Some((1, 0xff)),
            input: InterfaceName::new(b"eth0"),
            action: Action::Blackhole,
            ..plain
        };
        assert_eq!(selective.to_string(), "100: not from 192.0.2.0/24 fwmark 0x1/0xff iif eth0 blackhole");
    }
}
