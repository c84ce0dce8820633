//! Where an answer's header ends, and where its body does. No I/O: octets in, pieces of header and body out.
//!
//! Our own rather than httparse, which refuses what keepalived lets pass (`ICY 200 OK`, a space before a colon): a
//! server that is up must not go down because its check is a better one.

use crate::failure::{Failure, Step};

/// The longest header, those of interim answers and the trailer counted in.
const LONGEST_HEADER: usize = 65_536;
/// The longest line with the size of a chunk.
const LONGEST_CHUNK_LINE: usize = 4096;
/// The longest body: what a check must not spend more time on even if the server is quick.
pub(crate) const LONGEST_BODY: u64 = 1 << 30;

/// Takes an answer in pieces.
pub trait Sink {
    /// The header of the final answer, with the empty line at its end.
    ///
    /// # Errors
    /// The rest is not needed any more.
    fn head(&mut self, status: u16, head: &[u8]) -> Result<(), Failure>;

    /// A piece of the body, without what chunks add.
    ///
    /// # Errors
    /// The rest is not needed any more.
    fn body(&mut self, octets: &[u8]) -> Result<(), Failure>;
}

/// Whether there is more to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    More,
    Done,
}

/// An answer on its way.
#[derive(Debug, Default)]
pub(crate) struct Message {
    state: State,
    /// The header so far, if it comes in pieces.
    head: Vec<u8>,
    /// Octets of headers that have been taken.
    headers: usize,
    /// Octets of the body that have been taken.
    body: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Head,
    /// This many octets of the body are still to come.
    Length(u64),
    UntilClose,
    ChunkSize(SizeLine),
    ChunkData(u64),
    ChunkEnd,
    /// Whether the line has something in it, and the octets so far.
    Trailer(bool, usize),
    Done,
}

/// `1f;name=value`
#[derive(Clone, Copy, Debug, Default)]
struct SizeLine {
    size: u64,
    digits: bool,
    extension: bool,
    length: usize,
}

impl Message {
    /// What is being read.
    pub(crate) fn step(&self) -> Step {
        if matches!(self.state, State::Head) { Step::Header } else { Step::Body }
    }

    /// Takes what has come.
    pub(crate) fn feed(&mut self, mut octets: &[u8], sink: &mut impl Sink) -> Result<Progress, Failure> {
        while !octets.is_empty() {
            let used = match self.state {
                State::Head => self.feed_head(octets, sink)?,
                State::Length(left) => {
                    let used = self.pass(octets, left, sink)?;
                    self.state = after(left, used).map_or(State::Done, State::Length);
                    used
                }
                State::UntilClose => self.pass(octets, u64::MAX, sink)?,
                State::ChunkSize(line) => self.feed_size(line, octets)?,
                State::ChunkData(left) => {
                    let used = self.pass(octets, left, sink)?;
                    self.state = after(left, used).map_or(State::ChunkEnd, State::ChunkData);
                    used
                }
                State::ChunkEnd => self.feed_chunk_end(octets)?,
                State::Trailer(..) => self.feed_trailer(octets)?,
                State::Done => break,
            };
            octets = octets.get(used..).unwrap_or_default();
        }
        Ok(if matches!(self.state, State::Done) { Progress::Done } else { Progress::More })
    }

    /// The server has closed. A body that ends early is none the worse for it.
    pub(crate) fn end(&self) -> Result<Progress, Failure> {
        match self.state {
            State::Head if ends_with_bare_line_feeds(&self.head) => {
                Err(Failure::Malformed(Step::Header, "its lines end with LF, not with CR LF"))
            }
            State::Head => Err(Failure::Closed(Step::Header)),
            _ => Ok(Progress::Done),
        }
    }

    /// Gives up to `most` octets to the sink.
    fn pass(&mut self, octets: &[u8], most: u64, sink: &mut impl Sink) -> Result<usize, Failure> {
        let used = usize::try_from(most).map_or(octets.len(), |most| most.min(octets.len()));
        self.body = self.body.saturating_add(wide(used));
        if self.body > LONGEST_BODY {
            return Err(Failure::TooLong(Step::Body, LONGEST_BODY));
        }
        sink.body(octets.get(..used).unwrap_or_default())?;
        Ok(used)
    }

    fn feed_head(&mut self, octets: &[u8], sink: &mut impl Sink) -> Result<usize, Failure> {
        if self.head.is_empty()
            && let Some(end) = head_end(octets, 0)
        {
            // as usual: it came in one piece
            self.head_is_here(octets.get(..end).unwrap_or_default(), sink)?;
            return Ok(end);
        }
        let before = self.head.len();
        let room = LONGEST_HEADER.saturating_sub(self.headers).saturating_sub(before);
        self.head.extend(octets.iter().take(room));
        if let Some(end) = head_end(&self.head, before.saturating_sub(3)) {
            let mut head = std::mem::take(&mut self.head);
            head.truncate(end);
            self.head_is_here(&head, sink)?;
            return Ok(end.saturating_sub(before));
        }
        if room < octets.len() {
            return Err(Failure::TooLong(Step::Header, wide(LONGEST_HEADER)));
        }
        Ok(octets.len())
    }

