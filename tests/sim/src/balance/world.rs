//! A balancer, its servers, the kernel's table, and what happens in order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::ops::Add;
use std::time::Duration;

use keepalived_config::model::Checker;
use keepalived_core::balance::{CheckResult, Table, Ticket};
use keepalived_daemon::checker::{AtExit, Before, DueStep, Engine, Report, Task, Unfinished};
use keepalived_kernel::fake::FakeDirector;
use keepalived_state::BalanceView;

use super::disturbance::{Condition, Disturbance};
use super::model::{Answer, Model, Told, found};
use super::scenario::Scenario;
use super::setting::{self, FileRule, Kind, Named, Setting};
use super::watch::{SLACK, Watch, judge_told};
use crate::clock::{Clock, Moment};
use crate::follower::Follower;
use crate::invariant::{Broken, Invariant, Violation};
use crate::queue::Queue;
use crate::random::Random;
use crate::trace::Trace;

mod kernel;
mod steps;

use steps::Step;

/// What is due within this time begins together, as in the checker process.
const TOGETHER: Duration = Duration::from_millis(10);

/// The kernel's notification, and the pause between two looks, with some time to spare.
const NOTIFIED: Duration = Duration::from_millis(1_200);

/// How soon the supervisor starts again what could not begin.
const BACK_OFF: Duration = Duration::from_secs(5);

/// EIO: what the kernel answers when it does not answer.
const NO_ANSWER: i32 = 5;

/// Turns within a second in which nothing happens after which an engine counts as one that never rests.
const MOST_IDLE: usize = 50;

/// A run.
#[derive(Debug)]
pub struct World {
    seed: u64,
    now: Moment,
    end: Moment,
    clock: Clock,
    random: Random,
    setting: Setting,
    notifies: bool,
    life: Life,
    /// How many checkers have begun.
    lives: u64,
    /// Steps that are under way, whether they will be answered or not.
    steps: BTreeMap<Ticket, Step>,
    servers: BTreeMap<u8, Condition>,
    /// Numbers in files.
    files: BTreeMap<u8, i64>,
    /// Addresses of virtual servers that are not on this machine.
    gone: BTreeSet<u8>,
    /// There is a runner; programs of those before are gone.
    runner: Option<u64>,
    runners: u64,
    loses: bool,
    shortage: Option<i32>,
    /// Since when the checker has no turn.
    paused: Option<Moment>,
    /// Since when it has turns.
    awake: Moment,
    next_turn: Option<Moment>,
    /// How many turns there were since then in which nothing happened.
    idle: usize,
    idle_since: Moment,
    /// Something has ended, and the turn that makes the table follows.
    waits: bool,
    /// What the next turn has to tell.
    expected: Vec<Told>,
    /// What the checker has told its supervisor to remember.
    unfinished: Unfinished,
    /// The supervisor, as far as it hears what the checker shows.
    follower: Follower<BalanceView>,
    watch: Watch,
    trace: Trace,
    queue: Queue<Event>,
    statistics: Statistics,
    planted: Option<Planted>,
}

#[derive(Debug)]
enum Life {
    Up(Box<(Engine<FakeDirector>, Model)>),
    /// No checker; the kernel remains, whether a supervisor that has seen one before will start the next, and how that
    /// one stood.
    Down {
        kernel: Box<FakeDirector>,
        resumes: bool,
        before: Option<Box<Model>>,
    },
}

#[derive(Debug)]
enum Event {
    Happens(Disturbance),
    /// The checker is scheduled, if this is still the plan.
    Turn,
    /// A step of this life ends; that of a program if this runner is still there.
    Answers {
        life: u64,
        ticket: Ticket,
        answer: Answer,
        runner: Option<u64>,
    },
    /// The kernel tells that others have changed its table.
    Notified,
}

/// How much happened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Statistics {
    /// Things that happened.
    pub events: usize,
    /// Steps of checks.
    pub steps: usize,
    /// Changes of servers and quorums that were told.
    pub told: usize,
    /// Time that passed in the world.
    pub time: Duration,
}

