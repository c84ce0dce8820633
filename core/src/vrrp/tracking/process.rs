//! A `vrrp_track_process`: which processes count, how many there are, and whether that is enough.

use std::collections::BTreeSet;
use std::time::Duration;

use super::TrackerState;
use super::damper::Damper;
use crate::time::Instant;

/// Octets of a process's short name (`comm`): the kernel cuts the rest off.
const SHORT_NAME: usize = 15;

/// How the parameters of a process are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parameters {
    /// Not at all.
    Any,
    /// All of them, as they are.
    Exact,
    /// The last one may be longer than it is written (`param_match initial`).
    Begin,
    /// More may follow (`param_match partial`).
    First,
}

/// Which processes count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    program: Vec<u8>,
    /// Each with a NUL behind it, as the kernel shows them.
    parameters: Vec<u8>,
    compare: Parameters,
    full_command: bool,
}

impl Pattern {
    /// Processes that run `program` with `parameters`; with `full_command` the command line counts, else the short name.
    pub fn new(program: &str, parameters: &[String], compare: Parameters, full_command: bool) -> Self {
        let end = if full_command { program.len() } else { program.len().min(SHORT_NAME) };
        let program = program.as_bytes().get(..end).unwrap_or_default().to_vec();
        let parameters = parameters.iter().flat_map(|word| word.bytes().chain([0])).collect();
        Self { program, parameters, compare, full_command }
    }

    /// Whether it is the command line that counts.
    pub const fn reads_command_line(&self) -> bool {
        self.full_command
    }

    /// Whether a process counts that has this short name and this command line (`/proc/PID/cmdline`).
    pub fn matches(&self, short_name: &[u8], command_line: &[u8]) -> bool {
        if !self.full_command {
            return short_name == self.program;
        }
        let end = command_line.iter().position(|octet| *octet == 0).unwrap_or(command_line.len());
        let (program, rest) = command_line.split_at(end);
        let parameters = rest.get(1..).unwrap_or_default();
        let wanted = self.parameters.as_slice();
        program == self.program
            && match self.compare {
                Parameters::Any => true,
                Parameters::Exact => parameters == wanted,
                Parameters::First => parameters.starts_with(wanted),
                Parameters::Begin => parameters.starts_with(wanted.strip_suffix(&[0]).unwrap_or(wanted)),
            }
    }
}

/// How many there have to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    /// At least.
    pub quorum: u32,
    /// At most; no limit if absent.
    pub quorum_max: Option<u32>,
    /// How long enough must last before it counts (`fork_delay`).
    pub rise: Duration,
    /// How long too few, or too many, are forgiven (`terminate_delay`).
    pub fall: Duration,
}

/// The machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessTracker {
    params: Params,
    pids: BTreeSet<u32>,
    damper: Damper,
}

impl ProcessTracker {
    /// These processes run at the start: how they are counts at once.
    pub fn new(params: Params, pids: BTreeSet<u32>) -> Self {
        let enough = is_enough(&params, pids.len());
        Self { params, pids, damper: Damper::new(enough, params.rise, params.fall) }
    }

    /// The configuration changed; the processes stay. Another quorum counts at once, and with other delays what waits goes on waiting.
    pub fn reconfigure(&mut self, params: Params) {
        let is_same = (params.quorum, params.quorum_max) == (self.params.quorum, self.params.quorum_max);
        self.params = params;
        if is_same {
            self.damper.reconfigure(params.rise, params.fall);
        } else {
            self.damper = Damper::new(is_enough(&params, self.pids.len()), params.rise, params.fall);
        }
    }

    /// Up or down.
    pub const fn state(&self) -> TrackerState {
        if self.damper.counts() { TrackerState::Up } else { TrackerState::Down }
    }

    /// How many processes count.
    pub fn count(&self) -> usize {
        self.pids.len()
    }

    /// The processes that count.
    pub const fn pids(&self) -> &BTreeSet<u32> {
        &self.pids
    }

    /// A process counts from now on, or does not. True if the state is another now.
    pub fn set(&mut self, now: Instant, pid: u32, counts: bool) -> bool {
        if counts {
            self.pids.insert(pid);
        } else {
            self.pids.remove(&pid);
        }
        self.damper.set(now, is_enough(&self.params, self.pids.len()))
    }

    /// True if the state is another by `now`, because what was has lasted.
    pub fn expire(&mut self, now: Instant) -> bool {
        self.damper.expire(now)
    }

    /// When [`ProcessTracker::expire`] has something to say.
    pub const fn next(&self) -> Option<Instant> {
        self.damper.next()
    }
}

