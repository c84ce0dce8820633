//! A child process as the supervisor sees it.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use keepalived_config::model::Config;
use keepalived_core::time::Instant;
use keepalived_kernel::pipe;
use keepalived_kernel::process::{self, Child, Exit, Launch, Pid};
use keepalived_kernel::reactor;
use keepalived_kernel::signal::Signal;

use super::liveness::{Liveness, Next};
use crate::cli::Options;
use crate::connection::Connection;
use crate::message::{FromChild, Incoming, SUPERVISOR, Startup, ToChild};
use crate::role::Role;

/// A running child.
#[derive(Debug)]
pub(super) struct Worker {
    role: Role,
    child: Child,
    connection: Connection,
    /// It runs.
    pub(super) ready: bool,
    /// It was killed.
    killed: bool,
    /// It was started to stand by.
    is_standby: bool,
    /// It stands by.
    pub(super) stands_by: bool,
    /// When it begins.
    begins_at: Instant,
    liveness: Liveness,
    /// It has a new configuration and has not applied it yet.
    pub(super) reloading: bool,
}

impl Worker {
    /// Starts this program again as `role`. It keeps the console only in the foreground: a reader that waits for the end of a daemon's
    /// output would wait for ever. `interval` is that of the questions whether it lives.
    pub(super) fn start(
        role: Role,
        startup: &Startup<&Config>,
        options: &Options,
        interval: Duration,
    ) -> io::Result<Self> {
        let (ours, theirs) = pipe::pair()?;
        let mut descriptors = vec![(theirs.into_descriptor(), SUPERVISOR)];
        if !options.foreground {
            for number in 0..=2 {
                let nowhere = keepalived_kernel::files::nowhere()?;
                descriptors.push((nowhere.into(), number));
            }
        }
        let child = process::spawn(&Launch {
            program: "/proc/self/exe".into(),
            arguments: vec![
                "keepalived".into(),
                role.argument().into(),
                OsString::from(process::own_pid().to_string()),
            ],
            environment: std::env::vars_os().filter(|(name, _)| name != "NOTIFY_SOCKET").collect(),
            descriptors,
        })?;
        let mut connection = Connection::new(ours);
        connection.say_with(&ToChild::Start, startup)?;
        let now = reactor::now();
        let liveness = Liveness::new(now, interval);
        let begins_at = now + startup.stands_by;
        Ok(Self {
            role,
            child,
            connection,
            ready: false,
            killed: false,
            is_standby: !startup.stands_by.is_zero(),
            stands_by: false,
            begins_at,
            liveness,
            reloading: false,
        })
    }

    /// When [`Worker::hello`] is due.
    pub(super) const fn hello_at(&self) -> Instant {
        self.liveness.next_at()
    }

    /// Sets how often it is asked whether it lives.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.liveness.set_interval(interval);
    }

    /// When it started, or will begin after it stood by.
    pub(super) const fn begins_at(&self) -> Instant {
        self.begins_at
    }

    /// Whether it does its work, or will in a moment. One that stands by never had what a reload takes away.
    pub(super) const fn is_at_work(&self) -> bool {
        self.ready || !self.is_standby
    }

    /// Whether it got as far as its own code. Another one may start at once then.
    pub(super) const fn has_lived(&self) -> bool {
        self.ready || self.stands_by
    }

    /// Asks whether it lives. False if it has not answered for too long.
    pub(super) fn hello(&mut self, now: Instant) -> bool {
        // a router that is silent for that long has lost its addresses to others, whatever it is busy with
        let reloads = self.reloading && self.role != Role::Vrrp;
        let waits = self.stands_by && now < self.begins_at;
        let busy = (!self.ready && !waits) || reloads;
        match self.liveness.next(now, busy) {
            Next::Ask(number) => {
                self.connection.say(&ToChild::Hello(number));
                true
            }
            Next::Wait => true,
            Next::GiveUp => false,
        }
    }

    /// If a question was open when it ended: until when it worked for certain.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.liveness.stuck_since()
    }

    /// Notes its answer.
    pub(super) fn answered(&mut self, number: u64) {
        self.liveness.answered(number);
    }

    /// Notes that it runs.
    pub(super) fn has_started(&mut self, now: Instant) {
        self.ready = true;
        self.liveness.sign_of_life(now);
    }

    /// Notes that it applied the configuration.
    pub(super) fn has_reloaded(&mut self, now: Instant) {
        self.reloading = false;
        self.liveness.sign_of_life(now);
    }

    /// Its next message.
    pub(super) fn receive(&mut self) -> io::Result<Incoming<FromChild>> {
        self.connection.hear()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> io::Result<Option<Exit>> {
        self.child.try_wait()
    }

    /// Asks it to stop.
    pub(super) fn stop(&mut self) {
        self.connection.say(&ToChild::Stop);
    }

    /// Kills it. True the first time: a process that waits for a device ends only when that answers.
    pub(super) fn kill(&mut self) -> bool {
        self.signal(Signal::KILL);
        !std::mem::replace(&mut self.killed, true)
    }

    fn signal(&self, signal: Signal) {
        if let Err(error) = self.child.signal(signal) {
            tracing::error!("cannot send {signal} to the {} process: {error}", self.role);
        }
    }

    /// When to send it what it did not take.
    pub(super) fn catch_up_at(&self, now: Instant) -> Option<Instant> {
        self.connection.next_at(now)
    }

    /// The connection to it.
    pub(super) const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) const fn child(&self) -> &Child {
        &self.child
    }

    pub(super) const fn role(&self) -> Role {
        self.role
    }

    pub(super) fn pid(&self) -> Pid {
        self.child.pid()
    }
}
