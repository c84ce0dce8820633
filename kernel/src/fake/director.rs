//! A load balancer that balances nothing.

use std::collections::{BTreeMap, btree_map};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::balance::{
    Change, Counted, Counters, DestinationEntry, DestinationKey, Entry, Granularity, SchedulerFlags, ServiceEntry,
    ServiceKey, Table, Traffic,
};
use keepalived_core::vrrp::Family;

use crate::director::{Director, Refused};
use crate::marks::Marks;

/// [`Director`] in memory. It refuses what IPVS refuses, and what a test wants refused.
#[derive(Clone, Debug, Default)]
pub struct FakeDirector {
    table: Table,
    refusals: BTreeMap<(ServiceKey, Option<DestinationKey>), i32>,
    silent: Option<i32>,
    unreadable: Option<i32>,
    unreadable_servers: Option<i32>,
    /// Servers that it keeps with another weight than it is told.
    unfaithful: BTreeMap<DestinationKey, u32>,
    traffic: BTreeMap<(ServiceKey, DestinationKey), Traffic>,
    /// The marks that it was told last.
    marks: Marks,
    cannot_mark: bool,
    unmarked: Option<i32>,
    marked: usize,
    /// Others have taken marks away, and that was not told yet.
    disturbed: bool,
    history: Vec<Change>,
    batches: usize,
}

/// The longest name of a persistence engine.
const LONGEST_NAME: usize = 15;
/// The only persistence engine of Linux.
const ENGINES: &[&str] = &["sip"];

