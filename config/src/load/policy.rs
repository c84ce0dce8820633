//! The lines of `virtual_rules` and `static_rules`.

use keepalived_core::vrrp::Family;

use super::line::{Line, Mixed, Wrong, everything, narrow, prefix};
use super::reading::Reading;
use super::routing::{Block, realms, track_group, tracked_protocol};
use crate::facts::RouteName;
use crate::finding::{Finding, rule};
use crate::keywords;
use crate::model::{Mark, PolicyRule, Prefix, RareSelectors, RuleAction};
use crate::syntax::{Node, Word};
use crate::value;

const BLOCK: &str = "<rule line>";

/// Reads every line of `node`; one that is wrong is left out.
pub(super) fn lines(reading: &mut Reading<'_>, node: Node<'_>, block: Block) -> Vec<PolicyRule> {
    node.children().filter_map(|line| read(reading, line, block)).collect()
}

fn read(reading: &mut Reading<'_>, node: Node<'_>, block: Block) -> Option<PolicyRule> {
    let mut draft = Draft { block, ..Draft::default() };
    let first = node.first()?;
    let mut line = Line::new(BLOCK, node);
    let result = draft.read(reading, &mut line).and_then(|()| draft.finish(reading, first));
    reading.report_repeats(&line);
    match result {
        Ok(rule) => Some(rule),
        Err(wrong) => {
            let rule = if wrong.missing { &rule::MISSING_PARAMETER } else { &rule::RULE_INVALID };
            reading.report(wrong.finding(rule).note("the rule is left out"));
            None
        }
    }
}

