//! Process groups that a process has to end, in memory that it shares with its parent: that ends them if the process dies.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use rustix::fs::MemfdFlags;
use rustix::process::{Pid as RawPid, Signal};

use super::list::{family, list};
use super::spawn::Child;

/// Octets of an entry: the number of a process group, or zeros.
const ENTRY: usize = 4;

/// The groups, as numbers in memory. One process writes, another one reads when that has died.
#[derive(Debug)]
pub struct Roster {
    memory: File,
    /// Entries that are not in use.
    free: Vec<u32>,
    /// Entries there are.
    length: u32,
}

/// An entry.
#[derive(PartialEq, Eq, Debug)]
pub struct Entered(u32);

impl Roster {
    /// An empty one.
    ///
    /// # Errors
    /// Out of memory or descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self::shared(rustix::fs::memfd_create("groups", MemfdFlags::CLOEXEC)?))
    }

    /// The one that another process has handed over. It is empty.
    pub fn shared(memory: OwnedFd) -> Self {
        Self { memory: memory.into(), free: Vec::new(), length: 0 }
    }

    /// Its memory, for the other process.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.memory.try_clone().map(OwnedFd::from)
    }

    /// Takes note of the group of `child`.
    ///
    /// # Errors
    /// Out of memory.
    pub fn enter(&mut self, child: &Child) -> io::Result<Entered> {
        let place = self.free.pop().unwrap_or(self.length);
        self.length = self.length.max(place.saturating_add(1));
        self.write(place, child.pid().0)?;
        Ok(Entered(place))
    }

    /// The group has ended, or may live on.
    pub fn leave(&mut self, entered: Entered) {
        // what is not written stays, and ends nobody: no group of that number has a child of ours any more
        let _full = self.write(entered.0, 0);
        self.free.push(entered.0);
    }

    fn write(&self, place: u32, group: i32) -> io::Result<()> {
        self.memory.write_all_at(&group.to_ne_bytes(), u64::from(place).saturating_mul(4))
    }

    /// Kills the groups whose processes are ours now: the process that began them has died, and we get orphans. Returns how many.
    ///
    /// # Errors
    /// The memory or `/proc` cannot be read.
    pub fn end_orphans(&self) -> io::Result<usize> {
        let length = usize::try_from(self.memory.metadata()?.len()).unwrap_or(0);
        let mut octets = vec![0; length - length % ENTRY];
        self.memory.read_exact_at(&mut octets, 0)?;
        let (entries, _) = octets.as_chunks::<ENTRY>();
        let groups: BTreeSet<i32> =
            entries.iter().map(|entry| i32::from_ne_bytes(*entry)).filter(|it| *it > 1).collect();
        if groups.is_empty() {
            return Ok(0);
        }
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        // a number may have been given to another group since
        let ours = list()?.into_iter().filter_map(family).filter(|family| family.parent == own);
        let orphans: BTreeSet<i32> = ours.map(|family| family.group).filter(|group| groups.contains(group)).collect();
        for group in orphans.iter().filter_map(|group| RawPid::from_raw(*group)) {
            // it may end meanwhile
            let _gone = rustix::process::kill_process_group(group, Signal::KILL);
        }
        Ok(orphans.len())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::process::{Orphaned, Program, start};

    fn program(script: &str) -> Program {
        Program {
            file: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            identity: None,
            orphaned: Orphaned::Killed,
        }
    }

    #[test]
    fn entries_are_used_again() {
        let mut roster = Roster::new().unwrap();
        let children = [0; 3].map(|_| start(&program("true")).unwrap());
        let entered = children.each_ref().map(|child| roster.enter(child).unwrap());
        assert_eq!(entered, [Entered(0), Entered(1), Entered(2)]);
        let [_, second, _] = entered;
        roster.leave(second);
        assert_eq!(roster.enter(&children[0]).unwrap(), Entered(1));
    }

    /// A program that leaves a process in its group, and one that is not in the roster.
    #[test]
    fn what_a_group_left_is_killed_and_nothing_else() {
        let mut roster = Roster::new().unwrap();
        let other = Roster::shared(roster.share().unwrap());
        let (mut reader, writer) = io::pipe().unwrap();
        let mut stays = Command::new("/bin/sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        let mut leader = {
            use std::os::unix::process::CommandExt as _;
            let script = "sleep 60 & sleep 60";
            Command::new("/bin/sh").args(["-c", script]).process_group(0).stdout(writer).spawn().unwrap()
        };
        let entered = roster.length;
        roster.length += 1;
        roster.write(entered, i32::try_from(leader.id()).unwrap()).unwrap();
        assert_eq!(other.end_orphans().unwrap(), 1);
        leader.wait().unwrap();
        // both `sleep` held the pipe
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert_eq!(other.end_orphans().unwrap(), 0);
        assert!(stays.try_wait().unwrap().is_none());
        stays.kill().unwrap();
        stays.wait().unwrap();
    }
}
