//! The file system as the configuration sees it, and the places that we write to.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use keepalived_config::source::{Source, SourceError};
use keepalived_kernel::files::{Existing, create_regular, open_regular};

/// Largest configuration file that is read.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Where pid files are.
pub const RUN_DIRECTORY: &str = "/run";

/// Configuration files on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSource;

impl Source for FileSource {
    fn read(&self, path: &Path) -> Result<Vec<u8>, SourceError> {
        let file = open_regular(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        if metadata.permissions().mode() & 0o111 != 0 {
            return Err(SourceError::Executable);
        }
        let mut text = Vec::with_capacity(usize::try_from(metadata.len().min(LARGEST)).unwrap_or(0));
        file.take(LARGEST + 1).read_to_end(&mut text).map_err(refused)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > LARGEST {
            return Err(SourceError::TooLarge);
        }
        Ok(text)
    }

    fn glob(&self, pattern: &str, base: &Path) -> Vec<PathBuf> {
        let pattern = base.join(pattern);
        let found = glob::glob(&pattern.to_string_lossy());
        // sorted by the crate, as by glob(3)
        found.map(|paths| paths.filter_map(Result::ok).collect()).unwrap_or_default()
    }

    fn directory(&self, path: &Path) -> PathBuf {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // it exists: the file has been read
        fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned())
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes)
    }
}

fn refused(error: io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::NotFound,
        io::ErrorKind::PermissionDenied => SourceError::Denied,
        io::ErrorKind::IsADirectory => SourceError::Directory,
        io::ErrorKind::InvalidInput => SourceError::NotRegular,
        _ => SourceError::Other(error.to_string()),
    }
}

/// Where dumps go: `TMPDIR` if it is an absolute directory, else `/tmp`.
pub fn temporary_directory() -> PathBuf {
    std::env::var_os("TMPDIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && path.is_dir())
        .unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// A temporary name in the directory of `path`, for the file that will replace it.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

/// Reads a file of at most `at_most` octets, or says what is in its place.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    keepalived_kernel::files::read_regular(path, at_most)
}

/// Puts `text` into the file `path` in one step; it keeps its permissions and its owner, and a link stays a link.
///
/// # Errors
/// The file or its directory cannot be written to.
pub fn rewrite(path: &Path, text: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let metadata = fs::metadata(&path)?;
    let temporary = beside(&path);
    let written = (|| {
        let mut file = create_regular(&temporary, Existing::Refuse, 0o600)?;
        file.write_all(text)?;
        std::os::unix::fs::fchown(&file, Some(metadata.uid()), Some(metadata.gid()))?;
        file.set_permissions(metadata.permissions())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    if written.is_err() {
        fs::remove_file(&temporary).ok();
    }
    written
}

/// Puts `text` into `path` in one step, readable by its owner alone. A link, or a file of another user, at that name is
/// replaced, not followed.
///
/// # Errors
/// The directory cannot be written to.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let temporary = beside(path);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = create_regular(&temporary, Existing::Refuse, 0o600)
        .and_then(|mut file| file.write_all(text))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        fs::remove_file(&temporary).ok();
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("keepalived-replace-{}", std::process::id()));
        // a directory has the name of the file
        fs::create_dir_all(folder.join("keepalived.data")).unwrap();
        assert!(replace(&folder.join("keepalived.data"), b"text").is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
