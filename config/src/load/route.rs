//! The lines of `virtual_routes` and `static_routes`.

use std::time::Duration;

use keepalived_core::vrrp::Family;

use super::encap::encapsulation;
use super::line::{Line, Mixed, Wrong, everything, narrow, number, prefix};
use super::reading::Reading;
use super::routing::{Block, realms, track_group, tracked_protocol};
use crate::facts::RouteName;
use crate::finding::{Finding, rule};
use crate::keywords;
use crate::model::{Hop, Lockable, Placement, Prefix, Route, RouteKind, RouteMetrics};
use crate::syntax::{Node, Word};
use crate::value;

const BLOCK: &str = "<route line>";

/// `RT_TABLE_MAIN`
const MAIN_TABLE: u32 = 254;

/// Reads every line of `node`; one that is wrong is left out.
pub(super) fn lines(reading: &mut Reading<'_>, node: Node<'_>, block: Block) -> Vec<Route> {
    node.children().filter_map(|line| read(reading, line, block)).collect()
}

fn read(reading: &mut Reading<'_>, node: Node<'_>, block: Block) -> Option<Route> {
    let mut draft = Draft::new(block);
    let first = node.first()?;
    let mut line = Line::new(BLOCK, node);
    let result = draft.read(reading, &mut line).and_then(|()| draft.finish(reading, first));
    reading.report_repeats(&line);
    match result {
        Ok(route) => Some(route),
        Err(wrong) => {
            let rule = if wrong.missing { &rule::MISSING_PARAMETER } else { &rule::ROUTE_INVALID };
            reading.report(wrong.finding(rule).note("the route is left out"));
            None
        }
    }
}

/// A route before it is known to be whole.
struct Draft<'a> {
    block: Block,
    family: Mixed,
    /// `None` inside is `default`.
    destination: Option<Option<Prefix>>,
    from: Option<Option<Prefix>>,
    route: Route,
    metrics: RouteMetrics,
    protocol: Option<Word<'a>>,
    track_group: Option<Word<'a>>,
}

impl<'a> Draft<'a> {
    fn new(block: Block) -> Self {
        let route = Route {
            family: Family::V4,
            kind: RouteKind::Unicast,
            destination: everything(Family::V4),
            hop: Hop::default(),
            hops: Vec::new(),
            source: None,
            from: None,
            tos: 0,
            table: MAIN_TABLE,
            vrf: None,
            protocol: None,
            scope: None,
            metric: None,
            expires: None,
            preference: None,
            ttl_propagate: None,
            placement: Placement::Prepend,
            metrics: None,
            tracked: true,
            track_group: None,
        };
        let metrics = RouteMetrics::default();
        let (destination, from, protocol, track_group) = (None, None, None, None);
        Self { block, family: Mixed::default(), destination, from, route, metrics, protocol, track_group }
    }

