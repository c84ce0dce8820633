//! Which process a configuration needs, and what of it each gets.

use keepalived_config::model::{Backend, Checker, Config, Tracks};
use keepalived_core::vrrp::tracking::{TrackerId, TrackerKind};
use keepalived_surface::snmp::Trees;

use crate::cli::Options;
use crate::role::Role;

/// Lends `config` without the large parts that `role` does not need. `checks` says whether checker processes may run.
pub(super) fn with_share<R>(config: &mut Config, role: Role, checks: bool, lend: impl FnOnce(&Config) -> R) -> R {
    if role == Role::Observer && (Trees::of(config, false).any() || config.global.dbus.enabled) {
        // it shows what is configured, and speaks with others
        return lend(&without_secrets(config));
    }
    let checker_runs = checks && !config.virtual_servers.is_empty();
    let instances = (role != Role::Vrrp).then(|| std::mem::take(&mut config.instances));
    let servers = (role != Role::Checker).then(|| std::mem::take(&mut config.virtual_servers));
    // it has a password
    let ssl = (role != Role::Checker).then(|| config.ssl.take());
    // as with keepalived the checker process starts the reader of the pipe that both processes write to; one that has no virtual servers
    // any more leaves it to the vrrp process
    let starts_reader = if checker_runs { role != Role::Vrrp } else { role != Role::Checker };
    let reader = if starts_reader { None } else { config.global.fifos.all.script.take() };
    let result = lend(config);
    if reader.is_some() {
        config.global.fifos.all.script = reader;
    }
    if let Some(instances) = instances {
        config.instances = instances;
    }
    if let Some(servers) = servers {
        config.virtual_servers = servers;
    }
    if let Some(ssl) = ssl {
        config.ssl = ssl;
    }
    result
}

fn without_secrets(config: &Config) -> Config {
    let mut shown = config.clone();
    for instance in &mut shown.instances {
        instance.authentication = instance.authentication.without_secret();
    }
    shown.ssl = None;
    shown
}

/// Whether `config` needs the process of `role`, though nobody calls it.
pub(super) fn is_needed(role: Role, options: &Options, config: &Config) -> bool {
    let has_servers = options.checker && !config.virtual_servers.is_empty();
    let has_routers = options.vrrp && (!config.instances.is_empty() || options.all);
    match role {
        Role::Runner => {
            let scripts = &config.global.scripts;
            scripts.startup.is_some()
                || scripts.shutdown.is_some()
                || has_servers && checker_runs_programs(config)
                || has_routers && vrrp_runs_programs(config)
        }
        Role::Observer => {
            // who asks at the control socket calls it
            config.global.control.http.is_some()
                || Trees::of(config, false).any()
                || config.global.dbus.enabled
                || config.global.webhook.is_some()
                || config.global.mail.is_sent()
                    && (has_servers && checker_mails(config) || has_routers && vrrp_mails(config))
        }
        Role::Checker => has_servers,
        Role::Vrrp => has_routers,
        Role::Bfd => options.bfd && !config.bfd_instances.is_empty(),
        Role::Prober => has_routers && probes(config),
    }
}

/// Whether anything tracks a probe.
fn probes(config: &Config) -> bool {
    let tracks = |tracks: &Option<Box<Tracks>>| tracks.as_ref().is_some_and(|tracks| !tracks.probes.is_empty());
    config.instances.iter().any(|instance| tracks(&instance.tracks))
        || config.sync_groups.iter().any(|group| tracks(&group.tracks))
}

/// Whether the vrrp process may have something to mail.
fn vrrp_mails(config: &Config) -> bool {
    config.instances.iter().any(|instance| instance.mail) || config.sync_groups.iter().any(|group| group.mail)
}

/// Whether the checker process may have something to mail.
fn checker_mails(config: &Config) -> bool {
    let servers = config.virtual_servers.iter();
    servers.clone().any(|service| service.settings.smtp_alert)
        || servers.flat_map(|service| &service.real_servers).any(|server| server.settings.smtp_alert)
}

/// Whether the vrrp process may have programs to run.
fn vrrp_runs_programs(config: &Config) -> bool {
    let fifos = &config.global.fifos;
    let of_fifo = [&fifos.all, &fifos.vrrp].into_iter().any(|fifo| fifo.script.is_some());
    let tracks = |tracks: &Option<Box<Tracks>>| tracks.as_ref().is_some_and(|tracks| !tracks.scripts.is_empty());
    of_fifo
        || config.instances.iter().any(|instance| instance.notify.is_some() || tracks(&instance.tracks))
        || config.sync_groups.iter().any(|group| group.notify.is_some() || tracks(&group.tracks))
}

/// Whether the checker process may have programs to run.
fn checker_runs_programs(config: &Config) -> bool {
    let fifos = &config.global.fifos;
    let of_fifo = [&fifos.all, &fifos.lvs].into_iter().any(|fifo| fifo.script.is_some());
    let servers = || config.virtual_servers.iter().flat_map(|service| &service.real_servers);
    let of_service = config
        .virtual_servers
        .iter()
        .any(|service| service.settings.quorum_up.is_some() || service.settings.quorum_down.is_some());
    of_fifo
        || of_service
        || servers().any(|server| {
            let extras = server.settings.extras.as_ref();
            extras.is_some_and(|extras| extras.notify_up.is_some() || extras.notify_down.is_some())
                || server.checkers.iter().any(|checker| matches!(checker, Checker::Misc(_)))
        })
}

/// Whether a tracker that a vrrp process hands on is configured.
pub(super) fn has_tracker(config: &Config, tracker: &TrackerId) -> bool {
    let name = &tracker.name;
    match tracker.kind {
        TrackerKind::Script => config.scripts.iter().any(|script| script.name == *name),
        TrackerKind::File => config.files.iter().any(|file| file.name == *name),
        TrackerKind::Process => config.processes.iter().any(|process| process.name == *name),
        TrackerKind::Probe => config.probes.iter().any(|probe| probe.name == *name),
        // each vrrp process looks at these itself
        TrackerKind::Interface => false,
        TrackerKind::Bfd => config.bfd_instances.iter().any(|instance| instance.name == *name),
    }
}

/// Whether a process may use IPVS.
pub(super) fn uses_ipvs(config: &Config) -> bool {
    let balancing = &config.global.balancing;
    balancing.sync_daemon.is_some() || (balancing.backend != Backend::Nftables && !config.virtual_servers.is_empty())
}
