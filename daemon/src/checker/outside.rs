//! What the checker process watches on this machine: numbers in files (`FILE_CHECK`) and addresses (`ha_suspend`).

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use keepalived_config::model::{Checker, Config, FileCheck};
use keepalived_core::balance::CheckResult;
use keepalived_core::network::{AddressKey, NetworkEvent};
use keepalived_core::time::Instant;
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::Network as _;
use keepalived_kernel::packets::BufferSize;
use keepalived_kernel::reactor::{Interest, Reactor, Token};

use super::task::Task;
use crate::track_files::TrackFiles;

const FILES: Token = Token(2);
const ADDRESSES: Token = Token(3);

/// At or below this a weight means that the server is down.
const FAULT: i64 = -2_147_483_648;

/// The files and addresses that the configuration names.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// The track files that checks follow.
    files: TrackFiles,
    addresses: Option<Addresses>,
}

#[derive(Debug)]
struct Addresses {
    network: Rtnetlink,
    here: HashSet<AddressKey>,
}

impl Outside {
    /// Begins to watch what `config` needs.
    pub(super) fn new(config: &Config, reactor: &mut Reactor) -> Self {
        let mut outside = Self::default();
        outside.watch_files(config, reactor);
        if config.virtual_servers.iter().any(|server| server.settings.ha_suspend) {
            match watch_addresses(config, reactor) {
                Ok(addresses) => outside.addresses = Some(addresses),
                Err(error) => tracing::error!("ha_suspend: cannot watch the addresses of this machine: {error}"),
            }
        }
        outside
    }

    fn watch_files(&mut self, config: &Config, reactor: &mut Reactor) {
        let servers = config.virtual_servers.iter().flat_map(|server| &server.real_servers);
        let followed: HashSet<&str> = servers
            .flat_map(|server| &server.checkers)
            .filter_map(|checker| match checker {
                Checker::File(check) => Some(check.track_file.as_str()),
                _ => None,
            })
            .collect();
        let files = config.files.iter().filter(|file| followed.contains(file.name.as_str()));
        self.files.configure(files, reactor, FILES);
    }

    /// Handles readiness of a descriptor. True if a number or an address has changed.
    pub(super) fn on_ready(&mut self, token: Token, now: Instant) -> bool {
        match token {
            FILES => self.files.on_ready(now),
            ADDRESSES => self.addresses.as_mut().is_some_and(Addresses::listen),
            _ => false,
        }
    }

    /// Reads again files that could not be read, or not so soon. True if a number has changed.
    pub(super) fn catch_up(&mut self, now: Instant) -> bool {
        self.files.catch_up(now)
    }

    /// When [`Self::catch_up`] is due.
    pub(super) fn next_at(&mut self, now: Instant) -> Option<Instant> {
        self.files.next_at(now)
    }

    /// The result of a check that follows a file; `None` for all others.
    pub(super) fn result(&self, task: Task<'_>) -> Option<CheckResult> {
        let Checker::File(check) = task.checker else { return None };
        let (path, number) = self.files.get(&check.track_file)?;
        Some(match judge(check, number?) {
            Ok(weight) => CheckResult::Passed { weight },
            Err(why) => CheckResult::Failed(format!("{} {why}", path.display())),
        })
    }

    /// Whether `address` is on this machine; yes if that is not known.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.addresses.as_ref().is_none_or(|known| known.here.iter().any(|(_, here, _)| *here == address))
    }
}

impl Addresses {
    fn listen(&mut self) -> bool {
        let mut events = Vec::new();
        let mut any = false;
        loop {
            let is_all = self.network.events(&mut events);
            for event in events.drain(..) {
                any = true;
                match event {
                    NetworkEvent::Address(address) => drop(self.here.insert(address.key())),
                    NetworkEvent::AddressRemoved { link, address, prefix } => {
                        self.here.remove(&(link, address, prefix));
                    }
                    NetworkEvent::Overrun => match self.network.inventory() {
                        Ok(inventory) => self.here = inventory.addresses.iter().map(|address| address.key()).collect(),
                        Err(error) => tracing::error!("cannot read the addresses of this machine: {error}"),
                    },
                    NetworkEvent::Link(_)
                    | NetworkEvent::LinkRemoved(_)
                    | NetworkEvent::Route(_)
                    | NetworkEvent::RouteRemoved(_)
                    | NetworkEvent::Rule(_)
                    | NetworkEvent::RuleRemoved(_)
                    | NetworkEvent::ReversePathFilter { .. }
                    | NetworkEvent::FirewallLost(_) => {}
                }
            }
            if is_all {
                return any;
            }
        }
    }
}

fn watch_addresses(config: &Config, reactor: &mut Reactor) -> io::Result<Addresses> {
    let buffer = config.global.buffers.lvs_monitor.size.map_or(Rtnetlink::DEFAULT_MONITOR_BUFFER, BufferSize);
    let answers = config.global.buffers.lvs_command.size.map(BufferSize);
    let mut network = Rtnetlink::of_addresses(buffer)?.size_answers(answers)?;
    reactor.register(network.monitor_fd(), ADDRESSES, Interest::Read)?;
    let here = network.inventory()?.addresses.iter().map(|address| address.key()).collect();
    Ok(Addresses { network, here })
}

/// What a number means: with weight 0 any but 0 is a failure (`reverse`: 0 is), else its product is added to the server's weight.
fn judge(check: &FileCheck, number: i64) -> Result<i64, String> {
    if check.weight.multiplier == 0 {
        let fails = (number != 0) != check.weight.reverse;
        return if fails { Err(format!("holds {number}")) } else { Ok(0) };
    }
    let product = number.saturating_mul(i64::from(check.weight.multiplier));
    let product = if check.weight.reverse { product.saturating_neg() } else { product };
    if product <= FAULT { Err(format!("holds {number}")) } else { Ok(product) }
}

#[cfg(test)]
mod tests {
    use keepalived_config::model::FileWeight;

    use super::*;

    fn check(multiplier: i32, reverse: bool) -> FileCheck {
        FileCheck { track_file: "f".into(), weight: FileWeight { multiplier, reverse } }
    }

    /// behaviour.md section 8: value 3 gives +3, weight 2 gives +6.
    #[test]
    fn a_number_adds_to_the_weight_or_fails() {
        assert_eq!(judge(&check(1, false), 3), Ok(3));
        assert_eq!(judge(&check(2, false), 3), Ok(6));
        assert_eq!(judge(&check(2, true), 3), Ok(-6));
        assert!(judge(&check(1, false), FAULT).is_err());
        assert_eq!(judge(&check(0, false), 0), Ok(0));
        assert!(judge(&check(0, false), 1).is_err());
        assert!(judge(&check(0, true), 0).is_err());
    }
}
