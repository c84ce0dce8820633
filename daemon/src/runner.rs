//! The runner: runs programs for the other processes, as the users that the configuration says, and watches the time.
//!
//! It forks nothing but these programs. It keeps its capabilities: programs of root inherit them.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use keepalived_config::facts;
use keepalived_config::model::{Config, ScriptUser};
use keepalived_core::time::Instant;
use keepalived_kernel::process::{self, Account, Child, Entered, Exit, Orphaned, Program, Roster};
use keepalived_kernel::reactor::{self, Interest, Reactor, Ready, Token};
use keepalived_kernel::shortage::is_shortage;
use keepalived_kernel::signal::Signal;

use crate::child::{self, End, FROM_SUPERVISOR, NotStarted};
use crate::configuration;
use crate::connection::Connection;
use crate::exit;
use crate::log;
use crate::message::{
    self, Blame, Ended, FromChild, HowEnded, Incoming, Lives, Order, Request, ScriptDefault, Startup, ToChild,
};

/// How long a program that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// How long a notification may run that begins when the daemon stops. The supervisor kills us after `child_wait_time`; before that we
/// ask programs to end, and then kill them.
fn to_tell(child_wait_time: Duration) -> Duration {
    child_wait_time.saturating_sub(GRACE + GRACE).max(GRACE)
}

/// Variables that could make a program load or read other files (as keepalived).
const NOT_INHERITED: [&str; 3] = ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"];

mod command;
mod notices;
mod users;

pub use command::{CONNECTS, connect};
use notices::Notices;
use users::Users;

/// Runs the runner until it is told to stop; returns its exit status.
pub fn run() -> u8 {
    child::run(Runner::with, Runner::run)
}

struct Runner {
    supervisor: Connection,
    reactor: Reactor,
    config: Config,
    script_default: ScriptDefault,
    /// Users, each looked up when its first script ran.
    users: Users,
    environment: Vec<(OsString, OsString)>,
    /// Processes that order programs.
    clients: BTreeMap<Token, Connection>,
    running: HashMap<Token, Running>,
    /// Orders that wait for the ends of programs of a client that is gone.
    held: Vec<(Token, Order)>,
    notices: Notices,
    /// Programs that the supervisor ends if this process dies: it does not know of them otherwise, and what they have started would go on.
    roster: Option<Roster>,
    last_token: u64,
    _log: log::Guard,
}

struct Running {
    child: Child,
    client: Token,
    order: u64,
    lives: Lives,
    /// When to ask it to end; once it was asked, when to kill it.
    deadline: Option<Instant>,
    /// It was asked to end.
    asked: bool,
    about: String,
    begun: Instant,
    /// Where it stands in the roster: not if it may go on.
    entered: Option<Entered>,
}

impl Runner {
    fn with(startup: Startup, reactor: Reactor, supervisor: Connection) -> Result<Self, NotStarted> {
        child::name(startup.config.global.process_name.as_deref());
        let log = log::start_anyway(
            &startup.log,
            log::Speaker { ident: "Keepalived_runner", process: "runner", log: &startup.config.global.log },
        );
        let environment =
            std::env::vars_os().filter(|(name, _)| !NOT_INHERITED.iter().any(|not| name == not)).collect();
        Ok(Self {
            supervisor,
            reactor,
            config: startup.config,
            script_default: startup.script_default,
            users: Users::default(),
            environment,
            clients: BTreeMap::new(),
            running: HashMap::new(),
            held: Vec::new(),
            notices: Notices::default(),
            roster: None,
            last_token: FROM_SUPERVISOR.0,
            _log: log,
        })
    }

    fn run(&mut self) -> u8 {
        self.supervisor.say(&FromChild::Ready);
        let mut ready = Vec::new();
        loop {
            self.hurry(reactor::now());
            self.notify();
            ready.clear();
            let late = self.catch_up(reactor::now());
            let deadlines = self.running.values().filter_map(|running| running.deadline);
            let deadline = deadlines.chain(self.notices.deadline()).chain(late).min();
            if let Err(error) = self.reactor.wait(deadline, &mut ready) {
                tracing::error!("waiting failed: {error}");
                return exit::FATAL;
            }
            for ready in &ready {
                match ready {
                    Ready::Signal(signal) => {
                        if child::on_signal(*signal, &mut self.supervisor).is_some() {
                            return self.stop();
                        }
                    }
                    Ready::Descriptor { token: FROM_SUPERVISOR, .. } => {
                        if self.listen().is_some() {
                            return self.stop();
                        }
                    }
                    Ready::Descriptor { token, .. } if self.running.contains_key(token) => self.reap(*token),
                    Ready::Descriptor { token, .. } => self.take_orders(*token),
                    Ready::Deadline => {}
                }
            }
        }
    }

