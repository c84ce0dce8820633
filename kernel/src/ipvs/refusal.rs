//! What the kernel says when it refuses.

use std::fmt;
use std::io;

use crate::netlink::codec::Answer;

/// A refusal with the kernel's words, if it has any.
pub(super) fn error(Answer { errno, message }: Answer) -> io::Error {
    let plain = io::Error::from_raw_os_error(errno);
    match message {
        None => plain,
        Some(words) => io::Error::new(plain.kind(), Explained { plain, words }),
    }
}

/// An error number and what the kernel says to it.
#[derive(Debug)]
struct Explained {
    plain: io::Error,
    words: String,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.words, self.plain)
    }
}

impl std::error::Error for Explained {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.plain)
    }
}
