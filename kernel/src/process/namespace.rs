//! Network namespaces: by name as `ip netns` has them, or fresh ones for tests and the demo.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::spawn::with_context;

/// A network namespace; kept alive for as long as it is held.
#[derive(Debug)]
pub struct NetworkNamespace(File);

impl NetworkNamespace {
    /// The one the calling thread is in.
    ///
    /// # Errors
    /// `/proc` is not mounted.
    pub fn current() -> io::Result<Self> {
        Ok(Self(open("/proc/thread-self/ns/net".as_ref())?))
    }

    /// The one of this name, as `ip netns add` makes it.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> io::Result<Self> {
        let directory = Path::new("/var/run/netns");
        if name.is_empty() || name.contains('/') || name == ".." || name == "." {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("'{name}' is no name of a namespace")));
        }
        open(&directory.join(name))
            .map(Self)
            .map_err(|error| with_context(error, &format!("network namespace '{name}'")))
    }

    /// Makes a new, empty one and moves the calling thread into it (other threads stay where they are).
    ///
    /// # Errors
    /// Not permitted.
    pub fn fresh() -> io::Result<Self> {
        // SAFETY: only the network namespace is unshared: no file descriptor, directory or memory is affected.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?;
        Self::current()
    }

    /// Moves the calling thread into it. Sockets stay in the namespace they were made in.
    ///
    /// # Errors
    /// Not permitted.
    pub fn enter(&self) -> io::Result<()> {
        Ok(rustix::thread::move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?)
    }
}

/// Not a file like others: there is nothing to wait for in `nsfs`, and what else is there is refused when it is
/// entered.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?.into())
}

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Moves the calling thread into the named network namespace.
///
/// # Errors
/// There is none, or it is not permitted.
pub fn enter_network_namespace(name: &str) -> io::Result<()> {
    NetworkNamespace::named(name)?.enter()
}
