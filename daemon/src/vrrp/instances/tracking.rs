//! What routers track: the results of trackers become faults and priorities.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_config::model::{Config, Instance, SyncGroup, Tracks};
use keepalived_core::address::InterfaceName;
use keepalived_core::network::NetworkTable;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::Event;
use keepalived_core::vrrp::tracking::damper::Damper;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState, Weight};
use keepalived_state::TrackerSettings;

use super::super::report::{Report, Said};
use super::super::slot::Slot;
use super::super::tracking::Beats;
use super::Instances;
use super::surroundings::Touched;

/// Interfaces whose ups and downs have to last before they count (`interface_up_down_delays`).
#[derive(Debug, Default)]
pub(super) struct LinkDelays {
    configured: BTreeMap<InterfaceName, Damper>,
    /// Links that were made for instances, with the link below. They have the delays of that, as with keepalived.
    made: BTreeMap<InterfaceName, (InterfaceName, Damper)>,
}

/// What drivers say that are asked (`linkbeat_interfaces`).
#[derive(Debug, Default)]
pub(super) struct LinkBeats {
    said: Beats,
    is_new: bool,
}

impl LinkBeats {
    /// Whether a link is up, as far as the kernel and its driver say.
    fn runs(&self, name: InterfaceName, table: &NetworkTable) -> bool {
        table.by_name(&name).is_some_and(|link| link.running) && self.said.get(&name) != Some(&false)
    }
}

impl LinkDelays {
    fn configure(&mut self, config: &Config, runs: impl Fn(InterfaceName) -> bool) {
        let mut before = std::mem::take(&mut self.configured);
        for line in &config.interface_delays {
            let new = || Damper::new(runs(line.interface), line.up, line.down);
            let mut damper = before.remove(&line.interface).unwrap_or_else(new);
            damper.reconfigure(line.up, line.down);
            self.configured.insert(line.interface, damper);
        }
        let configured = &self.configured;
        self.made.retain(|_, (below, damper)| {
            let below = configured.get(below);
            below.inspect(|below| damper.follow(below)).is_some()
        });
    }

