//! Uses of definitions in text: `${NAME}` and `$NAME` (syntax.md section 10).

use std::ops::Range;

use super::token::is_blank;

/// A use of a definition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reference<'a> {
    /// All of it.
    pub(super) range: Range<usize>,
    pub(super) name: &'a [u8],
    /// `5 9` of `${_RANDOM 5 9}`.
    pub(super) parameters: &'a [u8],
}

impl<'a> Reference<'a> {
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'a [u8]> {
        self.parameters.split(|octet| is_blank(*octet)).filter(|word| !word.is_empty())
    }
}

/// The first `${NAME}`, or `$NAME` before a blank, `,`, `)` or the end, at or after `from`.
pub(super) fn next_reference(text: &[u8], from: usize) -> Option<Reference<'_>> {
    let dollars = text.iter().enumerate().skip(from).filter(|(_, octet)| **octet == b'$');
    dollars.map(|(at, _)| at).find_map(|start| reference(text, start))
}

fn reference(text: &[u8], start: usize) -> Option<Reference<'_>> {
    let rest = text.get(start.saturating_add(1)..)?;
    if let Some(inside) = rest.strip_prefix(b"{") {
        let name = name(inside)?;
        let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b' ' | b'\t');
        let close = inside.iter().position(|octet| !is_plain(octet))?;
        let parameters = inside.get(name.len()..close)?;
        let is_whole = inside.get(close) == Some(&b'}') && !parameters.last().is_some_and(|octet| is_blank(*octet));
        let range = start..start.saturating_add(3).saturating_add(close);
        return is_whole.then_some(Reference { range, name, parameters });
    }
    let name = name(rest)?;
    let ends = rest.get(name.len()).is_none_or(|next| matches!(next, b',' | b')') || is_blank(*next));
    let range = start..start.saturating_add(name.len()).saturating_add(1);
    ends.then_some(Reference { range, name, parameters: b"" })
}

/// The name that `text` starts with.
pub(super) fn name(text: &[u8]) -> Option<&[u8]> {
    let first = text.first()?;
    let length = text.iter().take_while(|octet| octet.is_ascii_alphanumeric() || **octet == b'_').count();
    if first.is_ascii_alphabetic() || *first == b'_' { text.get(..length) } else { None }
}

/// Name and value of `$NAME=VALUE`.
pub(super) fn definition(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.strip_prefix(b"$")?;
    let name = name(rest)?;
    let value = rest.get(name.len()..)?.strip_prefix(b"=")?;
    Some((name, value.trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, found: &[&str]) {
        let mut from = 0;
        let mut seen = Vec::new();
        while let Some(reference) = next_reference(text.as_bytes(), from) {
            from = reference.range.end;
            seen.push(&text[reference.range]);
        }
        assert_eq!(seen, found, "{text}");
    }

    /// syntax.md section 10, seen with 2.4.3.
    #[test]
    fn uses_are_where_keepalived_sees_them() {
        check("a${B}c $D ($E) $F, $G", &["${B}", "$D", "$E", "$F", "$G"]);
        check("$A.x $A-x \"$A\" $1 $ ${ ${} ${1}", &[]);
        check("\"$A b\" '${B}'", &["$A", "${B}"]);
        check("${_RANDOM 1 5} ${_ENV HOME} ${A }", &["${_RANDOM 1 5}", "${_ENV HOME}"]);
        check("${${N}}", &["${N}"]);
    }
}
