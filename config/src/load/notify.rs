//! Scripts that are run when a state changes.

use super::reading::Reading;
use super::statements::Statements;
use crate::model::Notify;

/// What `statements` of an instance or a sync group say; `None` if it is nothing.
pub(super) fn read(reading: &mut Reading<'_>, statements: &Statements<'_>) -> Option<Box<Notify>> {
    let notify = Notify {
        backup: reading.first_script(statements, "notify_backup"),
        master: reading.first_script(statements, "notify_master"),
        fault: reading.first_script(statements, "notify_fault"),
        stop: reading.first_script(statements, "notify_stop"),
        says_deleted: statements.has("notify_deleted"),
        deleted: reading.first_script(statements, "notify_deleted"),
        master_rx_lower_priority: reading.first_script(statements, "notify_master_rx_lower_pri"),
        any: reading.first_script(statements, "notify"),
    };
    (notify != Notify::default()).then(|| Box::new(notify))
}
