//! Parts of `global_defs`: the firewall, and what holds for all load balancing.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use super::line::{Wrong, number};
use super::reading::Reading;
use super::statements::Statements;
use crate::finding::{Finding, rule};
use crate::model::{Backend, Balancing, Firewall, FlushOnStop, Instance, Ipsets, Iptables, IpvsNamespace, SyncDaemon};
use crate::syntax::{Node, Word, Words};
use crate::value;

/// The most octets of a name of a table (`NFT_TABLE_MAXNAMELEN` less NUL, and as keepalived bounds it).
const MOST_TABLE: usize = 254;
/// The most octets of a name of a chain (`XT_EXTENSION_MAXNAMELEN` less NUL and one).
const MOST_CHAIN: usize = 27;
/// The most octets of a name of a set (`IPSET_MAXNAMELEN` less NUL and one).
const MOST_SET: usize = 30;

/// What keeps packets away.
pub(super) fn firewall(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Firewall {
    let usual = Firewall::default();
    Firewall {
        iptables: iptables(reading, blocks),
        ipsets: match blocks.last("vrrp_ipsets") {
            None => usual.ipsets,
            Some(node) => ipsets(reading, node),
        },
        table: table(reading, blocks, "nftables", "keepalived"),
        priority: reading.integer(blocks.last("nftables_priority")).unwrap_or(usual.priority),
        by_index: blocks.has("nftables_ifindex"),
        counters: blocks.has("nftables_counters"),
        no_local_igmp: blocks.has("disable_local_igmp"),
    }
}

/// `[TABLE]` after `keyword`, or `usual`; `None` without the keyword.
fn table(reading: &mut Reading<'_>, blocks: &Statements<'_>, keyword: &str, usual: &str) -> Option<String> {
    let node = blocks.first(keyword)?;
    match node.argument() {
        None => Some(usual.to_owned()),
        Some(word) => short_name(reading, node, word, MOST_TABLE),
    }
}

/// `word` as a name of at most so many octets.
fn short_name(reading: &mut Reading<'_>, node: Node<'_>, word: Word<'_>, most: usize) -> Option<String> {
    if (1..=most).contains(&word.text.len()) {
        return Some(word.str().into_owned());
    }
    let message = format!("a name after {} has 1 to {most} octets, not {}", node.name(), word.text.len());
    reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
    None
}

fn iptables(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Option<Iptables> {
    let node = blocks.first("vrrp_iptables")?;
    let mut words = node.arguments();
    let Some(input) = words.next() else {
        return Some(Iptables { input: "INPUT".to_owned(), output: Some("OUTPUT".to_owned()) });
    };
    let output = words.next();
    let input = short_name(reading, node, input, MOST_CHAIN)?;
    let output = output.and_then(|word| short_name(reading, node, word, MOST_CHAIN));
    if output.as_deref() == Some(input.as_str()) {
        let message = format!("vrrp_iptables needs two chains, not {input} twice; it is ignored");
        reading.report_at(&rule::CHAIN_TWICE, Some(node), message);
        return None;
    }
    Some(Iptables { input, output })
}

/// Up to six names; those that are missing are made from the first.
fn ipsets(reading: &mut Reading<'_>, node: Node<'_>) -> Option<Ipsets> {
    let words: Vec<Word<'_>> = node.arguments().collect();
    let mut names = words.iter().map(|word| short_name(reading, node, *word, MOST_SET)).collect::<Option<Vec<_>>>()?;
    let base = names.first()?.clone();
    let address6 = names.get(1).cloned().unwrap_or_else(|| extended(&base, "6"));
    let stem = address6.strip_suffix('6').unwrap_or(&address6).to_owned();
    let derived =
        [address6, extended(&stem, "_if6"), extended(&base, "_igmp"), extended(&base, "_mld"), extended(&base, "_nd")];
    names.extend(derived.into_iter().skip(names.len().saturating_sub(1)));
    let distinct: HashSet<&String> = names.iter().collect();
    if distinct.len() < names.len() {
        reading.report_at(
            &rule::WORD_INVALID,
            Some(node),
            "the names after vrrp_ipsets must be different; they are ignored",
        );
        return Some(Ipsets::default());
    }
    let mut names = names.into_iter();
    Some(Ipsets {
        address: names.next()?,
        address6: names.next()?,
        address_interface6: names.next()?,
        igmp: names.next()?,
        mld: names.next()?,
        neighbour: names.next()?,
    })
}

/// `name` with `suffix`, cut so that a set can be called that.
fn extended(name: &str, suffix: &str) -> String {
    let most = MOST_SET.saturating_add(1).saturating_sub(suffix.len());
    let kept: String = name.chars().take(most).collect();
    kept + suffix
}

/// What holds for all load balancing.
pub(super) fn balancing(reading: &mut Reading<'_>, root: &Statements<'_>, blocks: &Statements<'_>) -> Balancing {
    let usual = Balancing::default();
    let namespace = root.first("net_namespace_ipvs");
    let namespace = match (namespace, reading.text(namespace)) {
        (None, _) => IpvsNamespace::Ours,
        (Some(_), None) => IpvsNamespace::Default,
        (Some(_), Some(name)) => IpvsNamespace::Named(name),
    };
    let mut balancing = Balancing {
        namespace,
        flush: blocks.has("lvs_flush"),
        flush_on_stop: flush_on_stop(reading, blocks.last_of("lvs_flush_on_stop", "lvs_flush_onstop")),
        sync_daemon: blocks.first("lvs_sync_daemon").and_then(|node| sync_daemon(reading, node)).map(Box::new),
        table: table(reading, blocks, "nftables_ipvs", "keepalived_ipvs"),
        priority: reading.integer(blocks.last("nftables_ipvs_priority")).unwrap_or(usual.priority),
        first_mark: reading.integer(blocks.last("nftables_ipvs_start_fwmark")).unwrap_or(usual.first_mark),
        initial_notifies: reading.switch(blocks.last("rs_init_notifies")).unwrap_or(false),
        log_all_failures: reading.switch(blocks.last("checker_log_all_failures")).unwrap_or(false),
        backend: match reading.choice(blocks.last("lvs_backend")) {
            Some("ipvs") => Backend::Ipvs,
            Some("nftables") => Backend::Nftables,
            _ => Backend::Auto,
        },
        drain_timeout: reading.duration(blocks.last("lvs_drain_timeout")).unwrap_or(usual.drain_timeout),
        expire_failed: reading.switch(blocks.last("lvs_expire_failed")),
        repair_interval: reading.duration(blocks.last("lvs_repair_interval")).unwrap_or(usual.repair_interval),
        ..usual
    };
    for node in blocks.all("lvs_timeouts") {
        timeouts(reading, node, &mut balancing);
    }
    balancing
}

fn flush_on_stop(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> FlushOnStop {
    let Some(node) = node else { return FlushOnStop::No };
    match node.argument() {
        None => FlushOnStop::All,
        Some(_) => reading.choice(Some(node)).map_or(FlushOnStop::No, |_| FlushOnStop::VirtualServers),
    }
}

/// The most seconds of a timeout of IPVS: 31 days.
const LONGEST: i64 = 2_678_400;

/// `[tcp S] [tcpfin S] [udp S]`
fn timeouts(reading: &mut Reading<'_>, node: Node<'_>, balancing: &mut Balancing) {
    let mut words = node.arguments();
    if words.is_empty() {
        return reading.report_at(
            &rule::MISSING_VALUE,
            Some(node),
            "lvs_timeouts needs tcp, tcpfin or udp and seconds",
        );
    }
    while let Some(word) = words.next() {
        let field = match word.text {
            b"tcp" => &mut balancing.tcp_timeout,
            b"tcpfin" => &mut balancing.tcp_fin_timeout,
            b"udp" => &mut balancing.udp_timeout,
            _ => {
                let message = format!("lvs_timeouts knows tcp, tcpfin and udp, not {}", word.str());
                reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
                continue;
            }
        };
        match after(&mut words, word).and_then(|value| number(word, value, 0, LONGEST)) {
            Ok(seconds) => *field = Some(Duration::from_secs(seconds)),
            Err(wrong) => reading.report(wrong.finding(&rule::NUMBER_RANGE)),
        }
    }
}

/// The word after `option`.
fn after<'a>(words: &mut Words<'a>, option: Word<'_>) -> Result<Word<'a>, Wrong> {
    words.next().ok_or_else(|| Wrong::new(option, format!("{} needs a value", option.str())))
}

/// `lvs_sync_daemon_interface` of an instance: as `lvs_sync_daemon`, with the number that keepalived gives it then.
pub(super) fn sync_daemon_of(instance: &Instance) -> Option<SyncDaemon> {
    let interface = instance.lvs_sync_interface?;
    let instance = Some(instance.name.clone());
    Some(SyncDaemon { interface, instance, id: Some(0), most_octets: None, port: None, ttl: None, group: None })
}

/// `IF [[inst] VRRP] [id N] [maxlen N] [port N] [ttl N] [group IP]`
fn sync_daemon(reading: &mut Reading<'_>, node: Node<'_>) -> Option<SyncDaemon> {
    let mut words = node.arguments();
    let interface = words.next().and_then(|word| reading.interface_name(word))?;
    let mut daemon =
        SyncDaemon { interface, instance: None, id: None, most_octets: None, port: None, ttl: None, group: None };
    let mut position = 1_usize;
    while let Some(word) = words.next() {
        position = position.saturating_add(1);
        if let Err(wrong) = sync_option(reading, &mut daemon, &mut words, word, position) {
            let rule = if wrong.is_number { &rule::NUMBER_RANGE } else { &rule::WORD_INVALID };
            reading.report(wrong.finding(rule));
        }
    }
    Some(daemon)
}

fn sync_option(
    reading: &mut Reading<'_>,
    daemon: &mut SyncDaemon,
    words: &mut Words<'_>,
    word: Word<'_>,
    position: usize,
) -> Result<(), Wrong> {
    let old_form = |reading: &mut Reading<'_>, today: &str| {
        let message = format!("lvs_sync_daemon: {} without {today} before it is the old form", word.str());
        reading.report(
            Finding::at(&rule::DEPRECATED, word.span, message)
                .help(format!("write {today} {}", word.str()))
                .fix(word.span, format!("{today} {}", word.str())),
        );
    };
    match word.text {
        b"inst" => daemon.instance = Some(after(words, word)?.str().into_owned()),
        b"id" => daemon.id = Some(number(word, after(words, word)?, 0, 255)?),
        b"maxlen" => daemon.most_octets = Some(number(word, after(words, word)?, 1, 65_507)?),
        b"port" => daemon.port = Some(number(word, after(words, word)?, 1, 65_535)?),
        b"ttl" => daemon.ttl = Some(number(word, after(words, word)?, 1, 255)?),
        b"group" => daemon.group = Some(group(after(words, word)?)?),
        _ if position == 2 => daemon.instance = Some(word.str().into_owned()),
        _ if position == 3 => {
            daemon.id = Some(number(word, word, 0, 255)?);
            old_form(reading, "id");
        }
        _ => return Err(Wrong::new(word, format!("lvs_sync_daemon does not know {}", word.str()))),
    }
    Ok(())
}

fn group(word: Word<'_>) -> Result<IpAddr, Wrong> {
    value::address(word.text)
        .filter(IpAddr::is_multicast)
        .ok_or_else(|| Wrong::new(word, format!("group needs a multicast address, not {}", word.str())))
}
