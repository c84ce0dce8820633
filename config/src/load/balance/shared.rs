//! Services of the kernel that several virtual servers name. The table has each once, so that they share it.

use std::collections::HashMap;

use keepalived_core::balance::{Owners, ServiceId, ServiceKey};

use super::super::reading::Reading;
use super::super::statements::keyword_span;
use super::surroundings::Surroundings;
use crate::finding::{Finding, rule};
use crate::model::{MOST_SERVICES, Service};
use crate::syntax::Node;

/// Says which virtual servers share a service, and who owns it.
pub(super) fn report(reading: &mut Reading<'_>, servers: &[(&Service, Node<'_>)], surroundings: &Surroundings<'_>) {
    // without groups each service stands there once: two blocks of one service are joined
    if !servers.iter().any(|(service, _)| matches!(service, Service::Group { .. })) {
        return;
    }
    let mut room = MOST_SERVICES;
    let mut named: Vec<Vec<ServiceKey>> = Vec::with_capacity(servers.len());
    for (service, block) in servers {
        let group = |name: &str| surroundings.groups.get(name).map(|known| known.group);
        let Some(keys) = service.keys(group, room) else {
            let message = format!("the virtual servers up to this one have more than {MOST_SERVICES} addresses");
            reading.report_at(&rule::SERVER_GROUP_LARGE, Some(*block), message);
            return;
        };
        room = room.saturating_sub(keys.len());
        named.push(keys);
    }
    // of each pair the first service that they share, and how many there are
    let mut pairs: HashMap<_, (ServiceKey, usize)> = HashMap::new();
    for (key, sharers) in Owners::new(named.iter().map(Vec::as_slice)).all() {
        let Some((owner, others)) = sharers.split_first() else { continue };
        for other in others {
            let (first, count) = pairs.entry((*other, *owner)).or_insert((*key, 0));
            *first = (*first).min(*key);
            *count = count.saturating_add(1);
        }
    }
    let at = |id: ServiceId| servers.get(usize::try_from(id.0).ok()?);
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_unstable_by_key(|(pair, _)| *pair);
    for ((other, owner), (key, count)) in pairs {
        let (Some((other, block)), Some((owner, first))) = (at(other), at(owner)) else { continue };
        let more = match count {
            1 => String::new(),
            count => format!(" and {} more", count.saturating_sub(1)),
        };
        let message = format!("virtual servers {owner} and {other} both have {}{more}", Service::from(key));
        let finding = match keyword_span(*block) {
            Some(span) => Finding::at(&rule::SERVICE_SHARED, span, message),
            None => Finding::anywhere(&rule::SERVICE_SHARED, message),
        };
        let finding = finding.note("there the settings of the first count, and it gets the real servers of both");
        reading.report(match keyword_span(*first) {
            Some(span) => finding.also(span, "the first is here"),
            None => finding,
        });
    }
}
