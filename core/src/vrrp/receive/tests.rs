//! Expected values: behaviour.md section 1 (keepalived 2.4.3 as observed) and RFC 9568 §7.1.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::authentication::Seal;
use super::super::authentication::hmac::{HmacKey, Replay};
use super::*;
use crate::vrrp::advert;
use crate::vrrp::types::{Password, Priority};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn unicast(version: Version, check_source: bool, peer: Peer) -> Params {
    Params { reach: Reach::Unicast { peers: vec![peer], ttl: 255, check_source }, ..Params::example(version) }
}

fn peer() -> Peer {
    Peer { address: SOURCE, min_ttl: 0, max_ttl: 255 }
}

/// The message that a peer with `theirs` sends to `destination`.
fn message(theirs: &Params, destination: IpAddr) -> Vec<u8> {
    let mut octets = Vec::new();
    advert::encode(&mut octets, theirs, 200, SOURCE, destination, 7, Seal::None);
    octets.split_off(ipv4::HEADER_LENGTH)
}

fn verdict(ours: &Params, destination: IpAddr, ttl: u8, octets: &[u8]) -> (Result<Accepted, Refusal>, Counters) {
    let datagram = Datagram {
        source: SOURCE,
        destination,
        ttl,
        received: Instant::ZERO,
        utc: Duration::ZERO,
        header: None,
        message: octets,
    };
    let mut counters = Counters::default();
    let verdict =
        check(ours, Circumstances { known_master: None }, &datagram, &mut Authenticator::default(), &mut counters);
    (verdict, counters)
}

fn refusal(ours: &Params, octets: &[u8]) -> Refusal {
    verdict(ours, GROUP, 255, octets).0.unwrap_err()
}

fn accepted(ours: &Params, octets: &[u8]) -> Accepted {
    verdict(ours, GROUP, 255, octets).0.unwrap()
}

/// Makes the plain checksum of version 2 right again.
fn recompute(octets: &mut [u8]) {
    (octets[6], octets[7]) = (0, 0);
    let total: u32 = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    let folded = (total & 0xffff) + (total >> 16);
    let folded = u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    octets[6..8].copy_from_slice(&(!folded).to_be_bytes());
}

#[test]
fn what_a_like_minded_peer_sends_is_accepted_and_counted() {
    for version in [Version::V2, Version::V3] {
        let (verdict, counters) =
            verdict(&Params::example(version), GROUP, 255, &message(&Params::example(version), GROUP));
        let advert = verdict.unwrap();
        assert_eq!((advert.priority, advert.addresses_differ, advert.checksum), (200, false, None));
        assert_eq!(counters.advert_rcvd, 1);
    }
}

/// What the signature does not cover: the checksum, and where the advert is sent to.
#[test]
fn a_copy_that_is_refused_does_not_use_up_the_number_of_a_signature() {
    let key = HmacKey { id: 1, secret: vec![7; 32] };
    let hmac = Hmac { keys: vec![key], active: 1, replay: Replay::Monotonic, mode: HmacMode::Enforce };
    let ours = Params { authentication: Authentication::Hmac(Box::new(hmac)), ..Params::example(Version::V3) };
    let mut octets = Vec::new();
    advert::encode(&mut octets, &ours, 200, SOURCE, GROUP, 7, Seal::Hmac(5));
    let genuine = octets.split_off(ipv4::HEADER_LENGTH);
    let mut damaged = genuine.clone();
    damaged[6] ^= 1;
    let (mut authenticator, mut counters) = (Authenticator::default(), Counters::default());
    let mut hear = |destination, message: &[u8]| {
        let (received, utc) = (Instant::ZERO, Duration::ZERO);
        let datagram = Datagram { source: SOURCE, destination, ttl: 255, received, utc, header: None, message };
        check(&ours, Circumstances { known_master: None }, &datagram, &mut authenticator, &mut counters)
    };
    assert_eq!(hear(GROUP, &damaged), Err(Refusal::Checksum));
    assert!(hear(OURS, &genuine).is_err());
    assert!(hear(GROUP, &genuine).is_ok());
    assert_eq!(hear(GROUP, &genuine), Err(Refusal::OldTrailer));
}

// spec: rfc9568/5.1.1.3
#[test]
fn a_multicast_advert_needs_ttl_255_and_a_unicast_one_does_not() {
    let octets = message(&Params::example(Version::V3), GROUP);
    assert_eq!(verdict(&Params::example(Version::V3), GROUP, 254, &octets).0, Err(Refusal::Ttl(254)));
    let ours = unicast(Version::V3, false, peer());
    let octets = message(&ours, OURS);
    assert!(verdict(&ours, OURS, 1, &octets).0.is_ok());
}