fn is_enough(params: &Params, count: usize) -> bool {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    count >= params.quorum && params.quorum_max.is_none_or(|most| count <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// keepalived.conf(5): `partial` is the first parameters exactly, `initial` lets the last one be longer.
    #[test]
    fn a_command_line_is_compared_as_configured() {
        let line = |words: &[&str]| words.iter().flat_map(|word| word.bytes().chain([0])).collect::<Vec<u8>>();
        let pattern =
            |parameters: &[&str], compare| Pattern::new("/usr/sbin/haproxy", &words(parameters), compare, true);
        let matches = |pattern: &Pattern, given: &[&str]| pattern.matches(b"haproxy", &line(given));
        let with = ["/usr/sbin/haproxy", "-f", "/etc/haproxy.cfg"];
        assert!(matches(&pattern(&["-f", "/etc/haproxy.cfg"], Parameters::Exact), &with));
        assert!(!matches(&pattern(&["-f"], Parameters::Exact), &with));
        assert!(!matches(&pattern(&[], Parameters::Exact), &with) && matches(&pattern(&[], Parameters::Any), &with));
        assert!(matches(&pattern(&[], Parameters::Exact), &["/usr/sbin/haproxy"]));
        assert!(matches(&pattern(&["-f"], Parameters::First), &with));
        assert!(!matches(&pattern(&["-f", "/etc/ha"], Parameters::First), &with));
        assert!(matches(&pattern(&["-f", "/etc/ha"], Parameters::Begin), &with));
        assert!(!matches(
            &pattern(&["-f", "/etc/ha"], Parameters::Begin),
            &["/usr/bin/haproxy", "-f", "/etc/haproxy.cfg"]
        ));
        assert!(!pattern(&[], Parameters::Any).matches(b"haproxy", b""), "a thread of the kernel has none");
    }

    #[test]
    fn a_short_name_has_15_octets() {
        let pattern = Pattern::new("a-name-that-is-too-long", &[], Parameters::Any, false);
        assert!(pattern.matches(b"a-name-that-is-", b"whatever"));
        assert!(!pattern.matches(b"a-name-that-is-too-long", b""));
        assert!(!Pattern::new("ssh", &[], Parameters::Any, false).matches(b"sshd", b""));
    }

    #[test]
    fn enough_and_not_too_many() {
        let params = Params { quorum: 1, quorum_max: Some(2), rise: Duration::ZERO, fall: Duration::ZERO };
        let mut tracker = ProcessTracker::new(params, BTreeSet::new());
        assert_eq!(tracker.state(), TrackerState::Down);
        let mut changes = |pid, counts| (tracker.set(NOW, pid, counts), tracker.state());
        assert_eq!(changes(1, true), (true, TrackerState::Up));
        assert_eq!(changes(1, true), (false, TrackerState::Up));
        assert_eq!(changes(2, true), (false, TrackerState::Up));
        assert_eq!(changes(3, true), (true, TrackerState::Down));
        assert_eq!(changes(2, false), (true, TrackerState::Up));
        assert_eq!(changes(9, false), (false, TrackerState::Up), "one that never counted");
        let none = Params { quorum: 0, quorum_max: Some(0), ..params };
        assert_eq!(ProcessTracker::new(none, BTreeSet::new()).state(), TrackerState::Up);
        assert_eq!(ProcessTracker::new(none, BTreeSet::from([1])).state(), TrackerState::Down);
    }

    #[test]
    fn a_reload_keeps_what_waits_unless_the_quorum_is_another() {
        let second = Duration::from_secs(1);
        let params = Params { quorum: 1, quorum_max: None, rise: Duration::ZERO, fall: 2 * second };
        let mut tracker = ProcessTracker::new(params, BTreeSet::from([1]));
        tracker.set(NOW, 1, false);
        tracker.reconfigure(Params { fall: 9 * second, ..params });
        assert_eq!((tracker.state(), tracker.next()), (TrackerState::Up, Some(NOW + 2 * second)));
        tracker.reconfigure(Params { quorum: 2, ..params });
        assert_eq!((tracker.state(), tracker.next()), (TrackerState::Down, None));
        tracker.reconfigure(Params { quorum: 0, ..params });
        assert_eq!(tracker.state(), TrackerState::Up);
    }

    #[test]
    fn a_restart_that_is_quick_is_forgiven() {
        let params = Params { quorum: 1, quorum_max: None, rise: Duration::ZERO, fall: Duration::from_secs(2) };
        let mut tracker = ProcessTracker::new(params, BTreeSet::from([1]));
        assert!(!tracker.set(NOW, 1, false) && tracker.next() == Some(NOW + Duration::from_secs(2)));
        assert!(!tracker.set(NOW + Duration::from_secs(1), 2, true) && tracker.next().is_none());
        tracker.set(NOW + Duration::from_secs(3), 2, false);
        assert!(!tracker.expire(NOW + Duration::from_secs(4)));
        assert!(tracker.expire(NOW + Duration::from_secs(5)) && tracker.state() == TrackerState::Down);
    }
}
