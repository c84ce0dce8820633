//! Files that are written on a signal.

use std::path::{Path, PathBuf};

use keepalived_config::dump_on;
use keepalived_config::model::{Config, Global};
use keepalived_state::Snapshot;

use crate::files;
use crate::host::Host;

/// Where a dump goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dump {
    File(File),
    /// The text of `keepalived.data` into the log (`--dump-conf`), after the configuration.
    Log,
    /// No file: the observer has been told everything.
    Observer,
}

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum File {
    /// `keepalived.data`
    Data,
    /// `keepalived_check.data`
    CheckerData,
    /// `keepalived_bfd.data`
    BfdData,
    /// `keepalived.stats`
    Statistics,
    /// `keepalived.json`
    Json,
}

impl File {
    /// Writes the file. A failure is logged, and has no other effect.
    pub(super) fn write(self, global: &Global, snapshot: &Snapshot) {
        let (path, text) = match self {
            Self::Data => {
                (place(global.state_dump_file.as_deref(), "keepalived.data"), keepalived_surface::data(snapshot))
            }
            Self::CheckerData => {
                let path = place(global.state_dump_file.as_deref(), "keepalived.data");
                (with_suffix(&path, "_check"), keepalived_surface::checker_data(snapshot))
            }
            Self::BfdData => {
                let path = place(global.state_dump_file.as_deref(), "keepalived.data");
                (with_suffix(&path, "_bfd"), keepalived_surface::bfd_data(snapshot))
            }
            Self::Statistics => {
                (place(global.stats_dump_file.as_deref(), "keepalived.stats"), keepalived_surface::statistics(snapshot))
            }
            Self::Json => {
                let text = keepalived_surface::json(snapshot, global.json_version);
                (place(global.json_dump_file.as_deref(), "keepalived.json"), text)
            }
        };
        match files::replace(&path, text.as_bytes()) {
            Ok(()) => tracing::info!("Wrote {}", path.display()),
            Err(error) => tracing::error!("cannot write {}: {error}", path.display()),
        }
    }
}

/// The configuration for the log (`--dump-conf`): at start, and after a reload that changes something.
pub(super) fn configuration(config: &Config) -> String {
    dump_on(config, &Host::look())
}

/// Where the file goes: a relative path is below the temporary directory, a path that ends with `/` is a directory.
fn place(configured: Option<&str>, default: &str) -> PathBuf {
    let directory = files::temporary_directory();
    match configured {
        None => directory.join(default),
        Some(path) if path.ends_with('/') => directory.join(path).join(default),
        Some(path) => directory.join(Path::new(path)),
    }
}

/// `path` with `suffix` before the last dot of its name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    /// What a dump of a daemon without instances writes to `path`.
    fn written(file: File, globals: &str, path: &Path) -> String {
        let global = from_text(&format!("global_defs {{\n{globals}\n}}\n")).global;
        file.write(&global, &Snapshot::default());
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn files_go_where_the_configuration_says() {
        let folder = std::env::temp_dir().join(format!("keepalived-dump-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let shown = folder.display();
        let data = written(File::Data, &format!("state_dump_file {shown}/state"), &folder.join("state"));
        assert!(data.contains("Router ID"), "{data}");
        written(File::Statistics, &format!("stats_dump_file {shown}/stats"), &folder.join("stats"));
        // a directory keeps the usual name
        let json = |globals: &str| {
            let globals = format!("json_dump_file {shown}/\n{globals}");
            let text = written(File::Json, &globals, &folder.join("keepalived.json"));
            text.trim_start().chars().next()
        };
        // keepalived: version 1 is a list of instances, version 2 an object with `vrrp`
        assert_eq!((json(""), json("json_version 2")), (Some('['), Some('{')));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(place(Some("mine"), "keepalived.data"), files::temporary_directory().join("mine"));
    }

    #[test]
    fn each_process_has_its_own_data_file() {
        let name = |path: &str| with_suffix(Path::new(path), "_check");
        assert_eq!(name("/tmp/keepalived.data"), Path::new("/tmp/keepalived_check.data"));
        assert_eq!(name("/x/state"), Path::new("/x/state_check"));
    }
}
