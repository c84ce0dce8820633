//! `HTTP_GET`, `SSL_GET`

use keepalived_config::model::{Endpoint, HttpCheck, Sni, Url};
use tokio::io::{AsyncRead, AsyncWriteExt as _};

use crate::connect;
use crate::deadline::Deadlines;
use crate::failure::{Failure, Step};
use crate::scratch;
use crate::tls::Tls;

mod judge;
mod message;
mod request;

pub(crate) use judge::Judge;
pub(crate) use message::LONGEST_BODY;
pub use message::Sink;
use message::{Message, Progress};
pub(crate) use request::authority;
pub use request::request;

/// Fetches one url and judges the answer. `host` is what the check's `host()` says; `tls` counts for `SSL_GET` only.
///
/// An answer ends where its `Content-Length` or its last chunk says; deviates: keepalived waits until the server
/// closes. A body that ends early is judged as it is, as keepalived does.
///
/// # Errors
/// There is no answer, or not the one that is wanted.
pub async fn http(check: &HttpCheck, url: &Url, host: Option<&str>, tls: &Tls) -> Result<(), Failure> {
    let request = request(check.protocol, &url.path, host, connect::target(&check.endpoint)?)?;
    let mut judge = Judge::new(url)?;
    if check.secure {
        let name = name(&check.sni, host);
        let goodbye = check.tls_compliant || url.tls_compliant;
        // far larger than what a check without TLS needs, and there may be thousands of those
        Box::pin(fetch_secure(&check.endpoint, &request, Secure { tls, name, goodbye }, &mut judge)).await?;
    } else {
        fetch(&check.endpoint, &request, &mut judge).await?;
    }
    judge.verdict()
}

/// The name in the handshake.
pub(crate) fn name<'a>(sni: &'a Sni, host: Option<&'a str>) -> Option<&'a str> {
    match sni {
        Sni::Off => None,
        Sni::Host => host,
        Sni::Name(name) => Some(name),
    }
}

/// How a request travels over TLS.
#[derive(Clone, Copy, Debug)]
pub struct Secure<'a> {
    /// What we show and believe.
    pub tls: &'a Tls,
    /// The name in the handshake, if any.
    pub name: Option<&'a str>,
    /// Whether we say that we close.
    pub goodbye: bool,
}

/// Sends `request` and gives what comes to `sink`.
///
/// # Errors
/// There is no answer, or `sink` has had enough.
pub async fn fetch(endpoint: &Endpoint, request: &[u8], sink: &mut impl Sink) -> Result<(), Failure> {
    let deadlines = Deadlines::new(endpoint.connect_timeout.get());
    let mut stream = connect::tcp_and_send(endpoint, &deadlines, request).await?;
    read(&mut stream, &deadlines, sink).await
}

/// As [`fetch`], over TLS.
///
/// # Errors
/// As [`fetch`]; there is no agreement on TLS.
pub async fn fetch_secure(
    endpoint: &Endpoint,
    request: &[u8],
    secure: Secure<'_>,
    sink: &mut impl Sink,
) -> Result<(), Failure> {
    let deadlines = Deadlines::new(endpoint.connect_timeout.get());
    let stream = connect::tcp(endpoint, &deadlines).await?;
    let handshake = secure.tls.handshake(stream, secure.name, endpoint.address)?;
    let mut stream = deadlines.within(Step::Handshake, handshake).await?;
    let send = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    deadlines.within(Step::Send, send).await?;
    let result = read(&mut stream, &deadlines, sink).await;
    if secure.goodbye {
        // the answer has been judged; one who does not listen any more is not worse for it
        let _not_heard = deadlines.within(Step::Send, stream.shutdown()).await;
    }
    result
}

/// Reads an answer to its end.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    deadlines: &Deadlines,
    sink: &mut impl Sink,
) -> Result<(), Failure> {
    let mut message = Message::default();
    loop {
        let step = message.step();
        let read = scratch::read(stream, |octets| match octets {
            [] => message.end(),
            _ => message.feed(octets, sink),
        });
        let progress = match deadlines.within(step, read).await {
            // many a TLS server closes without saying so
            Err(Failure::Closed(_)) => message.end(),
            read => read?,
        };
        match progress? {
            Progress::More => {}
            Progress::Done => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::deadline::total;

    struct Ignore;

    impl Sink for Ignore {
        fn head(&mut self, _: u16, _: &[u8]) -> Result<(), Failure> {
            Ok(())
        }

        fn body(&mut self, _: &[u8]) -> Result<(), Failure> {
            Ok(())
        }
    }

    /// What a server that says `first`, and then an octet every `pause`, leads to.
    fn drip(first: &str, pause: Duration) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (mut client, mut server) = tokio::io::duplex(64);
            let dripping = async {
                server.write_all(first.as_bytes()).await.unwrap();
                loop {
                    tokio::time::sleep(pause).await;
                    server.write_all(b"x").await.unwrap();
                }
            };
            let (deadlines, mut sink) = (Deadlines::new(TIMEOUT), Ignore);
            tokio::select! {
                result = read(&mut client, &deadlines, &mut sink) => result,
                () = dripping => Ok(()),
            }
        })
    }

    const TIMEOUT: Duration = Duration::from_secs(3);

    #[test]
    fn an_octet_now_and_then_is_progress_but_not_for_ever() {
        let too_slow = |step| Err(Failure::TooSlow(step, total(TIMEOUT)));
        let (quick, slow) = (Duration::from_millis(2900), Duration::from_millis(3100));
        assert_eq!(drip("", quick), too_slow(Step::Header));
        assert_eq!(drip("HTTP/1.0 200 OK\r\n\r\n", quick), too_slow(Step::Body));
        assert_eq!(drip("HTTP/1.0 200 OK\r\n\r\n", slow), Err(Failure::TimedOut(Step::Body, TIMEOUT)));
        assert_eq!(drip("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", quick), Ok(()));
    }
}
