//! What the observer knows: the supervisor's snapshot, and how new its numbers are.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use keepalived_config::model::Config;
use keepalived_core::time::Instant;
use keepalived_kernel::local::Caller;
use keepalived_kernel::pipe::Sealed;
use keepalived_kernel::reactor;
use keepalived_state::{Latest, Record, Snapshot};
use keepalived_surface::metrics::Posts;
use keepalived_surface::request::Change;
use tokio::sync::{mpsc, oneshot, watch};

use crate::local_service::LocalService;
use crate::message::FromChild;
use crate::role::Role;
use crate::secrets::Secrets;
use crate::seen::Seen;

/// Processes that have numbers.
const WITH_NUMBERS: [Role; 3] = [Role::Checker, Role::Vrrp, Role::Bfd];

/// Numbers that are younger serve all who ask: ten who ask each second cost no more than one.
pub(super) const FRESH_FOR: Duration = Duration::from_millis(500);

/// Numbers that took long to come, of 20,000 servers, serve so many times as long.
const MOST_SHARE: u32 = 10;

/// How long to wait for fresh numbers. What is asked for is told without them after that.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a change may take: it waits for a reload that is under way.
const TO_CHANGE: Duration = Duration::from_secs(8);

/// How long a connection that the supervisor makes may take.
const TO_CONNECT: Duration = Duration::from_secs(5);

/// A socket, and the user that it was connected as.
type Reached = Result<(OwnedFd, u32), String>;

/// What is known, for all tasks of the observer.
#[derive(Debug)]
pub(super) struct World {
    snapshot: RefCell<Snapshot>,
    latest: RefCell<Latest>,
    recent: RefCell<Recent>,
    /// It is different each time that the snapshot changes, numbers aside: these come because one who looks asked for them.
    changed: watch::Sender<u64>,
    /// To the supervisor.
    wishes: mpsc::UnboundedSender<FromChild>,
    /// When numbers were asked for, and whether they came.
    numbers: RefCell<BTreeMap<Role, Numbers>>,
    came: watch::Sender<()>,
    /// Nothing has come from the supervisor yet.
    is_empty: Cell<bool>,
    /// What is configured, as far as the observer has to know.
    config: RefCell<Rc<Config>>,
    configured: watch::Sender<()>,
    secrets: RefCell<Secrets>,
    /// Who waits for a connection that the supervisor makes.
    connecting: RefCell<BTreeMap<LocalService, oneshot::Sender<Reached>>>,
    /// The text of the configuration.
    text: RefCell<Option<Rc<OwnedFd>>>,
    /// How many whole snapshots have come: records may be missing before each.
    wholes: Cell<u64>,
    /// What the webhook did, if there is one.
    posts: Cell<Option<Posts>>,
    /// The observer ends.
    ended: watch::Sender<bool>,
    /// `control_group`
    group: Cell<Option<u32>>,
    /// Who waits for what became of a change.
    asked: RefCell<BTreeMap<u64, oneshot::Sender<Result<(), String>>>>,
    last_change: Cell<u64>,
}

/// The last records, for those who follow.
#[derive(Debug, Default)]
struct Recent {
    records: VecDeque<Record>,
    /// How many have come at all.
    last: u64,
}

/// Records that are kept for one who follows and is slow.
const MOST_RECENT: usize = 4_096;

