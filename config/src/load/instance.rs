//! `vrrp_instance`: the statements of a block, then what they mean together.

mod addresses;
mod authentication;
mod draft;
mod election;
mod interface;
mod own_link;
mod promotion;
mod protocol;
mod transport;

use std::collections::HashMap;

use keepalived_core::vrrp::{Authentication, Vrid};

use self::authentication::AuthenticationInput;
use self::draft::Draft;
use self::election::AdvertHandling;
use self::transport::Endpoint;
use super::address::{of_family, once};
use super::global::Defaults;
use super::reading::Reading;
use super::routing::Block;
use super::settings::Pacing;
use super::statements::{Statements, keyword_span};
use super::tracks::{self, Trackers};
use super::{notify, policy, route};
use crate::finding::{Finding, rule};
use crate::model::{Global, InitialState, Instance, Settings};
use crate::span::Span;
use crate::syntax::Node;

/// Every instance that can be made sense of, in the order of the file.
pub(super) fn read_all<'a>(
    reading: &mut Reading<'a>,
    blocks: impl Iterator<Item = Node<'a>>,
    global: &Global,
    defaults: &Defaults,
    trackers: &mut Trackers,
) -> Vec<Instance> {
    let mut names: HashMap<String, Option<Span>> = HashMap::new();
    let mut endpoints: HashMap<Endpoint, (String, Option<Span>)> = HashMap::new();
    let mut links = HashMap::new();
    let mut instances = Vec::new();
    for block in blocks {
        let Some(name) = reading.block_name(block) else { continue };
        if let Some(first) = names.get(&name) {
            reading.report(duplicate(&name, block, *first));
            continue;
        }
        names.insert(name.clone(), keyword_span(block));
        let draft = Draft { name, block, statements: Statements::of(block.children()), global, defaults };
        let Some(mut instance) = read(reading, &draft, trackers) else { continue };
        own_link::claim(reading, &draft, instance.own_link.as_mut(), &mut links);
        transport::claim(reading, &draft, &instance, &mut endpoints);
        instances.push(instance);
    }
    instances
}

fn duplicate(name: &str, block: Node<'_>, first: Option<Span>) -> Finding {
    let message = format!("there is a vrrp_instance {name} already");
    let finding = match keyword_span(block) {
        Some(span) => Finding::at(&rule::DUPLICATE_NAME, span, message),
        None => Finding::anywhere(&rule::DUPLICATE_NAME, message),
    };
    let finding = finding.note("the second block is left out");
    match first {
        Some(first) => finding.also(first, "the first is here"),
        None => finding,
    }
}

