//! The words of one line of a value block, with the ranges of their rows.

use std::net::IpAddr;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::Family;

use super::reading::{Reading, one_of};
use crate::facts::RouteName;
use crate::finding::{Finding, Rule, rule};
use crate::keywords::{self, Value};
use crate::model::Prefix;
use crate::span::Span;
use crate::syntax::{Node, Word, Words};
use crate::value;

/// What is wrong with a word. What becomes of the line is for its language to say.
pub(super) struct Wrong {
    pub(super) span: Option<Span>,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Whether a value is missing: there keepalived exits at once, in routes and rules.
    pub(super) missing: bool,
    /// Whether it is a number outside its range.
    pub(super) is_number: bool,
}

impl Wrong {
    pub(super) fn new(word: Word<'_>, message: impl Into<String>) -> Self {
        Self { span: Some(word.span), ..Self::nowhere(message) }
    }

    pub(super) fn nowhere(message: impl Into<String>) -> Self {
        Self { span: None, message: message.into(), help: None, missing: false, is_number: false }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// As a finding of `rule`.
    pub(super) fn finding(self, rule: &'static Rule) -> Finding {
        let finding = match self.span {
            Some(span) => Finding::at(rule, span, self.message),
            None => Finding::anywhere(rule, self.message),
        };
        match self.help {
            Some(help) => finding.help(help),
            None => finding,
        }
    }
}

/// The words that are still to be read of a line whose options are the rows of `block`.
pub(super) struct Line<'a> {
    block: &'static str,
    words: Words<'a>,
    /// The options so far that have a value.
    options: Vec<Word<'a>>,
    /// Those that stand a second time, and where the first is.
    repeats: Vec<(Word<'a>, Span)>,
}

impl<'a> Line<'a> {
    pub(super) fn new(block: &'static str, node: Node<'a>) -> Self {
        Self { block, words: node.words(), options: Vec::new(), repeats: Vec::new() }
    }

    pub(super) fn next(&mut self) -> Option<Word<'a>> {
        self.words.next()
    }

    pub(super) fn peek(&self) -> Option<Word<'a>> {
        self.words.get(0)
    }

    /// Takes the next word if it is `word`.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|next| next.text == word.as_bytes());
        if found {
            self.words.next();
        }
        found
    }

    /// What follows has its own options: a hop of a route, an encapsulation.
    pub(super) fn part(&mut self) {
        self.options.clear();
    }

    /// The word after `option`.
    pub(super) fn value(&mut self, option: Word<'a>) -> Result<Word<'a>, Wrong> {
        match self.options.iter().find(|known| known.text == option.text) {
            None => self.options.push(option),
            // an option may have more than one word
            Some(first) if first.span == option.span => {}
            Some(first) => self.repeats.push((option, first.span)),
        }
        self.words.next().ok_or_else(|| {
            let wrong = Wrong::new(option, format!("{} needs a value", option.str()));
            Wrong { missing: true, ..wrong }
        })
    }

    fn row(&self, option: Word<'_>) -> Option<Value> {
        keywords::line_option(self.block, &option.str()).map(|row| row.value)
    }

    /// The number after `option`, in the range of its row.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, option: Word<'a>) -> Result<T, Wrong> {
        let word = self.value(option)?;
        let (least, most) = match self.row(option) {
            Some(Value::Integer { least, most, .. }) => (least, most),
            _ => (0, i64::from(u32::MAX)),
        };
        number(option, word, least, most)
    }

    /// The word after `option`, as its row spells it.
    pub(super) fn choice(&mut self, option: Word<'a>) -> Result<&'static str, Wrong> {
        let word = self.value(option)?;
        let Some(Value::Choice(words)) = self.row(option) else {
            return Err(Wrong::new(option, format!("{} has no words to choose from", option.str())));
        };
        words
            .iter()
            .copied()
            .find(|choice| choice.as_bytes() == word.text)
            .ok_or_else(|| Wrong::new(word, format!("{} is {}, not {}", option.str(), one_of(words), word.str())))
    }

    /// The address after `option`.
    pub(super) fn address(&mut self, option: Word<'a>) -> Result<(IpAddr, Word<'a>), Wrong> {
        let word = self.value(option)?;
        value::whole_address(word.text)
            .map(|address| (address, word))
            .ok_or_else(|| Wrong::new(word, format!("{} needs an IP address, not {}", option.str(), word.str())))
    }

    /// The interface after `option`, whether it exists or not.
    pub(super) fn interface(&mut self, option: Word<'a>) -> Result<(InterfaceName, Word<'a>), Wrong> {
        let word = self.value(option)?;
        InterfaceName::new(word.text).map(|name| (name, word)).ok_or_else(|| {
            Wrong::new(word, format!("{} needs the name of an interface, not {}", option.str(), word.str()))
        })
    }
}

