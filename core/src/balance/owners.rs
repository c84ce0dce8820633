//! Which virtual server answers for what: a kernel has each service once, a configuration may name it more than once.

use std::collections::HashMap;

use super::params::ServiceId;
use super::table::ServiceKey;

/// The services of a kernel that several virtual servers name: an address in two groups, a mark in two groups, ranges that overlap.
/// The first of these virtual servers owns the service: it alone says what the kernel ought to have, the servers of the others
/// included.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// Who names a service that has more than one name, in their order.
    shared: HashMap<ServiceKey, Vec<ServiceId>>,
    /// The owners of what a virtual server names besides its own.
    of: HashMap<ServiceId, Vec<ServiceId>>,
}

impl Owners {
    /// Finds what is named more than once. `services` are the keys of each virtual server, in the order of their numbers.
    pub fn new<'a>(services: impl Iterator<Item = &'a [ServiceKey]> + Clone) -> Self {
        let mut named: Vec<(ServiceKey, ServiceId)> = Vec::with_capacity(services.clone().map(<[_]>::len).sum());
        let all = (0..).map(ServiceId).zip(services);
        named.extend(all.flat_map(|(id, keys)| keys.iter().map(move |key| (*key, id))));
        named.sort_unstable();
        named.dedup();
        let mut owners = Self::default();
        for same in named.chunk_by(|(one, _), (other, _)| one == other) {
            let [(key, owner), others @ ..] = same else { continue };
            if others.is_empty() {
                continue;
            }
            owners.shared.insert(*key, same.iter().map(|(_, id)| *id).collect());
            for (_, other) in others {
                let known = owners.of.entry(*other).or_default();
                if !known.contains(owner) {
                    known.push(*owner);
                }
            }
        }
        owners
    }

    /// Each service that more than one names, and all that name it: its owner first.
    pub fn all(&self) -> impl Iterator<Item = (&ServiceKey, &[ServiceId])> {
        self.shared.iter().map(|(key, sharers)| (key, sharers.as_slice()))
    }

    /// All that name a service that more than one names: its owner first. `None` if there is only one.
    pub(super) fn sharers(&self, key: &ServiceKey) -> Option<&[ServiceId]> {
        self.shared.get(key).map(Vec::as_slice)
    }

    /// Whether `id`, which names `key`, owns it.
    pub(super) fn owns(&self, id: ServiceId, key: &ServiceKey) -> bool {
        self.sharers(key).is_none_or(|sharers| sharers.first() == Some(&id))
    }

    /// Whose services may have to change when `id` changes, besides its own.
    pub(super) fn besides(&self, id: ServiceId) -> &[ServiceId] {
        self.of.get(&id).map(Vec::as_slice).unwrap_or_default()
    }
}
