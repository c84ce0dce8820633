//! Files that others write: who wants to know of changes watches their directories, so that a file may come and go.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// What happens to some files. Its descriptor is readable when something has.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
    directories: HashMap<i32, PathBuf>,
    files: BTreeSet<PathBuf>,
    /// Of these, those that cannot be watched.
    unwatched: BTreeSet<PathBuf>,
}

/// Events that are dealt with in one call, and those that the kernel gave with the last of them: who writes in a directory without a
/// pause must not keep us here.
const MOST_EVENTS: usize = 256;

/// One set for all directories: a second one for the same directory would replace the first.
const FLAGS: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::ONLYDIR);

impl Watch {
    /// One that watches nothing yet.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { inotify, directories: HashMap::new(), files: BTreeSet::new(), unwatched: BTreeSet::new() })
    }

    /// Watches `file`. It need not be there, and neither need its directories.
    ///
    /// # Errors
    /// Its directory is there and cannot be watched: [`Watch::retry`] tries again.
    pub fn add(&mut self, file: &Path) -> io::Result<()> {
        self.files.insert(file.to_owned());
        self.watch(file)
    }

    /// Whether changes of all files are told.
    pub fn is_complete(&self) -> bool {
        self.unwatched.is_empty()
    }

    /// Tries again to watch those that could not be watched: the limits of inotify are shared with other programs.
    pub fn retry(&mut self) {
        for file in std::mem::take(&mut self.unwatched) {
            // noted again if it still cannot be
            self.watch(&file).ok();
        }
    }

    fn watch(&mut self, file: &Path) -> io::Result<()> {
        let watched = self.watch_nearest(file);
        if watched.is_err() {
            self.unwatched.insert(file.to_owned());
        } else {
            self.unwatched.remove(file);
        }
        watched
    }

    /// Watches the directory of `file`, or the nearest one above it that is there.
    fn watch_nearest(&mut self, file: &Path) -> io::Result<()> {
        // a directory may be made while the one above it is not watched yet
        let mut nearest = None;
        loop {
            let above = file.ancestors().skip(1).find_map(|directory| match self.watch_directory(directory) {
                Err(Errno::NOENT | Errno::NOTDIR) => None,
                watched => Some(watched.map(|()| directory)),
            });
            match above.transpose()? {
                above if above == nearest => return Ok(()),
                above => nearest = above,
            }
        }
    }

    fn watch_directory(&mut self, directory: &Path) -> Result<(), Errno> {
        let number = inotify::add_watch(&self.inotify, directory, FLAGS)?;
        self.directories.insert(number, directory.to_owned());
        Ok(())
    }

    /// The files that were written, moved or deleted since this was last asked, or some of them while the descriptor stays readable;
    /// `None` if too much has happened to say.
    ///
    /// # Errors
    /// A broken descriptor.
    pub fn changed(&mut self) -> io::Result<Option<Vec<PathBuf>>> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut files = Vec::new();
        let mut directories_changed = false;
        let mut moved = Vec::new();
        let mut events = 0;
        let all = loop {
            // what is in the buffer would be lost
            if events >= MOST_EVENTS && reader.is_buffer_empty() {
                break true;
            }
            events += 1;
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => break false,
                Ok(event) => {
                    let of = event.events();
                    if of.contains(ReadFlags::IGNORED) {
                        self.directories.remove(&event.wd());
                    }
                    if of.contains(ReadFlags::MOVE_SELF) {
                        moved.push(event.wd());
                    }
                    let gone = ReadFlags::IGNORED | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::ISDIR;
                    directories_changed |= of.intersects(gone);
                    let Some(directory) = self.directories.get(&event.wd()) else { continue };
                    // a file that was just made has nothing in it yet
                    if let Some(name) = event.file_name().filter(|_| !of.contains(ReadFlags::CREATE)) {
                        files.push(directory.join(OsString::from_vec(name.to_bytes().to_vec())));
                    }
                }
                Err(Errno::AGAIN) => break true,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        if directories_changed || !all {
            for number in moved {
                self.directories.remove(&number);
                inotify::remove_watch(&self.inotify, number).ok();
            }
            files.extend(self.follow());
        }
        Ok(all.then_some(files))
    }

    /// Directories came, went or have another name. Returns the files that may be others now.
    fn follow(&mut self) -> Vec<PathBuf> {
        let files = self.files.clone();
        for file in &files {
            // one that cannot be watched any more is noted
            self.watch(file).ok();
        }
        files.into_iter().collect()
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
    }

    #[test]
    fn a_directory_that_changes_without_a_pause_is_read_in_pieces() {
        let folder = std::env::temp_dir().join(format!("keepalived-watch-busy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("value");
        let mut watch = Watch::new().unwrap();
        watch.add(&file).unwrap();
        let others = 4 * MOST_EVENTS;
        for number in 0..others {
            std::fs::write(folder.join(number.to_string()), "1").unwrap();
        }
        std::fs::write(&file, "1").unwrap();
        let (mut calls, mut seen) = (0, Vec::new());
        while !seen.contains(&file) {
            seen.extend(watch.changed().unwrap().unwrap());
            calls += 1;
        }
        assert!(calls > 1, "in one call");
        assert_eq!(seen.len(), others + 1, "nothing is lost in between");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_cannot_be_watched_is_tried_again() {
        let folder = std::env::temp_dir().join(format!("keepalived-watch-loop-{}", std::process::id()));
        let file = folder.join("value");
        // a link to itself: neither there nor missing
        std::os::unix::fs::symlink(&folder, &folder).unwrap();
        let mut watch = Watch::new().unwrap();
        assert!(watch.add(&file).is_err() && !watch.is_complete());
        watch.retry();
        assert!(!watch.is_complete());
        std::fs::remove_file(&folder).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        watch.retry();
        assert!(watch.is_complete());
        std::fs::write(&file, "1").unwrap();
        assert!(watch.changed().unwrap().unwrap().contains(&file));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn folders_that_come_later_are_watched() {
        let folder = std::env::temp_dir().join(format!("keepalived-watch-later-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a/b/value");
        let mut watch = Watch::new().unwrap();
        watch.add(&file).unwrap();
        let has = |watch: &mut Watch| watch.changed().unwrap().unwrap().contains(&file);
        for _ in 0..2 {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            has(&mut watch);
            std::fs::write(&file, "1").unwrap();
            assert!(has(&mut watch), "written");
            std::fs::rename(folder.join("a"), folder.join("c")).unwrap();
            assert!(has(&mut watch), "gone with its folder");
            std::fs::rename(folder.join("c"), folder.join("a")).unwrap();
            assert!(has(&mut watch), "back with its folder");
            std::fs::write(&file, "2").unwrap();
            assert!(has(&mut watch), "written again");
            std::fs::remove_dir_all(folder.join("a")).unwrap();
            assert!(has(&mut watch), "deleted with its folder");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
