//! The trailer of `auth_hmac` (keepalived 2.4; draft-cassen-vrrp-auth-hmac): a key's number, a sequence number made
//! from the time, and HMAC-SHA256 over the message and who sent it.
//!
//! ```text
//! | type = 1      | key           |          reserved = 0         |
//! |                   seconds since 1970, UTC                     |
//! | fraction, 1/65,536 s          |            counter            |
//! |                 HMAC-SHA256, first 16 octets                  |
//! ```

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac as Mac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::super::types::Family;

/// Octets of the trailer.
pub const TRAILER_LENGTH: usize = 28;
/// Octets of the digest that are sent.
const DIGEST_LENGTH: usize = 16;
/// The only type there is.
const TYPE: u8 = 1;
/// Senders to a group that are remembered.
pub(super) const MULTICAST_SENDERS: usize = 4;
/// Where the checksum stands in a message: it counts as zero.
const CHECKSUM_AT: usize = 6;

/// `auth_hmac`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hmac {
    /// `key`: each number once.
    pub keys: Vec<HmacKey>,
    /// `active_key`: the number of one of them, which adverts are sent with.
    pub active: u8,
    /// `anti_replay`, with `time_window`.
    pub replay: Replay,
    /// `mode`
    pub mode: HmacMode,
}

/// `key ID VALUE`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacKey {
    /// 1 to 255.
    pub id: u8,
    /// 32 to 64 octets; none if the key is in a file that this machine has not read.
    pub secret: Vec<u8>,
}

/// No log and no dump shows secrets.
impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HmacKey {{ id: {}, secret: {} octets }}", self.id, self.secret.len())
    }
}

/// `anti_replay`: what an old advert is recognised by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Replay {
    /// Its time may differ from ours by this much.
    Time(Duration),
    /// Its number must grow.
    Monotonic,
}

/// `mode` of `auth_hmac`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum HmacMode {
    /// Adverts are signed, and must be.
    #[default]
    Enforce,
    /// Adverts are signed; those without are believed.
    Permissive,
    /// Adverts are not signed; those that are must be right.
    ReceiveOnly,
}

impl Hmac {
    /// Whether what we send is signed.
    pub const fn signs(&self) -> bool {
        !matches!(self.mode, HmacMode::ReceiveOnly)
    }

    /// Whether a router with this accepts what one with `other` sends.
    pub fn believes(&self, other: &Self) -> bool {
        if !other.signs() {
            return self.mode != HmacMode::Enforce;
        }
        other.key(other.active).is_some_and(|theirs| self.key(theirs.id) == Some(theirs))
    }

    fn key(&self, id: u8) -> Option<&HmacKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// Who sends, as far as the digest covers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    /// Of the adverts.
    pub family: Family,
    /// Of the protocol.
    pub version: u8,
    /// Virtual router.
    pub vrid: u8,
    /// Source address.
    pub source: IpAddr,
}

/// The number of the next advert after `last`: the time, or one more than the last if the clock has not gone on. With a
/// time window, a clock that was set back further than the window counts: receivers would refuse the old times.
pub(super) fn next(last: u64, replay: Replay, utc: Duration) -> u64 {
    let clock = number(utc);
    let stranded = match replay {
        Replay::Time(window) => i64::from(seconds_between(last, clock)) > seconds(window),
        Replay::Monotonic => false,
    };
    if is_after(clock, last) || stranded { clock } else { last.wrapping_add(1) }
}

/// Seconds, binary fraction and a counter of 0.
fn number(utc: Duration) -> u64 {
    let fraction = (u64::from(utc.subsec_nanos()) << 16) / 1_000_000_000;
    // the seconds go round in 2106
    (utc.as_secs() << 32) | (fraction << 16)
}

/// Serial number arithmetic (RFC 1982).
const fn is_after(one: u64, other: u64) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

/// By how many seconds the time of `one` is later than that of `other`.
fn seconds_between(one: u64, other: u64) -> i32 {
    let upper = |number: u64| u32::try_from(number >> 32).unwrap_or(0);
    upper(one).wrapping_sub(upper(other)).cast_signed()
}

fn seconds(window: Duration) -> i64 {
    i64::try_from(window.as_secs()).unwrap_or(i64::MAX)
}

/// Appends the trailer to the message that begins at `start` of `out`.
pub fn sign(out: &mut Vec<u8>, start: usize, hmac: &Hmac, sender: Sender, sequence: u64) {
    out.extend([TYPE, hmac.active, 0, 0]);
    out.extend(sequence.to_be_bytes());
    let signed = out.get(start..).unwrap_or_default();
    // the configuration has a key with this number
    let secret = hmac.key(hmac.active).map_or(&[][..], |key| &key.secret);
    let digest = digest_of(secret, sender, signed).map(|mac| mac.finalize().into_bytes());
    match digest {
        Some(digest) => out.extend(digest.iter().take(DIGEST_LENGTH)),
        // every receiver refuses it
        None => out.extend([0; DIGEST_LENGTH]),
    }
}

