//! What lines of routes, rules and addresses have in common.

use super::line::Wrong;
use super::reading::Reading;
use crate::facts::RouteName;
use crate::finding::{Finding, rule};
use crate::model::Realms;
use crate::syntax::Word;

/// `RTPROT_KEEPALIVED`
const OUR_PROTOCOL: u8 = 18;

/// Which kind of block a line of addresses, routes or rules stands in.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Block {
    /// `virtual_*`, in an instance.
    #[default]
    Virtual,
    /// `static_*`: such a line may say `track_group`.
    Static,
}

/// The protocol of something that may be tracked: by it we know what is ours.
pub(super) fn tracked_protocol(
    reading: &mut Reading<'_>,
    tracked: bool,
    said: Option<u8>,
    word: Option<Word<'_>>,
    what: &str,
) -> Option<u8> {
    if !tracked {
        return said;
    }
    if let Some(word) = word.filter(|_| said != Some(OUR_PROTOCOL)) {
        let message = format!("a {what} that is tracked has protocol {OUR_PROTOCOL}, not {}", word.str());
        let finding = Finding::at(&rule::ROUTE_PROTOCOL, word.span, message);
        reading.report(finding.help("add no_track, or remove protocol"));
    }
    Some(OUR_PROTOCOL)
}

/// The group that `word` names, if there is one and something to tell a deletion by.
pub(super) fn track_group(
    reading: &mut Reading<'_>,
    word: Option<Word<'_>>,
    has_device: bool,
    needs: &str,
) -> Option<String> {
    let word = word?;
    let name = word.str().into_owned();
    let finding = if !has_device {
        Finding::at(&rule::TRACK_GROUP, word.span, format!("{needs} to have a track_group"))
    } else if !reading.track_groups.contains(&name) {
        let finding = Finding::at(&rule::TRACK_GROUP, word.span, format!("there is no track_group {name}"));
        let groups = std::mem::take(&mut reading.track_groups);
        let near = reading.suggest(&name, groups.iter().map(String::as_str));
        reading.track_groups = groups;
        match near {
            Some(near) => finding.help(format!("did you mean {near}?")).fix(word.span, near),
            None => finding,
        }
    } else {
        return Some(name);
    };
    reading.report(finding.note("track_group is ignored"));
    None
}

/// `[FROM/]TO`
pub(super) fn realms(reading: &Reading<'_>, option: Word<'_>, word: Word<'_>) -> Result<Realms, Wrong> {
    let part = |text| reading.named(RouteName::Realm, option, Word { text, ..word }, 255).map(u16::try_from);
    let slash = word.text.iter().position(|octet| *octet == b'/');
    let (from, to) = match slash.and_then(|slash| word.text.split_at_checked(slash)) {
        Some((from, to)) => (part(from)?.unwrap_or_default(), to.get(1..).unwrap_or_default()),
        None => (0, word.text),
    };
    Ok(Realms { from, to: part(to)?.unwrap_or_default() })
}
