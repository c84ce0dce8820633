//! Addresses without adverts. While no vrrp process runs, no adverts leave for its addresses, and after the master down time another
//! router has them. The supervisor removes them then, whatever keeps the vrrp process away.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use keepalived_config::InstanceKey;
use keepalived_config::model::{Config, Instance};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::State;
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::reactor;

use super::Supervisor;
use crate::checker::remove_marks;
use crate::role::Role;
use crate::vrrp::{Removed, StaticLines, Was, remove_abandoned, remove_links, remove_statics};

/// How long a new process may take until it runs: a large configuration takes time.
const TO_BEGIN: Duration = Duration::from_secs(5);

/// Pause after an attempt that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// A netlink socket for removing addresses. It is open from the start: a shortage of descriptors could prevent that later.
#[derive(Debug)]
pub(super) struct Sweeper(Option<Rtnetlink>);

impl Sweeper {
    pub(super) fn new() -> Self {
        Self(Rtnetlink::without_events().ok())
    }

    pub(super) fn remove<'a>(&mut self, instances: impl Iterator<Item = (&'a Instance, Was)>) -> io::Result<Removed> {
        remove_abandoned(self.network()?, instances)
    }

    pub(super) fn remove_statics(&mut self, lines: &StaticLines) -> io::Result<Removed> {
        remove_statics(self.network()?, lines)
    }

    pub(super) fn network(&mut self) -> io::Result<&mut Rtnetlink> {
        match &mut self.0 {
            Some(network) => Ok(network),
            none => Ok(none.insert(Rtnetlink::without_events()?)),
        }
    }
}

/// The shortest time that other routers wait for adverts of `instance`.
pub(super) fn down_time(instance: &Instance) -> Duration {
    instance.settings.interval.duration() * u32::from(instance.settings.down_adverts)
}

/// The shortest time until another router is master, by the name of the instance. For a sync group the shortest time of its members
/// counts.
pub(super) fn unnoticed(config: &Config) -> BTreeMap<&str, Duration> {
    let mut times: BTreeMap<&str, Duration> =
        config.instances.iter().map(|instance| (instance.name.as_str(), down_time(instance))).collect();
    for group in &config.sync_groups {
        let of = |name: &String| times.get(name.as_str()).copied();
        let Some(shortest) = group.members.iter().filter_map(of).min() else { continue };
        for name in &group.members {
            if let Some(time) = times.get_mut(name.as_str()) {
                *time = shortest;
            }
        }
    }
    times
}

/// When to remove addresses whose last adverts left at `since`. `begins` is when a process begins that does not run yet.
fn due(since: Instant, unnoticed: Duration, begins: Option<Instant>) -> Instant {
    let over = since + unnoticed;
    // a process that stands by for longer than that does not count
    begins.filter(|at| *at <= over).map_or(over, |at| over.max(at + TO_BEGIN))
}

fn was(state: Option<&State>) -> Was {
    if state == Some(&State::Master) { Was::Master } else { Was::Other }
}

impl Supervisor {
    /// When the next addresses are due.
    pub(super) fn abandoned_at(&self) -> Option<Instant> {
        let next = self.instances_due().map(|(_, at)| at).min()?;
        Some(next.max(self.abandoned_not_before))
    }

    /// Removes what is due.
    pub(super) fn remove_due(&mut self, now: Instant) {
        if self.abandoned_at().is_none_or(|at| at > now) {
            return;
        }
        let due = self.instances_due().filter(|(_, at)| *at <= now).map(|(key, _)| key).collect();
        self.remove_addresses_of(&due);
    }

    /// Removes all addresses that the vrrp process has left behind: the daemon ends.
    pub(super) fn remove_all_abandoned(&mut self) {
        if self.worker(Role::Vrrp).is_none() {
            let all = self.instances_due().map(|(key, _)| key).collect();
            self.remove_addresses_of(&all);
            self.remove_statics();
            self.remove_links();
        }
        self.remove_marks();
    }

    /// What marks packets of groups goes with the checker process; here after one that died, or was killed at the stop.
    fn remove_marks(&self) {
        let ran = self.posts.iter().any(|post| post.role == Role::Checker && post.has_run);
        if ran
            && self.worker(Role::Checker).is_none()
            && !self.options.keep_services
            && let Err(error) = remove_marks(&self.config.global)
        {
            tracing::error!("what marks packets of groups stays: {error}");
        }
    }

