//! Probes (`vrrp_track_probe`): which of them are due, and whose answer it is that the prober gives. Plain state: its owner passes the
//! time. A prober that is gone, or does not answer, says nothing about a server: what is known stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use keepalived_config::model::TrackProbe;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::script::{Due, Params, ScriptTracker};
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};

use super::Result;
use crate::connection::Connection;
use crate::message::{Incoming, ProbeEnded, ProbeOrder, ProbeResult};

/// How long after its time an answer counts as lost.
const TO_ANSWER: Duration = Duration::from_secs(5);

/// Answers that are taken in one turn.
const MOST_ANSWERS: usize = 256;

/// All probes that instances track.
#[derive(Debug, Default)]
pub(super) struct Probes {
    probes: BTreeMap<Arc<str>, Probe>,
    /// When each is due.
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// Questions that wait for an answer.
    asked: BTreeMap<u64, Asked>,
    /// When these count as lost.
    lost_at: BTreeSet<(Instant, u64)>,
    prober: Option<Connection>,
    last: u64,
}

#[derive(Debug)]
struct Asked {
    name: Arc<str>,
    lost_at: Instant,
}

#[derive(Debug)]
struct Probe {
    settings: TrackProbe,
    /// As of a script: the answer of a server is one result more.
    tracker: ScriptTracker,
    /// The question that counts.
    question: Option<u64>,
    detail: Detail,
    /// Whether it passed the last time; what a failure says may differ each time.
    passed: Option<bool>,
    /// That it could not be asked was said.
    not_asked: bool,
}

impl Probe {
    fn new(settings: &TrackProbe, now: Instant, known: Option<TrackerState>) -> Self {
        let tracker = ScriptTracker::new(params(settings), now, known);
        let detail = Detail::Nothing;
        Self { settings: settings.clone(), tracker, question: None, detail, passed: None, not_asked: false }
    }

    fn reconfigure(&mut self, settings: &TrackProbe, now: Instant) {
        let is_same = (&self.settings.target, self.settings.origin) == (&settings.target, settings.origin);
        self.settings = settings.clone();
        if is_same {
            self.tracker.reconfigure(now, params(settings));
        } else {
            self.tracker.replace(now, params(settings));
            self.question = None;
        }
    }

    /// No answer came, which says nothing about the server.
    fn not_asked(&mut self, name: &str, why: &str) {
        self.question = None;
        self.tracker.not_run();
        if !std::mem::replace(&mut self.not_asked, true) {
            tracing::warn!("Probe `{name}` could not be asked, which changes nothing: {why}");
        }
    }
}

fn params(settings: &TrackProbe) -> Params {
    Params {
        interval: settings.interval,
        rise: settings.rise.max(1),
        fall: settings.fall.max(1),
        init_fail: settings.init_fail,
    }
}

fn id(name: &str) -> TrackerId {
    TrackerId::new(TrackerKind::Probe, name)
}