/// A rule before it is known to be whole.
#[derive(Default)]
struct Draft<'a> {
    block: Block,
    family: Mixed,
    /// `None` inside is everything.
    from: Option<Option<Prefix>>,
    to: Option<Option<Prefix>>,
    inverted: bool,
    input: Option<keepalived_core::address::InterfaceName>,
    output: Option<keepalived_core::address::InterfaceName>,
    action: Option<(RuleAction, Word<'a>)>,
    preference: Option<u32>,
    tos: u8,
    mark: Option<Mark>,
    realms: Option<crate::model::Realms>,
    suppress_prefix_length: Option<u32>,
    suppress_group: Option<u32>,
    rare: RareSelectors,
    protocol: Option<(u8, Word<'a>)>,
    untracked: bool,
    track_group: Option<Word<'a>>,
}

impl<'a> Draft<'a> {
    fn read(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>) -> Result<(), Wrong> {
        while let Some(word) = line.next() {
            let known = self.selector(reading, line, word)?
                || self.rare_selector(line, word)?
                || self.other(reading, line, word)?;
            if !known {
                self.action(reading, line, word)?;
            }
        }
        Ok(())
    }

    fn prefix(&mut self, line: &mut Line<'a>, word: Word<'a>) -> Result<Option<Option<Prefix>>, Wrong> {
        let value = line.value(word)?;
        if value.text == b"default6" {
            self.family.note(Family::V6, value)?;
            return Ok(Some(None));
        }
        let prefix = prefix(value)
            .ok_or_else(|| Wrong::new(value, format!("{} needs a prefix or all, not {}", word.str(), value.str())))?;
        if let Some(prefix) = prefix {
            self.family.note(Family::of(prefix.address), value)?;
        }
        Ok(Some(prefix))
    }

    /// What a packet must have for the rule; `false` if `word` is no such thing.
    fn selector(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>, word: Word<'a>) -> Result<bool, Wrong> {
        match word.text {
            b"inet" => self.family.note(Family::V4, word)?,
            b"inet6" => self.family.note(Family::V6, word)?,
            b"from" => self.from = self.prefix(line, word)?,
            b"to" => self.to = self.prefix(line, word)?,
            b"not" => self.inverted = true,
            b"iif" | b"dev" => {
                let (name, value) = line.interface(word)?;
                self.input = Some(reading.present(name, value)?);
            }
            b"oif" => {
                let (name, value) = line.interface(word)?;
                self.output = Some(reading.present(name, value)?);
            }
            b"tos" | b"dsfield" => {
                let value = line.value(word)?;
                self.tos = narrow(reading.named(RouteName::DsField, word, value, 255)?);
            }
            b"fwmark" => {
                let value = line.value(word)?;
                self.mark = Some(mark(value).ok_or_else(|| {
                    Wrong::new(value, format!("fwmark needs MARK or MARK/MASK in any base, not {}", value.str()))
                })?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn rare_selector(&mut self, line: &mut Line<'a>, word: Word<'a>) -> Result<bool, Wrong> {
        let rare = &mut self.rare;
        match word.text {
            b"tunnel-id" => {
                let value = line.value(word)?;
                let id = value.str().parse().ok();
                rare.tunnel_id =
                    Some(id.ok_or_else(|| Wrong::new(value, format!("tunnel-id is no number: {}", value.str())))?);
            }
            b"uidrange" => {
                let value = line.value(word)?;
                rare.users = Some(range(value, u32::MAX).ok_or_else(|| {
                    Wrong::new(value, format!("uidrange needs two numbers such as 1000-1999, not {}", value.str()))
                })?);
            }
            b"ipproto" | b"ip_proto" => {
                let value = line.value(word)?;
                rare.ip_protocol = Some(ip_protocol(value).ok_or_else(|| {
                    Wrong::new(value, format!("ipproto needs 0 to 255 or a name such as tcp, not {}", value.str()))
                })?);
            }
            b"sport" => rare.source_ports = Some(ports(line, word)?),
            b"dport" => rare.destination_ports = Some(ports(line, word)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What the rule has besides selectors and its action.
    fn other(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>, word: Word<'a>) -> Result<bool, Wrong> {
        match word.text {
            b"preference" | b"order" | b"priority" => {
                let value = line.value(word)?;
                self.preference = Some(value::c_number(value.text).ok_or_else(|| {
                    Wrong::new(value, format!("{} must be 0 to 4294967295, not {}", word.str(), value.str()))
                })?);
            }
            b"realms" => {
                let value = line.value(word)?;
                self.realms = Some(realms(reading, word, value)?);
                self.family.note(Family::V4, word)?;
            }
            b"suppress_prefixlength" | b"sup_pl" => self.suppress_prefix_length = Some(line.number(word)?),
            b"suppress_ifgroup" | b"sup_group" => {
                let value = line.value(word)?;
                self.suppress_group = Some(reading.named(RouteName::Group, word, value, i32::MAX.unsigned_abs())?);
            }
            b"protocol" => {
                let value = line.value(word)?;
                self.protocol = Some((narrow(reading.named(RouteName::Protocol, word, value, 255)?), value));
            }
            b"no_track" => self.untracked = true,
            b"track_group" if self.block == Block::Static => self.track_group = Some(line.value(word)?),
            b"track_group" => return Err(Wrong::new(word, "track_group is for static rules")),
            b"table" | b"lookup" => {
                let value = line.value(word)?;
                let table = reading.named(RouteName::Table, word, value, u32::MAX)?;
                if table == 0 {
                    return Err(Wrong::new(value, "there is no table 0"));
                }
                self.act(RuleAction::Table(table), word)?;
            }
            b"l3mdev" => self.act(RuleAction::L3mdev, word)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `[type] goto PREF`, `[type] blackhole` and the like.
    fn action(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>, first: Word<'a>) -> Result<(), Wrong> {
        let word = if first.text == b"type" { line.value(first)? } else { first };
        let action = match word.text {
            b"goto" => {
                let value = line.value(word)?;
                RuleAction::Goto(super::line::number(word, value, 0, i64::from(u32::MAX))?)
            }
            b"nop" => RuleAction::Nop,
            b"blackhole" => RuleAction::Blackhole,
            b"unreachable" => RuleAction::Unreachable,
            b"prohibit" => RuleAction::Prohibit,
            _ => {
                let wrong = Wrong::new(word, format!("{} is no option of a rule", word.str()));
                let near = reading.suggest(&word.str(), keywords::line_options(BLOCK));
                return Err(match near {
                    Some(near) => wrong.help(format!("did you mean {near}?")),
                    None => wrong,
                });
            }
        };
        self.act(action, word)
    }

    fn act(&mut self, action: RuleAction, word: Word<'a>) -> Result<(), Wrong> {
        if self.action.is_some() {
            let message = "a rule does one thing: table, l3mdev, goto, nop, blackhole, unreachable or prohibit";
            return Err(Wrong::new(word, message));
        }
        self.action = Some((action, word));
        Ok(())
    }

    /// The whole rule.
    fn finish(self, reading: &mut Reading<'_>, first: Word<'a>) -> Result<PolicyRule, Wrong> {
        let family = self.family.family();
        let Some((action, word)) = self.action else {
            return Err(Wrong::new(first, "a rule needs something to do").help("add table, or blackhole and the like"));
        };
        let of_table = self.realms.is_some() || self.suppress_group.is_some() || self.suppress_prefix_length.is_some();
        if of_table && !matches!(action, RuleAction::Table(_) | RuleAction::L3mdev) {
            return Err(Wrong::new(word, "realms and suppress_* are for rules with a table"));
        }
        if let RuleAction::Goto(target) = action
            && self.preference.is_none_or(|preference| preference >= target)
        {
            let wrong = Wrong::new(word, format!("goto {target} needs a preference below {target}: rules only go on"));
            return Err(wrong.help("add preference"));
        }
        let preference = self.preference.unwrap_or_else(|| {
            let preference = reading.preferences.next(family);
            let message = format!("a rule without preference; {preference} is used");
            let finding = Finding::at(&rule::RULE_PREFERENCE, first.span, message);
            reading.report(finding.help("add preference, so that it does not depend on the other rules"));
            preference
        });
        let whole = |prefix: Option<Prefix>| prefix.unwrap_or_else(|| everything(family));
        let (protocol, said) = self.protocol.unzip();
        let has_input = self.input.is_some();
        Ok(PolicyRule {
            family,
            inverted: self.inverted,
            from: self.from.map(whole),
            to: self.to.map(whole),
            input: self.input,
            output: self.output,
            action,
            preference,
            tos: self.tos,
            mark: self.mark,
            realms: self.realms,
            suppress_prefix_length: self.suppress_prefix_length,
            suppress_group: self.suppress_group,
            selectors: (self.rare != RareSelectors::default()).then(|| Box::new(self.rare)),
            protocol: tracked_protocol(reading, !self.untracked, protocol, said, "rule"),
            tracked: !self.untracked,
            track_group: track_group(reading, self.track_group, has_input, "a static rule needs iif"),
        })
    }
}

/// `MARK[/MASK]` in any base.
fn mark(word: Word<'_>) -> Option<Mark> {
    match word.text.iter().position(|octet| *octet == b'/').and_then(|slash| word.text.split_at_checked(slash)) {
        Some((mark, mask)) => {
            Some(Mark { value: value::c_number(mark)?, mask: Some(value::c_number(mask.get(1..)?)?) })
        }
        None => Some(Mark { value: value::c_number(word.text)?, mask: None }),
    }
}

/// `A-B`
fn range(word: Word<'_>, most: u32) -> Option<(u32, u32)> {
    let text = word.str();
    let (first, last) = text.split_once('-')?;
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= most);
    Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last)
}

fn ports<'a>(line: &mut Line<'a>, option: Word<'a>) -> Result<(u16, u16), Wrong> {
    let value = line.value(option)?;
    let ports = range(value, 65_535);
    let ports = ports.and_then(|(first, last)| Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?)));
    ports.ok_or_else(|| {
        let message = format!("{} needs a range such as 80-80, not {}", option.str(), value.str());
        Wrong::new(value, message)
    })
}

/// A number, or one of the names that every `/etc/protocols` has.
fn ip_protocol(word: Word<'_>) -> Option<u8> {
    let names: [(&[u8], u8); 13] = [
        (b"icmp", 1),
        (b"igmp", 2),
        (b"ipip", 4),
        (b"tcp", 6),
        (b"udp", 17),
        (b"dccp", 33),
        (b"gre", 47),
        (b"esp", 50),
        (b"ah", 51),
        (b"ipv6-icmp", 58),
        (b"ospf", 89),
        (b"vrrp", 112),
        (b"sctp", 132),
    ];
    let named = names.iter().find(|(name, _)| *name == word.text).map(|(_, number)| *number);
    named.or_else(|| value::integer(word.text).ok().and_then(|number| u8::try_from(number).ok()))
}
