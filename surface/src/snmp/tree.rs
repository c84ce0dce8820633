//! Tables as data, and the search in them.

use keepalived_config::model::Config;

use super::oid::Oid;
use super::value::{Value, VarBind};
use super::world::Scene;
use super::{Write, tables};

/// Objects with the same rows: a table of a MIB, or scalars beside each other.
pub(super) struct Table {
    /// What comes before the number of the column.
    pub(super) entry: &'static [u32],
    /// Which rows there are.
    pub(super) rows: Rows,
    /// Its columns, by number.
    pub(super) columns: &'static [Column],
}

/// Which rows a table has.
pub(super) enum Rows {
    /// One, `.0`.
    Scalar,
    /// By place in the configuration: so many numbers, the first from `first` on, the others from 1 on.
    Places {
        levels: usize,
        first: u32,
        /// How many rows there are below an index that is not complete.
        count: fn(&Scene<'_>, &[u32]) -> usize,
    },
    /// Those of a list, in its order.
    Listed(for<'a> fn(&'a Scene<'_>) -> &'a super::world::Order),
}

/// One column, or one scalar.
pub(super) struct Column {
    pub(super) number: u32,
    pub(super) name: &'static str,
    /// Its value in a row; `None` where the row has none.
    pub(super) get: fn(&Scene<'_>, &[u32]) -> Option<Value>,
    /// What comes of writing it, if that is possible.
    pub(super) set: Set,
}

/// Whether a column can be written.
pub(super) enum Set {
    No,
    Yes(fn(&Scene<'_>, &[u32], &Value) -> Result<Change, ErrorStatus>),
}

/// What a set leads to, and what takes it back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Change {
    pub(super) write: Write,
    pub(super) undo: Write,
}

/// `error-status` of a response (RFC 3416 §3, RFC 2741 §6.2.16).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ErrorStatus {
    NoError,
    NoAccess,
    WrongType,
    WrongValue,
    CommitFailed,
    NotWritable,
    UnsupportedContext,
    ParseError,
}

impl ErrorStatus {
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::NoAccess => 6,
            Self::WrongType => 7,
            Self::WrongValue => 10,
            Self::CommitFailed => 14,
            Self::NotWritable => 17,
            Self::UnsupportedContext => 262,
            Self::ParseError => 266,
        }
    }
}

macro_rules! columns {
    ($find:path as $row:ident in $scene:ident; $($number:literal $name:ident $([$set:expr])? = $value:expr;)*) => {{
        const COLUMNS: &[$crate::snmp::tree::Column] = &[$($crate::snmp::tree::Column {
            number: $number,
            name: stringify!($name),
            get: |$scene, index| {
                let $row = $find($scene, index)?;
                // not every column looks at its row
                let _ = &$row;
                $value.into()
            },
            set: columns!(@set $($set)?),
        }),*];
        COLUMNS
    }};
    (@set) => { $crate::snmp::tree::Set::No };
    (@set $set:expr) => { $set };
}
pub(super) use columns;

/// Which trees are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trees {
    /// KEEPALIVED-MIB `vrrp`
    pub vrrp: bool,
    /// KEEPALIVED-MIB `check`
    pub checker: bool,
    /// VRRP-MIB
    pub rfc2787: bool,
    /// VRRPV3-MIB
    pub rfc6527: bool,
    /// Whether traps are sent.
    pub traps: bool,
}

impl Trees {
    /// What `enable_snmp_*` and `enable_traps` of a configuration say. `all` is `-x`.
    pub fn of(config: &Config, all: bool) -> Self {
        let snmp = &config.global.snmp;
        // keepalived has no checker process without virtual servers, and so nothing that serves its tree
        let checker = (all || snmp.checker) && !config.virtual_servers.is_empty();
        let vrrp = |is_on: bool| (all || is_on) && !config.instances.is_empty();
        Self {
            vrrp: vrrp(snmp.vrrp),
            checker,
            rfc2787: vrrp(snmp.rfc2787),
            rfc6527: vrrp(snmp.rfc6527),
            traps: snmp.traps,
        }
    }

    /// Whether there is something to serve.
    pub fn any(self) -> bool {
        self.vrrp || self.checker || self.rfc2787 || self.rfc6527
    }

    /// The roots to register.
    pub(super) fn roots(self) -> Vec<(&'static [u32], &'static str)> {
        let all = [
            (self.vrrp || self.checker, tables::GLOBAL, "Keepalived"),
            (self.vrrp, tables::VRRP, "KEEPALIVED-VRRP"),
            (self.checker, tables::CHECK, "Healthchecker"),
            (self.rfc2787, tables::RFC2787, "VRRP"),
            (self.rfc6527, tables::RFC6527, "VRRPV3"),
        ];
        all.into_iter().filter(|(is_on, ..)| *is_on).map(|(_, root, name)| (root, name)).collect()
    }
}

/// One object of a tree, for those who compare it with the MIB.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// Without the index of a row.
    pub oid: Oid,
    /// `vrrpInstanceName`
    pub name: &'static str,
    /// Whether a set can succeed.
    pub writable: bool,
}

/// Every object of the served trees, in order.
pub struct Tree(Vec<(Oid, &'static Table, &'static Column)>);

