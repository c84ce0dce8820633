//! Files to statements, with everything in its place: includes, definitions over several lines, turns of sequences.

use std::path::Path;
use std::sync::Arc;

use super::Parsed;
use super::build::Builder;
use super::expand::{Expander, Following, LineContext};
use super::expanded::{Expanded, ExpandedLines};
use super::include::{Check, Includes, Named, include};
use super::line::Line;
use super::token::{Content, PhysicalLine, Token, TokenKind, Tokens, byte_order_mark, next_line, trimmed};
use crate::finding::{Finding, Findings, rule};
use crate::source::Source;
use crate::span::{FileId, Span};

/// How to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// What `@id` lines are compared with: `--config-id`, else the host name up to the first dot.
    pub config_id: String,
    /// `-e`: every include must succeed.
    pub check_includes: bool,
    /// What `${_RANDOM}` begins with, unless `random_seed` says otherwise: two readings with one seed are the same.
    pub seed: u64,
}

/// Reads the file or pattern `path` and everything it includes.
pub fn parse(source: &dyn Source, path: &Path, options: &Options) -> Parsed {
    let mut reader = Reader::new(source, options);
    reader.run(path);
    reader.finish()
}

/// Reads as `parse` does, and keeps every line that counts: those of included files in their place, those that are not
/// for us left out, definitions put in, sequences written out.
pub fn expand(source: &dyn Source, path: &Path, options: &Options) -> Expanded {
    let mut reader = Reader::new(source, options);
    reader.expanded_lines = Some(ExpandedLines::default());
    reader.run(path);
    let lines = reader.expanded_lines.take().unwrap_or_default().lines;
    Expanded { lines, parsed: reader.finish() }
}

struct Reader<'a> {
    findings: Findings,
    expander: Expander,
    includes: Includes<'a>,
    builder: Builder,
    /// What is being read, the innermost last.
    open: Vec<Open>,
    /// The tokens of one statement; kept for its room.
    tokens: Vec<Token>,
    expanded_lines: Option<ExpandedLines>,
}

enum Open {
    /// A file to be opened.
    Named(Named),
    /// A file that is being read.
    File { file: FileId, bytes: Arc<Vec<u8>>, at: usize, saved_check: Check },
    /// Lines that stand in no file.
    Following(Following),
}

impl<'a> Reader<'a> {
    fn new(source: &'a dyn Source, options: &Options) -> Self {
        Self {
            findings: Findings::default(),
            expander: Expander::new(&options.config_id, options.seed),
            includes: Includes::new(source, if options.check_includes { Check::ALL } else { Check::NONE }),
            builder: Builder::new(),
            open: Vec::new(),
            tokens: Vec::new(),
            expanded_lines: None,
        }
    }

    fn finish(self) -> Parsed {
        let Self { builder, mut findings, .. } = self;
        let tree = builder.finish(&mut findings);
        Parsed { tree, findings }
    }

    fn run(&mut self, path: &Path) {
        let named = self.includes.command_line(path, &mut self.findings);
        self.open_in_turn(named);
        while let Some(open) = self.open.last_mut().filter(|_| !self.builder.is_full()) {
            match open {
                Open::File { file, bytes, at, .. } => match next_line(bytes, *at) {
                    Some(line) => {
                        *at = line.next;
                        let (file, bytes) = (*file, Arc::clone(bytes));
                        self.physical(file, &bytes, &line);
                    }
                    None => self.leave(),
                },
                Open::Following(following) => match self.expander.turn(following, &mut self.findings) {
                    Some(line) => self.line(line),
                    None => self.leave(),
                },
                Open::Named(_) => self.leave(),
            }
        }
        self.expander.end_definition();
    }

    fn open_in_turn(&mut self, named: Vec<Named>) {
        self.open.extend(named.into_iter().rev().map(Open::Named));
    }

    /// Goes on after the innermost; a file that has only been named is opened instead.
    fn leave(&mut self) {
        match self.open.pop() {
            Some(Open::File { saved_check, .. }) => {
                self.expander.end_definition();
                self.includes.close(saved_check);
            }
            Some(Open::Following(_)) => self.expander.leave(),
            Some(Open::Named(named)) => self.begin(named),
            None => {}
        }
    }

    fn begin(&mut self, named: Named) {
        let saved_check = self.includes.check;
        let files = &mut self.builder.tree.files;
        let Some(file) = self.includes.open(named, files, &mut self.findings) else { return };
        let bytes = files.get(file).map(|file| Arc::clone(&file.bytes)).unwrap_or_default();
        self.builder.tree.reserve(bytes.len());
        let at = byte_order_mark(&bytes);
        if at > 0 {
            let span = Span { file, start: 0, end: at };
            let finding = Finding::at(&rule::BYTE_ORDER_MARK, span, "the file starts with a byte order mark");
            self.findings.push(finding.help("save it without"));
        }
        self.open.push(Open::File { file, bytes, at, saved_check });
    }

