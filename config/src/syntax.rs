//! Text to a tree of statements, over all included files.
//!
//! Four layers; each reports and goes on: octets to tokens (`token`, lossless), lines to the lines they stand
//! for (`expand`: conditions, definitions, sequences), files to lines in place (`reader`: includes), words and braces
//! to a tree (`build`).

mod build;
mod expand;
mod expanded;
mod format;
mod include;
mod indent;
mod line;
mod random;
mod reader;
mod reference;
mod sequence;
mod token;
mod tree;
mod written;

use crate::finding::Findings;
use crate::span::Span;

pub use expanded::{Expanded, ExpandedLine};
pub use format::format;
pub use reader::{Options, expand, parse};
pub use token::{MOST_LINE, Token, TokenKind, tokenize};
pub use tree::{Node, NodeId, Nodes, Tree, Word, Words};

/// The braces of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// `{`, or the keyword if the brace is missing.
    pub open: Span,
    /// `}`; `None` if it is missing.
    pub close: Option<Span>,
}

/// What reading gives.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statements, and the files that they stand in.
    pub tree: Tree,
    /// Mistakes in the text. Unknown keywords are reported by the readers of the tree.
    pub findings: Findings,
}
