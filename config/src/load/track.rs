//! What can be tracked: `vrrp_script`, `track_file`, `vrrp_track_process`, `vrrp_track_probe`.

use std::collections::HashSet;
use std::time::Duration;

use super::probe::probe;
use super::reading::Reading;
use super::statements::{Statements, finding_at};
use super::tracks::{Known, Trackers};
use crate::finding::{Finding, rule};
use crate::model::{
    BfdInstance, InitialFile, ParameterMatch, TrackFile, TrackProbe, TrackProcess, TrackScript, Weight,
};
use crate::syntax::Node;

/// Everything that is defined.
pub(super) struct Definitions {
    pub(super) scripts: Vec<TrackScript>,
    pub(super) files: Vec<TrackFile>,
    pub(super) processes: Vec<TrackProcess>,
    pub(super) probes: Vec<TrackProbe>,
}

/// Reads the definitions, and the names that may be tracked.
pub(super) fn read(reading: &mut Reading<'_>, bfds: &[BfdInstance]) -> (Definitions, Trackers) {
    let root = Statements::of(reading.tree.roots());
    let mut trackers = Trackers::new();
    let blocks: Vec<Node<'_>> = root.all("vrrp_script").collect();
    let scripts = define(reading, &blocks, &mut trackers.scripts, script, |it| (&it.name, it.weight));
    let blocks: Vec<Node<'_>> = root.all_of("track_file", "vrrp_track_file").collect();
    let files = define(reading, &blocks, &mut trackers.files, file, |it| (&it.name, it.weight));
    let blocks: Vec<Node<'_>> = root.all("vrrp_track_process").collect();
    let processes = define(reading, &blocks, &mut trackers.processes, process, |it| (&it.name, it.weight));
    let blocks: Vec<Node<'_>> = root.all("vrrp_track_probe").collect();
    let probes = define(reading, &blocks, &mut trackers.probes, probe, |it| (&it.name, it.weight));
    for bfd in bfds.iter().filter(|bfd| bfd.tells_vrrp) {
        trackers.bfds.known(bfd.name.clone(), Weight { value: bfd.weight, reverse: bfd.reverse });
        trackers.sessions.insert(bfd.name.clone(), bfd.clone());
    }
    (Definitions { scripts, files, processes, probes }, trackers)
}

/// Reads blocks of one kind; the first of a name counts.
fn define<'a, T>(
    reading: &mut Reading<'a>,
    blocks: &[Node<'a>],
    known: &mut Known,
    read: impl Fn(&mut Reading<'a>, Node<'a>, &Statements<'a>, String) -> Option<T>,
    named: impl Fn(&T) -> (&String, Weight),
) -> Vec<T> {
    let mut out = Vec::new();
    let mut names = HashSet::new();
    for block in blocks {
        let Some(name) = reading.first_name(*block) else { continue };
        if !names.insert(name.clone()) {
            let message = format!("there is a {} {name} already", block.name());
            let finding = finding_at(&rule::TRACKER_DUPLICATE, Some(*block), message);
            reading.report(finding.note("the second block is left out"));
            continue;
        }
        let Some(it) = read(reading, *block, &Statements::of(block.children()), name) else { continue };
        let (name, weight) = named(&it);
        known.define(name.clone(), weight, *block);
        out.push(it);
    }
    out
}

impl Reading<'_> {
    /// `N [reverse]` after the keyword of `node`, in the range of its row.
    pub(super) fn weight(&mut self, node: Option<Node<'_>>) -> Option<Weight> {
        let node = node?;
        let value: i16 = self.integer(Some(node))?;
        let reverse = match node.arguments().get(1) {
            None => false,
            Some(word) if word.text == b"reverse" => true,
            Some(word) => {
                let message = format!("weight is a number and perhaps reverse, not {}", word.str());
                self.report(Finding::at(&rule::WORD_INVALID, word.span, message).fix(word.span, "reverse"));
                false
            }
        };
        Some(Weight { value, reverse })
    }

    /// That something needed is missing from `block`.
    pub(super) fn incomplete(&mut self, block: Node<'_>, name: &str, what: &str) {
        let message = format!("{} {name} has no {what}", block.name());
        let finding = finding_at(&rule::TRACKER_INCOMPLETE, Some(block), message);
        self.report(finding.note("it is left out, with everything that tracks it"));
    }
}

fn script(
    reading: &mut Reading<'_>,
    block: Node<'_>,
    statements: &Statements<'_>,
    name: String,
) -> Option<TrackScript> {
    let script = reading.script_of(statements.last("script"), statements.last("user"));
    let interval = run_time(reading, statements, "interval").unwrap_or(Duration::from_secs(1));
    let timeout = run_time(reading, statements, "timeout");
    if let Some(timeout) = timeout.filter(|timeout| *timeout > interval) {
        let message = format!("vrrp_script {name} may take {timeout:?} and should start again after {interval:?}");
        let finding = finding_at(&rule::SCRIPT_TIMEOUT, statements.last("timeout"), message);
        reading.report(finding.help("make timeout shorter than interval, or interval longer"));
    }
    if script.is_none() {
        reading.incomplete(block, &name, "script");
    }
    if script.as_ref().is_some_and(|(_, may_run)| !may_run) {
        reading.leave_out_script(&name);
    }
    let weight = reading.weight(statements.last("weight")).unwrap_or_default();
    let (rise, fall) = (reading.integer(statements.last("rise")), reading.integer(statements.last("fall")));
    Some(TrackScript {
        script: script?.0,
        name,
        interval,
        timeout: timeout.unwrap_or(interval),
        weight,
        rise: rise.unwrap_or(1),
        fall: fall.unwrap_or(1),
        init_fail: statements.has("init_fail"),
    })
}