/// `word` as a number for `option`.
pub(super) fn number<T: TryFrom<i64>>(option: Word<'_>, word: Word<'_>, least: i64, most: i64) -> Result<T, Wrong> {
    let number = value::integer(word.text).ok().filter(|number| (least..=most).contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        let wrong = Wrong::new(word, format!("{} must be {least} to {most}, not {}", option.str(), word.str()));
        Wrong { is_number: true, ..wrong }
    })
}

/// A number that `Reading::named` has kept below 256.
pub(super) fn narrow(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// `word` as an address with or without a length; `None` for `default` and its like.
pub(super) fn prefix(word: Word<'_>) -> Option<Option<Prefix>> {
    if matches!(word.text, b"default" | b"any" | b"all") {
        return Some(None);
    }
    let (address, length) = match word.text.iter().position(|octet| *octet == b'/') {
        Some(slash) => (word.text.get(..slash)?, word.text.get(slash.saturating_add(1)..)),
        None => (word.text, None),
    };
    let address = value::whole_address(address)?;
    let most = whole(Family::of(address));
    let length = match length {
        Some(length) => u8::try_from(value::integer(length).ok()?).ok().filter(|length| *length <= most)?,
        None => most,
    };
    Some(Some(Prefix { address, length }))
}

/// The length of a whole address.
fn whole(family: Family) -> u8 {
    match family {
        Family::V4 => 32,
        Family::V6 => 128,
    }
}

/// The prefix of everything.
pub(super) fn everything(family: Family) -> Prefix {
    let address = match family {
        Family::V4 => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    };
    Prefix { address, length: 0 }
}

/// The family that a line turns out to have: the first word that has one decides.
#[derive(Default)]
pub(super) struct Mixed(Option<Family>);

impl Mixed {
    /// Takes note of `family`, which `word` has.
    pub(super) fn note(&mut self, family: Family, word: Word<'_>) -> Result<(), Wrong> {
        let said = *self.0.get_or_insert(family);
        if said == family {
            return Ok(());
        }
        Err(Wrong::new(word, format!("{} is {family} in a line that is {said}", word.str())))
    }

    /// What it is in the end.
    pub(super) fn family(&self) -> Family {
        self.0.unwrap_or(Family::V4)
    }
}

impl Reading<'_> {
    /// Says which options of `line` stand twice. keepalived takes the last one without a word.
    pub(super) fn report_repeats(&mut self, line: &Line<'_>) {
        for (option, first) in &line.repeats {
            let message = format!("{} stands a second time in this line", option.str());
            let finding = Finding::at(&rule::REPEATED, option.span, message).note("this one counts");
            self.report(finding.also(*first, "the first is here"));
        }
    }

    /// `word` as a number in C's way or as a name of `kind`, at most `most`.
    pub(super) fn named(&self, kind: RouteName, option: Word<'_>, word: Word<'_>, most: u32) -> Result<u32, Wrong> {
        let number = value::c_number(word.text).or_else(|| self.facts.route_name(kind, &word.str(), self.iproute()));
        number.filter(|number| *number <= most).ok_or_else(|| {
            let wrong = Wrong::new(word, format!("{} knows no {}", option.str(), word.str()));
            wrong.help(format!("write its number, or add the name to {}", kind.file()))
        })
    }

    /// That the interface `name` exists, or may come later.
    pub(super) fn present(&self, name: InterfaceName, word: Word<'_>) -> Result<InterfaceName, Wrong> {
        if self.dynamic_interfaces || self.known_interface(name).is_some() {
            return Ok(name);
        }
        let wrong = Wrong::new(word, format!("there is no interface {name}"));
        Err(wrong.help("correct the name, or add dynamic_interfaces to global_defs if it appears later"))
    }
}
