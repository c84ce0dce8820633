//! Named pipes that tell scripts what happens.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{Gid, Uid};

/// A named pipe that is written to and never waited for.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    file: File,
    /// We made it, and remove it at the end.
    ours: bool,
}

impl Fifo {
    /// Opens the named pipe at `path`; if there is none, makes one that belongs to `owner` (user and group), or to us.
    ///
    /// # Errors
    /// Something else is there, also a link; another user owns it; the directory cannot be written.
    pub fn open(path: &Path, owner: Option<(u32, u32)>) -> io::Result<Self> {
        let made = rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0);
        let ours = match made {
            Ok(()) => true,
            Err(rustix::io::Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        // to open some devices is to act on them
        judge(path, path.symlink_metadata()?.file_type())?;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        // for reading, too: the pipe may have no other reader
        #[expect(clippy::disallowed_methods, reason = "a named pipe, looked at below")]
        let file = File::options().read(true).write(true).custom_flags(flags).open(path)?;
        let found = file.metadata()?;
        judge(path, found.file_type())?;
        let us = rustix::process::geteuid().as_raw();
        if found.uid() != us && owner.is_none_or(|(uid, _)| found.uid() != uid) {
            let what = format!("{} belongs to another user ({})", path.display(), found.uid());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        if let Some((uid, gid)) = owner {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(Self { path: path.to_owned(), file, ours })
    }

    /// Writes one line, without waiting: what the reader does not take is lost.
    ///
    /// # Errors
    /// The pipe is full, or broken.
    pub fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)
    }

    /// Whether it is still what its path leads to: others may have deleted it, or put something else there.
    pub fn is_in_place(&self) -> bool {
        let found = self.path.symlink_metadata().and_then(|there| Ok((there, self.file.metadata()?)));
        found.is_ok_and(|(there, ours)| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }

    /// It was there, but a process before this one had made it for us: it is removed at the end.
    pub fn adopt(&mut self) {
        self.ours = true;
    }

    /// Whether it will be removed at the end.
    pub const fn is_ours(&self) -> bool {
        self.ours
    }

    /// Closes it, and removes it if it is ours: the end of the daemon.
    pub fn remove(self) {
        // first of all: a reader that opens it again must not find it
        if self.ours {
            fs::remove_file(&self.path).ok();
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn judge(path: &Path, kind: fs::FileType) -> io::Result<()> {
    if kind.is_fifo() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is no named pipe", path.display())))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn place(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("keepalived-fifo-{}-{name}", std::process::id()))
    }

    #[test]
    fn it_is_made_written_and_removed() {
        let path = place("made");
        let mut fifo = Fifo::open(&path, None).unwrap();
        let mut reader = File::open(&path).unwrap();
        fifo.write(b"RS\n").unwrap();
        let mut octets = [0; 16];
        let length = reader.read(&mut octets).unwrap();
        assert_eq!(&octets[..length], b"RS\n");
        fifo.remove();
        assert!(!path.exists());
    }

    #[test]
    fn one_that_was_there_stays() {
        let path = place("there");
        let first = Fifo::open(&path, None).unwrap();
        Fifo::open(&path, None).unwrap().remove();
        assert!(path.exists() && first.is_in_place());
        fs::remove_file(&path).unwrap();
        assert!(!first.is_in_place());
        let second = Fifo::open(&path, None).unwrap();
        assert!(!first.is_in_place() && second.is_in_place());
        second.remove();
    }

    #[test]
    fn a_full_pipe_does_not_wait() {
        let path = place("full");
        let mut fifo = Fifo::open(&path, None).unwrap();
        let error = (0..100).find_map(|_| fifo.write(&[b'x'; 4096]).err()).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        fifo.remove();
    }

    #[test]
    fn what_is_no_named_pipe_is_left_alone() {
        let path = place("file");
        fs::write(&path, "precious").unwrap();
        let refused = |path: &Path| Fifo::open(path, None).unwrap_err().to_string();
        assert!(refused(&path).ends_with("is no named pipe"));
        let link = place("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(refused(&link).ends_with("is no named pipe"));
        // the kernel refuses to have it opened like this: it was not opened
        assert_eq!(refused(Path::new("/dev/kmsg")), "/dev/kmsg is no named pipe");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&link).unwrap();
        fs::remove_file(&path).unwrap();
    }
}
