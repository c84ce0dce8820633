//! Common to all children of the supervisor: start, messages, signals.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use keepalived_kernel::pipe::Pipe;
use keepalived_kernel::process;
use keepalived_kernel::reactor::{self, Interest, Reactor, Token};
use keepalived_kernel::shortage::{is_shortage, too_many, with_text};
use keepalived_kernel::signal::Signal;

use crate::connection::Connection;
use crate::exit;
use crate::message::{self, FromChild, Incoming, SUPERVISOR, Startup, ToChild};

/// The reactor's token of the pipe to the supervisor.
pub const FROM_SUPERVISOR: Token = Token(0);

/// How long the first message may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a child cannot do its work.
#[derive(Debug)]
pub struct NotStarted {
    /// Its exit status.
    pub status: u8,
    /// For the administrator; empty if there is nothing to tell.
    pub reason: String,
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        let status = match error.kind() {
            io::ErrorKind::PermissionDenied => exit::NO_PERMISSION,
            _ if is_shortage(&error) => exit::SHORT,
            _ => exit::FATAL,
        };
        Self { status, reason: error.to_string() }
    }
}

/// What ends a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It was told to.
    Stop,
    /// The supervisor is gone.
    SupervisorGone,
}

/// Runs a child: `begin` makes it from the first message of the supervisor, `run` runs it and returns its exit status.
pub fn run<C>(
    begin: impl FnOnce(Startup, Reactor, Connection) -> Result<C, NotStarted>,
    run: impl FnOnce(&mut C) -> u8,
) -> u8 {
    process::map_large_buffers();
    let started = connect().and_then(|(mut reactor, mut pipe)| {
        let startup = first_message(&mut reactor, &mut pipe)?;
        // for an error: the child owns the other end from now on
        let mut voice = Connection::new(pipe.try_clone()?);
        begin(startup, reactor, Connection::new(pipe)).inspect_err(|refused| {
            if !refused.reason.is_empty() {
                voice.say(&FromChild::CannotRun(refused.reason.clone()));
            }
        })
    });
    match started {
        Ok(mut child) => run(&mut child),
        Err(NotStarted { status, .. }) => status,
    }
}

fn connect() -> Result<(Reactor, Pipe), NotStarted> {
    let parent = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(0);
    let signals = [Signal::TERM, Signal::INT, Signal::HUP, Signal::USR1, Signal::USR2];
    let real_time = [Signal::before_rt_max(1), Signal::after_rt_min(2)].into_iter().flatten();
    let signals: Vec<Signal> = signals.into_iter().chain(real_time).collect();
    // from here on signals are read and do not kill: the one for the death of the parent may come at any time
    let mut reactor = Reactor::new(&signals)?;
    // begins even if the parent is gone already: it has to remove what its predecessor left in the kernel
    process::die_with_parent(process::Pid(parent))?;
    let pipe = Pipe::from_descriptor(process::inherited(SUPERVISOR)?)?;
    reactor.register(&pipe, FROM_SUPERVISOR, Interest::Read)?;
    Ok((reactor, pipe))
}

fn first_message(reactor: &mut Reactor, pipe: &mut Pipe) -> io::Result<Startup> {
    let deadline = reactor::now() + PATIENCE;
    let mut ready = Vec::new();
    loop {
        match message::receive(pipe)? {
            Incoming::Message(ToChild::Start, memory) => return message::content(memory),
            Incoming::Message(other, _) => return Err(io::Error::other(format!("{other:?} before Start"))),
            Incoming::Closed => return Err(io::ErrorKind::BrokenPipe.into()),
            Incoming::Nothing => {}
        }
        if reactor::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        reactor.wait(Some(deadline), &mut ready)?;
    }
}

/// Gives `take` each message of the supervisor that has come, with the descriptor that came with it. Greetings are answered here. Returns
/// how the process ends, if it does; a message that it cannot take is in the log.
pub fn listen<P>(
    process: &mut P,
    supervisor: impl Fn(&mut P) -> &mut Connection,
    mut take: impl FnMut(&mut P, ToChild, Option<OwnedFd>) -> io::Result<()>,
) -> Option<End> {
    loop {
        match hear(supervisor(process)) {
            Ok(None) => return None,
            Ok(Some((ToChild::Stop, _))) => return Some(End::Stop),
            Ok(Some((ToChild::Hello(number), _))) => supervisor(process).say(&FromChild::Hello(number)),
            Ok(Some((message, descriptor))) => {
                let peer = if let ToChild::Peer(role) = message { Some(role) } else { None };
                if let Err(error) = take(process, message, descriptor) {
                    tracing::error!("message from the supervisor: {error}");
                    if let Some(role) = peer {
                        supervisor(process).say(&FromChild::NotMet(role));
                    }
                }
            }
            Err(end) => return Some(end),
        }
    }
}

/// Tells the supervisor what became of a reload: it reads no other configuration before it has an answer.
pub fn answer_reload(supervisor: &mut Connection, reloaded: io::Result<()>) {
    supervisor.say(&match reloaded {
        Ok(()) => FromChild::Reloaded,
        Err(error) => FromChild::NotReloaded(error.to_string()),
    });
}

/// Another process, which speaks at the descriptor that came with [`ToChild::Peer`].
///
/// # Errors
/// There is none, or it is no socket.
pub fn peer(descriptor: Option<OwnedFd>) -> io::Result<Connection> {
    // it is missing if there was no room for it
    Pipe::from_descriptor(descriptor.ok_or_else(too_many)?).map(Connection::new)
}

/// The next message of the supervisor, and the descriptor that came with it; `None` if there is none now.
///
/// # Errors
/// The supervisor is gone, or its message cannot be read.
pub fn hear(supervisor: &mut Connection) -> Result<Option<(ToChild, Option<OwnedFd>)>, End> {
    match supervisor.hear() {
        Ok(Incoming::Nothing) => Ok(None),
        Ok(Incoming::Message(message, descriptor)) => Ok(Some((message, descriptor))),
        Ok(Incoming::Closed) => {
            tracing::warn!("the supervisor is gone; stopping");
            Err(End::SupervisorGone)
        }
        Err(error) => {
            tracing::error!("message from the supervisor: {error}; stopping");
            Err(End::SupervisorGone)
        }
    }
}

/// Handles a signal to the child: passes most of them on to the supervisor.
pub fn on_signal(signal: Signal, supervisor: &mut Connection) -> Option<End> {
    match signal {
        // the terminal and systemd send it to every process, and the supervisor decides. If that is gone, the pipe is closed
        Signal::TERM | Signal::INT => None,
        signal => {
            supervisor.say_once(&FromChild::Signal(signal.number()));
            None
        }
    }
}

/// `error` of a socket that a child needs, with what an administrator can do about it.
pub fn cannot_open(what: &str, error: io::Error) -> io::Error {
    let advice = if error.kind() == io::ErrorKind::PermissionDenied {
        "; run keepalived as root or with CAP_NET_ADMIN and CAP_NET_RAW"
    } else {
        ""
    };
    with_text(&error, format!("cannot open {what}: {error}{advice}"))
}

/// Sets the name of this process that the configuration gives.
pub fn name(name: Option<&str>) {
    if let Err(error) = process::set_name(name.unwrap_or("keepalived")) {
        tracing::warn!("process name: {error}");
    }
}
