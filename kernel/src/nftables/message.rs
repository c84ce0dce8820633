//! Messages of nf_tables, and the expressions that rules consist of. Layouts and numbers: linux/netfilter/nf_tables.h.

use keepalived_core::vrrp::Family;

use super::names::Home;
use crate::netlink::codec::{self, Batch};

/// `NFNL_SUBSYS_NFTABLES`
const SUBSYSTEM: u16 = 10;
/// `NLM_F_APPEND`
const APPEND: u16 = 0x800;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;

/// What a message is about; requests and answers have the same number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind(u16);

impl Kind {
    pub(super) const NEW_TABLE: Self = Self(0);
    pub(super) const DELETE_TABLE: Self = Self(2);
    pub(super) const NEW_CHAIN: Self = Self(3);
    pub(super) const GET_CHAIN: Self = Self(4);
    pub(super) const DELETE_CHAIN: Self = Self(5);
    pub(super) const NEW_RULE: Self = Self(6);
    pub(super) const GET_RULE: Self = Self(7);
    pub(super) const DELETE_RULE: Self = Self(8);
    pub(super) const NEW_SET: Self = Self(9);
    pub(super) const GET_SET: Self = Self(10);
    pub(super) const NEW_ELEMENTS: Self = Self(12);
    pub(super) const GET_ELEMENTS: Self = Self(13);
    pub(super) const DELETE_ELEMENTS: Self = Self(14);
    pub(super) const GET_GENERATION: Self = Self(16);

    /// `NFNL_SUBSYS_NFTABLES` and the message's number in it.
    pub(super) const fn number(self) -> u16 {
        SUBSYSTEM << 8 | self.0
    }
}

/// Requests to be carried out together or not at all.
#[derive(Debug)]
pub(super) struct Transaction {
    batch: Batch,
    first: u32,
    count: u32,
    name: String,
    home: Home,
    table: String,
}

impl Transaction {
    /// About tables whose names begin with `name`.
    pub(super) fn new(name: &str) -> Self {
        let (home, table) = (Home::Nat, Home::Nat.table(name));
        Self { batch: Batch::default(), first: 0, count: 0, name: name.to_owned(), home, table }
    }

    /// Starts one whose numbers begin with `first`.
    pub(super) fn begin(&mut self, first: u32) {
        self.batch.clear();
        (self.first, self.count) = (first, 0);
        self.edge(BATCH_BEGIN);
    }

    /// What follows is about this table.
    pub(super) fn at(&mut self, home: Home) {
        (self.home, self.table) = (home, home.table(&self.name));
    }

    /// The same about a table of another name that is there for this transaction only.
    pub(super) fn at_passing(&mut self, home: Home) {
        (self.home, self.table) = (home, format!("{}_passing", self.name));
    }

    pub(super) fn end(&mut self) {
        self.edge(BATCH_END);
    }

    fn edge(&mut self, kind: u16) {
        let [high, low] = SUBSYSTEM.to_be_bytes();
        let number = self.next();
        self.batch.begin(kind, codec::REQUEST, number, &[0, 0, high, low]);
        self.batch.end();
    }

    fn next(&mut self) -> u32 {
        let number = self.first.wrapping_add(self.count);
        self.count = self.count.wrapping_add(1);
        number
    }

    /// Forgets everything, and the room that it took.
    pub(super) fn give_back(&mut self) {
        self.batch.give_back();
    }

