//! What may go wrong, and when.

use super::instances::{INSTANCES, ROUTERS};
use super::random::Random;
use std::fmt;

/// One thing that goes wrong on one router, from one moment to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Disturbance {
    pub(super) router: usize,
    pub(super) kind: Kind,
    /// Seconds into the round.
    pub(super) begin: f64,
    pub(super) end: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// kill -9 of the vrrp process; the supervisor starts another.
    KillVrrp,
    /// kill -9 of all; started again at the end.
    Crash,
    /// SIGTERM; started again at the end.
    Stop,
    /// SIGSTOP of the vrrp process until the end.
    PauseVrrp,
    /// SIGSTOP of all until the end.
    PauseAll,
    /// The cable is out until the end.
    Cable,
    /// So many of a hundred packets that it sends are lost until the end.
    Loss(u8),
    /// Another program deletes the address of this instance, if it is there.
    Delete(usize),
    /// SIGHUP.
    Reload,
    /// SIGHUP with other priorities and another instance more or less.
    Change,
}

impl Disturbance {
    fn random(random: &mut Random) -> Self {
        let router = random.below(ROUTERS);
        let kind = match random.below(12) {
            0 | 1 => Kind::KillVrrp,
            2 => Kind::Crash,
            3 => Kind::Stop,
            4 => Kind::PauseVrrp,
            5 => Kind::PauseAll,
            6 => Kind::Cable,
            7 => Kind::Loss(random.pick(&[20, 50, 80, 100])),
            8 => Kind::Delete(random.below(INSTANCES.len())),
            9 => Kind::Reload,
            _ => Kind::Change,
        };
        let begin = random.seconds(0.0, 1.5);
        let lasts = if random.below(2) == 0 { random.seconds(0.05, 1.0) } else { random.seconds(0.2, 6.0) };
        Self { router, kind, begin, end: ((begin + lasts) * 1000.0).round() / 1000.0 }
    }

    /// What a seed has in store.
    pub(super) fn of(random: &mut Random) -> Vec<Self> {
        let number = random.pick(&[1, 1, 2, 2, 3, 4]);
        (0..number).map(|_| Self::random(random)).collect()
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { router, kind, begin, end } = self;
        match kind {
            Kind::KillVrrp | Kind::Delete(_) | Kind::Reload | Kind::Change => write!(f, "r{router} {kind:?} {begin}"),
            _ => write!(f, "r{router} {kind:?} {begin}..{end}"),
        }
    }
}
