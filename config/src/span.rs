//! Where text stands: the files that were read, in the order of reading, and ranges of octets in them.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One reading of one file; a file that is included twice has two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(u32);

/// A range of octets in one file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First octet.
    pub start: usize,
    /// One past the last octet.
    pub end: usize,
}

impl Span {
    /// From the start of `self` to the end of `other`; `self` if they are in different files.
    pub fn to(self, other: Self) -> Self {
        if self.file == other.file { Self { end: other.end.max(self.end), ..self } } else { self }
    }
}

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct File {
    /// As it was opened.
    pub path: PathBuf,
    /// What it held; shared, so that it can be read while the collection grows.
    pub bytes: Arc<Vec<u8>>,
    /// The include line that asked for it; `None` for the file of the command line.
    pub included_at: Option<Span>,
    /// Where it begins if all files stand behind each other, an octet apart; the first one at 1.
    first: u32,
    /// How many lines end before each `STRIDE` octets: to find the line of a place is to count from the last of these
    /// on.
    marks: Vec<usize>,
}

/// Where something begins, in four octets: its place if all files stand behind each other. A large configuration has a
/// million words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot(NonZeroU32);

/// The most octets that we search for the end of a word.
const LONG_WORD: usize = 64;

/// Octets between two marks.
const STRIDE: usize = 4_096;

/// A place as people count: from one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Octet in the line, from 1.
    pub column: usize,
}

/// Every file that was read.
#[derive(Clone, Debug, Default)]
pub struct Files(Vec<File>);

impl Files {
    /// Takes a file in; `None` if all together are longer than four thousand million octets.
    pub fn add(&mut self, path: PathBuf, bytes: Vec<u8>, included_at: Option<Span>) -> Option<FileId> {
        let id = FileId(u32::try_from(self.0.len()).ok()?);
        let first = match self.0.last() {
            Some(last) => last.first.checked_add(u32::try_from(last.bytes.len()).ok()?)?.checked_add(1)?,
            None => 1,
        };
        first.checked_add(u32::try_from(bytes.len()).ok()?)?;
        let mut lines = 0_usize;
        let marks = bytes.chunks(STRIDE).map(|piece| {
            let before = lines;
            lines = lines.saturating_add(newlines(piece));
            before
        });
        let marks = marks.collect();
        self.0.push(File { path, bytes: Arc::new(bytes), included_at, first, marks });
        Some(id)
    }

    /// The file of `id`; `None` for an id of another collection.
    pub fn get(&self, id: FileId) -> Option<&File> {
        self.0.get(usize::try_from(id.0).ok()?)
    }

    /// All files with their ids, in the order of reading.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &File)> {
        (0..).map(FileId).zip(&self.0)
    }

    /// How many were read.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn spot(&self, span: Span) -> Spot {
        let first = self.get(span.file).map_or(1, |file| file.first);
        let place = first.saturating_add(u32::try_from(span.start).unwrap_or(u32::MAX));
        Spot(NonZeroU32::new(place).unwrap_or(NonZeroU32::MIN))
    }

    /// `length` octets from `spot` on.
    pub(crate) fn span(&self, spot: Spot, length: usize) -> Span {
        let place = spot.0.get();
        // the last one that begins before it
        let file = self.0.partition_point(|file| file.first <= place).saturating_sub(1);
        let first = self.0.get(file).map_or(1, |file| file.first);
        let start = usize::try_from(place.saturating_sub(first)).unwrap_or(usize::MAX);
        Span { file: FileId(u32::try_from(file).unwrap_or(u32::MAX)), start, end: start.saturating_add(length) }
    }

    /// From `spot` to the next blank or brace, or `LONG_WORD` octets: a word, most of the time.
    pub(crate) fn word(&self, spot: Spot) -> Span {
        let Span { file, start, .. } = self.span(spot, 0);
        let text = self.get(file).and_then(|file| file.bytes.get(start..)).unwrap_or_default();
        let ends = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'}');
        let most = text.len().min(LONG_WORD);
        let length = text.iter().take(most).position(ends).unwrap_or(most);
        Span { file, start, end: start.saturating_add(length) }
    }

    /// The octets of `span`; empty if it lies outside its file.
    pub fn text(&self, span: Span) -> &[u8] {
        self.get(span.file).and_then(|file| file.bytes.get(span.start..span.end)).unwrap_or_default()
    }

    /// The path of the file of `span`.
    pub fn path(&self, span: Span) -> &Path {
        self.get(span.file).map_or(Path::new("?"), |file| &file.path)
    }

    /// How many octets of blanks are before `span` in its line; `None` if there is anything else.
    pub fn indentation(&self, span: Span) -> Option<usize> {
        let before = self.get(span.file)?.bytes.get(..span.start)?;
        let blanks = before.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        let is_first = before.iter().rev().nth(blanks).is_none_or(|octet| *octet == b'\n');
        is_first.then_some(blanks)
    }

    /// Line and column of the start of `span`.
    pub fn position(&self, span: Span) -> Position {
        self.get(span.file).map_or(Position { line: 1, column: 1 }, |file| file.position(span.start))
    }
}

