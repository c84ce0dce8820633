//! Commands in text: words as a shell would split them, and escapes (syntax.md section 6).

use std::ops::Range;

/// Why a command cannot be split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CommandError {
    /// This quote is not closed.
    UnmatchedQuote(char),
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnmatchedQuote(quote) => write!(f, "{quote} is not closed"),
        }
    }
}

/// What becomes of a backslash and what follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Escapes {
    Kept,
    Resolved,
}

/// A word, and what it was made from.
pub(crate) type Piece = (Range<usize>, Vec<u8>);

/// The words of a line with a command: both kinds of quotes are removed, adjacent pieces join, escapes are kept.
pub(crate) fn words(text: &[u8]) -> Result<Vec<Piece>, CommandError> {
    split(text, Escapes::Kept)
}

/// The program and the arguments that the word after a keyword stands for.
pub(crate) fn argv(text: &[u8]) -> Result<Vec<Vec<u8>>, CommandError> {
    Ok(split(text, Escapes::Resolved)?.into_iter().map(|(_, word)| word).collect())
}

/// A word of `words` with its escapes resolved: what `regex` takes.
pub(crate) fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut at = 0;
    while let Some(octet) = word.get(at) {
        let rest = word.get(at.saturating_add(1)..).unwrap_or_default();
        at = at.saturating_add(1);
        if *octet == b'\\' {
            at = at.saturating_add(escape(rest, &mut out));
        } else {
            out.push(*octet);
        }
    }
    out
}

fn split(text: &[u8], escapes: Escapes) -> Result<Vec<Piece>, CommandError> {
    let mut out = Vec::new();
    let mut word: Option<(usize, Vec<u8>)> = None;
    let mut quote = None;
    let mut at = 0;
    while let Some(octet) = text.get(at).copied() {
        let start = at;
        at = at.saturating_add(1);
        if quote.is_none() && (octet.is_ascii_whitespace() || octet == b'\x0b') {
            out.extend(word.take().map(|(from, word)| (from..start, word)));
            continue;
        }
        let (_, made) = word.get_or_insert_with(|| (start, Vec::new()));
        match octet {
            b'\\' => {
                let rest = text.get(at..).unwrap_or_default();
                let length = match escapes {
                    Escapes::Resolved => escape(rest, made),
                    Escapes::Kept => {
                        made.push(octet);
                        made.extend(rest.first());
                        rest.len().min(1)
                    }
                };
                at = at.saturating_add(length);
            }
            b'"' | b'\'' if quote == Some(octet) => quote = None,
            b'"' | b'\'' if quote.is_none() => quote = Some(octet),
            _ => made.push(octet),
        }
    }
    if let Some(quote) = quote {
        return Err(CommandError::UnmatchedQuote(char::from(quote)));
    }
    out.extend(word.map(|(from, word)| (from..text.len(), word)));
    Ok(out)
}

/// Puts what a backslash before `rest` stands for into `out`; gives how much of `rest` belongs to it.
fn escape(rest: &[u8], out: &mut Vec<u8>) -> usize {
    let digits = |from: &[u8], most: usize, radix: u32| {
        from.iter().take(most).take_while(|octet| char::from(**octet).is_digit(radix)).count()
    };
    let value = |digits: &[u8], radix: u32| {
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        u32::from_str_radix(digits, radix).ok().and_then(|value| u8::try_from(value & 0xff).ok()).unwrap_or(0)
    };
    let Some((first, after)) = rest.split_first() else {
        out.push(b'\\');
        return 0;
    };
    let plain = match first {
        b'a' => b'\x07',
        b'b' => b'\x08',
        b'E' => b'\x1b',
        b'f' => b'\x0c',
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => b'\x0b',
        b'x' => {
            let length = digits(after, 2, 16);
            out.push(if length == 0 { b'x' } else { value(after.get(..length).unwrap_or_default(), 16) });
            return length.saturating_add(1);
        }
        b'c' => {
            let Some(control) = after.first() else {
                out.push(b'c');
                return 1;
            };
            out.push(control & 0x1f);
            return 2;
        }
        b'0'..=b'7' => {
            let length = digits(rest, 3, 8);
            out.push(value(rest.get(..length).unwrap_or_default(), 8));
            return length;
        }
        other => *other,
    };
    out.push(plain);
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_words(text: &str, expected: &[&str]) {
        let words = words(text.as_bytes()).unwrap();
        let seen: Vec<_> = words.iter().map(|(_, word)| String::from_utf8_lossy(word).into_owned()).collect();
        assert_eq!(seen, expected, "{text}");
    }

    fn check_argv(text: &str, expected: &[&[u8]]) {
        assert_eq!(argv(text.as_bytes()).unwrap(), expected, "{text}");
    }

    /// syntax.md section 6, step 1.
    #[test]
    fn both_quotes_group_and_pieces_join() {
        check_words(
            "notify \"/path/script arg 'arg with space'\" user group",
            &["notify", "/path/script arg 'arg with space'", "user", "group"],
        );
        check_words("a 'b \"c\" d'e\"f g\"", &["a", "b \"c\" def g"]);
        check_words("a '' \"\"", &["a", "", ""]);
        check_words("a\\ b \\'c \"d\\\"e\"", &["a\\ b", "\\'c", "d\\\"e"]);
        check_words(" a\t\x0bb ", &["a", "b"]);
        assert_eq!(words(b" ab 'c'").unwrap(), [(1..3, b"ab".to_vec()), (4..7, b"c".to_vec())]);
        for open in ["a 'b", "a \"b'", "'a\\'"] {
            assert!(words(open.as_bytes()).is_err(), "{open}");
        }
    }

    /// syntax.md section 6, step 2.
    #[test]
    fn escapes_are_resolved_in_and_outside_quotes() {
        check_argv("/path/script arg 'arg with space'", &[b"/path/script", b"arg", b"arg with space"]);
        check_argv("\\a\\b\\E\\f\\n\\r\\t\\v", &[b"\x07\x08\x1b\x0c\n\r\t\x0b"]);
        check_argv("'\\x4\\x41g' \\x", &[b"\x04Ag", b"x"]);
        check_argv("\\cA\\c[", &[b"\x01\x1b"]);
        check_argv("\\1 \\12 \\101 \\1018", &[b"\x01", b"\n", b"A", b"A8"]);
        check_argv("\"a\\\"b\" c\\ d \\\\ \\q", &[b"a\"b", b"c d", b"\\", b"q"]);
        check_argv("a\\", &[b"a\\"]);
        check_argv("", &[]);
        assert_eq!(argv(b"sh -c 'x"), Err(CommandError::UnmatchedQuote('\'')));
    }

    /// `regex` splits once, with escapes.
    #[test]
    fn a_word_is_unescaped_once() {
        for text in ["\"a b\\\"c\\n\"", "'x\\x41'y\\101", "a\\\\b"] {
            let once = argv(text.as_bytes()).unwrap();
            let twice: Vec<_> = words(text.as_bytes()).unwrap().iter().map(|(_, word)| unescaped(word)).collect();
            assert_eq!(once, twice, "{text}");
        }
    }
}
