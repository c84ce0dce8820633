//! Why a check failed.

use std::fmt;
use std::io;
use std::time::Duration;

use keepalived_config::model::StatusRange;
use keepalived_core::balance::FailureKind;
use keepalived_kernel::dial;
use keepalived_kernel::shortage::is_shortage;

use crate::peer_text::PeerText;
use crate::tls_error;

/// Why a check failed, in the administrator's words. All text in it is [`PeerText`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The kernel said no: refused, reset, no route. The number is the `errno`.
    System(Step, i32),
    /// This machine could not ask: no descriptors left, an origin that is not here, a firewall of its own. It says
    /// nothing about the server; keepalived lets such a check count for nothing and tries again after `delay_loop`. The
    /// number is the `errno`.
    Local(i32),
    /// Nothing came for as long as `connect_timeout`.
    TimedOut(Step, Duration),
    /// Something came now and then, but there was no end to it.
    TooSlow(Step, Duration),
    /// The server closed the connection too early.
    Closed(Step),
    /// More came than any honest server says; the number is the limit in octets.
    TooLong(Step, u64),
    /// What came is not what the protocol prescribes.
    Malformed(Step, &'static str),
    /// The check needs a port and there is none.
    NoPort,
    /// A value of the configuration cannot be sent; which, and why.
    Unusable(&'static str, PeerText),
    /// An HTTP status, and those that are wanted.
    Status(u16, Box<[StatusRange]>),
    /// Not the digest that is wanted.
    Digest(Box<Digests>),
    /// `regex` is not found.
    NotFound,
    /// `regex` is found, though `regex_no_match` is given.
    Found,
    /// `regex` cannot be compiled, or gives up.
    Pattern(PeerText),
    /// The TLS handshake, or what came after it.
    Tls(PeerText),
    /// A line of an SMTP server, and the code that is wanted.
    Reply(Step, PeerText, u16),
    /// The response code of a DNS server.
    ResponseCode(u8),
    /// The length of a UDP reply, and the bounds.
    ReplyLength(usize, u16, u16),
    /// The octet of a UDP reply that differs first.
    ReplyData(usize),
    /// HTTP/2 or gRPC went wrong.
    Http2(PeerText),
    /// The status that a gRPC call ended with, and its message.
    GrpcStatus(u32, PeerText),
    /// A gRPC server says that it is not serving.
    NotServing(&'static str),
}

/// The digest of a body and the one that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digests {
    /// MD5 of what came.
    pub body: [u8; 16],
    /// What the configuration says.
    pub wanted: [u8; 16],
}

/// What a check was about to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Make a socket, connect it.
    Connect,
    /// Agree on TLS.
    Handshake,
    /// Send.
    Send,
    /// Read the status line and the header.
    Header,
    /// Read the body.
    Body,
    /// Read the greeting of an SMTP server.
    Greeting,
    /// Read its reply to HELO.
    Hello,
    /// Read its reply to QUIT.
    Quit,
    /// Read a datagram.
    Reply,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "the connection",
            Self::Handshake => "the TLS handshake",
            Self::Send => "sending",
            Self::Header => "the header",
            Self::Body => "the body",
            Self::Greeting => "the greeting",
            Self::Hello => "the reply to HELO",
            Self::Quit => "the reply to QUIT",
            Self::Reply => "the reply",
        }
    }
}

impl Failure {
    /// What the kernel says at once, before anything has been sent.
    pub(crate) fn at_once(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) if !dial::concerns_target(error) => Self::Local(errno),
            _ => Self::io(Step::Connect, error),
        }
    }

    /// What kind of failure it is.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::System(Step::Connect, _) | Self::Local(_) | Self::NoPort => FailureKind::Connection,
            Self::System(..) | Self::Closed(_) => FailureKind::Closed,
            Self::TimedOut(..) | Self::TooSlow(..) => FailureKind::Timeout,
            Self::Tls(_) => FailureKind::Tls,
            Self::TooLong(..) | Self::Malformed(..) | Self::Http2(_) | Self::Unusable(..) => FailureKind::Protocol,
            Self::Status(..)
            | Self::Digest(_)
            | Self::NotFound
            | Self::Found
            | Self::Pattern(_)
            | Self::Reply(..)
            | Self::ResponseCode(_)
            | Self::ReplyLength(..)
            | Self::ReplyData(_)
            | Self::GrpcStatus(..)
            | Self::NotServing(_) => FailureKind::Answer,
        }
    }

    /// What the kernel says later. A shortage is this machine's at every step.
    pub(crate) fn io(step: Step, error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) if is_shortage(error) => Self::Local(errno),
            Some(errno) => Self::System(step, errno),
            None if error.kind() == io::ErrorKind::OutOfMemory => Self::Local(OUT_OF_MEMORY),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed(step),
            None => Self::Tls(PeerText::show(&tls_error::in_words(error))),
        }
    }
}

/// ENOMEM of errno(3): h2 keeps the kind of an error, and not its number.
const OUT_OF_MEMORY: i32 = 12;