    /// How many messages there are.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.batch.octets()
    }

    /// Adds a message about the table; attribute 1 is always its name.
    pub(super) fn message(&mut self, kind: Kind, flags: u16, write: impl FnOnce(&mut Batch)) {
        let number = self.next();
        self.batch.begin(kind.number(), codec::REQUEST | flags, number, &[self.home.number(), 0, 0, 0]);
        self.batch.text(1, &self.table);
        write(&mut self.batch);
        self.batch.end();
    }

    pub(super) fn new_table(&mut self) {
        self.message(Kind::NEW_TABLE, codec::CREATE, |_| {});
    }

    pub(super) fn delete_table(&mut self) {
        self.message(Kind::DELETE_TABLE, 0, |_| {});
    }

    pub(super) fn new_chain(&mut self, name: &str, hook: Option<Hook>) {
        self.message(Kind::NEW_CHAIN, codec::CREATE, |it| {
            it.text(3, name);
            if let Some(Hook { kind, number, priority }) = hook {
                it.nested(4, |it| {
                    it.number(1, number);
                    it.attribute(2, &priority.to_be_bytes());
                });
                it.number(5, ACCEPT);
                it.text(7, kind);
            }
        });
    }

    pub(super) fn delete_chain(&mut self, name: &str) {
        self.message(Kind::DELETE_CHAIN, 0, |it| it.text(3, name));
    }

    /// Adds a rule at the end of a chain.
    pub(super) fn new_rule(&mut self, chain: &str, comment: Option<&str>, write: impl FnOnce(&mut Batch)) {
        self.message(Kind::NEW_RULE, codec::CREATE | APPEND, |it| {
            it.text(2, chain);
            it.nested(4, write);
            if let Some(comment) = comment {
                it.attribute(7, &note(0, comment.as_bytes(), true));
            }
        });
    }

    /// Removes all rules of a chain.
    pub(super) fn empty_chain(&mut self, chain: &str) {
        self.message(Kind::DELETE_RULE, 0, |it| it.text(2, chain));
    }

    pub(super) fn new_set(&mut self, set: &Set<'_>) {
        self.message(Kind::NEW_SET, codec::CREATE, |it| {
            it.text(2, set.name);
            it.number(3, set.flags);
            it.number(4, concatenated(set.key));
            it.number(5, octets_of(set.key));
            match set.data {
                Data::None => {}
                Data::Verdict => {
                    it.number(6, VERDICT_DATA);
                    it.number(7, 0);
                }
                Data::Value(parts) => {
                    it.number(6, concatenated(parts));
                    it.number(7, octets_of(parts));
                }
            }
            if let Some(most) = set.most {
                it.nested(9, |it| it.number(1, most));
            }
            // within the transaction; all of ours are found by their names
            it.number(10, 1);
            // only nft reads it: by default it takes numbers for those of a packet
            let mut orders = Vec::new();
            for (kind, native) in [(0, set.native_key), (1, set.native_data)] {
                if native {
                    orders.extend(note(kind, &HOST_ORDER.to_ne_bytes(), false));
                }
            }
            if !orders.is_empty() {
                it.attribute(13, &orders);
            }
            if set.counts {
                it.expression_at(17, "counter", |_| {});
            }
        });
    }

    /// Adds elements to a set, or removes them from it.
    pub(super) fn elements(&mut self, kind: Kind, set: &str, elements: impl IntoIterator<Item = Element>) {
        let mut elements = elements.into_iter().peekable();
        while elements.peek().is_some() {
            let flags = if kind == Kind::NEW_ELEMENTS { codec::CREATE } else { 0 };
            self.message(kind, flags, |it| {
                it.text(2, set);
                it.nested(3, |it| {
                    for element in elements.by_ref().take(MOST_ELEMENTS) {
                        it.nested(1, |it| element.write(it));
                    }
                });
            });
        }
    }
}

/// Elements in one message: its list may have 65535 octets, and an element has up to 400 (a chain's name may have 255).
const MOST_ELEMENTS: usize = 128;
/// `NF_ACCEPT`
const ACCEPT: u32 = 1;
/// `NFT_DATA_VERDICT`
const VERDICT_DATA: u32 = 0xffff_ff00;

/// Where packets enter a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hook {
    /// `nat`, `filter`
    pub(super) kind: &'static str,
    /// `NF_INET_*`
    pub(super) number: u32,
    pub(super) priority: i32,
}

