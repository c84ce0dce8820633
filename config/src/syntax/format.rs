//! The canonical layout of a file, for `keepalivedctl fmt`.

use std::path::Path;

use super::include::include;
use super::indent::{INDENT, indent};
use super::reader::{Options, parse};
use super::reference::definition;
use super::token::{
    Content, MOST_LINE, PhysicalLine, TokenKind, Tokens, byte_order_mark, is_blank, next_line, trimmed,
};

use crate::source::MemorySource;

/// Lays the text of one file out: four blanks for each open brace, one statement on each line, `{` at the end of its
/// line and `}` on one of its own, single blanks between words, at most one empty line in a row. Comments stay on their
/// lines.
///
/// It means the same as before, and to do it again changes nothing. Lines whose meaning can depend on blanks
/// (definitions and their use, `@id`, `~SEQ`, includes, backslashes, quotes without partner) are indented and otherwise
/// left alone. So is a whole text in which a `}` is missing and only its layout tells where.
pub fn format(text: &[u8]) -> Vec<u8> {
    let laid_out = lay_out(text);
    if is_told_by_layout(text) || is_told_by_layout(&laid_out) { text.to_vec() } else { laid_out }
}

fn lay_out(text: &[u8]) -> Vec<u8> {
    let mut layout = Layout::default();
    let mut at = byte_order_mark(text);
    layout.out.extend_from_slice(text.get(..at).unwrap_or_default());
    while let Some(line) = next_line(text, at) {
        layout.physical(text.get(line.start..line.end).unwrap_or_default(), &line);
        at = line.next;
    }
    layout.finish()
}

/// Whether the reader takes the place of a missing brace from the layout.
fn is_told_by_layout(text: &[u8]) -> bool {
    let name = "text";
    parse(&MemorySource::one(name, text), Path::new(name), &Options::default()).tree.is_told_by_layout()
}

#[derive(Default)]
struct Layout {
    out: Vec<u8>,
    /// The last line, which a `{` or a comment may join.
    last: Option<Laid>,
    /// Whether an empty line came after it.
    is_blank: bool,
    depth: usize,
    /// Braces that are open inside a definition over several lines; `None` outside.
    definition: Option<usize>,
}

/// A line on its way out.
struct Laid {
    indent: usize,
    code: Vec<u8>,
    comment: Vec<u8>,
    /// A statement that a `{` on the next line may join.
    takes_brace: bool,
}

impl Layout {
    fn physical(&mut self, text: &[u8], line: &PhysicalLine) {
        let Content::Code(length) = line.content else { return self.push(Laid::raw(text)) };
        let (code, comment) = text.split_at_checked(length).unwrap_or_default();
        let code = code.get(trimmed(code)).unwrap_or_default();
        let comment = comment.get(..trimmed(comment).end).unwrap_or_default();
        let rest = text.get(trimmed(text)).unwrap_or_default();
        if code.is_empty() {
            self.definition = None;
            if comment.is_empty() {
                self.is_blank = true;
            } else {
                self.alone(comment, self.depth);
            }
        } else if text.len().saturating_add(indent(usize::MAX)).saturating_add(INDENT) > MOST_LINE {
            self.depth = self.depth_after(code);
            self.push(Laid::raw(text));
        } else if let Some(inner) = self.definition {
            self.definition_line(code, rest, inner);
        } else {
            self.code(code, rest, comment);
        }
    }

    /// A line that a definition over several lines goes on with.
    fn definition_line(&mut self, code: &[u8], rest: &[u8], inner: usize) {
        let (before, after) = blocks(code).map_or((inner, inner), |text| braces(text, inner));
        self.alone(rest, self.depth.saturating_add(1).saturating_add(before));
        self.definition = code.ends_with(b"\\").then_some(after);
    }

    /// A line with `code`; `rest` is it with its comment.
    fn code(&mut self, mut code: &[u8], mut rest: &[u8], comment: &[u8]) {
        // what a line has nowhere, no part of it has
        let has_delicate = is_delicate_anywhere(code);
        loop {
            if code.is_empty() {
                return self.comment(comment);
            }
            if has_delicate || is_delicate_here(code) {
                let (before, after) = blocks(code).map_or((self.depth, self.depth), |text| braces(text, self.depth));
                self.alone(rest, before);
                self.depth = after;
                // `$X \` may stand for the beginning of a definition, too
                self.definition = (code.contains(&b'$') && code.ends_with(b"\\")).then_some(0);
                return;
            }
            let length = self.statement(code);
            let tail = code.get(length..).unwrap_or_default();
            let blanks = trimmed(tail).start;
            code = tail.get(blanks..).unwrap_or_default();
            rest = rest.get(length.saturating_add(blanks)..).unwrap_or_default();
        }
    }

