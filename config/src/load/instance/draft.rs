//! What the parts of an instance are read with.

use keepalived_core::address::InterfaceName;

use super::super::global::Defaults;
use super::super::reading::Reading;
use super::super::statements::Statements;
use crate::facts::InterfaceFacts;
use crate::finding::Rule;
use crate::model::Global;
use crate::syntax::Node;

/// What an instance is read with.
pub(super) struct Draft<'a> {
    pub(super) name: String,
    pub(super) block: Node<'a>,
    pub(super) statements: Statements<'a>,
    pub(super) global: &'a Global,
    pub(super) defaults: &'a Defaults,
}

impl Draft<'_> {
    /// Reports `message` about this instance at the statement `name`, or else at the block.
    pub(super) fn report(&self, reading: &mut Reading<'_>, rule: &'static Rule, name: &str, message: &str) {
        let node = self.statements.last(name).unwrap_or(self.block);
        reading.report_at(rule, Some(node), format!("instance {}: {message}", self.name));
    }

    /// Reports that the statement `name` is missing.
    pub(super) fn missing(&self, reading: &mut Reading<'_>, rule: &'static Rule, name: &'static str, message: &str) {
        reading.report_missing(rule, self.block, name, format!("instance {}: {message}", self.name));
    }
}

/// The interface of an instance, and what is known about it.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) name: Option<InterfaceName>,
    pub(super) facts: Option<InterfaceFacts>,
}

impl Link {
    pub(super) fn mtu(self) -> u32 {
        self.facts.map_or(InterfaceFacts::ETHERNET.mtu, |facts| facts.mtu)
    }
}
