//! What the calling process may do.

use std::io;

use rustix::fs::Mode;
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::account::Account;

/// Rights of Linux that a process of ours can need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Capability {
    /// Change addresses; enlarge socket buffers beyond the limit.
    NetAdmin,
    /// Raw sockets.
    NetRaw,
    /// Ports below 1024.
    NetBindService,
    /// Real-time scheduling and nice.
    SysNice,
    /// Memory that is not swapped.
    IpcLock,
    /// Signals to processes of other users.
    Kill,
    /// Change user.
    SetUid,
    /// Change group.
    SetGid,
    /// Raise hard limits.
    SysResource,
    /// Enter namespaces.
    SysAdmin,
    /// Give files to other users.
    Chown,
    /// Write files of any owner (`/proc/sys`, pid files).
    DacOverride,
}

impl Capability {
    fn set(self) -> CapabilitySet {
        match self {
            Self::NetAdmin => CapabilitySet::NET_ADMIN,
            Self::NetRaw => CapabilitySet::NET_RAW,
            Self::NetBindService => CapabilitySet::NET_BIND_SERVICE,
            Self::SysNice => CapabilitySet::SYS_NICE,
            Self::IpcLock => CapabilitySet::IPC_LOCK,
            Self::Kill => CapabilitySet::KILL,
            Self::SetUid => CapabilitySet::SETUID,
            Self::SetGid => CapabilitySet::SETGID,
            Self::SysResource => CapabilitySet::SYS_RESOURCE,
            Self::SysAdmin => CapabilitySet::SYS_ADMIN,
            Self::Chown => CapabilitySet::CHOWN,
            Self::DacOverride => CapabilitySet::DAC_OVERRIDE,
        }
    }
}

/// Gives up, for good and for everything executed later, every capability of the calling thread that is not in `keep`.
/// Capabilities that it does not have are not gained. Call it before there are other threads.
///
/// # Errors
/// The kernel refuses; nothing that was to be kept is lost then.
pub fn drop_capabilities(keep: &[Capability]) -> io::Result<()> {
    let keep = keep.iter().fold(CapabilitySet::empty(), |set, capability| set | capability.set());
    // a set-uid or set-capability program could not gain anything either
    rustix::thread::set_no_new_privs(true)?;
    let held = rustix::thread::capabilities(None)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        bound_to(keep)?;
    }
    rustix::thread::clear_ambient_capability_set()?;
    let left = keep.intersection(held.permitted);
    let sets = CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Makes the calling thread, and all that it executes later, one of the user `account`, with no other group and no capability, for good.
/// The signal that it gets when its parent ends stays. Call it before there are other threads.
///
/// # Errors
/// The kernel refuses: a user namespace does not have that user, or this is not root. The user stays the same then; groups and
/// capabilities may have gone.
pub fn become_user(account: Account) -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let at_end_of_parent = rustix::process::parent_process_death_signal()?;
    // calls of the kernel, as all of these: those of the C library change all threads
    rustix::thread::set_thread_groups(&[])?;
    let gid = Gid::from_raw(account.gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    // another user has not the right to do so any more
    if rustix::thread::capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        bound_to(CapabilitySet::empty())?;
    }
    let uid = Uid::from_raw(account.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    // setresuid clears it
    rustix::process::set_parent_process_death_signal(at_end_of_parent)?;
    drop_capabilities(&[])
}

/// Removes all but `keep` from the bounding set of the calling thread.
fn bound_to(keep: CapabilitySet) -> io::Result<()> {
    for capability in CapabilitySet::all().difference(keep).iter() {
        // EINVAL: this kernel does not have that one
        if let Err(error) = rustix::thread::remove_capability_from_bounding_set(capability)
            && error != rustix::io::Errno::INVAL
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Empties the bounding set of the calling thread: nothing that it executes later can gain a capability. Only system
/// calls: it may be called between fork and exec.
pub(super) fn bound_to_nothing() -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // EINVAL: this kernel does not have that one
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            // EPERM: without CAP_SETPCAP, as in many containers; `no_new_privs` keeps them from what is in there
            Err(rustix::io::Errno::PERM) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether the calling thread has this capability in effect; false if that cannot be found out.
pub fn holds(capability: Capability) -> bool {
    rustix::thread::capabilities(None).is_ok_and(|held| held.effective.contains(capability.set()))
}

/// Effective user of this process; 0 is root.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Sets the permissions that new files do not get, and says what they were. Bits beyond `0o777` are ignored.
pub fn set_umask(mask: u32) -> u32 {
    rustix::process::umask(Mode::from_bits_truncate(mask & 0o777)).bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_gone_from_this_thread() {
        // capabilities belong to threads: other tests keep theirs
        if !holds(Capability::NetRaw) || !holds(Capability::NetAdmin) {
            assert!(std::env::var_os("CI").is_none(), "needs CAP_NET_RAW");
            eprintln!("skipped: needs CAP_NET_RAW");
            return;
        }
        drop_capabilities(&[Capability::NetRaw, Capability::SysNice]).unwrap();
        assert!(holds(Capability::NetRaw));
        assert!(!holds(Capability::NetAdmin));
        drop_capabilities(&[Capability::NetAdmin]).unwrap();
        assert!(!holds(Capability::NetAdmin), "what is gone does not come back");
    }

    #[test]
    fn another_user_has_nothing_of_root() {
        if effective_uid() != 0 || !holds(Capability::SetUid) {
            assert!(std::env::var_os("CI").is_none(), "needs root");
            eprintln!("skipped: needs root");
            return;
        }
        // the kernel makes the memory of who becomes another user private to root: other tests share it
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        // users belong to threads: other tests keep theirs
        let became = std::thread::spawn(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM)).unwrap();
            become_user(Account { uid: 2_100_000_001, gid: 2_100_000_002 }).unwrap();
            let signal = rustix::process::parent_process_death_signal().unwrap();
            rustix::process::set_parent_process_death_signal(None).unwrap();
            (std::fs::read_to_string("/proc/thread-self/status").unwrap(), signal)
        });
        let (status, signal) = became.join().unwrap();
        rustix::process::set_dumpable_behavior(dumpable).unwrap();
        assert_eq!(signal, Some(rustix::process::Signal::TERM), "it ends with its parent");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
            line.split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(field("Uid"), ["2100000001"; 4]);
        assert_eq!(field("Gid"), ["2100000002"; 4]);
        assert!(field("Groups").is_empty());
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(field("NoNewPrivs"), ["1"]);
        assert_eq!(effective_uid(), 0, "other threads stay who they were");
    }
}
