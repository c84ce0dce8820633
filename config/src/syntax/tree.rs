//! The statements of a configuration, stored tightly: a large one has hundreds of thousands.
//!
//! Statements stand in the order of the text, each before those of its block; a word is a place in a file. So no depth
//! of nesting is a danger to the stack, and a statement costs some thirty octets beyond its text.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::Block;
use crate::keywords::{self, Keyword};
use crate::span::{Files, Span, Spot};

/// The statements of a configuration and the files that they stand in.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub(super) files: Files,
    nodes: Vec<Stored>,
    words: Vec<Spot>,
    /// The words that do not end at the first blank or brace after them: quoted, from a definition. Each with its
    /// length.
    odd: Vec<(u32, u32)>,
    /// The words that are neither what stands at their place nor that without double quotes: escaped, from a
    /// definition. Each with the place in `text` where it begins.
    made: Vec<(u32, u32)>,
    text: Vec<u8>,
    blocks: Vec<Braces>,
    /// What stands for braces that are not in the text: missing, from a definition.
    bare: HashMap<(u32, Brace), Span>,
    /// Where a `}` is missing was taken from the layout.
    pub(super) told_by_layout: bool,
    /// Statements whose line ends in a quote that is not closed.
    cut: HashSet<u32>,
    /// The block of keywords that an unknown word stands in.
    strangers: FxHashMap<u32, &'static str>,
}

/// No row has this number.
const UNKNOWN: u16 = u16::MAX;

/// A statement; its words end where those of the next one begin.
#[derive(Clone, Copy, Debug)]
struct Stored {
    /// Number of the row; `UNKNOWN` is none.
    keyword: u16,
    first_word: u32,
    /// One past the last statement of its block.
    end: u32,
    /// Index of its braces plus one; 0 is none.
    block: u32,
}

/// One of the two of a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Brace {
    Open,
    Close,
}

#[derive(Clone, Copy, Debug)]
struct Braces {
    open: Spot,
    close: Option<Spot>,
}

/// One statement: a keyword or a value line, and perhaps a block.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    tree: &'a Tree,
    index: usize,
}

/// A word as it counts: without quotes, definitions put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word<'a> {
    /// What it says.
    pub text: &'a [u8],
    /// Where it stands; for a word that comes from a definition, where the definition is used.
    pub span: Span,
}

impl<'a> Word<'a> {
    /// The word for messages and for comparison with ASCII words.
    pub fn str(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.text)
    }
}

/// Words of a statement.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    tree: &'a Tree,
    range: Range<usize>,
}

impl<'a> Words<'a> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The word at `index`.
    pub fn get(&self, index: usize) -> Option<Word<'a>> {
        self.clone().nth(index)
    }

    /// The first word and the others.
    pub fn split_first(mut self) -> Option<(Word<'a>, Self)> {
        self.next().map(|first| (first, self))
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        self.range.next().and_then(|index| self.tree.word(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

impl DoubleEndedIterator for Words<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.range.next_back().and_then(|index| self.tree.word(index))
    }
}

impl ExactSizeIterator for Words<'_> {}

/// Statements of one block.
#[derive(Clone, Debug)]
pub struct Nodes<'a> {
    tree: &'a Tree,
    range: Range<usize>,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let node = (!self.range.is_empty()).then_some(Node { tree: self.tree, index: self.range.start })?;
        self.range.start = wide(self.tree.nodes.get(node.index)?.end);
        Some(node)
    }
}

/// Which statement of its tree a `Node` is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(usize);

impl<'a> Node<'a> {
    /// Which statement this is.
    pub fn id(self) -> NodeId {
        NodeId(self.index)
    }

    /// Whether `other` stands in its block, at any depth.
    pub fn holds(self, other: Self) -> bool {
        self.index < other.index && self.stored().is_some_and(|stored| other.index < wide(stored.end))
    }

