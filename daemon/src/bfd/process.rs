//! The bfd process: owns the sockets, turns readiness into turns of the engine, and tells those that follow sessions.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use keepalived_config::model::{BfdInstance, Config, ProcessSettings};
use keepalived_core::bfd::{Arrival, MULTIHOP_PORT, Reach, SINGLE_HOP_PORT};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::Family;
use keepalived_kernel::datagrams::{Buffers, Ear};
use keepalived_kernel::process;
use keepalived_kernel::reactor::{self, Interest, Reactor, Ready, Token};
use keepalived_state::Record;

use super::engine::Engine;
use super::links::{self, Links};
use super::report::Level;
use super::sessions_file::SessionsFile;
use super::traffic::Traffic;
use super::voices::{Voices, Wish};
use crate::backlog::Backlog;
use crate::changes::ChangeSender;
use crate::child::{self, End, FROM_SUPERVISOR, NotStarted};
use crate::connection::Connection;
use crate::exit;
use crate::log::{self, About};
use crate::message::{self, FromChild, SessionResult, SessionStanding, Startup, ToChild};
use crate::role::Role;
use crate::schedule;

/// Where the ears announce themselves, one behind the other.
const EARS: [Token; 4] = [Token(1), Token(2), Token(3), Token(4)];

/// The nice value without `bfd_priority`: packets that are late bring sessions down.
const NICE: i8 = -20;

/// Packets that are heard before deadlines have their turn.
const MOST_HEARD: usize = 512;

/// More packets than the kernel holds for a socket: those that had come when we began to read have been read then.
const MORE_THAN_WAIT: usize = 16_384;

/// From one attempt to open a port to the next. The first ones come soon: the process of a daemon that was killed may have the port still.
const FIRST_RETRY: Duration = Duration::from_millis(10);
const RETRY: Duration = Duration::from_secs(1);

/// Descriptors that sessions leave: for connections, the log, a reload.
const RESERVE: usize = 64;

/// Sessions in one message to the supervisor.
const MOST_STANDINGS: usize = 64;

/// Entries of the view in one message.
const MOST_CHANGES: usize = 64;

/// From one such message to the next.
const CHANGES_PAUSE: Duration = Duration::from_millis(5);

/// How often neighbours are told that a session is configured no more: a packet may be lost.
const FAREWELLS: usize = 3;

/// From telling the neighbours that this daemon stops to telling them again. It grows, as what loses packets may last.
const FAREWELL_PAUSE: Duration = Duration::from_millis(10);

/// Neighbours that do not answer are told for so long, which is less than the detection time that RFC 5880 §6.8.16 would like: a stop
/// does not wait for them.
const FAREWELL_LIMIT: Duration = Duration::from_millis(130);

/// Runs the bfd process until it is told to stop; returns its exit status.
pub fn run() -> u8 {
    child::run(Process::with, Process::run)
}

struct Process {
    supervisor: Connection,
    reactor: Reactor,
    engine: Engine,
    ears: Ears,
    voices: Voices,
    links: Links,
    buffers: Buffers,
    /// All packets that came until then have been heard.
    heard_until: Instant,
    traffic: Traffic,
    /// The vrrp process, and the checker process.
    vrrp: Option<Connection>,
    checker: Option<Connection>,
    /// How sessions stand, for another daemon.
    file: Option<SessionsFile>,
    backlog: Backlog<Record>,
    changes: ChangeSender,
    /// What it was scheduled by.
    scheduling: ProcessSettings,
    _log: log::Guard,
}