impl FakeDirector {
    /// One without services.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is in its table now.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The table for others to meddle with, as an administrator does with ipvsadm.
    pub fn table_mut(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Every change that was asked for, in order, refused ones too.
    pub fn history(&self) -> &[Change] {
        &self.history
    }

    /// How many changes were asked for, and in how many calls.
    pub fn work(&self) -> (usize, usize) {
        (self.history.len(), self.batches)
    }

    /// From now on refuses changes to this service itself, or to this server of it, with an error number; `None` ends
    /// that.
    pub fn refuse(&mut self, service: ServiceKey, server: Option<DestinationKey>, errno: Option<i32>) {
        match errno {
            Some(errno) => self.refusals.insert((service, server), errno),
            None => self.refusals.remove(&(service, server)),
        };
    }

    /// From now on lets every call fail with an error number; `None` ends that.
    pub fn fail(&mut self, errno: Option<i32>) {
        self.silent = errno;
    }

    /// From now on lets every call that reads fail with an error number; `None` ends that.
    pub fn fail_reading(&mut self, errno: Option<i32>) {
        self.unreadable = errno;
    }

    /// From now on lets every call that reads the servers of a service fail with an error number; `None` ends that.
    pub fn fail_reading_servers(&mut self, errno: Option<i32>) {
        self.unreadable_servers = errno;
    }

    /// From now on this server keeps this weight, whatever changes say. It applies to one server at a time.
    pub fn keep_otherwise(&mut self, server: DestinationKey, weight: u32) {
        self.unfaithful.insert(server, weight);
    }

    /// Lets this have passed to a server of its table.
    pub fn pass(&mut self, service: ServiceKey, server: DestinationKey, traffic: Traffic) {
        self.traffic.insert((service, server), traffic);
    }

    /// Which packets it marks, and how often it was told.
    pub fn marks(&self) -> (&Marks, usize) {
        (&self.marks, self.marked)
    }

    /// From now on it marks nothing, as a kernel without nftables.
    pub fn cannot_mark(&mut self) {
        self.cannot_mark = true;
    }

    /// From now on refuses to change marks with an error number; `None` ends that.
    pub fn refuse_marks(&mut self, errno: Option<i32>) {
        self.unmarked = errno;
    }

    /// Others take all marks away.
    pub fn lose_marks(&mut self) {
        self.marks.ranges.clear();
        self.disturbed = true;
    }

    fn answers(&self) -> io::Result<()> {
        self.silent.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    fn is_readable(&self) -> io::Result<()> {
        self.silent.or(self.unreadable).map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    fn apply(&mut self, change: &Change) -> Result<(), i32> {
        let place = match change {
            Change::AddService(key, _) | Change::EditService(key, _) | Change::RemoveService(key) => (*key, None),
            Change::AddDestination(key, server, _)
            | Change::EditDestination(key, server, _)
            | Change::RemoveDestination(key, server) => (*key, Some(*server)),
        };
        if let Some(errno) = self.refusals.get(&place) {
            return Err(*errno);
        }
        match change {
            Change::AddService(key, entry) | Change::EditService(key, entry) => {
                let service = as_the_kernel_keeps_it(key.family(), entry)?;
                match self.table.entry(*key) {
                    btree_map::Entry::Occupied(there) => there.into_mut().service = service,
                    btree_map::Entry::Vacant(free) => {
                        free.insert(Entry { service, destinations: BTreeMap::new() });
                    }
                }
            }
            Change::RemoveService(key) => {
                self.table.remove(key);
            }
            Change::AddDestination(service, key, entry) | Change::EditDestination(service, key, entry) => {
                let there = self.table.get_mut(service).ok_or(libc::ESRCH)?;
                check_destination(service.family(), entry, key)?;
                if !there.destinations.contains_key(key) && !can_be_a_server(key.address) {
                    return Err(libc::EINVAL);
                }
                let weight = self.unfaithful.get(key).copied().unwrap_or(entry.weight);
                there.destinations.insert(*key, DestinationEntry { weight, ..*entry });
            }
            Change::RemoveDestination(service, key) => {
                if let Some(there) = self.table.get_mut(service) {
                    there.destinations.remove(key);
                }
            }
        }
        Ok(())
    }
}

fn as_the_kernel_keeps_it(family: Family, entry: &ServiceEntry) -> Result<ServiceEntry, i32> {
    let persistence_engine = entry.persistence_engine.clone().filter(|name| !name.is_empty());
    match persistence_engine.as_deref() {
        Some(name) if name.len() > LONGEST_NAME => return Err(libc::EINVAL),
        Some(name) if !ENGINES.contains(&name) => return Err(libc::ENOENT),
        _ => {}
    }
    let granularity = match (family, entry.granularity) {
        (Family::V6, Some(Granularity::V6(prefix))) if !(1..=128).contains(&prefix) => return Err(libc::EINVAL),
        (Family::V4, Some(Granularity::V4(mask))) if mask.to_bits() != u32::MAX => entry.granularity,
        (Family::V6, Some(Granularity::V6(prefix))) if prefix != 128 => entry.granularity,
        _ => None,
    };
    Ok(ServiceEntry {
        scheduler: entry.scheduler,
        flags: SchedulerFlags { hashed: false, ..entry.flags },
        one_packet: entry.one_packet,
        persistence: entry.persistence.map(|time| Duration::from_secs(time.as_secs())),
        granularity,
        persistence_engine,
    })
}

/// As in a kernel with no routes but those of `lo`.
fn can_be_a_server(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => !(ip.is_multicast() || ip.is_broadcast() || ip.octets().starts_with(&[0])),
        IpAddr::V6(ip) => !(ip.is_multicast() || ip.is_unspecified() || ip.is_unicast_link_local()),
    }
}

fn check_destination(service: Family, entry: &DestinationEntry, key: &DestinationKey) -> Result<(), i32> {
    if Family::of(key.address) != service && !entry.forwarding.crosses_families() {
        return Err(libc::EINVAL);
    }
    if i32::try_from(entry.weight).is_err() || entry.lower_threshold > entry.upper_threshold {
        return Err(libc::ERANGE);
    }
    Ok(())
}

impl Director for FakeDirector {
    fn services(&mut self) -> io::Result<BTreeMap<ServiceKey, ServiceEntry>> {
        self.is_readable()?;
        Ok(self.table.iter().map(|(key, entry)| (*key, entry.service.clone())).collect())
    }

    fn destinations(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, DestinationEntry>> {
        self.is_readable()?;
        if let Some(errno) = self.unreadable_servers {
            return Err(io::Error::from_raw_os_error(errno));
        }
        Ok(self.table.get(service).map(|entry| entry.destinations.clone()).unwrap_or_default())
    }

    fn change(&mut self, changes: &[Change]) -> io::Result<Vec<Refused>> {
        self.answers()?;
        self.batches += 1;
        self.history.extend_from_slice(changes);
        let outcomes = changes.iter().enumerate().map(|(index, change)| (index, self.apply(change)));
        let refused = outcomes.filter_map(|(index, outcome)| Some((index, outcome.err()?)));
        Ok(refused.map(|(index, errno)| Refused { index, error: io::Error::from_raw_os_error(errno) }).collect())
    }

    fn can_mark(&self) -> bool {
        !self.cannot_mark
    }

    fn mark(&mut self, marks: &Marks) -> io::Result<()> {
        self.marked += 1;
        match self.unmarked {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => {
                self.marks.clone_from(marks);
                Ok(())
            }
        }
    }

    fn marks_were_disturbed(&mut self) -> bool {
        std::mem::take(&mut self.disturbed)
    }

    fn counted(&self) -> Counted {
        Counted::Everything
    }

    fn service_traffic(&mut self) -> io::Result<BTreeMap<ServiceKey, Counters>> {
        self.is_readable()?;
        let mut traffic: BTreeMap<ServiceKey, Counters> =
            self.table.keys().map(|key| (*key, Counters::default())).collect();
        for ((service, _), passed) in &self.traffic {
            if let Some(sum) = traffic.get_mut(service) {
                *sum += passed.counters;
            }
        }
        Ok(traffic)
    }

    fn server_traffic(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, Traffic>> {
        self.is_readable()?;
        let passed = |server: &DestinationKey| self.traffic.get(&(*service, *server)).copied().unwrap_or_default();
        let servers = self.table.get(service).map(|entry| entry.destinations.keys());
        Ok(servers.into_iter().flatten().map(|server| (*server, passed(server))).collect())
    }
}
