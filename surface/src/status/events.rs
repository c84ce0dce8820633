//! What happened: a line for each record, or an object.

use std::collections::BTreeSet;

use keepalived_state::{Event, Record, Subject};
use serde_json::{Value, json};

use super::words::{Colour, clock, unix};
use super::{Look, Scene};

/// The records of all journals, oldest first; those about `subject` only, if one is named.
pub fn events<'a>(scene: &Scene<'a>, subject: Option<&str>) -> Vec<&'a Record> {
    let all = scene.snapshot.journals().into_iter().flat_map(keepalived_state::Journal::records);
    let mut records: Vec<&Record> = all.filter(|record| subject.is_none_or(|name| is_about(record, name))).collect();
    records.sort_by_key(|record| record.at);
    records
}

/// Whether a record is about what is called `name`.
pub fn is_about(record: &Record, name: &str) -> bool {
    is_about_one(record, &BTreeSet::from([name]))
}

/// Whether a record is about one of these: it is looked up, however many they are.
pub(super) fn is_about_one(record: &Record, names: &BTreeSet<&str>) -> bool {
    match &record.subject {
        Subject::Instance(subject) | Subject::Session(subject) | Subject::VirtualServer(subject) => {
            names.contains(subject.as_str())
        }
        Subject::Tracker(tracker) => {
            names.contains(tracker.name.as_str()) || names.contains(tracker.to_string().as_str())
        }
        Subject::RealServer { server, of } => names.contains(server.as_str()) || names.contains(of.as_str()),
    }
}

/// A record as a line.
pub fn event(scene: &Scene<'_>, record: &Record, look: Look) -> String {
    let time = look.paint(Colour::Dim, &clock(record.at, scene.now, scene.ahead));
    let Record { subject, event, .. } = record;
    let event = event.to_string();
    let colour = match &record.event {
        Event::Down(_) | Event::QuorumLost(_) | Event::Duplicate { .. } => Some(Colour::Red),
        Event::Up | Event::QuorumGained(_) => Some(Colour::Green),
        Event::Transition(_)
        | Event::Tracked { .. }
        | Event::Session(_)
        | Event::Weight(_)
        | Event::Removed
        | Event::Asked { .. } => None,
    };
    let event = colour.map_or_else(|| event.clone(), |colour| look.paint(colour, &event));
    format!("{time}  {subject} {event}\n")
}

/// A record as an object.
pub fn event_document(record: &Record) -> Value {
    let (kind, name, of) = match &record.subject {
        Subject::Instance(name) => ("instance", name.clone(), None),
        Subject::Tracker(tracker) => ("tracker", tracker.to_string(), None),
        Subject::Session(name) => ("bfd_session", name.clone(), None),
        Subject::VirtualServer(name) => ("virtual_server", name.clone(), None),
        Subject::RealServer { server, of } => ("real_server", server.clone(), Some(of)),
    };
    let what = match &record.event {
        Event::Transition(_) => "transition",
        Event::Duplicate { .. } => "duplicate_address",
        Event::Tracked { .. } => "tracked",
        Event::Session(_) => "session",
        Event::Up => "up",
        Event::Down(_) => "down",
        Event::Weight(_) => "weight",
        Event::QuorumGained(_) => "quorum_gained",
        Event::QuorumLost(_) => "quorum_lost",
        Event::Removed => "removed",
        Event::Asked { .. } => "asked",
    };
    let mut object = json!({
        "at": unix(record.at),
        "kind": kind,
        "name": name,
        "event": what,
        "text": record.event.to_string(),
    });
    let members = object.as_object_mut();
    if let Some(members) = members {
        if let Some(of) = of {
            members.insert("virtual_server".into(), of.as_str().into());
        }
        if let Event::Transition(transition) = &record.event {
            members.insert("from".into(), transition.from.to_string().into());
            members.insert("to".into(), transition.to.to_string().into());
            members.insert("priority".into(), transition.priority.get().into());
            members.insert("cause".into(), transition.cause.to_string().into());
        }
    }
    object
}
