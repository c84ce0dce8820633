//! Files to lines, with includes in their place.

use std::path::{Path, PathBuf};

use super::build::Builder;
use super::expand::Definitions;
use super::line::Line;
use super::token::{Token, TokenKind, is_blank, tokenize};
use super::{Node, Parsed};
use crate::finding::{Finding, Rule, rule};
use crate::source::{Source, SourceError, expand_braces, is_wild};
use crate::span::{FileId, Files, Span};

/// The deepest nesting of includes.
const MOST_INCLUDES: usize = 32;
/// The most files of one configuration.
const MOST_FILES: usize = 16_384;
/// The most octets of one configuration.
const MOST_OCTETS: usize = 256 << 20;

/// How to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// What `@id` lines are compared with: `--config-id`, else the host name up to the first dot.
    pub config_id: String,
    /// `-e`: every include must succeed.
    pub check_includes: bool,
}

/// Reads the file or pattern `path` and everything it includes.
pub fn parse(source: &dyn Source, path: &Path, options: &Options) -> Parsed {
    let mut reader = Reader {
        source,
        files: Files::default(),
        findings: Vec::new(),
        definitions: Definitions::new(&options.config_id),
        builder: Builder::new(),
        open: Vec::new(),
        octets: 0,
        check: if options.check_includes { Check::ALL } else { Check::NONE },
    };
    reader.command_line(path);
    reader.run();
    let Reader { builder, mut findings, files, .. } = reader;
    let tree = builder.finish(&mut findings);
    Parsed { tree, files, findings }
}

/// Which failures of an include are errors (syntax.md section 12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Check {
    unreadable: bool,
    no_match: bool,
    no_wild_match: bool,
    no_brace_match: bool,
}

impl Check {
    const NONE: Self = Self { unreadable: false, no_match: false, no_wild_match: false, no_brace_match: false };
    const ALL: Self = Self { unreadable: true, no_match: true, no_wild_match: true, no_brace_match: true };

    fn of_word(word: &[u8]) -> Option<Self> {
        let readable = Self { unreadable: true, ..Self::NONE };
        Some(match word {
            b"include" => Self::NONE,
            b"includer" => readable,
            b"includem" => Self { no_match: true, ..readable },
            b"includew" => Self { no_match: true, no_wild_match: true, ..readable },
            b"includeb" => Self { no_brace_match: true, ..readable },
            b"includea" => Self::ALL,
            _ => return None,
        })
    }

    fn and(self, other: Self) -> Self {
        Self {
            unreadable: self.unreadable || other.unreadable,
            no_match: self.no_match || other.no_match,
            no_wild_match: self.no_wild_match || other.no_wild_match,
            no_brace_match: self.no_brace_match || other.no_brace_match,
        }
    }

    /// What `include_check WORDS` makes of this.
    fn changed_by(self, node: &Node) -> Self {
        if node.arguments().is_empty() {
            return Self::ALL;
        }
        let mut check = self;
        for word in node.arguments() {
            let (name, value) = match word.text.split_first() {
                Some((b'+', name)) => (name, true),
                Some((b'-', name)) => (name, false),
                _ => {
                    check = Self { unreadable: true, ..Self::NONE };
                    (word.text.as_slice(), true)
                }
            };
            match name {
                b"read" | b"readable" => check.unreadable = value,
                b"match" => check.no_match = value,
                b"wildcard_match" => check.no_wild_match = value,
                b"brace_match" => check.no_brace_match = value,
                _ => {}
            }
        }
        check
    }
}

struct Reader<'a> {
    source: &'a dyn Source,
    files: Files,
    findings: Vec<Finding>,
    definitions: Definitions,
    builder: Builder,
    /// Files being read, the innermost last, and files still to be read at its place below it.
    open: Vec<Open>,
    octets: usize,
    check: Check,
}

enum Open {
    /// A file that an include has named but that has not been opened.
    Waiting { path: PathBuf, at: Option<Span>, check: Check },
    /// A file that is being read.
    Reading { file: FileId, path: PathBuf, tokens: std::vec::IntoIter<Token>, saved_check: Check },
}

