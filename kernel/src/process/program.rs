//! Programs of the administrator: they run as another user, in a process group of their own, with nothing of ours.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::spawn::{Child, Pid, with_context};
use crate::signal::Signal;

/// Who runs a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// A program to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// File to execute; without `/` it is looked for in `PATH` of `environment`.
    pub file: PathBuf,
    /// What follows the name.
    pub arguments: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Who runs it; `None` is who we are.
    pub identity: Option<Identity>,
    /// What it gets when the thread that starts it ends.
    pub orphaned: Orphaned,
}

/// What a program gets when the thread that started it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Orphaned {
    /// `SIGTERM`: it may finish.
    Asked,
    /// `SIGKILL`: its work is of no use any more, and no other process would end it.
    Killed,
}

/// Starts a program: in a process group of its own, its standard streams nowhere, no signal blocked or ignored; when
/// the calling thread ends, it is told to end, too. This process is forked for it: it should be a small one, with one
/// thread.
///
/// # Errors
/// It cannot be executed, or not as that user.
pub fn start(program: &Program) -> io::Result<Child> {
    let mut command = Command::new(&program.file);
    command.args(&program.arguments).env_clear().envs(program.environment.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let (identity, orphaned) = (program.identity.clone(), program.orphaned);
    // SAFETY: between fork and exec only system calls are made and nothing is allocated: `become_them` borrows what was
    // made before.
    unsafe {
        command.pre_exec(move || become_them(identity.as_ref(), orphaned));
    }
    let child =
        command.spawn().map_err(|error| with_context(error, &format!("cannot run {}", program.file.display())))?;
    Child::watch(Pid(i32::try_from(child.id()).map_err(io::Error::other)?))
}

fn become_them(identity: Option<&Identity>, orphaned: Orphaned) -> io::Result<()> {
    crate::signal::unblock_all()?;
    if let Some(Identity { uid, gid, groups }) = identity {
        if *uid != 0 {
            // who is not root does not become it by what they run
            super::privilege::bound_to_nothing()?;
            rustix::thread::set_no_new_privs(true)?;
        }
        // SAFETY: a list of that many groups, which the kernel only reads.
        check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
        // SAFETY: numbers only.
        check(unsafe { libc::setresgid(*gid, *gid, *gid) })?;
        // SAFETY: numbers only.
        check(unsafe { libc::setresuid(*uid, *uid, *uid) })?;
    }
    // after setresuid, which clears PDEATHSIG
    let signal = match orphaned {
        Orphaned::Asked => rustix::process::Signal::TERM,
        Orphaned::Killed => rustix::process::Signal::KILL,
    };
    rustix::process::set_parent_process_death_signal(Some(signal))?;
    Ok(())
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to a program that was started here and all that it has started in its process group. Success if all
/// have ended.
///
/// # Errors
/// Not permitted.
pub fn signal_group(child: &Child, signal: Signal) -> io::Result<()> {
    // SAFETY: numbers only. The group has the number of its leader, which cannot be given away before the leader is
    // reaped.
    let sent = unsafe { libc::kill(-child.pid().0, signal.number()) };
    if sent == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;

    use super::*;
    use crate::process::Exit;

    fn shell(script: &str, identity: Option<Identity>) -> Exit {
        let program = Program {
            file: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            identity,
            orphaned: Orphaned::Asked,
        };
        let child = start(&program).unwrap();
        let mut poll = [rustix::event::PollFd::new(&child, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None).unwrap();
        child.try_wait().unwrap().expect("its descriptor is readable")
    }

    #[test]
    fn it_runs_as_the_user_and_the_groups_that_are_said() {
        let nobody = Identity { uid: 65534, gid: 65533, groups: vec![7, 8] };
        let script = r#"test "$(id -u) $(id -g) $(id -G)" = "65534 65533 65533 7 8""#;
        assert_eq!(shell(script, Some(nobody)), Exit::Status(0));
    }

    #[test]
    fn who_is_not_root_cannot_become_it() {
        let state = r#"test "$(grep -c -e '^CapBnd:.0000000000000000$' -e '^NoNewPrivs:.1$' /proc/self/status)" = "#;
        let nobody = Identity { uid: 65534, gid: 65534, groups: Vec::new() };
        assert_eq!(shell(&format!("{state}2"), Some(nobody)), Exit::Status(0));
        let root = Identity { uid: 0, gid: 0, groups: Vec::new() };
        assert_eq!(shell(&format!("{state}0"), Some(root)), Exit::Status(0));
    }

    #[test]
    fn it_has_its_own_group_its_own_environment_and_no_blocked_signal() {
        let _blocks = crate::signal::descriptor(&[Signal::USR1]).unwrap();
        assert_eq!(
            shell(r#"test -z "$HOME" && grep -q "SigBlk:.0000000000000000" /proc/self/status"#, None),
            Exit::Status(0)
        );
        assert_eq!(shell(r#"test "$(cut -d" " -f5 /proc/$$/stat)" = $$"#, None), Exit::Status(0));
    }

    /// Starts a program that ends with 7 at `SIGTERM`, from a thread that then ends; how it ended.
    fn orphan(orphaned: Orphaned) -> Exit {
        let (mut hears, tells) = io::pipe().unwrap();
        let child = std::thread::spawn(move || {
            let script = "trap 'exit 7' TERM; echo > \"$0\"; while :; do sleep 0.05; done";
            let pipe = format!("/proc/{}/fd/{}", std::process::id(), tells.as_raw_fd());
            let program = Program {
                file: "/bin/sh".into(),
                arguments: vec!["-c".into(), script.into(), pipe.into()],
                environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
                identity: None,
                orphaned,
            };
            let child = start(&program).unwrap();
            // it is ready for signals
            hears.read_exact(&mut [0]).unwrap();
            child
        });
        let child = child.join().unwrap();
        let mut poll = [rustix::event::PollFd::new(&child, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None).unwrap();
        child.try_wait().unwrap().expect("its descriptor is readable")
    }

    #[test]
    fn an_orphan_may_finish_or_is_killed() {
        assert_eq!(orphan(Orphaned::Asked), Exit::Status(7));
        assert_eq!(orphan(Orphaned::Killed), Exit::Signal(Signal::KILL));
    }

    #[test]
    fn a_program_and_what_it_started_end_together() {
        let program = Program {
            file: "/bin/sh".into(),
            arguments: vec!["-c".into(), "/bin/sleep 60 & wait".into()],
            environment: Vec::new(),
            identity: None,
            orphaned: Orphaned::Asked,
        };
        let child = start(&program).unwrap();
        signal_group(&child, Signal::KILL).unwrap();
        let mut poll = [rustix::event::PollFd::new(&child, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None).unwrap();
        assert_eq!(child.try_wait().unwrap(), Some(Exit::Signal(Signal::KILL)));
    }

    #[test]
    fn what_cannot_be_run_is_named() {
        let program = Program {
            file: "/nonexistent".into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            identity: None,
            orphaned: Orphaned::Asked,
        };
        assert!(start(&program).unwrap_err().to_string().contains("/nonexistent"));
    }
}
