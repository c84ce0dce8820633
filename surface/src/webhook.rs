//! `webhook`: what is posted about an event.

use std::collections::BTreeMap;

use keepalived_config::model::SyncGroup;
use keepalived_core::vrrp::State;
use keepalived_state::{Event, Record, Snapshot, Subject};
use serde_json::{Value, json};

use crate::status::event_document;

/// What is known of states, for sync groups: no record tells of these.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Of instances.
    states: BTreeMap<String, State>,
    groups: Vec<Group>,
    /// The group of an instance.
    of: BTreeMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Group {
    name: String,
    members: usize,
    /// How many members are in each state.
    counts: BTreeMap<State, usize>,
    /// The last state that all members had, or FAULT.
    state: Option<State>,
}

impl Events {
    /// A whole snapshot came: nothing has happened because of that.
    pub fn replace(&mut self, snapshot: &Snapshot, groups: &[SyncGroup]) {
        self.states = snapshot.vrrp.instances.iter().map(|view| (view.name.clone(), view.state)).collect();
        self.configure(groups);
    }

    /// These groups are configured now.
    pub fn configure(&mut self, groups: &[SyncGroup]) {
        let group = |group: &SyncGroup| Group {
            name: group.name.clone(),
            members: group.members.len(),
            counts: BTreeMap::new(),
            state: None,
        };
        self.groups = groups.iter().map(group).collect();
        let members = |(number, group): (usize, &SyncGroup)| {
            group.members.iter().map(move |name| (name.clone(), number)).collect::<Vec<_>>()
        };
        self.of = groups.iter().enumerate().flat_map(members).collect();
        for (name, number) in &self.of {
            if let (Some(group), Some(state)) = (self.groups.get_mut(*number), self.states.get(name)) {
                *group.counts.entry(*state).or_default() += 1;
            }
        }
        for group in &mut self.groups {
            group.state = group.common();
        }
    }

    /// What to post about a record: itself, and the sync group that it brought to another state.
    pub fn bodies(&mut self, record: &Record, router_id: &str) -> Vec<String> {
        let mut documents = vec![event_document(record)];
        match (&record.subject, &record.event) {
            (Subject::Instance(name), Event::Transition(transition)) => {
                if let Some((group, before, state)) = self.set(name, Some(transition.to)) {
                    let mut document = documents.first().cloned().unwrap_or_default();
                    change(&mut document, &group, before, state, &transition.cause.to_string());
                    documents.push(document);
                }
            }
            (Subject::Instance(name), Event::Removed) => drop(self.set(name, None)),
            _ => {}
        }
        for document in &mut documents {
            if let Some(members) = document.as_object_mut() {
                members.insert("router_id".to_owned(), router_id.into());
            }
        }
        documents.iter().map(Value::to_string).collect()
    }

    /// An instance has another state. Its group, the state before and the one now, if that is another one.
    fn set(&mut self, name: &str, state: Option<State>) -> Option<(String, Option<State>, State)> {
        let before = match state {
            Some(state) => self.states.insert(name.to_owned(), state),
            None => self.states.remove(name),
        };
        let group = self.groups.get_mut(*self.of.get(name)?)?;
        if let Some(count) = before.and_then(|before| group.counts.get_mut(&before)) {
            *count = count.saturating_sub(1);
        }
        *group.counts.entry(state?).or_default() += 1;
        let now = group.common()?;
        let before = group.state.replace(now);
        (before != Some(now)).then(|| (group.name.clone(), before, now))
    }
}

impl Group {
    /// FAULT as soon as one member is, else what all members have.
    fn common(&self) -> Option<State> {
        let mut there = self.counts.iter().filter(|(_, count)| **count > 0);
        if self.counts.get(&State::Fault).is_some_and(|count| *count > 0) {
            return Some(State::Fault);
        }
        there.find(|(_, count)| **count == self.members).map(|(state, _)| *state)
    }
}

/// Makes the document of a member that of its group.
fn change(document: &mut Value, group: &str, before: Option<State>, state: State, cause: &str) {
    let Some(members) = document.as_object_mut() else { return };
    let from = before.unwrap_or(State::Init);
    members.remove("priority");
    let text = format!("{from} -> {state}: {cause}");
    for (name, value) in [
        ("kind", json!("sync_group")),
        ("name", json!(group)),
        ("from", json!(from.to_string())),
        ("to", json!(state.to_string())),
        ("text", json!(text)),
    ] {
        members.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use keepalived_core::time::Instant;
    use keepalived_core::vrrp::{Cause, Priority, Transition};

    use super::*;

    fn record(name: &str, from: State, to: State) -> Record {
        let priority = Priority::new(100).unwrap();
        let event = Event::Transition(Transition { at: Instant::ZERO, from, to, cause: Cause::GroupMaster, priority });
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        Record { at, subject: Subject::Instance(name.to_owned()), event }
    }

    fn group() -> SyncGroup {
        let text = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";
        let instances = ["A", "B"].iter().zip(1..).map(|(name, vrid)| {
            format!("vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n virtual_ipaddress {{\n 192.0.2.{vrid}\n }}\n}}\n")
        });
        let text = instances.collect::<String>() + text;
        let source = keepalived_config::MemorySource::one("/k.conf", text);
        let path = std::path::Path::new("/k.conf");
        keepalived_config::load(&source, path, &keepalived_config::AnyInterface).config.sync_groups.remove(0)
    }

    #[test]
    fn a_group_changes_when_its_last_member_has_and_is_in_fault_with_the_first() {
        let groups = [group()];
        let mut events = Events::default();
        events.configure(&groups);
        let mut tell = |name: &str, from, to| -> Vec<String> {
            let bodies = events.bodies(&record(name, from, to), "lb1");
            let documents = bodies.iter().map(|body| serde_json::from_str::<Value>(body).unwrap());
            let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
            documents
                .map(|document| {
                    assert_eq!((&document["router_id"], &document["at"]), (&json!("lb1"), &json!(1.0)));
                    ["kind", "name", "from", "to"].map(|member| word(&document[member])).join(" ")
                })
                .collect()
        };
        use State::{Backup, Fault, Init, Master};
        assert_eq!(tell("A", Init, Backup), ["instance A INIT BACKUP"]);
        assert_eq!(tell("B", Init, Backup), ["instance B INIT BACKUP", "sync_group G INIT BACKUP"]);
        assert_eq!(tell("A", Backup, Master), ["instance A BACKUP MASTER"]);
        assert_eq!(tell("B", Backup, Master), ["instance B BACKUP MASTER", "sync_group G BACKUP MASTER"]);
        assert_eq!(tell("A", Master, Fault), ["instance A MASTER FAULT", "sync_group G MASTER FAULT"]);
        assert_eq!(tell("B", Master, Fault), ["instance B MASTER FAULT"]);
        assert_eq!(tell("C", Init, Backup), ["instance C INIT BACKUP"]);
    }
}
