//! `PING_CHECK`

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::IpAddr;

use keepalived_config::model::PingCheck;

use crate::connect;
use crate::deadline::Deadlines;
use crate::failure::{Failure, Step};
use crate::filler;
use crate::scratch;

/// RFC 792, p. 14
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
/// RFC 4443 §4.1, §4.2
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;

const HEADER: usize = 8;
const PAYLOAD: usize = 128;

/// It answers an echo request.
///
/// # Errors
/// The server does not answer, or ICMP says that it cannot be reached.
pub async fn ping(check: &PingCheck) -> Result<(), Failure> {
    let deadlines = Deadlines::new(check.endpoint.connect_timeout.get());
    let socket = connect::ping(&check.endpoint)?;
    let (request, reply) = match check.endpoint.address {
        IpAddr::V4(_) => (ECHO_REQUEST, ECHO_REPLY),
        IpAddr::V6(_) => (ECHO_REQUEST_V6, ECHO_REPLY_V6),
    };
    let sequence = random();
    deadlines.within(Step::Send, socket.send(&echo(request, sequence))).await?;
    let answered = async {
        // another's reply, or one to an earlier request: ours may still come
        while !scratch::receive(&socket, |message| answers(message, reply, sequence)).await? {}
        Ok(())
    };
    deadlines.within(Step::Reply, answered).await
}

/// An echo request; the kernel fills in checksum and identifier.
fn echo(kind: u8, sequence: u16) -> [u8; HEADER + PAYLOAD] {
    let mut message = filler();
    let [high, low] = sequence.to_be_bytes();
    let header = [kind, 0, 0, 0, 0, 0, high, low];
    message.iter_mut().zip(header).for_each(|(to, from)| *to = from);
    message
}

/// Whether `message` is the reply to the request with this sequence number. The kernel has looked at address,
/// identifier and checksum.
fn answers(message: &[u8], kind: u8, sequence: u16) -> bool {
    matches!(message, [first, 0, _, _, _, _, high, low, ..]
        if *first == kind && u16::from_be_bytes([*high, *low]) == sequence)
}

/// A number that others cannot predict.
pub(crate) fn random() -> u16 {
    let [.., high, low] = RandomState::new().build_hasher().finish().to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_request_has_a_sequence_number_and_a_payload() {
        let message = echo(ECHO_REQUEST, 0x1234);
        assert_eq!(&message[..8], [8, 0, 0, 0, 0, 0, 0x12, 0x34]);
        assert_eq!(message.len(), 136);
        assert!(message[8..].windows(6).any(|words| words == b"check "));
    }

    #[test]
    fn only_the_reply_to_this_request_counts() {
        assert!(answers(&[0, 0, 9, 9, 7, 7, 0x12, 0x34, 1], ECHO_REPLY, 0x1234));
        assert!(!answers(&[0, 0, 9, 9, 7, 7, 0x12, 0x35, 1], ECHO_REPLY, 0x1234));
        assert!(!answers(&[8, 0, 9, 9, 7, 7, 0x12, 0x34, 1], ECHO_REPLY, 0x1234));
        assert!(!answers(&[0, 0, 9, 9, 7, 7, 0x12], ECHO_REPLY, 0x1234));
    }
}
