//! A dialogue with a mail server. The words are lettre's, recipient by recipient: its own `send` gives up at the first one that is
//! refused, and takes no address without a domain.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Severity;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use super::message::{Envelope, Message, line};
use crate::trust::Trust;

/// Octets of a server that are read after each thing that we say. lettre bounds lines only once they are complete, and reads what there
/// is of an answer again with each line.
const MOST_OCTETS: usize = 32 << 10;

/// Addresses of a relay that are tried, one after the other.
const MOST_ADDRESSES: usize = 4;

/// Characters of what a server says that a failure holds.
const LONGEST_TEXT: usize = 200;

/// How a relay is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relay {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What this machine calls itself.
    pub helo: String,
    /// How long the connection to an address, and twice this how long one message, may take.
    pub patience: Duration,
    /// Against listeners.
    pub protection: Protection,
    /// The login, if the relay wants one.
    pub account: Option<Account>,
}

/// Whether TLS hides what is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protection {
    /// No.
    #[default]
    None,
    /// From the word STARTTLS on, without which there is no mail (RFC 3207).
    StartTls,
    /// From the start (RFC 8314).
    Tls,
}

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why mail could not be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The relay refuses this message for good, and may take others.
    Refused(String),
    /// The relay wants this message later, and may take others.
    Postponed(String),
    /// The relay has the whole message and did not say whether it keeps it. The session is over.
    Unanswered(String),
    /// The session is over. Later it may work.
    Passing(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Postponed(why) => write!(f, "postponed: {why}"),
            Self::Unanswered(why) => write!(f, "no answer to a message: {why}"),
            Self::Passing(why) => f.write_str(why),
        }
    }
}

/// The service closes (RFC 5321 §3.8): that says nothing about a message.
const CLOSING: u16 = 421;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = short(&error);
        match error.status().map(u16::from) {
            Some(CLOSING) => Self::Passing(text),
            Some(_) if error.is_permanent() => Self::Refused(text),
            Some(_) if error.is_transient() => Self::Postponed(text),
            _ => Self::Passing(text),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Passing(error.to_string())
    }
}

/// `error` and what it comes from, in one short line: a server has its part in it.
fn short(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(LONGEST_TEXT).collect()
}

/// Recipients that the relay refuses, and why.
pub type Refused = Vec<(String, String)>;

