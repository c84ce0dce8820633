//! Configuration text: whatever it is, there is a configuration and something to say about it; laid out or written out
//! it says the same.

use std::path::Path;

use keepalived_config::span::Files;
use keepalived_config::syntax::{ExpandedLine, Tree, parse};
use keepalived_config::{
    AnyInterface, Finding, MemorySource, Options, exit_status, expand, format, load, plan, render,
};

/// What separates files in the input: an octet that no UTF-8 text has.
const NEXT_FILE: u8 = 0xff;
/// Names of the files that the input is cut into; each may include each.
const FILES: [&str; 4] = ["/etc/k.conf", "/etc/a.conf", "/etc/b.conf", "/etc/d/c.conf"];
/// Octets of one message at most: a line of the text is quoted, and cut where it is long.
const LONGEST_MESSAGE: usize = 20_000;

/// Loads the text, says everything there is to say about it, and compares it with itself.
///
/// # Panics
/// A finding points outside its file or is too long to read; or a configuration differs from itself.
pub fn configuration(data: &[u8]) {
    let loaded = load(&source(data), main_file(), &AnyInterface);
    judge(&loaded.findings, loaded.files());
    assert!(plan(&loaded.config, &loaded.config).is_ok_and(|plan| plan.is_empty()));
}

/// Writes out what counts, and reads that again.
///
/// # Panics
/// It says something else then; or a finding points outside its file.
pub fn expansion(data: &[u8]) {
    let options = Options { config_id: "id".to_owned(), ..Options::default() };
    let expanded = expand(&source(data), main_file(), &options);
    let text = expanded.text();
    let is_special = expanded.lines.iter().any(is_special);
    let (tree, findings) = (expanded.parsed.tree, expanded.parsed.findings.sorted());
    judge(&findings, tree.files());
    let again = one(&text);
    if !is_special && !again.is_told_by_layout() {
        assert!(again == tree, "{}", text.escape_ascii());
    }
}

/// Lays a file out.
///
/// # Panics
/// It says something else then, or there is something left to lay out.
pub fn layout(data: &[u8]) {
    let once = format(data);
    assert!(format(&once) == once, "{}", once.escape_ascii());
    assert!(one(data) == one(&once), "{}", once.escape_ascii());
}

fn source(data: &[u8]) -> MemorySource {
    let texts = data.split(|octet| *octet == NEXT_FILE);
    FILES.into_iter().zip(texts).fold(MemorySource::default(), |source, (path, text)| source.with(path, text))
}

fn main_file() -> &'static Path {
    let [first, ..] = FILES;
    Path::new(first)
}

/// The statements of a file that has nothing to include.
fn one(text: &[u8]) -> Tree {
    parse(&MemorySource::one("/etc/k.conf", text), main_file(), &Options::default()).tree
}

fn judge(findings: &[Finding], files: &Files) {
    for finding in findings {
        assert!(render(finding, files).len() < LONGEST_MESSAGE);
        for mark in finding.primary.iter().chain(&finding.secondary) {
            let file = files.get(mark.span.file).expect("a finding is in a file that was read");
            assert!(mark.span.start <= mark.span.end && mark.span.end <= file.bytes.len(), "{mark:?}");
        }
    }
    assert!([0, 2, 4, 5, 6].contains(&exit_status(findings)));
}

/// Whether a line that was written out would be understood once more: what a definition held may look like anything.
fn is_special(line: &ExpandedLine) -> bool {
    line.text.iter().any(|octet| b"$#!\\\"\xef".contains(octet))
        || matches!(line.text.first(), Some(b'@' | b'~'))
        || line.text.starts_with(b"include")
}
