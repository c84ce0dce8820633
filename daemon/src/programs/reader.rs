//! The programs of `*_notify_fifo_script`: each reads a named pipe as long as that is told of anything.

use std::time::Duration;

use keepalived_config::model::Script;
use keepalived_core::time::Instant;

use super::{OrderId, Programs};
use crate::backoff::Backoff;
use crate::message::HowEnded;

/// A program that runs all the time: it is started again when it ends, soon at first, later after a pause.
#[derive(Debug)]
pub(super) struct Reader {
    script: Script,
    path: String,
    phase: Phase,
    backoff: Backoff,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The reader before this one has not ended yet: two at a time would share the lines.
    After(OrderId),
    Runs(OrderId),
    /// It is started at this time.
    Rests(Instant),
}

/// A reader that was told to end, and has not done so yet.
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

    /// It is to end: by itself within this time, for the pipe has come to its end, or because it is asked to.
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

    /// A program of this process has ended, which may be this one.
    pub(super) fn ended(&mut self, id: OrderId, how: &HowEnded, now: Instant, programs: &mut Programs) {
        if self.phase == Phase::After(id) {
            self.run(programs);
        } else if self.phase == Phase::Runs(id) {
            let name = self.script.argv.first().map_or("", String::as_str);
            tracing::warn!("script {name}, which reads {}, {how}; starting it again", self.path);
            self.phase = Phase::Rests(now + self.backoff.next(now));
        }
    }

    /// Starts it if it is time to. Returns when it is.
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