/// Why a trailer is not believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Distrust {
    /// Another type than 1, or reserved bits are set.
    Malformed,
    /// Its time differs from ours by so many seconds, positive if it is behind.
    Stale(i32),
    /// There is no key with this number.
    UnknownKey(u8),
    /// Its digest is wrong.
    Invalid,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("its signature is of a kind that we do not know"),
            Self::Stale(behind) => {
                write!(f, "its signature is {behind} s behind our clock; synchronise the clocks of both routers")
            }
            Self::UnknownKey(id) => {
                write!(f, "it is signed with key {id}, which we do not have; add it to auth_hmac on this router")
            }
            Self::Invalid => f.write_str("its signature is wrong; set the same keys in auth_hmac on both routers"),
        }
    }
}

/// What a genuine trailer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Genuine {
    /// Its sequence number, which has to be compared with the last one of this sender.
    pub sequence: u64,
    /// By how many seconds our clock differs from the sender's, if that is more than half of the window.
    pub skew: Option<i32>,
}

/// Judges `signed`: a message with its trailer. The cheap checks come first: a flood of old packets costs no digest.
///
/// # Errors
/// Why it is not believed.
pub fn verify(hmac: &Hmac, sender: Sender, signed: &[u8], utc: Duration) -> Result<Genuine, Distrust> {
    let (covered, digest) = signed.split_last_chunk::<DIGEST_LENGTH>().ok_or(Distrust::Malformed)?;
    let (_, trailer) = covered.split_last_chunk::<{ TRAILER_LENGTH - DIGEST_LENGTH }>().ok_or(Distrust::Malformed)?;
    let [kind, id, reserved, also_reserved, sequence @ ..] = *trailer;
    if [kind, reserved, also_reserved] != [TYPE, 0, 0] {
        return Err(Distrust::Malformed);
    }
    let sequence = u64::from_be_bytes(sequence);
    let behind = seconds_between(number(utc), sequence);
    let mut skew = None;
    if let Replay::Time(window) = hmac.replay {
        let (away, window) = (i64::from(behind).abs(), seconds(window));
        if away > window {
            return Err(Distrust::Stale(behind));
        }
        skew = (away > window / 2).then_some(behind);
    }
    let key = hmac.key(id).ok_or(Distrust::UnknownKey(id))?;
    let mac = digest_of(&key.secret, sender, covered).ok_or(Distrust::Invalid)?;
    mac.verify_truncated_left(digest).map_err(|_| Distrust::Invalid)?;
    Ok(Genuine { sequence, skew })
}

/// The digest of `secret` over who sends, the message and its trailer, with checksum and digest as zero. `None` without
/// a secret.
fn digest_of(secret: &[u8], sender: Sender, covered: &[u8]) -> Option<Mac<Sha256>> {
    if secret.is_empty() {
        return None;
    }
    let mut mac = Mac::<Sha256>::new_from_slice(secret).ok()?;
    let family = match sender.family {
        Family::V4 => 4,
        Family::V6 => 6,
    };
    mac.update(&[family, sender.version, sender.vrid, 0]);
    match sender.source {
        IpAddr::V4(source) => {
            mac.update(&source.octets());
            mac.update(&[0; 12]);
        }
        IpAddr::V6(source) => mac.update(&source.octets()),
    }
    let (before, rest) = covered.split_at_checked(CHECKSUM_AT)?;
    mac.update(before);
    mac.update(&[0, 0]);
    mac.update(rest.get(2..)?);
    mac.update(&[0; DIGEST_LENGTH]);
    Some(mac)
}

/// The last numbers that senders used, those heard last first.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    senders: Vec<(IpAddr, u64)>,
}

impl Heard {
    /// Notes a number, of `most` senders at most; false if it does not grow. With a time window, a number outside of it
    /// is forgotten: the window refuses what it would.
    pub(super) fn hear(&mut self, source: IpAddr, sequence: u64, most: usize, replay: Replay, utc: Duration) -> bool {
        let place = self.senders.iter().position(|(sender, _)| *sender == source);
        let last = place.map(|place| self.senders.remove(place).1);
        let counts = |last: u64| match replay {
            Replay::Time(window) => i64::from(seconds_between(number(utc), last)).abs() <= seconds(window),
            Replay::Monotonic => true,
        };
        let grows = last.filter(|last| counts(*last)).is_none_or(|last| is_after(sequence, last));
        let now = if grows { Some(sequence) } else { last };
        self.senders.insert(0, (source, now.unwrap_or(sequence)));
        self.senders.truncate(most);
        grows
    }
}

#[cfg(test)]
mod tests;
