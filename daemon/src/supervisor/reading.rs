//! Reads a configuration while the daemon runs, on a thread of its own: files and name services may be slow, and the supervisor goes
//! on to handle signals and deaths of children.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::{self, JoinHandle};

use keepalived_kernel::pipe::{self, Pipe};

use crate::cli::Options;
use crate::configuration::{self, Verdict};
use crate::exit;

/// A thread that reads a configuration.
#[derive(Debug)]
pub(super) struct Reading {
    thread: JoinHandle<Verdict>,
    /// Readable when the thread is done: it holds the other end.
    done: Pipe,
}

impl Reading {
    /// Begins to read the configuration that `options` name.
    ///
    /// # Errors
    /// Out of descriptors or threads.
    pub(super) fn begin(options: &Options) -> io::Result<Self> {
        let options = options.clone();
        Self::of(move || configuration::check_politely(&options))
    }

    fn of(read: impl FnOnce() -> Verdict + Send + 'static) -> io::Result<Self> {
        let (done, theirs) = pipe::pair()?;
        let read = move || {
            // closed even if the thread panics
            let _theirs = theirs;
            read()
        };
        let thread = thread::Builder::new().name("configuration".into()).spawn(read)?;
        Ok(Self { thread, done })
    }

    /// The verdict. Waits for the thread, which ends as soon as the descriptor is readable.
    pub(super) fn verdict(self) -> Verdict {
        self.thread.join().unwrap_or_else(|_| Verdict::Unusable {
            text: "reading the configuration failed; please report this with the file".into(),
            status: exit::CONFIGURATION,
        })
    }
}

impl AsFd for Reading {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.done.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use keepalived_kernel::reactor::{Interest, Reactor, Ready, Token};

    use super::*;

    fn unusable(text: &str) -> Verdict {
        Verdict::Unusable { text: text.into(), status: exit::CONFIGURATION }
    }

    fn is_done(reading: &Reading, wait: std::time::Duration) -> bool {
        let mut reactor = Reactor::new(&[]).unwrap();
        reactor.register(reading, Token(1), Interest::Read).unwrap();
        let mut ready = Vec::new();
        reactor.wait(Some(keepalived_kernel::reactor::now() + wait), &mut ready).unwrap();
        ready.iter().any(|ready| matches!(ready, Ready::Descriptor { .. }))
    }

    #[test]
    fn the_descriptor_tells_when_a_slow_reader_is_done() {
        let (go, wait) = mpsc::channel::<()>();
        let reading = Reading::of(move || {
            wait.recv().ok();
            unusable("slow")
        })
        .unwrap();
        assert!(!is_done(&reading, std::time::Duration::ZERO));
        go.send(()).unwrap();
        assert!(is_done(&reading, std::time::Duration::from_secs(60)));
        assert!(matches!(reading.verdict(), Verdict::Unusable { text, .. } if text == "slow"));
    }

    #[test]
    fn a_reader_that_panics_is_a_configuration_that_cannot_be_used() {
        let reading = Reading::of(|| panic!("as planned")).unwrap();
        assert!(is_done(&reading, std::time::Duration::from_secs(60)));
        assert!(matches!(reading.verdict(), Verdict::Unusable { text, .. } if text.contains("report")));
    }
}
