//! Which changes of servers are mailed, in keepalived's words (interfaces.md section 3, `p1.mail`, `p5.mail`; the words of kinds that
//! are not in there are those in keepalived 2.2.7's program).

use keepalived_config::model::{Checker, Config, RealServer, VirtualServer};
use keepalived_core::balance::{CheckId, Meaning, ServiceId};

use super::names;
use super::report::Report;
use crate::alerts::Alert;

/// A user of a check: a real server of a virtual server, and whether that is up now.
pub(super) type User = (ServiceId, usize, bool);

/// What was found last, for the servers that change because of it.
#[derive(Debug, Default)]
pub(super) struct Mailing {
    last: Option<String>,
}

impl Mailing {
    /// Mails about `report`. `check` and `users` are those of a check: what it does, and which server it asks.
    pub(super) fn alerts(
        &mut self,
        report: &Report,
        config: &Config,
        check: impl Fn(CheckId) -> Option<&'static str>,
        users: impl Fn(CheckId) -> Vec<User>,
    ) -> Vec<Alert> {
        if !config.global.mail.is_sent() {
            return Vec::new();
        }
        match report {
            Report::Check { check: id, meaning: meaning @ (Meaning::Up | Meaning::Down { .. }), reason, .. } => {
                let Some(kind) = check(*id) else { return Vec::new() };
                let is_good = *meaning == Meaning::Up;
                let body = said_of(kind, is_good, reason);
                let told = users(*id).into_iter().filter_map(|(service, place, up)| {
                    let (of, real) = server(config, service, place)?;
                    let told = real.settings.smtp_alert && !by_server(config, real);
                    told.then(|| server_alert(&server_name(of, real), &names::of_service(&of.service), up, &body))
                });
                let told = told.collect();
                self.last = Some(body);
                told
            }
            Report::Server { service, server: Some(place), name, service_name, up, reason, .. } => {
                let found = server(config, *service, *place);
                let is_told = found.is_some_and(|(_, real)| real.settings.smtp_alert);
                let body = match &self.last {
                    _ if reason == SHUTTING_DOWN => SHUTTING_DOWN,
                    Some(body) if found.is_some_and(|(_, real)| by_server(config, real)) => body.as_str(),
                    _ => return Vec::new(),
                };
                is_told.then(|| server_alert(name, service_name, *up, body)).into_iter().collect()
            }
            Report::Server { server: None, name, service_name, mail: true, .. } => {
                vec![server_alert(name, service_name, false, "Removing")]
            }
            Report::Quorum { service, service_name, quorum, starting } => {
                let of = usize::try_from(service.0).ok().and_then(|number| config.virtual_servers.get(number));
                let is_told = of.is_some_and(|of| of.settings.smtp_alert);
                let event = match (quorum.up, starting) {
                    (true, false) => "Gained quorum",
                    (false, false) => "Lost quorum",
                    (true, true) => "Starting with quorum up",
                    (false, true) => "Starting with quorum down",
                };
                // keepalived adds and compares in this way in each case; the threshold of a loss is less by the hysteresis
                let (wanted, hysteresis, weight) = (quorum.quorum, quorum.hysteresis, quorum.weight);
                let threshold = match (quorum.up, starting) {
                    (false, false) => u64::from(wanted.saturating_sub(hysteresis)),
                    _ => u64::from(wanted) + u64::from(hysteresis),
                };
                let body = format!("{event} {wanted}+{hysteresis}={threshold} <= {weight}");
                let subject = format!("Virtualserver {service_name} - {}", state(quorum.up));
                is_told.then(|| Alert::now(subject, body)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The reason of changes at the stop (`omega`), which is keepalived's body, too.
pub(super) const SHUTTING_DOWN: &str = "Shutting down";

/// Whether only changes of the server itself are told: with `alpha` the first failure changes nothing.
fn by_server(config: &Config, real: &RealServer) -> bool {
    config.global.mail.no_checkers || real.settings.alpha
}

fn server(config: &Config, service: ServiceId, place: usize) -> Option<(&VirtualServer, &RealServer)> {
    let of = config.virtual_servers.get(usize::try_from(service.0).ok()?)?;
    Some((of, of.real_servers.get(place)?))
}

fn server_name(of: &VirtualServer, real: &RealServer) -> String {
    names::of_server(of, super::task::place(real))
}

fn server_alert(name: &str, service: &str, up: bool, body: &str) -> Alert {
    Alert::now(format!("Realserver {name} of virtual server {service} - {}", state(up)), body)
}

const fn state(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

/// What the mail of a check is about: keepalived's word for its kind.
pub(super) const fn kind(check: &Checker) -> &'static str {
    match check {
        Checker::Tcp(_) => "TCP",
        Checker::Http(_) => "HTTP",
        Checker::Smtp(_) => "SMTP",
        Checker::Dns(_) => "DNS",
        Checker::Misc(_) => "MISC",
        Checker::Ping(_) => "ICMP",
        Checker::Udp(_) => "UDP",
        _ => "",
    }
}

fn said_of(kind: &str, is_good: bool, reason: &str) -> String {
    match (kind, is_good) {
        ("HTTP", false) => "CHECK failed on service : HTTP/SSL request failed".to_owned(),
        ("DNS", true) => "DNS_CHECK: succeed on service".to_owned(),
        ("DNS", false) => "DNS_CHECK: failed on service".to_owned(),
        ("MISC", true) => "MISC CHECK succeeded on service".to_owned(),
        ("MISC", false) if reason.starts_with("timed out") => "MISC CHECK timed out on service".to_owned(),
        ("TCP" | "UDP" | "ICMP", true) => format!("{kind} CHECK succeed on service"),
        ("TCP" | "UDP" | "ICMP" | "MISC", false) => format!("{kind} CHECK failed on service"),
        (_, true) => "CHECK succeed on service".to_owned(),
        (_, false) => format!("CHECK failed on service : {reason}"),
    }
}
