//! `disable_local_igmp`: while the daemon runs, the kernel sends no reports (IGMP) for groups of 224.0.0.0/24. VRRP's group is one of them.
//!
//! The supervisor does this: it outlives the vrrp process. A reload cannot change it.

use std::path::Path;

use keepalived_kernel::files::{read_text, write_setting};

const SETTING: &str = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";

/// The setting, and whether it is ours to put back.
#[derive(Debug)]
pub(super) struct LocalReports {
    were_sent: bool,
}

impl LocalReports {
    /// Turns them off if the configuration says so.
    pub(super) fn begin(disable: bool) -> Self {
        let path = Path::new(SETTING);
        let set = || match read_text(path, 16)?.trim() {
            "0" => Ok(false),
            _ => write_setting(path, "0").map(|()| true),
        };
        let were_sent = disable
            && set().unwrap_or_else(|error: std::io::Error| {
                tracing::error!("disable_local_igmp has no effect: {SETTING}: {error}");
                false
            });
        Self { were_sent }
    }

    /// Puts the setting back.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.were_sent)
            && let Err(error) = write_setting(Path::new(SETTING), "1")
        {
            tracing::error!("{SETTING} cannot be put back: {error}");
        }
    }
}
