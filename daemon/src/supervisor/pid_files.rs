//! Pid files of the daemon and its children.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use keepalived_config::model::Global;
use keepalived_kernel::process::{Pid, PidFile, PidFileRefused};

use crate::cli::Options;
use crate::files::RUN_DIRECTORY;
use crate::role::Role;

/// The pid files of the daemon.
#[derive(Debug)]
pub(super) struct PidFiles {
    main_path: PathBuf,
    vrrp_path: PathBuf,
    checkers_path: PathBuf,
    bfd_path: PathBuf,
    main: Option<PidFile>,
    /// Those of children. They are locked, too: a second daemon with the same names must not run.
    children: BTreeMap<PathBuf, PidFile>,
}

impl PidFiles {
    /// Paths from the command line, else those of keepalived 2.4.
    pub(super) fn new(options: &Options, global: &Global) -> Self {
        let own_directory = global.use_pid_dir || global.instance.is_some() || global.net_namespace.is_some();
        let mut directory = PathBuf::from(RUN_DIRECTORY);
        if own_directory {
            directory.push("keepalived");
        }
        let instance = global.instance.as_ref().map(|instance| format!("_{instance}")).unwrap_or_default();
        let default = |name: &str| directory.join(format!("{name}{instance}.pid"));
        Self {
            main_path: options.pid_file.clone().unwrap_or_else(|| default("keepalived")),
            vrrp_path: options.vrrp_pid_file.clone().unwrap_or_else(|| default("vrrp")),
            checkers_path: options.checkers_pid_file.clone().unwrap_or_else(|| default("checkers")),
            bfd_path: options.bfd_pid_file.clone().unwrap_or_else(|| default("bfd")),
            main: None,
            children: BTreeMap::new(),
        }
    }

    /// Where `reload_file` is if it names no path.
    pub(super) fn reload_file(&self, global: &Global) -> PathBuf {
        let instance = global.instance.as_ref().map(|instance| format!("_{instance}")).unwrap_or_default();
        self.main_path.with_file_name(format!("keepalived{instance}.reload"))
    }

    /// Where the control socket is if the configuration names no other place.
    pub(super) fn control_socket(&self) -> PathBuf {
        self.main_path.with_extension("sock")
    }

    /// Where the bfd process writes how its sessions stand.
    pub(super) fn sessions(&self) -> PathBuf {
        self.bfd_path.with_extension("sessions")
    }

    /// Takes the daemon's own pid file.
    ///
    /// # Errors
    /// Another daemon holds it, or it cannot be written.
    pub(super) fn main(&mut self) -> Result<(), PidFileRefused> {
        if let Some(directory) = self.main_path.parent()
            && !directory.as_os_str().is_empty()
            && !directory.exists()
        {
            std::fs::create_dir_all(directory)?;
            std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
        }
        let main = PidFile::create(&self.main_path)?;
        main.open_to_readers()?;
        self.main = Some(main);
        Ok(())
    }

    /// Takes the pid files of the children in `roles`.
    ///
    /// # Errors
    /// The path of one that another daemon holds: it has the same children, on the same interfaces.
    pub(super) fn take(&mut self, roles: &[Role]) -> Result<(), (PathBuf, PidFileRefused)> {
        for path in roles.iter().filter_map(|role| self.path(*role)).cloned().collect::<Vec<_>>() {
            match PidFile::create(&path) {
                Ok(file) => drop(self.children.insert(path, file)),
                Err(refused @ PidFileRefused::AlreadyRunning(_)) => return Err((path, refused)),
                // said when the child starts
                Err(PidFileRefused::Io(_)) => {}
            }
        }
        Ok(())
    }

    fn path(&self, role: Role) -> Option<&PathBuf> {
        match role {
            Role::Vrrp => Some(&self.vrrp_path),
            Role::Checker => Some(&self.checkers_path),
            Role::Bfd => Some(&self.bfd_path),
            // keepalived has no such processes
            Role::Runner | Role::Observer | Role::Prober => None,
        }
    }

