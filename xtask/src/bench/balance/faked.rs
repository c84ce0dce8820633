//! A kernel table that is not there, for keepalived where there is no IPVS: so its checks can be measured on this
//! kernel, too.

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::Daemon;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("faked_ipvs.c");
/// Each of 256 commands is counted in eight octets.
const LENGTH: u64 = 256 * 8;
/// `IPVS_CMD_NEW_DEST`, `IPVS_CMD_SET_DEST` and `IPVS_CMD_DEL_DEST` of linux/ip_vs.h.
const NEW_DESTINATION: usize = 5;
const SET_DESTINATION: usize = 6;
const DELETE_DESTINATION: usize = 7;

/// What is preloaded, and where it counts.
#[derive(Debug, Clone)]
pub(in crate::bench) struct Faked {
    library: PathBuf,
    told: PathBuf,
}

impl Faked {
    /// Compiles it into `folder`.
    pub(in crate::bench) fn build(folder: &Path) -> Result<Self> {
        let faked = Self { library: folder.join("faked_ipvs.so"), told: folder.join("told") };
        let source = folder.join("faked_ipvs.c");
        std::fs::write(&source, SOURCE)?;
        std::fs::File::create(&faked.told)?.set_len(LENGTH)?;
        let mut compiler = Command::new("cc");
        let status = compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&faked.library).arg(&source).status();
        let status = status.context("cc")?;
        ensure!(status.success(), "cc: {status}");
        Ok(faked)
    }

    /// Has `command` run with it.
    pub(super) fn preload(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKED_IPVS", &self.told);
    }

    /// The same daemon, run with it.
    pub(in crate::bench) fn preloaded(&self, daemon: &Daemon) -> Daemon {
        daemon.clone().with("LD_PRELOAD", self.library.clone()).with("FAKED_IPVS", self.told.clone())
    }

    /// How many servers are in the table.
    pub(super) fn servers(&self) -> Result<u64> {
        let there = self.count(NEW_DESTINATION)?.checked_sub(self.count(DELETE_DESTINATION)?);
        there.context("more servers went than came")
    }

    /// How often a server was changed.
    pub(super) fn changes(&self) -> Result<u64> {
        self.count(SET_DESTINATION)
    }

    fn count(&self, command: usize) -> Result<u64> {
        let octets = std::fs::read(&self.told)?;
        let (counts, _) = octets.as_chunks();
        Ok(u64::from_ne_bytes(*counts.get(command).context("the counts are cut short")?))
    }
}
