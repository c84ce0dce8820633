//! Waits for descriptors, signals and one deadline: epoll, signalfd and timerfd in one thread.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keepalived_core::time::Instant;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::{ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use crate::signal::{self, Signal};

/// What the caller calls a registered descriptor. The two highest values are the reactor's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);

const TIMER: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;

/// What a registered descriptor is watched for. Errors and hang-ups are always reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Either.
    Both,
}

/// What ended the wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// A descriptor is ready, and stays so until it has been dealt with.
    Descriptor {
        /// As registered.
        token: Token,
        /// Reading will not block (also true at end of file or on an error, which reading then tells).
        readable: bool,
        /// Writing will not block.
        writable: bool,
        /// The other end is gone, or the descriptor is in error.
        hung_up: bool,
    },
    /// A signal has arrived.
    Signal(Signal),
    /// The deadline has come.
    Deadline,
}

/// One thread's waiting room.
#[derive(Debug)]
pub struct Reactor {
    epoll: OwnedFd,
    timer: OwnedFd,
    signals: OwnedFd,
    /// What the timer is set to; it is set again only for something else.
    armed: Option<Instant>,
}

/// Reported by one call of `wait` at most; the rest comes with the next.
const MOST_EVENTS: usize = 64;

impl Reactor {
    /// Blocks `signals` in the calling thread, to have them from [`Reactor::wait`] instead. Call it before any other
    /// thread starts: threads inherit the mask.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        let reactor = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            timer: rustix::time::timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            signals: signal::descriptor(signals)?,
            armed: None,
        };
        let readable = epoll::EventFlags::IN;
        epoll::add(&reactor.epoll, &reactor.timer, epoll::EventData::new_u64(TIMER), readable)?;
        epoll::add(&reactor.epoll, &reactor.signals, epoll::EventData::new_u64(SIGNALS), readable)?;
        Ok(reactor)
    }

    /// Watches a descriptor until it is deregistered or closed (closed everywhere: a duplicate keeps it registered).
    ///
    /// # Errors
    /// Already registered, or not something that can be waited for.
    pub fn register(&mut self, descriptor: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, descriptor, epoll::EventData::new_u64(token.0), flags(interest))?)
    }

    /// Changes what a registered descriptor is watched for.
    ///
    /// # Errors
    /// Not registered.
    pub fn reregister(&mut self, descriptor: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, descriptor, epoll::EventData::new_u64(token.0), flags(interest))?)
    }

    /// Stops watching a descriptor.
    ///
    /// # Errors
    /// Not registered.
    pub fn deregister(&mut self, descriptor: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, descriptor)?)
    }

    /// Waits until something is ready or `deadline` has come, and appends what it is: descriptors and signals first,
    /// the deadline last. Without a deadline waits for ever. A deadline that has come is reported again by each call
    /// that still names it.
    ///
    /// # Errors
    /// A broken reactor; never merely an interruption.
    pub fn wait(&mut self, deadline: Option<Instant>, out: &mut Vec<Ready>) -> io::Result<()> {
        self.arm(deadline)?;
        self.collect(None, out)
    }

    /// Appends what is ready, without waiting for anything.
    ///
    /// # Errors
    /// A broken reactor.
    fn poll(&mut self, out: &mut Vec<Ready>) -> io::Result<()> {
        self.arm(None)?;
        self.collect(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }), out)
    }

    fn collect(&mut self, at_most: Option<&Timespec>, out: &mut Vec<Ready>) -> io::Result<()> {
        let mut deadline_has_come = false;
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); MOST_EVENTS];
        let ready = loop {
            match epoll::wait(&self.epoll, events.as_mut_slice(), at_most) {
                Ok((ready, _)) => break ready,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        for event in ready {
            let epoll::Event { flags, data } = *event;
            match data.u64() {
                TIMER => deadline_has_come = true,
                SIGNALS => {
                    while let Some(signal) = signal::read(self.signals.as_fd())? {
                        out.push(Ready::Signal(signal));
                    }
                }
                token => {
                    let ended = epoll::EventFlags::HUP | epoll::EventFlags::ERR | epoll::EventFlags::RDHUP;
                    let hung_up = flags.intersects(ended);
                    out.push(Ready::Descriptor {
                        token: Token(token),
                        readable: hung_up || flags.contains(epoll::EventFlags::IN),
                        writable: flags.contains(epoll::EventFlags::OUT),
                        hung_up,
                    });
                }
            }
        }
        if deadline_has_come {
            out.push(Ready::Deadline);
        }
        Ok(())
    }

    /// The timer is never read: setting it clears its readiness, and a deadline that has passed should stay ready.
    fn arm(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        if deadline == self.armed {
            return Ok(());
        }
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        // an all-zero time disarms, so a deadline at the origin is one nanosecond late
        let it_value = deadline.map_or(never, |at| timespec(at.as_nanos().max(1)));
        let setting = Itimerspec { it_interval: never, it_value };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &setting)?;
        self.armed = deadline;
        Ok(())
    }
}

