//! What a keyword is followed by, in a form that machines read: the loader takes ranges and words from here, and so do
//! the manual, the schema and the completion.

use std::fmt;

use super::Twice;

/// The longest time there is, in microseconds (keepalived counts them in 64 bits and keeps one value for "not given").
pub(super) const LONGEST: u64 = u64::MAX - 1;

/// `regex_options`, of PCRE2.
pub(crate) const REGEX_OPTIONS: &[&str] = &[
    "allow_empty_class",
    "alt_bsux",
    "auto_callout",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "firstline",
    "match_unset_backref",
    "multiline",
    "never_ucp",
    "never_utf",
    "no_auto_capture",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "utf",
    "never_backslash_c",
    "alt_circumflex",
    "alt_verbnames",
    "use_offset_limit",
];

/// Those of them that the library has no way for.
pub(crate) const REGEX_OPTIONS_WITHOUT_EFFECT: &[&str] =
    &["allow_empty_class", "alt_bsux", "dollar_endonly", "match_unset_backref", "alt_circumflex", "alt_verbnames"];

/// What follows a keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// Nothing: being there is what counts.
    None,
    /// `on`, `off` and their other forms; on if it is left out.
    Switch,
    /// A whole number.
    Integer {
        /// The least that is good.
        least: i64,
        /// The most that is good.
        most: i64,
        /// What becomes of others.
        beyond: Beyond,
    },
    /// Decimal seconds; the range is in microseconds.
    Seconds {
        /// The least that is good.
        least: u64,
        /// The most that is good.
        most: u64,
    },
    /// Decimal milliseconds; the range is in microseconds.
    Millis {
        /// The least that is good.
        least: u64,
        /// The most that is good.
        most: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One word that is taken as it is.
    Text,
    /// The name of an interface.
    Interface,
    /// An IP address.
    Address,
    /// A command, perhaps with the user and the group that run it.
    Command,
    /// Words with a form of their own, which `arguments` describes.
    Words,
    /// A block of lines; the words in them are the rows of this block, if it has any.
    Lines(&'static str),
    /// A block of keywords.
    Block,
}

/// What becomes of a number outside its range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beyond {
    /// It is not used; the default is.
    Refused,
    /// The nearest good one is used, as keepalived does.
    Clamped,
}

impl Value {
    /// What becomes of a second one unless its row says otherwise.
    pub(super) const fn usually_twice(self) -> Twice {
        match self {
            Self::Block | Self::Lines(_) => Twice::Each,
            _ => Twice::Silent,
        }
    }
}

pub(super) const fn int(least: i64, most: i64) -> Value {
    Value::Integer { least, most, beyond: Beyond::Refused }
}

pub(super) const fn clamped(least: i64, most: i64) -> Value {
    Value::Integer { least, most, beyond: Beyond::Clamped }
}

pub(super) const fn seconds(least: u64, most: u64) -> Value {
    Value::Seconds { least, most }
}

pub(super) const fn millis(least: u64, most: u64) -> Value {
    Value::Millis { least, most }
}

/// The range or the words, as the manual and the messages show them; empty if there is nothing to say.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { least, most, .. } => write!(f, "{least} to {most}"),
            Self::Seconds { least, most } => write!(f, "{} to {}", Thousandths(*least, 6), Thousandths(*most, 6)),
            Self::Millis { least, most } => write!(f, "{} to {}", Thousandths(*least, 3), Thousandths(*most, 3)),
            Self::Choice(words) => f.write_str(&words.join(", ")),
            Self::Switch => f.write_str("on, true, yes, off, false, no"),
            _ => Ok(()),
        }
    }
}

/// A count of microseconds as a decimal number with at most so many decimals.
struct Thousandths(u64, u32);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.saturating_pow(self.1);
        let decimals = usize::try_from(self.1).unwrap_or_default();
        let (whole, rest) = (self.0.checked_div(unit), self.0.checked_rem(unit));
        let text = format!("{}.{:0decimals$}", whole.unwrap_or_default(), rest.unwrap_or_default());
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}
