//! Quorum and hysteresis, compared with the weights of the servers.

use super::super::reading::Reading;
use super::super::statements::Statements;
use crate::finding::rule;
use crate::model::VirtualServer;
use crate::syntax::Node;

/// Lowers what cannot be reached, as keepalived does.
pub(super) fn fit(reading: &mut Reading<'_>, server: &mut VirtualServer, block: Node<'_>) {
    let statements = Statements::of(block.children());
    let total: u64 = server.real_servers.iter().map(|real| u64::from(real.settings.weight)).sum();
    let settings = &mut server.settings;
    let service = &server.service;
    if u64::from(settings.quorum) > total {
        let node = statements.last("quorum").unwrap_or(block);
        let message = if total == 0 {
            format!("virtual server {service}: all weights are 0, so nothing is ever sent anywhere")
        } else {
            let quorum = settings.quorum;
            format!("virtual server {service}: quorum {quorum} is more than all weights together; {total} is used")
        };
        reading.report_at(&rule::QUORUM_REDUCED, Some(node), message);
        settings.quorum = u32::try_from(total).unwrap_or(u32::MAX);
    }
    if settings.hysteresis > 0 && settings.hysteresis >= settings.quorum {
        let least = settings.quorum.saturating_sub(1);
        let message = format!(
            "virtual server {service}: hysteresis {} must be less than quorum {}; {least} is used",
            settings.hysteresis, settings.quorum
        );
        reading.report_at(&rule::HYSTERESIS_REDUCED, statements.last("hysteresis"), message);
        settings.hysteresis = least;
    }
}
