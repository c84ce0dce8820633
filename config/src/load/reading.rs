//! The values of statements, with a finding for each that is wrong.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use keepalived_core::address::InterfaceName;

use super::known_scripts::KnownScripts;
use super::preferences::Preferences;
use super::statements::{finding_at, keyword_span};
use crate::check::{MOST_SUGGESTIONS, NearMisses};
use crate::facts::{Facts, InterfaceFacts, IprouteDirectories};
use crate::finding::{Finding, Findings, Rule, rule};
use crate::keywords::{self, Beyond, Value};
use crate::syntax::{Node, Tree, Word};
use crate::value::{self, NotANumber};

/// Names that are compared with what was perhaps meant by them; tens of thousands may be defined.
const MOST_COMPARISONS: usize = 200_000;

/// What every part of loading needs.
pub(super) struct Reading<'a> {
    pub(super) tree: &'a Tree,
    pub(super) facts: &'a dyn Facts,
    pub(super) near_misses: NearMisses,
    pub(super) findings: Findings,
    /// `dynamic_interfaces`: what is not there may come.
    pub(super) dynamic_interfaces: bool,
    /// `iproute_etc_dir` and `iproute_usr_dir`
    pub(super) iproute_directories: [Option<String>; 2],
    /// The names of `track_group` blocks.
    pub(super) track_groups: BTreeSet<String>,
    /// What rules without a preference have got.
    pub(super) preferences: Preferences,
    /// What has been learnt about scripts.
    pub(super) scripts: KnownScripts,
    /// How many names have been looked up in vain, and with how many others they may still be compared: it costs time.
    suggestions: usize,
    comparisons: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn new(tree: &'a Tree, facts: &'a dyn Facts, near_misses: NearMisses, findings: Findings) -> Self {
        let (track_groups, preferences) = (BTreeSet::new(), Preferences::default());
        Self {
            tree,
            facts,
            near_misses,
            findings,
            dynamic_interfaces: false,
            iproute_directories: [None, None],
            track_groups,
            preferences,
            scripts: KnownScripts::default(),
            suggestions: 0,
            comparisons: MOST_COMPARISONS,
        }
    }
}

