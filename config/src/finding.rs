//! Findings: mistakes and remarks about a configuration, as data.
//!
//! A finding has a rule (stable id, severity, class, its page of the manual), what was found this time, and where.

mod manual;
mod record;
mod render;
mod rules;
mod sarif;

pub use manual::findings_manual;
pub use record::{FindingRecord, SourceRange, records};
pub use render::{Style, render, render_in, render_without_secrets};
pub use rules::{ALL, Rule};
pub use sarif::{Log, sarif};

/// The rules by name.
pub mod rule {
    pub use super::rules::names::*;
}

use rustc_hash::FxHashSet;
use serde::Serialize;

use crate::span::Span;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Used, but perhaps not as meant.
    Warning,
    /// Something that was written is not used.
    Error,
}

/// keepalived's classes of configuration errors, in its order (`lib/parser.h`): of several the last decides the exit
/// status of `-t`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// keepalived finds the file fine.
    Fine,
    /// The file of the command line is missing.
    FileNotFound,
    /// `linkbeat_interfaces` or `interface_up_down_delays` name an interface that is not there.
    BadInterface,
    /// Cannot run.
    Fatal,
    /// The command line named several files.
    MultipleFiles,
    /// Unknown keyword.
    UnknownKeyword,
    /// `{` where none belongs.
    UnexpectedOpen,
    /// No `{` where one belongs.
    MissingOpen,
    /// `}` too many.
    UnexpectedClose,
    /// `}` missing.
    MissingClose,
    /// Odd number of `"`.
    UnmatchedQuote,
    /// A keyword without its value: keepalived exits at once with status 2.
    MissingParameter,
    /// A number that is none, or outside its range.
    InvalidNumber,
    /// Anything else.
    General,
    /// Used, but doubtful.
    Warning,
    /// An old spelling.
    Deprecated,
    /// Scripts, key files, include checks.
    Security,
}

/// A place in the text, and what the finding says there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The place.
    pub span: Span,
    /// May be empty.
    pub label: String,
}

/// One thing found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Which rule it falls under.
    pub rule: &'static Rule,
    /// The thing, the value, the way out; one line.
    pub message: String,
    /// Where; `None` if it is nowhere in the text.
    pub primary: Option<Mark>,
    /// What else belongs to it.
    pub secondary: Vec<Mark>,
    /// What follows from it.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// The change to the text that does it, where one is known.
    pub fix: Option<Fix>,
}

/// A change to the text that ends a finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// What takes its place.
    pub text: String,
}

impl Finding {
    /// A finding that has no place in the text.
    pub fn anywhere(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            notes: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// A finding at `span`.
    pub fn at(rule: &'static Rule, span: Span, message: impl Into<String>) -> Self {
        Self { primary: Some(Mark { span, label: String::new() }), ..Self::anywhere(rule, message) }
    }

    /// Says `label` under the marked text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.label = label.into();
        }
        self
    }

    /// Points to a second place.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push(Mark { span, label: label.into() });
        self
    }

    /// Adds a consequence.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// What to do: what was said of this case, or else what the rule says.
    pub fn advice(&self) -> Option<String> {
        if let Some(help) = &self.help {
            return Some(help.clone());
        }
        let mut letters = self.rule.fix.trim_end_matches('.').chars();
        let first = letters.next()?;
        Some(first.to_lowercase().chain(letters).collect())
    }

    /// Says which text in place of that at `span` would be right.
    #[must_use]
    pub fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, text: text.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The most findings of one configuration that are kept.
const MOST_FINDINGS: usize = 1_000;

/// What has been found so far. Of what has no room the first of each rule is kept all the same, because rules decide
/// the exit status and whether anything runs; the rest is counted.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    rules: FxHashSet<&'static str>,
    /// Places that something has been said of: a line of a definition or of a sequence is read many times.
    said: FxHashSet<(&'static str, Span)>,
    left_out: usize,
}

impl Findings {
    /// Takes a finding in, unless the same has been said of the same place.
    pub fn push(&mut self, finding: Finding) {
        let is_again = |mark: &Mark| !self.said.insert((finding.rule.id, mark.span));
        let is_known = finding.primary.as_ref().is_some_and(is_again);
        if is_known && self.kept.iter().rev().any(|kept| *kept == finding) {
            return;
        }
        let is_first = self.rules.insert(finding.rule.id);
        if is_first || self.kept.len() < MOST_FINDINGS {
            self.kept.push(finding);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Takes back the finding of `rule` at `span`: a better one follows.
    pub(crate) fn withdraw(&mut self, rule: &'static Rule, span: Span) {
        self.kept
            .retain(|finding| finding.rule != rule || finding.primary.as_ref().is_none_or(|mark| mark.span != span));
    }

    /// Where something was said under `rule`.
    pub(crate) fn places(&self, rule: &'static Rule) -> impl Iterator<Item = Span> {
        let found = self.kept.iter().filter(move |finding| finding.rule == rule);
        found.filter_map(|finding| Some(finding.primary.as_ref()?.span))
    }

    /// How many there were besides those that were kept.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether nothing can run with what has been found.
    pub fn are_fatal(&self) -> bool {
        fatal(&self.kept)
    }

    /// All that were kept, in the order of the text, those without a place first; and how many more there were.
    pub fn sorted(self) -> Vec<Finding> {
        let mut findings = self.kept;
        findings.sort_by_key(|finding| finding.primary.as_ref().map(|mark| (mark.span.file, mark.span.start)));
        if self.left_out > 0 {
            let message = match self.left_out {
                1 => "there is 1 more finding".to_owned(),
                count => format!("there are {count} more findings"),
            };
            findings
                .push(Finding::anywhere(&rule::MORE_FINDINGS, message).note("each is of a kind that is shown above"));
        }
        findings
    }
}

/// The exit status of `-t`: 0, 2 for a missing parameter, 4, 5 or 6 (syntax.md section 13).
pub fn exit_status(findings: &[Finding]) -> u8 {
    let classes = || findings.iter().map(|finding| finding.rule.class);
    if classes().any(|class| class == Class::MissingParameter) {
        return 2;
    }
    match classes().max() {
        None | Some(Class::Fine) => 0,
        Some(Class::FileNotFound | Class::BadInterface | Class::Fatal) => 4,
        Some(Class::Security) => 6,
        Some(_) => 5,
    }
}

/// Whether a daemon cannot start, or must not reload, with this.
pub fn fatal(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.rule.fatal)
}

/// The same for a daemon without a vrrp process.
pub fn fatal_without_routers(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.rule.fatal && !finding.rule.routers_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(rules: &[&'static Rule]) -> u8 {
        exit_status(&rules.iter().map(|rule| Finding::anywhere(rule, "")).collect::<Vec<_>>())
    }

    /// Expected values: syntax.md section 13.
    #[test]
    fn the_last_class_decides() {
        assert_eq!(status(&[]), 0);
        assert_eq!(status(&[&rule::NOT_EFFECTIVE]), 0);
        assert_eq!(status(&[&rule::FILE_MISSING]), 4);
        assert_eq!(status(&[&rule::FILE_MISSING, &rule::UNKNOWN_KEYWORD]), 5);
        assert_eq!(status(&[&rule::INCLUDE_FAILED, &rule::UNKNOWN_KEYWORD]), 6);
        assert_eq!(status(&[&rule::INCLUDE_FAILED, &rule::MISSING_PARAMETER]), 2);
    }
}
