//! `regex` over a body that may be longer than what we keep of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use keepalived_config::model::Regex;
use pcre2::bytes::{Regex as Compiled, RegexBuilder};

use crate::failure::Failure;
use crate::peer_text::PeerText;

/// As much of a body as is kept; keepalived keeps 4 KiB. A body of this length is seen as a whole.
const WINDOW: usize = 16 * 1024;
/// As much of a full window as is kept for the next: a match of this length (less `BEFORE`) is never cut.
const OVERLAP: usize = 8 * 1024;
/// As much as may be looked back at.
const BEFORE: usize = 1024;
/// What PCRE2 may spend on one attempt, and in KiB: a pattern that explodes ends in an error, not in a late check.
const LIMITS: &str = "(*LIMIT_MATCH=500000)(*LIMIT_DEPTH=100000)(*LIMIT_HEAP=16384)";
/// The stack of compiled code, which grows to this if a pattern needs it; by default it has 32 KiB, which is too little
/// for alternatives repeated over a window.
const JIT_STACK: usize = 512 * 1024;
/// What all searches of one body may take: `LIMITS` bound one attempt, and there is one at each octet.
const LONGEST_SEARCH: Duration = Duration::from_millis(200);
/// Compiled patterns that a thread keeps.
const MOST_KEPT: usize = 4096;

