//! Octets to tokens. Nothing is lost: the tokens of a file, one after the other, are the file.

use std::borrow::Cow;
use std::ops::Range;

/// The most octets of a line that are read, newline not counted. keepalived has room for 1022.
pub const MOST_LINE: usize = 1 << 16;

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TokenKind {
    /// The UTF-8 byte order mark at the start of a file.
    ByteOrderMark,
    /// Blanks, tabs and other separators, CR included.
    Blank,
    /// LF.
    Newline,
    /// From `#` or `!` to the end of the line.
    Comment,
    /// A bare word.
    Word,
    /// A word in double quotes, with them.
    Quoted,
    /// From a double quote without partner to the end of the line.
    Unterminated,
    /// `{`
    Open,
    /// `}`
    Close,
    /// A whole line that is longer than `MOST_LINE`.
    Overlong,
    /// A whole line that holds NUL octets.
    Binary,
}

/// A piece of text; its place is in the text that was tokenized.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is.
    pub range: Range<usize>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Every token of a file.
pub fn tokenize(bytes: &[u8]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut at = byte_order_mark(bytes);
    out.extend((at > 0).then_some(Token { kind: TokenKind::ByteOrderMark, range: 0..at }));
    while let Some(line) = next_line(bytes, at) {
        let text = bytes.get(line.start..line.end).unwrap_or_default();
        let whole = |kind| (!text.is_empty()).then_some(Token { kind, range: line.start..line.end });
        match line.content {
            Content::Overlong => out.extend(whole(TokenKind::Overlong)),
            Content::Binary => out.extend(whole(TokenKind::Binary)),
            Content::Code(length) => {
                let code = text.get(..length).unwrap_or_default();
                out.extend(Tokens::new(code).map(|token| token.moved(line.start)));
                let comment = line.start.saturating_add(length)..line.end;
                out.extend((!comment.is_empty()).then_some(Token { kind: TokenKind::Comment, range: comment }));
            }
        }
        out.extend((line.next > line.end).then_some(Token { kind: TokenKind::Newline, range: line.end..line.next }));
        at = line.next;
    }
    out
}

impl Token {
    /// The same in a text that has `by` octets more before it.
    pub(super) fn moved(self, by: usize) -> Self {
        Self { range: self.range.start.saturating_add(by)..self.range.end.saturating_add(by), ..self }
    }
}

/// The length of the byte order mark that a file begins with, 0 if it has none.
pub(super) fn byte_order_mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

/// A line of a file.
pub(super) struct PhysicalLine {
    pub(super) start: usize,
    /// Where its newline is, or the file ends.
    pub(super) end: usize,
    /// Where the next line starts.
    pub(super) next: usize,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// Text with this many octets before the comment.
    Code(usize),
    Overlong,
    Binary,
}

/// The line that starts at `start`; `None` at the end of the file.
pub(super) fn next_line(bytes: &[u8], start: usize) -> Option<PhysicalLine> {
    let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
    let mut length = rest.len();
    let (mut has_comment, mut has_nul) = (false, false);
    for (at, octet) in rest.iter().enumerate() {
        match octet {
            b'\n' => {
                length = at;
                break;
            }
            b'#' | b'!' => has_comment = true,
            0 => has_nul = true,
            _ => {}
        }
    }
    let end = start.saturating_add(length);
    let content = match rest.get(..length) {
        _ if has_nul => Content::Binary,
        _ if length > MOST_LINE => Content::Overlong,
        Some(line) if has_comment => Content::Code(comment_start(line)),
        _ => Content::Code(length),
    };
    Some(PhysicalLine { start, end, next: end.saturating_add(1).min(bytes.len()), content })
}

/// The tokens of one line without its newline and comment.
#[derive(Clone)]
pub(super) struct Tokens<'a> {
    code: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(code: &'a [u8]) -> Self {
        Self { code, at: 0 }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let (code, at) = (self.code, self.at);
        let (kind, end) = match code.get(at)? {
            b'{' => (TokenKind::Open, at.saturating_add(1)),
            b'}' => (TokenKind::Close, at.saturating_add(1)),
            b'"' => quoted(code, at),
            octet if is_blank(*octet) => (TokenKind::Blank, run(code, at, is_blank)),
            _ => (TokenKind::Word, run(code, at, |octet| !is_blank(octet) && !matches!(octet, b'{' | b'}' | b'"'))),
        };
        self.at = end;
        Some(Token { kind, range: at..end })
    }
}

/// Blank, tab, form feed, CR, vertical tab (and newline, which a line does not hold).
pub(super) fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\x0c' | b'\r' | b'\x0b' | b'\n')
}

