//! Leaving the terminal: fork, and let the parent wait until the daemon says how it went.

use std::fs;
use std::io::{self, PipeWriter, Read, Write};

/// The daemon's side; the parent waits for it. Dropped without a word, the parent exits with status 1.
#[derive(Debug)]
pub struct Background {
    parent: Option<PipeWriter>,
}

impl Background {
    /// Of a process that stays in the foreground: no parent waits.
    pub fn none() -> Self {
        Self { parent: None }
    }

    /// Lets go of the terminal and lets the parent exit with status 0. Errors up to here can go to standard error.
    ///
    /// # Errors
    /// `/dev/null` cannot be opened.
    pub fn ready(mut self) -> io::Result<()> {
        if let Some(parent) = self.parent.take() {
            silence_standard_streams()?;
            report(parent, 0);
        }
        Ok(())
    }

    /// Lets the parent exit with this status; the caller exits as well.
    pub fn failed(mut self, status: u8) {
        if let Some(parent) = self.parent.take() {
            report(parent, status);
        }
    }
}

fn report(mut parent: PipeWriter, status: u8) {
    // a parent that was killed meanwhile hears nothing
    let _nobody_waits = parent.write_all(&[status]);
}

/// Goes into the background: the child returns, in a session of its own with `/` as its directory; the parent waits
/// for [`Background::ready`] and never returns.
///
/// # Errors
/// No second process could be had; or there are other threads, which a fork would leave behind.
pub fn daemonise() -> io::Result<Background> {
    if fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        return Err(io::Error::other("threads were started before going into the background"));
    }
    let (reader, writer) = io::pipe()?;
    // SAFETY: this is the only thread, so the child finds every lock free.
    let child = unsafe { libc::fork() };
    match child {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(reader);
            rustix::process::setsid()?;
            rustix::process::chdir("/")?;
            Ok(Background { parent: Some(writer) })
        }
        _ => {
            drop(writer);
            std::process::exit(wait_for(reader))
        }
    }
}

fn wait_for(mut reader: impl Read) -> i32 {
    let mut status = [1];
    match reader.read_exact(&mut status) {
        Ok(()) => i32::from(u8::from_ne_bytes(status)),
        Err(_) => 1,
    }
}

/// Turns standard input, output and error to `/dev/null`.
///
/// # Errors
/// `/dev/null` cannot be opened.
pub fn silence_standard_streams() -> io::Result<()> {
    let null = crate::files::nowhere()?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_takes_the_status_it_is_told_and_1_for_silence() {
        let (reader, writer) = io::pipe().unwrap();
        Background { parent: Some(writer) }.failed(5);
        assert_eq!(wait_for(reader), 5);
        let (reader, writer) = io::pipe().unwrap();
        drop(Background { parent: Some(writer) });
        assert_eq!(wait_for(reader), 1);
    }

    #[test]
    fn a_process_with_threads_does_not_fork() {
        // the test runner has a thread for each test
        assert!(daemonise().is_err());
    }
}
