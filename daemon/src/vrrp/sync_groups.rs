//! Sync groups: who is in which, and what state all of their members have reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keepalived_config::model::Config;
use keepalived_core::vrrp::{Group, State};

/// All sync groups. Instances are numbers.
#[derive(Debug, Default)]
pub(super) struct SyncGroups {
    groups: Vec<SyncGroup>,
    of: BTreeMap<usize, usize>,
}

#[derive(Debug)]
struct SyncGroup {
    name: Arc<str>,
    members: Vec<usize>,
    /// All members own their addresses.
    of_owners: bool,
    /// The last state that it was said to have.
    state: State,
}

impl SyncGroups {
    /// The groups become those of `config`; `by_name` says which numbers the instances have. Returns all that are in a group now or
    /// were before: the faults of one of them concern the others, or do not any more.
    pub(super) fn configure(&mut self, config: &Config, by_name: &BTreeMap<&str, usize>) -> BTreeSet<usize> {
        let mut concerned: BTreeSet<usize> = self.of.keys().copied().collect();
        let states: BTreeMap<Arc<str>, State> = self.groups.drain(..).map(|group| (group.name, group.state)).collect();
        self.of.clear();
        let not_owners: BTreeSet<&str> = config
            .instances
            .iter()
            .filter(|instance| !instance.settings.priority.is_owner())
            .map(|instance| instance.name.as_str())
            .collect();
        for (number, group) in config.sync_groups.iter().enumerate() {
            let members: Vec<usize> =
                group.members.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect();
            self.of.extend(members.iter().map(|member| (*member, number)));
            concerned.extend(members.iter().copied());
            let name: Arc<str> = Arc::from(group.name.as_str());
            let of_owners = group.members.iter().all(|name| !not_owners.contains(name.as_str()));
            let state = states.get(&name).copied().unwrap_or(State::Init);
            self.groups.push(SyncGroup { name, members, of_owners, state });
        }
        concerned
    }

    /// What a router has to know of the group that it is in.
    pub(super) fn kind(&self, instance: usize) -> Group {
        match self.group(instance) {
            None => Group::None,
            Some(group) if group.of_owners => Group::OfOwners,
            Some(_) => Group::Mixed,
        }
    }

    /// The members of its group, or it alone.
    pub(super) fn members(&self, instance: usize) -> Vec<usize> {
        self.group(instance).map_or_else(|| vec![instance], |group| group.members.clone())
    }

    /// The members of each group.
    pub(super) fn each(&self) -> impl Iterator<Item = &[usize]> {
        self.groups.iter().map(|group| group.members.as_slice())
    }

    /// An instance leaves its group: what becomes of it does not concern the others.
    pub(super) fn part(&mut self, instance: usize) {
        if let Some(number) = self.of.remove(&instance)
            && let Some(group) = self.groups.get_mut(number)
        {
            group.members.retain(|member| *member != instance);
        }
    }

    /// A member goes to `to`. Returns the name of its group if the group's state is told before the member's own: at the start a group
    /// is BACKUP before its members are (keepalived).
    pub(super) fn begins(&mut self, instance: usize, to: State) -> Option<Arc<str>> {
        let group = self.group_mut(instance)?;
        (group.state == State::Init && to == State::Backup).then(|| {
            group.state = to;
            Arc::clone(&group.name)
        })
    }

    /// A member is in `to`. Returns the name of its group if all members are now, and it was not said yet.
    pub(super) fn reached(&mut self, instance: usize, to: State, state: impl Fn(usize) -> State) -> Option<Arc<str>> {
        let group = self.group_mut(instance)?;
        let all = group.state != to && group.members.iter().all(|member| state(*member) == to);
        all.then(|| {
            group.state = to;
            Arc::clone(&group.name)
        })
    }

    /// The last state that the group of this name was said to have.
    pub(super) fn state(&self, name: &str) -> Option<State> {
        self.groups.iter().find(|group| &*group.name == name).map(|group| group.state)
    }

    /// All groups stop. Returns those that were not stopped before.
    pub(super) fn stop(&mut self) -> Vec<Arc<str>> {
        let running = self.groups.iter_mut().filter(|group| group.state != State::Stopped);
        running
            .map(|group| {
                group.state = State::Stopped;
                Arc::clone(&group.name)
            })
            .collect()
    }

    fn group(&self, instance: usize) -> Option<&SyncGroup> {
        self.groups.get(*self.of.get(&instance)?)
    }

    fn group_mut(&mut self, instance: usize) -> Option<&mut SyncGroup> {
        self.groups.get_mut(*self.of.get(&instance)?)
    }
}