/// A time that 0 makes a second.
fn run_time(reading: &mut Reading<'_>, statements: &Statements<'_>, name: &str) -> Option<Duration> {
    let node = statements.last(name);
    let time = reading.duration(node)?;
    if !time.is_zero() {
        return Some(time);
    }
    let message = format!("{name} must be more than 0; 1 second is used");
    reading.report_at(&rule::NUMBER_ADJUSTED, node, message);
    Some(Duration::from_secs(1))
}

fn file(reading: &mut Reading<'_>, block: Node<'_>, statements: &Statements<'_>, name: String) -> Option<TrackFile> {
    let node = statements.first("file");
    let path = reading.text(node);
    let node = statements.first("weight");
    let weight = reading.weight(node).unwrap_or(Weight { value: 1, reverse: false });
    let initial = statements.last("init_file").map(|node| initial(reading, node));
    if path.is_none() {
        reading.incomplete(block, &name, "file");
    }
    if let Some(path) = path.as_ref().filter(|path| !reading.facts.has_directory(path)) {
        let word = statements.first("file").and_then(|node| node.argument());
        let message = format!("track_file {name}: the directory of {path} is not there");
        let finding = match word {
            Some(word) => Finding::at(&rule::TRACK_FILE_DIRECTORY, word.span, message),
            None => Finding::anywhere(&rule::TRACK_FILE_DIRECTORY, message),
        };
        reading.report(finding.note("it is followed all the same; keepalived would leave it out"));
    }
    Some(TrackFile { path: path?, name, weight, initial })
}

fn initial(reading: &mut Reading<'_>, node: Node<'_>) -> InitialFile {
    let mut initial = InitialFile { value: 0, overwrite: false };
    for word in node.arguments() {
        if word.text == b"overwrite" {
            initial.overwrite = true;
            continue;
        }
        let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
        let Some(value) = reading.number_word("init_file", word, range).and_then(|value| i32::try_from(value).ok())
        else {
            continue;
        };
        initial.value = value;
        if !(-254..=254).contains(&value) {
            let message = format!("init_file {value} is beyond every priority: at most 254 can count");
            reading.report(Finding::at(&rule::INITIAL_FILE, word.span, message));
        }
    }
    initial
}

fn process(
    reading: &mut Reading<'_>,
    block: Node<'_>,
    statements: &Statements<'_>,
    name: String,
) -> Option<TrackProcess> {
    let node = statements.first("process");
    let mut words = node.map(|node| node.arguments());
    let process = words.as_mut().and_then(|words| words.next()).map(|word| word.str().into_owned());
    let parameters: Vec<String> = words.into_iter().flatten().map(|word| word.str().into_owned()).collect();
    let said = statements.last("param_match").map(|node| parameter_match(reading, node));
    let unsaid = if parameters.is_empty() { ParameterMatch::None } else { ParameterMatch::Exact };
    let (quorum, quorum_max) = quorum(reading, statements);
    let mut delay = |one| reading.duration(statements.last_of(one, "delay")).unwrap_or_default();
    let (terminate_delay, fork_delay) = (delay("terminate_delay"), delay("fork_delay"));
    let node = statements.first("weight");
    let weight = reading.weight(node).unwrap_or_default();
    if process.is_none() {
        reading.incomplete(block, &name, "process");
    }
    Some(TrackProcess {
        process: process?,
        name,
        full_command: statements.has("full_command") || !parameters.is_empty() || said.is_some(),
        parameter_match: said.unwrap_or(unsaid),
        parameters,
        weight,
        quorum,
        quorum_max,
        terminate_delay,
        fork_delay,
    })
}

fn parameter_match(reading: &mut Reading<'_>, node: Node<'_>) -> ParameterMatch {
    if node.arguments().is_empty() {
        return ParameterMatch::Exact;
    }
    match reading.choice(Some(node)) {
        Some("initial") => ParameterMatch::Initial,
        Some(_) => ParameterMatch::Partial,
        None => ParameterMatch::Exact,
    }
}

/// How many processes there must be, and may be. `quorum_max 0` is "none at all".
fn quorum(reading: &mut Reading<'_>, statements: &Statements<'_>) -> (u32, Option<u32>) {
    let node = statements.last("quorum");
    let said: Option<u32> = reading.integer(node);
    let most: Option<u32> = reading.integer(statements.last("quorum_max"));
    let least = said.unwrap_or(1);
    match most {
        Some(0) if said.is_none_or(|said| said <= 1) => (0, Some(0)),
        Some(most) if most < least => {
            let message = format!("quorum {least} is more than quorum_max {most}; quorum_max is ignored");
            reading.report_at(&rule::QUORUM, node, message);
            (least, None)
        }
        _ => (least, most),
    }
}
