//! Errors that say what this machine lacks, and nothing about its peer.

use std::{fmt, io};

/// Whether `error` says that this machine has no more of something: descriptors, memory, processes, buffers, watches.
/// It may have more a moment later; until then nothing is known about what was to be done.
pub fn is_shortage(error: &io::Error) -> bool {
    match number(error) {
        Some(errno) => matches!(
            errno,
            libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::ENOSPC | libc::EDQUOT
        ),
        // an error that was given a text elsewhere has lost its number
        None => matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock),
    }
}

/// `error` with another text, and still the number of the kernel: [`is_shortage`] knows it.
pub fn with_text(error: &io::Error, text: String) -> io::Error {
    io::Error::new(error.kind(), Explained { text, errno: number(error) })
}

/// errno of an error, also of one that [`with_text`] made.
fn number(error: &io::Error) -> Option<i32> {
    let explained = || error.get_ref()?.downcast_ref::<Explained>()?.errno;
    error.raw_os_error().or_else(explained)
}

#[derive(Debug)]
struct Explained {
    text: String,
    errno: Option<i32>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Explained {}

/// What the kernel says to a process that has no descriptor left.
pub fn too_many() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_lacks_is_told_from_what_a_peer_says() {
        let check = |errno| is_shortage(&io::Error::from_raw_os_error(errno));
        // the numbers are those of errno(3) for Linux: EAGAIN, ENOMEM, ENFILE, EMFILE, ENOSPC, ENOBUFS
        assert!([11, 12, 23, 24, 28, 105].into_iter().all(check));
        // ENOENT, EACCES, EPIPE, ENETUNREACH, ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH
        assert!(![2, 13, 32, 101, 104, 110, 111, 113].into_iter().any(check));
        let told = io::Error::new(io::Error::from_raw_os_error(12).kind(), "cannot run x");
        assert!(is_shortage(&told));
        let explained = |errno| with_text(&io::Error::from_raw_os_error(errno), "cannot run x".to_owned());
        assert!(
            [11, 12, 23, 24, 28, 105].into_iter().all(|errno| is_shortage(&with_text(&explained(errno), "y".into())))
        );
        assert!(!is_shortage(&explained(2)));
        assert_eq!(explained(24).to_string(), "cannot run x");
    }
}
