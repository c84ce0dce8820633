//! Generic netlink: families that get their number when their module is loaded.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::codec::{Attributes, Batch, u16_at};
use super::exchange::Exchange;
use crate::process::{Exit, Launch, spawn};
use crate::signal::Signal;

/// Length of the header of every message: command, version, reserved.
pub(crate) const HEADER: usize = 4;

/// `GENL_ID_CTRL`
const CONTROL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// Where the kernel says which program loads modules.
const LOADER: &str = "/proc/sys/kernel/modprobe";
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of the family `name`; if the kernel has none, after an attempt to load `module`.
///
/// # Errors
/// There is no such family, and what became of the attempt.
pub(crate) fn family(exchange: &mut Exchange, name: &str, module: &str) -> io::Result<u16> {
    if let Some(number) = look_up(exchange, name)? {
        return Ok(number);
    }
    let loaded = load(module);
    if let Some(number) = look_up(exchange, name)? {
        return Ok(number);
    }
    let what = match loaded {
        Ok(()) => format!("the module {module} was loaded and did not bring it"),
        Err(error) => format!("the module {module} was not loaded: {error}"),
    };
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("this kernel has no {name}: {what}")))
}

fn look_up(exchange: &mut Exchange, name: &str) -> io::Result<Option<u16>> {
    let mut number = None;
    let answer = exchange.ask(
        |batch, flags, sequence| {
            batch.begin(CONTROL, flags, sequence, &[CTRL_CMD_GETFAMILY, 1, 0, 0]);
            batch.text(CTRL_ATTR_FAMILY_NAME, name);
            batch.end();
        },
        |message| number = number.or_else(|| read_number(message.body)),
    )?;
    match answer.errno {
        0 => Ok(number),
        libc::ENOENT => Ok(None),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn read_number(body: &[u8]) -> Option<u16> {
    let (_, value) = Attributes(body.get(HEADER..)?).find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID)?;
    u16_at(value, 0)
}

/// Loads a kernel module as the kernel itself would.
fn load(module: &str) -> io::Result<()> {
    let program = crate::files::read_text(std::path::Path::new(LOADER), 4096)
        .map_err(|error| io::Error::new(error.kind(), format!("{LOADER}: {error}, so it cannot load modules")))?;
    let program = program.trim_end();
    if program.is_empty() {
        return Err(io::Error::other(format!("{LOADER} is empty")));
    }
    let child = spawn(&Launch {
        program: program.into(),
        arguments: [program, "-q", "-s", "--", module].map(Into::into).to_vec(),
        environment: vec![("PATH".into(), "/sbin:/usr/sbin:/bin:/usr/bin".into())],
        descriptors: Vec::new(),
    })?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait()? {
            Some(Exit::Status(0)) => return Ok(()),
            Some(exit) => return Err(io::Error::other(format!("{program} {exit}"))),
            None => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            child.signal(Signal::KILL)?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{program} takes too long")));
        }
        let timeout =
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        let mut poll = [PollFd::new(&child, PollFlags::IN)];
        // a signal may end it early
        let _ended_or_not = rustix::event::poll(&mut poll, Some(&timeout));
    }
}

/// Starts a message of a family.
pub(crate) fn begin(batch: &mut Batch, family: u16, command: u8, flags: u16, sequence: u32) {
    batch.begin(family, flags, sequence, &[command, 1, 0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_every_kernel_has_is_found_and_one_that_none_has_is_named() {
        let mut exchange = Exchange::open(Some(rustix::net::netlink::GENERIC)).unwrap();
        assert_eq!(family(&mut exchange, "nlctrl", "no_such_module").unwrap(), CONTROL);
        let error = family(&mut exchange, "nothing", "no_such_module").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(
            error.to_string().starts_with("this kernel has no nothing: the module no_such_module was not loaded: ")
        );
    }

    #[test]
    fn a_number_that_is_cut_short_is_none() {
        let body = [1, 2, 0, 0, 6, 0, 1, 0, 0x1c, 0, 0, 0];
        assert_eq!(read_number(&body), Some(u16::from_ne_bytes([0x1c, 0])));
        for length in 0..10 {
            assert_eq!(read_number(&body[..length]), None, "{length}");
        }
    }
}
