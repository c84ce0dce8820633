//! Words and braces to a tree.

use super::line::Line;
use super::token::{Token, TokenKind};
use super::tree::{Node, Tree};
use crate::command;
use crate::finding::{Finding, Findings, rule};
use crate::keywords::{self, Keyword, ROOT};
use crate::span::Span;

/// The deepest nesting that is read; keepalived's own language needs six.
const MOST_DEPTH: usize = 64;

/// The most statements of one configuration: far beyond any real one, and some 100 MB.
const MOST_STATEMENTS: usize = 1 << 22;
/// The most words of one configuration.
const MOST_WORDS: usize = 1 << 23;

pub(super) struct Builder {
    pub(super) tree: Tree,
    frames: Vec<Frame>,
    /// The statement that a `{` would belong to.
    pending: Option<usize>,
    /// Levels beyond `MOST_DEPTH` that are being read over.
    too_deep: usize,
    /// What looks like the mistake if a brace turns out to be missing.
    slip: Option<Slip>,
    /// Braces that began nothing: as many are missing at the end for no other reason.
    extra_opens: usize,
    /// There are more than `MOST_STATEMENTS` or `MOST_WORDS`, and it has been said.
    is_full: bool,
}

/// An open brace.
struct Frame {
    /// Whose block it is; `None` for a brace without keyword, whose content belongs to the block around it.
    owner: Option<usize>,
    open: Span,
    context: Option<&'static str>,
    /// Where the first word of the owner stands in its line, if nothing but blanks is before it.
    column: Option<usize>,
}

