//! Every keyword there is, in one table.
//!
//! The parser looks words up here; messages, the manual and the coverage report are made from here. A keyword that is
//! missing here does not exist.

mod bfd;
mod checks;
mod completion;
mod global;
mod lines;
mod man;
mod manual;
mod root;
mod schema;
mod servers;
mod suggest;
mod value;
mod vrrp;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

pub use completion::{Offer, completion};
pub use man::man_page;
pub use manual::{coverage, manual};
pub use schema::{Schema, schema};
pub use suggest::{Suggestion, nearest, suggest};
pub use value::{Beyond, Value};
pub(crate) use value::{REGEX_OPTIONS, REGEX_OPTIONS_WITHOUT_EFFECT};

/// The block that the top level is.
pub const ROOT: &str = "(root)";
/// The pseudo block of directives that may stand anywhere.
pub const ANYWHERE: &str = "(any level)";

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keyword {
    /// Where it may stand: names of the enclosing blocks joined with `/`, `(root)`, `(any level)`, or `<address line>`
    /// and the like for a word inside a value line.
    pub block: &'static str,
    /// The word.
    pub name: &'static str,
    /// What follows it, as it is shown: `none`, `[optional]`, `{ block }`.
    pub arguments: &'static str,
    /// Which row it is; `numbered` finds it again.
    pub(crate) number: u16,
    /// How many words may follow it; made from `arguments`.
    pub arity: Arity,
    /// What follows it, as it is read.
    pub value: Value,
    /// What holds without it.
    pub default: &'static str,
    /// What there is to say about good values beyond `value`.
    pub values: &'static str,
    /// Aliases and history.
    pub history: &'static str,
    /// The version of keepalived that brought it, if that was after 2.2.7.
    pub since: Option<&'static str>,
    /// What it does, in a line.
    pub meaning: &'static str,
    /// What else an administrator wants to know.
    pub details: Option<&'static str>,
    /// The part of the daemon that it belongs to.
    pub area: &'static str,
    /// What sort of word it is.
    pub kind: Kind,
    /// How far we are with it.
    pub status: Status,
    /// What it means to give no value where one is needed.
    pub missing: Missing,
    /// What becomes of it where it stands a second time.
    pub twice: Twice,
    /// The test that shows its effect, as the documents name tests (docs/conformance.md); every effective row has one.
    pub shown_by: Option<&'static str>,
}

/// What a missing value does to keepalived (seen with 2.2.7, one run per keyword).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// It exits at once with status 2.
    Fatal,
    /// It says so and goes on without the keyword; status 5.
    Error,
    /// It goes on without a word.
    Ignored,
}

/// What becomes of a keyword that stands twice in its block (seen with 2.4.3, one run per keyword).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Twice {
    /// Each counts; what is wrong with two of them is for the loader to say. So it is with blocks.
    Each,
    /// The first counts, and keepalived says so.
    First,
    /// The last counts, and keepalived says so.
    Last,
    /// The last counts, and keepalived says nothing.
    Silent,
}

/// What sort of word a row describes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Starts a statement in its block.
    Keyword,
    /// Is obeyed while reading, before statements are made.
    Directive,
    /// Stands inside a value line.
    LineOption,
}

/// How far we are with a keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Does what it says.
    Effective,
    /// Known, and there is nothing to do for it.
    Idle {
        /// Why.
        why: &'static str,
    },
    /// Known and read over; another issue brings its effect.
    Accepted,
    /// An old spelling.
    Deprecated {
        /// The spelling of today.
        use_instead: &'static str,
        /// Whether keepalived tells (exit status 5 under `-t`).
        notice: Notice,
        /// Whether what it stands for is effective.
        effect: Support,
    },
    /// A word of keepalived's first years that old guides still print; keepalived no longer knows it.
    Obsolete {
        /// What to do about it.
        advice: &'static str,
    },
}

/// The area of keywords that keepalived does not have.
pub const OURS: &str = "ours";

/// Whether keepalived tells about an old spelling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// It does, and `-t` ends with 5.
    Reported,
    /// It does not.
    Silent,
}

/// Whether something works already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// It does.
    Effective,
    /// It is read over.
    Accepted,
}

/// How many words may follow a keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arity {
    /// Fewer is a missing parameter.
    pub least: usize,
    /// More are ignored; `None` if there is no limit.
    pub most: Option<usize>,
}

impl Arity {
    /// Nothing may follow.
    const NONE: Self = Self { least: 0, most: Some(0) };
}

impl Keyword {
    /// Whether it does what it says.
    pub fn is_effective(&self) -> bool {
        match self.status {
            Status::Effective | Status::Idle { .. } | Status::Obsolete { .. } => true,
            Status::Accepted => false,
            Status::Deprecated { effect, .. } => effect == Support::Effective,
        }
    }

