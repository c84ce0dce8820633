use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::{prop_oneof, proptest};

use super::Progress::{Done, More};
use super::*;

#[derive(Default)]
struct Kept {
    status: u16,
    body: Vec<u8>,
}

impl Sink for Kept {
    fn head(&mut self, status: u16, head: &[u8]) -> Result<(), Failure> {
        assert!(head.ends_with(b"\r\n\r\n"));
        self.status = status;
        Ok(())
    }

    fn body(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.body.extend(octets);
        Ok(())
    }
}

/// How `text` ends: status, body, and whether the end came before the server closed; the same for all ways to cut it in
/// pieces.
fn read(text: &[u8]) -> Result<(u16, String, Progress), Failure> {
    let mut results = [1, 2, 3, 5, text.len()].map(|size| {
        let (mut message, mut kept) = (Message::default(), Kept::default());
        let mut progress = More;
        for piece in text.chunks(size.max(1)) {
            if progress == More {
                progress = message.feed(piece, &mut kept)?;
            }
        }
        if progress == More {
            message.end()?;
        }
        Ok((kept.status, String::from_utf8(kept.body).unwrap(), progress))
    });
    results.windows(2).for_each(|pair| assert_eq!(pair[0], pair[1], "{:?}", String::from_utf8_lossy(text)));
    std::mem::replace(&mut results[0], Err(Failure::NoPort))
}

fn check(text: &str, status: u16, body: &str, progress: Progress) {
    assert_eq!(read(text.as_bytes()), Ok((status, body.into(), progress)), "{text:?}");
}

fn refused(text: &str, failure: &Failure) {
    assert_eq!(read(text.as_bytes()).as_ref(), Err(failure), "{text:?}");
}

#[test]
fn a_body_ends_where_its_length_says() {
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", Done);
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", 200, "ok", Done);
    check("HTTP/1.1 200 OK\r\ncontent-length:2 \r\n\r\nok", 200, "ok", Done);
    check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", Done);
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", 200, "ok", More);
}

#[test]
fn without_a_length_a_body_ends_when_the_server_closes() {
    check("HTTP/1.0 200 OK\r\n\r\nok", 200, "ok", More);
    check("HTTP/1.0 200 OK\r\n\r\n", 200, "", More);
    check("HTTP/1.0 200 OK\r\nContent-Length: two\r\n\r\nok", 200, "ok", More);
    check("HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", 200, "ok", More);
}

/// Observed: keepalived lets any first word pass. RFC 9112 §4: the reason may be empty.
#[test]
fn the_status_is_what_follows_the_first_space() {
    check("ICY 204 No Content\r\n\r\n", 204, "", Done);
    check("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, "", Done);
    let none = Failure::Malformed(Step::Header, "its first line has no status of three digits");
    refused("HTTP/1.1 20 OK\r\n\r\n", &none);
    refused("HTTP/1.1 2000 OK\r\n\r\n", &none);
    refused("HTTP/1.1\r\n\r\n", &none);
    refused("\x16\x03\x01\r\n\r\n", &none);
}

#[test]
fn a_header_ends_with_an_empty_line() {
    refused("", &Failure::Closed(Step::Header));
    refused("HTTP/1.0 200 OK\r\n", &Failure::Closed(Step::Header));
    refused("HTTP/1.0 200 OK\n\nok", &Failure::Malformed(Step::Header, "its lines end with LF, not with CR LF"));
}

/// RFC 9110 §15.2
#[test]
fn interim_answers_are_passed_over() {
    check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", Done);
    check("HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, "", Done);
    refused("HTTP/1.1 100 Continue\r\n\r\n", &Failure::Closed(Step::Header));
}

/// RFC 9112 §7.1, with the example's forms.
#[test]
fn chunks_are_put_together() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n";
    check(&format!("{head}2\r\nok\r\n0\r\n\r\n"), 200, "ok", Done);
    check(&format!("{head}2;a=\"b\"\r\nok\r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"), 200, "ok0123456789", Done);
    check(&format!("{head}2\nok\n0\n\n"), 200, "ok", Done);
    check(&format!("{head}ff\r\nok"), 200, "ok", More);
}

#[test]
fn a_chunk_that_is_none_is_refused() {
    let check = |body: &str, why| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
        refused(&format!("{head}{body}"), &Failure::Malformed(Step::Body, why));
    };
    check("ok", "the size of a chunk is not hexadecimal");
    check("\r\n", "the size of a chunk is not hexadecimal");
    check("-1\r\n", "the size of a chunk is not hexadecimal");
    check("1x\r\n", "the size of a chunk is not hexadecimal");
    check("10000000000000000\r\n", "the size of a chunk overflows");
    check("2\r\nokay\r\n", "a chunk is longer than its size");
    check(&format!("1;{}", "x".repeat(5000)), "the size of a chunk has no end");
}

#[test]
fn a_header_without_end_is_cut_short() {
    let line = "X: y\r\n".repeat(20_000);
    refused(&format!("HTTP/1.1 200 OK\r\n{line}\r\n"), &Failure::TooLong(Step::Header, 65_536));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(4000);
    refused(&interim, &Failure::TooLong(Step::Header, 65_536));
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    refused(&format!("{head}{line}"), &Failure::TooLong(Step::Body, 65_536));
}

/// What answers are made of, and what breaks them.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(&b"HTTP/1.1 200 OK\r\n"[..]),
        Just(&b"HTTP/1.1 100 Continue\r\n\r\n"[..]),
        Just(&b"Transfer-Encoding: chunked\r\n"[..]),
        Just(&b"Content-Length: 7\r\n"[..]),
        Just(&b"\r\n"[..]),
        Just(&b"\r"[..]),
        Just(&b"\n"[..]),
        Just(&b"5\r\nabcde\r\n"[..]),
        Just(&b"0\r\n"[..]),
        Just(&b"ffffffffffffffff\r\n"[..]),
        Just(&b"; "[..]),
    ]
    .prop_map(<[u8]>::to_vec)
    .boxed()
    .prop_union(vec(any::<u8>(), 0..9).boxed())
}

proptest! {
    /// Nothing panics, and how an answer is cut changes nothing.
    #[test]
    fn any_octets_lead_to_one_verdict(pieces in vec(piece(), 0..12), size in 1..9_usize) {
        let text = pieces.concat();
        let run = |size: usize| {
            let (mut message, mut kept) = (Message::default(), Kept::default());
            for part in text.chunks(size) {
                if message.feed(part, &mut kept)? == Done {
                    return Ok((kept.status, kept.body, Done));
                }
            }
            message.end().map(|_| (kept.status, kept.body, More))
        };
        assert_eq!(run(size), run(text.len().max(1)));
    }
}