    fn listen(&mut self) -> Option<End> {
        child::listen(self, |runner| &mut runner.supervisor, Self::on_message)
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>) -> io::Result<()> {
        match message {
            ToChild::Reload => {
                let reloaded = message::content(descriptor).map(|config| {
                    self.config = config;
                    log::configure(&self.config.global.log);
                    self.users = Users::default();
                });
                child::answer_reload(&mut self.supervisor, reloaded);
            }
            ToChild::Peer(_) | ToChild::Orders => self.serve(child::peer(descriptor)?)?,
            ToChild::Roster => self.roster = descriptor.map(Roster::shared),
            ToChild::Hello(_)
            | ToChild::Stop
            | ToChild::Start
            | ToChild::Refresh(_)
            | ToChild::Announce(_)
            | ToChild::Seen(_)
            | ToChild::Door(_)
            | ToChild::Text
            | ToChild::Secrets(_)
            | ToChild::Connected(..) => {}
        }
        Ok(())
    }

    fn serve(&mut self, client: Connection) -> io::Result<()> {
        let token = self.token();
        self.reactor.register(&client, token, Interest::Read)?;
        self.clients.insert(token, client);
        Ok(())
    }

    fn token(&mut self) -> Token {
        self.last_token += 1;
        Token(self.last_token)
    }

    fn take_orders(&mut self, token: Token) {
        loop {
            let Some(client) = self.clients.get_mut(&token) else { return };
            match client.hear::<Request>() {
                Ok(Incoming::Message(Request::Run(order), _)) => self.accept(token, order),
                Ok(Incoming::Message(Request::End { id, within }, _)) => self.end(token, id, within),
                Ok(Incoming::Nothing) => return,
                gone => {
                    if let Err(error) = gone {
                        tracing::error!("cannot read an order: {error}");
                    }
                    self.forget(token);
                    return;
                }
            }
        }
    }

    /// A client is gone: ends programs that run while they are wanted. Notifications go on.
    fn forget(&mut self, client: Token) {
        if let Some(pipe) = self.clients.remove(&client) {
            self.reactor.deregister(&pipe).ok();
        }
        self.held.retain(|(of, _)| *of != client);
        let now = reactor::now();
        let its = self.running.values_mut().filter(|running| running.client == client && !running.asked);
        for running in its.filter(|running| running.lives == Lives::WhileWanted) {
            running.deadline.get_or_insert(now);
        }
    }

    /// Whether a program still runs that only a client wanted which is gone.
    fn has_orphans(&self) -> bool {
        let mut kept = self.running.values().filter(|running| running.lives == Lives::WhileWanted);
        kept.any(|running| !self.clients.contains_key(&running.client))
    }

    fn accept(&mut self, client: Token, order: Order) {
        if order.lives == Lives::Freely {
            let name = order.script.argv.first().cloned().unwrap_or_default();
            let about = order.about.clone();
            if let Some(running) = self.notices.push(client, order) {
                tracing::warn!("script {name}: {running} programs that tell of {about} still run; the last one waits");
            }
            for (client, id) in self.notices.displaced() {
                let how = HowEnded::NotRun(Blame::Machine, "a later one is run instead".to_owned());
                self.answer(client, Ended { id, how });
            }
            return;
        }
        // a new client may follow one that died: two readers at a time would share the lines
        if order.lives == Lives::WhileWanted && self.has_orphans() {
            self.held.push((client, order));
        } else {
            self.begin(client, order);
        }
    }

    fn end(&mut self, client: Token, id: u64, within: Duration) {
        if let Some(place) = self.held.iter().position(|(of, order)| *of == client && order.id == id) {
            self.held.remove(place);
            self.answer(client, Ended { id, how: HowEnded::TimedOut });
        }
        let now = reactor::now();
        for running in self.running.values_mut().filter(|running| running.client == client && running.order == id) {
            if !running.asked {
                running.deadline = Some(now + within);
            }
        }
    }