    /// Follows links that were made, `all` with the link below each.
    fn follow(&mut self, all: &BTreeMap<InterfaceName, InterfaceName>) {
        self.made.retain(|name, (below, _)| all.get(name) == Some(below));
        for (name, below) in all {
            if let Some(delayed) = self.configured.get(below) {
                self.made.entry(*name).or_insert_with(|| (*below, delayed.another()));
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Damper> {
        self.configured.values().chain(self.made.values().map(|(_, damper)| damper))
    }

    /// Looks at the links. True if one of these counts as something else now.
    fn look(&mut self, now: Instant, runs: impl Fn(InterfaceName) -> bool) -> bool {
        let mut any = false;
        let made = self.made.iter_mut().map(|(name, (_, damper))| (name, damper));
        for (name, damper) in self.configured.iter_mut().chain(made) {
            any |= damper.set(now, runs(*name));
            any |= damper.expire(now);
        }
        any
    }

    fn next(&self) -> Option<Instant> {
        self.all().filter_map(Damper::next).min()
    }

    fn counts(&self, name: InterfaceName) -> Option<bool> {
        let made = || self.made.get(&name).map(|(_, damper)| damper);
        self.configured.get(&name).or_else(made).map(Damper::counts)
    }
}

impl Instances {
    /// What is tracked, and who follows it, becomes that of `config`; `known` is what the process before this one knew.
    pub(super) fn configure_trackers(&mut self, now: Instant, config: &Config) {
        let (beats, table) = (&self.link_beats, &self.table);
        self.link_delays.configure(config, |name| beats.runs(name, table));
        let groups: BTreeMap<&str, &SyncGroup> = config
            .sync_groups
            .iter()
            .flat_map(|group| group.members.iter().map(move |name| (&**name, group)))
            .collect();
        let mut trackers = BTreeMap::new();
        let mut followed_by = BTreeMap::new();
        for (index, slot) in self.slots.entries() {
            let mut followed = followed(&slot.instance, groups.get(&*slot.name).copied());
            let fixed = under_statics(config, &slot.name);
            // as with keepalived FAULT takes the place of a weight of `track_interface`
            followed.retain(|(id, _)| !fixed.contains(id));
            followed.extend(fixed.into_iter().map(|id| (id, Weight::default())));
            trackers.extend(followed.iter().map(|(id, _)| (id.clone(), TrackerState::Initial)));
            followed_by.insert(index, followed);
        }
        let scripts = config.scripts.iter().filter(|script| script.init_fail);
        let scripts = scripts.map(|script| TrackerId::new(TrackerKind::Script, &*script.name));
        let probes = config.probes.iter().filter(|probe| probe.init_fail);
        let probes = probes.map(|probe| TrackerId::new(TrackerKind::Probe, &*probe.name));
        let init_fail = scripts.chain(probes).collect();
        for (id, state) in &mut trackers {
            *state = match id.kind {
                TrackerKind::Interface => self.state_of_link(&id.name),
                _ => self.known_trackers.get(id).copied().unwrap_or_else(|| initial(id, &init_fail)),
            };
        }
        self.trackers.configure(now, trackers);
        for (index, followed) in followed_by {
            self.trackers.follow(index, followed);
        }
        self.known_trackers.clear();
        self.tracker_settings = settings_of(config);
        self.track_links(now);
    }

    fn state_of_link(&self, name: &str) -> TrackerState {
        let running = InterfaceName::new(name.as_bytes()).is_some_and(|name| self.is_running(name));
        if running { TrackerState::Up } else { TrackerState::Down }
    }

    /// Whether an interface counts as up: it is, and has been for long enough.
    pub(super) fn is_running(&self, name: InterfaceName) -> bool {
        self.link_delays.counts(name).unwrap_or_else(|| self.link_beats.runs(name, &self.table))
    }

    /// Follows the links that changed, and those whose change has lasted by now.
    pub(super) fn expire_links(&mut self, now: Instant, touched: &mut Touched) {
        // which one does not matter: this is rare
        touched.all |= std::mem::take(&mut self.link_beats.is_new);
        if !self.link_delays.configured.is_empty() {
            let made = self.slots.iter().flat_map(|slot| &slot.made);
            let there = made.filter(|made| self.table.by_name(&made.name).is_some());
            self.link_delays.follow(&there.map(|made| (made.name, made.need.base)).collect());
        }
        let (beats, table) = (&self.link_beats, &self.table);
        touched.all |= self.link_delays.look(now, |name| beats.runs(name, table));
    }

    /// What drivers say of their links.
    pub(in super::super) fn link_beats(&mut self, said: Beats) {
        self.link_beats.is_new |= self.link_beats.said != said;
        self.link_beats.said = said;
    }

    /// Whether drivers said something that the routers have not heard.
    pub(in super::super) const fn has_new_link_beats(&self) -> bool {
        self.link_beats.is_new
    }

    /// When a change of a link has lasted for long enough.
    pub(in super::super) fn next_link(&self) -> Option<Instant> {
        self.link_delays.next()
    }

    /// Brings the trackers of interfaces up to date.
    pub(super) fn track_links(&mut self, now: Instant) {
        let interfaces: Vec<TrackerId> =
            self.trackers.iter().map(|(id, _)| id).filter(|id| id.kind == TrackerKind::Interface).cloned().collect();
        for id in interfaces {
            let state = self.state_of_link(&id.name);
            self.track(now, &id, state, Detail::Nothing);
        }
    }

    /// A tracker has a result: routers that follow it get another priority, a fault, or may start.
    pub(in super::super) fn track(&mut self, now: Instant, id: &TrackerId, state: TrackerState, detail: Detail) {
        let Some(tracker) = self.trackers.get(id) else { return };
        let before = tracker.state;
        if before != state || tracker.detail != detail {
            self.mark_tracker(id);
        }
        let Some(concerned) = self.trackers.set(now, id, state, detail.clone()) else { return };
        self.reports.push(Report::Tracker { tracker: id.clone(), before, state, detail, said: Said::Yes });
        for index in concerned {
            self.tell_tracked(now, index);
        }
    }

    /// Tells a router what its trackers come to.
    pub(super) fn tell_tracked(&mut self, now: Instant, index: usize) {
        let sum = self.trackers.sum(index);
        let Some(slot) = self.slots.get_mut(index) else { return };
        let priority = sum.priority(slot.instance.settings.priority);
        let is_other = slot.router.effective_priority() != priority;
        let before = std::mem::replace(&mut slot.tracked, sum);
        let (faults_differ, waited) = (before.faults != slot.tracked.faults, before.waits && !slot.tracked.waits);
        if before.weight != slot.tracked.weight {
            // the view shows it, also where the priority is at its bound
            self.mark(index);
        }
        if is_other {
            self.tell(now, index, Event::Priority(priority));
        }
        if faults_differ {
            self.tell_surroundings(now, index);
        }
        if waited {
            self.start_waiting(now, index);
        }
    }

    /// Those of its sync group, or it alone, that wait for a first result: they start, if none has to wait any more.
    pub(super) fn start_waiting(&mut self, now: Instant, index: usize) {
        for member in self.groups.members(index) {
            if self.slots.get(member).is_some_and(|slot| slot.starts_later) {
                self.start(now, member);
            }
        }
    }

    /// Whether a router may not start yet: something that it or its sync group tracks has had no result, or its channel is not
    /// open, or its link is being made.
    pub(super) fn must_wait(&self, index: usize) -> bool {
        let untracked = |member: &usize| self.slots.get(*member).is_some_and(|slot| slot.tracked.waits);
        let has_no_place = |slot: &Slot| slot.opening.is_some() || slot.waits_for_link;
        self.slots.get(index).is_some_and(has_no_place) || self.groups.members(index).iter().any(untracked)
    }

    /// The trackers that any router follows.
    pub(in super::super) fn tracked(&self) -> BTreeSet<TrackerId> {
        self.trackers.iter().map(|(id, _)| id.clone()).collect()
    }
}

/// What is configured for all trackers that have settings of their own.
fn settings_of(config: &Config) -> BTreeMap<TrackerId, TrackerSettings> {
    let scripts = config.scripts.iter().map(|script| {
        let settings = TrackerSettings::Script {
            command: keepalived_config::dump::quoted(&script.script.argv),
            interval: script.interval,
            timeout: script.timeout,
            weight: script.weight,
            rise: script.rise,
            fall: script.fall,
        };
        (TrackerId::new(TrackerKind::Script, &*script.name), settings)
    });
    let files = config.files.iter().map(|file| {
        let settings = TrackerSettings::File { path: file.path.clone(), weight: file.weight };
        (TrackerId::new(TrackerKind::File, &*file.name), settings)
    });
    let processes = config.processes.iter().map(|process| {
        let settings = TrackerSettings::Process {
            process: process.process.clone(),
            parameters: process.parameters.clone(),
            weight: process.weight,
            quorum: process.quorum,
            quorum_max: process.quorum_max,
            terminate_delay: process.terminate_delay,
            fork_delay: process.fork_delay,
            full_command: process.full_command,
        };
        (TrackerId::new(TrackerKind::Process, &*process.name), settings)
    });
    let probes = config.probes.iter().map(|probe| {
        let settings = TrackerSettings::Probe {
            target: probe.target.to_string(),
            interval: probe.interval,
            timeout: probe.timeout,
            weight: probe.weight,
            rise: probe.rise,
            fall: probe.fall,
        };
        (TrackerId::new(TrackerKind::Probe, &*probe.name), settings)
    });
    scripts.chain(files).chain(processes).chain(probes).collect()
}

/// What is known of a tracker that has had no result: a script or a probe with `init_fail` is down, a file that was not read holds 0, and a BFD
/// session is down until the bfd process says otherwise, which may not run (`-B`).
fn initial(id: &TrackerId, init_fail: &BTreeSet<TrackerId>) -> TrackerState {
    match id.kind {
        TrackerKind::Script | TrackerKind::Probe if init_fail.contains(id) => TrackerState::Down,
        TrackerKind::File => TrackerState::Number(0),
        TrackerKind::Bfd => TrackerState::Down,
        TrackerKind::Script | TrackerKind::Probe | TrackerKind::Process | TrackerKind::Interface => {
            TrackerState::Initial
        }
    }
}

/// What an instance follows, itself and through its sync group.
fn followed(instance: &Instance, group: Option<&SyncGroup>) -> Vec<(TrackerId, Weight)> {
    let own = instance.tracks.as_deref();
    let shared = group.and_then(|group| group.tracks.as_deref());
    own.into_iter().chain(shared).flat_map(lines).collect()
}

/// The interfaces of the static addresses, routes and rules that track a group with this instance. As with keepalived they are all that
/// counts: what is static itself is put back when others remove it.
fn under_statics(config: &Config, instance: &str) -> BTreeSet<TrackerId> {
    let is_member = |group: &String| {
        let named = config.track_groups.iter().find(|known| known.name == *group);
        named.is_some_and(|group| group.members.iter().any(|member| member == instance))
    };
    let addresses = config.static_addresses.iter();
    let addresses = addresses.map(|line| (&line.track_group, line.address.tracked, line.address.device));
    let routes = config.static_routes.iter().map(|line| (&line.track_group, line.tracked, line.hop.device));
    let rules = config.static_rules.iter().map(|line| (&line.track_group, line.tracked, line.input));
    let tracked = addresses
        .chain(routes)
        .chain(rules)
        .filter(|(group, tracked, _)| *tracked && group.as_ref().is_some_and(is_member));
    tracked.filter_map(|(_, _, device)| Some(TrackerId::new(TrackerKind::Interface, device?.to_string()))).collect()
}

fn lines(tracks: &Tracks) -> impl Iterator<Item = (TrackerId, Weight)> + '_ {
    let interfaces = tracks
        .interfaces
        .iter()
        .map(|line| (TrackerId::new(TrackerKind::Interface, line.name.to_string()), line.weight));
    let named = [
        (TrackerKind::Script, &tracks.scripts),
        (TrackerKind::File, &tracks.files),
        (TrackerKind::Process, &tracks.processes),
        (TrackerKind::Bfd, &tracks.bfds),
        (TrackerKind::Probe, &tracks.probes),
    ];
    interfaces.chain(
        named.into_iter().flat_map(|(kind, list)| {
            list.iter().map(move |line| (TrackerId::new(kind, line.name.clone()), line.weight))
        }),
    )
}
