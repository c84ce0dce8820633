//! The last record of each subject: why it is as it is, and since when. It outlasts the journal, which forgets.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::{Event, Record, Snapshot, Subject};

/// The last record of each subject.
#[derive(Clone, Debug, Default)]
pub struct Latest(HashMap<Subject, (SystemTime, Event)>);

impl Latest {
    /// That of all journals of `snapshot`.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut latest = Self::default();
        snapshot.journals().into_iter().flat_map(crate::Journal::records).for_each(|record| latest.add(record));
        latest
    }

    /// Takes in a record. What says nothing about the state leaves the record before it.
    pub fn add(&mut self, record: &Record) {
        match &record.event {
            Event::Removed => drop(self.0.remove(&record.subject)),
            Event::Weight(_) | Event::Duplicate { .. } | Event::Asked { .. } => {}
            event => drop(self.0.insert(record.subject.clone(), (record.at, event.clone()))),
        }
    }

    /// When `subject` became as it is, and what happened then.
    pub fn get(&self, subject: &Subject) -> Option<&(SystemTime, Event)> {
        self.0.get(subject)
    }
}
