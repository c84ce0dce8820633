//! Files to lines, with includes in their place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::build::Builder;
use super::expand::Definitions;
use super::line::Line;
use super::token::{Token, TokenKind, is_blank, tokenize};
use super::{Node, Parsed};
use crate::finding::{Finding, Findings, Rule, rule};
use crate::source::{Source, SourceError, expand_braces, is_wild};
use crate::span::{FileId, Span};

/// The deepest nesting of includes.
const MOST_INCLUDES: usize = 32;
/// The most files of one configuration.
const MOST_FILES: usize = 4_096;
/// The most octets that includes may bring.
const MOST_OCTETS: usize = 16 << 20;
/// The most names that includes may give: what each pattern stands for, one at least; alternatives of braces are patterns.
const MOST_NAMES: usize = 16_384;

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
        findings: Findings::default(),
        definitions: Definitions::new(&options.config_id),
        builder: Builder::new(),
        open: Vec::new(),
        reading: BTreeSet::new(),
        octets: 0,
        names: 0,
        is_full: false,
        check: if options.check_includes { Check::ALL } else { Check::NONE },
    };
    reader.command_line(path);
    reader.run();
    let Reader { builder, mut findings, .. } = reader;
    let tree = builder.finish(&mut findings);
    Parsed { tree, findings }
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
    fn changed_by(self, node: Node<'_>) -> Self {
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
                    (word.text, true)
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
    findings: Findings,
    definitions: Definitions,
    builder: Builder,
    /// Files being read, the innermost last, and files still to be read at its place below it.
    open: Vec<Open>,
    /// The paths of the files being read.
    reading: BTreeSet<PathBuf>,
    /// What includes have brought.
    octets: usize,
    names: usize,
    /// A limit was reached: whatever is included from here on is left out without a further word.
    is_full: bool,
    check: Check,
}

enum Open {
    /// A file that an include has named but that has not been opened.
    Waiting { path: PathBuf, at: Option<Span>, check: Check },
    /// A file that is being read.
    Reading { file: FileId, directory: Arc<Path>, path: PathBuf, tokens: std::vec::IntoIter<Token>, saved_check: Check },
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
                Open::Reading { file, directory, path, mut tokens, saved_check } => match next_line(&mut tokens) {
                    Some(line) => {
                        self.open.push(Open::Reading {
                            file,
                            directory: Arc::clone(&directory),
                            path,
                            tokens,
                            saved_check,
                        });
                        self.line(file, &line, &directory);
                    }
                    None => {
                        self.reading.remove(&path);
                        self.check = saved_check;
                    }
                },
            }
        }
    }

    fn begin(&mut self, path: PathBuf, at: Option<Span>, check: Check) {
        if let Some(at) = at
            && self.is_refused(&path, at)
        {
            return;
        }
        let bytes = match self.source.read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.findings.push(unreadable(&path, at, &error, check.unreadable));
                return;
            }
        };
        if let Some(at) = at {
            let octets = self.octets.saturating_add(bytes.len());
            if octets > MOST_OCTETS {
                return self.full(at, format!("the files hold more than {MOST_OCTETS} octets"));
            }
            self.octets = octets;
        }
        let tokens = tokenize(&bytes);
        let Some(file) = self.builder.tree.files.add(path.clone(), bytes, at) else { return };
        self.reading.insert(path.clone());
        let directory = path.parent().unwrap_or(Path::new("")).into();
        self.open.push(Open::Reading { file, directory, path, tokens: tokens.into_iter(), saved_check: self.check });
    }

    /// Whether `path`, which the include at `at` names, is not read, cycles and limits considered.
    fn is_refused(&mut self, path: &Path, at: Span) -> bool {
        if self.is_full {
            return true;
        }
        let refusal = if self.reading.contains(path) {
            let message = format!("{} includes itself", path.display());
            Finding::at(&rule::INCLUDE_CYCLE, at, message).note("it is not read again")
        } else if self.reading.len() >= MOST_INCLUDES {
            let message = format!("includes are nested more than {MOST_INCLUDES} deep");
            Finding::at(&rule::INCLUDE_LIMIT, at, message).note(format!("{} is not read", path.display()))
        } else if self.builder.tree.files.len() >= MOST_FILES {
            self.full(at, format!("there are more than {MOST_FILES} files"));
            return true;
        } else {
            return false;
        };
        self.findings.push(refusal);
        true
    }

    /// Says once that a limit was reached.
    fn full(&mut self, at: Span, message: String) {
        let finding = Finding::at(&rule::INCLUDE_LIMIT, at, message);
        self.findings.push(finding.note("what is included from here on is not read"));
        self.is_full = true;
    }

    fn line(&mut self, file: FileId, tokens: &[Token], directory: &Path) {
        let Some((start, end)) = self.extent(file, tokens) else { return self.definitions.empty_line() };
        let span = Span { file, start, end };
        let line = Line::verbatim(self.builder.tree.files.text(span), span);
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
        let is_check = |node: &Node<'_>| node.context() == Some("global_defs") && node.name() == "include_check";
        self.check = self.builder.since(before).filter(is_check).fold(self.check, |check, node| check.changed_by(node));
    }

    fn include(&mut self, pattern: &[u8], check: Check, span: Span, directory: &Path) {
        if self.is_full {
            return;
        }
        let pattern = String::from_utf8_lossy(pattern);
        let alternatives = expand_braces(&pattern);
        let braces = alternatives.len() > 1;
        let mut found = Vec::new();
        for alternative in &alternatives {
            if self.names >= MOST_NAMES {
                self.full(span, format!("there are more than {MOST_NAMES} names of files"));
                break;
            }
            let matches = self.source.glob(alternative, directory);
            self.names = self.names.saturating_add(matches.len().max(1));
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
