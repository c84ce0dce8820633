//! How load balancing stands, for those who show it.

use keepalived_core::balance::ServiceId;
use keepalived_kernel::director::Director;
use keepalived_state::{BalanceView, CheckView, ServerView, ServiceView};

use super::engine::Engine;
use super::{lower, names};

/// How load balancing stands; the journal is the supervisor's.
pub(super) fn of<D: Director>(engine: &Engine<D>) -> BalanceView {
    let mut view = BalanceView::default();
    let balancer = engine.balancer();
    for (id, server) in (0..).map(ServiceId).zip(&engine.config().virtual_servers) {
        let Some(quorum) = balancer.quorum(id) else { continue };
        let servers = server.real_servers.iter().enumerate().filter_map(|(place, real)| {
            let (up, weight) = balancer.server(id, place)?;
            let checks = balancer.checks(id, place).filter_map(|check| {
                let (has_run, up) = balancer.check(check)?;
                let keyword = engine.task(check)?.checker.keyword().to_owned();
                Some(CheckView { keyword, has_run, up })
            });
            Some(ServerView {
                name: names::of_server(server, lower::place(real)),
                up,
                weight,
                checks: checks.collect(),
            })
        });
        view.services.push(ServiceView {
            name: names::of_service(&server.service),
            quorum_up: quorum.up,
            quorum: quorum.quorum,
            hysteresis: quorum.hysteresis,
            weight: quorum.weight,
            servers: servers.collect(),
        });
    }
    view
}