/// Why a `regex` cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadPattern {
    /// A word of `regex_options` that we cannot give to PCRE2.
    Option(String),
    /// What PCRE2 says.
    Syntax(String),
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => write!(f, "regex_options {name} is not supported"),
            Self::Syntax(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for BadPattern {}

/// A `regex` that PCRE2 has compiled.
#[derive(Debug)]
pub struct Pattern {
    compiled: Compiled,
    first_line: bool,
}

impl Pattern {
    /// Compiles the pattern: the configuration is read before any check runs, and reports a wrong one.
    ///
    /// # Errors
    /// Syntax, or an option that the pcre2 crate has no way for.
    pub fn new(regex: &Regex) -> Result<Self, BadPattern> {
        let mut builder = RegexBuilder::new();
        builder.jit_if_available(true);
        let mut first_line = false;
        // at the start of a pattern, and after what may only stand there
        let (mut verbs, mut flags) = (String::from(LIMITS), String::new());
        for option in &regex.options {
            match option.as_str() {
                "caseless" => drop(builder.caseless(true)),
                "dotall" => drop(builder.dotall(true)),
                "extended" => drop(builder.extended(true)),
                "multiline" => drop(builder.multi_line(true)),
                // the crate's ucp() and utf() ask for more than these
                "utf" => verbs.push_str("(*UTF)"),
                "ucp" => verbs.push_str("(*UCP)"),
                "no_auto_possess" => verbs.push_str("(*NO_AUTO_POSSESS)"),
                "no_dotstar_anchor" => verbs.push_str("(*NO_DOTSTAR_ANCHOR)"),
                "no_start_optimize" => verbs.push_str("(*NO_START_OPT)"),
                "dupnames" => flags.push_str("(?J)"),
                "ungreedy" => flags.push_str("(?U)"),
                "no_auto_capture" => flags.push_str("(?n)"),
                "firstline" => first_line = true,
                // they forbid, or do nothing without further calls
                "never_utf" | "never_ucp" | "never_backslash_c" | "auto_callout" | "use_offset_limit" => {}
                _ => return Err(BadPattern::Option(option.clone())),
            }
        }
        let stack = regex.stack.and_then(|(_, most)| usize::try_from(most).ok()).unwrap_or_default();
        builder.max_jit_stack_size(Some(stack.max(JIT_STACK)));
        let (own_verbs, rest) = regex.pattern.split_at(leading_verbs(&regex.pattern));
        let text = [verbs.as_str(), own_verbs, &flags, rest].concat();
        let compiled = builder.build(&text).map_err(|error| BadPattern::Syntax(error.to_string()))?;
        Ok(Self { compiled, first_line })
    }

    /// The pattern of `regex`, compiled when it is first seen.
    fn kept(regex: &Regex) -> Result<Rc<Self>, BadPattern> {
        KEPT.with_borrow_mut(|kept| {
            let same = |key: &&Key| key.options == regex.options && key.stack == regex.stack;
            if let Some(key) = kept.get(&regex.pattern).and_then(|keys| keys.iter().find(same)) {
                return Ok(Rc::clone(&key.pattern));
            }
            let pattern = Rc::new(Self::new(regex)?);
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            let key = Key { options: regex.options.clone(), stack: regex.stack, pattern: Rc::clone(&pattern) };
            kept.entry(regex.pattern.clone()).or_default().push(key);
            Ok(pattern)
        })
    }
}

/// What distinguishes patterns of the same text.
struct Key {
    options: Vec<String>,
    stack: Option<(u32, u32)>,
    pattern: Rc<Pattern>,
}

thread_local! {
    static KEPT: RefCell<HashMap<String, Vec<Key>>> = RefCell::default();
}

/// How many octets at the start are `(*UTF)` and the like.
fn leading_verbs(pattern: &str) -> usize {
    let mut at = 0;
    while let Some(rest) = pattern.get(at..).and_then(|rest| rest.strip_prefix("(*"))
        && let Some((verb, _)) = rest.split_once(')')
        && START_VERBS
            .iter()
            .any(|start| verb.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
    {
        at += "(*".len() + verb.len() + ")".len();
    }
    at
}

/// What PCRE2 takes at the start of a pattern only: pcre2syntax(3), "option setting" and "newline conventions".
const START_VERBS: [&str; 21] = [
    "LIMIT_DEPTH",
    "LIMIT_HEAP",
    "LIMIT_MATCH",
    "CASELESS_RESTRICT",
    "NOTEMPTY",
    "NOTEMPTY_ATSTART",
    "NO_AUTO_POSSESS",
    "NO_DOTSTAR_ANCHOR",
    "NO_JIT",
    "NO_START_OPT",
    "TURKISH_CASING",
    "UTF",
    "UCP",
    "CR",
    "LF",
    "CRLF",
    "ANYCRLF",
    "ANY",
    "NUL",
    "BSR_ANYCRLF",
    "BSR_UNICODE",
];

/// Looks for a pattern in a body that comes in pieces.
#[derive(Debug)]
pub(crate) struct Search {
    pattern: Rc<Pattern>,
    no_match: bool,
    /// Where a match starts at the earliest and at the latest, in the body.
    first: usize,
    last: usize,
    /// The newline has been seen that bounds `firstline`.
    line_ended: bool,
    window: Vec<u8>,
    /// Where in the body the window begins.
    base: usize,
    found: Option<bool>,
    spent: Duration,
}

impl Search {
    pub(crate) fn new(regex: &Regex) -> Result<Self, Failure> {
        let pattern = Pattern::kept(regex).map_err(|error| Failure::Pattern(PeerText::show(&error)))?;
        let offset = |octets: u32| usize::try_from(octets).unwrap_or(usize::MAX);
        Ok(Self {
            line_ended: !pattern.first_line,
            pattern,
            no_match: regex.no_match,
            first: offset(regex.min_offset),
            last: regex.max_offset.map_or(usize::MAX, offset),
            window: Vec::new(),
            base: 0,
            found: None,
            spent: Duration::ZERO,
        })
    }

    /// More of the body.
    pub(crate) fn push(&mut self, mut octets: &[u8]) -> Result<(), Failure> {
        while self.found.is_none() && !octets.is_empty() {
            let room = WINDOW.saturating_sub(self.window.len());
            let (now, later) = octets.split_at(room.min(octets.len()));
            self.bound_by_line(now);
            self.window.extend_from_slice(now);
            octets = later;
            if self.window.len() >= WINDOW {
                self.look(End::Open)?;
            }
        }
        Ok(())
    }

    /// That was the body.
    pub(crate) fn verdict(mut self) -> Result<(), Failure> {
        if self.found.is_none() {
            self.look(End::OfBody)?;
        }
        match (self.found == Some(true), self.no_match) {
            (true, false) | (false, true) => Ok(()),
            (false, false) => Err(Failure::NotFound),
            (true, true) => Err(Failure::Found),
        }
    }

    /// `firstline`: a match starts at the first newline at the latest.
    fn bound_by_line(&mut self, next: &[u8]) {
        if self.line_ended {
            return;
        }
        let at = self.base.saturating_add(self.window.len());
        let skipped = self.first.saturating_sub(at);
        let newline = next.iter().skip(skipped).position(|octet| *octet == b'\n');
        if let Some(newline) = newline {
            self.line_ended = true;
            self.last = self.last.min(at.saturating_add(skipped).saturating_add(newline));
        }
    }

    fn look(&mut self, end: End) -> Result<(), Failure> {
        let length = self.window.len();
        let kept_from = length.saturating_sub(OVERLAP);
        // in a later window the octets before have been searched already
        let searched = if self.base == 0 { 0 } else { BEFORE };
        let start = self.first.saturating_sub(self.base).max(searched);
        if start <= length {
            let begun = Instant::now();
            let found = self.pattern.compiled.find_at(&self.window, start);
            self.spent = self.spent.saturating_add(begun.elapsed());
            if self.spent > LONGEST_SEARCH {
                return Err(Failure::Pattern("it takes too long to look for it in this body".into()));
            }
            let found = found.map_err(|error| Failure::Pattern(PeerText::show(&error)))?;
            if let Some(found) = found {
                if self.base.saturating_add(found.start()) > self.last {
                    // it is the first one
                    self.found = Some(false);
                } else if end == End::OfBody || found.end() < length || found.start() < kept_from.saturating_add(BEFORE)
                {
                    self.found = Some(true);
                }
                // else what follows may make it longer, or no match at all
            }
        }
        if end == End::Open && self.found.is_none() {
            self.window.drain(..kept_from);
            self.base = self.base.saturating_add(kept_from);
            if self.base > self.last {
                self.found = Some(false);
            }
        }
        if self.found.is_some() {
            self.window = Vec::new();
        }
        Ok(())
    }
}

/// Whether something follows the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Open,
    OfBody,
}

#[cfg(test)]
mod tests;
