//! What befalls the kernel's table.

use std::collections::BTreeMap;

use keepalived_core::balance::{DestinationKey, Entry, Protocol, Scheduler, ServiceEntry, ServiceKey};

use super::super::disturbance::Meddling;
use super::super::setting::{self, PORT};
use super::{Event, NO_ANSWER, Planted, World};

impl World {
    fn place(&self, service: u8, server: Option<u8>) -> (ServiceKey, Option<DestinationKey>) {
        let key = setting::key(service);
        let to = server.map(|server| DestinationKey { address: [10, 0, 0, server].into(), port: PORT });
        (key, to)
    }

    pub(super) fn refuse(&mut self, service: u8, server: Option<u8>, refuses: bool) {
        let (key, to) = self.place(service, server);
        self.kernel().refuse(key, to, refuses.then_some(NO_ANSWER));
        self.watch.refuse((key, to), refuses, self.now);
    }

    pub(super) fn silence(&mut self, silent: bool) {
        self.kernel().fail(silent.then_some(NO_ANSWER));
        self.watch.silence(silent, self.now);
    }

    /// Others change the kernel's table.
    pub(super) fn meddle(&mut self, what: Meddling) {
        let now = self.now;
        let of = |service| self.place(service, None).0;
        let mut concerned = Vec::new();
        match what {
            Meddling::Flush => {
                concerned.extend(self.kernel().table().keys().map(|key| (*key, None)));
                self.kernel().table_mut().clear();
                self.watch.removed(None);
            }
            Meddling::RemoveService(service) => {
                let key = of(service);
                if self.kernel().table_mut().remove(&key).is_some() {
                    concerned.push((key, None));
                    self.watch.removed(Some(key));
                }
            }
            Meddling::EditService(service) => {
                let key = of(service);
                if let Some(entry) = self.kernel().table_mut().get_mut(&key) {
                    entry.service.scheduler = Scheduler::Lc;
                    concerned.push((key, None));
                }
            }
            Meddling::RemoveServer(service, server) => {
                let (key, to) = self.place(service, Some(server));
                let entry = self.kernel().table_mut().get_mut(&key);
                if let Some((entry, to)) = entry.zip(to)
                    && entry.destinations.remove(&to).is_some()
                {
                    concerned.push((key, Some(to)));
                }
            }
            Meddling::Reweigh(service, server, weight) => {
                let (key, to) = self.place(service, Some(server));
                let entry = self.kernel().table_mut().get_mut(&key).zip(to);
                if let Some(entry) = entry.and_then(|(entry, to)| entry.destinations.get_mut(&to)) {
                    entry.weight = weight;
                    concerned.push((key, to));
                }
            }
            Meddling::AddService(number) => {
                let address = [198, 51, 100, number].into();
                let key = ServiceKey::Address { address, port: PORT, protocol: Protocol::Tcp };
                let to = DestinationKey { address: [10, 9, 0, number].into(), port: PORT };
                let destinations = BTreeMap::from([(to, setting::entry(1))]);
                let entry = Entry { service: ServiceEntry::new(Scheduler::Rr), destinations };
                self.kernel().table_mut().insert(key, entry.clone());
                self.watch.add_service(key, entry);
            }
            Meddling::AddServer(service, number) => {
                let key = of(service);
                let to = DestinationKey { address: [10, 9, 0, number].into(), port: PORT };
                if let Some(entry) = self.kernel().table_mut().get_mut(&key) {
                    entry.destinations.insert(to, setting::entry(1));
                    let table = self.kernel().table().clone();
                    if !self.watch.is_theirs((key, None), &table) {
                        self.watch.add_server(key, to, setting::entry(1));
                    }
                }
            }
        }
        if self.planted == Some(Planted::Unwatched) {
            concerned.clear();
        }
        let table = self.kernel().table().clone();
        concerned.retain(|place| !self.watch.is_theirs(*place, &table));
        for place in concerned {
            self.watch.meddled(place, now);
            if self.planted == Some(Planted::Framed) {
                self.watch.forgive();
            }
        }
        if self.notifies {
            self.queue.plan(now, Event::Notified);
        }
    }
}
