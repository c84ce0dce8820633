//! Octets to tokens. Nothing is lost: the tokens of a file, one after the other, are the file.

use std::ops::Range;

/// The most octets of a line that are read, newline not counted (`MAXBUF` of keepalived less newline and NUL).
pub const MOST_LINE: usize = 1022;

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
    let mut at = 0;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        at = BYTE_ORDER_MARK.len();
        out.push(Token { kind: TokenKind::ByteOrderMark, range: 0..at });
    }
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
        let end = at.saturating_add(length);
        tokenize_line(rest.get(..length).unwrap_or_default(), at, &mut out);
        if end < bytes.len() {
            out.push(Token { kind: TokenKind::Newline, range: end..end.saturating_add(1) });
        }
        at = end.saturating_add(1);
    }
    out
}

/// The tokens of one line without its newline, which stands at `offset`.
pub(super) fn tokenize_line(line: &[u8], offset: usize, out: &mut Vec<Token>) {
    let mut push = |kind, start: usize, end: usize| {
        if end > start {
            out.push(Token { kind, range: start.saturating_add(offset)..end.saturating_add(offset) });
        }
    };
    if line.len() > MOST_LINE {
        return push(TokenKind::Overlong, 0, line.len());
    }
    if line.contains(&0) {
        return push(TokenKind::Binary, 0, line.len());
    }
    let comment = comment_start(line);
    let code = line.get(..comment).unwrap_or(line);
    let mut at = 0;
    while let Some(first) = code.get(at) {
        let (kind, end) = match first {
            b'{' => (TokenKind::Open, at.saturating_add(1)),
            b'}' => (TokenKind::Close, at.saturating_add(1)),
            b'"' => quoted(code, at),
            octet if is_blank(*octet) => (TokenKind::Blank, run(code, at, is_blank)),
            _ => (TokenKind::Word, run(code, at, |octet| !is_blank(octet) && !matches!(octet, b'{' | b'}' | b'"'))),
        };
        push(kind, at, end);
        at = end;
    }
    push(TokenKind::Comment, comment, line.len());
}

/// Blank, tab, form feed, CR, vertical tab (and newline, which a line does not hold).
pub(super) fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\x0c' | b'\r' | b'\x0b' | b'\n')
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

/// Where the comment of `line` starts; its length if there is none. Outside double quotes a backslash hides the octet after
/// it, even a quote; single quotes mean nothing (syntax.md section 4).
fn comment_start(line: &[u8]) -> usize {
    let mut quoted = false;
    let mut hidden = false;
    for (at, octet) in line.iter().enumerate() {
        if std::mem::take(&mut hidden) {
            continue;
        }
        match octet {
            b'\\' if !quoted => hidden = true,
            b'"' => quoted = !quoted,
            b'#' | b'!' if !quoted => return at,
            _ => {}
        }
    }
    line.len()
}

/// What a bare word stands for: `\#` and `\!` without their backslash.
pub(super) fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut octets = word.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match (octet, octets.peek().copied()) {
            (b'\\', Some(b'#' | b'!')) => {}
            (b'\\', Some(next)) => {
                out.extend([octet, next]);
                octets.next();
            }
            _ => {
                out.push(octet);
                continue;
            }
        }
        if let Some(b'#' | b'!') = octets.peek() {
            out.extend(octets.next());
        }
    }
    out
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
        assert_eq!(unescaped(b"a\\#b\\!c"), b"a#b!c");
        assert_eq!(unescaped(b"a\\\\b\\"), b"a\\\\b\\");
    }

    #[test]
    fn a_quote_without_partner_takes_the_rest() {
        check("a \"b c", &[(Word, "a"), (Blank, " "), (Unterminated, "\"b c")]);
    }

    /// 1022 characters are accepted, 1023 are not.
    #[test]
    fn the_limit_of_a_line_is_exact() {
        let kind = |length| tokenize("x".repeat(length).as_bytes())[0].kind;
        assert_eq!((kind(1022), kind(1023)), (Word, Overlong));
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
