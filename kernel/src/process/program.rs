//! Programs of the administrator: they run as another user, in a process group of their own, with nothing of ours.

use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_long, c_void};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::ptr;

use rustix::fs::{Mode, OFlags};

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
/// the calling thread ends, it is told to end, too. A script without `#!` is run by `/bin/sh`.
///
/// # Errors
/// It cannot be executed, or not as that user.
pub fn start(program: &Program) -> io::Result<Child> {
    spawn(program).map_err(|error| with_context(error, &format!("cannot run {}", program.file.display())))
}

/// Room for the calls that the child makes before it executes the program.
const STACK: usize = 64 * 1024;

/// What the child needs. It is made before: the child shares the memory of this process and may not allocate.
struct Prepared<'a> {
    /// Where the program may be.
    files: Vec<CString>,
    /// The words and the environment as the kernel wants them: each ends with a null.
    words: Vec<*const c_char>,
    /// `/bin/sh`, room for the file, and the words after the first.
    shell: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    null: OwnedFd,
    identity: Option<&'a Identity>,
    orphaned: Orphaned,
    /// Why it could not be executed.
    error: i32,
}

/// Starts the child by `vfork`: a copy of this process, which `fork` makes, costs more than most scripts.
fn spawn(program: &Program) -> io::Result<Child> {
    let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
    let files = candidates(program).iter().map(|file| text(file.as_os_str())).collect::<io::Result<Vec<_>>>()?;
    let words = std::iter::once(program.file.as_os_str()).chain(program.arguments.iter().map(OsString::as_os_str));
    let words = words.map(text).collect::<io::Result<Vec<CString>>>()?;
    let variables = program.environment.iter().map(|(name, value)| {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        text(&variable)
    });
    let variables = variables.collect::<io::Result<Vec<CString>>>()?;
    let pointers = |texts: &[CString]| {
        texts.iter().map(|text| text.as_ptr()).chain(std::iter::once(ptr::null())).collect::<Vec<*const c_char>>()
    };
    let words_of_shell = [c"/bin/sh".as_ptr(), ptr::null()].into_iter();
    let mut prepared = Prepared {
        files,
        words: pointers(&words),
        shell: words_of_shell.chain(pointers(&words).into_iter().skip(1)).collect(),
        environment: pointers(&variables),
        null: rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?,
        identity: program.identity.as_ref(),
        orphaned: program.orphaned,
        error: 0,
    };
    let mut stack: Vec<u128> = Vec::with_capacity(STACK / size_of::<u128>());
    // SAFETY: the end of the room that was just allocated.
    let top = unsafe { stack.as_mut_ptr().add(stack.capacity()) };
    // the kernel keeps the memory of who becomes another user from being seen or traced by that user: here that is ours, for so long
    let dumpable = rustix::process::dumpable_behavior();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack grows down from `top`, which is aligned as a u128, and is free until the child has executed a program or ended:
    // until then CLONE_VFORK keeps this thread from going on, so nothing else uses `prepared` or the stack either.
    let pid = unsafe { libc::clone(child, top.cast(), flags, (&raw mut prepared).cast()) };
    let cloned = if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    if let Ok(dumpable) = dumpable {
        rustix::process::set_dumpable_behavior(dumpable).ok();
    }
    cloned?;
    // the child writes to it
    // SAFETY: a field of a value that lives here.
    let error = unsafe { ptr::read_volatile(&raw const prepared.error) };
    if error != 0 {
        reap(pid);
        return Err(io::Error::from_raw_os_error(error));
    }
    let watched = Child::watch(Pid(pid));
    if watched.is_err() {
        // it must not run on without anyone who looks after it
        // SAFETY: numbers only; the child has not been reaped, so the number is its own and that of its group.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
        reap(pid);
    }
    watched
}

fn reap(pid: c_int) {
    let pid = rustix::process::Pid::from_raw(pid);
    rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).ok();
}

/// The files to try, as `execvp` has them.
fn candidates(program: &Program) -> Vec<PathBuf> {
    if program.file.as_os_str().as_bytes().contains(&b'/') {
        return vec![program.file.clone()];
    }
    let path = program.environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    std::env::split_paths(path).map(|folder| folder.join(&program.file)).collect()
}

