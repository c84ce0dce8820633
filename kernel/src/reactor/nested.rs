//! A reactor inside tokio's: for the process that has thousands of dialogues at once, and a supervisor like all others.

use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Reactor, Ready};

/// A reactor that is waited for with `await`, on a current-thread runtime. Deadlines are tokio's affair.
#[derive(Debug)]
pub struct Nested(AsyncFd<Reactor>);

impl Nested {
    /// Takes a reactor with all that is registered there. To be called inside a runtime.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub fn new(reactor: Reactor) -> io::Result<Self> {
        // SAFETY: the reactor owns its epoll descriptor and keeps the same one until it is dropped, which deregisters
        // it first.
        let nested = unsafe { AsyncFd::register_with_interest(reactor, Interest::READABLE) };
        Ok(Self(nested?))
    }

    /// The reactor, to register and deregister with.
    pub fn reactor(&mut self) -> &mut Reactor {
        self.0.get_mut()
    }

    /// Waits until something is ready, and appends what it is. What is not dealt with is reported again.
    ///
    /// # Errors
    /// A broken reactor.
    pub async fn ready(&mut self, out: &mut Vec<Ready>) -> io::Result<()> {
        loop {
            let mut guard = self.0.readable_mut().await?;
            guard.get_inner_mut().poll(out)?;
            if !out.is_empty() {
                return Ok(());
            }
            guard.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reactor::{Interest, Token};

    #[test]
    fn what_is_ready_is_reported_until_it_is_dealt_with() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut reactor = Reactor::new(&[]).unwrap();
            let (reader, writer) = rustix::pipe::pipe().unwrap();
            reactor.register(&reader, Token(7), Interest::Read).unwrap();
            let mut nested = Nested::new(reactor).unwrap();
            let wait = Duration::from_millis(50);
            for _ in 0..3 {
                let mut out = Vec::new();
                assert!(tokio::time::timeout(wait, nested.ready(&mut out)).await.is_err(), "nothing yet");
                rustix::io::write(&writer, b"x").unwrap();
                for _ in 0..2 {
                    out.clear();
                    tokio::time::timeout(wait, nested.ready(&mut out)).await.unwrap().unwrap();
                    let [Ready::Descriptor { token: Token(7), readable: true, .. }] = out.as_slice() else {
                        panic!("{out:?}");
                    };
                }
                assert_eq!(rustix::io::read(&reader, &mut [0; 8]).unwrap(), 1);
            }
        });
    }
}