impl Add for Statistics {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            steps: self.steps + other.steps,
            told: self.told + other.told,
            time: self.time + other.time,
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, steps, told, time } = self;
        let hours = time.as_secs_f64() / 3600.0;
        write!(f, "{hours:.1} h of virtual time, {events} events, {steps} steps of checks, {told} changes told")
    }
}

/// A fault that is planted to see whether the watch finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// The checker hears the opposite of every failure.
    Deaf,
    /// The checker never hears of steps that were begun, and the watch does not know that they were.
    Idle,
    /// Each step is begun twice.
    Eager,
    /// What is told is told twice.
    Twice,
    /// Nothing is told.
    Mute,
    /// What others change is known to the watch as a doubt, and not as their deed.
    Framed,
    /// The watch does not know what others do.
    Unwatched,
    /// What others have goes when the checker is told to stop.
    Greedy,
    /// The checker leaves the table when it is told to stop.
    Untidy,
    /// A server goes from the table in the moment before a checker comes back.
    Forgetful,
    /// A checker that comes back begins with the present configuration, not with that of the one before it.
    Heirless,
    /// The supervisor does not remember what a checker has to remove.
    Forgiven,
    /// The checker does not hear what is in files.
    Unread,
    /// The checker does not hear which addresses are on this machine.
    Waking,
    /// The checker does not see the last key of each group.
    Short,
    /// The checker does not see servers of a virtual server whose keys others name before it.
    Sole,
    /// What the checker shows changes, and the supervisor does not hear all of it.
    LostChanges,
}

impl World {
    /// The world of `scenario` before anything has happened.
    pub fn new(scenario: Scenario, trace: Trace) -> Self {
        let Scenario { seed, setting, notifies, plan, end } = scenario;
        let mut random = Random::new(seed ^ 0x6261_6c61_6e63_6572);
        let clock = Clock::new(random.between(1, 1_000_000) * 1_000_000, 0);
        let mut world = Self {
            seed,
            now: Moment::START,
            end,
            clock,
            random,
            watch: Watch::new(look(&setting, notifies)),
            setting,
            notifies,
            life: Life::Down { kernel: Box::default(), resumes: false, before: None },
            lives: 0,
            steps: BTreeMap::new(),
            servers: BTreeMap::new(),
            files: BTreeMap::new(),
            gone: BTreeSet::new(),
            runner: Some(0),
            runners: 0,
            loses: false,
            shortage: None,
            paused: None,
            awake: Moment::START,
            next_turn: None,
            idle: 0,
            idle_since: Moment::START,
            expected: Vec::new(),
            unfinished: Unfinished::default(),
            follower: Follower::default(),
            waits: false,
            trace,
            queue: Queue::default(),
            statistics: Statistics::default(),
            planted: None,
        };
        let line = format!("notifications {notifies}, {:?}", world.setting);
        world.trace.note(Moment::START, || line);
        for (at, disturbance) in plan {
            world.queue.plan(at, Event::Happens(disturbance));
        }
        world
    }

    /// Plants a fault.
    pub fn plant(&mut self, fault: Planted) {
        self.planted = Some(fault);
        self.follower.loses = fault == Planted::LostChanges;
    }

    /// Runs it to its end, or to the first promise that is not kept.
    pub fn run(mut self) -> (Result<Statistics, Box<Violation>>, Trace) {
        let result = self.run_all();
        let (seed, at) = (self.seed, self.now);
        let statistics = Statistics { time: at.since(Moment::START), ..self.statistics };
        let violation = |(invariant, detail)| Box::new(Violation { invariant, seed, at, detail });
        (result.map(|()| statistics).map_err(violation), self.trace)
    }

