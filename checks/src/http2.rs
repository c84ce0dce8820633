//! `HTTP2_GET`: ours, keepalived has none.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use keepalived_config::model::{Endpoint, HttpCheck, Url};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connect;
use crate::deadline::Deadlines;
use crate::failure::{Failure, Step};
use crate::http::{Judge, LONGEST_BODY, Sink as _, authority, name};
use crate::peer_text::PeerText;
use crate::tls::Tls;

/// As many octets of headers as a server may send in one go.
const LONGEST_HEADER: u32 = 65_536;

/// Fetches one url over HTTP/2 and judges the answer as [`crate::http()`] does; `secure` chooses between TLS with ALPN
/// `h2`, and HTTP/2 at once (RFC 9113 §3.3). `protocol` and `tls_compliant` do not count.
///
/// # Errors
/// There is no answer, or not the one that is wanted.
pub async fn http2(check: &HttpCheck, url: &Url, host: Option<&str>, tls: &Tls) -> Result<(), Failure> {
    let judge = Judge::new(url)?;
    let uri = uri(&check.endpoint, check.secure, host, &url.path)?;
    let request = http::Request::get(uri).header("user-agent", "KeepAliveClient").body(());
    let request = request.map_err(|error| Failure::Unusable("the request", PeerText::show(&error)))?;
    let deadlines = Deadlines::new(check.endpoint.connect_timeout.get());
    let secure = check.secure.then(|| (tls, name(&check.sni, host)));
    let call = Call { request, message: None };
    Box::pin(talk(&check.endpoint, secure, deadlines, call, |answer| fetch(answer, deadlines, judge))).await
}

async fn fetch(answer: ResponseFuture, deadlines: Deadlines, mut judge: Judge<'_>) -> Result<(), Failure> {
    let answer = deadlines.until(Step::Header, answer).await?.map_err(|error| failure(Step::Header, &error))?;
    judge.head(answer.status().as_u16(), &[])?;
    let mut body = answer.into_body();
    let mut length = 0_u64;
    while let Some(octets) = next(&mut body, &deadlines).await? {
        length = length.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        if length > LONGEST_BODY {
            return Err(Failure::TooLong(Step::Body, LONGEST_BODY));
        }
        judge.body(&octets)?;
    }
    judge.verdict()
}

/// The next piece of a body.
pub(crate) async fn next(body: &mut RecvStream, deadlines: &Deadlines) -> Result<Option<Bytes>, Failure> {
    let Some(piece) = deadlines.until(Step::Body, body.data()).await? else { return Ok(None) };
    let piece = piece.map_err(|error| failure(Step::Body, &error))?;
    body.flow_control().release_capacity(piece.len()).map_err(|error| failure(Step::Body, &error))?;
    Ok(Some(piece))
}

/// A request, and what is sent after its header.
pub(crate) struct Call {
    pub(crate) request: http::Request<()>,
    pub(crate) message: Option<Bytes>,
}

/// Connects, calls, and lets `hear` have the answer.
pub(crate) async fn talk<Hearing: Future<Output = Result<(), Failure>>>(
    endpoint: &Endpoint,
    secure: Option<(&Tls, Option<&str>)>,
    deadlines: Deadlines,
    call: Call,
    hear: impl FnOnce(ResponseFuture) -> Hearing,
) -> Result<(), Failure> {
    let stream = connect::tcp(endpoint, &deadlines).await?;
    let Some((tls, name)) = secure else { return converse(stream, deadlines, call, hear).await };
    let handshake = tls.handshake_http2(stream, name, endpoint.address)?;
    let stream = deadlines.within(Step::Handshake, handshake).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Failure::Http2("the server does not speak it over TLS (no h2 in ALPN)".into()));
    }
    converse(stream, deadlines, call, hear).await
}