/// An open connection to a relay.
pub struct Session {
    connection: AsyncSmtpConnection,
    patience: Duration,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Session {
    /// Connects to a relay, up to the login.
    ///
    /// # Errors
    /// Why there is no mail now. Nothing lasts longer than seven times the relay's patience.
    pub async fn open(relay: &Relay) -> Result<Self, Failure> {
        let patience = relay.patience * 2;
        let stream = connect(relay).await?;
        let greeted = timeout(patience, greet(relay, stream)).await;
        let connection = greeted.map_err(|_| late("no greeting", patience))??;
        Ok(Self { connection, patience })
    }

    /// Sends a message. Returns the recipients that do not get it.
    ///
    /// # Errors
    /// Nobody gets it, or it is not known who does.
    pub async fn send(&mut self, envelope: &Envelope, message: &Message<'_>) -> Result<Refused, Failure> {
        let end = Instant::now() + self.patience;
        let offered = timeout_at(end, offer(&mut self.connection, envelope)).await;
        let refused = offered.map_err(|_| late("no answer", self.patience))??;
        let content = envelope.write(message);
        match timeout_at(end, self.connection.message(content.as_bytes())).await {
            Ok(Ok(_)) => Ok(refused),
            Ok(Err(error)) if error.status().is_some() => Err(error.into()),
            Ok(Err(error)) => Err(Failure::Unanswered(short(&error))),
            Err(_) => Err(Failure::Unanswered(format!("within {} s", self.patience.as_secs_f64()))),
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // what the server says to that is of no use
        drop(timeout(self.patience.min(Duration::from_secs(2)), self.connection.quit()).await);
    }
}

fn late(what: &str, patience: Duration) -> Failure {
    Failure::Passing(format!("{what} within {} s", patience.as_secs_f64()))
}

/// Connects to the first address of the relay that answers.
async fn connect(relay: &Relay) -> Result<TcpStream, Failure> {
    let Relay { host, port, patience, .. } = relay;
    let found = timeout(*patience, lookup_host((host.as_str(), *port))).await;
    let stream = connect_to(found.map_err(|_| late("no address", *patience))??, *patience).await?;
    // lettre writes the end of a message by itself: it would wait for the acknowledgement of the message
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect_to(addresses: impl Iterator<Item = SocketAddr>, patience: Duration) -> Result<TcpStream, Failure> {
    let mut failure = Failure::Passing("its name has no address".to_owned());
    for address in addresses.take(MOST_ADDRESSES) {
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error.into(),
            Err(_) => failure = late("no connection", patience),
        }
    }
    Err(failure)
}

async fn greet(relay: &Relay, stream: TcpStream) -> Result<AsyncSmtpConnection, Failure> {
    let peer = stream.peer_addr()?;
    let helo = ClientId::Domain(line(&relay.helo));
    let plain = Metered { stream, peer, left: MOST_OCTETS, in_pieces: false };
    let mut connection = if relay.protection == Protection::Tls {
        let trust = Trust::read().map_err(|error| Failure::Passing(error.to_string()))?;
        let stream = trust.connect(&relay.host, plain).await?;
        AsyncSmtpConnection::connect_with_transport(Box::new(Hidden { stream, peer }), &helo).await
    } else {
        AsyncSmtpConnection::connect_with_transport(Box::new(plain), &helo).await
    }
    .map_err(later)?;
    if relay.protection == Protection::StartTls {
        let trust = TlsParameters::new_rustls(relay.host.clone()).map_err(later)?;
        connection.starttls(trust, &helo).await.map_err(later)?;
    }
    if let Some(Account { user, password }) = &relay.account {
        let credentials = Credentials::new(user.clone(), password.clone());
        connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(later)?;
    }
    Ok(connection)
}

/// A greeting that is refused says nothing about a message.
fn later(error: Error) -> Failure {
    Failure::Passing(short(&error))
}

/// Names sender and recipients, up to where the relay wants the message. Returns the recipients that it refuses.
async fn offer(connection: &mut AsyncSmtpConnection, envelope: &Envelope) -> Result<Refused, Failure> {
    let mut refused = Vec::new();
    let (mut any, mut later) = (false, false);
    if let Err(failure) = ask(connection, format!("MAIL FROM:<{}>", envelope.sender()), OK).await {
        return Err(give_up(connection, failure).await);
    }
    for recipient in envelope.recipients() {
        match ask(connection, format!("RCPT TO:<{recipient}>"), OK).await {
            Ok(()) => any = true,
            Err(Failure::Refused(why)) => refused.push((recipient.to_owned(), why)),
            Err(Failure::Postponed(why)) => {
                later = true;
                refused.push((recipient.to_owned(), why));
            }
            Err(failure) => return Err(failure),
        }
    }
    if !any {
        let why = refused.first().map_or_else(|| "there is no recipient".to_owned(), |(_, why)| why.clone());
        let failure = if later { Failure::Postponed(why) } else { Failure::Refused(why) };
        return Err(give_up(connection, failure).await);
    }
    match ask(connection, "DATA".to_owned(), GO_ON).await {
        Ok(()) => Ok(refused),
        Err(failure) => Err(give_up(connection, failure).await),
    }
}

/// Yes.
const OK: Severity = Severity::PositiveCompletion;

/// Yes, and now the message.
const GO_ON: Severity = Severity::PositiveIntermediate;

/// Says `line`. Any yes but `wanted` is the answer to something else.
async fn ask(connection: &mut AsyncSmtpConnection, line: String, wanted: Severity) -> Result<(), Failure> {
    let response = connection.command(Line(line)).await?;
    if response.code().severity == wanted {
        return Ok(());
    }
    Err(Failure::Passing(format!("code {} is no answer to that", response.code())))
}

/// Begins anew after a refusal, so that the next message finds the server ready (RFC 5321 §4.1.1.5).
async fn give_up(connection: &mut AsyncSmtpConnection, failure: Failure) -> Failure {
    match failure {
        Failure::Refused(_) | Failure::Postponed(_) => match ask(connection, "RSET".to_owned(), OK).await {
            Ok(()) => failure,
            Err(broken) => Failure::Passing(broken.to_string()),
        },
        Failure::Unanswered(_) | Failure::Passing(_) => failure,
    }
}

/// A line of the dialogue.
struct Line(String);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\r\n", self.0)
    }
}

/// A stream that is read up to a limit only.
#[derive(Debug)]
struct Metered {
    stream: TcpStream,
    peer: SocketAddr,
    left: usize,
    /// One octet at a time is read: what comes behind the answer to STARTTLS is the server's only if TLS says so, and must not wait in
    /// a buffer until then.
    in_pieces: bool,
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("the server says too much")));
        }
        let most = if self.in_pieces { 1 } else { self.left };
        let most = most.min(out.remaining());
        let mut piece = ReadBuf::new(out.initialize_unfilled_to(most));
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut piece);
        let read = piece.filled().len();
        out.advance(read);
        self.left = self.left.saturating_sub(read);
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.left = MOST_OCTETS;
        self.in_pieces = octets == b"STARTTLS\r\n";
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Metered {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

/// The same inside TLS.
#[derive(Debug)]
struct Hidden {
    stream: tokio_rustls::client::TlsStream<Metered>,
    peer: SocketAddr,
}

impl AsyncRead for Hidden {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, out)
    }
}

impl AsyncWrite for Hidden {
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

impl AsyncTokioStream for Hidden {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

#[cfg(test)]
mod tests;
