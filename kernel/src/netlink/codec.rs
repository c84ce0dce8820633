//! Netlink framing: messages and attributes, written and read. Reading stays within bounds for any octets.

/// `NLM_F_REQUEST`
pub(crate) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_DUMP_INTR`: what the dump reads from changed meanwhile.
pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLM_F_DUMP`
pub(crate) const DUMP: u16 = 0x300;
/// `NLM_F_REPLACE`
pub(crate) const REPLACE: u16 = 0x100;
/// `NLM_F_EXCL`
pub(crate) const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_CREATE`
pub(crate) const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`
pub(crate) const APPEND: u16 = 0x800;
/// `NLM_F_CAPPED`: of the refused request only the header is quoted.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: attributes follow the quoted request.
const ACK_ATTRIBUTES: u16 = 0x200;

/// `NLMSG_ERROR`: refusal, or acknowledgement with error number 0.
pub(crate) const ERROR: u16 = 2;
/// `NLMSG_DONE`
pub(crate) const DONE: u16 = 3;

const HEADER: usize = 16;

/// Requests to be sent in one go.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    octets: Vec<u8>,
    /// Where the message that is being written starts.
    start: usize,
}

impl Batch {
    /// Starts a message with the header of its family.
    pub(crate) fn begin(&mut self, kind: u16, flags: u16, sequence: u32, header: &[u8]) {
        self.start = self.octets.len();
        self.octets.extend([0; 4]);
        self.octets.extend(kind.to_ne_bytes());
        self.octets.extend(flags.to_ne_bytes());
        self.octets.extend(sequence.to_ne_bytes());
        self.octets.extend([0; 4]);
        self.octets.extend(header);
        self.pad();
    }

    /// Adds an attribute to the message.
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).expect("our attributes are a few octets long");
        self.octets.extend(length.to_ne_bytes());
        self.octets.extend(kind.to_ne_bytes());
        self.octets.extend(value);
        self.pad();
    }

    /// Adds an attribute with text, which ends with a zero. Cut at 255 octets: the kernel takes no name as long.
    pub(crate) fn text(&mut self, kind: u16, text: &str) {
        let octets: Vec<u8> = text.bytes().take(255).chain([0]).collect();
        self.attribute(kind, &octets);
    }

    /// Adds an attribute that holds those that `write` adds.
    pub(crate) fn nested(&mut self, kind: u16, write: impl FnOnce(&mut Self)) {
        const NESTED: u16 = 0x8000;
        let start = self.octets.len();
        self.attribute(kind | NESTED, &[]);
        write(self);
        let length = u16::try_from(self.octets.len() - start).expect("our attributes are a few octets long");
        if let Some(field) = self.octets.get_mut(start..).and_then(|attribute| attribute.first_chunk_mut()) {
            *field = length.to_ne_bytes();
        }
    }

    /// Adds a `struct rtnexthop` with the attributes that `write` adds.
    pub(crate) fn next_hop(&mut self, flags: u8, hops: u8, link: u32, write: impl FnOnce(&mut Self)) {
        let start = self.octets.len();
        self.octets.extend([0, 0, flags, hops]);
        self.octets.extend(link.to_ne_bytes());
        write(self);
        let length = u16::try_from(self.octets.len() - start).expect("our attributes are a few octets long");
        if let Some(field) = self.octets.get_mut(start..).and_then(|hop| hop.first_chunk_mut()) {
            *field = length.to_ne_bytes();
        }
    }

    /// Completes the message.
    pub(crate) fn end(&mut self) {
        let length = u32::try_from(self.octets.len() - self.start).expect("our messages are a few octets long");
        if let Some(field) = self.octets.get_mut(self.start..).and_then(|message| message.first_chunk_mut()) {
            *field = length.to_ne_bytes();
        }
    }

    /// All messages.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Makes room for the next batch.
    pub(crate) fn clear(&mut self) {
        self.octets.clear();
        self.start = 0;
    }

    /// Forgets what there is, and keeps only as much room as batches usually need: a large one needs megabytes, once.
    pub(crate) fn give_back(&mut self) {
        self.clear();
        self.octets.shrink_to(1 << 14);
    }

    fn pad(&mut self) {
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
    }
}

/// A message without its header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// `RTM_*` or one of the above.
    pub(crate) kind: u16,
    /// `NLM_F_*`
    pub(crate) flags: u16,
    /// Of the request that it answers.
    pub(crate) sequence: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
}

/// A length that cannot be: what follows cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// The messages of a datagram; ends after the first that is malformed.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((message, rest)) = first_message(self.0) else {
            self.0 = &[];
            return Some(Err(Malformed));
        };
        self.0 = rest;
        Some(Ok(message))
    }
}

