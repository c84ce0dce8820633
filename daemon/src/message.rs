//! Messages between the processes: one set of enums, encoded with postcard, over packet sockets. Large contents go through sealed memory
//! beside the message.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, BufReader, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use keepalived_config::model::{Config, Origin, ProbeTarget, Script};
use keepalived_core::bfd::Standing;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerState};
use keepalived_kernel::ipvs::{Expiry, Timeouts};
use keepalived_kernel::pipe::{self, Pipe, Received, Sealed};
use keepalived_kernel::process::{self, Account};
use keepalived_state::{BalanceChange, BfdChange, Record, VrrpChange};
use keepalived_surface::request::Change;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checker::Unfinished;
use crate::local_service::LocalService;
use crate::log::Destinations;
use crate::role::Role;
use crate::secrets::Secrets;
use crate::seen::Seen;
use crate::vrrp::BorrowedSettings;
use keepalived_config::InstanceKey;

/// Number of the descriptor of a child's connection to the supervisor.
pub const SUPERVISOR: RawFd = 3;

/// The most octets that are read from memory of another process of ours.
const LARGEST_MEMORY: usize = 256 * 1024 * 1024;

/// From the supervisor to one of its children.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToChild {
    /// The first message; [`Startup`] comes in memory.
    Start,
    /// A configuration that has been validated; it comes in memory.
    Reload,
    /// A question whether the child lives; it answers with the number.
    Hello(u64),
    /// Send all changes of the view that wait, and fresh numbers; then [`Changes::fresh`].
    Refresh(AfterTelling),
    /// To the vrrp process: announce the addresses of the instance of this name to their neighbours, if it is MASTER.
    Announce(String),
    /// The connection to the process of this role; its descriptor comes along. It replaces the connection to a process before it.
    Peer(Role),
    /// To the observer: what the supervisor sees. [`Seen::Whole`] has the snapshot in memory.
    Seen(Seen),
    /// To the observer: the socket of this door, which listens; its descriptor comes along. It replaces the one before it.
    Door(Door),
    /// To the observer: the text of the configuration that is in force comes along, without secrets. None if it cannot be had.
    Text,
    /// To the observer: what stands in files that it cannot read. [`ToChild::Reload`] follows.
    Secrets(Secrets),
    /// To the observer: the answer to [`FromChild::Connect`]. The socket comes along, with the user that it was connected as; else why there
    /// is none.
    Connected(LocalService, Result<u32, String>),
    /// To the runner: the supervisor orders programs by a connection whose descriptor comes along.
    Orders,
    /// To the runner: the roster of programs that the supervisor ends if the runner dies; its memory comes along.
    Roster,
    /// End in good order.
    Stop,
}

/// Where the observer is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Door {
    /// `control_socket`
    Control,
    /// `metrics_listen`
    Http,
}

/// What happens to counters that have been sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AfterTelling {
    /// They go on.
    KeepCounters,
    /// They begin at zero.
    ClearCounters,
}

/// The contents of [`ToChild::Start`]. The supervisor lends its configuration, the child gets its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Startup<C = Config> {
    /// The child's share of the configuration.
    pub config: C,
    /// Instances that were master when the vrrp process before this one died.
    pub masters: BTreeSet<InstanceKey>,
    /// Results of the trackers of the vrrp process before this one.
    pub trackers: BTreeMap<TrackerId, TrackerState>,
    /// Whether the process before this one died. Then nothing is delayed, and this one takes over what is in the kernel.
    pub resumes: bool,
    /// How long it stands by before it begins (vrrp process only). Meanwhile it acts if the supervisor dies.
    pub stands_by: Duration,
    /// How the sessions of the bfd process before this one stood.
    pub sessions: BTreeMap<String, SessionStanding>,
    /// Where the bfd process writes how its sessions stand, for another daemon.
    pub sessions_file: Option<PathBuf>,
    /// What the process before this one would have undone at its end.
    pub cleanup: Cleanup,
    /// The user of scripts that name none.
    pub script_default: ScriptDefault,
    /// Where to log to.
    pub log: Destinations,
    /// What stands in files that the observer cannot read (observer only).
    pub secrets: Secrets,
    /// `-V`
    pub keep_addresses: bool,
    /// `-I`
    pub keep_services: bool,
}

