//! Files that are written on a signal.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

use keepalived_config::dump_on;
use keepalived_config::model::{Config, Global};
use keepalived_state::Snapshot;

use crate::files;
use crate::host::Host;

/// Where a dump goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dump {
    File(File),
    /// What `config_save_dir` keeps of how things are after a reload.
    After(File),
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
    /// `keepalived_parent.data`
    ParentData,
    /// `keepalived.stats`
    Statistics,
    /// `keepalived.json`
    Json,
}

impl File {
    /// Whether it shows the links of this machine. Who asks the kernel for these may have to wait.
    pub(super) const fn shows_links(self) -> bool {
        matches!(self, Self::Data)
    }

    /// Writes the file at `path`. A failure is logged, and has no other effect.
    pub(super) fn write(self, path: &Path, config: &Config, snapshot: &Snapshot, host: &Host) {
        let global = &config.global;
        let text = match self {
            Self::Data => keepalived_surface::data(config, snapshot, host),
            Self::CheckerData => keepalived_surface::checker_data(config, snapshot, host),
            Self::BfdData => keepalived_surface::bfd_data(config, snapshot, host),
            Self::ParentData => keepalived_config::dump::parent_data(config, host),
            Self::Statistics => keepalived_surface::statistics(snapshot),
            Self::Json => keepalived_surface::json(config, snapshot, host, global.json_version),
        };
        match files::replace(path, text.as_bytes()) {
            Ok(()) => tracing::info!("Wrote {}", path.display()),
            Err(error) => tracing::error!("cannot write {}: {error}", path.display()),
        }
    }

    /// Where it is written on a signal.
    pub(super) fn path(self, global: &Global) -> PathBuf {
        let data = |suffix: &str| {
            let path = place(global.state_dump_file.as_deref(), "keepalived.data");
            with_suffix(&path, &format!("{suffix}{}", of_instance(global)))
        };
        match self {
            Self::Data => data(""),
            Self::CheckerData => data("_check"),
            Self::BfdData => data("_bfd"),
            Self::ParentData => data("_parent"),
            Self::Statistics => place(global.stats_dump_file.as_deref(), "keepalived.stats"),
            Self::Json => place(global.json_dump_file.as_deref(), "keepalived.json"),
        }
    }
}

/// The configuration for the log (`--dump-conf`): at start, and after a reload that changes something.
pub(super) fn configuration(config: &Config) -> String {
    dump_on(config, &Host::look())
}

/// What a thread needs to write a file that shows links.
type Job = (File, PathBuf, Box<Config>, Box<Snapshot>);

/// So many files wait for the kernel to answer.
const MOST_JOBS: usize = 8;

/// Writes files that need the kernel's answer, on a thread of their own: whoever changes a link makes all others wait.
#[derive(Debug, Default)]
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
}

impl Writer {
    /// Has `file` written: of a configuration with the instances of routers, and of how these are.
    pub(super) fn write(&mut self, file: File, path: PathBuf, config: Config, vrrp: keepalived_state::VrrpView) {
        let job = (file, path.clone(), Box::new(config), Box::new(Snapshot { vrrp, ..Snapshot::default() }));
        match self.give(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::error!("cannot write {}: the kernel has not answered since {MOST_JOBS} dumps", path.display());
            }
            Err(TrySendError::Disconnected(_)) => tracing::error!("cannot write {}", path.display()),
        }
    }

    /// Gives a job to the thread, or to another one if that has died.
    fn give(&mut self, job: Job) -> Result<(), TrySendError<Job>> {
        let job = match &self.jobs {
            Some(jobs) => match jobs.try_send(job) {
                Err(TrySendError::Disconnected(job)) => job,
                given => return given,
            },
            None => job,
        };
        let (sender, jobs) = sync_channel::<Job>(MOST_JOBS);
        let run = move || {
            for (file, path, config, snapshot) in jobs {
                file.write(&path, &config, &snapshot, &Host::look());
            }
        };
        if let Err(error) = thread::Builder::new().name("dump".into()).spawn(run) {
            tracing::error!("no thread for dumps: {error}");
        }
        self.jobs.insert(sender).try_send(job)
    }
}

/// Where the file goes, as with keepalived: a path that begins with `/` says the directory, else that is the temporary one; a path
/// that ends with `/` says no name.
fn place(configured: Option<&str>, default: &str) -> PathBuf {
    let Some(path) = configured else { return files::temporary_directory().join(default) };
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = if name.is_empty() { default } else { name };
    match path.strip_prefix('/') {
        Some(_) => Path::new("/").join(directory).join(name),
        None => files::temporary_directory().join(name),
    }
}

/// `data_use_instance`: what the names of data files say of the daemon.
fn of_instance(global: &Global) -> String {
    let names: Vec<&str> =
        [&global.net_namespace, &global.instance].into_iter().flatten().map(String::as_str).collect();
    if global.data_use_instance && !names.is_empty() { format!(".{}", names.join("_")) } else { String::new() }
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
        let config = from_text(&format!("global_defs {{\nrouter_id here\n{globals}\n}}\n"));
        file.write(&file.path(&config.global), &config, &Snapshot::default(), &Host::look());
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
    }

    fn path(file: File, globals: &str) -> PathBuf {
        file.path(&from_text(&format!("{globals}\n")).global)
    }

    /// As keepalived 2.4.3 names them (its `open_dump_file`).
    #[test]
    fn each_process_has_its_own_data_file() {
        let name = |file, said: &str| {
            let path = path(file, &format!("global_defs {{\nstate_dump_file {said}\n}}"));
            path.display().to_string()
        };
        assert_eq!(name(File::CheckerData, "/tmp/keepalived.data"), "/tmp/keepalived_check.data");
        assert_eq!(name(File::ParentData, "/x/state"), "/x/state_parent");
        assert_eq!(name(File::BfdData, "/x/"), "/x/keepalived_bfd.data");
        let temporary = |name: &str| files::temporary_directory().join(name).display().to_string();
        assert_eq!(name(File::Data, "mine"), temporary("mine"));
        // without a / at its beginning a path has no directories
        assert_eq!(name(File::Data, "some/where/mine.txt"), temporary("mine.txt"));
        assert_eq!(path(File::Data, ""), files::temporary_directory().join("keepalived.data"));
    }

    /// As keepalived 2.4.3 names them: the namespace, then the instance; statistics and JSON have no such part.
    #[test]
    fn data_files_bear_the_names_of_namespace_and_instance_if_they_are_told_to() {
        let of = |globals: &str| {
            let names = [File::Data, File::CheckerData, File::Statistics].map(|file| path(file, globals));
            names.map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        };
        let usual = ["keepalived.data", "keepalived_check.data", "keepalived.stats"];
        assert_eq!(of("instance web\nnet_namespace blue"), usual);
        let on = "global_defs {\ndata_use_instance\n}";
        assert_eq!(of(on), usual);
        let both = ["keepalived.blue_web.data", "keepalived_check.blue_web.data", "keepalived.stats"];
        assert_eq!(of(&format!("instance web\nnet_namespace blue\n{on}")), both);
        let one = ["keepalived.web.data", "keepalived_check.web.data", "keepalived.stats"];
        assert_eq!(of(&format!("instance web\n{on}")), one);
    }
}
