//! Whether a received advert may be believed: keepalived's checks in keepalived's order (RFC 9568 §7.1, RFC 3768 §7.1),
//! one counter each. Only the number of a signature is compared last. Nothing here has an effect on the router's timers.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::advert::{self, AuthType, Message};
use super::authentication::hmac::{self, Distrust, Genuine, Hmac, HmacMode, Sender};
use super::authentication::{Authentication, Authenticator, header};
use super::counters::{Counters, count};
use super::ipv4;
use super::params::{ChecksumForm, Params, Peer, Reach};
use super::types::{AdvertInterval, Family, Version};
use crate::time::{Centis, Instant};

/// A packet for a router's VRID, with what the kernel said about it.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// When the kernel received it.
    pub received: Instant,
    /// The time since 1970 when the kernel received it: one that waits to be read does not grow old.
    pub utc: Duration,
    /// The authentication header in front of the message; version 2 over IPv4 only.
    pub header: Option<header::Received<'a>>,
    /// From the VRRP header on, as far as the IP length goes.
    pub message: &'a [u8],
}

/// Why an advert is not believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refusal {
    /// Its length does not fit its address count.
    Length,
    /// TTL or hop limit is not 255: it may have been forwarded (RFC 9568 §5.1.1.3).
    Ttl(u8),
    /// Another version than ours.
    Version(u8),
    /// No such authentication type.
    InvalidAuthType(u8),
    /// Another authentication type than ours.
    AuthTypeMismatch,
    /// Wrong password.
    AuthFailure,
    /// Its authentication header is not that of the password.
    InvalidHeader,
    /// The number in its authentication header does not grow.
    OldHeader,
    /// It has no trailer.
    MissingTrailer,
    /// What is wrong with its trailer.
    Trailer(Distrust),
    /// The number in its trailer does not grow.
    OldTrailer,
    /// Version 2: another interval than ours, in seconds.
    Interval(u8),
    /// Version 3: interval 0, which would make every silence a failure (errata 8301).
    ZeroInterval,
    /// Not an advertisement.
    Type(u8),
    /// Checksum right in none of its forms.
    Checksum,
    /// Not sent to our group.
    Destination(IpAddr),
    /// We own the addresses, and are told to ignore adverts.
    OwnerIgnores,
    /// No addresses, in strict mode (RFC 9568 §5.2.5).
    NoAddresses,
    /// Sent from an address that no router can have: unspecified, or a multicast group.
    Source(IpAddr),
    /// Not one of our peers.
    UnknownSource,
    /// A peer, but its TTL is out of the range configured for it.
    PeerTtl(u8),
}

impl Refusal {
    pub(super) const fn kind(self) -> u32 {
        1 << match self {
            Self::Length => 0,
            Self::Ttl(_) => 1,
            Self::Version(_) => 2,
            Self::InvalidAuthType(_) => 3,
            Self::AuthTypeMismatch => 4,
            Self::AuthFailure => 5,
            Self::Interval(_) => 6,
            Self::ZeroInterval => 7,
            Self::Type(_) => 8,
            Self::Checksum => 9,
            Self::Destination(_) => 10,
            Self::OwnerIgnores => 11,
            Self::NoAddresses => 12,
            Self::UnknownSource => 13,
            Self::PeerTtl(_) => 14,
            Self::Source(_) => 15,
            Self::InvalidHeader => 16,
            Self::OldHeader => 17,
            Self::MissingTrailer => 18,
            Self::Trailer(Distrust::Malformed) => 19,
            Self::Trailer(Distrust::Stale(_)) => 20,
            Self::Trailer(Distrust::UnknownKey(_)) => 21,
            Self::Trailer(Distrust::Invalid) => 22,
            Self::OldTrailer => 23,
        }
    }

