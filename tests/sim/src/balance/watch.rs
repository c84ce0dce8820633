//! Compares the kernel's table with what it ought to be, and what is told with what ought to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keepalived_core::balance::{DestinationEntry, DestinationKey, Entry, ServiceKey, Table};

use super::model::{Model, Told};
use crate::clock::Moment;
use crate::invariant::{Broken, Invariant};

/// A virtual server, or one real server of it.
pub type Where = (ServiceKey, Option<DestinationKey>);

/// What the kernel has refused is tried again after this at the latest.
const RETRIED: Duration = Duration::from_secs(61);

/// What is due happens within this.
pub const SLACK: Duration = Duration::from_secs(1);

/// What is known besides what the checker ought to do.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Virtual servers of others.
    services: Table,
    /// Real servers of others in our virtual servers.
    servers: BTreeMap<(ServiceKey, DestinationKey), DestinationEntry>,
    /// Where the table may be wrong, and until when; none while the kernel refuses.
    doubts: BTreeMap<Where, Option<Moment>>,
    /// The same for all of it.
    all_until: Moment,
    /// The kernel does not answer.
    silent: bool,
    /// The table cannot be read.
    blind: bool,
    /// Others changed what is ours, and it was not said.
    meddled: bool,
    /// How long the checker may take to notice: `lvs_repair_interval`, or what the kernel's notification takes.
    look: Duration,
}

impl Watch {
    /// Looks on; the checker notices within `look` what others do.
    pub fn new(look: Duration) -> Self {
        Self { look, ..Self::default() }
    }

    /// The checker notices within `look` from now on.
    pub fn set_look(&mut self, look: Duration) {
        self.look = self.look.max(look);
    }

    /// When all is made good that begins to be made good `now`.
    fn good_at(&self, now: Moment) -> Moment {
        now + RETRIED + self.look + SLACK
    }

    /// The kernel refuses something, or does not any more.
    pub fn refuse(&mut self, place: Where, refuses: bool, now: Moment) {
        let until = (!refuses).then(|| self.good_at(now));
        self.doubts.insert(place, until);
    }

    /// The kernel does not answer, or does again.
    pub fn silence(&mut self, silent: bool, now: Moment) {
        self.silent = silent;
        self.all_until = self.good_at(now);
    }

    /// The table cannot be read, or can be again.
    pub fn blind(&mut self, blind: bool, now: Moment) {
        self.blind = blind;
        let good_at = self.good_at(now);
        self.doubts.values_mut().flatten().filter(|until| **until >= now).for_each(|until| *until = good_at);
    }

    /// Others changed what is ours there.
    pub fn meddled(&mut self, place: Where, now: Moment) {
        self.meddled = true;
        let until = if self.blind || self.silent { self.good_at(now) } else { now + self.look + SLACK };
        match self.doubts.get_mut(&place) {
            // refused for as long as it takes
            Some(None) => {}
            Some(Some(known)) => *known = (*known).max(until),
            None => drop(self.doubts.insert(place, Some(until))),
        }
    }

    /// Others changed `table` there. Returns whether that was theirs: then it ought to stay as it is now.
    pub fn is_theirs(&mut self, (key, to): Where, table: &Table) -> bool {
        let there = table.get(&key);
        if let Some(entry) = self.services.get_mut(&key) {
            there.cloned().into_iter().for_each(|there| *entry = there);
            return true;
        }
        let Some(to) = to else { return false };
        let was = self.servers.remove(&(key, to));
        let there = there.and_then(|entry| entry.destinations.get(&to)).filter(|_| was.is_some());
        self.servers.extend(there.map(|entry| ((key, to), *entry)));
        was.is_some()
    }

    /// The checker had no turn until `now`.
    pub fn awakes(&mut self, slept_at: Moment, now: Moment) {
        let gone = now.since(slept_at);
        self.doubts.values_mut().flatten().filter(|until| **until >= slept_at).for_each(|until| *until = *until + gone);
        if self.all_until >= slept_at {
            self.all_until = self.all_until + gone;
        }
    }

    /// A checker follows one that died: what was ours is ours, and what others have is theirs.
    pub fn goes_on(&mut self) {
        self.meddled = false;
    }

    /// A checker begins on `table` that knows of none before it: what it is not configured to have is not its own.
    pub fn begins(&mut self, table: &Table, model: &Model) {
        let ours = model.places();
        self.services = table.clone();
        self.services.retain(|key, _| !ours.contains_key(key));
        self.servers.clear();
        for (key, entry) in table {
            let Some(places) = ours.get(key) else { continue };
            let others = entry.destinations.iter().filter(|(to, _)| !places.contains(to));
            self.servers.extend(others.map(|(to, entry)| ((*key, *to), *entry)));
        }
        self.meddled = false;
    }

    /// Another configuration: what it names is ours from now on, also what others added.
    pub fn reloads(&mut self, model: &Model) {
        let ours = model.places();
        for key in ours.keys() {
            let servers = self.services.remove(key).map(|entry| entry.destinations).unwrap_or_default();
            self.servers.extend(servers.into_iter().map(|(to, entry)| ((*key, to), entry)));
        }
        self.servers.retain(|(key, to), _| ours.get(key).is_none_or(|places| !places.contains(to)));
    }

    /// Others have a virtual server there.
    pub fn add_service(&mut self, key: ServiceKey, entry: Entry) {
        self.services.insert(key, entry);
    }

