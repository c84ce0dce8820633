//! Settings of several values: the pacing of announcements, process names, umask.

use std::time::Duration;

use super::reading::Reading;
use super::statements::Statements;
use crate::finding::{Finding, rule};
use crate::model::Garp;
use crate::syntax::Node;
use crate::value;

/// What is said about gratuitous ARP and unsolicited NA: `None` is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Pacing {
    delay: Option<Duration>,
    repeat: Option<u32>,
    refresh: Option<Duration>,
    refresh_repeat: Option<u32>,
    lower_prio_delay: Option<Duration>,
    lower_prio_repeat: Option<u32>,
    /// `all`, and the period.
    extra: Option<(bool, Duration)>,
}

impl Pacing {
    /// `vrrp_garp_*`, with `vrrp_min_garp` for what they do not say.
    pub(super) fn global(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Self {
        let extra = blocks.last_of("vrrp_garp_extra_if", "vrrp_vmac_garp_intvl");
        let said = Self::read(reading, blocks, "vrrp_garp_", extra, 1);
        if reading.switch(blocks.last("vrrp_min_garp")) != Some(true) {
            return said;
        }
        Self {
            delay: said.delay.or(Some(Duration::ZERO)),
            repeat: said.repeat.or(Some(1)),
            refresh: said.refresh.or(Some(Duration::ZERO)),
            refresh_repeat: said.refresh_repeat.or(Some(0)),
            ..said
        }
    }

    /// `garp_*` of an instance.
    pub(super) fn instance(reading: &mut Reading<'_>, statements: &Statements<'_>) -> Self {
        let extra = statements.last_of("garp_extra_if", "vmac_garp_intvl");
        Self::read(reading, statements, "garp_", extra, 0)
    }

    fn read(
        reading: &mut Reading<'_>,
        statements: &Statements<'_>,
        prefix: &str,
        extra: Option<Node<'_>>,
        least_extra: i64,
    ) -> Self {
        let node = |name: &str| statements.last(&format!("{prefix}{name}"));
        let seconds = |reading: &mut Reading<'_>, name| reading.integer(node(name)).map(Duration::from_secs);
        Self {
            delay: seconds(reading, "master_delay"),
            repeat: reading.integer(node("master_repeat")),
            refresh: seconds(reading, "master_refresh"),
            refresh_repeat: reading.integer(node("master_refresh_repeat")),
            lower_prio_delay: seconds(reading, "lower_prio_delay"),
            lower_prio_repeat: reading.integer(node("lower_prio_repeat")),
            extra: extra.and_then(|node| extra_interface(reading, node, least_extra)),
        }
    }

    /// Whether anything is said about bursts against a lower priority, which strict mode forbids.
    pub(super) fn has_lower_prio(&self) -> bool {
        self.lower_prio_delay.is_some_and(|delay| !delay.is_zero())
            || self.lower_prio_repeat.is_some_and(|repeat| repeat > 0)
    }

    /// What holds for an instance that says `self` under a global `base`.
    pub(super) fn over(&self, base: &Self, strict: bool) -> Garp {
        let base_delay = base.delay.unwrap_or(Duration::from_secs(5));
        let base_repeat = base.repeat.unwrap_or(5);
        let (lower_delay, lower_repeat) = if strict {
            (Duration::ZERO, 0)
        } else {
            let delay = self.lower_prio_delay.or(base.lower_prio_delay).unwrap_or(base_delay);
            (delay, self.lower_prio_repeat.or(base.lower_prio_repeat).unwrap_or(base_repeat))
        };
        let extra = self.extra.or(base.extra);
        Garp {
            delay: self.delay.unwrap_or(base_delay),
            repeat: self.repeat.unwrap_or(base_repeat),
            refresh: self.refresh.or(base.refresh).unwrap_or_default(),
            refresh_repeat: self.refresh_repeat.or(base.refresh_repeat).unwrap_or(1),
            lower_prio_delay: lower_delay,
            lower_prio_repeat: lower_repeat,
            extra_interface: extra.filter(|(all, _)| *all).map(|(_, period)| period).unwrap_or_default(),
            extra_vmac: extra.map(|(_, period)| period).unwrap_or_default(),
        }
    }
}

/// `[all] SECONDS`. Without `all` only interfaces with a virtual MAC are meant.
fn extra_interface(reading: &mut Reading<'_>, node: Node<'_>, least: i64) -> Option<(bool, Duration)> {
    let (mut all, mut seconds) = (false, None);
    for word in node.arguments() {
        match word.text {
            b"all" => all = true,
            _ => seconds = Some(reading.number_word(&node.name(), word, least..=86_400)?),
        }
    }
    let Some(seconds) = seconds else {
        let message = format!("{} needs a number of seconds", node.name());
        reading.report_at(&rule::MISSING_VALUE, Some(node), message);
        return None;
    };
    u64::try_from(seconds).ok().map(|seconds| (all, Duration::from_secs(seconds)))
}

/// The most octets of a process name (`TASK_COMM_LEN` of Linux less NUL).
const MOST_NAME: usize = 15;

/// A process name, cut to what the kernel keeps.
pub(super) fn process_name(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<String> {
    let node = node?;
    let word = node.argument()?;
    if let Some(kept) = word.text.get(..MOST_NAME).filter(|_| word.text.len() > MOST_NAME) {
        let kept = String::from_utf8_lossy(kept).into_owned();
        let message = format!("{} has room for {MOST_NAME} octets; {kept} is used", node.name());
        reading.report(Finding::at(&rule::NAME_TOO_LONG, word.span, message));
        return Some(kept);
    }
    Some(word.str().into_owned())
}

/// A number as C writes it, or names of bits joined with `|`.
pub(super) fn umask(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<u32> {
    let words = node?.arguments();
    let (first, last) = (words.get(0)?, words.clone().next_back()?);
    let joined = words.map(|word| word.str()).collect::<String>();
    let mask = value::c_number(joined.as_bytes())
        .or_else(|| joined.split('|').map(bits).try_fold(0, |sum, bits| Some(sum | bits?)));
    let mask = mask.filter(|mask| *mask <= 0o777);
    if mask.is_none() {
        let message = format!("umask must be 0 to 0777 or names of bits joined with |, not {joined}");
        reading.report(Finding::at(&rule::WORD_INVALID, first.span.to(last.span), message));
    }
    mask
}

/// `IRUSR` to `IXOTH`, and `IRWXU`, `IRWXG`, `IRWXO`.
fn bits(name: &str) -> Option<u32> {
    let rights = name.strip_prefix('I')?;
    let (right, class) = rights.split_at_checked(rights.len().checked_sub(3)?)?;
    let whole = rights.strip_prefix("RWX");
    let (right, class) = match whole {
        Some(class) => (7, class),
        None => (
            match right {
                "R" => 4,
                "W" => 2,
                "X" => 1,
                _ => return None,
            },
            class,
        ),
    };
    let shift = match class {
        "USR" | "U" if (class.len() == 1) == whole.is_some() => 6,
        "GRP" | "G" if (class.len() == 1) == whole.is_some() => 3,
        "OTH" | "O" if (class.len() == 1) == whole.is_some() => 0,
        _ => return None,
    };
    Some(right << shift)
}
