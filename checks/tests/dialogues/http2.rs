//! `HTTP2_GET`, `GRPC_CHECK`

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use keepalived_checks::{Failure, Step, grpc, http2};
use keepalived_config::model::{GrpcCheck, HttpCheck, Regex, Schedule, Sni, StatusRange, Url};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::http::{get, url};
use crate::server::{Act, say, serve};
use crate::tls::{PLAIN, anyone};
use crate::{TIMEOUT, endpoint, run};

type Answer = fn(Request<h2::RecvStream>, SendResponse<Bytes>);

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answer) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        answer(request, respond);
    }
}

/// A server that gives every request to `answer`, over TLS that offers `alpn` if there is any.
pub(crate) async fn start(alpn: Option<&[u8]>, answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = alpn.map(|alpn| {
        let mut config = PLAIN.config();
        config.alpn_protocols = [alpn.to_vec()].into_iter().filter(|alpn| !alpn.is_empty()).collect();
        TlsAcceptor::from(Arc::new(config))
    });
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            match &acceptor {
                None => drop(tokio::spawn(converse(stream, answer))),
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => drop(tokio::spawn(converse(stream, answer))),
                    Err(_) => continue,
                },
            }
        }
    });
    address
}

fn send(mut respond: SendResponse<Bytes>, status: u16, body: &[&'static [u8]], trailers: Option<HeaderMap>) {
    let head = Response::builder().status(status).body(()).unwrap();
    let mut stream = respond.send_response(head, body.is_empty() && trailers.is_none()).unwrap();
    for (at, piece) in body.iter().enumerate() {
        let last = at + 1 == body.len() && trailers.is_none();
        stream.send_data(Bytes::from_static(piece), last).unwrap();
    }
    if let Some(trailers) = trailers {
        stream.send_trailers(trailers).unwrap();
    }
}

fn page(request: Request<h2::RecvStream>, respond: SendResponse<Bytes>) {
    assert_eq!(request.headers()["user-agent"], "KeepAliveClient");
    match request.uri().path() {
        "/" => send(respond, 200, &[b"o", b"k"], None),
        "/host" => {
            let known = request.uri().authority().is_some_and(|authority| authority == "www.example.org");
            send(respond, if known { 200 } else { 404 }, &[b"ok"], None);
        }
        "/hang" => {
            let head = Response::builder().status(200).body(()).unwrap();
            let mut respond = respond;
            // the stream is dropped when the connection is
            std::mem::forget(respond.send_response(head, false));
        }
        "/reset" => {
            let mut respond = respond;
            respond.send_reset(h2::Reason::INTERNAL_ERROR);
        }
        _ => send(respond, 404, &[], None),
    }
}

async fn ask(address: SocketAddr, secure: bool, host: Option<&str>, url: Url) -> Result<(), Failure> {
    let check = HttpCheck { secure, sni: Sni::Host, ..get(address, url) };
    http2(&check, &check.urls[0], host, &anyone()).await
}

#[test]
fn a_page_is_fetched_with_and_without_tls() {
    for alpn in [None, Some(&b"h2"[..])] {
        run(async {
            let address = start(alpn, page).await;
            let ask =
                async |path: &str, host| ask(address, alpn.is_some(), host, Url { path: path.into(), ..url() }).await;
            assert_eq!(ask("/", None).await, Ok(()));
            assert_eq!(ask("/host", Some("www.example.org")).await, Ok(()));
            let failure = Err(Failure::Status(404, [StatusRange::SUCCESS].into()));
            assert_eq!(ask("/host", None).await, failure);
            assert_eq!(ask("/hang", None).await, Err(Failure::TimedOut(Step::Body, TIMEOUT)));
            assert!(matches!(ask("/reset", None).await, Err(Failure::Http2(_))));
            assert!(matches!(ask("/a b", None).await, Err(Failure::Unusable("path", _))));
        });
    }
}

#[test]
fn the_body_is_judged() {
    run(async {
        let address = start(None, page).await;
        let regex = |pattern: &str| Some(Box::new(Regex { pattern: pattern.into(), ..Regex::default() }));
        // printf ok | md5sum
        let digest = Some(0x444b_cb3a_3fcf_8389_296c_4946_7f27_e1d6_u128.to_be_bytes());
        assert_eq!(ask(address, false, None, Url { digest, regex: regex("^ok$"), ..url() }).await, Ok(()));
        assert_eq!(ask(address, false, None, Url { regex: regex("no"), ..url() }).await, Err(Failure::NotFound));
    });
}

#[test]
fn a_server_without_http2_has_failed() {
    run(async {
        let address = start(Some(b""), page).await;
        let failure = ask(address, true, None, url()).await.unwrap_err();
        assert_eq!(failure.to_string(), "HTTP/2: the server does not speak it over TLS (no h2 in ALPN)");
        let ask = async |acts| ask(serve(acts).await, false, None, url()).await;
        assert!(ask(vec![say("HTTP/1.1 400 Bad Request\r\n\r\n")]).await.is_err());
        assert!(ask(vec![]).await.is_err());
        assert_eq!(ask(vec![Act::Hang]).await, Err(Failure::TimedOut(Step::Header, TIMEOUT)));
        // RFC 9113 §6.5, §6.7: SETTINGS, and then PINGs for ever are no answer
        let pings = Act::SayForEver([&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], b"12345678"].concat());
        let result = ask(vec![say([0, 0, 0, 4, 0, 0, 0, 0, 0]), pings]).await;
        assert!(result.is_err());
    });
}

