//! Whether the kernel keeps what we write. If the table differs right after our own write, the fault is ours: it is logged as such, and
//! not repaired for ever.

use keepalived_core::balance::{Balancer, Entry, ServiceKey, Table, difference};
use keepalived_kernel::director::Director;

use super::super::report::Report;
use super::{Reconciler, again, ours};

/// How many repaired services are read again after a look.
const MOST_VERIFIED: usize = 16;

/// Notes a service that was repaired.
pub(super) fn note(repaired: &mut Vec<ServiceKey>, key: ServiceKey) {
    if repaired.len() < MOST_VERIFIED && !repaired.contains(&key) {
        repaired.push(key);
    }
}

impl<D: Director> Reconciler<D> {
    /// Reads repaired services again. Writes what differs once more and reads it at once: if it still differs, the kernel does not keep
    /// what we write. Returns how many changes such services took.
    pub(super) fn verify(&mut self, repaired: &[ServiceKey], balancer: &Balancer) -> usize {
        let unlike = self.unlike(repaired, balancer);
        if unlike.is_empty() {
            return 0;
        }
        let mut changes = Vec::new();
        for (key, there) in &unlike {
            difference(*key, there.as_ref(), self.table.get(key), &mut changes);
        }
        if self.director.change(&changes).is_ok_and(|refused| !refused.is_empty()) {
            // refusals are handled elsewhere
            return 0;
        }
        let keys: Vec<ServiceKey> = unlike.into_iter().map(|(key, _)| key).collect();
        for (key, there) in self.unlike(&keys, balancer) {
            self.news.push(Report::Unkept { service: again::service_in_words(&key) });
            if let Some(there) = there {
                self.unkept.insert(key, there);
            }
        }
        let is_unkept = |key: &ServiceKey| self.unkept.contains_key(key);
        changes.iter().filter(|change| is_unkept(&change.service())).count()
    }

    /// Which of `keys` differ from what we wrote, and how they are.
    fn unlike(&mut self, keys: &[ServiceKey], balancer: &Balancer) -> Vec<(ServiceKey, Option<Entry>)> {
        let mut there: Table = match self.director.reread(keys) {
            Ok(there) => there,
            // then nothing is known
            Err(_) => return Vec::new(),
        };
        let is_concerned = |key: &ServiceKey| keys.contains(key);
        let mut unlike = Vec::new();
        for id in balancer.services().filter(|id| balancer.keys(*id).iter().any(is_concerned)) {
            for (key, places) in balancer.places(id).filter(|(key, _)| is_concerned(key)) {
                let made = self.table.get(&key);
                let mut found = there.remove(&key);
                if let Some(found) = &mut found {
                    ours(found, &places, made);
                }
                if found.as_ref() != made {
                    unlike.push((key, found));
                }
            }
        }
        unlike
    }
}
