//! Where the numbers of the processes stand.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keepalived_config::model::Global;
use keepalived_kernel::process::{Pid, PidFile, PidFileRefused};

use super::worker::Role;
use crate::cli::Options;
use crate::files::RUN_DIRECTORY;

/// The pid files of the daemon.
#[derive(Debug)]
pub(super) struct PidFiles {
    main_path: PathBuf,
    vrrp_path: PathBuf,
    checkers_path: PathBuf,
    main: Option<PidFile>,
    /// Those of children.
    written: BTreeSet<PathBuf>,
}

impl PidFiles {
    /// As the command line says, else as keepalived 2.4 names them.
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
            main: None,
            written: BTreeSet::new(),
        }
    }

    /// Takes the daemon's own.
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
        self.main = Some(PidFile::create(&self.main_path)?);
        Ok(readable_by_all(&self.main_path)?)
    }

    /// Notes the number of a child. That it cannot be written is an error in the log only.
    pub(super) fn child(&mut self, role: Role, pid: Pid) {
        let path = match role {
            Role::Vrrp => &self.vrrp_path,
            Role::Checker => &self.checkers_path,
            // keepalived has no such process
            Role::Runner => return,
        };
        let written = std::fs::File::create(path)
            .and_then(|mut file| writeln!(file, "{pid}"))
            .and_then(|()| readable_by_all(path));
        match written {
            Ok(()) => drop(self.written.insert(path.clone())),
            Err(error) => tracing::error!("pid file {}: {error}", path.display()),
        }
    }

    /// Removes what is there.
    pub(super) fn remove(&mut self) {
        for path in std::mem::take(&mut self.written) {
            std::fs::remove_file(path).ok();
        }
        if let Some(file) = self.main.take()
            && let Err(error) = file.remove()
        {
            tracing::warn!("pid file {}: {error}", self.main_path.display());
        }
    }
}

/// Whatever the umask: scripts of any user read them.
fn readable_by_all(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
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
        assert!(!Path::new(&name).exists());
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
