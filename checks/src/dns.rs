//! `DNS_CHECK`

use keepalived_config::model::{DnsCheck, DnsQuery};

use crate::connect;
use crate::deadline::Deadlines;
use crate::failure::{Failure, Step};
use crate::peer_text::PeerText;
use crate::ping::random;
use crate::scratch;

/// A query over UDP is answered without error; whether there is an answer in the answer does not matter.
///
/// # Errors
/// No response comes, or one with a response code other than 0.
pub async fn dns(check: &DnsCheck) -> Result<(), Failure> {
    let deadlines = Deadlines::new(check.endpoint.connect_timeout.get());
    let id = random();
    let query = query(id, check.query, &check.name)?;
    let socket = connect::udp(&check.endpoint)?;
    deadlines.within(Step::Send, socket.send(&query)).await?;
    let response = async {
        // any other datagram answers another query: the response to ours may still come
        loop {
            if let Some(code) = scratch::receive(&socket, |message| response_code(message, id)).await? {
                return Ok(code);
            }
        }
    };
    match deadlines.within(Step::Reply, response).await? {
        0 => Ok(()),
        code => Err(Failure::ResponseCode(code)),
    }
}

/// RFC 1035 §4.1: one question, recursion desired, class IN.
fn query(id: u16, kind: DnsQuery, name: &str) -> Result<Vec<u8>, Failure> {
    let unusable = |why: &str| Failure::Unusable("name", PeerText::show(&format_args!("{name}: {why}")));
    let [high, low] = id.to_be_bytes();
    let mut message = vec![high, low, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    let start = message.len();
    for label in name.split('.').filter(|_| name != ".") {
        match u8::try_from(label.len()) {
            Ok(length @ 1..=63) => message.push(length),
            _ => return Err(unusable("a label has 1 to 63 octets")),
        }
        message.extend(label.as_bytes());
    }
    message.push(0);
    if message.len() - start > 255 {
        return Err(unusable("it is longer than 255 octets"));
    }
    message.extend([0, type_number(kind), 0, 1]);
    Ok(message)
}

/// RFC 1035 §3.2.2, RFC 3596 §2.1
fn type_number(kind: DnsQuery) -> u8 {
    match kind {
        DnsQuery::A => 1,
        DnsQuery::Ns => 2,
        DnsQuery::Cname => 5,
        DnsQuery::Soa => 6,
        DnsQuery::Mx => 15,
        DnsQuery::Txt => 16,
        DnsQuery::Aaaa => 28,
    }
}

/// The response code, if `message` is a response to the query with this id.
fn response_code(message: &[u8], id: u16) -> Option<u8> {
    // id, flags, four counts: RFC 1035 §4.1.1
    let [high, low, flags, code, _, _, _, _, _, _, _, _, ..] = message else { return None };
    let is_response = flags & 0x80 != 0;
    (is_response && u16::from_be_bytes([*high, *low]) == id).then_some(code & 0x0f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against what `dig +noedns` 9.18 sends, as tcpdump shows it.
    #[test]
    fn a_query_is_what_dig_sends() {
        let message = query(0xbeef, DnsQuery::Aaaa, "www.example.org").unwrap();
        assert_eq!(message, b"\xbe\xef\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\x03org\0\0\x1c\0\x01");
        let root = query(1, DnsQuery::Soa, ".").unwrap();
        assert_eq!(root, b"\0\x01\x01\x00\0\x01\0\0\0\0\0\0\0\0\x06\0\x01");
    }

    #[test]
    fn a_name_that_cannot_be_sent_is_named() {
        assert!(query(1, DnsQuery::A, &"x".repeat(64)).is_err());
        assert!(query(1, DnsQuery::A, "a..b").is_err());
        assert!(query(1, DnsQuery::A, &vec!["abcdefg"; 32].join(".")).is_err());
        assert!(query(1, DnsQuery::A, &vec!["abcdefg"; 31].join(".")).is_ok());
    }

    #[test]
    fn only_the_response_to_this_query_counts() {
        let response = b"\xbe\xef\x81\x83\0\x01\0\0\0\0\0\0";
        assert_eq!(response_code(response, 0xbeef), Some(3));
        assert_eq!(response_code(response, 0xbeee), None);
        assert_eq!(response_code(&response[..11], 0xbeef), None);
        assert_eq!(response_code(b"\xbe\xef\x01\x00\0\x01\0\0\0\0\0\0", 0xbeef), None);
    }
}
