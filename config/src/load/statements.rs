//! The statements of a block, by keyword.

use std::collections::HashSet;

use crate::finding::{Finding, Rule};
use crate::span::Span;
use crate::syntax::Node;

/// The statements of a block by keyword. Blocks are short: searching them costs less than an index.
pub(super) struct Statements<'a>(Vec<Node<'a>>);

impl<'a> Statements<'a> {
    /// Takes the `nodes` that have a keyword; the others have been reported.
    pub(super) fn of(nodes: impl Iterator<Item = Node<'a>>) -> Self {
        Self(nodes.filter(|node| node.keyword().is_some()).collect())
    }

    /// The last of `name`: it is the one that counts.
    pub(super) fn last(&self, name: &str) -> Option<Node<'a>> {
        self.0.iter().rfind(|node| node.is(name)).copied()
    }

    /// The first of `name`: of some keywords it is the one that counts (`Twice::First`).
    pub(super) fn first(&self, name: &str) -> Option<Node<'a>> {
        self.0.iter().find(|node| node.is(name)).copied()
    }

    /// All of `name`, in the order of the text.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = Node<'a>> {
        self.0.iter().copied().filter(move |node| node.is(name))
    }

    /// Whether `name` stands there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    /// Of each keyword the last: it is the one that counts.
    pub(super) fn effective(&self) -> Self {
        let mut seen = HashSet::new();
        let last = self.0.iter().rev().filter(|node| node.keyword().is_some_and(|keyword| seen.insert(keyword.name)));
        Self(last.copied().collect())
    }

    /// All but those of `name`.
    pub(super) fn without(&self, name: &str) -> impl Iterator<Item = Node<'a>> {
        self.0.iter().copied().filter(move |node| !node.is(name))
    }

    /// All of either name.
    pub(super) fn all_of(&self, one: &str, other: &str) -> impl Iterator<Item = Node<'a>> {
        self.0.iter().copied().filter(move |node| node.is(one) || node.is(other))
    }

    /// The last of either name.
    pub(super) fn last_of(&self, one: &str, other: &str) -> Option<Node<'a>> {
        self.0.iter().rfind(|node| node.is(one) || node.is(other)).copied()
    }
}

/// The span of the keyword of `node`.
pub(super) fn keyword_span(node: Node<'_>) -> Option<Span> {
    node.first().map(|word| word.span)
}

/// A finding at the keyword of `node`, or nowhere.
pub(super) fn finding_at(rule: &'static Rule, node: Option<Node<'_>>, message: impl Into<String>) -> Finding {
    match node.and_then(keyword_span) {
        Some(span) => Finding::at(rule, span, message),
        None => Finding::anywhere(rule, message),
    }
}
