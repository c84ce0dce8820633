//! Generic netlink: families that get their number when their module is loaded.

use std::io;

use super::codec::{Attributes, Batch, u16_at};
use super::exchange::Exchange;

/// Length of the header of every message: command, version, reserved.
pub(crate) const HEADER: usize = 4;

/// `GENL_ID_CTRL`
const CONTROL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// The number of the family `name`. The kernel loads the module that brings it, if that says by an alias that it does.
///
/// # Errors
/// There is no such family.
pub(crate) fn family(exchange: &mut Exchange, name: &str) -> io::Result<u16> {
    let missing = || io::Error::new(io::ErrorKind::Unsupported, format!("this kernel has no {name}"));
    look_up(exchange, name)?.ok_or_else(missing)
}

/// Whether there is a family `name`, which may load its module.
pub(crate) fn is_there(name: &str) -> io::Result<bool> {
    let mut exchange = Exchange::open(Some(rustix::net::netlink::GENERIC))?;
    Ok(look_up(&mut exchange, name)?.is_some())
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
        assert_eq!(family(&mut exchange, "nlctrl").unwrap(), CONTROL);
        let error = family(&mut exchange, "nothing").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert_eq!(error.to_string(), "this kernel has no nothing");
        assert!(is_there("nlctrl").unwrap() && !is_there("nothing").unwrap());
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