    fn physical(&mut self, file: FileId, bytes: &[u8], line: &PhysicalLine) {
        let text = bytes.get(line.start..line.end).unwrap_or_default();
        let whole = Span { file, start: line.start, end: line.end };
        match line.content {
            Content::Code(length) => {
                let range = trimmed(text.get(..length).unwrap_or_default());
                if range.is_empty() {
                    return self.expander.end_definition();
                }
                let start = line.start.saturating_add(range.start);
                let span = Span { file, start, end: start.saturating_add(range.len()) };
                let code = text.get(range).unwrap_or_default();
                self.line(Line::verbatim(code, span));
                // what a use of a definition has begun does not go on in the file, unless its line says so
                if !code.ends_with(b"\\") && self.expander.is_in_file() {
                    self.expander.end_definition();
                }
            }
            Content::Overlong => {
                let most = super::MOST_LINE;
                let message = format!("this line has {} octets; at most {most} are read", text.len());
                self.findings.push(Finding::at(&rule::LINE_TOO_LONG, whole, message).note("the line is left out"));
            }
            Content::Binary => {
                let finding = Finding::at(&rule::NUL_OCTET, whole, "this line holds NUL octets");
                self.findings.push(finding.note("the line is left out"));
            }
        }
    }

    /// Reads a line. What stands after a brace is a line of its own.
    fn line(&mut self, mut line: Line<'_>) {
        line.is_settled |= !line.text().contains(&b'$');
        while let Some(first) = line.text().first() {
            let is_plain = line.is_settled && !matches!(first, b'@' | b'~' | b'$');
            if !is_plain || self.expander.is_inside_definition() {
                match self.expanded(line) {
                    Some(expanded) => line = expanded,
                    None => return,
                }
            }
            if let Some((check, pattern)) = include(line.text()) {
                let span = line.span(0..line.text().len());
                let named = self.includes.named(&pattern, check, span, &mut self.findings);
                return self.open_in_turn(named);
            }
            let end = self.statement(&line);
            line = line.tail(end);
        }
    }

    fn expanded<'b>(&mut self, line: Line<'b>) -> Option<Line<'b>> {
        let mut context = LineContext {
            source: self.includes.source,
            directory: self.includes.directory(),
            findings: &mut self.findings,
            following: Vec::new(),
        };
        let line = self.expander.expand(line, &mut context);
        self.open.extend(context.following.into_iter().map(Open::Following));
        line
    }

    /// Reads up to the first brace, and it; gives where that ends.
    fn statement(&mut self, line: &Line<'_>) -> usize {
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.clear();
        let end = self.tokens_of_statement(line, &mut tokens);
        let missing = self.builder.begin_anew(line, &tokens, &mut self.findings);
        if let Some(expanded_lines) = &mut self.expanded_lines {
            expanded_lines.close(missing, line);
            expanded_lines.take(line, &tokens);
        }
        let before = self.builder.count();
        self.builder.line(line, &tokens, &mut self.findings);
        for index in before..self.builder.count() {
            self.obey(index);
        }
        self.tokens = tokens;
        end
    }

    fn tokens_of_statement(&mut self, line: &Line<'_>, out: &mut Vec<Token>) -> usize {
        let mut undefined = false;
        let mut from = 0;
        while let Some(token) = Tokens::new(line.text().get(from..).unwrap_or_default()).next() {
            let mut token = token.moved(from);
            if token.kind == TokenKind::Open && ends_in_dollar(line, token.range.start) {
                // not a brace: `${NAME}` that stands for nothing
                let rest = line.text().get(token.range.start..).unwrap_or_default();
                let length = rest.iter().position(|octet| *octet == b'}').map_or(rest.len(), |at| at.saturating_add(1));
                let range = token.range.start.saturating_sub(1)..token.range.start.saturating_add(length);
                let text = line.text().get(range.clone()).unwrap_or_default();
                self.expander.undefined(text, line.span(range.clone()), &mut self.findings);
                undefined = true;
                token = Token { kind: TokenKind::Word, range };
            }
            from = token.range.end;
            match (token.kind, out.last_mut()) {
                (TokenKind::Blank, _) => {}
                (TokenKind::Word, Some(last))
                    if undefined && last.kind == TokenKind::Word && token.range.start <= last.range.end =>
                {
                    last.range.end = token.range.end;
                }
                (TokenKind::Open | TokenKind::Close, _) => {
                    // a statement with a block is kept, so that the block stays what it is
                    if undefined && token.kind == TokenKind::Close {
                        out.clear();
                    }
                    out.push(token);
                    return from;
                }
                _ => out.push(token),
            }
        }
        if undefined {
            out.clear();
        }
        from
    }

    /// Does at once what a statement asks of the reading itself.
    fn obey(&mut self, index: usize) {
        let Some(node) = self.builder.tree.node(index) else { return };
        if node.context() != Some("global_defs") {
            return;
        }
        if node.is("include_check") {
            self.includes.check = self.includes.check.changed_by(node, &mut self.findings);
        } else if node.is("random_seed")
            && let Some(seed) = node.argument().and_then(|word| word.str().parse().ok())
        {
            self.expander.seed(seed);
        }
    }
}

fn ends_in_dollar(line: &Line<'_>, brace: usize) -> bool {
    brace.checked_sub(1).and_then(|before| line.text().get(before)) == Some(&b'$')
}
