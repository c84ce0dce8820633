//! Programs that the runner runs for us: checks, of which the end is awaited, notifications, of which it is not, and readers, which
//! run until they are told to end.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use keepalived_config::model::Script;
use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::message::{Blame, Ended, HowEnded, Incoming, Lives, Order, Request};

/// Requests that wait for a runner at most; the oldest of which nobody awaits the end make room.
const MOST_WAITING: usize = 10_000;

/// The runner ends a program whose time is over, and says so. An answer that has not come by then is lost.
const TO_ANSWER: Duration = Duration::from_secs(10);

/// How long the answer to an order is awaited: its program may run for `limit`.
pub(super) const fn patience(limit: Duration) -> Duration {
    limit.saturating_add(TO_ANSWER)
}

/// The way to the runner; all who have it use the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Programs(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    runner: Option<Connection>,
    /// What the runner has not been told yet.
    waiting: VecDeque<Request>,
    /// Who waits for which end. A runner that takes over gets the orders again.
    awaited: BTreeMap<u64, Awaited>,
    last_id: u64,
}

#[derive(Debug)]
struct Awaited {
    order: Order,
    waiter: oneshot::Sender<HowEnded>,
    /// It was told to end.
    unwanted: bool,
}

impl Programs {
    /// A runner is there. What was awaited from the one before is ordered again.
    pub(super) fn connect(&self, runner: Connection) {
        let mut state = self.0.borrow_mut();
        // the programs of a runner that died end with it
        let ended = state.awaited.extract_if(.., |_, awaited| awaited.unwanted).collect::<Vec<_>>();
        for (_, awaited) in ended {
            awaited.waiter.send(HowEnded::TimedOut).ok();
        }
        let State { waiting, awaited, .. } = &mut *state;
        waiting.retain(|request| match request {
            Request::Run(order) => !awaited.contains_key(&order.id),
            Request::End { .. } => false,
        });
        waiting.extend(awaited.values().map(|awaited| Request::Run(awaited.order.clone())));
        state.runner = Some(runner);
        state.send();
    }

    /// Has a program tell of something, and does not care how it ends.
    pub(super) fn notify(&self, script: &Script, about: String) {
        self.order(script, Vec::new(), Lives::Freely, about, None);
    }

    /// Runs a program to its end, which comes within `limit`. If the runner does not say so in time it is not awaited any longer.
    pub(super) async fn run(&self, script: &Script, limit: Duration) -> HowEnded {
        let (sender, receiver) = oneshot::channel();
        let id = self.order(script, Vec::new(), Lives::AtMost(limit), String::new(), Some(sender));
        let patience = patience(limit);
        match tokio::time::timeout(patience, receiver).await {
            Ok(Ok(how)) => how,
            Ok(Err(_)) => HowEnded::NotRun(Blame::Machine, "it was not watched".into()),
            Err(_) => {
                self.give_up(id);
                let why = format!("the process that runs programs has not answered within {} s", patience.as_secs());
                HowEnded::NotRun(Blame::Machine, why)
            }
        }
    }

    /// The end of a program is not awaited any longer.
    fn give_up(&self, id: u64) {
        self.end(id, Duration::ZERO);
        self.0.borrow_mut().awaited.remove(&id);
    }

    /// Has a program run until [`Self::end`] with the number that is returned; its end is told, whatever it comes from.
    pub(super) fn keep(&self, script: &Script, extra: Vec<String>) -> (u64, oneshot::Receiver<HowEnded>) {
        let (sender, receiver) = oneshot::channel();
        (self.order(script, extra, Lives::WhileWanted, String::new(), Some(sender)), receiver)
    }

    /// A program is not wanted any more. It has so long to end by itself.
    pub(super) fn end(&self, id: u64, within: Duration) {
        let mut state = self.0.borrow_mut();
        let is_it = |request: &Request| matches!(request, Request::Run(order) if order.id == id);
        if let Some(place) = state.waiting.iter().position(is_it) {
            state.waiting.remove(place);
            if let Some(awaited) = state.awaited.remove(&id) {
                awaited.waiter.send(HowEnded::TimedOut).ok();
            }
            return;
        }
        let Some(awaited) = state.awaited.get_mut(&id) else { return };
        awaited.unwanted = true;
        state.waiting.push_back(Request::End { id, within });
        state.send();
    }

    fn order(
        &self,
        script: &Script,
        extra: Vec<String>,
        lives: Lives,
        about: String,
        waiter: Option<oneshot::Sender<HowEnded>>,
    ) -> u64 {
        let mut state = self.0.borrow_mut();
        state.last_id += 1;
        let id = state.last_id;
        let order = Order { id, script: script.clone(), extra, lives, about };
        if let Some(waiter) = waiter {
            state.awaited.insert(id, Awaited { order: order.clone(), waiter, unwanted: false });
        }
        if state.waiting.len() >= MOST_WAITING {
            let nobody_waits = |request: &Request| matches!(request, Request::Run(Order { lives: Lives::Freely, .. }));
            if let Some(place) = state.waiting.iter().position(nobody_waits) {
                state.waiting.remove(place);
            }
        }
        state.waiting.push_back(Request::Run(order));
        state.send();
        id
    }

    /// Hears what has ended. False if the runner is gone.
    pub(super) fn listen(&self) -> bool {
        let mut state = self.0.borrow_mut();
        state.send();
        loop {
            let Some(runner) = &mut state.runner else { return false };
            match runner.hear::<Ended>() {
                Ok(Incoming::Message(Ended { id, how }, _)) => {
                    if let Some(Awaited { waiter, .. }) = state.awaited.remove(&id) {
                        // a check that was given up does not hear it
                        waiter.send(how).ok();
                    }
                }
                Ok(Incoming::Nothing) => return true,
                Ok(Incoming::Closed) | Err(_) => {
                    state.runner = None;
                    return false;
                }
            }
        }
    }

    /// Whether orders wait for room in the pipe.
    pub(super) fn is_behind(&self) -> bool {
        let state = self.0.borrow();
        state.runner.is_some() && !state.waiting.is_empty()
    }

    /// Sends what waits before this process ends, as much as the runner takes in a moment.
    pub(super) fn finish(&self) {
        let State { runner, waiting, .. } = &mut *self.0.borrow_mut();
        if let Some(runner) = runner {
            waiting.drain(..).for_each(|request| runner.say(&request));
            runner.finish();
        }
    }

    /// Tries again to send what waits.
    pub(super) fn catch_up(&self) {
        self.0.borrow_mut().send();
    }
}

impl State {
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