    fn run_all(&mut self) -> Result<(), Broken> {
        while let Some((at, event)) = self.queue.pop() {
            if at > self.end {
                break;
            }
            self.now = at;
            self.statistics.events += 1;
            self.stand()?;
            match event {
                Event::Happens(disturbance) => self.happen(disturbance)?,
                Event::Turn if self.next_turn == Some(at) && self.paused.is_none() => {
                    if at.since(self.idle_since) > SLACK {
                        (self.idle, self.idle_since) = (0, at);
                    }
                    self.idle += 1;
                    self.turn()?;
                    if self.idle > MOST_IDLE {
                        let text = "the checker wants to be woken again and again, and does nothing".to_owned();
                        return Err((Invariant::Sleeps, text));
                    }
                }
                Event::Turn => {}
                Event::Answers { life, ticket, answer, runner } => {
                    if life == self.lives && runner.is_none_or(|runner| self.runner == Some(runner)) {
                        self.answer(ticket, answer)?;
                    }
                }
                Event::Notified => self.notified(),
            }
        }
        self.now = self.end;
        self.stand()
    }

    /// Judges how things have stood since the last event.
    fn stand(&mut self) -> Result<(), Broken> {
        let (Life::Up(life), None) = (&mut self.life, self.paused) else { return Ok(()) };
        let (engine, model) = &mut **life;
        let now = self.now;
        if self.waits {
            return Ok(());
        }
        if let Some(late) = model.overdue(self.awake, now, SLACK) {
            return Err((Invariant::Asked, late));
        }
        if model.departures().any(|at| now > at.max(self.awake) + SLACK) {
            return Err((Invariant::Table, "a server that has left has not left".to_owned()));
        }
        self.watch.judge(engine.director().table(), model, now)
    }

    fn shown(&self) -> keepalived_core::time::Instant {
        self.clock.show(self.now)
    }

    /// The checker has a turn.
    fn turn(&mut self) -> Result<(), Broken> {
        let shown = self.shown();
        (self.next_turn, self.waits) = (None, false);
        let Life::Up(life) = &mut self.life else { return Ok(()) };
        let (engine, model) = &mut **life;
        let wake = engine.turn(shown);
        if let Some(unfinished) = engine.unfinished() {
            self.unfinished = unfinished;
        }
        model.depart(self.now);
        let due: Vec<DueStep> = engine.due().collect();
        for ran in due {
            self.idle = 0;
            self.begin(&ran)?;
        }
        self.hear()?;
        if let Life::Up(life) = &mut self.life
            && let Some(misled) = self.follower.follow(&mut life.0)
        {
            return Err((Invariant::CheckerFollowed, misled));
        }
        self.stand()?;
        if let Some(wake) = wake {
            let at = self.clock.moment(wake).max(self.now + TOGETHER) + self.random.duration(TOGETHER);
            self.next_turn = Some(at);
            self.queue.plan(at, Event::Turn);
        }
        Ok(())
    }

    /// What the checker tells.
    fn hear(&mut self) -> Result<(), Broken> {
        let Life::Up(life) = &mut self.life else { return Ok(()) };
        let reports: Vec<Report> = life.0.reports(usize::MAX).collect();
        let now = self.now;
        for report in &reports {
            self.trace.note(now, || format!("checker: {report}"));
            match report {
                Report::Repaired { .. } => self.watch.blamed()?,
                Report::Unkept { .. } => {
                    return Err((Invariant::NoBlame, format!("the checker blames itself: {report}")));
                }
                _ => {} // what is told of is compared, the rest is for people
            }
        }
        let mut told: Vec<Told> = reports.iter().filter_map(Told::of).collect();
        self.statistics.told += told.len();
        if !told.is_empty() {
            self.idle = 0;
        }
        match self.planted {
            Some(Planted::Twice) => told.extend(told.clone()),
            Some(Planted::Mute) => told.clear(),
            _ => {}
        }
        judge_told(&told, &std::mem::take(&mut self.expected))
    }