// spec: rfc9568/7.1 (version), 5.2.2 (type)
#[test]
fn version_and_type_have_to_be_ours() {
    assert_eq!(
        refusal(&Params::example(Version::V3), &message(&Params::example(Version::V2), GROUP)),
        Refusal::Version(2)
    );
    let mut octets = message(&Params::example(Version::V3), GROUP);
    octets[0] = 0x41;
    assert_eq!(refusal(&Params::example(Version::V3), &octets), Refusal::Version(4));
    octets[0] = 0x32;
    assert_eq!(refusal(&Params::example(Version::V3), &octets), Refusal::Type(2));
}

// spec: rfc9568/7.1 (whole packet); the traps: lengths from the wire
#[test]
fn every_truncation_and_every_count_that_does_not_fit_is_refused() {
    for version in [Version::V2, Version::V3] {
        let ours = Params::example(version);
        let octets = message(&ours, GROUP);
        for length in 0..octets.len() {
            assert_eq!(refusal(&ours, &octets[..length]), Refusal::Length, "{version:?} {length}");
        }
        for count in (0..=255).filter(|count| *count != 1) {
            let mut wrong = octets.clone();
            wrong[3] = count;
            assert!(verdict(&ours, GROUP, 255, &wrong).0.is_err(), "{version:?} {count}");
        }
    }
}

// keepalived, observed: surplus 2, 6, 14 and 18 accepted, 1 and 4 rejected
#[test]
fn padding_that_the_sender_counts_is_tolerated() {
    let ours = Params::example(Version::V3).with(|it| it.checksum = ChecksumForm::Plain);
    for (surplus, taken) in [(2, true), (6, true), (14, true), (18, true), (1, false), (4, false)] {
        let mut octets = message(&ours, GROUP);
        octets.extend(vec![0; surplus]);
        assert_eq!(verdict(&ours, GROUP, 255, &octets).0.is_ok(), taken, "{surplus}");
    }
}

// keepalived 2.4.3 accepts one form only, and one old-style advert switches the whole instance
#[test]
fn every_form_of_the_checksum_is_accepted_and_counted_and_changes_nothing() {
    let ours = unicast(Version::V3, true, peer());
    let forms = [ChecksumForm::PseudoHeader, ChecksumForm::Plain, ChecksumForm::OldUnicast];
    for theirs in forms {
        let octets = message(&ours.clone().with(|it| it.checksum = theirs), OURS);
        for configured in forms {
            let ours = ours.clone().with(|it| it.checksum = configured);
            let (verdict, counters) = verdict(&ours, OURS, 255, &octets);
            assert_eq!(verdict.unwrap().checksum, (theirs != configured).then_some(theirs));
            let counts = [counters.checksum_pseudo_header, counters.checksum_plain, counters.checksum_old_unicast];
            let position = forms.iter().position(|form| *form == theirs).unwrap();
            assert!(counts.iter().enumerate().all(|(at, count)| *count == u64::from(at == position)), "{counts:?}");
        }
    }
}

// keepalived accepts any checksum with v3_checksum_as_v2
#[test]
fn a_wrong_checksum_is_refused_whatever_is_configured() {
    for version in [Version::V2, Version::V3] {
        for checksum in [ChecksumForm::PseudoHeader, ChecksumForm::Plain, ChecksumForm::OldUnicast] {
            let ours = Params::example(version).with(|it| it.checksum = checksum);
            let mut octets = message(&ours, GROUP);
            octets[7] ^= 1;
            assert_eq!(refusal(&ours, &octets), Refusal::Checksum);
        }
    }
}

// spec: rfc9568/5.2.6
#[test]
fn reserved_bits_are_ignored() {
    let ours = Params::example(Version::V3).with(|it| it.checksum = ChecksumForm::Plain);
    let mut octets = message(&ours, GROUP);
    octets[4] |= 0xf0;
    recompute(&mut octets);
    assert_eq!(accepted(&ours, &octets).interval, AdvertInterval::DEFAULT);
}

