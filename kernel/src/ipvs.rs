//! The kernel's own load balancer, by generic netlink (`linux/ip_vs.h`).

mod change;
mod counters;
mod daemon;
mod expiry;
mod message;
mod refusal;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use keepalived_core::balance::{
    Change, Counted, Counters, DestinationEntry, DestinationKey, ServiceEntry, ServiceKey, Traffic,
};
use serde::{Deserialize, Serialize};

use crate::director::{Director, Refused};
use crate::marks::Marks;
use crate::netlink::codec::{Answer, Attributes, Batch, u32_at};
use crate::netlink::exchange::Exchange;
use crate::netlink::generic::{self, HEADER};
use crate::nftables::marking::Marking;

use self::message::{ReadDestination, ReadService};
use self::refusal::error;

pub use daemon::{SyncDaemon, SyncRole};
pub use expiry::Expiry;

/// IPVS of the network namespace that the thread was in when it was opened.
///
/// [`Director::read`] leaves out what [`Table`] cannot express: services of another scheduler or protocol than ours,
/// servers of another way to forward. They stay as they are, unless one of the same key is added.
#[derive(Debug)]
pub struct Ipvs {
    exchange: Exchange,
    family: u16,
    /// What marks packets for it, if that was asked for.
    marking: Option<Marking>,
}

/// `lvs_timeouts`: how long the kernel remembers a connection on which nothing happens, in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Timeouts {
    /// TCP.
    pub tcp: Duration,
    /// TCP after a FIN.
    pub tcp_fin: Duration,
    /// UDP.
    pub udp: Duration,
}

/// A list is asked for again when it is found not to be whole, so often.
const MOST_DUMPS: usize = 5;

/// What generic netlink calls it.
const FAMILY: &str = "IPVS";

const TIMEOUT_TCP: u16 = 4;
const TIMEOUT_TCP_FIN: u16 = 5;
const TIMEOUT_UDP: u16 = 6;

