//! The programs of `*_notify_fifo_script`: each reads a named pipe as long as that is told of anything.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use keepalived_config::model::Script;
use keepalived_kernel::reactor;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::programs::Programs;
use crate::backoff::Backoff;

/// A program that runs all the time: it is started again when it ends, soon at first, later after a pause.
#[derive(Debug)]
pub(super) struct Reader {
    programs: Programs,
    /// What the runner calls it; none while it does not run.
    running: Rc<Cell<Option<u64>>>,
    /// Dropped when it is not wanted any more.
    wanted: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// A reader that was told to end, and may not have done so yet.
#[derive(Debug)]
pub(super) struct Ending(JoinHandle<()>);

impl Reader {
    /// Starts `script` with `path` as its last argument; `after` that one has ended, since two at a time would share the lines.
    pub(super) fn start(programs: &Programs, script: &Script, path: &str, after: Option<Ending>) -> Self {
        let running = Rc::new(Cell::new(None));
        let (wanted, until) = oneshot::channel();
        let keeper = keep_running(programs.clone(), script.clone(), path.to_owned(), Rc::clone(&running), until);
        let task = tokio::task::spawn_local(async move {
            if let Some(Ending(before)) = after {
                // a task that panicked has ended, too
                before.await.ok();
            }
            keeper.await;
        });
        Self { programs: programs.clone(), running, wanted, task }
    }

    /// It is to end: by itself within this time, for the pipe has come to its end, or because it is asked to.
    pub(super) fn end(self, within: Duration) -> Ending {
        let Self { programs, running, wanted, task } = self;
        drop(wanted);
        if let Some(id) = running.get() {
            programs.end(id, within);
        }
        Ending(task)
    }
}

async fn keep_running(
    programs: Programs,
    script: Script,
    path: String,
    running: Rc<Cell<Option<u64>>>,
    mut until: oneshot::Receiver<()>,
) {
    let mut backoff = Backoff::default();
    // nothing is ever sent: a receiver that is empty has a sender
    while until.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
        let (id, ended) = programs.keep(&script, vec![path.clone()]);
        running.set(Some(id));
        let how = ended.await;
        running.set(None);
        if until.try_recv() != Err(oneshot::error::TryRecvError::Empty) {
            return;
        }
        let name = script.argv.first().map_or("", String::as_str);
        match how {
            Ok(how) => tracing::warn!("script {name}, which reads {path}, {how}; starting it again"),
            Err(_) => return,
        }
        let pause = backoff.next(reactor::now());
        if !pause.is_zero() {
            tokio::select! {
                _ = &mut until => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
