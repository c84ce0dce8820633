//! What changes come to, and whether it can be done.

use std::collections::BTreeMap;
use std::io;

use keepalived_core::balance::{Change, Entry, ServiceKey, Unsupported};

use super::commit::Outcome;
use super::names::Home;
use super::{Nftables, direct, plan};
use crate::director::Refused;

/// What a service is to become, and by which changes.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) entry: Option<Entry>,
    pub(super) changes: Vec<usize>,
}

impl Nftables {
    /// What is wished for, by service.
    pub(super) fn wishes(&mut self, changes: &[Change], refused: &mut Vec<Refused>) -> BTreeMap<ServiceKey, Wish> {
        let mut wishes = BTreeMap::new();
        for (index, change) in changes.iter().enumerate() {
            let key = change.service();
            let wish: &mut Wish = wishes.entry(key).or_insert_with(|| Wish {
                entry: self.services.get(&key).map(|known| known.entry.clone()),
                changes: Vec::new(),
            });
            match apply(&mut wish.entry, change) {
                Ok(()) => wish.changes.push(index),
                Err(error) => refused.push(Refused { index, error }),
            }
        }
        wishes.retain(|key, wish: &mut Wish| {
            let Err(error) = self.check(key, wish.entry.as_ref()) else { return true };
            refused.extend(wish.changes.iter().map(|index| Refused { index: *index, error: again_as(&error) }));
            false
        });
        wishes
    }

    /// Whether all servers of a service together are something that can be done.
    fn check(&mut self, key: &ServiceKey, entry: Option<&Entry>) -> io::Result<()> {
        let Some(entry) = entry else { return Ok(()) };
        if let Some(mixed) = Unsupported::in_servers(entry.destinations.values().map(|server| server.forwarding)) {
            return Err(unsupported(mixed));
        }
        let home = Home::of(key, entry);
        if home != Home::Nat && !self.can_direct(home)? {
            return Err(unsupported(Unsupported::DirectRouting));
        }
        Ok(())
    }

    /// Asks the kernel, until it says so, whether it can send copies of packets.
    fn can_direct(&mut self, home: Home) -> io::Result<bool> {
        if self.can_direct.contains(&home) {
            return Ok(true);
        }
        self.commit.begin(&mut self.transaction);
        self.transaction.at_passing(home);
        self.transaction.new_table();
        direct::write_trial(&mut self.transaction);
        self.transaction.delete_table();
        let outcome = self.commit.run(&mut self.transaction);
        self.transaction.at(home);
        let can = matches!(outcome?, Outcome::Done);
        if can {
            self.can_direct.insert(home);
        }
        Ok(can)
    }
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