/// The user of scripts that name none. It is looked up once, before anything starts: a user that is removed later, or a name service
/// that fails, must not turn it into root.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ScriptDefault {
    /// The user `keepalived_script`.
    User(Account),
    /// The daemon's user: there is no such user.
    Ours,
    /// It could not be looked up. Such scripts are not run.
    Unknown,
}

impl ScriptDefault {
    /// Looks it up.
    pub fn look() -> Self {
        match process::find_user("keepalived_script") {
            Ok(Some(account)) => Self::User(account),
            Ok(None) => Self::Ours,
            Err(error) => {
                tracing::warn!(
                    "cannot look up the user keepalived_script ({error}): scripts without a user are not run"
                );
                Self::Unknown
            }
        }
    }
}

/// What a process undoes at its end: the checker process outside of the load balancer's table, and what it still has to remove from the table. The
/// supervisor remembers it for the next process if this one dies.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Cleanup {
    /// The kernel's timeouts of connections before `lvs_timeouts`.
    pub timeouts: Option<Timeouts>,
    /// The kernel's settings before `lvs_expire_failed`.
    pub expiry: Option<Expiry>,
    /// Named pipes that it made.
    pub pipes: BTreeSet<PathBuf>,
    /// Entries that it still has to remove from the table.
    pub unfinished: Unfinished,
    /// Settings of links before the vrrp process changed them.
    pub settings: BorrowedSettings,
}

/// Records in one message: even with the longest names and causes they fit into a packet.
pub const MOST_RECORDS: usize = 50;

/// From a child to the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromChild {
    /// It stands by until it may begin.
    StandsBy,
    /// It could not take the connection to that process: it wants another.
    NotMet(Role),
    /// It runs.
    Ready,
    /// It applied the configuration.
    Reloaded,
    /// It could not take the configuration, for this reason, and goes on with the old one.
    NotReloaded(String),
    /// The answer to [`ToChild::Hello`].
    Hello(u64),
    /// Transitions of instances, in this order; at most [`MOST_RECORDS`].
    Transitions(Vec<(InstanceKey, Record)>),
    /// Other records, in this order; at most [`MOST_RECORDS`].
    Happened(Vec<Record>),
    /// The result of a tracker.
    Tracked(TrackerId, TrackerState),
    /// How BFD sessions stand, by name; `None` for those that are gone.
    Sessions(Vec<(String, Option<SessionStanding>)>),
    /// What it undoes at its end from now on.
    Cleanup(Cleanup),
    /// Changes of the view of virtual routers.
    VrrpChanges(Changes<VrrpChange>),
    /// Changes of the view of load balancing.
    BalanceChanges(Changes<BalanceChange>),
    /// Changes of the view of BFD sessions.
    BfdChanges(Changes<BfdChange>),
    /// The observer passes on what was asked for by one who may; [`Seen::Answered`] has the number again.
    Change {
        /// Of the request.
        number: u64,
        /// What to do.
        change: Change,
        /// Who asked.
        who: String,
    },
    /// The observer wants fresh numbers of this process; [`Seen::Fresh`] says when it has them.
    Refresh(Role),
    /// The observer wants a connection to this program of the machine; [`ToChild::Connected`] answers.
    Connect(LocalService),
    /// It got a signal that is for the supervisor.
    Signal(i32),
    /// It cannot run, and ends with this status.
    CannotRun(String),
}

/// What a bfd process after this one needs to go on with a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionStanding {
    /// Of the protocol.
    pub standing: Standing,
    /// The port that it sends from: it stays the same while the session lasts (RFC 5881 §4).
    pub source_port: Option<u16>,
    /// The last result that followers were told.
    pub is_up: bool,
}

