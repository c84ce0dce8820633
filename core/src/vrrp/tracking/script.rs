//! A `vrrp_script`: when it is run, and how many results in a row it takes.

use std::time::Duration;

use super::TrackerState;
use crate::time::Instant;

/// What is configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    /// From one start to the next.
    pub interval: Duration,
    /// Successes in a row that make it up; at least 1.
    pub rise: u32,
    /// Failures in a row that make it down; at least 1.
    pub fall: u32,
    /// It is down until it has succeeded (`init_fail`), rather than without result.
    pub init_fail: bool,
}

/// The machine. Who runs the program is told when, and tells how it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptTracker {
    params: Params,
    state: TrackerState,
    /// The next result decides alone: what is known is about another program, or there has been no result.
    decides: bool,
    /// Results in a row that are others than the state.
    against: u32,
    next: Instant,
    runs: bool,
    /// A run was due while another one went on, which was said.
    is_slow: bool,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Nothing now.
    Nothing,
    /// Run it.
    Run,
    /// It should run, and still does: this is the first time in a row.
    StillRuns,
}

impl ScriptTracker {
    /// A script whose first run is due at `first`. `known` is what the process before this one knew of it.
    pub fn new(params: Params, first: Instant, known: Option<TrackerState>) -> Self {
        let unknown = if params.init_fail { TrackerState::Down } else { TrackerState::Initial };
        let state = known.filter(|state| *state != TrackerState::Initial).unwrap_or(unknown);
        Self {
            params,
            state,
            decides: state == TrackerState::Initial,
            against: 0,
            next: first,
            runs: false,
            is_slow: false,
        }
    }

    /// The configuration changed; the results stay.
    pub fn reconfigure(&mut self, now: Instant, params: Params) {
        self.params = params;
        self.next = self.next.min(now + params.interval);
    }

    /// It runs another program from now on. What is known counts until the first result of that, which decides.
    pub const fn replace(&mut self, now: Instant, params: Params) {
        (self.params, self.next) = (params, now);
        (self.decides, self.against) = (true, 0);
        (self.runs, self.is_slow) = (false, false);
    }

    /// What is known.
    pub const fn state(&self) -> TrackerState {
        self.state
    }

    /// What is due by `now`. After [`Due::Run`] it counts as running until [`ScriptTracker::ended`].
    pub fn due(&mut self, now: Instant) -> Due {
        if now < self.next {
            return Due::Nothing;
        }
        // a stall is not made up for by a series of runs
        self.next = if self.next + self.params.interval <= now { now } else { self.next } + self.params.interval;
        if self.runs {
            let first = !std::mem::replace(&mut self.is_slow, true);
            return if first { Due::StillRuns } else { Due::Nothing };
        }
        self.runs = true;
        self.is_slow = false;
        Due::Run
    }

    /// When something is due.
    pub const fn next(&self) -> Instant {
        self.next
    }

    /// A run has ended. True if the state is another now.
    pub fn ended(&mut self, success: bool) -> bool {
        self.runs = false;
        let result = if success { TrackerState::Up } else { TrackerState::Down };
        let decides = std::mem::take(&mut self.decides);
        if result == self.state {
            self.against = 0;
            return false;
        }
        self.against = self.against.saturating_add(1);
        let needed = if success { self.params.rise } else { self.params.fall };
        if self.against < needed && !decides {
            return false;
        }
        (self.state, self.against) = (result, 0);
        true
    }

    /// A run could not be made, for a reason that lies with this machine: it says nothing.
    pub const fn not_run(&mut self) {
        self.runs = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(1_000_000_000_000);
    const PARAMS: Params = Params { interval: Duration::from_secs(1), rise: 3, fall: 2, init_fail: false };

    fn states(tracker: &mut ScriptTracker, results: &[bool]) -> Vec<TrackerState> {
        let each = |success: &bool| {
            tracker.ended(*success);
            tracker.state()
        };
        results.iter().map(each).collect()
    }

    #[test]
    fn the_first_result_decides_then_so_many_in_a_row() {
        use TrackerState::{Down, Initial, Up};
        let mut tracker = ScriptTracker::new(PARAMS, START, None);
        assert_eq!(tracker.state(), Initial);
        let ended = [true, false, true, false, false, true, true, false, true, true, true];
        assert_eq!(states(&mut tracker, &ended), [Up, Up, Up, Up, Down, Down, Down, Down, Down, Down, Up]);
        let mut tracker = ScriptTracker::new(PARAMS, START, None);
        assert_eq!(states(&mut tracker, &[false, true, true, true]), [Down, Down, Down, Up]);
    }

    #[test]
    fn with_init_fail_it_is_down_until_it_has_risen() {
        let mut tracker = ScriptTracker::new(Params { init_fail: true, ..PARAMS }, START, None);
        use TrackerState::{Down, Up};
        assert_eq!(tracker.state(), Down);
        assert_eq!(states(&mut tracker, &[true, true, true]), [Down, Down, Up]);
    }

    #[test]
    fn a_run_that_lasts_is_not_joined_by_another() {
        let mut tracker = ScriptTracker::new(PARAMS, START, None);
        let at = |millis| START + Duration::from_millis(millis);
        assert_eq!(tracker.due(at(0)), Due::Run);
        assert_eq!(tracker.due(at(999)), Due::Nothing);
        assert_eq!(tracker.due(at(1000)), Due::StillRuns);
        assert_eq!(tracker.due(at(2000)), Due::Nothing, "said once");
        tracker.ended(true);
        assert_eq!(tracker.due(at(3000)), Due::Run, "intervals are counted from one start to the next");
        tracker.ended(true);
        // a stall of this process
        assert_eq!(tracker.due(at(9500)), Due::Run);
        assert_eq!(tracker.next(), at(10_500));
    }

    #[test]
    fn what_was_known_of_another_program_counts_until_the_first_result() {
        use TrackerState::{Down, Up};
        let mut tracker = ScriptTracker::new(PARAMS, START, Some(Up));
        assert_eq!(tracker.due(START), Due::Run);
        tracker.replace(START, PARAMS);
        assert_eq!(tracker.state(), Up);
        assert_eq!(tracker.due(START), Due::Run, "at once, though the other program still runs");
        assert_eq!(states(&mut tracker, &[false, true, true, true]), [Down, Down, Down, Up]);
        tracker.replace(START, PARAMS);
        assert_eq!(states(&mut tracker, &[true, false, false]), [Up, Up, Down], "the first one says the same");
    }

    #[test]
    fn another_process_goes_on_where_one_ended() {
        let known = ScriptTracker::new(PARAMS, START, Some(TrackerState::Up));
        assert_eq!(known.state(), TrackerState::Up);
        let unknown = ScriptTracker::new(Params { init_fail: true, ..PARAMS }, START, Some(TrackerState::Initial));
        assert_eq!(unknown.state(), TrackerState::Down);
    }
}
