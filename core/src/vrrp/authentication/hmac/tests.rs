//! Expected: the wire images in the appendix of draft-cassen-vrrp-auth-hmac, and behaviour.md section 3.

use std::net::IpAddr;

use proptest::prelude::*;

use super::super::super::advert;
use super::super::super::params::Params;
use super::super::super::types::Version;
use super::super::{Authentication, Authenticator, Seal};
use super::*;

const SEQUENCE: u64 = 0x6800_0000_8000_0000;
const IPV4: &str = "3133c80100644402c0000264010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265";
const IPV6: &str =
    "3133c8010064a2e9fe800000000000000000000000000100010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78";
/// The time of [`SEQUENCE`].
const UTC: Duration = Duration::from_secs(0x6800_0000);

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|digit| *digit != ' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn hmac(replay: Replay) -> Hmac {
    Hmac { keys: vec![HmacKey { id: 1, secret: (0..32).collect() }], active: 1, replay, mode: HmacMode::Enforce }
}

fn sender(source: &str) -> Sender {
    let source: IpAddr = source.parse().unwrap();
    let family = if source.is_ipv6() { Family::V6 } else { Family::V4 };
    Sender { family, version: 3, vrid: 51, source }
}

fn genuine(image: &[u8], sender: Sender) -> Result<u64, Distrust> {
    verify(&hmac(Replay::Monotonic), sender, image, UTC).map(|genuine| genuine.sequence)
}

#[test]
fn the_images_of_the_draft_are_genuine() {
    assert_eq!(genuine(&octets(IPV4), sender("198.51.100.10")), Ok(SEQUENCE));
    assert_eq!(genuine(&octets(IPV6), sender("fe80::10")), Ok(SEQUENCE));
}

#[test]
fn what_we_send_is_the_image_of_the_draft() {
    let mut params = Params::example(Version::V3).with(|settings| {
        settings.checksum = super::super::super::params::ChecksumForm::Plain;
    });
    params.authentication = Authentication::Hmac(Box::new(hmac(Replay::Monotonic)));
    let mut out = Vec::new();
    let (source, group) = (IpAddr::from([198, 51, 100, 10]), IpAddr::from([224, 0, 0, 18]));
    advert::encode(&mut out, &params, 200, source, group, 1, Seal::Hmac(SEQUENCE));
    let total = u16::from_be_bytes([out[2], out[3]]);
    assert_eq!(usize::from(total), out.len(), "the trailer counts in the IP length");
    assert_eq!(out[20..], octets(IPV4));

    params.settings.family = Family::V6;
    params.addresses = vec!["fe80::100".parse().unwrap()];
    out.clear();
    let (source, peer) = ("fe80::10".parse().unwrap(), "fe80::20".parse().unwrap());
    advert::encode(&mut out, &params, 200, source, peer, 1, Seal::Hmac(SEQUENCE));
    assert_eq!(out, octets(IPV6));
}

#[test]
fn what_differs_in_one_bit_is_not_genuine_but_for_the_checksum() {
    let image = octets(IPV6);
    let trailer = image.len() - TRAILER_LENGTH;
    for at in 0..image.len() {
        let mut forged = image.clone();
        forged[at] ^= 1;
        let expected = match at {
            6 | 7 => Ok(SEQUENCE),
            _ if at == trailer || at == trailer + 2 || at == trailer + 3 => Err(Distrust::Malformed),
            _ if at == trailer + 1 => Err(Distrust::UnknownKey(0)),
            _ => Err(Distrust::Invalid),
        };
        assert_eq!(genuine(&forged, sender("fe80::10")), expected, "octet {at}");
    }
    assert_eq!(genuine(&image, sender("fe80::20")), Err(Distrust::Invalid), "another sender");
    let other = Sender { vrid: 52, ..sender("fe80::10") };
    assert_eq!(genuine(&image, other), Err(Distrust::Invalid), "another virtual router");
}