/// A server that speaks something else, or only TLS, closes: there is no TLS here to blame for it.
#[test]
fn a_server_that_closes_has_closed() {
    run(async {
        let preface = Act::Hear(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // octets that nobody has read make it a reset
        let settings = say([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        for acts in [vec![], vec![preface.clone()], vec![preface.clone(), settings.clone()]] {
            let failure = ask(serve(acts).await, false, None, url()).await.unwrap_err();
            assert!(matches!(failure, Failure::Closed(_) | Failure::System(_, 32 | 104)), "{failure}");
        }
        for acts in [vec![Act::Reset], vec![preface.clone(), Act::Reset], vec![preface, settings, Act::Reset]] {
            let failure = ask(serve(acts).await, false, None, url()).await.unwrap_err().to_string();
            assert!(failure.contains("connection reset"), "{failure}");
            assert!(!failure.contains("TLS"), "{failure}");
        }
    });
}

/// Frames of a type that nobody knows are passed over (RFC 9113 §4.1), and no more than that.
#[test]
fn a_flood_of_frames_does_not_hide_the_deadline() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let flood = [0, 0, 0, 0xfa, 0, 0, 0, 0, 0].repeat(10_000);
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        while stream.write_all(&flood).is_ok() {}
    });
    let started = Instant::now();
    let result = run(async { tokio::time::timeout(TIMEOUT * 10, ask(address, false, None, url())).await });
    assert_eq!(result.map_err(|_| started.elapsed()), Ok(Err(Failure::TimedOut(Step::Header, TIMEOUT))));
}

fn health(request: Request<h2::RecvStream>, respond: SendResponse<Bytes>) {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(request.headers()["content-type"], "application/grpc");
    assert_eq!(request.headers()["te"], "trailers");
    tokio::spawn(async move {
        let mut body = request.into_body();
        let mut question = Vec::new();
        while let Some(piece) = body.data().await {
            question.extend(piece.unwrap());
        }
        let trailers = |status: &str| {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            trailers.insert("grpc-message", "so it is".parse().unwrap());
            Some(trailers)
        };
        match question.get(7..).unwrap_or_default() {
            b"" => send(respond, 200, &[b"\0\0\0\0", b"\x02\x08\x01"], trailers("0")),
            b"down" => send(respond, 200, &[b"\0\0\0\0\x02\x08\x02"], trailers("0")),
            b"unset" => send(respond, 200, &[b"\0\0\0\0\0"], trailers("0")),
            b"garbage" => send(respond, 200, &[b"\0\0\0\0\xffgarbage"], trailers("0")),
            b"long" => send(respond, 200, &[&[0; 5000]], trailers("0")),
            b"silent" => send(respond, 200, &[b"\0\0\0\0\x02\x08\x01"], None),
            b"page" => send(respond, 404, &[], None),
            _ => {
                let mut respond = respond;
                let head = Response::builder().header("grpc-status", "5").header("grpc-message", "who?");
                respond.send_response(head.body(()).unwrap(), true).unwrap();
            }
        }
    });
}

/// The gRPC health checking protocol: only SERVING is good, NOT_FOUND is what an unknown service gives.
#[test]
fn a_grpc_server_says_how_it_is() {
    for alpn in [None, Some(&b"h2"[..])] {
        run(async {
            let address = start(alpn, health).await;
            let ask = async |service: &str| {
                let check = GrpcCheck {
                    schedule: Schedule::default(),
                    endpoint: endpoint(address),
                    secure: alpn.is_some(),
                    verify: false,
                    sni: Sni::Off,
                    virtualhost: None,
                    service: service.into(),
                };
                grpc(&check, None, &anyone()).await
            };
            assert_eq!(ask("").await, Ok(()));
            assert_eq!(ask("down").await, Err(Failure::NotServing("NOT_SERVING")));
            assert_eq!(ask("unset").await, Err(Failure::NotServing("UNKNOWN")));
            assert_eq!(ask("nosuch").await, Err(Failure::GrpcStatus(5, "who?".into())));
            assert_eq!(ask("garbage").await, Err(Failure::Malformed(Step::Body, "it is no HealthCheckResponse")));
            assert_eq!(ask("long").await, Err(Failure::TooLong(Step::Body, 4096)));
            assert_eq!(ask("silent").await, Err(Failure::Malformed(Step::Body, "it ends without grpc-status")));
            assert_eq!(ask("page").await, Err(Failure::Http2("status 404, wanted 200".into())));
        });
    }
}
