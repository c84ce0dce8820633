//! The load balancer of a kernel: what it has, and what it ought to have.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use keepalived_core::balance::{
    Change, Counted, Counters, DestinationEntry, DestinationKey, Entry, ServiceEntry, ServiceKey, Table, Traffic,
};

use crate::marks::Marks;

/// A load balancer that can be told what to do. IPVS, nftables, and a fake keep the same contract
/// (`kernel/tests/director.rs`).
pub trait Director {
    /// All services in its table without their servers, also what others have put there if it shares the table with
    /// them: where a look at a large table begins that goes on piece by piece.
    ///
    /// # Errors
    /// The kernel does not answer, or says something that cannot be read.
    fn services(&mut self) -> io::Result<BTreeMap<ServiceKey, ServiceEntry>>;

    /// The servers of a service; none if there is no such service. May be as they were when [`Self::services`] was
    /// asked, with what was changed through this since.
    ///
    /// # Errors
    /// As [`Self::services`].
    fn destinations(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, DestinationEntry>>;

    /// Everything that is in its table.
    ///
    /// # Errors
    /// As [`Self::services`].
    fn read(&mut self) -> io::Result<Table> {
        let services = self.services()?;
        let mut entry = |(key, service)| Ok((key, Entry { service, destinations: self.destinations(&key)? }));
        services.into_iter().map(&mut entry).collect()
    }

    /// Reads some services from the kernel again, without any cache.
    ///
    /// # Errors
    /// As [`Self::services`].
    fn reread(&mut self, services: &[ServiceKey]) -> io::Result<Table> {
        let mut there = self.services()?;
        there.retain(|key, _| services.contains(key));
        let mut entry = |(key, service)| Ok((key, Entry { service, destinations: self.destinations(&key)? }));
        there.into_iter().map(&mut entry).collect()
    }

    /// Readable when others may have changed the table; none if the kernel does not tell.
    fn monitor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Takes what the kernel told by [`Self::monitor`]: whether others may have changed the table. Our own changes are
    /// not told.
    fn was_disturbed(&mut self) -> bool {
        false
    }

    /// Makes `changes` in this order, in as few system calls as possible. Each is a wish: adding what is there changes
    /// it, changing what is not there adds it, removing what is not there is success. Returns those that the kernel
    /// refused; all others are made.
    ///
    /// # Errors
    /// The kernel does not answer; how much was done is not known.
    fn change(&mut self, changes: &[Change]) -> io::Result<Vec<Refused>>;

    /// What it counts.
    fn counted(&self) -> Counted;

    /// What has passed to all services since they were added: where a look at the counters begins that goes on service by service.
    ///
    /// # Errors
    /// As [`Self::services`].
    fn service_traffic(&mut self) -> io::Result<BTreeMap<ServiceKey, Counters>>;

    /// What has passed to the servers of a service; none if there is no such service. May be as it was when
    /// [`Self::service_traffic`] was asked, and is told once after that.
    ///
    /// # Errors
    /// As [`Self::services`].
    fn server_traffic(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, Traffic>>;

    /// Whether it has packets marked, so that one service answers for many addresses.
    fn can_mark(&self) -> bool {
        false
    }

    /// Has packets marked like this, and no longer as before. They are marked before services see them.
    ///
    /// # Errors
    /// The kernel refuses, or it cannot do that at all.
    fn mark(&mut self, _marks: &Marks) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Readable when others may have changed which packets are marked; none if the kernel does not tell.
    fn marks_monitor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Takes what the kernel told by [`Self::marks_monitor`]: whether packets go without their marks.
    fn marks_were_disturbed(&mut self) -> bool {
        false
    }

    /// How many changes it is worth to make together. Where each is made by itself, more of them only take memory.
    fn worth_together(&self) -> usize {
        usize::MAX
    }
}

impl<D: Director + ?Sized> Director for Box<D> {
    fn services(&mut self) -> io::Result<BTreeMap<ServiceKey, ServiceEntry>> {
        (**self).services()
    }

    fn destinations(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, DestinationEntry>> {
        (**self).destinations(service)
    }

    fn read(&mut self) -> io::Result<Table> {
        (**self).read()
    }

    fn reread(&mut self, services: &[ServiceKey]) -> io::Result<Table> {
        (**self).reread(services)
    }

    fn monitor(&self) -> Option<BorrowedFd<'_>> {
        (**self).monitor()
    }

    fn was_disturbed(&mut self) -> bool {
        (**self).was_disturbed()
    }

    fn change(&mut self, changes: &[Change]) -> io::Result<Vec<Refused>> {
        (**self).change(changes)
    }

    fn counted(&self) -> Counted {
        (**self).counted()
    }

    fn service_traffic(&mut self) -> io::Result<BTreeMap<ServiceKey, Counters>> {
        (**self).service_traffic()
    }

    fn server_traffic(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, Traffic>> {
        (**self).server_traffic(service)
    }

    fn can_mark(&self) -> bool {
        (**self).can_mark()
    }

    fn mark(&mut self, marks: &Marks) -> io::Result<()> {
        (**self).mark(marks)
    }

    fn marks_monitor(&self) -> Option<BorrowedFd<'_>> {
        (**self).marks_monitor()
    }

    fn marks_were_disturbed(&mut self) -> bool {
        (**self).marks_were_disturbed()
    }

    fn worth_together(&self) -> usize {
        (**self).worth_together()
    }
}

/// A change that the kernel did not make.
#[derive(Debug)]
pub struct Refused {
    /// Its place among the changes.
    pub index: usize,
    /// What the kernel says.
    pub error: io::Error,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}
