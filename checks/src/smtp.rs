//! `SMTP_CHECK`

use keepalived_config::model::SmtpCheck;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::connect;
use crate::deadline::Deadlines;
use crate::failure::{Failure, Step};
use crate::peer_text::PeerText;
use crate::scratch;

/// The longest reply, all its lines together; RFC 5321 §4.5.3.1.5 allows 512 octets for one.
const LONGEST_REPLY: usize = 65_536;

/// A greeting, HELO, QUIT. Replies may have several lines (RFC 5321 §4.2.1); deviates: keepalived takes those for
/// failures.
///
/// # Errors
/// A reply does not come or has another code than 220 and 250.
pub async fn smtp(check: &SmtpCheck) -> Result<(), Failure> {
    if check.helo_name.contains(['\r', '\n']) {
        return Err(Failure::Unusable("helo_name", "it holds an end of line".into()));
    }
    let deadlines = Deadlines::new(check.endpoint.connect_timeout.get());
    let stream = connect::tcp(&check.endpoint, &deadlines).await?;
    let mut session = Session { stream, deadlines, unread: Vec::new() };
    session.expect(Step::Greeting, Some(220)).await?;
    session.send(&format!("HELO {}\r\n", check.helo_name)).await?;
    session.expect(Step::Hello, Some(250)).await?;
    session.send("QUIT\r\n").await?;
    session.expect(Step::Quit, None).await
}

struct Session {
    stream: TcpStream,
    deadlines: Deadlines,
    unread: Vec<u8>,
}

impl Session {
    async fn send(&mut self, line: &str) -> Result<(), Failure> {
        self.deadlines.within(Step::Send, self.stream.write_all(line.as_bytes())).await
    }

    /// Reads a reply, which has this code if one is given.
    async fn expect(&mut self, step: Step, code: Option<u16>) -> Result<(), Failure> {
        let mut searched = 0;
        loop {
            match Reply::take(&mut self.unread, &mut searched) {
                Some(reply) => return reply.judge(step, code),
                None if self.unread.len() > LONGEST_REPLY => {
                    return Err(Failure::TooLong(step, u64::try_from(LONGEST_REPLY).unwrap_or(u64::MAX)));
                }
                None => {}
            }
            let unread = &mut self.unread;
            let room = LONGEST_REPLY.saturating_add(1).saturating_sub(unread.len());
            let read = scratch::read(&mut self.stream, |octets| {
                unread.extend(octets.iter().take(room));
                octets.len()
            });
            if self.deadlines.within(step, read).await? == 0 {
                return Err(Failure::Closed(step));
            }
        }
    }
}

/// The last line of a reply.
struct Reply {
    line: Vec<u8>,
}

impl Reply {
    /// Takes a whole reply, if there is one; `searched` is how far the lines of it go that have been looked at.
    fn take(unread: &mut Vec<u8>, searched: &mut usize) -> Option<Self> {
        loop {
            let rest = unread.get(*searched..)?;
            let end = rest.iter().position(|octet| *octet == b'\n')?;
            let line = rest.get(..end)?.trim_ascii_end();
            let reply = (!continues(line)).then(|| Self { line: line.to_vec() });
            *searched += end + 1;
            if let Some(reply) = reply {
                unread.drain(..*searched);
                return Some(reply);
            }
        }
    }

    fn judge(&self, step: Step, wanted: Option<u16>) -> Result<(), Failure> {
        let Some(wanted) = wanted else { return Ok(()) };
        if code(&self.line) == Some(wanted) {
            return Ok(());
        }
        Err(Failure::Reply(step, PeerText::new(&self.line), wanted))
    }
}

/// Whether another line follows this one.
fn continues(line: &[u8]) -> bool {
    matches!(line, [a, b, c, b'-', ..] if [a, b, c].iter().all(|octet| octet.is_ascii_digit()))
}

/// Three digits, and then a space or nothing.
fn code(line: &[u8]) -> Option<u16> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !matches!(rest, [] | [b' ', ..]) {
        return None;
    }
    digits.iter().try_fold(0, |code: u16, octet| octet.is_ascii_digit().then(|| code * 10 + u16::from(octet - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left unread after the first reply, and its code.
    fn check(text: &str, expected: Option<(Option<u16>, &str)>) {
        let mut unread = text.as_bytes().to_vec();
        let reply = Reply::take(&mut unread, &mut 0);
        let got = reply.map(|reply| (code(&reply.line), String::from_utf8(unread).unwrap()));
        assert_eq!(got.as_ref().map(|(code, rest)| (*code, rest.as_str())), expected, "{text:?}");
    }

    #[test]
    fn a_reply_ends_with_the_line_that_has_a_space() {
        check("220 hello\r\n", Some((Some(220), "")));
        check("220\r\n", Some((Some(220), "")));
        check("220-hello\r\n220-there\r\n220 you\r\nmore", Some((Some(220), "more")));
        check("220-hello\r\n", None);
        check("220 hello", None);
        check("220 hello\n", Some((Some(220), "")));
        check("2200 hello\r\n", Some((None, "")));
        check("hello\r\n", Some((None, "")));
        check("\r\n", Some((None, "")));
        check("22x hello\r\n", Some((None, "")));
    }
}
