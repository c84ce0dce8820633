//! The expressions that rules consist of, and the registers that they work on. Layouts and numbers:
//! linux/netfilter/nf_tables.h.

use keepalived_core::vrrp::Family;

use super::table::OurTable;
use crate::netlink::codec::Batch;

/// `NFT_JUMP`
pub(super) const JUMP: i32 = -3;
/// `NFT_GOTO`
pub(super) const GOTO: i32 = -4;
/// `NFT_RETURN`
pub(super) const RETURN: i32 = -5;
/// `NF_DROP`
pub(super) const DROP: i32 = 0;
/// `NF_ACCEPT`
pub(super) const PASS: i32 = 1;

/// `NFT_META_MARK`
pub(super) const META_MARK: u32 = 3;

/// Registers in steps of four octets: there are 16.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Register(pub(super) u32);

impl Register {
    const fn number(self) -> u32 {
        8 + self.0
    }
}

/// From where a header's octets are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Header {
    Network,
    Transport,
}

/// The answer to a client when no server is there, as IPVS gives it: ICMP "port unreachable".
const ICMPX_PORT_UNREACHABLE: (u32, u8) = (2, 1);

impl Batch {
    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    fn expression(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.expression_at(1, name, write);
    }

    pub(super) fn expression_at(&mut self, kind: u16, name: &str, write: impl FnOnce(&mut Self)) {
        self.nested(kind, |it| {
            it.text(1, name);
            it.nested(2, write);
        });
    }

    pub(super) fn verdict_data(&mut self, code: i32, chain: Option<&str>) {
        self.nested(2, |it| {
            it.attribute(1, &code.to_be_bytes());
            if let Some(chain) = chain {
                it.text(2, chain);
            }
        });
    }

    pub(super) fn verdict(&mut self, code: i32, chain: Option<&str>) {
        self.expression("immediate", |it| {
            it.number(1, 0);
            it.nested(2, |it| it.verdict_data(code, chain));
        });
    }

    pub(super) fn put(&mut self, register: Register, value: &[u8]) {
        self.expression("immediate", |it| {
            it.number(1, register.number());
            it.nested(2, |it| it.attribute(1, value));
        });
    }

    pub(super) fn meta(&mut self, register: Register, key: u32) {
        self.expression("meta", |it| {
            it.number(1, register.number());
            it.number(2, key);
        });
    }

    pub(super) fn set_meta(&mut self, key: u32, from: Register) {
        self.expression("meta", |it| {
            it.number(2, key);
            it.number(3, from.number());
        });
    }

    /// Has a register's value pass through the packet's mark, which is then as it was: nft 1.0.6 crashes when it lists
    /// rules that look for, or remember, what they have found in a map; a mark it believes.
    pub(super) fn through_mark(&mut self, value: Register, spare: Register) {
        self.meta(spare, META_MARK);
        self.set_meta(META_MARK, value);
        self.meta(value, META_MARK);
        self.set_meta(META_MARK, spare);
    }

    /// Something about the connection; `original` is as its first packet had it.
    pub(super) fn connection(&mut self, register: Register, key: u32, original: bool) {
        self.expression("ct", |it| {
            it.number(1, register.number());
            it.number(2, key);
            if original {
                it.attribute(3, &[0]);
            }
        });
    }

    pub(super) fn payload(&mut self, register: Register, header: Header, offset: u32, octets: u32) {
        self.expression("payload", |it| {
            it.number(1, register.number());
            it.number(2, if header == Header::Network { 1 } else { 2 });
            it.number(3, offset);
            it.number(4, octets);
        });
    }

    /// Goes on only if the register has this value.
    pub(super) fn equals(&mut self, register: Register, value: &[u8]) {
        self.compare(register, 0, value);
    }

    /// Goes on only if the register has another value.
    pub(super) fn differs(&mut self, register: Register, value: &[u8]) {
        self.compare(register, 1, value);
    }

    /// Goes on only if the register has at most this value.
    pub(super) fn at_most(&mut self, register: Register, value: &[u8]) {
        self.compare(register, 3, value);
    }

    fn compare(&mut self, register: Register, operation: u32, value: &[u8]) {
        self.expression("cmp", |it| {
            it.number(1, register.number());
            it.number(2, operation);
            it.nested(3, |it| it.attribute(1, value));
        });
    }

