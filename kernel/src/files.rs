//! Files: opened so that nothing else in their place can make us wait, and written so that no link leads us elsewhere.
//!
//! All other code opens files through this module: clippy refuses the ways of the standard library (`clippy.toml`).

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Every open here: a named pipe or a device does not make us wait, a terminal does not become ours, programs do not
/// inherit it.
const NEVER_WAITS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;

/// What [`create_regular`] does with a file that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// Writes go to its end.
    Append,
    /// It is opened as it is, for reading, too: the lock decides which process has it.
    Keep,
    /// That is an error.
    Refuse,
}

/// Opens a regular file for reading. A link is followed: where configuration lies is the administrator's business.
///
/// Never waits, and never opens what is no regular file, unless that takes its place in the moment between.
///
/// # Errors
/// It cannot be opened, or it is a directory (`IsADirectory`) or no regular file (`InvalidInput`).
pub fn open_regular(path: &Path) -> io::Result<File> {
    // to open some devices is to act on them
    judge(path, &fs::metadata(path)?)?;
    #[expect(clippy::disallowed_methods, reason = "this is the one way to open a file for reading")]
    let file = OpenOptions::new().read(true).custom_flags(NEVER_WAITS).open(path)?;
    judge(path, &file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `at_most` octets.
///
/// # Errors
/// As [`open_regular`]; `FileTooLarge` if there is more.
pub fn read_regular(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    all_of(&open_regular(path)?, path, at_most)
}

fn all_of(file: &File, path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    file.take(at_most.saturating_add(1)).read_to_end(&mut octets)?;
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > at_most {
        let what = format!("{} has more than {at_most} octets", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(octets)
}

/// Reads a regular file that holds a secret: other users than its owner and its group may neither read nor write it.
///
/// # Errors
/// As [`read_text`]; `PermissionDenied` if others may.
pub fn read_private(path: &Path, at_most: u64) -> io::Result<String> {
    let file = open_regular(path)?;
    if file.metadata()?.mode() & 0o006 != 0 {
        let what = format!("other users may read or write {}: chmod o= it", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    text(all_of(&file, path, at_most)?)
}

/// The same for text.
///
/// # Errors
/// As [`read_regular`]; `InvalidData` if it is not UTF-8.
pub fn read_text(path: &Path, at_most: u64) -> io::Result<String> {
    text(read_regular(path, at_most)?)
}

fn text(octets: Vec<u8>) -> io::Result<String> {
    String::from_utf8(octets).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Opens a regular file for writing, and makes it with `mode` if there is none. A link is not followed.
///
/// In a folder that every user can write, a file of another user or with a second name is refused: its owner put it
/// there to read, or to have written, what is not theirs.
///
/// # Errors
/// It cannot be opened, or something else is in its place.
pub fn create_regular(path: &Path, existing: Existing, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.mode(mode).custom_flags(NEVER_WAITS | libc::O_NOFOLLOW);
    match existing {
        Existing::Append => options.append(true).create(true),
        Existing::Keep => options.read(true).write(true).create(true).truncate(false),
        Existing::Refuse => options.write(true).create_new(true),
    };
    if existing != Existing::Refuse
        && let Ok(found) = path.symlink_metadata()
    {
        judge(path, &found)?;
        judge_owner(path, &found)?;
    }
    #[expect(clippy::disallowed_methods, reason = "this is the one way to open a file for writing")]
    let file = options.open(path)?;
    let found = file.metadata()?;
    judge(path, &found)?;
    judge_owner(path, &found)?;
    Ok(file)
}

/// Writes `text` into a file that the kernel has made (`/proc/sys`, `/sys`).
///
/// # Errors
/// It is not there, or the kernel refuses.
pub fn write_setting(path: &Path, text: &str) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "this is the one way to change a setting of the kernel")]
    let mut file = OpenOptions::new().write(true).custom_flags(NEVER_WAITS).open(path)?;
    judge(path, &file.metadata()?)?;
    file.write_all(text.as_bytes())
}

/// `/dev/null`, for reading and writing.
///
/// # Errors
/// There is none, or what is there is no device.
pub fn nowhere() -> io::Result<File> {
    #[expect(clippy::disallowed_methods, reason = "a device, looked at below")]
    let file = OpenOptions::new().read(true).write(true).custom_flags(NEVER_WAITS).open("/dev/null")?;
    if file.metadata()?.file_type().is_char_device() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "/dev/null is no device"))
    }
}

fn judge(path: &Path, found: &Metadata) -> io::Result<()> {
    let refused = |kind, what: &str| Err(io::Error::new(kind, format!("{} is {what}", path.display())));
    let kind = found.file_type();
    if kind.is_file() {
        Ok(())
    } else if kind.is_dir() {
        refused(io::ErrorKind::IsADirectory, "a directory")
    } else if kind.is_symlink() {
        refused(io::ErrorKind::InvalidInput, "a symbolic link, which is not followed for writing")
    } else if kind.is_fifo() {
        refused(io::ErrorKind::InvalidInput, "a named pipe")
    } else {
        refused(io::ErrorKind::InvalidInput, "no regular file")
    }
}

fn judge_owner(path: &Path, found: &Metadata) -> io::Result<()> {
    const OTHERS_WRITE: u32 = 0o002;
    let us = rustix::process::geteuid().as_raw();
    if found.uid() == us && found.nlink() <= 1 {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.metadata()?.mode() & OTHERS_WRITE == 0 {
        return Ok(());
    }
    let why = if found.uid() == us { "has a second name".into() } else { format!("belongs to user {}", found.uid()) };
    let what = format!("{} {why}, in a folder that everybody can write: remove it", path.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

#[cfg(test)]
mod tests;