    /// Writes the process id of a child. A failure is logged, and has no other effect.
    pub(super) fn child(&mut self, role: Role, pid: Pid) {
        let Some(path) = self.path(role).cloned() else { return };
        let held = self.children.remove(&path).map_or_else(|| PidFile::create(&path), Ok);
        let written = held.and_then(|mut file| {
            let written = file.write_number(pid).and_then(|()| file.open_to_readers());
            // the lock is ours: it keeps a second daemon out, and the file is removed at the end
            self.children.insert(path.clone(), file);
            Ok(written?)
        });
        if let Err(error) = written {
            tracing::error!("pid file {}: {error}", path.display());
        }
    }

    /// Removes our pid files.
    pub(super) fn remove(&mut self) {
        if self.children.contains_key(&self.bfd_path) {
            std::fs::remove_file(self.sessions()).ok();
        }
        for (path, file) in std::mem::take(&mut self.children) {
            if let Err(error) = file.remove() {
                tracing::warn!("pid file {}: {error}", path.display());
            }
        }
        if let Some(file) = self.main.take()
            && let Err(error) = file.remove()
        {
            tracing::warn!("pid file {}: {error}", self.main_path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    #[test]
    fn a_name_without_a_folder_is_one_in_the_current_one() {
        let name = format!("pid-file-of-a-test-{}", std::process::id());
        let options = Options { pid_file: Some(name.clone().into()), ..Options::default() };
        let mut files = PidFiles::new(&options, &Global::default());
        files.main().unwrap_or_else(|_| panic!("{name} is refused"));
        files.remove();
        assert!(!std::path::Path::new(&name).exists());
    }

    #[test]
    fn a_second_daemon_with_the_same_file_of_a_child_is_refused() {
        let path = std::env::temp_dir().join(format!("keepalived-vrrp-{}.pid", std::process::id()));
        let options = Options { vrrp_pid_file: Some(path.clone()), ..Options::default() };
        let mut first = PidFiles::new(&options, &Global::default());
        let mut second = PidFiles::new(&options, &Global::default());
        first.take(&[Role::Vrrp]).unwrap();
        first.child(Role::Vrrp, Pid(4711));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "4711\n");
        let (held, refused) = second.take(&[Role::Vrrp]).unwrap_err();
        assert_eq!((held, refused.to_string().as_str()), (path.clone(), "already running as process 4711"));
        // what it may not have it does not remove
        second.remove();
        assert!(path.exists());
        first.remove();
        second.take(&[Role::Vrrp]).unwrap();
        second.remove();
        assert!(!path.exists());
    }

    #[test]
    fn nothing_else_in_the_place_of_a_childs_file_is_written_to() {
        let folder = std::env::temp_dir().join(format!("keepalived-pids-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (target, link) = (folder.join("precious"), folder.join("vrrp.pid"));
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let options = Options { vrrp_pid_file: Some(link), ..Options::default() };
        let mut files = PidFiles::new(&options, &Global::default());
        files.take(&[Role::Vrrp]).unwrap();
        files.child(Role::Vrrp, Pid(1));
        files.remove();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_configuration_decides_where_they_are() {
        for (text, main, vrrp) in [
            ("", "/run/keepalived.pid", "/run/vrrp.pid"),
            ("use_pid_dir", "/run/keepalived/keepalived.pid", "/run/keepalived/vrrp.pid"),
            ("instance lb", "/run/keepalived/keepalived_lb.pid", "/run/keepalived/vrrp_lb.pid"),
            ("net_namespace red", "/run/keepalived/keepalived.pid", "/run/keepalived/vrrp.pid"),
        ] {
            let files = PidFiles::new(&Options::default(), &from_text(&format!("{text}\n")).global);
            assert_eq!((files.main_path, files.vrrp_path), (main.into(), vrrp.into()), "{text}");
        }
    }
}
