//! Who is told what happens to instances and sync groups: scripts, and named pipes (interfaces.md sections 1 and 2).

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use keepalived_config::model::{Config, Notify, Script};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Cause, State};

use super::report::Report;
use crate::message::HowEnded;
use crate::programs::{Fifos, Notice, OrderId, Programs};

/// The scripts and pipes of all instances and groups.
#[derive(Debug)]
pub(super) struct Notifications {
    instances: HashMap<String, Told>,
    groups: HashMap<String, Told>,
    fifos: Fifos,
}

/// What is told of an instance or a group.
#[derive(Debug, Default)]
struct Told {
    scripts: Option<Box<Notify>>,
    /// `notify_priority_changes`
    priorities: bool,
}

/// What a notification is about.
#[derive(Clone, Copy)]
struct Subject<'a> {
    /// `INSTANCE`, `GROUP`
    kind: &'static str,
    name: &'a str,
    /// What the fourth argument says; a group has 0.
    priority: u8,
}

impl Notifications {
    /// Nothing is told yet. Pipes of `made_before` are removed at the end as if they had been made here.
    pub(super) fn new(made_before: BTreeSet<PathBuf>) -> Self {
        Self { instances: HashMap::new(), groups: HashMap::new(), fifos: Fifos::new(made_before, "") }
    }

    /// Tells as `config` says from now on; of instances that it does not have, as before until [`Self::configure`].
    pub(super) fn add(&mut self, config: &Config) {
        let told = |scripts: &Option<Box<Notify>>, priorities| Told { scripts: scripts.clone(), priorities };
        for instance in &config.instances {
            self.instances.insert(instance.name.clone(), told(&instance.notify, instance.notify_priority_changes));
        }
        for group in &config.sync_groups {
            self.groups.insert(group.name.clone(), told(&group.notify, false));
        }
    }

    /// Tells as `config` says from now on, to its pipes. What happened to instances that it does not have has been told.
    pub(super) fn configure(&mut self, config: &Config, programs: &mut Programs) {
        self.instances.clear();
        self.groups.clear();
        self.add(config);
        let fifos = &config.global.fifos;
        self.fifos.reload([&fifos.all, &fifos.vrrp], config.global.scripts.user.as_ref(), programs);
    }

    /// Named pipes that were not there before us.
    pub(super) fn pipes(&self) -> BTreeSet<PathBuf> {
        self.fifos.made()
    }

