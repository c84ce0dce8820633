//! Files that others write: who wants to know of changes watches their directories, so that a file may come and go.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

/// What happens to files in some directories. Its descriptor is readable when something has.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
    directories: HashMap<i32, PathBuf>,
}

impl Watch {
    /// One that watches nothing yet.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { inotify, directories: HashMap::new() })
    }

    /// Watches the directory of `file`.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn add(&mut self, file: &Path) -> io::Result<()> {
        let directory = file.parent().unwrap_or(Path::new("/"));
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        let number = inotify::add_watch(&self.inotify, directory, flags)?;
        self.directories.insert(number, directory.to_owned());
        Ok(())
    }

    /// The files that were written, moved or deleted since this was last asked; `None` if too much has happened to say.
    ///
    /// # Errors
    /// A broken descriptor.
    pub fn changed(&mut self) -> io::Result<Option<Vec<PathBuf>>> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut files = Vec::new();
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW) => return Ok(None),
                Ok(event) => {
                    let Some(directory) = self.directories.get(&event.wd()) else { continue };
                    if let Some(name) = event.file_name() {
                        files.push(directory.join(OsString::from_vec(name.to_bytes().to_vec())));
                    }
                }
                Err(Errno::AGAIN) => return Ok(Some(files)),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_come_change_and_go_are_told() {
        let folder = std::env::temp_dir().join(format!("keepalived-watch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, other) = (folder.join("value"), folder.join("other"));
        let mut watch = Watch::new().unwrap();
        watch.add(&file).unwrap();
        assert_eq!(watch.changed().unwrap(), Some(Vec::new()));
        std::fs::write(&file, "1").unwrap();
        assert_eq!(watch.changed().unwrap(), Some(vec![file.clone()]));
        std::fs::rename(&file, &other).unwrap();
        assert_eq!(watch.changed().unwrap(), Some(vec![file.clone(), other.clone()]));
        std::fs::remove_file(&other).unwrap();
        assert_eq!(watch.changed().unwrap(), Some(vec![other]));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(watch.add(Path::new("/nonexistent/value")).is_err());
    }
}