impl Process {
    fn with(startup: Startup, mut reactor: Reactor, supervisor: Connection) -> Result<Self, NotStarted> {
        let global = &startup.config.global;
        child::name(global.bfd.name.as_deref().or(global.process_name.as_deref()));
        schedule::apply("bfd", &global.bfd, Some(NICE));
        let descriptors = process::raise_descriptor_limit().ok().flatten();
        let sockets = descriptors.and_then(|most| usize::try_from(most).ok()).map(|most| most.saturating_sub(RESERVE));
        // before this process has another thread: capabilities belong to threads
        let log = log::start_anyway(
            &startup.log,
            log::Speaker { ident: "Keepalived_bfd", process: "bfd", log: &startup.config.global.log },
        );
        let now = reactor::now();
        let links = Links::open(&mut reactor);
        let (file, known) = remembered(now, &startup);
        let mut process = Self {
            supervisor,
            reactor,
            engine: Engine::new(now, &startup.config, &known, random()),
            ears: Ears::default(),
            voices: Voices::new(random(), sockets),
            links,
            buffers: Buffers::default(),
            heard_until: Instant::ZERO,
            traffic: Traffic::default(),
            vrrp: None,
            checker: None,
            file,
            backlog: Backlog::default(),
            changes: ChangeSender::default(),
            scheduling: startup.config.global.bfd.clone(),
            _log: log,
        };
        process.links.look(now, &mut process.engine);
        process.open_sockets(now);
        // ports above 1024, and neighbours by address: nothing that comes later needs a right
        process::drop_capabilities(&[])?;
        Ok(process)
    }

    fn run(&mut self) -> u8 {
        self.supervisor.say(&FromChild::Ready);
        let mut ready = Vec::new();
        // what came while this process began
        let mut news = News { packets: true, links: true };
        loop {
            let wake = self.turn(news);
            news = News::default();
            ready.clear();
            if let Err(error) = self.reactor.wait(wake, &mut ready) {
                tracing::error!("waiting failed: {error}");
                return exit::FATAL;
            }
            for ready in &ready {
                let end = match ready {
                    Ready::Signal(signal) => child::on_signal(*signal, &mut self.supervisor),
                    Ready::Descriptor { token: FROM_SUPERVISOR, .. } => self.listen(),
                    Ready::Descriptor { token, .. } => {
                        news.packets |= EARS.contains(token);
                        news.links |= *token == links::TOKEN;
                        None
                    }
                    Ready::Deadline => None,
                };
                match end {
                    None => {}
                    Some(End::Stop) => return self.stop(),
                    // another daemon goes on with the sessions if it starts in time: the neighbours are told nothing
                    Some(End::SupervisorGone) => return exit::OK,
                }
            }
        }
    }

    fn turn(&mut self, news: News) -> Option<Instant> {
        let begun = reactor::now();
        let heard = self.hear_and_speak(begun, news.packets);
        let now = reactor::now();
        if self.traffic.count(now, heard) {
            self.ears.watch(&mut self.reactor, !self.traffic.is_dense);
        }
        if news.links && self.links.hear(now, &mut self.engine) {
            self.open_sockets(now);
        }
        if [self.voices.next_at(), self.ears.next_at()].into_iter().flatten().any(|at| at <= now) {
            self.open_sockets(now);
        }
        let wake = self.tell(now);
        [wake, self.traffic.next_at(now), self.save(now)].into_iter().flatten().min()
    }

    /// Reads what has come, if there is something or a detection time may be over, and lets deadlines fire between. Returns how many
    /// packets came.
    fn hear_and_speak(&mut self, begun: Instant, has_packets: bool) -> usize {
        let mut hears = has_packets || self.traffic.is_dense;
        let (mut heard, mut has_heard) = (0, false);
        loop {
            let now = reactor::now();
            if hears {
                let (count, is_empty) = self.hear();
                heard += count;
                if is_empty {
                    (self.heard_until, has_heard) = (now, true);
                } else if heard >= MORE_THAN_WAIT {
                    // all that had come when the turn began
                    (self.heard_until, has_heard) = (self.heard_until.max(begun), true);
                }
            }
            let all_done = self.speak(now, self.heard_until);
            // silence is not believed before what has come is heard
            let is_overdue = self.engine.next_due().is_some_and(|due| due <= now);
            if all_done && has_heard == hears && (has_heard || !is_overdue) {
                return heard;
            }
            hears = true;
        }
    }

    fn hear(&mut self) -> (usize, bool) {
        let (engine, buffers, emptied) = (&mut self.engine, &mut self.buffers, self.heard_until);
        let (mut count, mut is_empty) = (0, true);
        for (ear, reach) in self.ears.open() {
            is_empty &= ear.receive(buffers, MOST_HEARD, emptied, |datagram| {
                count += 1;
                let arrival = Arrival {
                    source: datagram.source,
                    destination: datagram.destination,
                    link: datagram.link,
                    reach,
                    hop_limit: datagram.hop_limit,
                    octets: datagram.octets,
                };
                engine.receive(datagram.received, &arrival);
            });
        }
        (count, is_empty)
    }

