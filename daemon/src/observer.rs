//! The observer: tells the world how things are and what happens, for processes that must not wait for it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use keepalived_config::model::{Config, Mail, MailTls};
use keepalived_kernel::process;
use keepalived_kernel::reactor::{Interest, Nested, Reactor, Ready, Token};
use keepalived_surface::mail::{Account, Envelope, Protection, Relay};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};

use crate::alerts::Alert;
use crate::child::{self, End, FROM_SUPERVISOR, NotStarted};
use crate::configuration::host_name;
use crate::connection::Connection;
use crate::exit;
use crate::log;
use crate::message::{self, Door, FromChild, Incoming, Startup, ToChild};
use crate::secrets::Secret;
use crate::seen::Seen;

mod control;
mod dbus;
mod http;
mod outbox;
mod snmp;
mod user;
mod webhook;
mod world;

use outbox::{Outbox, Sender};
use world::World;

/// How long the end of this process waits for mail to be sent.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// From one look at messages that wait for the supervisor to the next.
const CATCH_UP: Duration = Duration::from_millis(100);

/// How long after an answer its memory is given back: others who ask at the same time need it, too.
const TIDY: Duration = Duration::from_secs(2);

/// Gives the memory of large answers back.
async fn tidy(world: Rc<World>) {
    let mut asked = world.asked_for_numbers();
    while asked.changed().await.is_ok() {
        tokio::time::sleep(TIDY).await;
        process::give_back_memory();
    }
}

/// Runs the observer until it is told to stop; returns its exit status.
pub fn run() -> u8 {
    child::run(Observer::with, Observer::run)
}

struct Observer {
    supervisor: Connection,
    /// `None` once the loop has begun.
    reactor: Option<Reactor>,
    /// Processes that have something to tell.
    clients: BTreeMap<Token, Connection>,
    outbox: Rc<Outbox>,
    world: Rc<World>,
    /// What the tasks want from the supervisor.
    wishes: mpsc::UnboundedReceiver<FromChild>,
    /// Who serves each door.
    doors: BTreeMap<Door, JoinHandle<()>>,
    last_token: u64,
    /// `observer_user` when it began.
    user: Option<String>,
    _log: log::Guard,
}

impl Observer {
    fn with(startup: Startup, reactor: Reactor, supervisor: Connection) -> Result<Self, NotStarted> {
        child::name(startup.config.global.process_name.as_deref());
        let supervisor_uid = process::effective_uid();
        // root's files are open before it is another user
        let file = log::open_file(&startup.log);
        let user = startup.config.global.control.user.clone();
        let (account, note) = user::find(user.as_deref());
        // it speaks with servers that others run
        let became = process::become_user(account);
        process::drop_capabilities(&[])?;
        let log = log::start_with(
            file,
            &startup.log,
            log::Speaker { ident: "Keepalived_observer", process: "observer", log: &startup.config.global.log },
        );
        if let Some(note) = note {
            tracing::warn!("{note}");
        }
        match became {
            Ok(()) => tracing::debug!("the observer is user {}", account.uid),
            // a daemon that is not root has not the right, and some containers have no such user
            Err(error) if supervisor_uid == 0 => {
                tracing::info!("the observer stays user {supervisor_uid}, without capabilities: {error}");
            }
            Err(_) => {}
        }
        // after the log is open
        match process::give_up_files() {
            Ok(true) => {}
            Ok(false) => tracing::debug!("this kernel cannot keep the observer from writing files (Landlock)"),
            Err(error) => tracing::warn!("the observer may go on writing files: {error}"),
        }
        match process::give_up_calls() {
            Ok(true) => {}
            Ok(false) => tracing::debug!("the observer may make any system call: no seccomp on this architecture"),
            Err(error) => tracing::warn!("the observer may make any system call: {error}"),
        }
        let (wish, wishes) = mpsc::unbounded_channel();
        Ok(Self {
            supervisor,
            reactor: Some(reactor),
            clients: BTreeMap::new(),
            outbox: Rc::default(),
            world: Rc::new(World::new(startup.config, startup.secrets, wish)),
            wishes,
            doors: BTreeMap::new(),
            last_token: FROM_SUPERVISOR.0,
            user,
            _log: log,
        })
    }

