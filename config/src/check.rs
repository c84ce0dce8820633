//! What can be said of a statement from the keyword table alone: unknown words, missing and superfluous values, old
//! spellings, keywords without effect yet.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::finding::{Finding, Findings, rule};
use crate::keywords::{Keyword, Missing, Notice, ROOT, Status, Suggestion, Support, Twice, Value, lookup, suggest};
use crate::span::Span;
use crate::syntax::{Node, NodeId, Tree, Word};

/// How many unknown words of a kind get a "did you mean"; in a file that is no configuration it would take for ever.
pub(crate) const MOST_SUGGESTIONS: usize = 200;

/// Unknown words that are nearly keywords of their block: what is missed there is probably what they were meant to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct NearMisses {
    words: BTreeMap<(NodeId, &'static str), Span>,
    /// Blocks of the top level whose keyword is misspelt: what it was meant to be, and their names.
    blocks: BTreeSet<(&'static str, Vec<u8>)>,
}

impl NearMisses {
    /// Where `block` has something that is nearly `name`.
    pub(crate) fn get(&self, block: Node<'_>, name: &'static str) -> Option<Span> {
        self.words.get(&(block.id(), name)).copied()
    }

    /// Whether a block that was probably meant to be `keyword` defines `name`.
    pub(crate) fn defines(&self, keyword: &'static str, name: Word<'_>) -> bool {
        self.blocks.contains(&(keyword, name.text.to_vec()))
    }
}

/// Checks every statement that stands where keywords stand.
pub(crate) fn check(tree: &Tree, findings: &mut Findings) -> NearMisses {
    let mut near_misses = NearMisses::default();
    let mut without_effect: BTreeMap<(&str, &str), (Span, usize)> = BTreeMap::new();
    let mut suggestions = 0..MOST_SUGGESTIONS;
    let blocks = tree.roots().filter(|node| node.is("vrrp_instance"));
    let instances: HashSet<String> = blocks.filter_map(|node| Some(node.argument()?.str().into_owned())).collect();
    let mut open: Vec<Open<'_>> = Vec::new();
    // those of the top level and of all `global_defs`, which are one
    let mut global = Said::default();
    for node in tree.statements() {
        while open.last().is_some_and(|open| !open.block.holds(node)) {
            open.pop();
        }
        let block = open.last().map(|open| open.block);
        if node.context().is_some() {
            let said = open.last_mut().filter(|open| !open.block.is("global_defs")).map(|open| &mut open.said);
            said.unwrap_or(&mut global).add(node, findings);
        }
        if node.block().is_some() {
            open.push(Open { block: node, said: Said::default() });
        }
        let (Some(context), Some(first)) = (node.context(), node.first()) else { continue };
        let Some(keyword) = node.keyword() else {
            // an instance in a sync group is a member in the old form; the loader says so
            if context == "vrrp_sync_group" && node.block().is_none() && instances.contains(node.name().as_ref()) {
                continue;
            }
            let (span, suggestion) = match parted(context, node) {
                Some((span, row)) => (span, Some(Suggestion::Spelling(row))),
                None => (first.span, suggestions.next().and_then(|_| suggest(context, &node.name()))),
            };
            if let Some(Suggestion::Spelling(row)) = suggestion {
                match block {
                    Some(block) => drop(near_misses.words.insert((block.id(), row.name), span)),
                    None => near_misses.blocks.extend(node.argument().map(|name| (row.name, name.text.to_vec()))),
                }
            }
            findings.push(unknown(context, node, span, suggestion));
            continue;
        };
        arguments(keyword, node, first.span, findings);
        old_spelling(keyword, first.span, findings);
        if !keyword.is_effective() && is_effective_block(context) {
            let seen = without_effect.entry((context, keyword.name)).or_insert((first.span, 0));
            seen.1 = seen.1.saturating_add(1);
        }
    }
    for ((block, name), (span, count)) in without_effect {
        findings.push(not_effective(block, name, span, count));
    }
    near_misses
}

/// A block that is being gone through.
struct Open<'a> {
    block: Node<'a>,
    said: Said,
}

