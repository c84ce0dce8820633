//! The scripts that run before all other children and after them: `startup_script` and `shutdown_script`. The runner runs them.
//!
//! As with keepalived 2.2.7 (observed): what the startup script says changes nothing, and neither does its timeout; a stop while it runs
//! does not wait for it; the shutdown script follows the last notification.

use std::time::Duration;

use keepalived_config::model::{Config, Script};
use keepalived_core::time::Instant;
use keepalived_kernel::pipe;
use keepalived_kernel::process::Roster;
use keepalived_kernel::reactor::{self, Interest, Token};
use sd_notify::NotifyState;

use super::children::Begins;
use super::{Supervisor, notify};
use crate::connection::Connection;
use crate::message::{HowEnded, ToChild};
use crate::programs::{OrderId, Programs, patience};
use crate::role::Role;

/// The reactor's token of the runner's answers.
pub(super) const ANSWERS: Token = Token(u64::MAX / 2 + 1);

/// How long the startup script may take to end when a stop comes: the runner kills it after a second.
const TO_QUIT: Duration = Duration::from_secs(3);

/// The scripts of the supervisor, and what the runner is told of them.
#[derive(Debug)]
pub(super) struct OwnScripts {
    programs: Programs,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The startup script runs, or is about to.
    Starts(Running),
    /// A stop came while it ran, and it was asked to end: that much time it has.
    Quits(OrderId, Instant),
    /// It has ended, or there is none.
    Works,
    /// The shutdown script runs.
    Stops(Running),
    /// It has ended, or there is none.
    Over,
}

/// A script that was ordered.
#[derive(Debug)]
struct Running {
    order: OrderId,
    keyword: &'static str,
    name: String,
    limit: Duration,
    begun: Instant,
}

impl OwnScripts {
    /// Orders the startup script; it runs once there is a runner.
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let mut programs = Programs::default();
        let scripts = &config.global.scripts;
        let phase = scripts.startup.as_ref().map_or(Phase::Works, |script| {
            Phase::Starts(begin(&mut programs, "startup_script", script, scripts.startup_timeout, now))
        });
        Self { programs, phase }
    }

    /// Whether the children other than the runner may start.
    pub(super) const fn has_started(&self) -> bool {
        !matches!(self.phase, Phase::Starts(_))
    }

    /// Connects to a new runner.
    fn connect(&mut self, runner: Connection) {
        self.programs.connect(runner);
    }

    /// When to call [`Supervisor::look_at_own_scripts`].
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        const CATCH_UP: Duration = Duration::from_millis(20);
        let behind = self.programs.is_behind().then(|| now + CATCH_UP);
        let running = match &self.phase {
            Phase::Starts(running) | Phase::Stops(running) => Some(running.begun + patience(running.limit)),
            Phase::Quits(_, until) => Some(*until),
            Phase::Works | Phase::Over => None,
        };
        behind.into_iter().chain(running).min()
    }

    /// A stop: ends the startup script.
    fn hurry(&mut self, now: Instant) {
        if let Phase::Starts(running) = &self.phase {
            let order = running.order;
            self.phase = Phase::Quits(order, now + TO_QUIT);
            self.programs.end(order, Duration::ZERO);
        }
    }

    /// Whether the shutdown script has still to be ordered.
    const fn owes_shutdown(&self, config: &Config) -> bool {
        matches!(self.phase, Phase::Starts(_) | Phase::Works) && config.global.scripts.shutdown.is_some()
    }

    /// Orders the shutdown script, once, after the startup script has ended. Returns how long what runs may take.
    fn shut_down(&mut self, config: &Config, now: Instant) -> Option<Duration> {
        if let Phase::Quits(..) = self.phase {
            return Some(TO_QUIT);
        }
        let scripts = &config.global.scripts;
        if let Phase::Starts(_) | Phase::Works = self.phase {
            self.phase = scripts.shutdown.as_ref().map_or(Phase::Over, |script| {
                let limit = scripts.shutdown_timeout;
                Phase::Stops(begin(&mut self.programs, "shutdown_script", script, limit, now))
            });
        }
        match &self.phase {
            Phase::Stops(running) => Some(patience(running.limit)),
            _ => None,
        }
    }
}

fn begin(programs: &mut Programs, keyword: &'static str, script: &Script, limit: Duration, begun: Instant) -> Running {
    let name = script.argv.first().cloned().unwrap_or_default();
    tracing::info!("Running {keyword} {name}");
    // systemd waits for it
    let micros = u32::try_from(patience(limit).as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::ExtendTimeoutUsec(micros)]);
    Running { order: programs.run(script, limit, begun), keyword, name, limit, begun }
}

