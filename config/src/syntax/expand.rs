//! Conditions (`@id`) and definitions (`$NAME=`): which lines count, and what they say.
//!
//! Definitions over several lines, `~SEQ`, `~LST`, `${_RANDOM}` and `${_ENV}` are recognised and refused, for now; they belong here.

use std::collections::HashMap;

use super::line::Line;
use super::token::is_blank;
use crate::finding::{Finding, Findings, rule};
use crate::span::Span;

/// The most octets that a line may have after substitution.
const MOST_OCTETS: usize = 1024;
/// The most substitutions in one line.
const MOST_SUBSTITUTIONS: usize = 1024;

/// The most substitutions in all lines.
const MOST_IN_ALL: usize = 512 * MOST_SUBSTITUTIONS;

/// What the lines so far have defined.
pub(super) struct Definitions {
    config_id: Vec<u8>,
    /// `None` is a definition over several lines, which we cannot use yet.
    names: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// Inside a definition over several lines, which is read over.
    continued: bool,
    /// Substitutions that are left.
    left: usize,
    /// Whether it has been said that none is left.
    said: bool,
}

impl Definitions {
    pub(super) fn new(config_id: &str) -> Self {
        Self { config_id: config_id.into(), names: HashMap::new(), continued: false, left: MOST_IN_ALL, said: false }
    }

    /// Whether the next line belongs to a definition, whatever it says.
    pub(super) fn is_continued(&self) -> bool {
        self.continued
    }

    /// Takes note of a line that says nothing: it ends a definition over several lines.
    pub(super) fn empty_line(&mut self) {
        self.continued = false;
    }

    /// The line that `line` stands for; `None` if it says nothing (more).
    pub(super) fn expand(&mut self, line: Line, directory: &str, findings: &mut Findings) -> Option<Line> {
        if self.continued {
            self.continued = ends_in_backslash(&line.text);
            return None;
        }
        let line = self.condition(line)?;
        let line = self.definition(line, findings)?;
        if is_sequence(&line.text) {
            findings.push(not_supported(&line, "~SEQ and ~LST are"));
            return None;
        }
        self.substitute(line, directory, findings)
    }

    /// `@id` and `@^id`: the rest of the line, if it is for us.
    fn condition(&self, line: Line) -> Option<Line> {
        let Some(condition) = line.text.strip_prefix(b"@") else { return Some(line) };
        let end = condition.iter().position(|octet| is_blank(*octet))?;
        let word = condition.get(..end)?;
        let holds = match word.strip_prefix(b"^") {
            Some(word) => word != self.config_id,
            None => word == self.config_id,
        };
        let blanks = condition.iter().skip(end).take_while(|octet| is_blank(**octet)).count();
        holds.then(|| line.tail(end.saturating_add(blanks).saturating_add(1)))
    }

    /// Keeps `$NAME=VALUE`; any other line passes.
    fn definition(&mut self, line: Line, findings: &mut Findings) -> Option<Line> {
        let Some((name, value)) = definition(&line.text) else { return Some(line) };
        if ends_in_backslash(value) {
            self.continued = true;
            self.names.insert(name.to_vec(), None);
            findings.push(not_supported(&line, "definitions over several lines are"));
        } else {
            self.names.insert(name.to_vec(), Some(decommented(value)));
        }
        None
    }

    /// Puts the values of definitions in, again and again until none is left.
    fn substitute(&mut self, mut line: Line, directory: &str, findings: &mut Findings) -> Option<Line> {
        let mut from = 0;
        for _ in 0..MOST_SUBSTITUTIONS {
            let Some(reference) = next_reference(&line.text, from) else { return Some(line) };
            let source = line.span(reference.start..reference.end);
            if self.left == 0 {
                return self.exhausted(source, findings);
            }
            self.left = self.left.saturating_sub(1);
            if let Some(None) = self.names.get(&reference.name) {
                findings.push(not_supported(&line, "definitions over several lines are"));
                return None;
            }
            let Some(value) = self.value(&reference.name, directory) else {
                if !reference.braces {
                    from = reference.end;
                    continue;
                }
                findings.push(undefined(&reference, source));
                return None;
            };
            line = line.spliced(reference.start..reference.end, &value, source);
            from = reference.start;
            if line.text.len() > MOST_OCTETS {
                break;
            }
        }
        findings.push(Finding::at(
            &rule::SUBSTITUTION_LIMIT,
            line.whole,
            "the line does not stop growing when its definitions are put in",
        ));
        None
    }