/// The keywords of a block that may stand there once: their numbers and the places of the first. Blocks are short:
/// searching costs less than an index.
#[derive(Default)]
struct Said(Vec<(u16, Span)>);

impl Said {
    /// Takes note of a statement, and says so if there was one like it.
    fn add(&mut self, node: Node<'_>, findings: &mut Findings) {
        let (Some(keyword), Some(word)) = (node.keyword(), node.first()) else { return };
        if keyword.twice == Twice::Each || matches!(keyword.status, Status::Obsolete { .. }) {
            return;
        }
        let number = keyword.spelling_of();
        let Some((_, first)) = self.0.iter().find(|(other, _)| *other == number) else {
            return self.0.push((number, word.span));
        };
        let (rule, message, note) = match keyword.twice {
            Twice::First => (
                &rule::SAID_TWICE,
                format!("{} stands a second time", keyword.name),
                "the first counts, this one is left out",
            ),
            Twice::Last => (&rule::SAID_AGAIN, format!("{} stands a second time", keyword.name), "this one counts"),
            Twice::Silent | Twice::Each => {
                (&rule::REPEATED, format!("{} stands a second time", keyword.name), "this one counts")
            }
        };
        findings.push(Finding::at(rule, word.span, message).note(note).also(*first, "the first is here"));
    }
}

fn is_effective_block(path: &str) -> bool {
    let (parent, name) = path.rsplit_once('/').unwrap_or((ROOT, path));
    path == ROOT || lookup(parent, name).is_some_and(Keyword::is_effective)
}

fn not_effective(block: &str, name: &str, span: Span, count: usize) -> Finding {
    let place = if block == ROOT { String::new() } else { format!(" in {block}") };
    let message = format!("{name}{place} is accepted but has no effect yet");
    let finding = Finding::at(&rule::NOT_EFFECTIVE, span, message);
    match count {
        0 | 1 => finding,
        _ => finding.note(format!("it stands in {count} places; this is the first")),
    }
}

fn unknown(context: &str, node: Node<'_>, span: Span, suggestion: Option<Suggestion>) -> Finding {
    let name = node.name();
    let place = if context == ROOT { "at the top level".to_owned() } else { format!("in {context}") };
    let left_out = if node.block().is_some() { "it is left out, with its block" } else { "it is left out" };
    let finding = |message: String| Finding::at(&rule::UNKNOWN_KEYWORD, span, message).note(left_out);
    match suggestion {
        Some(Suggestion::Spelling(row)) => {
            let help = format!("did you mean {}?", row.name);
            finding(format!("unknown keyword {name} {place}")).help(help).fix(span, row.name)
        }
        Some(Suggestion::Elsewhere(row)) if row.name == name => {
            let finding = finding(format!("{name} does not belong {place}"));
            // a block around this one, or the top level: a brace may be at the wrong place
            let is_around =
                row.block == ROOT || context.strip_prefix(row.block).is_some_and(|rest| rest.starts_with('/'));
            let brace = if is_around { "; is a '}' missing before it, or one too many?" } else { "" };
            finding.help(format!("it belongs {}{brace}", home(row)))
        }
        Some(Suggestion::Elsewhere(row)) => {
            finding(format!("unknown keyword {name} {place}")).help(format!("there is {} {}", row.name, home(row)))
        }
        None => finding(format!("unknown keyword {name} {place}")),
    }
}

/// Where a keyword may stand, in words.
fn home(row: &Keyword) -> String {
    if row.block == ROOT { "at the top level".to_owned() } else { format!("in {}", row.block) }
}

/// A keyword of `context` that is written with a blank in its middle, `real server`, and where both parts are.
fn parted(context: &str, node: Node<'_>) -> Option<(Span, &'static Keyword)> {
    let (first, second) = (node.first()?, node.argument()?);
    let row = lookup(context, &format!("{}_{}", first.str(), second.str()))?;
    Some((first.span.to(second.span), row))
}