    const fn counter(self, counters: &mut Counters) -> &mut u64 {
        match self {
            Self::Length => &mut counters.packet_len_err,
            Self::Ttl(_) => &mut counters.ip_ttl_err,
            Self::Version(_) => &mut counters.version_err,
            Self::InvalidAuthType(_) => &mut counters.invalid_authtype,
            Self::AuthTypeMismatch => &mut counters.authtype_mismatch,
            Self::AuthFailure | Self::InvalidHeader | Self::OldHeader => &mut counters.auth_failure,
            Self::MissingTrailer => &mut counters.auth_ext_missing,
            Self::Trailer(Distrust::Malformed) => &mut counters.auth_ext_malformed,
            Self::Trailer(Distrust::Stale(_)) => &mut counters.auth_ext_stale,
            Self::Trailer(Distrust::UnknownKey(_)) => &mut counters.auth_ext_unknown_key,
            Self::Trailer(Distrust::Invalid) => &mut counters.auth_ext_invalid_hmac,
            Self::OldTrailer => &mut counters.auth_ext_replay,
            Self::Interval(_) => &mut counters.advert_interval_err,
            Self::ZeroInterval => &mut counters.zero_interval_err,
            Self::Type(_) => &mut counters.invalid_type_rcvd,
            Self::Checksum => &mut counters.checksum_err,
            Self::Destination(_) | Self::NoAddresses => &mut counters.addr_list_err,
            Self::OwnerIgnores => &mut counters.owner_ignored,
            Self::UnknownSource | Self::PeerTtl(_) | Self::Source(_) => &mut counters.unknown_source,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("its length does not fit its address count"),
            Self::Ttl(ttl) => write!(f, "its TTL is {ttl}, not 255, so it may come from another network"),
            Self::Version(version) => {
                write!(f, "it is of version {version}; set the same vrrp_version on both routers")
            }
            Self::InvalidAuthType(kind) => write!(f, "authentication type {kind} does not exist"),
            Self::AuthTypeMismatch => {
                f.write_str("its authentication type is not ours; set the same auth_type on both routers")
            }
            Self::AuthFailure => f.write_str("wrong password; set the same auth_pass on both routers"),
            Self::InvalidHeader => f.write_str(
                "its authentication header is not that of our password; set the same auth_pass on both routers",
            ),
            Self::OldHeader => f.write_str("the number in its authentication header was used before"),
            Self::MissingTrailer => f.write_str(
                "it is not signed; set the same auth_hmac on both routers, or mode permissive here until then",
            ),
            Self::Trailer(distrust) => distrust.fmt(f),
            Self::OldTrailer => f.write_str("its signature was used before"),
            Self::Interval(seconds) => {
                write!(f, "it is sent every {seconds} s; version 2 wants the same advert_int on both routers")
            }
            Self::ZeroInterval => f.write_str("its interval is 0"),
            Self::Type(kind) => write!(f, "its type is {kind}, not 1"),
            Self::Checksum => f.write_str("its checksum is wrong"),
            Self::Destination(destination) => write!(f, "it was sent to {destination}, not to our group"),
            Self::OwnerIgnores => f.write_str("we own the addresses (owner_ignore_adverts)"),
            Self::NoAddresses => f.write_str("it has no addresses (vrrp_strict)"),
            Self::Source(source) => write!(f, "no router can have the address {source}"),
            Self::UnknownSource => f.write_str("not a unicast_peer"),
            Self::PeerTtl(ttl) => write!(f, "its TTL {ttl} is out of the range configured for this unicast_peer"),
        }
    }
}

/// An advert that may be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Accepted {
    pub(super) source: IpAddr,
    pub(super) received: Instant,
    /// 0 is a farewell.
    pub(super) priority: u8,
    /// Version 3: the sender's interval. Version 2: ours, which is the same.
    pub(super) interval: AdvertInterval,
    /// Its checksum is right in another form than ours.
    pub(super) checksum: Option<ChecksumForm>,
    /// It lists other addresses than ours.
    pub(super) addresses_differ: bool,
    /// By how many seconds our clock differs from the sender's, if that is worth saying.
    pub(super) skew: Option<i32>,
}

/// What the checks need to know of the router's state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// The master it follows; with `skip_check_adv_addr` its address list is not compared again.
    pub(super) known_master: Option<IpAddr>,
}

/// Judges a datagram and counts.
pub(super) fn check(
    params: &Params,
    circumstances: Circumstances,
    datagram: &Datagram<'_>,
    authenticator: &mut Authenticator,
    counters: &mut Counters,
) -> Result<Accepted, Refusal> {
    let judged = judge(params, circumstances, datagram, authenticator, counters);
    match &judged {
        Ok(accepted) => {
            count(&mut counters.advert_rcvd);
            if accepted.priority == advert::FAREWELL {
                count(&mut counters.pri_zero_rcvd);
            }
            if accepted.addresses_differ {
                count(&mut counters.addr_list_err);
            }
            if params.settings.version == Version::V3 && accepted.interval != params.settings.interval {
                count(&mut counters.advert_interval_err);
            }
        }
        Err(refusal) => count(refusal.counter(counters)),
    }
    judged
}

