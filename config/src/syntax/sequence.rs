//! `~SEQ` and `~LST`: a line for each of several values (syntax.md section 11).

use std::ops::Range;

use super::line::Line;
use super::reference;
use super::token::is_blank;

/// The most values of one sequence.
pub(super) const MOST_VALUES: u64 = 1 << 18;

/// The head of a sequence, before its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head<'a> {
    kind: Kind,
    /// What stands between the parentheses.
    inside: &'a [u8],
    /// Octets up to and with the closing parenthesis.
    pub(super) length: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Decimal,
    Hexadecimal,
    List,
}

/// The sequence that `text` starts with; an error if it has no end. `None` if it starts with something else.
pub(super) fn head(text: &[u8]) -> Option<Result<Head<'_>, String>> {
    let rest = text.strip_prefix(b"~")?;
    let word = reference::name(rest)?;
    let kind = match word {
        b"SEQ" => Kind::Decimal,
        b"SEQx" => Kind::Hexadecimal,
        b"LST" => Kind::List,
        _ => return None,
    };
    let after = rest.get(word.len()..)?;
    let blanks = after.iter().take_while(|octet| is_blank(**octet)).count();
    let inside = after.get(blanks..)?.strip_prefix(b"(")?;
    let Some(length) = inside.iter().position(|octet| *octet == b')') else {
        return Some(Err("there is no ) to end the values".to_owned()));
    };
    let before = text.len().saturating_sub(inside.len());
    let head = Head { kind, inside: inside.get(..length)?, length: before.saturating_add(length).saturating_add(1) };
    Some(Ok(head))
}

impl Head<'_> {
    /// The values; `substitute` puts definitions into the numbers.
    pub(super) fn values(self, substitute: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<Values, String> {
        match self.kind {
            Kind::List => list(self.inside),
            Kind::Decimal | Kind::Hexadecimal => {
                let mut words = self.inside.splitn(2, |octet| *octet == b',');
                let name = variable(words.next().unwrap_or_default())?;
                let numbers = substitute(words.next().ok_or("a name and numbers are needed")?);
                numbers_of(name, &numbers, self.kind == Kind::Hexadecimal)
            }
        }
    }
}

/// What a sequence goes through.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) names: Vec<Vec<u8>>,
    rest: Rest,
}

#[derive(Clone, Debug)]
enum Rest {
    Numbers {
        next: i64,
        step: i64,
        left: u64,
        hexadecimal: bool,
    },
    /// One value for each name.
    Sets(std::vec::IntoIter<Vec<Vec<u8>>>),
}

impl Iterator for Values {
    type Item = Vec<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.rest {
            Rest::Sets(sets) => sets.next(),
            Rest::Numbers { left: 0, .. } => None,
            Rest::Numbers { next, step, left, hexadecimal } => {
                let value = if *hexadecimal { format!("{next:x}") } else { next.to_string() };
                *left = left.saturating_sub(1);
                *next = next.saturating_add(*step);
                Some(vec![value.into_bytes()])
            }
        }
    }
}

/// A sequence that is being gone through.
pub(super) struct Sequence {
    pub(super) values: Values,
    /// What is read once for each value.
    pub(super) text: Line<'static>,
}

fn variable(word: &[u8]) -> Result<Vec<u8>, String> {
    let word = word.trim_ascii();
    match reference::name(word) {
        Some(name) if name == word => Ok(name.to_vec()),
        _ => Err(format!("{} is no name for the value", String::from_utf8_lossy(word))),
    }
}

fn numbers_of(name: Vec<u8>, text: &[u8], hexadecimal: bool) -> Result<Values, String> {
    let numbers = text.split(|octet| *octet == b',').map(number).collect::<Result<Vec<i64>, String>>()?;
    let (start, step, end) = match numbers.as_slice() {
        [end] => {
            let start = if *end < 0 { -1 } else { 1 };
            (start, direction(start, *end), *end)
        }
        [start, end] => (*start, direction(*start, *end), *end),
        [start, step, end] => (*start, *step, *end),
        _ => return Err("there are more than three numbers".to_owned()),
    };
    if hexadecimal && (start < 0 || end < 0) {
        return Err("hexadecimal numbers cannot be negative".to_owned());
    }
    if step == 0 || (start != end && step.signum() != direction(start, end)) {
        return Err(format!("steps of {step} do not lead from {start} to {end}"));
    }
    let left = start.abs_diff(end).checked_div(step.unsigned_abs()).unwrap_or(0).saturating_add(1);
    if left > MOST_VALUES {
        return Err(format!("there are {left} values; at most {MOST_VALUES} are possible"));
    }
    Ok(Values { names: vec![name], rest: Rest::Numbers { next: start, step, left, hexadecimal } })
}

fn direction(start: i64, end: i64) -> i64 {
    if start <= end { 1 } else { -1 }
}

/// As C reads it: `0x` is hexadecimal, `0` octal.
fn number(word: &[u8]) -> Result<i64, String> {
    let text = String::from_utf8_lossy(word.trim_ascii()).into_owned();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    // from_str_radix would take a second sign
    let parsed = digits.chars().all(|digit| digit.is_digit(radix)).then(|| format!("{sign}{digits}"));
    parsed.and_then(|digits| i64::from_str_radix(&digits, radix).ok()).ok_or_else(|| format!("{text} is not a number"))
}

