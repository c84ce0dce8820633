//! What editors offer to the author of a configuration: block by block, from the table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Keyword, Kind, Status, Value, all, block_opened};

/// One word that may stand in a block.
#[derive(Clone, Debug, Serialize)]
pub struct Offer {
    /// The word.
    pub word: &'static str,
    /// What sort of word it is: `keyword`, `directive`, `option`.
    pub kind: &'static str,
    /// What follows it.
    pub arguments: &'static str,
    /// The words that may follow it, if they can be listed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub values: &'static [&'static str],
    /// The block that it opens: a key of the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
    /// Whether something newer should be written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub old: bool,
}

/// The words of each block.
pub fn completion() -> BTreeMap<&'static str, Vec<Offer>> {
    let mut blocks: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in all() {
        blocks.entry(row.block).or_default().push(offer(row));
    }
    blocks
}

fn offer(row: &'static Keyword) -> Offer {
    let kind = match row.kind {
        Kind::Keyword => "keyword",
        Kind::Directive => "directive",
        Kind::LineOption => "option",
    };
    let values: &[&str] = match row.value {
        Value::Switch => &["on", "off"],
        Value::Choice(words) => words,
        _ => &[],
    };
    let opens = match row.value {
        Value::Lines(lines) if !lines.is_empty() => Some(lines),
        Value::Block => block_opened(row.block, row.name),
        _ => None,
    };
    let old = matches!(row.status, Status::Deprecated { .. } | Status::Obsolete { .. });
    Offer { word: row.name, kind, arguments: row.arguments, values, opens, help: row.meaning, old }
}
