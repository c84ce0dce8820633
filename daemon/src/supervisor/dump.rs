//! Files that are written on a signal.

use std::path::{Path, PathBuf};

use keepalived_config::model::Global;
use keepalived_state::Snapshot;

use crate::files;

/// What is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dump {
    /// `keepalived.data`
    Data,
    /// `keepalived.stats`
    Statistics,
    /// `keepalived.json`
    Json,
    /// The text of `keepalived.data` into the log (`--dump-conf`).
    Log,
}

impl Dump {
    /// Writes it. A file that cannot be written is an error in the log, and nothing else.
    pub(super) fn write(self, global: &Global, snapshot: &Snapshot) {
        let (configured, default, text) = match self {
            Self::Data => (&global.state_dump_file, "keepalived.data", keepalived_surface::data(snapshot)),
            Self::Statistics => (&global.stats_dump_file, "keepalived.stats", keepalived_surface::statistics(snapshot)),
            Self::Json => {
                (&global.json_dump_file, "keepalived.json", keepalived_surface::json(snapshot, global.json_version))
            }
            Self::Log => {
                for line in keepalived_surface::data(snapshot).lines() {
                    tracing::info!("{line}");
                }
                return;
            }
        };
        let path = place(configured.as_deref(), default);
        match files::replace(&path, text.as_bytes()) {
            Ok(()) => tracing::info!("Wrote {}", path.display()),
            Err(error) => tracing::error!("cannot write {}: {error}", path.display()),
        }
    }
}

/// Without a leading `/` in the temporary directory; with a trailing one, a directory.
fn place(configured: Option<&str>, default: &str) -> PathBuf {
    let directory = files::temporary_directory();
    match configured {
        None => directory.join(default),
        Some(path) if path.ends_with('/') => directory.join(path).join(default),
        Some(path) => directory.join(Path::new(path)),
    }
}
