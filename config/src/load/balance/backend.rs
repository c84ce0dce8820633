//! `lvs_backend`: what a virtual server asks for that it cannot do.

use keepalived_core::balance::Unsupported;

use super::super::reading::Reading;
use super::super::statements::finding_at;
use crate::finding::rule;
use crate::model::{Backend, VirtualServer};
use crate::syntax::Node;

/// Whether `backend` can do `server`; says why not. With `auto` that is known when the kernel has been asked.
pub(super) fn fits(reading: &mut Reading<'_>, backend: Backend, server: &VirtualServer, block: Node<'_>) -> bool {
    let Some(problem) = Some(server).filter(|_| backend == Backend::Nftables).and_then(unsupported) else {
        return true;
    };
    let message = format!("virtual server {} is left out: {problem}", server.service);
    reading.report(finding_at(&rule::BACKEND_UNSUPPORTED, Some(block), message).help(problem.way_out()));
    false
}

/// What nftables cannot do of it.
fn unsupported(server: &VirtualServer) -> Option<Unsupported> {
    let settings = &server.settings;
    let of_real = || {
        let mut real = server.real_servers.iter().map(|real| &real.settings);
        real.find_map(|real| Unsupported::in_server(real.forwarding, [real.upper_threshold, real.lower_threshold]))
    };
    let of_sorry = || settings.sorry_server.as_ref().and_then(|sorry| Unsupported::in_server(sorry.forwarding, [0, 0]));
    let of_all = || {
        let real = server.real_servers.iter().map(|real| real.settings.forwarding);
        Unsupported::in_servers(real.chain(settings.sorry_server.as_ref().map(|sorry| sorry.forwarding)))
    };
    Unsupported::in_service(settings.one_packet, settings.persistence_engine.as_deref())
        .or_else(of_real)
        .or_else(of_sorry)
        .or_else(of_all)
}
