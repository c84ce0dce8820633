//! Text to a tree of statements, over all included files.
//!
//! Four layers, each of which reports and goes on: octets to tokens (`token`, lossless), physical lines to the lines they stand
//! for (`expand`: conditions and definitions), lines to files in place (`reader`: includes), words and braces to a tree (`build`).

mod build;
mod expand;
mod line;
mod reader;
mod token;

use crate::finding::Findings;
use crate::keywords::Keyword;
use crate::span::{Files, Span};

pub use reader::{Options, parse};
pub use token::{MOST_LINE, Token, TokenKind, tokenize};

/// A node of a `Tree`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(usize);

/// A word as it counts: without quotes, definitions put in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// What it says.
    pub text: Vec<u8>,
    /// Where it stands; for a word that comes from a definition, where the definition is used.
    pub span: Span,
}

impl Word {
    /// The word for messages and for comparison with ASCII words.
    pub fn str(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }
}

/// The braces of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// `{`, or the keyword if the brace is missing.
    pub open: Span,
    /// `}`; `None` if it is missing.
    pub close: Option<Span>,
}

/// One statement: a keyword or a value line, and perhaps a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// At least one.
    pub words: Vec<Word>,
    /// The row of the first word in the block where it stands; `None` if it is unknown or the block holds values.
    pub keyword: Option<&'static Keyword>,
    /// The path of the keyword block that this stands in; `None` inside value blocks and unknown ones.
    pub context: Option<&'static str>,
    /// The braces after it.
    pub block: Option<Block>,
    /// What stands between them.
    pub children: Vec<NodeId>,
}

impl Node {
    /// The first word.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        self.words.first().map(Word::str).unwrap_or_default()
    }

    /// The words after the first.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// The statements of a configuration. Nodes live in one vector, so no depth of nesting is a danger to the stack.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    roots: Vec<NodeId>,
}

impl Tree {
    /// The statements of the top level.
    pub fn roots(&self) -> impl Iterator<Item = &Node> {
        self.roots.iter().filter_map(|id| self.nodes.get(id.0))
    }

    /// The statements of the block of `node`.
    pub fn children<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        node.children.iter().filter_map(|id| self.nodes.get(id.0))
    }

    /// Every statement, in the order of the text.
    pub fn statements(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }
}

/// What reading gives.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statements.
    pub tree: Tree,
    /// The files.
    pub files: Files,
    /// What was wrong with the text; unknown keywords are for whoever reads the tree.
    pub findings: Findings,
}
