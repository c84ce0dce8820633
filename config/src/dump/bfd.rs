//! BFD sessions.

use std::net::IpAddr;

use super::{Page, say};

pub(super) fn write(page: &mut Page<'_>) {
    let config = page.config;
    if !config.bfd_instances.is_empty() {
        say!(page, "------< BFD Topology >------");
    }
    for session in &config.bfd_instances {
        say!(page, " BFD Instance = {}", session.name);
        let scope = |address: IpAddr| match (address, session.interface) {
            (IpAddr::V6(ip), Some(interface)) if ip.is_unicast_link_local() => format!("%{interface}"),
            _ => String::new(),
        };
        say!(page, "   Neighbor IP = {}{}", session.neighbor, scope(session.neighbor));
        if let Some(source) = session.source {
            say!(page, "   Source IP = {source}{}", scope(source));
        }
        say!(page, "   Required min RX interval = {} us", session.min_rx.as_micros());
        say!(page, "   Desired min TX interval = {} us", session.min_tx.as_micros());
        say!(page, "   Desired idle TX interval = {} us", session.idle_tx.as_micros());
        say!(page, "   Detection multiplier = {}", session.multiplier);
        let ttl = if session.neighbor.is_ipv4() { "TTL" } else { "hoplimit" };
        say!(page, "   {ttl} = {}", session.ttl.unwrap_or(255));
        say!(page, "   max_hops = {}", session.max_hops);
        say!(page, "   passive = {}", session.passive);
        let yes = |is_on: bool| if is_on { "Yes" } else { "No" };
        say!(page, "   send event to VRRP process = {}", yes(session.tells_vrrp));
        say!(page, "   send event to checker process = {}", yes(session.tells_checkers));
    }
}