impl Ipvs {
    /// Loads the kernel module `ip_vs` if it is not there. To be called with all rights; after that, only a module that
    /// names its alias is loaded by the kernel when it is opened.
    ///
    /// # Errors
    /// There is no IPVS after that: why, as far as is known.
    pub fn load(patience: Duration) -> io::Result<()> {
        if generic::is_there(FAMILY)? {
            return Ok(());
        }
        let loaded = crate::process::load_module("ip_vs", patience);
        match generic::is_there(FAMILY)? {
            true => Ok(()),
            false => Err(match loaded {
                Ok(()) => io::Error::other("the module ip_vs was loaded and did not bring it"),
                Err(error) => io::Error::new(error.kind(), format!("the module ip_vs was not loaded: {error}")),
            }),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// The kernel has no IPVS ([`io::ErrorKind::Unsupported`]); out of descriptors.
    pub fn open() -> io::Result<Self> {
        let mut exchange = Exchange::open(Some(rustix::net::netlink::GENERIC))?;
        let family = generic::family(&mut exchange, FAMILY)?;
        Ok(Self { exchange, family, marking: None })
    }

    /// Lets it have packets marked, by nftables, in tables named `table` of the same network namespace.
    ///
    /// # Errors
    /// The kernel has no nftables; out of descriptors.
    pub fn marks_in(&mut self, table: &str) -> io::Result<()> {
        self.marking = Some(Marking::open(table)?);
        Ok(())
    }

    /// Sets counters to 0, those of a service and its servers or all.
    ///
    /// # Errors
    /// No such service.
    pub fn zero(&mut self, service: Option<&ServiceKey>) -> io::Result<()> {
        self.command(message::ZERO, |batch| {
            if let Some(key) = service {
                message::write_service(batch, key, None);
            }
        })
    }

    /// Removes everything, also what others have put there.
    ///
    /// # Errors
    /// Not permitted.
    pub fn flush(&mut self) -> io::Result<()> {
        self.command(message::FLUSH, |_| {})
    }

    /// The timeouts that count.
    ///
    /// # Errors
    /// The kernel does not answer, or says something that cannot be read.
    pub fn timeouts(&mut self) -> io::Result<Timeouts> {
        let family = self.family;
        let mut timeouts = None;
        let answer = self.exchange.ask(
            |batch, flags, sequence| {
                generic::begin(batch, family, message::GET_CONFIG, flags, sequence);
                batch.end();
            },
            |message| timeouts = timeouts.or_else(|| read_timeouts(message.body)),
        )?;
        result(answer)?;
        timeouts.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Sets the timeouts. One of 0 stays as it is.
    ///
    /// # Errors
    /// The kernel refuses them: longer than 2147483 s or so.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) -> io::Result<()> {
        self.command(message::SET_CONFIG, |batch| {
            for (kind, timeout) in
                [(TIMEOUT_TCP, timeouts.tcp), (TIMEOUT_TCP_FIN, timeouts.tcp_fin), (TIMEOUT_UDP, timeouts.udp)]
            {
                let seconds = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
                batch.attribute(kind, &seconds.to_ne_bytes());
            }
        })
    }

    /// The sync daemons that run; at most one of each role.
    ///
    /// # Errors
    /// As [`Director::read`].
    pub fn sync_daemons(&mut self) -> io::Result<Vec<SyncDaemon>> {
        let family = self.family;
        let mut daemons = Vec::new();
        let _whole = self.exchange.dump(
            |batch, flags, sequence| {
                generic::begin(batch, family, message::GET_DAEMON, flags, sequence);
                batch.end();
            },
            |message| {
                if message.kind == family {
                    daemons.extend(message.body.get(HEADER..).and_then(daemon::read));
                }
            },
        )?;
        Ok(daemons)
    }

    /// Starts a sync daemon. If one of that role runs already, it is stopped first, unless it is just as wished.
    ///
    /// # Errors
    /// No such interface; not permitted; EINVAL while a service has servers of another family.
    pub fn start_sync_daemon(&mut self, daemon: &SyncDaemon) -> io::Result<()> {
        let start = |this: &mut Self| this.command(message::NEW_DAEMON, |batch| daemon::write(batch, daemon));
        match start(self) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            done => return done,
        }
        if self.sync_daemons()?.iter().any(|running| running.fulfils(daemon)) {
            return Ok(());
        }
        self.stop_sync_daemon(daemon.role)?;
        start(self)
    }

    /// Stops a sync daemon. Success if it does not run.
    ///
    /// # Errors
    /// Not permitted.
    pub fn stop_sync_daemon(&mut self, role: SyncRole) -> io::Result<()> {
        let family = self.family;
        // The kernel never acknowledges the end of a thread that had not begun to run (its own EINTR gets in the way,
        // seen in 6.1): something harmless is asked behind it, whose acknowledgement does come.
        let answers = self.exchange.submit(2, |batch, at, flags, sequence| {
            if at == 0 {
                generic::begin(batch, family, message::DELETE_DAEMON, flags, sequence);
                daemon::write_role(batch, role);
            } else {
                generic::begin(batch, family, message::GET_CONFIG, flags, sequence);
            }
            batch.end();
        })?;
        match answers.into_iter().next() {
            None | Some(Answer { errno: 0 | libc::ESRCH, .. }) => Ok(()),
            Some(answer) => Err(error(answer)),
        }
    }

    fn command(&mut self, command: u8, write: impl FnOnce(&mut Batch)) -> io::Result<()> {
        let family = self.family;
        let answer = self.exchange.ask(
            |batch, flags, sequence| {
                generic::begin(batch, family, command, flags, sequence);
                write(batch);
                batch.end();
            },
            |_| {},
        )?;
        result(answer)
    }

    fn each_service(&mut self, mut each: impl FnMut(ReadService<'_>)) -> io::Result<()> {
        let family = self.family;
        for _ in 0..MOST_DUMPS {
            let whole = self.exchange.dump(
                |batch, flags, sequence| {
                    generic::begin(batch, family, message::GET_SERVICE, flags, sequence);
                    batch.end();
                },
                |message| {
                    if message.kind == family
                        && let Some(service) = message.body.get(HEADER..).and_then(message::read_service)
                    {
                        each(service);
                    }
                },
            )?;
            if whole {
                return Ok(());
            }
        }
        Err(io::Error::from_raw_os_error(libc::ENOBUFS))
    }

    /// The kernel lists the servers of one service at a time, and one list at a time on a socket.
    fn each_destination(&mut self, service: &ServiceKey, mut each: impl FnMut(ReadDestination<'_>)) -> io::Result<()> {
        let family = self.family;
        for _ in 0..MOST_DUMPS {
            let whole = self.exchange.dump(
                |batch, flags, sequence| {
                    generic::begin(batch, family, message::GET_DESTINATION, flags, sequence);
                    message::write_service(batch, service, None);
                    batch.end();
                },
                |message| {
                    if message.kind != family {
                        return;
                    }
                    let attributes = message.body.get(HEADER..).unwrap_or_default();
                    if let Some(destination) = message::read_destination(service.family(), attributes) {
                        each(destination);
                    }
                },
            )?;
            if whole {
                return Ok(());
            }
        }
        Err(io::Error::from_raw_os_error(libc::ENOBUFS))
    }
}

impl Director for Ipvs {
    fn services(&mut self) -> io::Result<BTreeMap<ServiceKey, ServiceEntry>> {
        let mut services = BTreeMap::new();
        self.each_service(|service| {
            services.insert(service.key, service.entry);
        })?;
        Ok(services)
    }

    /// Costs three system calls.
    fn destinations(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, DestinationEntry>> {
        let mut destinations = BTreeMap::new();
        self.each_destination(service, |destination| {
            destinations.insert(destination.key, destination.entry);
        })?;
        Ok(destinations)
    }

    fn change(&mut self, changes: &[Change]) -> io::Result<Vec<Refused>> {
        change::make(&mut self.exchange, self.family, changes)
    }

    fn counted(&self) -> Counted {
        Counted::Everything
    }

    /// The kernel brings them up to date every two seconds.
    fn service_traffic(&mut self) -> io::Result<BTreeMap<ServiceKey, Counters>> {
        let mut traffic = BTreeMap::new();
        self.each_service(|service| {
            traffic.insert(service.key, counters::read(service.counters));
        })?;
        Ok(traffic)
    }

    fn server_traffic(&mut self, service: &ServiceKey) -> io::Result<BTreeMap<DestinationKey, Traffic>> {
        let mut traffic = BTreeMap::new();
        self.each_destination(service, |destination| {
            let [active, inactive, persistent] = destination.connections;
            let counters = counters::read(destination.counters);
            traffic.insert(destination.key, Traffic { counters, active, inactive, persistent });
        })?;
        Ok(traffic)
    }

    fn can_mark(&self) -> bool {
        self.marking.is_some()
    }

    fn mark(&mut self, marks: &Marks) -> io::Result<()> {
        self.marking.as_mut().ok_or(io::ErrorKind::Unsupported)?.set(marks)
    }

    fn marks_monitor(&self) -> Option<BorrowedFd<'_>> {
        self.marking.as_ref().and_then(Marking::monitor)
    }

    fn marks_were_disturbed(&mut self) -> bool {
        self.marking.as_mut().is_some_and(Marking::was_disturbed)
    }

    fn worth_together(&self) -> usize {
        // some datagrams
        4_096
    }
}

fn read_timeouts(body: &[u8]) -> Option<Timeouts> {
    let (mut tcp, mut tcp_fin, mut udp) = (None, None, None);
    for (kind, value) in Attributes(body.get(HEADER..)?) {
        let seconds = u32_at(value, 0).map(|seconds| Duration::from_secs(seconds.into()));
        match kind {
            TIMEOUT_TCP => tcp = seconds,
            TIMEOUT_TCP_FIN => tcp_fin = seconds,
            TIMEOUT_UDP => udp = seconds,
            _ => {}
        }
    }
    Some(Timeouts { tcp: tcp?, tcp_fin: tcp_fin?, udp: udp? })
}

fn result(answer: Answer) -> io::Result<()> {
    match answer.errno {
        0 => Ok(()),
        _ => Err(error(answer)),
    }
}
