//! Readers: the programs of `*_notify_fifo_script`. Each reads a named pipe as long as that is open.

use std::time::Duration;

use keepalived_config::model::Script;
use keepalived_core::time::Instant;

use super::{OrderId, Programs};
use crate::backoff::Backoff;
use crate::message::HowEnded;

/// A program that runs all the time. If it ends it is started again, soon at first, later after a pause.
#[derive(Debug)]
pub(super) struct Reader {
    script: Script,
    path: String,
    phase: Phase,
    backoff: Backoff,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// It waits for the reader before it to end: two at a time would share the lines.
    After(OrderId),
    Runs(OrderId),
    /// It starts at this time.
    Rests(Instant),
}

/// A reader that has been told to end, and runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending(OrderId);

impl Reader {
    /// Starts `script` with `path` as its last argument, once `before` has ended.
    pub(super) fn start(programs: &mut Programs, script: &Script, path: &str, before: Option<Ending>) -> Self {
        let phase = match before {
            Some(Ending(id)) => Phase::After(id),
            None => Phase::Runs(programs.keep(script, vec![path.to_owned()])),
        };
        Self { script: script.clone(), path: path.to_owned(), phase, backoff: Backoff::default() }
    }

    /// Ends it: it may end by itself within this time, because the pipe is closed; then the runner asks it to end.
    pub(super) fn end(self, programs: &mut Programs, within: Duration) -> Option<Ending> {
        match self.phase {
            Phase::Runs(id) => {
                programs.end(id, within);
                Some(Ending(id))
            }
            Phase::After(id) => Some(Ending(id)),
            Phase::Rests(_) => None,
        }
    }

    /// A program has ended. If it is this one, it is started again.
    pub(super) fn ended(&mut self, id: OrderId, how: &HowEnded, now: Instant, programs: &mut Programs) {
        if self.phase == Phase::After(id) {
            self.run(programs);
        } else if self.phase == Phase::Runs(id) {
            let name = self.script.argv.first().map_or("", String::as_str);
            tracing::warn!("script {name}, which reads {}, {how}; starting it again", self.path);
            self.phase = Phase::Rests(now + self.backoff.next(now));
        }
    }

    /// Starts it if it is due. Returns when it will be.
    pub(super) fn turn(&mut self, now: Instant, programs: &mut Programs) -> Option<Instant> {
        match self.phase {
            Phase::Rests(until) if until > now => return Some(until),
            Phase::Rests(_) => self.run(programs),
            Phase::After(_) | Phase::Runs(_) => {}
        }
        None
    }

    fn run(&mut self, programs: &mut Programs) {
        self.phase = Phase::Runs(programs.keep(&self.script, vec![self.path.clone()]));
    }
}

#[cfg(test)]
mod tests;