/// A set or a map that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set<'a> {
    pub(super) name: &'a str,
    /// `NFT_SET_*`
    pub(super) flags: u32,
    pub(super) key: &'a [(u32, usize)],
    pub(super) data: Data<'a>,
    /// Elements that it may have.
    pub(super) most: Option<u32>,
    /// Its keys are numbers in the machine's order.
    pub(super) native_key: bool,
    /// What it leads to are such numbers.
    pub(super) native_data: bool,
    /// Its elements count what is found.
    pub(super) counts: bool,
}

/// To what a map leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Data<'a> {
    /// It is a set.
    None,
    Verdict,
    Value(&'a [(u32, usize)]),
}

/// `NFT_SET_MAP`
pub(super) const MAP: u32 = 0x8;
/// `NFT_SET_TIMEOUT`
pub(super) const TIMEOUT: u32 = 0x10;
/// `NFT_SET_EVAL`: rules add to it.
pub(super) const DYNAMIC: u32 = 0x20;
/// nft's `BYTEORDER_HOST_ENDIAN`
const HOST_ORDER: u32 = 1;

/// Element of a set or map.
#[derive(Clone, Debug)]
pub(super) enum Element {
    /// Of a set; or one that goes.
    Key(Vec<u8>),
    /// Leads to a value.
    Value(Vec<u8>, Vec<u8>),
    /// Leads to a chain, from which there is no return.
    Chain(Vec<u8>, String),
}

impl Element {
    fn write(self, it: &mut Batch) {
        let (Self::Key(key) | Self::Value(key, _) | Self::Chain(key, _)) = &self;
        it.nested(1, |it| it.attribute(1, key));
        match &self {
            Self::Key(_) => {}
            Self::Value(_, value) => it.nested(2, |it| it.attribute(1, value)),
            Self::Chain(_, name) => it.nested(2, |it| it.verdict_data(GOTO, Some(name))),
        }
    }
}

fn concatenated(parts: &[(u32, usize)]) -> u32 {
    parts.iter().fold(0, |kinds, (kind, _)| kinds << 6 | kind)
}

fn octets_of(parts: &[(u32, usize)]) -> u32 {
    parts.iter().map(|(_, octets)| u32::try_from(*octets).unwrap_or(u32::MAX)).sum()
}

/// A remark that the kernel keeps and nft shows: kind, length, value.
fn note(kind: u8, value: &[u8], text: bool) -> Vec<u8> {
    let length = value.len() + usize::from(text);
    let mut octets = vec![kind, u8::try_from(length).expect("our remarks are short")];
    octets.extend(value);
    if text {
        octets.push(0);
    }
    octets
}

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

/// How a client is told that there is nobody, as IPVS does: ICMP "port unreachable".
const ICMPX_PORT_UNREACHABLE: (u32, u8) = (2, 1);

/// What rules consist of.
impl Batch {
    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    fn expression(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.expression_at(1, name, write);
    }

    fn expression_at(&mut self, kind: u16, name: &str, write: impl FnOnce(&mut Self)) {
        self.nested(kind, |it| {
            it.text(1, name);
            it.nested(2, write);
        });
    }

    fn verdict_data(&mut self, code: i32, chain: Option<&str>) {
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

    fn set_meta(&mut self, key: u32, from: Register) {
        self.expression("meta", |it| {
            it.number(2, key);
            it.number(3, from.number());
        });
    }

    /// Has a register's value pass through the packet's mark, which is then as it was: nft 1.0.6 crashes when it lists
    /// rules that look for, or remember, what they have found in a map; a mark it believes.
    pub(super) fn through_mark(&mut self, value: Register, spare: Register) {
        const MARK: u32 = 3;
        self.meta(spare, MARK);
        self.set_meta(MARK, value);
        self.meta(value, MARK);
        self.set_meta(MARK, spare);
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

    /// Says that there is nobody.
    pub(super) fn reject(&mut self, home: Home) {
        let (kind, code) = match home {
            Home::Nat => ICMPX_PORT_UNREACHABLE,
            Home::Direct(Family::V4) => (0, 3),
            Home::Direct(Family::V6) => (0, 4),
        };
        self.expression("reject", |it| {
            it.number(1, kind);
            it.attribute(2, &[code]);
        });
    }
}