impl Reading<'_> {
    /// Where names for numbers in routes and rules are.
    pub(super) fn iproute(&self) -> IprouteDirectories<'_> {
        let [etc, usr] = &self.iproute_directories;
        IprouteDirectories { etc: etc.as_deref(), usr: usr.as_deref() }
    }

    /// What is known of the interface `name`; `None` if there is none now.
    pub(super) fn known_interface(&self, name: InterfaceName) -> Option<InterfaceFacts> {
        let found = self.facts.interface(name);
        if found.is_none() && !self.dynamic_interfaces {
            self.scripts.absent_interface.set(true);
        }
        found
    }

    pub(super) fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Reports `message` at the keyword of `node`, or nowhere.
    pub(super) fn report_at(&mut self, rule: &'static Rule, node: Option<Node<'_>>, message: impl Into<String>) {
        self.report(finding_at(rule, node, message));
    }

    /// Which of `names` was perhaps meant by `name`.
    pub(super) fn suggest<'n>(&mut self, name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
        self.suggestions = self.suggestions.saturating_add(1);
        if self.suggestions > MOST_SUGGESTIONS || self.comparisons == 0 {
            return None;
        }
        let mut left = self.comparisons;
        let near = keywords::nearest(name, names.inspect(|_| left = left.saturating_sub(1))).map(str::to_owned);
        self.comparisons = left;
        near
    }

    /// Reports that `block` has no `name`. If a word in it is nearly that, both are one mistake, and it is said there.
    pub(super) fn report_missing(
        &mut self,
        rule: &'static Rule,
        block: Node<'_>,
        name: &'static str,
        message: impl Into<String>,
    ) {
        let Some(span) = self.near_misses.get(block, name) else { return self.report_at(rule, Some(block), message) };
        self.findings.withdraw(&rule::UNKNOWN_KEYWORD, span);
        let finding = Finding::at(rule, span, message).label("this is no keyword");
        self.report(finding.help(format!("did you mean {name}?")).fix(span, name));
    }

    /// The whole number after the keyword of `node`, in the range of its row. A missing one has been reported.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self, node: Option<Node<'_>>) -> Option<T> {
        let node = node?;
        let word = node.argument()?;
        let Value::Integer { least, most, beyond } = node.keyword()?.value else { return None };
        let number = match beyond {
            Beyond::Refused => self.number_word(&node.name(), word, least..=most)?,
            Beyond::Clamped => self.clamped_word(&node.name(), word, least..=most)?,
        };
        T::try_from(number).ok()
    }

    /// `word` as a number for `name`.
    pub(super) fn number_word(&mut self, name: &str, word: Word<'_>, range: RangeInclusive<i64>) -> Option<i64> {
        let parsed = value::integer(word.text);
        if let Ok(number) = parsed
            && range.contains(&number)
        {
            return Some(number);
        }
        let (rule, problem) = match parsed {
            Err(NotANumber::Form) => (&rule::NUMBER_INVALID, "is not a number"),
            _ => (&rule::NUMBER_RANGE, "is outside the range"),
        };
        let message = format!("{name} must be {} to {}, not {}", range.start(), range.end(), word.str());
        self.report(Finding::at(rule, word.span, message).label(problem));
        None
    }

    /// The same, but a number outside the range becomes the nearest one in it.
    fn clamped_word(&mut self, name: &str, word: Word<'_>, range: RangeInclusive<i64>) -> Option<i64> {
        let Ok(wanted) = value::integer(word.text) else { return self.number_word(name, word, range) };
        let possible = wanted.clamp(*range.start(), *range.end());
        if possible != wanted {
            let (least, most) = range.into_inner();
            let message = format!("{name} must be {least} to {most}, not {wanted}; {possible} is used");
            self.report(Finding::at(&rule::NUMBER_ADJUSTED, word.span, message));
        }
        Some(possible)
    }

    /// The decimal seconds or milliseconds after the keyword of `node`, in the range of its row.
    pub(super) fn duration(&mut self, node: Option<Node<'_>>) -> Option<Duration> {
        let node = node?;
        let word = node.argument()?;
        let keyword = node.keyword()?;
        let (least, most, unit, parsed) = match keyword.value {
            Value::Seconds { least, most } => (least, most, "seconds", value::seconds(word.text)),
            Value::Millis { least, most } => (least, most, "milliseconds", value::millis(word.text)),
            _ => return None,
        };
        if let Ok(micros) = parsed
            && (least..=most).contains(&micros.count)
        {
            if micros.rounded {
                let message = format!("{} is rounded to {} microseconds", word.str(), micros.count);
                self.report(Finding::at(&rule::DECIMALS, word.span, message));
            }
            return Some(Duration::from_micros(micros.count));
        }
        let rule = if parsed == Err(NotANumber::Form) { &rule::NUMBER_INVALID } else { &rule::NUMBER_RANGE };
        let message = format!("{} must be {} {unit}, not {}", node.name(), keyword.value, word.str());
        self.report(Finding::at(rule, word.span, message));
        None
    }

    /// The word after the keyword of `node`, as its row spells it.
    pub(super) fn choice(&mut self, node: Option<Node<'_>>) -> Option<&'static str> {
        self.choice_by(node, |choice, said| choice == said)
    }

    /// The same for the few keywords for which capitals do not matter.
    pub(super) fn choice_any_case(&mut self, node: Option<Node<'_>>) -> Option<&'static str> {
        self.choice_by(node, <[u8]>::eq_ignore_ascii_case)
    }

    fn choice_by(&mut self, node: Option<Node<'_>>, is: impl Fn(&[u8], &[u8]) -> bool) -> Option<&'static str> {
        let node = node?;
        let word = node.argument()?;
        let Value::Choice(words) = node.keyword()?.value else { return None };
        let found = words.iter().copied().find(|choice| is(choice.as_bytes(), word.text));
        if found.is_none() {
            let message = format!("{} is {}, not {}{}", node.name(), one_of(words), word.str(), instead(node));
            let finding = Finding::at(&rule::WORD_INVALID, word.span, message);
            // the words stand in the message, so only a fix says which of them
            let near = self.suggest(&word.str(), words.iter().copied());
            self.report(match near {
                Some(near) => finding.help(format!("write {near}")).fix(word.span, near),
                None => finding,
            });
        }
        found
    }

    /// The interface after the keyword of `node`, whether it exists or not.
    pub(super) fn interface(&mut self, node: Option<Node<'_>>) -> Option<InterfaceName> {
        node?.argument().and_then(|word| self.interface_name(word))
    }

    /// The value of a switch: on if it has none, or takes none.
    pub(super) fn switch(&mut self, node: Option<Node<'_>>) -> Option<bool> {
        let node = node?;
        if node.keyword()?.value == Value::None {
            return Some(true);
        }
        let Some(word) = node.argument() else { return Some(true) };
        let parsed = value::boolean(word.text);
        if parsed.is_none() {
            let message = format!("{} is on or off (or true, false, yes, no), not {}", node.name(), word.str());
            self.report(Finding::at(&rule::BOOL_INVALID, word.span, message));
        }
        parsed
    }

    /// The address after the keyword of `node`, if `accept` likes it; `wanted` says what that is.
    pub(super) fn address(
        &mut self,
        node: Option<Node<'_>>,
        wanted: &str,
        accept: impl Fn(IpAddr) -> bool,
    ) -> Option<IpAddr> {
        let node = node?;
        let word = node.argument()?;
        let parsed = value::address(word.text).filter(|address| accept(*address));
        if parsed.is_none() {
            let message = format!("{} must be {wanted}, not {}", node.name(), word.str());
            self.report(Finding::at(&rule::ADDRESS_INVALID, word.span, message));
        }
        parsed
    }

    /// `word` as the name of an interface, whether it exists or not.
    pub(super) fn interface_name(&mut self, word: Word<'_>) -> Option<InterfaceName> {
        let name = InterfaceName::new(word.text);
        if name.is_none() {
            let message = format!("{} cannot be the name of an interface", word.str());
            self.report(Finding::at(&rule::INTERFACE_NAME, word.span, message));
        }
        name
    }

    /// The text after the keyword of `node`.
    pub(super) fn text(&self, node: Option<Node<'_>>) -> Option<String> {
        node?.argument().map(|word| word.str().into_owned())
    }

    /// The text after the keyword of `node`, which must be one word.
    pub(super) fn single_text(&mut self, node: Option<Node<'_>>) -> Option<String> {
        if let Some(extra) = node.and_then(|node| node.arguments().get(1)) {
            let message = format!("{} takes exactly one word", node.map(Node::name).unwrap_or_default());
            let last = node.and_then(|node| node.arguments().next_back()).unwrap_or(extra);
            self.findings.withdraw(&rule::EXTRA_WORDS, extra.span.to(last.span));
            let finding = Finding::at(&rule::SINGLE_WORD, extra.span, message).note("the line is left out");
            self.report(finding.help("put the words into one pair of double quotes"));
            return None;
        }
        self.text(node)
    }

    /// The name of a block. keepalived reads one word of it. Without any it exits.
    pub(super) fn first_name(&mut self, node: Node<'_>) -> Option<String> {
        let mut words = node.arguments();
        let Some(word) = words.next() else {
            let message = format!("{} needs a name", node.name());
            self.report_at(&rule::MISSING_PARAMETER, Some(node), message);
            return None;
        };
        if let Some(extra) = words.next() {
            let rest = extra.span.to(words.next_back().map_or(extra.span, |last| last.span));
            let message = format!("{} takes one name; what follows is ignored", node.name());
            self.report(Finding::at(&rule::EXTRA_WORDS, rest, message).help("quote a name that has blanks"));
        }
        Some(word.str().into_owned())
    }

    /// The one name of a block that needs one.
    pub(super) fn block_name(&mut self, node: Node<'_>) -> Option<String> {
        let mut words = node.arguments();
        match (words.next(), words.len()) {
            (Some(word), 0) => Some(word.str().into_owned()),
            _ => {
                let words = node.arguments();
                let problem = if words.is_empty() { "no name" } else { "several names" };
                let message = format!("{} needs exactly one name and has {problem}", node.name());
                let finding = keyword_span(node).map_or_else(
                    || Finding::anywhere(&rule::BLOCK_NAME, message.clone()),
                    |span| Finding::at(&rule::BLOCK_NAME, span, message.clone()),
                );
                self.report(finding.note("the block is left out"));
                None
            }
        }
    }
}

/// What holds where the word of `node` does not: its default, as the table has it.
pub(super) fn instead(node: Node<'_>) -> String {
    let default = node.keyword().map(|keyword| keyword.default).unwrap_or_default();
    match default.split([',', ';']).next().unwrap_or_default() {
        "" | "none" | "off" | "required" => String::new(),
        default => format!("; {default} is used"),
    }
}

/// Words as they are listed in a message.
pub(super) fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
