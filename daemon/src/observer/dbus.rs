//! Drives D-Bus: the connection to the system bus, our name there, calls and signals. A bus that is gone, or a caller that asks without
//! end, costs this task and nothing else.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream as _;
use keepalived_kernel::files::read_text;
use keepalived_kernel::reactor;
use keepalived_surface::dbus::{Answer, Call, Objects, Property, Refusal, Signal};
use keepalived_surface::request::Change;
use tokio::sync::{Semaphore, watch};
use zbus::connection::Builder;
use zbus::fdo::{RequestNameFlags, RequestNameReply};
use zbus::message::{Flags, Header, Type};
use zbus::{Connection, Message, MessageStream, Variant};

use super::world::World;
use crate::backoff::Backoff;
use crate::local_service::LocalService;

/// How long the bus may take for one thing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pause before the bus is tried again; it doubles while it is gone.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Messages that wait for us in this process; more stay in the bus, which bounds them for each sender.
const MOST_WAITING: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// Changes that are being made at a time.
const MOST_CHANGES: usize = 16;

/// The longest body of a call, in octets. None of our methods needs more than two names.
const LONGEST: u32 = 4 * 1024;

/// The bus itself.
const BUS: &str = "org.freedesktop.DBus";

/// Serves D-Bus for as long as the configuration asks for it, until the observer ends.
pub(super) async fn serve(world: Rc<World>) {
    let mut configured = world.configurations();
    let (mut backoff, mut complained) = (Backoff::default(), false);
    loop {
        configured.mark_unchanged();
        let pause = if world.config().global.dbus.enabled {
            let lost = match connect(&world).await {
                Ok(session) => {
                    complained = false;
                    session.run(&world).await
                }
                Err(error) => Left::Lost(error),
            };
            match lost {
                Left::Ended => return,
                Left::Configured => {
                    backoff = Backoff::default();
                    continue;
                }
                Left::Lost(error) => {
                    if !complained {
                        tracing::warn!("D-Bus: {error}; trying again");
                    }
                    complained = true;
                }
            }
            Some(backoff.next_from(reactor::now(), FIRST_PAUSE))
        } else {
            (backoff, complained) = (Backoff::default(), false);
            None
        };
        let wait = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            changed = configured.changed() => if changed.is_err() { return },
            () = world.end() => return,
        }
    }
}

/// Why a session is over.
enum Left {
    /// The observer ends.
    Ended,
    /// The configuration wants none, or one of another name.
    Configured,
    /// The bus is gone.
    Lost(Trouble),
}

/// What went wrong.
#[derive(Debug)]
enum Trouble {
    Bus(zbus::Error),
    Unreached(io::Error),
    Slow,
    Gone,
    Taken(String),
    Name(String, zbus::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus(error) => write!(f, "{error}"),
            Self::Unreached(error) => write!(f, "{error}"),
            Self::Slow => f.write_str("the bus does not answer"),
            Self::Gone => f.write_str("the bus has closed the connection"),
            Self::Taken(name) => write!(f, "another program has the name {name}"),
            Self::Name(name, error) => {
                write!(f, "the bus does not give us the name {name}: {error} (contrib/dbus has a policy file)")
            }
        }
    }
}

impl From<zbus::Error> for Trouble {
    fn from(error: zbus::Error) -> Self {
        Self::Bus(error)
    }
}

/// Waits for the bus, but not for long.
async fn soon<T>(future: impl Future<Output = zbus::Result<T>>) -> Result<T, Trouble> {
    tokio::time::timeout(PATIENCE, future).await.map_err(|_| Trouble::Slow)?.map_err(Trouble::Bus)
}

