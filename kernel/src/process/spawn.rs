//! Children: started with chosen descriptors, held by pidfd.

use std::collections::BTreeSet;
use std::ffi::{CString, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::SigSet;
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions};

use crate::shortage::with_text;
use crate::signal::Signal;

/// A process number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid(pub i32);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A program to be started.
#[derive(Debug, Default)]
pub struct Launch {
    /// File to execute; not looked for in `PATH`.
    pub program: PathBuf,
    /// All of them, the zeroth (what `ps` shows) included.
    pub arguments: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Descriptors and the numbers the child finds them under. Standard input, output and error are inherited unless
    /// replaced here; everything else of ours is closed on exec, as all descriptors of this crate are.
    pub descriptors: Vec<(OwnedFd, RawFd)>,
}

/// Starts a program: no signal blocked, none ignored (std leaves both as they are: rust-lang/rust#101077). It does not
/// fork this process, so memory locked here costs nothing.
///
/// The child should call [`die_with_parent`] first.
///
/// # Errors
/// The program cannot be executed; a NUL in a string; a negative descriptor number.
pub fn spawn(launch: &Launch) -> io::Result<Child> {
    let arguments = launch.arguments.iter().cloned().map(c_string).collect::<io::Result<Vec<_>>>()?;
    let environment = launch
        .environment
        .iter()
        .map(|(name, value)| {
            let mut pair = name.clone();
            pair.push("=");
            pair.push(value);
            c_string(pair)
        })
        .collect::<io::Result<Vec<_>>>()?;

    // moved above every number that is asked for: else placing one could overwrite the next
    let above = launch.descriptors.iter().map(|(_, number)| *number).max().unwrap_or(2).saturating_add(1).max(3);
    let mut actions = PosixSpawnFileActions::init()?;
    let mut moved = Vec::with_capacity(launch.descriptors.len());
    for (descriptor, number) in &launch.descriptors {
        let duplicate = rustix::io::fcntl_dupfd_cloexec(descriptor, above)?;
        actions.add_dup2(duplicate.as_raw_fd(), *number)?;
        moved.push(duplicate);
    }

    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&defaults())?;

    let pid = posix_spawn(launch.program.as_path(), &actions, &attributes, &arguments, &environment)
        .map_err(|errno| with_context(errno.into(), &format!("cannot execute {}", launch.program.display())))?;
    Child::watch(Pid(pid.as_raw()))
}

/// Signals that this process or the one that started it may ignore and a child should not.
fn defaults() -> SigSet {
    use nix::sys::signal::Signal;
    [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGPIPE,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGCHLD,
    ]
    .into_iter()
    .collect()
}

fn c_string(string: OsString) -> io::Result<CString> {
    CString::new(string.into_vec()).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "NUL in an argument"))
}

/// `error`, saying what was tried.
pub(crate) fn with_context(error: io::Error, what: &str) -> io::Error {
    with_text(&error, format!("{what}: {error}"))
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(Signal),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exited with status {status}"),
            Self::Signal(signal) => write!(f, "ended by {signal}"),
        }
    }
}

/// A child process. Its descriptor becomes readable when it has ended. Dropping it neither ends nor reaps the child.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Child {
    /// Takes charge of a child of ours that has not been reaped: its number cannot have been given away.
    pub(super) fn watch(pid: Pid) -> io::Result<Self> {
        let number = rustix::process::Pid::from_raw(pid.0).ok_or(io::ErrorKind::InvalidInput)?;
        let pidfd = rustix::process::pidfd_open(number, PidfdFlags::NONBLOCK)?;
        Ok(Self { pid, pidfd })
    }

    /// Its number, for log lines.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal. Success if it has already ended.
    ///
    /// # Errors
    /// Not permitted.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        // rustix has named signals only, the control interface sends real-time ones
        let no_information = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open; a null siginfo is allowed; flags are 0.
        let sent = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.pidfd.as_raw_fd(), signal.number(), no_information, 0_u32)
        };
        if sent == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
    }

    /// Reaps it if it has ended; `None` while it runs. To be asked once: after `Some` there is nothing left to reap.
    ///
    /// # Errors
    /// Already reaped.
    pub fn try_wait(&self) -> io::Result<Option<Exit>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let Some(status) = rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options)? else {
            return Ok(None);
        };
        let by_signal = status.terminating_signal().and_then(Signal::from_number).map(Exit::Signal);
        Ok(by_signal.or_else(|| status.exit_status().map(Exit::Status)))
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Number of this process.
pub fn own_pid() -> Pid {
    Pid(rustix::process::getpid().as_raw_nonzero().get())
}

/// Asks for `SIGTERM` when the parent ends. False if `parent` already has: what it wanted done is still in the pipe.
///
/// The kernel means the parent's *thread*: start children from the thread that lives longest.
///
/// # Errors
/// The kernel refuses.
pub fn die_with_parent(parent: Pid) -> io::Result<bool> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    // checked after asking, so that no moment is left out
    Ok(rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get() == parent.0))
}

