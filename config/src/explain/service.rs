//! Virtual servers: how many servers may fail, and how soon a failure is noticed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::model::{Checker, VirtualServer};

/// One virtual server.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceStory {
    /// What it answers for.
    pub service: String,
    /// How many real servers there are.
    pub servers: usize,
    /// How many of them are never checked.
    pub unchecked: usize,
    /// All weights together.
    pub total_weight: u64,
    /// What the quorum asks for.
    pub quorum: Quorum,
    /// What becomes of clients without a quorum, in words.
    pub without_quorum: String,
    /// Each sort of check.
    pub checks: Vec<CheckStory>,
}

/// The arithmetic of a quorum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Quorum {
    /// It is lost when the weights that are up sum up to less than this.
    pub lost_below: u64,
    /// It is regained when they sum up to this.
    pub regained_at: u64,
    /// So many servers may fail, whichever they are.
    pub any: usize,
    /// So many may fail if they are those of the least weights.
    pub lightest: usize,
}

/// Checks of one kind and schedule.
#[derive(Clone, Debug, Serialize)]
pub struct CheckStory {
    /// `TCP_CHECK` and the like.
    pub kind: &'static str,
    /// How many servers have it.
    pub servers: usize,
    /// A server that stops answering is out of the table at the latest after this.
    pub failure_within: Duration,
    /// A server that answers again is back at the latest after this.
    pub recovery_within: Duration,
}

pub(super) fn story(server: &VirtualServer) -> ServiceStory {
    let weights: Vec<u64> = server.real_servers.iter().map(|real| u64::from(real.settings.weight)).collect();
    let settings = &server.settings;
    let without_quorum = match &settings.sorry_server {
        Some(sorry) => match sorry.port {
            Some(port) => format!("clients get the sorry server {} {port}", sorry.address),
            None => format!("clients get the sorry server {}", sorry.address),
        },
        None if settings.quorum <= 1 => "no server is left to answer, and there is no sorry server".to_owned(),
        None => "the servers that are up go on, and quorum_down is told; there is no sorry server".to_owned(),
    };
    ServiceStory {
        service: server.service.to_string(),
        servers: weights.len(),
        unchecked: server.real_servers.iter().filter(|real| real.checkers.is_empty()).count(),
        total_weight: weights.iter().sum(),
        quorum: quorum(weights, u64::from(settings.quorum), u64::from(settings.hysteresis)),
        without_quorum,
        checks: checks(server),
    }
}

/// behaviour.md section 7: up at quorum + hysteresis, down below quorum - hysteresis.
fn quorum(mut weights: Vec<u64>, quorum: u64, hysteresis: u64) -> Quorum {
    let lost_below = quorum.saturating_sub(hysteresis);
    weights.sort_unstable();
    let total: u64 = weights.iter().sum();
    let survivable = |weights: &mut dyn Iterator<Item = &u64>| {
        let left = weights.scan(total, |left, weight| {
            *left = left.saturating_sub(*weight);
            Some(*left)
        });
        left.take_while(|left| *left >= lost_below.max(1)).count()
    };
    Quorum {
        lost_below,
        regained_at: quorum.saturating_add(hysteresis),
        any: survivable(&mut weights.iter().rev()),
        lightest: survivable(&mut weights.iter()),
    }
}

fn checks(server: &VirtualServer) -> Vec<CheckStory> {
    let mut kinds: BTreeMap<(&'static str, Duration, Duration), usize> = BTreeMap::new();
    for checker in server.real_servers.iter().flat_map(|real| &real.checkers) {
        let (failure, recovery) = times(checker);
        let count = kinds.entry((checker.keyword(), failure, recovery)).or_default();
        *count = count.saturating_add(1);
    }
    let story = |((kind, failure_within, recovery_within), servers)| CheckStory {
        kind,
        servers,
        failure_within,
        recovery_within,
    };
    kinds.into_iter().map(story).collect()
}

/// How late a failure and a recovery are noticed at most: the server changes right after a check, and each attempt
/// lasts as long as it may.
fn times(checker: &Checker) -> (Duration, Duration) {
    let Some(schedule) = checker.schedule() else { return (Duration::ZERO, Duration::ZERO) };
    let attempt = match checker {
        Checker::Misc(check) => check.timeout,
        _ => checker.endpoint().map_or(Duration::ZERO, |endpoint| endpoint.connect_timeout.get()),
    };
    let retries = schedule.delay_before_retry.get().saturating_add(attempt).saturating_mul(schedule.retry);
    let once = schedule.delay_loop.get().saturating_add(attempt);
    (once.saturating_add(retries), once)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand from the words of keepalived.conf(5) about quorum and hysteresis.
    #[test]
    fn the_arithmetic_of_a_quorum() {
        let seen = |weights: &[u64], wanted, hysteresis| {
            let quorum = quorum(weights.to_vec(), wanted, hysteresis);
            (quorum.lost_below, quorum.regained_at, quorum.any, quorum.lightest)
        };
        assert_eq!(seen(&[1, 1, 1], 1, 0), (1, 1, 2, 2));
        assert_eq!(seen(&[1, 1, 1], 2, 0), (2, 2, 1, 1));
        assert_eq!(seen(&[1, 1, 1, 1, 1], 3, 1), (2, 4, 3, 3));
        assert_eq!(seen(&[100, 1, 1], 2, 0), (2, 2, 1, 2));
        assert_eq!(seen(&[], 1, 0), (1, 1, 0, 0));
    }
}