impl Probes {
    /// Asks `wanted` from now on. A probe of the same name as before keeps what is known of it; of others `known` tells what the process
    /// before this one knew.
    pub(super) fn configure<'a>(
        &mut self,
        now: Instant,
        wanted: impl Iterator<Item = &'a TrackProbe>,
        known: &BTreeMap<TrackerId, TrackerState>,
    ) {
        let mut before = std::mem::take(&mut self.probes);
        for settings in wanted {
            let name: Arc<str> = Arc::from(settings.name.as_str());
            let probe = match before.remove(&name) {
                Some(mut probe) => {
                    probe.reconfigure(settings, now);
                    probe
                }
                None => Probe::new(settings, now, known.get(&id(&name)).copied()),
            };
            self.probes.insert(name, probe);
        }
        let deadline = |(name, probe): (&Arc<str>, &Probe)| (probe.tracker.next(), Arc::clone(name));
        self.deadlines = self.probes.iter().map(deadline).collect();
    }

    /// Asks through `prober` from now on. What the one before was asked is lost.
    pub(super) fn connect(&mut self, prober: Connection) {
        self.gone();
        self.prober = Some(prober);
    }

    /// The prober is gone: what it was asked says nothing.
    fn gone(&mut self) {
        self.prober = None;
        self.lost_at.clear();
        for (number, Asked { name, .. }) in std::mem::take(&mut self.asked) {
            if let Some(probe) = self.probes.get_mut(&name).filter(|probe| probe.question == Some(number)) {
                probe.question = None;
                probe.tracker.not_run();
            }
        }
    }

    /// What is known of each.
    pub(super) fn states(&self) -> impl Iterator<Item = Result> + '_ {
        self.probes.iter().map(|(name, probe)| (id(name), probe.tracker.state(), probe.detail.clone()))
    }

    /// Asks what is due. Returns when to come again; an answer may be sooner.
    pub(super) fn turn(&mut self, now: Instant) -> Option<Instant> {
        while let Some((_, number)) = self.lost_at.first().copied().filter(|(at, _)| *at <= now) {
            self.lost_at.pop_first();
            let Some(Asked { name, .. }) = self.asked.remove(&number) else { continue };
            if let Some(probe) = self.probes.get_mut(&name).filter(|probe| probe.question == Some(number)) {
                probe.not_asked(&name, "the process that asks does not answer");
            }
        }
        let lost = |probes: &Self| probes.lost_at.first().map(|(at, _)| *at);
        // without a prober they wait for one, and are due at once when it comes
        let Some(prober) = &mut self.prober else { return lost(self) };
        while self.deadlines.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, name)) = self.deadlines.pop_first() else { break };
            let Some(probe) = self.probes.get_mut(&name) else { continue };
            // while a question is still asked this turn is left out
            if probe.tracker.due(now) == Due::Run {
                self.last += 1;
                let timeout = probe.settings.timeout;
                let TrackProbe { target, origin, .. } = &probe.settings;
                let order = ProbeOrder { id: self.last, target: target.clone(), origin: *origin, timeout };
                if prober.offer(&order) {
                    let lost_at = now + timeout + TO_ANSWER;
                    probe.question = Some(self.last);
                    self.asked.insert(self.last, Asked { name: Arc::clone(&name), lost_at });
                    self.lost_at.insert((lost_at, self.last));
                } else {
                    probe.not_asked(&name, "the process that asks is behind");
                }
            }
            self.deadlines.insert((probe.tracker.next(), name));
        }
        self.deadlines.first().map(|(at, _)| *at).into_iter().chain(lost(self)).min()
    }

    /// Hears answers. What is not heard in this turn is heard in the next one.
    pub(super) fn hear(&mut self) -> Vec<Result> {
        let mut results = Vec::new();
        for _ in 0..MOST_ANSWERS {
            let Some(prober) = &mut self.prober else { break };
            match prober.hear::<ProbeEnded>() {
                Ok(Incoming::Message(answer, _)) => results.extend(self.ended(answer)),
                Ok(Incoming::Nothing) => break,
                Ok(Incoming::Closed) => self.gone(),
                Err(error) => {
                    tracing::error!("message from the prober: {error}");
                    self.gone();
                }
            }
        }
        results
    }

    fn ended(&mut self, ProbeEnded { id: number, result }: ProbeEnded) -> Option<Result> {
        let Asked { name, lost_at } = self.asked.remove(&number)?;
        self.lost_at.remove(&(lost_at, number));
        // a reload may have taken it away, or may ask something else
        let probe = self.probes.get_mut(&name).filter(|probe| probe.question == Some(number))?;
        probe.question = None;
        let (passed, words) = match result {
            ProbeResult::Passed => (true, "answered".to_owned()),
            ProbeResult::Failed(why) => (false, why),
            ProbeResult::Unknown(why) => {
                probe.not_asked(&name, &why);
                return None;
            }
        };
        probe.not_asked = false;
        if probe.passed.replace(passed) != Some(passed) {
            match passed {
                true => tracing::info!("Probe `{name}` {words}"),
                false => tracing::warn!("Probe `{name}` has no good answer: {words}"),
            }
        }
        probe.tracker.ended(passed);
        probe.detail = Detail::Words(words);
        Some((id(&name), probe.tracker.state(), probe.detail.clone()))
    }
}

#[cfg(test)]
mod tests {
    use keepalived_kernel::pipe;

    use super::*;

    const TEXT: &str = "vrrp_track_probe gw {\n ping 192.0.2.254\n interval 2\n timeout 1\n fall 2\n rise 2\n}\n\
        vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100/24\n }\n \
        track_probe {\n gw\n }\n}\n";

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    fn at(seconds: u64) -> Instant {
        START + Duration::from_secs(seconds)
    }

    /// Probes, and the other end of their pipe.
    struct World {
        probes: Probes,
        prober: Connection,
    }