    /// Whether it has a place in the model: `config/tests/rows` has a case for it.
    pub fn is_modelled(&self) -> bool {
        // `as` swaps labels of MPLS, which keepalived refuses, too
        let refused = (self.block, self.name) == ("<route line>", "as");
        !refused && self.kind != Kind::Directive && !matches!(self.status, Status::Obsolete { .. })
    }

    /// Whether a `{` belongs after it.
    pub fn opens_block(&self) -> bool {
        self.kind == Kind::Keyword && matches!(self.value, Value::Block | Value::Lines(_))
    }

    /// Which row of its block it is another spelling of; its own number if it is none.
    pub(crate) fn spelling_of(&self) -> u16 {
        match self.status {
            Status::Deprecated { use_instead, .. } => {
                lookup(self.block, use_instead).map_or(self.number, |row| row.number)
            }
            _ => self.number,
        }
    }

    /// Whether single quotes and escapes are understood in its value (`install_keyword_quoted` of keepalived).
    pub fn quoted_ok(&self) -> bool {
        self.value == Value::Command
    }
}

/// How many words an argument grammar allows.
fn arity(arguments: &str, value: Value) -> Arity {
    let words = arguments.split('{').next().unwrap_or_default();
    let words = words.split(" (").next().unwrap_or_default().trim();
    if words.is_empty() || words == "none" {
        return Arity::NONE;
    }
    let least = usize::from(!words.starts_with('['));
    let simple = !words.contains(char::is_whitespace) && !words.contains("...");
    let most = match words {
        "N [reverse]" | "ID VALUE" | "START MAX" => Some(2),
        // `one, two or three` and `IPv4 NETMASK or IPv6 PREFIX` are one word
        _ if simple || words.starts_with("IPv") || matches!(value, Value::Choice(_)) => Some(1),
        _ => None,
    };
    Arity { least, most }
}

/// Rows and the blocks that each of them stands in.
type Table = &'static [(&'static [&'static str], &'static [Keyword])];

macro_rules! rows {
    ($(in $($block:expr),+ => {$(
        $name:literal, $arguments:literal, $value:expr, $default:literal, $values:literal, $history:literal, $meaning:literal, $area:literal
            => $kind:ident, $status:ident $(($($what:tt)*))?
            $(, twice $twice:ident)? $(, missing $missing:ident)? $(, since $since:literal)? $(, shown $shown:literal)? $(, details $details:literal)?;
    )*})*) => {
        pub(super) static ROWS: Table = &[$((&[$($block),+], &[$(Keyword {
            block: "",
            name: $name,
            arguments: $arguments,
            number: 0,
            arity: super::Arity::NONE,
            value: $value,
            default: $default,
            values: $values,
            history: $history,
            since: rows!(? $($since)?),
            meaning: $meaning,
            details: rows!(? $($details)?),
            area: $area,
            kind: super::Kind::$kind,
            status: rows!(= $status $(($($what)*))?),
            missing: rows!(@ $($missing)?),
            twice: rows!(twice $value, $($twice)?),
            shown_by: rows!(? $($shown)?),
        },)*])),*];
    };
    (twice $value:expr,) => { $value.usually_twice() };
    (twice $value:expr, $twice:ident) => { super::Twice::$twice };
    (@) => { super::Missing::Fatal };
    (@ $missing:ident) => { super::Missing::$missing };
    (= Deprecated($instead:literal, $notice:ident, $effect:ident)) => {
        super::Status::Deprecated {
            use_instead: $instead,
            notice: super::Notice::$notice,
            effect: super::Support::$effect,
        }
    };
    (= Idle($why:literal)) => { super::Status::Idle { why: $why } };
    (= Obsolete($advice:literal)) => { super::Status::Obsolete { advice: $advice } };
    (= $status:ident) => { super::Status::$status };
    (?) => { None };
    (? $text:literal) => { Some($text) };
}
use rows;

/// Every row in each of its blocks.
static ALL: LazyLock<Vec<Keyword>> = LazyLock::new(|| {
    let tables = [root::ROWS, global::ROWS, vrrp::ROWS, lines::ROWS, servers::ROWS, checks::ROWS, bfd::ROWS];
    let groups = tables.into_iter().flatten();
    let rows = groups.flat_map(|(blocks, rows)| {
        blocks.iter().flat_map(move |block| {
            rows.iter().map(move |row| Keyword { block, arity: arity(row.arguments, row.value), ..*row })
        })
    });
    let mut rows: Vec<Keyword> = rows.collect();
    // rows that several blocks share stand with the others of their block
    let mut order: Vec<&str> = Vec::new();
    for row in &rows {
        if !order.contains(&row.block) {
            order.push(row.block);
        }
    }
    rows.sort_by_key(|row| order.iter().position(|block| *block == row.block));
    // in a block that keepalived does not have, every word is ours
    let ours = rows.iter().filter(|row| row.area == OURS && matches!(row.value, Value::Block));
    let ours: Vec<String> = ours.map(|row| format!("{}/{}", row.block, row.name)).collect();
    for row in &mut rows {
        let inside = |block: &String| {
            row.block.strip_prefix(block.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if ours.iter().any(inside) {
            row.area = OURS;
        }
    }
    for (number, row) in (0..).zip(&mut rows) {
        row.number = number;
    }
    rows
});

/// The row with this number.
pub(crate) fn numbered(number: u16) -> Option<&'static Keyword> {
    ALL.get(usize::from(number))
}

/// Every row, block by block.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    ALL.iter()
}

