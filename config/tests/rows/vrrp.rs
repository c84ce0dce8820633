//! `vrrp_instance`, `vrrp_sync_group` and what belongs to them.

use super::Case;

pub(super) const CASES: &[Case] = &[
    ("vrrp_instance", "priority", "priority 150", "/instances/0/priority", "150"),
    ("vrrp_instance", "nopreempt", "nopreempt", "/instances/0/preempt", "\"No\""),
];
