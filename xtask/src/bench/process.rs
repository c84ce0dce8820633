//! What a daemon costs, from /proc.

use anyhow::{Context as _, Result};
use keepalived_lab::Running;

/// CPU time that all its processes have used, in seconds.
pub(super) fn cpu(daemon: &Running) -> Result<f64> {
    let pids = daemon.processes();
    pids.into_iter().map(|pid| cpu_of(pid.as_raw_nonzero().get().unsigned_abs())).sum()
}

/// The same of one process.
pub(super) fn cpu_of(pid: u32) -> Result<f64> {
    // USER_HZ has been 100 on Linux for as long as /proc has shown it
    let mut ticks = 0.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // utime and stime are the 14th and 15th of all, the state is the 3rd and first here
    for field in fields.get(11..13).context("a short stat")? {
        ticks += field.parse::<f64>()?;
    }
    Ok(ticks / 100.0)
}

/// Proportional set size of all its processes, in megabytes.
pub(super) fn pss(daemon: &Running) -> Result<f64> {
    let mut kilobytes = 0.0;
    for pid in daemon.processes() {
        kilobytes += pss_of(pid.as_raw_nonzero().get().unsigned_abs())?;
    }
    Ok(kilobytes / 1024.0)
}

/// The same of one process, in kilobytes.
pub(super) fn pss_of(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    Ok(line.trim_end_matches("kB").trim().parse()?)
}
