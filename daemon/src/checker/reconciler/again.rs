//! Changes that the kernel refused or did not answer: tried again after a pause, and logged once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use keepalived_core::balance::{Change, ServiceKey};
use keepalived_core::time::Instant;
use keepalived_kernel::director::Refused;

use super::super::report::Report;
use super::super::unfinished::Where;

/// The first pause. Each later pause is twice as long, up to the longest one.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// How many refusals are remembered, so each is logged once. Others are logged each time.
const MOST_REMEMBERED: usize = 10_000;

/// What to try again, and when.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// Services with changes that the kernel may not have made.
    keys: BTreeSet<ServiceKey>,
    at: Option<Instant>,
    /// The last pause; zero while all is well.
    pause: Duration,
    /// Refused changes, and the log lines about them.
    refused: BTreeMap<Where, String>,
    /// The log line about a kernel that does not answer.
    silence: Option<String>,
    /// The log line about a table that cannot be read.
    unreadable: Option<String>,
}

impl Again {
    /// When to try again.
    pub(super) const fn at(&self) -> Option<Instant> {
        self.at
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// Whether the kernel may not have made a change of this service.
    pub(super) fn concerns(&self, key: &ServiceKey) -> bool {
        self.keys.contains(key)
    }

    /// Begins to try again: takes the services.
    pub(super) fn begin(&mut self) -> BTreeSet<ServiceKey> {
        self.at = None;
        std::mem::take(&mut self.keys)
    }

    /// Ends the attempt. If the kernel refused nothing, all is well.
    pub(super) fn end(&mut self) {
        if self.keys.is_empty() {
            self.pause = Duration::ZERO;
        }
    }

    fn postpone(&mut self, now: Instant) {
        // several refusals of one moment count as one
        if self.at.is_none_or(|at| at <= now) {
            self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
            self.at = Some(now + self.pause);
        }
    }

    /// The kernel has answered `changes`.
    pub(super) fn answered(&mut self, changes: &[Change], refused: &[Refused], now: Instant, news: &mut Vec<Report>) {
        self.silence = None;
        if !self.refused.is_empty() {
            let is_refused: BTreeSet<usize> = refused.iter().map(|refused| refused.index).collect();
            for (_, change) in changes.iter().enumerate().filter(|(at, _)| !is_refused.contains(at)) {
                if self.refused.remove(&place(change)).is_some() {
                    news.push(Report::Granted { what: in_words(change) });
                }
            }
        }
        for Refused { index, error } in refused {
            let Some(change) = changes.get(*index) else { continue };
            self.keys.insert(change.service());
            let error = error.to_string();
            if self.refused.get(&place(change)) != Some(&error) {
                news.push(Report::Refused { what: in_words(change), error: error.clone() });
                if self.refused.len() < MOST_REMEMBERED {
                    self.refused.insert(place(change), error);
                }
            }
        }
        if !refused.is_empty() {
            self.postpone(now);
        }
    }

    /// The kernel has not answered `changes`. How many it made is not known.
    pub(super) fn unanswered(&mut self, changes: &[Change], error: &io::Error, now: Instant, news: &mut Vec<Report>) {
        self.keys.extend(changes.iter().map(Change::service));
        let error = error.to_string();
        if self.silence.as_ref() != Some(&error) {
            let what = format!("make {} changes", changes.len());
            news.push(Report::Refused { what, error: error.clone() });
            self.silence = Some(error);
        }
        self.postpone(now);
    }

    /// The table cannot be read. Returns how long to wait.
    pub(super) fn unreadable(&mut self, error: &io::Error, now: Instant, news: &mut Vec<Report>) -> Duration {
        let error = error.to_string();
        if self.unreadable.as_ref() != Some(&error) {
            news.push(Report::Refused { what: "say what is in its table".to_owned(), error: error.clone() });
            self.unreadable = Some(error);
        }
        if self.keys.is_empty() {
            self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        } else {
            self.postpone(now);
        }
        self.pause
    }

    /// The table could be read.
    pub(super) fn readable(&mut self) {
        self.unreadable = None;
        self.end();
    }
}

/// What a change is about.
pub(super) fn place(change: &Change) -> Where {
    match change {
        Change::AddService(key, _) | Change::EditService(key, _) | Change::RemoveService(key) => (*key, None),
        Change::AddDestination(key, to, _)
        | Change::EditDestination(key, to, _)
        | Change::RemoveDestination(key, to) => (*key, Some(*to)),
    }
}

/// `192.0.2.1 80 TCP`, `fwmark 7`
pub(super) fn service_in_words(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Address { address, port, protocol } => format!("{address} {port} {protocol}"),
        ServiceKey::Fwmark { mark, .. } => format!("fwmark {mark}"),
    }
}

fn in_words(change: &Change) -> String {
    let key = service_in_words;
    match change {
        Change::AddService(to, entry) => format!("add virtual server {} ({})", key(to), entry.scheduler.name()),
        Change::EditService(to, entry) => format!("change virtual server {} ({})", key(to), entry.scheduler.name()),
        Change::RemoveService(to) => format!("remove virtual server {}", key(to)),
        Change::AddDestination(of, to, _) => format!("add {} {} to virtual server {}", to.address, to.port, key(of)),
        Change::EditDestination(of, to, _) => {
            format!("change {} {} of virtual server {}", to.address, to.port, key(of))
        }
        Change::RemoveDestination(of, to) => {
            format!("remove {} {} from virtual server {}", to.address, to.port, key(of))
        }
    }
}