    /// Starts the notifications that may begin now.
    fn notify(&mut self) {
        let now = reactor::now();
        while let Some((client, order)) = self.notices.next(now) {
            let (name, about) = (order.script.argv.first().cloned().unwrap_or_default(), order.about.clone());
            match self.launch(client, &order, now) {
                Ok(()) if self.notices.started() => tracing::info!("scripts that notify are run again"),
                Ok(()) => {}
                Err(error) if is_shortage(&error) => {
                    if self.notices.postpone(client, order, now) {
                        tracing::warn!("script {name}: {error}; it waits, with {} others", self.notices.len() - 1);
                    }
                }
                Err(error) => {
                    tracing::error!("script {name}: {error}");
                    self.notices.ended(&about, now);
                    self.answer(client, Ended { id: order.id, how: HowEnded::not_run(&error) });
                }
            }
        }
    }

    fn begin(&mut self, client: Token, order: Order) {
        if let Err(error) = self.launch(client, &order, reactor::now()) {
            // the client gets the reason, and logs it when it matters: a check runs every few seconds
            tracing::debug!("script {}: {error}", order.script.argv.first().map(String::as_str).unwrap_or_default());
            self.answer(client, Ended { id: order.id, how: HowEnded::not_run(&error) });
        }
    }

    fn launch(&mut self, client: Token, order: &Order, begun: Instant) -> io::Result<()> {
        let child = process::start(&self.program(order)?)?;
        let token = self.token();
        if let Err(error) = self.reactor.register(&child, token, Interest::Read) {
            // without a descriptor we would not see its end, and it may be started again
            process::signal_group(&child, Signal::KILL).ok();
            return Err(error);
        }
        let deadline = match order.lives {
            Lives::AtMost(limit) => Some(begun + limit),
            Lives::Freely | Lives::WhileWanted => None,
        };
        let (id, lives, about) = (order.id, order.lives, order.about.clone());
        let roster = self.roster.as_mut().filter(|_| lives != Lives::Freely);
        // without memory for it, only what it has started goes on if this process dies
        let entered = roster.and_then(|roster| roster.enter(&child).ok());
        let running = Running { child, client, order: id, lives, deadline, asked: false, about, begun, entered };
        self.running.insert(token, running);
        Ok(())
    }

    fn program(&mut self, order: &Order) -> io::Result<Program> {
        let Order { script, extra, lives, .. } = order;
        let command = script.command().ok_or(io::ErrorKind::InvalidInput)?;
        let own = script.user.as_ref().map(|name| ScriptUser { name: name.clone(), group: script.group.clone() });
        let user = own.as_ref().or(self.config.global.scripts.user.as_ref());
        let with_all = self.config.global.scripts.supplementary_groups;
        let identity = self.users.identity(user, with_all, self.script_default)?;
        if let Some(file) = command::judged(command).filter(|_| self.config.global.scripts.security) {
            let runs = identity.as_ref().map_or(Account { uid: 0, gid: 0 }, |it| Account { uid: it.uid, gid: it.gid });
            judge(file, runs)?;
        }
        let (file, arguments) = command::executed(command, extra);
        // a check or a reader must not outlive this process, or it would run beside the one that the next runner starts
        let orphaned = if *lives == Lives::Freely { Orphaned::Asked } else { Orphaned::Killed };
        let ours = order.environment.iter().map(|(name, value)| (name.into(), value.into()));
        let environment = self.environment.iter().cloned().chain(ours).collect();
        Ok(Program { file: file.into(), arguments, environment, identity, orphaned })
    }

    fn reap(&mut self, token: Token) {
        let Some(running) = self.running.get(&token) else { return };
        let Ok(Some(ended)) = running.child.try_wait() else { return };
        let Some(mut running) = self.running.remove(&token) else { return };
        self.reactor.deregister(&running.child).ok();
        if let (Some(roster), Some(entered)) = (&mut self.roster, running.entered.take()) {
            roster.leave(entered);
        }
        if running.lives == Lives::Freely {
            self.notices.ended(&running.about, running.begun);
        }
        let how = match ended {
            _ if running.asked => HowEnded::TimedOut,
            Exit::Status(status) => HowEnded::Status(status),
            Exit::Signal(signal) => HowEnded::Signal(signal.number()),
        };
        self.answer(running.client, Ended { id: running.order, how });
        if !self.held.is_empty() && !self.has_orphans() {
            for (client, order) in std::mem::take(&mut self.held) {
                self.begin(client, order);
            }
        }
    }

