//! What the processes say to each other: one set of enums, encoded with postcard over a packet socket. What may be large
//! goes through sealed memory beside the message.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, BufReader, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use keepalived_config::model::{Config, Script};
use keepalived_kernel::ipvs::{Expiry, Timeouts};
use keepalived_kernel::pipe::{self, Pipe, Received, Sealed};
use keepalived_kernel::process::{self, Account};
use keepalived_state::{BalanceChange, Record, VrrpChange};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::changes::Changes;
use crate::checker::Unfinished;
use crate::log::Destinations;
use crate::role::Role;
use keepalived_config::InstanceKey;

/// Number of the descriptor that the supervisor of a child talks through.
pub const SUPERVISOR: RawFd = 3;

/// Octets of memory that are accepted from another process of ours.
const LARGEST_MEMORY: usize = 256 * 1024 * 1024;

/// From the supervisor to one of its children.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToChild {
    /// The first message; [`Startup`] comes in memory.
    Start,
    /// A configuration that has been validated; it comes in memory.
    Reload,
    /// Are you there?
    Hello(u64),
    /// Tell what became different, with fresh numbers.
    Refresh(AfterTelling),
    /// The process of this role speaks and listens at the packet socket whose descriptor comes along. It replaces the one of a
    /// process before it.
    Peer(Role),
    /// End in good order.
    Stop,
}

/// What becomes of counters that have been told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AfterTelling {
    /// They go on.
    KeepCounters,
    /// They begin at zero.
    ClearCounters,
}

/// What a child is started with. The supervisor lends its configuration, the child gets its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Startup<C = Config> {
    /// What to run: the child's share of the configuration.
    pub config: C,
    /// Instances that were master when the vrrp process before this one died.
    pub masters: BTreeSet<InstanceKey>,
    /// Whether the process before this one died: then nothing is delayed, and what it left in the kernel is taken over.
    pub resumes: bool,
    /// How long it stands by before it begins (the vrrp process only): it is there in case that the supervisor dies.
    pub stands_by: Duration,
    /// What the process before this one would have taken back at its end.
    pub cleanup: Cleanup,
    /// Who runs scripts that name no user.
    pub script_default: ScriptDefault,
    /// Where to log to.
    pub log: Destinations,
    /// `-V`
    pub keep_addresses: bool,
    /// `-I`
    pub keep_services: bool,
}

/// Who runs scripts that name no user. Found out once, before anything starts: a user that is removed later, or a name service that
/// does not answer, must not make root of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ScriptDefault {
    /// The user `keepalived_script`.
    User(Account),
    /// There is no such user: the daemon's.
    Ours,
    /// Whether there is one could not be found out: they are not run.
    Unknown,
}

impl ScriptDefault {
    /// Asks this machine.
    pub fn look() -> Self {
        match process::find_user("keepalived_script") {
            Ok(Some(account)) => Self::User(account),
            Ok(None) => Self::Ours,
            Err(error) => {
                tracing::warn!(
                    "the user keepalived_script cannot be looked up ({error}): scripts without a user are not run"
                );
                Self::Unknown
            }
        }
    }
}

/// What the checker process has made outside of the load balancer's table, and takes back at its end; and what it still has to remove
/// from the table. The supervisor remembers it for the process after one that died.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Cleanup {
    /// How long the kernel remembered connections before `lvs_timeouts`.
    pub timeouts: Option<Timeouts>,
    /// What became of clients of a server that is out before `lvs_expire_failed`.
    pub expiry: Option<Expiry>,
    /// Named pipes that were not there before.
    pub pipes: BTreeSet<PathBuf>,
    /// What it still has to remove from the table.
    pub unfinished: Unfinished,
}

/// Transitions in one message: even with the longest names and causes they fit a packet.
pub const MOST_RECORDS: usize = 50;

/// From a child to the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromChild {
    /// It stands by until it may begin.
    StandsBy,
    /// It runs.
    Ready,
    /// It applied the configuration.
    Reloaded,
    /// It could not take the configuration, for this reason, and goes on with the old one.
    NotReloaded(String),
    /// I am here.
    Hello(u64),
    /// Instances changed their states, in this order; at most [`MOST_RECORDS`].
    Transitions(Vec<(InstanceKey, Record)>),
    /// What else happened, in this order; at most [`MOST_RECORDS`].
    Happened(Vec<Record>),
    /// From now on this is to be taken back at its end.
    Cleanup(Cleanup),
    /// What became different about virtual routers.
    VrrpChanges(Changes<VrrpChange>),
    /// What became different about load balancing.
    BalanceChanges(Changes<BalanceChange>),
    /// It got a signal that is for the supervisor.
    Signal(i32),
    /// It cannot run, and ends with this status.
    CannotRun(String),
}

/// To the runner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Run a program.
    Run(Order),
    /// End a program that is not wanted any more.
    End {
        /// As in its order.
        id: u64,
        /// It has so long to end by itself, before it is asked to.
        within: Duration,
    },
}

