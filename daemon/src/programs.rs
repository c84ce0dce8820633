//! Programs that the runner runs for a process: checks, notifications, and readers of FIFOs. Plain state: its owner passes the time and
//! asks which programs have ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use keepalived_config::model::Script;
use keepalived_core::time::Instant;
use keepalived_state::ProgramTotals;

use crate::connection::Connection;
use crate::message::{Blame, Ended, HowEnded, Incoming, Lives, Order, Request};

mod fifos;
mod reader;

pub(crate) use fifos::Fifos;

/// How many requests wait for a runner. The oldest notification makes room.
const MOST_WAITING: usize = 10_000;

/// How long after its limit an answer counts as lost: the runner ends such a program, and answers.
const TO_ANSWER: Duration = Duration::from_secs(10);

/// How long to wait for the answer to an order whose program may run for `limit`.
pub(crate) const fn patience(limit: Duration) -> Duration {
    limit.saturating_add(TO_ANSWER)
}

/// Names an order, here and in its answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OrderId(u64);

/// Something that a program tells of.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    /// The program.
    pub(crate) script: &'a Script,
    /// What follows its own arguments.
    pub(crate) extra: Vec<String>,
    /// Variables beside those of the daemon.
    pub(crate) environment: Vec<(String, String)>,
    /// Its subject: of notices about one that have to wait, the last one counts.
    pub(crate) about: String,
}

/// An order for a program that tells of nothing; it gets its number later.
fn plain(script: &Script, extra: Vec<String>, lives: Lives) -> Order {
    Order { id: 0, script: script.clone(), extra, environment: Vec::new(), lives, about: String::new() }
}

/// The orders of a process to the runner.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    runner: Option<Connection>,
    /// Requests that the runner has not got yet.
    waiting: VecDeque<Request>,
    /// Orders that wait for their answers. A new runner gets them again.
    awaited: BTreeMap<OrderId, Awaited>,
    /// When these answers count as lost.
    lost_at: BTreeSet<(Instant, OrderId)>,
    /// Ends that the owner has not taken yet.
    ended: Vec<(OrderId, HowEnded)>,
    last: u64,
}

#[derive(Debug)]
struct Awaited {
    order: Order,
    lost_at: Option<Instant>,
    /// It was told to end.
    unwanted: bool,
}

