//! Who uses each check.

use super::params::{CheckId, ServiceId, ServiceParams};

/// Who uses a check.
pub(super) type User = (ServiceId, u32);

/// Who uses each check, all in one piece: there are tens of thousands, and most have one.
#[derive(Clone, Debug, Default)]
pub(super) struct Users {
    /// Where those of each check begin; one more for the end.
    starts: Vec<u32>,
    all: Vec<User>,
}

impl Users {
    /// Of so many checks.
    pub(super) fn new(checks: usize, services: &[ServiceParams]) -> Self {
        let uses = || {
            (0..).map(ServiceId).zip(services).flat_map(|(service, params)| {
                let servers = (0..).zip(&params.servers);
                servers
                    .flat_map(move |(place, server)| server.checks.iter().map(move |check| (*check, (service, place))))
            })
        };
        // how many there are of each, then where the first of each stands
        let mut starts = vec![0_u32; checks.saturating_add(1)];
        for (check, _) in uses() {
            if let Some(count) = starts.get_mut(check.index().saturating_add(1)) {
                *count = count.saturating_add(1);
            }
        }
        let mut sum = 0_u32;
        for start in &mut starts {
            sum = sum.saturating_add(*start);
            *start = sum;
        }
        let mut next = starts.clone();
        let mut all = vec![(ServiceId(0), 0); usize::try_from(sum).unwrap_or(0)];
        for (check, user) in uses() {
            if let Some(at) = next.get_mut(check.index())
                && let Some(slot) = all.get_mut(usize::try_from(*at).unwrap_or(usize::MAX))
            {
                *slot = user;
                *at = at.saturating_add(1);
            }
        }
        Self { starts, all }
    }

    /// Where those of a check stand.
    pub(super) fn places(&self, check: CheckId) -> std::ops::Range<usize> {
        let place = |index: usize| self.starts.get(index).and_then(|at| usize::try_from(*at).ok());
        let (first, end) = (place(check.index()), place(check.index().saturating_add(1)));
        first.zip(end).map_or(0..0, |(first, end)| first..end)
    }

    /// Those of a check.
    pub(super) fn of(&self, check: CheckId) -> &[User] {
        self.all.get(self.places(check)).unwrap_or_default()
    }

    /// The user at one of [`Self::places`].
    pub(super) fn at(&self, place: usize) -> Option<User> {
        self.all.get(place).copied()
    }
}
