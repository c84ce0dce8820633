//! The views of the other processes, fed by their changes, and dumps that wait for fresh numbers.

use std::mem;

use keepalived_state::Snapshot;

use super::dump::Dump;
use crate::message::{AfterTelling, ToChild};
use crate::role::Role;
use crate::seen::Seen;

/// The view and the journal of each process, and the dumps that wait for it.
#[derive(Debug, Default)]
pub(super) struct Views {
    snapshot: Snapshot,
    vrrp: WaitingDumps,
    checker: WaitingDumps,
    bfd: WaitingDumps,
}

/// Dumps that need the view of a process.
#[derive(Debug, Default)]
struct WaitingDumps {
    /// The process was asked to refresh its view for these, and has not finished.
    asked: Vec<Dump>,
    /// These came later, or while the process was not ready. They need another refresh: what comes now may be older than they are.
    later: Vec<Dump>,
    /// What the process does with its counters after that refresh.
    after: Option<AfterTelling>,
}

impl Views {
    /// What is known.
    pub(super) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Takes in what a process said, or what became of it.
    pub(super) fn apply(&mut self, seen: Seen) {
        seen.apply(&mut self.snapshot);
    }

    /// A process has ended: dumps wait for the next one.
    pub(super) fn ended(&mut self, role: Role) {
        if let Some(waiting) = self.waiting(role) {
            for dump in mem::take(&mut waiting.asked) {
                waiting.add(dump);
            }
        }
    }

    /// Has `dump` written after the next refresh. `after` says what the process does with its counters then.
    pub(super) fn ask(&mut self, role: Role, dump: Dump, after: AfterTelling) {
        if let Some(waiting) = self.waiting(role) {
            waiting.add(dump);
            if after == AfterTelling::ClearCounters {
                waiting.after = Some(after);
            }
        }
    }

    /// The request to a process that is ready, if dumps wait for it.
    pub(super) fn request(&mut self, role: Role) -> Option<ToChild> {
        let waiting = self.waiting(role)?;
        if !waiting.asked.is_empty() || waiting.later.is_empty() {
            return None;
        }
        waiting.asked = mem::take(&mut waiting.later);
        Some(ToChild::Refresh(waiting.after.take().unwrap_or(AfterTelling::KeepCounters)))
    }

    /// Sets what this router is called.
    pub(super) fn name(&mut self, router_id: String) {
        self.snapshot.router_id = router_id;
    }

    /// The dumps that waited for this refresh.
    pub(super) fn due(&mut self, role: Role) -> Vec<Dump> {
        self.waiting(role).map(|waiting| mem::take(&mut waiting.asked)).unwrap_or_default()
    }

    const fn waiting(&mut self, role: Role) -> Option<&mut WaitingDumps> {
        match role {
            Role::Vrrp => Some(&mut self.vrrp),
            Role::Checker => Some(&mut self.checker),
            Role::Bfd => Some(&mut self.bfd),
            Role::Runner | Role::Observer | Role::Prober => None,
        }
    }
}

impl WaitingDumps {
    fn add(&mut self, dump: Dump) {
        if !self.later.contains(&dump) {
            self.later.push(dump);
        }
    }
}

#[cfg(test)]
mod tests {
    use keepalived_state::{VrrpChange, VrrpTotals};

    use super::super::dump::File;
    use super::*;

    const DATA: Dump = Dump::File(File::Data);
    const STATISTICS: Dump = Dump::File(File::Statistics);

    fn keeps(message: Option<ToChild>) -> bool {
        matches!(message, Some(ToChild::Refresh(AfterTelling::KeepCounters)))
    }

    #[test]
    fn what_is_asked_for_later_needs_another_answer() {
        let mut views = Views::default();
        views.ask(Role::Vrrp, DATA, AfterTelling::KeepCounters);
        assert!(keeps(views.request(Role::Vrrp)));
        views.ask(Role::Vrrp, STATISTICS, AfterTelling::ClearCounters);
        views.ask(Role::Vrrp, STATISTICS, AfterTelling::KeepCounters);
        assert!(views.request(Role::Vrrp).is_none(), "one at a time");
        assert_eq!(mem::take(&mut views.vrrp.asked), [DATA]);
        assert!(matches!(views.request(Role::Vrrp), Some(ToChild::Refresh(AfterTelling::ClearCounters))));
        assert_eq!(mem::take(&mut views.vrrp.asked), [STATISTICS], "once, however often it was asked for");
        assert!(views.request(Role::Vrrp).is_none());
    }

    #[test]
    fn what_a_process_owed_when_it_died_the_next_one_tells() {
        let mut views = Views::default();
        views.ask(Role::Checker, DATA, AfterTelling::KeepCounters);
        assert!(keeps(views.request(Role::Checker)));
        views.ended(Role::Checker);
        assert!(keeps(views.request(Role::Checker)));
        assert_eq!(views.checker.asked, [DATA]);
    }

    #[test]
    fn the_end_of_a_process_leaves_its_journal_only() {
        let mut views = Views::default();
        views.apply(Seen::Vrrp(vec![VrrpChange::Totals(Box::new(VrrpTotals {
            unknown_vrid: 7,
            ..VrrpTotals::default()
        }))]));
        let record = keepalived_state::Record {
            at: std::time::UNIX_EPOCH,
            subject: keepalived_state::Subject::Instance("VI_1".into()),
            event: keepalived_state::Event::Removed,
        };
        views.apply(Seen::Happened(Role::Vrrp, vec![record]));
        views.apply(Seen::Ended(Role::Vrrp));
        assert_eq!(views.snapshot.vrrp.totals.unknown_vrid, 0);
        assert_eq!(views.snapshot.vrrp.journal.records().count(), 1);
    }
}
