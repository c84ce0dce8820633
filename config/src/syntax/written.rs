//! A tree as one text: includes, definitions and conditions are resolved, secrets are not shown.

use super::indent::indent;
use super::tree::{Node, Tree};
use crate::secret::Secrets;

/// What stands for a secret.
const HIDDEN: &[u8] = b"********";

impl Tree {
    /// Has `take` take the statements line by line, each with its end, in the layout of `format`. Passwords and keys are left out.
    ///
    /// # Errors
    /// The first of `take`.
    pub fn try_lines<E>(&self, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        // one past the last statement of each block that is open
        let mut ends: Vec<usize> = Vec::new();
        let mut line = Vec::new();
        for (index, node) in self.statements().enumerate() {
            close(&mut ends, index, &mut take)?;
            begin(&mut line, ends.len());
            self.write(node, &mut line);
            if node.block().is_some() {
                line.extend_from_slice(b" {");
                ends.push(node.end());
            }
            line.push(b'\n');
            take(&line)?;
        }
        close(&mut ends, usize::MAX, &mut take)
    }

    /// Writes the words of a statement: as they stand in a file, or so that they say the same if a definition made them.
    fn write(&self, node: Node<'_>, line: &mut Vec<u8>) {
        let first = node.first().map(|first| first.text).unwrap_or_default();
        let is_known = node.keyword().is_some();
        let has_paths = node.keyword().is_some_and(|keyword| keyword.block == "SSL");
        let mut secrets = if is_known { Secrets::default() } else { Secrets::after_unknown(first) };
        for (place, word) in node.words().enumerate() {
            if place > 0 {
                line.push(b' ');
            }
            let there = self.files().text(word.span);
            let is_quoted = there.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) == Some(word.text);
            if secrets.hides(word.text, has_paths) && place > 0 {
                line.extend_from_slice(HIDDEN);
            } else if there == word.text || is_quoted {
                line.extend_from_slice(there);
            } else {
                quote(word.text, line);
            }
        }
    }
}

/// Closes the blocks that have ended before the statement `index`.
fn close<E>(ends: &mut Vec<usize>, index: usize, take: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    while ends.pop_if(|end| *end <= index).is_some() {
        let mut line = Vec::new();
        begin(&mut line, ends.len());
        line.extend_from_slice(b"}\n");
        take(&line)?;
    }
    Ok(())
}

fn begin(line: &mut Vec<u8>, depth: usize) {
    line.clear();
    line.resize(indent(depth), b' ');
}

/// Writes `text` as one word. With a double quote inside, it cannot be quoted: then it has no blanks, and the octets that begin a
/// comment are hidden.
fn quote(text: &[u8], line: &mut Vec<u8>) {
    if text.contains(&b'"') {
        for octet in text {
            if b"!#".contains(octet) {
                line.push(b'\\');
            }
            line.push(*octet);
        }
    } else if text.is_empty() || text.iter().any(|octet| b" \t!#{}".contains(octet)) {
        line.push(b'"');
        line.extend_from_slice(text);
        line.push(b'"');
    } else {
        line.extend_from_slice(text);
    }
}
