//! `GRPC_CHECK`: ours, keepalived has none. The health checking protocol of gRPC:
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>, and below it `PROTOCOL-HTTP2.md`.

use bytes::Bytes;
use h2::client::ResponseFuture;
use http::HeaderMap;
use keepalived_config::model::GrpcCheck;

use crate::deadline::Deadlines;
use crate::failure::{Failure, Step};
use crate::http::name;
use crate::http2::{Call, failure, next, talk, uri};
use crate::peer_text::PeerText;
use crate::tls::Tls;

/// The longest answer; an honest one has 7 octets.
const LONGEST_MESSAGE: usize = 4096;

/// A server says that a service of it is serving. `host` is what the check's `host()` says; `tls` counts if the check
/// is over TLS.
///
/// # Errors
/// It does not, or says something else.
pub async fn grpc(check: &GrpcCheck, host: Option<&str>, tls: &Tls) -> Result<(), Failure> {
    let uri = uri(&check.endpoint, check.secure, host, "/grpc.health.v1.Health/Check")?;
    let request = http::Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "KeepAliveClient");
    let request = request.body(()).map_err(|error| Failure::Unusable("the request", PeerText::show(&error)))?;
    let deadlines = Deadlines::new(check.endpoint.connect_timeout.get());
    let secure = check.secure.then(|| (tls, name(&check.sni, host)));
    let call = Call { request, message: Some(question(&check.service)?) };
    Box::pin(talk(&check.endpoint, secure, deadlines, call, |answer| hear(answer, deadlines))).await
}

async fn hear(answer: ResponseFuture, deadlines: Deadlines) -> Result<(), Failure> {
    let answer = deadlines.until(Step::Header, answer).await?.map_err(|error| failure(Step::Header, &error))?;
    if answer.status() != http::StatusCode::OK {
        return Err(Failure::Http2(PeerText::show(&format_args!("status {}, wanted 200", answer.status().as_u16()))));
    }
    // "Trailers-Only": an error may come at once
    if let Some(verdict) = call_status(answer.headers()) {
        verdict?;
    }
    let mut body = answer.into_body();
    let mut message = Vec::new();
    while let Some(octets) = next(&mut body, &deadlines).await? {
        message.extend(octets);
        if message.len() > LONGEST_MESSAGE {
            return Err(Failure::TooLong(Step::Body, u64::try_from(LONGEST_MESSAGE).unwrap_or(u64::MAX)));
        }
    }
    let trailers = deadlines.until(Step::Body, body.trailers()).await?;
    let trailers = trailers.map_err(|error| failure(Step::Body, &error))?.unwrap_or_default();
    call_status(&trailers).unwrap_or(Err(Failure::Malformed(Step::Body, "it ends without grpc-status")))?;
    match serving_status(&message) {
        None => Err(Failure::Malformed(Step::Body, "it is no HealthCheckResponse")),
        Some(1) => Ok(()),
        Some(2) => Err(Failure::NotServing("NOT_SERVING")),
        Some(3) => Err(Failure::NotServing("SERVICE_UNKNOWN")),
        Some(_) => Err(Failure::NotServing("UNKNOWN")),
    }
}

/// How the call ended, if the headers say so.
fn call_status(headers: &HeaderMap) -> Option<Result<(), Failure>> {
    let status = headers.get("grpc-status")?.to_str().unwrap_or_default();
    Some(match status.parse() {
        Ok(0) => Ok(()),
        Ok(status) => {
            let message = headers.get("grpc-message").map(|value| value.as_bytes()).unwrap_or_default();
            Err(Failure::GrpcStatus(status, PeerText::new(message)))
        }
        Err(_) => Err(Failure::Malformed(Step::Header, "grpc-status is no number")),
    })
}

/// A HealthCheckRequest in its frame: not compressed, four octets of length, field 1 with the service.
fn question(service: &str) -> Result<Bytes, Failure> {
    let mut message = Vec::new();
    if !service.is_empty() {
        // as two octets of varint it reaches beyond what any name needs
        let long = |_| Failure::Unusable("service", "it is longer than 16383 octets".into());
        let length = u16::try_from(service.len()).ok().filter(|length| *length < 1 << 14).ok_or(()).map_err(long)?;
        let [low, high] = [length & 0x7f, length >> 7].map(|part| u8::try_from(part).unwrap_or_default());
        message.push(0x0a);
        if high == 0 {
            message.push(low)
        } else {
            message.extend([low | 0x80, high])
        }
        message.extend(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or_default();
    Ok([&[0], length.to_be_bytes().as_slice(), &message].concat().into())
}

/// Field 1 of a HealthCheckResponse in its frame; 0 if it is not there, as protobuf has it.
fn serving_status(frame: &[u8]) -> Option<u64> {
    let ([0, length @ ..], mut rest) = frame.split_first_chunk::<5>()? else { return None };
    if usize::try_from(u32::from_be_bytes(*length)).ok()? != rest.len() {
        return None;
    }
    let mut status = 0;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        match key & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if key >> 3 == 1 {
                    status = value;
                }
            }
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (octet, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frame: PROTOCOL-HTTP2.md, "Length-Prefixed-Message"; message: field 1 of wire type 2, by the encoding of
    /// protobuf.
    #[test]
    fn a_question_is_framed() {
        assert_eq!(question("").unwrap(), &b"\0\0\0\0\0"[..]);
        assert_eq!(question("svc").unwrap(), &b"\0\0\0\0\x05\x0a\x03svc"[..]);
        let long = "x".repeat(300);
        assert_eq!(question(&long).unwrap()[..8], b"\0\0\0\x01\x2f\x0a\xac\x02"[..]);
        assert!(question(&"x".repeat(20_000)).is_err());
    }

    #[test]
    fn an_answer_is_understood_or_refused() {
        let check = |frame: &[u8], status| assert_eq!(serving_status(frame), status, "{frame:?}");
        check(b"\0\0\0\0\x02\x08\x01", Some(1));
        check(b"\0\0\0\0\0", Some(0));
        // fields that we do not know: a varint, 8 octets, a string, 4 octets
        check(b"\0\0\0\0\x18\x10\xff\x01\x19\0\0\0\0\0\0\0\0\x22\x01x\x2d\0\0\0\0\x08\x02", None);
        check(b"\0\0\0\0\x16\x10\xff\x01\x19\0\0\0\0\0\0\0\0\x22\x01x\x2d\0\0\0\0\x08\x02", Some(2));
        check(b"\x01\0\0\0\x02\x08\x01", None);
        check(b"\0\0\0\0\x03\x08\x01", None);
        check(b"\0\0\0\0\x02\x08\xff", None);
        check(b"\0\0\0\0\x02\x0a\x7f", None);
        check(b"\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None);
        check(b"\0\0", None);
        check(b"", None);
    }
}
