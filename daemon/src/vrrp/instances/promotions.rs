//! `bfd_promotes`: a session that is lost takes the place of the master down timer.

use std::collections::BTreeMap;

use keepalived_core::time::Instant;
use keepalived_core::vrrp::Event;

use super::super::slot::Slot;
use super::Instances;

/// The last results of the sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<String, bool>);

impl Instances {
    /// A BFD session has a result. Backups that name it hear of a path that was good and is gone.
    pub(in super::super) fn session_result(&mut self, now: Instant, session: &str, is_up: bool) {
        let was_up = self.sessions.0.insert(session.to_owned(), is_up);
        if is_up || was_up != Some(true) {
            return;
        }
        let promoted = |slot: &Slot| {
            let promoting = slot.instance.promoting.as_ref()?;
            (promoting.session == session).then_some(promoting.neighbor)
        };
        let concerned: Vec<_> =
            self.slots.entries().filter_map(|(index, slot)| Some((index, promoted(slot)?))).collect();
        for (index, neighbor) in concerned {
            self.tell(now, index, Event::PathLost(neighbor));
        }
    }
}
