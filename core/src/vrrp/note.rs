//! What an administrator should hear about once, not with every packet.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::params::ChecksumForm;
use super::receive::Refusal;
use super::types::{AdvertInterval, Vrid};
use crate::pace::Pace;
use crate::time::Instant;

/// Something noticed in an advert.
///
/// A router emits each kind once, and again after its state changed or it heard a new master, but no more than a few and
/// then one in ten seconds (RFC 9568 §7.1: SHOULD log, rate-limited). Counters count every time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// The advert was refused.
    Refused {
        /// Who sent it.
        source: IpAddr,
        /// Why.
        refusal: Refusal,
    },
    /// The advert was accepted though its checksum has not the form that we send.
    ChecksumForm {
        /// Who sent it.
        source: IpAddr,
        /// The form it has.
        theirs: ChecksumForm,
    },
    /// The advert was accepted though it lists other addresses than ours.
    AddressesDiffer {
        /// Who sent it.
        source: IpAddr,
    },
    /// The advert was accepted though none of its addresses is ours: it is most likely another virtual router's.
    OtherRouter {
        /// Who sent it.
        source: IpAddr,
        /// The VRID that both have.
        vrid: Vrid,
        /// Some of its addresses.
        addresses: Vec<IpAddr>,
    },
    /// The advert was accepted, and its interval learnt, though ours differs.
    IntervalDiffers {
        /// Who sent it.
        source: IpAddr,
        /// Its interval.
        theirs: AdvertInterval,
    },
    /// A master heard another with a lower claim.
    LowerClaim {
        /// Who sent it.
        source: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// A master heard an advert from its own address that it may have sent itself.
    OwnAddress {
        /// That address.
        source: IpAddr,
    },
    /// The advert was accepted, and its time is more than half of `time_window` away from ours.
    ClockSkew {
        /// Who sent it.
        source: IpAddr,
        /// By how many seconds its time is behind ours.
        behind: i32,
    },
    /// Two routers say that they own the addresses.
    SecondOwner {
        /// The other one.
        source: IpAddr,
    },
}

/// Keeps notes of one kind apart in time, after the first few.
#[derive(Clone, Debug, Default)]
pub(super) struct NotePace {
    kinds: Vec<(u32, Pace)>,
}

impl NotePace {
    /// Notes of one kind that may come one upon the other.
    const BURST: u32 = 3;
    /// One more after each of these.
    const PAUSE: Duration = Duration::from_secs(10);

    /// Whether a note of `kind` may be emitted now; it counts as emitted then.
    pub(super) fn may(&mut self, now: Instant, kind: u32) -> bool {
        let at = self.kinds.iter().position(|(known, _)| *known == kind).unwrap_or(self.kinds.len());
        if at == self.kinds.len() {
            self.kinds.push((kind, Pace::new(Self::BURST, Self::PAUSE)));
        }
        self.kinds.get_mut(at).is_some_and(|(_, pace)| pace.take(now))
    }
}

impl Note {
    /// A bit for each kind, to emit it once.
    pub(super) const fn kind(&self) -> u32 {
        match self {
            Self::Refused { refusal, .. } => refusal.kind(),
            Self::ChecksumForm { .. } => 1 << 24,
            Self::AddressesDiffer { .. } => 1 << 25,
            Self::IntervalDiffers { .. } => 1 << 26,
            Self::LowerClaim { .. } => 1 << 27,
            Self::OwnAddress { .. } => 1 << 28,
            Self::SecondOwner { .. } => 1 << 29,
            Self::OtherRouter { .. } => 1 << 30,
            Self::ClockSkew { .. } => 1 << 31,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { source, refusal } => write!(f, "advert from {source} refused: {refusal}"),
            Self::ChecksumForm { source, theirs } => {
                let (form, advice) = match theirs {
                    ChecksumForm::PseudoHeader => {
                        ("with the pseudo-header", "v3_checksum_as_v2 is set here and not there")
                    }
                    ChecksumForm::Plain => ("without the pseudo-header (RFC 9568)", "set v3_checksum_as_v2 here too"),
                    ChecksumForm::OldUnicast => {
                        ("in the unicast form of keepalived before 1.3.7", "upgrade that router")
                    }
                };
                write!(
                    f,
                    "{source} computes its checksum {form}, we do not; its adverts are accepted here, but ours may be refused there: {advice}"
                )
            }
            Self::AddressesDiffer { source } => {
                write!(
                    f,
                    "advert from {source} lists other addresses than ours; make virtual_ipaddress the same on both"
                )
            }
            Self::OtherRouter { source, vrid, addresses } => {
                write!(f, "{source} uses VRID {vrid} for addresses that are not ours (")?;
                for (position, address) in addresses.iter().enumerate() {
                    write!(f, "{}{address}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("): that is another virtual router; give one of the two another virtual_router_id")
            }
            Self::IntervalDiffers { source, theirs } => {
                write!(
                    f,
                    "{source} advertises every {theirs:?}, we are configured otherwise; its interval is used while it is master"
                )
            }
            Self::LowerClaim { source, priority } => {
                write!(f, "{source} is master too, with the lower claim (priority {priority})")
            }
            Self::OwnAddress { source } => {
                write!(
                    f,
                    "advert from our own address {source} that claims no more than we did: a second router with this address, or a loop in the network"
                )
            }
            Self::ClockSkew { source, behind } => {
                write!(
                    f,
                    "the clock of {source} is {behind} s behind ours; synchronise both before time_window of auth_hmac refuses its adverts"
                )
            }
            Self::SecondOwner { source } => {
                write!(
                    f,
                    "{source} says that it owns the addresses (priority 255), and so do we; give one of them a lower priority"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_a_kind_are_bounded_in_time_and_kinds_do_not_displace_each_other() {
        let mut pace = NotePace::default();
        let start = Instant::from_nanos(5_000_000_000);
        let emitted = (0..60_000).filter(|n| pace.may(start + Duration::from_millis(*n), 1)).count();
        assert!((3..=3 + 6).contains(&emitted), "{emitted} in a minute");
        assert!(pace.may(start + Duration::from_secs(60), 2));
    }
}