/// A program to run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// What the answer will call it.
    pub id: u64,
    /// The program.
    pub script: Script,
    /// What follows its own arguments.
    pub extra: Vec<String>,
    /// How long it may run.
    pub lives: Lives,
    /// What it tells of, if it is a notification: of those that have to wait the last one about a subject counts.
    pub about: String,
}

/// How long a program may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Lives {
    /// As long as it likes, even when whoever ordered it is gone.
    Freely,
    /// So long at most.
    AtMost(Duration),
    /// Until [`Request::End`], or until whoever ordered it is gone.
    WhileWanted,
}

/// From the runner: a program has ended, or could not be run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// As in the order.
    pub id: u64,
    /// How.
    pub how: HowEnded,
}

/// How a program ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum HowEnded {
    /// By itself, with this status.
    Status(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// Its time was over.
    TimedOut,
    /// It could not be run: what that says, and why.
    NotRun(Blame, String),
}

/// What it says that a program could not be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Blame {
    /// Something about the program: it is missing, may not be executed, or is no program.
    Program,
    /// Something about this machine: no processes, descriptors or memory left, an unknown user, no runner. It says nothing about
    /// what the program would have found out.
    Machine,
}

impl HowEnded {
    /// A program could not be run because of `error`.
    pub fn not_run(error: &io::Error) -> Self {
        use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
        let of_program = matches!(error.kind(), NotFound | PermissionDenied | NotADirectory | IsADirectory);
        let blame = if of_program { Blame::Program } else { Blame::Machine };
        Self::NotRun(blame, error.to_string())
    }
}

impl fmt::Display for HowEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exited with status {status}"),
            Self::Signal(number) => write!(f, "was ended by signal {number}"),
            Self::TimedOut => f.write_str("was asked to end"),
            Self::NotRun(_, why) => write!(f, "could not be run: {why}"),
        }
    }
}

/// Something that came in.
#[derive(Debug)]
pub enum Incoming<T> {
    /// A message and the memory beside it.
    Message(T, Option<OwnedFd>),
    /// Nothing for now.
    Nothing,
    /// The other process is gone.
    Closed,
}

/// Sends an encoded message, with a copy of `beside`. One that is longer than a packet goes through memory.
///
/// # Errors
/// As [`Pipe::send`]; out of memory or descriptors. [`pipe::may_pass`] says whether to try again.
pub fn post(pipe: &Pipe, octets: &[u8], beside: Option<BorrowedFd<'_>>) -> io::Result<()> {
    if octets.len() <= pipe::LONGEST_MESSAGE {
        return pipe.send(octets, beside.as_slice());
    }
    let memory = pipe::memory("keepalived", |writer| writer.write_all(octets))?;
    let descriptors: Vec<_> = std::iter::once(memory.as_fd()).chain(beside).collect();
    pipe.send(IN_MEMORY, &descriptors)
}

/// Says that the message itself comes in memory: the first descriptor. No encoded message looks like this, because no enum of
/// ours has so many variants and no text such a length.
const IN_MEMORY: &[u8] = &[0xff];

/// Memory with `content`, to be sent beside a message.
///
/// # Errors
/// Out of memory or descriptors.
pub fn memory<C: Serialize>(content: &C) -> io::Result<OwnedFd> {
    // written as it is encoded: a large configuration would need much memory once more
    pipe::memory("keepalived", |writer| {
        postcard::to_io(content, writer).map_err(io::Error::other)?;
        Ok(())
    })
}

/// Takes the next message.
///
/// # Errors
/// A message that is none of ours, or a broken socket.
pub fn receive<T: DeserializeOwned>(pipe: &mut Pipe) -> io::Result<Incoming<T>> {
    Ok(match pipe.receive()? {
        Received::Message { octets: IN_MEMORY, descriptors } => {
            let mut descriptors = descriptors.into_iter();
            let octets = read(descriptors.next())?;
            Incoming::Message(decode(&octets)?, descriptors.next())
        }
        Received::Message { octets, descriptors } => Incoming::Message(decode(octets)?, descriptors.into_iter().next()),
        Received::Nothing => Incoming::Nothing,
        Received::Closed => Incoming::Closed,
    })
}

/// Reads what came in memory beside a message.
///
/// # Errors
/// Nothing came, or it is not what it should be.
pub fn content<C: DeserializeOwned>(memory: Option<OwnedFd>) -> io::Result<C> {
    let memory = memory.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a message without its memory"))?;
    let sealed = Sealed::open(memory, LARGEST_MEMORY)?;
    // for one text at a time; what is not needed of it is never touched
    let mut room = vec![0; sealed.length()];
    let read = postcard::from_io((BufReader::new(sealed), &mut room));
    read.map(|(content, _)| content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn read(memory: Option<OwnedFd>) -> io::Result<Vec<u8>> {
    let memory = memory.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a message without its memory"))?;
    let mut octets = Vec::new();
    Sealed::open(memory, LARGEST_MEMORY)?.read_to_end(&mut octets)?;
    Ok(octets)
}

/// A message as it is sent.
///
/// # Errors
/// It cannot be written, which is a fault of ours.
pub fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(io::Error::other)
}

fn decode<T: DeserializeOwned>(octets: &[u8]) -> io::Result<T> {
    postcard::from_bytes(octets).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
