//! What the configuration says of sessions, in the terms of the machine.

use std::net::IpAddr;
use std::num::NonZeroU8;

use keepalived_config::model::BfdInstance;
use keepalived_core::bfd::{HopLimits, Micros, Params, Reach, Settings};

/// TTL and hop limit of our packets unless the file says another (RFC 5881 §5).
const GREATEST: u8 = u8::MAX;
/// What keepalived sends over IPv6 unless its file says another (observed).
const OF_KEEPALIVED: u8 = 64;
/// `max_hops 255`: no limit.
const NO_LIMIT: i16 = 255;

/// A session of the machine.
pub(super) fn settings(instance: &BfdInstance) -> Settings {
    Settings {
        name: instance.name.clone(),
        neighbor: instance.neighbor,
        source: instance.source,
        interface: instance.interface,
        reach: reach(instance),
        hop_limits: hop_limits(instance),
        params: params(instance),
    }
}

/// TTL or hop limit of our packets.
pub(super) fn hop_limit(instance: &BfdInstance) -> u8 {
    instance.ttl.unwrap_or(GREATEST)
}

const fn reach(instance: &BfdInstance) -> Reach {
    if instance.multihop { Reach::Multihop } else { Reach::SingleHop }
}

fn params(instance: &BfdInstance) -> Params {
    Params {
        min_tx: Micros::of(instance.min_tx),
        idle_tx: Micros::of(instance.idle_tx),
        min_rx: Micros::of(instance.min_rx),
        multiplier: NonZeroU8::new(instance.multiplier).unwrap_or(NonZeroU8::MIN),
        passive: instance.passive,
    }
}

/// As with keepalived a neighbour is expected to send what we do, less `max_hops`.
fn hop_limits(instance: &BfdInstance) -> HopLimits {
    if instance.max_hops == NO_LIMIT {
        return HopLimits { least: 0, learns_greatest: false };
    }
    let usual = if matches!(instance.neighbor, IpAddr::V6(_)) { OF_KEEPALIVED } else { GREATEST };
    let expected = i16::from(instance.ttl.unwrap_or(usual));
    let least = expected.saturating_sub(instance.max_hops).clamp(0, 255);
    let learns_greatest = instance.ttl.is_none() && instance.max_hops == 0 && reach(instance) == Reach::SingleHop;
    HopLimits { least: u8::try_from(least).unwrap_or(GREATEST), learns_greatest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    fn instance(neighbor: &str, lines: &str) -> BfdInstance {
        let text = format!("bfd_instance B1 {{\n neighbor_ip {neighbor}\n{lines}\n}}\n");
        from_text(&text).bfd_instances.remove(0)
    }

    #[test]
    fn packets_from_as_far_as_max_hops_are_taken() {
        for (neighbor, lines, sent, least, learns) in [
            ("10.0.0.2", "", 255, 255, true),
            ("10.0.0.2", "max_hops 3", 255, 252, false),
            ("10.0.0.2", "ttl 64\nmax_hops 3", 64, 61, false),
            ("10.0.0.2", "max_hops 255", 255, 0, false),
            ("10.0.0.2", "multihop\nmax_hops 10", 255, 245, false),
            ("fd00::2", "", 255, 64, true),
            ("fd00::2", "hoplimit 255", 255, 255, false),
            ("fd00::2", "hoplimit 64", 64, 64, false),
            ("fd00::2", "multihop", 255, 64, false),
        ] {
            let instance = instance(neighbor, lines);
            let limits = hop_limits(&instance);
            let all = (hop_limit(&instance), limits.least, limits.learns_greatest);
            assert_eq!(all, (sent, least, learns), "{neighbor} {lines}");
        }
    }

    #[test]
    fn times_are_those_of_the_file() {
        let settings =
            settings(&instance("10.0.0.2", "source_ip 10.0.0.1\nmin_rx 50\nmin_tx 60.5\nmultiplier 3\npassive"));
        let params = settings.params;
        assert_eq!(
            (params.min_rx, params.min_tx, params.idle_tx),
            (Micros::new(50_000), Micros::new(60_500), Micros::SECOND)
        );
        assert_eq!((params.multiplier.get(), params.passive, settings.reach), (3, true, Reach::SingleHop));
        assert_eq!(settings.source, Some("10.0.0.1".parse().unwrap()));
    }
}
