//! Round after round: disturb, wait, look.

use super::disturbance::Disturbance;
use super::random::Random;
use super::stage::Stage;
use crate::say::say;
use anyhow::{Result, bail, ensure};
use keepalived_lab::{Daemon, Stamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// After the last disturbance: version 2 waits 3 s and its skew; a vrrp process that died again and again is started
/// later and later.
const SETTLED: Duration = Duration::from_secs(40);
/// How long all must stay as it ought to be.
const QUIET: Duration = Duration::from_millis(2500);
/// Each instance may open a socket more in another state, but not in each round one more.
const MORE_FILES: usize = 40;

pub(super) fn run(daemon: &Daemon, time: Duration, only: Option<u64>, keep_going: bool) -> Result<()> {
    let first = only.unwrap_or(Stamp::now().0 / 1_000_000_000);
    let mut stage = Stage::new(daemon, &mut Random(first))?;
    settle(&mut stage).map_err(|faults| anyhow::anyhow!("not even at the start: {faults:?}"))?;
    let files = stage.open_files();
    say!("{daemon}: {}; open files {files:?}", daemon.version());
    let (begin, mut failed, mut slowest) = (Instant::now(), Vec::new(), Duration::ZERO);
    let mut rounds = 0;
    while begin.elapsed() < time {
        let seed = only.unwrap_or(first + rounds);
        rounds += 1;
        let mut timeline = Timeline::default();
        match round(&mut stage, seed, &files, &mut timeline) {
            Ok(took) => {
                slowest = slowest.max(took);
                say!("seed {seed}: {}; settled after {:.1} s", timeline.plan, took.as_secs_f64());
            }
            Err(error) => {
                say!("seed {seed}: FAILED: {error:#}\n{}", timeline.text());
                say!("{}\nagain: cargo xtask soak --seed {seed}", stage.lab.describe());
                failed.push(seed);
                if !keep_going {
                    break;
                }
                // from a clean start, so that one failure is not reported twice
                drop(stage);
                stage = Stage::new(daemon, &mut Random(seed))?;
                settle(&mut stage).map_err(|faults| anyhow::anyhow!("not even at the start: {faults:?}"))?;
            }
        }
    }
    say!(
        "{rounds} rounds in {:.0} s, {} failed {failed:?}; slowest to settle {:.1} s; open files {files:?} at first, now {:?}",
        begin.elapsed().as_secs_f64(),
        failed.len(),
        slowest.as_secs_f64(),
        stage.open_files()
    );
    ensure!(failed.is_empty(), "failed seeds: {failed:?}");
    Ok(())
}

#[derive(Debug, Default)]
struct Timeline {
    plan: String,
    lines: Vec<(Stamp, String)>,
}

impl Timeline {
    fn note(&mut self, what: String) {
        self.lines.push((Stamp::now(), what));
    }

    /// Times as the observer prints them.
    fn text(&self) -> String {
        let at = |stamp: &Stamp| format!("{:03}.{:06}", stamp.0 / 1_000_000_000 % 1000, stamp.0 % 1_000_000_000 / 1000);
        self.lines.iter().map(|(stamp, what)| format!("  {} {what}\n", at(stamp))).collect()
    }
}

/// How long it took to settle.
fn round(stage: &mut Stage<'_>, seed: u64, files: &[usize], timeline: &mut Timeline) -> Result<Duration> {
    let mut random = Random(seed);
    let disturbances = Disturbance::of(&mut random);
    timeline.plan = disturbances.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut moments: Vec<_> =
        disturbances.iter().flat_map(|one| [(one.begin, true, *one), (one.end, false, *one)]).collect();
    moments.sort_by(|one, other| one.0.total_cmp(&other.0));
    stage.lab.capture().take()?;
    let begin = Instant::now();
    for (at, begins, Disturbance { router, kind, .. }) in moments {
        std::thread::sleep((begin + Duration::from_secs_f64(at)).saturating_duration_since(Instant::now()));
        if begins {
            timeline.note(format!("r{router} {kind:?}"));
            let remark = stage.begin(router, kind, &mut random)?;
            timeline.note(format!("r{router} {kind:?} begun {remark}"));
        } else {
            timeline.note(format!("r{router} {kind:?} ends"));
            stage.end(router, kind)?;
        }
    }
    let calm = Instant::now();
    timeline.note("calm".into());
    let took = match settle(stage) {
        Ok(since) => since.saturating_duration_since(calm),
        Err(faults) => bail!("{:.0} s after the last disturbance: {}", SETTLED.as_secs_f64(), faults.join("; ")),
    };
    timeline.note("settled".into());
    let from = Stamp::now();
    let still = Instant::now();
    while still.elapsed() < QUIET {
        let faults = stage.faults()?;
        ensure!(faults.is_empty(), "settled, and then not any more: {}", faults.join("; "));
        std::thread::sleep(Duration::from_millis(250));
    }
    let mut senders: BTreeMap<u8, BTreeSet<_>> = BTreeMap::new();
    // half a second of grace: the old master's last words
    for event in stage.lab.capture().take()?.iter().filter(|event| event.at.since(from) > 0.5) {
        if let Some(advert) = event.advert() {
            senders.entry(advert.vrid).or_default().insert(event.mac);
        }
    }
    for (vrid, senders) in &senders {
        ensure!(senders.len() == 1, "VRID {vrid}: adverts of {senders:?} after all had settled");
    }
    for (router, (now, first)) in stage.open_files().iter().zip(files).enumerate() {
        ensure!(*now <= first + MORE_FILES, "router {router} had {first} files open, and now {now}");
    }
    Ok(took)
}

/// Waits until nothing has been wrong for a while; since when, or what stays wrong.
///
/// A while, because all looks well just after the death of a master, too: no backup has missed it yet.
fn settle(stage: &mut Stage<'_>) -> Result<Instant, Vec<String>> {
    let end = Instant::now() + SETTLED;
    let mut well_since = None;
    loop {
        let faults = stage.faults().unwrap_or_else(|error| vec![format!("{error:#}")]);
        if faults.is_empty() {
            let begin = *well_since.get_or_insert_with(Instant::now);
            if begin.elapsed() > QUIET {
                return Ok(begin);
            }
        } else {
            well_since = None;
        }
        if Instant::now() > end {
            return Err(faults);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
