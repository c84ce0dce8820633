//! `lvs_sync_daemon`: the kernel's own exchange of connections between balancers follows an instance.

use keepalived_config::model::{Config, SyncDaemon as Settings};
use keepalived_core::vrrp::State;
use keepalived_kernel::ipvs::{Ipvs, SyncDaemon, SyncRole};

/// What runs, and whom it follows.
#[derive(Debug)]
pub(super) struct Sync {
    settings: Settings,
    /// `id`, or the VRID of the instance.
    sync_id: u8,
    ipvs: Ipvs,
}

impl Sync {
    /// Begins: without an instance both daemons run at once; with one, the backup daemon until it is master. `None` if nothing is
    /// configured, or if there is no IPVS, which is said.
    pub(super) fn start(config: &Config) -> Option<Self> {
        let settings = config.global.balancing.sync_daemon.as_deref()?.clone();
        let followed = settings.instance.as_ref();
        let instance = followed.and_then(|name| config.instances.iter().find(|instance| instance.name == *name));
        let sync_id = settings.id.unwrap_or_else(|| instance.map_or(0, |instance| instance.vrid.get()));
        let ipvs = match Ipvs::open() {
            Ok(ipvs) => ipvs,
            Err(error) => {
                tracing::error!("lvs_sync_daemon: there is no IPVS: {error}");
                return None;
            }
        };
        let mut sync = Self { settings, sync_id, ipvs };
        sync.run(SyncRole::Backup);
        if sync.settings.instance.is_none() {
            sync.run(SyncRole::Master);
        }
        Some(sync)
    }

    /// What is in force.
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An instance has another state.
    pub(super) fn follow(&mut self, instance: &str, state: State) {
        if self.settings.instance.as_deref() != Some(instance) {
            return;
        }
        let (end, begin) = match state {
            State::Master => (SyncRole::Backup, SyncRole::Master),
            State::Init | State::Backup | State::Fault | State::Stopped => (SyncRole::Master, SyncRole::Backup),
        };
        self.end(end);
        self.run(begin);
    }

    /// Ends both.
    pub(super) fn stop(mut self) {
        self.end(SyncRole::Master);
        self.end(SyncRole::Backup);
    }

    fn run(&mut self, role: SyncRole) {
        let Settings { interface, most_octets, port, ttl, group, .. } = self.settings;
        let daemon = SyncDaemon { role, interface, sync_id: self.sync_id, max_length: most_octets, group, port, ttl };
        if let Err(error) = self.ipvs.start_sync_daemon(&daemon) {
            tracing::error!("lvs_sync_daemon: the kernel refused to start the {role:?} daemon on {interface}: {error}");
        }
    }

    fn end(&mut self, role: SyncRole) {
        if let Err(error) = self.ipvs.stop_sync_daemon(role) {
            tracing::error!("lvs_sync_daemon: the kernel refused to stop the {role:?} daemon: {error}");
        }
    }
}