/// From the bfd process to those that follow sessions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionResult {
    /// The name of its `bfd_instance`.
    pub session: String,
    /// Whether the path is good.
    pub is_up: bool,
    /// Why, in words.
    pub why: String,
}

/// To the prober: ask once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProbeOrder {
    /// Names it in the answer.
    pub id: u64,
    /// What.
    pub target: ProbeTarget,
    /// From where.
    pub origin: Option<Origin>,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// From the prober: what came of a question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProbeEnded {
    /// As in the order.
    pub id: u64,
    /// The answer.
    pub result: ProbeResult,
}

/// The answer to a probe.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ProbeResult {
    /// A good one.
    Passed,
    /// None, or a bad one, for this reason.
    Failed(String),
    /// This machine could not ask, for this reason: it says nothing about the other.
    Unknown(String),
}

/// To the runner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Run a program.
    Run(Order),
    /// End a program.
    End {
        /// As in its order.
        id: u64,
        /// How long it may take to end by itself before the runner asks it to.
        within: Duration,
    },
}

/// A program to run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Names it in the answer.
    pub id: u64,
    /// The program.
    pub script: Script,
    /// Arguments after its own.
    pub extra: Vec<String>,
    /// Variables beside those of the daemon.
    pub environment: Vec<(String, String)>,
    /// How long it may run.
    pub lives: Lives,
    /// The subject, if it is a notification. Of notifications about one subject that wait, only the last one runs.
    pub about: String,
}

/// How long a program may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Lives {
    /// Without a limit, even if the process that ordered it is gone.
    Freely,
    /// For this time.
    AtMost(Duration),
    /// Until [`Request::End`], or until the process that ordered it is gone.
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
    /// By a signal that we did not send.
    Signal(i32),
    /// Its time was over.
    TimedOut,
    /// It could not be run: where the fault lies, and the reason.
    NotRun(Blame, String),
}

/// Where the fault lies if a program could not be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Blame {
    /// With the program: it is missing, may not be executed, or is no program.
    Program,
    /// With this machine: no processes, descriptors or memory left, an unknown user, no runner. It says nothing about the result of the
    /// program.
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

/// Some changes of a view, in one message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Changes<C> {
    /// The changes, in this order.
    pub changes: Vec<C>,
    /// The mark: with these, the follower has everything that it asked for.
    pub fresh: bool,
}

/// The result of a receive.
#[derive(Debug)]
pub enum Incoming<T> {
    /// A message and the memory beside it.
    Message(T, Option<OwnedFd>),
    /// No message now.
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

/// Stands for a message that itself comes in memory, as the first descriptor. No encoded message looks like this: no enum of ours has that
/// many variants.
const IN_MEMORY: &[u8] = &[0xff];

/// Memory with `content`, to be sent beside a message.
///
/// # Errors
/// Out of memory or descriptors.
pub fn memory<C: Serialize>(content: &C) -> io::Result<OwnedFd> {
    // written while it is encoded: a large configuration would need its memory twice
    pipe::memory("keepalived", |writer| {
        postcard::to_io(content, writer).map_err(io::Error::other)?;
        Ok(())
    })
}

/// Takes the next message.
///
/// # Errors
/// The message cannot be decoded, or the socket is broken.
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
/// No memory came, or its contents cannot be decoded.
pub fn content<C: DeserializeOwned>(memory: Option<OwnedFd>) -> io::Result<C> {
    let memory = memory.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a message without its memory"))?;
    let sealed = Sealed::open(memory, LARGEST_MEMORY)?;
    // room for one text at a time; pages that are not needed are never touched
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

/// Encodes a message.
///
/// # Errors
/// It cannot be encoded, which is a fault of ours.
pub fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(io::Error::other)
}

fn decode<T: DeserializeOwned>(octets: &[u8]) -> io::Result<T> {
    postcard::from_bytes(octets).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