impl Reader<'_> {
    fn command_line(&mut self, path: &Path) {
        let text = path.to_string_lossy();
        let matches: Vec<PathBuf> =
            expand_braces(&text).iter().flat_map(|pattern| self.source.glob(pattern, Path::new(""))).collect();
        if matches.len() > 1 {
            let message = format!("{text} matches {} files; all of them are read", matches.len());
            self.findings.push(Finding::anywhere(&rule::MULTIPLE_FILES, message));
        }
        // a name that no pattern finds is opened all the same, so that the system can say why it cannot be
        let paths = if matches.is_empty() { vec![path.to_owned()] } else { matches };
        let waiting = paths.into_iter().rev().map(|path| Open::Waiting { path, at: None, check: Check::ALL });
        self.open.extend(waiting);
    }

    fn run(&mut self) {
        while let Some(open) = self.open.pop() {
            match open {
                Open::Waiting { path, at, check } => self.begin(path, at, check),
                Open::Reading { file, path, mut tokens, saved_check } => match next_line(&mut tokens) {
                    Some(line) => {
                        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
                        self.open.push(Open::Reading { file, path, tokens, saved_check });
                        self.line(file, &line, &directory);
                    }
                    None => self.check = saved_check,
                },
            }
        }
    }

    fn begin(&mut self, path: PathBuf, at: Option<Span>, check: Check) {
        if let Some(finding) = self.refusal(&path, at) {
            self.findings.push(finding);
            return;
        }
        let bytes = match self.source.read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.findings.push(unreadable(&path, at, &error, check.unreadable));
                return;
            }
        };
        self.octets = self.octets.saturating_add(bytes.len());
        let tokens = tokenize(&bytes);
        let Some(file) = self.files.add(path.clone(), bytes, at) else { return };
        self.open.push(Open::Reading { file, path, tokens: tokens.into_iter(), saved_check: self.check });
    }

    /// Why `path` is not read, cycles and limits considered.
    fn refusal(&self, path: &Path, at: Option<Span>) -> Option<Finding> {
        let place = at?;
        let reading = |open: &&Open| matches!(open, Open::Reading { .. });
        if self.open.iter().any(|open| matches!(open, Open::Reading { path: other, .. } if other == path)) {
            let message = format!("{} includes itself", path.display());
            return Some(Finding::at(&rule::INCLUDE_CYCLE, place, message).note("it is not read again"));
        }
        let limit = if self.open.iter().filter(reading).count() >= MOST_INCLUDES {
            format!("includes are nested more than {MOST_INCLUDES} deep")
        } else if self.files.len() >= MOST_FILES {
            format!("there are more than {MOST_FILES} files")
        } else if self.octets >= MOST_OCTETS {
            format!("the files hold more than {MOST_OCTETS} octets")
        } else {
            return None;
        };
        Some(Finding::at(&rule::INCLUDE_LIMIT, place, limit).note(format!("{} is not read", path.display())))
    }

    fn line(&mut self, file: FileId, tokens: &[Token], directory: &Path) {
        let Some((start, end)) = self.extent(file, tokens) else { return self.definitions.empty_line() };
        let span = Span { file, start, end };
        let line = Line::verbatim(self.files.text(span), span);
        if !needs_expansion(&line.text) && !self.definitions.is_continued() {
            // the common case: the tokens of the file are those of the line
            let base = |token: &Token| Token {
                kind: token.kind,
                range: token.range.start.saturating_sub(start)..token.range.end.saturating_sub(start),
            };
            let tokens: Vec<Token> = tokens.iter().filter(|token| token.range.start >= start).map(base).collect();
            return self.statements(&line, &tokens, directory);
        }
        let directory_text = directory.to_string_lossy();
        if let Some(line) = self.definitions.expand(line, &directory_text, &mut self.findings) {
            let tokens = line.tokens();
            self.statements(&line, &tokens, directory);
        }
    }

    /// From the first to the last octet of a line that count; reports lines that are left out.
    fn extent(&mut self, file: FileId, tokens: &[Token]) -> Option<(usize, usize)> {
        let mut extent = None;
        for token in tokens {
            let span = Span { file, start: token.range.start, end: token.range.end };
            match token.kind {
                TokenKind::ByteOrderMark => {
                    let finding = Finding::at(&rule::BYTE_ORDER_MARK, span, "the file starts with a byte order mark");
                    self.findings.push(finding.help("save it without"));
                }
                TokenKind::Overlong => {
                    let message =
                        format!("this line has {} octets; at most {} are read", token.range.len(), super::MOST_LINE);
                    self.findings.push(Finding::at(&rule::LINE_TOO_LONG, span, message).note("the line is left out"));
                }
                TokenKind::Binary => {
                    let finding = Finding::at(&rule::NUL_OCTET, span, "this line holds NUL octets");
                    self.findings.push(finding.note("the line is left out"));
                }
                TokenKind::Blank | TokenKind::Newline | TokenKind::Comment => {}
                _ => extent = Some((extent.map_or(token.range.start, |(start, _)| start), token.range.end)),
            }
        }
        extent
    }

    fn statements(&mut self, line: &Line, tokens: &[Token], directory: &Path) {
        if let Some((check, pattern)) = include(&line.text) {
            let span = line.span(0..line.text.len());
            return self.include(pattern, check.and(self.check), span, directory);
        }
        let before = self.builder.count();
        self.builder.line(line, tokens, &mut self.findings);
        let is_check = |node: &&Node| node.context == Some("global_defs") && node.name() == "include_check";
        self.check = self.builder.since(before).filter(is_check).fold(self.check, |check, node| check.changed_by(node));
    }

    fn include(&mut self, pattern: &[u8], check: Check, span: Span, directory: &Path) {
        let pattern = String::from_utf8_lossy(pattern);
        let alternatives = expand_braces(&pattern);
        let braces = alternatives.len() > 1;
        let mut found = Vec::new();
        for alternative in &alternatives {
            let matches = self.source.glob(alternative, directory);
            if matches.is_empty() {
                let wanted = match (braces, is_wild(alternative)) {
                    (true, _) => check.no_brace_match,
                    (false, true) => check.no_wild_match,
                    (false, false) => check.no_match,
                };
                let message = format!("no file matches {alternative}");
                self.findings.push(Finding::at(include_rule(wanted), span, message));
            }
            found.extend(matches);
        }
        let waiting = found.into_iter().rev().map(|path| Open::Waiting { path, at: Some(span), check });
        self.open.extend(waiting);
    }
}

