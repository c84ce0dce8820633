//! A line as it counts, and where each part of it comes from.

use std::ops::Range;

use super::token::{Token, TokenKind, tokenize_line, unescaped};
use crate::span::Span;

/// Text of a line after conditions and definitions, with the way back to the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) text: Vec<u8>,
    /// Ordered by start; the first starts at 0.
    pieces: Vec<Piece>,
    /// The whole physical line.
    pub(super) whole: Span,
}

/// Part of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Piece {
    /// Where it starts in the text.
    start: usize,
    source: Span,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    /// Octet for octet.
    Verbatim,
    /// All of it stands for all of the source.
    Substituted,
}

impl Line {
    /// The line at `whole`, as it stands there.
    pub(super) fn verbatim(text: &[u8], whole: Span) -> Self {
        Self { text: text.to_vec(), pieces: vec![Piece { start: 0, source: whole, origin: Origin::Verbatim }], whole }
    }

    /// The source of a range of the text.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let first = self.octet(range.start);
        let last = self.octet(range.end.saturating_sub(1).max(range.start));
        match (range.is_empty(), first, last) {
            (false, Some(first), Some(last)) => first.to(last),
            (true, Some(first), _) => Span { end: first.start, ..first },
            _ => self.whole,
        }
    }

    fn octet(&self, at: usize) -> Option<Span> {
        let index = self.pieces.partition_point(|piece| piece.start <= at).checked_sub(1)?;
        let piece = self.pieces.get(index)?;
        Some(match piece.origin {
            Origin::Substituted => piece.source,
            Origin::Verbatim => {
                let start = piece.source.start.saturating_add(at.saturating_sub(piece.start)).min(piece.source.end);
                Span { start, end: start.saturating_add(1).min(piece.source.end), ..piece.source }
            }
        })
    }

    /// What is left from `from` on.
    pub(super) fn tail(&self, from: usize) -> Self {
        self.spliced(0..from.min(self.text.len()), b"", self.whole)
    }

    /// The same with `range` replaced by `value`, which stands for `source`.
    pub(super) fn spliced(&self, range: Range<usize>, value: &[u8], source: Span) -> Self {
        let before = self.text.get(..range.start).unwrap_or_default();
        let after = self.text.get(range.end..).unwrap_or_default();
        let text = [before, value, after].concat();
        let mut pieces: Vec<Piece> = self.pieces.iter().copied().filter(|piece| piece.start < range.start).collect();
        if !value.is_empty() {
            pieces.push(Piece { start: range.start, source, origin: Origin::Substituted });
        }
        let resumed = range.start.saturating_add(value.len());
        if let Some(piece) = self.pieces.iter().rfind(|piece| piece.start <= range.end) {
            let source = match piece.origin {
                Origin::Substituted => piece.source,
                Origin::Verbatim => Span {
                    start: piece
                        .source
                        .start
                        .saturating_add(range.end.saturating_sub(piece.start))
                        .min(piece.source.end),
                    ..piece.source
                },
            };
            pieces.push(Piece { start: resumed, source, origin: piece.origin });
        }
        let shift =
            |piece: &Piece| Piece { start: piece.start.saturating_sub(range.end).saturating_add(resumed), ..*piece };
        pieces.extend(self.pieces.iter().filter(|piece| piece.start > range.end).map(shift));
        Self { text, pieces, whole: self.whole }
    }

    /// The tokens of the text.
    pub(super) fn tokens(&self) -> Vec<Token> {
        let mut out = Vec::new();
        tokenize_line(&self.text, 0, &mut out);
        out
    }

    /// The word that `token` of `tokens` is, and where it stands.
    pub(super) fn word(&self, token: &Token) -> Option<(Vec<u8>, Span)> {
        let raw = self.text.get(token.range.clone())?;
        let text = match token.kind {
            TokenKind::Word => unescaped(raw),
            TokenKind::Quoted => raw.get(1..raw.len().saturating_sub(1))?.to_vec(),
            _ => return None,
        };
        Some((text, self.span(token.range.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Files;

    #[test]
    fn what_comes_from_a_definition_points_to_its_use() {
        let text = b"ab ${X} cd";
        let file = Files::default().add("f".into(), text.to_vec(), None).unwrap();
        let span = |start, end| Span { file, start, end };
        let line = Line::verbatim(text, span(0, 10)).spliced(3..7, b"long value", span(3, 7));
        assert_eq!(line.text, b"ab long value cd");
        assert_eq!(line.span(0..2), span(0, 2));
        assert_eq!(line.span(3..7), span(3, 7));
        assert_eq!(line.span(8..13), span(3, 7));
        assert_eq!(line.span(14..16), span(8, 10));
        assert_eq!(line.tail(3).span(0..4), span(3, 7));
        assert_eq!(line.tail(11).span(3..5), span(8, 10));
    }
}
