//! Children that end: who takes their place, and when.

use keepalived_core::time::Instant;
use keepalived_kernel::process::{self, Exit, Pid};
use keepalived_kernel::reactor;

use super::Supervisor;
use super::children::Begins;
use super::worker::Worker;
use crate::exit;
use crate::role::Role;

impl Supervisor {
    /// Finds out whether a child has ended, and starts it anew where that makes sense.
    pub(super) fn reap(&mut self, role: Role) {
        let Some(worker) = self.worker(role) else { return };
        let Ok(Some(ended)) = worker.ended() else { return };
        let pid = worker.pid();
        // what it said last
        self.listen(role);
        let was_stuck = self.worker(role).is_some_and(Worker::was_stuck);
        let now = reactor::now();
        let was_reloading = self.worker(role).is_some_and(|worker| worker.reloading);
        let Some(post) = self.post(role) else { return };
        let had_run = post.has_run;
        let had_lived = post.worker.as_ref().is_some_and(Worker::has_lived);
        // one that never got to its work leaves it undone for as long as before
        post.idle_since.get_or_insert(if was_stuck { Instant::ZERO } else { now });
        // the next one starts with the configuration as it is
        post.give_at = None;
        if let Some(mut worker) = post.worker.take() {
            self.reactor.deregister(&*worker.connection()).ok();
            self.reactor.deregister(worker.child()).ok();
        }
        self.views.ended(role);
        if role == Role::Vrrp {
            self.remove_superseded();
        }
        if self.stopping.is_some() {
            if role == Role::Vrrp && ended == Exit::Status(exit::OK.into()) {
                // it took back what it had
                self.states.clear();
            }
            self.stop_the_runner();
            return;
        }
        match ended {
            // later, what keeps it from its work may pass: memory that is short, a descriptor too many
            Exit::Status(status) if exit::is_permanent(status) && !had_run => {
                tracing::error!("{role} process({pid}) {ended}: it cannot run; stopping");
                self.stop(u8::try_from(status).unwrap_or(exit::FATAL));
            }
            ended if self.options.no_respawn => {
                tracing::error!("{role} child process({pid}) {ended}: stopping (--dont-respawn)");
                self.stop(exit::FATAL);
            }
            ended => {
                tracing::error!("{role} child process({pid}) died ({ended}): Respawning");
                let Some(post) = self.post(role) else { return };
                let pause = post.backoff.next(now);
                let gap = post.gap(now);
                if !pause.is_zero() {
                    tracing::warn!("{role} process dies again and again; the next starts in {} s", pause.as_secs());
                }
                if pause.is_zero() || (role == Role::Vrrp && had_lived) {
                    // if the supervisor dies, too, addresses without adverts need somebody who removes them
                    self.start_worker(role, Begins::After(gap), pause);
                } else {
                    post.respawn_at = Some(now + pause);
                }
                // the one that died may have been the last to be waited for; its successor has the new configuration
                if was_reloading {
                    self.reload_is_over();
                }
            }
        }
    }

    /// Processes that were killed and do not end are left behind: nobody does their work any more.
    pub(super) fn leave_behind(&mut self, now: Instant) {
        for post in self.posts.iter_mut().filter(|post| post.worker.is_some()) {
            tracing::error!("{} process does not end", post.role);
            post.worker = None;
            post.idle_since.get_or_insert(now);
        }
    }

    /// What scripts leave in the background becomes ours when they end, and would stay as a zombie.
    pub(super) fn reap_orphans(&self) {
        let own: Vec<Pid> = self.workers().map(Worker::pid).collect();
        if let Err(error) = process::reap_orphans(&own) {
            tracing::warn!("orphans of scripts cannot be reaped: {error}");
        }
    }
}
