//! Conditions (`@id`), definitions (`$NAME=`) and sequences (`~SEQ`, `~LST`): which lines count, and what they say.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::line::Line;
use super::random::Random;
use super::reference::{Reference, definition, next_reference};
use super::sequence::{Sequence, head};
use super::token::{has_odd_quotes, is_blank, unescaped};
use crate::finding::{Finding, Findings, Rule, rule};
use crate::source::Source;
use crate::span::Span;

/// The most octets that a line may have after substitution.
const MOST_OCTETS: usize = 1 << 16;
/// The most substitutions in one line.
const MOST_SUBSTITUTIONS: usize = 1 << 10;
/// The deepest nesting of definitions over several lines and sequences.
const MOST_NESTED: usize = 64;
/// What all substitutions, sequences and definitions over several lines may cost together: octets of lines that they
/// make.
const MOST_WORK: usize = 1 << 26;
/// What each of them costs beyond that.
const LEAST_WORK: usize = 1 << 7;
/// To copy a line for a substitution costs less than to read it afterwards.
const COPY_COST: usize = 16;

/// What the lines so far have defined.
pub(super) struct Expander {
    config_id: Vec<u8>,
    names: HashMap<Vec<u8>, Value>,
    /// The `Following` that are being read, the innermost last; those of definitions with their lines.
    nested: Vec<Option<Rc<[Stored]>>>,
    /// A definition over several lines whose end has not come.
    open: Option<(Vec<u8>, Vec<Stored>)>,
    random: Random,
    /// What is left of `MOST_WORK`.
    work: usize,
    /// Where something was said: a sequence would say it again in each turn.
    said: HashSet<(&'static str, Span)>,
}

/// What a name stands for.
#[derive(Clone)]
enum Value {
    Text(Rc<[u8]>),
    /// Two lines at least.
    Lines(Rc<[Stored]>),
}

/// A line of a definition.
pub(super) struct Stored {
    text: Vec<u8>,
    span: Span,
}

/// What a line asks to have read after it, before the rest of its file.
pub(super) enum Following {
    /// What is left of a definition over several lines.
    Lines {
        lines: Rc<[Stored]>,
        next: usize,
        /// Where it is used.
        source: Span,
        whole: Span,
    },
    /// Further turns.
    Sequence(Sequence),
}

/// Where a line stands, and what it may leave behind.
pub(super) struct LineContext<'a> {
    pub(super) source: &'a dyn Source,
    /// Of the file.
    pub(super) directory: &'a Path,
    pub(super) findings: &'a mut Findings,
    /// The innermost last.
    pub(super) following: Vec<Following>,
}

impl Expander {
    pub(super) fn new(config_id: &str, seed: u64) -> Self {
        Self {
            config_id: config_id.into(),
            names: HashMap::new(),
            nested: Vec::new(),
            open: None,
            random: Random::new(seed),
            work: MOST_WORK,
            said: HashSet::new(),
        }
    }

    /// Whether the next line belongs to a definition, whatever it says.
    pub(super) fn is_inside_definition(&self) -> bool {
        self.open.is_some()
    }

    /// Takes note of a line that says nothing, or of the end of a file: a definition over several lines ends there.
    pub(super) fn end_definition(&mut self) {
        let Some((name, mut lines)) = self.open.take() else { return };
        lines.retain(|line| !line.text.is_empty());
        let value = match lines.as_mut_slice() {
            [] => Value::Text(Rc::default()),
            [line] => Value::Text(std::mem::take(&mut line.text).into()),
            _ => Value::Lines(lines.into()),
        };
        self.names.insert(name, value);
    }

    /// `random_seed`: the numbers from here on.
    pub(super) fn seed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// The line that `line` stands for; `None` if it says nothing (more) itself.
    pub(super) fn expand<'a>(&mut self, line: Line<'a>, context: &mut LineContext<'_>) -> Option<Line<'a>> {
        if self.open.is_some() {
            self.continue_definition(&line, context.findings);
            return None;
        }
        let mut line = line;
        loop {
            line = self.condition(line)?;
            line = self.definition(line, context.findings)?;
            line = self.sequence(line, context)?;
            if line.is_settled {
                return Some(line);
            }
            let starts = line.text().starts_with(b"$");
            let (substituted, is_changed) = self.substitute(line, context)?;
            line = if is_changed { substituted.code() } else { substituted };
            line.is_settled = true;
            // what a definition brings to the start of a line is looked at again, as keepalived did up to 2.2
            if !(starts && is_changed) {
                return Some(line);
            }
        }
    }

