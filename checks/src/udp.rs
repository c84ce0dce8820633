//! `UDP_CHECK`

use keepalived_config::model::{UdpCheck, UdpReply};

use crate::connect;
use crate::deadline::Deadlines;
use crate::failure::{Failure, Step};
use crate::filler;
use crate::scratch;

/// What is sent if the configuration says nothing: as long as what keepalived sends.
const DEFAULT_LENGTH: usize = 32;

/// A datagram is not refused; with `require_reply` it is answered.
///
/// # Errors
/// ICMP says that the port is closed, no reply comes, or the reply is another one than configured.
pub async fn udp(check: &UdpCheck) -> Result<(), Failure> {
    let deadlines = Deadlines::new(check.endpoint.connect_timeout.get());
    let socket = connect::udp(&check.endpoint)?;
    let filler = filler::<DEFAULT_LENGTH>();
    let payload = check.payload.as_deref().unwrap_or(&filler);
    deadlines.within(Step::Send, socket.send(payload)).await?;
    let reply =
        scratch::receive(&socket, |datagram| check.reply.as_ref().map_or(Ok(()), |reply| judge(reply, datagram)));
    match deadlines.within(Step::Reply, reply).await {
        Ok(verdict) => verdict,
        Err(Failure::TimedOut(..)) if check.reply.is_none() => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Data is compared as far as both reach; without data to compare with, the length does not count, either (both as
/// keepalived has it).
fn judge(wanted: &UdpReply, datagram: &[u8]) -> Result<(), Failure> {
    if wanted.pattern.is_empty() {
        return Ok(());
    }
    let bounds = usize::from(wanted.min_length)..=usize::from(wanted.max_length);
    if !bounds.contains(&datagram.len()) {
        return Err(Failure::ReplyLength(datagram.len(), wanted.min_length, wanted.max_length));
    }
    let differs = datagram.iter().zip(&wanted.pattern).position(|(octet, wanted)| octet & wanted.mask != wanted.value);
    differs.map_or(Ok(()), |at| Err(Failure::ReplyData(at)))
}

#[cfg(test)]
mod tests {
    use keepalived_config::model::MaskedOctet;

    use super::*;

    /// `x` is half an octet that does not count.
    fn check(pattern: &str, length: std::ops::RangeInclusive<u16>, datagram: &[u8], verdict: Result<(), Failure>) {
        let half = |digit: char| match digit.to_digit(16) {
            Some(value) => (u8::try_from(value).unwrap(), 0xf),
            None => (0, 0),
        };
        let digits: Vec<_> = pattern.chars().map(half).collect();
        let octet =
            |pair: &[(u8, u8)]| MaskedOctet { value: pair[0].0 << 4 | pair[1].0, mask: pair[0].1 << 4 | pair[1].1 };
        let pattern = digits.chunks(2).map(octet).collect();
        let wanted = UdpReply { pattern, min_length: *length.start(), max_length: *length.end() };
        assert_eq!(judge(&wanted, datagram), verdict);
    }

    #[test]
    fn data_is_compared_as_far_as_both_reach() {
        check("6f6b", 0..=255, b"ok", Ok(()));
        check("6f6b", 0..=255, b"o", Ok(()));
        check("6f6b", 0..=255, b"okay", Ok(()));
        check("6f6b", 0..=255, b"no", Err(Failure::ReplyData(0)));
        check("6xxb", 0..=255, b"ok", Ok(()));
        check("6xxb", 0..=255, b"ol", Err(Failure::ReplyData(1)));
    }

    #[test]
    fn the_length_counts_only_with_data() {
        check("", 0..=3, b"sixsix", Ok(()));
        check("73", 0..=3, b"sixsix", Err(Failure::ReplyLength(6, 0, 3)));
        check("73", 7..=9, b"sixsix", Err(Failure::ReplyLength(6, 7, 9)));
        check("73", 6..=6, b"sixsix", Ok(()));
    }
}
