//! A vrrp process that waits until it may begin: its predecessors died one after the other.

use std::os::fd::OwnedFd;

use keepalived_config::model::Config;
use keepalived_config::{InstanceKey, plan};
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::reactor::{self, Reactor, Ready};

use super::abandoned::{StaticLines, Was, remove as remove_abandoned, remove_links, remove_statics};
use crate::child::{self, NotStarted};
use crate::connection::Connection;
use crate::exit;
use crate::message::{self, FromChild, Startup, ToChild};
use crate::role::Role;

/// What came while a process stood by.
#[derive(Default)]
pub(super) struct StoodBy {
    /// A configuration came, and ended the wait.
    pub(super) was_given: bool,
    /// Where the runner speaks.
    pub(super) runner: Option<OwnedFd>,
    /// Where the bfd process speaks.
    pub(super) bfd: Option<OwnedFd>,
    /// Where the observer listens.
    pub(super) observer: Option<OwnedFd>,
    /// Where the prober is asked.
    pub(super) prober: Option<OwnedFd>,
}

/// Waits until this process may begin: its predecessors died one after the other.
///
/// A configuration that comes meanwhile ends the wait, and is what this process begins with: the supervisor has removed the addresses that
/// it takes away. If the supervisor dies this process takes back what the last one left.
///
/// # Errors
/// The process ends at once: it was told to, or the supervisor is gone; or it could not wait.
pub(super) fn stand_by(
    startup: &mut Startup,
    reactor: &mut Reactor,
    supervisor: &mut Connection,
) -> Result<StoodBy, NotStarted> {
    let mut stood_by = StoodBy::default();
    if startup.stands_by.is_zero() {
        return Ok(stood_by);
    }
    let mut network = Rtnetlink::without_events().map_err(|error| child::cannot_open("netlink", error))?;
    supervisor.say(&FromChild::StandsBy);
    let until = reactor::now() + startup.stands_by;
    let mut ready = Vec::new();
    while reactor::now() < until {
        ready.clear();
        reactor.wait(Some(until), &mut ready)?;
        for ready in &ready {
            if let Ready::Signal(signal) = ready {
                child::on_signal(*signal, supervisor);
            }
        }
        loop {
            match child::hear(supervisor) {
                Ok(None) => break,
                Ok(Some((ToChild::Hello(number), _))) => supervisor.say(&FromChild::Hello(number)),
                Ok(Some((ToChild::Reload, memory))) => match message::content::<Config>(memory) {
                    Ok(config) => {
                        startup.config = config;
                        stood_by.was_given = true;
                        return Ok(stood_by);
                    }
                    Err(error) => supervisor.say(&FromChild::NotReloaded(error.to_string())),
                },
                // the supervisor itself removes the addresses
                Ok(Some((ToChild::Stop, _))) => {
                    return Err(NotStarted { status: exit::FATAL, reason: String::new() });
                }
                Ok(Some((ToChild::Peer(Role::Runner), runner))) => stood_by.runner = runner,
                Ok(Some((ToChild::Peer(Role::Bfd), bfd))) => stood_by.bfd = bfd,
                Ok(Some((ToChild::Peer(Role::Observer), observer))) => stood_by.observer = observer,
                Ok(Some((ToChild::Peer(Role::Prober), prober))) => stood_by.prober = prober,
                Ok(Some((
                    ToChild::Start
                    | ToChild::Peer(_)
                    | ToChild::Orders
                    | ToChild::Roster
                    | ToChild::Refresh(_)
                    | ToChild::Announce(_)
                    | ToChild::Seen(_)
                    | ToChild::Door(_)
                    | ToChild::Text
                    | ToChild::Secrets(_)
                    | ToChild::Connected(..),
                    _,
                ))) => {}
                Err(_gone) => {
                    if !startup.keep_addresses {
                        take_back(startup, &mut network);
                    }
                    return Err(NotStarted { status: exit::FATAL, reason: String::new() });
                }
            }
        }
    }
    Ok(stood_by)
}

/// Removes the addresses that the process before this one left.
fn take_back(startup: &Startup, network: &mut Rtnetlink) {
    let was = |key: &InstanceKey| if startup.masters.contains(key) { Was::Master } else { Was::Other };
    let instances = plan::keyed(&startup.config.instances).map(|(key, instance)| (instance, was(&key)));
    match remove_abandoned(network, instances) {
        Ok(removed) if removed.refused.is_empty() => {}
        Ok(removed) => tracing::error!("addresses stay that the kernel does not give up: {:?}", removed.refused),
        Err(error) => tracing::error!("addresses of the process before this one cannot be removed: {error}"),
    }
    if let Err(error) = remove_statics(network, &StaticLines::of(&startup.config)) {
        tracing::error!("what is static cannot be removed: {error}");
    }
    if let Err(error) = remove_links(
        network,
        startup.config.instances.iter(),
        &startup.config.global.firewall,
        &startup.cleanup.settings,
    ) {
        tracing::error!("links of the process before this one cannot be removed: {error}");
    }
}
