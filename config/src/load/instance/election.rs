//! How an instance takes part in the election: priority, wanted state, preemption, and what it makes of the adverts of
//! others.

use keepalived_core::vrrp::{Priority, Version};

use super::super::reading::Reading;
use super::draft::Draft;
use crate::finding::{Finding, rule};
use crate::model::{InitialState, Preempt};

/// Priority and wanted state: the default of each depends on the other.
pub(super) fn priority_and_state(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    strict: bool,
) -> (Priority, InitialState) {
    let said_state = state(reading, draft);
    let said_priority = draft.statements.last("priority");
    let priority = match said_priority {
        Some(node) => reading.integer(Some(node)).and_then(Priority::new).unwrap_or(Priority::DEFAULT),
        None if said_state == Some(InitialState::Master) => Priority::OWNER,
        None => Priority::DEFAULT,
    };
    let natural = if priority.is_owner() { InitialState::Master } else { InitialState::Backup };
    let initial = said_state.unwrap_or(natural);
    if strict && initial != natural {
        draft.report(reading, &rule::STATE_STRICT, "state", "in strict mode MASTER and priority 255 go together");
        return (priority, natural);
    }
    (priority, initial)
}

fn state(reading: &mut Reading<'_>, draft: &Draft<'_>) -> Option<InitialState> {
    let word = draft.statements.last("state")?.argument()?;
    match word.text {
        b"MASTER" => Some(InitialState::Master),
        b"BACKUP" => Some(InitialState::Backup),
        _ => {
            let message = format!("state is MASTER or BACKUP, not {}; BACKUP is used", word.str());
            reading.report(Finding::at(&rule::STATE_UNKNOWN, word.span, message));
            Some(InitialState::Backup)
        }
    }
}

pub(super) fn preempt(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    priority: Priority,
    initial: InitialState,
    strict: bool,
) -> Preempt {
    let statements = &draft.statements;
    let always = initial == InitialState::Master || priority.is_owner();
    let last = statements.last_of("preempt", "nopreempt").and_then(|node| node.keyword());
    let mut nopreempt = last.is_some_and(|keyword| keyword.name == "nopreempt");
    if nopreempt && always {
        let because = if priority.is_owner() { "priority 255" } else { "state MASTER" };
        draft.report(
            reading,
            &rule::NOPREEMPT_CLEARED,
            "nopreempt",
            &format!("nopreempt is ignored because of {because}"),
        );
        nopreempt = false;
    }
    let delay = reading.duration(statements.last("preempt_delay")).filter(|delay| !delay.is_zero());
    let reason = if strict {
        "strict mode"
    } else if initial == InitialState::Master {
        "state MASTER"
    } else if nopreempt {
        "nopreempt"
    } else {
        return delay.map_or(Preempt::Yes, Preempt::After);
    };
    if delay.is_some() {
        let message = format!("preempt_delay is ignored because of {reason}");
        draft.report(reading, &rule::PREEMPT_DELAY_CLEARED, "preempt_delay", &message);
    }
    if nopreempt { Preempt::No } else { Preempt::Yes }
}

pub(super) fn down_timer_adverts(reading: &mut Reading<'_>, draft: &Draft<'_>, strict: bool) -> u8 {
    let said: Option<u8> = reading.integer(draft.statements.last("down_timer_adverts"));
    if !strict {
        return said.unwrap_or(draft.defaults.down_timer_adverts);
    }
    if said.is_some_and(|said| said != 3) {
        draft.report(reading, &rule::STRICT_CONFLICT, "down_timer_adverts", "strict mode sets down_timer_adverts to 3");
    }
    3
}

pub(super) fn timer_expired_backup(reading: &mut Reading<'_>, draft: &Draft<'_>, preempt: Preempt) -> Option<Priority> {
    let node = draft.statements.last_of("timer_expired_backup", "thread_timer_expired")?;
    let priority = match node.argument() {
        None => Some(254),
        Some(_) => reading.integer(Some(node)),
    };
    let priority = priority.and_then(Priority::new);
    if preempt != Preempt::No {
        let message = "it needs nopreempt: without it the better router takes over anyway; it is ignored";
        let message = format!("{}: {message}", node.name());
        draft.report(reading, &rule::TIMER_EXPIRED, &node.name(), &message);
        return None;
    }
    priority
}

pub(super) fn accept(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    version: Version,
    priority: Priority,
    strict: bool,
) -> bool {
    let last = draft.statements.last_of("accept", "no_accept").and_then(|node| node.keyword());
    let said = last.map(|keyword| keyword.name == "accept");
    if priority.is_owner() {
        return true;
    }
    if strict && version == Version::V2 && said == Some(true) {
        draft.report(
            reading,
            &rule::STRICT_CONFLICT,
            "accept",
            "version 2 in strict mode has accept for priority 255 only",
        );
        return false;
    }
    said.unwrap_or(!strict)
}

/// How an instance treats the adverts of others.
pub(super) struct AdvertHandling {
    pub(super) skip_check_adv_addr: bool,
    pub(super) lower_prio_no_advert: bool,
    pub(super) higher_prio_send_advert: bool,
    pub(super) owner_ignore_adverts: bool,
}

impl AdvertHandling {
    pub(super) fn read(reading: &mut Reading<'_>, draft: &Draft<'_>, strict: bool) -> Self {
        let Draft { statements, defaults, .. } = draft;
        let mut switch = |name, default| reading.switch(statements.last(name)).unwrap_or(default);
        let said = Self {
            // keepalived takes even `off` for on here; we do as we are told
            skip_check_adv_addr: switch("skip_check_adv_addr", defaults.skip_check_adv_addr),
            lower_prio_no_advert: switch("lower_prio_no_advert", defaults.lower_prio_no_advert),
            higher_prio_send_advert: switch("higher_prio_send_advert", defaults.higher_prio_send_advert),
            owner_ignore_adverts: switch("owner_ignore_adverts", defaults.owner_ignore_adverts),
        };
        if !strict {
            return said;
        }
        let conflicts = [
            ("lower_prio_no_advert", !said.lower_prio_no_advert),
            ("higher_prio_send_advert", said.higher_prio_send_advert),
        ];
        for (word, _) in conflicts.into_iter().filter(|(word, conflicts)| *conflicts && statements.has(word)) {
            draft.report(reading, &rule::STRICT_CONFLICT, word, &format!("strict mode does not allow this {word}"));
        }
        Self { lower_prio_no_advert: true, higher_prio_send_advert: false, owner_ignore_adverts: true, ..said }
    }
}