    fn head_is_here(&mut self, head: &[u8], sink: &mut impl Sink) -> Result<(), Failure> {
        self.headers = self.headers.saturating_add(head.len());
        if self.headers > LONGEST_HEADER {
            return Err(Failure::TooLong(Step::Header, wide(LONGEST_HEADER)));
        }
        let status =
            status(head).ok_or(Failure::Malformed(Step::Header, "its first line has no status of three digits"))?;
        // RFC 9110 §15.2: interim, the answer is still to come; 101 is final
        if (100..200).contains(&status) && status != 101 {
            return Ok(());
        }
        self.state = match framing(head) {
            _ if matches!(status, 101 | 204 | 304) => State::Done,
            Framing::Chunked => State::ChunkSize(SizeLine::default()),
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::UntilClose => State::UntilClose,
        };
        sink.head(status, head)
    }

    /// RFC 9112 §7.1; LF alone ends a line, too (§2.2).
    fn feed_size(&mut self, mut line: SizeLine, octets: &[u8]) -> Result<usize, Failure> {
        for (at, octet) in octets.iter().enumerate() {
            line.length += 1;
            if line.length > LONGEST_CHUNK_LINE {
                return Err(Failure::Malformed(Step::Body, "the size of a chunk has no end"));
            }
            let digit = char::from(*octet).to_digit(16).filter(|_| !line.extension);
            match (octet, digit) {
                (_, Some(digit)) => {
                    line.digits = true;
                    let size = line.size.checked_mul(16).and_then(|size| size.checked_add(digit.into()));
                    line.size = size.ok_or(Failure::Malformed(Step::Body, "the size of a chunk overflows"))?;
                }
                (_, None) if !line.digits => {
                    return Err(Failure::Malformed(Step::Body, "the size of a chunk is not hexadecimal"));
                }
                (b'\n', None) => {
                    self.state = if line.size == 0 { State::Trailer(false, 0) } else { State::ChunkData(line.size) };
                    return Ok(at + 1);
                }
                (b';' | b' ' | b'\t' | b'\r', None) => line.extension = true,
                (_, None) if line.extension => {}
                (_, None) => {
                    return Err(Failure::Malformed(Step::Body, "the size of a chunk is not hexadecimal"));
                }
            }
        }
        self.state = State::ChunkSize(line);
        Ok(octets.len())
    }

    fn feed_chunk_end(&mut self, octets: &[u8]) -> Result<usize, Failure> {
        match octets {
            [b'\r', b'\n', ..] => {
                self.state = State::ChunkSize(SizeLine::default());
                Ok(2)
            }
            [b'\n', ..] => {
                self.state = State::ChunkSize(SizeLine::default());
                Ok(1)
            }
            // its LF comes next
            [b'\r'] => Ok(1),
            _ => Err(Failure::Malformed(Step::Body, "a chunk is longer than its size")),
        }
    }

    fn feed_trailer(&mut self, octets: &[u8]) -> Result<usize, Failure> {
        let State::Trailer(mut text, mut length) = self.state else { return Ok(0) };
        for (at, octet) in octets.iter().enumerate() {
            length += 1;
            match octet {
                b'\n' if !text => {
                    self.state = State::Done;
                    return Ok(at + 1);
                }
                b'\n' => text = false,
                b'\r' => {}
                _ => text = true,
            }
        }
        if length > LONGEST_HEADER {
            return Err(Failure::TooLong(Step::Body, wide(LONGEST_HEADER)));
        }
        self.state = State::Trailer(text, length);
        Ok(octets.len())
    }
}

/// What is left of `left`; `None` if nothing.
fn after(left: u64, used: usize) -> Option<u64> {
    Some(left.saturating_sub(wide(used))).filter(|left| *left > 0)
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Where the header ends, if its end is not before `from`.
fn head_end(octets: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = octets.get(at..)?;
        at += rest.iter().position(|octet| *octet == b'\r')?;
        if octets.get(at..)?.starts_with(b"\r\n\r\n") {
            return Some(at + 4);
        }
        at += 1;
    }
}

fn ends_with_bare_line_feeds(head: &[u8]) -> bool {
    head.windows(2).any(|pair| pair == b"\n\n")
}

/// The three digits after the first space, as keepalived looks for them; the reason may be missing with its space.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|octet| *octet == b'\r').next()?;
    let space = line.iter().position(|octet| *octet == b' ')?;
    let (digits, rest) = line.get(space + 1..)?.split_at_checked(3)?;
    if !matches!(rest, [] | [b' ', ..]) {
        return None;
    }
    digits.iter().try_fold(0, |code: u16, octet| octet.is_ascii_digit().then(|| code * 10 + u16::from(octet - b'0')))
}

enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// RFC 9112 §6.3. A length that is no number is none; of several the first counts.
fn framing(head: &[u8]) -> Framing {
    let mut length = None;
    for line in head.split(|octet| *octet == b'\n') {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let (name, value) = (name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value.rsplit(|octet| *octet == b',').next().unwrap_or_default().trim_ascii();
            if last.eq_ignore_ascii_case(b"chunked") {
                return Framing::Chunked;
            }
        } else if name.eq_ignore_ascii_case(b"content-length") && length.is_none() {
            let digits = value.iter().all(u8::is_ascii_digit);
            length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|value| value.parse().ok());
        }
    }
    length.map_or(Framing::UntilClose, Framing::Length)
}

#[cfg(test)]
mod tests;