    fn notified(&mut self) {
        if self.paused.is_some() {
            self.queue.plan(self.now + SLACK / 4, Event::Notified);
            return;
        }
        let shown = self.shown();
        if let Life::Up(life) = &mut self.life {
            life.0.table_changed(shown);
            let at = self.now + TOGETHER;
            self.next_turn = Some(at);
            self.queue.plan(at, Event::Turn);
        }
    }

    fn kernel(&mut self) -> &mut FakeDirector {
        match &mut self.life {
            Life::Up(life) => life.0.director(),
            Life::Down { kernel, .. } => kernel,
        }
    }

    fn happen(&mut self, disturbance: Disturbance) -> Result<(), Broken> {
        let now = self.now;
        self.trace.note(now, || format!("== {disturbance}"));
        match disturbance {
            Disturbance::Start | Disturbance::Respawn => self.start()?,
            Disturbance::Stop(keeps) => self.stop(keeps)?,
            Disturbance::KillAll => self.kill(false),
            Disturbance::Kill => self.kill(true),
            Disturbance::Pause => {
                if matches!(self.life, Life::Up(_)) && self.paused.is_none() {
                    self.paused = Some(now);
                }
            }
            Disturbance::Resume => {
                if let Some(slept_at) = self.paused.take() {
                    self.awake = now;
                    self.watch.awakes(slept_at, now);
                    self.next_turn = Some(now);
                    self.queue.plan(now, Event::Turn);
                    self.look_outside();
                    self.waits = true;
                }
            }
            Disturbance::Condition(server, condition) => drop(self.servers.insert(server, condition)),
            Disturbance::Refuse(service, server) => self.refuse(service, server, true),
            Disturbance::Grant(service, server) => self.refuse(service, server, false),
            Disturbance::Silence => self.silence(true),
            Disturbance::Speech => self.silence(false),
            Disturbance::Blindness => {
                self.kernel().fail_reading(Some(NO_ANSWER));
                self.watch.blind(true, now);
            }
            Disturbance::Dimness => {
                self.kernel().fail_reading_servers(Some(NO_ANSWER));
                self.watch.blind(true, now);
            }
            Disturbance::Sight => {
                self.kernel().fail_reading(None);
                self.kernel().fail_reading_servers(None);
                self.watch.blind(false, now);
            }
            Disturbance::Meddle(what) => self.meddle(what),
            Disturbance::RunnerDies => self.runner = None,
            Disturbance::RunnerComes => {
                if self.runner.is_none() {
                    self.runners += 1;
                    self.runner = Some(self.runners);
                    let programs = self.steps.iter().filter(|(_, step)| matches!(step.target.kind, Kind::Misc(_)));
                    let again: Vec<Ticket> = programs.map(|(ticket, _)| *ticket).collect();
                    again.into_iter().for_each(|ticket| self.plan_answer(ticket));
                }
            }
            Disturbance::Lose => self.loses = true,
            Disturbance::Deliver => self.loses = false,
            Disturbance::Shortage(errno) => self.shortage = Some(errno),
            Disturbance::Plenty => self.shortage = None,
            Disturbance::Writes(file, number) => {
                self.files.insert(file, number);
                self.hear_outside()?;
            }
            Disturbance::Leaves(number) => {
                self.gone.insert(number);
                self.hear_outside()?;
            }
            Disturbance::Comes(number) => {
                self.gone.remove(&number);
                self.hear_outside()?;
            }
            Disturbance::Reload(setting) => self.reload(*setting)?,
        }
        Ok(())
    }

    /// The checker hears what is in files and which addresses are here, if it has a turn.
    fn hear_outside(&mut self) -> Result<(), Broken> {
        if self.paused.is_some() || matches!(self.life, Life::Down { .. }) {
            return Ok(());
        }
        self.look_outside();
        self.idle = 0;
        self.turn()
    }