#[test]
fn a_time_outside_of_the_window_is_refused_before_the_digest_is_looked_at() {
    let mut image = octets(IPV4);
    image[30] ^= 1;
    let hmac = hmac(Replay::Time(Duration::from_secs(5)));
    let at = |utc: Duration| verify(&hmac, sender("198.51.100.10"), &image, utc).unwrap_err();
    assert_eq!(at(UTC + Duration::from_secs(100)), Distrust::Stale(100));
    assert_eq!(at(UTC - Duration::from_secs(6)), Distrust::Stale(-6));
    assert_eq!(at(UTC + Duration::from_secs(5)), Distrust::Invalid);
}

#[test]
fn a_clock_more_than_half_of_the_window_away_is_said() {
    let hmac = hmac(Replay::Time(Duration::from_secs(10)));
    let skew = |utc| verify(&hmac, sender("198.51.100.10"), &octets(IPV4), utc).unwrap().skew;
    assert_eq!(skew(UTC + Duration::from_secs(5)), None);
    assert_eq!(skew(UTC + Duration::from_secs(6)), Some(6));
    assert_eq!(skew(UTC - Duration::from_secs(6)), Some(-6));
}

#[test]
fn numbers_follow_the_clock_and_grow_without_it() {
    let window = Replay::Time(Duration::from_secs(5));
    let now = number(UTC);
    assert_eq!(next(0, window, UTC), now);
    assert_eq!(next(now, window, UTC), now + 1);
    let ahead = number(UTC + Duration::from_secs(5));
    assert_eq!(next(ahead, window, UTC), ahead + 1, "set back within the window");
    let stranded = number(UTC + Duration::from_secs(3600));
    assert_eq!(next(stranded, window, UTC), now, "receivers would refuse what is an hour ahead");
    assert_eq!(next(stranded, Replay::Monotonic, UTC), stranded + 1);
}

#[test]
fn a_number_counts_once_for_each_sender() {
    let (window, one, other) = (Replay::Time(Duration::from_secs(5)), [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let mut heard = Heard::default();
    let now = number(UTC);
    assert!(heard.hear(one, now, 4, window, UTC));
    assert!(!heard.hear(one, now, 4, window, UTC));
    assert!(!heard.hear(one, now - 1, 4, window, UTC));
    assert!(heard.hear(other, now, 4, window, UTC));
    assert!(heard.hear(one, now + 1, 4, window, UTC));
    // its clock was set back: what the window refuses anyway is forgotten
    let mut heard = Heard::default();
    assert!(heard.hear(one, number(UTC + Duration::from_secs(3600)), 4, window, UTC + Duration::from_secs(3600)));
    assert!(heard.hear(one, now, 4, window, UTC));
    let mut heard = Heard::default();
    assert!(heard.hear(one, number(UTC + Duration::from_secs(3600)), 4, Replay::Monotonic, UTC));
    assert!(!heard.hear(one, now, 4, Replay::Monotonic, UTC));
}

#[test]
fn four_senders_to_a_group_are_remembered() {
    let mut heard = Heard::default();
    let sender = |last: u8| IpAddr::from([10, 0, 0, last]);
    for last in 1..=5 {
        assert!(heard.hear(sender(last), 7, MULTICAST_SENDERS, Replay::Monotonic, UTC));
    }
    assert!(heard.hear(sender(1), 7, MULTICAST_SENDERS, Replay::Monotonic, UTC), "the fifth took its place");
    assert!(!heard.hear(sender(5), 7, MULTICAST_SENDERS, Replay::Monotonic, UTC));
}

#[test]
fn who_only_receives_signs_nothing_and_debug_shows_no_secret() {
    let mut params = Params::example(Version::V3);
    let silent = Hmac { mode: HmacMode::ReceiveOnly, ..hmac(Replay::Monotonic) };
    assert!(!format!("{silent:?}").contains("31"), "{silent:?}");
    params.authentication = Authentication::Hmac(Box::new(silent));
    assert_eq!(Authenticator::default().next(&params, UTC), Some(Seal::None));
}

proptest! {
    /// Whatever arrives, nothing panics, and only what the key has signed is genuine.
    #[test]
    fn nothing_else_is_genuine(image in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(genuine(&image, sender("198.51.100.10")).is_err());
    }
}
