//! What the observer may ask of the kernel, and what the calling process gives up for good, by seccomp.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;

use libc::{c_int, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Calls with their names, as in the kernel's tables.
type Calls = &'static [(&'static str, c_long)];

macro_rules! calls {
    ($($call:ident)*) => { &[$((stringify!($call), libc::$call)),*] };
}

/// What it makes all the time: `seccomp::the_observer_makes_these_calls_and_no_others` finds one that it does not make.
const USUAL: Calls = calls! {
    // descriptors, and waiting for them
    SYS_close SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_eventfd2 SYS_fcntl SYS_read SYS_write
    // sockets, ours and those that we connect to
    SYS_accept4 SYS_connect SYS_getsockname SYS_getsockopt SYS_recvfrom SYS_recvmsg SYS_sendmsg SYS_sendto SYS_setsockopt SYS_shutdown
    // files that are read: the group database, certificates, passwords
    SYS_newfstatat SYS_openat SYS_pread64
    // memory and threads
    SYS_brk SYS_exit_group SYS_futex SYS_getpid SYS_mmap SYS_munmap SYS_rt_sigprocmask SYS_sigaltstack
};

/// What some C library, some configuration or some accident needs.
const SELDOM: Calls = calls! {
    // memory given back, locks that are taken
    SYS_madvise SYS_sched_yield
    // threads that look up names, begin and end
    SYS_exit SYS_gettid SYS_mprotect SYS_mremap SYS_prctl SYS_prlimit64 SYS_rseq SYS_rt_sigaction SYS_rt_sigreturn
    SYS_restart_syscall SYS_sched_getaffinity SYS_set_robust_list SYS_set_tid_address SYS_membarrier SYS_getrandom
    // the resolver, and addresses of this machine for it
    SYS_bind SYS_getpeername SYS_ioctl SYS_lseek SYS_ppoll SYS_pselect6 SYS_recvmmsg SYS_sendmmsg SYS_uname
    // other ways to read files: certificates in a folder, names
    SYS_dup SYS_dup3 SYS_faccessat SYS_faccessat2 SYS_fstat SYS_getcwd SYS_getdents64 SYS_readlinkat SYS_readv SYS_statx SYS_sysinfo
    // who we are, for D-Bus, and what the log begins with
    SYS_getegid SYS_geteuid SYS_getgid SYS_getppid SYS_getuid SYS_writev
    // a message that is larger than a packet goes in memory
    SYS_ftruncate SYS_memfd_create
    // clocks where they are not read without a call
    SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_epoll_pwait2 SYS_gettimeofday SYS_nanosleep SYS_timerfd_create SYS_timerfd_settime
};

/// What it makes with some arguments only. (The C library begins a thread by `clone` where there is no `clone3`, whose arguments no filter
/// sees.)
const BOUNDED: Calls = calls! { SYS_clone SYS_socket SYS_tgkill };

/// Kinds of sockets. netlink is for the resolver, which looks for addresses of this machine.
const FAMILIES: [c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Flags of `clone` that make a namespace, in which a process has every capability.
const NAMESPACES: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// What x86-64 still has beside newer ones.
#[cfg(target_arch = "x86_64")]
const OLD: Calls =
    calls! { SYS_access SYS_epoll_wait SYS_lstat SYS_open SYS_poll SYS_readlink SYS_select SYS_stat SYS_time };
#[cfg(not(target_arch = "x86_64"))]
const OLD: Calls = &[];

/// From now on no thread of this process can make any other call than those of this file: the kernel answers as one that does not have
/// it (`ENOSYS`), so a library takes an older way if it knows one. False if we cannot do that on this architecture.
///
/// # Errors
/// The kernel refuses.
pub fn give_up_calls() -> io::Result<bool> {
    let Some(filter) = filter()? else { return Ok(false) };
    seccompiler::apply_filter_all_threads(&filter).map_err(io::Error::other)?;
    Ok(true)
}

/// `None` on an architecture that the crate does not know.
fn filter() -> io::Result<Option<BpfProgram>> {
    let Ok(architecture) = TargetArch::try_from(ARCH) else { return Ok(None) };
    let mut allowed: BTreeMap<c_long, Vec<SeccompRule>> =
        [USUAL, SELDOM, OLD].into_iter().flatten().map(|(_, number)| (*number, Vec::new())).collect();
    // who aborts signals itself, and nobody else
    allowed.insert(libc::SYS_tgkill, vec![first(SeccompCmpOp::Eq, std::process::id().into())?]);
    let families = FAMILIES.iter().map(|family| first(SeccompCmpOp::Eq, (*family).unsigned_abs().into()));
    allowed.insert(libc::SYS_socket, families.collect::<io::Result<_>>()?);
    allowed.insert(libc::SYS_clone, vec![first(SeccompCmpOp::MaskedEq(NAMESPACES.unsigned_abs().into()), 0)?]);
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(allowed, missing, SeccompAction::Allow, architecture).map_err(io::Error::other)?;
    filter.try_into().map(Some).map_err(io::Error::other)
}

/// The first argument has to be so.
fn first(is: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, is, value);
    condition.and_then(|condition| SeccompRule::new(vec![condition])).map_err(io::Error::other)
}

/// The names of the calls that the observer makes all the time, and of the others that it may make.
pub fn allowed_calls() -> [Vec<&'static str>; 2] {
    let names = |calls: &[Calls]| {
        let all = calls.iter().copied().flatten();
        all.map(|(name, _)| name.trim_start_matches("SYS_")).collect()
    };
    [names(&[USUAL]), names(&[SELDOM, OLD, BOUNDED])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn other_calls_are_not_there_any_more() {
        let Some(filter) = filter().unwrap() else {
            eprintln!("skipped: no seccomp on {ARCH}");
            return;
        };
        // a filter belongs to its thread: other tests keep their calls
        let confined = std::thread::spawn(move || {
            seccompiler::apply_filter(&filter).unwrap();
            assert!(fs::read_to_string("/proc/self/stat").is_ok());
            let missing = |error: io::Error| assert_eq!(error.raw_os_error(), Some(libc::ENOSYS), "{error}");
            missing(Command::new("/bin/true").spawn().map(drop).unwrap_err());
            missing(fs::rename("/nothing", "/other").unwrap_err());
            missing(rustix::process::chroot("/").unwrap_err().into());
            // threads begin all the same, and other sockets do not
            std::thread::spawn(|| ()).join().unwrap();
            rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).unwrap();
            let packets = rustix::net::socket(rustix::net::AddressFamily::PACKET, rustix::net::SocketType::RAW, None);
            missing(packets.unwrap_err().into());
            // SAFETY: a child would end at once.
            let child = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0) };
            if child == 0 {
                // SAFETY: as above.
                unsafe { libc::_exit(0) };
            }
            missing(io::Error::last_os_error());
            assert_eq!(child, -1);
        });
        confined.join().unwrap();
        Command::new("/bin/true").status().unwrap();
    }

    #[test]
    fn a_call_is_named_once() {
        let all = allowed_calls().concat();
        let once: std::collections::BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), once.len());
    }
}