async fn converse<Hearing: Future<Output = Result<(), Failure>>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    deadlines: Deadlines,
    call: Call,
    hear: impl FnOnce(ResponseFuture) -> Hearing,
) -> Result<(), Failure> {
    let mut builder = Builder::new();
    builder.enable_push(false).max_header_list_size(LONGEST_HEADER);
    let handshake = deadlines.until(Step::Send, builder.handshake::<_, Bytes>(stream)).await?;
    let (client, connection) = handshake.map_err(|error| failure(Step::Send, &error))?;
    let dialogue = async { hear(send(client, &deadlines, call).await?).await };
    // the connection moves all octets, the dialogue's only by way of it: no task of its own to look after
    let (mut connection, mut dialogue) = (pin!(connection), pin!(dialogue));
    let mut ended = false;
    poll_fn(|context| {
        // first its deadlines: a connection that always has something takes all that this turn may do, and timers then
        // wait
        if let Poll::Ready(result) = dialogue.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        ended = ended || connection.as_mut().poll(context).is_ready();
        dialogue.as_mut().poll(context)
    })
    .await
}

async fn send(client: SendRequest<Bytes>, deadlines: &Deadlines, call: Call) -> Result<ResponseFuture, Failure> {
    let ready = deadlines.until(Step::Send, client.ready()).await?;
    let mut client = ready.map_err(|error| failure(Step::Send, &error))?;
    let sent = client.send_request(call.request, call.message.is_none());
    let (answer, mut sink) = sent.map_err(|error| failure(Step::Send, &error))?;
    if let Some(message) = call.message {
        sink.send_data(message, true).map_err(|error| failure(Step::Send, &error))?;
    }
    Ok(answer)
}

/// Where a request goes; without `host` it is made for the address.
pub(crate) fn uri(endpoint: &Endpoint, secure: bool, host: Option<&str>, path: &str) -> Result<Uri, Failure> {
    let host = match host {
        Some(host) => host.to_owned(),
        None => authority(connect::target(endpoint)?),
    };
    let unusable = |what, error: &dyn std::fmt::Display| Failure::Unusable(what, PeerText::show(error));
    let authority = Authority::try_from(host).map_err(|error| unusable("virtualhost", &error))?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let path = PathAndQuery::try_from(path).map_err(|error| unusable("path", &error))?;
    let scheme = if secure { Scheme::HTTPS } else { Scheme::HTTP };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
    uri.map_err(|error| unusable("the request", &error))
}

pub(crate) fn failure(step: Step, error: &h2::Error) -> Failure {
    match error.get_io() {
        // h2 keeps the kind of an error, and not the number that the kernel gave it
        Some(error) if error.raw_os_error().is_none() => match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed(step),
            io::ErrorKind::ConnectionReset => Failure::Http2(PeerText::show(&error)),
            // rustls has its own way, see there
            _ => Failure::io(step, error),
        },
        Some(error) => Failure::io(step, error),
        None => Failure::Http2(PeerText::show(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, ready};
    use std::time::Duration;

    use tokio::io::{ReadBuf, Repeat};

    use super::*;

    /// SETTINGS, and then frames of an unknown type (RFC 9113 §4.1): each read finds one.
    struct Flood {
        /// Takes part in the runtime's fairness, as a socket does.
        turn: Repeat,
        sent: usize,
    }

    impl AsyncRead for Flood {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.turn).poll_read(context, buffer))?;
            for octet in &mut buffer.filled_mut()[before..] {
                *octet = match (self.sent / 9, self.sent % 9) {
                    (0, 3) => 4,
                    (_, 3) => 0xfa,
                    _ => 0,
                };
                self.sent += 1;
            }
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Flood {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(octets.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn frames_without_end_do_not_hide_the_deadline() {
        let step = Duration::from_millis(50);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let request = http::Request::get("http://192.0.2.1/").body(()).unwrap();
        let ended = runtime.block_on(async {
            let deadlines = Deadlines::new(step);
            let flood = Flood { turn: tokio::io::repeat(0), sent: 0 };
            let hear = |answer| async move { deadlines.until(Step::Header, answer).await.map(drop) };
            let call = Call { request, message: None };
            tokio::time::timeout(step * 40, converse(flood, deadlines, call, hear)).await
        });
        assert_eq!(ended.ok(), Some(Err(Failure::TimedOut(Step::Header, step))));
    }
}