    fn stored(self) -> Option<&'a Stored> {
        self.tree.nodes.get(self.index)
    }

    /// All its words; at least one.
    pub fn words(self) -> Words<'a> {
        let start = self.stored().map_or(0, |stored| wide(stored.first_word));
        let next = self.tree.nodes.get(self.index.saturating_add(1));
        let end = next.map_or(self.tree.words.len(), |next| wide(next.first_word));
        Words { tree: self.tree, range: start..end }
    }

    /// The first word.
    pub fn first(self) -> Option<Word<'a>> {
        self.words().next()
    }

    /// The first word as text.
    pub fn name(self) -> Cow<'a, str> {
        self.first().map(Word::str).unwrap_or_default()
    }

    /// The words after the first.
    pub fn arguments(self) -> Words<'a> {
        let mut words = self.words();
        words.range.start = words.range.start.saturating_add(1).min(words.range.end);
        words
    }

    /// The word after the first.
    pub fn argument(self) -> Option<Word<'a>> {
        self.arguments().next()
    }

    /// From the first to the last word.
    pub fn span(self) -> Option<Span> {
        let mut words = self.words();
        let first = words.next()?.span;
        Some(words.next_back().map_or(first, |last| first.to(last.span)))
    }

    /// The row of the first word in the block where it stands; `None` if it is unknown or the block holds values.
    pub fn keyword(self) -> Option<&'static Keyword> {
        self.stored().and_then(|stored| keywords::numbered(stored.keyword))
    }

    /// Whether this is the keyword `name`.
    pub fn is(self, name: &str) -> bool {
        self.keyword().is_some_and(|keyword| keyword.name == name)
    }

    /// Whether words of it are left out because their quote is not closed.
    pub fn is_cut(self) -> bool {
        self.tree.cut.contains(&narrow(self.index))
    }

    /// The path of the keyword block that this stands in; `None` inside value blocks and unknown ones.
    pub fn context(self) -> Option<&'static str> {
        match self.keyword() {
            Some(keyword) => Some(keyword.block),
            None => self.tree.strangers.get(&narrow(self.index)).copied(),
        }
    }

    /// The braces after it.
    pub fn block(self) -> Option<Block> {
        let index = wide(self.stored()?.block).checked_sub(1)?;
        let braces = self.tree.blocks.get(index)?;
        let span = |which, spot| {
            let bare = self.tree.bare.get(&(narrow(index), which)).copied();
            bare.unwrap_or_else(|| self.tree.files.span(spot, 1))
        };
        Some(Block { open: span(Brace::Open, braces.open), close: braces.close.map(|close| span(Brace::Close, close)) })
    }

    /// One past the last statement of its block, as `statements` numbers them.
    pub(super) fn end(self) -> usize {
        self.stored().map_or(self.index, |stored| wide(stored.end))
    }

    /// The statements between its braces.
    pub fn children(self) -> Nodes<'a> {
        let end = self.stored().map_or(0, |stored| wide(stored.end));
        Nodes { tree: self.tree, range: self.index.saturating_add(1)..end }
    }
}

