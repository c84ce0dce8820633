//! Messages of nf_tables: transactions about tables, chains, rules, sets and their elements. Layouts and numbers:
//! linux/netfilter/nf_tables.h.

use super::expression::GOTO;
use super::table::{OurTable, kind};
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
    pub(super) const DELETE_SET: Self = Self(11);
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
    prefix: String,
    /// `NFPROTO_*` of the table.
    family: u8,
    /// The name of the table, or of a table that lasts for this transaction only.
    name: String,
}

impl Transaction {
    /// About tables whose names begin with `prefix`.
    pub(super) fn new(prefix: &str) -> Self {
        let (family, name) = (OurTable::Nat.number(), OurTable::Nat.name(prefix));
        Self { batch: Batch::default(), first: 0, count: 0, prefix: prefix.to_owned(), family, name }
    }

    /// Starts one whose numbers begin with `first`.
    pub(super) fn begin(&mut self, first: u32) {
        self.batch.clear();
        (self.first, self.count) = (first, 0);
        self.edge(BATCH_BEGIN);
    }

    /// What follows is about this table.
    pub(super) fn at(&mut self, table: OurTable) {
        (self.family, self.name) = (table.number(), table.name(&self.prefix));
    }

    /// What follows is about the table of this family (`NFPROTO_*`) and name.
    pub(super) fn at_table(&mut self, family: u8, name: &str) {
        (self.family, self.name) = (family, name.to_owned());
    }

    /// The same about a table of another name that is there for this transaction only.
    pub(super) fn at_passing(&mut self, table: OurTable) {
        (self.family, self.name) = (table.number(), format!("{}_passing", self.prefix));
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
        self.batch.begin(kind.number(), codec::REQUEST | flags, number, &[self.family, 0, 0, 0]);
        self.batch.text(1, &self.name);
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
            } else if set.flags & CONCATENATED != 0 {
                it.nested(9, |it| it.nested(2, |it| lengths(it, set.key)));
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

/// A set or a map to make.
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

/// `NFT_SET_INTERVAL`: elements are ranges.
pub(super) const INTERVAL: u32 = 0x4;
/// `NFT_SET_CONCAT`: of each part of the key for itself. Linux 5.6.
pub(super) const CONCATENATED: u32 = 0x80;
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
    /// Keys lead to a value if each part of them is between the same parts of two other keys.
    Range(Vec<u8>, Vec<u8>, Vec<u8>),
    /// Leads to a chain, from which there is no return.
    Chain(Vec<u8>, String),
}

impl Element {
    fn write(self, it: &mut Batch) {
        let (Self::Key(key) | Self::Value(key, _) | Self::Range(key, ..) | Self::Chain(key, _)) = &self;
        it.nested(1, |it| it.attribute(1, key));
        match &self {
            Self::Key(_) => {}
            Self::Value(_, value) => it.nested(2, |it| it.attribute(1, value)),
            Self::Range(_, last, value) => {
                it.nested(2, |it| it.attribute(1, value));
                it.nested(10, |it| it.attribute(1, last));
            }
            Self::Chain(_, name) => it.nested(2, |it| it.verdict_data(GOTO, Some(name))),
        }
    }
}

/// How many octets each part of a key has, which may be less than its registers.
fn lengths(it: &mut Batch, parts: &[(u32, usize)]) {
    for (kind, octets) in parts {
        let length = if *kind == kind::PORT { 2 } else { octets_of(&[(*kind, *octets)]) };
        it.nested(1, |it| it.number(1, length));
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
