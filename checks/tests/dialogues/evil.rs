//! What a server says reaches logs, dumps and terminals as part of a failure: each dialogue that can show any of it,
//! against the same strings.

use std::sync::Mutex;

use ::http::{HeaderMap, HeaderValue, Request, Response};
use bytes::Bytes;
use h2::server::SendResponse;
use keepalived_checks::{Failure, PeerText, grpc, http, http2, smtp};
use keepalived_config::model::{GrpcCheck, Schedule, SmtpCheck, Sni};

use crate::http::{get, url};
use crate::http2::start;
use crate::server::{Act, say, serve};
use crate::tls::anyone;
use crate::{endpoint, run, schedule};

/// Terminal controls in both their forms, the other direction of writing, other lines, octets that are no text, and too
/// much of it.
fn strings() -> Vec<Vec<u8>> {
    let texts =
        ["\x1b[2J\x1b]0;mine\x07", "\u{9b}31m\u{85}", "safe\u{202e}evil\u{2066}\u{200f}", "a\u{2028}b\u{2029}c"];
    let mut all: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    all.push(b"\xff\xfe\x9b31m\xc3".to_vec());
    all.push(vec![b'x'; 16_000]);
    all.push("\u{202e}".repeat(5000).into_bytes());
    all
}

/// The longest sentence around a text of a server.
const AROUND: usize = 150;

fn is_clean(failure: &Failure) {
    let text = failure.to_string();
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(hidden), "{text:?}");
    assert!(text.chars().count() <= PeerText::LONGEST + AROUND, "{text:?}");
}

/// As one line, if it is one.
fn line(text: &[u8]) -> Vec<u8> {
    [text, b"\r\n"].concat()
}

#[test]
fn a_mail_server_cannot_write_to_a_terminal() {
    for text in strings() {
        let greeting = [b"554 ", &*text].concat();
        let hello = vec![say("220 a\r\n"), Act::Hear(b"HELO me.example\r\n"), say(line(&[b"550 ", &*text].concat()))];
        for acts in [vec![say(line(&greeting)), Act::Hang], vec![say(line(&text)), Act::Hang], hello] {
            let failure = run(async {
                let endpoint = endpoint(serve(acts).await);
                smtp(&SmtpCheck { schedule: schedule(), endpoint, helo_name: "me.example".into() }).await
            });
            is_clean(&failure.unwrap_err());
        }
    }
}

#[test]
fn a_web_server_cannot_write_to_a_terminal() {
    for text in strings() {
        for secure in [false, true] {
            let status = [b"HTTP/1.1 ", &*text].concat();
            let header = [b"HTTP/1.1 500 ", &*text, b"\r\nX: ", &*text, b"\r\n"].concat();
            let size = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &*text].concat();
            for said in [line(&text), line(&status), line(&header), line(&size)] {
                let failure = run(async {
                    let check = get(serve(vec![say(said)]).await, url());
                    let check = keepalived_config::model::HttpCheck { secure, sni: Sni::Off, ..check };
                    http(&check, &check.urls[0], None, &anyone()).await
                });
                is_clean(&failure.unwrap_err());
            }
        }
    }
}

/// A GOAWAY (RFC 9113 §6.8) with this as "additional debug data".
fn goaway(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len() + 8).unwrap().to_be_bytes();
    [&[0, 0, 0, 4, 0, 0, 0, 0, 0], &length[1..], &[7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b], text].concat()
}

#[test]
fn http2_says_goodbye_and_no_more() {
    for text in strings() {
        let failure = run(async {
            let check = get(serve(vec![say(goaway(&text)), Act::Hang]).await, url());
            http2(&check, &check.urls[0], None, &anyone()).await
        });
        is_clean(&failure.unwrap_err());
    }
}

static MESSAGE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// That message, where it can be a header at all.
fn status() -> HeaderMap {
    let message = HeaderValue::from_bytes(&MESSAGE.lock().unwrap());
    let message = message.unwrap_or_else(|_| HeaderValue::from_static("no header"));
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from_static("14"));
    headers.insert("grpc-message", message);
    headers
}

fn refuse_at_once(_: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) {
    let mut head = Response::new(());
    *head.headers_mut() = status();
    respond.send_response(head, true).unwrap();
}

fn refuse_at_the_end(_: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_trailers(status()).unwrap();
}

#[test]
fn a_grpc_message_is_a_line() {
    for text in strings() {
        *MESSAGE.lock().unwrap() = text;
        for answer in [refuse_at_once, refuse_at_the_end] {
            let failure = run(async {
                let check = GrpcCheck {
                    schedule: Schedule::default(),
                    endpoint: endpoint(start(None, answer).await),
                    secure: false,
                    verify: false,
                    sni: Sni::Off,
                    virtualhost: None,
                    service: String::new(),
                };
                grpc(&check, None, &anyone()).await
            });
            let failure = failure.unwrap_err();
            assert!(matches!(failure, Failure::GrpcStatus(14, _)), "{failure}");
            is_clean(&failure);
        }
    }
}
