//! Children that end: whether and when another one starts.

use std::time::Duration;

use keepalived_config::model::{Config, ControlSocket};
use keepalived_core::time::Instant;
use keepalived_kernel::process::{self, Exit, Pid};
use keepalived_kernel::reactor;

use super::Supervisor;
use super::children::Begins;
use super::worker::Worker;
use crate::exit;
use crate::role::Role;
use crate::seen::Seen;

impl Supervisor {
    /// If a child has ended, starts another one where that makes sense.
    pub(super) fn reap(&mut self, role: Role) {
        let Some(worker) = self.worker(role) else { return };
        let Ok(Some(ended)) = worker.ended() else { return };
        let pid = worker.pid();
        // its last messages
        self.listen(role);
        let stuck_since = self.worker(role).and_then(Worker::stuck_since);
        let now = reactor::now();
        let was_reloading = self.worker(role).is_some_and(|worker| worker.reloading);
        let Some(post) = self.post(role) else { return };
        let had_run = post.has_run;
        let had_lived = post.worker.as_ref().is_some_and(Worker::has_lived);
        // a child that never ran leaves `idle_since` as it was
        post.idle_since.get_or_insert(stuck_since.unwrap_or(now));
        // the next one starts with the present configuration
        post.give_at = None;
        if let Some(mut worker) = post.worker.take() {
            self.reactor.deregister(&*worker.connection()).ok();
            self.reactor.deregister(worker.child()).ok();
        }
        self.views.ended(role);
        self.see(Seen::Ended(role));
        self.observing.ended(role, &ended.to_string());
        if role == Role::Vrrp {
            self.remove_superseded();
        }
        if role == Role::Runner {
            self.end_programs();
        }
        if self.stopping.is_some() {
            self.close_control_if_unheard();
            if role == Role::Vrrp && ended == Exit::Status(exit::OK.into()) {
                // it removed its addresses
                self.states.clear();
            }
            // the others may have programs to run until they end
            let others_run = self.workers().any(|worker| !worker.role().serves());
            if role == Role::Runner
                && others_run
                && self.post(role).is_some_and(|post| post.backoff.next(now).is_zero())
            {
                self.start_worker(role, Begins::After(Duration::ZERO), Duration::ZERO);
            }
            self.stop_the_runner();
            return;
        }
        match ended {
            ended if role == Role::Prober && ended == Exit::Status(exit::OK.into()) && !self.needs(role) => {
                tracing::info!("{role} process({pid}) has ended: nothing has to be asked any more");
                if was_reloading {
                    self.reload_is_over();
                }
            }
            // a child that ran before may have met a shortage of memory or descriptors, which passes
            Exit::Status(status) if exit::is_permanent(status) && !had_run && !role.is_spare() => {
                tracing::error!("{role} process({pid}) {ended}: it cannot run; stopping");
                self.stop(u8::try_from(status).unwrap_or(exit::FATAL));
            }
            ended if self.options.no_respawn && !role.is_spare() => {
                tracing::error!("{role} child process({pid}) {ended}: stopping (--dont-respawn)");
                self.stop(exit::FATAL);
            }
            // a reload left nothing to do for it
            ended if role == Role::Observer && !self.needs(role) => {
                let none = self.config.global.control.socket == ControlSocket::None;
                let then = if none { "nothing needs another" } else { "the next client starts another" };
                tracing::error!("{role} child process({pid}) died ({ended}): {then}");
            }
            ended => {
                tracing::error!("{role} child process({pid}) died ({ended}): Respawning");
                let first = first_pause(role, &self.config);
                let Some(post) = self.post(role) else { return };
                let pause = post.backoff.next_from(now, first);
                let gap = post.gap(now);
                if !pause.is_zero() {
                    let whole = pause.subsec_millis() == 0;
                    let time =
                        if whole { format!("{} s", pause.as_secs()) } else { format!("{} ms", pause.as_millis()) };
                    tracing::warn!("{role} process dies again and again; the next starts in {time}");
                }
                if pause.is_zero() || (role == Role::Vrrp && had_lived) {
                    // if the supervisor dies, too, this process removes addresses without adverts
                    self.start_worker(role, Begins::After(gap), pause);
                } else {
                    post.respawn_at = Some(now + pause);
                }
                // the reload may have waited only for this one; its successor starts with the new configuration
                if was_reloading {
                    self.reload_is_over();
                }
            }
        }
    }

    /// Gives up on processes that were killed and do not end.
    pub(super) fn leave_behind(&mut self, now: Instant) {
        for post in self.posts.iter_mut().filter(|post| post.worker.is_some()) {
            tracing::error!("{} process does not end", post.role);
            post.worker = None;
            post.idle_since.get_or_insert(now);
        }
    }

    /// Reaps processes that scripts left in the background: they are our children now, and would stay as zombies.
    pub(super) fn reap_orphans(&self) {
        let own: Vec<Pid> = self.workers().map(Worker::pid).collect();
        if let Err(error) = process::reap_orphans(&own) {
            tracing::warn!("cannot reap orphans of scripts: {error}");
        }
    }
}

/// The pause after the second of several deaths. The neighbours of BFD sessions wait for a detection time: three bfd processes start within
/// the shortest one.
fn first_pause(role: Role, config: &Config) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(1);
    let sessions = config.bfd_instances.iter().filter(|_| role == Role::Bfd);
    let detection = sessions.map(|session| session.min_tx.saturating_mul(session.multiplier.into())).min();
    detection.map_or(LONGEST, |time| (time / 8).clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    #[test]
    fn a_bfd_process_that_dies_again_is_there_before_its_neighbours_miss_it() {
        let text = "bfd_instance A {\n neighbor_ip 10.0.0.2\n min_tx 300\n multiplier 3\n}\n\
            bfd_instance B {\n neighbor_ip 10.0.0.3\n min_tx 80\n multiplier 5\n}\n";
        let config = from_text(text);
        assert_eq!(first_pause(Role::Bfd, &config), Duration::from_millis(50));
        assert_eq!(first_pause(Role::Vrrp, &config), Duration::from_secs(1));
        assert_eq!(first_pause(Role::Bfd, &from_text("")), Duration::from_secs(1));
    }
}
