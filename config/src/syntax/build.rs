//! Words and braces to a tree.

use super::line::Line;
use super::token::{Token, TokenKind};
use super::{Block, Node, NodeId, Tree, Word};
use crate::finding::{Finding, Findings, rule};
use crate::keywords::{self, ROOT};
use crate::span::Span;

/// The deepest nesting that is read; keepalived's own language needs six.
const MOST_DEPTH: usize = 64;

/// The most statements of one configuration: far beyond any real one, and some 400 MB.
const MOST_STATEMENTS: usize = 1 << 20;

pub(super) struct Builder {
    tree: Tree,
    frames: Vec<Frame>,
    /// The statement that a `{` would belong to.
    pending: Option<NodeId>,
    /// Levels beyond `MOST_DEPTH` that are being read over.
    too_deep: usize,
    /// There are more than `MOST_STATEMENTS`, and it has been said.
    is_full: bool,
}

/// An open brace.
struct Frame {
    /// Whose block it is; `None` for a brace without keyword, whose content belongs to the block around it.
    owner: Option<NodeId>,
    open: Span,
    context: Option<&'static str>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self { tree: Tree::default(), frames: Vec::new(), pending: None, too_deep: 0, is_full: false }
    }

    /// Takes the tokens of a line in.
    pub(super) fn line(&mut self, line: &Line, tokens: &[Token], findings: &mut Findings) {
        let mut words = Vec::new();
        for token in tokens {
            match token.kind {
                TokenKind::Word | TokenKind::Quoted => words.extend(line.word(token)),
                TokenKind::Open => {
                    self.statement(&mut words, findings);
                    self.open(line.span(token.range.clone()), findings);
                }
                TokenKind::Close => {
                    self.statement(&mut words, findings);
                    self.close(line.span(token.range.clone()), findings);
                }
                TokenKind::Unterminated => {
                    let span = line.span(token.range.clone());
                    let finding = Finding::at(&rule::UNMATCHED_QUOTE, span, "this double quote is not closed");
                    findings.push(finding.note("the rest of the line is left out"));
                }
                _ => {}
            }
        }
        self.statement(&mut words, findings);
    }

    /// How many statements there are so far.
    pub(super) fn count(&self) -> usize {
        self.tree.nodes.len()
    }

    /// The statements after the first `count`.
    pub(super) fn since(&self, count: usize) -> impl Iterator<Item = &Node> {
        self.tree.nodes.iter().skip(count)
    }

    /// Ends the text.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Tree {
        self.expect_open(findings);
        for frame in self.frames.iter().rev() {
            let node = frame.owner.and_then(|owner| self.tree.nodes.get(owner.0));
            let what = node.map_or_else(|| "'{'".to_owned(), |node| node.name().into_owned());
            findings.push(
                Finding::at(&rule::MISSING_CLOSE, frame.open, format!("the block of {what} is not closed"))
                    .help("add a '}'"),
            );
        }
        self.tree
    }

    fn context(&self) -> Option<&'static str> {
        self.frames.last().map_or(Some(ROOT), |frame| frame.context)
    }

    fn statement(&mut self, words: &mut Vec<Word>, findings: &mut Findings) {
        if words.is_empty() || self.too_deep > 0 {
            words.clear();
            return;
        }
        self.expect_open(findings);
        let words = std::mem::take(words);
        if self.tree.nodes.len() >= MOST_STATEMENTS {
            self.pending = None;
            if !std::mem::replace(&mut self.is_full, true)
                && let Some(word) = words.first()
            {
                let message = format!("there are more than {MOST_STATEMENTS} statements");
                findings.push(Finding::at(&rule::TOO_LARGE, word.span, message).note("what follows is left out"));
            }
            return;
        }
        let context = self.context();
        let name = words.first().and_then(|word| std::str::from_utf8(&word.text).ok());
        let keyword = context.zip(name).and_then(|(context, name)| keywords::lookup(context, name));
        self.pending = Some(self.add(Node { words, keyword, context, block: None, children: Vec::new() }));
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.tree.nodes.len());
        self.tree.nodes.push(node);
        let owner = self.frames.iter().rev().find_map(|frame| frame.owner);
        match owner.and_then(|owner| self.tree.nodes.get_mut(owner.0)) {
            Some(owner) => owner.children.push(id),
            None => self.tree.roots.push(id),
        }
        id
    }

    /// Opens the block of the last statement if it must have one and its brace has not come.
    fn expect_open(&mut self, findings: &mut Findings) {
        let Some(id) = self.pending else { return };
        let Some(node) = self.tree.nodes.get(id.0) else { return };
        if !node.keyword.is_some_and(keywords::Keyword::opens_block) {
            return;
        }
        let (first, last) = (node.words.first(), node.words.last());
        let Some(span) = first.zip(last).map(|(first, last)| first.span.to(last.span)) else { return };
        let finding = Finding::at(&rule::MISSING_OPEN, span, format!("{} has no '{{'", node.name()));
        findings.push(finding.note("what follows is read as its block").help("add a '{' at the end of the line"));
        self.enter(id, span);
    }

    fn open(&mut self, span: Span, findings: &mut Findings) {
        if self.too_deep > 0 || self.frames.len() >= MOST_DEPTH {
            if self.too_deep == 0 {
                findings.push(Finding::at(
                    &rule::TOO_DEEP,
                    span,
                    format!("blocks are nested more than {MOST_DEPTH} deep"),
                ));
            }
            self.too_deep = self.too_deep.saturating_add(1);
            return;
        }
        let node = self.pending.and_then(|id| self.tree.nodes.get(id.0));
        let takes_block = match node {
            Some(node) => match node.keyword {
                Some(keyword) => keyword.opens_block(),
                // an unknown keyword keeps its block, so that both are left out together
                None => node.context.is_some() || self.is_in_unknown_block(),
            },
            None => false,
        };
        match self.pending.filter(|_| takes_block) {
            Some(id) => self.enter(id, span),
            None => {
                findings.push(unexpected_open(node, span));
                self.frames.push(Frame { owner: None, open: span, context: self.context() });
                self.pending = None;
            }
        }
    }

    fn is_in_unknown_block(&self) -> bool {
        let owner = self.frames.iter().rev().find_map(|frame| frame.owner);
        owner.and_then(|owner| self.tree.nodes.get(owner.0)).is_some_and(|node| node.keyword.is_none())
    }

    fn enter(&mut self, id: NodeId, open: Span) {
        let Some(node) = self.tree.nodes.get_mut(id.0) else { return };
        node.block = Some(Block { open, close: None });
        let context = node.context.and_then(|context| keywords::block_opened(context, &node.name()));
        self.frames.push(Frame { owner: Some(id), open, context });
        self.pending = None;
    }

    fn close(&mut self, span: Span, findings: &mut Findings) {
        if self.too_deep > 0 {
            self.too_deep = self.too_deep.saturating_sub(1);
            return;
        }
        self.expect_open(findings);
        self.pending = None;
        match self.frames.pop() {
            Some(Frame { owner: Some(owner), .. }) => {
                if let Some(block) = self.tree.nodes.get_mut(owner.0).and_then(|node| node.block.as_mut()) {
                    block.close = Some(span);
                }
            }
            Some(Frame { owner: None, .. }) => {}
            None => {
                let finding = Finding::at(&rule::EXTRA_CLOSE, span, "this '}' closes nothing");
                findings.push(finding.help("remove it, or look for a missing '{' above"));
            }
        }
    }
}

fn unexpected_open(node: Option<&Node>, span: Span) -> Finding {
    let message = match node {
        Some(node) => format!("{} takes no block", node.name()),
        None => "no block begins here".to_owned(),
    };
    Finding::at(&rule::UNEXPECTED_OPEN, span, message).help("remove this '{' and its '}'")
}