// spec: rfc3768/7.1 (interval); keepalived drops as well
#[test]
fn version_2_wants_the_same_interval_and_version_3_learns_it() {
    let slow = |version| {
        Params::example(version).with(|it| it.interval = AdvertInterval::new(version, Centis::new(200)).unwrap())
    };
    assert_eq!(refusal(&Params::example(Version::V2), &message(&slow(Version::V2), GROUP)), Refusal::Interval(2));
    let (verdict, counters) = verdict(&Params::example(Version::V3), GROUP, 255, &message(&slow(Version::V3), GROUP));
    assert_eq!(verdict.unwrap().interval.centis().count(), 200);
    assert_eq!(counters.advert_interval_err, 1);
}

// the trap: rejected adverts teach nothing, the longest interval is not an overflow
#[test]
fn the_longest_interval_is_taken_as_it_is() {
    let longest = AdvertInterval::new(Version::V3, Centis::new(4095)).unwrap();
    let longest = Params::example(Version::V3).with(|it| it.interval = longest);
    assert_eq!(accepted(&Params::example(Version::V3), &message(&longest, GROUP)).interval.centis().count(), 4095);
}

#[test]
fn passwords_have_to_match() {
    let with = |password: &[u8]| Params {
        authentication: Authentication::Password(Password::truncated(password)),
        ..Params::example(Version::V2)
    };
    let none = Params::example(Version::V2);
    assert!(verdict(&with(b"pass1234"), GROUP, 255, &message(&with(b"pass1234too long"), GROUP)).0.is_ok());
    assert_eq!(refusal(&with(b"right"), &message(&with(b"wrong"), GROUP)), Refusal::AuthFailure);
    assert_eq!(refusal(&with(b"right"), &message(&none, GROUP)), Refusal::AuthTypeMismatch);
    assert_eq!(refusal(&none, &message(&with(b"right"), GROUP)), Refusal::AuthTypeMismatch);
    let mut octets = message(&none, GROUP);
    octets[4] = 9;
    assert_eq!(refusal(&none, &octets), Refusal::InvalidAuthType(9));
    // keepalived, observed: without authentication the octets are not looked at
    let mut octets = message(&none, GROUP);
    octets[12..].fill(0x55);
    recompute(&mut octets);
    assert!(verdict(&none, GROUP, 255, &octets).0.is_ok());
}

#[test]
fn another_destination_than_the_group_is_refused() {
    let octets = message(&Params::example(Version::V3), OURS);
    assert_eq!(verdict(&Params::example(Version::V3), OURS, 255, &octets).0, Err(Refusal::Destination(OURS)));
}

#[test]
fn an_owner_may_be_told_to_ignore() {
    let owner = Params::example(Version::V3).with(|it| {
        it.owner_ignore_adverts = true;
        it.priority = Priority::OWNER;
    });
    assert_eq!(refusal(&owner, &message(&Params::example(Version::V3), GROUP)), Refusal::OwnerIgnores);
    let not_owner = owner.with(|it| it.priority = Priority::DEFAULT);
    assert!(verdict(&not_owner, GROUP, 255, &message(&Params::example(Version::V3), GROUP)).0.is_ok());
}

// keepalived 2.4 accepts and counts; 2.2 refused (behaviour.md section 12)
#[test]
fn another_address_list_is_accepted_counted_and_said() {
    let other = Params { addresses: vec![], ..Params::example(Version::V3) };
    let octets = message(&other, GROUP);
    let (judged, counters) = verdict(&Params::example(Version::V3), GROUP, 255, &octets);
    assert!(judged.unwrap().addresses_differ);
    assert_eq!((counters.addr_list_err, counters.advert_rcvd), (1, 1));
    // spec: rfc9568/5.2.5, errata 8299: refused in strict mode
    let strict = Params::example(Version::V3).with(|it| it.strict = true);
    assert_eq!(refusal(&strict, &octets), Refusal::NoAddresses);
}

#[test]
fn skip_check_adv_addr_trusts_the_master_it_knows() {
    let ours = Params::example(Version::V3).with(|it| it.skip_check_adv_addr = true);
    let octets = message(&Params { addresses: vec![], ..Params::example(Version::V3) }, GROUP);
    let datagram = Datagram {
        source: SOURCE,
        destination: GROUP,
        ttl: 255,
        received: Instant::ZERO,
        utc: Duration::ZERO,
        header: None,
        message: &octets,
    };
    for (known_master, differ) in [(Some(SOURCE), false), (Some(OURS), true), (None, true)] {
        let accepted = check(
            &ours,
            Circumstances { known_master },
            &datagram,
            &mut Authenticator::default(),
            &mut Counters::default(),
        )
        .unwrap();
        assert_eq!(accepted.addresses_differ, differ);
    }
}

