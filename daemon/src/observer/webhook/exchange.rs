//! One request, and as much of the answer as is needed: its status. What the receiver does has a bound in time and in octets.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use keepalived_checks::PeerText;
use keepalived_config::model::Webhook;
use keepalived_surface::trust::Trust;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::queue::Outcome;

/// How long a request may take, with the look-up of the name.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head of an answer. Its body is not read.
const LARGEST_HEAD: usize = 16 * 1024;

/// Octets that are read of a receiver, with its certificates. One that says "100 Continue" without end says too much.
const MOST_OCTETS: usize = 128 * 1024;

/// Posts one event. Certificates are believed by `trust`, or by what this system trusts now; what they were believed by is returned
/// unless the request failed.
pub(super) async fn post(place: Webhook, body: Bytes, mut trust: Option<Trust>) -> (Outcome, Option<Trust>) {
    let Webhook { host, port, .. } = &place;
    let outcome = match tokio::time::timeout(PATIENCE, exchange(&place, body, &mut trust)).await {
        Err(_) => Outcome::Failed(format!("{host} port {port} does not answer for {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => Outcome::Failed(format!("{host} port {port}: {}", text(&*error))),
        Ok(Ok(status)) => judge(status),
    };
    if matches!(outcome, Outcome::Failed(_)) {
        trust = None;
    }
    (outcome, trust)
}

/// What an error says; it may quote the receiver.
fn text(error: &(dyn Error + 'static)) -> PeerText {
    match error.source() {
        Some(source) => PeerText::show(&format_args!("{error}: {source}")),
        None => PeerText::show(error),
    }
}

/// What a status means.
fn judge(status: StatusCode) -> Outcome {
    match status {
        _ if status.is_success() => Outcome::Taken,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Outcome::Failed(format!("the answer is {status}"))
        }
        // it is not followed: whoever answers for the name must not send events elsewhere
        _ if status.is_redirection() || status.is_client_error() => Outcome::Refused(status),
        _ => Outcome::Failed(format!("the answer is {status}")),
    }
}

async fn exchange(place: &Webhook, body: Bytes, trust: &mut Option<Trust>) -> Result<StatusCode, Box<dyn Error>> {
    let stream = TcpStream::connect((place.host.as_str(), place.port)).await?;
    let stream = Bounded { stream, left: MOST_OCTETS };
    if !place.tls {
        return talk(stream, place, body).await;
    }
    let trust = match trust {
        Some(trust) => trust,
        // files are read, so elsewhere
        None => trust.insert(tokio::task::spawn_blocking(Trust::read).await??),
    };
    talk(trust.connect(&place.host, stream).await?, place, body).await
}

async fn talk<S>(stream: S, place: &Webhook, body: Bytes) -> Result<StatusCode, Box<dyn Error>>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let Webhook { tls, host, port, path } = place;
    let mut builder = http1::Builder::new();
    let (mut sender, connection) = builder.max_buf_size(LARGEST_HEAD).handshake(TokioIo::new(stream)).await?;
    let _connection = Ends(tokio::task::spawn_local(async move {
        // the answer says what went wrong
        connection.await.ok();
    }));
    let named = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let usual = if *tls { 443 } else { 80 };
    let named = if *port == usual { named } else { format!("{named}:{port}") };
    let request = Request::post(path.as_str())
        .header(HOST, named)
        .header(USER_AGENT, concat!("keepalived-rs/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .body(Full::new(body))?;
    Ok(sender.send_request(request).await?.status())
}

/// A task that ends with its owner.
struct Ends(JoinHandle<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that is read up to a limit only.
struct Bounded {
    stream: TcpStream,
    left: usize,
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, out);
        match self.left.checked_sub(out.filled().len() - before) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::Error::other("the receiver says too much"))),
        }
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_whether_another_try_may_help() {
        let judged = |code| judge(StatusCode::from_u16(code).unwrap());
        let kinds = [200, 204, 302, 400, 404, 408, 429, 500, 503].map(|code| match judged(code) {
            Outcome::Taken => 't',
            Outcome::Refused(_) => 'r',
            Outcome::Failed(_) => 'f',
        });
        assert_eq!(kinds.iter().collect::<String>(), "ttrrrffff");
    }
}
