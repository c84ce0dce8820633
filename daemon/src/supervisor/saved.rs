//! `config_save_dir`: a copy of each configuration that was read, and how things are before and after each reload. A thread writes all that:
//! the file system may hang.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use keepalived_kernel::files::{Existing, create_regular};
use keepalived_kernel::pipe::Sealed;

use super::Supervisor;
use super::dump::{Dump, File, put};
use crate::host::Host;
use crate::message::AfterTelling;
use crate::role::Role;

/// Another daemon with our number, as each has in a container, may take a name before us. So often we try the next one.
const ATTEMPTS: usize = 10;

/// What has been kept so far.
#[derive(Debug, Default)]
pub(super) struct Saved {
    copies: u64,
    reloads: u32,
    /// How things are after the reload has still to be kept.
    owes_after: bool,
}

/// The processes that have data of their own, as keepalived calls them in the names of files.
const PROCESSES: [(Role, &str, File); 3] =
    [(Role::Vrrp, "vrrp", File::Data), (Role::Checker, "check", File::CheckerData), (Role::Bfd, "bfd", File::BfdData)];

impl Supervisor {
    /// Keeps a copy of the configuration that was just read, in `directory`.
    pub(super) fn save_text(&mut self, directory: Option<&str>, text: Option<&OwnedFd>) {
        let (Some(directory), Some(text)) = (directory, text) else { return };
        let directory = PathBuf::from(directory);
        let number = self.saved.copies;
        self.saved.copies = number.saturating_add(1);
        match text.as_fd().try_clone_to_owned() {
            Ok(text) => self.keeper.write(&directory.clone(), move || {
                if let Err(error) = keep(&directory, number, &text) {
                    tracing::warn!("config_save_dir {}: no copy of the configuration: {error}", directory.display());
                }
            }),
            Err(error) => tracing::warn!("config_save_dir: no copy of the configuration: {error}"),
        }
    }

    /// Keeps how things are before a reload takes effect.
    pub(super) fn save_state_before(&mut self) {
        self.saved.reloads = self.saved.reloads.wrapping_add(1);
        self.saved.owes_after = true;
        for (role, _, file) in PROCESSES {
            self.save_state(role, file, "pre");
        }
    }

    /// Keeps how things are once it has taken effect, as soon as the processes have told that.
    pub(super) fn save_state_after(&mut self) {
        if std::mem::take(&mut self.saved.owes_after) && self.config.global.reload.save_directory.is_some() {
            for (role, _, file) in PROCESSES {
                self.ask(role, Dump::After(file), AfterTelling::KeepCounters);
            }
        }
    }

    /// Keeps how things are in a process, if it runs.
    pub(super) fn save_state(&mut self, role: Role, file: File, when: &str) {
        let Some(directory) = self.config.global.reload.save_directory.clone() else { return };
        let name = PROCESSES.into_iter().find(|(of, ..)| *of == role).map(|(_, name, _)| name);
        let (Some(name), Some(pid)) = (name, self.worker(role).map(|worker| worker.pid())) else { return };
        let path = Path::new(&directory).join(format!("keepalived_{name}.{pid}.{}.{when}", self.saved.reloads));
        if file.shows_links() {
            let (config, snapshot) = self.routers();
            self.keeper.write(&path.clone(), move || file.write(&path, &config, &snapshot, &Host::look()));
        } else {
            let text = file.text(&self.config, self.views.snapshot(), &Host::without_links());
            self.keeper.write(&path.clone(), move || put(&path, &text));
        }
    }
}

/// Keeps `text` in `directory` as copy `number`, or with the number behind the highest that an earlier daemon with our number has left.
fn keep(directory: &Path, number: u64, text: &OwnedFd) -> io::Result<()> {
    make_folder(directory)?;
    let stem = format!("keepalived.conf.{}.", std::process::id());
    let mut kept = Err(io::ErrorKind::AlreadyExists.into());
    for _ in 0..ATTEMPTS {
        let number = highest(directory, &stem)?.map_or(number, |highest| number.max(highest.saturating_add(1)));
        kept = copy(&directory.join(format!("{stem}{number}")), text);
        if !matches!(&kept, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
    }
    kept
}

/// Makes `directory` if it is missing, for its owner alone.
fn make_folder(directory: &Path) -> io::Result<()> {
    match fs::metadata(directory) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().mode(0o700).create(directory)?;
            // our umask is for files: it takes the right to enter the folder
            fs::set_permissions(directory, Permissions::from_mode(0o700))
        }
        Err(error) => Err(error),
    }
}

/// The highest number behind `stem` in the names of `directory`.
fn highest(directory: &Path, stem: &str) -> io::Result<Option<u64>> {
    let mut highest = None;
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(stem)?.parse::<u64>().ok());
        highest = highest.max(number);
    }
    Ok(highest)
}

/// Writes `text` into a new file. If that fails, there is none.
fn copy(path: &Path, text: &OwnedFd) -> io::Result<()> {
    let mut file = create_regular(path, Existing::Refuse, 0o600)?;
    let written = text.as_fd().try_clone_to_owned().and_then(|text| Sealed::open(text, usize::MAX));
    let written = written.and_then(|mut text| io::copy(&mut text, &mut file));
    if written.is_err() {
        fs::remove_file(path).ok();
    }
    written.map(drop)
}

#[cfg(test)]
mod tests {
    use keepalived_kernel::files::read_text;
    use keepalived_kernel::pipe;

    use super::*;

    /// A folder that is not there yet.
    fn place(name: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("keepalived-saved-{name}-{}", std::process::id()));
        fs::remove_dir_all(&place).ok();
        place
    }

    fn text(what: &str) -> OwnedFd {
        pipe::memory("configuration", |out| io::Write::write_all(out, what.as_bytes())).unwrap()
    }

    fn name(number: u64) -> String {
        format!("keepalived.conf.{}.{number}", std::process::id())
    }

    #[test]
    fn copies_go_on_behind_those_of_an_earlier_daemon() {
        let folder = place("earlier");
        keep(&folder, 0, &text("first")).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        create_regular(&folder.join(name(4000)), Existing::Refuse, 0o600).unwrap();
        create_regular(&folder.join("keepalived.conf.other"), Existing::Refuse, 0o600).unwrap();
        for number in 0..2 {
            keep(&folder, number, &text("second")).unwrap();
        }
        let read = |number| read_text(&folder.join(name(number)), 100).unwrap();
        assert_eq!([0, 4000, 4001, 4002].map(read), ["first", "", "second", "second"]);
        // who removes copies does not get the old numbers again
        fs::remove_dir_all(&folder).unwrap();
        keep(&folder, 2, &text("third")).unwrap();
        assert_eq!(read(2), "third");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_no_folder_is_called_that() {
        let file = place("file");
        create_regular(&file, Existing::Refuse, 0o600).unwrap();
        assert_eq!(keep(&file, 0, &text("text")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_copy_that_fails_leaves_nothing() {
        let folder = place("cut");
        // what is not sealed is refused when it is read
        let refused: OwnedFd = keepalived_kernel::files::nowhere().unwrap().into();
        assert!(keep(&folder, 0, &refused).is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
    }
}
