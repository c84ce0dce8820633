//! `real_server` and `sorry_server`: what they say, against what the virtual server is.

use std::collections::HashMap;

use keepalived_core::vrrp::Family;

use super::super::reading::Reading;
use super::super::statements::{Statements, keyword_span};
use super::check;
use super::endpoint::{self, AddressPort};
use super::forwarding;
use super::pace::Pace;
use super::scene::Scene;
use super::surroundings::Surroundings;
use crate::finding::{Finding, rule};
use crate::model::{Forwarding, RealServer, RealServerExtras, RealServerSettings, Service, SorryServer};
use crate::syntax::Node;

/// A real server as far as the virtual server's family depends on it.
pub(super) struct RealDraft<'a> {
    block: Node<'a>,
    statements: Statements<'a>,
    pub(super) at: AddressPort,
    pub(super) forwarding: Forwarding,
}

/// What the real servers of one virtual server share.
pub(super) struct Setting<'a> {
    pub(super) service: &'a Service,
    pub(super) head_is_group: bool,
    pub(super) pace: Pace,
}

/// The real servers with an address that can be read.
pub(super) fn drafts<'a>(
    reading: &mut Reading<'_>,
    statements: &Statements<'a>,
    forwarding: Forwarding,
) -> Vec<RealDraft<'a>> {
    statements.all("real_server").filter_map(|block| draft(reading, block, forwarding)).collect()
}

fn draft<'a>(reading: &mut Reading<'_>, block: Node<'a>, forwarding: Forwarding) -> Option<RealDraft<'a>> {
    let words = block.arguments();
    if words.is_empty() {
        reading.report_at(&rule::MISSING_PARAMETER, Some(block), "real_server needs an address");
        return None;
    }
    let at = endpoint::address_port(reading, "real server", &words)?;
    let statements = Statements::of(block.children());
    let forwarding = forwarding::read(reading, statements.last("lvs_method")).unwrap_or(forwarding);
    Some(RealDraft { block, statements, at, forwarding })
}

/// The real servers that can be used, each once.
pub(super) fn finish(
    reading: &mut Reading<'_>,
    statements: &Statements<'_>,
    drafts: Vec<RealDraft<'_>>,
    setting: &Setting<'_>,
    surroundings: &Surroundings<'_>,
) -> Vec<RealServer> {
    let weight = reading.integer(statements.last("weight")).unwrap_or(1);
    let inhibit = statements.has("inhibit_on_failure");
    let mut seen: HashMap<AddressPort, Node<'_>> = HashMap::with_capacity(drafts.len());
    let mut servers = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let written = draft.at;
        if !fits(reading, written, draft.forwarding, setting, draft.block, "real server") {
            continue;
        }
        let port = forwarding::kernel_port(setting.service, draft.forwarding, written.port);
        let at = AddressPort { address: written.address, port };
        if let Some(first) = seen.get(&at) {
            twice(reading, setting, at, draft.block, *first);
            continue;
        }
        seen.insert(at, draft.block);
        check_port(reading, setting, &draft);
        let pace = setting.pace.with(reading, &draft.statements);
        let default = AddressPort { address: written.address, port: written.port.or(setting.service.port()) };
        let scene = Scene { default, pace, service_delay_loop: setting.pace.delay_loop, surroundings };
        let (upper_threshold, lower_threshold) = thresholds(reading, &draft.statements);
        let settings = RealServerSettings {
            weight: reading.integer(draft.statements.last("weight")).unwrap_or(weight),
            forwarding: draft.forwarding,
            upper_threshold,
            lower_threshold,
            inhibit_on_failure: reading.switch(draft.statements.last("inhibit_on_failure")).unwrap_or(inhibit),
            alpha: pace.alpha,
            pace: Some(pace.said()).filter(|said| *said != setting.pace.said()).map(Box::new),
            smtp_alert: reading.switch(draft.statements.last("smtp_alert")).or(surroundings.smtp_alert).unwrap_or(true),
            extras: extras(reading, &draft.statements),
        };
        let checkers = check::read_all(reading, draft.block, &scene);
        servers.push(RealServer { address: at.address, port, settings, checkers });
    }
    servers.shrink_to_fit();
    servers
}

fn extras(reading: &mut Reading<'_>, statements: &Statements<'_>) -> Option<Box<RealServerExtras>> {
    let extras = RealServerExtras {
        virtualhost: reading.text(statements.last("virtualhost")),
        snmp_name: reading.single_text(statements.last("snmp_name")),
        notify_up: reading.first_script(statements, "notify_up"),
        notify_down: reading.first_script(statements, "notify_down"),
    };
    (extras != RealServerExtras::default()).then(|| Box::new(extras))
}

