//! A reload: reads the configuration anew and hands it to the children.

use std::collections::BTreeSet;
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::Config;
use keepalived_kernel::process;
use keepalived_kernel::reactor::{self, Interest};
use sd_notify::NotifyState;

use super::post::Post;
use super::reading::Reading;
use super::share::with_share;
use super::{READING, Supervisor, dump, notify, say};
use crate::configuration::Verdict;
use crate::message::ToChild;
use crate::role::Role;

impl Supervisor {
    /// Begins to read the configuration anew. If it cannot be used, the old one stays in force.
    pub(super) fn reload(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        if self.is_reloading() {
            self.reload_again = true;
            return;
        }
        if self.is_up {
            notify(&[NotifyState::Reloading]);
        }
        tracing::info!("Reloading");
        self.announce_reading();
        let begun = Reading::begin(&self.options).and_then(|reading| {
            self.reactor.register(&reading, READING, Interest::Read)?;
            Ok(reading)
        });
        match begun {
            Ok(reading) => self.reading = Some(reading),
            Err(error) => {
                tracing::error!("Reload refused: the configuration cannot be read now ({error}); the old one goes on");
                self.observing.reloaded(Err(format!("the configuration cannot be read now: {error}")));
                self.end_reading();
                self.reload_is_over();
            }
        }
    }

    /// Puts a configuration in force that was read, unless it cannot be used or the daemon stops.
    pub(super) fn has_read(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        self.reactor.deregister(&reading).ok();
        let verdict = reading.verdict();
        self.end_reading();
        self.log_check(&verdict);
        if self.stopping.is_some() {
            return;
        }
        match verdict {
            Verdict::Unusable { text, .. } => {
                tracing::error!("{}", text.trim_end());
                tracing::error!("Reload refused: the configuration cannot be used; the old one goes on");
                self.observing.reloaded(Err("the configuration cannot be used".to_owned()));
            }
            Verdict::Usable(mut checked) => {
                say(&checked.findings);
                let directory = checked.config.global.reload.save_directory.as_deref();
                self.save_text(directory, checked.text.as_ref());
                let mut overrides = self.overrides.clone();
                overrides.apply(&mut checked.config);
                match keepalived_config::plan(&self.config, &checked.config) {
                    Err(refusal) => {
                        tracing::error!("Reload refused: {refusal}; the old configuration goes on");
                        self.observing.reloaded(Err(refusal.to_string()));
                    }
                    Ok(plan) if plan.is_empty() => {
                        self.overrides = overrides;
                        self.set_text(checked.text);
                        if self.set_secrets(checked.secrets) {
                            self.give(Role::Observer);
                        }
                        tracing::info!("Reload: nothing changed");
                        self.observing.reloaded(Ok(0));
                    }
                    Ok(plan) => {
                        self.overrides = overrides;
                        self.observing.reloaded(Ok(plan.changes.len()));
                        tracing::info!("Reload: {} changes", plan.changes.len());
                        if let Some(warning) = keepalived_config::plan::leaves_nothing(&self.config, &checked.config) {
                            tracing::warn!("Reload: {warning}");
                        }
                        self.save_state_before();
                        self.set_text(checked.text);
                        self.set_secrets(checked.secrets);
                        self.supersede(checked.config);
                        if self.options.dump {
                            self.paced_log.add(&dump::configuration(&self.config), reactor::now());
                        }
                        self.apply();
                    }
                }
            }
        }
        self.reload_is_over();
    }

    /// Hands the new configuration to the children.
    pub(super) fn apply(&mut self) {
        let keys: BTreeSet<InstanceKey> =
            keepalived_config::plan::keyed(&self.config.instances).map(|(key, _)| key).collect();
        self.states.retain(|key, _| keys.contains(key));
        let sessions: BTreeSet<&str> = self.config.bfd_instances.iter().map(|instance| &*instance.name).collect();
        self.sessions.retain(|name, _| sessions.contains(name.as_str()));
        self.reload_time.configure(&self.config.global.reload, &mut self.reactor);
        let intervals = Role::ALL.map(|role| self.hello_interval(role));
        for (worker, interval) in self.posts.iter_mut().map(|post| post.worker.as_mut()).zip(intervals) {
            if let Some(worker) = worker {
                worker.set_interval(interval);
            }
        }
        self.name_snapshot();
        self.open_doors();
        Role::ALL.into_iter().for_each(|role| self.give(role));
        self.start_children();
    }

    /// Hands the configuration to one child.
    pub(super) fn give(&mut self, role: Role) {
        let Some(worker) = self.posts.iter_mut().find(|post| post.role == role).and_then(|post| post.worker.as_mut())
        else {
            return;
        };
        let say = |share: &Config| worker.connection().say_with(&ToChild::Reload, share);
        match with_share(&mut self.config, role, self.options.checker, say) {
            Ok(()) => {
                worker.reloading = true;
                if let Some(post) = self.post(role) {
                    post.give_at = None;
                }
            }
            Err(error) => self.give_again(role, &error.to_string()),
        }
    }

    /// Hands the configuration over later: the child could not take it, and goes on with the old one.
    pub(super) fn give_again(&mut self, role: Role, why: &str) {
        let now = reactor::now();
        let Some(post) = self.post(role) else { return };
        let pause = post.give_backoff.next(now).max(Duration::from_secs(1));
        post.give_at = Some(now + pause);
        tracing::error!(
            "{role} process does not have the configuration ({why}); trying again in {} s",
            pause.as_secs()
        );
    }

    pub(super) fn has_answered_the_reload(&mut self, role: Role) {
        if let Some(worker) = self.worker_mut(role) {
            worker.has_reloaded(reactor::now());
        }
        self.reload_is_over();
    }

    /// The prober ends if nothing has to be asked any more. (Others may still have something to undo, or to tell.)
    fn dismiss_prober(&mut self) {
        if !self.needs(Role::Prober)
            && let Some(worker) = self.worker_mut(Role::Prober)
        {
            worker.stop();
        }
    }

    /// Ends the reload once all children have answered. Begins another if a SIGHUP came meanwhile.
    pub(super) fn reload_is_over(&mut self) {
        if self.is_reloading() {
            return;
        }
        self.dismiss_prober();
        self.save_state_after();
        process::give_back_memory();
        if self.is_up {
            notify(&[NotifyState::Ready]);
        } else {
            // systemd takes us for started when the start is over, as without the reload
            self.ready_if_all_are();
        }
        if std::mem::take(&mut self.reload_again) {
            self.reload();
        } else {
            self.answer_reloads();
            self.make_changes();
        }
    }

    /// Whether a file is being read, or children have not answered yet. The observer does not count: nothing waits for one that hangs.
    pub(super) fn is_reloading(&self) -> bool {
        let waits = |post: &Post| post.worker.as_ref().is_some_and(|worker| worker.reloading);
        self.reading.is_some() || self.posts.iter().any(|post| post.role != Role::Observer && waits(post))
    }
}