/// Connects to the system bus, `DBUS_SYSTEM_BUS_ADDRESS` if there is one, and asks for our name.
async fn connect(world: &World) -> Result<Session, Trouble> {
    // what changes from here on, while the bus takes its time, is heard of
    let (configured, changes) = (world.configurations(), world.changes());
    let service = world.config().global.dbus.service_name.clone();
    let builder = match LocalService::Bus.path(&world.config().global) {
        // the bus asks the kernel who connected; our name is root's
        Some(_) => {
            let (socket, user) = world.reach(LocalService::Bus).await.map_err(Trouble::Unreached)?;
            Builder::unix_stream(socket.into()).user_id(user)
        }
        None => Builder::system(),
    };
    let builder = builder.max_queued(MOST_WAITING).method_timeout(PATIENCE);
    let connection = soon(builder.build()).await?;
    // nobody calls us before we have a name
    let stream = MessageStream::from(&connection);
    let objects = Objects::new(&world.config(), &world.snapshot());
    let (records, wholes, (reloads, _)) = (world.last_record(), world.wholes(), reloads(world));
    let name = connection.request_name_with_flags(service.as_str(), RequestNameFlags::DO_NOT_QUEUE);
    match soon(name).await {
        Ok(RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner) => {}
        Ok(RequestNameReply::InQueue | RequestNameReply::Exists) | Err(Trouble::Bus(zbus::Error::NameTaken)) => {
            return Err(Trouble::Taken(service));
        }
        Err(Trouble::Bus(error)) => return Err(Trouble::Name(service, error)),
        Err(error) => return Err(error),
    }
    tracing::info!("D-Bus: we are {service}");
    let room = Arc::new(Semaphore::new(MOST_CHANGES));
    Ok(Session { connection, stream, configured, changes, objects, service, records, wholes, reloads, room })
}

/// One connection to the bus, on which we have our name.
struct Session {
    connection: Connection,
    stream: MessageStream,
    /// Other configurations than that of the objects.
    configured: watch::Receiver<()>,
    changes: watch::Receiver<u64>,
    objects: Objects,
    /// `dbus_service_name`
    service: String,
    /// The last record that was told.
    records: u64,
    /// The last snapshot that was looked at.
    wholes: u64,
    /// How many reloads were told.
    reloads: u64,
    /// For changes that are being made.
    room: Arc<Semaphore>,
}

impl Session {
    async fn run(mut self, world: &Rc<World>) -> Left {
        match self.converse(world).await {
            Ok(left) => left,
            Err(trouble) => Left::Lost(trouble),
        }
    }

    async fn converse(&mut self, world: &Rc<World>) -> Result<Left, Trouble> {
        for signal in self.objects.greet() {
            self.emit(&signal).await?;
        }
        self.tell(world).await?;
        loop {
            tokio::select! {
                // another configuration before what happened under it
                biased;
                () = world.end() => {
                    self.tell(world).await?;
                    self.leave().await;
                    return Ok(Left::Ended);
                }
                changed = self.configured.changed() => {
                    let config = world.config();
                    let goes_on = config.global.dbus.enabled && config.global.dbus.service_name == self.service;
                    if changed.is_err() || !goes_on {
                        self.leave().await;
                        return Ok(Left::Configured);
                    }
                    self.objects.configure(&config);
                }
                changed = self.changes.changed() => {
                    if changed.is_err() {
                        return Ok(Left::Ended);
                    }
                    self.tell(world).await?;
                }
                message = next(&mut self.stream) => match message {
                    Some(Ok(message)) => self.hear(&message, world).await?,
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(Trouble::Gone),
                },
            }
        }
    }

    /// Tells of what happened since.
    async fn tell(&mut self, world: &World) -> Result<(), Trouble> {
        let (records, last) = world.records_after(self.records);
        self.records = last;
        for signal in records.iter().filter_map(|record| self.objects.record(record)).collect::<Vec<_>>() {
            self.emit(&signal).await?;
        }
        let (reloads, is_taken) = reloads(world);
        if std::mem::replace(&mut self.reloads, reloads) != reloads && is_taken {
            self.emit(&self.objects.reloaded()).await?;
        }
        if self.wholes != world.wholes() {
            self.wholes = world.wholes();
            let signals = self.objects.replace(&world.snapshot());
            for signal in signals {
                self.emit(&signal).await?;
            }
        }
        Ok(())
    }

    /// The last words. The bus notices by itself that we are gone.
    async fn leave(&self) {
        self.emit(&self.objects.farewell()).await.ok();
    }

    async fn emit(&self, signal: &Signal) -> Result<(), Trouble> {
        let Signal { path, interface, name, state } = signal;
        let path = path.as_str();
        soon(async {
            match state {
                Some(state) => self.connection.emit_signal(None::<&str>, path, *interface, *name, &(*state,)).await,
                None => self.connection.emit_signal(None::<&str>, path, *interface, *name, &()).await,
            }
        })
        .await
    }

