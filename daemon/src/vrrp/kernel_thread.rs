//! The thread that waits for the kernel, so that no advert does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use keepalived_config::model::ProcessSettings;
use keepalived_kernel::network::Network;
use keepalived_kernel::packets::Sockets;
use keepalived_kernel::pipe::{self, Pipe, Received};

use super::orders::{Answer, Order};
use crate::schedule;

/// Nice value of the vrrp process and of this thread, unless `vrrp_priority` says otherwise: an advert that waits for
/// other programs is a failover for nothing.
pub(super) const NICE: i8 = -10;

/// Of its stack: `vrrp_no_swap` keeps all of it in memory.
const STACK: usize = 256 * 1024;

/// The thread, as the process sees it.
#[derive(Debug)]
pub(super) struct KernelThread<S> {
    work: Sender<Work<S>>,
    answers: Receiver<Answer<S>>,
    /// Readable when there is an answer, or the thread has ended.
    bell: Pipe,
}

/// What the thread is given.
#[derive(Debug)]
enum Work<S> {
    Order(Order<S>),
    /// Compete for the processors like this: a thread has a schedule of its own, and does not inherit a real-time one.
    Schedule(Box<ProcessSettings>),
}

/// The thread has ended: it panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gone;

impl<S: Sockets + 'static> KernelThread<S> {
    /// Begins. The thread has the capabilities of the calling one.
    ///
    /// # Errors
    /// Out of threads or descriptors.
    pub(super) fn start(mut network: impl Network + Send + 'static) -> io::Result<Self> {
        let ((work, given), (tell, answers), (bell, rope)) = (channel::<Work<S>>(), channel(), pipe::pair()?);
        std::thread::Builder::new().name("addresses".into()).stack_size(STACK).spawn(move || {
            // after the channel, so that who hears it ring for the last time finds that closed
            let (rope, tell) = (rope, tell);
            for work in given {
                let order = match work {
                    Work::Order(order) => order,
                    Work::Schedule(settings) => {
                        let _said = schedule::apply_unheard("vrrp", &settings, Some(NICE));
                        continue;
                    }
                };
                if tell.send(order.carry_out(&mut network)).is_err() {
                    return;
                }
                // one answer at a time: there is room
                let _rings = rope.send(b"!", &[]);
            }
        })?;
        Ok(Self { work, answers, bell })
    }

    /// Lets the thread compete for the processors like this, from the next order on.
    pub(super) fn schedule(&self, settings: &ProcessSettings) {
        // who is gone is found out by the next look for an answer
        let _gone = self.work.send(Work::Schedule(Box::new(settings.clone())));
    }

    /// Has an order carried out. Its answer comes with a later [`KernelThread::wait`], and rings.
    pub(super) fn give(&self, order: Order<S>) {
        // who is gone is found out by the next look for an answer
        let _gone = self.work.send(Work::Order(order));
    }

    /// The answer, if there is one within `patience`.
    pub(super) fn wait(&mut self, patience: Duration) -> Result<Option<Answer<S>>, Gone> {
        while let Ok(Received::Message { .. }) = self.bell.receive() {}
        match self.answers.recv_timeout(patience) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }
}

impl<S> AsFd for KernelThread<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use keepalived_core::network::{Change, Inventory, Link, LinkIndex, NetworkEvent};
    use keepalived_kernel::fake::FakeSockets;
    use keepalived_kernel::network::{Refused, Secondaries};
    use keepalived_kernel::reactor::{self, Interest, Reactor, Token};

    use super::*;

    /// Answers when it is released, and panics once nobody can release it.
    struct Slow(Receiver<()>);

    impl Network for Slow {
        fn inventory(&mut self) -> io::Result<Inventory> {
            self.0.recv().unwrap();
            Ok(Inventory::default())
        }

        fn change(&mut self, _: &[Change]) -> Vec<Result<(), Refused>> {
            Vec::new()
        }

        fn events(&mut self, _: &mut Vec<NetworkEvent>) -> bool {
            true
        }

        fn set_secondaries(&mut self, _: &Link, secondaries: Secondaries) -> io::Result<Secondaries> {
            Ok(secondaries)
        }

        fn set_firewall(&mut self, _: &keepalived_kernel::firewall::Firewall) -> Result<(), Refused> {
            Ok(())
        }

        fn watch_firewall(&mut self, _: &str) {}

        fn reverse_path_filter(&mut self) -> io::Result<(u8, u8)> {
            Ok((0, 0))
        }

        fn source_towards(&mut self, _: std::net::Ipv6Addr, _: LinkIndex) -> Option<std::net::Ipv6Addr> {
            None
        }

        fn forwards_ipv6(&mut self, _: &Link) -> bool {
            false
        }
    }

    fn rings(worker: &KernelThread<FakeSockets>, patience: Duration) -> bool {
        let mut reactor = Reactor::new(&[]).unwrap();
        reactor.register(worker, Token(1), Interest::Read).unwrap();
        let mut ready = Vec::new();
        reactor.wait(Some(reactor::now() + patience), &mut ready).unwrap();
        ready.iter().any(|ready| matches!(ready, reactor::Ready::Descriptor { .. }))
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn nobody_waits_for_a_slow_kernel_and_its_answer_rings() {
        let (release, held) = channel();
        let mut worker = KernelThread::start(Slow(held)).unwrap();
        worker.give(Order::Read);
        assert!(!rings(&worker, Duration::ZERO));
        assert!(matches!(worker.wait(Duration::ZERO), Ok(None)));
        release.send(()).unwrap();
        assert!(rings(&worker, LONG));
        assert!(matches!(worker.wait(LONG), Ok(Some(Answer::Read(Ok(_))))));
        assert!(!rings(&worker, Duration::ZERO), "it rings once for each answer");
    }

    #[test]
    fn the_end_of_the_thread_rings_too() {
        let (release, held) = channel::<()>();
        let mut worker = KernelThread::start(Slow(held)).unwrap();
        worker.give(Order::Read);
        drop(release);
        assert!(rings(&worker, LONG));
        assert!(matches!(worker.wait(LONG), Err(Gone)));
    }
}
