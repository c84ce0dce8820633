//! Which changes of instances and sync groups are mailed, in keepalived's words (interfaces.md section 3, `v1.mail`).

use std::collections::{HashMap, HashSet};

use keepalived_config::model::Config;
use keepalived_core::vrrp::{Cause, State};

use super::notify::word;
use super::report::Report;
use crate::alerts::Alert;

/// Whose changes are mailed.
#[derive(Debug, Default)]
pub(super) struct Mailing {
    /// Instances, and whether their removal is called so (`notify_deleted`).
    instances: HashMap<String, bool>,
    groups: HashSet<String>,
    /// `no_email_faults`
    without_faults: bool,
}

impl Mailing {
    /// Mails as `config` says from now on; what concerns instances that it does not have, as before until [`Self::configure`].
    pub(super) fn add(&mut self, config: &Config) {
        if !config.global.mail.is_sent() {
            return;
        }
        for instance in &config.instances {
            self.instances.remove(&instance.name);
            if instance.mail {
                let says_deleted = instance.notify.as_ref().is_some_and(|notify| notify.says_deleted);
                self.instances.insert(instance.name.clone(), says_deleted);
            }
        }
        for group in &config.sync_groups {
            self.groups.remove(&group.name);
            if group.mail {
                self.groups.insert(group.name.clone());
            }
        }
        self.without_faults = config.global.mail.no_faults;
    }

    /// Mails as `config` says from now on.
    pub(super) fn configure(&mut self, config: &Config) {
        *self = Self::default();
        self.add(config);
    }

    /// What is mailed about `report`.
    pub(super) fn alert(&self, report: &Report) -> Option<Alert> {
        match report {
            Report::Transition { name, transition, .. } => {
                let says_deleted = *self.instances.get(&**name)?;
                let what = self.what(word(transition.from, transition.to, &transition.cause, says_deleted)?)?;
                let body = match what {
                    "Entering MASTER state" => "VRRP Instance is now owning VRRP VIPs",
                    "Stopping" => "VRRP Instance stopping",
                    "Deleted" => "VRRP Deleted at reload",
                    _ => "VRRP Instance is no longer owning VRRP VIPs",
                };
                Some(Alert::now(format!("VRRP Instance {name} - {what}"), body))
            }
            Report::Group { name, state, cause, .. } => {
                self.groups.get(&**name)?;
                let what = self.what(group_word(*state, cause)?)?;
                let body = match what {
                    "Stopping" => "All VRRP group instances are now stopping".to_owned(),
                    _ => format!("All VRRP group instances are now in {state} state"),
                };
                Some(Alert::now(format!("VRRP Group {name} - {what}"), body))
            }
            _ => None,
        }
    }

    fn what(&self, word: &str) -> Option<&'static str> {
        match word {
            "MASTER" => Some("Entering MASTER state"),
            "BACKUP" => Some("Entering BACKUP state"),
            "FAULT" => (!self.without_faults).then_some("Entering FAULT state"),
            "STOP" => Some("Stopping"),
            "DELETED" => Some("Deleted"),
            _ => None,
        }
    }
}

fn group_word(state: State, cause: &Cause) -> Option<&'static str> {
    word(State::Init, state, cause, false)
}
