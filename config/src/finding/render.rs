//! Findings as text, the way rustc shows them.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Renderer, Snippet};

use super::{Finding, Mark, Severity};
use crate::secret;
use crate::span::{Files, Span};

/// The longest message, label or note that is shown.
const MOST_TEXT: usize = 400;
/// The longest piece of a line that is shown.
const MOST_LINE: usize = 160;
/// The most places of one finding that are shown.
const MOST_MARKS: usize = 8;
/// The deepest chain of includes that is shown.
const MOST_INCLUDES: usize = 8;

/// How a finding is to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    /// Text alone.
    #[default]
    Plain,
    /// With the colours of a terminal.
    Colour,
}

/// Renders `finding` with the lines it points to. Never fails, whatever the text holds; the result is bounded.
pub fn render(finding: &Finding, files: &Files) -> String {
    render_in(Style::Plain, finding, files)
}

/// The same for eyes that may not see passwords and keys, as those of a log: there are stars in their place.
pub fn render_without_secrets(finding: &Finding, files: &Files) -> String {
    rendered(Style::Plain, Secrets::Masked, finding, files)
}

/// [`render`] in a `style`.
pub fn render_in(style: Style, finding: &Finding, files: &Files) -> String {
    rendered(style, Secrets::Shown, finding, files)
}

/// What becomes of secrets in the lines that are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Shown,
    Masked,
}

fn rendered(style: Style, secrets: Secrets, finding: &Finding, files: &Files) -> String {
    let level = match finding.rule.severity {
        Severity::Info => Level::INFO,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let Some(primary) = &finding.primary {
        elements.push(snippet(primary, AnnotationKind::Primary, secrets, files).into());
        let secondary = finding.secondary.iter().take(MOST_MARKS);
        elements.extend(secondary.map(|mark| snippet(mark, AnnotationKind::Context, secrets, files).into()));
        elements.extend(include_chain(primary.span, files).map(|text| Level::NOTE.no_name().message(text).into()));
    }
    elements.extend(finding.notes.iter().map(|note| Level::NOTE.no_name().message(clean(note)).into()));
    elements.extend(finding.advice().map(|help| Level::HELP.message(clean(&help)).into()));
    let group: Group<'_> = level.primary_title(clean(&finding.message)).id(finding.rule.id).elements(elements);
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}

/// "included at FILE:LINE", innermost first.
fn include_chain(span: Span, files: &Files) -> impl Iterator<Item = String> {
    let includer = |span: Span| files.get(span.file).and_then(|file| file.included_at);
    std::iter::successors(includer(span), move |at| includer(*at))
        .take(MOST_INCLUDES)
        .map(|at| format!("included at {}:{}", clean(&files.path(at).to_string_lossy()), files.position(at).line))
}

/// The line of `mark` with its text underlined.
fn snippet<'a>(mark: &'a Mark, kind: AnnotationKind, secrets: Secrets, files: &Files) -> Snippet<'a, Annotation<'a>> {
    let position = files.position(mark.span);
    let shown = Shown::new(mark.span, secrets, files);
    Snippet::source(shown.text)
        .path(clean(&files.path(mark.span).to_string_lossy()))
        .line_start(position.line)
        .annotation(kind.span(shown.marked).label((!mark.label.is_empty()).then(|| clean(&mark.label))))
}

/// A line made fit to be shown: UTF-8, no control characters, bounded, with the marked part's place in it.
struct Shown {
    text: String,
    marked: Range<usize>,
}

impl Shown {
    fn new(span: Span, secrets: Secrets, files: &Files) -> Self {
        let Some(file) = files.get(span.file) else { return Self { text: String::new(), marked: 0..0 } };
        let line = file.line_range(span.start);
        let start = span.start.clamp(line.start, line.end);
        let end = span.end.clamp(start, line.end);
        // a long line loses its beginning if the mark is far in; the column in the header is then the shown one
        let from = if start.saturating_sub(line.start) > MOST_LINE { start } else { line.start };
        let mut octets = Cow::Borrowed(file.bytes.get(line.clone()).unwrap_or_default());
        if secrets == Secrets::Masked {
            secret::mask(octets.to_mut());
        }
        let of_line =
            |range: Range<usize>| range.start.saturating_sub(line.start)..range.end.saturating_sub(line.start);
        let piece = |range: Range<usize>| printable(octets.get(of_line(range)).unwrap_or_default());
        let before = piece(from..start);
        let marked = piece(start..end.min(start.saturating_add(MOST_LINE)));
        let after = piece(end..line.end.min(end.saturating_add(MOST_LINE)).max(end));
        let marked_range = before.len()..before.len().saturating_add(marked.len());
        Self { text: format!("{before}{marked}{}", after.trim_end()), marked: marked_range }
    }
}

fn printable(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).chars().map(visible).collect()
}

fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        other if other.is_control() || is_steering(other) => '\u{fffd}',
        other => other,
    }
}

/// Characters that change the direction or the shape of what stands beside them.
fn is_steering(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn clean(text: &str) -> String {
    text.chars().take(MOST_TEXT).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::rule;

    #[test]
    fn an_included_finding_looks_like_the_style_guide_says() {
        let mut files = Files::default();
        let main = files.add("keepalived.conf".into(), b"\ninclude conf.d/web.conf\n".to_vec(), None).unwrap();
        let include = Span { file: main, start: 1, end: 24 };
        let text = b"# web\n\nvrrp_instance web {\n    virtual_router_id 300\n}\n";
        let file = files.add("conf.d/web.conf".into(), text.to_vec(), Some(include)).unwrap();
        let finding = Finding::at(
            &rule::VRID_RANGE,
            Span { file, start: 49, end: 52 },
            "virtual_router_id must be 1 to 255, not 300",
        )
        .label("the packet has eight bits for it")
        .note("instance web cannot run");
        let expected = "\
error[vrid-range]: virtual_router_id must be 1 to 255, not 300
 --> conf.d/web.conf:4:23
  |
4 |     virtual_router_id 300
  |                       ^^^ the packet has eight bits for it
  |
  = included at keepalived.conf:2
  = instance web cannot run
  = help: choose a number from 1 to 255 that no other router on the link uses";
        assert_eq!(render(&finding, &files), expected);
    }
}