impl Programs {
    /// Connects to a new runner, and repeats the orders that wait for answers.
    pub(crate) fn connect(&mut self, runner: Connection) {
        // the programs of a runner that died end with it
        let unwanted = self.awaited.iter().filter(|(_, awaited)| awaited.unwanted);
        for id in unwanted.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end_of(id, HowEnded::TimedOut);
        }
        let Self { waiting, awaited, .. } = self;
        waiting.retain(|request| match request {
            Request::Run(order) => !awaited.contains_key(&OrderId(order.id)),
            Request::End { .. } => false,
        });
        waiting.extend(awaited.values().map(|awaited| Request::Run(awaited.order.clone())));
        self.runner = Some(runner);
        self.send();
    }

    /// Orders a notification. Its end is not reported. A runner that dies before that may have it run twice. Of notifications about one subject that wait, only the last one runs.
    pub(crate) fn notify(&mut self, notice: Notice<'_>) {
        let Notice { script, extra, environment, about } = notice;
        let order = Order { id: 0, script: script.clone(), extra, environment, lives: Lives::Freely, about };
        self.order(order);
    }

    /// Orders a program that may run for `limit`. [`Self::ended`] reports its end, also if the answer of the runner is lost.
    pub(crate) fn run(&mut self, script: &Script, limit: Duration, now: Instant) -> OrderId {
        let order = self.order(plain(script, Vec::new(), Lives::AtMost(limit)));
        let lost_at = now + patience(limit);
        if let Some(awaited) = self.awaited.get_mut(&order) {
            awaited.lost_at = Some(lost_at);
            self.lost_at.insert((lost_at, order));
        }
        order
    }

    /// Orders a program with these additional arguments that runs until [`Self::end`]. [`Self::ended`] reports its end, whatever the
    /// cause.
    pub(crate) fn keep(&mut self, script: &Script, extra: Vec<String>) -> OrderId {
        self.order(plain(script, extra, Lives::WhileWanted))
    }

    /// Orders the end of a program. It may take that long to end by itself.
    pub(crate) fn end(&mut self, id: OrderId, within: Duration) {
        if self.withdraw(id) {
            self.end_of(id, HowEnded::TimedOut);
        } else if let Some(awaited) = self.awaited.get_mut(&id) {
            awaited.unwanted = true;
            self.waiting.push_back(Request::End { id: id.0, within });
            self.send();
        }
    }

    /// Withdraws an order that the runner has not got yet. False if it has got it.
    fn withdraw(&mut self, id: OrderId) -> bool {
        let is_it = |request: &Request| matches!(request, Request::Run(order) if order.id == id.0);
        let place = self.waiting.iter().position(is_it);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }

    /// Takes the programs that have ended.
    pub(crate) fn ended(&mut self) -> Vec<(OrderId, HowEnded)> {
        std::mem::take(&mut self.ended)
    }

    /// Sends what waits, and gives up orders whose answers are lost. Returns when to call it again.
    pub(crate) fn turn(&mut self, now: Instant) -> Option<Instant> {
        self.send();
        while let Some((_, id)) = self.lost_at.first().copied().filter(|(at, _)| *at <= now) {
            let limit = match self.awaited.get(&id).map(|awaited| awaited.order.lives) {
                Some(Lives::AtMost(limit)) => limit,
                _ => Duration::ZERO,
            };
            if !self.withdraw(id) {
                self.waiting.push_back(Request::End { id: id.0, within: Duration::ZERO });
                self.send();
            }
            let seconds = patience(limit).as_secs();
            let why = format!("the process that runs programs has not answered within {seconds} s");
            self.end_of(id, HowEnded::NotRun(Blame::Machine, why));
        }
        self.lost_at.first().map(|(at, _)| *at)
    }

    fn end_of(&mut self, id: OrderId, how: HowEnded) {
        // no answer counts after that
        let Some(awaited) = self.awaited.remove(&id) else { return };
        if awaited.order.lives == Lives::Freely {
            // a script that was told of a later state is not told of this one again after it
            let about = &awaited.order.about;
            let is_told = !matches!(how, HowEnded::NotRun(..));
            self.awaited.retain(|other, earlier| {
                !(is_told && *other < id && earlier.order.lives == Lives::Freely && earlier.order.about == *about)
            });
            return;
        }
        if let Some(at) = awaited.lost_at {
            self.lost_at.remove(&(at, id));
        }
        self.ended.push((id, how));
    }

    fn order(&mut self, order: Order) -> OrderId {
        self.last += 1;
        let id = OrderId(self.last);
        let order = Order { id: self.last, ..order };
        self.awaited.insert(id, Awaited { order: order.clone(), lost_at: None, unwanted: false });
        if self.waiting.len() >= MOST_WAITING {
            let nobody_waits = |request: &Request| matches!(request, Request::Run(Order { lives: Lives::Freely, .. }));
            let oldest = self.waiting.iter().position(nobody_waits);
            if let Some(Request::Run(order)) = oldest.and_then(|place| self.waiting.remove(place)) {
                self.awaited.remove(&OrderId(order.id));
            }
        }
        self.waiting.push_back(Request::Run(order));
        self.send();
        id
    }

    /// Reads answers. False if the runner is gone.
    pub(crate) fn listen(&mut self) -> bool {
        self.send();
        loop {
            let Some(runner) = &mut self.runner else { return false };
            match runner.hear::<Ended>() {
                Ok(Incoming::Message(Ended { id, how }, _)) => self.end_of(OrderId(id), how),
                Ok(Incoming::Nothing) => return true,
                Ok(Incoming::Closed) | Err(_) => {
                    self.runner = None;
                    return false;
                }
            }
        }
    }

    /// What was ordered so far.
    pub(crate) fn totals(&self) -> ProgramTotals {
        ProgramTotals { ordered: self.last, waiting: u64::try_from(self.waiting.len()).unwrap_or(u64::MAX) }
    }

    /// Whether orders wait for room in the pipe.
    pub(crate) fn is_behind(&self) -> bool {
        self.runner.is_some() && !self.waiting.is_empty()
    }

    /// Sends what waits before this process ends, as much as the runner takes in a moment.
    pub(crate) fn finish(&mut self) {
        if let Some(runner) = &mut self.runner {
            self.waiting.drain(..).for_each(|request| runner.say(&request));
            runner.finish();
        }
    }

    fn send(&mut self) {
        let Some(runner) = &mut self.runner else { return };
        while let Some(request) = self.waiting.front() {
            if !runner.offer(request) {
                return;
            }
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
