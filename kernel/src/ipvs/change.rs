//! Changes of the table, many in one datagram.
//!
//! The kernel knows "add" (refused if it is there) and "change" (refused if it is not); a wish is tried as the one that
//! it most likely is. After each datagram those that met the other case are tried as that, before the next.

use std::collections::{HashMap, HashSet};
use std::io;

use keepalived_core::balance::{Change, DestinationKey, ServiceKey};

use super::message;
use super::refusal::error;
use crate::director::Refused;
use crate::netlink::codec::{Answer, Batch};
use crate::netlink::exchange::Exchange;
use crate::netlink::generic;

/// Makes all changes in their order.
pub(super) fn make(exchange: &mut Exchange, family: u16, changes: &[Change]) -> io::Result<Vec<Refused>> {
    let mut refused = Vec::new();
    let mut done = 0;
    while let Some(rest) = changes.get(done..).filter(|rest| !rest.is_empty()) {
        let answers = exchange.submit(rest.len(), |batch, at, flags, sequence| {
            if let Some(change) = rest.get(at) {
                write(batch, family, flags, sequence, change, first_verb(change));
            }
        })?;
        let made = rest.get(..answers.len()).unwrap_or_default();
        let again = judge(made, answers, done, &mut refused);
        try_otherwise(exchange, family, made, &again, done, &mut refused)?;
        done += made.len();
    }
    // those of a second try come after those of the first
    refused.sort_by_key(|refused| refused.index);
    Ok(refused)
}

/// What to ask the kernel for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Add,
    Set,
    Remove,
}

fn first_verb(change: &Change) -> Verb {
    match change {
        Change::AddService(..) | Change::AddDestination(..) => Verb::Add,
        Change::EditService(..) | Change::EditDestination(..) => Verb::Set,
        Change::RemoveService(_) | Change::RemoveDestination(..) => Verb::Remove,
    }
}

fn write(batch: &mut Batch, family: u16, flags: u16, sequence: u32, change: &Change, verb: Verb) {
    let (service, destination) = match change {
        Change::AddService(..) | Change::EditService(..) | Change::RemoveService(_) => {
            ([message::NEW_SERVICE, message::SET_SERVICE, message::DELETE_SERVICE], None)
        }
        Change::AddDestination(_, key, entry) | Change::EditDestination(_, key, entry) => {
            (DESTINATION_COMMANDS, Some((key, Some(entry))))
        }
        Change::RemoveDestination(_, key) => (DESTINATION_COMMANDS, Some((key, None))),
    };
    let [add, set, remove] = service;
    let command = match verb {
        Verb::Add => add,
        Verb::Set => set,
        Verb::Remove => remove,
    };
    generic::begin(batch, family, command, flags, sequence);
    match change {
        Change::AddService(key, entry) | Change::EditService(key, entry) => {
            message::write_service(batch, key, Some(entry));
        }
        _ => message::write_service(batch, &change.service(), None),
    }
    if let Some((key, entry)) = destination {
        message::write_destination(batch, key, entry);
    }
    batch.end();
}

const DESTINATION_COMMANDS: [u8; 3] = [message::NEW_DESTINATION, message::SET_DESTINATION, message::DELETE_DESTINATION];

/// Sorts the answers to a datagram into refusals, and changes to try in another way: their indices, and how.
fn judge(made: &[Change], answers: Vec<Answer>, offset: usize, refused: &mut Vec<Refused>) -> Vec<(usize, Verb)> {
    let mut again = Vec::new();
    // services that will come with the second try: their servers could not be added before
    let mut late = HashSet::new();
    for (at, (change, answer)) in made.iter().zip(answers).enumerate() {
        if let Change::RemoveService(key) = change {
            late.remove(key);
        }
        match (change, answer.errno) {
            (_, 0) => {}
            (Change::RemoveService(_), libc::ESRCH) | (Change::RemoveDestination(..), libc::ESRCH | libc::ENOENT) => {}
            (Change::AddService(..) | Change::AddDestination(..), libc::EEXIST) => again.push((at, Verb::Set)),
            (Change::EditService(key, _), libc::ESRCH) => {
                late.insert(*key);
                again.push((at, Verb::Add));
            }
            (Change::EditDestination(..), libc::ENOENT) => again.push((at, Verb::Add)),
            (Change::AddDestination(key, ..) | Change::EditDestination(key, ..), libc::ESRCH) if late.contains(key) => {
                again.push((at, Verb::Add));
            }
            _ => refused.push(Refused { index: offset + at, error: error(answer) }),
        }
    }
    again
}

/// Which entry a change is about; `None` is the service itself.
type EntryKey = (ServiceKey, Option<DestinationKey>);

fn entry_key(change: &Change) -> EntryKey {
    match change {
        Change::AddDestination(service, key, _)
        | Change::EditDestination(service, key, _)
        | Change::RemoveDestination(service, key) => (*service, Some(*key)),
        Change::AddService(..) | Change::EditService(..) | Change::RemoveService(_) => (change.service(), None),
    }
}

fn try_otherwise(
    exchange: &mut Exchange,
    family: u16,
    made: &[Change],
    again: &[(usize, Verb)],
    offset: usize,
    refused: &mut Vec<Refused>,
) -> io::Result<()> {
    if again.is_empty() {
        return Ok(());
    }
    let mut last = HashMap::new();
    let mut removed = HashMap::new();
    for (at, change) in made.iter().enumerate() {
        last.insert(entry_key(change), at);
        if let Change::RemoveService(key) = change {
            removed.insert(*key, at);
        }
    }
    // a later wish for the same entry has been granted already and must not be undone
    let stands = |(at, change): (usize, &Change)| {
        last.get(&entry_key(change)) == Some(&at) && removed.get(&change.service()).is_none_or(|gone| *gone < at)
    };
    let mut again: Vec<_> = again
        .iter()
        .filter_map(|(at, verb)| Some((*at, made.get(*at)?, *verb)))
        .filter(|(at, change, _)| stands((*at, change)))
        .collect();
    // of each entry there is one wish left: order matters only in that a service comes before its servers
    again.sort_by_key(|(_, change, _)| entry_key(change).1.is_some());
    let mut done = 0;
    while let Some(rest) = again.get(done..).filter(|rest| !rest.is_empty()) {
        let answers = exchange.submit(rest.len(), |batch, at, flags, sequence| {
            if let Some((_, change, verb)) = rest.get(at) {
                write(batch, family, flags, sequence, change, *verb);
            }
        })?;
        done += answers.len();
        let outcome = rest.iter().zip(answers).filter(|(_, answer)| answer.errno != 0);
        refused.extend(outcome.map(|((at, ..), answer)| Refused { index: offset + at, error: error(answer) }));
    }
    Ok(())
}