    fn speak(&mut self, now: Instant, heard_until: Instant) -> bool {
        let voices = &mut self.voices;
        self.engine.turn(now, heard_until, |id, octets| match voices.send(id, octets) {
            Ok(sent) => sent,
            Err(error) => {
                tracing::warn!("a BFD packet cannot be sent: {error}");
                false
            }
        })
    }

    /// Opens what is wanted and not open.
    fn open_sockets(&mut self, now: Instant) {
        let wanted: Vec<_> = self.engine.sessions().map(|(id, instance)| (id, instance.clone())).collect();
        let mut needed = Vec::new();
        for (_, instance) in &wanted {
            let family = Family::of(instance.neighbor);
            let reach = if instance.multihop { Reach::Multihop } else { Reach::SingleHop };
            if !needed.contains(&(family, reach)) {
                needed.push((family, reach));
            }
        }
        self.ears.open_all(now, &needed, &mut self.reactor);
        let wishes: Vec<_> = wanted
            .iter()
            .map(|(id, instance)| {
                let (port, link) = (self.engine.source_port(*id), self.engine.link(*id));
                Wish { id: *id, instance, port, link }
            })
            .collect();
        let engine = &mut self.engine;
        for line in self.voices.open_all(now, wishes.into_iter(), |id, voice| engine.set_voice(id, voice)) {
            tracing::warn!("{line}");
        }
    }

    /// Tells others what is new. Returns when to come again.
    fn tell(&mut self, now: Instant) -> Option<Instant> {
        for report in self.engine.reports() {
            let About { subject, cause } = About::of(|| report.about());
            match report.level() {
                Level::Warning => tracing::warn!(subject, cause, "{report}"),
                Level::Info => tracing::info!(subject, cause, "{report}"),
                Level::Detail => tracing::debug!(subject, cause, "{report}"),
            }
        }
        for result in self.engine.results() {
            let (vrrp, checker) = self.engine.tells(&result.session);
            say_to(vrrp.then_some(self.vrrp.as_mut()).flatten(), &result);
            say_to(checker.then_some(self.checker.as_mut()).flatten(), &result);
        }
        for record in self.engine.records(SystemTime::now()) {
            self.backlog.push(record);
        }
        self.backlog.tell(&mut self.supervisor, FromChild::Happened);
        let standings = self.engine.standings(MOST_STANDINGS);
        let more = standings.len() == MOST_STANDINGS;
        if !standings.is_empty() {
            self.supervisor.say(&FromChild::Sessions(standings));
        }
        self.supervisor.catch_up();
        let engine = &mut self.engine;
        let pause = engine.has_changes().then_some(CHANGES_PAUSE);
        let next = || Some(FromChild::BfdChanges(engine.view_changes(now, SystemTime::now(), MOST_CHANGES)));
        let changes = self.changes.send(now, &mut self.supervisor, pause, next);
        let retry = (!self.backlog.is_empty()).then(|| now + Duration::from_millis(100));
        let peers = [self.vrrp.as_mut(), self.checker.as_mut()].into_iter().flatten();
        let behind = peers.filter_map(|peer| {
            peer.catch_up();
            peer.next_at(now)
        });
        let behind = behind.min();
        let times = [
            self.engine.next_due(),
            self.voices.next_at(),
            self.ears.next_at(),
            self.supervisor.next_at(now),
            changes,
            retry,
            behind,
            more.then_some(now),
        ];
        times.into_iter().flatten().min()
    }

    /// Writes what another daemon needs if this one is killed. Returns when to come again.
    fn save(&mut self, now: Instant) -> Option<Instant> {
        let file = self.file.as_mut()?;
        if !self.engine.is_unsaved() {
            file.beat(now);
            return None;
        }
        let at = file.next_at();
        if at > now {
            return Some(at);
        }
        file.save(now, &self.engine.take_saved());
        None
    }