impl Tree {
    /// The objects of these trees.
    pub fn new(trees: Trees) -> Self {
        let roots = trees.roots();
        let served = |entry: &[u32]| roots.iter().any(|(root, _)| entry.starts_with(root));
        let mut objects: Vec<_> = tables::all()
            .into_iter()
            .filter(|table| served(table.entry))
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .map(|(table, column)| (Oid::new(table.entry).with(&[column.number]), table, column))
            .collect();
        objects.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        Self(objects)
    }

    /// Its objects, in order.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        self.0.iter().map(|(oid, _, column)| Object {
            oid: oid.clone(),
            name: column.name,
            writable: matches!(column.set, Set::Yes(_)),
        })
    }

    /// The place of the object that `oid` is in, and the place where a search for the next one begins.
    fn position(&self, oid: &[u32]) -> (Option<usize>, usize) {
        let after = self.0.partition_point(|(object, ..)| object.subids() <= oid);
        let last = after.checked_sub(1);
        let found = last.filter(|last| self.0.get(*last).is_some_and(|(object, ..)| oid.starts_with(object.subids())));
        (found, found.unwrap_or(after))
    }

    /// The object that `oid` is in, and the index of its row.
    fn find<'o>(&self, oid: &'o [u32]) -> Option<(&'static Table, &'static Column, &'o [u32])> {
        let (object, table, column) = self.0.get(self.position(oid).0?)?;
        Some((table, column, oid.get(object.subids().len()..)?))
    }

    /// What a variable holds (RFC 2741 §7.2.3.1).
    pub(super) fn get(&self, scene: &Scene<'_>, oid: &Oid) -> Value {
        let Some((table, column, index)) = self.find(oid.subids()) else { return Value::NoSuchObject };
        let is_row = table.rows.contains(scene, index);
        is_row.then(|| (column.get)(scene, index)).flatten().unwrap_or(Value::NoSuchInstance)
    }

    /// The first variable after `start`, or at it if it is `included`, and before `end` unless that is null (RFC 2741 §7.2.3.2).
    pub(super) fn next(&self, scene: &Scene<'_>, start: &Oid, included: bool, end: &Oid) -> Option<VarBind> {
        let from = self.position(start.subids()).1;
        for (object, table, column) in self.0.get(from..)? {
            if !end.is_null() && object >= end {
                return None;
            }
            let suffix = start.subids().strip_prefix(object.subids());
            let mut bound =
                Bound { index: suffix.unwrap_or_default().to_vec(), included: included || suffix.is_none() };
            while let Some(index) = table.rows.next(scene, &bound) {
                if let Some(value) = (column.get)(scene, &index) {
                    let name = object.clone().with(&index);
                    return (end.is_null() || name < *end).then_some(VarBind { name, value });
                }
                bound = Bound { index, included: false };
            }
        }
        None
    }

    /// What comes of setting a variable (RFC 2741 §7.2.4.1).
    pub(super) fn set(&self, scene: &Scene<'_>, bind: &VarBind) -> Result<Change, ErrorStatus> {
        let (table, column, index) = self.find(bind.name.subids()).ok_or(ErrorStatus::NotWritable)?;
        match &column.set {
            Set::No => Err(ErrorStatus::NotWritable),
            // RFC 2741 would have noCreation; net-snmp, and with it keepalived, says this
            Set::Yes(_) if !table.rows.contains(scene, index) => Err(ErrorStatus::NotWritable),
            Set::Yes(set) => set(scene, index, &bind.value),
        }
    }
}

/// Where a search for a row begins.
struct Bound {
    index: Vec<u32>,
    included: bool,
}

impl Rows {
    fn contains(&self, scene: &Scene<'_>, index: &[u32]) -> bool {
        self.next(scene, &Bound { index: index.to_vec(), included: true }).is_some_and(|next| next == index)
    }

    /// The first index at or after a bound.
    fn next(&self, scene: &Scene<'_>, bound: &Bound) -> Option<Vec<u32>> {
        let is_behind = |index: &[u32]| index > &bound.index[..] || (bound.included && index == &bound.index[..]);
        match self {
            Self::Scalar => is_behind(&[0]).then(|| vec![0]),
            Self::Listed(list) => {
                let list = list(scene);
                let from = list.partition_point(|(index, _)| !is_behind(index));
                list.get(from).map(|(index, _)| index.clone())
            }
            Self::Places { levels, first, count } => {
                let mut found = Vec::with_capacity(*levels);
                descend(*levels, *first, &mut |index| count(scene, index), bound, &mut found).then_some(found)
            }
        }
    }
}

/// Finds the first complete index below `found` that is behind the bound.
fn descend(
    levels: usize,
    first: u32,
    count: &mut dyn FnMut(&[u32]) -> usize,
    bound: &Bound,
    found: &mut Vec<u32>,
) -> bool {
    if found.len() == levels {
        return *found > bound.index || (bound.included && *found == bound.index);
    }
    let depth = found.len();
    let base = if depth == 0 { first } else { 1 };
    let end = base.saturating_add(u32::try_from(count(found)).unwrap_or(u32::MAX));
    // whatever is smaller than the bound so far cannot lead behind it
    let is_tight = bound.index.get(..depth).is_some_and(|start| *start == **found);
    let from = bound.index.get(depth).filter(|_| is_tight).map_or(base, |from| base.max(*from));
    for next in from..end {
        found.push(next);
        if descend(levels, first, count, bound, found) {
            return true;
        }
        found.pop();
    }
    false
}