mod nested;

pub use nested::Nested;

impl std::os::fd::AsRawFd for Reactor {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.epoll.as_raw_fd()
    }
}

impl AsFd for Reactor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

fn flags(interest: Interest) -> epoll::EventFlags {
    match interest {
        Interest::Read => epoll::EventFlags::IN | epoll::EventFlags::RDHUP,
        Interest::Write => epoll::EventFlags::OUT,
        Interest::Both => epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::OUT,
    }
}

fn timespec(nanos: u64) -> Timespec {
    const SECOND: u64 = 1_000_000_000;
    Timespec {
        tv_sec: i64::try_from(nanos / SECOND).unwrap_or(i64::MAX),
        tv_nsec: (nanos % SECOND).try_into().unwrap_or(0),
    }
}

/// Nanoseconds of a clock; 0 for what is before its origin.
pub(crate) fn nanos(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// The monotonic clock (`CLOCK_MONOTONIC`: stands still while the machine is suspended).
pub fn now() -> Instant {
    Instant::from_nanos(nanos(rustix::time::clock_gettime(ClockId::Monotonic)))
}

/// Time since the machine started, suspension included.
pub fn uptime() -> std::time::Duration {
    std::time::Duration::from_nanos(nanos(rustix::time::clock_gettime(ClockId::Boottime)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wait(reactor: &mut Reactor, deadline: Option<Instant>) -> Vec<Ready> {
        let mut out = Vec::new();
        reactor.wait(deadline, &mut out).unwrap();
        out
    }

    #[test]
    fn a_deadline_in_the_past_is_reported_at_once_and_again() {
        let mut reactor = Reactor::new(&[]).unwrap();
        for deadline in [Instant::ZERO, Instant::ZERO, now()] {
            assert_eq!(wait(&mut reactor, Some(deadline)), [Ready::Deadline]);
        }
    }

    #[test]
    fn a_new_deadline_replaces_one_that_had_come() {
        let mut reactor = Reactor::new(&[]).unwrap();
        assert_eq!(wait(&mut reactor, Some(Instant::ZERO)), [Ready::Deadline]);
        let deadline = now() + Duration::from_millis(20);
        assert_eq!(wait(&mut reactor, Some(deadline)), [Ready::Deadline]);
        assert!(now() >= deadline);
    }

    #[test]
    fn a_readable_descriptor_is_reported_until_it_is_deregistered() {
        let mut reactor = Reactor::new(&[]).unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        reactor.register(&reader, Token(7), Interest::Read).unwrap();
        rustix::io::write(&writer, b"x").unwrap();
        let ready = Ready::Descriptor { token: Token(7), readable: true, writable: false, hung_up: false };
        assert_eq!(wait(&mut reactor, None), [ready]);
        assert_eq!(wait(&mut reactor, Some(Instant::FAR_FUTURE)), [ready]);
        reactor.deregister(&reader).unwrap();
        assert_eq!(wait(&mut reactor, Some(now())), [Ready::Deadline]);
    }

    #[test]
    fn real_time_signals_arrive_in_order() {
        let signals = [Signal::USR2, Signal::after_rt_min(2).unwrap(), Signal::before_rt_max(1).unwrap()];
        let mut reactor = Reactor::new(&signals).unwrap();
        // the thread, not the process: another test's thread has not blocked them
        for signal in signals {
            // SAFETY: a signal to the calling thread, which has it blocked.
            assert_eq!(unsafe { libc::raise(signal.number()) }, 0);
        }
        assert_eq!(wait(&mut reactor, None), signals.map(Ready::Signal));
    }
}
