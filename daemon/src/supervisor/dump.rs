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
        put(path, &self.text(config, snapshot, host));
    }

    /// What the file says.
    pub(super) fn text(self, config: &Config, snapshot: &Snapshot, host: &Host) -> String {
        match self {
            Self::Data => keepalived_surface::data(config, snapshot, host),
            Self::CheckerData => keepalived_surface::checker_data(config, snapshot, host),
            Self::BfdData => keepalived_surface::bfd_data(config, snapshot, host),
            Self::ParentData => keepalived_config::dump::parent_data(config, host),
            Self::Statistics => keepalived_surface::statistics(snapshot),
            Self::Json => keepalived_surface::json(config, snapshot, host, config.global.json_version),
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

/// Writes `text` at `path`. A failure is logged, and has no other effect.
pub(super) fn put(path: &Path, text: &str) {
    match files::replace(path, text.as_bytes()) {
        Ok(()) => tracing::info!("Wrote {}", path.display()),
        Err(error) => tracing::error!("cannot write {}: {error}", path.display()),
    }
}

/// Writes a file.
type Job = Box<dyn FnOnce() + Send>;

/// So many files wait for the one before them. A reload has seven for `config_save_dir`.
const MOST_JOBS: usize = 16;

/// Writes files on a thread of its own, one after the other: who asks the kernel for links waits for whoever changes one, and a file
/// system may hang.
#[derive(Debug, Default)]
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
}

impl Writer {
    /// Has the file at `path` written by `job`, and does not wait.
    pub(super) fn write(&mut self, path: &Path, job: impl FnOnce() + Send + 'static) {
        match self.give(Box::new(job)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::error!("cannot write {}: {MOST_JOBS} files before it still wait", path.display());
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
        let run = move || jobs.into_iter().for_each(|job| job());
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::configuration::from_text;

    #[test]
    fn a_file_that_takes_for_ever_delays_nobody() {
        let mut writer = Writer::default();
        let (begun, begins) = sync_channel(1);
        let (release, released) = sync_channel::<()>(0);
        writer.write(Path::new("hangs"), move || {
            begun.send(()).unwrap();
            released.recv().ok();
        });
        begins.recv().unwrap();
        let written = Arc::new(AtomicUsize::new(0));
        // what there is no room for is not written, and is not waited for either
        for _ in 0..2 * MOST_JOBS {
            let written = Arc::clone(&written);
            writer.write(Path::new("waits"), move || {
                written.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(written.load(Ordering::Relaxed), 0);
        drop(release);
        let (all, have_come) = sync_channel(1);
        while Arc::strong_count(&written) > 1 {
            thread::yield_now();
        }
        writer.write(Path::new("last"), move || all.send(()).unwrap());
        have_come.recv().unwrap();
        assert_eq!(written.load(Ordering::Relaxed), MOST_JOBS);
    }

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
