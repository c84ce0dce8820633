//! What happens to the processes of this machine, as the kernel's proc connector tells it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::net::netlink::CONNECTOR;
use socket2::SockRef;

use crate::netlink::socket::{Received, Socket};
use crate::packets::BufferSize;

/// The group and the value of the proc connector (`CN_IDX_PROC`, `CN_VAL_PROC`).
const PROC: u32 = 1;
/// Length of `struct nlmsghdr`.
const NETLINK_HEADER: usize = 16;
/// Length of `struct cn_msg` without data.
const CONNECTOR_HEADER: usize = 20;
/// Where `struct proc_event` begins, and where its data does.
const EVENT: usize = NETLINK_HEADER + CONNECTOR_HEADER;
const DATA: usize = EVENT + 16;
/// `PROC_CN_MCAST_LISTEN`
const LISTEN: u32 = 1;

/// `enum what`
const ACKNOWLEDGED: u32 = 0;
const FORK: u32 = 0x1;
const EXEC: u32 = 0x2;
const COMM: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// The kernel answers at once, if it does at all.
const PATIENCE: Duration = Duration::from_millis(200);

/// Something that happened to a process; threads are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcessEvent {
    /// A process made another one like itself.
    Forked {
        /// The first.
        parent: u32,
        /// The other.
        child: u32,
    },
    /// A process runs another program, or has another short name.
    Changed(u32),
    /// A process has ended.
    Ended(u32),
    /// Events were lost: everything may be different.
    Lost,
}

/// The proc connector.
#[derive(Debug)]
pub struct ProcessEvents {
    socket: Socket,
}

impl ProcessEvents {
    /// Begins to listen.
    ///
    /// # Errors
    /// No `CAP_NET_ADMIN`; or the kernel does not answer, as in a network namespace or a PID namespace other than the first.
    pub fn open(buffer: BufferSize) -> io::Result<Self> {
        let group = i32::try_from(PROC).unwrap_or_default();
        let mut socket = Socket::open(Some(CONNECTOR), &[group], buffer)?;
        socket.send(&listen())?;
        let end = Instant::now() + PATIENCE;
        loop {
            match socket.receive()? {
                Received::Datagram(octets) => match octets_at(octets, EVENT) {
                    Some(ACKNOWLEDGED) => {
                        return match octets_at(octets, DATA) {
                            Some(0) => Ok(Self { socket }),
                            error => Err(io::Error::from_raw_os_error(
                                error.and_then(|error| i32::try_from(error).ok()).unwrap_or(libc::EPERM),
                            )),
                        };
                    }
                    // others listen already, and events come before the answer
                    _ => continue,
                },
                Received::Lost => continue,
                Received::Nothing => {}
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !socket.wait(left)? {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the kernel does not answer"));
            }
        }
    }

    /// How large the buffer is, as the kernel counts: twice what was asked for.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn buffer(&self) -> io::Result<usize> {
        SockRef::from(&self.as_fd()).recv_buffer_size()
    }

    /// Takes what has happened, at most `most` events. False if there may be more.
    pub fn events(&mut self, most: usize, out: &mut Vec<ProcessEvent>) -> bool {
        for _ in 0..most {
            match self.socket.receive() {
                Ok(Received::Datagram(octets)) => out.extend(event(octets)),
                Ok(Received::Lost) => out.push(ProcessEvent::Lost),
                Ok(Received::Nothing) | Err(_) => return true,
            }
        }
        false
    }
}

impl AsFd for ProcessEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn listen() -> Vec<u8> {
    let operation = LISTEN.to_ne_bytes();
    let length = NETLINK_HEADER + CONNECTOR_HEADER + operation.len();
    let mut octets = Vec::with_capacity(length);
    octets.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    let done = u16::try_from(libc::NLMSG_DONE).unwrap_or_default();
    octets.extend(done.to_ne_bytes());
    // flags, sequence number, port
    octets.extend([0; 2 + 4 + 4]);
    octets.extend(PROC.to_ne_bytes());
    octets.extend(PROC.to_ne_bytes());
    // sequence number, acknowledgement
    octets.extend([0; 8]);
    octets.extend(u16::try_from(operation.len()).unwrap_or_default().to_ne_bytes());
    // flags
    octets.extend([0; 2]);
    octets.extend(operation);
    octets
}

fn octets_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|four| u32::from_ne_bytes(*four))
}

/// What a datagram tells; nothing if it is about a thread.
fn event(octets: &[u8]) -> Option<ProcessEvent> {
    let word = |number: usize| octets_at(octets, DATA + 4 * number);
    // a thread has another number than its process
    let of_process = |at: usize| word(at).filter(|pid| word(at + 1) == Some(*pid));
    match octets_at(octets, EVENT)? {
        FORK => Some(ProcessEvent::Forked { parent: word(1)?, child: of_process(2)? }),
        EXEC | COMM => of_process(0).map(ProcessEvent::Changed),
        EXIT => of_process(0).map(ProcessEvent::Ended),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(what: u32, data: &[u32]) -> Vec<u8> {
        let mut octets = vec![0; EVENT];
        octets.extend(what.to_ne_bytes());
        octets.extend([0; 12]);
        octets.extend(data.iter().flat_map(|word| word.to_ne_bytes()));
        octets
    }

    /// linux/cn_proc.h
    #[test]
    fn threads_are_no_processes() {
        let read = |what, data: &[u32]| event(&datagram(what, data));
        assert_eq!(read(FORK, &[10, 9, 11, 11]), Some(ProcessEvent::Forked { parent: 9, child: 11 }));
        assert_eq!(read(FORK, &[10, 10, 11, 10]), None);
        assert_eq!(read(EXEC, &[11, 11]), Some(ProcessEvent::Changed(11)));
        assert_eq!(read(COMM, &[12, 11]), None);
        assert_eq!(read(EXIT, &[11, 11, 0, 17]), Some(ProcessEvent::Ended(11)));
        assert_eq!(read(EXIT, &[12, 11, 0, 17]), None);
        assert_eq!(read(0x4, &[11, 11]), None);
        assert_eq!(event(&datagram(FORK, &[1])), None);
        assert_eq!(event(&[0; 7]), None);
    }

    #[test]
    fn a_child_is_seen_to_come_change_and_end() {
        let mut connector = match ProcessEvents::open(BufferSize(1 << 20)) {
            Ok(connector) => connector,
            Err(error) => return eprintln!("skipped: no proc connector here: {error}"),
        };
        let mut child = std::process::Command::new("/bin/sleep").arg("0").spawn().unwrap();
        child.wait().unwrap();
        let mut seen = Vec::new();
        let end = Instant::now() + Duration::from_secs(20);
        let ended = |seen: &[ProcessEvent]| seen.contains(&ProcessEvent::Ended(child.id()));
        while !ended(&seen) && Instant::now() < end {
            connector.events(1_000, &mut seen);
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(seen.contains(&ProcessEvent::Changed(child.id())), "executed");
        assert!(ended(&seen));
        assert!(
            seen.iter().any(|event| matches!(event, ProcessEvent::Forked { child: pid, .. } if *pid == child.id()))
        );
    }
}
