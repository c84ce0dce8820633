//! Errors that say what this machine lacks, and nothing about its peer.

use std::io;

/// Whether `error` says that this machine has no more of something: descriptors, memory, processes, buffers, watches.
/// It may have more a moment later; until then nothing is known about what was to be done.
pub fn is_shortage(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(errno) => matches!(
            errno,
            libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::ENOSPC | libc::EDQUOT
        ),
        // an error that was given a text has lost its number
        None => matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock),
    }
}

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
    }
}
