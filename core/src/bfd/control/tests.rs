use proptest::prelude::*;

use super::*;

/// Packet of a keepalived 2.4.3 (reference/observed/bfd.tcpdump): up, multiplier 3, 60 and 50 ms.
const OBSERVED: [u8; 24] =
    [0x20, 0xc0, 3, 24, 0x34, 0xe6, 0xba, 0x07, 0x34, 0xe6, 0xba, 0x08, 0, 0, 0xea, 0x60, 0, 0, 0xc3, 0x50, 0, 0, 0, 0];

#[test]
fn a_packet_of_keepalived_is_read_as_tcpdump_reads_it() {
    let packet = ControlPacket::decode(&OBSERVED).unwrap();
    let expected = ControlPacket {
        diagnostic: Diagnostic::NONE,
        state: SessionState::Up,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        authentication: None,
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        mine: Discriminator::new(0x34e6_ba07).unwrap(),
        yours: Discriminator::new(0x34e6_ba08),
        desired_min_tx: Micros::new(60_000),
        required_min_rx: Micros::new(50_000),
        required_min_echo_rx: Micros::new(0),
    };
    assert_eq!(packet, expected);
    assert_eq!(packet.encode(), OBSERVED);
}

fn with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut octets = OBSERVED.to_vec();
    for (at, value) in changes {
        octets[*at] = *value;
    }
    octets
}

/// RFC 5880 §6.8.6, each rule that needs no session.
#[test]
fn what_must_be_discarded_is() {
    let no_yours: Vec<(usize, u8)> = (8..12).map(|at| (at, 0)).collect();
    let no_mine: Vec<(usize, u8)> = (4..8).map(|at| (at, 0)).collect();
    let in_state = |flags: u8| [no_yours.as_slice(), &[(1, flags)]].concat();
    let cases: [(Vec<u8>, Result<(), Malformed>); 15] = [
        (vec![], Err(Malformed::Truncated)),
        (OBSERVED[..23].to_vec(), Err(Malformed::Truncated)),
        (with(&[(0, 0x00)]), Err(Malformed::Version(0))),
        (with(&[(0, 0x40)]), Err(Malformed::Version(2))),
        (with(&[(3, 23)]), Err(Malformed::TooShort(23))),
        // 26 if A is set
        (with(&[(1, 0xc4), (3, 24)]), Err(Malformed::TooShort(24))),
        (with(&[(3, 25)]), Err(Malformed::LongerThanPayload(25))),
        (with(&[(2, 0)]), Err(Malformed::ZeroMultiplier)),
        (with(&[(1, 0xc1)]), Err(Malformed::Multipoint)),
        (with(&no_mine), Err(Malformed::ZeroDiscriminator)),
        (with(&in_state(0x80)), Err(Malformed::UnknownYours(SessionState::Init))),
        (with(&in_state(0xc0)), Err(Malformed::UnknownYours(SessionState::Up))),
        (with(&in_state(0x40)), Ok(())),
        (with(&in_state(0x00)), Ok(())),
        // what follows the length that the packet says of itself is not looked at
        ([OBSERVED.as_slice(), &[0xff; 40]].concat(), Ok(())),
    ];
    for (octets, expected) in cases {
        assert_eq!(ControlPacket::decode(&octets).map(drop), expected, "{octets:02x?}");
    }
}

#[test]
fn an_authenticated_packet_says_its_type() {
    let mut octets = with(&[(1, 0xc4), (3, 28)]);
    octets.extend([4, 4, 1, 0]);
    assert_eq!(ControlPacket::decode(&octets).unwrap().authentication, Some(4));
}

fn packets() -> impl Strategy<Value = ControlPacket> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let words = (1..=u32::MAX, 1..=u32::MAX, any::<u32>(), any::<u32>(), any::<u32>());
    ((0_u8..32, 0_u8..4, 1..=u8::MAX), flags, words).prop_map(|((diagnostic, state, multiplier), flags, words)| {
        ControlPacket {
            diagnostic: Diagnostic::from_bits(diagnostic),
            state: SessionState::from_bits(state),
            poll: flags.0,
            is_final: flags.1,
            control_plane_independent: flags.2,
            demand: flags.3,
            authentication: None,
            detect_multiplier: NonZeroU8::new(multiplier).unwrap(),
            mine: Discriminator::new(words.0).unwrap(),
            yours: Discriminator::new(words.1),
            desired_min_tx: Micros::new(words.2),
            required_min_rx: Micros::new(words.3),
            required_min_echo_rx: Micros::new(words.4),
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(packet in packets()) {
        prop_assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(packet) = ControlPacket::decode(&octets) {
            prop_assert!(usize::from(octets[3]) <= octets.len());
            prop_assert_eq!(octets[0] >> 5, 1);
            prop_assert_eq!(packet.authentication.is_some(), octets[1] & 4 != 0);
        }
    }
}