/// The child. It has the memory of its parent, and stops at a panic.
extern "C" fn child(prepared: *mut c_void) -> c_int {
    // SAFETY: what `spawn` gave; it waits, so this is the only user.
    let prepared = unsafe { &mut *prepared.cast::<Prepared<'_>>() };
    let error = match become_them(prepared) {
        Ok(()) => execute(prepared),
        Err(error) => error,
    };
    prepared.error = error.raw_os_error().unwrap_or(libc::EIO);
    // SAFETY: ends this process without any of its parent's clean-up.
    unsafe { libc::_exit(127) }
}

/// Executes the program; returns only if that fails.
fn execute(prepared: &mut Prepared<'_>) -> io::Error {
    let mut refused = None;
    for file in &prepared.files {
        // SAFETY: texts and lists that end as the kernel wants it, and outlive the call.
        unsafe { libc::execve(file.as_ptr(), prepared.words.as_ptr(), prepared.environment.as_ptr()) };
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENOEXEC) => {
                if let Some(word) = prepared.shell.get_mut(1) {
                    *word = file.as_ptr();
                }
                // SAFETY: as above.
                unsafe { libc::execve(c"/bin/sh".as_ptr(), prepared.shell.as_ptr(), prepared.environment.as_ptr()) };
                return io::Error::last_os_error();
            }
            // it may be in another folder
            Some(libc::EACCES) => refused = Some(error),
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            _ => return error,
        }
    }
    refused.unwrap_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

/// Only system calls, and those of the kernel: functions of the C library that change who we are change all threads, and
/// the threads that it knows are the parent's.
fn become_them(prepared: &Prepared<'_>) -> io::Result<()> {
    rustix::process::setpgid(None, None)?;
    rustix::stdio::dup2_stdin(&prepared.null)?;
    rustix::stdio::dup2_stdout(&prepared.null)?;
    rustix::stdio::dup2_stderr(&prepared.null)?;
    // SAFETY: no handler is set; a child without CLONE_SIGHAND has dispositions of its own.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    crate::signal::unblock_all()?;
    if let Some(Identity { uid, gid, groups }) = prepared.identity {
        if *uid != 0 {
            // who is not root does not become it by what they run
            super::privilege::bound_to_nothing()?;
            rustix::thread::set_no_new_privs(true)?;
        }
        // SAFETY: a list of that many groups, which the kernel only reads.
        check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })?;
        // SAFETY: numbers only.
        check(unsafe { libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid) })?;
        // SAFETY: numbers only.
        check(unsafe { libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid) })?;
    }
    // after setresuid, which clears PDEATHSIG
    let signal = match prepared.orphaned {
        Orphaned::Asked => rustix::process::Signal::TERM,
        Orphaned::Killed => rustix::process::Signal::KILL,
    };
    rustix::process::set_parent_process_death_signal(Some(signal))?;
    Ok(())
}

fn check(result: c_long) -> io::Result<()> {
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

    /// How a program ends that is called so, with this `PATH`.
    fn ends(file: &std::path::Path, path: &str) -> io::Result<Exit> {
        let program = Program {
            file: file.to_owned(),
            arguments: vec!["3".into()],
            environment: vec![("PATH".into(), path.into())],
            identity: None,
            orphaned: Orphaned::Asked,
        };
        let child = start(&program)?;
        let mut poll = [rustix::event::PollFd::new(&child, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None)?;
        Ok(child.try_wait()?.expect("its descriptor is readable"))
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("keepalived-program-{}", std::process::id()));
        let [first, second] = ["first", "second"].map(|name| folder.join(name));
        for (folder, mode) in [(&first, 0o644), (&second, 0o755)] {
            std::fs::create_dir_all(folder).unwrap();
            // no #!
            std::fs::write(folder.join("ends-with"), "exit $1\n").unwrap();
            std::fs::set_permissions(folder.join("ends-with"), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = format!("/nonexistent:{}:{}", first.display(), second.display());
        let name = std::path::Path::new("ends-with");
        assert_eq!(ends(name, &path).unwrap(), Exit::Status(3));
        assert_eq!(ends(&second.join(name), "").unwrap(), Exit::Status(3));
        assert_eq!(ends(name, "/nonexistent").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(ends(name, &first.display().to_string()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_program_cannot_become_who_is_not_allowed_and_leaves_nothing() {
        let identity = |uid| Some(Identity { uid, gid: 65534, groups: Vec::new() });
        let confined = std::thread::spawn(move || {
            // of this thread only
            rustix::thread::set_thread_res_uid(
                rustix::process::Uid::from_raw(65534),
                rustix::process::Uid::from_raw(65534),
                rustix::process::Uid::from_raw(65534),
            )
            .unwrap();
            let program = Program {
                file: "/bin/true".into(),
                arguments: Vec::new(),
                environment: Vec::new(),
                identity: identity(65533),
                orphaned: Orphaned::Asked,
            };
            assert_eq!(start(&program).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        });
        confined.join().unwrap();
    }

    #[test]
    fn many_threads_may_start_programs() {
        let threads = (0..4).map(|number| {
            std::thread::spawn(move || {
                for _ in 0..50 {
                    assert_eq!(shell(&format!("exit {number}"), None), Exit::Status(number));
                }
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().unwrap();
        }
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