    pub(super) fn mask(&mut self, from: Register, to: Register, mask: &[u8]) {
        self.expression("bitwise", |it| {
            it.number(1, from.number());
            it.number(2, to.number());
            it.number(3, u32::try_from(mask.len()).unwrap_or(u32::MAX));
            it.nested(4, |it| it.attribute(1, mask));
            it.nested(5, |it| it.attribute(1, &vec![0; mask.len()]));
        });
    }

    /// A number of `modulus` from `first` on: the next one, or any.
    pub(super) fn generate(&mut self, register: Register, (first, modulus): (u32, u32), random: bool) {
        self.expression("numgen", |it| {
            it.number(1, register.number());
            it.number(2, modulus);
            it.number(3, u32::from(random));
            it.number(4, first);
        });
    }

    /// A number of `modulus` from `first` on that depends on `octets` octets from register `from` on.
    pub(super) fn hash(
        &mut self,
        (from, octets): (Register, u32),
        to: Register,
        (first, modulus): (u32, u32),
        seed: u32,
    ) {
        self.expression("hash", |it| {
            it.number(1, from.number());
            it.number(2, to.number());
            it.number(3, octets);
            it.number(4, modulus);
            it.number(5, seed);
            it.number(6, first);
            it.number(7, 0);
        });
    }

    /// Goes on only if the set has what is in the register.
    pub(super) fn in_set(&mut self, set: &str, from: Register, inverted: bool) {
        self.expression("lookup", |it| {
            it.text(1, set);
            it.number(2, from.number());
            if inverted {
                it.number(5, 1);
            }
        });
    }

    /// Goes on only if the map has what is in the register; `None` is where verdicts go.
    pub(super) fn look_up(&mut self, map: &str, from: Register, to: Option<Register>) {
        self.expression("lookup", |it| {
            it.text(1, map);
            it.number(2, from.number());
            it.number(3, to.map_or(0, Register::number));
        });
    }

    /// Puts something into a set or map for a while; if it is there already, that stays, and lasts anew.
    pub(super) fn remember(&mut self, set: &str, key: Register, data: Option<Register>, milliseconds: u64) {
        self.expression("dynset", |it| {
            it.text(1, set);
            it.number(3, 1);
            it.number(4, key.number());
            if let Some(data) = data {
                it.number(5, data.number());
            }
            it.attribute(6, &milliseconds.to_be_bytes());
        });
    }

    /// Forgets what [`Self::remember`] was told; `data` is any register that has a value, if it is a map.
    pub(super) fn forget(&mut self, set: &str, key: Register, data: Option<Register>) {
        self.expression("dynset", |it| {
            it.text(1, set);
            it.number(3, 2);
            it.number(4, key.number());
            if let Some(data) = data {
                it.number(5, data.number());
            }
        });
    }

    /// Sends a copy of the packet, as it is, to the neighbour or gateway of this address.
    pub(super) fn duplicate(&mut self, address: Register) {
        self.expression("dup", |it| it.number(1, address.number()));
    }

    /// Sends a copy of the packet, as it is, to the neighbour of this address on a link.
    pub(super) fn duplicate_out_of(&mut self, address: Register, link: Register) {
        self.expression("dup", |it| {
            it.number(1, address.number());
            it.number(2, link.number());
        });
    }

    /// Counts the packet.
    pub(super) fn count(&mut self) {
        self.expression("counter", |_| {});
    }

    /// Sends the connection elsewhere.
    pub(super) fn redirect(&mut self, family: u8, address: Register, port: Option<Register>) {
        self.expression("nat", |it| {
            it.number(1, 1);
            it.number(2, family.into());
            it.number(3, address.number());
            if let Some(port) = port {
                it.number(5, port.number());
            }
        });
    }

    /// Answers that no server is there.
    pub(super) fn reject(&mut self, table: OurTable) {
        let (kind, code) = match table {
            OurTable::Nat => ICMPX_PORT_UNREACHABLE,
            OurTable::Direct(Family::V4) => (0, 3),
            OurTable::Direct(Family::V6) => (0, 4),
        };
        self.expression("reject", |it| {
            it.number(1, kind);
            it.attribute(2, &[code]);
        });
    }
}
