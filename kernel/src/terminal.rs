//! The terminal of the calling process: its size, and its keys one by one.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::signal::{self, Signal};

/// Columns and rows of standard output; those of the usual terminal where it does not know, as on a serial line.
///
/// # Errors
/// Standard output is no terminal.
pub fn size() -> io::Result<(u16, u16)> {
    let size = tcgetwinsize(io::stdout())?;
    let or = |is, usual| if is == 0 { usual } else { is };
    Ok((or(size.ws_col, 80), or(size.ws_row, 24)))
}

/// Standard input while keys come one by one and are not shown, Ctrl-C among them; as it was before when this is dropped. A signal that
/// would end the process ends the keys instead, so that this is dropped.
#[derive(Debug)]
pub struct Keys {
    before: Termios,
    signals: OwnedFd,
}

impl Keys {
    /// Begins. Call it before there are other threads.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub fn begin() -> io::Result<Self> {
        let signals = signal::descriptor(&[Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT])?;
        let before = tcgetattr(io::stdin())?;
        let mut single = before.clone();
        single.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Now, &single)?;
        Ok(Self { before, signals })
    }

    /// Waits so long for keys; none if there were none, an error if there will be none any more.
    ///
    /// # Errors
    /// The terminal is gone, or a signal asks for the end (`UnexpectedEof`); as `poll` and `read`.
    pub fn wait(&self, patience: Duration) -> io::Result<Vec<u8>> {
        let stdin = io::stdin();
        let mut ready = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
        match poll(&mut ready, Some(&patience)) {
            // a signal is no key
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            Ok(_) if !ready[1].revents().is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut octets = [0; 64];
        match rustix::io::read(&stdin, &mut octets)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(octets.get(..count).unwrap_or_default().to_vec()),
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        tcsetattr(io::stdin(), OptionalActions::Now, &self.before).ok();
    }
}
