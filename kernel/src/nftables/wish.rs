//! The state of each service that changes lead to, and whether nftables can do it.

use std::collections::BTreeMap;
use std::io;

use keepalived_core::balance::{Change, Entry, ServiceKey, Unsupported};

use super::plan;
use super::render::Known;
use super::table::OurTable;
use crate::director::Refused;

/// The state that a service should have, and the changes that ask for it.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) entry: Option<Entry>,
    pub(super) changes: Vec<usize>,
}

/// The wish for each service that `changes` are about, if the kernel has `services`. A change that cannot be done is in
/// `refused`.
pub(super) fn of(
    changes: &[Change],
    services: &BTreeMap<ServiceKey, Known>,
    refused: &mut Vec<Refused>,
) -> BTreeMap<ServiceKey, Wish> {
    let mut wishes = BTreeMap::new();
    for (index, change) in changes.iter().enumerate() {
        let key = change.service();
        let wish: &mut Wish = wishes.entry(key).or_insert_with(|| Wish {
            entry: services.get(&key).map(|known| known.entry.clone()),
            changes: Vec::new(),
        });
        match apply(&mut wish.entry, change) {
            Ok(()) => wish.changes.push(index),
            Err(error) => refused.push(Refused { index, error }),
        }
    }
    wishes
}

/// Takes away the wishes that nftables cannot make true. `can_direct` says whether the kernel can copy packets in a
/// table.
pub(super) fn refuse_impossible(
    wishes: &mut BTreeMap<ServiceKey, Wish>,
    mut can_direct: impl FnMut(OurTable) -> io::Result<bool>,
    refused: &mut Vec<Refused>,
) {
    wishes.retain(|key, wish| {
        let Err(error) = check(key, wish.entry.as_ref(), &mut can_direct) else { return true };
        refused.extend(wish.changes.iter().map(|index| Refused { index: *index, error: again_as(&error) }));
        false
    });
}

/// Whether nftables can do what the servers of a service ask for together.
fn check(
    key: &ServiceKey,
    entry: Option<&Entry>,
    can_direct: &mut impl FnMut(OurTable) -> io::Result<bool>,
) -> io::Result<()> {
    let Some(entry) = entry else { return Ok(()) };
    if let Some(mixed) = Unsupported::in_servers(entry.destinations.values().map(|server| server.forwarding)) {
        return Err(unsupported(mixed));
    }
    let table = OurTable::of(key, entry);
    if table != OurTable::Nat && !can_direct(table)? {
        return Err(unsupported(Unsupported::DirectRouting));
    }
    Ok(())
}

fn unsupported(what: Unsupported) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{what}; {}", what.way_out()))
}

/// The same error for another change.
fn again_as(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Applies a change to what is wished for.
fn apply(entry: &mut Option<Entry>, change: &Change) -> io::Result<()> {
    match change {
        Change::AddService(key, service) | Change::EditService(key, service) => {
            plan::supports_service(service).map_err(unsupported)?;
            let service = plan::kept(key.family(), service)?;
            match entry {
                Some(entry) => entry.service = service,
                None => *entry = Some(Entry { service, destinations: BTreeMap::new() }),
            }
        }
        Change::RemoveService(_) => *entry = None,
        Change::AddDestination(key, to, destination) | Change::EditDestination(key, to, destination) => {
            plan::supports_destination(destination).map_err(unsupported)?;
            plan::check_server(key.family(), to.address, destination.weight)?;
            let entry = entry.as_mut().ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
            entry.destinations.insert(*to, *destination);
        }
        Change::RemoveDestination(_, to) => {
            if let Some(entry) = entry {
                entry.destinations.remove(to);
            }
        }
    }
    Ok(())
}