    /// Others have a real server there.
    pub fn add_server(&mut self, key: ServiceKey, to: DestinationKey, entry: DestinationEntry) {
        self.servers.insert((key, to), entry);
    }

    /// Others removed everything there: what was theirs is gone, too.
    pub fn removed(&mut self, key: Option<ServiceKey>) {
        self.services.retain(|known, _| key.is_some_and(|key| key != *known));
        self.servers.retain(|(known, _), _| key.is_some_and(|key| key != *known));
    }

    /// Whether all that is promised of the table holds: nothing is in doubt.
    pub fn is_sure(&self, now: Moment) -> bool {
        !self.silent && now > self.all_until && self.doubts.values().all(|until| until.is_some_and(|until| now > until))
    }

    fn doubts(&self, place: Where, now: Moment) -> bool {
        self.doubts.get(&place).is_some_and(|until| until.is_none_or(|until| now <= until))
    }

    /// Judges the kernel's table while the checker runs.
    ///
    /// # Errors
    /// What is not as it ought to be.
    pub fn judge(&mut self, table: &Table, model: &Model, now: Moment) -> Result<(), Broken> {
        let ours = model.table();
        // a virtual server that a reload took away takes along what others had in it
        self.servers.retain(|(key, _), _| ours.contains_key(key) || table.contains_key(key));
        self.judge_others(table)?;
        if self.silent || now <= self.all_until {
            return Ok(());
        }
        let keys: BTreeSet<ServiceKey> = ours.keys().chain(table.keys()).copied().collect();
        for key in keys.into_iter().filter(|key| !self.services.contains_key(key) && !self.doubts((*key, None), now)) {
            let (want, have) = match (ours.get(&key), table.get(&key)) {
                (Some(want), Some(have)) => (want, have),
                (Some(_), None) => return broken(Invariant::Table, format!("{key:?} is not there")),
                (None, _) => return broken(Invariant::Table, format!("{key:?} is still there")),
            };
            if want.service != have.service {
                return broken(Invariant::Table, format!("{key:?}: {:?}, not {:?}", have.service, want.service));
            }
            let all: BTreeSet<DestinationKey> =
                want.destinations.keys().chain(have.destinations.keys()).copied().collect();
            let is_mine = |to: &DestinationKey| !self.servers.contains_key(&(key, *to));
            for to in all.into_iter().filter(is_mine).filter(|to| !self.doubts((key, Some(*to)), now)) {
                let (want, have) = (want.destinations.get(&to), have.destinations.get(&to));
                if want != have {
                    let weight = |it: Option<&DestinationEntry>| it.map(|entry| entry.weight);
                    let text = format!("{} of {key:?}: weight {:?}, not {:?}", to.address, weight(have), weight(want));
                    return broken(Invariant::Table, text);
                }
            }
        }
        Ok(())
    }

    /// Judges that what others have is as it was.
    fn judge_others(&self, table: &Table) -> Result<(), Broken> {
        for (key, entry) in &self.services {
            if table.get(key) != Some(entry) {
                return broken(Invariant::OthersStay, format!("{key:?} of others: {:?}", table.get(key)));
            }
        }
        for ((key, to), entry) in &self.servers {
            let there = table.get(key).map(|service| service.destinations.get(to));
            // one whose virtual server others removed is gone, and the checker knows that
            if there.is_some_and(|there| there != Some(entry)) {
                return broken(Invariant::OthersStay, format!("{} of others in {key:?}: {there:?}", to.address));
            }
        }
        Ok(())
    }

    /// Judges the table that a checker has left that was told to stop; `all` with `lvs_flush_on_stop`.
    ///
    /// # Errors
    /// It left something of ours, or took something of others.
    pub fn judge_end(&self, table: &Table, all: bool, now: Moment) -> Result<(), Broken> {
        if self.silent || (all && self.blind) {
            return Ok(());
        }
        let wanted = |key: &ServiceKey| !all && self.services.contains_key(key);
        let left = table.keys().find(|key| !wanted(key) && !self.doubts((**key, None), now));
        if let Some(key) = left {
            return broken(Invariant::Leaves, format!("{key:?} is still there"));
        }
        match self.services.iter().find(|(key, entry)| wanted(key) && table.get(key) != Some(entry)) {
            Some((key, _)) => broken(Invariant::OthersStay, format!("{key:?} of others is not as it was")),
            None => Ok(()),
        }
    }

    /// What others did is forgotten.
    pub fn forgive(&mut self) {
        self.meddled = false;
    }

    /// The checker says that others have changed what is ours.
    ///
    /// # Errors
    /// They have not.
    pub fn blamed(&mut self) -> Result<(), Broken> {
        if std::mem::take(&mut self.meddled) {
            return Ok(());
        }
        broken(Invariant::NoBlame, "the checker says that others changed the table".to_owned())
    }
}

/// Judges what was told in one step.
///
/// # Errors
/// Something else was to be told, or in another order.
pub fn judge_told(told: &[Told], expected: &[Told]) -> Result<(), Broken> {
    let ordered = |all: &[Told]| {
        let mut all = all.to_vec();
        all.sort_by(|one, other| one.service().cmp(other.service()));
        all
    };
    if ordered(told) == ordered(expected) {
        return Ok(());
    }
    broken(Invariant::Told, format!("told was {told:?}, and it should have been {expected:?}"))
}

fn broken<T>(invariant: Invariant, text: String) -> Result<T, Broken> {
    Err((invariant, text))
}
