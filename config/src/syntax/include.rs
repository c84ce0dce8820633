//! Includes: which files, which failures are errors, and how many are too many (syntax.md section 12).

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::token::{is_blank, unescaped};
use super::tree::Node;
use crate::finding::{Finding, Findings, Rule, rule};
use crate::source::{Source, SourceError, expand_braces, is_wild};
use crate::span::{FileId, Files, Span};

/// The deepest nesting of includes.
const MOST_NESTED: usize = 32;
/// The most files of one configuration.
const MOST_FILES: usize = 4_096;
/// The most octets that includes may bring.
const MOST_OCTETS: usize = 64 << 20;
/// The most names that includes may give: what each pattern stands for, one at least; alternatives of braces are
/// patterns.
const MOST_NAMES: usize = 16_384;

/// Octets of `includea`.
const LONGEST_WORD: usize = 8;

/// Which failures of an include are errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Check {
    unreadable: bool,
    no_match: bool,
    no_wild_match: bool,
    no_brace_match: bool,
}

impl Check {
    pub(super) const NONE: Self =
        Self { unreadable: false, no_match: false, no_wild_match: false, no_brace_match: false };
    pub(super) const ALL: Self = Self { unreadable: true, no_match: true, no_wild_match: true, no_brace_match: true };

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
    pub(super) fn changed_by(self, node: Node<'_>, findings: &mut Findings) -> Self {
        if node.arguments().is_empty() {
            return Self::ALL;
        }
        let mut check = self;
        let mut is_set = false;
        for word in node.arguments() {
            let (name, value) = match word.text.split_first() {
                Some((b'+', name)) => (name, true),
                Some((b'-', name)) => (name, false),
                _ if std::mem::replace(&mut is_set, true) => {
                    let message = format!("{} stands without + or -, and is not the first", word.str());
                    findings.push(Finding::at(&rule::INCLUDE_CHECK, word.span, message).note("it is ignored"));
                    continue;
                }
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
                _ => {
                    let message = format!("{} is no check of includes", word.str());
                    let finding = Finding::at(&rule::INCLUDE_CHECK, word.span, message).note("it is ignored");
                    findings.push(finding.help("there are read, match, wildcard_match and brace_match"));
                }
            }
        }
        check
    }
}

/// The check and the pattern of an include line: all that stands after the word, quotes and braces too.
pub(super) fn include(text: &[u8]) -> Option<(Check, Cow<'_, [u8]>)> {
    if !text.starts_with(b"include") {
        return None;
    }
    let length = text.iter().take(LONGEST_WORD.saturating_add(1)).position(|octet| is_blank(*octet))?;
    let check = Check::of_word(text.get(..length)?)?;
    let pattern = text.get(length..)?.trim_ascii();
    (!pattern.is_empty()).then(|| (check, unescaped(pattern)))
}

/// A file that has been named but not opened.
pub(super) struct Named {
    path: PathBuf,
    /// The include that named it; `None` for the command line.
    at: Option<Span>,
    check: Check,
}

/// A file that is being read.
struct Reading {
    /// As it was named.
    path: PathBuf,
    /// Where it is, however it was named.
    directory: PathBuf,
}

impl Reading {
    fn is(&self, path: &Path, directory: &Path) -> bool {
        self.directory == directory && self.path.file_name() == path.file_name()
    }
}

/// Finds and opens files, within limits.
pub(super) struct Includes<'a> {
    pub(super) source: &'a dyn Source,
    /// What `include_check` demands at the moment.
    pub(super) check: Check,
    /// The files being read, the innermost last.
    reading: Vec<Reading>,
    /// What includes have brought.
    octets: usize,
    names: usize,
    /// A limit was reached: further includes are left out, without a further finding.
    is_full: bool,
}

impl<'a> Includes<'a> {
    pub(super) fn new(source: &'a dyn Source, check: Check) -> Self {
        Self { source, check, reading: Vec::new(), octets: 0, names: 0, is_full: false }
    }

    /// The directory of the file being read, as it was named: what includes are relative to.
    fn named_directory(&self) -> &Path {
        self.reading.last().and_then(|reading| reading.path.parent()).unwrap_or(Path::new(""))
    }

    /// The same from the root, without links.
    pub(super) fn directory(&self) -> &Path {
        self.reading.last().map_or(Path::new(""), |reading| &reading.directory)
    }

