//! Scheduling of our processes' threads, as configured.

use std::io;
use std::time::Duration;

use keepalived_config::model::{AutoPriority, Global, ProcessSettings};
use keepalived_core::time::Instant;
use keepalived_kernel::process::{self, Realtime};

/// Applies `settings` to the process and its calling thread; `prefix` is that of their keywords, `usual_nice` the nice value
/// without `*_priority` of a process that has to be prompt. What the system refuses is logged; the process runs all the same.
pub fn apply(prefix: &str, settings: &ProcessSettings, usual_nice: Option<i8>) {
    for problem in apply_unheard(prefix, settings, usual_nice) {
        tracing::warn!("{problem}");
    }
}

/// The same, for a thread beside the first: returns what the system refuses, which the first thread has logged.
pub fn apply_unheard(prefix: &str, settings: &ProcessSettings, usual_nice: Option<i8>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut note = |what: &str, result: io::Result<()>| {
        if let Err(error) = result {
            problems.push(format!("{what}: {error}"));
        }
    };
    note("timer slack", process::precise_timers());
    match settings.nice.and_then(|nice| i8::try_from(nice).ok()) {
        Some(nice) => note(&format!("{prefix}_priority"), process::set_nice(nice)),
        // if it is not allowed, timers may be as late as those of other programs
        None => drop(usual_nice.map(process::set_nice)),
    }
    if let Some(priority) = settings.rt_priority {
        let longest_run = settings.rlimit_rttime.map(Duration::from_micros);
        note(&format!("{prefix}_rt_priority"), process::set_realtime(Realtime { priority, longest_run }));
    }
    if usual_nice.is_some() {
        // what sends adverts has little to do each time, and waits for nobody who has more; older kernels know no such thing
        drop(process::run_in_short_turns());
    }
    if settings.no_swap {
        note(&format!("{prefix}_no_swap"), process::lock_memory());
    }
    if !settings.cpu_affinity.is_empty() {
        let cpus: Vec<usize> = settings.cpu_affinity.iter().filter_map(|cpu| usize::try_from(*cpu).ok()).collect();
        note(&format!("{prefix}_cpu_affinity"), process::pin_to_cpus(&cpus));
    }
    problems
}

/// `max_auto_priority`: a thread that is woken too late competes with a higher realtime priority from then on.
#[derive(Debug, Default)]
pub struct Promotion {
    settings: AutoPriority,
    longest_run: Option<Duration>,
    /// Its realtime priority; 0 if it has none.
    now: u8,
    refused: bool,
}

impl Promotion {
    /// Does as `global` says from now on, for the process of `settings`.
    pub fn configure(&mut self, global: &Global, settings: &ProcessSettings) {
        self.settings = global.auto_priority;
        self.longest_run = settings.rlimit_rttime.map(Duration::from_micros);
        self.now = self.now.max(settings.rt_priority.unwrap_or(0));
    }

    /// The calling thread wanted to be woken at `due`, and it is `now`.
    pub fn woke(&mut self, due: Option<Instant>, now: Instant) {
        let Some(late) = due.map(|due| now.since(due)).filter(|late| *late > self.settings.lateness) else { return };
        let most = u8::try_from(self.settings.most).unwrap_or(0);
        if self.refused || self.now >= most {
            return;
        }
        let priority = self.now + 1;
        match process::set_realtime(Realtime { priority, longest_run: self.longest_run }) {
            Ok(()) => {
                self.now = priority;
                tracing::info!(
                    "woken {:.3} s too late: realtime priority is {priority} from now on (max_auto_priority)",
                    late.as_secs_f64()
                );
            }
            Err(error) => {
                self.refused = true;
                tracing::warn!("max_auto_priority: {error}");
            }
        }
    }
}
