//! Files that commands are given.

use std::path::Path;

use keepalived_config::{AnyInterface, Finding, Loaded, Options, Severity, exit_status, fatal, load_with};
use keepalived_daemon::configuration::{Machine, Place, host_name};
use keepalived_daemon::files::FileSource;

use crate::{Failure, status};

/// How configurations are read; the same for all commands.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Reading {
    /// What `@id` lines are compared with [default: the host name up to its first dot]
    #[arg(short = 'i', long, value_name = "ID")]
    pub(crate) config_id: Option<String>,
    /// Take this machine's interfaces for those that there are; without it, every interface is taken for present
    #[arg(long)]
    pub(crate) here: bool,
}

/// What has to be said of `path` before anything is said of what it describes: that it would not run, or not all of it.
pub(crate) fn caution(path: &Path, loaded: &Loaded) -> Option<String> {
    let path = path.display();
    let is_error = |finding: &&Finding| finding.rule.severity == Severity::Error;
    let what = if fatal(&loaded.findings) {
        format!("nothing of {path} would run")
    } else {
        match loaded.findings.iter().filter(is_error).count() {
            0 => return None,
            1 => format!("not all of {path} would run: there is 1 error"),
            count => format!("not all of {path} would run: there are {count} errors"),
        }
    };
    Some(format!("{what}; see keepalivedctl check {path}\n"))
}

/// What a command that describes `loaded` exits with: 0 if anything of it would run.
pub(crate) fn described(loaded: &Loaded) -> u8 {
    if fatal(&loaded.findings) { exit_status(&loaded.findings) } else { status::GOOD }
}

impl Reading {
    /// Options for the reader of the language.
    pub(crate) fn options(&self) -> Options {
        Options { config_id: self.config_id.clone().unwrap_or_else(host_name), ..Options::default() }
    }

    /// Loads `path`.
    ///
    /// # Errors
    /// There is no such file.
    pub(crate) fn load(&self, path: &Path) -> Result<Loaded, Failure> {
        let options = self.options();
        let loaded = if self.here {
            load_with(&FileSource, path, &Machine::look(Place::Configured), &options)
        } else {
            load_with(&FileSource, path, &AnyInterface, &options)
        };
        if loaded.files().is_empty() {
            let why = loaded.findings.first().map_or("it cannot be read", |finding| finding.message.as_str());
            return Err(Failure(why.to_owned()));
        }
        Ok(loaded)
    }
}
