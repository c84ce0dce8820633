//! What the processes say to each other: one set of enums, encoded with postcard over a packet socket. What may be large
//! goes through sealed memory beside the message.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use keepalived_config::model::Config;
use keepalived_kernel::pipe::{self, Pipe, Received};
use keepalived_state::Record;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::log::Destinations;
use keepalived_config::InstanceKey;

/// Octets of memory that are accepted from another process of ours.
const LARGEST_MEMORY: usize = 256 * 1024 * 1024;

/// From the supervisor to the vrrp process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToVrrp {
    /// The first message; [`Startup`] comes in memory.
    Start,
    /// A configuration that has been validated; it comes in memory.
    Reload,
    /// Are you there?
    Hello(u64),
    /// Send a `Snapshot`.
    Report,
    /// Forget what was counted.
    ClearCounters,
    /// Say farewell and end.
    Stop,
}

/// What the vrrp process is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Startup {
    /// What to run.
    pub config: Config,
    /// Instances that were master when the process before this one died.
    pub masters: BTreeSet<InstanceKey>,
    /// Whether the process before this one died: then nothing is delayed.
    pub resumes: bool,
    /// Where to log to.
    pub log: Destinations,
    /// `-V`
    pub keep_addresses: bool,
}

/// Transitions in one message: even with the longest names and causes they fit a packet.
pub const MOST_RECORDS: usize = 50;

/// From the vrrp process to the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromVrrp {
    /// It runs.
    Ready,
    /// It applied the configuration.
    Reloaded,
    /// I am here.
    Hello(u64),
    /// Instances changed their states, in this order; at most [`MOST_RECORDS`].
    Transitions(Vec<(InstanceKey, Record)>),
    /// A `Snapshot` comes in memory.
    Snapshot,
    /// It got a signal that is for the supervisor.
    Signal(i32),
    /// It cannot run, and ends with this status.
    CannotRun(String),
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

/// Sends a message.
///
/// # Errors
/// As [`Pipe::send`].
pub fn send<T: Serialize>(pipe: &Pipe, message: &T) -> io::Result<()> {
    pipe.send(&encode(message)?, &[])
}

/// Sends a message with `content` in memory beside it.
///
/// # Errors
/// As [`Pipe::send`].
pub fn send_with<T: Serialize, C: Serialize>(pipe: &Pipe, message: &T, content: &C) -> io::Result<()> {
    let memory = pipe::memory("keepalived", &encode(content)?)?;
    pipe.send(&encode(message)?, &[memory.as_fd()])
}

/// Takes the next message.
///
/// # Errors
/// A message that is none of ours, or a broken socket.
pub fn receive<T: DeserializeOwned>(pipe: &mut Pipe) -> io::Result<Incoming<T>> {
    Ok(match pipe.receive()? {
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
    decode(&pipe::read_memory(memory, LARGEST_MEMORY)?)
}

fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(io::Error::other)
}

fn decode<T: DeserializeOwned>(octets: &[u8]) -> io::Result<T> {
    postcard::from_bytes(octets).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