fn first_message(octets: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let length = usize::try_from(u32_at(octets, 0)?).ok()?;
    let message = Message {
        kind: u16_at(octets, 4)?,
        flags: u16_at(octets, 6)?,
        sequence: u32_at(octets, 8)?,
        body: octets.get(HEADER..length)?,
    };
    Some((message, octets.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// Attributes; ends at the first that is malformed.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // without the bits that say "nested" and "in network byte order"
        let kind = u16_at(self.0, 2)? & 0x3fff;
        let length = usize::from(u16_at(self.0, 0)?);
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// What the kernel answered to one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    /// 0 is success.
    pub(crate) errno: i32,
    /// The kernel's own words.
    pub(crate) message: Option<String>,
}

impl Answer {
    /// Reads an `ERROR` message; one that is cut short counts as EBADMSG.
    pub(crate) fn read(message: Message<'_>) -> Self {
        let Some(errno) = i32_at(message.body, 0) else {
            return Self { errno: libc::EBADMSG, message: None };
        };
        Self { errno: errno.saturating_neg(), message: words(message) }
    }
}

fn words(message: Message<'_>) -> Option<String> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    if message.flags & ACK_ATTRIBUTES == 0 {
        return None;
    }
    let quoted = match message.flags & CAPPED {
        0 => usize::try_from(u32_at(message.body, 4)?).ok()?.checked_next_multiple_of(4)?,
        _ => HEADER,
    };
    let attributes = message.body.get(quoted.checked_add(4)?..)?;
    let (_, text) = Attributes(attributes).find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)?;
    Some(String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(text)).into_owned())
}

/// A 16-bit number in the machine's order.
pub(crate) fn u16_at(octets: &[u8], offset: usize) -> Option<u16> {
    octets.get(offset..)?.first_chunk().map(|value| u16::from_ne_bytes(*value))
}

/// A 32-bit number in the machine's order.
pub(crate) fn u32_at(octets: &[u8], offset: usize) -> Option<u32> {
    octets.get(offset..)?.first_chunk().map(|value| u32::from_ne_bytes(*value))
}

/// A 64-bit number in the machine's order.
pub(crate) fn u64_at(octets: &[u8], offset: usize) -> Option<u64> {
    octets.get(offset..)?.first_chunk().map(|value| u64::from_ne_bytes(*value))
}

/// A signed 32-bit number in the machine's order.
pub(crate) fn i32_at(octets: &[u8], offset: usize) -> Option<i32> {
    octets.get(offset..)?.first_chunk().map(|value| i32::from_ne_bytes(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_messages() -> Batch {
        let mut batch = Batch::default();
        batch.begin(20, REQUEST, 5, &[1, 2, 3, 4]);
        batch.attribute(1, b"abcde");
        batch.end();
        batch.begin(21, REQUEST | ACK, 6, &[]);
        batch.end();
        batch
    }

    #[test]
    fn what_is_written_is_read() {
        let batch = two_messages();
        let messages: Vec<_> = Messages(batch.octets()).map(Result::unwrap).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].kind, messages[0].flags, messages[0].sequence), (20, REQUEST, 5));
        let attributes: Vec<_> = Attributes(&messages[0].body[4..]).collect();
        assert_eq!(attributes, [(1, b"abcde".as_slice())]);
        assert_eq!((messages[1].kind, messages[1].sequence, messages[1].body), (21, 6, [].as_slice()));
    }

    #[test]
    fn every_truncation_ends_in_malformed_or_in_whole_messages() {
        let batch = two_messages();
        for length in 0..batch.octets().len() {
            let read: Vec<_> = Messages(&batch.octets()[..length]).collect();
            let whole = read.iter().filter(|message| message.is_ok()).count();
            assert!(whole < 2, "{length}");
            assert_eq!(read.last().is_some_and(Result::is_err), !matches!(length, 0 | 32), "{length}");
        }
    }

    #[test]
    fn lengths_that_lie_are_malformed() {
        for length in [0_u32, 1, 15, 17, 0x7fff_ffff, u32::MAX] {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(Messages(&octets).map(|message| message.err()).collect::<Vec<_>>(), [Some(Malformed)]);
        }
        for length in [0_u16, 1, 3, 9, u16::MAX] {
            let mut octets = [0; 8];
            octets[..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(Attributes(&octets).count(), 0, "{length}");
        }
    }

    #[test]
    fn the_kernels_words_are_found_behind_a_whole_or_a_capped_request() {
        for (flags, quoted) in [(CAPPED | ACK_ATTRIBUTES, 16_u32), (ACK_ATTRIBUTES, 22)] {
            let mut body = (-22_i32).to_ne_bytes().to_vec();
            body.extend(quoted.to_ne_bytes());
            body.resize(4 + usize::try_from(quoted).unwrap().next_multiple_of(4), 0);
            body.extend(8_u16.to_ne_bytes());
            body.extend(1_u16.to_ne_bytes());
            body.extend(b"No!\0");
            let whole = Message { kind: ERROR, flags, sequence: 0, body: &body };
            assert_eq!(Answer::read(whole), Answer { errno: 22, message: Some("No!".into()) });
            for length in 0..body.len() {
                let cut = Answer::read(Message { body: &body[..length], ..whole });
                assert_eq!(cut.message, None);
            }
        }
    }
}