fn judge(
    params: &Params,
    circumstances: Circumstances,
    datagram: &Datagram<'_>,
    authenticator: &mut Authenticator,
    counters: &mut Counters,
) -> Result<Accepted, Refusal> {
    if datagram.header.is_some() != matches!(params.authentication, Authentication::Header(_)) {
        return Err(Refusal::AuthTypeMismatch);
    }
    let (plain, is_signed) = without_trailer(params, datagram.message);
    let message = Message::decode(plain).ok_or(Refusal::Length)?;
    // a message of the other version has another length: say what is wrong
    length_fits(params, &message).map_err(|refusal| match message.version {
        version @ (2 | 3) if version != params.settings.version.number() => Refusal::Version(version),
        _ => refusal,
    })?;
    if datagram.source.is_unspecified() || datagram.source.is_multicast() {
        return Err(Refusal::Source(datagram.source));
    }
    if matches!(params.reach, Reach::Multicast(_)) && datagram.ttl != 255 {
        return Err(Refusal::Ttl(datagram.ttl));
    }
    if message.version != params.settings.version.number() {
        return Err(Refusal::Version(message.version));
    }
    let mut genuine = None;
    if let Authentication::Hmac(hmac) = &params.authentication {
        genuine = trailer_fits(params, hmac, datagram, is_signed)?.map(|genuine| (hmac, genuine));
    }
    if params.settings.version == Version::V2 {
        version_2_fits(params, datagram, &message, authenticator)?;
    }
    if message.kind != advert::TYPE_ADVERTISEMENT {
        return Err(Refusal::Type(message.kind));
    }
    let interval = match params.settings.version {
        Version::V2 => params.settings.interval,
        Version::V3 => {
            AdvertInterval::new(Version::V3, Centis::new(message.centiseconds())).map_err(|_| Refusal::ZeroInterval)?
        }
    };
    let checksum = checksum_fits(params, datagram, &message, counters)?;
    if let Reach::Multicast(group) = params.reach
        && datagram.destination != group
    {
        return Err(Refusal::Destination(datagram.destination));
    }
    if params.settings.owner_ignore_adverts && params.settings.priority.is_owner() {
        return Err(Refusal::OwnerIgnores);
    }
    if params.settings.strict && message.count == 0 {
        return Err(Refusal::NoAddresses);
    }
    source_is_known(params, datagram)?;
    // last: a copy with another checksum, which the signature does not cover, must not use up the number of the one that comes after it
    if let Some((hmac, Genuine { sequence, .. })) = genuine
        && !authenticator.heard_hmac(params, hmac, datagram.source, sequence, datagram.utc)
    {
        return Err(Refusal::OldTrailer);
    }
    let compare = !(params.settings.skip_check_adv_addr && circumstances.known_master == Some(datagram.source));
    Ok(Accepted {
        source: datagram.source,
        received: datagram.received,
        priority: message.priority,
        interval,
        checksum: checksum.filter(|form| *form != params.settings.checksum),
        skew: genuine.and_then(|(_, genuine)| genuine.skew),
        addresses_differ: compare && !message.addresses(params.settings.family).eq(params.addresses.iter().copied()),
    })
}

/// The length has to be exactly what the count makes it. A packet that is shorter than an Ethernet frame may be longer
/// by 2 modulo 4 octets: there are senders that count their padding (keepalived, observed).
fn length_fits(params: &Params, message: &Message<'_>) -> Result<(), Refusal> {
    let addresses = usize::from(message.count) * advert::address_length(params.settings.family);
    let expected = addresses + advert::trailer_length(params.settings.version, params.settings.family);
    let surplus = message.body.len().checked_sub(expected).ok_or(Refusal::Length)?;
    let below_minimum = ipv4::HEADER_LENGTH + advert::HEADER_LENGTH + expected < MINIMUM_ETHERNET_PAYLOAD;
    match surplus {
        0 => Ok(()),
        _ if params.settings.family == Family::V4 && below_minimum && surplus % 4 == 2 => Ok(()),
        _ => Err(Refusal::Length),
    }
}

/// Octets that an Ethernet frame carries at least (IEEE 802.3).
const MINIMUM_ETHERNET_PAYLOAD: usize = 46;

/// The message without its trailer, and whether there is one: only the length tells, which no padding makes.
fn without_trailer<'a>(params: &Params, octets: &'a [u8]) -> (&'a [u8], bool) {
    let plain = || {
        let Authentication::Hmac(_) = params.authentication else { return None };
        let count = usize::from(Message::decode(octets)?.count);
        let length = advert::length_with(params.settings.version, params.settings.family, count);
        octets.get(..length).filter(|_| octets.len() == length + hmac::TRAILER_LENGTH)
    };
    plain().map_or((octets, false), |plain| (plain, true))
}