    fn exhausted(&mut self, source: Span, findings: &mut Findings) -> Option<Line> {
        if !std::mem::replace(&mut self.said, true) {
            let message = format!("there are more than {MOST_IN_ALL} uses of definitions");
            let finding = Finding::at(&rule::SUBSTITUTION_LIMIT, source, message);
            findings.push(finding.note("from here on every line that uses one is left out"));
        }
        None
    }

    fn value(&self, name: &[u8], directory: &str) -> Option<Vec<u8>> {
        if let Some(value) = self.names.get(name) {
            return value.clone();
        }
        match name {
            b"_HASH" => Some(b"#".into()),
            b"_BANG" => Some(b"!".into()),
            b"_INSTANCE" => Some(self.config_id.clone()),
            b"_PWD" => Some(directory.as_bytes().into()),
            _ => None,
        }
    }
}

fn not_supported(line: &Line, what: &str) -> Finding {
    Finding::at(&rule::NOT_SUPPORTED, line.whole, format!("{what} not supported yet"))
        .note("what it stands for is left out")
        .help("write the lines out")
}

fn undefined(reference: &Reference, source: Span) -> Finding {
    let name = String::from_utf8_lossy(&reference.name).into_owned();
    if name.starts_with("_RANDOM") || name.starts_with("_ENV") {
        return Finding::at(&rule::NOT_SUPPORTED, source, format!("${{{name}}} is not supported yet"));
    }
    Finding::at(&rule::UNDEFINED_NAME, source, format!("{name} is not defined"))
        .note("the line is left out")
        .help(format!("put ${name}=value on a line before it"))
}

/// Name and value of a definition.
fn definition(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.strip_prefix(b"$")?;
    let length = name_length(rest)?;
    let value = rest.get(length..)?.strip_prefix(b"=")?;
    let blanks = value.iter().take_while(|octet| is_blank(**octet)).count();
    Some((rest.get(..length)?, value.get(blanks..)?))
}

/// The length of the name that `text` starts with.
fn name_length(text: &[u8]) -> Option<usize> {
    let first = text.first()?;
    let length = text.iter().take_while(|octet| octet.is_ascii_alphanumeric() || **octet == b'_').count();
    (first.is_ascii_alphabetic() || *first == b'_').then_some(length)
}

/// A use of a definition.
struct Reference {
    start: usize,
    end: usize,
    name: Vec<u8>,
    braces: bool,
}

/// The first `${NAME}`, or `$NAME` before a blank, `,`, `)`, or the end, at or after `from`.
fn next_reference(text: &[u8], from: usize) -> Option<Reference> {
    let dollars = text.iter().enumerate().skip(from).filter(|(_, octet)| **octet == b'$');
    dollars.map(|(at, _)| at).find_map(|start| reference(text, start))
}

fn reference(text: &[u8], start: usize) -> Option<Reference> {
    let rest = text.get(start.saturating_add(1)..)?;
    if let Some(inside) = rest.strip_prefix(b"{") {
        let length = name_length(inside)?;
        let plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b' ' | b'\t');
        let close = inside.iter().position(|octet| !plain(octet))?;
        let parameters = inside.get(length..close)?;
        if inside.get(close) != Some(&b'}') || parameters.last().is_some_and(|octet| is_blank(*octet)) {
            return None;
        }
        let end = start.saturating_add(3).saturating_add(close);
        return Some(Reference { start, end, name: inside.get(..close)?.to_vec(), braces: true });
    }
    let length = name_length(rest)?;
    let ends = rest.get(length).is_none_or(|next| matches!(next, b' ' | b'\t' | b',' | b')' | b'\r'));
    let end = start.saturating_add(length).saturating_add(1);
    ends.then(|| Reference { start, end, name: rest.get(..length).unwrap_or_default().to_vec(), braces: false })
}

/// `\#` becomes `#` when a definition is stored, so that it starts a comment where the value is used bare (syntax.md section 4).
fn decommented(value: &[u8]) -> Vec<u8> {
    if value.contains(&b'"') { value.to_vec() } else { super::token::unescaped(value) }
}

fn ends_in_backslash(text: &[u8]) -> bool {
    text.trim_ascii_end().ends_with(b"\\")
}

fn is_sequence(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"~") else { return false };
    let word = rest.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
    matches!(rest.get(..word), Some(b"SEQ" | b"SEQx" | b"LST"))
        && rest.get(word..).unwrap_or_default().trim_ascii_start().starts_with(b"(")
}
