//! The processes of this machine, as `/proc` shows them.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::process::{Pid as RawPid, PidfdFlags};

use crate::files::open_regular;

/// Octets of a command line that are read: what is compared is shorter.
const LONGEST_COMMAND: u64 = 64 * 1024;

/// The numbers of all processes.
///
/// # Errors
/// `/proc` cannot be read.
pub fn list() -> io::Result<Vec<u32>> {
    let entries = fs::read_dir("/proc")?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(numbers.collect())
}

/// The short name of a process; `None` if there is none, or it has ended and its parent has not asked for its status.
pub fn short_name(pid: u32) -> Option<Vec<u8>> {
    // `1 (name) S …`: the name may have blanks and brackets
    let text = read(pid, "stat", 512)?;
    let begin = text.iter().position(|octet| *octet == b'(')? + 1;
    let end = text.iter().rposition(|octet| *octet == b')')?;
    let state = text.get(end + 2)?;
    let is_alive = !matches!(state, b'Z' | b'X' | b'x');
    is_alive.then(|| text.get(begin..end).unwrap_or_default().to_vec())
}

/// Where a process belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Family {
    pub(super) parent: i32,
    pub(super) group: i32,
}

/// Where a process belongs, also one that has ended and waits for its parent.
pub(super) fn family(pid: u32) -> Option<Family> {
    let text = read(pid, "stat", 512)?;
    let end = text.iter().rposition(|octet| *octet == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut numbers = rest.split_whitespace().skip(1).map_while(|word| word.parse().ok());
    Some(Family { parent: numbers.next()?, group: numbers.next()? })
}

/// The words of the command of a process, each with a NUL behind it.
pub fn command_line(pid: u32) -> Option<Vec<u8>> {
    read(pid, "cmdline", LONGEST_COMMAND)
}

fn read(pid: u32, name: &str, most: u64) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let file = open_regular(Path::new(&format!("/proc/{pid}/{name}"))).ok()?;
    file.take(most).read_to_end(&mut octets).ok()?;
    Some(octets)
}

/// A process of others: readable once it has ended.
#[derive(Debug)]
pub struct Watched(OwnedFd);

impl Watched {
    /// Watches a process.
    ///
    /// # Errors
    /// It has ended; out of descriptors.
    pub fn new(pid: u32) -> io::Result<Self> {
        let number = i32::try_from(pid).ok().and_then(RawPid::from_raw).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self(rustix::process::pidfd_open(number, PidfdFlags::NONBLOCK)?))
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there_and_a_zombie_is_not() {
        let own = std::process::id();
        assert!(list().unwrap().contains(&own));
        assert!(short_name(own).is_some_and(|name| !name.is_empty()));
        assert!(command_line(own).is_some_and(|line| line.ends_with(&[0])));
        let mut child = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        assert!(Watched::new(child.id()).is_ok());
        child.kill().unwrap();
        while short_name(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert!(list().unwrap().contains(&child.id()), "it is still listed");
        child.wait().unwrap();
        assert_eq!(short_name(0), None);
    }
}
