//! Pid files: one daemon of a kind at a time, held by a lock that no crash leaves behind.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Pid;
use crate::files::{Existing, create_regular};

/// A pid file that this process holds locked. Dropped, it is unlocked and left where it is.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why a pid file could not be had.
#[derive(Debug)]
pub enum PidFileRefused {
    /// Another process holds it; its number, if the file says so.
    AlreadyRunning(Option<Pid>),
    /// It could not be created, locked or written.
    Io(io::Error),
}

impl fmt::Display for PidFileRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRunning(Some(pid)) => write!(f, "already running as process {pid}"),
            Self::AlreadyRunning(None) => f.write_str("already running"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PidFileRefused {}

impl From<io::Error> for PidFileRefused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl PidFile {
    /// Creates or takes over the file, locks it and writes the number of this process into it.
    ///
    /// To be called by the process that stays: the lock goes with the descriptor, but the number is the caller's.
    ///
    /// # Errors
    /// Another process holds it, or it cannot be written.
    pub fn create(path: &Path) -> Result<Self, PidFileRefused> {
        let mut this = loop {
            // never O_TRUNC: until it is locked it may be another's
            let mut file = create_regular(path, Existing::Keep, 0o644)?;
            if !lock(&file)? {
                return Err(PidFileRefused::AlreadyRunning(number_in(&mut file)));
            }
            let this = Self { path: path.to_owned(), file };
            // its last owner may have removed it between our open and our lock
            if this.is_there().unwrap_or(false) {
                break this;
            }
        };
        this.write()?;
        Ok(this)
    }

    /// Writes the number of the calling process, for a daemon that has forked since.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self) -> io::Result<()> {
        self.write_number(super::own_pid())
    }

    /// Writes the number of another process: the lock stays with the calling one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_number(&mut self, pid: Pid) -> io::Result<()> {
        self.file.set_len(0)?;
        io::Seek::rewind(&mut self.file)?;
        writeln!(self.file, "{pid}")
    }

    /// Lets every user read it, whatever the umask: scripts of any user do.
    ///
    /// # Errors
    /// The file belongs to another user.
    pub fn open_to_readers(&self) -> io::Result<()> {
        self.file.set_permissions(fs::Permissions::from_mode(0o644))
    }

    /// Whether what is at the path is the file that is held.
    fn is_there(&self) -> io::Result<bool> {
        let (there, ours) = (fs::symlink_metadata(&self.path)?, self.file.metadata()?);
        Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }

    /// Removes the file. One that is already gone is fine, and what others have put in its place stays.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        match self.is_there().and_then(|is_ours| if is_ours { fs::remove_file(&self.path) } else { Ok(()) }) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn number_in(file: &mut File) -> Option<Pid> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0).map(Pid)
}

/// False if another open file holds the lock.
fn lock(file: &File) -> io::Result<bool> {
    // SAFETY: all octets zero is a valid struct flock: from the start, of any length, for no process.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = libc::F_WRLCK.try_into().map_err(io::Error::other)?;
    range.l_whence = libc::SEEK_SET.try_into().map_err(io::Error::other)?;
    // of the open file, not of the process (F_SETLK): it survives the fork of a daemon and the closing of a duplicate
    // SAFETY: the descriptor is open, `range` is a struct flock that outlives the call.
    let locked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
    if locked == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("keepalived-kernel-{}-{name}.pid", std::process::id()))
    }

    #[test]
    fn a_second_daemon_is_told_who_runs() {
        let path = path("second");
        let first = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        match PidFile::create(&path) {
            Err(PidFileRefused::AlreadyRunning(Some(pid))) => assert_eq!(pid, super::super::own_pid()),
            other => panic!("{other:?}"),
        }
        first.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_file_left_by_a_crash_is_taken_over() {
        let path = path("stale");
        fs::write(&path, "999999999 and more\n").unwrap();
        let held = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        held.remove().unwrap();
    }

    #[test]
    fn what_others_have_put_in_its_place_stays() {
        let path = path("replaced");
        let first = PidFile::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = PidFile::create(&path).unwrap();
        first.remove().unwrap();
        assert!(path.exists(), "the file of the second");
        second.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(matches!(PidFile::create(Path::new("/nonexistent/keepalived.pid")), Err(PidFileRefused::Io(_))));
    }
}
