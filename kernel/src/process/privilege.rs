//! What the calling process may do.

use std::io;

use rustix::fs::Mode;
use rustix::thread::{CapabilitySet, CapabilitySets};

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
        for capability in CapabilitySet::all().difference(keep).iter() {
            // EINVAL: this kernel does not have that one
            if let Err(error) = rustix::thread::remove_capability_from_bounding_set(capability)
                && error != rustix::io::Errno::INVAL
            {
                return Err(error.into());
            }
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    let left = keep.intersection(held.permitted);
    let sets = CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() };
    Ok(rustix::thread::set_capabilities(None, sets)?)
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
}