    impl World {
        fn new(known: Option<TrackerState>) -> Self {
            let mut probes = Probes::default();
            let known = known.map(|state| (id("gw"), state)).into_iter().collect();
            probes.configure(START, crate::configuration::from_text(TEXT).probes.iter(), &known);
            let (ours, theirs) = pipe::pair().unwrap();
            probes.connect(Connection::new(ours));
            Self { probes, prober: Connection::new(theirs) }
        }

        fn reload(&mut self, seconds: u64, text: &str) {
            let config = crate::configuration::from_text(text);
            self.probes.configure(at(seconds), config.probes.iter(), &BTreeMap::new());
        }

        /// The question that is asked by then.
        fn question(&mut self, seconds: u64) -> Option<ProbeOrder> {
            self.probes.turn(at(seconds));
            match self.prober.hear().unwrap() {
                Incoming::Message(order, _) => Some(order),
                Incoming::Nothing | Incoming::Closed => None,
            }
        }

        fn answers(&mut self, id: u64, result: ProbeResult) -> Vec<Result> {
            self.prober.say(&ProbeEnded { id, result });
            self.probes.hear()
        }

        /// Asked at that time, and answered at once.
        fn asked(&mut self, seconds: u64, result: ProbeResult) -> TrackerState {
            let order = self.question(seconds).unwrap();
            self.answers(order.id, result);
            self.state()
        }

        fn state(&self) -> TrackerState {
            self.probes.states().next().unwrap().1
        }
    }

    fn failed() -> ProbeResult {
        ProbeResult::Failed("refused".into())
    }

    #[test]
    fn the_first_answer_decides_then_so_many_in_a_row() {
        use ProbeResult::Passed;
        use TrackerState::{Down, Initial, Up};
        let mut world = World::new(None);
        assert_eq!(world.state(), Initial);
        assert_eq!(world.asked(0, Passed), Up);
        assert_eq!((world.question(1), world.asked(2, failed()), world.asked(4, failed())), (None, Up, Down));
        assert_eq!((world.asked(6, Passed), world.asked(8, Passed)), (Down, Up));
        let (_, _, detail) = world.probes.states().next().unwrap();
        assert_eq!(detail.to_string(), "answered");
    }

    #[test]
    fn a_prober_that_is_gone_or_silent_changes_nothing() {
        let mut world = World::new(Some(TrackerState::Up));
        let old = world.question(0).unwrap();
        // it has died, and the next one is asked
        let (ours, theirs) = pipe::pair().unwrap();
        world.probes.connect(Connection::new(ours));
        world.prober = Connection::new(theirs);
        let next = world.question(2).unwrap();
        assert_eq!(world.answers(old.id, failed()), []);
        // no answer comes, and the server is asked again
        assert_eq!(world.question(4), None);
        assert_eq!(world.question(8 + 2).map(|order| order.id > next.id), Some(true));
        assert_eq!(world.answers(next.id, failed()), [], "too late");
        assert_eq!(world.state(), TrackerState::Up);
        // and without any
        world.probes.gone();
        world.probes.turn(at(20));
        assert_eq!(world.state(), TrackerState::Up);
    }

    #[test]
    fn that_this_machine_could_not_ask_says_nothing() {
        let mut world = World::new(Some(TrackerState::Up));
        let short = || ProbeResult::Unknown("too many open files".into());
        for seconds in [0, 2, 4] {
            assert_eq!(world.asked(seconds, short()), TrackerState::Up);
        }
        assert_eq!((world.asked(6, failed()), world.asked(8, failed())), (TrackerState::Up, TrackerState::Down));
    }

    #[test]
    fn a_reload_keeps_what_is_known_and_asks_at_once_what_is_new() {
        let mut world = World::new(None);
        assert_eq!(world.asked(0, ProbeResult::Passed), TrackerState::Up);
        world.reload(1, &TEXT.replace("interval 2", "interval 3"));
        assert_eq!((world.state(), world.question(1)), (TrackerState::Up, None));
        let old = world.question(2).unwrap();
        world.reload(2, &TEXT.replace("192.0.2.254", "192.0.2.253"));
        let new = world.question(2).unwrap();
        assert_ne!(old.target, new.target);
        assert_eq!((world.answers(old.id, failed()), world.state()), (vec![], TrackerState::Up));
        world.answers(new.id, failed());
        assert_eq!(world.state(), TrackerState::Down, "the first answer of another server decides");
    }
}