impl Tree {
    /// The files that were read.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The statements of the top level.
    pub fn roots(&self) -> Nodes<'_> {
        Nodes { tree: self, range: 0..self.nodes.len() }
    }

    /// Every statement, in the order of the text.
    pub fn statements(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.nodes.len()).map(|index| Node { tree: self, index })
    }

    /// Whether a `}` is missing, and where was taken from the layout: written otherwise, the text may say something
    /// else.
    pub fn is_told_by_layout(&self) -> bool {
        self.told_by_layout
    }

    /// How many statements there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Makes room for what a file of so many octets usually holds. To grow later would move all that is there; room
    /// that is not used costs nothing.
    pub(super) fn reserve(&mut self, octets: usize) {
        self.nodes.reserve(octets / 16);
        self.words.reserve(octets / 8);
        self.blocks.reserve(octets / 48);
    }

    pub(super) fn node(&self, index: usize) -> Option<Node<'_>> {
        (index < self.nodes.len()).then_some(Node { tree: self, index })
    }

    /// Takes a word in; those of one statement come one after the other, then `statement`.
    pub(super) fn push_word(&mut self, text: &[u8], span: Span) {
        let there = self.files.text(span);
        if (there != text || is_quoted(there)) && unquoted(there) != Some(text) {
            self.made.push((narrow(self.words.len()), narrow(self.text.len())));
            self.text.extend_from_slice(text);
        }
        let spot = self.files.spot(span);
        if self.files.word(spot) != span {
            self.odd.push((narrow(self.words.len()), narrow(span.end.saturating_sub(span.start))));
        }
        self.words.push(spot);
    }

    /// How many words were taken in so far.
    pub(super) fn word_count(&self) -> usize {
        self.words.len()
    }

    /// Forgets the words from `count` on: those of a statement that is left out.
    pub(super) fn drop_words(&mut self, count: usize) {
        let is_left = |(word, _): &(u32, u32)| wide(*word) < count;
        let left = self.made.partition_point(is_left);
        if let Some((_, start)) = self.made.get(left) {
            self.text.truncate(wide(*start));
        }
        self.made.truncate(left);
        self.odd.truncate(self.odd.partition_point(is_left));
        self.words.truncate(count);
    }

    /// The word with this number.
    pub(super) fn word(&self, index: usize) -> Option<Word<'_>> {
        let spot = *self.words.get(index)?;
        let span = match self.odd.binary_search_by_key(&narrow(index), |(word, _)| *word) {
            Ok(at) => self.files.span(spot, self.odd.get(at).map_or(0, |(_, length)| wide(*length))),
            Err(_) => self.files.word(spot),
        };
        let text = self.made_text(index).unwrap_or_else(|| {
            let text = self.files.text(span);
            unquoted(text).unwrap_or(text)
        });
        Some(Word { text, span })
    }

    fn made_text(&self, index: usize) -> Option<&[u8]> {
        let at = self.made.binary_search_by_key(&narrow(index), |(word, _)| *word).ok()?;
        let (_, start) = self.made.get(at)?;
        let end = self.made.get(at.saturating_add(1)).map_or(self.text.len(), |(_, next)| wide(*next));
        self.text.get(wide(*start)..end)
    }

    /// Makes a statement of the words from `first_word` on, which stands in the keyword block `context`.
    pub(super) fn statement(
        &mut self,
        first_word: usize,
        keyword: Option<&'static Keyword>,
        context: Option<&'static str>,
        is_cut: bool,
    ) -> usize {
        let index = self.nodes.len();
        if is_cut {
            self.cut.insert(narrow(index));
        }
        if keyword.is_none()
            && let Some(context) = context
        {
            self.strangers.insert(narrow(index), context);
        }
        let end = narrow(index.saturating_add(1));
        let keyword = keyword.map_or(UNKNOWN, |keyword| keyword.number);
        self.nodes.push(Stored { keyword, first_word: narrow(first_word), end, block: 0 });
        index
    }

    /// Gives the statement `index` a block; what follows stands in it until `close`.
    pub(super) fn open(&mut self, index: usize, open: Span) {
        let open = self.brace(self.blocks.len(), Brace::Open, open);
        self.blocks.push(Braces { open, close: None });
        let block = narrow(self.blocks.len());
        if let Some(stored) = self.nodes.get_mut(index) {
            stored.block = block;
        }
    }

    /// Ends the block of the statement `index`; without `close` if its brace is missing.
    pub(super) fn close(&mut self, index: usize, close: Option<Span>) {
        let end = narrow(self.nodes.len());
        let Some(stored) = self.nodes.get_mut(index) else { return };
        stored.end = end;
        let Some(block) = wide(stored.block).checked_sub(1) else { return };
        let close = close.map(|close| self.brace(block, Brace::Close, close));
        if let Some(block) = self.blocks.get_mut(block) {
            block.close = close;
        }
    }

    /// Takes in where a brace of the block `index` is.
    fn brace(&mut self, index: usize, which: Brace, span: Span) -> Spot {
        if !matches!(self.files.text(span), b"{" | b"}") {
            self.bare.insert((narrow(index), which), span);
        }
        self.files.spot(span)
    }
}

/// Equal if they say the same, wherever it stands.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        let outline = |tree: &Self| -> Vec<(u32, bool)> {
            tree.nodes.iter().map(|stored| (stored.end, stored.block > 0)).collect()
        };
        outline(self) == outline(other)
            && self
                .statements()
                .zip(other.statements())
                .all(|(one, other)| one.words().map(|word| word.text).eq(other.words().map(|word| word.text)))
    }
}

fn is_quoted(text: &[u8]) -> bool {
    text.starts_with(b"\"")
}

/// What stands in the double quotes around `text`.
fn unquoted(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The reader keeps files and statements below 2^32.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
