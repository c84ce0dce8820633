//! A tree as one text: includes, definitions and conditions are resolved, secrets are not shown.

use std::borrow::Cow;

use super::indent::indent;
use super::tree::{Node, Tree};

/// What stands for a secret.
const HIDDEN: &[u8] = b"********";

impl Tree {
    /// The statements as lines in the layout of `format`, each with its end. Passwords and keys are left out.
    pub fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        let mut nodes = self.statements().enumerate().peekable();
        // one past the last statement of each block that is open
        let mut ends: Vec<usize> = Vec::new();
        std::iter::from_fn(move || {
            let index = nodes.peek().map_or(usize::MAX, |(index, _)| *index);
            if ends.pop_if(|end| *end <= index).is_some() {
                return Some(line(ends.len(), b"}"));
            }
            let (_, node) = nodes.next()?;
            let words = self.written(node).enumerate();
            let words = words.map(|(place, word)| if is_secret(node, place) { Cow::Borrowed(HIDDEN) } else { word });
            let mut text = words.collect::<Vec<_>>().join(&b' ');
            let depth = ends.len();
            if node.block().is_some() {
                text.extend_from_slice(b" {");
                ends.push(node.end());
            }
            Some(line(depth, &text))
        })
    }

    /// The words as they may stand in a file: as they stand in this one, or quoted if a definition made them.
    fn written<'a>(&'a self, node: Node<'a>) -> impl Iterator<Item = Cow<'a, [u8]>> {
        node.words().map(|word| {
            let there = self.files().text(word.span);
            if there == word.text || quoted(word.text) == there {
                return Cow::Borrowed(there);
            }
            let needs_quotes = word.text.is_empty() || word.text.iter().any(|octet| b" \t!#{}".contains(octet));
            if needs_quotes { Cow::Owned(quoted(word.text)) } else { Cow::Borrowed(word.text) }
        })
    }
}

fn line(depth: usize, text: &[u8]) -> Vec<u8> {
    [" ".repeat(indent(depth)).as_bytes(), text, b"\n"].concat()
}

fn quoted(text: &[u8]) -> Vec<u8> {
    [b"\"", text, b"\""].concat()
}

/// Whether the word at `place` is a password or a key. A path to one is not.
fn is_secret(node: Node<'_>, place: usize) -> bool {
    let Some(keyword) = node.keyword() else { return false };
    match keyword.name {
        "auth_pass" => place > 0,
        "key" if keyword.block.ends_with("auth_hmac") => {
            place > 1 && node.words().get(place).is_none_or(|word| !word.text.starts_with(b"file:"))
        }
        _ => false,
    }
}
