//! Findings as data for programs: one record each, places as people count them.

use serde::Serialize;

use super::{Finding, Mark, Severity};
use crate::span::{Files, Span};

/// A finding with its places resolved. The names of the fields are part of our interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FindingRecord {
    /// The rule: its page in docs/findings.md has this name.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// Where; absent if it is nowhere in the text.
    pub place: Option<SourceRange>,
    /// What else belongs to it.
    pub related: Vec<SourceRange>,
    /// What follows from it.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// The change to the text that does it.
    pub fix: Option<Replacement>,
}

/// A range of text. Lines and columns count from 1, columns in octets; the end is one past the last octet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SourceRange {
    /// The file as it was opened.
    pub file: String,
    /// Line of the first octet.
    pub line: usize,
    /// Column of the first octet.
    pub column: usize,
    /// Line of the end.
    pub end_line: usize,
    /// Column of the end.
    pub end_column: usize,
    /// What the finding says there; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// The include lines that led there, innermost first, as `file:line`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included_at: Vec<String>,
}

/// A change to the text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Replacement {
    /// What is replaced.
    #[serde(flatten)]
    pub place: SourceRange,
    /// What takes its place.
    pub text: String,
}

/// The deepest chain of includes that is listed.
const MOST_INCLUDES: usize = 32;

/// Every finding as a record.
pub fn records(findings: &[Finding], files: &Files) -> Vec<FindingRecord> {
    findings.iter().map(|finding| record(finding, files)).collect()
}

fn record(finding: &Finding, files: &Files) -> FindingRecord {
    let marked = |mark: &Mark| place(mark.span, &mark.label, files);
    FindingRecord {
        id: finding.rule.id,
        severity: finding.rule.severity,
        message: finding.message.clone(),
        place: finding.primary.as_ref().map(marked),
        related: finding.secondary.iter().map(marked).collect(),
        notes: finding.notes.clone(),
        help: finding.advice(),
        fix: finding.fix.as_ref().map(|fix| Replacement { place: place(fix.span, "", files), text: fix.text.clone() }),
    }
}

fn place(span: Span, label: &str, files: &Files) -> SourceRange {
    let start = files.position(span);
    let end = files.position(Span { start: span.end, ..span });
    let includer = |span: Span| files.get(span.file).and_then(|file| file.included_at);
    let chain = std::iter::successors(includer(span), |at| includer(*at)).take(MOST_INCLUDES);
    SourceRange {
        file: files.path(span).to_string_lossy().into_owned(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        label: label.to_owned(),
        included_at: chain.map(|at| format!("{}:{}", files.path(at).display(), files.position(at).line)).collect(),
    }
}
