//! Identities of checks: equal checks of one server run once.

use std::hash::{DefaultHasher, Hasher as _};

use hashbrown::HashTable;
use keepalived_config::model::{Checker, Schedule};
use keepalived_core::balance::CheckId;

use super::task::Task;

/// A digest of a check. A large site has tens of thousands, whose settings are in the configuration.
pub(super) type Identity = [u64; 2];

/// The identities of all checks of a configuration, by their numbers; each is there once.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    all: Vec<Identity>,
    /// Index of each in `all`. The first half of a digest serves as its hash.
    places: HashTable<u32>,
}

impl Identities {
    /// An empty set with room for so many.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { all: Vec::with_capacity(count), places: HashTable::with_capacity(count) }
    }

    /// The number of `identity`, the next one if it was not there; and whether it was.
    pub(super) fn number(&mut self, identity: Identity) -> (CheckId, bool) {
        if let Some(known) = self.find(&identity) {
            return (known, true);
        }
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(identity);
        let Self { all, places } = self;
        places.insert_unique(hash(&identity), next, |place| of(all, *place).map_or(0, hash));
        (CheckId(next), false)
    }

    /// The number of `identity`.
    pub(super) fn find(&self, identity: &Identity) -> Option<CheckId> {
        let is_it = |place: &u32| of(&self.all, *place) == Some(identity);
        self.places.find(hash(identity), is_it).copied().map(CheckId)
    }

    /// Frees unused room.
    pub(super) fn shrink(&mut self) {
        self.all.shrink_to_fit();
    }
}

fn of(all: &[Identity], place: u32) -> Option<&Identity> {
    all.get(usize::try_from(place).ok()?)
}

fn hash(identity: &Identity) -> u64 {
    identity[0]
}

/// Makes a digest of 128 bits.
#[derive(Default)]
pub(super) struct Digest {
    octets: Vec<u8>,
}

impl Digest {
    /// A digest of all settings that matter for the result. Programs are shared only within one server with the same weight: they may
    /// depend on anything.
    pub(super) fn identity(&mut self, task: &Task<'_>) -> Identity {
        let of_server = matches!(task.checker, Checker::Misc(_) | Checker::File(_) | Checker::Bfd(_));
        let server = of_server.then_some((task.server.address, task.server.port, task.server.settings.weight));
        let hosts: Vec<Option<&str>> = task.hosts().collect();
        self.of(&(task.checker, hosts, server))
    }

    /// A digest without the pace, so that a check keeps its state when only its pace changes.
    pub(super) fn target(&mut self, task: &Task<'_>) -> Identity {
        let mut checker = task.checker.clone();
        if let Some(schedule) = checker.schedule_mut() {
            *schedule = Schedule::default();
        }
        let hosts: Vec<Option<&str>> = task.hosts().collect();
        self.of(&(&task.service.service, task.server.address, task.server.port, checker, hosts))
    }

    fn of(&mut self, value: &impl serde::Serialize) -> Identity {
        let mut octets = std::mem::take(&mut self.octets);
        octets.clear();
        // cannot fail: everything here is plain data
        self.octets = postcard::to_extend(value, octets).unwrap_or_default();
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            hasher.write(&self.octets);
            hasher.finish()
        };
        [half(0), half(1)]
    }
}
