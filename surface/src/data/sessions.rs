//! `keepalived_bfd.data`: the state of BFD sessions. The lines are those of keepalived 2.4.3 where it has them.

use std::fmt::{Display, Write as _};
use std::net::IpAddr;

use keepalived_core::bfd::{Discriminator, Reach};
use keepalived_state::SessionView;

use crate::now::moment;

use keepalived_config::dump::{Host, seconds};

/// One session. Writing to a `String` cannot fail, so results are dropped.
pub(super) fn describe(text: &mut String, session: &SessionView, host: &dyn Host) {
    writeln!(text, " BFD Instance = {}", session.name).ok();
    let mut line = |key: &str, value: &dyn Display| {
        writeln!(text, "   {key} = {value}").ok();
    };
    let scope = |address: IpAddr| match (address, session.interface) {
        (IpAddr::V6(ip), Some(interface)) if ip.is_unicast_link_local() => format!("%{interface}"),
        _ => String::new(),
    };
    line("Neighbor IP", &format_args!("{}{}", session.neighbor, scope(session.neighbor)));
    if let Some(source) = session.source {
        line("Source IP", &format_args!("{source}{}", scope(source)));
    }
    let params = &session.params;
    line("Required min RX interval", &format_args!("{} us", params.min_rx));
    line("Desired min TX interval", &format_args!("{} us", params.min_tx));
    line("Desired idle TX interval", &format_args!("{} us", params.idle_tx));
    line("Detection multiplier", &params.multiplier);
    line(if matches!(session.neighbor, IpAddr::V4(_)) { "TTL" } else { "hoplimit" }, &session.hop_limit);
    line("max_hops", &session.max_hops);
    line("passive", &params.passive);
    let yes = |is_on: bool| if is_on { "Yes" } else { "No" };
    line("send event to VRRP process", &yes(session.tells.0));
    line("send event to checker process", &yes(session.tells.1));
    line("send error", &(session.silent.is_some() || session.counters.send_errors > 0));
    line("local state", &session.state);
    line("remote state", &session.remote.state);
    line("local discriminator", &format_args!("{:#x}", session.discriminator.get()));
    line("remote discriminator", &format_args!("{:#x}", session.remote.discriminator.map_or(0, Discriminator::get)));
    line("local diag", &session.diagnostic);
    line("remote diag", &session.remote.diagnostic);
    line("remote min tx intv", &format_args!("{} us", session.remote.desired_min_tx));
    line("remote min rx intv", &format_args!("{} us", session.remote.required_min_rx));
    line("local demand", &0);
    line("remote demand", &u8::from(session.remote.demand));
    line("remote detect multiplier", &session.remote.multiplier);
    writeln!(text, "   {}poll, !final", if session.polls { "" } else { "!" }).ok();
    let mut line = |key: &str, value: &dyn Display| {
        writeln!(text, "   {key} = {value}").ok();
    };
    line("local tx intv", &format_args!("{} us", session.tx_interval));
    line("remote tx intv", &format_args!("{} us", session.remote_tx_interval));
    line("local detection time", &format_args!("{} us", session.detection_time.as_micros()));
    line("remote detection time", &format_args!("{} us", session.remote_detection_time.as_micros()));
    match session.last_heard {
        // its date has the year before the microseconds
        Some(at) => {
            let at = moment(at);
            let date = host.date(at).map(|(date, year)| format!(" ({date} {year}.{:06})", at.subsec_micros()));
            line("last seen", &format_args!("{}{}", seconds(at), date.unwrap_or_default()));
        }
        None => line("last_seen", &"[never]"),
    }
    // ours
    line("last transition", &seconds(moment(session.since)));
    line("multihop", &(session.reach == Reach::Multihop));
    if let Some(port) = session.source_port {
        line("source port", &port);
    }
    if let Some(why) = &session.silent {
        line("cannot send", why);
    }
    let counters = &session.counters;
    line("packets received", &counters.received);
    line("packets sent", &counters.sent);
    line("packets that could not be sent", &counters.send_errors);
    line("packets from too far", &counters.hop_limit_errors);
    line("packets with authentication", &counters.authentication_errors);
    line("times up", &counters.ups);
    line("times down", &counters.downs);
}