struct Index {
    keywords: FxHashMap<(&'static str, &'static str), &'static Keyword>,
    blocks: FxHashMap<(&'static str, &'static str), &'static str>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let keywords = all().map(|row| ((row.block, row.name), row)).collect();
    let statements = all().filter(|row| row.kind == Kind::Keyword && row.block != ROOT);
    let blocks = statements.map(|row| (row.block.rsplit_once('/').unwrap_or((ROOT, row.block)), row.block)).collect();
    Index { keywords, blocks }
});

/// The row of `name` as a statement of `block`.
pub fn lookup(block: &str, name: &str) -> Option<&'static Keyword> {
    // the map's keys are static, but any shorter borrow serves for asking
    let key: (&str, &str) = (block, name);
    INDEX.keywords.get(&key).copied().filter(|row| row.kind == Kind::Keyword)
}

/// The row of `name` as a word in the lines of `block`.
pub(crate) fn line_option(block: &str, name: &str) -> Option<&'static Keyword> {
    let key: (&str, &str) = (block, name);
    INDEX.keywords.get(&key).copied().filter(|row| row.kind == Kind::LineOption)
}

/// The words in the lines of `block` that stand for themselves.
pub(crate) fn line_options(block: &'static str) -> impl Iterator<Item = &'static str> {
    let rows = all().filter(move |row| row.block == block && row.kind == Kind::LineOption);
    rows.map(|row| row.name).filter(|name| !name.contains([' ', '[', '/']))
}

/// The path of the block of keywords that `name` opens in `block`; `None` for a value block.
pub fn block_opened(block: &str, name: &str) -> Option<&'static str> {
    let key: (&str, &str) = (block, name);
    INDEX.blocks.get(&key).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_there_once() {
        // 531 registrations of keepalived 2.4.3, 12 directives and 107 line options
        let theirs = || all().filter(|row| row.area != OURS);
        let count = |kind| theirs().filter(|row| row.kind == kind).count();
        assert_eq!((count(Kind::Keyword), count(Kind::Directive), count(Kind::LineOption)), (531, 12, 107));
        assert_eq!(INDEX.keywords.len(), all().count());
    }

    #[test]
    fn what_an_old_spelling_stands_for_exists() {
        for row in all() {
            if let Status::Deprecated { use_instead, .. } = row.status {
                let first = use_instead.split(' ').next().unwrap();
                assert!(first == "one" || all().any(|row| row.name == first), "{use_instead}");
            }
        }
    }

    #[test]
    fn blocks_nest() {
        assert_eq!(block_opened(ROOT, "vrrp_instance"), Some("vrrp_instance"));
        assert_eq!(block_opened("vrrp_instance", "authentication"), Some("vrrp_instance/authentication"));
        assert_eq!(block_opened("virtual_server/real_server", "HTTP_GET"), Some("virtual_server/real_server/HTTP_GET"));
        assert_eq!(block_opened("vrrp_instance", "virtual_ipaddress"), None);
        assert_eq!(block_opened("vrrp_instance", "unicast_peer"), None);
    }

    #[test]
    fn the_grammar_says_how_many_words() {
        let arity = |block, name| {
            let arity = lookup(block, name).unwrap().arity;
            (arity.least, arity.most)
        };
        assert_eq!(arity("vrrp_instance", "nopreempt"), (0, Some(0)));
        assert_eq!(arity("vrrp_instance", "priority"), (1, Some(1)));
        assert_eq!(arity("vrrp_instance", "advert_int"), (1, Some(1)));
        assert_eq!(arity("vrrp_instance", "strict_mode"), (0, Some(1)));
        assert_eq!(arity(ROOT, "vrrp_instance"), (1, Some(1)));
        assert_eq!(arity("vrrp_instance", "virtual_ipaddress"), (0, Some(0)));
        assert_eq!(arity("vrrp_instance", "garp_extra_if"), (0, None));
        assert_eq!(arity("vrrp_instance", "state"), (1, Some(1)));
        assert_eq!(arity("track_file", "weight"), (1, Some(2)));
        assert!(lookup("vrrp_instance", "notify").unwrap().quoted_ok());
    }
}
