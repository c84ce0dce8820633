//! The control socket: answers what keepalivedctl asks. One who reads slowly, says nothing or says rubbish costs a task for a while, and
//! nothing else.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener as StandardListener;
use std::rc::{Rc, Weak};
use std::time::{Duration, SystemTime};

use keepalived_kernel::local::{self, Caller};
use keepalived_kernel::local_time;
use keepalived_state::Record;
use keepalived_surface::metrics;
use keepalived_surface::request::{Answer, Ask, Change, FAILED, LONGEST, Part, Request};
use keepalived_surface::status::{self, Look, Scene, Severity, Size};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::world::World;

/// Connections of root at a time. More are closed.
const MOST_OF_ROOT: usize = 64;

/// Connections of all others: they do not take root's.
const MOST_OF_OTHERS: usize = 32;

/// Connections of one other user.
const MOST_OF_USER: usize = 8;

/// The largest screen.
const MOST_COLUMNS: u16 = 500;
const MOST_ROWS: u16 = 300;

/// How long a request may take to arrive, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// Octets of a long text that are read at a time.
const PIECE: usize = 64 * 1024;

/// Pause after a connection could not be accepted: descriptors are short.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves a socket that listens until the task is ended.
///
/// # Errors
/// It is no such socket.
pub(super) fn serve(socket: OwnedFd, world: Rc<World>) -> io::Result<JoinHandle<()>> {
    let listener = UnixListener::from_std(StandardListener::from(socket))?;
    Ok(tokio::task::spawn_local(async move {
        let mut places = Places::default();
        loop {
            match listener.accept().await {
                Ok((connection, _)) => {
                    let Ok(caller) = local::caller(&connection) else { continue };
                    let Some(place) = places.take(caller.uid) else { continue };
                    let world = Rc::clone(&world);
                    tokio::task::spawn_local(async move {
                        // what goes wrong is the caller's business
                        converse(connection, &caller, &world).await.ok();
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!("control socket: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }))
}

/// Who is connected.
#[derive(Debug, Default)]
struct Places(Vec<(u32, Weak<()>)>);

impl Places {
    /// A place for a connection of this user, until it is dropped; none if there is no room.
    fn take(&mut self, uid: u32) -> Option<Rc<()>> {
        self.0.retain(|(_, place)| place.strong_count() > 0);
        let of_user = self.0.iter().filter(|(user, _)| *user == uid).count();
        let of_others = self.0.iter().filter(|(user, _)| *user != 0).count();
        let has_room = match uid {
            0 => of_user < MOST_OF_ROOT,
            _ => of_user < MOST_OF_USER && of_others < MOST_OF_OTHERS,
        };
        has_room.then(|| {
            let place = Rc::new(());
            self.0.push((uid, Rc::downgrade(&place)));
            place
        })
    }
}

/// One request and its answer.
async fn converse(connection: UnixStream, caller: &Caller, world: &World) -> io::Result<()> {
    let (reader, writer) = connection.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader).take(LONGEST);
    let read = reader.read_line(&mut line);
    let mut writer = Writer { writer };
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(0)) => return Ok(()),
        Ok(read) => drop(read?),
        Err(_) => return writer.fail("no request came").await,
    }
    let request: Request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => return writer.fail(&format!("the request cannot be understood: {error}")).await,
    };
    answer(&request, caller, world, &mut writer, reader.into_inner()).await
}

async fn answer(
    request: &Request,
    caller: &Caller,
    world: &World,
    writer: &mut Writer,
    mut reader: BufReader<OwnedReadHalf>,
) -> io::Result<()> {
    if let Ask::Change(change) = &request.ask {
        return change_something(change, caller, world, writer).await;
    }
    if let Ask::Show { part: Part::Config } = &request.ask {
        return show_text(caller, world, writer).await;
    }
    world.refresh().await;
    let look = Look { colour: request.colour, all: false };
    match &request.ask {
        Ask::Status { all } => {
            let (status, text) = with_scene(world, |scene| {
                let text = if request.json {
                    status::document(scene) + "\n"
                } else {
                    status::table(scene, Look { all: *all, ..look })
                };
                (exit_status(scene), text)
            });
            writer.tell(status, &text).await
        }
        Ask::Why { name } => match with_scene(world, |scene| {
            if request.json {
                status::why_document(scene, name).map(|text| text + "\n")
            } else {
                status::why(scene, name, look)
            }
        }) {
            Some(text) => writer.tell(0, &text).await,
            None => {
                let error = format!("nothing is called {name:?}: `keepalivedctl status --all` lists everything");
                writer.fail(&error).await
            }
        },
        Ask::Events { name, follow } => {
            let line = |scene: &Scene<'_>, record: &Record| {
                if request.json {
                    format!("{}\n", status::event_document(record))
                } else {
                    status::event(scene, record, look)
                }
            };
            let mut changes = world.changes();
            let (text, mut last) = with_scene(world, |scene| {
                let records = status::events(scene, name.as_deref());
                let text: String = records.iter().map(|record| line(scene, record)).collect();
                (text, world.last_record())
            });
            writer.tell(0, &text).await?;
            if !*follow {
                return Ok(());
            }
            loop {
                let mut more = [0; 64];
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return Ok(()) },
                    // the caller has gone, or says more than it may
                    _ = reader.read(&mut more) => return Ok(()),
                }
                let (text, newest) = with_scene(world, |scene| {
                    let (records, newest) = world.records_after(last);
                    let about = records
                        .iter()
                        .filter(|record| name.as_deref().is_none_or(|name| status::is_about(record, name)));
                    (about.map(|record| line(scene, record)).collect::<String>(), newest)
                });
                last = newest;
                writer.write(text.as_bytes()).await?;
            }
        }
        Ask::Show { part } => {
            let text = with_scene(world, |scene| match request.json {
                true => status::part_document(scene, *part) + "\n",
                false => status::show(scene, *part, look),
            });
            writer.tell(0, &text).await
        }
        Ask::Watch { columns, rows } => {
            let size = Size { columns: (*columns).min(MOST_COLUMNS), rows: (*rows).min(MOST_ROWS) };
            let text = with_scene(world, |scene| status::watch(scene, look, size));
            writer.tell(0, &text).await
        }
        Ask::Change(_) => Ok(()),
        Ask::Metrics => {
            let text = with_scene(world, |scene| metrics::metrics(scene, world.posts()));
            writer.tell(0, &text).await
        }
    }
}

/// Shows the configuration that is in force, if the caller may see it.
async fn show_text(caller: &Caller, world: &World, writer: &mut Writer) -> io::Result<()> {
    if !world.trusts(caller) {
        let error = "show config: only root may see that, and members of the group that control_group names";
        return writer.fail(error).await;
    }
    let Ok(mut text) = world.text() else {
        return writer.fail("the daemon has no text of its configuration; `keepalivedctl reload` makes one").await;
    };
    writer.tell(0, "").await?;
    let mut octets = vec![0; PIECE];
    loop {
        match text.read(&mut octets)? {
            0 => return Ok(()),
            count => writer.write(octets.get(..count).unwrap_or_default()).await?,
        }
    }
}

/// Passes a change on, if the caller may ask for it.
async fn change_something(change: &Change, caller: &Caller, world: &World, writer: &mut Writer) -> io::Result<()> {
    if !world.trusts(caller) {
        let error = format!("{change}: only root may do that, and members of the group that control_group names");
        return writer.fail(&error).await;
    }
    // names go to the log and to terminals
    if change.to_string().chars().any(char::is_control) {
        return writer.fail("a name has no control characters").await;
    }
    let who = match caller.pid {
        Some(pid) => format!("user {} (process {pid})", caller.uid),
        None => format!("user {}", caller.uid),
    };
    match world.change(change.clone(), who).await {
        Ok(()) => writer.tell(0, "").await,
        Err(why) => writer.fail(&why).await,
    }
}

/// Has a text made of what is known now.
pub(super) fn with_scene<T>(world: &World, tell: impl FnOnce(&Scene<'_>) -> T) -> T {
    let now = SystemTime::now();
    let (snapshot, latest) = (world.snapshot(), world.latest());
    tell(&Scene { snapshot: &snapshot, latest: &latest, now, ahead: local_time::seconds_ahead(now) })
}

fn exit_status(scene: &Scene<'_>) -> u8 {
    match status::worst(&status::problems(scene)) {
        None => 0,
        Some(Severity::Warning) => 1,
        Some(Severity::Problem) => 2,
    }
}

/// The way back to the caller.
struct Writer {
    writer: tokio::net::unix::OwnedWriteHalf,
}

impl Writer {
    async fn tell(&mut self, status: u8, text: &str) -> io::Result<()> {
        self.begin(&Answer { status, error: None }).await?;
        self.write(text.as_bytes()).await
    }

    async fn fail(&mut self, why: &str) -> io::Result<()> {
        self.begin(&Answer { status: FAILED, error: Some(why.to_owned()) }).await
    }

    async fn begin(&mut self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_string(answer)?;
        line.push('\n');
        self.write(line.as_bytes()).await
    }

    /// Writes while the caller takes something now and then.
    async fn write(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            let taken = tokio::time::timeout(PATIENCE, self.writer.write(octets))
                .await
                .map_err(|_| io::ErrorKind::TimedOut)??;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            octets = octets.get(taken..).unwrap_or_default();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_places_of_others() {
        let mut places = Places::default();
        let mut take = |uid, count| (0..count).map_while(|_| places.take(uid)).collect::<Vec<_>>();
        let mine = take(1000, 100);
        assert_eq!(mine.len(), MOST_OF_USER);
        let many: Vec<_> = (2000..2100).flat_map(|uid| take(uid, 100)).collect();
        assert_eq!(mine.len() + many.len(), MOST_OF_OTHERS);
        assert_eq!(take(0, 100).len(), MOST_OF_ROOT, "and root's are its own");
        drop(mine);
        assert_eq!(take(3000, 100).len(), MOST_OF_USER);
    }
}
