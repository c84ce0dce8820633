//! What an instance speaks: version, family, interval, form of the checksum.

use keepalived_core::time::Centis;
use keepalived_core::vrrp::{AdvertInterval, Family, Version};

use super::super::address::AddressLine;
use super::super::reading::Reading;
use super::draft::Draft;
use super::transport::Wanted;
use crate::finding::{Finding, rule};
use crate::model::{ChecksumForm, Transport};

/// `native_ipv6`, else the family of the first address, else the family of the addresses in `wanted`.
pub(super) fn family(draft: &Draft<'_>, advertised: &[AddressLine<'_>], wanted: &Wanted) -> Family {
    if draft.statements.has("native_ipv6") {
        return Family::V6;
    }
    let first = advertised.first().map(|placed| placed.address.address);
    first.or_else(|| wanted.any_address()).map_or(Family::V4, Family::of)
}

pub(super) fn version(reading: &mut Reading<'_>, draft: &Draft<'_>, family: Family, strict: bool) -> Version {
    let said: Option<i64> = reading.integer(draft.statements.last("version"));
    let native = draft.statements.has("native_ipv6");
    let version = match (said, family) {
        (Some(2), _) => Version::V2,
        (Some(_), _) | (None, Family::V6) => Version::V3,
        (None, Family::V4) => draft.defaults.version,
    };
    if version == Version::V2 && family == Family::V6 && (strict || native) {
        draft.report(reading, &rule::VERSION_FAMILY, "version", "IPv6 needs version 3 here; version 3 is used");
        return Version::V3;
    }
    version
}

/// `advert_int`, as the version can say it.
pub(super) fn advert_interval(reading: &mut Reading<'_>, draft: &Draft<'_>, version: Version) -> AdvertInterval {
    let node = draft.statements.last("advert_int");
    let Some(said) = reading.duration(node) else { return AdvertInterval::DEFAULT };
    let micros = said.as_micros();
    let centis = match version {
        Version::V2 => (micros.saturating_add(500_000) / 1_000_000).max(1).saturating_mul(100),
        Version::V3 => (micros.saturating_add(5_000) / 10_000).min(4095),
    };
    let interval = u16::try_from(centis).ok().and_then(|centis| AdvertInterval::new(version, Centis::new(centis)).ok());
    let interval = interval.unwrap_or(AdvertInterval::DEFAULT);
    if interval.duration() != said {
        let units = match version {
            Version::V2 => "version 2 has whole seconds",
            Version::V3 => "version 3 has hundredths of a second up to 40.95",
        };
        let message = format!("advert_int becomes {:?}: {units}", interval.duration());
        draft.report(reading, &rule::ADVERT_INTERVAL_ROUNDED, "advert_int", &message);
    }
    interval
}

pub(super) fn checksum(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    version: Version,
    family: Family,
    transport: &Transport,
) -> ChecksumForm {
    let plain = reading.switch(draft.statements.last("v3_checksum_as_v2")).unwrap_or(draft.defaults.v3_checksum_as_v2);
    let old = match draft.statements.last("old_unicast_checksum").map(|node| node.argument()) {
        None => false,
        Some(None) => true,
        Some(Some(word)) => {
            if word.text != b"never" {
                let message = format!("old_unicast_checksum stands alone or with never, not with {}", word.str());
                reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
            }
            false
        }
    };
    match (version, family) {
        (Version::V3, Family::V4) if old && matches!(transport, Transport::Unicast { .. }) => ChecksumForm::OldUnicast,
        (Version::V3, Family::V4) if plain => ChecksumForm::Plain,
        _ => ChecksumForm::PseudoHeader,
    }
}
