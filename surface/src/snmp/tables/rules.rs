//! Policy rules: those of `static_rules` with the first index 0, then those of each instance.

use keepalived_config::model::{PolicyRule, Prefix, RareSelectors, RuleAction};
use keepalived_core::vrrp::State;

use super::below;
use crate::snmp::tree::{Column, Rows, Table, columns};
use crate::snmp::value::{address, gauge, half, integer, kind, text, truth};
use crate::snmp::world::{Scene, place};

pub(super) const TABLES: &[Table] = &[Table {
    entry: below!(keepalived, 2, 8, 1),
    rows: Rows::Places {
        levels: 2,
        first: 0,
        count: |scene, index| match index {
            [] => scene.config().instances.len().saturating_add(1),
            [owner, ..] => rules(scene, *owner).map_or(0, |(rules, _)| rules.len()),
        },
    },
    columns: RULES,
}];

#[derive(Clone, Copy)]
struct Row<'a> {
    rule: &'a PolicyRule,
    set: bool,
}

/// The rules of an owner, and whether they are in place. Static ones always are; the others while their instance is master.
fn rules<'a>(scene: &Scene<'a>, owner: u32) -> Option<(&'a [PolicyRule], bool)> {
    let Some(place) = place(owner) else { return Some((&scene.config().static_rules, true)) };
    let instance = scene.instance_at(place)?;
    Some((&instance.config.rules, instance.state() == State::Master))
}

fn row<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<Row<'a>> {
    let [owner, number, ..] = index else { return None };
    let (rules, set) = rules(scene, *owner)?;
    Some(Row { rule: rules.get(place(*number)?)?, set })
}

/// The one address that the first columns have room for.
fn either(row: Row<'_>) -> Option<Prefix> {
    row.rule.to.or(row.rule.from)
}

fn rare<'a, T>(row: Row<'a>, which: fn(&'a RareSelectors) -> Option<T>) -> Option<T> {
    row.rule.selectors.as_deref().and_then(which)
}

fn table(row: Row<'_>) -> Option<u32> {
    match row.rule.action {
        RuleAction::Table(table) => Some(table),
        // keepalived takes it for a table, and says 0
        RuleAction::L3mdev => Some(0),
        RuleAction::Goto(_)
        | RuleAction::Nop
        | RuleAction::Blackhole
        | RuleAction::Unreachable
        | RuleAction::Prohibit => None,
    }
}

const RULES: &[Column] = columns! { row as row in scene;
    2 vrrpRuleDirection = text(match (row.rule.to, row.rule.from) {
        (Some(_), Some(_)) => "both",
        (Some(_), None) => "to",
        (None, Some(_)) => "from",
        (None, None) => "",
    });
    3 vrrpRuleAddressType = either(row).map(|prefix| kind(prefix.address));
    4 vrrpRuleAddress = either(row).map(|prefix| address(prefix.address));
    5 vrrpRuleAddressMask = either(row).map(|prefix| gauge(prefix.length));
    6 vrrpRuleRoutingTable = table(row).map(gauge);
    7 vrrpRuleStatus = truth(row.set);
    8 vrrpRuleInvert = truth(row.rule.inverted);
    9 vrrpRuleDestinationAddressType = row.rule.to.map(|prefix| kind(prefix.address));
    10 vrrpRuleDestinationAddress = row.rule.to.map(|prefix| address(prefix.address));
    11 vrrpRuleDestinationAddressMask = row.rule.to.map(|prefix| gauge(prefix.length));
    12 vrrpRuleSourceAddressType = row.rule.from.map(|prefix| kind(prefix.address));
    13 vrrpRuleSourceAddress = row.rule.from.map(|prefix| address(prefix.address));
    14 vrrpRuleSourceAddressMask = row.rule.from.map(|prefix| gauge(prefix.length));
    15 vrrpRuleTos = gauge(row.rule.tos);
    16 vrrpRuleFwmark = row.rule.mark.map(|mark| gauge(mark.value));
    17 vrrpRuleFwmask = row.rule.mark.and_then(|mark| mark.mask).map(gauge);
    18 vrrpRuleRealmDst = row.rule.realms.map(|realms| gauge(realms.to));
    19 vrrpRuleRealmSrc = row.rule.realms.filter(|realms| realms.from != 0).map(|realms| gauge(realms.from));
    20 vrrpRuleInInterface = row.rule.input.map(|name| text(name.as_bytes()));
    21 vrrpRuleOutInterface = row.rule.output.map(|name| text(name.as_bytes()));
    22 vrrpRuleTarget = match row.rule.action {
        RuleAction::Goto(target) => Some(gauge(target)),
        _ => None,
    };
    // FR_ACT_* of Linux
    23 vrrpRuleAction = integer(match row.rule.action {
        RuleAction::Table(_) | RuleAction::L3mdev => 1,
        RuleAction::Goto(_) => 2,
        RuleAction::Nop => 3,
        RuleAction::Blackhole => 6,
        RuleAction::Unreachable => 7,
        RuleAction::Prohibit => 8,
    });
    24 vrrpRuleTableNo = table(row).map(gauge);
    25 vrrpRulePreference = (row.rule.preference != 0).then(|| gauge(row.rule.preference));
    26 vrrpRuleSuppressPrefixLen = row.rule.suppress_prefix_length.map(gauge);
    27 vrrpRuleSuppressGroup = row.rule.suppress_group.map(|group| text(group.to_string()));
    28 vrrpRuleTunnelIdHigh = rare(row, |rare| rare.tunnel_id).map(|id| half(id, 32));
    29 vrrpRuleTunnelIdLow = rare(row, |rare| rare.tunnel_id).map(|id| half(id, 0));
    30 vrrpRuleUidRangeStart = rare(row, |rare| rare.users).map(|users| gauge(users.0));
    31 vrrpRuleUidRangeEnd = rare(row, |rare| rare.users).map(|users| gauge(users.1));
    32 vrrpRuleL3mdev = (row.rule.action == RuleAction::L3mdev).then(|| truth(true));
    33 vrrpRuleProtocol = row.rule.protocol.map(integer);
    34 vrrpRuleIPProto = rare(row, |rare| rare.ip_protocol).map(gauge);
    35 vrrpRuleSrcPortStart = rare(row, |rare| rare.source_ports).map(|ports| gauge(ports.0));
    36 vrrpRuleSrcPortEnd = rare(row, |rare| rare.source_ports).map(|ports| gauge(ports.1));
    37 vrrpRuleDstPortStart = rare(row, |rare| rare.destination_ports).map(|ports| gauge(ports.0));
    38 vrrpRuleDstPortEnd = rare(row, |rare| rare.destination_ports).map(|ports| gauge(ports.1));
};