    /// Lays out up to the first brace, and it; gives how much that is.
    fn statement(&mut self, code: &[u8]) -> usize {
        let brace = Tokens::new(code).find(|token| matches!(token.kind, TokenKind::Open | TokenKind::Close));
        let end = brace.as_ref().map_or(code.len(), |brace| brace.range.start);
        let words = single_blanks(code.get(..end).unwrap_or_default());
        match brace {
            None => {
                let takes_brace = !is_include_word(&words);
                self.push(Laid { takes_brace, ..Laid::code(self.depth, words) });
                end
            }
            Some(brace) if brace.kind == TokenKind::Open => {
                self.open(words);
                brace.range.end
            }
            Some(brace) => {
                if !words.is_empty() {
                    self.push(Laid::code(self.depth, words));
                }
                self.depth = self.depth.saturating_sub(1);
                self.push(Laid::code(self.depth, b"}".to_vec()));
                brace.range.end
            }
        }
    }

    /// `{` after `words`, or after the statement of the line before.
    fn open(&mut self, mut words: Vec<u8>) {
        let joined = self.last.as_mut().filter(|last| words.is_empty() && last.takes_brace && !self.is_blank);
        if let Some(last) = joined {
            last.code.extend_from_slice(b" {");
            last.takes_brace = false;
        } else {
            let is_apart = !words.is_empty() && !is_include_word(&words);
            words.extend_from_slice(if is_apart { b" {" } else { b"{" });
            self.push(Laid::code(self.depth, words));
        }
        self.depth = self.depth.saturating_add(1);
    }

    /// The comment at the end of a line. A line that was joined may have one already.
    fn comment(&mut self, comment: &[u8]) {
        match &mut self.last {
            Some(last) if last.comment.is_empty() => last.comment = comment.to_vec(),
            _ if comment.is_empty() => {}
            _ => self.alone(comment, self.depth),
        }
    }

    /// A line that is only indented.
    fn alone(&mut self, text: &[u8], depth: usize) {
        self.push(Laid::code(depth, text.to_vec()));
    }

    fn push(&mut self, line: Laid) {
        self.flush();
        // what looks like a byte order mark must not become one
        let is_first = self.out.is_empty();
        let is_mark = byte_order_mark(&line.code) > 0;
        if std::mem::take(&mut self.is_blank) && !is_first || is_mark && is_first {
            self.out.push(b'\n');
        }
        self.last = Some(line);
    }

    fn flush(&mut self) {
        let Some(line) = self.last.take() else { return };
        self.out.extend(std::iter::repeat_n(b' ', line.indent));
        self.out.extend_from_slice(&line.code);
        if !line.comment.is_empty() {
            self.out.extend_from_slice(b"  ");
            self.out.extend_from_slice(&line.comment);
        }
        self.out.push(b'\n');
    }

    fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.out
    }

    fn depth_after(&self, code: &[u8]) -> usize {
        braces(code, self.depth).1
    }
}

impl Laid {
    fn code(depth: usize, code: Vec<u8>) -> Self {
        Self { indent: indent(depth), code, comment: Vec::new(), takes_brace: false }
    }

    fn raw(text: &[u8]) -> Self {
        Self { indent: 0, code: text.to_vec(), comment: Vec::new(), takes_brace: false }
    }
}

/// Whether a blank and more after `word` would make an include of it.
fn is_include_word(word: &[u8]) -> bool {
    include(&[word, b" {"].concat()).is_some()
}

/// Whether blanks may mean something in `code`, or what looks like braces may be none, wherever that stands in it.
fn is_delicate_anywhere(code: &[u8]) -> bool {
    code.iter().any(|octet| matches!(octet, b'$' | b'\\'))
        || Tokens::new(code).any(|token| token.kind == TokenKind::Unterminated)
}

/// The same because of how `code` begins.
fn is_delicate_here(code: &[u8]) -> bool {
    matches!(code.first(), Some(b'@' | b'~')) || include(code).is_some()
}