    /// Links that were made for instances stay for the next vrrp process. At the end there is none.
    fn remove_links(&mut self) {
        if !self.vrrp_ran() || self.options.keep_addresses {
            return;
        }
        let settings = self.cleanup.get(&Role::Vrrp).map(|cleanup| cleanup.settings.clone()).unwrap_or_default();
        let instances = self.config.instances.iter().chain(self.superseded.with_links());
        let filter = &self.config.global.firewall;
        match self.sweeper.network().and_then(|network| remove_links(network, instances, filter, &settings)) {
            Ok(removed) => {
                for (what, why) in &removed.refused {
                    tracing::error!("{what} stays: {why}");
                }
            }
            Err(error) => tracing::error!("links that were made for instances cannot be removed: {error}"),
        }
    }

    fn vrrp_ran(&self) -> bool {
        self.posts.iter().any(|post| post.role == Role::Vrrp && post.idle_since.is_some())
    }

    /// What is static stays for the next vrrp process. At the end there is none.
    fn remove_statics(&mut self) {
        if !self.vrrp_ran() || self.options.keep_addresses {
            return;
        }
        match self.sweeper.remove_statics(&StaticLines::of(&self.config)) {
            Ok(removed) => {
                for (what, why) in &removed.refused {
                    tracing::error!("static {what} cannot be removed: {why}");
                }
            }
            Err(error) => tracing::error!("what is static cannot be removed: {error}"),
        }
    }

    /// Instances without adverts, and when to remove their addresses. The process may have died after an instance left MASTER and before
    /// the kernel removed its addresses.
    fn instances_due(&self) -> impl Iterator<Item = (InstanceKey, Instant)> {
        let silence = self.posts.iter().find(|post| post.role == Role::Vrrp).and_then(|post| {
            let since = post.idle_since?;
            Some((since, post.worker.as_ref().map(super::worker::Worker::begins_at)))
        });
        let silence = silence.filter(|_| !self.options.keep_addresses);
        let of = move |(since, began)| {
            let unnoticed = unnoticed(&self.config);
            keepalived_config::plan::keyed(&self.config.instances)
                .filter(|(key, _)| self.states.contains_key(key))
                .filter_map(move |(key, instance)| {
                    Some((key, due(since, *unnoticed.get(instance.name.as_str())?, began)))
                })
        };
        silence.map(of).into_iter().flatten()
    }

    fn remove_addresses_of(&mut self, keys: &BTreeSet<InstanceKey>) {
        if keys.is_empty() {
            return;
        }
        self.abandoned_not_before = reactor::now() + PAUSE;
        let instances = keepalived_config::plan::keyed(&self.config.instances)
            .filter(|(key, _)| keys.contains(key))
            .map(|(key, instance)| (instance, was(self.states.get(&key))));
        let Removed { gone, refused } = match self.sweeper.remove(instances) {
            Ok(removed) => removed,
            Err(error) => {
                tracing::error!("cannot remove addresses without adverts: {error}; trying again");
                return;
            }
        };
        for (what, why) in &refused {
            tracing::error!("cannot remove {what}, for which no adverts are sent: {why}; trying again");
        }
        if !gone.is_empty() {
            tracing::warn!(
                "removed {} addresses: no vrrp process sends adverts for them, and other routers may have them by now",
                gone.len()
            );
        }
        if refused.is_empty() {
            // the next vrrp process listens before it becomes master
            self.states.retain(|key, _| !keys.contains(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn addresses_are_due_when_other_routers_may_have_them() {
        let text = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n advert_int 2\n virtual_ipaddress {\n 192.0.2.9\n }\n}\n";
        let config = from_text(text);
        let wait = down_time(&config.instances[0]);
        // RFC 9568 section 6.1: three intervals and the skew of the router that takes over
        assert_eq!(wait, Duration::from_secs(6));
        assert_eq!(due(at(1_000), wait, None), at(7_000));
    }

    #[test]
    fn a_sync_group_is_due_with_its_fastest_member() {
        let one = |name: &str, vrid: u8, interval: u8| {
            format!(
                "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n advert_int {interval}\n virtual_ipaddress {{\n 192.0.2.{vrid}\n }}\n}}\n"
            )
        };
        let group = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";
        let config = from_text(&(one("A", 1, 1) + &one("B", 2, 4) + &one("C", 3, 9) + group));
        let waits: Vec<u64> = unnoticed(&config).values().map(Duration::as_secs).collect();
        assert_eq!(waits, [3, 3, 27]);
    }

    #[test]
    fn a_process_that_begins_has_time_to_begin() {
        let wait = Duration::from_millis(300);
        assert_eq!(due(at(0), wait, Some(at(100))), at(5_100));
        let long = Duration::from_secs(60);
        assert_eq!(due(at(0), long, Some(at(100))), at(60_000));
    }
}
