//! Signals by number, real-time ones included: blocked, they are read from a descriptor.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A signal number, real-time signals included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

impl Signal {
    /// `SIGHUP`: reload.
    pub const HUP: Self = Self(libc::SIGHUP);
    /// `SIGINT`
    pub const INT: Self = Self(libc::SIGINT);
    /// `SIGTERM`: stop.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// `SIGKILL`
    pub const KILL: Self = Self(libc::SIGKILL);
    /// `SIGUSR1`: write the data file.
    pub const USR1: Self = Self(libc::SIGUSR1);
    /// `SIGUSR2`: write the statistics file.
    pub const USR2: Self = Self(libc::SIGUSR2);
    /// `SIGCHLD`
    pub const CHLD: Self = Self(libc::SIGCHLD);
    /// `SIGPIPE`
    pub const PIPE: Self = Self(libc::SIGPIPE);
    /// `SIGQUIT`
    pub const QUIT: Self = Self(libc::SIGQUIT);
    /// `SIGSTOP`
    pub const STOP: Self = Self(libc::SIGSTOP);
    /// `SIGCONT`
    pub const CONT: Self = Self(libc::SIGCONT);

    /// The signal of this number; `None` outside 1 to 64.
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=64).contains(&number).then_some(Self(number))
    }

    /// `SIGRTMIN + offset`, counted from what the C library leaves to programs; `None` beyond `SIGRTMAX`.
    pub fn after_rt_min(offset: u8) -> Option<Self> {
        let number = libc::SIGRTMIN() + i32::from(offset);
        (number <= libc::SIGRTMAX()).then_some(Self(number))
    }

    /// `SIGRTMAX - offset`; `None` below `SIGRTMIN`.
    pub fn before_rt_max(offset: u8) -> Option<Self> {
        let number = libc::SIGRTMAX() - i32::from(offset);
        (number >= libc::SIGRTMIN()).then_some(Self(number))
    }

    /// The number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::HUP => "SIGHUP",
            Self::INT => "SIGINT",
            Self::TERM => "SIGTERM",
            Self::KILL => "SIGKILL",
            Self::USR1 => "SIGUSR1",
            Self::USR2 => "SIGUSR2",
            Self::CHLD => "SIGCHLD",
            Self::PIPE => "SIGPIPE",
            Self::QUIT => "SIGQUIT",
            Self::STOP => "SIGSTOP",
            Self::CONT => "SIGCONT",
            Self(libc::SIGABRT) => "SIGABRT",
            Self(libc::SIGSEGV) => "SIGSEGV",
            Self(libc::SIGBUS) => "SIGBUS",
            Self(libc::SIGILL) => "SIGILL",
            Self(libc::SIGXCPU) => "SIGXCPU",
            Self(number) => return write!(f, "signal {number}"),
        };
        f.pad(name)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn set_of(signals: &[Signal]) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is writable for a whole sigset_t.
    let emptied = unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    if emptied < 0 {
        return Err(io::Error::last_os_error());
    }
    for signal in signals {
        // SAFETY: `set` was initialised by sigemptyset above.
        let added = unsafe { libc::sigaddset(set.as_mut_ptr(), signal.0) };
        if added < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: sigemptyset succeeded, so every octet that matters has been written.
    Ok(unsafe { set.assume_init() })
}

/// Blocks `signals` in this thread (call it before there are others) and lets them be read from the result.
pub(crate) fn descriptor(signals: &[Signal]) -> io::Result<OwnedFd> {
    let set = set_of(signals)?;
    // SAFETY: `set` is an initialised signal set; a null old set is allowed.
    let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if blocked != 0 {
        return Err(io::Error::from_raw_os_error(blocked));
    }
    // SAFETY: `set` is an initialised signal set; -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just made, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Lets every signal through again, for a program that is about to be executed.
pub(crate) fn unblock_all() -> io::Result<()> {
    let set = set_of(&[])?;
    // SAFETY: `set` is an initialised signal set; a null old set is allowed.
    let unblocked = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
    if unblocked == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(unblocked)) }
}

/// The next signal that has arrived, if any.
pub(crate) fn read(fd: BorrowedFd<'_>) -> io::Result<Option<Signal>> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    // SAFETY: `info` is writable for as many octets as are asked for.
    let got = unsafe { libc::read(fd.as_raw_fd(), info.as_mut_ptr().cast(), size_of::<libc::signalfd_siginfo>()) };
    if got < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: zeroed above, and every bit pattern is a valid signalfd_siginfo.
    let info = unsafe { info.assume_init() };
    Ok(i32::try_from(info.ssi_signo).ok().and_then(Signal::from_number))
}

/// Ignores a signal from now on (children inherit that unless spawned by `process::spawn`).
///
/// # Errors
/// The signal cannot be caught.
pub fn ignore(signal: Signal) -> io::Result<()> {
    // SAFETY: SIG_IGN installs no code of ours.
    let before = unsafe { libc::signal(signal.0, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}
