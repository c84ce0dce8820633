//! Programs that the runner runs for us: checks, of which the end is awaited, and notifications, of which it is not.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use keepalived_config::model::Script;
use keepalived_kernel::pipe::Pipe;
use tokio::sync::oneshot;

use crate::message::{self, Ended, HowEnded, Incoming, Order};

/// Orders that wait for a runner at most; the oldest make room.
const MOST_WAITING: usize = 10_000;

/// The way to the runner; all who have it use the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Programs(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    runner: Option<Pipe>,
    /// What the runner has not been told yet.
    waiting: VecDeque<Order>,
    /// Who waits for which end. A runner that takes over gets the orders again.
    awaited: BTreeMap<u64, (Order, oneshot::Sender<HowEnded>)>,
    last_id: u64,
}

impl Programs {
    /// A runner is there. What was awaited from the one before is ordered again.
    pub(super) fn connect(&self, runner: Pipe) {
        let mut state = self.0.borrow_mut();
        let again: Vec<Order> = state.awaited.values().map(|(order, _)| order.clone()).collect();
        let told: Vec<u64> = again.iter().map(|order| order.id).collect();
        state.waiting.retain(|order| !told.contains(&order.id));
        state.waiting.extend(again);
        state.runner = Some(runner);
        state.send();
    }

    /// Has a program run, and does not care how it ends.
    pub(super) fn start(&self, script: &Script, extra: Vec<String>) {
        self.order(script, extra, None);
    }

    /// Runs a program to its end.
    pub(super) async fn run(&self, script: &Script, limit: Option<Duration>) -> HowEnded {
        let (sender, receiver) = oneshot::channel();
        let order = self.order(script, Vec::new(), limit);
        self.0.borrow_mut().awaited.insert(order.id, (order, sender));
        receiver.await.unwrap_or_else(|_| HowEnded::NotRun("nobody watched it".into()))
    }

    fn order(&self, script: &Script, extra: Vec<String>, limit: Option<Duration>) -> Order {
        let mut state = self.0.borrow_mut();
        state.last_id += 1;
        let order = Order { id: state.last_id, script: script.clone(), extra, limit };
        if state.waiting.len() >= MOST_WAITING {
            state.waiting.pop_front();
        }
        state.waiting.push_back(order.clone());
        state.send();
        order
    }

    /// Hears what has ended. False if the runner is gone.
    pub(super) fn listen(&self) -> bool {
        let mut state = self.0.borrow_mut();
        state.send();
        loop {
            let Some(runner) = &mut state.runner else { return false };
            match message::receive::<Ended>(runner) {
                Ok(Incoming::Message(Ended { id, how }, _)) => {
                    if let Some((_, waiter)) = state.awaited.remove(&id) {
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

    /// Tries again to send what waits.
    pub(super) fn catch_up(&self) {
        self.0.borrow_mut().send();
    }
}

impl State {
    fn send(&mut self) {
        let Some(runner) = &self.runner else { return };
        while let Some(order) = self.waiting.front() {
            if message::send(runner, order).is_err() {
                return;
            }
            self.waiting.pop_front();
        }
    }
}