impl File {
    /// Line and column of the octet at `offset`.
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.bytes.len());
        let mark = (offset / STRIDE).min(self.marks.len().saturating_sub(1));
        let counted = self.bytes.get(mark.saturating_mul(STRIDE)..offset).unwrap_or_default();
        let before = self.marks.get(mark).copied().unwrap_or(0).saturating_add(newlines(counted));
        let start = self.line_range(offset).start;
        Position { line: before.saturating_add(1), column: offset.saturating_sub(start).saturating_add(1) }
    }

    /// The range of the line that holds `offset`, without its newline.
    pub fn line_range(&self, offset: usize) -> std::ops::Range<usize> {
        let offset = offset.min(self.bytes.len());
        let (before, after) = self.bytes.split_at_checked(offset).unwrap_or_default();
        let start = before.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at.saturating_add(1));
        let end = after.iter().position(|octet| *octet == b'\n').unwrap_or(after.len());
        start..offset.saturating_add(end)
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|octet| **octet == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one() {
        let mut files = Files::default();
        let file = files.add("x".into(), b"ab\n\ncd".to_vec(), None).unwrap();
        let at = |start| files.position(Span { file, start, end: start });
        assert_eq!(at(0), Position { line: 1, column: 1 });
        assert_eq!(at(3), Position { line: 2, column: 1 });
        assert_eq!(at(5), Position { line: 3, column: 2 });
        assert_eq!(files.get(file).unwrap().line_range(1), 0..2);
        assert_eq!(files.get(file).unwrap().line_range(2), 0..2);
        assert_eq!(files.get(file).unwrap().line_range(3), 3..3);
        assert_eq!((at(6), files.get(file).unwrap().line_range(9)), (Position { line: 3, column: 3 }, 4..6));
    }

    #[test]
    fn a_spot_is_where_a_span_begins() {
        let mut files = Files::default();
        let texts: [&[u8]; 4] = [b"ab", b"", b"", b"cde"];
        let ids = texts.map(|text| files.add("x".into(), text.to_vec(), None).unwrap());
        for (file, text) in ids.into_iter().zip(texts) {
            for (start, end) in (0..=text.len()).flat_map(|start| (start..=text.len()).map(move |end| (start, end))) {
                let span = Span { file, start, end };
                assert_eq!(files.span(files.spot(span), end - start), span);
            }
        }
    }

    #[test]
    fn a_word_ends_at_a_blank_or_a_brace() {
        let mut files = Files::default();
        for text in ["a b", "a\tb", "a\r\nb", "a\n", "a{", "a}", "a"] {
            let file = files.add("x".into(), text.into(), None).unwrap();
            let word = Span { file, start: 0, end: 1 };
            assert_eq!(files.word(files.spot(word)), word, "{text:?}");
        }
    }

    #[test]
    fn positions_in_long_files_are_right() {
        let mut files = Files::default();
        let text: Vec<u8> = (0..5_000).flat_map(|line| format!("{line}\n").into_bytes()).collect();
        let file = files.add("x".into(), text.clone(), None).unwrap();
        let mut expected = Position { line: 1, column: 1 };
        for (start, octet) in text.iter().enumerate() {
            assert_eq!(files.position(Span { file, start, end: start }), expected);
            expected = match octet {
                b'\n' => Position { line: expected.line + 1, column: 1 },
                _ => Position { column: expected.column + 1, ..expected },
            };
        }
        assert_eq!(files.position(Span { file, start: text.len(), end: text.len() }), expected);
    }
}