impl Recent {
    fn add(&mut self, records: &[Record]) {
        for record in records {
            if self.records.len() >= MOST_RECENT {
                self.records.pop_front();
            }
            self.records.push_back(record.clone());
            self.last = self.last.saturating_add(1);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Numbers {
    asked: Instant,
    have_come: bool,
    /// How long they took to come the last time.
    took: Duration,
}

impl World {
    /// Nothing is known but `config` and `secrets`. What is wanted from the supervisor goes to `wishes`.
    pub(super) fn new(config: Config, secrets: Secrets, wishes: mpsc::UnboundedSender<FromChild>) -> Self {
        Self {
            snapshot: RefCell::default(),
            latest: RefCell::default(),
            recent: RefCell::default(),
            changed: watch::Sender::new(0),
            wishes,
            numbers: RefCell::default(),
            came: watch::Sender::new(()),
            is_empty: Cell::new(true),
            config: RefCell::new(Rc::new(config)),
            configured: watch::Sender::new(()),
            secrets: RefCell::new(secrets),
            connecting: RefCell::default(),
            text: RefCell::default(),
            wholes: Cell::new(0),
            posts: Cell::new(None),
            ended: watch::Sender::new(false),
            group: Cell::new(None),
            asked: RefCell::default(),
            // the supervisor may still owe answers to the observer before this one
            last_change: Cell::new(u64::from(std::process::id()) << 32),
        }
    }

    /// What is configured.
    pub(super) fn config(&self) -> Rc<Config> {
        Rc::clone(&self.config.borrow())
    }

    /// Another configuration is in force.
    pub(super) fn configure(&self, config: Config) {
        self.config.replace(Rc::new(config));
        self.configured.send_replace(());
    }

    /// What stands in files that only root can read.
    pub(super) fn secrets(&self) -> Ref<'_, Secrets> {
        self.secrets.borrow()
    }

    /// The files hold something else.
    pub(super) fn set_secrets(&self, secrets: Secrets) {
        self.secrets.replace(secrets);
    }

    /// A socket that is connected to `service`, and the user that it was connected as: the supervisor may do so.
    ///
    /// # Errors
    /// The supervisor could not connect, or takes too long.
    pub(super) async fn reach(&self, service: LocalService) -> io::Result<(OwnedFd, u32)> {
        let (answer, answered) = oneshot::channel();
        self.connecting.borrow_mut().insert(service, answer);
        if !self.want(FromChild::Connect(service)) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        match tokio::time::timeout(TO_CONNECT, answered).await {
            Ok(Ok(reached)) => reached.map_err(io::Error::other),
            // another task asked for the same
            Ok(Err(_)) => Err(io::ErrorKind::Interrupted.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The supervisor has connected to `service` as this user, or not, for this reason.
    pub(super) fn reached(&self, service: LocalService, user: Result<u32, String>, socket: Option<OwnedFd>) {
        if let Some(answer) = self.connecting.borrow_mut().remove(&service) {
            let reached = user.and_then(|user| Ok((socket.ok_or("it came without its socket")?, user)));
            // who asked may have given up
            answer.send(reached).ok();
        }
    }

    /// Takes the text of the configuration that is in force.
    pub(super) fn set_text(&self, text: Option<OwnedFd>) {
        self.text.replace(text.map(Rc::new));
    }

    /// The text of the configuration that is in force, without secrets.
    ///
    /// # Errors
    /// The supervisor has none.
    pub(super) fn text(&self) -> io::Result<Sealed> {
        let text = self.text.borrow().as_ref().map(|text| text.try_clone()).transpose()?;
        Sealed::open(text.ok_or(io::ErrorKind::NotFound)?, usize::MAX)
    }

    /// Tells of other configurations.
    pub(super) fn configurations(&self) -> watch::Receiver<()> {
        self.configured.subscribe()
    }

    /// What the webhook did.
    pub(super) fn count_posts(&self, posts: Option<Posts>) {
        self.posts.set(posts);
    }

    /// The same, for metrics.
    pub(super) const fn posts(&self) -> Option<Posts> {
        self.posts.get()
    }

    /// Tells the tasks that the observer ends: each says its last words.
    pub(super) fn stop(&self) {
        self.ended.send_replace(true);
    }

    /// Waits for the end.
    pub(super) async fn end(&self) {
        // the sender lives as long as this
        self.ended.subscribe().wait_for(|ended| *ended).await.ok();
    }

    /// Whose members may change things, besides root.
    pub(super) fn trust(&self, group: Option<u32>) {
        self.group.set(group);
    }

    /// Whether this caller may change things.
    pub(super) fn trusts(&self, caller: &Caller) -> bool {
        caller.uid == 0 || self.group.get().is_some_and(|group| caller.groups.contains(&group))
    }

    /// Has the supervisor make a change for `who`, and waits for what becomes of it.
    pub(super) async fn change(&self, change: Change, who: String) -> Result<(), String> {
        let number = self.last_change.get().wrapping_add(1);
        self.last_change.set(number);
        let (answer, answered) = oneshot::channel();
        self.asked.borrow_mut().insert(number, answer);
        let is_passed_on = self.want(FromChild::Change { number, change, who });
        let made = tokio::time::timeout(TO_CHANGE, answered).await;
        self.asked.borrow_mut().remove(&number);
        match made {
            Ok(Ok(made)) if is_passed_on => made,
            _ => Err("the daemon is busy: it may still do so, and the log says when it has".to_owned()),
        }
    }

    /// Wants something from the supervisor. False if that is gone.
    fn want(&self, wish: FromChild) -> bool {
        self.wishes.send(wish).is_ok()
    }

    /// Takes in what the supervisor saw.
    pub(super) fn see(&self, seen: Seen) {
        match seen {
            Seen::Answered(number, made) => {
                if let Some(answer) = self.asked.borrow_mut().remove(&number) {
                    answer.send(made).ok();
                }
            }
            Seen::Fresh(role) => {
                if let Some(numbers) = self.numbers.borrow_mut().get_mut(&role) {
                    numbers.have_come = true;
                    numbers.took = reactor::now().since(numbers.asked).min(PATIENCE);
                }
                self.came.send_replace(());
            }
            seen => {
                if let Seen::Happened(_, records) = &seen {
                    let mut latest = self.latest.borrow_mut();
                    records.iter().for_each(|record| latest.add(record));
                    self.recent.borrow_mut().add(records);
                }
                let is_number = seen.is_number();
                seen.apply(&mut self.snapshot.borrow_mut());
                if !is_number {
                    self.changed.send_modify(|number| *number = number.wrapping_add(1));
                }
            }
        }
    }

    /// Begins anew with a whole snapshot. Records that are new in it were not told one by one: who follows hears of them now.
    pub(super) fn replace(&self, snapshot: Snapshot) {
        if !self.is_empty.get() {
            let mut records = Vec::new();
            {
                let before = self.snapshot.borrow();
                for (before, now) in before.journals().into_iter().zip(snapshot.journals()) {
                    let new = now.count().saturating_sub(before.count());
                    let new = usize::try_from(new).unwrap_or(usize::MAX).min(now.records().count());
                    records.extend(now.records().skip(now.records().count() - new).cloned());
                }
            }
            records.sort_by_key(|record| record.at);
            self.recent.borrow_mut().add(&records);
        }
        self.latest.replace(Latest::of(&snapshot));
        self.snapshot.replace(snapshot);
        self.is_empty.set(false);
        self.wholes.set(self.wholes.get().wrapping_add(1));
        self.changed.send_modify(|number| *number = number.wrapping_add(1));
        self.came.send_replace(());
    }

    /// What is known now.
    pub(super) fn snapshot(&self) -> Ref<'_, Snapshot> {
        self.snapshot.borrow()
    }

    /// Since when things are as they are.
    pub(super) fn latest(&self) -> Ref<'_, Latest> {
        self.latest.borrow()
    }

    /// The number of the last record that came.
    pub(super) fn last_record(&self) -> u64 {
        self.recent.borrow().last
    }

    /// Records that came after the one of this number, and the number of the last of them. The oldest are gone if there were too many.
    pub(super) fn records_after(&self, number: u64) -> (Vec<Record>, u64) {
        let recent = self.recent.borrow();
        let new = usize::try_from(recent.last.saturating_sub(number)).unwrap_or(usize::MAX).min(recent.records.len());
        (recent.records.iter().skip(recent.records.len() - new).cloned().collect(), recent.last)
    }

    /// How many whole snapshots have come.
    pub(super) fn wholes(&self) -> u64 {
        self.wholes.get()
    }

    /// Tells of changes of the snapshot.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Tells when numbers came for one who asks.
    pub(super) fn asked_for_numbers(&self) -> watch::Receiver<()> {
        self.came.subscribe()
    }

    /// Waits until there is a snapshot and its numbers are fresh, for [`PATIENCE`] at most.
    pub(super) async fn refresh(&self) {
        self.refresh_older(|_| FRESH_FOR).await;
    }

    /// The same if the numbers of a process are as old as `age` says.
    pub(super) async fn refresh_older(&self, age: impl Fn(Role) -> Duration) {
        let mut came = self.came.subscribe();
        let now = reactor::now();
        for role in WITH_NUMBERS {
            let mut numbers = self.numbers.borrow_mut();
            let is_old = |numbers: &Numbers| now.since(numbers.asked) >= age(role).max(numbers.took * MOST_SHARE);
            if numbers.get(&role).is_none_or(is_old) && self.want(FromChild::Refresh(role)) {
                let took = numbers.get(&role).map_or(Duration::ZERO, |numbers| numbers.took);
                numbers.insert(role, Numbers { asked: now, have_come: false, took });
            }
        }
        let all = || !self.is_empty.get() && self.numbers.borrow().values().all(|numbers| numbers.have_come);
        let wait = async { while !all() && came.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, wait).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use keepalived_state::{Event, Subject};

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn many_who_ask_cost_as_much_as_one() {
        let (wishes, mut wanted) = mpsc::unbounded_channel();
        let world = World::new(Config::default(), Secrets::default(), wishes);
        world.replace(Snapshot::default());
        block_on(async {
            let answers = async {
                let mut count = 0;
                while let Some(FromChild::Refresh(role)) = wanted.recv().await {
                    world.see(Seen::Fresh(role));
                    count += 1;
                    if count == WITH_NUMBERS.len() {
                        break;
                    }
                }
            };
            tokio::join!(world.refresh(), world.refresh(), world.refresh(), answers);
            assert!(wanted.try_recv().is_err(), "one request for each process");
        });
    }

    #[test]
    fn records_that_come_with_the_whole_are_told_to_followers() {
        let world = World::new(Config::default(), Secrets::default(), mpsc::unbounded_channel().0);
        let record = |name: &str| Record {
            at: std::time::UNIX_EPOCH,
            subject: Subject::Instance(name.to_owned()),
            event: Event::Removed,
        };
        let mut snapshot = Snapshot::default();
        snapshot.vrrp.journal.push(record("before"));
        world.replace(snapshot.clone());
        assert_eq!(world.last_record(), 0, "these are not new");
        snapshot.vrrp.journal.push(record("told"));
        world.see(Seen::Happened(Role::Vrrp, vec![record("told")]));
        snapshot.vrrp.journal.push(record("missed"));
        snapshot.bfd.journal.push(record("missed, too"));
        world.replace(snapshot);
        let (records, last) = world.records_after(0);
        let names: Vec<_> = records.iter().map(|record| record.subject.to_string()).collect();
        assert_eq!((names, last), (["told", "missed", "missed, too"].map(|name| format!("({name})")).to_vec(), 3));
    }

    #[test]
    fn numbers_serve_those_who_allow_their_age() {
        let (wishes, mut wanted) = mpsc::unbounded_channel();
        let world = World::new(Config::default(), Secrets::default(), wishes);
        world.replace(Snapshot::default());
        let mut ask = |age: Duration| -> Vec<Role> {
            let mut asked = Vec::new();
            block_on(async {
                let answers = async {
                    while let Some(FromChild::Refresh(role)) = wanted.recv().await {
                        world.see(Seen::Fresh(role));
                        asked.push(role);
                    }
                };
                let of = |role| if role == Role::Checker { age } else { Duration::from_secs(3600) };
                tokio::select! { () = answers => {}, () = world.refresh_older(of) => {} }
            });
            asked
        };
        assert_eq!(ask(Duration::from_secs(3600)), WITH_NUMBERS, "there are none yet");
        assert_eq!(ask(Duration::from_secs(3600)), []);
        // as if they had come at once
        world.numbers.borrow_mut().values_mut().for_each(|numbers| numbers.took = Duration::ZERO);
        assert_eq!(ask(Duration::ZERO), [Role::Checker]);
    }
}