    /// The files that the command line names.
    pub(super) fn command_line(&self, path: &Path, findings: &mut Findings) -> Vec<Named> {
        let text = path.to_string_lossy();
        let patterns = expand_braces(&text);
        let matches: Vec<PathBuf> =
            patterns.iter().flat_map(|pattern| self.source.glob(pattern, Path::new(""))).collect();
        if matches.len() > 1 {
            let message = format!("{text} matches {} files; all of them are read", matches.len());
            findings.push(Finding::anywhere(&rule::MULTIPLE_FILES, message));
        }
        // a name that no pattern finds is opened all the same, so that the system can say why it cannot be
        let paths = if matches.is_empty() { vec![path.to_owned()] } else { matches };
        paths.into_iter().map(|path| Named { path, at: None, check: Check::ALL }).collect()
    }

    /// The files that the include at `at` names.
    pub(super) fn named(&mut self, pattern: &[u8], check: Check, at: Span, findings: &mut Findings) -> Vec<Named> {
        let check = check.and(self.check);
        let pattern = String::from_utf8_lossy(pattern);
        let alternatives = if self.is_full { Vec::new() } else { expand_braces(&pattern) };
        let has_braces = alternatives.len() > 1;
        let mut found = Vec::new();
        for alternative in &alternatives {
            if self.names >= MOST_NAMES {
                self.full(at, format!("there are more than {MOST_NAMES} names of files"), findings);
                break;
            }
            let matches = self.source.glob(alternative, self.named_directory());
            self.names = self.names.saturating_add(matches.len().max(1));
            if matches.is_empty() {
                let wanted = match (has_braces, is_wild(alternative)) {
                    (true, _) => check.no_brace_match,
                    (false, true) => check.no_wild_match,
                    (false, false) => check.no_match,
                };
                let message = format!("no file matches {alternative}");
                findings.push(Finding::at(include_rule(wanted), at, message));
            }
            found.extend(matches.into_iter().map(|path| Named { path, at: Some(at), check }));
        }
        found
    }

    /// Opens a file, if it can be and may be.
    pub(super) fn open(&mut self, named: Named, files: &mut Files, findings: &mut Findings) -> Option<FileId> {
        let Named { path, at, check } = named;
        if let Some(at) = at
            && self.is_refused(&path, at, files.len(), findings)
        {
            return None;
        }
        let read = self.source.read(&path);
        let read = read.and_then(|bytes| if fits(&bytes) { Ok(bytes) } else { Err(SourceError::TooLarge) });
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => {
                findings.push(unreadable(&path, at, &error, check.unreadable));
                return None;
            }
        };
        if let Some(at) = at {
            let octets = self.octets.saturating_add(bytes.len());
            if octets > MOST_OCTETS {
                self.full(at, format!("the files hold more than {MOST_OCTETS} octets"), findings);
                return None;
            }
            self.octets = octets;
        }
        let file = files.add(path.clone(), bytes, at)?;
        self.reading.push(Reading { directory: self.source.directory(&path), path });
        Some(file)
    }

    /// The innermost file has ended; `check` was in force before it.
    pub(super) fn close(&mut self, check: Check) {
        self.reading.pop();
        self.check = check;
    }

    /// Whether `path`, which the include at `at` names, is not read, cycles and limits considered.
    fn is_refused(&mut self, path: &Path, at: Span, files: usize, findings: &mut Findings) -> bool {
        if self.is_full {
            return true;
        }
        let directory = self.source.directory(path);
        let refusal = if self.reading.iter().any(|reading| reading.is(path, &directory)) {
            let message = format!("{} includes itself", path.display());
            Finding::at(&rule::INCLUDE_CYCLE, at, message).note("it is not read again")
        } else if self.reading.len() >= MOST_NESTED {
            let message = format!("includes are nested more than {MOST_NESTED} deep");
            Finding::at(&rule::INCLUDE_LIMIT, at, message).note(format!("{} is not read", path.display()))
        } else if files >= MOST_FILES {
            self.full(at, format!("there are more than {MOST_FILES} files"), findings);
            return true;
        } else {
            return false;
        };
        findings.push(refusal);
        true
    }

    /// Says once that a limit was reached.
    fn full(&mut self, at: Span, message: String, findings: &mut Findings) {
        let finding = Finding::at(&rule::INCLUDE_LIMIT, at, message);
        findings.push(finding.note("what is included from here on is not read"));
        self.is_full = true;
    }
}

/// Places in a file have 32 bits.
fn fits(bytes: &[u8]) -> bool {
    u32::try_from(bytes.len()).is_ok()
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