fn include_rule(is_error: bool) -> &'static Rule {
    if is_error { &rule::INCLUDE_FAILED } else { &rule::INCLUDE_SKIPPED }
}

fn unreadable(path: &Path, at: Option<Span>, error: &SourceError, is_error: bool) -> Finding {
    let message = format!("cannot read {}: {error}", path.display());
    match at {
        Some(span) => Finding::at(include_rule(is_error), span, message),
        None => Finding::anywhere(&rule::FILE_MISSING, message),
    }
}

/// The tokens up to the next newline, with it; `None` at the end of the file.
fn next_line(tokens: &mut std::vec::IntoIter<Token>) -> Option<Vec<Token>> {
    let rest = tokens.as_slice();
    let newline = rest.iter().position(|token| token.kind == TokenKind::Newline);
    let length = newline.map_or(rest.len(), |at| at.saturating_add(1));
    (length > 0).then(|| tokens.take(length).collect())
}

/// Whether a line has anything to do with conditions, definitions or sequences.
fn needs_expansion(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'@' | b'~' | b'$')) || text.contains(&b'$')
}

/// The check and the pattern of an include line.
fn include(text: &[u8]) -> Option<(Check, &[u8])> {
    let length = text.iter().position(|octet| is_blank(*octet))?;
    let check = Check::of_word(text.get(..length)?)?;
    let pattern = text.get(length..)?.trim_ascii();
    (!pattern.is_empty()).then_some((check, pattern))
}