    fn read(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>) -> Result<(), Wrong> {
        while let Some(word) = line.next() {
            match word.text {
                b"inet" => self.family.note(Family::V4, word)?,
                b"inet6" => self.family.note(Family::V6, word)?,
                b"nexthop" if self.route.hops.is_empty() => return self.hops(reading, line),
                b"nexthop" => {
                    return Err(
                        Wrong::new(word, "nexthop and or do not go together").help("write each gateway as nexthop via")
                    );
                }
                b"or" => {
                    let finding = Finding::at(&rule::DEPRECATED, word.span, "or is an old form");
                    reading.report(finding.help("write nexthop via before each gateway"));
                    self.second_gateway(line, word)?;
                }
                _ => {
                    let known = self.option(reading, line, word)? || self.metric(reading, line, word)?;
                    if !known {
                        self.destination(reading, line, word)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// An option of the route itself; `false` if `word` is none.
    fn option(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>, word: Word<'a>) -> Result<bool, Wrong> {
        let route = &mut self.route;
        match word.text {
            b"src" => {
                let (address, value) = line.address(word)?;
                self.family.note(Family::of(address), value)?;
                route.source = Some(address);
            }
            b"from" => {
                let value = line.value(word)?;
                let from = prefix(value)
                    .filter(|from| from.is_none_or(|from| from.address.is_ipv6()))
                    .ok_or_else(|| Wrong::new(value, format!("from needs an IPv6 prefix, not {}", value.str())))?;
                self.family.note(Family::V6, value)?;
                self.from = Some(from);
            }
            b"tos" | b"dsfield" => {
                let value = line.value(word)?;
                route.tos = narrow(reading.named(RouteName::DsField, word, value, 255)?);
            }
            b"table" => {
                let value = line.value(word)?;
                route.table = reading.named(RouteName::Table, word, value, u32::MAX)?;
            }
            b"vrf" => {
                let (name, value) = line.interface(word)?;
                route.vrf = Some(reading.present(name, value)?);
            }
            b"protocol" => {
                let value = line.value(word)?;
                route.protocol = Some(narrow(reading.named(RouteName::Protocol, word, value, 255)?));
                self.protocol = Some(value);
            }
            b"scope" => {
                let value = line.value(word)?;
                route.scope = Some(narrow(reading.named(RouteName::Scope, word, value, 255)?));
            }
            b"metric" | b"priority" | b"preference" => route.metric = Some(line.number(word)?),
            b"expires" => {
                route.expires = Some(line.number(word)?);
                self.family.note(Family::V6, word)?;
            }
            b"pref" => {
                let value = line.value(word)?;
                route.preference = Some(match value.text {
                    b"low" => 3,
                    b"medium" => 0,
                    b"high" => 1,
                    _ => number(word, value, 0, 255)?,
                });
                self.family.note(Family::V6, word)?;
            }
            b"ttl-propagate" => route.ttl_propagate = Some(line.choice(word)? == "enabled"),
            b"add" => route.placement = Placement::Add,
            b"prepend" => route.placement = Placement::Prepend,
            b"append" => route.placement = Placement::Append,
            b"no_track" => route.tracked = false,
            b"track_group" if self.block == Block::Static => self.track_group = Some(line.value(word)?),
            b"track_group" => return Err(Wrong::new(word, "track_group is for static routes")),
            b"as" => {
                line.take("to");
                let wrong = Wrong::new(word, "as swaps labels of MPLS, which neither keepalived nor we do");
                line.value(word)?;
                reading.report(wrong.finding(&rule::ROUTE_INVALID).note("the words are ignored"));
            }
            _ => return hop_option(reading, &mut self.family, &mut route.hop, line, word),
        }
        Ok(true)
    }

    /// What connections over the route are told.
    fn metric(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>, word: Word<'a>) -> Result<bool, Wrong> {
        let metrics = &mut self.metrics;
        match word.text {
            b"mtu" => metrics.mtu = Some(lockable(line, word)?),
            b"advmss" => metrics.advmss = Some(lockable(line, word)?),
            b"reordering" => metrics.reordering = Some(lockable(line, word)?),
            b"cwnd" => metrics.cwnd = Some(lockable(line, word)?),
            b"ssthresh" => metrics.ssthresh = Some(lockable(line, word)?),
            b"rtt" => metrics.rtt = Some(time(reading, line, word, 125)?),
            b"rttvar" => metrics.rttvar = Some(time(reading, line, word, 250)?),
            b"rto_min" => metrics.rto_min = Some(time(reading, line, word, 1000)?),
            b"window" => metrics.window = Some(line.number(word)?),
            b"initcwnd" => metrics.initcwnd = Some(line.number(word)?),
            b"initrwnd" => metrics.initrwnd = Some(line.number(word)?),
            b"hoplimit" => metrics.hoplimit = Some(line.number(word)?),
            b"quickack" => metrics.quickack = Some(line.choice(word)? == "1"),
            b"fastopen_no_cookie" => metrics.fastopen_no_cookie = Some(line.choice(word)? == "1"),
            b"features" => match line.value(word)? {
                feature if feature.text == b"ecn" => metrics.ecn = true,
                feature => {
                    let wrong = Wrong::new(feature, format!("features knows ecn, not {}", feature.str()));
                    reading.report(wrong.finding(&rule::ROUTE_INVALID).note("the word is ignored"));
                }
            },
            b"congctl" => {
                let locked = line.take("lock");
                let value = line.value(word)?.str().into_owned();
                metrics.congestion_control = Some(Lockable { value, locked });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `[to] [TYPE] DEST`
    fn destination(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>, first: Word<'a>) -> Result<(), Wrong> {
        let mut word = if first.text == b"to" { line.value(first)? } else { first };
        if let Some(kind) = kind(word) {
            self.route.kind = kind;
            word = line.value(word)?;
        }
        if word.text == b"default6" {
            self.family.note(Family::V6, word)?;
            self.destination = Some(None);
            return Ok(());
        }
        let Some(destination) = prefix(word) else {
            let wrong = Wrong::new(word, format!("{} is neither an option of a route nor a destination", word.str()));
            let near = reading.suggest(&word.str(), keywords::line_options(BLOCK));
            return Err(match near {
                Some(near) => wrong.help(format!("did you mean {near}?")),
                None => wrong,
            });
        };
        if let Some(prefix) = destination {
            self.family.note(Family::of(prefix.address), word)?;
        }
        self.destination = Some(destination);
        Ok(())
    }

    /// `or ADDR`: both gateways become hops.
    fn second_gateway(&mut self, line: &mut Line<'a>, word: Word<'a>) -> Result<(), Wrong> {
        let (address, value) = line.address(word)?;
        self.family.note(Family::of(address), value)?;
        if self.route.hops.is_empty() {
            let first = Hop { gateway: self.route.hop.gateway.take(), ..Hop::default() };
            self.route.hops = vec![first, Hop { gateway: Some(address), ..Hop::default() }];
        }
        Ok(())
    }

    /// Everything after the first `nexthop`.
    fn hops(&mut self, reading: &mut Reading<'_>, line: &mut Line<'a>) -> Result<(), Wrong> {
        let mut hop = Hop::default();
        line.part();
        while let Some(word) = line.next() {
            match word.text {
                b"nexthop" => {
                    self.route.hops.push(std::mem::take(&mut hop));
                    line.part();
                }
                b"weight" => hop.weight = Some(line_number(line, word, 1, 256)?),
                _ if hop_option(reading, &mut self.family, &mut hop, line, word)? => {}
                _ => {
                    let message = format!("{} does not belong to a nexthop", word.str());
                    return Err(Wrong::new(word, message).help("options of the route come before its first nexthop"));
                }
            }
        }
        self.route.hops.push(hop);
        Ok(())
    }

    /// The whole route.
    fn finish(mut self, reading: &mut Reading<'_>, first: Word<'a>) -> Result<Route, Wrong> {
        let family = self.family.family();
        let Some(destination) = self.destination else {
            return Err(Wrong::new(first, "a route needs a destination").help("write a prefix, or default"));
        };
        let whole = |prefix: Option<Prefix>| prefix.unwrap_or_else(|| everything(family));
        self.route.family = family;
        self.route.destination = whole(destination);
        self.route.from = self.from.map(whole);
        self.route.metrics = (self.metrics != RouteMetrics::default()).then(|| Box::new(self.metrics));
        self.route.protocol =
            tracked_protocol(reading, self.route.tracked, self.route.protocol, self.protocol, "route");
        let has_device = self.route.hop.device.is_some();
        self.route.track_group = track_group(reading, self.track_group, has_device, "a static route needs dev");
        Ok(self.route)
    }
}

/// An option of a way to the next router; `false` if `word` is none.
fn hop_option<'a>(
    reading: &mut Reading<'_>,
    family: &mut Mixed,
    hop: &mut Hop,
    line: &mut Line<'a>,
    word: Word<'a>,
) -> Result<bool, Wrong> {
    match word.text {
        b"via" | b"gw" => {
            if word.text == b"gw" {
                let finding = Finding::at(&rule::DEPRECATED, word.span, "gw is an old spelling");
                reading.report(finding.help("use via").fix(word.span, "via"));
            }
            for (name, said) in [("inet", Family::V4), ("inet6", Family::V6)] {
                if word.text == b"via" && line.take(name) {
                    family.note(said, word)?;
                }
            }
            let (address, value) = line.address(word)?;
            family.note(Family::of(address), value)?;
            hop.gateway = Some(address);
        }
        b"dev" | b"oif" => {
            let (name, value) = line.interface(word)?;
            hop.device = Some(reading.present(name, value)?);
        }
        b"onlink" => hop.onlink = true,
        b"encap" => hop.encapsulation = Some(Box::new(encapsulation(reading, line, word)?)),
        b"realms" => {
            let value = line.value(word)?;
            hop.realms = Some(realms(reading, word, value)?);
            family.note(Family::V4, word)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn line_number<'a, T: TryFrom<i64>>(line: &mut Line<'a>, option: Word<'a>, least: i64, most: i64) -> Result<T, Wrong> {
    let word = line.value(option)?;
    number(option, word, least, most)
}

fn lockable<'a>(line: &mut Line<'a>, word: Word<'a>) -> Result<Lockable<u32>, Wrong> {
    let locked = line.take("lock");
    Ok(Lockable { value: line.number(word)?, locked })
}

/// What the kernel takes for a round trip time (`TCP_RTO_MIN`, `TCP_RTO_MAX`).
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(120);

/// `[lock] TIME`: with `s`, `sec`, `secs` or these after `m`; without them in units of so many microseconds.
fn time<'a>(
    reading: &mut Reading<'_>,
    line: &mut Line<'a>,
    option: Word<'a>,
    unit: u64,
) -> Result<Lockable<Duration>, Wrong> {
    let locked = line.take("lock");
    let word = line.value(option)?;
    let text = word.str().to_ascii_lowercase();
    let bare = ["secs", "sec", "s"].iter().find_map(|suffix| text.strip_suffix(suffix));
    let (digits, unit) = match bare {
        Some(rest) => rest.strip_suffix('m').map_or((rest, 1_000_000), |rest| (rest, 1_000)),
        None => (text.as_str(), unit),
    };
    let micros = value::seconds(digits.as_bytes()).ok().and_then(|millionths| {
        // a decimal number of units, counted in millionths of one
        millionths.count.checked_mul(unit)?.checked_div(1_000_000)
    });
    let Some(micros) = micros else {
        return Err(Wrong::new(word, format!("{} needs a time such as 300ms, not {}", option.str(), word.str())));
    };
    let said = Duration::from_micros(micros);
    let value = said.clamp(SHORTEST, LONGEST);
    if value != said {
        let message = format!("{} must be 200ms to 120s, not {}; {value:?} is used", option.str(), word.str());
        let wrong = Wrong::new(word, message).help("a number without s or ms is in the small units of the kernel");
        reading.report(wrong.finding(&rule::NUMBER_ADJUSTED));
    }
    Ok(Lockable { value, locked })
}

/// The type of a route, by name or number (`RTN_*`).
fn kind(word: Word<'_>) -> Option<RouteKind> {
    Some(match word.text {
        b"unicast" | b"1" => RouteKind::Unicast,
        b"local" | b"2" => RouteKind::Local,
        b"broadcast" | b"brd" | b"3" => RouteKind::Broadcast,
        b"anycast" | b"4" => RouteKind::Anycast,
        b"multicast" | b"5" => RouteKind::Multicast,
        b"blackhole" | b"6" => RouteKind::Blackhole,
        b"unreachable" | b"7" => RouteKind::Unreachable,
        b"prohibit" | b"8" => RouteKind::Prohibit,
        b"throw" | b"9" => RouteKind::Throw,
        b"nat" | b"10" => RouteKind::Nat,
        b"xresolve" | b"11" => RouteKind::Xresolve,
        _ => return None,
    })
}
