//! Many seeds, on all cores.

use std::ops::{Add, Range};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::invariant::Violation;
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::world::{Statistics, World};

/// What came out of many seeds.
#[derive(Debug, Default)]
pub struct SoakResult<S> {
    /// Seeds that were run.
    pub seeds: u64,
    /// Over all of them.
    pub total: S,
    /// The first promises that were not kept, by seed.
    pub violations: Vec<Violation>,
}

/// Violations after which no further seed is begun.
const ENOUGH: usize = 20;

/// Runs every seed of `seeds` with `run`; stops early when enough of them have failed.
pub fn soak<S>(seeds: Range<u64>, run: impl Fn(u64) -> Result<S, Box<Violation>> + Sync) -> SoakResult<S>
where
    S: Add<Output = S> + Copy + Default + Send,
{
    let next = AtomicU64::new(seeds.start);
    let outcome = Mutex::new(SoakResult::default());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = SoakResult::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || own.violations.len() >= ENOUGH {
                        break;
                    }
                    own.seeds += 1;
                    match run(seed) {
                        Ok(statistics) => own.total = own.total + statistics,
                        Err(violation) => own.violations.push(*violation),
                    }
                }
                let mut outcome = outcome.lock().expect("no thread panics while it holds this");
                outcome.seeds += own.seeds;
                outcome.total = outcome.total + own.total;
                outcome.violations.extend(own.violations);
            });
        }
    });
    let mut outcome = outcome.into_inner().expect("all threads have ended well");
    outcome.violations.sort_by_key(|violation| violation.seed);
    outcome
}

/// Runs one seed of routers.
///
/// # Errors
/// The promise that was not kept.
pub fn run(seed: u64) -> Result<Statistics, Box<Violation>> {
    World::new(Scenario::of(seed), Trace::off()).run().0
}
