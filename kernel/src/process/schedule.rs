//! Promptness and limits of the calling process.

use std::io;
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::mm::MlockAllFlags;
use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

/// Real-time scheduling (`SCHED_RR`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Realtime {
    /// 1 to 99.
    pub priority: u8,
    /// How long it may compute without once waiting before the kernel sends `SIGXCPU`; `None` sets no limit.
    pub longest_run: Option<Duration>,
}

/// Makes the calling thread a real-time one; its children start as ordinary ones.
///
/// # Errors
/// No permission, or a priority out of range.
pub fn set_realtime(realtime: Realtime) -> io::Result<()> {
    if let Some(longest) = realtime.longest_run {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).max(1);
        // soft: SIGXCPU is a word of warning; hard is left as it is
        let hard = rustix::process::getrlimit(Resource::Rttime).maximum;
        let soft = hard.map_or(micros, |hard| hard.min(micros));
        rustix::process::setrlimit(Resource::Rttime, Rlimit { current: Some(soft), maximum: hard })?;
    }
    // the kernel's struct sched_param, which is one int; musl's function always fails, its struct is larger
    let parameter = libc::c_int::from(realtime.priority);
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 is the calling thread; `parameter` is readable for the one int that the kernel reads.
    let set = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const parameter) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// How long an ordinary thread that is prompt runs before others have their turn: the shortest that the kernel knows.
const SHORT_TURN: Duration = Duration::from_micros(100);

/// Asks for short turns of the calling thread on its processor, and by that for early ones. Since Linux 6.12 a thread of short turns that
/// wakes takes the place of one with longer turns (sched(7), `sched_runtime` of `SCHED_OTHER`); older kernels ignore it. Does nothing for a
/// real-time thread, which is earlier anyway.
///
/// # Errors
/// The kernel has no such call.
pub fn run_in_short_turns() -> io::Result<()> {
    let size = u32::try_from(size_of::<libc::sched_attr>()).unwrap_or(u32::MAX);
    // SAFETY: the type holds numbers only.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: 0 is the calling thread; the kernel writes `size` octets at most.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if read < 0 {
        return Err(io::Error::last_os_error());
    }
    if attributes.sched_policy != libc::SCHED_OTHER.unsigned_abs() {
        return Ok(());
    }
    attributes.sched_runtime = u64::try_from(SHORT_TURN.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: as above; the kernel reads as many octets as `attributes.size` says, which it has set.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw mut attributes, 0) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sets the nice value, -20 to 19.
///
/// # Errors
/// No permission for a lower one.
pub fn set_nice(nice: i8) -> io::Result<()> {
    Ok(rustix::process::setpriority_process(None, i32::from(nice))?)
}

/// Keeps the memory that this process has and will get from being swapped out, each page from its first use.
///
/// # Errors
/// No permission, or the limit is reached.
pub fn lock_memory() -> io::Result<()> {
    Ok(rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?)
}

/// Lets the calling thread run on these processors only. Numbers that cannot be processors are left out.
///
/// # Errors
/// None of them exists.
pub fn pin_to_cpus(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    // beyond the set, `CpuSet::set` panics
    cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(*cpu));
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// Lets timers of the calling thread fire as exactly as they can (timer slack of 1 ns).
///
/// # Errors
/// The kernel refuses.
pub fn precise_timers() -> io::Result<()> {
    Ok(rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?)
}

/// Allows core files of up to `octets`; `None` is any size.
///
/// # Errors
/// Above the hard limit.
pub fn limit_core(octets: Option<u64>) -> io::Result<()> {
    Ok(rustix::process::setrlimit(Resource::Core, Rlimit { current: octets, maximum: octets })?)
}

/// Raises the number of descriptors to what the hard limit allows, and says how many that are (`None`: any number).
///
/// # Errors
/// The kernel refuses.
pub fn raise_descriptor_limit() -> io::Result<Option<u64>> {
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_cannot_be_is_an_error_not_a_panic() {
        assert!(pin_to_cpus(&[usize::MAX, 100_000]).is_err());
    }

    #[test]
    fn short_turns_leave_the_rest_as_it_was() {
        std::thread::spawn(|| {
            rustix::process::setpriority_process(None, 3).unwrap();
            run_in_short_turns().unwrap();
            assert_eq!(rustix::process::getpriority_process(None).unwrap(), 3);
            let stat = std::fs::read_to_string("/proc/thread-self/sched").unwrap_or_default();
            // only some kernels have this file, and the line only since 6.12
            let slice =
                stat.lines().find_map(|line| line.strip_prefix("se.slice")).and_then(|rest| rest.split(':').nth(1));
            if let Some(slice) = slice {
                assert_eq!(slice.trim(), "100000");
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_priority_out_of_range_is_refused() {
        assert!(set_realtime(Realtime { priority: 100, longest_run: None }).is_err());
    }

    #[test]
    fn descriptor_limit_and_timers_can_be_set_by_anybody() {
        raise_descriptor_limit().unwrap();
        precise_timers().unwrap();
    }
}
