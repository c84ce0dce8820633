//! `init_file`: track files are written at the start of the daemon, before a process reads them. A reload writes none.

use std::fs;
use std::io;
use std::path::Path;

use keepalived_config::model::{InitialFile, TrackFile};

use crate::files;

/// Writes those of `files` that say so.
pub(super) fn write(files: &[TrackFile]) {
    for file in files {
        let Some(initial) = file.initial else { continue };
        if let Err(error) = write_one(Path::new(&file.path), initial) {
            tracing::error!("track_file {}: init_file cannot write {}: {error}", file.name, file.path);
        }
    }
}

/// As with keepalived the file is replaced in one step: it belongs to the daemon's user then, who alone may write it.
fn write_one(path: &Path, initial: InitialFile) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(_) if !initial.overwrite => Ok(()),
        Ok(found) if !found.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
        Ok(_) | Err(_) => files::replace(path, format!("{}\n", initial.value).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(path: &Path, line: &str) -> Vec<TrackFile> {
        let text = format!("track_file f {{\n file {}\n {line}\n}}\n", path.display());
        crate::configuration::from_text(&text).files
    }

    /// `track_file_end_handler` of keepalived 2.4.3
    #[test]
    fn a_file_that_is_not_there_is_made_and_another_one_if_that_is_said() {
        let folder = std::env::temp_dir().join(format!("keepalived-initial-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("number");
        let read = || fs::read_to_string(&path).unwrap();
        write(&configured(&path, "weight 1"));
        assert!(!path.exists());
        write(&configured(&path, "init_file"));
        assert_eq!(read(), "0\n");
        write(&configured(&path, "init_file -7"));
        assert_eq!(read(), "0\n");
        write(&configured(&path, "init_file -7 overwrite"));
        assert_eq!(read(), "-7\n");
        fs::remove_file(&path).unwrap();
        write(&configured(&path, "init_file 12"));
        assert_eq!(read(), "12\n");
        // what is no regular file stays
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        write(&configured(&path, "init_file 12 overwrite"));
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
