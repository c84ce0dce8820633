//! What a configuration says when everything that stands for something else is written out.

use super::Parsed;
use super::indent::indent;
use super::line::Line;
use super::token::{Token, TokenKind};
use crate::span::Span;

/// What `expand` gives.
#[derive(Clone, Debug)]
pub struct Expanded {
    /// In the order of the text.
    pub lines: Vec<ExpandedLine>,
    /// What `parse` gives for the same; its tree has the files.
    pub parsed: Parsed,
}

/// A line that counts: a statement with the `{` after it, or a brace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpandedLine {
    /// Without comment and without blanks at the ends.
    pub text: Vec<u8>,
    /// How many braces are open before it.
    pub depth: usize,
    /// The line of a file that it is, or in which the definition that it comes from is used. How that file came in,
    /// `File::included_at` tells.
    pub at: Span,
    /// The line of the definition over several lines that it is.
    pub defined: Option<Span>,
}

impl Expanded {
    /// The whole text in the layout of `format`.
    pub fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for line in &self.lines {
            out.extend(std::iter::repeat_n(b' ', indent(line.depth)));
            out.extend_from_slice(&line.text);
            out.push(b'\n');
        }
        out
    }
}

/// Lines so far.
#[derive(Default)]
pub(super) struct ExpandedLines {
    pub(super) lines: Vec<ExpandedLine>,
    depth: usize,
}

impl ExpandedLines {
    /// Takes in a statement with the brace after it.
    pub(super) fn take(&mut self, line: &Line<'_>, tokens: &[Token]) {
        let (words, brace) = match tokens.split_last() {
            Some((brace, words)) if matches!(brace.kind, TokenKind::Open | TokenKind::Close) => {
                (words, Some(brace.kind))
            }
            _ => (tokens, None),
        };
        let mut text = match (words.first(), words.last()) {
            (Some(first), Some(last)) => {
                line.text().get(first.range.start..last.range.end).unwrap_or_default().to_vec()
            }
            _ => Vec::new(),
        };
        if brace == Some(TokenKind::Open) {
            text.extend_from_slice(if text.is_empty() { b"{" } else { b" {" });
        }
        if !text.is_empty() {
            self.push(text, line);
        }
        match brace {
            Some(TokenKind::Open) => self.depth = self.depth.saturating_add(1),
            Some(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.push(b"}".to_vec(), line);
            }
            None => {}
        }
    }

    /// Writes out braces that are missing before `line`.
    pub(super) fn close(&mut self, missing: usize, line: &Line<'_>) {
        for _ in 0..missing {
            self.depth = self.depth.saturating_sub(1);
            self.push(b"}".to_vec(), line);
        }
    }

    fn push(&mut self, text: Vec<u8>, line: &Line<'_>) {
        self.lines.push(ExpandedLine { text, depth: self.depth, at: line.whole, defined: line.defined });
    }
}
