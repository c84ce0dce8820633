//! What the observer needs and must not reach by itself: it is another user.

use std::os::fd::OwnedFd;

use keepalived_kernel::{local, process};

use super::Supervisor;
use crate::local_service::LocalService;
use crate::message::ToChild;
use crate::role::Role;
use crate::secrets::Secrets;

impl Supervisor {
    /// Connects to a program of this machine for the observer. Which one it is says the configuration, not the observer.
    pub(super) fn reach(&mut self, service: LocalService) {
        let reached = match service.path(&self.config.global) {
            // a program that does not accept is not waited for
            Some(path) => {
                local::connect_at_once(&path).map_err(|error| format!("{service} at {}: {error}", path.display()))
            }
            None => Err(format!("{service} is not at a path")),
        };
        let Some(observer) = self.worker_mut(Role::Observer) else { return };
        match reached {
            Ok(socket) => {
                let message = ToChild::Connected(service, Ok(process::effective_uid()));
                observer.connection().hand_over(&message, OwnedFd::from(socket));
            }
            Err(why) => observer.connection().say(&ToChild::Connected(service, Err(why))),
        }
    }

    /// Files that the configuration names hold this. True if that is something else than before; the observer takes it in with its next
    /// configuration.
    pub(super) fn set_secrets(&mut self, secrets: Secrets) -> bool {
        if self.secrets == secrets {
            return false;
        }
        self.secrets = secrets;
        let message = ToChild::Secrets(self.secrets.clone());
        if let Some(observer) = self.worker_mut(Role::Observer) {
            observer.connection().say(&message);
        }
        true
    }
}
