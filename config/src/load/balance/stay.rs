//! Clients that stay with a failed server: IPVS remembers who was sent where.

use super::super::reading::Reading;
use super::super::statements::keyword_span;
use crate::finding::{Finding, rule};
use crate::model::{Backend, Balancing, Protocol, Service, VirtualServer};
use crate::syntax::Node;

/// Says once which virtual server has such clients, unless the configuration says what it wants.
pub(super) fn report<'a>(
    reading: &mut Reading<'_>,
    balancing: &Balancing,
    servers: impl Iterator<Item = (&'a VirtualServer, Node<'a>)>,
) {
    if balancing.expire_failed.is_some() || balancing.backend == Backend::Nftables {
        return;
    }
    let mut staying = servers.filter_map(|(server, block)| Some((server, block, stay(server)?)));
    let Some((server, block, how)) = staying.next() else { return };
    let message = format!("virtual server {}: {how}", server.service);
    let finding = match keyword_span(block) {
        Some(span) => Finding::at(&rule::CLIENTS_STAY, span, message),
        None => Finding::anywhere(&rule::CLIENTS_STAY, message),
    };
    reading.report(match staying.count() {
        0 => finding,
        others => finding.note(format!("it is the first of {} such virtual servers", others.saturating_add(1))),
    });
}

/// What happens to the clients of a failed server of `server`; `None` if they get another one.
fn stay(server: &VirtualServer) -> Option<&'static str> {
    let settings = &server.settings;
    // a server that is removed is no longer in a persistence template: the next connection goes elsewhere
    let inhibits = |is: bool| server.real_servers.iter().any(|real| real.settings.inhibit_on_failure == is);
    if settings.persistence_timeout.is_some() && inhibits(true) {
        return Some("clients of a failed server stay with it until persistence_timeout is over");
    }
    let protocol = match server.service {
        Service::Address { protocol, .. } | Service::Group { protocol: Some(protocol), .. } => protocol,
        Service::Fwmark { .. } | Service::Group { protocol: None, .. } => return None,
    };
    (protocol == Protocol::Udp && !settings.one_packet && inhibits(false))
        .then_some("UDP clients of a failed server get no answer until IPVS forgets their connections")
}