    fn answer(&mut self, client: Token, ended: Ended) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.say(&ended);
        }
    }

    /// Sends what waits. Returns when to do so again.
    fn catch_up(&mut self, now: Instant) -> Option<Instant> {
        let connections = std::iter::once(&mut self.supervisor).chain(self.clients.values_mut());
        let late = connections.filter_map(|connection| {
            connection.catch_up();
            connection.next_at(now)
        });
        late.min()
    }

    /// Ends programs whose time is over: asks first, then kills.
    fn hurry(&mut self, now: Instant) {
        for running in self.running.values_mut().filter(|running| running.deadline.is_some_and(|at| at <= now)) {
            let signal = if running.asked { Signal::KILL } else { Signal::TERM };
            process::signal_group(&running.child, signal).ok();
            running.deadline = (!running.asked).then(|| now + GRACE);
            running.asked = true;
        }
    }

    /// Stops: ends checks, lets readers read the rest, and gives notifications their time.
    fn stop(&mut self) -> u8 {
        // the last orders
        for client in self.clients.keys().copied().collect::<Vec<_>>() {
            self.take_orders(client);
        }
        self.held.clear();
        self.notify();
        let now = reactor::now();
        let to_tell = to_tell(self.config.global.child_wait_time);
        for running in self.running.values_mut().filter(|running| !running.asked) {
            match running.lives {
                Lives::AtMost(_) => running.deadline = Some(now),
                Lives::WhileWanted => drop(running.deadline.get_or_insert(now)),
                // a program that has run for longer is no notification
                Lives::Freely => running.deadline = Some((running.begun + to_tell).max(now)),
            }
        }
        let end = now + to_tell + GRACE + GRACE;
        let mut ready = Vec::new();
        while !self.running.is_empty() && reactor::now() < end {
            self.hurry(reactor::now());
            ready.clear();
            let deadline = self.running.values().filter_map(|running| running.deadline).fold(end, Instant::min);
            if self.reactor.wait(Some(deadline), &mut ready).is_err() {
                break;
            }
            for ready in &ready {
                if let Ready::Descriptor { token, .. } = ready {
                    self.reap(*token);
                }
            }
        }
        for running in self.running.values() {
            process::signal_group(&running.child, Signal::KILL).ok();
        }
        exit::OK
    }
}

/// `enable_script_security`, at the moment of execution: a path that was safe, or missing, when the configuration was read may be unsafe
/// now. A path that only root can change stays the same until the program is executed. What root cannot run now is not executed: another
/// user could put a program there first.
fn judge(file: &str, runs: Account) -> io::Result<()> {
    let insecure = |what: &dyn std::fmt::Display| {
        let what = format!("not run (enable_script_security): {what}");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
    };
    match configuration::program(file, runs) {
        facts::Program::Insecure(weakness) => insecure(&weakness),
        facts::Program::Present => Ok(()),
        // execution says what is wrong, and nobody gains anything in between
        _ if runs.uid != 0 && runs.gid != 0 => Ok(()),
        // a program that cannot be examined is not run as root
        facts::Program::Unknown => insecure(&"it cannot be looked at"),
        facts::Program::Missing => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such program")),
        facts::Program::NoFile | facts::Program::NotExecutable | facts::Program::Unreachable(_) => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "it may not be executed"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn notifications_have_most_of_the_time_that_a_stop_may_take() {
        let check = |wait, expected| assert_eq!(to_tell(Duration::from_secs(wait)), Duration::from_secs(expected));
        // the usual child_wait_time
        check(5, 3);
        check(30, 28);
        check(0, 1);
    }

    #[test]
    fn a_script_is_judged_when_it_is_run_not_when_it_was_read() {
        const ROOT: Account = Account { uid: 0, gid: 0 };
        const NOBODY: Account = Account { uid: 65534, gid: 65534 };
        if process::effective_uid() != 0 {
            eprintln!("skipped: only root has files that are safe");
            return;
        }
        let path = std::env::temp_dir().join(format!("keepalived-judged-{}", std::process::id()));
        let file = path.to_str().unwrap();
        // between this look and the execution another user could make it
        let kind = || judge(file, ROOT).unwrap_err().kind();
        assert_eq!(kind(), io::ErrorKind::NotFound);
        assert!(judge(file, NOBODY).is_ok(), "execution reports it");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert_eq!(kind(), io::ErrorKind::PermissionDenied, "its owner could make it executable");
        mode(0o755);
        assert!(judge(file, ROOT).is_ok());
        mode(0o777);
        assert!(judge(file, ROOT).is_err(), "writable by others");
        assert!(judge(file, NOBODY).is_ok(), "nobody may harm nobody");
        mode(0o755);
        std::os::unix::fs::chown(&path, Some(NOBODY.uid), None).unwrap();
        let refused = judge(file, ROOT).unwrap_err();
        assert!(refused.to_string().contains(file), "made by another user: {refused}");
        std::fs::remove_file(&path).unwrap();
    }
}
