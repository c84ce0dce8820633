use proptest::prelude::*;

use super::*;

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

fn payload(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    write(&mut writer);
    writer.0
}

/// RFC 2741 §5.1: the object identifiers of its examples.
#[test]
fn an_object_identifier_of_the_internet_is_shorter_by_its_prefix() {
    let octets = payload(|writer| writer.oid(&oid("1.3.6.1.2.1.1.1.0"), false));
    assert_eq!(octets, [4, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
    let octets = payload(|writer| writer.oid(&oid("1.2.3.4"), true));
    assert_eq!(octets, [4, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
    assert_eq!(payload(|writer| writer.oid(&Oid::default(), false)), [0; 4]);
}

/// RFC 2741 §5.3: filled up with zeros to a multiple of four.
#[test]
fn an_octet_string_is_filled_up() {
    assert_eq!(payload(|writer| writer.octets(b"")), [0; 4]);
    assert_eq!(payload(|writer| writer.octets(b"abcd")), [0, 0, 0, 4, b'a', b'b', b'c', b'd']);
    assert_eq!(payload(|writer| writer.octets(b"abcde")), *b"\0\0\0\x05abcde\0\0\0");
    let mut reader = Reader::new(b"\0\0\0\x05abcde\0\0", NETWORK_BYTE_ORDER);
    assert_eq!(reader.octets(), Err(Refusal::Short), "what fills it up belongs to it");
}

/// RFC 2741 §6.1: a master may use the other order.
#[test]
fn both_orders_of_octets_are_read() {
    let header = [1, 13, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    let header = Header::decode(&header).unwrap();
    let pdu = Pdu::decode(&header, &[]).unwrap();
    assert_eq!(pdu, Pdu { session: 7, transaction: 8, packet: 9, context: None, body: Body::Ping });
    assert_eq!(pdu.encode(), [1, 13, 0x10, 0, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0]);
}

#[test]
fn a_header_that_hides_where_the_next_one_is_gets_refused() {
    let header = |version, length: u32| {
        let mut octets = [0; HEADER];
        (octets[0], octets[1], octets[2]) = (version, 13, NETWORK_BYTE_ORDER);
        octets[16..].copy_from_slice(&length.to_be_bytes());
        Header::decode(&octets)
    };
    assert_eq!(header(2, 0), Err(Refusal::Version(2)));
    assert_eq!(header(1, 3), Err(Refusal::Length(3)));
    assert_eq!(header(1, u32::MAX), Err(Refusal::Length(4_294_967_295)));
    assert!(header(1, 1 << 20).is_ok());
}

fn any_oid() -> impl Strategy<Value = Oid> {
    let internet = prop::collection::vec(any::<u32>(), 0..20).prop_map(|rest| {
        let start: &[u32] = &[1, 3, 6, 1, 4];
        Oid::new(start).with(&rest)
    });
    prop_oneof![internet, prop::collection::vec(any::<u32>(), 0..20).prop_map(Oid::new)]
}

fn any_value() -> impl Strategy<Value = Value> {
    let octets = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        octets().prop_map(Value::OctetString),
        Just(Value::Null),
        any_oid().prop_map(Value::ObjectIdentifier),
        any::<[u8; 4]>().prop_map(|octets| Value::IpAddress(octets.into())),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        octets().prop_map(Value::Opaque),
        any::<u64>().prop_map(Value::Counter64),
        Just(Value::NoSuchObject),
        Just(Value::NoSuchInstance),
        Just(Value::EndOfMibView),
    ]
}

fn any_binds() -> impl Strategy<Value = Vec<VarBind>> {
    prop::collection::vec((any_oid(), any_value()).prop_map(|(name, value)| VarBind { name, value }), 0..6)
}

fn any_ranges() -> impl Strategy<Value = Vec<Range>> {
    let range = (any_oid(), any::<bool>(), any_oid());
    prop::collection::vec(range.prop_map(|(start, included, end)| Range { start, included, end }), 0..6)
}

fn any_body() -> impl Strategy<Value = Body> {
    let octets = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        (any::<u8>(), any_oid(), octets()).prop_map(|(timeout, id, description)| Body::Open {
            timeout,
            id,
            description
        }),
        any::<u8>().prop_map(|reason| Body::Close { reason }),
        (any::<u8>(), any::<u8>(), any_oid(), any::<u32>()).prop_map(|(timeout, priority, subtree, upper)| {
            Body::Register { timeout, priority, range: 3, subtree, upper: Some(upper) }
        }),
        (any::<u8>(), any_oid()).prop_map(|(priority, subtree)| Body::Unregister {
            priority,
            range: 0,
            subtree,
            upper: None
        }),
        any_ranges().prop_map(Body::Get),
        any_ranges().prop_map(Body::GetNext),
        (any::<u16>(), any::<u16>(), any_ranges()).prop_map(|(non_repeaters, max_repetitions, ranges)| {
            Body::GetBulk { non_repeaters, max_repetitions, ranges }
        }),
        any_binds().prop_map(Body::TestSet),
        Just(Body::CommitSet),
        Just(Body::UndoSet),
        Just(Body::CleanupSet),
        any_binds().prop_map(Body::Notify),
        Just(Body::Ping),
        (any_oid(), octets()).prop_map(|(id, description)| Body::AddAgentCaps { id, description }),
        any_oid().prop_map(|id| Body::RemoveAgentCaps { id }),
        (any::<u32>(), any::<u16>(), any::<u16>(), any_binds())
            .prop_map(|(uptime, error, index, binds)| Body::Response { uptime, error, index, binds }),
    ]
}

fn decode(octets: &[u8]) -> Result<Pdu, Refusal> {
    let (header, payload) = octets.split_first_chunk().ok_or(Refusal::Short)?;
    let header = Header::decode(header)?;
    Pdu::decode(&header, payload.get(..header.length).ok_or(Refusal::Short)?)
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        body in any_body(),
        numbers in any::<(u32, u32, u32)>(),
        context in prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
    ) {
        let pdu = Pdu { session: numbers.0, transaction: numbers.1, packet: numbers.2, context, body };
        prop_assert_eq!(decode(&pdu.encode()), Ok(pdu));
    }

    #[test]
    fn no_octets_are_too_strange(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&octets);
    }

    #[test]
    fn no_payload_is_too_strange(kind in 0_u8..20, flags in any::<u8>(), payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let header = Header { kind, flags, session: 0, transaction: 0, packet: 0, length: payload.len() };
        let _ = Pdu::decode(&header, &payload);
    }

    /// One octet of a good PDU is another one, or its end is missing.
    #[test]
    fn nothing_that_is_nearly_right_is_too_strange(body in any_body(), at in any::<prop::sample::Index>(), other in any::<u8>()) {
        let pdu = Pdu { session: 1, transaction: 2, packet: 3, context: None, body };
        let mut octets = pdu.encode();
        let at = at.index(octets.len());
        let _ = decode(&octets[..at]);
        octets[at] = other;
        let _ = decode(&octets);
    }
}
