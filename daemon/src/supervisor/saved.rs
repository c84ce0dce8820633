//! `config_save_dir`: a copy of each configuration that was read, and how things are before and after each reload.

use std::fs::DirBuilder;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use keepalived_kernel::files::{Existing, create_regular};
use keepalived_kernel::pipe::Sealed;

use super::Supervisor;
use super::dump::{Dump, File};
use crate::message::AfterTelling;
use crate::role::Role;

/// Copies of earlier daemons that are passed over.
const MOST_THERE: usize = 10_000;

/// What has been kept so far.
#[derive(Debug, Default)]
pub(super) struct Saved {
    copies: u32,
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
        let directory = Path::new(directory);
        // an earlier daemon with our number, as each has in a container, has left its own
        for _ in 0..MOST_THERE {
            let path = directory.join(format!("keepalived.conf.{}.{}", std::process::id(), self.saved.copies));
            self.saved.copies = self.saved.copies.wrapping_add(1);
            match copy(directory, &path, text) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    tracing::warn!("config_save_dir: cannot write {}: {error}", path.display());
                    return;
                }
            }
        }
        tracing::warn!("config_save_dir {}: it is full of copies; remove some", directory.display());
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
        let name = format!("keepalived_{name}.{pid}.{}.{when}", self.saved.reloads);
        self.write_dump_to(file, PathBuf::from(directory).join(name));
    }
}

fn copy(directory: &Path, path: &Path, text: &OwnedFd) -> io::Result<()> {
    if !directory.is_dir() {
        DirBuilder::new().mode(0o700).create(directory)?;
    }
    let mut octets = Vec::new();
    Sealed::open(text.as_fd().try_clone_to_owned()?, usize::MAX)?.read_to_end(&mut octets)?;
    create_regular(path, Existing::Refuse, 0o600)?.write_all(&octets)
}