fn arguments(keyword: &Keyword, node: Node<'_>, span: Span, findings: &mut Findings) {
    let (arity, given) = (keyword.arity, node.arguments());
    let rule = match keyword.missing {
        Missing::Fatal => &rule::MISSING_PARAMETER,
        Missing::Error => &rule::MISSING_VALUE,
        Missing::Ignored => &rule::MISSING_IGNORED,
    };
    // of a value whose quote is not closed that has been said; but keepalived stops at some
    let is_said = node.is_cut() && keyword.missing != Missing::Fatal;
    if given.len() < arity.least && !keyword.opens_block() && !is_said {
        let finding = Finding::at(rule, span, format!("{} needs a value", keyword.name));
        let good = keyword.value.to_string();
        let good = if good.is_empty() { good } else { format!(": {good}") };
        findings.push(finding.label(format!("expected {}{good}", keyword.arguments)));
    }
    let Some(most) = arity.most else { return };
    let (Some(first), Some(last)) = (given.get(most), given.clone().next_back()) else { return };
    let (rest, name) = (first.span.to(last.span), keyword.name);
    let finding = match keyword.value {
        Value::Lines(_) if most == 0 => {
            let message = format!("{name} takes nothing before its '{{'; {} is ignored", first.str());
            Finding::at(&rule::BLOCK_WORDS, rest, message)
        }
        // what has a name is the loader's: some blocks are left out if they have two
        _ if keyword.opens_block() && most > 0 => return,
        _ if most == 0 => {
            let finding =
                Finding::at(&rule::EXTRA_WORDS, rest, format!("{name} takes no value; what follows it is ignored"));
            let is_negation = matches!(first.str().as_ref(), "off" | "no" | "false") && !keyword.opens_block();
            if is_negation {
                finding.note(format!("{name} is in force: being there is what switches it on"))
            } else {
                finding
            }
        }
        // the loader says it of commands, and what to do about it
        _ if keyword.value == Value::Command => return,
        _ if lookup(keyword.block, &first.str()).is_some() => {
            let next = first.str();
            let message = format!("{next} stands behind {name} and is ignored: each statement has a line of its own");
            Finding::at(&rule::EXTRA_WORDS, rest, message).help(format!("put {next} on the next line"))
        }
        _ => {
            let most = if most == 1 { "one value".to_owned() } else { format!("at most {most} values") };
            Finding::at(&rule::EXTRA_WORDS, rest, format!("{name} takes {most}; what follows is ignored"))
        }
    };
    findings.push(finding);
}

fn old_spelling(keyword: &Keyword, span: Span, findings: &mut Findings) {
    let (use_instead, notice, effect) = match keyword.status {
        Status::Deprecated { use_instead, notice, effect } => (use_instead, notice, effect),
        Status::Obsolete { advice } => {
            let message = format!("{} is a word of keepalived's first years and means nothing today", keyword.name);
            return findings.push(Finding::at(&rule::OBSOLETE, span, message).help(advice));
        }
        Status::Effective | Status::Accepted | Status::Idle { .. } => return,
    };
    let rule = match notice {
        Notice::Reported => &rule::DEPRECATED,
        Notice::Silent => &rule::OLD_SPELLING,
    };
    let finding = Finding::at(rule, span, format!("{} is an old spelling", keyword.name));
    let finding = match effect {
        Support::Effective => finding.help(format!("use {use_instead}")),
        Support::Accepted => finding.help(format!("use {use_instead} (which has no effect yet)")),
    };
    // the same words may follow: only then is the name all there is to change
    let today = lookup(keyword.block, use_instead).filter(|today| today.arguments == keyword.arguments);
    findings.push(match today {
        Some(today) => finding.fix(span, today.name),
        None => finding,
    });
}