fn list(inside: &[u8]) -> Result<Values, String> {
    let mut items = items(inside)?.into_iter();
    let names = match items.next() {
        Some(Item::One(word)) => vec![variable(word)?],
        Some(Item::Set(words)) => words.into_iter().map(variable).collect::<Result<_, _>>()?,
        None => return Err("a name and values are needed".to_owned()),
    };
    let sets = items.map(|item| set(&item, names.len())).collect::<Result<Vec<_>, String>>()?;
    if sets.is_empty() {
        return Err("there are no values".to_owned());
    }
    Ok(Values { names, rest: Rest::Sets(sets.into_iter()) })
}

/// The values of one turn; missing ones are empty.
fn set(item: &Item<'_>, names: usize) -> Result<Vec<Vec<u8>>, String> {
    let words = match item {
        Item::One(word) => std::slice::from_ref(word),
        Item::Set(words) => words.as_slice(),
    };
    if words.len() > names {
        return Err(format!("{} values for {names}", words.len()));
    }
    let mut values = words.iter().map(|word| value(word)).collect::<Result<Vec<_>, String>>()?;
    values.resize(names, Vec::new());
    Ok(values)
}

fn value(word: &[u8]) -> Result<Vec<u8>, String> {
    let word = word.trim_ascii();
    if word.iter().any(|octet| is_blank(*octet) || matches!(octet, b'{' | b'}')) {
        return Err(format!("{} is no value: blanks and braces cannot be part of one", String::from_utf8_lossy(word)));
    }
    Ok(word.to_vec())
}

/// What stands between the commas of a list.
enum Item<'a> {
    One(&'a [u8]),
    Set(Vec<&'a [u8]>),
}

fn items(inside: &[u8]) -> Result<Vec<Item<'_>>, String> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let rest = inside.get(at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|octet| is_blank(**octet)).count();
        let trimmed = rest.get(blanks..).unwrap_or_default();
        let item: Range<usize>;
        if let Some(set) = trimmed.strip_prefix(b"{") {
            let length = set.iter().position(|octet| *octet == b'}').ok_or("a { has no }")?;
            out.push(Item::Set(set.get(..length).unwrap_or_default().split(|octet| *octet == b',').collect()));
            item = 0..blanks.saturating_add(length).saturating_add(2);
        } else {
            let length = rest.iter().position(|octet| *octet == b',').unwrap_or(rest.len());
            out.push(Item::One(rest.get(..length).unwrap_or_default()));
            item = 0..length;
        }
        let after = rest.get(item.end..).unwrap_or_default();
        let blanks = after.iter().take_while(|octet| is_blank(**octet)).count();
        match after.get(blanks) {
            None => return Ok(out),
            Some(b',') => at = at.saturating_add(item.end).saturating_add(blanks).saturating_add(1),
            Some(_) => return Err("a comma is missing after a }".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, ()>) {
        let values = head(text.as_bytes()).unwrap().and_then(|head| head.values(<[u8]>::to_vec));
        let shown = values.map(|values| {
            let turn = |set: Vec<Vec<u8>>| {
                set.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>().join("+")
            };
            values.map(turn).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(shown.as_deref().map_err(|_| ()), expected, "{text}: {shown:?}");
    }

    /// syntax.md section 11, seen with 2.4.3.
    #[test]
    fn numbers() {
        check("~SEQ(A, 1, 2, 5) x", Ok("1 3 5"));
        check("~SEQ(A, 3, 5)", Ok("3 4 5"));
        check("~SEQ(A, 3, 1)", Ok("3 2 1"));
        check("~SEQ(A, 3)", Ok("1 2 3"));
        check("~SEQ(A, -3)", Ok("-1 -2 -3"));
        check("~SEQ(A, 0)", Ok("1 0"));
        check("~SEQ(A, 5, -2, 1)", Ok("5 3 1"));
        check("~SEQx(A, 9, 11)", Ok("9 a b"));
        check("~SEQ(A, 0x8, 0xa)", Ok("8 9 10"));
        check("~SEQ(A, 07, 011)", Ok("7 8 9"));
        check("~SEQ (A,1,3)a", Ok("1 2 3"));
        for wrong in [
            "~SEQ(A, 1, 0, 3)",
            "~SEQ(A, 1, -1, 3)",
            "~SEQ(A, x, 2)",
            "~SEQ(A, 1, 2, 3, 4, 5)",
            "~SEQ(A, 1",
            "~SEQx(A, -1, 2)",
            "~SEQ(A)",
            "~SEQ(A, )",
            "~SEQ(A, 1, --2)",
            "~SEQ(A, 1, 2000000000)",
            "~SEQ(A, -9223372036854775808, 9223372036854775807)",
        ] {
            check(wrong, Err(()));
        }
        check("~SEQ(A, 9223372036854775800, 5, 9223372036854775807)", Ok("9223372036854775800 9223372036854775805"));
    }

    /// syntax.md section 11, seen with 2.4.3.
    #[test]
    fn lists() {
        check("~LST(A, x,, z)", Ok("x  z"));
        check("~LST({A, B}, {a1}, {,b2})", Ok("a1+ +b2"));
        check("~LST({A}, x, y)", Ok("x y"));
        check("~LST({A, B}, p, q)", Ok("p+ q+"));
        check("~LST(A, $X, z)", Ok("$X z"));
        check("~LST(A, \"x\", z)", Ok("\"x\" z"));
        for wrong in ["~LST(A, ${X}, z)", "~LST(A, x y)", "~LST(A)", "~LST({A}, {x, y})", "~LST()", "~LST({A}x, y)"] {
            check(wrong, Err(()));
        }
    }

    #[test]
    fn anything_else_is_left_alone() {
        for other in ["~seq(A, 1)", "~SEQ", "~SEQ A", "SEQ(A, 1)", "~LSTx(A, b)"] {
            assert!(head(other.as_bytes()).is_none(), "{other}");
        }
    }
}