/// Whether the sender and the trailer are genuine; what the trailer says, if there is one.
fn trailer_fits(
    params: &Params,
    hmac: &Hmac,
    datagram: &Datagram<'_>,
    is_signed: bool,
) -> Result<Option<Genuine>, Refusal> {
    if !is_signed {
        return if hmac.mode == HmacMode::Enforce { Err(Refusal::MissingTrailer) } else { Ok(None) };
    }
    let source = datagram.source;
    if let Reach::Unicast { peers, .. } = &params.reach
        && !peers.iter().any(|peer| peer.address == source)
    {
        return Err(Refusal::UnknownSource);
    }
    let settings = &params.settings;
    let sender =
        Sender { family: settings.family, version: settings.version.number(), vrid: settings.vrid.get(), source };
    hmac::verify(hmac, sender, datagram.message, datagram.utc).map(Some).map_err(Refusal::Trailer)
}

fn version_2_fits(
    params: &Params,
    datagram: &Datagram<'_>,
    message: &Message<'_>,
    authenticator: &mut Authenticator,
) -> Result<(), Refusal> {
    let [kind, _] = message.word;
    let theirs = message.auth_type().ok_or(Refusal::InvalidAuthType(kind))?;
    match (&params.authentication, theirs) {
        (Authentication::None | Authentication::Hmac(_), AuthType::None) => {}
        (Authentication::Header(password), AuthType::Ah) => {
            let header = datagram.header.ok_or(Refusal::AuthTypeMismatch)?;
            let unicast = matches!(params.reach, Reach::Unicast { .. });
            if !header.is_genuine(*password, datagram.message, unicast) {
                return Err(Refusal::InvalidHeader);
            }
            if !authenticator.heard_header(header.sequence()) {
                return Err(Refusal::OldHeader);
            }
        }
        (Authentication::Password(password), AuthType::Pass) => {
            let sent = message.authentication(params.settings.family).ok_or(Refusal::Length)?;
            if !password.matches(sent) {
                return Err(Refusal::AuthFailure);
            }
        }
        (_, AuthType::None | AuthType::Pass | AuthType::Ah) => return Err(Refusal::AuthTypeMismatch),
    }
    if u16::from(message.seconds()) * 100 == params.settings.interval.centis().count() {
        Ok(())
    } else {
        Err(Refusal::Interval(message.seconds()))
    }
}

/// The form that fits, for version 3 over IPv4; everywhere else there is one form only.
fn checksum_fits(
    params: &Params,
    datagram: &Datagram<'_>,
    message: &Message<'_>,
    counters: &mut Counters,
) -> Result<Option<ChecksumForm>, Refusal> {
    let (source, destination) = match (datagram.source, datagram.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => (source, destination),
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            // the kernel has put the trailer under the checksum, too
            let whole = Message::decode(datagram.message).ok_or(Refusal::Length)?;
            return whole.ipv6_checksum_is_right(source, destination).then_some(None).ok_or(Refusal::Checksum);
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return Err(Refusal::Checksum),
    };
    match params.settings.version {
        Version::V2 => message.plain_checksum_is_right().then_some(None).ok_or(Refusal::Checksum),
        Version::V3 => {
            let form = message
                .checksum_form(source, destination, advert::OLD_GROUP, params.settings.checksum)
                .ok_or(Refusal::Checksum)?;
            count(match form {
                ChecksumForm::PseudoHeader => &mut counters.checksum_pseudo_header,
                ChecksumForm::Plain => &mut counters.checksum_plain,
                ChecksumForm::OldUnicast => &mut counters.checksum_old_unicast,
            });
            Ok(Some(form))
        }
    }
}

fn source_is_known(params: &Params, datagram: &Datagram<'_>) -> Result<(), Refusal> {
    let Reach::Unicast { peers, check_source: true, .. } = &params.reach else {
        return Ok(());
    };
    match peers.iter().find(|peer| peer.address == datagram.source) {
        None => Err(Refusal::UnknownSource),
        Some(Peer { min_ttl, max_ttl, .. }) if (*min_ttl..=*max_ttl).contains(&datagram.ttl) => Ok(()),
        Some(_) => Err(Refusal::PeerTtl(datagram.ttl)),
    }
}

#[cfg(test)]
mod tests;