impl Running {
    /// Says how it ended.
    fn tell(&self, how: &HowEnded, now: Instant) {
        let Self { keyword, name, limit, begun, .. } = self;
        let lasted = now.since(*begun).as_secs_f64();
        match how {
            HowEnded::Status(0) => tracing::info!("{keyword} {name} succeeded after {lasted:.1} s"),
            HowEnded::TimedOut => {
                tracing::warn!("{keyword} {name} was ended: it ran for {} s ({keyword}_timeout)", limit.as_secs());
            }
            how => tracing::warn!("{keyword} {name} {how} after {lasted:.1} s"),
        }
    }
}

impl Supervisor {
    /// Gives a new runner a connection by which we order programs.
    pub(super) fn connect_runner(&mut self) {
        let Some(worker) = self.worker_mut(Role::Runner) else { return };
        match pipe::pair() {
            Ok((ours, theirs)) => {
                worker.connection().hand_over(&ToChild::Orders, theirs.into_descriptor());
                if let Err(error) = self.reactor.register(&ours, ANSWERS, Interest::Read) {
                    tracing::error!("cannot watch the connection to the runner: {error}");
                }
                self.own_scripts.connect(Connection::new(ours));
            }
            // the script counts as lost in the end
            Err(error) => tracing::error!("cannot connect to the runner: {error}"),
        }
    }

    /// Gives a new runner the roster of the programs that we end if it dies.
    pub(super) fn share_roster(&mut self) {
        let shared = Roster::new().and_then(|roster| roster.share().map(|memory| (roster, memory)));
        match shared {
            Ok((roster, memory)) => {
                self.roster = Some(roster);
                if let Some(worker) = self.worker_mut(Role::Runner) {
                    worker.connection().hand_over(&ToChild::Roster, memory);
                }
            }
            // what a script has started goes on if the runner is killed
            Err(error) => tracing::error!("no memory for the programs of the runner: {error}"),
        }
    }

    /// The runner has died: ends what the programs have started that ended with it.
    pub(super) fn end_programs(&mut self) {
        if let Some(Err(error)) = self.roster.take().map(|roster| roster.end_orphans()) {
            tracing::error!("what the programs of the runner have started may go on: {error}");
        }
    }

    /// Hears what the runner says of our scripts, and goes on when one has ended.
    pub(super) fn look_at_own_scripts(&mut self, now: Instant) {
        self.own_scripts.programs.listen();
        self.own_scripts.programs.turn(now);
        for (order, how) in self.own_scripts.programs.ended() {
            match &self.own_scripts.phase {
                Phase::Starts(running) if running.order == order => {
                    running.tell(&how, now);
                    self.own_scripts.phase = Phase::Works;
                    self.start_children();
                    self.ready_if_all_are();
                }
                Phase::Quits(quits, _) if *quits == order => self.has_quit(),
                Phase::Stops(running) if running.order == order => {
                    running.tell(&how, now);
                    self.own_scripts.phase = Phase::Over;
                    if let Some(stopping) = &mut self.stopping {
                        stopping.kill_at = now + self.config.global.child_wait_time;
                    }
                    self.stop_the_runner();
                }
                _ => {}
            }
        }
        if let Phase::Quits(_, until) = self.own_scripts.phase
            && until <= now
        {
            self.has_quit();
        }
    }

    /// A stop begins: what starts does not go on.
    pub(super) fn hurry_startup(&mut self) {
        self.own_scripts.hurry(reactor::now());
    }

    /// The startup script has ended after a stop came, or does not end.
    fn has_quit(&mut self) {
        self.own_scripts.phase = Phase::Works;
        self.stop_the_runner();
    }

    /// All children but the runner have ended: runs the shutdown script. True while it runs.
    pub(super) fn is_shutting_down(&mut self) -> bool {
        let now = reactor::now();
        if self.worker(Role::Runner).is_none() {
            if self.own_scripts.owes_shutdown(&self.config) {
                self.start_worker(Role::Runner, Begins::After(Duration::ZERO), Duration::ZERO);
            }
            if self.worker(Role::Runner).is_none() {
                return false;
            }
        }
        let Some(limit) = self.own_scripts.shut_down(&self.config, now) else { return false };
        if let Some(stopping) = &mut self.stopping {
            // the others have ended: nothing but this script is waited for
            stopping.kill_at = stopping.kill_at.max(now + limit);
            stopping.leave_at = None;
        }
        true
    }
}