/// Whether a server is of the family of the service, or behind a tunnel.
fn fits(
    reading: &mut Reading<'_>,
    at: AddressPort,
    forwarding: Forwarding,
    setting: &Setting<'_>,
    node: Node<'_>,
    what: &str,
) -> bool {
    let family = setting.service.family();
    if forwarding.crosses_families() || Family::of(at.address) == family {
        return true;
    }
    let (service, address) = (setting.service, at.address);
    let message = format!("virtual server {service} is {family}, so the {what} {address} is left out");
    let finding = match node.argument() {
        Some(word) => Finding::at(&rule::SERVER_FAMILY, word.span, message),
        None => Finding::anywhere(&rule::SERVER_FAMILY, message),
    };
    reading.report(finding.help("only lvs_method TUN crosses from one family to the other"));
    false
}

fn twice(reading: &mut Reading<'_>, setting: &Setting<'_>, at: AddressPort, block: Node<'_>, first: Node<'_>) {
    let port = at.port.map(|port| format!(" {port}")).unwrap_or_default();
    let message = format!("virtual server {} has the real server {}{port} already", setting.service, at.address);
    let finding = match keyword_span(block) {
        Some(span) => Finding::at(&rule::REAL_SERVER_TWICE, span, message),
        None => Finding::anywhere(&rule::REAL_SERVER_TWICE, message),
    };
    let finding = finding.note("this one is left out");
    reading.report(match keyword_span(first) {
        Some(span) => finding.also(span, "the first is here"),
        None => finding,
    });
}

/// Without NAT packets keep their port.
fn check_port(reading: &mut Reading<'_>, setting: &Setting<'_>, draft: &RealDraft<'_>) {
    let Some(written) = draft.at.port else { return };
    if draft.forwarding.translates_ports() || setting.service.port() == Some(written) {
        return;
    }
    let used = match setting.service.port() {
        Some(port) => format!("{port} is used"),
        None if setting.head_is_group => "that of each address of the group is used".to_owned(),
        None => "that of each packet is used".to_owned(),
    };
    let message = format!(
        "real server {} {written}: only NAT changes ports; {used} for clients, {written} for checks",
        draft.at.address
    );
    reading.report_at(&rule::SERVER_PORT, Some(draft.block), message);
}

/// `uthreshold` and `lthreshold`. The kernel does not take a server whose lower threshold is above the upper one, which
/// is 0 if it is not given (`ip_vs_add_dest`).
fn thresholds(reading: &mut Reading<'_>, statements: &Statements<'_>) -> (u32, u32) {
    let upper = reading.integer(statements.last("uthreshold")).unwrap_or(0);
    let lower = reading.integer(statements.last("lthreshold")).unwrap_or(0);
    if lower <= upper {
        return (upper, lower);
    }
    let message = if upper == 0 {
        format!("lthreshold {lower} needs uthreshold; it is ignored")
    } else {
        format!("lthreshold {lower} is above uthreshold {upper}; it is ignored")
    };
    reading.report_at(&rule::THRESHOLDS, statements.last("lthreshold"), message);
    (upper, 0)
}

/// The sorry server, if it can be used.
pub(super) fn finish_sorry(
    reading: &mut Reading<'_>,
    statements: &Statements<'_>,
    sorry: SorryServer,
    setting: &Setting<'_>,
) -> Option<Box<SorryServer>> {
    let node = statements.last("sorry_server")?;
    let at = AddressPort { address: sorry.address, port: sorry.port };
    if !fits(reading, at, sorry.forwarding, setting, node, "sorry server") {
        return None;
    }
    // not that of the virtual server, as a real server's is: the port that the client asked for
    let port = if sorry.forwarding.translates_ports() { sorry.port } else { setting.service.port() };
    if let Some(written) = sorry.port.filter(|_| !sorry.forwarding.translates_ports() && port != sorry.port) {
        let message = format!("sorry server {} {written}: only NAT changes ports; its port is ignored", sorry.address);
        reading.report_at(&rule::SERVER_PORT, Some(node), message);
    }
    Some(Box::new(SorryServer { port, ..sorry }))
}

/// The kernel has one entry for a sorry server that is a real server, too: what that one says about weight 0 counts.
pub(super) fn agree(
    reading: &mut Reading<'_>,
    statements: &Statements<'_>,
    sorry: &mut SorryServer,
    servers: &[RealServer],
) {
    let same = servers.iter().find(|real| (real.address, real.port) == (sorry.address, sorry.port));
    let Some(inhibit) = same.map(|real| real.settings.inhibit_on_failure) else { return };
    if std::mem::replace(&mut sorry.inhibit, inhibit) != inhibit {
        let kept = if inhibit { "kept" } else { "not kept" };
        let message = format!(
            "the sorry server {} is a real server, too, and that one is {kept} with weight 0; so is the sorry server",
            sorry.address
        );
        reading.report_at(&rule::SORRY_INHIBIT, statements.last("sorry_server"), message);
    }
}