    /// What the checker process knows from outside: files, and addresses of this machine.
    fn look_outside(&mut self) {
        let (now, shown) = (self.now, self.shown());
        let Life::Up(life) = &mut self.life else { return };
        let (engine, model) = &mut **life;
        let files = &self.files;
        if self.planted != Some(Planted::Unread) {
            engine.told(|task| read(task, files), shown);
        }
        self.expected.extend(model.reads(files));
        let gone = &self.gone;
        let is_gone = |address: IpAddr| matches!(address, IpAddr::V4(it) if gone.contains(&it.octets()[3]));
        if self.planted != Some(Planted::Waking) {
            engine.suspend(|address| !is_gone(address), shown);
        }
        model.suspend(gone, now);
    }

    /// The setting as the checker is given it.
    fn text(&self, setting: &Setting) -> String {
        let mut setting = setting.clone();
        let mut named: BTreeSet<u8> = BTreeSet::new();
        for service in &mut setting.services {
            if let (Some(Planted::Short), Named::Group(others)) = (self.planted, &mut service.named) {
                others.pop();
            }
            if self.planted == Some(Planted::Sole) && service.numbers().iter().any(|key| named.contains(key)) {
                service.servers.truncate(1);
            }
            named.extend(service.numbers());
        }
        setting::text(&setting)
    }

    /// A checker begins: with what the one before it had, if that died, and the present configuration follows as a
    /// reload.
    fn start(&mut self) -> Result<(), Broken> {
        let Life::Down { kernel, resumes, before } = &mut self.life else { return Ok(()) };
        let (resumes, before) = (*resumes, before.take());
        let (now, shown) = (self.now, self.clock.show(self.now));
        let mut kernel = std::mem::take(&mut **kernel);
        let flushes = self.setting.flush && !resumes;
        let there = if flushes { Table::new() } else { kernel.table().clone() };
        let heir = before.as_ref().filter(|_| resumes);
        let first = heir.map_or_else(|| self.setting.clone(), |before| before.setting.clone());
        let (mut model, expected) = Model::new(first.clone(), &there, resumes, now);
        match heir {
            Some(before) => {
                model.inherit(before);
                self.watch.goes_on();
            }
            None => self.watch.begins(&there, &model),
        }
        let of = if self.planted == Some(Planted::Heirless) { &self.setting } else { &first };
        let config = crate::setting::configuration(&self.text(of));
        let seed = self.random.bits();
        match self.planted {
            Some(Planted::Forgetful) => {
                kernel.table_mut().values_mut().for_each(|entry| entry.destinations.clear());
            }
            Some(Planted::Forgiven) => self.unfinished = Unfinished::default(),
            _ => {}
        }
        let remembered = if resumes { Before::Process(self.unfinished.clone()) } else { Before::Nothing };
        // one that cannot begin is gone, and what it had with it
        let engine = Engine::new(shown, config, kernel.clone(), &remembered, seed);
        match engine {
            Ok(engine) => {
                self.lives += 1;
                self.steps.clear();
                (self.paused, self.awake, self.idle) = (None, now, 0);
                self.life = Life::Up(Box::new((engine, model)));
                self.expected = expected;
                if before.is_some_and(|before| before.setting == self.setting) {
                    self.taken_over(&there)?;
                }
                self.look_outside();
                self.turn()?;
                if first == self.setting { Ok(()) } else { self.reload(self.setting.clone()) }
            }
            Err(error) => {
                self.trace.note(now, || format!("the checker cannot begin: {error}"));
                self.life = Life::Down { kernel: Box::new(kernel), resumes, before };
                self.queue.plan(now + BACK_OFF, Event::Happens(Disturbance::Respawn));
                Ok(())
            }
        }
    }

    /// Servers that were in the table are in it.
    fn taken_over(&mut self, there: &Table) -> Result<(), Broken> {
        let Life::Up(life) = &mut self.life else { return Ok(()) };
        let (engine, model) = &mut **life;
        if !self.watch.is_sure(self.now) {
            return Ok(());
        }
        let table = engine.director().table();
        for (key, to) in model.serving(there) {
            let weight = table.get(&key).and_then(|entry| entry.destinations.get(&to)).map(|entry| entry.weight);
            if weight.is_none_or(|weight| weight == 0) {
                let text = format!("{} of {key:?} was in the table, and its weight is now {weight:?}", to.address);
                return Err((Invariant::TakesOver, text));
            }
        }
        Ok(())
    }