#[test]
fn unicast_sources_are_checked_when_asked_for() {
    let stranger = Peer { address: OURS, ..peer() };
    let octets = message(&unicast(Version::V3, false, peer()), OURS);
    assert!(verdict(&unicast(Version::V3, false, stranger), OURS, 255, &octets).0.is_ok());
    assert_eq!(verdict(&unicast(Version::V3, true, stranger), OURS, 255, &octets).0, Err(Refusal::UnknownSource));
    let near = unicast(Version::V3, true, Peer { min_ttl: 254, ..peer() });
    assert!(verdict(&near, OURS, 254, &octets).0.is_ok());
    assert_eq!(verdict(&near, OURS, 253, &octets).0, Err(Refusal::PeerTtl(253)));
}

#[test]
fn version_2_over_ipv6_has_no_authentication_data() {
    let address = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100));
    let group = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
    let source = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
    let ours = Params { reach: Reach::Multicast(group), addresses: vec![address], ..Params::example(Version::V2) };
    let ours = ours.with(|it| it.family = Family::V6);
    let mut octets = Vec::new();
    advert::encode(&mut octets, &ours, 200, source, group, 1, Seal::None);
    assert_eq!(octets.len(), 8 + 16);
    let datagram = Datagram {
        source,
        destination: group,
        ttl: 255,
        received: Instant::ZERO,
        utc: Duration::ZERO,
        header: None,
        message: &octets,
    };
    let accepted = check(
        &ours,
        Circumstances { known_master: None },
        &datagram,
        &mut Authenticator::default(),
        &mut Counters::default(),
    );
    assert!(accepted.is_ok_and(|advert| !advert.addresses_differ));
    // spec: rfc9568/5.2.8: one wrong octet over IPv6 is counted; keepalived leaves that to the kernel, which does not tell
    let wrong: Vec<u8> = octets.iter().enumerate().map(|(at, octet)| octet ^ u8::from(at == 7)).collect();
    let datagram = Datagram { message: &wrong, ..datagram };
    let mut counters = Counters::default();
    let refused =
        check(&ours, Circumstances { known_master: None }, &datagram, &mut Authenticator::default(), &mut counters);
    assert_eq!((refused, counters.checksum_err), (Err(Refusal::Checksum), 1));
}

proptest::proptest! {
    // whatever arrives is judged, and counted exactly once
    #[test]
    fn any_octets_are_judged(octets: Vec<u8>, ttl: u8, version_3: bool, is_unicast: bool) {
        let version = if version_3 { Version::V3 } else { Version::V2 };
        let ours = if is_unicast { unicast(version, true, peer()) } else { Params::example(version) };
        let (verdict, counters) = verdict(&ours, GROUP, ttl, &octets);
        let errors = [
            counters.packet_len_err, counters.ip_ttl_err, counters.version_err, counters.checksum_err,
            counters.invalid_type_rcvd, counters.invalid_authtype, counters.authtype_mismatch, counters.auth_failure,
            counters.zero_interval_err, counters.unknown_source,
        ];
        if verdict.is_err() {
            proptest::prop_assert!(errors.iter().sum::<u64>() + counters.addr_list_err + counters.advert_interval_err == 1);
        } else {
            proptest::prop_assert!(errors.iter().all(|count| *count == 0));
        }
    }

    // one flipped bit in a good advert is never taken for a good advert with another meaning
    #[test]
    fn a_flipped_bit_does_not_pass(bit in 0_usize..(12 * 8)) {
        let ours = Params::example(Version::V3);
        let mut octets = message(&ours, GROUP);
        octets[bit / 8] ^= 1 << (bit % 8);
        proptest::prop_assert!(verdict(&ours, GROUP, 255, &octets).0.is_err());
    }
}

#[test]
fn nobody_sends_from_an_address_that_no_router_can_have() {
    for source in [IpAddr::from([0, 0, 0, 0]), IpAddr::from([224, 0, 0, 18])] {
        let params = Params::example(Version::V2);
        let octets = message(&params, GROUP);
        let datagram = Datagram {
            source,
            destination: GROUP,
            ttl: 255,
            received: Instant::ZERO,
            utc: Duration::ZERO,
            header: None,
            message: &octets,
        };
        let mut counters = Counters::default();
        let judged = check(
            &params,
            Circumstances { known_master: None },
            &datagram,
            &mut Authenticator::default(),
            &mut counters,
        );
        assert_eq!((judged, counters.unknown_source), (Err(Refusal::Source(source)), 1));
    }
}
