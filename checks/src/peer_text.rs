//! What a peer says, as far as an administrator needs to read it.

use std::fmt::{self, Write as _};

/// Text that a peer may have had a hand in: all text that a failure holds. It goes to logs, dumps and terminals, so it
/// is short, on one line, and is read as it is written: what controls a terminal or turns the direction of writing is
/// replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerText(Box<str>);

impl PeerText {
    /// Characters of it at most; three more say that it was cut.
    pub const LONGEST: usize = 200;

    /// Takes `octets` in any encoding. It reads no more of them than it shows.
    pub fn new(octets: &[u8]) -> Self {
        // a character has four octets at most
        let looked_at = octets.get(..Self::LONGEST * 4).unwrap_or(octets);
        let mut text = Cleaned::default();
        text.push(&String::from_utf8_lossy(looked_at));
        text.finish(looked_at.len() < octets.len())
    }

    /// Takes what `value` shows of itself: an error of a library may quote the peer.
    pub fn show(value: &(impl fmt::Display + ?Sized)) -> Self {
        let mut text = Cleaned::default();
        // it fails when there is enough
        let is_cut = write!(text, "{value}").is_err();
        text.finish(is_cut)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PeerText {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl fmt::Display for PeerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Default)]
struct Cleaned {
    text: String,
    length: usize,
}

impl Cleaned {
    /// False if not all of it found room.
    fn push(&mut self, text: &str) -> bool {
        for letter in text.chars() {
            if self.length == PeerText::LONGEST {
                return false;
            }
            self.text.push(if is_hidden(letter) { '.' } else { letter });
            self.length += 1;
        }
        true
    }

    fn finish(mut self, is_cut: bool) -> PeerText {
        if is_cut || self.length == PeerText::LONGEST {
            self.text.push_str("...");
        }
        PeerText(self.text.into())
    }
}

impl fmt::Write for Cleaned {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.push(text) { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Whether a letter does something instead of being seen: C0, DEL and C1, the ends of lines and paragraphs (Zl, Zp),
/// the controls of direction (Unicode UAX #9, table 4), and what has no width (U+200B to U+200D, U+2060, U+FEFF).
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], text: &str) {
        assert_eq!(PeerText::new(octets).as_str(), text);
        if let Ok(valid) = std::str::from_utf8(octets) {
            assert_eq!(PeerText::show(&valid).as_str(), text);
        }
    }

    #[test]
    fn what_a_peer_says_is_short_and_is_what_is_seen() {
        check("554 no, gr\u{fc}\u{df} dich".as_bytes(), "554 no, gr\u{fc}\u{df} dich");
        check(b"a\x1b[31mb\r\n\t\0\x7f", "a.[31mb.....");
        check("a\u{9b}31mb\u{85}".as_bytes(), "a.31mb.");
        check("a\u{202e}b\u{2066}c\u{200f}d\u{61c}e\u{2029}f\u{feff}".as_bytes(), "a.b.c.d.e.f.");
        check(b"\xff\xfe\x9b", "\u{fffd}\u{fffd}\u{fffd}");
        let whole = "x".repeat(199);
        check(whole.as_bytes(), &whole);
        check("x".repeat(16_384).as_bytes(), &("x".repeat(200) + "..."));
        check("\u{1f600}".repeat(16_384).as_bytes(), &("\u{1f600}".repeat(200) + "..."));
    }
}
