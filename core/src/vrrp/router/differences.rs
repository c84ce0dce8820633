//! What an accepted advert says otherwise than ours do: some of it is a mistake in one of the configurations.

use super::super::advert::{FAREWELL, Message};
use super::super::note::Note;
use super::super::receive::{Accepted, Datagram};
use super::super::types::Version;
use super::{Effect, Router};
use crate::time::Instant;

/// Addresses of another virtual router that are named.
const MOST_NAMED: usize = 3;

impl Router {
    /// Notes what `advert` says otherwise than ours do.
    pub(super) fn note_differences(
        &mut self,
        now: Instant,
        advert: &Accepted,
        datagram: &Datagram<'_>,
        out: &mut Vec<Effect>,
    ) {
        let source = advert.source;
        if let Some(theirs) = advert.checksum {
            self.note(now, Note::ChecksumForm { source, theirs }, out);
        }
        if let Some(behind) = advert.skew {
            self.note(now, Note::ClockSkew { source, behind }, out);
        }
        if advert.addresses_differ {
            let ours = &self.params.addresses;
            let theirs = || {
                let message = Message::decode(datagram.message).into_iter();
                message.flat_map(|message| message.addresses(self.params.settings.family).collect::<Vec<_>>())
            };
            let strangers = !ours.is_empty() && theirs().next().is_some() && !theirs().any(|it| ours.contains(&it));
            let note = match strangers {
                true => {
                    let addresses = theirs().take(MOST_NAMED).collect();
                    Note::OtherRouter { source, vrid: self.params.settings.vrid, addresses }
                }
                false => Note::AddressesDiffer { source },
            };
            self.note(now, note, out);
        }
        if self.params.settings.version == Version::V3
            && advert.interval != self.params.settings.interval
            && advert.priority != FAREWELL
        {
            self.note(now, Note::IntervalDiffers { source, theirs: advert.interval }, out);
        }
    }
}
