//! Which process a configuration needs, and what of it each gets.

use keepalived_config::model::{Backend, Checker, Config};

use crate::cli::Options;
use crate::role::Role;

/// Lends `config` without the large parts that `role` does not need.
pub(super) fn with_share<R>(config: &mut Config, role: Role, lend: impl FnOnce(&Config) -> R) -> R {
    let instances = (role != Role::Vrrp).then(|| std::mem::take(&mut config.instances));
    let servers = (role != Role::Checker).then(|| std::mem::take(&mut config.virtual_servers));
    let result = lend(config);
    if let Some(instances) = instances {
        config.instances = instances;
    }
    if let Some(servers) = servers {
        config.virtual_servers = servers;
    }
    result
}

/// Whether `config` needs the process of `role`.
pub(super) fn is_needed(role: Role, options: &Options, config: &Config) -> bool {
    let has_servers = options.checker && !config.virtual_servers.is_empty();
    match role {
        Role::Runner => has_servers && runs_programs(config),
        Role::Checker => has_servers,
        Role::Vrrp => options.vrrp && (!config.instances.is_empty() || options.all),
    }
}

/// Whether the checker process may have programs to run.
fn runs_programs(config: &Config) -> bool {
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

/// Whether a process may use IPVS.
pub(super) fn uses_ipvs(config: &Config) -> bool {
    let balancing = &config.global.balancing;
    balancing.sync_daemon.is_some() || (balancing.backend != Backend::Nftables && !config.virtual_servers.is_empty())
}