    /// The checker is gone; its supervisor `resumes` with another.
    fn kill(&mut self, supervised: bool) {
        match &mut self.life {
            Life::Up(life) => {
                let kernel = Box::new(std::mem::take(life.0.director()));
                let before = Some(Box::new(life.1.clone()));
                self.life = Life::Down { kernel, resumes: supervised, before };
            }
            Life::Down { resumes, .. } => *resumes &= supervised,
        }
        if !supervised {
            self.unfinished = Unfinished::default();
        }
        (self.paused, self.waits) = (None, false);
        self.expected.clear();
    }

    fn stop(&mut self, keeps: bool) -> Result<(), Broken> {
        let (now, shown) = (self.now, self.shown());
        if self.paused.is_some() {
            return Ok(());
        }
        let Life::Up(life) = &mut self.life else { return Ok(()) };
        let (engine, model) = &mut **life;
        let before = engine.director().table().clone();
        let at_exit = if keeps || self.planted == Some(Planted::Untidy) { AtExit::Keep } else { AtExit::Release };
        if !keeps {
            self.expected.extend(model.stop());
        }
        engine.stop(at_exit, shown);
        if self.planted == Some(Planted::Greedy) {
            engine.director().table_mut().clear();
        }
        let table = engine.director().table().clone();
        self.hear()?;
        if keeps && table != before {
            return Err((Invariant::Leaves, "the table was to stay as it is".to_owned()));
        }
        if !keeps {
            self.watch.judge_end(&table, self.setting.flush_on_stop, now)?;
        }
        self.kill(false);
        Ok(())
    }

    fn reload(&mut self, setting: Setting) -> Result<(), Broken> {
        let (now, shown) = (self.now, self.shown());
        self.watch.set_look(look(&setting, self.notifies));
        self.setting = setting;
        if let Some(slept_at) = self.paused.take() {
            // it is told when it has a turn
            self.awake = now;
            self.watch.awakes(slept_at, now);
        }
        let config = crate::setting::configuration(&self.text(&self.setting));
        let Life::Up(life) = &mut self.life else { return Ok(()) };
        let (engine, model) = &mut **life;
        self.expected.extend(model.reload(self.setting.clone(), now));
        self.watch.reloads(model);
        engine.reload(shown, config).map_err(|error| (Invariant::Sleeps, format!("no reload: {error}")))?;
        self.idle = 0;
        self.look_outside();
        self.turn()
    }
}

/// What the checker process makes of the number in a file (`daemon/src/checker/outside.rs` reads it).
fn read(task: Task<'_>, files: &BTreeMap<u8, i64>) -> Option<CheckResult> {
    let Checker::File(check) = task.checker else { return None };
    let file: u8 = check.track_file.strip_prefix('f')?.parse().ok()?;
    let rule = FileRule { file, multiplier: check.weight.multiplier, reverse: check.weight.reverse };
    Some(match found(rule, files.get(&file).copied().unwrap_or(0)) {
        Answer::Well(weight) => CheckResult::Passed { weight },
        Answer::Ill | Answer::Unasked => CheckResult::Failed("it holds something else".to_owned()),
    })
}

/// How soon the checker notices what others do to the table.
fn look(setting: &Setting, notifies: bool) -> Duration {
    if notifies { NOTIFIED } else { Duration::from_secs(setting.repair_interval) }
}

/// Runs one seed of the balancer.
///
/// # Errors
/// The promise that was not kept.
pub fn run(seed: u64) -> Result<Statistics, Box<Violation>> {
    World::new(Scenario::of(seed), Trace::off()).run().0
}