    fn run(&mut self) -> u8 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = runtime.and_then(|runtime| {
            let ended = LocalSet::new().block_on(&runtime, self.serve());
            // a name that is looked up holds nobody up
            runtime.shutdown_background();
            ended
        });
        match ended {
            Ok(status) => status,
            Err(error) => {
                tracing::error!("waiting failed: {error}");
                exit::FATAL
            }
        }
    }

    async fn serve(&mut self) -> io::Result<u8> {
        let mut reactor = Nested::new(self.reactor.take().ok_or(io::ErrorKind::NotConnected)?)?;
        self.configure();
        tokio::task::spawn_local(snmp::serve(Rc::clone(&self.world)));
        tokio::task::spawn_local(tidy(Rc::clone(&self.world)));
        let delivery = tokio::task::spawn_local(outbox::deliver(Rc::clone(&self.outbox)));
        let bus = tokio::task::spawn_local(dbus::serve(Rc::clone(&self.world)));
        let hook = tokio::task::spawn_local(webhook::serve(Rc::clone(&self.world)));
        self.supervisor.say(&FromChild::Ready);
        let mut ready = Vec::new();
        loop {
            ready.clear();
            tokio::select! {
                came = reactor.ready(&mut ready) => came?,
                Some(wish) = self.wishes.recv() => self.supervisor.say(&wish),
                () = tokio::time::sleep(CATCH_UP), if self.supervisor.is_behind() => self.supervisor.catch_up(),
            }
            for ready in &ready {
                let end = match ready {
                    Ready::Signal(signal) => child::on_signal(*signal, &mut self.supervisor),
                    Ready::Descriptor { token: FROM_SUPERVISOR, .. } => self.listen(reactor.reactor()),
                    Ready::Descriptor { token, .. } => {
                        self.take_alerts(*token, reactor.reactor());
                        None
                    }
                    Ready::Deadline => None,
                };
                if end.is_some() {
                    return Ok(self.stop(reactor.reactor(), [delivery, bus, hook]).await);
                }
            }
        }
    }

    fn listen(&mut self, reactor: &mut Reactor) -> Option<End> {
        let take = |observer: &mut Self, message, descriptor| observer.on_message(message, descriptor, reactor);
        child::listen(self, |observer| &mut observer.supervisor, take)
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>, reactor: &mut Reactor) -> io::Result<()> {
        match message {
            ToChild::Reload => {
                let reloaded = message::content(descriptor).map(|config| {
                    self.world.configure(config);
                    if self.world.config().global.control.user != self.user {
                        tracing::warn!("observer_user takes effect when the daemon is started again");
                    }
                    self.configure();
                });
                child::answer_reload(&mut self.supervisor, reloaded);
            }
            ToChild::Peer(_) => self.meet(child::peer(descriptor)?, reactor)?,
            ToChild::Seen(Seen::Whole) => self.world.replace(message::content(descriptor)?),
            ToChild::Seen(seen) => self.world.see(seen),
            ToChild::Door(door) => self.open(door, descriptor),
            ToChild::Text => self.world.set_text(descriptor),
            // a reload follows
            ToChild::Secrets(secrets) => self.world.set_secrets(secrets),
            ToChild::Connected(service, user) => self.world.reached(service, user, descriptor),
            ToChild::Hello(_)
            | ToChild::Stop
            | ToChild::Start
            | ToChild::Orders
            | ToChild::Roster
            | ToChild::Refresh(_)
            | ToChild::Announce(_) => {}
        }
        Ok(())
    }

    /// Does as the configuration says from now on.
    fn configure(&self) {
        let config = self.world.config();
        log::configure(&config.global.log);
        self.outbox.set(sender(&config, self.world.secrets().mail_password.as_ref()));
        if let (Some(path), Some(Err(error))) = (&config.global.control.token_file, &self.world.secrets().page_token) {
            tracing::error!("page_token_file {path}: {error}; nothing can be changed by the page");
        }
        let group = config.global.control.group.as_deref().and_then(|name| match process::find_group(name) {
            Ok(Some(group)) => Some(group),
            Ok(None) => {
                tracing::warn!("control_group: there is no group {name}; only root may change things");
                None
            }
            Err(error) => {
                tracing::warn!("control_group {name} cannot be looked up ({error}); only root may change things");
                None
            }
        });
        self.world.trust(group);
    }

    /// Serves this door by `socket` from now on; without one it is closed.
    fn open(&mut self, door: Door, socket: Option<OwnedFd>) {
        if let Some(before) = self.doors.remove(&door) {
            before.abort();
        }
        let Some(socket) = socket else { return };
        let serves = match door {
            Door::Control => control::serve(socket, Rc::clone(&self.world)),
            Door::Http => http::serve(socket, Rc::clone(&self.world)),
        };
        match serves {
            Ok(task) => drop(self.doors.insert(door, task)),
            Err(error) => tracing::error!("{door:?}: {error}"),
        }
    }

    fn meet(&mut self, client: Connection, reactor: &mut Reactor) -> io::Result<()> {
        self.last_token += 1;
        let token = Token(self.last_token);
        reactor.register(&client, token, Interest::Read)?;
        self.clients.insert(token, client);
        Ok(())
    }

    fn take_alerts(&mut self, token: Token, reactor: &mut Reactor) {
        loop {
            let Some(client) = self.clients.get_mut(&token) else { return };
            match client.hear::<Alert>() {
                Ok(Incoming::Message(alert, _)) => self.outbox.push(alert),
                Ok(Incoming::Nothing) => return,
                gone => {
                    if let Err(error) = gone {
                        tracing::error!("cannot read an alert: {error}");
                    }
                    if let Some(client) = self.clients.remove(&token) {
                        reactor.deregister(&client).ok();
                    }
                    return;
                }
            }
        }
    }

    /// Sends what there is to send, if that is possible soon.
    async fn stop(&mut self, reactor: &mut Reactor, [delivery, bus, hook]: [JoinHandle<()>; 3]) -> u8 {
        for token in self.clients.keys().copied().collect::<Vec<_>>() {
            self.take_alerts(token, reactor);
        }
        self.outbox.end();
        self.world.stop();
        let all = async { tokio::join!(delivery, bus, hook) };
        tokio::time::timeout(LAST_WORDS, all).await.ok();
        let left = self.outbox.len();
        if left > 0 {
            tracing::warn!("mail: {left} messages were not sent before the end");
        }
        let left = self.world.posts().map_or(0, |posts| posts.waiting);
        if left > 0 {
            tracing::warn!("webhook: {left} events were not sent before the end");
        }
        exit::OK
    }
}

/// Who sends mail, as configured; `None` if nobody does.
fn sender(config: &Config, password: Option<&Secret>) -> Option<Sender> {
    let global = &config.global;
    let Mail { server, helo, from, to, timeout, tls, user, password_file, .. } = &global.mail;
    let server = server.as_ref().filter(|_| !to.is_empty())?;
    let from = from.clone().unwrap_or_else(|| format!("root@{}", host_name()));
    let account = match (user, password_file, password) {
        (Some(user), Some(_), Some(Ok(password))) => Some(Account { user: user.clone(), password: password.clone() }),
        (Some(_), Some(path), Some(Err(error))) => {
            tracing::error!("mail: smtp_password_file {path}: {error}; there is no login");
            None
        }
        _ => None,
    };
    Some(Sender {
        relay: Relay {
            host: server.host.clone(),
            port: server.port,
            helo: helo.clone().unwrap_or_else(host_name),
            patience: *timeout,
            protection: match tls {
                MailTls::None => Protection::None,
                MailTls::StartTls => Protection::StartTls,
                MailTls::Tls => Protection::Tls,
            },
            account,
        },
        envelope: Envelope::new(&from, to),
        router_id: global.router_id.clone().unwrap_or_else(host_name),
    })
}