/// A `}` that stands under another block than the one that it closes.
#[derive(Clone, Copy)]
struct Slip {
    /// The `{` that it closes.
    open: Span,
    /// Whose.
    owner: usize,
    close: Span,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            tree: Tree::default(),
            frames: Vec::new(),
            pending: None,
            too_deep: 0,
            slip: None,
            extra_opens: 0,
            is_full: false,
        }
    }

    /// Closes what is open if the line can only begin something else, because a brace is missing above; how many braces
    /// that is.
    pub(super) fn begin_anew(&mut self, line: &Line<'_>, tokens: &[Token], findings: &mut Findings) -> usize {
        let Some((Token { kind: TokenKind::Open, .. }, words)) = tokens.split_last() else { return 0 };
        if !self.begins_anew(line, words) {
            return 0;
        }
        self.expect_open(findings);
        let open = self.frames.len();
        self.give_up(findings);
        self.tree.told_by_layout = true;
        open
    }

    /// Takes a statement in, or a brace with the statement before it.
    pub(super) fn line(&mut self, line: &Line<'_>, tokens: &[Token], findings: &mut Findings) {
        let (words, brace) = match tokens.split_last() {
            Some((brace, words)) if matches!(brace.kind, TokenKind::Open | TokenKind::Close) => (words, Some(brace)),
            _ => (tokens, None),
        };
        self.statement(line, words, findings);
        match brace {
            Some(Token { kind: TokenKind::Open, range }) => self.open(line.span(range.clone()), findings),
            Some(Token { range, .. }) => self.close(line.span(range.clone()), findings),
            None => {}
        }
    }

    /// How many statements there are so far.
    pub(super) fn count(&self) -> usize {
        self.tree.len()
    }

    /// Whether nothing more is taken in.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Ends the text.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Tree {
        self.expect_open(findings);
        self.give_up(findings);
        self.tree
    }

    /// Closes everything that is open, and says what is not closed.
    fn give_up(&mut self, findings: &mut Findings) {
        let frames = std::mem::take(&mut self.frames);
        for owner in frames.iter().rev().filter_map(|frame| frame.owner) {
            self.tree.close(owner, None);
        }
        let missing = frames.len().saturating_sub(std::mem::take(&mut self.extra_opens));
        let slip = self.slip.take();
        self.pending = None;
        if let (Some(slip), 1) = (slip, missing) {
            return findings.push(self.slipped(slip));
        }
        for frame in frames.iter().rev().take(missing) {
            let what = frame.owner.map_or_else(|| "'{'".to_owned(), |owner| self.name(owner));
            let finding = Finding::at(&rule::MISSING_CLOSE, frame.open, format!("the block of {what} is not closed"));
            findings.push(finding.help("add a '}'"));
        }
    }

    fn slipped(&self, slip: Slip) -> Finding {
        let what = self.name(slip.owner);
        let message = format!("the block of {what} is not closed");
        let finding = Finding::at(&rule::MISSING_CLOSE, slip.open, message);
        let finding = finding.also(slip.close, format!("by its indentation this is not the '}}' of {what}"));
        finding.help(format!("add a '}}' after the last line of {what}"))
    }

    fn name(&self, id: usize) -> String {
        self.tree.node(id).map(|node| node.name().into_owned()).unwrap_or_default()
    }

    /// Whether a line that opens a block can only be meant for the top level: a `}` above seems to close the wrong
    /// block, no such keyword belongs here, and it stands under the outermost block that is open.
    fn begins_anew(&self, line: &Line<'_>, tokens: &[Token]) -> bool {
        if self.slip.is_none() {
            return false;
        }
        let Some(outermost) = self.frames.first().and_then(|frame| frame.column) else { return false };
        let Some(first) = tokens.first() else { return false };
        if self.tree.files.indentation(line.span(first.range.clone())) != Some(outermost) {
            return false;
        }
        let Some((name, _)) = line.word(first) else { return false };
        let Ok(name) = std::str::from_utf8(&name) else { return false };
        let fits_here = self.context().is_some_and(|context| keywords::lookup(context, name).is_some());
        !fits_here && keywords::lookup(ROOT, name).is_some_and(Keyword::opens_block)
    }

    fn context(&self) -> Option<&'static str> {
        self.frames.last().map_or(Some(ROOT), |frame| frame.context)
    }

    /// Makes a statement of words.
    fn statement(&mut self, line: &Line<'_>, tokens: &[Token], findings: &mut Findings) {
        if self.too_deep > 0 {
            return;
        }
        let first_word = self.tree.word_count();
        let name = tokens.first().and_then(|token| line.word(token)).map(|(name, _)| name);
        if let Some(unterminated) = tokens.last().filter(|token| token.kind == TokenKind::Unterminated) {
            let span = line.span(unterminated.range.clone());
            let finding = Finding::at(&rule::UNMATCHED_QUOTE, span, "this double quote is not closed");
            findings.push(finding.note("the rest of the line is left out"));
        }
        let Some(name) = name else { return };
        self.expect_open(findings);
        let context = self.context();
        let name = std::str::from_utf8(&name).ok();
        let keyword = context.zip(name).and_then(|(context, name)| keywords::lookup(context, name));
        if keyword.is_some_and(splits_like_a_shell) {
            self.command(line, tokens, findings);
        } else {
            for token in tokens {
                if let Some((text, span)) = line.word(token) {
                    self.tree.push_word(&text, span);
                }
            }
        }
        let Some(first) = self.tree.word(first_word).map(|word| word.span) else { return };
        if self.tree.len() >= MOST_STATEMENTS || self.tree.word_count() > MOST_WORDS {
            self.pending = None;
            self.tree.drop_words(first_word);
            if !std::mem::replace(&mut self.is_full, true) {
                let message = format!("there are more than {MOST_STATEMENTS} statements or {MOST_WORDS} words");
                findings.push(Finding::at(&rule::TOO_LARGE, first, message).note("what follows is left out"));
            }
            return;
        }
        let is_cut = tokens.last().is_some_and(|token| token.kind == TokenKind::Unterminated);
        self.pending = Some(self.tree.statement(first_word, keyword, context, is_cut));
    }

    /// Takes the words of a statement in that holds a command.
    fn command(&mut self, line: &Line<'_>, tokens: &[Token], findings: &mut Findings) {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return };
        let (start, end) = (first.range.start, last.range.end);
        match command::words(line.text().get(start..end).unwrap_or_default()) {
            Ok(words) => {
                for (range, text) in words {
                    let range = range.start.saturating_add(start)..range.end.saturating_add(start);
                    self.tree.push_word(&text, line.span(range));
                }
            }
            // that has been said
            Err(_) if last.kind == TokenKind::Unterminated => {}
            Err(error) => {
                let finding = Finding::at(&rule::UNMATCHED_QUOTE, line.span(start..end), error.to_string());
                findings.push(finding.note("the line is left out").help("quotes do not reach beyond a brace, # or !"));
            }
        }
    }

    /// Opens the block of the last statement if it must have one and its brace has not come.
    fn expect_open(&mut self, findings: &mut Findings) {
        let Some(id) = self.pending else { return };
        let Some(node) = self.tree.node(id) else { return };
        if !node.keyword().is_some_and(Keyword::opens_block) {
            return;
        }
        let Some(span) = node.span() else { return };
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
        let node = self.pending.and_then(|id| self.tree.node(id));
        let takes_block = match node {
            Some(node) => match node.keyword() {
                Some(keyword) => keyword.opens_block(),
                // an unknown keyword keeps its block, so that both are left out together
                None => node.context().is_some() || self.is_in_unknown_block(),
            },
            None => false,
        };
        match self.pending.filter(|_| takes_block) {
            Some(id) => self.enter(id, span),
            None => {
                findings.push(unexpected_open(node, span));
                self.extra_opens = self.extra_opens.saturating_add(1);
                self.frames.push(Frame { owner: None, open: span, context: self.context(), column: None });
                self.pending = None;
            }
        }
    }

    fn is_in_unknown_block(&self) -> bool {
        let owner = self.frames.iter().rev().find_map(|frame| frame.owner);
        owner.and_then(|owner| self.tree.node(owner)).is_some_and(|node| node.keyword().is_none())
    }

    fn enter(&mut self, id: usize, open: Span) {
        let Some(node) = self.tree.node(id) else { return };
        let context = node.keyword().and_then(|keyword| keywords::block_opened(keyword.block, keyword.name));
        let column = node.first().and_then(|word| self.tree.files.indentation(word.span));
        self.tree.open(id, open);
        self.frames.push(Frame { owner: Some(id), open, context, column });
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
            Some(Frame { owner: Some(owner), open, column, .. }) => {
                self.tree.close(owner, Some(span));
                self.look_for_slip(Slip { open, owner, close: span }, column);
            }
            Some(Frame { owner: None, .. }) => {}
            None => {
                let finding = Finding::at(&rule::EXTRA_CLOSE, span, "this '}' closes nothing");
                findings.push(finding.help("remove it, or look for a missing '{' above"));
            }
        }
    }
}

impl Builder {
    /// Takes note of the first `}` that stands under a block further out than the one it closes.
    fn look_for_slip(&mut self, slip: Slip, column: Option<usize>) {
        if self.frames.is_empty() {
            // all that was opened is closed
            self.slip = None;
            self.extra_opens = 0;
            return;
        }
        if self.tree.files.text(slip.open) != b"{" {
            // a block without its own brace says nothing of others
            return;
        }
        let under = self.tree.files.indentation(slip.close);
        let is_further_out = under.zip(column).is_some_and(|(under, column)| under < column);
        if is_further_out && self.slip.is_none() && self.frames.iter().any(|frame| frame.column == under) {
            self.slip = Some(slip);
        }
    }
}

/// Whether both kinds of quotes group words after `keyword`; what they say is for `command` to find out.
fn splits_like_a_shell(keyword: &Keyword) -> bool {
    keyword.quoted_ok() || keyword.name == "regex"
}

fn unexpected_open(node: Option<Node<'_>>, span: Span) -> Finding {
    let message = match node {
        Some(node) => format!("{} takes no block", node.name()),
        None => "no block begins here".to_owned(),
    };
    Finding::at(&rule::UNEXPECTED_OPEN, span, message).help("remove this '{' and its '}'")
}
