//! Files that tell others about a reload: `reload_file`, which is there while the configuration is being read, and the log of
//! `reload_check_config`.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use keepalived_config::model::{Global, ReloadFile};
use keepalived_kernel::files::{Existing, create_regular};

use super::Supervisor;
use super::pid_files::PidFiles;
use crate::configuration::Verdict;

/// Where `reload_file` is.
fn path(global: &Global, pid_files: &PidFiles) -> Option<PathBuf> {
    match &global.reload.file {
        ReloadFile::None => None,
        ReloadFile::Usual => Some(pid_files.reload_file(global)),
        ReloadFile::Path(path) => Some(PathBuf::from(path)),
    }
}

/// An empty file at `path`.
fn anew(path: &Path) -> io::Result<File> {
    let file = create_regular(path, Existing::Keep, 0o644)?;
    file.set_len(0)?;
    Ok(file)
}

impl Supervisor {
    /// The configuration is read from now on: who writes it waits until the file is gone.
    pub(super) fn announce_reading(&self) {
        let Some(path) = path(&self.config.global, &self.pid_files) else { return };
        if let Err(error) = anew(&path) {
            tracing::warn!("reload_file {}: {error}", path.display());
        }
    }

    /// The configuration has been read.
    pub(super) fn end_reading(&self) {
        let Some(path) = path(&self.config.global, &self.pid_files) else { return };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("reload_file {}: {error}", path.display());
            }
            _ => {}
        }
    }

    /// Writes what there is to say of a configuration where `reload_check_config` wants it.
    pub(super) fn log_check(&self, verdict: &Verdict) {
        let Some(path) = &self.config.global.reload.check_log else { return };
        let text = match verdict {
            Verdict::Unusable { text, .. } => text.clone(),
            Verdict::Usable(checked) => checked.findings.iter().map(|(_, text)| text.clone() + "\n").collect(),
        };
        let written = anew(Path::new(path));
        if let Err(error) = written.and_then(|mut file| file.write_all(text.as_bytes())) {
            tracing::warn!("reload_check_config {path}: {error}");
        }
    }
}