/// Such as "connection refused", without the number that std adds.
fn system_error(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// `3 s`, `2.5 s`
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(errno) => write!(f, "this machine cannot ask: {}", system_error(*errno)),
            Self::System(Step::Connect, errno) => f.write_str(&system_error(*errno)),
            Self::System(Step::Send, errno) => write!(f, "{} in sending", system_error(*errno)),
            Self::System(step, errno) => write!(f, "{} while waiting for {}", system_error(*errno), step.name()),
            Self::TimedOut(Step::Connect, after) => write!(f, "timed out after {} connecting", seconds(*after)),
            Self::TimedOut(Step::Send, after) => write!(f, "timed out after {} sending", seconds(*after)),
            Self::TimedOut(step, after) => {
                write!(f, "timed out after {} waiting for {}", seconds(*after), step.name())
            }
            Self::TooSlow(step, after) => write!(f, "not done with {} after {} in all", step.name(), seconds(*after)),
            Self::Closed(step) => write!(f, "the server closed the connection before the end of {}", step.name()),
            Self::TooLong(step, limit) => write!(f, "{} is longer than {limit} octets", step.name()),
            Self::Malformed(step, what) => write!(f, "{} is malformed: {what}", step.name()),
            Self::NoPort => f.write_str("there is no port to connect to: connect_port, or one for the real server"),
            Self::Unusable(what, why) => write!(f, "{what} cannot be sent: {why}"),
            Self::Status(status, wanted) => {
                write!(f, "status {status}, wanted ")?;
                wanted.iter().enumerate().try_for_each(|(at, range)| {
                    f.write_str(if at == 0 { "" } else { ", " })?;
                    match range {
                        StatusRange { first, last } if first == last => write!(f, "{first}"),
                        StatusRange { first, last } => write!(f, "{first}-{last}"),
                    }
                })
            }
            Self::Digest(digests) => {
                let [body, wanted] = [digests.body, digests.wanted].map(u128::from_be_bytes);
                write!(f, "digest {body:032x}, wanted {wanted:032x}")
            }
            Self::NotFound => f.write_str("the body does not match the regex"),
            Self::Found => f.write_str("the body matches the regex, and regex_no_match is set"),
            Self::Pattern(why) => write!(f, "regex: {why}"),
            Self::Tls(why) => write!(f, "TLS: {why}"),
            Self::Reply(step, line, wanted) => write!(f, "{} is \"{line}\", wanted {wanted}", step.name()),
            Self::ResponseCode(code) => match response_code(*code) {
                Some(name) => write!(f, "the server answers {name}"),
                None => write!(f, "the server answers with response code {code}"),
            },
            Self::ReplyLength(length, least, most) => write!(f, "reply of {length} octets, wanted {least} to {most}"),
            Self::ReplyData(at) => write!(f, "octet {at} of the reply is not the one that is wanted"),
            Self::Http2(why) => write!(f, "HTTP/2: {why}"),
            Self::GrpcStatus(status, message) if message.as_str().is_empty() => write!(f, "gRPC status {status}"),
            Self::GrpcStatus(status, message) => write!(f, "gRPC status {status}: {message}"),
            Self::NotServing(status) => write!(f, "the service says {status}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Names of RFC 1035 §4.1.1 as every tool writes them.
fn response_code(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_no_verdict_at_any_step() {
        use Step::{Body, Connect, Greeting, Handshake, Header, Hello, Quit, Reply, Send};
        for step in [Connect, Handshake, Send, Header, Body, Greeting, Hello, Quit, Reply] {
            // EAGAIN, ENOMEM, EMFILE, ENOBUFS
            for errno in [11, 12, 24, 105] {
                let error = io::Error::from_raw_os_error(errno);
                assert_eq!(Failure::io(step, &error), Failure::Local(errno), "{step:?}");
                assert_eq!(Failure::at_once(&error), Failure::Local(errno));
            }
            let reset = io::Error::from_raw_os_error(104);
            assert_eq!(Failure::io(step, &reset), Failure::System(step, 104));
        }
    }

    #[test]
    fn a_failure_reads_as_an_administrator_would_say_it() {
        let check = |failure: Failure, text: &str| assert_eq!(failure.to_string(), text);
        check(Failure::System(Step::Connect, 111), "connection refused");
        check(Failure::Local(24), "this machine cannot ask: too many open files");
        check(Failure::System(Step::Body, 104), "connection reset by peer while waiting for the body");
        check(
            Failure::TimedOut(Step::Header, Duration::from_millis(2500)),
            "timed out after 2.5 s waiting for the header",
        );
        let wanted = [StatusRange::SUCCESS, StatusRange { first: 404, last: 404 }];
        check(Failure::Status(500, wanted.into()), "status 500, wanted 200-299, 404");
        check(Failure::ResponseCode(3), "the server answers NXDOMAIN");
        check(Failure::Reply(Step::Greeting, "554 no".into(), 220), "the greeting is \"554 no\", wanted 220");
    }
}
