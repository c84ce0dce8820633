//! A line as it counts, and where each part of it comes from.

use std::borrow::Cow;
use std::ops::Range;

use super::token::{Token, TokenKind, comment_start, trimmed, unescaped};
use crate::span::Span;

/// Text of a line without its comment, with the way back to the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line<'a> {
    all: Cow<'a, [u8]>,
    /// What counts of it begins here: to read on costs nothing.
    start: usize,
    origin: Origin,
    /// All of the line that stands in a file.
    pub(super) whole: Span,
    /// Where the text was written, if that is a definition.
    pub(super) defined: Option<Span>,
    /// Whether definitions have been put in.
    pub(super) is_settled: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Origin {
    /// Octet for octet what stands there.
    Verbatim(Span),
    /// Ordered by start; the first starts at 0.
    Pieces(Vec<Piece>),
}

/// Part of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Piece {
    /// Where it starts in the text.
    start: usize,
    source: Span,
    kind: PieceKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PieceKind {
    /// Octet for octet.
    Verbatim,
    /// All of it stands for all of the source.
    Substituted,
}

impl<'a> Line<'a> {
    /// The line at `whole`, as it stands there.
    pub(super) fn verbatim(text: &'a [u8], whole: Span) -> Self {
        Self {
            all: Cow::Borrowed(text),
            start: 0,
            origin: Origin::Verbatim(whole),
            whole,
            defined: None,
            is_settled: false,
        }
    }

    /// A line of a definition, which was written at `defined` and is used at `source`, a part of `whole`.
    pub(super) fn defined(text: &'a [u8], defined: Span, source: Span, whole: Span) -> Self {
        let pieces = vec![Piece { start: 0, source, kind: PieceKind::Substituted }];
        Self { origin: Origin::Pieces(pieces), defined: Some(defined), ..Self::verbatim(text, whole) }
    }

    /// The same, to be kept and read again with other definitions.
    pub(super) fn into_owned(self) -> Line<'static> {
        let Self { all, start, origin, whole, defined, .. } = self;
        Line { all: Cow::Owned(all.into_owned()), start, origin, whole, defined, is_settled: false }
    }

    /// What it says.
    pub(super) fn text(&self) -> &[u8] {
        self.all.get(self.start..).unwrap_or_default()
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
        let at = at.saturating_add(self.start);
        match &self.origin {
            Origin::Verbatim(source) => Some(octet_of(*source, at)),
            Origin::Pieces(pieces) => {
                let index = pieces.partition_point(|piece| piece.start <= at).checked_sub(1)?;
                let piece = pieces.get(index)?;
                Some(match piece.kind {
                    PieceKind::Substituted => piece.source,
                    PieceKind::Verbatim => octet_of(piece.source, at.saturating_sub(piece.start)),
                })
            }
        }
    }

    /// What is left from `from` on, without blanks before it.
    pub(super) fn tail(mut self, from: usize) -> Self {
        let blanks = trimmed(self.text().get(from..).unwrap_or_default()).start;
        self.start = self.start.saturating_add(from).saturating_add(blanks).min(self.all.len());
        self
    }

    /// What counts: without a comment (which a definition may have brought) and blanks at the ends.
    pub(super) fn code(mut self) -> Self {
        let text = self.text();
        let range = trimmed(text.get(..comment_start(text)).unwrap_or_default());
        let end = self.start.saturating_add(range.end);
        match &mut self.all {
            Cow::Borrowed(all) => *all = all.get(..end).unwrap_or_default(),
            Cow::Owned(all) => all.truncate(end),
        }
        self.tail(range.start)
    }

    /// The same with `range` replaced by `value`, which stands for `source`.
    pub(super) fn spliced(&self, range: Range<usize>, value: &[u8], source: Span) -> Line<'static> {
        let range = range.start.saturating_add(self.start)..range.end.saturating_add(self.start);
        let before = self.all.get(..range.start).unwrap_or_default();
        let after = self.all.get(range.end..).unwrap_or_default();
        let all = [before, value, after].concat();
        let whole_piece;
        let old = match &self.origin {
            Origin::Pieces(pieces) => pieces.as_slice(),
            Origin::Verbatim(source) => {
                whole_piece = [Piece { start: 0, source: *source, kind: PieceKind::Verbatim }];
                whole_piece.as_slice()
            }
        };
        let mut pieces: Vec<Piece> = old.iter().copied().filter(|piece| piece.start < range.start).collect();
        if !value.is_empty() {
            pieces.push(Piece { start: range.start, source, kind: PieceKind::Substituted });
        }
        let resumed = range.start.saturating_add(value.len());
        let first = old.partition_point(|piece| piece.start <= range.end).saturating_sub(1);
        pieces.extend(
            old.iter()
                .skip(first)
                .map(|piece| piece.cut(range.end))
                .map(|piece| Piece { start: piece.start.saturating_add(resumed), ..piece }),
        );
        let Self { start, whole, defined, is_settled, .. } = *self;
        Line { all: Cow::Owned(all), start, origin: Origin::Pieces(pieces), whole, defined, is_settled }
    }

    /// The word that `token` is, and where it stands.
    pub(super) fn word(&self, token: &Token) -> Option<(Cow<'_, [u8]>, Span)> {
        let raw = self.text().get(token.range.clone())?;
        let text = match token.kind {
            TokenKind::Word => unescaped(raw),
            TokenKind::Quoted => Cow::Borrowed(raw.get(1..raw.len().saturating_sub(1))?),
            _ => return None,
        };
        Some((text, self.span(token.range.clone())))
    }
}

impl Piece {
    /// What is left of it when the first `from` octets of the text are cut off.
    fn cut(self, from: usize) -> Self {
        let start = self.start.saturating_sub(from);
        match self.kind {
            PieceKind::Verbatim => {
                let cut = from.saturating_sub(self.start);
                Self { start, source: Span { start: octet_of(self.source, cut).start, ..self.source }, ..self }
            }
            PieceKind::Substituted => Self { start, ..self },
        }
    }
}

/// The octet of `source` with this number; behind its end, the end.
fn octet_of(source: Span, number: usize) -> Span {
    let start = source.start.saturating_add(number).min(source.end);
    Span { start, end: start.saturating_add(1).min(source.end), ..source }
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
        assert_eq!(line.text(), b"ab long value cd");
        assert_eq!(line.span(0..2), span(0, 2));
        assert_eq!(line.span(3..7), span(3, 7));
        assert_eq!(line.span(8..13), span(3, 7));
        assert_eq!(line.span(14..16), span(8, 10));
        assert_eq!(line.clone().tail(3).span(0..4), span(3, 7));
        let tail = line.tail(11);
        assert_eq!((tail.text(), tail.span(3..5)), (b"ue cd".as_slice(), span(8, 10)));
        let twice = tail.spliced(0..0, b"{ ", span(3, 7));
        assert_eq!((twice.text(), twice.span(5..7)), (b"{ ue cd".as_slice(), span(8, 10)));
        assert_eq!((twice.clone().tail(1).text(), twice.tail(1).span(3..5)), (b"ue cd".as_slice(), span(8, 10)));
    }

    #[test]
    fn comments_that_a_definition_brings_are_cut() {
        let text = b" a ${X} b";
        let file = Files::default().add("f".into(), text.to_vec(), None).unwrap();
        let span = |start, end| Span { file, start, end };
        let line = Line::verbatim(text, span(0, 9)).spliced(3..7, b"x # y", span(3, 7)).code();
        assert_eq!((line.text(), line.span(0..1), line.span(2..3)), (b"a x".as_slice(), span(1, 2), span(3, 7)));
    }
}
