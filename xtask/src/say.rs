//! Printing that ends cleanly when its reader is gone.

use keepalived_lab::interrupt;
use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

/// As `println!`, but a reader that has gone (`| head`) ends us with all that we have started, instead of a panic.
macro_rules! say {
    () => { $crate::say::line(format_args!("")) };
    ($($what:tt)*) => { $crate::say::line(format_args!($($what)*)) };
}
pub(crate) use say;

/// As a shell reports the death by SIGPIPE.
const BROKEN_PIPE: i32 = 128 + 13;

pub(crate) fn line(what: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let written = out.write_fmt(what).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    drop(out);
    if written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        interrupt::end(BROKEN_PIPE);
    }
}

/// To stderr, which may be gone as well.
pub(crate) fn complain(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