    /// Whether lines of files are being read, not those of definitions and sequences.
    pub(super) fn is_in_file(&self) -> bool {
        self.nested.is_empty()
    }

    /// Takes note of the end of the innermost `Following`. What it has begun to define does not go on in the file.
    pub(super) fn leave(&mut self) {
        self.nested.pop();
        if self.nested.is_empty() {
            self.end_definition();
        }
    }

    /// The next line of `following`; `None` at its end.
    pub(super) fn turn(&mut self, following: &mut Following, findings: &mut Findings) -> Option<Line<'static>> {
        match following {
            Following::Lines { lines, next, source, whole } => {
                let stored = lines.get(*next)?;
                *next = next.saturating_add(1);
                let line = || Line::defined(&stored.text, stored.span, *source, *whole).into_owned();
                self.spend(stored.text.len(), *whole, findings).then(line)
            }
            Following::Sequence(Sequence { values, text }) => {
                let turn = values.next()?;
                for (name, value) in values.names.iter().zip(turn) {
                    self.names.insert(name.clone(), Value::Text(value.into()));
                }
                self.spend(text.text().len(), text.whole, findings).then(|| text.clone())
            }
        }
    }

    /// Stores a further line of a definition.
    fn continue_definition(&mut self, line: &Line<'_>, findings: &mut Findings) {
        if has_odd_quotes(line.text()) {
            let span = line.span(0..line.text().len());
            let finding =
                Finding::at(&rule::UNMATCHED_QUOTE, span, "this definition has a double quote without partner");
            self.say(finding.note("it is used all the same"), findings);
        }
        let (text, continues) = match line.text().strip_suffix(b"\\") {
            Some(text) => (text.trim_ascii_end(), true),
            None => (line.text(), false),
        };
        if let Some((_, lines)) = &mut self.open {
            lines.push(Stored { text: unescaped(text).into_owned(), span: line.whole });
        }
        if !continues {
            self.end_definition();
        }
    }

    /// `@id` and `@^id`: the rest of the line, if it is for us.
    fn condition<'a>(&self, line: Line<'a>) -> Option<Line<'a>> {
        let Some(condition) = line.text().strip_prefix(b"@") else { return Some(line) };
        let end = condition.iter().position(|octet| is_blank(*octet))?;
        let word = condition.get(..end)?;
        let holds = match word.strip_prefix(b"^") {
            Some(word) => word != self.config_id,
            None => word == self.config_id,
        };
        holds.then(|| line.tail(end.saturating_add(1)))
    }

    /// Keeps `$NAME=VALUE`; any other line passes.
    fn definition<'a>(&mut self, line: Line<'a>, findings: &mut Findings) -> Option<Line<'a>> {
        let Some((name, value)) = definition(line.text()) else { return Some(line) };
        self.open = Some((name.to_vec(), Vec::new()));
        let start = line.text().len().saturating_sub(value.len());
        self.continue_definition(&line.tail(start), findings);
        None
    }

    /// Puts the turns of `~SEQ` and `~LST` behind the line; any other line passes.
    fn sequence<'a>(&mut self, line: Line<'a>, context: &mut LineContext<'_>) -> Option<Line<'a>> {
        let Some(head) = head(line.text()) else { return Some(line) };
        let (values, length) = match head {
            Ok(head) => (head.values(|text| self.put_in(text, line.whole, context)), head.length),
            Err(problem) => (Err(problem), line.text().len()),
        };
        match values {
            Ok(values) => {
                let text = line.tail(length);
                if !text.text().is_empty() {
                    let at = text.whole;
                    let sequence = Following::Sequence(Sequence { values, text: text.into_owned() });
                    self.follow(vec![sequence], at, context);
                }
            }
            Err(problem) => {
                let finding = Finding::at(&rule::SEQUENCE_INVALID, line.span(0..length), problem);
                let finding = finding.note("the line is left out");
                let help = "write ~SEQ(NAME, START, STEP, END) TEXT or ~LST(NAME, VALUE, VALUE) TEXT";
                self.say(finding.help(help), context.findings);
            }
        }
        None
    }

    /// Puts the values of definitions in, again and again until none is left; and whether there was any.
    fn substitute<'a>(&mut self, mut line: Line<'a>, context: &mut LineContext<'_>) -> Option<(Line<'a>, bool)> {
        let mut from = 0;
        let mut count: usize = 0;
        let mut following = Vec::new();
        while let Some(reference) = next_reference(line.text(), from) {
            let range = reference.range.clone();
            let source = line.span(range.clone());
            let Some(value) = self.value(&reference, source, context) else {
                from = range.end;
                continue;
            };
            let value = match &value {
                Value::Text(text) => text,
                Value::Lines(_) if range.end < line.text().len() => {
                    self.say(not_last(&line, source), context.findings);
                    return None;
                }
                Value::Lines(lines) => {
                    let lines = Rc::clone(lines);
                    following.push(Following::Lines { lines, next: 1, source, whole: line.whole });
                    value.first_line()
                }
            };
            count = count.saturating_add(1);
            if line.text().len().saturating_add(value.len()) > MOST_OCTETS || count > MOST_SUBSTITUTIONS {
                self.say(grows(&line), context.findings);
                return None;
            }
            let copied = line.text().len().saturating_add(value.len()) / COPY_COST;
            if !self.spend(copied, source, context.findings) {
                return None;
            }
            line = line.spliced(range.clone(), value, source);
            from = range.start;
        }
        if !self.follow(following, line.whole, context) {
            return None;
        }
        if count > 0 && !self.spend(line.text().len(), line.whole, context.findings) {
            return None;
        }
        Some((line, count > 0))
    }

    /// Puts definitions into the numbers of a sequence, which stands at `at`.
    fn put_in(&mut self, text: &[u8], at: Span, context: &mut LineContext<'_>) -> Vec<u8> {
        let mut text = text.to_vec();
        let mut from = 0;
        for _ in 0..MOST_SUBSTITUTIONS {
            let Some(reference) = next_reference(&text, from) else { break };
            let range = reference.range.clone();
            match self.value(&reference, at, context) {
                Some(Value::Text(value))
                    if text.len().saturating_add(value.len()) <= MOST_OCTETS
                        && self.spend(text.len(), at, context.findings) =>
                {
                    from = range.start;
                    text.splice(range, value.iter().copied());
                }
                _ => from = range.end,
            }
        }
        text
    }

    /// What a reference stands for; `None` if for nothing.
    fn value(&mut self, reference: &Reference<'_>, at: Span, context: &mut LineContext<'_>) -> Option<Value> {
        let mut parameters = reference.parameters();
        let first = parameters.next();
        if first.is_none()
            && let Some(value) = self.names.get(reference.name)
        {
            return Some(value.clone());
        }
        let text: Vec<u8> = match (reference.name, first) {
            (b"_HASH", None) => b"#".into(),
            (b"_BANG", None) => b"!".into(),
            (b"_INSTANCE", None) => self.config_id.clone(),
            (b"_PWD", None) => context.directory.as_os_str().as_encoded_bytes().into(),
            (b"_ENV", Some(name)) if parameters.next().is_none() => {
                context.source.variable(&String::from_utf8_lossy(name)).unwrap_or_default()
            }
            (b"_RANDOM", least) => self.random(least, parameters.next(), at, context.findings)?.into_bytes(),
            _ => return None,
        };
        Some(Value::Text(text.into()))
    }

    /// `${_RANDOM LEAST MOST}`.
    fn random(
        &mut self,
        least: Option<&[u8]>,
        most: Option<&[u8]>,
        at: Span,
        findings: &mut Findings,
    ) -> Option<String> {
        let number = |word: Option<&[u8]>, default: u32| match word {
            None => Some(default),
            Some(word) => std::str::from_utf8(word).ok()?.parse().ok(),
        };
        let (least, most) = (number(least, 0)?, number(most, 32_767)?);
        if least > most {
            let message = format!("there is no number from {least} to {most}");
            self.say(Finding::at(&rule::RANDOM_RANGE, at, message).note(format!("{least} is used")), findings);
        }
        Some(self.random.between(least, most).to_string())
    }

    /// Puts `following` behind the line at `at`, if there is room for it and no definition is in itself; says so if
    /// not.
    fn follow(&mut self, following: Vec<Following>, at: Span, context: &mut LineContext<'_>) -> bool {
        let before = self.nested.len();
        for next in &following {
            let lines = match next {
                Following::Lines { lines, .. } => Some(Rc::clone(lines)),
                Following::Sequence(_) => None,
            };
            let is_same = |other: &Option<Rc<[Stored]>>| {
                lines.as_ref().zip(other.as_ref()).is_some_and(|(lines, other)| Rc::ptr_eq(lines, other))
            };
            let problem = if self.nested.iter().any(is_same) {
                "this definition is used in its own lines".to_owned()
            } else if self.nested.len() >= MOST_NESTED {
                format!("definitions and sequences are nested more than {MOST_NESTED} deep")
            } else {
                self.nested.push(lines);
                continue;
            };
            self.nested.truncate(before);
            self.say(
                Finding::at(&rule::SUBSTITUTION_LIMIT, at, problem).note("the line is left out"),
                context.findings,
            );
            return false;
        }
        context.following.extend(following);
        true
    }

    /// Takes what a substitution or a turn costs from what is left.
    fn spend(&mut self, octets: usize, at: Span, findings: &mut Findings) -> bool {
        let cost = octets.saturating_add(LEAST_WORK);
        if cost < self.work {
            self.work = self.work.saturating_sub(cost);
            return true;
        }
        if std::mem::take(&mut self.work) > 0 {
            let message = "definitions and sequences make too much text";
            let finding = Finding::at(&rule::SUBSTITUTION_LIMIT, at, message);
            findings.push(finding.note("from here on every line that uses one is left out"));
        }
        false
    }

    /// Says it once for each place.
    fn say(&mut self, finding: Finding, findings: &mut Findings) {
        let rule: &'static Rule = finding.rule;
        if finding.primary.as_ref().is_none_or(|mark| self.said.insert((rule.id, mark.span))) {
            findings.push(finding);
        }
    }

    /// Says that `${...}` at `at` stands for nothing.
    pub(super) fn undefined(&mut self, text: &[u8], at: Span, findings: &mut Findings) {
        let shown = String::from_utf8_lossy(text);
        let finding = match next_reference(text, 0) {
            Some(Reference { name, .. }) if !matches!(name, b"_ENV" | b"_RANDOM") => {
                let name = String::from_utf8_lossy(name);
                Finding::at(&rule::UNDEFINED_NAME, at, format!("{name} is not defined"))
                    .help(format!("put ${name}=value on a line before it"))
            }
            _ => Finding::at(&rule::UNDEFINED_NAME, at, format!("{shown} is no use of a definition"))
                .help("write ${NAME} without blanks, ${_ENV NAME} or ${_RANDOM 1 9}; or put it into double quotes"),
        };
        self.say(finding, findings);
    }
}

impl Value {
    fn first_line(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Lines(lines) => lines.first().map_or(b"", |line| line.text.as_slice()),
        }
    }
}

fn not_last(line: &Line<'_>, source: Span) -> Finding {
    Finding::at(&rule::LINES_NOT_LAST, source, "this stands for several lines, so it must be the last on its line")
        .also(line.whole, "")
        .note("the line is left out")
        .help("put what follows it on a line of its own, or into the definition")
}

fn grows(line: &Line<'_>) -> Finding {
    Finding::at(&rule::SUBSTITUTION_LIMIT, line.whole, "the line does not stop growing when its definitions are put in")
        .note("it is left out")
}