fn read(reading: &mut Reading<'_>, draft: &Draft<'_>, trackers: &mut Trackers) -> Option<Instance> {
    let statements = &draft.statements;
    let vrid = vrid(reading, draft);
    let link = interface::read(reading, draft);
    let advertised = addresses::read(reading, draft, "virtual_ipaddress");
    let excluded = addresses::read(reading, draft, "virtual_ipaddress_excluded");
    let wanted = transport::read(reading, draft);
    let strict = reading.switch(statements.last("strict_mode")).unwrap_or(draft.defaults.strict);
    let family = protocol::family(draft, &advertised, &wanted);
    let version = protocol::version(reading, draft, family, strict);
    let (priority, initial) = election::priority_and_state(reading, draft, strict);
    let advertised = of_family(reading, advertised, family);
    let (advertised, excluded) = once(reading, &draft.name, advertised, excluded);
    let (addresses, excluded_addresses) = addresses::fit(reading, draft, advertised, excluded, link, (version, family));
    addresses::check(reading, draft, &addresses, version, strict);
    let transport = wanted.transport(reading, draft, family, strict, link);
    interface::check(reading, draft, link, &transport);
    let pacing = Pacing::instance(reading, statements);
    if strict && pacing.has_lower_prio() {
        draft.report(reading, &rule::STRICT_CONFLICT, "garp_lower_prio_repeat", "strict mode excludes garp_lower_prio");
    }
    let checksum = protocol::checksum(reading, draft, version, family, &transport);
    let adverts = AdvertHandling::read(reading, draft, strict);
    let advert_interval = protocol::advert_interval(reading, draft, version);
    let preempt = election::preempt(reading, draft, priority, initial, strict);
    let interval = advert_interval.duration();
    let authentication = authentication::read(
        reading,
        draft,
        AuthenticationInput { version, family, strict, initial, priority, interval },
    );
    let listens_first = matches!(authentication, Authentication::Header(_)) && !priority.is_owner();
    let initial = if listens_first { InitialState::Backup } else { initial };
    let own_link = own_link::read(reading, draft, vrid, family, strict);
    let own_link = own_link.and_then(|own| own_link::fitted(reading, draft, own, link, &transport));
    let settings = Settings {
        // stands in for one that is missing, so that everything after it is checked all the same
        vrid: vrid.or(Vrid::new(1))?,
        version,
        family,
        priority,
        initial,
        interval: advert_interval,
        down_adverts: election::down_timer_adverts(reading, draft, strict),
        preempt,
        checksum,
        strict,
        skip_check_adv_addr: adverts.skip_check_adv_addr,
        lower_prio_no_advert: adverts.lower_prio_no_advert,
        higher_prio_send_advert: adverts.higher_prio_send_advert,
        owner_ignore_adverts: adverts.owner_ignore_adverts && priority.is_owner(),
        timer_expired_backup: election::timer_expired_backup(reading, draft, preempt),
        garp: pacing.over(&draft.defaults.pacing, strict),
    };
    let tracks = tracks::read(reading, trackers, &format!("instance {}", draft.name), statements);
    let promoting =
        promotion::read(reading, draft, &trackers.sessions, family, &transport, (&addresses, tracks.as_deref()));
    let instance = Instance {
        maintenance: false,
        name: draft.name.clone(),
        interface: link.name,
        settings,
        accept: election::accept(reading, draft, version, priority, strict),
        transport,
        addresses,
        excluded_addresses,
        authentication,
        dont_track_primary: statements.has("dont_track_primary"),
        track_src_ip: statements.has("track_src_ip"),
        promote_secondaries: statements.has("promote_secondaries") && own_link.is_none(),
        rx_buffer: reading.integer(statements.last("kernel_rx_buf_size")),
        own_link,
        vmac_addresses: statements.has("use_vmac_addr"),
        vrf: interface::vrf(reading, draft, link),
        promoting,
        tracks,
        notify: notify::read(reading, statements),
        routes: statements
            .all("virtual_routes")
            .flat_map(|block| route::lines(reading, block, Block::Virtual))
            .collect(),
        rules: statements
            .all("virtual_rules")
            .flat_map(|block| policy::lines(reading, block, Block::Virtual))
            .collect(),
        mail: mail(reading, draft),
        notify_priority_changes: priority_changes(reading, draft),
        linkbeat: statements.has("linkbeat_use_polling"),
        lvs_sync_interface: reading.interface(statements.first("lvs_sync_daemon_interface")),
        debug: reading.integer(statements.last("debug")).unwrap_or_default(),
    };
    vrid.map(|_| instance)
}

fn vrid(reading: &mut Reading<'_>, draft: &Draft<'_>) -> Option<Vrid> {
    let Some(node) = draft.statements.last("virtual_router_id") else {
        draft.missing(reading, &rule::VRID_MISSING, "virtual_router_id", "virtual_router_id is missing");
        return None;
    };
    let word = node.argument()?;
    let parsed = crate::value::integer(word.text).ok().and_then(|id| u8::try_from(id).ok()).and_then(Vrid::new);
    if parsed.is_none() {
        let message = format!("virtual_router_id must be 1 to 255, not {}", word.str());
        let finding = Finding::at(&rule::VRID_RANGE, word.span, message).label("the packet has eight bits for it");
        reading.report(finding.note(format!("instance {} cannot run", draft.name)));
    }
    parsed
}

/// `smtp_alert`, here or globally.
fn mail(reading: &mut Reading<'_>, draft: &Draft<'_>) -> bool {
    let mail = &draft.global.mail;
    reading.switch(draft.statements.last("smtp_alert")).or(mail.alert_vrrp).or(mail.alert).unwrap_or(false)
}

/// `notify_priority_changes`, here, in the group or globally.
fn priority_changes(reading: &mut Reading<'_>, draft: &Draft<'_>) -> bool {
    let defaults = draft.defaults;
    let said = reading.switch(draft.statements.last("notify_priority_changes"));
    said.or(defaults.group_priority_changes.get(&draft.name).copied()).unwrap_or(defaults.priority_changes)
}