/// Makes orphaned grandchildren children of this process.
///
/// # Errors
/// The kernel does not know of it.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Reaps orphans that this process has adopted ([`adopt_orphans`]) and that have ended; how many. Stops at the first of
/// `own`: the process that started it wants to know how it ended, and calls this again after that.
///
/// # Errors
/// The kernel refuses to say who has ended.
pub fn reap_orphans(own: &[Pid]) -> io::Result<usize> {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let take = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    for count in 0.. {
        let ended = match waitid(Id::All, take | WaitPidFlag::WNOWAIT) {
            Err(nix::errno::Errno::ECHILD) => return Ok(count),
            Err(nix::errno::Errno::EINTR) => continue,
            other => other?.pid(),
        };
        let Some(pid) = ended.filter(|pid| !own.contains(&Pid(pid.as_raw()))) else { return Ok(count) };
        waitid(Id::Pid(pid), take)?;
    }
    Ok(0)
}

/// Sets the name of the calling thread; the first thread's is the process's. Cut at 15 octets.
///
/// # Errors
/// A NUL in the name.
pub fn set_name(name: &str) -> io::Result<()> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(rustix::thread::set_name(&name)?)
}

/// Numbers given out by `inherited`: each has one owner.
static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// Takes possession of a descriptor that this process was started with (see [`Launch::descriptors`]); once for each
/// number, before anything else could open a descriptor of that number. It will be closed on exec.
///
/// # Errors
/// Not open, below 3, or asked for before.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if number < 3 || taken.contains(&number) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {number} is not to be taken")));
    }
    // SAFETY: F_SETFD changes a flag of the descriptor, if there is such a descriptor.
    let open = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    if open < 0 {
        return Err(with_context(io::Error::last_os_error(), &format!("descriptor {number} was not handed over")));
    }
    taken.insert(number);
    // SAFETY: open, as just seen, and handed out only once, as `taken` holds; the caller's promise is in the contract.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn shell(script: &str) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["sh".into(), "-c".into(), script.into()],
            ..Launch::default()
        }
    }

    fn ended(child: &Child) -> Exit {
        let mut poll = [rustix::event::PollFd::new(child, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None).unwrap();
        child.try_wait().unwrap().expect("its descriptor is readable")
    }

    #[test]
    fn a_status_and_a_signal_are_told_apart() {
        assert_eq!(ended(&spawn(&shell("exit 7")).unwrap()), Exit::Status(7));
        let child = spawn(&shell("kill -KILL $$")).unwrap();
        assert_eq!(ended(&child), Exit::Signal(Signal::KILL));
        child.signal(Signal::TERM).unwrap();
    }

    #[test]
    fn a_running_child_can_be_ended_by_any_signal() {
        let child = spawn(&shell("exec /bin/sleep 60")).unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        let signal = Signal::after_rt_min(2).unwrap();
        child.signal(signal).unwrap();
        assert_eq!(ended(&child), Exit::Signal(signal));
    }

    #[test]
    fn descriptors_change_places_without_overwriting_each_other() {
        let (mut first_out, first_in) = io::pipe().unwrap();
        let (mut second_out, second_in) = io::pipe().unwrap();
        let (first, second) = (OwnedFd::from(first_in), OwnedFd::from(second_in));
        let mut launch = shell("printf first >&3; printf second >&4");
        launch.descriptors = vec![(first, 3), (second, 4)];
        let child = spawn(&launch).unwrap();
        drop(launch);
        let (mut one, mut two) = (String::new(), String::new());
        first_out.read_to_string(&mut one).unwrap();
        second_out.read_to_string(&mut two).unwrap();
        assert_eq!((one.as_str(), two.as_str()), ("first", "second"));
        assert_eq!(ended(&child), Exit::Status(0));
    }

    #[test]
    fn a_child_starts_with_its_own_environment_and_no_blocked_signal() {
        let (mut out, into) = io::pipe().unwrap();
        let mut launch = shell("echo $NAME${HOME-none}; grep SigBlk /proc/self/status; exit 0");
        launch.environment = vec![("NAME".into(), "value,".into()), ("PATH".into(), "/usr/bin:/bin".into())];
        launch.descriptors = vec![(into.into(), 1)];
        let _blocks = crate::signal::descriptor(&[Signal::USR1]).unwrap();
        let child = spawn(&launch).unwrap();
        drop(launch);
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!(text, "value,none\nSigBlk:\t0000000000000000\n");
        assert_eq!(ended(&child), Exit::Status(0));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let launch = Launch { program: "/nonexistent/keepalived".into(), ..Launch::default() };
        let error = spawn(&launch).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("/nonexistent/keepalived"), "{error}");
    }

    #[test]
    fn an_inherited_descriptor_has_one_owner() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let number = rustix::io::fcntl_dupfd_cloexec(&file, 900).unwrap();
        let number = std::os::fd::IntoRawFd::into_raw_fd(number);
        let mut taken = std::fs::File::from(inherited(number).unwrap());
        assert!(taken.write(b"x").is_err(), "opened for reading");
        assert!(inherited(number).is_err());
        assert!(inherited(899).is_err(), "not open");
        assert!(inherited(1).is_err());
    }
}
