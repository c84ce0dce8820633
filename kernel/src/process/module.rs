//! Kernel modules, loaded as the kernel itself loads them.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::spawn::{Exit, Launch, spawn};
use crate::files::read_text;

/// Where the kernel says which program loads modules.
const LOADER: &str = "/proc/sys/kernel/modprobe";

/// Loads a kernel module, which needs all rights: to be called before any are given up. It is waited for no longer than
/// `patience`; after that the program goes on by itself.
///
/// # Errors
/// There is no such module, no program that loads one, or it takes longer (`TimedOut`).
pub fn load_module(module: &str, patience: Duration) -> io::Result<()> {
    let program = read_text(Path::new(LOADER), 4096)
        .map_err(|error| io::Error::new(error.kind(), format!("{LOADER}: {error}, so it cannot load modules")))?;
    let program = program.trim_end();
    if program.is_empty() {
        return Err(io::Error::other(format!("{LOADER} is empty")));
    }
    load_by(program, module, patience)
}

fn load_by(program: &str, module: &str, patience: Duration) -> io::Result<()> {
    let child = spawn(&Launch {
        program: program.into(),
        arguments: [program, "-q", "-s", "--", module].map(Into::into).to_vec(),
        environment: vec![("PATH".into(), "/sbin:/usr/sbin:/bin:/usr/bin".into())],
        descriptors: Vec::new(),
    })?;
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait()? {
            Some(Exit::Status(0)) => return Ok(()),
            Some(exit) => return Err(io::Error::other(format!("{program} {exit}"))),
            None => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let what = format!("{program} takes longer than {} s", patience.as_secs_f32());
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        let timeout =
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        let mut poll = [PollFd::new(&child, PollFlags::IN)];
        // a signal may end it early
        let _ended_or_not = rustix::event::poll(&mut poll, Some(&timeout));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A program that loads modules as this line says.
    fn loader(name: &str, line: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("keepalived-module-{}-{name}", std::process::id()));
        std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_program_is_called_as_the_kernel_calls_it_and_is_not_waited_for_without_end() {
        let long = Duration::from_secs(60);
        // kernel/module/kmod.c: MODPROBE -q -- NAME, and -s for what it says
        let path = loader("right", "test \"$*\" = '-q -s -- ip_vs'");
        let load = |path: &Path, module, patience| load_by(path.to_str().unwrap(), module, patience);
        assert!(load(&path, "ip_vs", long).is_ok());
        let error = load(&path, "other", long).unwrap_err();
        assert!(error.to_string().ends_with("exited with status 1"), "{error}");
        std::fs::remove_file(&path).unwrap();

        let path = loader("slow", "exec /bin/sleep 2");
        assert_eq!(load(&path, "ip_vs", Duration::from_millis(1)).unwrap_err().kind(), io::ErrorKind::TimedOut);
        std::fs::remove_file(&path).unwrap();
        assert!(load(&path, "ip_vs", long).is_err(), "there is no program");
    }
}
