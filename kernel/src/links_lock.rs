//! Holds the kernel's lock for links (RTNL), for tests: what others do with thousands of links at once, without the
//! links.
//!
//! While it is held no process on this machine, in any namespace, changes a link, an address or a route, or joins a
//! group.
//!
//! `ETHTOOL_PERQUEUE` reads the second half of its argument when it has the lock already. That half is on a page that
//! is not there, and `userfaultfd` lets the kernel wait for the page until we provide it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::ioctl::{Opcode, Updater, ioctl};
use rustix::net::{AddressFamily, SocketType};

/// The lock is held until this is dropped.
#[derive(Debug)]
pub struct HeldLock {
    /// Closing it lets the page appear.
    faults: Option<File>,
    holder: Option<JoinHandle<()>>,
    pages: Pages,
}

/// Takes the lock, and returns when it is held.
///
/// # Errors
/// This kernel has no `userfaultfd`, or `CAP_SYS_PTRACE` is missing outside user namespaces.
pub fn hold() -> io::Result<HeldLock> {
    /// How long others may have the lock before us.
    const PATIENCE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
    let pages = Pages::map()?;
    let faults = userfaultfd()?;
    pages.watch(&faults)?;
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let request = pages.request();
    let holder = std::thread::spawn(move || request.make(&socket));
    let held = HeldLock { faults: Some(faults), holder: Some(holder), pages };
    // the first fault: the request waits in the middle of it
    let mut waits = held.faults.as_ref().map(|faults| PollFd::new(faults, PollFlags::IN));
    poll(waits.as_mut_slice(), Some(&PATIENCE))?;
    if waits.is_some_and(|waits| waits.revents().contains(PollFlags::IN)) {
        return Ok(held);
    }
    Err(io::Error::other("the kernel did not read the request"))
}

impl HeldLock {
    /// Whether the lock is still held, whatever became of the request.
    pub fn is_held(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| !holder.is_finished())
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.faults = None;
        if let Some(holder) = self.holder.take() {
            // it has nothing to say
            let _panicked = holder.join();
        }
        self.pages.unmap();
    }
}

/// Octets of a page.
fn page() -> usize {
    rustix::param::page_size()
}

/// Two pages; the second is not there.
#[derive(Debug)]
struct Pages(NonNull<libc::c_void>);

// SAFETY: the address of memory that belongs to the process, whichever thread has it.
unsafe impl Send for Pages {}

impl Pages {
    fn map() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: the kernel chooses where: nothing else is there.
        let at =
            unsafe { libc::mmap(std::ptr::null_mut(), 2 * page(), libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        match NonNull::new(at) {
            Some(at) if at.as_ptr() != libc::MAP_FAILED => Ok(Self(at)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn unmap(&self) {
        // SAFETY: mapped by `map` with this length, and not used any more: the request has ended.
        unsafe { libc::munmap(self.0.as_ptr(), 2 * page()) };
    }

    /// From now on the kernel waits for `faults` when it needs the second page.
    fn watch(&self, faults: &File) -> io::Result<()> {
        const UFFDIO_REGISTER: Opcode = 0xc020_aa00;
        const MISSING: u64 = 1;
        let second = u64::try_from(self.0.as_ptr().addr() + page()).unwrap_or(0);
        let mut range = [second, u64::try_from(page()).unwrap_or(0), MISSING, 0];
        control::<UFFDIO_REGISTER, 4>(faults, &mut range)
    }

    /// An `ETHTOOL_PERQUEUE` whose first half is the end of the first page.
    fn request(&self) -> Request {
        const ETHTOOL_PERQUEUE: u32 = 0x4b;
        // SAFETY: four octets before the end of the first page, which is ours and there.
        let argument = unsafe { self.0.as_ptr().byte_add(page() - 4) };
        // SAFETY: as above; pages and their ends are aligned.
        unsafe { argument.cast::<u32>().write(ETHTOOL_PERQUEUE) };
        Request(argument.addr())
    }
}

/// Where the argument of a request is.
struct Request(usize);

impl Request {
    /// Waits in the kernel, with the lock, until the page is there. What it is told then does not matter.
    fn make(&self, socket: &OwnedFd) {
        const SIOCETHTOOL: Opcode = 0x8946;
        // `struct ifreq` of a 64-bit machine, in words: the name of the interface, then a pointer.
        let mut interface = [u64::from_ne_bytes(*b"lo\0\0\0\0\0\0"), 0, u64::try_from(self.0).unwrap_or(0), 0, 0];
        let _told = control::<SIOCETHTOOL, 5>(socket, &mut interface);
    }
}

fn userfaultfd() -> io::Result<File> {
    const UFFDIO_API: Opcode = 0xc018_aa3f;
    const VERSION: u64 = 0xaa;
    // one that blocks cannot be polled: it is always ready, with an error
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: takes a number, and has no effect on memory.
    let got = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
    let number = i32::try_from(got).ok().filter(|number| *number >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: just made, and owned by nothing else.
    let faults = File::from(unsafe { OwnedFd::from_raw_fd(number) });
    control::<UFFDIO_API, 3>(&faults, &mut [VERSION, 0, 0])?;
    Ok(faults)
}

/// An `ioctl` whose argument is a structure of 64-bit words.
fn control<const REQUEST: Opcode, const WORDS: usize>(what: impl AsFd, words: &mut [u64; WORDS]) -> io::Result<()> {
    // SAFETY: each request above has a structure of this length, which the kernel reads and writes during the call
    // only.
    let argument = unsafe { Updater::<REQUEST, _>::new(words) };
    // SAFETY: as above.
    Ok(unsafe { ioctl(what, argument) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_until_it_is_dropped() {
        let Ok(held) = hold() else { return };
        assert!(held.is_held());
        drop(held);
        let again = hold().unwrap();
        assert!(again.is_held());
    }
}