    fn listen(&mut self) -> Option<End> {
        child::listen(self, |process| &mut process.supervisor, Self::on_message)
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>) -> io::Result<()> {
        match message {
            ToChild::Peer(role @ (Role::Vrrp | Role::Checker)) => {
                *self.follower(role) = Some(child::peer(descriptor)?);
                self.tell_all_results(role);
            }
            ToChild::Hello(_)
            | ToChild::Start
            | ToChild::Peer(_)
            | ToChild::Orders
            | ToChild::Roster
            | ToChild::Stop
            | ToChild::Seen(_)
            | ToChild::Door(_)
            | ToChild::Text
            | ToChild::Secrets(_)
            | ToChild::Connected(..)
            | ToChild::Announce(_) => {}
            ToChild::Reload => {
                let reloaded = message::content::<Config>(descriptor).map(|config| self.reload(&config));
                child::answer_reload(&mut self.supervisor, reloaded);
            }
            ToChild::Refresh(_) => self.engine.request_changes(),
        }
        Ok(())
    }

    fn reload(&mut self, config: &Config) {
        log::configure(&config.global.log);
        let now = reactor::now();
        if self.scheduling != config.global.bfd {
            self.scheduling = config.global.bfd.clone();
            tracing::warn!(
                "bfd_priority and what else schedules the bfd process counts when that process starts anew: it has given up the right to change it"
            );
        }
        let changed = self.engine.reload(now, config);
        self.links.look(now, &mut self.engine);
        for gone in changed.gone {
            // a packet may be lost; their sockets close now
            if let Some(octets) = gone.farewell {
                (0..FAREWELLS).for_each(|_| drop(self.voices.send(gone.id, &octets)));
            }
            self.voices.close(gone.id);
        }
        self.open_sockets(now);
        // what is new, and what follows it anew
        self.tell_all_results(Role::Vrrp);
        self.tell_all_results(Role::Checker);
    }

    /// The vrrp process or the checker process.
    const fn follower(&mut self, role: Role) -> &mut Option<Connection> {
        if matches!(role, Role::Vrrp) { &mut self.vrrp } else { &mut self.checker }
    }

    /// Tells a follower how all its sessions stand.
    fn tell_all_results(&mut self, role: Role) {
        let is_its = |instance: &BfdInstance| {
            if role == Role::Vrrp { instance.tells_vrrp } else { instance.tells_checkers }
        };
        let results = self.engine.all_results(is_its);
        if let Some(follower) = self.follower(role) {
            results.iter().for_each(|result| follower.say(result));
        }
    }

    /// Tells the neighbours until each has answered, but not for long, and ends.
    fn stop(&mut self) -> u8 {
        let limit = reactor::now() + FAREWELL_LIMIT;
        if let Some(file) = &self.file {
            file.clear();
        }
        self.engine.stop(reactor::now());
        // waits for nothing else than answers
        let mut answers = Reactor::new(&[]).ok();
        if let Some(answers) = &mut answers {
            self.ears.open().for_each(|(ear, _)| drop(answers.register(ear, Token(0), Interest::Read)));
        }
        let mut pause = FAREWELL_PAUSE;
        let mut ready = Vec::new();
        loop {
            // what is overdue is due again at once: nothing expires any more
            let most = self.engine.sessions().count();
            let _ = (0..=most).any(|_| self.speak(reactor::now(), Instant::ZERO));
            let again_at = (reactor::now() + pause).min(limit);
            while self.engine.owes_farewells() && reactor::now() < again_at {
                let waited = answers.as_mut().is_some_and(|answers| answers.wait(Some(again_at), &mut ready).is_ok());
                if !waited {
                    std::thread::sleep(again_at.since(reactor::now()));
                }
                ready.clear();
                self.hear();
            }
            if !self.engine.owes_farewells() || reactor::now() >= limit {
                break;
            }
            self.engine.repeat(reactor::now());
            pause *= 2;
        }
        self.tell(reactor::now());
        self.backlog.tell_all(&mut self.supervisor, FromChild::Happened);
        tracing::info!("Stopped");
        exit::OK
    }
}

