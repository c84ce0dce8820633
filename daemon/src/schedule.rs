//! Scheduling of our processes' threads, as configured.

use std::io;
use std::time::Duration;

use keepalived_config::model::ProcessSettings;
use keepalived_kernel::process::{self, Realtime};

/// Applies `settings` to the process and its calling thread; `prefix` is that of their keywords, `usual_nice` the nice value
/// without `*_priority`. What the system refuses is logged; the process runs all the same.
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
    if settings.no_swap {
        note(&format!("{prefix}_no_swap"), process::lock_memory());
    }
    if !settings.cpu_affinity.is_empty() {
        let cpus: Vec<usize> = settings.cpu_affinity.iter().filter_map(|cpu| usize::try_from(*cpu).ok()).collect();
        note(&format!("{prefix}_cpu_affinity"), process::pin_to_cpus(&cpus));
    }
    problems
}