/// `text` without the blanks at its ends, and how many octets of it come before.
pub(super) fn trimmed(text: &[u8]) -> Range<usize> {
    let start = run(text, 0, is_blank);
    let tail = text.iter().rev().take_while(|octet| is_blank(**octet)).count();
    start..text.len().saturating_sub(tail).max(start)
}

fn run(code: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let length = code.iter().skip(from).take_while(|octet| wanted(**octet)).count();
    from.saturating_add(length)
}

fn quoted(code: &[u8], at: usize) -> (TokenKind, usize) {
    let inside = at.saturating_add(1);
    match code.iter().skip(inside).position(|octet| *octet == b'"') {
        Some(length) => (TokenKind::Quoted, inside.saturating_add(length).saturating_add(1)),
        None => (TokenKind::Unterminated, code.len()),
    }
}

/// Where the comment of `line` starts; its length if there is none. Outside double quotes a backslash hides the octet
/// after it, even a quote; single quotes mean nothing (syntax.md section 4).
pub(super) fn comment_start(line: &[u8]) -> usize {
    code(line).0
}

/// Whether a double quote of `line`, which has no comment, has no partner.
pub(super) fn has_odd_quotes(line: &[u8]) -> bool {
    code(line).1
}

/// How much of `line` is no comment, and whether a double quote is open there.
fn code(line: &[u8]) -> (usize, bool) {
    let mut quoted = false;
    let mut hidden = false;
    for (at, octet) in line.iter().enumerate() {
        if std::mem::take(&mut hidden) {
            continue;
        }
        match octet {
            b'\\' if !quoted => hidden = true,
            b'"' => quoted = !quoted,
            b'#' | b'!' if !quoted => return (at, false),
            _ => {}
        }
    }
    (line.len(), quoted)
}

/// What text stands for: `\#` and `\!` outside double quotes without their backslash.
pub(super) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut quoted = false;
    let mut octets = text.iter().copied();
    while let Some(octet) = octets.next() {
        if octet == b'\\' && !quoted {
            match octets.next() {
                Some(hidden @ (b'#' | b'!')) => out.push(hidden),
                hidden => out.extend(std::iter::once(octet).chain(hidden)),
            }
        } else {
            quoted ^= octet == b'"';
            out.push(octet);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(line: &str, expected: &[(TokenKind, &str)]) {
        let tokens = tokenize(line.as_bytes());
        let seen: Vec<_> = tokens.iter().map(|token| (token.kind, &line[token.range.clone()])).collect();
        assert_eq!(seen, expected);
    }

    use TokenKind::*;

    #[test]
    fn braces_stand_anywhere() {
        check("a{b}\n", &[(Word, "a"), (Open, "{"), (Word, "b"), (Close, "}"), (Newline, "\n")]);
        check("\"{\"", &[(Quoted, "\"{\"")]);
    }

    /// syntax.md section 4, seen with 2.4.3.
    #[test]
    fn comments_start_outside_double_quotes() {
        check("a#b", &[(Word, "a"), (Comment, "#b")]);
        check("'a!b'", &[(Word, "'a"), (Comment, "!b'")]);
        check("\"a#b\"", &[(Quoted, "\"a#b\"")]);
        check("a\\#b", &[(Word, "a\\#b")]);
        check("a\\\\#b", &[(Word, "a\\\\"), (Comment, "#b")]);
        let plain = |text| String::from_utf8(unescaped(str::as_bytes(text)).into_owned()).unwrap();
        assert_eq!(plain("a\\#b\\!c"), "a#b!c");
        assert_eq!(plain("a\\\\b\\"), "a\\\\b\\");
        assert_eq!(plain("a\\#\"b\\#\""), "a#\"b\\#\"");
    }

    #[test]
    fn a_quote_without_partner_takes_the_rest() {
        check("a \"b c", &[(Word, "a"), (Blank, " "), (Unterminated, "\"b c")]);
    }

    #[test]
    fn the_limit_of_a_line_is_exact() {
        let kind = |length| tokenize("x".repeat(length).as_bytes())[0].kind;
        assert_eq!((kind(MOST_LINE), kind(MOST_LINE + 1)), (Word, Overlong));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}\"#!\\\n\r \t$@~a".to_vec())], 0..3000)) {
            let tokens = tokenize(&bytes);
            let joined: Vec<u8> = tokens.iter().flat_map(|token| bytes[token.range.clone()].to_vec()).collect();
            prop_assert_eq!(joined, bytes);
        }
    }
}