/// The file for another daemon, and the sessions that the one before had: a process before this one of the same daemon knew better.
fn remembered(now: Instant, startup: &Startup) -> (Option<SessionsFile>, BTreeMap<String, SessionStanding>) {
    let Some(path) = &startup.sessions_file else { return (None, startup.sessions.clone()) };
    let known = if startup.resumes { startup.sessions.clone() } else { SessionsFile::read(path, now, &startup.config) };
    if !startup.resumes && !known.is_empty() {
        tracing::info!("BFD goes on where a daemon stopped that was killed (sessions: {})", known.len());
    }
    let file = SessionsFile::open(path).inspect_err(|error| {
        tracing::warn!("{}: {error}; if this daemon is killed its BFD sessions go down", path.display());
    });
    (file.ok(), known)
}

fn say_to(peer: Option<&mut Connection>, result: &SessionResult) {
    if let Some(peer) = peer {
        peer.say(result);
    }
}

/// A number that nobody can guess: the standard library seeds its hash tables with the system's random numbers.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What a wake-up brought.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    packets: bool,
    links: bool,
}

/// Sockets that hear, one for each family and port that any session needs.
#[derive(Debug, Default)]
struct Ears {
    open: Vec<(Ear, Family, Reach)>,
    /// Those that could not be opened; this was said.
    missing: Vec<(Family, Reach)>,
    again_at: Option<Instant>,
    pause: Duration,
    /// They do not wake us: they are read whenever something else does.
    is_silent: bool,
}

impl Ears {
    /// Whether packets wake us.
    fn watch(&mut self, reactor: &mut Reactor, is_watched: bool) {
        self.is_silent = !is_watched;
        for (ear, family, reach) in &self.open {
            let changed = if is_watched {
                reactor.register(ear, token(*family, *reach), Interest::Read)
            } else {
                reactor.deregister(ear)
            };
            if let Err(error) = changed {
                tracing::error!("cannot watch a socket of BFD: {error}");
            }
        }
    }

    const fn next_at(&self) -> Option<Instant> {
        self.again_at
    }

    fn open(&self) -> impl Iterator<Item = (&Ear, Reach)> {
        self.open.iter().map(|(ear, _, reach)| (ear, *reach))
    }

    fn open_all(&mut self, now: Instant, needed: &[(Family, Reach)], reactor: &mut Reactor) {
        // from the first attempt that fails
        self.pause = if self.again_at.is_some() { (self.pause * 2).clamp(FIRST_RETRY, RETRY) } else { FIRST_RETRY };
        self.again_at = None;
        self.open.retain(|(ear, family, reach)| {
            let stays = needed.contains(&(*family, *reach));
            if !stays && !self.is_silent {
                reactor.deregister(ear).ok();
            }
            stays
        });
        for (family, reach) in needed.iter().copied() {
            if self.open.iter().any(|(_, open_family, open_reach)| (*open_family, *open_reach) == (family, reach)) {
                continue;
            }
            let port = match reach {
                Reach::SingleHop => SINGLE_HOP_PORT,
                Reach::Multihop => MULTIHOP_PORT,
            };
            let opened = Ear::open(family, port).and_then(|ear| {
                if !self.is_silent {
                    reactor.register(&ear, token(family, reach), Interest::Read)?;
                }
                Ok(ear)
            });
            match opened {
                Ok(ear) => {
                    self.missing.retain(|missing| *missing != (family, reach));
                    self.open.push((ear, family, reach));
                }
                Err(error) => {
                    self.again_at = Some(now + self.pause.clamp(FIRST_RETRY, RETRY));
                    if !self.missing.contains(&(family, reach)) {
                        self.missing.push((family, reach));
                        let hint = if error.kind() == io::ErrorKind::AddrInUse {
                            ": another program, such as bfdd or bird, has the port; only one can run BFD on a machine"
                        } else {
                            ""
                        };
                        tracing::error!(
                            "BFD hears nothing at UDP port {port} ({error}){hint}; its sessions stay down, and it is tried again, at last each second"
                        );
                    }
                }
            }
        }
    }
}

fn token(family: Family, reach: Reach) -> Token {
    let place = match reach {
        Reach::SingleHop => 0,
        Reach::Multihop => 2,
    };
    EARS.get(place + usize::from(family == Family::V6)).copied().unwrap_or(Token(1))
}