    async fn hear(&self, message: &Message, world: &Rc<World>) -> Result<(), Trouble> {
        if message.message_type() != Type::MethodCall {
            return Ok(());
        }
        let header = message.header();
        let (Some(path), Some(member)) = (header.path(), header.member()) else { return Ok(()) };
        let body = message.body();
        let is_long = header.primary().body_len() > LONGEST;
        let texts = if is_long { Vec::new() } else { texts(message) };
        let signature = body.signature().to_string_no_parens();
        let call = Call {
            path: path.as_str(),
            interface: header.interface().map(|name| name.as_str()),
            member: member.as_str(),
            signature: &signature,
            texts: &texts,
        };
        let answer = if is_long {
            Answer::Refused(Refusal::Limits, format!("a call has at most {LONGEST} octets"))
        } else {
            self.objects.answer(&call)
        };
        let change = match answer {
            Answer::Change(change) => change,
            answer => return reply(&self.connection, &header, answer).await,
        };
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            let why = "too many calls at once: try again".to_owned();
            return reply(&self.connection, &header, Answer::Refused(Refusal::Limits, why)).await;
        };
        let (connection, message, world) = (self.connection.clone(), message.clone(), Rc::clone(world));
        tokio::task::spawn_local(async move {
            let header = message.header();
            let answer = make(&connection, &header, change, &world).await;
            // the session notices when the bus is gone
            reply(&connection, &header, answer).await.ok();
            drop(place);
        });
        Ok(())
    }
}

/// How many reloads there were, and whether the last one was taken. Other changes of the configuration are none: an administrator drains
/// a server.
fn reloads(world: &World) -> (u64, bool) {
    let snapshot = world.snapshot();
    let daemon = &snapshot.daemon;
    (daemon.reloads, daemon.last_reload.as_ref().is_some_and(|reload| reload.result.is_ok()))
}

/// Has a change made, if the caller may ask for it.
async fn make(connection: &Connection, header: &Header<'_>, change: Change, world: &World) -> Answer {
    let Some(sender) = header.sender() else {
        return Answer::Refused(Refusal::Access, "a call without a sender".to_owned());
    };
    let caller = (sender,);
    let asked = connection.call_method(Some(BUS), "/org/freedesktop/DBus", Some(BUS), "GetConnectionUnixUser", &caller);
    let user = match asked.await.and_then(|answer| answer.body().deserialize::<u32>()) {
        Ok(user) => user,
        Err(error) => return Answer::Refused(Refusal::Access, format!("the bus does not say who you are: {error}")),
    };
    if user != 0 {
        return Answer::Refused(Refusal::Access, format!("{change}: only root may do that"));
    }
    match world.change(change, format!("user {user} (D-Bus {sender})")).await {
        Ok(()) => Answer::Nothing,
        Err(why) => Answer::Refused(Refusal::Failed, why),
    }
}

async fn reply(connection: &Connection, header: &Header<'_>, answer: Answer) -> Result<(), Trouble> {
    if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
        return Ok(());
    }
    soon(async {
        match answer {
            Answer::Nothing | Answer::Change(_) => connection.reply(header, &()).await,
            Answer::Text(text) => connection.reply(header, &(text,)).await,
            Answer::MachineId => match machine_id() {
                Some(id) => connection.reply(header, &(id,)).await,
                None => {
                    let why = "this machine has no identity (/etc/machine-id)";
                    connection.reply_error(header, Refusal::Failed.name(), &(why,)).await
                }
            },
            Answer::Property(property) => connection.reply(header, &(value(property),)).await,
            Answer::Properties(all) => {
                let all: std::collections::HashMap<_, _> =
                    all.into_iter().map(|(name, property)| (name, value(property))).collect();
                connection.reply(header, &(all,)).await
            }
            Answer::Refused(refusal, why) => connection.reply_error(header, refusal.name(), &(why,)).await,
        }
    })
    .await
}

fn value(property: Property) -> Variant<'static> {
    match property {
        Property::Name(name) => Variant::new((name,)),
        Property::State(number, word) => Variant::new((number, word.to_owned())),
    }
}

/// The arguments that are texts, up to the first that is none.
fn texts(message: &Message) -> Vec<String> {
    let body = message.body();
    if let Ok((first, second)) = body.deserialize::<(String, String)>() {
        return vec![first, second];
    }
    body.deserialize::<(String,)>().map(|(text,)| vec![text]).unwrap_or_default()
}

/// As D-Bus wants it: 32 digits.
fn machine_id() -> Option<String> {
    let read = |path| read_text(Path::new(path), 64).ok();
    let text = read("/etc/machine-id").or_else(|| read("/var/lib/dbus/machine-id"))?;
    let id = text.trim();
    (id.len() == 32 && id.bytes().all(|octet| octet.is_ascii_hexdigit())).then(|| id.to_owned())
}

async fn next(stream: &mut MessageStream) -> Option<zbus::Result<Message>> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}
