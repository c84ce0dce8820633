//! `keepalived_check.data`: the state of load balancing.

use std::fmt::Write as _;

use keepalived_state::ServiceView;

/// One virtual server, its real servers, and their checks. Writing to a `String` cannot fail, so results are dropped.
pub(super) fn describe(text: &mut String, service: &ServiceView) {
    let state = |up: bool| if up { "up" } else { "down" };
    writeln!(text, " VIP = {}", service.name).ok();
    writeln!(text, "   quorum = {}, hysteresis = {}", service.quorum, service.hysteresis).ok();
    writeln!(text, "   quorum_state_up = {}", u8::from(service.quorum_up)).ok();
    writeln!(text, "   live weight = {}", service.weight).ok();
    for server in &service.servers {
        writeln!(text, "   RIP = {}, weight = {}, {}", server.name, server.weight, state(server.up)).ok();
        for check in &server.checks {
            let result = if check.has_run { state(check.up) } else { "no result yet" };
            writeln!(text, "     {}: {result}", check.keyword).ok();
        }
    }
}