    /// Tells of `report` whoever wants to know.
    pub(super) fn tell(&mut self, report: &Report, programs: &mut Programs) {
        match report {
            Report::Transition { name, transition, .. } => {
                let subject = Subject { kind: "INSTANCE", name, priority: transition.priority.get() };
                let told = self.instances.get(&**name);
                let says_deleted =
                    told.and_then(|told| told.scripts.as_ref()).is_some_and(|scripts| scripts.says_deleted);
                let Some(word) = word(transition.from, transition.to, &transition.cause, says_deleted) else { return };
                self.all(subject, word, &transition.cause, programs);
            }
            Report::Group { name, state, cause, .. } => {
                let subject = Subject { kind: "GROUP", name, priority: 0 };
                if let Some(word) = word(State::Init, *state, cause, false) {
                    self.all(subject, word, cause, programs);
                }
            }
            Report::LowerPriority { name, source, priority, ours } => {
                let subject = Subject { kind: "INSTANCE", name, priority: ours.get() };
                let script = self.scripts(subject).and_then(|scripts| scripts.master_rx_lower_priority.as_ref());
                if let Some(script) = script {
                    let environment = vec![
                        ("KEEPALIVED_CAUSE".to_owned(), format!("{source} sends priority {priority}")),
                        ("KEEPALIVED_MASTER".to_owned(), source.to_string()),
                    ];
                    let about = format!("INSTANCE {name}, lower priorities");
                    programs.notify(Notice { script, extra: Vec::new(), environment, about });
                }
                self.line(subject, "MASTER_RX_LOWER_PRI");
            }
            Report::Priority { name, priority, state, .. } => {
                let subject = Subject { kind: "INSTANCE", name, priority: priority.get() };
                let wanted = self.instances.get(&**name).is_some_and(|told| told.priorities);
                match state {
                    State::Master if wanted => self.line(subject, "MASTER_PRIORITY"),
                    State::Backup if wanted => self.line(subject, "BACKUP_PRIORITY"),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// `fifo_write_vrrp_states_on_reload`
    pub(super) fn write_state(&mut self, name: &str, state: State, priority: u8) {
        if let Some(word) = word(State::Init, state, &Cause::Started, false) {
            self.line(Subject { kind: "INSTANCE", name, priority }, word);
        }
    }

    fn scripts(&self, subject: Subject<'_>) -> Option<&Notify> {
        let of = if subject.kind == "GROUP" { &self.groups } else { &self.instances };
        of.get(subject.name)?.scripts.as_deref()
    }

    /// The script for this state, then the one for all, then the pipes.
    fn all(&mut self, subject: Subject<'_>, word: &str, cause: &Cause, programs: &mut Programs) {
        if let Some(scripts) = self.scripts(subject) {
            let environment = environment(cause);
            let about = format!("{} {}", subject.kind, subject.name);
            if let Some(script) = specific(scripts, word) {
                programs.notify(Notice {
                    script,
                    extra: Vec::new(),
                    environment: environment.clone(),
                    about: about.clone(),
                });
            }
            if let Some(script) = &scripts.any {
                let extra = [subject.kind, subject.name, word].map(str::to_owned);
                let extra = extra.into_iter().chain([subject.priority.to_string()]).collect();
                let about = format!("{about}, by `notify`");
                programs.notify(Notice { script, extra, environment, about });
            }
        }
        self.line(subject, word);
    }

    fn line(&mut self, subject: Subject<'_>, word: &str) {
        let Subject { kind, name, priority } = subject;
        self.fifos.write(&format!("{kind} \"{name}\" {word} {priority}\n"));
    }

    /// A program of this process has ended, which may be the reader of a pipe.
    pub(super) fn ended(&mut self, id: OrderId, how: &HowEnded, now: Instant, programs: &mut Programs) {
        self.fifos.ended(id, how, now, programs);
    }

    /// Starts readers again that have ended. Returns when to come again.
    pub(super) fn turn(&mut self, now: Instant, programs: &mut Programs) -> Option<Instant> {
        self.fifos.turn(now, programs)
    }

    /// The process stops.
    pub(super) const fn stop(&mut self) {
        self.fifos.stop();
    }

    /// The end: named pipes that are ours go.
    pub(super) fn close(&mut self, programs: &mut Programs) {
        std::mem::take(&mut self.fifos).close(programs);
    }
}

/// How keepalived calls what happened, where it tells of it.
pub(super) fn word(from: State, to: State, cause: &Cause, says_deleted: bool) -> Option<&'static str> {
    Some(match (to, cause) {
        (State::Master, _) => "MASTER",
        (State::Backup, _) => "BACKUP",
        (State::Fault, _) => "FAULT",
        (State::Stopped, Cause::Removed) if says_deleted => "DELETED",
        (State::Stopped, Cause::Removed) if from == State::Fault => return None,
        (State::Stopped, Cause::Removed) => "FAULT",
        (State::Stopped, _) => "STOP",
        (State::Init, _) => return None,
    })
}

fn specific<'a>(scripts: &'a Notify, word: &str) -> Option<&'a Script> {
    let script = match word {
        "MASTER" => &scripts.master,
        "BACKUP" => &scripts.backup,
        "FAULT" => &scripts.fault,
        "STOP" => &scripts.stop,
        "DELETED" => &scripts.deleted,
        _ => return None,
    };
    script.as_ref()
}

/// What a script may want to know besides (keepalived has none of these).
fn environment(cause: &Cause) -> Vec<(String, String)> {
    let master = match cause {
        Cause::HigherClaim { by, .. } => Some(by),
        Cause::MasterLeft { master } | Cause::PathLost { master } | Cause::Preempted { master, .. } => Some(master),
        Cause::MasterSilent { master, .. } => master.as_ref(),
        _ => None,
    };
    let master = master.map(|address| ("KEEPALIVED_MASTER".to_owned(), address.to_string()));
    [("KEEPALIVED_CAUSE".to_owned(), cause.to_string())].into_iter().chain(master).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// behaviour.md section 2, interfaces.md section 1.
    #[test]
    fn an_instance_that_a_reload_removes_is_in_fault_or_deleted() {
        let removed = |from, says_deleted| word(from, State::Stopped, &Cause::Removed, says_deleted);
        assert_eq!(removed(State::Master, false), Some("FAULT"));
        assert_eq!(removed(State::Fault, false), None);
        assert_eq!(removed(State::Fault, true), Some("DELETED"));
        assert_eq!(word(State::Master, State::Stopped, &Cause::Stopped, true), Some("STOP"));
    }
}