/// The part of a delicate line whose braces are those of blocks: what follows its condition, unless that is a
/// definition or an include.
fn blocks(code: &[u8]) -> Option<&[u8]> {
    let text = match code.strip_prefix(b"@") {
        Some(condition) => {
            let blank = condition.iter().position(|octet| is_blank(*octet))?;
            condition.get(blank..)?.trim_ascii_start()
        }
        None => code,
    };
    (definition(text).is_none() && include(text).is_none()).then_some(text)
}

/// The depth of `code`, and the depth after it, if `depth` braces are open before it.
fn braces(code: &[u8], depth: usize) -> (usize, usize) {
    let mut before = depth;
    let mut after = depth;
    let mut is_first = true;
    let mut from = 0;
    while let Some(token) = Tokens::new(code.get(from..).unwrap_or_default()).next() {
        let token = token.moved(from);
        from = token.range.end;
        match token.kind {
            TokenKind::Open if code.get(..token.range.start).is_some_and(|before| before.ends_with(b"$")) => {
                let rest = code.get(from..).unwrap_or_default();
                let close = rest.iter().position(|octet| *octet == b'}').unwrap_or(rest.len());
                from = from.saturating_add(close).saturating_add(1);
            }
            TokenKind::Open => after = after.saturating_add(1),
            TokenKind::Close => {
                after = after.saturating_sub(1);
                if is_first {
                    before = after;
                }
                continue;
            }
            TokenKind::Blank => continue,
            _ => {}
        }
        is_first = false;
    }
    (before, after)
}

/// The words of a statement with one blank between them, except where a single quote may make more of them count.
fn single_blanks(text: &[u8]) -> Vec<u8> {
    let text = text.get(trimmed(text)).unwrap_or_default();
    if text.contains(&b'\'') {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    for token in Tokens::new(text) {
        match token.kind {
            TokenKind::Blank => out.push(b' '),
            _ => out.extend_from_slice(text.get(token.range).unwrap_or_default()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let once = format(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&once), expected, "{text}");
        assert_eq!(format(&once), once, "{text}");
    }

    #[test]
    fn blocks_are_laid_out() {
        check("a{b  c\td}\n}", "a {\n    b c d\n}\n}\n");
        check("a { b { c } }", "a {\n    b {\n        c\n    }\n}\n");
        check("a\n{\nb\n}\n", "a {\n    b\n}\n");
        check("a # x\n{\nb } # y\n", "a {  # x\n    b\n}  # y\n");
        check("a # x\n{ # z\n}", "a {  # x\n    # z\n}\n");
        check("a\n\n{\n}\n", "a\n\n{\n}\n");
        check("a \"b  c\"d 'e  f'  g\n", "a \"b  c\"d 'e  f'  g\n");
        check("include{\nb\n}\ninclude\n{", "include{\n    b\n}\ninclude\n{\n");
        check("a \"b  c\"  d\r\n", "a \"b  c\" d\n");
    }

    #[test]
    fn comments_and_empty_lines_stay() {
        check("\n\n\na\n\n\n\nb\n\n", "a\n\nb\n");
        check("a {\n! x  \n\t#y\nb#z\n}\n", "a {\n    ! x\n    #y\n    b  #z\n}\n");
        check("", "");
        check("\u{feff}  a", "\u{feff}a\n");
        check(" \u{feff}a", "\n\u{feff}a\n");
    }

    #[test]
    fn what_blanks_may_mean_something_in_is_indented_only() {
        check(
            "a {\n@id  b  c\n$X=  y  z # q\ninclude  d/{a,b}  *\n~SEQ(A, 1)  b  ${A}\nc  $X\nd  \\#  e\n\"f  g\n}",
            "a {\n    @id  b  c\n    $X=  y  z # q\n    include  d/{a,b}  *\n    ~SEQ(A, 1)  b  ${A}\n    c  $X\n    d  \\#  e\n    \"f  g\n}\n",
        );
        check("$M= \\\nx {  \\\ny  z \\\n}\na  b\n", "$M= \\\n    x {  \\\n        y  z \\\n    }\na b\n");
        check("@id a {\nb\n@id }\nc", "@id a {\n    b\n@id }\nc\n");
        check("a { @id  b }\nc", "a {\n    @id  b }\nc\n");
        check("v${A}  {\nb\n}\n", "v${A}  {\n    b\n}\n");
        check("a {\n$A\n}", "a {\n    $A\n}\n");
    }
}
